//! STS behind [`CallerIdentity`].

use aws_config::SdkConfig;
use aws_sdk_sts::Client;

use super::calls::Counting;
use super::{Answer, AwsError, CallerIdentity, Identity};

/// STS with the configuration's credentials.
#[derive(Clone, Debug)]
pub struct Sts {
    client: Client,
}

impl Sts {
    /// From the SDK's configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_sts::config::Builder::from(config)
            .interceptor(Counting)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

impl CallerIdentity for Sts {
    async fn identity(&self) -> Answer<Identity> {
        let answer = self
            .client
            .get_caller_identity()
            .send()
            .await
            .map_err(AwsError::of)?;
        let account = answer.account().unwrap_or_default();
        Ok(Identity {
            account: account
                .parse()
                .map_err(|error| AwsError::odd(format!("STS's answer: {error}")))?,
            arn: answer.arn().unwrap_or_default().to_owned(),
            user_id: answer.user_id().unwrap_or_default().to_owned(),
        })
    }
}
