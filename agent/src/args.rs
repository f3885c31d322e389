//! The command line. Configuration keys are flags and variables by the table in [`config`](crate::config), so that a
//! key cannot be in one place and missing in another.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Parser, Subcommand, ValueEnum};
use hadron_proto::vocab::{AccountId, BucketName, Region, RoleArn, StackPrefix};

use crate::config::{KEYS, Origin, Override};
use crate::telemetry::LogFormat;

const HEADING: &str = "Configuration";

/// Works for a Hadron hub in one AWS account and Region.
///
/// The agent connects to its hub, proves which account it runs in, and carries out the hub's jobs with this account's
/// own credentials: it deploys CloudFormation stacks through change sets, deletes them, and sets the pull policies of
/// ECR repositories. The hub has no credentials here. What the agent may do is limited by its role in IAM, and by its
/// own configuration, which it enforces whatever the hub says.
#[derive(Debug, Parser)]
#[command(name = "hadron-agent", version, max_term_width = 110, after_long_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Task,
    /// How log lines on standard error look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    #[arg(env = "HADRON_AGENT_LOG_FORMAT", hide_env_values = true)]
    pub log_format: LogFormat,
    /// What is logged: info, debug, or one level per module as in `info,hadron_agent=debug`
    #[arg(
        long,
        global = true,
        default_value = "info",
        value_name = "FILTER",
        help_heading = "Logging"
    )]
    #[arg(env = "HADRON_AGENT_LOG", hide_env_values = true)]
    pub log: String,
}

const EXAMPLES: &str = "\
Examples:
  hadron-agent role --account 333333333333 --format cloudformation > roles.json
          The roles that this account needs, to be read, and deployed by its owner.
  hadron-agent check-config --config /etc/hadron/agent.toml
          Says what is wrong with a configuration, all of it, without opening a connection.
  hadron-agent run --config /etc/hadron/agent.toml
          Works until SIGTERM; then hands running jobs back and exits.
  HADRON_AGENT_CAPACITY=8 hadron-agent run --config agent.toml --region eu-west-1
          Flags win over variables, variables win over the file.

Exit codes:
  0   done, or drained after SIGTERM
  1   it did not work; standard error says why
  2   the command line is wrong, or a question could not be asked (give --yes)
  64  the configuration is wrong; every fault is named
  130 stopped at once by a second signal";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Work for the hub until told to stop
    ///
    /// Enrols at the hub if there is no certificate yet (the hub's administrator has to accept the account's connection
    /// first; the agent waits for that), then takes jobs. After a crash it hands back what was under way and delivers
    /// the reports that were not acknowledged. AWS credentials come from where AWS's own tools find them: the instance's
    /// or task's role, a profile, variables.
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(Run),
    /// Check a configuration and print what it means
    ///
    /// Reads everything that `run` would read and opens no connection. Exit code 64 when anything is wrong.
    CheckConfig(Run),
    /// Print or make the IAM roles that the agent needs, or adopt an existing AWS Proton service role
    ///
    /// Without --create or --adopt nothing is changed and nothing but STS (for the account id, when --account is not
    /// given) is called: the documents are printed for the owner of the account to read.
    #[command(after_long_help = ROLE_EXAMPLES)]
    Role(Box<Role>),
}

const RUN_EXAMPLES: &str = "\
Example:
  hadron-agent run --config /etc/hadron/agent.toml

Every key of the file is a flag and a variable as well: `hub.ca_pin` is --hub-ca-pin and HADRON_AGENT_HUB_CA_PIN.
Lists are separated by commas there. deploy/agent/agent.example.toml explains every key.";

