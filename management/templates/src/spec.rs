//! Specs: what a developer gives.
//!
//! A spec keeps every value as it was written, with its place, until a schema says what type is meant. So
//! `012345678901` stays an account id, `80` becomes a number only where a number is asked for, and a fault found
//! late still points into the developer's file. Two specs are equal when their values are; places do not count.

use std::collections::BTreeMap;
use std::ops::Deref;

use hadron_proto::vocab::{EnvironmentName, InstanceName};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Fault, Faults, Source, Spot, clip, nearest};
use crate::spec_flat::{FlatMap, FlatService};
use crate::spec_text;
use crate::yaml::{self, Data, Node};

/// In an update: keep the value of the stored spec.
pub const CURRENT_VALUE: &str = "${Proton::CURRENT_VAL}";

/// A spec of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// `proton: EnvironmentSpec`.
    Environment(EnvironmentSpec),
    /// `proton: ServiceSpec`.
    Service(ServiceSpec),
}

/// What an environment is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvironmentSpec {
    /// The members of `spec`.
    pub inputs: SpecMap,
}

/// What a service is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "FlatService", try_from = "FlatService")]
pub struct ServiceSpec {
    /// The members of `pipeline`, when there are any.
    pub pipeline: Option<SpecMap>,
    /// The instances, in order; at least one, no name twice.
    pub instances: Vec<InstanceSpec>,
}

/// One instance of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceSpec {
    /// Its name, unique in the service.
    pub name: InstanceName,
    /// The environment that it runs in.
    pub environment: EnvironmentName,
    /// The members of its `spec`.
    pub inputs: SpecMap,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct SpecValue {
    /// The value.
    pub node: SpecNode,
    /// Its place.
    pub at: Spot,
}

/// What was written.
#[derive(Clone, Debug)]
pub enum SpecNode {
    /// Text, untouched.
    Scalar {
        /// The text, without quotes.
        text: String,
        /// Whether it was written without quotes, so that it may mean a number, a truth value or nothing.
        plain: bool,
    },
    /// A list.
    List(Vec<SpecValue>),
    /// A map.
    Map(SpecMap),
}

/// Named values in the order they were written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(into = "FlatMap", try_from = "FlatMap")]
pub struct SpecMap {
    entries: IndexMap<String, SpecValue>,
    /// The place of the map as a whole; what is missing is reported there.
    pub at: Spot,
}

impl Deref for SpecMap {
    type Target = IndexMap<String, SpecValue>;
    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}
impl PartialEq for SpecMap {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}
impl PartialEq for SpecValue {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}
impl PartialEq for SpecNode {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Scalar { text, plain },
                Self::Scalar {
                    text: text2,
                    plain: plain2,
                },
            ) => {
                // Quotes matter only where their absence would give the text another meaning, and nothing has
                // several spellings.
                let meaning = |text: &str, plain: bool| {
                    if plain {
                        yaml::plain(text)
                    } else {
                        yaml::Plain::Text
                    }
                };
                let (mine, theirs) = (meaning(text, *plain), meaning(text2, *plain2));
                mine == theirs && (text == text2 || mine == yaml::Plain::Null)
            }
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl SpecMap {
    /// A map without values, which stands there.
    pub(crate) fn empty(at: Spot) -> Self {
        Self {
            entries: IndexMap::new(),
            at,
        }
    }

    /// Sets a value, keeping the position of one that was there.
    pub fn insert(&mut self, name: impl Into<String>, value: SpecValue) {
        self.entries.insert(name.into(), value);
    }

    /// Removes a value.
    pub fn remove(&mut self, name: &str) -> Option<SpecValue> {
        self.entries.shift_remove(name)
    }

    /// The map of a JSON object, for values that come from a form or an API instead of a file.
    #[must_use]
    pub fn from_json(values: &serde_json::Map<String, serde_json::Value>) -> Self {
        let entries = values
            .iter()
            .map(|(name, value)| (name.clone(), SpecValue::from_json(value)))
            .collect();
        Self {
            entries,
            at: Spot::default(),
        }
    }
}

