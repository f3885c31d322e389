//! I1 to I13: what must be so, whatever was killed. Each rule looks at [`Facts`] and says what is amiss; none of them
//! looks at the world, so that each can be shown to find what it is for.
//!
//! That the audit log's lines are there once for each write is part of what a load compares ([`crate::faults`]).

use std::collections::{BTreeMap, BTreeSet};

use hadron_domain::audit::{Checkpoint, Known, PIN, Verifier};
use hadron_proto::vocab::Timestamp;
use serde_json::Value;

use super::facts::Facts;
use super::{PREFIX, digits, executions};
use crate::{MANAGEMENT, REGION};

/// How long after its time something may still be undone: deadlines are looked at every second or two.
pub const LATE: i64 = 30_000_000;

/// Bits of a fence that count leases; those above count recoveries.
const FENCE_BITS: u32 = 40;

/// The Sid of Hadron's statement in a pull policy.
const SID: &str = "HadronPull";

/// A rule: its number, what it holds, and how.
pub type Rule = (&'static str, &'static str, fn(&Facts) -> Vec<String>);

/// All rules.
pub const RULES: &[Rule] = &[
    ("I1", "what clients were told has its row", told),
    (
        "I2",
        "at most one deployment of a target is active at any time",
        one_active,
    ),
    (
        "I3",
        "a deployment executes at most one change set, one that the hub allowed",
        executed_once,
    ),
    (
        "I4",
        "executions on a target come in the order of its deployments",
        in_order,
    ),
    ("I5", "the end of a deployment agrees with the stack", ends_agree),
    (
        "I6",
        "statements of others in pull policies stay as they were",
        foreign_stay,
    ),
    (
        "I7",
        "grants are what instances need, in the hub and in ECR",
        grants,
    ),
    ("I8", "fences only grow, and no two leases have the same", fences),
    (
        "I9",
        "the audit log is the chain that was written, and what was signed of it",
        chained,
    ),
    ("I10", "nothing waits beyond its time", nothing_stuck),
    ("I11", "no secret stands in a log", no_leaks),
    (
        "I12",
        "no stack and no change set is left that nobody has",
        no_orphans,
    ),
    (
        "I13",
        "no session is open whose connection is not accepted",
        sessions,
    ),
    ("V4", "stacks change only past the fence", fenced),
];

/// What is amiss, each with the number of its rule.
#[must_use]
pub fn check(facts: &Facts) -> Vec<String> {
    let mut amiss = Vec::new();
    for (number, _, rule) in RULES {
        amiss.extend(rule(facts).into_iter().map(|what| format!("{number}: {what}")));
    }
    amiss
}

fn told(facts: &Facts) -> Vec<String> {
    let known: BTreeMap<&str, &str> = facts
        .deployments
        .iter()
        .map(|each| (each.id.as_str(), each.status.as_str()))
        .collect();
    let mut amiss = Vec::new();
    for (id, end) in &facts.told {
        match (known.get(id.as_str()), end) {
            (None, _) => amiss.push(format!("deployment {id} was acknowledged and is not there")),
            (Some(status), Some(end)) if status != end => {
                amiss.push(format!(
                    "deployment {id} was told to have ended {end} and is {status}"
                ));
            }
            _ => {}
        }
    }
    amiss
}

fn one_active(facts: &Facts) -> Vec<String> {
    let mut amiss = Vec::new();
    let mut by_target: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for each in &facts.deployments {
        by_target.entry(&each.target).or_default().push(each);
    }
    for (target, mut deployments) in by_target {
        deployments.sort_by(|a, b| (a.began, &a.id).cmp(&(b.began, &b.id)));
        for pair in deployments.windows(2) {
            let over = pair[0].ended.is_some_and(|ended| ended <= pair[1].began);
            if !over {
                amiss.push(format!(
                    "target {target}: {} began before {} had ended",
                    pair[1].id, pair[0].id
                ));
            }
        }
    }
    amiss
}

