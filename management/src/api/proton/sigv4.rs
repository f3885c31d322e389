//! Who signed a request.

use hadron_domain::authority::Caller;
use http::request::Parts;

use super::Fault;
use crate::app::App;

/// Checks signatures. Clones share it.
#[derive(Clone, Debug)]
pub struct Verifier {
    _app: App,
}

impl Verifier {
    /// A verifier over the access keys of this hub.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { _app: app }
    }

    /// The caller of a request with this body.
    ///
    /// # Errors
    /// `AccessDeniedException`: no access keys are known yet.
    #[expect(clippy::unused_async, reason = "keys are looked up in the database")]
    pub async fn verify(&self, _parts: &Parts, _body: &[u8], _mutating: bool) -> Result<Caller, Fault> {
        Err(Fault::denied("this hub knows no access keys yet"))
    }
}
