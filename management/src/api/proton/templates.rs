//! Environment and service templates and their versions.

use super::shapes::{
    CreateEnvironmentTemplateInput, CreateEnvironmentTemplateOutput, CreateEnvironmentTemplateVersionInput,
    CreateEnvironmentTemplateVersionOutput, CreateServiceTemplateInput, CreateServiceTemplateOutput,
    CreateServiceTemplateVersionInput, CreateServiceTemplateVersionOutput, DeleteEnvironmentTemplateInput,
    DeleteEnvironmentTemplateOutput, DeleteEnvironmentTemplateVersionInput,
    DeleteEnvironmentTemplateVersionOutput, DeleteServiceTemplateInput, DeleteServiceTemplateOutput,
    DeleteServiceTemplateVersionInput, DeleteServiceTemplateVersionOutput, GetEnvironmentTemplateInput,
    GetEnvironmentTemplateOutput, GetEnvironmentTemplateVersionInput, GetEnvironmentTemplateVersionOutput,
    GetServiceTemplateInput, GetServiceTemplateOutput, GetServiceTemplateVersionInput,
    GetServiceTemplateVersionOutput, ListEnvironmentTemplateVersionsInput,
    ListEnvironmentTemplateVersionsOutput, ListEnvironmentTemplatesInput, ListEnvironmentTemplatesOutput,
    ListServiceTemplateVersionsInput, ListServiceTemplateVersionsOutput, ListServiceTemplatesInput,
    ListServiceTemplatesOutput, UpdateEnvironmentTemplateInput, UpdateEnvironmentTemplateOutput,
    UpdateEnvironmentTemplateVersionInput, UpdateEnvironmentTemplateVersionOutput,
    UpdateServiceTemplateInput, UpdateServiceTemplateOutput, UpdateServiceTemplateVersionInput,
    UpdateServiceTemplateVersionOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn create_environment_template(
        &self,
        _call: &Call,
        _input: CreateEnvironmentTemplateInput,
    ) -> Result<CreateEnvironmentTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn create_environment_template_version(
        &self,
        _call: &Call,
        _input: CreateEnvironmentTemplateVersionInput,
    ) -> Result<CreateEnvironmentTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn create_service_template(
        &self,
        _call: &Call,
        _input: CreateServiceTemplateInput,
    ) -> Result<CreateServiceTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn create_service_template_version(
        &self,
        _call: &Call,
        _input: CreateServiceTemplateVersionInput,
    ) -> Result<CreateServiceTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_environment_template(
        &self,
        _call: &Call,
        _input: DeleteEnvironmentTemplateInput,
    ) -> Result<DeleteEnvironmentTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_environment_template_version(
        &self,
        _call: &Call,
        _input: DeleteEnvironmentTemplateVersionInput,
    ) -> Result<DeleteEnvironmentTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_service_template(
        &self,
        _call: &Call,
        _input: DeleteServiceTemplateInput,
    ) -> Result<DeleteServiceTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_service_template_version(
        &self,
        _call: &Call,
        _input: DeleteServiceTemplateVersionInput,
    ) -> Result<DeleteServiceTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_environment_template(
        &self,
        _call: &Call,
        _input: GetEnvironmentTemplateInput,
    ) -> Result<GetEnvironmentTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_environment_template_version(
        &self,
        _call: &Call,
        _input: GetEnvironmentTemplateVersionInput,
    ) -> Result<GetEnvironmentTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_service_template(
        &self,
        _call: &Call,
        _input: GetServiceTemplateInput,
    ) -> Result<GetServiceTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_service_template_version(
        &self,
        _call: &Call,
        _input: GetServiceTemplateVersionInput,
    ) -> Result<GetServiceTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_environment_template_versions(
        &self,
        _call: &Call,
        _input: ListEnvironmentTemplateVersionsInput,
    ) -> Result<ListEnvironmentTemplateVersionsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_environment_templates(
        &self,
        _call: &Call,
        _input: ListEnvironmentTemplatesInput,
    ) -> Result<ListEnvironmentTemplatesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_service_template_versions(
        &self,
        _call: &Call,
        _input: ListServiceTemplateVersionsInput,
    ) -> Result<ListServiceTemplateVersionsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_service_templates(
        &self,
        _call: &Call,
        _input: ListServiceTemplatesInput,
    ) -> Result<ListServiceTemplatesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_environment_template(
        &self,
        _call: &Call,
        _input: UpdateEnvironmentTemplateInput,
    ) -> Result<UpdateEnvironmentTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_environment_template_version(
        &self,
        _call: &Call,
        _input: UpdateEnvironmentTemplateVersionInput,
    ) -> Result<UpdateEnvironmentTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_service_template(
        &self,
        _call: &Call,
        _input: UpdateServiceTemplateInput,
    ) -> Result<UpdateServiceTemplateOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_service_template_version(
        &self,
        _call: &Call,
        _input: UpdateServiceTemplateVersionInput,
    ) -> Result<UpdateServiceTemplateVersionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
