//! Bearer tokens: who a caller is. Only digests are stored; the text is shown once.

use hadron_domain::authority::Caller;
use hadron_domain::principal::Principal;
use hadron_proto::vocab::Digest;

use super::access::Whom;
use super::{App, AppError, ErrorKind, access};
use crate::store::bindings;
use crate::store::requests::{self, TokenRow};

fn unauthenticated(message: &str) -> AppError {
    AppError::new(ErrorKind::Unauthenticated, "UNAUTHENTICATED", message).help(
        "log in with AWS credentials (hadron login), or set HADRON_TOKEN to a token that an administrator minted \
         (hadron-hub admin token create)",
    )
}

impl App {
    /// Who the bearer of a token is.
    ///
    /// # Errors
    /// When the token is unknown, expired or switched off; all three give the same answer.
    pub async fn caller_of(&self, token: &str) -> Result<Caller, AppError> {
        let digest = Digest::of(token.as_bytes());
        let now = self.db().now().await?;
        let (row, bindings) = self
            .read("token", move |tx| {
                Box::pin(async move { Ok(bindings::with_token(tx, digest).await?) })
            })
            .await?
            .filter(|(row, _)| !row.disabled && row.expires_at.is_none_or(|at| now < at))
            .ok_or_else(|| unauthenticated("the token is unknown, expired or switched off"))?;
        Ok(Caller {
            rights: access::rights(Whom::of(&row), &bindings),
            principal: Principal::new(row.principal),
            account: row.account,
        })
    }

    /// Ends the token that a caller logged in with, at once.
    ///
    /// # Errors
    /// When it was minted, or counts no more.
    pub async fn log_out(&self, caller: &Caller, token: &str) -> Result<(), AppError> {
        let digest = Digest::of(token.as_bytes());
        let (principal, account) = (caller.principal.to_string(), caller.account);
        let ended = self.write("end token", move |unit| {
            Box::pin(async move {
                let ended = requests::end_token(unit.tx, digest).await?;
                if ended {
                    requests::audit(unit.tx, unit.now, &principal, account, "Logout", "", "done", "").await?;
                }
                Ok(ended)
            })
        });
        if ended.await? {
            return Ok(());
        }
        Err(AppError::new(
            ErrorKind::Precondition,
            "MINTED",
            "this token was minted by an administrator: it ends when they say so",
        )
        .help("hadron-hub admin token disable NAME, on the hub's machine"))
    }

    /// Minted tokens, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn minted_tokens(&self) -> Result<Vec<TokenRow>, AppError> {
        self.read("tokens", |tx| {
            Box::pin(async move { Ok(requests::minted_tokens(tx).await?) })
        })
        .await
    }

    /// Switches minted tokens of a name off; gives how many there were.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn disable_tokens(&self, name: String) -> Result<u64, AppError> {
        self.write("disable tokens", move |unit| {
            Box::pin(async move { Ok(requests::disable_tokens(unit.tx, &name).await?) })
        })
        .await
    }
}