impl SpecValue {
    /// A text value without a place.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self {
            node: SpecNode::Scalar {
                text: text.into(),
                plain: false,
            },
            at: Spot::default(),
        }
    }

    /// The value of a JSON value, without a place.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        let node = match value {
            Value::String(text) => SpecNode::Scalar {
                text: text.clone(),
                plain: false,
            },
            Value::Array(items) => SpecNode::List(items.iter().map(Self::from_json).collect()),
            Value::Object(members) => SpecNode::Map(SpecMap::from_json(members)),
            other => SpecNode::Scalar {
                text: other.to_string(),
                plain: true,
            },
        };
        Self {
            node,
            at: Spot::default(),
        }
    }

    /// Whether this asks for the stored value.
    #[must_use]
    pub fn is_current(&self) -> bool {
        matches!(&self.node, SpecNode::Scalar { text, .. } if text == CURRENT_VALUE)
    }

    /// What kind of value this is, for messages.
    pub(crate) fn what(&self) -> String {
        match &self.node {
            SpecNode::Scalar { text, plain: true } if matches!(yaml::plain(text), yaml::Plain::Null) => {
                "nothing".to_owned()
            }
            SpecNode::Scalar { text, plain: true } => clip(text),
            SpecNode::Scalar { text, plain: false } => format!("the text '{}'", clip(text)),
            SpecNode::List(_) => "a list".to_owned(),
            SpecNode::Map(_) => "a map".to_owned(),
        }
    }
}

impl Spec {
    /// Reads a spec of whichever kind its `proton` key says.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let root = Root::read(file, text)?;
        match root.kind() {
            Some("EnvironmentSpec") => root.environment().map(Self::Environment),
            Some("ServiceSpec") => root.service().map(Self::Service),
            _ => Err(root.wrong_kind("EnvironmentSpec or ServiceSpec").into()),
        }
    }
}

impl EnvironmentSpec {
    /// Reads an environment spec. `file` names it in faults.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let root = Root::read(file, text)?;
        match root.kind() {
            Some("EnvironmentSpec") => root.environment(),
            _ => Err(root.wrong_kind("EnvironmentSpec").into()),
        }
    }

    /// The spec as YAML in one fixed form. Reading it gives an equal spec.
    #[must_use]
    pub fn to_text(&self) -> String {
        spec_text::environment(self)
    }
}

impl ServiceSpec {
    /// Reads a service spec. `file` names it in faults.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let root = Root::read(file, text)?;
        match root.kind() {
            Some("ServiceSpec") => root.service(),
            _ => Err(root.wrong_kind("ServiceSpec").into()),
        }
    }

    /// The spec as YAML in one fixed form. Reading it gives an equal spec.
    #[must_use]
    pub fn to_text(&self) -> String {
        spec_text::service(self)
    }

    /// The instance of this name.
    #[must_use]
    pub fn instance(&self, name: &InstanceName) -> Option<&InstanceSpec> {
        self.instances.iter().find(|instance| instance.name == *name)
    }

    /// Replaces every `${Proton::CURRENT_VAL}` by the value of the stored spec. Must be done before the spec is
    /// compared with a schema or stored, so that stored specs hold only real values.
    pub fn resolve_current(&mut self, stored: Option<&Self>) -> Result<(), Faults> {
        let mut faults = Faults::new();
        if let Some(pipeline) = &mut self.pipeline {
            let stored = stored.and_then(|stored| stored.pipeline.as_ref());
            current(pipeline, stored, "pipeline", &mut faults);
        }
        for instance in &mut self.instances {
            let stored = stored
                .and_then(|stored| stored.instance(&instance.name))
                .map(|stored| &stored.inputs);
            current(
                &mut instance.inputs,
                stored,
                &format!("instance '{}'", instance.name),
                &mut faults,
            );
        }
        faults.or(())
    }
}

fn current(given: &mut SpecMap, stored: Option<&SpecMap>, what: &str, faults: &mut Faults) {
    for (name, value) in &mut given.entries {
        let stored = stored.and_then(|stored| stored.get(name));
        if value.is_current() {
            match stored {
                Some(stored) => *value = stored.clone(),
                None => {
                    let message = format!(
                        "the stored spec has no value for '{}' of the {what} that could be kept",
                        clip(name)
                    );
                    faults.push(
                        Fault::error("spec/no-current-value", message)
                            .at(&value.at)
                            .help("give a value, or leave the input out to use its default"),
                    );
                }
            }
        } else if let SpecNode::Map(members) = &mut value.node {
            let stored = stored.and_then(|stored| match &stored.node {
                SpecNode::Map(members) => Some(members),
                _ => None,
            });
            current(members, stored, what, faults);
        } else if let SpecNode::List(items) = &value.node
            && items.iter().any(SpecValue::is_current)
        {
            let message = format!(
                "{CURRENT_VALUE} cannot stand for an item of the list '{}'",
                clip(name)
            );
            faults.push(
                Fault::error("spec/no-current-value", message)
                    .at(&value.at)
                    .help("use it for the whole list"),
            );
        }
    }
}

