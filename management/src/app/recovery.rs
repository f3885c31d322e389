//! The database is older than what the hub has done: it was restored from a backup, or the standby that took over had not
//! got the last commits.
//!
//! What was lost can hurt in three ways. Fences would be given out twice, so that the report of a forgotten lease counted
//! for another one. Agents act on leases, and hold certificates, that nobody remembers. And stacks were changed by
//! deployments of which the hub knows nothing, so that it would put old content over newer without anybody asking.
//!
//! So somebody has to say it ([`App::recover`], `hadron-hub recover`), or the hub notices ([`App::prove_time`], and the
//! high-water mark beside the CA), and until then nothing is given to agents. Saying it begins a new generation: it stands
//! above all fences, every lease and certificate of before is void, and each stack is compared with CloudFormation before
//! anything else is done in its place. All of it is in the database, so that it holds for every replica.

use std::collections::BTreeMap;
use std::time::Duration;

use hadron_domain::connection::Approval;
use hadron_domain::deployment::{DeploymentInput, Phase};
use hadron_domain::job::Job;
use hadron_domain::recovery::{self as rules, Found, Known, Verdict};
use hadron_domain::service::Part;
use hadron_domain::step::Machine;
use hadron_domain::target::Target;
use hadron_proto::vocab::{AccountId, JobId, Region, StackArn, TargetId, Timestamp};

use super::effects::{Inspection, Outcome, topic};
use super::work::{Peer, Token};
use super::{App, AppError, ErrorKind, Notice, Unit};
use crate::store::deployments::DeploymentRow;
use crate::store::jobs::{Abilities, JobRow, JobWork};
use crate::store::recovery::{self, HighWater, LostTime, Progress, Standing};
use crate::store::targets::TargetRow;
use crate::store::{
    StoreError, Topic, Tx, agents, challenges, connections, deployments, jobs, outbox, requests, targets,
};

/// How much later than the hub knows a certificate may end before it shows that a renewal was lost: clocks of replicas may
/// differ by ten minutes, and two enrolments may have crossed.
const CERTIFICATE_SLACK: Duration = Duration::from_secs(11 * 60);
/// Longer than any challenge is open, and as long as certificates live at most.
const A_DAY: Duration = Duration::from_secs(24 * 3600);
/// The command that begins a new generation.
const COMMAND: &str = "hadron-hub recover";

/// What may be leased to a session.
#[derive(Clone, Debug)]
pub(super) struct Leasing {
    pub(super) generation: u64,
    /// The sorts of work.
    pub(super) can: Abilities,
}

impl Leasing {
    /// A fence of the present generation.
    pub(super) const fn fence(&self, number: u64) -> u64 {
        rules::fence(self.generation, number)
    }
}

/// What [`App::recover`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The new generation.
    pub generation: u64,
    /// Connections whose agents have to prove themselves again.
    pub connections: u64,
    /// Sessions that were closed.
    pub sessions: u64,
    /// Leases that were taken back.
    pub leases: u64,
    /// Challenges that were open.
    pub challenges: u64,
    /// Tokens and keys of logins that were ended.
    pub logins: u64,
    /// Stacks that will be compared.
    pub stacks: u64,
    /// Stacks that nobody can compare, since their connection is not connected.
    pub unreachable: u64,
}

/// What came of the wish to recover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// A new generation has begun.
    Begun(Recovered),
    /// The last one has only begun: nothing was given out in it, or it is still being compared.
    UnderWay(RecoveryView),
}

/// Where the hub stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Time was lost, and nobody has said so.
    Unannounced,
    /// Stacks are compared.
    Comparing,
    /// Everything was compared.
    Done,
}

/// How far the hub has got since time was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryView {
    /// Where it stands.
    pub stage: Stage,
    /// How often the database was restored.
    pub generation: u64,
    /// When that was said the last time.
    pub since: Option<Timestamp>,
    /// How many stacks are, or were, to be compared.
    pub stacks: u64,
    /// How many of them were.
    pub compared: u64,
    /// How many were changed by deployments that the hub does not know.
    pub differing: u64,
    /// What is waited for, for people.
    pub waiting: Vec<String>,
}

