//! Services: the order of instances and pipeline, failures and how to come out of them.

use hadron_domain::service::Part;
use hadron_domain::target::RoleKind;
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::instances::PartUpdate;
use hadron_management::app::work::OfferedWork;
use hadron_management::app::{AppError, ErrorKind};
use hadron_management::store::targets::TargetRow;

use crate::agent::{Agent, stack};
use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, World, archive, asked, current, developer, environment_update, example, instance,
    new_service, pipeline, reason, service_spec, version,
};

const WEB: &str = "minimal-svc";
const PLAIN: &str = "minimal-svc-no-pipeline";

/// Two environments in two accounts, and the management account's agent.
async fn place(world: &World) -> [Agent; 3] {
    world.templates().await;
    let (_, prd) = world.environment(PRODUCTION, "prd").await;
    let (_, stg) = world.environment(STAGING, "stg").await;
    [prd, stg, world.management_agent().await]
}

fn two() -> String {
    service_spec(
        Some("images_kept: 3"),
        &[("blue", "prd", "port: 80"), ("green", "stg", "port: 81")],
    )
}

/// Everything that can be done is done.
async fn everything(world: &World, agents: &[Agent]) {
    for _ in 0..4 {
        for agent in agents {
            agent.succeed_all(world).await;
        }
    }
}

async fn delete_instance(world: &World, name: &str, retain: &[&str]) -> Result<TargetRow, AppError> {
    let request = asked(&developer(), "DeleteServiceInstance");
    let retain = retain.iter().map(|text| (*text).to_owned()).collect();
    let outcome = world
        .app
        .delete_instance(request, "web".parse().unwrap(), name.parse().unwrap(), retain)
        .await;
    world.settle().await;
    outcome
}

async fn update_pipeline(world: &World, update: PartUpdate) -> Result<TargetRow, AppError> {
    world
        .app
        .update_pipeline(
            asked(&developer(), "UpdatePipeline"),
            "web".parse().unwrap(),
            update,
        )
        .await
}

