//! Deployments, as records of what was tried.

use hadron_domain::target::Target;

use super::arn::Resource;
use super::scalar::Sensitive;
use super::shapes::{
    ComponentState, DeleteDeploymentInput, DeleteDeploymentOutput, Deployment, DeploymentState,
    DeploymentSummary, DeploymentTargetResourceType, EnvironmentState, GetDeploymentInput,
    GetDeploymentOutput, ListDeploymentsInput, ListDeploymentsOutput, ServiceInstanceState,
    ServicePipelineState,
};
use super::{Call, Fault, Proton, convert};
use crate::app::deployments::{Named, environment_of, modified_at};
use crate::store::deployments::{DeploymentRow, State};

/// What was before or shall be, in the one of four forms that fits its target.
fn state(target: &Target, state: State) -> DeploymentState {
    let (template_name, major, minor) = match state.template {
        Some((name, version)) => (
            name.to_string(),
            version.major.to_string(),
            version.minor.to_string(),
        ),
        None => (String::new(), String::new(), String::new()),
    };
    match target {
        Target::Environment(_) => DeploymentState::Environment(EnvironmentState {
            spec: convert::secret(state.spec),
            template_major_version: major,
            template_minor_version: minor,
            template_name,
        }),
        Target::Pipeline(_) => DeploymentState::ServicePipeline(ServicePipelineState {
            spec: convert::secret(state.spec),
            template_major_version: major,
            template_minor_version: minor,
            template_name,
        }),
        Target::Instance(..) => {
            let components: Vec<String> = state
                .component_deployments
                .into_iter()
                .map(convert::plain_id)
                .collect();
            DeploymentState::ServiceInstance(ServiceInstanceState {
                last_successful_component_deployment_ids: (!components.is_empty()).then_some(components),
                last_successful_environment_deployment_id: state
                    .environment_deployment
                    .map(convert::plain_id),
                last_successful_service_pipeline_deployment_id: state
                    .pipeline_deployment
                    .map(convert::plain_id),
                spec: Sensitive::from(state.spec),
                template_major_version: major,
                template_minor_version: minor,
                template_name,
            })
        }
        Target::Component(_) => {
            let component = state.component.unwrap_or_default();
            DeploymentState::Component(ComponentState {
                service_instance_name: convert::text(component.instance),
                service_name: convert::text(component.service),
                service_spec: convert::secret(component.service_spec),
                template_file: convert::secret(component.template_file),
            })
        }
    }
}

impl Proton {
    pub(super) async fn get_deployment(
        &self,
        call: &Call,
        input: GetDeploymentInput,
    ) -> Result<GetDeploymentOutput, Fault> {
        let named = Named {
            environment: convert::word_opt("environmentName", input.environment_name.as_deref())?,
            service: convert::word_opt("serviceName", input.service_name.as_deref())?,
            instance: convert::word_opt("serviceInstanceName", input.service_instance_name.as_deref())?,
            component: convert::word_opt("componentName", input.component_name.as_deref())?,
        };
        let id = convert::id("id", &input.id)?;
        let row = self.app.get_named_deployment(&call.caller, id, &named).await?;
        Ok(GetDeploymentOutput {
            deployment: Some(self.deployment(row)?),
        })
    }

    pub(super) async fn list_deployments(
        &self,
        call: &Call,
        input: ListDeploymentsInput,
    ) -> Result<ListDeploymentsOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let named = Named {
            environment: convert::word_opt("environmentName", input.environment_name.as_deref())?,
            service: convert::word_opt("serviceName", input.service_name.as_deref())?,
            instance: convert::word_opt("serviceInstanceName", input.service_instance_name.as_deref())?,
            component: convert::word_opt("componentName", input.component_name.as_deref())?,
        };
        let rows = self
            .app
            .list_deployments(&call.caller, named.filter()?, page.first(), page.fetch())
            .await?;
        let (rows, next_token) = page.cut(rows, |row| vec![row.deployment.id.to_string()]);
        let deployments: Result<Vec<_>, Fault> =
            rows.iter().map(|row| self.deployment_summary(row)).collect();
        Ok(ListDeploymentsOutput {
            deployments: deployments?,
            next_token,
        })
    }

    pub(super) async fn delete_deployment(
        &self,
        call: &Call,
        input: DeleteDeploymentInput,
    ) -> Result<DeleteDeploymentOutput, Fault> {
        let id = convert::id("id", &input.id)?;
        let removed = self.app.delete_deployment(call.request(None), id).await?;
        Ok(DeleteDeploymentOutput {
            deployment: removed.map(|row| self.deployment(row)).transpose()?,
        })
    }

    /// A deployment as the API shows it.
    fn deployment(&self, row: DeploymentRow) -> Result<Deployment, Fault> {
        let summary = self.deployment_summary(&row)?;
        let stated = |found: Option<State>| found.map(|found| state(&row.target, found));
        Ok(Deployment {
            arn: summary.arn,
            completed_at: summary.completed_at,
            component_name: summary.component_name,
            created_at: summary.created_at,
            deployment_status: summary.deployment_status,
            deployment_status_message: convert::secret(row.message),
            environment_name: summary.environment_name,
            id: summary.id,
            initial_state: stated(row.initial),
            last_attempted_deployment_id: summary.last_attempted_deployment_id,
            last_modified_at: summary.last_modified_at,
            last_succeeded_deployment_id: summary.last_succeeded_deployment_id,
            service_instance_name: summary.service_instance_name,
            service_name: summary.service_name,
            target_arn: summary.target_arn,
            target_resource_created_at: summary.target_resource_created_at,
            target_resource_type: summary.target_resource_type,
            target_state: stated(row.target_state),
        })
    }

    /// The same in lists.
    fn deployment_summary(&self, row: &DeploymentRow) -> Result<DeploymentSummary, Fault> {
        use DeploymentTargetResourceType as Type;
        let id = row.deployment.id;
        let (target_resource_type, service, instance, component) = match &row.target {
            Target::Environment(_) => (Type::Environment, None, None, None),
            Target::Pipeline(service) => (Type::ServicePipeline, Some(service), None, None),
            Target::Instance(service, name) => (Type::ServiceInstance, Some(service), Some(name), None),
            Target::Component(name) => (Type::Component, None, None, Some(name)),
        };
        Ok(DeploymentSummary {
            arn: self.arn(Resource::Deployment(id)),
            completed_at: row.ended_at.map(Into::into),
            component_name: component.map(ToString::to_string),
            created_at: row.created_at.into(),
            deployment_status: convert::deployment_status(row.deployment.word())?,
            environment_name: environment_of(row).map(String::from).unwrap_or_default(),
            id: convert::plain_id(id),
            last_attempted_deployment_id: row.earlier.attempted.map(convert::plain_id),
            last_modified_at: modified_at(row).into(),
            last_succeeded_deployment_id: row.earlier.succeeded.map(convert::plain_id),
            service_instance_name: instance.map(ToString::to_string),
            service_name: service.map(ToString::to_string),
            target_arn: self.arn(&row.target),
            target_resource_created_at: row.target_created_at.into(),
            target_resource_type,
        })
    }
}
