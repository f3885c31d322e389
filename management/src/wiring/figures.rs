//! All numbers of a hub, as `/metrics` and OTLP tell them: those of the database, which every hub tells alike, and those of
//! this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hadron_proto::vocab::Timestamp;
use tokio::sync::watch;

use crate::api::admission::Admission;
use crate::api::agent::AwsCalls;
use crate::api::calls::Calls;
use crate::app::App;
use crate::app::figures::Figures;
use crate::app::recovery::{RecoveryView, Stage};
use crate::meter::{Distribution, Family, Figure, Kind};

/// How many templates have their names told. Those behind them are told together, as [`OTHERS`].
const MOST_TEMPLATES: usize = 200;
/// No template has this name.
const OTHERS: &str = "(others)";

/// Whoever knows numbers. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) app: App,
    pub(super) agents: watch::Receiver<usize>,
    pub(super) admission: Admission,
    pub(super) calls: Calls,
    pub(super) aws: Arc<AwsCalls>,
}

impl Sources {
    /// All numbers as they are now.
    pub(super) async fn families(&self) -> Vec<Family> {
        let mut all = self.process();
        let figures = self.app.figures().await;
        let up = u64::from(figures.is_ok());
        all.push(Family::gauge(
            "hadron_database_up",
            "Whether the database answers.",
            up,
        ));
        match figures {
            Ok(figures) => {
                all.extend(of_standing(&figures));
                all.extend(of_deployments(&figures));
                all.extend(of_hub(&figures));
                all.extend(self.of_recovery().await);
            }
            Err(error) => {
                tracing::warn!(
                    error = error.story(),
                    "The numbers of the database could not be read"
                );
            }
        }
        all
    }

    fn process(&self) -> Vec<Family> {
        let (counter, gauge) = (Family::counter, Family::gauge);
        let calls = self.admission.counts();
        let mut all = vec![
            Family::new(Kind::Gauge, "hadron_hub_info", "Which version this process is.")
                .and([("version", env!("CARGO_PKG_VERSION"))], 1),
            counter(
                "hadron_api_admitted_total",
                "Calls and streams of people and scripts that were let through.",
                calls.admitted,
            ),
            counter(
                "hadron_api_throttled_total",
                "Calls and streams of people and scripts that were told to come again.",
                calls.throttled,
            ),
            gauge(
                "hadron_api_calls_running",
                "Calls of people and scripts that are worked on.",
                calls.running,
            ),
            gauge(
                "hadron_api_calls_waiting",
                "Calls of people and scripts that wait for their turn.",
                calls.waiting,
            ),
            gauge(
                "hadron_api_streams",
                "Streams that watch something.",
                calls.streams,
            ),
            gauge(
                "hadron_agents_connected",
                "Sessions of agents that are open in this process.",
                *self.agents.borrow() as u64,
            ),
        ];
        all.extend(self.calls.families());
        all.extend(self.aws.families());
        // Zero where nobody renders apart from this process: in tests.
        let renders = self.app.renderer().counts().unwrap_or_default();
        all.extend([
            counter(
                "hadron_renders_total",
                "Questions about bundles, specs and templates that were answered.",
                renders.answered,
            ),
            counter(
                "hadron_render_workers_lost_total",
                "Those that cost a render worker its life.",
                renders.failed,
            ),
            counter(
                "hadron_renders_throttled_total",
                "Those that were told to come again.",
                renders.busy,
            ),
            counter(
                "hadron_render_workers_replaced_total",
                "Render workers that were replaced after long use.",
                renders.worn,
            ),
            counter(
                "hadron_render_compute_microseconds_total",
                "What render workers computed for answers.",
                renders.computed,
            ),
            gauge(
                "hadron_renders_running",
                "Questions that render workers work on.",
                renders.running,
            ),
            gauge(
                "hadron_renders_waiting",
                "Questions that wait for a render worker.",
                renders.waiting,
            ),
            gauge("hadron_render_workers", "Render workers.", renders.workers),
        ]);
        let db = self.app.db();
        let stats = db.stats();
        all.extend([
            gauge(
                "hadron_database_transactions",
                "Transactions that this process has committed.",
                stats.transactions,
            ),
            gauge(
                "hadron_database_commits",
                "Commits that carried them; one commit of SQLite carries many.",
                stats.commits,
            ),
            Family::new(
                Kind::Histogram,
                "hadron_database_write_seconds",
                "How long this process waited for writes: for their turn, their statements, and COMMIT.",
            )
            .with([], Figure::Distribution(db.write_times())),
        ]);
        all
    }

