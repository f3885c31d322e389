//! From the service model to Rust: operations and their dispatch, structures, and the tables that requests are checked with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};

const HEAD: &str =
    "// Generated from model/proton-2020-07-20.json by `cargo xtask gen`; changes by hand are lost.\n";

/// File names and their texts.
pub(crate) fn generate(model: &Value) -> [(&'static str, String); 3] {
    let model = Model::read(model);
    [
        ("operations.rs", model.operations()),
        ("shapes.rs", model.structures()),
        ("model.rs", model.tables()),
    ]
}

struct Model<'a> {
    operations: &'a Map<String, Value>,
    shapes: &'a Map<String, Value>,
    paginators: &'a Map<String, Value>,
    /// Shapes that requests are made of, and those of answers.
    asked: BTreeSet<&'a str>,
    answered: BTreeSet<&'a str>,
}

fn object<'a>(value: &'a Value, key: &str) -> &'a Map<String, Value> {
    value[key]
        .as_object()
        .unwrap_or_else(|| panic!("{key} is an object"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} is a text in {value}"))
}

fn texts<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    let list = value[key].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|item| item.as_str().expect("a list of texts"))
        .collect()
}

fn flag(value: &Value, key: &str) -> bool {
    value[key] == true
}

/// `environmentName` and `S3Bucket` as `environment_name` and `s3_bucket`.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut made = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let follows = at > 0 && !letters[at - 1].is_ascii_uppercase();
        let leads = at > 0 && letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (follows || leads) {
            made.push('_');
        }
        made.push(letter.to_ascii_lowercase());
    }
    made
}

/// What serde makes of a field name with `rename_all = "camelCase"`.
fn camel(snake: &str) -> String {
    let mut parts = snake.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |made, part| made + &capital(part))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

/// `IN_PROGRESS` and `createdAtBefore` as names of variants.
fn variant(value: &str) -> String {
    if value.chars().any(|letter| letter.is_ascii_lowercase()) {
        return capital(value);
    }
    value
        .split('_')
        .map(|part| capital(&part.to_ascii_lowercase()))
        .collect()
}

fn field(name: &str) -> String {
    match name {
        "type" => "r#type".to_owned(),
        name => name.to_owned(),
    }
}

fn table(shape: &str) -> String {
    snake(shape).to_ascii_uppercase()
}

/// `ValidationException` as the variant of `Code`.
fn code(error: &str) -> &str {
    error
        .strip_suffix("Exception")
        .expect("errors are called exceptions")
}

/// Everything that a shape is made of.
fn reach<'a>(shapes: &'a Map<String, Value>, name: &'a str, known: &mut BTreeSet<&'a str>) {
    if !known.insert(name) {
        return;
    }
    let shape = &shapes[name];
    match text(shape, "type") {
        "structure" => object(shape, "members")
            .values()
            .for_each(|member| reach(shapes, text(member, "shape"), known)),
        "list" => reach(shapes, text(&shape["member"], "shape"), known),
        _ => {}
    }
}

impl<'a> Model<'a> {
    fn read(model: &'a Value) -> Self {
        let (operations, shapes) = (object(model, "operations"), object(model, "shapes"));
        let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for operation in operations.values() {
            reach(shapes, text(operation, "input"), &mut asked);
            reach(shapes, text(operation, "output"), &mut answered);
        }
        Self {
            operations,
            shapes,
            paginators: object(model, "paginators"),
            asked,
            answered,
        }
    }

