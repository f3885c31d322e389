//! From what the hub knows to what goes over the wire, and from the wire's texts to typed words.

use std::collections::BTreeSet;
use std::str::FromStr;

use hadron_domain::authority::Caller;
use hadron_domain::connection::{Approval, Connection};
use hadron_domain::deployment::Intent;
use hadron_domain::target::{Provisioning, Target};
use hadron_domain::template::{CompatibleTemplate, TemplateKind, Wanted};
use hadron_proto::vocab::{DeploymentId, Digest, RoleArn, Timestamp};
use hadron_proto::wire;
use hadron_templates::Capability;
use tonic::{Code, Status};

use crate::api::status::with_info;
use crate::app::agents::AgentView;
use crate::app::components::ComponentView;
use crate::app::connections::ConnectionView;
use crate::app::deployments::waiting_for;
use crate::app::environments::UpdateMode;
use crate::app::grants::GrantView;
use crate::app::instances::PartUpdate;
use crate::app::services::ServiceView;
use crate::app::templates::{BundleSource, VersionView};
use crate::app::{Request, Settings};
use crate::store::deployments::{DeploymentRow, EventRow, State};
use crate::store::targets::TargetRow;
use crate::store::templates::{S3Object, TemplateRow};

/// A point in time.
pub(super) fn time(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// A text that has to be a word of the vocabulary; `field` names it when it is not.
pub(super) fn word<T>(field: &str, text: &str) -> Result<T, Status>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error| {
        with_info(
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            &format!("{field}: {error}"),
            None,
        )
    })
}

/// Like [`word`], absent when the text is empty.
pub(super) fn word_opt<T>(field: &str, text: &str) -> Result<Option<T>, Status>
where
    T: FromStr<Err: std::fmt::Display>,
{
    if text.is_empty() {
        Ok(None)
    } else {
        word(field, text).map(Some)
    }
}

/// A text, absent when empty.
pub(super) fn text(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}

/// A description: Proton allows 500 characters.
pub(super) fn description(text: String) -> Result<String, Status> {
    if text.chars().count() > 500 {
        return Err(with_info(
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "description: at most 500 characters are allowed",
            None,
        ));
    }
    Ok(text)
}

fn wrong(message: &str, help: Option<&str>) -> Status {
    with_info(Code::InvalidArgument, "INVALID_ARGUMENT", message, help)
}

/// A name for people: Proton allows 100 characters.
pub(super) fn display_name(text: String) -> Result<String, Status> {
    if text.chars().count() > 100 {
        return Err(wrong("display_name: at most 100 characters are allowed", None));
    }
    Ok(text)
}

/// The ARN of a KMS key, or nothing.
pub(super) fn encryption_key(text: String) -> Result<String, Status> {
    if text.is_empty()
        || (text.starts_with("arn:") && text.len() <= 200 && !text.contains(char::is_whitespace))
    {
        return Ok(text);
    }
    Err(wrong("encryption_key: is no ARN of a KMS key", None))
}

/// Environment templates that a service version runs in.
pub(super) fn compatible(names: &[String]) -> Result<Vec<CompatibleTemplate>, Status> {
    names
        .iter()
        .map(|text| word("compatible_environment_templates", text))
        .collect()
}

/// Whether components may be attached.
pub(super) fn component_sources(sources: &[String]) -> Result<bool, Status> {
    match sources.iter().find(|word| *word != "DIRECTLY_DEFINED") {
        Some(other) => Err(wrong(
            &format!("supported_component_sources: '{other}' is none; say DIRECTLY_DEFINED"),
            None,
        )),
        None => Ok(!sources.is_empty()),
    }
}

/// Whether an update publishes.
pub(super) fn publish(status: &str) -> Result<bool, Status> {
    match status {
        "" => Ok(false),
        "PUBLISHED" => Ok(true),
        other => Err(wrong(
            &format!("status: a version can only be made PUBLISHED, not '{other}'"),
            None,
        )),
    }
}

/// Where the bundle of a new version is: in the request, or in S3.
pub(super) fn bundle_source(bundle: Vec<u8>, source: Option<wire::S3Object>) -> Result<BundleSource, Status> {
    match source {
        Some(_) if !bundle.is_empty() => Err(wrong(
            "source: the request brings a bundle as well",
            Some("give one of them"),
        )),
        Some(wire::S3Object { bucket, key }) => Ok(BundleSource::S3(S3Object { bucket, key })),
        None => Ok(BundleSource::Archive(bundle)),
    }
}

