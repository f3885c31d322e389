//! Carries out what the rules say. One arm per effect; everything stays in the transaction of the change.

use hadron_domain::deployment::{Deployment, DeploymentEffect, DeploymentInput, Ending, Intent, Phase, Work};
use hadron_domain::grant::{LaneInput, PolicyLane, Repository};
use hadron_domain::job::{Job, JobEffect, JobInput};
use hadron_domain::service::Part;
use hadron_domain::step::{Machine, Step};
use hadron_domain::target::Target;
use hadron_domain::template::VersionFault;
use hadron_proto::vocab::{Digest, JobId, StackArn, TargetId};
use indexmap::IndexMap;

use super::{AppError, Notice, Unit, environments, grants, inputs, work};
use crate::store::deployments::{ComponentState, DeploymentRow, Earlier, Source, State};
use crate::store::jobs::{JobRow, JobWork};
use crate::store::targets::{Resource, TargetRow};
use crate::store::{components, deployments, grants as lanes, jobs, outbox, targets, templates};

/// Topics of the outbox.
pub(crate) mod topic {
    use hadron_proto::vocab::ServiceName;

    /// Look at a service and start what comes next; the key is its name.
    pub(crate) const SERVICE: &str = "service";
    /// Check a bundle that an agent fetched; the key is the job that fetched it.
    pub(crate) const REGISTER: &str = "register";
    /// Compute all grants anew; the key is [`ALL`] or one of [`of_pipeline`].
    pub(crate) const GRANTS: &str = "grants";
    /// The key of [`GRANTS`] for what follows from the database alone.
    pub(crate) const ALL: &str = "all";
    const PIPELINE: &str = "pipeline/";

    /// The key of [`GRANTS`] that also has the policies of a service's own repositories compared.
    pub(crate) fn of_pipeline(service: &ServiceName) -> String {
        format!("{PIPELINE}{service}")
    }

    /// The service of such a key.
    pub(crate) fn pipeline_of(key: &str) -> Option<&str> {
        key.strip_prefix(PIPELINE)
    }
}

/// What Proton said of a cancelled deployment; scripts look for it.
const CANCELLED: &str = "User initiated cancellation.";

/// How a job ended, as its agent tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The stack is what the template says.
    Applied {
        /// The stack.
        stack: StackArn,
        /// Its outputs.
        outputs: IndexMap<String, String>,
        /// Its resources.
        resources: Vec<Resource>,
        /// Nothing had to be changed.
        no_changes: bool,
    },
    /// The stack is gone.
    Gone,
    /// The change set is gone and was never executed.
    Revoked,
    /// The repository's policy is as wanted.
    PullPolicySet {
        /// False when it already was.
        changed: bool,
        /// Statements of others that keep a reader out.
        warnings: Vec<String>,
    },
    /// Events were put onto the bus.
    EventsPut {
        /// Those that were not taken, by their place in the job, and why.
        refused: Vec<(usize, String)>,
    },
    /// The bundle is what the agent handed over.
    BundleFetched {
        /// Digest of its bytes.
        digest: Digest,
        /// How many they are.
        bytes: u64,
    },
    /// It did not work.
    Failed {
        /// What sort of failure.
        kind: FailureKind,
        /// Why, for people.
        message: String,
        /// The stack, when there is one.
        stack: Option<StackArn>,
        /// Its status.
        stack_status: Option<String>,
        /// Its resources.
        resources: Vec<Resource>,
    },
}

/// What sort of failure it was; decides what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "documented in agent.proto")]
pub enum FailureKind {
    StackFailed,
    DeleteFailed,
    RollbackFailed,
    LocalPolicy,
    StackVanished,
    ForeignOperation,
    AccessDenied,
    InvalidTemplate,
    Deadline,
    RepositoryMissing,
    PolicyTooLong,
    PolicyConflict,
    ObjectMissing,
    ObjectTooLarge,
    Other,
}

