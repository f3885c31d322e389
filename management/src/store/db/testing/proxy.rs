//! A way to PostgreSQL on which things get lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::commit::{Scanner, is_settled};

/// What is lost of a COMMIT. Its connection breaks in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swallow {
    /// COMMIT itself: the server never hears of it.
    Question,
    /// The answer: the server has committed.
    Answer,
    /// The answer, and every other connection with it, as when the server is restarted.
    AnswerAndAll,
}

/// Passes everything on until it is told to lose something. Ends with its owner; connections end with their two sides.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    place: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct State {
    upstream: String,
    /// How many COMMITs are to be lost.
    left: AtomicU32,
    how: AtomicU8,
    swallowed: AtomicU32,
    /// Counts how often all connections had to break.
    broken: watch::Sender<u32>,
}

impl Proxy {
    /// One before the PostgreSQL at this address, which names the port and the user of a server on loopback.
    ///
    /// # Panics
    /// When the address does not name them, or no port is free.
    pub async fn start(upstream: &str) -> Self {
        let field = |name: &str| {
            let mut fields = upstream.split(' ').filter_map(|field| field.split_once('='));
            fields
                .find_map(|(key, value)| (key == name).then(|| value.to_owned()))
                .expect("the address of the cluster names it")
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let place = format!(
            "host=127.0.0.1 port={port} user={} dbname={}",
            field("user"),
            field("dbname")
        );
        let state = Arc::new(State {
            upstream: format!("127.0.0.1:{}", field("port")),
            left: AtomicU32::new(0),
            how: AtomicU8::new(0),
            swallowed: AtomicU32::new(0),
            broken: watch::Sender::new(0),
        });
        let accepting = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, Arc::clone(&accepting)));
            }
        });
        Self {
            port,
            place,
            state,
            task,
        }
    }

    /// Its port on loopback.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Loses the next `times` COMMITs.
    pub fn swallow(&self, how: Swallow, times: u32) {
        self.state.how.store(how as u8, Ordering::SeqCst);
        self.state.left.store(times, Ordering::SeqCst);
    }

    /// How many COMMITs are still to be lost.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.state.left.load(Ordering::SeqCst)
    }

    /// How many COMMITs were lost so far.
    #[must_use]
    pub fn swallowed(&self) -> u32 {
        self.state.swallowed.load(Ordering::SeqCst)
    }
}

/// Passes one connection on until one of the two sides ends, or it has to break.
async fn pass(mut client: TcpStream, state: Arc<State>) {
    let mut broken = state.broken.subscribe();
    let Ok(mut server) = TcpStream::connect(&state.upstream).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut asked, mut told) = (vec![0; 65_536], vec![0; 65_536]);
    let mut scanner = Scanner::default();
    loop {
        tokio::select! {
            _ = broken.changed() => return,
            read = client.read(&mut asked) => match read {
                Ok(many @ 1..) => {
                    let commit = scanner.sees_commit(&asked[..many]);
                    let less = |left: u32| left.checked_sub(1);
                    let lose = commit && state.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
                    if lose {
                        return swallow(server, &asked[..many], &state).await;
                    }
                    if server.write_all(&asked[..many]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = server.read(&mut told) => match read {
                Ok(many @ 1..) if client.write_all(&told[..many]).await.is_ok() => {}
                _ => return,
            },
        }
    }
}

async fn swallow(mut server: TcpStream, commit: &[u8], state: &State) {
    let how = state.how.load(Ordering::SeqCst);
    if how != Swallow::Question as u8 {
        let mut answer = Vec::new();
        if server.write_all(commit).await.is_ok() {
            while !is_settled(&answer) && server.read_buf(&mut answer).await.is_ok_and(|many| many > 0) {}
        }
    }
    state.swallowed.fetch_add(1, Ordering::SeqCst);
    if how == Swallow::AnswerAndAll as u8 {
        state.broken.send_modify(|count| *count += 1);
    }
}
