//! Environments: creation through connections, specs, versions, failures, deletion.

use hadron_domain::service::Part;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_management::app::ErrorKind;
use hadron_management::app::effects::FailureKind;
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::work::OfferedWork;
use hadron_proto::vocab::EnvironmentName;

use crate::agent::{arn, failed, stack};
use crate::scenarios;
use crate::world::{
    ENVIRONMENT_SPEC, PRODUCTION, STAGING, administrator, archive, asked, changed_example, environment,
    environment_update, example, new_environment, reason, service_spec, version,
};

const ENVIRONMENT: TemplateKind = TemplateKind::Environment;

scenarios! {
    async fn an_environment_is_deployed_through_its_connection(world: World) {
        world.environment_template().await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let made = world.create_environment("prd", Some(connection)).await.unwrap();
        assert_eq!((made.status.as_str(), made.version, made.part), ("IN_PROGRESS", version("1.0"), Part::Busy));
        assert_eq!((made.account.to_string().as_str(), made.connection), (PRODUCTION, connection));
        assert!(made.stack_name.starts_with("AWSProton-prd-cloudformation-"), "{}", made.stack_name);

        let agent = world.agent(connection).await;
        let offer = agent.take_one(&world).await;
        let OfferedWork::Apply { stack, tags, template, .. } = &offer.work else { panic!("{offer:?}") };
        assert_eq!((&stack.name, &stack.arn, stack.never_succeeded), (&made.stack_name, &None, true));
        assert_eq!(stack.role.as_ref().unwrap().to_string(), format!("arn:aws:iam::{PRODUCTION}:role/provisioning"));
        assert!(tags.iter().any(|(key, value)| key == "proton:environment"
            && value == "arn:aws:proton:us-east-1:111111111111:environment/prd"), "{tags:?}");
        let text = world.app.content(&agent.peer, offer.token, hadron_management::app::work::Content::Template).await.unwrap();
        assert_eq!((text.len() as u64, text.starts_with(b"AWSTemplateFormatVersion")), (template.1, true));
        let bundle = world.app.content(&agent.peer, offer.token, hadron_management::app::work::Content::Bundle).await.unwrap();
        assert_eq!(bundle, archive(&example("minimal-env")));
        assert!(agent.take(&world).await.is_empty());

        agent.succeed(&world, &offer).await;
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.status.as_str(), row.part, row.ever_succeeded), ("SUCCEEDED", Part::Good, true));
        assert_eq!((row.stack_arn, row.outputs["TopicArn"].as_str()), (Some(arn(&offer)), "TopicArn of environment prd"));
        assert_eq!(row.attempted, row.succeeded);
        let events: Vec<String> = world.events(row.attempted.unwrap().0).await.into_iter().map(|event| event.message).collect();
        assert_eq!(events.first().unwrap(), "deployment of environment prd with minimal-env:1.0 requested by \
            token:administrator-111111111111");
        assert_eq!(events.last().unwrap(), "SUCCEEDED");
        assert_eq!(events.len(), 5, "{events:?}");
        let (text, digest) = world.app.rendered_template(&administrator(), row.attempted.unwrap().0).await.unwrap();
        assert_eq!((digest, text.len() as u64), *template);
    }

    async fn without_a_connection_it_lives_in_the_management_account(world: World) {
        world.environment_template().await;
        let agent = world.management_agent().await;
        let made = world.create_environment("dev", None).await.unwrap();
        assert_eq!(made.account.to_string(), "111111111111");
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("dev")).await.status, "SUCCEEDED");
        assert_eq!(reason(world.create_environment("dev", None).await), "ENVIRONMENT_EXISTS");
    }

    async fn a_connection_must_be_accepted_and_for_this_environment(world: World) {
        world.environment_template().await;
        let pending = world.request(PRODUCTION, "prd").await.unwrap();
        assert_eq!(reason(world.create_environment("prd", Some(pending)).await), "NOT_CONNECTED");
        world.accept(pending, PRODUCTION).await.unwrap();
        assert_eq!(reason(world.create_environment("other", Some(pending)).await), "OTHER_ENVIRONMENT");
        world.app.reject_connection(asked(&administrator(), "RejectConnection"), pending).await.unwrap();
        assert_eq!(reason(world.create_environment("prd", Some(pending)).await), "NOT_CONNECTED");
        let unknown = "conn_01890000000070008000000000000000".parse().unwrap();
        assert_eq!(reason(world.create_environment("prd", Some(unknown)).await), "NOT_FOUND");
        let hubs = world.app.seed_management().await.unwrap();
        assert_eq!(reason(world.create_environment("prd", Some(hubs)).await), "NOT_FOUND");
        assert!(world.find(&environment("prd")).await.is_none());
    }

    async fn every_fault_of_a_spec_is_told_and_unknown_members_are_a_warning(world: World) {
        world.template(ENVIRONMENT, "minimal-env", false).await;
        let needs = changed_example("minimal-env", "      properties:\n        greeting:",
            "      required: [owner]\n      properties:\n        owner: { type: string }\n        greeting:");
        world.published(ENVIRONMENT, "minimal-env", None, needs, &[]).await;
        let with = |spec: &str| {
            let mut new = new_environment("prd", None);
            new.spec = format!("proton: EnvironmentSpec\nspec:\n{spec}");
            new
        };
        let create = |spec: &str| world.app.create_environment(asked(&administrator(), "CreateEnvironment"), with(spec));
        let error = create("  retention_days: many\n  tier: nowhere\n").await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Invalid, "FAULTS"));
        for word in ["owner", "retention_days", "tier"] {
            assert!(error.message.contains(word), "{word}: {}", error.message);
        }
        assert_eq!(reason(create("  owner: me\n  retention_days: 400\n").await), "FAULTS");
        assert_eq!(reason(create("  - a list\n").await), "FAULTS");
        let made = create("  owner: me\n  colour: red\n").await.unwrap();
        assert!(made.warnings.iter().any(|text| text.contains("colour")), "{:?}", made.warnings);
    }

    async fn only_published_versions_are_taken_unless_one_is_named(world: World) {
        assert_eq!(reason(world.create_environment("prd", None).await), "NOT_FOUND");
        world.template(ENVIRONMENT, "minimal-env", false).await;
        world.register(ENVIRONMENT, "minimal-env", None, archive(&example("minimal-env")), &[]).await.unwrap();
        assert_eq!(reason(world.create_environment("prd", None).await), "NOT_PUBLISHED");
        let mut new = new_environment("prd", None);
        new.version = Wanted::Exactly(version("1.0"));
        let made = world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new.clone()).await.unwrap();
        assert_eq!(made.version, version("1.0"));
        new.version = Wanted::Exactly(version("1.7"));
        new.name = "stg".parse().unwrap();
        assert_eq!(reason(world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new).await), "VERSION_NOT_FOUND");
    }

    async fn updates_choose_versions_by_their_mode_and_show_the_old_one_until_success(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let bundle = || archive(&example("minimal-env"));
        world.published(ENVIRONMENT, "minimal-env", Some(1), bundle(), &[]).await;
        world.register(ENVIRONMENT, "minimal-env", Some(1), bundle(), &[]).await.unwrap();
        world.published(ENVIRONMENT, "minimal-env", None, bundle(), &[]).await;

        let named = |mode, wanted: &str| {
            let mut update = environment_update("prd", mode);
            update.version = Some(wanted.parse::<Wanted>().unwrap());
            update
        };
        assert_eq!(reason(world.update_environment(named(UpdateMode::Current, "1.1")).await), "VERSION_MODE");
        assert_eq!(reason(world.update_environment(named(UpdateMode::Minor, "2")).await), "VERSION_MODE");
        assert_eq!(reason(world.update_environment(named(UpdateMode::Major, "1")).await), "VERSION_MODE");
        assert_eq!(reason(world.update_environment(named(UpdateMode::None, "1.1")).await), "NOTHING_IS_DEPLOYED");
        assert_eq!(reason(world.update_environment(named(UpdateMode::Major, "3")).await), "VERSION_NOT_FOUND");

        let answer = world.update_environment(environment_update("prd", UpdateMode::Minor)).await.unwrap();
        assert_eq!((answer.version, answer.status.as_str()), (version("1.0"), "IN_PROGRESS"));
        assert_eq!(world.last(&environment("prd")).await.version, version("1.1"));
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("prd")).await.version, version("1.1"));

        // A draft, and a lower one, when they are named.
        world.update_environment(named(UpdateMode::Minor, "1.2")).await.unwrap();
        agent.succeed_all(&world).await;
        world.update_environment(named(UpdateMode::Minor, "1.0")).await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("prd")).await.version, version("1.0"));

        world.update_environment(environment_update("prd", UpdateMode::Major)).await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("prd")).await.version, version("2.0"));
        assert_eq!(reason(world.update_environment(environment_update("prd", UpdateMode::Major)).await), "VERSION_MODE");

        let before = world.target(&environment("prd")).await.attempted;
        let mut words = environment_update("prd", UpdateMode::None);
        words.description = Some("other words".to_owned());
        world.update_environment(words).await.unwrap();
        let after = world.target(&environment("prd")).await;
        assert_eq!((after.description.as_str(), after.attempted), ("other words", before));
    }

    async fn a_failure_keeps_what_succeeded_last(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.published(ENVIRONMENT, "minimal-env", Some(1), archive(&example("minimal-env")), &[]).await;
        let good = world.target(&environment("prd")).await;
        let mut update = environment_update("prd", UpdateMode::Minor);
        update.spec = Some("proton: EnvironmentSpec\nspec: { retention_days: 7 }\n".to_owned());
        world.update_environment(update).await.unwrap();
        agent.fail_one(&world, "the topic could not be made").await;
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.status.as_str(), row.part, row.message.as_str()), ("FAILED", Part::Bad, "the topic could not be made"));
        assert_eq!((row.version, &row.spec, &row.outputs), (good.version, &good.spec, &good.outputs));
        assert_eq!((row.succeeded, row.ever_succeeded, row.stack_arn), (good.succeeded, true, good.stack_arn));
        assert!(row.ways_out.iter().any(|way| way.contains("hadron environment update prd")), "{:?}", row.ways_out);
        assert_ne!(row.attempted, row.succeeded);

        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.message.as_str(), row.ways_out.len()), ("", 0));
        let offer = agent.take_one(&world).await;
        assert!(!stack(&offer).never_succeeded);
        agent.succeed(&world, &offer).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
    }

    async fn a_first_deployment_that_failed_can_be_updated_and_deleted(world: World) {
        world.environment_template().await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let agent = world.agent(connection).await;
        world.create_environment("prd", Some(connection)).await.unwrap();
        let first = agent.fail_one(&world, "no").await;
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let offer = agent.take_one(&world).await;
        assert_eq!((stack(&offer).never_succeeded, &stack(&offer).arn), (true, &Some(arn(&first))));
        agent.report(&world, &offer, failed(&offer, FailureKind::AccessDenied, "again")).await;
        assert!(world.target(&environment("prd")).await.ways_out[0].contains("hadron-agent role"));
        world.delete_environment("prd").await.unwrap();
        assert_eq!(world.target(&environment("prd")).await.status, "DELETE_IN_PROGRESS");
        agent.succeed_all(&world).await;
        assert!(world.find(&environment("prd")).await.is_none());
        // The name is free again, under a new stack name.
        let again = world.create_environment("prd", Some(connection)).await.unwrap();
        assert_ne!(again.stack_name, stack(&offer).name);
    }

    async fn a_deletion_that_failed_says_what_is_stuck_and_is_tried_again(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.delete_environment("prd").await.unwrap();
        assert_eq!(reason(world.delete_environment("prd").await), "DEPLOYMENT_IN_PROGRESS");
        agent.fail_one(&world, "the bucket is not empty").await;
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.status.as_str(), row.part), ("DELETE_FAILED", Part::DeleteFailed));
        assert!(row.ways_out.iter().any(|way| way.contains("--retain Bucket")), "{:?}", row.ways_out);
        let request = asked(&administrator(), "DeleteEnvironment");
        world.app.delete_environment(request, "prd".parse().unwrap(), vec!["Bucket".to_owned()]).await.unwrap();
        let offer = agent.take_one(&world).await;
        let OfferedWork::Destroy { retain, stack } = &offer.work else { panic!("{offer:?}") };
        assert_eq!((retain.as_slice(), &stack.arn), (&["Bucket".to_owned()][..], &row.stack_arn));
        agent.succeed(&world, &offer).await;
        assert!(world.find(&environment("prd")).await.is_none());
        assert_eq!(reason(world.delete_environment("prd").await), "NOT_FOUND");
    }

    async fn one_deployment_at_a_time(world: World) {
        world.environment_template().await;
        let made = world.create_environment("dev", None).await.unwrap();
        let id = made.attempted.unwrap().0.to_string();
        for refused in [
            world.update_environment(environment_update("dev", UpdateMode::Current)).await,
            world.delete_environment("dev").await,
        ] {
            let error = refused.unwrap_err();
            assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "DEPLOYMENT_IN_PROGRESS"));
            assert!(error.message.contains(&id) && error.help.unwrap().contains(&id));
        }
    }

    async fn nobody_lives_in_what_is_deleted(world: World) {
        world.templates().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let spec = service_spec(None, &[("blue", "prd", "")]);
        world.create_service("web", "minimal-svc-no-pipeline", &spec).await.unwrap();
        let error = world.delete_environment("prd").await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "ENVIRONMENT_IN_USE"));
        assert!(error.message.contains("web/blue"));
        agent.succeed_all(&world).await;
        assert_eq!(reason(world.delete_environment("prd").await), "ENVIRONMENT_IN_USE");
        world.delete_service("web").await.unwrap();
        agent.succeed_all(&world).await;
        world.delete_environment("prd").await.unwrap();
        let refused = world.create_service("web", "minimal-svc-no-pipeline", &spec).await;
        assert_eq!(reason(refused), "ENVIRONMENT_GOING");
    }

    async fn a_lost_connection_ends_what_goes_through_it_and_another_one_takes_over(world: World) {
        world.templates().await;
        let (old, agent) = world.environment(PRODUCTION, "prd").await;
        let spec = service_spec(None, &[("blue", "prd", "")]);
        world.create_service("web", "minimal-svc-no-pipeline", &spec).await.unwrap();
        agent.succeed_all(&world).await;
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        let offer = agent.take_one(&world).await;
        let owner = crate::world::owner(PRODUCTION);
        world.app.delete_connection(asked(&owner, "DeleteConnection"), old).await.unwrap();
        world.settle().await;
        let row = world.target(&environment("prd")).await;
        assert_eq!((row.status.as_str(), world.active().await.len()), ("FAILED", 0));
        assert!(row.message.contains("connection was deleted"), "{}", row.message);
        let outcome = world.app.report(&agent.peer, offer.token, crate::agent::applied(&offer)).await;
        assert_eq!(reason(outcome), "CONNECTION_CLOSED");
        assert_eq!(reason(world.update_environment(environment_update("prd", UpdateMode::Current)).await), "NOT_CONNECTED");

        let foreign = world.request(STAGING, "prd").await.unwrap();
        world.accept(foreign, STAGING).await.unwrap();
        let mut elsewhere = environment_update("prd", UpdateMode::None);
        elsewhere.connection = Some(foreign);
        assert_eq!(reason(world.update_environment(elsewhere).await), "OTHER_ACCOUNT");
        world.app.reject_connection(asked(&administrator(), "RejectConnection"), foreign).await.unwrap();

        let new = world.connected(PRODUCTION, "prd").await;
        let mut moved = environment_update("prd", UpdateMode::Current);
        moved.connection = Some(new);
        world.update_environment(moved).await.unwrap();
        let agent = world.agent(new).await;
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
        assert_eq!(world.target(&crate::world::instance("web", "blue")).await.connection, new);
        world.delete_service("web").await.unwrap();
        agent.succeed_all(&world).await;
        assert!(world.app.get_service(&administrator(), &"web".parse().unwrap()).await.is_err());
    }

    async fn names_have_at_most_a_hundred_characters(world: World) {
        let long = "e".repeat(100);
        assert!("e".repeat(101).parse::<EnvironmentName>().is_err());
        world.environment_template().await;
        let made = world.create_environment(&long, None).await.unwrap();
        assert!(made.stack_name.len() <= 128);
        let agent = world.management_agent().await;
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment(&long)).await.spec, ENVIRONMENT_SPEC);
    }
}
