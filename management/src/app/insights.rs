//! What plots are made of: how deployments went in the last thirty days, which versions run, and how the queue and the agents
//! were. Everybody sees in it what they see otherwise; how the hub as a whole does, those who may read the summary.

mod days;

use std::collections::BTreeMap;
use std::time::Duration;

use hadron_domain::authority::{Action, Caller, Sight};
use hadron_domain::template::{Standing, TemplateKind};
use hadron_proto::vocab::{TemplateName, TemplateVersion, Timestamp};

use super::figures::KINDS;
use super::summary::Known;
use super::{App, AppError};
use crate::store::insights::{self, Ended};
use crate::store::samples::{self, Sample};
use crate::store::{Tx, counts, templates};

pub use days::{Day, days};

/// How far back deployments are looked at, in days.
pub const DAYS: usize = 30;
/// How many deployments are looked at, at most: the latest.
pub const MOST_ENDED: u32 = 20_000;
/// How many template versions of a kind are looked at, at most.
const MOST_VERSIONS: u32 = 500;
/// How many samples are shown, at most.
const MOST_SAMPLES: u32 = 200;

const HOUR: i64 = 3_600_000_000;
/// A day in microseconds.
pub(super) const DAY: i64 = 24 * HOUR;

/// How far back samples are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// The last 24 hours.
    #[default]
    Day,
    /// The last seven days.
    Week,
    /// The last thirty days.
    Month,
}

impl Span {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As an address names it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// How long it is, and in which steps it is shown, in microseconds.
    #[must_use]
    pub const fn length(self) -> (i64, i64) {
        match self {
            Self::Day => (DAY, HOUR / 6),
            Self::Week => (7 * DAY, HOUR),
            Self::Month => (30 * DAY, 4 * HOUR),
        }
    }
}

/// How an ended deployment counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked for is so.
    Succeeded,
    /// It is not.
    Failed,
    /// Somebody thought better of it.
    Cancelled,
}

impl Outcome {
    /// What a last status comes to.
    #[must_use]
    pub fn of(status: &str) -> Self {
        match status {
            "CANCELLED" => Self::Cancelled,
            _ if status.contains("FAILED") => Self::Failed,
            _ => Self::Succeeded,
        }
    }
}

/// How deployments of one template went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfTemplate {
    /// environment, instance, pipeline or component.
    pub kind: String,
    /// The template's name; empty for components.
    pub template: String,
    /// How many failed.
    pub failed: u64,
    /// How many ended, in whichever way.
    pub ended: u64,
}

/// How deployments in one environment went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfEnvironment {
    /// Its name.
    pub environment: String,
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// How long it took at the median from a failure until the same target was deployed again with success; `None` where
    /// nothing had to be recovered, or has been.
    pub recovery: Option<Duration>,
}

/// How many run a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfVersion {
    /// The version.
    pub version: TemplateVersion,
    /// How it stands to what is recommended.
    pub standing: Standing,
    /// How many run it.
    pub count: u64,
}

/// What runs of one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// environment, instance or pipeline.
    pub kind: &'static str,
    /// Of which kind the template is.
    pub of: TemplateKind,
    /// The template.
    pub template: TemplateName,
    /// The version that it recommends; `None` where none is published.
    pub recommended: Option<TemplateVersion>,
    /// The versions that run, the lowest first.
    pub versions: Vec<OfVersion>,
}

impl Fleet {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.versions.iter().map(|version| version.count).sum()
    }
}

/// What there is to plot for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insights {
    /// When this was so.
    pub now: Timestamp,
    /// The last days in UTC, the earliest first.
    pub days: Vec<Day>,
    /// There were more deployments than are looked at: the earliest are left out.
    pub cut: bool,
    /// Templates of which deployments ended, those with most failures first.
    pub templates: Vec<OfTemplate>,
    /// Environments in which deployments ended, by name.
    pub environments: Vec<OfEnvironment>,
    /// What runs, by template.
    pub fleet: Vec<Fleet>,
    /// How many agents are connected now, and how many there are; `None` as for the samples.
    pub agents: Option<(u64, u64)>,
    /// How the queue and the agents were; `None` for those who may not read the summary.
    pub samples: Option<Vec<Sample>>,
}

fn by_template(ended: &[Ended]) -> Vec<OfTemplate> {
    let mut found: BTreeMap<(&str, &str), OfTemplate> = BTreeMap::new();
    for each in ended {
        let of = found
            .entry((&each.kind, &each.template))
            .or_insert_with(|| OfTemplate {
                kind: each.kind.clone(),
                template: each.template.clone(),
                failed: 0,
                ended: 0,
            });
        of.ended += 1;
        of.failed += u64::from(Outcome::of(&each.outcome) == Outcome::Failed);
    }
    let mut found: Vec<OfTemplate> = found.into_values().collect();
    found.sort_by_key(|of| std::cmp::Reverse((of.failed, of.ended)));
    found
}

