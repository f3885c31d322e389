//! Tells others about changes of status: the webhook here, everybody else through the agent of the management account.

use std::time::Duration;

use hadron_proto::vocab::Timestamp;
use tokio::sync::watch;

use crate::app::events::{Claim, envelope};
use crate::app::{App, AppError};
use crate::store::Topic;
use crate::webhook::{TIMEOUT, Webhook};

/// How often it is looked for events although nobody woke us.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How many events are claimed at once.
const BATCH: u32 = 32;
/// How long events are kept from other hubs while they are told. Telling stops early enough for the last call to end.
const HOLD: Duration = Duration::from_secs(20);

/// Tells the webhook, until `shutdown` becomes true.
pub(super) async fn webhook(app: App, webhook: Webhook, mut shutdown: watch::Receiver<bool>) {
    let mut woken = app.db().subscribe(Topic::Changes);
    loop {
        let told = tell(&app, &webhook, &shutdown).await;
        let wait = told.unwrap_or_else(|error| {
            tracing::warn!(error = error.story(), "events could not be read");
            LOOK_EVERY
        });
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            () = woken.woken() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Tells everything that can be told; gives how long to wait for more. A hub that stops ends the call in hand and writes
/// down what was told, so that it is not told again.
async fn tell(app: &App, webhook: &Webhook, shutdown: &watch::Receiver<bool>) -> Result<Duration, AppError> {
    while !*shutdown.borrow() {
        let events = match app.claim_events(BATCH, HOLD).await? {
            Claim::Nothing => return Ok(LOOK_EVERY),
            Claim::NotBefore(at) => return Ok(until(at, app.db().now().await?)),
            Claim::Events(events) => events,
        };
        let begun = app.clock().now();
        let (mut told, mut failed) = (None, None);
        for event in events {
            let now = app.clock().now();
            if now.since(begun) + TIMEOUT >= HOLD || *shutdown.borrow() {
                break;
            }
            let (id, body) = (event.id.as_uuid().to_string(), envelope(app.settings(), &event));
            match webhook.tell(&id, now, body.to_string()).await {
                Ok(()) => told = Some(event.sequence),
                Err(error) => {
                    failed = Some(error.story());
                    break;
                }
            }
        }
        app.events_told(told, failed).await?;
    }
    Ok(LOOK_EVERY)
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    at.since(now).clamp(Duration::from_millis(20), LOOK_EVERY)
}

/// Offers events to the agent of the management account, until `shutdown` becomes true.
pub(super) async fn put_events(app: App, mut shutdown: watch::Receiver<bool>) {
    let mut woken = app.db().subscribe(Topic::Changes);
    loop {
        if let Err(error) = app.offer_events().await {
            tracing::warn!(error = error.story(), "events could not be offered");
        }
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            () = woken.woken() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
