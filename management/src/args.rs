//! The command line. Configuration keys are flags and variables by the table in [`config`](crate::config), so that a key
//! cannot be in one place and missing in another.

mod audit;
mod ca;
mod keys;

use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Parser, Subcommand};
use hadron_domain::authority::Role;
use hadron_proto::vocab::AccountId;

use crate::config::{self, Config, Invalid, KEYS, Kind, Origin, Override};
use crate::render::Allowed;
use crate::telemetry::LogFormat;

pub use audit::{AuditTask, Export, Verify, When};
pub use ca::{CaTask, Retire};
pub use keys::{KeysTask, Rotate};

const HEADING: &str = "Configuration";

/// The hub of Hadron: templates, connections and every decision.
///
/// The hub runs in the management account and has no AWS credentials. Agents in each account connect to it, prove which
/// account they run in, and carry out its jobs with credentials of their own.
#[derive(Debug, Parser)]
#[command(name = "hadron-hub", version, max_term_width = 110, after_long_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Task,
    /// How log lines on standard error look [default: text on a terminal, else json]
    #[arg(
        long,
        global = true,
        value_enum,
        env = "HADRON_HUB_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    pub log_format: Option<LogFormat>,
    /// What is logged, such as `info` or `hadron_management=debug`
    #[arg(
        long,
        global = true,
        default_value = "info",
        env = "HADRON_HUB_LOG",
        value_name = "FILTER"
    )]
    pub log: String,
}

const EXAMPLES: &str = "\
Examples:
  hadron-hub check-config --config /etc/hadron/hub.toml
          Says what is wrong with a configuration, all of it, without opening a connection.
  hadron-hub serve --config /etc/hadron/hub.toml
          Works until SIGTERM; then sends agents away, ends calls under way and exits.
  hadron-hub serve --dev --sts-endpoint http://127.0.0.1:4566 --data-dir /tmp/hub
          A hub on loopback with an emulator as AWS; /tmp/hub/ready.json tells where it listens.
  hadron-hub backup /var/backups/hadron/hub.db --config /etc/hadron/hub.toml
          A copy of the SQLite database, taken while the hub works.
  hadron-hub recover --config /etc/hadron/hub.toml
          After a restore, before the hub is started again.
  hadron-hub admin token create --config /etc/hadron/hub.toml --name ci --role developer --expires 90d
          A token for a script, printed once.
  hadron-hub admin access-key create ci --config /etc/hadron/hub.toml --role developer --expires 90d
          An access key for an AWS client of the Proton API, printed once.
  hadron-hub audit verify --config /etc/hadron/hub.toml --checkpoints /mnt/worm/audit-checkpoints.jsonl
          Whether anything in the audit log was changed, and what.

