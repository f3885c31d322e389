//! The web console: pages for people, over the same use cases and the same rights as the other interfaces.
//!
//! * One URL for each noun, and every page is complete HTML: what it shows is found out by [`view`], by whatever asks for
//!   it. Pages work without JavaScript; with it they follow what happens ([`live`]).
//! * Whatever changes something is a form that is sent here by POST ([`deed`]), carries the session's token against forged
//!   requests, is checked for where it came from ([`visit`]), and is answered by a redirection, so that nothing is done twice by
//!   going back.
//! * Nothing is decided here: each page and each form asks [`app`](crate::app), with who is signed in.
//! * What is shown comes through templates in `management/console/templates`, which escape all that they are given.
//!   [`words`] has every text in each language.
//!
//! A request that comes without a session is sent to [`sign_in`].

mod agents;
mod assets;
mod audit;
mod catalog;
mod choice;
mod component_form;
mod components;
mod connections;
mod contents;
mod deed;
mod deletion;
mod deployments;
mod environments;
mod form;
mod grants;
mod insights;
mod live;
mod login;
mod markdown;
mod overview;
mod parts;
mod plot;
mod register;
mod services;
mod settings;
mod show;
mod sign_in;
mod target;
mod upload;
mod view;
mod visit;
mod words;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

pub use live::PREFIX as LIVE;

use crate::app::App;
use crate::app::oidc::Logins;
use visit::Visit;

/// Where people sign in.
pub const SIGN_IN: &str = "/sign-in";

/// What is said to browsers with every answer. Nothing comes from anywhere else, nothing is written into a page that could
/// run, nobody shows a page inside their own, and no address is told to others.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Without any referrer browsers would call the origin of a form `null`.
    (header::REFERRER_POLICY, "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=()",
    ),
];

/// Everything that answers browsers. Clones share it.
#[derive(Clone, Debug)]
pub struct Console {
    app: App,
    logins: Option<Logins>,
    drain: CancellationToken,
}

impl Console {
    /// The console over these use cases; its streams end when `drain` is cancelled.
    #[must_use]
    pub const fn new(app: App, drain: CancellationToken) -> Self {
        Self {
            app,
            logins: None,
            drain,
        }
    }

    /// The same, where people can sign in at issuers of OpenID Connect as well.
    #[must_use]
    pub fn with_logins(self, logins: Logins) -> Self {
        Self {
            logins: Some(logins),
            ..self
        }
    }
}

/// All pages and forms, to be merged with whatever else the listener serves.
pub fn routes(console: Console) -> Router {
    let pages = || get(page).post(deed::act);
    let mut router = Router::new().route("/", get(page));
    for noun in view::NOUNS {
        router = router
            .route(&format!("/{noun}"), pages())
            .route(&format!("/{noun}/{{*rest}}"), pages());
    }
    router
        .route(SIGN_IN, get(sign_in::page).post(sign_in::enter))
        .route(&format!("{SIGN_IN}/{{link}}"), get(sign_in::confirm))
        .route(&format!("{SIGN_IN}/with/{{issuer}}"), get(login::begin))
        .route(&format!("{SIGN_IN}/with/{{issuer}}/back"), get(login::back))
        .route("/audit/export", get(audit::export))
        .route("/sign-out", post(deed::act))
        .route("/language", post(sign_in::language))
        .route("/live", get(live::follow))
        .route("/live/{*rest}", get(live::follow))
        .route("/assets/{name}", get(assets::asset))
        .layer(from_fn(guard))
        .with_state(console)
}

/// What a path asks for, by the noun that it begins with.
pub(super) fn called(path: &str) -> Option<&'static str> {
    const OTHERS: [&str; 5] = ["assets", "language", "live", "sign-in", "sign-out"];
    let first = path.split('/').nth(1)?;
    if first.is_empty() {
        return Some("overview");
    }
    view::NOUNS.into_iter().chain(OTHERS).find(|noun| *noun == first)
}

/// What is said about an address that nothing is at, when a browser asks for it.
pub async fn nowhere(request: Request) -> Response {
    let language = visit::language(request.headers());
    let mut response = sign_in::nowhere(language).into_response();
    told(&mut response);
    response
}

/// That the hub cannot answer a browser just now.
#[must_use]
pub fn busy(message: String) -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, message).into_response();
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    told(&mut response);
    response
}

fn told(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let kept = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(kept);
}

async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    told(&mut response);
    response
}

/// Any page.
async fn page(State(console): State<Console>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let visit = match Visit::of(&console, &parts, true).await {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let Some(view) = view::View::parse(&visit.path, &visit.query) else {
        return visit.not_found();
    };
    match view.show(&visit).await {
        Ok(shown) => visit.page(StatusCode::OK, &shown),
        Err(error) => visit.refused(&error),
    }
}
