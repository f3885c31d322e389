//! Builds everything once and passes it down: the only place that knows all parts.
//!
//! [`start`] opens the database, the CA and the listeners and gives a [`Running`] hub; [`serve`] is that until a signal.
//! Order at the end: not ready any more, sessions sent away; after a while no new connections, calls under way finished,
//! reconcilers, the database.

mod admin;
mod figures;
mod listeners;
mod otlp;
mod ready;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use hadron_proto::wire;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use otlp::SERVICE;
pub use ready::Ready;

use crate::api::admission::{self, Admission};
use crate::api::agent::{AgentApi, EnrolApi};
use crate::api::calls::{self, Calls};
use crate::api::operator::auth::AuthApi;
use crate::api::proton::sigv4::Verifier;
use crate::api::proton::{self, PageKey, Proton};
use crate::api::{operator, origin, web};
use crate::app::access_keys::AccessKeys;
use crate::app::audit::Keeper;
use crate::app::enrolment::Records;
use crate::app::oidc::Logins;
use crate::app::{App, ca, sealing};
use crate::clock::Clock;
use crate::config::{Config, Issuer, StoreConfig, WebhookConfig};
use crate::identity::audit_key::AuditKey;
use crate::identity::ca::Ca;
use crate::identity::enrolment::{self, Enrolment};
use crate::identity::login::{self, Login, TokenIssuer};
use crate::identity::oidc::{Issuers, Purpose};
use crate::identity::seal::Seal;
use crate::identity::sts::Sts;
use crate::identity::tickets::Tickets;
use crate::identity::tls::{Agents, ServerIdentity};
use crate::render::Renderer;
use crate::store::db::{PostgresOptions, SqliteOptions};
use crate::store::{Db, meta, migrate};
use crate::webhook::Webhook;
use crate::{high_water, reconcile, shutdown};

use figures::Sources;
use listeners::{Grpc, JobListener, Sockets};

/// How long a message of agents and to them may be.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Opens the database without looking at its schema.
///
/// # Errors
/// When it cannot be opened.
pub async fn open_db(config: &Config, clock: Clock) -> anyhow::Result<Db> {
    open(config, clock, false).await
}

/// Opens the database only to be read. Where it is a file, nothing is made.
///
/// # Errors
/// When it cannot be opened.
pub async fn open_db_to_read(config: &Config, clock: Clock) -> anyhow::Result<Db> {
    open(config, clock, true).await
}

async fn open(config: &Config, clock: Clock, read_only: bool) -> anyhow::Result<Db> {
    match &config.store {
        StoreConfig::Sqlite(path) => {
            let options = SqliteOptions {
                read_only,
                queue: config.commits.queue,
                batch: config.commits.batch,
                batch_time: config.commits.time,
                ..SqliteOptions::default()
            };
            let opened = Db::open_sqlite(path, clock, options).await;
            opened.with_context(|| format!("cannot open the database {}", path.display()))
        }
        StoreConfig::Postgres { url, ca } => {
            let options = PostgresOptions {
                ca_file: ca.clone(),
                connections: config.commits.connections,
                allow_forgetful: config.dev.is_some(),
                ..PostgresOptions::default()
            };
            Db::open_postgres(url, clock, options)
                .await
                .context("cannot open the PostgreSQL database")
        }
    }
}

/// Brings the schema to this version, and says what was done.
///
/// # Errors
/// When a step fails; steps before it remain.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    make_private(&config.data_dir)?;
    let db = open_db(config, Clock::system()).await?;
    let done = migrate::run(&db).await?;
    db.close().await;
    match done.as_slice() {
        [] => eprintln!("the schema is that of this version already"),
        done => eprintln!("migrated: {}", done.join(", ")),
    }
    Ok(())
}

/// The data directory, for nobody else.
fn make_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot make the data directory {}", dir.display()))
}

/// Serves until `stop` is cancelled, then ends in good order.
///
/// # Errors
/// When the hub cannot start, or a part of it ends by itself.
pub async fn serve(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let renderer = Renderer::workers(config.render.clone()).await?;
    let hub = start(config, Clock::system(), renderer).await?;
    hub.until(stop).await
}

/// A hub that serves.
pub struct Running {
    ready: Ready,
    app: App,
    agents: AgentApi,
    /// No new work from here on.
    drain: CancellationToken,
    /// No new connections and calls from here on.
    closing: CancellationToken,
    /// How long comes the second after the first.
    linger: Duration,
    /// Ends what has to outlive the drain.
    end: CancellationToken,
    reconcilers: JoinSet<()>,
    stop_reconcilers: watch::Sender<bool>,
    servers: JoinSet<anyhow::Result<()>>,
    admin: JoinSet<anyhow::Result<()>>,
    ready_file: ready::File,
}

