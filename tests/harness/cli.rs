//! The command line client as a process, as somebody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::paths;

/// Somebody who uses `hadron`: their variables, and nothing else of this process's environment.
#[derive(Clone, Debug)]
pub struct Cli {
    variables: BTreeMap<String, String>,
    folder: PathBuf,
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

impl Ran {
    /// The data as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {}", self.stdout))
    }

    /// Both streams, for searching.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Cli {
    /// Somebody with these variables; `folder` is their home.
    #[must_use]
    pub fn new(folder: &Path, variables: BTreeMap<String, String>) -> Self {
        Self {
            variables,
            folder: folder.to_owned(),
        }
    }

    /// Their variables.
    #[must_use]
    pub const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A command that can be started anywhere, such as in a terminal.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn command(&self, args: &[&str]) -> Result<Command> {
        std::fs::create_dir_all(&self.folder).context("a home")?;
        let mut command = Command::new(paths::binary("hadron")?);
        command
            .args(args)
            .env_clear()
            .env("PATH", crate::emulator::path())
            .env("HOME", &self.folder)
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .envs(&self.variables)
            .current_dir(paths::root())
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Starts a command, whose output is read while it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, args: &[&str]) -> Result<tokio::process::Child> {
        tokio::process::Command::from(self.command(args)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("hadron cannot be started")
    }

    /// Runs a command to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than two minutes.
    pub async fn run(&self, args: &[&str]) -> Result<Ran> {
        let child = tokio::process::Command::from(self.command(args)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("hadron cannot be started")?;
        let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output())
            .await
            .with_context(|| format!("hadron {} does not come to an end", args.join(" ")))?
            .context("waiting for hadron")?;
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that has to succeed.
    ///
    /// # Errors
    /// When it does not; the error shows what it said.
    pub async fn ok(&self, args: &[&str]) -> Result<Ran> {
        let ran = self.run(args).await?;
        if ran.code == 0 {
            Ok(ran)
        } else {
            bail!(
                "hadron {} ended with {}:\n{}",
                args.join(" "),
                ran.code,
                ran.text()
            )
        }
    }

    /// Runs a command that has to succeed and gives its data.
    ///
    /// # Errors
    /// When it does not, or prints no JSON.
    pub async fn json(&self, args: &[&str]) -> Result<Value> {
        let mut args = args.to_vec();
        args.extend(["-o", "json"]);
        self.ok(&args).await?.json()
    }

    /// Runs a command that has to fail with this exit code; gives what it said.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub async fn fails(&self, code: i32, args: &[&str]) -> Result<String> {
        let ran = self.run(args).await?;
        if ran.code == code {
            Ok(ran.text())
        } else {
            bail!(
                "hadron {} was to end with {code}, but ended with {}:\n{}",
                args.join(" "),
                ran.code,
                ran.text()
            )
        }
    }

    /// Starts a command whose output this process shows, and waits for it; it ends when nobody waits any more.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn show(&self, args: &[&str]) -> Result<i32> {
        let mut child = tokio::process::Command::from(self.command(args)?)
            .kill_on_drop(true)
            .spawn()
            .context("hadron cannot be started")?;
        let status = child.wait().await.context("waiting for hadron")?;
        Ok(status.code().unwrap_or(-1))
    }
}
