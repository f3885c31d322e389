//! Auditors see what there is, not with what values: in every answer of the Proton API, and in whatever the use cases give
//! to any other interface.

use std::collections::BTreeSet;

use hadron_domain::authority::{Caller, Right, Role};
use hadron_management::api::proton::Operation;
use hadron_management::app::instances::list::InstanceList;
use hadron_management::store::deployments::Filter;
use hadron_management::store::targets;
use hadron_proto::vocab::DeploymentId;
use hadron_templates::{MASK, masked};
use serde_json::{Value, json};

use crate::matrix::{Thing, input, things};
use crate::world::{World, administrator, auditor, caller, current, instance, owner, service_spec};

/// What people typed, stacks answered, and went wrong: parts of specs, templates, outputs and messages.
const SECRETS: [&str; 7] = [
    "Good morning",
    "hunter2",
    "TopicArn of ",
    "Endpoint of ",
    "no capacity for",
    "{{ component.name }}",
    "registry.example/app",
];

/// What Proton calls sensitive and answers contain, and whether it is masked. What is not, and why, stands in decision 25.
const SENSITIVE: [(&str, bool); 7] = [
    ("Description", false),
    ("DisplayName", false),
    ("Output", true),
    ("SpecContents", true),
    ("StatusMessage", true),
    ("TemplateFileContents", true),
    ("TemplateSchema", false),
];

fn model() -> Value {
    serde_json::from_str(include_str!("../../src/api/proton/model/proton-2020-07-20.json")).unwrap()
}

/// A shape that a member, list or map names.
fn named(reference: &Value) -> &str {
    reference
        .as_str()
        .or_else(|| reference["shape"].as_str())
        .unwrap()
}

/// The shapes within a shape, and their names in it.
fn inside(shape: &Value) -> Vec<(&str, &str)> {
    match shape["type"].as_str().unwrap() {
        "structure" => shape["members"]
            .as_object()
            .map(|members| {
                members
                    .iter()
                    .map(|(name, of)| (name.as_str(), named(of)))
                    .collect()
            })
            .unwrap_or_default(),
        "list" => vec![("", named(&shape["member"]))],
        _ => Vec::new(),
    }
}

/// Everything of a sensitive shape in an answer.
fn sensitive<'m, 'v>(
    model: &'m Value,
    shape: &'m str,
    value: &'v Value,
    found: &mut Vec<(&'m str, &'v Value)>,
) {
    let of = &model["shapes"][shape];
    if of["sensitive"] == true && !value.is_null() {
        found.push((shape, value));
    }
    for (name, shape) in inside(of) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| sensitive(model, shape, item, found)),
            Value::Object(members) => {
                if let Some(value) = members.get(name) {
                    sensitive(model, shape, value, found);
                }
            }
            _ => {}
        }
    }
}

/// The sensitive shapes that answers can have.
fn all_sensitive(model: &Value) -> BTreeSet<String> {
    fn walk(model: &Value, shape: &str, seen: &mut BTreeSet<String>, found: &mut BTreeSet<String>) {
        if !seen.insert(shape.to_owned()) {
            return;
        }
        let of = &model["shapes"][shape];
        if of["sensitive"] == true {
            found.insert(shape.to_owned());
        }
        for (_, shape) in inside(of) {
            walk(model, shape, seen, found);
        }
    }
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    for operation in model["operations"].as_object().unwrap().values() {
        if let Some(output) = operation.get("output") {
            walk(model, named(output), &mut seen, &mut found);
        }
    }
    found
}

fn with(rights: &[(Role, &str)]) -> Caller {
    let rights = rights
        .iter()
        .map(|(role, scope)| Right::new(*role, scope.parse().unwrap()).unwrap());
    Caller {
        rights: rights.collect(),
        ..caller(Role::Auditor, None)
    }
}

