//! What must be true: I2 to I8 and I10 of the project's invariants, read from the hub's tables past the hubs, and from the
//! AWS account in memory.
//!
//! * I1: what was acknowledged is there.
//! * I2: at most one active deployment of a target. I3: a deployment is executed at most once, by a change set that the
//!   hub allowed. I4: executions on a stack come in the order of deployments. I5: what the hub says in the end agrees
//!   with the stack, and is never taken back.
//! * I6: statements of others stay as they are. I7: pull policies are what the grants say.
//! * I8: fences grow, and nothing is accepted under an old one; leases last as long as they last by the database's clock.
//! * I10: nothing lasts for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hadron_agent::aws::StackStatus;
use hadron_agent::work::policy::SID;
use hadron_management::app::work::Token;
use hadron_management::store::{Row, params};
use hadron_proto::vocab::{DeploymentId, Timestamp};
use hadron_proto::wire::authorise_request::Act;
use tokio::time::{Instant, sleep};

use super::people;
use super::world::{LEASE, MANAGEMENT, World, account, mix};

/// What was seen before.
#[derive(Debug, Default)]
pub(super) struct Watch {
    jobs: BTreeMap<String, Lease>,
    ended: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct Lease {
    fence: u64,
    losses: u64,
    /// When the lease that was seen last runs out.
    until: Option<Timestamp>,
}

fn rows(world: &World, sql: &'static str) -> Vec<Row> {
    match world.store.look(sql, &[]) {
        Ok(rows) => rows,
        Err(error) => {
            world.broken(format!("the database cannot be read: {error}"));
            Vec::new()
        }
    }
}

fn text(row: &Row, column: &str) -> String {
    row.get::<Option<String>>(column)
        .ok()
        .flatten()
        .unwrap_or_default()
}

fn number(row: &Row, column: &str) -> u64 {
    row.get::<u64>(column).unwrap_or_default()
}

/// The latest fence of a job.
fn latest(world: &World, token: Token) -> Option<u64> {
    let found = world
        .store
        .look("SELECT fence FROM job WHERE id = $1", &params![token.job])
        .ok()?;
    Some(number(found.first()?, "fence"))
}

/// The hub has just accepted a statement under this fence.
pub(super) fn accepted(world: &World, token: Token, what: &str) {
    if let Some(latest) = latest(world, token)
        && latest != token.fence
    {
        world.broken(format!(
            "I8: a {what} for {} was accepted under fence {}, the latest is {latest}",
            token.job, token.fence
        ));
    }
}

/// The hub has just renewed a lease. Between the commit and the word of it others may have been at work, so that only a fence
/// counts which was seen before.
pub(super) fn renewed(world: &World, token: Token, what: &str) {
    let latest = world
        .ledger()
        .watch
        .jobs
        .get(&token.job.to_string())
        .map(|lease| lease.fence);
    if let Some(latest) = latest.filter(|latest| *latest > token.fence) {
        world.broken(format!(
            "I8: a {what} for {} was accepted under fence {}, the latest is {latest}",
            token.job, token.fence
        ));
    }
}

/// The hub has just given leave.
pub(super) fn granted(world: &World, token: Token, act: &Act) {
    accepted(world, token, "request for leave");
    let mut ledger = world.ledger();
    match act {
        Act::Delete(delete) => ledger.deletions.insert(delete.stack_arn.clone()),
        Act::Execute(execute) => {
            let name = execute.change_set_arn.split('/').nth(1).unwrap_or_default();
            ledger.executions.insert(name.to_owned())
        }
    };
}

/// A challenge was just answered.
pub(super) fn answered(world: &World, id: &str) {
    let times = {
        let mut ledger = world.ledger();
        let times = ledger.challenges.entry(id.to_owned()).or_default();
        *times += 1;
        *times
    };
    if times > 1 {
        world.broken(format!("challenge {id} was answered {times} times"));
    }
}

/// Looks every now and then, as long as the world stands.
pub(super) async fn watch(world: World) {
    loop {
        look(&world);
        sleep(Duration::from_millis(499)).await;
    }
}

fn look(world: &World) {
    let now = world.clock.now();
    let (mut broken, mut state) = (Vec::new(), 0);
    let jobs = rows(
        world,
        "SELECT id, kind, status, at, fence, losses FROM job ORDER BY created_at, id",
    );
    let deployments = rows(
        world,
        "SELECT id, target_id, active, status FROM deployment ORDER BY created_at, id",
    );
    {
        let mut ledger = world.ledger();
        for row in &jobs {
            let (id, fence, losses) = (text(row, "id"), number(row, "fence"), number(row, "losses"));
            let leased = text(row, "status") == "LEASED";
            let until = row.get::<Timestamp>("at").ok().filter(|_| leased);
            state = mix(
                mix(state, text(row, "kind").as_bytes()),
                text(row, "status").as_bytes(),
            );
            // A moment for the clock to go on between the transaction and this look.
            if until.is_some_and(|until| until > now.plus(LEASE)) {
                broken.push(format!(
                    "I8: the lease of {id} lasts until {until:?}, longer than a lease from now"
                ));
            }
            if let Some(before) = ledger.watch.jobs.get(&id) {
                if before.fence > fence {
                    broken.push(format!(
                        "I8: the fence of {id} went from {} to {fence}",
                        before.fence
                    ));
                }
                if losses > before.losses
                    && before.fence == fence
                    && before.until.is_some_and(|until| until > now)
                {
                    broken.push(format!(
                        "I8: the lease of {id} under {fence} was taken back before its end"
                    ));
                }
            }
            ledger.watch.jobs.insert(id, Lease { fence, losses, until });
        }
        let mut active = BTreeSet::new();
        for row in &deployments {
            let (id, status) = (text(row, "id"), text(row, "status"));
            state = mix(state, status.as_bytes());
            if number(row, "active") == 1 {
                if !active.insert(text(row, "target_id")) {
                    broken.push(format!(
                        "I2: two active deployments of {}",
                        text(row, "target_id")
                    ));
                }
                if let Some(before) = ledger.watch.ended.get(&id) {
                    broken.push(format!("I5: {id} was {before} and is {status} again"));
                }
            } else if let Some(before) = ledger.watch.ended.insert(id.clone(), status.clone())
                && before != status
            {
                broken.push(format!("I5: {id} was {before} and is {status} now"));
            }
        }
    }
    for row in rows(world, "SELECT kind, status FROM target ORDER BY created_at, id") {
        state = mix(
            mix(state, text(&row, "kind").as_bytes()),
            text(&row, "status").as_bytes(),
        );
    }
    world.saw(state);
    for what in broken {
        world.broken(what);
    }
}

/// What is still to be done.
fn unfinished(world: &World) -> Vec<String> {
    let mut left = Vec::new();
    for row in rows(
        world,
        "SELECT id, status, stack_name FROM deployment WHERE active = 1 ORDER BY id",
    ) {
        left.push(format!(
            "{} {} {}",
            text(&row, "id"),
            text(&row, "status"),
            text(&row, "stack_name")
        ));
    }
    for row in rows(
        world,
        "SELECT id, kind, status, attempts, losses FROM job WHERE status IN ('READY', 'LEASED') ORDER BY id",
    ) {
        left.push(format!(
            "{} {} {} after {} attempts and {} losses",
            text(&row, "id"),
            text(&row, "kind"),
            text(&row, "status"),
            number(&row, "attempts"),
            number(&row, "losses")
        ));
    }
    for row in rows(
        world,
        "SELECT topic, key, last_error FROM outbox ORDER BY topic, key",
    ) {
        left.push(format!(
            "outbox {} {}: {}",
            text(&row, "topic"),
            text(&row, "key"),
            text(&row, "last_error")
        ));
    }
    for (n, agent) in world.agents().iter().enumerate() {
        if !agent.is_idle() {
            left.push(format!("agent {n} has jobs in its journal"));
        }
    }
    left
}

/// Waits until nothing is left to be done; gives what still is.
pub(super) async fn converge(world: &World, patience: Duration) -> Vec<String> {
    let end = Instant::now() + patience;
    people::connect(world).await;
    let mut calm = 0;
    loop {
        sleep(Duration::from_secs(5)).await;
        let left = unfinished(world);
        calm = if left.is_empty() { calm + 1 } else { 0 };
        // What follows from what has just ended may only come a moment later.
        if calm == 4 {
            return Vec::new();
        }
        if Instant::now() > end {
            return left;
        }
    }
}

struct Deployment {
    id: DeploymentId,
    target: String,
    status: String,
    destroys: bool,
    told: String,
}

fn deployments(world: &World) -> Vec<Deployment> {
    let sql = "SELECT d.id AS id, d.target_id AS target_id, d.status AS status, d.state AS state,
                      (SELECT group_concat(e.message, '\n') FROM deployment_event e WHERE e.deployment_id = d.id) AS told
               FROM deployment d ORDER BY d.created_at, d.id";
    let read = |row: &Row| {
        let state: serde_json::Value = serde_json::from_str(&text(row, "state")).unwrap_or_default();
        Some(Deployment {
            id: text(row, "id").parse().ok()?,
            target: text(row, "target_id"),
            status: text(row, "status"),
            destroys: state["intent"] == "destroy",
            told: text(row, "told"),
        })
    };
    rows(world, sql).iter().filter_map(read).collect()
}

/// How deployments ended, counted.
pub(super) fn endings(world: &World) -> BTreeMap<String, u64> {
    let mut ended = BTreeMap::new();
    for deployment in deployments(world) {
        *ended.entry(deployment.status).or_default() += 1;
    }
    ended
}

/// Everything is at rest.
pub(super) fn in_the_end(world: &World, stuck: Vec<String>) {
    for what in stuck {
        world.broken(format!("I10: stuck: {what}"));
    }
    look(world);
    let deployments = deployments(world);
    let known: BTreeMap<String, &Deployment> = deployments
        .iter()
        .map(|each| (each.id.as_uuid().to_string(), each))
        .collect();
    acknowledged(world, &deployments);
    executions(world, &deployments, &known);
    revoked(world, &known);
    deletions(world, &known);
    targets(world, &deployments);
    policies(world);
}

fn acknowledged(world: &World, deployments: &[Deployment]) {
    let there: BTreeSet<DeploymentId> = deployments.iter().map(|each| each.id).collect();
    let ledger = world.ledger();
    let lost: Vec<String> = ledger
        .acknowledged
        .iter()
        .filter(|(id, _)| !there.contains(id))
        .map(|(id, what)| format!("I1: {id} was acknowledged ({what}) and is not there"))
        .collect();
    drop(ledger);
    for what in lost {
        world.broken(what);
    }
}

/// The deployment that a token of an operation names.
fn uuid(token: &str) -> &str {
    let rest = token.strip_prefix("hadron-").unwrap_or_default();
    rest.get(..36).unwrap_or_default()
}

fn executions(world: &World, deployments: &[Deployment], known: &BTreeMap<String, &Deployment>) {
    let order: BTreeMap<DeploymentId, usize> = deployments
        .iter()
        .enumerate()
        .map(|(at, each)| (each.id, at))
        .collect();
    let mut times: BTreeMap<DeploymentId, u32> = BTreeMap::new();
    let mut last: BTreeMap<String, DeploymentId> = BTreeMap::new();
    for aws in world.aws.values() {
        for executed in aws.executed() {
            let Some(deployment) = known.get(uuid(&executed.token)) else {
                world.broken(format!(
                    "I3: executed for a deployment that nobody knows: {executed:?}"
                ));
                continue;
            };
            let id = deployment.id;
            *times.entry(id).or_default() += 1;
            if !world.ledger().executions.contains(&executed.change_set) {
                world.broken(format!("I3: {} was executed without leave", executed.change_set));
            }
            if let Some(before) = last.insert(executed.stack.to_string(), id)
                && order[&before] > order[&id]
            {
                world.broken(format!("I4: {id} was executed after {before}, which is newer"));
            }
        }
    }
    for deployment in deployments {
        let Deployment {
            id,
            status,
            destroys,
            told,
            ..
        } = deployment;
        let times = times.get(id).copied().unwrap_or_default();
        if times > 1 {
            world.broken(format!("I3: {id} was executed {times} times"));
        }
        if *destroys {
            if times > 0 {
                world.broken(format!("I3: {id} deletes, and executed a change set"));
            }
            continue;
        }
        match status.as_str() {
            "CANCELLED" if times > 0 => world.broken(format!("I5: {id} is CANCELLED and was executed")),
            "SUCCEEDED" if times == 0 && !told.contains("no changes") => {
                world.broken(format!("I5: {id} SUCCEEDED and was never executed: {told}"));
            }
            _ => {}
        }
    }
}

/// What is called off can never be done any more, by whoever still may.
fn revoked(world: &World, known: &BTreeMap<String, &Deployment>) {
    for aws in world.aws.values() {
        for name in aws.live_change_sets() {
            let over = known
                .get(uuid(&name))
                .filter(|each| each.status == "CANCELLED" || each.status == "SUCCEEDED");
            if let Some(over) = over
                && world.ledger().executions.contains(&name)
            {
                world.broken(format!(
                    "I12: {} is {}, and {name} can still be executed",
                    over.id, over.status
                ));
            }
        }
    }
}

fn deletions(world: &World, known: &BTreeMap<String, &Deployment>) {
    for aws in world.aws.values() {
        for (stack, token) in aws.deleted() {
            if !world.ledger().deletions.contains(stack.as_str()) {
                world.broken(format!("I3: {stack} was deleted without leave"));
            }
            match known.get(uuid(&token)) {
                None => world.broken(format!(
                    "I3: {stack} was deleted for a deployment that nobody knows: {token}"
                )),
                Some(deployment) if deployment.destroys && deployment.status == "CANCELLED" => {
                    world.broken(format!("I5: {} is CANCELLED and deleted {stack}", deployment.id));
                }
                Some(_) => {}
            }
        }
    }
}

/// What the hub says of a target agrees with its stack.
fn targets(world: &World, deployments: &[Deployment]) {
    for row in rows(
        world,
        "SELECT id, kind, account, status, stack_arn, succeeded_id, attempted_id FROM target ORDER BY id",
    ) {
        let (id, status, arn) = (text(&row, "id"), text(&row, "status"), text(&row, "stack_arn"));
        if status != "SUCCEEDED" {
            continue;
        }
        let Some(aws) = text(&row, "account")
            .parse()
            .ok()
            .and_then(|account| world.aws.get(&account))
        else {
            continue;
        };
        match aws.status(&arn) {
            Some(status) if status != StackStatus::DeleteComplete => {}
            found => {
                world.broken(format!("I5: {id} SUCCEEDED and its stack {arn} is {found:?}"));
                continue;
            }
        }
        let mut own = deployments.iter().filter(|each| each.target == id).rev();
        let Some(last) = own.clone().next() else { continue };
        if last.status != "SUCCEEDED" {
            world.broken(format!("I5: {id} SUCCEEDED and {} is {}", last.id, last.status));
        }
        // Content that was there already stays as an earlier deployment brought it.
        let author = aws.author(&arn);
        let brought = own.find(|each| author.contains(&each.id.as_uuid().to_string()));
        let between = deployments
            .iter()
            .filter(|each| each.target == id)
            .skip_while(|each| brought.is_some_and(|brought| each.id != brought.id))
            .skip(1);
        let mut nothing = between.filter(|each| each.status == "SUCCEEDED" && !each.destroys);
        if brought.is_none() || nothing.any(|each| !each.told.contains("no changes")) {
            world.broken(format!(
                "I5: the stack of {id} is as {author} made it, the hub's last is {}",
                last.id
            ));
        }
    }
}

/// Policies of repositories: statements of others are what they were, ours is what the grants say.
fn policies(world: &World) {
    let aws = &world.aws[&account(MANAGEMENT)];
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(
        world,
        "SELECT repository, state FROM policy_lane ORDER BY repository",
    ) {
        let lane: serde_json::Value = serde_json::from_str(&text(&row, "state")).unwrap_or_default();
        let readers = lane["wanted"].as_array().into_iter().flatten();
        let readers = readers
            .filter_map(|reader| reader.as_str().map(str::to_owned))
            .collect();
        wanted.insert(text(&row, "repository"), readers);
    }
    for (repository, theirs) in &world.foreign {
        // AWS lays policies out anew; what they say is what counts.
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        let policy = read(&aws.policy_of(repository).unwrap_or_default());
        let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        let (ours, others): (Vec<_>, Vec<_>) = statements.into_iter().partition(|each| each["Sid"] == SID);
        if read(theirs)["Statement"].as_array() != Some(&others) {
            world.broken(format!(
                "I6: the statement of others in {repository} is not what it was: {policy}"
            ));
        }
        let readers = wanted.remove(repository.as_str()).unwrap_or_default();
        let (own, policy) = (!ours.is_empty(), policy.to_string());
        let granted = readers
            .iter()
            .all(|reader| policy.contains(&format!("iam::{reader}:root")));
        if own == readers.is_empty() || !granted {
            world.broken(format!(
                "I7: {repository} grants {policy}, wanted are {readers:?}"
            ));
        }
    }
}
