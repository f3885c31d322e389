//! A little world: a hub with one target, three agents, and a CloudFormation that knows stacks and change sets.
//!
//! Hub transactions are atomic, calls to CloudFormation are atomic. Everything else may go wrong: a lease runs out at any
//! point, an agent stops for as long as it likes or for ever, a call is carried out and its answer is lost, an execution
//! or a deletion fails, a person cancels and deploys again, the connection flaps, a deadline passes.

use std::collections::BTreeSet;
use std::time::Duration;

use hadron_domain::deployment::{
    Authorised, Deployment, DeploymentEffect, DeploymentInput, DeploymentRefusal, Done, Ending, Intent,
    Phase, Work,
};
use hadron_domain::job::{Job, JobEffect, JobInput, JobRefusal, JobState};
use hadron_domain::step::{Machine, Step};
use hadron_proto::vocab::{JobId, Timestamp};

use crate::LENGTH;
use crate::common::{Rng, at, id, repository, signed};

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The hub does not look at the fence of a report.
    StaleReports,
    /// Cancelling says CANCELLED at once, whatever the agent was allowed before.
    CancelWithoutRevoke,
    /// Agents execute change sets without asking.
    ExecuteWithoutLeave,
    /// Agents update the stack without a change set.
    UpdateDirectly,
    /// A deletion can be cancelled after leave was given.
    CancelCondemned,
    /// Stacks are deleted by name, and the name is used again.
    DeleteByName,
    /// A later deployment builds on a condemned stack.
    ForgetCondemned,
}

/// What went wrong.
type Outcome = Result<(), String>;

fn wrong<T>(what: impl Into<String>) -> Result<T, String> {
    Err(what.into())
}

/// Deployments are numbered from 0; a stack's ARN is its place in `Cloud::stacks`.
#[derive(Debug)]
struct Stack {
    name: u32,
    alive: bool,
    content: Option<usize>,
    /// Change sets, with the deployment that made them.
    sets: Vec<(u32, usize)>,
    /// The number of the first deployment that may not build on it.
    condemned: Option<usize>,
}

#[derive(Debug, Default)]
struct Cloud {
    stacks: Vec<Stack>,
    next_set: u32,
    /// Deployments in the order in which their content was applied.
    applied: Vec<usize>,
    /// Deployments that deleted a stack with content.
    deleted: Vec<usize>,
}

impl Cloud {
    fn named(&self, name: u32) -> Option<usize> {
        self.stacks
            .iter()
            .position(|stack| stack.alive && stack.name == name)
    }

    fn content(&self, name: u32) -> Option<usize> {
        self.named(name).and_then(|arn| self.stacks[arn].content)
    }

    fn stack(&mut self, name: u32) -> usize {
        self.named(name).unwrap_or_else(|| {
            self.stacks.push(Stack {
                name,
                alive: true,
                content: None,
                sets: Vec::new(),
                condemned: None,
            });
            self.stacks.len() - 1
        })
    }
}

#[derive(Debug)]
struct Queued {
    job: Job,
    dep: usize,
    work: Work,
}

#[derive(Debug)]
struct Hub {
    fault: Fault,
    now: u64,
    fence: u64,
    next_id: u64,
    deployments: Vec<Deployment>,
    /// The stack name that each deployment works on.
    names: Vec<u32>,
    jobs: Vec<Queued>,
    /// The present incarnation of the target's stack, and whether it is condemned.
    name: u32,
    condemned: bool,
}

#[derive(Clone, Debug)]
struct Task {
    work: Work,
    dep: usize,
    name: u32,
    job: JobId,
    fence: u64,
    pc: Pc,
}

/// What an agent does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pc {
    /// Look at the stack, and take away the change sets of others.
    Look,
    /// Make a change set, or adopt one's own.
    Prepare,
    AskExecute(u32),
    Execute(u32),
    /// Decide what a revocation found.
    Decide,
    AskDelete(usize),
    Delete(usize),
    Report(Said),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Applied,
    Gone,
    Revoked,
    Failed,
}

