//! Secrets at rest. What the hub has to be able to read again, such as the secrets of access keys, is stored encrypted
//! with a key that is not in the database: whoever gets a copy of the database alone has nothing of them.
//!
//! AES-256-GCM with a random nonce; the place of a value (table, column, row) and the key's version are authenticated
//! with it, so that a sealed value cannot be moved to another row. The key file holds one line for each version: the
//! newest seals, all of them open. From the key that is written down others are derived, one for each use.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hadron_proto::vocab::Digest;

use super::ca::{CaError, read_private, replace_private, write_private};
use super::{NoRandomness, random};
use crate::store::{Kek, KeyError, Wrapped};

/// The file with the sealing keys, in the data directory.
pub const SEAL_FILE: &str = "seal.key";

const HEAD: &str = "# The sealing keys of a Hadron hub: one 'version key' a line, the newest seals. Keep this file with ca.pem.\n";
const KEY: usize = 32;

/// The sealing keys cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A file could not be read or written, or others can read it.
    #[error(transparent)]
    File(#[from] CaError),
    /// There is no key file.
    #[error(
        "there is no {SEAL_FILE} in the data directory: a hub makes it at its first start (hadron-hub serve)"
    )]
    Missing,
    /// The file is not what the hub wrote.
    #[error("{SEAL_FILE} is damaged: {0}; restore it from a backup")]
    Damaged(&'static str),
    /// A value was sealed with a key that is not in the file.
    #[error(
        "a value is sealed with version {0} of the sealing key, which is not in {SEAL_FILE}: restore the file from a backup, or copy it from the other hubs"
    )]
    Version(u32),
    /// A value does not open: it was changed, moved, or sealed with another key.
    #[error("the sealed value of {0} does not open: it was changed, or {SEAL_FILE} is another hub's")]
    Broken(String),
    /// No randomness for a nonce or a key.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Where a sealed value stands; part of what is authenticated.
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
    fn authenticated(self, version: u32) -> Vec<u8> {
        let Self { table, column, row } = self;
        // No table and no column has a '|' in its name, so that no two places look the same.
        format!("{table}|{column}|{version}|{row}").into_bytes()
    }
}

/// A value as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
    /// The version of the key that sealed it.
    pub version: u32,
}

struct Key {
    version: u32,
    written: [u8; KEY],
    seals: LessSafeKey,
}

impl Key {
    fn new(version: u32, written: [u8; KEY]) -> Self {
        let seals = UnboundKey::new(&AES_256_GCM, &derive(&written, b"seal")).expect("the key has 256 bits");
        Self {
            version,
            written,
            seals: LessSafeKey::new(seals),
        }
    }
}

struct Length;
impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        KEY
    }
}

fn derive(key: &[u8; KEY], purpose: &[u8]) -> [u8; KEY] {
    let mut derived = [0; KEY];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"hadron")
        .extract(key)
        .expand(&[purpose], Length)
        .and_then(|okm| okm.fill(&mut derived))
        .expect("HKDF gives 32 bytes");
    derived
}

/// The sealing keys of a hub. Replicas share them, like the CA.
///
/// The file is read again when a value names a version that was not in it: `hadron-hub keys rotate` adds one beside a running
/// hub, and other hubs get the file by being copied to.
pub struct Seal {
    keys: RwLock<Arc<Vec<Key>>>,
    /// Where the file is; `None` where there is none to be read again.
    directory: Option<PathBuf>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<u32> = self.keys().iter().map(|key| key.version).collect();
        write!(f, "Seal({versions:?})")
    }
}

impl Seal {
    /// Loads the keys from the data directory, or makes the first one.
    ///
    /// # Errors
    /// When the file cannot be read or written, others can read it, or it is damaged.
    pub fn load_or_create(directory: &Path) -> Result<Self, SealError> {
        match Self::load(directory) {
            Err(SealError::Missing) => {
                let fresh = format!("{HEAD}1 {}\n", STANDARD.encode(random::<KEY>()?));
                write_private(&directory.join(SEAL_FILE), &fresh)?;
                // Another process may have been faster; what is on disk is the key.
                Self::load(directory)
            }
            other => other,
        }
    }

    /// Loads the keys from the data directory.
    ///
    /// # Errors
    /// As [`Seal::load_or_create`], and when there is no file.
    pub fn load(directory: &Path) -> Result<Self, SealError> {
        let text = read_private(&directory.join(SEAL_FILE))?.ok_or(SealError::Missing)?;
        Ok(Self {
            keys: RwLock::new(Arc::new(Self::parse(&text)?)),
            directory: Some(directory.to_owned()),
        })
    }

