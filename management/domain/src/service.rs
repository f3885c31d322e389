//! Services: in which order instances and the pipeline are deployed, and what the service's status says meanwhile.
//!
//! Not a machine with known steps but a pure planner: it looks at what the service is doing and at what its parts are, and
//! says what to start next and what the status is. Asked twice with the same facts it gives the same answer, so it may be
//! asked after every change and after every crash. Orders are carried out in the transaction that stores the answer; where
//! that cannot be, before it is stored: what an answer that rests (`Doing::Nothing`) orders is not ordered again.
//!
//! The orders are Proton's (user guide, "Services"). Create: all instances, then the pipeline, rendered with their outputs.
//! Update: add the new, delete the old, then the pipeline; when an added one fails the added are removed again and the
//! spec goes back. Delete: instances, then the pipeline.

use std::collections::{BTreeMap, BTreeSet};

use hadron_proto::vocab::InstanceName;
use serde::{Deserialize, Serialize};

/// What a service is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doing {
    /// Nothing; `Status` says how the last thing ended.
    Nothing,
    /// Being created.
    Creating,
    /// Getting and losing instances.
    Updating {
        /// Instances that the new spec adds.
        adding: BTreeSet<InstanceName>,
        /// Instances that the new spec no longer names.
        removing: BTreeSet<InstanceName>,
        /// How far it is.
        stage: Stage,
    },
    /// Being deleted.
    Deleting,
}

/// How far an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// New instances are being deployed.
    Adding,
    /// An added instance failed: the added ones are being removed.
    Undoing,
    /// Old instances are being deleted.
    Removing,
    /// The pipeline is being deployed with the new set of instances.
    Pipeline,
}

/// Proton's service status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Being created.
    CreateInProgress,
    /// A part could not be created; what was created stays and can be updated or deleted.
    CreateFailed,
    /// In order.
    Active,
    /// Being deleted.
    DeleteInProgress,
    /// A part could not be deleted.
    DeleteFailed,
    /// Instances are being added or removed.
    UpdateInProgress,
    /// The update failed; the pipeline could not be deployed.
    UpdateFailed,
    /// An added instance failed; the added ones are being removed.
    UpdateFailedCleanupInProgress,
    /// An added instance failed; the added ones are gone.
    UpdateFailedCleanupComplete,
    /// An added instance failed, and an added one could not be removed.
    UpdateFailedCleanupFailed,
    /// The update is done, but an old instance could not be deleted.
    UpdateCompleteCleanupFailed,
}

impl Status {
    /// Proton's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CreateInProgress => "CREATE_IN_PROGRESS",
            Self::CreateFailed => "CREATE_FAILED",
            Self::Active => "ACTIVE",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Self::UpdateFailed => "UPDATE_FAILED",
            Self::UpdateFailedCleanupInProgress => "UPDATE_FAILED_CLEANUP_IN_PROGRESS",
            Self::UpdateFailedCleanupComplete => "UPDATE_FAILED_CLEANUP_COMPLETE",
            Self::UpdateFailedCleanupFailed => "UPDATE_FAILED_CLEANUP_FAILED",
            Self::UpdateCompleteCleanupFailed => "UPDATE_COMPLETE_CLEANUP_FAILED",
        }
    }
}

/// What became of an instance or a pipeline.
///
/// While the service is doing something, only what came about in that counts: an outcome from before says nothing about
/// what is to be tried now. The facts are [`Part::from_before`] then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Part {
    /// Nothing was started for it: never, or not since the service began what it is doing.
    Untouched,
    /// A deployment of it is under way (apply or destroy).
    Busy,
    /// Its last deployment succeeded.
    Good,
    /// Its last apply failed or was cancelled.
    Bad,
    /// Its deletion failed or was cancelled.
    DeleteFailed,
    /// It is gone.
    Gone,
}

impl Part {
    /// What counts of a part whose last deployment was begun before the service began what it is doing. Without this, the
    /// pipeline's success of last week ends an update, and a deletion that failed once is never tried again.
    #[must_use]
    pub const fn from_before(self) -> Self {
        match self {
            Self::Untouched | Self::Good | Self::Bad | Self::DeleteFailed => Self::Untouched,
            Self::Busy => Self::Busy,
            Self::Gone => Self::Gone,
        }
    }
}

/// What the parts of a service are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// By name; those in the spec and those not yet deleted.
    pub instances: BTreeMap<InstanceName, Part>,
    /// `None` when the template has no pipeline.
    pub pipeline: Option<Part>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Deploy this instance.
    Apply(InstanceName),
    /// Delete this instance.
    Destroy(InstanceName),
    /// Deploy the pipeline.
    ApplyPipeline,
    /// Delete the pipeline.
    DestroyPipeline,
    /// Mark the pipeline failed without trying: an instance failed.
    FailPipeline,
    /// Put the spec of before the update back.
    RevertSpec,
    /// The service is gone: remove it.
    Remove,
}

