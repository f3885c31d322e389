//! A bundle that was checked and is ready to be rendered.

use std::collections::{BTreeMap, BTreeSet};

use hadron_proto::vocab::Digest;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::diagnostic::{Fault, Faults, Source, clip, listed};
use crate::inputs::{EnvironmentInputs, InstanceInputs, PipelineInputs, Values, texts};
use crate::lint::{self, Uses};
use crate::manifest::{Engine, Manifest};
use crate::namespace::{self, Scope};
use crate::needs::Needs;
use crate::render::{HOLLOW, Template, roomy};
use crate::sample;
use crate::schema::{InputType, Schema};
use crate::shield;
use crate::stack::{self, Rendered};
use crate::yaml;

/// What a bundle is a template for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BundleKind {
    /// An environment.
    Environment,
    /// An environment that somebody else provisions; the schema describes its outputs.
    EnvironmentCustomerManaged,
    /// A service.
    Service {
        /// Whether it brings a pipeline.
        pipeline: bool,
    },
}

/// What the caller needs a bundle to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Expect {
    /// An environment template, provisioned here or by the customer; [`TemplateBundle::kind`] tells which.
    Environment,
    /// An environment template that is provisioned here.
    Provisioned,
    /// An environment template that holds only a schema.
    CustomerManaged,
    /// A service template, with or without a pipeline.
    Service,
}

/// A bundle without errors.
#[derive(Clone, Debug)]
pub struct TemplateBundle {
    /// What it is a template for.
    pub kind: BundleKind,
    /// Its inputs.
    pub schema: Schema,
    bundle: Bundle,
    parts: Vec<Part>,
}

/// One directory of infrastructure.
#[derive(Clone, Debug)]
struct Part {
    scope: Scope,
    manifest: Manifest,
    /// The text, when this crate renders it.
    template: Option<Template>,
    outputs: BTreeMap<&'static str, BTreeMap<String, bool>>,
}

const SCHEMA: &str = "schema/schema.yaml";

impl TemplateBundle {
    /// Checks a bundle and tells everything that is wrong with it at once. The bundle is usable unless one of the
    /// faults is an error.
    #[must_use]
    pub fn check(bundle: Bundle, expect: Option<Expect>) -> (Option<Self>, Faults) {
        match roomy(|| Self::check_here(bundle, expect)) {
            Ok(checked) => checked,
            Err(faults) => (None, faults),
        }
    }

    fn check_here(bundle: Bundle, expect: Option<Expect>) -> (Option<Self>, Faults) {
        let mut faults = Faults::new();
        let schema = schema(&bundle, &mut faults);
        let kind = kind(&bundle, schema.as_ref(), expect, &mut faults);
        let mut parts = Vec::new();
        for scope in kind.map(scopes).unwrap_or_default() {
            parts.extend(part(&bundle, scope, schema.as_ref(), &mut faults));
        }
        let named: usize = parts.iter().map(|part: &Part| part.manifest.files.len()).sum();
        if named > bundle.limits.template_files {
            let message = format!(
                "the manifests name {named} template files; at most {} are allowed",
                bundle.limits.template_files
            );
            faults.push(
                Fault::error("bundle/too-many-files", message)
                    .help("join files, or split the template in two"),
            );
        }
        if let (Some(schema), Some(BundleKind::EnvironmentCustomerManaged)) = (&schema, kind) {
            customer_managed(schema, &mut faults);
        }
        match (schema, kind) {
            (Some(schema), Some(kind)) if !faults.is_error() => (
                Some(Self {
                    kind,
                    schema,
                    bundle,
                    parts,
                }),
                faults,
            ),
            _ => (None, faults),
        }
    }

    /// The text of the bundle's `README.md`.
    #[must_use]
    pub fn readme(&self) -> Option<&str> {
        let path = self
            .bundle
            .paths()
            .find(|path| path.eq_ignore_ascii_case("readme.md"))?;
        std::str::from_utf8(self.bundle.get(path)?).ok()
    }

