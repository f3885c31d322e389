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

use crate::app::{App, AppError};
use crate::store::counts::{self, Counts};

#[derive(Clone)]
struct Parts {
    app: App,
    agents: watch::Receiver<usize>,
    drain: CancellationToken,
}

/// Serves until `end`, which comes after the drain: meanwhile the hub is alive, but not ready.
pub(super) async fn serve(
    listener: TcpListener,
    app: App,
    agents: watch::Receiver<usize>,
    drain: CancellationToken,
    end: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Parts { app, agents, drain });
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
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    };
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
        }
        Err(_) => gauge("hadron_database_up", "Whether the database answers.", 0),
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