/// The planner's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the service is doing from now on.
    pub doing: Doing,
    /// Its status from now on.
    pub status: Status,
    /// What to start.
    pub orders: Vec<Order>,
}

/// Looks at a service and says what comes next.
///
/// `status` is the present one; it stays when the service is doing nothing and nothing has mended itself.
#[must_use]
pub fn plan(doing: &Doing, status: Status, parts: &Parts) -> Plan {
    match doing {
        Doing::Nothing => at_rest(status, parts),
        Doing::Creating => creating(parts),
        Doing::Updating {
            adding,
            removing,
            stage,
        } => updating(adding, removing, *stage, parts),
        Doing::Deleting => deleting(parts),
    }
}

fn all_good(parts: &Parts) -> bool {
    parts.instances.values().all(|part| *part == Part::Good)
        && matches!(parts.pipeline, None | Some(Part::Good))
}

/// A failed service whose parts were mended one by one is in order again. An update that was undone left nothing to mend:
/// its status stays until the next update.
fn at_rest(status: Status, parts: &Parts) -> Plan {
    let broken = match status {
        Status::CreateFailed
        | Status::DeleteFailed
        | Status::UpdateFailed
        | Status::UpdateFailedCleanupFailed
        | Status::UpdateCompleteCleanupFailed => true,
        Status::Active
        | Status::CreateInProgress
        | Status::DeleteInProgress
        | Status::UpdateInProgress
        | Status::UpdateFailedCleanupInProgress
        | Status::UpdateFailedCleanupComplete => false,
    };
    let mended = broken && !parts.instances.is_empty() && all_good(parts);
    Plan {
        doing: Doing::Nothing,
        status: if mended { Status::Active } else { status },
        orders: Vec::new(),
    }
}

fn creating(parts: &Parts) -> Plan {
    let has = |wanted: Part| parts.instances.values().any(|part| *part == wanted);
    let fresh: Vec<Order> = parts
        .instances
        .iter()
        .filter(|(_, part)| **part == Part::Untouched)
        .map(|(name, _)| Order::Apply(name.clone()))
        .collect();
    let go_on = |orders| Plan {
        doing: Doing::Creating,
        status: Status::CreateInProgress,
        orders,
    };
    let end = |status, orders| Plan {
        doing: Doing::Nothing,
        status,
        orders,
    };
    if !fresh.is_empty() || has(Part::Busy) {
        return go_on(fresh);
    }
    if has(Part::Bad) || has(Part::DeleteFailed) {
        let orders = if parts.pipeline == Some(Part::Untouched) {
            vec![Order::FailPipeline]
        } else {
            Vec::new()
        };
        return end(Status::CreateFailed, orders);
    }
    match parts.pipeline {
        None | Some(Part::Good) => end(Status::Active, Vec::new()),
        Some(Part::Untouched | Part::Gone) => go_on(vec![Order::ApplyPipeline]),
        Some(Part::Busy) => go_on(Vec::new()),
        Some(Part::Bad | Part::DeleteFailed) => end(Status::CreateFailed, Vec::new()),
    }
}

