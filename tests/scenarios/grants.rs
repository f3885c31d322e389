//! Which account may pull which image: statements of ours come and go, statements of others stay as they are.

use std::time::Duration;

use hadron_tests::scenario::{SOURCE, is_call};
use hadron_tests::world::field;
use hadron_tests::{DEV, MANAGEMENT, PROD, World, wait};
use serde_json::Value;

/// The longest policy that ECR takes.
const MOST: usize = 10_240;
const IMAGE: &str = "111111111111.dkr.ecr.us-east-1.amazonaws.com/base:1";

/// Statements of somebody else's, in a form that no program of ours would write: principals as one text, numbers, escapes,
/// keys in another order, negations, nothing but a condition apart, the same Sid twice.
const FOREIGN: [&str; 6] = [
    r#"{"Sid":"ZFirst","Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}}"#,
    r#"{"Action":["ecr:DescribeImages"],"Principal":{"AWS":"444444444444"},"Effect":"Allow"}"#,
    r#"{"Sid":"Numbers","Effect":"Deny","Principal":{"AWS":["arn:aws:iam::555555555555:root"]},"Action":"ecr:*","Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":3600},"NumericEquals":{"x:y":1.50e+3}}}"#,
    r#"{"Sid":"Service","Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}"#,
    r#"{"Sid":"Escapes","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::666666666666:role\/caf\u00e9"},"Action":"ecr:ListImages"}"#,
    r#"{"Sid":"Escapes","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"ecr:ListImages"}"#,
];

fn foreign_policy() -> String {
    format!(
        r#"{{"Id":"theirs","Version":"2008-10-17","Statement":[{}]}}"#,
        FOREIGN.join(",")
    )
}

