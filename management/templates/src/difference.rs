//! What is different between two versions of a template: which inputs, and which lines of which files.

use std::collections::BTreeSet;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::bundle::Bundle;
use crate::property::Property;
use crate::schema::{InputType, Schema};
use crate::template::TemplateBundle;

/// How long two texts are compared; what comes after that is a difference that is right, but longer than need be.
const PATIENCE: Duration = Duration::from_millis(200);
/// Unchanged lines around what has changed.
const CONTEXT: usize = 3;
/// Lines of one file, and of all files.
const LINES_OF_FILE: usize = 1_000;
const LINES: usize = 4_000;
/// Characters of a line.
const LONGEST: usize = 500;

/// What is different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// Inputs, in the order of the schemas.
    pub inputs: Vec<InputDifference>,
    /// Files by their path.
    pub files: Vec<FileDifference>,
}

/// An input that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDifference {
    /// What it is an input of.
    pub of: InputType,
    /// Its name, with the names of what it is a member of before it.
    pub name: String,
    /// What has become of it.
    pub what: Became,
}

/// What has become of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Became {
    /// It is new.
    Added {
        /// It has to be given.
        required: bool,
    },
    /// It is gone.
    Removed,
    /// Something about it is different: the schema's word for that, what it was, what it is; empty where there was or is
    /// none.
    Changed(Vec<(String, String, String)>),
}

/// A file that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDifference {
    /// Where it is in the bundle.
    pub path: String,
    /// Whether it was there before, and is there now.
    pub there: (bool, bool),
    /// Its lines; none where it is no text.
    pub lines: Option<Vec<Line>>,
    /// There are more lines than these.
    pub cut: bool,
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// Where the next lines are: the first of them before, and now.
    At(usize, usize),
    /// It is in both.
    Same(String),
    /// It is gone.
    Gone(String),
    /// It is new.
    New(String),
}

impl Differences {
    /// Between a bundle and the one that follows it.
    #[must_use]
    pub fn between(old: &TemplateBundle, new: &TemplateBundle) -> Self {
        Self {
            inputs: inputs(&old.schema, &new.schema),
            files: files(old.bundle(), new.bundle()),
        }
    }
}

/// The lines that are different between two texts with some around them, and whether there are more than these.
#[must_use]
pub fn line_differences(old: &str, new: &str) -> (Vec<Line>, bool) {
    at_most(old, new, LINES_OF_FILE)
}

fn at_most(old: &str, new: &str, most: usize) -> (Vec<Line>, bool) {
    let mut lines = lines(old, new, most + 1);
    let cut = lines.len() > most;
    lines.truncate(most);
    (lines, cut)
}

fn inputs(old: &Schema, new: &Schema) -> Vec<InputDifference> {
    let mut found = Vec::new();
    let purposes = old.all().chain(new.all()).map(|(of, _)| of);
    for of in purposes.collect::<BTreeSet<InputType>>() {
        let none = (IndexMap::new(), Vec::new());
        let of_schema = |schema: &Schema| {
            schema.inputs(of).map_or_else(
                || none.clone(),
                |inputs| (inputs.properties.clone(), inputs.required.clone()),
            )
        };
        let (before, after) = (of_schema(old), of_schema(new));
        members(of, "", (&before.0, &before.1), (&after.0, &after.1), &mut found);
    }
    found
}

type Members<'a> = (&'a IndexMap<String, Property>, &'a [String]);

fn members(
    of: InputType,
    prefix: &str,
    old: Members<'_>,
    new: Members<'_>,
    found: &mut Vec<InputDifference>,
) {
    let gone = old.0.keys().filter(|name| !new.0.contains_key(*name));
    for name in new.0.keys().chain(gone) {
        let shown = format!("{prefix}{name}");
        let needed = |members: Members<'_>| members.1.contains(name);
        let what = match (old.0.get(name), new.0.get(name)) {
            (None, Some(now)) => Became::Added {
                required: needed(new) && now.default.is_none(),
            },
            (Some(_), None) => Became::Removed,
            (Some(before), Some(now)) => {
                let mut changes = aspects(before, now);
                if needed(old) != needed(new) {
                    let word = |members| needed(members).to_string();
                    changes.push(("required".to_owned(), word(old), word(new)));
                }
                deeper(of, &shown, before, now, found);
                if changes.is_empty() {
                    continue;
                }
                Became::Changed(changes)
            }
            (None, None) => continue,
        };
        found.push(InputDifference {
            of,
            name: shown,
            what,
        });
    }
}

/// What an input consists of.
fn deeper(of: InputType, name: &str, old: &Property, new: &Property, found: &mut Vec<InputDifference>) {
    members(
        of,
        &format!("{name}."),
        (&old.properties, &old.required),
        (&new.properties, &new.required),
        found,
    );
    if let (Some(before), Some(now)) = (&old.items, &new.items) {
        let item = format!("{name}[]");
        let changes = aspects(before, now);
        if !changes.is_empty() {
            found.push(InputDifference {
                of,
                name: item.clone(),
                what: Became::Changed(changes),
            });
        }
        deeper(of, &item, before, now, found);
    }
}

/// What is said about an input itself, by the schema's words.
fn aspects(old: &Property, new: &Property) -> Vec<(String, String, String)> {
    let said = |property: &Property| match serde_json::to_value(property) {
        Ok(Value::Object(mut said)) => {
            for part in ["properties", "items", "required"] {
                said.remove(part);
            }
            said
        }
        _ => serde_json::Map::new(),
    };
    let (before, now) = (said(old), said(new));
    let words: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let text = |value: Option<&Value>| match value {
        None => String::new(),
        Some(Value::String(text)) => clip(text),
        Some(other) => clip(&other.to_string()),
    };
    words
        .into_iter()
        .filter(|word| before.get(*word) != now.get(*word))
        .map(|word| (word.clone(), text(before.get(word)), text(now.get(word))))
        .collect()
}

