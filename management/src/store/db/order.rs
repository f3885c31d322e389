//! Watches, in tests, that transactions lock rows in the order that [`db`](super) describes. It sees statements and the rows
//! that they gave, on both databases: a wrong order is found without two transactions having to meet.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Row;
use super::sql;
use super::value::Value;

/// Tables in the order in which their rows are locked. What is written last of all is not among them.
const RANKS: [&[&str]; 8] = [
    &["service"],
    &["connection"],
    &["job"],
    &["deployment"],
    &["target"],
    &[
        "component",
        "template",
        "sync_config",
        "sync_blocker",
        "repository",
    ],
    &["policy_lane"],
    &["event_sink"],
];

static VIOLATIONS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What was seen so far in this process: which transaction locked what after what.
pub(super) fn violations() -> Vec<String> {
    let seen = VIOLATIONS.lock().unwrap_or_else(PoisonError::into_inner);
    seen.iter().cloned().collect()
}

/// What one transaction holds.
#[derive(Default)]
pub(super) struct Order {
    held: BTreeSet<(usize, &'static str, String)>,
    /// Rows that it made itself: nobody waits for them.
    own: BTreeSet<(&'static str, String)>,
    /// It only reads, and locks nothing whatever its statements say.
    reads: bool,
}

impl Order {
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.own.clear();
        self.reads = false;
    }

    pub(super) const fn only_reads(&mut self) {
        self.reads = true;
    }

    /// A statement was run.
    pub(super) fn ran(&mut self, label: &'static str, sql: &'static str, params: &[Value], rows: &[Row]) {
        if self.reads {
            return;
        }
        let table = sql::table(sql);
        let Some(rank) = RANKS.iter().position(|tables| tables.contains(&table)) else {
            return;
        };
        let first = match params.first() {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        match sql.split_ascii_whitespace().next() {
            Some("INSERT") => {
                self.own.insert((table, key(table, first)));
            }
            Some("UPDATE" | "DELETE") => self.locked(label, rank, table, key(table, first), true),
            Some("SELECT") => {
                let waits = sql.contains("/*for-update*/") || sql.contains("/*for-share*/");
                let skips = sql.contains("/*skip-locked*/") || sql.contains("/*for-share-nowait*/");
                for row in rows.iter().filter(|_| waits || skips) {
                    let name = row.str("id").or_else(|_| row.str("name")).unwrap_or_default();
                    // Nothing happens any more to what has ended, so whoever holds it waits for nobody.
                    let ended = row.get::<i64>("ended_at").is_ok();
                    self.locked(label, rank, table, key(table, name.to_owned()), waits && !ended);
                }
            }
            _ => {}
        }
    }

    fn locked(&mut self, label: &'static str, rank: usize, table: &'static str, key: String, waits: bool) {
        let row = (rank, table, key);
        if self.held.contains(&row) || self.own.contains(&(table, row.2.clone())) {
            return;
        }
        if let Some((_, later, _)) = self
            .held
            .iter()
            .next_back()
            .filter(|(held, ..)| waits && *held > rank)
        {
            let violation = format!("'{label}' locks {table} after {later}");
            let mut seen = VIOLATIONS.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(violation);
        }
        self.held.insert(row);
    }
}

/// What tells rows of a table apart, where statements name it first; otherwise the table is taken for one row.
fn key(table: &'static str, first: String) -> String {
    match table {
        "service" | "connection" | "job" | "deployment" | "target" => first,
        _ => String::new(),
    }
}