impl App {
    /// Numbers that only grow. Whoever keeps them outside of the database can tell that it was restored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn high_water(&self) -> Result<HighWater, AppError> {
        self.read("high water", |tx| {
            Box::pin(async move { Ok(recovery::high_water(tx).await?) })
        })
        .await
    }

    /// The database was restored: begins a new generation, greater than `seen` as well. Saying it twice is saying it once,
    /// as long as nothing was given out in between and the comparison is not over; `again` does it all the same.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn recover(&self, seen: Option<HighWater>, again: bool) -> Result<Recovery, AppError> {
        self.write("recover", move |unit| {
            Box::pin(async move {
                let high = recovery::high_water(unit.tx).await?;
                let lost = !recovery::lost(unit.tx).await?.is_empty()
                    || seen.is_some_and(|seen| high.is_behind(&seen));
                let begun = match recovery::seen(unit.tx).await? {
                    Some(progress) if progress.finished_at.is_none() || progress.fence == high.fence => true,
                    Some(_) | None => false,
                };
                if begun && !lost && !again {
                    let view = view(unit.tx).await?;
                    return Ok(Recovery::UnderWay(
                        view.unwrap_or_else(|| RecoveryView::none(high.generation)),
                    ));
                }
                let seen = seen.map_or(0, |seen| seen.generation);
                let begun = begin(unit, high, high.generation.max(seen) + 1).await?;
                Ok(Recovery::Begun(begun))
            })
        })
        .await
    }

    /// Gives up comparing the stacks of an account, for instance since there will never be an agent there again. Gives how
    /// many were not compared.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn skip_inspections(&self, account: AccountId) -> Result<u64, AppError> {
        self.write("skip inspections", move |unit| {
            Box::pin(async move {
                let mut skipped = Vec::new();
                for id in recovery::open_inspections(unit.tx, account).await? {
                    skipped.extend(jobs::get(unit.tx, id).await?);
                    unit.void(id).await?;
                }
                // Jobs before targets, as everywhere: see the documentation of the store.
                for row in &skipped {
                    unit.after_inspection(row);
                    let why = "an administrator of the hub decided not to wait for it";
                    unit.not_compared(row, why).await?;
                }
                let skipped = skipped.len() as u64;
                let object = account.to_string();
                audit(
                    unit,
                    "SkipInspections",
                    &object,
                    &format!("{skipped} stacks were not compared"),
                )
                .await?;
                unit.finish_recovery().await?;
                Ok(skipped)
            })
        })
        .await
    }

    /// Where the hub stands; `None` when no time was ever lost. For whoever may see the summary.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recovery(&self) -> Result<Option<RecoveryView>, AppError> {
        self.read("recovery", |tx| Box::pin(view(tx))).await
    }

    /// Somebody is certain that the database is older than what the hub has done. Nothing is given to any agent until a new
    /// generation begins.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn time_was_lost(&self, why: String) -> Result<(), AppError> {
        self.write("lost time", move |unit| {
            Box::pin(async move {
                let at = unit.now;
                tracing::error!(
                    "{why}: the database was restored to an earlier state. No job is given to any agent until it is \
                     announced; next: {COMMAND}"
                );
                recovery::put_lost(unit.tx, None, &LostTime { at, why }).await?;
                unit.tx.after_commit(Topic::Changes);
                Ok(())
            })
        })
        .await
    }

    /// Compares what an agent shows with what the hub has given out. A certificate is the hub's own word: one that the hub
    /// does not remember proves that time was lost, and nothing is leased anywhere. A fence is only the agent's word: one
    /// that its job never had, or that was never drawn where the job is not known any more, stops the agent's own place and
    /// nobody else's.
    ///
    /// # Errors
    /// When time was lost, as far as the certificate tells.
    pub async fn prove_time(
        &self,
        peer: &Peer,
        not_after: Timestamp,
        held: &[Token],
    ) -> Result<(), AppError> {
        let (who, shown) = (peer.clone(), held.to_vec());
        let (agent, ahead, announced) = self
            .read("prove time", move |tx| {
                Box::pin(async move {
                    let agent = agents::get(tx, who.agent).await?;
                    let announced = recovery::seen(tx).await?.map(|progress| progress.at);
                    Ok((agent, ahead_of(tx, who.account, &shown).await?, announced))
                })
            })
            .await?;
        // From a time of which it is known that it was lost.
        let old = announced.is_some_and(|at| not_after <= at.plus(A_DAY).plus(CERTIFICATE_SLACK));
        let forgotten = match &agent {
            _ if old => None,
            None => Some(format!(
                "agent {} of account {} has a certificate of this hub, and the database knows no such agent",
                peer.agent, peer.account
            )),
            Some(row) if row.not_after.plus(CERTIFICATE_SLACK) < not_after => Some(format!(
                "agent {} of account {} has a certificate of this hub until {not_after}, and the last that the database \
                 knows ended at {}",
                peer.agent, peer.account, row.not_after
            )),
            Some(_) => None,
        };
        if let Some(why) = forgotten {
            self.time_was_lost(why.clone()).await?;
            return Err(AppError::new(ErrorKind::Denied, "LOST_TIME", why).help(format!(
                "on a machine of the hub: {COMMAND}; agents enrol again by themselves"
            )));
        }
        let Some(row) = agent else { return Ok(()) };
        if let Some((fence, latest)) = ahead {
            let (account, region) = (row.account, row.region);
            let why = format!(
                "an agent of account {account} in {region} shows fence {fence}, and the last that the database knows is {latest}"
            );
            self.write("lost time", move |unit| {
                Box::pin(async move {
                    let lost = LostTime { at: unit.now, why };
                    if recovery::put_lost(unit.tx, Some((account, &region)), &lost).await? {
                        tracing::error!(
                            "{}: if the database was restored to an earlier state, say so with `{COMMAND}`. No job is given \
                             to agents of that account and Region before",
                            lost.why
                        );
                        unit.tx.after_commit(Topic::Changes);
                    }
                    Ok(())
                })
            })
            .await?;
        }
        Ok(())
    }
}

