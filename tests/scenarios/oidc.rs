//! People and workloads whom an issuer of OpenID Connect knows: the real command line, the real hub, and an issuer with
//! real keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use hadron_management::clock::Clock;
use hadron_management::identity::oidc::testing::FakeIssuer;
use hadron_tests::World;
use hadron_tests::cli::{Cli, Ran};
use hadron_tests::emulator::Options;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

async fn world() -> (FakeIssuer, World) {
    let issuer = FakeIssuer::start(Clock::system()).await;
    let url = issuer.url();
    let hub = format!(
        r#"
[oidc.corp]
issuer = "{url}"
client_id = "hadron-hub"

[oidc.ci]
issuer = "{url}"
audience = "hadron"
conditions = ["repository=acme/*", "ref=refs/heads/main"]
session_seconds = 300
"#
    );
    let world = World::with(Options::default(), &hub).await.unwrap();
    (issuer, world)
}

/// Somebody without AWS credentials.
fn somebody(world: &World, name: &str, more: &[(&str, &str)]) -> Cli {
    let mut variables = world.admin.variables().clone();
    variables.retain(|name, _| !name.starts_with("AWS_"));
    // Nothing of this machine proves who they are either.
    variables.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
    variables.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    Cli::new(&world.folder().join(format!("home-{name}")), variables)
}

/// Logs in with a browser, which goes wherever it is sent.
async fn log_in(who: &Cli, args: &[&str]) -> Ran {
    let mut child = who.start(args).unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut stderr = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        stderr.push_str(&line);
        stderr.push('\n');
        if let Some(url) = line.strip_prefix("  http") {
            let page = reqwest::get(format!("http{url}")).await.unwrap();
            assert!(page.status().is_success(), "{page:?}");
            assert!(page.headers().contains_key("content-security-policy"));
            let text = page.text().await.unwrap();
            assert!(text.contains("go on in the terminal"), "{text}");
        }
    }
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut stdout)
        .await
        .unwrap();
    Ran {
        code: child.wait().await.unwrap().code().unwrap_or(-1),
        stdout,
        stderr,
    }
}

/// The file that a login is kept in.
fn session(world: &World, name: &str) -> Option<PathBuf> {
    let dir = world.folder().join(format!("home-{name}/cache/hadron/sessions"));
    let mut found = std::fs::read_dir(dir).ok()?.map(|entry| entry.unwrap().path());
    let file = found.next();
    assert!(found.next().is_none());
    file
}

