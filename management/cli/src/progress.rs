//! What is shown while something is waited for: one line per resource on a terminal, the worst first; one line per
//! change of state anywhere else. All of it goes to stderr.
//!
//! [`Track`] knows what happened to one deployment and decides the text; [`Board`] only puts lines on the screen.

use std::io::IsTerminal as _;
use std::time::Duration;

use hadron_proto::vocab::Timestamp;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{clean, paint, say};

/// One thing that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    /// Counts up within a deployment.
    pub(crate) sequence: u64,
    /// When.
    pub(crate) at: Option<Timestamp>,
    /// `hub`, `agent` or `stack`.
    pub(crate) source: String,
    /// For people.
    pub(crate) message: String,
    /// What happened to which resource.
    pub(crate) resource: Option<Resource>,
}

/// A resource of a stack, as last heard of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource {
    /// Name in the template.
    pub(crate) id: String,
    /// Such as `AWS::SNS::Topic`.
    pub(crate) kind: String,
    /// CloudFormation's word.
    pub(crate) status: String,
    /// Why, when CloudFormation said so.
    pub(crate) reason: String,
}

/// The deployment itself, as last heard of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// Such as `environment prd`.
    pub(crate) target: String,
    /// Proton's word.
    pub(crate) status: String,
    /// Why it failed.
    pub(crate) message: String,
    /// Why it has not begun.
    pub(crate) waiting_for: String,
    /// How many resources the change set names.
    pub(crate) planned: usize,
}

/// What is known of one deployment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    head: Head,
    resources: Vec<Resource>,
    last: u64,
}

/// Whether a deployment with this status goes on.
pub(crate) fn goes_on(status: &str) -> bool {
    matches!(status, "" | "IN_PROGRESS" | "DELETE_IN_PROGRESS" | "CANCELLING")
}

/// The worse, the smaller.
fn rank(status: &str) -> u8 {
    if status.contains("FAILED") {
        0
    } else if status.contains("ROLLBACK") {
        1
    } else if status.ends_with("IN_PROGRESS") {
        2
    } else {
        3
    }
}

fn is_stack(resource: &Resource) -> bool {
    resource.kind == "AWS::CloudFormation::Stack"
}

impl Track {
    /// A deployment that nothing is known of but its name.
    pub(crate) fn new(target: impl Into<String>) -> Self {
        Self {
            head: Head {
                target: target.into(),
                ..Head::default()
            },
            ..Self::default()
        }
    }

    /// Takes in news and gives the lines that tell them. What was told before is not told again.
    pub(crate) fn take(&mut self, head: Option<Head>, events: Vec<Event>) -> Vec<String> {
        let mut lines = Vec::new();
        let target = head
            .as_ref()
            .map_or_else(|| self.head.target.clone(), |head| head.target.clone());
        for event in events {
            // After a break the hub may send again what came just before it.
            if event.sequence != 0 && event.sequence <= self.last {
                continue;
            }
            self.last = self.last.max(event.sequence);
            let clock = event
                .at
                .map(|at| format!("{} ", time_of_day(at)))
                .unwrap_or_default();
            match event.resource {
                Some(resource) => {
                    let reason = if resource.reason.is_empty() {
                        String::new()
                    } else {
                        format!(": {}", clean(&resource.reason))
                    };
                    lines.push(format!(
                        "{clock}{target}: {} ({}) {}{}",
                        clean(&resource.id),
                        clean(&resource.kind),
                        clean(&resource.status),
                        reason.replace('\n', " "),
                    ));
                    match self.resources.iter_mut().find(|known| known.id == resource.id) {
                        Some(known) => *known = resource,
                        None => self.resources.push(resource),
                    }
                }
                None => lines.push(format!(
                    "{clock}{target}: {}: {}",
                    clean(&event.source),
                    clean(&event.message)
                )),
            }
        }
        if let Some(head) = head {
            if !head.waiting_for.is_empty() && head.waiting_for != self.head.waiting_for {
                lines.push(format!("{target}: waiting for {}", clean(&head.waiting_for)));
            }
            if head.status != self.head.status {
                let why = if head.message.is_empty() {
                    String::new()
                } else {
                    format!(": {}", clean(&head.message))
                };
                lines.push(format!("{target}: {}{why}", clean(&head.status)));
            }
            self.head = head;
        }
        lines
    }

