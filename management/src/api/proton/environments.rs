//! Environments.

use hadron_domain::target::{self, Target};
use hadron_domain::template::{CompatibleTemplate, Wanted};
use hadron_proto::vocab::DeploymentId;

use super::shapes::{
    CancelEnvironmentDeploymentInput, CancelEnvironmentDeploymentOutput, CreateEnvironmentInput,
    CreateEnvironmentOutput, DeleteEnvironmentInput, DeleteEnvironmentOutput, Environment,
    EnvironmentSummary, GetEnvironmentInput, GetEnvironmentOutput, ListEnvironmentOutputsInput,
    ListEnvironmentOutputsOutput, ListEnvironmentProvisionedResourcesInput,
    ListEnvironmentProvisionedResourcesOutput, ListEnvironmentsInput, ListEnvironmentsOutput, Provisioning,
    UpdateEnvironmentInput, UpdateEnvironmentOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::environments::{EnvironmentUpdate, EnvironmentView, NewEnvironment, Path};
use crate::store::targets::{EnvironmentRoles, TargetRow};

impl Proton {
    pub(super) async fn create_environment(
        &self,
        call: &Call,
        input: CreateEnvironmentInput,
    ) -> Result<CreateEnvironmentOutput, Fault> {
        let major = convert::part("templateMajorVersion", &input.template_major_version)?;
        let minor = convert::part_opt("templateMinorVersion", input.template_minor_version.as_deref())?;
        let path = Path::of(
            convert::word_opt("protonServiceRoleArn", input.proton_service_role_arn.as_deref())?,
            convert::id_opt(
                "environmentAccountConnectionId",
                input.environment_account_connection_id.as_deref(),
            )?,
            convert::branch("provisioningRepository", input.provisioning_repository)?,
            Path::Unsaid,
        )?;
        let new = NewEnvironment {
            name: convert::word("name", &input.name)?,
            template: convert::word("templateName", &input.template_name)?,
            version: Wanted::of(Some(major), minor).unwrap_or(Wanted::Major(major)),
            path,
            component_role: convert::word_opt("componentRoleArn", input.component_role_arn.as_deref())?,
            codebuild_role: convert::word_opt("codebuildRoleArn", input.codebuild_role_arn.as_deref())?,
            spec: input.spec.into_string(),
            description: convert::revealed(input.description),
        };
        let row = self.app.create_environment(call.request(None), new).await?;
        Ok(CreateEnvironmentOutput {
            environment: self.environment_row(row).await?,
        })
    }

    pub(super) async fn get_environment(
        &self,
        call: &Call,
        input: GetEnvironmentInput,
    ) -> Result<GetEnvironmentOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let view = self.app.view_environment(&call.caller, &name).await?;
        Ok(GetEnvironmentOutput {
            environment: self.environment(view)?,
        })
    }

    pub(super) async fn list_environments(
        &self,
        call: &Call,
        input: ListEnvironmentsInput,
    ) -> Result<ListEnvironmentsOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let templates = input.environment_templates.unwrap_or_default().into_iter();
        let templates: Result<Vec<_>, Fault> = templates
            .map(|each| {
                Ok(CompatibleTemplate {
                    template: convert::word("environmentTemplates.templateName", &each.template_name)?,
                    major: convert::part("environmentTemplates.majorVersion", &each.major_version)?,
                })
            })
            .collect();
        let views = self
            .app
            .list_environments(&call.caller, templates?, page.first(), page.fetch())
            .await?;
        let (views, next_token) = page.cut(views, |view| vec![view.row.target.name()]);
        let environments: Result<Vec<_>, Fault> = views
            .into_iter()
            .map(|view| self.environment_summary(view))
            .collect();
        Ok(ListEnvironmentsOutput {
            environments: environments?,
            next_token,
        })
    }

    pub(super) async fn update_environment(
        &self,
        call: &Call,
        input: UpdateEnvironmentInput,
    ) -> Result<UpdateEnvironmentOutput, Fault> {
        let update = EnvironmentUpdate {
            name: convert::word("name", &input.name)?,
            mode: convert::mode(input.deployment_type),
            spec: input.spec.map(super::scalar::Sensitive::into_string),
            version: Wanted::of(
                convert::part_opt("templateMajorVersion", input.template_major_version.as_deref())?,
                convert::part_opt("templateMinorVersion", input.template_minor_version.as_deref())?,
            ),
            description: input.description.map(super::scalar::Sensitive::into_string),
            connection: convert::id_opt(
                "environmentAccountConnectionId",
                input.environment_account_connection_id.as_deref(),
            )?,
            roles: EnvironmentRoles {
                service: convert::word_opt("protonServiceRoleArn", input.proton_service_role_arn.as_deref())?,
                component: convert::word_opt("componentRoleArn", input.component_role_arn.as_deref())?,
                codebuild: convert::word_opt("codebuildRoleArn", input.codebuild_role_arn.as_deref())?,
            },
            repository: convert::branch("provisioningRepository", input.provisioning_repository)?,
        };
        let row = self.app.update_environment(call.request(None), update).await?;
        Ok(UpdateEnvironmentOutput {
            environment: self.environment_row(row).await?,
        })
    }

    pub(super) async fn delete_environment(
        &self,
        call: &Call,
        input: DeleteEnvironmentInput,
    ) -> Result<DeleteEnvironmentOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let row = self
            .app
            .delete_environment(call.request(None), name, Vec::new())
            .await?;
        Ok(DeleteEnvironmentOutput {
            environment: Some(self.environment_row(row).await?),
        })
    }

    pub(super) async fn cancel_environment_deployment(
        &self,
        call: &Call,
        input: CancelEnvironmentDeploymentInput,
    ) -> Result<CancelEnvironmentDeploymentOutput, Fault> {
        let name = convert::word("environmentName", &input.environment_name)?;
        let row = self.app.cancel_environment(call.request(None), &name).await?;
        Ok(CancelEnvironmentDeploymentOutput {
            environment: self.environment_row(row).await?,
        })
    }

    pub(super) async fn list_environment_outputs(
        &self,
        call: &Call,
        input: ListEnvironmentOutputsInput,
    ) -> Result<ListEnvironmentOutputsOutput, Fault> {
        let name = convert::word("environmentName", &input.environment_name)?;
        let deployment: Option<DeploymentId> =
            convert::id_opt("deploymentId", input.deployment_id.as_deref())?;
        let target = Target::Environment(name);
        let outputs = self.app.outputs(&call.caller, &target, deployment).await?;
        Ok(ListEnvironmentOutputsOutput {
            next_token: None,
            outputs: convert::outputs(outputs),
        })
    }

    pub(super) async fn list_environment_provisioned_resources(
        &self,
        call: &Call,
        input: ListEnvironmentProvisionedResourcesInput,
    ) -> Result<ListEnvironmentProvisionedResourcesOutput, Fault> {
        let name = convert::word("environmentName", &input.environment_name)?;
        let stacks = self
            .app
            .provisioned(&call.caller, &Target::Environment(name))
            .await?;
        Ok(ListEnvironmentProvisionedResourcesOutput {
            next_token: None,
            provisioned_resources: convert::provisioned(stacks),
        })
    }

    async fn environment_row(&self, row: TargetRow) -> Result<Environment, Fault> {
        let view = self.app.with_connection(row).await?;
        self.environment(view)
    }

    /// An environment as the API shows it.
    fn environment(&self, view: EnvironmentView) -> Result<Environment, Fault> {
        let spec = convert::secret(view.row.spec.clone());
        let codebuild_role_arn = view.codebuild_role().map(ToString::to_string);
        let summary = self.environment_summary(view)?;
        Ok(Environment {
            arn: summary.arn,
            codebuild_role_arn,
            component_role_arn: summary.component_role_arn,
            created_at: summary.created_at,
            deployment_status: summary.deployment_status,
            deployment_status_message: summary.deployment_status_message,
            description: summary.description,
            environment_account_connection_id: summary.environment_account_connection_id,
            environment_account_id: summary.environment_account_id,
            last_attempted_deployment_id: summary.last_attempted_deployment_id,
            last_deployment_attempted_at: summary.last_deployment_attempted_at,
            last_deployment_succeeded_at: summary.last_deployment_succeeded_at,
            last_succeeded_deployment_id: summary.last_succeeded_deployment_id,
            name: summary.name,
            proton_service_role_arn: summary.proton_service_role_arn,
            provisioning: summary.provisioning,
            provisioning_repository: None,
            spec,
            template_major_version: summary.template_major_version,
            template_minor_version: summary.template_minor_version,
            template_name: summary.template_name,
        })
    }

    /// The same in lists.
    fn environment_summary(&self, view: EnvironmentView) -> Result<EnvironmentSummary, Fault> {
        let component_role_arn = view.component_role().map(ToString::to_string);
        let EnvironmentView { row, connection } = view;
        let deployed = convert::deployed(&row)?;
        Ok(EnvironmentSummary {
            arn: self.arn(&row.target),
            component_role_arn,
            created_at: row.created_at.into(),
            deployment_status: deployed.status,
            deployment_status_message: deployed.message,
            description: convert::secret(row.description),
            environment_account_connection_id: connection.as_ref().map(|its| convert::plain_id(its.id)),
            environment_account_id: connection.map(|its| its.account.to_string()),
            last_attempted_deployment_id: deployed.attempted_id,
            last_deployment_attempted_at: deployed.attempted_at,
            last_deployment_succeeded_at: deployed.succeeded_at,
            last_succeeded_deployment_id: deployed.succeeded_id,
            name: row.target.name(),
            proton_service_role_arn: row.roles.service.map(|role| role.to_string()),
            provisioning: match row.provisioning {
                target::Provisioning::Stack => None,
                target::Provisioning::CustomerManaged => Some(Provisioning::CustomerManaged),
            },
            template_major_version: row.version.major.to_string(),
            template_minor_version: row.version.minor.to_string(),
            template_name: row.template.map(String::from).unwrap_or_default(),
        })
    }
}
