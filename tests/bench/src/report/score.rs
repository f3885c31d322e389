//! What the rounds of a run say: ratios within a round, medians over rounds, growth over sizes.

use std::collections::BTreeMap;

use super::{Better, PROJECT, Row, Run, Spec};

/// What the rounds say about one system in one case.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    /// Of rounds that count.
    pub(super) good: Vec<f64>,
    /// Of rounds that do not.
    pub(super) void: Vec<f64>,
}

pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

impl Run {
    pub(super) fn cell(&self, spec: &Spec, case: &str, system: &str, key: &str) -> Cell {
        let mut cell = Cell::default();
        let of = |row: &&Row| row.workload == spec.id && row.case == case && row.system == system;
        for row in self.rows.iter().filter(of) {
            if let Some(value) = row.values.get(key) {
                let place = if row.void.is_none() {
                    &mut cell.good
                } else {
                    &mut cell.void
                };
                place.push(*value);
            }
        }
        cell
    }

    /// The values of the rounds, by round; those that count, or all.
    pub(super) fn by_round(&self, spec: &Spec, case: &str, busy: bool) -> BTreeMap<u32, Vec<(&Row, f64)>> {
        let mut rounds: BTreeMap<u32, Vec<(&Row, f64)>> = BTreeMap::new();
        for row in self
            .rows
            .iter()
            .filter(|row| row.workload == spec.id && row.case == case)
        {
            if let Some(value) = row.values.get(spec.main).filter(|_| busy || row.void.is_none()) {
                rounds.entry(row.round).or_default().push((row, *value));
            }
        }
        rounds
    }

    /// The project against the tightest limit and the best peer: medians of the ratios of each round.
    pub(super) fn score(&self, spec: &Spec, case: &str, busy: bool) -> (Option<f64>, Option<f64>) {
        let (mut near, mut ahead) = (Vec::new(), Vec::new());
        let ratio = |ours: f64, theirs: f64| match spec.better {
            Better::More => ours / theirs,
            Better::Less => theirs / ours,
        };
        let tightest = |one: f64, other: f64| match spec.better {
            Better::More => one.min(other),
            Better::Less => one.max(other),
        };
        let best = |one: f64, other: f64| match spec.better {
            Better::More => one.max(other),
            Better::Less => one.min(other),
        };
        for rows in self.by_round(spec, case, busy).values() {
            let Some((_, ours)) = rows.iter().find(|(row, _)| row.system == PROJECT) else {
                continue;
            };
            let limits = rows.iter().filter(|(row, _)| row.limit).map(|(_, value)| *value);
            let is_peer = |row: &Row| !row.limit && !row.system.starts_with(PROJECT);
            let peers = rows
                .iter()
                .filter(|(row, _)| is_peer(row))
                .map(|(_, value)| *value);
            near.extend(limits.reduce(tightest).map(|limit| ratio(*ours, limit)));
            ahead.extend(peers.reduce(best).map(|peer| ratio(*ours, peer)));
        }
        (median(&near), median(&ahead))
    }

    /// Cases of a workload in the order in which they were measured, and its systems.
    pub(super) fn cases(&self, spec: &Spec) -> (Vec<&str>, Vec<&str>) {
        let (mut cases, mut systems): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for row in self.rows.iter().filter(|row| row.workload == spec.id) {
            if !cases.contains(&row.case.as_str()) {
                cases.push(&row.case);
            }
            if !systems.contains(&row.system.as_str()) {
                systems.push(&row.system);
            }
        }
        (cases, systems)
    }

    /// How cost grows from one size to the next, per decade: 1 is linear, for what is counted in all; for costs per unit
    /// and rates, 0 is linear.
    pub(super) fn exponents(&self, spec: &Spec, system: &str, key: &str, busy: bool) -> Vec<(f64, f64, f64)> {
        let mut points: BTreeMap<(String, u64), Vec<f64>> = BTreeMap::new();
        for row in self
            .rows
            .iter()
            .filter(|row| row.workload == spec.id && row.system == system)
        {
            if let Some(value) = row.values.get(key).filter(|_| busy || row.void.is_none()) {
                points
                    .entry((row.line.clone(), row.size as u64))
                    .or_default()
                    .push(*value);
            }
        }
        let points: Vec<(String, f64, f64)> = points
            .into_iter()
            .filter_map(|((line, size), values)| Some((line, size as f64, median(&values)?)))
            .collect();
        points
            .windows(2)
            .filter(|two| two[0].0 == two[1].0 && two[0].1 > 0.0 && two[0].2 > 0.0 && two[1].2 > 0.0)
            .map(|two| {
                (
                    two[0].1,
                    two[1].1,
                    (two[1].2 / two[0].2).log10() / (two[1].1 / two[0].1).log10(),
                )
            })
            .collect()
    }
}
