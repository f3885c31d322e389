//! A hub in this process: it keeps what a test gave it, answers, and notes what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::Stream;
use hadron_proto::wire;
use hadron_proto::wire::{
    agents_service_server as agents, auth_service_server as auth, connection_service_server as connections,
    deployment_service_server as deployments, environment_service_server as environments,
    service_service_server as services, template_service_server as templates,
};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

type Answer<T> = Result<Response<T>, Status>;
type Feed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the hub knows, and what it was asked.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) agents: Vec<wire::Agent>,
    pub(crate) connections: Vec<wire::Connection>,
    pub(crate) deployments: Vec<wire::Deployment>,
    pub(crate) environments: Vec<wire::Environment>,
    pub(crate) services: Vec<wire::Service>,
    pub(crate) templates: Vec<wire::Template>,
    /// For each deployment: what each further watch stream says before it ends.
    pub(crate) watches: BTreeMap<String, VecDeque<Vec<Result<wire::DeploymentUpdate, Status>>>>,
    /// What each further watch stream of services says; the last one stays open.
    pub(crate) service_watches: VecDeque<Vec<wire::ServiceChange>>,
    /// Whether streams of environments break off.
    pub(crate) cut: bool,
    /// How many calls are answered UNAVAILABLE first.
    pub(crate) unavailable: u32,
    /// Whether every call is told that the hub is stopping.
    pub(crate) stopping: bool,
    /// How many calls are told to come again then.
    pub(crate) busy: u32,
    /// How many calls lose a race then.
    pub(crate) races: u32,
    /// Tokens that are let in; empty: any.
    pub(crate) tokens: Vec<String>,
    /// When temporary access keys end, in seconds since 1970.
    pub(crate) keys_end: i64,
    /// Calls and what was in them.
    pub(crate) log: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Hub(Arc<Mutex<State>>);

impl Hub {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no call panics while it holds the state")
    }

    /// Listens on a free port.
    pub(crate) async fn serve(&self) -> SocketAddr {
        self.serve_as(None).await
    }

    /// The same, with a certificate and its key in PEM.
    pub(crate) async fn serve_as(&self, identity: Option<(String, String)>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let mut builder = tonic::transport::Server::builder();
        if let Some((chain, key)) = identity {
            let identity = tonic::transport::Identity::from_pem(chain, key);
            let tls = tonic::transport::ServerTlsConfig::new().identity(identity);
            builder = builder.tls_config(tls).expect("a usable certificate");
        }
        let server = builder
            .add_service(auth::AuthServiceServer::new(self.clone()))
            .add_service(agents::AgentsServiceServer::new(self.clone()))
            .add_service(connections::ConnectionServiceServer::new(self.clone()))
            .add_service(environments::EnvironmentServiceServer::new(self.clone()))
            .add_service(services::ServiceServiceServer::new(self.clone()))
            .add_service(templates::TemplateServiceServer::new(self.clone()))
            .add_service(deployments::DeploymentServiceServer::new(self.clone()))
            .serve_with_incoming(incoming);
        tokio::spawn(server);
        address
    }

    fn enter<T: std::fmt::Debug>(
        &self,
        what: &str,
        request: &Request<T>,
    ) -> Result<MutexGuard<'_, State>, Status> {
        let token = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let token = token.strip_prefix("Bearer ").unwrap_or_default().to_owned();
        let mut state = self.state();
        state.log.push(format!("{what} {:?}", request.get_ref()));
        if state.unavailable > 0 {
            state.unavailable -= 1;
            return Err(Status::unavailable("starting"));
        }
        if state.stopping {
            return Err(refuse(Code::Unavailable, "this hub is stopping", "STOPPING", ""));
        }
        if state.busy > 0 {
            state.busy -= 1;
            let details = ErrorDetails::with_retry_info(Some(std::time::Duration::from_millis(10)));
            return Err(Status::with_error_details(
                Code::ResourceExhausted,
                "busy",
                details,
            ));
        }
        if state.races > 0 {
            state.races -= 1;
            return Err(refuse(Code::Aborted, "something else changed it", "CONFLICT", ""));
        }
        if !state.tokens.is_empty() && !state.tokens.contains(&token) {
            return Err(Status::unauthenticated("the token is not known"));
        }
        Ok(state)
    }
}

