//! Every state with every input, as checked-in tables: a change of a rule is a change of a line that somebody reads.
//!
//! The tables stand in `tests/golden`; `HADRON_BLESS=1 cargo test -p hadron-domain --test golden` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::time::Duration;

use common::{Tidy, account, at, golden, id, instance, repository, signed};
use hadron_domain::authority::{Action, Demand, Reach, Role, demand, reach};
use hadron_domain::connection::{Approval, Connection, ConnectionInput, Roles};
use hadron_domain::deployment::{Authorised, Deployment, DeploymentInput, Done, Ending, Intent, Phase};
use hadron_domain::grant::{Blocked, LaneInput, PolicyLane};
use hadron_domain::job::{Job, JobInput, JobState, MAX_ATTEMPTS, MAX_HANDOVERS, MAX_LOSSES};
use hadron_domain::service::{Doing, Part, Parts, Stage, Status, plan};
use hadron_domain::step::Machine;
use hadron_domain::template::{VersionInput, VersionState};
use hadron_proto::vocab::{ConnectionId, DeploymentId, InstanceName, JobId, SessionId};

/// One block per state, one line per input: `input -> state | effects`, `=` for a state that stays, `!` for a refusal. The
/// refusal that most inputs of a state share is said once, at its end.
fn table<M>(
    tidy: &Tidy,
    states: &[(&str, M)],
    inputs: &[(&str, M::Input)],
    show: impl Fn(&M) -> String,
) -> String
where
    M: Machine + PartialEq,
    M::Input: Clone,
    M::Effect: Debug,
{
    let names: Vec<&str> = inputs.iter().map(|(name, _)| *name).collect();
    let mut text = format!("inputs: {}\n\n", names.join("; "));
    let wide = names
        .iter()
        .map(|name| name.len())
        .max()
        .unwrap_or(0)
        .max("anything else".len());
    for (name, state) in states {
        let _ = writeln!(text, "{name}: {}", tidy.tidy(&show(state)));
        let outcomes: Vec<String> = inputs
            .iter()
            .map(|(_, input)| match state.step(input.clone()) {
                Ok(step) => {
                    let next = if step.next == *state {
                        "=".to_owned()
                    } else {
                        show(&step.next)
                    };
                    let effects: Vec<String> =
                        step.effects.iter().map(|effect| format!("{effect:?}")).collect();
                    if effects.is_empty() {
                        next
                    } else {
                        format!("{next} | {}", effects.join(", "))
                    }
                }
                Err(refusal) => format!("! {refusal}"),
            })
            .map(|outcome| tidy.tidy(&outcome))
            .collect();
        let mut refusals: BTreeMap<&str, usize> = BTreeMap::new();
        for refusal in outcomes.iter().filter(|outcome| outcome.starts_with('!')) {
            *refusals.entry(refusal).or_default() += 1;
        }
        let common = refusals
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .filter(|(_, count)| *count > 2);
        for (name, outcome) in names.iter().zip(&outcomes) {
            if common.is_none_or(|(common, _)| common != outcome) {
                let _ = writeln!(text, "  {name:wide$}  -> {outcome}");
            }
        }
        if let Some((refusal, _)) = common {
            let _ = writeln!(text, "  {:wide$}  -> {refusal}", "anything else");
        }
        text.push('\n');
    }
    text
}

