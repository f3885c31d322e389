//! Secrets at rest: what people typed, what their stacks answered and what went wrong stands in no log, no metric, no export
//! of the audit log and no file of the database; its keys are exchanged beside the running hub.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hadron_tests::cluster::Setup;
use hadron_tests::{DEV, PROD, World, paths, wait};

/// Every file below a folder.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Random texts, each for another place.
struct Canaries {
    spec: String,
    hidden: String,
    failure: String,
}

impl Canaries {
    /// Chance is in the name of the world's folder.
    fn of(world: &World) -> Self {
        let chance = world
            .folder()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace('-', "");
        let canary = |place: &str| format!("canary{place}{chance}");
        Self {
            spec: canary("spec"),
            hidden: canary("hidden"),
            failure: canary("failure"),
        }
    }
}

async fn metrics(world: &World) -> String {
    let url = format!(
        "http://{}/metrics",
        world.hub.ready().admin.trim_start_matches("http://")
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap().text().await.unwrap()
}

fn keys(world: &World, arguments: &[&str]) -> String {
    let output = world.hub.run(&[&["keys"], arguments].concat()).unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    told
}

async fn environment(world: &mut World, account: &str, name: &str, spec: &Path, more: &[&str]) {
    let connection = world.connect(account, name).await.unwrap();
    let spec = spec.display().to_string();
    let create = [
        "environment",
        "create",
        name,
        "--template",
        "telling-env",
        "--connection",
        &connection,
        "--spec",
        &spec,
        "--wait",
    ];
    world.admin.ok(&[&create[..], more].concat()).await.unwrap();
}

async fn secrets_stay_where_they_belong(postgres: bool) {
    let setup = Setup {
        postgres,
        hub: "[audit]\ncheckpoint_seconds = 1\n".to_owned(),
        ..Setup::default()
    };
    let mut world = World::of(&setup).await.unwrap();
    world.hub.restart_with(Some("debug"), || Ok(())).await.unwrap();
    let bundle = paths::root().join("tests/fixtures/telling-env");
    world
        .publish("environment", "telling-env", &bundle, &[])
        .await
        .unwrap();

    let canaries = Canaries::of(&world);
    let spec = |name: &str, password: &str, more: &str| {
        let text = format!(
            "proton: EnvironmentSpec\nspec:\n  password: {password}\n  hidden: {}\n{more}",
            canaries.hidden
        );
        PathBuf::from(world.file(name, text).unwrap())
    };
    let (good, failing) = (
        spec("good.yaml", &canaries.spec, ""),
        spec("failing.yaml", &canaries.failure, "  fails: true\n"),
    );
    environment(&mut world, PROD, "prd", &good, &[]).await;
    let failing = failing.display().to_string();
    world
        .admin
        .fails(7, &["environment", "update", "prd", "--spec", &failing, "--wait"])
        .await
        .unwrap();
    let token = world.hub.token("ci", "auditor").unwrap();
    let (_, secret) = world.hub.access_key("ci", "auditor").unwrap();
    shown(&world, &canaries).await;

    // Keys are exchanged while the hub runs, and it goes on with an account that it has no key for yet.
    let before = keys(&world, &["list"]);
    assert!(
        before.contains("everything is sealed") && before.contains(PROD),
        "{before}"
    );
    let told = keys(&world, &["rotate"]);
    assert!(told.contains("has version 2 now"), "{told}");
    let after = keys(&world, &["list"]);
    let data_keys: Vec<&str> = after
        .lines()
        .filter(|line| line.contains(PROD) || line.contains(" hub "))
        .collect();
    assert!(
        data_keys.len() == 2 && data_keys.iter().all(|line| line.contains("  2  ")),
        "{after}"
    );
    assert!(after.contains("(unused)"), "{after}");
    shown(&world, &canaries).await;
    environment(&mut world, DEV, "dev", &good, &[]).await;
    world.hub.restart_with(Some("debug"), || Ok(())).await.unwrap();
    shown(&world, &canaries).await;
    let told = keys(&world, &["rotate", "--only-add"]);
    assert!(told.contains("has version 3 now"), "{told}");
    let told = keys(&world, &["rotate"]);
    assert!(
        told.contains("version 3 is the newest") && told.contains("3 data keys are wrapped"),
        "goes on where it was: {told}"
    );
    shown(&world, &canaries).await;

    let credentials = world.admin.variables();
    let mut all = vec![canaries.spec, canaries.hidden, canaries.failure, token, secret];
    all.extend(["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].map(|name| credentials[name].clone()));
    let exported = world.hub.run(&["audit", "export"]).unwrap();
    assert!(exported.status.success() && !exported.stdout.is_empty());
    let metrics = metrics(&world).await;
    assert!(metrics.contains("hadron_agents_connected"), "{metrics}");
    // Whatever is in the write-ahead log goes into the database's own file as well.
    world.hub.process().stop(Duration::from_secs(30)).await.unwrap();
    let mut places = world.log_files();
    // AWS knows what it was told.
    places.retain(|path| !path.ends_with("emulator.log"));
    if let Some(postgres) = &world.postgres {
        postgres.rows("CHECKPOINT").await.unwrap();
        files(&postgres.data(), &mut places);
    }
    files(world.hub.folder(), &mut places);
    assert!(places.iter().any(|path| path.ends_with("hub.log")), "{places:?}");
    for canary in &all {
        assert!(canary.len() > 12, "{canary} is too short to be looked for");
        for path in &places {
            let bytes = std::fs::read(path).unwrap_or_default();
            assert!(!holds(&bytes, canary), "{} tells {canary}", path.display());
        }
        assert!(
            !holds(&exported.stdout, canary),
            "the export of the audit log tells {canary}"
        );
        assert!(!metrics.contains(canary), "metrics tell {canary}");
    }
}

/// What must not be found is shown to those who may see it.
async fn shown(world: &World, canaries: &Canaries) {
    let failed = world
        .last_deployment(&["environment", "get", "prd"])
        .await
        .unwrap();
    assert_eq!(failed["status"], "FAILED");
    assert!(
        failed["statusMessage"].to_string().contains(&canaries.failure),
        "{failed}"
    );
    let environment = world.admin.json(&["environment", "get", "prd"]).await.unwrap();
    assert!(
        environment.to_string().contains(&canaries.spec),
        "{environment:#}"
    );
    let id = failed["id"].as_str().unwrap();
    let events = world.admin.json(&["deployment", "events", id]).await.unwrap();
    assert!(events.to_string().contains(&canaries.failure), "{events:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_log_metric_export_or_file_on_sqlite() {
    Box::pin(secrets_stay_where_they_belong(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_log_metric_export_or_file_on_postgresql() {
    Box::pin(secrets_stay_where_they_belong(true)).await;
}

/// What an earlier release left in plain text is read, and sealed by the hub that comes after it.
/// What the hub tells of the environment.
async fn environment_shown(world: &World) -> String {
    let told = world.admin.json(&["environment", "get", "prd"]).await;
    told.unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_plain_is_sealed_by_the_next_hub() {
    let mut world = World::new().await.unwrap();
    let bundle = paths::root().join("tests/fixtures/telling-env");
    world
        .publish("environment", "telling-env", &bundle, &[])
        .await
        .unwrap();
    let canary = Canaries::of(&world).spec;
    let text = format!("proton: EnvironmentSpec\nspec:\n  password: {canary}\n");
    let spec = PathBuf::from(world.file("good.yaml", text.clone()).unwrap());
    environment(&mut world, PROD, "prd", &spec, &[]).await;
    let plain = format!(
        "UPDATE target SET spec = '{}', outputs = '{{\"Password\":\"{canary}\"}}'",
        text.replace('\'', "''")
    );
    world.rows(&plain).await.unwrap();
    let left = keys(&world, &["list"]);
    assert!(
        left.contains("target.spec") && left.contains("target.outputs"),
        "{left}"
    );
    assert!(environment_shown(&world).await.contains(&canary));
    world.hub.restart().await.unwrap();
    wait::until("everything to be sealed", Duration::from_secs(30), || async {
        Ok(keys(&world, &["list"])
            .contains("everything is sealed")
            .then_some(()))
    })
    .await
    .unwrap();
    let rows = world.rows("SELECT spec, outputs FROM target").await.unwrap();
    assert!(!format!("{rows:?}").contains(&canary), "{rows:?}");
    assert!(environment_shown(&world).await.contains(&canary));
}
