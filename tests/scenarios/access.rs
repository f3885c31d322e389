//! Who may do what, by real logins; and who is nobody.

use hadron_tests::cli::Cli;
use hadron_tests::{DEV, MANAGEMENT, PROD, World, paths};

/// Somebody with a token instead of AWS credentials.
fn with_token(world: &World, name: &str, token: &str) -> Cli {
    let mut variables = world.admin.variables().clone();
    variables.retain(|name, _| !name.starts_with("AWS_"));
    variables.insert("HADRON_TOKEN".to_owned(), token.to_owned());
    Cli::new(&world.folder().join(format!("home-token-{name}")), variables)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_their_part_allows_and_nothing_else() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    world.environment("prd", PROD).await.unwrap();
    let spec = world.service_spec("plain", &[("live", "prd")]).unwrap();
    let env_spec = paths::root()
        .join("deploy/examples/minimal-env/spec.yaml")
        .display()
        .to_string();
    let bundle = paths::root()
        .join("deploy/examples/minimal-env/v1")
        .display()
        .to_string();

    let administrator = world.admin.clone();
    let developer = world.somebody(MANAGEMENT, "developer").await.unwrap();
    let auditor = world.somebody(MANAGEMENT, "auditor").await.unwrap();
    let owner = world.owner(PROD).await.unwrap();
    let other = world.owner(DEV).await.unwrap();
    let people = [
        ("administrator", &administrator),
        ("developer", &developer),
        ("auditor", &auditor),
        ("owner", &owner),
        ("other owner", &other),
    ];

    // Who each of them is, as the hub says.
    for ((_, who), (role, account)) in people.iter().zip([
        ("administrator", MANAGEMENT),
        ("developer", MANAGEMENT),
        ("auditor", MANAGEMENT),
        ("owner", PROD),
        ("owner", DEV),
    ]) {
        let seen = who.json(&["whoami"]).await.unwrap();
        assert_eq!(
            (&seen["role"], &seen["accountId"]),
            (&role.into(), &account.into()),
            "{seen}"
        );
    }

    // 0 is done, 3 is "there is no such thing" (for you), 4 is "you may not".
    let update = ["environment", "update", "prd", "--description", "text"];
    let register = [
        "template",
        "create",
        "minimal-env",
        "--kind",
        "environment",
        &bundle,
    ];
    let new_environment = [
        "environment",
        "create",
        "x",
        "--template",
        "minimal-env",
        "--spec",
        &env_spec,
    ];
    let new_service = [
        "service",
        "create",
        "plain",
        "--template",
        "minimal-svc-no-pipeline",
        "--spec",
        &spec,
        "--wait",
    ];
    let table: [(&[&str], [i32; 5]); 13] = [
        (&["template", "list"], [0, 0, 0, 4, 4]),
        (
            &["template", "get", "minimal-env", "--version", "1.0"],
            [0, 0, 0, 4, 4],
        ),
        (&["environment", "get", "prd"], [0, 0, 0, 0, 3]),
        (&["environment", "list"], [0, 0, 0, 0, 0]),
        (&["service", "list"], [0, 0, 0, 4, 4]),
        (&["deployment", "list"], [0, 0, 0, 0, 0]),
        (&["agent", "list"], [0, 4, 0, 0, 0]),
        (&["grant", "list"], [0, 0, 0, 0, 0]),
        (&["connection", "list"], [0, 0, 0, 0, 0]),
        (&update, [0, 4, 4, 4, 4]),
        (&register, [0, 4, 4, 4, 4]),
        // The first who may deploys it; the next is told that it is there already.
        (&new_service, [0, 5, 4, 4, 4]),
        (
            &["service", "delete", "plain", "--yes", "--wait"],
            [0, 3, 4, 4, 4],
        ),
    ];
    for (args, codes) in table {
        for ((name, who), code) in people.iter().zip(codes) {
            let ran = who.run(args).await.unwrap();
            assert_eq!(
                ran.code,
                code,
                "{name}: hadron {}: {}",
                args.join(" "),
                ran.text()
            );
            if code == 4 {
                assert!(
                    ran.stderr.contains("may not"),
                    "{name}: hadron {}: {}",
                    args.join(" "),
                    ran.text()
                );
            }
        }
    }
    for ((name, who), code) in people.iter().zip([None, Some(4), Some(4), Some(4), Some(4)]) {
        if let Some(code) = code {
            let ran = who.run(&new_environment).await.unwrap();
            assert_eq!(ran.code, code, "{name}: {}", ran.text());
        }
    }
    // Lists show an owner their own account only.
    for list in ["environment", "deployment", "agent", "connection"] {
        let own = owner.json(&[list, "list"]).await.unwrap();
        let strange = other.json(&[list, "list"]).await.unwrap();
        assert!(!own["items"].as_array().unwrap().is_empty(), "{list}");
        assert_eq!(strange["items"].as_array().unwrap().len(), 0, "{list}: {strange}");
    }
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_prove_themselves_or_trusts_another_hub_gets_nowhere() {
    let world = World::new().await.unwrap();

    // Minted tokens play the part that they were minted for.
    let ci = with_token(&world, "ci", &world.hub.token("ci", "developer").unwrap());
    let seen = ci.json(&["whoami"]).await.unwrap();
    assert_eq!(
        (&seen["role"], &seen["accountId"]),
        (&"developer".into(), &serde_json::Value::Null),
        "{seen}"
    );

    let short = with_token(
        &world,
        "short",
        &world.hub.token_for("short", "developer", "1s").unwrap(),
    );
    let altered = world.hub.token("altered", "auditor").unwrap();
    let altered = {
        let last = if altered.ends_with('A') { 'B' } else { 'A' };
        format!("{}{last}", &altered[..altered.len() - 1])
    };
    hadron_tests::wait::until(
        "the token to expire",
        std::time::Duration::from_secs(10),
        || async { Ok((short.run(&["template", "list"]).await?.code != 0).then_some(())) },
    )
    .await
    .unwrap();

    let mut nothing = world.admin.variables().clone();
    nothing.retain(|name, _| !name.starts_with("AWS_") || name == "AWS_EC2_METADATA_DISABLED");
    let mut forged = world.admin.variables().clone();
    forged.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "x".repeat(40));
    let mut elsewhere = world.admin.variables().clone();
    elsewhere.remove("HADRON_HUB_CA");
    elsewhere.insert(
        "HADRON_HUB_CA_PIN".to_owned(),
        format!("sha256:{}", "0".repeat(64)),
    );
    let mut pinned = world.admin.variables().clone();
    pinned.remove("HADRON_HUB_CA");
    pinned.insert("HADRON_HUB_CA_PIN".to_owned(), world.hub.ready().ca_pin.clone());
    let mut untrusting = world.admin.variables().clone();
    untrusting.remove("HADRON_HUB_CA");
    let home = |name: &str, variables| Cli::new(&world.folder().join(format!("home-{name}")), variables);

    let unknown = with_token(
        &world,
        "unknown",
        "hadron_0123456789012345678901234567890123456789012",
    );
    let (nothing, forged) = (home("nothing", nothing), home("forged", forged));
    let (elsewhere, untrusting) = (home("elsewhere", elsewhere), home("untrusting", untrusting));
    let nobody = world.somebody(MANAGEMENT, "passer-by").await.unwrap();
    let cases: [(&str, &Cli, i32, &[&str]); 8] = [
        ("an expired token", &short, 4, &["token", "hadron"]),
        ("a token that was never minted", &unknown, 4, &["token"]),
        (
            "a token that was altered",
            &with_token(&world, "altered", &altered),
            4,
            &["token"],
        ),
        ("no credentials at all", &nothing, 4, &["credentials"]),
        ("a signature with another key", &forged, 4, &["STS"]),
        (
            "an identity without a part",
            &nobody,
            4,
            &["passer-by", "administrator"],
        ),
        ("another hub's pin", &elsewhere, 9, &["pin"]),
        (
            "a hub of unknown authority",
            &untrusting,
            2,
            &["right hub", "--hub-ca"],
        ),
    ];
    for (what, who, code, says) in cases {
        let ran = who.run(&["template", "list"]).await.unwrap();
        assert_eq!(ran.code, code, "{what}: {}", ran.text());
        assert!(ran.stdout.is_empty(), "{what}: {}", ran.stdout);
        for word in says {
            assert!(
                ran.stderr.contains(word),
                "{what}: no '{word}' in: {}",
                ran.stderr
            );
        }
        assert!(!ran.text().contains("panicked"), "{what}: {}", ran.text());
    }
    home("pinned", pinned).ok(&["template", "list"]).await.unwrap();
}
