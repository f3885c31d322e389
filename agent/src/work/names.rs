//! Names and tokens towards AWS. Everything of one deployment can be recognised by them, from any process.
//!
//! `CloudFormation` puts the `ClientRequestToken` of an operation on all of its events. Tokens carry the deployment's UUID
//! and not the attempt, so attempt 2 finds what attempt 1 began; the verb tells whether the deployment's content was put
//! in motion ([`Verb::is_execution`]) or something older was only brought in order before.

use hadron_proto::vocab::{AccountId, DeploymentId, Digest, Region};
use uuid::Uuid;

use crate::job::Job;

/// What the names of Hadron's change sets and the tokens begin with.
pub const PREFIX: &str = "hadron-";
/// Tag: what owns the stack. The hub puts it among the job's tags; like all of them it stays the same for the stack's
/// life.
pub const TARGET_TAG: &str = "hadron:target";

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Execute the deployment's change set.
    Exec,
    /// Take back what the deployment's change set does.
    Cancel,
    /// Go on with taking back what the deployment's change set did.
    Resume,
    /// Take back what an earlier deployment left half done.
    Recover,
    /// Delete the stack.
    Delete,
}

impl Verb {
    const ALL: [Self; 5] = [
        Self::Exec,
        Self::Cancel,
        Self::Resume,
        Self::Recover,
        Self::Delete,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Cancel => "cancel",
            Self::Resume => "resume",
            Self::Recover => "recover",
            Self::Delete => "delete",
        }
    }

    /// Such an operation exists only if the deployment's change set was executed.
    #[must_use]
    pub const fn is_execution(self) -> bool {
        matches!(self, Self::Exec | Self::Cancel | Self::Resume)
    }
}

/// The names of one deployment, or of one job outside deployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    uuid: Uuid,
    attempt: u32,
}

impl Names {
    /// The job's names.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let uuid = job
            .deployment
            .map_or_else(|| job.token.job.as_uuid(), |deployment| deployment.as_uuid());
        Self {
            uuid,
            attempt: job.attempt,
        }
    }

    /// The name of this attempt's change set; `round` counts from 1.
    #[must_use]
    pub fn change_set(&self, round: u32) -> String {
        match round {
            0 | 1 => format!("{PREFIX}{}-a{}", self.uuid, self.attempt),
            _ => format!("{PREFIX}{}-a{}-{round}", self.uuid, self.attempt),
        }
    }

    /// Whether a change set was made for this deployment, by whatever attempt.
    #[must_use]
    pub fn is_change_set(&self, name: &str) -> bool {
        name.strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix(&self.uuid.to_string()))
            .is_some_and(|rest| rest.starts_with("-a"))
    }

    /// The token of an operation. `n` tells repetitions with a purpose (a second try to roll back) apart.
    #[must_use]
    pub fn token(&self, verb: Verb, n: u32) -> String {
        match n {
            0 => format!("{PREFIX}{}-{}", self.uuid, verb.as_str()),
            _ => format!("{PREFIX}{}-{}-{n}", self.uuid, verb.as_str()),
        }
    }

    /// What a token of this deployment was for; `None` when it is not one.
    #[must_use]
    pub fn verb(&self, token: &str) -> Option<Verb> {
        let rest = token
            .strip_prefix(PREFIX)?
            .strip_prefix(&self.uuid.to_string())?
            .strip_prefix('-')?;
        let word = rest.split('-').next()?;
        Verb::ALL.into_iter().find(|verb| verb.as_str() == word)
    }
}

/// Whether a change set of this name was made by Hadron.
#[must_use]
pub fn is_ours(change_set: &str) -> bool {
    change_set.starts_with(PREFIX)
}

/// The deployment that a token was made for, by whatever agent; `None` when it is not one of Hadron's.
#[must_use]
pub fn deployment_of(token: &str) -> Option<DeploymentId> {
    let rest = token.strip_prefix(PREFIX)?;
    let (uuid, verb) = rest.split_at_checked(uuid::fmt::Hyphenated::LENGTH)?;
    let word = verb.strip_prefix('-')?.split('-').next()?;
    Verb::ALL
        .into_iter()
        .find(|verb| verb.as_str() == word)
        .and_then(|_| uuid.parse().ok())
        .map(DeploymentId::from_uuid)
}

/// The bucket for templates. Contains the account, and S3 is always told whose bucket it must be.
#[must_use]
pub fn bucket(account: AccountId, region: &Region) -> String {
    format!("{PREFIX}templates-{account}-{region}")
}

/// The object of a template: the same text is the same object.
#[must_use]
pub fn object_key(template: Digest) -> String {
    format!("sha256/{}", template.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_and_fit() {
        let names = Names {
            uuid: Uuid::from_u128(0x0192_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0001),
            attempt: 3,
        };
        let other = Names {
            uuid: Uuid::from_u128(5),
            attempt: 3,
        };
        for round in [1, 2] {
            let name = names.change_set(round);
            assert!(
                is_ours(&name) && names.is_change_set(&name) && !other.is_change_set(&name),
                "{name}"
            );
            assert!(name.len() <= 128 && name.starts_with(|c: char| c.is_ascii_alphabetic()));
            assert!(
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
                "{name}"
            );
        }
        for verb in Verb::ALL {
            for n in [0, 2] {
                let token = names.token(verb, n);
                assert_eq!(names.verb(&token), Some(verb), "{token}");
                assert_eq!(deployment_of(&token).map(|id| id.as_uuid()), Some(names.uuid));
                assert_eq!(other.verb(&token), None);
                assert!(token.len() <= 128 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            }
        }
        assert_eq!(names.verb("Console-ExecuteChangeSet-1234"), None);
        for foreign in [
            "Console-ExecuteChangeSet-1234",
            "hadron-",
            "hadron-x-exec",
            &names.change_set(1),
        ] {
            assert_eq!(deployment_of(foreign), None, "{foreign}");
        }
        assert_ne!(names.change_set(1), Names { attempt: 4, ..names }.change_set(1));
    }
}
