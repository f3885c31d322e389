//! Error codes: each has a page, each is met by a test, and each can be explained without a hub.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hadron_proto::codes;

use crate::fake::{environment, event, update};
use crate::hadron::{World, bare, finish};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `HADRON_WRITE=1 cargo test -p hadron-cli` writes them anew.
#[test]
fn each_code_has_its_page_and_no_other_has_one() {
    let folder = repository().join("management/docs/errors");
    let mut wanted: Vec<(String, String)> = vec![("README.md".to_owned(), codes::index())];
    wanted.extend(
        codes::ALL
            .iter()
            .map(|code| (format!("{code}.md"), code.markdown())),
    );
    if std::env::var_os("HADRON_WRITE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in &wanted {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &wanted {
        let found = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            found == *text,
            "{name} is out of date: HADRON_WRITE=1 cargo test -p hadron-cli"
        );
    }
    let names: BTreeSet<String> = wanted.into_iter().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{name} is of no code");
    }
}

/// Files of a folder and below it.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_code_is_met_by_a_test() {
    let mut found = Vec::new();
    for folder in [
        "management/cli/tests/cli",
        "tests/scenarios",
        "tests/harness/faults",
    ] {
        files(&repository().join(folder), &mut found);
    }
    let all: String = found
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let missing: Vec<String> = codes::ALL
        .iter()
        .map(ToString::to_string)
        .filter(|code| !all.contains(&format!("help {code}")) && !all.contains(&format!("\"{code}\"")))
        .collect();
    assert!(missing.is_empty(), "no test meets {missing:?}");
}

#[test]
fn each_reason_of_the_table_is_one_of_the_hub() {
    let mut found = Vec::new();
    files(&repository().join("management/src"), &mut found);
    let all: String = found
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let strange: Vec<&str> = codes::ALL
        .iter()
        .flat_map(|code| code.reasons)
        .copied()
        .filter(|reason| !all.contains(&format!("\"{reason}\"")))
        .collect();
    assert!(strange.is_empty(), "the hub never says {strange:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_explained_without_a_hub() {
    let home = tempfile::tempdir().unwrap();
    let run = finish(bare("help hadron-5002", home.path())).await;
    assert_eq!(run.code, 0, "{}", run.err);
    insta::assert_snapshot!("help_code", run.out);
    let unknown = finish(bare("help HADRON-9999", home.path())).await;
    assert!(
        unknown.code == 2 && unknown.err.contains("hadron help errors"),
        "{}",
        unknown.err
    );
    let all = finish(bare("help errors", home.path())).await;
    insta::assert_snapshot!("help_errors", all.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_between_here_and_the_hub_has_codes() {
    let mut world = World::new().await;
    // Known to this program, and not to that hub.
    let run = world.run("grant list").await;
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.err.contains("more: hadron help HADRON-1004"), "{}", run.err);
    world.hub.state().tokens = vec!["another".to_owned()];
    let run = world.run("whoami").await;
    assert_eq!(run.code, 4, "{}", run.err);
    assert!(run.err.contains("more: hadron help HADRON-2001"), "{}", run.err);
    // Nobody listens any more.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let run = world.run("whoami").await;
    assert_eq!(run.code, 9, "{}", run.err);
    assert!(run.err.contains("more: hadron help HADRON-1001"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_cannot_answer_now_is_not_one_that_is_away() {
    let world = World::new().await;
    world.hub.state().stopping = true;
    let run = world.run("whoami").await;
    assert_eq!(run.code, 9, "{}", run.err);
    assert!(run.err.contains("this hub is stopping"), "{}", run.err);
    assert!(run.err.contains("more: hadron help HADRON-6001"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deleted_has_a_code() {
    let world = World::new().await;
    world.hub.state().environments = vec![environment("prd", "DELETE_IN_PROGRESS")];
    let target = ("environment", "prd");
    let failed = update(
        target,
        "DELETE_FAILED",
        vec![event(1, "Bucket", "DELETE_FAILED", "not empty")],
    );
    world
        .hub
        .state()
        .watches
        .insert("dpl_prd".to_owned(), [vec![Ok(failed)]].into());
    let run = world.run("environment get prd --watch").await;
    assert_eq!(run.code, 7, "{}", run.err);
    assert!(run.err.contains("more: hadron help HADRON-5003"), "{}", run.err);
    assert!(run.out.contains("Environment prd"), "{}", run.out);
}
