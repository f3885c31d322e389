//! Waiting for a state instead of a time.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

/// Asks `look` again and again until it gives something; fails after `patience`, telling what was waited for.
///
/// # Errors
/// When the state does not come in time, or `look` fails for good.
pub async fn until<T, F, L>(what: &str, patience: Duration, mut look: L) -> Result<T>
where
    L: FnMut() -> F,
    F: Future<Output = Result<Option<T>>>,
{
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("waited {} s in vain for: {what}", patience.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
