//! What is shown while something is waited for: one line per resource on a terminal, the worst first; one line per
//! change of state anywhere else. All of it goes to stderr.
//!
//! [`Track`] knows what happened to one deployment, [`screen`] makes lines of several that fit a terminal, and [`Board`] only
//! puts lines on the screen.

use std::time::Duration;

use hadron_proto::vocab::Timestamp;

use crate::output::{clean, paint};

mod board;
mod screen;

pub(crate) use board::{Board, Canvas, REDRAW};

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
    /// When it began.
    pub(crate) began: Option<Timestamp>,
    /// When it ended.
    pub(crate) ended: Option<Timestamp>,
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

/// How bad a state is; the worse, the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It failed.
    Failed,
    /// It goes back, or something of it failed.
    Back,
    /// It has not begun, and waits for something.
    Waits,
    /// It is being worked on.
    Runs,
    /// It has come to its end.
    Done,
}

fn rank(status: &str) -> Rank {
    if status.contains("FAILED") {
        Rank::Failed
    } else if status.contains("ROLLBACK") || status.starts_with("CANCEL") {
        Rank::Back
    } else if status.is_empty() || status.ends_with("IN_PROGRESS") {
        Rank::Runs
    } else {
        Rank::Done
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
    pub(crate) fn take(&mut self, head: Option<Head>, events: Vec<Event>, color: bool) -> Vec<String> {
        let word = |status: &str| {
            let status = clean(status);
            if color { paint(&status) } else { status }
        };
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
                        word(&resource.status),
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
                lines.push(format!("{target}: {}{why}", word(&head.status)));
            }
            self.head = head;
        }
        lines
    }

    /// How bad it is.
    fn rank(&self) -> Rank {
        let own = rank(&self.head.status);
        if own != Rank::Runs {
            return own;
        }
        let worst = self.resources.iter().map(|one| rank(&one.status)).min();
        match worst {
            Some(Rank::Failed | Rank::Back) => Rank::Back,
            _ if !self.head.waiting_for.is_empty() => Rank::Waits,
            _ => Rank::Runs,
        }
    }

    fn runs(&self) -> bool {
        goes_on(&self.head.status)
    }

    /// The headline; the width is that of the longest target.
    fn title(&self, width: usize, now: Timestamp, color: bool) -> String {
        let own = || self.resources.iter().filter(|one| !is_stack(one));
        let done = own().filter(|one| rank(&one.status) == Rank::Done).count();
        let known = own().count().max(self.head.planned);
        let mut parts = vec![padded(&clean(&self.head.target), width)];
        let status = clean(&self.head.status);
        if !status.is_empty() {
            parts.push(if color { paint(&status) } else { status });
        }
        if !self.head.waiting_for.is_empty() {
            parts.push(format!("waiting for {}", clean(&self.head.waiting_for)));
        } else if known > 0 {
            parts.push(format!("{done}/{known} resources"));
        }
        if let Some(began) = self.head.began {
            parts.push(elapsed(self.head.ended.unwrap_or(now).since(began)));
        }
        parts.join("  ").trim_end().to_owned()
    }

    /// Resources, the worst first, at most `room` lines; what did not fit is counted in the last one.
    fn lines(&self, room: usize, color: bool) -> Vec<String> {
        let mut shown = self.shown();
        // Stable: within a rank the order of first sight stays, so that lines do not jump about.
        shown.sort_by_key(|one| rank(&one.status));
        let width = shown
            .iter()
            .map(|one| console::measure_text_width(&clean(&one.id)))
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
                let id = padded(&clean(&one.id), width);
                let line = format!("  {id}  {status}  {}  {reason}", clean(&one.kind));
                line.trim_end().to_owned()
            })
            .collect();
        if fits < shown.len() && room > 0 {
            lines.push(format!("  and {} more", shown.len() - fits));
        }
        lines
    }

    /// The stack itself is only worth a line of its own when it failed.
    fn shown(&self) -> Vec<&Resource> {
        let worth = |one: &&Resource| !is_stack(one) || rank(&one.status) == Rank::Failed;
        self.resources.iter().filter(worth).collect()
    }
}

/// Filled up to a number of columns, whatever the script.
fn padded(text: &str, width: usize) -> String {
    let fill = width.saturating_sub(console::measure_text_width(text));
    format!("{text}{:fill$}", "")
}

/// A time that passes, to the second for as long as seconds count.
fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

fn time_of_day(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..19)
        .map_or_else(|| text.clone(), |time| format!("{time}Z"))
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
            began: Some("2026-11-20T10:41:05Z".parse().unwrap()),
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
            false,
        );
        lines.extend(track.take(
            head("IN_PROGRESS"),
            vec![event(3, "Topic", "CREATE_FAILED", "no\nright")],
            false,
        ));
        let failed = Head {
            message: "stack failed".to_owned(),
            ..head("FAILED").unwrap()
        };
        lines.extend(track.take(Some(failed), Vec::new(), false));
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
        let mut told = |one, two| track.take(None, vec![one, two], false).len();
        assert_eq!(told(event(1, "A", "S", ""), event(2, "B", "S", "")), 2);
        assert_eq!(told(event(2, "B", "S", ""), event(3, "C", "S", "")), 1);
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
        track.take(head("IN_PROGRESS"), events, false);
        let now = "2026-11-20T10:43:15Z".parse().unwrap();
        insta::assert_snapshot!(track.title(0, now, false), @"environment prd  IN_PROGRESS  1/4 resources  2m 10s");
        assert_eq!(track.rank(), Rank::Back, "something of it failed");
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
        let lines = track.take(None, vec![event(1, "A\u{1b}[2J", "S", "\u{7}r")], false);
        assert!(
            !lines[0].contains('\u{1b}') && !lines[0].contains('\u{7}'),
            "{lines:?}"
        );
    }
    #[test]
    fn colour_stands_on_status_words_where_it_is_wanted() {
        let mut track = Track::new("x");
        let lines = track.take(head("FAILED"), vec![event(1, "A", "CREATE_FAILED", "")], true);
        assert!(lines.iter().all(|line| line.contains("\u{1b}[31m")), "{lines:?}");
    }

    #[test]
    fn times_pass_to_the_second() {
        let shown = [5, 65, 3_599, 3_600, 90_061].map(|seconds| elapsed(Duration::from_secs(seconds)));
        assert_eq!(shown, ["5s", "1m 05s", "59m 59s", "1h 00m", "25h 01m"]);
    }
}
