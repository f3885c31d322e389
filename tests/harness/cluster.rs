//! What a world is made of: one hub on SQLite or several on PostgreSQL, behind balancers, with proxies in its links.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use hadron_management::store::db::testing::{Proxy as Commits, Swallow};

use crate::balancer::Balancer;
use crate::emulator::Options;
use crate::hub::{Hub, Ready};
use crate::postgres::Postgres;
use crate::proxy::{Judge, Protocol, Proxy};

/// What a world is made of.
#[derive(Clone)]
pub struct Setup {
    /// How the emulated AWS behaves.
    pub emulator: Options,
    /// Added to the hubs' configuration.
    pub hub: String,
    /// How many hubs; more than one need PostgreSQL.
    pub hubs: usize,
    /// PostgreSQL instead of SQLite.
    pub postgres: bool,
    /// Balancers before the hubs, although there may be only one.
    pub balanced: bool,
    /// Links with proxies in them.
    pub proxied: Vec<LinkName>,
    /// Judges every request of agents to AWS, when that link has a proxy.
    pub judge: Option<Judge>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            emulator: Options::default(),
            hub: String::new(),
            hubs: 1,
            postgres: false,
            balanced: false,
            proxied: Vec::new(),
            judge: None,
        }
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("hubs", &self.hubs)
            .field("postgres", &self.postgres)
            .field("proxied", &self.proxied)
            .finish_non_exhaustive()
    }
}

impl Setup {
    /// Hubs that share a PostgreSQL database, behind balancers.
    #[must_use]
    pub fn replicas(hubs: usize) -> Self {
        Self {
            hubs,
            postgres: true,
            balanced: true,
            ..Self::default()
        }
    }
}

/// A link that a proxy can stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkName {
    /// Agents to the hubs' job listener.
    AgentHub,
    /// Hubs to PostgreSQL.
    HubPostgres,
    /// Agents to AWS.
    AgentAws,
    /// Hubs to STS.
    HubSts,
}

/// The proxies of a world.
#[derive(Debug, Default)]
pub struct Links {
    /// Agents to the hubs' job listener.
    pub agent_hub: Option<Proxy>,
    /// Hubs to PostgreSQL.
    pub hub_postgres: Option<Proxy>,
    /// Behind that of hubs to PostgreSQL: what can keep the answers to COMMIT back.
    pub commits: Option<Commits>,
    /// Agents to AWS.
    pub agent_aws: Option<Proxy>,
    /// Hubs to STS.
    pub hub_sts: Option<Proxy>,
    /// Behind that of agents to AWS: what judges requests.
    pub judge: Option<Proxy>,
}

impl Links {
    /// The proxy in a link.
    ///
    /// # Errors
    /// When the world was made without it.
    pub fn get(&self, name: LinkName) -> Result<&Proxy> {
        let found = match name {
            LinkName::AgentHub => &self.agent_hub,
            LinkName::HubPostgres => &self.hub_postgres,
            LinkName::AgentAws => &self.agent_aws,
            LinkName::HubSts => &self.hub_sts,
        };
        found
            .as_ref()
            .with_context(|| format!("this world has no proxy in the link {name:?}"))
    }

    /// Breaks nothing any more.
    pub fn heal(&self) {
        let all = [
            &self.agent_hub,
            &self.hub_postgres,
            &self.agent_aws,
            &self.hub_sts,
        ];
        for proxy in all.into_iter().flatten() {
            proxy.heal();
        }
        if let Some(commits) = &self.commits {
            commits.swallow(Swallow::Answer, 0);
        }
    }
}

/// The hubs of a world and what stands around them.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) hubs: Vec<Hub>,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) links: Links,
    pub(crate) balancers: Vec<Balancer>,
    /// Where people and agents find the hub.
    pub(crate) front: Ready,
    /// Where agents find AWS.
    pub(crate) aws: String,
}

/// Starts the hubs and what stands around them.
///
/// # Errors
/// When something does not come up.
pub(crate) async fn raise(folder: &Path, emulator: &str, setup: &Setup) -> Result<Cluster> {
    ensure!(
        setup.hubs == 1 || (setup.postgres && setup.hubs > 1),
        "{} hubs cannot share a SQLite file",
        setup.hubs
    );
    let has = |name| setup.proxied.contains(&name);
    let mut links = Links::default();
    let at_emulator = socket(emulator)?;
    if has(LinkName::AgentAws) {
        let mut upstream = at_emulator;
        if let Some(judge) = setup.judge.clone() {
            let proxy = Proxy::speaking(Protocol::Http(judge), upstream).await?;
            upstream = proxy.address();
            links.judge = Some(proxy);
        }
        links.agent_aws = Some(Proxy::start(upstream).await?);
    }
    if has(LinkName::HubSts) {
        links.hub_sts = Some(Proxy::start(at_emulator).await?);
    }
    let postgres = if setup.postgres {
        Some(Postgres::start(folder).await?)
    } else {
        None
    };
    let mut more = setup.hub.clone();
    if let Some(postgres) = &postgres {
        let mut address = postgres.address();
        if has(LinkName::HubPostgres) {
            let commits = Commits::start(&Postgres::url(address)).await;
            let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, commits.port()))).await?;
            address = proxy.address();
            (links.commits, links.hub_postgres) = (Some(commits), Some(proxy));
        }
        more.push_str(&format!("\n[store]\npostgres = \"{}\"\n", Postgres::url(address)));
    }
    let sts = links
        .hub_sts
        .as_ref()
        .map_or_else(|| emulator.to_owned(), Proxy::http);
    let mut hubs = vec![Hub::start(folder, &sts, &more).await?];
    for number in 2..=setup.hubs {
        hubs.push(hubs[0].replica(&format!("hub-{number}"), &sts, &more).await?);
    }
    let mut front = hubs[0].ready().clone();
    let mut balancers = Vec::new();
    if setup.balanced {
        for address in [
            |ready: &Ready| ready.api.clone(),
            |ready: &Ready| ready.enrol.clone(),
            |ready: &Ready| ready.jobs.clone(),
        ] {
            let backends: Vec<(SocketAddr, Option<SocketAddr>)> = hubs
                .iter()
                .map(|hub| Ok((socket(&address(hub.ready()))?, Some(socket(&hub.ready().admin)?))))
                .collect::<Result<_>>()?;
            balancers.push(Balancer::start(&backends).await?);
        }
        front.api = balancers[0].https();
        front.enrol = balancers[1].https();
        front.jobs = balancers[2].https();
    }
    if has(LinkName::AgentHub) {
        let proxy = Proxy::start(socket(&front.jobs)?).await?;
        front.jobs = proxy.https();
        links.agent_hub = Some(proxy);
    }
    let aws = links
        .agent_aws
        .as_ref()
        .map_or_else(|| emulator.to_owned(), Proxy::http);
    Ok(Cluster {
        hubs,
        postgres,
        links,
        balancers,
        front,
        aws,
    })
}

/// The socket address of an URL on loopback.
fn socket(url: &str) -> Result<SocketAddr> {
    let (_, address) = url.split_once("://").unwrap_or(("", url));
    address
        .trim_end_matches('/')
        .parse()
        .with_context(|| format!("'{url}' names no address on loopback"))
}
