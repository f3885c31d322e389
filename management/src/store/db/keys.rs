//! Values that are sealed before they reach the database and opened after they have left it.
//!
//! Every account has a data key, and so has the hub for what belongs to no account. Data keys lie in the database, each wrapped
//! by a key that does not ([`Kek`]). A value is sealed with AES-256-GCM-SIV and a random nonce: the hub seals for years with
//! one key and on several machines, and should two nonces ever be the same, or a machine be put back to a snapshot and draw the
//! same ones again, then GCM-SIV gives away that two values were equal and nothing else, where GCM would give away its key.
//! Table, column, row and data key are authenticated with the value: it opens in its own place only.
//!
//! What is stored is `hadron-sealed-1:<data key>:<nonce, ciphertext, tag>`, in base64 where the column is text. A value
//! without that beginning is plain, from before there were keys, and is read as it is.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::value::Value;
use crate::store::error::StoreError;

/// What every sealed value begins with.
pub(in crate::store) const MARK: &str = "hadron-sealed-1:";
const KEY: usize = 32;
/// Digits of a data key's id.
const ID: usize = 16;

/// Whatever goes wrong with a key.
pub type KeyError = Box<dyn std::error::Error + Send + Sync>;

/// A data key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// Sealed.
    pub bytes: Vec<u8>,
    /// The version of the key that it is sealed with.
    pub version: u32,
}

/// What wraps data keys. It is not in the database.
pub trait Kek: Send + Sync {
    /// Wraps a data key with the newest version.
    ///
    /// # Errors
    /// When it cannot.
    fn wrap(&self, id: &str, scope: &str, key: &[u8; KEY]) -> Result<Wrapped, KeyError>;

    /// Somebody wraps with this version by now: so does this process from here on, if it can.
    fn meet(&self, version: u32);

    /// Opens a data key.
    ///
    /// # Errors
    /// When it was changed, is another's, or the version is not known.
    fn unwrap(&self, id: &str, scope: &str, wrapped: &Wrapped) -> Result<[u8; KEY], KeyError>;
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's key.
    pub row: &'a str,
}

impl Place<'_> {
    fn authenticated(self, id: &str) -> Vec<u8> {
        let Self { table, column, row } = self;
        // No table, no column and no id has a '|' in it, so that no two places look the same.
        format!("{table}|{column}|{id}|{row}").into_bytes()
    }
}

/// A sealed value does not open.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Unopened {
    #[error("it is sealed, and the hub's keys were not given: this program reads no sealed values")]
    Locked,
    #[error("it is sealed with data key {0}, which is not in table data_key")]
    Unknown(String),
    #[error("it does not open as that of row {0}: it was changed, or brought here from another place")]
    Broken(String),
    #[error("what was sealed is no text")]
    Text(#[source] std::string::FromUtf8Error),
}

/// A data key.
pub(in crate::store) struct DataKey {
    pub(in crate::store) id: String,
    key: LessSafeKey,
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|error| StoreError::unavailable("drawing random bytes", error))?;
    Ok(bytes)
}

impl DataKey {
    /// A new one, with the bytes that have to be wrapped.
    pub(in crate::store) fn fresh() -> Result<(Self, [u8; KEY]), StoreError> {
        let (id, bytes) = (random::<{ ID / 2 }>()?, random()?);
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((Self::new(id, &bytes), bytes))
    }

    pub(in crate::store) fn new(id: String, bytes: &[u8; KEY]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).expect("the key has 256 bits");
        Self {
            id,
            key: LessSafeKey::new(key),
        }
    }

    fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.authenticated(&self.id)),
                &mut text,
            )
            .map_err(|error| StoreError::unavailable("sealing a value", error))?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut text);
        Ok(bytes)
    }

    pub(super) fn seal_text(&self, place: Place<'_>, plain: &str) -> Result<Value, StoreError> {
        let sealed = STANDARD_NO_PAD.encode(self.seal(place, plain.as_bytes())?);
        Ok(Value::Text(format!("{MARK}{}:{sealed}", self.id)))
    }

    pub(super) fn seal_bytes(&self, place: Place<'_>, plain: &[u8]) -> Result<Value, StoreError> {
        let mut bytes = format!("{MARK}{}:", self.id).into_bytes();
        bytes.append(&mut self.seal(place, plain)?);
        Ok(Value::Bytes(bytes))
    }

    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let broken = || Unopened::Broken(place.row.to_owned());
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| broken())?;
        let mut text = text.to_vec();
        let plain = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.authenticated(&self.id)),
                &mut text,
            )
            .map_err(|_| broken())?
            .len();
        text.truncate(plain);
        Ok(text)
    }
}