/// The commands that lead out of a failure, by what failed and how.
#[must_use]
pub fn ways_out(target: &Target, intent: Intent, kind: FailureKind, resources: &[Resource]) -> Vec<String> {
    let noun = target.kind();
    let name = target.name();
    let (what, flag) = match target {
        Target::Component(_) => ("template", "--template FILE"),
        Target::Environment(_) | Target::Instance(..) | Target::Pipeline(_) => ("spec", "--spec SPEC"),
    };
    let update = format!("with another {what}: hadron {noun} update {name} {flag}");
    let again = format!("hadron {noun} update {name} --redeploy");
    let delete = format!("hadron {noun} delete {name}");
    let remove = match target {
        // A service has at least one instance, so the last one cannot be removed alone.
        Target::Instance(service, _) => {
            format!("or remove it: {delete} (its service's last instance: hadron service delete {service})")
        }
        Target::Component(_) => {
            format!(
                "or remove it: {delete} (one that is attached first: hadron {noun} update {name} --detach)"
            )
        }
        Target::Environment(_) | Target::Pipeline(_) => format!("or remove it: {delete}"),
    };
    match (intent, kind) {
        (Intent::Destroy, FailureKind::DeleteFailed) => {
            let stuck: Vec<&str> = resources
                .iter()
                .filter(|resource| resource.status == "DELETE_FAILED")
                .map(|resource| resource.logical_id.as_str())
                .collect();
            let mut ways = vec![format!("remove what holds the resource, then: {delete}")];
            if !stuck.is_empty() {
                ways.push(format!("leave it behind: {delete} --retain {}", stuck.join(" --retain ")));
            }
            ways
        }
        (Intent::Destroy, _) => vec![format!("try again: {delete}")],
        (Intent::Apply, FailureKind::LocalPolicy) => vec![
            "change the template, or ask the owner of the environment account to allow it in the agent's configuration"
                .to_owned(),
            format!("then: {again}"),
        ],
        (Intent::Apply, FailureKind::AccessDenied) => vec![
            "in the environment account: `hadron-agent role` prints what the agent and its provisioning role need".to_owned(),
            format!("then: {again}"),
        ],
        (Intent::Apply, FailureKind::RollbackFailed) => vec![
            "in the CloudFormation console of the account: continue the update rollback, skipping the resource that failed"
                .to_owned(),
            format!("then: {again}"),
            remove,
        ],
        (Intent::Apply, FailureKind::StackVanished) => {
            vec![format!("the stack was deleted outside Hadron; remove what is left of it here: {delete}")]
        }
        (Intent::Apply, FailureKind::ForeignOperation) => {
            vec![format!("wait until the other operation on the stack has ended, then: {again}")]
        }
        (Intent::Apply, _) => {
            vec![update, format!("the same again: {again}"), remove]
        }
    }
}

/// An outcome that names the stack of something else is the agent's fault and no outcome.
fn only_its_own(row: &DeploymentRow, outcome: Outcome) -> Outcome {
    let foreign = |stack: &StackArn| {
        stack.account() != row.account || *stack.region() != row.region || stack.name() != row.stack_name
    };
    match outcome {
        Outcome::Applied { stack, .. } if foreign(&stack) => Outcome::Failed {
            kind: FailureKind::Other,
            message: format!(
                "the agent's report makes no sense: {stack} is not the stack of this deployment"
            ),
            stack: None,
            stack_status: None,
            resources: Vec::new(),
        },
        Outcome::Failed {
            kind,
            message,
            stack,
            stack_status,
            resources,
        } => Outcome::Failed {
            kind,
            message,
            stack: stack.filter(|stack| !foreign(stack)),
            stack_status,
            resources,
        },
        outcome => outcome,
    }
}

/// What an ended deployment leaves behind on its target.
struct Left<'a> {
    outcome: Option<&'a Outcome>,
}

