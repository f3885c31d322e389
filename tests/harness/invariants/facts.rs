//! What is known after a run: the store as it is, the emulated AWS as it is, its log of calls, and what clients were told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use hadron_domain::audit::Record;
use hadron_domain::deployment::Intent;
use serde_json::Value;

use crate::World;

/// An attempt to make a target true or gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// The target's id.
    pub target: String,
    /// `apply` or `destroy`.
    pub intent: String,
    /// Proton's word, such as `SUCCEEDED`.
    pub status: String,
    /// It has not ended.
    pub active: bool,
    /// The target's account.
    pub account: String,
    /// When it began, in microseconds.
    pub began: i64,
    /// When it ended.
    pub ended: Option<i64>,
    /// Change sets that the hub has allowed to be executed, by ARN.
    pub allowed: BTreeSet<String>,
    /// Its events say that there was nothing to execute.
    pub nothing: bool,
}

/// What owns a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// `environment`, `instance`, `pipeline`, `component`.
    pub kind: String,
    /// The service that it belongs to; empty for environments.
    pub service: String,
    /// The instance; empty for environments and pipelines.
    pub instance: String,
    /// Its account.
    pub account: String,
    /// Proton's word for how the last deployment ended.
    pub status: String,
    /// Its stack.
    pub stack: Option<String>,
    /// The last deployment that succeeded.
    pub succeeded: Option<String>,
    /// ECR repositories among its stack's resources.
    pub repositories: BTreeSet<String>,
}

/// A unit of work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// `READY`, `LEASED`, `FINISHED`, `VOID`.
    pub status: String,
    /// When it may be taken, its lease ends, or it ended, in microseconds.
    pub at: i64,
    /// The number of its last lease.
    pub fence: i64,
}

/// The pull policy of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The repository.
    pub repository: String,
    /// Who shall be able to pull.
    pub wanted: BTreeSet<String>,
    /// Who is known to be able to.
    pub applied: BTreeSet<String>,
}

/// The audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Its rows, each with the hash that is stored with it, in their order.
    pub rows: Vec<(Record, Option<String>)>,
    /// The last number that was given.
    pub drawn: i64,
    /// What was signed of it, by row and hash.
    pub checkpoints: Vec<(i64, String)>,
}

/// Everything that is known after a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Calls of AWS, in order of arrival.
    pub calls: Vec<Value>,
    /// What exists in AWS.
    pub aws: Value,
    /// Deployments, in the order of their ids.
    pub deployments: Vec<Deployment>,
    /// Targets.
    pub targets: Vec<Target>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Pull policies.
    pub lanes: Vec<Lane>,
    /// Open sessions of agents, each with the status of its connection.
    pub sessions: Vec<(String, String)>,
    /// What is still to be done because of a change: topic and key, and since when it is due.
    pub undone: Vec<(String, i64)>,
    /// Now, by the clock of the database, in microseconds.
    pub now: i64,
    /// Deployments that clients were told of, with the end that they were told.
    pub told: BTreeMap<String, Option<String>>,
    /// Leases as they were seen during the run: job and fence, in the order in which they were seen.
    pub leases: Vec<(String, i64)>,
    /// Statements of others in pull policies, by repository: texts as they were written, in their order.
    pub foreign: BTreeMap<String, Vec<String>>,
    /// The audit log.
    pub audit: Audit,
    /// Secrets that stand in a log, each with where.
    pub leaks: Vec<String>,
    /// Stacks that may be there although no target has them.
    pub left: BTreeSet<String>,
}

impl Facts {
    /// Reads store and AWS. What only the run itself knows is left empty.
    ///
    /// # Errors
    /// When something cannot be read.
    pub async fn of(world: &World) -> Result<Self> {
        Ok(Self {
            calls: world.emulator.calls(0).await?,
            aws: world.emulator.state().await?,
            deployments: deployments(world).await?,
            targets: targets(world).await?,
            jobs: jobs(world).await?,
            lanes: lanes(world).await?,
            sessions: sessions(world).await?,
            undone: undone(world).await?,
            now: now(world).await?,
            audit: audit(world).await?,
            ..Self::default()
        })
    }
}

