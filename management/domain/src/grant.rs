//! Pull grants: which account may pull from which ECR repository, and because of what.
//!
//! Nobody edits grants. They follow from services: every instance's account may pull from the repositories that its
//! service's pipeline owns and from those of the management registry that its spec names. A grant goes when its last
//! reason goes. Each repository policy is a lane of its own, since ECR's `SetRepositoryPolicy` has no version to compare.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hadron_proto::vocab::{AccountId, ImageUri, InstanceName, JobId, Region, RepositoryName, ServiceName};
use serde::{Deserialize, Serialize};

use crate::step::{Machine, Step};

/// One ECR repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Repository {
    /// The account that owns the registry.
    pub registry: AccountId,
    /// The registry's Region.
    pub region: Region,
    /// The repository.
    pub name: RepositoryName,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.name, self.registry, self.region)
    }
}

/// Why an account may pull.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Because {
    /// The instance runs there, and its service's pipeline pushes to the repository.
    Pipeline(ServiceName, InstanceName),
    /// The instance runs there, and its spec names an image of the repository.
    Spec(ServiceName, InstanceName),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipeline(service, instance) => {
                write!(
                    f,
                    "instance {service}/{instance} deploys what the pipeline of {service} pushes"
                )
            }
            Self::Spec(service, instance) => write!(
                f,
                "the spec of instance {service}/{instance} names an image of it"
            ),
        }
    }
}

/// One instance, as far as pulling is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageUse {
    /// The service.
    pub service: ServiceName,
    /// The instance.
    pub instance: InstanceName,
    /// The account that its tasks run in.
    pub account: AccountId,
    /// Repositories that the service's pipeline owns.
    pub pipeline: Vec<Repository>,
    /// Every string value of the instance's spec; those that are image URIs count.
    pub spec_values: Vec<String>,
}

/// Grants, derived. `(repository, account)` to the reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<Repository, BTreeMap<AccountId, BTreeSet<Because>>>);

impl Grants {
    /// What follows from these uses. Only repositories of `registry` count: nobody else's policies are ours to write. The
    /// registry's own account needs no grant.
    pub fn desired(registry: AccountId, uses: impl IntoIterator<Item = ImageUse>) -> Self {
        let mut grants = Self::default();
        for each in uses {
            if each.account == registry {
                continue;
            }
            let images = each
                .spec_values
                .iter()
                .filter_map(|value| ImageUri::parse(value))
                .map(|image| {
                    let repository = Repository {
                        registry: image.registry,
                        region: image.region,
                        name: image.repository,
                    };
                    (
                        repository,
                        Because::Spec(each.service.clone(), each.instance.clone()),
                    )
                });
            let pipeline = each.pipeline.iter().map(|repository| {
                (
                    repository.clone(),
                    Because::Pipeline(each.service.clone(), each.instance.clone()),
                )
            });
            for (repository, because) in images.chain(pipeline) {
                if repository.registry == registry {
                    grants
                        .0
                        .entry(repository)
                        .or_default()
                        .entry(each.account)
                        .or_default()
                        .insert(because);
                }
            }
        }
        grants
    }

    /// The repositories with at least one reader.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.0.keys()
    }

    /// Who may pull from a repository, and why.
    #[must_use]
    pub fn readers(&self, repository: &Repository) -> BTreeMap<AccountId, BTreeSet<Because>> {
        self.0.get(repository).cloned().unwrap_or_default()
    }

    /// Everything, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Repository, &BTreeMap<AccountId, BTreeSet<Because>>)> {
        self.0.iter()
    }
}

/// The lane of one repository policy: one writer at a time, and what is known to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLane {
    /// The repository.
    pub repository: Repository,
    /// Who shall be able to pull.
    pub wanted: BTreeSet<AccountId>,
    /// Who is known to be able to: by the last job that succeeded, less those whom a failed job since then left out.
    pub applied: BTreeSet<AccountId>,
    /// Who may be able to although nobody knows: a job failed that would have given it to them or taken it from them.
    #[serde(default)]
    pub perhaps: BTreeSet<AccountId>,
    /// The job that is writing, with what it writes.
    pub writing: Option<(JobId, BTreeSet<AccountId>)>,
    /// Somebody asked for another look while a job was writing: what it finds may be older than what they know.
    #[serde(default)]
    pub again: bool,
    /// Why the last job failed; cleared by the next success.
    pub blocked: Option<Blocked>,
}

/// Why a policy could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// For people.
    pub why: String,
    /// The repository does not exist (yet): it is tried again when its pipeline has been deployed.
    pub missing: bool,
    /// What was to be written; another wish is worth another try.
    pub wanted: BTreeSet<AccountId>,
}