#[test]
fn connection() {
    let roles = |name: &str| Roles {
        provisioning: None,
        component: None,
        codebuild: None,
        agent_role_name: name.to_owned(),
    };
    let with = |approval: Approval| Connection {
        id: id::<_>(1) as ConnectionId,
        environment: "prod".parse().unwrap(),
        account: account(7),
        region: "eu-central-1".parse().unwrap(),
        roles: roles("agent"),
        requested: signed(0),
        roles_changed: None,
        approval,
        epoch: 1,
    };
    let states = [
        ("pending", with(Approval::Pending)),
        ("connected", with(Approval::Connected(signed(1)))),
        ("rejected", with(Approval::Rejected(signed(1)))),
        ("deleted", with(Approval::Deleted(signed(1)))),
    ];
    let inputs = [
        ("accept", ConnectionInput::Accept(signed(2))),
        (
            "reject",
            ConnectionInput::Reject {
                by: signed(2),
                in_use: false,
            },
        ),
        (
            "reject, in use",
            ConnectionInput::Reject {
                by: signed(2),
                in_use: true,
            },
        ),
        (
            "same roles",
            ConnectionInput::ChangeRoles(signed(2), roles("agent")),
        ),
        (
            "other roles",
            ConnectionInput::ChangeRoles(signed(2), roles("other")),
        ),
        ("delete", ConnectionInput::Delete(signed(2))),
    ];
    let show = |c: &Connection| {
        format!(
            "{:?} epoch {} role {}",
            c.approval, c.epoch, c.roles.agent_role_name
        )
    };
    golden("connection", &table(&Tidy::new(), &states, &inputs, show));
}

#[test]
fn version() {
    let states = [
        ("registering", VersionState::Registering),
        ("failed", VersionState::Failed("no manifest".to_owned())),
        ("draft", VersionState::Draft),
        ("published", VersionState::Published),
    ];
    let inputs = [
        ("registered", VersionInput::Registered),
        ("refused", VersionInput::Refused("no schema".to_owned())),
        ("publish", VersionInput::Publish),
    ];
    golden(
        "version",
        &table(&Tidy::new(), &states, &inputs, |state| format!("{state:?}")),
    );
}

#[test]
fn job() {
    let job: JobId = id(1);
    let (one, two): (SessionId, SessionId) = (id(2), id(3));
    let ttl = Duration::from_secs(30);
    let with = |state, fence, attempts, losses| Job {
        id: job,
        state,
        fence,
        attempts,
        losses,
        handovers: 0,
    };
    let handed_back = |times| Job {
        handovers: times,
        ..with(
            JobState::Leased {
                holder: one,
                expires: at(20),
                started: false,
            },
            5,
            times + 1,
            0,
        )
    };
    let leased = |started| JobState::Leased {
        holder: one,
        expires: at(20),
        started,
    };
    let states = [
        ("new", Job::new(job, at(10))),
        ("leased", with(leased(false), 5, 1, 0)),
        ("started", with(leased(true), 5, 1, 0)),
        (
            "leased, one loss left",
            with(leased(true), 5, MAX_LOSSES, MAX_LOSSES - 1),
        ),
        ("leased for the last time", with(leased(true), 5, MAX_ATTEMPTS, 0)),
        ("handed back twice before", handed_back(2)),
        ("handed back sixteen times before", handed_back(16)),
        ("handed back for the last time", handed_back(MAX_HANDOVERS - 1)),
        (
            "back in the queue",
            with(JobState::Ready { not_before: at(10) }, 5, 1, 1),
        ),
        ("finished", with(JobState::Finished { at: at(9) }, 5, 1, 0)),
        ("void", with(JobState::Void { at: at(9) }, 5, 1, 0)),
        ("void, never taken", with(JobState::Void { at: at(9) }, 0, 0, 0)),
    ];
    let (now, later) = (at(10), at(20));
    let inputs = [
        (
            "take 6",
            JobInput::Take {
                holder: two,
                fence: 6,
                now,
                ttl,
            },
        ),
        (
            "take 6 too early",
            JobInput::Take {
                holder: two,
                fence: 6,
                now: at(9),
                ttl,
            },
        ),
        (
            "take 5",
            JobInput::Take {
                holder: two,
                fence: 5,
                now,
                ttl,
            },
        ),
        ("started 5", JobInput::Started { fence: 5 }),
        ("started 4", JobInput::Started { fence: 4 }),
        (
            "renew 5",
            JobInput::Renew {
                fence: 5,
                holder: one,
                now,
                ttl,
            },
        ),
        (
            "renew 5 by another session",
            JobInput::Renew {
                fence: 5,
                holder: two,
                now,
                ttl,
            },
        ),
        (
            "renew 4",
            JobInput::Renew {
                fence: 4,
                holder: one,
                now,
                ttl,
            },
        ),
        ("handover 5", JobInput::Handover { fence: 5, now }),
        ("handover 4", JobInput::Handover { fence: 4, now }),
        ("report 5", JobInput::Report { fence: 5, now }),
        (
            "report 5 late",
            JobInput::Report {
                fence: 5,
                now: at(50),
            },
        ),
        ("report 4", JobInput::Report { fence: 4, now }),
        ("report 0", JobInput::Report { fence: 0, now }),
        ("check 5", JobInput::Check { fence: 5 }),
        ("check 4", JobInput::Check { fence: 4 }),
        ("check 0", JobInput::Check { fence: 0 }),
        ("expire at 10", JobInput::Expire { now }),
        ("expire at 20", JobInput::Expire { now: later }),
        ("void", JobInput::Void { now }),
        ("take back", JobInput::TakeBack { now }),
    ];
    let tidy = Tidy::new().name(job, "job").name(one, "one").name(two, "two");
    let show = |job: &Job| {
        format!(
            "{:?} fence {} attempts {} losses {} handovers {}",
            job.state, job.fence, job.attempts, job.losses, job.handovers
        )
    };
    golden("job", &table(&tidy, &states, &inputs, show));
}

