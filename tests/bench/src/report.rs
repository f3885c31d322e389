//! What was measured, as rows; the tables made of them, and the score.
//!
//! A ratio is computed within a round, where project, limits and peers ran one after another on the same machine, and then
//! the median of the rounds is taken. Rounds that neighbours disturbed are void; where all are, there is no figure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

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

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) key: &'static str,
    pub(crate) heading: &'static str,
    /// Costs of CPU hold on a busy machine, within about a tenth; times and rates do not.
    pub(crate) steady: bool,
}

const fn metric(key: &'static str, heading: &'static str) -> Metric {
    Metric {
        key,
        heading,
        steady: false,
    }
}

const fn steady(key: &'static str, heading: &'static str) -> Metric {
    Metric {
        key,
        heading,
        steady: true,
    }
}

/// How a workload is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) metrics: &'static [Metric],
    /// What the score is computed from.
    pub(crate) main: &'static str,
    pub(crate) better: Better,
    /// What a plot shows over the size.
    pub(crate) plots: &'static [(&'static str, &'static str, &'static str)],
    pub(crate) target: &'static str,
}

/// All workloads, in the order of the report.
pub(crate) const SPECS: &[Spec] = &[
    Spec {
        id: "L",
        title: "Limits of the machine",
        metrics: &[
            metric("rate", "per second"),
            metric("p50_ms", "p50 ms"),
            steady("server_us", "server us"),
            steady("both_us", "both us"),
        ],
        main: "p50_ms",
        better: Better::Less,
        plots: &[],
        target: "",
    },
    Spec {
        id: "W1",
        title: "Queue, saturated (closed loop, one request per job, all durable)",
        metrics: &[
            metric("rate", "jobs/s"),
            steady("server_us", "server us/job"),
            steady("client_us", "client us/job"),
            metric("p50_ms", "e2e p50 ms"),
            metric("p99_ms", "e2e p99 ms"),
            metric("dispatch_p50_ms", "dispatch p50 ms"),
            metric("batch", "transactions/commit"),
            metric("rss_mib", "RSS MiB"),
            steady("jobs", "jobs kept through kill -9"),
        ],
        main: "rate",
        better: Better::More,
        plots: &[
            ("rate", "jobs per second", "agents"),
            ("server_us", "CPU of the server per job, us", "agents"),
        ],
        target: "near 0.85 at 1,000 agents, 0.80 at 256/256, 0.60 at 16/16; ahead 1.5 at 1,000 agents, 1.0 at 256/256 and 16/16",
    },
    Spec {
        id: "W2",
        title: "Fan-out (one request, a job for each agent)",
        metrics: &[
            metric("accepted_ms", "accepted ms"),
            metric("dispatched_ms", "all dispatched ms"),
            metric("ended_ms", "all ended ms"),
            metric("per_job_us", "us/job in all"),
            steady("server_us", "server us/job"),
            metric("written_per_job", "bytes written/job"),
        ],
        main: "ended_ms",
        better: Better::Less,
        plots: &[("ended_ms", "until the last result is durable, ms", "agents")],
        target: "near 0.80; ahead 1.0 from 100 agents; exponent at most 1.05",
    },
    Spec {
        id: "W3",
        title: "Dispatch at low load (open loop)",
        metrics: &[
            metric("dispatch_p50_ms", "dispatch p50 ms"),
            metric("dispatch_p99_ms", "dispatch p99 ms"),
            metric("p50_ms", "e2e p50 ms"),
            metric("p99_ms", "e2e p99 ms"),
            steady("server_us", "server us/job"),
        ],
        main: "dispatch_p50_ms",
        better: Better::Less,
        plots: &[(
            "dispatch_p50_ms",
            "due until the agent has the job, p50, ms",
            "agents",
        )],
        target: "near 0.5 (twice the limit of append and loopback); ahead 1.0; p99 at most 3 x p50; the same from 10 to 10,000 agents",
    },
    Spec {
        id: "W4",
        title: "Idle fleet",
        metrics: &[
            metric("rss_kib_per_agent", "RSS KiB/agent"),
            steady("cpu_percent", "CPU % of a core"),
            steady("us_per_beat", "us/heartbeat"),
            metric("beat_p50_ms", "heartbeat p50 ms"),
            metric("beat_p99_ms", "heartbeat p99 ms"),
            steady("beats", "heartbeats"),
            steady("ended", "sessions ended"),
            steady("transactions_s", "transactions/s"),
        ],
        main: "rss_kib_per_agent",
        better: Better::Less,
        plots: &[
            ("rss_kib_per_agent", "memory of the hub per agent, KiB", "agents"),
            ("cpu_percent", "CPU of the hub, % of a core", "agents"),
        ],
        target: "at most 48 KiB/agent at 10,000 and 1.05 of the figure at 1,000; at most 100 us per heartbeat, 1 % of a core",
    },
    Spec {
        id: "W5",
        title: "Storm (all agents dial at once: first, after the hub was killed, and to full queues)",
        metrics: &[
            metric("seconds", "s until all have sessions"),
            metric("per_second", "sessions/s"),
            steady("server_us", "server us/session"),
            metric("dial_p50_ms", "dial p50 ms"),
            metric("dial_p99_ms", "dial p99 ms"),
            metric("failures", "failed dials"),
            steady("resumed", "resumed"),
            metric("drained_s", "s until waiting jobs ended"),
            steady("peak_mib", "peak RSS MiB"),
        ],
        main: "seconds",
        better: Better::Less,
        plots: &[("seconds", "until all agents have sessions, s", "agents")],
        target: "CPU per session at most 1.6 x a handshake; 10,000 within 5 s with the agents on the same 2 cores; at most 256 MiB where 10,000 jobs wait for 1,000 agents",
    },
    Spec {
        id: "W6",
        title: "Deployment of many stacks over five accounts (emulated AWS)",
        metrics: &[
            metric("seconds", "s"),
            metric("calls_per_stack", "API calls/stack"),
            metric("lag_p50_s", "lag p50 s"),
        ],
        main: "seconds",
        better: Better::Less,
        plots: &[(
            "seconds",
            "until the last stack is known to be complete, s",
            "stacks",
        )],
        target: "near 0.95 with slow stacks, 0.91 with quick ones, from 50 stacks; lag p50 at most 1 s",
    },
    Spec {
        id: "W7",
        title: "Rendering",
        metrics: &[
            steady("warm_us", "warm us"),
            steady("parse_us", "warm + parse us"),
            steady("cold_us", "cold us"),
        ],
        main: "parse_us",
        better: Better::Less,
        plots: &[("parse_us", "CPU per render with its result read, us", "resources")],
        target: "near 0.83; ahead 10 warm, 5 with parse, 20 cold",
    },
    Spec {
        id: "W8",
        title: "Footprint of the agent",
        metrics: &[
            metric("binary_mb", "binary MB"),
            metric("rss_mib", "RSS MiB"),
            metric("anonymous_mib", "anonymous MiB"),
            metric("cpu_s_per_day", "CPU s/day"),
        ],
        main: "rss_mib",
        better: Better::Less,
        plots: &[],
        target: "at most 20 MB, at most 20 MiB resident while connected",
    },
    Spec {
        id: "W9",
        title: "History (W1 over jobs that have ended, or wait for agents that are away)",
        metrics: &[
            metric("rate", "jobs/s"),
            steady("server_us", "server us/job"),
            metric("written_per_job", "bytes written/job"),
            metric("list_p99_ms", "list p99 ms"),
        ],
        main: "rate",
        better: Better::More,
        plots: &[],
        target: "at most 10 % less with finished jobs, 20 % with open ones",
    },
    Spec {
        id: "W10",
        title: "Replicas on PostgreSQL",
        metrics: &[
            metric("rate", "jobs/s"),
            steady("server_us", "hubs us/job"),
            steady("database_us", "PostgreSQL us/job"),
            metric("p50_ms", "e2e p50 ms"),
            metric("p99_ms", "e2e p99 ms"),
            metric("takeover_s", "take-over s"),
        ],
        main: "rate",
        better: Better::More,
        plots: &[("rate", "jobs per second", "hubs")],
        target: "one hub 1.5 x the peer on PostgreSQL; take-over within 5 s",
    },
];

