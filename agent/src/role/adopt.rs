//! Letting an existing AWS Proton service role be used by the agent.
//!
//! Such a role trusts `proton.amazonaws.com`, which handed it to CloudFormation. The agent passes it to CloudFormation
//! itself, so CloudFormation has to be trusted instead: only for stacks with the prefix, only in this account. Whatever
//! else the trust policy says is somebody else's and stays as it is, to the letter.

use serde_json::{Map, Value, json};

use super::documents::{Subject, cloudformation_trust, trust_conditions};

const PROTON: &str = "proton.amazonaws.com";
/// Conditions that tell a service for whom it may act: Proton's are of no use to CloudFormation.
const SOURCE_KEYS: [&str; 2] = ["aws:sourceaccount", "aws:sourcearn"];

/// What is to become of a trust policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Adoption {
    /// It should be this instead.
    Change(Value),
    /// It trusts CloudFormation as it should, and Proton no more.
    Nothing,
    /// It is no trust policy of a Proton service role.
    NotProton(String),
}

/// Computes the new trust policy.
#[must_use]
pub(super) fn adopt(trust: &Value, subject: &Subject) -> Adoption {
    let statements = match trust.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        // IAM allows a single statement without the brackets.
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => return Adoption::NotProton("it has no statements".to_owned()),
    };
    if !statements.iter().any(allows_proton) {
        let wanted = cloudformation_trust(subject);
        return if statements
            .iter()
            .any(|statement| same_but_sid(statement, &wanted))
        {
            Adoption::Nothing
        } else {
            Adoption::NotProton(format!("no statement of it allows {PROTON}"))
        };
    }
    let changed: Vec<Value> = statements
        .into_iter()
        .flat_map(|old| {
            if allows_proton(&old) {
                replace(&old, subject)
            } else {
                vec![old]
            }
        })
        .collect();
    let mut new = trust.clone();
    new["Statement"] = Value::Array(changed);
    Adoption::Change(new)
}

fn services(statement: &Value) -> Vec<&str> {
    match statement
        .get("Principal")
        .and_then(|principal| principal.get("Service"))
    {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn allows_proton(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some("Allow") && services(statement).contains(&PROTON)
}

fn same_but_sid(statement: &Value, wanted: &Value) -> bool {
    let mut statement = statement.clone();
    if let Some(statement) = statement.as_object_mut() {
        statement.remove("Sid");
    }
    statement == *wanted
}

/// The statement for CloudFormation, and the old one without Proton when it allows others as well.
fn replace(old: &Value, subject: &Subject) -> Vec<Value> {
    let mut new = old.clone();
    new["Principal"] = json!({ "Service": "cloudformation.amazonaws.com" });
    new["Condition"] = conditions(old.get("Condition"), subject);
    let mut others = old.clone();
    let principal = others["Principal"]
        .as_object_mut()
        .expect("a statement that allows a service has an object");
    let rest: Vec<&str> = services(old)
        .into_iter()
        .filter(|service| *service != PROTON)
        .collect();
    match rest.as_slice() {
        [] => drop(principal.remove("Service")),
        [one] => drop(principal.insert("Service".to_owned(), json!(one))),
        many => drop(principal.insert("Service".to_owned(), json!(many))),
    }
    if principal.is_empty() {
        return vec![new];
    }
    // Sids are unique in a policy.
    if let Some(statement) = new.as_object_mut() {
        statement.remove("Sid");
    }
    vec![others, new]
}

/// The conditions of before, except for whom Proton might act, and for whom CloudFormation may.
fn conditions(old: Option<&Value>, subject: &Subject) -> Value {
    let mut kept: Map<String, Value> = old.and_then(Value::as_object).cloned().unwrap_or_default();
    for (_, tests) in &mut kept {
        if let Some(tests) = tests.as_object_mut() {
            tests.retain(|key, _| !SOURCE_KEYS.contains(&key.to_ascii_lowercase().as_str()));
        }
    }
    kept.retain(|_, tests| tests.as_object().is_none_or(|tests| !tests.is_empty()));
    let Value::Object(ours) = trust_conditions(subject) else {
        return Value::Object(kept);
    };
    for (operator, tests) in ours {
        match (kept.get_mut(&operator).and_then(Value::as_object_mut), tests) {
            (Some(there), Value::Object(tests)) => there.extend(tests),
            (_, tests) => drop(kept.insert(operator, tests)),
        }
    }
    Value::Object(kept)
}

/// The difference between two texts, line by line: what goes has a `-`, what comes a `+`.
#[must_use]
pub(super) fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // Longest common subsequence; trust policies have at most 4,096 characters.
    let mut longest = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i][j] = if old[i] == new[j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(format!("  {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && longest[i + 1][j] >= longest[i][j + 1] {
            lines.push(format!("- {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    lines.join("\n")
}
