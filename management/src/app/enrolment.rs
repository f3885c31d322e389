//! What [`identity`](crate::identity) needs to remember, kept in the store: challenges, certificates given, tokens.

use std::net::IpAddr;

use hadron_domain::authority::Role;
use hadron_domain::connection::Approval;
use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Digest, Region, Timestamp};
use serde::{Deserialize, Serialize};

use super::{App, AppError, Unit};
use crate::clock::Clock;
use crate::identity::enrolment::{
    Challenge, ChallengeId, Challenges, Claim, Clocked, ConnectionRow, Connections, Enrolled, OpenLimits,
    Purpose, Recorded, Standing, StoreFailed,
};
use crate::identity::login::{TokenRow, Tokens};
use crate::store::agents::AgentRow;
use crate::store::challenges::ChallengeRow;
use crate::store::connections::ConnectionKind;
use crate::store::{Topic, Tx, agents, challenges, connections, requests};

/// The store, as the identity services see it. Clones share it.
#[derive(Clone, Debug)]
pub struct Records {
    app: App,
}

impl Records {
    /// Over this database.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    /// What it is over.
    pub(super) const fn app(&self) -> &App {
        &self.app
    }
}

/// The story of a failure, since its causes must get into the log and nowhere else.
pub(super) fn failed(error: AppError) -> StoreFailed {
    StoreFailed(error.story().into())
}

/// A purpose as stored; the hash of the key has a column of its own.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Enrol {
        connection: Option<ConnectionId>,
        place: Option<(AccountId, Region)>,
        epoch: Option<u64>,
        agent: Option<AgentId>,
    },
    Login,
}

fn to_row(challenge: &Challenge, now: Timestamp) -> Result<ChallengeRow, AppError> {
    let (purpose, spki) = match challenge.purpose.clone() {
        Purpose::Login => (Stored::Login, None),
        Purpose::Enrol {
            claim,
            spki_sha256,
            epoch,
            agent,
        } => {
            let (connection, place) = match claim {
                Claim::Connection(id) => (Some(id), None),
                Claim::Place(account, region) => (None, Some((account, region))),
            };
            (
                Stored::Enrol {
                    connection,
                    place,
                    epoch,
                    agent,
                },
                Some(spki_sha256.to_vec()),
            )
        }
    };
    Ok(ChallengeRow {
        id: challenge.id.to_string(),
        purpose: serde_json::to_string(&purpose).map_err(AppError::internal)?,
        counted_as: challenge.counted_as,
        spki,
        nonce: challenge.nonce.to_vec(),
        source: challenge.source.to_string(),
        created_at: now,
        expires_at: challenge.expires_at,
    })
}

fn from_row(row: ChallengeRow) -> Result<Challenge, AppError> {
    let damaged = || AppError::internal("a stored challenge cannot be read");
    let purpose = match serde_json::from_str(&row.purpose).map_err(AppError::internal)? {
        Stored::Login => Purpose::Login,
        Stored::Enrol {
            connection,
            place,
            epoch,
            agent,
        } => {
            let claim = match (connection, place) {
                (Some(id), None) => Claim::Connection(id),
                (None, Some((account, region))) => Claim::Place(account, region),
                (Some(_), Some(_)) | (None, None) => return Err(damaged()),
            };
            let spki = row.spki.as_deref().and_then(|spki| spki.try_into().ok());
            Purpose::Enrol {
                claim,
                spki_sha256: spki.ok_or_else(damaged)?,
                epoch,
                agent,
            }
        }
    };
    Ok(Challenge {
        id: ChallengeId::parse(&row.id).ok_or_else(damaged)?,
        nonce: row.nonce.as_slice().try_into().map_err(|_| damaged())?,
        purpose,
        counted_as: row.counted_as,
        source: row.source.parse::<IpAddr>().map_err(|_| damaged())?,
        expires_at: row.expires_at,
    })
}

/// An agent stays the same agent only within one epoch of its connection. With a new id, certificates of the old epoch
/// stay void: they name an agent whose row says so, or one that a restored database does not have.
async fn same_epoch(tx: &mut Tx, agent: AgentId) -> Result<bool, AppError> {
    let Some(row) = agents::get(tx, agent).await? else {
        return Ok(false);
    };
    let connection = connections::get(tx, row.connection).await?;
    Ok(connection.is_some_and(|connection| connection.connection.epoch == row.epoch))
}

