//! Signing in at an issuer of OpenID Connect.
//!
//! The browser is sent to the issuer and comes back with a code. Only the browser that was sent is let in: what it proves that
//! with lies in a cookie of ten minutes, beside the state that the issuer has to bring back. The code is exchanged by
//! [`Logins`](crate::app::oidc::Logins), with PKCE and a nonce, like one of the command line's; what comes of it is a session as any other.
//!
//! Each issuer has an address of its own to send people back to, so that the answer of one cannot be taken for another's:
//! `https://<the console's host>/sign-in/with/<issuer>/back`. That is what has to be registered there.

use std::net::IpAddr;

use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use tonic::Code;

use super::show::Link;
use super::visit::{self, Fields, SESSION, cookie, own_page, set_cookie, set_lax_cookie};
use super::words::Words;
use super::{Console, SIGN_IN, sign_in};
use crate::app::console::{SESSION_LIFE, Secret};
use crate::app::oidc::{Logins, NotAdmitted};
use crate::app::{AppError, ErrorKind};
use crate::identity::oidc::{Answer, FLOW_LIFE, OidcError};
use crate::identity::tls;

/// The cookie of a login under way.
const LOGIN: &str = "__Host-hadron-login";
/// Where somebody wants to go is forgotten when it is longer: a cookie has 4096 bytes.
const LONGEST_NEXT: usize = 1024;

/// What a browser keeps while somebody logs in.
struct Kept {
    state: String,
    verifier: String,
    next: String,
}

impl Kept {
    fn write(&self) -> String {
        let next = if self.next.len() > LONGEST_NEXT {
            ""
        } else {
            &self.next
        };
        let next = URL_SAFE_NO_PAD.encode(next);
        format!("{}.{}.{next}", self.state, self.verifier)
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut parts = cookie(headers, LOGIN)?.split('.');
        let (state, verifier, next) = (parts.next()?, parts.next()?, parts.next()?);
        let next = URL_SAFE_NO_PAD.decode(next).ok()?;
        Some(Self {
            state: state.to_owned(),
            verifier: verifier.to_owned(),
            next: String::from_utf8(next).ok()?,
        })
    }
}

/// The issuers where people can sign in, each as a link that leads to `next` afterwards.
pub(super) fn ways(console: &Console, t: &Words, next: &str) -> Vec<Link> {
    let Some(logins) = &console.logins else {
        return Vec::new();
    };
    let query = Fields(vec![("next".to_owned(), next.to_owned())]).encoded();
    let query = if next.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    let people = logins.issuers().offers().filter(|offer| offer.audience.is_none());
    people
        .map(|offer| {
            let label = t.sign_in_with.replace("NAME", offer.alias.as_str());
            Link::to(format!("{SIGN_IN}/with/{}{query}", offer.alias), label)
        })
        .collect()
}

/// Where the issuer sends people back to: the host that the browser knows this console by.
fn back_to(parts: &Parts, issuer: &str) -> Option<String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    let host = visit::host(parts).filter(|host| !host.is_empty() && host.bytes().all(word))?;
    Some(format!("https://{host}{SIGN_IN}/with/{issuer}/back"))
}

fn source(parts: &Parts) -> Result<IpAddr, AppError> {
    let peer = parts.extensions.get::<tls::Peer>();
    peer.map(|peer| peer.address.ip().to_canonical())
        .ok_or_else(|| AppError::internal("the listener tells no address"))
}

/// Why nobody vouches for somebody, in words for them.
fn said(error: &OidcError) -> AppError {
    let kind = match error.code() {
        Code::NotFound => ErrorKind::NotFound,
        Code::InvalidArgument | Code::FailedPrecondition => ErrorKind::Invalid,
        Code::ResourceExhausted => ErrorKind::Quota,
        Code::Unavailable => ErrorKind::Unavailable,
        Code::Internal => ErrorKind::Internal,
        Code::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Unauthenticated,
    };
    let help = match error {
        OidcError::Condition { .. } | OidcError::Name { .. } => {
            "an administrator finds the reason in [oidc.NAME] of the hub's configuration"
        }
        OidcError::Internal(_) => "an administrator finds the reason in the hub's log",
        _ => "begin again below",
    };
    AppError::new(kind, error.reason(), error.to_string()).help(help)
}

fn logins<'a>(console: &'a Console, issuer: &str) -> Result<&'a Logins, AppError> {
    let logins = console.logins.as_ref();
    logins.ok_or_else(|| AppError::not_found("issuer", issuer))
}

