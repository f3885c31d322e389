//! What agents say over their streams, many at a time: heartbeats with the leases that they renew, and word that a job is
//! in an agent's journal.
//!
//! One transaction serves many agents, so that a fleet costs the database as many commits as there are batches and not as
//! many as there are agents. Everything is checked in it as it would be for one: the connection and its epoch, the lane of
//! the job, the fence. What is wrong with one statement is that statement's answer and nobody else's.
//!
//! Rows are locked in one order, agents before jobs and each by their ids, so that the batches of two hubs never wait for
//! each other in a circle.

use std::collections::{BTreeSet, HashMap};

use hadron_domain::connection::Approval;
use hadron_domain::job::JobInput;
use hadron_domain::step::Machine as _;
use hadron_proto::vocab::{AgentId, ConnectionId, JobId, SessionId};

use super::work::{Peer, Session, Token, distrusted, unknown_job};
use super::{App, AppError, Unit};
use crate::store::agents::Standing;
use crate::store::jobs::JobRow;
use crate::store::{agents, connections, jobs};

/// One statement of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is alive, and works on these jobs.
    Beat {
        /// Its session.
        session: Session,
        /// The jobs whose leases are to be renewed.
        held: Vec<Token>,
    },
    /// It has this job in its journal.
    Started {
        /// Who says so.
        peer: Peer,
        /// The job.
        token: Token,
    },
}

impl Said {
    const fn peer(&self) -> &Peer {
        match self {
            Self::Beat { session, .. } => &session.peer,
            Self::Started { peer, .. } => peer,
        }
    }

    /// The jobs that it is about.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        match self {
            Self::Beat { held, .. } => held,
            Self::Started { token, .. } => std::slice::from_ref(token),
        }
    }
}

/// The answer to one statement: the jobs that are the agent's, as far as it named them.
pub type Heard = Result<Vec<Token>, AppError>;

impl App {
    /// Takes many statements in one transaction; the answers are in their order.
    ///
    /// # Errors
    /// When the transaction fails as a whole. Nothing was taken then, also of statements that are fine.
    pub async fn acknowledge(&self, said: Vec<Said>) -> Result<Vec<Heard>, AppError> {
        self.write("acknowledgements", move |unit| {
            Box::pin(async move { acknowledge(unit, &said).await })
        })
        .await
    }

    async fn acknowledge_one(&self, said: Said) -> Heard {
        let mut answers = self.acknowledge(vec![said]).await?;
        answers
            .pop()
            .unwrap_or_else(|| Err(AppError::internal("a statement without an answer")))
    }

    /// The agent is alive: renews the leases named and says which were renewed.
    ///
    /// # Errors
    /// When the connection is not connected any more.
    pub async fn heartbeat(&self, session: &Session, held: Vec<Token>) -> Result<Vec<Token>, AppError> {
        let session = session.clone();
        self.acknowledge_one(Said::Beat { session, held }).await
    }

    /// The agent has the job in its journal.
    ///
    /// # Errors
    /// When the token is not current.
    pub async fn started(&self, peer: &Peer, token: Token) -> Result<(), AppError> {
        let peer = peer.clone();
        self.acknowledge_one(Said::Started { peer, token })
            .await
            .map(drop)
    }

    /// These agents were heard in these sessions, in which they hold no job: nothing is renewed, and nobody waits for this.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn heard(&self, heard: Vec<(AgentId, SessionId)>) -> Result<(), AppError> {
        self.write("agents heard", move |unit| {
            Box::pin(async move {
                agents::touch(unit.tx, heard, unit.now).await?;
                Ok(())
            })
        })
        .await
    }
}

