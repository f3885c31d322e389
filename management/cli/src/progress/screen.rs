//! Lines for a terminal: what there is to say about some deployments, the worst first, never more than fit.

use hadron_proto::vocab::Timestamp;

use super::{Rank, Track, elapsed, rank};
use crate::output::clean;

/// What a terminal shows at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// What turns while something goes on.
const TURNS: [&str; 4] = ["|", "/", "-", "\\"];

/// How lines look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) size: Size,
    pub(super) now: Timestamp,
    pub(super) color: bool,
    /// Counts up with each drawing.
    pub(super) turn: usize,
}

/// The lines; each fits the terminal's width and all of them its height.
pub(super) fn lines(tracks: &[&Track], look: Look) -> Vec<String> {
    // The cursor stands below the last line. A window of some lines still gets one.
    let room = look.size.rows.saturating_sub(1).max(1);
    let mut sorted = tracks.to_vec();
    // Stable, as for resources.
    sorted.sort_by_key(|track| track.rank());
    let mut all = Vec::new();
    if sorted.len() > 1 {
        all.push(format!("  {}", counts(&sorted, look.now)));
    }
    let left = room.saturating_sub(all.len());
    let titles = if sorted.len() > left {
        left.saturating_sub(1)
    } else {
        sorted.len()
    };
    let (shown, hidden) = sorted.split_at(titles);
    let spare = left.saturating_sub(titles + usize::from(!hidden.is_empty()));
    body(shown, spare, look, &mut all);
    if !hidden.is_empty() {
        all.push(format!("  and {} more: {}", hidden.len(), words(hidden)));
    }
    all.truncate(room);
    for line in &mut all {
        *line = console::truncate_str(line, look.size.columns, "...").into_owned();
    }
    all
}

/// A title for each, and resources below it where there is room.
fn body(shown: &[&Track], mut spare: usize, look: Look, all: &mut Vec<String>) {
    let width = |track: &&Track| console::measure_text_width(&clean(&track.head.target));
    let width = shown.iter().map(width).max().unwrap_or(0).min(48);
    // What has ended well needs no lines any more.
    let wants = |track: &Track| track.runs() || track.rank() == Rank::Failed;
    let mut waiting = shown.iter().filter(|track| wants(track)).count();
    for track in shown {
        let turn = if track.runs() {
            TURNS[look.turn % TURNS.len()]
        } else {
            " "
        };
        all.push(format!("{turn} {}", track.title(width, look.now, look.color)));
        if wants(track) {
            // The first are the worst: what they do not need is left to the others, and not the other way round.
            let share = spare.div_ceil(waiting.max(1));
            let lines = track.lines(share, look.color);
            spare -= lines.len();
            waiting -= 1;
            all.extend(lines.into_iter().map(|line| format!("  {line}")));
        }
    }
}

/// `4 deployments: 1 failed, 3 in progress  2m 10s`.
fn counts(tracks: &[&Track], now: Timestamp) -> String {
    let mut text = format!("{} deployments: {}", tracks.len(), words(tracks));
    let began = tracks.iter().filter_map(|track| track.head.began).min();
    let runs = tracks.iter().any(|track| track.runs());
    let ended = tracks.iter().filter_map(|track| track.head.ended).max();
    if let Some(began) = began {
        let until = if runs { now } else { ended.unwrap_or(now) };
        text.push_str(&format!("  {}", elapsed(until.since(began))));
    }
    text
}

