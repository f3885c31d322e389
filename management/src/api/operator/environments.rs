//! `EnvironmentService`: converts, asks the use cases, converts back.

use hadron_domain::template::Wanted;
use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word, word_opt};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};
use crate::app::environments::{EnvironmentUpdate, NewEnvironment, Path};
use crate::store::targets::{EnvironmentRoles, Filter};

#[tonic::async_trait]
impl wire::environment_service_server::EnvironmentService for Operator {
    type WatchEnvironmentsStream = Stream<wire::EnvironmentChange>;

    async fn create_environment(
        &self,
        request: Request<wire::CreateEnvironmentRequest>,
    ) -> Result<Response<wire::Environment>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "CreateEnvironment", &message.request_id, &message)?;
        let role = word_opt("service_role_arn", &message.service_role_arn)?;
        let connection = word_opt("connection_id", &message.connection_id)?;
        let new = NewEnvironment {
            name: word("name", &message.name)?,
            template: word("template_name", &message.template_name)?,
            version: convert::wanted(&message.template_version)?.unwrap_or(Wanted::Recommended),
            path: answer(Path::of(role, connection, None, Path::Configured))?,
            component_role: word_opt("component_role_arn", &message.component_role_arn)?,
            codebuild_role: word_opt("codebuild_role_arn", &message.codebuild_role_arn)?,
            spec: message.spec,
            description: convert::description(message.description)?,
        };
        let row = answer(self.app.create_environment(change, new).await)?;
        Ok(Response::new(convert::environment(row, self.app.settings())))
    }

    async fn get_environment(
        &self,
        request: Request<wire::GetEnvironmentRequest>,
    ) -> Result<Response<wire::Environment>, Status> {
        let (caller, message) = self.open(request).await?;
        let row = answer(
            self.app
                .get_environment(&caller, &word("name", &message.name)?)
                .await,
        )?;
        Ok(Response::new(convert::environment(row, self.app.settings())))
    }

    async fn list_environments(
        &self,
        request: Request<wire::ListEnvironmentsRequest>,
    ) -> Result<Response<wire::ListEnvironmentsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let template = word_opt("template_name", &message.template_name)?;
        let filter = Filter {
            kind: "environment",
            template,
            ..Filter::default()
        };
        let rows = answer(
            self.app
                .list_targets(&caller, filter, (String::new(), page.first()), page.size)
                .await,
        )?;
        let next_page_token = page.next(&rows, |row| vec![row.target.name()]);
        let environments = rows
            .into_iter()
            .map(|row| convert::environment(row, self.app.settings()))
            .collect();
        Ok(Response::new(wire::ListEnvironmentsResponse {
            environments,
            next_page_token,
        }))
    }

    async fn update_environment(
        &self,
        request: Request<wire::UpdateEnvironmentRequest>,
    ) -> Result<Response<wire::Environment>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdateEnvironment", &message.request_id, &message)?;
        let update = EnvironmentUpdate {
            name: word("name", &message.name)?,
            mode: convert::mode(message.deployment_type)?,
            spec: convert::text(message.spec),
            version: convert::wanted(&message.template_version)?,
            description: message.description.map(convert::description).transpose()?,
            connection: word_opt("connection_id", &message.connection_id)?,
            roles: EnvironmentRoles {
                service: word_opt("service_role_arn", &message.service_role_arn)?,
                component: word_opt("component_role_arn", &message.component_role_arn)?,
                codebuild: word_opt("codebuild_role_arn", &message.codebuild_role_arn)?,
            },
            repository: None,
        };
        let row = answer(self.app.update_environment(change, update).await)?;
        Ok(Response::new(convert::environment(row, self.app.settings())))
    }

    async fn delete_environment(
        &self,
        request: Request<wire::DeleteEnvironmentRequest>,
    ) -> Result<Response<wire::Environment>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeleteEnvironment", &message.request_id, &message)?;
        let name = word("name", &message.name)?;
        let row = answer(
            self.app
                .delete_environment(change, name, message.retain_resources)
                .await,
        )?;
        Ok(Response::new(convert::environment(row, self.app.settings())))
    }

    async fn cancel_environment_deployment(
        &self,
        request: Request<wire::CancelEnvironmentDeploymentRequest>,
    ) -> Result<Response<wire::Environment>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(
            caller,
            "CancelEnvironmentDeployment",
            &message.request_id,
            &message,
        )?;
        let name = word("name", &message.name)?;
        let row = answer(self.app.cancel_environment(change, &name).await)?;
        Ok(Response::new(convert::environment(row, self.app.settings())))
    }

    async fn watch_environments(
        &self,
        request: Request<wire::WatchEnvironmentsRequest>,
    ) -> Result<Response<Self::WatchEnvironmentsStream>, Status> {
        use wire::environment_change::Change;
        let (watching, message) = self.watch(request).await?;
        let environment = word_opt("name", &message.name)?;
        let filter = Filter {
            kind: "environment",
            environment,
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
                let wire = rows
                    .into_iter()
                    .map(|row| convert::environment(row, app.settings()));
                Ok(wire.map(|item| (item.name.clone(), item)).collect())
            }
        };
        let changed = |item| wire::EnvironmentChange {
            change: Some(Change::Environment(item)),
        };
        let removed = |name| wire::EnvironmentChange {
            change: Some(Change::RemovedName(name)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
