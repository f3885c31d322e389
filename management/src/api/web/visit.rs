//! Who asks for a page, in which language, and what they get.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use hadron_domain::authority::{Action, Caller, Place};
use hadron_proto::vocab::{Digest, RequestId, Timestamp};
use subtle::ConstantTimeEq as _;

use super::show::{self, Notice, Shown, Soft};
use super::words::{self, Language, Words};
use super::{Console, SIGN_IN};
use crate::app::console::Secret;
use crate::app::{App, AppError, ErrorKind};

/// The cookie with the session. Its prefix has browsers refuse it from anywhere but this very host, over TLS.
pub(super) const SESSION: &str = "__Host-hadron-session";
/// The cookie with the language that somebody chose.
pub(super) const LANGUAGE: &str = "__Host-hadron-language";

/// A request of somebody who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// The use cases.
    pub(super) app: App,
    /// Who, with what they may do now.
    pub(super) caller: Caller,
    /// Their session.
    pub(super) session: Secret,
    /// When it ends at the latest.
    pub(super) ends_at: Timestamp,
    /// What their forms carry, so that nobody else can write them.
    pub(super) csrf: String,
    /// All texts, in their language.
    pub(super) t: &'static Words,
    /// What was asked for.
    pub(super) path: String,
    /// The rest of the address, in order.
    pub(super) query: Fields,
}

/// Names and values, as an address or a form has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

impl Fields {
    /// Reads what a query or a form says.
    pub(super) fn read(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value of a name, or nothing.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The value of a name without the space around it, when there is any.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|text| !text.is_empty())
    }

    /// As an address has it.
    pub(super) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}

/// One cookie of a request.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The language of whoever asks: the one that they chose, else the first that their browser names and this console has.
pub(super) fn language(headers: &HeaderMap) -> Language {
    if let Some(chosen) = cookie(headers, LANGUAGE).and_then(Language::of) {
        return chosen;
    }
    let accepted = headers.get(header::ACCEPT_LANGUAGE);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted
        .split(',')
        .find_map(|part| Language::of(part.split(';').next().unwrap_or_default().trim()))
        .unwrap_or(Language::English)
}

/// The session that a request names.
pub(super) fn session(headers: &HeaderMap) -> Option<Secret> {
    cookie(headers, SESSION).and_then(Secret::parse)
}

/// The host, with its port, that the browser asked for.
pub(super) fn host(parts: &Parts) -> Option<&str> {
    let named = parts.headers.get(header::HOST);
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    authority.or_else(|| named.and_then(|host| host.to_str().ok()))
}

/// Whether a request that changes something was sent by a page of this very console.
pub(super) fn is_own(parts: &Parts) -> bool {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    match (text("origin"), host(parts)) {
        (Some(origin), Some(host)) => origin
            .strip_prefix("https://")
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host)),
        _ => false,
    }
}

/// The text of a cookie that lasts so many seconds.
pub(super) fn set_cookie(name: &str, value: &str, seconds: u64) -> HeaderValue {
    cookie_for(name, value, seconds, "Strict")
}

/// The same for a cookie that has to come along when another site sends the browser here.
pub(super) fn set_lax_cookie(name: &str, value: &str, seconds: u64) -> HeaderValue {
    cookie_for(name, value, seconds, "Lax")
}

