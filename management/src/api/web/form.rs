//! Forms that are made from the schema of a template: fields for its inputs, and a spec from what was written in them.
//!
//! What is right and what is wrong is not decided here. What was written goes into the spec as it is, and the check that every
//! interface has says what is wrong with it; here its faults find the way back to their fields. The schema was read and checked
//! by a render worker when the template was registered; reading the very same text again finds the very same things.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use hadron_proto::vocab::TemplateVersion;
use hadron_templates::{
    EnvironmentSpec, Fault, InputSchema, InputType, Kind, Property, Schema, SpecMap, SpecNode, SpecValue,
    Spot,
};
use indexmap::IndexMap;

use super::show::Html;
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::templates::VersionView;

/// Longer texts get more than one line.
const LONG: u64 = 200;

/// The inputs of a version for one purpose, when it has any.
pub(super) async fn inputs(
    v: &Visit,
    version: &VersionView,
    which: InputType,
) -> Result<Option<InputSchema>, AppError> {
    let text = v.app.version_schema(version).await?;
    if text.is_empty() {
        return Ok(None);
    }
    let schema = Schema::parse("schema/schema.yaml", text.as_bytes())?;
    Ok(schema.inputs(which).cloned())
}

/// What a form is about, as people write it: `name:1.0`.
pub(super) fn version_label(name: &impl std::fmt::Display, version: TemplateVersion) -> String {
    format!("{name}:{version}")
}

/// What is written in a property, as far as a form can have it.
enum Shape<'a> {
    /// One value.
    One,
    /// Values, one a line.
    Lines(&'a Property),
    /// Fields of its own.
    Group,
    /// Any number of groups of fields.
    Rows(&'a Property),
    /// Whatever YAML says.
    Yaml,
}

fn shape(property: &Property) -> Shape<'_> {
    match property.kind {
        Kind::String | Kind::Number | Kind::Integer | Kind::Boolean => Shape::One,
        Kind::Object if !property.properties.is_empty() => Shape::Group,
        Kind::Array => match property.items.as_deref() {
            Some(item) if matches!(shape(item), Shape::One) => Shape::Lines(item),
            Some(item) if matches!(shape(item), Shape::Group) => Shape::Rows(item),
            _ => Shape::Yaml,
        },
        Kind::Object | Kind::Any => Shape::Yaml,
    }
}

fn value(node: SpecNode) -> SpecValue {
    SpecValue {
        node,
        at: Spot::default(),
    }
}

/// One value as it was written. Numbers and truth values are written plain, so that they can be ones.
fn scalar(kind: Kind, text: &str) -> SpecValue {
    let plain = !matches!(kind, Kind::String);
    value(SpecNode::Scalar {
        text: text.to_owned(),
        plain,
    })
}

/// What YAML says; text that is no YAML stays text, and the check says what is wrong with it.
fn from_yaml(text: &str) -> SpecValue {
    let indented: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    let spec = format!(
        "proton: EnvironmentSpec\nspec:\n  value:\n{}\n",
        indented.join("\n")
    );
    let read = EnvironmentSpec::parse("form", &spec).ok();
    read.and_then(|mut spec| spec.inputs.remove("value"))
        .unwrap_or_else(|| SpecValue::from_text(text))
}

fn to_yaml(value: &SpecValue) -> String {
    let mut inputs = SpecMap::default();
    inputs.insert("value", value.clone());
    let text = EnvironmentSpec { inputs }.to_text();
    let body: Vec<&str> = text.lines().skip(2).collect();
    match body.as_slice() {
        [only] => only
            .trim_start()
            .trim_start_matches("value:")
            .trim_start()
            .to_owned(),
        [_, rest @ ..] => rest
            .iter()
            .map(|line| line.strip_prefix("    ").unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n"),
        [] => String::new(),
    }
}

/// The numbers of the rows that a form has below this name.
fn rows(form: &Fields, name: &str) -> BTreeSet<usize> {
    let prefix = format!("{name}.");
    form.0
        .iter()
        .filter_map(|(key, _)| key.strip_prefix(&prefix))
        .filter_map(|rest| rest.split('.').next()?.parse().ok())
        .filter(|number| *number < 1_000)
        .collect()
}

/// A spec's inputs from what was written in a form, over what was there before: what the form has no field for stays.
pub(super) fn spec(schema: &InputSchema, form: &Fields, prefix: &str, before: SpecMap) -> SpecMap {
    members(&schema.properties, form, prefix, before)
}

fn members(
    properties: &IndexMap<String, Property>,
    form: &Fields,
    prefix: &str,
    mut map: SpecMap,
) -> SpecMap {
    for (name, property) in properties {
        let path = format!("{prefix}.{name}");
        let before = map.get(name).cloned();
        match written(property, form, &path, before) {
            Some(value) => map.insert(name.clone(), value),
            None => {
                map.remove(name);
            }
        }
    }
    map
}

fn written(property: &Property, form: &Fields, path: &str, before: Option<SpecValue>) -> Option<SpecValue> {
    let text = form.get(path).replace("\r\n", "\n");
    match shape(property) {
        Shape::One => (!text.is_empty()).then(|| scalar(property.kind, &text)),
        Shape::Lines(item) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let items: Vec<SpecValue> = lines.map(|line| scalar(item.kind, line)).collect();
            (!items.is_empty()).then(|| value(SpecNode::List(items)))
        }
        Shape::Yaml => (!text.trim().is_empty()).then(|| from_yaml(text.trim_end())),
        Shape::Group => {
            let before = match before.map(|before| before.node) {
                Some(SpecNode::Map(map)) => map,
                _ => SpecMap::default(),
            };
            let map = members(&property.properties, form, path, before);
            (!map.is_empty()).then(|| value(SpecNode::Map(map)))
        }
        Shape::Rows(item) => {
            let maps = rows(form, path).into_iter().map(|number| {
                members(
                    &item.properties,
                    form,
                    &format!("{path}.{number}"),
                    SpecMap::default(),
                )
            });
            let items: Vec<SpecValue> = maps
                .filter(|map| !map.is_empty())
                .map(|map| value(SpecNode::Map(map)))
                .collect();
            (!items.is_empty()).then(|| value(SpecNode::List(items)))
        }
    }
}

