//! What scenarios do again and again, and the look at the world that each ends with.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use crate::aws::{self, Variables};
use crate::world::field;
use crate::{MANAGEMENT, REGION, World, paths, wait};

/// Flags that say where the pipeline of a service gets its source from.
pub const SOURCE: [&str; 6] = [
    "--branch",
    "main",
    "--repository",
    "example/shop",
    "--repository-connection",
    "arn:aws:codeconnections:us-east-1:111111111111:connection/0b7a3c1e-6a55-4e0f-9a53-0c8f4f5a1d11",
];

/// The provisioning role that the harness makes in every account.
#[must_use]
pub fn provisioning_role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/hadron-provisioning")
}

impl World {
    /// The hub's own door for people and scripts, without the command line client, which looks at everything first.
    ///
    /// # Errors
    /// When the hub cannot be reached.
    pub async fn door(&self) -> Result<Channel> {
        let ca = std::fs::read(&self.front().ca_file).context("the hub's CA")?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        let endpoint = Channel::from_shared(self.front().api.clone()).context("the hub's address")?;
        endpoint
            .tls_config(tls)
            .context("TLS")?
            .connect()
            .await
            .context("the hub")
    }

    /// Everything that a list command prints.
    ///
    /// # Errors
    /// When it fails.
    pub async fn items(&self, list: &[&str]) -> Result<Vec<Value>> {
        let list = self.admin.json(list).await?;
        list["items"]
            .as_array()
            .cloned()
            .with_context(|| format!("not a list: {list}"))
    }

