//! Calling somebody else: whom the hub calls, and how.
//!
//! The addresses come from the hub's configuration, or from what somebody says whom the configuration names. Nevertheless
//! the hub refuses to call places that only its own machine can reach, such as the metadata service of a cloud: a name that
//! is harmless today may point there tomorrow, so that every address is looked at when it is called. No redirection is
//! followed and no proxy is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hadron_proto::tls::install_provider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

/// An address that the hub does not call.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// Not an address.
    #[error("is no address such as https://login.example.com, without user and password")]
    Url,
    /// Not protected.
    #[error("must begin with https://")]
    Plain,
    /// Nobody whom the hub should talk to.
    #[error("leads to {0}, which only this machine can reach")]
    Forbidden(IpAddr),
}

/// Whether the hub could call this address. `loopback`: this hub is for development, so plain HTTP and this machine are
/// fine.
///
/// # Errors
/// Says why not.
pub fn check(url: &str, loopback: bool) -> Result<Url, Refused> {
    let url = Url::parse(url).map_err(|_| Refused::Url)?;
    let named = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || named {
        return Err(Refused::Url);
    }
    if url.scheme() != "https" && !loopback {
        return Err(Refused::Plain);
    }
    let host = url.host_str().ok_or(Refused::Url)?;
    if let Some(address) = literal(host)
        && forbidden(address, loopback)
    {
        return Err(Refused::Forbidden(address));
    }
    Ok(url)
}

/// The address that a host is, where it is no name.
#[must_use]
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A client for addresses that were [checked](check); `patience` is for a whole call.
///
/// # Errors
/// When TLS or the HTTP client cannot be set up.
pub fn client(loopback: bool, patience: Duration) -> Result<Client, reqwest::Error> {
    install_provider();
    Client::builder()
        // Whoever is called answers itself, and does not pass what it is told on to somebody else.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .https_only(!loopback)
        .referer(false)
        .connect_timeout(patience)
        .timeout(patience)
        .dns_resolver(Arc::new(Guard { loopback }))
        .user_agent(concat!("hadron-hub/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Whether an address is one that only this machine, or the network card beside it, answers at.
fn forbidden(address: IpAddr, loopback: bool) -> bool {
    match address {
        IpAddr::V4(address) => {
            (address.is_loopback() && !loopback)
                || address.is_unspecified()
                || address.octets()[0] == 0
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                // The metadata service of a cloud that has it elsewhere.
                || address == Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(address) => {
            if let Some(inner) = address.to_ipv4_mapped().or_else(|| embedded(address)) {
                return forbidden(IpAddr::V4(inner), loopback);
            }
            (address.is_loopback() && !loopback)
                || address.is_unspecified()
                || address.is_unicast_link_local()
                || address.is_multicast()
                // AWS's own services for an instance, metadata among them: fd00:ec2::/32.
                || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

/// The IPv4 address in one of NAT64's well-known prefix, `64:ff9b::/96`.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let [high, low] = [high.to_be_bytes(), low.to_be_bytes()];
    ([a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0])
        .then(|| Ipv4Addr::new(high[0], high[1], low[0], low[1]))
}

/// Asks for the addresses of a name and gives those that may be called.
struct Guard {
    loopback: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found
                .filter(|address| !forbidden(address.ip(), loopback))
                .collect();
            if allowed.is_empty() {
                let why = format!("{} leads to no address that may be called", name.as_str());
                return Err(why.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
