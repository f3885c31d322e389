//! `hadron-hub keys ...`: the keys that secrets at rest are sealed with.

use std::sync::Arc;

use super::{open, told};
use crate::app::App;
use crate::app::access_keys::AccessKeys;
use crate::args::{KeysTask, Rotate};
use crate::config::Config;
use crate::identity::seal::{SEAL_FILE, Seal};
use crate::store::access_keys;
use crate::wiring;

/// Carries out one task.
///
/// # Errors
/// Says what did not work.
pub async fn run(task: KeysTask) -> anyhow::Result<()> {
    match task {
        KeysTask::List(source) => list(&source.load()?).await,
        KeysTask::Rotate(task) => rotate(task).await,
    }
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let (app, _) = open(config).await?;
    let seal = Seal::load(&config.data_dir)?;
    let data_keys = app.data_keys().await.map_err(told)?;
    let sealed = access_keys_by_version(&app).await?;
    println!("SEALING KEY  FINGERPRINT       WRAPS         SEALS");
    for (version, fingerprint) in seal.fingerprints() {
        let wraps = data_keys
            .iter()
            .filter(|key| key.wrapped.version == version)
            .count();
        let seals = sealed
            .iter()
            .find(|(of, _)| *of == version)
            .map_or(0, |(_, count)| *count);
        let short = fingerprint
            .trim_start_matches("sha256:")
            .get(..16)
            .unwrap_or_default();
        let unused = if wraps == 0 && seals == 0 {
            "  (unused)"
        } else {
            ""
        };
        let wraps = format!("{wraps} data keys");
        println!("{version:<11}  {short}  {wraps:<12}  {seals} access keys{unused}");
    }
    println!("\nDATA KEY          OF            SEALING KEY  MADE");
    for key in data_keys {
        let until = if key.current { "" } else { "  (seals nothing more)" };
        println!(
            "{:<16}  {:<12}  {:<11}  {}{until}",
            key.id, key.scope, key.wrapped.version, key.created_at
        );
    }
    let left = app.plain_left().await.map_err(told)?;
    if left.is_empty() {
        println!("\neverything is sealed");
    } else {
        println!("\nNOT SEALED YET");
        for (place, count) in left {
            println!("{place:<28}  {count}");
        }
        eprintln!("a running hub seals what is left by itself");
    }
    app.db().close().await;
    Ok(())
}

async fn access_keys_by_version(app: &App) -> anyhow::Result<Vec<(u32, u64)>> {
    let read = app.read("versions of sealed secrets", |tx| {
        Box::pin(async move { Ok(access_keys::versions(tx).await?) })
    });
    read.await.map_err(told)
}

async fn rotate(task: Rotate) -> anyhow::Result<()> {
    let config = task.source.load()?;
    let (app, _) = open(&config).await?;
    let newest = Seal::load(&config.data_dir)?.newest_version();
    let data_keys = app.data_keys().await.map_err(told)?;
    let behind = data_keys.iter().any(|key| key.wrapped.version != newest)
        || access_keys_by_version(&app)
            .await?
            .iter()
            .any(|(version, _)| *version != newest);
    let path = config.data_dir.join(SEAL_FILE);
    if behind {
        eprintln!(
            "version {newest} is the newest in {} and not used everywhere yet",
            path.display()
        );
    } else {
        let added = Seal::add_version(&config.data_dir)?;
        eprintln!("{} has version {added} now; keep a backup of it", path.display());
    }
    let seal = Arc::new(Seal::load(&config.data_dir)?);
    // Hubs that do not have it refuse to start, and say which file they need.
    wiring::check_seal(app.db(), &seal).await?;
    if task.only_add {
        eprintln!("next: copy it to all other hubs of this database, then: hadron-hub keys rotate");
    } else {
        let wrapped = app.rewrap(&seal).await.map_err(told)?;
        let keys = AccessKeys::new(app.clone(), Arc::clone(&seal)).map_err(told)?;
        let sealed = keys.reseal().await.map_err(told)?;
        let version = seal.newest_version();
        eprintln!(
            "{wrapped} data keys are wrapped and {sealed} access keys sealed with version {version} now"
        );
    }
    app.db().close().await;
    Ok(())
}
