//! The four sockets, and the gRPC servers on three of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hadron_proto::wire::auth_service_server::AuthServiceServer;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

use crate::api::operator::auth::AuthApi;
use crate::config::Listen;
use crate::identity::tickets::Tickets;
use crate::identity::tls::{self, Agents, Limits, ServerIdentity, serve_tls};

/// A proof and a CSR are some kilobytes; STS is given 5 s.
const ENROL_TIMEOUT: Duration = Duration::from_secs(15);
/// Dead connections are noticed within half a minute; far below the idle times of NAT gateways and load balancers.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection of an agent may be silent before it is asked. Agents beat more often than that, also where their
/// heartbeat is set to half a minute, so with thousands of them nobody is asked while all is well: a ping and its answer cost
/// as much as a heartbeat.
const AGENT_PING_EVERY: Duration = Duration::from_secs(45);
/// How long agents may take to answer one. A ping is judged before what has arrived is read, so a hub that got no processor
/// meanwhile would take its own absence for that of thousands of agents, and have them all dial at once. Whether an agent is
/// alive its session knows; this is for connections whose other end is gone.
const AGENT_PING_TIMEOUT: Duration = Duration::from_secs(45);
const MAX_HEADERS: u32 = 16 * 1024;
/// What a peer may send ahead of being read, for one stream and for all of its connection: memory that each of thousands
/// can make the hub spend. Agents send 64 KiB at a time at most.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Streams that a peer opened and reset before they were looked at, and those reset for its faults.
const RESETS: usize = 64;
/// Connections that wait in the kernel while the hub is busy. More than Linux allows by default asks for what it allows.
const BACKLOG: u32 = 4_096;
/// Streams on one connection of an agent: its session, and calls of the jobs that it runs, which wait for one another if need
/// be. With the most that a message may be long, this bounds what one agent can make the hub keep in memory.
const AGENT_STREAMS: u32 = 16;
/// Handshakes of agents at the same time.
const HANDSHAKES: usize = 512;
/// How long an agent may wait for its turn; it waits about as long itself.
const AGENT_PATIENCE: Duration = Duration::from_secs(10);

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

fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // As TcpListener::bind does it: a restarted hub gets its port back at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().with_context(|| format!("cannot listen on {address} (listen.{what})"))
}

impl Sockets {
    pub(super) fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            grpc: GrpcSockets {
                enrol: bind("enrol", listen.enrol)?,
                jobs: bind("jobs", listen.jobs)?,
                api: bind("api", listen.api)?,
            },
            admin: bind("admin", listen.admin)?,
        })
    }
}

/// What the job listener demands of agents, and how many it takes.
pub(super) struct JobListener {
    pub(super) agents: Agents,
    pub(super) tickets: Arc<Tickets>,
    pub(super) connections: usize,
    pub(super) per_address: usize,
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
        agents: JobListener,
        drain: &CancellationToken,
        closing: &CancellationToken,
        servers: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        // Whoever is not known yet gets little.
        let enrol = server().max_concurrent_streams(4).timeout(ENROL_TIMEOUT);
        let config = tls::enrolment_config(Arc::clone(identity))?;
        servers.spawn(serve(
            enrol,
            self.enrol,
            sockets.enrol,
            config,
            None,
            Limits::default(),
            closing.clone(),
        ));

        let jobs = for_agents();
        let config = tls::job_config(Arc::clone(identity), agents.tickets)?;
        let limits = Limits {
            patience: AGENT_PATIENCE,
            at_once: HANDSHAKES,
            connections: agents.connections,
            per_address: agents.per_address,
            ..Limits::default()
        };
        servers.spawn(serve(
            jobs,
            self.jobs,
            sockets.jobs,
            config,
            Some(agents.agents),
            limits,
            closing.clone(),
        ));

        // AWS clients speak HTTP/1.1.
        let api = server().max_concurrent_streams(128).accept_http1(true);
        let config = tls::api_config(Arc::clone(identity))?;
        servers.spawn(serve(
            api,
            self.api,
            sockets.api,
            config,
            None,
            Limits::default(),
            closing.clone(),
        ));

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

/// How a listener speaks HTTP/2.
fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        .http2_max_local_error_reset_streams(Some(RESETS))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

/// How the job listener does.
fn for_agents() -> Server {
    server()
        .http2_keepalive_interval(Some(AGENT_PING_EVERY))
        .http2_keepalive_timeout(Some(AGENT_PING_TIMEOUT))
        .max_concurrent_streams(AGENT_STREAMS)
}

async fn serve(
    mut server: Server,
    routes: Routes,
    listener: TcpListener,
    config: Arc<ServerConfig>,
    agents: Option<Agents>,
    limits: Limits,
    closing: CancellationToken,
) -> anyhow::Result<()> {
    let incoming = serve_tls(listener, config, agents, limits);
    let router = server.add_routes(routes.prepare());
    router
        .serve_with_incoming_shutdown(incoming, closing.cancelled_owned())
        .await
        .context("a listener failed")
}

#[cfg(test)]
mod tests;
