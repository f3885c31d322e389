//! `hadron-hub audit ...`: looks at the audit log without changing anything.

mod export;
mod verify;

use anyhow::Context as _;
use hadron_domain::audit::Record;
use hadron_proto::spiffe::HubId;

use super::told;
use crate::app::App;
use crate::args::AuditTask;
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::audit_key::{AuditKey, PublicKey};
use crate::store::{audit, meta, migrate};
use crate::wiring;

/// The exit code for a log that was changed.
pub const EXIT: u8 = 3;

/// How many rows are read at once, each time in a snapshot of its own, so that nothing is held up however long it takes.
const PAGE: u32 = 2_000;

/// The audit log was changed.
#[derive(Debug, thiserror::Error)]
#[error("the audit log was changed: {0} findings")]
pub struct Changed(pub u64);

/// Carries out one task.
///
/// # Errors
/// Says what did not work; [`Changed`] when the log is not what was written.
pub async fn run(task: AuditTask) -> anyhow::Result<()> {
    match task {
        AuditTask::Verify(task) => verify::run(task).await,
        AuditTask::Export(task) => export::run(task).await,
        AuditTask::PublicKey(source) => {
            println!("{}", AuditKey::load(&source.load()?.data_dir)?.public());
            Ok(())
        }
    }
}

/// The database, to be read only, and the id of the hub that it belongs to.
async fn open(config: &Config) -> anyhow::Result<(App, HubId)> {
    let clock = Clock::system();
    let db = wiring::open_db_to_read(config, clock.clone()).await?;
    migrate::check(&db).await?;
    let hub = db
        .read("hub id", |tx| {
            Box::pin(async move { meta::seen(tx, meta::HUB_ID).await })
        })
        .await
        .context("cannot read the hub's id")?
        .context("no hub has worked on this database yet, so that there is no audit log")?;
    let hub: HubId = hub.parse().context("the database's hub id is none")?;
    Ok((App::new(db, clock, config.settings(&hub)), hub))
}

/// The keys that were given, or the one of the data directory, if there is one.
fn keys(config: &Config, given: Vec<PublicKey>) -> anyhow::Result<Vec<PublicKey>> {
    use crate::identity::audit_key::AuditKeyError;
    if !given.is_empty() {
        return Ok(given);
    }
    match AuditKey::load(&config.data_dir) {
        Ok(key) => Ok(vec![key.public()]),
        Err(AuditKeyError::Missing) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Rows with their hashes, and the last number that was given when they were read.
type Page = (Vec<(Record, Option<String>)>, i64);

async fn page(app: &App, behind: i64) -> anyhow::Result<Page> {
    let page = app.read("rows of the audit log", move |tx| {
        Box::pin(async move {
            let rows = audit::after(tx, behind, PAGE).await?;
            Ok((rows, audit::drawn(tx).await?))
        })
    });
    page.await.map_err(told)
}
