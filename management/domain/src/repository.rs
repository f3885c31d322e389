//! Linked source repositories: who hosts them, how they are named, and what connects to them.

use std::fmt;
use std::str::FromStr;

use hadron_proto::vocab::{AccountId, Partition};
use serde::{Deserialize, Serialize};

/// Who hosts a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Provider {
    /// github.com.
    Github,
    /// A GitHub Enterprise server.
    GithubEnterprise,
    /// bitbucket.org.
    Bitbucket,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Github, Self::GithubEnterprise, Self::Bitbucket];

    /// Proton's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Github => "GITHUB",
            Self::GithubEnterprise => "GITHUB_ENTERPRISE",
            Self::Bitbucket => "BITBUCKET",
        }
    }

    /// As ARNs write it.
    #[must_use]
    pub const fn arn_word(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::GithubEnterprise => "github_enterprise",
            Self::Bitbucket => "bitbucket",
        }
    }
}

/// The text names no provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no provider of repositories: use GITHUB, GITHUB_ENTERPRISE or BITBUCKET")]
pub struct InvalidProvider(String);

impl FromStr for Provider {
    type Err = InvalidProvider;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|one| one.word() == text)
            .ok_or_else(|| InvalidProvider(text.chars().take(40).collect()))
    }
}

/// A repository is named otherwise than `OWNER/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no repository: write OWNER/NAME, each of letters, digits, '.', '_' and '-'")]
pub struct InvalidSourceName(String);

/// `OWNER/NAME`, as its provider knows it. Bitbucket and GitHub have no deeper paths.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(String);

impl SourceName {
    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = InvalidSourceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        match text.split_once('/') {
            Some((owner, name)) if part(owner) && part(name) && text.len() <= 100 => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidSourceName(text.chars().take(120).collect())),
        }
    }
}
impl TryFrom<String> for SourceName {
    type Error = InvalidSourceName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0
    }
}
impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The text is not the ARN of a connection of `CodeConnections`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not the ARN of a connection of CodeConnections, such as \
     arn:aws:codeconnections:us-east-1:123456789012:connection/0a1b2c3d-0000-4000-8000-0123456789ab"
)]
pub struct InvalidLink(String);

/// Whether a text is the ARN of a connection of `CodeConnections`, which was called `CodeStar` connections before.
///
/// # Errors
/// When it is none.
pub fn check_link(arn: &str) -> Result<(), InvalidLink> {
    let hex =
        |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let uuid = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        let lengths = [8, 4, 4, 4, 12];
        parts.len() == lengths.len() && parts.iter().zip(lengths).all(|(part, digits)| hex(part, digits))
    };
    let fine = || {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return false;
        };
        let known = [Partition::Aws, Partition::China, Partition::GovCloud].map(Partition::as_str);
        known.contains(&partition)
            && ["codestar-connections", "codeconnections"].contains(&service)
            && region
                .parse::<hadron_proto::vocab::Region>()
                .is_ok_and(|region| region.partition().as_str() == partition)
            && account.parse::<AccountId>().is_ok()
            && resource.strip_prefix("connection/").is_some_and(uuid)
    };
    if fine() {
        Ok(())
    } else {
        Err(InvalidLink(arn.chars().take(200).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_an_owner_and_a_name() {
        for fine in ["acme/web", "a/b.c_d-e", "my-org/.github"] {
            assert!(fine.parse::<SourceName>().is_ok(), "{fine}");
        }
        for wrong in ["", "web", "/web", "acme/", "a/b/c", "a b/c", "../x", "a/.."] {
            assert!(wrong.parse::<SourceName>().is_err(), "{wrong}");
        }
        assert!(format!("a/{}", "b".repeat(99)).parse::<SourceName>().is_err());
    }

    #[test]
    fn links_are_connections_and_nothing_else() {
        let id = "0a1b2c3d-0000-4000-8000-0123456789ab";
        for service in ["codestar-connections", "codeconnections"] {
            let arn = format!("arn:aws:{service}:us-east-1:111111111111:connection/{id}");
            assert_eq!(check_link(&arn), Ok(()));
        }
        for wrong in [
            String::new(),
            format!("arn:aws:codebuild:us-east-1:111111111111:connection/{id}"),
            format!("arn:aws:codeconnections:us-east-1:111111111111:host/{id}"),
            format!("arn:aws:codeconnections:us-east-1:1:connection/{id}"),
            format!("arn:aws-cn:codeconnections:us-east-1:111111111111:connection/{id}"),
            "arn:aws:codeconnections:us-east-1:111111111111:connection/1".to_owned(),
        ] {
            assert!(check_link(&wrong).is_err(), "{wrong}");
        }
    }
}
