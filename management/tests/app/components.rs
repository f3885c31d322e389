//! Components: attached and detached, what they give to their instance, what they keep from being removed, and what is left
//! when they fail.

use hadron_domain::component::{Attachment, Change};
use hadron_domain::target::{RoleKind, Target};
use hadron_domain::template::TemplateKind;
use hadron_management::api::proton::testing::Client;
use hadron_management::app::components::{ComponentUpdate, ComponentView, NewComponent};
use hadron_management::app::effects::FailureKind;
use hadron_management::app::work::OfferedWork;
use hadron_management::app::{AppError, Quotas, Request};
use hadron_management::store::components::Filter;
use hadron_management::store::templates;
use serde_json::json;

use crate::agent::{Agent, failed, stack};
use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, World, account, administrator, asked, changed_example, current, developer,
    environment, identified, instance, reason, service_spec,
};

const PLAIN: &str = "minimal-svc-no-pipeline";
pub(crate) const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: bucket.yaml\n      rendering_engine: jinja\n      template_language: cloudformation\n";
const ATTACHED: &str = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: \"{{ component.name }} of {{ service.name }}/{{ service_instance.name }}:{{ service_instance.inputs.port }}\"\n";
pub(crate) const FREE: &str = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: \"{{ component.name }} in {{ environment.name }} ({{ environment.account_id }})\"\n";

fn component(name: &str) -> Target {
    Target::Component(name.parse().unwrap())
}

fn at(text: &str) -> Attachment {
    let (service, instance) = text.split_once('/').unwrap();
    Attachment {
        service: service.parse().unwrap(),
        instance: instance.parse().unwrap(),
    }
}

fn attached(name: &str, to: &str) -> NewComponent {
    NewComponent {
        name: name.parse().unwrap(),
        description: "for tests".to_owned(),
        environment: None,
        attached: Some(at(to)),
        service_spec: None,
        manifest: MANIFEST.to_owned(),
        template_file: ATTACHED.to_owned(),
    }
}

pub(crate) fn free(name: &str, in_environment: &str) -> NewComponent {
    NewComponent {
        environment: Some(in_environment.parse().unwrap()),
        attached: None,
        template_file: FREE.to_owned(),
        ..attached(name, "none/none")
    }
}

fn update(name: &str) -> ComponentUpdate {
    ComponentUpdate {
        name: name.parse().unwrap(),
        deploy: true,
        description: None,
        change: Change::Keep,
        service_spec: None,
        template_file: None,
    }
}

/// Detaches a component and gives it a template that needs no instance.
fn detach(name: &str) -> ComponentUpdate {
    ComponentUpdate {
        change: Change::Detach,
        template_file: Some(FREE.to_owned()),
        ..update(name)
    }
}

fn attach(name: &str, to: &str) -> ComponentUpdate {
    ComponentUpdate {
        change: Change::Attach(at(to)),
        ..update(name)
    }
}

async fn create(world: &World, new: NewComponent) -> Result<ComponentView, AppError> {
    let request = asked(&developer(), "CreateComponent");
    world.app.create_component(request, new).await
}

async fn change(world: &World, update: ComponentUpdate) -> Result<ComponentView, AppError> {
    let request = asked(&developer(), "UpdateComponent");
    world.app.update_component(request, update).await
}

async fn delete(world: &World, name: &str) -> Result<ComponentView, AppError> {
    let request = asked(&developer(), "DeleteComponent");
    world
        .app
        .delete_component(request, name.parse().unwrap(), Vec::new())
        .await
}

async fn view(world: &World, name: &str) -> ComponentView {
    world
        .app
        .get_component(&developer(), &name.parse().unwrap())
        .await
        .unwrap()
}

async fn names(world: &World, filter: Filter) -> Vec<String> {
    let views = world
        .app
        .list_components(&developer(), filter, String::new(), 100)
        .await
        .unwrap();
    views.iter().map(|view| view.component.name.to_string()).collect()
}

/// The text that a target's last deployment was rendered to.
async fn rendered(world: &World, target: &Target) -> String {
    let id = world.target(target).await.attempted.unwrap().0;
    world.app.rendered_template(&developer(), id).await.unwrap().0
}

