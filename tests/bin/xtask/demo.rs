//! The main job, end to end, on an emulated AWS with three accounts: real processes, real gRPC over mutual TLS, real state.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anstream::{print, println};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use hadron_tests::cli::Cli;
use hadron_tests::emulator::Options;
use hadron_tests::shell::{self, Cast};
use hadron_tests::world::field;
use hadron_tests::{DEV, MANAGEMENT, PROD, REGION, World, aws, paths, process, wait};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// Flags of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave everything running in the background afterwards, to go on by hand
    #[arg(long, conflicts_with = "stop")]
    keep: bool,
    /// End what `--keep` left running
    #[arg(long)]
    stop: bool,
    /// How long each resource of a stack takes in the emulated AWS, in seconds
    #[arg(long, default_value_t = 0.4, value_name = "SECONDS")]
    pace: f32,
}

/// A repository policy statement of somebody else's, planted before the story begins.
const FOREIGN: &str = "SomebodyElses";

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("a runtime")?;
        let done = runtime.block_on(async move {
            if self.stop {
                return stop();
            }
            // Two demos in one checkout would take one another's folder away.
            let _alone = alone()?;
            // Whatever an earlier run left behind would be in the way.
            let _ = stop();
            let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
            let mut hung_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
            tokio::select! {
                done = self.perform() => done,
                _ = tokio::signal::ctrl_c() => bail!("interrupted; nothing is left running"),
                _ = terminated.recv() => bail!("ended by SIGTERM; nothing is left running"),
                _ = hung_up.recv() => bail!("the terminal is gone; nothing is left running"),
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
        done
    }

    async fn perform(&self) -> Result<()> {
        let folder = folder();
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).context("a folder for the demo")?;
        process::keep_apart(&pids());
        title("Starting an emulated AWS, the hub, and agents of three accounts");
        let mut world = World::kept(
            &folder,
            Options {
                auth: true,
                delay: self.pace,
            },
        )
        .await?;
        tell(&format!(
            "emulated AWS   {} (signatures and IAM policies are checked)",
            world.emulator.url()
        ));
        tell(&format!(
            "hub            {} (embedded SQLite in {})",
            world.hub.ready().api,
            shown(world.hub.folder())
        ));
        tell(&format!("agent          {MANAGEMENT}, the management account"));
        let cast = Cast::of(&world).await?;

        let examples = paths::root().join("deploy/examples");
        title("1. An administrator publishes an environment template and a service template");
        let bundle = |name: &str| examples.join(name).join("v1").display().to_string();
        let (env, svc) = (bundle("minimal-env"), bundle("minimal-svc"));
        step(
            &cast.admin,
            "administrator",
            &[
                "template",
                "create",
                "minimal-env",
                "--kind",
                "environment",
                &env,
                "--publish",
            ],
        )
        .await?;
        step(
            &cast.admin,
            "administrator",
            &[
                "template",
                "create",
                "minimal-svc",
                "--kind",
                "service",
                &svc,
                "--compatible-with",
                "minimal-env:1",
                "--publish",
            ],
        )
        .await?;
        step(&cast.admin, "administrator", &["template", "list"]).await?;

        title("2. The production account asks for a connection; nobody else can ask in its name");
        let role = format!("arn:aws:iam::{PROD}:role/hadron-provisioning");
        step(
            &cast.prod,
            "owner of 333333333333",
            &[
                "connection",
                "request",
                "--environment",
                "prd",
                "--management-account",
                MANAGEMENT,
                "--role-arn",
                &role,
            ],
        )
        .await?;
        world.start_agent(PROD, "").await?;
        world.start_agent(DEV, "").await?;
        tell(
            "the agents of 222222222222 and 333333333333 are started; they wait until their accounts are connected",
        );

        title("3. The management account accepts it");
        step(
            &cast.admin,
            "administrator",
            &["connection", "list", "--status", "PENDING"],
        )
        .await?;
        let id = only_connection(&cast.admin).await?;
        step(
            &cast.admin,
            "administrator",
            &["connection", "accept", &id, "--account", PROD],
        )
        .await?;
        wait::until(
            "the production agent to connect",
            Duration::from_secs(60),
            || async {
                let list = cast.admin.json(&["agent", "list"]).await?;
                let online = |item: &Value| item["accountId"] == PROD && item["online"] == true;
                Ok(list["items"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(online)
                    .then_some(()))
            },
        )
        .await?;
        step(&cast.admin, "administrator", &["agent", "list"]).await?;

        title("4. The environment is deployed by the agent of the production account, in that account");
        let spec = examples.join("minimal-env/spec.yaml").display().to_string();
        step(
            &cast.admin,
            "administrator",
            &[
                "environment",
                "create",
                "prd",
                "--template",
                "minimal-env",
                "--connection",
                &id,
                "--spec",
                &spec,
                "--wait",
            ],
        )
        .await?;

        title(
            "5. A developer deploys a service: an instance in production, the pipeline with its ECR repository in management",
        );
        let planted = tokio::spawn(plant_foreign_statement(world.emulator.url().to_owned(), "shop"));
        let spec = service_spec(&folder)?;
        step(
            &cast.developer,
            "developer",
            &[
                "service", "create", "shop", "--template", "minimal-svc", "--spec", &spec, "--branch", "main", "--repository",
                "example/shop", "--repository-connection",
                "arn:aws:codeconnections:us-east-1:111111111111:connection/0b7a3c1e-6a55-4e0f-9a53-0c8f4f5a1d11", "--wait",
            ],
        ).await?;

        planted.await.context("planting")??;
        title(
            "6. The management agent has let the production account pull the image, and touched nothing else",
        );
        wait::until("the grant to be applied", Duration::from_secs(60), || async {
            let list = cast.admin.json(&["grant", "list"]).await?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            Ok((!items.is_empty() && items.iter().all(|item| item["state"] == "APPLIED")).then_some(()))
        })
        .await?;
        step(&cast.admin, "administrator", &["grant", "list"]).await?;

        title("What is true, read from the emulated AWS itself");
        let state = world.emulator.state().await?;
        print!("{}", stacks_table(&state));
        let checked = check(&world).await?;
        print!("{checked}");
        self.ending(world, &cast)
    }

    /// Leaves everything running, or ends it.
    fn ending(&self, world: World, cast: &Cast) -> Result<()> {
        if !self.keep {
            title("Done; everything is ended");
            println!(
                "  Next: {}  keeps it all running, to go on by hand.\n  The story's commands are ordinary: `hadron --help` \
                 explains each; deploy/examples/ has templates to begin with.",
                "./deploy/demo.sh --keep".bold()
            );
            drop(world);
            return std::fs::remove_file(pids()).context("forgetting what ran");
        }
        let file = shell::write_env(&world, cast, &folder())?;
        // The processes go on without this one.
        std::mem::forget(world);
        title("Everything is left running");
        println!("  The variables, as they stand in {}:", shown(&file));
        for line in std::fs::read_to_string(&file)
            .context(".hadron-demo/env")?
            .lines()
        {
            println!("    {}", line.dimmed());
        }
        println!(
            "\n  source {file}        # variables and the functions as-administrator, as-developer, as-prod-owner, as-dev-owner\n  \
             as-administrator hadron environment list\n  \
             as-developer hadron service get shop\n  \
             as-dev-owner hadron connection request --environment dev --management-account {MANAGEMENT} \\\n      \
             --role-arn arn:aws:iam::{DEV}:role/hadron-provisioning\n  \
             aws proton list-services   # the unmodified AWS CLI or boto3; --profile management, developer, dev or prod\n  \
             ./deploy/demo.sh --stop    # ends it all",
            file = shown(&file),
        );
        Ok(())
    }
}

/// Where the demo keeps its things. Git ignores it.
fn folder() -> PathBuf {
    paths::root().join(".hadron-demo")
}

/// Keeps a second demo of this checkout from starting while this one runs; the lock goes with the process.
fn alone() -> Result<File> {
    let path = paths::root().join(".hadron-demo.lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another demo of this checkout is running; wait until it has ended")
        }
        Err(TryLockError::Error(error)) => Err(error).context("locking the demo's folder"),
    }
}

