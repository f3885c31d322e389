//! Records of deployments: whose they are, what they remember, and how they go.

use hadron_management::app::deployments::{Named, environment_of, modified_at};
use hadron_management::app::environments::UpdateMode;
use hadron_management::store::deployments::DeploymentRow;
use hadron_proto::vocab::DeploymentId;

use crate::agent::Agent;
use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, World, asked, current, developer, environment, environment_update, identified,
    instance, owner, pipeline, reason, service_spec,
};

const WEB: &str = "minimal-svc";

/// A service with two instances in two accounts and a pipeline, all deployed.
async fn place(world: &World) -> [Agent; 3] {
    world.templates().await;
    let (_, prd) = world.environment(PRODUCTION, "prd").await;
    let (_, stg) = world.environment(STAGING, "stg").await;
    let hub = world.management_agent().await;
    let spec = service_spec(
        Some("images_kept: 3"),
        &[("blue", "prd", "port: 80"), ("green", "stg", "port: 81")],
    );
    world.create_service("web", WEB, &spec).await.unwrap();
    prd.succeed_all(world).await;
    stg.succeed_all(world).await;
    hub.succeed_all(world).await;
    assert_eq!(world.service_status("web").await, "ACTIVE");
    [prd, stg, hub]
}

fn named(environment: &str, service: &str, instance: &str, component: &str) -> Named {
    fn word<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Option<T> {
        (!text.is_empty()).then(|| text.parse().unwrap())
    }
    Named {
        environment: word(environment),
        service: word(service),
        instance: word(instance),
        component: word(component),
    }
}

async fn list(world: &World, named: &Named) -> Vec<String> {
    let filter = named.filter().unwrap();
    let rows = world
        .app
        .list_deployments(&developer(), filter, String::new(), 100)
        .await
        .unwrap();
    let mut targets: Vec<String> = rows.iter().map(|row| row.target.to_string()).collect();
    targets.sort();
    targets
}

async fn remove(
    world: &World,
    id: DeploymentId,
) -> Result<Option<DeploymentRow>, hadron_management::app::AppError> {
    world
        .app
        .delete_deployment(asked(&developer(), "DeleteDeployment"), id)
        .await
}

