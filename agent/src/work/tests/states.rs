//! Each row of the table of states, carried out.

use super::*;
use crate::fake::{Call, Happening};
use crate::work::Step;

const TARGET: (&str, &str) = ("hadron:target", "tgt_1");

fn applied(outcome: &Outcome) -> &StackArn {
    match outcome {
        Outcome::Applied { stack, .. } => stack,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn creates_what_is_not_there() {
    let world = World::new();
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A", "B"]))));
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let outcome = world.over(&line, &job, &stop).await.unwrap().unwrap();
    let Outcome::Applied {
        stack,
        outputs,
        resources,
        no_changes,
    } = &outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((outputs.len(), resources.len(), no_changes), (1, 2, &false));
    assert_eq!(stack.name(), NAME);
    // Exactly the job's.
    assert_eq!(
        world.aws.tags(stack.as_str()),
        [("hadron:target".to_owned(), "tgt_1".to_owned())]
    );
    assert_eq!(
        world.aws.executed()[0].change_set,
        format!("hadron-{}-a1", tag(1))
    );
    assert_eq!(world.executions(1), 1);
    assert!(world.aws.live_change_sets().is_empty());
    let granted = world.hub.granted();
    let [(_, Act::Execute { changes, .. })] = granted.as_slice() else {
        panic!("{granted:?}")
    };
    assert_eq!(changes.len(), 2);
    let events = world.hub.received();
    assert_eq!(
        events.first().map(|event| event.status.as_str()),
        Some("CREATE_IN_PROGRESS"),
        "{events:?}"
    );
    assert_eq!(
        events.last().map(|event| event.status.as_str()),
        Some("CREATE_COMPLETE")
    );
    // What could still change the stack is taken away before it is looked at.
    assert_eq!(line.calls()[..2], [Call::ChangeSets, Call::Describe]);
    // Calls besides looking while something runs.
    let looking = [Call::Describe, Call::Events, Call::ChangeSet, Call::PostEvents];
    let rest = line.calls().iter().filter(|call| !looking.contains(call)).count();
    assert_eq!(rest, 1 + 1 + 1 + 1 + 1 + 1, "{:?}", line.calls());
    assert!(line.calls().len() <= 24, "{:?}", line.calls());
}

#[tokio::test(start_paused = true)]
async fn updates_and_says_when_nothing_changes() {
    let world = World::new();
    let stack = world.made(1, &["A", "B"]).await;
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2", "C"]), &stack)),
    );
    assert_eq!(applied(&world.run(&job).await), &stack);
    assert_eq!(world.aws.content(stack.as_str()), ["A", "C"]);
    let job = world.lease(
        3,
        1,
        Work::ApplyStack(world.update(3, &template(&["A=2", "C"]), &stack)),
    );
    let outcome = world.run(&job).await;
    assert!(
        matches!(outcome, Outcome::Applied { no_changes: true, .. }),
        "{outcome:?}"
    );
    assert_eq!(
        (world.executions(1), world.executions(2), world.executions(3)),
        (1, 1, 0)
    );
    assert!(world.aws.live_change_sets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_template_goes_through_the_bucket() {
    let world = World::new();
    let topics: Vec<String> = (0..1_200).map(|n| format!("T{n}={}", "x".repeat(10))).collect();
    let text = template(&topics.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.len() > 51_200);
    let mut world = world;
    world.settings.poll.first = std::time::Duration::from_millis(1);
    world.aws.speed(5_000);
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &text)));
    applied(&world.run(&job).await);
    let objects = world.aws.objects();
    assert_eq!(objects.len(), 1);
    assert!(
        objects[0].contains("/hadron-templates-111122223333-eu-central-1/sha256/"),
        "{objects:?}"
    );
    assert!(
        world
            .log
            .steps()
            .iter()
            .any(|step| matches!(step, Step::CreateBucket { .. }))
    );
    assert!(
        world.hub.received().len() > 2_400,
        "all pages arrive: {}",
        world.hub.received().len()
    );
}

#[tokio::test(start_paused = true)]
async fn another_template_than_the_named_one_is_refused() {
    let world = World::new();
    let work = world.apply(1, &template(&["A"]));
    world.hub.template_of(job_id(1), &template(&["Evil"]));
    let failure = failure(world.run(&world.lease(1, 1, Work::ApplyStack(work))).await);
    assert_eq!(failure.kind, FailureKind::Other);
    assert!(world.aws.stack_arns().is_empty());
}

