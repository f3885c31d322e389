//! What became of a transaction whose COMMIT was not answered.
//!
//! The server knows: every transaction that writes has a number, and `txid_status` tells for as long as anybody could want to
//! know whether it was committed. The answer can be trusted only by who knows that the server has not crashed in between:
//! after a crash, numbers that had not reached the disk are given out once more. A connection that was there before COMMIT
//! was sent and still answers proves that, since a crash ends them all; the one that listens for wake-ups is always there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

/// How long a transaction may be under way after its connection was lost: it may wait for a standby, or the server has not
/// noticed yet that nobody is there any more.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Undone,
    Unknown,
}

/// The connection that can be asked, and since when it is there.
#[derive(Default)]
pub(super) struct Witness(Mutex<Option<(Arc<Client>, Instant)>>);

impl Witness {
    pub(super) fn found(&self, client: &Arc<Client>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(client), Instant::now()));
    }

    pub(super) fn lost(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How the transaction with this number ended, whose COMMIT was sent at `asked`.
    pub(super) async fn fate(&self, id: i64, asked: Instant) -> Fate {
        let witness = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((client, _)) = witness.filter(|(_, since)| id > 0 && *since < asked) else {
            return Fate::Unknown;
        };
        let look = async {
            loop {
                let told = client.query_one("SELECT txid_status($1)", &[&id]).await;
                match told.and_then(|row| row.try_get::<_, Option<String>>(0)) {
                    Ok(Some(word)) if word == "committed" => return Fate::Committed,
                    Ok(Some(word)) if word == "aborted" => return Fate::Undone,
                    Ok(Some(_)) => tokio::time::sleep(LOOK_EVERY).await,
                    Ok(None) | Err(_) => return Fate::Unknown,
                }
            }
        };
        let fate = tokio::time::timeout(PATIENCE, look)
            .await
            .unwrap_or(Fate::Unknown);
        tracing::warn!(?fate, "COMMIT was not answered");
        fate
    }
}
