//! S3 behind [`TemplateBucket`] and [`Bundles`].
//!
//! Bucket names are guessable and global, so every call about our own bucket says whose it must be: a bucket that somebody else made
//! under our name is refused by S3 instead of being written to or deployed from.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectLockMode,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use bytes::BytesMut;
use hadron_proto::vocab::{AccountId, Region};

use super::calls::Counting;
use super::leave::LastLook;
use super::{Answer, AwsError, Bundles, Kind, LockedObjects, Object, TemplateBucket};
use crate::job::{LockMode, PutCheckpoints};

/// S3 of one account and Region.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
}

impl S3 {
    /// From the SDK's configuration. Path style, because that is also the form of template URL that every endpoint
    /// understands.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(true)
            .interceptor(LastLook)
            .interceptor(Counting)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

impl TemplateBucket for S3 {
    async fn has_bucket(&self, bucket: &str, owner: AccountId) -> Answer<bool> {
        let request = self
            .client
            .head_bucket()
            .bucket(bucket)
            .expected_bucket_owner(owner.as_str());
        match request.send().await.map_err(AwsError::of) {
            Ok(_) => Ok(true),
            Err(error) if error.kind == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn create_bucket(&self, bucket: &str, owner: AccountId, region: &Region) -> Answer<()> {
        // us-east-1 is the one Region that must not be named.
        let place = (region.as_str() != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region.as_str()))
                .build()
        });
        let made = self
            .client
            .create_bucket()
            .bucket(bucket)
            .set_create_bucket_configuration(place)
            .send()
            .await;
        match made.map_err(AwsError::of) {
            // Whose it is shows in the next two calls.
            Ok(_) => {}
            Err(error) if error.kind == Kind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        self.client
            .put_public_access_block()
            .bucket(bucket)
            .expected_bucket_owner(owner.as_str())
            .public_access_block_configuration(block)
            .send()
            .await
            .map_err(AwsError::of)?;
        let versions = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        self.client
            .put_bucket_versioning()
            .bucket(bucket)
            .expected_bucket_owner(owner.as_str())
            .versioning_configuration(versions)
            .send()
            .await
            .map(drop)
            .map_err(AwsError::of)
    }

    async fn put_template(
        &self,
        bucket: &str,
        owner: AccountId,
        region: &Region,
        key: &str,
        text: &str,
    ) -> Answer<String> {
        let put = self
            .client
            .put_object()
            .bucket(bucket)
            .expected_bucket_owner(owner.as_str())
            .key(key)
            .content_type("text/yaml")
            .body(ByteStream::from(text.as_bytes().to_vec()))
            .send()
            .await
            .map_err(AwsError::of)?;
        let mut url = format!(
            "https://s3.{region}.{}/{bucket}/{key}",
            region.partition().dns_suffix()
        );
        // "null" is the version of objects in a bucket without versions.
        if let Some(version) = put
            .version_id()
            .filter(|version| !version.is_empty() && *version != "null")
        {
            url.push_str("?versionId=");
            url.push_str(version);
        }
        Ok(url)
    }
}

impl Bundles for S3 {
    async fn object(&self, bucket: &str, key: &str, most: u64) -> Answer<Object> {
        let answer = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(AwsError::of)?;
        let announced = answer
            .content_length()
            .and_then(|length| u64::try_from(length).ok());
        if let Some(size) = announced.filter(|size| *size > most) {
            return Ok(Object::TooLarge(Some(size)));
        }
        let mut content = BytesMut::new();
        let mut body = answer.body;
        loop {
            match body.try_next().await {
                Ok(None) => return Ok(Object::Whole(content.freeze())),
                // Whatever was announced: what arrives is what counts.
                Ok(Some(part)) if (content.len() + part.len()) as u64 > most => {
                    return Ok(Object::TooLarge(None));
                }
                Ok(Some(part)) => content.extend_from_slice(&part),
                Err(error) => {
                    return Err(AwsError {
                        kind: Kind::Transport,
                        code: None,
                        message: format!("the object's content broke off: {error}"),
                    });
                }
            }
        }
    }
}

impl LockedObjects for S3 {
    async fn put_locked(&self, object: &PutCheckpoints) -> Answer<()> {
        let until = object.retain_until.as_micros().div_euclid(1_000_000);
        let put = self
            .client
            .put_object()
            .bucket(&object.bucket)
            .expected_bucket_owner(object.owner.as_str())
            .key(&object.key)
            .if_none_match("*")
            .object_lock_mode(match object.mode {
                LockMode::Compliance => ObjectLockMode::Compliance,
                LockMode::Governance => ObjectLockMode::Governance,
            })
            .object_lock_retain_until_date(DateTime::from_secs(until))
            .content_type("application/jsonl")
            .body(ByteStream::from(object.lines.as_bytes().to_vec()))
            .send()
            .await;
        put.map(drop).map_err(|error| {
            let mut error = AwsError::of(error);
            if error.code.as_deref() == Some("PreconditionFailed") {
                error.kind = Kind::AlreadyExists;
            }
            error
        })
    }
}
