//! Signing in and out of the console, and the language that it speaks.

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use http_body_util::{BodyExt as _, Limited};

use super::show::{Link, Notice};
use super::visit::{self, Fields, LANGUAGE, SESSION, html, is_own, own_page, own_path, set_cookie};
use super::words::{self, Language, Words};
use super::{Console, assets, login};
use crate::app::AppError;
use crate::app::console::{SESSION_LIFE, Secret};

/// A year.
const LANGUAGE_LIFE: u64 = 365 * 24 * 3600;
/// More than these forms can have.
const LARGEST: usize = 16 * 1024;

/// A page for somebody who is not signed in.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignIn<'a> {
    t: &'static Words,
    title: &'a str,
    /// Where the browser goes from here by itself.
    onward: Option<&'a str>,
    /// The link that somebody followed, and whom it signs in.
    link: Option<(&'a str, String, String)>,
    /// The page that the link leads to.
    next: String,
    /// Other ways of signing in, beside the link of the command line: issuers.
    ways: Vec<Link>,
    notice: Option<Notice>,
    explains: bool,
    /// Nothing is at the address.
    lost: bool,
    version: &'static str,
}

fn shown(status: StatusCode, page: &SignIn<'_>) -> Response {
    match page.render() {
        Ok(text) => html(status, text),
        Err(error) => {
            tracing::error!(error = error.to_string(), "A page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn plain(language: Language) -> SignIn<'static> {
    let t = words::of(language);
    SignIn {
        t,
        title: t.sign_in_title,
        onward: None,
        link: None,
        next: String::new(),
        ways: Vec::new(),
        notice: None,
        explains: true,
        lost: false,
        version: assets::VERSION,
    }
}

/// The same with all ways of signing in, which lead to `next` afterwards.
fn offered(console: &Console, language: Language, next: &str) -> SignIn<'static> {
    SignIn {
        ways: login::ways(console, words::of(language), next),
        ..plain(language)
    }
}

/// How to sign in.
pub(super) async fn page(State(console): State<Console>, request: Request) -> Response {
    let query = Fields::read(request.uri().query().unwrap_or_default().as_bytes());
    let language = visit::language(request.headers());
    shown(StatusCode::OK, &offered(&console, language, query.get("next")))
}

/// That somebody was not signed in, and how else to.
pub(super) fn not_entered(console: &Console, language: Language, next: &str, error: &AppError) -> Response {
    visit::note(error);
    let page = SignIn {
        notice: Some(Notice::of(error)),
        ..offered(console, language, next)
    };
    shown(visit::status(error.kind), &page)
}

/// That somebody is signed in, by a page that leads on by itself. A redirection would not do where another site has sent the
/// browser here: what follows from that comes without the cookie of the session.
pub(super) fn entered(language: Language, next: &str) -> Response {
    let page = SignIn {
        title: words::of(language).signed_in,
        onward: Some(next),
        explains: false,
        ..plain(language)
    };
    shown(StatusCode::OK, &page)
}

/// That a page cannot be shown now.
pub(super) fn failed(language: Language, error: &AppError) -> Response {
    let page = SignIn {
        title: words::of(language).error_title,
        notice: Some(Notice::of(error)),
        explains: false,
        ..plain(language)
    };
    shown(visit::status(error.kind), &page)
}

/// That there is nothing at this address.
pub(super) fn nowhere(language: Language) -> Response {
    let t = words::of(language);
    let page = SignIn {
        title: t.not_found_title,
        explains: false,
        lost: true,
        ..plain(language)
    };
    shown(StatusCode::NOT_FOUND, &page)
}

/// Whom a link signs in, with the button that does it. Looking at it uses nothing up: programs that look at addresses
/// before people do sign nobody in.
pub(super) async fn confirm(
    State(console): State<Console>,
    Path(link): Path<String>,
    request: Request,
) -> Response {
    let language = visit::language(request.headers());
    let found = match Secret::parse(&link) {
        Some(secret) => console.app.link_of(&secret).await,
        None => Err(crate::app::console::no_link()),
    };
    let caller = match found {
        Ok(caller) => caller,
        Err(error) => return not_entered(&console, language, "", &error),
    };
    let query = Fields::read(request.uri().query().unwrap_or_default().as_bytes());
    let rights: Vec<String> = caller.rights.iter().map(ToString::to_string).collect();
    let page = SignIn {
        link: Some((&link, caller.principal.to_string(), rights.join(", "))),
        next: own_page(query.get("next")).to_owned(),
        explains: false,
        ..plain(language)
    };
    shown(StatusCode::OK, &page)
}

/// The form that was sent, if a page of this console sent it.
async fn form(request: Request) -> Result<Fields, Box<Response>> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST || !is_own(&parts) {
        return Err(Box::new(foreign(visit::language(&parts.headers))));
    }
    match Limited::new(body, LARGEST).collect().await {
        Ok(body) => Ok(Fields::read(&body.to_bytes())),
        Err(_) => Err(Box::new(StatusCode::PAYLOAD_TOO_LARGE.into_response())),
    }
}

/// That a form came from somewhere else.
pub(super) fn foreign(language: Language) -> Response {
    let t = words::of(language);
    let page = SignIn {
        title: t.denied_title,
        notice: Some(Notice {
            good: false,
            message: t.foreign_form.to_owned(),
            help: t.foreign_form_help.to_owned(),
        }),
        explains: false,
        ..plain(language)
    };
    shown(StatusCode::FORBIDDEN, &page)
}

/// Opens a session with a link.
pub(super) async fn enter(State(console): State<Console>, request: Request) -> Response {
    let language = visit::language(request.headers());
    let form = match form(request).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let link = Secret::parse(form.get("link")).ok_or_else(crate::app::console::no_link);
    let entered = match link {
        Ok(link) => console.app.sign_in(&link).await,
        Err(error) => Err(error),
    };
    match entered {
        Ok((session, signed_in)) => {
            tracing::info!(
                principal = signed_in.caller.principal.as_str(),
                "Somebody signed in to the console"
            );
            let mut response = Redirect::to(own_page(form.get("next"))).into_response();
            let cookie = set_cookie(SESSION, session.reveal(), SESSION_LIFE.as_secs());
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => not_entered(&console, language, form.get("next"), &error),
    }
}

/// The answer for somebody who has signed out: their cookie is gone, and what the browser kept as well.
pub(super) fn left() -> Response {
    let mut response = Redirect::to(super::SIGN_IN).into_response();
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, set_cookie(SESSION, "", 0));
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    response
}

/// Changes the language of this browser.
pub(super) async fn language(request: Request) -> Response {
    let form = match form(request).await {
        Ok(form) => form,
        Err(response) => return *response,
    };
    let mut response = Redirect::to(own_path(form.get("back"))).into_response();
    if let Some(language) = Language::of(form.get("language")) {
        let cookie = set_cookie(LANGUAGE, language.tag(), LANGUAGE_LIFE);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
