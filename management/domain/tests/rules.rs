//! Single rules that were once broken, or nearly so: each test names the story.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{account, at, id, instance, repository, signed};
use hadron_domain::connection::{Approval, Connection, ConnectionEffect, ConnectionInput, Roles};
use hadron_domain::deployment::{
    Authorised, Deployment, DeploymentEffect, DeploymentInput, DeploymentRefusal, Done, Ending, Intent, Phase,
};
use hadron_domain::grant::{LaneEffect, LaneInput, PolicyLane};
use hadron_domain::job::{Job, JobEffect, JobInput, JobRefusal, JobState, MAX_LOSSES};
use hadron_domain::service::{Doing, Order, Part, Parts, Stage, Status, plan};
use hadron_domain::step::Machine;
use hadron_domain::target::Target;
use hadron_domain::template::{CompatibleTemplate, VersionFault, Versions, Wanted};
use hadron_proto::vocab::TemplateVersion;

fn leased(fence: u64) -> Job {
    let take = JobInput::Take {
        holder: id(2),
        fence,
        now: at(0),
        ttl: Duration::from_secs(30),
    };
    Job::new(id(1), at(0)).step(take).unwrap().next
}

/// A hand-over whose answer was lost is said again, and was refused as "stale fence 5: the latest is 5".
#[test]
fn a_repeated_handover_changes_nothing() {
    let back = leased(5)
        .step(JobInput::Handover { fence: 5, now: at(1) })
        .unwrap()
        .next;
    let again = back.step(JobInput::Handover { fence: 5, now: at(2) }).unwrap();
    assert_eq!((again.next, again.effects), (back, vec![]));
}

/// The fence is the latest, but nobody holds the job: the refusal must not speak of a stale fence.
#[test]
fn a_lapsed_lease_is_not_called_a_stale_fence() {
    let back = leased(5).step(JobInput::Expire { now: at(30) }).unwrap().next;
    let renew = JobInput::Renew {
        fence: 5,
        holder: id(2),
        now: at(31),
        ttl: Duration::from_secs(30),
    };
    for input in [
        renew,
        JobInput::Check { fence: 5 },
        JobInput::Started { fence: 5 },
    ] {
        let refusal = back.step(input).unwrap_err();
        assert!(!matches!(refusal, JobRefusal::Stale { .. }), "{refusal}");
    }
}

/// An agent that takes and hands over for ever kept the job, and the deployment, in progress for ever.
#[test]
fn a_job_is_not_handed_over_for_ever() {
    let mut job = Job::new(id(1), at(0));
    for fence in 1..=10_000 {
        // It is let rest, the longer the more often it came back; an agent comes for it when it may.
        let JobState::Ready { not_before: now } = job.state else {
            panic!("{job:?}")
        };
        let take = JobInput::Take {
            holder: id(2),
            fence,
            now,
            ttl: Duration::from_secs(30),
        };
        job = job.step(take).unwrap().next;
        let step = job.step(JobInput::Handover { fence, now }).unwrap();
        if step.effects.contains(&JobEffect::GiveUp) {
            assert!(step.next.is_over());
            return;
        }
        job = step.next;
    }
    panic!("10,000 attempts and still not given up");
}

/// The deployment has failed by then: to answer "recorded" would be a lie that ends the agent's search for the truth.
#[test]
fn a_report_after_giving_up_is_not_answered_as_recorded() {
    let mut job = Job::new(id(1), at(0));
    for fence in 1..=u64::from(MAX_LOSSES) {
        let now = at(fence * 100);
        job = job
            .step(JobInput::Take {
                holder: id(2),
                fence,
                now,
                ttl: Duration::from_secs(30),
            })
            .unwrap()
            .next;
        job = job
            .step(JobInput::Expire {
                now: at(fence * 100 + 30),
            })
            .unwrap()
            .next;
    }
    assert!(job.is_over());
    job.step(JobInput::Report {
        fence: u64::from(MAX_LOSSES),
        now: at(9_999),
    })
    .unwrap_err();
}

