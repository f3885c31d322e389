//! Logs: lines for machines that say what was deployed where, and nothing of what people typed.

use hadron_tests::{MANAGEMENT, PROD, REGION, World, paths};
use serde_json::Value;

/// Texts that must not be in any log line, each put into another place.
const CANARIES: [&str; 7] = [
    "canary-in-the-spec",
    "canary-of-a-failure",
    "canary-in-the-schema",
    "canary-in-the-template",
    "canary-in-a-description",
    "canary-in-the-bundle",
    "canary-of-a-refused-spec",
];

/// Values of a field anywhere in a log line, spans included.
fn values<'a>(line: &'a Value, name: &str, into: &mut Vec<&'a str>) {
    match line {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == name {
                    into.extend(value.as_str());
                }
                values(value, name, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, name, into)),
        _ => {}
    }
}

fn has(line: &Value, name: &str, wanted: &str) -> bool {
    let mut found = Vec::new();
    values(line, name, &mut found);
    found.contains(&wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn hub_and_agents_log_what_is_deployed_where_and_nothing_that_people_typed() {
    let mut world = World::new().await.unwrap();
    let bundle = paths::root().join("tests/fixtures/telling-env");
    let described = ["--description", "canary-in-the-bundle"];
    world
        .publish("environment", "telling-env", &bundle, &described)
        .await
        .unwrap();
    let connection = world.connect(PROD, "prd").await.unwrap();
    let spec = |name: &str, password: &str, more: &str| {
        let text = format!("proton: EnvironmentSpec\nspec:\n  password: {password}\n{more}");
        world.file(name, text).unwrap()
    };
    let good = spec("good.yaml", "canary-in-the-spec", "");
    let failing = spec("failing.yaml", "canary-of-a-failure", "  fails: true\n");
    let refused = spec("refused.yaml", "[canary-of-a-refused-spec]", "");

    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "telling-env",
        "--connection",
        &connection,
    ];
    let more = ["--spec", &refused];
    world
        .admin
        .fails(1, &[&create[..], &more].concat())
        .await
        .unwrap();
    let more = [
        "--spec",
        &good,
        "--description",
        "canary-in-a-description",
        "--wait",
    ];
    world.admin.ok(&[&create[..], &more].concat()).await.unwrap();
    let deployed = world
        .last_deployment(&["environment", "get", "prd"])
        .await
        .unwrap();
    // What must not be logged is shown to those who may see it.
    assert_eq!(deployed["outputs"]["Password"], "canary-in-the-spec");
    world
        .admin
        .fails(7, &["environment", "update", "prd", "--spec", &failing, "--wait"])
        .await
        .unwrap();
    let failed = world
        .last_deployment(&["environment", "get", "prd"])
        .await
        .unwrap();
    assert_eq!(failed["status"], "FAILED");
    assert!(
        failed["statusMessage"]
            .to_string()
            .contains("canary-of-a-failure"),
        "{failed}"
    );

    let token = world.hub.token("ci", "auditor").unwrap();
    let secret = |line: &str| {
        let credentials = world.admin.variables();
        let keys = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].map(|name| credentials[name].as_str());
        keys.into_iter()
            .chain([token.as_str(), "PRIVATE KEY"])
            .any(|secret| line.contains(secret))
    };
    let logs = [
        "hub/hub.log".to_owned(),
        format!("agent-{MANAGEMENT}/agent.log"),
        format!("agent-{PROD}/agent.log"),
    ];
    for file in &logs {
        let lines = world.log_lines(file).unwrap();
        assert!(!lines.is_empty(), "{file} is empty");
        for line in &lines {
            for field in ["timestamp", "level", "message", "target"] {
                assert!(line[field].is_string(), "{file}: no {field} in {line}");
            }
            let text = line.to_string();
            for canary in CANARIES {
                assert!(!text.contains(canary), "{file} tells {canary}: {text}");
            }
            assert!(!secret(&text), "{file} tells a secret: {text}");
            assert_ne!(line["level"], "ERROR", "{file}: {text}");
        }
    }
    // Both sides tell of both deployments, with where they were.
    for deployment in [&deployed, &failed] {
        let id = deployment["id"].as_str().unwrap();
        for file in [&logs[0], &logs[2]] {
            let lines = world.log_lines(file).unwrap();
            let about: Vec<&Value> = lines
                .iter()
                .filter(|line| has(line, "deployment.id", id))
                .collect();
            assert!(about.len() >= 2, "{file} tells too little about {id}: {about:?}");
            let placed = |line: &&&Value| has(line, "account", PROD) && has(line, "region", REGION);
            assert!(
                about.iter().filter(placed).count() >= 2,
                "{file}: no account or Region: {about:?}"
            );
        }
    }
    let hub = world.log_lines(&logs[0]).unwrap();
    let ended: Vec<(&Value, &Value)> = hub
        .iter()
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.ends_with("has ended"))
        })
        .map(|line| (&line["deployment.id"], &line["status"]))
        .collect();
    assert_eq!(
        ended,
        [
            (&deployed["id"], &"SUCCEEDED".into()),
            (&failed["id"], &"FAILED".into())
        ]
    );
    world.at_rest().await.unwrap();
}