scenarios! {
    async fn instances_first_then_the_pipeline_with_their_outputs(world: World) {
        let [prd, stg, hub] = place(&world).await;
        let made = world.create_service("web", WEB, &two()).await.unwrap();
        assert_eq!((made.service.status.word(), made.instances.len()), ("CREATE_IN_PROGRESS", 2));
        assert_eq!(made.pipeline.unwrap().part, Part::Untouched);
        assert!(hub.take(&world).await.is_empty(), "the pipeline waits for the instances");
        let (blue, green) = (prd.take_stack(&world).await, stg.take_stack(&world).await);
        let OfferedWork::Apply { tags, .. } = &blue.work else { panic!() };
        assert!(tags.iter().any(|(key, value)| key == "proton:service-instance" && value.ends_with("service/web/service-instance/blue")));
        prd.succeed(&world, &blue).await;
        assert!(hub.take(&world).await.is_empty());
        stg.succeed(&world, &green).await;
        let offer = hub.take_stack(&world).await;
        assert_eq!(stack(&offer).role_kind, RoleKind::Pipeline);
        assert_eq!(stack(&offer).role.as_ref().unwrap().to_string(), "arn:aws:iam::111111111111:role/pipelines");
        let (text, _) = world.app.rendered_template(&developer(), offer.deployment.unwrap()).await.unwrap();
        assert!(text.contains("blue@333333333333,green@444444444444") && text.contains("\"countNumber\": 3"), "{text}");
        hub.succeed(&world, &offer).await;
        let view = world.service("web").await;
        assert_eq!((view.service.status.word(), view.service.message.as_str()), ("ACTIVE", ""));
        assert_eq!(view.pipeline.unwrap().status, "SUCCEEDED");
        assert_eq!(reason(world.create_service("web", WEB, &two()).await), "SERVICE_EXISTS");
    }

    async fn a_service_without_a_pipeline(world: World) {
        let [prd, _, hub] = place(&world).await;
        let spec = service_spec(None, &[("blue", "prd", "")]);
        let mut new = new_service("web", PLAIN, &spec);
        new.source.0 = "main".to_owned();
        assert_eq!(reason(world.app.create_service(asked(&developer(), "CreateService"), new).await), "SOURCE_NOT_USED");
        let mut new = new_service("web", WEB, &spec);
        new.source.2 = String::new();
        assert_eq!(reason(world.app.create_service(asked(&developer(), "CreateService"), new).await), "SOURCE_MISSING");
        world.create_service("web", PLAIN, &spec).await.unwrap();
        prd.succeed_all(&world).await;
        assert_eq!(world.service_status("web").await, "ACTIVE");
        assert!(hub.take(&world).await.is_empty());
        assert_eq!(reason(update_pipeline(&world, current(None)).await), "NOT_FOUND");
    }

    async fn faults_of_all_parts_are_told_before_anything_is_stored(world: World) {
        let [..] = place(&world).await;
        let spec = service_spec(None, &[("blue", "prd", "port: many"), ("green", "stg", "desired_count: 99")]);
        let error = world.create_service("web", WEB, &spec).await.unwrap_err();
        assert_eq!(error.reason, "FAULTS");
        assert!(error.message.contains("port") && error.message.contains("desired_count"), "{}", error.message);
        let spec = service_spec(Some("images_kept: 0"), &[("blue", "prd", "")]);
        assert_eq!(reason(world.create_service("web", WEB, &spec).await), "FAULTS");
        let spec = service_spec(None, &[("blue", "nowhere", "")]);
        assert_eq!(reason(world.create_service("web", WEB, &spec).await), "NOT_FOUND");
        world.create_environment("young", None).await.unwrap();
        let spec = service_spec(None, &[("blue", "young", "")]);
        assert_eq!(reason(world.create_service("web", WEB, &spec).await), "ENVIRONMENT_NOT_DEPLOYED");
        assert!(world.app.list_services(&developer(), String::new(), 10).await.unwrap().is_empty());
    }

    async fn an_instance_that_fails_takes_the_pipeline_with_it(world: World) {
        let [prd, stg, hub] = place(&world).await;
        world.create_service("web", WEB, &two()).await.unwrap();
        prd.fail_one(&world, "no capacity").await;
        assert_eq!(world.service_status("web").await, "CREATE_IN_PROGRESS");
        stg.succeed_all(&world).await;
        let view = world.service("web").await;
        assert_eq!(view.service.status.word(), "CREATE_FAILED");
        assert!(view.service.message.contains("no capacity"), "{}", view.service.message);
        let row = view.pipeline.unwrap();
        assert_eq!((row.status.as_str(), row.attempted), ("FAILED", None));
        assert_eq!(row.message, "Service Instance(s): [arn:aws:proton:us-east-1:111111111111:service/web/service-instance/blue] failed \
            to deploy - canceling pipeline deployment");
        assert!(hub.take(&world).await.is_empty());
        // Each part is mended by itself.
        world.update_instance("web", "blue", current(None)).await.unwrap();
        prd.succeed_all(&world).await;
        assert_eq!(world.service_status("web").await, "CREATE_FAILED");
        update_pipeline(&world, current(None)).await.unwrap();
        hub.succeed_all(&world).await;
        assert_eq!(world.service_status("web").await, "ACTIVE");
        assert_eq!(world.service("web").await.service.message, "");
    }

    async fn a_service_that_failed_is_deleted_without_a_deployment_of_its_pipeline(world: World) {
        let [prd, stg, hub] = place(&world).await;
        world.create_service("web", WEB, &two()).await.unwrap();
        assert_eq!(reason(world.delete_service("web").await), "SERVICE_BUSY");
        prd.fail_one(&world, "no").await;
        stg.fail_one(&world, "no").await;
        world.delete_service("web").await.unwrap();
        assert_eq!(world.service_status("web").await, "DELETE_IN_PROGRESS");
        prd.succeed_all(&world).await;
        stg.succeed_all(&world).await;
        assert!(hub.take(&world).await.is_empty());
        assert!(world.app.get_service(&developer(), &"web".parse().unwrap()).await.is_err());
        assert!(world.find(&pipeline("web")).await.is_none());
    }

    async fn a_pipeline_that_fails_can_be_mended(world: World) {
        let [prd, stg, hub] = place(&world).await;
        world.create_service("web", WEB, &two()).await.unwrap();
        prd.succeed_all(&world).await;
        stg.succeed_all(&world).await;
        hub.fail_one(&world, "no such repository").await;
        let view = world.service("web").await;
        assert_eq!((view.service.status.word(), view.pipeline.unwrap().status.as_str()), ("CREATE_FAILED", "FAILED"));
        let spec = service_spec(Some("images_kept: 7"), &[("blue", "prd", "port: 80"), ("green", "stg", "port: 81")]);
        update_pipeline(&world, current(Some(&spec))).await.unwrap();
        let offer = hub.take_stack(&world).await;
        let (text, _) = world.app.rendered_template(&developer(), offer.deployment.unwrap()).await.unwrap();
        assert!(text.contains("\"countNumber\": 7"));
        hub.succeed(&world, &offer).await;
        assert_eq!(world.service_status("web").await, "ACTIVE");
        let deployed = world.target(&pipeline("web")).await;
        assert!(deployed.spec.contains('7'));
    }

    async fn an_update_adds_then_removes_then_deploys_the_pipeline(world: World) {
        let agents = place(&world).await;
        let [prd, stg, hub] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        let spec = service_spec(Some("images_kept: 3"), &[("blue", "prd", "port: 80"), ("red", "prd", "")]);
        world.update_service("web", &spec).await.unwrap();
        assert_eq!(world.service_status("web").await, "UPDATE_IN_PROGRESS");
        assert_eq!(reason(world.update_service("web", &spec).await), "SERVICE_BUSY");
        assert_eq!(reason(update_pipeline(&world, current(None)).await), "SERVICE_BUSY");
        assert_eq!(reason(world.update_instance("web", "green", current(None)).await), "SERVICE_BUSY");
        assert!(stg.take(&world).await.is_empty() && hub.take(&world).await.is_empty());
        prd.succeed_all(&world).await;
        let offer = stg.take_stack(&world).await;
        assert!(matches!(offer.work, OfferedWork::Destroy { .. }));
        assert!(hub.take(&world).await.is_empty());
        stg.succeed(&world, &offer).await;
        assert!(world.find(&instance("web", "green")).await.is_none());
        let offer = hub.take_stack(&world).await;
        let (text, _) = world.app.rendered_template(&developer(), offer.deployment.unwrap()).await.unwrap();
        assert!(text.contains("blue@333333333333,red@333333333333"), "{text}");
        hub.succeed(&world, &offer).await;
        assert_eq!(world.service_status("web").await, "ACTIVE");
    }

    async fn an_added_instance_that_fails_is_removed_again(world: World) {
        let agents = place(&world).await;
        let [prd, stg, hub] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        let before = world.service("web").await.service.spec;
        let spec = service_spec(None, &[("blue", "prd", "port: 80"), ("red", "prd", ""), ("rose", "stg", "")]);
        world.update_service("web", &spec).await.unwrap();
        prd.fail_one(&world, "no capacity").await;
        let rose = stg.take_stack(&world).await;
        stg.succeed(&world, &rose).await;
        assert_eq!(world.service_status("web").await, "UPDATE_FAILED_CLEANUP_IN_PROGRESS");
        prd.succeed_all(&world).await;
        stg.fail_one(&world, "still full").await;
        let view = world.service("web").await;
        assert_eq!((view.service.status.word(), &view.service.spec), ("UPDATE_FAILED_CLEANUP_FAILED", &before));
        assert!(view.service.message.contains("still full"), "{}", view.service.message);
        assert!(hub.take(&world).await.is_empty());
        assert!(world.find(&instance("web", "green")).await.is_some(), "nothing old was deleted");
        // What could not be removed is tried again by the next update.
        let spec = service_spec(None, &[("blue", "prd", "port: 80"), ("green", "stg", "port: 81"), ("grey", "prd", "")]);
        world.update_service("web", &spec).await.unwrap();
        everything(&world, &agents).await;
        assert_eq!(world.service_status("web").await, "ACTIVE");
        assert!(world.find(&instance("web", "rose")).await.is_none());
        assert_eq!(world.service("web").await.instances.len(), 3);

        let spec = service_spec(None, &[("blue", "prd", "port: 80"), ("red", "prd", "")]);
        world.update_service("web", &spec).await.unwrap();
        prd.fail_one(&world, "no capacity").await;
        prd.succeed_all(&world).await;
        let service = world.service("web").await.service;
        assert_eq!(service.status.word(), "UPDATE_FAILED_CLEANUP_COMPLETE");
        assert!(service.message.contains("no capacity"), "the reason outlives the instance: '{}'", service.message);
        assert_eq!(world.service("web").await.instances.len(), 3);
    }

    async fn an_old_instance_that_cannot_be_deleted_does_not_keep_the_update_from_ending(world: World) {
        let agents = place(&world).await;
        let [_, stg, hub] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        world.update_service("web", &service_spec(None, &[("blue", "prd", "port: 80")])).await.unwrap();
        stg.fail_one(&world, "the bucket is not empty").await;
        hub.succeed_all(&world).await;
        assert_eq!(world.service_status("web").await, "UPDATE_COMPLETE_CLEANUP_FAILED");
        // It is deleted by name, leaving the bucket behind.
        delete_instance(&world, "green", &["Bucket"]).await.unwrap();
        let offer = stg.take_stack(&world).await;
        let OfferedWork::Destroy { retain, .. } = &offer.work else { panic!("{offer:?}") };
        assert_eq!(retain, &["Bucket".to_owned()]);
        stg.succeed(&world, &offer).await;
        hub.succeed_all(&world).await;
        assert_eq!(world.service_status("web").await, "ACTIVE");
        assert_eq!(reason(delete_instance(&world, "blue", &[]).await), "LAST_INSTANCE");
        assert_eq!(reason(delete_instance(&world, "green", &[]).await), "NOT_FOUND");
    }

    async fn a_pipeline_that_fails_or_is_cancelled_fails_the_update(world: World) {
        let agents = place(&world).await;
        let [prd, _, hub] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        for cancel in [false, true] {
            let name = if cancel { "rose" } else { "red" };
            let mut instances = vec![("blue", "prd", "port: 80"), ("green", "stg", "port: 81"), ("red", "prd", "")];
            if cancel {
                instances.push(("rose", "prd", ""));
            }
            world.update_service("web", &service_spec(None, &instances)).await.unwrap();
            prd.succeed_all(&world).await;
            let offer = hub.take_stack(&world).await;
            if cancel {
                world.cancel(offer.deployment.unwrap()).await.unwrap();
                hub.succeed_all(&world).await;
            } else {
                let outcome = crate::agent::failed(&offer, hadron_management::app::effects::FailureKind::StackFailed, "no");
                hub.report(&world, &offer, outcome).await;
            }
            assert_eq!(world.service_status("web").await, "UPDATE_FAILED");
            assert_eq!(world.target(&instance("web", name)).await.status, "SUCCEEDED");
            update_pipeline(&world, current(None)).await.unwrap();
            let offer = hub.take_stack(&world).await;
            let (text, _) = world.app.rendered_template(&developer(), offer.deployment.unwrap()).await.unwrap();
            assert!(text.contains(&format!("{name}@{PRODUCTION}")), "{text}");
            hub.succeed(&world, &offer).await;
            assert_eq!(world.service_status("web").await, "ACTIVE");
        }
    }

    async fn a_cancelled_deletion_is_not_begun_again_by_itself(world: World) {
        let agents = place(&world).await;
        let [prd, stg, _] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        world.delete_service("web").await.unwrap();
        let offer = prd.take_stack(&world).await;
        world.cancel(offer.deployment.unwrap()).await.unwrap();
        stg.succeed_all(&world).await;
        assert!(prd.take(&world).await.is_empty());
        assert_eq!(world.service_status("web").await, "DELETE_FAILED");
        world.delete_service("web").await.unwrap();
        everything(&world, &agents).await;
        assert!(world.app.get_service(&developer(), &"web".parse().unwrap()).await.is_err());
    }

    async fn deletion_goes_from_the_instances_to_the_pipeline_to_nothing(world: World) {
        let agents = place(&world).await;
        let [prd, stg, hub] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        world.delete_service("web").await.unwrap();
        let again = world.delete_service("web").await.unwrap();
        assert_eq!(again.service.status.word(), "DELETE_IN_PROGRESS");
        assert!(hub.take(&world).await.is_empty());
        prd.succeed_all(&world).await;
        stg.fail_one(&world, "stuck").await;
        assert_eq!(world.service_status("web").await, "DELETE_FAILED");
        assert!(world.service("web").await.service.message.contains("stuck"));
        world.delete_service("web").await.unwrap();
        stg.succeed_all(&world).await;
        hub.fail_one(&world, "images left").await;
        assert_eq!(world.service_status("web").await, "DELETE_FAILED");
        world.delete_service("web").await.unwrap();
        hub.succeed_all(&world).await;
        assert!(world.app.get_service(&developer(), &"web".parse().unwrap()).await.is_err());
        assert!(world.find(&pipeline("web")).await.is_none());
        assert_eq!(world.grants().await, Vec::<String>::new());
    }

    async fn what_is_there_is_not_edited_by_an_update_of_the_service(world: World) {
        let agents = place(&world).await;
        let [prd, ..] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        let edited = service_spec(Some("images_kept: 3"), &[("blue", "prd", "port: 99"), ("green", "stg", "port: 81")]);
        assert_eq!(reason(world.update_service("web", &edited).await), "EDITED_IN_PLACE");
        let moved = service_spec(None, &[("blue", "stg", "port: 80"), ("green", "stg", "port: 81")]);
        assert_eq!(reason(world.update_service("web", &moved).await), "ENVIRONMENT_CHANGED");
        let kept = service_spec(Some("images_kept: 4"), &[("blue", "prd", "port: 80"), ("green", "stg", "port: 81")]);
        assert_eq!(reason(world.update_service("web", &kept).await), "EDITED_IN_PLACE");
        assert!(world.update_service("web", &service_spec(None, &[])).await.is_err());

        // What was deployed by itself meanwhile is what counts from then on.
        world.update_instance("web", "blue", current(Some(&edited))).await.unwrap();
        prd.succeed_all(&world).await;
        let more = service_spec(None, &[("blue", "prd", "port: 99"), ("green", "stg", "port: 81"), ("red", "prd", "")]);
        world.update_service("web", &more).await.unwrap();
        everything(&world, &agents).await;
        let view = world.service("web").await;
        assert_eq!((view.service.status.word(), view.instances.len()), ("ACTIVE", 3));
        assert!(view.service.spec.contains("99") && view.service.spec.contains("images_kept"), "{}", view.service.spec);
        let kept = service_spec(None, &[("blue", "prd", "port: \"${Proton::CURRENT_VAL}\""), ("green", "stg", "port: 81")]);
        world.update_service("web", &kept).await.unwrap();
        everything(&world, &agents).await;
        assert_eq!(world.service("web").await.instances.len(), 2);
        let text = world.target(&instance("web", "blue")).await.spec;
        assert!(text.contains("99"), "{text}");
    }

    async fn instances_are_updated_within_the_rules(world: World) {
        let agents = place(&world).await;
        let [prd, ..] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        let busy = world.update_instance("web", "blue", current(None)).await.unwrap_err();
        assert_eq!((busy.kind, busy.reason), (ErrorKind::Conflict, "DEPLOYMENT_IN_PROGRESS"));
        everything(&world, &agents).await;
        let elsewhere = service_spec(None, &[("blue", "stg", "")]);
        assert_eq!(reason(world.update_instance("web", "blue", current(Some(&elsewhere))).await), "ENVIRONMENT_CHANGED");
        let other = service_spec(None, &[("green", "stg", "")]);
        assert_eq!(reason(world.update_instance("web", "blue", current(Some(&other))).await), "INSTANCE_NOT_IN_SPEC");
        let nothing = PartUpdate { mode: UpdateMode::None, spec: None, version: None };
        let same = world.target(&instance("web", "blue")).await;
        assert_eq!(world.update_instance("web", "blue", nothing.clone()).await.unwrap(), same, "there is nothing else to change");
        let something = PartUpdate { spec: Some(two()), ..nothing };
        assert_eq!(reason(world.update_instance("web", "blue", something).await), "NOTHING_IS_DEPLOYED");
        assert_eq!(reason(world.update_instance("web", "none", current(None)).await), "NOT_FOUND");

        // Another major version that runs in other environments only.
        let environments = hadron_domain::template::TemplateKind::Environment;
        world.template(environments, "other-env", false).await;
        world.published(environments, "other-env", None, archive(&example("minimal-env")), &[]).await;
        let service = hadron_domain::template::TemplateKind::Service;
        let made = world.published(service, WEB, None, archive(&example(WEB)), &["other-env:1"]).await;
        assert_eq!(made, version("2.0"));
        let major = PartUpdate { mode: UpdateMode::Major, spec: None, version: None };
        assert_eq!(reason(world.update_instance("web", "blue", major).await), "INCOMPATIBLE_ENVIRONMENT");
        world.published(service, WEB, Some(1), archive(&example(WEB)), &["minimal-env:1"]).await;
        let minor = PartUpdate { mode: UpdateMode::Minor, spec: None, version: None };
        world.update_instance("web", "blue", minor).await.unwrap();
        prd.succeed_all(&world).await;
        assert_eq!(world.target(&instance("web", "blue")).await.version, version("1.1"));
        assert_eq!(world.target(&instance("web", "green")).await.version, version("1.0"));
        assert_eq!(world.service_status("web").await, "ACTIVE");
    }

    async fn an_instance_is_added_by_itself(world: World) {
        let agents = place(&world).await;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        let add = |name: &str, environment: Option<&str>, spec: Option<String>| {
            let request = asked(&developer(), "CreateServiceInstance");
            let environment = environment.map(|name| name.parse().unwrap());
            world.app.create_instance(request, "web".parse().unwrap(), name.parse().unwrap(), environment, spec, None)
        };
        assert_eq!(reason(add("blue", Some("prd"), None).await), "INSTANCE_EXISTS");
        assert_eq!(reason(add("red", None, None).await), "ENVIRONMENT_MISSING");
        assert_eq!(reason(add("red", None, Some(two())).await), "INSTANCE_NOT_IN_SPEC");
        let own = service_spec(None, &[("red", "prd", "port: 8080")]);
        assert_eq!(reason(add("red", Some("stg"), Some(own.clone())).await), "OTHER_ENVIRONMENT");
        assert_eq!(add("red", None, Some(own)).await.unwrap().status, "IN_PROGRESS");
        world.settle().await;
        everything(&world, &agents).await;
        add("rose", Some("stg"), None).await.unwrap();
        world.settle().await;
        everything(&world, &agents).await;
        let view = world.service("web").await;
        assert_eq!((view.service.status.word(), view.instances.len()), ("ACTIVE", 4));
        assert!(world.target(&instance("web", "red")).await.spec.contains("8080"));
    }

    async fn a_pipeline_is_removed_and_made_again(world: World) {
        let agents = place(&world).await;
        let [_, _, hub] = &agents;
        world.create_service("web", WEB, &two()).await.unwrap();
        everything(&world, &agents).await;
        let first = world.target(&pipeline("web")).await;
        let create = || world.app.create_pipeline(asked(&developer(), "CreatePipeline"), "web".parse().unwrap(), current(None));
        let remove = || world.app.delete_pipeline(asked(&developer(), "DeletePipeline"), "web".parse().unwrap(), Vec::new());
        assert_eq!(reason(create().await), "PIPELINE_EXISTS");
        remove().await.unwrap();
        assert_eq!(reason(remove().await), "DEPLOYMENT_IN_PROGRESS");
        hub.succeed_all(&world).await;
        assert_eq!(world.target(&pipeline("web")).await.part, Part::Gone);
        assert_eq!(reason(remove().await), "NOT_FOUND");
        create().await.unwrap();
        hub.succeed_all(&world).await;
        let second = world.target(&pipeline("web")).await;
        assert_eq!(second.part, Part::Good);
        assert_ne!(first.stack_name, second.stack_name);
        assert_eq!(world.service_status("web").await, "ACTIVE");
    }

    async fn an_environment_that_was_changed_meanwhile_is_rendered_as_it_is(world: World) {
        let agents = place(&world).await;
        let [prd, ..] = &agents;
        world.create_service("web", PLAIN, &service_spec(None, &[("blue", "prd", "")])).await.unwrap();
        everything(&world, &agents).await;
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        // Its outputs of before count until it is done.
        world.update_instance("web", "blue", current(None)).await.unwrap();
        prd.succeed_all(&world).await;
        assert_eq!(world.target(&instance("web", "blue")).await.status, "SUCCEEDED");
    }
}