impl Hub {
    fn time(&self) -> Timestamp {
        at(self.now)
    }

    fn id(&mut self) -> JobId {
        self.next_id += 1;
        id(self.next_id)
    }

    fn queued(&self, job: JobId) -> usize {
        self.jobs
            .iter()
            .position(|queued| queued.job.id == job)
            .expect("the hub made the job")
    }

    fn active(&self) -> Option<usize> {
        self.deployments.iter().position(Deployment::is_active)
    }

    fn begin(&mut self, intent: Intent, waits: bool, cloud: &mut Cloud) -> Outcome {
        if self.condemned && intent == Intent::Apply {
            let again = matches!(self.fault, Fault::DeleteByName | Fault::ForgetCondemned);
            self.name += u32::from(!again);
            self.condemned = false;
        }
        let dep = self.deployments.len();
        let job = self.id();
        let grants = if waits {
            BTreeSet::from([repository("web")])
        } else {
            BTreeSet::new()
        };
        let begun = Deployment::begin(id(dep as u64), intent, job, grants);
        self.names.push(self.name);
        self.deployments.push(begun.next.clone());
        self.effects(dep, begun, cloud)
    }

    /// Stores what a deployment has become and carries its effects out: one transaction.
    fn effects(
        &mut self,
        dep: usize,
        step: Step<Deployment, DeploymentEffect>,
        cloud: &mut Cloud,
    ) -> Outcome {
        self.deployments[dep] = step.next;
        let now = self.time();
        for effect in step.effects {
            match effect {
                DeploymentEffect::Enqueue(job, work) => {
                    self.jobs.push(Queued {
                        job: Job::new(job, now),
                        dep,
                        work,
                    });
                }
                DeploymentEffect::VoidJob(job) => {
                    let at = self.queued(job);
                    self.jobs[at].job = self.jobs[at]
                        .job
                        .step(JobInput::Void { now })
                        .expect("never refused")
                        .next;
                }
                DeploymentEffect::Condemn(arn) => {
                    let arn: usize = arn.parse().expect("this world wrote it");
                    let later = self.deployments.len();
                    cloud.stacks[arn].condemned.get_or_insert(later);
                    self.condemned |= cloud.stacks[arn].name == self.name;
                }
                DeploymentEffect::Ended(how) => self.ended(dep, &how, cloud)?,
            }
        }
        Ok(())
    }

    fn ended(&self, dep: usize, how: &Ending, cloud: &Cloud) -> Outcome {
        let applied = cloud.applied.contains(&dep);
        match (how, self.deployments[dep].intent) {
            (Ending::Cancelled, Intent::Apply) if applied => wrong(format!("{dep} cancelled but applied")),
            (Ending::Cancelled, Intent::Destroy) if cloud.deleted.contains(&dep) => {
                wrong(format!("{dep} cancelled but deleted"))
            }
            (Ending::Succeeded, Intent::Apply) if !applied => {
                wrong(format!("{dep} succeeded but not applied"))
            }
            _ => Ok(()),
        }
    }

    fn step(
        &mut self,
        dep: usize,
        input: DeploymentInput,
        cloud: &mut Cloud,
    ) -> Result<Outcome, DeploymentRefusal> {
        let step = self.deployments[dep].step(input)?;
        Ok(self.effects(dep, step, cloud))
    }

    /// Somebody takes a job that is free.
    fn lease(&mut self, rng: &mut Rng, holder: usize, cloud: &mut Cloud) -> Result<Option<Task>, String> {
        let now = self.time();
        let free =
            |queued: &Queued| matches!(queued.job.state, JobState::Ready { not_before } if not_before <= now);
        let free: Vec<usize> = (0..self.jobs.len()).filter(|at| free(&self.jobs[*at])).collect();
        if free.is_empty() {
            return Ok(None);
        }
        let at = *rng.pick(&free);
        self.fence += 1;
        let (fence, ttl) = (self.fence, Duration::from_secs(30));
        let queued = &mut self.jobs[at];
        let take = JobInput::Take {
            holder: id(holder as u64),
            fence,
            now,
            ttl,
        };
        queued.job = queued
            .job
            .step(take)
            .map_err(|refusal| format!("a free job was refused: {refusal}"))?
            .next;
        let (dep, work, job) = (queued.dep, queued.work, queued.job.id);
        self.step(dep, DeploymentInput::Taken { job }, cloud)
            .map_err(|refusal| format!("a job was left behind: {refusal}"))??;
        Ok(Some(Task {
            work,
            dep,
            name: self.names[dep],
            job,
            fence,
            pc: Pc::Look,
        }))
    }