/// The top of a spec file.
struct Root {
    node: Node,
}

impl Root {
    fn read(file: &str, text: &str) -> Result<Self, Faults> {
        let source = Source::new(file, text);
        let (node, _) = yaml::read(&source, yaml::HAND)?;
        if node.members().is_none() {
            let message = format!("a spec is a map, but this is {}", node.what());
            return Err(Fault::error("spec/shape", message)
                .at(&node.at)
                .help("begin with 'proton: EnvironmentSpec' or 'proton: ServiceSpec'")
                .into());
        }
        Ok(Self { node })
    }

    fn kind(&self) -> Option<&str> {
        self.node.get("proton").and_then(Node::string)
    }

    fn wrong_kind(&self, wanted: &str) -> Fault {
        match self.node.get("proton") {
            Some(found) => Fault::error(
                "spec/kind",
                format!(
                    "'proton' is '{}', but {wanted} is needed here",
                    clip(found.text().unwrap_or_else(|| found.what()))
                ),
            )
            .at(&found.at),
            None => Fault::error(
                "spec/kind",
                "the key 'proton', which tells the kind of spec, is missing",
            )
            .at(&self.node.at),
        }
        .help(format!(
            "write 'proton: {}'",
            wanted.split(' ').next().unwrap_or(wanted)
        ))
    }

    fn only(&self, node: &Node, known: &[&str], faults: &mut Faults) {
        for (key, _) in node.members().unwrap_or_default() {
            let name = key.text().unwrap_or_default();
            if !known.contains(&name) {
                let fault = Fault::error(
                    "spec/unknown-key",
                    format!("'{}' has no meaning here", clip(name)),
                )
                .at(&key.at);
                faults.push(match nearest(name, known.iter().copied()) {
                    Some(near) => fault.help(format!("did you mean '{near}'?")),
                    None => fault.help(format!("known here: {}", known.join(", "))),
                });
            }
        }
    }

    fn environment(&self) -> Result<EnvironmentSpec, Faults> {
        let mut faults = Faults::new();
        self.only(&self.node, &["proton", "spec"], &mut faults);
        let inputs = match self.node.get("spec") {
            Some(node) => map(node, "spec", &mut faults),
            None => SpecMap {
                at: self.node.at.clone(),
                ..SpecMap::default()
            },
        };
        for value in inputs.values().filter(|value| value.is_current()) {
            let message = format!("{CURRENT_VALUE} works in service specs only");
            faults.push(
                Fault::error("spec/no-current-value", message)
                    .at(&value.at)
                    .help("write the value"),
            );
        }
        faults.or(EnvironmentSpec { inputs })
    }

    fn service(&self) -> Result<ServiceSpec, Faults> {
        let mut faults = Faults::new();
        self.only(&self.node, &["proton", "pipeline", "instances"], &mut faults);
        let pipeline = self
            .node
            .get("pipeline")
            .filter(|node| !node.is_null())
            .map(|node| map(node, "pipeline", &mut faults));
        let instances = match self.node.get("instances").map(|node| (node, node.items())) {
            Some((_, Some(items))) if !items.is_empty() => self.instances(items, &mut faults),
            Some((node, _)) => {
                let what = if node.items().is_some() {
                    "an empty list"
                } else {
                    node.what()
                };
                let message = format!("'instances' must be a list with at least one instance, but is {what}");
                faults.push(
                    Fault::error("spec/instances", message)
                        .at(&node.at)
                        .help("begin each instance with '- name:'"),
                );
                Vec::new()
            }
            None => {
                let fault =
                    Fault::error("spec/instances", "the list 'instances' is missing").at(&self.node.at);
                faults.push(
                    fault.help("add 'instances:' and below it '- name:' and 'environment:' of each instance"),
                );
                Vec::new()
            }
        };
        faults.or(ServiceSpec { pipeline, instances })
    }