/// What may happen to a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneInput {
    /// The desired readers were computed anew.
    Want {
        /// Who shall be able to pull.
        readers: BTreeSet<AccountId>,
        /// A job for it, should one be needed.
        job: JobId,
    },
    /// Try again although the last attempt failed, or check what is there although nothing has changed.
    Again {
        /// The job.
        job: JobId,
    },
    /// The job wrote (or found) the policy as it was told.
    Applied {
        /// The job that ended.
        job: JobId,
        /// The job for what was asked meanwhile.
        then: JobId,
    },
    /// The job could not.
    Failed {
        /// The job that ended.
        job: JobId,
        /// Why.
        why: String,
        /// The repository does not exist.
        missing: bool,
        /// The job for what was asked meanwhile.
        then: JobId,
    },
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneEffect {
    /// Have the management agent write the policy.
    Write(JobId, BTreeSet<AccountId>),
    /// Something was applied or has failed: deployments that wait for this repository can be looked at again.
    TellWaiting,
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneRefusal {
    /// The job is not the one that writes.
    #[error("job {0} does not write this policy")]
    OtherJob(JobId),
}

impl PolicyLane {
    /// A lane about which nothing is known yet.
    #[must_use]
    pub const fn new(repository: Repository) -> Self {
        Self {
            repository,
            wanted: BTreeSet::new(),
            applied: BTreeSet::new(),
            perhaps: BTreeSet::new(),
            writing: None,
            again: false,
            blocked: None,
        }
    }

    /// Whether an account is known to be able to pull, whatever the job that is writing will have done.
    #[must_use]
    pub fn can_pull(&self, account: AccountId) -> bool {
        let taken = self
            .writing
            .as_ref()
            .is_some_and(|(_, readers)| !readers.contains(&account));
        self.applied.contains(&account) && !taken
    }

    /// Everybody who shall, can or perhaps can pull.
    #[must_use]
    pub fn accounts(&self) -> BTreeSet<AccountId> {
        let writing = self.writing.iter().flat_map(|(_, readers)| readers);
        self.wanted
            .iter()
            .chain(&self.applied)
            .chain(&self.perhaps)
            .chain(writing)
            .copied()
            .collect()
    }

    /// The state of one account's grant, in one word.
    #[must_use]
    pub fn word(&self, account: AccountId) -> &'static str {
        match (
            self.wanted.contains(&account),
            self.can_pull(account),
            &self.blocked,
        ) {
            (true, true, _) => "APPLIED",
            (true, false, Some(_)) => "BLOCKED",
            (true, false, None) => "WANTED",
            (false, ..) => "WITHDRAWING",
        }
    }

    fn write(mut self, job: JobId, mut effects: Vec<LaneEffect>) -> Step<Self, LaneEffect> {
        self.writing = Some((job, self.wanted.clone()));
        self.again = false;
        effects.push(LaneEffect::Write(job, self.wanted.clone()));
        Step::to(self, effects)
    }

    /// Whether there is nothing to write. After a failure nobody knows what the policy says, so that even a wish for what
    /// was applied before has to be written; only a repository that is not there says nothing for sure.
    fn settled(&self) -> bool {
        match &self.blocked {
            None => self.wanted == self.applied,
            Some(blocked) => self.wanted == blocked.wanted || (blocked.missing && self.wanted.is_empty()),
        }
    }

    /// After a job has ended: another for what was asked meanwhile, or rest.
    fn go_on(self, then: JobId) -> Step<Self, LaneEffect> {
        let told = vec![LaneEffect::TellWaiting];
        if self.again || !self.settled() {
            self.write(then, told)
        } else {
            Step::to(self, told)
        }
    }
}

impl Machine for PolicyLane {
    type Input = LaneInput;
    type Effect = LaneEffect;
    type Refusal = LaneRefusal;

    fn step(&self, input: Self::Input) -> Result<Step<Self, Self::Effect>, Self::Refusal> {
        let mut next = self.clone();
        match (&self.writing, input) {
            (None, LaneInput::Want { readers, job }) => {
                next.wanted = readers;
                if next.settled() {
                    Ok(Step::stay(next))
                } else {
                    Ok(next.write(job, Vec::new()))
                }
            }
            (Some(_), LaneInput::Want { readers, .. }) => {
                next.wanted = readers;
                Ok(Step::stay(next))
            }
            (None, LaneInput::Again { job }) => Ok(next.write(job, Vec::new())),
            (Some(_), LaneInput::Again { .. }) => {
                next.again = true;
                Ok(Step::to(next, Vec::new()))
            }
            (Some((writing, readers)), LaneInput::Applied { job, then }) if *writing == job => {
                next.applied.clone_from(readers);
                next.perhaps.clear();
                next.blocked = None;
                next.writing = None;
                Ok(next.go_on(then))
            }
            (
                Some((writing, readers)),
                LaneInput::Failed {
                    job,
                    why,
                    missing,
                    then,
                },
            ) if *writing == job => {
                if missing {
                    // A repository that is not there grants nothing to anybody.
                    next.applied.clear();
                    next.perhaps.clear();
                } else {
                    // The policy may have been written before the job failed.
                    next.perhaps.extend(next.applied.symmetric_difference(readers));
                    next.applied.retain(|account| readers.contains(account));
                }
                next.blocked = Some(Blocked {
                    why,
                    missing,
                    wanted: readers.clone(),
                });
                next.writing = None;
                Ok(next.go_on(then))
            }
            (_, LaneInput::Applied { job, .. } | LaneInput::Failed { job, .. }) => {
                Err(LaneRefusal::OtherJob(job))
            }
        }
    }
}
