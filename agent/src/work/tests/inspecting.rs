//! What a hub that has lost a stretch of time is told about a stack, and what is taken away from it.

use super::*;

fn inspect(stack: Option<&StackArn>) -> Work {
    Work::InspectStack(InspectStack {
        stack_name: NAME.to_owned(),
        stack_arn: stack.cloned(),
    })
}

async fn inspected(world: &World, stack: Option<&StackArn>) -> Inspection {
    let mut job = world.lease(900, 1, inspect(stack));
    job.deployment = None;
    match world.run(&job).await {
        Outcome::Inspected(inspection) => inspection,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_deployment_comes_first() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    let update = world.update(2, &template(&["A", "B"]), &stack);
    world.run(&world.lease(2, 1, Work::ApplyStack(update))).await;
    for known in [Some(&stack), None] {
        let found = inspected(&world, known).await;
        assert_eq!(found.stack, Some((stack.clone(), "UPDATE_COMPLETE".to_owned())));
        let deployments: Vec<_> = found.operations.iter().filter_map(|one| one.deployment).collect();
        assert_eq!(deployments, [deployment(2), deployment(1)]);
        assert_eq!(found.removed, Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_never_was_has_nothing_to_tell() {
    let world = World::new();
    assert_eq!(inspected(&world, None).await, Inspection::default());
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_gone_tells_who_deleted_it() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    world.run(&world.lease(2, 1, World::destroy(Some(&stack)))).await;
    let found = inspected(&world, Some(&stack)).await;
    assert_eq!(found.stack, Some((stack, "DELETE_COMPLETE".to_owned())));
    assert_eq!(
        found.operations.first().and_then(|one| one.deployment),
        Some(deployment(2))
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_prepared_and_not_executed_is_taken_away() {
    let world = World::new();
    let stack = world.made(1, &["A"]).await;
    // Of an agent that got leave to execute it, and stalled before it did; and of somebody else.
    let ours = format!("hadron-{}-a1", tag(2));
    world.aws.arrange_change_set(&stack, &ours);
    world.aws.arrange_change_set(&stack, "by-hand");
    assert_eq!(world.aws.live_change_sets().len(), 2);

    let found = inspected(&world, Some(&stack)).await;
    assert_eq!(found.removed, [ours]);
    assert_eq!(found.stack, Some((stack, "CREATE_COMPLETE".to_owned())));
    assert_eq!(world.aws.live_change_sets().len(), 1, "what others made stays");
    assert_eq!(world.aws.executed().len(), 1, "only the first deployment's");
    // And once more there is nothing to take away.
    assert_eq!(inspected(&world, None).await.removed, Vec::<String>::new());
}
