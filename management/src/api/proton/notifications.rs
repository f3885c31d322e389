//! What comes in from pipelines of others, and the summary of everything.

use super::shapes::{
    GetResourcesSummaryInput, GetResourcesSummaryOutput, NotifyResourceDeploymentStatusChangeInput,
    NotifyResourceDeploymentStatusChangeOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn notify_resource_deployment_status_change(
        &self,
        _call: &Call,
        _input: NotifyResourceDeploymentStatusChangeInput,
    ) -> Result<NotifyResourceDeploymentStatusChangeOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_resources_summary(
        &self,
        _call: &Call,
        _input: GetResourcesSummaryInput,
    ) -> Result<GetResourcesSummaryOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