/// What the rounds say about one system in one case.
#[derive(Clone, Debug, Default)]
struct Cell {
    /// Of rounds that count.
    good: Vec<f64>,
    /// Of rounds that do not.
    void: Vec<f64>,
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// A number with about three digits that mean something.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1_000.0 {
        let whole = format!("{value:.0}");
        let mut out = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) && out != "-" {
                out.push(',');
            }
            out.push(digit);
        }
        out
    } else if size >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

impl Run {
    fn cell(&self, spec: &Spec, case: &str, system: &str, key: &str) -> Cell {
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

    /// A figure: the median and how far the rounds are apart. On a busy machine only what is steady, with a mark.
    fn figure(&self, spec: &Spec, case: &str, system: &str, metric: &Metric, busy: bool) -> String {
        let cell = self.cell(spec, case, system, metric.key);
        let (values, mark) = match (cell.good.is_empty(), cell.void.is_empty()) {
            (false, _) => (&cell.good, ""),
            (true, false) if metric.steady || busy => (&cell.void, " *"),
            (true, false) => return "not measurable".to_owned(),
            (true, true) => return "-".to_owned(),
        };
        let Some(middle) = median(values) else {
            return "-".to_owned();
        };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if values.len() > 1 && short(least) != short(most) {
            format!("{} ({}..{}){mark}", short(middle), short(least), short(most))
        } else {
            format!("{}{mark}", short(middle))
        }
    }

    /// The values of the rounds, by round; those that count, or all.
    fn by_round(&self, spec: &Spec, case: &str, busy: bool) -> BTreeMap<u32, Vec<(&Row, f64)>> {
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
    pub(crate) fn score(&self, spec: &Spec, case: &str, busy: bool) -> (Option<f64>, Option<f64>) {
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
    fn cases(&self, spec: &Spec) -> (Vec<&str>, Vec<&str>) {
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
    fn exponents(&self, spec: &Spec, system: &str, key: &str, busy: bool) -> Vec<(f64, f64, f64)> {
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

    /// The report.
    pub(crate) fn markdown(&self, busy: bool) -> String {
        let mut out = String::new();
        let machine = &self.machine;
        let _ = writeln!(
            out,
            "# Benchmark of Hadron {}\n\n`{}`, {}, {:.0} s.\n\n{} cores ({}), {:.0} GiB, {}, Linux {}, {}.",
            self.version,
            self.command,
            self.at,
            self.seconds,
            machine.cores,
            machine.cpu,
            machine.memory_gib,
            machine.system,
            machine.kernel,
            machine.file_system
        );
        let void = self.rows.iter().filter(|row| row.void.is_some()).count();
        let _ = writeln!(
            out,
            "\nMedians of the rounds (least..most). {void} of {} measurements were disturbed by neighbours and are void. \
             near: the project against the tightest limit; ahead: against the best peer; both by round, then the median.",
            self.rows.len()
        );
        if void > 0 {
            let _ = writeln!(
                out,
                "\n\\* from void rounds: CPU holds within about a tenth, {}.",
                if busy {
                    "rates and times do not and are printed for orientation only"
                } else {
                    "rates and times do not"
                }
            );
        }
        for spec in SPECS {
            let (cases, systems) = self.cases(spec);
            if cases.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n## {}: {}\n", spec.id, spec.title);
            let headings: Vec<&str> = spec.metrics.iter().map(|metric| metric.heading).collect();
            let _ = writeln!(out, "| case | system | {} |", headings.join(" | "));
            let _ = writeln!(out, "|---|---|{}", "---|".repeat(headings.len()));
            for case in &cases {
                for system in &systems {
                    let rows: Vec<&Row> = self
                        .rows
                        .iter()
                        .filter(|row| row.workload == spec.id && row.case == *case && row.system == *system)
                        .collect();
                    if rows.is_empty() {
                        continue;
                    }
                    let _ = write!(out, "| {case} | {system} |");
                    if rows.iter().all(|row| row.failed.is_some()) {
                        let why = rows[0].failed.as_deref().unwrap_or_default();
                        let _ = writeln!(
                            out,
                            " failed: {} |{}",
                            why.replace(['|', '\n'], " "),
                            " |".repeat(headings.len() - 1)
                        );
                        continue;
                    }
                    for metric in spec.metrics {
                        let _ = write!(out, " {} |", self.figure(spec, case, system, metric, busy));
                    }
                    out.push('\n');
                }
            }
            self.scores(spec, &cases, busy, &mut out);
        }
        self.totals(busy, &mut out);
        if !self.missing.is_empty() {
            let _ = writeln!(out, "\n## Not run\n");
            for (what, why) in &self.missing {
                let _ = writeln!(out, "* {what}: - ({why})");
            }
        }
        out
    }

    fn scores(&self, spec: &Spec, cases: &[&str], busy: bool, out: &mut String) {
        let mut lines = String::new();
        for case in cases {
            let (near, ahead) = self.score(spec, case, busy);
            if near.is_some() || ahead.is_some() {
                let text =
                    |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
                let _ = writeln!(lines, "| {case} | {} | {} |", text(near), text(ahead));
            }
        }
        if !lines.is_empty() {
            let _ = writeln!(
                out,
                "\n| case | near | ahead |\n|---|---|---|\n{}",
                lines.trim_end()
            );
        }
        for (key, label, over) in spec.plots {
            for system in self.cases(spec).1 {
                let grows = self.exponents(spec, system, key, busy);
                if !grows.is_empty() {
                    let each: Vec<String> = grows
                        .iter()
                        .map(|(from, to, exponent)| {
                            format!("{} to {}: {exponent:.2}", short(*from), short(*to))
                        })
                        .collect();
                    let _ = writeln!(
                        out,
                        "\nGrowth exponent of \"{label}\" over {over}, {system}: {}.",
                        each.join("; ")
                    );
                }
            }
        }
        if !spec.target.is_empty() {
            let _ = writeln!(out, "\nTarget: {}.", spec.target);
        }
    }

    /// The two minima. Nothing is averaged over workloads.
    fn totals(&self, busy: bool, out: &mut String) {
        /// The worst ratio so far, and where.
        type Worst = Option<(f64, String)>;
        let (mut near, mut ahead): (Worst, Worst) = (None, None);
        let mut cells = BTreeSet::new();
        for spec in SPECS {
            for case in self.cases(spec).0 {
                let (one, other) = self.score(spec, case, busy);
                let place = format!("{} {case}", spec.id);
                for (worst, ratio) in [(&mut near, one.map(|near| near.min(1.0))), (&mut ahead, other)] {
                    if let Some(ratio) = ratio {
                        cells.insert(place.clone());
                        if worst.as_ref().is_none_or(|(least, _)| ratio < *least) {
                            *worst = Some((ratio, place.clone()));
                        }
                    }
                }
            }
        }
        let text = |worst: Option<(f64, String)>| {
            worst.map_or_else(
                || "-".to_owned(),
                |(ratio, place)| format!("{ratio:.2} ({place})"),
            )
        };
        let _ = writeln!(
            out,
            "\n## Score\n\nOver the {} cells that were run: worst near {}, worst ahead {}.",
            cells.len(),
            text(near),
            text(ahead)
        );
    }

    /// Writes `bench.json`, `bench.md` and the plots.
    pub(crate) fn write(&self, dir: &Path, busy: bool) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(dir.join("bench.json"), json + "\n").context("writing bench.json")?;
        std::fs::write(dir.join("bench.md"), self.markdown(busy)).context("writing bench.md")?;
        for spec in SPECS {
            for (key, label, over) in spec.plots {
                let plot = self.plot(spec, key, label, over, busy);
                if let Some(svg) = plot.draw() {
                    let name = format!("{}-{key}.svg", spec.id.to_lowercase());
                    std::fs::write(dir.join(&name), svg).with_context(|| format!("writing {name}"))?;
                }
            }
        }
        Ok(())
    }

    fn plot(&self, spec: &Spec, key: &str, label: &str, over: &str, busy: bool) -> crate::svg::Plot {
        let mut lines: BTreeMap<(String, String), BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
        for row in self
            .rows
            .iter()
            .filter(|row| row.workload == spec.id && row.size > 0.0)
        {
            if let Some(value) = row.values.get(key).filter(|_| busy || row.void.is_none()) {
                let line = lines.entry((row.system.clone(), row.line.clone())).or_default();
                line.entry(row.size as u64).or_default().push(*value);
            }
        }
        let several = lines.keys().map(|(_, line)| line).collect::<BTreeSet<_>>().len() > 1;
        let lines = lines
            .into_iter()
            .map(|((system, line), points)| crate::svg::Line {
                strong: system == PROJECT,
                label: if several && !line.is_empty() {
                    format!("{system}, {line}")
                } else {
                    system
                },
                points: points
                    .into_iter()
                    .filter_map(|(size, values)| Some((size as f64, median(&values)?)))
                    .collect(),
            });
        crate::svg::Plot {
            title: format!("{}: {}", spec.id, spec.title),
            x: over.to_owned(),
            y: label.to_owned(),
            lines: lines.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine::here(Path::new("/"))
    }

    fn row(system: &str, round: u32, rate: f64) -> Row {
        let mut row = Row::new("W1", "16 outstanding, 16 agents", 16.0, system, round);
        row.set("rate", rate);
        row
    }

    fn run(rows: Vec<Row>) -> Run {
        Run {
            machine: machine(),
            command: "bench".to_owned(),
            at: String::new(),
            version: "0".to_owned(),
            seconds: 1.0,
            missing: BTreeMap::new(),
            rows,
        }
    }

    #[test]
    fn ratios_are_taken_by_round_and_void_rounds_do_not_count() {
        let limit = |round, rate| Row {
            limit: true,
            ..row("limit", round, rate)
        };
        let mut rows = vec![
            row(PROJECT, 0, 50.0),
            limit(0, 100.0),
            row("peer", 0, 25.0),
            row(PROJECT, 1, 500.0),
            limit(1, 1_000.0),
            row("peer", 1, 1_000.0),
            row("other", 1, 10.0),
            row(PROJECT, 2, 9.0),
            limit(2, 1.0),
        ];
        rows[7].void = Some("busy".to_owned());
        let run = run(rows);
        let (near, ahead) = run.score(&SPECS[1], "16 outstanding, 16 agents", false);
        assert_eq!(near, Some(0.5));
        // 2 in the first round, 0.5 in the second against the better of two.
        assert_eq!(ahead, Some(1.25));
        let text = run.markdown(false);
        assert!(text.contains("275 (50.0..500)"), "{text}");
    }

    #[test]
    fn a_busy_machine_gives_no_rates() {
        let mut one = row(PROJECT, 0, 50.0);
        one.void = Some("busy".to_owned());
        one.set("server_us", 70.0);
        let run = run(vec![one]);
        let text = run.markdown(false);
        assert!(
            text.contains("not measurable") && text.contains("70.0 *"),
            "{text}"
        );
        assert!(run.markdown(true).contains("50.0 *"));
    }

    #[test]
    fn growth_is_told_per_decade() {
        let mut rows = Vec::new();
        for (size, ended) in [(10.0, 1.0), (100.0, 10.0), (1_000.0, 1_000.0)] {
            let mut row = Row::new("W2", format!("{size} agents"), size, PROJECT, 0);
            row.set("ended_ms", ended);
            rows.push(row);
        }
        let run = run(rows);
        let exponents = run.exponents(&SPECS[2], PROJECT, "ended_ms", false);
        let rounded: Vec<f64> = exponents
            .iter()
            .map(|(_, _, exponent)| exponent.round())
            .collect();
        assert_eq!(rounded, [1.0, 2.0]);
    }

    #[test]
    fn numbers_are_short() {
        let texts: Vec<String> = [0.0, 0.123, 12.34, 123.4, 1_234.5, 1_234_567.0]
            .map(short)
            .to_vec();
        assert_eq!(texts, ["0", "0.12", "12.3", "123", "1,234", "1,234,567"]);
    }
}
