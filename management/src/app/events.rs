//! Telling others about changes of status, in Proton's `EventBridge` form.
//!
//! The store writes an event in the transaction of its change. From there two ways lead out, each with its own place in the
//! list (`event_sink`), so that one that is stuck does not hold up the other: a webhook, which the hub calls itself, and
//! `PutEvents`, which the agent of the management account calls, since the hub has no credentials for it. Both get every
//! event at least once and in order, as long as it is not older than [`KEPT_FOR`].

use std::time::Duration;

use hadron_domain::job::Job;
use hadron_proto::vocab::Timestamp;
use serde_json::{Value, json};

use super::effects::Outcome;
use super::{App, AppError, Settings, Unit};
use crate::store::events::{self, EventRow, SinkRow};
use crate::store::jobs::{EventEntry, JobRow, JobWork};
use crate::store::{Topic, connections, jobs};

/// The sink that the hub calls.
pub(crate) const WEBHOOK: &str = "webhook";
/// The sink that the agent calls.
pub(crate) const PUT_EVENTS: &str = "put_events";
/// What Proton called itself in its events.
pub(crate) const PROTON: &str = "aws.proton";
/// How many events one call of `PutEvents` takes.
const ENTRIES: usize = 10;
/// How often events are offered again that `EventBridge` refused one by one.
const REFUSED_AT_MOST: u32 = 10;
/// How long events are kept for those who have not been told.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// How many events are kept at most.
pub(crate) const KEPT: u32 = 100_000;

/// Who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sinks {
    /// There is a webhook.
    pub webhook: bool,
    /// The agent of the management account puts events onto a bus.
    pub put_events: Option<Bus>,
}

/// Where `PutEvents` puts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// The name or ARN of the bus.
    pub name: String,
    /// What the events call their source. `EventBridge` takes none that begins with `aws.`.
    pub source: String,
}

impl Sinks {
    fn names(&self) -> Vec<&'static str> {
        let webhook = self.webhook.then_some(WEBHOOK);
        webhook
            .into_iter()
            .chain(self.put_events.as_ref().map(|_| PUT_EVENTS))
            .collect()
    }
}

fn arn(settings: &Settings, row: &EventRow) -> String {
    let (account, region) = row
        .place
        .clone()
        .unwrap_or_else(|| (settings.account, settings.region.clone()));
    row.resource.clone().arn(account, &region).to_string()
}

/// Whole seconds, as `EventBridge` writes them.
fn seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().div_euclid(1_000_000) * 1_000_000)
}

/// The whole event, as `EventBridge` delivers it.
#[must_use]
pub fn envelope(settings: &Settings, row: &EventRow) -> Value {
    json!({
        "version": "0",
        "id": row.id.as_uuid().to_string(),
        "detail-type": row.detail_type,
        "source": PROTON,
        "account": settings.account,
        "time": seconds(row.at).to_string(),
        "region": settings.region,
        "resources": [arn(settings, row)],
        "detail": row.detail,
    })
}

/// How long to wait after so many tries in vain: seconds at first, five minutes in the end.
pub(super) fn pause(attempts: u32) -> Duration {
    Duration::from_secs((1 << attempts.min(9)).min(300))
}

/// What can be told now.
#[derive(Debug)]
pub enum Claim {
    /// Nothing is left to tell.
    Nothing,
    /// Not before then.
    NotBefore(Timestamp),
    /// These, in this order. Nobody else gets them meanwhile.
    Events(Vec<EventRow>),
}

impl App {
    /// Gives the next events for the webhook and keeps others from telling them for so long.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_events(&self, limit: u32, hold: Duration) -> Result<Claim, AppError> {
        let waits = self
            .read("events", |tx| {
                Box::pin(async move { Ok(events::waits(tx, WEBHOOK).await?) })
            })
            .await?;
        if !waits {
            return Ok(Claim::Nothing);
        }
        self.write("claim events", move |unit| {
            Box::pin(async move {
                let mut sink = events::sink(unit.tx, WEBHOOK, unit.now).await?;
                if sink.due_at > unit.now {
                    return Ok(Claim::NotBefore(sink.due_at));
                }
                let found = events::after(unit.tx, sink.told, limit).await?;
                if found.is_empty() {
                    return Ok(Claim::Nothing);
                }
                sink.due_at = unit.now.plus(hold);
                events::put_sink(unit.tx, &sink).await?;
                Ok(Claim::Events(found))
            })
        })
        .await
    }

    /// The webhook was told events up to this one (`None`: not one of them), and failed after that if it says why.
    ///
    /// # Errors
    /// When the database does not answer; then they are told again.
    pub async fn events_told(&self, upto: Option<u64>, failed: Option<String>) -> Result<(), AppError> {
        self.write("events told", move |unit| {
            Box::pin(async move {
                let mut sink = events::sink(unit.tx, WEBHOOK, unit.now).await?;
                if let Some(upto) = upto {
                    sink.told = sink.told.max(upto);
                    sink.attempts = 0;
                }
                sink.due_at = unit.now;
                match failed {
                    Some(why) => in_vain(&mut sink, unit.now, why),
                    None => sink.last_error.clear(),
                }
                Ok(events::put_sink(unit.tx, &sink).await?)
            })
        })
        .await
    }

    /// Makes a job of the next events for the agent of the management account, unless one is under way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn offer_events(&self) -> Result<(), AppError> {
        let Some(bus) = self.settings().events.put_events.clone() else {
            return Ok(());
        };
        let waits = self
            .read("events", |tx| {
                Box::pin(async move { Ok(events::waits(tx, PUT_EVENTS).await?) })
            })
            .await?;
        if !waits {
            return Ok(());
        }
        self.write("offer events", move |unit| {
            Box::pin(async move { unit.offer_events(&bus).await })
        })
        .await
    }

    /// Forgets events that are too old, or too many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_events(&self) -> Result<(), AppError> {
        let sinks = self.settings().events.names();
        self.write("forget events", move |unit| {
            Box::pin(async move {
                let old = events::last_before(unit.tx, unit.now.minus(KEPT_FOR)).await?;
                let many = events::last_of(unit.tx, KEPT).await?;
                let Some(upto) = old.max(many) else { return Ok(()) };
                for name in sinks {
                    let sink = events::sink(unit.tx, name, unit.now).await?;
                    let lost = events::untold(unit.tx, sink.told, upto).await?;
                    if lost > 0 {
                        tracing::error!(
                            sink = name,
                            error = sink.last_error,
                            "{lost} events were not told in time and are forgotten"
                        );
                    }
                }
                events::forget(unit.tx, upto).await?;
                Ok(())
            })
        })
        .await
    }
}

