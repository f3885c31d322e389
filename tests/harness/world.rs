//! Everything together: an emulated AWS with three accounts, a hub, and agents, in a folder that goes with the world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::agent::{self, Agent};
use crate::aws::{self, Variables};
use crate::cli::Cli;
use crate::emulator::{Emulator, Options};
use crate::hub::Hub;
use crate::{MANAGEMENT, paths, wait};

/// How long a deployment may take in the emulated AWS.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Everything together.
#[derive(Debug)]
pub struct World {
    /// The emulated AWS.
    pub emulator: Emulator,
    /// The hub.
    pub hub: Hub,
    /// Agents by account.
    pub agents: BTreeMap<String, Agent>,
    /// An administrator, by their IAM role in the management account.
    pub admin: Cli,
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
        let folder = tempfile::Builder::new()
            .prefix("hadron-")
            .tempdir()
            .context("a folder for the world")?;
        Self::inside(Folder::Temporary(folder), options, hub).await
    }

    /// The same in a folder that stays.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn kept(folder: &Path, options: Options) -> Result<Self> {
        std::fs::create_dir_all(folder).context("a folder for the world")?;
        Self::inside(Folder::Kept(folder.to_owned()), options, "").await
    }

    async fn inside(folder: Folder, options: Options, more: &str) -> Result<Self> {
        // Twice is fine: another world of this process may have been first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        crate::emulator::install()?;
        let path = match &folder {
            Folder::Temporary(folder) => folder.path().to_owned(),
            Folder::Kept(folder) => folder.clone(),
        };
        let emulator = Emulator::start(&path, options).await?;
        for role in ["platform-admin", "developer", "auditor"] {
            aws::make_role(emulator.url(), MANAGEMENT, role).await?;
        }
        let hub = Hub::start(&path, emulator.url(), more).await?;
        let admin = somebody(&path, emulator.url(), &hub, MANAGEMENT, "platform-admin").await?;
        let mut world = Self {
            emulator,
            hub,
            agents: BTreeMap::new(),
            admin,
            folder,
        };
        world.start_agent(MANAGEMENT, "").await?;
        Ok(world)
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
        let agent = Agent::start(
            &folder,
            account,
            self.hub.ready(),
            self.emulator.url(),
            &credentials,
            limits,
        )?;
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
        somebody(self.folder(), self.emulator.url(), &self.hub, account, role).await
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
        let id = field(&requested, "id")?;
        self.admin
            .ok(&["connection", "accept", &id, "--account", account])
            .await?;
        if !self.agents.contains_key(account) {
            self.start_agent(account, "").await?;
        }
        Ok(id)
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
        for file in [
            "hub/hub.log",
            "emulator.log",
            "agent-111111111111/agent.log",
            "agent-222222222222/agent.log",
            "agent-333333333333/agent.log",
        ] {
            if let Ok(log) = std::fs::read_to_string(self.folder().join(file)) {
                let tail: Vec<&str> = log.lines().rev().take(60).collect();
                text.push_str(&format!("---- {file}\n"));
                text.extend(tail.into_iter().rev().map(|line| format!("{line}\n")));
            }
        }
        text
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

async fn somebody(folder: &Path, emulator: &str, hub: &Hub, account: &str, role: &str) -> Result<Cli> {
    let mut variables: Variables = aws::assume(emulator, account, role).await?;
    variables.insert("HADRON_HUB".to_owned(), hub.ready().api.clone());
    variables.insert(
        "HADRON_HUB_CA".to_owned(),
        hub.ready().ca_file.display().to_string(),
    );
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