    /// The headline.
    fn title(&self, color: bool) -> String {
        let done = self
            .resources
            .iter()
            .filter(|one| !is_stack(one) && rank(&one.status) == 3)
            .count();
        let known = self
            .resources
            .iter()
            .filter(|one| !is_stack(one))
            .count()
            .max(self.head.planned);
        let mut text = self.head.target.clone();
        text.push_str("  ");
        text.push_str(&if color {
            paint(&clean(&self.head.status))
        } else {
            clean(&self.head.status)
        });
        if !self.head.waiting_for.is_empty() {
            text.push_str(&format!("  waiting for {}", clean(&self.head.waiting_for)));
        } else if known > 0 {
            text.push_str(&format!("  {done}/{known} resources"));
        }
        text
    }

    /// Resources, the worst first, at most `room` lines; what did not fit is counted in the last one.
    fn lines(&self, room: usize, color: bool) -> Vec<String> {
        let mut shown: Vec<&Resource> = self
            .resources
            .iter()
            .filter(|one| !is_stack(one) || rank(&one.status) == 0)
            .collect();
        // Stable: within a rank the order of first sight stays, so that lines do not jump about.
        shown.sort_by_key(|one| rank(&one.status));
        let width = shown
            .iter()
            .map(|one| one.id.chars().count())
            .max()
            .unwrap_or(0)
            .min(40);
        let fits = if shown.len() > room {
            room.saturating_sub(1)
        } else {
            shown.len()
        };
        let mut lines: Vec<String> = shown[..fits]
            .iter()
            .map(|one| {
                let status = clean(&one.status);
                let status = if color { paint(&status) } else { status };
                let reason = clean(&one.reason).replace('\n', " ");
                let line = format!(
                    "  {:<width$}  {status}  {}  {reason}",
                    clean(&one.id),
                    clean(&one.kind)
                );
                line.trim_end().to_owned()
            })
            .collect();
        if fits < shown.len() && room > 0 {
            lines.push(format!("  and {} more", shown.len() - fits));
        }
        lines
    }
}

fn time_of_day(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..19)
        .map_or_else(|| text.clone(), |time| format!("{time}Z"))
}

/// How many lines are redrawn: what fits the smallest usual terminal. indicatif cuts what does not fit a smaller one.
const LINES: usize = 22;

/// Where lines go.
pub(crate) enum Board {
    /// A terminal: lines are redrawn.
    Live(Live),
    /// Anything else: lines are added.
    Plain,
}

pub(crate) struct Live {
    multi: MultiProgress,
    bars: Vec<ProgressBar>,
    color: bool,
}

impl Board {
    /// For this process's stderr.
    pub(crate) fn stderr() -> Self {
        let stderr = std::io::stderr();
        // A terminal that cannot move its cursor gets lines as well.
        if stderr.is_terminal() && console_can_move() {
            let color = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
            let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            Self::Live(Live {
                multi,
                bars: Vec::new(),
                color,
            })
        } else {
            Self::Plain
        }
    }

