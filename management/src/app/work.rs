//! What agents ask of the hub: sessions, leases, leave to act, reports.
//!
//! Who an agent is comes from its certificate and from nothing else. Every statement is checked, in its own transaction,
//! against the connection (still connected, same epoch) and the job (same account and Region, latest fence): when trust has
//! ended, nothing that an agent says has any effect, whatever stream it still holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hadron_domain::connection::Approval;
use hadron_domain::deployment::{Authorised, DeploymentInput, Done, Intent};
use hadron_domain::job::{Job, JobEffect, JobInput, JobRefusal, JobState};
use hadron_domain::step::Machine;
use hadron_domain::target::RoleKind;
use hadron_proto::vocab::{
    AccountId, AgentId, ConnectionId, DeploymentId, Digest, JobId, Region, RoleArn, SessionId, StackArn,
    Timestamp,
};
use hadron_templates::{Given, Question, SignedSource};

use super::effects::Outcome;
use super::fences::Fences;
use super::tags::facts_of;
use super::{App, AppError, ErrorKind, Notice, Unit, components, environments, settings};
use crate::store::acting::{self, Acting};
use crate::store::agents::Standing;
use crate::store::connections::ConnectionRow;
use crate::store::deployments::{Change, DeploymentRow, Source, StackEvent};
use crate::store::jobs::{Abilities, EventEntry, JobRow, JobWork, LockedLines};
use crate::store::templates::S3Object;
use crate::store::{Topic, agents, connections, deployments, jobs, requests, targets, templates};

/// An agent, as its certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The agent.
    pub agent: AgentId,
    /// The account that it proved.
    pub account: AccountId,
    /// The connection that it enrolled through.
    pub connection: ConnectionId,
}

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub peer: Peer,
    /// The agent's Region.
    pub region: Region,
    /// What the agent said that it can do.
    pub abilities: Abilities,
}

/// Names a job and proves that the speaker holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The job.
    pub job: JobId,
    /// The fence of the lease.
    pub fence: u64,
}

/// A job, leased to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The job and its fence.
    pub token: Token,
    /// How often it has been leased.
    pub attempt: u32,
    /// The deployment that it works for.
    pub deployment: Option<DeploymentId>,
    /// What it is about, for people.
    pub label: String,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// What to do.
    pub work: OfferedWork,
    /// The trace that it belongs to, as a `traceparent`; empty: none.
    pub trace: String,
}

/// What an offered job asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferedWork {
    /// Create or update a stack.
    Apply {
        /// The stack.
        stack: OfferedStack,
        /// Digest and length of the template.
        template: (Digest, u64),
        /// Stack tags.
        tags: Vec<(String, String)>,
        /// What CloudFormation has to be allowed.
        capabilities: Vec<String>,
        /// The resource types of the template.
        resource_types: Vec<String>,
        /// What the template was rendered from is kept, and publishers have signed it.
        has_source: bool,
    },
    /// Delete a stack.
    Destroy {
        /// The stack.
        stack: OfferedStack,
        /// Resources to leave behind.
        retain: Vec<String>,
    },
    /// Take away what a cancelled deployment could still do.
    Revoke {
        /// The stack.
        stack: OfferedStack,
    },
    /// Write a repository's pull policy.
    SetPullPolicy {
        /// The repository.
        repository: String,
        /// Who shall be able to pull.
        readers: Vec<AccountId>,
    },
    /// Put events onto a bus.
    PutEvents {
        /// The name or ARN of the bus.
        bus: String,
        /// The events.
        entries: Vec<EventEntry>,
    },
    /// Put checkpoints of the audit log into a bucket with Object Lock.
    PutCheckpoints(LockedLines),
    /// Read a template bundle and hand it over.
    FetchBundle {
        /// Where it is.
        source: S3Object,
        /// Larger ones are not read.
        max_bytes: u64,
    },
    /// Tell what a stack is and who changed it, once nobody can execute anything of a lost time any more.
    Inspect {
        /// Its name.
        name: String,
        /// Its ARN, when it is known.
        arn: Option<StackArn>,
    },
}

/// A stack, as a job names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedStack {
    /// Its name.
    pub name: String,
    /// Its ARN, when it is known.
    pub arn: Option<StackArn>,
    /// No deployment of it has succeeded yet.
    pub never_succeeded: bool,
    /// For what sort of stack the role is.
    pub role_kind: RoleKind,
    /// The role to pass to CloudFormation.
    pub role: Option<RoleArn>,
}