    /// The digest of the bundle's files.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.bundle.digest()
    }

    /// The bundle that was checked.
    #[must_use]
    pub const fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// What provisions the environment or the instances; nothing for customer-managed environments.
    #[must_use]
    pub fn engine(&self) -> Option<Engine> {
        self.parts.first().map(|part| part.manifest.engine)
    }

    /// What provisions the pipeline, when there is one.
    #[must_use]
    pub fn pipeline_engine(&self) -> Option<Engine> {
        self.parts
            .iter()
            .find(|part| part.scope == Scope::Pipeline)
            .map(|part| part.manifest.engine)
    }

    /// The manifests, with the directory of each.
    pub fn manifests(&self) -> impl Iterator<Item = (&'static str, &Manifest)> {
        self.parts.iter().map(|part| (part.scope.dir(), &part.manifest))
    }

    /// The outputs that an environment must have for this service template to render.
    #[must_use]
    pub fn needed_environment_outputs(&self) -> BTreeSet<&str> {
        let outputs = self
            .parts
            .iter()
            .filter_map(|part| part.outputs.get("environment"))
            .flatten();
        outputs
            .filter(|(_, needed)| **needed)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// What its stacks can consist of, whatever they are given.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for part in &self.parts {
            let Some(template) = &part.template else { continue };
            needs.add_text(template.source.text());
            for (facts, _) in sample::facts(part.scope, Some(&self.schema), &part.outputs) {
                let rendered = roomy(|| {
                    let text = template.render(&facts, &|_, _| None, false).ok()?;
                    let (tree, _) = stack::parse(&template.source, &text).ok()?;
                    Some(stack::inspect(&tree, text, &mut Faults::new()))
                });
                if let Ok(Some(rendered)) = rendered {
                    needs.add_rendered(&rendered);
                }
            }
        }
        needs
    }

    /// Renders the infrastructure of an environment.
    pub fn render_environment(&self, inputs: &EnvironmentInputs) -> Result<Rendered, Faults> {
        self.render(Scope::Environment, &inputs.facts())
    }

    /// Renders the infrastructure of a service instance.
    pub fn render_instance(&self, inputs: &InstanceInputs) -> Result<Rendered, Faults> {
        self.render(Scope::Instance, &inputs.facts())
    }

    /// Renders the pipeline of a service.
    pub fn render_pipeline(&self, inputs: &PipelineInputs) -> Result<Rendered, Faults> {
        self.render(Scope::Pipeline, &inputs.facts())
    }

    fn render(&self, scope: Scope, facts: &Values) -> Result<Rendered, Faults> {
        let Some(part) = self.parts.iter().find(|part| part.scope == scope) else {
            let message = format!("this bundle has no {}/ that could be rendered", scope.dir());
            return Err(Fault::error("render/no-part", message)
                .help("use a template version that has it")
                .into());
        };
        let Some(template) = &part.template else {
            let message = format!(
                "{} provisioning is not available yet",
                part.manifest.engine.as_str()
            );
            return Err(Fault::error("render/engine", message)
                .help("use a CloudFormation template for now")
                .into());
        };
        roomy(|| render(template, facts))?
    }
}

/// Renders a template and proves that no value became structure.
pub(crate) fn render(template: &Template, facts: &Values) -> Result<Rendered, Faults> {
    let mut faults = shield::admissible(facts);
    if faults.is_error() {
        return Err(faults);
    }
    let text = template.render(facts, &|_, _| None, false)?;
    let (tree, warnings) = match stack::parse(&template.source, &text) {
        Ok((tree, warnings)) => (Ok(tree), warnings),
        Err(errors) => (Err(errors), Faults::new()),
    };
    faults.extend(warnings);
    let again =
        |change: &dyn Fn(&str, &str) -> Option<String>, marks: bool| template.render(facts, change, marks);
    let parse = |text: &str| stack::parse(&template.source, text).map(|(tree, _)| tree);
    faults.extend(shield::prove(facts, &text, &tree, &again, &parse));
    let tree = match tree {
        Ok(tree) => tree,
        Err(errors) => {
            // When a value is to blame, what it broke is no news.
            if !faults.is_error() {
                faults.extend(errors);
            }
            return Err(faults);
        }
    };
    for (name, value) in facts {
        texts(value, name, &mut |path, text| {
            if text.contains("{{resolve:") {
                let message = format!(
                    "the value of {} is a dynamic reference, which CloudFormation replaces by a secret or parameter",
                    clip(path)
                );
                faults.push(
                    Fault::warning("input/dynamic-reference", message)
                        .help("make sure that the account's policy allows it"),
                );
            }
        });
    }
    let mut rendered = stack::inspect(&tree, text, &mut faults);
    if faults.is_error() {
        return Err(faults);
    }
    rendered.warnings = faults.into_vec();
    Ok(rendered)
}