impl Unit<'_> {
    /// Carries out what a step of a deployment asks for. The caller writes the deployment back afterwards.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn carry_out(
        &mut self,
        row: &mut DeploymentRow,
        effects: Vec<DeploymentEffect>,
        outcome: Option<&Outcome>,
    ) -> Result<(), AppError> {
        for effect in effects {
            match effect {
                DeploymentEffect::Enqueue(job, work) => self.enqueue(row, job, work).await?,
                DeploymentEffect::VoidJob(job) => self.void(job).await?,
                DeploymentEffect::Condemn(stack) => {
                    self.condemn(row.target_id, &stack).await?;
                    // The deployment knows no other stack until it has made one: should it end here, its target keeps the
                    // condemned one in mind.
                    row.stack_arn = stack.parse().ok();
                }
                DeploymentEffect::Ended(ending) => self.ended(row, &ending, &Left { outcome }).await?,
            }
        }
        // What people see of a target follows its active deployment.
        if row.deployment.is_active()
            && let Some(mut target) = targets::by_id(self.tx, row.target_id).await?
            && target.status != row.deployment.word()
        {
            row.deployment.word().clone_into(&mut target.status);
            targets::put(self.tx, &mut target).await?;
        }
        Ok(())
    }

    async fn enqueue(&mut self, row: &DeploymentRow, job: JobId, work: Work) -> Result<(), AppError> {
        let work = match work {
            Work::Apply => JobWork::ApplyStack,
            Work::Destroy => JobWork::DestroyStack,
            Work::Revoke => JobWork::RevokeStack,
        };
        let job = JobRow {
            job: Job::new(job, self.now),
            account: row.account,
            region: row.region.clone(),
            connection: row.connection,
            deployment: Some(row.deployment.id),
            label: row.target.to_string(),
            work,
            created_at: self.now,
        };
        Ok(jobs::insert(self.tx, &job).await?)
    }

    /// Takes a job back that nobody needs any more.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(super) async fn void(&mut self, job: JobId) -> Result<(), AppError> {
        let Some(mut row) = jobs::get(self.tx, job).await? else {
            return Ok(());
        };
        let step = row.job.step(JobInput::Void { now: self.now })?;
        row.job = step.next;
        jobs::put(self.tx, &row).await?;
        self.tell_lost(&row, &step.effects);
        Ok(())
    }

    fn tell_lost(&mut self, row: &JobRow, effects: &[JobEffect]) {
        for effect in effects {
            if let JobEffect::TellLost(session, fence) = effect {
                self.notify(Notice::Lost {
                    session: *session,
                    job: row.job.id,
                    fence: *fence,
                });
            }
        }
    }

    async fn condemn(&mut self, target: TargetId, stack: &str) -> Result<(), AppError> {
        if let Some(mut target) = targets::by_id(self.tx, target).await? {
            target.condemned = true;
            if let Ok(arn) = stack.parse() {
                target.stack_arn = Some(arn);
            }
            targets::put(self.tx, &mut target).await?;
        }
        Ok(())
    }

    /// A deployment has ended: record it on the target, and let services and grants look again.
    async fn ended(
        &mut self,
        row: &mut DeploymentRow,
        ending: &Ending,
        left: &Left<'_>,
    ) -> Result<(), AppError> {
        row.ended_at = Some(self.now);
        let intent = row.deployment.intent;
        let mut kind = FailureKind::Other;
        let mut resources = Vec::new();
        match left.outcome {
            Some(Outcome::Applied {
                stack,
                outputs,
                no_changes,
                ..
            }) => {
                row.stack_arn = Some(stack.clone());
                row.outputs = outputs.clone();
                if *no_changes {
                    deployments::tell(
                        self.tx,
                        row,
                        self.now,
                        Source::Agent,
                        "the stack already was as wanted: no changes",
                    )
                    .await?;
                }
            }
            Some(Outcome::Failed {
                kind: how,
                stack,
                resources: found,
                ..
            }) => {
                kind = *how;
                resources.clone_from(found);
                if stack.is_some() {
                    row.stack_arn.clone_from(stack);
                }
            }
            Some(
                Outcome::Gone
                | Outcome::Revoked
                | Outcome::PullPolicySet { .. }
                | Outcome::EventsPut { .. }
                | Outcome::BundleFetched { .. },
            )
            | None => {}
        }
        let words = match ending {
            Ending::Succeeded => row.deployment.word().to_owned(),
            Ending::Cancelled => {
                CANCELLED.clone_into(&mut row.message);
                "CANCELLED: nothing was applied".to_owned()
            }
            Ending::Failed(why) => {
                row.message.clone_from(why);
                row.ways_out = ways_out(&row.target, intent, kind, &resources);
                format!("{}: {why}", row.deployment.word())
            }
        };
        deployments::tell(self.tx, row, self.now, Source::Hub, words).await?;
        tracing::info!(
            deployment.id = %row.deployment.id, account = %row.account, region = %row.region,
            status = row.deployment.word(), "deployment of {} has ended", row.target
        );

        let Some(mut target) = targets::by_id(self.tx, row.target_id).await? else {
            return Ok(());
        };
        row.deployment.word().clone_into(&mut target.status);
        target.message.clone_from(&row.message);
        target.ways_out.clone_from(&row.ways_out);
        match (intent, ending) {
            (Intent::Apply, Ending::Succeeded) => {
                target.part = Part::Good;
                target.ever_succeeded = true;
                target.condemned &= target.stack_arn == row.stack_arn;
                target.version = row.version;
                target.spec.clone_from(&row.spec);
                target.outputs.clone_from(&row.outputs);
                if let Some(Outcome::Applied { resources, .. }) = left.outcome {
                    target.resources.clone_from(resources);
                }
                target.stack_arn.clone_from(&row.stack_arn);
                target.succeeded = Some((row.deployment.id, row.created_at));
            }
            (Intent::Apply, Ending::Failed(_)) => {
                target.part = Part::Bad;
                // A condemned stack may have been replaced within the deployment: the new one is not condemned.
                if row.stack_arn.is_some() && target.stack_arn != row.stack_arn {
                    target.stack_arn.clone_from(&row.stack_arn);
                    target.condemned = false;
                }
                if !resources.is_empty() {
                    target.resources = resources;
                }
            }
            // Spec, version and outputs stay as they were before. For the service's planner it did not work out: it must
            // not go on as if the part were new, and not delete again what somebody just asked to keep.
            (Intent::Apply, Ending::Cancelled) => target.part = Part::Bad,
            (Intent::Destroy, Ending::Cancelled) => target.part = Part::DeleteFailed,
            (Intent::Destroy, Ending::Failed(_)) => {
                target.part = Part::DeleteFailed;
                // The stack is still there, and a deletion that failed can be tried again on the same ARN.
                if !resources.is_empty() {
                    target.resources = resources;
                }
            }
            (Intent::Destroy, Ending::Succeeded) => {
                target.part = Part::Gone;
                target.stack_arn = None;
                target.ever_succeeded = false;
                target.outputs.clear();
                target.resources.clear();
            }
        }
        let gone = target.part == Part::Gone;
        // A service looks at its parts itself and removes its pipeline's row together with its own.
        if gone && !matches!(target.target, Target::Pipeline(_)) {
            targets::remove(self.tx, target.id).await?;
            if let Target::Environment(name) = &target.target {
                self.uncreated(environments::CREATION, name.as_str()).await?;
            }
        } else {
            targets::put(self.tx, &mut target).await?;
        }
        match &target.target {
            Target::Environment(_) => {}
            Target::Component(name) => {
                let reached = *ending == Ending::Succeeded;
                self.component_ended(name, row, reached, gone).await?;
            }
            Target::Instance(service, _) => {
                outbox::ask(self.tx, topic::SERVICE, service.as_str(), self.now).await?;
                outbox::ask(self.tx, topic::GRANTS, topic::ALL, self.now).await?;
            }
            // CloudFormation sets the whole policy of a repository that it updates, or deletes it where the template has
            // none: what was granted may be gone.
            Target::Pipeline(service) => {
                outbox::ask(self.tx, topic::SERVICE, service.as_str(), self.now).await?;
                outbox::ask(self.tx, topic::GRANTS, &topic::of_pipeline(service), self.now).await?;
            }
        }
        Ok(())
    }

    /// A job has ended with this outcome: the deployment, the policy lane or the template version that it worked for moves
    /// on.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn job_ended(&mut self, job: &JobRow, outcome: Outcome) -> Result<(), AppError> {
        match job.deployment {
            Some(id) => {
                let Some(mut row) = deployments::get(self.tx, id).await? else {
                    return Ok(());
                };
                let outcome = only_its_own(&row, outcome);
                let input = match (work::done(&outcome), &outcome) {
                    (Some(what), _) => DeploymentInput::Done {
                        job: job.job.id,
                        what,
                        at: self.now,
                    },
                    (None, Outcome::Failed { message, .. }) => DeploymentInput::Failed {
                        job: job.job.id,
                        why: message.clone(),
                        at: self.now,
                    },
                    (None, _) => {
                        let why = "the agent reported the outcome of another sort of job".to_owned();
                        DeploymentInput::Failed {
                            job: job.job.id,
                            why,
                            at: self.now,
                        }
                    }
                };
                let step = match row.deployment.step(input) {
                    Ok(step) => step,
                    Err(refusal) => {
                        // An outcome that does not fit is the agent's fault; the deployment must not hang on it.
                        let why = format!("the agent's report makes no sense: {refusal}");
                        row.deployment
                            .step(DeploymentInput::Failed {
                                job: job.job.id,
                                why,
                                at: self.now,
                            })
                            .map_err(|refusal| AppError::invalid("NOT_THIS_JOB", refusal.to_string()))?
                    }
                };
                row.deployment = step.next;
                self.carry_out(&mut row, step.effects, Some(&outcome)).await?;
                deployments::put(self.tx, &mut row).await?;
                Ok(())
            }
            None if matches!(job.work, JobWork::PutEvents { .. }) => self.events_put(job, outcome).await,
            None if matches!(job.work, JobWork::FetchBundle { .. }) => {
                self.fetch_ended(job.job.id, outcome).await
            }
            None => self.policy_ended(job.job.id, outcome).await,
        }
    }

    async fn policy_ended(&mut self, job: JobId, outcome: Outcome) -> Result<(), AppError> {
        let Some(mut row) = lanes::by_job(self.tx, job).await? else {
            return Ok(());
        };
        let then = self.fresh_id();
        let input = match outcome {
            Outcome::PullPolicySet { changed, warnings } => {
                for warning in warnings {
                    tracing::warn!(repository = %row.lane.repository, "{warning}");
                }
                tracing::info!(repository = %row.lane.repository, changed, "pull policy is as wanted");
                row.checked_at = self.now;
                LaneInput::Applied { job, then }
            }
            Outcome::Failed { kind, message, .. } => {
                tracing::warn!(repository = %row.lane.repository, "pull policy could not be written: {message}");
                LaneInput::Failed {
                    job,
                    why: message,
                    missing: kind == FailureKind::RepositoryMissing,
                    then,
                }
            }
            Outcome::Applied { .. }
            | Outcome::Gone
            | Outcome::Revoked
            | Outcome::EventsPut { .. }
            | Outcome::BundleFetched { .. } => {
                let why = "the agent reported the outcome of another sort of job".to_owned();
                LaneInput::Failed {
                    job,
                    why,
                    missing: false,
                    then,
                }
            }
        };
        let step = row
            .lane
            .step(input)
            .map_err(|refusal| AppError::invalid("NOT_THIS_JOB", refusal.to_string()))?;
        row.changed_at = self.now;
        self.lane_step(&mut row, step.next, step.effects).await?;
        grants::release_waiting(self, false).await?;
        // Whoever still waits may wait for what nobody wants any more.
        Ok(outbox::ask(self.tx, topic::GRANTS, topic::ALL, self.now).await?)
    }

    /// A job was lost or passed on too often: it is given up.
    async fn give_up(&mut self, job: &JobRow) -> Result<(), AppError> {
        let message = format!(
            "the job was given up: agents took it {} times, {} times they were not heard of again, and nobody did it; the \
             agent's log tells what happened to it",
            job.job.attempts, job.job.losses
        );
        let outcome = Outcome::Failed {
            kind: FailureKind::Other,
            message,
            stack: None,
            stack_status: None,
            resources: Vec::new(),
        };
        self.job_ended(job, outcome).await
    }

    /// Writes a job back that its holder lost or gave back; true when it is given up with that.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn back_to_queue(
        &mut self,
        row: &mut JobRow,
        step: Step<Job, JobEffect>,
    ) -> Result<bool, AppError> {
        row.job = step.next;
        jobs::put(self.tx, row).await?;
        self.tell_lost(row, &step.effects);
        let given_up = step.effects.contains(&JobEffect::GiveUp);
        if given_up {
            self.give_up(row).await?;
        }
        Ok(given_up)
    }

    /// Time has passed for a leased job.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn expire(&mut self, job: JobId) -> Result<(), AppError> {
        let Some(mut row) = jobs::get(self.tx, job).await? else {
            return Ok(());
        };
        let step = row.job.step(JobInput::Expire { now: self.now })?;
        if step.next == row.job {
            // Renewed, or ended, since somebody looked.
            return Ok(());
        }
        tracing::warn!(job.id = %job, account = %row.account, "lease of {} has run out", row.label);
        if self.back_to_queue(&mut row, step).await? {
            return Ok(());
        }
        if let Some(id) = row.deployment
            && let Some(mut deployment) = deployments::get(self.tx, id).await?
        {
            let text = "the agent was not heard of in time; its job waits for an agent again";
            deployments::tell(self.tx, &mut deployment, self.now, Source::Hub, text).await?;
            deployments::put(self.tx, &mut deployment).await?;
        }
        Ok(())
    }

    /// Takes a connection's jobs from whoever holds them.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn take_back_jobs(
        &mut self,
        connection: hadron_proto::vocab::ConnectionId,
    ) -> Result<(), AppError> {
        for mut row in jobs::leased_of_connection(self.tx, connection).await? {
            let step = row.job.step(JobInput::TakeBack { now: self.now })?;
            self.back_to_queue(&mut row, step).await?;
        }
        Ok(())
    }

    /// Ends every deployment that goes through a connection which is gone for good: no agent will ever be heard about them
    /// again. What CloudFormation was told before, it may still finish; the next deployment of the stack looks first.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn give_up_deployments(
        &mut self,
        connection: hadron_proto::vocab::ConnectionId,
        why: &str,
    ) -> Result<(), AppError> {
        for mut row in deployments::active_of_connection(self.tx, connection).await? {
            let (why, at) = (why.to_owned(), self.now);
            let input = match &row.deployment.phase {
                Phase::Waiting { .. } => DeploymentInput::GrantBlocked { why, at },
                Phase::Running { job, .. } | Phase::Cancelling { job, .. } => {
                    DeploymentInput::Failed { job: *job, why, at }
                }
                Phase::Ended { .. } => continue,
            };
            let step = row.deployment.step(input).map_err(AppError::internal)?;
            row.deployment = step.next;
            self.carry_out(&mut row, step.effects, None).await?;
            if let Some(environment) = &row.environment {
                // Nothing else helps before there is another connection.
                row.ways_out = vec![
                    format!(
                        "from account {}: hadron connection request --environment {environment} --management-account {}",
                        row.account,
                        self.settings().account
                    ),
                    format!(
                        "in the management account: hadron connection accept ID --account {}",
                        row.account
                    ),
                    format!("then: hadron environment update {environment} --connection ID"),
                ];
                if let Some(mut target) = targets::by_id(self.tx, row.target_id).await? {
                    target.ways_out.clone_from(&row.ways_out);
                    targets::put(self.tx, &mut target).await?;
                }
            }
            deployments::put(self.tx, &mut row).await?;
        }
        Ok(())
    }

    /// Carries out what a step of a policy lane asks for and writes the lane back.
    ///
    /// # Errors
    /// When the database does not take it, or the management account has no connection.
    pub async fn lane_step(
        &mut self,
        row: &mut lanes::LaneRow,
        next: PolicyLane,
        effects: Vec<hadron_domain::grant::LaneEffect>,
    ) -> Result<(), AppError> {
        use hadron_domain::grant::LaneEffect;
        for effect in effects {
            match effect {
                LaneEffect::Write(job, readers) => {
                    self.enqueue_policy(&row.lane.repository, job, readers).await?
                }
                // The caller looks at waiting deployments once, after all lanes.
                LaneEffect::TellWaiting => {}
            }
        }
        row.lane = next;
        let idle = row.lane.accounts().is_empty() && row.lane.writing.is_none();
        if idle {
            lanes::remove(self.tx, &row.lane.repository).await?
        } else {
            lanes::put(self.tx, row).await?
        }
        Ok(())
    }

    async fn enqueue_policy(
        &mut self,
        repository: &Repository,
        job: JobId,
        readers: std::collections::BTreeSet<hadron_proto::vocab::AccountId>,
    ) -> Result<(), AppError> {
        let connection = crate::store::connections::management(self.tx)
            .await?
            .ok_or_else(|| AppError::internal("the management account's own connection is not there"))?;
        let job = JobRow {
            job: Job::new(job, self.now),
            account: repository.registry,
            region: repository.region.clone(),
            connection: connection.connection.id,
            deployment: None,
            label: format!("pull policy of {}", repository.name),
            work: JobWork::SetPullPolicy {
                repository: repository.name.clone(),
                readers,
            },
            created_at: self.now,
        };
        Ok(jobs::insert(self.tx, &job).await?)
    }

    /// Begins a deployment of a target: the row, its first event, its job (or its wait for grants), the target's state.
    ///
    /// # Errors
    /// When the target has an active deployment, or its connection is not connected.
    pub async fn begin(
        &mut self,
        target: &mut TargetRow,
        planned: Planned,
    ) -> Result<DeploymentRow, AppError> {
        self.begin_or_declare(target, planned, None).await
    }

    /// Writes down a deployment of what somebody else provisions: it has succeeded with these outputs in the moment that it
    /// begins, without a stack, a job or a connection. `target` is then as that leaves it.
    ///
    /// # Errors
    /// When the target has an active deployment.
    pub async fn declare(
        &mut self,
        target: &mut TargetRow,
        planned: Planned,
        outputs: IndexMap<String, String>,
    ) -> Result<DeploymentRow, AppError> {
        let row = self.begin_or_declare(target, planned, Some(outputs)).await?;
        match targets::by_id(self.tx, target.id).await? {
            Some(now) => *target = now,
            None => row.deployment.word().clone_into(&mut target.status),
        }
        Ok(row)
    }

    async fn begin_or_declare(
        &mut self,
        target: &mut TargetRow,
        planned: Planned,
        declared: Option<IndexMap<String, String>>,
    ) -> Result<DeploymentRow, AppError> {
        if let Some(active) = deployments::active_of(self.tx, target.id).await? {
            return Err(busy(&target.target, &active));
        }
        let connection = crate::store::connections::get(self.tx, target.connection).await?;
        if planned.intent == Intent::Apply
            && let Some(name) = &target.template
        {
            // Locked: who deletes the version looks at the targets that use it.
            let kind = inputs::template_kind(&target.target);
            let template = templates::get(self.tx, kind, name).await?;
            if !template.is_some_and(|row| row.versions.existing.contains_key(&planned.version)) {
                return Err(VersionFault::NoSuchVersion(planned.version).into());
            }
        }
        let connected = connection.as_ref().is_some_and(|row| {
            matches!(
                row.connection.approval,
                hadron_domain::connection::Approval::Connected(_)
            )
        });
        if !connected && declared.is_none() {
            return Err(AppError::new(
                super::ErrorKind::Precondition,
                "NOT_CONNECTED",
                format!("the environment account connection of {} is not connected any more", target.target),
            )
            .help(
                "from the environment account: hadron connection request; accept it; then point the environment at it: \
                 hadron environment update NAME --connection ID",
            ));
        }
        // Leave was given to delete the stack: whoever got it may act at any time, so nothing may build on it. A deletion
        // goes on with the same ARN.
        let left_behind = target
            .stack_arn
            .clone()
            .filter(|_| target.condemned && planned.intent == Intent::Apply);
        if planned.intent == Intent::Apply
            && declared.is_none()
            && (target.condemned || target.stack_name.is_empty())
        {
            target.stack_name = self.stack_name(&target.target);
            target.stack_arn = None;
            target.condemned = false;
            target.ever_succeeded = false;
        }
        let begun = if declared.is_some() {
            Deployment::declared(self.fresh_id(), planned.intent, self.now)
        } else {
            let job = self.fresh_id();
            Deployment::begin(self.fresh_id(), planned.intent, job, planned.grants)
        };
        let in_place = declared.is_some();
        let mut row = DeploymentRow {
            deployment: begun.next,
            target_id: target.id,
            target: target.target.clone(),
            environment: target.environment.clone(),
            message: String::new(),
            ways_out: Vec::new(),
            account: target.account,
            region: target.region.clone(),
            connection: target.connection,
            template: target.template.clone(),
            version: planned.version,
            spec: planned.spec,
            stack_name: target.stack_name.clone(),
            stack_arn: target.stack_arn.clone(),
            never_succeeded: !target.ever_succeeded,
            rendered: planned
                .rendered
                .as_ref()
                .map(|rendered| (rendered.digest, rendered.bytes)),
            capabilities: planned
                .rendered
                .as_ref()
                .map(|rendered| rendered.capabilities.clone())
                .unwrap_or_default(),
            resource_types: planned
                .rendered
                .map(|rendered| rendered.resource_types)
                .unwrap_or_default(),
            retain: planned.retain,
            changes: Vec::new(),
            outputs: declared.unwrap_or_default(),
            attempt: 0,
            requested_by: planned.requested_by,
            created_at: self.now,
            ended_at: None,
            last_event: 0,
            initial: self.state_of(target).await?,
            target_state: None,
            target_created_at: target.created_at,
            earlier: Earlier {
                attempted: target.attempted.map(|(id, _)| id),
                succeeded: target.succeeded.map(|(id, _)| id),
            },
            generation: 0,
        };
        if planned.intent == Intent::Apply {
            row.target_state = Some(self.state_to_be(&row).await?);
        }
        target.attempted = Some((row.deployment.id, self.now));
        target.part = Part::Busy;
        row.deployment.word().clone_into(&mut target.status);
        target.message.clear();
        target.ways_out.clear();
        targets::put(self.tx, target).await?;
        deployments::insert(self.tx, &row)
            .await
            .map_err(|error| match error.unique() {
                Some("one_active") => AppError::new(
                    super::ErrorKind::Conflict,
                    "DEPLOYMENT_IN_PROGRESS",
                    format!(
                        "{} has a deployment in progress, which began at this moment",
                        target.target
                    ),
                ),
                _ => error.into(),
            })?;
        let verb = match (planned.intent, &row.template) {
            (Intent::Apply, Some(template)) => format!(
                "deployment of {} with {template}:{} requested",
                row.target, row.version
            ),
            (Intent::Apply, None) => format!("deployment of {} requested", row.target),
            (Intent::Destroy, _) => format!("deletion of {} requested", row.target),
        };
        let text = format!("{verb} by {}", row.requested_by);
        deployments::tell(self.tx, &mut row, self.now, Source::Hub, text).await?;
        if let Some(stack) = left_behind {
            let text =
                format!("a new stack is made; {stack}, whose deletion was begun, is not touched any more");
            deployments::tell(self.tx, &mut row, self.now, Source::Hub, text).await?;
        }
        if in_place {
            let text = "somebody else provisions it: nothing is done here";
            deployments::tell(self.tx, &mut row, self.now, Source::Hub, text).await?;
        }
        if let Phase::Waiting { grants } = &row.deployment.phase {
            let names: Vec<String> = grants
                .iter()
                .map(|repository| repository.name.to_string())
                .collect();
            let text = format!(
                "waits until account {} may pull from {}",
                row.account,
                names.join(", ")
            );
            deployments::tell(self.tx, &mut row, self.now, Source::Hub, text).await?;
        }
        self.carry_out(&mut row, begun.effects, None).await?;
        deployments::put(self.tx, &mut row).await?;
        tracing::info!(
            deployment.id = %row.deployment.id, account = %row.account, region = %row.region, "deployment of {} begins",
            row.target
        );
        Ok(row)
    }

    /// What a target is now; `None` when no deployment of it has succeeded yet.
    async fn state_of(&mut self, target: &TargetRow) -> Result<Option<State>, AppError> {
        let Some((id, _)) = target.succeeded else {
            return Ok(None);
        };
        // As the deployment that made it so wrote it down; after that only what the row itself still knows.
        let made = deployments::get(self.tx, id)
            .await?
            .and_then(|row| row.target_state);
        Ok(Some(made.unwrap_or_else(|| State {
            spec: target.spec.clone(),
            template: target.template.clone().map(|name| (name, target.version)),
            ..State::default()
        })))
    }

    /// What a target shall be when this deployment succeeds.
    async fn state_to_be(&mut self, row: &DeploymentRow) -> Result<State, AppError> {
        let mut state = State {
            spec: row.spec.clone(),
            template: row.template.clone().map(|name| (name, row.version)),
            ..State::default()
        };
        if let Target::Instance(service, instance) = &row.target {
            let succeeded = |found: Option<TargetRow>| found.and_then(|row| row.succeeded).map(|(id, _)| id);
            if let Some(environment) = &row.environment {
                let environment = Target::Environment(environment.clone());
                state.environment_deployment = succeeded(targets::get(self.tx, &environment).await?);
            }
            let pipeline = Target::Pipeline(service.clone());
            state.pipeline_deployment = succeeded(targets::get(self.tx, &pipeline).await?);
            if let Some(component) = components::attached_to(self.tx, service, Some(instance)).await? {
                let component = Target::Component(component.name);
                state
                    .component_deployments
                    .extend(succeeded(targets::get(self.tx, &component).await?));
            }
        }
        if let Target::Component(name) = &row.target {
            // Its row already says what was asked for.
            let component = components::get(self.tx, name).await?;
            state.component = component.map(|component| ComponentState::from(&component.shape));
            state.spec.clear();
        }
        Ok(state)
    }

    /// A stack name for a new incarnation of a target's stack.
    #[must_use]
    pub fn stack_name(&self, target: &Target) -> String {
        let id: TargetId = self.fresh_id();
        let digits = id.as_uuid().simple().to_string().to_uppercase();
        target.stack_name(&self.settings().stack_prefix, &digits[digits.len() - 10..])
    }
}

