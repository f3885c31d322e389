//! How jobs end, as agents tell it, and which commands lead out of a failure.

use hadron_domain::deployment::Intent;
use hadron_domain::target::Target;
use hadron_proto::vocab::{DeploymentId, Digest, StackArn};
use indexmap::IndexMap;

use crate::store::deployments::DeploymentRow;
use crate::store::targets::Resource;

/// How a job ended, as its agent tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The stack is what the template says.
    Applied {
        /// The stack.
        stack: StackArn,
        /// Its outputs.
        outputs: IndexMap<String, String>,
        /// Its resources.
        resources: Vec<Resource>,
        /// Nothing had to be changed.
        no_changes: bool,
    },
    /// The stack is gone.
    Gone,
    /// The change set is gone and was never executed.
    Revoked,
    /// The repository's policy is as wanted.
    PullPolicySet {
        /// False when it already was.
        changed: bool,
        /// Statements of others that keep a reader out.
        warnings: Vec<String>,
    },
    /// Events were put onto the bus.
    EventsPut {
        /// Those that were not taken, by their place in the job, and why.
        refused: Vec<(usize, String)>,
    },
    /// The checkpoints are in the bucket, and locked.
    CheckpointsPut {
        /// An earlier attempt had put them there.
        were_there: bool,
    },
    /// The bundle is what the agent handed over.
    BundleFetched {
        /// Digest of its bytes.
        digest: Digest,
        /// How many they are.
        bytes: u64,
    },
    /// What a stack is, and who changed it.
    Inspected(Inspection),
    /// It did not work.
    Failed {
        /// What sort of failure.
        kind: FailureKind,
        /// Why, for people.
        message: String,
        /// The stack, when there is one.
        stack: Option<StackArn>,
        /// Its status.
        stack_status: Option<String>,
        /// Its resources.
        resources: Vec<Resource>,
    },
}

/// What a stack is, and who changed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The stack; `None` when there never was one.
    pub stack: Option<StackArn>,
    /// CloudFormation's word for it.
    pub status: Option<String>,
    /// The deployments that its events tell of, newest first; what others did is left out.
    pub deployments: Vec<DeploymentId>,
    /// Names of change sets that were taken away.
    pub removed: Vec<String>,
}

/// What sort of failure it was; decides what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "documented in agent.proto")]
pub enum FailureKind {
    StackFailed,
    DeleteFailed,
    RollbackFailed,
    LocalPolicy,
    StackVanished,
    ForeignOperation,
    AccessDenied,
    InvalidTemplate,
    Deadline,
    RepositoryMissing,
    PolicyTooLong,
    PolicyConflict,
    ObjectMissing,
    ObjectTooLarge,
    Other,
}

/// The commands that lead out of a failure, by what failed and how.
#[must_use]
pub fn ways_out(target: &Target, intent: Intent, kind: FailureKind, resources: &[Resource]) -> Vec<String> {
    let noun = target.kind();
    let name = target.name();
    let (what, flag) = match target {
        Target::Component(_) => ("template", "--template FILE"),
        Target::Environment(_) | Target::Instance(..) | Target::Pipeline(_) => ("spec", "--spec SPEC"),
    };
    let update = format!("with another {what}: hadron {noun} update {name} {flag}");
    let again = format!("hadron {noun} update {name} --redeploy");
    let delete = format!("hadron {noun} delete {name}");
    let remove = match target {
        // A service has at least one instance, so the last one cannot be removed alone.
        Target::Instance(service, _) => {
            format!("or remove it: {delete} (its service's last instance: hadron service delete {service})")
        }
        Target::Component(_) => {
            format!(
                "or remove it: {delete} (one that is attached first: hadron {noun} update {name} --detach)"
            )
        }
        Target::Environment(_) | Target::Pipeline(_) => format!("or remove it: {delete}"),
    };
    match (intent, kind) {
        (Intent::Destroy, FailureKind::DeleteFailed) => {
            let stuck: Vec<&str> = resources
                .iter()
                .filter(|resource| resource.status == "DELETE_FAILED")
                .map(|resource| resource.logical_id.as_str())
                .collect();
            let mut ways = vec![format!("remove what holds the resource, then: {delete}")];
            if !stuck.is_empty() {
                ways.push(format!("leave it behind: {delete} --retain {}", stuck.join(" --retain ")));
            }
            ways
        }
        (Intent::Destroy, _) => vec![format!("try again: {delete}")],
        (Intent::Apply, FailureKind::LocalPolicy) => vec![
            "change the template, or ask the owner of the environment account to allow it in the agent's configuration"
                .to_owned(),
            format!("then: {again}"),
        ],
        (Intent::Apply, FailureKind::AccessDenied) => vec![
            "in the environment account: `hadron-agent role` prints what the agent and its provisioning role need".to_owned(),
            format!("then: {again}"),
        ],
        (Intent::Apply, FailureKind::RollbackFailed) => vec![
            "in the CloudFormation console of the account: continue the update rollback, skipping the resource that failed"
                .to_owned(),
            format!("then: {again}"),
            remove,
        ],
        (Intent::Apply, FailureKind::StackVanished) => {
            vec![format!("the stack was deleted outside Hadron; remove what is left of it here: {delete}")]
        }
        (Intent::Apply, FailureKind::ForeignOperation) => {
            vec![format!("wait until the other operation on the stack has ended, then: {again}")]
        }
        (Intent::Apply, _) => {
            vec![update, format!("the same again: {again}"), remove]
        }
    }
}

/// An outcome that names the stack of something else is the agent's fault and no outcome.
pub(super) fn only_its_own(row: &DeploymentRow, outcome: Outcome) -> Outcome {
    let foreign = |stack: &StackArn| {
        stack.account() != row.account || *stack.region() != row.region || stack.name() != row.stack_name
    };
    match outcome {
        Outcome::Applied { stack, .. } if foreign(&stack) => Outcome::Failed {
            kind: FailureKind::Other,
            message: format!(
                "the agent's report makes no sense: {stack} is not the stack of this deployment"
            ),
            stack: None,
            stack_status: None,
            resources: Vec::new(),
        },
        Outcome::Failed {
            kind,
            message,
            stack,
            stack_status,
            resources,
        } => Outcome::Failed {
            kind,
            message,
            stack: stack.filter(|stack| !foreign(stack)),
            stack_status,
            resources,
        },
        outcome => outcome,
    }
}