/// Opens and starts everything, with somebody who renders; answers when all listeners are up.
///
/// # Errors
/// Says what could not be started.
pub async fn start(config: Config, clock: Clock, renderer: Renderer) -> anyhow::Result<Running> {
    make_private(&config.data_dir)?;
    let ready_file = ready::File::clear(&config.data_dir)?;
    let ca = Arc::new(Ca::load_or_create(&config.data_dir, config.dev, clock.now())?);
    let seal = Arc::new(Seal::load_or_create(&config.data_dir)?);
    let audit_key = AuditKey::load_or_create(&config.data_dir)?;
    let db = open_db(&config, clock.clone()).await?;
    migrate::run(&db).await?;
    check_hub_id(&db, &ca).await?;
    check_seal(&db, &seal).await?;
    db.unlock(Arc::<Seal>::clone(&seal));
    let app = App::rendering(db, clock.clone(), config.settings(ca.hub_id()), renderer);
    let roots = settle_ca(&app, &ca, &config.data_dir).await?;
    high_water::check(&app, &config.data_dir, ca.hub_id()).await?;
    app.seed_management().await.map_err(|error| {
        let help = error
            .help
            .as_ref()
            .map(|help| format!("; {help}"))
            .unwrap_or_default();
        anyhow!("{}{help}", error.story())
    })?;

    let webhook = webhook(&config)?;
    let (drain, closing) = (CancellationToken::new(), CancellationToken::new());
    let agents = AgentApi::new(app.clone(), ca.hub_id().clone(), drain.clone()).with_ca(Arc::clone(&ca));
    let sources = Sources {
        app: app.clone(),
        agents: agents.live(),
        admission: admission(&config, &clock),
        calls: Calls::default(),
        aws: agents.aws_calls(),
    };
    let services = services(&config, &sources, &ca, &seal, &agents, &drain)?;
    let identity = ServerIdentity::new(Arc::clone(&ca), config.listen.names.clone(), clock.now())?;
    let sockets = Sockets::bind(&config.listen)?;
    let ready = Ready::new(&config, &ca, &sockets)?;
    let mut servers = JoinSet::new();
    let listener = JobListener {
        agents: Agents {
            hub: ca.hub_id().clone(),
            clock: clock.clone(),
        },
        tickets: Arc::new(Tickets::new(&seal, &ca, clock.clone())),
        connections: config.agent_connections,
        per_address: config.agent_connections_per_address,
    };
    services.spawn(sockets.grpc, &identity, listener, &drain, &closing, &mut servers)?;
    servers.spawn({
        let (agents, drain) = (agents.clone(), drain.clone());
        async move {
            drain.run_until_cancelled_owned(agents.pulse()).await;
            Ok(())
        }
    });
    servers.spawn({
        let (closing, clock) = (closing.clone(), clock.clone());
        async move {
            closing
                .run_until_cancelled_owned(identity.keep_fresh(clock))
                .await;
            Ok(())
        }
    });
    let (stop_reconcilers, stopping) = watch::channel(false);
    let mut reconcilers = reconcile::start(&app, ready.replica(), webhook, &stopping);
    let keeper = Keeper {
        key: audit_key,
        due: config.audit.due,
        file: config.audit.file.clone(),
        print: config.audit.print,
    };
    reconcilers.spawn(reconcile::audit(app.clone(), keeper, stopping.clone()));
    let keys = sealing::Keeper {
        seal: Arc::clone(&seal),
    };
    reconcilers.spawn(reconcile::sealing(app.clone(), keys, stopping.clone()));
    let told = (ready_file.clone(), ready.clone(), Arc::clone(&ca));
    let tell = move || told.0.renew(&told.1, &told.2);
    reconcilers.spawn(reconcile::ca(app.clone(), roots, tell, stopping.clone()));
    let (dir, hub) = (config.data_dir.clone(), ca.hub_id().clone());
    reconcilers.spawn(high_water::keep(app.clone(), dir, hub, stopping));
    let end = CancellationToken::new();
    let mut admin = JoinSet::new();
    if let Some(receiver) = otlp::Receiver::from_environment()? {
        let sending = receiver.keep_sending(sources.clone(), end.clone());
        admin.spawn(async move {
            sending.await;
            Ok(())
        });
    }
    admin.spawn(admin::serve(sockets.admin, sources, drain.clone(), end.clone()));
    ready_file.write(&ready)?;
    ready.announce(&config);
    Ok(Running {
        ready,
        app,
        agents,
        drain,
        closing,
        linger: config.limits.linger,
        end,
        reconcilers,
        stop_reconcilers,
        servers,
        admin,
        ready_file,
    })
}

