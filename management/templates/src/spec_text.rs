//! Specs as YAML in one fixed form.
//!
//! Text is written without quotes only where no YAML reader, old or new, could take it for anything else; numbers
//! and truth values that were written plain stay plain.

use crate::spec::{EnvironmentSpec, ServiceSpec, SpecMap, SpecNode, SpecValue};
use crate::yaml::{self, Plain};

pub(crate) fn environment(spec: &EnvironmentSpec) -> String {
    let mut out = "proton: EnvironmentSpec\n".to_owned();
    section(&mut out, "spec", &spec.inputs, 0);
    out
}

pub(crate) fn service(spec: &ServiceSpec) -> String {
    let mut out = "proton: ServiceSpec\n".to_owned();
    if let Some(pipeline) = &spec.pipeline {
        section(&mut out, "pipeline", pipeline, 0);
    }
    out.push_str("instances:\n");
    for instance in &spec.instances {
        out.push_str(&format!("- name: {}\n", scalar(instance.name.as_str(), false)));
        out.push_str(&format!(
            "  environment: {}\n",
            scalar(instance.environment.as_str(), false)
        ));
        if !instance.inputs.is_empty() {
            section(&mut out, "spec", &instance.inputs, 2);
        }
    }
    out
}

fn section(out: &mut String, name: &str, map: &SpecMap, indent: usize) {
    let pad = " ".repeat(indent);
    if map.is_empty() {
        out.push_str(&format!("{pad}{name}: {{}}\n"));
    } else {
        out.push_str(&format!("{pad}{name}:\n"));
        members(out, map, indent + 2);
    }
}

fn members(out: &mut String, map: &SpecMap, indent: usize) {
    for (name, value) in map.iter() {
        out.push_str(&" ".repeat(indent));
        out.push_str(&scalar(name, false));
        out.push(':');
        below(out, value, indent);
    }
}

/// A value behind a `:` or a `-`.
fn below(out: &mut String, value: &SpecValue, indent: usize) {
    match &value.node {
        SpecNode::Scalar { text, plain } => out.push_str(&format!(" {}\n", scalar(text, *plain))),
        SpecNode::List(items) if items.is_empty() => out.push_str(" []\n"),
        SpecNode::Map(map) if map.is_empty() => out.push_str(" {}\n"),
        SpecNode::List(items) => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(indent + 2));
                out.push('-');
                below(out, item, indent + 2);
            }
        }
        SpecNode::Map(map) => {
            out.push('\n');
            members(out, map, indent + 2);
        }
    }
}

pub(crate) fn scalar(text: &str, plain: bool) -> String {
    match yaml::plain(text) {
        Plain::Null if plain => "null".to_owned(),
        Plain::Text if harmless(text) => text.to_owned(),
        // A number or truth value that was written as one.
        Plain::Bool(_) | Plain::Int(_) | Plain::Float(_) if plain => text.to_owned(),
        _ => quoted(text),
    }
}

/// Whether every YAML reader takes this text, unquoted, for just this text.
fn harmless(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || " _-./:,()@=+$".contains(c);
    // `y` and `no` are truth values, `1:30`, `0x1f` and `2020-01-01` numbers or dates to some.
    let words = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan",
    ];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text.chars().all(inside)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

/// Double quotes, whose escapes are the only ones that can carry every character.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{feff}' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if c.is_control() || (0xfdd0..=0xfdef).contains(&(c as u32)) || c as u32 & 0xfffe == 0xfffe => {
                out.push_str(&format!("\\U{:08x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