fn deletion() -> Deployment {
    let begun = Deployment::begin(id(1), Intent::Destroy, id(2), BTreeSet::new()).next;
    begun.step(DeploymentInput::Taken { job: id(2) }).unwrap().next
}

/// Leave to delete, then leave to execute: the second hid the first, and a cancellation said CANCELLED at once.
#[test]
fn a_condemned_stack_stays_condemned_whatever_the_agent_asks_next() {
    let ask = |act| DeploymentInput::Authorise { job: id(2), act };
    let mut deployment = deletion()
        .step(ask(Authorised::Delete("stack".to_owned())))
        .unwrap()
        .next;
    if let Ok(step) = deployment.step(ask(Authorised::Execute("change set".to_owned()))) {
        deployment = step.next;
    }
    deployment
        .step(DeploymentInput::Cancel {
            by: signed(1),
            revoke: id(3),
        })
        .unwrap_err();
}

/// CANCELLED at once is right only because a deletion never executes a change set.
#[test]
fn a_deletion_may_not_execute_a_change_set() {
    let act = Authorised::Execute("change set".to_owned());
    deletion()
        .step(DeploymentInput::Authorise { job: id(2), act })
        .unwrap_err();
}

/// The answer to the first request was lost.
#[test]
fn leave_that_was_given_is_given_again_without_effects() {
    let input = DeploymentInput::Authorise {
        job: id(2),
        act: Authorised::Delete("stack".to_owned()),
    };
    let first = deletion().step(input.clone()).unwrap();
    assert_eq!(first.effects, [DeploymentEffect::Condemn("stack".to_owned())]);
    let second = first.next.step(input).unwrap();
    assert_eq!((second.next, second.effects), (first.next, vec![]));
}

/// A deadline or a lost connection fails a deployment whose job still stands in the queue; it must not stay there.
#[test]
fn a_failed_deployment_leaves_no_job_behind() {
    let failed = DeploymentInput::Failed {
        job: id(2),
        why: "deadline".to_owned(),
        at: at(5),
    };
    let effects = deletion().step(failed).unwrap().effects;
    let expected = [
        DeploymentEffect::VoidJob(id(2)),
        DeploymentEffect::Ended(Ending::Failed("deadline".to_owned())),
    ];
    assert_eq!(effects, expected);
}

/// R13: from every phase some input that the hub can give by itself leads to the end.
#[test]
fn every_phase_has_a_way_out() {
    let waiting = Phase::Waiting {
        grants: BTreeSet::from([repository("web")]),
    };
    let running = |taken, authorised| Phase::Running {
        job: id(2),
        taken,
        authorised,
    };
    let phases = [
        waiting,
        running(false, None),
        running(true, None),
        running(true, Some(Authorised::Execute("change set".to_owned()))),
        running(true, Some(Authorised::Delete("stack".to_owned()))),
        Phase::Cancelling {
            job: id(2),
            asked: signed(1),
        },
    ];
    for phase in phases {
        for intent in [Intent::Apply, Intent::Destroy] {
            let deployment = Deployment {
                id: id(1),
                intent,
                phase: phase.clone(),
            };
            let why = || "deadline".to_owned();
            let inputs = [
                DeploymentInput::GrantBlocked {
                    why: why(),
                    at: at(5),
                },
                DeploymentInput::Failed {
                    job: id(2),
                    why: why(),
                    at: at(5),
                },
            ];
            let ends = inputs.into_iter().filter(|input| {
                deployment
                    .step(input.clone())
                    .is_ok_and(|step| !step.next.is_active())
            });
            assert_eq!(ends.count(), 1, "{deployment:?}");
        }
    }
}

fn wanting(lane: &PolicyLane, readers: &[u64], job: u64) -> (PolicyLane, Vec<LaneEffect>) {
    let readers = readers.iter().map(|number| account(*number)).collect();
    let step = lane
        .step(LaneInput::Want {
            readers,
            job: id(job),
        })
        .unwrap();
    (step.next, step.effects)
}