fn schema(bundle: &Bundle, faults: &mut Faults) -> Option<Schema> {
    let Some(bytes) = bundle.get(SCHEMA) else {
        let near: Vec<&str> = bundle.paths().filter(|path| path.contains("schema")).collect();
        let help = if near.is_empty() {
            "every bundle has one; an empty template has an input type without properties".to_owned()
        } else {
            format!("found instead: {}", listed(near))
        };
        faults.push(Fault::error("schema/missing", format!("{SCHEMA} is missing")).help(help));
        return None;
    };
    if bytes.len() > bundle.limits.schema_bytes {
        let message = format!(
            "{SCHEMA} has {} bytes; at most {} are allowed",
            bytes.len(),
            bundle.limits.schema_bytes
        );
        faults.push(
            Fault::error("schema/too-large", message).help("shorten the descriptions, or remove inputs"),
        );
        return None;
    }
    match Schema::parse(SCHEMA, bytes) {
        Ok(schema) => {
            faults.extend(schema.warnings.clone());
            Some(schema)
        }
        Err(errors) => {
            faults.extend(errors);
            None
        }
    }
}

/// The kind follows from the directories; the schema and the caller must agree with it.
fn kind(
    bundle: &Bundle,
    schema: Option<&Schema>,
    expect: Option<Expect>,
    faults: &mut Faults,
) -> Option<BundleKind> {
    let [environment, instance, pipeline] =
        [Scope::Environment, Scope::Instance, Scope::Pipeline].map(|scope| bundle.has_dir(scope.dir()));
    let has = |which| schema.is_some_and(|schema| schema.inputs(which).is_some());
    let service = instance
        || pipeline
        || (!environment && has(InputType::Service))
        || (!environment && expect == Some(Expect::Service));
    let mut wrong =
        |code: &'static str, message: String, help: &str| faults.push(Fault::error(code, message).help(help));
    if environment && (instance || pipeline) {
        wrong(
            "bundle/kind",
            "the bundle has both infrastructure/ and instance_ or pipeline_infrastructure/".to_owned(),
            "make two bundles: one for the environment, one for the service",
        );
        return None;
    }
    match (expect, service) {
        (Some(Expect::Service), false) => {
            wrong(
                "bundle/kind",
                "this is an environment template, but a service template is needed".to_owned(),
                "a service template has instance_infrastructure/ and a service_input_type",
            );
            return None;
        }
        (Some(Expect::Environment | Expect::Provisioned | Expect::CustomerManaged), true) => {
            wrong(
                "bundle/kind",
                "this is a service template, but an environment template is needed".to_owned(),
                "an environment template has infrastructure/ and an environment_input_type",
            );
            return None;
        }
        _ => {}
    }
    if service {
        if !instance {
            wrong(
                "bundle/missing-directory",
                "instance_infrastructure/ is missing".to_owned(),
                "add it with a manifest.yaml and the template of the instances",
            );
        }
        if let Some(schema) = schema {
            if !has(InputType::Service) {
                wrong(
                    "schema/input-type",
                    "the schema of a service template has no service_input_type".to_owned(),
                    "name the type of the instances' inputs",
                );
            }
            if pipeline != schema.inputs(InputType::Pipeline).is_some() {
                let (message, help) = if pipeline {
                    (
                        "the bundle has pipeline_infrastructure/, but the schema has no pipeline_input_type",
                        "name the type of the pipeline's inputs, or remove the directory",
                    )
                } else {
                    (
                        "the schema has a pipeline_input_type, but the bundle has no pipeline_infrastructure/",
                        "add the directory, or remove the pipeline_input_type",
                    )
                };
                wrong("schema/pipeline", message.to_owned(), help);
            }
        }
        return Some(BundleKind::Service { pipeline });
    }
    if schema.is_some() && !has(InputType::Environment) {
        wrong(
            "schema/input-type",
            "the schema of an environment template has no environment_input_type".to_owned(),
            "name the type of the environment's inputs",
        );
    }
    match (environment, expect) {
        (true, Some(Expect::CustomerManaged)) => {
            wrong("bundle/kind", "a customer-managed environment template holds only a schema, but this one has infrastructure/".to_owned(), "remove infrastructure/, or register it as a template that is provisioned here");
            None
        }
        (true, _) => Some(BundleKind::Environment),
        (false, Some(Expect::Provisioned)) => {
            wrong("bundle/missing-directory", "infrastructure/ is missing: the bundle holds only a schema, but environments of this template are provisioned here".to_owned(), "add it with a manifest.yaml and the template of the environment, or register the bundle under a template whose environments are customer-managed");
            None
        }
        (false, Some(Expect::CustomerManaged)) => Some(BundleKind::EnvironmentCustomerManaged),
        (false, _) => {
            let message =
                "the bundle has no infrastructure/, so it is read as a customer-managed environment template";
            faults.push(
                Fault::warning("bundle/customer-managed", message)
                    .help("add infrastructure/ if it is to be provisioned here"),
            );
            Some(BundleKind::EnvironmentCustomerManaged)
        }
    }
}

