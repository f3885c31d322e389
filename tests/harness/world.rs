//! Everything together: an emulated AWS with three accounts, a hub, and agents, in a folder that goes with the world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::agent::{self, Agent};
use crate::aws::{self, Variables};
use crate::balancer::Balancer;
use crate::cli::Cli;
use crate::cluster::{self, Cluster, Links, Setup};
use crate::emulator::{Emulator, Options};
use crate::hub::{Hub, Ready};
use crate::postgres::Postgres;
use crate::{MANAGEMENT, paths, wait};

/// How long a deployment may take in the emulated AWS.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Everything together.
#[derive(Debug)]
pub struct World {
    /// The emulated AWS.
    pub emulator: Emulator,
    /// The hub, or the first of several.
    pub hub: Hub,
    /// The others.
    pub replicas: Vec<Hub>,
    /// Agents by account.
    pub agents: BTreeMap<String, Agent>,
    /// An administrator, by their IAM role in the management account.
    pub admin: Cli,
    /// Proxies in its links.
    pub links: Links,
    /// The database server, when the hubs do not use SQLite.
    pub postgres: Option<Postgres>,
    /// Balancers before the hubs: of the API, of enrolment, of jobs.
    pub balancers: Vec<Balancer>,
    /// Where people and agents find the hub.
    front: Ready,
    /// Where agents find AWS.
    aws: String,
    folder: Folder,
}

#[derive(Debug)]
enum Folder {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl World {
    /// An emulator and a hub with the management account's agent.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn new() -> Result<Self> {
        Self::with(Options::default(), "").await
    }

