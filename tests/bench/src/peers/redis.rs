//! Redis: one stream per agent, each read by a connection of its own through a consumer group; the append-only file is
//! synced before every answer. A result is added and its job removed in one transaction.

use std::collections::VecDeque;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use bytes::{Buf as _, BytesMut};
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::Server;
use crate::board::{Board, Job, Tag};
use crate::system::{RESULT, Setup, System, payload};

/// An answer of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Text(BytesMut),
    Number(i64),
    Nothing,
    List(Vec<Self>),
    Error(String),
}

/// Writes a command of these words.
fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads one answer; `None` while it is not whole.
fn parse(buffer: &[u8]) -> Result<Option<(Answer, usize)>> {
    let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    let line = std::str::from_utf8(&buffer[1..end])?;
    let after = end + 2;
    Ok(match buffer[0] {
        b'+' => Some((Answer::Text(line.as_bytes().into()), after)),
        b'-' => Some((Answer::Error(line.to_owned()), after)),
        b':' => Some((Answer::Number(line.parse()?), after)),
        b'$' | b'*' if line.starts_with('-') => Some((Answer::Nothing, after)),
        b'$' => {
            let length: usize = line.parse()?;
            let text = buffer.get(after..after + length);
            match (text, buffer.len() >= after + length + 2) {
                (Some(text), true) => Some((Answer::Text(text.into()), after + length + 2)),
                _ => None,
            }
        }
        b'*' => {
            let mut list = Vec::new();
            let mut at = after;
            for _ in 0..line.parse::<usize>()? {
                match parse(&buffer[at..])? {
                    Some((one, length)) => {
                        list.push(one);
                        at += length;
                    }
                    None => return Ok(None),
                }
            }
            Some((Answer::List(list), at))
        }
        other => bail!("Redis says {:?}", char::from(other)),
    })
}

/// A connection that waits for each answer.
struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: BytesMut::new(),
        })
    }

    async fn answer(&mut self) -> Result<Answer> {
        loop {
            if !self.buffer.is_empty()
                && let Some((answer, length)) = parse(&self.buffer)?
            {
                self.buffer.advance(length);
                return match answer {
                    Answer::Error(error) => bail!("Redis: {error}"),
                    answer => Ok(answer),
                };
            }
            self.buffer.reserve(16 * 1024);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("Redis has closed the connection");
            }
        }
    }

    async fn ask(&mut self, words: &[&[u8]]) -> Result<Answer> {
        let mut out = Vec::new();
        command(&mut out, words);
        self.stream.write_all(&out).await?;
        self.answer().await
    }
}

type Callers = Arc<Mutex<VecDeque<oneshot::Sender<()>>>>;

/// One connection for all that submit, with as many commands on their way as there are.
struct Submitter {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    callers: Callers,
}