fn executed_once(facts: &Facts) -> Vec<String> {
    let executions = match executions(&facts.calls) {
        Ok(executions) => executions,
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut by: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for each in &executions {
        by.entry(&each.deployment).or_default().push(each);
    }
    let mut amiss = Vec::new();
    for each in &facts.deployments {
        let own = by.remove(digits(&each.id).as_str()).unwrap_or_default();
        if own.len() > 1 {
            amiss.push(format!("{} was executed {} times: {own:?}", each.id, own.len()));
        }
        for execution in own {
            if !each.allowed.contains(&execution.change_set) {
                amiss.push(format!(
                    "{} was executed without leave for {}",
                    execution.change_set, each.id
                ));
            }
            if execution.account != each.account {
                amiss.push(format!(
                    "{} was executed in account {}",
                    each.id, execution.account
                ));
            }
            if each.intent != "apply" {
                amiss.push(format!("a deletion executed a change set: {execution:?}"));
            }
        }
    }
    for own in by.into_values().flatten() {
        amiss.push(format!("executed for a deployment that nobody knows: {own:?}"));
    }
    amiss
}

fn in_order(facts: &Facts) -> Vec<String> {
    let targets: BTreeMap<String, &str> = facts
        .deployments
        .iter()
        .map(|each| (digits(&each.id), each.target.as_str()))
        .collect();
    let mut last: BTreeMap<&str, String> = BTreeMap::new();
    let mut amiss = Vec::new();
    for each in executions(&facts.calls).unwrap_or_default() {
        let Some(target) = targets.get(&each.deployment) else {
            continue;
        };
        // Ids are ordered by time, so are the deployments of a target.
        if let Some(before) = last.insert(target, each.deployment.clone())
            && before >= each.deployment
        {
            amiss.push(format!(
                "target {target}: {} was executed after {before} (call {})",
                each.deployment, each.seq
            ));
        }
    }
    amiss
}

fn ends_agree(facts: &Facts) -> Vec<String> {
    let executed: BTreeSet<String> = executions(&facts.calls)
        .unwrap_or_default()
        .into_iter()
        .map(|each| each.deployment)
        .collect();
    let mut amiss = Vec::new();
    for each in facts.deployments.iter().filter(|each| each.intent == "apply") {
        let was = executed.contains(&digits(&each.id));
        match each.status.as_str() {
            "SUCCEEDED" if was == each.nothing => amiss.push(format!(
                "{} succeeded, was {}executed and had {}",
                each.id,
                if was { "" } else { "not " },
                if each.nothing {
                    "nothing to change"
                } else {
                    "something to change"
                }
            )),
            "CANCELLED" if was => amiss.push(format!("{} is CANCELLED and was executed", each.id)),
            _ => {}
        }
    }
    let stacks: BTreeMap<String, &Value> = stacks(facts)
        .filter_map(|(_, stack)| Some((stack["arn"].as_str()?.to_owned(), stack)))
        .collect();
    for target in facts.targets.iter().filter(|target| target.status == "SUCCEEDED") {
        let (Some(arn), Some(id)) = (&target.stack, &target.succeeded) else {
            continue;
        };
        let Some(stack) = stacks.get(arn) else {
            amiss.push(format!("target {} succeeded and has no stack {arn}", target.id));
            continue;
        };
        let by = stack["last_executed_change_set"]
            .as_str()
            .unwrap_or_default()
            .replace('-', "");
        let nothing = facts
            .deployments
            .iter()
            .any(|each| each.id == *id && each.nothing);
        if !by.contains(&digits(id)) && !nothing {
            amiss.push(format!(
                "target {} succeeded by {id}, but its stack is as {by} made it",
                target.id
            ));
        }
        if stack["status"]
            .as_str()
            .is_some_and(|status| status.contains("ROLLBACK"))
        {
            amiss.push(format!(
                "target {} succeeded and its stack is {}",
                target.id, stack["status"]
            ));
        }
    }
    amiss
}

/// Stacks that Hadron made and that are there, with their account.
fn stacks(facts: &Facts) -> impl Iterator<Item = (&str, &Value)> {
    let accounts = facts.aws["accounts"].as_object().into_iter().flatten();
    accounts
        .flat_map(|(account, held)| {
            let stacks = held["regions"][REGION]["stacks"].as_array().into_iter().flatten();
            stacks.map(|stack| (account.as_str(), stack))
        })
        .filter(|(_, stack)| {
            let ours = stack["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(PREFIX));
            ours && stack["status"] != "DELETE_COMPLETE"
        })
}

/// A repository of the management account.
fn found<'a>(facts: &'a Facts, repository: &str) -> &'a Value {
    let repositories = &facts.aws["accounts"][MANAGEMENT]["regions"][REGION]["repositories"];
    let mut all = repositories.as_array().into_iter().flatten();
    all.find(|each| each["name"] == repository)
        .unwrap_or(&Value::Null)
}

