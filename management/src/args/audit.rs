//! `hadron-hub audit ...`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use hadron_proto::vocab::{AccountId, Timestamp};

use super::{Source, life};
use crate::identity::audit_key::PublicKey;

const VERIFY: &str = "\
Examples:
  hadron-hub audit verify --config /etc/hadron/hub.toml
          Checks the log against the checkpoints in the database and in the file that the hub appends them to.
  hadron-hub audit verify --config /etc/hadron/hub.toml --checkpoints /mnt/worm/audit-checkpoints.jsonl
          The same with a copy that nobody on the hub's machine can write: this is what finds a log that was rewritten as a
          whole, or cut off, by somebody who had the database and the hub's data directory.
  hadron-hub audit verify --config auditor.toml --public-key ed25519:1lJc... --checkpoints copy.jsonl
          On another machine, with a read-only role on the PostgreSQL database and the key that the hub printed.

What is found: altered, removed, added and exchanged rows by their hashes; rows that were rewritten together with all
hashes behind them by the next checkpoint, which also tells between which rows; a log that was cut off by the database's
own count, by the last checkpoint, and by the high-water mark in the data directory.
What is not: what was changed behind the last checkpoint by somebody who also computed all hashes behind it anew.

Only reads; a running hub is not disturbed, and what it writes meanwhile is checked as far as it comes.

Exit codes:
  0   nothing was changed
  1   it could not be checked; standard error says why
  3   something was changed; each finding is a line of standard output";

const EXPORT: &str = "\
Examples:
  hadron-hub audit export --config /etc/hadron/hub.toml --since 24h
          Everything of the last day, one JSON object a line.
  hadron-hub audit export --config /etc/hadron/hub.toml --account 222222222222 --event-name RejectEnvironmentAccountConnection
          Who of that account rejected connections.
  hadron-hub audit export --config /etc/hadron/hub.toml | jq -c 'select(.errorCode)'
          What was denied.

The form is that of CloudTrail's records, with Proton's names of operations, so that what reads a trail reads this.
Contents of requests are not in the log and so not in here: requestParameters names the resource and nothing else.
additionalEventData holds what CloudTrail has no place for: the row's number, its hash, and the hub's remark.";

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditTask {
    /// Find out whether anything in the audit log was changed, and what
    #[command(after_long_help = VERIFY)]
    Verify(Verify),
    /// Print the audit log as records in CloudTrail's form, one JSON object a line
    #[command(after_long_help = EXPORT)]
    Export(Export),
    /// Print the public half of the key that signs checkpoints
    ///
    /// Whoever verifies the log on another machine needs it (--public-key); keep it where the hub's administrators cannot
    /// change it.
    PublicKey(Source),
}

/// See [`AuditTask::Verify`].
#[derive(Debug, Args)]
pub struct Verify {
    /// A file of checkpoints that was kept elsewhere, or a folder of such files; may be given more than once [default: the hub's
    /// own file, if it is there]
    #[arg(long, value_name = "FILE")]
    pub checkpoints: Vec<PathBuf>,
    /// A key that checkpoints may be signed with; may be given more than once [default: that of audit.key in the data directory]
    #[arg(long, value_name = "KEY")]
    pub public_key: Vec<PublicKey>,
    /// The database was restored, and this is the generation that began then (`hadron-hub recover` told it): checkpoints of
    /// before that disagree are told, and are no finding
    #[arg(long, value_name = "GENERATION")]
    pub restored: Option<u64>,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// See [`AuditTask::Export`].
#[derive(Debug, Args)]
pub struct Export {
    /// Not before this time: 2026-01-31T00:00:00Z, or so long ago: 24h, 30d
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub since: Option<When>,
    /// Before this time, in the same forms
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub until: Option<When>,
    /// Only what people of this account asked for
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<AccountId>,
    /// Only this operation, such as `CreateService`
    #[arg(long, value_name = "NAME")]
    pub event_name: Option<String>,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// A point in time, by the calendar or from now back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// By the calendar.
    At(Timestamp),
    /// So long ago.
    Ago(Duration),
}

impl When {
    /// Which point that is now.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.minus(ago),
        }
    }
}

fn when(text: &str) -> Result<When, String> {
    if let Ok(ago) = life(text) {
        return Ok(When::Ago(ago));
    }
    let at: Result<jiff::Timestamp, _> = text.parse();
    at.map(|at| When::At(Timestamp::from_micros(at.as_microsecond())))
        .map_err(|_| {
            format!("'{text}' is no time such as 2026-01-31T00:00:00Z, and not so long ago as 24h or 30d")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_by_the_calendar_or_from_now_back() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        assert_eq!(when("1h").unwrap().at(now), now.minus(Duration::from_secs(3_600)));
        let at = when("2023-11-14T22:13:20Z").unwrap();
        assert_eq!(at.at(Timestamp::from_micros(0)), now);
        for wrong in ["", "yesterday", "2023-11-14", "1y"] {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
