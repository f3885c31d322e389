//! A load balancer for TCP on loopback: each new connection goes to the next hub that is ready, and to another one when
//! that does not take it.
//!
//! Whether a hub is ready is asked at its admin address, as balancers in the field do; a hub that does not answer is
//! skipped until it does. A connection stays where it is until one of its ends closes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How often a hub is asked whether it is ready.
const EVERY: Duration = Duration::from_millis(100);
/// How long a hub may take to take a connection or to answer that question.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a client waits for any hub at all.
const ANY: Duration = Duration::from_secs(5);

/// A hub behind a balancer.
#[derive(Debug)]
struct Backend {
    address: SocketAddr,
    admin: Option<SocketAddr>,
    ready: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    backends: Vec<Arc<Backend>>,
    next: AtomicUsize,
    connections: AtomicU64,
    failed: AtomicU64,
}

/// A balancer on a port of its own. Ends with its owner, and with it its connections.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Balancer {
    /// Balances over these addresses, each with the admin address of its hub, if that is to be asked.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(backends: &[(SocketAddr, Option<SocketAddr>)]) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("a port for the balancer")?;
        let address = listener.local_addr().context("the balancer's address")?;
        let backends: Vec<Arc<Backend>> = backends
            .iter()
            .map(|(address, admin)| {
                Arc::new(Backend {
                    address: *address,
                    admin: *admin,
                    ready: AtomicBool::new(true),
                })
            })
            .collect();
        let mut tasks: Vec<JoinHandle<()>> = backends
            .iter()
            .filter(|backend| backend.admin.is_some())
            .map(|backend| tokio::spawn(watch(Arc::clone(backend))))
            .collect();
        let shared = Arc::new(Shared {
            backends,
            next: AtomicUsize::new(0),
            connections: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        tasks.push(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Ok(Self {
            address,
            shared,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same with `https://` before it.
    #[must_use]
    pub fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Connections that it has handed on.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Connections that no hub took.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(carry(client, Arc::clone(&shared)));
                }
                // Out of descriptors, perhaps: others will be given back.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut server) = timeout(ANY, choose(&shared)).await else {
        shared.failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    if copy_bidirectional(&mut client, &mut server).await.is_err() {
        // What was reset on one side is reset on the other.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// A connection to the next hub that takes one.
async fn choose(shared: &Shared) -> TcpStream {
    loop {
        let backends = &shared.backends;
        let first = shared.next.fetch_add(1, Ordering::Relaxed);
        for at in 0..backends.len() {
            let backend = &backends[(first + at) % backends.len()];
            if !backend.ready.load(Ordering::Relaxed) {
                continue;
            }
            if let Ok(Ok(server)) = timeout(PATIENCE, TcpStream::connect(backend.address)).await {
                return server;
            }
            if backend.admin.is_some() {
                // Until it says otherwise.
                backend.ready.store(false, Ordering::Relaxed);
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn watch(backend: Arc<Backend>) {
    loop {
        let ready = timeout(PATIENCE, asked(&backend)).await.unwrap_or(false);
        backend.ready.store(ready, Ordering::Relaxed);
        sleep(EVERY).await;
    }
}

/// What the hub says at `/readyz`.
async fn asked(backend: &Backend) -> bool {
    let Some(admin) = backend.admin else {
        return true;
    };
    let Ok(mut socket) = TcpStream::connect(admin).await else {
        return false;
    };
    let mut answer = Vec::new();
    let question = format!("GET /readyz HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    socket.write_all(question.as_bytes()).await.is_ok()
        && socket.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait;

    /// A server that says its name and closes; gives its address.
    async fn named(name: u8) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.write_all(&[name]).await;
            }
        });
        (address, task)
    }

    async fn who(balancer: &Balancer) -> Option<u8> {
        let mut client = TcpStream::connect(balancer.address()).await.unwrap();
        let mut name = [0];
        let read = timeout(Duration::from_secs(20), client.read(&mut name))
            .await
            .unwrap();
        matches!(read, Ok(1)).then_some(name[0])
    }

    #[tokio::test]
    async fn connections_go_round_and_past_who_is_gone() {
        let (one, first) = named(1).await;
        let (two, _second) = named(2).await;
        let balancer = Balancer::start(&[(one, None), (two, None)]).await.unwrap();
        let mut seen = [who(&balancer).await, who(&balancer).await];
        seen.sort_unstable();
        assert_eq!(seen, [Some(1), Some(2)]);
        first.abort();
        let _ = first.await;
        assert_eq!([who(&balancer).await, who(&balancer).await], [Some(2), Some(2)]);
        assert_eq!((balancer.connections(), balancer.failed()), (4, 0));
    }

    #[tokio::test]
    async fn who_is_not_ready_gets_no_connection() {
        let (one, _first) = named(1).await;
        let (two, _second) = named(2).await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let admin = listener.local_addr().unwrap();
        let ready = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&ready);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut asked = [0; 1024];
                let _ = socket.read(&mut asked).await;
                let status = if says.load(Ordering::SeqCst) {
                    "200 OK"
                } else {
                    "503 Stopping"
                };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        let balancer = Balancer::start(&[(one, Some(admin)), (two, None)]).await.unwrap();
        let patience = Duration::from_secs(20);
        wait::until("only the second to be chosen", patience, || async {
            let seen = [who(&balancer).await, who(&balancer).await, who(&balancer).await];
            Ok((seen == [Some(2); 3]).then_some(()))
        })
        .await
        .unwrap();
        ready.store(true, Ordering::SeqCst);
        wait::until("the first to be chosen again", patience, || async {
            Ok((who(&balancer).await == Some(1)).then_some(()))
        })
        .await
        .unwrap();
    }
}