/// A fence that the database cannot have given out, and the latest that it can: of the job itself where it is known, since
/// blocks are drawn ahead of what is given out.
async fn ahead_of(
    tx: &mut Tx,
    account: AccountId,
    shown: &[Token],
) -> Result<Option<(u64, u64)>, StoreError> {
    if shown.is_empty() {
        return Ok(None);
    }
    let ids: Vec<JobId> = shown.iter().map(|token| token.job).collect();
    let known: BTreeMap<JobId, u64> = jobs::get_many(tx, &ids)
        .await?
        .into_iter()
        .filter(|row| row.account == account)
        .map(|row| (row.job.id, row.job.fence))
        .collect();
    let high = recovery::high_water(tx).await?;
    let drawn = rules::fence(high.generation, high.fence);
    Ok(shown
        .iter()
        .map(|token| (token.fence, known.get(&token.job).copied().unwrap_or(drawn)))
        .find(|(fence, latest)| fence > latest))
}

impl RecoveryView {
    /// How many stacks are still to be compared.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.stacks.saturating_sub(self.compared)
    }

    const fn none(generation: u64) -> Self {
        Self {
            stage: Stage::Done,
            generation,
            since: None,
            stacks: 0,
            compared: 0,
            differing: 0,
            waiting: Vec::new(),
        }
    }
}

async fn audit(unit: &mut Unit<'_>, action: &str, object: &str, detail: &str) -> Result<(), AppError> {
    let hub = hadron_domain::principal::Principal::hub();
    let at = unit.now;
    Ok(requests::audit(unit.tx, at, hub.as_str(), None, action, object, "done", detail).await?)
}