/// How many are how, the worst first.
fn words(tracks: &[&Track]) -> String {
    let word = |track: &Track| match track.head.status.as_str() {
        "" => "not heard of yet".to_owned(),
        _ if track.runs() && !track.head.waiting_for.is_empty() => "waiting".to_owned(),
        status => clean(status).to_lowercase().replace('_', " "),
    };
    let mut found: Vec<(Rank, String, usize)> = Vec::new();
    for track in tracks {
        let word = word(track);
        match found.iter_mut().find(|(_, known, _)| *known == word) {
            Some((_, _, count)) => *count += 1,
            None => found.push((rank(&track.head.status), word, 1)),
        }
    }
    found.sort_by_key(|(rank, ..)| *rank);
    let parts: Vec<String> = found
        .into_iter()
        .map(|(_, word, count)| format!("{count} {word}"))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Head, Resource};
    use super::*;

    fn track(target: &str, status: &str, resources: &[(&str, &str)]) -> Track {
        let mut track = Track::new(target);
        let head = Head {
            target: target.to_owned(),
            status: status.to_owned(),
            began: Some("2026-11-20T10:40:00Z".parse().unwrap()),
            ended: (!super::super::goes_on(status)).then(|| "2026-11-20T10:41:00Z".parse().unwrap()),
            ..Head::default()
        };
        let events = resources.iter().zip(1..).map(|((id, status), sequence)| Event {
            sequence,
            resource: Some(Resource {
                id: (*id).to_owned(),
                kind: "AWS::SNS::Topic".to_owned(),
                status: (*status).to_owned(),
                reason: String::new(),
            }),
            ..Event::default()
        });
        track.take(Some(head), events.collect(), false);
        track
    }

    fn look(rows: usize, columns: usize) -> Look {
        Look {
            size: Size { rows, columns },
            now: "2026-11-20T10:42:30Z".parse().unwrap(),
            color: false,
            turn: 0,
        }
    }

    fn fleet() -> Vec<Track> {
        let runs = [
            ("Topic", "CREATE_COMPLETE"),
            ("Queue", "CREATE_IN_PROGRESS"),
            ("Table", "CREATE_IN_PROGRESS"),
        ];
        let mut waits = track("instance web/stg", "IN_PROGRESS", &[]);
        waits.head.waiting_for = "an agent of account 222222222222 in us-east-1 to take the job".to_owned();
        vec![
            track("instance web/dev", "SUCCEEDED", &runs[..1]),
            track("instance web/prd", "IN_PROGRESS", &runs),
            waits,
            track(
                "pipeline web",
                "FAILED",
                &[("Role", "CREATE_FAILED"), ("Topic", "CREATE_COMPLETE")],
            ),
        ]
    }

    fn shown(tracks: &[Track], look: Look) -> String {
        lines(&tracks.iter().collect::<Vec<_>>(), look).join("\n")
    }

    #[test]
    fn the_worst_stands_first() {
        insta::assert_snapshot!(shown(&fleet(), look(24, 80)), @r"
          4 deployments: 1 failed, 1 waiting, 1 in progress, 1 succeeded  2m 30s
          pipeline web      FAILED  1/2 resources  1m 00s
            Role   CREATE_FAILED  AWS::SNS::Topic
            Topic  CREATE_COMPLETE  AWS::SNS::Topic
        | instance web/stg  IN_PROGRESS  waiting for an agent of account 222222222222...
        | instance web/prd  IN_PROGRESS  1/3 resources  2m 30s
            Queue  CREATE_IN_PROGRESS  AWS::SNS::Topic
            Table  CREATE_IN_PROGRESS  AWS::SNS::Topic
            Topic  CREATE_COMPLETE  AWS::SNS::Topic
          instance web/dev  SUCCEEDED  1/1 resources  1m 00s
        ");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        insta::assert_snapshot!(shown(&fleet(), look(8, 60)), @r"
          4 deployments: 1 failed, 1 waiting, 1 in progress, 1 su...
          pipeline web      FAILED  1/2 resources  1m 00s
            and 2 more
        | instance web/stg  IN_PROGRESS  waiting for an agent of ...
        | instance web/prd  IN_PROGRESS  1/3 resources  2m 30s
            and 3 more
          instance web/dev  SUCCEEDED  1/1 resources  1m 00s
        ");
        insta::assert_snapshot!(shown(&fleet(), look(4, 60)), @r"
          4 deployments: 1 failed, 1 waiting, 1 in progress, 1 su...
          pipeline web  FAILED  1/2 resources  1m 00s
          and 3 more: 1 waiting, 1 in progress, 1 succeeded
        ");
    }

    #[test]
    fn nothing_is_taller_or_wider_than_the_terminal() {
        let many: Vec<Track> = (0..40)
            .map(|at| {
                let resources = [("資源資源資源", "CREATE_IN_PROGRESS"); 1];
                track(&format!("instance 服務{at}/prd"), "IN_PROGRESS", &resources)
            })
            .collect();
        for rows in 1..60 {
            for columns in [1, 10, 40, 60, 200] {
                for tracks in [&many[..], &many[..1], &fleet()[..]] {
                    let tracks: Vec<&Track> = tracks.iter().collect();
                    let lines = lines(&tracks, look(rows, columns));
                    assert!(lines.len() <= rows.saturating_sub(1).max(1), "{rows}: {lines:#?}");
                    let wide = lines.iter().map(|line| console::measure_text_width(line)).max();
                    assert!(wide.unwrap_or(0) <= columns.max(3), "{columns}: {lines:#?}");
                }
            }
        }
    }
}
