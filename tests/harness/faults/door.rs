//! A client of the operator API that does what the documentation tells clients to do: whatever had no answer, or the
//! answer that trying again may help, is sent again under the same request id.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::future::BoxFuture;
use hadron_proto::wire;
use hadron_proto::wire::deployment_service_client::DeploymentServiceClient;
use hadron_proto::wire::environment_service_client::EnvironmentServiceClient;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::World;

/// How long one try may take before it is tried again. Long enough that a slow machine is not taken for a silent one.
pub(super) const TRY: Duration = Duration::from_secs(15);
/// The pause before something is tried again.
pub(super) const AGAIN: Duration = Duration::from_millis(50);

/// Whether there was no answer of a hub at all.
pub(super) fn from_connection(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// Whether a client may simply send the same again.
pub(super) fn retryable(status: &Status) -> bool {
    from_connection(status)
        || matches!(
            status.code(),
            Code::Unavailable
                | Code::Aborted
                | Code::ResourceExhausted
                | Code::DeadlineExceeded
                | Code::Cancelled
        )
}

/// How a client of a world's hubs connects; nothing is opened yet.
///
/// # Errors
/// When the hub's CA cannot be read.
pub(super) fn channel(world: &World) -> Result<Channel> {
    let front = world.front();
    let ca = std::fs::read(&front.ca_file).context("the hub's CA")?;
    let endpoint = Endpoint::from_shared(front.api.clone())
        .context("the hub's address")?
        .tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)))
        .context("TLS")?
        .connect_timeout(Duration::from_secs(2))
        .http2_keep_alive_interval(Duration::from_secs(2))
        .keep_alive_timeout(Duration::from_secs(2))
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_lazy())
}

/// An administrator's token, freshly minted, with the words in which it is sent.
///
/// # Errors
/// When it cannot be minted.
pub(super) fn bearer(world: &World, name: &str) -> Result<(String, MetadataValue<Ascii>)> {
    let token = world.hub.token(name, "administrator")?;
    let value = format!("Bearer {token}").parse().context("the token")?;
    Ok((token, value))
}

/// An administrator at a world's hubs. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Door {
    channel: Channel,
    bearer: MetadataValue<Ascii>,
    /// How long anything is tried.
    pub patience: Duration,
}

impl Door {
    /// With a token that the hub itself minted under this name; gives the token's text too.
    ///
    /// # Errors
    /// When it cannot be minted.
    pub fn open(world: &World, name: &str) -> Result<(Self, String)> {
        let (token, bearer) = bearer(world, name)?;
        let door = Self {
            channel: channel(world)?,
            bearer,
            patience: Duration::from_secs(120),
        };
        Ok((door, token))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.bearer.clone());
        request
    }

    /// Tries until there is an answer that trying again would not change.
    async fn call<T>(
        &self,
        what: &str,
        send: impl Fn(Self) -> BoxFuture<'static, Result<T, Status>>,
    ) -> Result<T> {
        let end = Instant::now() + self.patience;
        loop {
            let answer = timeout(TRY, send(self.clone())).await;
            let status = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer in time"),
            };
            if !retryable(&status) {
                bail!("{what} was refused for good: {status:?}");
            }
            if Instant::now() > end {
                bail!(
                    "{what} had no answer in {} s: {status:?}",
                    self.patience.as_secs()
                );
            }
            sleep(AGAIN).await;
        }
    }

    /// Makes an environment of the probe template; gives the deployment's id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create(&self, name: &str, connection: &str, inputs: &Value, id: &str) -> Result<String> {
        let message = wire::CreateEnvironmentRequest {
            request_id: id.to_owned(),
            name: name.to_owned(),
            template_name: "probe-env".to_owned(),
            connection_id: connection.to_owned(),
            spec: spec(inputs),
            ..Default::default()
        };
        let made = self
            .call(&format!("creating environment {name}"), |door| {
                let message = message.clone();
                Box::pin(async move {
                    let mut client = EnvironmentServiceClient::new(door.channel.clone());
                    client.create_environment(door.request(message)).await
                })
            })
            .await?;
        attempted(made.into_inner())
    }

    /// Updates an environment; gives the deployment's id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn update(&self, name: &str, inputs: &Value, id: &str) -> Result<String> {
        let message = wire::UpdateEnvironmentRequest {
            request_id: id.to_owned(),
            name: name.to_owned(),
            deployment_type: wire::DeploymentType::CurrentVersion.into(),
            spec: spec(inputs),
            ..Default::default()
        };
        let changed = self
            .call(&format!("updating environment {name}"), |door| {
                let message = message.clone();
                Box::pin(async move {
                    let mut client = EnvironmentServiceClient::new(door.channel.clone());
                    client.update_environment(door.request(message)).await
                })
            })
            .await?;
        attempted(changed.into_inner())
    }

    /// Deletes an environment; gives the deployment's id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn delete(&self, name: &str, id: &str) -> Result<String> {
        let message = wire::DeleteEnvironmentRequest {
            request_id: id.to_owned(),
            name: name.to_owned(),
            ..Default::default()
        };
        let changed = self
            .call(&format!("deleting environment {name}"), |door| {
                let message = message.clone();
                Box::pin(async move {
                    let mut client = EnvironmentServiceClient::new(door.channel.clone());
                    client.delete_environment(door.request(message)).await
                })
            })
            .await?;
        attempted(changed.into_inner())
    }

    /// A deployment as it is now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn deployment(&self, id: &str) -> Result<wire::Deployment> {
        let message = wire::GetDeploymentRequest { id: id.to_owned() };
        let found = self
            .call(&format!("asking for deployment {id}"), |door| {
                let message = message.clone();
                Box::pin(async move {
                    let mut client = DeploymentServiceClient::new(door.channel.clone());
                    client.get_deployment(door.request(message)).await
                })
            })
            .await?;
        Ok(found.into_inner())
    }

    /// Waits until a deployment has ended.
    ///
    /// # Errors
    /// When it does not end within the door's patience.
    pub async fn ended(&self, id: &str) -> Result<wire::Deployment> {
        let end = Instant::now() + self.patience;
        loop {
            let deployment = self.deployment(id).await?;
            if deployment.completed_at.is_some() {
                return Ok(deployment);
            }
            if Instant::now() > end {
                bail!(
                    "{id} has not ended within {} s: {}",
                    self.patience.as_secs(),
                    deployment.status
                );
            }
            sleep(AGAIN).await;
        }
    }
}

fn attempted(environment: wire::Environment) -> Result<String> {
    let state = environment.deployment.context("an environment without a state")?;
    Ok(state.last_attempted_deployment_id)
}

/// The spec of an environment of the probe template.
fn spec(inputs: &Value) -> String {
    json!({ "proton": "EnvironmentSpec", "spec": inputs }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_hub_refuses_for_good_is_not_tried_again() {
        assert!(retryable(&Status::unavailable("stopping")));
        assert!(!retryable(&Status::internal("a bug")));
        assert!(!retryable(&Status::already_exists("done twice")));
        let broken = Status::from_error(Box::new(std::io::Error::from(
            std::io::ErrorKind::ConnectionReset,
        )));
        assert!(retryable(&broken));
    }
}
