//! Use cases. Each loads what it needs, asks the authority table, lets the rules decide, writes state and effects in one
//! transaction, and answers after the commit. No SQL text and no wire type comes in here.
//!
//! * [`App`]: what every use case needs. Clones share it.
//! * [`Unit`]: one unit of work, that is, one transaction with its time and the notices for live sessions.
//! * One module per noun; [`work`] is what agents ask, [`effects`] carries out what the rules say.

pub mod access;
pub mod access_keys;
pub mod acks;
pub mod agents;
pub mod audit;
pub mod bindings;
pub mod bundles;
pub mod ca;
pub mod checkpoints;
pub mod components;
pub mod connections;
pub mod console;
pub mod deployments;
pub mod effects;
pub mod enrolment;
pub mod environments;
pub mod error;
pub mod events;
mod fences;
pub mod figures;
pub mod grants;
pub mod inputs;
pub mod insights;
pub mod instances;
pub mod keys;
pub mod management;
mod masking;
pub mod notifications;
pub mod oidc;
pub mod origin;
pub mod outputs;
pub mod pipelines;
pub mod pulse;
pub mod quotas;
pub mod recovery;
pub mod refusals;
pub mod rendered;
pub mod repositories;
mod retry;
pub mod sealing;
pub mod services;
pub mod settings;
pub mod summary;
pub mod sync;
pub mod tags;
pub mod templates;
pub mod tokens;
pub mod trail;
pub mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hadron_domain::authority::{Action, Caller, Denied, Place, Sight};
use hadron_domain::principal::Signed;
use hadron_proto::vocab::{
    AccountId, ConnectionId, Digest, JobId, Region, RoleArn, SessionId, StackPrefix, Timestamp,
};
use tokio::sync::broadcast;

pub use error::{AppError, ErrorKind};
pub use quotas::{Quota, Quotas};

use crate::clock::Clock;
use crate::render::Renderer;
use crate::store::{Db, StoreError, Tx, requests};

/// What the hub was told about itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hub's id, part of every certificate.
    pub hub_id: String,
    /// The management account.
    pub account: AccountId,
    /// The Region that the hub stands for.
    pub region: Region,
    /// What stack names begin with.
    pub stack_prefix: StackPrefix,
    /// The IAM role name that agents run as, unless a connection says otherwise.
    pub agent_role_name: String,
    /// What the management account's agent provisions environments and instances with.
    pub provisioning_role: Option<RoleArn>,
    /// What the management account's agent provisions pipelines with.
    pub pipeline_role: Option<RoleArn>,
    /// How long a lease holds.
    pub lease: Duration,
    /// How often agents renew.
    pub heartbeat: Duration,
    /// How often repository policies are compared with what is wanted although nothing has changed.
    pub grant_check: Duration,
    /// Who is told about changes of status.
    pub events: events::Sinks,
    /// Where the management account's agent keeps copies of checkpoints of the audit log.
    pub audit_copy: Option<checkpoints::LockedBucket>,
    /// How many of each thing there may be.
    pub quotas: quotas::Quotas,
    /// Who plays which role everywhere, by configuration.
    pub access: access::Access,
    /// What templates may contain, and how capabilities are approved.
    pub templates: templates::Rules,
}

/// What live sessions have to be told after a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The session no longer holds the job.
    Lost {
        /// Whose.
        session: SessionId,
        /// Which job.
        job: JobId,
        /// Under which fence it was held.
        fence: u64,
    },
    /// Every session that came through the connection has to be closed.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        why: String,
    },
    /// The session was displaced by a newer one of the same agent.
    Displaced {
        /// Which.
        session: SessionId,
    },
}

/// What every use case needs.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    settings: Settings,
    notices: broadcast::Sender<Notice>,
    bundles: bundles::Cache,
    renderer: Renderer,
    fences: fences::Stock,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("db", &self.0.db)
            .finish_non_exhaustive()
    }
}