/// The data key that a value is sealed with; `None` for plain ones.
pub(super) fn key_of(value: &Value) -> Option<&str> {
    let rest = match value {
        Value::Text(text) => text.as_bytes().strip_prefix(MARK.as_bytes())?,
        Value::Bytes(bytes) => bytes.strip_prefix(MARK.as_bytes())?,
        Value::Null | Value::I64(_) => return None,
    };
    str::from_utf8(rest.get(..ID)?).ok()
}

/// The keys that a process has seen of its database.
#[derive(Default)]
pub(super) struct Keyring {
    kek: OnceLock<Arc<dyn Kek>>,
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Grows when what is current has to be asked for anew.
    epoch: u64,
    /// Every data key by its id. An id is random and means the same key for ever.
    known: HashMap<String, Arc<DataKey>>,
    /// With which values are sealed, by scope. Only keys that were committed.
    current: HashMap<String, Arc<DataKey>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.kept().known.len())
    }
}

impl Keyring {
    fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) {
        change(&mut self.kept.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// From here on values are sealed. Only the first time counts.
    pub(super) fn unlock(&self, kek: Arc<dyn Kek>) {
        let _ = self.kek.set(kek);
    }

    pub(super) fn kek(&self) -> Option<Arc<dyn Kek>> {
        self.kek.get().cloned()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.kept().epoch
    }

    pub(super) fn current(&self, scope: &str) -> Option<Arc<DataKey>> {
        self.kept().current.get(scope).cloned()
    }

    pub(super) fn is_known(&self, id: &str) -> bool {
        self.kept().known.contains_key(id)
    }

    /// A data key that opens values.
    pub(super) fn learn(&self, key: Arc<DataKey>) {
        self.change(|kept| {
            kept.known.insert(key.id.clone(), key);
        });
    }

    /// A committed data key that seals values from now on, unless it was read before what is current had to be forgotten.
    pub(super) fn keep(&self, epoch: u64, scope: &str, key: Arc<DataKey>) {
        self.change(|kept| {
            if kept.epoch == epoch {
                kept.current.insert(scope.to_owned(), Arc::clone(&key));
            }
            kept.known.insert(key.id.clone(), key);
        });
    }

    /// What was committed may not be there any more: another server answers, or a COMMIT has failed. Values must never be
    /// sealed with a key that is lost.
    pub(super) fn forget(&self) {
        self.change(|kept| {
            kept.epoch += 1;
            kept.current.clear();
        });
    }

    fn opener(&self, id: &str) -> Result<Arc<DataKey>, Unopened> {
        if self.kek.get().is_none() {
            return Err(Unopened::Locked);
        }
        let key = self.kept().known.get(id).cloned();
        key.ok_or_else(|| Unopened::Unknown(id.to_owned()))
    }

    /// The text of a column that may be sealed; `None` for one that is not.
    pub(super) fn open_text(&self, place: Place<'_>, value: &str) -> Result<Option<String>, Unopened> {
        let Some(rest) = value.strip_prefix(MARK) else {
            return Ok(None);
        };
        let broken = || Unopened::Broken(place.row.to_owned());
        let (id, sealed) = rest.split_once(':').ok_or_else(broken)?;
        let sealed = STANDARD_NO_PAD.decode(sealed).map_err(|_| broken())?;
        let plain = self.opener(id)?.open(place, &sealed)?;
        String::from_utf8(plain).map(Some).map_err(Unopened::Text)
    }

    /// The bytes of a column that may be sealed; `None` for ones that are not.
    pub(super) fn open_bytes(&self, place: Place<'_>, value: &[u8]) -> Result<Option<Vec<u8>>, Unopened> {
        let Some(rest) = value.strip_prefix(MARK.as_bytes()) else {
            return Ok(None);
        };
        let broken = || Unopened::Broken(place.row.to_owned());
        let (id, sealed) = rest.split_at_checked(ID).ok_or_else(broken)?;
        let id = str::from_utf8(id).map_err(|_| broken())?;
        let sealed = sealed.strip_prefix(b":").ok_or_else(broken)?;
        self.opener(id)?.open(place, sealed).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Plain;

    impl Kek for Plain {
        fn wrap(&self, _: &str, _: &str, key: &[u8; KEY]) -> Result<Wrapped, KeyError> {
            Ok(Wrapped {
                bytes: key.to_vec(),
                version: 1,
            })
        }

        fn meet(&self, _: u32) {}

        fn unwrap(&self, _: &str, _: &str, wrapped: &Wrapped) -> Result<[u8; KEY], KeyError> {
            Ok(wrapped.bytes.as_slice().try_into()?)
        }
    }

    fn ring() -> (Keyring, Arc<DataKey>) {
        let (ring, key) = (Keyring::default(), Arc::new(DataKey::fresh().unwrap().0));
        ring.unlock(Arc::new(Plain));
        ring.learn(Arc::clone(&key));
        (ring, key)
    }

    const TABLES: [&str; 3] = ["target", "deployment", "t"];
    const COLUMNS: [&str; 3] = ["spec", "outputs", "s"];

    fn place<'a>(table: usize, column: usize, row: &'a str) -> Place<'a> {
        Place {
            table: TABLES[table],
            column: COLUMNS[column],
            row,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// P13: what is sealed comes back in its own place, and in no other.
        #[test]
        fn sealed_values_come_back_in_their_place_only(
            (table, column, row) in (0..3_usize, 0..3_usize, "[a-z|/0-9]{0,12}"),
            (other_table, other_column, other_row) in (0..3_usize, 0..3_usize, "[a-z|/0-9]{0,12}"),
            text in ".{0,200}",
        ) {
            let (ring, key) = ring();
            let (own, other) = (place(table, column, &row), place(other_table, other_column, &other_row));
            let Value::Text(sealed) = key.seal_text(own, &text).unwrap() else { unreachable!("text is sealed as text") };
            prop_assert!(text.len() < 4 || !sealed.contains(&text));
            prop_assert_eq!(ring.open_text(own, &sealed).unwrap(), Some(text.clone()));
            let Value::Bytes(bytes) = key.seal_bytes(own, text.as_bytes()).unwrap() else { unreachable!("bytes as bytes") };
            prop_assert_eq!(ring.open_bytes(own, &bytes).unwrap(), Some(text.into_bytes()));
            if (table, column, &row) != (other_table, other_column, &other_row) {
                prop_assert!(matches!(ring.open_text(other, &sealed), Err(Unopened::Broken(_))));
                prop_assert!(matches!(ring.open_bytes(other, &bytes), Err(Unopened::Broken(_))));
            }
        }

        /// Whatever byte of it is another one, it does not open.
        #[test]
        fn changed_values_do_not_open(text in ".{0,40}", at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let (ring, key) = ring();
            let own = place(0, 0, "tgt_1");
            let Value::Bytes(mut bytes) = key.seal_bytes(own, text.as_bytes()).unwrap() else { unreachable!("bytes as bytes") };
            let from = MARK.len();
            let at = from + at.index(bytes.len() - from);
            bytes[at] ^= 1 << bit;
            prop_assert!(ring.open_bytes(own, &bytes).is_err());
        }
    }

    #[test]
    fn plain_values_are_read_as_they_are_and_keys_tell_themselves() {
        let (ring, key) = ring();
        let own = place(0, 0, "tgt_1");
        assert_eq!(ring.open_text(own, "proton: EnvironmentSpec").unwrap(), None);
        assert_eq!(ring.open_bytes(own, b"{}").unwrap(), None);
        let sealed = key.seal_text(own, "x").unwrap();
        assert_eq!(key_of(&sealed), Some(key.id.as_str()));
        assert_eq!(key_of(&key.seal_bytes(own, b"x").unwrap()), Some(key.id.as_str()));
        assert_eq!(key_of(&Value::Text("hadron-sealed-1:".to_owned())), None);
        assert_ne!(key.seal_text(own, "x").unwrap(), sealed, "nonces are random");
        let Value::Text(sealed) = sealed else {
            panic!("text is sealed as text")
        };
        // Somebody else's key, and a process without keys.
        let other = Keyring::default();
        assert!(matches!(other.open_text(own, &sealed), Err(Unopened::Locked)));
        other.unlock(Arc::new(Plain));
        assert!(matches!(other.open_text(own, &sealed), Err(Unopened::Unknown(id)) if id == key.id));
    }

    #[test]
    fn what_may_be_lost_seals_nothing_more() {
        let (ring, key) = ring();
        let epoch = ring.epoch();
        ring.keep(epoch, "hub", Arc::clone(&key));
        assert!(ring.current("hub").is_some());
        ring.forget();
        assert!(ring.current("hub").is_none());
        // Whoever read it before does not bring it back; but what it has sealed is still opened.
        ring.keep(epoch, "hub", Arc::clone(&key));
        assert!(ring.current("hub").is_none());
        assert!(ring.is_known(&key.id));
    }
}
