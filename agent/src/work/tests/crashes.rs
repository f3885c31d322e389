//! The process dies at every call, before and after the call took effect; another one takes over with a newer lease.

use super::*;
use crate::fake::{Call, Effect, Happening, When};

struct Case {
    name: &'static str,
    prepare: fn(&World) -> futures::future::BoxFuture<'_, Option<StackArn>>,
    work: fn(&World, Option<&StackArn>) -> Work,
    deployment: u64,
    check: fn(&World, &Outcome, &str),
}

fn nothing(_: &World) -> futures::future::BoxFuture<'_, Option<StackArn>> {
    Box::pin(async { None })
}

fn one(world: &World) -> futures::future::BoxFuture<'_, Option<StackArn>> {
    Box::pin(async { Some(world.made(1, &["A", "B"]).await) })
}

fn stuck(world: &World) -> futures::future::BoxFuture<'_, Option<StackArn>> {
    Box::pin(async {
        world.aws.fail("A", Happening::Create, 1, "no");
        let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
        failure(world.run(&job).await).stack
    })
}

fn cases() -> Vec<Case> {
    fn applied(world: &World, outcome: &Outcome, at: &str) {
        assert!(matches!(outcome, Outcome::Applied { .. }), "{at}: {outcome:?}");
        assert_eq!(world.executions(2), 1, "{at}: exactly one execution");
        let stacks = world.aws.stack_arns();
        assert_eq!(stacks.len(), 1, "{at}");
        assert_eq!(world.aws.content(stacks[0].as_str()), ["A", "C"], "{at}");
        assert!(world.aws.live_change_sets().is_empty(), "{at}: leftovers");
    }
    vec![
        Case {
            name: "create",
            prepare: nothing,
            work: |world, _| Work::ApplyStack(world.apply(2, &template(&["A", "C"]))),
            deployment: 2,
            check: applied,
        },
        Case {
            name: "update",
            prepare: one,
            work: |world, stack| Work::ApplyStack(world.update(2, &template(&["A=2", "C"]), stack.unwrap())),
            deployment: 2,
            check: applied,
        },
        Case {
            name: "replace",
            prepare: stuck,
            work: |world, stack| {
                let work = ApplyStack {
                    stack_arn: stack.cloned(),
                    ..world.apply(2, &template(&["A", "C"]))
                };
                Work::ApplyStack(work)
            },
            deployment: 2,
            check: applied,
        },
        Case {
            name: "update that fails",
            prepare: |world| {
                world.aws.fail("C", Happening::Create, 9, "never");
                one(world)
            },
            work: |world, stack| Work::ApplyStack(world.update(2, &template(&["A", "C"]), stack.unwrap())),
            deployment: 2,
            check: |world, outcome, at| {
                let Outcome::Failed(failure) = outcome else {
                    panic!("{at}: {outcome:?}")
                };
                assert_eq!(failure.kind, FailureKind::StackFailed, "{at}");
                assert!(
                    failure.message.starts_with("C (AWS::SNS::Topic): never"),
                    "{at}: {}",
                    failure.message
                );
                assert_eq!(world.executions(2), 1, "{at}");
                assert_eq!(
                    world.aws.content(world.aws.stack_arns()[0].as_str()),
                    ["A", "B"],
                    "{at}"
                );
            },
        },
        Case {
            name: "destroy",
            prepare: one,
            work: |_, stack| World::destroy(stack),
            deployment: 2,
            check: |world, outcome, at| {
                assert!(
                    matches!(outcome, Outcome::Gone { stack: Some(_) }),
                    "{at}: {outcome:?}"
                );
                assert!(world.aws.stack_arns().is_empty(), "{at}");
            },
        },
        Case {
            name: "revoke",
            prepare: |world| {
                Box::pin(async {
                    let stack = world.made(1, &["A", "B"]).await;
                    world
                        .aws
                        .arrange_change_set(&stack, &format!("hadron-{}-a1", tag(2)));
                    Some(stack)
                })
            },
            work: |_, stack| World::revoke(stack, false),
            deployment: 2,
            check: |world, outcome, at| {
                assert!(
                    matches!(outcome, Outcome::Revoked { stack: Some(_) }),
                    "{at}: {outcome:?}"
                );
                assert!(world.aws.live_change_sets().is_empty(), "{at}");
                assert_eq!(world.executions(2), 0, "{at}");
            },
        },
        Case {
            name: "revoke a create",
            prepare: |world| {
                Box::pin(async {
                    let stack = world.aws.arrange(NAME, StackStatus::ReviewInProgress, &[], &[]);
                    world
                        .aws
                        .arrange_change_set(&stack, &format!("hadron-{}-a1", tag(2)));
                    Some(stack)
                })
            },
            work: |_, _| World::revoke(None, true),
            deployment: 2,
            check: |world, outcome, at| {
                assert!(matches!(outcome, Outcome::Revoked { .. }), "{at}: {outcome:?}");
                assert!(world.aws.stack_arns().is_empty(), "{at}: leftovers");
            },
        },
        Case {
            name: "pull policy",
            prepare: |world| {
                world.aws.repository(&"team/app".parse().unwrap(), None);
                nothing(world)
            },
            work: |world, _| world.pull("team/app", &["444455556666"]),
            deployment: 2,
            check: |world, outcome, at| {
                assert!(
                    matches!(outcome, Outcome::PullPolicySet { .. }),
                    "{at}: {outcome:?}"
                );
                let policy = world.aws.policy_of(&"team/app".parse().unwrap()).unwrap();
                assert_eq!(policy.matches("444455556666").count(), 1, "{at}");
            },
        },
    ]
}

