//! Logins at issuers of OpenID Connect: keeping those that are under way, and letting in who has finished one.

use hadron_proto::vocab::{Digest, Timestamp};

use super::enrolment::{Records, failed};
use super::{AppError, Unit};
use crate::identity::enrolment::StoreFailed;
use crate::identity::oidc::{Flow, Flows, MOST_FLOWS};
use crate::store::oidc::{self, LoginRow};

fn to_row(flow: &Flow, now: Timestamp) -> LoginRow {
    LoginRow {
        id: flow.id,
        issuer: flow.alias.to_string(),
        redirect_uri: flow.redirect_uri.clone(),
        challenge: flow.challenge.clone(),
        nonce: flow.nonce.clone(),
        source: flow.source.to_string(),
        created_at: now,
        expires_at: flow.expires_at,
    }
}

fn from_row(row: LoginRow) -> Result<Flow, AppError> {
    let damaged = || AppError::internal("a stored login cannot be read");
    Ok(Flow {
        id: row.id,
        alias: row.issuer.parse().map_err(|_| damaged())?,
        redirect_uri: row.redirect_uri,
        challenge: row.challenge,
        nonce: row.nonce,
        source: row.source.parse().map_err(|_| damaged())?,
        expires_at: row.expires_at,
    })
}

async fn insert(unit: &mut Unit<'_>, row: &LoginRow) -> Result<bool, AppError> {
    oidc::forget(unit.tx, row.created_at).await?;
    if oidc::count(unit.tx).await? >= MOST_FLOWS {
        return Ok(false);
    }
    oidc::insert(unit.tx, row).await?;
    Ok(true)
}

impl Flows for Records {
    async fn insert(&self, flow: &Flow, now: Timestamp) -> Result<bool, StoreFailed> {
        let row = to_row(flow, now);
        let work = self.app().write("begin login", move |unit| {
            Box::pin(async move { insert(unit, &row).await })
        });
        work.await.map_err(failed)
    }

    async fn take(&self, id: Digest, now: Timestamp) -> Result<Option<Flow>, StoreFailed> {
        let work = self.app().write("take login", move |unit| {
            Box::pin(async move {
                let row = oidc::take(unit.tx, id).await?;
                row.filter(|row| now < row.expires_at).map(from_row).transpose()
            })
        });
        work.await.map_err(failed)
    }
}
