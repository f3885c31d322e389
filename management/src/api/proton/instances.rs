//! Service instances.

use super::shapes::{
    CancelServiceInstanceDeploymentInput, CancelServiceInstanceDeploymentOutput, CreateServiceInstanceInput,
    CreateServiceInstanceOutput, GetServiceInstanceInput, GetServiceInstanceOutput,
    ListServiceInstanceOutputsInput, ListServiceInstanceOutputsOutput,
    ListServiceInstanceProvisionedResourcesInput, ListServiceInstanceProvisionedResourcesOutput,
    ListServiceInstancesInput, ListServiceInstancesOutput, UpdateServiceInstanceInput,
    UpdateServiceInstanceOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn create_service_instance(
        &self,
        _call: &Call,
        _input: CreateServiceInstanceInput,
    ) -> Result<CreateServiceInstanceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_service_instance(
        &self,
        _call: &Call,
        _input: GetServiceInstanceInput,
    ) -> Result<GetServiceInstanceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_service_instances(
        &self,
        _call: &Call,
        _input: ListServiceInstancesInput,
    ) -> Result<ListServiceInstancesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_service_instance(
        &self,
        _call: &Call,
        _input: UpdateServiceInstanceInput,
    ) -> Result<UpdateServiceInstanceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn cancel_service_instance_deployment(
        &self,
        _call: &Call,
        _input: CancelServiceInstanceDeploymentInput,
    ) -> Result<CancelServiceInstanceDeploymentOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_service_instance_outputs(
        &self,
        _call: &Call,
        _input: ListServiceInstanceOutputsInput,
    ) -> Result<ListServiceInstanceOutputsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_service_instance_provisioned_resources(
        &self,
        _call: &Call,
        _input: ListServiceInstanceProvisionedResourcesInput,
    ) -> Result<ListServiceInstanceProvisionedResourcesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
