//! `ConnectionService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word, word_opt};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};
use crate::app::connections::{NewConnection, RolesUpdate};
use crate::store::connections::Filter;

fn filter(status: String, environment: &str) -> Result<Filter, Status> {
    let status = status.to_ascii_uppercase();
    if !matches!(status.as_str(), "" | "PENDING" | "CONNECTED" | "REJECTED") {
        return Err(crate::api::status::with_info(
            tonic::Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "status: say PENDING, CONNECTED or REJECTED",
            None,
        ));
    }
    Ok(Filter {
        account: None,
        statuses: convert::text(status).into_iter().collect(),
        environment: word_opt("environment_name", environment)?,
    })
}

#[tonic::async_trait]
impl wire::connection_service_server::ConnectionService for Operator {
    type WatchConnectionsStream = Stream<wire::ConnectionChange>;

    async fn request_connection(
        &self,
        request: Request<wire::RequestConnectionRequest>,
    ) -> Result<Response<wire::Connection>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "RequestConnection", &message.request_id, &message)?;
        let new = NewConnection {
            environment: word("environment_name", &message.environment_name)?,
            management: word_opt("management_account_id", &message.management_account_id)?,
            region: word_opt("region", &message.region)?,
            role: word_opt("role_arn", &message.role_arn)?,
            component_role: word_opt("component_role_arn", &message.component_role_arn)?,
            codebuild_role: word_opt("codebuild_role_arn", &message.codebuild_role_arn)?,
            agent_role_name: convert::text(message.agent_role_name),
        };
        let view = answer(self.app.request_connection(change, new).await)?;
        Ok(Response::new(convert::connection(view, self.app.settings())))
    }

    async fn get_connection(
        &self,
        request: Request<wire::GetConnectionRequest>,
    ) -> Result<Response<wire::Connection>, Status> {
        let (caller, message) = self.open(request).await?;
        let view = answer(self.app.get_connection(&caller, word("id", &message.id)?).await)?;
        Ok(Response::new(convert::connection(view, self.app.settings())))
    }

    async fn list_connections(
        &self,
        request: Request<wire::ListConnectionsRequest>,
    ) -> Result<Response<wire::ListConnectionsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let filter = filter(message.status, &message.environment_name)?;
        let views = answer(
            self.app
                .list_connections(&caller, filter, page.first(), page.size)
                .await,
        )?;
        let next_page_token = page.next(&views, |view| vec![view.connection.id.to_string()]);
        let connections = views
            .into_iter()
            .map(|view| convert::connection(view, self.app.settings()))
            .collect();
        Ok(Response::new(wire::ListConnectionsResponse {
            connections,
            next_page_token,
        }))
    }

    async fn watch_connections(
        &self,
        request: Request<wire::WatchConnectionsRequest>,
    ) -> Result<Response<Self::WatchConnectionsStream>, Status> {
        use wire::connection_change::Change;
        let (watching, message) = self.watch(request).await?;
        let filter = filter(message.status, &message.environment_name)?;
        let app = self.app.clone();
        let look = move || {
            let (app, watching, filter) = (app.clone(), watching.clone(), filter.clone());
            async move {
                let caller = watching.caller().await?;
                let views = app
                    .list_connections(&caller, filter, String::new(), u32::MAX)
                    .await?;
                let wire = views
                    .into_iter()
                    .map(|view| convert::connection(view, app.settings()));
                Ok(wire.map(|item| (item.id.clone(), item)).collect())
            }
        };
        let changed = |item| wire::ConnectionChange {
            change: Some(Change::Connection(item)),
        };
        let removed = |id| wire::ConnectionChange {
            change: Some(Change::RemovedId(id)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }

    async fn accept_connection(
        &self,
        request: Request<wire::AcceptConnectionRequest>,
    ) -> Result<Response<wire::Connection>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "AcceptConnection", &message.request_id, &message)?;
        let id = word("id", &message.id)?;
        let confirmed = word("confirm_account_id", &message.confirm_account_id)?;
        let view = answer(self.app.accept_connection(change, id, Some(confirmed)).await)?;
        Ok(Response::new(convert::connection(view, self.app.settings())))
    }

    async fn reject_connection(
        &self,
        request: Request<wire::RejectConnectionRequest>,
    ) -> Result<Response<wire::Connection>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "RejectConnection", &message.request_id, &message)?;
        let view = answer(self.app.reject_connection(change, word("id", &message.id)?).await)?;
        Ok(Response::new(convert::connection(view, self.app.settings())))
    }

    async fn update_connection(
        &self,
        request: Request<wire::UpdateConnectionRequest>,
    ) -> Result<Response<wire::Connection>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdateConnection", &message.request_id, &message)?;
        let id = word("id", &message.id)?;
        let update = RolesUpdate {
            role: word_opt("role_arn", &message.role_arn)?,
            component_role: word_opt("component_role_arn", &message.component_role_arn)?,
            codebuild_role: word_opt("codebuild_role_arn", &message.codebuild_role_arn)?,
        };
        let view = answer(self.app.update_connection(change, id, update).await)?;
        Ok(Response::new(convert::connection(view, self.app.settings())))
    }

    async fn delete_connection(
        &self,
        request: Request<wire::DeleteConnectionRequest>,
    ) -> Result<Response<wire::Connection>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeleteConnection", &message.request_id, &message)?;
        let view = answer(self.app.delete_connection(change, word("id", &message.id)?).await)?;
        Ok(Response::new(convert::connection(view, self.app.settings())))
    }
}
