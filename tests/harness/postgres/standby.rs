//! A standby that follows a server by streaming replication, and takes its place.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::{PATIENCE, Postgres};
use crate::wait;

impl Postgres {
    /// Makes a standby that follows this server at `through`: its own address, or that of a proxy before it. Returns when it
    /// follows. Its log goes into `folder`, under `name`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn standby(&self, through: SocketAddr, folder: &Path, name: &str) -> Result<Self> {
        let standby = Self::as_told(folder.join(format!("{name}.log")), Some(through.port())).await?;
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