/// Where the pids of the demo's processes are written down.
fn pids() -> PathBuf {
    folder().join("pids")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(paths::root())
        .unwrap_or(path)
        .display()
        .to_string()
}

fn title(text: &str) {
    println!("\n{}", text.bold());
}

fn tell(text: &str) {
    println!("  {text}");
}

/// Prints a command, runs it, and shows what it says.
async fn step(who: &Cli, name: &str, args: &[&str]) -> Result<()> {
    let words: Vec<String> = args
        .iter()
        .map(|arg| {
            let arg = arg
                .strip_prefix(&format!("{}/", paths::root().display()))
                .unwrap_or(arg);
            if arg.contains(' ') {
                format!("'{arg}'")
            } else {
                arg.to_owned()
            }
        })
        .collect();
    let line = format!("$ hadron {}", words.join(" "));
    let whom = format!("  # {name}");
    println!("{}{}", line.cyan(), whom.dimmed());
    match who.show(args).await? {
        0 => Ok(()),
        code => bail!(
            "`hadron {}` ended with {code}; the logs are in {}",
            words.join(" "),
            shown(&folder())
        ),
    }
}

async fn only_connection(admin: &Cli) -> Result<String> {
    let list = admin.json(&["connection", "list", "--status", "PENDING"]).await?;
    field(&list["items"][0], "id")
}