Exit codes:
  0   done, or stopped after SIGTERM
  1   it did not work; standard error says why
  2   the command line is wrong
  3   the audit log was changed; standard output says where (audit verify)
  64  the configuration is wrong; every fault is named
  130 stopped at once by a second signal";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Serve agents and people until told to stop
    ///
    /// Brings the database to this version's schema first. Every key of the configuration file is a flag and a variable as
    /// well: `listen.api` is --listen-api and `HADRON_HUB_LISTEN_API`; lists are separated by commas there.
    Serve(Source),
    /// Bring the database to this version's schema
    Migrate(Source),
    /// Check a configuration and print what it means
    ///
    /// Reads everything that `serve` would read and opens no connection. Exit code 64 when anything is wrong.
    CheckConfig(Source),
    /// Copy the SQLite database to a file, also while a hub is running and writing
    ///
    /// The copy holds everything that was acknowledged before the command began. Keep the hub's ca.pem, seal.key and audit.key
    /// with it: without the first the agents do not know the hub again, without the second no access key can be used any more.
    /// PostgreSQL has tools of its own (base backups with an archive of its log, `pg_dump`).
    Backup(Backup),
    /// Announce that the database was restored to an earlier state; before `serve`
    ///
    /// Begins a new generation: leases, sessions, certificates and logins of before are void, agents enrol again by
    /// themselves, and each stack is compared with CloudFormation before anything else is done in its account. The same is
    /// due after a fail-over to a PostgreSQL standby that may have missed the last commits. May be repeated: a recovery that
    /// is under way is not begun again. Brings the database to this version's schema first.
    Recover(Recover),
    /// Check the audit log for changes, and export it
    ///
    /// Every row of the log carries a hash over its content and the hash of the row before it. The hub signs the last hash
    /// once a minute with audit.key and appends that to a file (`audit.checkpoint_file`), so that what the hashes alone cannot
    /// tell, a log that was rewritten as a whole, disagrees with what was signed.
    #[command(subcommand)]
    Audit(AuditTask),
    /// The keys that specs, outputs, templates and messages are sealed with in the database
    ///
    /// Every account has a data key in the database; they are wrapped by the sealing key, which is in seal.key in the data
    /// directory and not in the database. So a copy of the database tells nothing of what people typed and what their stacks
    /// answered.
    #[command(subcommand)]
    Keys(KeysTask),
    /// The roots of the hub's CA, by which agents and people know the hub and the hub knows its agents
    ///
    /// Roots are replaced by time; this is for whoever does not want to wait for that. All tasks work beside running hubs.
    #[command(subcommand)]
    Ca(CaTask),
    /// Work on the database directly, also beside a running hub
    #[command(subcommand)]
    Admin(Admin),
    /// Read and render what strangers wrote, for the hub that started this
    #[command(hide = true)]
    RenderWorker(Allowed),
    /// Print the version
    Version,
}

/// What administrators of the machine can do.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Tokens for scripts and for the first login
    #[command(subcommand)]
    Token(TokenTask),
    /// Access keys for AWS clients of the Proton API
    #[command(subcommand)]
    AccessKey(AccessKeyTask),
    /// Print the pin of the hub's CA, which agents and clients are given, and write its certificate to a file
    #[command(visible_alias = "pin")]
    CaPin(CaPin),
    /// Trust the management account's agent role again after it was deleted and made anew
    TrustAgentRole(Source),
    /// What `hadron-hub backup` does, under the name that it had first
    #[command(hide = true)]
    Backup(Backup),
}

/// See [`Task::Recover`].
#[derive(Debug, Args)]
pub struct Recover {
    /// Begin a new generation although the last one has only begun: the database was restored once more
    #[arg(long)]
    pub again: bool,
    /// Do not wait for this account's stacks to be compared, since no agent will; begins no new generation
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "again")]
    pub skip: Option<AccountId>,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// See [`Task::Backup`].
#[derive(Debug, Args)]
pub struct Backup {
    /// Where the copy goes; must not exist yet
    pub file: PathBuf,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// See [`Admin::CaPin`].
#[derive(Debug, Args)]
pub struct CaPin {
    /// Where the certificate goes [default: ca.crt in the data directory]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the data directory is.
    #[command(flatten)]
    pub source: Source,
}

/// See [`Admin::Token`].
#[derive(Debug, Subcommand)]
pub enum TokenTask {
    /// Make a token and print it; it is not stored and cannot be shown again
    Create(NewToken),
    /// List tokens that were made here
    List(Source),
    /// Switch a token off, at once
    Disable(OldToken),
}

/// The role of something that is minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintedRole(pub Option<Role>);

impl std::str::FromStr for MintedRole {
    type Err = hadron_domain::authority::InvalidRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|role| Self(Some(role)))
    }
}

