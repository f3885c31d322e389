//! IAM behind [`Roles`]. Used by commands that a person runs with an administrator's credentials; jobs never call IAM.

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;

use super::calls::Counting;
use super::{Answer, AwsError, Kind, NewRole, Role, Roles};

/// IAM of one account.
#[derive(Clone, Debug)]
pub struct Iam {
    client: Client,
}

impl Iam {
    /// From the SDK's configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_iam::config::Builder::from(config)
            .interceptor(Counting)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

/// IAM writes policies percent-encoded in its answers (RFC 3986).
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match (bytes[at], pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn role(found: Option<&aws_sdk_iam::types::Role>) -> Answer<Role> {
    let found = found.ok_or_else(|| AwsError::odd("IAM's answer has no role"))?;
    Ok(Role {
        arn: found
            .arn()
            .parse()
            .map_err(|error| AwsError::odd(format!("IAM's answer: {error}")))?,
        path: found.path().to_owned(),
        trust: decoded(found.assume_role_policy_document().unwrap_or_default()),
        boundary: found
            .permissions_boundary()
            .and_then(|boundary| boundary.permissions_boundary_arn())
            .map(str::to_owned),
        description: found.description().unwrap_or_default().to_owned(),
        tags: found
            .tags()
            .iter()
            .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
            .collect(),
    })
}

fn tags(pairs: &[(String, String)]) -> Answer<Vec<Tag>> {
    let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
    pairs
        .iter()
        .map(tag)
        .collect::<Result<_, _>>()
        .map_err(|error| AwsError {
            kind: Kind::Validation,
            code: None,
            message: error.to_string(),
        })
}

/// What is gone already need not be deleted.
fn gone_is_fine(answer: Answer<()>) -> Answer<()> {
    match answer {
        Err(error) if error.kind == Kind::NotFound => Ok(()),
        other => other,
    }
}

impl Roles for Iam {
    async fn role(&self, name: &str) -> Answer<Role> {
        let answer = self
            .client
            .get_role()
            .role_name(name)
            .send()
            .await
            .map_err(AwsError::of)?;
        role(answer.role())
    }

    async fn create_role(&self, new: &NewRole) -> Answer<Role> {
        let answer = self
            .client
            .create_role()
            .role_name(&new.name)
            .path(&new.path)
            .assume_role_policy_document(&new.trust)
            .set_permissions_boundary(new.boundary.clone())
            .description(&new.description)
            .set_tags(Some(tags(&new.tags)?))
            .send()
            .await
            .map_err(AwsError::of)?;
        role(answer.role())
    }

    async fn set_trust(&self, name: &str, trust: &str) -> Answer<()> {
        let request = self
            .client
            .update_assume_role_policy()
            .role_name(name)
            .policy_document(trust);
        request.send().await.map(drop).map_err(AwsError::of)
    }

    async fn set_boundary(&self, name: &str, policy_arn: &str) -> Answer<()> {
        let request = self
            .client
            .put_role_permissions_boundary()
            .role_name(name)
            .permissions_boundary(policy_arn);
        request.send().await.map(drop).map_err(AwsError::of)
    }

    async fn tag_role(&self, name: &str, pairs: &[(String, String)]) -> Answer<()> {
        let request = self
            .client
            .tag_role()
            .role_name(name)
            .set_tags(Some(tags(pairs)?));
        request.send().await.map(drop).map_err(AwsError::of)
    }

    async fn inline_policies(&self, name: &str) -> Answer<Vec<String>> {
        let mut pages = self
            .client
            .list_role_policies()
            .role_name(name)
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            names.extend(page.map_err(AwsError::of)?.policy_names().iter().cloned());
        }
        Ok(names)
    }

    async fn inline_policy(&self, name: &str, policy: &str) -> Answer<String> {
        let request = self.client.get_role_policy().role_name(name).policy_name(policy);
        request
            .send()
            .await
            .map(|answer| decoded(answer.policy_document()))
            .map_err(AwsError::of)
    }

    async fn put_inline_policy(&self, name: &str, policy: &str, text: &str) -> Answer<()> {
        let request = self
            .client
            .put_role_policy()
            .role_name(name)
            .policy_name(policy)
            .policy_document(text);
        request.send().await.map(drop).map_err(AwsError::of)
    }

    async fn delete_inline_policy(&self, name: &str, policy: &str) -> Answer<()> {
        let request = self
            .client
            .delete_role_policy()
            .role_name(name)
            .policy_name(policy);
        gone_is_fine(request.send().await.map(drop).map_err(AwsError::of))
    }

    async fn attached_policies(&self, name: &str) -> Answer<Vec<String>> {
        let mut pages = self
            .client
            .list_attached_role_policies()
            .role_name(name)
            .into_paginator()
            .send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of)?;
            arns.extend(
                page.attached_policies()
                    .iter()
                    .filter_map(|policy| policy.policy_arn())
                    .map(str::to_owned),
            );
        }
        Ok(arns)
    }

    async fn attach_policy(&self, name: &str, policy_arn: &str) -> Answer<()> {
        let request = self
            .client
            .attach_role_policy()
            .role_name(name)
            .policy_arn(policy_arn);
        request.send().await.map(drop).map_err(AwsError::of)
    }

    async fn detach_policy(&self, name: &str, policy_arn: &str) -> Answer<()> {
        let request = self
            .client
            .detach_role_policy()
            .role_name(name)
            .policy_arn(policy_arn);
        gone_is_fine(request.send().await.map(drop).map_err(AwsError::of))
    }

    async fn delete_role(&self, name: &str) -> Answer<()> {
        gone_is_fine(
            self.client
                .delete_role()
                .role_name(name)
                .send()
                .await
                .map(drop)
                .map_err(AwsError::of),
        )
    }

    async fn create_policy(&self, name: &str, text: &str) -> Answer<String> {
        let request = self
            .client
            .create_policy()
            .policy_name(name)
            .policy_document(text);
        let answer = request.send().await.map_err(AwsError::of)?;
        let arn = answer.policy().and_then(|policy| policy.arn());
        arn.map(str::to_owned)
            .ok_or_else(|| AwsError::odd("IAM's answer has no policy ARN"))
    }

    async fn managed_policy(&self, policy_arn: &str) -> Answer<String> {
        let found = self
            .client
            .get_policy()
            .policy_arn(policy_arn)
            .send()
            .await
            .map_err(AwsError::of)?;
        let version = found
            .policy()
            .and_then(|policy| policy.default_version_id())
            .unwrap_or("v1");
        let request = self
            .client
            .get_policy_version()
            .policy_arn(policy_arn)
            .version_id(version);
        let answer = request.send().await.map_err(AwsError::of)?;
        let text = answer.policy_version().and_then(|version| version.document());
        Ok(decoded(text.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn policies_of_answers_are_decoded() {
        assert_eq!(
            super::decoded("%7B%22a%22%3A%20%22100%25%22%7D"),
            r#"{"a": "100%"}"#
        );
        assert_eq!(super::decoded("plain 5% %zz"), "plain 5% %zz");
    }
}
