//! How it goes: deployments by day and how long they took, failures by template, what runs in which version, and how the queue
//! and the agents were. A page to look at now and then: it does not follow what happens.

use std::time::Duration;

use askama::Template;
use hadron_domain::template::{Standing, TemplateKind};
use hadron_proto::vocab::Timestamp;

use super::deployments::span;
use super::plot::{Plot, Unit};
use super::show::{Html, Shown, When};
use super::visit::Visit;
use super::words::Words;
use crate::app::AppError;
use crate::app::insights::{DAYS, Day, Fleet, Insights, OfEnvironment, OfTemplate, Span};
use crate::store::samples::Sample;

/// How many rows of a table there are at most.
const MOST_ROWS: usize = 50;

/// A figure that stands for the whole, with what it is.
struct Tile {
    label: &'static str,
    value: String,
}

struct DayRow {
    day: String,
    counts: [u64; 3],
    median: String,
    ninth: String,
}

/// A bar of one colour in a table, in thousandths of the longest.
struct TemplateRow {
    name: String,
    href: String,
    kind: String,
    failed: u64,
    ended: u64,
    rate: String,
    width: u64,
}

struct Part {
    version: String,
    href: String,
    count: u64,
    class: &'static str,
    words: &'static str,
    sign: &'static str,
    x: u64,
    width: u64,
}

struct FleetRow {
    name: String,
    href: String,
    kind: &'static str,
    count: u64,
    recommended: String,
    parts: Vec<Part>,
}

struct EnvironmentRow {
    name: String,
    weekly: String,
    rate: String,
    recovery: String,
}

struct SampleRow {
    at: When,
    sample: Sample,
    oldest: String,
}

struct Sampled {
    spans: Vec<(&'static str, &'static str, bool)>,
    queue: Html,
    agents: Html,
    rows: Vec<SampleRow>,
}

#[derive(Template)]
#[template(path = "insights.html")]
struct Page<'a> {
    v: &'a Visit,
    now: When,
    cut: bool,
    tiles: Vec<Tile>,
    per_day: Html,
    took: Html,
    days: Vec<DayRow>,
    templates: Vec<TemplateRow>,
    fleet: Vec<FleetRow>,
    environments: Vec<EnvironmentRow>,
    sampled: Option<Sampled>,
}

fn rate(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "\u{2013}".to_owned();
    }
    // Rounded to the nearest.
    format!("{} %", (part * 200 + whole) / (2 * whole))
}

fn spans(time: Option<Duration>) -> String {
    time.map_or_else(|| "\u{2013}".to_owned(), span)
}

/// The day of a time, as people in every language write it here: 2026-11-30.
fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Month and day.
fn short(at: Timestamp) -> String {
    date(at).chars().skip(5).collect()
}

/// Hours and minutes in UTC.
fn clock(at: Timestamp) -> String {
    at.to_string().chars().skip(11).take(5).collect()
}

/// Days that are named below a plot: every fifth, and so the last one.
fn name_days(plot: &mut Plot, days: &[Day]) {
    let count = days.len();
    for (place, day) in days
        .iter()
        .enumerate()
        .filter(|(place, _)| (count - 1 - place).is_multiple_of(5))
    {
        plot.time((place as f64 + 0.5) / count as f64, short(day.start));
    }
}

fn per_day(t: &Words, days: &[Day]) -> Result<Html, AppError> {
    let total = |day: &Day| day.succeeded + day.failed + day.cancelled;
    let most = days.iter().map(total).max().unwrap_or_default();
    let mut plot = Plot::new("per-day", t.insights_per_day, Unit::Count, most as f64);
    name_days(&mut plot, days);
    // Failures stand on the ground, where they can be compared.
    plot.keys([
        ("bad", t.failed_word),
        ("quiet", t.insights_cancelled),
        ("good", t.insights_succeeded),
    ]);
    for (place, day) in days.iter().enumerate() {
        let tip = |words: &str, count: u64| format!("{}: {count} {words}", date(day.start));
        let parts = [
            ("bad", day.failed, tip(t.failed_word, day.failed)),
            ("quiet", day.cancelled, tip(t.insights_cancelled, day.cancelled)),
            ("good", day.succeeded, tip(t.insights_succeeded, day.succeeded)),
        ];
        plot.bar(place, days.len(), &parts);
    }
    plot.html()
}

