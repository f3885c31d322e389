//! The hub as commands see it: one channel, one identity, calls that survive a short outage.
//!
//! A call is repeated when the hub cannot be reached: every write carries a request id, so a repeated one is answered
//! with the first answer. A call that the hub no longer knows the caller of is repeated once after a fresh login.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use hadron_proto::wire;
use tonic::codegen::InterceptedService;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::error::{Exit, Failure, Result};
use crate::login::{self, Identity, Key, Left, Token, Way};
use crate::output::say;
use crate::settings::Settings;
use crate::trust::Line;

/// Rendered templates and bundles are the largest messages: 5 MB and their frame.
const MAX_MESSAGE: usize = 16 << 20;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often and after which pauses a call is repeated while the hub cannot be reached.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(700),
    Duration::from_millis(1_500),
];

/// How many things a page of a list holds.
pub(crate) const PAGE: u32 = 100;

/// A channel that adds the caller's token.
pub(crate) type Wire = InterceptedService<Channel, Bearer>;

/// The token that goes with every call; shared, because a fresh login replaces it.
#[derive(Clone, Default)]
pub(crate) struct Bearer(Arc<RwLock<Option<MetadataValue<Ascii>>>>);

impl Bearer {
    fn set(&self, token: &Token) -> Result<()> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.text()).parse().map_err(|_| {
            Failure::new(
                Exit::NotAuthorised,
                "the token has characters that cannot be sent",
            )
        })?;
        value.set_sensitive(true);
        *self.0.write().expect("nobody panics while holding the token") = Some(value);
        Ok(())
    }

    fn is_set(&self) -> bool {
        self.0
            .read()
            .expect("nobody panics while holding the token")
            .is_some()
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &*self.0.read().expect("nobody panics while holding the token") {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A hub, known but perhaps not yet spoken to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub {
    address: String,
    line: Line,
    identity: Arc<Identity>,
    bearer: Bearer,
    verbose: bool,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident, $module:ident, $client:ident;)*) => {
        $($(#[$doc])* pub(crate) fn $name(&self) -> wire::$module::$client<Wire> {
            wire::$module::$client::with_interceptor(self.line.channel.clone(), self.bearer.clone())
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE)
        })*
    };
}

impl Hub {
    /// Prepares the channel; nothing is sent before the first call.
    pub(crate) fn new(settings: &Settings, verbose: bool) -> Result<Self> {
        let uri = settings.hub_uri()?;
        let line = Line::to(&uri, settings.trust.as_ref().map(|trust| &trust.value))?;
        let identity = Identity::of(settings, &uri.to_string());
        let address = uri.to_string().trim_end_matches('/').to_owned();
        Ok(Self {
            address,
            line,
            identity: Arc::new(identity),
            bearer: Bearer::default(),
            verbose,
        })
    }

    /// The hub's address.
    #[must_use]
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    services! {
        /// Who asks.
        auth, auth_service_client, AuthServiceClient;
        /// Connections.
        connections, connection_service_client, ConnectionServiceClient;
        /// Templates.
        templates, template_service_client, TemplateServiceClient;
        /// Environments.
        environments, environment_service_client, EnvironmentServiceClient;
        /// Settings of the account.
        settings, settings_service_client, SettingsServiceClient;
        /// Services.
        services, service_service_client, ServiceServiceClient;
        /// Service instances.
        instances, instance_service_client, InstanceServiceClient;
        /// Pipelines.
        pipelines, pipeline_service_client, PipelineServiceClient;
        /// Components.
        components, component_service_client, ComponentServiceClient;
        /// Deployments.
        deployments, deployment_service_client, DeploymentServiceClient;
        /// Grants.
        grants, grant_service_client, GrantServiceClient;
        /// Source repositories.
        repositories, repository_service_client, RepositoryServiceClient;
        /// What follows them.
        sync, sync_service_client, SyncServiceClient;
        /// Tags.
        tags, tag_service_client, TagServiceClient;
        /// How many of everything.
        summary, summary_service_client, SummaryServiceClient;
        /// Who may what.
        access, access_service_client, AccessServiceClient;
        /// Agents.
        agents, agents_service_client, AgentsServiceClient;
    }

    /// Makes sure that calls carry a token.
    pub(crate) async fn sign_in(&self) -> Result<()> {
        if self.bearer.is_set() {
            return Ok(());
        }
        let token = Box::pin(self.identity.token(&self.auth(), &self.line, self.verbose)).await?;
        self.bearer.set(&token)
    }

    /// Proves who calls once more, whatever is kept. False when the token was given and there is nothing to prove.
    pub(crate) async fn sign_in_again(&self) -> Result<bool> {
        let Some(token) = Box::pin(self.identity.fresh(&self.auth(), &self.line, self.verbose)).await? else {
            return Ok(false);
        };
        self.bearer.set(&token)?;
        Ok(true)
    }

    /// Logs in at an issuer.
    pub(crate) async fn sign_in_by(&self, way: Way) -> Result<()> {
        let token = Box::pin(self.identity.log_in(&self.auth(), way)).await?;
        self.bearer.set(&token)
    }