fn ended(lane: &PolicyLane, job: u64, good: bool, missing: bool) -> (PolicyLane, Vec<LaneEffect>) {
    let then = id(job + 1_000);
    let job = id(job);
    let input = if good {
        LaneInput::Applied { job, then }
    } else {
        LaneInput::Failed {
            job,
            why: "lost".to_owned(),
            missing,
            then,
        }
    };
    let step = lane.step(input).unwrap();
    (step.next, step.effects)
}

fn applied(readers: &[u64]) -> PolicyLane {
    let (lane, _) = wanting(&PolicyLane::new(repository("web")), readers, 1);
    ended(&lane, 1, true, false).0
}

/// The write may have gone through before the job failed: the lane called itself settled, and account 3 kept its pull.
#[test]
fn wanting_back_what_was_applied_writes_after_a_failure() {
    let (lane, _) = wanting(&applied(&[2]), &[2, 3], 2);
    let (lane, _) = ended(&lane, 2, false, false);
    let (_, effects) = wanting(&lane, &[2], 3);
    assert_eq!(effects, [LaneEffect::Write(id(3), BTreeSet::from([account(2)]))]);
}

/// The same with the wish changed while the write was under way.
#[test]
fn a_failed_write_is_followed_by_what_is_wanted_even_if_it_was_applied_before() {
    let (lane, _) = wanting(&applied(&[2]), &[2, 3], 2);
    let (lane, _) = wanting(&lane, &[2], 3);
    let (_, effects) = ended(&lane, 2, false, false);
    assert!(
        effects.contains(&LaneEffect::Write(id(1_002), BTreeSet::from([account(2)]))),
        "{effects:?}"
    );
}

/// A deployment would start, and its tasks would find the grant gone.
#[test]
fn nobody_is_known_to_pull_while_or_after_a_narrower_policy_is_written() {
    let (lane, _) = wanting(&applied(&[2, 3]), &[2], 2);
    let (lane, _) = wanting(&lane, &[2, 3], 3);
    assert!(lane.can_pull(account(2)));
    assert!(!lane.can_pull(account(3)), "the write under way takes it");
    let (lane, _) = ended(&lane, 2, false, false);
    assert!(!lane.can_pull(account(3)), "the failed write may have taken it");
    let (lane, _) = ended(&lane, 1_002, false, false);
    assert!(
        !lane.can_pull(account(3)),
        "and a second failure gives no certainty"
    );
}

/// The pipeline made the repository while a write was failing because it was missing: the wake-up was lost.
#[test]
fn again_while_writing_is_not_forgotten() {
    let (lane, _) = wanting(&PolicyLane::new(repository("web")), &[2], 1);
    let lane = lane.step(LaneInput::Again { job: id(2) }).unwrap().next;
    let (lane, effects) = ended(&lane, 1, false, true);
    assert!(
        effects.contains(&LaneEffect::Write(id(1_001), BTreeSet::from([account(2)]))),
        "{effects:?}"
    );
    let (_, effects) = ended(&lane, 1_001, false, true);
    assert_eq!(effects, [LaneEffect::TellWaiting], "once, not for ever");
}

fn parts(list: &[(&str, Part)], pipeline: Option<Part>) -> Parts {
    let instances: BTreeMap<_, _> = list.iter().map(|(name, part)| (instance(name), *part)).collect();
    Parts { instances, pipeline }
}

fn updating(adding: &[&str], removing: &[&str], stage: Stage) -> Doing {
    let set = |names: &[&str]| names.iter().map(|name| instance(name)).collect();
    Doing::Updating {
        adding: set(adding),
        removing: set(removing),
        stage,
    }
}

/// Everything that is left is good, so the planner said ACTIVE the next time it was asked, and nobody saw the failure.
#[test]
fn the_status_of_an_undone_update_stays() {
    let after = parts(&[("a", Part::Good)], Some(Part::Good));
    let answer = plan(&Doing::Nothing, Status::UpdateFailedCleanupComplete, &after);
    assert_eq!(answer.status, Status::UpdateFailedCleanupComplete);
}

