//! Plots with logarithmic axes, readable on light and dark ground.

use std::fmt::Write as _;

use crate::report::short;

/// One line of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    /// The project's own.
    pub(crate) strong: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A plot.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) lines: Vec<Line>,
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 250.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 52.0;
/// Apart for people who do not see all colours, and visible on white as on black.
const COLOURS: [&str; 8] = [
    "#0b84d8", "#d9822b", "#2a9d6f", "#b65ba8", "#c0504d", "#7f8c3f", "#5f6fd0", "#8a7f78",
];
const INK: &str = "#7a7f87";

/// An axis over whole decades.
#[derive(Clone, Copy, Debug)]
struct Axis {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
        let least = logs.iter().copied().reduce(f64::min)?.floor();
        let most = logs.iter().copied().reduce(f64::max)?.ceil();
        Some(Self {
            least,
            most: if most > least { most } else { least + 1.0 },
            from,
            to,
        })
    }

    fn at(self, value: f64) -> f64 {
        let part = (value.log10() - self.least) / (self.most - self.least);
        part.mul_add(self.to - self.from, self.from)
    }

    fn decades(self) -> impl Iterator<Item = f64> {
        (self.least as i32..=self.most as i32).map(|power| 10_f64.powi(power))
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

impl Plot {
    /// The picture; `None` when there is nothing to show how it grows.
    pub(crate) fn draw(&self) -> Option<String> {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().copied());
        if !self.lines.iter().any(|line| line.points.len() > 1) {
            return None;
        }
        let across = Axis::over(points().map(|(x, _)| x), LEFT, WIDTH - RIGHT)?;
        let up = Axis::over(points().map(|(_, y)| y), HEIGHT - BOTTOM, TOP)?;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n<title>{}</title>",
            escape(&self.title)
        );
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"22\" font-size=\"14\" font-weight=\"600\">{}</text>",
            escape(&self.title)
        );
        let grid = format!("stroke=\"{INK}\" stroke-opacity=\"0.3\"");
        for x in across.decades() {
            let at = across.at(x);
            let (top, bottom) = (TOP, HEIGHT - BOTTOM);
            let _ = writeln!(
                out,
                "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\" {grid}/>"
            );
            let _ = writeln!(
                out,
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                short(x)
            );
        }
        for y in up.decades() {
            let at = up.at(y);
            let (left, right) = (LEFT, WIDTH - RIGHT);
            let _ = writeln!(
                out,
                "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" {grid}/>"
            );
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 8.0,
                at + 4.0,
                short(y)
            );
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        let _ = writeln!(
            out,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 12.0,
            escape(&self.x)
        );
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{}\">{}</text>",
            TOP - 8.0,
            escape(&self.y)
        );
        for (line, (number, label_at)) in self.lines.iter().zip(self.labels(up)) {
            let colour = COLOURS[number % COLOURS.len()];
            let width = if line.strong { 3.0 } else { 1.6 };
            let places: Vec<(f64, f64)> = line
                .points
                .iter()
                .filter(|(_, y)| *y > 0.0)
                .map(|(x, y)| (across.at(*x), up.at(*y)))
                .collect();
            let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
                path.join(" ")
            );
            for ((x, y), (size, value)) in places.iter().zip(&line.points) {
                let _ = writeln!(
                    out,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{width}\" fill=\"{colour}\"><title>{}: {} at {}</title></circle>",
                    escape(&line.label),
                    short(*value),
                    short(*size)
                );
            }
            let Some((x, y)) = places.last() else { continue };
            let label_x = WIDTH - RIGHT + 12.0;
            let _ = writeln!(
                out,
                "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{label_x}\" y2=\"{label_at:.1}\" stroke=\"{colour}\" stroke-opacity=\"0.5\" stroke-dasharray=\"2 3\"/>"
            );
            let weight = if line.strong { " font-weight=\"600\"" } else { "" };
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\"{weight}>{}</text>",
                label_x + 4.0,
                label_at + 4.0,
                escape(&line.label)
            );
        }
        out.push_str("</svg>\n");
        Some(out)
    }

    /// The number of each line, and where its label stands so that none covers another.
    fn labels(&self, up: Axis) -> Vec<(usize, f64)> {
        let mut wanted: Vec<(usize, f64)> = self
            .lines
            .iter()
            .enumerate()
            .map(|(number, line)| {
                let last = line.points.iter().rev().find(|(_, y)| *y > 0.0);
                (number, last.map_or(HEIGHT - BOTTOM, |(_, y)| up.at(*y)))
            })
            .collect();
        wanted.sort_by(|one, other| one.1.total_cmp(&other.1));
        let mut least = TOP;
        for (_, at) in &mut wanted {
            *at = at.max(least);
            least = *at + 16.0;
        }
        wanted.sort_by_key(|(number, _)| *number);
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_on_logarithmic_axes_with_labels_apart() {
        let line = |label: &str, factor: f64| Line {
            label: label.to_owned(),
            strong: label == "Hadron",
            points: vec![(10.0, factor), (100.0, 10.0 * factor), (1_000.0, 100.0 * factor)],
        };
        let plot = Plot {
            title: "Time <of> jobs".to_owned(),
            x: "agents".to_owned(),
            y: "ms".to_owned(),
            lines: vec![line("Hadron", 1.0), line("other", 1.01)],
        };
        let svg = plot.draw().unwrap();
        assert!(svg.contains("Time &lt;of&gt; jobs") && svg.ends_with("</svg>\n"));
        // Two decades of the x axis: its middle is at 100.
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        assert!(svg.contains(&format!("{middle:.1},")), "{svg}");
        let labels = plot.labels(Axis::over([1.0, 101.0].into_iter(), HEIGHT - BOTTOM, TOP).unwrap());
        assert!((labels[0].1 - labels[1].1).abs() >= 15.9, "{labels:?}");
    }

    #[test]
    fn a_single_point_is_no_plot() {
        let plot = Plot {
            title: String::new(),
            x: String::new(),
            y: String::new(),
            lines: vec![Line {
                label: "one".to_owned(),
                strong: false,
                points: vec![(1.0, 1.0)],
            }],
        };
        assert!(plot.draw().is_none());
    }
}
