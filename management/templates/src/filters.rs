//! The filters that templates expect: Proton's four, and those of Jinja that the engine does not have or does
//! differently.
//!
//! Proton's filters give several lines. The lines after the first are indented to the column at which the first one
//! landed, which a filter cannot know; so it marks them with characters that no input may contain, and
//! [`settle`] turns the marks into line breaks and spaces once the whole text exists. Marks survive loops, `set`
//! blocks and macros, because they travel inside the text.

use std::fmt::Write as _;
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest, StringInput, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use regex::Regex;

use crate::shield::{real, real_char};
use crate::spec_text;
use crate::yaml::{self, Plain};

/// The column to which the following [`BREAK`]s indent.
pub(crate) const START: char = '\u{fdd0}';
/// A line break and the indentation.
pub(crate) const BREAK: char = '\u{fdd1}';
/// Around each text that came out of an expression, when asked for.
pub(crate) const OPEN: char = '\u{fdd2}';
/// The end of what [`OPEN`] began.
pub(crate) const CLOSE: char = '\u{fdd3}';

static WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[a-zA-Z0-9_-]*$").expect("the pattern is constant"));
static ARN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^arn:[a-zA-Z0-9-]+:[a-zA-Z0-9-]+:[a-zA-Z0-9-]*:([0-9]{12}|aws)?:[a-zA-Z0-9_/.:*+=,@$-]+$")
        .expect("the pattern is constant")
});
static POLICY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^arn:[a-zA-Z-]+:iam::[0-9]{12}:policy/").expect("the pattern is constant"));

