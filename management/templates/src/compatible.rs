//! Whether specs that a minor version accepts are accepted by the next one.

use indexmap::IndexMap;

use crate::diagnostic::{Fault, Faults, clip, listed};
use crate::property::{Kind, Property, same, show};
use crate::schema::Schema;

/// What in a new minor version may break specs written for the old one. All of it is warnings: whether a version is
/// a minor one is the publisher's word, and a spec that breaks is told so when it is used.
#[must_use]
pub fn compatible(old: &Schema, new: &Schema) -> Faults {
    let mut faults = Faults::new();
    for (which, before) in old.all() {
        match new.inputs(which) {
            Some(after) => members(
                "",
                (&before.properties, &before.required),
                (&after.properties, &after.required),
                &mut faults,
            ),
            None => warn(&mut faults, format!("'{}' is gone", which.key())),
        }
    }
    for (which, after) in new.all() {
        let needs = after.required.iter().any(|name| {
            after
                .properties
                .get(name)
                .is_none_or(|property| property.default.is_none())
        });
        if old.inputs(which).is_none() && needs {
            warn(
                &mut faults,
                format!(
                    "'{}' is new and has required inputs without a default",
                    which.key()
                ),
            );
        }
    }
    faults
}

fn warn(faults: &mut Faults, message: String) {
    let help = "publish it as a new major version, or keep accepting what the older minor versions accept";
    faults.push(Fault::warning("schema/incompatible", message).help(help));
}

type Members<'a> = (&'a IndexMap<String, Property>, &'a [String]);

fn members(
    prefix: &str,
    (old, was_required): Members<'_>,
    (new, required): Members<'_>,
    faults: &mut Faults,
) {
    for (name, before) in old {
        let shown = format!("{prefix}{}", clip(name));
        match new.get(name) {
            None => warn(faults, format!("the input '{shown}' is gone")),
            Some(after) => property(&shown, before, after, faults),
        }
    }
    for name in required {
        let shown = format!("{prefix}{}", clip(name));
        if new.get(name).is_some_and(|property| property.default.is_some()) {
            continue;
        }
        match old.get(name) {
            None => warn(
                faults,
                format!("the input '{shown}' is new, required and has no default"),
            ),
            Some(before) if !was_required.contains(name) || before.default.is_some() => {
                warn(
                    faults,
                    format!("the input '{shown}' could be left out and now cannot"),
                );
            }
            Some(_) => {}
        }
    }
}

fn property(name: &str, old: &Property, new: &Property, faults: &mut Faults) {
    let wider = new.kind == Kind::Any || (old.kind == Kind::Integer && new.kind == Kind::Number);
    if old.kind != new.kind && !wider {
        warn(
            faults,
            format!(
                "the input '{name}' was {} and is now {}",
                old.kind.as_str(),
                new.kind.as_str()
            ),
        );
        return;
    }
    if !new.choices.is_empty() {
        let lost: Vec<String> = old
            .choices
            .iter()
            .filter(|choice| !new.choices.iter().any(|now| same(now, choice)))
            .map(show)
            .collect();
        if old.choices.is_empty() {
            warn(
                faults,
                format!(
                    "the input '{name}' took any value and now only {}",
                    listed(new.choices.iter().map(show))
                ),
            );
        } else if !lost.is_empty() {
            warn(
                faults,
                format!("the input '{name}' no longer allows {}", listed(lost)),
            );
        }
    }
    let float = |number: &Option<serde_json::Number>| number.as_ref().and_then(serde_json::Number::as_f64);
    let raised = |old: Option<f64>, new: Option<f64>| new.is_some_and(|new| old.is_none_or(|old| new > old));
    let lowered = |old: Option<f64>, new: Option<f64>| new.is_some_and(|new| old.is_none_or(|old| new < old));
    #[expect(
        clippy::cast_precision_loss,
        reason = "lengths are small; only their order matters"
    )]
    let length = |count: Option<u64>| count.map(|count| count as f64);
    let narrowed = [
        (
            "minimum",
            raised(float(&old.minimum), float(&new.minimum))
                || (new.exclusive_minimum && !old.exclusive_minimum),
        ),
        (
            "maximum",
            lowered(float(&old.maximum), float(&new.maximum))
                || (new.exclusive_maximum && !old.exclusive_maximum),
        ),
        (
            "minLength",
            raised(length(old.min_length), length(new.min_length)) && new.min_length > Some(0),
        ),
        (
            "maxLength",
            lowered(length(old.max_length), length(new.max_length)),
        ),
        (
            "minItems",
            raised(length(old.min_items), length(new.min_items)) && new.min_items > Some(0),
        ),
        ("maxItems", lowered(length(old.max_items), length(new.max_items))),
        ("pattern", new.pattern.is_some() && new.pattern != old.pattern),
        ("nullable", old.nullable && !new.nullable),
        ("additionalProperties", new.closed && !old.closed),
        ("uniqueItems", new.unique_items && !old.unique_items),
    ];
    for (keyword, _) in narrowed.into_iter().filter(|(_, narrower)| *narrower) {
        warn(
            faults,
            format!("the input '{name}' is narrowed by its '{keyword}'"),
        );
    }
    if let (Some(before), Some(after)) = (&old.items, &new.items) {
        property(&format!("{name}[]"), before, after, faults);
    }
    members(
        &format!("{name}."),
        (&old.properties, &old.required),
        (&new.properties, &new.required),
        faults,
    );
}