/// A request for a change. The whole message is what an idempotency token stands for.
pub(super) fn change<M: prost::Message>(
    caller: Caller,
    operation: &'static str,
    request_id: &str,
    message: &M,
) -> Result<Request, Status> {
    let fine = request_id.len() <= 64 && request_id.bytes().all(|byte| byte.is_ascii_graphic());
    if !fine {
        return Err(with_info(
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "request_id: use at most 64 visible ASCII characters, a UUID for instance",
            None,
        ));
    }
    let id = text(request_id.to_owned());
    Ok(Request {
        caller,
        id,
        operation,
        hash: Digest::of(&message.encode_to_vec()),
        repeatable: false,
        tags: Vec::new(),
    })
}

/// The kind of template that a request names.
pub(super) fn kind(kind: i32) -> Result<TemplateKind, Status> {
    kind_opt(kind)?.ok_or_else(|| {
        with_info(
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "kind: say ENVIRONMENT or SERVICE",
            None,
        )
    })
}

/// Like [`kind`], absent when unspecified.
pub(super) fn kind_opt(kind: i32) -> Result<Option<TemplateKind>, Status> {
    match wire::TemplateKind::try_from(kind) {
        Ok(wire::TemplateKind::Environment) => Ok(Some(TemplateKind::Environment)),
        Ok(wire::TemplateKind::Service) => Ok(Some(TemplateKind::Service)),
        Ok(wire::TemplateKind::Unspecified) => Ok(None),
        Err(_) => Err(with_info(
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "kind: unknown value",
            None,
        )),
    }
}

fn wire_kind(kind: TemplateKind) -> i32 {
    match kind {
        TemplateKind::Environment => wire::TemplateKind::Environment as i32,
        TemplateKind::Service => wire::TemplateKind::Service as i32,
    }
}

/// The update mode; unspecified means the current version.
pub(super) fn mode(mode: i32) -> Result<UpdateMode, Status> {
    match wire::DeploymentType::try_from(mode) {
        Ok(wire::DeploymentType::None) => Ok(UpdateMode::None),
        Ok(wire::DeploymentType::CurrentVersion | wire::DeploymentType::Unspecified) => {
            Ok(UpdateMode::Current)
        }
        Ok(wire::DeploymentType::MinorVersion) => Ok(UpdateMode::Minor),
        Ok(wire::DeploymentType::MajorVersion) => Ok(UpdateMode::Major),
        Err(_) => Err(with_info(
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "deployment_type: unknown value",
            None,
        )),
    }
}

/// The wanted version, absent when empty.
pub(super) fn wanted(version: &str) -> Result<Option<Wanted>, Status> {
    word_opt("template_version", version)
}

/// An update of an instance or a pipeline.
pub(super) fn part_update(deployment_type: i32, spec: String, version: &str) -> Result<PartUpdate, Status> {
    Ok(PartUpdate {
        mode: mode(deployment_type)?,
        spec: text(spec),
        version: wanted(version)?,
    })
}

/// A connection.
pub(super) fn connection(view: ConnectionView, settings: &Settings) -> wire::Connection {
    let Connection {
        id,
        environment,
        account,
        region,
        roles,
        requested,
        approval,
        ..
    } = view.connection;
    let decided = match &approval {
        Approval::Pending => None,
        Approval::Connected(by) | Approval::Rejected(by) | Approval::Deleted(by) => Some(by),
    };
    wire::Connection {
        id: id.to_string(),
        environment_name: environment.to_string(),
        environment_account_id: account.to_string(),
        management_account_id: settings.account.to_string(),
        region: region.to_string(),
        role_arn: roles.provisioning.map(String::from).unwrap_or_default(),
        component_role_arn: roles.component.map(String::from).unwrap_or_default(),
        codebuild_role_arn: roles.codebuild.map(String::from).unwrap_or_default(),
        agent_role_name: roles.agent_role_name,
        status: approval.word().to_owned(),
        requested_by: requested.who.to_string(),
        requested_at: Some(time(requested.at)),
        decided_by: decided.map(|by| by.who.to_string()).unwrap_or_default(),
        decided_at: decided.map(|by| time(by.at)),
        agent_online: view.agent_online,
        agent_last_seen: view.agent_last_seen.map(time),
        agent_key_fingerprint: view.agent_key.unwrap_or_default(),
    }
}

