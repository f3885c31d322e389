//! A proxy that stands in a link between two processes and breaks it as told: slow, narrow, cut, deaf, silent.
//!
//! What is broken is switched at run time and holds for connections that are open already. A [`Proxy`] that speaks
//! [`Protocol::Bytes`] knows nothing of what it carries. One that speaks HTTP/1.1 reads requests whole and asks a judge
//! what becomes of each ([`Verdict`]). What sees COMMIT go by and can keep its answer back stands behind one of these:
//! `hadron_management::store::db::testing::Proxy`.

mod http;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use http::{Judge, Request, Verdict};

use crate::faults::Chance;

/// The most that is carried at once.
const CHUNK: usize = 16 * 1024;
/// Lines of the log that are kept; what comes after is only counted.
const KEPT: usize = 100_000;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From who connected to who listens.
    Up,
    /// Back.
    Down,
}

/// A fault of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toxic {
    /// Everything comes later, by `time` and by chance up to `jitter` more.
    Latency {
        /// Which way.
        way: Way,
        /// How much later.
        time: Duration,
        /// And up to so much more.
        jitter: Duration,
    },
    /// So many bytes a second and no more.
    Bandwidth {
        /// Which way.
        way: Way,
        /// Bytes a second, at least 1.
        rate: u64,
    },
    /// The connection is reset after so many bytes, counted from its beginning.
    CutAfter {
        /// Which way.
        way: Way,
        /// Bytes.
        bytes: u64,
    },
    /// Connections are reset when anything is to be carried.
    Reset,
    /// This way is shut in good order; the other goes on.
    HalfClose {
        /// Which way.
        way: Way,
    },
    /// Nothing arrives and nobody is told. What was sent meanwhile arrives when it is over, as TCP would repeat it.
    BlackHole {
        /// Which way.
        way: Way,
    },
    /// One byte at a time, with a pause after each.
    SlowLoris {
        /// Which way.
        way: Way,
        /// The pause.
        pause: Duration,
    },
    /// New connections are closed at once.
    Refuse,
}

/// What the link speaks.
#[derive(Clone)]
pub enum Protocol {
    /// Anything.
    Bytes,
    /// HTTP/1.1, one request after the other; the judge decides about each.
    Http(Judge),
}

impl std::fmt::Debug for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes => "Bytes",
            Self::Http(_) => "Http",
        })
    }
}

/// What has gone through a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections.
    pub connections: u64,
    /// Connections that the proxy reset or refused.
    pub broken: u64,
    /// Bytes towards who listens.
    pub up: u64,
    /// Bytes back.
    pub down: u64,
    /// Answers kept back although what was asked had been done.
    pub swallowed: u64,
    /// Requests that were sent twice.
    pub doubled: u64,
    /// Requests that the proxy answered itself.
    pub answered: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    broken: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    swallowed: AtomicU64,
    doubled: AtomicU64,
    answered: AtomicU64,
}

/// Something that went through, or was kept from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Since the proxy was started.
    pub at: Duration,
    /// The connection, numbered from 1.
    pub connection: u64,
    /// What happened.
    pub what: String,
}

/// What the connections of a proxy share.
#[derive(Debug)]
struct Shared {
    upstream: Mutex<SocketAddr>,
    toxics: watch::Sender<Vec<Toxic>>,
    /// Grows with each [`Proxy::cut`]; connections of before are reset.
    cuts: watch::Sender<u64>,
    counters: Counters,
    log: Mutex<Vec<Entry>>,
    began: Instant,
    protocol: Protocol,
}

impl Shared {
    fn note(&self, connection: u64, what: impl Into<String>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < KEPT {
            log.push(Entry {
                at: self.began.elapsed(),
                connection,
                what: what.into(),
            });
        }
    }

    fn upstream(&self) -> SocketAddr {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, fits: impl Fn(&Toxic) -> bool) -> bool {
        self.toxics.borrow().iter().any(fits)
    }
}

