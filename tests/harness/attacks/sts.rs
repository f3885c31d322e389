//! An STS that answers what it is told to, to a hub that takes it for an emulator of AWS, and remembers what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An answer: status line, headers but the length, body.
#[derive(Clone, Debug)]
pub(super) struct Says {
    pub(super) status: &'static str,
    pub(super) headers: String,
    pub(super) body: String,
}

impl Says {
    /// What AWS answers about this identity.
    pub(super) fn identity(account: &str, arn: &str, user: &str) -> Self {
        Self::json(format!(
            r#"{{"GetCallerIdentityResponse":{{"GetCallerIdentityResult":{{"Account":"{account}","Arn":"{arn}","UserId":"{user}"}},"ResponseMetadata":{{"RequestId":"0"}}}}}}"#
        ))
    }

    /// Any JSON.
    pub(super) fn json(body: String) -> Self {
        Self {
            status: "200 OK",
            headers: "content-type: application/json\r\n".to_owned(),
            body,
        }
    }
}

/// It, for as long as it is kept.
#[derive(Debug)]
pub(super) struct FakeSts {
    pub(super) url: String,
    says: Arc<Mutex<Says>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for FakeSts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeSts {
    pub(super) async fn start(says: Says) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a fake STS")?;
        let url = format!("http://{}", listener.local_addr().context("a fake STS")?);
        let (says, asked) = (Arc::new(Mutex::new(says)), Arc::new(Mutex::new(Vec::new())));
        let (answer, seen) = (Arc::clone(&says), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let says = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(serve(stream, says, Arc::clone(&seen)));
            }
        });
        Ok(Self {
            url,
            says,
            asked,
            task,
        })
    }

    pub(super) fn say(&self, says: Says) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }

    /// Every request so far, as it came.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, says: Says, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut part).await {
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")
                .map(str::to_owned)
        });
        let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        if body.len() >= length {
            asked.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            break;
        }
    }
    let Says {
        status,
        headers,
        body,
    } = says;
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // The hub hangs up when it has read enough.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
