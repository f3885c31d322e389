//! Which columns of a table fit a terminal, and how wide each may be.
//!
//! What a row is known by and how it stands is never given up. Texts are shortened first, then columns are left out from the
//! right, and last what a row is about is shortened further; `-o wide` has everything.

use std::borrow::Cow;

/// Between two columns.
const GAP: usize = 2;
/// No text is shortened below this, or below its headline.
const SHORTEST: usize = 9;
/// What a row is about is not shortened below this for the sake of columns that tell less.
const ABOUT: usize = 24;
/// What stands in for the rest of a text. ASCII: not every terminal has the character for it.
const REST: &str = "...";

/// Columns that say how something stands.
pub(super) const STATES: &[&str] = &["STATUS", "STATE", "AGENT", "ONLINE", "ALLOWED"];

/// Columns whose end tells more than their beginning.
const TAILS: &[&str] = &[
    "TARGET",
    "ATTACHED TO",
    "REPOSITORY",
    "PATH",
    "PIPELINE ROLE",
    "CODEBUILD ROLE",
];

/// Widths of the columns that are shown; `None` for those that are not.
pub(super) type Widths = Vec<Option<usize>>;

/// How a table of these natural widths fits.
pub(super) fn widths(head: &[&str], natural: &[usize], room: usize) -> Widths {
    let fixed = |at: usize| at == 0 || STATES.contains(&head[at]);
    let tail = |at: usize| TAILS.contains(&head[at]);
    let shortest = |at: usize, about: usize| {
        let least = if tail(at) { about } else { SHORTEST };
        if fixed(at) {
            natural[at]
        } else {
            natural[at].min(least.max(head[at].len()))
        }
    };
    let mut shown: Vec<usize> = (0..natural.len()).collect();
    let total = |shown: &[usize], about: usize| {
        shown.iter().map(|at| shortest(*at, about)).sum::<usize>() + GAP * shown.len().saturating_sub(1)
    };
    // What a row is about is worth more than what stands at its right; it gives way when there is nothing else left.
    let mut about = ABOUT;
    while total(&shown, about) > room {
        let least_worth = shown.iter().rposition(|at| !fixed(*at) && !tail(*at));
        let last = shown.iter().rposition(|at| !fixed(*at));
        match (least_worth, last) {
            (None, Some(_)) if about > SHORTEST => about = SHORTEST,
            (Some(at), _) | (None, Some(at)) => {
                shown.remove(at);
            }
            (None, None) => break,
        }
    }
    let total = total(&shown, about);
    let least = |at: usize| shortest(at, about);
    // What is left over goes to each in turn, so that the widest is shortened the most.
    let mut widths: Widths = vec![None; natural.len()];
    for at in &shown {
        widths[*at] = Some(least(*at));
    }
    let mut spare = room.saturating_sub(total);
    while spare > 0 {
        let wants = shown
            .iter()
            .filter(|at| widths[**at].is_some_and(|width| width < natural[**at]));
        let Some(at) = wants.min_by_key(|at| widths[**at]).copied() else {
            break;
        };
        widths[at] = widths[at].map(|width| width + 1);
        spare -= 1;
    }
    widths
}

/// A text that takes at most so many columns.
pub(super) fn shortened<'a>(text: &'a str, width: usize, head: &str) -> Cow<'a, str> {
    let own = console::measure_text_width(text);
    if own <= width {
        return Cow::Borrowed(text);
    }
    if !TAILS.contains(&head) || width <= REST.len() {
        return console::truncate_str(text, width, REST);
    }
    let mut tail = text.chars();
    while console::measure_text_width(tail.as_str()) > width - REST.len() {
        tail.next();
    }
    Cow::Owned(format!("{REST}{}", tail.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [&str; 6] = ["ID", "TARGET", "INTENT", "STATUS", "VERSION", "AGE"];
    const NATURAL: [usize; 6] = [36, 16, 6, 11, 8, 3];

    #[test]
    fn what_fits_is_as_it_is() {
        assert_eq!(widths(&HEAD, &NATURAL, 90), NATURAL.map(Some));
    }

    #[test]
    fn texts_are_shortened_before_columns_are_left_out_and_states_never() {
        let shown = |room| widths(&HEAD, &NATURAL, room);
        assert_eq!(shown(86), [Some(36), Some(16), Some(6), Some(11), Some(8), None]);
        assert_eq!(shown(80), [Some(36), Some(16), Some(6), Some(11), None, None]);
        assert_eq!(shown(62), [Some(36), Some(11), None, Some(11), None, None]);
        assert_eq!(shown(20), [Some(36), None, None, Some(11), None, None]);
        // A text that tells less is shortened before anything goes.
        let head = ["NAME", "DESCRIPTION", "STATUS"];
        assert_eq!(widths(&head, &[3, 40, 9], 40), [Some(3), Some(24), Some(9)]);
    }

    #[test]
    fn texts_are_cut_by_what_they_take_on_the_screen() {
        assert_eq!(shortened("a note of some length", 9, "NOTE"), "a note...");
        assert_eq!(shortened("instance web/prd", 10, "TARGET"), "...web/prd");
        assert_eq!(shortened("サービスの説明文です", 9, "NOTE"), "サービ...");
        assert_eq!(shortened("サービスの説明文です", 9, "TARGET"), "...文です");
        assert_eq!(shortened("短い", 4, "NOTE"), "短い");
    }
}
