//! The command line: what every command takes, and the tree of nouns. Verbs and their flags stand with their noun in
//! `commands/`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    access, agents, components, config, connections, console, credentials, deployments, doctor, environments,
    grants, instances, open, pipelines, repositories, services, session, settings, summary, sync, tags,
    templates,
};
use crate::output::Format;

/// Deploy versioned infrastructure templates into many AWS accounts.
#[derive(Debug, Parser)]
#[command(
    name = "hadron",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Start here:
  hadron login                                          prove who you are with your AWS credentials
  hadron template list                                  what can be deployed
  hadron environment list                               where it can be deployed to
  hadron service create web --template http --spec web.yaml --wait

More: hadron help exit-codes, hadron help errors, hadron help environment, hadron help formats"
)]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// The noun.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Address of the hub
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "HADRON_HUB",
        hide_env_values = true
    )]
    pub(crate) hub: Option<String>,
    /// The hub's CA certificate (PEM)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "HADRON_HUB_CA",
        hide_env_values = true
    )]
    pub(crate) hub_ca: Option<PathBuf>,
    /// SHA-256 of the hub's CA public key, sha256:<64 hex digits>
    #[arg(
        long,
        global = true,
        value_name = "PIN",
        env = "HADRON_HUB_CA_PIN",
        hide_env_values = true
    )]
    pub(crate) hub_ca_pin: Option<String>,
    /// Token for the hub, instead of AWS credentials
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "HADRON_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// File with a token
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "HADRON_TOKEN_FILE",
        hide_env_values = true
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Profile of the configuration file
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "HADRON_PROFILE",
        hide_env_values = true
    )]
    pub(crate) profile: Option<String>,
    /// Form of the output
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    // Its name is no code, and help shows no backticks.
    #[arg(
        long,
        global = true,
        value_name = "EXPRESSION",
        help = "Print only what this JMESPath expression finds (in JSON, unless -o says jsonl, yaml or name)"
    )]
    pub(crate) query: Option<String>,
    /// Tables without a header line
    #[arg(long, global = true)]
    pub(crate) no_headers: bool,
    /// Say more on stderr
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Another configuration file
    #[arg(long, global = true, value_name = "FILE", env = "HADRON_CONFIG", hide = true)]
    pub(crate) config: Option<PathBuf>,
}

/// The nouns, and what stands alone.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Environment account connections: which account may serve which environment
    #[command(subcommand, visible_alias = "conn", alias = "connections")]
    Connection(connections::Verb),
    /// Environment and service templates, and their versions
    #[command(subcommand, visible_alias = "tpl", alias = "templates")]
    Template(templates::Verb),
    /// Environments: shared infrastructure that services run in
    #[command(subcommand, visible_alias = "env", aliases = ["environments", "envs"])]
    Environment(environments::Verb),
    /// Services: instances in environments, and a pipeline
    #[command(subcommand, visible_alias = "svc", alias = "services")]
    Service(services::Verb),
    /// Service instances: one service in one environment
    #[command(subcommand, visible_alias = "inst", alias = "instances")]
    Instance(instances::Verb),
    /// Service pipelines
    #[command(subcommand, alias = "pipelines")]
    Pipeline(pipelines::Verb),
    /// Components: stacks of your own, attached to a service instance or beside it
    #[command(subcommand, visible_alias = "comp", alias = "components")]
    Component(components::Verb),
    /// Deployments: attempts to make something true or gone
    #[command(subcommand, visible_alias = "dep", alias = "deployments")]
    Deployment(deployments::Verb),
    /// Grants: which account may pull which ECR repository, and why
    #[command(subcommand, alias = "grants")]
    Grant(grants::Verb),
    /// Source repositories: which connection reaches them
    #[command(subcommand, visible_alias = "repo", aliases = ["repositories", "repos"])]
    Repository(repositories::Verb),
    /// Sync: which branch templates and services follow
    #[command(subcommand)]
    Sync(sync::Verb),
    /// Tags of everything that has an ARN
    #[command(subcommand, alias = "tags")]
    Tag(tags::Verb),
    /// How many there are of everything, how many failed, and how many are behind their templates
    Summary(summary::Summary),
    /// Access: who plays which part where, and why somebody may do something
    #[command(subcommand)]
    Access(access::Verb),
    /// Agents: the processes that deploy in each account
    #[command(subcommand, alias = "agents")]
    Agent(agents::Verb),
    /// Settings of the account: what pipelines are provisioned with
    #[command(subcommand)]
    Settings(settings::Verb),
    /// Prove who you are: with your AWS credentials, in a browser, or with a pipeline's token
    Login(session::Login),
    /// End the login
    Logout(session::Logout),
    /// Who you are to the hub
    Whoami(session::Whoami),
    /// Open the web console, signed in as you are here
    Console(console::Console),
    /// Open the page of a thing in the web console
    Open(open::Open),
    /// A temporary access key for AWS clients of the hub (an AWS `credential_process`)
    Credentials(credentials::Credentials),
    /// Versions of this program and of the hub
    Version(session::Version),
    /// Configuration of this program
    #[command(subcommand)]
    Config(config::Verb),
    /// Why nothing works, and what to do about it: from the settings over the network to the agents
    Doctor(doctor::Doctor),
    /// Completions for a shell, names of your environments, services and deployments included
    Completion(session::Completion),
    /// Manual pages, one for each command
    Man(session::Man),
    /// Help for a command, a topic or an error code
    Help(session::Help),
    /// The whole command line as Markdown
    #[command(hide = true)]
    Reference,
}

