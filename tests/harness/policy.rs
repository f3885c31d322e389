//! What an IAM policy document allows, for the documents of `hadron-agent role`: enough of IAM's logic to judge those, and
//! an error for anything in a document that it does not know. The emulator judges real calls, but neither all conditions nor
//! a permissions boundary in its simulation, and nothing of what CloudFormation does with the provisioning role.
//!
//! After AWS's "Policy evaluation logic" for one account without SCPs, session and resource policies: an explicit denial
//! counts before anything else, then policy and boundary have both to allow.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it and none denies it.
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

/// A request as policies see it.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// `service:Action`.
    pub action: &'a str,
    /// An ARN, or `*`.
    pub resource: &'a str,
    /// Condition keys with their values.
    pub context: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Asked<'a> {
    /// An action on a resource.
    #[must_use]
    pub fn new(action: &'a str, resource: &'a str) -> Self {
        Self {
            action,
            resource,
            context: BTreeMap::new(),
        }
    }

    /// With this condition key.
    #[must_use]
    pub fn with(mut self, key: &'a str, value: &'a str) -> Self {
        self.context.entry(key).or_default().push(value);
        self
    }
}

/// Whether a pattern with `*` and `?` covers a text.
#[must_use]
pub fn covers(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // The classic walk: back to the last star whenever something does not fit.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(one) if *one == '?' || *one == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((back, from)) => {
                    (p, t) = (back + 1, from + 1);
                    star = Some((back, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|left| *left == '*')
}

fn texts(value: &Value) -> Result<Vec<&str>> {
    match value {
        Value::String(one) => Ok(vec![one]),
        Value::Array(many) => many
            .iter()
            .map(|one| one.as_str().context("a list of texts"))
            .collect(),
        other => bail!("not a text or a list of texts: {other}"),
    }
}

/// An ARN against a pattern part by part, as `ArnLike` does: a star does not reach over a colon.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let parts = |text: &str| -> Vec<String> { text.splitn(6, ':').map(str::to_owned).collect() };
    let (pattern, arn) = (parts(pattern), parts(arn));
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(one, other)| covers(one, other))
}

fn holds(operator: &str, wanted: &[&str], found: Option<&Vec<&str>>) -> Result<bool> {
    let one_of = |found: &Vec<&str>| found.iter().any(|value| wanted.contains(value));
    Ok(match operator {
        "StringEquals" | "ForAnyValue:StringEquals" => found.is_some_and(one_of),
        // A key that is not there is not equal.
        "StringNotEquals" => !found.is_some_and(one_of),
        "ArnLike" => found.is_some_and(|found| {
            found
                .iter()
                .any(|arn| wanted.iter().any(|one| arn_like(one, arn)))
        }),
        other => bail!("condition operator {other} is not known here"),
    })
}

fn applies(statement: &Value, asked: &Asked<'_>) -> Result<bool> {
    let statement = statement.as_object().context("a statement is an object")?;
    let known = [
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    for key in statement.keys() {
        ensure!(
            known.contains(&key.as_str()),
            "element {key} of a statement is not known here"
        );
    }
    let action = |patterns: &Value| -> Result<bool> {
        let asked = asked.action.to_ascii_lowercase();
        Ok(texts(patterns)?
            .iter()
            .any(|pattern| covers(&pattern.to_ascii_lowercase(), &asked)))
    };
    let acts = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), None) => action(actions)?,
        (None, Some(actions)) => !action(actions)?,
        _ => bail!("a statement has Action or NotAction"),
    };
    let resource = |patterns: &Value| -> Result<bool> {
        Ok(texts(patterns)?
            .iter()
            .any(|pattern| covers(pattern, asked.resource)))
    };
    let reaches = match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(resources), None) => resource(resources)?,
        (None, Some(resources)) => !resource(resources)?,
        _ => bail!("a statement has Resource or NotResource"),
    };
    let mut fits = acts && reaches;
    for (operator, tests) in statement
        .get("Condition")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        for (key, wanted) in tests.as_object().context("a condition is an object")? {
            fits &= holds(operator, &texts(wanted)?, asked.context.get(key.as_str()))?;
        }
    }
    Ok(fits)
}