/// A template.
pub(super) fn template(row: TemplateRow) -> wire::Template {
    wire::Template {
        kind: wire_kind(row.kind),
        recommended_version: row
            .versions
            .recommended()
            .map(|version| version.to_string())
            .unwrap_or_default(),
        name: row.name.into(),
        display_name: row.display_name,
        description: row.description,
        pipeline_provisioning: if row.no_pipeline {
            "CUSTOMER_MANAGED".to_owned()
        } else {
            String::new()
        },
        created_at: Some(time(row.created_at)),
        last_modified_at: Some(time(row.modified_at)),
        provisioning: if row.customer_managed {
            "CUSTOMER_MANAGED".to_owned()
        } else {
            String::new()
        },
        encryption_key: row.encryption_key,
    }
}

/// A template version; the schema is given where it was asked for.
pub(super) fn version(view: VersionView, schema: String) -> wire::TemplateVersion {
    let status_message = view.message();
    let VersionView {
        row,
        state,
        recommended,
    } = view;
    wire::TemplateVersion {
        kind: wire_kind(row.kind),
        template_name: row.name.into(),
        version: row.version.to_string(),
        status: state.word().to_owned(),
        status_message,
        description: row.description,
        compatible_environment_templates: row.compatible.iter().map(ToString::to_string).collect(),
        bundle_digest: row
            .content
            .map(|content| content.digest.to_string())
            .unwrap_or_default(),
        created_at: Some(time(row.created_at)),
        last_modified_at: Some(time(row.modified_at)),
        warnings: row.warnings,
        schema,
        source: row
            .source
            .map(|S3Object { bucket, key }| wire::S3Object { bucket, key }),
        supported_component_sources: if row.components {
            vec!["DIRECTLY_DEFINED".to_owned()]
        } else {
            Vec::new()
        },
        recommended_version: recommended.map(|version| version.to_string()).unwrap_or_default(),
        approved_capabilities: row
            .approvals
            .approved
            .unwrap_or_else(|| row.approvals.needed.clone())
            .into_iter()
            .collect(),
        needed_capabilities: row.approvals.needed.into_iter().collect(),
        publisher: row.approvals.publisher,
    }
}

/// Capabilities of CloudFormation.
pub(super) fn capabilities(words: &[String]) -> Result<BTreeSet<Capability>, Status> {
    words.iter().map(|each| word("capabilities", each)).collect()
}

