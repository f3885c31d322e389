//! Messages on a pipe: two lengths, a head of JSON, a tail of bytes. Both sides know how long each may be, and read no
//! more.

use std::io::{self, Read, Write};
use std::sync::Arc;

use hadron_proto::vocab::Digest;
use hadron_templates::{Given, Question, Reply};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::confine::Confined;

/// Most bytes of a question without its archives.
pub(super) const QUESTION: usize = 16 * 1024 * 1024;
/// Most bytes of the archives that go along.
pub(super) const ARCHIVES: usize = 64 * 1024 * 1024;
/// Most bytes of a reply: a text of 1 MiB, and what is said about it.
pub(super) const REPLY: usize = 16 * 1024 * 1024;

const LENGTHS: usize = 8;

/// What a worker says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// What the kernel does about it.
    pub(super) confined: Confined,
}

/// A question on its way.
#[derive(Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) question: Question,
    /// Archives in the tail and their lengths, in order.
    pub(super) archives: Vec<(Digest, usize)>,
}

/// A reply on its way.
#[derive(Serialize, Deserialize)]
pub(super) struct Replied {
    pub(super) reply: Reply,
    /// Microseconds that the worker has computed so far, in its life.
    pub(super) computed: u64,
}

/// A message in bytes.
pub(super) struct Frame {
    head: Vec<u8>,
    tail: Vec<Arc<Vec<u8>>>,
}

fn wrong(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Frame {
    pub(super) fn of(message: &impl Serialize) -> io::Result<Self> {
        let head = serde_json::to_vec(message).map_err(wrong)?;
        Ok(Self {
            head,
            tail: Vec::new(),
        })
    }

    /// A question with the archives that go along.
    pub(super) fn asking(question: Question, given: &Given) -> io::Result<Self> {
        let archives = given.iter().map(|(digest, bytes)| (*digest, bytes.len()));
        let asked = Asked {
            question,
            archives: archives.collect(),
        };
        Ok(Self {
            tail: given.values().cloned().collect(),
            ..Self::of(&asked)?
        })
    }

    /// The bytes of head and tail.
    pub(super) fn lengths(&self) -> (usize, usize) {
        (self.head.len(), self.tail.iter().map(|part| part.len()).sum())
    }

    fn prefix(&self) -> io::Result<[u8; LENGTHS]> {
        let (head, tail) = self.lengths();
        let long = |length: usize| u32::try_from(length).map_err(wrong);
        let mut prefix = [0; LENGTHS];
        let (first, second) = prefix.split_at_mut(LENGTHS / 2);
        first.copy_from_slice(&long(head)?.to_le_bytes());
        second.copy_from_slice(&long(tail)?.to_le_bytes());
        Ok(prefix)
    }

    pub(super) async fn send(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        // One write for most messages: what is small fits into the pipe, and the reader wakes up once.
        let mut first = Vec::with_capacity(LENGTHS + self.head.len());
        first.extend_from_slice(&self.prefix()?);
        first.extend_from_slice(&self.head);
        to.write_all(&first).await?;
        for part in &self.tail {
            to.write_all(part).await?;
        }
        to.flush().await
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut first = Vec::with_capacity(LENGTHS + self.head.len());
        first.extend_from_slice(&self.prefix()?);
        first.extend_from_slice(&self.head);
        to.write_all(&first)?;
        for part in &self.tail {
            to.write_all(part)?;
        }
        to.flush()
    }
}

/// The lengths that a prefix tells, if they are allowed.
fn lengths(prefix: [u8; LENGTHS], most: (usize, usize)) -> io::Result<(usize, usize)> {
    let number = |at: usize| {
        let bytes = [prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]];
        usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
    };
    let (head, tail) = (number(0), number(4));
    if head > most.0 || tail > most.1 {
        return Err(wrong(format!("a message of {head} and {tail} bytes")));
    }
    Ok((head, tail))
}

/// Reads a message that has no tail.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> io::Result<T> {
    let mut prefix = [0; LENGTHS];
    from.read_exact(&mut prefix).await?;
    let (head, _) = lengths(prefix, (most, 0))?;
    let mut bytes = vec![0; head];
    from.read_exact(&mut bytes).await?;
    serde_json::from_slice(&bytes).map_err(wrong)
}

/// Reads a question, or nothing when whoever asks is gone.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<(Question, Given)>> {
    let mut prefix = [0; LENGTHS];
    match from.read_exact(&mut prefix) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let (head, tail) = lengths(prefix, (QUESTION, ARCHIVES))?;
    let mut bytes = vec![0; head];
    from.read_exact(&mut bytes)?;
    let asked: Asked = serde_json::from_slice(&bytes).map_err(wrong)?;
    let mut left = tail;
    let mut given = Given::new();
    for (digest, length) in asked.archives {
        left = left
            .checked_sub(length)
            .ok_or_else(|| wrong("archives longer than told"))?;
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes)?;
        given.insert(digest, Arc::new(bytes));
    }
    if left > 0 {
        return Err(wrong("archives shorter than told"));
    }
    Ok(Some((asked.question, given)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question::ServiceSpec("spec".to_owned(), "text".to_owned())
    }

    fn bytes(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn questions_arrive_with_their_archives() {
        let archives = [b"one".to_vec(), Vec::new(), vec![7; 100_000]];
        let given: Given = archives
            .into_iter()
            .map(|bytes| (Digest::of(&bytes), Arc::new(bytes)))
            .collect();
        let frame = Frame::asking(question(), &given).unwrap();
        let mut sent = Vec::new();
        frame.send(&mut sent).await.unwrap();
        assert_eq!(sent, bytes(&frame), "both ways of writing are one");
        let mut from = sent.as_slice();
        let (asked, back) = read(&mut from).unwrap().unwrap();
        assert!(
            matches!(asked, Question::ServiceSpec(file, text) if (file.as_str(), text.as_str()) == ("spec", "text"))
        );
        assert_eq!(back, given);
        assert!(read(&mut from).unwrap().is_none(), "then whoever asked is gone");
        let cut = &sent[..sent.len() - 1];
        assert!(read(&mut &*cut).is_err(), "a message that ends in its middle");
    }

    #[tokio::test]
    async fn nothing_longer_than_allowed_is_read() {
        let mut long = u32::MAX.to_le_bytes().to_vec();
        long.extend([0; 4]);
        assert!(read(&mut long.as_slice()).is_err());
        let error = receive::<Hello>(&mut long.as_slice(), REPLY).await.unwrap_err();
        assert!(error.to_string().contains("4294967295"), "{error}");
        let mut tail = 0_u32.to_le_bytes().to_vec();
        tail.extend(1_u32.to_le_bytes());
        assert!(
            receive::<Hello>(&mut tail.as_slice(), REPLY).await.is_err(),
            "replies have no tail"
        );
        // Lengths of archives that are not those of the tail.
        for told in [2, 4] {
            let asked = Asked {
                question: question(),
                archives: vec![(Digest::of(b"abc"), told)],
            };
            let mut frame = Frame::of(&asked).unwrap();
            frame.tail.push(Arc::new(b"abc".to_vec()));
            assert!(read(&mut bytes(&frame).as_slice()).is_err(), "{told}");
        }
    }
}
