//! Health and metrics: plain HTTP on loopback, for the machine's own supervisor and for Prometheus.

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::figures::Sources;
use crate::app::App;
use crate::meter;
use crate::store::meta;

#[derive(Clone)]
struct Parts {
    sources: Sources,
    drain: CancellationToken,
}

/// Serves until `end`, which comes after the drain: meanwhile the hub is alive, but not ready.
pub(super) async fn serve(
    listener: TcpListener,
    sources: Sources,
    drain: CancellationToken,
    end: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Parts { sources, drain });
    let served = axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned());
    served.await.context("the admin listener failed")
}

async fn readyz(State(parts): State<Parts>) -> (StatusCode, &'static str) {
    if parts.drain.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match answers(&parts.sources.app).await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(
                error = error.story(),
                "The hub is not ready: its database does not answer"
            );
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}

async fn answers(app: &App) -> Result<(), crate::app::AppError> {
    app.read("ready", |tx| {
        Box::pin(async move { Ok(meta::seen(tx, meta::HUB_ID).await.map(drop)?) })
    })
    .await
}

async fn metrics(State(parts): State<Parts>) -> impl IntoResponse {
    let text = meter::text(&parts.sources.families().await);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