async fn begin(unit: &mut Unit<'_>, high: HighWater, generation: u64) -> Result<Recovered, AppError> {
    let mut done = Recovered {
        generation,
        ..Recovered::default()
    };
    // Whoever leases, and whoever reports, shares the connection's row: when all are held, nobody does either.
    let mut connected = std::collections::BTreeSet::new();
    for id in recovery::connections(unit.tx).await? {
        let Some(mut row) = connections::get(unit.tx, id).await? else {
            continue;
        };
        row.connection.epoch += generation;
        connections::put(unit.tx, &row).await?;
        if matches!(row.connection.approval, Approval::Connected(_)) {
            connected.insert(id);
        }
        let why = "the hub's database was restored; enrol again".to_owned();
        unit.notify(Notice::Close { connection: id, why });
        done.connections += 1;
    }
    // What an earlier recovery has not compared is compared anew.
    recovery::void_inspections(unit.tx, unit.now).await?;
    done.leases = recovery::void_leases(unit.tx, rules::fence(generation, 0), unit.now).await?;
    done.sessions = recovery::close_sessions(unit.tx).await?;
    done.challenges = challenges::forget(unit.tx, unit.now.plus(A_DAY)).await?;
    let (tokens, keys) = recovery::end_logins(unit.tx).await?;
    done.logins = tokens + keys;
    for target in recovery::stacks(unit.tx).await? {
        if connected.contains(&target.connection) {
            unit.inspect(&target).await?;
            done.stacks += 1;
        } else {
            done.unreachable += 1;
        }
    }
    let progress = Progress {
        at: unit.now,
        fence: high.fence,
        stacks: done.stacks,
        differing: 0,
        finished_at: (done.stacks == 0).then_some(unit.now),
    };
    recovery::put_generation(unit.tx, generation).await?;
    recovery::forget_lost(unit.tx).await?;
    recovery::put_progress(unit.tx, &progress).await?;
    outbox::ask(unit.tx, topic::GRANTS, topic::ALL, unit.now).await?;
    let detail = format!(
        "{} connections, {} sessions, {} leases, {} challenges and {} logins ended; {} stacks to be compared, {} out of reach",
        done.connections,
        done.sessions,
        done.leases,
        done.challenges,
        done.logins,
        done.stacks,
        done.unreachable
    );
    audit(unit, "Recover", &format!("generation {generation}"), &detail).await?;
    unit.tx.after_commit(Topic::Changes);
    tracing::warn!(generation, "The database was restored: {detail}");
    Ok(done)
}

async fn view(tx: &mut crate::store::Tx) -> Result<Option<RecoveryView>, AppError> {
    let (lost, progress) = (recovery::lost(tx).await?, recovery::seen(tx).await?);
    let generation = recovery::generation(tx).await?;
    if lost.is_empty() && progress.is_none() {
        return Ok(None);
    }
    let mut view = RecoveryView::none(generation);
    let mut open = 0;
    if let Some(progress) = &progress {
        for place in recovery::waiting(tx).await? {
            open += place.stacks;
            let agent = agents::latest(tx, place.account, &place.region).await?;
            let agent = match agent.filter(|agent| agent.session.is_some()) {
                Some(agent) => format!("its agent (version {}) is connected", agent.version),
                None => "no agent of it is connected".to_owned(),
            };
            view.waiting.push(format!(
                "{} stacks of account {} in {}: {agent}",
                place.stacks, place.account, place.region
            ));
        }
        view.since = Some(progress.at);
        view.stacks = progress.stacks;
        view.compared = progress.stacks.saturating_sub(open);
        view.differing = progress.differing;
        if open > 0 {
            view.stage = Stage::Comparing;
        }
    }
    if !lost.is_empty() {
        view.stage = Stage::Unannounced;
        view.waiting = lost
            .into_iter()
            .map(|lost| format!("{} (noticed at {}); next: {COMMAND}", lost.why, lost.at))
            .collect();
    }
    Ok(Some(view))
}

