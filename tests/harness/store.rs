//! Reading the hub's store behind its back, whichever database it is.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use hadron_domain::authority::Sight;
use hadron_management::clock::Clock;
use hadron_management::identity::seal::Seal;
use hadron_management::store::db::{PostgresOptions, SqliteOptions};
use hadron_management::store::deployments::{self, DeploymentRow, EventRow, Filter};
use hadron_management::store::{Db, StoreError};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::World;
use crate::postgres::Postgres;

impl World {
    /// The hub's database with the hub's keys: what is secret in it is sealed. To be closed by whoever asked for it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn db(&self) -> Result<Db> {
        let seal = Seal::load(self.hub.folder()).context("the hub's sealing key")?;
        let opened = match &self.postgres {
            Some(postgres) => {
                let options = PostgresOptions {
                    connections: 2,
                    allow_forgetful: true,
                    ..PostgresOptions::default()
                };
                Db::open_postgres(&Postgres::url(postgres.address()), Clock::system(), options).await
            }
            None => {
                let path = self.hub.folder().join("hub.db");
                Db::open_sqlite(&path, Clock::system(), SqliteOptions::default()).await
            }
        };
        let db = opened.context("opening the hub's database")?;
        db.unlock(Arc::new(seal));
        Ok(db)
    }

    /// Every deployment, in the order of their ids, each with what happened during it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn deployments(&self) -> Result<Vec<(DeploymentRow, Vec<EventRow>)>> {
        let db = self.db().await?;
        let read: Result<Vec<_>, StoreError> = db
            .read("deployments", |tx| {
                Box::pin(async move {
                    let mut all = Vec::new();
                    let mut rows =
                        deployments::list(tx, &Filter::default(), &Sight::Everything, "", u32::MAX).await?;
                    rows.reverse();
                    for row in rows {
                        let events = deployments::events(tx, row.deployment.id, 0, u32::MAX).await?;
                        all.push((row, events));
                    }
                    Ok(all)
                })
            })
            .await;
        db.close().await;
        read.context("reading deployments")
    }

    /// Rows of a query in the SQL that both databases understand, every value as text.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        if let Some(postgres) = &self.postgres {
            return postgres.rows(sql).await;
        }
        let path = self.hub.folder().join("hub.db");
        let sql = sql.to_owned();
        tokio::task::spawn_blocking(move || {
            // Not read-only: after a kill, whoever opens the file first has to take up its log.
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(&path, flags).context("opening the hub's database")?;
            db.busy_timeout(std::time::Duration::from_secs(10))
                .context("the hub's database")?;
            let mut statement = db.prepare(&sql).with_context(|| sql.clone())?;
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                (0..columns)
                    .map(|at| {
                        Ok(match row.get_ref(at)? {
                            ValueRef::Null => None,
                            ValueRef::Integer(number) => Some(number.to_string()),
                            ValueRef::Real(number) => Some(number.to_string()),
                            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                                Some(String::from_utf8_lossy(bytes).into_owned())
                            }
                        })
                    })
                    .collect()
            });
            let rows = rows.context("reading the hub's database")?;
            rows.collect::<Result<_, _>>()
                .context("reading the hub's database")
        })
        .await
        .context("reading the hub's database")?
    }
}