/// The irrevocable act that an agent asks leave for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Execute a change set.
    Execute {
        /// The stack.
        stack: StackArn,
        /// The change set.
        change_set_arn: String,
        /// Digest of the changes.
        digest: Digest,
        /// The changes.
        changes: Vec<Change>,
    },
    /// Delete a stack.
    Delete {
        /// The stack.
        stack: StackArn,
    },
}

/// The hub's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Granted,
    /// Do not, and why.
    Refused(String),
}

/// How long a session waits before it looks again while nothing is leased to it, after a restore.
const RECOVERING: Duration = Duration::from_secs(2);

/// Jobs that were just leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The jobs.
    pub offers: Vec<Offer>,
    /// When the next one of the lane may be taken that could not be taken now, if there is one.
    pub next: Option<Duration>,
}

/// What kind of content an agent fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The rendered template of the job's deployment.
    Template,
    /// The bundle that it was rendered from.
    Bundle,
    /// Everything that it was rendered from, where publishers have signed that.
    Source,
}

pub(super) fn distrusted() -> AppError {
    AppError::new(
        ErrorKind::Denied,
        "CONNECTION_CLOSED",
        "the agent's connection is not connected any more",
    )
    .help("request a new connection from this account and have it accepted")
}

/// The agent has a newer session.
#[must_use]
pub fn displaced() -> AppError {
    AppError::new(
        ErrorKind::Fenced,
        "DISPLACED",
        "a newer session of this agent has taken over",
    )
}

pub(super) fn unknown_job() -> AppError {
    AppError::new(ErrorKind::NotFound, "JOB_NOT_FOUND", "there is no such job")
}

impl From<JobRefusal> for AppError {
    fn from(refusal: JobRefusal) -> Self {
        Self::new(ErrorKind::Fenced, "FENCED", refusal.to_string())
    }
}

/// Whether a session may go on.
///
/// # Errors
/// Says why its stream has to be closed.
pub fn may_go_on(session: &Session, standing: &Standing) -> Result<(), AppError> {
    if !standing.trusted || standing.connection != session.peer.connection {
        Err(distrusted())
    } else if standing.session == Some(session.id) {
        Ok(())
    } else {
        Err(displaced())
    }
}

/// The connection of a peer, if it may still act.
async fn trusted(unit: &mut Unit<'_>, peer: &Peer) -> Result<(agents::AgentRow, ConnectionRow), AppError> {
    may_act(peer, acting::of(unit.tx, peer.agent, peer.connection).await?)
}

fn may_act(peer: &Peer, found: Acting) -> Result<(agents::AgentRow, ConnectionRow), AppError> {
    let agent = found.agent.ok_or_else(distrusted)?;
    let connection = found.connection.ok_or_else(distrusted)?;
    let connected = matches!(connection.connection.approval, Approval::Connected(_));
    let same = agent.connection == peer.connection
        && agent.account == peer.account
        && connection.connection.account == peer.account
        && connection.connection.epoch == agent.epoch;
    if connected && same {
        Ok((agent, connection))
    } else {
        Err(distrusted())
    }
}

/// The job of a token, if it is one of the peer's account, and if the job's own connection is connected and for the same
/// agent role. Where that has changed since the agent took the job, it is not the agent's any more; the agent itself, whose
/// own connection is fine, goes on.
pub(super) async fn job_of(unit: &mut Unit<'_>, peer: &Peer, job: JobId) -> Result<JobRow, AppError> {
    let (found, of_job) = acting::on_job(unit.tx, peer.agent, peer.connection, peer.account, job).await?;
    let (agent, own) = may_act(peer, found)?;
    let (account, region) = (agent.account, &agent.region);
    // Connections before jobs, as everywhere: see the documentation of the store.
    let connection = match of_job {
        Some(id) if id == own.connection.id => own.clone(),
        Some(id) => connections::shared(unit.tx, id).await?.ok_or_else(unknown_job)?,
        None => return Err(unknown_job()),
    };
    let row = jobs::get_of(unit.tx, job, account, region)
        .await?
        .ok_or_else(unknown_job)?;
    let connected = matches!(connection.connection.approval, Approval::Connected(_));
    let same_role = connection.connection.roles.agent_role_name == own.connection.roles.agent_role_name;
    if connected && same_role {
        Ok(row)
    } else {
        Err(unknown_job())
    }
}