/// The gate in front of the API.
fn admission(config: &Config, clock: &Clock) -> Admission {
    let limits = admission::Limits {
        calls: config.limits.api_calls,
        queue: config.limits.api_queue,
        streams: config.limits.api_streams,
    };
    Admission::new(limits, clock.clone())
}

/// Whoever is told about events by the hub itself.
fn webhook(config: &Config) -> anyhow::Result<Option<Webhook>> {
    let Some(WebhookConfig { url, secret_file }) = &config.events.webhook else {
        return Ok(None);
    };
    let secret = std::fs::read(secret_file)
        .with_context(|| format!("cannot read the webhook's secret {}", secret_file.display()))?;
    let webhook = Webhook::new(url, secret.trim_ascii(), config.dev.is_some());
    let webhook = webhook.with_context(|| format!("events.webhook_url or {}", secret_file.display()))?;
    Ok(Some(webhook))
}

/// Whoever else says who people and workloads are.
fn issuers(config: &Config, records: Records, clock: Clock) -> anyhow::Result<Issuers<Records>> {
    let mut issuers = Vec::new();
    for Issuer { issuer, secret_file } in &config.issuers {
        let mut issuer = issuer.clone();
        if let (Purpose::People { client_secret, .. }, Some(file)) = (&mut issuer.purpose, secret_file) {
            let secret = std::fs::read_to_string(file).with_context(|| {
                format!(
                    "cannot read the client secret of issuer {}: {}",
                    issuer.alias,
                    file.display()
                )
            })?;
            *client_secret = Some(secret.trim().to_owned());
        }
        issuers.push(issuer);
    }
    Issuers::new(records, clock, issuers, config.dev.is_some())
        .context("cannot set up the client of the issuers")
}

/// Replicas share one database and must share one CA: agents enrolled at one must be known at the others.
pub(crate) async fn check_hub_id(db: &Db, ca: &Ca) -> anyhow::Result<()> {
    let own = ca.hub_id().to_string();
    let text = own.clone();
    let stored = db
        .write("hub id", move |tx| {
            Box::pin(async move { meta::settle(tx, meta::HUB_ID, &text).await })
        })
        .await?;
    if stored != own {
        bail!(
            "the database belongs to hub {stored}, the CA in the data directory to hub {own}\n  next: copy ca.pem from the \
             data directory that this database was made with, or use another database"
        );
    }
    Ok(())
}

/// The roots of the CA are those of the database, and one that is due for a successor gets it before anything is signed.
async fn settle_ca(app: &App, ca: &Arc<Ca>, data_dir: &Path) -> anyhow::Result<ca::Keeper> {
    let told = |error: crate::app::AppError| anyhow!("{}", error.story());
    let keeper = ca::Keeper {
        ca: Arc::clone(ca),
        data_dir: data_dir.to_owned(),
    };
    let own = Ca::roots_in(&ca.to_pem())?;
    ca.adopt(&app.settle_ca(own).await.map_err(told)?)?;
    reconcile::rotate_ca(app).await.map_err(told)?;
    app.follow_ca(ca).await.map_err(told)?;
    ca.save(data_dir)?;
    Ok(keeper)
}

/// They must share the sealing keys too: what one of them seals, the others have to open.
pub(crate) async fn check_seal(db: &Db, seal: &Seal) -> anyhow::Result<()> {
    for (version, own) in seal.fingerprints() {
        let text = own.clone();
        let stored = db
            .write("sealing key", move |tx| {
                Box::pin(async move { meta::settle_seal(tx, version, &text).await })
            })
            .await?;
        if stored != own {
            bail!(
                "version {version} of the sealing key in the data directory is not the one that this database's secrets are \
                 sealed with\n  next: copy seal.key from the data directory that this database was made with, or from a \
                 backup of it"
            );
        }
    }
    Ok(())
}