impl Clocked for Records {
    async fn now(&self, _: &Clock) -> Result<Timestamp, StoreFailed> {
        self.app.db().now().await.map_err(|error| failed(error.into()))
    }
}

impl Challenges for Records {
    async fn insert(
        &self,
        challenge: &Challenge,
        limits: OpenLimits,
        now: Timestamp,
    ) -> Result<bool, StoreFailed> {
        let row = to_row(challenge, now).map_err(failed)?;
        let work = self.app.write("insert challenge", move |unit| {
            Box::pin(async move {
                challenges::forget(unit.tx, now).await?;
                if let Some(claim) = row.counted_as {
                    let (own, every) = challenges::open(unit.tx, claim, &row.source, now).await?;
                    if own >= limits.per_source || every >= limits.per_claim {
                        return Ok(false);
                    }
                }
                challenges::insert(unit.tx, &row).await?;
                Ok(true)
            })
        });
        work.await.map_err(failed)
    }

    async fn take(&self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreFailed> {
        let work = self.app.write("take challenge", move |unit| {
            Box::pin(async move {
                let Some(row) = challenges::take(unit.tx, &id.to_string()).await? else {
                    return Ok(None);
                };
                if row.expires_at <= now {
                    return Ok(None);
                }
                let mut challenge = from_row(row)?;
                if let Purpose::Enrol { agent, .. } = &mut challenge.purpose
                    && let Some(id) = *agent
                    && !same_epoch(unit.tx, id).await?
                {
                    *agent = None;
                }
                Ok(Some(challenge))
            })
        });
        work.await.map_err(failed)
    }
}

fn standing(row: connections::ConnectionRow) -> Option<ConnectionRow> {
    let connection = row.connection;
    let standing = match connection.approval {
        Approval::Pending => Standing::Pending,
        Approval::Connected(_) => Standing::Connected,
        Approval::Rejected(_) => Standing::Rejected,
        Approval::Deleted(_) => return None,
    };
    Some(ConnectionRow {
        id: connection.id,
        standing,
        epoch: connection.epoch,
        account: connection.account,
        region: connection.region,
        agent_role_name: connection.roles.agent_role_name,
        pinned_role_id: row.pinned_role_id,
    })
}

impl Connections for Records {
    async fn connection(&self, id: ConnectionId) -> Result<Option<ConnectionRow>, StoreFailed> {
        let found = self.app.read("connection", move |tx| {
            Box::pin(async move { Ok(connections::get(tx, id).await?) })
        });
        Ok(found.await.map_err(failed)?.and_then(standing))
    }

    async fn connection_at(
        &self,
        account: AccountId,
        region: &Region,
    ) -> Result<Option<ConnectionRow>, StoreFailed> {
        let region = region.clone();
        let found = self.app.read("connections of account", move |tx| {
            Box::pin(async move { Ok(connections::of_account(tx, account, &region).await?) })
        });
        let mut found = found.await.map_err(failed)?;
        // The management account's own connection first: its agent does what only it may do.
        found.sort_by_key(|row| {
            let rank = match row.connection.approval {
                Approval::Connected(_) => 0,
                Approval::Pending => 1,
                Approval::Rejected(_) | Approval::Deleted(_) => 2,
            };
            (rank, row.kind != ConnectionKind::Management, row.connection.id)
        });
        Ok(found.into_iter().next().and_then(standing))
    }

