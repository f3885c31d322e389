//! Components.

use super::shapes::{
    CancelComponentDeploymentInput, CancelComponentDeploymentOutput, CreateComponentInput,
    CreateComponentOutput, DeleteComponentInput, DeleteComponentOutput, GetComponentInput,
    GetComponentOutput, ListComponentOutputsInput, ListComponentOutputsOutput,
    ListComponentProvisionedResourcesInput, ListComponentProvisionedResourcesOutput, ListComponentsInput,
    ListComponentsOutput, UpdateComponentInput, UpdateComponentOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn create_component(
        &self,
        _call: &Call,
        _input: CreateComponentInput,
    ) -> Result<CreateComponentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_component(
        &self,
        _call: &Call,
        _input: GetComponentInput,
    ) -> Result<GetComponentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_components(
        &self,
        _call: &Call,
        _input: ListComponentsInput,
    ) -> Result<ListComponentsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_component(
        &self,
        _call: &Call,
        _input: UpdateComponentInput,
    ) -> Result<UpdateComponentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_component(
        &self,
        _call: &Call,
        _input: DeleteComponentInput,
    ) -> Result<DeleteComponentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn cancel_component_deployment(
        &self,
        _call: &Call,
        _input: CancelComponentDeploymentInput,
    ) -> Result<CancelComponentDeploymentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_component_outputs(
        &self,
        _call: &Call,
        _input: ListComponentOutputsInput,
    ) -> Result<ListComponentOutputsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_component_provisioned_resources(
        &self,
        _call: &Call,
        _input: ListComponentProvisionedResourcesInput,
    ) -> Result<ListComponentProvisionedResourcesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
