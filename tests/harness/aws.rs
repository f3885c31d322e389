//! Being somebody in the emulated AWS. There, a 12-digit access key id is that account's root user; everybody else is a
//! role that was assumed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;

use crate::REGION;

/// Credentials as variables.
pub type Variables = BTreeMap<String, String>;

/// A client configuration for an account's root user.
pub async fn root(emulator: &str, account: &str) -> SdkConfig {
    config(emulator, Credentials::new(account, "root", None, None, "harness")).await
}

async fn config(emulator: &str, credentials: Credentials) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(emulator)
        .credentials_provider(credentials)
        .load()
        .await
}

/// Variables of an account's root user.
#[must_use]
pub fn root_variables(emulator: &str, account: &str) -> Variables {
    variables(emulator, account, "root", None)
}

fn variables(emulator: &str, key: &str, secret: &str, token: Option<&str>) -> Variables {
    let mut variables = Variables::from([
        ("AWS_ACCESS_KEY_ID".to_owned(), key.to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned()),
        ("AWS_REGION".to_owned(), REGION.to_owned()),
        ("AWS_ENDPOINT_URL".to_owned(), emulator.to_owned()),
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
    ]);
    if let Some(token) = token {
        variables.insert("AWS_SESSION_TOKEN".to_owned(), token.to_owned());
    }
    variables
}

/// Makes a role that the account's root may assume, without any policy, unless it exists.
///
/// # Errors
/// When IAM refuses.
pub async fn make_role(emulator: &str, account: &str, name: &str) -> Result<()> {
    let iam = aws_sdk_iam::Client::new(&root(emulator, account).await);
    let made = iam
        .create_role()
        .role_name(name)
        .assume_role_policy_document(trust(account))
        .send()
        .await;
    match made {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_entity_already_exists_exception()) =>
        {
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("role {name} in {account}")),
    }
}

/// Lets an account's root assume a role that trusts only a service: here, in place of EC2 or ECS.
///
/// # Errors
/// When IAM refuses.
pub async fn trust_root(emulator: &str, account: &str, name: &str) -> Result<()> {
    let iam = aws_sdk_iam::Client::new(&root(emulator, account).await);
    iam.update_assume_role_policy()
        .role_name(name)
        .policy_document(trust(account))
        .send()
        .await
        .with_context(|| format!("the trust policy of role {name} in {account}"))?;
    Ok(())
}

fn trust(account: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "sts:AssumeRole",
        }],
    })
    .to_string()
}

/// Assumes a role for twelve hours.
///
/// # Errors
/// When STS refuses.
pub async fn assume(emulator: &str, account: &str, role: &str) -> Result<Variables> {
    assume_as(emulator, account, role, "harness").await
}

/// The same under a session name of one's own, which stands in the caller's ARN.
///
/// # Errors
/// When STS refuses.
pub async fn assume_as(emulator: &str, account: &str, role: &str, session: &str) -> Result<Variables> {
    let sts = aws_sdk_sts::Client::new(&root(emulator, account).await);
    let assumed = sts
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/{role}"))
        .role_session_name(session)
        .duration_seconds(43_200)
        .send()
        .await
        .with_context(|| format!("assuming role {role} in {account}"))?;
    let given = assumed.credentials().context("STS gave no credentials")?;
    Ok(variables(
        emulator,
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token()),
    ))
}

/// A client configuration with these variables.
pub async fn with_variables(emulator: &str, variables: &Variables) -> SdkConfig {
    let text = |name: &str| variables.get(name).cloned();
    let credentials = Credentials::new(
        text("AWS_ACCESS_KEY_ID").unwrap_or_default(),
        text("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
        text("AWS_SESSION_TOKEN"),
        None,
        "harness",
    );
    config(emulator, credentials).await
}