/// Adds all of them.
pub(crate) fn add(env: &mut Environment<'_>) {
    env.add_filter("proton_cfn_ecs_task_definition_formatted_env_vars", ecs_env_vars);
    env.add_filter("proton_cfn_lambda_function_formatted_env_vars", lambda_env_vars);
    env.add_filter("proton_cfn_iam_policy_arns", policy_arns);
    env.add_filter("proton_cfn_sanitize", sanitize);
    env.add_filter("truncate", truncate);
    env.add_filter("tojson", tojson);
    env.add_filter("safe", safe);
    env.add_filter("format", format);
    env.add_filter("indent", indent);
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn pairs(value: &Value, filter: &str) -> Result<Vec<(String, String)>, Error> {
    if value.kind() == ValueKind::Undefined {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.kind() != ValueKind::Map {
        return Err(invalid(format!(
            "{filter} takes outputs, such as service_instance.components.default.outputs, but got {}",
            value.kind()
        )));
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()? {
        let member = value.get_item(&key)?;
        pairs.push((key.to_string(), member.to_string()));
    }
    Ok(pairs)
}

fn refused(value: &str) -> Error {
    invalid(format!(
        r#"Illegal character(s) detected in "{}". Must match regex ^[a-zA-Z0-9_-]*$"#,
        real(value)
    ))
}

fn checked(pairs: &[(String, String)], raw: Option<bool>) -> Result<(), Error> {
    if raw.unwrap_or(true) {
        return Ok(());
    }
    match pairs.iter().find(|(_, value)| !WORD.is_match(&real(value))) {
        Some((_, value)) => Err(refused(value)),
        None => Ok(()),
    }
}

/// Lines that move together to the column of the first.
fn block(lines: &[String]) -> Value {
    if lines.is_empty() {
        return Value::from("");
    }
    let text = lines.join(BREAK.to_string().as_str());
    Value::from_safe_string(format!("{START}{text}"))
}

fn ecs_env_vars(value: &Value, raw: Option<bool>, kwargs: Kwargs) -> Result<Value, Error> {
    let raw = raw.or(kwargs.get("raw")?);
    kwargs.assert_all_used()?;
    let pairs = pairs(value, "proton_cfn_ecs_task_definition_formatted_env_vars")?;
    checked(&pairs, raw)?;
    let lines: Vec<String> = pairs
        .iter()
        .flat_map(|(name, value)| {
            [
                format!("- Name: {}", scalar(name)),
                format!("  Value: {}", scalar(value)),
            ]
        })
        .collect();
    Ok(block(&lines))
}

fn lambda_env_vars(value: &Value, raw: Option<bool>, kwargs: Kwargs) -> Result<Value, Error> {
    let raw = raw.or(kwargs.get("raw")?);
    kwargs.assert_all_used()?;
    let pairs = pairs(value, "proton_cfn_lambda_function_formatted_env_vars")?;
    checked(&pairs, raw)?;
    let lines: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}: {}", scalar(name), scalar(value)))
        .collect();
    Ok(block(&lines))
}

fn policy_arns(value: &Value) -> Result<Value, Error> {
    let pairs = pairs(value, "proton_cfn_iam_policy_arns")?;
    let lines: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| POLICY.is_match(&real(value)))
        .map(|(_, value)| format!("- {}", scalar(value)))
        .collect();
    Ok(block(&lines))
}

fn sanitize(value: StringInput<'_>) -> Result<Value, Error> {
    let text = real(value.as_str());
    if WORD.is_match(&text) || ARN.is_match(&text) {
        return Ok(Value::from(value.as_str()));
    }
    let message = format!(
        r#"Illegal character(s) detected in "{text}". Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN"#
    );
    Err(invalid(message))
}

/// A value as YAML: bare where that is safe, in quotes otherwise.
fn scalar(text: &str) -> String {
    let bare = real(text);
    let safe = |c: char| c.is_ascii_alphanumeric() || "_./:@+=-".contains(c);
    let plain = bare.chars().all(safe)
        && bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !bare.ends_with(':')
        && yaml::plain(&bare) == Plain::Text
        && !["y", "n", "yes", "no", "on", "off"].contains(&bare.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    // Escapes are ours and real; what needs none keeps whatever stands for it.
    text.chars().fold("\"".to_owned(), |out, c| {
        let quoted = spec_text::quoted(real_char(c).encode_utf8(&mut [0; 4]));
        let inner = &quoted[1..quoted.len() - 1];
        if inner.chars().count() > 1 {
            out + inner
        } else {
            out + c.encode_utf8(&mut [0; 4])
        }
    }) + "\""
}

fn truncate(value: StringInput<'_>, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    // The engine calls filters with five arguments at most; Jinja's has five and takes each by name too.
    type Args = (Option<usize>, Option<bool>, Option<String>, Option<usize>, Kwargs);
    let args: Vec<Value> = args.iter().map(|arg| Value::from(arg.clone())).collect();
    let (length, killwords, end, leeway, kwargs): Args = from_args(&args)?;
    let length = length.or(kwargs.get("length")?).unwrap_or(255);
    let killwords = killwords.or(kwargs.get("killwords")?).unwrap_or(false);
    let end = end.or(kwargs.get("end")?).unwrap_or_else(|| "...".to_owned());
    let leeway = leeway.or(kwargs.get("leeway")?).unwrap_or(5);
    kwargs.assert_all_used()?;
    let text = value.as_str();
    let end_length = end.chars().count();
    if length < end_length {
        return Err(invalid(format!(
            "truncate: the length {length} is less than that of the end '{end}', {end_length}"
        )));
    }
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.to_owned());
    }
    let kept: String = text.chars().take(length - end_length).collect();
    let kept = if killwords {
        kept.as_str()
    } else {
        kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words)
    };
    Ok(format!("{kept}{end}"))
}

/// Marks nothing: a text that only a developer can vouch for must not pass as ours.
fn safe(value: Value) -> Value {
    value
}

fn format(pattern: StringInput<'_>, args: Rest<Value>) -> Result<String, Error> {
    narrow(pattern.as_str())?;
    minijinja::formatting::format(
        minijinja::formatting::FormatStyle::Printf,
        pattern.as_str(),
        &args,
    )
}

