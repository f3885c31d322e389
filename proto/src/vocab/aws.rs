//! AWS's words: account ids, Regions, role ARNs, stack ARNs, repositories and image URIs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not the AWS word that was expected.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum InvalidAws {
    /// Not exactly twelve ASCII digits.
    #[error("'{given}' is not an AWS account id: give exactly 12 digits, leading zeros included")]
    Account {
        /// The text that was given.
        given: String,
    },
    /// Not of the form of a Region name.
    #[error("'{given}' is not an AWS Region name such as us-east-1")]
    Region {
        /// The text that was given.
        given: String,
    },
    /// Not a role ARN.
    #[error("'{given}' is not a role ARN such as arn:aws:iam::123456789012:role/name")]
    Role {
        /// The text that was given.
        given: String,
    },
    /// Not a stack ARN.
    #[error("'{given}' is not a CloudFormation stack ARN")]
    Stack {
        /// The text that was given.
        given: String,
    },
    /// Not an ECR repository name.
    #[error(
        "'{given}' is not an ECR repository name: 2 to 256 of a-z, 0-9, and single '.', '_', '-', '/' between them"
    )]
    Repository {
        /// The text that was given.
        given: String,
    },
}

fn clip(text: &str) -> String {
    text.chars().take(200).collect()
}

macro_rules! text_type {
    ($name:ident, $error:ty) => {
        impl TryFrom<String> for $name {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

/// An AWS account id: exactly twelve ASCII digits, leading zeros kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an account id is made of ASCII digits")
    }
}
impl FromStr for AccountId {
    type Err = InvalidAws;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: [u8; 12] = text
            .as_bytes()
            .try_into()
            .map_err(|_| InvalidAws::Account { given: clip(text) })?;
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(digits))
        } else {
            Err(InvalidAws::Account { given: clip(text) })
        }
    }
}
impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
text_type!(AccountId, InvalidAws);

/// A partition of AWS: accounts and ARNs of one mean nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Partition {
    /// The commercial Regions, `aws`.
    #[serde(rename = "aws")]
    Aws,
    /// China, `aws-cn`.
    #[serde(rename = "aws-cn")]
    China,
    /// `GovCloud` (US), `aws-us-gov`.
    #[serde(rename = "aws-us-gov")]
    GovCloud,
}

impl Partition {
    /// As written in ARNs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
        }
    }

    /// What host names of services end with.
    #[must_use]
    pub const fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
        }
    }
}

/// An AWS Region name. Only the form is checked here; who needs a known Region has a table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// The name, such as `us-east-1`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that the Region belongs to.
    #[must_use]
    pub fn partition(&self) -> Partition {
        if self.0.starts_with("cn-") {
            Partition::China
        } else if self.0.starts_with("us-gov-") {
            Partition::GovCloud
        } else {
            Partition::Aws
        }
    }
}
impl FromStr for Region {
    type Err = InvalidAws;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('-').collect();
        let words = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let fine = text.len() <= 32
            && (3..=4).contains(&parts.len())
            && parts[..parts.len() - 1].iter().all(words)
            && parts[parts.len() - 1].len() == 1
            && parts[parts.len() - 1].bytes().all(|b| b.is_ascii_digit());
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAws::Region { given: clip(text) })
        }
    }
}
impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
text_type!(Region, InvalidAws);

/// Splits `arn:partition:service:region:account:resource`.
fn arn(text: &str) -> Option<(Partition, &str, &str, &str, &str)> {
    let mut parts = text.splitn(6, ':');
    if parts.next()? != "arn" {
        return None;
    }
    let partition = match parts.next()? {
        "aws" => Partition::Aws,
        "aws-cn" => Partition::China,
        "aws-us-gov" => Partition::GovCloud,
        _ => return None,
    };
    Some((
        partition,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
    ))
}

/// The ARN of an IAM role, path included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn {
    text: String,
    account: AccountId,
    name_at: usize,
}

impl RoleArn {
    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// The account that the role belongs to.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }
    /// The role's name without its path. Role names are unique in an account, whatever their path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.name_at..]
    }
}
impl FromStr for RoleArn {
    type Err = InvalidAws;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (_, service, region, account, resource) = arn(text)?;
            let path = resource.strip_prefix("role/")?;
            let name = path.rsplit('/').next()?;
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
            let fine = service == "iam"
                && region.is_empty()
                && (1..=64).contains(&name.len())
                && name.bytes().all(allowed)
                && path.bytes().all(|b| b.is_ascii_graphic())
                && text.len() <= 2048;
            fine.then_some(())?;
            let account: AccountId = account.parse().ok()?;
            Some(Self {
                text: text.to_owned(),
                account,
                name_at: text.len() - name.len(),
            })
        };
        parse().ok_or_else(|| InvalidAws::Role { given: clip(text) })
    }
}
impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
text_type!(RoleArn, InvalidAws);

/// The ARN of a CloudFormation stack. Unlike its name it is never used again: a deletion by ARN cannot hit a successor.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StackArn {
    text: String,
    account: AccountId,
    region: Region,
    name: (usize, usize),
}