fn audited(world: &World, name: &str) -> Vec<Value> {
    let output = world.hub.run(&["audit", "export", "--event-name", name]).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_with_a_browser_or_a_device_and_out_again() {
    let (issuer, world) = world().await;
    let ann = somebody(&world, "ann", &[]);
    let login = ["login", "--oidc", "--no-browser", "-o", "json"];

    // Whom the issuer knows and nobody has given any part is turned away, and that is written down.
    let ran = log_in(&ann, &login).await;
    assert_eq!(ran.code, 4, "{}", ran.text());
    assert!(
        ran.stderr.contains("oidc:corp:ann has no role at this hub"),
        "{}",
        ran.text()
    );
    let denied = audited(&world, "FinishOidcLogin");
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0]["errorCode"], "AccessDenied");
    assert_eq!(denied[0]["userIdentity"]["identityProvider"], "corp");
    assert!(session(&world, "ann").is_none());

    // A group is given a part.
    let grant = [
        "access",
        "grant",
        "oidc-group:corp:platform",
        "--role",
        "developer",
        "--scope",
        "hub",
    ];
    world.admin.ok(&grant).await.unwrap();
    let unknown = [
        "access",
        "grant",
        "oidc:nobody:ann",
        "--role",
        "developer",
        "--scope",
        "hub",
    ];
    assert_eq!(world.admin.run(&unknown).await.unwrap().code, 1);
    let ran = log_in(&ann, &login).await;
    assert_eq!(ran.code, 0, "{}", ran.text());
    let me = ran.json().unwrap();
    assert_eq!(
        (&me["principal"], &me["role"]),
        (&json!("oidc:corp:ann"), &json!("developer"))
    );
    let file = session(&world, "ann").unwrap();
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    ann.ok(&["template", "list"]).await.unwrap();
    assert_eq!(ann.json(&["whoami"]).await.unwrap()["principal"], "oidc:corp:ann");
    let why = ["access", "why", "ListServices", "--principal", "oidc:corp:ann"];
    let told = world.admin.run(&why).await.unwrap();
    assert!(
        told.stdout.contains("granted to oidc-group:corp:platform"),
        "{}",
        told.text()
    );

    // Whoever has copied the token loses it with the logout.
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let copied = somebody(
        &world,
        "thief",
        &[("HADRON_TOKEN", kept["token"].as_str().unwrap())],
    );
    copied.ok(&["whoami"]).await.unwrap();
    assert_eq!(copied.run(&["logout"]).await.unwrap().code, 2);
    ann.ok(&["logout"]).await.unwrap();
    assert!(session(&world, "ann").is_none());
    assert_eq!(copied.run(&["whoami"]).await.unwrap().code, 4);
    let ran = ann.run(&["whoami"]).await.unwrap();
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("hadron login --oidc"), "{}", ran.text());
    assert_eq!(audited(&world, "Logout").len(), 1);

    // With a device; the person is quick.
    issuer.behaviour().confirmed = true;
    let ran = ann.ok(&["login", "--device"]).await.unwrap();
    assert!(ran.stderr.contains("with the code WDJB-MJHT"), "{}", ran.text());
    assert_eq!(ann.json(&["whoami"]).await.unwrap()["principal"], "oidc:corp:ann");

    // The right that the group has goes, and with it what the token is good for.
    let revoke = [
        "access",
        "revoke",
        "oidc-group:corp:platform",
        "--role",
        "developer",
        "--scope",
        "hub",
    ];
    world.admin.ok(&revoke).await.unwrap();
    assert_eq!(ann.run(&["template", "list"]).await.unwrap().code, 4);

    // An issuer whose word is not to be believed.
    issuer.behaviour().claims = json!({"nonce": "another"}).as_object().unwrap().clone();
    let ran = log_in(&ann, &login).await;
    assert_eq!(ran.code, 4, "{}", ran.text());
    assert!(
        ran.stderr.contains("does not belong to this login"),
        "{}",
        ran.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_exchanges_its_token_for_one_of_the_hub() {
    let (issuer, world) = world().await;
    let claims = |more: Value| {
        let mut claims = issuer.claims("hadron");
        for (key, value) in [
            ("sub", "repo:acme/web:ref:refs/heads/main"),
            ("repository", "acme/web"),
            ("ref", "refs/heads/main"),
        ] {
            claims[key] = value.into();
        }
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        claims
    };
    let file = world.folder().join("token.jwt");
    let path = file.to_str().unwrap();
    let job = somebody(&world, "job", &[]);
    let exchange = ["login", "--oidc-token-file", path];

    std::fs::write(&file, format!("{}\n", issuer.token(&claims(json!({}))))).unwrap();
    assert_eq!(job.run(&exchange).await.unwrap().code, 4);
    let grant = [
        "access",
        "grant",
        "oidc:ci:repo:acme/*:ref:refs/heads/main",
        "--role",
        "developer",
        "--scope",
        "hub",
    ];
    world.admin.ok(&grant).await.unwrap();
    job.ok(&exchange).await.unwrap();
    let me = job.json(&["whoami"]).await.unwrap();
    assert_eq!(
        (&me["principal"], &me["role"]),
        (
            &json!("oidc:ci:repo:acme/web:ref:refs/heads/main"),
            &json!("developer")
        )
    );
    job.ok(&["environment", "list"]).await.unwrap();
    job.ok(&["logout"]).await.unwrap();

    // The same by the environment, as a pipeline has it.
    let token = issuer.token(&claims(json!({})));
    let other = somebody(&world, "other", &[("HADRON_OIDC_TOKEN", &token)]);
    other.ok(&["login"]).await.unwrap();
    other.ok(&["whoami"]).await.unwrap();

    // What does not count: told to the one who holds the token, and written down.
    let past = issuer.claims("hadron")["iat"].as_i64().unwrap() - 3_600;
    for (more, said) in [
        (json!({"exp": past}), "it has expired"),
        (json!({"aud": "sts.amazonaws.com"}), "for another audience"),
        (json!({"repository": "evil/web"}), "does not let in"),
        (json!({"ref": "refs/heads/feature"}), "does not let in"),
    ] {
        std::fs::write(&file, issuer.token(&claims(more))).unwrap();
        let ran = job.run(&exchange).await.unwrap();
        assert_eq!(ran.code, 4, "{}", ran.text());
        assert!(ran.stderr.contains(said), "{said}: {}", ran.text());
    }
    let denied = audited(&world, "ExchangeToken");
    assert_eq!(denied.len(), 5, "{denied:?}");
    assert!(
        denied.iter().all(|event| event["errorCode"] == "AccessDenied"),
        "{denied:?}"
    );
    // No token of anybody is in the hub's log.
    let logs = world.logs();
    assert!(!logs.contains(&token) && !logs.contains(token.rsplit('.').next().unwrap()));
}
