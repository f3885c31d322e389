//! Bearer tokens: who a caller is. Only digests are stored; the text is shown once.

use std::time::Duration;

use hadron_domain::authority::{Caller, Role};
use hadron_domain::principal::Principal;
use hadron_proto::vocab::{AccountId, Digest};

use super::{App, AppError, ErrorKind};
use crate::store::requests::{self, TokenRow};

/// A new token. The text is not stored anywhere.
pub struct NewToken {
    /// What it is called; empty for tokens that a login gives.
    pub name: String,
    /// Who it stands for.
    pub principal: Principal,
    /// The account that STS proved.
    pub account: Option<AccountId>,
    /// The part that its bearer plays.
    pub role: Role,
    /// How long it counts; for ever when `None`.
    pub life: Option<Duration>,
}

fn unauthenticated(message: &str) -> AppError {
    AppError::new(ErrorKind::Unauthenticated, "UNAUTHENTICATED", message).help(
        "log in with AWS credentials (hadron login), or set HADRON_TOKEN to a token that an administrator minted \
         (hadron-hub admin token create)",
    )
}

impl App {
    /// Stores the digest of a new token's text.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn mint_token(&self, text: &str, new: NewToken) -> Result<(), AppError> {
        let digest = Digest::of(text.as_bytes());
        self.write("mint token", move |unit| {
            Box::pin(async move {
                let row = TokenRow {
                    digest,
                    name: new.name,
                    principal: new.principal.to_string(),
                    account: new.account,
                    role: new.role,
                    created_at: unit.now,
                    expires_at: new.life.map(|life| unit.now.plus(life)),
                    disabled: false,
                };
                Ok(requests::insert_token(unit.tx, &row).await?)
            })
        })
        .await
    }

    /// Who the bearer of a token is.
    ///
    /// # Errors
    /// When the token is unknown, expired or switched off; all three give the same answer.
    pub async fn caller_of(&self, token: &str) -> Result<Caller, AppError> {
        let digest = Digest::of(token.as_bytes());
        let now = self.db().now().await?;
        let row = self
            .read("token", move |tx| {
                Box::pin(async move { Ok(requests::token(tx, digest).await?) })
            })
            .await?
            .filter(|row| !row.disabled && row.expires_at.is_none_or(|at| now < at))
            .ok_or_else(|| unauthenticated("the token is unknown, expired or switched off"))?;
        Ok(Caller {
            principal: Principal::new(row.principal),
            account: row.account,
            role: row.role,
        })
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
