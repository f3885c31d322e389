use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::job::{ApplyStack, Outcome, RoleKind};

fn token(fence: u64) -> Token {
    Token {
        job: JobId::from_parts(1, [1; 10]),
        fence,
    }
}

fn job(fence: u64) -> Job {
    Job {
        token: token(fence),
        attempt: 1,
        deployment: None,
        label: "environment prd".to_owned(),
        account: "333333333333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        work: Work::ApplyStack(ApplyStack {
            stack_name: "AWSProton-prd".to_owned(),
            stack_arn: None,
            template_digest: Digest::of(b"template"),
            template_bytes: 8,
            role_kind: RoleKind::Provisioning,
            role: None,
            tags: vec![("owner".to_owned(), "secret-tag-value".to_owned())],
            capabilities: Vec::new(),
            resource_types: Vec::new(),
            never_succeeded: true,
            has_source: false,
        }),
    }
}

fn step() -> Step {
    Step::CreateChangeSet {
        stack: "AWSProton-prd".to_owned(),
        name: "d-1-a1".to_owned(),
    }
}

fn report(fence: u64) -> wire::ReportRequest {
    let stack = "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-prd/1"
        .parse()
        .unwrap();
    let outputs = vec![("Url".to_owned(), "https://example.com".to_owned())];
    convert::report(
        token(fence),
        Outcome::Applied {
            stack,
            outputs,
            resources: Vec::new(),
            no_changes: false,
        },
    )
}

fn file(dir: &Path) -> PathBuf {
    path(&dir.join("jobs"), token(1).job)
}

fn reopen(dir: &Path) -> Recovered {
    Journal::open(dir).unwrap().1
}

#[test]
fn what_was_begun_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovered) = Journal::open(dir.path()).unwrap();
    assert!(recovered.unfinished.is_empty());
    journal.accept(&job(1)).unwrap();
    journal.step(token(1), &step()).unwrap();
    drop(journal);
    assert_eq!(
        reopen(dir.path()).unfinished,
        [(token(1), "create_change_set".to_owned())]
    );
    let text = fs::read_to_string(file(dir.path())).unwrap();
    assert!(!text.contains("secret-tag-value"), "{text}");
    assert_eq!(
        fs::metadata(file(dir.path())).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_report_is_kept_until_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    journal.accept(&job(1)).unwrap();
    journal.ended(token(1), &report(1)).unwrap();
    drop(journal);
    let (journal, recovered) = Journal::open(dir.path()).unwrap();
    assert_eq!(recovered.unsent, [(token(1), report(1))]);
    journal.forget(token(1)).unwrap();
    journal.forget(token(1)).unwrap();
    assert!(!file(dir.path()).exists());
}

#[test]
fn a_new_lease_replaces_the_old_note_and_survives_its_tidying_up() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    journal.accept(&job(1)).unwrap();
    journal.accept(&job(2)).unwrap();
    assert!(journal.step(token(1), &step()).is_err());
    journal.forget(token(1)).unwrap();
    drop(journal);
    assert_eq!(reopen(dir.path()).unfinished, [(token(2), "accepted".to_owned())]);
}

#[test]
fn nothing_is_begun_that_cannot_be_noted() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path()).unwrap();
    fs::remove_dir_all(dir.path().join("jobs")).unwrap();
    assert!(journal.accept(&job(1)).is_err());
    assert!(journal.step(token(1), &step()).is_err());
}

#[test]
fn two_agents_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (_journal, _) = Journal::open(dir.path()).unwrap();
    let error = Journal::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("another hadron-agent"), "{error}");
}

#[test]
fn a_file_without_a_token_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::open(dir.path()).unwrap());
    fs::write(file(dir.path()), "not JSON\n").unwrap();
    fs::write(file(dir.path()).with_extension("new"), "{\"accepted\"").unwrap();
    let recovered = reopen(dir.path());
    assert_eq!(recovered.broken.len(), 1);
    assert!(recovered.unfinished.is_empty());
    assert!(reopen(dir.path()).broken.is_empty());
}

proptest! {
    // Wherever the last write was torn, what was written before it is read, and nothing is made up.
    #[test]
    fn torn_writes_lose_only_the_torn_line(cut in 0_usize..2000, junk in proptest::collection::vec(any::<u8>(), 0..20)) {
        let mut bytes = Vec::new();
        for line in [
            Line::Accepted(Box::new(accepted(&job(1)))),
            Line::Step(serde_json::to_value(step()).unwrap()),
            Line::Ended(Ended { outcome: "applied".to_owned(), report: STANDARD.encode(report(1).encode_to_vec()) }),
        ] {
            bytes.extend(text(&line).unwrap());
        }
        let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
        let cut = cut.min(bytes.len());
        let whole = ends.iter().filter(|end| **end < cut).count();
        bytes.truncate(cut);
        if cut < ends[2] {
            bytes.extend(junk.into_iter().filter(|byte| *byte != b'\n'));
        }
        let found = read(&bytes);
        match whole {
            0 => prop_assert!(found.is_none()),
            1 => prop_assert_eq!(found, Some((token(1), "accepted".to_owned(), None))),
            2 => prop_assert_eq!(found, Some((token(1), "create_change_set".to_owned(), None))),
            _ => prop_assert_eq!(found, Some((token(1), "create_change_set".to_owned(), Some(report(1))))),
        }
    }
}
