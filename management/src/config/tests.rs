use super::*;
use crate::testing::overrides;

const GOOD: &str = r#"
data_dir = "/var/lib/hadron"

[management]
account = "111111111111"
region = "eu-west-1"
provisioning_role = "arn:aws:iam::111111111111:role/hadron-provisioning"

[listen]
enrol = "0.0.0.0:8444"
jobs = "0.0.0.0:8445"
api = "0.0.0.0:8443"
names = ["hub.example.com", "10.0.0.7"]

[access]
administrators = ["arn:aws:iam::111111111111:role/AWSReservedSSO_Admin_*"]
"#;

fn given(text: &str, keys: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let mut source = Source::new(KEYS);
    source.read(Path::new("hub.toml"), text);
    source.overlay(overrides(keys));
    let config = build(&mut source);
    let faults: Vec<String> = source.faults.iter().map(ToString::to_string).collect();
    if faults.is_empty() {
        Ok(config.expect("a fault for whatever is missing"))
    } else {
        Err(faults)
    }
}

fn faults(text: &str, keys: &[(&str, &str)]) -> String {
    given(text, keys).unwrap_err().join("\n")
}

#[test]
fn a_good_file_has_defaults_for_the_rest() {
    let config = given(GOOD, &[]).unwrap();
    assert_eq!(config.listen.admin, "127.0.0.1:9464".parse().unwrap());
    assert_eq!(
        (config.jobs.lease.as_secs(), config.jobs.heartbeat.as_secs()),
        (30, 10)
    );
    assert_eq!(config.stack_prefix.as_str(), "AWSProton-");
    assert_eq!(config.store, StoreConfig::Sqlite("/var/lib/hadron/hub.db".into()));
    assert_eq!(config.management.agent_role_name, "hadron-agent");
    assert_eq!(config.listen.names, ["hub.example.com", "10.0.0.7"]);
    assert!(config.dev.is_none() && !config.sts.is_emulated());
    assert!(config.to_string().contains("AWSReservedSSO_Admin_*"));
}

#[test]
fn the_example_file_is_good_and_names_every_key() {
    let text = include_str!("../../../deploy/hub/hub.example.toml");
    given(text, &[]).unwrap();
    // Keys that are commented out are read, too.
    let mut table = String::new();
    let mut named = Vec::new();
    for line in text.lines() {
        let line = line.trim_start_matches("# ").trim_start_matches('#');
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ") {
            named.push(format!("{table}{key}"));
        }
    }
    let missing: Vec<_> = KEYS
        .iter()
        .filter(|key| key.path != "dev" && !named.iter().any(|one| key.is_at(one)))
        .map(|key| key.path)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn commits_have_bounds_and_belong_to_their_database() {
    let config = given(GOOD, &[]).unwrap();
    let ms = |millis| std::time::Duration::from_millis(millis);
    let Commits {
        batch,
        time,
        queue,
        connections,
    } = config.commits;
    assert_eq!((batch, time, queue, connections), (256, ms(2), 1_024, 16));
    let keys = [
        ("store.commit_batch", "1"),
        ("store.commit_milliseconds", "0"),
        ("store.commit_queue", "9"),
    ];
    let config = given(GOOD, &keys).unwrap();
    assert_eq!(
        (config.commits.batch, config.commits.time, config.commits.queue),
        (1, ms(0), 9)
    );
    let faults_of = |keys: &[(&str, &str)]| faults(GOOD, keys);
    for (key, value) in [
        ("store.commit_batch", "0"),
        ("store.commit_batch", "5000"),
        ("store.commit_milliseconds", "1001"),
        ("store.commit_queue", "0"),
    ] {
        let told = faults_of(&[(key, value)]);
        assert!(told.contains(key) && told.contains("out of range"), "{told}");
    }
    let postgres = ("store.postgres", "postgres://hadron@db/hadron");
    let told = faults_of(&[postgres, ("store.postgres_connections", "3")]);
    assert!(told.contains("3 is out of range; give 4 to 500"), "{told}");
    let told = faults_of(&[postgres, ("store.commit_batch", "8")]);
    assert!(told.contains("store.commit_batch: is of no use"), "{told}");
    let told = faults_of(&[("store.postgres_connections", "8")]);
    assert!(
        told.contains("store.postgres_connections: is of no use"),
        "{told}"
    );
    assert_eq!(
        given(GOOD, &[postgres, ("store.postgres_connections", "8")])
            .unwrap()
            .commits
            .connections,
        8
    );
}

