//! An AWS that refuses, fails and answers nonsense, while deployments go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::ground::{Ground, by_name, leases};
use super::{Chance, Options, Report, Times};
use crate::cluster::{LinkName, Setup};
use crate::proxy::{Judge, Request, Verdict};

/// What AWS does: a name, so many requests out of a hundred, and what becomes of them.
type Mood = (&'static str, u64, fn(&Request) -> Verdict);

const MOODS: &[Mood] = &[
    ("throttled", 50, |request| {
        refusal(request, 400, "Throttling", "Rate exceeded")
    }),
    ("failing", 20, |request| {
        refusal(
            request,
            500,
            "InternalFailure",
            "The request processing has failed",
        )
    }),
    ("unavailable", 30, |request| {
        refusal(request, 503, "ServiceUnavailable", "Try again later")
    }),
    ("truncated", 20, |_| Verdict::Truncate(40)),
    ("html", 20, |_| Verdict::Garble {
        content: "text/html",
        body: "<html><body>It works!</body></html>".to_owned(),
    }),
    ("empty", 20, |_| Verdict::Garble {
        content: "text/xml",
        body: String::new(),
    }),
    ("huge", 5, |_| Verdict::Garble {
        content: "text/xml",
        body: "<x>".repeat(3_000_000),
    }),
    ("unanswered", 15, |_| Verdict::Swallow),
    ("doubled", 50, |_| Verdict::Twice),
    ("reset", 20, |_| Verdict::Drop),
    ("expired", 10, |request| {
        refusal(
            request,
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    }),
];

/// An error as this API writes it.
fn refusal(request: &Request, status: u16, code: &str, message: &str) -> Verdict {
    if request.json {
        Verdict::Answer {
            status,
            content: "application/x-amz-json-1.1",
            body: format!(r#"{{"__type":"{code}Exception","message":"{message}"}}"#),
        }
    } else {
        Verdict::Answer {
            status,
            content: "text/xml",
            body: format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>proxy</RequestId></ErrorResponse>"
            ),
        }
    }
}

/// Puts AWS into each mood during deployments, then lets it be well: every deployment ends, as what really happened, and
/// the next one succeeds. Measured: how long deployments take in a mood.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let rounds = options.cycles(1, 20);
    let mut report = Report::new("aws", options.seed);
    let mood: Arc<Mutex<Option<(&'static Mood, Chance)>>> = Arc::default();
    let now = Arc::clone(&mood);
    let judge: Judge = Arc::new(move |request| {
        let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
        match now.as_mut() {
            Some(((_, percent, verdict), chance)) => {
                if chance.percent(*percent) {
                    verdict(request)
                } else {
                    Verdict::Pass
                }
            }
            None => Verdict::Pass,
        }
    });
    let setup = Setup {
        hub: leases(6),
        proxied: vec![LinkName::AgentAws],
        judge: Some(judge),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, 2).await?;
    let mut chance = options.chance("aws");
    let mut ends = BTreeMap::<String, u64>::new();
    let mut times = Times::default();
    let mut number = 0;
    for _ in 0..rounds {
        for its in MOODS {
            number += 1;
            *mood.lock().unwrap_or_else(PoisonError::into_inner) = Some((its, Chance::new(chance.bits())));
            let began = Instant::now();
            let mut ids = Vec::new();
            for account in &ground.accounts {
                ids.push(ground.deployer.begin(account, number, 0.2).await?);
            }
            sleep(Duration::from_secs(2) + chance.time(Duration::from_secs(6))).await;
            *mood.lock().unwrap_or_else(PoisonError::into_inner) = None;
            for id in ids {
                let end = ground.deployer.ends(&id).await?;
                times.push(began.elapsed());
                *ends.entry(format!("{} {end}", its.0)).or_default() += 1;
            }
            number += 1;
            for account in &ground.accounts {
                let id = ground.deployer.begin(account, number, 0.0).await?;
                let end = ground.deployer.ends(&id).await?;
                if end != "SUCCEEDED" {
                    report.violations.push(format!(
                        "{id} ended {end} although AWS was well again after '{}'",
                        its.0
                    ));
                }
            }
            ground.watch_memory();
            report.n += 1;
        }
    }
    let counts = ground.world.links.get(LinkName::AgentAws)?.counts();
    report.time(&times);
    report.tell("ends", by_name(&ends));
    report.tell("connections_to_aws", counts.connections);
    ground.close(options, &mut report, &[]).await?;
    Ok(report)
}
