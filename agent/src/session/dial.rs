//! Opening a connection to the hub's job listener.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use hadron_proto::tls::{HubConnector, TlsError};
use hadron_proto::trace;
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use crate::identity::{self, Certificate, Identity};

/// What carries calls to the hub: HTTP/2 over TLS in the agent, something in memory in simulations.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// A transport over something that carries requests and answers.
pub fn transport<S>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: std::error::Error + Send + Sync + 'static,
{
    let service = service.map_err(|error| Status::from_error(Box::new(error)));
    BoxCloneSyncService::new(service.map_request(in_trace))
}

/// A call of a job says to which trace it belongs.
fn in_trace(mut request: http::Request<Body>) -> http::Request<Body> {
    if let Ok(value) = trace::current().parse::<http::HeaderValue>()
        && !value.is_empty()
    {
        request.headers_mut().insert(trace::HEADER, value);
    }
    request
}

/// There is no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to the hub at {to}")]
pub struct DialError {
    /// Where.
    pub to: String,
    /// Why.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Opens connections.
pub trait Dial: Send + Sync + 'static {
    /// A new connection, with the certificate of now.
    fn dial(&self) -> impl Future<Output = Result<Transport, DialError>> + Send;
    /// Waits until the last connection should be replaced, since there is a newer certificate.
    fn renewed(&self) -> impl Future<Output = ()> + Send;
    /// The hub does not accept the certificate of the last connection.
    fn refused(&self);
    /// The hub names the roots to trust from now on. What has no certificates has nothing to learn.
    fn learn(&self, _roots: &[Vec<u8>]) {}
}

/// Opens connections to the hub that this agent is enrolled at.
#[derive(Debug)]
pub struct HubDial {
    identity: Identity,
    jobs: String,
    used: Mutex<Used>,
}

/// What the last connection was opened with.
#[derive(Debug)]
struct Used {
    certificate: Arc<Certificate>,
    /// Remembers the TLS session of this certificate, for the next connection; made when first needed.
    connector: Option<HubConnector>,
}

impl HubDial {
    /// To the job listener at `https://host:port`.
    #[must_use]
    pub fn new(identity: Identity, jobs: String) -> Self {
        let used = Mutex::new(Used {
            certificate: identity.current(),
            connector: None,
        });
        Self { identity, jobs, used }
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().expect("nothing panics while it holds this")
    }

    fn used(&self) -> Arc<Certificate> {
        Arc::clone(&self.lock().certificate)
    }

    /// The connector for the certificate of now. With another certificate nothing of the sessions before is kept: they
    /// would come back as the old one.
    fn connector(&self) -> Result<HubConnector, TlsError> {
        let certificate = self.identity.current();
        let mut used = self.lock();
        if !Arc::ptr_eq(&used.certificate, &certificate) {
            *used = Used {
                certificate,
                connector: None,
            };
        }
        if let Some(connector) = &used.connector {
            return Ok(connector.clone());
        }
        let made = identity::connector(&used.certificate)?;
        used.connector = Some(made.clone());
        Ok(made)
    }
}

impl Dial for HubDial {
    async fn dial(&self) -> Result<Transport, DialError> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| DialError {
            to: self.jobs.clone(),
            cause,
        };
        let connector = self.connector().map_err(|error| failed(Box::new(error)))?;
        let connected = connector.connect(&self.jobs).await;
        connected.map(transport).map_err(|error| failed(Box::new(error)))
    }

    async fn renewed(&self) {
        let used = self.used();
        let mut certificates = self.identity.subscribe();
        if certificates
            // Other roots alone are for the next connection.
            .wait_for(|now| now.chain != used.chain)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    fn refused(&self) {
        // Unless there is a newer one already, which the next connection uses.
        if self.used().chain == self.identity.current().chain {
            self.identity.renew_now();
        }
    }

    fn learn(&self, roots: &[Vec<u8>]) {
        self.identity.learn(roots);
    }
}
