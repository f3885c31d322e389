//! `PipelineService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word, word_opt};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};
use crate::store::targets::Filter;

#[tonic::async_trait]
impl wire::pipeline_service_server::PipelineService for Operator {
    type WatchPipelinesStream = Stream<wire::PipelineChange>;

    async fn create_pipeline(
        &self,
        request: Request<wire::CreatePipelineRequest>,
    ) -> Result<Response<wire::Pipeline>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "CreatePipeline", &message.request_id, &message)?;
        let service = word("service_name", &message.service_name)?;
        let update = convert::part_update(0, String::new(), &message.template_version)?;
        Ok(Response::new(convert::pipeline(answer(
            self.app.create_pipeline(change, service, update).await,
        )?)))
    }

    async fn get_pipeline(
        &self,
        request: Request<wire::GetPipelineRequest>,
    ) -> Result<Response<wire::Pipeline>, Status> {
        let (caller, message) = self.open(request).await?;
        let service = word("service_name", &message.service_name)?;
        Ok(Response::new(convert::pipeline(answer(
            self.app.get_pipeline(&caller, &service).await,
        )?)))
    }

    async fn list_pipelines(
        &self,
        request: Request<wire::ListPipelinesRequest>,
    ) -> Result<Response<wire::ListPipelinesResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let filter = Filter {
            kind: "pipeline",
            ..Filter::default()
        };
        let rows = answer(
            self.app
                .list_targets(&caller, filter, (page.first(), String::new()), page.size)
                .await,
        )?;
        let next_page_token = page.next(&rows, |row| vec![row.target.name()]);
        let pipelines = rows.into_iter().map(convert::pipeline).collect();
        Ok(Response::new(wire::ListPipelinesResponse {
            pipelines,
            next_page_token,
        }))
    }

    async fn update_pipeline(
        &self,
        request: Request<wire::UpdatePipelineRequest>,
    ) -> Result<Response<wire::Pipeline>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UpdatePipeline", &message.request_id, &message)?;
        let service = word("service_name", &message.service_name)?;
        let update = convert::part_update(message.deployment_type, message.spec, &message.template_version)?;
        Ok(Response::new(convert::pipeline(answer(
            self.app.update_pipeline(change, service, update).await,
        )?)))
    }

    async fn delete_pipeline(
        &self,
        request: Request<wire::DeletePipelineRequest>,
    ) -> Result<Response<wire::Pipeline>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeletePipeline", &message.request_id, &message)?;
        let service = word("service_name", &message.service_name)?;
        let row = self
            .app
            .delete_pipeline(change, service, message.retain_resources);
        Ok(Response::new(convert::pipeline(answer(row.await)?)))
    }

    async fn watch_pipelines(
        &self,
        request: Request<wire::WatchPipelinesRequest>,
    ) -> Result<Response<Self::WatchPipelinesStream>, Status> {
        use wire::pipeline_change::Change;
        let (watching, message) = self.watch(request).await?;
        let service = word_opt("service_name", &message.service_name)?;
        let filter = Filter {
            kind: "pipeline",
            service,
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
                    .map(|row| (row.target.name(), convert::pipeline(row)))
                    .collect())
            }
        };
        let changed = |item| wire::PipelineChange {
            change: Some(Change::Pipeline(item)),
        };
        let removed = |name| wire::PipelineChange {
            change: Some(Change::RemovedServiceName(name)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
