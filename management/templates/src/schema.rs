//! `schema/schema.yaml`: which inputs a template has.
//!
//! The form is Proton's: a `types` section in OpenAPI 3.0 terms, and keys that say which type is for what.
//! References stay inside the file. They are resolved while reading, so a type that contains itself never exists
//! past this module.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Fault, Faults, Source, clip, listed, nearest};
use crate::property::{Property, members};
use crate::schema_types::Reader;
use crate::spec::SpecMap;
use crate::yaml::{self, Node};

/// What inputs are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// Of an environment.
    Environment,
    /// Of each instance of a service.
    Service,
    /// Of the pipeline of a service.
    Pipeline,
}

impl InputType {
    const ALL: [Self; 3] = [Self::Environment, Self::Service, Self::Pipeline];

    /// The key of the schema that names the type.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Environment => "environment_input_type",
            Self::Service => "service_input_type",
            Self::Pipeline => "pipeline_input_type",
        }
    }
}

/// The inputs of a template.
#[derive(Clone, Debug, Serialize)]
pub struct Schema {
    inputs: IndexMap<InputType, InputSchema>,
    #[serde(skip)]
    pub(crate) warnings: Faults,
}

/// The inputs for one purpose.
#[derive(Clone, Debug, Serialize)]
pub struct InputSchema {
    /// The name of the type.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The inputs, in the order of the schema.
    pub properties: IndexMap<String, Property>,
    /// The inputs that must be given or have a default.
    pub required: Vec<String>,
    /// Whether inputs that the schema does not name are refused.
    pub closed: bool,
}

/// Inputs that match a schema, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// The values, typed.
    pub values: serde_json::Map<String, Value>,
    /// What was accepted but probably not meant.
    pub warnings: Faults,
}

/// Compares inputs with their schema and fills in the defaults.
pub fn complete(schema: &InputSchema, given: &SpecMap) -> Result<Completed, Faults> {
    let mut faults = Faults::new();
    let values = members(
        "",
        &schema.properties,
        &schema.required,
        schema.closed,
        given,
        &mut faults,
    );
    if faults.is_error() {
        Err(faults)
    } else {
        Ok(Completed {
            values,
            warnings: faults,
        })
    }
}

impl InputSchema {
    /// All faults of these inputs, warnings included.
    #[must_use]
    pub fn validate(&self, given: &SpecMap) -> Faults {
        match complete(self, given) {
            Ok(completed) => completed.warnings,
            Err(faults) => faults,
        }
    }
}

impl Schema {
    /// Reads a schema. `file` names it in faults.
    pub fn parse(file: &str, text: &[u8]) -> Result<Self, Faults> {
        let Ok(text) = std::str::from_utf8(text) else {
            return Err(Fault::error("schema/encoding", format!("{file} is not UTF-8"))
                .help("save it as UTF-8")
                .into());
        };
        let source = Source::new(file, text);
        let (root, mut faults) = yaml::read(&source, yaml::HAND)?;
        let Some(schema) = root.get("schema").filter(|node| node.members().is_some()) else {
            let fault =
                Fault::error("schema/shape", "the top key 'schema' is missing or not a map").at(&root.at);
            faults.push(fault.help("begin with 'schema:' and indent everything below it"));
            return Err(faults);
        };
        unknown(&root, &["schema"], &mut faults);
        let known = [
            "format",
            "types",
            "environment_input_type",
            "service_input_type",
            "pipeline_input_type",
        ];
        unknown(schema, &known, &mut faults);
        format(schema, &mut faults);

        let types = schema.get("types").filter(|node| node.members().is_some());
        if types.is_none() {
            let at = schema.get("types").unwrap_or(schema);
            let fault = Fault::error("schema/shape", "the map 'types' is missing").at(&at.at);
            faults.push(fault.help("describe the inputs below 'types:', one type for each purpose"));
        }
        let mut inputs = IndexMap::new();
        for which in InputType::ALL {
            let Some(name) = schema.get(which.key()) else {
                continue;
            };
            let Some(types) = types else { continue };
            let mut reader = Reader {
                types,
                faults: &mut faults,
                trail: Vec::new(),
                read: 0,
            };
            if let Some(input) = reader.input(which, name) {
                inputs.insert(which, input);
            }
        }
        let has = |which: InputType| schema.get(which.key()).is_some();
        if !InputType::ALL.into_iter().any(has) {
            let message = "the schema names no input type";
            faults.push(
                Fault::error("schema/shape", message)
                    .at(&schema.at)
                    .help("add environment_input_type or service_input_type"),
            );
        }
        if has(InputType::Environment) && (has(InputType::Service) || has(InputType::Pipeline)) {
            let message = "the schema names both an environment and a service input type";
            faults.push(
                Fault::error("schema/shape", message)
                    .at(&schema.at)
                    .help("a template is for environments or for services; keep one"),
            );
        }
        if has(InputType::Pipeline) && !has(InputType::Service) && !has(InputType::Environment) {
            let message = "the schema has a pipeline input type but no service input type";
            faults.push(
                Fault::error("schema/shape", message)
                    .at(&schema.at)
                    .help("add service_input_type"),
            );
        }
        if faults.is_error() {
            Err(faults)
        } else {
            Ok(Self {
                inputs,
                warnings: faults,
            })
        }
    }

    /// The inputs for a purpose, when the template has any for it.
    #[must_use]
    pub fn inputs(&self, which: InputType) -> Option<&InputSchema> {
        self.inputs.get(&which)
    }

    /// All inputs, by purpose.
    pub fn all(&self) -> impl Iterator<Item = (InputType, &InputSchema)> {
        self.inputs.iter().map(|(which, input)| (*which, input))
    }
}

fn format(schema: &Node, faults: &mut Faults) {
    let help = "write 'format: { openapi: \"3.0.0\" }'";
    let Some(format) = schema.get("format") else {
        faults.push(
            Fault::warning("schema/format", "the schema does not say its format")
                .at(&schema.at)
                .help(help),
        );
        return;
    };
    match format.get("openapi").and_then(Node::text) {
        Some(version) if version.starts_with("3.0") => {}
        Some(version) => {
            let message = format!(
                "the schema is written for OpenAPI {}; it is read as 3.0",
                clip(version)
            );
            faults.push(Fault::warning("schema/format", message).at(&format.at).help(help));
        }
        None => faults.push(
            Fault::error("schema/format", "'format' does not name an OpenAPI version")
                .at(&format.at)
                .help(help),
        ),
    }
}

/// Warns of keys that nobody reads.
pub(crate) fn unknown(node: &Node, known: &[&str], faults: &mut Faults) {
    for (key, _) in node.members().unwrap_or_default() {
        let name = key.text().unwrap_or_default();
        if known.contains(&name) || name.starts_with("x-") {
            continue;
        }
        let fault = Fault::warning(
            "yaml/unknown-key",
            format!("the key '{}' has no meaning here and is not read", clip(name)),
        );
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("known here: {}", listed(known)),
        };
        faults.push(fault.at(&key.at).help(help));
    }
}
