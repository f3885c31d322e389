//! Make an ECR repository's policy let exactly these accounts pull, besides what others granted.
//!
//! ECR has no version to compare, so another writer can slip in between reading and writing. Reading back finds that out;
//! what was lost of theirs in that moment nobody can know. One job per repository at a time is the hub's part; the
//! registry has one policy for all repositories, so this agent's jobs take turns at it.

use std::collections::BTreeSet;

use hadron_proto::vocab::AccountId;

use super::attempt::{Attempt, Halt, failed};
use super::policy::{self, Change, Grant, Refusal};
use super::{Step, StepLog};
use crate::aws::{Account, Answer, Kind, PullPolicies as _};
use crate::job::{FailureKind, Hub, Outcome, SetPullPolicy};

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &SetPullPolicy,
) -> Result<Outcome, Halt> {
    let readers: BTreeSet<AccountId> = work.readers.iter().copied().collect();
    let partition = at.job.region.partition();
    let grant = Grant::repository(partition, at.job.account, readers.clone());
    let (mut changed, mut warnings) = settle(at, work, Where::Repository, &grant).await?;
    if at.settings.registry_policy {
        let grant = Grant::registry(
            partition,
            at.job.account,
            &at.job.region,
            &work.repository,
            readers,
        );
        match settle_registry(at, work, &grant).await {
            Ok(registry) => changed |= registry,
            // Pulls work by the repository's policy, which is in place.
            Err(Halt::Failed(failure)) => {
                let warning = format!(
                    "the registry's policy is not as wanted for {}: {}. Pulls that the repository's policy grants work \
                     nevertheless; what the registry's policy granted before, it may still grant. Either let the \
                     agent's role write it (`hadron-agent role --management --registry-policy`) and mend what is named \
                     here, or set write_registry_policy = false and take Hadron's statements out of it",
                    work.repository, failure.message
                );
                tracing::warn!(repository = %work.repository, failure.kind = ?failure.kind, "{warning}");
                warnings.push(warning);
            }
            Err(stopped @ Halt::Stopped(_)) => return Err(stopped),
        }
    }
    hadron_proto::fault::point("C42");
    Ok(Outcome::PullPolicySet { changed, warnings })
}

/// The registry's policy, by one job of this agent at a time: between another's reading and writing, what is written
/// here would be lost, and nobody would read it back again.
async fn settle_registry<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &SetPullPolicy,
    grant: &Grant,
) -> Result<bool, Halt> {
    let _turn = at.turn(&at.settings.registry_turn).await?;
    let (changed, _) = settle(at, work, Where::Registry, grant).await?;
    Ok(changed)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Repository,
    Registry,
}

/// Reads, merges and writes until what is read is what is wanted.
async fn settle<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &SetPullPolicy,
    place: Where,
    grant: &Grant,
) -> Result<(bool, Vec<String>), Halt> {
    let mut changed = false;
    // One look more than writes: the last write is read back as well.
    for round in 0..=at.settings.policy_rounds {
        let found = match read(at, work, place).await? {
            Ok(found) => found,
            // Nothing to withdraw from.
            Err(error) if error.kind == Kind::NotFound && grant.is_withdrawal() => {
                return Ok((changed, Vec::new()));
            }
            Err(error) if error.kind == Kind::NotFound => {
                let message = format!("there is no ECR repository {}", work.repository);
                return Err(Halt::failed(FailureKind::RepositoryMissing, message));
            }
            Err(error) => return Err(failed("cannot read the policy", &error, FailureKind::Other)),
        };
        hadron_proto::fault::point("C40");
        let (wanted, warnings) = match policy::merge(found.as_deref(), grant).map_err(refused)? {
            Change::Keep { warnings } => return Ok((changed, warnings)),
            Change::Write { text, warnings } => (Some(text), warnings),
            Change::Delete => (None, Vec::new()),
        };
        if round == at.settings.policy_rounds {
            break;
        }
        for warning in &warnings {
            tracing::warn!(repository = %work.repository, %warning, "A statement of others is in the way");
        }
        match write(at, work, place, wanted.as_deref()).await? {
            Ok(()) => {
                hadron_proto::fault::point("C41");
                changed = true;
            }
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => {
                return Err(failed(
                    "ECR refuses the policy",
                    &error,
                    FailureKind::PolicyConflict,
                ));
            }
        }
    }
    let message = format!(
        "after {} writes the policy still reads otherwise: somebody else writes it too",
        at.settings.policy_rounds
    );
    Err(Halt::failed(FailureKind::PolicyConflict, message))
}

async fn read<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &SetPullPolicy,
    place: Where,
) -> Result<Answer<Option<String>>, Halt> {
    let ecr = at.account.policies();
    match place {
        Where::Repository => at.ask(|| ecr.policy(&work.repository)).await,
        Where::Registry => at.ask(|| ecr.registry_policy()).await,
    }
}

async fn write<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &SetPullPolicy,
    place: Where,
    wanted: Option<&str>,
) -> Result<Answer<()>, Halt> {
    let ecr = at.account.policies();
    let repository = work.repository.to_string();
    match (place, wanted) {
        (Where::Repository, Some(text)) => {
            at.act(&Step::SetPolicy { repository }, || {
                ecr.set_policy(&work.repository, text)
            })
            .await
        }
        (Where::Repository, None) => {
            at.act(&Step::DeletePolicy { repository }, || {
                ecr.delete_policy(&work.repository)
            })
            .await
        }
        (Where::Registry, Some(text)) => {
            at.act(&Step::SetRegistryPolicy, || ecr.set_registry_policy(text))
                .await
        }
        (Where::Registry, None) => {
            at.act(&Step::DeleteRegistryPolicy, || ecr.delete_registry_policy())
                .await
        }
    }
}

fn refused(refusal: Refusal) -> Halt {
    let kind = match refusal {
        Refusal::TooLong { .. } => FailureKind::PolicyTooLong,
        Refusal::Unreadable { .. } | Refusal::Conflict { .. } => FailureKind::PolicyConflict,
    };
    Halt::failed(kind, refusal.to_string())
}
