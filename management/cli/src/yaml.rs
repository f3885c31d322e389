//! JSON values as YAML that people can read. Every reader of YAML 1.1 or 1.2 must read back the same values, so
//! anything that might be taken for a number, a boolean or a date is quoted.

use serde_json::{Map, Value};

/// An object as a YAML document.
pub(crate) fn text(object: &Map<String, Value>) -> String {
    let mut text = String::new();
    mapping(object, 0, &mut text);
    text
}

/// Any value as a YAML document.
pub(crate) fn any(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(object) if !object.is_empty() => mapping(object, 0, &mut text),
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push('-');
                match item {
                    Value::Object(object) if !object.is_empty() => {
                        text.push(' ');
                        mapping(object, 1, &mut text);
                    }
                    other => node(other, 0, &mut text),
                }
            }
        }
        other => node(other, 0, &mut text),
    }
    text.trim_start().to_owned()
}

fn mapping(object: &Map<String, Value>, depth: usize, text: &mut String) {
    for (at, (key, value)) in object.iter().enumerate() {
        // The first key of a list item stands behind its dash.
        if at > 0 || !text.ends_with("- ") {
            text.push_str(&"  ".repeat(depth));
        }
        text.push_str(&scalar(key));
        text.push(':');
        node(value, depth, text);
    }
}

fn node(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(object) if object.is_empty() => text.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => text.push_str(" []\n"),
        Value::Object(object) => {
            text.push('\n');
            mapping(object, depth + 1, text);
        }
        Value::Array(items) => {
            text.push('\n');
            for item in items {
                text.push_str(&"  ".repeat(depth + 1));
                text.push('-');
                match item {
                    Value::Object(object) if !object.is_empty() => {
                        text.push(' ');
                        mapping(object, depth + 2, text);
                    }
                    other => node(other, depth + 1, text),
                }
            }
        }
        Value::String(string) if block(string) => {
            let chomp = if string.ends_with('\n') { "" } else { "-" };
            text.push_str(&format!(" |{chomp}\n"));
            for line in string.lines() {
                if !line.is_empty() {
                    text.push_str(&"  ".repeat(depth + 1));
                    text.push_str(line);
                }
                text.push('\n');
            }
        }
        Value::String(string) => text.push_str(&format!(" {}\n", scalar(string))),
        other => text.push_str(&format!(" {other}\n")),
    }
}

/// Whether a text of several lines can stand as a block without losing anything.
fn block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && text.chars().all(|c| {
            c == '\n'
                || c == '\t'
                || (!c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
        })
        && text
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty())
}

fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/_.-:@+,() ".contains(&b))
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::output::map;
    use serde_json::json;

    #[test]
    fn values_keep_their_type_and_text() {
        let value = map(json!({
            "account": "012345678901", "word": "no", "plain": "web/prd", "sentence": "a: b", "empty": "", "at": "2026-11-20T09:30:00Z",
            "number": 3, "flag": true, "nothing": null, "list": ["a", {"b": 1, "c": [2]}, []], "object": {}, "spec": "proton: x\n\nspec:\n  a: 1\n",
            "cut": "a\nb", "odd": " a\nb", "quote": "say \"hi\"\u{7}",
        }));
        insta::assert_snapshot!(text(&value), @r#"
        account: "012345678901"
        word: "no"
        plain: web/prd
        sentence: "a: b"
        empty: ""
        at: "2026-11-20T09:30:00Z"
        number: 3
        flag: true
        nothing: null
        list:
          - a
          - b: 1
            c:
              - 2
          - []
        object: {}
        spec: |
          proton: x

          spec:
            a: 1
        cut: |-
          a
          b
        odd: " a\nb"
        quote: "say \"hi\"\u0007"
        "#);
    }
}