fn scopes(kind: BundleKind) -> Vec<Scope> {
    match kind {
        BundleKind::Environment => vec![Scope::Environment],
        BundleKind::EnvironmentCustomerManaged => Vec::new(),
        BundleKind::Service { pipeline: false } => vec![Scope::Instance],
        BundleKind::Service { pipeline: true } => vec![Scope::Instance, Scope::Pipeline],
    }
}

fn part(bundle: &Bundle, scope: Scope, schema: Option<&Schema>, faults: &mut Faults) -> Option<Part> {
    if !bundle.has_dir(scope.dir()) {
        return None;
    }
    let manifest = Manifest::read(bundle, scope.dir(), faults)?;
    let mut whole = true;
    for file in &manifest.files {
        let size = bundle.get(file).map_or(0, <[u8]>::len);
        if size > bundle.limits.file_bytes {
            let message = format!(
                "{file} has {size} bytes; at most {} are allowed",
                bundle.limits.file_bytes
            );
            faults.push(Fault::error("template/too-large", message).help("split the template in two"));
            whole = false;
        }
    }
    if manifest.engine != Engine::CloudFormation {
        return Some(Part {
            scope,
            manifest,
            template: None,
            outputs: BTreeMap::new(),
        });
    }
    let path = manifest.files.first().filter(|_| whole)?;
    let template = match Template::new(path, bundle.get(path).unwrap_or_default()) {
        Ok(template) => template,
        Err(fault) => {
            faults.extend(fault);
            return None;
        }
    };
    let (uses, found): (Uses, Faults) = lint::check(&template, scope, &namespace::roots(scope, schema));
    let sound = !found.is_error();
    faults.extend(found);
    try_out(&template, scope, schema, &uses, sound, faults);
    Some(Part {
        scope,
        manifest,
        template: Some(template),
        outputs: uses.outputs,
    })
}

fn customer_managed(schema: &Schema, faults: &mut Faults) {
    let Some(inputs) = schema.inputs(InputType::Environment) else {
        return;
    };
    for (name, property) in &inputs.properties {
        if property.kind != crate::property::Kind::String {
            let message = format!(
                "'{}' is of type {}, but outputs of a customer-managed environment are text",
                clip(name),
                property.kind.as_str()
            );
            faults.push(Fault::error("schema/customer-managed", message).help("write 'type: string'"));
        }
        if property.default.is_some() {
            let message = format!(
                "'{}' has a default, but outputs of a customer-managed environment have none",
                clip(name)
            );
            faults.push(Fault::error("schema/customer-managed", message).help("remove the default"));
        }
    }
}

