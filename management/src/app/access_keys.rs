//! Access keys of the Proton API: making them, and finding out who signed a request.
//!
//! There are two sorts. *Minted* keys are made by an administrator of the hub's machine, have a name and a role, and stand
//! for no AWS account. *Temporary* keys are given for a proof of an IAM identity, for an hour, with a session token; they
//! stand for that identity and its account.
//!
//! [`AccessKeys::authenticate`] keeps two rules. Whoever does not hold the right secret learns nothing: unknown, switched
//! off and expired keys, wrong secrets and wrong session tokens get one answer, after the same work. And a change counts
//! once: the signature of a request that changes something is remembered for longer than its date is accepted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hadron_domain::authority::{Caller, Role};
use hadron_domain::principal::Principal;
use hadron_proto::vocab::{Digest, Timestamp};
use subtle::ConstantTimeEq as _;

use super::access::Whom;
use super::refusals::{Refusals, Refused};
use super::{App, AppError, ErrorKind, access};
use crate::identity::login::{self, MAX_NAME};
use crate::identity::random;
use crate::identity::seal::{Place, Seal, SealError, Sealed};
use crate::identity::sigv4::{MAX_SKEW, Presented, Skew};
use crate::store::access_keys::{self, AccessKeyRow};
use crate::store::{bindings, requests};

/// How long a temporary key is good.
pub const TEMPORARY_LIFE: Duration = Duration::from_secs(3600);
/// What every access key id begins with.
pub const ID_PREFIX: &str = "HUBA";
/// How long the signature of a change is remembered: a date is accepted from 5 minutes before to 5 minutes after.
const REMEMBERED: Duration = Duration::from_secs(2 * MAX_SKEW.as_secs());
/// How exactly it is known when a key was used last.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The id of no key; what is sealed for it is opened when a request names a key that does not exist.
const NOBODY: &str = "HUBA";

/// Why a signed request is not answered. The texts are for whoever sent it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No key that counts was used rightly. One answer for everything that somebody without the secret can bring about.
    #[error(
        "the signature does not match: the access key is unknown, switched off or expired, or the secret access key or the \
         session token is not the one that belongs to it"
    )]
    Signature,
    /// Rightly signed, at the wrong time.
    #[error(transparent)]
    Date(#[from] Skew),
    /// A temporary key has run out. Only said to who has signed with it rightly, and so had it.
    #[error("the temporary access key ended at {0}: get new ones (hadron credentials)")]
    Expired(Timestamp),
    /// The very same signed request came before.
    #[error("this very request was received before, and a change counts once: sign it again")]
    Replayed {
        /// How long it takes until signing the same again gives another signature.
        wait: Duration,
    },
    /// The hub's own fault.
    #[error("the hub cannot check signatures now")]
    Internal(#[source] AppError),
}

/// A key that was just made, with what is shown only now.
#[derive(Clone)]
pub struct NewKey {
    /// Its secret.
    pub secret: String,
    /// Its session token, if it is a temporary one.
    pub session_token: Option<String>,
    /// What is stored.
    pub row: AccessKeyRow,
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NewKey").field(&self.row.id).finish()
    }
}

/// From where and for what a signed request came, for the audit log.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The address.
    pub source: IpAddr,
    /// The operation, such as `CreateEnvironment`.
    pub operation: &'a str,
    /// Whether it changes anything.
    pub mutating: bool,
}

/// Makes and checks access keys. Clones share everything.
#[derive(Clone, Debug)]
pub struct AccessKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    seal: Arc<Seal>,
    nobody: Sealed,
    refusals: Refusals,
}

fn sealing(error: SealError) -> AppError {
    AppError::internal(error)
}

fn place(id: &str) -> Place<'_> {
    Place {
        table: "access_key",
        column: "secret",
        row: id,
    }
}

