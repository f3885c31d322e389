//! Who is who, as the hub sees it: its own CA, the enrolment of agents, the login of people, and the TLS of all
//! listeners.
//!
//! Read [`enrolment`] for what must hold before an agent gets a certificate and in which order it is checked; [`sts`] for
//! how AWS is asked; [`sigv4`] for how a request signed with one of the hub's own keys is read; [`seal`] for how the
//! secrets of those keys are kept; [`oidc`] for people and workloads whom somebody else knows; [`audit_key`] for what signs checkpoints of the audit log; [`tls`] for what the listeners demand. Time and random bytes come in as arguments;
//! storage comes in as traits, which the store implements.
//!
//! The hub has no AWS credentials and needs none: STS is asked with signatures that are not its own.

mod accept;
pub mod audit_key;
pub mod ca;
pub mod csr;
pub mod enrolment;
pub mod login;
pub mod oidc;
mod rate;
pub mod seal;
pub mod sigv4;
pub mod sts;
#[cfg(test)]
pub(crate) mod testing;
pub mod tickets;
pub mod tls;

use std::net::SocketAddr;

pub use hadron_proto::spiffe::{AgentName, HubId};
pub use rate::SourceRate;

/// Proof that the process runs in development mode. Whatever is only for emulators asks for one of these, and there is
/// none on a hub that other machines can reach.
#[derive(Debug, Clone, Copy)]
pub struct DevMode(());

/// A development hub would have been reachable from other machines.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "--dev trusts an emulator as if it were AWS, so every listener must be on loopback; {listener} is not"
)]
pub struct NotLoopback {
    /// The listener that is not on loopback.
    pub listener: SocketAddr,
}

impl DevMode {
    /// Development mode, granted when every listener is on loopback.
    ///
    /// # Errors
    /// Names the first listener that is not.
    pub fn on_loopback<'a>(listeners: impl IntoIterator<Item = &'a SocketAddr>) -> Result<Self, NotLoopback> {
        match listeners
            .into_iter()
            .find(|listener| !listener.ip().is_loopback())
        {
            Some(listener) => Err(NotLoopback { listener: *listener }),
            None => Ok(Self(())),
        }
    }

    #[cfg(test)]
    pub(crate) const fn for_tests() -> Self {
        Self(())
    }
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// Random bytes for nonces, serial numbers, ids and tokens.
///
/// # Errors
/// When the operating system gives none; nothing may be issued then.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_mode_is_for_loopback_only() {
        let on = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(DevMode::on_loopback(&[on("127.0.0.1:1"), on("[::1]:2")]).is_ok());
        let outside = on("0.0.0.0:1");
        let error = DevMode::on_loopback(&[on("127.0.0.1:1"), outside]).unwrap_err();
        assert_eq!(error, NotLoopback { listener: outside });
    }
}
