//! What was measured, as rows.
//!
//! * [`specs`]: how each workload is told; [`score`]: what the rounds say together; [`page`]: tables and plots of that.
//!
//! A ratio is computed within a round, where project, limits and peers ran one after another on the same machine, and then
//! the median of the rounds is taken. Rounds that neighbours disturbed are void; where all are, there is no figure.

mod page;
mod score;
mod specs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use page::short;
use specs::{Better, Metric, SPECS, Spec};

use crate::machine::Machine;

/// The project in tables.
pub(crate) const PROJECT: &str = "Hadron";

/// One system in one case and one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) workload: String,
    /// What was asked for, in words: the same words in each round.
    pub(crate) case: String,
    /// The size that costs grow with.
    pub(crate) size: f64,
    /// Cases that differ only in size form a line.
    pub(crate) line: String,
    pub(crate) system: String,
    /// A limit and no competitor.
    #[serde(default)]
    pub(crate) limit: bool,
    pub(crate) round: u32,
    /// Why the round does not count.
    #[serde(default)]
    pub(crate) void: Option<String>,
    /// Why there are no values.
    #[serde(default)]
    pub(crate) failed: Option<String>,
    #[serde(default)]
    pub(crate) values: BTreeMap<String, f64>,
    /// The state of the machine before the round.
    #[serde(default)]
    pub(crate) before: BTreeMap<String, f64>,
}

impl Row {
    pub(crate) fn new(workload: &str, case: impl Into<String>, size: f64, system: &str, round: u32) -> Self {
        Self {
            workload: workload.to_owned(),
            case: case.into(),
            size,
            line: String::new(),
            system: system.to_owned(),
            limit: false,
            round,
            void: None,
            failed: None,
            values: BTreeMap::new(),
            before: BTreeMap::new(),
        }
    }

    pub(crate) fn set(&mut self, metric: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into().filter(|value| value.is_finite()) {
            self.values.insert(metric.to_owned(), value);
        }
    }
}

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    pub(crate) at: String,
    pub(crate) version: String,
    pub(crate) seconds: f64,
    /// Peers and workloads that were not run, and why.
    pub(crate) missing: BTreeMap<String, String>,
    pub(crate) rows: Vec<Row>,
}
