//! What lets somebody in just now, for those who look after that: bearer tokens, and access keys of the Proton API.

use hadron_domain::authority::{Action, Caller, Place, Role};
use hadron_proto::vocab::{AccountId, Digest, Timestamp};

use super::{App, AppError, ErrorKind, Request};
use crate::store::access_keys::{self, AccessKeyRow};
use crate::store::requests::{self, TokenRow};

/// What a key is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyId {
    /// A bearer token, by the digest of its text; nothing can be done with that.
    Token(Digest),
    /// An access key, by its id.
    AccessKey(String),
}

/// Something that lets somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it is known by.
    pub id: KeyId,
    /// What it is called; empty where a login gave it.
    pub name: String,
    /// Whom it lets in.
    pub principal: String,
    /// The account that STS proved; `None` for minted ones.
    pub account: Option<AccountId>,
    /// The part that its bearer plays everywhere; `None` where bindings alone say what they may do.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops counting; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute or so; of tokens that is not known.
    pub last_used_at: Option<Timestamp>,
}

impl From<TokenRow> for Key {
    fn from(row: TokenRow) -> Self {
        Self {
            id: KeyId::Token(row.digest),
            name: row.name,
            principal: row.principal,
            account: row.account,
            role: row.role,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: None,
        }
    }
}

impl From<AccessKeyRow> for Key {
    fn from(row: AccessKeyRow) -> Self {
        Self {
            id: KeyId::AccessKey(row.id),
            name: row.name,
            principal: row.principal,
            account: row.account,
            role: row.role,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

impl App {
    /// Tokens and access keys that count now, the latest of each sort first, `limit` of each at most.
    ///
    /// # Errors
    /// When the caller may not read who may do what.
    pub async fn list_keys(&self, caller: &Caller, limit: u32) -> Result<Vec<Key>, AppError> {
        self.may(caller, Action::ReadAccess).await?;
        self.read("keys", move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                let tokens = requests::live_tokens(tx, now, limit).await?;
                let keys = access_keys::live(tx, now, limit).await?;
                let tokens = tokens.into_iter().map(Key::from);
                Ok(tokens.chain(keys.into_iter().map(Key::from)).collect())
            })
        })
        .await
    }

    /// Ends a token or an access key at once, whoever has it.
    ///
    /// # Errors
    /// When the caller may not decide who may do what, or no such key counts.
    pub async fn end_key(&self, request: Request, id: KeyId) -> Result<(), AppError> {
        self.may_at(&request.caller, Action::WriteAccess, &Place::default())
            .await?;
        if self.seen(&request).await?.is_some() {
            return Ok(());
        }
        self.write_once(request.key(), "end key", move |unit| {
            Box::pin(async move {
                let ended = match &id {
                    KeyId::Token(digest) => {
                        requests::disable_token(unit.tx, *digest)
                            .await?
                            .map(|(name, principal)| match name.as_str() {
                                "" => format!("token of {principal}"),
                                name => format!("token {name} of {principal}"),
                            })
                    }
                    KeyId::AccessKey(id) => access_keys::end(unit.tx, id)
                        .await?
                        .map(|principal| format!("access key {id} of {principal}")),
                };
                let ended = ended.ok_or_else(|| {
                    AppError::new(
                        ErrorKind::NotFound,
                        "NOT_FOUND",
                        "there is no such token or access key, or it has ended already",
                    )
                })?;
                Ok(unit.answered(&request, &ended).await?)
            })
        })
        .await
    }
}
