//! What administrators of the machine do beside a running hub: on its database and its data directory, without a
//! network. Data goes to standard output, talk to standard error.

pub mod audit;
pub mod ca;
pub mod keys;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use hadron_domain::authority::Role;
use hadron_proto::vocab::Timestamp;

use crate::app::App;
use crate::app::access_keys::AccessKeys;
use crate::app::enrolment::Records;
use crate::app::recovery::Recovery;
use crate::args::{
    AccessKeyTask, Admin, Backup, CaPin, KeyForm, NewAccessKey, NewToken, OldAccessKey, OldToken, Recover,
    TokenTask,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::audit_key::AUDIT_FILE;
use crate::identity::ca::{CA_CERTIFICATE_FILE, CA_FILE, Ca};
use crate::identity::login::TokenIssuer;
use crate::identity::seal::{SEAL_FILE, Seal};
use crate::store::migrate;
use crate::{high_water, wiring};

/// Carries out one task.
///
/// # Errors
/// Says what did not work.
pub async fn run(task: Admin) -> anyhow::Result<()> {
    match task {
        Admin::Token(TokenTask::Create(new)) => create(new).await,
        Admin::Token(TokenTask::List(source)) => {
            let (app, _) = open(&source.load()?).await?;
            print!("{}", table(&app).await?);
            Ok(())
        }
        Admin::Token(TokenTask::Disable(old)) => disable(old).await,
        Admin::AccessKey(AccessKeyTask::Create(new)) => create_key(new).await,
        Admin::AccessKey(AccessKeyTask::List(source)) => list_keys(&source.load()?).await,
        Admin::AccessKey(AccessKeyTask::Disable(old)) => disable_key(old).await,
        Admin::CaPin(pin) => ca_pin(pin),
        Admin::Backup(task) => backup(task).await,
        Admin::TrustAgentRole(source) => {
            let (app, _) = open(&source.load()?).await?;
            let role = app.trust_management_role().await.map_err(told)?;
            eprintln!(
                "the next agent of the management account that enrols as {role} decides which role that is"
            );
            Ok(())
        }
    }
}

/// Copies the SQLite database.
///
/// # Errors
/// When the file exists already, or cannot be written, or the database is none of SQLite's.
pub async fn backup(backup: Backup) -> anyhow::Result<()> {
    let config = backup.source.load()?;
    let db = wiring::open_db(&config, Clock::system()).await?;
    if backup.file.exists() {
        bail!(
            "{} exists already: name a file that does not",
            backup.file.display()
        );
    }
    db.backup(&backup.file)
        .await
        .context("the database could not be copied")?;
    eprintln!(
        "{} is a copy of the database; keep {}, {} and {} with it",
        backup.file.display(),
        config.data_dir.join(CA_FILE).display(),
        config.data_dir.join(SEAL_FILE).display(),
        config.data_dir.join(AUDIT_FILE).display()
    );
    Ok(())
}

/// Announces that the database was restored, or gives up comparing an account's stacks.
///
/// # Errors
/// When the database does not take it, or belongs to another hub.
pub async fn recover(recover: Recover) -> anyhow::Result<()> {
    let config = recover.source.load()?;
    let ca = stored_ca(&config.data_dir)?;
    let clock = Clock::system();
    let db = wiring::open_db(&config, clock.clone()).await?;
    // The backup may be of an earlier version.
    migrate::run(&db).await?;
    wiring::check_hub_id(&db, &ca).await?;
    db.unlock(Arc::new(Seal::load(&config.data_dir)?));
    let app = App::new(db, clock, config.settings(ca.hub_id()));
    if let Some(account) = recover.skip {
        let skipped = app.skip_inspections(account).await.map_err(told)?;
        eprintln!("{skipped} stacks of account {account} are not compared; its agents get work again");
    } else {
        let mark = high_water::Mark::read(&config.data_dir, ca.hub_id())?;
        let seen = mark.as_ref().map(|mark| mark.seen);
        print_recovery(app.recover(seen, recover.again).await.map_err(told)?);
        // What the lost time had reached is not to be compared with any more.
        let now = app.high_water().await.map_err(told)?;
        high_water::Mark::write(&config.data_dir, ca.hub_id(), now)?;
    }
    app.db().close().await;
    Ok(())
}

fn print_recovery(recovery: Recovery) {
    match recovery {
        Recovery::Begun(done) => {
            eprintln!(
                "the database was restored {} times; from here on:",
                done.generation
            );
            eprintln!(
                "  {} connections: their agents enrol again by themselves",
                done.connections
            );
            eprintln!(
                "  {} sessions and {} leases of before are void",
                done.sessions, done.leases
            );
            eprintln!(
                "  {} logins and {} open challenges have ended",
                done.logins, done.challenges
            );
            eprintln!(
                "  {} stacks are compared with CloudFormation before anything else is done in their accounts",
                done.stacks
            );
            if done.unreachable > 0 {
                eprintln!(
                    "  {} stacks are not: their connections are not connected",
                    done.unreachable
                );
            }
            eprintln!(
                "What was decided since the backup is undone: look at `hadron connection list`, and at tokens and access keys \
                 that were switched off since (hadron-hub admin token list, hadron-hub admin access-key list).\n\
                 next: hadron-hub serve; then `hadron summary` tells how far the comparison has got"
            );
        }
        Recovery::UnderWay(view) => {
            eprintln!(
                "nothing to do: the database was restored {} times, and that is known; {} of {} stacks are compared",
                view.generation, view.compared, view.stacks
            );
            for line in view.waiting {
                eprintln!("  waiting for {line}");
            }
            eprintln!("if it was restored once more since then: hadron-hub recover --again");
        }
    }
}

/// The public text of an error with the way to go on; the cause goes with it, since this is the machine's own person.
fn told(error: crate::app::AppError) -> anyhow::Error {
    let help = error
        .help
        .as_ref()
        .map(|help| format!("\n  next: {help}"))
        .unwrap_or_default();
    anyhow::anyhow!("{}{help}", error.story())
}

/// The use cases over the hub's database, which must have this version's schema.
async fn open(config: &Config) -> anyhow::Result<(App, Records)> {
    let clock = Clock::system();
    let db = wiring::open_db(config, clock.clone()).await?;
    migrate::check(&db).await?;
    let hub = stored_ca(&config.data_dir)?.hub_id().clone();
    let app = App::new(db, clock, config.settings(&hub));
    let records = Records::new(app.clone());
    Ok((app, records))
}

fn stored_ca(data_dir: &Path) -> anyhow::Result<Ca> {
    let path = data_dir.join(CA_FILE);
    let missing = || {
        format!(
            "cannot read {}: a hub makes it at its first start (hadron-hub serve)",
            path.display()
        )
    };
    let pem = std::fs::read_to_string(&path).with_context(missing)?;
    Ok(Ca::from_pem(&pem)?)
}

async fn create(new: NewToken) -> anyhow::Result<()> {
    let (app, records) = open(&new.source.load()?).await?;
    let taken = app.minted_tokens().await.map_err(told)?;
    if taken
        .iter()
        .any(|token| token.name == new.name && !token.disabled)
    {
        bail!(
            "there is a token '{}' already\n  next: hadron-hub admin token disable {}, or use another name",
            new.name,
            new.name
        );
    }
    let issuer = TokenIssuer::new(records, app.clock().clone());
    let (token, row) = issuer
        .mint(&new.name, new.role.0.map_or("", Role::word), new.expires)
        .await?;
    match row.expires_at {
        Some(end) => eprintln!(
            "{} ({}), good until {end}; it is shown only now",
            row.principal,
            role_word(new.role.0)
        ),
        None => eprintln!(
            "{} ({}), good until it is disabled; it is shown only now",
            row.principal,
            role_word(new.role.0)
        ),
    }
    println!("{}", token.reveal());
    app.db().close().await;
    Ok(())
}

async fn disable(old: OldToken) -> anyhow::Result<()> {
    let (app, _) = open(&old.source.load()?).await?;
    let count = app.disable_tokens(old.name.clone()).await.map_err(told)?;
    if count == 0 {
        bail!(
            "there is no token '{}'\n  next: hadron-hub admin token list",
            old.name
        );
    }
    eprintln!("token '{}' is switched off", old.name);
    app.db().close().await;
    Ok(())
}

/// The access keys of the hub's database, which the hub must have started once.
async fn keys(config: &Config) -> anyhow::Result<(App, AccessKeys)> {
    let (app, _) = open(config).await?;
    let seal = Arc::new(Seal::load(&config.data_dir)?);
    wiring::check_seal(app.db(), &seal).await?;
    let keys = AccessKeys::new(app.clone(), seal).map_err(told)?;
    Ok((app, keys))
}

async fn create_key(new: NewAccessKey) -> anyhow::Result<()> {
    let (app, keys) = keys(&new.source.load()?).await?;
    let made = keys
        .mint(&new.name, new.role.0, new.expires)
        .await
        .map_err(told)?;
    let row = &made.row;
    let end = row
        .expires_at
        .map_or_else(|| "it is disabled".to_owned(), |end| end.to_string());
    eprintln!(
        "{} ({}), good until {end}; its secret is shown only now",
        row.principal,
        role_word(row.role)
    );
    match new.output {
        KeyForm::Env => print!(
            "export AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\n",
            row.id, made.secret
        ),
        KeyForm::Json => {
            let mut json = serde_json::json!({
                "Version": 1,
                "AccessKeyId": row.id,
                "SecretAccessKey": made.secret,
            });
            if let Some(end) = row.expires_at {
                json["Expiration"] = end.to_string().into();
            }
            println!("{json}");
        }
    }
    app.db().close().await;
    Ok(())
}

async fn list_keys(config: &Config) -> anyhow::Result<()> {
    let (app, keys) = keys(config).await?;
    let now = app.db().now().await?;
    let mut lines =
        vec![["NAME", "ID", "ROLE", "CREATED", "EXPIRES", "LAST USED", "STATE"].map(str::to_owned)];
    for key in keys.minted().await.map_err(told)? {
        lines.push([
            key.name,
            key.id,
            role_word(key.role).to_owned(),
            key.created_at.to_string(),
            or_never(key.expires_at),
            or_never(key.last_used_at),
            state(key.disabled, key.expires_at, now).to_owned(),
        ]);
    }
    app.db().close().await;
    print!("{}", aligned(&lines));
    Ok(())
}

async fn disable_key(old: OldAccessKey) -> anyhow::Result<()> {
    let (app, keys) = keys(&old.source.load()?).await?;
    let ids = keys.disable(old.name.clone()).await.map_err(told)?;
    if ids.is_empty() {
        bail!(
            "there is no access key '{}' that is switched on\n  next: hadron-hub admin access-key list",
            old.name
        );
    }
    eprintln!("switched off: {}", ids.join(", "));
    app.db().close().await;
    Ok(())
}

/// A role as people are told it.
fn role_word(role: Option<Role>) -> &'static str {
    role.map_or("none", Role::word)
}