/// Refuses widths that would fill memory before anyone could count.
pub(crate) fn narrow(pattern: &str) -> Result<(), Error> {
    let wide = pattern
        .split(|c: char| !c.is_ascii_digit())
        .any(|run| run.len() > 3)
        || pattern.contains('*');
    if wide {
        Err(invalid("a width of more than 999 characters is not allowed"))
    } else {
        Ok(())
    }
}

fn indent(
    value: StringInput<'_>,
    width: Option<usize>,
    first: Option<bool>,
    blank: Option<bool>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let width = width.or(kwargs.get("width")?).unwrap_or(4);
    let first = first.or(kwargs.get("first")?).unwrap_or(false);
    let blank = blank.or(kwargs.get("blank")?).unwrap_or(false);
    kwargs.assert_all_used()?;
    if width > 200 {
        return Err(invalid(
            "an indentation of more than 200 characters is not allowed",
        ));
    }
    let pad = " ".repeat(width);
    let mut out = String::new();
    for (index, line) in value.as_str().split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if (index > 0 || first) && (blank || !line.is_empty()) {
            out.push_str(&pad);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// JSON as Jinja writes it: members sorted, a space after `,` and `:`, ASCII only, nothing that ends an HTML
/// attribute. The result is safe inside YAML: it is a flow value.
fn tojson(value: &Value, indent: Option<usize>, kwargs: Kwargs) -> Result<Value, Error> {
    let indent = indent.or(kwargs.get("indent")?);
    kwargs.assert_all_used()?;
    if indent.is_some_and(|indent| indent > 16) {
        return Err(invalid(
            "tojson: an indentation of more than 16 characters is not allowed",
        ));
    }
    let mut out = String::new();
    json(value, indent, 0, &mut out)?;
    Ok(Value::from_safe_string(out))
}

fn json(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > 64 {
        return Err(invalid("tojson: the value is nested more than 64 levels deep"));
    }
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = indent {
            out.push('\n');
            out.push_str(&" ".repeat(indent * depth));
        }
    };
    let comma = if indent.is_some() { "," } else { ", " };
    match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::String => json_text(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            let mut empty = true;
            for item in value.try_iter()? {
                if !empty {
                    out.push_str(comma);
                }
                empty = false;
                line(out, depth + 1);
                json(&item, indent, depth + 1, out)?;
            }
            if !empty {
                line(out, depth);
            }
            out.push(']');
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            keys.sort_by_key(ToString::to_string);
            out.push('{');
            for (index, key) in keys.iter().enumerate() {
                if index > 0 {
                    out.push_str(comma);
                }
                line(out, depth + 1);
                json_text(&key.to_string(), out);
                out.push_str(": ");
                json(&value.get_item(key)?, indent, depth + 1, out)?;
            }
            if !keys.is_empty() {
                line(out, depth);
            }
            out.push('}');
        }
        other => return Err(invalid(format!("tojson cannot write {other}"))),
    }
    Ok(())
}

fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match real_char(c) {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            plain @ ('<' | '>' | '&' | '\'') => {
                let _ = write!(out, "\\u{:04x}", plain as u32);
            }
            ' '..='~' => out.push(c),
            other if (other as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", other as u32);
            }
            // Python writes two escaped surrogates, which are JSON but not YAML. The character itself is both.
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Methods of Python's strings, lists and dictionaries.
pub(crate) fn methods(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if method == "format" {
        narrow(value.as_str().unwrap_or_default())?;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
}

/// Turns the marks of blocks into line breaks and indentation.
pub(crate) fn settle(text: &str) -> String {
    if !text.contains([START, BREAK]) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    // The column of the next character, and that of the block that began last.
    let (mut column, mut start) = (0, 0);
    for c in text.chars() {
        match c {
            START => start = column,
            BREAK => {
                out.push('\n');
                out.push_str(&" ".repeat(start));
                column = start;
            }
            '\n' => {
                out.push(c);
                column = 0;
            }
            OPEN | CLOSE => out.push(c),
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}
