//! The four sockets, and the gRPC servers on three of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hadron_proto::spiffe::HubId;
use hadron_proto::wire::auth_service_server::AuthServiceServer;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

use crate::api::operator::auth::AuthApi;
use crate::config::Listen;
use crate::identity::tls::{self, HandshakeLimits, ServerIdentity, serve_tls};

/// A proof and a CSR are some kilobytes; STS is given 5 s.
const ENROL_TIMEOUT: Duration = Duration::from_secs(15);
/// Dead connections are noticed; below the idle times of NAT gateways and load balancers.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_HEADERS: u32 = 16 * 1024;

/// Bound, but not served yet.
pub(super) struct Sockets {
    pub(super) grpc: GrpcSockets,
    pub(super) admin: TcpListener,
}

pub(super) struct GrpcSockets {
    pub(super) enrol: TcpListener,
    pub(super) jobs: TcpListener,
    pub(super) api: TcpListener,
}

async fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (listen.{what})"))
}

impl Sockets {
    pub(super) async fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            grpc: GrpcSockets {
                enrol: bind("enrol", listen.enrol).await?,
                jobs: bind("jobs", listen.jobs).await?,
                api: bind("api", listen.api).await?,
            },
            admin: bind("admin", listen.admin).await?,
        })
    }
}

/// The services of the three TLS listeners.
pub(super) struct Grpc {
    pub(super) enrol: Routes,
    pub(super) jobs: Routes,
    pub(super) api: Routes,
    pub(super) health: HealthReporter,
}

impl Grpc {
    /// Serves each on its socket until `closing`; from `drain` on, health says that it will not be long.
    pub(super) fn spawn(
        self,
        sockets: GrpcSockets,
        identity: &Arc<ServerIdentity>,
        hub: &HubId,
        drain: &CancellationToken,
        closing: &CancellationToken,
        servers: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let server = || {
            Server::builder()
                .http2_keepalive_interval(Some(PING_EVERY))
                .http2_keepalive_timeout(Some(PING_TIMEOUT))
                .http2_max_header_list_size(MAX_HEADERS)
        };
        // Whoever is not known yet gets little.
        let enrol = server().max_concurrent_streams(4).timeout(ENROL_TIMEOUT);
        let config = tls::enrolment_config(Arc::clone(identity))?;
        servers.spawn(serve(
            enrol,
            self.enrol,
            sockets.enrol,
            config,
            None,
            closing.clone(),
        ));

        let jobs = server().max_concurrent_streams(128);
        let config = tls::job_config(Arc::clone(identity))?;
        servers.spawn(serve(
            jobs,
            self.jobs,
            sockets.jobs,
            config,
            Some(hub.clone()),
            closing.clone(),
        ));

        // AWS clients speak HTTP/1.1.
        let api = server().max_concurrent_streams(128).accept_http1(true);
        let config = tls::api_config(Arc::clone(identity))?;
        servers.spawn(serve(api, self.api, sockets.api, config, None, closing.clone()));

        let (health, drain) = (self.health, drain.clone());
        servers.spawn(async move {
            health.set_serving::<AuthServiceServer<AuthApi>>().await;
            drain.cancelled().await;
            health
                .set_service_status("", tonic_health::ServingStatus::NotServing)
                .await;
            Ok(())
        });
        Ok(())
    }
}

async fn serve(
    mut server: Server,
    routes: Routes,
    listener: TcpListener,
    config: Arc<ServerConfig>,
    hub: Option<HubId>,
    closing: CancellationToken,
) -> anyhow::Result<()> {
    let incoming = serve_tls(listener, config, hub, HandshakeLimits::default());
    let router = server.add_routes(routes.prepare());
    router
        .serve_with_incoming_shutdown(incoming, closing.cancelled_owned())
        .await
        .context("a listener failed")
}