    fn shape(&self, name: &str) -> &'a Value {
        self.shapes
            .get(name)
            .unwrap_or_else(|| panic!("the model has no shape {name}"))
    }

    /// The Rust type of a shape.
    fn rust(&self, name: &str) -> String {
        let shape = self.shape(name);
        match text(shape, "type") {
            "string" if shape.get("enum").is_some() => name.to_owned(),
            "string" if flag(shape, "sensitive") => "Sensitive".to_owned(),
            "string" => "String".to_owned(),
            "integer" => "i32".to_owned(),
            "boolean" => "bool".to_owned(),
            "timestamp" => "Time".to_owned(),
            "list" => format!("Vec<{}>", self.rust(text(&shape["member"], "shape"))),
            "structure" => name.to_owned(),
            other => panic!("the generator knows no {other} ({name})"),
        }
    }

    fn operations(&self) -> String {
        let mut out = format!(
            "{HEAD}
            //! The operations of the API: what they are called, what they may answer with, and who answers them.

            use serde_json::Value;

            use super::error::{{Code, Fault}};
            use super::validate::Structure;
            use super::{{Call, Proton, answered, model, read}};

            /// What a list does when there is more than one answer can hold.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Pagination {{
                /// It is no list.
                None,
                /// There is one page, always; tokens are refused.
                Single,
                /// Pages of up to `maxResults`, with tokens.
                Pages,
            }}

            /// An operation of the API.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[expect(missing_docs, reason = \"each name says what it is\")]
            pub enum Operation {{\n"
        );
        let names: Vec<&String> = self.operations.keys().collect();
        for name in &names {
            let _ = writeln!(out, "{name},");
        }
        let _ = writeln!(
            out,
            "}}\n\nimpl Operation {{
            /// All of them.
            pub const ALL: [Self; {}] = [",
            names.len()
        );
        for name in &names {
            let _ = writeln!(out, "Self::{name},");
        }
        out.push_str(
            "];

            /// The operation of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|operation| operation.name() == name)
            }

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {\n",
        );
        for name in &names {
            let _ = writeln!(out, "Self::{name} => {name:?},");
        }
        out.push_str(
            "}
            }

            /// Whether it changes something: all but `Get*` and `List*`.
            #[must_use]
            pub const fn mutating(self) -> bool {\n",
        );
        let reads = |name: &str| name.starts_with("Get") || name.starts_with("List");
        out.push_str(&self.matches("!", |name, _| reads(name)));
        out.push_str(
            "}

            /// Whether the model promises that a repetition changes nothing.
            #[must_use]
            pub const fn idempotent(self) -> bool {\n",
        );
        out.push_str(&self.matches("", |_, operation| flag(operation, "idempotent")));
        out.push_str(
            "}

            /// How it gives out lists.
            #[must_use]
            pub const fn pagination(self) -> Pagination {
                match self {\n",
        );
        let (mut single, mut pages) = (Vec::new(), Vec::new());
        for name in self.paginators.keys() {
            let input = object(self.shape(text(&self.operations[name], "input")), "members");
            if text(&input["nextToken"], "shape") == "EmptyNextToken" {
                single.push(format!("Self::{name}"));
            } else {
                pages.push(format!("Self::{name}"));
            }
        }
        let _ = writeln!(
            out,
            "{} => Pagination::Single, {} => Pagination::Pages, _ => Pagination::None, }}
            }}

            /// The errors that the model declares for it.
            pub(super) const fn errors(self) -> &'static [Code] {{
                match self {{",
            single.join("|"),
            pages.join("|")
        );
        let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, operation) in self.operations {
            let mut codes: Vec<String> = texts(operation, "errors")
                .into_iter()
                .map(|error| format!("Code::{}", code(error)))
                .collect();
            codes.sort();
            alike
                .entry(codes.join(", "))
                .or_default()
                .push(format!("Self::{name}"));
        }
        for (codes, names) in alike {
            let _ = writeln!(out, "{} => &[{codes}],", names.join("|"));
        }
        out.push_str(
            "}
            }

            /// What its input has to be like.
            pub(super) const fn input(self) -> &'static Structure {
                match self {\n",
        );
        for (name, operation) in self.operations {
            let _ = writeln!(
                out,
                "Self::{name} => &model::{},",
                table(text(operation, "input"))
            );
        }
        out.push_str(
            "}
            }

            /// Whether a checked request is one that its structure can hold.
            #[cfg(test)]
            pub(super) fn reads(self, input: Value) -> Result<(), Fault> {
                use super::shapes;
                match self {\n",
        );
        for (name, operation) in self.operations {
            let _ = writeln!(
                out,
                "Self::{name} => read::<shapes::{}>(input).map(drop),",
                text(operation, "input")
            );
        }
        out.push_str(
            "}
            }
            }

            impl Proton {
                /// Reads the input, has the operation answered, and writes the answer. Each answer is made on the heap: together
                /// they would make one huge future.
                pub(super) async fn dispatch(&self, call: &Call, input: Value) -> Result<Vec<u8>, Fault> {
                    match call.operation {\n",
        );
        for name in &names {
            let _ = writeln!(
                out,
                "Operation::{name} => answered(&Box::pin(self.{}(call, read(input)?)).await?),",
                snake(name)
            );
        }
        out.push_str("}\n}\n}\n");
        out
    }

    /// The body of a question that is true for some operations.
    fn matches(&self, not: &str, which: impl Fn(&str, &Value) -> bool) -> String {
        let names: Vec<String> = self
            .operations
            .iter()
            .filter(|(name, operation)| which(name, operation))
            .map(|(name, _)| format!("Self::{name}"))
            .collect();
        format!("{not}matches!(self, {})\n", names.join(" | "))
    }

    fn structures(&self) -> String {
        let mut out = format!(
            "{HEAD}
            //! What requests and answers are made of. Requests have been checked before they are read into these.

            #![allow(dead_code, reason = \"the contract has more in it than every build uses\")]

            use std::fmt;

            use serde::{{Deserialize, Serialize}};

            use super::scalar::{{Sensitive, Time}};\n"
        );
        for (name, shape) in self.shapes {
            let (asked, answered) = (
                self.asked.contains(name.as_str()),
                self.answered.contains(name.as_str()),
            );
            if !asked && !answered {
                continue;
            }
            if shape.get("enum").is_some() {
                self.enumeration(&mut out, name, &texts(shape, "enum"));
            } else if text(shape, "type") == "structure" {
                self.structure(&mut out, name, shape, asked, answered);
            }
        }
        out
    }

    fn enumeration(&self, out: &mut String, name: &str, values: &[&str]) {
        let _ = writeln!(
            out,
            "\n/// `{name}`.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
            pub(super) enum {name} {{"
        );
        for value in values {
            let _ = writeln!(out, "#[serde(rename = {value:?})]\n{},", variant(value));
        }
        let _ = writeln!(
            out,
            "}}\n\nimpl {name} {{
            /// All of them.
            pub(super) const ALL: [Self; {}] = [{}];

            /// As it is written.
            pub(super) const fn as_str(self) -> &'static str {{
                match self {{",
            values.len(),
            values
                .iter()
                .map(|value| format!("Self::{}", variant(value)))
                .collect::<Vec<_>>()
                .join(", ")
        );
        for value in values {
            let _ = writeln!(out, "Self::{} => {value:?},", variant(value));
        }
        let _ = writeln!(
            out,
            "}}
            }}

            /// The one that is written so.
            pub(super) fn named(text: &str) -> Option<Self> {{
                Self::ALL.into_iter().find(|one| one.as_str() == text)
            }}
            }}"
        );
    }

    fn structure(&self, out: &mut String, name: &str, shape: &Value, asked: bool, answered: bool) {
        let members = object(shape, "members");
        let required: BTreeSet<&str> = texts(shape, "required").into_iter().collect();
        let (secret, union) = (flag(shape, "sensitive"), flag(shape, "union"));
        let mut derives = vec!["Clone"];
        if !secret {
            derives.push("Debug");
        }
        if required.is_empty() && !union {
            derives.push("Default");
        }
        derives.push("PartialEq");
        if asked {
            derives.push("Deserialize");
        }
        if answered {
            derives.push("Serialize");
        }
        let word = if union { "enum" } else { "struct" };
        let _ = writeln!(
            out,
            "\n/// `{name}`.\n#[derive({})]\n#[serde(rename_all = \"camelCase\")]\npub(super) {word} {name} {{",
            derives.join(", ")
        );
        for (member, described) in members {
            let rust = self.rust(text(described, "shape"));
            let snake = snake(member);
            if union {
                let variant = capital(member);
                let plain = variant[..1].to_ascii_lowercase() + &variant[1..];
                assert_eq!(&plain, member, "{name} needs a rename");
                let _ = writeln!(out, "{variant}({rust}),");
                continue;
            }
            assert_eq!(&camel(&snake), member, "{name} needs a rename");
            if required.contains(member.as_str()) {
                let _ = writeln!(out, "pub(super) {}: {rust},", field(&snake));
            } else {
                if answered {
                    out.push_str("#[serde(skip_serializing_if = \"Option::is_none\")]\n");
                }
                let _ = writeln!(out, "pub(super) {}: Option<{rust}>,", field(&snake));
            }
        }
        out.push_str("}\n");
        if secret {
            let _ = writeln!(
                out,
                "\nimpl fmt::Debug for {name} {{
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
                    f.write_str(\"{name}(not shown)\")
                }}
                }}"
            );
        }
    }

    fn tables(&self) -> String {
        let mut out = format!(
            "{HEAD}
            //! What requests have to be like, as tables for [`validate`](super::validate).

            use super::validate::{{Integer, List, Member, Pattern, Shape, Structure, Text}};\n"
        );
        let number = |shape: &Value, key: &str| {
            shape
                .get(key)
                .map_or_else(|| "None".to_owned(), |number| format!("Some({number})"))
        };
        for name in &self.asked {
            let shape = self.shape(name);
            let secret = flag(shape, "sensitive");
            let (min, max) = (number(shape, "min"), number(shape, "max"));
            let _ = match text(shape, "type") {
                "string" => writeln!(
                    out,
                    "\nstatic {}: Text = Text {{ sensitive: {secret}, min: {min}, max: {max}, pattern: {}, values: &{:?} }};",
                    table(name),
                    shape.get("pattern").map_or_else(
                        || "None".to_owned(),
                        |pattern| format!("Some(Pattern::new({pattern}))")
                    ),
                    texts(shape, "enum"),
                ),
                "integer" => writeln!(
                    out,
                    "\nstatic {}: Integer = Integer {{ min: {min}, max: {max} }};",
                    table(name)
                ),
                "list" => writeln!(
                    out,
                    "\nstatic {}: List = List {{ min: {min}, max: {max}, item: {} }};",
                    table(name),
                    self.reference(text(&shape["member"], "shape"))
                ),
                "structure" => {
                    let required: BTreeSet<&str> = texts(shape, "required").into_iter().collect();
                    let mut members = String::new();
                    for (member, described) in object(shape, "members") {
                        let _ = write!(
                            members,
                            "Member {{ name: {member:?}, required: {}, token: {}, shape: {} }},",
                            required.contains(member.as_str()),
                            flag(described, "idempotencyToken"),
                            self.reference(text(described, "shape"))
                        );
                    }
                    writeln!(
                        out,
                        "\npub(super) static {}: Structure = Structure {{ sensitive: {secret}, union: {}, members: &[{members}] }};",
                        table(name),
                        flag(shape, "union")
                    )
                }
                _ => Ok(()),
            };
        }
        out
    }

    fn reference(&self, name: &str) -> String {
        match text(self.shape(name), "type") {
            "string" => format!("Shape::Text(&{})", table(name)),
            "integer" => format!("Shape::Integer(&{})", table(name)),
            "list" => format!("Shape::List(&{})", table(name)),
            "structure" => format!("Shape::Structure(&{})", table(name)),
            "boolean" => "Shape::Boolean".to_owned(),
            other => panic!("the tables know no {other} ({name})"),
        }
    }
}
