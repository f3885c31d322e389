//! Carries out what the rules say. One arm per effect; everything stays in the transaction of the change.
//!
//! * `begin`: the beginning of a deployment; `outcome`: how jobs end, and what can be done about it.

mod begin;
mod outcome;

use hadron_domain::deployment::{DeploymentEffect, DeploymentInput, Ending, Intent, Phase, Work};
use hadron_domain::grant::{LaneInput, PolicyLane, Repository};
use hadron_domain::job::{Job, JobEffect, JobInput};
use hadron_domain::service::Part;
use hadron_domain::step::{Machine, Step};
use hadron_domain::target::Target;
use hadron_proto::vocab::{JobId, TargetId};

pub(super) use begin::busy;
pub use begin::{Planned, Rendered};
use outcome::only_its_own;
pub use outcome::{FailureKind, Inspection, Outcome, ways_out};

use super::{AppError, Notice, Unit, environments, work};
use crate::store::deployments::{DeploymentRow, Source};
use crate::store::jobs::{JobRow, JobWork};
use crate::store::{deployments, grants as lanes, jobs, outbox, tallies, targets};

/// Topics of the outbox.
pub(crate) mod topic {
    use hadron_proto::vocab::ServiceName;

    /// Look at a service and start what comes next; the key is its name.
    pub(crate) const SERVICE: &str = "service";
    /// Check a bundle that an agent fetched; the key is the job that fetched it.
    pub(crate) const REGISTER: &str = "register";
    /// Compute all grants anew; the key is [`ALL`] or one of [`of_pipeline`].
    pub(crate) const GRANTS: &str = "grants";
    /// Let a deployment go on, or fail it, that waits for grants; the key is its id.
    pub(crate) const RELEASE: &str = "release";
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
            && let Some(seen) = targets::seen(self.tx, row.target_id).await?
            && seen.status != row.deployment.word()
            && let Some(mut target) = targets::by_id(self.tx, row.target_id).await?
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
                | Outcome::CheckpointsPut { .. }
                | Outcome::BundleFetched { .. }
                | Outcome::Inspected(_),
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
        tallies::count(self.tx, row);
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
            None if matches!(job.work, JobWork::PutCheckpoints(_)) => {
                self.checkpoints_put(job, outcome).await
            }
            None if matches!(job.work, JobWork::FetchBundle { .. }) => {
                self.fetch_ended(job.job.id, outcome).await
            }
            None if matches!(job.work, JobWork::InspectStack { .. }) => {
                Box::pin(self.inspected(job, outcome)).await
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
            | Outcome::CheckpointsPut { .. }
            | Outcome::BundleFetched { .. }
            | Outcome::Inspected(_) => {
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
        hadron_proto::fault::point("C44");
        // Who waits for this, or for what nobody wants any more, is found when all grants are computed anew.
        Ok(outbox::ask(self.tx, topic::GRANTS, topic::ALL, self.now).await?)
    }

    /// A job was lost or passed on too often: it is given up.
    async fn give_up(&mut self, job: &JobRow) -> Result<(), AppError> {
        let message = format!(
            "the job was given up: agents took it {} times, {} times they were not heard of again, {} times they handed it \
             back, and nobody did it; the agent's log tells what happened to it",
            job.job.attempts, job.job.losses, job.job.handovers
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
            // Rare, and a large future: in a box it costs the others nothing.
            Box::pin(self.give_up(row)).await?;
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
        let given_up = self.back_to_queue(&mut row, step).await?;
        hadron_proto::fault::point("C19");
        if given_up {
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
        // All that are open, so that whoever ends their deployments as well holds the jobs before.
        for mut row in jobs::open_of_connection(self.tx, connection).await? {
            let step = row.job.step(JobInput::TakeBack { now: self.now })?;
            if step.next == row.job {
                continue;
            }
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
}