/// A request for a change: who, and under which idempotency token.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// The token that makes a repetition harmless; `None` when the caller gave none.
    pub id: Option<String>,
    /// The operation, such as `CreateEnvironment`.
    pub operation: &'static str,
    /// Digest of everything that was asked.
    pub hash: Digest,
    /// Whether a creation without a token that repeats the one which made what exists is answered with that, as Proton
    /// does it. Otherwise it is told that the name is taken.
    pub repeatable: bool,
    /// Tags for what it makes; none for requests that make nothing.
    pub tags: Vec<(String, String)>,
}

/// One unit of work: one transaction.
pub struct Unit<'a> {
    /// The transaction.
    pub tx: &'a mut Tx,
    /// Everything else.
    pub app: App,
    /// The time by the database's clock, once for the whole unit.
    pub now: Timestamp,
    notices: Vec<Notice>,
    /// Tags for what this unit makes.
    tags: Vec<(String, String)>,
    /// The request that this unit has answered, where it had an id.
    asked: Option<retry::Asked>,
}

impl Unit<'_> {
    /// Tells live sessions after the commit.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// The hub's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.app.0.settings
    }

    /// A fresh id.
    #[must_use]
    pub fn fresh_id<K: hadron_proto::vocab::IdKind>(&self) -> hadron_proto::vocab::Id<K> {
        self.app.0.clock.fresh_id()
    }

    /// The caller's decision, signed with the time of this unit.
    #[must_use]
    pub fn signed(&self, caller: &Caller) -> Signed {
        Signed {
            who: caller.principal.clone(),
            at: self.now,
        }
    }

    /// Remembers what request made the thing of this name, so that its repetition can be told from another one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn created(
        &mut self,
        request: &Request,
        kind: &'static str,
        name: &str,
    ) -> Result<(), StoreError> {
        requests::created(self.tx, kind, name, &request.hash).await
    }

    /// The thing of this name is gone: its next creation is a new one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn uncreated(&mut self, kind: &'static str, name: &str) -> Result<(), StoreError> {
        requests::uncreated(self.tx, kind, name).await
    }

    /// Remembers the answer to a request and writes the audit line. What the unit has made, or makes yet, gets the
    /// request's tags.
    ///
    /// # Errors
    /// [`StoreError`] when the same request id was used in between.
    pub async fn answered(&mut self, request: &Request, object: &str) -> Result<(), StoreError> {
        self.tags.clone_from(&request.tags);
        let principal = request.caller.principal.as_str();
        if let Some(id) = &request.id {
            requests::answered(
                self.tx,
                principal,
                id,
                request.operation,
                &request.hash,
                object,
                self.now,
            )
            .await?;
            self.asked = Some(retry::Asked {
                principal: principal.to_owned(),
                id: id.clone(),
                operation: request.operation,
                hash: request.hash,
            });
        }
        requests::audit(
            self.tx,
            self.now,
            principal,
            request.caller.account,
            request.operation,
            object,
            "done",
            "",
        )
        .await
    }
}

impl App {
    /// Everything, over an open and migrated database. Templates are rendered in this process: for those who render none,
    /// or trust theirs.
    #[must_use]
    pub fn new(db: Db, clock: Clock, settings: Settings) -> Self {
        Self::rendering(db, clock, settings, Renderer::here())
    }

    /// The same with somebody else who renders.
    #[must_use]
    pub fn rendering(db: Db, clock: Clock, settings: Settings, renderer: Renderer) -> Self {
        let notices = broadcast::Sender::new(1024);
        Self(Arc::new(Inner {
            db,
            clock,
            settings,
            notices,
            bundles: bundles::Cache::default(),
            renderer,
            fences: fences::Stock::default(),
        }))
    }

    /// The hub's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The hub's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The database, for whoever has to wait for changes in it.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Who renders for it.
    #[must_use]
    pub fn renderer(&self) -> &Renderer {
        &self.0.renderer
    }

