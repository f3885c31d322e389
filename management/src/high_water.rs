//! A mark beside the CA that tells how far the database had got: one that shows less was restored to an earlier state.
//!
//! The file is a lower bound, written every few seconds and at the end; losing it loses nothing but this check. Restoring
//! the whole data directory takes the mark back together with the database: then what agents show is all that is left to
//! notice it by (see [`app::recovery`](crate::app::recovery)), and the command has to be remembered.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use hadron_proto::spiffe::HubId;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::app::App;
use crate::store::recovery::HighWater;

/// The file's name.
pub const FILE: &str = "high-water.json";
/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(2);

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Whose database it was.
    pub hub: String,
    /// How far it had got, at least.
    #[serde(flatten)]
    pub seen: HighWater,
}

impl Mark {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// Reads the mark of this hub; `None` when there is none, or it is another hub's.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(data_dir: &Path, hub: &HubId) -> anyhow::Result<Option<Self>> {
        let path = Self::path(data_dir);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mark: Self = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged; it tells how far the database had got. If you are sure that the database was not restored to \
                 an earlier state, remove the file",
                path.display()
            )
        })?;
        Ok(Some(mark).filter(|mark| mark.hub == hub.to_string()))
    }

    /// Writes the whole mark or nothing, and on the disk when it returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(data_dir: &Path, hub: &HubId, seen: HighWater) -> anyhow::Result<()> {
        let path = Self::path(data_dir);
        let mark = Self {
            hub: hub.to_string(),
            seen,
        };
        let text = serde_json::to_vec(&mark).context("the high-water mark")?;
        let temporary = path.with_extension(format!("new-{}", std::process::id()));
        let written = fs::File::create(&temporary)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| fs::File::open(data_dir)?.sync_all());
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Compares the database with the mark. To be asked before anything is served.
///
/// # Errors
/// When the database is older than the mark.
pub async fn check(app: &App, data_dir: &Path, hub: &HubId) -> anyhow::Result<()> {
    let Some(mark) = Mark::read(data_dir, hub)? else {
        return Ok(());
    };
    let now = app
        .high_water()
        .await
        .map_err(|error| anyhow::anyhow!("{}", error.story()))?;
    if !now.is_behind(&mark.seen) {
        return Ok(());
    }
    bail!(
        "the database is older than what this hub has done: its audit log ends at line {} of generation {}, and by {} it had \
         reached line {} of generation {}. It was restored to an earlier state, and nobody has said so; agents may hold work and certificates \
         that it does not know\n  next: hadron-hub recover, with the same configuration; then start the hub again",
        now.audit,
        now.generation,
        Mark::path(data_dir).display(),
        mark.seen.audit,
        mark.seen.generation
    )
}

/// Keeps the mark current until `shutdown` is true, and notices a database that is put back while the hub runs.
pub async fn keep(app: App, data_dir: PathBuf, hub: HubId, mut shutdown: watch::Receiver<bool>) {
    let mut highest = HighWater::default();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => true,
            _ = ticks.tick() => false,
        };
        match app.high_water().await {
            Ok(now) if now.is_behind(&highest) => {
                let why = format!(
                    "the database went back from line {} of its audit log to line {} under the hub's feet",
                    highest.audit, now.audit
                );
                match app.time_was_lost(why).await {
                    // Once is enough, and the mark stays: it is what is true.
                    Ok(()) => highest = now,
                    Err(error) => tracing::error!(
                        error = error.story(),
                        "That time was lost could not be written down, and is tried again"
                    ),
                }
            }
            Ok(now) if now != highest => {
                let unannounced = Mark::read(&data_dir, &hub)
                    .ok()
                    .flatten()
                    .is_some_and(|mark| now.is_behind(&mark.seen));
                highest = now;
                if !unannounced && let Err(error) = Mark::write(&data_dir, &hub, now) {
                    tracing::warn!(error = format!("{error:#}"), "The high-water mark is not current");
                }
            }
            Ok(_) => {}
            // The next round tells.
            Err(error) => tracing::debug!(error = error.story(), "The database did not tell how far it is"),
        }
        if last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(text: &str) -> HubId {
        text.parse().unwrap()
    }

    #[test]
    fn a_mark_is_read_back_by_its_own_hub_only() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (hub("hub-0123456789abcdef"), hub("hub-fedcba9876543210"));
        assert_eq!(Mark::read(dir.path(), &own).unwrap(), None);
        let seen = HighWater {
            generation: 2,
            fence: 3,
            change: 40,
            audit: 5,
        };
        Mark::write(dir.path(), &own, seen).unwrap();
        assert_eq!(
            Mark::read(dir.path(), &own).unwrap().map(|mark| mark.seen),
            Some(seen)
        );
        assert_eq!(Mark::read(dir.path(), &other).unwrap(), None);
        fs::write(dir.path().join(FILE), "{").unwrap();
        let told = format!("{:#}", Mark::read(dir.path(), &own).unwrap_err());
        assert!(told.contains("is damaged"), "{told}");
    }

    #[test]
    fn any_number_that_went_back_tells() {
        let seen = HighWater {
            generation: 1,
            fence: 10,
            change: 10,
            audit: 10,
        };
        assert!(!seen.is_behind(&seen));
        for behind in [
            HighWater { fence: 9, ..seen },
            HighWater { change: 9, ..seen },
            HighWater { audit: 9, ..seen },
            HighWater {
                generation: 0,
                change: 99,
                ..seen
            },
        ] {
            assert!(behind.is_behind(&seen), "{behind:?}");
        }
        // A new generation may begin from anywhere.
        let next = HighWater {
            generation: 2,
            fence: 1,
            change: 1,
            audit: 1,
        };
        assert!(!next.is_behind(&seen));
    }
}
