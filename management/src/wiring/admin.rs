//! Health and metrics: plain HTTP on loopback, for the machine's own supervisor and for Prometheus.

use std::fmt::Write as _;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::api::admission::Admission;
use crate::app::recovery::{RecoveryView, Stage};
use crate::app::{App, AppError};
use crate::store::counts::{self, Counts};

#[derive(Clone)]
struct Parts {
    app: App,
    agents: watch::Receiver<usize>,
    admission: Admission,
    drain: CancellationToken,
}

/// Serves until `end`, which comes after the drain: meanwhile the hub is alive, but not ready.
pub(super) async fn serve(
    listener: TcpListener,
    app: App,
    agents: watch::Receiver<usize>,
    admission: Admission,
    drain: CancellationToken,
    end: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Parts {
            app,
            agents,
            admission,
            drain,
        });
    let served = axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned());
    served.await.context("the admin listener failed")
}

async fn count(app: &App) -> Result<Counts, AppError> {
    app.read("counts", |tx| Box::pin(async move { Ok(counts::all(tx).await?) }))
        .await
}

async fn readyz(State(parts): State<Parts>) -> (StatusCode, &'static str) {
    if parts.drain.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match count(&parts.app).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(
                error = error.story(),
                "The hub is not ready: its database does not answer"
            );
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}

async fn metrics(State(parts): State<Parts>) -> impl IntoResponse {
    let mut text = String::new();
    let mut number = |kind: &str, name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    };
    let calls = parts.admission.counts();
    number(
        "counter",
        "hadron_api_admitted_total",
        "Calls and streams of people and scripts that were let through.",
        calls.admitted,
    );
    number(
        "counter",
        "hadron_api_throttled_total",
        "Calls and streams of people and scripts that were told to come again.",
        calls.throttled,
    );
    if let Some(renders) = parts.app.renderer().counts() {
        for (name, help, value) in [
            (
                "hadron_renders_total",
                "Questions about bundles, specs and templates that were answered.",
                renders.answered,
            ),
            (
                "hadron_render_workers_lost_total",
                "Those that cost a render worker its life.",
                renders.failed,
            ),
            (
                "hadron_renders_throttled_total",
                "Those that were told to come again.",
                renders.busy,
            ),
            (
                "hadron_render_workers_replaced_total",
                "Render workers that were replaced after long use.",
                renders.worn,
            ),
            (
                "hadron_render_compute_microseconds_total",
                "What render workers computed for answers.",
                renders.computed,
            ),
        ] {
            number("counter", name, help, value);
        }
        for (name, help, value) in [
            (
                "hadron_renders_running",
                "Questions that render workers work on.",
                renders.running,
            ),
            (
                "hadron_renders_waiting",
                "Questions that wait for a render worker.",
                renders.waiting,
            ),
            ("hadron_render_workers", "Render workers.", renders.workers),
        ] {
            number("gauge", name, help, value);
        }
    }
    let mut gauge = |name: &str, help: &str, value: u64| number("gauge", name, help, value);
    gauge(
        "hadron_api_calls_running",
        "Calls of people and scripts that are worked on.",
        calls.running,
    );
    gauge(
        "hadron_api_calls_waiting",
        "Calls of people and scripts that wait for their turn.",
        calls.waiting,
    );
    gauge(
        "hadron_api_streams",
        "Streams that watch something.",
        calls.streams,
    );
    let agents = u64::try_from(*parts.agents.borrow()).unwrap_or(u64::MAX);
    gauge(
        "hadron_agents_connected",
        "Sessions of agents that are open in this process.",
        agents,
    );
    let stats = parts.app.db().stats();
    gauge(
        "hadron_database_transactions",
        "Transactions that this process has committed.",
        stats.transactions,
    );
    gauge(
        "hadron_database_commits",
        "Commits that carried them; one commit of SQLite carries many.",
        stats.commits,
    );
    match count(&parts.app).await {
        Ok(counts) => {
            gauge(
                "hadron_jobs_ready",
                "Jobs that wait for an agent.",
                counts.jobs_ready,
            );
            gauge(
                "hadron_deployments_active",
                "Deployments that have not ended.",
                counts.deployments_active,
            );
            gauge(
                "hadron_replicas",
                "Hub processes that work on this database and were heard of lately, this one included.",
                counts.replicas,
            );
            gauge("hadron_database_up", "Whether the database answers.", 1);
            if let Ok(recovery) = parts.app.recovery().await {
                let view = recovery.as_ref();
                gauge(
                    "hadron_restore_generation",
                    "How often the database was restored to an earlier state.",
                    view.map_or(0, |view| view.generation),
                );
                gauge(
                    "hadron_lost_time",
                    "Whether the database looks restored and nobody has said so: agents get no work.",
                    u64::from(view.is_some_and(|view| view.stage == Stage::Unannounced)),
                );
                gauge(
                    "hadron_recovery_stacks_open",
                    "Stacks that are still to be compared with CloudFormation after a restore.",
                    view.map_or(0, RecoveryView::open),
                );
            }
        }
        Err(_) => gauge("hadron_database_up", "Whether the database answers.", 0),
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