    async fn of_recovery(&self) -> Vec<Family> {
        let Ok(recovery) = self.app.recovery().await else {
            return Vec::new();
        };
        let view = recovery.as_ref();
        vec![
            Family::gauge(
                "hadron_restore_generation",
                "How often the database was restored to an earlier state.",
                view.map_or(0, |view| view.generation),
            ),
            Family::gauge(
                "hadron_lost_time",
                "Whether the database looks restored and nobody has said so: agents get no work.",
                u64::from(view.is_some_and(|view| view.stage == Stage::Unannounced)),
            ),
            Family::gauge(
                "hadron_recovery_stacks_open",
                "Stacks that are still to be compared with CloudFormation after a restore.",
                view.map_or(0, RecoveryView::open),
            ),
        ]
    }
}

fn of_standing(figures: &Figures) -> Vec<Family> {
    let standing = &figures.standing;
    vec![
        Family::gauge(
            "hadron_jobs_ready",
            "Jobs that wait for an agent.",
            standing.jobs_ready + standing.jobs_resting,
        ),
        Family::new(
            Kind::Gauge,
            "hadron_queue_depth",
            "Jobs that have not ended: ready ones may be taken, resting ones later only, leased ones are with an agent.",
        )
        .and([("state", "ready")], standing.jobs_ready)
        .and([("state", "resting")], standing.jobs_resting)
        .and([("state", "leased")], standing.jobs_leased),
        seconds(
            "hadron_queue_oldest_seconds",
            "How long the first ready job has been waiting for an agent; 0: there is none.",
            standing.oldest_ready,
        ),
        Family::gauge(
            "hadron_deployments_active",
            "Deployments that have not ended.",
            standing.deployments,
        ),
        Family::new(
            Kind::Gauge,
            "hadron_agents",
            "Agents that are enrolled, by whether they have a session, at whichever hub.",
        )
        .and([("state", "online")], standing.agents_live)
        .and(
            [("state", "offline")],
            standing.agents.saturating_sub(standing.agents_live),
        ),
        seconds(
            "hadron_agent_heartbeat_age_seconds",
            "How long ago the agent with a session was heard that was not heard for longest.",
            standing.longest_silence,
        ),
        moment(
            "hadron_agent_certificate_expiry_timestamp_seconds",
            "When the first certificate of an agent with a session expires.",
            standing.first_expiry,
        ),
    ]
}