/// A proxy on a port of its own on loopback. Ends with its owner, and with it all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy that carries bytes to `upstream`, a socket address on loopback.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        Self::speaking(Protocol::Bytes, upstream).await
    }

    /// The same for a protocol.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn speaking(protocol: Protocol, upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("a port for the proxy")?;
        let address = listener.local_addr().context("the proxy's address")?;
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            toxics: watch::Sender::new(Vec::new()),
            cuts: watch::Sender::new(0),
            counters: Counters::default(),
            log: Mutex::default(),
            began: Instant::now(),
            protocol,
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same with `http://` before it.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same with `https://` before it.
    #[must_use]
    pub fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    /// New connections go there from now on.
    pub fn lead_to(&self, upstream: SocketAddr) {
        *self
            .shared
            .upstream
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// Breaks the link in these ways from now on, and in no other.
    pub fn poison(&self, toxics: &[Toxic]) {
        self.shared.note(0, format!("poisoned: {toxics:?}"));
        self.shared.toxics.send_replace(toxics.to_vec());
    }

    /// Breaks nothing any more.
    pub fn heal(&self) {
        self.poison(&[]);
    }

    /// Resets all connections of now.
    pub fn cut(&self) {
        self.shared.note(0, "cut");
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What has gone through so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        Counts {
            connections: of(&counters.connections),
            broken: of(&counters.broken),
            up: of(&counters.up),
            down: of(&counters.down),
            swallowed: of(&counters.swallowed),
            doubled: of(&counters.doubled),
            answered: of(&counters.answered),
        }
    }

    /// What has happened so far, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.shared
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors, perhaps: others will be given back.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let number = shared.counters.connections.fetch_add(1, Ordering::Relaxed) + 1;
        if shared.has(|toxic| *toxic == Toxic::Refuse) {
            shared.counters.broken.fetch_add(1, Ordering::Relaxed);
            let _ = client.set_zero_linger();
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { connection(client, number, shared).await });
    }
}

/// One connection, in halves.
struct Halves {
    from_client: OwnedReadHalf,
    to_client: OwnedWriteHalf,
    from_server: OwnedReadHalf,
    to_server: OwnedWriteHalf,
}

/// The connection is to be reset: by a toxic, or because one of its ends has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Broken;

/// One connection: both ways, until both are done or it is reset.
async fn connection(client: TcpStream, number: u64, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let server = tokio::select! {
        server = TcpStream::connect(shared.upstream()) => server,
        _ = cuts.changed() => return,
    };
    let Ok(server) = server else {
        shared.note(number, "nobody listens upstream");
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut halves = Halves {
        from_client,
        to_client,
        from_server,
        to_server,
    };
    let ended = {
        let carried = async {
            match &shared.protocol {
                Protocol::Http(judge) => http::carry(&mut halves, judge, number, &shared).await,
                Protocol::Bytes => both(&mut halves, number, &shared).await,
            }
        };
        tokio::select! {
            ended = carried => ended,
            _ = cuts.changed() => Err(Broken),
        }
    };
    if ended.is_err() {
        shared.counters.broken.fetch_add(1, Ordering::Relaxed);
        shared.note(number, "reset");
        let _ = halves.from_client.as_ref().set_zero_linger();
        let _ = halves.from_server.as_ref().set_zero_linger();
        // Dropped, they would close in good order first.
        halves.to_client.forget();
        halves.to_server.forget();
    }
}

async fn both(halves: &mut Halves, number: u64, shared: &Shared) -> Result<(), Broken> {
    let up = Pump {
        way: Way::Up,
        number,
        shared,
    };
    let down = Pump { way: Way::Down, ..up };
    let (to_server, to_client) = (&mut halves.to_server, &mut halves.to_client);
    tokio::try_join!(
        up.carry(&mut halves.from_client, to_server),
        down.carry(&mut halves.from_server, to_client),
    )
    .map(drop)
}

/// What carries one way of a connection.
#[derive(Clone, Copy)]
struct Pump<'a> {
    way: Way,
    number: u64,
    shared: &'a Shared,
}

