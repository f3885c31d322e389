//! One input of a schema: what may be given for it, and turning what was written into a typed value.
//!
//! The subset of OpenAPI 3.0 that templates use is checked here, because only here can a fault name the input and
//! point at the developer's line. What combines schemas (`allOf`, `anyOf`, `oneOf`, `not`) goes to the `jsonschema`
//! crate, built without a retriever and with the linear-time regex engine.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use regex::Regex;
use serde::Serialize;
use serde_json::{Number, Value};

use crate::diagnostic::{Fault, Faults, clip, listed, nearest};
use crate::spec::{SpecMap, SpecNode, SpecValue};
use crate::yaml::{self, Plain};

/// The type of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    String,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// A map.
    Object,
    /// The schema names no type.
    Any,
}

impl Kind {
    /// The word of the schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
            Self::Any => "any",
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Array => "a list",
            Self::Object => "a map",
            Self::Any => "a value",
        }
    }
}

/// One input: enough to check a value and to show a form field.
#[derive(Clone, Debug, Serialize)]
pub struct Property {
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// A short label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is taken when nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values allowed, when there are any.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// The least number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// The greatest number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
    /// Whether the least number itself is not allowed.
    pub exclusive_minimum: bool,
    /// Whether the greatest number itself is not allowed.
    pub exclusive_maximum: bool,
    /// Numbers must be a multiple of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple_of: Option<Number>,
    /// The fewest characters of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    /// The most characters of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// A regular expression that must be found in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A hint such as `date` or `uuid`; shown, not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The fewest items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u64>,
    /// The most items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// Whether a list may hold no value twice.
    pub unique_items: bool,
    /// What each item of a list is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Property>>,
    /// The members of a map.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub properties: IndexMap<String, Property>,
    /// The members of a map that must be given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// Whether a map may hold only the members named.
    pub closed: bool,
    /// Whether nothing may be given explicitly.
    pub nullable: bool,
    #[serde(skip)]
    pub(crate) regex: Option<Regex>,
    #[serde(skip)]
    pub(crate) combined: Option<Arc<jsonschema::Validator>>,
}

