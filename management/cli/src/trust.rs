//! The channel to a hub that is known by its CA's certificate or by the hash of its CA's public key.

use std::time::Duration;

use hadron_proto::spiffe::HubId;
use hadron_proto::tls::{self, HubConnector};
use tonic::transport::{Channel, Endpoint};

use crate::error::{Failure, Result};
use crate::settings::Trust;

/// A connection to a hub, and who answered on it.
#[derive(Clone)]
pub(crate) struct Line {
    /// Connects with its first call, and again whenever it has broken.
    pub(crate) channel: Channel,
    connector: Option<HubConnector>,
}

impl Line {
    /// Prepares a connection.
    pub(crate) fn to(uri: &http::Uri, trust: Option<&Trust>) -> Result<Self> {
        if uri.scheme_str() == Some("http") {
            let endpoint = patient(Endpoint::from(uri.clone()))?;
            return Ok(Self {
                channel: endpoint.connect_lazy(),
                connector: None,
            });
        }
        let untrusted = |why: String| {
            Failure::usage("cannot tell whether it is the right hub")
                .why(why)
                .next("hadron help environment")
        };
        let trust = match trust {
            Some(Trust::File(path)) => {
                let pem = std::fs::read_to_string(path);
                let pem =
                    pem.map_err(|error| untrusted(format!("cannot read {}: {error}", path.display())))?;
                tls::Trust::from_pem(&pem)
                    .map_err(|error| untrusted(format!("{}: {error}", path.display())))?
            }
            Some(Trust::Pin(pin)) => tls::Trust::Pin(
                pin.parse()
                    .map_err(|error| untrusted(format!("--hub-ca-pin: {error}")))?,
            ),
            None => {
                let why =
                    "give --hub-ca FILE or --hub-ca-pin sha256:...; `hadron-hub admin pin` prints the pin";
                return Err(untrusted(why.to_owned()));
            }
        };
        let config = tls::pinned_client_config(trust, None, None, &[tls::ALPN_H2]);
        let connector = HubConnector::new(config.map_err(|error| untrusted(error.to_string()))?);
        let endpoint = tls::endpoint(&uri.to_string()).map_err(|error| untrusted(error.to_string()))?;
        let channel = patient(endpoint)?.connect_with_connector_lazy(connector.clone());
        Ok(Self {
            channel,
            connector: Some(connector),
        })
    }

    /// The hub that a proof may be signed for. With TLS it is the one in the certificate: a hostile hub could pass on
    /// another hub's challenge with that hub's id. `None` when the two differ.
    pub(crate) fn hub_id(&self, said: &HubId) -> Option<HubId> {
        match &self.connector {
            Some(connector) => connector.hub_id().filter(|shown| shown == said),
            None => Some(said.clone()),
        }
    }
}

fn patient(endpoint: Endpoint) -> Result<Endpoint> {
    let endpoint = endpoint
        .user_agent(concat!("hadron/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| Failure::usage("cannot prepare the connection").why(error))?;
    Ok(endpoint
        .connect_timeout(Duration::from_secs(10))
        // Watch streams are silent for minutes; these find out that nobody is there any more.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true))
}
