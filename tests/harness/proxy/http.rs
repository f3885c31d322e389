//! HTTP/1.1, a whole request at a time, so that one request can be answered otherwise, twice or not at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Broken, CHUNK, Halves, Shared, Toxic, Way, until};

/// The most that a message may have before its body.
const MAX_HEAD: usize = 64 * 1024;

/// A request, as a judge sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number on this connection, from 1.
    pub number: u64,
    /// `POST`.
    pub method: String,
    /// `/`.
    pub path: String,
    /// The action of an AWS API: of its form or of its header; empty when there is none.
    pub action: String,
    /// The access key that signed it; empty when nobody did.
    pub key: String,
    /// Whether its answer is to be JSON (and not XML).
    pub json: bool,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried and its answer is carried back.
    Pass,
    /// It is carried and carried out; its answer is kept back and the connection reset.
    Swallow,
    /// It is carried twice, one after the other; the second answer is carried back.
    Twice,
    /// It is not carried; this is the answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// The content type.
        content: &'static str,
        /// The body.
        body: String,
    },
    /// It is carried; its answer ends after so many bytes of its body, although more were announced.
    Truncate(usize),
    /// It is carried; its answer comes with this body instead, with the same status.
    Garble {
        /// The content type.
        content: &'static str,
        /// The body.
        body: String,
    },
    /// It is not carried and the connection is reset.
    Drop,
}

/// Decides about each request.
pub type Judge = Arc<dyn Fn(&Request) -> Verdict + Send + Sync>;

/// A message: head with its empty line, and body as it was sent.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        [&self.head[..], &self.body].concat()
    }

    fn first_line(&self) -> String {
        let end = self.head.iter().position(|byte| *byte == b'\r').unwrap_or(0);
        String::from_utf8_lossy(&self.head[..end]).into_owned()
    }

    fn header(&self, name: &str) -> Option<String> {
        header(&self.head, name)
    }
}

fn header(head: &[u8], name: &str) -> Option<String> {
    String::from_utf8_lossy(head).lines().find_map(|line| {
        let (its, value) = line.split_once(':')?;
        its.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// Reads whole messages from a socket.
struct Reader<'a> {
    from: &'a mut OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    async fn more(&mut self) -> Result<bool, Broken> {
        let mut chunk = vec![0; CHUNK];
        let read = self.from.read(&mut chunk).await.map_err(|_| Broken)?;
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read > 0)
    }

    /// The next message; `None` when the sender has closed before one began. `bodiless` messages have no body, whatever
    /// their head says.
    async fn message(
        &mut self,
        bodiless: bool,
        waiting: &mut Option<&mut OwnedWriteHalf>,
    ) -> Result<Option<Message>, Broken> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Broken);
            }
            if !self.more().await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(Broken)
                };
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let expects = header(&head, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        if let (true, Some(sender)) = (expects, waiting.as_mut()) {
            // The proxy wants the body in any case.
            sender
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await
                .map_err(|_| Broken)?;
        }
        let chunked = header(&head, "transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
        let length = header(&head, "content-length").and_then(|value| value.parse::<usize>().ok());
        let body = if bodiless {
            Vec::new()
        } else if chunked {
            self.chunks().await?
        } else if let Some(length) = length {
            while self.buffer.len() < length {
                if !self.more().await? {
                    return Err(Broken);
                }
            }
            self.buffer.drain(..length).collect()
        } else {
            Vec::new()
        };
        Ok(Some(Message { head, body }))
    }

    /// A chunked body with its frames, up to the empty line after the last.
    async fn chunks(&mut self) -> Result<Vec<u8>, Broken> {
        let mut at = 0;
        loop {
            let line = loop {
                if let Some(end) = self.buffer[at..].windows(2).position(|two| two == b"\r\n") {
                    break at + end;
                }
                if !self.more().await? {
                    return Err(Broken);
                }
            };
            let size = String::from_utf8_lossy(&self.buffer[at..line]).into_owned();
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| Broken)?;
            at = line + 2 + size + 2;
            while self.buffer.len() < at {
                if !self.more().await? {
                    return Err(Broken);
                }
            }
            if size == 0 {
                return Ok(self.buffer.drain(..at).collect());
            }
        }
    }
}

fn request(number: u64, message: &Message) -> Request {
    let first = message.first_line();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let target = message.header("x-amz-target");
    let body = String::from_utf8_lossy(&message.body);
    let form = || {
        body.split('&')
            .chain(path.split(['?', '&']))
            .find_map(|pair| pair.strip_prefix("Action="))
            .unwrap_or_default()
            .to_owned()
    };
    let action = target.as_ref().map_or_else(form, |target| {
        target.rsplit('.').next().unwrap_or_default().to_owned()
    });
    let signed = message.header("authorization").unwrap_or_default();
    let key = signed
        .split_once("Credential=")
        .and_then(|(_, rest)| rest.split('/').next())
        .unwrap_or_default();
    Request {
        number,
        method: method.to_owned(),
        path: path.to_owned(),
        action,
        key: key.to_owned(),
        json: message
            .header("content-type")
            .is_some_and(|content| content.contains("json")),
    }
}

