//! Who uses the web console: one-time links, and the sessions that they, or a login at an issuer, open.
//!
//! A session stands for a bearer token: that which asked for its link, or that of the login. What its owner may do is asked of that token with each
//! request, so a session can do nothing that the token could not, and is over when the token is: expired, switched off or
//! removed. It ends as well when nobody used it for [`IDLE`], and after [`SESSION_LIFE`] in any case.
//!
//! Links and sessions are 256 random bits each, of which only the digest is stored; see
//! [`login`](crate::identity::login) for why that is enough.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hadron_domain::authority::Caller;
use hadron_domain::principal::Principal;
use hadron_proto::vocab::{Digest, Timestamp};

use super::access::Whom;
use super::{App, AppError, ErrorKind, Unit, access};
use crate::identity::random;
use crate::store::bindings::BindingRow;
use crate::store::console::{self, SessionKind, SessionRow};
use crate::store::requests::{self, TokenRow};

/// How long a link waits to be followed.
pub const LINK_LIFE: Duration = Duration::from_secs(60);
/// How long a session lasts at most.
pub const SESSION_LIFE: Duration = Duration::from_secs(8 * 3600);
/// How long a session lasts that nobody uses.
pub const IDLE: Duration = Duration::from_secs(3600);
/// How much later a session has to end for that to be written down.
const WORTH_WRITING: Duration = Duration::from_secs(60);

/// The text of a link or of a session. Printing it for a log shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    fn fresh() -> Result<Self, AppError> {
        let bytes: [u8; 32] = random().map_err(AppError::internal)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads one as a browser sends it, in its one form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (text.len() == 43 && text.bytes().all(word)).then(|| Self(text.to_owned()))
    }

    /// The text, for the one whom it is for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who, with what they may do now.
    pub caller: Caller,
    /// When the session ends at the latest.
    pub ends_at: Timestamp,
}

/// That a link is none, or none any more.
#[must_use]
pub fn no_link() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        "NO_LINK",
        "this link was used, is older than a minute, or never was one",
    )
    .help("get a new one: hadron console")
}

/// Who a token stands for, as long as it counts.
fn bearer(token: TokenRow, bindings: &[BindingRow], now: Timestamp) -> Option<Caller> {
    let counts = !token.disabled && token.expires_at.is_none_or(|end| now < end);
    counts.then(|| Caller {
        rights: access::rights(Whom::of(&token), bindings),
        principal: Principal::new(token.principal),
        account: token.account,
    })
}

async fn audit(unit: &mut Unit<'_>, caller: &Caller, action: &str) -> Result<(), AppError> {
    let (principal, account) = (caller.principal.as_str(), caller.account);
    requests::audit(unit.tx, unit.now, principal, account, action, "", "done", "").await?;
    Ok(())
}

/// A session of this text for the bearer of a token.
async fn opened(unit: &mut Unit<'_>, digest: Digest, token: Digest) -> Result<SignedIn, AppError> {
    let found = crate::store::bindings::with_token(unit.tx, token).await?;
    let (row, bindings) = found.ok_or_else(no_link)?;
    let longest = unit.now.plus(SESSION_LIFE);
    let ends_at = row.expires_at.map_or(longest, |end| end.min(longest));
    let caller = bearer(row, &bindings, unit.now).ok_or_else(no_link)?;
    let row = SessionRow {
        digest,
        kind: SessionKind::Session,
        token,
        created_at: unit.now,
        idle_at: unit.now.plus(IDLE).min(ends_at),
        ends_at,
    };
    console::insert(unit.tx, &row).await?;
    audit(unit, &caller, "SignIn").await?;
    Ok(SignedIn { caller, ends_at })
}