    fn instances(&self, items: &[Node], faults: &mut Faults) -> Vec<InstanceSpec> {
        let mut names: BTreeMap<InstanceName, u32> = BTreeMap::new();
        let mut instances = Vec::new();
        for item in items {
            if item.members().is_none() {
                let message = format!("an instance is a map, but this is {}", item.what());
                faults.push(
                    Fault::error("spec/instances", message)
                        .at(&item.at)
                        .help("give it 'name' and 'environment'"),
                );
                continue;
            }
            self.only(item, &["name", "environment", "spec"], faults);
            let name: Option<InstanceName> = word(item, "name", faults);
            let environment: Option<EnvironmentName> = word(item, "environment", faults);
            let inputs = match item.get("spec") {
                Some(node) => map(node, "spec", faults),
                None => SpecMap {
                    at: item.at.clone(),
                    ..SpecMap::default()
                },
            };
            let (Some(name), Some(environment)) = (name, environment) else {
                continue;
            };
            if let Some(first) = names.insert(name.clone(), item.at.line()) {
                let message = format!("the instance '{name}' is given twice; the first is on line {first}");
                faults.push(
                    Fault::error("spec/duplicate-instance", message)
                        .at(&item.at)
                        .help("rename or remove one of them"),
                );
                continue;
            }
            instances.push(InstanceSpec {
                name,
                environment,
                inputs,
            });
        }
        instances
    }
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    item: &Node,
    key: &str,
    faults: &mut Faults,
) -> Option<T> {
    let Some(node) = item.get(key) else {
        let message = format!("this instance has no '{key}'");
        faults.push(
            Fault::error("spec/instances", message)
                .at(&item.at)
                .help(format!("add '{key}:' to it")),
        );
        return None;
    };
    let Some(text) = node.string() else {
        let message = format!("'{key}' must be a name, but is {}", node.what());
        faults.push(
            Fault::error("spec/name", message)
                .at(&node.at)
                .help("write a name of letters, digits, '-' and '_'"),
        );
        return None;
    };
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            faults.push(
                Fault::error("spec/name", clip_long(&error.to_string()))
                    .at(&node.at)
                    .help("choose another name"),
            );
            None
        }
    }
}

fn clip_long(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The inputs under a key. Nothing at all means no inputs.
fn map(node: &Node, key: &str, faults: &mut Faults) -> SpecMap {
    let empty = SpecMap {
        at: node.at.clone(),
        ..SpecMap::default()
    };
    if node.is_null() {
        return empty;
    }
    match value(node, faults) {
        Some(SpecValue {
            node: SpecNode::Map(map),
            ..
        }) => map,
        Some(_) => {
            let message = format!("'{key}' must be a map of inputs, but is {}", node.what());
            faults.push(
                Fault::error("spec/shape", message)
                    .at(&node.at)
                    .help("write one 'name: value' on each line"),
            );
            empty
        }
        None => empty,
    }
}

/// A value as it was written. Tags would be lost, so they are refused, except `!!str`, which only quotes.
pub(crate) fn value(node: &Node, faults: &mut Faults) -> Option<SpecValue> {
    let text_tag = node.tag.as_deref() == Some("!!str");
    if let Some(tag) = node.tag.as_deref().filter(|_| !text_tag) {
        let message = format!("the tag '{}' has no meaning here", clip(tag));
        faults.push(
            Fault::error("spec/tag", message)
                .at(&node.at)
                .help("write the plain value; functions such as !Ref work in templates only"),
        );
        return None;
    }
    let inner = match &node.data {
        Data::Scalar { text, plain } => SpecNode::Scalar {
            text: text.clone(),
            plain: *plain && !text_tag,
        },
        Data::List(items) => SpecNode::List(items.iter().filter_map(|item| value(item, faults)).collect()),
        Data::Map(members) => {
            let mut entries = IndexMap::new();
            for (key, member) in members {
                let Some(name) = key.text() else {
                    let fault = Fault::error(
                        "spec/shape",
                        format!("a name must be a single value, but this is {}", key.what()),
                    );
                    faults.push(fault.at(&key.at).help("write 'name: value'"));
                    continue;
                };
                if let Some(member) = value(member, faults) {
                    entries.insert(name.to_owned(), member);
                }
            }
            SpecNode::Map(SpecMap {
                entries,
                at: node.at.clone(),
            })
        }
    };
    Some(SpecValue {
        node: inner,
        at: node.at.clone(),
    })
}
