//! The schema and its versions. How to write a migration: `management/migrations/README.md`.

use hadron_proto::vocab::Digest;

use super::db::{Db, Tx, params};
use super::error::StoreError;

/// One step of the schema, in both dialects.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its file's name without the ending, `0001_first`.
    pub name: &'static str,
    /// What SQLite runs.
    pub sqlite: &'static str,
    /// What PostgreSQL runs.
    pub postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

/// All steps, in order; the place in this list is the version.
pub const MIGRATIONS: &[Migration] = migrations![
    "0001_first",
    "0002_proton_api",
    "0003_replicas",
    "0004_audit_chain",
    "0005_data_keys",
    "0006_access",
    "0007_oidc",
    "0008_ca_roots",
    "0009_approvals",
    "0010_console",
    "0011_checkpoint_copies",
    "0012_figures",
];

/// The schema cannot be brought to this program's version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer hub has been here.
    #[error(
        "the database has schema version {found}, this hub knows versions up to {known}: start a newer hub, or restore \
         the backup made before the upgrade"
    )]
    Newer {
        /// The version in the database.
        found: u32,
        /// The newest version of this program.
        known: u32,
    },
    /// A step that was run is not the one that this program has.
    #[error(
        "migration {name} was run with other contents than this hub has; the schema cannot be trusted. Use the hub that \
         made this database, or restore a backup"
    )]
    Changed {
        /// The step.
        name: String,
    },
    /// The database lacks steps; only told by [`check`].
    #[error("the database has schema version {found}, this hub needs {needed}: run `hadron-hub migrate`")]
    Older {
        /// The version in the database.
        found: u32,
        /// The version of this program.
        needed: u32,
    },
    /// A step failed; nothing of it remains.
    #[error("migration {name} failed")]
    Failed {
        /// The step.
        name: &'static str,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The database does not answer.
    #[error("cannot read the version of the schema")]
    Store(#[from] StoreError),
}

/// Brings the schema to this program's version; answers which steps were run. Several hubs may do it at once.
///
/// # Errors
/// [`MigrateError`]; steps before the failing one remain.
pub async fn run(db: &Db) -> Result<Vec<&'static str>, MigrateError> {
    run_steps(db, MIGRATIONS).await
}

/// Whether the schema is this program's.
///
/// # Errors
/// [`MigrateError`] when it is not.
pub async fn check(db: &Db) -> Result<(), MigrateError> {
    let found = db
        .read("check schema", |tx| Box::pin(applied(tx, MIGRATIONS)))
        .await?;
    let needed = version(MIGRATIONS.len());
    if found < needed {
        Err(MigrateError::Older { found, needed })
    } else {
        Ok(())
    }
}

/// [`run`] with other steps than this program's.
///
/// # Errors
/// [`MigrateError`]; steps before the failing one remain.
pub async fn run_steps(db: &Db, steps: &'static [Migration]) -> Result<Vec<&'static str>, MigrateError> {
    let mut done = Vec::new();
    // Each step looks again which one is due, under a lock: another hub may have run it meanwhile.
    while let Some(name) = db.write("migrate", move |tx| Box::pin(step(tx, steps))).await? {
        tracing::info!(migration = name, "schema migrated");
        done.push(name);
    }
    Ok(done)
}

/// Runs the step that is due, in one transaction with the record of it.
async fn step(tx: &mut Tx, steps: &'static [Migration]) -> Result<Option<&'static str>, MigrateError> {
    tx.lock_schema().await?;
    let found = applied(tx, steps).await?;
    let Some(step) = steps.get(found as usize) else {
        return Ok(None);
    };
    if found == 0 {
        tx.script(if tx.is_sqlite() {
            SQLITE_VERSIONS
        } else {
            POSTGRES_VERSIONS
        })
        .await?;
    }
    let script = if tx.is_sqlite() {
        step.sqlite
    } else {
        step.postgres
    };
    tx.script(script).await.map_err(|source| MigrateError::Failed {
        name: step.name,
        source,
    })?;
    hadron_proto::fault::point("C63");
    let now = tx.now().await?;
    tx.execute(
        "INSERT INTO schema_version (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
        &params![found + 1, step.name, checksum(script), now],
    )
    .await?;
    Ok(Some(step.name))
}

/// How many of the steps the database has, after a look whether they are the same.
async fn applied(tx: &mut Tx, steps: &'static [Migration]) -> Result<u32, MigrateError> {
    if !tx.has_table("schema_version").await? {
        return Ok(0);
    }
    let rows = tx
        .query(
            "SELECT version, name, checksum FROM schema_version ORDER BY version",
            &[],
        )
        .await?;
    let known = version(steps.len());
    if let Some(last) = rows.last() {
        let found: u32 = last.get("version")?;
        if found > known {
            return Err(MigrateError::Newer { found, known });
        }
    }
    for (row, (at, step)) in rows.iter().zip(steps.iter().enumerate()) {
        let script = if tx.is_sqlite() {
            step.sqlite
        } else {
            step.postgres
        };
        let same = row.get::<u32>("version")? == version(at) + 1
            && row.str("name")? == step.name
            && row.get::<Digest>("checksum")? == checksum(script);
        if !same {
            return Err(MigrateError::Changed {
                name: row.get("name")?,
            });
        }
    }
    Ok(version(rows.len()))
}

fn version(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Of the text without carriage returns: a checkout on Windows is the same migration.
fn checksum(script: &str) -> Digest {
    Digest::of(script.replace('\r', "").as_bytes())
}

const SQLITE_VERSIONS: &str = "CREATE TABLE schema_version (
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL
) STRICT";
const POSTGRES_VERSIONS: &str = "CREATE TABLE schema_version (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT COLLATE \"C\" NOT NULL, checksum TEXT COLLATE \"C\" NOT NULL,
    applied_at BIGINT NOT NULL
)";

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