async fn calls_of(case: &Case) -> Vec<Call> {
    let world = World::new();
    let stack = (case.prepare)(&world).await;
    let work = (case.work)(&world, stack.as_ref());
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let outcome = world
        .over(&line, &world.lease(case.deployment, 1, work), &stop)
        .await
        .unwrap()
        .unwrap();
    (case.check)(&world, &outcome, case.name);
    line.calls()
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_finishes_what_a_dead_one_began() {
    let mut points = 0;
    for case in cases() {
        let calls = calls_of(&case).await;
        for at in 1..=calls.len() {
            for when in [When::Before, When::After] {
                let name = format!("{}, death {when:?} call {at} ({:?})", case.name, calls[at - 1]);
                let world = World::new();
                let stack = (case.prepare)(&world).await;
                let work = (case.work)(&world, stack.as_ref());
                let line = Line::default();
                line.die_at(at, when);
                let (_brake, stop) = Stop::new();
                let job = world.lease(case.deployment, 1, work.clone());
                assert!(world.over(&line, &job, &stop).await.is_none(), "{name}");
                let outcome = world.run(&world.lease(case.deployment, 2, work)).await;
                (case.check)(&world, &outcome, &name);
                points += 1;
            }
        }
    }
    assert!(points > 200, "{points}");
}

#[tokio::test(start_paused = true)]
async fn a_third_attempt_finishes_after_two_deaths() {
    for case in cases() {
        let calls = calls_of(&case).await.len();
        for first in (1..=calls).step_by(3) {
            for second in (1..=calls).step_by(4) {
                let world = World::new();
                let stack = (case.prepare)(&world).await;
                let work = (case.work)(&world, stack.as_ref());
                for (attempt, at) in [(1, first), (2, second)] {
                    let line = Line::default();
                    line.die_at(at, When::After);
                    let (_brake, stop) = Stop::new();
                    // The second may be done before it would die.
                    let _ = world
                        .over(&line, &world.lease(case.deployment, attempt, work.clone()), &stop)
                        .await;
                }
                let outcome = world.run(&world.lease(case.deployment, 3, work)).await;
                (case.check)(
                    &world,
                    &outcome,
                    &format!("{}, deaths at {first} and {second}", case.name),
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_not_a_second_effect() {
    let mut points = 0;
    for case in cases() {
        let calls = calls_of(&case).await;
        let mut seen = std::collections::HashMap::new();
        for call in calls.iter().filter(|call| call.changes()) {
            let skip = *seen.entry(*call).and_modify(|n| *n += 1).or_insert(0);
            for times in [1, 3] {
                let name = format!("{}, reply of {call:?} lost {times} times after {skip}", case.name);
                let world = World::new();
                let stack = (case.prepare)(&world).await;
                let work = (case.work)(&world, stack.as_ref());
                let line = Line::default();
                line.fault(Some(*call), skip, times, Effect::LoseReply);
                let (_brake, stop) = Stop::new();
                let job = world.lease(case.deployment, 1, work);
                let outcome = world.over(&line, &job, &stop).await.unwrap().unwrap();
                (case.check)(&world, &outcome, &name);
                points += 1;
            }
        }
    }
    assert!(points > 20, "{points}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_agent_changes_nothing() {
    // The lease is void at each call in turn, and the agent learns of it only from the hub.
    for case in cases()
        .into_iter()
        .filter(|case| matches!(case.name, "create" | "update" | "replace" | "destroy"))
    {
        let calls = calls_of(&case).await;
        let leave = calls.iter().position(|call| *call == Call::Authorise).unwrap();
        let world = World::new();
        let stack = (case.prepare)(&world).await;
        let work = (case.work)(&world, stack.as_ref());
        let before = (world.aws.executed(), world.aws.stack_arns().len());
        let job = world.lease(case.deployment, 1, work);
        world.hub.expire(job.token.job);
        let line = Line::default();
        let (_brake, stop) = Stop::new();
        let end = world.over(&line, &job, &stop).await.unwrap();
        assert_eq!(end, Err(Stopped::Fenced), "{}", case.name);
        assert_eq!(world.aws.executed(), before.0, "{}", case.name);
        assert!(
            world.aws.live_change_sets().is_empty(),
            "{}: took its change set back",
            case.name
        );
        assert_eq!(line.count(Call::DeleteStack), 0, "{}", case.name);
        assert!(
            line.calls().len() <= leave + 3,
            "{}: {:?}",
            case.name,
            line.calls()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_authorised_agent_that_stalls_is_overtaken() {
    // Leave was given, then the process stalled before the execution; the next attempt finishes; then it wakes up.
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let work = Work::ApplyStack(world.update(2, &template(&["A=2", "C"]), &stack));
    let stalled = Line::default();
    let aws = world.aws.over(&stalled);
    let line = Line::default();
    line.die_at(
        calls_of(&cases()[1])
            .await
            .iter()
            .position(|call| *call == Call::ExecuteChangeSet)
            .unwrap()
            + 1,
        When::Before,
    );
    let (_brake, stop) = Stop::new();
    assert!(
        world
            .over(&line, &world.lease(2, 1, work.clone()), &stop)
            .await
            .is_none()
    );
    let granted = world.hub.granted();
    let Act::Execute { change_set_arn, .. } = &granted.last().unwrap().1 else {
        panic!("{granted:?}")
    };
    let outcome = world.run(&world.lease(2, 2, work)).await;
    assert!(matches!(outcome, Outcome::Applied { .. }));
    let late = crate::aws::Stacks::execute_change_set(&aws, change_set_arn, &exec_token(2))
        .await
        .unwrap_err();
    assert_eq!(late.kind, crate::aws::Kind::NotFound, "{late}");
    assert_eq!(world.executions(2), 1);
}
