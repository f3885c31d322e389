//! The `types` of a schema: OpenAPI 3.0 schema objects, read into [`Property`].
//!
//! References are followed here, so whoever uses a property never meets one. What they stand for is counted, as
//! aliases are in YAML.

use std::sync::Arc;

use regex::RegexBuilder;
use serde_json::{Number, Value};

use crate::diagnostic::{Fault, Faults, clip, listed, nearest};
use crate::property::{Kind, Property};
use crate::schema::{InputSchema, InputType, unknown};
use crate::spec;
use crate::yaml::{self, Data, Node, Plain};

const KEYWORDS: [&str; 30] = [
    "type",
    "title",
    "description",
    "default",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "uniqueItems",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "nullable",
    "example",
    "deprecated",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "$ref",
    "readOnly",
];

pub(crate) struct Reader<'a> {
    pub(crate) types: &'a Node,
    pub(crate) faults: &'a mut Faults,
    /// Types that are being read: meeting one of them again means that it contains itself.
    pub(crate) trail: Vec<String>,
    /// How many properties were read. References multiply them, as aliases multiply YAML.
    pub(crate) read: usize,
}

impl<'a> Reader<'a> {
    fn error(&mut self, code: &'static str, at: &Node, message: String, help: &str) {
        self.faults
            .push(Fault::error(code, message).at(&at.at).help(help));
    }

    pub(crate) fn input(&mut self, which: InputType, name: &Node) -> Option<InputSchema> {
        let key = which.key();
        let Some(wanted) = name.string() else {
            self.error(
                "schema/input-type",
                name,
                format!("'{key}' must name a type, but is {}", name.what()),
                "write the name of a type below 'types'",
            );
            return None;
        };
        let Some(node) = self.types.get(wanted) else {
            let known: Vec<&str> = self
                .types
                .members()
                .unwrap_or_default()
                .iter()
                .filter_map(|(key, _)| key.text())
                .collect();
            let help = match nearest(wanted, known.iter().copied()) {
                Some(near) => format!("did you mean '{}'?", clip(near)),
                None => format!("types of this schema: {}", listed(&known)),
            };
            self.error(
                "schema/input-type",
                name,
                format!(
                    "'{key}' names the type '{}', which is not below 'types'",
                    clip(wanted)
                ),
                &help,
            );
            return None;
        };
        self.trail.push(wanted.to_owned());
        let property = self.property(node)?;
        self.trail.pop();
        if !matches!(property.kind, Kind::Object | Kind::Any) {
            let message = format!(
                "the input type '{}' is of type {}, but inputs are always an object",
                clip(wanted),
                property.kind.as_str()
            );
            self.error(
                "schema/input-type",
                node,
                message,
                "write 'type: object' and put the inputs below 'properties'",
            );
            return None;
        }
        if property.properties.is_empty() {
            let message = format!("the input type '{}' has no properties", clip(wanted));
            self.faults.push(
                Fault::warning("schema/no-inputs", message)
                    .at(&node.at)
                    .help("add at least one input below 'properties' if the template needs any"),
            );
        }
        for (name, _) in node.get("properties").and_then(Node::members).unwrap_or_default() {
            if name.text().is_some_and(|name| name.chars().count() > 100) {
                self.error(
                    "schema/name",
                    name,
                    "the name of an input has more than 100 characters".to_owned(),
                    "shorten it",
                );
            }
        }
        let Property {
            properties,
            required,
            closed,
            description,
            ..
        } = property;
        Some(InputSchema {
            name: wanted.to_owned(),
            description,
            properties,
            required,
            closed,
        })
    }