    /// Notices for live sessions of this process from now on.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.0.notices.subscribe()
    }

    /// Runs a question on a snapshot.
    ///
    /// # Errors
    /// What the question returns, or a [`StoreError`] of the transaction.
    pub async fn read<T, F>(&self, label: &'static str, question: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, AppError>> + Send + 'static,
    {
        self.0.db.read(label, question).await
    }

    /// Whether this very request was answered before, and with what.
    ///
    /// # Errors
    /// When the request id was used for something else.
    pub async fn seen(&self, request: &Request) -> Result<Option<String>, AppError> {
        let Some(id) = request.id.clone() else {
            return Ok(None);
        };
        let (principal, operation, hash) =
            (request.caller.principal.clone(), request.operation, request.hash);
        let seen = self
            .read("request", move |tx| {
                Box::pin(
                    async move { Ok(requests::seen(tx, principal.as_str(), &id, operation, &hash).await?) },
                )
            })
            .await?;
        match seen {
            requests::Seen::New => Ok(None),
            requests::Seen::Answered(object) => Ok(Some(object)),
            requests::Seen::Other(before) => Err(AppError::new(
                ErrorKind::Conflict,
                "REQUEST_ID_REUSED",
                format!("this request id was already used for another {before} request"),
            )
            .help("use a new request id for a new request; leave it out to have one made")),
        }
    }

    /// Whether this very request made the thing of this name, as far as repetitions are answered at all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn repeated(
        &self,
        request: &Request,
        kind: &'static str,
        name: &str,
    ) -> Result<bool, AppError> {
        if !request.repeatable {
            return Ok(false);
        }
        let (hash, name) = (request.hash, name.to_owned());
        self.read("creation", move |tx| {
            Box::pin(async move { Ok(requests::made_by(tx, kind, &name).await? == Some(hash)) })
        })
        .await
    }

    /// Writes a refused call into the audit log and gives the error to answer with.
    pub async fn denied(&self, caller: &Caller, denied: Denied) -> AppError {
        let (principal, account) = (caller.principal.clone(), caller.account);
        let action = format!("{:?}", denied.action);
        let object = denied.place.as_ref().map(ToString::to_string).unwrap_or_default();
        let written = self
            .write("denied", move |unit| {
                Box::pin(async move {
                    requests::audit(
                        unit.tx,
                        unit.now,
                        principal.as_str(),
                        account,
                        &action,
                        &object,
                        "denied",
                        "",
                    )
                    .await?;
                    Ok(())
                })
            })
            .await;
        if let Err(error) = written {
            tracing::error!(error = error.story(), "a denied call could not be audited");
        }
        denied.into()
    }

    /// What the caller may do this to; a refusal is audited.
    ///
    /// # Errors
    /// When there is nothing that they could.
    pub async fn may(&self, caller: &Caller, action: Action) -> Result<Sight, AppError> {
        match caller.may(action) {
            Ok(sight) => Ok(sight),
            Err(denied) => Err(self.denied(caller, denied).await),
        }
    }

    /// Whether the caller has the right to something there, as the stored row says; a refusal is audited.
    ///
    /// # Errors
    /// When they have not.
    pub async fn may_at(&self, caller: &Caller, action: Action, place: &Place) -> Result<(), AppError> {
        match caller.may_at(action, place) {
            Ok(()) => Ok(()),
            Err(denied) => Err(self.denied(caller, denied).await),
        }
    }

    /// Whether something there is the caller's to know of at all; otherwise it is answered as if it did not exist. A refusal
    /// of what they may know of is audited.
    ///
    /// # Errors
    /// When they may read it, and may not do this.
    pub async fn may_touch(
        &self,
        caller: &Caller,
        (action, read): (Action, Action),
        place: &Place,
    ) -> Result<bool, AppError> {
        match caller.may_at(action, place) {
            Ok(()) => Ok(true),
            Err(denied) if caller.may_at(read, place).is_ok() => Err(self.denied(caller, denied).await),
            Err(_) => Ok(false),
        }
    }
}