fn service_spec(folder: &Path) -> Result<String> {
    let text = "proton: ServiceSpec\npipeline: {}\ninstances:\n  - name: prd\n    environment: prd\n    spec:\n      port: 8080\n";
    let file = folder.join("shop.yaml");
    std::fs::write(&file, text).context("the service's spec")?;
    Ok(file.display().to_string())
}

/// A statement of somebody else's.
fn foreign_statement() -> Value {
    json!({
        "Sid": FOREIGN,
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{DEV}:root") },
        "Action": ["ecr:DescribeImages"],
    })
}

/// Waits for the pipeline's repository and gives it a statement of somebody else's, before Hadron gets to it: the story's
/// grant must leave it alone. Should Hadron have been faster, what it wrote stays, as any careful writer would leave it.
async fn plant_foreign_statement(emulator: String, repository: &'static str) -> Result<()> {
    let ecr = aws_sdk_ecr::Client::new(&aws::root(&emulator, MANAGEMENT).await);
    wait::until("the pipeline's repository", Duration::from_secs(120), || async {
        Ok(ecr
            .describe_repositories()
            .repository_names(repository)
            .send()
            .await
            .is_ok()
            .then_some(()))
    })
    .await?;
    let found = ecr
        .get_repository_policy()
        .repository_name(repository)
        .send()
        .await
        .ok();
    let found: Value = found
        .and_then(|answer| serde_json::from_str(answer.policy_text().unwrap_or_default()).ok())
        .unwrap_or_default();
    let mut statements = vec![foreign_statement()];
    statements.extend(found["Statement"].as_array().cloned().unwrap_or_default());
    let policy = json!({ "Version": "2008-10-17", "Statement": statements });
    ecr.set_repository_policy()
        .repository_name(repository)
        .policy_text(policy.to_string())
        .send()
        .await
        .context("planting a statement of somebody else's")?;
    Ok(())
}

fn accounts(state: &Value) -> Vec<(String, Value)> {
    let accounts = state["accounts"].as_object().cloned().unwrap_or_default();
    accounts
        .into_iter()
        .map(|(id, account)| (id, account["regions"][REGION].clone()))
        .collect()
}

