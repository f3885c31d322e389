//! Mistakes that the harness must find: each is switched on, and seeds are run until a promise is broken.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use hadron_management::clock::Clock;
use hadron_management::store::db::SqliteOptions;
use hadron_management::store::{Db, StoreError, migrate, params};
use hadron_proto::fault::{self, Bug};

use super::{Story, run};

/// One process has one set of mistakes: whoever switches one on has the process for itself.
static MISTAKES: RwLock<()> = RwLock::new(());

/// Nobody makes a mistake as long as this is held.
pub fn none() -> RwLockReadGuard<'static, ()> {
    MISTAKES.read().unwrap_or_else(PoisonError::into_inner)
}

/// How a mistake was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Which.
    pub bug: Bug,
    /// How many seeds it took, the one that found it included.
    pub seeds: u64,
    /// What was broken.
    pub violation: String,
}

fn arm(text: &str) -> Result<()> {
    fault::arm(text, None).map_err(|error| anyhow!(error))
}

/// Makes a mistake, and runs up to `most` seeds from `first` on until it is found.
///
/// # Errors
/// When it is not found.
pub fn find(bug: Bug, first: u64, most: u64) -> Result<Detection> {
    let _alone = MISTAKES.write().unwrap_or_else(PoisonError::into_inner);
    arm(&format!("bug={bug}"))?;
    let found = search(bug, first, most);
    arm("")?;
    found
}

/// As many seeds at once as there are processors; the first one that finds it counts.
fn search(bug: Bug, first: u64, most: u64) -> Result<Detection> {
    let width = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    for begin in (0..most).step_by(usize::try_from(width).unwrap_or(1)) {
        let seeds = begin..(begin + width).min(most);
        let stories: Vec<Result<Story>> = std::thread::scope(|scope| {
            let runs: Vec<_> = seeds
                .clone()
                .map(|n| scope.spawn(move || run((first + n).into())))
                .collect();
            runs.into_iter()
                .map(|run| run.join().map_err(|_| anyhow!("a simulation panicked"))?)
                .collect()
        });
        for (n, story) in seeds.zip(stories) {
            if let Some(violation) = story?.violations.first() {
                return Ok(Detection {
                    bug,
                    seeds: n + 1,
                    violation: violation.clone(),
                });
            }
        }
    }
    Err(anyhow!("{bug} was not found by {most} seeds"))
}

/// The SQLite of a hub, with the mistake of answering before the commit: how many of a hundred acknowledged writes nobody
/// sees who looks right then. Without the mistake it is none.
///
/// # Errors
/// When the database cannot be used, or a write is missing although the mistake is switched off.
pub async fn acknowledged_writes_that_nobody_sees() -> Result<u32> {
    let honest = unseen("").await?;
    if honest > 0 {
        return Err(anyhow!("{honest} acknowledged writes were not there"));
    }
    unseen(&format!("bug={}", Bug::AckBeforeCommit)).await
}

async fn unseen(mistake: &str) -> Result<u32> {
    let folder = tempfile::tempdir().context("a folder")?;
    let path = folder.path().join("hub.db");
    let db = Db::open_sqlite(&path, Clock::system(), SqliteOptions::default())
        .await
        .context("a database")?;
    migrate::run(&db).await.context("the schema")?;
    let other = rusqlite::Connection::open(&path).context("the same database once more")?;
    other.busy_timeout(Duration::from_secs(5))?;
    arm(mistake)?;
    let mut unseen = 0;
    for n in 0..100 {
        let key = format!("write-{n}");
        let written = key.clone();
        db.write("a write", move |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO meta (key, value) VALUES ($1, $2)";
                tx.execute(sql, &params![written, "new"]).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .context("a write")?;
        let sql = "SELECT count(*) FROM meta WHERE key = ?1";
        let there: i64 = other.query_row(sql, [&key], |row| row.get(0))?;
        unseen += u32::from(there == 0);
    }
    arm("")?;
    db.close().await;
    Ok(unseen)
}
