//! The emulated AWS: a process of its own, see `tests/emulator/README.md`.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::{Process, free_port};
use crate::{paths, wait};

/// How the emulator is to behave.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Check signatures and IAM policies.
    pub auth: bool,
    /// Seconds that each resource of a stack takes.
    pub delay: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            auth: true,
            delay: 0.0,
        }
    }
}

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    process: Process,
    url: String,
    http: reqwest::Client,
}

/// Installs the emulator into a virtual environment of its own, unless it is there already.
///
/// # Errors
/// When Python or a package is missing; the error says what to install.
pub fn install() -> Result<()> {
    environment(
        &paths::tools().join("emulator"),
        "tests/emulator/requirements.txt",
        "the AWS emulator",
    )
}

/// Makes a virtual environment with what a file of the checkout requires, unless it is there already as required now.
///
/// # Errors
/// When Python or a package is missing; the error says what to install.
pub fn environment(venv: &Path, requirements: &str, what: &str) -> Result<()> {
    let file = paths::root().join(requirements);
    let wanted = std::fs::read_to_string(&file).context(requirements.to_owned())?;
    let stamp = venv.join("requirements.installed");
    let there = || std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted);
    if there() {
        return Ok(());
    }
    let _alone = installing()?;
    if there() {
        return Ok(());
    }
    eprintln!("installing {what} into {} (once, about a minute)", venv.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv)).context(
        "python3 -m venv does not work: install Python 3.11 or later with venv (Debian: apt-get install python3 python3-venv)",
    )?;
    run(Command::new(venv.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(&file))
    .with_context(|| format!("pip could not install {requirements}; is a package index reachable?"))?;
    std::fs::write(&stamp, &wanted).context("remembering what was installed")
}

/// One installs at a time: tests are processes, and several may find that something is not there yet. Held until dropped.
pub(crate) fn installing() -> Result<File> {
    let tools = paths::tools();
    std::fs::create_dir_all(&tools).context("a folder for tools")?;
    let lock = File::create(tools.join("installing.lock")).context("the lock of installations")?;
    lock.lock().context("waiting for another installation")?;
    Ok(lock)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{command:?} ended with {status}")
    }
}

impl Emulator {
    /// Starts an emulator that keeps nothing, with its log in `folder`.
    ///
    /// # Errors
    /// When it is not installed or does not answer in time.
    pub async fn start(folder: &Path, options: Options) -> Result<Self> {
        let port = free_port()?;
        let state = folder.join("emulator");
        std::fs::create_dir_all(&state).context("a folder for the emulator")?;
        let mut command = Command::new(paths::tools().join("emulator/bin/python"));
        command
            .arg(paths::root().join("tests/emulator/emulator.py"))
            .env_clear()
            .env("PATH", path())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("AUTH", options.auth.to_string())
            .env("CFN_DELAY", options.delay.to_string())
            .env("STATE_DIR", &state);
        let process = Process::start("emulator", &mut command, &folder.join("emulator.log"))?;
        let url = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .context("an HTTP client")?;
        let mut emulator = Self { process, url, http };
        let health = format!("{}/_hadron/health", emulator.url);
        loop {
            emulator.process.alive()?;
            if let Ok(answer) = emulator.http.get(&health).send().await
                && answer.status().is_success()
            {
                return Ok(emulator);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self
            .http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .context("asking the emulator")?;
        let text = answer.text().await.context("the emulator's answer")?;
        serde_json::from_str(&text).with_context(|| format!("the emulator's answer to {path}: {text}"))
    }

    /// Every API call since `since`, in order.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn calls(&self, since: u64) -> Result<Vec<Value>> {
        let calls = self.get(&format!("/_hadron/calls?since={since}")).await?;
        Ok(calls.as_array().cloned().unwrap_or_default())
    }

    /// The number of the last call so far.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn last_call(&self) -> Result<u64> {
        Ok(self
            .calls(0)
            .await?
            .last()
            .and_then(|call| call["seq"].as_u64())
            .unwrap_or(0))
    }

    /// Everything that exists: accounts, Regions, stacks, repositories.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn state(&self) -> Result<Value> {
        self.get("/_hadron/state").await
    }

    /// The stacks of an account that are not deleted.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn stacks(&self, account: &str) -> Result<Vec<Value>> {
        let state = self.state().await?;
        let stacks = state["accounts"][account]["regions"][crate::REGION]["stacks"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(stacks
            .into_iter()
            .filter(|stack| stack["status"] != "DELETE_COMPLETE")
            .collect())
    }

    /// The policy of a repository; `None` when it has none.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn policy(&self, account: &str, repository: &str) -> Result<Option<Value>> {
        let state = self.state().await?;
        let repositories = &state["accounts"][account]["regions"][crate::REGION]["repositories"];
        let found = repositories
            .as_array()
            .into_iter()
            .flatten()
            .find(|each| each["name"] == repository);
        Ok(found
            .map(|each| each["policy"].clone())
            .filter(|policy| !policy.is_null()))
    }

    /// Plants faults, see `tests/emulator/README.md`.
    ///
    /// # Errors
    /// When the emulator refuses them.
    pub async fn plant(&self, faults: &Value) -> Result<()> {
        let url = format!("{}/_hadron/faults", self.url);
        let answer = self
            .http
            .post(url)
            .body(faults.to_string())
            .send()
            .await
            .context("planting faults")?;
        if answer.status().is_success() {
            Ok(())
        } else {
            bail!("the emulator refuses the faults: {}", answer.text().await?)
        }
    }

    /// Forgets all faults that were planted and not met yet.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn heal(&self) -> Result<()> {
        let url = format!("{}/_hadron/faults", self.url);
        let answer = self.http.delete(url).send().await.context("forgetting faults")?;
        if answer.status().is_success() {
            Ok(())
        } else {
            bail!("the emulator forgets no faults: {}", answer.text().await?)
        }
    }

    /// Waits until an API call that `fits` was made after `since`; gives it.
    ///
    /// # Errors
    /// When none is made in time.
    pub async fn called(&self, what: &str, since: u64, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        wait::until(what, Duration::from_secs(60), || async {
            Ok(self.calls(since).await?.into_iter().find(|call| fits(call)))
        })
        .await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        self.process.kill()
    }
}

/// The PATH of this process, for children that get no other variable.
#[expect(
    clippy::disallowed_methods,
    reason = "the harness is the outermost program and hands PATH on"
)]
pub(crate) fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}
