//! Writing down who was turned away before anybody knew who they are.
//!
//! Trying costs such callers nothing, so that only so many are written down in a minute: for each address and
//! altogether. How many were left out stands in the next line that is written.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use hadron_proto::vocab::AccountId;

use super::App;
use crate::identity::SourceRate;
use crate::store::requests;

/// What is written down for one address and for all, per minute.
const PER_SOURCE: u32 = 20;
const OF_ALL: u32 = 200;
/// The most that is kept of what a stranger sends.
const LONGEST: usize = 128;

/// One call that was refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Who it was, as far as that is known; `unknown`.
    pub principal: &'a str,
    /// Their account.
    pub account: Option<AccountId>,
    /// What they wanted, such as `CreateEnvironment`.
    pub operation: &'a str,
    /// By which key, or at which issuer.
    pub object: &'a str,
    /// Why they did not get it.
    pub why: &'a str,
    /// From which address.
    pub source: IpAddr,
}

/// Writes them down.
#[derive(Debug)]
pub struct Refusals {
    app: App,
    of_source: SourceRate,
    of_all: SourceRate,
    /// Those since the last one that was written down.
    untold: AtomicU64,
}

impl Refusals {
    /// Into the audit log of this hub.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            app,
            of_source: SourceRate::new(PER_SOURCE),
            of_all: SourceRate::new(OF_ALL),
            untold: AtomicU64::new(0),
        }
    }

    /// Writes one down, in log and audit log, if there were not too many.
    pub async fn record(&self, refused: Refused<'_>) {
        let Refused {
            principal,
            account,
            operation,
            object,
            why,
            source,
        } = refused;
        let (now, all) = (self.app.clock().now(), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        if self.of_source.admit(source, now).is_err() || self.of_all.admit(all, now).is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut detail = format!("{why}; from {source}");
        match self.untold.swap(0, Ordering::Relaxed) {
            0 => {}
            more => detail.push_str(&format!(
                "; {more} refused requests before it were not written down"
            )),
        }
        let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let (principal, operation, object) = (principal.to_owned(), short(operation), short(object));
        tracing::warn!(principal, operation, object, %source, why, "A caller was turned away");
        let written = self.app.write("refused request", move |unit| {
            Box::pin(async move {
                requests::audit(
                    unit.tx, unit.now, &principal, account, &operation, &object, "denied", &detail,
                )
                .await?;
                Ok(())
            })
        });
        if let Err(error) = written.await {
            tracing::error!(error = error.story(), "a refused request could not be audited");
        }
    }
}
