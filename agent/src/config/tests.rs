use super::*;

const GOOD: &str = r#"
region = "us-east-1"
state_dir = "/var/lib/hadron-agent"
[hub]
enrol = "https://hub.example.com:7443"
jobs = "https://[::1]:7444"
ca_pin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
"#;

fn read(text: &str) -> Result<Config, Invalid> {
    with(text, &[])
}

fn with(text: &str, flags: &[(&'static str, &str)]) -> Result<Config, Invalid> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    let over = |(path, text): &(&'static str, &str)| Override {
        path,
        text: (*text).to_owned(),
        origin: Origin::Flag((*path).to_owned()),
    };
    load(Some(&path), flags.iter().map(over).collect()).map_err(|Invalid(faults)| {
        // Without the temporary directory the messages can be compared.
        let relative = |fault: Fault| Fault {
            origin: fault.origin.map(|origin| match origin {
                Origin::File(_, line) => Origin::File("agent.toml".into(), line),
                other => other,
            }),
            ..fault
        };
        Invalid(faults.into_iter().map(relative).collect())
    })
}

#[test]
fn little_has_to_be_said() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.hub.jobs.authority(), "[::1]:7444");
    assert_eq!(
        (config.hub.enrol.host(), config.hub.enrol.port()),
        ("hub.example.com", 7443)
    );
    assert_eq!(config.capacity.get(), 4);
    assert_eq!(config.limits.stack_prefix.as_str(), "AWSProton-");
    assert_eq!(config.limits.regions, [config.region]);
    assert!(!config.write_registry_policy);
}

#[test]
fn flags_win_over_the_file() {
    let flags = [
        ("region", "eu-west-1"),
        ("capacity", "9"),
        ("limits.denied_resource_types", "AWS::IAM::User, AWS::S3::*"),
        ("limits.bundle_buckets", "bundles, other.bundles"),
    ];
    let config = with(GOOD, &flags).unwrap();
    assert_eq!((config.region.as_str(), config.capacity.get()), ("eu-west-1", 9));
    assert_eq!(config.limits.contents.denied_resource_types.len(), 2);
    assert_eq!(config.limits.bundle_buckets.unwrap().len(), 2);
    let none = read(&format!("{GOOD}[limits]\nbundle_buckets = []\n")).unwrap();
    assert_eq!(none.limits.bundle_buckets, Some(Vec::new()));
    assert_eq!(read(GOOD).unwrap().limits.bundle_buckets, None);
    let wrong = with(GOOD, &[("limits.bundle_buckets", "s3://bundles")]).unwrap_err();
    assert!(wrong.to_string().contains("without s3://"), "{wrong}");
}

#[test]
fn every_fault_is_named_with_its_place() {
    let text = r#"
regoin = "us-east-1"
account = "12"
capacity = 0
drain_timeout = 25
stack_prefix = "x"
endpoint_url = "http://127.0.0.1:4566"
[hub]
enrol = "http://hub.example.com:7443"
jobs = "https://hub.example.com"
ca_pin = "sha1:00"
[roles]
provisioning = ["hadron-provisioning"]
pipeline = "arn:aws:iam::333333333333:role/x"
[limits]
denied_resource_types = ["AWS::*::User"]
[polling]
first = "1m"
slowest = "soon"
[favourites]
colour = "blue"
"#;
    let faults = with(text, &[("connection", "job_1")]).unwrap_err();
    insta::assert_snapshot!(faults);
}

#[test]
fn a_broken_file_is_broken_at_a_line() {
    let error = read("region = \"us-east-1\"\nhub = {\n\n=")
        .unwrap_err()
        .to_string();
    assert!(error.contains("agent.toml:"), "{error}");
    let missing = load(Some(Path::new("/nowhere/agent.toml")), Vec::new())
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("cannot read the file /nowhere/agent.toml"),
        "{missing}"
    );
}

#[test]
fn the_hub_must_be_recognisable_in_one_way() {
    let none = GOOD.replace("ca_pin", "# ca_pin");
    assert!(
        read(&none)
            .unwrap_err()
            .to_string()
            .contains("hub.ca_pin: missing"),
        "{none}"
    );
    let both = format!("{GOOD}ca_file = \"/etc/hadron/ca.pem\"\n");
    assert!(
        read(&both)
            .unwrap_err()
            .to_string()
            .contains("give only one of them")
    );
    let file = format!("{none}ca_file = \"/nowhere/ca.pem\"\n");
    assert!(
        read(&file)
            .unwrap_err()
            .to_string()
            .contains("cannot read /nowhere/ca.pem")
    );
}

#[test]
fn an_emulator_needs_dev() {
    let flags = [("endpoint_url", "http://127.0.0.1:4566")];
    assert!(with(GOOD, &flags).unwrap_err().to_string().contains("--dev"));
    let config = with(GOOD, &[flags[0], ("dev", "true")]).unwrap();
    assert_eq!(config.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
}

#[test]
fn roles_of_other_accounts_are_faults() {
    let text = format!(
        "account = \"333333333333\"\n{GOOD}[roles]\ncomponent = [\"arn:aws:iam::444444444444:role/x\"]\n"
    );
    let error = read(&text).unwrap_err().to_string();
    assert!(
        error.contains("roles.component: arn:aws:iam::444444444444:role/x belongs to account 444444444444"),
        "{error}"
    );
}

#[test]
fn the_example_is_right_and_complete() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/agent/agent.example.toml");
    load(Some(&path), Vec::new()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for key in KEYS {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        let assigned = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{name} = "));
        assert!(
            text.lines().any(|line| assigned(&line)),
            "{} is not in the example",
            key.path
        );
        assert!(
            table.is_empty() || text.contains(&format!("[{table}]")),
            "[{table}] is not in the example"
        );
    }
}