    /// Follows a reference to the type that it names.
    fn target(&mut self, node: &'a Node, reference: &'a Node) -> Option<(&'a Node, String)> {
        let text = reference.text().unwrap_or_default();
        let prefixes = ["#/components/schemas/", "#/schema/types/", "#/types/", "#/"];
        let Some(name) = prefixes
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .filter(|name| !name.contains('/'))
        else {
            let message = format!("the reference '{}' leaves this file or names no type", clip(text));
            self.error(
                "schema/reference",
                reference,
                message,
                "only references such as '#/TypeName' to types of this schema are followed",
            );
            return None;
        };
        let Some(target) = self.types.get(name) else {
            let message = format!(
                "the reference names the type '{}', which is not below 'types'",
                clip(name)
            );
            self.error(
                "schema/reference",
                reference,
                message,
                "add the type or correct the name",
            );
            return None;
        };
        if self.trail.iter().any(|open| open == name) || self.trail.len() > 32 {
            let message = format!("the type '{}' contains itself", clip(name));
            self.error(
                "schema/recursive",
                node,
                message,
                "inputs have an end; write the levels out",
            );
            return None;
        }
        Some((target, name.to_owned()))
    }

    fn property(&mut self, node: &'a Node) -> Option<Property> {
        self.read += 1;
        if self.read == 10_000 {
            self.error(
                "schema/too-large",
                node,
                "the schema describes more than 10000 properties".to_owned(),
                "references count for what they stand for; simplify the types",
            );
        }
        if self.read >= 10_000 {
            return None;
        }
        if node.members().is_none() {
            self.error(
                "schema/shape",
                node,
                format!("a schema is a map, but this is {}", node.what()),
                "write 'type:' and what else is needed below it",
            );
            return None;
        }
        if let Some(reference) = node.get("$ref") {
            let (target, name) = self.target(node, reference)?;
            self.trail.push(name);
            let property = self.property(target);
            self.trail.pop();
            return property;
        }
        unknown(node, &KEYWORDS, self.faults);
        let mut property = Property::new(self.kind(node)?);
        property.title = self.text(node, "title");
        property.description = self.text(node, "description");
        property.format = self.text(node, "format");
        property.minimum = self.number(node, "minimum");
        property.maximum = self.number(node, "maximum");
        property.multiple_of = self.number(node, "multipleOf");
        (property.exclusive_minimum, property.minimum) =
            self.exclusive(node, "exclusiveMinimum", property.minimum);
        (property.exclusive_maximum, property.maximum) =
            self.exclusive(node, "exclusiveMaximum", property.maximum);
        property.min_length = self.count(node, "minLength");
        property.max_length = self.count(node, "maxLength");
        property.min_items = self.count(node, "minItems");
        property.max_items = self.count(node, "maxItems");
        property.unique_items = self.truth(node, "uniqueItems");
        property.nullable = self.truth(node, "nullable");
        property.pattern = self.text(node, "pattern");
        self.pattern(node, &mut property);
        self.ranges(node, &property);
        if let Some(items) = node.get("items") {
            property.items = self.property(items).map(Box::new);
        } else if property.kind == Kind::Array {
            self.faults.push(
                Fault::warning("schema/items", "the array does not say what its items are")
                    .at(&node.at)
                    .help("add 'items: { type: string }'"),
            );
        }
        self.members(node, &mut property);
        self.combined(node, &mut property);
        self.choices(node, &mut property);
        self.default(node, &mut property);
        Some(property)
    }