fn updating(
    adding: &BTreeSet<InstanceName>,
    removing: &BTreeSet<InstanceName>,
    stage: Stage,
    parts: &Parts,
) -> Plan {
    let part = |name: &InstanceName| parts.instances.get(name).copied().unwrap_or(Part::Gone);
    let doing = |stage| Doing::Updating {
        adding: adding.clone(),
        removing: removing.clone(),
        stage,
    };
    let any = |names: &BTreeSet<InstanceName>, wanted: Part| names.iter().any(|name| part(name) == wanted);
    let end = |status, orders| Plan {
        doing: Doing::Nothing,
        status,
        orders,
    };

    match stage {
        Stage::Adding => {
            // One that is gone was deleted in an earlier life, or has no row yet.
            let fresh: Vec<Order> = adding
                .iter()
                .filter(|name| matches!(part(name), Part::Untouched | Part::Gone))
                .cloned()
                .map(Order::Apply)
                .collect();
            if !fresh.is_empty() || any(adding, Part::Busy) {
                return Plan {
                    doing: doing(Stage::Adding),
                    status: Status::UpdateInProgress,
                    orders: fresh,
                };
            }
            // One that could not be deleted is being undone already, and the hub died before it stored that.
            if any(adding, Part::Bad) || any(adding, Part::DeleteFailed) {
                return updating(adding, removing, Stage::Undoing, parts);
            }
            let orders = removing
                .iter()
                .filter(|name| !matches!(part(name), Part::Gone | Part::Busy))
                .cloned()
                .map(Order::Destroy)
                .collect();
            let next = Plan {
                doing: doing(Stage::Removing),
                status: Status::UpdateInProgress,
                orders,
            };
            if next.orders.is_empty() {
                updating(adding, removing, Stage::Removing, parts)
            } else {
                next
            }
        }
        Stage::Undoing => {
            if any(adding, Part::Busy) {
                return Plan {
                    doing: doing(Stage::Undoing),
                    status: Status::UpdateFailedCleanupInProgress,
                    orders: Vec::new(),
                };
            }
            let left = any(adding, Part::DeleteFailed);
            let again = undo(adding, &part);
            if !again.is_empty() {
                return Plan {
                    doing: doing(Stage::Undoing),
                    status: Status::UpdateFailedCleanupInProgress,
                    orders: again,
                };
            }
            let status = if left {
                Status::UpdateFailedCleanupFailed
            } else {
                Status::UpdateFailedCleanupComplete
            };
            end(status, vec![Order::RevertSpec])
        }
        Stage::Removing => {
            if any(removing, Part::Busy) {
                return Plan {
                    doing: doing(Stage::Removing),
                    status: Status::UpdateInProgress,
                    orders: Vec::new(),
                };
            }
            // Not yet begun (the hub died in between): begin.
            let again: Vec<Order> = removing
                .iter()
                .filter(|name| matches!(part(name), Part::Good | Part::Bad | Part::Untouched))
                .cloned()
                .map(Order::Destroy)
                .collect();
            if !again.is_empty() {
                return Plan {
                    doing: doing(Stage::Removing),
                    status: Status::UpdateInProgress,
                    orders: again,
                };
            }
            match parts.pipeline {
                None => end(finished(removing, &part), Vec::new()),
                Some(pipeline) => Plan {
                    doing: doing(Stage::Pipeline),
                    status: Status::UpdateInProgress,
                    // Begun already, and the hub died before it stored that.
                    orders: if pipeline == Part::Busy {
                        Vec::new()
                    } else {
                        vec![Order::ApplyPipeline]
                    },
                },
            }
        }
        Stage::Pipeline => match parts.pipeline {
            None | Some(Part::Good) => end(finished(removing, &part), Vec::new()),
            Some(Part::Busy) => Plan {
                doing: doing(Stage::Pipeline),
                status: Status::UpdateInProgress,
                orders: Vec::new(),
            },
            Some(Part::Untouched | Part::Gone) => Plan {
                doing: doing(Stage::Pipeline),
                status: Status::UpdateInProgress,
                orders: vec![Order::ApplyPipeline],
            },
            Some(Part::Bad | Part::DeleteFailed) => end(Status::UpdateFailed, Vec::new()),
        },
    }
}

fn undo(adding: &BTreeSet<InstanceName>, part: &impl Fn(&InstanceName) -> Part) -> Vec<Order> {
    adding
        .iter()
        .filter(|name| matches!(part(name), Part::Good | Part::Bad))
        .cloned()
        .map(Order::Destroy)
        .collect()
}

fn finished(removing: &BTreeSet<InstanceName>, part: &impl Fn(&InstanceName) -> Part) -> Status {
    if removing.iter().any(|name| part(name) == Part::DeleteFailed) {
        Status::UpdateCompleteCleanupFailed
    } else {
        Status::Active
    }
}

fn deleting(parts: &Parts) -> Plan {
    let busy = Plan {
        doing: Doing::Deleting,
        status: Status::DeleteInProgress,
        orders: Vec::new(),
    };
    let orders: Vec<Order> = parts
        .instances
        .iter()
        .filter(|(_, part)| matches!(part, Part::Good | Part::Bad | Part::Untouched))
        .map(|(name, _)| Order::Destroy(name.clone()))
        .collect();
    if !orders.is_empty() {
        return Plan { orders, ..busy };
    }
    let has = |wanted: Part| parts.instances.values().any(|part| *part == wanted);
    if has(Part::Busy) {
        return busy;
    }
    if has(Part::DeleteFailed) {
        return Plan {
            doing: Doing::Nothing,
            status: Status::DeleteFailed,
            orders,
        };
    }
    match parts.pipeline {
        None | Some(Part::Gone) => Plan {
            orders: vec![Order::Remove],
            ..busy
        },
        Some(Part::Busy) => busy,
        Some(Part::Good | Part::Bad | Part::Untouched) => Plan {
            orders: vec![Order::DestroyPipeline],
            ..busy
        },
        Some(Part::DeleteFailed) => Plan {
            doing: Doing::Nothing,
            status: Status::DeleteFailed,
            orders,
        },
    }
}
