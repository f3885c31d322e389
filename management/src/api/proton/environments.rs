//! Environments.

use hadron_domain::target;

use super::shapes::{
    CancelEnvironmentDeploymentInput, CancelEnvironmentDeploymentOutput, CreateEnvironmentInput,
    CreateEnvironmentOutput, DeleteEnvironmentInput, DeleteEnvironmentOutput, Environment,
    EnvironmentSummary, GetEnvironmentInput, GetEnvironmentOutput, ListEnvironmentOutputsInput,
    ListEnvironmentOutputsOutput, ListEnvironmentProvisionedResourcesInput,
    ListEnvironmentProvisionedResourcesOutput, ListEnvironmentsInput, ListEnvironmentsOutput, Provisioning,
    UpdateEnvironmentInput, UpdateEnvironmentOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::store::targets::{Filter, TargetRow};

impl Proton {
    pub(super) async fn create_environment(
        &self,
        _call: &Call,
        _input: CreateEnvironmentInput,
    ) -> Result<CreateEnvironmentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_environment(
        &self,
        call: &Call,
        input: GetEnvironmentInput,
    ) -> Result<GetEnvironmentOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let row = self.app.get_environment(&call.caller, &name).await?;
        Ok(GetEnvironmentOutput {
            environment: self.environment(row)?,
        })
    }

    pub(super) async fn list_environments(
        &self,
        call: &Call,
        input: ListEnvironmentsInput,
    ) -> Result<ListEnvironmentsOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        if input
            .environment_templates
            .is_some_and(|filters| !filters.is_empty())
        {
            return Err(Fault::internal("not filled yet"));
        }
        let filter = Filter {
            kind: "environment",
            ..Filter::default()
        };
        let after = (String::new(), page.first());
        let rows = self
            .app
            .list_targets(&call.caller, filter, after, page.fetch())
            .await?;
        let (rows, next_token) = page.cut(rows, |row| vec![row.target.name()]);
        let environments: Result<Vec<_>, Fault> = rows
            .into_iter()
            .map(|row| self.environment_summary(row))
            .collect();
        Ok(ListEnvironmentsOutput {
            environments: environments?,
            next_token,
        })
    }

    pub(super) async fn update_environment(
        &self,
        _call: &Call,
        _input: UpdateEnvironmentInput,
    ) -> Result<UpdateEnvironmentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_environment(
        &self,
        _call: &Call,
        _input: DeleteEnvironmentInput,
    ) -> Result<DeleteEnvironmentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn cancel_environment_deployment(
        &self,
        _call: &Call,
        _input: CancelEnvironmentDeploymentInput,
    ) -> Result<CancelEnvironmentDeploymentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_environment_outputs(
        &self,
        _call: &Call,
        _input: ListEnvironmentOutputsInput,
    ) -> Result<ListEnvironmentOutputsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_environment_provisioned_resources(
        &self,
        _call: &Call,
        _input: ListEnvironmentProvisionedResourcesInput,
    ) -> Result<ListEnvironmentProvisionedResourcesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    /// An environment as the API shows it.
    fn environment(&self, row: TargetRow) -> Result<Environment, Fault> {
        let spec = convert::secret(row.spec.clone());
        let codebuild_role_arn = row.roles.codebuild.as_ref().map(ToString::to_string);
        let summary = self.environment_summary(row)?;
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
    fn environment_summary(&self, row: TargetRow) -> Result<EnvironmentSummary, Fault> {
        let settings = self.app.settings();
        let own = row.account == settings.account && row.region == settings.region;
        let deployed = convert::deployed(&row)?;
        Ok(EnvironmentSummary {
            arn: self.arn(&row.target),
            component_role_arn: row.roles.component.map(|role| role.to_string()),
            created_at: row.created_at.into(),
            deployment_status: deployed.status,
            deployment_status_message: deployed.message,
            description: convert::secret(row.description),
            environment_account_connection_id: (!own).then(|| convert::plain_id(row.connection)),
            environment_account_id: (!own).then(|| row.account.to_string()),
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