async fn acknowledge(unit: &mut Unit<'_>, said: &[Said]) -> Result<Vec<Heard>, AppError> {
    let heard: BTreeSet<(AgentId, SessionId)> = said
        .iter()
        .filter_map(|said| match said {
            Said::Beat { session, .. } => Some((session.peer.agent, session.id)),
            Said::Started { .. } => None,
        })
        .collect();
    agents::touch(unit.tx, heard.into_iter().collect(), unit.now).await?;
    let wanted: BTreeSet<JobId> = said
        .iter()
        .flat_map(Said::tokens)
        .map(|token| token.job)
        .collect();
    let mut held = HashMap::new();
    if !wanted.is_empty() {
        let wanted: Vec<JobId> = wanted.into_iter().collect();
        let rows = jobs::get_many(unit.tx, &wanted).await?;
        held.extend(rows.into_iter().map(|row| (row.job.id, (row, false))));
    }
    // After the jobs are locked: whoever ends the trust in one of these agents takes its jobs back, and either waits for us
    // to do so or has done it.
    let peers: BTreeSet<AgentId> = said.iter().map(|said| said.peer().agent).collect();
    let peers: Vec<AgentId> = peers.into_iter().collect();
    let standing = agents::standing_of(unit.tx, &peers).await?;
    let standing: HashMap<AgentId, Standing> = standing.into_iter().map(|one| (one.agent, one)).collect();
    let mut roles = Roles::default();
    let mut answers = Vec::with_capacity(said.len());
    for said in said {
        answers.push(one(unit, said, &standing, &mut held, &mut roles).await?);
    }
    let changed: Vec<JobRow> = held
        .into_values()
        .filter_map(|(row, changed)| changed.then_some(row))
        .collect();
    if !changed.is_empty() {
        jobs::put_leases(unit.tx, changed).await?;
    }
    Ok(answers)
}

/// The answer to one statement. The outer error is the transaction's.
async fn one(
    unit: &mut Unit<'_>,
    said: &Said,
    standing: &HashMap<AgentId, Standing>,
    held: &mut HashMap<JobId, (JobRow, bool)>,
    roles: &mut Roles,
) -> Result<Heard, AppError> {
    let peer = said.peer();
    let own = standing
        .get(&peer.agent)
        .filter(|own| own.trusted && own.connection == peer.connection && own.account == peer.account);
    let Some(own) = own else {
        return Ok(Err(distrusted()));
    };
    let (lease, now) = (unit.settings().lease, unit.now);
    let mut taken = Vec::new();
    for token in said.tokens() {
        let row = held.get_mut(&token.job);
        let row = row.filter(|(row, _)| row.account == own.account && row.region == own.region);
        let serves = match &row {
            Some((row, _)) => roles.serves(unit, own.connection, row.connection).await?,
            None => false,
        };
        let Some((row, changed)) = row.filter(|_| serves) else {
            match said {
                Said::Beat { .. } => continue,
                Said::Started { .. } => return Ok(Err(unknown_job())),
            }
        };
        let fence = token.fence;
        let input = match said {
            Said::Beat { session, .. } => JobInput::Renew {
                fence,
                holder: session.id,
                now,
                ttl: lease,
            },
            Said::Started { .. } => JobInput::Started { fence },
        };
        match row.job.step(input) {
            Ok(step) => {
                *changed |= step.next != row.job;
                row.job = step.next;
                taken.push(*token);
            }
            Err(refusal) => {
                if matches!(said, Said::Started { .. }) {
                    return Ok(Err(refusal.into()));
                }
            }
        }
    }
    Ok(Ok(taken))
}

/// Which connections were accepted for the same agent role, as far as it was asked.
#[derive(Default)]
struct Roles(HashMap<ConnectionId, Option<String>>);

impl Roles {
    /// Whether an agent that enrolled through one connection may hold jobs of the other: both are connected, for the same
    /// role.
    async fn serves(
        &mut self,
        unit: &mut Unit<'_>,
        own: ConnectionId,
        other: ConnectionId,
    ) -> Result<bool, AppError> {
        if own == other {
            return Ok(true);
        }
        let (own, other) = (self.of(unit, own).await?, self.of(unit, other).await?);
        Ok(own.is_some() && own == other)
    }

    async fn of(&mut self, unit: &mut Unit<'_>, id: ConnectionId) -> Result<Option<String>, AppError> {
        if let Some(role) = self.0.get(&id) {
            return Ok(role.clone());
        }
        let row = connections::seen(unit.tx, id).await?;
        let connected = row.filter(|row| matches!(row.connection.approval, Approval::Connected(_)));
        let role = connected.map(|row| row.connection.roles.agent_role_name);
        self.0.insert(id, role.clone());
        Ok(role)
    }
}