    /// Leave for an irrevocable act; whether it was given.
    fn authorise(&mut self, task: &Task, act: Authorised, cloud: &mut Cloud) -> Result<bool, String> {
        let at = self.queued(task.job);
        if self.jobs[at]
            .job
            .step(JobInput::Check { fence: task.fence })
            .is_err()
        {
            return Ok(false);
        }
        match self.step(task.dep, DeploymentInput::Authorise { job: task.job, act }, cloud) {
            Ok(outcome) => outcome.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    fn report(&mut self, task: &Task, said: Said, cloud: &mut Cloud) -> Outcome {
        let now = self.time();
        let at = self.queued(task.job);
        let latest = self.jobs[at].job.fence;
        let fence = if self.fault == Fault::StaleReports {
            latest
        } else {
            task.fence
        };
        let step = match self.jobs[at].job.step(JobInput::Report { fence, now }) {
            Ok(step) => step,
            Err(JobRefusal::Stale { .. } | JobRefusal::Ended(_)) => return Ok(()),
            Err(refusal) => return wrong(format!("a report was refused: {refusal}")),
        };
        if !step.effects.contains(&JobEffect::Accept) {
            return Ok(());
        }
        if task.fence != latest {
            return wrong("a superseded fence counted");
        }
        self.jobs[at].job = step.next;
        let job = task.job;
        let done = |what| DeploymentInput::Done { job, what, at: now };
        let input = match said {
            Said::Applied => done(Done::Applied),
            Said::Gone => done(Done::Gone),
            Said::Revoked => done(Done::Revoked),
            Said::Failed => DeploymentInput::Failed {
                job,
                why: "rolled back".to_owned(),
                at: now,
            },
        };
        self.step(task.dep, input, cloud)
            .map_err(|refusal| format!("an accepted report was refused: {refusal}"))?
    }

    /// The periodic look at leases.
    fn expire(&mut self, cloud: &mut Cloud) -> Outcome {
        let now = self.time();
        for at in 0..self.jobs.len() {
            self.on_job(at, JobInput::Expire { now }, cloud)?;
        }
        Ok(())
    }

    /// An input to a job that may end with the job being given up.
    fn on_job(&mut self, at: usize, input: JobInput, cloud: &mut Cloud) -> Outcome {
        let Ok(step) = self.jobs[at].job.step(input) else {
            return Ok(());
        };
        let (job, dep) = (step.next.id, self.jobs[at].dep);
        self.jobs[at].job = step.next;
        if step.effects.contains(&JobEffect::GiveUp) {
            let failed = DeploymentInput::Failed {
                job,
                why: "given up".to_owned(),
                at: self.time(),
            };
            return self
                .step(dep, failed, cloud)
                .map_err(|refusal| format!("giving up was refused: {refusal}"))?;
        }
        Ok(())
    }

    fn cancel(&mut self, dep: usize, cloud: &mut Cloud) -> Outcome {
        let (revoke, by) = (self.id(), signed(self.now));
        let force = |hub: &mut Self, job, cloud: &mut Cloud| {
            let phase = Phase::Ended {
                how: Ending::Cancelled,
                at: hub.time(),
            };
            let next = Deployment {
                phase,
                ..hub.deployments[dep].clone()
            };
            let effects = vec![
                DeploymentEffect::VoidJob(job),
                DeploymentEffect::Ended(Ending::Cancelled),
            ];
            hub.effects(dep, Step::to(next, effects), cloud)
        };
        if let Phase::Running { job, taken: true, .. } = self.deployments[dep].phase
            && self.fault == Fault::CancelWithoutRevoke
        {
            return force(self, job, cloud);
        }
        match self.step(dep, DeploymentInput::Cancel { by, revoke }, cloud) {
            Ok(outcome) => outcome,
            Err(DeploymentRefusal::Condemned) => match self.deployments[dep].phase {
                Phase::Running { job, .. } if self.fault == Fault::CancelCondemned => force(self, job, cloud),
                _ => Ok(()),
            },
            Err(refusal) => wrong(format!("cancelling was refused: {refusal}")),
        }
    }

    /// Nobody waits any longer.
    fn deadline(&mut self, dep: usize, cloud: &mut Cloud) -> Outcome {
        let (why, at) = ("deadline".to_owned(), self.time());
        let input = match self.deployments[dep].phase {
            Phase::Waiting { .. } => DeploymentInput::GrantBlocked { why, at },
            Phase::Running { job, .. } | Phase::Cancelling { job, .. } => {
                DeploymentInput::Failed { job, why, at }
            }
            Phase::Ended { .. } => return Ok(()),
        };
        self.step(dep, input, cloud)
            .map_err(|refusal| format!("the deadline was refused: {refusal}"))?
    }
}

#[derive(Debug)]
struct World {
    hub: Hub,
    cloud: Cloud,
    agents: [Option<Task>; 3],
}

/// How kind fate is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Random,
    Kind,
}

impl World {
    fn new(fault: Fault) -> Self {
        let hub = Hub {
            fault,
            now: 0,
            fence: 0,
            next_id: 0,
            deployments: Vec::new(),
            names: Vec::new(),
            jobs: Vec::new(),
            name: 0,
            condemned: false,
        };
        Self {
            hub,
            cloud: Cloud::default(),
            agents: [None, None, None],
        }
    }

