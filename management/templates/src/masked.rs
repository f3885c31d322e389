//! Specs and templates for those who may see what is in them, and not with what values.

use crate::diagnostic::Source;
use crate::spec_text::{quoted, scalar};
use crate::yaml::{self, Data, Node, STACK};

/// What stands in the place of a value.
pub const MASK: &str = "***";

/// A YAML or JSON document in which every value is [`MASK`]. Keys and lists stay; so does what a spec is of and which
/// instance it puts into which environment, since that is told elsewhere. Comments go. What cannot be read, or is no
/// document with keys, is masked as a whole.
#[must_use]
pub fn masked(text: &str) -> String {
    if text.trim().is_empty() {
        return text.to_owned();
    }
    match yaml::read(&Source::new("document", text), STACK) {
        Ok((root, _)) if matches!(&root.data, Data::Map(members) if !members.is_empty()) => {
            let mut out = String::new();
            members(&mut out, &root, 0, &mut Vec::new());
            out
        }
        _ => MASK.to_owned(),
    }
}

fn members(out: &mut String, node: &Node, indent: usize, path: &mut Vec<String>) {
    for (key, value) in node.members().unwrap_or_default() {
        // A key that is no text names nothing that anybody has to see.
        let name = key.text().unwrap_or(MASK);
        out.push_str(&" ".repeat(indent));
        out.push_str(&scalar(name, false));
        out.push(':');
        path.push(name.to_owned());
        below(out, value, indent, path);
        path.pop();
    }
}

/// A value behind a `:` or a `-`.
fn below(out: &mut String, value: &Node, indent: usize, path: &mut Vec<String>) {
    match &value.data {
        Data::Scalar { text, .. } if stays(path) => out.push_str(&format!(" {}\n", scalar(text, false))),
        Data::Scalar { .. } => out.push_str(&format!(" {}\n", quoted(MASK))),
        Data::List(items) if items.is_empty() => out.push_str(" []\n"),
        Data::Map(members) if members.is_empty() => out.push_str(" {}\n"),
        Data::List(items) => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(indent + 2));
                out.push('-');
                path.push("-".to_owned());
                below(out, item, indent + 2, path);
                path.pop();
            }
        }
        Data::Map(_) => {
            out.push('\n');
            members(out, value, indent + 2, path);
        }
    }
}

fn stays(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(path[..], ["proton"] | ["instances", "-", "name" | "environment"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_and_values_go() {
        let spec = "# a secret\nproton: ServiceSpec\npipeline: {token: hunter2}\ninstances:\n- name: live\n  environment: prd\n  \
                    spec:\n    password: hunter2 # a secret\n    sizes: [1, 2]\n    deep: {name: hunter2, none: [], nothing: {}}\n";
        let shown = masked(spec);
        assert_eq!(
            shown,
            "proton: ServiceSpec\npipeline:\n  token: \"***\"\ninstances:\n  -\n    name: live\n    environment: prd\n    spec:\n      \
             password: \"***\"\n      sizes:\n        - \"***\"\n        - \"***\"\n      deep:\n        name: \"***\"\n        none: []\n        \
             nothing: {}\n"
        );
        // Still a spec, and masking it changes nothing.
        crate::ServiceSpec::parse("spec.yaml", &shown).unwrap();
        assert_eq!(masked(&shown), shown);
    }

    #[test]
    fn templates_of_either_form_are_masked() {
        let template = "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    Properties:\n      MasterUserPassword: !Sub hunter2\n";
        let shown = masked(template);
        assert!(
            shown.contains("MasterUserPassword: \"***\"") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(masked("{\"Outputs\": {\"A\": {\"Value\": \"hunter2\"}}}").contains("Value: \"***\""));
    }

    #[test]
    fn what_is_no_document_is_masked_as_a_whole() {
        for text in [
            "hunter2",
            "- hunter2",
            "a: [",
            "a: &x hunter2\nb: *x\nc: *y",
            "{}",
            "\u{0}",
        ] {
            let shown = masked(text);
            assert!(!shown.contains("hunter2"), "{text}: {shown}");
        }
        assert_eq!(masked("hunter2"), MASK);
        assert_eq!(masked(""), "");
    }
}
