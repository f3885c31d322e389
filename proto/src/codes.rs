//! Codes of the faults that operators and developers meet: `HADRON-1001` and so on.
//!
//! The hub attaches a code to what it refuses, the client prints it, `hadron help HADRON-1001` explains it without a hub,
//! and `management/docs/errors/` has a page for each. All of them read this table. Faults of programs have no code: there is
//! nothing that whoever meets them could do.
//!
//! The first digit tells where to look: 1 the way to the hub, 2 who asks, 3 connections and agents, 4 what was asked for,
//! 5 deployments, 6 the hub itself. A code keeps its meaning for good, and none is used again.

use std::fmt::{self, Write as _};

mod table;

pub use table::*;

/// A fault that has a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The digits.
    pub number: u16,
    /// What is wrong, in some words.
    pub title: &'static str,
    /// What it means for whoever meets it.
    pub meaning: &'static str,
    /// Why it happens.
    pub causes: &'static [&'static str],
    /// How to see which it is: a command, and what it shows.
    pub look: &'static [(&'static str, &'static str)],
    /// How to go on: what to do, and the command or the setting for it.
    pub ways: &'static [(&'static str, &'static str)],
    /// The stable words (`google.rpc.ErrorInfo.reason`) with which a hub refuses for this.
    pub reasons: &'static [&'static str],
}

impl ErrorCode {
    /// The code that a person or a program names: `HADRON-1001`, `hadron-1001` or `1001`.
    #[must_use]
    pub fn find(text: &str) -> Option<&'static Self> {
        let digits = match text.get(..7) {
            Some(prefix) if prefix.eq_ignore_ascii_case("hadron-") => &text[7..],
            _ => text,
        };
        let four = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u16 = four.then(|| digits.parse().ok())??;
        ALL.iter().copied().find(|code| code.number == number)
    }

    /// The code of what a hub refuses with this word.
    #[must_use]
    pub fn of_reason(reason: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|code| code.reasons.contains(&reason))
    }

    /// Its page for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{self}: {}\n\n{}\n\nWhy it happens\n", self.title, self.meaning);
        for cause in self.causes {
            let _ = writeln!(text, "  * {cause}");
        }
        for (headline, lines) in [("How to see which", self.look), ("How to go on", self.ways)] {
            let _ = write!(text, "\n{headline}\n");
            for (first, second) in lines {
                let _ = writeln!(text, "  {first}\n      {second}");
            }
        }
        text
    }

    /// Its page in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# {self}: {}\n\nWritten from `proto/src/codes/table.rs`; a test keeps it current. Do not edit.\n\n{}\n\n## Why it \
             happens\n\n",
            self.title, self.meaning
        );
        for cause in self.causes {
            let _ = writeln!(text, "* {cause}");
        }
        text.push_str("\n## How to see which\n\n");
        for (command, shows) in self.look {
            let _ = writeln!(text, "* `{command}`: {shows}");
        }
        text.push_str("\n## How to go on\n\n");
        for (what, how) in self.ways {
            let _ = writeln!(text, "* {what}: `{how}`");
        }
        if !self.reasons.is_empty() {
            let words: Vec<String> = self.reasons.iter().map(|word| format!("`{word}`")).collect();
            let _ = write!(
                text,
                "\n## For programs\n\nReasons of the hub: {}.\n",
                words.join(", ")
            );
        }
        text
    }
}

/// The page that lists all pages, in Markdown.
#[must_use]
pub fn index() -> String {
    let mut text = String::from(
        "# Error codes\n\nWritten from `proto/src/codes/table.rs`; a test keeps it current. Do not edit.\n\nWhat operators and \
         developers meet most often has a code. It stands at the end of an error of `hadron`, in the details of a gRPC status \
         (`google.rpc.ErrorInfo`, metadata, key `code`), and in `hadron doctor -o json`. `hadron help HADRON-1001` prints the page \
         without asking a hub. Answers of the Proton API are those of AWS and carry no code.\n\n| Code | What is wrong |\n|---|---|\n",
    );
    for code in ALL {
        let _ = writeln!(text, "| [{code}]({code}.md) | {} |", code.title);
    }
    text
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HADRON-{:04}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_found_however_they_are_written() {
        for text in ["HADRON-1001", "hadron-1001", "1001"] {
            assert_eq!(ErrorCode::find(text), Some(&HUB_UNREACHABLE), "{text}");
        }
        for text in [
            "",
            "HADRON-",
            "HADRON-9999",
            "HADRON-01001",
            "+001",
            "HADRON-1001 ",
            "ハドロン",
        ] {
            assert_eq!(ErrorCode::find(text), None, "{text}");
        }
        assert_eq!(HUB_UNREACHABLE.to_string(), "HADRON-1001");
    }

    #[test]
    fn no_number_and_no_reason_stands_twice_and_nothing_is_empty() {
        let mut numbers = BTreeSet::new();
        let mut reasons = BTreeSet::new();
        for code in ALL {
            assert!(numbers.insert(code.number), "{code}");
            assert!((1_000..7_000).contains(&code.number), "{code}");
            for reason in code.reasons {
                assert!(reasons.insert(*reason), "{reason}");
                assert_eq!(ErrorCode::of_reason(reason), Some(*code));
            }
            let texts = [code.title, code.meaning];
            assert!(texts.iter().all(|text| !text.is_empty()), "{code}");
            assert!(
                !code.causes.is_empty() && !code.look.is_empty() && !code.ways.is_empty(),
                "{code}"
            );
            assert!(
                !code.title.ends_with('.') && code.meaning.ends_with('.'),
                "{code}"
            );
        }
        assert!(ALL.is_sorted_by_key(|code| code.number));
        assert_eq!(ErrorCode::of_reason("NOT_FOUND"), None);
    }
}
