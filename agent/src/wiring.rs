//! The only place that knows all parts: it builds them, puts them together, and says how it ended.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use aws_config::{BehaviorVersion, SdkConfig};
use hadron_proto::tls::install_provider;
use hadron_proto::vocab::{AccountId, Region};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, info_span, warn};

use crate::args::{Cli, Role, Run, Task};
use crate::aws::{AwsAccount, CallerIdentity as _, Iam, Pace, Sts};
use crate::config::{self, Config};
use crate::identity::{self, Identity};
use crate::job::{Job, Outcome, Stopped};
use crate::journal::Journal;
use crate::limits::Policy;
use crate::role::{self, Done};
use crate::runner::{Desk, Runner, Settings, Tasks, Worker};
use crate::session::{Held, HubDial, Jitter, Link, Session, chain};
use crate::shutdown;
use crate::work;

/// Does what the command line says.
pub async fn run(cli: Cli) -> ExitCode {
    install_provider();
    match cli.command {
        Task::Run(run) => match load(&run) {
            Ok(config) => finish(agent(config).await),
            Err(code) => code,
        },
        Task::CheckConfig(run) => match load(&run) {
            Ok(config) => {
                println!("{}", summary(&config));
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
        Task::Role(args) => roles(&args).await,
    }
}

fn load(run: &Run) -> Result<Config, ExitCode> {
    config::load(run.config.as_deref(), run.overrides.0.clone()).map_err(|invalid| {
        eprintln!("{invalid}");
        ExitCode::from(config::EXIT)
    })
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The agent, until it is told to stop.
///
/// # Errors
/// When it cannot start: what is wrong then does not mend itself.
pub async fn agent(config: Config) -> anyhow::Result<()> {
    let drain = shutdown::on_signal().context("cannot listen for signals")?;
    let aws = aws(&config.region, config.endpoint_url.as_deref()).await;
    if let Some(url) = &config.endpoint_url {
        warn!(endpoint_url = %url, "Development: all AWS calls go to an emulator");
    }
    let account = account(&config, &aws).await?;
    serve(config, aws, account, drain).await
}

/// The agent of this account. Tests bring their own configuration of AWS and their own end.
///
/// # Errors
/// As [`agent`].
pub async fn serve(
    config: Config,
    aws: SdkConfig,
    account: AccountId,
    drain: CancellationToken,
) -> anyhow::Result<()> {
    let span = info_span!("agent", account = %account, region = %config.region);
    // Large, and for the agent's whole life: on the heap.
    Box::pin(serve_account(config, aws, account, drain))
        .instrument(span)
        .await
}

async fn serve_account(
    config: Config,
    aws: SdkConfig,
    account: AccountId,
    drain: CancellationToken,
) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), hub = %config.hub.jobs, "Starting");
    let (journal, recovered) = Journal::open(&config.state_dir)
        .with_context(|| format!("cannot open the journal in {}", config.state_dir.display()))?;
    info!(
        unfinished = recovered.unfinished.len(),
        unsent = recovered.unsent.len(),
        broken = recovered.broken.len(),
        "Read the journal"
    );

    let held = Held::default();
    let (setter, link) = Link::new(Jitter::default());
    let policy = Policy {
        account,
        region: config.region.clone(),
        limits: config.limits.clone(),
        roles: config.roles.clone(),
    };
    let worker = AwsWorker {
        account: AwsAccount::new(&aws),
        settings: work_settings(&config),
    };
    // The work's own deadline comes first and has more to say.
    let deadline = config.job_deadline + config.job_deadline / 10;
    let settings = Settings {
        capacity: config.capacity,
        deadline,
    };
    let runner = Runner::new(
        worker,
        policy,
        journal.clone(),
        held.clone(),
        link,
        settings,
        Tasks::default(),
    );
    held.hand_over_again(recovered.unfinished);
    runner.deliver_again(recovered.unsent);

    let credentials = aws
        .credentials_provider()
        .context("there are no AWS credentials to prove the account with")?;
    let enrolment = identity::Settings {
        enrol: config.hub.enrol.to_string(),
        trust: config.hub.ca.clone(),
        account,
        region: config.region.clone(),
        connection: config.connection,
        state_dir: config.state_dir.clone(),
        waits: if config.dev {
            identity::Waits::dev()
        } else {
            identity::Waits::default()
        },
    };
    let obtained = tokio::select! {
        obtained = Identity::obtain(enrolment, credentials, identity::system_clock()) => obtained,
        // Nothing is under way yet, so there is nothing to hand back.
        () = drain.cancelled() => return Ok(()),
    };
    let identity = obtained.map_err(|error| anyhow::anyhow!(chain(&error)))?;
    let dial = HubDial::new(identity.clone(), config.hub.jobs.to_string());
    let session = Session::new(dial, runner, held, journal, setter, drain, config.drain_timeout);
    tokio::select! {
        () = session.run() => Ok(()),
        () = identity.keep() => bail!("the renewal of the certificate ended"),
    }
}

/// The SDK's configuration: credentials from where AWS's own tools find them.
pub async fn aws(region: &Region, endpoint_url: Option<&str>) -> SdkConfig {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).region(aws_config::Region::new(region.to_string()));
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

