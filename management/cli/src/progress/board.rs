//! Where lines go: redrawn in place on a terminal that can do so, added one below the other anywhere else.

use std::io::IsTerminal as _;
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Track;
use super::screen::{Look, Size, lines};
use crate::output::{clean, say};

/// How often a terminal is drawn anew while nothing happens: time passes, and windows change their size.
pub(crate) const REDRAW: Duration = Duration::from_millis(250);

/// Where lines go.
pub(crate) struct Board {
    /// What is redrawn; `None` where lines are added.
    live: Option<ProgressBar>,
    color: bool,
    turn: usize,
    closed: bool,
}

impl Board {
    /// For this process's stderr.
    pub(crate) fn stderr() -> Self {
        let stderr = std::io::stderr();
        let color = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
        let live = (stderr.is_terminal() && redraws()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is valid"));
            bar
        });
        Self {
            live,
            color,
            turn: 0,
            closed: false,
        }
    }

    /// Whether it has to be drawn anew as time passes.
    pub(crate) const fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether status words are coloured.
    pub(crate) const fn color(&self) -> bool {
        self.color
    }

    /// Tells news: `told` where lines are added, `tracks` where they are redrawn.
    pub(crate) fn show(&mut self, told: &[String], tracks: &[&Track]) {
        if self.live.is_some() {
            self.draw(tracks);
        } else {
            told.iter().for_each(say);
        }
    }

    /// Draws anew, where lines are redrawn.
    pub(crate) fn draw(&mut self, tracks: &[&Track]) {
        let Some(bar) = &self.live else { return };
        if tracks.is_empty() {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        // Asked each time: windows change their size.
        let (rows, columns) = Term::stderr().size();
        let look = Look {
            size: Size {
                rows: rows.into(),
                columns: columns.into(),
            },
            now: crate::clock::now(),
            color: self.color,
            turn: self.turn,
        };
        bar.set_message(lines(tracks, look).join("\n"));
        bar.tick();
    }

    /// Tells something that is about no deployment, such as a lost connection.
    pub(crate) fn note(&self, line: &str) {
        match &self.live {
            // Above the lines that are redrawn. A terminal that is gone shows nothing either way.
            Some(bar) => bar.println(clean(line)),
            None => say(line),
        }
    }

    /// Draws a last time, leaves that on the screen and draws no more.
    pub(crate) fn close(&mut self, tracks: &[&Track]) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.draw(tracks);
        if let Some(bar) = &self.live {
            bar.abandon();
        }
    }
}

/// Whether a terminal can move its cursor, and somebody looks at it: those of CI systems write a log.
#[expect(
    clippy::disallowed_methods,
    reason = "what a terminal can do is only told by its environment"
)]
fn redraws() -> bool {
    let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    !console::is_dumb() && !ci
}