#[test]
fn deployment() {
    let dpl: DeploymentId = id(1);
    let (job, revoke, other): (JobId, JobId, JobId) = (id(2), id(3), id(4));
    let execute = |arn: &str| Authorised::Execute(arn.to_owned());
    let delete = |arn: &str| Authorised::Delete(arn.to_owned());
    let running = |taken, authorised| Phase::Running {
        job,
        taken,
        authorised,
    };
    let ended = |how| Phase::Ended { how, at: at(5) };
    let phases = [
        (
            "waiting",
            Phase::Waiting {
                grants: BTreeSet::from([repository("web")]),
            },
        ),
        ("queued", running(false, None)),
        ("taken", running(true, None)),
        ("may execute", running(true, Some(execute("cs1")))),
        ("may delete", running(true, Some(delete("s1")))),
        (
            "cancelling",
            Phase::Cancelling {
                job: revoke,
                asked: signed(4),
            },
        ),
        ("succeeded", ended(Ending::Succeeded)),
        ("failed", ended(Ending::Failed("no".to_owned()))),
        ("cancelled", ended(Ending::Cancelled)),
    ];
    let now = at(9);
    let inputs = [
        ("ready", DeploymentInput::Ready { job }),
        (
            "grant blocked",
            DeploymentInput::GrantBlocked {
                why: "no repository".to_owned(),
                at: now,
            },
        ),
        ("job taken", DeploymentInput::Taken { job }),
        ("revoke taken", DeploymentInput::Taken { job: revoke }),
        ("other taken", DeploymentInput::Taken { job: other }),
        (
            "job: execute cs1?",
            DeploymentInput::Authorise {
                job,
                act: execute("cs1"),
            },
        ),
        (
            "job: execute cs2?",
            DeploymentInput::Authorise {
                job,
                act: execute("cs2"),
            },
        ),
        (
            "job: delete s1?",
            DeploymentInput::Authorise {
                job,
                act: delete("s1"),
            },
        ),
        (
            "revoke: execute cs1?",
            DeploymentInput::Authorise {
                job: revoke,
                act: execute("cs1"),
            },
        ),
        (
            "revoke: delete s1?",
            DeploymentInput::Authorise {
                job: revoke,
                act: delete("s1"),
            },
        ),
        (
            "other: execute cs1?",
            DeploymentInput::Authorise {
                job: other,
                act: execute("cs1"),
            },
        ),
        (
            "other: delete s1?",
            DeploymentInput::Authorise {
                job: other,
                act: delete("s1"),
            },
        ),
        (
            "cancel",
            DeploymentInput::Cancel {
                by: signed(8),
                revoke,
            },
        ),
        (
            "job: applied",
            DeploymentInput::Done {
                job,
                what: Done::Applied,
                at: now,
            },
        ),
        (
            "job: gone",
            DeploymentInput::Done {
                job,
                what: Done::Gone,
                at: now,
            },
        ),
        (
            "job: revoked",
            DeploymentInput::Done {
                job,
                what: Done::Revoked,
                at: now,
            },
        ),
        (
            "revoke: applied",
            DeploymentInput::Done {
                job: revoke,
                what: Done::Applied,
                at: now,
            },
        ),
        (
            "revoke: gone",
            DeploymentInput::Done {
                job: revoke,
                what: Done::Gone,
                at: now,
            },
        ),
        (
            "revoke: revoked",
            DeploymentInput::Done {
                job: revoke,
                what: Done::Revoked,
                at: now,
            },
        ),
        (
            "other: applied",
            DeploymentInput::Done {
                job: other,
                what: Done::Applied,
                at: now,
            },
        ),
        (
            "job: failed",
            DeploymentInput::Failed {
                job,
                why: "broken".to_owned(),
                at: now,
            },
        ),
        (
            "revoke: failed",
            DeploymentInput::Failed {
                job: revoke,
                why: "broken".to_owned(),
                at: now,
            },
        ),
        (
            "other: failed",
            DeploymentInput::Failed {
                job: other,
                why: "broken".to_owned(),
                at: now,
            },
        ),
    ];
    let tidy = Tidy::new()
        .name(job, "job")
        .name(revoke, "revoke")
        .name(other, "other")
        .word("{web (000000000001 eu-central-1)}", "{web}");
    for intent in [Intent::Apply, Intent::Destroy] {
        let states: Vec<(&str, Deployment)> = phases
            .iter()
            // A deletion is cancelled at once or not at all.
            .filter(|(_, phase)| intent == Intent::Apply || !matches!(phase, Phase::Cancelling { .. }))
            .map(|(name, phase)| (*name, Deployment { id: dpl, intent, phase: phase.clone() }))
            .collect();
        let show = |d: &Deployment| format!("{:?} = {}", d.phase, d.word());
        let name = if intent == Intent::Apply {
            "deployment-apply"
        } else {
            "deployment-destroy"
        };
        golden(name, &table(&tidy, &states, &inputs, show));
    }
}