impl StackArn {
    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// The account that the stack is in.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }
    /// The Region that the stack is in.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }
    /// The stack's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.name.0..self.name.1]
    }
}
impl FromStr for StackArn {
    type Err = InvalidAws;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (_, service, region, account, resource) = arn(text)?;
            let (name, unique) = resource.strip_prefix("stack/")?.split_once('/')?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            let fine = service == "cloudformation"
                && (1..=128).contains(&name.len())
                && name.bytes().all(plain)
                && (1..=64).contains(&unique.len())
                && unique.bytes().all(plain);
            fine.then_some(())?;
            let start = text.len() - unique.len() - 1 - name.len();
            let (account, region) = (account.parse().ok()?, region.parse().ok()?);
            Some(Self {
                text: text.to_owned(),
                account,
                region,
                name: (start, start + name.len()),
            })
        };
        parse().ok_or_else(|| InvalidAws::Stack { given: clip(text) })
    }
}
impl fmt::Display for StackArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
text_type!(StackArn, InvalidAws);

/// The name of an ECR repository, namespaces included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

impl RepositoryName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl FromStr for RepositoryName {
    type Err = InvalidAws;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // ECR: (?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*
        let part = |part: &str| {
            part.split(['.', '_', '-']).all(|run| {
                !run.is_empty() && run.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
        };
        if (2..=256).contains(&text.len()) && text.split('/').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAws::Repository { given: clip(text) })
        }
    }
}
impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
text_type!(RepositoryName, InvalidAws);

/// An image in an ECR registry: `<account>.dkr.ecr.<region>.amazonaws.com/<repository>[:tag][@digest]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageUri {
    /// The account that owns the registry.
    pub registry: AccountId,
    /// The Region of the registry.
    pub region: Region,
    /// The repository.
    pub repository: RepositoryName,
}

impl ImageUri {
    /// Reads an image URI; `None` when the text names no image in an ECR registry.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, rest) = text.split_once('/')?;
        let (registry, rest_of_host) = host.split_once(".dkr.ecr.")?;
        let (region, suffix) = rest_of_host.split_once('.')?;
        let region: Region = region.parse().ok()?;
        (suffix == region.partition().dns_suffix()).then_some(())?;
        let rest = rest.split_once('@').map_or(rest, |(name, _)| name);
        let repository = rest.split_once(':').map_or(rest, |(name, _)| name);
        Some(Self {
            registry: registry.parse().ok()?,
            region,
            repository: repository.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_twelve_ascii_digits() {
        assert_eq!(
            "012345678901".parse::<AccountId>().unwrap().as_str(),
            "012345678901"
        );
        for wrong in [
            "*",
            "1234567890",
            "1234567890123",
            " 12345678901",
            "１２３４５６７８９０１２",
            "12345678901a",
            "",
        ] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn regions_have_a_form_and_a_partition() {
        assert_eq!(
            "cn-north-1".parse::<Region>().unwrap().partition(),
            Partition::China
        );
        assert_eq!(
            "us-gov-west-1".parse::<Region>().unwrap().partition(),
            Partition::GovCloud
        );
        assert_eq!(
            "ap-southeast-2".parse::<Region>().unwrap().partition(),
            Partition::Aws
        );
        for wrong in [
            "evil.com/",
            "us-east-1.evil.com#",
            "us-east-1\r\nX:",
            "us‑east‑1",
            "",
            "useast1",
            "us-east-12345",
        ] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn role_names_come_without_their_path() {
        let role: RoleArn = "arn:aws:iam::333333333333:role/team/hadron-agent"
            .parse()
            .unwrap();
        assert_eq!(
            (role.name(), role.account().as_str()),
            ("hadron-agent", "333333333333")
        );
        for wrong in [
            "arn:aws:iam::333333333333:user/x",
            "role/x",
            "arn:aws:iam::33:role/x",
            "arn:aws:iam::333333333333:role/",
        ] {
            assert!(wrong.parse::<RoleArn>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn stack_arns_give_their_parts() {
        let text =
            "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-prd-cloudformation-ABC/0c9a-11";
        let stack: StackArn = text.parse().unwrap();
        assert_eq!(
            (stack.name(), stack.region().as_str()),
            ("AWSProton-prd-cloudformation-ABC", "us-east-1")
        );
        assert!("AWSProton-prd".parse::<StackArn>().is_err());
    }

    #[test]
    fn image_uris_name_a_repository() {
        let image =
            ImageUri::parse("111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/web:v1@sha256:00").unwrap();
        assert_eq!(
            (image.repository.as_str(), image.registry.as_str()),
            ("team/web", "111111111111")
        );
        for other in [
            "public.ecr.aws/nginx/nginx:1",
            "nginx",
            "111111111111.dkr.ecr.eu-west-1.evil.com/web",
            "x/y",
        ] {
            assert!(ImageUri::parse(other).is_none(), "{other}");
        }
    }
}