/// For writes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Write {
    /// Idempotency token: the same one again gives the first answer again [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

/// For what begins deployments.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Wait {
    /// Follow until it has ended; the exit code tells how
    #[arg(short, long, overrides_with = "no_wait")]
    pub(crate) wait: bool,
    /// Return once the hub has accepted it (the default, unless the profile says `wait = true`)
    #[arg(long, overrides_with = "wait")]
    pub(crate) no_wait: bool,
    /// Longest time to wait, such as 90s, 30m or 2h; what was begun goes on
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60m")]
    pub(crate) timeout: Duration,
}

/// For showing what is deployed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Follow {
    /// Follow its last deployment until that has ended, then show it; the exit code tells how
    #[arg(long)]
    pub(crate) watch: bool,
    /// Longest time to watch, such as 90s, 30m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h", requires = "watch")]
    pub(crate) timeout: Duration,
}

/// For what cannot be undone.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Confirm {
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// For lists.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Limit {
    /// At most this many [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// For lists whose things change while one looks at them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Listing {
    #[command(flatten)]
    pub(crate) limit: Limit,
    /// Go on showing what changes, until Ctrl-C: a table drawn anew on a terminal, a line for each change elsewhere
    #[arg(long)]
    pub(crate) watch: bool,
}

/// For updates of what has a template version: exactly one way of updating, or a new spec for the present version.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Change {
    /// New spec ('-' reads stdin) [default: the stored one]
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// Move to this version, MAJOR or MAJOR.MINOR
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["minor", "major", "redeploy"])]
    pub(crate) template_version: Option<String>,
    /// Move to the recommended minor of the present major version
    #[arg(long, conflicts_with_all = ["major", "redeploy"])]
    pub(crate) minor: bool,
    /// Move to the recommended version of a newer major
    #[arg(long, conflicts_with = "redeploy")]
    pub(crate) major: bool,
    /// Deploy the present version once more
    #[arg(long)]
    pub(crate) redeploy: bool,
}

/// For deletions of stacks.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Retain {
    /// Leave this resource behind, by its logical id; only after a deletion failed on it (repeatable)
    #[arg(long = "retain", value_name = "LOGICAL_ID")]
    pub(crate) retain: Vec<String>,
}

/// `90s`, `30m`, `2h`, `1h30m`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time such as 90s, 30m or 1h30m");
    let mut seconds = 0_u64;
    let mut number = String::new();
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            _ => return Err(wrong()),
        };
        let count: u64 = number.parse().map_err(|_| wrong())?;
        seconds = count
            .checked_mul(unit)
            .and_then(|part| seconds.checked_add(part))
            .ok_or_else(wrong)?;
        number.clear();
    }
    if !number.is_empty() {
        seconds = number
            .parse::<u64>()
            .ok()
            .and_then(|part| seconds.checked_add(part))
            .ok_or_else(wrong)?;
    } else if text.is_empty() {
        return Err(wrong());
    }
    // A year is more than anybody waits, and keeps later arithmetic from overflowing.
    if seconds > 366 * 86_400 {
        Err(wrong())
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        let seconds = |text: &str| duration(text).map(|time| time.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5_400));
        assert_eq!(seconds("45"), Ok(45));
        for wrong in ["", "m", "1d", "-1s", "1.5h", "99999999999999999999s", "99999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn short_forms_and_flags_anywhere() {
        let cli = Cli::try_parse_from(["hadron", "env", "list", "-o", "json", "--hub", "https://hub:8443"])
            .unwrap();
        assert_eq!(cli.global.output, Some(Format::Json));
        assert_eq!(cli.global.hub.as_deref(), Some("https://hub:8443"));
        for short in [
            "conn",
            "tpl",
            "env",
            "svc",
            "inst",
            "dep",
            "environments",
            "grants",
        ] {
            assert!(Cli::try_parse_from(["hadron", short, "list"]).is_ok(), "{short}");
        }
    }

    #[test]
    fn every_command_teaches_by_example() {
        fn walk(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            if command.get_about().is_none() {
                missing.push(format!("{path}: about"));
            }
            let shown = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            if !command.has_subcommands() && !command.is_hide_set() && !shown.contains("  hadron ") {
                missing.push(format!("{path}: examples"));
            }
            for sub in command.get_subcommands() {
                walk(sub, &path, missing);
            }
        }
        let mut missing = Vec::new();
        walk(&Cli::command(), "", &mut missing);
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
