//! The exchange of the sealing key, killed in its middle: it goes on where it was, everything stays readable meanwhile, to the
//! hub that runs beside it and to one that starts again, and at the end nothing is sealed with an older version.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use hadron_tests::attacks::client::{Key, Proton, minted};
use hadron_tests::faults::Chance;
use hadron_tests::{DEV, PROD, World, paths};

const CANARY: &str = "canary-under-every-key";

/// `hadron-hub keys rotate` with a fault on purpose, or killed after a time: how it ended, and what it said.
async fn rotate(world: &World, fault: Option<String>, after: Option<Duration>) -> (ExitStatus, String) {
    let mut command = Command::new(paths::binary("hadron-hub").unwrap());
    command
        .args(["keys", "rotate", "--config"])
        .arg(world.hub.folder().join("hub.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(fault) = fault {
        command.env("HADRON_FAULTS", fault);
    }
    let mut child = command.spawn().unwrap();
    if let Some(after) = after {
        tokio::time::sleep(after).await;
        // It may have ended already.
        let _ = child.kill();
    }
    let output = tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status, said)
}

/// Everything that is sealed can be read: outputs and specs of every account, and the secrets of access keys.
async fn readable(world: &World, keys: &[Key]) {
    for name in ["prd", "dev"] {
        let deployed = world
            .last_deployment(&["environment", "get", name])
            .await
            .unwrap();
        assert_eq!(deployed["outputs"]["Password"], CANARY, "{name}: {deployed}");
    }
    let proton = Proton::new(world, [127, 0, 0, 1].into()).unwrap();
    for key in keys {
        let answer = proton.call(key, "GetAccountSettings", "{}").await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// The versions that `keys list` names as used, each once.
fn listed(world: &World) -> String {
    let (done, told) = world.hub.command(&["keys", "list"]).unwrap();
    let output = world.hub.run(&["keys", "list"]).unwrap();
    assert!(done, "{told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_goes_on_and_loses_nothing() {
    let mut world = World::new().await.unwrap();
    let bundle = paths::root().join("tests/fixtures/telling-env");
    world
        .publish("environment", "telling-env", &bundle, &[])
        .await
        .unwrap();
    let spec = world
        .file(
            "spec.yaml",
            format!("proton: EnvironmentSpec\nspec:\n  password: {CANARY}\n"),
        )
        .unwrap();
    for (account, name) in [(PROD, "prd"), (DEV, "dev")] {
        let connection = world.connect(account, name).await.unwrap();
        let create = [
            "environment",
            "create",
            name,
            "--template",
            "telling-env",
            "--connection",
            &connection,
        ];
        world
            .admin
            .ok(&[&create[..], &["--spec", &spec, "--wait"]].concat())
            .await
            .unwrap();
    }
    let keys: Vec<Key> = (0..4)
        .map(|n| minted(&world, &format!("key-{n}"), "auditor").unwrap())
        .collect();
    readable(&world, &keys).await;

    // At commits, just before and just after: the first, and later ones among data keys and access keys.
    let (mut killed, mut went_on) = (0, 0);
    let mut points = Vec::new();
    for point in ["C72", "C73"] {
        points.extend([1, 2, 4, 6].map(|time| (Some(format!("{point}=kill@{time}")), None)));
    }
    // And at any time, the exchange of the key's own file included.
    let mut chance = Chance::named(7, "rotation");
    points.extend((0..5).map(|_| (None, Some(Duration::from_millis(chance.below(400))))));
    for (number, (fault, after)) in points.into_iter().enumerate() {
        let what = format!("{fault:?} {after:?}");
        let (status, said) = rotate(&world, fault, after).await;
        if !status.success() {
            assert_eq!(status.code(), None, "{what} was to be killed: {said}");
            killed += 1;
        }
        readable(&world, &keys).await;
        if number % 3 == 0 {
            world.hub.restart().await.unwrap();
            readable(&world, &keys).await;
        }
        let (status, said) = rotate(&world, None, None).await;
        assert!(status.success(), "after {what}: {said}");
        went_on += u32::from(said.contains("not used everywhere yet"));
        // A second one finds nothing left over of the first: it begins a new version.
        let list = listed(&world);
        let newest = std::fs::read_to_string(world.hub.folder().join("seal.key")).unwrap();
        let newest = newest
            .lines()
            .rfind(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let newest = newest.and_then(|line| line.split(' ').next()).unwrap().to_owned();
        for account in [PROD, DEV] {
            let line = list.lines().find(|line| line.contains(account)).unwrap();
            assert!(
                line.contains(&format!("  {newest}  ")),
                "after {what}: {line}\n{list}"
            );
        }
        readable(&world, &keys).await;
    }
    assert!(killed >= 6, "only {killed} were killed");
    assert!(went_on >= 3, "only {went_on} went on where another had stopped");
    world.hub.restart().await.unwrap();
    readable(&world, &keys).await;
    world.at_rest().await.unwrap();
}