/// All services, before they have sockets.
fn services(
    config: &Config,
    sources: &Sources,
    ca: &Arc<Ca>,
    seal: &Arc<Seal>,
    agents: &AgentApi,
    drain: &CancellationToken,
) -> anyhow::Result<Grpc> {
    let Sources {
        app,
        admission,
        calls,
        ..
    } = sources;
    let records = Records::new(app.clone());
    let clock = app.clock().clone();
    let sts = Sts::new(config.sts.clone())?;
    // An emulator signs nobody up: whoever calls is the root of its account.
    let emulated = config.dev.filter(|_| sts.is_emulated());
    let rules = emulated.map_or_else(enrolment::Rules::default, enrolment::Rules::root_agents);
    let enrolment = Enrolment::new(
        records.clone(),
        Arc::clone(ca),
        sts.clone(),
        clock.clone(),
        config.certificate_life,
        rules,
    );
    let rules = emulated.map_or_else(login::Rules::default, login::Rules::root);
    let login = Login::new(records.clone(), Arc::clone(ca), sts, clock.clone(), rules);
    let keys =
        AccessKeys::new(app.clone(), Arc::clone(seal)).map_err(|error| anyhow!("{}", error.story()))?;
    let logins = Logins::new(app.clone(), issuers(config, records.clone(), clock.clone())?);
    let auth = AuthApi::new(
        app.clone(),
        ca.hub_id().clone(),
        login,
        TokenIssuer::new(records, clock),
        keys.clone(),
        logins.clone(),
    );

    let (health, health_service) = tonic_health::server::health_reporter();
    let mut api = operator::routes(app, drain)
        .add_service(wire::auth_service_server::AuthServiceServer::new(auth))
        .add_service(health_service);
    if config.dev.is_some() {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(wire::DESCRIPTORS)
            .build_v1()
            .context("cannot set up server reflection")?;
        api = api.add_service(reflection);
    }
    // Replicas share the sealing key, and so each takes the page tokens of the others.
    let pages = PageKey::derive(&seal.derive(b"page-token"));
    let proton = Proton::new(app.clone(), Verifier::new(keys), pages);
    let console = web::Console::new(app.clone(), drain.clone()).with_logins(logins);
    // A browser that asks for what is not there is told so in words; clients of gRPC in theirs.
    let api = api.into_axum_router().fallback(admission::unknown);
    let api = api.merge(proton::routes(proton)).merge(web::routes(console));
    let gate = axum::middleware::from_fn_with_state(admission.clone(), admission::admit);
    let told = axum::middleware::from_fn_with_state(app.clock().clone(), origin::tell);
    let counted = axum::middleware::from_fn_with_state(calls.clone(), calls::count);
    let api = Routes::from(api.layer(told.clone()).layer(gate).layer(counted.clone()));
    let enrol = EnrolApi::new(enrolment, app.clock().clone());
    let enrol = wire::enrolment_service_server::EnrolmentServiceServer::new(enrol);
    let enrol = Routes::new(enrol)
        .into_axum_router()
        .layer(told)
        .layer(counted.clone());
    let jobs = wire::agent_service_server::AgentServiceServer::new(agents.clone())
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let jobs = Routes::new(jobs).into_axum_router().layer(counted);
    Ok(Grpc {
        enrol: Routes::from(enrol),
        jobs: Routes::from(jobs),
        api,
        health,
    })
}

impl Running {
    /// Where the hub listens and how it is recognised.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The use cases of this hub.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Serves until `stop` is cancelled or a part of the hub ends by itself, then ends the rest in good order.
    ///
    /// # Errors
    /// When a part of the hub ended by itself.
    pub async fn until(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let failed = tokio::select! {
            () = stop.cancelled() => None,
            Some(ended) = self.servers.join_next() => Some(why("a listener", ended)),
            Some(ended) = self.admin.join_next() => Some(why("the admin listener", ended)),
            Some(ended) = self.reconcilers.join_next() => Some(why("a reconciler", ended.map(Ok))),
        };
        self.stop().await;
        failed.map_or(Ok(()), Err)
    }

    /// Ends in good order, within the time to linger and twice [`shutdown::DEADLINE`].
    ///
    /// Whoever balances load has to notice first: until then calls are accepted, though `/readyz` says no, agents are sent
    /// away and nothing is leased any more.
    pub async fn stop(mut self) {
        self.ready_file.remove();
        self.drain.cancel();
        tokio::time::sleep(self.linger).await;
        self.closing.cancel();
        let drained = async {
            self.agents.drained().await;
            while self.servers.join_next().await.is_some() {}
        };
        if tokio::time::timeout(shutdown::DEADLINE, drained).await.is_err() {
            tracing::warn!("Calls were still under way at the deadline and are cut");
        }
        self.servers.shutdown().await;
        self.stop_reconcilers.send_replace(true);
        let reconciled = async { while self.reconcilers.join_next().await.is_some() {} };
        if tokio::time::timeout(shutdown::DEADLINE, reconciled)
            .await
            .is_err()
        {
            tracing::warn!("A reconciler was still busy at the deadline and is cut");
        }
        self.reconcilers.shutdown().await;
        self.end.cancel();
        self.admin.shutdown().await;
        self.app.db().close().await;
        tracing::info!("Stopped");
    }
}

/// Why a part that should never end has ended.
fn why(part: &'static str, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("{part} ended by itself"),
        Ok(Err(error)) => error.context(format!("{part} ended")),
        Err(error) => anyhow::Error::new(error).context(format!("{part} crashed")),
    }
}

#[cfg(test)]
mod tests;
