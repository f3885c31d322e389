//! What is secret is sealed on its way into the database, and opened on its way out. See [`keys`](super::super::keys).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Tx;
use crate::store::db::keys::{self, DataKey, Kek, Place, Wrapped};
use crate::store::db::{Row, Value, params};
use crate::store::error::{Because, StoreError};

impl Tx {
    /// Seals texts of one row for their columns, with the data key of this scope: an account, or [`HUB`]. Without keys, and
    /// where there is nothing to hide, they stay plain.
    pub(in crate::store) async fn seal<const N: usize>(
        &mut self,
        scope: &str,
        table: &'static str,
        row: &str,
        texts: [(&'static str, &str); N],
    ) -> Result<[Value; N], StoreError> {
        let mut sealed = texts.map(|(_, text)| Value::from(text));
        let hides = |text: &str| !["", "{}", "[]"].contains(&text);
        if self.keys.kek().is_none() || !texts.iter().any(|(_, text)| hides(text)) {
            return Ok(sealed);
        }
        let key = self.data_key(scope).await?;
        for (value, (column, text)) in sealed.iter_mut().zip(texts) {
            if hides(text) {
                *value = key.seal_text(Place { table, column, row }, text)?;
            }
        }
        Ok(sealed)
    }

    /// Seals bytes for their place, as [`seal`](Self::seal) does.
    pub(in crate::store) async fn seal_bytes(
        &mut self,
        scope: &str,
        place: Place<'_>,
        bytes: &[u8],
    ) -> Result<Value, StoreError> {
        if self.keys.kek().is_none() {
            return Ok(Value::from(bytes));
        }
        self.data_key(scope).await?.seal_bytes(place, bytes)
    }

    /// Whether this process has keys.
    pub(in crate::store) fn is_unlocked(&self) -> bool {
        self.keys.kek().is_some()
    }

    /// The data key of a scope, made if need be.
    async fn data_key(&mut self, scope: &str) -> Result<Arc<DataKey>, StoreError> {
        let kek = self
            .keys
            .kek()
            .ok_or_else(|| StoreError::misuse(self.label, "seals without keys"))?;
        if let Some(key) = self
            .fresh
            .get(scope)
            .cloned()
            .or_else(|| self.keys.current(scope))
        {
            return Ok(key);
        }
        // Seldom, so that nobody else's future carries it along.
        Box::pin(self.find_key(&*kek, scope)).await
    }

    async fn find_key(&mut self, kek: &dyn Kek, scope: &str) -> Result<Arc<DataKey>, StoreError> {
        const CURRENT: &str =
            "SELECT id, kek_version, wrapped FROM data_key WHERE scope = $1 AND current = 1";
        let mut found = self.ask(CURRENT, &params![scope]).await?;
        if found.is_empty() {
            let newest = self
                .ask("SELECT MAX(kek_version) AS newest FROM data_key", &[])
                .await?;
            if let Some(newest) = newest.first().map(|row| row.get("newest")).transpose()?.flatten() {
                kek.meet(newest);
            }
            let (key, bytes) = DataKey::fresh()?;
            let wrapped = kek.wrap(&key.id, scope, &bytes).map_err(|error| {
                StoreError::unavailable("wrapping a data key", Because(error.to_string()))
            })?;
            let now = self.now().await?;
            let sql = "INSERT INTO data_key (id, scope, current, kek_version, wrapped, created_at)
                       VALUES ($1, $2, 1, $3, $4, $5) ON CONFLICT DO NOTHING";
            let made = self
                .execute(sql, &params![&key.id, scope, wrapped.version, wrapped.bytes, now])
                .await?;
            if made == 1 {
                let key = Arc::new(key);
                self.keys.learn(Arc::clone(&key));
                self.fresh.insert(scope.to_owned(), Arc::clone(&key));
                return Ok(key);
            }
            // Another hub was faster, and has committed.
            found = self.ask(CURRENT, &params![scope]).await?;
        }
        let row = found
            .first()
            .ok_or_else(|| StoreError::misuse(self.label, "there is no data key, and none could be made"))?;
        let key = self.unwrapped(scope, row)?;
        self.keys.keep(self.epoch, scope, Arc::clone(&key));
        Ok(key)
    }

    fn unwrapped(&self, scope: &str, row: &Row) -> Result<Arc<DataKey>, StoreError> {
        let kek = self
            .keys
            .kek()
            .ok_or_else(|| StoreError::misuse(self.label, "opens without keys"))?;
        let id: String = row.get("id")?;
        let wrapped = Wrapped {
            bytes: row.get("wrapped")?,
            version: row.get("kek_version")?,
        };
        let bytes = kek
            .unwrap(&id, scope, &wrapped)
            .map_err(|error| row.corrupt("wrapped", Because(error.to_string())))?;
        Ok(Arc::new(DataKey::new(id, &bytes)))
    }

    /// Gives rows what opens their values: the keys that they are sealed with are asked for, where they are not known yet.
    pub(super) async fn unlock(&mut self, rows: &mut [Row]) -> Result<(), StoreError> {
        if self.keys.kek().is_none() {
            return Ok(());
        }
        let mut unknown = BTreeSet::new();
        for row in rows.iter_mut() {
            let ids = row.values().iter().filter_map(keys::key_of);
            unknown.extend(ids.filter(|id| !self.keys.is_known(id)).map(str::to_owned));
            row.unlock(&self.keys);
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Box::pin(self.learn(unknown)).await
    }

    /// Asks for data keys.
    async fn learn(&mut self, ids: BTreeSet<String>) -> Result<(), StoreError> {
        for id in ids {
            let sql = "SELECT id, scope, kek_version, wrapped FROM data_key WHERE id = $1";
            for row in self.ask(sql, &params![&id]).await? {
                let key = self.unwrapped(row.str("scope")?, &row)?;
                self.keys.learn(key);
            }
        }
        Ok(())
    }

    /// What was committed may not be there any more.
    pub(in crate::store::db) fn forget_keys(&self) {
        self.keys.forget();
    }
}
