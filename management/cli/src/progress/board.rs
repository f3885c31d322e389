//! Where lines go: redrawn in place on a terminal that can do so, added one below the other anywhere else.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

use console::{Term, truncate_str};

use super::Track;
use super::screen::{Look, Size, lines};
use crate::output::{clean, say};

/// How often a terminal is drawn anew while nothing happens: time passes, and windows change their size.
pub(crate) const REDRAW: Duration = Duration::from_millis(250);

/// A terminal is not drawn more often than this.
const SOONEST: Duration = Duration::from_millis(50);

/// Lines on a terminal that are drawn anew in their place. The cursor stands at the beginning of the line below them: what the
/// terminal itself writes there, such as the `^C` of whoever leaves, is wiped out with the next drawing and moves nothing.
pub(crate) struct Canvas {
    term: Term,
    drawn: Vec<String>,
    /// What was to be drawn too soon after the last drawing.
    waits: Option<Vec<String>>,
    at: Option<Instant>,
}

impl Canvas {
    /// On stdout, where that is a terminal that can do so.
    pub(crate) fn stdout() -> Option<Self> {
        Self::on(Term::buffered_stdout())
    }

    fn stderr() -> Option<Self> {
        Self::on(Term::buffered_stderr())
    }

    fn on(term: Term) -> Option<Self> {
        (term.is_term() && redraws()).then_some(Self {
            term,
            drawn: Vec::new(),
            waits: None,
            at: None,
        })
    }

    /// Rows and columns. To be asked each time: windows change their size.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (rows, columns) = self.term.size();
        (rows.into(), columns.into())
    }

    /// Draws lines in the place of those before; what does not fit the width is cut off.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        let (_, columns) = self.size();
        let cut = lines.iter().map(|line| truncate_str(line, columns, "..."));
        let lines: Vec<String> = cut.map(Cow::into_owned).collect();
        if self.at.is_some_and(|at| at.elapsed() < SOONEST) {
            self.waits = Some(lines);
        } else if self.drawn != lines {
            self.put(None, lines);
        }
    }

    /// Tells something above the lines.
    fn note(&mut self, line: &str) {
        let lines = self.waits.take().unwrap_or_else(|| self.drawn.clone());
        self.put(Some(line), lines);
    }

    /// Leaves on the screen what is to be seen last.
    pub(crate) fn close(&mut self) {
        let lines = self.waits.take().unwrap_or_else(|| self.drawn.clone());
        self.put(None, lines);
    }

    fn put(&mut self, note: Option<&str>, lines: Vec<String>) {
        let term = &self.term;
        let written = (|| {
            term.clear_line()?;
            term.clear_last_lines(self.drawn.len())?;
            if let Some(note) = note {
                term.write_line(&clean(note))?;
            }
            lines.iter().try_for_each(|line| term.write_line(line))?;
            term.flush()
        })();
        // A terminal that is gone shows nothing either way.
        let _: io::Result<()> = written;
        self.drawn = lines;
        self.waits = None;
        self.at = Some(Instant::now());
    }
}

/// Where lines go.
pub(crate) struct Board {
    /// What is redrawn; `None` where lines are added.
    live: Option<Canvas>,
    color: bool,
    turn: usize,
    closed: bool,
}

impl Board {
    /// For this process's stderr.
    pub(crate) fn stderr() -> Self {
        let stderr = std::io::stderr();
        let color = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
        Self {
            live: Canvas::stderr(),
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
        let Some(canvas) = &mut self.live else { return };
        if tracks.is_empty() {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let (rows, columns) = canvas.size();
        let look = Look {
            size: Size { rows, columns },
            now: crate::clock::now(),
            color: self.color,
            turn: self.turn,
        };
        canvas.draw(&lines(tracks, look));
    }

    /// Tells something that is about no deployment, such as a lost connection.
    pub(crate) fn note(&mut self, line: &str) {
        match &mut self.live {
            Some(canvas) => canvas.note(line),
            None => say(line),
        }
    }

    /// Draws a last time, leaves that on the screen and draws no more.
    pub(crate) fn close(&mut self, tracks: &[&Track]) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.draw(tracks);
        if let Some(canvas) = &mut self.live {
            canvas.close();
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
