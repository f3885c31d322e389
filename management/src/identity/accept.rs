//! Who is let in: a bounded number of connections, in all and from each address, and a bounded number of handshakes at
//! the same time, in the order of arrival.
//!
//! A handshake costs the hub a quarter of a millisecond of arithmetic and some kilobytes; a client that says nothing holds
//! them for as long as it is waited for. So at most half of the places for handshakes go to one address: whoever stalls
//! there is in their own way only.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hadron_proto::spiffe::HubId;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use super::tls::{Peer, PeerIdentity, TlsConnection};
use crate::clock::Clock;

/// How many connections may wait to be picked up after their handshake.
const PICKED_UP: usize = 32;
/// How often at most the log tells of connections that were turned away.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How a listener is bounded.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long one handshake may take once it has begun.
    pub timeout: Duration,
    /// How long a connection may wait for its handshake to begin.
    pub patience: Duration,
    /// How many handshakes may be under way; half of them for one address.
    pub at_once: usize,
    /// How many connections there may be, those included that wait for their handshake.
    pub connections: usize,
    /// How many of them from one address (from one /64 network with IPv6). Whole companies are behind one.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            patience: Duration::from_secs(20),
            at_once: 256,
            connections: 4_096,
            per_address: 2_048,
        }
    }
}

/// Whom a listener demands to be an agent.
#[derive(Debug, Clone)]
pub struct Agents {
    /// Of this hub.
    pub hub: HubId,
    /// With a certificate that has not ended by this clock.
    pub clock: Clock,
}

/// Accepts connections and shakes hands, several at a time. With `agents`, each peer must name itself as an agent of that
/// hub (job listener), also where its TLS session was resumed and rustls has looked at no certificate. Handshakes that
/// fail are logged and forgotten. Accepting stops when the stream is dropped.
#[must_use]
pub fn serve_tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    agents: Option<Agents>,
    limits: Limits,
) -> ReceiverStream<io::Result<TlsConnection>> {
    let (sender, receiver) = mpsc::channel(PICKED_UP);
    let door = Door {
        acceptor: TlsAcceptor::from(config),
        agents: agents.map(Arc::new),
        limits,
        handshakes: Arc::new(Semaphore::new(limits.at_once)),
        seats: Arc::default(),
    };
    tokio::spawn(door.accept(listener, sender));
    ReceiverStream::new(receiver)
}

struct Door {
    acceptor: TlsAcceptor,
    agents: Option<Arc<Agents>>,
    limits: Limits,
    handshakes: Arc<Semaphore>,
    seats: Arc<Seats>,
}

impl Door {
    async fn accept(self, listener: TcpListener, sender: mpsc::Sender<io::Result<TlsConnection>>) {
        let mut turned_away = TurnedAway::default();
        loop {
            let accepted = tokio::select! {
                () = sender.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: waiting is all that helps, and ending would end the service.
                    tracing::warn!(error = %error, "Cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Some(seat) = Seats::take(&self.seats, address.ip(), &self.limits) else {
                turned_away.one_more(address, &self.limits);
                continue;
            };
            let (acceptor, agents, sender) = (self.acceptor.clone(), self.agents.clone(), sender.clone());
            let (handshakes, limits) = (Arc::clone(&self.handshakes), self.limits);
            tokio::spawn(async move {
                let own = Arc::clone(&seat.handshakes);
                let waited = timeout(limits.patience, async {
                    // First its address's place: who waits for that keeps no place from others.
                    let own = own.acquire_owned().await;
                    (own, handshakes.acquire_owned().await)
                })
                .await;
                let shaken = match waited {
                    Err(_) => Err(io::Error::other("it waited too long for its handshake")),
                    Ok(_places) => {
                        let shaking = shake(stream, address, &acceptor, agents.as_deref(), seat);
                        let shaken = timeout(limits.timeout, shaking).await;
                        shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                    }
                };
                match shaken {
                    Ok(connection) => {
                        // Nobody listens any more: the connection closes.
                        let _ = sender.send(Ok(connection)).await;
                    }
                    Err(error) => {
                        tracing::debug!(peer.address = %address, error = %error, "A TLS handshake failed");
                    }
                }
            });
        }
    }
}

async fn shake(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: &TlsAcceptor,
    agents: Option<&Agents>,
    seat: Seat,
) -> io::Result<TlsConnection> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let identity = match agents {
        None => None,
        Some(Agents { hub, clock }) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate =
                certificate.ok_or_else(|| io::Error::other("the peer showed no certificate"))?;
            let identity = PeerIdentity::read(certificate, hub).map_err(io::Error::other)?;
            if identity.not_after <= clock.now() {
                return Err(io::Error::other(
                    "the certificate of the resumed session has ended",
                ));
            }
            Some(identity)
        }
    };
    Ok(TlsConnection::new(stream, Peer { address, identity }, seat))
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Seats {
    taken: AtomicUsize,
    addresses: Mutex<HashMap<IpAddr, Address>>,
}

