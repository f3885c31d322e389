//! What keeps the chain of the audit log checkable: rows of before there was a chain are pinned by it, and its end is signed
//! from time to time.

use std::path::PathBuf;
use std::time::Duration;

use hadron_domain::audit::{NOTHING, PIN, Pin, Pinning, Record, Signed};
use hadron_domain::authority::{Action, Caller, Place};
use hadron_domain::principal::Principal;

use super::{App, AppError};
use crate::identity::audit_key::AuditKey;
use crate::store::audit::Filter;
use crate::store::{audit, requests, to_json};

/// How many rows are read at once.
const PAGE: u32 = 2_000;

/// When there has to be a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// After so long, if there is anything new.
    pub every: Duration,
    /// After so many rows.
    pub rows: u64,
}

/// What the hub does for its audit log by itself.
#[derive(Debug)]
pub struct Keeper {
    /// What signs.
    pub key: AuditKey,
    /// When.
    pub due: Due,
    /// Where checkpoints are appended to, one a line.
    pub file: Option<PathBuf>,
    /// Whether they are printed to standard output as well.
    pub print: bool,
}

impl App {
    /// Rows of the audit log before this number (0: the last ones), the last one first.
    ///
    /// # Errors
    /// When the caller may not read it.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        filter: Filter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Record>, AppError> {
        self.may_at(caller, Action::ReadAudit, &Place::default()).await?;
        let before = if before <= 0 { i64::MAX } else { before };
        self.read("audit", move |tx| {
            Box::pin(async move { Ok(audit::latest(tx, &filter, before, limit).await?) })
        })
        .await
    }

    /// Has the chain say what rows without a hash are, where it does not yet: those of before there was a chain, and those
    /// that a hub of an earlier release has written since. Gives which they were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pin_audit(&self) -> Result<Option<Pin>, AppError> {
        let found = self.read("rows without a hash", |tx| {
            Box::pin(async move {
                let pins = audit::pins(tx).await?;
                let pinned = pins.iter().map(|(_, pin)| pin.to).max().unwrap_or(0);
                let Some((from, to)) = audit::bare(tx, pinned).await? else {
                    return Ok(None);
                };
                let after = audit::hash(tx, from - 1).await?;
                Ok(Some((from, to, after.unwrap_or_else(|| NOTHING.to_owned()))))
            })
        });
        let Some((from, to, after)) = found.await? else {
            return Ok(None);
        };
        // What has a number is not changed any more, so that it may be read bit by bit.
        let (mut pinning, mut last) = (Pinning::default(), from - 1);
        while last < to {
            let page = self
                .read("rows to pin", move |tx| {
                    Box::pin(async move { Ok(audit::after(tx, last, PAGE).await?) })
                })
                .await?;
            let rows = page.iter().filter(|(record, _)| record.sequence <= to);
            for (record, _) in rows {
                pinning.row(record);
                last = record.sequence;
            }
            if page.last().is_none_or(|(record, _)| record.sequence >= to) {
                break;
            }
        }
        let pin = Pin {
            from,
            to,
            after,
            hash: pinning.hash().to_owned(),
        };
        let written = pin.clone();
        self.write("pin rows", move |unit| {
            Box::pin(async move {
                let (at, object) = (unit.now, format!("rows {from} to {to}"));
                let detail = to_json(&written)?;
                let hub = Principal::hub();
                requests::audit(unit.tx, at, hub.as_str(), None, PIN, &object, "done", &detail).await?;
                Ok(())
            })
        })
        .await?;
        tracing::info!(
            from,
            to,
            "Rows of the audit log without a hash are pinned by its chain"
        );
        Ok(Some(pin))
    }

    /// Signs the end of the chain and keeps that, when it is due; `None` when it is not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn checkpoint(&self, key: &AuditKey, due: Due) -> Result<Option<Signed>, AppError> {
        let hub = self.settings().hub_id.clone();
        let (last, end) = self
            .read("end of the audit log", move |tx| {
                Box::pin(async move {
                    let last = audit::last_checkpoint(tx).await?;
                    let signed = last.as_ref().map_or(0, |last| last.checkpoint.sequence);
                    if audit::drawn(tx).await? <= signed {
                        return Ok((last, None));
                    }
                    Ok((last, audit::end(tx, &hub).await?))
                })
            })
            .await?;
        let Some(end) = end else { return Ok(None) };
        if let Some(Signed { checkpoint, .. }) = &last {
            let rows = u64::try_from(end.sequence - checkpoint.sequence).unwrap_or(0);
            if rows < due.rows && end.at.since(checkpoint.at) < due.every {
                return Ok(None);
            }
        }
        let signed = key.sign(end);
        let kept = signed.clone();
        self.write("checkpoint", move |unit| {
            Box::pin(async move { Ok(audit::put_checkpoint(unit.tx, &kept).await?) })
        })
        .await?;
        Ok(Some(signed))
    }

    /// Checkpoints behind the one of this generation and row, some of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn checkpoints(&self, behind: (u64, i64)) -> Result<Vec<Signed>, AppError> {
        self.read("checkpoints", move |tx| {
            Box::pin(async move {
                let last = audit::last_checkpoint(tx).await?;
                let place = last.map(|last| (last.checkpoint.generation, last.checkpoint.sequence));
                // Mostly there is nothing new, and the end of the table tells.
                if place.is_none_or(|place| place <= behind) {
                    return Ok(Vec::new());
                }
                Ok(audit::checkpoints(tx, behind, PAGE).await?)
            })
        })
        .await
    }
}