impl Unit<'_> {
    /// What may be leased to an agent of this place; `None` for nothing at all.
    pub(super) async fn leasing(
        &mut self,
        standing: &Standing,
        account: AccountId,
        region: &Region,
        can: &Abilities,
    ) -> Result<Option<Leasing>, AppError> {
        if standing.lost {
            return Ok(None);
        }
        let only_look = standing.comparing && recovery::comparing(self.tx, account, region).await?;
        let can = if only_look { can.inspecting() } else { can.clone() };
        Ok(Some(Leasing {
            generation: standing.generation,
            can,
        }))
    }

    /// Has a target's stack compared.
    async fn inspect(&mut self, target: &TargetRow) -> Result<(), AppError> {
        let job = JobRow {
            job: Job::new(self.fresh_id(), self.now),
            account: target.account,
            region: target.region.clone(),
            connection: target.connection,
            deployment: None,
            label: format!("stack of {}", target.target),
            work: JobWork::InspectStack {
                target: target.id,
                name: target.stack_name.clone(),
                arn: target.stack_arn.clone(),
            },
            created_at: self.now,
        };
        Ok(jobs::insert(self.tx, &job).await?)
    }

    /// A stack was looked at, or could not be.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(super) async fn inspected(&mut self, job: &JobRow, outcome: Outcome) -> Result<(), AppError> {
        match outcome {
            Outcome::Inspected(found) => Box::pin(self.compare(job, found)).await?,
            Outcome::Failed { message, .. } => self.not_compared(job, &message).await?,
            Outcome::Applied { .. }
            | Outcome::Gone
            | Outcome::Revoked
            | Outcome::PullPolicySet { .. }
            | Outcome::EventsPut { .. }
            | Outcome::CheckpointsPut { .. }
            | Outcome::BundleFetched { .. } => {
                self.not_compared(job, "the agent reported the outcome of another sort of job")
                    .await?;
            }
        }
        self.after_inspection(job);
        self.finish_recovery().await
    }

    /// Perhaps it was the last of its place: what waited there may be taken then.
    fn after_inspection(&mut self, job: &JobRow) {
        self.tx.after_commit(Topic::Jobs {
            account: job.account,
            region: job.region.clone(),
        });
    }

    async fn finish_recovery(&mut self) -> Result<(), AppError> {
        // Locks the row: of two that end the last two comparisons, one sees that it was the last.
        let Some(mut progress) = recovery::progress(self.tx).await? else {
            return Ok(());
        };
        if progress.finished_at.is_none() && recovery::waiting(self.tx).await?.is_empty() {
            progress.finished_at = Some(self.now);
            recovery::put_progress(self.tx, &progress).await?;
            tracing::info!(
                stacks = progress.stacks,
                differing = progress.differing,
                "Every stack was compared with CloudFormation"
            );
        }
        self.tx.after_commit(Topic::Changes);
        Ok(())
    }

    async fn inspected_target(&mut self, job: &JobRow) -> Result<Option<TargetRow>, AppError> {
        match target_of(job) {
            Some(target) => Ok(targets::by_id(self.tx, target).await?),
            None => Ok(None),
        }
    }

    /// The active deployment of a target, locked, and its job before it.
    async fn active(&mut self, target: TargetId) -> Result<Option<DeploymentRow>, AppError> {
        let Some(row) = deployments::active_of(self.tx, target).await? else {
            return Ok(None);
        };
        if let Phase::Running { job, .. } | Phase::Cancelling { job, .. } = &row.deployment.phase {
            jobs::get(self.tx, *job).await?;
        }
        let row = deployments::get(self.tx, row.deployment.id).await?;
        Ok(row.filter(|row| row.deployment.is_active()))
    }

    async fn not_compared(&mut self, job: &JobRow, why: &str) -> Result<(), AppError> {
        tracing::warn!(account = %job.account, region = %job.region, "The {} was not compared: {why}", job.label);
        let Some(mut target) = self.inspected_target(job).await? else {
            return Ok(());
        };
        let warning = format!(
            "the hub's database was restored, and the stack could not be compared with what it was then: {why}"
        );
        if !target.warnings.contains(&warning) {
            target.warnings.push(warning);
            targets::put(self.tx, &mut target).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, job: &JobRow, found: Inspection) -> Result<(), AppError> {
        let Some(id) = target_of(job) else {
            return Ok(());
        };
        let mut known_ones = std::collections::BTreeSet::new();
        for deployment in &found.deployments {
            if recovery::knows(self.tx, id, *deployment).await? {
                known_ones.insert(*deployment);
            }
        }
        let active = self.active(id).await?;
        let Some(mut target) = targets::by_id(self.tx, id).await? else {
            return Ok(());
        };
        let foreign = |stack: &StackArn| {
            stack.account() != job.account
                || *stack.region() != job.region
                || stack.name() != target.stack_name
        };
        if let Some(other) = found.stack.as_ref().filter(|stack| foreign(stack)) {
            let why = format!("the agent's report makes no sense: {other} is another stack");
            return self.not_compared(job, &why).await;
        }
        if !found.removed.is_empty() {
            tracing::warn!(
                account = %job.account, region = %job.region, change_sets = found.removed.join(", "),
                "Change sets of {} that nobody had executed were taken away", target.target
            );
        }
        let known = Known {
            ever_succeeded: target.ever_succeeded,
            condemned: target.condemned,
            active: active
                .as_ref()
                .map(|row| (row.deployment.id, row.deployment.intent)),
        };
        let seen = Found {
            status: found.status.clone(),
            deployments: found.deployments,
        };
        let told = match rules::judge(known, &seen, |id| known_ones.contains(&id)) {
            Verdict::AsKnown => return Ok(()),
            Verdict::Changed { by } => {
                if found.stack.is_some() {
                    target.stack_arn = found.stack;
                }
                // Leave to delete it may still be out: nothing may build on it.
                target.condemned |= seen.is_deleted();
                target.ever_succeeded |= seen.once_good();
                let status = seen.status.as_deref().unwrap_or("in an unknown state");
                format!("deployment {by} changed its stack after that, which is {status} now")
            }
            Verdict::Gone { by } => {
                // The next deployment makes a new one.
                target.condemned = true;
                let by = by.map_or_else(|| "somebody".to_owned(), |by| format!("deployment {by}"));
                format!("{by} deleted its stack after that")
            }
        };
        self.differs(target, active, &told).await
    }

    /// A target's stack is not what the hub thinks that it is.
    async fn differs(
        &mut self,
        mut target: TargetRow,
        active: Option<DeploymentRow>,
        told: &str,
    ) -> Result<(), AppError> {
        let message = format!(
            "the hub's database was restored to an earlier state, and {told}; the hub does not know with what. What is \
             recorded here is older than what is there"
        );
        tracing::warn!(account = %target.account, region = %target.region, "{}: {message}", target.target);
        let ways = ways_out(&target.target);
        target.part = if target.part == Part::DeleteFailed {
            Part::DeleteFailed
        } else {
            Part::Bad
        };
        target.status = if target.part == Part::DeleteFailed {
            "DELETE_FAILED"
        } else {
            "FAILED"
        }
        .to_owned();
        target.message.clone_from(&message);
        target.ways_out.clone_from(&ways);
        targets::put(self.tx, &mut target).await?;
        // Its active deployment had ended before the other one began: doing it now would put old content over newer.
        if let Some(mut row) = active {
            let (why, at) = (message.clone(), self.now);
            let input = match &row.deployment.phase {
                Phase::Waiting { .. } => DeploymentInput::GrantBlocked { why, at },
                Phase::Running { job, .. } | Phase::Cancelling { job, .. } => {
                    DeploymentInput::Failed { job: *job, why, at }
                }
                Phase::Ended { .. } => return Err(AppError::internal("an ended deployment is active")),
            };
            let step = row.deployment.step(input).map_err(AppError::internal)?;
            row.deployment = step.next;
            self.carry_out(&mut row, step.effects, None).await?;
            row.ways_out.clone_from(&ways);
            deployments::put(self.tx, &mut row).await?;
            // The end of the deployment wrote down what the deployment knew of the stack, which is less.
            if let Some(mut ended) = targets::by_id(self.tx, target.id).await? {
                ended.ways_out = ways;
                ended.stack_arn.clone_from(&target.stack_arn);
                ended.condemned = target.condemned;
                targets::put(self.tx, &mut ended).await?;
            }
        } else if let Target::Instance(service, _) | Target::Pipeline(service) = &target.target {
            outbox::ask(self.tx, topic::SERVICE, service.as_str(), self.now).await?;
        }
        if let Some(mut progress) = recovery::progress(self.tx).await? {
            progress.differing += 1;
            recovery::put_progress(self.tx, &progress).await?;
        }
        Ok(())
    }
}

/// Whose stack a job compares.
const fn target_of(job: &JobRow) -> Option<TargetId> {
    match &job.work {
        JobWork::InspectStack { target, .. } => Some(*target),
        _ => None,
    }
}

/// What can be done about a stack that the hub does not know.
fn ways_out(target: &Target) -> Vec<String> {
    let (noun, name) = (target.kind(), target.name());
    let flag = match target {
        Target::Component(_) => {
            "with the template that it had last: hadron component update NAME --template FILE"
                .replace("NAME", &name)
        }
        Target::Environment(_) | Target::Instance(..) | Target::Pipeline(_) => {
            format!("with the spec that it had last: hadron {noun} update {name} --spec SPEC")
        }
    };
    vec![
        flag,
        format!("or put back what is recorded here: hadron {noun} update {name} --redeploy"),
    ]
}