#[derive(Debug)]
struct Address {
    taken: usize,
    handshakes: Arc<Semaphore>,
}

/// One open connection. Dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
    handshakes: Arc<Semaphore>,
}

/// What counts as one address: with IPv6 everybody has a /64 network of their own.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

impl Seats {
    fn take(this: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Seat> {
        let address = network(address);
        let mut addresses = this.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if this.taken.load(Ordering::Relaxed) >= limits.connections {
            return None;
        }
        let entry = addresses.entry(address).or_insert_with(|| Address {
            taken: 0,
            handshakes: Arc::new(Semaphore::new((limits.at_once / 2).max(1))),
        });
        if entry.taken >= limits.per_address {
            return None;
        }
        entry.taken += 1;
        this.taken.fetch_add(1, Ordering::Relaxed);
        Some(Seat {
            seats: Arc::clone(this),
            address,
            handshakes: Arc::clone(&entry.handshakes),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut addresses = self
            .seats
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.seats.taken.fetch_sub(1, Ordering::Relaxed);
        if let Some(entry) = addresses.get_mut(&self.address) {
            entry.taken -= 1;
            if entry.taken == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Says that connections are turned away without filling the log.
#[derive(Default)]
struct TurnedAway {
    told: Option<Instant>,
    count: AtomicU64,
}

impl TurnedAway {
    fn one_more(&mut self, address: SocketAddr, limits: &Limits) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(
                peer.address = %address, counter.connections_refused = count, connections = limits.connections,
                per_address = limits.per_address, "Turned connections away: there are as many as there may be"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        timeout: Duration::from_secs(5),
        patience: Duration::from_secs(5),
        at_once: 4,
        connections: 3,
        per_address: 2,
    };

    #[test]
    fn seats_are_counted_by_address_and_given_back() {
        let seats = Arc::<Seats>::default();
        let take = |address: &str| Seats::take(&seats, address.parse().unwrap(), &LIMITS);
        let (one, two) = (take("192.0.2.1").unwrap(), take("::ffff:192.0.2.1").unwrap());
        assert!(take("192.0.2.1").is_none());
        let other = take("2001:db8::1").unwrap();
        assert!(take("192.0.2.2").is_none(), "more than there may be in all");
        drop(one);
        let again = take("2001:db8::ffff").unwrap();
        assert!(take("192.0.2.1").is_none());
        drop((two, other, again));
        assert!(seats.addresses.lock().unwrap().is_empty());
        assert_eq!(seats.taken.load(Ordering::Relaxed), 0);
        // Whoever fills one /64 leaves room for others, and for no more of its own.
        let full: Vec<_> = (0..2).map(|n| take(&format!("2001:db8::{n}")).unwrap()).collect();
        assert!(take("2001:db8::9").is_none());
        assert!(take("2001:db8:1::9").is_some());
        drop(full);
    }
}
