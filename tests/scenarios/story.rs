//! The main job of Hadron from the first command to the last, checked against what the emulated AWS says about itself.

use std::time::Duration;

use aws_sdk_ecr::types::ImageIdentifier;
use hadron_tests::emulator::Options;
use hadron_tests::scenario::{SOURCE, is_call, provisioning_role};
use hadron_tests::world::field;
use hadron_tests::{DEV, MANAGEMENT, PROD, World, aws, paths, wait};
use serde_json::{Value, json};

const FOREIGN: &str = r#"{"Sid":"Planted","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":["ecr:DescribeImages"]}"#;

/// Whether somebody can pull the image that is tagged `v1`.
async fn pulls(world: &World, who: &aws::Variables, repository: &str) -> anyhow::Result<bool> {
    let ecr = aws_sdk_ecr::Client::new(&aws::with_variables(world.emulator.url(), who).await);
    let image = ImageIdentifier::builder().image_tag("v1").build();
    let pulled = ecr
        .batch_get_image()
        .registry_id(MANAGEMENT)
        .repository_name(repository)
        .image_ids(image)
        .send()
        .await;
    match pulled {
        Ok(pulled) => {
            anyhow::ensure!(
                pulled.images().len() == 1,
                "no error and no image either: {pulled:?}"
            );
            Ok(true)
        }
        Err(error) => {
            let text = format!("{:?}", error.into_service_error());
            anyhow::ensure!(
                text.contains("AccessDenied"),
                "refused for another reason: {text}"
            );
            Ok(false)
        }
    }
}

/// Stacks by the part of their name that does not vary, with their status.
async fn stacks(world: &World, account: &str) -> anyhow::Result<Vec<(String, String)>> {
    let stacks = world.emulator.stacks(account).await?;
    stacks
        .iter()
        .map(|stack| {
            let name = field(stack, "name")?;
            let (fixed, digits) = name.rsplit_once('-').unwrap_or((&name, ""));
            anyhow::ensure!(digits.len() == 10, "a stack name without ten digits: {name}");
            Ok((fixed.to_owned(), field(stack, "status")?))
        })
        .collect()
}

fn complete(name: &str) -> (String, String) {
    (name.to_owned(), "CREATE_COMPLETE".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_where_it_belongs_and_its_images_can_be_pulled_from_there() {
    Box::pin(tell()).await;
}

/// The main job, from the request of a connection to the pull of an image.
pub(crate) async fn tell() {
    // The pipeline's second resource takes a second: time to plant a statement before Hadron gets to the first.
    let mut world = World::with(
        Options {
            delay: 1.0,
            ..Options::default()
        },
        "",
    )
    .await
    .unwrap();
    let administrator = world.admin.clone();
    let developer = world.somebody(MANAGEMENT, "developer").await.unwrap();
    let owner = world.owner(PROD).await.unwrap();
    let task = world.allowed(PROD, "task", &["ecr:BatchGetImage"]).await.unwrap();
    let stranger = world.allowed(DEV, "task", &["ecr:BatchGetImage"]).await.unwrap();
    world.publish_examples().await.unwrap();

    let requested = owner
        .json(&[
            "connection",
            "request",
            "--environment",
            "prd",
            "--management-account",
            MANAGEMENT,
            "--role-arn",
            &provisioning_role(PROD),
        ])
        .await
        .unwrap();
    assert_eq!(requested["status"], "PENDING");
    assert_eq!(requested["environmentAccountId"], PROD);
    let id = field(&requested, "id").unwrap();
    world.start_agent(PROD, "").await.unwrap();
    world.start_agent(DEV, "").await.unwrap();
    administrator
        .ok(&["connection", "accept", &id, "--account", PROD])
        .await
        .unwrap();

    let spec = paths::root()
        .join("deploy/examples/minimal-env/spec.yaml")
        .display()
        .to_string();
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "minimal-env",
        "--connection",
        &id,
    ];
    administrator
        .ok(&[&create[..], &["--spec", &spec, "--wait"]].concat())
        .await
        .unwrap();

    let spec = world.service_spec("shop", &[("prd", "prd")]).unwrap();
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
    let create = [&create[..], &SOURCE].concat();
    let registry = world.registry().await;
    let planted = async {
        wait::until("the pipeline's repository", Duration::from_secs(60), || async {
            Ok(registry
                .describe_repositories()
                .repository_names("shop")
                .send()
                .await
                .is_ok()
                .then_some(()))
        })
        .await
        .unwrap();
        let policy = format!(r#"{{"Version":"2008-10-17","Statement":[{FOREIGN}]}}"#);
        world.set_policy("shop", &policy).await.unwrap();
        registry
            .put_image()
            .repository_name("shop")
            .image_tag("v1")
            .image_manifest(
                r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#,
            )
            .send()
            .await
            .unwrap();
        assert!(
            !pulls(&world, &task, "shop").await.unwrap(),
            "nobody has granted anything yet"
        );
    };
    let (created, ()) = tokio::join!(developer.ok(&create), planted);
    created.unwrap();
    world.granted("shop", &[PROD]).await.unwrap();

    let mut prod = stacks(&world, PROD).await.unwrap();
    prod.sort();
    assert_eq!(
        prod,
        [
            complete("AWSProton-prd-cloudformation"),
            complete("AWSProton-shop-prd-cloudformation")
        ]
    );
    assert_eq!(
        stacks(&world, MANAGEMENT).await.unwrap(),
        [complete("AWSProton-shop-cloudformation")]
    );
    assert_eq!(stacks(&world, DEV).await.unwrap(), []);

    let text = world.policy_text("shop").await.unwrap().unwrap();
    assert!(
        text.contains(FOREIGN),
        "the planted statement is not as it was: {text}"
    );
    let policy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy["Version"], "2008-10-17");
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 2, "{text}");
    let own = &statements[1];
    assert_eq!(own["Effect"], "Allow");
    assert_eq!(
        own["Principal"],
        json!({ "AWS": ["arn:aws:iam::333333333333:root"] })
    );
    let mut actions: Vec<&str> = own["Action"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer"
        ]
    );
    assert_eq!(
        own["Resource"],
        Value::Null,
        "a repository's policy names no resource"
    );

    assert!(
        pulls(&world, &task, "shop").await.unwrap(),
        "the production account can pull"
    );
    assert!(
        !pulls(&world, &stranger, "shop").await.unwrap(),
        "nobody else can"
    );

    // What each account was asked to do, not only what is left of it.
    let calls = world.emulator.calls(0).await.unwrap();
    for action in ["CreateChangeSet", "ExecuteChangeSet"] {
        let count = |account| calls.iter().filter(|call| is_call(call, account, action)).count();
        assert_eq!(
            [count(PROD), count(MANAGEMENT), count(DEV)],
            [2, 1, 0],
            "{action}"
        );
    }
    let grants = developer.json(&["grant", "list"]).await.unwrap();
    assert_eq!(grants["items"].as_array().unwrap().len(), 1);
    let reason = grants["items"][0]["reasons"].to_string();
    assert!(
        reason.contains("shop/prd"),
        "a grant says why it is there: {reason}"
    );
    world.at_rest().await.unwrap();
}
