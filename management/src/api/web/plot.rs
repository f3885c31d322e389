//! Plots as SVG: bars and lines over an axis of time. Everything is an attribute or a class, so that the policy of the console
//! needs no exception and colours follow light and dark. Whoever cannot see a plot reads the table beneath it.

use askama::Template;

use super::show::Html;

/// The size of a plot, in its own units. Pages scale it.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// About how many lines there are to read values from.
const LINES: f64 = 4.0;

/// What values of a plot are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Whole numbers of something.
    Count,
    /// Seconds.
    Time,
}

/// Something that is named beside a plot, and looks like this in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) class: &'static str,
    pub(super) label: &'static str,
}

struct Bar {
    class: &'static str,
    x: String,
    y: String,
    width: String,
    height: String,
    tip: String,
}

struct Dot {
    class: &'static str,
    x: String,
    y: String,
    tip: String,
}

struct Line {
    class: &'static str,
    path: String,
}

/// A plot in the making.
#[derive(Template)]
#[template(path = "plot.html")]
pub(super) struct Plot {
    /// Names it within its page.
    id: &'static str,
    title: String,
    /// The highest value that there is room for.
    most: f64,
    /// Lines to read values from: where, and what they stand for.
    values: Vec<(String, String)>,
    /// Points of time: where, and in words.
    times: Vec<(String, String)>,
    bars: Vec<Bar>,
    lines: Vec<Line>,
    dots: Vec<Dot>,
    keys: Vec<Key>,
}

fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The distance of lines, such that there are some and each stands for a round value.
fn step(most: f64, unit: Unit) -> f64 {
    const TIMES: [f64; 17] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
        14_400.0, 28_800.0, 86_400.0,
    ];
    let wanted = most / LINES;
    let round = match unit {
        Unit::Time => TIMES.into_iter().find(|step| *step >= wanted),
        Unit::Count => None,
    };
    round.unwrap_or_else(|| {
        let power = 10_f64.powf(wanted.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|each| each * power);
        steps.into_iter().find(|step| *step >= wanted).unwrap_or(wanted)
    })
}

/// A value as the axis has it.
fn told(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => number(value),
        Unit::Time if value < 60.0 => format!("{} s", number(value)),
        Unit::Time if value < 3_600.0 => format!("{} min", number(value / 60.0)),
        Unit::Time => format!("{} h", number(value / 3_600.0)),
    }
}

impl Plot {
    /// A plot with room for values up to `most`, and nothing in it yet.
    pub(super) fn new(id: &'static str, title: impl Into<String>, unit: Unit, most: f64) -> Self {
        let step = step(most.max(1.0), unit).max(if unit == Unit::Count { 1.0 } else { 0.0 });
        let lines = (most.max(1.0) / step).ceil();
        let mut plot = Self {
            id,
            title: title.into(),
            most: lines * step,
            values: Vec::new(),
            times: Vec::new(),
            bars: Vec::new(),
            lines: Vec::new(),
            dots: Vec::new(),
            keys: Vec::new(),
        };
        let mut value = 0.0;
        while value <= plot.most + step / 2.0 {
            plot.values.push((number(plot.y(value)), told(value, unit)));
            value += step;
        }
        plot
    }

    /// Where a share of the time is, from 0 to 1.
    fn x(share: f64) -> f64 {
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.most * (HEIGHT - TOP - BOTTOM)
    }

    /// Names a point of time.
    pub(super) fn time(&mut self, share: f64, label: impl Into<String>) {
        self.times.push((number(Self::x(share)), label.into()));
    }

    /// Names what things look like.
    pub(super) fn keys<const N: usize>(&mut self, keys: [(&'static str, &'static str); N]) {
        self.keys = keys.map(|(class, label)| Key { class, label }).to_vec();
    }

    /// A bar of parts that stand on one another, the first of them lowest, in place `place` of `places`.
    pub(super) fn bar(&mut self, place: usize, places: usize, parts: &[(&'static str, u64, String)]) {
        let whole = 1.0 / places as f64;
        let (from, to) = (
            Self::x(whole * place as f64),
            Self::x(whole * (place as f64 + 1.0)),
        );
        let gap = (to - from) * 0.15;
        let mut below = 0.0;
        for (class, count, tip) in parts.iter().filter(|(_, count, _)| *count > 0) {
            let (bottom, top) = (self.y(below), self.y(below + *count as f64));
            below += *count as f64;
            self.bars.push(Bar {
                class,
                x: number(from + gap),
                y: number(top),
                width: number(to - from - 2.0 * gap),
                height: number((bottom - top).max(0.5)),
                tip: tip.clone(),
            });
        }
    }

    /// A line through values at shares of the time. Between two values that are not neighbours (`true`: nothing was there
    /// before this one) it breaks.
    pub(super) fn line(&mut self, class: &'static str, values: &[(f64, f64, bool)]) {
        let mut path = String::new();
        for (share, value, breaks) in values {
            let sign = if path.is_empty() || *breaks { 'M' } else { 'L' };
            path.push_str(&format!(
                "{sign}{} {}",
                number(Self::x(*share)),
                number(self.y(*value))
            ));
        }
        if !path.is_empty() {
            self.lines.push(Line { class, path });
        }
    }

    /// A dot at a share of the time.
    pub(super) fn dot(&mut self, class: &'static str, share: f64, value: f64, tip: impl Into<String>) {
        self.dots.push(Dot {
            class,
            x: number(Self::x(share)),
            y: number(self.y(value)),
            tip: tip.into(),
        });
    }

    /// As part of a page.
    pub(super) fn html(&self) -> Result<Html, crate::app::AppError> {
        Html::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_for_round_values_and_leave_room_for_the_highest() {
        for (most, unit, labels) in [
            (0.0, Unit::Count, vec!["0", "1"]),
            (3.0, Unit::Count, vec!["0", "1", "2", "3"]),
            (7.0, Unit::Count, vec!["0", "2", "4", "6", "8"]),
            (430.0, Unit::Count, vec!["0", "200", "400", "600"]),
            (50.0, Unit::Time, vec!["0 s", "15 s", "30 s", "45 s", "1 min"]),
            (5_000.0, Unit::Time, vec!["0 s", "30 min", "1 h", "1.5 h"]),
        ] {
            let plot = Plot::new("p", "", unit, most);
            let found: Vec<&str> = plot.values.iter().map(|(_, label)| label.as_str()).collect();
            assert_eq!(found, labels, "{most}");
            assert!(plot.most >= most);
        }
    }

    #[test]
    fn what_is_in_a_plot_is_where_its_value_is_and_names_stay_text() {
        let mut plot = Plot::new("p", "<title>", Unit::Count, 4.0);
        plot.bar(
            0,
            1,
            &[
                ("bad", 1, "one".to_owned()),
                ("quiet", 0, "none".to_owned()),
                ("good", 3, "<b>".to_owned()),
            ],
        );
        plot.line("good", &[(0.0, 0.0, false), (0.5, 4.0, false), (1.0, 2.0, true)]);
        let html = plot.html().unwrap().0;
        assert!(html.contains("d=\"M52 214L395 12M738 113\""), "{html}");
        // The second part stands on the first.
        let lower = "y=\"163.5\" width=\"480.2\" height=\"50.5\"";
        let upper = "y=\"12\" width=\"480.2\" height=\"151.5\"";
        assert!(html.contains(lower) && html.contains(upper), "{html}");
        assert!(
            !html.contains("none") && !html.contains("<b>") && !html.contains("style="),
            "{html}"
        );
        assert!(html.contains("&#60;title&#62;"), "{html}");
    }
}
