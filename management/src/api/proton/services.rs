//! Services.

use hadron_domain::template::Wanted;

use super::arn::Resource;
use super::scalar::Sensitive;
use super::shapes::{
    CreateServiceInput, CreateServiceOutput, DeleteServiceInput, DeleteServiceOutput, GetServiceInput,
    GetServiceOutput, ListServicesInput, ListServicesOutput, Service, ServiceStatus, ServiceSummary,
    UpdateServiceInput, UpdateServiceOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::services::NewService;
use crate::store::services::ServiceRow;
use crate::store::targets::TargetRow;

/// A stored status word as the API's.
fn service_status(word: &str) -> Result<ServiceStatus, Fault> {
    ServiceStatus::named(word)
        .ok_or_else(|| Fault::internal(format!("the stored status '{word}' is none of Proton's")))
}

impl Proton {
    pub(super) async fn create_service(
        &self,
        call: &Call,
        input: CreateServiceInput,
    ) -> Result<CreateServiceOutput, Fault> {
        let version = convert::wanted(
            Some(&input.template_major_version),
            input.template_minor_version.as_deref(),
        )?;
        let new = NewService {
            name: convert::word("name", &input.name)?,
            template: convert::word("templateName", &input.template_name)?,
            version: version.unwrap_or(Wanted::Recommended),
            spec: input.spec.into_string(),
            description: input.description.unwrap_or_default().into_string(),
            source: (
                input.branch_name.unwrap_or_default(),
                input.repository_id.unwrap_or_default(),
                input.repository_connection_arn.unwrap_or_default(),
            ),
        };
        let view = self.app.create_service(call.request(None), new).await?;
        Ok(CreateServiceOutput {
            service: self.service(view.with_pipeline())?,
        })
    }

    pub(super) async fn get_service(
        &self,
        call: &Call,
        input: GetServiceInput,
    ) -> Result<GetServiceOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let found = self.app.get_service_and_pipeline(&call.caller, &name).await?;
        Ok(GetServiceOutput {
            service: Some(self.service(found)?),
        })
    }

    pub(super) async fn list_services(
        &self,
        call: &Call,
        input: ListServicesInput,
    ) -> Result<ListServicesOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let rows = self
            .app
            .list_service_rows(&call.caller, page.first(), page.fetch())
            .await?;
        let (rows, next_token) = page.cut(rows, |row| vec![row.name.to_string()]);
        let services: Result<Vec<_>, Fault> = rows.into_iter().map(|row| self.service_summary(row)).collect();
        Ok(ListServicesOutput {
            next_token,
            services: services?,
        })
    }

    pub(super) async fn update_service(
        &self,
        call: &Call,
        input: UpdateServiceInput,
    ) -> Result<UpdateServiceOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let spec = input.spec.map(Sensitive::into_string);
        let description = input.description.map(Sensitive::into_string);
        let view = self
            .app
            .update_service(call.request(None), name, spec, description)
            .await?;
        Ok(UpdateServiceOutput {
            service: self.service(view.with_pipeline())?,
        })
    }

    pub(super) async fn delete_service(
        &self,
        call: &Call,
        input: DeleteServiceInput,
    ) -> Result<DeleteServiceOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let view = self.app.delete_service(call.request(None), name).await?;
        Ok(DeleteServiceOutput {
            service: Some(self.service(view.with_pipeline())?),
        })
    }

    /// A service as the API shows it.
    fn service(&self, (row, pipeline): (ServiceRow, Option<TargetRow>)) -> Result<Service, Fault> {
        Ok(Service {
            arn: self.arn(Resource::Service(row.name.clone())),
            branch_name: convert::text(row.branch),
            created_at: row.created_at.into(),
            description: convert::secret(row.description),
            last_modified_at: row.modified_at.into(),
            name: row.name.into(),
            pipeline: pipeline.map(|row| self.pipeline(row)).transpose()?,
            repository_connection_arn: convert::text(row.link),
            repository_id: convert::text(row.repository),
            spec: row.spec.into(),
            status: service_status(row.status.word())?,
            status_message: convert::secret(row.message),
            template_name: row.template.into(),
        })
    }

    /// The same in lists.
    fn service_summary(&self, row: ServiceRow) -> Result<ServiceSummary, Fault> {
        Ok(ServiceSummary {
            arn: self.arn(Resource::Service(row.name.clone())),
            created_at: row.created_at.into(),
            description: convert::secret(row.description),
            last_modified_at: row.modified_at.into(),
            name: row.name.into(),
            status: service_status(row.status.word())?,
            status_message: convert::secret(row.message),
            template_name: row.template.into(),
        })
    }
}
