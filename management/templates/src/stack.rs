//! The rendered text, read as CloudFormation will read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hadron_proto::vocab::{Digest, StackContents};
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Fault, Faults, Source, clip};
use crate::yaml::{self, Data, Node};

/// What CloudFormation wants to be told about a stack before it works on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Capability {
    /// `CAPABILITY_IAM`: it has IAM resources.
    #[serde(rename = "CAPABILITY_IAM")]
    Iam,
    /// `CAPABILITY_NAMED_IAM`: it has IAM resources with names of its own choice.
    #[serde(rename = "CAPABILITY_NAMED_IAM")]
    NamedIam,
    /// `CAPABILITY_AUTO_EXPAND`: transforms rewrite it.
    #[serde(rename = "CAPABILITY_AUTO_EXPAND")]
    AutoExpand,
}

impl std::str::FromStr for Capability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Iam, Self::NamedIam, Self::AutoExpand]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| {
                format!("'{text}' is no capability: give CAPABILITY_IAM, CAPABILITY_NAMED_IAM or CAPABILITY_AUTO_EXPAND")
            })
    }
}

impl Capability {
    /// The word of CloudFormation's API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iam => "CAPABILITY_IAM",
            Self::NamedIam => "CAPABILITY_NAMED_IAM",
            Self::AutoExpand => "CAPABILITY_AUTO_EXPAND",
        }
    }
}

/// A rendered stack.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// The digest of the text.
    pub digest: Digest,
    /// What CloudFormation will ask for.
    pub capabilities: BTreeSet<Capability>,
    /// The types of all resources.
    pub resource_types: BTreeSet<String>,
    /// Logical id and type of each resource, in order.
    pub resources: Vec<(String, String)>,
    /// Names of the outputs, in order.
    pub outputs: Vec<String>,
    /// Names of transforms and macros.
    pub transforms: BTreeSet<String>,
    /// Where templates are taken in from: URLs of nested stacks and of what `AWS::Include` names; `?` for one that is not
    /// written out.
    pub nested: BTreeSet<String>,
    /// Dynamic references such as `{{resolve:ssm:name}}`, which CloudFormation replaces by secrets or parameters.
    pub dynamic_references: BTreeSet<String>,
    /// What is probably not meant.
    pub warnings: Vec<Fault>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may hold secrets of the spec.
        f.debug_struct("Rendered")
            .field("digest", &self.digest)
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}

/// Parses a rendered text.
pub(crate) fn parse(template: &Source, text: &str) -> Result<(Node, Faults), Faults> {
    let source = Source::new(format!("{} (rendered)", template.file()), text);
    yaml::read(&source, yaml::STACK).map_err(|faults| {
        faults
            .into_iter()
            .map(|fault| {
                let near = fault
                    .at
                    .as_ref()
                    .and_then(|at| origin(template, &source, at.line));
                match (near, &fault.help) {
                    (Some(line), Some(help)) => {
                        let help = format!("{help}; it comes from about {}:{line}", template.file());
                        Fault {
                            help: Some(help),
                            ..fault
                        }
                    }
                    _ => fault,
                }
            })
            .collect()
    })
}

/// The line of the template that a line of the rendered text most likely comes from: that of the nearest line above
/// it that stands unchanged, and only once, in the template.
pub(crate) fn origin(template: &Source, rendered: &Source, line: u32) -> Option<u32> {
    let mut once: BTreeMap<&str, Option<u32>> = BTreeMap::new();
    for (number, text) in (1..).zip(template.text().lines()) {
        once.entry(text.trim_end())
            .and_modify(|seen| *seen = None)
            .or_insert(Some(number));
    }
    (1..=line).rev().take(200).enumerate().find_map(|(up, number)| {
        let found = once.get(rendered.line(number).trim_end()).copied().flatten()?;
        Some(found + u32::try_from(up).unwrap_or(0))
    })
}

/// Reads what the stack consists of. The faults are those of its outline only; CloudFormation knows the rest.
pub(crate) fn inspect(tree: &Node, text: String, faults: &mut Faults) -> Rendered {
    let mut out = Rendered {
        digest: Digest::of(text.as_bytes()),
        text,
        capabilities: BTreeSet::new(),
        resource_types: BTreeSet::new(),
        resources: Vec::new(),
        outputs: Vec::new(),
        transforms: BTreeSet::new(),
        nested: BTreeSet::new(),
        dynamic_references: BTreeSet::new(),
        warnings: Vec::new(),
    };
    let resources = tree.get("Resources");
    match resources.map(|node| (node, node.members())) {
        Some((_, Some(members))) if !members.is_empty() => {
            for (key, resource) in members {
                self::resource(key, resource, &mut out, faults);
            }
        }
        Some((node, _)) => {
            let what = if node.members().is_some() {
                "empty"
            } else {
                node.what()
            };
            let message =
                format!("'Resources' of the rendered template is {what}; a stack has at least one resource");
            faults.push(
                Fault::error("stack/no-resources", message)
                    .at(&node.at)
                    .help("check the conditions around the resources in the template"),
            );
        }
        None => {
            let message = "the rendered template has no 'Resources'";
            faults.push(
                Fault::error("stack/no-resources", message)
                    .at(&tree.at)
                    .help("a CloudFormation template has the top key 'Resources' with at least one resource"),
            );
        }
    }
    if let Some(transform) = tree.get("Transform") {
        match &transform.data {
            Data::Scalar { text, .. } => drop(out.transforms.insert(text.clone())),
            Data::List(items) => items.iter().for_each(|item| match item.text() {
                Some(name) => drop(out.transforms.insert(name.to_owned())),
                None => self::transform(item, &mut out),
            }),
            Data::Map(_) => self::transform(transform, &mut out),
        }
    }
    out.outputs = tree
        .get("Outputs")
        .and_then(Node::members)
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, _)| key.text().map(str::to_owned))
        .collect();
    walk(tree, &mut out);
    let serverless = out
        .transforms
        .iter()
        .any(|name| name.starts_with("AWS::Serverless"));
    if !out.transforms.is_empty() || out.resource_types.contains("AWS::Serverless::Application") {
        out.capabilities.insert(Capability::AutoExpand);
    }
    // The transform gives functions and state machines roles of their own.
    if serverless
        && out
            .resource_types
            .iter()
            .any(|kind| kind.starts_with("AWS::Serverless::"))
    {
        out.capabilities.insert(Capability::Iam);
    }
    out
}

