//! Made-up values for rendering a template nobody has deployed yet.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::inputs::Values;
use crate::namespace::Scope;
use crate::property::{Kind, Property};
use crate::schema::{InputSchema, InputType, Schema};

/// Trees to render with, each with whether an input in it had to be made up: once with nothing attached, and for
/// instances once with a component; and all of them again with the optional inputs, when there are any.
pub(crate) fn facts(
    scope: Scope,
    schema: Option<&Schema>,
    outputs: &BTreeMap<&'static str, BTreeMap<String, bool>>,
) -> Vec<(Values, bool)> {
    let mut all = some_facts(scope, schema, outputs, false);
    for more in some_facts(scope, schema, outputs, true) {
        if all.iter().all(|(values, _)| *values != more.0) {
            all.push(more);
        }
    }
    all
}

fn some_facts(
    scope: Scope,
    schema: Option<&Schema>,
    outputs: &BTreeMap<&'static str, BTreeMap<String, bool>>,
    optional: bool,
) -> Vec<(Values, bool)> {
    let text = |name: &str| json!(format!("placeholder-{}", name.to_ascii_lowercase()));
    let asked = |whose: &str| -> Json {
        let names = outputs
            .get(whose)
            .into_iter()
            .flatten()
            .filter(|(_, needed)| **needed);
        Json::Object(names.map(|(name, _)| (name.clone(), text(name))).collect())
    };
    let environment = json!({
        "name": "environment", "account_id": "111111111111", "region": "us-east-1", "outputs": asked("environment"),
    });
    let service = json!({
        "name": "service", "branch_name": "main", "repository_id": "owner/repository",
        "repository_connection_arn": "arn:aws:codestar-connections:us-east-1:111111111111:connection/placeholder",
    });
    let inputs = |which| inputs(schema.and_then(|schema| schema.inputs(which)), optional);
    let (given, made_up) = inputs(InputType::Service);
    match scope {
        Scope::Environment => {
            let (given, made_up) = inputs(InputType::Environment);
            let environment = json!({ "name": "environment", "account_id": "111111111111", "region": "us-east-1", "inputs": given });
            vec![(root([("environment", environment)]), made_up)]
        }
        Scope::Instance => {
            let attached =
                json!({ "default": { "name": "component", "outputs": attached(&asked("component")) } });
            [(json!({}), made_up), (attached, true)]
                .into_iter()
                .map(|(components, made_up)| {
                    let instance = json!({ "name": "instance", "inputs": given, "components": components, "environment": environment });
                    let all = [("environment", environment.clone()), ("service", service.clone()), ("service_instance", instance)];
                    (root(all), made_up)
                })
                .collect()
        }
        Scope::Pipeline => {
            let (pipeline, also) = inputs(InputType::Pipeline);
            let instance = json!({ "name": "instance", "inputs": given, "outputs": asked("instance"), "environment": environment });
            let all = [
                ("service", service),
                ("service_instances", json!([instance])),
                ("pipeline", json!({ "inputs": pipeline })),
            ];
            vec![(root(all), made_up || also)]
        }
        // A component is rendered with real values at once.
        Scope::Component { .. } => Vec::new(),
    }
}

/// A component gives what the template asks for, and two outputs of its own for those that loop over them.
fn attached(asked: &Json) -> Json {
    let mut outputs = json!({ "PlaceholderName": "placeholder", "PlaceholderPolicy": "arn:aws:iam::111111111111:policy/placeholder" });
    if let (Json::Object(outputs), Json::Object(asked)) = (&mut outputs, asked) {
        outputs.extend(asked.clone());
    }
    outputs
}

fn root<const N: usize>(members: [(&str, Json); N]) -> Values {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn inputs(schema: Option<&InputSchema>, optional: bool) -> (Json, bool) {
    let mut made_up = false;
    let mut values = Values::new();
    for (name, property) in schema.iter().flat_map(|schema| &schema.properties) {
        if let Some(default) = &property.default {
            values.insert(name.clone(), default.clone());
        } else if optional || schema.is_some_and(|schema| schema.required.contains(name)) {
            made_up = true;
            values.insert(name.clone(), value(property, optional));
        }
    }
    (Json::Object(values), made_up)
}

fn value(property: &Property, optional: bool) -> Json {
    if let Some(value) = property.default.as_ref().or_else(|| property.choices.first()) {
        return value.clone();
    }
    match property.kind {
        Kind::String | Kind::Any => {
            let least = usize::try_from(property.min_length.unwrap_or(0))
                .unwrap_or(0)
                .min(1_000);
            let most = property
                .max_length
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(usize::MAX);
            let text: String = "placeholder"
                .chars()
                .chain(std::iter::repeat('x'))
                .take(least.max(11).min(most))
                .collect();
            json!(text)
        }
        Kind::Number | Kind::Integer => property
            .minimum
            .clone()
            .or_else(|| property.maximum.clone())
            .map_or_else(|| json!(1), Json::Number),
        Kind::Boolean => json!(true),
        Kind::Array => Json::Array(property.items.iter().map(|item| value(item, optional)).collect()),
        Kind::Object => {
            let members = property.properties.iter().filter(|(name, member)| {
                optional || property.required.contains(name) || member.default.is_some()
            });
            Json::Object(
                members
                    .map(|(name, member)| (name.clone(), value(member, optional)))
                    .collect(),
            )
        }
    }
}
