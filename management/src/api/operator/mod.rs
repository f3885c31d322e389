//! What people, scripts and the command line say to the hub: one service per noun.
//!
//! * [`auth`]: login; [`caller`]: who a call comes from.
//! * `convert`: between the wire and the use cases; `page`, `watch`: what all lists and streams have in common.

mod access;
mod agents;
pub mod auth;
pub mod caller;
mod components;
mod connections;
mod convert;
mod deployments;
mod environments;
mod grants;
mod instances;
mod page;
mod pipelines;
mod repositories;
mod services;
mod settings;
mod summary;
mod sync;
mod tags;
mod templates;
mod watch;

use hadron_domain::authority::Caller;
use hadron_proto::wire;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Status};
use watch::Watching;

use crate::api::status::status;
use crate::app::{App, AppError};

/// The largest request: a bundle of 5 MB with what is around it.
const LARGEST_REQUEST: usize = 8 * 1024 * 1024;

/// All services of this module that need a token. Clones share the application.
#[derive(Clone, Debug)]
pub struct Operator {
    app: App,
    /// Cancelled when this hub is stopping: streams end then, so that nobody has to be cut off.
    drain: CancellationToken,
}

impl Operator {
    /// Who calls, and what they say.
    async fn open<M>(&self, request: Request<M>) -> Result<(Caller, M), Status> {
        let caller = caller::authenticate(&self.app, request.metadata()).await?;
        Ok((caller, request.into_inner()))
    }
}

impl Operator {
    /// Who wants to watch, and what.
    async fn watch<M>(&self, request: Request<M>) -> Result<(Watching, M), Status> {
        let caller = caller::authenticate(&self.app, request.metadata()).await?;
        let token = caller::token(request.metadata())?;
        Ok((
            Watching::new(self.app.clone(), token, caller),
            request.into_inner(),
        ))
    }
}

/// An answer, or the status for the error.
fn answer<T>(result: Result<T, AppError>) -> Result<T, Status> {
    result.map_err(|error| status(&error))
}

/// All services that need a token; their streams end when `drain` is cancelled.
#[must_use]
pub fn routes(app: &App, drain: &CancellationToken) -> Routes {
    let operator = Operator {
        app: app.clone(),
        drain: drain.clone(),
    };
    let mut routes = Routes::builder();
    routes
        .add_service(wire::connection_service_server::ConnectionServiceServer::new(
            operator.clone(),
        ))
        .add_service(
            wire::template_service_server::TemplateServiceServer::new(operator.clone())
                .max_decoding_message_size(LARGEST_REQUEST),
        )
        .add_service(wire::environment_service_server::EnvironmentServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::service_service_server::ServiceServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::instance_service_server::InstanceServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::pipeline_service_server::PipelineServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::component_service_server::ComponentServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::deployment_service_server::DeploymentServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::settings_service_server::SettingsServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::grant_service_server::GrantServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::repository_service_server::RepositoryServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::sync_service_server::SyncServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::tag_service_server::TagServiceServer::new(operator.clone()))
        .add_service(wire::summary_service_server::SummaryServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::access_service_server::AccessServiceServer::new(
            operator.clone(),
        ))
        .add_service(wire::agents_service_server::AgentsServiceServer::new(operator));
    routes.routes()
}
