//! Environments: creation through connections, specs, versions, failures, deletion.

use hadron_domain::repository::Provider;
use hadron_domain::service::Part;
use hadron_domain::target::Provisioning;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_management::app::ErrorKind;
use hadron_management::app::effects::FailureKind;
use hadron_management::app::environments::{Path, UpdateMode};
use hadron_management::app::work::OfferedWork;
use hadron_management::store::settings::RepositoryBranch;
use hadron_proto::vocab::EnvironmentName;
use hadron_templates::Line;
use serde_json::json;

use crate::agent::{arn, failed, stack};
use crate::scenarios;
use crate::world::{
    ENVIRONMENT_SPEC, MANAGEMENT, PRODUCTION, SHARED_SPEC, STAGING, administrator, archive, asked, auditor,
    changed_example, customer_managed, environment, environment_update, example, new_connection,
    new_environment, owner, provisioned_by, reason, service_spec, version,
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

    async fn a_rendered_template_is_compared_with_what_was_deployed_before(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let attempted = async || world.target(&environment("prd")).await.attempted.unwrap().0;
        let seen = async |who, id| world.app.compared_template(&who, id).await.unwrap();
        let update = async |greeting: &str| {
            let mut update = environment_update("prd", UpdateMode::Current);
            update.spec = Some(format!("proton: EnvironmentSpec\nspec: {{ greeting: {greeting} }}\n"));
            world.update_environment(update).await.unwrap();
        };
        let first = attempted().await;
        let alone = seen(administrator(), first).await;
        assert_eq!((alone.before, alone.lines.as_slice(), alone.cut), (None, [].as_slice(), false));

        update("Bad evening").await;
        let offer = agent.take_one(&world).await;
        agent.report(&world, &offer, failed(&offer, FailureKind::AccessDenied, "no")).await;
        update("Good night").await;
        agent.succeed_all(&world).await;
        let last = attempted().await;
        let found = seen(administrator(), last).await;
        // Not with the one that failed.
        assert_eq!(found.before, Some(first));
        let has = |line: fn(&Line) -> Option<&String>, text: &str| found.lines.iter().filter_map(line).any(|line| line.contains(text));
        assert!(has(|line| if let Line::Gone(text) = line { Some(text) } else { None }, "Good morning"), "{:?}", found.lines);
        assert!(has(|line| if let Line::New(text) = line { Some(text) } else { None }, "Good night"), "{:?}", found.lines);
        assert!(found.text.contains("Good night") && !found.cut);
        let masked = format!("{:?}", seen(auditor(), last).await);
        assert!(!masked.contains("Good night") && !masked.contains("Good morning"), "{masked}");

        update("Good night").await;
        agent.succeed_all(&world).await;
        let same = seen(administrator(), attempted().await).await;
        assert_eq!((same.before, same.lines.as_slice()), (Some(last), [].as_slice()));
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
        assert_eq!(reason(world.create_environment("prd", Some(pending)).await), "CONNECTION_PENDING");
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
        let its_owner = owner(PRODUCTION);
        world.app.delete_connection(asked(&its_owner, "DeleteConnection"), old).await.unwrap();
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

    async fn the_role_of_an_own_environment_is_passed_for_it_and_for_its_instances(world: World) {
        world.templates().await;
        let role = |account: &str, name: &str| Some(format!("arn:aws:iam::{account}:role/{name}").parse().unwrap());
        let with = |path: Path, component: Option<hadron_proto::vocab::RoleArn>| {
            let mut new = new_environment("dev", None);
            (new.path, new.component_role) = (path, component);
            world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new)
        };
        let own = Path::Role(role(MANAGEMENT, "own").unwrap());
        assert_eq!(reason(with(Path::Role(role(PRODUCTION, "own").unwrap()), None).await), "ROLE_OF_OTHER_ACCOUNT");
        assert_eq!(reason(with(own.clone(), role(PRODUCTION, "c")).await), "ROLE_OF_OTHER_ACCOUNT");
        assert_eq!(reason(with(Path::Unsaid, None).await), "PROVISIONING_PATH_MISSING");
        let made = with(own, role(MANAGEMENT, "c")).await.unwrap();
        assert_eq!((&made.roles.service, &made.roles.component), (&role(MANAGEMENT, "own"), &role(MANAGEMENT, "c")));
        let agent = world.management_agent().await;
        let offer = agent.take_one(&world).await;
        assert_eq!(stack(&offer).role, role(MANAGEMENT, "own"));
        agent.succeed(&world, &offer).await;

        let spec = service_spec(None, &[("blue", "dev", "")]);
        world.create_service("web", "minimal-svc-no-pipeline", &spec).await.unwrap();
        let offer = agent.take_one(&world).await;
        assert_eq!(stack(&offer).role, role(MANAGEMENT, "own"));
        agent.succeed(&world, &offer).await;

        // What is not named stays; nothing is deployed for it.
        let mut update = environment_update("dev", UpdateMode::None);
        update.roles.service = role(MANAGEMENT, "other");
        let changed = world.update_environment(update.clone()).await.unwrap();
        assert_eq!((&changed.roles.service, &changed.roles.component), (&role(MANAGEMENT, "other"), &role(MANAGEMENT, "c")));
        assert!(agent.take(&world).await.is_empty());
        update.roles.service = role(PRODUCTION, "other");
        assert_eq!(reason(world.update_environment(update).await), "ROLE_OF_OTHER_ACCOUNT");
        world.update_environment(environment_update("dev", UpdateMode::Current)).await.unwrap();
        assert_eq!(stack(&agent.take_one(&world).await).role, role(MANAGEMENT, "other"));
        // While that is under way, nothing else may be changed about it.
        assert_eq!(reason(world.update_environment(environment_update("dev", UpdateMode::None)).await), "DEPLOYMENT_IN_PROGRESS");
    }

    async fn a_connected_environment_has_the_roles_of_its_connection(world: World) {
        world.environment_template().await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let mut new = new_environment("prd", Some(connection));
        new.component_role = Some(format!("arn:aws:iam::{PRODUCTION}:role/c").parse().unwrap());
        let refused = world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new).await;
        assert_eq!(reason(refused), "ROLES_OF_CONNECTION");
        let (_, agent) = (connection, world.agent(connection).await);
        world.create_environment("prd", Some(connection)).await.unwrap();
        agent.succeed_all(&world).await;
        let mut update = environment_update("prd", UpdateMode::None);
        update.roles.service = Some(format!("arn:aws:iam::{MANAGEMENT}:role/r").parse().unwrap());
        assert_eq!(reason(world.update_environment(update).await), "ROLES_OF_CONNECTION");
        let mut update = environment_update("prd", UpdateMode::Current);
        update.repository = Some(RepositoryBranch { provider: Provider::Github, name: "acme/env".parse().unwrap(), branch: "main".to_owned() });
        assert_eq!(reason(world.update_environment(update).await), "REPOSITORY_NOT_AVAILABLE");

        world.create_environment("dev", None).await.unwrap();
        world.management_agent().await.succeed_all(&world).await;
        let other = world.connected(STAGING, "dev").await;
        let mut update = environment_update("dev", UpdateMode::None);
        update.connection = Some(other);
        assert_eq!(reason(world.update_environment(update).await), "NOT_THROUGH_A_CONNECTION");
    }

    async fn what_others_provision_is_there_at_once_with_its_spec_as_outputs(world: World) {
        world.customer_managed_template().await;
        let shared = |spec: &str| {
            let mut new = new_environment("shared", None);
            (new.template, new.path, new.spec) = ("shared-env".parse().unwrap(), Path::Unsaid, spec.to_owned());
            world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new)
        };
        assert_eq!(reason(shared("proton: EnvironmentSpec\nspec: { TopicArn: t }\n").await), "FAULTS");
        let made = shared(SHARED_SPEC).await.unwrap();
        assert_eq!((made.status.as_str(), made.part, made.ever_succeeded), ("SUCCEEDED", Part::Good, true));
        assert_eq!((made.provisioning, made.stack_name.as_str(), &made.stack_arn), (Provisioning::CustomerManaged, "", &None));
        let outputs: Vec<(&str, &str)> = made.outputs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(outputs, [("GreetingParameter", "/shared/greeting"), ("TopicArn", "007")]);
        assert_eq!(made, world.target(&environment("shared")).await);
        let first = world.last(&environment("shared")).await;
        assert_eq!((first.deployment.word(), first.ended_at.is_some(), &first.outputs), ("SUCCEEDED", true, &made.outputs));
        assert_eq!((first.initial, first.target_state.unwrap().spec.as_str()), (None, SHARED_SPEC));
        assert_eq!(made.succeeded, made.attempted);
        assert!(world.active().await.is_empty());
        assert!(world.management_agent().await.take(&world).await.is_empty());

        let mut update = environment_update("shared", UpdateMode::Current);
        update.spec = Some("proton: EnvironmentSpec\nspec: { GreetingParameter: new }\n".to_owned());
        let changed = world.update_environment(update).await.unwrap();
        assert_eq!((changed.status.as_str(), changed.outputs.len(), changed.outputs["GreetingParameter"].as_str()), ("SUCCEEDED", 1, "new"));
        let second = world.last(&environment("shared")).await;
        assert_eq!(second.initial.unwrap().spec, SHARED_SPEC);
        let (who, target) = (administrator(), environment("shared"));
        let outputs = |deployment| world.app.outputs(&who, &target, deployment);
        assert_eq!(outputs(Some(first.deployment.id)).await.unwrap().len(), 2);
        assert_eq!(outputs(None).await.unwrap(), changed.outputs);

        // Another version may ask for something else; what cannot be answered changes nothing.
        world.published(ENVIRONMENT, "shared-env", Some(1), customer_managed("VpcId"), &[]).await;
        let mut update = environment_update("shared", UpdateMode::Minor);
        update.spec = Some("proton: EnvironmentSpec\nspec: { GreetingParameter: new, VpcId: vpc-1 }\n".to_owned());
        let moved = world.update_environment(update).await.unwrap();
        assert_eq!((moved.version, moved.outputs["VpcId"].as_str()), (version("1.1"), "vpc-1"));
        let mut update = environment_update("shared", UpdateMode::Current);
        update.repository = Some(RepositoryBranch { provider: Provider::Github, name: "acme/env".parse().unwrap(), branch: "main".to_owned() });
        assert_eq!(reason(world.update_environment(update).await), "REPOSITORY_NOT_USED");

        let gone = world.delete_environment("shared").await.unwrap();
        assert_eq!(gone.status, "DELETE_COMPLETE");
        assert!(world.find(&environment("shared")).await.is_none());
        let last = world.deployment(gone.attempted.unwrap().0).await;
        assert_eq!((last.deployment.word(), last.ended_at.is_some()), ("DELETE_COMPLETE", true));
        shared(SHARED_SPEC).await.unwrap();
        // Outputs of the one before are none of this one.
        assert_eq!(reason(outputs(Some(first.deployment.id)).await), "NOT_FOUND");
    }

    async fn services_live_in_what_others_provision(world: World) {
        world.customer_managed_template().await;
        world.template(TemplateKind::Service, "svc-no-pipeline", true).await;
        let bundle = archive(&example("minimal-svc-no-pipeline"));
        world.published(TemplateKind::Service, "svc-no-pipeline", None, bundle, &["shared-env:1"]).await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let mut new = new_environment("prd", Some(connection));
        (new.template, new.spec) = ("shared-env".parse().unwrap(), SHARED_SPEC.to_owned());
        let made = world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new).await.unwrap();
        assert_eq!((made.account.to_string().as_str(), made.status.as_str()), (PRODUCTION, "SUCCEEDED"));
        world.create_service("web", "svc-no-pipeline", &service_spec(None, &[("blue", "prd", "")])).await.unwrap();
        let agent = world.agent(connection).await;
        let offer = agent.take_one(&world).await;
        assert_eq!(offer.account.to_string(), PRODUCTION);
        let text = world.app.content(&agent.peer, offer.token, hadron_management::app::work::Content::Template).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("/shared/greeting") && text.contains("\"007\""), "{text}");
        agent.succeed(&world, &offer).await;
        assert_eq!(reason(world.delete_environment("prd").await), "ENVIRONMENT_IN_USE");
        // The connection is gone, and with it who could deploy; the environment itself needs nobody.
        world.app.delete_connection(asked(&owner(PRODUCTION), "DeleteConnection"), connection).await.unwrap();
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
    }

    async fn what_cannot_be_provisioned_yet_is_refused_with_a_way_to_go(world: World) {
        let terraform = provisioned_by("{ file: main.tf, rendering_engine: hcl, template_language: terraform }",
            ("main.tf", "output \"name\" { value = var.environment.name }\n"));
        let codebuild = provisioned_by("rendering_engine: codebuild\n      settings: { image: 'img', runtimes: { nodejs: 20 }, provision: [ls], deprovision: [ls] }",
            ("README.txt", "commands"));
        for (name, engine, bundle) in [("terraform", "Terraform", terraform), ("codebuild", "CodeBuild", codebuild)] {
            world.template(ENVIRONMENT, name, false).await;
            world.published(ENVIRONMENT, name, None, bundle, &[]).await;
            let mut new = new_environment("prd", None);
            new.template = name.parse().unwrap();
            let error = world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new).await.unwrap_err();
            assert_eq!(error.reason, "ENGINE_NOT_AVAILABLE");
            assert!(error.message.contains(engine) && error.help.unwrap().contains("customer-managed"), "{}", error.message);
        }
    }

    async fn a_minor_version_may_be_named_without_its_major(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.register(ENVIRONMENT, "minimal-env", Some(1), archive(&example("minimal-env")), &[]).await.unwrap();
        let minor = |mode| {
            let mut update = environment_update("prd", mode);
            update.version = Some(Wanted::Minor(1));
            world.update_environment(update)
        };
        for mode in [UpdateMode::Current, UpdateMode::Major] {
            assert_eq!(reason(minor(mode).await), "VERSION_MODE");
        }
        assert_eq!(reason(minor(UpdateMode::None).await), "NOTHING_IS_DEPLOYED");
        minor(UpdateMode::Minor).await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("prd")).await.version, version("1.1"));
    }

    async fn a_deployment_is_cancelled_by_the_name_of_its_environment(world: World) {
        world.environment_template().await;
        let cancel = |name: &'static str| async {
            let request = asked(&administrator(), "CancelEnvironmentDeployment");
            world.app.cancel_environment(request, &name.parse().unwrap()).await
        };
        assert_eq!(reason(cancel("prd").await), "NOT_FOUND");
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        let error = cancel("prd").await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "NOTHING_TO_CANCEL"));
        let good = world.target(&environment("prd")).await;
        let mut update = environment_update("prd", UpdateMode::Current);
        update.spec = Some("proton: EnvironmentSpec\nspec: { retention_days: 7 }\n".to_owned());
        world.update_environment(update).await.unwrap();
        let cancelled = cancel("prd").await.unwrap();
        assert_eq!((cancelled.status.as_str(), cancelled.message.as_str()), ("CANCELLED", "User initiated cancellation."));
        assert_eq!((&cancelled.spec, &cancelled.outputs), (&good.spec, &good.outputs));
        assert_eq!(world.last(&environment("prd")).await.message, "User initiated cancellation.");
        let words = world.events(cancelled.attempted.unwrap().0).await.last().unwrap().message.clone();
        assert_eq!(words, "CANCELLED: nothing was applied");
        world.delete_environment("prd").await.unwrap();
        let error = cancel("prd").await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Conflict, "NOTHING_TO_CANCEL"));
        agent.succeed_all(&world).await;
    }

    async fn environments_are_listed_by_template_and_page_by_page(world: World) {
        world.environment_template().await;
        world.customer_managed_template().await;
        world.published(ENVIRONMENT, "minimal-env", None, archive(&example("minimal-env")), &[]).await;
        for (name, template, version) in [("c", "minimal-env", "1.0"), ("a", "minimal-env", "2.0"), ("d", "shared-env", "1.0"), ("b", "minimal-env", "1.0")] {
            let mut new = new_environment(name, None);
            (new.template, new.version) = (template.parse().unwrap(), version.parse().unwrap());
            if template == "shared-env" {
                new.spec = SHARED_SPEC.to_owned();
            }
            world.app.create_environment(asked(&administrator(), "CreateEnvironment"), new).await.unwrap();
        }
        let (app, all) = (&world.app, &administrator());
        let list = |caller: hadron_domain::authority::Caller, templates: &[&str], after: &str, limit| {
            let templates = templates.iter().map(|text| text.parse().unwrap()).collect();
            let after = after.to_owned();
            async move {
                let found = app.list_environments(&caller, templates, after, limit).await.unwrap();
                found.iter().map(|view| view.row.target.name()).collect::<String>()
            }
        };
        assert_eq!(list(all.clone(), &[], "", 10).await, "abcd");
        assert_eq!(list(all.clone(), &[], "a", 2).await, "bc");
        assert_eq!(list(all.clone(), &["minimal-env:1"], "", 10).await, "bc");
        assert_eq!(list(all.clone(), &["minimal-env:2", "shared-env:1", "minimal-env:2"], "", 10).await, "ad");
        assert_eq!(list(all.clone(), &["minimal-env:1", "minimal-env:2", "shared-env:1"], "a", 2).await, "bc");
        assert_eq!(list(all.clone(), &["minimal-env:3", "none:1"], "", 10).await, "");
        assert_eq!(list(owner(PRODUCTION), &[], "", 10).await, "");
        assert_eq!(list(owner(MANAGEMENT), &["minimal-env:1"], "", 10).await, "bc");
        let many = (1..=101).map(|major| format!("minimal-env:{major}").parse().unwrap()).collect();
        assert_eq!(reason(app.list_environments(all, many, String::new(), 10).await), "TOO_MANY_TEMPLATES");
    }

    async fn the_same_creation_again_is_answered_and_another_is_not(world: World) {
        world.environment_template().await;
        let create = |content: &str| {
            let request = hadron_management::app::Request {
                hash: hadron_proto::vocab::Digest::of(content.as_bytes()),
                repeatable: true,
                ..asked(&administrator(), "CreateEnvironment")
            };
            world.app.create_environment(request, new_environment("dev", None))
        };
        let made = create("one").await.unwrap();
        assert_eq!(create("one").await.unwrap().id, made.id);
        assert_eq!(reason(create("two").await), "ENVIRONMENT_EXISTS");
        // The operator API tells what it finds.
        assert_eq!(reason(world.create_environment("dev", None).await), "ENVIRONMENT_EXISTS");
        let agent = world.management_agent().await;
        agent.succeed_all(&world).await;
        world.delete_environment("dev").await.unwrap();
        agent.succeed_all(&world).await;
        assert_ne!(create("one").await.unwrap().id, made.id);
    }

    async fn the_proton_api_shows_environments_as_its_clients_know_them(world: World) {
        world.environment_template().await;
        world.customer_managed_template().await;
        let proton = world.proton(administrator());
        let role = format!("arn:aws:iam::{MANAGEMENT}:role/own");
        let create = |name: &str, with: serde_json::Value| {
            let mut input = serde_json::json!({
                "name": name, "templateName": "minimal-env", "templateMajorVersion": "1", "spec": ENVIRONMENT_SPEC,
            });
            input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            input
        };
        let (error, message) = proton.refused("CreateEnvironment", create("dev", json!({}))).await;
        assert_eq!(error, "ValidationException");
        assert!(message.contains("protonServiceRoleArn"), "{message}");
        let input = create("dev", json!({ "protonServiceRoleArn": role, "description": "for tests" }));
        let made = proton.done("CreateEnvironment", input.clone()).await["environment"].clone();
        assert_eq!(made["arn"], "arn:aws:proton:us-east-1:111111111111:environment/dev");
        assert_eq!((&made["deploymentStatus"], &made["protonServiceRoleArn"]), (&json!("IN_PROGRESS"), &json!(role)));
        assert_eq!((&made["templateMajorVersion"], &made["templateMinorVersion"]), (&json!("1"), &json!("0")));
        assert_eq!(made["lastDeploymentSucceededAt"], made["createdAt"]);
        for absent in ["environmentAccountId", "environmentAccountConnectionId", "provisioning", "lastSucceededDeploymentId",
            "deploymentStatusMessage", "codebuildRoleArn", "provisioningRepository"] {
            assert!(made.get(absent).is_none(), "{absent}: {made}");
        }
        assert_eq!(proton.done("CreateEnvironment", input).await["environment"], made);
        let other = create("dev", json!({ "protonServiceRoleArn": role }));
        assert_eq!(proton.refused("CreateEnvironment", other).await, ("ValidationException".to_owned(), "Idempotent parameter mismatch".to_owned()));
        let busy = json!({ "name": "dev", "deploymentType": "CURRENT_VERSION" });
        assert_eq!(proton.refused("UpdateEnvironment", busy.clone()).await.0, "ConflictException");
        let agent = world.management_agent().await;
        agent.succeed_all(&world).await;
        world.published(ENVIRONMENT, "minimal-env", Some(1), archive(&example("minimal-env")), &[]).await;
        let update = json!({ "name": "dev", "deploymentType": "MINOR_VERSION", "templateMinorVersion": "1" });
        let answer = proton.done("UpdateEnvironment", update).await["environment"].clone();
        assert_eq!((&answer["templateMinorVersion"], &answer["deploymentStatus"]), (&json!("0"), &json!("IN_PROGRESS")));
        agent.succeed_all(&world).await;
        let got = proton.done("GetEnvironment", json!({ "name": "dev" })).await["environment"].clone();
        assert_eq!((&got["templateMinorVersion"], &got["deploymentStatus"]), (&json!("1"), &json!("SUCCEEDED")));
        assert_eq!(got["lastSucceededDeploymentId"], got["lastAttemptedDeploymentId"]);
        for wrong in [
            json!({ "name": "dev", "deploymentType": "NONE", "spec": ENVIRONMENT_SPEC }),
            json!({ "name": "dev", "deploymentType": "NONE", "templateMinorVersion": "1" }),
            json!({ "name": "dev", "deploymentType": "CURRENT_VERSION", "templateMajorVersion": "1" }),
            json!({ "name": "dev", "deploymentType": "MAJOR_VERSION", "templateMinorVersion": "1" }),
            json!({ "name": "dev", "deploymentType": "MINOR_VERSION", "templateMajorVersion": "2" }),
        ] {
            assert_eq!(proton.refused("UpdateEnvironment", wrong.clone()).await.0, "ValidationException", "{wrong}");
        }
        let named = json!({ "environmentName": "dev" });
        let outputs = proton.done("ListEnvironmentOutputs", named.clone()).await;
        assert!(outputs["outputs"].as_array().unwrap().contains(&json!({ "key": "TopicArn", "valueString": "TopicArn of environment dev" })), "{outputs}");
        let of_one = json!({ "environmentName": "dev", "deploymentId": got["lastAttemptedDeploymentId"] });
        assert_eq!(proton.done("ListEnvironmentOutputs", of_one).await, outputs);
        let of_none = json!({ "environmentName": "dev", "deploymentId": "01890000-0000-7000-8000-000000000000" });
        assert_eq!(proton.refused("ListEnvironmentOutputs", of_none).await.0, "ResourceNotFoundException");
        let resources = proton.done("ListEnvironmentProvisionedResources", named.clone()).await["provisionedResources"].clone();
        let row = world.target(&environment("dev")).await;
        assert_eq!(resources, json!([{ "name": row.stack_name, "identifier": row.stack_arn.unwrap().to_string(), "provisioningEngine": "CLOUDFORMATION" }]));
        assert_eq!(proton.refused("CancelEnvironmentDeployment", named).await.0, "ConflictException");
        let none = json!({ "environmentName": "none" });
        assert_eq!(proton.refused("CancelEnvironmentDeployment", none).await.0, "ResourceNotFoundException");

        let shared = json!({ "name": "shared", "templateName": "shared-env", "templateMajorVersion": "1", "spec": SHARED_SPEC });
        let shared = proton.done("CreateEnvironment", shared).await["environment"].clone();
        assert_eq!((&shared["provisioning"], &shared["deploymentStatus"]), (&json!("CUSTOMER_MANAGED"), &json!("SUCCEEDED")));
        assert_eq!(proton.done("ListEnvironmentProvisionedResources", json!({ "environmentName": "shared" })).await["provisionedResources"], json!([]));
        let connection = world.connected(PRODUCTION, "prd").await;
        let id = connection.as_uuid().to_string();
        let both = create("prd", json!({ "environmentAccountConnectionId": id, "protonServiceRoleArn": role }));
        assert_eq!(proton.refused("CreateEnvironment", both).await.0, "ValidationException");
        let repository = json!({ "provisioningRepository": { "provider": "GITHUB", "name": "acme/env", "branch": "main" } });
        let (error, message) = proton.refused("CreateEnvironment", create("prd", repository)).await;
        assert_eq!(error, "ValidationException");
        assert!(message.contains("not available yet"), "{message}");
        let prd = proton.done("CreateEnvironment", create("prd", json!({ "environmentAccountConnectionId": id }))).await["environment"].clone();
        assert_eq!((&prd["environmentAccountId"], &prd["environmentAccountConnectionId"]), (&json!(PRODUCTION), &json!(id)));

        let first = proton.done("ListEnvironments", json!({ "maxResults": 2 })).await;
        let names = |page: &serde_json::Value| -> Vec<String> {
            page["environments"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&first), ["dev", "prd"]);
        assert!(first["environments"][0].get("spec").is_none());
        let second = proton.done("ListEnvironments", json!({ "maxResults": 2, "nextToken": first["nextToken"] })).await;
        assert_eq!((names(&second), second.get("nextToken")), (vec!["shared".to_owned()], None));
        let of = json!({ "environmentTemplates": [{ "templateName": "shared-env", "majorVersion": "1" }] });
        assert_eq!(names(&proton.done("ListEnvironments", of).await), ["shared"]);

        let gone = proton.done("DeleteEnvironment", json!({ "name": "shared" })).await;
        assert_eq!(gone["environment"]["deploymentStatus"], "DELETE_COMPLETE");
        let going = proton.done("DeleteEnvironment", json!({ "name": "dev" })).await;
        assert_eq!(going["environment"]["deploymentStatus"], "DELETE_IN_PROGRESS");
        agent.succeed_all(&world).await;
        assert_eq!(proton.refused("GetEnvironment", json!({ "name": "dev" })).await.0, "ResourceNotFoundException");
        assert_eq!(proton.refused("DeleteEnvironment", json!({ "name": "dev" })).await.0, "ResourceNotFoundException");
        assert_eq!(world.proton(crate::world::developer()).refused("DeleteEnvironment", json!({ "name": "prd" })).await.0, "AccessDeniedException");
    }

    async fn there_are_as_many_environments_as_the_quota_says(world: World) {
        world.environment_template().await;
        let app = world.with_quotas(hadron_management::app::Quotas { environments: 1, connections_per_account: 1, ..Default::default() });
        let create = |name| app.create_environment(asked(&administrator(), "CreateEnvironment"), new_environment(name, None));
        create("one").await.unwrap();
        let error = create("two").await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Quota, "QUOTA_ENVIRONMENTS"));
        let request = |account: &'static str, name| {
            let app = app.clone();
            async move { app.request_connection(asked(&owner(account), "RequestConnection"), new_connection(account, name)).await }
        };
        let first = request(PRODUCTION, "a").await.unwrap().connection.id;
        assert_eq!(reason(request(PRODUCTION, "b").await), "QUOTA_CONNECTIONS_PER_ACCOUNT");
        request(STAGING, "b").await.unwrap();
        app.delete_connection(asked(&owner(PRODUCTION), "DeleteConnection"), first).await.unwrap();
        request(PRODUCTION, "b").await.unwrap();
    }
}
