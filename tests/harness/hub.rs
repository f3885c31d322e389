//! A hub as a process, on embedded SQLite, with an emulator as AWS.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::aws::Variables;
use crate::process::{Process, free_port};
use crate::{MANAGEMENT, REGION, paths, wait};

/// Where a hub listens, as it says itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// People and scripts.
    pub api: String,
    /// Agents without a certificate.
    pub enrol: String,
    /// Agents with a certificate.
    pub jobs: String,
    /// Health and metrics.
    pub admin: String,
    /// The hub's CA certificate.
    pub ca_file: PathBuf,
    /// The pin of its key.
    pub ca_pin: String,
    /// The hub's id.
    pub hub_id: String,
}

/// A running hub.
#[derive(Debug)]
pub struct Hub {
    binary: PathBuf,
    process: Process,
    folder: PathBuf,
    ready: Ready,
}

impl Hub {
    /// Writes a configuration into `folder` and starts a hub with it. `more` is added to the configuration.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(folder: &Path, emulator: &str, more: &str) -> Result<Self> {
        Self::start_in(&paths::binary("hadron-hub")?, &folder.join("hub"), emulator, more).await
    }

    /// Starts another hub beside this one, called `name`, with the same CA and sealing key. `more` has to name the database
    /// that both share.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn replica(&self, name: &str, emulator: &str, more: &str) -> Result<Self> {
        let folder = self.folder.with_file_name(name);
        std::fs::create_dir_all(&folder).context("a folder for another hub")?;
        for file in ["ca.pem", "seal.key", "audit.key"] {
            // Keeps the permissions.
            std::fs::copy(self.folder.join(file), folder.join(file)).with_context(|| file.to_owned())?;
        }
        Self::start_in(&self.binary, &folder, emulator, more).await
    }

    async fn start_in(binary: &Path, folder: &Path, emulator: &str, more: &str) -> Result<Self> {
        // A port that was free may be somebody else's a moment later: other worlds start at the same time.
        let mut tries = 0;
        loop {
            match Self::start_once(binary, folder, emulator, more).await {
                Err(error) if tries < 3 && format!("{error:#}").contains("Address already in use") => {
                    tries += 1
                }
                done => return done,
            }
        }
    }

    async fn start_once(binary: &Path, folder: &Path, emulator: &str, more: &str) -> Result<Self> {
        let mut hub = Self::launch_binary(binary, folder, emulator, more, &Variables::new())?;
        hub.wait_ready().await?;
        Ok(hub)
    }

    /// Writes a configuration into `folder` and starts a hub with it and with these variables in its environment, without
    /// waiting for it: see [`Hub::ready_or_ended`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(folder: &Path, emulator: &str, more: &str, variables: &Variables) -> Result<Self> {
        Self::launch_binary(&paths::binary("hadron-hub")?, folder, emulator, more, variables)
    }

    fn launch_binary(
        binary: &Path,
        folder: &Path,
        emulator: &str,
        more: &str,
        variables: &Variables,
    ) -> Result<Self> {
        let folder = folder.to_owned();
        std::fs::create_dir_all(&folder).context("a folder for the hub")?;
        let (enrol, jobs, api, admin) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let text = format!(
            r#"dev = true
data_dir = "{data}"

[management]
account = "{MANAGEMENT}"
region = "{REGION}"
provisioning_role = "arn:aws:iam::{MANAGEMENT}:role/hadron-provisioning"
pipeline_role = "arn:aws:iam::{MANAGEMENT}:role/hadron-provisioning"

[listen]
enrol = "127.0.0.1:{enrol}"
jobs = "127.0.0.1:{jobs}"
api = "127.0.0.1:{api}"
admin = "127.0.0.1:{admin}"

[sts]
endpoint = "{emulator}"

[access]
administrators = ["arn:aws:iam::{MANAGEMENT}:role/platform-admin"]
developers = ["arn:aws:iam::{MANAGEMENT}:role/developer"]
auditors = ["arn:aws:iam::{MANAGEMENT}:role/auditor"]
{more}"#,
            data = folder.display(),
        );
        std::fs::write(folder.join("hub.toml"), text).context("hub.toml")?;
        let process = spawn(binary, &folder, None, variables)?;
        Ok(Self {
            binary: binary.to_owned(),
            process,
            ready: Ready::none(),
            folder,
        })
    }

    /// Waits until it is ready (true) or has ended.
    ///
    /// # Errors
    /// When neither comes about.
    pub async fn ready_or_ended(&mut self) -> Result<bool> {
        match self.wait_ready().await {
            Ok(()) => Ok(true),
            Err(_) if self.process.ended()?.is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let file = self.folder.join("ready.json");
        let process = &mut self.process;
        self.ready = wait::until("the hub to be ready", Duration::from_secs(60), || {
            let found = process.alive().map(|()| {
                std::fs::read(&file)
                    .ok()
                    .and_then(|text| serde_json::from_slice(&text).ok())
            });
            async move { found }
        })
        .await?;
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Its folder: configuration, database, CA.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again, on the same ports and with the same database.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        self.restart_with(None, || Ok(())).await
    }

    /// The same, logging what this filter lets through, after something was done while it did not run.
    ///
    /// # Errors
    /// When that fails, or it does not come up.
    pub async fn restart_with(
        &mut self,
        log: Option<&str>,
        between: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.process.kill()?;
        let _ = std::fs::remove_file(self.folder.join("ready.json"));
        between()?;
        self.process = spawn(&self.binary, &self.folder, log, &Variables::new())?;
        self.wait_ready().await
    }

    /// Runs another command of the hub's program with its configuration.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        Command::new(&self.binary)
            .args(arguments)
            .arg("--config")
            .arg(self.folder.join("hub.toml"))
            .output()
            .with_context(|| format!("hadron-hub {}", arguments.join(" ")))
    }

    /// Runs another command of the hub's program with its configuration: whether it did it, and what it said.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn command(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let output = self.run(arguments)?;
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }

    /// Starts it again with these variables in its environment, without waiting for it: see [`Hub::ready_or_ended`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn relaunch(&mut self, variables: &Variables) -> Result<()> {
        self.process.kill()?;
        let _ = std::fs::remove_file(self.folder.join("ready.json"));
        self.process = spawn(&self.binary, &self.folder, None, variables)?;
        Ok(())
    }

    /// Mints an access key by the hub's own command: its id and its secret.
    ///
    /// # Errors
    /// When the command fails.
    pub fn access_key(&self, name: &str, role: &str) -> Result<(String, String)> {
        let output = Command::new(paths::binary("hadron-hub")?)
            .args([
                "admin",
                "access-key",
                "create",
                name,
                "--role",
                role,
                "--output",
                "json",
                "--config",
            ])
            .arg(self.folder.join("hub.toml"))
            .output()
            .context("hadron-hub admin access-key create")?;
        anyhow::ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).context("the access key")?;
        Ok((
            crate::world::field(&made, "AccessKeyId")?,
            crate::world::field(&made, "SecretAccessKey")?,
        ))
    }

    /// A number that the hub tells about itself on its admin address.
    ///
    /// # Errors
    /// When it does not answer, or knows no such number.
    pub async fn gauge(&self, name: &str) -> Result<u64> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("an HTTP client")?;
        let url = format!(
            "http://{}/metrics",
            self.ready.admin.trim_start_matches("http://")
        );
        let text = client
            .get(url)
            .send()
            .await
            .context("asking for metrics")?
            .text()
            .await
            .context("the metrics")?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok())
            .with_context(|| format!("no number {name} in:\n{text}"))
    }

    /// Mints a token by the hub's own command.
    ///
    /// # Errors
    /// When the command fails.
    pub fn token(&self, name: &str, role: &str) -> Result<String> {
        self.token_for(name, role, "1d")
    }

    /// The same with the time after which it ends, such as `12h`.
    ///
    /// # Errors
    /// When the command fails.
    pub fn token_for(&self, name: &str, role: &str, time: &str) -> Result<String> {
        let output = Command::new(paths::binary("hadron-hub")?)
            .args([
                "admin",
                "token",
                "create",
                "--name",
                name,
                "--role",
                role,
                "--expires",
                time,
                "--config",
            ])
            .arg(self.folder.join("hub.toml"))
            .output()
            .context("hadron-hub admin token create")?;
        anyhow::ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let printed = String::from_utf8(output.stdout).context("the token")?;
        let token = printed
            .split_whitespace()
            .find(|word| word.starts_with("hadron_"));
        token
            .map(str::to_owned)
            .with_context(|| format!("no token in: {printed}"))
    }
}

impl Ready {
    fn none() -> Self {
        Self {
            api: String::new(),
            enrol: String::new(),
            jobs: String::new(),
            admin: String::new(),
            ca_file: PathBuf::new(),
            ca_pin: String::new(),
            hub_id: String::new(),
        }
    }
}

fn spawn(binary: &Path, folder: &Path, log: Option<&str>, variables: &Variables) -> Result<Process> {
    let mut command = Command::new(binary);
    if let Some(filter) = log {
        command.args(["--log", filter]);
    }
    command
        .args(["serve", "--log-format", "json", "--config"])
        .arg(folder.join("hub.toml"))
        .env_clear()
        .env("PATH", crate::emulator::path())
        .envs(variables);
    Process::start("hadron-hub", &mut command, &folder.join("hub.log"))
}
