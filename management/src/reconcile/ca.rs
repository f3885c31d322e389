//! The roots of the CA: has each hub sign and trust as the database says, and replaces roots by time.

use std::time::Duration;

use hadron_domain::ca::Act;
use tokio::sync::watch;

use crate::app::ca::Keeper;
use crate::app::{App, AppError};

/// How often the database is asked: as long a hub may sign with a root that was replaced, or trust one that was retired.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// After how many questions it is looked whether anything is due. Years pass between two steps.
const DUE_EVERY: u32 = 100;

/// Follows and rotates until `shutdown` becomes true; `changed` is called after each change.
pub async fn ca(
    app: App,
    keeper: Keeper,
    changed: impl Fn() + Send + 'static,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = 0_u32;
    loop {
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        if asked.is_multiple_of(DUE_EVERY)
            && let Err(error) = rotate(&app).await
        {
            tracing::warn!(
                error = error.story(),
                "The CA's roots could not be looked after, which is tried again"
            );
        }
        asked = asked.wrapping_add(1);
        match keeper.follow(&app).await {
            Ok(true) => {
                tracing::info!(ca.pin = %keeper.ca.pin(), roots = keeper.ca.roots().len(), "The CA has other roots");
                changed();
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(
                error = error.story(),
                "It is not known whether the CA has other roots, and is asked again"
            ),
        }
    }
}

/// Does everything that is due; after years of rest that can be more than one step.
///
/// # Errors
/// When the database does not answer, or a root cannot be made.
pub async fn rotate(app: &App) -> Result<(), AppError> {
    while let Some((act, pin)) = app.rotate_ca_if_due().await? {
        match act {
            Act::Prepare => tracing::info!(ca.pin = %pin, "Made a successor of the CA's root"),
            Act::Activate => tracing::info!(ca.pin = %pin, "Another root of the CA signs from now on"),
            Act::Retire => tracing::info!(ca.pin = %pin, "The CA's old root is trusted no more"),
        }
    }
    Ok(())
}