fn refuse(code: Code, message: &str, reason: &str, help: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "hadron", [("help".to_owned(), help.to_owned())]);
    Status::with_error_details(code, message, details)
}

fn missing(what: &str) -> Status {
    refuse(Code::NotFound, &format!("{what} does not exist"), "NOT_FOUND", "")
}

fn absent<T>() -> Answer<T> {
    Err(Status::unimplemented("not in this fake"))
}

fn page<T: Clone>(all: &[T], size: u32, token: &str) -> (Vec<T>, String) {
    let from: usize = token.parse().unwrap_or(0);
    let to = all.len().min(from + size as usize);
    (
        all[from..to].to_vec(),
        if to < all.len() {
            to.to_string()
        } else {
            String::new()
        },
    )
}

#[tonic::async_trait]
impl auth::AuthService for Hub {
    async fn begin_login(
        &self,
        request: Request<wire::BeginLoginRequest>,
    ) -> Answer<wire::BeginLoginResponse> {
        self.state()
            .log
            .push(format!("begin_login {:?}", request.get_ref()));
        Ok(Response::new(wire::BeginLoginResponse {
            challenge_id: "chl".to_owned(),
            nonce: vec![7; 32],
            hub_id: "dev-hub".to_owned(),
            valid_for: None,
        }))
    }
    async fn finish_login(
        &self,
        request: Request<wire::FinishLoginRequest>,
    ) -> Answer<wire::FinishLoginResponse> {
        let proof = request.into_inner().proof.unwrap_or_default();
        let mut state = self.state();
        state.log.push(format!(
            "finish_login {} {}",
            proof.challenge_id, proof.access_key_id
        ));
        let token = format!("token-{}", state.log.len());
        state.tokens = vec![token.clone()];
        Ok(Response::new(wire::FinishLoginResponse {
            token,
            valid_for: Some(prost_types::Duration {
                seconds: 3_600,
                nanos: 0,
            }),
            principal: "arn:aws:iam::111111111111:user/ada".to_owned(),
            account_id: "111111111111".to_owned(),
            role: "administrator".to_owned(),
        }))
    }
    async fn issue_access_key(
        &self,
        request: Request<wire::IssueAccessKeyRequest>,
    ) -> Answer<wire::IssueAccessKeyResponse> {
        let proof = request.into_inner().proof.unwrap_or_default();
        let mut state = self.state();
        state.log.push(format!(
            "issue_access_key {} {}",
            proof.challenge_id, proof.access_key_id
        ));
        let number = state.log.len();
        Ok(Response::new(wire::IssueAccessKeyResponse {
            access_key_id: format!("HUBA{number}"),
            secret_access_key: "secret".to_owned(),
            session_token: "session".to_owned(),
            expiration: Some(prost_types::Timestamp {
                seconds: state.keys_end,
                nanos: 0,
            }),
            principal: "arn:aws:iam::111111111111:user/ada".to_owned(),
            account_id: "111111111111".to_owned(),
            role: "administrator".to_owned(),
        }))
    }
    async fn create_console_link(
        &self,
        request: Request<wire::CreateConsoleLinkRequest>,
    ) -> Answer<wire::CreateConsoleLinkResponse> {
        drop(self.enter("create_console_link", &request)?);
        Ok(Response::new(wire::CreateConsoleLinkResponse {
            path: "/sign-in/abc".to_owned(),
            valid_for: None,
        }))
    }
    async fn list_issuers(&self, _: Request<wire::ListIssuersRequest>) -> Answer<wire::ListIssuersResponse> {
        absent()
    }
    async fn begin_oidc_login(
        &self,
        _: Request<wire::BeginOidcLoginRequest>,
    ) -> Answer<wire::BeginOidcLoginResponse> {
        absent()
    }
    async fn finish_oidc_login(
        &self,
        _: Request<wire::FinishOidcLoginRequest>,
    ) -> Answer<wire::FinishLoginResponse> {
        absent()
    }
    async fn begin_device_login(
        &self,
        _: Request<wire::BeginDeviceLoginRequest>,
    ) -> Answer<wire::BeginDeviceLoginResponse> {
        absent()
    }
    async fn finish_device_login(
        &self,
        _: Request<wire::FinishDeviceLoginRequest>,
    ) -> Answer<wire::FinishLoginResponse> {
        absent()
    }
    async fn exchange_token(
        &self,
        _: Request<wire::ExchangeTokenRequest>,
    ) -> Answer<wire::FinishLoginResponse> {
        absent()
    }
    async fn logout(&self, request: Request<wire::LogoutRequest>) -> Answer<wire::LogoutResponse> {
        let mut state = self.enter("logout", &request)?;
        state.tokens = vec!["none any more".to_owned()];
        drop(state);
        Ok(Response::new(wire::LogoutResponse {}))
    }
    async fn who_am_i(&self, request: Request<wire::WhoAmIRequest>) -> Answer<wire::WhoAmIResponse> {
        drop(self.enter("who_am_i", &request)?);
        Ok(Response::new(wire::WhoAmIResponse {
            principal: "arn:aws:iam::111111111111:user/ada".to_owned(),
            account_id: "111111111111".to_owned(),
            role: "administrator".to_owned(),
            hub_id: "dev-hub".to_owned(),
            hub_version: env!("CARGO_PKG_VERSION").to_owned(),
            management_account_id: "111111111111".to_owned(),
            region: "us-east-1".to_owned(),
            rights: Vec::new(),
        }))
    }
}

