//! The roots of the hub's CA. What is said about a root is sealed as a whole, where it stands included, and nothing counts that
//! is not sealed: whoever can write the database must not be able to make a root of the hub's, or to bring one back.

use hadron_domain::ca::{Root, Stage};
use hadron_proto::tls::spki_digest;
use hadron_proto::vocab::Timestamp;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::db::{HUB, MARK, Row, Tx, params};
use super::error::Because;
use super::sealing::Sealed;
use super::{StoreError, to_json};

/// A root as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct RootRow {
    /// Its pin, its life, and where it stands.
    pub root: Root,
    /// What it consists of.
    pub parts: RootParts,
    /// When it was made, or first seen by this database.
    pub created_at: Timestamp,
}

/// What a root consists of. Certificates in DER.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootParts {
    /// The root.
    pub certificate: Vec<u8>,
    /// PEM; empty where there is none, or none any more.
    pub key: String,
    /// Its key, certified by the root before it; empty where there is none.
    pub by_other: Vec<u8>,
    /// The key of the root before it, certified by it; empty where there is none.
    pub of_other: Vec<u8>,
}

impl std::fmt::Debug for RootRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootRow")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Record {
    stage: Stage,
    not_before: Timestamp,
    not_after: Timestamp,
    parts: RootParts,
}

fn from_row(row: &Row) -> Result<RootRow, StoreError> {
    let pin = row.str("pin")?;
    let wrong = |why: &str| row.corrupt("record", Because(format!("the CA root {pin} {why}")));
    if !row.str("record")?.starts_with(MARK) {
        return Err(wrong("is not sealed, so it is not the hub's"));
    }
    let sealed = Sealed {
        table: "ca_root",
        key: pin,
        row,
    };
    let record: Record = sealed.json("record")?;
    if record.stage.word() != row.str("stage")? {
        return Err(wrong("does not stand where its sealed record says"));
    }
    let root = Root {
        pin: pin.parse().map_err(|error| row.corrupt("pin", error))?,
        not_before: record.not_before,
        not_after: record.not_after,
        stage: record.stage,
    };
    let certificate = CertificateDer::from(record.parts.certificate.as_slice());
    if spki_digest(&certificate).ok() != Some(root.pin) {
        return Err(wrong("is not the certificate of that pin"));
    }
    Ok(RootRow {
        root,
        parts: record.parts,
        created_at: row.get("created_at")?,
    })
}

/// All roots, the oldest first.
///
/// # Errors
/// [`StoreError::Corrupt`] when one is not as the hub has sealed it.
pub async fn all(tx: &mut Tx) -> Result<Vec<RootRow>, StoreError> {
    let sql = "SELECT pin, stage, record, created_at FROM ca_root ORDER BY created_at, pin";
    tx.query(sql, &[]).await?.iter().map(from_row).collect()
}

/// All roots, locked until the transaction ends.
///
/// # Errors
/// As [`all`].
pub async fn locked(tx: &mut Tx) -> Result<Vec<RootRow>, StoreError> {
    let sql = "SELECT pin, stage, record, created_at FROM ca_root ORDER BY created_at, pin /*for-update*/";
    tx.query(sql, &[]).await?.iter().map(from_row).collect()
}

/// Writes a root down, as it is now. The key of one that signs no more is forgotten.
///
/// # Errors
/// [`StoreError::Conflict`] when there is another one in its slot.
pub async fn put(tx: &mut Tx, row: &RootRow) -> Result<(), StoreError> {
    let Root {
        pin,
        stage,
        not_before,
        not_after,
    } = row.root;
    let mut parts = row.parts.clone();
    if !matches!(stage, Stage::Next | Stage::Active) {
        parts.key.clear();
    }
    let record = to_json(&Record {
        stage,
        not_before,
        not_after,
        parts,
    })?;
    let pin = pin.to_string();
    let [record] = tx
        .seal(HUB, "ca_root", &pin, [("record", record.as_str())])
        .await?;
    tx.execute(
        "INSERT INTO ca_root (pin, stage, record, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (pin) DO UPDATE SET stage = excluded.stage, record = excluded.record",
        &params![&pin, stage.word(), record, row.created_at],
    )
    .await?;
    Ok(())
}
