//! No request of the Proton API reads a whole table: the statements that a hub runs while every operation that reads is
//! asked in every way, and what SQLite makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::suites::world;

/// Tables with a handful of rows, whatever is asked for: reading all of them is reading them.
/// And what a statement was given as a list.
const SMALL: [&str; 7] = [
    "ca_root",
    "setting",
    "meta",
    "sequence",
    "agent",
    "sqlite_schema",
    "json_each",
];

/// Transactions that no request of the Proton API begins: the hub's own, and those of agents.
const BACKGROUND: [&str; 18] = [
    "acknowledgements",
    "advance service",
    "ask busy services",
    "checkpoints",
    "connections of account",
    "end of the audit log",
    "figures",
    "first job",
    "forget events",
    "grant check",
    "migrate",
    "pulse",
    "report",
    "revise grants",
    "rows without a hash",
    "samples",
    "take jobs",
    "values to seal",
];

/// Counting everything there is, is what this one request asks for.
const COUNTS: &str = "summary";

#[tokio::test]
async fn no_request_reads_a_whole_table() -> Result<()> {
    let (mut world, clients) = world("").await?;
    let filter = "info,hadron_management::store::db=trace";
    world.hub.restart_with(Some(filter), || Ok(())).await?;
    clients
        .unrecorded()
        .python("plans", &["reads"], Duration::from_secs(170))
        .await?;

    let mut asked = BTreeMap::<String, BTreeSet<String>>::new();
    for line in world.log_lines("hub/hub.log")? {
        if let (Some(statement), Some(label)) = (line["statement"].as_str(), line["label"].as_str()) {
            asked
                .entry(statement.to_owned())
                .or_default()
                .insert(label.to_owned());
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(world.hub.folder().join("hub.db"), flags)
        .context("the hub's database")?;
    let (mut looked, mut bad) = (0, Vec::new());
    for (statement, labels) in &asked {
        let start = statement.trim_start().to_uppercase();
        let of_requests: Vec<&String> = labels
            .iter()
            .filter(|label| !BACKGROUND.contains(&label.as_str()) && *label != COUNTS)
            .collect();
        if of_requests.is_empty() || !(start.starts_with("SELECT") || start.starts_with("WITH")) {
            continue;
        }
        looked += 1;
        for step in plan(&database, statement)? {
            if reads_all(&step, &start) {
                let text: Vec<&str> = statement.split_whitespace().collect();
                bad.push(format!("{step}\n    in {of_requests:?}\n    {}", text.join(" ")));
            }
        }
    }
    println!("{looked} statements that read were looked at");
    ensure!(looked >= 50, "the log has only {looked} statements that read");
    ensure!(bad.is_empty(), "whole tables are read:\n  {}", bad.join("\n  "));
    Ok(())
}

/// The steps of a statement, as SQLite tells them.
fn plan(database: &Connection, select: &str) -> Result<Vec<String>> {
    let mut statement = database
        .prepare(&format!("EXPLAIN QUERY PLAN {select}"))
        .with_context(|| select.to_owned())?;
    // Parameters are not bound: a plan needs none.
    let steps = statement
        .raw_query()
        .mapped(|row| row.get::<_, String>(3))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(steps)
}

/// Whether a step goes through all rows of a table that grows. Going along an index is fine where a LIMIT ends it, and where
/// rows are only counted: that is done for quotas, which bound them.
fn reads_all(step: &str, select: &str) -> bool {
    let Some(rest) = step.strip_prefix("SCAN ") else {
        return false;
    };
    let table = rest.split(' ').next().unwrap_or_default();
    if table.starts_with("CONSTANT") || rest.starts_with('(') || SMALL.contains(&table) {
        return false;
    }
    let counts = select.starts_with("SELECT COUNT(*)") && rest.contains("USING COVERING INDEX");
    !(counts || rest.contains("USING") && select.contains("LIMIT"))
}