/// The names that are told.
fn told<'a>(templates: impl Iterator<Item = &'a str>) -> impl Fn(&'a str) -> &'a str {
    let names: std::collections::BTreeSet<&str> = templates.collect();
    let last = names
        .into_iter()
        .take(MOST_TEMPLATES)
        .next_back()
        .map(str::to_owned);
    move |name| match &last {
        Some(last) if name > last.as_str() => OTHERS,
        _ => name,
    }
}

fn of_deployments(figures: &Figures) -> [Family; 3] {
    let name = told(figures.tallies.iter().map(|tally| tally.template.as_str()));
    let mut counts: BTreeMap<[&str; 3], u64> = BTreeMap::new();
    let mut times: BTreeMap<&str, Distribution> = BTreeMap::new();
    for tally in &figures.tallies {
        let template = name(&tally.template);
        *counts.entry([&tally.kind, template, &tally.outcome]).or_default() +=
            tally.times.counts.iter().sum::<u64>();
        let all = times
            .entry(template)
            .or_insert_with(|| Distribution::between(&tally.times.limits));
        all.micros += tally.times.micros;
        for (all, more) in all.counts.iter_mut().zip(&tally.times.counts) {
            *all += more;
        }
    }
    let mut ended = Family::new(
        Kind::Counter,
        "hadron_deployments_total",
        "Deployments that have ended, by what was deployed and how. Components have no template.",
    );
    for ([kind, template, outcome], count) in counts {
        ended = ended.and(
            [("kind", kind), ("template", template), ("outcome", outcome)],
            count,
        );
    }
    let mut took = Family::new(
        Kind::Histogram,
        "hadron_deployment_seconds",
        "How long deployments took from the request to the end, however they ended.",
    );
    for (template, times) in times {
        took = took.with([("template", template)], Figure::Distribution(times));
    }
    [ended, took, of_lag(figures)]
}

fn of_lag(figures: &Figures) -> Family {
    let name = told(figures.lag.iter().map(|lag| lag.template.as_str()));
    let mut counts: BTreeMap<[&str; 3], u64> = BTreeMap::new();
    for lag in &figures.lag {
        for (standing, count) in [
            ("up_to_date", lag.up_to_date),
            ("behind_minor", lag.behind_minor),
            ("behind_major", lag.behind_major),
        ] {
            *counts
                .entry([lag.kind, name(lag.template.as_str()), standing])
                .or_default() += count;
        }
    }
    let mut family = Family::new(
        Kind::Gauge,
        "hadron_template_lag",
        "Environments, instances and pipelines by how they stand to the version that their template recommends.",
    );
    for ([kind, template, standing], count) in counts {
        family = family.and(
            [("kind", kind), ("template", template), ("standing", standing)],
            count,
        );
    }
    family
}

fn of_hub(figures: &Figures) -> Vec<Family> {
    let chores = &figures.chores;
    let mut roots = Family::new(
        Kind::Gauge,
        "hadron_ca_expiry_timestamp_seconds",
        "When roots of the hub's CA expire, by where they stand.",
    );
    for (stage, at) in &figures.roots {
        roots = roots.with([("stage", stage)], since_epoch(*at));
    }
    vec![
        Family::gauge(
            "hadron_replicas",
            "Hub processes that work on this database and were heard of lately, this one included.",
            chores.replicas,
        ),
        Family::gauge(
            "hadron_outbox_due",
            "What is to be done because of a change and has not been done yet.",
            chores.outbox_due,
        ),
        seconds(
            "hadron_outbox_oldest_seconds",
            "For how long the first of it has been due; 0: there is none.",
            chores.outbox_oldest,
        ),
        Family::gauge(
            "hadron_audit_unsigned_rows",
            "Lines of the audit log that no signed checkpoint covers yet.",
            chores.audit_unsigned,
        ),
        seconds(
            "hadron_audit_checkpoint_age_seconds",
            "How long ago the last checkpoint of the audit log was signed; 0: none was yet.",
            chores.checkpoint_age,
        ),
        roots,
    ]
}

fn seconds(name: &'static str, help: &'static str, value: Option<Duration>) -> Family {
    Family::new(Kind::Gauge, name, help).and_seconds([], value.unwrap_or_default())
}

fn since_epoch(at: Timestamp) -> Figure {
    Figure::Number(at.since(Timestamp::EPOCH).as_secs_f64())
}

/// Without a moment there is no value: zero would be one that has passed.
fn moment(name: &'static str, help: &'static str, at: Option<Timestamp>) -> Family {
    let family = Family::new(Kind::Gauge, name, help);
    match at {
        Some(at) => family.with([], since_epoch(at)),
        None => family,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tallies::Tally;

    #[test]
    fn templates_beyond_so_many_are_told_together() {
        let tallies = (0..MOST_TEMPLATES + 50).map(|number| Tally {
            kind: "environment".to_owned(),
            template: format!("template-{number:05}"),
            outcome: "SUCCEEDED".to_owned(),
            times: Distribution {
                limits: vec![1.0],
                counts: vec![1, 1],
                micros: 3_000_000,
            },
        });
        let figures = Figures {
            tallies: tallies.collect(),
            ..Figures::default()
        };
        let [ended, took, _] = of_deployments(&figures);
        assert_eq!(
            (ended.samples.len(), took.samples.len()),
            (MOST_TEMPLATES + 1, MOST_TEMPLATES + 1)
        );
        let others = ended
            .samples
            .iter()
            .find(|sample| sample.labels.contains(&("template", OTHERS.to_owned())))
            .unwrap();
        assert_eq!(others.figure, Figure::Number(100.0));
    }
}