impl Submitter {
    async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = stream.into_split();
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
        let waiting = Arc::clone(&callers);
        tokio::spawn(async move {
            let mut buffer = BytesMut::new();
            while reader.read_buf(&mut buffer).await.is_ok_and(|count| count > 0) {
                while !buffer.is_empty()
                    && let Ok(Some((answer, length))) = parse(&buffer)
                {
                    buffer.advance(length);
                    let caller = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    if let (Some(caller), false) = (caller, matches!(answer, Answer::Error(_))) {
                        let _ = caller.send(());
                    }
                }
                buffer.reserve(64 * 1024);
            }
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(Self { frames, callers })
    }

    fn send(&self, out: Vec<u8>) -> Result<oneshot::Receiver<()>> {
        let (caller, answer) = oneshot::channel();
        // Answers come in the order of commands: both queues under one lock.
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.push_back(caller);
        self.frames
            .send(out)
            .ok()
            .context("Redis has closed the connection")?;
        Ok(answer)
    }
}

/// A running Redis with its workers.
pub(crate) struct Redis {
    server: Server,
    submitter: Submitter,
    workers: JoinSet<()>,
    failed: Arc<AtomicU64>,
}

impl Redis {
    pub(crate) async fn start(setup: &Setup) -> Result<Self> {
        let program = super::program("redis-server", &[]);
        let program = program.context("no redis-server in PATH; Debian: apt-get install redis-server")?;
        let port = super::free_port()?;
        let mut start = Command::new(program);
        start.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        start.args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--maxclients",
            "15000",
        ]);
        start.args(["--daemonize", "no", "--auto-aof-rewrite-percentage", "0"]);
        start.arg("--dir").arg(&setup.dir);
        let server = Server::start(start, port, &setup.dir.join("redis.log")).await?;
        let mut first = Connection::open(port).await?;
        let mut out = Vec::new();
        for agent in 0..setup.agents {
            let stream = format!("jobs:{agent}");
            command(
                &mut out,
                &[b"XGROUP", b"CREATE", stream.as_bytes(), b"g", b"$", b"MKSTREAM"],
            );
        }
        first.stream.write_all(&out).await?;
        for _ in 0..setup.agents {
            first.answer().await?;
        }
        let (mut workers, failed) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
        for agent in 0..setup.agents {
            let connection = Connection::open(port).await?;
            let (board, failed) = (Arc::clone(&setup.board), Arc::clone(&failed));
            workers.spawn(async move {
                if work(connection, agent, &board).await.is_err() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Ok(Self {
            submitter: Submitter::open(port).await?,
            server,
            workers,
            failed,
        })
    }
}

fn next(out: &mut Vec<u8>, stream: &str) {
    let words: [&[u8]; 11] = [
        b"XREADGROUP",
        b"GROUP",
        b"g",
        b"a",
        b"COUNT",
        b"4",
        b"BLOCK",
        b"0",
        b"STREAMS",
        stream.as_bytes(),
        b">",
    ];
    command(out, &words);
}

/// One agent: reads what is for it, writes results, and asks for more in the same breath.
async fn work(mut connection: Connection, agent: u32, board: &Board) -> Result<()> {
    let stream = format!("jobs:{agent}");
    let result = vec![b'x'; RESULT];
    let mut out = Vec::new();
    next(&mut out, &stream);
    connection.stream.write_all(&out).await?;
    loop {
        let jobs = entries(connection.answer().await?)?;
        out.clear();
        for (id, tag) in &jobs {
            board.arrived(*tag);
            let tag = tag.text();
            command(&mut out, &[b"MULTI"]);
            command(
                &mut out,
                &[b"XADD", b"results", b"*", b"t", tag.as_bytes(), b"r", &result],
            );
            command(&mut out, &[b"XACK", stream.as_bytes(), b"g", id]);
            command(&mut out, &[b"XDEL", stream.as_bytes(), id]);
            command(&mut out, &[b"EXEC"]);
        }
        next(&mut out, &stream);
        connection.stream.write_all(&out).await?;
        for (_, tag) in jobs {
            for _ in 0..4 {
                connection.answer().await?;
            }
            match connection.answer().await? {
                Answer::List(_) => board.ended(tag),
                other => bail!("EXEC was answered with {other:?}"),
            }
        }
    }
}

/// Ids and tags of what XREADGROUP has found in one stream.
fn entries(answer: Answer) -> Result<Vec<(BytesMut, Tag)>> {
    let Answer::List(streams) = answer else {
        return Ok(Vec::new());
    };
    let Some(Answer::List(stream)) = streams.into_iter().next() else {
        bail!("no stream in the answer");
    };
    let Some(Answer::List(entries)) = stream.into_iter().nth(1) else {
        bail!("no entries in the answer");
    };
    let one = |entry: Answer| {
        let Answer::List(entry) = entry else {
            bail!("an entry that is none");
        };
        let mut parts = entry.into_iter();
        let (Some(Answer::Text(id)), Some(Answer::List(fields))) = (parts.next(), parts.next()) else {
            bail!("an entry without id or fields");
        };
        let Some(Answer::Text(text)) = fields.get(1) else {
            bail!("an entry without text");
        };
        Ok((id, Tag::read(text).context("a job without a tag")?))
    };
    entries.into_iter().map(one).collect()
}

impl System for Redis {
    fn submit<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<()>> {
        async move {
            // Many commands in one write: its batch publish.
            let mut answers = Vec::with_capacity(jobs.len());
            for job in jobs {
                let mut out = Vec::with_capacity(640);
                let stream = format!("jobs:{}", job.agent);
                let text = payload(*job);
                command(
                    &mut out,
                    &[b"XADD", stream.as_bytes(), b"*", b"t", text.as_bytes()],
                );
                answers.push(self.submitter.send(out)?);
            }
            try_join_all(answers).await.context("Redis has refused a job")?;
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
            let mut connection = Connection::open(self.server.port).await?;
            let found = connection.ask(&[b"XLEN", b"results"]).await?;
            if failed > 0 || found != Answer::Number(i64::try_from(submitted)?) {
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
    fn answers_are_read_when_they_are_whole() {
        let text = b"*2\r\n$3\r\nabc\r\n*1\r\n:42\r\n+OK\r\n";
        for cut in 0..text.len() - 5 {
            assert_eq!(parse(&text[..cut]).ok().flatten(), None, "at {cut}");
        }
        let (answer, length) = parse(text).unwrap().unwrap();
        let list = vec![
            Answer::Text(BytesMut::from("abc")),
            Answer::List(vec![Answer::Number(42)]),
        ];
        assert_eq!(answer, Answer::List(list));
        assert_eq!(&text[length..], b"+OK\r\n");
        assert_eq!(parse(b"$-1\r\n").unwrap(), Some((Answer::Nothing, 5)));
        let mut out = Vec::new();
        command(&mut out, &[b"XLEN", b"a"]);
        assert_eq!(out, b"*2\r\n$4\r\nXLEN\r\n$1\r\na\r\n");
    }
}