#[test]
fn lane() {
    let (job, then, other): (JobId, JobId, JobId) = (id(1), id(2), id(3));
    let (a, b) = (account(10), account(20));
    let (none, only_a, both) = (BTreeSet::new(), BTreeSet::from([a]), BTreeSet::from([a, b]));
    let lane = |wanted: &BTreeSet<_>, applied: &BTreeSet<_>| PolicyLane {
        wanted: wanted.clone(),
        applied: applied.clone(),
        ..PolicyLane::new(repository("web"))
    };
    let writing = |lane: PolicyLane, what: &BTreeSet<_>| PolicyLane {
        writing: Some((job, what.clone())),
        ..lane
    };
    let blocked = |lane: PolicyLane, missing| {
        let wanted = lane.wanted.clone();
        PolicyLane {
            blocked: Some(Blocked {
                why: "no".to_owned(),
                missing,
                wanted,
            }),
            ..lane
        }
    };
    let states = [
        ("new", lane(&none, &none)),
        ("applied", lane(&only_a, &only_a)),
        ("writing", writing(lane(&both, &only_a), &both)),
        (
            "writing, to look again",
            PolicyLane {
                again: true,
                ..writing(lane(&both, &only_a), &both)
            },
        ),
        ("writing, wanted changed", writing(lane(&none, &only_a), &both)),
        ("writing, wanted what was", writing(lane(&only_a, &only_a), &both)),
        ("blocked", blocked(lane(&both, &only_a), false)),
        ("missing", blocked(lane(&both, &none), true)),
    ];
    let inputs = [
        (
            "want nobody",
            LaneInput::Want {
                readers: none,
                job: then,
            },
        ),
        (
            "want a",
            LaneInput::Want {
                readers: only_a,
                job: then,
            },
        ),
        (
            "want a, b",
            LaneInput::Want {
                readers: both,
                job: then,
            },
        ),
        ("again", LaneInput::Again { job: then }),
        ("applied", LaneInput::Applied { job, then }),
        (
            "failed",
            LaneInput::Failed {
                job,
                why: "denied".to_owned(),
                missing: false,
                then,
            },
        ),
        (
            "failed, missing",
            LaneInput::Failed {
                job,
                why: "missing".to_owned(),
                missing: true,
                then,
            },
        ),
        ("other applied", LaneInput::Applied { job: other, then }),
        (
            "other failed",
            LaneInput::Failed {
                job: other,
                why: "denied".to_owned(),
                missing: false,
                then,
            },
        ),
    ];
    let tidy = Tidy::new()
        .name(job, "job")
        .name(then, "then")
        .name(other, "other")
        .word("000000000010", "a")
        .word("000000000020", "b");
    let show = |lane: &PolicyLane| {
        let mut text = format!("wanted {:?} applied {:?}", lane.wanted, lane.applied);
        if !lane.perhaps.is_empty() {
            let _ = write!(text, " perhaps {:?}", lane.perhaps);
        }
        if let Some((job, readers)) = &lane.writing {
            let _ = write!(text, " writing {readers:?} by {job}");
        }
        if lane.again {
            text.push_str(" again");
        }
        if let Some(blocked) = &lane.blocked {
            let missing = if blocked.missing { " (missing)" } else { "" };
            let _ = write!(text, " blocked{missing} at {:?}", blocked.wanted);
        }
        let _ = write!(text, "; a {} b {}", lane.word(a), lane.word(b));
        text
    };
    golden("lane", &table(&tidy, &states, &inputs, show));
}

