//! L: what this machine can do at all, for the table of limits.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::Bench;
use crate::limits;
use crate::report::Row;

impl Bench {
    /// L1, L4, L5 for the table of limits.
    pub(super) async fn machine_limits(&mut self, round: u32) -> Result<()> {
        let span = if self.flags.smoke {
            Duration::from_millis(30)
        } else {
            self.scale.span.min(Duration::from_secs(2))
        };
        let seeded = self
            .seeded(self.scale.sizes.first().copied().unwrap_or(10))
            .await?;
        let count = if self.flags.smoke { 20 } else { 2_000 };
        let before = self.before().await?;
        let mut rows = Vec::new();
        for (case, append) in [
            ("fdatasync of 4 KiB, overwriting", false),
            ("fdatasync of 4 KiB, appending", true),
        ] {
            let syncs = limits::syncs(&self.dir, append, span)?;
            let mut row = Row::new("L", case, 0.0, "L1", round);
            row.set("rate", syncs.rate);
            row.set("p50_ms", syncs.p50);
            rows.push(row);
        }
        for resumed in [false, true] {
            let seeded = Arc::clone(&seeded);
            let shaken =
                tokio::task::spawn_blocking(move || limits::handshakes(&seeded, count, resumed)).await??;
            let case = format!(
                "TLS handshake with client certificates, in memory, {}",
                if resumed { "resumed" } else { "full" }
            );
            let mut row = Row::new("L", case, 0.0, "L4", round);
            row.set("server_us", shaken.server);
            row.set("both_us", shaken.both);
            rows.push(row);
        }
        for (case, pause) in [
            ("64 bytes over loopback, hot", 0),
            ("64 bytes over loopback, idle", 1),
        ] {
            let pause = Duration::from_millis(pause);
            let p50 = tokio::task::spawn_blocking(move || limits::round_trip(pause, span)).await??;
            let mut row = Row::new("L", case, 0.0, "L5", round);
            row.set("p50_ms", p50);
            rows.push(row);
        }
        for mut row in rows {
            row.limit = true;
            before.mark(&mut row, None);
            self.push(row);
        }
        Ok(())
    }
}
