//! Lists, and with `--watch` what becomes of them: one table that is drawn anew on a terminal, a line for each thing that has
//! changed anywhere else.
//!
//! Streams of the hub only say that something may be different. The list is then asked for again, so that filters and limits
//! mean the same as without `--watch`, and nothing is shown that the list would not have.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::Context;
use super::follow::{GIVE_UP, News, Runs};
use crate::args::Listing;
use crate::error::{Exit, Failure, Result};
use crate::output::{Format, Out, Show, emit_more, say};
use crate::progress::Canvas;

/// Changes that come one upon another are shown together.
const TOGETHER: Duration = Duration::from_millis(200);
/// How often ages are drawn anew.
const AGES: Duration = Duration::from_secs(1);
/// How often a list is asked for that no stream tells of, or whose hub is away.
const EVERY: Duration = Duration::from_secs(2);
/// What a table on a terminal leaves free below it: what is said about it, and the line of the cursor.
const BELOW: usize = 2;

/// Says now and then that something may be different.
pub(super) async fn now_and_then(tell: UnboundedSender<News>) -> Result<()> {
    loop {
        sleep(EVERY).await;
        let _ = tell.send(News::Changed);
    }
}

impl Context {
    /// Prints a list; with `--watch` goes on to print what becomes of it. `changes` says when it may be different.
    pub(super) async fn listed<'a, T: Show>(
        &'a self,
        listing: &Listing,
        none: &str,
        list: impl AsyncFn(Option<usize>) -> Result<Vec<T>>,
        changes: impl FnOnce(UnboundedSender<News>) -> LocalBoxFuture<'a, Result<()>>,
    ) -> Result<()> {
        let limit = listing.limit.limit;
        if !listing.watch {
            return self.list(&list(limit).await?, none);
        }
        if matches!(self.out.format, Format::Json | Format::Yaml) || self.query.is_some() {
            return Err(Failure::usage(
                "json, yaml and --query are of a whole list, and one that is watched has no end",
            )
            .why("give -o jsonl: an object in each line, and once more whenever it has changed"));
        }
        let list = async || list(limit).await;
        let mut sheet = Sheet::new(self.out, none);
        if !sheet.take(list().await?)? {
            return Ok(());
        }
        let mut runs = Runs::default();
        runs.start(changes);
        let ended = tokio::select! {
            biased;
            _ = self.stop.asked() => Err(Failure::new(Exit::Interrupted, "no longer watched")),
            ended = watch(&mut sheet, &list, &mut runs) => ended,
        };
        sheet.close();
        ended
    }
}

/// Shows changes until nobody reads them any more, or something fails for good.
async fn watch<T: Show>(
    sheet: &mut Sheet<'_, T>,
    list: &impl AsyncFn() -> Result<Vec<T>>,
    runs: &mut Runs<'_>,
) -> Result<()> {
    let mut ages = interval(AGES);
    ages.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let news = tokio::select! {
            news = runs.heard() => news,
            _ = ages.tick() => {
                sheet.draw();
                continue;
            }
        };
        match news.transpose()? {
            Some(News::Note(note)) => sheet.note(&note),
            Some(_) => {
                sleep(TOGETHER).await;
                for note in runs.settle() {
                    sheet.note(&note);
                }
                if !sheet.take(patiently(list).await?)? {
                    return Ok(());
                }
            }
            None => {
                return Err(Failure::new(
                    Exit::Failure,
                    "the hub tells no more of what changes",
                ));
            }
        }
    }
}

/// A list, also when the hub is away for a while.
async fn patiently<T>(list: &impl AsyncFn() -> Result<Vec<T>>) -> Result<Vec<T>> {
    let since = Instant::now();
    loop {
        match list().await {
            Err(failure) if failure.exit == Exit::Unreachable && since.elapsed() < GIVE_UP => {
                sleep(EVERY).await
            }
            other => return other,
        }
    }
}

/// Where a watched list is shown.
struct Sheet<'a, T> {
    out: Out,
    none: &'a str,
    /// What is drawn anew; `None` where lines are added.
    canvas: Option<Canvas>,
    things: Vec<T>,
    /// What each thing was like when it was shown last, where lines are added; `None` before the first time.
    shown: Option<BTreeMap<String, Map<String, Value>>>,
    note: String,
}

impl<'a, T: Show> Sheet<'a, T> {
    fn new(out: Out, none: &'a str) -> Self {
        let canvas = (out.format == Format::Table).then(Canvas::stdout).flatten();
        Self {
            out,
            none,
            canvas,
            things: Vec::new(),
            shown: None,
            note: String::new(),
        }
    }

    /// What there is now. Says whether anybody looks at it.
    fn take(&mut self, things: Vec<T>) -> Result<bool> {
        self.things = things;
        if self.canvas.is_some() {
            self.draw();
            Ok(true)
        } else {
            self.add()
        }
    }

    /// Adds a line for each thing that is new or different, in the columns of the whole table.
    fn add(&mut self) -> Result<bool> {
        self.out.now = crate::clock::now();
        let first = self.shown.is_none();
        let before = self.shown.take().unwrap_or_default();
        let now: BTreeMap<_, _> = self
            .things
            .iter()
            .map(|thing| (thing.name(), thing.fields()))
            .collect();
        if first && now.is_empty() && self.out.format.is_table() {
            say(self.none);
        }
        let (text, _) = self.out.many_but(&self.things);
        let head = usize::from(self.out.format.is_table() && self.out.headers);
        let mut lines: Vec<&str> = text.lines().collect();
        let rows = lines.split_off(head.min(lines.len()));
        let mut fresh = String::new();
        if first && !self.things.is_empty() {
            lines.iter().for_each(|line| fresh.push_str(&format!("{line}\n")));
        }
        for (thing, row) in self.things.iter().zip(rows) {
            let name = thing.name();
            if before.get(&name) != now.get(&name) {
                fresh.push_str(&format!("{row}\n"));
            }
        }
        let gone = before.keys().filter(|name| !now.contains_key(*name));
        gone.for_each(|name| say(format!("{name} is no longer there")));
        self.shown = Some(now);
        emit_more(&fresh)
    }

    fn draw(&mut self) {
        let Some(canvas) = &mut self.canvas else { return };
        let (rows, columns) = canvas.size();
        let out = Out {
            width: u16::try_from(columns).ok(),
            now: crate::clock::now(),
            ..self.out
        };
        let mut lines: Vec<String> = Vec::new();
        let mut about = if self.things.is_empty() {
            self.none.to_owned()
        } else {
            let (text, left_out) = out.many_but(&self.things);
            lines.extend(text.lines().map(str::to_owned));
            let room = rows.saturating_sub(BELOW).max(1);
            let hidden = lines.len().saturating_sub(room);
            lines.truncate(room);
            let mut about = Vec::new();
            if hidden > 0 {
                about.push(format!("and {hidden} more"));
            }
            about.push("Ctrl-C ends".to_owned());
            if !left_out.is_empty() {
                about.push(format!("no room for {}", left_out.join(", ")));
            }
            about.join("; ")
        };
        if !self.note.is_empty() {
            about = format!("{}; {about}", self.note);
        }
        lines.push(about);
        canvas.draw(&lines);
    }

    /// Tells something about the connection.
    fn note(&mut self, note: &str) {
        if self.canvas.is_some() {
            note.clone_into(&mut self.note);
            self.draw();
        } else {
            say(note);
        }
    }

    fn close(&mut self) {
        if let Some(canvas) = &mut self.canvas {
            canvas.close();
        }
    }
}