impl App {
    /// Opens a session for an agent. An older session of the same agent is displaced. Leases that the agent still holds
    /// from earlier sessions go over to this one.
    ///
    /// # Errors
    /// When the connection is not connected any more.
    pub async fn open_session(
        &self,
        peer: &Peer,
        version: &str,
        abilities: Abilities,
        held: Vec<Token>,
    ) -> Result<(Session, Vec<Token>), AppError> {
        let (peer, version) = (peer.clone(), version.to_owned());
        self.write("open session", move |unit| {
            Box::pin(async move {
                let (agent, _) = trusted(unit, &peer).await?;
                if let Some(session) = agent.session {
                    unit.notify(Notice::Displaced { session });
                    // At another hub, perhaps: sessions of this lane look again.
                    unit.tx.after_commit(Topic::Jobs {
                        account: agent.account,
                        region: agent.region.clone(),
                    });
                }
                let id = unit.fresh_id();
                agents::open_session(unit.tx, agent.id, id, &version, unit.now).await?;
                let session = Session {
                    id,
                    region: agent.region.clone(),
                    abilities,
                    peer,
                };
                let resumed = renew(unit, &session, &held).await?;
                hadron_proto::fault::point("C74");
                Ok((session, resumed))
            })
        })
        .await
    }

    /// The stream of a session has ended. Its leases stay until they run out: the agent may come back in time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn close_session(&self, session: &Session) -> Result<(), AppError> {
        let id = session.id;
        self.write("close session", move |unit| {
            Box::pin(async move { Ok(agents::close_session(unit.tx, id, unit.now).await?) })
        })
        .await
    }

    /// Whether a session is still the agent's present one and its connection still connected.
    ///
    /// # Errors
    /// Says why the stream has to be closed.
    pub async fn check_session(&self, session: &Session) -> Result<(), AppError> {
        let session = session.clone();
        self.read("check session", move |tx| {
            Box::pin(async move {
                let found = agents::standing_of(tx, &[session.peer.agent]).await?;
                let standing = found.first().ok_or_else(distrusted)?;
                may_go_on(&session, standing)
            })
        })
        .await
    }

    /// Leases up to `limit` jobs to a session.
    ///
    /// # Errors
    /// When the connection is not connected any more.
    pub async fn take(&self, session: &Session, limit: u32) -> Result<Vec<Offer>, AppError> {
        Ok(self.take_or_wait(session, limit).await?.offers)
    }

    /// When the first job of a session's lane may be taken: zero when it may be now, `None` when there is none. Whether it
    /// is one for this session, only taking it tells.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_job(&self, session: &Session) -> Result<Option<Duration>, AppError> {
        let (account, region) = (session.peer.account, session.region.clone());
        self.read("first job", move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                let first = jobs::next_ready_at(tx, account, &region, Timestamp::from_micros(0)).await?;
                Ok(first.map(|at| at.since(now)))
            })
        })
        .await
    }

    /// Leases up to `limit` jobs to a session, and says when there will be more.
    ///
    /// # Errors
    /// When the connection is not connected any more.
    pub async fn take_or_wait(&self, session: &Session, limit: u32) -> Result<Taken, AppError> {
        let session = session.clone();
        let taken = self.write("take jobs", move |unit| {
            Box::pin(async move {
                let Session { peer, region, .. } = &session;
                let (found, standing, open) =
                    acting::for_jobs(unit.tx, peer.agent, peer.connection, peer.account, region).await?;
                let (agent, own) = may_act(peer, found)?;
                // One that was closed for its silence, and speaks after all, is not displaced.
                if agent.session.is_some_and(|present| present != session.id) {
                    return Err(displaced());
                }
                let leasing = unit
                    .leasing(&standing, agent.account, &agent.region, &session.abilities)
                    .await?;
                let Some(leasing) = leasing else {
                    // Nobody wakes the session when it may take jobs again.
                    let (offers, next) = (Vec::new(), Some(RECOVERING));
                    return Ok((Taken { offers, next }, Fences::default()));
                };
                // An agent serves other connections of its account only if they were accepted for the same role.
                let role = &own.connection.roles.agent_role_name;
                let serves = |row: &ConnectionRow| {
                    matches!(row.connection.approval, Approval::Connected(_))
                        && row.connection.roles.agent_role_name == *role
                };
                let served: BTreeMap<ConnectionId, ConnectionRow> = open
                    .into_iter()
                    .filter(serves)
                    .map(|row| (row.connection.id, row))
                    .collect();
                let ids: Vec<ConnectionId> = served.keys().copied().collect();
                let (region, can) = (&agent.region, &leasing.can);
                let mut ready =
                    jobs::ready(unit.tx, &ids, agent.account, region, can, unit.now, limit).await?;
                ready.sort_by_key(|row| (since(&row.job), row.job.id));
                let mut fences = unit.fences(ready.len());
                let mut offers = Vec::with_capacity(ready.len());
                for mut row in ready {
                    let Some(connection) = served.get(&row.connection) else {
                        continue;
                    };
                    let fence = fences.next(unit.tx, &leasing, row.job.fence).await?;
                    let ttl = unit.settings().lease;
                    let take = JobInput::Take {
                        holder: session.id,
                        fence,
                        now: unit.now,
                        ttl,
                    };
                    row.job = row.job.step(take)?.next;
                    let offer = self::offer(unit, &row, connection).await?;
                    jobs::put(unit.tx, &row).await?;
                    hadron_proto::fault::point("C18");
                    offers.push(offer);
                }
                let next = jobs::next_ready_at(unit.tx, agent.account, region, unit.now).await?;
                let next = next.map(|at| at.since(unit.now));
                Ok((Taken { offers, next }, fences))
            })
        });
        let (taken, fences) = taken.await?;
        // Only now: what was drawn in a transaction that is not committed will be drawn again.
        self.0.fences.put(fences);
        if !taken.offers.is_empty()
            && let Err(error) = self.stock_fences().await
        {
            tracing::debug!(error = error.story(), "no fences could be drawn ahead");
        }
        Ok(taken)
    }

    /// The agent gives the job back.
    ///
    /// # Errors
    /// When the token is not current.
    pub async fn handover(&self, peer: &Peer, token: Token, step: &str) -> Result<(), AppError> {
        let (peer, step) = (peer.clone(), step.to_owned());
        self.write("job handover", move |unit| {
            Box::pin(async move {
                let mut row = job_of(unit, &peer, token.job).await?;
                let given_back = row.job.step(JobInput::Handover {
                    fence: token.fence,
                    now: unit.now,
                })?;
                if given_back.next == row.job || unit.back_to_queue(&mut row, given_back).await? {
                    return Ok(());
                }
                if let Some(id) = row.deployment
                    && let Some(mut deployment) = deployments::get(unit.tx, id).await?
                {
                    let text = if step.is_empty() {
                        "the agent handed its job back".to_owned()
                    } else {
                        format!("the agent handed its job back at step '{step}'")
                    };
                    deployments::tell(unit.tx, &mut deployment, unit.now, Source::Agent, text).await?;
                    deployments::put(unit.tx, &mut deployment).await?;
                    hadron_proto::fault::point("C17");
                }
                Ok(())
            })
        })
        .await
    }

    /// The rendered template of a job that the agent holds, or the bundle that it came from.
    ///
    /// # Errors
    /// When the token is not current, or the job has no such content.
    pub async fn content(&self, peer: &Peer, token: Token, what: Content) -> Result<Vec<u8>, AppError> {
        let peer = peer.clone();
        self.write("fetch content", move |unit| {
            Box::pin(async move {
                let row = job_of(unit, &peer, token.job).await?;
                row.job.step(JobInput::Check { fence: token.fence })?;
                let none = || AppError::invalid("NO_CONTENT", "the job has no such content");
                let id = row.deployment.ok_or_else(none)?;
                let deployment = deployments::get_of(unit.tx, id, row.account)
                    .await?
                    .ok_or_else(unknown_job)?;
                let digest = match what {
                    Content::Template => deployment.rendered.map(|(digest, _)| digest).ok_or_else(none)?,
                    Content::Bundle => {
                        let kind = super::inputs::template_kind(&deployment.target);
                        let name = deployment.template.as_ref().ok_or_else(none)?;
                        templates::get_version(unit.tx, kind, name, deployment.version)
                            .await?
                            .and_then(|version| version.content)
                            .ok_or_else(none)?
                            .archive
                    }
                    Content::Source => {
                        let source = deployments::source(unit.tx, id).await?.ok_or_else(none)?;
                        return signed_source(unit, source).await;
                    }
                };
                requests::blob(unit.tx, digest)
                    .await?
                    .ok_or_else(|| AppError::internal(format!("content {digest} is gone")))
            })
        })
        .await
    }

    /// Leave for the one irrevocable act of a job.
    ///
    /// # Errors
    /// When the token is not current. A refusal for other reasons is a [`Verdict`].
    pub async fn authorise(&self, peer: &Peer, token: Token, act: Act) -> Result<Verdict, AppError> {
        let peer = peer.clone();
        self.write("authorise", move |unit| {
            Box::pin(async move {
                let row = job_of(unit, &peer, token.job).await?;
                row.job.step(JobInput::Check { fence: token.fence })?;
                let id = row.deployment.ok_or_else(unknown_job)?;
                let mut deployment = deployments::get_of(unit.tx, id, row.account)
                    .await?
                    .ok_or_else(unknown_job)?;
                let verdict = leave(unit, &row, &mut deployment, act).await?;
                hadron_proto::fault::point("C35");
                tracing::info!(
                    deployment.id = %id, job.id = %token.job, account = %row.account, region = %row.region,
                    granted = verdict == Verdict::Granted, "the agent of {} asked for leave to act", row.label
                );
                Ok(verdict)
            })
        })
        .await
    }

    /// Stack events as they appear; those that were told before are passed over.
    ///
    /// # Errors
    /// When the token is not current.
    pub async fn events(&self, peer: &Peer, token: Token, events: Vec<StackEvent>) -> Result<(), AppError> {
        let peer = peer.clone();
        self.write("stack events", move |unit| {
            Box::pin(async move {
                let row = job_of(unit, &peer, token.job).await?;
                row.job.step(JobInput::Check { fence: token.fence })?;
                let id = row.deployment.ok_or_else(unknown_job)?;
                let mut deployment = deployments::get_of(unit.tx, id, row.account)
                    .await?
                    .ok_or_else(unknown_job)?;
                deployments::tell_stack(unit.tx, &mut deployment, &events).await?;
                deployments::put(unit.tx, &mut deployment).await?;
                hadron_proto::fault::point("C75");
                Ok(())
            })
        })
        .await
    }

    /// How a job ended.
    ///
    /// # Errors
    /// When the token is not current. The same report twice is fine.
    pub async fn report(&self, peer: &Peer, token: Token, outcome: Outcome) -> Result<(), AppError> {
        let peer = peer.clone();
        self.write("report", move |unit| {
            Box::pin(async move {
                let mut row = job_of(unit, &peer, token.job).await?;
                let step = row.job.step(JobInput::Report {
                    fence: token.fence,
                    now: unit.now,
                })?;
                row.job = step.next;
                if !step.effects.contains(&JobEffect::Accept) {
                    return Ok(());
                }
                jobs::put(unit.tx, &row).await?;
                hadron_proto::fault::point("C37");
                unit.job_ended(&row, outcome).await
            })
        })
        .await
    }
}