fn or_never(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.to_string())
}

fn state(disabled: bool, end: Option<Timestamp>, now: Timestamp) -> &'static str {
    if disabled {
        "disabled"
    } else if end.is_some_and(|end| end <= now) {
        "expired"
    } else {
        "good"
    }
}

async fn table(app: &App) -> anyhow::Result<String> {
    let now = app.db().now().await?;
    let mut lines = vec![["NAME", "ROLE", "CREATED", "EXPIRES", "STATE"].map(str::to_owned)];
    for token in app.minted_tokens().await.map_err(told)? {
        lines.push([
            token.name,
            role_word(token.role).to_owned(),
            token.created_at.to_string(),
            or_never(token.expires_at),
            state(token.disabled, token.expires_at, now).to_owned(),
        ]);
    }
    app.db().close().await;
    Ok(aligned(&lines))
}

/// Columns as wide as their widest cell.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.len());
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn ca_pin(task: CaPin) -> anyhow::Result<()> {
    let config = task.source.load()?;
    let ca = stored_ca(&config.data_dir)?;
    let out = task
        .out
        .unwrap_or_else(|| config.data_dir.join(CA_CERTIFICATE_FILE));
    std::fs::write(&out, ca.roots_pem()).with_context(|| format!("cannot write {}", out.display()))?;
    eprintln!("the certificate of {} is in {}", ca.hub_id(), out.display());
    println!("{}", ca.pin());
    Ok(())
}
