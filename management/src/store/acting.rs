//! What has to be known of an agent before anything is done for it: asked whenever one speaks, so in one round trip.

use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, JobId, Region};

use super::agents::{self, AgentRow};
use super::connections::{self, ConnectionRow};
use super::db::{Row, Tx, params};
use super::recovery::{self, Standing};
use super::{StoreError, jobs};

/// An agent and its connection.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The agent.
    pub agent: Option<AgentRow>,
    /// Its connection, which stays as it is until the transaction ends: see [`connections::shared`].
    pub connection: Option<ConnectionRow>,
}

/// An agent, and the connection that it says is its own.
pub async fn of(tx: &mut Tx, agent: AgentId, connection: ConnectionId) -> Result<Acting, StoreError> {
    let [agents, connections] = tx
        .query_all([
            (agents::GET, &params![agent]),
            (connections::SHARED, &params![connection]),
        ])
        .await?;
    acting(&agents, &connections)
}

/// The same, and the connection of the job that it names: see [`jobs::CONNECTION_OF`].
pub async fn on_job(
    tx: &mut Tx,
    agent: AgentId,
    connection: ConnectionId,
    account: AccountId,
    job: JobId,
) -> Result<(Acting, Option<ConnectionId>), StoreError> {
    let [agents, connections, jobs] = tx
        .query_all([
            (agents::GET, &params![agent]),
            (connections::SHARED, &params![connection]),
            (jobs::CONNECTION_OF, &params![job, account]),
        ])
        .await?;
    let of_job = jobs.first().map(|row| row.text_as("connection_id")).transpose()?;
    Ok((acting(&agents, &connections)?, of_job))
}

/// What decides about giving it jobs as well. The standing is read after the connection was locked: whoever announces a
/// recovery takes that lock, so a recovery that comes before this transaction is seen in it.
pub async fn for_jobs(
    tx: &mut Tx,
    agent: AgentId,
    connection: ConnectionId,
    account: AccountId,
    region: &Region,
) -> Result<(Acting, Standing, Vec<ConnectionRow>), StoreError> {
    let [agents, connections, standing, open] = tx
        .query_all([
            (agents::GET, &params![agent]),
            (connections::SHARED, &params![connection]),
            (recovery::STANDING, &recovery::standing_of(account, region)),
            (connections::OPEN_OF, &params![account, region]),
        ])
        .await?;
    let open = open
        .iter()
        .map(connections::from_row)
        .collect::<Result<_, StoreError>>()?;
    Ok((
        acting(&agents, &connections)?,
        recovery::read_standing(&standing)?,
        open,
    ))
}

fn acting(agents: &[Row], connections: &[Row]) -> Result<Acting, StoreError> {
    Ok(Acting {
        agent: agents.first().map(agents::from_row).transpose()?,
        connection: connections.first().map(connections::from_row).transpose()?,
    })
}