fn text(row: &[Option<String>], at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

fn number(row: &[Option<String>], at: usize) -> Result<i64> {
    let text = text(row, at);
    text.parse().with_context(|| format!("'{text}' is no number"))
}

async fn now(world: &World) -> Result<i64> {
    let sql = if world.postgres.is_some() {
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    } else {
        "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
    };
    let rows = world.rows(sql).await?;
    number(rows.first().context("the time")?, 0)
}

async fn deployments(world: &World) -> Result<Vec<Deployment>> {
    let mut found = Vec::new();
    for (row, events) in world.deployments().await? {
        let (mut allowed, mut nothing) = (BTreeSet::new(), false);
        for event in events.iter().filter(|event| event.source != "stack") {
            let message = &event.message;
            if let Some((_, rest)) = message.split_once("execution of ")
                && let Some((arn, _)) = rest.split_once(" allowed")
            {
                allowed.insert(arn.to_owned());
            }
            nothing |= message.contains("no changes") || message.contains("somebody else provisions it");
        }
        let intent = match row.deployment.intent {
            Intent::Apply => "apply",
            Intent::Destroy => "destroy",
        };
        found.push(Deployment {
            id: row.deployment.id.to_string(),
            target: row.target_id.to_string(),
            intent: intent.to_owned(),
            status: row.deployment.word().to_owned(),
            active: row.deployment.is_active(),
            account: row.account.to_string(),
            began: row.created_at.as_micros(),
            ended: row.ended_at.map(|at| at.as_micros()),
            allowed,
            nothing,
        });
    }
    Ok(found)
}

async fn targets(world: &World) -> Result<Vec<Target>> {
    let sql =
        "SELECT id, kind, service, instance, account, status, stack_arn, succeeded_id, resources FROM target";
    let mut found = Vec::new();
    for row in world.rows(sql).await? {
        let resources: Value = serde_json::from_str(&text(&row, 8)).context("the resources of a target")?;
        let repositories = resources
            .as_array()
            .into_iter()
            .flatten()
            .filter(|resource| resource.to_string().contains("\"AWS::ECR::Repository\""))
            .filter_map(|resource| {
                ["physical_id", "physical", "physicalId"]
                    .iter()
                    .find_map(|key| resource[key].as_str())
            });
        found.push(Target {
            repositories: repositories.map(str::to_owned).collect(),
            id: text(&row, 0),
            kind: text(&row, 1),
            service: text(&row, 2),
            instance: text(&row, 3),
            account: text(&row, 4),
            status: text(&row, 5),
            stack: row.get(6).cloned().flatten(),
            succeeded: row.get(7).cloned().flatten(),
        });
    }
    Ok(found)
}

async fn audit(world: &World) -> Result<Audit> {
    // What is signed was there before it was signed, so that it is asked for first.
    let mut checkpoints = Vec::new();
    for row in world.rows("SELECT sequence, hash FROM audit_checkpoint").await? {
        checkpoints.push((number(&row, 0)?, text(&row, 1)));
    }
    let sql = "SELECT sequence, at, principal, account, action, object, outcome, detail, request_id, source, user_agent, hash, \
               (SELECT value FROM sequence WHERE name = 'audit') FROM audit ORDER BY sequence";
    let (mut rows, mut drawn) = (Vec::new(), 0);
    for row in world.rows(sql).await? {
        let optional = |at: usize| row.get(at).cloned().flatten();
        let record = Record {
            sequence: number(&row, 0)?,
            at: number(&row, 1)?,
            principal: text(&row, 2),
            account: optional(3),
            action: text(&row, 4),
            object: text(&row, 5),
            outcome: text(&row, 6),
            detail: text(&row, 7),
            request_id: optional(8),
            source: optional(9),
            user_agent: optional(10),
        };
        drawn = number(&row, 12)?;
        rows.push((record, optional(11)));
    }
    Ok(Audit {
        rows,
        drawn,
        checkpoints,
    })
}

async fn jobs(world: &World) -> Result<Vec<Job>> {
    let mut found = Vec::new();
    for row in world.rows("SELECT id, status, at, fence FROM job").await? {
        found.push(Job {
            id: text(&row, 0),
            status: text(&row, 1),
            at: number(&row, 2)?,
            fence: number(&row, 3)?,
        });
    }
    Ok(found)
}

async fn lanes(world: &World) -> Result<Vec<Lane>> {
    let accounts = |value: &Value| -> BTreeSet<String> {
        let accounts = value.as_array().into_iter().flatten();
        accounts
            .filter_map(|each| each.as_str().map(str::to_owned))
            .collect()
    };
    let mut found = Vec::new();
    for row in world.rows("SELECT repository, state FROM policy_lane").await? {
        let state: Value = serde_json::from_str(&text(&row, 1)).context("the state of a policy")?;
        found.push(Lane {
            repository: text(&row, 0),
            wanted: accounts(&state["wanted"]),
            applied: accounts(&state["applied"]),
        });
    }
    Ok(found)
}

async fn sessions(world: &World) -> Result<Vec<(String, String)>> {
    let sql = "SELECT a.session_id, c.status FROM agent a JOIN connection c ON c.id = a.connection_id \
               WHERE a.session_id IS NOT NULL";
    let rows = world.rows(sql).await?;
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

async fn undone(world: &World) -> Result<Vec<(String, i64)>> {
    let rows = world.rows("SELECT topic, key, due_at FROM outbox").await?;
    rows.iter()
        .map(|row| Ok((format!("{} {}", text(row, 0), text(row, 1)), number(row, 2)?)))
        .collect()
}

/// Which of these secrets stand in these files.
///
/// # Errors
/// When a file cannot be read.
pub fn leaks<P: AsRef<Path>>(files: &[P], secrets: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in files {
        let file = file.as_ref();
        let bytes = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        for (number, secret) in secrets.iter().enumerate() {
            if !secret.is_empty() && text.contains(secret.as_str()) {
                found.push(format!("secret {number} stands in {}", file.display()));
            }
        }
    }
    Ok(found)
}
