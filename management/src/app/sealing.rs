//! Secrets at rest: what was written before there were keys is sealed, and data keys are wrapped by newer keys.

use std::sync::Arc;

use super::{App, AppError};
use crate::identity::seal::Seal;
use crate::store::Kek as _;
use crate::store::sealing::{self, DataKeyRow};

/// What the hub does about secrets at rest by itself.
#[derive(Debug)]
pub struct Keeper {
    /// Its sealing keys.
    pub seal: Arc<Seal>,
}

/// How many values are read at once.
const PAGE: u32 = 500;

impl App {
    /// Seals what is not sealed yet; gives how many values those were. Each by itself, so that nobody waits for it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn seal_plain(&self) -> Result<u64, AppError> {
        let mut done = 0;
        loop {
            let some = self
                .read("values to seal", |tx| {
                    Box::pin(async move {
                        if sealing::is_on(tx) {
                            Ok(sealing::some_plain(tx, PAGE).await?)
                        } else {
                            Ok(Vec::new())
                        }
                    })
                })
                .await?;
            if some.is_empty() {
                return Ok(done);
            }
            for plain in some {
                self.write("seal a value", move |unit| {
                    Box::pin(async move { Ok(sealing::seal(unit.tx, &plain).await?) })
                })
                .await?;
                done += 1;
            }
        }
    }

    /// How many values are not sealed yet, by table and column; those with none are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn plain_left(&self) -> Result<Vec<(String, u64)>, AppError> {
        let counts = self
            .read("values that are not sealed", |tx| {
                Box::pin(async move { Ok(sealing::plain(tx).await?) })
            })
            .await?;
        Ok(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    /// All data keys.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn data_keys(&self) -> Result<Vec<DataKeyRow>, AppError> {
        self.read("data keys", |tx| {
            Box::pin(async move { Ok(sealing::data_keys(tx).await?) })
        })
        .await
    }

    /// Has the sealing keys be read again where somebody has rotated them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn follow_rotation(&self, seal: &Seal) -> Result<(), AppError> {
        let newest = self.read("newest sealing key", |tx| {
            Box::pin(async move { Ok(sealing::newest(tx).await?) })
        });
        if let Some(newest) = newest.await? {
            seal.meet(newest);
        }
        Ok(())
    }

    /// Wraps every data key with the newest version of the sealing key; gives how many were wrapped with another one. One by
    /// one: whoever dies in the midst of it begins again where it was.
    ///
    /// # Errors
    /// When a data key does not open, or the database does not answer.
    pub async fn rewrap(&self, seal: &Seal) -> Result<u64, AppError> {
        let (newest, mut done) = (seal.newest_version(), 0);
        for row in self.data_keys().await? {
            if row.wrapped.version == newest {
                continue;
            }
            let failed = |error: crate::store::KeyError| AppError::internal(error.to_string());
            let key = seal.unwrap(&row.id, &row.scope, &row.wrapped).map_err(failed)?;
            let wrapped = seal.wrap(&row.id, &row.scope, &key).map_err(failed)?;
            done += self
                .write("wrap a data key", move |unit| {
                    Box::pin(async move { Ok(sealing::rewrap(unit.tx, &row, &wrapped).await?) })
                })
                .await?;
        }
        Ok(done)
    }
}