/// It was tried in vain once more.
fn in_vain(sink: &mut SinkRow, now: Timestamp, why: String) {
    sink.due_at = now.plus(pause(sink.attempts));
    sink.attempts = sink.attempts.saturating_add(1);
    tracing::warn!(
        sink = sink.name,
        attempts = sink.attempts,
        "events could not be told: {why}"
    );
    sink.last_error = why;
}

impl Unit<'_> {
    async fn offer_events(&mut self, bus: &Bus) -> Result<(), AppError> {
        let mut sink = events::sink(self.tx, PUT_EVENTS, self.now).await?;
        if let Some(job) = sink.job {
            // A job that has ended has said so here; one that is gone will not.
            if jobs::exists(self.tx, job).await? {
                return Ok(());
            }
            sink.job = None;
        }
        if sink.due_at > self.now {
            return Ok(());
        }
        let mut found = Vec::new();
        for sequence in &sink.again {
            found.extend(events::get(self.tx, *sequence).await?);
        }
        let room = u32::try_from(ENTRIES.saturating_sub(found.len())).unwrap_or(0);
        found.extend(events::after(self.tx, sink.told, room).await?);
        found.truncate(ENTRIES);
        if found.is_empty() {
            // What was to be offered again was forgotten.
            sink.again.clear();
            return Ok(events::put_sink(self.tx, &sink).await?);
        }
        let Some(connection) = connections::management(self.tx).await? else {
            return Ok(());
        };
        let settings = self.settings().clone();
        let entries = found.iter().map(|row| EventEntry {
            sequence: row.sequence,
            at: seconds(row.at),
            source: bus.source.clone(),
            detail_type: row.detail_type.clone(),
            detail: row.detail.to_string(),
            resource: arn(&settings, row),
        });
        let job = JobRow {
            job: Job::new(self.fresh_id(), self.now),
            account: settings.account,
            region: settings.region.clone(),
            connection: connection.connection.id,
            deployment: None,
            label: format!("{} events for {}", found.len(), bus.name),
            work: JobWork::PutEvents {
                bus: bus.name.clone(),
                entries: entries.collect(),
            },
            created_at: self.now,
        };
        sink.job = Some(job.job.id);
        jobs::insert(self.tx, &job).await?;
        Ok(events::put_sink(self.tx, &sink).await?)
    }

    /// The agent has put events onto the bus, or could not.
    pub(super) async fn events_put(&mut self, job: &JobRow, outcome: Outcome) -> Result<(), AppError> {
        let JobWork::PutEvents { entries, .. } = &job.work else {
            return Err(AppError::internal("a job that puts no events"));
        };
        let mut sink = events::sink(self.tx, PUT_EVENTS, self.now).await?;
        if sink.job != Some(job.job.id) {
            return Ok(());
        }
        sink.job = None;
        match outcome {
            Outcome::EventsPut { refused } => {
                let last = entries.iter().map(|entry| entry.sequence).max();
                sink.told = sink.told.max(last.unwrap_or(0));
                let again = refused.iter().filter_map(|(place, _)| entries.get(*place));
                sink.again = again.map(|entry| entry.sequence).collect();
                match refused.into_iter().next() {
                    None => {
                        sink.attempts = 0;
                        sink.due_at = self.now;
                        sink.last_error.clear();
                    }
                    Some((_, why)) => in_vain(&mut sink, self.now, why),
                }
                if sink.attempts >= REFUSED_AT_MOST && !sink.again.is_empty() {
                    tracing::error!(
                        error = sink.last_error,
                        "{} events were refused {} times and are given up",
                        sink.again.len(),
                        sink.attempts
                    );
                    sink.again.clear();
                    sink.attempts = 0;
                }
            }
            Outcome::Failed { message, .. } => in_vain(&mut sink, self.now, message),
            _ => {
                let why = "the agent reported the outcome of another sort of job".to_owned();
                in_vain(&mut sink, self.now, why);
            }
        }
        events::put_sink(self.tx, &sink).await?;
        self.tx.after_commit(Topic::Changes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_minutes() {
        let pauses: Vec<u64> = [0, 1, 4, 8, 9, 40].map(|n| pause(n).as_secs()).to_vec();
        assert_eq!(pauses, [1, 2, 16, 256, 300, 300]);
    }

    #[test]
    fn times_have_whole_seconds() {
        let at: Timestamp = "2026-11-20T09:30:00.25Z".parse().unwrap();
        assert_eq!(seconds(at).to_string(), "2026-11-20T09:30:00Z");
    }
}
