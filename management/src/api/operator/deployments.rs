//! `DeploymentService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::convert::{self, word};
use super::page::Page;
use super::watch::{EVERY, Stream, draining};
use super::{Operator, answer};
use crate::api::status::status;
use crate::store::Topic;
use crate::store::deployments::Filter;

/// How many events one update carries at most.
const EVENTS: u32 = 500;

#[tonic::async_trait]
impl wire::deployment_service_server::DeploymentService for Operator {
    type WatchDeploymentStream = Stream<wire::DeploymentUpdate>;

    async fn get_deployment(
        &self,
        request: Request<wire::GetDeploymentRequest>,
    ) -> Result<Response<wire::Deployment>, Status> {
        let (caller, message) = self.open(request).await?;
        let row = answer(self.app.get_deployment(&caller, word("id", &message.id)?).await)?;
        Ok(Response::new(convert::deployment_with_states(row)))
    }

    async fn list_deployments(
        &self,
        request: Request<wire::ListDeploymentsRequest>,
    ) -> Result<Response<wire::ListDeploymentsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let filter = Filter {
            kind: convert::target_kind(&message.target_kind)?,
            component: message.component_name,
            environment: message.environment_name,
            service: message.service_name,
            instance: message.instance_name,
            account: String::new(),
            active_only: message.active_only,
        };
        let rows = answer(
            self.app
                .list_deployments(&caller, filter, page.first(), page.size)
                .await,
        )?;
        let next_page_token = page.next(&rows, |row| vec![row.deployment.id.to_string()]);
        let deployments = rows.into_iter().map(convert::deployment).collect();
        Ok(Response::new(wire::ListDeploymentsResponse {
            deployments,
            next_page_token,
        }))
    }

    async fn cancel_deployment(
        &self,
        request: Request<wire::CancelDeploymentRequest>,
    ) -> Result<Response<wire::Deployment>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "CancelDeployment", &message.request_id, &message)?;
        let row = answer(self.app.cancel_deployment(change, word("id", &message.id)?).await)?;
        Ok(Response::new(convert::deployment(row)))
    }

    async fn delete_deployment(
        &self,
        request: Request<wire::DeleteDeploymentRequest>,
    ) -> Result<Response<wire::DeleteDeploymentResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "DeleteDeployment", &message.request_id, &message)?;
        let removed = answer(self.app.delete_deployment(change, word("id", &message.id)?).await)?;
        Ok(Response::new(wire::DeleteDeploymentResponse {
            deployment: removed.map(convert::deployment),
        }))
    }

    async fn list_deployment_events(
        &self,
        request: Request<wire::ListDeploymentEventsRequest>,
    ) -> Result<Response<wire::ListDeploymentEventsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let limit = if message.page_size == 0 {
            EVENTS
        } else {
            message.page_size.min(EVENTS)
        };
        let id = word("id", &message.id)?;
        let rows = answer(
            self.app
                .deployment_events(&caller, id, message.after, limit)
                .await,
        )?;
        let events = rows.into_iter().map(convert::event).collect();
        Ok(Response::new(wire::ListDeploymentEventsResponse { events }))
    }

    async fn watch_deployment(
        &self,
        request: Request<wire::WatchDeploymentRequest>,
    ) -> Result<Response<Self::WatchDeploymentStream>, Status> {
        let (watching, message) = self.watch(request).await?;
        let id = word("id", &message.id)?;
        // A wrong id is an error of the call, not of the stream.
        let caller = answer(watching.caller().await)?;
        answer(self.app.get_deployment(&caller, id).await)?;
        let (sender, receiver) = mpsc::channel(64);
        let app = self.app.clone();
        let mut woken = app.db().subscribe(Topic::Changes);
        let drain = self.drain.clone();
        tokio::spawn(async move {
            let mut after = message.after;
            let mut last = None;
            loop {
                // First the row, then its events: an event that comes in between is seen in the next round at the latest,
                // and an ended row has all of its events.
                let round = async {
                    let caller = watching.caller().await?;
                    let row = app.get_deployment(&caller, id).await?;
                    let events = app.deployment_events(&caller, id, after, EVENTS).await?;
                    Ok::<_, crate::app::AppError>((row, events))
                };
                let (row, events) = match round.await {
                    Ok(round) => round,
                    Err(error) => {
                        let _ = sender.send(Err(status(&error))).await;
                        return;
                    }
                };
                let full = events.len() >= EVENTS as usize;
                let ended = row.ended_at.is_some();
                if last != Some(row.generation) || !events.is_empty() {
                    last = Some(row.generation);
                    after = events.last().map_or(after, |event| event.sequence);
                    let update = wire::DeploymentUpdate {
                        deployment: Some(convert::deployment(row)),
                        events: events.into_iter().map(convert::event).collect(),
                    };
                    if sender.send(Ok(update)).await.is_err() {
                        return;
                    }
                }
                if full {
                    continue;
                }
                if ended {
                    return;
                }
                tokio::select! {
                    () = sender.closed() => return,
                    () = drain.cancelled() => {
                        let _ = sender.send(Err(draining())).await;
                        return;
                    }
                    () = woken.woken() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn get_rendered_template(
        &self,
        request: Request<wire::GetRenderedTemplateRequest>,
    ) -> Result<Response<wire::GetRenderedTemplateResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let id = word("deployment_id", &message.deployment_id)?;
        let (template, digest) = answer(self.app.rendered_template(&caller, id).await)?;
        Ok(Response::new(wire::GetRenderedTemplateResponse {
            template,
            digest: digest.to_string(),
        }))
    }
}