#[test]
fn unknown_keys_are_named_with_what_was_meant() {
    let faults = faults(
        &format!("{GOOD}\n[jobs]\nlease_second = 30\n[colours]\nred = 1\n"),
        &[],
    );
    assert!(
        faults.contains("hub.toml:19: jobs.lease_second: unknown key; did you mean jobs.lease_seconds?"),
        "{faults}"
    );
    assert!(faults.contains("colours: unknown key"), "{faults}");
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    let text = GOOD
        .replace("111111111111\"\nregion", "1111\"\nregion")
        .replace("eu-west-1", "Europe");
    let faults = faults(&text, &[("listen.api", "here"), ("jobs.heartbeat_seconds", "20")]);
    assert!(
        faults.contains("hub.toml:5: management.account: '1111' is not an AWS account id"),
        "{faults}"
    );
    assert!(faults.contains("management.region: 'Europe'"), "{faults}");
    assert!(faults.contains("--listen-api: listen.api: "), "{faults}");
    assert!(
        faults.contains("--jobs-heartbeat-seconds: jobs.heartbeat_seconds: must be at most half"),
        "{faults}"
    );
}

#[test]
fn what_is_missing_says_how_to_give_it() {
    let faults = faults("", &[]);
    for key in ["data_dir", "management.account", "management.region"] {
        assert!(faults.contains(&format!("{key}: missing")), "{faults}");
    }
    assert!(
        faults.contains("--management-account or as HADRON_HUB_MANAGEMENT_ACCOUNT"),
        "{faults}"
    );
}

#[test]
fn development_is_for_loopback_and_only_it_has_emulators_and_port_0() {
    let config = given(
        "",
        &[
            ("dev", "true"),
            ("sts.endpoint", "http://127.0.0.1:4566"),
            ("listen.api", "127.0.0.1:0"),
        ],
    );
    let config = config.unwrap();
    assert!(config.dev.is_some() && config.sts.is_emulated());
    assert_eq!(config.management.account.as_str(), "111111111111");
    let account = config.management.account;
    let role = config.access.role(account, "arn:aws:iam::111111111111:root");
    assert_eq!(role, Some(hadron_domain::authority::Role::Administrator));

    let outside = faults(GOOD, &[("dev", "true")]);
    assert!(
        outside.contains("must be on loopback; 0.0.0.0:8444 is not"),
        "{outside}"
    );
    let endpoint = faults(GOOD, &[("sts.endpoint", "http://127.0.0.1:4566")]);
    assert!(endpoint.contains("is for emulators"), "{endpoint}");
    let port = faults(GOOD, &[("listen.api", "10.0.0.7:0")]);
    assert!(port.contains("port 0 is for --dev"), "{port}");
    let url = faults("", &[("dev", "true"), ("sts.endpoint", "ftp://x")]);
    assert!(url.contains("is not the address of an STS emulator"), "{url}");
}

#[test]
fn quotas_are_numbers_that_can_be_raised_and_lowered() {
    let config = given(
        &format!("{GOOD}\n[quotas]\nservices = 3\n"),
        &[("quotas.templates", "7")],
    )
    .unwrap();
    assert_eq!(
        config.quotas,
        Quotas {
            services: 3,
            templates: 7,
            ..Quotas::default()
        }
    );
    assert!(config.to_string().contains("7 templates, "), "{config}");
    for wrong in ["0", "1000001"] {
        let faults = faults(GOOD, &[("quotas.components", wrong)]);
        assert!(
            faults.contains(&format!(
                "quotas.components: {wrong} is out of range; give 1 to 1000000"
            )),
            "{faults}"
        );
    }
}

#[test]
fn a_hub_on_all_addresses_needs_a_name() {
    let faults = faults(&GOOD.replace("names = [", "#names = ["), &[]);
    assert!(faults.contains("listen.names: missing"), "{faults}");
    let wrong = self::faults(GOOD, &[("listen.names", "https://hub.example.com")]);
    assert!(wrong.contains("neither a DNS name nor an IP address"), "{wrong}");
}

#[test]
fn roles_and_people_are_of_the_management_account() {
    let other = "arn:aws:iam::222222222222:role/x";
    let keys = [
        ("management.pipeline_role", other),
        ("access.developers", other),
        ("access.auditors", "arn:aws:iam::111111111111:role/team/auditor"),
        ("management.agent_role_name", "path/name"),
    ];
    let faults = faults(GOOD, &keys);
    assert!(
        faults.contains("belongs to account 222222222222, not to the management account 111111111111"),
        "{faults}"
    );
    assert!(
        faults.contains("people of other accounts own their account"),
        "{faults}"
    );
    assert!(faults.contains("leave the path out"), "{faults}");
    assert!(
        faults.contains("management.agent_role_name: is no role name"),
        "{faults}"
    );
}

