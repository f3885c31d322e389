//! A world in which stories are told: an emulated AWS, a hub whose leases are short, agents, and environments to play with.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::cases::Story;
use super::steps::{BRIEF, ONE, Step, TWO};
use crate::aws::Variables;
use crate::cli::{Cli, Ran};
use crate::emulator::Options;
use crate::hub::Hub;
use crate::invariants::facts::Facts;
use crate::invariants::rules;
use crate::{DEV, MANAGEMENT, PROD, World, aws, paths, wait};

/// Short leases, so that what is lost is missed soon.
const JOBS: &str = "\n[jobs]\nlease_seconds = 3\nheartbeat_seconds = 1\n";
/// How long anything may take in a world that recovers. Beyond that it is stuck.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// The environment of services.
const LIVE: &str = "live";
/// The repository of their image.
pub(super) const REPOSITORY: &str = "base";
/// Somebody else's statement in its policy.
const FOREIGN: &str =
    r#"{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":"444444444444"},"Action":["ecr:DescribeImages"]}"#;
/// Where a template's bundle is.
pub(super) const BUNDLE: &str = "s3://bundles/probe.tar.gz";
/// The exit code of the command line when the hub could not be reached.
const UNREACHABLE: i32 = 9;

/// Who is to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// The hub.
    Hub,
    /// The agent of an account.
    Agent(&'static str),
    /// A hub that is started for the first time.
    Newborn,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Yard {
    world: World,
    owner: Cli,
    connections: BTreeMap<&'static str, String>,
    newborn: Option<Hub>,
    /// Who was started with an order to die, and not yet without.
    armed: Vec<Victim>,
    /// Where the points are written down that the last one of them has reached.
    log: PathBuf,
    serial: u32,
    story: Story,
    round: u32,
    steps: VecDeque<Step>,
    /// The last call before the last fault was planted.
    since: u64,
    /// What was asked for in a prelude.
    pub(super) notes: Vec<(&'static str, String)>,
}

impl Yard {
    /// A world with everything that stories need.
    pub(super) async fn new() -> Result<Self> {
        let mut world = World::with(Options::default(), JOBS).await?;
        let fixtures = paths::root().join("tests/fixtures");
        let examples = paths::root().join("deploy/examples");
        world
            .publish("environment", "probe-env", &fixtures.join("probe-env"), &[])
            .await?;
        world
            .publish(
                "environment",
                "minimal-env",
                &examples.join("minimal-env/v1"),
                &[],
            )
            .await?;
        let with = ["--compatible-with", "minimal-env:1", "--no-pipeline"];
        let bundle = examples.join("minimal-svc-no-pipeline/v1");
        world
            .publish("service", "minimal-svc-no-pipeline", &bundle, &with)
            .await?;
        world.repository(REPOSITORY).await?;
        let policy = format!(r#"{{"Version":"2008-10-17","Statement":[{FOREIGN}]}}"#);
        world.set_policy(REPOSITORY, &policy).await?;
        put_bundle(&world, &fixtures.join("probe-env")).await?;
        world.environment(LIVE, PROD).await?;
        let mut connections = BTreeMap::new();
        for environment in [ONE, TWO, BRIEF] {
            connections.insert(environment, world.connect(PROD, environment).await?);
        }
        let owner = world.owner(DEV).await?;
        let log = world.folder().join("reached");
        let yard = Self {
            world,
            owner,
            connections,
            newborn: None,
            armed: Vec::new(),
            log,
            serial: 0,
            story: Story::Update,
            round: 0,
            steps: VecDeque::new(),
            since: 0,
            notes: Vec::new(),
        };
        for environment in [ONE, TWO] {
            let (spec, connection) = (
                yard.spec(environment, &json!({ "note": "first" }))?,
                yard.connection(environment)?,
            );
            let create = ["environment", "create", environment, "--template", "probe-env"];
            let with = ["--connection", &connection, "--spec", &spec, "--wait"];
            yard.world.admin.ok(&[&create[..], &with].concat()).await?;
        }
        Ok(yard)
    }

    pub(super) const fn world(&self) -> &World {
        &self.world
    }

    /// A word that was not said before.
    pub(super) fn fresh(&mut self, word: &str) -> String {
        self.serial += 1;
        format!("{word}-{}", self.serial)
    }

    pub(super) fn connection(&self, environment: &str) -> Result<String> {
        let found = self.connections.get(environment).cloned();
        found.with_context(|| format!("no connection for {environment}"))
    }

    /// The spec of a service with an instance that runs the image.
    pub(super) fn service_spec(&self, name: &str) -> Result<String> {
        let image = format!("{MANAGEMENT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}:1");
        let text = format!(
            "proton: ServiceSpec\ninstances:\n  - name: main\n    environment: {LIVE}\n    spec:\n      image: \"{image}\"\n"
        );
        self.world.file(&format!("{name}.yaml"), text)
    }

    /// What the processes have said lately.
    pub(super) fn logs(&self) -> String {
        let reached = std::fs::read_to_string(&self.log).unwrap_or_default();
        format!(
            "story {:?}, round {}, left to do: {:?}\npoints reached: {}\n{}",
            self.story,
            self.round,
            self.steps,
            reached.split_whitespace().collect::<Vec<_>>().join(" "),
            self.world.logs()
        )
    }

    /// A story is to be told: what has to be the case before.
    pub(super) async fn prepare(&mut self, story: Story) -> Result<()> {
        self.story = story;
        self.round = 0;
        self.world.emulator.heal().await?;
        self.steps = self.prelude(story)?;
        self.go(true).await
    }

    /// Starts the victim with an order to die, and waits until a hub is up or dead.
    pub(super) async fn arm(&mut self, victim: Victim, faults: &str) -> Result<()> {
        let name = self.fresh("reached");
        self.log = self.world.folder().join(name);
        let variables = Variables::from([
            ("HADRON_FAULTS".to_owned(), faults.to_owned()),
            ("HADRON_FAULTS_LOG".to_owned(), self.log.display().to_string()),
        ]);
        self.armed.push(victim);
        match victim {
            Victim::Hub => {
                self.world.hub.relaunch(&variables)?;
                self.world.hub.ready_or_ended().await?;
            }
            Victim::Agent(account) => self.world.agent(account).restart_with(&variables)?,
            Victim::Newborn => {
                let name = self.fresh("born");
                let folder = self.world.folder().join(name);
                let mut hub = Hub::launch(&folder, self.world.emulator.url(), JOBS, &variables)?;
                hub.ready_or_ended().await?;
                self.newborn = Some(hub);
            }
        }
        Ok(())
    }

    /// How the victim has ended, which it is about to if it has not.
    pub(super) async fn ended(&mut self, victim: Victim) -> Result<ExitStatus> {
        let process = self.process(victim)?;
        // Its first thread may be gone a moment before the others.
        wait::until(&format!("{victim:?} to be dead"), PATIENCE, || {
            let ended = process.ended();
            async move { ended }
        })
        .await
    }

    fn process(&mut self, victim: Victim) -> Result<&mut crate::process::Process> {
        match victim {
            Victim::Hub => Ok(self.world.hub.process()),
            Victim::Agent(account) => Ok(self.world.agent(account).process()),
            Victim::Newborn => Ok(self.newborn.as_mut().context("no hub was born")?.process()),
        }
    }

    /// How often the victim has reached a point.
    pub(super) fn reached(&self, point: &str) -> u32 {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let times = log.lines().filter(|line| *line == point).count();
        u32::try_from(times).unwrap_or(u32::MAX)
    }

    /// Tells the story once, or goes on where it was cut off; whether the victim died over it.
    pub(super) async fn tell(&mut self, story: Story, victim: Victim) -> Result<bool> {
        let pid = self.process(victim)?.pid();
        if is_gone(pid) {
            return Ok(true);
        }
        if self.steps.is_empty() {
            self.steps = self.script(story, self.round)?;
            self.round += 1;
        }
        let told = tokio::select! {
            biased;
            () = gone(pid) => return Ok(true),
            told = self.go(true) => told,
        };
        match told {
            Ok(()) => Ok(false),
            // Perhaps since it is dying.
            Err(error) => match tokio::time::timeout(Duration::from_secs(2), gone(pid)).await {
                Ok(()) => Ok(true),
                Err(_) => Err(error),
            },
        }
    }

    /// Whether the victim dies before everything is settled. Whoever else died is started again first.
    pub(super) async fn until_settled_or_dead(&mut self, victim: Victim) -> Result<bool> {
        for other in std::mem::take(&mut self.armed) {
            if other == victim {
                self.armed.push(other);
            } else {
                self.disarm(other).await?;
            }
        }
        let pid = self.process(victim)?.pid();
        let settled = tokio::select! {
            biased;
            () = gone(pid) => return Ok(true),
            settled = self.settle() => settled,
        };
        if settled.is_err() {
            // Perhaps since it is dying; if not, the next try to settle says so again.
            return Ok(tokio::time::timeout(Duration::from_secs(2), gone(pid))
                .await
                .is_ok());
        }
        Ok(is_gone(pid))
    }

    /// Starts everybody again who had an order to die, without it.
    pub(super) async fn revive(&mut self) -> Result<()> {
        let mut armed = std::mem::take(&mut self.armed);
        armed.dedup();
        for victim in armed {
            self.disarm(victim).await?;
        }
        Ok(())
    }

    async fn disarm(&mut self, victim: Victim) -> Result<()> {
        let hub = match victim {
            Victim::Hub => &mut self.world.hub,
            Victim::Agent(account) => return self.world.agent(account).restart(),
            Victim::Newborn => self.newborn.as_mut().context("no hub was born")?,
        };
        hub.restart().await.context("the hub does not come up again")
    }

    /// The agent's machine is gone.
    pub(super) fn lose_disk(&mut self, account: &str) -> Result<()> {
        self.world.agent(account).lose_disk()
    }

    /// Goes on to the end of the story, without its detours.
    pub(super) async fn settle(&mut self) -> Result<()> {
        self.steps.extend(Self::epilogue(self.story));
        self.go(false).await?;
        if let Some(mut hub) = self.newborn.take() {
            hub.process().alive()?;
            hub.token("first", "administrator")
                .context("the new hub is of no use")?;
            hub.process().kill()?;
        }
        Ok(())
    }

    /// What must be true then.
    pub(super) async fn holds(&mut self) -> Result<()> {
        self.world.hub.process().alive()?;
        for account in [PROD, MANAGEMENT] {
            self.world.agent(account).process().alive()?;
        }
        let policy = self.world.policy_text(REPOSITORY).await?.unwrap_or_default();
        ensure!(
            policy.contains(FOREIGN),
            "somebody else's statement is not as it was: {policy}"
        );
        let amiss = rules::check(&Facts::of(&self.world).await?);
        ensure!(amiss.is_empty(), "{}", amiss.join("; "));
        Ok(())
    }

    /// Takes the steps that are left; detours only while the story is `told`.
    async fn go(&mut self, told: bool) -> Result<()> {
        while let Some(step) = self.steps.front().cloned() {
            if told || !step.is_aim() {
                self.take(&step)
                    .await
                    .with_context(|| format!("step {step:?} of {:?}", self.story))?;
            }
            self.steps.pop_front();
        }
        Ok(())
    }

    async fn take(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Ask { args, id } => {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                insist(&self.world.admin, &args, id, &[]).await.map(drop)
            }
            Step::Request { environment, id } => {
                let role = format!("arn:aws:iam::{DEV}:role/hadron-provisioning");
                let request = ["connection", "request", "--environment", environment];
                let with = ["--management-account", MANAGEMENT, "--role-arn", &role];
                insist(&self.owner, &[&request[..], &with].concat(), id, &[])
                    .await
                    .map(drop)
            }
            Step::Accept { environment, id } => {
                let connection = self.requested(environment).await?;
                let accept = ["connection", "accept", &connection, "--account", DEV];
                insist(&self.world.admin, &accept, id, &[]).await.map(drop)
            }
            Step::Reject { environment, id } => {
                let connection = self.requested(environment).await?;
                let reject = ["connection", "reject", &connection, "--yes"];
                insist(&self.world.admin, &reject, id, &[]).await.map(drop)
            }
            Step::Cancel { environment, id } => {
                let deployment = self.deployment(environment).await?;
                let cancel = ["deployment", "cancel", &deployment];
                // It may have ended meanwhile.
                insist(&self.world.admin, &cancel, id, &[5]).await.map(drop)
            }
            Step::Delay(action) => {
                self.since = self.world.emulator.last_call().await?;
                let rule = json!({
                    "service": "cloudformation", "action": action, "account": PROD, "kind": "delay", "seconds": 3
                });
                self.world.emulator.plant(&rule).await
            }
            Step::Called(action) => {
                let fits = |call: &Value| call["account"] == PROD && call["action"] == *action;
                self.world
                    .emulator
                    .called(action, self.since, fits)
                    .await
                    .map(drop)
            }
            Step::Moving(environment) => self.moving(environment).await,
            Step::Kill(account) => self.world.agent(account).process().kill(),
            Step::Missed(environment) => self.missed(environment).await,
            Step::RestartHub => self.world.hub.restart().await,
            Step::Alive(account) => {
                if !self.world.agents.contains_key(*account) {
                    return self.world.start_agent(account, "").await;
                }
                let agent = self.world.agent(account);
                if agent.process().ended()?.is_some() {
                    agent.restart()?;
                }
                Ok(())
            }
            Step::Online(account, online) => self.online(account, *online).await,
            Step::Dismiss(account) => self.world.agent(account).process().kill(),
            Step::Is { environment, note } => {
                let found = self.at_rest(environment).await?;
                let state = &found["deployment"];
                ensure!(
                    state["status"] == "SUCCEEDED" && state["outputs"]["Note"] == note.as_str(),
                    "environment {environment} was to be {note}: {found:#}"
                );
                Ok(())
            }
            Step::Ended(environment) => self.at_rest(environment).await.map(drop),
            Step::Gone(environment) => self.gone("environment", environment).await,
            Step::Active(service) => {
                let found = self.served(service).await?;
                ensure!(found["status"] == "ACTIVE", "service {service}: {found:#}");
                Ok(())
            }
            Step::NoService(service) => self.gone("service", service).await,
            Step::Granted(accounts) => self.granted(accounts).await,
            Step::Registered(template) => {
                let found = self.registered(template).await?;
                ensure!(found["status"] == "DRAFT", "template {template}: {found:#}");
                Ok(())
            }
        }
    }
}

/// Asks until the hub has answered; `fine` are exit codes of refusals that are none.
async fn insist(who: &Cli, args: &[&str], id: &str, fine: &[i32]) -> Result<Ran> {
    let args = [args, &["--request-id", id, "-o", "json"]].concat();
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let ran = who.run(&args).await?;
        if ran.code == 0 || fine.contains(&ran.code) {
            return Ok(ran);
        }
        if ran.code != UNREACHABLE || tokio::time::Instant::now() > end {
            bail!(
                "hadron {} ended with {}:\n{}",
                args.join(" "),
                ran.code,
                ran.text()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether a child has ended; it is still in the table of processes until somebody asks how.
fn is_gone(pid: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    // After the name, which may hold anything, comes the state.
    let state = text.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_none_or(|state| state.starts_with(['Z', 'X']))
}

async fn gone(pid: u32) {
    while !is_gone(pid) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Puts a bundle where [`BUNDLE`] says.
async fn put_bundle(world: &World, folder: &Path) -> Result<()> {
    let config = aws::root(world.emulator.url(), MANAGEMENT).await;
    // The emulator has no names for buckets as hosts.
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let (bucket, key) = BUNDLE
        .trim_start_matches("s3://")
        .split_once('/')
        .context("a bucket and a key")?;
    client
        .create_bucket()
        .bucket(bucket)
        .send()
        .await
        .context("a bucket for bundles")?;
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    tar.append_dir_all(".", folder).context("a bundle")?;
    let archive = tar.into_inner().and_then(GzEncoder::finish).context("a bundle")?;
    client
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(ByteStream::from(archive))
        .send()
        .await
        .context("a bundle in S3")?;
    Ok(())
}
