//! Pull policies: the algebra's laws, and the job that carries it out.

use std::collections::BTreeSet;
use std::time::Duration;

use hadron_proto::vocab::{Partition, RepositoryName};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fake::{Call, Effect};
use crate::work::policy::{ACTIONS, Change, Grant, MOST, Refusal, SID, merge};

fn accounts(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<AccountId> {
    numbers
        .into_iter()
        .map(|n| format!("{n:012}").parse().unwrap())
        .collect()
}

fn grant(readers: &BTreeSet<AccountId>) -> Grant {
    Grant::repository(Partition::Aws, account(), readers.clone())
}

fn own(readers: &[&str]) -> Value {
    let roots: Vec<String> = readers
        .iter()
        .map(|account| format!("arn:aws:iam::{account}:root"))
        .collect();
    json!({ "Sid": SID, "Effect": "Allow", "Principal": { "AWS": roots }, "Action": ACTIONS })
}

fn policy(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// The text after a change; `None` when there is no policy.
fn after(found: Option<&str>, readers: &BTreeSet<AccountId>) -> Result<Option<String>, Refusal> {
    Ok(match merge(found, &grant(readers))? {
        Change::Keep { .. } => found.map(str::to_owned),
        Change::Write { text, .. } => Some(text),
        Change::Delete => None,
    })
}

fn foreign() -> impl Strategy<Value = String> {
    // Texts, not values: numbers that no float holds, escapes, white space, unknown keys.
    let number = prop_oneof![
        Just("1".to_owned()),
        Just("10000000000000000000000001".to_owned()),
        Just("1.50E+2".to_owned())
    ];
    let text = "[a-zA-Z0-9 \\\\\"{}:,é-]{0,12}".prop_map(|text| Value::from(text).to_string());
    let sid = prop_oneof![
        Just(String::new()),
        "[A-Z][a-z]{1,8}".prop_map(|sid| format!("\"Sid\" : \"{sid}\",\n"))
    ];
    (sid, number, text, any::<bool>()).prop_map(|(sid, number, text, allow)| {
        let effect = if allow { "Allow" } else { "Deny" };
        format!(
            "{{ {sid}\"Effect\": \"{effect}\", \"Principal\": {{ \"AWS\" : [ \"AROAEXAMPLE\" , {text} ] }},\t\"Action\": \"ecr:ListImages\", \"Condition\": {{\"NumericLessThan\": {{\"x\": {number}, \"\\u0061\": {text} }} }} }}"
        )
    })
}

fn found() -> impl Strategy<Value = Option<String>> {
    let statements = prop::collection::vec(foreign(), 1..5);
    prop_oneof![
        1 => Just(None),
        4 => (statements, any::<bool>()).prop_map(|(statements, id)| {
            let id = if id { "\"Id\": \"theirs\", " } else { "" };
            Some(if statements.len() == 1 {
                format!("{{{id} \"Version\":\"2008-10-17\", \"Statement\": {} }}", statements[0])
            } else {
                format!("{{{id} \"Version\":\"2008-10-17\", \"Statement\": [ {} ] }}", statements.join(" ,\n"))
            })
        }),
    ]
}

fn readers() -> impl Strategy<Value = BTreeSet<AccountId>> {
    prop::collection::btree_set(1_u64..1_000_000_000_000, 0..40).prop_map(accounts)
}

fn statements(text: &str) -> Vec<Value> {
    let value: Value = serde_json::from_str(text).unwrap();
    match &value["Statement"] {
        Value::Array(list) => list.clone(),
        single => vec![single.clone()],
    }
}

/// Tokens of a JSON text without white space outside of strings.
fn squeezed(text: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        if quoted || !c.is_whitespace() {
            out.push(c);
        }
        if quoted {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == '"' {
                quoted = false;
            }
        } else if c == '"' {
            quoted = true;
        }
    }
    out
}

proptest! {
    #[test]
    fn merging_twice_is_merging_once(found in found(), readers in readers()) {
        let once = after(found.as_deref(), &readers).unwrap();
        let keeps = matches!(merge(once.as_deref(), &grant(&readers)).unwrap(), Change::Keep { .. });
        prop_assert!(keeps);
    }

    #[test]
    fn what_others_wrote_stays_as_they_wrote_it(raw in prop::collection::vec(foreign(), 1..5), readers in readers()) {
        let text = format!("{{\"Statement\": [{}], \"Id\" : \"x\" }}", raw.join(","));
        let Some(after) = after(Some(&text), &readers).unwrap() else { return Err(TestCaseError::fail("deleted")) };
        let wanted: Vec<String> = raw.iter().map(|statement| squeezed(statement)).collect();
        prop_assert!(squeezed(&after).contains(&wanted.join(",")), "{} in {}", wanted.join(","), after);
        prop_assert!(squeezed(&after).contains("\"Id\":\"x\""));
    }

    #[test]
    fn grants_commute(found in found(), a in readers(), b in readers()) {
        let both: BTreeSet<AccountId> = a.union(&b).copied().collect();
        let through = |first: &BTreeSet<AccountId>| {
            let one = after(found.as_deref(), first).unwrap();
            after(one.as_deref(), &both).unwrap().map(|text| squeezed(&text))
        };
        prop_assert_eq!(through(&a), through(&b));
    }

    #[test]
    fn withdrawing_undoes_granting(found in found(), readers in readers()) {
        let granted = after(found.as_deref(), &readers).unwrap();
        let withdrawn = after(granted.as_deref(), &BTreeSet::new()).unwrap();
        prop_assert_eq!(withdrawn.is_some(), found.is_some());
        if let (Some(found), Some(withdrawn)) = (found, withdrawn) {
            prop_assert_eq!(statements(&found), statements(&withdrawn));
        }
    }

    #[test]
    fn one_statement_of_ours_that_names_readers_and_nobody_else(found in found(), mut readers in readers()) {
        readers.insert(account());
        let Some(after) = after(found.as_deref(), &readers).unwrap() else { return Ok(()) };
        let ours: Vec<Value> = statements(&after).into_iter().filter(|s| s["Sid"] == SID).collect();
        readers.remove(&account());
        prop_assert_eq!(ours.len(), usize::from(!readers.is_empty()));
        for ours in ours {
            let names: Vec<String> = readers.iter().map(|a| format!("arn:aws:iam::{a}:root")).collect();
            prop_assert_eq!(&ours["Principal"], &json!({ "AWS": names }));
            prop_assert_eq!(&ours["Action"], &json!(ACTIONS));
            prop_assert!(!ours.to_string().contains('*') && ours.get("Resource").is_none());
        }
    }

    #[test]
    fn never_longer_than_ecr_takes(found in found(), many in 250_u64..400) {
        let readers = accounts((0..many).map(|n| 500_000_000_000 + n));
        match merge(found.as_deref(), &grant(&readers)) {
            Ok(Change::Write { text, .. }) => prop_assert!(text.chars().count() <= MOST),
            Ok(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
            Err(Refusal::TooLong { total, readers, own, others }) => {
                prop_assert!(total > MOST && total == own + others && readers == many as usize);
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", shape in "[{}\\[\\]\",:a-z\\\\ ]{0,60}") {
        let readers = accounts([1]);
        let _ = merge(Some(&text), &grant(&readers));
        let _ = merge(Some(&shape), &grant(&readers));
    }
}

#[test]
fn three_hundred_readers_fit_and_the_refusal_shows_the_sum() {
    let fits = |many: u64| merge(None, &grant(&accounts((0..many).map(|n| 500_000_000_000 + n))));
    assert!(fits(300).is_ok());
    let refusal = fits(310).unwrap_err().to_string();
    assert!(
        refusal.contains("310 readers take") && refusal.contains("10240"),
        "{refusal}"
    );
}

#[test]
fn what_cannot_be_carried_over_is_left() {
    let readers = accounts([1]);
    for text in [
        "not json",
        "[]",
        "null",
        "{\"Statement\": 5}",
        "{\"Statement\": [5]}",
        "{\"Statement\": [], \"Statement\": []}",
        "{\"Version\":\"2012-10-17\"} trailing",
    ] {
        assert!(
            matches!(
                merge(Some(text), &grant(&readers)),
                Err(Refusal::Unreadable { .. })
            ),
            "{text}"
        );
    }
    let edits = [
        ("Effect", json!("Deny")),
        ("Action", json!(["ecr:*"])),
        (
            "Condition",
            json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } }),
        ),
        ("Principal", json!("*")),
        ("Principal", json!({ "AWS": "*" })),
        (
            "Principal",
            json!({ "AWS": ["arn:aws:iam::000000000001:role/x"] }),
        ),
        (
            "Principal",
            json!({ "AWS": ["arn:aws:iam::000000000001:root"], "Service": "lambda.amazonaws.com" }),
        ),
        ("Resource", json!("*")),
    ];
    for (key, value) in edits {
        let mut statement = own(&["000000000001"]);
        statement[key] = value;
        let found = policy(&[statement.clone()]);
        assert!(
            matches!(
                merge(Some(&found), &grant(&readers)),
                Err(Refusal::Conflict { .. })
            ),
            "{statement}"
        );
    }
}

#[test]
fn aws_may_write_our_statement_otherwise() {
    let readers = accounts([1]);
    let single = json!({
        "Action": ["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability"],
        "Principal": { "AWS": "arn:aws:iam::000000000001:root" }, "Effect": "Allow", "Sid": SID
    });
    let kept = merge(Some(&policy(&[single])), &grant(&readers)).unwrap();
    assert_eq!(kept, Change::Keep { warnings: Vec::new() });
    // Twice ours becomes once.
    let twice = policy(&[own(&["000000000001"]), own(&["000000000002"])]);
    let Change::Write { text, .. } = merge(Some(&twice), &grant(&readers)).unwrap() else {
        panic!()
    };
    assert_eq!(statements(&text), [own(&["000000000001"])]);
}

#[test]
fn denials_that_keep_a_reader_out_are_told() {
    let readers = accounts([1, 2]);
    let deny = |principal: Value, action: Value| json!({ "Sid": "No", "Effect": "Deny", "Principal": principal, "Action": action });
    let warned = |statement: Value| match merge(Some(&policy(&[statement])), &grant(&readers)).unwrap() {
        Change::Write { warnings, .. } => warnings,
        other => panic!("{other:?}"),
    };
    let all = warned(deny(json!("*"), json!("ecr:*")));
    assert_eq!(all, ["statement No denies pulling to 000000000001, 000000000002"]);
    let one = warned(deny(
        json!({ "AWS": "000000000002" }),
        json!(["ecr:PutImage", "ECR:batchget*"]),
    ));
    assert_eq!(one, ["statement No denies pulling to 000000000002"]);
    assert!(warned(deny(json!("*"), json!("ecr:PutImage"))).is_empty());
    assert!(
        warned(deny(
            json!({ "AWS": "arn:aws:iam::000000000003:root" }),
            json!("*")
        ))
        .is_empty()
    );
    let mut unless = deny(json!("*"), json!("ecr:*"));
    unless["Condition"] = json!({ "Bool": { "aws:SecureTransport": "false" } });
    assert!(warned(unless)[0].contains("under a condition"));
    let except =
        json!({ "Effect": "Deny", "NotPrincipal": { "AWS": "000000000001" }, "NotAction": "ecr:Put*" });
    assert_eq!(
        warned(except),
        ["statement number 1 denies pulling to 000000000002"]
    );
    let hostile = "*a".repeat(2_000);
    assert!(warned(deny(json!("*"), json!(hostile))).is_empty(), "and quickly");
}

fn repository() -> RepositoryName {
    "team/app".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn grants_reads_back_and_withdraws() {
    let world = World::new();
    let theirs = json!({ "Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages" });
    world
        .aws
        .repository(&repository(), Some(&policy(std::slice::from_ref(&theirs))));
    let set = |n, readers: &[&str]| world.lease(n, 1, world.pull("team/app", readers));
    let outcome = world
        .run(&set(1, &["444455556666", "111122223333", "444455556666"]))
        .await;
    assert_eq!(
        outcome,
        Outcome::PullPolicySet {
            changed: true,
            warnings: Vec::new()
        }
    );
    let now = statements(&world.aws.policy_of(&repository()).unwrap());
    assert_eq!(now, [theirs.clone(), own(&["444455556666"])]);
    let outcome = world.run(&set(2, &["444455556666"])).await;
    assert_eq!(
        outcome,
        Outcome::PullPolicySet {
            changed: false,
            warnings: Vec::new()
        }
    );
    world.run(&set(3, &[])).await;
    assert_eq!(statements(&world.aws.policy_of(&repository()).unwrap()), [theirs]);
    // Nothing of others: the policy goes with our statement.
    world.aws.repository(&repository(), None);
    world.run(&set(4, &["444455556666"])).await;
    assert!(world.aws.policy_of(&repository()).is_some());
    world.run(&set(5, &[])).await;
    assert_eq!(world.aws.policy_of(&repository()), None);
}

#[tokio::test(start_paused = true)]
async fn another_writer_is_merged_with_or_given_up_against() {
    let theirs = |n: u32| json!({ "Sid": format!("W{n}"), "Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages" });
    for (writes, wins) in [(1, true), (5, true), (20, false)] {
        let world = World::new();
        world.aws.repository(&repository(), None);
        // Each of their writes comes after our read; ours overwrites it, and they write again after the next read.
        for n in 0..writes {
            world.aws.interlope(&policy(&[theirs(n)]));
        }
        let line = Line::default();
        let (_brake, stop) = Stop::new();
        let job = world.lease(1, 1, world.pull("team/app", &["444455556666"]));
        let outcome = world.over(&line, &job, &stop).await.unwrap().unwrap();
        if wins {
            assert!(
                matches!(outcome, Outcome::PullPolicySet { changed: true, .. }),
                "{writes}: {outcome:?}"
            );
        } else {
            // The read that finds ours in place comes before their next write: each job ends, whatever they do.
            assert!(line.count(Call::SetPolicy) <= 5, "{writes}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_never_reads_as_written_is_given_up() {
    let world = World::new();
    world.aws.repository(&repository(), None);
    let line = Line::default();
    // Accepted and not kept.
    line.fault(
        Some(Call::SetPolicy),
        0,
        100,
        Effect::Error(crate::aws::AwsError::coded("RepositoryNotFoundException", "")),
    );
    let (_brake, stop) = Stop::new();
    let job = world.lease(1, 1, world.pull("team/app", &["444455556666"]));
    let found = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
    assert_eq!(found.kind, FailureKind::PolicyConflict);
    assert_eq!(line.count(Call::SetPolicy), 5);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_by_kind() {
    let world = World::new();
    let job = |n, readers: &[&str]| world.lease(n, 1, world.pull("team/app", readers));
    assert_eq!(
        failure(world.run(&job(1, &["444455556666"])).await).kind,
        FailureKind::RepositoryMissing
    );
    let outcome = world.run(&job(2, &[])).await;
    assert_eq!(
        outcome,
        Outcome::PullPolicySet {
            changed: false,
            warnings: Vec::new()
        }
    );
    world.aws.repository(&repository(), Some("{oops"));
    assert_eq!(
        failure(world.run(&job(3, &["444455556666"])).await).kind,
        FailureKind::PolicyConflict
    );
    assert_eq!(
        world.aws.policy_of(&repository()).as_deref(),
        Some("{oops"),
        "left as it is"
    );
    world.aws.repository(&repository(), None);
    let many: Vec<String> = (0..320)
        .map(|n| format!("{:012}", 500_000_000_000_u64 + n))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        failure(world.run(&job(4, &many)).await).kind,
        FailureKind::PolicyTooLong
    );
    assert_eq!(world.aws.policy_of(&repository()), None, "refused before writing");
    let line = Line::default();
    line.refuse(Some(Call::SetPolicy), 1, "AccessDeniedException", "no");
    let (_brake, stop) = Stop::new();
    let found = failure(
        world
            .over(&line, &job(5, &["444455556666"]), &stop)
            .await
            .unwrap()
            .unwrap(),
    );
    assert_eq!(found.kind, FailureKind::AccessDenied);
}

#[tokio::test(start_paused = true)]
async fn the_registry_is_touched_only_when_asked_for() {
    let mut world = World::new();
    world.aws.repository(&repository(), None);
    world
        .run(&world.lease(1, 1, world.pull("team/app", &["444455556666"])))
        .await;
    assert_eq!(world.aws.registry_text(), None);
    world.settings.registry_policy = true;
    world.aws.repository(&"team/other".parse().unwrap(), None);
    world
        .run(&world.lease(2, 1, world.pull("team/app", &["444455556666"])))
        .await;
    world
        .run(&world.lease(3, 1, world.pull("team/other", &["444455556666"])))
        .await;
    let now = statements(&world.aws.registry_text().unwrap());
    assert_eq!(now.len(), 2);
    assert_eq!(
        now[0]["Resource"],
        "arn:aws:ecr:eu-central-1:111122223333:repository/team/app"
    );
    assert!(
        now[0]["Sid"]
            .as_str()
            .unwrap()
            .bytes()
            .all(|b| b.is_ascii_alphanumeric())
    );
    world.run(&world.lease(4, 1, world.pull("team/app", &[]))).await;
    world.run(&world.lease(5, 1, world.pull("team/other", &[]))).await;
    assert_eq!(world.aws.registry_text(), None);
}

/// A world whose agent writes the registry's policy as well, with these repositories.
fn registry_world(repositories: &[String]) -> World {
    let mut world = World::new();
    world.settings.registry_policy = true;
    for repository in repositories {
        world.aws.repository(&repository.parse().unwrap(), None);
    }
    world
}

#[tokio::test(start_paused = true)]
async fn jobs_for_several_repositories_do_not_lose_one_anothers_registry_statements() {
    let names: Vec<String> = (0..6).map(|n| format!("team/app{n}")).collect();
    for seed in 1..20 {
        let world = registry_world(&names);
        let (_brake, stop) = Stop::new();
        let jobs = (0..).zip(&names).map(|(n, name)| {
            let job = world.lease(n + 1, 1, world.pull(name, &["444455556666"]));
            let (world, stop, line) = (&world, &stop, Line::default());
            line.delay(seed * 100 + n, Duration::from_secs(2));
            async move { world.over(&line, &job, stop).await.unwrap().unwrap() }
        });
        for outcome in futures::future::join_all(jobs).await {
            let wanted = Outcome::PullPolicySet {
                changed: true,
                warnings: Vec::new(),
            };
            assert_eq!(outcome, wanted);
        }
        let now = statements(&world.aws.registry_text().unwrap());
        assert_eq!(now.len(), names.len(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_cannot_be_written_is_a_warning() {
    let calls = [
        (Call::RegistryPolicy, "AccessDeniedException"),
        (Call::SetRegistryPolicy, "AccessDeniedException"),
        (Call::SetRegistryPolicy, "InvalidParameterException"),
    ];
    for (call, code) in calls {
        let world = registry_world(&["team/app".to_owned()]);
        let line = Line::default();
        line.refuse(Some(call), 1, code, "no leave");
        let (_brake, stop) = Stop::new();
        let job = world.lease(1, 1, world.pull("team/app", &["444455556666"]));
        let Outcome::PullPolicySet {
            changed: true,
            warnings,
        } = world.over(&line, &job, &stop).await.unwrap().unwrap()
        else {
            panic!("{call:?}: another outcome")
        };
        let [warning] = &warnings[..] else {
            panic!("{warnings:?}")
        };
        for part in [
            "team/app",
            "no leave",
            "--registry-policy",
            "write_registry_policy = false",
        ] {
            assert!(warning.contains(part), "{warning}");
        }
        assert_eq!(world.aws.registry_text(), None);
        let now = statements(&world.aws.policy_of(&repository()).unwrap());
        assert_eq!(now, [own(&["444455556666"])]);
        // The next job tries again.
        let again = world
            .run(&world.lease(2, 1, world.pull("team/app", &["444455556666"])))
            .await;
        let wanted = Outcome::PullPolicySet {
            changed: true,
            warnings: Vec::new(),
        };
        assert_eq!(again, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_at_the_registry_ends() {
    let world = registry_world(&["team/app".to_owned()]);
    let turn = Arc::clone(&world.settings.registry_turn).lock_owned().await;
    let job = |n| world.lease(n, 1, world.pull("team/app", &["444455556666"]));
    // With the deadline.
    let Outcome::PullPolicySet { warnings, .. } = world.run(&job(1)).await else {
        panic!("another outcome")
    };
    assert!(warnings[0].contains("not finished after"), "{warnings:?}");
    // With the lease.
    let (brake, stop) = Stop::new();
    let line = Line::default();
    let second = job(2);
    let fence = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        brake.fence();
    };
    let (ended, ()) = tokio::join!(world.over(&line, &second, &stop), fence);
    assert_eq!(ended.unwrap(), Err(Stopped::Fenced));
    assert_eq!(line.count(Call::RegistryPolicy), 0);
    drop(turn);
}
