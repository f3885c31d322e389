//! A child process with its log in a file, ended by its pid.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

static APART: OnceLock<PathBuf> = OnceLock::new();

/// From now on processes get process groups of their own, and each is written down by its pid in `pids` when it starts.
/// Ctrl-C reaches only this program, which then ends them itself; a terminal that closes does not end those that shall
/// stay; and whoever finds the file can end what a killed program left behind. Tests do without, so that a runner that
/// ends a test's group ends everything that the test started.
pub fn keep_apart(pids: &Path) {
    // A second call changes nothing: there is one file.
    let _ = APART.set(pids.to_owned());
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it prints goes to `log`, after what is there already.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("log {}", log.display()))?;
        let err = out.try_clone().context("the log, twice")?;
        let apart = APART.get();
        if apart.is_some() {
            command.process_group(0);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("{name} cannot be started ({command:?})"))?;
        if let Some(pids) = apart {
            let mut file = File::options()
                .create(true)
                .append(true)
                .open(pids)
                .context("the list of pids")?;
            writeln!(file, "{}", child.id()).context("the list of pids")?;
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its log is.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails when the process has ended, with the end of its log.
    ///
    /// # Errors
    /// When it has ended.
    pub fn alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait().context("asking for a child")? {
            let printed = self.printed();
            let tail: Vec<&str> = printed.lines().rev().take(25).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            bail!(
                "{} has ended ({status}); its log ends with:\n{}",
                self.name,
                tail.join("\n")
            );
        }
        Ok(())
    }

    /// How it has ended; `None` while it runs.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("asking for {}", self.name))
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        self.child
            .wait()
            .with_context(|| format!("waiting for {}", self.name))?;
        Ok(())
    }

    /// Sends a signal by name, such as `TERM`, `STOP` or `CONT`.
    ///
    /// # Errors
    /// When `kill` cannot be run.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.pid().to_string())
            .stderr(Stdio::null())
            .status()
            .context("running kill")?;
        if status.success() {
            Ok(())
        } else {
            bail!("{} (pid {}) took no signal {signal}", self.name, self.pid())
        }
    }

    /// Asks it to end and waits for it.
    ///
    /// # Errors
    /// When it does not end within the time given.
    pub async fn stop(&mut self, patience: Duration) -> Result<ExitStatus> {
        let _ = self.signal("TERM");
        let end = tokio::time::Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().context("asking for a child")? {
                return Ok(status);
            }
            if tokio::time::Instant::now() > end {
                self.kill()?;
                bail!(
                    "{} did not end within {} s of SIGTERM",
                    self.name,
                    patience.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port on loopback that nobody listens on now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("a free port")?;
    Ok(listener.local_addr().context("the free port's number")?.port())
}