    /// Writes a file into the world's folder; gives its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Result<String> {
        let path = self.folder().join("files").join(name);
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(folder).with_context(|| format!("a folder for {name}"))?;
        std::fs::write(&path, content).with_context(|| format!("file {name}"))?;
        Ok(path.display().to_string())
    }

    /// The spec of a service with these instances, each an instance's name and its environment's.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn service_spec(&self, name: &str, instances: &[(&str, &str)]) -> Result<String> {
        let mut text = String::from("proton: ServiceSpec\ninstances:\n");
        for (instance, environment) in instances {
            text.push_str(&format!(
                "  - name: {instance}\n    environment: {environment}\n    spec:\n      port: 8080\n"
            ));
        }
        self.file(&format!("{name}.yaml"), text)
    }

    /// Waits until an account's agent has (or has not) a session with the hub.
    ///
    /// # Errors
    /// When that does not come about.
    pub async fn online(&self, account: &str, online: bool) -> Result<()> {
        let word = if online { "online" } else { "offline" };
        wait::until(
            &format!("the agent of {account} to be {word}"),
            Duration::from_secs(60),
            || async {
                let agents = self.items(&["agent", "list", "--account", account]).await?;
                let is = agents.iter().any(|agent| agent["online"] == true);
                Ok((is == online).then_some(()))
            },
        )
        .await
    }

    /// Connects an account and deploys an environment of the minimal template in it; gives the connection's id.
    ///
    /// # Errors
    /// When anything is refused or fails.
    pub async fn environment(&mut self, name: &str, account: &str) -> Result<String> {
        let connection = self.connect(account, name).await?;
        let spec = paths::root()
            .join("deploy/examples/minimal-env/spec.yaml")
            .display()
            .to_string();
        let args = [
            "environment",
            "create",
            name,
            "--template",
            "minimal-env",
            "--connection",
            &connection,
        ];
        self.admin
            .ok(&[&args[..], &["--spec", &spec, "--wait"]].concat())
            .await?;
        Ok(connection)
    }

    /// Deploys a service of the minimal template with a pipeline.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub async fn service(&self, name: &str, instances: &[(&str, &str)]) -> Result<()> {
        let spec = self.service_spec(name, instances)?;
        let args = [
            "service",
            "create",
            name,
            "--template",
            "minimal-svc",
            "--spec",
            &spec,
            "--wait",
        ];
        self.admin.ok(&[&args[..], &SOURCE].concat()).await.map(drop)
    }

    /// Waits until nothing is being done to a service any more: after an instance comes its pipeline.
    ///
    /// # Errors
    /// When that does not come about.
    pub async fn active(&self, service: &str) -> Result<()> {
        wait::until(
            &format!("service {service} to be active"),
            Duration::from_secs(60),
            || async {
                let shown = self.admin.json(&["service", "get", service]).await?;
                Ok((shown["status"] == "ACTIVE").then_some(()))
            },
        )
        .await
    }

    /// Waits until these accounts, and no others, are granted pulls from a repository, and all of it is written.
    ///
    /// # Errors
    /// When that does not come about.
    pub async fn granted(&self, repository: &str, accounts: &[&str]) -> Result<()> {
        let what = format!("grants of {repository} for {accounts:?}");
        wait::until(&what, Duration::from_secs(60), || async {
            let grants = self.items(&["grant", "list", "--repository", repository]).await?;
            let found: Vec<&str> = grants
                .iter()
                .filter_map(|grant| grant["accountId"].as_str())
                .collect();
            let applied = grants.iter().all(|grant| grant["state"] == "APPLIED");
            Ok((applied && found == accounts).then_some(()))
        })
        .await
    }

    /// The last deployment that was attempted of what a `get` command shows.
    ///
    /// # Errors
    /// When there is none.
    pub async fn last_deployment(&self, get: &[&str]) -> Result<Value> {
        let shown = self.admin.json(get).await?;
        let id = field(&shown["deployment"], "lastAttemptedDeploymentId")?;
        self.admin.json(&["deployment", "get", &id]).await
    }

    /// A role's credentials; the role has an inline policy that allows these actions on everything.
    ///
    /// # Errors
    /// When IAM refuses.
    pub async fn allowed(&self, account: &str, role: &str, actions: &[&str]) -> Result<Variables> {
        aws::make_role(self.emulator.url(), account, role).await?;
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
        });
        let iam = aws_sdk_iam::Client::new(&aws::root(self.emulator.url(), account).await);
        iam.put_role_policy()
            .role_name(role)
            .policy_name("allowed")
            .policy_document(policy.to_string())
            .send()
            .await
            .with_context(|| format!("the policy of role {role} in {account}"))?;
        aws::assume(self.emulator.url(), account, role).await
    }

    /// A client for the management account's registry, as its root.
    pub async fn registry(&self) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&aws::root(self.emulator.url(), MANAGEMENT).await)
    }

    /// Makes a repository in the management account that Hadron may write policies of.
    ///
    /// # Errors
    /// When ECR refuses.
    pub async fn repository(&self, name: &str) -> Result<()> {
        let managed = aws_sdk_ecr::types::Tag::builder()
            .key("hadron:managed")
            .value("true")
            .build()?;
        self.registry()
            .await
            .create_repository()
            .repository_name(name)
            .tags(managed)
            .send()
            .await
            .with_context(|| format!("repository {name}"))?;
        Ok(())
    }

    /// Gives a repository of the management account a policy, as its owner may at any time.
    ///
    /// # Errors
    /// When ECR refuses.
    pub async fn set_policy(&self, repository: &str, text: &str) -> Result<()> {
        self.registry()
            .await
            .set_repository_policy()
            .repository_name(repository)
            .policy_text(text)
            .send()
            .await
            .with_context(|| format!("the policy of repository {repository}"))?;
        Ok(())
    }

    /// The policy of a repository of the management account, as the text that ECR has.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn policy_text(&self, repository: &str) -> Result<Option<String>> {
        let state = self.emulator.state().await?;
        let repositories = &state["accounts"][MANAGEMENT]["regions"][REGION]["repositories"];
        let found = repositories
            .as_array()
            .into_iter()
            .flatten()
            .find(|each| each["name"] == repository);
        Ok(found
            .and_then(|each| each["policy_text"].as_str())
            .map(str::to_owned))
    }

    /// Lines of a log that are JSON objects; other lines are an error.
    ///
    /// # Errors
    /// When a line is not a JSON object.
    pub fn log_lines(&self, file: &str) -> Result<Vec<Value>> {
        let text =
            std::fs::read_to_string(self.folder().join(file)).with_context(|| format!("log {file}"))?;
        // A line that is being written has no end yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .with_context(|| format!("{file} has a line that is not JSON: {line}"))
            })
            .collect()
    }

    /// The look at the world that a scenario ends with: every deployment has ended, every grant is written, no change set is
    /// left that somebody could execute, and all processes are alive.
    ///
    /// # Errors
    /// When something is left over.
    pub async fn at_rest(&mut self) -> Result<()> {
        self.hub.process().alive()?;
        for agent in self.agents.values_mut() {
            agent.process().alive()?;
        }
        let active = self.items(&["deployment", "list", "--active"]).await?;
        ensure!(active.is_empty(), "deployments are left active: {active:?}");
        wait::until("every grant to be written", Duration::from_secs(30), || async {
            let grants = self.items(&["grant", "list"]).await?;
            Ok(grants
                .iter()
                .all(|grant| grant["state"] == "APPLIED")
                .then_some(()))
        })
        .await?;
        let state = self.emulator.state().await?;
        for (account, held) in state["accounts"].as_object().into_iter().flatten() {
            for stack in held["regions"][REGION]["stacks"].as_array().into_iter().flatten() {
                let waiting = stack["waiting_change_sets"]
                    .as_array()
                    .is_some_and(|waiting| !waiting.is_empty());
                ensure!(!waiting, "a change set is left in {account}: {stack}");
            }
        }
        Ok(())
    }
}

/// Whether a call of the emulator's log is this action of CloudFormation, made in this account.
#[must_use]
pub fn is_call(call: &Value, account: &str, action: &str) -> bool {
    call["account"] == account && call["action"] == action
}
