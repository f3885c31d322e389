//! Reading the hub's store behind its back, whichever database it is.

use anyhow::{Context as _, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::World;

impl World {
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