/// What a deployment is to do, decided before its transaction.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Make it true, or gone.
    pub intent: Intent,
    /// With this version.
    pub version: hadron_proto::vocab::TemplateVersion,
    /// With this spec.
    pub spec: String,
    /// The rendered template; `None` for deletions.
    pub rendered: Option<Rendered>,
    /// Resources to leave behind.
    pub retain: Vec<String>,
    /// Who asked.
    pub requested_by: String,
    /// Repositories that the target's account must be able to pull from first.
    pub grants: std::collections::BTreeSet<Repository>,
}

/// A rendered template that has been stored.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Digest of the text.
    pub digest: hadron_proto::vocab::Digest,
    /// Length of the text.
    pub bytes: u64,
    /// What CloudFormation has to be allowed.
    pub capabilities: Vec<String>,
    /// The types of its resources.
    pub resource_types: Vec<String>,
}

/// The target has an active deployment.
pub(super) fn busy(target: &Target, active: &DeploymentRow) -> AppError {
    AppError::new(
        super::ErrorKind::Conflict,
        "DEPLOYMENT_IN_PROGRESS",
        format!(
            "{target} has a deployment in progress ({}, {})",
            active.deployment.id,
            active.deployment.word()
        ),
    )
    .help(format!(
        "wait for it: hadron deployment watch {0}; or cancel it: hadron deployment cancel {0}",
        active.deployment.id
    ))
}
