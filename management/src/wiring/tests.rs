use std::time::Duration;

use saphyr::{LoadableYamlNode as _, Yaml};

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
        "hadron_queue_depth{state=\"ready\"} 1",
        "hadron_agents{state=\"online\"} 1",
        "hadron_calls_total{interface=\"agent\",call=\"AgentService/Session\",code=\"OK\"} 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{text}");
    }
}

/// Words of a text that are names of metrics, as those who show and watch them write them.
fn metrics_in(text: &str) -> std::collections::BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("hadron_"))
        .map(str::to_owned)
        .collect()
}

/// All texts of the fields of this name, wherever they stand.
fn fields<'a>(value: &'a serde_json::Value, name: &str, into: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::Array(all) => all.iter().for_each(|each| fields(each, name, into)),
        serde_json::Value::Object(all) => {
            into.extend(all.get(name).and_then(serde_json::Value::as_str));
            all.values().for_each(|each| fields(each, name, into));
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dashboard_and_alerts_ask_for_is_what_a_hub_tells() {
    let world = World::new().await;
    let text = get(format!("{}/metrics", world.hub().ready().admin)).await.1;
    let mut told = std::collections::BTreeSet::new();
    for line in text.lines() {
        let mut words = line.split(' ').skip(2);
        if let (true, Some(name), Some(kind)) = (line.starts_with("# TYPE "), words.next(), words.next()) {
            told.insert(name.to_owned());
            if kind == "histogram" {
                told.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
            }
        }
    }
    assert!(told.len() > 30, "{text}");

    let deploy = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let read = |path: &str| std::fs::read_to_string(deploy.join(path)).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&read("grafana/hadron.json")).unwrap();
    let mut asked = Vec::new();
    fields(&dashboard, "expr", &mut asked);
    assert!(asked.len() > 30, "{asked:?}");
    let shown: std::collections::BTreeSet<String> = asked.into_iter().flat_map(metrics_in).collect();
    let unknown: Vec<_> = shown.difference(&told).collect();
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");

    let text = read("prometheus/alerts.yaml");
    let rules = &Yaml::load_from_str(&text).unwrap()[0];
    let groups = rules["groups"].as_sequence().unwrap();
    let rules: Vec<&Yaml<'_>> = groups
        .iter()
        .flat_map(|group| group["rules"].as_sequence().unwrap())
        .collect();
    assert!(rules.len() > 15);
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let unknown: Vec<String> = metrics_in(rule["expr"].as_str().unwrap())
            .difference(&told)
            .cloned()
            .collect();
        assert!(unknown.is_empty(), "{name} asks for {unknown:?}");
        for text in ["summary", "runbook", "command"] {
            let text = rule["annotations"][text].as_str().unwrap_or_default();
            assert!(text.len() > 10, "{name} does not say what to do");
        }
        assert!(rule["labels"]["severity"].as_str().is_some(), "{name}");
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
        super::start(config, crate::clock::Clock::system(), super::Renderer::here())
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

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_is_not_served_before_somebody_says_so() {
    let mut world = World::new().await;
    world.stop().await;
    let data = world.dir.path().join("data");
    let old = std::fs::read(data.join("hub.db")).unwrap();
    world.start_again(&[]).await;
    world.connected("444444444444", "prd").await;
    world.stop().await;
    for file in ["hub.db-wal", "hub.db-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    std::fs::write(data.join("hub.db"), old).unwrap();
    let refused = format!("{:#}", world.try_start().await.err().unwrap());
    assert!(
        refused.contains("the database is older") && refused.contains("hadron-hub recover"),
        "{refused}"
    );
    // What the command does, as in `admin.rs`.
    let config = world.config(&[]);
    let pem = std::fs::read_to_string(data.join("ca.pem")).unwrap();
    let hub = crate::identity::ca::Ca::from_pem(&pem).unwrap().hub_id().clone();
    let mark = crate::high_water::Mark::read(&data, &hub).unwrap().unwrap();
    let clock = crate::clock::Clock::system();
    let db = super::open_db(&config, clock.clone()).await.unwrap();
    let app = crate::app::App::new(db, clock, config.settings(&hub));
    let begun = app.recover(Some(mark.seen), false).await.unwrap();
    assert!(matches!(begun, crate::app::recovery::Recovery::Begun(done) if done.generation == 1));
    crate::high_water::Mark::write(&data, &hub, app.high_water().await.unwrap()).unwrap();
    app.db().close().await;
    world.start_again(&[]).await;
    let text = get(format!("{}/metrics", world.hub().ready().admin)).await.1;
    assert!(
        text.lines().any(|line| line == "hadron_restore_generation 1"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_people_are_bounded_and_agents_do_not_notice() {
    use hadron_proto::wire;
    use tonic_types::StatusExt as _;

    let world = World::with(&[("limits.api_streams", "1")]).await;
    let (_, channel) = world.channel(&world.hub().ready().api, None).await;
    let mut client = wire::agents_service_client::AgentsServiceClient::new(channel);
    let text = format!("hadron_{}", "A".repeat(43));
    let row = crate::store::requests::TokenRow {
        digest: hadron_proto::vocab::Digest::of(text.as_bytes()),
        name: "test".to_owned(),
        principal: "token:test".to_owned(),
        account: None,
        role: Some(hadron_domain::authority::Role::Administrator),
        created_at: world.app().clock().now(),
        expires_at: None,
        disabled: false,
        groups: Vec::new(),
    };
    let stored = world.app().write("token", move |unit| {
        Box::pin(async move { Ok(crate::store::requests::insert_token(unit.tx, &row).await?) })
    });
    stored.await.unwrap();
    let mut watch = async || {
        let mut request = tonic::Request::new(wire::WatchAgentsRequest::default());
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {text}").parse().unwrap());
        client.watch_agents(request).await
    };
    let first = watch().await.unwrap();
    let refused = watch().await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert!(refused.get_details_retry_info().is_some());
    let (_, agent) = world.agent().await;
    let _talk = world.session(&agent).await;
    let text = get(format!("{}/metrics", world.hub().ready().admin)).await.1;
    for line in [
        "hadron_api_streams 1",
        "hadron_api_throttled_total 1",
        "hadron_agents_connected 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    drop(first);
}
