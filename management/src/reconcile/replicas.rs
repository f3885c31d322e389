//! This process among the hubs of its database.

use std::collections::BTreeMap;
use std::time::Duration;

use hadron_proto::vocab::EventId;
use tokio::sync::watch;

use crate::app::{App, AppError};
use crate::store::replicas::{self, ReplicaRow};

/// How often a hub says that it is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(3);
/// After this time without a word a hub is forgotten.
const SILENT: Duration = Duration::from_secs(30);

/// What a hub process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    /// The name of its machine.
    pub name: String,
    /// What it listens on, by the name of the listener.
    pub addresses: BTreeMap<String, String>,
}

/// Says that this process is alive until `shutdown` becomes true, and then that it is gone.
pub(super) async fn alive(app: App, replica: Replica, mut shutdown: watch::Receiver<bool>) {
    let id: EventId = app.clock().fresh_id();
    let id = id.as_uuid().to_string();
    let mut ticks = tokio::time::interval(ALIVE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut started = None;
    loop {
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {}
        }
        match say(&app, &id, &replica, started).await {
            Ok(at) => started = Some(at),
            Err(error) => tracing::warn!(error = error.story(), "this hub could not say that it is alive"),
        }
    }
    let gone = app.write("replica gone", move |unit| {
        Box::pin(async move { Ok(replicas::gone(unit.tx, &id).await?) })
    });
    if let Err(error) = gone.await {
        tracing::warn!(
            error = error.story(),
            "this hub could not say that it stops; it will be forgotten"
        );
    }
}

async fn say(
    app: &App,
    id: &str,
    replica: &Replica,
    started: Option<hadron_proto::vocab::Timestamp>,
) -> Result<hadron_proto::vocab::Timestamp, AppError> {
    let (id, replica) = (id.to_owned(), replica.clone());
    app.write("replica", move |unit| {
        Box::pin(async move {
            let row = ReplicaRow {
                id,
                name: replica.name,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                addresses: replica.addresses,
                started_at: started.unwrap_or(unit.now),
                last_seen: unit.now,
            };
            replicas::alive(unit.tx, &row).await?;
            replicas::forget(unit.tx, unit.now.minus(SILENT)).await?;
            Ok(row.started_at)
        })
    })
    .await
}