/// Two of everything, with secrets, and with deployments that failed.
async fn full(world: &World) -> [Thing; 3] {
    let things = things(world).await;
    let agents = [
        world.agent(things[0].connection).await,
        world.agent(things[1].connection).await,
    ];
    for (of, agent) in things.iter().zip(&agents) {
        let inputs = "image: \"registry.example/app:hunter2\"";
        let spec = service_spec(Some(""), &[(of.instance, of.environment, inputs)]);
        world
            .update_instance(of.service, of.instance, current(Some(&spec)))
            .await
            .unwrap();
        agent.succeed_all(world).await;
        world
            .update_instance(of.service, of.instance, current(None))
            .await
            .unwrap();
        agent.fail_one(world, "no capacity for hunter2").await;
    }
    things
}

fn reads() -> impl Iterator<Item = Operation> {
    Operation::ALL.into_iter().filter(|operation| {
        let name = operation.name();
        name.starts_with("Get") || name.starts_with("List")
    })
}

fn secrets_in(text: &str) -> BTreeSet<&'static str> {
    SECRETS
        .into_iter()
        .filter(|secret| text.contains(secret))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_the_proton_api_shows_an_auditor_a_value() {
    let world = World::sqlite().await;
    let [own, other, _] = Box::pin(full(&world)).await;
    let model = model();
    let decided: BTreeSet<String> = SENSITIVE.iter().map(|(shape, _)| (*shape).to_owned()).collect();
    assert_eq!(
        all_sensitive(&model),
        decided,
        "say in decision 25 whether it is masked"
    );
    let hidden = |shape: &str| SENSITIVE.iter().any(|(name, masked)| *name == shape && *masked);
    let (mut shown, mut compared) = (BTreeSet::new(), BTreeSet::new());
    for operation in reads() {
        for of in [&own, &other] {
            let mut asked_for = input(operation, of);
            // The one that failed has the most to say.
            if operation == Operation::GetDeployment {
                let last = world.last(&instance(of.service, of.instance)).await.deployment.id;
                asked_for = json!({"id": last.as_uuid().to_string()});
            }
            let plain = world
                .proton(administrator())
                .ask(operation.name(), asked_for.clone())
                .await;
            let seen = world.proton(auditor()).ask(operation.name(), asked_for).await;
            assert_eq!(seen.error(), plain.error(), "{operation:?}");
            if plain.error() != "" {
                continue;
            }
            shown.extend(secrets_in(&plain.body.to_string()));
            let left = secrets_in(&seen.body.to_string());
            assert!(
                left.is_empty(),
                "{operation:?} shows an auditor {left:?}: {}",
                seen.body
            );
            let output = named(&model["operations"][operation.name()]["output"]);
            let (mut before, mut after) = (Vec::new(), Vec::new());
            sensitive(&model, output, &plain.body, &mut before);
            sensitive(&model, output, &seen.body, &mut after);
            assert_eq!(
                before.len(),
                after.len(),
                "{operation:?}: what is there may be seen"
            );
            for ((shape, plain), (_, seen)) in before.into_iter().zip(after) {
                match (shape, plain) {
                    (shape, _) if !hidden(shape) => assert_eq!(plain, seen, "{operation:?} {shape}"),
                    ("Output", _) => {
                        assert_eq!(plain["key"], seen["key"]);
                        assert_eq!(seen["valueString"], MASK);
                        compared.insert("Output");
                    }
                    ("StatusMessage", _) => {
                        assert!(
                            seen == MASK || (seen == "" && plain == ""),
                            "{operation:?}: {seen}"
                        );
                        compared.insert("StatusMessage");
                    }
                    (_, Value::String(text)) => {
                        assert_eq!(seen, &masked(text), "{operation:?} {shape}");
                        assert!(seen != plain || text.is_empty(), "{operation:?} {shape}: {seen}");
                        compared.insert(shape);
                    }
                    other => panic!("{operation:?}: {other:?}"),
                }
            }
        }
    }
    // There was something to be seen, of each sort that running operations show.
    for secret in [
        "Good morning",
        "hunter2",
        "TopicArn of ",
        "no capacity for",
        "registry.example/app",
    ] {
        assert!(shown.contains(secret), "{secret} is shown to nobody");
    }
    assert_eq!(
        compared,
        BTreeSet::from(["Output", "SpecContents", "StatusMessage"])
    );
}