/// Whether the only version of the service template takes components.
async fn take_components(world: &World, truth: bool) {
    let written = world.app.write("components", move |unit| {
        Box::pin(async move {
            let (name, version) = (PLAIN.parse().unwrap(), "1.0".parse().unwrap());
            let row = templates::get_version(unit.tx, TemplateKind::Service, &name, version).await?;
            let row = templates::VersionRow {
                approvals: templates::Approvals::default(),
                components: truth,
                ..row.unwrap()
            };
            Ok(templates::put_version(unit.tx, &row).await?)
        })
    });
    written.await.unwrap();
}

/// A service with instance `blue` in `prd` and `green` in `stg`, deployed; its template prints an output of the component.
/// Only `prd` has a role for components.
async fn place(world: &World) -> [Agent; 2] {
    world.environment_template().await;
    world.template(TemplateKind::Service, PLAIN, true).await;
    let bundle = changed_example(
        PLAIN,
        "Value: \"{{ service_instance.inputs.image | default('none') }}\"",
        "Value: \"{{ service_instance.components.default.name | default('nothing') }} gives {{ service_instance.components.default.outputs.TopicArn | default('none') }}\"",
    );
    world
        .published(TemplateKind::Service, PLAIN, None, bundle, &["minimal-env:1"])
        .await;
    take_components(world, true).await;
    let agents = [
        world.environment_with_components(PRODUCTION, "prd").await.1,
        world.environment(STAGING, "stg").await.1,
    ];
    let spec = service_spec(
        None,
        &[
            ("blue", "prd", "port: 80"),
            ("green", "stg", "port: 81"),
            ("red", "prd", "port: 82"),
        ],
    );
    world.create_service("web", PLAIN, &spec).await.unwrap();
    for agent in &agents {
        agent.succeed_all(world).await;
    }
    assert_eq!(world.service_status("web").await, "ACTIVE");
    agents
}