/// Waits as long as the link is a black hole or late. Other toxics are for bytes.
async fn admit(way: Way, toxics: &watch::Receiver<Vec<Toxic>>) -> Result<(), Broken> {
    let mut open = toxics.clone();
    let hole = Toxic::BlackHole { way };
    let now = match open.wait_for(|toxics| !toxics.contains(&hole)).await {
        Ok(toxics) => toxics.clone(),
        Err(_) => return Err(Broken),
    };
    for toxic in now {
        match toxic {
            Toxic::Latency { way: its, time, .. } if its == way => sleep(time).await,
            Toxic::Reset => return Err(Broken),
            _ => {}
        }
    }
    Ok(())
}

/// Carries requests and answers until the client has closed.
pub(super) async fn carry(
    halves: &mut Halves,
    judge: &Judge,
    connection: u64,
    shared: &Shared,
) -> Result<(), Broken> {
    let toxics = shared.toxics.subscribe();
    let counters = &shared.counters;
    let mut client = Reader {
        from: &mut halves.from_client,
        buffer: Vec::new(),
    };
    let mut server = Reader {
        from: &mut halves.from_server,
        buffer: Vec::new(),
    };
    let mut number = 0;
    loop {
        number += 1;
        let mut waiting = Some(&mut halves.to_client);
        let asked = tokio::select! {
            asked = client.message(false, &mut waiting) => asked?,
            () = until(&toxics, |toxic| *toxic == Toxic::Reset) => return Err(Broken),
        };
        let Some(asked) = asked else {
            return Ok(());
        };
        let known = request(number, &asked);
        let verdict = judge(&known);
        if verdict != Verdict::Pass {
            shared.note(
                connection,
                format!("{} {}: {verdict:?}", known.method, known.action),
            );
        }
        let answer = match &verdict {
            Verdict::Drop => return Err(Broken),
            Verdict::Answer {
                status,
                content,
                body,
            } => {
                counters.answered.fetch_add(1, Ordering::Relaxed);
                made(*status, content, body.as_bytes())
            }
            _ => {
                let times = if verdict == Verdict::Twice { 2 } else { 1 };
                let mut last = None;
                for time in 0..times {
                    admit(Way::Up, &toxics).await?;
                    if time > 0 {
                        counters.doubled.fetch_add(1, Ordering::Relaxed);
                    }
                    let bytes = asked.bytes();
                    halves.to_server.write_all(&bytes).await.map_err(|_| Broken)?;
                    counters.up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    last = answer_of(&mut server, known.method == "HEAD").await?;
                }
                last.ok_or(Broken)?
            }
        };
        let status = status_of(&answer);
        let bytes = match verdict {
            Verdict::Swallow => {
                counters.swallowed.fetch_add(1, Ordering::Relaxed);
                shared.note(
                    connection,
                    format!("the answer to {} ({status}) was swallowed", known.action),
                );
                return Err(Broken);
            }
            Verdict::Truncate(most) => {
                let bytes = [&answer.head[..], &answer.body[..most.min(answer.body.len())]].concat();
                halves.to_client.write_all(&bytes).await.map_err(|_| Broken)?;
                // In good order, so that what was sent arrives: the client is told of more than it gets.
                let _ = halves.to_client.shutdown().await;
                return Ok(());
            }
            Verdict::Garble { content, body } => made(status, content, body.as_bytes()).bytes(),
            _ => answer.bytes(),
        };
        admit(Way::Down, &toxics).await?;
        halves.to_client.write_all(&bytes).await.map_err(|_| Broken)?;
        counters.down.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

/// The answer to a request; those that only say that the request may go on are passed over.
async fn answer_of(server: &mut Reader<'_>, bodiless: bool) -> Result<Option<Message>, Broken> {
    loop {
        let Some(answer) = server.message(bodiless, &mut None).await? else {
            return Ok(None);
        };
        if !(100..200).contains(&status_of(&answer)) {
            return Ok(Some(answer));
        }
    }
}

fn status_of(answer: &Message) -> u16 {
    let first = answer.first_line();
    first
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

fn made(status: u16, content: &str, body: &[u8]) -> Message {
    Message {
        head: format!(
            "HTTP/1.1 {status} Made\r\ncontent-type: {content}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes(),
        body: body.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &str, body: &str) -> Message {
        Message {
            head: head.as_bytes().to_vec(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn actions_are_read_from_forms_and_from_headers() {
        let signed = "authorization: AWS4-HMAC-SHA256 Credential=ASIA1/20261129/us-east-1/x/aws4_request\r\n";
        let form = message(
            &format!("POST / HTTP/1.1\r\n{signed}Content-Type: application/x-www-form-urlencoded\r\n\r\n"),
            "Version=1&Action=ExecuteChangeSet",
        );
        let form = request(1, &form);
        assert_eq!(
            (form.action.as_str(), form.key.as_str(), form.json),
            ("ExecuteChangeSet", "ASIA1", false)
        );
        let json = message(
            "POST / HTTP/1.1\r\nX-Amz-Target: AmazonEC2ContainerRegistry_V20150921.SetRepositoryPolicy\r\nContent-Type: application/x-amz-json-1.1\r\n\r\n",
            "{}",
        );
        let json = request(2, &json);
        assert_eq!(
            (json.action.as_str(), json.key.as_str(), json.json),
            ("SetRepositoryPolicy", "", true)
        );
    }
}