fn random_text(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

impl AccessKeys {
    /// Over this database and these sealing keys.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(app: App, seal: Arc<Seal>) -> Result<Self, AppError> {
        let secret: [u8; 32] = random().map_err(AppError::internal)?;
        let nobody = seal
            .seal(place(NOBODY), random_text(&secret).as_bytes())
            .map_err(sealing)?;
        Ok(Self(Arc::new(Inner {
            refusals: Refusals::new(app.clone()),
            app,
            seal,
            nobody,
        })))
    }

    /// The Region that requests have to be signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.app.settings().region.as_str()
    }

    /// Mints a key with a name and a role; without a role it may do what bindings say.
    ///
    /// # Errors
    /// When the name is of a wrong form or taken, the role is that of an account's owner, or the database fails.
    pub async fn mint(
        &self,
        name: &str,
        role: Option<Role>,
        life: Option<Duration>,
    ) -> Result<NewKey, AppError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(word) {
            return Err(AppError::invalid(
                "KEY_NAME",
                "an access key's name is 1 to 64 of letters, digits, '-', '_' and '.'",
            ));
        }
        if role == Some(Role::Owner) {
            return Err(AppError::invalid(
                "KEY_ROLE",
                "an access key that is minted stands for no AWS account, so it cannot be an owner's",
            )
            .help("owners get keys for their account's IAM identities with `hadron credentials`"));
        }
        let taken = self.minted().await?;
        if taken.iter().any(|key| key.name == name && !key.disabled) {
            return Err(AppError::new(
                ErrorKind::AlreadyExists,
                "KEY_EXISTS",
                format!("there is an access key '{name}' already"),
            )
            .help(format!(
                "hadron-hub admin access-key disable {name}, or use another name"
            )));
        }
        let now = self.0.app.db().now().await?;
        let made = self.make(|id| AccessKeyRow {
            id,
            name: name.to_owned(),
            principal: format!("key:{name}"),
            account: None,
            role,
            secret: Vec::new(),
            key_version: 0,
            session: None,
            created_at: now,
            expires_at: life.map(|life| now.plus(life)),
            last_used_at: None,
            disabled: false,
        })?;
        self.store(made, "MintAccessKey").await
    }

    /// A temporary key for somebody whom STS has named.
    ///
    /// # Errors
    /// When they have no role here, or the database fails.
    pub async fn issue(&self, principal: &login::Principal) -> Result<NewKey, AppError> {
        let role = self.0.app.base_role(principal.account, &principal.arn).await?;
        let token: [u8; 32] = random().map_err(AppError::internal)?;
        let token = random_text(&token);
        let now = self.0.app.db().now().await?;
        let mut made = self.make(|id| AccessKeyRow {
            id,
            name: String::new(),
            principal: principal.arn.clone(),
            account: Some(principal.account),
            role,
            secret: Vec::new(),
            key_version: 0,
            session: Some(Digest::of(token.as_bytes())),
            created_at: now,
            // AWS clients read the time of the end to the second.
            expires_at: Some(whole_second(now.plus(TEMPORARY_LIFE))),
            last_used_at: None,
            disabled: false,
        })?;
        made.session_token = Some(token);
        self.store(made, "IssueAccessKey").await
    }

    /// Seals every secret with the newest version of the sealing key; gives how many were sealed with another one.
    ///
    /// # Errors
    /// When a secret does not open, or the database fails.
    pub async fn reseal(&self) -> Result<u64, AppError> {
        let Inner { app, seal, .. } = &*self.0;
        let (newest, mut done) = (seal.newest_version(), 0);
        loop {
            let rows = app.read("secrets to seal anew", move |tx| {
                Box::pin(async move { Ok(access_keys::sealed_otherwise(tx, newest, 100).await?) })
            });
            let rows = rows.await?;
            if rows.is_empty() {
                return Ok(done);
            }
            for row in rows {
                let sealed = Sealed {
                    bytes: row.secret,
                    version: row.key_version,
                };
                let secret = seal.open(place(&row.id), &sealed).map_err(sealing)?;
                let anew = seal.seal(place(&row.id), &secret).map_err(sealing)?;
                app.write("secret sealed anew", move |unit| {
                    Box::pin(async move {
                        let (before, Sealed { bytes, version }) = (row.key_version, anew);
                        Ok(access_keys::reseal(unit.tx, &row.id, before, bytes, version).await?)
                    })
                })
                .await?;
                done += 1;
            }
        }
    }

    fn make(&self, row: impl FnOnce(String) -> AccessKeyRow) -> Result<NewKey, AppError> {
        let letters: [u8; 16] = random().map_err(AppError::internal)?;
        let letter = |byte: &u8| char::from(BASE32[usize::from(byte % 32)]);
        let id: String = ID_PREFIX.chars().chain(letters.iter().map(letter)).collect();
        let secret: [u8; 32] = random().map_err(AppError::internal)?;
        let secret = random_text(&secret);
        let sealed = self.0.seal.seal(place(&id), secret.as_bytes()).map_err(sealing)?;
        let row = AccessKeyRow {
            secret: sealed.bytes,
            key_version: sealed.version,
            ..row(id)
        };
        Ok(NewKey {
            secret,
            session_token: None,
            row,
        })
    }

    async fn store(&self, made: NewKey, action: &'static str) -> Result<NewKey, AppError> {
        let row = made.row.clone();
        let work = self.0.app.write("add access key", move |unit| {
            Box::pin(async move {
                access_keys::insert(unit.tx, &row).await?;
                requests::audit(
                    unit.tx,
                    unit.now,
                    &row.principal,
                    row.account,
                    action,
                    &row.id,
                    "done",
                    row.role.map_or("", Role::word),
                )
                .await?;
                Ok(())
            })
        });
        work.await?;
        Ok(made)
    }

    /// Minted keys, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn minted(&self) -> Result<Vec<AccessKeyRow>, AppError> {
        let list = self.0.app.read("access keys", |tx| {
            Box::pin(async move { Ok(access_keys::minted(tx).await?) })
        });
        list.await
    }

    /// Switches off minted keys of a name, or any key by its id, at once. Gives the ids of those that counted before.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn disable(&self, name_or_id: String) -> Result<Vec<String>, AppError> {
        let work = self.0.app.write("disable access keys", move |unit| {
            Box::pin(async move {
                let ids = access_keys::disable(unit.tx, &name_or_id).await?;
                for id in &ids {
                    // By somebody on the hub's machine; the hub does not know whom.
                    requests::audit(unit.tx, unit.now, "hub", None, "DisableAccessKey", id, "done", "")
                        .await?;
                }
                Ok(ids)
            })
        });
        work.await
    }

    /// Who signed a request.
    ///
    /// # Errors
    /// See [`Refusal`]; whatever is refused is audited, within limits.
    pub async fn authenticate(&self, presented: &Presented, asked: Asked<'_>) -> Result<Caller, Refusal> {
        let now = self
            .0
            .app
            .db()
            .now()
            .await
            .map_err(|error| Refusal::Internal(error.into()))?;
        let id = presented.access_key_id.clone();
        let found = self
            .0
            .app
            .read("access key", move |tx| {
                Box::pin(async move { Ok(bindings::with_key(tx, &id).await?) })
            })
            .await
            .map_err(Refusal::Internal)?;
        let (found, bindings) = found.unzip();
        let right = self.is_signed_with(presented, found.as_ref())?;
        let key = match found {
            Some(key) if right => key,
            Some(_) => {
                return Err(self
                    .refuse(
                        presented,
                        None,
                        asked,
                        "wrong secret or session token",
                        Refusal::Signature,
                    )
                    .await);
            }
            None => {
                return Err(self
                    .refuse(presented, None, asked, "unknown access key", Refusal::Signature)
                    .await);
            }
        };
        if key.disabled {
            let told = "the access key is switched off";
            return Err(self
                .refuse(presented, Some(&key), asked, told, Refusal::Signature)
                .await);
        }
        if let Some(end) = key.expires_at.filter(|end| *end <= now) {
            // SDKs fetch new temporary keys when they are told so.
            let refusal = if key.session.is_some() {
                Refusal::Expired(end)
            } else {
                Refusal::Signature
            };
            return Err(self
                .refuse(
                    presented,
                    Some(&key),
                    asked,
                    "the access key has expired",
                    refusal,
                )
                .await);
        }
        if let Err(skew) = presented.check_date(now) {
            let told = skew.to_string();
            return Err(self
                .refuse(presented, Some(&key), asked, &told, skew.into())
                .await);
        }
        if let Some(first) = self.used(presented, &key, asked, now).await? {
            // Dates have whole seconds: a second after it came first, the client signs with another date.
            let wait = first
                .plus(Duration::from_secs(1))
                .since(now)
                .min(Duration::from_secs(1));
            let told = "the same signed request came before";
            return Err(self
                .refuse(presented, Some(&key), asked, told, Refusal::Replayed { wait })
                .await);
        }
        let bindings = bindings.unwrap_or_default();
        Ok(Caller {
            rights: access::rights(
                Whom {
                    principal: &key.principal,
                    account: key.account,
                    base: key.role,
                    groups: &[],
                },
                &bindings,
            ),
            principal: Principal::new(key.principal),
            account: key.account,
        })
    }

    /// Whether secret and session token are right. The same is done for a key that does not exist.
    fn is_signed_with(&self, presented: &Presented, key: Option<&AccessKeyRow>) -> Result<bool, Refusal> {
        let opened = match key {
            Some(key) => {
                let sealed = Sealed {
                    bytes: key.secret.clone(),
                    version: key.key_version,
                };
                self.0.seal.open(place(&key.id), &sealed)
            }
            None => self.0.seal.open(place(NOBODY), &self.0.nobody),
        };
        let secret = opened.map_err(|error| Refusal::Internal(sealing(error)))?;
        let signed = presented.matches(&secret);
        let given = Digest::of(presented.session_token.as_deref().unwrap_or_default().as_bytes());
        let session = match key.and_then(|key| key.session) {
            Some(wanted) => wanted.as_bytes().ct_eq(given.as_bytes()).into(),
            None => presented.session_token.is_none(),
        };
        Ok(signed & session & key.is_some())
    }

    /// Writes down that the key was used and, for a change, that this signature was; gives when it came first, if it came
    /// before.
    async fn used(
        &self,
        presented: &Presented,
        key: &AccessKeyRow,
        asked: Asked<'_>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Refusal> {
        let before = now.minus(TOUCH_EVERY);
        let touch = key.last_used_at.is_none_or(|last| last < before);
        if !touch && !asked.mutating {
            return Ok(None);
        }
        let (id, signature, mutating) = (key.id.clone(), presented.fingerprint(), asked.mutating);
        let work = self.0.app.write("use access key", move |unit| {
            Box::pin(async move {
                if mutating {
                    let until = now.plus(REMEMBERED);
                    let before = access_keys::use_up(unit.tx, signature, until).await?;
                    if let Some(before) = before {
                        return Ok(Some(before.minus(REMEMBERED)));
                    }
                }
                if touch {
                    access_keys::touch(unit.tx, &id, now, before).await?;
                }
                Ok(None)
            })
        });
        match work.await {
            Ok(first) => Ok(first),
            // That it is known when a key was used last is no reason to refuse who only reads.
            Err(error) if !asked.mutating => {
                tracing::warn!(
                    error = error.story(),
                    "the use of an access key could not be noted"
                );
                Ok(None)
            }
            Err(error) => Err(Refusal::Internal(error)),
        }
    }

    /// Writes a refused request into audit log and log, within limits ([`Refusals`]), and gives the refusal back.
    async fn refuse(
        &self,
        presented: &Presented,
        key: Option<&AccessKeyRow>,
        asked: Asked<'_>,
        why: &str,
        refusal: Refusal,
    ) -> Refusal {
        self.refused(&presented.access_key_id, key, asked, why).await;
        refusal
    }

    /// Writes down a request whose signature cannot even be read.
    pub async fn unreadable(&self, asked: Asked<'_>, why: &str) {
        self.refused("", None, asked, why).await;
    }

    async fn refused(&self, id: &str, key: Option<&AccessKeyRow>, asked: Asked<'_>, why: &str) {
        let refused = Refused {
            principal: key.map_or("unknown", |key| key.principal.as_str()),
            account: key.and_then(|key| key.account),
            operation: asked.operation,
            object: id,
            why,
            source: asked.source,
        };
        self.0.refusals.record(refused).await;
    }
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros() - at.as_micros().rem_euclid(1_000_000))
}
