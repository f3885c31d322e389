//! Pages that follow what happens, by server-sent events.
//!
//! There is one stream for each page. It makes the page again whenever something was committed, and every two seconds all
//! the same, and sends the part that lives when that is another one than the browser has; so a page is never behind for good,
//! whatever got lost on the way. What only grows (events of a deployment) is sent line by line. The id of every event names
//! both: which page, and which line. A browser that comes back says the last id that it has (`Last-Event-ID`), and gets what
//! is missing. Who asks, and what they may see, is found out anew each time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::Console;
use super::view::View;
use super::visit::{self, Visit};
use crate::app::AppError;
use crate::store::Topic;

/// What the addresses of streams begin with.
pub const PREFIX: &str = "/live";

/// How often a stream looks although nobody woke it.
const EVERY: Duration = Duration::from_secs(2);
/// How long it leaves commits alone after a look.
const PAUSE: Duration = Duration::from_millis(300);
/// How often something is sent, so that nothing on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);
/// Events that may wait for their reader.
const WAITING: usize = 64;
/// How long a reader may take none of them.
const UNREAD: Duration = Duration::from_secs(60);

/// What a browser has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Has {
    /// Which page.
    page: String,
    /// Which line.
    line: u64,
}

impl Has {
    fn id(&self) -> String {
        format!("{}.{}", self.page, self.line)
    }

    fn parse(id: &str) -> Option<Self> {
        let (page, line) = id.rsplit_once('.')?;
        let plain = page.len() <= 64 && page.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then_some(())?;
        Some(Self {
            page: page.to_owned(),
            line: line.parse().ok()?,
        })
    }
}

/// One event as it is sent. No line of it can begin another event.
fn event(name: &str, id: &str, data: &str) -> String {
    let mut text = format!("event: {name}\nid: {id}\n");
    for line in data.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

/// Sends to one browser.
struct Reader(mpsc::Sender<Result<String, std::convert::Infallible>>);

impl Reader {
    async fn send(&self, text: String) -> bool {
        let sent = tokio::time::timeout(UNREAD, self.0.send(Ok(text))).await;
        matches!(sent, Ok(Ok(())))
    }
}

/// A stream for the page that the rest of the address names.
pub(super) async fn follow(State(console): State<Console>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let mut visit = match Visit::of(&console, &parts, false).await {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let path = visit.path.strip_prefix(PREFIX).unwrap_or_default();
    visit.path = if path.is_empty() {
        "/".to_owned()
    } else {
        path.to_owned()
    };
    let given = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut has = given.and_then(Has::parse).unwrap_or_else(|| Has {
        page: visit.query.get("have").to_owned(),
        line: visit.query.get("seq").parse().unwrap_or(0),
    });
    visit.query.0.retain(|(name, _)| name != "have" && name != "seq");
    let Some(view) = View::parse(&visit.path, &visit.query) else {
        return (StatusCode::NOT_FOUND, "there is no such page").into_response();
    };

    let (sender, receiver) = mpsc::channel(WAITING);
    let reader = Reader(sender);
    let mut woken = visit.app.db().subscribe(Topic::Changes);
    tokio::spawn(async move {
        if !reader.send(format!("retry: {}\n\n", RETRY.as_millis())).await {
            return;
        }
        let mut spoke = Instant::now();
        loop {
            let sent = match look(&mut visit, &view, &mut has, &reader).await {
                Ok(Look::Sent(sent)) => sent,
                Ok(Look::Over) => return,
                // What cannot be shown now may be shown soon; what may not be seen, or is gone, will not.
                Err(error) => {
                    visit::note(&error);
                    if !matches!(error.kind, crate::app::ErrorKind::Unavailable) {
                        return;
                    }
                    false
                }
            };
            if sent {
                spoke = Instant::now();
            } else if spoke.elapsed() >= HEARTBEAT {
                spoke = Instant::now();
                if !reader.send(":\n\n".to_owned()).await {
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = reader.0.closed() => return,
                () = console.drain.cancelled() => return,
                () = woken.woken() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    });
    let mut response = Response::new(Body::from_stream(ReceiverStream::new(receiver)));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// What came of a look.
enum Look {
    /// Whether something was sent.
    Sent(bool),
    /// Nothing more will be.
    Over,
}

async fn look(visit: &mut Visit, view: &View, has: &mut Has, reader: &Reader) -> Result<Look, AppError> {
    let Some(signed_in) = visit.app.session(&visit.session, false).await? else {
        return Ok(Look::Over);
    };
    visit.caller = signed_in.caller;
    let mut sent = false;
    // First the lines: what has ended is shown as such after the last of them.
    for (number, line) in view.lines(visit, has.line).await? {
        has.line = number;
        sent = true;
        if !reader.send(event("event", &has.id(), &line.0)).await {
            return Ok(Look::Over);
        }
    }
    let shown = view.show(visit).await?;
    let have = shown.have();
    if let Some(live) = shown.live
        && have != has.page
    {
        has.page = have;
        sent = true;
        if !reader.send(event("page", &has.id(), &live.0)).await {
            return Ok(Look::Over);
        }
    }
    Ok(Look::Sent(sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_become_another_event() {
        let sent = event("page", "a.1", "<p>\r\nevent: x\n\ndata: y\r</p>");
        let starts = |line: &str| {
            line.starts_with("event: ") || line.starts_with("id: ") || line.starts_with("data: ")
        };
        assert!(sent.trim_end().lines().all(starts), "{sent}");
        assert_eq!(sent.matches("\nevent: ").count(), 0);
        assert!(sent.ends_with("\n\n") && !sent[..sent.len() - 2].contains("\n\n"));
    }

    #[test]
    fn ids_come_back_as_they_went() {
        let has = Has {
            page: "0123456789abcdef".to_owned(),
            line: 17,
        };
        assert_eq!(Has::parse(&has.id()), Some(has));
        for wrong in ["", "abc", "x.1", "abc.", "abc.-1", "abc.1\n"] {
            assert_eq!(Has::parse(wrong), None, "{wrong:?}");
        }
    }
}