/// Since when a job waits.
const fn since(job: &Job) -> Option<Timestamp> {
    match job.state {
        JobState::Ready { not_before } => Some(not_before),
        JobState::Leased { .. } | JobState::Finished { .. } | JobState::Void { .. } => None,
    }
}

/// Whether a job, whose fence was checked, may act; if so, that is written down.
async fn leave(
    unit: &mut Unit<'_>,
    row: &JobRow,
    deployment: &mut DeploymentRow,
    act: Act,
) -> Result<Verdict, AppError> {
    let (stack, words, authorised) = match &act {
        Act::Execute {
            stack,
            change_set_arn,
            digest,
            changes,
        } => {
            let words = format!(
                "execution of {change_set_arn} allowed: {} changes ({digest})",
                changes.len()
            );
            (stack, words, Authorised::Execute(change_set_arn.clone()))
        }
        Act::Delete { stack } => (
            stack,
            "deletion of the stack allowed".to_owned(),
            Authorised::Delete(stack.to_string()),
        ),
    };
    if stack.account() != row.account
        || *stack.region() != row.region
        || stack.name() != deployment.stack_name
    {
        return Ok(Verdict::Refused(format!(
            "{stack} is not the stack of this deployment"
        )));
    }
    let deletes = matches!(act, Act::Delete { .. });
    if deletes && deployment.deployment.intent == Intent::Apply && !deployment.never_succeeded {
        // Only what is left of a first deployment that failed may be deleted in order to be made anew.
        return Ok(Verdict::Refused(format!(
            "{stack} is in use, and this deployment does not delete it"
        )));
    }
    let input = DeploymentInput::Authorise {
        job: row.job.id,
        act: authorised,
    };
    let step = match deployment.deployment.step(input) {
        Ok(step) => step,
        Err(refusal) => return Ok(Verdict::Refused(refusal.to_string())),
    };
    deployment.deployment = step.next;
    if let Act::Execute { stack, changes, .. } = act {
        deployment.stack_arn = Some(stack);
        deployment.changes = changes;
    }
    deployments::tell(unit.tx, deployment, unit.now, Source::Hub, words).await?;
    unit.carry_out(deployment, step.effects, None).await?;
    deployments::put(unit.tx, deployment).await?;
    Ok(Verdict::Granted)
}