const ROLE_EXAMPLES: &str = "\
Examples:
  hadron-agent role --account 333333333333
          The agent's role, the provisioning role and its permissions boundary, as readable JSON.
  hadron-agent role --account 333333333333 --format cloudformation > roles.json
          The same as one CloudFormation template.
  hadron-agent role --account 111111111111 --management
          For the management account: also leave to set the pull policies of ECR repositories and to read bundles.
  hadron-agent role --account 111111111111 --management --bundle-bucket platform-bundles
          The same, but bundles are read from this bucket only.
  hadron-agent role --account 111111111111 --management --registry-policy
          The same for an agent whose configuration says write_registry_policy = true.
  hadron-agent role --account 111111111111 --management --put-events
          The same for a hub whose configuration says events.put_events = true.
  hadron-agent role --account 111111111111 --management --audit-bucket example-audit
          The same for a hub whose configuration says audit.s3_bucket = \"example-audit\".
  hadron-agent role --account 333333333333 --component-role hadron-components
          Also the role that lets developers add components to their service instances.
  hadron-agent role --create
          Make them in the account of the current credentials. May be repeated: what is there is left alone.
  hadron-agent role --adopt arn:aws:iam::333333333333:role/ProtonServiceRole
          Show how the trust policy of a role made for AWS Proton has to change, and change it after a question.";

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct Run {
    /// The configuration file (TOML)
    #[arg(
        long,
        env = "HADRON_AGENT_CONFIG",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,
    /// Values that win over the file.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// See [`Task::Role`].
#[derive(Debug, Args)]
pub struct Role {
    /// The account that the roles are for [default: that of the current credentials]
    #[arg(long, value_name = "ID", env = "HADRON_AGENT_ACCOUNT", hide_env_values = true)]
    pub account: Option<AccountId>,
    /// The Region whose template bucket the agent may use; its partition is that of all ARNs
    #[arg(
        long,
        value_name = "REGION",
        env = "HADRON_AGENT_REGION",
        hide_env_values = true,
        default_value = "us-east-1"
    )]
    pub region: Region,
    /// What the names of stacks begin with; hub and agent must be configured with the same
    #[arg(long, value_name = "PREFIX", default_value_t = StackPrefix::proton())]
    #[arg(env = "HADRON_AGENT_LIMITS_STACK_PREFIX", hide_env_values = true)]
    pub stack_prefix: StackPrefix,
    /// The name of the role that the agent itself runs with
    #[arg(long, value_name = "NAME", default_value = "hadron-agent")]
    pub agent_role: String,
    /// The name of the role that CloudFormation gets for the stacks
    #[arg(long, value_name = "NAME", default_value = "hadron-provisioning")]
    pub provisioning_role: String,
    /// Also a role for the stacks of components, which developers write; without it there is none, and no components
    #[arg(long, value_name = "NAME")]
    pub component_role: Option<String>,
    /// The name of the managed policy that bounds the provisioning role and all roles that it makes
    #[arg(long, value_name = "NAME", default_value = "hadron-boundary")]
    pub boundary: String,
    /// Where the agent runs, which decides who may assume its role
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "ec2,ecs",
        value_name = "WHERE,..."
    )]
    pub runs_on: Vec<RunsOn>,
    /// This is the management account: add leave to set the pull policies of ECR repositories and to read template bundles
    #[arg(long)]
    pub management: bool,
    /// For `write_registry_policy = true`: add leave to write the registry-wide ECR policy; needs --management
    #[arg(long, requires = "management")]
    pub registry_policy: bool,
    /// The hub puts events onto a bus (`events.put_events`): add leave for that; needs --management
    #[arg(long, requires = "management")]
    pub put_events: bool,
    /// The hub has checkpoints of its audit log put into this bucket with Object Lock (`audit.s3_bucket`): add leave for that;
    /// needs --management
    #[arg(long, requires = "management", value_name = "BUCKET")]
    pub audit_bucket: Option<BucketName>,
    /// Leave to read template bundles is for these S3 buckets only, of any account [default: all buckets of the management
    /// account]; needs --management
    #[arg(
        long,
        requires = "management",
        value_delimiter = ',',
        value_name = "BUCKET,..."
    )]
    pub bundle_bucket: Vec<BucketName>,
    /// What the documents are printed as
    #[arg(long, value_enum, default_value_t)]
    pub format: RoleFormat,
    /// Make the roles in IAM instead of printing them
    #[arg(long, conflicts_with_all = ["adopt", "format"])]
    pub create: bool,
    /// Let an existing AWS Proton service role be used by this agent
    #[arg(long, value_name = "ARN")]
    pub adopt: Option<RoleArn>,
    /// Do not ask before anything is changed
    #[arg(long, short)]
    pub yes: bool,
    /// Send all AWS calls to an emulator; needs --dev
    #[arg(
        long,
        value_name = "URL",
        requires = "dev",
        env = "HADRON_AGENT_ENDPOINT_URL",
        hide_env_values = true
    )]
    pub endpoint_url: Option<String>,
    /// Development: allow --endpoint-url
    #[arg(long)]
    pub dev: bool,
}

/// Where an agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunsOn {
    /// On an EC2 instance
    Ec2,
    /// In an ECS task
    Ecs,
    /// In an EKS pod, with EKS Pod Identity
    Eks,
}

/// How role documents are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RoleFormat {
    /// Each document under its name, to be read
    #[default]
    Json,
    /// One CloudFormation template, to be deployed
    Cloudformation,
}

/// Configuration keys given as flags or variables.
#[derive(Clone, Debug, Default)]
pub struct Overrides(pub Vec<Override>);

impl Args for Overrides {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command, |command, key| {
            let mut arg = Arg::new(key.path)
                .long(key.flag())
                .env(key.variable())
                .hide_env_values(true)
                .value_name(key.value)
                .help(key.help)
                .help_heading(HEADING);
            if key.kind == crate::config::Kind::Switch {
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
        let given = KEYS.iter().filter_map(|key| {
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

#[cfg(test)]
mod tests;