/// Renders with defaults and made-up values. What fails only because a value is made up says nothing about the
/// template, so it is a warning then, and failures of rendering are told only when no value can be the reason. YAML
/// that is malformed without any values in it is an error whichever they are. When a name has none (`sound` is
/// false), or nothing is known of the inputs, only that is looked for.
fn try_out(
    template: &Template,
    scope: Scope,
    schema: Option<&Schema>,
    uses: &Uses,
    sound: bool,
    faults: &mut Faults,
) {
    let mut doubtful = None;
    for (facts, made_up) in sample::facts(scope, schema, &uses.outputs) {
        let found = if sound && schema.is_some() {
            attempt(template, &facts)
        } else {
            None
        };
        match found {
            Some(found) if !found.is_error() => {}
            Some(found) if !made_up => {
                faults.extend(found.into_iter().map(|fault| Fault {
                    message: format!("rendered with the default inputs: {}", fault.message),
                    ..fault
                }));
                return;
            }
            found => {
                if let Some(errors) = malformed(template, &facts, uses) {
                    faults.extend(errors);
                    return;
                }
                doubtful = doubtful.or(found);
            }
        }
    }
    faults.extend(doubtful.into_iter().flatten().map(|fault| Fault {
        message: format!("rendered with made-up values: {}", fault.message),
        severity: crate::Severity::Warning,
        ..fault
    }));
}

/// What is wrong with the text that comes out; nothing when none does and the values may be the reason.
fn attempt(template: &Template, facts: &Values) -> Option<Faults> {
    match template.render(facts, &|_, _| None, false) {
        Ok(text) => match stack::parse(&template.source, &text) {
            Ok((tree, _)) => {
                let mut found = Faults::new();
                stack::inspect(&tree, text, &mut found);
                Some(found)
            }
            Err(errors) => Some(errors),
        },
        Err(found)
            if found
                .iter()
                .any(|fault| matches!(fault.code, "render/too-long" | "render/too-large")) =>
        {
            Some(found)
        }
        Err(_) => None,
    }
}

/// Why the template's own text is no YAML on the way that these values take, whatever its expressions print: neither
/// with a plain word for each nor with nothing. Expressions with a line of their own may print whole lines, so they
/// are left out, or taken for a key.
fn malformed(template: &Template, facts: &Values, uses: &Uses) -> Option<Faults> {
    let text = template.hollow(facts, &uses.unknown)?;
    let fill = |text: &str, word: &str, own_line: &str| {
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let rest = line.trim_start_matches(' ');
            if line.contains(HOLLOW) && rest.chars().all(|c| c == HOLLOW || c.is_whitespace()) {
                if !own_line.is_empty() {
                    out.push_str(&line[..line.len() - rest.len()]);
                    out.push_str(own_line);
                }
                out.push('\n');
            } else {
                out.push_str(&line.replace(HOLLOW, word));
            }
        }
        out
    };
    let source = &template.source;
    let read = |word, own_line| {
        let filled = Source::new(source.file(), fill(&text, word, own_line));
        let errors = yaml::read(&filled, yaml::STACK).err()?;
        Some((filled, errors))
    };
    let (filled, errors) = read("x", "")?;
    read("", "")?;
    read("x", "x:")?;
    // The template with its expressions filled in the same way: its lines keep their numbers.
    let tags = Regex::new(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}").expect("a valid expression");
    let marked = tags.replace_all(source.text(), |tag: &regex::Captures<'_>| {
        if tag[0].starts_with("{{") {
            HOLLOW.to_string()
        } else {
            String::new()
        }
    });
    let lines = Source::new(source.file(), fill(&marked, "x", ""));
    let errors: Faults = errors
        .into_iter()
        .filter(|fault| fault.code != "yaml/empty")
        .map(|fault| {
            let line = fault
                .at
                .as_ref()
                .and_then(|at| stack::origin(&lines, &filled, at.line));
            let at = match (line, &fault.at) {
                (Some(line), Some(at)) if source.line(line) == filled.line(at.line) => {
                    Some(source.place(line, at.column, at.length))
                }
                (Some(line), _) => Some(source.whole_line(line)),
                (None, _) => Some(source.whole_line(1)),
            };
            Fault {
                message: format!("whatever its expressions print, {}", fault.message),
                at,
                ..fault
            }
        })
        .collect();
    errors.is_error().then_some(errors)
}