    /// Forgets a login at an issuer, so that AWS credentials count again.
    pub(crate) fn forget_login(&self) {
        self.identity.forget();
    }

    /// Ends what a login gave.
    pub(crate) async fn sign_out(&self) -> Result<Left> {
        Box::pin(self.identity.log_out(&self.auth())).await
    }

    /// A temporary access key for the caller's IAM identity, always a fresh one. `profile` is the AWS profile that proves
    /// it, if it is named.
    pub(crate) async fn temporary_key(&self, profile: Option<&str>) -> Result<Key> {
        Box::pin(login::temporary_key(profile, &self.auth(), &self.line)).await
    }

    /// Asks the hub. `what` tells what failed, if it does, such as `cannot get environment 'prd'`.
    pub(crate) async fn call<Q: Clone, A>(
        &self,
        what: &str,
        request: Q,
        send: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A> {
        self.try_call(what, request, send)
            .await?
            .map_err(|status| Failure::from_status(what, &status))
    }

    /// As [`Hub::call`], for callers that know what to do about some statuses.
    pub(crate) async fn try_call<Q: Clone, A>(
        &self,
        what: &str,
        request: Q,
        send: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<Result<A, Status>> {
        self.sign_in().await?;
        let mut signed_in_again = false;
        let mut pauses = PAUSES.iter();
        loop {
            let answer = within(Box::pin(send(Request::new(request.clone())))).await;
            let status = match answer {
                Ok(answer) => return Ok(Ok(answer.into_inner())),
                Err(status) => status,
            };
            match status.code() {
                Code::Unavailable => match pauses.next() {
                    Some(pause) => {
                        if self.verbose {
                            say(format!("{what}: {}; trying again", status.message()));
                        }
                        tokio::time::sleep(*pause).await;
                    }
                    None => return Ok(Err(status)),
                },
                // Lost a race at the hub: the same request may well succeed now.
                Code::Aborted if reason(&status) == "CONFLICT" => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Ok(Err(status)),
                },
                // Only a hub that is busy says when to come again; a quota that is reached stays so.
                Code::ResourceExhausted => match come_again(&status).zip(pauses.next()) {
                    Some((delay, pause)) => {
                        if self.verbose {
                            say(format!("{what}: {}; trying again", status.message()));
                        }
                        tokio::time::sleep(delay.max(*pause)).await;
                    }
                    None => return Ok(Err(status)),
                },
                Code::Unauthenticated if !signed_in_again && self.sign_in_again().await? => {
                    signed_in_again = true
                }
                _ => return Ok(Err(status)),
            }
        }
    }

    /// Follows the pages of a list until there are no more, or as many as asked for.
    pub(crate) async fn pages<T, Q: Clone, A>(
        &self,
        what: &str,
        limit: Option<usize>,
        mut page: impl FnMut(u32, String) -> Q,
        send: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
        mut split: impl FnMut(A) -> (Vec<T>, String),
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let left = limit.map_or(usize::MAX, |limit| limit.saturating_sub(all.len()));
            if left == 0 {
                return Ok(all);
            }
            let size = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let answer = self.call(what, page(size, token.clone()), &send).await?;
            let (items, next) = split(answer);
            all.extend(items.into_iter().take(left));
            if next.is_empty() {
                return Ok(all);
            }
            if next == token {
                return Err(Failure::new(Exit::Failure, what).why("the hub gave the same page token twice"));
            }
            token = next;
        }
    }
}

/// The longest pause that a hub can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// When a busy hub wants to be asked again.
fn come_again(status: &Status) -> Option<Duration> {
    let delay = status.get_details_retry_info()?.retry_delay?;
    Some(delay.min(LONGEST_PAUSE))
}

/// An answer in reasonable time; a hub that is busy is asked again when it wants to be. What it turned away it has not looked at.
pub(crate) async fn unhurried<A>(send: impl AsyncFn() -> Result<A, Status>) -> Result<A, Status> {
    let mut pauses = PAUSES.iter();
    loop {
        let status = match within(Box::pin(send())).await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        match come_again(&status).zip(pauses.next()) {
            Some((delay, pause)) => tokio::time::sleep(delay.max(*pause)).await,
            None => return Err(status),
        }
    }
}

/// The stable word of a status.
pub(crate) fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

/// An answer in reasonable time, or a status that says so.
pub(crate) async fn within<A>(answer: impl Future<Output = Result<A, Status>>) -> Result<A, Status> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(plainly),
        Err(_) => Err(Status::deadline_exceeded(format!(
            "the hub gave no answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

/// A broken connection comes as several codes; all of them mean that the hub could not be reached.
pub(crate) fn plainly(status: Status) -> Status {
    let mut cause = std::error::Error::source(&status);
    let mut broken = false;
    while let Some(error) = cause {
        broken |= error.is::<tonic::transport::Error>() || error.is::<std::io::Error>();
        cause = error.source();
    }
    if broken && status.code() != Code::Unavailable {
        let text = format!("the connection to the hub broke: {}", status.message());
        return Status::unavailable(text);
    }
    status
}