/// The hub died after the first of two orders; the first part then failed to go, and the second was never tried.
#[test]
fn undoing_tries_every_added_instance() {
    let half = parts(&[("m", Part::DeleteFailed), ("n", Part::Good)], None);
    let answer = plan(
        &updating(&["m", "n"], &[], Stage::Undoing),
        Status::UpdateFailedCleanupInProgress,
        &half,
    );
    assert_eq!(answer.orders, [Order::Destroy(instance("n"))]);
    assert_eq!(answer.doing, updating(&["m", "n"], &[], Stage::Undoing));
}

/// Its row is new or still says GONE: it was taken for done, and the service became ACTIVE without it.
#[test]
fn adding_an_instance_that_was_gone_deploys_it() {
    for list in [&[("n", Part::Gone)][..], &[]] {
        let answer = plan(
            &updating(&["n"], &[], Stage::Adding),
            Status::UpdateInProgress,
            &parts(list, None),
        );
        assert_eq!(answer.orders, [Order::Apply(instance("n"))], "{list:?}");
    }
}

/// The order was carried out, the answer not yet stored: a second deployment of the pipeline was ordered.
#[test]
fn a_pipeline_that_is_busy_is_not_ordered_again() {
    let facts = parts(&[("a", Part::Good)], Some(Part::Busy));
    let answer = plan(
        &updating(&[], &[], Stage::Removing),
        Status::UpdateInProgress,
        &facts,
    );
    assert_eq!(
        (answer.orders, answer.doing),
        (vec![], updating(&[], &[], Stage::Pipeline))
    );
}

/// `u32::from_str` takes a sign; two spellings of one thing are one too many.
#[test]
fn a_major_version_is_digits() {
    "env:+1".parse::<CompatibleTemplate>().unwrap_err();
    "env:0".parse::<CompatibleTemplate>().unwrap_err();
    assert_eq!(
        "env:12".parse::<CompatibleTemplate>().unwrap().to_string(),
        "env:12"
    );
}

/// Both are `a_b-c_d` when put together; the digest must be of what they are, not of how they look.
#[test]
fn changed_stack_names_tell_service_and_instance_apart() {
    let prefix = hadron_proto::vocab::StackPrefix::proton();
    let name = |service: &str, name: &str| {
        Target::Instance(service.parse().unwrap(), name.parse().unwrap()).stack_name(&prefix, "x")
    };
    assert_ne!(name("a_b-c", "d"), name("a_b", "c-d"));
}

/// The outcome is what counts, even when the cancellation was asked for first.
#[test]
fn a_cancelled_deployment_that_was_applied_has_succeeded() {
    let deployment = Deployment::begin(id(1), Intent::Apply, id(2), BTreeSet::new()).next;
    let deployment = deployment
        .step(DeploymentInput::Taken { job: id(2) })
        .unwrap()
        .next;
    let deployment = deployment
        .step(DeploymentInput::Cancel {
            by: signed(1),
            revoke: id(3),
        })
        .unwrap()
        .next;
    let applied = |job| DeploymentInput::Done {
        job,
        what: Done::Applied,
        at: at(5),
    };
    deployment.step(applied(id(2))).unwrap_err();
    let end = deployment.step(applied(id(3))).unwrap().next;
    assert_eq!(end.word(), "SUCCEEDED");
}