#[tokio::test(start_paused = true)]
async fn review_in_progress_is_reused_and_purged() {
    let world = World::new();
    let stack = world.aws.arrange(NAME, StackStatus::ReviewInProgress, &[], &[]);
    world
        .aws
        .arrange_change_set(&stack, "hadron-00000000-0000-0000-0000-000000000000-a1");
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    assert_eq!(applied(&world.run(&job).await), &stack, "the same incarnation");
    assert!(world.aws.live_change_sets().is_empty());
    assert_eq!(world.aws.content(stack.as_str()), ["A"]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_change_set_under_review_is_left_alone() {
    let world = World::new();
    let stack = world.aws.arrange(NAME, StackStatus::ReviewInProgress, &[], &[]);
    world.aws.arrange_change_set(&stack, "by-hand");
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    assert_eq!(failure(world.run(&job).await).kind, FailureKind::ForeignOperation);
    assert_eq!(world.aws.live_change_sets(), ["by-hand"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_attempt_applied_is_reported_and_not_repeated() {
    for status in [StackStatus::CreateComplete, StackStatus::UpdateComplete] {
        let world = World::new();
        let stack = world.aws.arrange(NAME, status.clone(), &[TARGET], &["A"]);
        world.aws.arrange_event(&stack, status.as_str(), &exec_token(1));
        let job = world.lease(1, 2, Work::ApplyStack(world.apply(1, &template(&["A"]))));
        assert_eq!(applied(&world.run(&job).await), &stack, "{status}");
        assert!(world.aws.executed().is_empty() && world.hub.granted().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_did_after_an_execution_is_neither_reported_as_ours_nor_undone() {
    use FailureKind::{ForeignOperation, StackFailed};
    for (status, token, kind) in [
        (
            StackStatus::UpdateComplete,
            "by-hand".to_owned(),
            ForeignOperation,
        ),
        (StackStatus::UpdateComplete, String::new(), ForeignOperation),
        // A cancellation that stalled.
        (
            StackStatus::UpdateRollbackComplete,
            format!("hadron-{}-cancel", tag(1)),
            StackFailed,
        ),
    ] {
        for revokes in [false, true] {
            let name = format!("{status} {token} {revokes}");
            let world = World::new();
            let stack = world.aws.arrange(NAME, status.clone(), &[TARGET], &["A"]);
            world.aws.arrange_event(&stack, "UPDATE_COMPLETE", &exec_token(2));
            world.aws.arrange_event(&stack, status.as_str(), &token);
            let job = if revokes {
                world.lease_as(52, 2, 1, World::revoke(Some(&stack), false))
            } else {
                let work = world.update(2, &template(&["A=2"]), &stack);
                world.lease(2, 2, Work::ApplyStack(work))
            };
            let found = failure(world.run(&job).await);
            assert_eq!(found.kind, kind, "{name}: {}", found.message);
            assert_eq!(found.stack, Some(stack), "{name}");
            assert!(
                world.aws.executed().is_empty() && world.hub.granted().is_empty(),
                "{name}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_leaves_a_newer_operation_alone() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world
        .aws
        .arrange_event(&stack, "UPDATE_IN_PROGRESS", &exec_token(2));
    world.aws.speed(0);
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let job = world.lease_as(51, 1, 1, World::revoke(Some(&stack), false));
    let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
    assert_eq!(found.kind, FailureKind::ForeignOperation);
    assert_eq!(line.count(Call::CancelUpdate), 0);
}

#[tokio::test(start_paused = true)]
async fn the_newest_operation_shows_under_a_flood_of_events() {
    let topics: Vec<String> = (0..600).map(|n| format!("T{n}")).collect();
    let all: Vec<&str> = topics.iter().map(String::as_str).collect();
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world.aws.speed(1);
    let job = world.lease(4, 1, Work::ApplyStack(world.update(4, &template(&all), &stack)));
    let line = Line::default();
    let (brake, stop) = Stop::new();
    let drain = async {
        while line.count(Call::ExecuteChangeSet) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        brake.drain();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        end = world.over(&line, &job, &stop) => assert_eq!(end, Some(Err(Stopped::Draining))),
        () = drain => unreachable!(),
    }
    assert_eq!(world.status(&stack), StackStatus::UpdateInProgress);
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let job = world.lease(5, 1, World::destroy(Some(&stack)));
    let outcome = world.over(&line, &job, &stop).await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Gone { stack: Some(stack) });
    assert_eq!(line.count(Call::CancelUpdate), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_proton_made_is_known_by_its_arn() {
    let world = World::new();
    let tags = [("proton:environment", "arn:aws:proton:x")];
    let stack = world
        .aws
        .arrange(NAME, StackStatus::UpdateComplete, &tags, &["A"]);
    // By name nothing says that it is ours.
    assert_eq!(
        world.run(&world.lease(1, 1, World::destroy(None))).await,
        Outcome::Gone { stack: None }
    );
    let text = template(&["A", "B"]);
    for (n, unchanged) in [(2, false), (3, true)] {
        let job = world.lease(n, 1, Work::ApplyStack(world.update(n, &text, &stack)));
        let outcome = world.run(&job).await;
        assert!(
            matches!(outcome, Outcome::Applied { no_changes, .. } if no_changes == unchanged),
            "{n}: {outcome:?}"
        );
    }
    // Only now it has the job's tags.
    assert_eq!(
        world.run(&world.lease(4, 1, World::destroy(None))).await,
        Outcome::Gone { stack: Some(stack) }
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_this_name_that_nobody_told_us_of_is_a_conflict() {
    for status in [
        StackStatus::CreateComplete,
        StackStatus::UpdateComplete,
        StackStatus::ImportComplete,
        StackStatus::UpdateRollbackComplete,
        StackStatus::UpdateRollbackFailed,
        StackStatus::UpdateFailed,
        StackStatus::ImportRollbackFailed,
        StackStatus::RollbackComplete,
        StackStatus::CreateFailed,
        StackStatus::DeleteFailed,
    ] {
        let world = World::new();
        let stack = world
            .aws
            .arrange(NAME, status.clone(), &[("owner", "alice")], &["A"]);
        let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A=2"]))));
        let failure = failure(world.run(&job).await);
        assert_eq!(failure.kind, FailureKind::ForeignOperation, "{status}");
        assert_eq!(failure.stack, None, "nobody must take it for ours");
        assert!(failure.message.contains(stack.as_str()), "{}", failure.message);
        assert_eq!(world.status(&stack), status, "untouched");
        assert!(world.hub.granted().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_stack_of_another_target_is_not_ours() {
    let world = World::new();
    let tags = [("hadron:target", "tgt_2")];
    let stack = world.aws.arrange(NAME, StackStatus::RollbackComplete, &tags, &[]);
    let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A"]))));
    assert_eq!(failure(world.run(&job).await).kind, FailureKind::ForeignOperation);
    assert_eq!(world.status(&stack), StackStatus::RollbackComplete);
}

#[tokio::test(start_paused = true)]
async fn a_first_create_that_fails_is_reported_and_the_next_deployment_replaces_it() {
    let world = World::new();
    world.aws.fail(
        "B",
        Happening::Create,
        1,
        "Resource handler returned message: name taken",
    );
    let job = world.lease(
        1,
        1,
        Work::ApplyStack(world.apply(1, &template(&["A", "B", "C"]))),
    );
    let found = failure(world.run(&job).await);
    assert_eq!(found.kind, FailureKind::StackFailed);
    assert_eq!(
        found.message,
        "B (AWS::SNS::Topic): Resource handler returned message: name taken"
    );
    assert_eq!(found.stack_status.as_deref(), Some("ROLLBACK_COMPLETE"));
    let first = found.stack.unwrap();
    // A second attempt of the same deployment tells the same, and does not try again.
    let job = world.lease(1, 2, job.work);
    let again = failure(world.run(&job).await);
    assert_eq!(
        (again.kind, &again.message),
        (FailureKind::StackFailed, &found.message)
    );
    assert_eq!(world.executions(1), 1);
    // The next one may know the ARN or not.
    for (n, known) in [(2, Some(&first)), (3, None)] {
        let world = World::new();
        world.aws.fail("B", Happening::Create, 1, "no");
        let job = world.lease(1, 1, Work::ApplyStack(world.apply(1, &template(&["A", "B"]))));
        let first = failure(world.run(&job).await).stack.unwrap();
        let work = ApplyStack {
            stack_arn: known.map(|_| first.clone()),
            ..world.apply(n, &template(&["A", "B"]))
        };
        let job = world.lease(n, 1, Work::ApplyStack(work));
        let second = applied(&world.run(&job).await).clone();
        assert_ne!(first, second);
        assert_eq!(world.status(&first), StackStatus::DeleteComplete);
        let granted = world.hub.granted();
        assert!(
            matches!(&granted[1].1, Act::Delete { stack } if *stack == first),
            "{granted:?}"
        );
        assert_eq!(world.aws.stack_arns(), [second]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_stack_that_once_worked_is_not_replaced() {
    for status in [
        StackStatus::RollbackComplete,
        StackStatus::RollbackFailed,
        StackStatus::CreateFailed,
    ] {
        let world = World::new();
        let stack = world.aws.arrange(NAME, status.clone(), &[TARGET], &["A"]);
        let job = world.lease(1, 1, Work::ApplyStack(world.update(1, &template(&["A"]), &stack)));
        assert_eq!(
            failure(world.run(&job).await).kind,
            FailureKind::RollbackFailed,
            "{status}"
        );
        assert_eq!(world.status(&stack), status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_stack_that_is_gone_has_vanished() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world.aws.set_status(&stack, StackStatus::DeleteComplete);
    let job = world.lease(2, 1, Work::ApplyStack(world.update(2, &template(&["B"]), &stack)));
    assert_eq!(failure(world.run(&job).await).kind, FailureKind::StackVanished);
    assert!(world.aws.stack_arns().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_update_that_fails_is_rolled_back_and_told() {
    let world = World::new();
    let stack = world.made(1, &["A", "B"]).await;
    world.aws.fail("A", Happening::Update, 1, "quota");
    let work = world.update(2, &template(&["A=2", "B=2"]), &stack);
    let found = failure(
        world
            .run(&world.lease(2, 1, Work::ApplyStack(work.clone())))
            .await,
    );
    assert_eq!(
        (found.kind, found.message.as_str()),
        (FailureKind::StackFailed, "A (AWS::SNS::Topic): quota")
    );
    assert_eq!(found.stack_status.as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
    // A later attempt of the same deployment finds it on the events and does not try again.
    let again = failure(world.run(&world.lease(2, 2, Work::ApplyStack(work))).await);
    assert_eq!(
        (again.kind, again.message.as_str()),
        (FailureKind::StackFailed, "A (AWS::SNS::Topic): quota")
    );
    assert_eq!(world.executions(2), 1);
    // A new deployment may go on from there.
    let job = world.lease(
        3,
        1,
        Work::ApplyStack(world.update(3, &template(&["A=2"]), &stack)),
    );
    applied(&world.run(&job).await);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_fails_is_continued_twice_at_most() {
    for (stuck, ends_well) in [(1, true), (2, true), (3, false)] {
        let world = World::new();
        let stack = world.made(1, &["A"]).await;
        world.aws.fail("A", Happening::Update, 1, "quota");
        world.aws.fail("A", Happening::Rollback, stuck, "still in use");
        let job = world.lease(
            2,
            1,
            Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
        );
        let line = Line::default();
        let (_brake, stop) = Stop::new();
        let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
        let kind = if ends_well {
            FailureKind::StackFailed
        } else {
            FailureKind::RollbackFailed
        };
        assert_eq!(found.kind, kind, "{stuck}: {}", found.message);
        assert!(found.message.contains("quota"), "{}", found.message);
        assert_eq!(line.count(Call::ContinueRollback), (stuck as usize).min(2));
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_deployment_left_half_rolled_back_is_brought_in_order_first() {
    for status in [StackStatus::UpdateRollbackFailed, StackStatus::UpdateFailed] {
        let world = World::new();
        let stack = world.aws.arrange(NAME, status.clone(), &[TARGET], &["A"]);
        let job = world.lease(
            1,
            1,
            Work::ApplyStack(world.update(1, &template(&["A", "B"]), &stack)),
        );
        applied(&world.run(&job).await);
        assert_eq!(world.aws.content(stack.as_str()), ["A", "B"], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_deletion_blocks_deployments() {
    let world = World::new();
    let stack = world
        .aws
        .arrange(NAME, StackStatus::DeleteFailed, &[TARGET], &["A"]);
    let job = world.lease(1, 1, Work::ApplyStack(world.update(1, &template(&["A"]), &stack)));
    assert_eq!(failure(world.run(&job).await).kind, FailureKind::DeleteFailed);
}

#[tokio::test(start_paused = true)]
async fn our_own_running_operation_is_waited_for() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world.aws.fail("none", Happening::Create, 0, "");
    let work = Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack));
    // Attempt 1 executes and dies.
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let job = world.lease(2, 1, work.clone());
    let calls = {
        let world = World::new();
        let stack = world.made(1, &["A"]).await;
        let line = Line::default();
        let (_brake, stop) = Stop::new();
        let job = world.lease(
            2,
            1,
            Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
        );
        world.over(&line, &job, &stop).await.unwrap().unwrap();
        line.calls()
    };
    let execute = calls
        .iter()
        .position(|call| *call == Call::ExecuteChangeSet)
        .unwrap()
        + 1;
    line.die_at(execute, crate::fake::When::After);
    assert!(world.over(&line, &job, &stop).await.is_none());
    assert!(world.status(&stack).is_moving());
    applied(&world.run(&world.lease(2, 2, work)).await);
    assert_eq!(world.executions(2), 1);
    assert_eq!(world.hub.granted().len(), 2, "no second leave was asked for");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_operation_is_waited_for_until_the_deadline() {
    for status in [
        StackStatus::UpdateInProgress,
        StackStatus::CreateInProgress,
        StackStatus::UpdateCompleteCleanupInProgress,
        StackStatus::ImportInProgress,
        StackStatus::Unknown("REFACTOR_IN_PROGRESS".to_owned()),
    ] {
        let world = World::new();
        let stack = world.aws.arrange(NAME, status.clone(), &[TARGET], &["A"]);
        world.aws.speed(0);
        let job = world.lease(
            1,
            1,
            Work::ApplyStack(world.update(1, &template(&["A", "B"]), &stack)),
        );
        let found = failure(world.run(&job).await);
        assert!(
            matches!(found.kind, FailureKind::ForeignOperation | FailureKind::Deadline),
            "{status}: {:?}",
            found.kind
        );
        assert_eq!(found.stack.as_ref(), Some(&stack));
        assert!(world.aws.executed().is_empty());
    }
    // It ends in time: the deployment goes on.
    let world = World::new();
    let stack = world
        .aws
        .arrange(NAME, StackStatus::UpdateInProgress, &[TARGET], &["A"]);
    let job = world.lease(
        1,
        1,
        Work::ApplyStack(world.update(1, &template(&["A", "B"]), &stack)),
    );
    let ends = async {
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        world.aws.set_status(&stack, StackStatus::UpdateComplete);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = world.run(&job) => { applied(&outcome); }
        () = ends => unreachable!(),
    }
}

#[tokio::test(start_paused = true)]
async fn destroys_by_arn_and_only_after_leave() {
    for status in StackStatus::ALL
        .iter()
        .filter(|status| !status.is_moving() && !matches!(status, StackStatus::DeleteComplete))
    {
        let world = World::new();
        let stack = world.aws.arrange(NAME, status.clone(), &[TARGET], &["A"]);
        let outcome = world.run(&world.lease(1, 1, World::destroy(Some(&stack)))).await;
        assert_eq!(
            outcome,
            Outcome::Gone {
                stack: Some(stack.clone())
            },
            "{status}"
        );
        assert!(
            matches!(&world.hub.granted()[..], [(_, Act::Delete { stack: condemned })] if *condemned == stack)
        );
        assert_eq!(world.status(&stack), StackStatus::DeleteComplete);
    }
}

#[tokio::test(start_paused = true)]
async fn destroying_what_is_not_there_or_not_ours_does_nothing() {
    let world = World::new();
    assert_eq!(
        world.run(&world.lease(1, 1, World::destroy(None))).await,
        Outcome::Gone { stack: None }
    );
    let other = world
        .aws
        .arrange(NAME, StackStatus::CreateComplete, &[("owner", "alice")], &["A"]);
    assert_eq!(
        world.run(&world.lease(2, 1, World::destroy(None))).await,
        Outcome::Gone { stack: None }
    );
    assert_eq!(world.status(&other), StackStatus::CreateComplete);
    assert!(world.hub.granted().is_empty());
    // Found by name, and tagged by us.
    let world = World::new();
    let ours = world
        .aws
        .arrange(NAME, StackStatus::CreateComplete, &[TARGET], &["A"]);
    let outcome = world.run(&world.lease(1, 1, World::destroy(None))).await;
    assert_eq!(outcome, Outcome::Gone { stack: Some(ours) });
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_names_the_resources_and_can_leave_them_behind() {
    let world = World::new();
    let stack = world.made(1, &["A", "B"]).await;
    world.aws.fail("B", Happening::Delete, 2, "bucket not empty");
    let found = failure(world.run(&world.lease(2, 1, World::destroy(Some(&stack)))).await);
    assert_eq!(found.kind, FailureKind::DeleteFailed);
    assert_eq!(found.message, "B (AWS::SNS::Topic): bucket not empty");
    assert!(
        found
            .resources
            .iter()
            .any(|resource| resource.status == "DELETE_FAILED")
    );
    // The same deployment says the same; a new one tries again, and again fails.
    let again = failure(world.run(&world.lease(2, 2, World::destroy(Some(&stack)))).await);
    assert_eq!(
        (again.kind, again.message),
        (FailureKind::DeleteFailed, found.message.clone())
    );
    let third = failure(world.run(&world.lease(3, 1, World::destroy(Some(&stack)))).await);
    assert_eq!(third.message, found.message);
    // The operator's choice.
    let Work::DestroyStack(mut work) = World::destroy(Some(&stack)) else {
        unreachable!()
    };
    work.retain_resources = vec!["B".to_owned()];
    let outcome = world.run(&world.lease(4, 1, Work::DestroyStack(work))).await;
    assert_eq!(outcome, Outcome::Gone { stack: Some(stack) });
}

#[tokio::test(start_paused = true)]
async fn destroying_takes_change_sets_away_first() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world
        .aws
        .arrange_change_set(&stack, &format!("hadron-{}-a1", tag(7)));
    let job = world.lease(2, 1, World::destroy(Some(&stack)));
    world.run(&job).await;
    let steps = world.log.steps();
    let at = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
    assert!(
        at(|step| matches!(step, Step::DeleteChangeSet { .. }))
            < at(|step| matches!(step, Step::AuthoriseDelete { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn revoking_what_was_not_executed() {
    // Nothing there at all.
    let world = World::new();
    let outcome = world
        .run(&world.lease_as(51, 1, 1, World::revoke(None, true)))
        .await;
    assert_eq!(outcome, Outcome::Revoked { stack: None });
    // A prepared create: change set and husk go.
    let world = World::new();
    let stack = world.aws.arrange(NAME, StackStatus::ReviewInProgress, &[], &[]);
    world
        .aws
        .arrange_change_set(&stack, &format!("hadron-{}-a1", tag(1)));
    let outcome = world
        .run(&world.lease_as(51, 1, 1, World::revoke(None, true)))
        .await;
    assert_eq!(outcome, Outcome::Revoked { stack: None });
    assert_eq!(world.status(&stack), StackStatus::DeleteComplete);
    // Without leave the husk stays; nothing was executed all the same.
    let world = World::new();
    let stack = world.aws.arrange(NAME, StackStatus::ReviewInProgress, &[], &[]);
    world.hub.refuse(job_id(51));
    let outcome = world
        .run(&world.lease_as(51, 1, 1, World::revoke(None, true)))
        .await;
    assert_eq!(outcome, Outcome::Revoked { stack: Some(stack) });
    // A prepared update: the stack stays, and whoever's change set is on it goes.
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world
        .aws
        .arrange_change_set(&stack, &format!("hadron-{}-a1", tag(2)));
    world
        .aws
        .arrange_change_set(&stack, &format!("hadron-{}-a1", tag(3)));
    let outcome = world
        .run(&world.lease_as(52, 2, 1, World::revoke(Some(&stack), false)))
        .await;
    assert_eq!(
        outcome,
        Outcome::Revoked {
            stack: Some(stack.clone())
        }
    );
    assert!(world.aws.live_change_sets().is_empty());
    assert_eq!(world.aws.content(stack.as_str()), ["A"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_on_an_empty_stack_that_is_being_deleted() {
    // An older deployment failed; its agent got leave, stalled, and wakes up after the cancellation of the newer one got
    // leave to delete the empty stack.
    let prepare = |world: &World| {
        let stack = world.aws.arrange(NAME, StackStatus::ReviewInProgress, &[], &[]);
        let old = world
            .aws
            .arrange_change_set(&stack, &format!("hadron-{}-a1", tag(1)));
        (stack, old)
    };
    let world = World::new();
    prepare(&world);
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let job = world.lease_as(52, 2, 1, World::revoke(None, true));
    world.over(&line, &job, &stop).await.unwrap().unwrap();
    let delete = line
        .calls()
        .iter()
        .position(|call| *call == Call::DeleteStack)
        .unwrap();

    let world = World::new();
    let (stack, old) = prepare(&world);
    let line = Line::default();
    line.die_at(delete + 1, crate::fake::When::Before);
    let job = world.lease_as(52, 2, 1, World::revoke(None, true));
    assert!(world.over(&line, &job, &stop).await.is_none());
    assert!(matches!(&world.hub.granted()[..], [(_, Act::Delete { .. })]));
    let late = crate::aws::Stacks::execute_change_set(&world.aws, &old, &exec_token(1)).await;
    assert_eq!(late.unwrap_err().kind, crate::aws::Kind::NotFound);
    let outcome = world
        .run(&world.lease_as(52, 2, 2, World::revoke(None, true)))
        .await;
    assert_eq!(outcome, Outcome::Revoked { stack: None });
    assert!(world.aws.executed().is_empty());
    assert_eq!(world.status(&stack), StackStatus::DeleteComplete);
}

#[tokio::test(start_paused = true)]
async fn revoking_tells_what_was_executed() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let outcome = world
        .run(&world.lease_as(51, 1, 1, World::revoke(Some(&stack), true)))
        .await;
    assert_eq!(applied(&outcome), &stack);
    // It failed on its own.
    world.aws.fail("A", Happening::Update, 1, "quota");
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
    );
    failure(world.run(&job).await);
    let found = failure(
        world
            .run(&world.lease_as(52, 2, 1, World::revoke(Some(&stack), false)))
            .await,
    );
    assert_eq!(found.kind, FailureKind::StackFailed);
    assert!(
        found.message.starts_with("cancelled while") && found.message.contains("quota"),
        "{}",
        found.message
    );
}

#[tokio::test(start_paused = true)]
async fn revoking_cancels_an_update_that_runs() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world.aws.speed(0);
    let line = Line::default();
    let (brake, stop) = Stop::new();
    let job = world.lease(
        2,
        1,
        Work::ApplyStack(world.update(2, &template(&["A=2"]), &stack)),
    );
    let drain = async {
        while world.aws.status(stack.as_str()) != Some(StackStatus::UpdateInProgress) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        brake.drain();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        end = world.over(&line, &job, &stop) => assert_eq!(end, Some(Err(Stopped::Draining))),
        () = drain => unreachable!(),
    }
    world.aws.speed(1);
    world.hub.refuse(job_id(2));
    let line = Line::default();
    let (_brake, stop) = Stop::new();
    let job = world.lease_as(52, 2, 1, World::revoke(Some(&stack), false));
    let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
    assert_eq!(
        (found.kind, line.count(Call::CancelUpdate)),
        (FailureKind::StackFailed, 1)
    );
    assert_eq!(found.stack_status.as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
    assert_eq!(world.aws.author(stack.as_str()), format!("hadron-{}-a1", tag(1)));
}

#[tokio::test(start_paused = true)]
async fn a_role_is_always_passed() {
    let world = World::new();
    let work = ApplyStack {
        role: None,
        ..world.apply(1, &template(&["A"]))
    };
    let job = world.lease(1, 1, Work::ApplyStack(work));
    assert_eq!(failure(world.run(&job).await).kind, FailureKind::LocalPolicy);
    assert!(world.aws.stack_arns().is_empty());
    let mut world = world;
    world.settings.roles.provisioning = Some(ROLE.parse().unwrap());
    applied(&world.run(&job).await);
}