/// Renews leases for a session; those that are not the agent's any more are left out.
async fn renew(unit: &mut Unit<'_>, session: &Session, held: &[Token]) -> Result<Vec<Token>, AppError> {
    let mut renewed = Vec::new();
    // In one order, so that two sessions of one agent do not wait for each other.
    let mut held: Vec<&Token> = held.iter().collect();
    held.sort_by_key(|token| token.job);
    for token in held {
        let mut row = match job_of(unit, &session.peer, token.job).await {
            Ok(row) => row,
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Denied) => continue,
            Err(error) => return Err(error),
        };
        let ttl = unit.settings().lease;
        let input = JobInput::Renew {
            fence: token.fence,
            holder: session.id,
            now: unit.now,
            ttl,
        };
        if let Ok(step) = row.job.step(input) {
            row.job = step.next;
            jobs::put(unit.tx, &row).await?;
            renewed.push(*token);
        }
    }
    Ok(renewed)
}

/// What to tell the agent about a job that it was just given.
async fn offer(unit: &mut Unit<'_>, row: &JobRow, connection: &ConnectionRow) -> Result<Offer, AppError> {
    let Job {
        id, fence, attempts, ..
    } = row.job;
    let mut trace = String::new();
    let work = match (&row.work, row.deployment) {
        (JobWork::SetPullPolicy { repository, readers }, _) => OfferedWork::SetPullPolicy {
            repository: repository.to_string(),
            readers: readers.iter().copied().collect(),
        },
        (JobWork::PutEvents { bus, entries }, _) => OfferedWork::PutEvents {
            bus: bus.clone(),
            entries: entries.clone(),
        },
        (JobWork::PutCheckpoints(lines), _) => OfferedWork::PutCheckpoints(lines.clone()),
        (JobWork::FetchBundle { source, max_bytes }, _) => OfferedWork::FetchBundle {
            source: source.clone(),
            max_bytes: *max_bytes,
        },
        (JobWork::InspectStack { name, arn, .. }, _) => OfferedWork::Inspect {
            name: name.clone(),
            arn: arn.clone(),
        },
        (_, None) => return Err(AppError::internal("a stack job without a deployment")),
        (work, Some(deployment)) => {
            let mut deployment = deployments::get_of(unit.tx, deployment, row.account)
                .await?
                .ok_or_else(unknown_job)?;
            trace.clone_from(&deployment.trace);
            if let Ok(step) = deployment.deployment.step(DeploymentInput::Taken { job: id }) {
                deployment.deployment = step.next;
            }
            deployment.attempt = attempts;
            if attempts > 1 {
                let text = format!("an agent took the job again (attempt {attempts})");
                deployments::tell(unit.tx, &mut deployment, unit.now, Source::Hub, text).await?;
            } else {
                deployments::tell(
                    unit.tx,
                    &mut deployment,
                    unit.now,
                    Source::Hub,
                    "an agent took the job",
                )
                .await?;
            }
            let offered = stack_work(unit, work, &deployment, connection).await?;
            deployments::put(unit.tx, &mut deployment).await?;
            offered
        }
    };
    Ok(Offer {
        token: Token { job: id, fence },
        attempt: attempts,
        deployment: row.deployment,
        label: row.label.clone(),
        account: row.account,
        region: row.region.clone(),
        work,
        trace,
    })
}