/// What nobody provisions here has its deployments all the same; no agent ever works for them.
#[test]
fn a_declared_deployment_has_ended_when_it_begins_and_nothing_moves_it() {
    for (intent, word) in [(Intent::Apply, "SUCCEEDED"), (Intent::Destroy, "DELETE_COMPLETE")] {
        let begun = Deployment::declared(id(1), intent, at(3));
        assert_eq!(begun.effects, [DeploymentEffect::Ended(Ending::Succeeded)]);
        let deployment = begun.next;
        assert_eq!((deployment.word(), deployment.is_active()), (word, false));
        for input in [
            DeploymentInput::Ready { job: id(2) },
            DeploymentInput::Taken { job: id(2) },
            DeploymentInput::Cancel {
                by: signed(4),
                revoke: id(2),
            },
            DeploymentInput::Done {
                job: id(2),
                what: Done::Applied,
                at: at(4),
            },
            DeploymentInput::Failed {
                job: id(2),
                why: "no".to_owned(),
                at: at(4),
            },
        ] {
            assert_eq!(deployment.step(input).unwrap_err(), DeploymentRefusal::Ended);
        }
    }
}

/// Two numbers that may be missing, as requests give them.
#[test]
fn a_wanted_version_is_read_from_its_halves() {
    let exactly = TemplateVersion { major: 1, minor: 2 };
    assert_eq!(Wanted::of(Some(1), Some(2)), Some(Wanted::Exactly(exactly)));
    assert_eq!(Wanted::of(Some(1), None), Some(Wanted::Major(1)));
    assert_eq!(Wanted::of(None, Some(2)), Some(Wanted::Minor(2)));
    assert_eq!(Wanted::of(None, None), None);
    let mut versions = Versions::default();
    versions.take_number(None).unwrap();
    assert_eq!(versions.resolve(Wanted::Minor(0)), Err(VersionFault::NoMajor(0)));
}

/// Other roles are a change like a decision is; agents that were told of the old ones are not heard any more.
#[test]
fn changed_roles_leave_the_status_and_say_when() {
    let connection = Connection {
        id: id(1),
        environment: "prd".parse().unwrap(),
        account: "333333333333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        roles: Roles {
            provisioning: None,
            component: None,
            codebuild: None,
            agent_role_name: "hadron-agent".to_owned(),
        },
        requested: signed(1),
        roles_changed: None,
        approval: Approval::Pending,
        epoch: 1,
    };
    assert_eq!(connection.modified_at(), at(1));
    let connected = connection.step(ConnectionInput::Accept(signed(2))).unwrap().next;
    assert_eq!(connected.modified_at(), at(2));
    let roles = Roles {
        component: Some("arn:aws:iam::333333333333:role/c".parse().unwrap()),
        ..connected.roles.clone()
    };
    let changed = connected
        .step(ConnectionInput::ChangeRoles(signed(3), roles.clone()))
        .unwrap();
    assert_eq!(
        (changed.next.approval.word(), changed.next.epoch),
        ("CONNECTED", 2)
    );
    assert_eq!(changed.next.modified_at(), at(3));
    assert_eq!(
        changed.effects,
        [ConnectionEffect::CloseSessions, ConnectionEffect::HoldJobs]
    );
    let again = changed
        .next
        .step(ConnectionInput::ChangeRoles(signed(4), roles))
        .unwrap();
    assert_eq!((again.next.modified_at(), again.effects.len()), (at(3), 0));
}

/// A lease that ran out while the agent finished its work.
#[test]
fn a_late_report_under_the_latest_fence_counts() {
    let back = leased(5).step(JobInput::Expire { now: at(30) }).unwrap().next;
    let step = back
        .step(JobInput::Report {
            fence: 5,
            now: at(90),
        })
        .unwrap();
    assert_eq!(step.effects, [JobEffect::Accept]);
    assert_eq!(step.next.state, JobState::Finished { at: at(90) });
}

/// The order to remove the failed instance was carried out, the answer not yet stored; the removal failed, and ADDING took
/// that for nothing.
#[test]
fn adding_does_not_overlook_an_instance_that_could_not_be_removed() {
    let facts = parts(&[("n", Part::DeleteFailed)], None);
    let answer = plan(
        &updating(&["n"], &[], Stage::Adding),
        Status::UpdateInProgress,
        &facts,
    );
    assert_eq!(
        (answer.doing, answer.status),
        (Doing::Nothing, Status::UpdateFailedCleanupFailed)
    );
    assert_eq!(answer.orders, [Order::RevertSpec]);
}