    /// Executes a change set: all others of the stack go.
    fn apply(&mut self, arn: usize, dep: usize) -> Outcome {
        let stack = &mut self.cloud.stacks[arn];
        stack.sets.clear();
        if stack.content == Some(dep) {
            return Ok(());
        }
        stack.content = Some(dep);
        if stack.condemned.is_some_and(|later| dep >= later) {
            return wrong(format!("{dep} was built on a condemned stack"));
        }
        if self.cloud.applied.contains(&dep) {
            return wrong(format!("{dep} was applied twice"));
        }
        if let Some(newer) = self.cloud.applied.iter().find(|applied| **applied > dep) {
            return wrong(format!("{dep} was applied over a newer one ({newer})"));
        }
        self.cloud.applied.push(dep);
        match &self.hub.deployments[dep].phase {
            Phase::Ended {
                how: Ending::Cancelled,
                ..
            } => wrong(format!("{dep} cancelled but applied")),
            _ => Ok(()),
        }
    }

    fn delete(&mut self, arn: usize, task: &Task) -> Outcome {
        let stack = &mut self.cloud.stacks[arn];
        if !stack.alive {
            return Ok(());
        }
        stack.alive = false;
        stack.sets.clear();
        if stack.content.is_none() {
            return Ok(());
        }
        if task.work == Work::Revoke {
            return wrong(format!(
                "the revocation of {} deleted a stack with content",
                task.dep
            ));
        }
        self.cloud.deleted.push(task.dep);
        match &self.hub.deployments[task.dep].phase {
            Phase::Ended {
                how: Ending::Cancelled,
                ..
            } => wrong(format!("{} cancelled but deleted", task.dep)),
            _ => Ok(()),
        }
    }