fn outputs<'a>(outputs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<wire::Output> {
    outputs
        .into_iter()
        .map(|(key, value)| wire::Output {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

fn state(row: &TargetRow) -> wire::DeploymentState {
    wire::DeploymentState {
        status: row.status.clone(),
        status_message: row.message.clone(),
        last_attempted_deployment_id: row.attempted.map(|(id, _)| id.to_string()).unwrap_or_default(),
        last_succeeded_deployment_id: row.succeeded.map(|(id, _)| id.to_string()).unwrap_or_default(),
        last_attempted_at: row.attempted.map(|(_, at)| time(at)),
        last_succeeded_at: row.succeeded.map(|(_, at)| time(at)),
        stack_name: row.stack_name.clone(),
        stack_arn: row
            .stack_arn
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        account_id: row.account.to_string(),
        region: row.region.to_string(),
        outputs: outputs(&row.outputs),
        resources: row
            .resources
            .iter()
            .map(|resource| wire::StackResource {
                logical_id: resource.logical_id.clone(),
                physical_id: resource.physical_id.clone(),
                resource_type: resource.resource_type.clone(),
                status: resource.status.clone(),
            })
            .collect(),
        ways_out: row.ways_out.clone(),
    }
}

/// An environment.
pub(super) fn environment(row: TargetRow, settings: &Settings) -> wire::Environment {
    let own = row.account == settings.account && row.region == settings.region;
    let role = |role: &Option<RoleArn>| role.as_ref().map(ToString::to_string).unwrap_or_default();
    wire::Environment {
        deployment: Some(state(&row)),
        service_role_arn: role(&row.roles.service),
        component_role_arn: role(&row.roles.component),
        codebuild_role_arn: role(&row.roles.codebuild),
        provisioning: match row.provisioning {
            Provisioning::Stack => String::new(),
            Provisioning::CustomerManaged => "CUSTOMER_MANAGED".to_owned(),
        },
        name: row.target.name(),
        description: row.description,
        template_name: row.template.map(String::from).unwrap_or_default(),
        template_version: row.version.to_string(),
        connection_id: if own {
            String::new()
        } else {
            row.connection.to_string()
        },
        spec: row.spec,
        created_at: Some(time(row.created_at)),
        warnings: row.warnings,
    }
}

/// A service instance.
pub(super) fn instance(row: TargetRow) -> wire::ServiceInstance {
    let (service_name, name) = match &row.target {
        Target::Instance(service, name) => (service.to_string(), name.to_string()),
        other => (String::new(), other.name()),
    };
    wire::ServiceInstance {
        deployment: Some(state(&row)),
        service_name,
        name,
        environment_name: row.environment.map(String::from).unwrap_or_default(),
        template_name: row.template.map(String::from).unwrap_or_default(),
        template_version: row.version.to_string(),
        spec: row.spec,
        created_at: Some(time(row.created_at)),
        warnings: row.warnings,
    }
}

/// A pipeline.
pub(super) fn pipeline(row: TargetRow) -> wire::Pipeline {
    wire::Pipeline {
        deployment: Some(state(&row)),
        service_name: row.target.name(),
        template_name: row.template.map(String::from).unwrap_or_default(),
        template_version: row.version.to_string(),
        spec: row.spec,
        created_at: Some(time(row.created_at)),
        warnings: row.warnings,
    }
}

/// A component.
pub(super) fn component(view: ComponentView) -> wire::Component {
    let ComponentView { target, component } = view;
    let shape = component.shape;
    let (service_name, instance_name) = shape
        .attached
        .map(|attached| (attached.service.into(), attached.instance.into()))
        .unwrap_or_default();
    wire::Component {
        deployment: Some(state(&target)),
        name: component.name.into(),
        description: target.description,
        environment_name: target.environment.map(String::from).unwrap_or_default(),
        service_name,
        instance_name,
        service_spec: shape.service_spec,
        manifest: component.manifest,
        template_file: shape.template_file,
        created_at: Some(time(target.created_at)),
        last_modified_at: Some(time(component.modified_at)),
        warnings: target.warnings,
    }
}

/// A service.
pub(super) fn service(view: ServiceView) -> wire::Service {
    let ServiceView {
        service,
        instances,
        pipeline: its_pipeline,
    } = view;
    wire::Service {
        name: service.name.into(),
        description: service.description,
        template_name: service.template.into(),
        status: service.status.word().to_owned(),
        status_message: service.message,
        spec: service.spec,
        branch_name: service.branch,
        repository_id: service.repository,
        repository_connection_arn: service.link,
        created_at: Some(time(service.created_at)),
        last_modified_at: Some(time(service.modified_at)),
        warnings: instances.iter().flat_map(|row| row.warnings.clone()).collect(),
        instances: instances.into_iter().map(instance).collect(),
        pipeline: its_pipeline.map(pipeline),
    }
}

/// A kind of target; nothing when the text is empty.
pub(super) fn target_kind(word: &str) -> Result<&'static str, Status> {
    ["", "environment", "instance", "pipeline", "component"]
        .into_iter()
        .find(|known| *known == word)
        .ok_or_else(|| {
            with_info(
                Code::InvalidArgument,
                "INVALID_ARGUMENT",
                "target_kind: use environment, instance, pipeline or component",
                None,
            )
        })
}

fn target_state(state: State) -> wire::TargetState {
    let (template_name, template_version) = match state.template {
        Some((name, version)) => (name.to_string(), version.to_string()),
        None => (String::new(), String::new()),
    };
    let id = |id: Option<DeploymentId>| id.map(|id| id.to_string()).unwrap_or_default();
    let component = state.component.unwrap_or_default();
    wire::TargetState {
        template_name,
        template_version,
        spec: if component.service_spec.is_empty() {
            state.spec
        } else {
            component.service_spec
        },
        environment_deployment_id: id(state.environment_deployment),
        pipeline_deployment_id: id(state.pipeline_deployment),
        component_deployment_ids: state
            .component_deployments
            .iter()
            .map(ToString::to_string)
            .collect(),
        service_name: component.service,
        instance_name: component.instance,
        template_file: component.template_file,
    }
}

/// A deployment with what its target was before and shall be after it.
pub(super) fn deployment_with_states(mut row: DeploymentRow) -> wire::Deployment {
    let (initial, wanted) = (row.initial.take(), row.target_state.take());
    wire::Deployment {
        initial_state: initial.map(target_state),
        target_state: wanted.map(target_state),
        ..deployment(row)
    }
}

/// A deployment.
pub(super) fn deployment(row: DeploymentRow) -> wire::Deployment {
    wire::Deployment {
        id: row.deployment.id.to_string(),
        target_kind: row.target.kind().to_owned(),
        target: row.target.name(),
        intent: match row.deployment.intent {
            Intent::Apply => "APPLY".to_owned(),
            Intent::Destroy => "DESTROY".to_owned(),
        },
        status: row.deployment.word().to_owned(),
        waiting_for: waiting_for(&row).unwrap_or_default(),
        status_message: row.message,
        template_name: row.template.map(String::from).unwrap_or_default(),
        template_version: row.version.to_string(),
        environment_name: row.environment.map(String::from).unwrap_or_default(),
        service_name: match &row.target {
            Target::Instance(service, _) | Target::Pipeline(service) => service.to_string(),
            Target::Environment(_) | Target::Component(_) => String::new(),
        },
        component_name: match &row.target {
            Target::Component(name) => name.to_string(),
            Target::Environment(_) | Target::Instance(..) | Target::Pipeline(_) => String::new(),
        },
        initial_state: None,
        target_state: None,
        account_id: row.account.to_string(),
        region: row.region.to_string(),
        stack_name: row.stack_name,
        stack_arn: row.stack_arn.map(String::from).unwrap_or_default(),
        created_at: Some(time(row.created_at)),
        completed_at: row.ended_at.map(time),
        requested_by: row.requested_by,
        attempt: row.attempt,
        changes: row
            .changes
            .into_iter()
            .map(|change| wire::ResourceChange {
                action: change.action,
                logical_id: change.logical_id,
                physical_id: change.physical_id,
                resource_type: change.resource_type,
                replacement: change.replacement,
            })
            .collect(),
        outputs: outputs(&row.outputs),
        ways_out: row.ways_out,
    }
}

/// Something that happened during a deployment.
pub(super) fn event(row: EventRow) -> wire::DeploymentEvent {
    wire::DeploymentEvent {
        sequence: row.sequence,
        at: Some(time(row.at)),
        source: row.source,
        message: row.message,
        stack_event: row.event.map(|event| wire::StackEvent {
            event_id: event.event_id,
            at: Some(time(event.at)),
            logical_id: event.logical_id,
            physical_id: event.physical_id,
            resource_type: event.resource_type,
            status: event.status,
            reason: event.reason,
        }),
    }
}

/// A grant.
pub(super) fn grant(view: GrantView) -> wire::Grant {
    wire::Grant {
        registry_id: view.repository.registry.to_string(),
        region: view.repository.region.to_string(),
        repository: view.repository.name.to_string(),
        account_id: view.account.to_string(),
        state: view.state.to_owned(),
        reasons: view.reasons,
        message: view.message,
        changed_at: Some(time(view.changed_at)),
    }
}

/// An agent.
pub(super) fn agent(view: AgentView) -> wire::Agent {
    let AgentView {
        agent,
        jobs,
        management,
    } = view;
    wire::Agent {
        id: agent.id.to_string(),
        account_id: agent.account.to_string(),
        region: agent.region.to_string(),
        connection_id: agent.connection.to_string(),
        principal: agent.principal,
        version: agent.version,
        online: agent.session.is_some(),
        last_seen: Some(time(agent.last_seen)),
        certificate_expires_at: Some(time(agent.not_after)),
        key_fingerprint: agent.key_fingerprint,
        jobs_held: jobs,
        management,
    }
}