    async fn record(&self, enrolled: &Enrolled) -> Result<Recorded, StoreFailed> {
        let enrolled = enrolled.clone();
        let work = self.app.write("enrol agent", move |unit| {
            Box::pin(async move { record(unit, enrolled).await })
        });
        work.await.map_err(failed)
    }
}

/// Everything is checked before anything is written: a refusal commits an empty transaction.
async fn record(unit: &mut Unit<'_>, enrolled: Enrolled) -> Result<Recorded, AppError> {
    // Only the first agent after an acceptance changes the connection; all others need it to stay, and need not wait for each
    // other.
    let seen = connections::seen(unit.tx, enrolled.connection).await?;
    let pinned = seen.is_some_and(|row| row.pinned_role_id.is_some());
    let found = if pinned {
        connections::shared(unit.tx, enrolled.connection).await?
    } else {
        connections::get(unit.tx, enrolled.connection).await?
    };
    let Some(mut row) = found else {
        return Ok(Recorded::Changed);
    };
    let connected = matches!(row.connection.approval, Approval::Connected(_));
    if !connected || row.connection.epoch != enrolled.epoch {
        return Ok(Recorded::Changed);
    }
    if row
        .pinned_role_id
        .as_ref()
        .is_some_and(|pinned| *pinned != enrolled.role_id)
    {
        return Ok(Recorded::OtherRole);
    }
    let known = agents::get(unit.tx, enrolled.agent).await?;
    if let Some(known) = &known {
        if known.connection != enrolled.connection {
            return Ok(Recorded::OtherAgent);
        }
        if known.epoch != enrolled.epoch {
            return Ok(Recorded::Changed);
        }
    }

    if row.pinned_role_id.is_none() {
        if pinned {
            // Taken away since we looked, and this transaction may not write it.
            return Ok(Recorded::Changed);
        }
        row.pinned_role_id = Some(enrolled.role_id.clone());
        connections::put(unit.tx, &row).await?;
    }
    let agent = AgentRow {
        id: enrolled.agent,
        connection: enrolled.connection,
        account: row.connection.account,
        region: row.connection.region.clone(),
        principal: enrolled.caller_arn.clone(),
        key_fingerprint: Digest::from_bytes(enrolled.spki_sha256).to_string(),
        serial: enrolled.serial.hex(),
        not_after: enrolled.not_after,
        epoch: enrolled.epoch,
        version: String::new(),
        session: None,
        enrolled_at: unit.now,
        last_seen: unit.now,
    };
    if known.is_some() {
        agents::renew(unit.tx, &agent).await?;
    } else {
        agents::insert(unit.tx, &agent).await?;
    }
    unit.tx.after_commit(Topic::Changes);
    let detail = format!(
        "certificate {} for {} from {}",
        agent.serial, agent.key_fingerprint, enrolled.source
    );
    let (principal, account) = (enrolled.caller_arn.as_str(), Some(agent.account));
    let id = agent.id.to_string();
    requests::audit(
        unit.tx,
        unit.now,
        principal,
        account,
        "EnrolAgent",
        &id,
        "done",
        &detail,
    )
    .await?;
    Ok(Recorded::Committed)
}

impl Tokens for Records {
    async fn add(&self, token: &TokenRow) -> Result<(), StoreFailed> {
        let minted = token.principal.strip_prefix("token:");
        let role = match (&token.role, token.account) {
            // Bindings alone say what the bearer may do.
            (Some(role), _) if role.is_empty() => None,
            (Some(role), _) => Some(role.parse().map_err(|error| StoreFailed(Box::new(error)))?),
            (None, Some(account)) => {
                let found = self.app.base_role(account, &token.principal).await;
                found.map_err(failed)?
            }
            (None, None) => {
                let found = self.app.role_of_known(&token.principal, &token.groups).await;
                found.map_err(failed)?
            }
        };
        let name = minted.unwrap_or_default();
        let row = requests::TokenRow {
            digest: token.hash,
            name: name.to_owned(),
            principal: token.principal.clone(),
            account: token.account,
            role,
            created_at: token.created_at,
            expires_at: token.expires_at,
            disabled: false,
            groups: token.groups.clone(),
        };
        let action = match (row.name.is_empty(), row.account) {
            (false, _) => "MintToken",
            (true, Some(_)) => "FinishLogin",
            (true, None) => "FinishOidcLogin",
        };
        let work = self.app.write("add token", move |unit| {
            Box::pin(async move {
                requests::insert_token(unit.tx, &row).await?;
                let (principal, account) = (row.principal.as_str(), row.account);
                let role = row.role.map_or("", Role::word);
                requests::audit(
                    unit.tx, unit.now, principal, account, action, &row.name, "done", role,
                )
                .await?;
                Ok(())
            })
        });
        work.await.map_err(failed)
    }

    async fn find(&self, hash: Digest) -> Result<Option<TokenRow>, StoreFailed> {
        let found = self.app.read("token", move |tx| {
            Box::pin(async move { Ok(requests::token(tx, hash).await?) })
        });
        Ok(found
            .await
            .map_err(failed)?
            .filter(|row| !row.disabled)
            .map(|row| TokenRow {
                hash: row.digest,
                principal: row.principal,
                groups: row.groups,
                account: row.account,
                role: Some(row.role.map_or("", Role::word).to_owned()),
                created_at: row.created_at,
                expires_at: row.expires_at,
            }))
    }
}