    /// One agent does one thing.
    fn act(&mut self, agent: usize, rng: &mut Rng, fate: Fate) -> Outcome {
        let Some(task) = self.agents[agent].clone() else {
            return Ok(());
        };
        let dep = task.dep;
        let fails = fate == Fate::Random && rng.chance(8);
        let next = match task.pc {
            Pc::Look => match (task.work, self.cloud.named(task.name)) {
                (Work::Apply, None) if self.hub.fault != Fault::UpdateDirectly => Some(Pc::Prepare),
                (Work::Apply, _) if self.hub.fault == Fault::UpdateDirectly => {
                    let arn = self.cloud.stack(task.name);
                    self.apply(arn, dep)?;
                    Some(Pc::Report(Said::Applied))
                }
                (Work::Destroy, None) => Some(Pc::Report(Said::Gone)),
                (Work::Revoke, None) => Some(Pc::Report(Said::Revoked)),
                (work, Some(arn)) => {
                    let stack = &mut self.cloud.stacks[arn];
                    match work {
                        Work::Apply => stack.sets.retain(|(_, by)| *by == dep),
                        // All of them when revoking, too: what an earlier, failed deployment was allowed may still be
                        // executed, on a stack that is about to be deleted because it is empty.
                        Work::Destroy | Work::Revoke => stack.sets.clear(),
                    }
                    Some(match work {
                        Work::Apply if stack.content == Some(dep) => Pc::Report(Said::Applied),
                        Work::Apply => Pc::Prepare,
                        Work::Destroy => Pc::AskDelete(arn),
                        Work::Revoke => Pc::Decide,
                    })
                }
                (Work::Apply, None) => None,
            },
            Pc::Prepare => {
                let set = self.cloud.next_set;
                let arn = self.cloud.stack(task.name);
                let stack = &mut self.cloud.stacks[arn];
                let own = stack.sets.iter().find(|(_, by)| *by == dep).map(|(set, _)| *set);
                if stack.content == Some(dep) {
                    Some(Pc::Report(Said::Applied))
                } else if let Some(own) = own {
                    Some(Pc::AskExecute(own))
                } else {
                    stack.sets.push((set, dep));
                    self.cloud.next_set += 1;
                    Some(Pc::AskExecute(set))
                }
            }
            Pc::AskExecute(set) => {
                let act = Authorised::Execute(set.to_string());
                let leave = self.hub.fault == Fault::ExecuteWithoutLeave
                    || self.hub.authorise(&task, act, &mut self.cloud)?;
                leave.then_some(Pc::Execute(set))
            }
            Pc::Execute(set) => {
                let has = |stack: &Stack| stack.alive && stack.sets.iter().any(|(one, _)| *one == set);
                match self.cloud.stacks.iter().position(has) {
                    Some(arn) if fails => {
                        self.cloud.stacks[arn].sets.clear();
                        Some(Pc::Report(Said::Failed))
                    }
                    Some(arn) => {
                        self.apply(arn, dep)?;
                        Some(Pc::Report(Said::Applied))
                    }
                    None if self.cloud.content(task.name) == Some(dep) => Some(Pc::Report(Said::Applied)),
                    None => Some(Pc::Look),
                }
            }
            Pc::Decide => Some(match self.cloud.named(task.name) {
                None => Pc::Report(Said::Revoked),
                Some(arn) => match self.cloud.stacks[arn].content {
                    Some(content) if content == dep => Pc::Report(Said::Applied),
                    Some(_) => Pc::Report(Said::Revoked),
                    None => Pc::AskDelete(arn),
                },
            }),
            Pc::AskDelete(arn) => {
                let leave =
                    self.hub
                        .authorise(&task, Authorised::Delete(arn.to_string()), &mut self.cloud)?;
                leave.then_some(Pc::Delete(arn))
            }
            Pc::Delete(arn) => {
                let said = if task.work == Work::Revoke {
                    Said::Revoked
                } else {
                    Said::Gone
                };
                if fails {
                    Some(Pc::Report(Said::Failed))
                } else if self.hub.fault == Fault::DeleteByName {
                    if let Some(arn) = self.cloud.named(task.name) {
                        self.delete(arn, &task)?;
                    }
                    Some(Pc::Report(said))
                } else {
                    self.delete(arn, &task)?;
                    Some(Pc::Report(said))
                }
            }
            Pc::Report(said) => {
                self.hub.report(&task, said, &mut self.cloud)?;
                None
            }
        };
        // The answer is lost in one of six cases: the agent asks, or does, the same again.
        if fate == Fate::Kind || !rng.chance(16) {
            self.agents[agent] = next.map(|pc| Task { pc, ..task });
        }
        Ok(())
    }