    /// Tells news: `lines` where lines are added, `tracks` where they are redrawn.
    pub(crate) fn show<'a>(&mut self, lines: &[String], tracks: impl Iterator<Item = &'a Track>) {
        match self {
            Self::Plain => lines.iter().for_each(say),
            Self::Live(live) => live.draw(tracks),
        }
    }

    /// Tells something that is about no deployment, such as a lost connection.
    pub(crate) fn note(&self, line: &str) {
        match self {
            Self::Plain => say(line),
            // Above the lines that are redrawn. A terminal that is gone shows nothing either way.
            Self::Live(live) => drop(live.multi.println(clean(line))),
        }
    }

    /// Leaves what stands on the screen and draws no more.
    pub(crate) fn close(&mut self) {
        if let Self::Live(live) = self {
            for bar in live.bars.drain(..) {
                bar.disable_steady_tick();
                bar.abandon();
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a terminal can do is only told by its environment"
)]
fn console_can_move() -> bool {
    std::env::var("TERM").map_or(cfg!(windows), |term| term != "dumb") && std::env::var("CI").is_err()
}

impl Live {
    fn draw<'a>(&mut self, tracks: impl Iterator<Item = &'a Track>) {
        let tracks: Vec<&Track> = tracks.collect();
        let room = (LINES / tracks.len().max(1)).saturating_sub(1).max(1);
        let mut wanted = Vec::new();
        for track in tracks {
            let runs = goes_on(&track.head.status);
            wanted.push((runs, track.title(self.color)));
            // What has ended well needs no lines any more.
            if runs || rank(&track.head.status) == 0 {
                wanted.extend(
                    track
                        .lines(room, self.color)
                        .into_iter()
                        .map(|line| (false, line)),
                );
            }
        }
        while self.bars.len() > wanted.len() {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
        }
        while self.bars.len() < wanted.len() {
            self.bars.push(self.multi.add(ProgressBar::new_spinner()));
        }
        for (bar, (runs, line)) in self.bars.iter().zip(wanted) {
            let template = if runs {
                "{spinner} {wide_msg}"
            } else {
                "  {wide_msg}"
            };
            bar.set_style(ProgressStyle::with_template(template).expect("the template is valid"));
            bar.set_message(line);
            if runs {
                bar.enable_steady_tick(Duration::from_millis(120));
            } else {
                bar.disable_steady_tick();
                bar.tick();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64, id: &str, status: &str, reason: &str) -> Event {
        Event {
            sequence,
            at: Some("2026-11-20T10:41:05Z".parse().unwrap()),
            source: "stack".to_owned(),
            message: String::new(),
            resource: Some(Resource {
                id: id.to_owned(),
                kind: "AWS::SNS::Topic".to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
            }),
        }
    }

    fn head(status: &str) -> Option<Head> {
        Some(Head {
            target: "environment prd".to_owned(),
            status: status.to_owned(),
            planned: 3,
            ..Head::default()
        })
    }

    #[test]
    fn one_line_per_change() {
        let mut track = Track::new("environment prd");
        let hub = Event {
            sequence: 1,
            source: "agent".to_owned(),
            message: "change set made".to_owned(),
            ..Event::default()
        };
        let mut lines = track.take(
            head("IN_PROGRESS"),
            vec![hub, event(2, "Topic", "CREATE_IN_PROGRESS", "")],
        );
        lines.extend(track.take(
            head("IN_PROGRESS"),
            vec![event(3, "Topic", "CREATE_FAILED", "no\nright")],
        ));
        let failed = Head {
            message: "stack failed".to_owned(),
            ..head("FAILED").unwrap()
        };
        lines.extend(track.take(Some(failed), Vec::new()));
        insta::assert_snapshot!(lines.join("\n"), @r"
        environment prd: agent: change set made
        10:41:05Z environment prd: Topic (AWS::SNS::Topic) CREATE_IN_PROGRESS
        environment prd: IN_PROGRESS
        10:41:05Z environment prd: Topic (AWS::SNS::Topic) CREATE_FAILED: no right
        environment prd: FAILED: stack failed
        ");
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let mut track = Track::new("x");
        assert_eq!(
            track
                .take(None, vec![event(1, "A", "S", ""), event(2, "B", "S", "")])
                .len(),
            2
        );
        assert_eq!(
            track
                .take(None, vec![event(2, "B", "S", ""), event(3, "C", "S", "")])
                .len(),
            1
        );
        assert_eq!(track.last, 3);
    }

    #[test]
    fn the_worst_stands_first_and_the_rest_is_counted() {
        let mut track = Track::new("environment prd");
        let events = vec![
            event(1, "Done", "CREATE_COMPLETE", ""),
            event(2, "Runs", "CREATE_IN_PROGRESS", ""),
            event(3, "Back", "ROLLBACK_IN_PROGRESS", ""),
            event(4, "Bad", "CREATE_FAILED", "access denied"),
        ];
        track.take(head("IN_PROGRESS"), events);
        insta::assert_snapshot!(track.title(false), @"environment prd  IN_PROGRESS  1/4 resources");
        insta::assert_snapshot!(track.lines(9, false).join("\n"), @r"
          Bad   CREATE_FAILED  AWS::SNS::Topic  access denied
          Back  ROLLBACK_IN_PROGRESS  AWS::SNS::Topic
          Runs  CREATE_IN_PROGRESS  AWS::SNS::Topic
          Done  CREATE_COMPLETE  AWS::SNS::Topic
        ");
        insta::assert_snapshot!(track.lines(2, false).join("\n"), @r"
          Bad   CREATE_FAILED  AWS::SNS::Topic  access denied
          and 3 more
        ");
    }

    #[test]
    fn hostile_text_is_cleaned() {
        let mut track = Track::new("x");
        let lines = track.take(None, vec![event(1, "A\u{1b}[2J", "S", "\u{7}r")]);
        assert!(
            !lines[0].contains('\u{1b}') && !lines[0].contains('\u{7}'),
            "{lines:?}"
        );
    }
}
