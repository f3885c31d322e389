//! The key that signs checkpoints of the audit log. Whoever can write the database cannot sign; whoever keeps the public half
//! elsewhere need not trust the hub's machine for it either.

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hadron_domain::audit::{Checkpoint, Signed};
use hadron_proto::vocab::Digest;

use super::ca::{CaError, read_private, write_private};
use super::{NoRandomness, random};

/// The file with the key, in the data directory.
pub const AUDIT_FILE: &str = "audit.key";

const HEAD: &str = "# Signs checkpoints of a Hadron hub's audit log (Ed25519). Keep this file with ca.pem; several hubs of one database \
                    share it.\n";
const PREFIX: &str = "ed25519:";

/// The key cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum AuditKeyError {
    /// A file could not be read or written, or others can read it.
    #[error(transparent)]
    File(#[from] CaError),
    /// There is no key file.
    #[error(
        "there is no {AUDIT_FILE} in the data directory: a hub makes it at its first start (hadron-hub serve)"
    )]
    Missing,
    /// The file is not what the hub wrote.
    #[error(
        "{AUDIT_FILE} is damaged: its key is not 32 bytes in base64; restore it from a backup, or remove it for a new one to be made"
    )]
    Damaged,
    /// A public key is none.
    #[error(
        "'{0}' is no public key of an audit log: give what `hadron-hub audit public-key` prints, ed25519: and 32 bytes in base64"
    )]
    Public(String),
    /// No randomness for a key.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// The key of a hub.
pub struct AuditKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey({})", self.public)
    }
}

impl AuditKey {
    /// Loads the key from the data directory, or makes it.
    ///
    /// # Errors
    /// When the file cannot be read or written, others can read it, or it is damaged.
    pub fn load_or_create(directory: &Path) -> Result<Self, AuditKeyError> {
        match Self::load(directory) {
            Err(AuditKeyError::Missing) => {
                let fresh = format!("{HEAD}{}\n", STANDARD.encode(random::<32>()?));
                write_private(&directory.join(AUDIT_FILE), &fresh)?;
                // Another process may have been faster; what is on disk is the key.
                Self::load(directory)
            }
            other => other,
        }
    }

    /// Loads the key from the data directory.
    ///
    /// # Errors
    /// As [`AuditKey::load_or_create`], and when there is no file.
    pub fn load(directory: &Path) -> Result<Self, AuditKeyError> {
        let text = read_private(&directory.join(AUDIT_FILE))?.ok_or(AuditKeyError::Missing)?;
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(AuditKeyError::Damaged);
        };
        let seed: [u8; 32] = STANDARD
            .decode(line)
            .ok()
            .and_then(|seed| seed.try_into().ok())
            .ok_or(AuditKeyError::Damaged)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| AuditKeyError::Damaged)?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| AuditKeyError::Damaged)?;
        Ok(Self {
            pair,
            public: PublicKey(public),
        })
    }

    /// What its signatures are checked with.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a checkpoint.
    #[must_use]
    pub fn sign(&self, checkpoint: Checkpoint) -> Signed {
        let signature = self.pair.sign(checkpoint.statement().as_bytes());
        Signed {
            key: self.public.id(),
            signature: STANDARD.encode(signature.as_ref()),
            checkpoint,
        }
    }
}

/// The public half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// What signatures name it by.
    #[must_use]
    pub fn id(&self) -> String {
        Digest::of(&self.0).hex().chars().take(16).collect()
    }

    /// Whether it signed this.
    #[must_use]
    pub fn has_signed(&self, signed: &Signed) -> bool {
        let Ok(signature) = STANDARD.decode(&signed.signature) else {
            return false;
        };
        let statement = signed.checkpoint.statement();
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(statement.as_bytes(), &signature)
            .is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = AuditKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text
            .trim()
            .strip_prefix(PREFIX)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| AuditKeyError::Public(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use hadron_proto::vocab::Timestamp;

    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            hub: "hub-0123456789abcdef".to_owned(),
            generation: 1,
            sequence: 42,
            hash: "ab".repeat(32),
            at: Timestamp::from_micros(1_700_000_000_000_000),
        }
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(AuditKey::load(dir.path()), Err(AuditKeyError::Missing)));
        let first = AuditKey::load_or_create(dir.path()).unwrap();
        let again = AuditKey::load_or_create(dir.path()).unwrap();
        assert_eq!(first.public(), again.public());
        let path = dir.path().join(AUDIT_FILE);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            AuditKey::load(dir.path())
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for damaged in ["", "AAAA", "x", "AAAA\nBBBB"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(
                matches!(AuditKey::load(dir.path()), Err(AuditKeyError::Damaged)),
                "{damaged}"
            );
        }
    }

    #[test]
    fn only_what_was_signed_counts_and_only_by_its_key() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = AuditKey::load_or_create(dir.path()).unwrap();
        let other = AuditKey::load_or_create(other.path()).unwrap();
        let signed = key.sign(checkpoint());
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert!(public.has_signed(&signed));
        assert!(!other.public().has_signed(&signed));
        assert_eq!(signed.key, public.id());
        let changes: [fn(&mut Signed); 6] = [
            |signed| signed.checkpoint.sequence += 1,
            |signed| signed.checkpoint.generation = 0,
            |signed| signed.checkpoint.hash = "ba".repeat(32),
            |signed| signed.checkpoint.hub = "hub-fedcba9876543210".to_owned(),
            |signed| signed.checkpoint.at = Timestamp::from_micros(1),
            |signed| signed.signature = String::new(),
        ];
        for change in changes {
            let mut changed = signed.clone();
            change(&mut changed);
            assert!(!public.has_signed(&changed), "{changed:?}");
        }
        // As it stands in files.
        let line = serde_json::to_string(&signed).unwrap();
        assert_eq!(serde_json::from_str::<Signed>(&line).unwrap(), signed);
        for wrong in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA"] {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
    }
}
