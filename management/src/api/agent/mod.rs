//! What agents say to the hub. See `hadron/v1/agent.proto` for the order of messages.
//!
//! * [`enrol`]: the only thing that somebody without a certificate may ask for.
//! * [`session`]: the stream over which jobs are given; [`calls`]: what must not be lost.
//! * [`roll`]: all live sessions, and what is asked for all of them at once; [`acks`]: what they say, many at a time.
//! * [`aws`]: what agents ask AWS for, as they tell it.
//! * [`convert`]: wire to words; [`status`]: errors to codes.
//!
//! Who an agent is comes from its certificate, never from a message. Each use case checks anew, in its own transaction,
//! that the agent may still act; closing streams is courtesy on top of that.

mod acks;
mod aws;
mod calls;
mod convert;
mod enrol;
mod roll;
mod session;
mod status;

use std::sync::Arc;

use hadron_proto::spiffe::HubId;
use hadron_proto::wire;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use acks::Acks;
pub use aws::AwsCalls;
pub(crate) use convert::span;
pub use enrol::EnrolApi;
pub(crate) use enrol::source;
use roll::Roll;
pub(crate) use status::story;

use crate::app::App;
use crate::app::work::Peer;
use crate::identity::ca::Ca;
use crate::identity::tls;

/// The protocol that this hub speaks.
pub const PROTOCOL: u32 = 1;

/// The services of the job listener.
#[derive(Clone, Debug)]
pub struct AgentApi {
    app: App,
    hub: HubId,
    drain: CancellationToken,
    sessions: TaskTracker,
    live: watch::Sender<usize>,
    roll: Arc<Roll>,
    acks: Acks,
    aws: Arc<AwsCalls>,
    /// Whose roots agents are told; none where there is no TLS.
    ca: Option<Arc<Ca>>,
}

impl AgentApi {
    /// Serves agents of this hub until `drain` is cancelled. [`pulse`](Self::pulse) has to run meanwhile. To be made within
    /// a tokio runtime.
    #[must_use]
    pub fn new(app: App, hub: HubId, drain: CancellationToken) -> Self {
        Self {
            roll: Roll::new(&app),
            acks: Acks::start(app.clone()),
            app,
            hub,
            drain,
            sessions: TaskTracker::new(),
            live: watch::Sender::new(0),
            aws: Arc::default(),
            ca: None,
        }
    }

    /// Tells agents which roots to trust, and ends sessions whose certificates a root has signed that is trusted no more.
    #[must_use]
    pub fn with_ca(self, ca: Arc<Ca>) -> Self {
        Self { ca: Some(ca), ..self }
    }

    /// Whether certificates of this issuer are still good.
    fn trusts(&self, issuer: Option<&[u8]>) -> bool {
        self.ca.as_ref().is_none_or(|ca| ca.trusts(issuer))
    }

    /// What agents are told to trust. DER.
    fn roots(&self) -> Vec<Vec<u8>> {
        let roots = self.ca.as_ref().map(|ca| ca.roots()).unwrap_or_default();
        roots.iter().map(|root| root.to_vec()).collect()
    }

    /// Ends sessions that may not go on, and wakes those that have work, until it is dropped.
    pub async fn pulse(self) {
        self.roll.pulse(&self.app).await;
    }

    /// How many sessions are open in this process.
    #[must_use]
    pub fn live(&self) -> watch::Receiver<usize> {
        self.live.subscribe()
    }

    /// What agents have asked AWS for.
    #[must_use]
    pub fn aws_calls(&self) -> Arc<AwsCalls> {
        Arc::clone(&self.aws)
    }

    /// Waits until all sessions are closed, in the database too. Only returns once the drain has begun.
    pub async fn drained(&self) {
        self.drain.cancelled().await;
        self.sessions.close();
        self.sessions.wait().await;
    }

    /// Who is calling. A connection outlives its certificate; a call does not.
    fn peer<T>(&self, request: &Request<T>) -> Result<(Peer, tls::PeerIdentity), Status> {
        let peer = request
            .extensions()
            .get::<tls::Peer>()
            .and_then(|peer| peer.identity.clone());
        let Some(identity) = peer else {
            return Err(Status::unauthenticated(
                "a client certificate of this hub is needed; enrol first",
            ));
        };
        if identity.not_after <= self.app.clock().now() {
            return Err(Status::unauthenticated(
                "the certificate has ended; renew it and connect again",
            ));
        }
        if !self.trusts(identity.issuer.as_deref()) {
            return Err(Status::unauthenticated(
                "the hub's CA has another root since the certificate was made; renew it and connect again",
            ));
        }
        let tls::PeerIdentity {
            account,
            connection,
            agent,
            ..
        } = identity;
        Ok((
            Peer {
                agent,
                account,
                connection,
            },
            identity,
        ))
    }
}

#[tonic::async_trait]
impl wire::agent_service_server::AgentService for AgentApi {
    type SessionStream = session::Outgoing;
    type FetchContentStream = calls::Chunks;

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (peer, identity) = self.peer(&request)?;
        if self.drain.is_cancelled() {
            return Err(Status::unavailable("this hub is stopping; connect again"));
        }
        Ok(Response::new(session::open(
            self,
            peer,
            identity,
            request.into_inner(),
        )))
    }

    async fn fetch_content(
        &self,
        request: Request<wire::FetchContentRequest>,
    ) -> Result<Response<Self::FetchContentStream>, Status> {
        let (peer, _) = self.peer(&request)?;
        calls::fetch_content(&self.app, &peer, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn put_content(
        &self,
        request: Request<Streaming<wire::PutContentRequest>>,
    ) -> Result<Response<wire::PutContentResponse>, Status> {
        let (peer, _) = self.peer(&request)?;
        calls::put_content(&self.app, &peer, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn authorise(
        &self,
        request: Request<wire::AuthoriseRequest>,
    ) -> Result<Response<wire::AuthoriseResponse>, Status> {
        let (peer, _) = self.peer(&request)?;
        calls::authorise(&self.app, &peer, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn post_events(
        &self,
        request: Request<wire::PostEventsRequest>,
    ) -> Result<Response<wire::PostEventsResponse>, Status> {
        let (peer, _) = self.peer(&request)?;
        calls::post_events(&self.app, &peer, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        let (peer, _) = self.peer(&request)?;
        calls::report(&self.app, &peer, request.into_inner())
            .await
            .map(Response::new)
    }
}

#[cfg(test)]
mod tests;