    fn happen(&mut self, rng: &mut Rng, sluggish: usize) -> Outcome {
        let Some(dep) = self.hub.active() else {
            if rng.chance(75) {
                let intent = if rng.chance(60) {
                    Intent::Apply
                } else {
                    Intent::Destroy
                };
                let waits = intent == Intent::Apply && rng.chance(15);
                return self.hub.begin(intent, waits, &mut self.cloud);
            }
            return self.act(rng.below(3), rng, Fate::Random);
        };
        let mut agent = rng.below(3);
        if agent == sluggish && rng.chance(80) {
            agent = (agent + 1) % 3;
        }
        match rng.below(100) {
            0..66 => match self.agents[agent] {
                Some(_) => self.act(agent, rng, Fate::Random),
                None => self.take(agent, rng),
            },
            66..71 => match self.agents.iter().position(Option::is_none) {
                Some(idle) => self.take(idle, rng),
                None => Ok(()),
            },
            71..82 => {
                self.hub.now += [1, 6, 31][rng.below(3)];
                self.hub.expire(&mut self.cloud)
            }
            82..86 => self.hub.cancel(dep, &mut self.cloud),
            86..89 => {
                self.agents[agent] = None;
                Ok(())
            }
            89..91 => self.renew(agent, rng),
            91..93 => {
                let Some(task) = self.agents[agent].take() else {
                    return Ok(());
                };
                let (at, now) = (self.hub.queued(task.job), self.hub.time());
                self.hub.on_job(
                    at,
                    JobInput::Handover {
                        fence: task.fence,
                        now,
                    },
                    &mut self.cloud,
                )
            }
            93..95 => {
                let now = self.hub.time();
                for at in 0..self.hub.jobs.len() {
                    self.hub.on_job(at, JobInput::TakeBack { now }, &mut self.cloud)?;
                }
                Ok(())
            }
            95..96 => self.hub.deadline(dep, &mut self.cloud),
            _ => self.ready(dep),
        }
    }

    fn take(&mut self, agent: usize, rng: &mut Rng) -> Outcome {
        self.agents[agent] = self.hub.lease(rng, agent, &mut self.cloud)?;
        Ok(())
    }

    fn renew(&mut self, agent: usize, rng: &mut Rng) -> Outcome {
        let Some(task) = &self.agents[agent] else {
            return Ok(());
        };
        let (at, now) = (self.hub.queued(task.job), self.hub.time());
        let (fence, ttl) = (task.fence, Duration::from_secs(30));
        match self.hub.jobs[at].job.step(JobInput::Renew {
            fence,
            holder: id(agent as u64),
            now,
            ttl,
        }) {
            Ok(step) => self.hub.jobs[at].job = step.next,
            // Most agents stop when they are told; one may not have heard it.
            Err(_) if rng.chance(70) => self.agents[agent] = None,
            Err(_) => {}
        }
        Ok(())
    }

    fn ready(&mut self, dep: usize) -> Outcome {
        if matches!(self.hub.deployments[dep].phase, Phase::Waiting { .. }) {
            let job = self.hub.id();
            let ready = DeploymentInput::Ready { job };
            return self
                .hub
                .step(dep, ready, &mut self.cloud)
                .map_err(|refusal| refusal.to_string())?;
        }
        Ok(())
    }

