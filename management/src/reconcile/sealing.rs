//! Seals what was written before there were keys, or by a hub of a release that has none; and notices that keys were rotated.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::app::sealing::Keeper;
use crate::app::{App, AppError};

/// How often it is looked for such values once all are sealed. Every look reads the whole database.
const LOOK_EVERY: Duration = Duration::from_secs(6 * 3600);
/// How often it is asked whether keys were rotated, and tried again what could not be done.
const ASK_EVERY: Duration = Duration::from_secs(15);

/// Seals, and follows rotations, until `shutdown` becomes true.
pub async fn sealing(app: App, keeper: Keeper, mut shutdown: watch::Receiver<bool>) {
    let mut sealed: Option<Instant> = None;
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = app.follow_rotation(&keeper.seal).await {
            tracing::warn!(
                error = error.story(),
                "It is not known whether keys were rotated, and is asked again"
            );
        }
        if sealed.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            continue;
        }
        let done = tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            done = round(&app) => done,
        };
        match done {
            Ok(count) => {
                if count > 0 {
                    tracing::info!(count, "Values of before there were keys are sealed");
                }
                sealed = Some(Instant::now());
            }
            Err(error) => tracing::warn!(
                error = error.story(),
                "Values could not be sealed, which is tried again"
            ),
        }
    }
}

async fn round(app: &App) -> Result<u64, AppError> {
    let Some(alone) = app.db().alone("sealing").await? else {
        // Another hub is at it.
        return Ok(0);
    };
    let done = app.seal_plain().await;
    alone.end().await;
    done
}
