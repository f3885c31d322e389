//! No request of the Proton API reads a whole table: the statements that a hub prepares while every operation is called, and
//! what SQLite makes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::suites::world;

/// Tables with a handful of rows, whatever is asked for: reading all of them is reading them.
const SMALL: [&str; 6] = ["setting", "meta", "sequence", "outbox", "agent", "policy_lane"];

#[tokio::test]
async fn no_request_reads_a_whole_table() -> Result<()> {
    let (mut world, clients) = world("").await?;
    let filter = "info,hadron_management::store::db=trace";
    world.hub.restart_with(Some(filter), || Ok(())).await?;
    let clients = clients.unrecorded();
    clients
        .python("plans", &["reads"], Duration::from_secs(170))
        .await?;

    let mut statements = BTreeSet::new();
    for line in world.log_lines("hub/hub.log")? {
        if let Some(statement) = line["statement"].as_str() {
            statements.insert(statement.to_owned());
        }
    }
    let selects: Vec<&String> = statements
        .iter()
        .filter(|statement| {
            let start = statement.trim_start().to_uppercase();
            start.starts_with("SELECT") || start.starts_with("WITH")
        })
        .collect();
    ensure!(
        selects.len() >= 60,
        "the log has only {} statements that read",
        selects.len()
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(world.hub.folder().join("hub.db"), flags)
        .context("the hub's database")?;
    let mut bad = Vec::new();
    for select in &selects {
        for step in plan(&database, select)? {
            if reads_all(&step, select) {
                bad.push(format!(
                    "{step}\n    {}",
                    select.split_whitespace().collect::<Vec<_>>().join(" ")
                ));
            }
        }
    }
    println!("{} statements that read were looked at", selects.len());
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

/// Whether a step goes through all rows of a table that grows. Going along an index is fine where a LIMIT ends it.
fn reads_all(step: &str, select: &str) -> bool {
    let Some(rest) = step.strip_prefix("SCAN ") else {
        return false;
    };
    let table = rest.split(' ').next().unwrap_or_default();
    if table.starts_with("CONSTANT") || rest.starts_with('(') || SMALL.contains(&table) {
        return false;
    }
    !(rest.contains("USING") && select.to_uppercase().contains("LIMIT"))
}
