use std::time::Duration;

use crate::testing::World;

async fn get(url: String) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_tell_what_there_is() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    world.seed("333333333333", connection).await;
    let _talk = world.session(&agent).await;
    let admin = world.hub().ready().admin.clone();
    assert_eq!(get(format!("{admin}/livez")).await.0, 200);
    assert_eq!(get(format!("{admin}/readyz")).await, (200, "ready\n".to_owned()));
    let (status, text) = get(format!("{admin}/metrics")).await;
    assert_eq!(status, 200);
    for line in [
        "hadron_agents_connected 1",
        "hadron_jobs_ready 1",
        "hadron_deployments_active 0",
        "hadron_database_up 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_json_says_where_the_hub_is_for_as_long_as_it_is_there() {
    let mut world = World::new().await;
    let path = world.dir.path().join("data/ready.json");
    let ready: super::Ready = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(&ready, world.hub().ready());
    assert!(
        ready.hub_id.starts_with("dev-")
            && ready.ca_pin.starts_with("sha256:")
            && ready.ca_file.is_absolute()
    );
    let before = ready;
    world.restart(&[]).await;
    let after = world.hub().ready();
    assert_eq!((&before.hub_id, &before.ca_pin), (&after.hub_id, &after.ca_pin));
    tokio::time::timeout(Duration::from_secs(5), world.stop())
        .await
        .unwrap();
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_belongs_to_one_hub_and_one_account() {
    let mut world = World::new().await;
    world.stop().await;
    let data = world.dir.path().join("data").display().to_string();
    let start = async |keys: &[(&str, &str)]| {
        let mut given = vec![("dev", "true"), ("data_dir", data.as_str())];
        given.extend(
            ["listen.enrol", "listen.jobs", "listen.api", "listen.admin"].map(|key| (key, "127.0.0.1:0")),
        );
        given.extend(keys);
        let config = crate::config::load(None, crate::testing::overrides(&given)).unwrap();
        super::start(config, crate::clock::Clock::system())
            .await
            .err()
            .map(|error| format!("{error:#}"))
    };
    let other = start(&[("management.account", "222222222222")]).await.unwrap();
    assert!(
        other.contains("belongs to the hub of account 111111111111"),
        "{other}"
    );
    let seal = world.dir.path().join("data/seal.key");
    let kept = std::fs::read(&seal).unwrap();
    std::fs::remove_file(&seal).unwrap();
    let other = start(&[]).await.unwrap();
    assert!(other.contains("copy seal.key"), "{other}");
    std::fs::write(&seal, kept).unwrap();
    std::fs::remove_file(world.dir.path().join("data/ca.pem")).unwrap();
    let other = start(&[]).await.unwrap();
    assert!(other.contains("copy ca.pem"), "{other}");
}

/// Waits until this hub tells of so many.
async fn hears_of(world: &World, replicas: usize) {
    let wanted = format!("hadron_replicas {replicas}");
    let admin = world.hub().ready().admin.clone();
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        pause.tick().await;
        let text = get(format!("{admin}/metrics")).await.1;
        if text.lines().any(|line| line == wanted) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hubs_on_one_postgres_are_one() {
    let url = crate::store::db::testing::postgres_url().await;
    let keys = [("store.postgres", url.as_str())];
    let one = World::with(&keys).await;
    let two = one.replica(&keys).await;
    assert_eq!(one.hub().ready().hub_id, two.hub().ready().hub_id);
    // Each knows of the other, until that says that it stops.
    hears_of(&one, 2).await;
    let mut three = one.replica(&keys).await;
    hears_of(&two, 3).await;
    three.stop().await;
    let text = get(format!("{}/metrics", one.hub().ready().admin)).await.1;
    assert!(text.lines().any(|line| line == "hadron_replicas 2"), "{text}");

    // Accepted at one, enrolled at the other, connected to the first.
    let connection = one.connected("333333333333", "prd").await;
    let credentials = crate::identity::testing::agent_credentials();
    let agent = two.enrol(Some(connection), &credentials, None).await.unwrap();
    let mut talk = one.session(&agent).await;
    talk.demand(1).await;
    let job = two.seed("333333333333", connection).await;
    let offer = talk.offer().await;
    assert_eq!(offer.token.as_ref().unwrap().job_id, job.to_string());

    // A session at the other displaces the one at the first.
    let mut next = two.session(&agent).await;
    assert_eq!(talk.end().await.unwrap_err().code(), tonic::Code::Aborted);

    let decided = std::time::Instant::now();
    one.reject(connection).await;
    assert_eq!(
        next.end().await.unwrap_err().code(),
        tonic::Code::PermissionDenied
    );
    assert!(
        decided.elapsed() < Duration::from_secs(2),
        "{:?}",
        decided.elapsed()
    );
}
