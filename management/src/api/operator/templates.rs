//! `TemplateService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};
use crate::app::templates::{Approval, NewTemplate, NewVersion, TemplateUpdate, VersionUpdate};

#[tonic::async_trait]
impl wire::template_service_server::TemplateService for Operator {
    type WatchTemplatesStream = Stream<wire::TemplateChange>;

    async fn create_template(
        &self,
        request: Request<wire::CreateTemplateRequest>,
    ) -> Result<Response<wire::Template>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "CreateTemplate", &message.request_id, &message)?;
        let new = NewTemplate {
            kind: convert::kind(message.kind)?,
            name: word("name", &message.name)?,
            display_name: convert::display_name(message.display_name)?,
            description: convert::description(message.description)?,
            no_pipeline: message.no_pipeline,
            customer_managed: message.customer_managed,
            encryption_key: convert::encryption_key(message.encryption_key)?,
        };
        let row = self.app.create_template(change, new);
        Ok(Response::new(convert::template(answer(row.await)?)))
    }

    async fn update_template(
        &self,
        request: Request<wire::UpdateTemplateRequest>,
    ) -> Result<Response<wire::Template>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdateTemplate", &message.request_id, &message)?;
        let update = TemplateUpdate {
            kind: convert::kind(message.kind)?,
            name: word("name", &message.name)?,
            display_name: message.display_name.map(convert::display_name).transpose()?,
            description: message.description.map(convert::description).transpose()?,
        };
        let row = self.app.update_template(change, update);
        Ok(Response::new(convert::template(answer(row.await)?)))
    }

    async fn get_template(
        &self,
        request: Request<wire::GetTemplateRequest>,
    ) -> Result<Response<wire::Template>, Status> {
        let (caller, message) = self.open(request).await?;
        let (kind, name) = (convert::kind(message.kind)?, word("name", &message.name)?);
        let row = answer(self.app.get_template(&caller, kind, &name).await)?;
        Ok(Response::new(convert::template(row)))
    }

    async fn list_templates(
        &self,
        request: Request<wire::ListTemplatesRequest>,
    ) -> Result<Response<wire::ListTemplatesResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 2)?;
        let kind = convert::kind_opt(message.kind)?;
        let rows = answer(
            self.app
                .list_templates(&caller, kind, page.two(), page.size)
                .await,
        )?;
        let next_page_token = page.next(&rows, |row| {
            vec![row.kind.word().to_owned(), row.name.to_string()]
        });
        let templates = rows.into_iter().map(convert::template).collect();
        Ok(Response::new(wire::ListTemplatesResponse {
            templates,
            next_page_token,
        }))
    }

    async fn delete_template(
        &self,
        request: Request<wire::DeleteTemplateRequest>,
    ) -> Result<Response<wire::Template>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeleteTemplate", &message.request_id, &message)?;
        let (kind, name) = (convert::kind(message.kind)?, word("name", &message.name)?);
        Ok(Response::new(convert::template(answer(
            self.app.delete_template(change, kind, name).await,
        )?)))
    }

    async fn create_template_version(
        &self,
        request: Request<wire::CreateTemplateVersionRequest>,
    ) -> Result<Response<wire::TemplateVersion>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "CreateTemplateVersion", &message.request_id, &message)?;
        let compatible = convert::compatible(&message.compatible_environment_templates)?;
        let new = NewVersion {
            kind: convert::kind(message.kind)?,
            name: word("template_name", &message.template_name)?,
            major: (message.major_version > 0).then_some(message.major_version),
            source: convert::bundle_source(message.bundle, message.source)?,
            description: convert::description(message.description)?,
            compatible,
            components: convert::component_sources(&message.supported_component_sources)?,
        };
        let view = answer(self.app.create_version(change, new).await)?;
        Ok(Response::new(convert::version(view, String::new())))
    }

    async fn get_template_version(
        &self,
        request: Request<wire::GetTemplateVersionRequest>,
    ) -> Result<Response<wire::TemplateVersion>, Status> {
        let (caller, message) = self.open(request).await?;
        let (kind, name) = (
            convert::kind(message.kind)?,
            word("template_name", &message.template_name)?,
        );
        let version = word("version", &message.version)?;
        let view = answer(self.app.get_version(&caller, kind, &name, version).await)?;
        let schema = answer(self.app.version_schema(&view).await)?;
        Ok(Response::new(convert::version(view, schema)))
    }

    async fn list_template_versions(
        &self,
        request: Request<wire::ListTemplateVersionsRequest>,
    ) -> Result<Response<wire::ListTemplateVersionsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let (kind, name) = (
            convert::kind(message.kind)?,
            word("template_name", &message.template_name)?,
        );
        let after = convert::word_opt("page_token", &page.first())?;
        let major = (message.major_version > 0).then_some(message.major_version);
        let views = answer(
            self.app
                .list_versions(&caller, kind, name, major, after, page.size)
                .await,
        )?;
        let next_page_token = page.next(&views, |view| vec![view.row.version.to_string()]);
        let versions = views
            .into_iter()
            .map(|view| convert::version(view, String::new()))
            .collect();
        Ok(Response::new(wire::ListTemplateVersionsResponse {
            versions,
            next_page_token,
        }))
    }

    async fn update_template_version(
        &self,
        request: Request<wire::UpdateTemplateVersionRequest>,
    ) -> Result<Response<wire::TemplateVersion>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdateTemplateVersion", &message.request_id, &message)?;
        let update = VersionUpdate {
            kind: convert::kind(message.kind)?,
            name: word("template_name", &message.template_name)?,
            version: word("version", &message.version)?,
            description: message.description.map(convert::description).transpose()?,
            publish: convert::publish(&message.status)?,
            compatible: message
                .compatible_environment_templates
                .map(|list| convert::compatible(&list.names))
                .transpose()?,
            components: message
                .supported_component_sources
                .map(|list| convert::component_sources(&list.sources))
                .transpose()?,
            approve: false,
        };
        let view = answer(self.app.update_version(change, update).await)?;
        Ok(Response::new(convert::version(view, String::new())))
    }

    async fn publish_template_version(
        &self,
        request: Request<wire::PublishTemplateVersionRequest>,
    ) -> Result<Response<wire::TemplateVersion>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "PublishTemplateVersion", &message.request_id, &message)?;
        let (kind, name) = (
            convert::kind(message.kind)?,
            word("template_name", &message.template_name)?,
        );
        let version = word("version", &message.version)?;
        let update = VersionUpdate {
            kind,
            name,
            version,
            description: None,
            publish: true,
            compatible: None,
            components: None,
            approve: message.approve_capabilities,
        };
        let view = self.app.update_version(change, update).await;
        Ok(Response::new(convert::version(answer(view)?, String::new())))
    }

    async fn approve_template_version(
        &self,
        request: Request<wire::ApproveTemplateVersionRequest>,
    ) -> Result<Response<wire::TemplateVersion>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "ApproveTemplateVersion", &message.request_id, &message)?;
        let approval = Approval {
            kind: convert::kind(message.kind)?,
            name: word("template_name", &message.template_name)?,
            version: word("version", &message.version)?,
            capabilities: convert::capabilities(&message.capabilities)?,
            withdraw: message.withdraw,
        };
        let view = answer(self.app.approve_version(change, approval).await)?;
        Ok(Response::new(convert::version(view, String::new())))
    }

    async fn delete_template_version(
        &self,
        request: Request<wire::DeleteTemplateVersionRequest>,
    ) -> Result<Response<wire::TemplateVersion>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeleteTemplateVersion", &message.request_id, &message)?;
        let (kind, name) = (
            convert::kind(message.kind)?,
            word("template_name", &message.template_name)?,
        );
        let version = word("version", &message.version)?;
        let view = answer(self.app.delete_version(change, kind, name, version).await)?;
        Ok(Response::new(convert::version(view, String::new())))
    }

    async fn watch_templates(
        &self,
        request: Request<wire::WatchTemplatesRequest>,
    ) -> Result<Response<Self::WatchTemplatesStream>, Status> {
        use wire::template_change::Change;
        let (watching, message) = self.watch(request).await?;
        let kind = convert::kind_opt(message.kind)?;
        let app = self.app.clone();
        let look = move || {
            let (app, watching) = (app.clone(), watching.clone());
            async move {
                let caller = watching.caller().await?;
                let rows = app
                    .list_templates(&caller, kind, (String::new(), String::new()), u32::MAX)
                    .await?;
                let key =
                    |row: &crate::store::templates::TemplateRow| format!("{}/{}", row.kind.word(), row.name);
                Ok(rows
                    .into_iter()
                    .map(|row| (key(&row), convert::template(row)))
                    .collect())
            }
        };
        let changed = |item| wire::TemplateChange {
            change: Some(Change::Template(item)),
        };
        let removed = |key| wire::TemplateChange {
            change: Some(Change::Removed(key)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