fn took(t: &Words, days: &[Day]) -> Result<Html, AppError> {
    let most = days.iter().filter_map(|day| day.ninth).max().unwrap_or_default();
    let mut plot = Plot::new("took", t.insights_took, Unit::Time, most.as_secs_f64());
    name_days(&mut plot, days);
    plot.keys([("busy", t.insights_median), ("waiting", t.insights_ninth)]);
    for (class, of, words) in [
        (
            "waiting dashed",
            (|day: &Day| day.ninth) as fn(&Day) -> Option<Duration>,
            t.insights_ninth,
        ),
        ("busy", |day: &Day| day.median, t.insights_median),
    ] {
        let share = |place: usize| (place as f64 + 0.5) / days.len() as f64;
        let mut before = false;
        let mut values = Vec::new();
        for (place, day) in days.iter().enumerate() {
            if let Some(time) = of(day) {
                values.push((share(place), time.as_secs_f64(), !before));
                let tip = format!("{}: {} ({words})", date(day.start), span(time));
                plot.dot(class, share(place), time.as_secs_f64(), tip);
            }
            before = of(day).is_some();
        }
        plot.line(class, &values);
    }
    plot.html()
}

fn day_rows(days: &[Day]) -> Vec<DayRow> {
    let busy = |day: &&Day| day.succeeded + day.failed + day.cancelled > 0;
    let rows = days.iter().rev().filter(busy).map(|day| DayRow {
        day: date(day.start),
        counts: [day.succeeded, day.failed, day.cancelled],
        median: spans(day.median),
        ninth: spans(day.ninth),
    });
    rows.collect()
}

fn catalog(kind: &str, name: &str) -> String {
    match kind {
        "environment" => format!("/catalog/environment/{name}"),
        "instance" | "pipeline" => format!("/catalog/service/{name}"),
        // Components are made from no template.
        _ => String::new(),
    }
}

fn template_rows(templates: &[OfTemplate]) -> Vec<TemplateRow> {
    let most = templates
        .iter()
        .map(|of| of.failed)
        .max()
        .unwrap_or_default()
        .max(1);
    let rows = templates.iter().take(MOST_ROWS).map(|of| TemplateRow {
        name: of.template.clone(),
        href: catalog(&of.kind, &of.template),
        kind: of.kind.clone(),
        failed: of.failed,
        ended: of.ended,
        rate: rate(of.failed, of.ended),
        width: of.failed * 1_000 / most,
    });
    rows.collect()
}

fn fleet_row(t: &Words, fleet: &Fleet) -> FleetRow {
    let href = match fleet.of {
        TemplateKind::Environment => format!("/catalog/environment/{}", fleet.template),
        TemplateKind::Service => format!("/catalog/service/{}", fleet.template),
    };
    let all = fleet.count().max(1);
    let mut x = 0;
    let parts = fleet.versions.iter().map(|version| {
        let (class, words, sign) = match version.standing {
            Standing::UpToDate => ("good", t.insights_up_to_date, "\u{2713}"),
            Standing::BehindMinor => ("waiting", t.insights_behind_minor, "\u{2191}"),
            Standing::BehindMajor => ("bad", t.insights_behind_major, "\u{21d1}"),
        };
        let part = Part {
            version: version.version.to_string(),
            href: format!("{href}/{}", version.version),
            count: version.count,
            class,
            words,
            sign,
            x: x * 1_000 / all,
            // A gap of four between two parts.
            width: (version.count * 1_000 / all).max(8) - 4,
        };
        x += version.count;
        part
    });
    FleetRow {
        parts: parts.collect(),
        name: fleet.template.to_string(),
        href,
        kind: fleet.kind,
        count: fleet.count(),
        recommended: fleet
            .recommended
            .map(|version| version.to_string())
            .unwrap_or_default(),
    }
}

fn environment_rows(environments: &[OfEnvironment]) -> Vec<EnvironmentRow> {
    let rows = environments.iter().take(MOST_ROWS).map(|of| EnvironmentRow {
        name: of.environment.clone(),
        weekly: format!("{:.1}", of.succeeded as f64 * 7.0 / DAYS as f64),
        rate: rate(of.failed, of.succeeded + of.failed),
        recovery: spans(of.recovery),
    });
    rows.collect()
}

/// Class, words and value of a line.
type Of = (&'static str, &'static str, fn(&Sample) -> u64);

/// What was sampled, as lines over a span of time that ends now.
struct Time<'a> {
    samples: &'a [Sample],
    from: i64,
    length: i64,
    step: i64,
}

impl Time<'_> {
    fn share(&self, at: Timestamp) -> f64 {
        let middle = at.as_micros() + self.step / 2 - self.from;
        (middle as f64 / self.length as f64).clamp(0.0, 1.0)
    }

    fn line(&self, plot: &mut Plot, class: &'static str, of: fn(&Sample) -> u64) {
        let mut before = None;
        let values = self.samples.iter().map(|sample| {
            let at = sample.at.as_micros();
            let breaks = before.is_some_and(|before| at - before > self.step);
            before = Some(at);
            (self.share(sample.at), of(sample) as f64, breaks)
        });
        let values: Vec<_> = values.collect();
        plot.line(class, &values);
        // Of a single value there is no line.
        if let [(share, value, _)] = values[..] {
            plot.dot(class, share, value, of(&self.samples[0]).to_string());
        }
    }

    fn name_times(&self, plot: &mut Plot, span: Span) {
        const PARTS: i64 = 6;
        for part in 0..=PARTS {
            let at = Timestamp::from_micros(self.from + self.length * part / PARTS);
            let label = if span == Span::Day { clock(at) } else { short(at) };
            plot.time(part as f64 / PARTS as f64, label);
        }
    }

    fn plot(
        &self,
        (id, title, span): (&'static str, &'static str, Span),
        lines: [Of; 2],
    ) -> Result<Html, AppError> {
        let highest = |of: fn(&Sample) -> u64| self.samples.iter().map(of).max().unwrap_or_default();
        let most = lines
            .map(|(.., of)| highest(of))
            .into_iter()
            .max()
            .unwrap_or_default();
        let mut plot = Plot::new(id, title, Unit::Count, most as f64);
        self.name_times(&mut plot, span);
        plot.keys(lines.map(|(class, label, _)| (class, label)));
        for (class, _, of) in lines {
            self.line(&mut plot, class, of);
        }
        plot.html()
    }
}