fn stacks_table(state: &Value) -> String {
    let mut text = String::new();
    for account in [MANAGEMENT, DEV, PROD] {
        let name = match account {
            MANAGEMENT => "management",
            DEV => "dev",
            _ => "prod",
        };
        let found = accounts(state)
            .into_iter()
            .find(|(id, _)| id == account)
            .map(|(_, region)| region);
        let stacks: Vec<Value> = found
            .and_then(|region| region["stacks"].as_array().cloned())
            .unwrap_or_default()
            .into_iter()
            .filter(|stack| stack["status"] != "DELETE_COMPLETE")
            .collect();
        if stacks.is_empty() {
            let _ = writeln!(text, "  {name:<11} {account}  no stacks");
        }
        for stack in stacks {
            let (stack, status) = (
                stack["name"].as_str().unwrap_or("?"),
                stack["status"].as_str().unwrap_or("?"),
            );
            let _ = writeln!(text, "  {name:<11} {account}  {stack:<52} {status}");
        }
    }
    text
}

/// Compares what is true with what was promised.
async fn check(world: &World) -> Result<String> {
    let named = |stacks: &[Value], start: &str| {
        stacks.iter().any(|stack| {
            stack["name"].as_str().is_some_and(|name| name.starts_with(start))
                && stack["status"] == "CREATE_COMPLETE"
        })
    };
    let prod = world.emulator.stacks(PROD).await?;
    let management = world.emulator.stacks(MANAGEMENT).await?;
    let dev = world.emulator.stacks(DEV).await?;
    let policy = world
        .emulator
        .policy(MANAGEMENT, "shop")
        .await?
        .unwrap_or_default();
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    let own = statements
        .iter()
        .find(|statement| statement["Sid"] != FOREIGN)
        .cloned()
        .unwrap_or_default();
    let mut actions: Vec<&str> = own["Action"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    actions.sort_unstable();
    let wanted = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    ];
    let principal = &own["Principal"]["AWS"];
    let arn = format!("arn:aws:iam::{PROD}:root");
    let names_prod = (*principal == json!(arn) || *principal == json!([arn])) && own["Effect"] == "Allow";
    let foreign = statements.len() == 2 && statements.first() == Some(&foreign_statement());
    let facts = [
        (
            "the prod account holds the environment's stack",
            named(&prod, "AWSProton-prd-cloudformation-"),
        ),
        (
            "the prod account holds the instance's stack",
            named(&prod, "AWSProton-shop-prd-cloudformation-"),
        ),
        (
            "the management account holds the pipeline's stack",
            named(&management, "AWSProton-shop-cloudformation-"),
        ),
        ("the dev account holds nothing", dev.is_empty()),
        (
            "the repository lets 333333333333 pull, with exactly three actions",
            names_prod && actions == wanted,
        ),
        (
            "the statement of somebody else is as it was, and there is no third",
            foreign,
        ),
    ];
    let mut text = format!("\n  policy of repository shop in {MANAGEMENT}:\n");
    for line in serde_json::to_string_pretty(&policy)?.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text.push('\n');
    for (fact, holds) in &facts {
        let _ = writeln!(text, "  {} {fact}", if *holds { "yes" } else { "NO " });
    }
    if facts.iter().all(|(_, holds)| *holds) {
        Ok(text)
    } else {
        bail!("not everything is as promised:\n{text}")
    }
}

/// Ends what an earlier `--keep` left running, by pid.
fn stop() -> Result<()> {
    let Ok(listed) = std::fs::read_to_string(pids()) else {
        println!("nothing of the demo is running");
        return Ok(());
    };
    // A number may belong to somebody else by now: only a process of ours is ended.
    let ours = |pid: &str| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.contains("hadron-") || command.contains("emulator.py")
    };
    let signal = |name: &str| {
        for pid in listed.lines().filter(|pid| ours(pid)) {
            let _ = std::process::Command::new("kill").arg(name).arg(pid).status();
        }
    };
    signal("-TERM");
    let end = Instant::now() + Duration::from_secs(15);
    while listed.lines().any(ours) {
        if Instant::now() > end {
            signal("-KILL");
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::remove_file(pids()).context("forgetting what ran")?;
    println!("the demo's processes are ended");
    Ok(())
}
