//! Deployments: what was tried, and what came of it.

use super::shapes::{
    DeleteDeploymentInput, DeleteDeploymentOutput, GetDeploymentInput, GetDeploymentOutput,
    ListDeploymentsInput, ListDeploymentsOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn get_deployment(
        &self,
        _call: &Call,
        _input: GetDeploymentInput,
    ) -> Result<GetDeploymentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_deployments(
        &self,
        _call: &Call,
        _input: ListDeploymentsInput,
    ) -> Result<ListDeploymentsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_deployment(
        &self,
        _call: &Call,
        _input: DeleteDeploymentInput,
    ) -> Result<DeleteDeploymentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