#[test]
fn authority() {
    let mut text = format!("{:22}", "");
    for role in Role::ALL {
        let _ = write!(text, "{:>15}", role.word());
    }
    text.push_str("  within a scope: what it has to cover\n");
    for action in Action::ALL {
        let _ = write!(text, "{:22}", action.words());
        for role in Role::ALL {
            let reach = match reach(role, action) {
                Reach::None => "-",
                Reach::OwnAccount => "own account",
                Reach::Everything => "everything",
            };
            let _ = write!(text, "{reach:>15}");
        }
        let demand = match demand(action) {
            Demand::Hub => "the hub",
            Demand::Nothing => "nothing",
            Demand::Any => "account, environment or service",
            Demand::Environment => "environment or account",
            Demand::Service => "service",
            Demand::Both => "service, and environment or account",
        };
        let _ = writeln!(text, "  {demand}");
    }
    golden("authority", &text);
}

fn names(list: &str) -> BTreeSet<InstanceName> {
    list.split_whitespace().map(instance).collect()
}

fn parts(list: &[(&str, Part)], pipeline: Option<Part>) -> Parts {
    let instances: BTreeMap<InstanceName, Part> =
        list.iter().map(|(name, part)| (instance(name), *part)).collect();
    Parts { instances, pipeline }
}