/// What one document says.
///
/// # Errors
/// When it has something in it that is not known here.
pub fn judge(document: &Value, asked: &Asked<'_>) -> Result<Verdict> {
    ensure!(
        document["Version"] == "2012-10-17",
        "version {}",
        document["Version"]
    );
    let mut verdict = Verdict::NotAllowed;
    for statement in document["Statement"].as_array().context("statements")? {
        if !applies(statement, asked)? {
            continue;
        }
        match statement["Effect"].as_str() {
            Some("Deny") => return Ok(Verdict::Denied),
            Some("Allow") => verdict = Verdict::Allowed,
            other => bail!("effect {other:?}"),
        }
    }
    Ok(verdict)
}

/// What a policy says within a boundary.
///
/// # Errors
/// When one of them has something in it that is not known here.
pub fn judge_within(policy: &Value, boundary: &Value, asked: &Asked<'_>) -> Result<Verdict> {
    Ok(match (judge(policy, asked)?, judge(boundary, asked)?) {
        (Verdict::Denied, _) | (_, Verdict::Denied) => Verdict::Denied,
        (Verdict::Allowed, Verdict::Allowed) => Verdict::Allowed,
        _ => Verdict::NotAllowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(statements: Value) -> Value {
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    #[test]
    fn denials_come_first_and_what_is_not_allowed_is_not() {
        let document = policy(json!([
            { "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::a/*" },
            { "Effect": "Deny", "NotAction": "s3:*", "Resource": "*" },
            { "Effect": "Deny", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::?/x*" },
        ]));
        let judge = |action, resource| judge(&document, &Asked::new(action, resource)).expect("it is known");
        assert_eq!(judge("S3:getobject", "arn:aws:s3:::a/x1"), Verdict::Allowed);
        assert_eq!(judge("s3:GetObject", "arn:aws:s3:::a/y"), Verdict::Denied);
        assert_eq!(judge("s3:PutObject", "arn:aws:s3:::a/x"), Verdict::NotAllowed);
        assert_eq!(judge("iam:CreateUser", "*"), Verdict::Denied);
    }

    #[test]
    fn a_key_that_is_missing_is_not_equal() {
        let document = |effect: &str, operator: &str| {
            policy(json!([
                { "Effect": "Allow", "Action": "a:*", "Resource": "*" },
                { "Effect": effect, "Action": "a:b", "Resource": "*", "Condition": { operator: { "k": ["v", "w"] } } },
            ]))
        };
        let asked = Asked::new("a:b", "*");
        let not = document("Deny", "StringNotEquals");
        assert_eq!(judge(&not, &asked).expect("known"), Verdict::Denied);
        assert_eq!(
            judge(&not, &asked.clone().with("k", "w")).expect("known"),
            Verdict::Allowed
        );
        let is = document("Deny", "StringEquals");
        assert_eq!(judge(&is, &asked).expect("known"), Verdict::Allowed);
        assert_eq!(judge(&is, &asked.with("k", "w")).expect("known"), Verdict::Denied);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for statement in [
            json!({ "Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": "*" }),
            json!({ "Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": { "IpAddress": { "k": "v" } } }),
            json!({ "Effect": "Allow", "Action": "a:b" }),
            json!({ "Effect": "Perhaps", "Action": "a:b", "Resource": "*" }),
        ] {
            assert!(
                judge(&policy(json!([statement])), &Asked::new("a:b", "*")).is_err(),
                "{statement}"
            );
        }
    }

    #[test]
    fn a_star_of_an_arn_does_not_reach_over_a_colon() {
        let like = |arn| arn_like("arn:aws:cloudformation:*:111111111111:stack/A*", arn);
        assert!(like("arn:aws:cloudformation:us-east-1:111111111111:stack/Ab/1"));
        assert!(!like(
            "arn:aws:cloudformation:us-east-1:222222222222:111111111111:stack/Ab"
        ));
        assert!(covers("a*b?d", "axxbcd") && !covers("a*b?d", "axxbd"));
    }
}