/// The statements of its policy.
fn statements(facts: &Facts, repository: &str) -> Vec<Value> {
    let policy = found(facts, repository)["policy"]["Statement"].clone();
    match policy {
        Value::Array(statements) => statements,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn foreign_stay(facts: &Facts) -> Vec<String> {
    let mut amiss = Vec::new();
    for (repository, written) in &facts.foreign {
        let text = found(facts, repository)["policy_text"]
            .as_str()
            .unwrap_or_default();
        if !text.contains(&written.join(",")) {
            amiss.push(format!("repository {repository}: {text} instead of {written:?}"));
        }
        let others = statements(facts, repository)
            .iter()
            .filter(|statement| statement["Sid"] != SID)
            .count();
        if others != written.len() {
            amiss.push(format!(
                "repository {repository}: {others} statements of others instead of {}",
                written.len()
            ));
        }
    }
    amiss
}

fn grants(facts: &Facts) -> Vec<String> {
    let mut amiss = Vec::new();
    for lane in &facts.lanes {
        if lane.wanted != lane.applied {
            amiss.push(format!(
                "repository {}: {:?} is applied, {:?} is wanted",
                lane.repository, lane.applied, lane.wanted
            ));
        }
        let granted: BTreeSet<String> = statements(facts, &lane.repository)
            .iter()
            .filter(|statement| statement["Sid"] == SID)
            .flat_map(|statement| match &statement["Principal"]["AWS"] {
                Value::Array(several) => several.clone(),
                one => vec![one.clone()],
            })
            .filter_map(|principal| principal.as_str()?.split(':').nth(4).map(str::to_owned))
            .collect();
        if granted != lane.applied {
            amiss.push(format!(
                "repository {}: ECR grants {granted:?}, the hub believes {:?}",
                lane.repository, lane.applied
            ));
        }
    }
    // What the instances of a service with a pipeline need.
    for pipeline in facts.targets.iter().filter(|target| target.kind == "pipeline") {
        let needs: BTreeSet<&str> = facts
            .targets
            .iter()
            .filter(|each| each.kind == "instance" && each.service == pipeline.service)
            .filter(|each| each.account != MANAGEMENT && each.status != "DELETE_COMPLETE")
            .map(|each| each.account.as_str())
            .collect();
        for repository in &pipeline.repositories {
            let lane = facts.lanes.iter().find(|lane| lane.repository == *repository);
            let wanted: BTreeSet<&str> = lane
                .map(|lane| lane.wanted.iter().map(String::as_str).collect())
                .unwrap_or_default();
            if !needs.is_subset(&wanted) {
                amiss.push(format!(
                    "repository {repository}: instances of {} need {needs:?}, wanted is {wanted:?}",
                    pipeline.service
                ));
            }
        }
    }
    amiss
}

fn fences(facts: &Facts) -> Vec<String> {
    let mut amiss = Vec::new();
    let mut holders: BTreeMap<i64, &str> = BTreeMap::new();
    // A recovery gives every job the fence below all that are drawn after it.
    let leased = |fence: i64| fence & ((1 << FENCE_BITS) - 1) > 0;
    for job in facts.jobs.iter().filter(|job| leased(job.fence)) {
        if let Some(other) = holders.insert(job.fence, &job.id) {
            amiss.push(format!(
                "jobs {other} and {} were leased with the same fence {}",
                job.id, job.fence
            ));
        }
    }
    let mut seen: BTreeMap<&str, i64> = BTreeMap::new();
    for (job, fence) in &facts.leases {
        if let Some(before) = seen.insert(job, *fence)
            && before > *fence
        {
            amiss.push(format!("job {job} went back from fence {before} to {fence}"));
        }
    }
    for job in &facts.jobs {
        if let Some(before) = seen.get(job.id.as_str()).filter(|before| **before > job.fence) {
            amiss.push(format!(
                "job {} went back from fence {before} to {}",
                job.id, job.fence
            ));
        }
    }
    amiss
}

fn nothing_stuck(facts: &Facts) -> Vec<String> {
    let mut amiss = Vec::new();
    for each in facts.deployments.iter().filter(|each| each.active) {
        amiss.push(format!("{} is still {}", each.id, each.status));
    }
    for job in &facts.jobs {
        let late = job.at + LATE < facts.now;
        if late && (job.status == "READY" || job.status == "LEASED") {
            amiss.push(format!(
                "job {} is {} and {} s beyond its time",
                job.id,
                job.status,
                (facts.now - job.at) / 1_000_000
            ));
        }
    }
    for (what, due) in facts.undone.iter().filter(|(_, due)| *due + LATE < facts.now) {
        amiss.push(format!(
            "{what} has been due for {} s",
            (facts.now - due) / 1_000_000
        ));
    }
    for (account, stack) in stacks(facts) {
        if stack["status"]
            .as_str()
            .is_some_and(|status| status.ends_with("_IN_PROGRESS"))
        {
            amiss.push(format!(
                "a stack is in the middle of something in {account}: {} {}",
                stack["name"], stack["status"]
            ));
        }
    }
    amiss
}

fn chained(facts: &Facts) -> Vec<String> {
    let audit = &facts.audit;
    let pins = audit
        .rows
        .iter()
        .filter(|(row, hash)| row.action == PIN && hash.is_some());
    let known = Known {
        pins: pins
            .filter_map(|(row, _)| Some((row.sequence, serde_json::from_str(&row.detail).ok()?)))
            .collect(),
        checkpoints: audit
            .checkpoints
            .iter()
            .map(|(sequence, hash)| Checkpoint {
                hub: String::new(),
                generation: 0,
                sequence: *sequence,
                hash: hash.clone(),
                at: Timestamp::from_micros(0),
            })
            .collect(),
        drawn: Some(audit.drawn),
        seen: None,
    };
    let mut verifier = Verifier::new(known);
    for (row, hash) in &audit.rows {
        verifier.row(row, hash.as_deref());
    }
    verifier.finish().amiss.iter().map(ToString::to_string).collect()
}

fn no_leaks(facts: &Facts) -> Vec<String> {
    facts.leaks.clone()
}

fn no_orphans(facts: &Facts) -> Vec<String> {
    let owned: BTreeSet<&str> = facts
        .targets
        .iter()
        .filter_map(|target| target.stack.as_deref())
        .collect();
    let mut amiss = Vec::new();
    for (account, stack) in stacks(facts) {
        let arn = stack["arn"].as_str().unwrap_or_default();
        if !owned.contains(arn) && !facts.left.contains(arn) {
            amiss.push(format!(
                "an orphan in {account}: {} {}",
                stack["name"], stack["status"]
            ));
        }
        let waiting = stack["waiting_change_sets"].as_array().map_or(0, Vec::len);
        if waiting > 0 {
            amiss.push(format!(
                "{waiting} change sets are left in {account} on {}",
                stack["name"]
            ));
        }
    }
    amiss
}

fn sessions(facts: &Facts) -> Vec<String> {
    facts
        .sessions
        .iter()
        .filter(|(_, status)| status != "CONNECTED")
        .map(|(session, status)| format!("session {session} is open and its connection is {status}"))
        .collect()
}

fn fenced(facts: &Facts) -> Vec<String> {
    let mut amiss = Vec::new();
    for call in &facts.calls {
        match call["action"].as_str() {
            Some("CreateStack" | "UpdateStack") => {
                amiss.push(format!("a stack was changed without a change set: {call}"));
            }
            Some("DeleteStack") => {
                let stack = call["params"]["StackName"].as_str().unwrap_or_default();
                if !stack.starts_with("arn:") {
                    amiss.push(format!("a stack was deleted by name: {call}"));
                }
            }
            _ => {}
        }
    }
    amiss
}

#[cfg(test)]
mod tests {
    use hadron_domain::audit::{NOTHING, Pin, Pinning, Record};
    use serde_json::json;

    use super::super::facts::{self, Audit, Deployment, Job, Lane, Target};
    use super::*;

    const ACCOUNT: &str = "333333333333";
    const FIRST: &str = "dpl_0192aaaaaaaa7000800000000000aaaa";
    const SECOND: &str = "dpl_0192bbbbbbbb7000800000000000bbbb";

    fn uuid(deployment: &str) -> String {
        let d = digits(deployment);
        format!(
            "{}-{}-{}-{}-{}",
            &d[..8],
            &d[8..12],
            &d[12..16],
            &d[16..20],
            &d[20..]
        )
    }

    fn change_set(deployment: &str) -> String {
        format!(
            "arn:aws:cloudformation:us-east-1:{ACCOUNT}:changeSet/hadron-{}-a1/1",
            uuid(deployment)
        )
    }

    fn execution(seq: u64, deployment: &str) -> Value {
        json!({ "seq": seq, "account": ACCOUNT, "action": "ExecuteChangeSet", "status": 200,
                "params": { "ChangeSetName": change_set(deployment) } })
    }

    fn deployment(id: &str, began: i64) -> Deployment {
        Deployment {
            id: id.to_owned(),
            target: "tgt_1".to_owned(),
            intent: "apply".to_owned(),
            status: "SUCCEEDED".to_owned(),
            account: ACCOUNT.to_owned(),
            began,
            ended: Some(began + 5),
            allowed: [change_set(id)].into(),
            ..Deployment::default()
        }
    }

    /// A world in which everything is as it should be.
    fn sound() -> Facts {
        let foreign = json!({ "Sid": "Theirs", "Effect": "Allow", "Principal": "*" });
        let ours = json!({ "Sid": SID, "Principal": { "AWS": [format!("arn:aws:iam::{ACCOUNT}:root")] } });
        Facts {
            calls: vec![execution(1, FIRST), execution(2, SECOND)],
            aws: json!({ "accounts": {
                ACCOUNT: { "regions": { REGION: { "stacks": [{
                    "name": "AWSProton-one", "arn": "arn:stack/one", "status": "UPDATE_COMPLETE",
                    "last_executed_change_set": change_set(SECOND), "waiting_change_sets": [],
                }] } } },
                MANAGEMENT: { "regions": { REGION: { "repositories": [{
                    "name": "web", "policy": { "Statement": [foreign, ours] },
                    "policy_text": format!("{{\"Statement\":[{foreign},{ours}]}}"),
                }] } } },
            } }),
            deployments: vec![deployment(FIRST, 10), deployment(SECOND, 20)],
            targets: vec![
                Target {
                    id: "tgt_1".to_owned(),
                    kind: "instance".to_owned(),
                    service: "web".to_owned(),
                    account: ACCOUNT.to_owned(),
                    status: "SUCCEEDED".to_owned(),
                    stack: Some("arn:stack/one".to_owned()),
                    succeeded: Some(SECOND.to_owned()),
                    ..Target::default()
                },
                Target {
                    id: "tgt_2".to_owned(),
                    kind: "pipeline".to_owned(),
                    service: "web".to_owned(),
                    account: MANAGEMENT.to_owned(),
                    repositories: ["web".to_owned()].into(),
                    ..Target::default()
                },
            ],
            jobs: vec![
                Job {
                    id: "job_1".to_owned(),
                    status: "FINISHED".to_owned(),
                    at: 15,
                    fence: 1,
                },
                Job {
                    id: "job_2".to_owned(),
                    status: "READY".to_owned(),
                    at: LATE,
                    fence: 3,
                },
            ],
            lanes: vec![Lane {
                repository: "web".to_owned(),
                wanted: [ACCOUNT.to_owned()].into(),
                applied: [ACCOUNT.to_owned()].into(),
            }],
            sessions: vec![("ses_1".to_owned(), "CONNECTED".to_owned())],
            undone: vec![("grants".to_owned(), LATE)],
            now: LATE,
            told: [
                (FIRST.to_owned(), Some("SUCCEEDED".to_owned())),
                (SECOND.to_owned(), None),
            ]
            .into(),
            leases: vec![("job_2".to_owned(), 2), ("job_2".to_owned(), 3)],
            foreign: [("web".to_owned(), vec![foreign.to_string()])].into(),
            audit: audit(),
            leaks: Vec::new(),
            left: BTreeSet::new(),
        }
    }

    /// Three lines, the first of them of before there was a chain.
    fn audit() -> Audit {
        let line = |sequence: i64, action: &str, detail: String| Record {
            sequence,
            at: sequence,
            principal: "hub".to_owned(),
            action: action.to_owned(),
            outcome: "done".to_owned(),
            detail,
            ..Record::default()
        };
        let first = line(1, "CreateEnvironment", String::new());
        let mut pinning = Pinning::default();
        pinning.row(&first);
        let pin = Pin {
            from: 1,
            to: 1,
            after: NOTHING.to_owned(),
            hash: pinning.hash().to_owned(),
        };
        let second = line(2, PIN, json!(pin).to_string());
        let third = line(3, "UpdateEnvironment", String::new());
        let one = second.hash(NOTHING);
        let two = third.hash(&one);
        Audit {
            rows: vec![(first, None), (second, Some(one)), (third, Some(two.clone()))],
            drawn: 3,
            checkpoints: vec![(3, two)],
        }
    }

    /// The rules that find something in the sound world with this change.
    fn amiss(change: impl FnOnce(&mut Facts)) -> Vec<String> {
        let mut facts = sound();
        change(&mut facts);
        let mut rules: Vec<String> = check(&facts)
            .into_iter()
            .map(|what| what.split(':').next().unwrap_or_default().to_owned())
            .collect();
        rules.dedup();
        rules
    }

    fn stack(facts: &mut Facts) -> &mut Value {
        &mut facts.aws["accounts"][ACCOUNT]["regions"][REGION]["stacks"][0]
    }

    #[test]
    fn a_sound_world_is_left_alone() {
        assert_eq!(check(&sound()), Vec::<String>::new());
    }

    #[test]
    fn each_rule_finds_what_it_is_for() {
        type Change = fn(&mut Facts);
        let cases: &[(&str, Change)] = &[
            ("I1", |f| {
                f.told.insert("dpl_gone".to_owned(), None);
            }),
            ("I1", |f| {
                f.told.insert(FIRST.to_owned(), Some("FAILED".to_owned()));
            }),
            ("I2", |f| f.deployments[0].ended = Some(21)),
            ("I3", |f| f.deployments[0].allowed.clear()),
            ("I3", |f| f.calls[0]["account"] = json!("222222222222")),
            ("I4", |f| f.calls.swap(0, 1)),
            ("I5", |f| f.deployments[0].status = "CANCELLED".to_owned()),
            ("I5", |f| {
                stack(f)["last_executed_change_set"] = json!(change_set(FIRST))
            }),
            ("I5", |f| stack(f)["status"] = json!("UPDATE_ROLLBACK_COMPLETE")),
            ("I6", |f| {
                f.foreign.insert("web".to_owned(), vec!["{}".to_owned()]);
            }),
            ("I6", |f| {
                let policy =
                    &mut f.aws["accounts"][MANAGEMENT]["regions"][REGION]["repositories"][0]["policy"];
                policy["Statement"][1]["Sid"] = json!("Another");
            }),
            ("I7", |f| f.lanes[0].applied.clear()),
            ("I7", |f| {
                let policy =
                    &mut f.aws["accounts"][MANAGEMENT]["regions"][REGION]["repositories"][0]["policy"];
                policy["Statement"][1]["Principal"]["AWS"] = json!(["arn:aws:iam::222222222222:root"]);
            }),
            ("I7", |f| f.lanes.clear()),
            ("I8", |f| f.jobs[1].fence = 1),
            ("I8", |f| f.leases.swap(0, 1)),
            ("I9", |f| f.audit.rows[0].0.object = "another".to_owned()),
            ("I9", |f| f.audit.rows[2].0.outcome = "denied".to_owned()),
            ("I9", |f| f.audit.rows[2].1 = None),
            ("I9", |f| drop(f.audit.rows.remove(1))),
            ("I9", |f| f.audit.drawn = 4),
            ("I9", |f| {
                f.audit.rows.pop();
                f.audit.drawn = 2;
            }),
            ("I9", |f| f.audit.checkpoints[0].1 = NOTHING.to_owned()),
            ("I10", |f| f.now = LATE * 2 + 1),
            ("I10", |f| f.deployments[1].active = true),
            ("I10", |f| stack(f)["status"] = json!("UPDATE_IN_PROGRESS")),
            ("I11", |f| f.leaks.push("secret 0 stands in hub.log".to_owned())),
            ("I12", |f| stack(f)["waiting_change_sets"] = json!(["arn:one"])),
            ("I12", |f| {
                let orphan =
                    json!({ "name": "AWSProton-two", "arn": "arn:two", "status": "CREATE_COMPLETE" });
                f.aws["accounts"][ACCOUNT]["regions"][REGION]["stacks"]
                    .as_array_mut()
                    .expect("stacks")
                    .push(orphan);
            }),
            ("I13", |f| f.sessions[0].1 = "REJECTED".to_owned()),
            ("V4", |f| f.calls.push(json!({ "action": "UpdateStack" }))),
            ("V4", |f| {
                f.calls
                    .push(json!({ "action": "DeleteStack", "params": { "StackName": "one" } }));
            }),
        ];
        for (at, (rule, change)) in cases.iter().enumerate() {
            let found = amiss(change);
            assert!(
                found.contains(&(*rule).to_owned()),
                "case {at}: {found:?} without {rule}"
            );
        }
        let all: BTreeSet<&str> = cases.iter().map(|(rule, _)| *rule).collect();
        let rules: BTreeSet<&str> = RULES.iter().map(|(rule, ..)| *rule).collect();
        assert_eq!(all, rules, "each rule is shown to fail");
    }

    #[test]
    fn two_executions_of_one_deployment_are_found() {
        let found = amiss(|facts| {
            facts.calls = vec![execution(1, FIRST), execution(2, FIRST), execution(3, SECOND)];
        });
        // In the order of deployments an equal one is no better than an older one.
        assert_eq!(found, ["I3", "I4"]);
        let found = amiss(|facts| facts.calls[0]["status"] = json!(400));
        assert_eq!(found, ["I5"]);
    }

    #[test]
    fn a_deployment_without_changes_needs_no_execution() {
        let found = amiss(|facts| {
            facts.calls.truncate(1);
            facts.deployments[1].nothing = true;
            stack(facts)["last_executed_change_set"] = json!(change_set(FIRST));
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn secrets_are_found_in_files_without_being_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, two) = (folder.path().join("one.log"), folder.path().join("two.log"));
        std::fs::write(&one, "nothing").expect("a log");
        std::fs::write(&two, "token=canary-17!").expect("a log");
        let found = facts::leaks(&[one, two], &["canary-17".to_owned(), String::new()]).expect("logs");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("two.log") && !found[0].contains("canary"));
    }
}
