//! The beginning of a deployment: its row, its first event, what its target was and shall be, and its job.

use hadron_domain::deployment::{Deployment, Intent, Phase};
use hadron_domain::grant::Repository;
use hadron_domain::service::Part;
use hadron_domain::target::Target;
use hadron_domain::template::VersionFault;
use hadron_proto::vocab::{TargetId, TemplateVersion};
use indexmap::IndexMap;

use crate::app::templates::unapproved;
use crate::app::{AppError, ErrorKind, Unit, inputs};
use crate::store::deployments::{ComponentState, DeploymentRow, Earlier, Source, State};
use crate::store::targets::TargetRow;
use crate::store::{components, deployments, requests, targets, templates};

impl Unit<'_> {
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
        let connection = crate::store::connections::shared_now(self.tx, target.connection).await?;
        if planned.intent == Intent::Apply
            && let Some(name) = &target.template
        {
            // Held: who deletes the version looks at the targets that use it.
            let kind = inputs::template_kind(&target.target);
            let template = templates::shared(self.tx, kind, name).await?;
            if !template.is_some_and(|row| row.versions.existing.contains_key(&planned.version)) {
                return Err(VersionFault::NoSuchVersion(planned.version).into());
            }
        }
        let mut source = None;
        if let (Intent::Apply, Some(rendered)) = (planned.intent, &planned.rendered) {
            let signed = self
                .check_approved(target, planned.version, &rendered.capabilities)
                .await?;
            source = signed.then(|| rendered.source.clone());
        }
        let connected = connection.as_ref().is_some_and(|row| {
            matches!(
                row.connection.approval,
                hadron_domain::connection::Approval::Connected(_)
            )
        });
        if !connected && declared.is_none() {
            return Err(AppError::new(
                ErrorKind::Precondition,
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
            trace: self.tx.origin().trace.clone(),
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
                    ErrorKind::Conflict,
                    "DEPLOYMENT_IN_PROGRESS",
                    format!(
                        "{} has a deployment in progress, which began at this moment",
                        target.target
                    ),
                ),
                _ => error.into(),
            })?;
        if let Some(source) = source {
            let source = requests::put_blob(self.tx, &source, self.now).await?;
            deployments::put_source(self.tx, row.deployment.id, source).await?;
        }
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
        hadron_proto::fault::point("C38");
        tracing::info!(
            deployment.id = %row.deployment.id, account = %row.account, region = %row.region, "deployment of {} begins",
            row.target
        );
        Ok(row)
    }

    /// Sees to it that everything that a stack needs was approved: for its version, or for components in general. Answers whether
    /// the version is signed.
    async fn check_approved(
        &mut self,
        target: &TargetRow,
        version: TemplateVersion,
        needs: &[String],
    ) -> Result<bool, AppError> {
        let (Some(name), false) = (&target.template, matches!(target.target, Target::Component(_))) else {
            let allowed = &self.settings().templates.component_capabilities;
            let missing: Vec<&str> = needs
                .iter()
                .filter(|need| !allowed.contains(*need))
                .map(String::as_str)
                .collect();
            return if missing.is_empty() {
                Ok(false)
            } else {
                Err(AppError::new(
                    ErrorKind::Precondition,
                    "CAPABILITY_NOT_APPROVED",
                    format!("{} needs {}, which components may not have here", target.target, missing.join(", ")),
                )
                .help("change its template; or an administrator adds it to templates.component_capabilities of the hub"))
            };
        };
        let kind = inputs::template_kind(&target.target);
        let row = templates::get_version(self.tx, kind, name, version).await?;
        let row = row.ok_or(VersionFault::NoSuchVersion(version))?;
        let missing = row.approvals.missing(needs);
        if missing.is_empty() {
            Ok(!row.approvals.publisher.is_empty())
        } else {
            Err(unapproved(kind, name, version, &missing))
        }
    }

    /// What a target is now; `None` when no deployment of it has succeeded yet.
    async fn state_of(&mut self, target: &TargetRow) -> Result<Option<State>, AppError> {
        let Some((id, _)) = target.succeeded else {
            return Ok(None);
        };
        // As the deployment that made it so wrote it down; after that only what the row itself still knows.
        let made = deployments::seen(self.tx, id)
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
                state.environment_deployment = succeeded(targets::seen_by_name(self.tx, &environment).await?);
            }
            let pipeline = Target::Pipeline(service.clone());
            state.pipeline_deployment = succeeded(targets::seen_by_name(self.tx, &pipeline).await?);
            if let Some(component) = components::attached_to(self.tx, service, Some(instance)).await? {
                let component = Target::Component(component.name);
                state
                    .component_deployments
                    .extend(succeeded(targets::seen_by_name(self.tx, &component).await?));
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
    /// What it was rendered from: a question to whoever renders, JSON. Kept where publishers have signed that.
    pub source: Vec<u8>,
}

/// The target has an active deployment.
pub(in crate::app) fn busy(target: &Target, active: &DeploymentRow) -> AppError {
    AppError::new(
        ErrorKind::Conflict,
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
