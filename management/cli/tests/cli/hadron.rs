//! The child process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::fake::Hub;

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A hub, and a home that no test shares.
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) url: String,
    pub(crate) home: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let hub = Hub::default();
        let url = format!("http://{}", hub.serve().await);
        Self {
            hub,
            url,
            home: tempfile::tempdir().expect("a directory"),
        }
    }

    /// The program with this hub and a token, and nothing of this machine's environment.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = bare(line, self.home.path());
        command.env("HADRON_HUB", &self.url).env("HADRON_TOKEN", "good");
        command
    }

    pub(crate) async fn run(&self, line: &str) -> Run {
        finish(self.command(line)).await
    }

    /// Calls that came to the hub and begin with this.
    pub(crate) fn calls(&self, name: &str) -> Vec<String> {
        self.hub
            .state()
            .log
            .iter()
            .filter(|call| call.starts_with(name))
            .cloned()
            .collect()
    }
}

/// The program without anything.
pub(crate) fn bare(line: &str, home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadron"));
    command.args(line.split_whitespace());
    command
        .env_clear()
        .env("HOME", home)
        .env("NO_PROXY", "*")
        .current_dir(home);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) async fn finish(mut command: Command) -> Run {
    collect(command.spawn().expect("the program starts")).await
}

pub(crate) async fn collect(child: Child) -> Run {
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
    let output = output
        .expect("the program ends in time")
        .expect("its output is read");
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        err: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}