/// See [`TokenTask::Create`].
#[derive(Debug, Args)]
pub struct NewToken {
    /// What to call it; its bearer is known as token:NAME
    #[arg(long)]
    pub name: String,
    /// What its bearer may do: administrator, developer, owner or auditor; none: what `hadron access grant` says
    #[arg(long)]
    pub role: MintedRole,
    /// When it ends, such as 12h, 30d or 8w [default: never]
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub expires: Option<Duration>,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// See [`TokenTask::Disable`].
#[derive(Debug, Args)]
pub struct OldToken {
    /// What it is called
    pub name: String,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// See [`Admin::AccessKey`].
#[derive(Debug, Subcommand)]
pub enum AccessKeyTask {
    /// Make an access key and print it; its secret cannot be shown again
    ///
    /// For scripts and machines without an IAM identity. Whoever has one uses `hadron credentials` instead.
    Create(NewAccessKey),
    /// List access keys that were made here
    List(Source),
    /// Switch an access key off, at once; also a temporary one, by its id
    Disable(OldAccessKey),
}

/// In which form a new access key is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyForm {
    /// Lines for a shell: `export AWS_ACCESS_KEY_ID=...`
    Env,
    /// What an AWS `credential_process` prints
    Json,
}

/// See [`AccessKeyTask::Create`].
#[derive(Debug, Args)]
pub struct NewAccessKey {
    /// What to call it; its bearer is known as key:NAME
    pub name: String,
    /// What its bearer may do: administrator, developer or auditor; none: what `hadron access grant` says
    #[arg(long)]
    pub role: MintedRole,
    /// When it ends, such as 12h, 30d or 8w [default: never]
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub expires: Option<Duration>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = KeyForm::Env)]
    pub output: KeyForm,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// See [`AccessKeyTask::Disable`].
#[derive(Debug, Args)]
pub struct OldAccessKey {
    /// What it is called, or its id
    pub name: String,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// The configuration file (TOML)
    #[arg(long, env = "HADRON_HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Values that win over the file.
    #[command(flatten)]
    pub overrides: Overrides,
}

impl Source {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// Names everything that is wrong with it.
    pub fn load(self) -> Result<Config, Invalid> {
        config::load(self.config.as_deref(), self.overrides.0)
    }
}

/// Configuration keys given as flags or variables.
#[derive(Clone, Debug, Default)]
pub struct Overrides(pub Vec<Override>);

impl Args for Overrides {
    fn augment_args(command: Command) -> Command {
        let flags = KEYS.iter().filter(|key| !key.is_in_file_only());
        flags.fold(command, |command, key| {
            let mut arg = Arg::new(key.path)
                .long(key.flag())
                .env(key.variable())
                .hide_env_values(true)
                .value_name(key.value)
                .help(key.help)
                .help_heading(HEADING);
            if key.kind == Kind::Switch {
                // A switch may stand alone: --dev is --dev=true.
                arg = arg
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true");
            }
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Overrides {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = KEYS.iter().filter(|key| !key.is_in_file_only());
        let given = flags.filter_map(|key| {
            let text = matches.get_one::<String>(key.path)?.clone();
            let origin = match matches.value_source(key.path)? {
                ValueSource::EnvVariable => Origin::Variable(key.variable()),
                _ => Origin::Flag(key.flag()),
            };
            Some(Override {
                path: key.path,
                text,
                origin,
            })
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A number with a unit: s, m, h, d or w.
fn life(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no length of time such as 12h, 30d or 8w");
    let split = text.len().saturating_sub(1);
    let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let total = number
        .checked_mul(seconds)
        .filter(|total| (1..=100 * 366 * 86_400).contains(total));
    total.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lives_have_units() {
        assert_eq!(life("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for wrong in [
            "",
            "d",
            "30",
            "0d",
            "-1d",
            "1y",
            "99999999999999999999d",
            "1 d",
            "ü",
        ] {
            assert!(life(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_win_over_nothing_and_remember_where_they_stood() {
        let cli =
            Cli::try_parse_from(["hadron-hub", "serve", "--dev", "--listen-api", "127.0.0.1:0"]).unwrap();
        let Task::Serve(source) = cli.command else {
            panic!("not serve")
        };
        let mut given: Vec<_> = source
            .overrides
            .0
            .iter()
            .map(|one| (one.path, one.text.as_str()))
            .collect();
        given.sort_unstable();
        assert_eq!(given, [("dev", "true"), ("listen.api", "127.0.0.1:0")]);
    }
}