#[test]
fn service() {
    use Part::{Bad, Busy, DeleteFailed, Gone, Good, Untouched};

    let creating = || (Doing::Creating, Status::CreateInProgress);
    let deleting = || (Doing::Deleting, Status::DeleteInProgress);
    let updating = |adding: &str, removing: &str, stage| {
        (
            Doing::Updating {
                adding: names(adding),
                removing: names(removing),
                stage,
            },
            Status::UpdateInProgress,
        )
    };
    let rest = |status| (Doing::Nothing, status);
    let swap = |stage| updating("n", "o", stage);
    let three = |k, n, o, pipeline| parts(&[("k", k), ("n", n), ("o", o)], pipeline);

    let situations = [
        (
            "create: begins",
            creating(),
            parts(&[("a", Untouched), ("b", Untouched)], Some(Untouched)),
        ),
        (
            "create: crashed after one order",
            creating(),
            parts(&[("a", Busy), ("b", Untouched)], Some(Untouched)),
        ),
        (
            "create: one is still busy",
            creating(),
            parts(&[("a", Good), ("b", Busy)], Some(Untouched)),
        ),
        (
            "create: one failed, one busy",
            creating(),
            parts(&[("a", Bad), ("b", Busy)], Some(Untouched)),
        ),
        (
            "create: one failed",
            creating(),
            parts(&[("a", Bad), ("b", Good)], Some(Untouched)),
        ),
        (
            "create: one failed, asked again",
            creating(),
            parts(&[("a", Bad), ("b", Good)], Some(Bad)),
        ),
        (
            "create: one failed, no pipeline",
            creating(),
            parts(&[("a", Bad), ("b", Good)], None),
        ),
        (
            "create: instances good",
            creating(),
            parts(&[("a", Good), ("b", Good)], Some(Untouched)),
        ),
        (
            "create: instances good, no pipeline",
            creating(),
            parts(&[("a", Good)], None),
        ),
        (
            "create: pipeline busy",
            creating(),
            parts(&[("a", Good)], Some(Busy)),
        ),
        (
            "create: pipeline failed",
            creating(),
            parts(&[("a", Good)], Some(Bad)),
        ),
        ("create: all good", creating(), parts(&[("a", Good)], Some(Good))),
        (
            "update: begins",
            swap(Stage::Adding),
            three(Good, Untouched, Good, Some(Untouched)),
        ),
        (
            "update: adding is busy",
            swap(Stage::Adding),
            three(Good, Busy, Good, Some(Untouched)),
        ),
        (
            "update: added is good",
            swap(Stage::Adding),
            three(Good, Good, Good, Some(Untouched)),
        ),
        (
            "update: added failed",
            swap(Stage::Adding),
            three(Good, Bad, Good, Some(Untouched)),
        ),
        (
            "update: adds what once was deleted",
            swap(Stage::Adding),
            three(Good, Gone, Good, Some(Untouched)),
        ),
        (
            "update: two added, one failed",
            updating("m n", "", Stage::Adding),
            parts(&[("m", Good), ("n", Bad)], Some(Untouched)),
        ),
        (
            "update: adds and removes nothing",
            updating("", "", Stage::Adding),
            parts(&[("a", Good)], Some(Untouched)),
        ),
        (
            "update: the same without pipeline",
            updating("", "", Stage::Adding),
            parts(&[("a", Good)], None),
        ),
        (
            "update: undoing is busy",
            swap(Stage::Undoing),
            three(Good, Busy, Good, Some(Untouched)),
        ),
        (
            "update: undone",
            swap(Stage::Undoing),
            three(Good, Gone, Good, Some(Untouched)),
        ),
        (
            "update: undoing failed",
            swap(Stage::Undoing),
            three(Good, DeleteFailed, Good, Some(Untouched)),
        ),
        (
            "update: undoing failed for one, the other not begun",
            updating("m n", "", Stage::Undoing),
            parts(&[("m", DeleteFailed), ("n", Good)], Some(Untouched)),
        ),
        (
            "update: removing not begun",
            swap(Stage::Removing),
            three(Good, Good, Good, Some(Untouched)),
        ),
        (
            "update: removing is busy",
            swap(Stage::Removing),
            three(Good, Good, Busy, Some(Untouched)),
        ),
        (
            "update: removed",
            swap(Stage::Removing),
            three(Good, Good, Gone, Some(Untouched)),
        ),
        (
            "update: removed, pipeline already busy",
            swap(Stage::Removing),
            three(Good, Good, Gone, Some(Busy)),
        ),
        (
            "update: removed, no pipeline",
            swap(Stage::Removing),
            three(Good, Good, Gone, None),
        ),
        (
            "update: removing failed",
            swap(Stage::Removing),
            three(Good, Good, DeleteFailed, Some(Untouched)),
        ),
        (
            "update: removing failed, no pipeline",
            swap(Stage::Removing),
            three(Good, Good, DeleteFailed, None),
        ),
        (
            "update: pipeline not begun",
            swap(Stage::Pipeline),
            three(Good, Good, Gone, Some(Untouched)),
        ),
        (
            "update: pipeline busy",
            swap(Stage::Pipeline),
            three(Good, Good, Gone, Some(Busy)),
        ),
        (
            "update: pipeline good",
            swap(Stage::Pipeline),
            three(Good, Good, Gone, Some(Good)),
        ),
        (
            "update: pipeline good, removing failed",
            swap(Stage::Pipeline),
            three(Good, Good, DeleteFailed, Some(Good)),
        ),
        (
            "update: pipeline failed",
            swap(Stage::Pipeline),
            three(Good, Good, Gone, Some(Bad)),
        ),
        (
            "delete: begins",
            deleting(),
            parts(&[("a", Untouched), ("b", Untouched)], Some(Untouched)),
        ),
        (
            "delete: an instance was busy before",
            deleting(),
            parts(&[("a", Busy), ("b", Gone)], Some(Untouched)),
        ),
        (
            "delete: that one is ready now",
            deleting(),
            parts(&[("a", Good), ("b", Gone)], Some(Untouched)),
        ),
        (
            "delete: one failed, one busy",
            deleting(),
            parts(&[("a", DeleteFailed), ("b", Busy)], Some(Untouched)),
        ),
        (
            "delete: one failed",
            deleting(),
            parts(&[("a", DeleteFailed), ("b", Gone)], Some(Untouched)),
        ),
        (
            "delete: instances gone",
            deleting(),
            parts(&[("a", Gone)], Some(Untouched)),
        ),
        ("delete: pipeline busy", deleting(), parts(&[], Some(Busy))),
        (
            "delete: pipeline failed",
            deleting(),
            parts(&[], Some(DeleteFailed)),
        ),
        ("delete: all gone", deleting(), parts(&[("a", Gone)], Some(Gone))),
        ("delete: all gone, no pipeline", deleting(), parts(&[], None)),
        (
            "rest: in order",
            rest(Status::Active),
            parts(&[("a", Good)], Some(Good)),
        ),
        (
            "rest: an instance failed later",
            rest(Status::Active),
            parts(&[("a", Bad)], Some(Good)),
        ),
        (
            "rest: creation failed, not mended",
            rest(Status::CreateFailed),
            parts(&[("a", Good)], Some(Bad)),
        ),
        (
            "rest: creation failed, mended",
            rest(Status::CreateFailed),
            parts(&[("a", Good)], Some(Good)),
        ),
        (
            "rest: update undone",
            rest(Status::UpdateFailedCleanupComplete),
            parts(&[("a", Good)], Some(Good)),
        ),
        (
            "rest: leftover still there",
            rest(Status::UpdateCompleteCleanupFailed),
            parts(&[("a", Good), ("o", DeleteFailed)], Some(Good)),
        ),
        (
            "rest: leftover gone",
            rest(Status::UpdateCompleteCleanupFailed),
            parts(&[("a", Good)], Some(Good)),
        ),
    ];
    let mut text = String::new();
    for (name, (doing, status), parts) in situations {
        let pipeline = parts
            .pipeline
            .map_or_else(|| "none".to_owned(), |part| format!("{part:?}"));
        let _ = writeln!(text, "{name}\n  {:?} pipeline {pipeline}", parts.instances);
        let answer = plan(&doing, status, &parts);
        let stage = |doing: &Doing| match doing {
            Doing::Nothing => "nothing".to_owned(),
            Doing::Creating => "creating".to_owned(),
            Doing::Updating {
                adding,
                removing,
                stage,
            } => format!("updating +{adding:?} -{removing:?} {stage:?}"),
            Doing::Deleting => "deleting".to_owned(),
        };
        let orders: Vec<String> = answer.orders.iter().map(|order| format!("{order:?}")).collect();
        let orders = if orders.is_empty() {
            String::new()
        } else {
            format!(" | {}", orders.join(", "))
        };
        let (before, after) = (stage(&doing), stage(&answer.doing));
        let _ = writeln!(
            text,
            "  {before} {}\n  -> {after} {}{orders}\n",
            status.word(),
            answer.status.word()
        );
    }
    golden("service", &text);
}