/// Whose credentials these are; the configuration must not think otherwise.
async fn account(config: &Config, aws: &SdkConfig) -> anyhow::Result<AccountId> {
    let caller = Sts::new(aws)
        .identity()
        .await
        .context("cannot ask STS whose credentials these are")?;
    if let Some(written) = config.account.filter(|written| *written != caller.account) {
        bail!(
            "account is {written} in the configuration, but the credentials belong to {} ({})",
            caller.account,
            caller.arn
        );
    }
    if let Some(role) = config.roles.all().find(|role| role.account() != caller.account) {
        bail!(
            "roles: {role} does not belong to this agent's account {}",
            caller.account
        );
    }
    Ok(caller.account)
}

fn work_settings(config: &Config) -> work::Settings {
    let first = |roles: &[hadron_proto::vocab::RoleArn]| roles.first().cloned();
    work::Settings {
        deadline: config.job_deadline,
        foreign_wait: config.job_deadline,
        poll: work::Poll {
            first: config.polling.first,
            most: config.polling.slowest,
        },
        roles: work::DefaultRoles {
            provisioning: first(&config.roles.provisioning),
            pipeline: first(&config.roles.pipeline),
            component: first(&config.roles.component),
        },
        registry_policy: config.write_registry_policy,
        pace: Arc::new(Pace::default()),
        ..work::Settings::default()
    }
}

/// Acts on AWS.
struct AwsWorker {
    account: AwsAccount,
    settings: work::Settings,
}

impl Worker for AwsWorker {
    async fn perform(&self, job: Job, desk: Desk) -> Result<Outcome, Stopped> {
        work::perform(
            &job,
            &self.account,
            &desk.hub,
            &desk.journal,
            &desk.stop,
            &self.settings,
        )
        .await
    }
}

fn summary(config: &Config) -> String {
    let account = config
        .account
        .map_or_else(|| "the credentials' own account".to_owned(), |id| id.to_string());
    let list = |items: Vec<String>| {
        if items.is_empty() {
            "none".to_owned()
        } else {
            items.join(", ")
        }
    };
    let roles =
        |roles: &[hadron_proto::vocab::RoleArn]| list(roles.iter().map(ToString::to_string).collect());
    let denied = list(
        config
            .limits
            .contents
            .denied_resource_types
            .iter()
            .map(ToString::to_string)
            .collect(),
    );
    let bundles = config.limits.bundle_buckets.as_ref().map_or_else(
        || "every bucket that the role may read".to_owned(),
        |buckets| list(buckets.iter().map(ToString::to_string).collect()),
    );
    let regions = list(config.limits.regions.iter().map(ToString::to_string).collect());
    let Config {
        hub,
        region,
        capacity,
        ..
    } = config;
    format!(
        "The configuration is fine.\n\
         acts in            {account}, Region {region}, up to {capacity} jobs at once\n\
         for the hub        {} (enrolment {})\n\
         keeps its state in {}\n\
         stacks             {}*, in {regions}; templates up to {} bytes; denied types: {denied}\n\
         bundles            from {bundles}\n\
         provisioning roles {}\n\
         pipeline roles     {}\n\
         component roles    {}",
        hub.jobs,
        hub.enrol,
        config.state_dir.display(),
        config.limits.stack_prefix,
        config.limits.max_template_bytes,
        roles(&config.roles.provisioning),
        roles(&config.roles.pipeline),
        roles(&config.roles.component),
    )
}

async fn roles(args: &Role) -> ExitCode {
    let aws = aws(&args.region, args.endpoint_url.as_deref()).await;
    let done = role::run(
        args,
        &Sts::new(&aws),
        &Iam::new(&aws),
        &mut role::Terminal,
        &mut io::stdout(),
    )
    .await;
    match done {
        Ok(Done::Fine) => ExitCode::SUCCESS,
        Ok(Done::Declined) => {
            eprintln!("Nothing was changed.");
            ExitCode::FAILURE
        }
        Ok(Done::NobodyToAsk) => {
            eprintln!(
                "Nothing was changed: there is no terminal to ask on. Give --yes to go on without a question."
            );
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::*;
    use crate::telemetry::tests::Lines;

    #[tokio::test]
    async fn every_line_of_the_agent_names_account_and_region() {
        install_provider();
        let (lines, _guard) = Lines::keep();
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("agent.toml");
        let text = format!(
            "region = \"eu-west-1\"\nstate_dir = \"{}\"\n[hub]\nenrol = \"https://127.0.0.1:1\"\n\
             jobs = \"https://127.0.0.1:1\"\nca_pin = \"sha256:{}\"\n",
            state.path().join("state").display(),
            "0".repeat(64),
        );
        std::fs::write(&file, text).unwrap();
        let config = config::load(Some(&file), Vec::new()).unwrap();
        let key = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(key))
            .build();
        let drain = CancellationToken::new();
        let agent = serve(config, aws, "333333333333".parse().unwrap(), drain.clone());
        let ends = async {
            while !lines
                .all()
                .iter()
                .any(|line| line["target"] == "hadron_agent::identity")
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            drain.cancel();
        };
        let both = async { tokio::join!(agent, ends) };
        let (ended, ()) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
        ended.unwrap();
        let own = |line: &serde_json::Value| {
            line["target"]
                .as_str()
                .is_some_and(|target| target.starts_with("hadron_agent"))
        };
        let agent = serde_json::json!({ "name": "agent", "account": "333333333333", "region": "eu-west-1" });
        let lines: Vec<_> = lines.all().into_iter().filter(own).collect();
        assert!(lines.len() >= 3, "{lines:?}");
        for line in lines {
            assert_eq!(line["spans"][0], agent, "{line}");
        }
    }
}
