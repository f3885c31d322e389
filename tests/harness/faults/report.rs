//! What a campaign found: one line of JSON each, and a last line of totals.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// What a campaign found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The campaign.
    pub test: String,
    /// Where chance began.
    pub seed: u64,
    /// Cycles.
    pub n: u64,
    /// Promises that were broken, each in a sentence. Empty is what everybody hopes for.
    pub violations: Vec<String>,
    /// Median of the time that the campaign measures, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Longest, in milliseconds.
    pub max_ms: Option<f64>,
    /// The most memory that a hub had resident, in KiB.
    pub rss_max_kib: Option<u64>,
    /// Further figures of this campaign, by name.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl Report {
    /// Nothing found yet.
    #[must_use]
    pub fn new(test: &str, seed: u64) -> Self {
        Self {
            test: test.to_owned(),
            seed,
            ..Self::default()
        }
    }

    /// Adds a figure.
    pub fn tell(&mut self, name: &str, value: impl Into<Value>) {
        self.more.insert(name.to_owned(), value.into());
    }

    /// Fills in the three figures of the time that the campaign measures.
    pub fn time(&mut self, times: &Times) {
        self.p50_ms = times.percentile(50.0);
        self.p99_ms = times.percentile(99.0);
        self.max_ms = times.percentile(100.0);
    }

    /// The most memory resident so far: keeps the greater.
    pub fn memory(&mut self, kib: Option<u64>) {
        self.rss_max_kib = self.rss_max_kib.max(kib);
    }

    /// One line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self)
            .unwrap_or_else(|error| format!("{{\"test\":\"{}\",\"error\":\"{error}\"}}", self.test))
    }
}

/// The sum of several reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Always `total`.
    pub test: String,
    /// Campaigns that came to an end.
    pub campaigns: u64,
    /// Their cycles.
    pub n: u64,
    /// Their violations.
    pub violations: u64,
    /// Campaigns with violations, by name.
    pub failed: Vec<String>,
    /// Campaigns that the harness itself could not run, by name.
    pub broken: Vec<String>,
    /// Wall-clock time of all together, in seconds.
    pub seconds: u64,
}

impl Total {
    /// Of no report.
    #[must_use]
    pub fn new() -> Self {
        Self {
            test: "total".to_owned(),
            ..Self::default()
        }
    }

    /// Adds a report.
    pub fn add(&mut self, report: &Report) {
        self.campaigns += 1;
        self.n += report.n;
        self.violations += report.violations.len() as u64;
        if !report.violations.is_empty() {
            self.failed.push(report.test.clone());
        }
    }

    /// Whether every campaign ran and none found anything.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.failed.is_empty() && self.broken.is_empty()
    }

    /// One line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self)
            .unwrap_or_else(|error| format!("{{\"test\":\"total\",\"error\":\"{error}\"}}"))
    }
}

/// Times that were measured.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds one.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time that so many percent do not exceed, in milliseconds: the nearest rank, a time that was measured.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        let time = sorted.get(rank.clamp(1, sorted.len().max(1)) - 1)?;
        Some((time.as_secs_f64() * 1e6).round() / 1e3)
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_with_the_campaign_s_own_figures_beside_the_others() {
        let mut report = Report::new("hub-kills", 9);
        report.n = 2;
        report.tell("acknowledged", 31);
        let times = [3, 1, 2].map(Duration::from_millis);
        report.time(&times.into_iter().collect());
        report.memory(Some(5));
        report.memory(Some(4));
        report.memory(None);
        assert_eq!(
            report.line(),
            r#"{"test":"hub-kills","seed":9,"n":2,"violations":[],"p50_ms":2.0,"p99_ms":3.0,"max_ms":3.0,"rss_max_kib":5,"acknowledged":31}"#
        );
    }

    #[test]
    fn totals_name_what_failed() {
        let mut total = Total::new();
        let mut bad = Report::new("replicas", 1);
        bad.n = 4;
        bad.violations.push("lost".to_owned());
        total.add(&bad);
        total.add(&Report::new("aws", 1));
        assert_eq!((total.campaigns, total.n, total.violations), (2, 4, 1));
        assert_eq!(total.failed, ["replicas"]);
        assert!(!total.clean());
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Times = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(times.percentile(50.0), Some(100.0));
        assert_eq!(times.percentile(99.0), Some(198.0));
        assert_eq!(times.percentile(100.0), Some(200.0));
        assert_eq!(Times::default().percentile(99.0), None);
    }
}
