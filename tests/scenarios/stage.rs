//! One environment of the probe template, whose stack takes its time or fails as its spec says.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hadron_tests::emulator::Options;
use hadron_tests::scenario::SOURCE;
use hadron_tests::world::field;
use hadron_tests::{PROD, World, invariants, paths, wait};
use serde_json::{Value, json};

/// The environment.
pub(crate) const NAME: &str = "prd";

/// A world with a connected account and the probe template.
pub(crate) struct Stage {
    pub(crate) world: World,
    connection: String,
}

impl Stage {
    /// A stage on which leases last so many seconds.
    pub(crate) async fn new(lease: u32) -> Result<Self> {
        let hub = format!(
            "\n[jobs]\nlease_seconds = {lease}\nheartbeat_seconds = {}\n",
            (lease / 3).max(1)
        );
        let mut world = World::with(Options::default(), &hub).await?;
        world
            .publish("environment", "probe-env", &fixture("probe-env"), &[])
            .await?;
        let connection = world.connect(PROD, NAME).await?;
        world.online(PROD, true).await?;
        Ok(Self { world, connection })
    }

    /// Asks for the environment; gives the deployment's id.
    pub(crate) async fn create(&self, inputs: &Value) -> Result<String> {
        let spec = self.spec(inputs)?;
        let args = ["environment", "create", NAME, "--template", "probe-env"];
        let made = self
            .world
            .admin
            .json(&[&args[..], &["--connection", &self.connection, "--spec", &spec]].concat())
            .await?;
        field(&made["deployment"], "lastAttemptedDeploymentId")
    }

    /// Asks for an update; gives the deployment's id.
    pub(crate) async fn update(&self, inputs: &Value) -> Result<String> {
        let spec = self.spec(inputs)?;
        let changed = self
            .world
            .admin
            .json(&["environment", "update", NAME, "--spec", &spec])
            .await?;
        field(&changed["deployment"], "lastAttemptedDeploymentId")
    }

    /// Asks for the deletion; gives the deployment's id.
    pub(crate) async fn delete(&self, more: &[&str]) -> Result<String> {
        self.world
            .admin
            .ok(&[&["environment", "delete", NAME, "--yes"][..], more].concat())
            .await?;
        let latest = self.world.items(&["deployment", "list", "--limit", "1"]).await?;
        field(latest.first().context("no deployment")?, "id")
    }

    /// The environment with a first stack.
    pub(crate) async fn standing(&self, inputs: &Value) -> Result<Value> {
        let id = self.create(inputs).await?;
        self.succeeds(&id).await
    }

    /// The environment as the hub shows it.
    pub(crate) async fn environment(&self) -> Result<Value> {
        self.world.admin.json(&["environment", "get", NAME]).await
    }

    /// Waits for the end of a deployment, which has to be this one; gives the deployment.
    pub(crate) async fn ends(&self, id: &str, status: &str) -> Result<Value> {
        let ended = self.world.ended(id).await?;
        ensure!(
            ended["status"] == status,
            "deployment {id} was to end {status}: {ended:#}"
        );
        Ok(ended)
    }

    pub(crate) async fn succeeds(&self, id: &str) -> Result<Value> {
        self.ends(id, "SUCCEEDED").await
    }

    pub(crate) async fn fails(&self, id: &str) -> Result<Value> {
        self.ends(id, "FAILED").await
    }

    /// The environment shows what this deployment made of it, whatever came to nothing afterwards.
    pub(crate) async fn is_as_before(&self, first: &str, note: &str) -> Result<()> {
        let environment = self.environment().await?;
        let state = &environment["deployment"];
        ensure!(state["lastSucceededDeploymentId"] == first, "{environment:#}");
        ensure!(state["outputs"]["Note"] == note, "other outputs: {environment:#}");
        ensure!(
            environment["templateVersion"] == "1.0",
            "another version: {environment:#}"
        );
        let spec = environment["spec"].as_str().unwrap_or_default();
        ensure!(spec.contains(note), "another spec: {environment:#}");
        Ok(())
    }

    /// The living stack of the environment.
    pub(crate) async fn stack(&self) -> Result<Option<Value>> {
        Ok(self.world.emulator.stacks(PROD).await?.into_iter().next_back())
    }

