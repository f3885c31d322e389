//! Keeps the audit log checkable: rows without a hash are pinned, the end is signed, and what is signed leaves the database.
//!
//! One hub of several signs; all of them ship what was signed, each to its own file and standard output, so that a file that
//! cannot be written, and a hub that dies between signing and shipping, only delay it.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use hadron_domain::audit::Signed;
use tokio::sync::watch;

use crate::app::audit::{Due, Keeper};
use crate::app::{App, AppError};

/// How often it is looked whether a checkpoint is due, at least.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How much of the end of a file is read for its last line.
const TAIL: u64 = 64 * 1024;

/// Looks after the audit log until `shutdown` becomes true; signs what is there then.
pub async fn audit(app: App, keeper: Keeper, mut shutdown: watch::Receiver<bool>) {
    let mut shipped = Shipped::default();
    let mut ticks = tokio::time::interval(keeper.due.every.min(LOOK_EVERY));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => true,
            _ = ticks.tick() => false,
        };
        let due = if last {
            Due {
                rows: 1,
                ..keeper.due
            }
        } else {
            keeper.due
        };
        if let Err(error) = sign(&app, &keeper, due).await {
            tracing::warn!(
                error = error.story(),
                "The audit log could not be signed, and is looked at again"
            );
        }
        if let Err(error) = shipped.more(&app, &keeper).await {
            tracing::warn!(
                error,
                "Checkpoints of the audit log could not be shipped, which is tried again"
            );
        }
        if let Err(error) = app.offer_checkpoints().await {
            tracing::warn!(
                error = error.story(),
                "Checkpoints of the audit log could not be offered to the agent, which is tried again"
            );
        }
        if last {
            return;
        }
    }
}

async fn sign(app: &App, keeper: &Keeper, due: Due) -> Result<(), AppError> {
    let Some(alone) = app.db().alone("audit").await? else {
        // Another hub is at it.
        return Ok(());
    };
    let done = async {
        app.pin_audit().await?;
        app.checkpoint(&keeper.key, due).await
    }
    .await;
    alone.end().await;
    done.map(drop)
}

/// How far checkpoints have left the database.
#[derive(Default)]
struct Shipped {
    /// The generation and the row of the last one; `None` before the first look.
    last: Option<(u64, i64)>,
}

impl Shipped {
    async fn more(&mut self, app: &App, keeper: &Keeper) -> Result<(), String> {
        let told = |error: AppError| error.story();
        if self.last.is_none() {
            let written = keeper.file.as_deref().map(last_in).transpose();
            self.last = Some(
                written
                    .map_err(|error| in_file(keeper, &error))?
                    .flatten()
                    .unwrap_or((0, 0)),
            );
        }
        loop {
            let behind = self.last.unwrap_or_default();
            let more = app.checkpoints(behind).await.map_err(told)?;
            let Some(last) = more.last() else { return Ok(()) };
            let place = (last.checkpoint.generation, last.checkpoint.sequence);
            let mut lines = String::new();
            for signed in &more {
                lines.push_str(&line(signed));
            }
            if let Some(file) = &keeper.file {
                append(file, &lines).map_err(|error| in_file(keeper, &error))?;
            }
            if keeper.print {
                let printed = io::stdout().lock().write_all(lines.as_bytes());
                printed.map_err(|error| format!("standard output: {error}"))?;
            }
            self.last = Some(place);
        }
    }
}

fn in_file(keeper: &Keeper, error: &io::Error) -> String {
    let file = keeper.file.as_deref().unwrap_or_else(|| Path::new("-"));
    format!("{}: {error}", file.display())
}

fn line(signed: &Signed) -> String {
    let mut line = serde_json::to_string(signed).expect("texts and numbers have a JSON form");
    line.push('\n');
    line
}

/// The last checkpoint in the file; `None` when there is none, or no file.
fn last_in(file: &Path) -> io::Result<Option<(u64, i64)>> {
    use std::io::{Read as _, Seek as _};
    let mut file = match std::fs::File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let end = file.seek(io::SeekFrom::End(0))?;
    file.seek(io::SeekFrom::Start(end.saturating_sub(TAIL)))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Signed>(line).ok());
    Ok(lines
        .next()
        .map(|last| (last.checkpoint.generation, last.checkpoint.sequence)))
}

/// Appends, and answers when it is on the disk. A line that was cut off by a full disk or a dead hub gets an end first.
fn append(file: &Path, lines: &str) -> io::Result<()> {
    use std::io::{Read as _, Seek as _};
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut out = options
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(file)?;
    let mut text = String::new();
    if out.seek(io::SeekFrom::End(0))? > 0 {
        out.seek(io::SeekFrom::End(-1))?;
        let mut last = [0];
        out.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    text.push_str(lines);
    out.write_all(text.as_bytes())?;
    out.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_the_last_whole_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("checkpoints.jsonl");
        assert_eq!(last_in(&file).unwrap(), None);
        let signed = |generation, sequence| Signed {
            checkpoint: hadron_domain::audit::Checkpoint {
                hub: "hub-0123456789abcdef".to_owned(),
                generation,
                sequence,
                hash: "00".repeat(32),
                at: hadron_proto::vocab::Timestamp::from_micros(1),
            },
            key: "k".to_owned(),
            signature: "s".to_owned(),
        };
        append(&file, &line(&signed(0, 7))).unwrap();
        assert_eq!(last_in(&file).unwrap(), Some((0, 7)));
        // A hub died in the midst of a line.
        let whole = line(&signed(0, 9));
        append(&file, &whole[..20]).unwrap();
        assert_eq!(last_in(&file).unwrap(), Some((0, 7)));
        append(&file, &whole).unwrap();
        append(&file, &line(&signed(1, 3))).unwrap();
        assert_eq!(last_in(&file).unwrap(), Some((1, 3)));
        let text = std::fs::read_to_string(&file).unwrap();
        let whole = text
            .lines()
            .filter(|line| serde_json::from_str::<Signed>(line).is_ok());
        assert_eq!((text.lines().count(), whole.count()), (4, 3), "{text}");
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
