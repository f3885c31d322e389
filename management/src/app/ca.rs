//! The roots of the hub's CA: kept in the database, so that all replicas have the same; replaced by time, or by hand.
//!
//! The file `ca.pem` of the data directory says which hub this is before there is a database, and is how a first root comes into
//! it. It is kept as the database has the roots. A root that was retired never comes back from an old copy of it.

use std::sync::Arc;

use hadron_domain::ca::{self as rules, Act, CaRefusal, Root, Stage};
use hadron_proto::tls::spki_digest;
use hadron_proto::vocab::{Digest, Timestamp};
use rustls_pki_types::CertificateDer;

use super::{App, AppError, ErrorKind, Unit};
use crate::identity::ca::{Ca, CaError, LONGEST_LEAF, Roots, life_of, successor};
use crate::store::ca::{RootParts, RootRow};
use crate::store::{ca, requests};

impl From<CaError> for AppError {
    fn from(error: CaError) -> Self {
        Self::internal(error.to_string())
    }
}

fn refused(refusal: CaRefusal) -> AppError {
    let help = match refusal {
        CaRefusal::NoCa => "start the hub once: hadron-hub serve",
        CaRefusal::Prepared(_) => "have it sign: hadron-hub ca activate",
        CaRefusal::Unretired(_) => "first: hadron-hub ca retire",
        CaRefusal::NotPrepared => "first: hadron-hub ca prepare",
        CaRefusal::NothingOld => "see what there is: hadron-hub ca list",
        CaRefusal::InUse(_) => {
            "wait, and the hub retires it by itself; if its key is known to others, cut off who has not renewed yet: \
             hadron-hub ca retire --now"
        }
    };
    AppError::new(ErrorKind::Precondition, "CA_STATE", refusal.to_string()).help(help)
}

fn facts(rows: &[RootRow]) -> Vec<Root> {
    rows.iter().map(|row| row.root).collect()
}

/// The roots as whoever signs and verifies needs them.
fn roots_of(rows: &[RootRow]) -> Result<Roots, AppError> {
    let at = |wanted: fn(Stage) -> bool| rows.iter().find(|row| wanted(row.root.stage));
    let active = at(|stage| stage == Stage::Active).ok_or_else(|| refused(CaRefusal::NoCa))?;
    let other = at(|stage| matches!(stage, Stage::Next | Stage::Old { .. }));
    let der = |bytes: &Vec<u8>| CertificateDer::from(bytes.clone());
    let crossed = other
        .map(|other| match other.root.stage {
            Stage::Next => &other.parts.of_other,
            _ => &active.parts.by_other,
        })
        .filter(|crossed| !crossed.is_empty());
    Ok(Roots {
        active: der(&active.parts.certificate),
        key: active.parts.key.clone(),
        other: other.map(|other| der(&other.parts.certificate)),
        crossed: crossed.map(der),
    })
}

/// A root that is known from a file.
fn row_of(
    certificate: &CertificateDer<'_>,
    key: &str,
    stage: Stage,
    now: Timestamp,
) -> Result<RootRow, AppError> {
    let (not_before, not_after) = life_of(certificate)?;
    Ok(RootRow {
        root: Root {
            pin: pin_of(certificate)?,
            not_before,
            not_after,
            stage,
        },
        parts: RootParts {
            certificate: certificate.to_vec(),
            key: key.to_owned(),
            ..RootParts::default()
        },
        created_at: now,
    })
}

/// A root somewhere else.
fn at(row: &RootRow, stage: Stage) -> RootRow {
    RootRow {
        root: Root { stage, ..row.root },
        ..row.clone()
    }
}

fn pin_of(certificate: &CertificateDer<'_>) -> Result<Digest, AppError> {
    spki_digest(certificate).map_err(|error| AppError::internal(error.to_string()))
}

