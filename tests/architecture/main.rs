//! Who may use whom. Packages are held by what Cargo knows about them; modules of the hub by reading their source.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};
use hadron_proto::fault::{POINTS, Process};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What each package of the workspace builds with: names of its direct dependencies, without those of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = root().join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--offline".to_owned()])
        .no_deps()
        .exec()
        .unwrap();
    let packages = metadata.packages.into_iter().map(|package| {
        let uses = package
            .dependencies
            .into_iter()
            .filter(|each| each.kind == DependencyKind::Normal);
        (package.name.to_string(), uses.map(|each| each.name).collect())
    });
    packages.collect()
}

#[test]
fn packages_use_only_what_the_arrows_allow() {
    let arrows: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("hadron-proto", &[] as &[&str]),
        ("hadron-domain", &["hadron-proto"]),
        ("hadron-templates", &["hadron-proto"]),
        (
            "hadron-management",
            &["hadron-proto", "hadron-domain", "hadron-templates"],
        ),
        ("hadron-cli", &["hadron-proto", "hadron-templates"]),
        // It reads templates itself, and renders signed ones: what the hub says about them is not enough.
        ("hadron-agent", &["hadron-proto", "hadron-templates"]),
        // It puts jobs into the hub's store and is the agents.
        (
            "hadron-bench",
            &[
                "hadron-proto",
                "hadron-domain",
                "hadron-management",
                "hadron-templates",
            ],
        ),
    ]);
    let packages = dependencies();
    for (package, allowed) in &arrows {
        let uses = packages
            .get(*package)
            .unwrap_or_else(|| panic!("there is no package {package}"));
        let ours: BTreeSet<&str> = uses
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with("hadron-"))
            .collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(
            ours.is_subset(&allowed),
            "{package} may use {allowed:?}, but uses {ours:?}"
        );
    }
    let known: BTreeSet<&str> = arrows.keys().copied().chain(["hadron-tests"]).collect();
    for package in packages.keys() {
        assert!(
            known.contains(package.as_str()),
            "{package} has no arrows: say here whom it may use"
        );
    }
}

#[test]
fn rules_and_templates_do_nothing_to_the_world() {
    let packages = dependencies();
    let effects = [
        "tokio",
        "tonic",
        "prost",
        "rusqlite",
        "tokio-postgres",
        "reqwest",
        "hyper",
        "axum",
        "rand",
        "tracing",
        "futures",
    ];
    for package in ["hadron-domain", "hadron-templates"] {
        let found: Vec<&str> = effects
            .into_iter()
            .filter(|name| packages[package].contains(*name))
            .collect();
        assert!(found.is_empty(), "{package} must not use {found:?}");
    }
    assert!(
        !packages["hadron-domain"].contains("uuid"),
        "ids are inputs of the rules"
    );
}

#[test]
fn only_the_agent_acts_in_aws() {
    for (package, uses) in dependencies() {
        let sdk: BTreeSet<&str> = uses
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with("aws-sdk-"))
            .collect();
        let may = ["hadron-agent", "hadron-tests"].contains(&package.as_str());
        assert!(sdk.is_empty() || may, "{package} uses {sdk:?}");
        // People's credentials are read by the command line; the hub has none.
        if package == "hadron-management" {
            assert!(!uses.contains("aws-config"), "the hub has no AWS credentials");
        }
    }
}

/// Rust files below a directory, with what they say outside comments and their own tests.
fn sources(dir: &str) -> Vec<(String, Vec<(usize, String)>)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let name = path
            .strip_prefix(root().join(dir))
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        let tests = name.split('/').any(|part| {
            part == "tests"
                || part == "conformance"
                || part.ends_with("tests.rs")
                || part.starts_with("testing")
        });
        if !name.ends_with(".rs") || tests {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(number, line)| (number + 1, line.to_owned()))
            .collect();
        found.push((name, lines));
    }
    found.sort();
    assert!(found.len() > 3, "{dir} has hardly any source");
    found
}

#[test]
fn the_agents_sdk_stays_in_one_folder() {
    for (name, lines) in sources("agent/src") {
        let may = name.starts_with("aws/") || name == "wiring.rs";
        for (number, line) in lines {
            assert!(
                may || !line.contains("aws_sdk_"),
                "agent/src/{name}:{number} uses the SDK outside of aws/: {line}"
            );
        }
    }
}

/// The layer of the hub that a file belongs to.
fn layer(name: &str) -> &str {
    name.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Paths below `crate::` that a line names, such as `store::Topic`.
fn named(line: &str) -> Vec<&str> {
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    line.split("crate::")
        .skip(1)
        .map(|rest| rest.split(ends).next().unwrap().trim_end_matches("::"))
        .collect()
}

#[test]
fn layers_of_the_hub_look_down_only() {
    // `wiring`, `main`, `admin` and `args` put it all together and may use everybody.
    let arrows: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "api",
            &["api", "app", "store", "identity", "clock", "meter"] as &[&str],
        ),
        ("reconcile", &["app", "store", "webhook"]),
        ("webhook", &["outgoing"]),
        ("outgoing", &[]),
        ("app", &["app", "store", "clock", "identity", "render"]),
        ("render", &["render"]),
        ("identity", &["identity", "clock", "store", "outgoing"]),
        ("store", &["store", "clock", "meter"]),
        ("clock", &[]),
        ("meter", &[]),
    ]);
    for (name, lines) in sources("management/src") {
        let Some(allowed) = arrows.get(layer(&name)) else {
            continue;
        };
        for (number, line) in &lines {
            for path in named(line) {
                let to = path.split("::").next().unwrap();
                // Macros of this crate have no module.
                let is_module =
                    arrows.contains_key(to) || ["wiring", "config", "admin", "args"].contains(&to);
                assert!(
                    !is_module || allowed.contains(&to),
                    "management/src/{name}:{number} must not use {to}: {line}"
                );
            }
        }
    }
}