    /// The same with other options; `hub` is added to the hub's configuration.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn with(options: Options, hub: &str) -> Result<Self> {
        Self::of(&Setup {
            emulator: options,
            hub: hub.to_owned(),
            ..Setup::default()
        })
        .await
    }

    /// The same, made of other things.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn of(setup: &Setup) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("hadron-")
            .tempdir()
            .context("a folder for the world")?;
        // In a box: what starting needs is not kept by whoever waits for it.
        Box::pin(Self::inside(Folder::Temporary(folder), setup)).await
    }

    /// The same in a folder that stays.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn kept(folder: &Path, options: Options) -> Result<Self> {
        std::fs::create_dir_all(folder).context("a folder for the world")?;
        let setup = Setup {
            emulator: options,
            ..Setup::default()
        };
        Box::pin(Self::inside(Folder::Kept(folder.to_owned()), &setup)).await
    }

    async fn inside(folder: Folder, setup: &Setup) -> Result<Self> {
        // Twice is fine: another world of this process may have been first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        crate::emulator::install()?;
        let path = match &folder {
            Folder::Temporary(folder) => folder.path().to_owned(),
            Folder::Kept(folder) => folder.clone(),
        };
        let emulator = Emulator::start(&path, setup.emulator).await?;
        for role in ["platform-admin", "developer", "auditor"] {
            aws::make_role(emulator.url(), MANAGEMENT, role).await?;
        }
        let Cluster {
            hubs,
            postgres,
            links,
            balancers,
            front,
            aws,
        } = cluster::raise(&path, emulator.url(), setup).await?;
        let admin = somebody(&path, emulator.url(), &front, MANAGEMENT, "platform-admin").await?;
        let mut hubs = hubs.into_iter();
        let mut world = Self {
            emulator,
            hub: hubs.next().context("a world has a hub")?,
            replicas: hubs.collect(),
            agents: BTreeMap::new(),
            admin,
            links,
            postgres,
            balancers,
            front,
            aws,
            folder,
        };
        world.start_agent(MANAGEMENT, "").await?;
        Ok(world)
    }

    /// Where people and agents find the hub: its own addresses, or those of what stands before it.
    #[must_use]
    pub const fn front(&self) -> &Ready {
        &self.front
    }

    /// All hubs.
    pub fn hubs(&mut self) -> impl Iterator<Item = &mut Hub> {
        std::iter::once(&mut self.hub).chain(&mut self.replicas)
    }

    /// The world's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match &self.folder {
            Folder::Temporary(folder) => folder.path(),
            Folder::Kept(folder) => folder,
        }
    }

    /// Makes an account's roles and starts its agent. `limits` is added to that table of its configuration.
    ///
    /// # Errors
    /// When the roles cannot be made.
    pub async fn start_agent(&mut self, account: &str, limits: &str) -> Result<()> {
        let credentials = agent::roles(self.emulator.url(), account).await?;
        let folder = self.folder().to_owned();
        let agent = Agent::start(&folder, account, &self.front, &self.aws, &credentials, limits)?;
        self.agents.insert(account.to_owned(), agent);
        Ok(())
    }

    /// An agent.
    ///
    /// # Panics
    /// When the account has none.
    pub fn agent(&mut self, account: &str) -> &mut Agent {
        self.agents.get_mut(account).expect("the account has an agent")
    }

    /// Somebody by their IAM role in an account, which is made if need be.
    ///
    /// # Errors
    /// When the role cannot be made or assumed.
    pub async fn somebody(&self, account: &str, role: &str) -> Result<Cli> {
        aws::make_role(self.emulator.url(), account, role).await?;
        somebody(self.folder(), self.emulator.url(), &self.front, account, role).await
    }

    /// The owner of an environment account.
    ///
    /// # Errors
    /// When the role cannot be made or assumed.
    pub async fn owner(&self, account: &str) -> Result<Cli> {
        self.somebody(account, "account-owner").await
    }

    /// Requests a connection from the account and has it accepted; gives its id. Starts the account's agent if it has none.
    ///
    /// # Errors
    /// When anything is refused.
    pub async fn connect(&mut self, account: &str, environment: &str) -> Result<String> {
        let id = self.request(account, environment).await?;
        self.accept(account, &id).await?;
        Ok(id)
    }

    /// Requests a connection from the account; gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn request(&self, account: &str, environment: &str) -> Result<String> {
        let owner = self.owner(account).await?;
        let role = format!("arn:aws:iam::{account}:role/hadron-provisioning");
        let component = format!("arn:aws:iam::{account}:role/{}", crate::agent::COMPONENTS);
        let requested = owner
            .json(&[
                "connection",
                "request",
                "--environment",
                environment,
                "--management-account",
                MANAGEMENT,
                "--role-arn",
                &role,
                "--component-role-arn",
                &component,
            ])
            .await?;
        field(&requested, "id")
    }

    /// Has a connection accepted, and starts the account's agent if it has none.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn accept(&mut self, account: &str, id: &str) -> Result<()> {
        self.admin
            .ok(&["connection", "accept", id, "--account", account])
            .await?;
        if !self.agents.contains_key(account) {
            self.start_agent(account, "").await?;
        }
        Ok(())
    }

    /// Publishes a bundle of `deploy/examples` or any other folder as version 1.0 of a template.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn publish(&self, kind: &str, name: &str, bundle: &Path, more: &[&str]) -> Result<()> {
        let bundle = bundle.display().to_string();
        let mut args = vec!["template", "create", name, "--kind", kind, &bundle, "--publish"];
        args.extend(more);
        self.admin.ok(&args).await.map(drop)
    }

    /// Publishes the minimal pair of example templates.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn publish_examples(&self) -> Result<()> {
        let examples = paths::root().join("deploy/examples");
        self.publish(
            "environment",
            "minimal-env",
            &examples.join("minimal-env/v1"),
            &[],
        )
        .await?;
        let with = ["--compatible-with", "minimal-env:1"];
        self.publish("service", "minimal-svc", &examples.join("minimal-svc/v1"), &with)
            .await?;
        let with = ["--compatible-with", "minimal-env:1", "--no-pipeline"];
        self.publish(
            "service",
            "minimal-svc-no-pipeline",
            &examples.join("minimal-svc-no-pipeline/v1"),
            &with,
        )
        .await
    }

    /// Waits until a deployment has ended; gives it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn ended(&self, id: &str) -> Result<Value> {
        wait::until(&format!("deployment {id} to end"), PATIENCE, || async {
            let deployment = self.admin.json(&["deployment", "get", id]).await?;
            Ok(Some(deployment).filter(|deployment| !deployment["completedAt"].is_null()))
        })
        .await
    }

    /// Everything the processes have printed, for the message of a failed test.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for file in self.log_files() {
            if let Ok(log) = std::fs::read_to_string(&file) {
                let tail: Vec<&str> = log.lines().rev().take(60).collect();
                let name = file.strip_prefix(self.folder()).unwrap_or(&file).display();
                text.push_str(&format!("---- {name}\n"));
                text.extend(tail.into_iter().rev().map(|line| format!("{line}\n")));
            }
        }
        text
    }

    /// The logs of all processes, by name.
    #[must_use]
    pub fn log_files(&self) -> Vec<PathBuf> {
        let inside = |folder: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect()
        };
        let mut files = inside(self.folder());
        let folders: Vec<PathBuf> = files.iter().filter(|path| path.is_dir()).cloned().collect();
        files.extend(folders.iter().flat_map(|folder| inside(folder)));
        files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        files.sort();
        files
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

async fn somebody(folder: &Path, emulator: &str, front: &Ready, account: &str, role: &str) -> Result<Cli> {
    let mut variables: Variables = aws::assume(emulator, account, role).await?;
    variables.insert("HADRON_HUB".to_owned(), front.api.clone());
    variables.insert("HADRON_HUB_CA".to_owned(), front.ca_file.display().to_string());
    Ok(Cli::new(
        &folder.join(format!("home-{account}-{role}")),
        variables,
    ))
}

/// A text field of a JSON object.
///
/// # Errors
/// When it is not there.
pub fn field(object: &Value, name: &str) -> Result<String> {
    object[name]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no field '{name}' in {object}"))
}
