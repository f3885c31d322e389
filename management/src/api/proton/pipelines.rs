//! Service pipelines.

use super::shapes::{
    CancelServicePipelineDeploymentInput, CancelServicePipelineDeploymentOutput,
    ListServicePipelineOutputsInput, ListServicePipelineOutputsOutput,
    ListServicePipelineProvisionedResourcesInput, ListServicePipelineProvisionedResourcesOutput,
    ServicePipeline, UpdateServicePipelineInput, UpdateServicePipelineOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::store::targets::TargetRow;

impl Proton {
    pub(super) async fn update_service_pipeline(
        &self,
        _call: &Call,
        _input: UpdateServicePipelineInput,
    ) -> Result<UpdateServicePipelineOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn cancel_service_pipeline_deployment(
        &self,
        _call: &Call,
        _input: CancelServicePipelineDeploymentInput,
    ) -> Result<CancelServicePipelineDeploymentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_service_pipeline_outputs(
        &self,
        _call: &Call,
        _input: ListServicePipelineOutputsInput,
    ) -> Result<ListServicePipelineOutputsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_service_pipeline_provisioned_resources(
        &self,
        _call: &Call,
        _input: ListServicePipelineProvisionedResourcesInput,
    ) -> Result<ListServicePipelineProvisionedResourcesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
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