    /// What must hold at any time.
    fn look(&self) -> Outcome {
        let active = self
            .hub
            .deployments
            .iter()
            .filter(|deployment| deployment.is_active())
            .count();
        if active > 1 {
            return wrong("two deployments are active");
        }
        for queued in self.hub.jobs.iter().filter(|queued| !queued.job.is_over()) {
            match self.hub.deployments[queued.dep].phase {
                Phase::Running { job, .. } | Phase::Cancelling { job, .. } if job == queued.job.id => {}
                _ => return wrong(format!("a job of {} was left behind", queued.dep)),
            }
        }
        if active > 0 {
            return Ok(());
        }
        // The last one that counts: a cancelled one has changed nothing, and after a failed one anything may be there.
        let cancelled = |deployment: &&Deployment| {
            matches!(
                deployment.phase,
                Phase::Ended {
                    how: Ending::Cancelled,
                    ..
                }
            )
        };
        let count =
            self.hub.deployments.len() - self.hub.deployments.iter().rev().take_while(cancelled).count();
        let Some(dep) = count.checked_sub(1) else {
            return Ok(());
        };
        let deployment = &self.hub.deployments[dep];
        let Phase::Ended {
            how: Ending::Succeeded,
            ..
        } = deployment.phase
        else {
            return Ok(());
        };
        let found = self.cloud.content(self.hub.names[dep]);
        match deployment.intent {
            Intent::Apply if found != Some(dep) => {
                wrong(format!("{dep} succeeded and has lost its stack ({found:?})"))
            }
            Intent::Destroy if found.is_some() => wrong(format!("{dep} succeeded and its stack is there")),
            Intent::Apply | Intent::Destroy => Ok(()),
        }
    }

    /// From here on all goes well: what is active must end.
    fn settle(&mut self, rng: &mut Rng) -> Outcome {
        // Two may still sleep with something in their hands; the third is fresh.
        self.agents[2] = None;
        for _ in 0..200 {
            let Some(dep) = self.hub.active() else { break };
            self.ready(dep)?;
            if self.agents[2].is_none() {
                self.hub.now += 36;
                self.hub.expire(&mut self.cloud)?;
                self.take(2, rng)?;
            }
            self.act(2, rng, Fate::Kind)?;
            self.look()?;
        }
        if let Some(dep) = self.hub.active() {
            return wrong(format!("{dep} is stuck in {:?}", self.hub.deployments[dep].phase));
        }
        // Now the sleepers wake up.
        for _ in 0..12 {
            for agent in 0..3 {
                self.act(agent, rng, Fate::Kind)?;
                self.look()?;
            }
        }
        Ok(())
    }
}

/// How often the walks came to what they are about, so that nobody trusts walks that go nowhere.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) succeeded: u64,
    pub(crate) cancelled: u64,
    pub(crate) revoked: u64,
    pub(crate) applied_in_spite: u64,
    pub(crate) failed: u64,
    pub(crate) deleted: u64,
    pub(crate) incarnations: u64,
}

pub(crate) fn walk(rng: &mut Rng, fault: Fault) -> Outcome {
    walk_and_count(rng, fault, &mut Seen::default())
}

pub(crate) fn walk_and_count(rng: &mut Rng, fault: Fault, seen: &mut Seen) -> Outcome {
    let sluggish = rng.below(3);
    let mut world = World::new(fault);
    let mut run = || {
        for _ in 0..LENGTH {
            world.happen(rng, sluggish)?;
            world.look()?;
        }
        world.settle(rng)
    };
    run().map_err(|what| format!("{what}\n{world:#?}"))?;
    for (dep, deployment) in world.hub.deployments.iter().enumerate() {
        let revoked = world
            .hub
            .jobs
            .iter()
            .any(|queued| queued.dep == dep && queued.work == Work::Revoke);
        match &deployment.phase {
            Phase::Ended {
                how: Ending::Succeeded,
                ..
            } => {
                seen.succeeded += 1;
                seen.applied_in_spite += u64::from(revoked);
            }
            Phase::Ended {
                how: Ending::Cancelled,
                ..
            } => {
                seen.cancelled += 1;
                seen.revoked += u64::from(revoked);
            }
            Phase::Ended {
                how: Ending::Failed(_),
                ..
            } => seen.failed += 1,
            Phase::Waiting { .. } | Phase::Running { .. } | Phase::Cancelling { .. } => {}
        }
    }
    seen.deleted += world.cloud.deleted.len() as u64;
    seen.incarnations += u64::from(world.hub.name);
    Ok(())
}
