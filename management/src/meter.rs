//! Numbers about this process, and how all numbers are told: [`Family`] is one of them with its meaning, whoever counted it.
//!
//! What stands in the database is read from there when somebody asks, so that every hub tells the same. What only a process
//! knows, such as how long its calls took, is counted here, in memory, and begins at zero with it. Both leave as families: as
//! text for Prometheus ([`text`]), and over OTLP.

mod histogram;

use std::fmt::Write as _;

pub use histogram::{Distribution, Histogram};

/// What sort of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many lasted how long.
    Histogram,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The value of a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A counter's or a gauge's.
    Number(f64),
    /// A histogram's, in seconds.
    Distribution(Distribution),
}

/// One value, and what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values. Values come from a bounded set: each combination is a series that somebody keeps.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub figure: Figure,
}

/// All that is known under one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// What sort of number it is.
    pub kind: Kind,
    /// Its values. A name without any is told all the same, so that whoever asks for it can tell "none" from "no such name".
    pub samples: Vec<Sample>,
}

impl Family {
    /// A name without values yet.
    #[must_use]
    pub const fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    /// Something that only grows, as it stands now.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::new(Kind::Counter, name, help).and([], value)
    }

    /// Something that goes up and down, as it stands now.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::new(Kind::Gauge, name, help).and([], value)
    }

    /// One value more.
    #[must_use]
    pub fn and<const N: usize>(self, labels: [(&'static str, &str); N], value: u64) -> Self {
        // Whole numbers up to 2^53 are exact, which microseconds reach after 285 years.
        self.with(labels, Figure::Number(value as f64))
    }

    /// One length of time more, in seconds.
    #[must_use]
    pub fn and_seconds<const N: usize>(
        self,
        labels: [(&'static str, &str); N],
        value: std::time::Duration,
    ) -> Self {
        self.with(labels, Figure::Number(value.as_secs_f64()))
    }

    /// One value more, of whichever sort.
    #[must_use]
    pub fn with<const N: usize>(mut self, labels: [(&'static str, &str); N], figure: Figure) -> Self {
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        self.samples.push(Sample {
            labels: labels.to_vec(),
            figure,
        });
        self
    }
}

/// The families as Prometheus reads them (text format 0.0.4).
#[must_use]
pub fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let Family { name, help, kind, .. } = family;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
        for sample in &family.samples {
            match &sample.figure {
                Figure::Number(value) => line(&mut text, name, "", &sample.labels, None, *value),
                Figure::Distribution(of) => {
                    for (limit, count) in of.cumulated() {
                        let limit = limit.map_or_else(|| "+Inf".to_owned(), |limit| limit.to_string());
                        line(&mut text, name, "_bucket", &sample.labels, Some(&limit), count);
                    }
                    line(&mut text, name, "_sum", &sample.labels, None, of.seconds());
                    line(&mut text, name, "_count", &sample.labels, None, of.count());
                }
            }
        }
    }
    text
}

fn line(
    text: &mut String,
    name: &str,
    suffix: &str,
    labels: &[(&'static str, String)],
    limit: Option<&str>,
    value: f64,
) {
    let _ = write!(text, "{name}{suffix}");
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
    let mut before = '{';
    for (name, value) in labels.chain(limit.map(|limit| ("le", limit))) {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let _ = write!(text, "{before}{name}=\"{value}\"");
        before = ',';
    }
    if before == ',' {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn families_are_told_as_prometheus_reads_them() {
        let times = Histogram::new(&[0.5, 2.5]);
        times.observe(Duration::from_millis(500));
        times.observe(Duration::from_secs(2));
        times.observe(Duration::from_secs(60));
        let families = [
            Family::gauge("one", "A \\ and\na line.", 3),
            Family::new(Kind::Counter, "two_total", "Two.")
                .and([("of", "a\"b\\c\nd"), ("and", "x")], 1)
                .and_seconds([("of", "e")], Duration::from_millis(1_500)),
            Family::new(Kind::Histogram, "three_seconds", "Three.")
                .with([("of", "f")], Figure::Distribution(times.read())),
            Family::new(Kind::Gauge, "four", "Nothing yet."),
        ];
        let expected = "\
# HELP one A \\\\ and\\na line.
# TYPE one gauge
one 3
# HELP two_total Two.
# TYPE two_total counter
two_total{of=\"a\\\"b\\\\c\\nd\",and=\"x\"} 1
two_total{of=\"e\"} 1.5
# HELP three_seconds Three.
# TYPE three_seconds histogram
three_seconds_bucket{of=\"f\",le=\"0.5\"} 1
three_seconds_bucket{of=\"f\",le=\"2.5\"} 2
three_seconds_bucket{of=\"f\",le=\"+Inf\"} 3
three_seconds_sum{of=\"f\"} 62.5
three_seconds_count{of=\"f\"} 3
# HELP four Nothing yet.
# TYPE four gauge
";
        assert_eq!(text(&families), expected);
    }
}
