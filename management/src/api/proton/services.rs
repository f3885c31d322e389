//! Services.

use super::arn::Resource;
use super::shapes::{
    CreateServiceInput, CreateServiceOutput, DeleteServiceInput, DeleteServiceOutput, GetServiceInput,
    GetServiceOutput, ListServicesInput, ListServicesOutput, Service, ServiceStatus, UpdateServiceInput,
    UpdateServiceOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::services::ServiceView;

/// A stored status word as the API's.
fn service_status(word: &str) -> Result<ServiceStatus, Fault> {
    ServiceStatus::named(word)
        .ok_or_else(|| Fault::internal(format!("the stored status '{word}' is none of Proton's")))
}

impl Proton {
    pub(super) async fn create_service(
        &self,
        _call: &Call,
        _input: CreateServiceInput,
    ) -> Result<CreateServiceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_service(
        &self,
        call: &Call,
        input: GetServiceInput,
    ) -> Result<GetServiceOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let view = self.app.get_service(&call.caller, &name).await?;
        Ok(GetServiceOutput {
            service: Some(self.service(view)?),
        })
    }

    pub(super) async fn list_services(
        &self,
        _call: &Call,
        _input: ListServicesInput,
    ) -> Result<ListServicesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_service(
        &self,
        _call: &Call,
        _input: UpdateServiceInput,
    ) -> Result<UpdateServiceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_service(
        &self,
        _call: &Call,
        _input: DeleteServiceInput,
    ) -> Result<DeleteServiceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    /// A service as the API shows it.
    fn service(&self, view: ServiceView) -> Result<Service, Fault> {
        let row = view.service;
        Ok(Service {
            arn: self.arn(Resource::Service(row.name.clone())),
            branch_name: convert::text(row.branch),
            created_at: row.created_at.into(),
            description: convert::secret(row.description),
            last_modified_at: row.modified_at.into(),
            name: row.name.into(),
            pipeline: view.pipeline.map(|row| self.pipeline(row)).transpose()?,
            repository_connection_arn: convert::text(row.link),
            repository_id: convert::text(row.repository),
            spec: row.spec.into(),
            status: service_status(row.status.word())?,
            status_message: convert::secret(row.message),
            template_name: row.template.into(),
        })
    }
}