fn resource(key: &Node, resource: &Node, out: &mut Rendered, faults: &mut Faults) {
    let name = key.text().unwrap_or_default();
    if name.starts_with("Fn::ForEach") {
        repeated(resource, out);
        return;
    }
    let Some(kind) = resource.get("Type").and_then(Node::string) else {
        let message = format!("the resource '{}' has no 'Type'", clip(name));
        faults.push(
            Fault::error("stack/resource", message)
                .at(&key.at)
                .help("check its indentation, and the conditions around it in the template"),
        );
        return;
    };
    out.resources.push((name.to_owned(), kind.to_owned()));
    typed(kind, resource, out);
}

/// Resources that CloudFormation makes of one pattern; only the `AWS::LanguageExtensions` transform knows them.
fn repeated(pattern: &Node, out: &mut Rendered) {
    let Data::List(items) = &pattern.data else { return };
    for (key, resource) in items.iter().filter_map(Node::members).flatten() {
        match resource.get("Type").and_then(Node::string) {
            Some(kind) => typed(kind, resource, out),
            None if key.text().is_some_and(|key| key.starts_with("Fn::ForEach")) => repeated(resource, out),
            None => {}
        }
    }
}

/// Where a resource takes other templates in from.
fn taken_in(kind: &str, resource: &Node, out: &mut Rendered) {
    let keys: &[&str] = match kind {
        "AWS::CloudFormation::Stack" => &["TemplateURL"],
        "AWS::CloudFormation::StackSet" => &["TemplateURL", "TemplateBody"],
        "AWS::Serverless::Application" => &["Location"],
        _ => return,
    };
    let properties = resource.get("Properties");
    for key in keys {
        if let Some(place) = properties.and_then(|properties| properties.get(key)) {
            out.nested.insert(written_out(place));
        }
    }
}

/// The text of a place, where it is one.
fn written_out(place: &Node) -> String {
    match (&place.tag, place.text()) {
        (None, Some(text)) => text.to_owned(),
        _ => "?".to_owned(),
    }
}

/// What follows from a resource's type.
fn typed(kind: &str, resource: &Node, out: &mut Rendered) {
    out.resource_types.insert(kind.to_owned());
    taken_in(kind, resource, out);
    let own_name = match kind {
        "AWS::IAM::Role" => "RoleName",
        "AWS::IAM::User" => "UserName",
        "AWS::IAM::Group" => "GroupName",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        "AWS::IAM::InstanceProfile" => "InstanceProfileName",
        _ if kind.starts_with("AWS::IAM::") => "",
        _ => return,
    };
    out.capabilities.insert(Capability::Iam);
    if !own_name.is_empty()
        && resource
            .get("Properties")
            .and_then(|properties| properties.get(own_name))
            .is_some()
    {
        out.capabilities.insert(Capability::NamedIam);
    }
}

/// Finds what may stand anywhere: `Fn::Transform` and dynamic references.
fn walk(node: &Node, out: &mut Rendered) {
    if node.tag.as_deref() == Some("!Transform") {
        transform(node, out);
    }
    match &node.data {
        Data::Scalar { text, .. } => references(text, out),
        Data::List(items) => items.iter().for_each(|item| walk(item, out)),
        Data::Map(members) => {
            for (key, value) in members {
                if key.text() == Some("Fn::Transform") {
                    transform(value, out);
                }
                references(key.text().unwrap_or_default(), out);
                walk(value, out);
            }
        }
    }
}

/// A transform in the midst of a template, with the place that `AWS::Include` names.
fn transform(node: &Node, out: &mut Rendered) {
    out.transforms
        .insert(node.get("Name").and_then(Node::text).unwrap_or("?").to_owned());
    if let Some(place) = node.get("Parameters").and_then(|given| given.get("Location")) {
        out.nested.insert(written_out(place));
    }
}

impl Rendered {
    /// Reads a template that somebody else has rendered.
    ///
    /// # Errors
    /// Why it cannot be read, or is none.
    pub fn read(text: &str) -> Result<Self, Faults> {
        let source = Source::new("template", text);
        let (tree, mut faults) = parse(&source, text)?;
        let rendered = inspect(&tree, text.to_owned(), &mut faults);
        if faults.is_error() {
            Err(faults)
        } else {
            Ok(rendered)
        }
    }

    /// As rules about contents see it.
    #[must_use]
    pub fn contents(&self) -> StackContents<'_> {
        fn set(texts: &BTreeSet<String>) -> BTreeSet<&str> {
            texts.iter().map(String::as_str).collect()
        }
        StackContents {
            types: set(&self.resource_types),
            transforms: set(&self.transforms),
            nested: set(&self.nested),
            references: set(&self.dynamic_references),
        }
    }
}

fn references(text: &str, out: &mut Rendered) {
    for (at, _) in text.match_indices("{{resolve:") {
        let end = text[at..].find("}}").map_or(text.len(), |end| at + end + 2);
        out.dynamic_references.insert(text[at..end].to_owned());
    }
}