/// What a form has to have in its fields for these inputs.
pub(super) fn filled(schema: &InputSchema, given: &SpecMap, prefix: &str) -> Fields {
    let mut fields = Fields::default();
    fill(&schema.properties, given, prefix, &mut fields);
    fields
}

fn fill(properties: &IndexMap<String, Property>, given: &SpecMap, prefix: &str, fields: &mut Fields) {
    for (name, property) in properties {
        let Some(value) = given.get(name) else { continue };
        let path = format!("{prefix}.{name}");
        match (shape(property), &value.node) {
            (Shape::One, SpecNode::Scalar { text, .. }) => fields.0.push((path, text.clone())),
            (Shape::Lines(_), SpecNode::List(items)) => {
                let line = |item: &SpecValue| match &item.node {
                    SpecNode::Scalar { text, .. } => text.clone(),
                    _ => to_yaml(item),
                };
                let lines: Vec<String> = items.iter().map(line).collect();
                fields.0.push((path, lines.join("\n")));
            }
            (Shape::Group, SpecNode::Map(map)) => fill(&property.properties, map, &path, fields),
            (Shape::Rows(item), SpecNode::List(items)) => {
                for (number, row) in items.iter().enumerate() {
                    if let SpecNode::Map(map) = &row.node {
                        fill(&item.properties, map, &format!("{path}.{number}"), fields);
                    }
                }
            }
            // Of another shape than the schema says: shown as it is.
            _ => fields.0.push((path, to_yaml(value))),
        }
    }
}

/// Faults by the field that they are about; the rest is said above the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Errors(BTreeMap<String, Vec<String>>);

impl Errors {
    /// What the check of a spec found, for the fields that begin with this.
    pub(super) fn of(error: &AppError, prefix: &str) -> Self {
        let mut errors = BTreeMap::<String, Vec<String>>::new();
        for fault in &error.faults {
            if let Some(name) = about(fault) {
                let said = match &fault.help {
                    Some(help) => format!("{} ({help})", fault.message),
                    None => fault.message.clone(),
                };
                errors.entry(format!("{prefix}.{name}")).or_default().push(said);
            }
        }
        Self(errors)
    }

    fn at(&self, path: &str) -> String {
        self.0.get(path).map(|said| said.join("; ")).unwrap_or_default()
    }
}

/// The input that a fault of a spec is about, as fields are named: faults name it in their first quotes.
fn about(fault: &Fault) -> Option<String> {
    if !fault.code.starts_with("spec/") {
        return None;
    }
    let name = fault.message.split('\'').nth(1)?;
    Some(name.replace('[', ".").replace(']', ""))
}

/// One field, or several in a frame.
#[derive(Template)]
#[template(path = "field.html")]
struct FieldView<'a> {
    v: &'a Visit,
    id: String,
    name: String,
    label: String,
    required: bool,
    description: String,
    hints: Vec<String>,
    error: String,
    value: String,
    input: &'static str,
    options: Vec<(String, String, bool)>,
    limits: Vec<(&'static str, String)>,
    inner: Html,
    rows: Vec<Html>,
}

/// Writes fields; each gets an id of its own.
struct Writer<'a> {
    v: &'a Visit,
    form: &'a Fields,
    errors: &'a Errors,
    next: usize,
    ids: &'a str,
}

