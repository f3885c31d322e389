//! Random walks: inputs that nobody thought of, in an order that nobody planned, against what must never happen.
//!
//! * [`job`]: one job, several sessions, leases that run out, reports that come late.
//! * [`world`]: deployments and jobs of one target, agents that crash and dawdle, and a CloudFormation in memory. The
//!   promises are those of the model-checked protocol; seeded faults show that the walk would notice a broken one.
//! * [`service`]: the planner among parts that succeed and fail, with crashes between its orders.
//!
//! The seeds are always the same. `HADRON_WALK_SEED=<number>` walks all of it again from another one.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[path = "../common/mod.rs"]
mod common;
mod job;
mod service;
mod world;

use std::cell::RefCell;

use common::{Rng, asked_seed};

/// Inputs per walk.
const LENGTH: usize = 40;

/// Walks until one goes wrong.
fn walks(first: u64, count: u64, walk: impl Fn(&mut Rng) -> Result<(), String>) -> Result<(), String> {
    (first..first + count)
        .try_for_each(|seed| walk(&mut Rng::new(seed)).map_err(|what| format!("seed {seed}: {what}")))
}

const WALKS: u64 = 20_000;

#[test]
fn job_keeps_its_promises() {
    walks(1, WALKS, |rng| job::walk(rng, job::Fault::None)).unwrap();
}

#[test]
fn a_job_that_takes_stale_reports_is_found_out() {
    walks(1, 200, |rng| job::walk(rng, job::Fault::StaleReports)).unwrap_err();
}

#[test]
fn a_job_that_announces_a_report_twice_is_found_out() {
    walks(1, 200, |rng| job::walk(rng, job::Fault::ReportTwice)).unwrap_err();
}

/// No fault of the job: it refuses what a store with a broken sequence offers.
#[test]
fn job_refuses_a_fence_that_was_given_before() {
    walks(1, 2_000, |rng| job::walk(rng, job::Fault::SameFence)).unwrap();
}

#[test]
fn world_keeps_its_promises() {
    let seen = RefCell::new(world::Seen::default());
    walks(1, WALKS, |rng| {
        world::walk_and_count(rng, world::Fault::None, &mut seen.borrow_mut())
    })
    .unwrap();
    let seen = seen.into_inner();
    let least = [
        seen.succeeded,
        seen.cancelled,
        seen.failed,
        seen.deleted,
        seen.incarnations,
        seen.revoked,
    ];
    assert!(
        least.iter().all(|count| *count > 1_000) && seen.applied_in_spite > 100,
        "{seen:?}"
    );
}

/// A seeded fault of the world, and the promise that has to be seen broken.
fn finds(fault: world::Fault, promise: &str) {
    let broken = |seed| world::walk(&mut Rng::new(seed), fault).is_err_and(|what| what.contains(promise));
    assert!((1..=WALKS).any(broken), "{fault:?} was not noticed");
}

#[test]
fn stale_reports_are_found_out() {
    finds(world::Fault::StaleReports, "a superseded fence counted");
}

#[test]
fn cancelling_without_revoking_is_found_out() {
    finds(world::Fault::CancelWithoutRevoke, "cancelled but applied");
}

#[test]
fn executing_without_leave_is_found_out() {
    finds(world::Fault::ExecuteWithoutLeave, "cancelled but applied");
}

#[test]
fn updating_without_change_sets_is_found_out() {
    finds(world::Fault::UpdateDirectly, "over a newer one");
}

#[test]
fn cancelling_after_leave_to_delete_is_found_out() {
    finds(world::Fault::CancelCondemned, "cancelled but deleted");
}

#[test]
fn deleting_by_name_is_found_out() {
    finds(world::Fault::DeleteByName, "has lost its stack");
}

#[test]
fn building_on_a_condemned_stack_is_found_out() {
    finds(world::Fault::ForgetCondemned, "condemned stack");
}

#[test]
fn service_comes_to_rest() {
    walks(1, WALKS, |rng| service::walk(rng, service::Fault::None)).unwrap();
}

#[test]
fn outcomes_from_before_are_found_out() {
    let found = walks(1, WALKS, |rng| service::walk(rng, service::Fault::OldFacts)).unwrap_err();
    assert!(found.contains("without trying"), "{found}");
}

#[test]
fn resting_before_the_orders_are_carried_out_is_found_out() {
    walks(1, WALKS, |rng| service::walk(rng, service::Fault::RestFirst)).unwrap_err();
}

/// `HADRON_WALK_SEED=<number> cargo test -p hadron-domain --test walks` tries walks that nobody has tried.
#[test]
fn asked_for() {
    if let Some(seed) = asked_seed() {
        let first = Rng::new(seed).next() >> 1;
        walks(first, WALKS, |rng| job::walk(rng, job::Fault::None)).unwrap();
        walks(first, WALKS, |rng| world::walk(rng, world::Fault::None)).unwrap();
        walks(first, WALKS, |rng| service::walk(rng, service::Fault::None)).unwrap();
    }
}
