//! Pages that follow what happens, by server-sent events.
//!
//! There is one stream for each page. It looks whenever something was committed, and every two seconds all the same, and sends
//! the part that lives when that is another one than the browser has; so a page is never behind for good, whatever got lost on
//! the way. What only grows (events of a deployment) is sent line by line. The id of every event names both: which page, and
//! which line. A browser that comes back says the last id that it has (`Last-Event-ID`), and gets what is missing.
//!
//! Most commits are about something else than this page. Where one number tells whether the page is the same
//! ([`View::mark`]), that is all that is asked for then; only when it is another one, who asks and what they may see is found
//! out anew and the page is made again. So hundreds of pages can be open on a hub that deploys.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::Console;
use super::view::{LINES, View};
use super::visit::{self, Visit};
use crate::app::{AppError, ErrorKind};
use crate::store::Topic;
use crate::store::db::Subscription;

/// What the addresses of streams begin with.
pub const PREFIX: &str = "/live";

/// How often a stream looks although nobody woke it.
const EVERY: Duration = Duration::from_secs(2);
/// How long it leaves commits alone after a look: what is committed meanwhile is one change to look at.
const PAUSE: Duration = Duration::from_millis(100);
/// Of the time, a stream makes its page again for one part in so many at most, however many commits there are.
const SHARE: u32 = 8;
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
    let has = given.and_then(Has::parse).unwrap_or_else(|| Has {
        page: visit.query.get("have").to_owned(),
        line: visit.query.get("seq").parse().unwrap_or(0),
    });
    visit.query.0.retain(|(name, _)| name != "have" && name != "seq");
    let Some(view) = View::parse(&visit.path, &visit.query) else {
        return (StatusCode::NOT_FOUND, "there is no such page").into_response();
    };

    let (sender, receiver) = mpsc::channel(WAITING);
    let mut woken = visit.app.db().subscribe(Topic::Changes);
    let stream = Stream {
        visit,
        view,
        has,
        reader: Reader(sender),
        looked: None,
        idle: Duration::ZERO,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = console.drain.cancelled() => {}
            () = stream.run(&mut woken) => {}
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

/// A page that somebody has open.
struct Stream {
    visit: Visit,
    view: View,
    has: Has,
    reader: Reader,
    /// When the page was last looked at whole, and what told then whether it is the same.
    looked: Option<(Instant, u64)>,
    /// How long the last look only waited, so that others come first: that was no work.
    idle: Duration,
}

impl Stream {
    /// Looks and sends until there is nobody who listens.
    async fn run(mut self, woken: &mut Subscription) {
        if !self
            .reader
            .send(format!("retry: {}\n\n", RETRY.as_millis()))
            .await
        {
            return;
        }
        let mut spoke = Instant::now();
        loop {
            let began = Instant::now();
            self.idle = Duration::ZERO;
            let sent = match self.look().await {
                Ok(Look::Sent(sent)) => sent,
                Ok(Look::Over) => return,
                // What cannot be shown now may be shown soon; what may not be seen, or is gone, will not.
                Err(error) => {
                    visit::note(&error);
                    if !matches!(error.kind, ErrorKind::Unavailable) {
                        return;
                    }
                    false
                }
            };
            if sent {
                spoke = Instant::now();
            } else if spoke.elapsed() >= HEARTBEAT {
                spoke = Instant::now();
                if !self.reader.send(":\n\n".to_owned()).await {
                    return;
                }
            }
            // Only what comes soon after another waits: the first commit after a quiet time is looked at at once.
            let worked = began.elapsed().saturating_sub(self.idle);
            tokio::time::sleep(PAUSE.max(worked * (SHARE - 1))).await;
            tokio::select! {
                () = self.reader.0.closed() => return,
                () = woken.woken() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<Look, AppError> {
        let mark = self.view.mark(&self.visit).await?;
        let same = |(at, before): (Instant, u64)| mark == Some(before) && at.elapsed() < EVERY;
        if self.looked.is_some_and(same) {
            return Ok(Look::Sent(false));
        }
        let Some(signed_in) = self.visit.app.session(&self.visit.session, false).await? else {
            return Ok(Look::Over);
        };
        let unchanged = self.visit.caller == signed_in.caller
            && self.looked.is_some_and(|(_, before)| mark == Some(before));
        self.visit.caller = signed_in.caller;
        let at = Instant::now();
        let came = if unchanged {
            Look::Sent(false)
        } else {
            self.send_changes().await?
        };
        // Not before all of it was sent: what could not be shown is tried again.
        self.looked = mark.map(|mark| (at, mark));
        Ok(came)
    }

    /// Makes the page again, and sends what the browser does not have.
    async fn send_changes(&mut self) -> Result<Look, AppError> {
        let Self {
            visit,
            view,
            has,
            reader,
            idle,
            ..
        } = self;
        let mut sent = false;
        // First the lines: what has ended is shown as such after the last of them.
        loop {
            let lines = view.lines(visit, has.line).await?;
            let all = lines.len() < LINES;
            for (number, line) in lines {
                has.line = number;
                sent = true;
                if !reader.send(event("event", &has.id(), &line.0)).await {
                    return Ok(Look::Over);
                }
            }
            if all {
                break;
            }
        }
        if sent {
            // Making the page again costs more than a line: first every page that is open gets its lines.
            let began = Instant::now();
            tokio::time::sleep(PAUSE).await;
            *idle = began.elapsed();
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
