//! `ServiceService`: converts, asks the use cases, converts back.

use hadron_domain::template::Wanted;
use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};
use crate::app::services::NewService;

#[tonic::async_trait]
impl wire::service_service_server::ServiceService for Operator {
    type WatchServicesStream = Stream<wire::ServiceChange>;

    async fn create_service(
        &self,
        request: Request<wire::CreateServiceRequest>,
    ) -> Result<Response<wire::Service>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "CreateService", &message.request_id, &message)?;
        let new = NewService {
            name: word("name", &message.name)?,
            template: word("template_name", &message.template_name)?,
            version: convert::wanted(&message.template_version)?.unwrap_or(Wanted::Recommended),
            spec: message.spec,
            description: convert::description(message.description)?,
            source: (
                message.branch_name,
                message.repository_id,
                message.repository_connection_arn,
            ),
        };
        Ok(Response::new(convert::service(answer(
            self.app.create_service(change, new).await,
        )?)))
    }

    async fn get_service(
        &self,
        request: Request<wire::GetServiceRequest>,
    ) -> Result<Response<wire::Service>, Status> {
        let (caller, message) = self.open(request).await?;
        let view = answer(self.app.get_service(&caller, &word("name", &message.name)?).await)?;
        Ok(Response::new(convert::service(view)))
    }

    async fn list_services(
        &self,
        request: Request<wire::ListServicesRequest>,
    ) -> Result<Response<wire::ListServicesResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let views = answer(self.app.list_services(&caller, page.first(), page.size).await)?;
        let next_page_token = page.next(&views, |view| vec![view.service.name.to_string()]);
        let services = views.into_iter().map(convert::service).collect();
        Ok(Response::new(wire::ListServicesResponse {
            services,
            next_page_token,
        }))
    }

    async fn update_service(
        &self,
        request: Request<wire::UpdateServiceRequest>,
    ) -> Result<Response<wire::Service>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdateService", &message.request_id, &message)?;
        let name = word("name", &message.name)?;
        let description = message.description.map(convert::description).transpose()?;
        let view = self
            .app
            .update_service(change, name, convert::text(message.spec), description);
        Ok(Response::new(convert::service(answer(view.await)?)))
    }

    async fn delete_service(
        &self,
        request: Request<wire::DeleteServiceRequest>,
    ) -> Result<Response<wire::Service>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeleteService", &message.request_id, &message)?;
        let view = answer(
            self.app
                .delete_service(change, word("name", &message.name)?)
                .await,
        )?;
        Ok(Response::new(convert::service(view)))
    }

    async fn watch_services(
        &self,
        request: Request<wire::WatchServicesRequest>,
    ) -> Result<Response<Self::WatchServicesStream>, Status> {
        use wire::service_change::Change;
        let (watching, message) = self.watch(request).await?;
        let app = self.app.clone();
        let only = message.name;
        let look = move || {
            let (app, watching, only) = (app.clone(), watching.clone(), only.clone());
            async move {
                let caller = watching.caller().await?;
                let views = app.list_services(&caller, String::new(), u32::MAX).await?;
                let wire = views.into_iter().map(convert::service);
                Ok(wire
                    .filter(|item| only.is_empty() || item.name == only)
                    .map(|item| (item.name.clone(), item))
                    .collect())
            }
        };
        let changed = |item| wire::ServiceChange {
            change: Some(Change::Service(item)),
        };
        let removed = |name| wire::ServiceChange {
            change: Some(Change::RemovedName(name)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
