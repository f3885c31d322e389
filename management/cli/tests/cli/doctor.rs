//! `hadron doctor` against hubs that are well, gone, strangers, or do not know who asks; and the names that shells offer.

use hadron_proto::wire;
use tokio::net::TcpListener;

use crate::fake::environment;
use crate::hadron::{World, bare, finish};

/// The name and the verdict of each step.
fn verdicts(out: &str) -> Vec<(String, String)> {
    let list: serde_json::Value = serde_json::from_str(out).expect("JSON");
    let word = |check: &serde_json::Value, key: &str| check[key].as_str().expect("a word").to_owned();
    let items = list["items"].as_array().expect("items");
    items
        .iter()
        .map(|check| (word(check, "name"), word(check, "status")))
        .collect()
}

fn failed(out: &str) -> Vec<String> {
    let all = verdicts(out).into_iter();
    all.filter(|(_, status)| status == "failed")
        .map(|(name, _)| name)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_well_is_well_in_every_step() {
    let world = World::new().await;
    world.hub.state().agents = vec![wire::Agent {
        id: "agt_1".to_owned(),
        account_id: "222222222222".to_owned(),
        region: "eu-west-1".to_owned(),
        online: true,
        ..wire::Agent::default()
    }];
    let run = world.run("doctor -o json").await;
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let names: Vec<String> = verdicts(&run.out).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "settings",
            "name",
            "way",
            "certificate",
            "clocks",
            "identity",
            "versions",
            "agents",
            "agent versions"
        ]
    );
    assert!(failed(&run.out).is_empty(), "{}", run.out);

    world.hub.state().agents[0].online = false;
    let run = world.run("doctor").await;
    assert_eq!(run.code, 0, "a warning is no failure: {}", run.err);
    assert!(
        run.out.contains("warning  agents") && run.out.contains("1 of 1 are away: 222222222222 in eu-west-1"),
        "{}",
        run.out
    );
    assert!(run.out.contains("next: "), "{}", run.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_that_fails_says_so_and_ends_with_its_own_code() {
    let home = tempfile::tempdir().expect("a directory");
    let none = finish(bare("doctor -o json", home.path())).await;
    assert_eq!(
        (none.code, failed(&none.out)),
        (2, vec!["settings".to_owned()]),
        "{}",
        none.err
    );

    let unknown = finish(bare(
        "doctor --hub https://hub.invalid:8443 --hub-ca-pin sha256:00 -o json",
        home.path(),
    ))
    .await;
    assert_eq!(
        (unknown.code, failed(&unknown.out)),
        (9, vec!["name".to_owned()]),
        "{}",
        unknown.err
    );

    // A port that was free a moment ago: nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let gone = finish(bare(
        &format!("doctor --hub http://127.0.0.1:{port} -o json"),
        home.path(),
    ))
    .await;
    assert_eq!(
        (gone.code, failed(&gone.out)),
        (9, vec!["way".to_owned()]),
        "{}",
        gone.err
    );

    // Somebody listens and hangs up: no hub.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let hangs_up = tokio::spawn(async move {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                drop(stream);
            }
        }
    });
    let stranger = finish(bare(
        &format!("doctor --hub http://127.0.0.1:{port} -o json"),
        home.path(),
    ))
    .await;
    hangs_up.abort();
    assert_eq!(
        (stranger.code, failed(&stranger.out)),
        (9, vec!["certificate".to_owned()]),
        "{}",
        stranger.err
    );

    let world = World::new().await;
    world.hub.state().tokens = vec!["another".to_owned()];
    let nobody = world.run("doctor -o json").await;
    assert_eq!(
        (nobody.code, failed(&nobody.out)),
        (4, vec!["identity".to_owned()]),
        "{}",
        nobody.err
    );
    assert!(nobody.err.contains("not well: identity"), "{}", nobody.err);
}

/// What bash is offered for a line whose last word is being typed.
async fn offered(world: &World, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = world.command("");
    command
        .args(["--"])
        .args(&words)
        .env("HADRON_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_IFS", "\n");
    let run = finish(command).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.err.is_empty(),
        "nothing is said while somebody types: {}",
        run.err
    );
    run.out.lines().map(|line| line.trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_are_offered_names_that_are_there_and_the_hub_is_not_asked_for_each_key() {
    let world = World::new().await;
    world.hub.state().environments = vec![environment("prd", "SUCCEEDED"), environment("staging", "FAILED")];
    assert_eq!(offered(&world, "hadron environment get st").await, ["staging"]);
    let all = offered(&world, "hadron environment get ").await;
    assert!(
        all.contains(&"prd".to_owned()) && all.contains(&"staging".to_owned()),
        "{all:?}"
    );
    assert!(
        offered(&world, "hadron instance list --environment p")
            .await
            .contains(&"prd".to_owned())
    );
    // A token that stands in a variable has no place to keep answers under; a file has.
    std::fs::write(world.home.path().join("token"), "good").expect("a token");
    let mut asked = Vec::new();
    for _ in 0..3 {
        let before = world.calls("list_environments").len();
        let mut command = bare("", world.home.path());
        command
            .args(["--", "hadron", "environment", "get", "p"])
            .env("HADRON_HUB", &world.url)
            .env("HADRON_TOKEN_FILE", world.home.path().join("token"))
            .env("HADRON_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", "3");
        let run = finish(command).await;
        assert!(run.out.contains("prd"), "{}{}", run.out, run.err);
        asked.push(world.calls("list_environments").len() - before);
    }
    assert_eq!(asked, [1, 0, 0], "within half a minute it is asked once");
    let kept = world.home.path().join(".cache/hadron/names");
    assert!(kept.read_dir().expect("a folder").next().is_some());
    world.run("logout").await;
    assert!(
        !kept.exists(),
        "whoever logs in next is not offered what the last one saw"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_away_offers_nothing_and_says_nothing() {
    let mut world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    world.url = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    assert_eq!(offered(&world, "hadron environment get p").await, [""; 0]);
    // Commands are known without it.
    assert!(
        offered(&world, "hadron environ")
            .await
            .contains(&"environment".to_owned())
    );
}