#[tonic::async_trait]
impl agents::AgentsService for Hub {
    type WatchAgentsStream = Feed<wire::AgentChange>;
    async fn watch_agents(&self, _: Request<wire::WatchAgentsRequest>) -> Answer<Self::WatchAgentsStream> {
        absent()
    }
    async fn list_agents(
        &self,
        request: Request<wire::ListAgentsRequest>,
    ) -> Answer<wire::ListAgentsResponse> {
        let state = self.enter("list_agents", &request)?;
        let agents = state.agents.clone();
        Ok(Response::new(wire::ListAgentsResponse {
            agents,
            next_page_token: String::new(),
        }))
    }
}

#[tonic::async_trait]
impl connections::ConnectionService for Hub {
    async fn request_connection(
        &self,
        request: Request<wire::RequestConnectionRequest>,
    ) -> Answer<wire::Connection> {
        let mut state = self.enter("request_connection", &request)?;
        let connection = wire::Connection {
            id: "conn_1".to_owned(),
            environment_name: request.into_inner().environment_name,
            status: "PENDING".to_owned(),
            ..Default::default()
        };
        state.connections.push(connection.clone());
        Ok(Response::new(connection))
    }
    async fn get_connection(&self, request: Request<wire::GetConnectionRequest>) -> Answer<wire::Connection> {
        let state = self.enter("get_connection", &request)?;
        let id = &request.get_ref().id;
        let found = state.connections.iter().find(|one| one.id == *id).cloned();
        found
            .map(Response::new)
            .ok_or_else(|| missing(&format!("connection {id}")))
    }
    async fn list_connections(
        &self,
        request: Request<wire::ListConnectionsRequest>,
    ) -> Answer<wire::ListConnectionsResponse> {
        let state = self.enter("list_connections", &request)?;
        Ok(Response::new(wire::ListConnectionsResponse {
            connections: state.connections.clone(),
            next_page_token: String::new(),
        }))
    }
    type WatchConnectionsStream = Feed<wire::ConnectionChange>;
    async fn watch_connections(
        &self,
        _: Request<wire::WatchConnectionsRequest>,
    ) -> Answer<Self::WatchConnectionsStream> {
        absent()
    }
    async fn accept_connection(
        &self,
        request: Request<wire::AcceptConnectionRequest>,
    ) -> Answer<wire::Connection> {
        let mut state = self.enter("accept_connection", &request)?;
        let asked = request.into_inner();
        let one = state
            .connections
            .iter_mut()
            .find(|one| one.id == asked.id)
            .ok_or_else(|| missing("connection"))?;
        one.status = "CONNECTED".to_owned();
        Ok(Response::new(one.clone()))
    }
    async fn reject_connection(
        &self,
        request: Request<wire::RejectConnectionRequest>,
    ) -> Answer<wire::Connection> {
        let mut state = self.enter("reject_connection", &request)?;
        let asked = request.into_inner();
        let one = state
            .connections
            .iter_mut()
            .find(|one| one.id == asked.id)
            .ok_or_else(|| missing("connection"))?;
        one.status = "REJECTED".to_owned();
        Ok(Response::new(one.clone()))
    }
    async fn update_connection(
        &self,
        request: Request<wire::UpdateConnectionRequest>,
    ) -> Answer<wire::Connection> {
        let mut state = self.enter("update_connection", &request)?;
        let asked = request.into_inner();
        let one = state
            .connections
            .iter_mut()
            .find(|one| one.id == asked.id)
            .ok_or_else(|| {
                refuse(
                    Code::NotFound,
                    "no such connection",
                    "NOT_FOUND",
                    "hadron connection list",
                )
            })?;
        one.component_role_arn = asked.component_role_arn;
        Ok(Response::new(one.clone()))
    }
    async fn delete_connection(&self, _: Request<wire::DeleteConnectionRequest>) -> Answer<wire::Connection> {
        absent()
    }
}

