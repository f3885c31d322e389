//! What a hub that has lost a stretch of time makes of what it finds.
//!
//! A database that was restored from a backup, or a standby that missed the last commits, knows nothing of what was done
//! since. CloudFormation does: each operation of Hadron carries its deployment's id. So the newest deployment that stands
//! on a stack is compared with those that the hub knows.

use hadron_proto::vocab::DeploymentId;

use crate::deployment::Intent;

/// How many bits of a fence count leases; those above count restores, so that no fence is ever given out twice.
pub const FENCE_BITS: u32 = 40;

/// A fence of this generation.
#[must_use]
pub const fn fence(generation: u64, number: u64) -> u64 {
    (generation << FENCE_BITS) | number
}

/// What the hub knows about a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Some deployment of it has succeeded, so there must be one.
    pub ever_succeeded: bool,
    /// Leave was given to delete it: that it is gone is no surprise.
    pub condemned: bool,
    /// The deployment that has not ended, and what it is to achieve.
    pub active: Option<(DeploymentId, Intent)>,
}

/// What an agent found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// CloudFormation's word for the stack; `None` when there never was one.
    pub status: Option<String>,
    /// Deployments whose operations stand on its events, newest first; those of others are left out.
    pub deployments: Vec<DeploymentId>,
}

impl Found {
    /// Whether there is a stack now.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.status
            .as_deref()
            .is_some_and(|status| status != "DELETE_COMPLETE")
    }

    /// Whether it is being deleted, or somebody tried to.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.status
            .as_deref()
            .is_some_and(|status| status.starts_with("DELETE_"))
    }

    /// Whether a deployment of it must have succeeded at some time.
    #[must_use]
    pub fn once_good(&self) -> bool {
        self.status.as_deref().is_some_and(|status| {
            status.starts_with("UPDATE_") || matches!(status, "CREATE_COMPLETE" | "IMPORT_COMPLETE")
        })
    }
}

/// What to make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing happened that the hub does not know of, or that its active deployment does not find out by itself.
    AsKnown,
    /// A deployment changed the stack that the hub does not know.
    Changed {
        /// Which.
        by: DeploymentId,
    },
    /// The stack is gone, and the hub does not know why.
    Gone {
        /// The deployment that deleted it, when it was one of Hadron's.
        by: Option<DeploymentId>,
    },
}

/// Compares. `knows` tells whether the hub has a deployment of this target with that id.
#[must_use]
pub fn judge(known: Known, found: &Found, knows: impl Fn(DeploymentId) -> bool) -> Verdict {
    let newest = found.deployments.first().copied();
    let unknown = newest.filter(|id| !knows(*id));
    if !found.is_there() {
        let expected = known.condemned || matches!(known.active, Some((_, Intent::Destroy)));
        return match unknown {
            // What the hub is about to delete is gone already: that is what it wants.
            _ if expected => Verdict::AsKnown,
            Some(by) => Verdict::Gone { by: Some(by) },
            None if known.ever_succeeded => Verdict::Gone { by: None },
            None => Verdict::AsKnown,
        };
    }
    unknown.map_or(Verdict::AsKnown, |by| Verdict::Changed { by })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> DeploymentId {
        DeploymentId::from_parts(n, [3; 10])
    }

    fn found(status: &str, deployments: &[u64]) -> Found {
        Found {
            status: Some(status.to_owned()).filter(|status| !status.is_empty()),
            deployments: deployments.iter().copied().map(id).collect(),
        }
    }

    const GOOD: Known = Known {
        ever_succeeded: true,
        condemned: false,
        active: None,
    };
    const NEW: Known = Known {
        ever_succeeded: false,
        ..GOOD
    };

    /// The hub knows deployments 1 to 5.
    fn verdict(known: Known, status: &str, deployments: &[u64]) -> Verdict {
        judge(known, &found(status, deployments), |asked| {
            (1..=5).any(|n| id(n) == asked)
        })
    }

    #[test]
    fn the_newest_deployment_decides() {
        use Verdict::{AsKnown, Changed, Gone};
        let destroying = Known {
            active: Some((id(5), Intent::Destroy)),
            ..GOOD
        };
        let condemned = Known {
            condemned: true,
            ..GOOD
        };
        for (known, status, deployments, wanted) in [
            (GOOD, "UPDATE_COMPLETE", &[2, 1][..], AsKnown),
            (GOOD, "UPDATE_COMPLETE", &[9, 2, 1], Changed { by: id(9) }),
            // What is unknown and older was there before the known one.
            (GOOD, "UPDATE_COMPLETE", &[2, 9], AsKnown),
            (GOOD, "UPDATE_IN_PROGRESS", &[9], Changed { by: id(9) }),
            (GOOD, "DELETE_FAILED", &[9], Changed { by: id(9) }),
            // Others' operations are not the hub's business here.
            (GOOD, "UPDATE_COMPLETE", &[], AsKnown),
            (GOOD, "DELETE_COMPLETE", &[9], Gone { by: Some(id(9)) }),
            (GOOD, "DELETE_COMPLETE", &[2], Gone { by: None }),
            (GOOD, "", &[], Gone { by: None }),
            (NEW, "", &[], AsKnown),
            (NEW, "DELETE_COMPLETE", &[1], AsKnown),
            (NEW, "CREATE_COMPLETE", &[1], AsKnown),
            (NEW, "CREATE_COMPLETE", &[9], Changed { by: id(9) }),
            (destroying, "", &[], AsKnown),
            (destroying, "DELETE_COMPLETE", &[9], AsKnown),
            (destroying, "UPDATE_COMPLETE", &[9], Changed { by: id(9) }),
            (condemned, "DELETE_COMPLETE", &[9], AsKnown),
        ] {
            assert_eq!(
                verdict(known, status, deployments),
                wanted,
                "{known:?} {status} {deployments:?}"
            );
        }
    }

    #[test]
    fn fences_grow_over_restores_and_fit_the_database() {
        assert_eq!(fence(0, 7), 7);
        assert!(fence(1, 1) > fence(0, (1 << FENCE_BITS) - 1));
        assert!(i64::try_from(fence((1 << 23) - 1, 1)).is_ok());
    }
}
