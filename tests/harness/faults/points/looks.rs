//! Waiting for states of the world. What is looked at again and again is read from the hub's database: a command line that
//! is started for every look would keep the machine from the very work that is waited for. What was found there is then
//! asked for as people do.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::yard::{PATIENCE, REPOSITORY, Yard};
use crate::world::field;
use crate::{PROD, wait};

/// The exit code of the command line for things that are not there.
const NOT_FOUND: i32 = 3;
/// Between two looks at what takes its time.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks until there is something to see, but not all the time.
async fn until<T, F>(what: &str, look: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    wait::until(what, PATIENCE, || async {
        tokio::time::sleep(PAUSE).await;
        look().await
    })
    .await
}

fn text(rows: &[Vec<Option<String>>]) -> Vec<&str> {
    rows.iter()
        .map(|row| row.first().and_then(Option::as_deref).unwrap_or_default())
        .collect()
}

fn busy(status: &str) -> bool {
    status.ends_with("IN_PROGRESS") || status == "CANCELLING"
}

impl Yard {
    /// Waits until nobody has anything to do.
    pub(super) async fn rests(&self) -> Result<()> {
        until("deployments and jobs to end", || async {
            let sql = "SELECT id FROM deployment WHERE active = 1 \
                       UNION ALL SELECT id FROM job WHERE status IN ('READY', 'LEASED')";
            Ok(self.world().rows(sql).await?.is_empty().then_some(()))
        })
        .await?;
        // And the hub says so itself.
        for gauge in ["hadron_jobs_ready", "hadron_deployments_active"] {
            let number = self.world().hub.gauge(gauge).await?;
            ensure!(number == 0, "{gauge} is {number} in a world that rests");
        }
        Ok(())
    }

    /// Waits until the agent of an account has a session, or has none.
    pub(super) async fn online(&self, account: &str, online: bool) -> Result<()> {
        let sql = format!("SELECT id FROM agent WHERE account = '{account}' AND session_id IS NOT NULL");
        let word = if online { "online" } else { "offline" };
        until(&format!("the agent of {account} to be {word}"), || async {
            let is = !self.world().rows(&sql).await?.is_empty();
            Ok((is == online).then_some(()))
        })
        .await
    }

    /// Waits until the hub has missed the agent of an environment's last deployment.
    pub(super) async fn missed(&self, environment: &str) -> Result<()> {
        let deployment = self.deployment(environment).await?;
        until("the agent to be missed", || async {
            let told = self.world().deployments().await?;
            let own = told
                .iter()
                .filter(|(row, _)| row.deployment.id.to_string() == deployment);
            let missed = own
                .flat_map(|(_, events)| events)
                .any(|event| event.message.contains("was not heard of in time"));
            Ok(missed.then_some(()))
        })
        .await
    }

    /// The environment when nothing is done to it any more.
    pub(super) async fn at_rest(&self, environment: &str) -> Result<Value> {
        let sql =
            format!("SELECT status FROM target WHERE kind = 'environment' AND environment = '{environment}'");
        until(&format!("nothing to be done to {environment}"), || async {
            let rows = self.world().rows(&sql).await?;
            Ok((!text(&rows).into_iter().any(busy)).then_some(()))
        })
        .await?;
        self.world()
            .admin
            .json(&["environment", "get", environment])
            .await
    }

    /// The service when nothing is done to it any more.
    pub(super) async fn served(&self, service: &str) -> Result<Value> {
        let sql = format!("SELECT status FROM service WHERE name = '{service}'");
        until(&format!("nothing to be done to service {service}"), || async {
            let rows = self.world().rows(&sql).await?;
            Ok((!text(&rows).into_iter().any(busy)).then_some(()))
        })
        .await?;
        self.world().admin.json(&["service", "get", service]).await
    }

    /// Waits until there is no environment or service of this name.
    pub(super) async fn gone(&self, noun: &str, name: &str) -> Result<()> {
        let sql = if noun == "service" {
            format!("SELECT status FROM service WHERE name = '{name}'")
        } else {
            format!("SELECT status FROM target WHERE kind = '{noun}' AND environment = '{name}'")
        };
        until(&format!("{noun} {name} to be gone"), || async {
            let rows = self.world().rows(&sql).await?;
            let found = text(&rows);
            ensure!(
                !found.contains(&"DELETE_FAILED"),
                "{noun} {name} could not be deleted"
            );
            Ok(found.is_empty().then_some(()))
        })
        .await?;
        self.world()
            .admin
            .fails(NOT_FOUND, &[noun, "get", name])
            .await
            .map(drop)
    }

    /// Waits until these accounts may pull the image, and nobody else.
    pub(super) async fn granted(&self, accounts: &[&str]) -> Result<()> {
        let what = format!("pulls from {REPOSITORY} to be granted to {accounts:?}");
        until(&what, || async {
            let rows = self.world().rows("SELECT state FROM policy_lane").await?;
            let mut granted = Vec::new();
            for row in text(&rows) {
                let lane: Value = serde_json::from_str(row).context("the state of a policy")?;
                if !lane["writing"].is_null() {
                    return Ok(None);
                }
                let applied = lane["applied"].as_array().cloned().unwrap_or_default();
                granted.extend(applied.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Ok((granted == accounts).then_some(()))
        })
        .await?;
        self.world().granted(REPOSITORY, accounts).await
    }

    /// A template's first version when it has been registered, or refused.
    pub(super) async fn registered(&self, template: &str) -> Result<Value> {
        let sql = format!("SELECT job FROM template_version WHERE name = '{template}'");
        until(&format!("template {template} to be registered"), || async {
            let rows = self.world().rows(&sql).await?;
            Ok((text(&rows) == [""]).then_some(()))
        })
        .await?;
        let get = ["template", "get", template, "--version", "1.0"];
        self.world().admin.json(&get).await
    }

    /// The last deployment of an environment.
    pub(super) async fn deployment(&self, environment: &str) -> Result<String> {
        let found = self
            .world()
            .admin
            .json(&["environment", "get", environment])
            .await?;
        field(&found["deployment"], "lastAttemptedDeploymentId")
    }

    /// The id of the development account's connection for an environment.
    pub(super) async fn requested(&self, environment: &str) -> Result<String> {
        let list = ["connection", "list", "--environment", environment];
        let found = self.world().items(&list).await?;
        field(found.first().context("the connection is not there")?, "id")
    }

    /// Waits until CloudFormation is at an environment's stack.
    pub(super) async fn moving(&self, environment: &str) -> Result<()> {
        let get = ["environment", "get", environment];
        let found = self.world().admin.json(&get).await?;
        let arn = field(&found["deployment"], "stackArn")?;
        let what = format!("something to happen to the stack of {environment}");
        until(&what, || async {
            let stacks = self.world().emulator.stacks(PROD).await?;
            let moves = |stack: &Value| {
                let status = stack["status"].as_str().unwrap_or_default();
                stack["arn"] == arn.as_str() && status.ends_with("_IN_PROGRESS")
            };
            Ok(stacks.iter().any(moves).then_some(()))
        })
        .await
    }
}
