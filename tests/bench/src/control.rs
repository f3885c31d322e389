//! How the benchmark submits jobs to the hub under test: a socket on loopback with frames of a length and that many bytes.
//! Plain, as the peers are spoken to; many requests may be on their way at once.
//!
//! Request: number (8 bytes), then for each job its agent (4), the length of its text (4) and its text. Answer: the
//! number, then what the hub has made of it: the ids of the jobs (16 each), durable by then, or nothing if it failed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail};
use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

/// Longer frames are a mistake: 10,000 jobs of 600 bytes fit.
const MOST: usize = 64 * 1024 * 1024;

/// A job on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) agent: u32,
    pub(crate) text: String,
}

/// The id of a job.
pub(crate) type Made = [u8; 16];

/// Puts a frame around what `fill` writes.
pub(crate) fn frame(out: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    fill(out);
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// The next frame, when all of it is there.
pub(crate) fn unframe(buffer: &mut BytesMut) -> Result<Option<BytesMut>> {
    let Some(length) = buffer.get(..4) else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if length > MOST {
        bail!("a frame of {length} bytes");
    }
    if buffer.len() < 4 + length {
        buffer.reserve(4 + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length)))
}

pub(crate) fn write_request(out: &mut BytesMut, number: u64, jobs: &[Asked]) {
    frame(out, |out| {
        out.put_u64(number);
        for job in jobs {
            out.put_u32(job.agent);
            out.put_u32(u32::try_from(job.text.len()).unwrap_or(u32::MAX));
            out.put_slice(job.text.as_bytes());
        }
    });
}

pub(crate) fn read_request(mut frame: BytesMut) -> Result<(u64, Vec<Asked>)> {
    let number = frame.try_get_u64()?;
    let mut jobs = Vec::new();
    while frame.has_remaining() {
        let agent = frame.try_get_u32()?;
        let length = frame.try_get_u32()? as usize;
        if frame.remaining() < length {
            bail!("a text is cut off");
        }
        let text = std::str::from_utf8(&frame.split_to(length))?.to_owned();
        jobs.push(Asked { agent, text });
    }
    Ok((number, jobs))
}

pub(crate) fn write_answer(out: &mut BytesMut, number: u64, made: &[Made]) {
    frame(out, |out| {
        out.put_u64(number);
        for id in made {
            out.put_slice(id);
        }
    });
}

fn read_answer(mut frame: BytesMut) -> Result<(u64, Vec<Made>)> {
    let number = frame.try_get_u64()?;
    let made = frame.chunks_exact(16).map(|id| {
        let mut made = [0; 16];
        made.copy_from_slice(id);
        made
    });
    Ok((number, made.collect()))
}

/// Reads what comes, many frames at a time.
pub(crate) async fn fill(reader: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Result<()> {
    buffer.reserve(64 * 1024);
    if reader.read_buf(buffer).await? == 0 {
        bail!("the other side has closed the connection");
    }
    Ok(())
}

/// Writes frames as they come, as many at a time as wait.
pub(crate) async fn drain(
    mut writer: OwnedWriteHalf,
    mut frames: mpsc::UnboundedReceiver<BytesMut>,
) -> Result<()> {
    while let Some(mut out) = frames.recv().await {
        while out.len() < 256 * 1024
            && let Ok(more) = frames.try_recv()
        {
            out.unsplit(more);
        }
        writer.write_all(&out).await?;
    }
    Ok(())
}

type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Vec<Made>>>>>>;

/// The submitting side.
#[derive(Debug)]
pub(crate) struct Client {
    numbers: AtomicU64,
    waiting: Waiting,
    frames: mpsc::UnboundedSender<BytesMut>,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (mut reader, writer) = stream.into_split();
        let (frames, queue) = mpsc::unbounded_channel();
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(drain(writer, queue));
        let answers = Arc::clone(&waiting);
        tokio::spawn(async move {
            let mut buffer = BytesMut::new();
            let read: Result<()> = async {
                loop {
                    while let Some(frame) = unframe(&mut buffer)? {
                        let (number, made) = read_answer(frame)?;
                        let mut waiting = answers.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Some(caller) = waiting.as_mut().and_then(|all| all.remove(&number)) {
                            let _ = caller.send(made);
                        }
                    }
                    fill(&mut reader, &mut buffer).await?;
                }
            }
            .await;
            drop(read);
            // Whoever still waits learns that nobody will answer.
            answers.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        Ok(Self {
            numbers: AtomicU64::new(0),
            waiting,
            frames,
        })
    }

    /// Transactions and commits of the hub so far: what a request without jobs is answered with.
    pub(crate) async fn stats(&self) -> Result<(u64, u64)> {
        let both = self.request(&[]).await?;
        let both = both.first().context("no counters")?;
        let half = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Ok((half(&both[..8]), half(&both[8..])))
    }

    /// Submits jobs in one request; answers their ids once they are durable.
    pub(crate) async fn submit(&self, jobs: &[Asked]) -> Result<Vec<Made>> {
        let made = self.request(jobs).await?;
        if made.len() != jobs.len() {
            bail!("the hub took {} of {} jobs", made.len(), jobs.len());
        }
        Ok(made)
    }

    async fn request(&self, jobs: &[Asked]) -> Result<Vec<Made>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut out = BytesMut::with_capacity(jobs.len() * 560 + 16);
        write_request(&mut out, number, jobs);
        let (caller, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = waiting.as_mut().context("the hub has closed the connection")?;
            waiting.insert(number, caller);
        }
        self.frames
            .send(out)
            .ok()
            .context("the hub has closed the connection")?;
        answer.await.context("the hub has closed the connection")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_survive_the_wire_in_pieces() {
        let jobs = vec![
            Asked {
                agent: 7,
                text: "one".to_owned(),
            },
            Asked {
                agent: 8,
                text: String::new(),
            },
        ];
        let mut wire = BytesMut::new();
        write_request(&mut wire, 42, &jobs);
        write_answer(&mut wire, 43, &[[1; 16], [2; 16]]);
        let all = wire.clone();
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for byte in &all {
            buffer.put_u8(*byte);
            frames.extend(unframe(&mut buffer).unwrap());
        }
        assert_eq!(frames.len(), 2);
        assert_eq!(read_request(frames.remove(0)).unwrap(), (42, jobs));
        assert_eq!(
            read_answer(frames.remove(0)).unwrap(),
            (43, vec![[1; 16], [2; 16]])
        );
    }
}