impl Property {
    /// A property of this type without any bounds.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            title: None,
            description: None,
            default: None,
            choices: Vec::new(),
            minimum: None,
            maximum: None,
            exclusive_minimum: false,
            exclusive_maximum: false,
            multiple_of: None,
            min_length: None,
            max_length: None,
            pattern: None,
            format: None,
            min_items: None,
            max_items: None,
            unique_items: false,
            items: None,
            properties: IndexMap::new(),
            required: Vec::new(),
            closed: false,
            nullable: false,
            regex: None,
            combined: None,
        }
    }

    /// The typed value of what was written, or faults. `name` is how the input is called in messages.
    pub(crate) fn accept(&self, name: &str, given: &SpecValue, faults: &mut Faults) -> Option<Value> {
        let before = faults.errors().count();
        let value = self.typed(name, given, faults)?;
        self.bounds(name, &value, given, faults);
        if let Some(combined) = &self.combined
            && let Err(error) = combined.validate(&value)
        {
            let message = format!("'{name}' does not match its schema: {}", clip(&error.to_string()));
            faults.push(
                Fault::error("spec/not-allowed", message)
                    .at(&given.at)
                    .help("compare it with the template's schema"),
            );
        }
        (faults.errors().count() == before).then_some(value)
    }

    fn typed(&self, name: &str, given: &SpecValue, faults: &mut Faults) -> Option<Value> {
        let mut mistyped = |help: &str| {
            let message = format!("'{name}' must be {}, but is {}", self.kind.wanted(), given.what());
            faults.push(Fault::error("spec/wrong-type", message).at(&given.at).help(help));
        };
        let (text, plain) = match &given.node {
            SpecNode::Scalar { text, plain } => (text, *plain),
            SpecNode::List(items) => match self.kind {
                Kind::Array | Kind::Any => return self.list(name, items, faults),
                _ => {
                    mistyped("give a single value");
                    return None;
                }
            },
            SpecNode::Map(members) => match self.kind {
                Kind::Object | Kind::Any => return self.map(name, members, faults),
                _ => {
                    mistyped("give a single value");
                    return None;
                }
            },
        };
        let read = if plain { yaml::plain(text) } else { Plain::Text };
        if matches!(read, Plain::Null) {
            if self.nullable || self.kind == Kind::Any {
                return Some(Value::Null);
            }
            mistyped("give a value, or leave the input out to use its default");
            return None;
        }
        match (self.kind, read) {
            // The developer wrote `port: 80` and the template wants text: the text is 80, whatever YAML says.
            (Kind::String, _) => Some(Value::String(text.clone())),
            (Kind::Number | Kind::Any, Plain::Int(n) | Plain::Float(n)) | (Kind::Integer, Plain::Int(n)) => {
                Some(Value::Number(n))
            }
            (Kind::Integer, Plain::Float(n)) => match n.as_f64() {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the value is whole and small enough to be exact"
                )]
                Some(whole) if whole.fract() == 0.0 && whole.abs() < 9e15 => Some(Value::from(whole as i64)),
                _ => {
                    mistyped("give a number without a decimal point");
                    None
                }
            },
            (Kind::Boolean | Kind::Any, Plain::Bool(truth)) => Some(Value::Bool(truth)),
            (Kind::Boolean, _) if plain && matches!(text.as_str(), "yes" | "Yes" | "on" | "On") => {
                Some(Value::Bool(true))
            }
            (Kind::Boolean, _) if plain && matches!(text.as_str(), "no" | "No" | "off" | "Off") => {
                Some(Value::Bool(false))
            }
            (Kind::Any, _) => Some(Value::String(text.clone())),
            (Kind::Number | Kind::Integer, _) if !plain && !matches!(yaml::plain(text), Plain::Text) => {
                mistyped("remove the quotes");
                None
            }
            (Kind::Number | Kind::Integer, _) if plain && text.starts_with('0') => {
                mistyped("numbers with a leading zero are read as text; remove the zero");
                None
            }
            (Kind::Boolean, _) => {
                mistyped("write true or false, without quotes");
                None
            }
            (Kind::Array, _) => {
                mistyped("write a list: [first, second], or one '- item' on each line");
                None
            }
            (Kind::Object, _) => {
                mistyped("write one 'name: value' on each line below it");
                None
            }
            (Kind::Number | Kind::Integer, _) => {
                mistyped("write digits, without quotes");
                None
            }
        }
    }

    fn list(&self, name: &str, items: &[SpecValue], faults: &mut Faults) -> Option<Value> {
        let any = Self::new(Kind::Any);
        let item = self.items.as_deref().unwrap_or(&any);
        let mut values = Vec::with_capacity(items.len());
        let mut whole = true;
        for (index, given) in items.iter().enumerate() {
            match item.accept(&format!("{name}[{index}]"), given, faults) {
                Some(value) => values.push(value),
                None => whole = false,
            }
        }
        whole.then_some(Value::Array(values))
    }

    fn map(&self, name: &str, given: &SpecMap, faults: &mut Faults) -> Option<Value> {
        let before = faults.errors().count();
        let values = members(
            &format!("{name}."),
            &self.properties,
            &self.required,
            self.closed,
            given,
            faults,
        );
        (faults.errors().count() == before).then_some(Value::Object(values))
    }

    fn bounds(&self, name: &str, value: &Value, given: &SpecValue, faults: &mut Faults) {
        let mut refuse = |code: &'static str, message: String, help: String| {
            faults.push(Fault::error(code, message).at(&given.at).help(help));
        };
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| same(choice, value)) {
            let known: Vec<String> = self.choices.iter().map(show).collect();
            let shown = show(value);
            let near = nearest(&shown, known.iter().map(String::as_str))
                .map(|near| format!("did you mean '{}'? ", clip(near)));
            let message = format!(
                "'{name}' is '{}', which is not one of the values allowed",
                clip(&shown)
            );
            refuse(
                "spec/not-allowed",
                message,
                format!("{}allowed: {}", near.unwrap_or_default(), listed(&known)),
            );
        }
        match value {
            Value::String(text) => {
                let length = text.chars().count() as u64;
                if self.min_length.is_some_and(|least| length < least)
                    || self.max_length.is_some_and(|most| length > most)
                {
                    let message = format!(
                        "'{name}' has {length} characters, but {} allowed",
                        span(self.min_length, self.max_length)
                    );
                    refuse("spec/length", message, "shorten or lengthen it".to_owned());
                }
                if self.regex.as_ref().is_some_and(|regex| !regex.is_match(text)) {
                    let pattern = clip(self.pattern.as_deref().unwrap_or_default());
                    let message = format!("'{name}' is '{}', which does not match its pattern", clip(text));
                    refuse("spec/pattern", message, format!("it must match {pattern}"));
                }
            }
            Value::Number(number) => {
                let n = number.as_f64().unwrap_or(f64::NAN);
                let low = self.minimum.as_ref().and_then(Number::as_f64);
                let high = self.maximum.as_ref().and_then(Number::as_f64);
                let under = low.is_some_and(|low| n < low || (self.exclusive_minimum && n <= low));
                let over = high.is_some_and(|high| n > high || (self.exclusive_maximum && n >= high));
                if under || over {
                    let range = match (&self.minimum, &self.maximum) {
                        (Some(low), Some(high)) => format!("{low} to {high}"),
                        (Some(low), None) => format!("{low} or more"),
                        (None, Some(high)) => format!("{high} or less"),
                        (None, None) => String::new(),
                    };
                    let ends = if self.exclusive_minimum || self.exclusive_maximum {
                        ", without the end itself"
                    } else {
                        ""
                    };
                    refuse(
                        "spec/out-of-range",
                        format!("'{name}' is {number}, which is out of range"),
                        format!("allowed: {range}{ends}"),
                    );
                }
                if let Some(step) = self.multiple_of.as_ref().and_then(Number::as_f64)
                    && step > 0.0
                    && ((n / step) - (n / step).round()).abs() > 1e-9
                {
                    refuse(
                        "spec/out-of-range",
                        format!("'{name}' is {number}, which is not a multiple of {step}"),
                        format!("give a multiple of {step}"),
                    );
                }
            }
            Value::Array(items) => {
                let count = items.len() as u64;
                if self.min_items.is_some_and(|least| count < least)
                    || self.max_items.is_some_and(|most| count > most)
                {
                    let message = format!(
                        "'{name}' has {count} items, but {} allowed",
                        span(self.min_items, self.max_items)
                    );
                    refuse("spec/length", message, "add or remove items".to_owned());
                }
                let mut seen = HashSet::new();
                if self.unique_items && items.iter().any(|item| !seen.insert(item.to_string())) {
                    refuse(
                        "spec/not-allowed",
                        format!("'{name}' holds a value twice"),
                        "remove the repetition".to_owned(),
                    );
                }
            }
            _ => {}
        }
    }
}