    /// Adds a version to the file in this directory and gives it. The file is there with it, or as it was.
    ///
    /// # Errors
    /// As [`Seal::load`], and when the file cannot be written.
    pub fn add_version(directory: &Path) -> Result<u32, SealError> {
        let path = directory.join(SEAL_FILE);
        let mut text = read_private(&path)?.ok_or(SealError::Missing)?;
        let version = Self::parse(&text)?.last().map_or(0, |key| key.version) + 1;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("{version} {}\n", STANDARD.encode(random::<KEY>()?)));
        replace_private(&path, &text)?;
        Ok(version)
    }

    fn keys(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys, read again if this version is not among them.
    fn with_version(&self, version: u32) -> Result<Arc<Vec<Key>>, SealError> {
        let known = self.keys();
        let has = |keys: &[Key]| keys.iter().any(|key| key.version == version);
        let Some(directory) = self.directory.as_ref().filter(|_| !has(&known)) else {
            return Ok(known);
        };
        let text = read_private(&directory.join(SEAL_FILE))?.ok_or(SealError::Missing)?;
        let read = Arc::new(Self::parse(&text)?);
        if has(&read) {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&read);
        }
        Ok(read)
    }

    fn parse(text: &str) -> Result<Vec<Key>, SealError> {
        let mut keys: Vec<Key> = Vec::new();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (version, key) = line
                .split_once(' ')
                .ok_or(SealError::Damaged("a line is not of the form 'version key'"))?;
            let version: u32 = version
                .parse()
                .map_err(|_| SealError::Damaged("a version is no number"))?;
            let key = STANDARD
                .decode(key.trim())
                .ok()
                .and_then(|key| key.try_into().ok());
            let key = key.ok_or(SealError::Damaged("a key is not 32 bytes in base64"))?;
            if keys.last().is_some_and(|last| last.version >= version) {
                return Err(SealError::Damaged("its versions do not ascend"));
            }
            keys.push(Key::new(version, key));
        }
        if keys.is_empty() {
            return Err(SealError::Damaged("it has no key"));
        }
        Ok(keys)
    }

    /// The newest version, which seals.
    #[must_use]
    pub fn newest_version(&self) -> u32 {
        newest(&self.keys()).version
    }

    /// Encrypts a value for its place.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Sealed, SealError> {
        let keys = self.keys();
        let key = newest(&keys);
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut text = plain.to_vec();
        key.seals
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.authenticated(key.version)),
                &mut text,
            )
            .map_err(|_| SealError::Broken(format!("{}.{}", place.table, place.column)))?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut text);
        Ok(Sealed {
            bytes,
            version: key.version,
        })
    }

    /// Decrypts the value of a place.
    ///
    /// # Errors
    /// When it was changed or moved, or its key is not in the file.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let broken = || SealError::Broken(format!("{}.{} of {}", place.table, place.column, place.row));
        let keys = self.with_version(sealed.version)?;
        let key = keys
            .iter()
            .find(|key| key.version == sealed.version)
            .ok_or(SealError::Version(sealed.version))?;
        let (nonce, text) = sealed.bytes.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| broken())?;
        let mut text = text.to_vec();
        let plain = key
            .seals
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.authenticated(key.version)),
                &mut text,
            )
            .map_err(|_| broken())?
            .len();
        text.truncate(plain);
        Ok(text)
    }

    /// A key for another use, from the newest key: what was made with it before a rotation does not count after it.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> [u8; KEY] {
        // "seal" itself is not to be had: uses cannot be confused.
        derive(&newest(&self.keys()).written, &[b"use:", purpose].concat())
    }

    /// Version and fingerprint of each key, to find out whether replicas have the same ones. Tells nothing of the keys.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<(u32, String)> {
        let print = |key: &Key| {
            (
                key.version,
                Digest::of(&derive(&key.written, b"fingerprint")).to_string(),
            )
        };
        self.keys().iter().map(print).collect()
    }
}

fn newest(keys: &[Key]) -> &Key {
    keys.last().expect("there is at least one key")
}

/// The scope is authenticated with the data key, so that none can be passed off as another account's.
fn data_key_place(row: &str) -> Place<'_> {
    Place {
        table: "data_key",
        column: "wrapped",
        row,
    }
}

impl Kek for Seal {
    fn wrap(&self, id: &str, scope: &str, key: &[u8; 32]) -> Result<Wrapped, KeyError> {
        let Sealed { bytes, version } = self.seal(data_key_place(&format!("{scope}/{id}")), key)?;
        Ok(Wrapped { bytes, version })
    }

    fn meet(&self, version: u32) {
        if version > self.newest_version()
            && let Err(error) = self.with_version(version)
        {
            tracing::warn!(
                version,
                error = &error as &dyn std::error::Error,
                "Others use a newer sealing key, and {SEAL_FILE} cannot be read"
            );
        }
    }

