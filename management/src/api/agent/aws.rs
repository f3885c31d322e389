//! What agents have asked AWS for, as they tell it with their heartbeats. Agents are not trusted: what one makes up is bounded
//! here, and nothing is decided by it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hadron_proto::wire;

use crate::meter::{Family, Kind};

/// How many different words are told. Agents of a release use some hundred.
const MOST: usize = 400;
/// How many an agent may tell at once.
const AT_ONCE: usize = 200;
/// What is beyond that.
const OTHER: &str = "other";

/// Service, operation and code.
type Key = [String; 3];

/// All counts of the agents of this process.
#[derive(Debug, Default)]
pub struct AwsCalls(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    calls: BTreeMap<Key, u64>,
    throttles: BTreeMap<String, u64>,
}

fn word(text: &str) -> String {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let good = !text.is_empty() && text.len() <= 64 && text.chars().all(known);
    if good { text.to_owned() } else { OTHER.to_owned() }
}

impl AwsCalls {
    /// Adds what an agent tells.
    pub(super) fn add(&self, told: &[wire::AwsCalls]) {
        if told.is_empty() {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for each in told.iter().take(AT_ONCE) {
            let mut key = [&each.service, &each.operation, &each.code].map(|text| word(text));
            if !counts.calls.contains_key(&key) && counts.calls.len() >= MOST {
                key = [OTHER; 3].map(str::to_owned);
            }
            if each.throttled {
                let throttles = counts.throttles.entry(key[0].clone()).or_default();
                *throttles = throttles.saturating_add(each.count);
            }
            let calls = counts.calls.entry(key).or_default();
            *calls = calls.saturating_add(each.count);
        }
    }

    /// What was told so far.
    #[must_use]
    pub fn families(&self) -> [Family; 2] {
        let mut calls = Family::new(
            Kind::Counter,
            "hadron_aws_api_calls_total",
            "Requests to AWS of agents that are or were connected to this process, each try by itself.",
        );
        let mut throttles = Family::new(
            Kind::Counter,
            "hadron_aws_throttles_total",
            "Those of them that AWS refused because there were too many.",
        );
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ([service, operation, code], count) in &counts.calls {
            let labels = [("service", &**service), ("operation", operation), ("code", code)];
            calls = calls.and(labels, *count);
        }
        for (service, count) in &counts.throttles {
            throttles = throttles.and([("service", service)], *count);
        }
        [calls, throttles]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Figure;

    #[test]
    fn what_agents_make_up_is_bounded() {
        let calls = AwsCalls::default();
        let told = |service: &str, code: String, throttled: bool| wire::AwsCalls {
            service: service.to_owned(),
            operation: "DescribeStacks".to_owned(),
            code,
            count: u64::MAX / 2,
            throttled,
        };
        for number in 0..3 * MOST {
            calls.add(&[told("CloudFormation", format!("Made{number}"), false)]);
        }
        for _ in 0..3 {
            calls.add(&[told("Cloud\nFormation\"} 1", "Throttling".to_owned(), true)]);
        }
        calls.add(&vec![told("S3", "OK".to_owned(), false); 3 * AT_ONCE]);
        let [counts, throttles] = calls.families();
        assert_eq!(counts.samples.len(), MOST + 1);
        assert_eq!(throttles.samples.len(), 1);
        assert_eq!(throttles.samples[0].labels, [("service", OTHER.to_owned())]);
        assert!(matches!(throttles.samples[0].figure, Figure::Number(number) if number > 1e19));
    }
}
