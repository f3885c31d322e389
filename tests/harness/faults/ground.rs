//! The world in which most campaigns break things: several accounts, each with an agent and an environment of the probe
//! template that is deployed again and again; and the look at everything that each campaign ends with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::door::Door;
use super::load::{self, Told};
use super::{Options, Report, Times};
use crate::cluster::Setup;
use crate::invariants::digits;
use crate::invariants::facts::{self, Facts};
use crate::invariants::rules;
use crate::process::Process;
use crate::{World, paths, wait};

/// How long everything may take to come to rest after the last fault.
const REST: Duration = Duration::from_secs(120);

/// Several accounts that deploy.
#[derive(Debug)]
pub struct Ground {
    /// The world.
    pub world: World,
    /// The accounts, each with an agent.
    pub accounts: Vec<String>,
    /// Their connections, in the same order.
    pub connections: Vec<String>,
    /// Somebody who deploys, and remembers what they were told.
    pub deployer: Deployer,
    /// Statements of others in pull policies, by repository, as they have to be in the end.
    pub foreign: BTreeMap<String, Vec<String>>,
    leases: Mutex<Vec<(String, i64)>>,
    secrets: Vec<String>,
    /// The most memory that a hub had resident so far, in KiB.
    memory: Option<u64>,
}

/// Somebody who deploys, and remembers what they were told. Clones remember together.
#[derive(Clone, Debug)]
pub struct Deployer {
    /// How they reach the hubs.
    pub door: Door,
    told: Arc<Mutex<BTreeMap<String, Option<String>>>>,
    /// Digits of deployments that were lost.
    lost: Arc<Mutex<Vec<String>>>,
}

impl Deployer {
    /// A deployment that was lost with the database that knew it: nobody expects anything of it, and what AWS was asked for
    /// in its name is nobody's.
    pub fn forget(&self, id: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(id);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.push(digits(id));
    }

    fn remember(&self, id: &str, end: Option<&str>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(id.to_owned(), end.map(str::to_owned));
    }

    /// Asks for the `number`th deployment of an account's environment, whose stack takes so many seconds; gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn begin(&self, account: &str, number: u64, seconds: f64) -> Result<String> {
        let inputs = json!({ "note": format!("note {number}"), "seconds": seconds });
        let id = self
            .door
            .update(
                &environment(account),
                &inputs,
                &format!("update-{account}-{number}"),
            )
            .await?;
        self.remember(&id, None);
        Ok(id)
    }

    /// Waits for a deployment's end; gives Proton's word for it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn ends(&self, id: &str) -> Result<String> {
        let ended = self.door.ended(id).await?;
        self.remember(id, Some(&ended.status));
        Ok(ended.status)
    }
}

/// Deployers at work, one for each account, one deployment after the other.
#[derive(Debug)]
pub struct Deployers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<(BTreeMap<String, u64>, Times)>>,
}

impl Deployers {
    /// Waits for the end of what is under way; gives how many ended how, and how long each took.
    ///
    /// # Errors
    /// When one was refused or did not end.
    pub async fn stop(mut self) -> Result<(BTreeMap<String, u64>, Times)> {
        self.stop.store(true, Ordering::SeqCst);
        let (mut ends, mut times) = (BTreeMap::new(), Times::default());
        while let Some(task) = self.tasks.join_next().await {
            let (own, took) = task.context("a deployer")??;
            for (end, count) in own {
                *ends.entry(end).or_default() += count;
            }
            times.extend(took);
        }
        Ok((ends, times))
    }
}

/// The environment of an account.
#[must_use]
pub fn environment(account: &str) -> String {
    format!("env-{account}")
}

/// So many accounts, beginning with the production account's number.
fn accounts(count: u64) -> Vec<String> {
    (0..count).map(|at| (333_333_333_333 + at).to_string()).collect()
}

/// Configuration of hubs whose leases last so many seconds.
#[must_use]
pub fn leases(seconds: u64) -> String {
    format!(
        "\n[jobs]\nlease_seconds = {seconds}\nheartbeat_seconds = {}\n",
        (seconds / 3).max(1)
    )
}

/// Configuration of hubs that take as many templates as a load makes.
pub const ROOMY: &str = "\n[quotas]\ntemplates = 1000000\n";