impl App {
    /// A link that signs the bearer of this token in, once.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn console_link(&self, caller: &Caller, token: Digest) -> Result<Secret, AppError> {
        let link = Secret::fresh()?;
        let (digest, caller) = (link.digest(), caller.clone());
        self.write("console link", move |unit| {
            Box::pin(async move {
                let ends_at = unit.now.plus(LINK_LIFE);
                let row = SessionRow {
                    digest,
                    kind: SessionKind::Link,
                    token,
                    created_at: unit.now,
                    idle_at: ends_at,
                    ends_at,
                };
                console::insert(unit.tx, &row).await?;
                audit(unit, &caller, "CreateConsoleLink").await
            })
        })
        .await?;
        Ok(link)
    }

    async fn standing_for(
        &self,
        kind: SessionKind,
        secret: &Secret,
    ) -> Result<Option<(SessionRow, SignedIn)>, AppError> {
        let (digest, now) = (secret.digest(), self.db().now().await?);
        let found = self
            .read("console session", move |tx| {
                Box::pin(async move { Ok(console::with_token(tx, kind, digest).await?) })
            })
            .await?;
        let Some((row, token, bindings)) = found else {
            return Ok(None);
        };
        if row.idle_at <= now || row.ends_at <= now {
            return Ok(None);
        }
        let ends_at = row.ends_at;
        let caller = bearer(token, &bindings, now);
        Ok(caller.map(|caller| (row, SignedIn { caller, ends_at })))
    }

    /// Whom a link would sign in. It stays good.
    ///
    /// # Errors
    /// When it is no link any more.
    pub async fn link_of(&self, link: &Secret) -> Result<Caller, AppError> {
        let found = self.standing_for(SessionKind::Link, link).await?;
        found.map(|(_, signed_in)| signed_in.caller).ok_or_else(no_link)
    }

    /// Opens a session with a link, which is used up.
    ///
    /// # Errors
    /// When it is no link any more.
    pub async fn sign_in(&self, link: &Secret) -> Result<(Secret, SignedIn), AppError> {
        let session = Secret::fresh()?;
        let (link, digest) = (link.digest(), session.digest());
        let signed_in = self
            .write("sign in", move |unit| {
                Box::pin(async move {
                    console::forget(unit.tx, unit.now).await?;
                    let Some(link) = console::take(unit.tx, SessionKind::Link, link).await? else {
                        return Err(no_link());
                    };
                    opened(unit, digest, link.token).await
                })
            })
            .await?;
        Ok((session, signed_in))
    }

    /// Opens a session for the bearer of a token that they got just now, by proving who they are.
    ///
    /// # Errors
    /// When the token counts no more, or the database does not take it.
    pub async fn sign_in_as(&self, token: Digest) -> Result<(Secret, SignedIn), AppError> {
        let session = Secret::fresh()?;
        let digest = session.digest();
        let signed_in = self
            .write("open session", move |unit| {
                Box::pin(async move {
                    console::forget(unit.tx, unit.now).await?;
                    opened(unit, digest, token).await
                })
            })
            .await?;
        Ok((session, signed_in))
    }

    /// Who a session belongs to; `None` when it has ended. `using` it makes it last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session(&self, session: &Secret, using: bool) -> Result<Option<SignedIn>, AppError> {
        let Some((row, signed_in)) = self.standing_for(SessionKind::Session, session).await? else {
            return Ok(None);
        };
        let idle_at = self.db().now().await?.plus(IDLE).min(row.ends_at);
        if using && row.idle_at.plus(WORTH_WRITING) < idle_at {
            let digest = row.digest;
            let written = self.write("use session", move |unit| {
                Box::pin(async move { Ok(console::used(unit.tx, digest, idle_at).await?) })
            });
            // That it lasts longer is no reason to refuse who is signed in.
            if let Err(error) = written.await {
                tracing::warn!(
                    error = error.story(),
                    "the use of a console session could not be noted"
                );
            }
        }
        Ok(Some(signed_in))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn sign_out(&self, session: &Secret, caller: &Caller) -> Result<(), AppError> {
        let (digest, caller) = (session.digest(), caller.clone());
        self.write("sign out", move |unit| {
            Box::pin(async move {
                if console::take(unit.tx, SessionKind::Session, digest)
                    .await?
                    .is_some()
                {
                    audit(unit, &caller, "SignOut").await?;
                }
                Ok(())
            })
        })
        .await
    }
}
