//! Compares a request with the service model before anything else looks at it, and reports every violation at once in the
//! words that AWS uses. What must not be shown is not quoted.
//!
//! Patterns are matched as AWS does it: one that says `^` or `$` itself is searched for, another one has to match the whole
//! value; `\d` and `\w` mean ASCII. Lengths count characters. A `null` counts as left out.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Fault;

/// How many violations a message tells; the others are counted.
const TOLD: usize = 50;
/// How many characters of a value a message quotes.
const QUOTED: usize = 128;

/// What a value has to be like.
#[derive(Debug)]
pub(super) enum Shape {
    Text(&'static Text),
    Integer(&'static Integer),
    Boolean,
    List(&'static List),
    Structure(&'static Structure),
}

/// A string.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) sensitive: bool,
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
    pub(super) pattern: Option<Pattern>,
    /// The values of an enumeration; empty for free texts.
    pub(super) values: &'static [&'static str],
}

/// A whole number of 32 bits.
#[derive(Debug)]
pub(super) struct Integer {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
}

/// A list.
#[derive(Debug)]
pub(super) struct List {
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
    pub(super) item: Shape,
}

/// An object with known members.
#[derive(Debug)]
pub(super) struct Structure {
    pub(super) sensitive: bool,
    /// Exactly one member is there.
    pub(super) union: bool,
    pub(super) members: &'static [Member],
}

impl Structure {
    /// The member that tells repetitions from new requests.
    pub(super) fn token(&self) -> Option<&'static str> {
        self.members
            .iter()
            .find(|member| member.token)
            .map(|member| member.name)
    }
}

/// A member of a structure.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) token: bool,
    pub(super) shape: Shape,
}

/// A regular expression, compiled when it is first needed.
#[derive(Debug)]
pub(super) struct Pattern {
    text: &'static str,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    pub(super) const fn new(text: &'static str) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    fn matches(&self, value: &str) -> bool {
        let regex = self.compiled.get_or_init(|| {
            let anchored = self.text.contains(['^', '$']);
            let whole = if anchored {
                self.text.to_owned()
            } else {
                format!("^(?:{})$", self.text)
            };
            RegexBuilder::new(&whole)
                .unicode(false)
                .build()
                .expect("a test compiles every pattern of the model")
        });
        regex.is_match(value.as_bytes())
    }
}

/// Any JSON in which no object has a member twice: of two, one reader takes the first and another the last, and whoever looked
/// at the request on its way may have looked at the other one.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if all.contains_key(&name) {
                let name: String = name.chars().take(40).collect();
                return Err(A::Error::custom(format!("the member '{name}' is there twice")));
            }
            let Unambiguous(value) = members.next_value()?;
            all.insert(name, value);
        }
        Ok(all.into())
    }
}

/// The JSON of a request's body. Nesting is limited (to 128) by the parser.
pub(super) fn parsed(body: &[u8]) -> Result<Value, Fault> {
    // Some clients send nothing where there is nothing to say.
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map(|Unambiguous(value)| value)
        .map_err(|error| Fault::validation(format!("the body of the request is no JSON: {error}")))
}

/// The request without what the model does not know and what is `null`.
///
/// # Errors
/// `ValidationException` with every violation of the model.
pub(super) fn checked(structure: &Structure, mut input: Value) -> Result<Value, Fault> {
    if !input.is_object() {
        return Err(Fault::validation(
            "the body of the request is no JSON object with the members of the operation's input",
        ));
    }
    let mut walk = Walk {
        path: String::new(),
        found: Vec::new(),
        count: 0,
    };
    walk.structure(structure, &mut input, false);
    walk.verdict().map(|()| input)
}

struct Walk {
    path: String,
    found: Vec<String>,
    count: usize,
}

/// A value as a message quotes it, or not.
fn quoted(value: &Value, hidden: bool) -> String {
    match value {
        Value::Null => "Value null".to_owned(),
        _ if hidden => "Value".to_owned(),
        Value::String(text) => match text.char_indices().nth(QUOTED) {
            Some((end, _)) => format!("Value '{}...'", &text[..end]),
            None => format!("Value '{text}'"),
        },
        Value::Bool(_) | Value::Number(_) => format!("Value '{value}'"),
        Value::Array(_) | Value::Object(_) => "Value".to_owned(),
    }
}

impl Walk {
    fn verdict(self) -> Result<(), Fault> {
        if self.count == 0 {
            return Ok(());
        }
        let plural = if self.count == 1 { "" } else { "s" };
        let mut message = format!("{} validation error{plural} detected: ", self.count);
        message.push_str(&self.found.join("; "));
        if self.count > self.found.len() {
            let _ = write!(message, "; and {} more", self.count - self.found.len());
        }
        Err(Fault::validation(message))
    }