#[test]
fn one_store_and_its_password_stays_secret() {
    let url = "postgres://hadron:hunter2@db.internal/hadron";
    let config = given(GOOD, &[("store.postgres", url)]).unwrap();
    assert!(matches!(&config.store, StoreConfig::Postgres { url: kept, .. } if kept == url));
    assert!(!format!("{config:?}{config}").contains("hunter2"));
    let both = faults(GOOD, &[("store.postgres", url), ("store.sqlite", "x.db")]);
    assert!(
        both.contains("give only one of them") && !both.contains("hunter2"),
        "{both}"
    );
}

const ISSUERS: &str = r#"
[oidc.corp]
issuer = "https://login.example.com/realms/corp"
client_id = "hadron"
name_claim = "email"

[oidc.github]
issuer = "https://token.actions.githubusercontent.com"
audience = "hadron"
conditions = ["repository=acme/*", "ref=refs/heads/main"]
"#;

#[test]
fn issuers_are_for_people_or_for_workloads() {
    let config = given(
        &format!("{GOOD}{ISSUERS}"),
        &[("access.auditors", "oidc-group:corp:Audit")],
    )
    .unwrap();
    let [people, workloads] = &config.issuers[..] else {
        panic!("{:?}", config.issuers);
    };
    assert_eq!(
        (
            people.issuer.session.as_secs(),
            workloads.issuer.session.as_secs()
        ),
        (3_600, 900)
    );
    assert_eq!(config.access.issuers.len(), 2);
    let shown = config.to_string();
    assert!(
        shown.contains("workloads of https://token.actions.githubusercontent.com for hadron with repository=acme/* ref=refs/heads/main"),
        "{shown}"
    );

    let wrong = |table: &str| faults(&format!("{GOOD}{table}"), &[]);
    for (table, said) in [
        (
            "[oidc.Corp]\nissuer = 'https://a.example'\nclient_id = 'x'",
            "cannot name an issuer",
        ),
        ("[oidc.a]\nclient_id = 'x'", "oidc.a.issuer: missing"),
        (
            "[oidc.a]\nissuer = 'http://a.example'\nclient_id = 'x'",
            "must begin with https://",
        ),
        (
            "[oidc.a]\nissuer = 'https://169.254.169.254'\nclient_id = 'x'",
            "which only this machine can reach",
        ),
        (
            "[oidc.a]\nissuer = 'https://127.0.0.1'\nclient_id = 'x'",
            "which only this machine can reach",
        ),
        (
            "[oidc.a]\nissuer = 'https://a.example'",
            "give client_id where people log in",
        ),
        (
            "[oidc.a]\nissuer = 'https://a.example'\naudience = 'hub'",
            "anybody with an account at the issuer",
        ),
        (
            "[oidc.a]\nissuer = 'https://a.example'\naudience = 'hub'\nconditions = ['sub=*']",
            "is true of every token",
        ),
        (
            "[oidc.a]\nissuer = 'https://a.example'\naudience = 'hub'\nclient_id = 'x'",
            "one table for people",
        ),
        (
            "[oidc.a]\nissuer = 'https://a.example'\nclient_id = 'x'\nsession_seconds = 5",
            "60 to 43200",
        ),
        (
            "[oidc.a]\nissuer = 'https://a.example'\nclient_id = 'x'\nisuer = 'x'",
            "did you mean oidc.*.issuer?",
        ),
    ] {
        let found = wrong(table);
        assert!(found.contains(said), "{table}: {found}");
    }
    let unknown = faults(GOOD, &[("access.developers", "oidc:corp:ann@example.com")]);
    assert!(
        unknown.contains("there is no table for: [oidc.corp]"),
        "{unknown}"
    );
    // Plain HTTP is for development, and there for this machine only.
    let dev = "dev = true\n[oidc.a]\nissuer = 'http://login.example.com'\nclient_id = 'x'\n";
    assert!(faults(dev, &[("sts.endpoint", "http://127.0.0.1:1")]).contains("must begin with https://"));
    let dev = "dev = true\n[oidc.a]\nissuer = 'http://127.0.0.1:5'\nclient_id = 'x'\n";
    assert_eq!(
        given(dev, &[("sts.endpoint", "http://127.0.0.1:1")])
            .unwrap()
            .issuers
            .len(),
        1
    );
}