async fn stack_work(
    unit: &mut Unit<'_>,
    work: &JobWork,
    deployment: &DeploymentRow,
    connection: &ConnectionRow,
) -> Result<OfferedWork, AppError> {
    let role_kind = deployment.target.role_kind();
    let role = match role_kind {
        RoleKind::Provisioning => {
            environments::service_role(unit, deployment.environment.as_ref(), connection).await?
        }
        RoleKind::Pipeline => settings::pipeline_role(unit.tx, unit.app.settings()).await?,
        RoleKind::Component => match &deployment.environment {
            Some(name) => {
                let own = targets::environment_roles(unit.tx, name).await?;
                components::role(&own, &connection.connection)
            }
            None => None,
        },
    };
    let stack = OfferedStack {
        name: deployment.stack_name.clone(),
        arn: deployment.stack_arn.clone(),
        never_succeeded: deployment.never_succeeded,
        role_kind,
        role,
    };
    Ok(match work {
        JobWork::ApplyStack => OfferedWork::Apply {
            stack,
            template: deployment
                .rendered
                .ok_or_else(|| AppError::internal("an apply without a template"))?,
            tags: tags(unit, deployment).await?,
            capabilities: deployment.capabilities.clone(),
            resource_types: deployment.resource_types.clone(),
            has_source: deployments::source(unit.tx, deployment.deployment.id)
                .await?
                .is_some(),
        },
        JobWork::DestroyStack => OfferedWork::Destroy {
            stack,
            retain: deployment.retain.clone(),
        },
        JobWork::RevokeStack => OfferedWork::Revoke { stack },
        JobWork::SetPullPolicy { .. }
        | JobWork::PutEvents { .. }
        | JobWork::PutCheckpoints(_)
        | JobWork::FetchBundle { .. }
        | JobWork::InspectStack { .. } => {
            return Err(AppError::internal("a job without a stack that has a deployment"));
        }
    })
}