fn files(old: &Bundle, new: &Bundle) -> Vec<FileDifference> {
    let paths: BTreeSet<&str> = old.paths().chain(new.paths()).collect();
    let mut left = LINES;
    let mut found = Vec::new();
    for path in paths {
        let (before, now) = (old.get(path), new.get(path));
        if before == now {
            continue;
        }
        let text = |bytes: Option<&[u8]>| {
            std::str::from_utf8(bytes.unwrap_or_default())
                .ok()
                .map(str::to_owned)
        };
        let mut file = FileDifference {
            path: path.to_owned(),
            there: (before.is_some(), now.is_some()),
            lines: None,
            cut: left == 0,
        };
        if let (Some(before), Some(now)) = (text(before), text(now))
            && left > 0
        {
            let (lines, cut) = at_most(&before, &now, left.min(LINES_OF_FILE));
            file.cut = cut;
            left -= lines.len();
            file.lines = Some(lines);
        }
        found.push(file);
    }
    found
}

/// The first lines of a difference, at least so many where there are that many.
fn lines(old: &str, new: &str, most: usize) -> Vec<Line> {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let mut found = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        let Some(first) = group.first() else { continue };
        found.push(Line::At(first.old_range().start + 1, first.new_range().start + 1));
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let text = clip(change.value().trim_end_matches(['\r', '\n']));
            found.push(match change.tag() {
                ChangeTag::Equal => Line::Same(text),
                ChangeTag::Delete => Line::Gone(text),
                ChangeTag::Insert => Line::New(text),
            });
            if found.len() >= most {
                return found;
            }
        }
    }
    found
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(members: &str) -> Schema {
        let text = format!(
            "schema:\n  format: {{ openapi: '3.0.0' }}\n  environment_input_type: T\n  types:\n    T:\n      type: object\n{members}"
        );
        Schema::parse("s", text.as_bytes()).unwrap()
    }

    #[test]
    fn inputs_are_told_by_name_and_by_what_changed() {
        let old = schema(
            "      required: [size]\n      properties:\n        gone: { type: string }\n        size: { type: integer, default: 3 }\n        net: { type: object, properties: { port: { type: integer, maximum: 10 } } }\n        tags: { type: array, items: { type: string } }\n",
        );
        let new = schema(
            "      required: [fresh]\n      properties:\n        size: { type: integer, default: 5, description: How many }\n        fresh: { type: string }\n        net: { type: object, properties: { port: { type: integer, maximum: 20 } } }\n        tags: { type: array, items: { type: string, maxLength: 4 } }\n",
        );
        let found: Vec<(String, Became)> = inputs(&old, &new)
            .into_iter()
            .map(|input| (input.name, input.what))
            .collect();
        let changed =
            |word: &str, before: &str, now: &str| (word.to_owned(), before.to_owned(), now.to_owned());
        assert_eq!(
            found,
            [
                (
                    "size".to_owned(),
                    Became::Changed(vec![
                        changed("default", "3", "5"),
                        changed("description", "", "How many"),
                        changed("required", "true", "false"),
                    ])
                ),
                ("fresh".to_owned(), Became::Added { required: true }),
                (
                    "net.port".to_owned(),
                    Became::Changed(vec![changed("maximum", "10", "20")])
                ),
                (
                    "tags[]".to_owned(),
                    Became::Changed(vec![changed("max_length", "", "4")])
                ),
                ("gone".to_owned(), Became::Removed),
            ]
        );
        assert!(inputs(&new, &new).is_empty());
    }

    #[test]
    fn lines_are_those_around_what_changed() {
        let text = |middle: &str| format!("1\n2\n3\n4\n{middle}\n6\n7\n8\n9\n");
        let found = lines(&text("old"), &text("new"), 100);
        let same = |text: &str| Line::Same(text.to_owned());
        assert_eq!(
            found,
            [
                Line::At(2, 2),
                same("2"),
                same("3"),
                same("4"),
                Line::Gone("old".to_owned()),
                Line::New("new".to_owned()),
                same("6"),
                same("7"),
                same("8"),
            ]
        );
        assert_eq!(
            lines("", "a\r\nb", 100),
            [
                Line::At(1, 1),
                Line::New("a".to_owned()),
                Line::New("b".to_owned())
            ]
        );
    }

    #[test]
    fn files_that_come_go_and_are_no_text() {
        let bundle = |files: &[(&str, &[u8])]| {
            let files = files.iter().map(|(path, content)| (*path, content.to_vec()));
            Bundle::from_files(files, &crate::Limits::default()).unwrap()
        };
        let schema: (&str, &[u8]) = ("schema/schema.yaml", b"x");
        let long = "line\n".repeat(LINES_OF_FILE + 1);
        let old = bundle(&[schema, ("a", b"1\n"), ("b", &[0xff, 0])]);
        let new = bundle(&[schema, ("b", &[0xfe, 0]), ("c", long.as_bytes())]);
        let found = files(&old, &new);
        let told: Vec<_> = found
            .iter()
            .map(|file| (file.path.as_str(), file.there))
            .collect();
        assert_eq!(
            told,
            [("a", (true, false)), ("b", (true, true)), ("c", (false, true))]
        );
        assert_eq!(found[1].lines, None);
        assert!(found[2].cut && found[2].lines.as_ref().unwrap().len() == LINES_OF_FILE);
        assert!(!found[0].cut);
    }
}
