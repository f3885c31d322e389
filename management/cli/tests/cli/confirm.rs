//! Nothing that cannot be undone happens by accident.

use hadron_proto::wire;

use crate::hadron::World;

fn pending() -> wire::Connection {
    wire::Connection {
        id: "conn_1".to_owned(),
        environment_name: "prd".to_owned(),
        environment_account_id: "333333333333".to_owned(),
        status: "PENDING".to_owned(),
        requested_by: "arn:aws:sts::333333333333:assumed-role/admin/eve".to_owned(),
        ..Default::default()
    }
}

async fn world() -> World {
    let world = World::new().await;
    world.hub.state().connections.push(pending());
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_without_a_terminal_shows_who_asks_and_how_to_answer() {
    let world = world().await;
    let run = world.run("connection accept conn_1").await;
    assert_eq!(run.code, 2, "{}", run.err);
    for part in [
        "333333333333",
        "eve",
        "next: hadron connection accept conn_1 --account 333333333333",
    ] {
        assert!(run.err.contains(part), "{part} in {}", run.err);
    }
    assert!(run.out.is_empty() && world.calls("accept_connection").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_accepts_nothing() {
    let world = world().await;
    let run = world.run("connection accept conn_1 --account 444444444444").await;
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.err.contains("of account 333333333333"), "{}", run.err);
    assert!(world.calls("accept_connection").is_empty());
    let wrong = world.run("connection accept conn_1 --account 3333").await;
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_or_yes_accepts() {
    for flag in ["--account 333333333333", "--yes"] {
        let world = world().await;
        let run = world.run(&format!("conn accept conn_1 {flag}")).await;
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.out.contains("CONNECTED"), "{}", run.out);
        let calls = world.calls("accept_connection");
        assert!(
            calls.len() == 1 && calls[0].contains("confirm_account_id: \"333333333333\""),
            "{calls:?}"
        );
        // Once more is how an agent's role that was made anew is trusted.
        let again = world.run("conn accept conn_1 --yes").await;
        assert_eq!(again.code, 0, "{}", again.err);
        assert_eq!(world.calls("accept_connection").len(), 2);
        // A rejected one stays rejected, and the hub is not even asked.
        let rejected = world.run("conn reject conn_1 --yes").await;
        assert_eq!(rejected.code, 0, "{}", rejected.err);
        let late = world.run("conn accept conn_1 --yes").await;
        assert_eq!(late.code, 5, "{}", late.err);
        assert!(
            late.err.contains("next: from the environment account"),
            "{}",
            late.err
        );
        assert_eq!(world.calls("accept_connection").len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_needs_a_word() {
    let world = World::new().await;
    let refused = world.run("environment delete prd").await;
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(
        refused.err.contains("next: hadron environment delete prd --yes"),
        "{}",
        refused.err
    );
    assert!(world.calls("delete_environment").is_empty());
    let done = world
        .run("environment delete prd --yes --retain Bucket --request-id r1")
        .await;
    assert_eq!(done.code, 0, "{}", done.err);
    let calls = world.calls("delete_environment");
    assert!(
        calls[0].contains("Bucket") && calls[0].contains("\"r1\""),
        "{calls:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_roles_names_one_and_sends_only_that() {
    let world = world().await;
    let nothing = world.run("connection update conn_1").await;
    assert_eq!(nothing.code, 2, "{}", nothing.err);
    assert!(nothing.err.contains("--component-role-arn"), "{}", nothing.err);
    let role = "arn:aws:iam::333333333333:role/c";
    let run = world
        .run(&format!("connection update conn_1 --component-role-arn {role}"))
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    let calls = world.calls("update_connection");
    assert!(
        calls.len() == 1 && calls[0].contains(role) && calls[0].contains("role_arn: \"\""),
        "{calls:?}"
    );
    assert_eq!(
        world
            .run("connection update conn_1 --role-arn nonsense")
            .await
            .code,
        2
    );
    assert!(world.calls("update_connection").len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_deployments_are_removed_when_that_is_meant() {
    let world = world().await;
    let run = world.run("deployment delete dpl_1").await;
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(
        run.err.contains("hadron deployment delete dpl_1 --yes"),
        "{}",
        run.err
    );
    assert!(world.calls("delete_deployment").is_empty());
    let run = world.run("deployment delete dpl_1 --yes -o json").await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("dpl_1"), "{}", run.out);
    let calls = world.calls("delete_deployment");
    assert!(calls.len() == 1 && calls[0].contains("request_id"), "{calls:?}");
}