/// Sends the browser to an issuer.
pub(super) async fn begin(
    State(console): State<Console>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let query = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
    let next = own_page(query.get("next")).to_owned();
    match begun(&console, &issuer, &parts, &next).await {
        Ok((url, kept)) => {
            let mut response = Redirect::to(&url).into_response();
            let cookie = set_lax_cookie(LOGIN, &kept.write(), FLOW_LIFE.as_secs());
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => sign_in::not_entered(&console, visit::language(&parts.headers), &next, &error),
    }
}

async fn begun(
    console: &Console,
    issuer: &str,
    parts: &Parts,
    next: &str,
) -> Result<(String, Kept), AppError> {
    let issuers = logins(console, issuer)?.issuers();
    let to = back_to(parts, issuer).ok_or_else(|| {
        AppError::new(
            ErrorKind::Invalid,
            "HOST",
            "the request does not say which host it is for",
        )
    })?;
    let begun = issuers.begin(issuer, &to, source(parts)?).await;
    let begun = begun.map_err(|error| {
        crate::app::oidc::note(&error);
        said(&error)
    })?;
    let kept = Kept {
        state: begun.state,
        verifier: begun.verifier,
        next: next.to_owned(),
    };
    Ok((begun.url, kept))
}

/// Takes the browser back that the issuer has sent here.
pub(super) async fn back(
    State(console): State<Console>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let language = visit::language(&parts.headers);
    let query = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
    let kept = Kept::read(&parts.headers);
    let next = kept.as_ref().map_or("/", |kept| own_page(&kept.next)).to_owned();
    let mut response = match finished(&console, &issuer, &parts, kept.as_ref(), &query).await {
        Ok(session) => {
            let mut response = sign_in::entered(language, &next);
            let cookie = set_cookie(SESSION, session.reveal(), SESSION_LIFE.as_secs());
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => sign_in::not_entered(&console, language, &next, &error),
    };
    // One login, one answer, whatever came of it.
    let gone: HeaderValue = set_lax_cookie(LOGIN, "", 0);
    response.headers_mut().append(header::SET_COOKIE, gone);
    response
}

/// The text of an error as an issuer names it, without anything that is not part of a word.
fn shown(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || " -_.,:'()".contains(*c);
    text.chars().filter(plain).take(200).collect()
}

async fn finished(
    console: &Console,
    issuer: &str,
    parts: &Parts,
    kept: Option<&Kept>,
    query: &Fields,
) -> Result<Secret, AppError> {
    let (logins, source) = (logins(console, issuer)?, source(parts)?);
    let same = |kept: &&Kept| bool::from(kept.state.as_bytes().ct_eq(query.get("state").as_bytes()));
    let found = match kept.filter(same) {
        // Whoever got hold of an address with a code in it gets nothing for it.
        None => Err(OidcError::Verifier),
        Some(_) if query.some("error").is_some() => {
            let texts = [query.get("error"), query.get("error_description")].map(shown);
            let told: Vec<&str> = texts
                .iter()
                .map(String::as_str)
                .filter(|text| !text.is_empty())
                .collect();
            Err(OidcError::Refused(told.join(": ")))
        }
        Some(kept) => {
            let answer = Answer {
                state: &kept.state,
                code: query.get("code"),
                verifier: &kept.verifier,
                issuer: query.some("iss"),
            };
            logins.issuers().finish(answer, source).await
        }
    };
    let found = found.and_then(|identity| {
        if identity.alias.as_str() == issuer {
            Ok(identity)
        } else {
            Err(OidcError::MixUp)
        }
    });
    let admitted = logins.admit("FinishOidcLogin", issuer, source, found).await;
    let admitted = admitted.map_err(|why| match why {
        NotAdmitted::Unknown(error) => said(&error),
        NotAdmitted::Nobody(error) => error,
        NotAdmitted::NoToken(error) => AppError::internal(error),
    })?;
    let (session, _) = console.app.sign_in_as(admitted.token.hash()).await?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_keeps_comes_back() {
        let kept = Kept {
            state: "s-_1".to_owned(),
            verifier: "v".to_owned(),
            next: "/environments?after=a;b".to_owned(),
        };
        let mut headers = HeaderMap::new();
        let cookie = format!("a=b; {LOGIN}={}", kept.write());
        headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
        let again = Kept::read(&headers).unwrap();
        assert_eq!(
            (again.state, again.verifier, again.next),
            (kept.state, kept.verifier, kept.next)
        );
        for wrong in ["", "a.b", "a.b.%"] {
            let cookie = format!("{LOGIN}={wrong}");
            headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
            assert!(Kept::read(&headers).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_an_issuer_says_is_words_only() {
        assert_eq!(shown("access_denied <b>\r\n\"x\"&"), "access_denied bx");
    }
}
