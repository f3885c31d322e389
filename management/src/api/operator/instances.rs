//! `InstanceService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word, word_opt};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};
use crate::store::targets::Filter;

#[tonic::async_trait]
impl wire::instance_service_server::InstanceService for Operator {
    type WatchInstancesStream = Stream<wire::InstanceChange>;

    async fn create_instance(
        &self,
        request: Request<wire::CreateInstanceRequest>,
    ) -> Result<Response<wire::ServiceInstance>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "CreateInstance", &message.request_id, &message)?;
        let (service, name) = (
            word("service_name", &message.service_name)?,
            word("name", &message.name)?,
        );
        let environment = word_opt("environment_name", &message.environment_name)?;
        let version = convert::wanted(&message.template_version)?;
        let spec = convert::text(message.spec);
        let row = self
            .app
            .create_instance(change, service, name, environment, spec, version);
        Ok(Response::new(convert::instance(answer(row.await)?)))
    }

    async fn get_instance(
        &self,
        request: Request<wire::GetInstanceRequest>,
    ) -> Result<Response<wire::ServiceInstance>, Status> {
        let (caller, message) = self.open(request).await?;
        let (service, name) = (
            word("service_name", &message.service_name)?,
            word("name", &message.name)?,
        );
        Ok(Response::new(convert::instance(answer(
            self.app.get_instance(&caller, &service, &name).await,
        )?)))
    }

    async fn list_instances(
        &self,
        request: Request<wire::ListInstancesRequest>,
    ) -> Result<Response<wire::ListInstancesResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 2)?;
        let filter = Filter {
            kind: "instance",
            service: word_opt("service_name", &message.service_name)?,
            environment: word_opt("environment_name", &message.environment_name)?,
            ..Filter::default()
        };
        let rows = answer(
            self.app
                .list_targets(&caller, filter, page.two(), page.size)
                .await,
        )?;
        let instances: Vec<wire::ServiceInstance> = rows.into_iter().map(convert::instance).collect();
        let next_page_token = page.next(&instances, |item| {
            vec![item.service_name.clone(), item.name.clone()]
        });
        Ok(Response::new(wire::ListInstancesResponse {
            instances,
            next_page_token,
        }))
    }

    async fn update_instance(
        &self,
        request: Request<wire::UpdateInstanceRequest>,
    ) -> Result<Response<wire::ServiceInstance>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdateInstance", &message.request_id, &message)?;
        let (service, name) = (
            word("service_name", &message.service_name)?,
            word("name", &message.name)?,
        );
        let update = convert::part_update(message.deployment_type, message.spec, &message.template_version)?;
        Ok(Response::new(convert::instance(answer(
            self.app.update_instance(change, service, name, update).await,
        )?)))
    }

    async fn delete_instance(
        &self,
        request: Request<wire::DeleteInstanceRequest>,
    ) -> Result<Response<wire::ServiceInstance>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeleteInstance", &message.request_id, &message)?;
        let (service, name) = (
            word("service_name", &message.service_name)?,
            word("name", &message.name)?,
        );
        let row = self
            .app
            .delete_instance(change, service, name, message.retain_resources);
        Ok(Response::new(convert::instance(answer(row.await)?)))
    }

    async fn watch_instances(
        &self,
        request: Request<wire::WatchInstancesRequest>,
    ) -> Result<Response<Self::WatchInstancesStream>, Status> {
        use wire::instance_change::Change;
        let (watching, message) = self.watch(request).await?;
        let filter = Filter {
            kind: "instance",
            service: word_opt("service_name", &message.service_name)?,
            instance: word_opt("name", &message.name)?,
            ..Filter::default()
        };
        let app = self.app.clone();
        let look = move || {
            let (app, watching, filter) = (app.clone(), watching.clone(), filter.clone());
            async move {
                let caller = watching.caller().await?;
                let rows = app
                    .list_targets(&caller, filter, (String::new(), String::new()), u32::MAX)
                    .await?;
                Ok(rows
                    .into_iter()
                    .map(|row| (row.target.name(), convert::instance(row)))
                    .collect())
            }
        };
        let changed = |item| wire::InstanceChange {
            change: Some(Change::Instance(item)),
        };
        let removed = |name| wire::InstanceChange {
            change: Some(Change::Removed(name)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