/// The typed members of a map, defaults filled in. Members that the schema does not name are kept, with a warning,
/// unless it forbids them: specs in use carry such leftovers.
pub(crate) fn members(
    prefix: &str,
    properties: &IndexMap<String, Property>,
    required: &[String],
    closed: bool,
    given: &SpecMap,
    faults: &mut Faults,
) -> serde_json::Map<String, Value> {
    let mut values = serde_json::Map::new();
    for (name, property) in properties {
        let shown = format!("{prefix}{name}");
        if let Some(value) = given.get(name) {
            if let Some(value) = property.accept(&shown, value, faults) {
                values.insert(name.clone(), value);
            }
        } else if let Some(default) = &property.default {
            values.insert(name.clone(), default.clone());
        } else if required.contains(name) {
            let message = format!("the input '{shown}' is missing and has no default");
            let wanted = property.kind.wanted();
            let why = property
                .description
                .as_deref()
                .map(|text| format!(" ({})", clip(text)))
                .unwrap_or_default();
            faults.push(
                Fault::error("spec/missing", message)
                    .at(&given.at)
                    .help(format!("add '{name}:' with {wanted}{why}")),
            );
        }
    }
    let any = Property::new(Kind::Any);
    for (name, value) in given.iter().filter(|(name, _)| !properties.contains_key(*name)) {
        let shown = format!("{prefix}{}", clip(name));
        let near = nearest(name, properties.keys().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("inputs of the schema: {}", listed(properties.keys())),
        };
        if closed {
            let message = format!("the schema has no input '{shown}' and allows no others");
            faults.push(
                Fault::error("spec/unknown-input", message)
                    .at(&value.at)
                    .help(help),
            );
            continue;
        }
        let message = format!("the schema has no input '{shown}'; the template will not use it");
        faults.push(
            Fault::warning("spec/unknown-input", message)
                .at(&value.at)
                .help(help),
        );
        if let Some(value) = any.accept(&shown, value, faults) {
            values.insert(name.clone(), value);
        }
    }
    values
}

/// Equality of JSON Schema: numbers by value, not by spelling.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        _ => a == b,
    }
}

/// A value as a person would write it.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn span(least: Option<u64>, most: Option<u64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most} are"),
        (Some(least), None) => format!("{least} or more are"),
        (None, Some(most)) => format!("at most {most} are"),
        (None, None) => "any number is".to_owned(),
    }
}
