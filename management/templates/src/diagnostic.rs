//! Faults: what is wrong, where, why, and what to do next.
//!
//! Readers collect all faults of a file instead of stopping at the first, because the person who fixes them would
//! otherwise meet them one by one. A fault keeps its own excerpt, so it can be stored, sent and printed long after
//! the source is gone. Excerpts are cleaned of control characters: they come from strangers and end on terminals.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize};

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The bundle, spec or text cannot be used.
    Error,
    /// It can be used, but probably does not do what was meant.
    Warning,
}

/// A name that lives as long as the program. (A reference in the field itself would be one into the text that is read.)
type Code = &'static str;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Error or warning.
    pub severity: Severity,
    /// A stable name for this kind of fault, such as `bundle/too-large`.
    #[serde(deserialize_with = "code")]
    pub code: Code,
    /// What is wrong and why, as one sentence.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where, when it has a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
}

impl Fault {
    /// An error without a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            help: None,
            at: None,
        }
    }

    /// A warning without a place.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same fault with a place.
    #[must_use]
    pub fn at(mut self, place: impl Into<Place>) -> Self {
        self.at = Some(place.into());
        self
    }
}

/// Codes of faults that came from another process. There are about a hundred in this crate; what is kept for ever here has a
/// bound all the same.
static CODES: Mutex<BTreeSet<Code>> = Mutex::new(BTreeSet::new());
const MOST_CODES: usize = 500;
const LONGEST_CODE: usize = 60;

fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut known = CODES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(code) = known.get(text.as_str()) {
        return Ok(code);
    }
    if known.len() >= MOST_CODES || text.len() > LONGEST_CODE {
        return Ok("other");
    }
    let code: Code = text.leak();
    known.insert(code);
    Ok(code)
}

/// A place in a file, with the line it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Path of the file inside the bundle, or the name that the caller gave.
    pub file: String,
    /// Counts from 1.
    pub line: u32,
    /// Counts from 1, in characters.
    pub column: u32,
    /// The source line; of a very long line only the part around the column.
    pub excerpt: String,
    /// How many characters are meant, from the column on.
    pub length: u32,
    /// How many characters of the line were cut from the excerpt's front.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(cut: &u32) -> bool {
    *cut == 0
}

/// All faults that were found. Prints them all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// No faults.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Whether there are none, not even warnings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are, warnings included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(|fault| fault.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(|fault| fault.severity == Severity::Warning)
    }

    /// The faults as a list.
    #[must_use]
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    /// The value when there is no error, else the faults. Warnings are dropped with the former.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_error() { Err(self) } else { Ok(value) }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}
impl From<Vec<Fault>> for Faults {
    fn from(faults: Vec<Fault>) -> Self {
        Self(faults)
    }
}
impl Extend<Fault> for Faults {
    fn extend<I: IntoIterator<Item = Fault>>(&mut self, faults: I) {
        self.0.extend(faults);
    }
}
impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self(faults.into_iter().collect())
    }
}
impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
impl std::error::Error for Faults {}
impl std::error::Error for Fault {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{word}[{}]: {}", self.code, clean(&self.message))?;
        let margin = match &self.at {
            Some(place) => {
                let number = place.line.to_string();
                let margin = number.len();
                let before = place.column.saturating_sub(1).saturating_sub(place.cut) as usize;
                let shown = place.excerpt.chars().count().saturating_sub(before).max(1);
                let carets = (place.length as usize).clamp(1, shown);
                writeln!(
                    f,
                    "{:margin$}--> {}:{}:{}",
                    "",
                    clean(&place.file),
                    place.line,
                    place.column
                )?;
                writeln!(f, "{:margin$} |", "")?;
                writeln!(f, "{number} | {}", place.excerpt)?;
                writeln!(f, "{:margin$} | {:before$}{}", "", "", "^".repeat(carets))?;
                margin
            }
            None => 0,
        };
        match &self.help {
            Some(help) => writeln!(f, "{:margin$} = help: {}", "", clean(help)),
            None => Ok(()),
        }
    }
}

/// Text of strangers, fit for a terminal: no escape sequence and no line break survives.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{b7}'
            }
            c => c,
        })
        .collect()
}

/// The first characters of a value, for a message.
pub(crate) fn clip(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    clean(&format!("{short}{dots}"))
}