    fn kind(&mut self, node: &Node) -> Option<Kind> {
        let Some(named) = node.get("type") else {
            let object = node.get("properties").is_some();
            return Some(if object { Kind::Object } else { Kind::Any });
        };
        let kinds = [
            Kind::String,
            Kind::Number,
            Kind::Integer,
            Kind::Boolean,
            Kind::Array,
            Kind::Object,
        ];
        let text = named.string().unwrap_or_default();
        let found = kinds.into_iter().find(|kind| kind.as_str() == text);
        if found.is_none() {
            let words = kinds.map(Kind::as_str);
            let help = match nearest(text, words) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("types: {}", listed(words)),
            };
            let shown = if text.is_empty() { named.what() } else { text };
            self.error(
                "schema/type",
                named,
                format!("'{}' is not a type of OpenAPI 3.0", clip(shown)),
                &help,
            );
        }
        found
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = node.get(key)?;
        if value.string().is_none() {
            self.error(
                "schema/keyword",
                value,
                format!("'{key}' must be text, but is {}", value.what()),
                "put the text in quotes",
            );
        }
        value.string().map(str::to_owned)
    }

    fn number(&mut self, node: &Node, key: &str) -> Option<Number> {
        let value = node.get(key)?;
        match value.text().map(yaml::plain) {
            Some(Plain::Int(number) | Plain::Float(number)) => Some(number),
            _ => {
                self.error(
                    "schema/keyword",
                    value,
                    format!("'{key}' must be a number"),
                    "write digits",
                );
                None
            }
        }
    }

    fn count(&mut self, node: &Node, key: &str) -> Option<u64> {
        let value = node.get(key)?;
        let count = value.text().and_then(|text| text.parse().ok());
        if count.is_none() {
            self.error(
                "schema/keyword",
                value,
                format!("'{key}' must be a whole number of 0 or more"),
                "write digits",
            );
        }
        count
    }

    fn truth(&mut self, node: &Node, key: &str) -> bool {
        let Some(value) = node.get(key) else { return false };
        match value.text().map(yaml::plain) {
            Some(Plain::Bool(truth)) => truth,
            _ => {
                self.error(
                    "schema/keyword",
                    value,
                    format!("'{key}' must be true or false"),
                    "write true or false",
                );
                false
            }
        }
    }

    /// True or false in OpenAPI 3.0; newer schemas write the bound itself.
    fn exclusive(&mut self, node: &Node, key: &str, bound: Option<Number>) -> (bool, Option<Number>) {
        match node.get(key).and_then(Node::text).map(yaml::plain) {
            None => (false, bound),
            Some(Plain::Int(number) | Plain::Float(number)) => (true, Some(number)),
            Some(_) => (self.truth(node, key), bound),
        }
    }

    fn pattern(&mut self, node: &Node, property: &mut Property) {
        let Some(pattern) = &property.pattern else { return };
        match RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .nest_limit(64)
            .build()
        {
            Ok(regex) => property.regex = Some(regex),
            Err(error) => {
                let why = error.to_string();
                let why = why
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim()
                    .trim_start_matches("error: ")
                    .to_owned();
                let at = node.get("pattern").unwrap_or(node);
                self.error("schema/pattern", at, format!("the pattern cannot be used: {why}"), "patterns are matched in linear time: without look-around, back-references and huge repetitions");
            }
        }
    }

    fn ranges(&mut self, node: &Node, property: &Property) {
        let float = |number: &Option<Number>| number.as_ref().and_then(Number::as_f64);
        let crossed = [
            (
                "minimum",
                "maximum",
                float(&property.minimum)
                    .zip(float(&property.maximum))
                    .is_some_and(|(a, b)| a > b),
            ),
            (
                "minLength",
                "maxLength",
                property
                    .min_length
                    .zip(property.max_length)
                    .is_some_and(|(a, b)| a > b),
            ),
            (
                "minItems",
                "maxItems",
                property
                    .min_items
                    .zip(property.max_items)
                    .is_some_and(|(a, b)| a > b),
            ),
        ];
        for (low, high, wrong) in crossed {
            if wrong {
                let at = node.get(low).unwrap_or(node);
                self.error(
                    "schema/keyword",
                    at,
                    format!("'{low}' is greater than '{high}': no value is allowed"),
                    "swap or correct them",
                );
            }
        }
    }

    fn members(&mut self, node: &'a Node, property: &mut Property) {
        if let Some(given) = node.get("properties") {
            if given.members().is_none() && !given.is_null() {
                self.error(
                    "schema/shape",
                    given,
                    format!("'properties' must be a map, but is {}", given.what()),
                    "write one 'name:' for each input",
                );
            }
            for (key, member) in given.members().unwrap_or_default() {
                let Some(name) = key.string() else {
                    self.error(
                        "schema/name",
                        key,
                        "an input has no name".to_owned(),
                        "write 'name:'",
                    );
                    continue;
                };
                if let Some(member) = self.property(member) {
                    property.properties.insert(name.to_owned(), member);
                }
            }
        }
        property.closed = match node
            .get("additionalProperties")
            .map(|node| (node, node.text().map(yaml::plain)))
        {
            Some((_, Some(Plain::Bool(open)))) => !open,
            Some((given, _)) if given.members().is_none() => {
                self.error(
                    "schema/keyword",
                    given,
                    "'additionalProperties' must be true, false or a schema".to_owned(),
                    "write true or false",
                );
                false
            }
            _ => false,
        };
        let Some(given) = node.get("required") else { return };
        let Some(items) = given.items() else {
            self.error(
                "schema/required",
                given,
                format!("'required' must be a list of names, but is {}", given.what()),
                "write 'required: [name]' beside 'properties'",
            );
            return;
        };
        for item in items {
            let name = item.text().unwrap_or_default();
            // Also those that have faults of their own: one mistake is told once.
            if node
                .get("properties")
                .is_some_and(|members| members.get(name).is_some())
            {
                property.required.push(name.to_owned());
            } else {
                let near = nearest(name, property.properties.keys().map(String::as_str));
                let help = near.map_or_else(
                    || "add it below 'properties' or remove it here".to_owned(),
                    |near| format!("did you mean '{}'?", clip(near)),
                );
                self.error(
                    "schema/required",
                    item,
                    format!("'{}' is required but not among the properties", clip(name)),
                    &help,
                );
            }
        }
    }

    fn combined(&mut self, node: &'a Node, property: &mut Property) {
        let words = ["allOf", "anyOf", "oneOf", "not"];
        if !words.iter().any(|word| node.get(word).is_some()) {
            return;
        }
        let Some(Value::Object(mut whole)) = self.json(node) else {
            return;
        };
        whole.retain(|key, _| words.contains(&key.as_str()));
        let options = jsonschema::PatternOptions::regex()
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20);
        let built = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft4)
            .with_pattern_options(options)
            .build(&Value::Object(whole));
        match built {
            Ok(validator) => property.combined = Some(Arc::new(validator)),
            Err(error) => self.error(
                "schema/keyword",
                node,
                format!("the schema cannot be used: {}", clip(&error.to_string())),
                "simplify what is combined here",
            ),
        }
    }

    /// A schema as JSON, references replaced by what they name.
    fn json(&mut self, node: &'a Node) -> Option<Value> {
        self.read += 1;
        if self.read >= 10_000 {
            return None;
        }
        if let Some(reference) = node.get("$ref") {
            let (target, name) = self.target(node, reference)?;
            self.trail.push(name);
            let value = self.json(target);
            self.trail.pop();
            return value;
        }
        Some(match &node.data {
            Data::Scalar { text, plain } => literal(text, *plain),
            Data::List(items) => {
                Value::Array(items.iter().map(|item| self.json(item)).collect::<Option<_>>()?)
            }
            Data::Map(members) => {
                let mut object = serde_json::Map::new();
                for (key, value) in members {
                    object.insert(key.text()?.to_owned(), self.json(value)?);
                }
                Value::Object(object)
            }
        })
    }

    fn choices(&mut self, node: &'a Node, property: &mut Property) {
        let Some(given) = node.get("enum") else { return };
        let Some(items) = given.items().filter(|items| !items.is_empty()) else {
            self.error(
                "schema/enum",
                given,
                "'enum' must be a list with at least one value".to_owned(),
                "write 'enum: [first, second]'",
            );
            return;
        };
        let plain = Property::new(property.kind);
        for item in items {
            if let Some(value) = self.value(item, &plain, "enum") {
                property.choices.push(value);
            }
        }
    }

    fn default(&mut self, node: &'a Node, property: &mut Property) {
        let Some(given) = node.get("default") else { return };
        property.default = self.value(given, property, "default");
    }

    /// A value inside the schema; faults are told as the schema's, not as a spec's.
    fn value(&mut self, node: &Node, property: &Property, what: &'static str) -> Option<Value> {
        let mut inner = Faults::new();
        let given = spec::value(node, &mut inner);
        let value = given.and_then(|given| property.accept(what, &given, &mut inner));
        let code = if what == "enum" {
            "schema/enum"
        } else {
            "schema/default"
        };
        self.faults
            .extend(inner.into_iter().map(|fault| Fault { code, ..fault }));
        value
    }
}

fn literal(text: &str, is_plain: bool) -> Value {
    match yaml::plain(text) {
        Plain::Null if is_plain => Value::Null,
        Plain::Bool(truth) if is_plain => Value::Bool(truth),
        Plain::Int(number) | Plain::Float(number) if is_plain => Value::Number(number),
        _ => Value::String(text.to_owned()),
    }
}