scenarios! {
    async fn names_say_whose_deployments_are_meant(world: World) {
        let [..] = place(&world).await;
        let of = async |environment, service, instance, component| list(&world, &named(environment, service, instance, component)).await;
        assert_eq!(of("prd", "", "", "").await, ["environment prd"], "the environment, and nothing that lives in it");
        assert_eq!(of("", "web", "", "").await, ["instance web/blue", "instance web/green", "pipeline web"]);
        assert_eq!(of("", "web", "blue", "").await, ["instance web/blue"]);
        assert_eq!(of("prd", "web", "", "").await, ["instance web/blue"]);
        assert_eq!(of("stg", "web", "blue", "").await, Vec::<String>::new());
        assert_eq!(of("", "", "", "blue").await, Vec::<String>::new(), "an instance is no component");
        assert_eq!(of("", "", "", "").await.len(), 5);
        assert_eq!(reason(named("", "", "blue", "").filter()), "SERVICE_MISSING");
        assert_eq!(reason(named("", "web", "", "bucket").filter()), "TWO_TARGETS");

        let id = world.target(&instance("web", "blue")).await.attempted.unwrap().0;
        let get = async |environment, service, instance| {
            let named = named(environment, service, instance, "");
            world.app.get_named_deployment(&developer(), id, &named).await
        };
        for (environment, service, instance) in [("", "", ""), ("prd", "", ""), ("", "web", ""), ("prd", "web", "blue")] {
            assert_eq!(get(environment, service, instance).await.unwrap().deployment.id, id);
        }
        assert_eq!(reason(get("stg", "", "").await), "NOT_FOUND");
        assert_eq!(reason(get("", "api", "").await), "NOT_FOUND");
        assert_eq!(reason(get("", "web", "green").await), "NOT_FOUND");
        assert_eq!(reason(get("", "", "blue").await), "SERVICE_MISSING");
    }

    async fn a_record_keeps_what_was_and_what_shall_be(world: World) {
        let [prd, ..] = place(&world).await;
        let first = world.last(&instance("web", "blue")).await;
        assert_eq!((first.initial.clone(), first.earlier.attempted, first.earlier.succeeded), (None, None, None));
        let wanted = first.target_state.clone().unwrap();
        assert!(wanted.spec.contains("port: 80"), "{}", wanted.spec);
        assert_eq!(wanted.environment_deployment, world.target(&environment("prd")).await.succeeded.map(|(id, _)| id));
        assert_eq!(wanted.pipeline_deployment, None, "there was no pipeline yet");
        assert_eq!(first.target_created_at, world.target(&instance("web", "blue")).await.created_at);

        let spec = service_spec(None, &[("blue", "prd", "port: 8080"), ("other", "nowhere", "")]);
        let answer = world.update_instance("web", "blue", current(Some(&spec))).await.unwrap();
        assert_eq!(answer.status, "IN_PROGRESS");
        assert!(!answer.spec.contains("8080"), "until it has succeeded, what is deployed is what was");
        prd.fail_one(&world, "no").await;
        let second = world.last(&instance("web", "blue")).await;
        assert_eq!(second.initial, Some(wanted.clone()));
        assert!(second.target_state.clone().unwrap().spec.contains("8080"));
        let pipeline_id = world.target(&pipeline("web")).await.succeeded.map(|(id, _)| id);
        assert_eq!(second.target_state.unwrap().pipeline_deployment, pipeline_id);
        assert_eq!(second.earlier.attempted, Some(first.deployment.id));
        assert_eq!(second.earlier.succeeded, Some(first.deployment.id));

        world.update_instance("web", "blue", current(None)).await.unwrap();
        prd.succeed_all(&world).await;
        let third = world.last(&instance("web", "blue")).await;
        assert_eq!(third.initial, Some(wanted), "the one that failed changed nothing");
        assert_eq!((third.earlier.attempted, third.earlier.succeeded), (Some(second.deployment.id), Some(first.deployment.id)));
        let pipeline = world.last(&pipeline("web")).await;
        assert_eq!(environment_of(&pipeline).unwrap().as_str(), "prd", "the first that it ships to");
    }

    async fn records_of_what_has_ended_are_removed(world: World) {
        let [prd, ..] = place(&world).await;
        let first = world.target(&instance("web", "blue")).await.attempted.unwrap().0;
        world.update_instance("web", "blue", current(None)).await.unwrap();
        let second = world.target(&instance("web", "blue")).await.attempted.unwrap().0;
        assert_eq!(reason(remove(&world, second).await), "DEPLOYMENT_IN_PROGRESS");
        let removed = remove(&world, first).await.unwrap().unwrap();
        assert_eq!((removed.deployment.id, removed.deployment.word()), (first, "SUCCEEDED"));
        assert_eq!(reason(world.app.get_deployment(&developer(), first).await), "NOT_FOUND");
        assert_eq!(reason(remove(&world, first).await), "NOT_FOUND");
        let events = world.rows("SELECT deployment_id AS topic, source AS key, message AS more FROM deployment_event WHERE deployment_id = $1",
            &[first.to_string().into()]).await;
        assert_eq!(events, Vec::<String>::new());
        // What it deployed does not notice.
        assert_eq!(world.target(&instance("web", "blue")).await.succeeded.unwrap().0, first);
        prd.succeed_all(&world).await;
        assert_eq!(world.last(&instance("web", "blue")).await.initial.unwrap().template.unwrap().0.as_str(), WEB);
        world.update_instance("web", "blue", current(None)).await.unwrap();
        prd.succeed_all(&world).await;
        // The same request again removes nothing else.
        let request = || identified(&developer(), "DeleteDeployment", "once", "x");
        assert!(world.app.delete_deployment(request(), second).await.unwrap().is_some());
        assert_eq!(world.app.delete_deployment(request(), second).await.unwrap(), None);
    }

    async fn a_deployment_is_cancelled_by_what_it_deploys(world: World) {
        let [prd, stg, hub] = place(&world).await;
        let cancel = async |target| world.app.cancel_target(asked(&developer(), "CancelDeployment"), &target).await;
        for target in [instance("web", "blue"), pipeline("web"), environment("prd")] {
            assert_eq!(reason(cancel(target).await), "NOTHING_TO_CANCEL");
        }
        assert_eq!(reason(cancel(instance("web", "none")).await), "NOT_FOUND");
        assert_eq!(reason(cancel(pipeline("none")).await), "NOT_FOUND");

        let before = world.target(&instance("web", "blue")).await;
        let spec = service_spec(None, &[("blue", "prd", "port: 8080")]);
        world.update_instance("web", "blue", current(Some(&spec))).await.unwrap();
        let offer = prd.take_stack(&world).await;
        world.app.started(&prd.peer, offer.token).await.unwrap();
        assert_eq!(cancel(instance("web", "blue")).await.unwrap().status, "CANCELLING");
        assert_eq!(cancel(instance("web", "blue")).await.unwrap().status, "CANCELLING", "asked twice is asked once");
        let row = world.last(&instance("web", "blue")).await;
        assert!(modified_at(&row) >= row.created_at && row.ended_at.is_none());
        prd.succeed_all(&world).await;
        let after = world.target(&instance("web", "blue")).await;
        assert_eq!((after.status.as_str(), &after.spec, after.succeeded), ("CANCELLED", &before.spec, before.succeeded));
        assert_eq!(world.last(&instance("web", "blue")).await.ended_at.map(|at| at >= row.created_at), Some(true));

        // Nobody has taken it yet: it is over at once. The owner of the account may do that, too.
        world.update_instance("web", "green", current(None)).await.unwrap();
        assert_eq!(reason(world.app.cancel_target(asked(&owner(PRODUCTION), "Cancel"), &instance("web", "green")).await), "NOT_FOUND");
        let row = world.app.cancel_target(asked(&owner(STAGING), "Cancel"), &instance("web", "green")).await.unwrap();
        assert_eq!(row.status, "CANCELLED");
        world.settle().await;

        world.app.delete_pipeline(asked(&developer(), "DeletePipeline"), "web".parse().unwrap(), Vec::new()).await.unwrap();
        assert_eq!(reason(cancel(pipeline("web")).await), "NOTHING_TO_CANCEL", "a deletion is not cancelled so");
        hub.succeed_all(&world).await;
        assert_eq!(reason(cancel(pipeline("web")).await), "NOT_FOUND");
        world.update_environment(environment_update("stg", UpdateMode::Current)).await.unwrap();
        assert_eq!(cancel(environment("stg")).await.unwrap().status, "CANCELLED");
        drop(stg);
    }

    async fn outputs_are_those_of_the_last_success_or_of_one_deployment(world: World) {
        let [prd, _, hub] = place(&world).await;
        let who = developer();
        let first = world.last(&instance("web", "blue")).await;
        let outputs = async |id| world.app.outputs(&who, &instance("web", "blue"), id).await;
        let names: Vec<String> = outputs(None).await.unwrap().into_keys().collect();
        assert_eq!(names, ["GreetingParameter", "TopicArn", "Endpoint"], "in the order of the stack");
        assert_eq!(outputs(Some(first.deployment.id)).await.unwrap(), first.outputs);
        world.update_instance("web", "blue", current(None)).await.unwrap();
        prd.fail_one(&world, "no").await;
        let failed = world.last(&instance("web", "blue")).await.deployment.id;
        assert_eq!(outputs(None).await.unwrap(), first.outputs);
        assert!(outputs(Some(failed)).await.unwrap().is_empty());
        let other = world.last(&instance("web", "green")).await.deployment.id;
        assert_eq!(reason(outputs(Some(other)).await), "NOT_FOUND");
        assert_eq!(reason(world.app.outputs(&who, &instance("web", "none"), None).await), "NOT_FOUND");
        assert_eq!(world.app.outputs(&who, &environment("prd"), None).await.unwrap().len(), 3);

        let row = world.target(&pipeline("web")).await;
        let stack = world.app.provisioned(&who, &pipeline("web")).await.unwrap();
        assert_eq!(stack.len(), 1);
        assert_eq!((&stack[0].name, &stack[0].identifier), (&row.stack_name, &row.stack_arn.unwrap().to_string()));
        assert_eq!(reason(world.app.provisioned(&owner(STAGING), &environment("prd")).await), "NOT_FOUND");
        assert_eq!(world.app.provisioned(&owner(PRODUCTION), &environment("prd")).await.unwrap().len(), 1);
        world.app.delete_pipeline(asked(&developer(), "DeletePipeline"), "web".parse().unwrap(), Vec::new()).await.unwrap();
        hub.succeed_all(&world).await;
        assert_eq!(reason(world.app.provisioned(&who, &pipeline("web")).await), "NOT_FOUND");
    }
}
