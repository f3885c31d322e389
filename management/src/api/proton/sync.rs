//! Which branches templates and services follow, and how far they have come.

use super::shapes::{
    CreateServiceSyncConfigInput, CreateServiceSyncConfigOutput, CreateTemplateSyncConfigInput,
    CreateTemplateSyncConfigOutput, DeleteServiceSyncConfigInput, DeleteServiceSyncConfigOutput,
    DeleteTemplateSyncConfigInput, DeleteTemplateSyncConfigOutput, GetRepositorySyncStatusInput,
    GetRepositorySyncStatusOutput, GetServiceInstanceSyncStatusInput, GetServiceInstanceSyncStatusOutput,
    GetServiceSyncBlockerSummaryInput, GetServiceSyncBlockerSummaryOutput, GetServiceSyncConfigInput,
    GetServiceSyncConfigOutput, GetTemplateSyncConfigInput, GetTemplateSyncConfigOutput,
    GetTemplateSyncStatusInput, GetTemplateSyncStatusOutput, ListRepositorySyncDefinitionsInput,
    ListRepositorySyncDefinitionsOutput, UpdateServiceSyncBlockerInput, UpdateServiceSyncBlockerOutput,
    UpdateServiceSyncConfigInput, UpdateServiceSyncConfigOutput, UpdateTemplateSyncConfigInput,
    UpdateTemplateSyncConfigOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn get_repository_sync_status(
        &self,
        _call: &Call,
        _input: GetRepositorySyncStatusInput,
    ) -> Result<GetRepositorySyncStatusOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_repository_sync_definitions(
        &self,
        _call: &Call,
        _input: ListRepositorySyncDefinitionsInput,
    ) -> Result<ListRepositorySyncDefinitionsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn create_template_sync_config(
        &self,
        _call: &Call,
        _input: CreateTemplateSyncConfigInput,
    ) -> Result<CreateTemplateSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_template_sync_config(
        &self,
        _call: &Call,
        _input: GetTemplateSyncConfigInput,
    ) -> Result<GetTemplateSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_template_sync_config(
        &self,
        _call: &Call,
        _input: UpdateTemplateSyncConfigInput,
    ) -> Result<UpdateTemplateSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_template_sync_config(
        &self,
        _call: &Call,
        _input: DeleteTemplateSyncConfigInput,
    ) -> Result<DeleteTemplateSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_template_sync_status(
        &self,
        _call: &Call,
        _input: GetTemplateSyncStatusInput,
    ) -> Result<GetTemplateSyncStatusOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn create_service_sync_config(
        &self,
        _call: &Call,
        _input: CreateServiceSyncConfigInput,
    ) -> Result<CreateServiceSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_service_sync_config(
        &self,
        _call: &Call,
        _input: GetServiceSyncConfigInput,
    ) -> Result<GetServiceSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_service_sync_config(
        &self,
        _call: &Call,
        _input: UpdateServiceSyncConfigInput,
    ) -> Result<UpdateServiceSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_service_sync_config(
        &self,
        _call: &Call,
        _input: DeleteServiceSyncConfigInput,
    ) -> Result<DeleteServiceSyncConfigOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_service_instance_sync_status(
        &self,
        _call: &Call,
        _input: GetServiceInstanceSyncStatusInput,
    ) -> Result<GetServiceInstanceSyncStatusOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_service_sync_blocker_summary(
        &self,
        _call: &Call,
        _input: GetServiceSyncBlockerSummaryInput,
    ) -> Result<GetServiceSyncBlockerSummaryOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_service_sync_blocker(
        &self,
        _call: &Call,
        _input: UpdateServiceSyncBlockerInput,
    ) -> Result<UpdateServiceSyncBlockerOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
