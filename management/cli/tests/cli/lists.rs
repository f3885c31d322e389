//! Lists, names, outputs, and what a refusal of the hub becomes.

use crate::fake::environment;
use crate::hadron::{World, bare, finish};

#[tokio::test(flavor = "multi_thread")]
async fn lists_follow_their_pages_and_stop_at_the_limit() {
    let world = World::new().await;
    world.hub.state().environments = (0..250)
        .map(|at| environment(&format!("env{at:03}"), "SUCCEEDED"))
        .collect();
    let all = world.run("environment list -o name").await;
    assert_eq!(all.code, 0, "{}", all.err);
    assert_eq!(all.out.lines().count(), 250);
    assert!(all.out.starts_with("env000\n") && all.out.ends_with("env249\n"));
    assert_eq!(world.calls("list_environments").len(), 3);
    let some = world.run("env list --limit 120 -o name").await;
    assert_eq!(some.out.lines().count(), 120);
    let calls = world.calls("list_environments");
    assert!(
        calls.len() == 5 && calls[4].contains("page_size: 20"),
        "{calls:?}"
    );
    let none = world.run("env list --limit 0 -o json").await;
    assert!(none.out.contains("\"items\": []"), "{}", none.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_paged_by_their_numbers() {
    let world = World::new().await;
    let run = world.run("deployment events dpl_1 -o name").await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out.lines().count(), 1_200);
    let run = world
        .run("deployment events dpl_1 -o name --after 1100 --limit 7")
        .await;
    assert_eq!(
        run.out.lines().collect::<Vec<_>>(),
        ["1101", "1102", "1103", "1104", "1105", "1106", "1107"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_name_is_answered_with_the_right_one() {
    let world = World::new().await;
    world.hub.state().environments = vec![environment("prd", "SUCCEEDED"), environment("staging", "FAILED")];
    let run = world.run("environment get prod").await;
    assert_eq!(run.code, 3);
    insta::assert_snapshot!(run.err, @r"
    error: cannot get environment 'prod'
      environment 'prod' does not exist
      did you mean 'prd'?
      next: hadron environment get prd
    ");
    assert!(run.out.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_output_is_a_bare_value() {
    let world = World::new().await;
    world.hub.state().environments = vec![environment("prd", "SUCCEEDED")];
    let run = world.run("environment outputs prd VpcId").await;
    assert_eq!((run.code, run.out.as_str()), (0, "vpc-1\n"), "{}", run.err);
    let run = world.run("environment outputs prd VpcID").await;
    assert!(
        run.code == 3 && run.err.contains("did you mean 'VpcId'?"),
        "{}",
        run.err
    );
    let run = world.run("environment outputs prd").await;
    insta::assert_snapshot!(run.out, @r"
    KEY    VALUE
    VpcId  vpc-1
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_exit_codes_and_their_help() {
    let world = World::new().await;
    std::fs::write(
        world.home.path().join("s.yaml"),
        "proton: EnvironmentSpec\nspec: {}\n",
    )
    .unwrap();
    for (name, code) in [("faulty", 1), ("taken", 5), ("denied", 4), ("waiting", 6)] {
        let run = world
            .run(&format!("environment create {name} --template vpc --spec s.yaml"))
            .await;
        assert_eq!(run.code, code, "{name}: {}", run.err);
        assert!(run.out.is_empty());
        match name {
            "faulty" => insta::assert_snapshot!(run.err, @r"
            error: cannot create environment 'faulty'
            error[spec/unknown]: 'cidr' is not an input
             --> spec:3:3
              |
            3 |   cidr: 1
              |   ^^^^
              next: hadron template get vpc --version 1.0
            "),
            "waiting" => assert!(
                run.err.contains("next: hadron connection accept conn_1"),
                "{}",
                run.err
            ),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_line_is_usage_and_no_hub_is_asked() {
    let world = World::new().await;
    for line in [
        "environment create prd",
        "environment get -bad-",
        "environment list --limit x",
        "environment update prd",
        "environment update prd --minor --major",
        "instance get web",
        "nonsense",
        "environment create prd --template vpc --spec missing.yaml",
        "--hub http://hub.example.com environment list",
        "--hub https://127.0.0.1:1 environment list",
        "service create web --template http --spec s --branch main",
    ] {
        let run = world.run(line).await;
        assert_eq!(run.code, 2, "{line}: {}", run.err);
        assert!(!run.err.is_empty() && run.out.is_empty(), "{line}");
    }
    assert!(world.hub.state().log.is_empty(), "{:?}", world.hub.state().log);
    let none = finish(bare("environment list", world.home.path())).await;
    assert!(none.code == 2 && none.err.contains("HADRON_HUB"), "{}", none.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_starting_is_waited_for_and_one_that_is_gone_is_not() {
    let world = World::new().await;
    world.hub.state().unavailable = 2;
    let run = world.run("environment list").await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(world.calls("list_environments").len(), 3);
    world.hub.state().races = 1;
    let run = world.run("environment list").await;
    assert_eq!(run.code, 0, "a lost race is run again: {}", run.err);
    world.hub.state().busy = 2;
    let run = world.run("environment list").await;
    assert_eq!(run.code, 0, "a busy hub is asked again: {}", run.err);
    let mut gone = world.command("environment list");
    gone.env("HADRON_HUB", "http://127.0.0.1:9");
    let gone = finish(gone).await;
    assert_eq!(gone.code, 9, "{}", gone.err);
    assert!(
        gone.err.contains("refused") && gone.err.contains("next: hadron config view"),
        "{}",
        gone.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_say_what_they_are() {
    let world = World::new().await;
    world.hub.state().environments = vec![environment("prd", "SUCCEEDED")];
    std::fs::write(
        world.home.path().join("s.yaml"),
        "proton: EnvironmentSpec\nspec: {}\n",
    )
    .unwrap();
    for (flags, kind) in [
        ("--description x", 1),
        ("--redeploy", 2),
        ("--spec s.yaml", 2),
        ("--minor", 3),
        ("--template-version 1.4", 3),
        ("--template-version 2 --spec s.yaml", 4),
        ("--major", 4),
    ] {
        let run = world.run(&format!("environment update prd {flags}")).await;
        assert_eq!(run.code, 0, "{flags}: {}", run.err);
        let call = world.calls("update_environment").pop().unwrap();
        let words = ["", "None", "CurrentVersion", "MinorVersion", "MajorVersion"];
        assert!(
            call.contains(&format!("deployment_type: {}", words[kind])),
            "{flags}: {call}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_forgets_where_the_things_of_a_list_are_is_told() {
    let world = World::new().await;
    world.hub.state().environments = vec![environment("prd", "SUCCEEDED")];
    let run = world.run("environment list --query [].name").await;
    assert_eq!((run.code, run.out.as_str()), (0, "null\n"));
    assert!(run.err.contains("items[].name"), "{}", run.err);
    let run = world.run("environment list --query items[].name -o name").await;
    assert_eq!((run.out.as_str(), run.err.as_str()), ("prd\n", ""));
}