fn cookie_for(name: &str, value: &str, seconds: u64, sites: &str) -> HeaderValue {
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite={sites}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A page.
pub(super) fn html(status: StatusCode, text: String) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The HTTP status for an error.
pub(super) const fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::Precondition | ErrorKind::Fenced => {
            StatusCode::CONFLICT
        }
        ErrorKind::Quota => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Writes an error that is ours, or the database's, into the log.
pub(super) fn note(error: &AppError) {
    match error.kind {
        ErrorKind::Internal => {
            tracing::error!(
                reason = error.reason,
                error = error.story(),
                "A page failed by a fault of the hub"
            );
        }
        ErrorKind::Unavailable => {
            tracing::warn!(
                reason = error.reason,
                error = error.story(),
                "A page could not be shown now"
            );
        }
        _ => {}
    }
}

impl Visit {
    /// A long word that may be broken where that reads well.
    #[expect(clippy::unused_self, reason = "templates call functions by what they have")]
    pub(super) fn soft(&self, text: &(impl ToString + ?Sized)) -> Soft {
        Soft(text.to_string())
    }

    /// Who asks, or the answer for somebody who is not signed in. `using` makes the session last.
    pub(super) async fn of(console: &Console, parts: &Parts, using: bool) -> Result<Self, Box<Response>> {
        let language = language(&parts.headers);
        let session = session(&parts.headers).ok_or_else(|| Box::new(signed_out(parts)))?;
        let signed_in = match console.app.session(&session, using).await {
            Ok(Some(signed_in)) => signed_in,
            Ok(None) => return Err(Box::new(signed_out(parts))),
            Err(error) => {
                note(&error);
                return Err(Box::new(super::sign_in::failed(language, &error)));
            }
        };
        let csrf = Digest::of(format!("form\n{}", session.reveal()).as_bytes()).hex();
        Ok(Self {
            app: console.app.clone(),
            caller: signed_in.caller,
            ends_at: signed_in.ends_at,
            csrf,
            session,
            t: words::of(language),
            path: parts.uri.path().to_owned(),
            query: Fields::read(parts.uri.query().unwrap_or_default().as_bytes()),
        })
    }

    /// Whether a form was written by this session.
    pub(super) fn wrote(&self, form: &Fields) -> bool {
        self.csrf.as_bytes().ct_eq(form.get("csrf").as_bytes()).into()
    }

    /// An id for a form, so that sending it twice does it once.
    pub(super) fn request_id(&self) -> String {
        let id: RequestId = self.app.clock().fresh_id();
        id.as_uuid().to_string()
    }

    /// Whether there is anything that the visitor may do this to.
    pub(super) fn may(&self, action: Action) -> bool {
        self.caller.may(action).is_ok()
    }

    /// Whether the visitor may do this to something there.
    pub(super) fn may_at(&self, action: Action, place: &Place) -> bool {
        self.caller.may_at(action, place).is_ok()
    }

    /// A page in its frame.
    pub(super) fn page(&self, status: StatusCode, shown: &Shown) -> Response {
        match show::framed(self, shown) {
            Ok(text) => html(status, text),
            Err(error) => {
                tracing::error!(error = error.to_string(), "A page could not be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// A page with why something was refused above it.
    pub(super) fn page_with(&self, error: &AppError, mut shown: Shown) -> Response {
        note(error);
        shown.notice = Some(Notice::of(error));
        self.page(status(error.kind), &shown)
    }

    /// What is said instead of a page.
    pub(super) fn refused(&self, error: &AppError) -> Response {
        let title = match error.kind {
            ErrorKind::NotFound => self.t.not_found_title,
            ErrorKind::Denied => self.t.denied_title,
            _ => self.t.error_title,
        };
        self.page_with(error, Shown::titled(title))
    }

    /// What is said about an address that nothing is at.
    pub(super) fn not_found(&self) -> Response {
        let mut shown = Shown::titled(self.t.not_found_title);
        shown.lead = self.t.not_found_lead.to_owned();
        self.page(StatusCode::NOT_FOUND, &shown)
    }
}

/// Where somebody goes who is not signed in: back to what they wanted, afterwards. A stream just ends.
fn signed_out(parts: &Parts) -> Response {
    let wants_page = parts.method == axum::http::Method::GET && !parts.uri.path().starts_with(super::LIVE);
    if !wants_page {
        return (StatusCode::UNAUTHORIZED, "sign in first").into_response();
    }
    let path = parts.uri.path();
    if path == "/" {
        return Redirect::to(SIGN_IN).into_response();
    }
    let next = Fields(vec![("next".to_owned(), path.to_owned())]);
    Redirect::to(&format!("{SIGN_IN}?{}", next.encoded())).into_response()
}

/// An address of this console that somebody is sent to; anything else is the overview.
pub(super) fn own_path(text: &str) -> &str {
    let plain = text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain { text } else { "/" }
}

/// The same for a page: where a link that signs somebody in may lead.
pub(super) fn own_page(text: &str) -> &str {
    let path = own_path(text);
    let page = path.split(['?', '#']).next().unwrap_or_default();
    // An address that a browser would read otherwise than this, `/a/../b` or `/%2e%2e/`, is no page.
    let is_page = super::view::View::parse(page, &Fields::default()).is_some();
    if is_page && !page.contains("//") {
        path
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&'static str, &str)]) -> Parts {
        let mut request = axum::http::Request::post("/connections/x/accept");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_pages_of_this_host_change_anything() {
        let own = [("host", "hub:8443"), ("origin", "https://hub:8443")];
        assert!(is_own(&parts(&own)));
        assert!(is_own(&parts(&[
            own[0],
            own[1],
            ("sec-fetch-site", "same-origin")
        ])));
        for wrong in [
            vec![("host", "hub:8443")],
            vec![("host", "hub:8443"), ("origin", "null")],
            vec![("host", "hub:8443"), ("origin", "http://hub:8443")],
            vec![("host", "hub:8443"), ("origin", "https://hub")],
            vec![("host", "hub:8443"), ("origin", "https://evil.example")],
            vec![("origin", "https://hub:8443")],
            vec![own[0], own[1], ("sec-fetch-site", "same-site")],
            vec![own[0], own[1], ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!is_own(&parts(&wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(own_path("/environments?after=a"), "/environments?after=a");
        for wrong in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nb",
            "a",
        ] {
            assert_eq!(own_path(wrong), "/", "{wrong}");
        }
    }

    #[test]
    fn a_link_leads_to_a_page_or_to_the_overview() {
        for page in [
            "/",
            "/environments/prd",
            "/deployments?status=FAILED",
            "/services/web/instances/prd",
        ] {
            assert_eq!(own_page(page), page);
        }
        for wrong in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/environments",
            "/environments//evil.example",
            "/%2fevil.example",
            "/environments/../sign-out",
            "/.//evil.example",
            "/sign-out",
            "/live/environments",
            "/nothing",
            "javascript:alert(1)",
        ] {
            assert_eq!(own_page(wrong), "/", "{wrong}");
        }
    }

    #[test]
    fn the_language_is_the_chosen_one_or_the_browsers() {
        let of = |pairs: &[(&'static str, &str)]| language(&parts(pairs).headers);
        assert_eq!(of(&[]), Language::English);
        assert_eq!(
            of(&[("accept-language", "de;q=0.9, ja-JP;q=0.8, en")]),
            Language::Japanese
        );
        let chosen = format!("a=b; {LANGUAGE}=en");
        assert_eq!(
            of(&[("accept-language", "ja"), ("cookie", &chosen)]),
            Language::English
        );
    }

    #[test]
    fn fields_are_read_and_written() {
        let fields = Fields::read("a=1&b=%3Cb%3E+x&a=2".as_bytes());
        assert_eq!(
            (fields.get("a"), fields.get("b"), fields.get("c")),
            ("1", "<b> x", "")
        );
        assert_eq!(Fields::read(fields.encoded().as_bytes()), fields);
    }
}