scenarios! {
    async fn an_instance_sees_its_component_with_its_next_deployment(world: World) {
        let [prd, _] = place(&world).await;
        assert!(rendered(&world, &instance("web", "blue")).await.contains("nothing gives none"));
        let made = create(&world, attached("bucket", "web/blue")).await.unwrap();
        assert_eq!((made.target.status.as_str(), made.target.environment.as_ref().unwrap().as_str()), ("IN_PROGRESS", "prd"));
        assert!(made.target.stack_name.starts_with("AWSProton-bucket-cloudformation-"), "{}", made.target.stack_name);
        let offer = prd.take_stack(&world).await;
        assert_eq!(stack(&offer).role_kind, RoleKind::Component);
        assert_eq!(stack(&offer).role.as_ref().unwrap().to_string(), format!("arn:aws:iam::{PRODUCTION}:role/components"));
        let OfferedWork::Apply { tags, .. } = &offer.work else { panic!("{offer:?}") };
        for (key, end) in [
            ("proton:component", "component/bucket"),
            ("proton:environment", "environment/prd"),
            ("proton:service", "service/web"),
            ("proton:service-instance", "service/web/service-instance/blue"),
        ] {
            assert!(tags.iter().any(|(name, value)| name == key && value.ends_with(end)), "{key}: {tags:?}");
        }
        assert!(tags.iter().all(|(key, _)| key != "proton:template"), "{tags:?}");
        // The inputs are those that the instance was deployed with.
        assert!(rendered(&world, &component("bucket")).await.contains("bucket of web/blue:80"));
        let told = world.events(offer.deployment.unwrap()).await;
        assert!(told[0].message.starts_with("deployment of component bucket requested by "), "{}", told[0].message);

        // While it is deployed its instance is not, and neither goes away.
        assert_eq!(reason(world.update_instance("web", "blue", current(None)).await), "DEPLOYMENT_IN_PROGRESS");
        world.update_instance("web", "red", current(None)).await.unwrap();
        prd.succeed(&world, &offer).await;
        prd.succeed_all(&world).await;
        let state = view(&world, "bucket").await;
        assert_eq!((state.target.status.as_str(), state.target.outputs["TopicArn"].as_str()), ("SUCCEEDED", "TopicArn of component bucket"));
        let spec = service_spec(None, &[("green", "stg", "port: 81"), ("red", "prd", "port: 82")]);
        assert_eq!(reason(world.update_service("web", &spec).await), "COMPONENT_ATTACHED");
        assert_eq!(reason(world.delete_service("web").await), "COMPONENT_ATTACHED");
        let request = asked(&developer(), "DeleteServiceInstance");
        let gone = world.app.delete_instance(request, "web".parse().unwrap(), "blue".parse().unwrap(), Vec::new()).await;
        assert_eq!(reason(gone), "COMPONENT_ATTACHED");
        assert_eq!(reason(delete(&world, "bucket").await), "COMPONENT_ATTACHED");

        // Nothing happens to the instance by itself.
        assert!(prd.take(&world).await.is_empty());
        world.update_instance("web", "blue", current(None)).await.unwrap();
        assert!(rendered(&world, &instance("web", "blue")).await.contains("bucket gives TopicArn of component bucket"));
        assert_eq!(reason(change(&world, update("bucket")).await), "DEPLOYMENT_IN_PROGRESS");
        assert_eq!(reason(change(&world, detach("bucket")).await), "DEPLOYMENT_IN_PROGRESS");
        prd.succeed_all(&world).await;
        let built_on = world.last(&instance("web", "blue")).await.target_state.unwrap().component_deployments;
        assert_eq!(built_on, [state.target.succeeded.unwrap().0]);

        let detached = change(&world, detach("bucket")).await.unwrap();
        assert_eq!(detached.component.shape.attached, None);
        let offer = prd.take_stack(&world).await;
        let OfferedWork::Apply { tags, .. } = &offer.work else { panic!("{offer:?}") };
        assert!(tags.iter().all(|(key, _)| key != "proton:service"), "{tags:?}");
        assert!(rendered(&world, &component("bucket")).await.contains(&format!("bucket in prd ({PRODUCTION})")));
        prd.succeed(&world, &offer).await;
        let states = world.last(&component("bucket")).await;
        let [before, after] = [states.initial, states.target_state].map(|state| state.unwrap().component.unwrap());
        assert_eq!((before.service.as_str(), before.instance.as_str(), before.template_file.as_str()), ("web", "blue", ATTACHED));
        assert_eq!((after.service.as_str(), after.template_file.as_str()), ("", FREE));

        world.update_instance("web", "blue", current(None)).await.unwrap();
        assert!(rendered(&world, &instance("web", "blue")).await.contains("nothing gives none"));
        prd.succeed_all(&world).await;
        assert_eq!(delete(&world, "bucket").await.unwrap().target.status, "DELETE_IN_PROGRESS");
        assert_eq!(reason(change(&world, update("bucket")).await), "DEPLOYMENT_IN_PROGRESS");
        let offer = prd.take_stack(&world).await;
        assert!(matches!(offer.work, OfferedWork::Destroy { .. }));
        assert_eq!(stack(&offer).role_kind, RoleKind::Component);
        prd.succeed(&world, &offer).await;
        assert!(world.find(&component("bucket")).await.is_none());
        assert_eq!(reason(world.app.get_component(&developer(), &"bucket".parse().unwrap()).await), "NOT_FOUND");
        assert_eq!(world.rows("SELECT name AS topic, '' AS key, '' AS more FROM component", &[]).await, Vec::<String>::new());
        world.delete_service("web").await.unwrap();
    }

    async fn what_cannot_be_made_is_refused_before_anything_is_stored(world: World) {
        let [prd, _] = place(&world).await;
        let no = async |new: NewComponent| create(&world, new).await.unwrap_err();
        let nowhere = NewComponent { environment: None, ..free("bucket", "prd") };
        assert_eq!(no(nowhere).await.reason, "ENVIRONMENT_MISSING");
        for missing in [attached("bucket", "shop/blue"), attached("bucket", "web/grey"), free("bucket", "dev")] {
            assert_eq!(no(missing).await.reason, "NOT_FOUND");
        }
        let other = NewComponent { environment: Some("stg".parse().unwrap()), ..attached("bucket", "web/blue") };
        assert_eq!(no(other).await.reason, "OTHER_ENVIRONMENT");
        let error = no(attached("bucket", "web/green")).await;
        assert_eq!(error.reason, "NO_COMPONENT_ROLE");
        let help = error.help.unwrap();
        assert!(help.contains(STAGING) && help.contains("--component-role-arn"), "{help}");
        assert_eq!(no(free("bucket", "stg")).await.reason, "NO_COMPONENT_ROLE");
        let spec = Some(service_spec(None, &[("blue", "prd", "")]));
        let error = no(NewComponent { service_spec: spec, ..free("bucket", "prd") }).await;
        assert_eq!(error.reason, "SPEC_WITHOUT_INSTANCE");
        for (spec, reason) in [
            (service_spec(None, &[("red", "prd", "")]), "INSTANCE_NOT_IN_SPEC"),
            (service_spec(None, &[("blue", "stg", "")]), "OTHER_ENVIRONMENT"),
            (service_spec(None, &[("blue", "prd", "port: many")]), "FAULTS"),
            ("proton: EnvironmentSpec\nspec: {}\n".to_owned(), "FAULTS"),
        ] {
            let error = no(NewComponent { service_spec: Some(spec), ..attached("bucket", "web/blue") }).await;
            assert_eq!(error.reason, reason, "{}", error.message);
        }
        // The template's own faults carry the file's name, line and column.
        let error = no(NewComponent { template_file: ATTACHED.replace("service.name", "service.nam"), ..attached("bucket", "web/blue") }).await;
        assert!(error.message.contains("bucket.yaml:5:") && error.message.contains("did you mean 'name'?"), "{}", error.message);
        let error = no(NewComponent { template_file: ATTACHED.to_owned(), ..free("bucket", "prd") }).await;
        assert!(error.message.contains("'service' is not defined here"), "{}", error.message);
        let terraform = MANIFEST.replace("jinja", "hcl").replace("language: cloudformation", "language: terraform");
        let error = no(NewComponent { manifest: terraform, ..free("bucket", "prd") }).await;
        assert!(error.message.contains("not available yet"), "{}", error.message);

        take_components(&world, false).await;
        assert_eq!(no(attached("bucket", "web/blue")).await.reason, "COMPONENTS_NOT_SUPPORTED");
        take_components(&world, true).await;
        assert!(names(&world, Filter::default()).await.is_empty() && prd.take(&world).await.is_empty());

        create(&world, attached("bucket", "web/blue")).await.unwrap();
        assert_eq!(no(attached("bucket", "web/red")).await.reason, "COMPONENT_EXISTS");
        assert_eq!(no(attached("queue", "web/blue")).await.reason, "INSTANCE_HAS_COMPONENT");
        prd.succeed_all(&world).await;
        // A version that takes no more components keeps those that it has.
        take_components(&world, false).await;
        change(&world, update("bucket")).await.unwrap();
        prd.succeed_all(&world).await;

        world.update_instance("web", "red", current(None)).await.unwrap();
        take_components(&world, true).await;
        assert_eq!(no(attached("queue", "web/red")).await.reason, "DEPLOYMENT_IN_PROGRESS");
        let app = world.with_quotas(Quotas { components: 1, ..Quotas::default() });
        let full = app.create_component(asked(&developer(), "CreateComponent"), free("queue", "prd")).await;
        assert_eq!(reason(full), "QUOTA_COMPONENTS");
        assert_eq!(names(&world, Filter::default()).await, ["bucket"]);
    }

    async fn inputs_come_from_the_spec_that_was_given(world: World) {
        let [prd, _] = place(&world).await;
        let spec = service_spec(None, &[("blue", "prd", "port: 8080"), ("elsewhere", "dev", "unknown: 1")]);
        let made = create(&world, NewComponent { service_spec: Some(spec), ..attached("bucket", "web/blue") }).await.unwrap();
        assert!(made.component.shape.service_spec.contains("8080"));
        assert!(rendered(&world, &component("bucket")).await.contains("web/blue:8080"));
        prd.succeed_all(&world).await;
        // Values of the stored spec can be kept by name.
        let spec = service_spec(None, &[("blue", "prd", "port: '${Proton::CURRENT_VAL}', desired_count: 3")]);
        let changed = change(&world, ComponentUpdate { service_spec: Some(spec), ..update("bucket") }).await.unwrap();
        assert!(!changed.component.shape.service_spec.contains("CURRENT_VAL"), "{}", changed.component.shape.service_spec);
        assert!(rendered(&world, &component("bucket")).await.contains("web/blue:8080"));
        prd.succeed_all(&world).await;
        // Without one, the instance's own values count, those of now.
        create(&world, attached("queue", "web/red")).await.unwrap();
        assert!(rendered(&world, &component("queue")).await.contains("web/red:82"));
        prd.succeed_all(&world).await;
        let spec = service_spec(None, &[("red", "prd", "port: 90")]);
        world.update_instance("web", "red", current(Some(&spec))).await.unwrap();
        prd.succeed_all(&world).await;
        change(&world, update("queue")).await.unwrap();
        assert!(rendered(&world, &component("queue")).await.contains("web/red:90"));
        assert_eq!(view(&world, "queue").await.component.shape.service_spec, "");
    }

    async fn an_update_that_fails_leaves_what_was_but_for_a_detachment(world: World) {
        let [prd, _] = place(&world).await;
        create(&world, attached("bucket", "web/blue")).await.unwrap();
        prd.fail_one(&world, "no capacity").await;
        let state = view(&world, "bucket").await;
        assert_eq!((state.target.status.as_str(), state.target.message.as_str()), ("FAILED", "no capacity"));
        assert!(state.target.ways_out.iter().any(|way| way.contains("hadron component update bucket --template FILE")), "{:?}", state.target.ways_out);
        assert!(state.target.ways_out.iter().any(|way| way.contains("--detach")), "{:?}", state.target.ways_out);
        // What never worked stays what was asked for.
        assert_eq!(state.component.shape.attached, Some(at("web/blue")));
        change(&world, update("bucket")).await.unwrap();
        prd.succeed_all(&world).await;

        let other = ComponentUpdate { template_file: Some(ATTACHED.replace("Topic:", "Other:")), ..update("bucket") };
        change(&world, other).await.unwrap();
        assert!(view(&world, "bucket").await.component.shape.template_file.contains("Other:"));
        prd.fail_one(&world, "no").await;
        let state = view(&world, "bucket").await;
        assert_eq!((state.target.status.as_str(), state.component.shape.template_file.as_str()), ("FAILED", ATTACHED));
        assert_eq!(state.target.outputs["TopicArn"], "TopicArn of component bucket");

        assert_eq!(reason(change(&world, attach("bucket", "web/red")).await), "ATTACHED_ELSEWHERE");
        change(&world, detach("bucket")).await.unwrap();
        prd.fail_one(&world, "no").await;
        let state = view(&world, "bucket").await;
        assert_eq!((state.component.shape.attached, state.component.shape.template_file.as_str()), (None, ATTACHED));
        // Its instance is free for another one.
        create(&world, attached("queue", "web/blue")).await.unwrap();
        prd.succeed_all(&world).await;
        assert_eq!(reason(change(&world, attach("bucket", "web/blue")).await), "INSTANCE_HAS_COMPONENT");

        // An attachment that came to nothing is none, whether it failed or was cancelled.
        change(&world, attach("bucket", "web/red")).await.unwrap();
        assert_eq!(view(&world, "bucket").await.component.shape.attached, Some(at("web/red")));
        prd.fail_one(&world, "no").await;
        assert_eq!(view(&world, "bucket").await.component.shape.attached, None);
        change(&world, detach("bucket")).await.unwrap();
        prd.succeed_all(&world).await;
        change(&world, ComponentUpdate { template_file: Some(ATTACHED.to_owned()), ..attach("bucket", "web/red") }).await.unwrap();
        let request = asked(&developer(), "CancelComponentDeployment");
        let cancelled = world.app.cancel_target(request, &component("bucket")).await.unwrap();
        world.settle().await;
        assert!(["CANCELLED", "CANCELLING"].contains(&cancelled.status.as_str()), "{}", cancelled.status);
        prd.succeed_all(&world).await;
        let state = view(&world, "bucket").await;
        assert_eq!((state.target.status.as_str(), state.component.shape.attached, state.component.shape.template_file.as_str()), ("CANCELLED", None, FREE));

        // A deletion that fails changes nothing but the status, and can be tried again.
        delete(&world, "bucket").await.unwrap();
        let offer = prd.take_stack(&world).await;
        prd.report(&world, &offer, failed(&offer, FailureKind::DeleteFailed, "not empty")).await;
        let state = view(&world, "bucket").await;
        assert_eq!((state.target.status.as_str(), state.component.shape.template_file.as_str()), ("DELETE_FAILED", FREE));
        assert!(state.target.ways_out.iter().any(|way| way.contains("hadron component delete bucket --retain Bucket")), "{:?}", state.target.ways_out);
        delete(&world, "bucket").await.unwrap();
        prd.succeed_all(&world).await;
        assert_eq!(names(&world, Filter::default()).await, ["queue"]);
    }

    async fn a_component_beside_the_services(world: World) {
        let [prd, _] = place(&world).await;
        create(&world, free("alarm", "prd")).await.unwrap();
        create(&world, attached("bucket", "web/blue")).await.unwrap();
        prd.succeed_all(&world).await;
        let of = |environment: Option<&str>, service: Option<&str>, instance: Option<&str>| Filter {
            environment: environment.map(|text| text.parse().unwrap()),
            service: service.map(|text| text.parse().unwrap()),
            instance: instance.map(|text| text.parse().unwrap()),
        };
        assert_eq!(names(&world, Filter::default()).await, ["alarm", "bucket"]);
        assert_eq!(names(&world, of(Some("prd"), None, None)).await, ["alarm", "bucket"]);
        assert_eq!(names(&world, of(Some("stg"), None, None)).await, Vec::<String>::new());
        assert_eq!(names(&world, of(None, Some("web"), None)).await, ["bucket"]);
        assert_eq!(names(&world, of(None, Some("web"), Some("blue"))).await, ["bucket"]);
        assert_eq!(names(&world, of(None, Some("web"), Some("red"))).await, Vec::<String>::new());
        let alone = world.app.list_components(&developer(), of(None, None, Some("blue")), String::new(), 9).await;
        assert_eq!(reason(alone), "SERVICE_MISSING");
        let page = world.app.list_components(&developer(), Filter::default(), "alarm".to_owned(), 9).await.unwrap();
        assert_eq!(page.len(), 1);

        // Only the description can change without a deployment.
        let words = ComponentUpdate { deploy: false, description: Some("Bells".to_owned()), ..update("alarm") };
        assert_eq!(change(&world, words).await.unwrap().target.description, "Bells");
        assert!(prd.take(&world).await.is_empty());
        for more in [
            ComponentUpdate { deploy: false, ..detach("alarm") },
            ComponentUpdate { deploy: false, ..attach("alarm", "web/red") },
            ComponentUpdate { deploy: false, service_spec: Some("x".to_owned()), ..update("alarm") },
        ] {
            assert_eq!(reason(change(&world, more).await), "NOTHING_IS_DEPLOYED");
        }

        // Its environment stays as long as it is in there.
        change(&world, detach("bucket")).await.unwrap();
        prd.succeed_all(&world).await;
        delete(&world, "bucket").await.unwrap();
        world.delete_service("web").await.unwrap();
        prd.succeed_all(&world).await;
        let error = world.delete_environment("prd").await.unwrap_err();
        assert!(error.message.contains("component alarm") && error.help.as_ref().unwrap().contains("hadron component delete alarm"), "{error:?}");
        // It follows its environment to another connection of the account.
        let row = world.target(&component("alarm")).await;
        assert_eq!(row.connection, world.target(&environment("prd")).await.connection);
        delete(&world, "alarm").await.unwrap();
        prd.succeed_all(&world).await;
        world.delete_environment("prd").await.unwrap();
        prd.succeed_all(&world).await;
        assert!(world.find(&environment("prd")).await.is_none());
    }

    async fn requests_are_answered_once(world: World) {
        let [prd, _] = place(&world).await;
        let token = |id: &str, content: &str| identified(&developer(), "CreateComponent", id, content);
        let app = &world.app;
        app.create_component(token("t1", "a"), free("alarm", "prd")).await.unwrap();
        let again = app.create_component(token("t1", "a"), free("alarm", "prd")).await.unwrap();
        assert_eq!((again.target.client_token.as_str(), again.target.status.as_str()), ("t1", "IN_PROGRESS"));
        assert_eq!(reason(app.create_component(token("t1", "b"), free("bell", "prd")).await), "REQUEST_ID_REUSED");
        assert_eq!(reason(app.create_component(token("t2", "a"), free("alarm", "prd")).await), "COMPONENT_EXISTS");
        prd.succeed_all(&world).await;
        let request = identified(&developer(), "UpdateComponent", "t3", "x");
        app.update_component(request.clone(), update("alarm")).await.unwrap();
        let again = app.update_component(request, update("alarm")).await.unwrap();
        assert_eq!(again.target.client_token, "t3");
        assert_eq!(world.active().await.len(), 1);
        prd.succeed_all(&world).await;
        // Without a token, the very same creation is answered with what it made; until that is gone.
        let repeat = || Request { repeatable: true, ..asked(&developer(), "CreateComponent") };
        app.create_component(repeat(), free("bell", "prd")).await.unwrap();
        let id = app.create_component(repeat(), free("bell", "prd")).await.unwrap().target.id;
        prd.succeed_all(&world).await;
        delete(&world, "bell").await.unwrap();
        prd.succeed_all(&world).await;
        assert_ne!(app.create_component(repeat(), free("bell", "prd")).await.unwrap().target.id, id);
    }

    async fn protons_operations(world: World) {
        let [prd, _] = place(&world).await;
        let proton = Client::new(world.app.clone(), administrator());
        let input = json!({
            "name": "bucket", "manifest": MANIFEST, "templateFile": ATTACHED, "description": "Uploads", "tags": [{ "key": "team", "value": "shop" }], "clientToken": "abc",
            "serviceName": "web", "serviceInstanceName": "blue",
            "serviceSpec": service_spec(None, &[("blue", "prd", "port: 8080")]),
        });
        let made = proton.done("CreateComponent", input.clone()).await;
        let shown = &made["component"];
        assert_eq!(shown["arn"], "arn:aws:proton:us-east-1:111111111111:component/bucket");
        for (member, value) in [
            ("name", "bucket"), ("environmentName", "prd"), ("serviceName", "web"), ("serviceInstanceName", "blue"),
            ("deploymentStatus", "IN_PROGRESS"), ("description", "Uploads"), ("lastClientRequestToken", "abc"),
        ] {
            assert_eq!(shown[member], value, "{member}");
        }
        assert!(shown["lastDeploymentSucceededAt"].is_null() && shown["lastModifiedAt"].is_number(), "{shown}");
        assert!(shown.get("manifest").is_none() && shown.get("templateFile").is_none(), "{shown}");
        assert_eq!(proton.done("CreateComponent", input).await, made, "the same token gives the same answer");
        prd.succeed_all(&world).await;

        let arn = "arn:aws:proton:us-east-1:111111111111:component/bucket";
        let tags = proton
            .done("ListTagsForResource", json!({ "resourceArn": arn }))
            .await;
        let own = json!({ "key": "team", "value": "shop" });
        assert!(tags["tags"].as_array().unwrap().contains(&own), "{tags}");

        let outputs = proton.done("ListComponentOutputs", json!({ "componentName": "bucket" })).await;
        assert_eq!(outputs["outputs"][1], json!({ "key": "TopicArn", "valueString": "TopicArn of component bucket" }));
        let row = world.target(&component("bucket")).await;
        let id = row.succeeded.unwrap().0.as_uuid().to_string();
        assert_eq!(proton.done("ListComponentOutputs", json!({ "componentName": "bucket", "deploymentId": id })).await, outputs);
        let other = world.target(&instance("web", "blue")).await.succeeded.unwrap().0.as_uuid().to_string();
        let (error, _) = proton.refused("ListComponentOutputs", json!({ "componentName": "bucket", "deploymentId": other })).await;
        assert_eq!(error, "ResourceNotFoundException");
        let resources = proton.done("ListComponentProvisionedResources", json!({ "componentName": "bucket" })).await;
        assert_eq!(resources["provisionedResources"], json!([{
            "name": row.stack_name, "identifier": row.stack_arn.unwrap().to_string(), "provisioningEngine": "CLOUDFORMATION",
        }]));

        create(&world, free("alarm", "prd")).await.unwrap();
        prd.succeed_all(&world).await;
        let page = proton.done("ListComponents", json!({ "maxResults": 1 })).await;
        assert_eq!((page["components"][0]["name"].as_str(), page["components"].as_array().unwrap().len()), (Some("alarm"), 1));
        let next = proton.done("ListComponents", json!({ "maxResults": 1, "nextToken": page["nextToken"] })).await;
        assert_eq!((next["components"][0]["name"].as_str(), next.get("nextToken")), (Some("bucket"), None));
        let found = proton.done("ListComponents", json!({ "serviceName": "web", "serviceInstanceName": "blue" })).await;
        assert_eq!(found["components"][0]["deploymentStatus"], "SUCCEEDED");
        assert_eq!(proton.refused("ListComponents", json!({ "serviceInstanceName": "blue" })).await.0, "ValidationException");

        let refused = async |operation: &str, input| proton.refused(operation, input).await.0;
        let update = |more: serde_json::Value| {
            let mut input = json!({ "name": "bucket", "deploymentType": "CURRENT_VERSION" });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        assert_eq!(refused("UpdateComponent", update(json!({ "serviceName": "web" }))).await, "ValidationException");
        assert_eq!(refused("UpdateComponent", update(json!({ "serviceName": "", "serviceInstanceName": "blue" }))).await, "ValidationException");
        assert_eq!(refused("UpdateComponent", update(json!({ "serviceName": "web", "serviceInstanceName": "red" }))).await, "ConflictException");
        assert_eq!(refused("UpdateComponent", update(json!({ "deploymentType": "NONE", "templateFile": FREE }))).await, "ValidationException");
        assert_eq!(refused("DeleteComponent", json!({ "name": "bucket" })).await, "ConflictException");
        assert_eq!(refused("CancelComponentDeployment", json!({ "componentName": "bucket" })).await, "ConflictException");
        assert_eq!(refused("GetComponent", json!({ "name": "none" })).await, "ResourceNotFoundException");
        let half = json!({ "name": "x", "manifest": MANIFEST, "templateFile": FREE, "environmentName": "prd", "serviceName": "web" });
        assert_eq!(refused("CreateComponent", half).await, "ValidationException");

        let words = json!({ "name": "bucket", "deploymentType": "NONE", "description": "More" });
        assert_eq!(proton.done("UpdateComponent", words).await["component"]["description"], "More");
        let free = update(json!({ "serviceName": "", "serviceInstanceName": "", "templateFile": FREE }));
        let detached = proton.done("UpdateComponent", free).await;
        assert!(detached["component"].get("serviceName").is_none() && detached["component"].get("serviceSpec").is_none(), "{detached}");
        let cancelled = proton.done("CancelComponentDeployment", json!({ "componentName": "bucket" })).await;
        assert!(["CANCELLING", "CANCELLED"].contains(&cancelled["component"]["deploymentStatus"].as_str().unwrap()), "{cancelled}");
        world.settle().await;
        prd.succeed_all(&world).await;
        let shown = proton.done("GetComponent", json!({ "name": "bucket" })).await;
        assert_eq!((&shown["component"]["deploymentStatus"], shown["component"].get("serviceName")), (&json!("CANCELLED"), None));
        let free = json!({ "name": "bucket", "deploymentType": "CURRENT_VERSION", "templateFile": FREE });
        proton.done("UpdateComponent", free).await;
        prd.succeed_all(&world).await;
        let going = proton.done("DeleteComponent", json!({ "name": "bucket" })).await;
        assert_eq!(going["component"]["deploymentStatus"], "DELETE_IN_PROGRESS");
        assert_eq!(refused("CancelComponentDeployment", json!({ "componentName": "bucket" })).await, "ConflictException");
        prd.succeed_all(&world).await;
        assert_eq!(refused("GetComponent", json!({ "name": "bucket" })).await, "ResourceNotFoundException");
        assert_eq!(refused("DeleteComponent", json!({ "name": "bucket" })).await, "ResourceNotFoundException");
        assert_eq!(account(PRODUCTION), world.target(&environment("prd")).await.account);
    }
}