/// The accounts that our statement names; every statement of others must be there, to the letter and in order.
async fn readers(world: &World, repository: &str) -> Vec<String> {
    let text = world
        .policy_text(repository)
        .await
        .unwrap()
        .expect("the repository has a policy");
    assert!(
        text.contains(&FOREIGN.join(",")),
        "statements of others are not as they were: {text}"
    );
    let policy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&policy["Id"], &policy["Version"]),
        (&"theirs".into(), &"2008-10-17".into()),
        "{text}"
    );
    let own = &policy["Statement"].as_array().unwrap()[FOREIGN.len()..];
    assert!(own.len() <= 1, "more than one statement of ours: {text}");
    let principals = own
        .iter()
        .flat_map(|own| own["Principal"]["AWS"].as_array().cloned().unwrap_or_default());
    principals
        .map(|arn| {
            arn.as_str()
                .and_then(|arn| arn.split(':').nth(4))
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

/// A spec of a service without a pipeline whose instances run an image.
fn with_image(world: &World, name: &str, instances: &[(&str, &str)]) -> String {
    let mut text = String::from("proton: ServiceSpec\ninstances:\n");
    for (instance, environment) in instances {
        text.push_str(&format!(
            "  - name: {instance}\n    environment: {environment}\n    spec:\n      image: \"{IMAGE}\"\n"
        ));
    }
    world.file(&format!("{name}.yaml"), text).unwrap()
}

/// Calls that wrote a repository policy, other than by the account's root.
fn writes(calls: &[Value]) -> Vec<&Value> {
    calls
        .iter()
        .filter(|call| {
            is_call(call, MANAGEMENT, "SetRepositoryPolicy")
                || is_call(call, MANAGEMENT, "DeleteRepositoryPolicy")
        })
        .filter(|call| call["key"] != "account")
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_join_and_leave_a_grant_one_by_one_and_statements_of_others_stay() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    world.environment("prd", PROD).await.unwrap();
    world.service("shop", &[("live", "prd")]).await.unwrap();
    world.granted("shop", &[PROD]).await.unwrap();

    // Somebody else writes the policy too, and throws our statement out on the way. A second account joins.
    world.set_policy("shop", &foreign_policy()).await.unwrap();
    world.environment("dev", DEV).await.unwrap();
    let both = world
        .service_spec("both", &[("live", "prd"), ("trial", "dev")])
        .unwrap();
    world
        .admin
        .ok(&["service", "update", "shop", "--spec", &both, "--wait"])
        .await
        .unwrap();
    world.granted("shop", &[DEV, PROD]).await.unwrap();
    assert_eq!(readers(&world, "shop").await, [DEV, PROD]);

    // A second instance in the same account is a second reason for the same grant.
    let three = world
        .service_spec("three", &[("live", "prd"), ("trial", "dev"), ("spare", "dev")])
        .unwrap();
    world
        .admin
        .ok(&["service", "update", "shop", "--spec", &three, "--wait"])
        .await
        .unwrap();
    world.granted("shop", &[DEV, PROD]).await.unwrap();
    let grants = world.items(&["grant", "list", "--account", DEV]).await.unwrap();
    assert_eq!(grants[0]["reasons"].as_array().unwrap().len(), 2, "{grants:?}");

    // The account stays while it has a reason left, and goes with the last.
    world
        .admin
        .ok(&["instance", "delete", "shop/trial", "--yes", "--wait"])
        .await
        .unwrap();
    world.active("shop").await.unwrap();
    world.granted("shop", &[DEV, PROD]).await.unwrap();
    assert_eq!(readers(&world, "shop").await, [DEV, PROD]);
    world
        .admin
        .ok(&["instance", "delete", "shop/spare", "--yes", "--wait"])
        .await
        .unwrap();
    world.active("shop").await.unwrap();
    world.granted("shop", &[PROD]).await.unwrap();
    assert_eq!(readers(&world, "shop").await, [PROD]);
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_a_spec_is_granted_before_its_stack_is_made_and_withdrawn_with_the_service() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    world.repository("base").await.unwrap();
    world.set_policy("base", &foreign_policy()).await.unwrap();
    world.environment("prd", PROD).await.unwrap();

    let before = world.emulator.last_call().await.unwrap();
    let spec = with_image(&world, "plain", &[("live", "prd")]);
    let create = [
        "service",
        "create",
        "plain",
        "--template",
        "minimal-svc-no-pipeline",
        "--spec",
        &spec,
        "--wait",
    ];
    world.admin.ok(&create).await.unwrap();
    let calls = world.emulator.calls(before).await.unwrap();
    let written = writes(&calls);
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!(written[0]["status"], 200);
    let made = calls
        .iter()
        .find(|call| is_call(call, PROD, "CreateChangeSet"))
        .expect("the instance's stack is made");
    assert!(
        written[0]["answered"].as_f64() < made["time"].as_f64()
            && written[0]["seq"].as_u64() < made["seq"].as_u64(),
        "granted first: {} then {}",
        written[0],
        made
    );
    assert_eq!(readers(&world, "base").await, [PROD]);
    // The deployment tells that it waited.
    let deployment = world
        .last_deployment(&["instance", "get", "plain/live"])
        .await
        .unwrap();
    let events = world
        .items(&["deployment", "events", &field(&deployment, "id").unwrap()])
        .await
        .unwrap();
    assert!(
        events.iter().any(|event| event["message"]
            .as_str()
            .is_some_and(|text| text.contains("base"))),
        "{events:?}"
    );

    world
        .admin
        .ok(&["service", "delete", "plain", "--yes", "--wait"])
        .await
        .unwrap();
    world.granted("base", &[]).await.unwrap();
    assert_eq!(readers(&world, "base").await, Vec::<String>::new());
    let text = world.policy_text("base").await.unwrap().unwrap();
    assert_eq!(text, foreign_policy(), "as if nothing had been");
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_written_stops_the_instance_and_is_left_as_it_is() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    world.repository("base").await.unwrap();
    world.environment("prd", PROD).await.unwrap();

    let room = r#"{"Version":"2012-10-17","Statement":[{"Sid":"","Effect":"Deny","Principal":"*","Action":"ecr:ReplicateImage"}]}"#;
    let full = room.replace(
        r#""Sid":"""#,
        &format!(r#""Sid":"{}""#, "x".repeat(MOST - 100 - room.len())),
    );
    assert_eq!(full.len(), MOST - 100);
    let ours = r#"{"Version":"2012-10-17","Statement":[{"Sid":"HadronPull","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::333333333333:role/one"},"Action":"ecr:*"}]}"#;

    let spec = with_image(&world, "plain", &[("live", "prd")]);
    let first = [
        "service",
        "create",
        "plain",
        "--template",
        "minimal-svc-no-pipeline",
        "--spec",
        &spec,
        "--wait",
    ];
    let again = ["instance", "update", "plain/live", "--redeploy", "--wait"];
    let attempts = [
        (
            "too long",
            full.as_str(),
            &first[..],
            &["10240", "characters"][..],
        ),
        (
            "somebody's edit of our statement",
            ours,
            &again[..],
            &["HadronPull", "remove or rename"][..],
        ),
    ];
    for (what, policy, args, says) in attempts {
        world.set_policy("base", policy).await.unwrap();
        let before = world.emulator.last_call().await.unwrap();
        let said = world.admin.fails(7, args).await.unwrap();
        let deployment = world
            .last_deployment(&["instance", "get", "plain/live"])
            .await
            .unwrap();
        assert_eq!(deployment["status"], "FAILED", "{what}");
        let why = field(&deployment, "statusMessage").unwrap();
        for word in [&["333333333333"][..], says].concat() {
            assert!(
                why.contains(word),
                "{what}: no '{word}' in the deployment's message: {why}"
            );
            assert!(
                said.contains(word),
                "{what}: no '{word}' in what the command says: {said}"
            );
        }
        assert!(
            deployment["waysOut"]
                .to_string()
                .contains("hadron instance update"),
            "{what}: {deployment}"
        );
        let calls = world.emulator.calls(before).await.unwrap();
        assert!(writes(&calls).is_empty(), "{what}: {:?}", writes(&calls));
        let made = calls.iter().any(|call| is_call(call, PROD, "CreateChangeSet"));
        assert!(!made, "{what}: no stack without its image");
        assert_eq!(
            world.policy_text("base").await.unwrap().as_deref(),
            Some(policy),
            "{what}"
        );
        let grants = world.items(&["grant", "list"]).await.unwrap();
        assert_eq!(grants[0]["state"], "BLOCKED", "{what}");
        assert!(
            grants[0]["message"].to_string().contains(says[0]),
            "{what}: {grants:?}"
        );
    }

    // Once the owner of the repository has made room, the same again works.
    world.set_policy("base", &foreign_policy()).await.unwrap();
    world.admin.ok(&again).await.unwrap();
    assert_eq!(readers(&world, "base").await, [PROD]);
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_outlive_changes_of_the_pipeline_and_go_with_it() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    world.environment("prd", PROD).await.unwrap();
    world.service("shop", &[("live", "prd")]).await.unwrap();
    world.granted("shop", &[PROD]).await.unwrap();

    // CloudFormation deletes the policy of a repository that it changes when the template has none.
    let text = "proton: ServiceSpec\npipeline:\n  images_kept: 3\ninstances:\n  - name: live\n    environment: prd\n    spec: {}\n";
    let spec = world.file("fewer.yaml", text).unwrap();
    let before = world.emulator.last_call().await.unwrap();
    world
        .admin
        .ok(&["pipeline", "update", "shop", "--spec", &spec, "--wait"])
        .await
        .unwrap();
    wait::until(
        "the grant to be written again",
        Duration::from_secs(20),
        || async {
            let policy = world.policy_text("shop").await?;
            Ok(policy
                .is_some_and(|text| text.contains("arn:aws:iam::333333333333:root"))
                .then_some(()))
        },
    )
    .await
    .unwrap();
    let calls = world.emulator.calls(before).await.unwrap();
    assert_eq!(
        writes(&calls).len(),
        1,
        "it was gone, and was written once: {:?}",
        writes(&calls)
    );

    world
        .admin
        .ok(&["service", "delete", "shop", "--yes", "--wait"])
        .await
        .unwrap();
    world.granted("shop", &[]).await.unwrap();
    for account in [MANAGEMENT, PROD] {
        let left = world.emulator.stacks(account).await.unwrap();
        let left: Vec<&Value> = left
            .iter()
            .filter(|stack| stack["name"].to_string().contains("shop"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    // A new service of the old name begins anew.
    let spec = world.service_spec("again", &[("live", "prd")]).unwrap();
    let create = [
        "service",
        "create",
        "shop",
        "--template",
        "minimal-svc",
        "--spec",
        &spec,
        "--wait",
    ];
    world.admin.ok(&[&create[..], &SOURCE].concat()).await.unwrap();
    world.granted("shop", &[PROD]).await.unwrap();
    world.at_rest().await.unwrap();
}
