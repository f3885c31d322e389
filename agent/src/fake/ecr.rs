//! ECR's policies, S3's templates and S3's bundles in memory.

use hadron_proto::vocab::{AccountId, Region, RepositoryName};

use super::{Call, FakeAws};
use crate::aws::{Answer, AwsError, Bundles, Kind, LockedObjects, Object, PullPolicies, TemplateBucket};
use crate::job::PutCheckpoints;

fn no_repository(name: &RepositoryName) -> AwsError {
    let message = format!("The repository with name '{name}' does not exist in the registry");
    AwsError::coded("RepositoryNotFoundException", message)
}

/// ECR answers with its own layout of the text.
fn laid_out(text: &str) -> Answer<String> {
    if text.chars().count() > 10_240 {
        return Err(AwsError::coded(
            "InvalidParameterException",
            "policyText is too long",
        ));
    }
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| AwsError::coded("InvalidParameterException", error.to_string()))?;
    let sids: Vec<&str> = value["Statement"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|statement| statement["Sid"].as_str())
        .collect();
    let mut once = sids.clone();
    once.sort_unstable();
    once.dedup();
    if once.len() != sids.len() {
        return Err(AwsError::coded(
            "InvalidParameterException",
            "Sids must be unique",
        ));
    }
    serde_json::to_string_pretty(&value)
        .map_err(|error| AwsError::coded("InvalidParameterException", error.to_string()))
}

impl PullPolicies for FakeAws {
    async fn policy(&self, repository: &RepositoryName) -> Answer<Option<String>> {
        let ticket = self.line.enter(Call::Policy).await?;
        let answer = {
            let mut state = self.state();
            let answer = state
                .repositories
                .get(repository.as_str())
                .cloned()
                .ok_or_else(|| no_repository(repository));
            if answer.is_ok() && !state.interlopers.is_empty() {
                let theirs = state.interlopers.remove(0);
                state.repositories.insert(repository.to_string(), Some(theirs));
            }
            answer
        };
        ticket.leave(answer).await
    }

    async fn set_policy(&self, repository: &RepositoryName, text: &str) -> Answer<()> {
        let ticket = self.line.enter(Call::SetPolicy).await?;
        let answer = match self.state().repositories.get_mut(repository.as_str()) {
            Some(policy) => laid_out(text).map(|text| *policy = Some(text)),
            None => Err(no_repository(repository)),
        };
        ticket.leave(answer).await
    }

    async fn delete_policy(&self, repository: &RepositoryName) -> Answer<()> {
        let ticket = self.line.enter(Call::DeletePolicy).await?;
        let answer = match self.state().repositories.get_mut(repository.as_str()) {
            Some(policy) => {
                *policy = None;
                Ok(())
            }
            None => Err(no_repository(repository)),
        };
        ticket.leave(answer).await
    }

    async fn registry_policy(&self) -> Answer<Option<String>> {
        let ticket = self.line.enter(Call::RegistryPolicy).await?;
        let answer = Ok(self.state().registry.clone());
        ticket.leave(answer).await
    }

    async fn set_registry_policy(&self, text: &str) -> Answer<()> {
        let ticket = self.line.enter(Call::SetRegistryPolicy).await?;
        let answer = laid_out(text).map(|text| self.state().registry = Some(text));
        ticket.leave(answer).await
    }

    async fn delete_registry_policy(&self) -> Answer<()> {
        let ticket = self.line.enter(Call::DeleteRegistryPolicy).await?;
        self.state().registry = None;
        ticket.leave(Ok(())).await
    }
}

impl TemplateBucket for FakeAws {
    async fn has_bucket(&self, bucket: &str, _: AccountId) -> Answer<bool> {
        let ticket = self.line.enter(Call::HasBucket).await?;
        let answer = Ok(self.state().buckets.iter().any(|name| name == bucket));
        ticket.leave(answer).await
    }

    async fn create_bucket(&self, bucket: &str, _: AccountId, _: &Region) -> Answer<()> {
        let ticket = self.line.enter(Call::CreateBucket).await?;
        {
            let mut state = self.state();
            if !state.buckets.iter().any(|name| name == bucket) {
                state.buckets.push(bucket.to_owned());
            }
        }
        ticket.leave(Ok(())).await
    }

    async fn put_template(
        &self,
        bucket: &str,
        _: AccountId,
        region: &Region,
        key: &str,
        text: &str,
    ) -> Answer<String> {
        let ticket = self.line.enter(Call::PutTemplate).await?;
        let answer = {
            let mut state = self.state();
            if state.buckets.iter().any(|name| name == bucket) {
                state.serial += 1;
                let url = format!(
                    "https://s3.{region}.amazonaws.com/{bucket}/{key}?versionId=v{}",
                    state.serial
                );
                state.objects.insert(url.clone(), text.to_owned());
                Ok(url)
            } else {
                Err(AwsError::coded(
                    "NoSuchBucket",
                    "The specified bucket does not exist",
                ))
            }
        };
        ticket.leave(answer).await
    }
}

impl Bundles for FakeAws {
    async fn object(&self, bucket: &str, key: &str, most: u64) -> Answer<Object> {
        let ticket = self.line.enter(Call::GetObject).await?;
        let answer = {
            let state = self.state();
            let place = (bucket.to_owned(), key.to_owned());
            match state.bundles.get(&place) {
                Some(content) if content.len() as u64 > most => {
                    Ok(Object::TooLarge(Some(content.len() as u64)))
                }
                Some(content) => Ok(Object::Whole(content.clone())),
                None if state.buckets.iter().any(|name| name == bucket) => {
                    Err(AwsError::coded("NoSuchKey", "The specified key does not exist."))
                }
                None => Err(AwsError::coded(
                    "NoSuchBucket",
                    "The specified bucket does not exist",
                )),
            }
        };
        ticket.leave(answer).await
    }
}

impl LockedObjects for FakeAws {
    async fn put_locked(&self, object: &PutCheckpoints) -> Answer<()> {
        let ticket = self.line.enter(Call::PutLocked).await?;
        let answer = {
            let mut state = self.state();
            let place = (object.bucket.clone(), object.key.clone());
            let refused = |code, message: &str| Err(AwsError::coded(code, message));
            if state.buckets.iter().all(|name| *name != object.bucket) {
                refused("NoSuchBucket", "The specified bucket does not exist")
            } else {
                match state.locking.get(&object.bucket) {
                    None => refused("InvalidRequest", "Bucket is missing Object Lock Configuration"),
                    Some(owner) if *owner != object.owner => refused("AccessDenied", "Access Denied"),
                    Some(_) if state.locked.contains_key(&place) => Err(AwsError {
                        kind: Kind::AlreadyExists,
                        code: Some("PreconditionFailed".to_owned()),
                        message: "At least one of the pre-conditions you specified did not hold".to_owned(),
                    }),
                    Some(_) => {
                        state.locked.insert(place, object.clone());
                        Ok(())
                    }
                }
            }
        };
        ticket.leave(answer).await
    }
}
