//! What fails ends FAILED (or `DELETE_FAILED`) with the reason of the resource that failed, and there is a way on from there.

use std::time::Duration;

use anyhow::{Result, ensure};
use hadron_tests::world::field;
use hadron_tests::{MANAGEMENT, PROD, invariants, wait};
use serde_json::{Value, json};

use crate::stage::{NAME, Stage, create_service, publish_service, service_is, service_spec};

/// A change of an agent's configuration.
type Change = Box<dyn FnOnce(&str) -> String>;

const REASON: &str = "The probe was told to fail";

/// The message names the resource and says why.
fn names_the_probe(ended: &Value) {
    let message = ended["statusMessage"].as_str().unwrap_or_default();
    assert!(message.contains("Probe") && message.contains(REASON), "{ended:#}");
}

fn ways(ended: &Value) -> String {
    ended["waysOut"].to_string()
}

mod environment {
    use super::*;

    async fn latest(stage: &Stage) -> String {
        field(
            &stage.environment().await.unwrap()["deployment"],
            "lastSucceededDeploymentId",
        )
        .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_cannot_be_created_can_be_updated() {
        let stage = Stage::new(6).await.unwrap();
        let id = stage.create(&json!({ "fail_on": ["create"] })).await.unwrap();
        let ended = stage.fails(&id).await.unwrap();
        names_the_probe(&ended);
        assert!(
            ways(&ended).contains("hadron environment update prd"),
            "{ended:#}"
        );
        let failed = stage.stack_is("ROLLBACK_COMPLETE").await.unwrap();
        invariants::hold(&stage.world, &[]).await.unwrap();

        let id = stage.update(&json!({ "note": "two" })).await.unwrap();
        stage.succeeds(&id).await.unwrap();
        let stack = stage.stack_is("CREATE_COMPLETE").await.unwrap();
        assert_ne!(stack["arn"], failed["arn"], "the stack that failed was replaced");
        stage.holds().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_cannot_be_created_can_be_deleted() {
        let stage = Stage::new(6).await.unwrap();
        let id = stage.create(&json!({ "fail_on": ["create"] })).await.unwrap();
        stage.fails(&id).await.unwrap();
        let id = stage.delete(&[]).await.unwrap();
        stage.ends(&id, "DELETE_COMPLETE").await.unwrap();
        stage
            .world
            .admin
            .fails(3, &["environment", "get", NAME])
            .await
            .unwrap();
        assert!(stage.stack().await.unwrap().is_none());
        stage.holds().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_cannot_be_updated_stays_as_it_was() {
        let stage = Stage::new(6).await.unwrap();
        stage.standing(&json!({ "note": "one" })).await.unwrap();
        let first = latest(&stage).await;
        let id = stage
            .update(&json!({ "note": "two", "fail_on": ["update"] }))
            .await
            .unwrap();
        names_the_probe(&stage.fails(&id).await.unwrap());
        stage.stack_is("UPDATE_ROLLBACK_COMPLETE").await.unwrap();
        let environment = stage.environment().await.unwrap();
        assert_eq!(environment["deployment"]["status"], "FAILED");
        stage.is_as_before(&first, "one").await.unwrap();

        let id = stage.update(&json!({ "note": "three" })).await.unwrap();
        stage.succeeds(&id).await.unwrap();
        stage.holds().await.unwrap();
    }

    /// A rollback that fails once is gone on with; one that keeps failing needs a person, and can be given up.
    #[tokio::test(flavor = "multi_thread")]
    async fn whose_update_cannot_be_rolled_back() {
        let stage = Stage::new(6).await.unwrap();
        stage.standing(&json!({ "note": "one" })).await.unwrap();
        let first = latest(&stage).await;
        let id = stage
            .update(&json!({ "note": "two", "fail_on": ["update", "rollback"], "times": 1 }))
            .await
            .unwrap();
        names_the_probe(&stage.fails(&id).await.unwrap());
        stage.stack_is("UPDATE_ROLLBACK_COMPLETE").await.unwrap();
        stage.is_as_before(&first, "one").await.unwrap();

        let id = stage
            .update(&json!({ "note": "three", "fail_on": ["update", "rollback"] }))
            .await
            .unwrap();
        let ended = stage.fails(&id).await.unwrap();
        names_the_probe(&ended);
        assert!(
            ended["statusMessage"]
                .as_str()
                .unwrap()
                .contains("needs a person"),
            "{ended:#}"
        );
        assert!(ways(&ended).contains("continue the update rollback"), "{ended:#}");
        stage.stack_is("UPDATE_ROLLBACK_FAILED").await.unwrap();
        stage.is_as_before(&first, "one").await.unwrap();
        stage.holds().await.unwrap();

        let id = stage.delete(&[]).await.unwrap();
        stage.ends(&id, "DELETE_COMPLETE").await.unwrap();
        stage.holds().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_cannot_be_deleted_can_be_tried_again() {
        let stage = Stage::new(6).await.unwrap();
        stage
            .standing(&json!({ "fail_on": ["delete"], "times": 1 }))
            .await
            .unwrap();
        let id = stage.delete(&[]).await.unwrap();
        let ended = stage.ends(&id, "DELETE_FAILED").await.unwrap();
        names_the_probe(&ended);
        assert!(ways(&ended).contains("--retain Probe"), "{ended:#}");
        stage.stack_is("DELETE_FAILED").await.unwrap();
        stage.holds().await.unwrap();

        let id = stage.delete(&[]).await.unwrap();
        stage.ends(&id, "DELETE_COMPLETE").await.unwrap();
        stage.holds().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_cannot_be_deleted_can_leave_a_resource_behind() {
        let stage = Stage::new(6).await.unwrap();
        stage.standing(&json!({ "fail_on": ["delete"] })).await.unwrap();
        let id = stage.delete(&[]).await.unwrap();
        stage.ends(&id, "DELETE_FAILED").await.unwrap();
        let id = stage.delete(&["--retain", "Probe"]).await.unwrap();
        stage.ends(&id, "DELETE_COMPLETE").await.unwrap();
        assert!(stage.stack().await.unwrap().is_none());
        stage.holds().await.unwrap();
    }

    /// A stack whose deletion was begun is never built on again.
    #[tokio::test(flavor = "multi_thread")]
    async fn that_cannot_be_deleted_gets_a_new_stack() {
        let stage = Stage::new(6).await.unwrap();
        stage
            .standing(&json!({ "note": "one", "fail_on": ["delete"] }))
            .await
            .unwrap();
        let id = stage.delete(&[]).await.unwrap();
        stage.ends(&id, "DELETE_FAILED").await.unwrap();
        let old = field(&stage.stack_is("DELETE_FAILED").await.unwrap(), "arn").unwrap();
        let id = stage.update(&json!({ "note": "two" })).await.unwrap();
        let ended = stage.succeeds(&id).await.unwrap();
        assert_ne!(ended["stackArn"], old.as_str());
        assert_eq!(ended["outputs"]["Note"], "two");
        invariants::hold(&stage.world, &[&old]).await.unwrap();
    }
}

mod service {
    use super::*;

    async fn stage() -> Stage {
        let stage = Stage::new(6).await.unwrap();
        stage.standing(&json!({ "note": "one" })).await.unwrap();
        publish_service(&stage.world).await.unwrap();
        stage
    }

    fn spec(stage: &Stage, instance: Value, pipeline: Value) -> String {
        service_spec(&stage.world, &[("prd", NAME, instance)], &pipeline).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_an_instance_that_cannot_be_created() {
        let stage = stage().await;
        let admin = &stage.world.admin;
        let file = spec(&stage, json!({ "fail_on": ["create"] }), json!({}));
        create_service(&stage.world, &file, 7).await.unwrap();
        let service = service_is(&stage.world, "web", "CREATE_FAILED").await.unwrap();
        names_the_probe(&service["instances"][0]["deployment"]);
        let pipeline = &service["pipeline"]["deployment"];
        assert_eq!(pipeline["status"], "FAILED", "{service:#}");
        assert!(
            pipeline["statusMessage"]
                .as_str()
                .unwrap()
                .contains("canceling pipeline deployment"),
            "{service:#}"
        );

        let file = spec(&stage, json!({ "note": "two" }), json!({}));
        admin
            .ok(&["instance", "update", "web/prd", "--spec", &file, "--wait"])
            .await
            .unwrap();
        admin
            .ok(&["pipeline", "update", "web", "--redeploy", "--wait"])
            .await
            .unwrap();
        let service = service_is(&stage.world, "web", "ACTIVE").await.unwrap();
        assert_eq!(
            service["pipeline"]["deployment"]["outputs"]["DeploysTo"],
            format!("prd@{PROD}")
        );
        stage.holds().await.unwrap();

        admin
            .ok(&["service", "delete", "web", "--yes", "--wait"])
            .await
            .unwrap();
        stage.holds().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_an_instance_that_cannot_be_updated_or_deleted() {
        let stage = stage().await;
        let admin = &stage.world.admin;
        let file = spec(&stage, json!({ "note": "one" }), json!({}));
        create_service(&stage.world, &file, 0).await.unwrap();
        let file = spec(&stage, json!({ "note": "two", "fail_on": ["update"] }), json!({}));
        admin
            .fails(7, &["instance", "update", "web/prd", "--spec", &file, "--wait"])
            .await
            .unwrap();
        let instance = admin.json(&["instance", "get", "web/prd"]).await.unwrap();
        names_the_probe(&instance["deployment"]);
        assert_eq!(instance["deployment"]["status"], "FAILED");
        assert_eq!(instance["deployment"]["outputs"]["Note"], "one");
        assert!(
            !instance["spec"].as_str().unwrap().contains("two"),
            "{instance:#}"
        );
        let file = spec(
            &stage,
            json!({ "note": "three", "fail_on": ["delete"] }),
            json!({}),
        );
        admin
            .ok(&["instance", "update", "web/prd", "--spec", &file, "--wait"])
            .await
            .unwrap();
        stage.holds().await.unwrap();

        admin
            .fails(7, &["service", "delete", "web", "--yes", "--wait"])
            .await
            .unwrap();
        let service = service_is(&stage.world, "web", "DELETE_FAILED").await.unwrap();
        names_the_probe(&service["instances"][0]["deployment"]);
        stage.holds().await.unwrap();
        // Updated, it is a new stack; the old one stays where it is.
        let old = field(&service["instances"][0]["deployment"], "stackArn").unwrap();
        let file = spec(&stage, json!({ "note": "four" }), json!({}));
        admin
            .ok(&["instance", "update", "web/prd", "--spec", &file, "--wait"])
            .await
            .unwrap();
        service_is(&stage.world, "web", "ACTIVE").await.unwrap();
        admin
            .ok(&["service", "delete", "web", "--yes", "--wait"])
            .await
            .unwrap();
        invariants::hold(&stage.world, &[&old]).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_a_pipeline_that_cannot_be_created_updated_or_deleted() {
        let stage = stage().await;
        let admin = &stage.world.admin;
        let file = spec(&stage, json!({}), json!({ "fail_on": ["create"] }));
        create_service(&stage.world, &file, 7).await.unwrap();
        let service = service_is(&stage.world, "web", "CREATE_FAILED").await.unwrap();
        names_the_probe(&service["pipeline"]["deployment"]);
        let file = spec(&stage, json!({}), json!({ "note": "two" }));
        admin
            .ok(&["pipeline", "update", "web", "--spec", &file, "--wait"])
            .await
            .unwrap();
        service_is(&stage.world, "web", "ACTIVE").await.unwrap();

        let file = spec(
            &stage,
            json!({}),
            json!({ "note": "three", "fail_on": ["update"] }),
        );
        admin
            .fails(7, &["pipeline", "update", "web", "--spec", &file, "--wait"])
            .await
            .unwrap();
        let pipeline = admin.json(&["pipeline", "get", "web"]).await.unwrap();
        names_the_probe(&pipeline["deployment"]);
        assert_eq!(pipeline["deployment"]["outputs"]["Note"], "two", "{pipeline:#}");

        let file = spec(
            &stage,
            json!({}),
            json!({ "note": "four", "fail_on": ["delete"] }),
        );
        admin
            .ok(&["pipeline", "update", "web", "--spec", &file, "--wait"])
            .await
            .unwrap();
        admin
            .fails(7, &["pipeline", "delete", "web", "--yes", "--wait"])
            .await
            .unwrap();
        let pipeline = admin.json(&["pipeline", "get", "web"]).await.unwrap();
        assert_eq!(pipeline["deployment"]["status"], "DELETE_FAILED", "{pipeline:#}");
        names_the_probe(&pipeline["deployment"]);
        admin
            .ok(&[
                "pipeline", "delete", "web", "--yes", "--retain", "Probe", "--wait",
            ])
            .await
            .unwrap();
        let stacks = stage.world.emulator.stacks(MANAGEMENT).await.unwrap();
        assert!(stacks.is_empty(), "{stacks:?}");
        stage.holds().await.unwrap();
    }

    /// Deleted or not, the instance is no part of the service any more; what is left of it can be left behind.
    #[tokio::test(flavor = "multi_thread")]
    async fn with_an_instance_that_cannot_be_removed() {
        let stage = stage().await;
        let admin = &stage.world.admin;
        let instances = [
            ("prd", NAME, json!({})),
            ("old", NAME, json!({ "fail_on": ["delete"] })),
        ];
        let file = service_spec(&stage.world, &instances, &json!({})).unwrap();
        create_service(&stage.world, &file, 0).await.unwrap();
        admin
            .run(&["instance", "delete", "web/old", "--yes", "--wait"])
            .await
            .unwrap();
        let service = service_is(&stage.world, "web", "UPDATE_COMPLETE_CLEANUP_FAILED")
            .await
            .unwrap();
        let old = service["instances"]
            .as_array()
            .unwrap()
            .iter()
            .find(|each| each["name"] == "old")
            .unwrap();
        assert_eq!(old["deployment"]["status"], "DELETE_FAILED", "{service:#}");
        names_the_probe(&old["deployment"]);
        assert_eq!(
            service["pipeline"]["deployment"]["outputs"]["DeploysTo"],
            format!("prd@{PROD}")
        );

        admin
            .ok(&[
                "instance", "delete", "web/old", "--yes", "--retain", "Probe", "--wait",
            ])
            .await
            .unwrap();
        let service = service_is(&stage.world, "web", "ACTIVE").await.unwrap();
        assert_eq!(service["instances"].as_array().unwrap().len(), 1, "{service:#}");
        stage.holds().await.unwrap();
    }

    /// A new instance that fails takes its update back; the service is as before, and says why.
    #[tokio::test(flavor = "multi_thread")]
    async fn with_a_new_instance_that_cannot_be_created() {
        let stage = stage().await;
        let admin = &stage.world.admin;
        let file = spec(&stage, json!({}), json!({}));
        create_service(&stage.world, &file, 0).await.unwrap();
        let instances = [
            ("prd", NAME, json!({})),
            ("new", NAME, json!({ "fail_on": ["create"] })),
        ];
        let file = service_spec(&stage.world, &instances, &json!({})).unwrap();
        admin
            .fails(7, &["service", "update", "web", "--spec", &file, "--wait"])
            .await
            .unwrap();
        let service = service_is(&stage.world, "web", "UPDATE_FAILED_CLEANUP_COMPLETE")
            .await
            .unwrap();
        assert_eq!(service["instances"].as_array().unwrap().len(), 1, "{service:#}");
        let message = service["statusMessage"].as_str().unwrap_or_default();
        assert!(message.contains("new") && message.contains(REASON), "{service:#}");
        assert!(!service["spec"].as_str().unwrap().contains("new"), "{service:#}");
        stage.holds().await.unwrap();
    }
}

mod aws {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn that_throttles_for_a_while() {
        let stage = Stage::new(6).await.unwrap();
        stage
            .plant("*", &json!({ "kind": "throttle", "times": 5 }))
            .await
            .unwrap();
        stage.standing(&json!({ "note": "one" })).await.unwrap();
        stage
            .plant("*", &json!({ "kind": "http500", "times": 2 }))
            .await
            .unwrap();
        let id = stage.update(&json!({ "note": "two" })).await.unwrap();
        stage.succeeds(&id).await.unwrap();
        stage.holds().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_denies() {
        let stage = Stage::new(6).await.unwrap();
        let why = "User is not authorized to perform: cloudformation:CreateChangeSet";
        let denied =
            json!({ "kind": "error", "code": "AccessDenied", "message": why, "status": 403, "times": 1000 });
        stage.plant("CreateChangeSet", &denied).await.unwrap();
        let id = stage.create(&json!({ "note": "one" })).await.unwrap();
        let ended = stage.fails(&id).await.unwrap();
        let message = ended["statusMessage"].as_str().unwrap();
        assert!(
            message.contains("AccessDenied") && message.contains(why),
            "{message}"
        );
        assert!(ways(&ended).contains("hadron-agent role"), "{ended:#}");
        stage.world.emulator.heal().await.unwrap();
        let id = stage.update(&json!({ "note": "two" })).await.unwrap();
        stage.succeeds(&id).await.unwrap();

        let denied =
            json!({ "kind": "error", "code": "AccessDenied", "message": "no", "status": 403, "times": 1000 });
        stage.plant("DeleteStack", &denied).await.unwrap();
        let id = stage.delete(&[]).await.unwrap();
        let ended = stage.ends(&id, "DELETE_FAILED").await.unwrap();
        assert!(
            ended["statusMessage"].as_str().unwrap().contains("AccessDenied"),
            "{ended:#}"
        );
        stage.world.emulator.heal().await.unwrap();
        let id = stage.delete(&[]).await.unwrap();
        stage.ends(&id, "DELETE_COMPLETE").await.unwrap();
        stage.holds().await.unwrap();
    }

    /// A long template goes by way of the account's own bucket; one that CloudFormation cannot take goes nowhere.
    #[tokio::test(flavor = "multi_thread")]
    async fn that_takes_large_templates_from_a_bucket() {
        let stage = Stage::new(6).await.unwrap();
        stage
            .standing(&json!({ "note": "one", "filler": 540 }))
            .await
            .unwrap();
        let made = stage.accepted(0, "CreateChangeSet").await.unwrap();
        let url = made[0]["params"]["TemplateURL"].as_str().unwrap_or_default();
        assert!(
            url.contains("hadron-templates-333333333333-us-east-1"),
            "{made:#?}"
        );

        let file = crate::stage::spec(&stage.world, "huge", &json!({ "filler": 12_000 })).unwrap();
        let said = stage
            .world
            .admin
            .fails(1, &["environment", "update", NAME, "--spec", &file])
            .await
            .unwrap();
        assert!(said.contains("1048576"), "{said}");
        stage.holds().await.unwrap();
    }
}

/// The account's owner has the last word, whatever the hub asks for.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_account_does_not_allow() {
    let mut stage = Stage::new(6).await.unwrap();
    let spec = json!({ "note": "one" });
    let since = stage.world.emulator.last_call().await.unwrap();
    let mut exists = false;
    let limits = |line: &str| {
        let line = line.to_owned();
        move |text: &str| format!("{text}{line}\n")
    };
    let cases: [(&str, Change); 3] = [
        (
            "limits.denied_resource_types",
            Box::new(limits("denied_resource_types = [\"AWS::SNS::*\"]")),
        ),
        (
            "limits.stack_prefix",
            Box::new(limits("stack_prefix = \"Theirs-\"")),
        ),
        (
            "roles.provisioning",
            Box::new(|text: &str| text.replace("role/hadron-provisioning", "role/another")),
        ),
    ];
    let refused = async |stage: &Stage, id: &str, rule: &str| -> Result<()> {
        let ended = stage.fails(id).await?;
        let message = ended["statusMessage"].as_str().unwrap_or_default();
        ensure!(
            message.contains(&format!("(rule {rule})")) && message.contains("To allow it"),
            "{ended:#}"
        );
        ensure!(ways(&ended).contains("agent's configuration"), "{ended:#}");
        Ok(())
    };
    for (rule, change) in cases {
        let before = stage.world.agent(PROD).configure(change).unwrap();
        let id = if exists {
            stage.update(&spec).await.unwrap()
        } else {
            stage.create(&spec).await.unwrap()
        };
        exists = true;
        refused(&stage, &id, rule).await.unwrap();
        stage.world.agent(PROD).configure(move |_| before).unwrap();
    }
    // An agent that may not work where it is does not even begin to.
    let before = stage
        .world
        .agent(PROD)
        .configure(limits("regions = [\"eu-west-1\"]"))
        .unwrap();
    let agent = stage.world.agent(PROD);
    let ended = wait::until("the agent to end", Duration::from_secs(30), || {
        let ended = agent.process().alive().err();
        async move { Ok(ended) }
    });
    let ended = ended.await.unwrap().to_string();
    assert!(ended.contains("limits.regions"), "{ended}");
    agent.configure(move |_| before).unwrap();

    let calls = stage.world.emulator.calls(since).await.unwrap();
    let calls: Vec<&Value> = calls
        .iter()
        .filter(|call| call["account"] == PROD && call["service"] == "cloudformation")
        .collect();
    assert!(calls.is_empty(), "{calls:#?}");

    let id = stage.update(&spec).await.unwrap();
    stage.succeeds(&id).await.unwrap();
    stage.holds().await.unwrap();
}