impl App {
    /// All roots that this database has known, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ca_roots(&self) -> Result<Vec<RootRow>, AppError> {
        self.read("CA roots", |tx| Box::pin(async move { Ok(ca::all(tx).await?) }))
            .await
    }

    /// Compares the roots in the data directory with those in the database, and gives those that count. The database's do, and
    /// one of the directory's that it has never seen: then it was restored to a time before that root was made.
    ///
    /// # Errors
    /// When the database does not answer, or a root cannot be read.
    pub async fn settle_ca(&self, own: Roots) -> Result<Roots, AppError> {
        self.write("settle the CA", move |unit| {
            Box::pin(async move {
                let rows = ca::locked(unit.tx).await?;
                let pin = pin_of(&own.active)?;
                if rows.iter().any(|row| row.root.pin == pin) {
                    return roots_of(&rows);
                }
                let now = unit.now;
                // Slots are emptied before others take them.
                for row in &rows {
                    if matches!(row.root.stage, Stage::Next | Stage::Old { .. }) {
                        ca::put(unit.tx, &at(row, Stage::Retired { at: now })).await?;
                    }
                }
                let active = rows.iter().find(|row| row.root.stage == Stage::Active);
                if let Some(active) = active {
                    ca::put(unit.tx, &at(active, Stage::Old { since: now })).await?;
                }
                ca::put(unit.tx, &row_of(&own.active, &own.key, Stage::Active, now)?).await?;
                if let (Some(other), None) = (&own.other, active) {
                    let row = row_of(other, "", Stage::Old { since: now }, now)?;
                    if rows.iter().all(|known| known.root.pin != row.root.pin) {
                        ca::put(unit.tx, &row).await?;
                    }
                }
                roots_of(&ca::all(unit.tx).await?)
            })
        })
        .await
    }

    /// Has a CA sign and trust as the database says. Answers whether that is another way than before.
    ///
    /// # Errors
    /// When the database does not answer, or a root cannot be used.
    pub async fn follow_ca(&self, ca: &Ca) -> Result<bool, AppError> {
        let rows = self.ca_roots().await?;
        Ok(ca.adopt(&roots_of(&rows)?)?)
    }

    /// Does to the roots what is due by now; tells what that was and which root it was done to.
    ///
    /// # Errors
    /// When the database does not answer, or a root cannot be made.
    pub async fn rotate_ca_if_due(&self) -> Result<Option<(Act, Digest)>, AppError> {
        let (rows, now) = self
            .read("CA roots", |tx| {
                Box::pin(async move { Ok((ca::all(tx).await?, tx.now().await?)) })
            })
            .await?;
        match rules::schedule(&facts(&rows), LONGEST_LEAF) {
            Some((act, due)) if due <= now => {
                let done = self
                    .write("rotate the CA", move |unit| {
                        Box::pin(async move {
                            let rows = ca::locked(unit.tx).await?;
                            // Another hub may have done it since.
                            let due = rules::schedule(&facts(&rows), LONGEST_LEAF);
                            if due.is_some_and(|(due, at)| due == act && at <= unit.now) {
                                unit.rotate_ca(&rows, act).await.map(Some)
                            } else {
                                Ok(None)
                            }
                        })
                    })
                    .await?;
                Ok(done.map(|pin| (act, pin)))
            }
            _ => Ok(None),
        }
    }

    /// Does something to the roots before it is due; gives the pin of the root that it was done to.
    ///
    /// # Errors
    /// Why it is not to be done, or when the database does not answer.
    pub async fn rotate_ca(&self, act: Act, although_in_use: bool) -> Result<Digest, AppError> {
        self.write("rotate the CA", move |unit| {
            Box::pin(async move {
                let rows = ca::locked(unit.tx).await?;
                rules::permit(&facts(&rows), act, LONGEST_LEAF, unit.now, although_in_use)
                    .map_err(refused)?;
                unit.rotate_ca(&rows, act).await
            })
        })
        .await
    }
}

impl Unit<'_> {
    async fn rotate_ca(&mut self, rows: &[RootRow], act: Act) -> Result<Digest, AppError> {
        let find = |wanted: fn(Stage) -> bool, refusal| {
            let row = rows.iter().find(|row| wanted(row.root.stage));
            row.ok_or_else(|| refused(refusal))
        };
        let active = find(|stage| stage == Stage::Active, CaRefusal::NoCa)?;
        let now = self.now;
        let (operation, pin) = match act {
            Act::Prepare => {
                let certificate = CertificateDer::from(active.parts.certificate.clone());
                let made = successor(&certificate, &active.parts.key, now)?;
                let row = RootRow {
                    root: Root {
                        pin: made.pin,
                        not_before: made.life.0,
                        not_after: made.life.1,
                        stage: Stage::Next,
                    },
                    parts: RootParts {
                        certificate: made.certificate.to_vec(),
                        key: made.key,
                        by_other: made.by_other.to_vec(),
                        of_other: made.of_other.to_vec(),
                    },
                    created_at: now,
                };
                ca::put(self.tx, &row).await?;
                ("PrepareCaRoot", made.pin)
            }
            Act::Activate => {
                let next = find(|stage| stage == Stage::Next, CaRefusal::NotPrepared)?;
                // The slot of the active root is free first.
                ca::put(self.tx, &at(active, Stage::Old { since: now })).await?;
                ca::put(self.tx, &at(next, Stage::Active)).await?;
                ("ActivateCaRoot", next.root.pin)
            }
            Act::Retire => {
                let old = find(|stage| matches!(stage, Stage::Old { .. }), CaRefusal::NothingOld)?;
                ca::put(self.tx, &at(old, Stage::Retired { at: now })).await?;
                ("RetireCaRoot", old.root.pin)
            }
        };
        requests::audit(self.tx, now, "hub", None, operation, &pin.to_string(), "done", "").await?;
        Ok(pin)
    }
}

/// What a hub does about its CA by itself.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// The CA that it signs with.
    pub ca: Arc<Ca>,
    /// Where its file is.
    pub data_dir: std::path::PathBuf,
}

impl Keeper {
    /// Signs and trusts as the database says, and writes that to the data directory. Answers whether anything is other than
    /// before.
    ///
    /// # Errors
    /// When the database does not answer, or a file cannot be written.
    pub async fn follow(&self, app: &App) -> Result<bool, AppError> {
        let other = app.follow_ca(&self.ca).await?;
        if other {
            self.ca.save(&self.data_dir)?;
        }
        Ok(other)
    }
}