/// Everything that the use cases tell somebody, as text.
async fn told(world: &World, who: &Caller, of: &Thing) -> String {
    let app = &world.app;
    let service = of.service.parse().unwrap();
    let mut all = Vec::new();
    macro_rules! add {
        ($answer:expr) => {
            match $answer.await {
                Ok(answer) => all.push(format!("{answer:?}")),
                Err(error) => assert_eq!(error.reason, "NOT_FOUND", "{error:?}"),
            }
        };
    }
    add!(app.get_environment(who, &of.environment.parse().unwrap()));
    add!(app.view_environment(who, &of.environment.parse().unwrap()));
    add!(app.list_environments(who, Vec::new(), String::new(), 99));
    for kind in ["environment", "instance", "pipeline"] {
        let filter = targets::Filter {
            kind,
            ..targets::Filter::default()
        };
        add!(app.list_targets(who, filter, (String::new(), String::new()), 99));
    }
    add!(app.get_service(who, &service));
    add!(app.list_services(who, String::new(), 99));
    add!(app.get_service_and_pipeline(who, &service));
    add!(app.list_service_rows(who, String::new(), 99));
    add!(app.get_instance(who, &service, &of.instance.parse().unwrap()));
    let list = InstanceList {
        service: None,
        filters: Vec::new(),
        sort: Default::default(),
        direction: Default::default(),
    };
    add!(app.list_instances(who, list, None, 99));
    add!(app.get_pipeline(who, &service));
    add!(app.get_component(who, &of.component.parse().unwrap()));
    add!(app.list_components(who, Default::default(), String::new(), 99));
    let filter = Filter::default();
    add!(app.list_deployments(who, filter, String::new(), 99));
    let target = instance(of.service, of.instance);
    add!(app.get_target(who, &target));
    add!(app.outputs(who, &target, None));
    let id: DeploymentId = world.last(&target).await.deployment.id;
    add!(app.get_deployment(who, id));
    add!(app.deployment_events(who, id, 0, 99));
    add!(app.rendered_template(who, id));
    add!(app.compared_template(who, id));
    all.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_use_case_tells_an_auditor_a_value() {
    let world = World::sqlite().await;
    let [own, other, _] = Box::pin(full(&world)).await;
    for of in [&own, &other] {
        let plain = told(&world, &administrator(), of).await;
        assert_eq!(secrets_in(&plain), BTreeSet::from(SECRETS), "{plain}");
        for who in [auditor(), with(&[(Role::Auditor, "service:web")])] {
            let seen = told(&world, &who, of).await;
            let left = secrets_in(&seen);
            assert!(left.is_empty(), "{left:?} of {who:?}: {seen}");
        }
    }
    // Whoever plays another part somewhere reads the values there and nowhere else.
    let both = with(&[
        (Role::Auditor, "hub"),
        (Role::Developer, "service:web"),
        (Role::Developer, "environment:prd"),
    ]);
    let (here, there) = (told(&world, &both, &own).await, told(&world, &both, &other).await);
    assert!(here.contains("hunter2") && here.contains("Good morning"));
    let single = |service: &str| {
        let (world, both) = (&world, &both);
        let service = service.to_owned();
        async move {
            format!(
                "{:?}",
                world
                    .app
                    .get_service(both, &service.parse().unwrap())
                    .await
                    .unwrap()
            )
        }
    };
    assert!(single("web").await.contains("hunter2"));
    assert!(!single("shop").await.contains("hunter2"), "{there}");
    // Owners read what is in their account.
    let row = world
        .app
        .get_environment(&owner(crate::world::PRODUCTION), &"prd".parse().unwrap())
        .await
        .unwrap();
    assert!(row.spec.contains("Good morning"), "{row:?}");
    // The structure stays.
    let row = world
        .app
        .get_service(&auditor(), &"web".parse().unwrap())
        .await
        .unwrap();
    let spec = hadron_templates::ServiceSpec::parse("spec.yaml", &row.service.spec).unwrap();
    assert_eq!(
        (
            spec.instances[0].name.as_str(),
            spec.instances[0].environment.as_str()
        ),
        ("blue", "prd")
    );
    let (service, name) = ("web".parse().unwrap(), "blue".parse().unwrap());
    let row = world.app.get_instance(&auditor(), &service, &name).await.unwrap();
    assert!(row.spec.contains("image: \"***\""), "{}", row.spec);
}