    /// Waits until the environment's stack has this status.
    pub(crate) async fn stack_is(&self, status: &str) -> Result<Value> {
        wait::until(
            &format!("the stack to be {status}"),
            Duration::from_secs(30),
            || async { Ok(self.stack().await?.filter(|stack| stack["status"] == status)) },
        )
        .await
    }

    /// Waits until the hub tells this about a deployment.
    pub(crate) async fn told(&self, id: &str, words: &str) -> Result<()> {
        wait::until(
            &format!("deployment {id} to tell '{words}'"),
            Duration::from_secs(30),
            || async {
                let events = self.world.admin.json(&["deployment", "events", id]).await?;
                Ok(events.to_string().contains(words).then_some(()))
            },
        )
        .await
    }

    /// Calls of CloudFormation in the account since `since`, by action, that AWS accepted.
    pub(crate) async fn accepted(&self, since: u64, action: &str) -> Result<Vec<Value>> {
        let calls = self.world.emulator.calls(since).await?;
        Ok(calls
            .into_iter()
            .filter(|call| call["account"] == PROD && call["action"] == action && call["status"] == 200)
            .collect())
    }

    /// Plants a fault in the account's CloudFormation.
    pub(crate) async fn plant(&self, action: &str, fault: &Value) -> Result<()> {
        let mut rule = json!({ "service": "cloudformation", "action": action, "account": PROD });
        for (key, value) in fault.as_object().into_iter().flatten() {
            rule[key] = value.clone();
        }
        self.world.emulator.plant(&rule).await
    }

    /// Waits until a call of this action has come in since `since`; gives it.
    pub(crate) async fn called(&self, since: u64, action: &str) -> Result<Value> {
        let fits = |call: &Value| call["account"] == PROD && call["action"] == action;
        self.world.emulator.called(action, since, fits).await
    }

    /// What must be true in the end.
    pub(crate) async fn holds(&self) -> Result<()> {
        invariants::hold(&self.world, &[]).await
    }

    fn spec(&self, inputs: &Value) -> Result<String> {
        spec(&self.world, "prd", inputs)
    }
}

/// Writes an environment's spec.
pub(crate) fn spec(world: &World, name: &str, inputs: &Value) -> Result<String> {
    world.file(
        &format!("{name}.yaml"),
        json!({ "proton": "EnvironmentSpec", "spec": inputs }).to_string(),
    )
}

/// A bundle of this folder.
pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    paths::root().join("tests/fixtures").join(name)
}

/// Writes the spec of a service of the probe template: instances with their environment and inputs, and the pipeline's.
pub(crate) fn service_spec(
    world: &World,
    instances: &[(&str, &str, Value)],
    pipeline: &Value,
) -> Result<String> {
    let instances: Vec<Value> = instances
        .iter()
        .map(
            |(name, environment, inputs)| json!({ "name": name, "environment": environment, "spec": inputs }),
        )
        .collect();
    let spec = json!({ "proton": "ServiceSpec", "pipeline": pipeline, "instances": instances });
    world.file("web.yaml", spec.to_string())
}

/// Publishes the probe template for services.
pub(crate) async fn publish_service(world: &World) -> Result<()> {
    let more = ["--compatible-with", "probe-env:1"];
    world
        .publish("service", "probe-svc", &fixture("probe-svc"), &more)
        .await
}

/// Asks for a service of the probe template and waits for its end, which has to be with this exit code.
pub(crate) async fn create_service(world: &World, spec: &str, code: i32) -> Result<()> {
    let create = [
        "service",
        "create",
        "web",
        "--template",
        "probe-svc",
        "--wait",
        "--spec",
        spec,
    ];
    let ran = world.admin.run(&[&create[..], &SOURCE].concat()).await?;
    ensure!(
        ran.code == code,
        "was to end with {code}, ended with {}:\n{}",
        ran.code,
        ran.text()
    );
    Ok(())
}

/// Waits until a service has this status.
pub(crate) async fn service_is(world: &World, name: &str, status: &str) -> Result<Value> {
    wait::until(
        &format!("service {name} to be {status}"),
        Duration::from_secs(60),
        || async {
            let service = world.admin.json(&["service", "get", name]).await?;
            Ok(Some(service).filter(|service| service["status"] == status))
        },
    )
    .await
}
