//! Service pipelines.

use hadron_domain::target::Target;

use super::shapes::{
    CancelServicePipelineDeploymentInput, CancelServicePipelineDeploymentOutput,
    ListServicePipelineOutputsInput, ListServicePipelineOutputsOutput,
    ListServicePipelineProvisionedResourcesInput, ListServicePipelineProvisionedResourcesOutput,
    ServicePipeline, UpdateServicePipelineInput, UpdateServicePipelineOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::instances::PartUpdate;
use crate::store::targets::TargetRow;

fn pipeline_of(service: &str) -> Result<Target, Fault> {
    convert::word("serviceName", service).map(Target::Pipeline)
}

impl Proton {
    pub(super) async fn update_service_pipeline(
        &self,
        call: &Call,
        input: UpdateServicePipelineInput,
    ) -> Result<UpdateServicePipelineOutput, Fault> {
        let service = convert::word("serviceName", &input.service_name)?;
        let update = PartUpdate {
            mode: convert::mode(input.deployment_type),
            spec: Some(input.spec.into_string()),
            version: convert::wanted(
                input.template_major_version.as_deref(),
                input.template_minor_version.as_deref(),
            )?,
        };
        let row = self
            .app
            .update_pipeline(call.request(None), service, update)
            .await?;
        Ok(UpdateServicePipelineOutput {
            pipeline: self.pipeline(row)?,
        })
    }

    pub(super) async fn cancel_service_pipeline_deployment(
        &self,
        call: &Call,
        input: CancelServicePipelineDeploymentInput,
    ) -> Result<CancelServicePipelineDeploymentOutput, Fault> {
        let target = pipeline_of(&input.service_name)?;
        let row = self.app.cancel_target(call.request(None), &target).await?;
        Ok(CancelServicePipelineDeploymentOutput {
            pipeline: self.pipeline(row)?,
        })
    }

    pub(super) async fn list_service_pipeline_outputs(
        &self,
        call: &Call,
        input: ListServicePipelineOutputsInput,
    ) -> Result<ListServicePipelineOutputsOutput, Fault> {
        let target = pipeline_of(&input.service_name)?;
        Ok(ListServicePipelineOutputsOutput {
            next_token: None,
            outputs: self
                .outputs(call, &target, input.deployment_id.as_deref())
                .await?,
        })
    }

    pub(super) async fn list_service_pipeline_provisioned_resources(
        &self,
        call: &Call,
        input: ListServicePipelineProvisionedResourcesInput,
    ) -> Result<ListServicePipelineProvisionedResourcesOutput, Fault> {
        let target = pipeline_of(&input.service_name)?;
        Ok(ListServicePipelineProvisionedResourcesOutput {
            next_token: None,
            provisioned_resources: self.provisioned(call, &target).await?,
        })
    }

    /// A pipeline as the API shows it.
    pub(super) fn pipeline(&self, row: TargetRow) -> Result<ServicePipeline, Fault> {
        let deployed = convert::deployed(&row)?;
        Ok(ServicePipeline {
            arn: self.arn(&row.target),
            created_at: row.created_at.into(),
            deployment_status: deployed.status,
            deployment_status_message: deployed.message,
            last_attempted_deployment_id: deployed.attempted_id,
            last_deployment_attempted_at: deployed.attempted_at,
            last_deployment_succeeded_at: deployed.succeeded_at,
            last_succeeded_deployment_id: deployed.succeeded_id,
            spec: convert::secret(row.spec),
            template_major_version: row.version.major.to_string(),
            template_minor_version: row.version.minor.to_string(),
            template_name: row.template.map(String::from).unwrap_or_default(),
        })
    }
}