fn by_environment(ended: &[Ended]) -> Vec<OfEnvironment> {
    let mut found: BTreeMap<&str, OfEnvironment> = BTreeMap::new();
    let mut broken: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut recoveries: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for each in ended.iter().rev().filter(|each| !each.environment.is_empty()) {
        let of = found.entry(&each.environment).or_insert_with(|| OfEnvironment {
            environment: each.environment.clone(),
            succeeded: 0,
            failed: 0,
            recovery: None,
        });
        match Outcome::of(&each.outcome) {
            Outcome::Succeeded => {
                of.succeeded += 1;
                if let Some(since) = broken.remove(each.target.as_str()) {
                    recoveries
                        .entry(&each.environment)
                        .or_default()
                        .push(each.at.since(since));
                }
            }
            Outcome::Failed => {
                of.failed += 1;
                // Whoever fails twice has been broken since the first time.
                broken.entry(&each.target).or_insert(each.at);
            }
            Outcome::Cancelled => {}
        }
    }
    for (environment, mut times) in recoveries {
        times.sort_unstable();
        if let Some(of) = found.get_mut(environment) {
            of.recovery = days::share(&times, 50);
        }
    }
    found.into_values().collect()
}

async fn fleet(tx: &mut Tx, kinds: &[(&'static str, TemplateKind, Sight)]) -> Result<Vec<Fleet>, AppError> {
    let mut known = Known::default();
    let mut found: Vec<Fleet> = Vec::new();
    for (kind, of, sight) in kinds {
        for group in insights::fleet(tx, kind, sight, MOST_VERSIONS).await? {
            let Some(template) = &group.template else { continue };
            let version = OfVersion {
                version: group.version,
                standing: known.standing(tx, *of, &group).await?,
                count: group.count,
            };
            match found.last_mut() {
                Some(last) if last.kind == *kind && last.template == *template => last.versions.push(version),
                _ => {
                    let row = templates::get(tx, *of, template).await?;
                    found.push(Fleet {
                        kind,
                        of: *of,
                        template: template.clone(),
                        recommended: row.and_then(|row| row.versions.recommended()),
                        versions: vec![version],
                    });
                }
            }
        }
    }
    Ok(found)
}

impl App {
    /// What there is to plot for this caller.
    ///
    /// # Errors
    /// When they may read no deployments at all.
    pub async fn insights(&self, caller: &Caller, span: Span) -> Result<Insights, AppError> {
        let sight = self.may(caller, Action::ReadDeployment).await?;
        // What somebody may not see is left out of the page; they did not ask for it.
        let kinds: Vec<_> = KINDS
            .into_iter()
            .filter_map(|(kind, of)| {
                let action = match of {
                    TemplateKind::Environment => Action::ReadEnvironment,
                    TemplateKind::Service => Action::ReadService,
                };
                Some((kind, of, caller.may(action).ok()?))
            })
            .collect();
        let all = caller.may(Action::ReadSummary).is_ok();
        self.read("insights", move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                let today = now.as_micros().div_euclid(DAY);
                let first = today - DAYS as i64 + 1;
                let from = Timestamp::from_micros(first * DAY);
                let ended = insights::ended(tx, &sight, from, MOST_ENDED).await?;
                let (samples, agents) = if all {
                    let (length, step) = span.length();
                    let from = Timestamp::from_micros((now.as_micros() - length).div_euclid(step) * step);
                    let samples = samples::since(tx, from, step, MOST_SAMPLES).await?;
                    let standing = counts::standing(tx).await?;
                    (Some(samples), Some((standing.agents_live, standing.agents)))
                } else {
                    (None, None)
                };
                Ok(Insights {
                    now,
                    days: days(&ended, first, today),
                    cut: ended.len() >= MOST_ENDED as usize,
                    templates: by_template(&ended),
                    environments: by_environment(&ended),
                    fleet: fleet(tx, &kinds).await?,
                    agents,
                    samples,
                })
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(minute: i64, outcome: &str, target: &str) -> Ended {
        Ended {
            at: Timestamp::from_micros(minute * 60_000_000),
            took: Duration::from_secs(60),
            outcome: outcome.to_owned(),
            kind: "environment".to_owned(),
            template: "net".to_owned(),
            environment: "prd".to_owned(),
            target: target.to_owned(),
        }
    }

    #[test]
    fn a_recovery_counts_from_the_first_failure_of_a_target_to_its_next_success() {
        // The last first, as the store gives them.
        let all = [
            ended(90, "FAILED", "b"),
            ended(50, "SUCCEEDED", "a"),
            ended(40, "CANCELLED", "a"),
            ended(30, "FAILED", "a"),
            ended(20, "DELETE_FAILED", "a"),
            ended(10, "SUCCEEDED", "b"),
        ];
        let found = by_environment(&all);
        assert_eq!(
            found,
            [OfEnvironment {
                environment: "prd".to_owned(),
                succeeded: 2,
                failed: 3,
                recovery: Some(Duration::from_secs(30 * 60)),
            }]
        );
        let templates = by_template(&all);
        assert_eq!((templates[0].failed, templates[0].ended), (3, 6));
    }

    #[test]
    fn every_status_of_an_ended_deployment_counts() {
        assert_eq!(Outcome::of("SUCCEEDED"), Outcome::Succeeded);
        assert_eq!(Outcome::of("DELETE_COMPLETE"), Outcome::Succeeded);
        assert_eq!(Outcome::of("FAILED"), Outcome::Failed);
        assert_eq!(Outcome::of("DELETE_FAILED"), Outcome::Failed);
        assert_eq!(Outcome::of("CANCELLED"), Outcome::Cancelled);
    }
}
