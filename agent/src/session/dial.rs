//! Opening a connection to the hub's job listener.

use std::future::Future;
use std::sync::{Arc, Mutex};

use tonic::transport::Channel;

use crate::identity::{self, Certificate, Identity};

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
    fn dial(&self) -> impl Future<Output = Result<Channel, DialError>> + Send;
    /// Waits until the last connection should be replaced, since there is a newer certificate.
    fn renewed(&self) -> impl Future<Output = ()> + Send;
    /// The hub does not accept the certificate of the last connection.
    fn refused(&self);
}

/// Opens connections to the hub that this agent is enrolled at.
#[derive(Debug)]
pub struct HubDial {
    identity: Identity,
    jobs: String,
    /// The certificate of the last connection.
    used: Mutex<Arc<Certificate>>,
}

impl HubDial {
    /// To the job listener at `https://host:port`.
    #[must_use]
    pub fn new(identity: Identity, jobs: String) -> Self {
        let used = Mutex::new(identity.current());
        Self { identity, jobs, used }
    }

    fn used(&self) -> Arc<Certificate> {
        Arc::clone(&self.used.lock().expect("nothing panics while it holds this"))
    }
}

impl Dial for HubDial {
    async fn dial(&self) -> Result<Channel, DialError> {
        let certificate = self.identity.current();
        *self.used.lock().expect("nothing panics while it holds this") = Arc::clone(&certificate);
        identity::connect(&certificate, &self.jobs)
            .await
            .map_err(|cause| DialError {
                to: self.jobs.clone(),
                cause: Box::new(cause),
            })
    }

    async fn renewed(&self) {
        let used = self.used();
        let mut certificates = self.identity.subscribe();
        if certificates
            .wait_for(|now| !Arc::ptr_eq(now, &used))
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    fn refused(&self) {
        // Unless there is a newer one already, which the next connection uses.
        if Arc::ptr_eq(&self.used(), &self.identity.current()) {
            self.identity.renew_now();
        }
    }
}
