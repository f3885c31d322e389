//! A run as a page with tables, and as plots.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::score::median;
use super::{Metric, PROJECT, Row, Run, SPECS, Spec};

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
