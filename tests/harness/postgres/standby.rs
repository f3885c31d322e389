//! A standby that follows a server by streaming replication, and takes its place.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::{DATABASE, PATIENCE, Postgres, as_user, spawn};
use crate::process::free_port;
use crate::wait;

impl Postgres {
    /// Makes a standby that follows this server at `through`: its own address, or that of a proxy before it. Returns when
    /// it has everything that was committed. Its log goes into `folder`, under `name`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn standby(&self, through: SocketAddr, folder: &Path, name: &str) -> Result<Self> {
        let own = TempDir::with_prefix("hadron-pg-").context("a folder for a standby")?;
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(own.path(), Some(uid), Some(gid)).context("a folder of another user")?;
        }
        let mut command = Command::new(self.programs.join("pg_basebackup"));
        command
            .arg("-D")
            .arg(own.path().join("data"))
            .args([
                "-h",
                &through.ip().to_string(),
                "-p",
                &through.port().to_string(),
                "-U",
                "hadron",
                "--write-recovery-conf",
                "--wal-method=stream",
                "--checkpoint=fast",
                "--no-sync",
            ])
            .current_dir(own.path());
        as_user(&mut command, self.user);
        // It talks through a proxy of this very process.
        let made = tokio::task::spawn_blocking(move || command.output())
            .await
            .context("pg_basebackup")?
            .context("pg_basebackup")?;
        ensure!(
            made.status.success(),
            "pg_basebackup: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let (port, log) = (free_port()?, folder.join(format!("{name}.log")));
        let process = spawn(&self.programs, own.path(), port, self.user, &log)?;
        let mut standby = Self {
            process,
            folder: own,
            port,
            programs: self.programs.clone(),
            user: self.user,
            log,
        };
        standby.answers(DATABASE).await?;
        wait::until("the standby to follow", PATIENCE, || async {
            let following = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'";
            Ok((!self.rows(following).await?.is_empty()).then_some(()))
        })
        .await?;
        Ok(standby)
    }

    /// From now on a COMMIT is answered when a standby has it on its disk as well; or no longer.
    ///
    /// # Errors
    /// When the server does not take it, or no standby keeps up.
    pub async fn wait_for_standby(&self, wait: bool) -> Result<()> {
        let names = if wait { "*" } else { "" };
        self.rows(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"))
            .await?;
        self.rows("SELECT pg_reload_conf()").await?;
        if wait {
            wait::until("a synchronous standby", PATIENCE, || async {
                let sync = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
                Ok((!self.rows(sync).await?.is_empty()).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// The standby takes its server's place.
    ///
    /// # Errors
    /// When it does not.
    pub async fn promote(&self) -> Result<()> {
        self.rows("SELECT pg_promote(true, 60)").await?;
        wait::until("the standby to be promoted", PATIENCE, || async {
            let standing = "SELECT 1 WHERE NOT pg_is_in_recovery()";
            Ok((!self.rows(standing).await?.is_empty()).then_some(()))
        })
        .await
    }
}