fn sampled(t: &Words, span: Span, now: Timestamp, samples: &[Sample]) -> Result<Sampled, AppError> {
    let (length, step) = span.length();
    let time = Time {
        samples,
        from: now.as_micros() - length,
        length,
        step,
    };
    let queue = time.plot(
        ("queue", t.insights_queue, span),
        [
            ("waiting", t.insights_ready, |sample| sample.jobs_ready),
            ("busy", t.insights_leased, |sample| sample.jobs_leased),
        ],
    )?;
    let agents = time.plot(
        ("agents", t.nav_agents, span),
        [
            ("quiet", t.insights_enrolled, |sample| sample.agents),
            ("good", t.online, |sample| sample.agents_live),
        ],
    )?;
    let words = |span: Span| match span {
        Span::Day => t.insights_span_day,
        Span::Week => t.insights_span_week,
        Span::Month => t.insights_span_month,
    };
    let rows = samples.iter().rev().map(|sample| SampleRow {
        at: When(sample.at),
        sample: *sample,
        oldest: self::spans((sample.oldest_ready > 0).then(|| Duration::from_micros(sample.oldest_ready))),
    });
    Ok(Sampled {
        spans: Span::ALL
            .map(|each| (each.word(), words(each), each == span))
            .to_vec(),
        queue,
        agents,
        rows: rows.collect(),
    })
}

fn tiles(t: &Words, insights: &Insights) -> Vec<Tile> {
    let sum = |of: fn(&Day) -> u64| insights.days.iter().map(of).sum::<u64>();
    let (succeeded, failed) = (sum(|day| day.succeeded), sum(|day| day.failed));
    let all = succeeded + failed + sum(|day| day.cancelled);
    let behind: u64 = insights
        .fleet
        .iter()
        .flat_map(|fleet| &fleet.versions)
        .filter(|version| version.standing != Standing::UpToDate)
        .map(|version| version.count)
        .sum();
    let mut tiles = vec![
        Tile {
            label: t.nav_deployments,
            value: all.to_string(),
        },
        Tile {
            label: t.insights_rate,
            value: rate(failed, succeeded + failed),
        },
        Tile {
            label: t.insights_behind,
            value: behind.to_string(),
        },
    ];
    if let Some((connected, all)) = insights.agents {
        tiles.push(Tile {
            label: t.insights_connected,
            value: format!("{connected} / {all}"),
        });
    }
    tiles
}

/// The page.
pub(super) async fn show(v: &Visit) -> Result<Shown, AppError> {
    let t = v.t;
    let asked = v.query.get("span");
    let span = Span::ALL
        .into_iter()
        .find(|span| span.word() == asked)
        .unwrap_or_default();
    let insights = v.app.insights(&v.caller, span).await?;
    let page = Page {
        v,
        now: When(insights.now),
        cut: insights.cut,
        tiles: tiles(t, &insights),
        per_day: per_day(t, &insights.days)?,
        took: took(t, &insights.days)?,
        days: day_rows(&insights.days),
        templates: template_rows(&insights.templates),
        fleet: insights.fleet.iter().map(|fleet| fleet_row(t, fleet)).collect(),
        environments: environment_rows(&insights.environments),
        sampled: insights
            .samples
            .as_deref()
            .map(|samples| sampled(t, span, insights.now, samples))
            .transpose()?,
    };
    let mut shown = Shown::titled(t.nav_insights);
    shown.lead = t.insights_lead.to_owned();
    shown.fixed = Html::of(&page)?;
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_and_times_have_their_parts() {
        assert_eq!(rate(0, 0), "\u{2013}");
        assert_eq!(
            (rate(1, 3), rate(2, 3), rate(3, 3)),
            ("33 %".into(), "67 %".into(), "100 %".into())
        );
        let at: Timestamp = "2026-11-30T06:37:30.25Z".parse().unwrap();
        assert_eq!(
            (date(at), short(at), clock(at)),
            ("2026-11-30".into(), "11-30".into(), "06:37".into())
        );
    }
}