#[test]
fn sql_is_written_in_the_store_only() {
    for (name, lines) in sources("management/src") {
        if layer(&name) == "store" {
            continue;
        }
        for (number, line) in lines {
            let calls = [
                "query",
                "query_opt",
                "query_one",
                "execute",
                "execute_each",
                "attempt",
                "script",
            ];
            let runs = calls.iter().any(|call| line.contains(&format!("tx.{call}(")));
            let says = ["SELECT ", "INSERT INTO ", "DELETE FROM "]
                .iter()
                .any(|word| line.contains(word));
            assert!(!runs && !says, "management/src/{name}:{number} has SQL: {line}");
            assert!(
                !line.contains("rusqlite") && !line.contains("tokio_postgres"),
                "management/src/{name}:{number}: {line}"
            );
        }
    }
}

#[test]
fn points_of_failure_are_listed_and_each_is_somewhere() {
    let mut called = BTreeMap::<String, BTreeSet<Process>>::new();
    for (dir, process) in [("management/src", Process::Hub), ("agent/src", Process::Agent)] {
        for (name, lines) in sources(dir) {
            for (number, line) in lines {
                for rest in line.split("fault::point(").skip(1) {
                    let point = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                    let point = point.unwrap_or_else(|| {
                        panic!("{dir}/{name}:{number} names no point, such as \"C01\": {line}")
                    });
                    called.entry(point.to_owned()).or_default().insert(process);
                }
            }
        }
    }
    let mut listed = BTreeMap::<String, BTreeSet<Process>>::new();
    for (name, process, meaning) in POINTS {
        assert!(!meaning.is_empty(), "{name} has no meaning");
        let new = listed
            .insert((*name).to_owned(), BTreeSet::from([*process]))
            .is_none();
        assert!(new, "{name} is listed twice");
    }
    assert_eq!(
        called, listed,
        "calls of fault::point, and proto/src/fault/points.rs"
    );
}

/// Programs that are released are built with the default features of their packages. None of them, and nothing that they
/// build with, may switch the points on. What a release holds in the end `cargo xtask faults --release-check` looks at.
#[test]
fn no_release_has_points_of_failure() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--offline".to_owned()])
        .no_deps()
        .exec()
        .unwrap();
    let switches = |feature: &str| feature == "faults" || feature.ends_with("/faults");
    for package in metadata.packages {
        let mut on = vec!["default".to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(feature) = on.pop() {
            assert!(
                !switches(&feature),
                "{}'s default features switch {feature} on",
                package.name
            );
            if seen.insert(feature.clone()) {
                on.extend(package.features.get(&feature).into_iter().flatten().cloned());
            }
        }
        for dependency in &package.dependencies {
            let faulty = dependency.name.starts_with("hadron-")
                && dependency.features.iter().any(|feature| switches(feature));
            assert!(
                !faulty || dependency.kind == DependencyKind::Development,
                "{} builds with the faults of {}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn interfaces_show_rows_and_ask_the_use_cases() {
    // A session asks whether there is a job at all before it leases one: a question is cheaper than a lease.
    let exceptions = [("api/agent/session.rs", "jobs")];
    for (name, lines) in sources("management/src") {
        if layer(&name) != "api" {
            continue;
        }
        for (number, line) in &lines {
            let Some(rest) = line.split("crate::store::").nth(1) else {
                continue;
            };
            // Types begin with a capital letter; whatever does not, at the end of a path, is a module or a function.
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                .unwrap_or(rest.len());
            let (path, more) = rest.split_at(end);
            let list = more
                .strip_prefix('{')
                .map_or(path, |list| list.split('}').next().unwrap());
            for word in list
                .split([',', '}'])
                .map(str::trim)
                .filter(|word| !word.is_empty())
            {
                let path = word
                    .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                    .next()
                    .unwrap();
                let last = path.rsplit("::").next().unwrap();
                let is_type = last.starts_with(|c: char| c.is_ascii_uppercase());
                let known = exceptions.contains(&(name.as_str(), last));
                assert!(
                    is_type || known,
                    "management/src/{name}:{number} may show rows of the store, not ask it: {line}"
                );
            }
        }
        for (number, line) in &lines {
            assert!(
                !line.contains(".write(\""),
                "management/src/{name}:{number} writes past the use cases: {line}"
            );
        }
    }
}

#[test]
fn rules_know_no_rows_and_no_wires() {
    for dir in ["management/domain/src", "management/templates/src"] {
        for (name, lines) in sources(dir) {
            for (number, line) in lines {
                for word in [
                    "hadron_proto::wire",
                    "SystemTime",
                    "Instant::now",
                    "std::net",
                    "std::process",
                ] {
                    assert!(!line.contains(word), "{dir}/{name}:{number} uses {word}: {line}");
                }
            }
        }
    }
}