    fn violated(&mut self, value: &Value, hidden: bool, constraint: impl FnOnce() -> String) {
        self.count += 1;
        if self.found.len() < TOLD {
            self.found.push(format!(
                "{} at '{}' failed to satisfy constraint: {}",
                quoted(value, hidden),
                self.path,
                constraint()
            ));
        }
    }

    /// Goes on one step deeper.
    fn below(&mut self, step: &str, walk: impl FnOnce(&mut Self)) {
        let before = self.path.len();
        if before > 0 {
            self.path.push('.');
        }
        self.path.push_str(step);
        walk(self);
        self.path.truncate(before);
    }

    fn value(&mut self, shape: &Shape, value: &mut Value, hidden: bool) {
        match shape {
            Shape::Text(text) => self.text(text, value, hidden || text.sensitive),
            Shape::Integer(integer) => self.integer(integer, value, hidden),
            Shape::Boolean if value.is_boolean() => {}
            Shape::Boolean => self.violated(value, hidden, || "Member must be a boolean".to_owned()),
            Shape::List(list) => self.list(list, value, hidden),
            Shape::Structure(structure) => self.structure(structure, value, hidden),
        }
    }

    fn structure(&mut self, structure: &Structure, value: &mut Value, hidden: bool) {
        let hidden = hidden || structure.sensitive;
        let Value::Object(members) = value else {
            return self.violated(value, hidden, || "Member must be an object".to_owned());
        };
        members.retain(|name, value| {
            !value.is_null() && structure.members.iter().any(|member| member.name == name)
        });
        if structure.union && members.len() != 1 {
            let names: Vec<&str> = structure.members.iter().map(|member| member.name).collect();
            return self.violated(value, hidden, || {
                format!("Member must have exactly one of: [{}]", names.join(", "))
            });
        }
        for member in structure.members {
            match members.get_mut(member.name) {
                Some(value) => self.below(member.name, |walk| walk.value(&member.shape, value, hidden)),
                None if member.required => self.below(member.name, |walk| {
                    walk.violated(&Value::Null, hidden, || "Member must not be null".to_owned());
                }),
                None => {}
            }
        }
    }

    fn list(&mut self, list: &List, value: &mut Value, hidden: bool) {
        let Value::Array(items) = value else {
            return self.violated(value, hidden, || "Member must be a list".to_owned());
        };
        let length = items.len();
        let longest = list.max.unwrap_or(usize::MAX);
        // What is too long is not worth reading to the end.
        for (at, item) in items.iter_mut().take(longest).enumerate() {
            self.below(&format!("{}.member", at + 1), |walk| {
                if item.is_null() {
                    walk.violated(&Value::Null, hidden, || "Member must not be null".to_owned());
                } else {
                    walk.value(&list.item, item, hidden);
                }
            });
        }
        self.length(length, list.min, list.max, value, hidden);
    }

    fn length(&mut self, length: usize, min: Option<usize>, max: Option<usize>, value: &Value, hidden: bool) {
        if let Some(min) = min.filter(|min| length < *min) {
            self.violated(value, hidden, || {
                format!("Member must have length greater than or equal to {min}")
            });
        }
        if let Some(max) = max.filter(|max| length > *max) {
            self.violated(value, hidden, || {
                format!("Member must have length less than or equal to {max}")
            });
        }
    }

    fn text(&mut self, text: &Text, value: &Value, hidden: bool) {
        let Value::String(given) = value else {
            return self.violated(value, hidden, || "Member must be a string".to_owned());
        };
        self.length(given.chars().count(), text.min, text.max, value, hidden);
        if let Some(pattern) = text.pattern.as_ref().filter(|pattern| !pattern.matches(given)) {
            self.violated(value, hidden, || {
                format!("Member must satisfy regular expression pattern: {}", pattern.text)
            });
        }
        if !text.values.is_empty() && !text.values.contains(&given.as_str()) {
            self.violated(value, hidden, || {
                format!("Member must satisfy enum value set: [{}]", text.values.join(", "))
            });
        }
    }

    fn integer(&mut self, integer: &Integer, value: &Value, hidden: bool) {
        let Some(given) = value.as_i64().filter(|given| i32::try_from(*given).is_ok()) else {
            return self.violated(value, hidden, || {
                "Member must be a whole number of 32 bits".to_owned()
            });
        };
        if let Some(min) = integer.min.filter(|min| given < *min) {
            self.violated(value, hidden, || {
                format!("Member must have value greater than or equal to {min}")
            });
        }
        if let Some(max) = integer.max.filter(|max| given > *max) {
            self.violated(value, hidden, || {
                format!("Member must have value less than or equal to {max}")
            });
        }
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