impl Pump<'_> {
    /// Carries until the sender has closed its end, and then tells the other.
    async fn carry(self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> Result<(), Broken> {
        let Self { way, number, shared } = self;
        let counter = match way {
            Way::Up => &shared.counters.up,
            Way::Down => &shared.counters.down,
        };
        let toxics = shared.toxics.subscribe();
        let (mut buffer, mut carried) = (vec![0; CHUNK], 0_u64);
        let mut chance = Chance::named(number, if way == Way::Up { "up" } else { "down" });
        loop {
            // A toxic that ends something does so without waiting for something to carry.
            let read = tokio::select! {
                read = from.read(&mut buffer) => read.map_err(|_| Broken)?,
                () = until(&toxics, |toxic| *toxic == Toxic::HalfClose { way }) => 0,
                () = until(&toxics, |toxic| *toxic == Toxic::Reset) => return Err(Broken),
            };
            if read == 0 {
                shared.note(number, format!("{way:?} closed after {carried} bytes"));
                // The other end may be gone already.
                let _ = to.shutdown().await;
                return Ok(());
            }
            let mut bytes = &buffer[..read];
            while !bytes.is_empty() {
                let (portion, pause) = self.admit(&toxics, &mut chance, bytes.len(), carried).await?;
                let (first, rest) = bytes.split_at(portion);
                to.write_all(first).await.map_err(|_| Broken)?;
                carried += first.len() as u64;
                counter.fetch_add(first.len() as u64, Ordering::Relaxed);
                bytes = rest;
                if !pause.is_zero() {
                    sleep(pause).await;
                }
            }
        }
    }

    /// Waits as the toxics of now say; how many bytes may go at once, and the pause that follows them.
    async fn admit(
        self,
        toxics: &watch::Receiver<Vec<Toxic>>,
        chance: &mut Chance,
        waiting: usize,
        carried: u64,
    ) -> Result<(usize, Duration), Broken> {
        let mut open = toxics.clone();
        let hole = Toxic::BlackHole { way: self.way };
        let now: Vec<Toxic> = match open.wait_for(|toxics| !toxics.contains(&hole)).await {
            Ok(toxics) => toxics.clone(),
            Err(_) => return Err(Broken),
        };
        let (mut portion, mut pause) = (waiting, Duration::ZERO);
        for toxic in now {
            match toxic {
                Toxic::Latency { way, time, jitter } if way == self.way => {
                    sleep(time + chance.time(jitter)).await;
                }
                Toxic::Bandwidth { way, rate } if way == self.way => {
                    // Ten portions a second are even enough.
                    portion = portion.min(usize::try_from(rate / 10).unwrap_or(CHUNK).max(1));
                    pause = Duration::from_secs_f64(portion as f64 / rate.max(1) as f64);
                }
                Toxic::CutAfter { way, bytes } if way == self.way => {
                    let left = usize::try_from(bytes.saturating_sub(carried)).unwrap_or(usize::MAX);
                    if left == 0 {
                        return Err(Broken);
                    }
                    portion = portion.min(left);
                }
                Toxic::Reset => return Err(Broken),
                Toxic::SlowLoris { way, pause: its } if way == self.way => {
                    portion = 1;
                    pause = its;
                }
                _ => {}
            }
        }
        Ok((portion, pause))
    }
}

/// Waits until one of the toxics is like this.
async fn until(toxics: &watch::Receiver<Vec<Toxic>>, fits: impl Fn(&Toxic) -> bool) {
    let mut toxics = toxics.clone();
    let found = toxics.wait_for(|now| now.iter().any(&fits)).await.is_ok();
    if !found {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