/// All fields of a schema. `ids` keeps those of several schemas on one page apart.
pub(super) fn fields(
    v: &Visit,
    schema: &InputSchema,
    form: &Fields,
    prefix: &str,
    errors: &Errors,
) -> Result<Html, AppError> {
    let ids = prefix.replace('.', "-");
    let mut writer = Writer {
        v,
        form,
        errors,
        next: 0,
        ids: &ids,
    };
    writer.all(&schema.properties, &schema.required, prefix)
}

fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Writer<'_> {
    fn all(
        &mut self,
        properties: &IndexMap<String, Property>,
        required: &[String],
        prefix: &str,
    ) -> Result<Html, AppError> {
        let mut html = String::new();
        for (name, property) in properties {
            let path = format!("{prefix}.{name}");
            html.push_str(&self.one(name, property, required.contains(name), &path)?.0);
        }
        Ok(Html(html))
    }

    fn one(&mut self, name: &str, property: &Property, required: bool, path: &str) -> Result<Html, AppError> {
        self.next += 1;
        let id = format!("{}-{}", self.ids, self.next);
        let (mut inner, mut lines) = (Html::default(), Vec::new());
        let value = self.form.get(path).to_owned();
        let input = match shape(property) {
            Shape::Group => {
                inner = self.all(&property.properties, &property.required, path)?;
                "group"
            }
            Shape::Rows(item) => {
                let mut numbers = rows(self.form, path);
                if self.form.get("do") == format!("add:{path}") {
                    numbers.insert(numbers.last().map_or(0, |last| last + 1));
                }
                for number in numbers {
                    let path = format!("{path}.{number}");
                    lines.push(self.all(&item.properties, &item.required, &path)?);
                }
                "rows"
            }
            Shape::Lines(_) | Shape::Yaml => "area",
            Shape::One if !property.choices.is_empty() || property.kind == Kind::Boolean => "select",
            Shape::One if matches!(property.kind, Kind::Number | Kind::Integer) => "number",
            Shape::One if property.max_length.is_some_and(|most| most > LONG) || value.contains('\n') => {
                "area"
            }
            Shape::One => "text",
        };
        let view = FieldView {
            v: self.v,
            label: property.title.clone().unwrap_or_else(|| name.to_owned()),
            name: path.to_owned(),
            required: required && property.default.is_none(),
            description: property.description.clone().unwrap_or_default(),
            hints: self.hints(name, property),
            error: self.errors.at(path),
            options: self.options(property, &value),
            limits: limits(property),
            id,
            value,
            input,
            inner,
            rows: lines,
        };
        Html::of(&view)
    }

    /// What may be chosen, with a first choice that leaves it to the schema.
    fn options(&self, property: &Property, value: &str) -> Vec<(String, String, bool)> {
        let words: Vec<String> = match property.kind {
            Kind::Boolean if property.choices.is_empty() => vec!["true".to_owned(), "false".to_owned()],
            _ => property.choices.iter().map(shown).collect(),
        };
        let left = match &property.default {
            Some(default) => format!("{} ({})", shown(default), self.v.t.field_default),
            None => self.v.t.field_choose.to_owned(),
        };
        let unknown =
            Some(value).filter(|value| !value.is_empty() && !words.iter().any(|word| word == value));
        let all = words
            .iter()
            .map(|word| (word.clone(), word.clone(), word == value));
        std::iter::once((String::new(), left, value.is_empty()))
            .chain(all)
            .chain(unknown.map(|value| (value.to_owned(), value.to_owned(), true)))
            .collect()
    }

    fn hints(&self, name: &str, property: &Property) -> Vec<String> {
        let t = self.v.t;
        let mut hints = Vec::new();
        if property.title.is_some() {
            hints.push(name.to_owned());
        }
        if let Some(default) = &property.default {
            hints.push(format!("{}: {}", t.field_default, shown(default)));
        }
        let span = |least: Option<String>, most: Option<String>| match (least, most) {
            (Some(least), Some(most)) => Some(format!("{least}\u{2013}{most}")),
            (Some(least), None) => Some(format!("\u{2265} {least}")),
            (None, Some(most)) => Some(format!("\u{2264} {most}")),
            (None, None) => None,
        };
        let text = |number: Option<u64>| number.map(|number| number.to_string());
        let number = |number: &Option<serde_json::Number>| number.as_ref().map(ToString::to_string);
        hints.extend(span(number(&property.minimum), number(&property.maximum)));
        if let Some(length) = span(text(property.min_length), text(property.max_length)) {
            hints.push(format!("{length} {}", t.field_characters));
        }
        if let Some(count) = span(text(property.min_items), text(property.max_items)) {
            hints.push(format!("{count} {}", t.field_items));
        }
        if let Some(pattern) = &property.pattern {
            hints.push(format!("{}: {pattern}", t.field_pattern));
        }
        match shape(property) {
            Shape::Lines(item) => {
                hints.push(t.field_lines.to_owned());
                if !item.choices.is_empty() {
                    let words: Vec<String> = item.choices.iter().map(shown).collect();
                    hints.push(words.join(", "));
                }
            }
            Shape::Yaml => hints.push(t.field_yaml.to_owned()),
            _ => {}
        }
        hints
    }
}