/// What a template was rendered from, with the bundles.
async fn signed_source(unit: &mut Unit<'_>, source: Digest) -> Result<Vec<u8>, AppError> {
    let gone = |digest: Digest| AppError::internal(format!("content {digest} is gone"));
    let text = requests::blob(unit.tx, source)
        .await?
        .ok_or_else(|| gone(source))?;
    let question: Question =
        serde_json::from_slice(&text).map_err(|error| AppError::internal(error.to_string()))?;
    let mut given = Given::new();
    for archive in question.archives() {
        let bytes = requests::blob(unit.tx, archive)
            .await?
            .ok_or_else(|| gone(archive))?;
        given.insert(archive, Arc::new(bytes));
    }
    Ok(SignedSource::new(question, &given).to_bytes())
}

/// Proton's managed tags of provisioned resources: ARNs, except for the account.
async fn tags(unit: &mut Unit<'_>, deployment: &DeploymentRow) -> Result<Vec<(String, String)>, AppError> {
    let settings = unit.settings().clone();
    let template = deployment
        .template
        .as_ref()
        .map(|name| (name, deployment.version));
    let environment = deployment.environment.as_ref();
    let component = deployment
        .target_state
        .as_ref()
        .and_then(|state| state.component.as_ref());
    let shape = component.map(|state| state.shape()).transpose()?;
    let attached = shape.as_ref().and_then(|shape| shape.attached.as_ref());
    let attached = attached.map(|place| (&place.service, &place.instance));
    let facts = facts_of(&settings, &deployment.target, environment, template, attached);
    let mut tags = hadron_domain::tag::provisioned(settings.account, facts);
    // CloudFormation hands stack tags on to the resources, and the policy of the management account's agent lets it write
    // the policies of repositories with this tag only. So bundles made for Proton need no change for their pulls to be granted.
    tags.push(("hadron:managed".to_owned(), "true".to_owned()));
    // The target's own id tells the stacks of two incarnations of one name apart.
    if let Some(target) = targets::seen(unit.tx, deployment.target_id).await? {
        tags.push(("hadron:target".to_owned(), target.id.as_uuid().to_string()));
    }
    Ok(tags)
}

/// How a deployment's job ended, for the deployment's machine.
pub(super) const fn done(outcome: &Outcome) -> Option<Done> {
    match outcome {
        Outcome::Applied { .. } => Some(Done::Applied),
        Outcome::Gone => Some(Done::Gone),
        Outcome::Revoked => Some(Done::Revoked),
        Outcome::PullPolicySet { .. }
        | Outcome::EventsPut { .. }
        | Outcome::CheckpointsPut { .. }
        | Outcome::BundleFetched { .. }
        | Outcome::Inspected(_)
        | Outcome::Failed { .. } => None,
    }
}