impl Ground {
    /// A world in which so many accounts have an environment that is deployed once.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn new(setup: &Setup, count: u64) -> Result<Self> {
        let mut world = World::of(setup).await?;
        let bundle = paths::root().join("tests/fixtures/probe-env");
        world.publish("environment", "probe-env", &bundle, &[]).await?;
        let (door, secret) = Door::open(&world, "campaign")?;
        let accounts = accounts(count);
        let mut connections = Vec::new();
        for account in &accounts {
            connections.push(world.connect(account, &environment(account)).await?);
        }
        let ground = Self {
            world,
            accounts,
            connections,
            deployer: Deployer {
                door,
                told: Arc::default(),
                lost: Arc::default(),
            },
            foreign: BTreeMap::new(),
            leases: Mutex::default(),
            secrets: vec![secret],
            memory: None,
        };
        let deployer = &ground.deployer;
        let first = |(account, connection): (&String, &String)| {
            let (name, connection) = (environment(account), connection.clone());
            async move {
                let inputs = json!({ "note": "first" });
                let request = format!("create-{name}");
                let id = deployer
                    .door
                    .create(&name, &connection, &inputs, &request)
                    .await?;
                let end = deployer.ends(&id).await?;
                anyhow::ensure!(end == "SUCCEEDED", "the first deployment of {name} ended {end}");
                Ok(())
            }
        };
        try_join_all(ground.accounts.iter().zip(&ground.connections).map(first)).await?;
        Ok(ground)
    }

    /// Deploys in every account, one deployment after the other, until told to stop.
    #[must_use]
    pub fn deploy(&self, seconds: f64) -> Deployers {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for account in self.accounts.clone() {
            let (deployer, stop) = (self.deployer.clone(), Arc::clone(&stop));
            tasks.spawn(async move {
                let (mut ends, mut times, mut number) = (BTreeMap::<String, u64>::new(), Times::default(), 0);
                while !stop.load(Ordering::SeqCst) {
                    number += 1;
                    let began = Instant::now();
                    let id = deployer.begin(&account, number, seconds).await?;
                    *ends.entry(deployer.ends(&id).await?).or_default() += 1;
                    times.push(began.elapsed());
                }
                Ok((ends, times))
            });
        }
        Deployers { stop, tasks }
    }

    /// Notes which jobs are leased under which fence now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn watch_leases(&self) -> Result<()> {
        let rows = self
            .world
            .rows("SELECT id, fence FROM job WHERE status = 'LEASED'")
            .await?;
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
            let lease = (text(0), text(1).parse().context("a fence")?);
            if leases.last() != Some(&lease) {
                leases.push(lease);
            }
        }
        Ok(())
    }

    /// Notes the most memory that the hubs of now have had resident.
    pub fn watch_memory(&mut self) {
        let most = self.world.hubs().filter_map(|hub| peak(hub.process())).max();
        self.memory = self.memory.max(most);
    }

    /// The look at everything, after all faults are over: waits until the world is at rest, adds what is amiss to the
    /// report, and keeps the logs when anything is.
    ///
    /// # Errors
    /// When store or AWS cannot be read.
    pub async fn close(mut self, options: &Options, report: &mut Report, loads: &[Told]) -> Result<()> {
        self.world.links.heal();
        self.world.emulator.heal().await?;
        for hub in self.world.hubs() {
            hub.process().alive()?;
        }
        let rest = self.at_rest().await;
        if let Err(error) = rest {
            report.violations.push(format!("I10: {error:#}"));
        }
        self.watch_memory();
        report.memory(self.memory);
        let mut facts = Facts::of(&self.world).await?;
        facts.told = std::mem::take(&mut *self.deployer.told.lock().unwrap_or_else(PoisonError::into_inner));
        facts.leases = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        facts.foreign = std::mem::take(&mut self.foreign);
        let lost = std::mem::take(&mut *self.deployer.lost.lock().unwrap_or_else(PoisonError::into_inner));
        if !lost.is_empty() {
            let of_lost = |call: &Value| {
                lost.iter()
                    .any(|digits| call.to_string().replace('-', "").contains(digits))
            };
            facts.calls.retain(|call| !of_lost(call));
        }
        facts.leaks = facts::leaks(&self.world.log_files(), &self.secrets)?;
        report.violations.extend(rules::check(&facts));
        if !loads.is_empty() {
            let stored = load::stored(&self.world).await?;
            let mut all = Told::default();
            for told in loads {
                all.templates.extend(told.templates.clone());
                all.fatal.extend(told.fatal.iter().cloned());
            }
            let amiss = load::compare(&all, &stored);
            report
                .violations
                .extend(amiss.into_iter().map(|what| format!("I1: {what}")));
        }
        report.tell("deployments", facts.deployments.len());
        report.tell("aws_calls", facts.calls.len());
        if !report.violations.is_empty() {
            keep_logs(&self.world, &options.out, report)?;
        }
        Ok(())
    }

    /// Waits until nothing is left to be done.
    async fn at_rest(&self) -> Result<()> {
        let sql = "SELECT 'deployment ' || id FROM deployment WHERE active = 1 \
                   UNION ALL SELECT 'job ' || id || ' ' || status FROM job WHERE status IN ('READY', 'LEASED') \
                   UNION ALL SELECT 'policy of ' || repository FROM policy_lane WHERE job_id IS NOT NULL";
        let left = Mutex::new(Vec::new());
        let found = wait::until("the world to come to rest", REST, || async {
            let rows = self.world.rows(sql).await?;
            let done = rows.is_empty();
            *left.lock().unwrap_or_else(PoisonError::into_inner) = rows;
            Ok(done.then_some(()))
        })
        .await;
        found.with_context(|| {
            let left = left.lock().unwrap_or_else(PoisonError::into_inner);
            format!("left: {left:?}")
        })
    }
}

/// The most memory that a process has had resident, in KiB.
pub(super) fn peak(process: &Process) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Copies the logs of a world in which something was amiss.
fn keep_logs(world: &World, out: &Path, report: &Report) -> Result<()> {
    let folder = out.join(format!("{}-{}", report.test, report.seed));
    std::fs::create_dir_all(&folder).context("a folder for logs")?;
    for file in world.log_files() {
        let name = file.strip_prefix(world.folder()).unwrap_or(&file);
        let name = name.display().to_string().replace('/', "-");
        std::fs::copy(&file, folder.join(name)).with_context(|| format!("{}", file.display()))?;
    }
    let db = world.hub.folder().join("hub.db");
    if db.exists() {
        std::fs::copy(&db, folder.join("hub.db")).context("the database")?;
    }
    eprintln!("logs of {} are in {}", report.test, folder.display());
    Ok(())
}

/// The note of a figure that is a list of numbers by name.
#[must_use]
pub(super) fn by_name(counts: &BTreeMap<String, u64>) -> Value {
    json!(counts)
}