/// What a browser may check before it sends anything. Patterns are left to the hub: browsers read other expressions.
fn limits(property: &Property) -> Vec<(&'static str, String)> {
    let mut limits = Vec::new();
    match property.kind {
        Kind::Number | Kind::Integer => {
            for (name, limit) in [("min", &property.minimum), ("max", &property.maximum)] {
                limits.extend(limit.as_ref().map(|limit| (name, limit.to_string())));
            }
            let whole = property.kind == Kind::Integer;
            limits.push(("step", if whole { "1" } else { "any" }.to_owned()));
        }
        Kind::String => {
            for (name, limit) in [
                ("minlength", property.min_length),
                ("maxlength", property.max_length),
            ] {
                limits.extend(limit.map(|limit| (name, limit.to_string())));
            }
        }
        _ => {}
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "schema:
  format: { openapi: '3.0.0' }
  environment_input_type: T
  types:
    T:
      type: object
      required: [name]
      properties:
        name: { type: string, minLength: 2 }
        size: { type: integer, default: 3 }
        on: { type: boolean }
        tags: { type: array, items: { type: string } }
        net:
          type: object
          properties: { cidr: { type: string }, port: { type: integer } }
        rules:
          type: array
          items: { type: object, properties: { from: { type: string }, to: { type: integer } } }
        free: { type: object }
";

    fn schema() -> InputSchema {
        let schema = Schema::parse("s", SCHEMA.as_bytes()).unwrap();
        schema.inputs(InputType::Environment).unwrap().clone()
    }

    fn form(pairs: &[(&str, &str)]) -> Fields {
        Fields(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn what_is_written_becomes_a_spec_and_comes_back() {
        let written = form(&[
            ("in.name", "no"),
            ("in.size", "12"),
            ("in.on", "true"),
            ("in.tags", " a: b \r\n\r\n#c"),
            ("in.net.cidr", "10.0.0.0/16"),
            ("in.net.port", ""),
            ("in.rules.0.from", "x"),
            ("in.rules.2.to", "80"),
            ("in.rules.3.to", ""),
            ("in.free", "a: 1\nb:\n  - c"),
        ]);
        let inputs = spec(&schema(), &written, "in", SpecMap::default());
        let text = EnvironmentSpec {
            inputs: inputs.clone(),
        }
        .to_text();
        let again = EnvironmentSpec::parse("s", &text).unwrap();
        assert_eq!(again.inputs, inputs, "{text}");
        // Text that looks like something else stays text.
        assert!(
            text.contains("name: \"no\"") && text.contains("size: 12\n"),
            "{text}"
        );
        assert!(text.contains("- \"a: b\"") && !text.contains("port"), "{text}");
        assert!(
            text.contains("cidr: 10.0.0.0/16") || text.contains("cidr: \"10.0.0.0/16\""),
            "{text}"
        );
        let filled = filled(&schema(), &again.inputs, "in");
        assert_eq!(filled.get("in.tags"), "a: b\n#c");
        assert_eq!(
            (filled.get("in.rules.0.from"), filled.get("in.rules.1.to")),
            ("x", "80")
        );
        assert_eq!(spec(&schema(), &filled, "in", SpecMap::default()), inputs);
    }

    #[test]
    fn what_the_form_has_no_field_for_stays() {
        let before =
            EnvironmentSpec::parse("s", "proton: EnvironmentSpec\nspec: { extra: 1, name: old }").unwrap();
        let inputs = spec(&schema(), &form(&[("in.name", "new")]), "in", before.inputs);
        let text = EnvironmentSpec { inputs }.to_text();
        assert!(text.contains("extra: 1") && text.contains("name: new"), "{text}");
    }

    #[test]
    fn faults_find_their_fields() {
        let given = form(&[("in.size", "many"), ("in.rules.0.to", "x")]);
        let inputs = spec(&schema(), &given, "in", SpecMap::default());
        let faults = schema().validate(&inputs);
        let errors = Errors::of(&AppError::from(faults), "in");
        assert!(errors.at("in.size").contains("size"), "{errors:?}");
        assert!(!errors.at("in.name").is_empty(), "{errors:?}");
        assert!(!errors.at("in.rules.0.to").is_empty(), "{errors:?}");
        assert!(errors.at("in.on").is_empty());
    }
}
