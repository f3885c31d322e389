//! Who signed a request. [`sigv4`](crate::identity::sigv4) reads it, [`access_keys`](crate::app::access_keys) decides; here
//! what they refuse gets the names that AWS's clients know.
//!
//! The status is 400 for all of them, as AWS's other JSON services answer; clients go by the name. SDKs correct their clock
//! when `InvalidSignatureException` speaks of it, fetch new keys after `ExpiredTokenException`, and sign and send again
//! after `ThrottlingException`.

use hadron_domain::authority::Caller;
use http::request::Parts;

use super::Fault;
use crate::app::access_keys::{AccessKeys, Asked, Refusal};
use crate::identity::sigv4::{Malformed, Presented};
use crate::identity::tls;

/// The longest operation name that is written down.
const MAX_OPERATION: usize = 64;

/// Checks signatures. Clones share it.
#[derive(Clone, Debug)]
pub struct Verifier(AccessKeys);

impl Verifier {
    /// A verifier over the access keys of this hub.
    #[must_use]
    pub const fn new(keys: AccessKeys) -> Self {
        Self(keys)
    }

    /// The caller of a request with this body.
    ///
    /// # Errors
    /// When the request is not signed with a key that counts, or a change with this signature came before.
    pub async fn verify(&self, parts: &Parts, body: &[u8], mutating: bool) -> Result<Caller, Fault> {
        let peer = parts.extensions.get::<tls::Peer>();
        let source = peer.ok_or_else(|| Fault::internal("the listener tells no address"))?;
        let operation = operation(parts);
        let asked = Asked {
            source: source.address.ip().to_canonical(),
            operation: &operation,
            mutating,
        };
        match Presented::read(parts, body, self.0.region()) {
            Ok(presented) => self.check(&presented, asked).await,
            Err(malformed) => {
                // Whoever does not even try to sign has only looked whether somebody is here.
                if malformed != Malformed::Missing {
                    self.0.unreadable(asked, &malformed.to_string()).await;
                }
                Err(unreadable(&malformed))
            }
        }
    }

    async fn check(&self, presented: &Presented, asked: Asked<'_>) -> Result<Caller, Fault> {
        match self.0.authenticate(presented, asked).await {
            Ok(caller) => Ok(caller),
            Err(Refusal::Replayed { wait }) => {
                // The client is told to sign again, and gives the same signature while its clock shows the same second.
                tokio::time::sleep(wait).await;
                Err(Fault::throttled(Refusal::Replayed { wait }.to_string()))
            }
            Err(refusal @ Refusal::Expired(_)) => {
                Err(Fault::common("ExpiredTokenException", 400, refusal.to_string()))
            }
            Err(refusal @ (Refusal::Signature | Refusal::Date(_))) => Err(Fault::common(
                "InvalidSignatureException",
                400,
                refusal.to_string(),
            )),
            Err(Refusal::Internal(error)) => Err(error.into()),
        }
    }
}

fn unreadable(malformed: &Malformed) -> Fault {
    let name = match malformed {
        Malformed::Missing => "MissingAuthenticationTokenException",
        Malformed::Form(_) => "IncompleteSignatureException",
        Malformed::Scope(_) | Malformed::Body => "InvalidSignatureException",
    };
    Fault::common(name, 400, malformed.to_string())
}

/// The operation as the request names it, for the audit log; whether there is such a one is not asked here.
fn operation(parts: &Parts) -> String {
    let target = parts.headers.get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok()).unwrap_or_default();
    let name = target.rsplit('.').next().unwrap_or_default();
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(MAX_OPERATION)
        .collect()
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
