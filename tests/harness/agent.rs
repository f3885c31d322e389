//! An agent as a process, with the credentials of a role of its account that the product itself made.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::aws::Variables;
use crate::hub::Ready;
use crate::process::Process;
use crate::{MANAGEMENT, REGION, aws, paths};

/// The role of every account that components are provisioned with.
pub const COMPONENTS: &str = "hadron-components";

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    account: String,
    folder: PathBuf,
    credentials: Variables,
}

/// Makes the roles of an account with `hadron-agent role --create` and gives credentials of the agent's own role.
///
/// # Errors
/// When the command fails.
pub async fn roles(emulator: &str, account: &str) -> Result<Variables> {
    roles_with(emulator, account, &[]).await
}

/// As [`roles`], with more flags of the command.
///
/// # Errors
/// When the command fails.
pub async fn roles_with(emulator: &str, account: &str, more: &[&str]) -> Result<Variables> {
    let mut command = Command::new(paths::binary("hadron-agent")?);
    command
        .args([
            "role",
            "--create",
            "--yes",
            "--dev",
            "--component-role",
            COMPONENTS,
            "--region",
            REGION,
            "--endpoint-url",
            emulator,
        ])
        .env_clear()
        .env("PATH", crate::emulator::path())
        .envs(aws::root_variables(emulator, account));
    if account == MANAGEMENT {
        command.arg("--management");
    }
    command.args(more);
    let output = command.output().context("hadron-agent role --create")?;
    anyhow::ensure!(
        output.status.success(),
        "hadron-agent role --create in {account}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // The roles trust EC2 and ECS; here the account's root stands for them.
    aws::trust_root(emulator, account, "hadron-agent").await?;
    aws::assume(emulator, account, "hadron-agent").await
}

impl Agent {
    /// Writes a configuration into `folder` and starts an agent with it. `limits` is added to the table of that name.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        folder: &Path,
        account: &str,
        hub: &Ready,
        emulator: &str,
        credentials: &Variables,
        limits: &str,
    ) -> Result<Self> {
        let folder = folder.join(format!("agent-{account}"));
        std::fs::create_dir_all(&folder).context("a folder for the agent")?;
        let role = format!("arn:aws:iam::{account}:role/hadron-provisioning");
        let pipeline = if account == MANAGEMENT {
            format!("\"{role}\"")
        } else {
            String::new()
        };
        let text = format!(
            r#"account = "{account}"
region = "{REGION}"
state_dir = "{state}"
endpoint_url = "{emulator}"
dev = true

[hub]
enrol = "{enrol}"
jobs = "{jobs}"
ca_pin = "{pin}"

[roles]
provisioning = ["{role}"]
pipeline = [{pipeline}]
component = ["arn:aws:iam::{account}:role/{COMPONENTS}"]

[limits]
{limits}
"#,
            state = folder.join("state").display(),
            enrol = hub.enrol,
            jobs = hub.jobs,
            pin = hub.ca_pin,
        );
        std::fs::write(folder.join("agent.toml"), text).context("agent.toml")?;
        let process = spawn(&folder, credentials, &Variables::new())?;
        Ok(Self {
            process,
            account: account.to_owned(),
            folder,
            credentials: credentials.clone(),
        })
    }

    /// The account that it works in.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its folder: configuration, key, certificate, journal.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts another agent of the same account, with the same configuration and a disk of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn twin(&self) -> Result<Self> {
        self.twin_as(&self.credentials)
    }

    /// The same with other credentials of the account's agent role, by which AWS can tell the two apart.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn twin_as(&self, credentials: &Variables) -> Result<Self> {
        let folder = self.folder.with_file_name(format!("agent-{}-twin", self.account));
        std::fs::create_dir_all(&folder).context("a folder for the second agent")?;
        let text = std::fs::read_to_string(self.folder.join("agent.toml")).context("agent.toml")?;
        let (own, other) = (self.folder.display().to_string(), folder.display().to_string());
        std::fs::write(folder.join("agent.toml"), text.replace(&own, &other))
            .context("agent.toml of the second agent")?;
        let process = spawn(&folder, credentials, &Variables::new())?;
        Ok(Self {
            process,
            account: self.account.clone(),
            folder,
            credentials: credentials.clone(),
        })
    }

    /// What the journal holds at this moment, all jobs in one text.
    #[must_use]
    pub fn journal(&self) -> String {
        let jobs = std::fs::read_dir(self.folder.join("state/jobs"))
            .into_iter()
            .flatten()
            .flatten();
        jobs.filter_map(|file| std::fs::read_to_string(file.path()).ok())
            .collect()
    }

    /// Takes away everything that it keeps on disk: key, certificate, journal.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn lose_disk(&self) -> Result<()> {
        std::fs::remove_dir_all(self.folder.join("state")).context("the agent's state")
    }

    /// Changes the configuration of the agent and starts it again with it; gives the configuration of before.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn configure(&mut self, change: impl FnOnce(&str) -> String) -> Result<String> {
        let file = self.folder.join("agent.toml");
        let text = std::fs::read_to_string(&file).context("agent.toml")?;
        std::fs::write(&file, change(&text)).context("agent.toml")?;
        self.restart()?;
        Ok(text)
    }

    /// Starts it again with what it had on disk.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        self.restart_with(&Variables::new())
    }

    /// The same with more variables in its environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart_with(&mut self, more: &Variables) -> Result<()> {
        self.process.kill()?;
        self.process = spawn(&self.folder, &self.credentials, more)?;
        Ok(())
    }
}

fn spawn(folder: &Path, credentials: &Variables, more: &Variables) -> Result<Process> {
    let mut command = Command::new(paths::binary("hadron-agent")?);
    command
        .args(["run", "--log-format", "json", "--config"])
        .arg(folder.join("agent.toml"))
        .env_clear()
        .env("PATH", crate::emulator::path())
        .env("HOME", folder)
        .envs(credentials)
        .envs(more);
    Process::start("hadron-agent", &mut command, &folder.join("agent.log"))
}