#[tonic::async_trait]
impl environments::EnvironmentService for Hub {
    async fn create_environment(
        &self,
        request: Request<wire::CreateEnvironmentRequest>,
    ) -> Answer<wire::Environment> {
        let mut state = self.enter("create_environment", &request)?;
        let asked = request.into_inner();
        match asked.name.as_str() {
            "faulty" => Err(refuse(
                Code::InvalidArgument,
                "error[spec/unknown]: 'cidr' is not an input\n --> spec:3:3\n  |\n3 |   cidr: 1\n  |   ^^^^\n",
                "SPEC_INVALID",
                "hadron template get vpc --version 1.0",
            )),
            "taken" => Err(refuse(
                Code::AlreadyExists,
                "environment 'taken' exists",
                "EXISTS",
                "",
            )),
            "denied" => Err(Status::permission_denied(
                "developers may not create environments",
            )),
            "waiting" => Err(refuse(
                Code::FailedPrecondition,
                "the connection is PENDING",
                "CONNECTION_PENDING",
                "hadron connection accept conn_1",
            )),
            _ => {
                let made = environment(&asked.name, "IN_PROGRESS");
                state.environments.push(made.clone());
                Ok(Response::new(made))
            }
        }
    }
    async fn get_environment(
        &self,
        request: Request<wire::GetEnvironmentRequest>,
    ) -> Answer<wire::Environment> {
        let state = self.enter("get_environment", &request)?;
        let name = &request.get_ref().name;
        let found = state.environments.iter().find(|one| one.name == *name).cloned();
        found
            .map(Response::new)
            .ok_or_else(|| missing(&format!("environment '{name}'")))
    }
    async fn list_environments(
        &self,
        request: Request<wire::ListEnvironmentsRequest>,
    ) -> Answer<wire::ListEnvironmentsResponse> {
        let state = self.enter("list_environments", &request)?;
        let asked = request.get_ref();
        let (environments, next_page_token) = page(&state.environments, asked.page_size, &asked.page_token);
        Ok(Response::new(wire::ListEnvironmentsResponse {
            environments,
            next_page_token,
        }))
    }
    async fn update_environment(
        &self,
        request: Request<wire::UpdateEnvironmentRequest>,
    ) -> Answer<wire::Environment> {
        drop(self.enter("update_environment", &request)?);
        Ok(Response::new(environment(&request.get_ref().name, "IN_PROGRESS")))
    }
    async fn delete_environment(
        &self,
        request: Request<wire::DeleteEnvironmentRequest>,
    ) -> Answer<wire::Environment> {
        drop(self.enter("delete_environment", &request)?);
        Ok(Response::new(environment(
            &request.get_ref().name,
            "DELETE_IN_PROGRESS",
        )))
    }
    async fn cancel_environment_deployment(
        &self,
        request: Request<wire::CancelEnvironmentDeploymentRequest>,
    ) -> Answer<wire::Environment> {
        drop(self.enter("cancel_environment_deployment", &request)?);
        Ok(Response::new(environment(&request.get_ref().name, "CANCELLING")))
    }
    type WatchEnvironmentsStream = Feed<wire::EnvironmentChange>;
    async fn watch_environments(
        &self,
        request: Request<wire::WatchEnvironmentsRequest>,
    ) -> Answer<Self::WatchEnvironmentsStream> {
        let seen = self.enter("watch_environments", &request)?.environments.clone();
        let changes = futures::stream::unfold((self.clone(), seen), |(hub, seen)| async move {
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                if std::mem::take(&mut hub.state().cut) {
                    return Some((Err(Status::unavailable("restarting")), (hub, seen)));
                }
                let now = hub.state().environments.clone();
                if now != seen {
                    return Some((Ok(wire::EnvironmentChange::default()), (hub, now)));
                }
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

#[tonic::async_trait]
impl services::ServiceService for Hub {
    async fn create_service(&self, request: Request<wire::CreateServiceRequest>) -> Answer<wire::Service> {
        let mut state = self.enter("create_service", &request)?;
        let made = wire::Service {
            name: request.into_inner().name,
            status: "CREATE_IN_PROGRESS".to_owned(),
            ..Default::default()
        };
        state.services.push(made.clone());
        Ok(Response::new(made))
    }
    async fn get_service(&self, request: Request<wire::GetServiceRequest>) -> Answer<wire::Service> {
        let state = self.enter("get_service", &request)?;
        let found = state
            .services
            .iter()
            .find(|one| one.name == request.get_ref().name)
            .cloned();
        found.map(Response::new).ok_or_else(|| missing("service"))
    }
    async fn list_services(
        &self,
        _: Request<wire::ListServicesRequest>,
    ) -> Answer<wire::ListServicesResponse> {
        Ok(Response::new(wire::ListServicesResponse::default()))
    }
    async fn update_service(&self, _: Request<wire::UpdateServiceRequest>) -> Answer<wire::Service> {
        absent()
    }
    async fn delete_service(&self, request: Request<wire::DeleteServiceRequest>) -> Answer<wire::Service> {
        let mut state = self.enter("delete_service", &request)?;
        let gone = state.services.pop().ok_or_else(|| missing("service"))?;
        Ok(Response::new(wire::Service {
            status: "DELETE_IN_PROGRESS".to_owned(),
            ..gone
        }))
    }
    type WatchServicesStream = Feed<wire::ServiceChange>;
    async fn watch_services(
        &self,
        request: Request<wire::WatchServicesRequest>,
    ) -> Answer<Self::WatchServicesStream> {
        let mut state = self.enter("watch_services", &request)?;
        let told = state.service_watches.pop_front().unwrap_or_default();
        Ok(Response::new(Box::pin(futures::stream::iter(
            told.into_iter().map(Ok),
        ))))
    }
}

#[tonic::async_trait]
impl templates::TemplateService for Hub {
    async fn create_template(&self, request: Request<wire::CreateTemplateRequest>) -> Answer<wire::Template> {
        let mut state = self.enter("create_template", &request)?;
        let asked = request.into_inner();
        let made = wire::Template {
            kind: asked.kind,
            name: asked.name,
            ..Default::default()
        };
        state.templates.push(made.clone());
        Ok(Response::new(made))
    }
    async fn get_template(&self, _: Request<wire::GetTemplateRequest>) -> Answer<wire::Template> {
        absent()
    }
    async fn list_templates(
        &self,
        request: Request<wire::ListTemplatesRequest>,
    ) -> Answer<wire::ListTemplatesResponse> {
        let state = self.enter("list_templates", &request)?;
        let (templates, next_page_token) = page(
            &state.templates,
            request.get_ref().page_size,
            &request.get_ref().page_token,
        );
        Ok(Response::new(wire::ListTemplatesResponse {
            templates,
            next_page_token,
        }))
    }
    async fn delete_template(&self, _: Request<wire::DeleteTemplateRequest>) -> Answer<wire::Template> {
        absent()
    }
    async fn create_template_version(
        &self,
        request: Request<wire::CreateTemplateVersionRequest>,
    ) -> Answer<wire::TemplateVersion> {
        let asked = request.into_inner();
        let bundle = asked.bundle.len();
        let quiet = wire::CreateTemplateVersionRequest {
            bundle: Vec::new(),
            ..asked.clone()
        };
        self.enter("create_template_version", &Request::new(quiet)).ok();
        assert!(bundle > 100 || asked.source.is_some(), "a bundle came");
        let status = if asked.source.is_some() {
            "REGISTRATION_IN_PROGRESS"
        } else {
            "DRAFT"
        };
        Ok(Response::new(wire::TemplateVersion {
            source: asked.source,
            ..version(&asked.template_name, asked.kind, status)
        }))
    }
    async fn get_template_version(
        &self,
        request: Request<wire::GetTemplateVersionRequest>,
    ) -> Answer<wire::TemplateVersion> {
        let state = self.enter("get_template_version", &request)?;
        let asked = request.into_inner();
        // Still in progress at the first look, and then what the test wants.
        let looks = state
            .log
            .iter()
            .filter(|line| line.starts_with("get_template_version"))
            .count();
        let (status, status_message) = match (looks, asked.template_name.as_str()) {
            (1, _) => ("REGISTRATION_IN_PROGRESS", String::new()),
            (_, "missing") => (
                "REGISTRATION_FAILED",
                "there is no object 'k' in bucket 'b'".to_owned(),
            ),
            _ => ("DRAFT", String::new()),
        };
        Ok(Response::new(wire::TemplateVersion {
            status_message,
            ..version(&asked.template_name, asked.kind, status)
        }))
    }
    async fn update_template(&self, request: Request<wire::UpdateTemplateRequest>) -> Answer<wire::Template> {
        drop(self.enter("update_template", &request)?);
        let asked = request.into_inner();
        Ok(Response::new(wire::Template {
            kind: asked.kind,
            name: asked.name,
            display_name: asked.display_name.unwrap_or_default(),
            ..Default::default()
        }))
    }
    async fn update_template_version(
        &self,
        request: Request<wire::UpdateTemplateVersionRequest>,
    ) -> Answer<wire::TemplateVersion> {
        drop(self.enter("update_template_version", &request)?);
        let asked = request.into_inner();
        Ok(Response::new(version(&asked.template_name, asked.kind, "DRAFT")))
    }
    async fn list_template_versions(
        &self,
        _: Request<wire::ListTemplateVersionsRequest>,
    ) -> Answer<wire::ListTemplateVersionsResponse> {
        absent()
    }
    async fn publish_template_version(
        &self,
        request: Request<wire::PublishTemplateVersionRequest>,
    ) -> Answer<wire::TemplateVersion> {
        drop(self.enter("publish_template_version", &request)?);
        let asked = request.into_inner();
        Ok(Response::new(version(
            &asked.template_name,
            asked.kind,
            "PUBLISHED",
        )))
    }
    async fn approve_template_version(
        &self,
        _: Request<wire::ApproveTemplateVersionRequest>,
    ) -> Answer<wire::TemplateVersion> {
        absent()
    }
    async fn delete_template_version(
        &self,
        _: Request<wire::DeleteTemplateVersionRequest>,
    ) -> Answer<wire::TemplateVersion> {
        absent()
    }
    type WatchTemplatesStream = Feed<wire::TemplateChange>;
    async fn watch_templates(
        &self,
        _: Request<wire::WatchTemplatesRequest>,
    ) -> Answer<Self::WatchTemplatesStream> {
        absent()
    }
}

#[tonic::async_trait]
impl deployments::DeploymentService for Hub {
    async fn get_deployment(&self, request: Request<wire::GetDeploymentRequest>) -> Answer<wire::Deployment> {
        let state = self.enter("get_deployment", &request)?;
        let id = &request.get_ref().id;
        let found = state.deployments.iter().find(|one| one.id == *id).cloned();
        found.map(Response::new).ok_or_else(|| missing("deployment"))
    }
    async fn list_deployments(
        &self,
        request: Request<wire::ListDeploymentsRequest>,
    ) -> Answer<wire::ListDeploymentsResponse> {
        let state = self.enter("list_deployments", &request)?;
        let wanted = |one: &&wire::Deployment| !request.get_ref().active_only || one.status == "IN_PROGRESS";
        Ok(Response::new(wire::ListDeploymentsResponse {
            deployments: state.deployments.iter().filter(wanted).cloned().collect(),
            next_page_token: String::new(),
        }))
    }
    async fn cancel_deployment(&self, _: Request<wire::CancelDeploymentRequest>) -> Answer<wire::Deployment> {
        absent()
    }
    async fn delete_deployment(
        &self,
        request: Request<wire::DeleteDeploymentRequest>,
    ) -> Answer<wire::DeleteDeploymentResponse> {
        drop(self.enter("delete_deployment", &request)?);
        Ok(Response::new(wire::DeleteDeploymentResponse {
            deployment: Some(wire::Deployment {
                id: request.into_inner().id,
                status: "SUCCEEDED".to_owned(),
                ..Default::default()
            }),
        }))
    }
    async fn list_deployment_events(
        &self,
        request: Request<wire::ListDeploymentEventsRequest>,
    ) -> Answer<wire::ListDeploymentEventsResponse> {
        drop(self.enter("list_deployment_events", &request)?);
        let after = request.get_ref().after;
        let until = 1_200.min(after + u64::from(request.get_ref().page_size));
        let events = (after + 1..=until)
            .map(|at| event(at, "Topic", "CREATE_IN_PROGRESS", ""))
            .collect();
        Ok(Response::new(wire::ListDeploymentEventsResponse { events }))
    }
    type WatchDeploymentStream = Feed<wire::DeploymentUpdate>;
    async fn watch_deployment(
        &self,
        request: Request<wire::WatchDeploymentRequest>,
    ) -> Answer<Self::WatchDeploymentStream> {
        let mut state = self.enter("watch_deployment", &request)?;
        let id = request.get_ref().id.clone();
        let streams = state
            .watches
            .get_mut(&id)
            .ok_or_else(|| missing(&format!("deployment {id}")))?;
        match streams.pop_front() {
            Some(told) => Ok(Response::new(Box::pin(futures::stream::iter(told)))),
            // Nothing more to tell now, and not ended either: what a test adds later is told then.
            None => {
                drop(state);
                let later =
                    futures::stream::unfold((self.clone(), VecDeque::new()), move |(hub, mut told)| {
                        let id = id.clone();
                        async move {
                            while told.is_empty() {
                                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                                let more = hub.state().watches.get_mut(&id).and_then(VecDeque::pop_front);
                                told.extend(more.unwrap_or_default());
                            }
                            let next: Result<wire::DeploymentUpdate, Status> = told.pop_front()?;
                            Some((next, (hub, told)))
                        }
                    });
                Ok(Response::new(Box::pin(later)))
            }
        }
    }
    async fn get_rendered_template(
        &self,
        request: Request<wire::GetRenderedTemplateRequest>,
    ) -> Answer<wire::GetRenderedTemplateResponse> {
        drop(self.enter("get_rendered_template", &request)?);
        let template = "Resources: {}\n".to_owned();
        Ok(Response::new(wire::GetRenderedTemplateResponse {
            template,
            digest: "sha256:0".to_owned(),
        }))
    }
}

fn version(name: &str, kind: i32, status: &str) -> wire::TemplateVersion {
    wire::TemplateVersion {
        kind,
        template_name: name.to_owned(),
        version: "1.0".to_owned(),
        status: status.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn environment(name: &str, status: &str) -> wire::Environment {
    wire::Environment {
        name: name.to_owned(),
        template_name: "vpc".to_owned(),
        template_version: "1.0".to_owned(),
        deployment: Some(state(&format!("dpl_{name}"), status)),
        ..Default::default()
    }
}

pub(crate) fn state(id: &str, status: &str) -> wire::DeploymentState {
    wire::DeploymentState {
        status: status.to_owned(),
        last_attempted_deployment_id: id.to_owned(),
        outputs: vec![wire::Output {
            key: "VpcId".to_owned(),
            value: "vpc-1".to_owned(),
        }],
        ..Default::default()
    }
}

pub(crate) fn event(sequence: u64, id: &str, status: &str, reason: &str) -> wire::DeploymentEvent {
    wire::DeploymentEvent {
        sequence,
        source: "stack".to_owned(),
        stack_event: Some(wire::StackEvent {
            logical_id: id.to_owned(),
            resource_type: "AWS::SNS::Topic".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub(crate) fn update(
    target: (&str, &str),
    status: &str,
    events: Vec<wire::DeploymentEvent>,
) -> wire::DeploymentUpdate {
    wire::DeploymentUpdate {
        deployment: Some(wire::Deployment {
            id: format!("dpl_{}", target.1.replace('/', "-")),
            target_kind: target.0.to_owned(),
            target: target.1.to_owned(),
            status: status.to_owned(),
            ..Default::default()
        }),
        events,
    }
}