    fn unwrap(&self, id: &str, scope: &str, wrapped: &Wrapped) -> Result<[u8; 32], KeyError> {
        let sealed = Sealed {
            bytes: wrapped.bytes.clone(),
            version: wrapped.version,
        };
        let row = format!("{scope}/{id}");
        let key = self.open(data_key_place(&row), &sealed)?;
        let broken = |_| SealError::Broken(format!("data_key.wrapped of {row}"));
        Ok(key.try_into().map_err(broken)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place {
        table: "access_key",
        column: "secret",
        row: "HUBA1",
    };

    fn of(text: &str) -> Seal {
        Seal {
            keys: RwLock::new(Arc::new(Seal::parse(text).unwrap())),
            directory: None,
        }
    }

    #[test]
    fn a_version_is_added_beside_a_running_hub() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let running = Seal::load_or_create(dir.path()).unwrap();
        let before = running.seal(PLACE, b"x").unwrap();
        assert_eq!(Seal::add_version(dir.path()).unwrap(), 2);
        let mode = std::fs::metadata(dir.path().join(SEAL_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let rotated = Seal::load(dir.path()).unwrap();
        assert_eq!((running.newest_version(), rotated.newest_version()), (1, 2));
        let after = rotated.seal(PLACE, b"y").unwrap();
        assert_eq!(rotated.open(PLACE, &before).unwrap(), b"x");
        // It has not read the file yet, and does so when it meets the version.
        let other = Seal::load(dir.path()).unwrap();
        running.meet(1);
        assert_eq!(running.newest_version(), 1);
        running.meet(2);
        assert_eq!(running.newest_version(), other.newest_version());
        assert_eq!(running.open(PLACE, &after).unwrap(), b"y");
        assert_eq!(running.newest_version(), 2);
        assert!(matches!(
            running.open(PLACE, &Sealed { version: 3, ..after }),
            Err(SealError::Version(3))
        ));
    }

    #[test]
    fn data_keys_are_wrapped_for_their_scope() {
        let seal = of(&format!("1 {}", STANDARD.encode([7; 32])));
        let wrapped = seal.wrap("0123456789abcdef", "111111111111", &[9; 32]).unwrap();
        assert_eq!(
            seal.unwrap("0123456789abcdef", "111111111111", &wrapped).unwrap(),
            [9; 32]
        );
        assert!(seal.unwrap("0123456789abcdef", "222222222222", &wrapped).is_err());
        assert!(seal.unwrap("fedcba9876543210", "111111111111", &wrapped).is_err());
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Seal::load(dir.path()), Err(SealError::Missing)));
        let first = Seal::load_or_create(dir.path()).unwrap();
        let again = Seal::load_or_create(dir.path()).unwrap();
        assert_eq!(first.fingerprints(), again.fingerprints());
        assert_eq!(first.derive(b"page-token"), again.derive(b"page-token"));
        assert_ne!(first.derive(b"page-token"), first.derive(b"other"));
        let path = dir.path().join(SEAL_FILE);
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = Seal::load(dir.path()).unwrap_err().to_string();
        assert!(exposed.contains("chmod 600"), "{exposed}");
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let seal = of(&format!("1 {}", STANDARD.encode([7; 32])));
        let sealed = seal.seal(PLACE, b"secret").unwrap();
        assert_eq!(seal.open(PLACE, &sealed).unwrap(), b"secret");
        assert!(!sealed.bytes.windows(6).any(|part| part == b"secret"));
        assert_ne!(seal.seal(PLACE, b"secret").unwrap(), sealed, "nonces are random");
        let elsewhere = [
            Place {
                row: "HUBA2",
                ..PLACE
            },
            Place {
                column: "name",
                ..PLACE
            },
            Place {
                table: "token",
                ..PLACE
            },
        ];
        for place in elsewhere {
            assert!(matches!(seal.open(place, &sealed), Err(SealError::Broken(_))));
        }
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert!(seal.open(PLACE, &changed).is_err(), "byte {at}");
        }
        for short in [0, 5, NONCE_LEN] {
            let cut = Sealed {
                bytes: sealed.bytes[..short].to_vec(),
                version: 1,
            };
            assert!(seal.open(PLACE, &cut).is_err());
        }
    }

    #[test]
    fn old_keys_open_and_the_newest_seals() {
        let line = |version: u32, byte: u8| format!("{version} {}\n", STANDARD.encode([byte; 32]));
        let old = of(&line(1, 1));
        let sealed = old.seal(PLACE, b"x").unwrap();
        let rotated = of(&format!("{HEAD}{}{}", line(1, 1), line(2, 2)));
        assert_eq!(rotated.open(PLACE, &sealed).unwrap(), b"x");
        let resealed = rotated.seal(PLACE, b"x").unwrap();
        assert_eq!(resealed.version, 2);
        assert!(matches!(old.open(PLACE, &resealed), Err(SealError::Version(2))));
        // The version is authenticated too.
        let claimed = Sealed {
            version: 1,
            ..resealed
        };
        assert!(rotated.open(PLACE, &claimed).is_err());
        for damaged in [
            "",
            "1",
            "x AAAA",
            "1 AAAA",
            &format!("{}{}", line(2, 2), line(1, 1)),
        ] {
            assert!(
                matches!(Seal::parse(damaged), Err(SealError::Damaged(_))),
                "{damaged}"
            );
        }
    }
}
