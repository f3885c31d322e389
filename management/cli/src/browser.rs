//! Logging in with a browser: where it comes back to, and how it is opened.
//!
//! The listener is on this machine only, at a port that nobody knows before, for as long as one login takes. It takes the
//! code of the login that was begun here and nothing else: what comes with another state changes nothing.

use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::error::{Exit, Failure, Result};

/// How long a browser may take for one request.
const PER_REQUEST: Duration = Duration::from_secs(10);
/// Where the browser comes back to.
const PATH: &str = "/callback";

/// Waits for a browser.
pub(crate) struct Listener {
    listener: TcpListener,
    uri: String,
}

/// What the browser brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Came {
    /// The code.
    pub(crate) code: String,
    /// Who says so, where they do.
    pub(crate) issuer: String,
}

/// What a request to the listener is.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The answer to the login.
    Came(Came),
    /// The issuer's refusal.
    Refused(String),
    /// Nothing of this login.
    Other,
}

impl Listener {
    /// Listens.
    pub(crate) async fn bind() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let bound = listener.and_then(|listener| listener.local_addr().map(|address| (listener, address)));
        let (listener, address) = bound.map_err(|error| {
            Failure::new(Exit::Failure, "cannot wait for the browser on this machine")
                .why(error)
                .next("hadron login --device")
        })?;
        Ok(Self {
            listener,
            uri: format!("http://{address}{PATH}"),
        })
    }

    /// Where the browser has to come back to.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Waits until the browser comes with the answer to the login of this state.
    pub(crate) async fn wait(self, state: &str, patience: Duration) -> Result<Came> {
        let (sender, mut came) = mpsc::channel(1);
        let state: Arc<str> = state.into();
        let serving = async {
            loop {
                let Ok((stream, _)) = self.listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let (sender, state) = (sender.clone(), Arc::clone(&state));
                let service = service_fn(move |request: Request<Incoming>| {
                    let asked = read(&request, &state);
                    let sender = sender.clone();
                    async move {
                        let page = page(&asked);
                        if asked != Asked::Other {
                            let _ = sender.try_send(asked);
                        }
                        Ok::<_, Infallible>(page)
                    }
                });
                let serve = hyper::server::conn::http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(tokio::time::timeout(PER_REQUEST, serve));
            }
        };
        let asked = tokio::select! {
            () = serving => None,
            asked = came.recv() => asked,
            () = tokio::time::sleep(patience) => None,
        };
        // The page is still on its way to the browser.
        tokio::time::sleep(Duration::from_millis(200)).await;
        match asked {
            Some(Asked::Came(came)) => Ok(came),
            Some(Asked::Refused(why)) => {
                Err(Failure::new(Exit::NotAuthorised, "the issuer did not let you in").why(why))
            }
            Some(Asked::Other) | None => Err(Failure::new(
                Exit::TimedOut,
                "nobody came back from the browser in time",
            )
            .next("hadron login --oidc")
            .next("hadron login --device")),
        }
    }
}

/// What a request is.
fn read<B>(request: &Request<B>, state: &str) -> Asked {
    if request.method() != Method::GET || request.uri().path() != PATH {
        return Asked::Other;
    }
    let (mut code, mut found, mut issuer, mut error, mut twice) = (None, None, None, None, false);
    let query = request.uri().query().unwrap_or_default();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*key {
            "code" => &mut code,
            "state" => &mut found,
            "iss" => &mut issuer,
            "error" => &mut error,
            _ => continue,
        };
        twice |= slot.replace(value.into_owned()).is_some();
    }
    if twice || found.as_deref() != Some(state) {
        return Asked::Other;
    }
    match (code, error) {
        (Some(code), None) => Asked::Came(Came {
            code,
            issuer: issuer.unwrap_or_default(),
        }),
        (_, Some(error)) => Asked::Refused(error),
        (None, None) => Asked::Other,
    }
}

/// What the browser shows. Nothing of the request is in it.
fn page(asked: &Asked) -> Response<Full<Bytes>> {
    let (status, text) = match asked {
        Asked::Came(_) => (
            StatusCode::OK,
            "You can close this page and go on in the terminal.",
        ),
        Asked::Refused(_) => (StatusCode::OK, "You were not logged in. The terminal says why."),
        Asked::Other => (StatusCode::NOT_FOUND, "This is nothing that hadron waits for."),
    };
    let body = format!("<!doctype html><meta charset=\"utf-8\"><title>hadron login</title><p>{text}</p>\n");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "default-src 'none'"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    response
}

/// Opens a browser, where there is one; whether it came up is not known.
pub(crate) fn open(url: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let started = Command::new(program)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // The address was printed as well, so that nothing is lost without one.
    drop(started);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, target: &str) -> Asked {
        let request = Request::builder().method(method).uri(target).body(()).unwrap();
        read(&request, "s t")
    }

    #[test]
    fn only_the_answer_to_this_login_is_taken() {
        let came = |code: &str, issuer: &str| {
            Asked::Came(Came {
                code: code.to_owned(),
                issuer: issuer.to_owned(),
            })
        };
        assert_eq!(
            asked("GET", "/callback?code=a%2Bb&state=s+t&iss=https%3A%2F%2Fi"),
            came("a+b", "https://i")
        );
        assert_eq!(asked("GET", "/callback?state=s+t&code=c&more=x"), came("c", ""));
        assert_eq!(
            asked("GET", "/callback?error=access_denied&state=s+t"),
            Asked::Refused("access_denied".to_owned())
        );
        for other in [
            "/callback?code=c",
            "/callback?code=c&state=other",
            "/callback?code=c&code=d&state=s+t",
            "/callback?code=c&state=s+t&state=s+t",
            "/callback?error=access_denied&state=other",
            "/favicon.ico?code=c&state=s+t",
            "/callback/?code=c&state=s+t",
            "/",
        ] {
            assert_eq!(asked("GET", other), Asked::Other, "{other}");
        }
        assert_eq!(asked("POST", "/callback?code=c&state=s+t"), Asked::Other);
    }
}