/// Lists words for a message: `a, b and c`.
pub(crate) fn listed<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| clip(word.as_ref())).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [start @ .., last] if words.len() <= 12 => format!("{} and {last}", start.join(", ")),
        _ => format!("{} and {} more", words[..11].join(", "), words.len() - 11),
    }
}

/// The known word that a misspelt one most likely means.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().div_ceil(3).min(3);
    known
        .into_iter()
        .take(1_000)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(100).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let step = corner + usize::from(!x.eq_ignore_ascii_case(y));
            corner = row[j + 1];
            row[j + 1] = step.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A text that faults point into.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    file: String,
    text: String,
    /// Byte offset at which each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// Remembers a text under a name.
    #[must_use]
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let mut lines = vec![0];
        lines.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at + 1),
        );
        Arc::new(Self {
            file: file.into(),
            text,
            lines,
        })
    }

    /// The name.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of this number, without its line break; empty when there is none.
    pub(crate) fn line(&self, number: u32) -> &str {
        let index = (number as usize).saturating_sub(1);
        let Some(&start) = self.lines.get(index) else {
            return "";
        };
        let end = self.lines.get(index + 1).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// The place at a line and column, both counted from 1.
    #[must_use]
    pub fn place(&self, line: u32, column: u32, length: u32) -> Place {
        const WIDTH: usize = 160;
        let whole = self.line(line);
        let column = column.max(1);
        let total = whole.chars().count();
        let cut = if total > WIDTH {
            ((column - 1) as usize).saturating_sub(60).min(total - WIDTH)
        } else {
            0
        };
        let excerpt: String = whole.chars().skip(cut).take(WIDTH).collect();
        let cut = u32::try_from(cut).unwrap_or(u32::MAX);
        Place {
            file: self.file.clone(),
            line,
            column,
            excerpt: clean(&excerpt),
            length: length.max(1),
            cut,
        }
    }

    /// The place of a line, without the blanks around it.
    pub(crate) fn whole_line(&self, number: u32) -> Place {
        let whole = self.line(number);
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let column = whole.chars().take_while(|c| *c == ' ').count();
        self.place(number, small(column + 1), small(whole.trim().chars().count()))
    }

    /// The place of a range of bytes. A range over several lines is cut at the end of its first.
    pub(crate) fn range(&self, range: std::ops::Range<usize>) -> Place {
        let start = floor(&self.text, range.start);
        let end = floor(&self.text, range.end).max(start);
        let index = self.lines.partition_point(|&at| at <= start).saturating_sub(1);
        let column = self.text[self.lines[index]..start].chars().count() + 1;
        let length = self.text[start..end]
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .count();
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.place(small(index + 1), small(column), small(length))
    }
}

/// Where the dotted name begins that ends in this range. The engine's spans of `a.b.c` begin at the last dot it
/// looked at.
pub(crate) fn whole_name(text: &str, start: usize) -> usize {
    let start = floor(text, start);
    if !text[start..].starts_with(['.', '[']) {
        return start;
    }
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"' | '\'');
    let before = text[..start].trim_end_matches(part).len();
    let skipped = text[before..start].find(|c: char| c.is_alphanumeric() || c == '_');
    skipped.map_or(start, |skipped| before + skipped)
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A place that has not been copied out of its source yet: cheap to keep with every value.
#[derive(Clone, PartialEq, Eq)]
pub struct Spot {
    source: Arc<Source>,
    line: u32,
    column: u32,
    length: u32,
}

impl Spot {
    /// A spot in a source; line and column count from 1.
    #[must_use]
    pub const fn new(source: Arc<Source>, line: u32, column: u32, length: u32) -> Self {
        Self {
            source,
            line,
            column,
            length,
        }
    }

    /// The source, and line, column and length in it.
    pub(crate) const fn parts(&self) -> (&Arc<Source>, [u32; 3]) {
        (&self.source, [self.line, self.column, self.length])
    }

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line
    }

    /// The place with its excerpt.
    #[must_use]
    pub fn place(&self) -> Place {
        self.source.place(self.line, self.column, self.length)
    }
}

impl Default for Spot {
    fn default() -> Self {
        Self {
            source: Source::new("-", ""),
            line: 1,
            column: 1,
            length: 1,
        }
    }
}
impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.file, self.line, self.column)
    }
}
impl From<&Spot> for Place {
    fn from(spot: &Spot) -> Self {
        spot.place()
    }
}
