//! Where values come from: flags over environment over file. Each value remembers its origin, so that a fault can say
//! where to look; all faults are collected, not only the first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::keys::{Key, Kind, find, nearest};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where; `None` when the fault is that something is missing.
    pub origin: Option<Origin>,
    /// Which key; empty when the file as a whole is at fault.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A value as it was given, of the kind that its key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Text(String),
    List(Vec<String>),
    Count(u64),
    Switch(bool),
    Span(Duration),
}

/// One value of a flag or variable, not yet understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The key's path.
    pub path: &'static str,
    /// The text that was given.
    pub text: String,
    /// Where.
    pub origin: Origin,
}

/// Everything that was given, and what was wrong with it so far.
#[derive(Debug)]
pub struct Source {
    keys: &'static [Key],
    given: BTreeMap<String, (Given, Origin)>,
    /// Tables of the file, by their paths.
    tables: BTreeSet<String>,
    /// All faults, in the order in which they were found.
    pub faults: Vec<Fault>,
}

impl Source {
    /// Nothing yet, of a program with these keys.
    #[must_use]
    pub const fn new(keys: &'static [Key]) -> Self {
        Self {
            keys,
            given: BTreeMap::new(),
            tables: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    /// Reads the text of a file.
    pub fn read(&mut self, path: &Path, text: &str) {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                let origin = Some(Origin::File(path.to_owned(), line));
                let message = error.message().to_owned();
                self.faults.push(Fault {
                    origin,
                    key: String::new(),
                    message,
                });
                return;
            }
        };
        self.table(path, text, "", table.get_ref());
    }

    fn table(&mut self, path: &Path, text: &str, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key_path = if above.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{above}.{}", name.get_ref())
            };
            let origin = Origin::File(path.to_owned(), line_of(text, name.span().start));
            if let Some(key) = find(self.keys, &key_path) {
                match from_file(key.kind, value.get_ref()) {
                    Some(given) => drop(self.given.insert(key_path, (given, origin))),
                    None => self.wrong_kind(key, &key_path, origin, &shown(value.get_ref())),
                }
            } else if let Some(inner) = value
                .get_ref()
                .as_table()
                .filter(|_| is_table(self.keys, &key_path))
            {
                self.tables.insert(key_path.clone());
                self.table(path, text, &key_path, inner);
            } else {
                let meant = nearest(self.keys, &key_path).map(|meant| format!("; did you mean {meant}?"));
                let message = format!("unknown key{}", meant.unwrap_or_default());
                self.faults.push(Fault {
                    origin: Some(origin),
                    key: key_path,
                    message,
                });
            }
        }
    }

    /// Puts flags and variables over what the file says.
    pub fn overlay(&mut self, overrides: Vec<Override>) {
        for Override { path, text, origin } in overrides {
            let key = find(self.keys, path).expect("flags and variables are made from the table of keys");
            match from_text(key.kind, &text) {
                Some(given) => drop(self.given.insert(key.path.to_owned(), (given, origin))),
                None => self.wrong_kind(key, key.path, origin, &format!("'{text}'")),
            }
        }
    }

    fn wrong_kind(&mut self, key: &Key, path: &str, origin: Origin, given: &str) {
        let message = format!("expected {}, got {given}", key.kind.wanted());
        self.faults.push(Fault {
            origin: Some(origin),
            key: path.to_owned(),
            message,
        });
    }

    /// The names that the file gives to tables below this one, in order.
    #[must_use]
    pub fn named(&self, table: &str) -> Vec<String> {
        let below = self
            .tables
            .iter()
            .filter_map(|path| path.strip_prefix(table)?.strip_prefix('.'));
        below
            .filter(|name| !name.contains('.'))
            .map(str::to_owned)
            .collect()
    }

    /// Notes that the value of `key` is wrong, or that there is none.
    pub fn fault(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.given.get(key).map(|(_, origin)| origin.clone());
        self.faults.push(Fault {
            origin,
            key: key.to_owned(),
            message: message.into(),
        });
    }

    /// Was this key given, rightly or not?
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.given.contains_key(key) || self.faults.iter().any(|fault| fault.key == key)
    }

    /// The text of a key.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        match self.given.get(key) {
            Some((Given::Text(text), _)) => Some(text.clone()),
            _ => None,
        }
    }

    /// The text of a key, parsed.
    pub fn parsed<T: std::str::FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|error: T::Err| self.fault(key, error.to_string()))
            .ok()
    }

    /// The same, for a key that must be there.
    pub fn required<T: std::str::FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        if !self.has(key) {
            let known = find(self.keys, key).expect("the key is in the table");
            let message = if known.is_in_file_only() {
                "missing; give it in the file".to_owned()
            } else {
                format!(
                    "missing; give it in the file, as --{} or as {}",
                    known.flag(),
                    known.variable()
                )
            };
            self.fault(key, message);
        }
        self.parsed(key)
    }

    /// A list, each element parsed.
    pub fn list<T: std::str::FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<Vec<T>> {
        let Some((Given::List(texts), _)) = self.given.get(key) else {
            return None;
        };
        let mut values = Vec::new();
        for text in texts.clone() {
            match text.parse() {
                Ok(value) => values.push(value),
                Err(error) => self.fault(key, T::Err::to_string(&error)),
            }
        }
        Some(values)
    }

    /// A number.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<u64> {
        match self.given.get(key) {
            Some((Given::Count(count), _)) => Some(*count),
            _ => None,
        }
    }

    /// A switch; off when it is not given.
    #[must_use]
    pub fn switch(&self, key: &str) -> bool {
        matches!(self.given.get(key), Some((Given::Switch(true), _)))
    }

    /// A length of time.
    #[must_use]
    pub fn span(&self, key: &str) -> Option<Duration> {
        match self.given.get(key) {
            Some((Given::Span(span), _)) => Some(*span),
            _ => None,
        }
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("'{text}'"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => format!("this {}", value.type_str()),
    }
}

fn is_table(keys: &[Key], path: &str) -> bool {
    let named: Vec<&str> = path.split('.').collect();
    keys.iter().any(|key| {
        let parts: Vec<&str> = key.path.split('.').collect();
        let inside = parts.len() > named.len();
        inside
            && parts
                .iter()
                .zip(&named)
                .all(|(part, name)| part == name || (*part == "*" && !name.is_empty()))
    })
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn from_file(kind: Kind, value: &DeValue<'_>) -> Option<Given> {
    match kind {
        Kind::Text => value.as_str().map(|text| Given::Text(text.to_owned())),
        Kind::List => {
            let texts: Option<Vec<String>> = value
                .as_array()?
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect();
            texts.map(Given::List)
        }
        Kind::Count => {
            let number = value.as_integer()?;
            u64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(Given::Count)
        }
        Kind::Switch => value.as_bool().map(Given::Switch),
        Kind::Span => value.as_str().and_then(span).map(Given::Span),
    }
}

fn from_text(kind: Kind, text: &str) -> Option<Given> {
    match kind {
        Kind::Text => Some(Given::Text(text.to_owned())),
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Given::List(items.map(str::to_owned).collect()))
        }
        Kind::Count => text.parse().ok().map(Given::Count),
        Kind::Switch => text.parse().ok().map(Given::Switch),
        Kind::Span => span(text).map(Given::Span),
    }
}

fn span(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(span).ok()
}
