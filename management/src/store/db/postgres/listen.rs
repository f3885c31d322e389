//! Wake-ups between replicas: one connection that listens, and tells.
//!
//! NOTIFY inside a transaction makes PostgreSQL commit all such transactions one after another. So the wake-ups of many
//! transactions are collected and sent after their commit, one message at a time. What is lost when a hub dies in
//! between is found by polling.

use std::sync::Arc;
use std::time::Duration;

use super::connect::Connector;
use super::error::translate;
use super::witness::Witness;
use crate::store::db::wake::Wakes;
use crate::store::error::{Because, StoreError};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// Listens for ever; connects again when the connection is lost.
pub(super) async fn run(connector: Arc<Connector>, wakes: Arc<Wakes>, witness: Arc<Witness>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut heard_any = false;
        let outcome = listen(&connector, &wakes, &witness, &mut heard_any).await;
        witness.lost();
        if let Err(error) = outcome {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "wake-ups from other hubs are interrupted"
            );
        }
        pause = if heard_any {
            FIRST_PAUSE
        } else {
            (pause * 2).min(LAST_PAUSE)
        };
        tokio::time::sleep(pause).await;
    }
}

async fn listen(
    connector: &Connector,
    wakes: &Wakes,
    witness: &Witness,
    listening: &mut bool,
) -> Result<(), StoreError> {
    let (client, mut notifications) = connector.connect().await?;
    let client = Arc::new(client);
    witness.found(&client);
    let failed = |error| translate("listen", error);
    client.batch_execute("LISTEN hadron").await.map_err(failed)?;
    let own: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .map_err(failed)?
        .get(0);
    let tell = client
        .prepare("SELECT pg_notify('hadron', $1)")
        .await
        .map_err(failed)?;
    // Something may have happened while nobody listened.
    *listening = true;
    wakes.wake_all();
    loop {
        tokio::select! {
            heard = notifications.recv() => match heard {
                Some(heard) if heard.process_id() == own => {}
                Some(heard) => wakes.heard(heard.payload()),
                None => {
                    let why = Arc::new(Because("the connection was closed".to_owned()));
                    return Err(StoreError::Unavailable { doing: "listening", source: Some(why) });
                }
            },
            () = wakes.bell.notified() => {
                if let Some(message) = wakes.message() {
                    client.execute(&tell, &[&message]).await.map_err(failed)?;
                }
            }
        }
    }
}
