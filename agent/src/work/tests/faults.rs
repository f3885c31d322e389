//! Throttling, denial, expired credentials, late answers, a full disk, a lost hub.

use std::time::Duration;

use super::*;
use crate::fake::{Call, Effect};
use crate::work::Step;

#[tokio::test(start_paused = true)]
async fn throttling_slows_down_and_passes() {
    let world = World::new();
    let line = Line::default();
    line.refuse(None, 12, "Throttling", "Rate exceeded");
    let (_brake, stop) = Stop::new();
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    let outcome = world.over(&line, &job, &stop).await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    assert!(
        world.settings.pace.rate() < 5.0,
        "all jobs of the agent are slower: {}",
        world.settings.pace.rate()
    );
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_in_passing() {
    let codes = [
        ("ThrottlingException", "Rate exceeded"),
        (
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        ("InternalFailure", ""),
    ];
    for (code, message) in codes {
        for at in 0..20 {
            let world = World::new();
            let stack = world.made(1, &["A"]).await;
            let line = Line::default();
            line.fault(
                None,
                at,
                2,
                Effect::Error(crate::aws::AwsError::coded(code, message)),
            );
            let (_brake, stop) = Stop::new();
            let job = world.lease(
                2,
                1,
                Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
            );
            let outcome = world.over(&line, &job, &stop).await.unwrap();
            match outcome {
                Ok(Outcome::Applied { .. }) => assert_eq!(world.executions(2), 1, "{code} at {at}"),
                // The fault hit a call to the hub.
                Err(Stopped::HubUnavailable) => assert_eq!(world.executions(2), 0, "{code} at {at}"),
                other => panic!("{code} at {at}: {other:?}"),
            }
            assert!(world.aws.live_change_sets().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stays_unreadable_is_given_up() {
    let world = World::new();
    let line = Line::default();
    line.fault(
        Some(Call::ChangeSets),
        0,
        1_000,
        Effect::Error(crate::aws::AwsError::odd("<html>")),
    );
    let (_brake, stop) = Stop::new();
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
    assert_eq!(found.kind, FailureKind::Other);
    assert_eq!(line.count(Call::ChangeSets), world.settings.tries as usize);
}

#[tokio::test(start_paused = true)]
async fn denial_is_told_and_leaves_nothing_behind() {
    for (call, stacks) in [
        (Call::ChangeSets, 0),
        (Call::Describe, 0),
        (Call::CreateChangeSet, 0),
        (Call::ExecuteChangeSet, 1),
    ] {
        let world = World::new();
        let line = Line::default();
        line.refuse(
            Some(call),
            1,
            "AccessDeniedException",
            "User: x is not authorized to perform: y",
        );
        let (_brake, stop) = Stop::new();
        let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
        let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
        assert_eq!(found.kind, FailureKind::AccessDenied, "{call:?}");
        assert!(found.message.contains("not authorized"), "{}", found.message);
        assert_eq!(
            world.aws.stack_arns().len(),
            stacks,
            "{call:?}: at most a husk that the next one reuses"
        );
        assert!(world.aws.live_change_sets().is_empty() && world.aws.executed().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_template_is_told() {
    let world = World::new();
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, "{}")));
    let found = failure(world.run(&job).await);
    assert_eq!(found.kind, FailureKind::InvalidTemplate);
    let text = r#"{"Resources":{"R":{"Type":"AWS::IAM::Role"}}}"#;
    let job = world.lease(2, 1, Work::ApplyStack(world.apply(2, text)));
    assert_eq!(
        failure(world.run(&job).await).kind,
        FailureKind::InvalidTemplate,
        "no capability"
    );
    let work = ApplyStack {
        capabilities: vec!["CAPABILITY_IAM".to_owned()],
        ..world.apply(3, text)
    };
    let outcome = world.run(&world.lease(3, 1, Work::ApplyStack(work))).await;
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_looks_free_is_read_twice() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let line = Line::default();
    let gone = crate::aws::AwsError::coded("ValidationError", format!("Stack with id {NAME} does not exist"));
    line.fault(Some(Call::ChangeSets), 0, 1, Effect::Error(gone.clone()));
    line.fault(Some(Call::Describe), 0, 1, Effect::Error(gone));
    let (_brake, stop) = Stop::new();
    let job = world.lease(1, 2, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    let outcome = world.over(&line, &job, &stop).await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Applied { stack: found, .. } if found == stack));
    assert_eq!(world.executions(1), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_at_a_first_creation_does_not_wait_for_a_second_look() {
    let world = World::new();
    let fast = world.settings.missing_gap;
    let began = tokio::time::Instant::now();
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    world.over(&line, &job, &stop).await.unwrap().unwrap();
    assert!(began.elapsed() < fast, "{:?}", began.elapsed());
    assert_eq!(line.count(Call::ChangeSets), 1);
    // Everybody else takes two looks.
    let world = World::new();
    let again = world.apply(1, &template(&["A"]));
    let known = ApplyStack {
        stack_arn: Some(world.aws.arrange("gone", StackStatus::DeleteComplete, &[], &[])),
        ..again.clone()
    };
    let succeeded = ApplyStack {
        never_succeeded: false,
        ..again.clone()
    };
    for (attempt, work) in [
        (2, Work::ApplyStack(again)),
        (1, Work::ApplyStack(known)),
        (1, Work::ApplyStack(succeeded)),
        (1, World::destroy(None)),
        (1, World::revoke(None, true)),
    ] {
        let name = format!("{attempt} {work:?}");
        let world = World::new();
        world.hub.template_of(job_id(1), &template(&["A"]));
        let line = Line::default();
        let began = tokio::time::Instant::now();
        let job = world.lease(1, attempt, work);
        world.over(&line, &job, &stop).await.unwrap().unwrap();
        assert!(began.elapsed() >= fast, "{name}");
        assert!(line.count(Call::ChangeSets) >= 2, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_only_looked_free_is_looked_at_again() {
    let target = [("hadron:target", "tgt_1")];
    for text in [
        None,
        Some(("AlreadyExistsException", "Stack [x] already exists")),
        Some(("ValidationError", "Stack [x] already exists")),
    ] {
        let name = format!("{text:?}");
        // What failed a moment ago is replaced, and what somebody else made is left alone.
        for (tags, ends_well) in [(&target[..], true), (&[][..], false)] {
            let world = World::new();
            let stack = world
                .aws
                .arrange(NAME, StackStatus::RollbackComplete, tags, &["A"]);
            let line = Line::default();
            let gone = crate::aws::AwsError::coded(
                "ValidationError",
                format!("Stack with id {NAME} does not exist"),
            );
            // The second look is the first of the next two.
            line.fault(Some(Call::ChangeSets), 0, 2, Effect::Error(gone.clone()));
            line.fault(Some(Call::Describe), 0, 2, Effect::Error(gone));
            if let Some((code, message)) = text {
                line.refuse(Some(Call::CreateChangeSet), 1, code, message);
            }
            let (_brake, stop) = Stop::new();
            let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
            let outcome = world.over(&line, &job, &stop).await.unwrap().unwrap();
            if ends_well {
                assert!(matches!(outcome, Outcome::Applied { .. }), "{name}: {outcome:?}");
                assert_eq!(world.status(&stack), StackStatus::DeleteComplete, "{name}");
            } else {
                assert_eq!(failure(outcome).kind, FailureKind::ForeignOperation, "{name}");
                assert_eq!(world.status(&stack), StackStatus::RollbackComplete, "{name}");
            }
            assert_eq!(world.aws.stack_arns().len(), 1, "{name}");
            assert_eq!(
                line.count(Call::CreateChangeSet),
                1 + usize::from(ends_well),
                "{name}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn aws_may_show_late_what_it_accepted() {
    for lag in [1, 3, 8] {
        let world = World::new();
        world.aws.lag(lag);
        let stack = world.made(1, &["A"]).await;
        let job = world.lease(
            2,
            1,
            Work::ApplyStack(world.update(2, &template(&["A=2", "B"]), &stack)),
        );
        let outcome = world.run(&job).await;
        assert!(
            matches!(
                outcome,
                Outcome::Applied {
                    no_changes: false,
                    ..
                }
            ),
            "{outcome:?}"
        );
        assert_eq!(world.aws.content(stack.as_str()), ["A", "B"]);
        assert_eq!((world.executions(1), world.executions(2)), (1, 1));
        let made = world
            .log
            .steps()
            .into_iter()
            .filter(|step| matches!(step, Step::CreateChangeSet { .. }));
        assert_eq!(made.count(), 2, "an old state is not taken for the end");
        assert_eq!(
            world.status(&stack),
            StackStatus::UpdateComplete,
            "told only when it was true"
        );
        let outcome = world.run(&world.lease(3, 1, World::destroy(Some(&stack)))).await;
        assert_eq!(outcome, Outcome::Gone { stack: Some(stack) });
    }
}

/// A world in which deployment 2 was executed by an attempt that died, and AWS shows nothing of it yet.
async fn executed_a_moment_ago(describe: u32, events: u32) -> (World, StackArn, Work) {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let work = Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack));
    world.aws.lag(describe);
    world.aws.lag_events(events);
    world.aws.speed(1);
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let job = world.lease(2, 1, work.clone());
    let dies = async {
        while line.count(Call::ExecuteChangeSet) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        end = world.over(&line, &job, &stop) => panic!("{end:?}"),
        () = dies => {}
    }
    assert_eq!(world.executions(2), 1);
    (world, stack, work)
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_is_not_misled_by_late_answers() {
    for describe in [0, 1, 4, 9] {
        for events in [0, 1, 3] {
            let name = format!("{describe} {events}");
            let (world, stack, work) = executed_a_moment_ago(describe, events).await;
            let outcome = world.run(&world.lease(2, 2, work)).await;
            assert!(matches!(outcome, Outcome::Applied { .. }), "{name}: {outcome:?}");
            assert_eq!(
                world.status(&stack),
                StackStatus::UpdateComplete,
                "{name}: told only when it was true"
            );
            assert_eq!(world.executions(2), 1, "{name}");
            assert!(world.aws.live_change_sets().is_empty(), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_is_not_misled_by_late_answers() {
    for (describe, events) in [(0, 0), (0, 3), (1, 0), (1, 1), (4, 1)] {
        let name = format!("{describe} {events}");
        let (world, stack, _) = executed_a_moment_ago(describe, events).await;
        world.aws.speed(0);
        world.hub.refuse(job_id(2));
        let job = world.lease_as(52, 2, 1, World::revoke(Some(&stack), false));
        let line = Line::default();
        let (_brake, stop) = Stop::new();
        let go_on = async {
            while line.count(Call::CancelUpdate) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            world.aws.speed(1);
            std::future::pending::<()>().await;
        };
        let end = tokio::select! {
            end = world.over(&line, &job, &stop) => end.unwrap().unwrap(),
            () = go_on => unreachable!(),
        };
        assert_eq!(failure(end).kind, FailureKind::StackFailed, "{name}");
        assert_eq!(
            world.status(&stack),
            StackStatus::UpdateRollbackComplete,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_before_the_call() {
    for steps in 0..3 {
        let world = World::new();
        let stack = world.made(1, &["A"]).await;
        world.log.full_after(world.log.steps().len() + steps);
        let job = world.lease(
            2,
            1,
            Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
        );
        let (_brake, stop) = Stop::new();
        let line = Line::default();
        let end = world.over(&line, &job, &stop).await.unwrap();
        assert_eq!(end, Err(Stopped::Draining), "{steps}");
        let changed = line
            .calls()
            .iter()
            .filter(|call| call.changes() || **call == Call::Authorise)
            .count();
        assert_eq!(changed, steps, "as many calls as steps that were written");
        assert_eq!(world.executions(2), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_hub_nothing_is_executed() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let line = Line::default();
    line.fault(Some(Call::Authorise), 0, 1, Effect::LoseReply);
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
    );
    let (_brake, stop) = Stop::new();
    assert_eq!(
        world.over(&line, &job, &stop).await.unwrap(),
        Err(Stopped::HubUnavailable)
    );
    assert_eq!(world.executions(2), 0);
    assert!(world.aws.live_change_sets().is_empty());
    let outcome = world.run(&world.lease(2, 2, job.work)).await;
    assert!(matches!(outcome, Outcome::Applied { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_takes_the_change_set_back() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
    );
    world.hub.refuse(job_id(2));
    let (_brake, stop) = Stop::new();
    let end = world.over(&Line::default(), &job, &stop).await.unwrap();
    assert_eq!(end, Err(Stopped::Fenced));
    assert!(world.aws.live_change_sets().is_empty());
    assert_eq!(world.aws.content(stack.as_str()), ["A"]);
}

#[tokio::test(start_paused = true)]
async fn the_brake_is_felt_at_once_and_everywhere() {
    let world = World::new();
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    assert_eq!(world.run_until(&job, Brake::fence).await, Err(Stopped::Fenced));
    assert_eq!(world.run_until(&job, Brake::drain).await, Err(Stopped::Draining));
    let both = |brake: &Brake| {
        brake.fence();
        brake.drain();
    };
    assert_eq!(
        world.run_until(&job, both).await,
        Err(Stopped::Fenced),
        "never goes back"
    );
    assert!(world.aws.stack_arns().is_empty());
    // At any moment of a run: it ends at once, and the next attempt finishes.
    for order in [Brake::fence, Brake::drain] {
        for millis in (0..8_000).step_by(250) {
            let world = World::new();
            let line = Line::default();
            line.delay(millis + 7, Duration::from_secs(20));
            let (brake, stop) = Stop::new();
            let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A", "B"]))));
            let pull = async {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                order(&brake);
                std::future::pending::<()>().await;
            };
            let end = tokio::select! {
                end = world.over(&line, &job, &stop) => end.unwrap(),
                () = pull => unreachable!(),
            };
            if end.is_ok() {
                continue;
            }
            let outcome = world.run(&world.lease(1, 2, job.work)).await;
            assert!(
                matches!(outcome, Outcome::Applied { .. }),
                "{millis}: {outcome:?}"
            );
            assert_eq!(world.executions(1), 1, "{millis}");
            assert!(world.aws.live_change_sets().is_empty(), "{millis}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_falls_while_preparing_asks_for_no_leave() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let before = world.log.steps().len();
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
    );
    let line = Line::default();
    let (brake, stop) = Stop::new();
    let pull = async {
        while line.count(Call::ChangeSet) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        brake.fence();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        end = world.over(&line, &job, &stop) => assert_eq!(end, Some(Err(Stopped::Fenced))),
        () = pull => unreachable!(),
    }
    assert_eq!(
        (line.count(Call::Authorise), line.count(Call::ExecuteChangeSet)),
        (0, 0)
    );
    let steps = &world.log.steps()[before..];
    assert!(
        !steps
            .iter()
            .any(|step| matches!(step, Step::AuthoriseExecute { .. })),
        "{steps:?}"
    );
    assert!(world.aws.live_change_sets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn change_sets_that_keep_vanishing_are_given_up() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let line = Line::default();
    let gone = crate::aws::AwsError::coded("ChangeSetNotFound", "gone");
    line.fault(Some(Call::ExecuteChangeSet), 0, 1_000, Effect::Error(gone));
    let (_brake, stop) = Stop::new();
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
    );
    let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
    assert_eq!(found.kind, FailureKind::ForeignOperation);
    assert_eq!(line.count(Call::ExecuteChangeSet), world.settings.plans as usize);
    assert_eq!(world.executions(2), 0);
    assert!(world.aws.live_change_sets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_never_ends_meets_the_deadline() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world.aws.speed(0);
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
    );
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
    assert_eq!((found.kind, &found.stack), (FailureKind::Deadline, &Some(stack)));
    // Two hours at one look in five seconds, and two calls a look.
    assert!(line.calls().len() < 3_000, "{}", line.calls().len());
}
