//! `template lint` and `template render`: what the hub would say and make, without a hub. The same code does it there.

use std::path::{Path, PathBuf};

use clap::Args;
use hadron_proto::vocab::{AccountId, EnvironmentName, InstanceName, Region, ServiceName, Timestamp};
use hadron_templates::{
    Bundle, BundleKind, EnvironmentFacts, EnvironmentInputs, EnvironmentSpec, Faults, InputType,
    InstanceFacts, InstanceInputs, InstanceSpec, Limits, Outputs, PipelineInputs, PipelineInstance,
    ServiceFacts, ServiceSpec, SpecMap, TemplateBundle, Values, complete,
};
use serde_json::{Map, Value, json};

use super::super::{Context, pairs, read_spec};
use super::{Kind, scripted};
use crate::error::{Exit, Failure, Result};
use crate::output::{Card, Show, emit, map, say};

/// Flags of `lint`.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Directory, .tar.gz or .zip
    path: PathBuf,
    /// What it must be [default: whatever it looks like]
    #[arg(short, long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
}

/// Flags of `render`.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Directory, .tar.gz or .zip
    path: PathBuf,
    /// Spec ('-' reads stdin)
    #[arg(short = 'f', long, value_name = "FILE")]
    spec: PathBuf,
    /// Service templates: render this instance [default: the only one]
    #[arg(short, long, value_name = "NAME")]
    instance: Option<InstanceName>,
    /// Service templates: render the pipeline
    #[arg(long, conflicts_with = "instance")]
    pipeline: bool,
    /// Name of the environment, for environment templates
    #[arg(short, long, value_name = "NAME", default_value = "example")]
    environment: EnvironmentName,
    /// Name of the service, for service templates
    #[arg(short, long, value_name = "NAME", default_value = "example")]
    service: ServiceName,
    /// Outputs of the environment: KEY=VALUE (repeatable), or a JSON file such as `environment outputs -o json` prints
    #[arg(long, value_name = "KEY=VALUE or FILE")]
    environment_outputs: Vec<String>,
    /// Output of an instance, for the pipeline: INSTANCE.KEY=VALUE (repeatable)
    #[arg(long, value_name = "INSTANCE.KEY=VALUE")]
    instance_output: Vec<String>,
    /// Account of the environment
    #[arg(long, value_name = "ACCOUNT", default_value = "123456789012")]
    account_id: AccountId,
    /// Region of the environment
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    region: Region,
    /// Branch that the pipeline builds
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    branch: String,
    /// Repository that the pipeline builds
    #[arg(long, value_name = "ID", default_value = "owner/repository")]
    repository: String,
    /// ARN of the connection to the repository
    #[arg(
        long,
        value_name = "ARN",
        default_value = "arn:aws:codestar-connections:us-east-1:123456789012:connection/example"
    )]
    repository_connection: String,
}

/// Reads and checks a bundle before it is sent; errors end the command, warnings are said.
pub(super) fn check(path: &Path, kind: Option<Kind>) -> Result<(Bundle, BundleKind)> {
    let what = || format!("the bundle {} cannot be used", path.display());
    let bundle = Bundle::read(path, &Limits::default()).map_err(|faults| refused(what(), &faults))?;
    let (checked, faults) = TemplateBundle::check(bundle, kind.map(Kind::expect));
    let Some(checked) = checked else {
        return Err(refused(what(), &faults).next(format!("hadron template lint {}", path.display())));
    };
    if !faults.is_empty() {
        say(faults.to_string().trim_end());
    }
    Ok((checked.bundle().clone(), checked.kind))
}

/// A number with its word, in the plural where it is one.
fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

pub(super) fn refused(what: String, faults: &Faults) -> Failure {
    let errors = faults.errors().count();
    let warnings = faults.warnings().count();
    let counts = if warnings == 0 {
        count(errors, "error")
    } else {
        format!("{}, {}", count(errors, "error"), count(warnings, "warning"))
    };
    // A newline at the front keeps the excerpts as they are.
    Failure::new(Exit::Failure, format!("{what}: {counts}"))
        .why(format!("\n{}", faults.to_string().trim_end()))
}

pub(super) fn lint(args: &Lint, cx: &Context) -> Result<()> {
    let (checked, faults) = match Bundle::read(&args.path, &Limits::default()) {
        Ok(bundle) => TemplateBundle::check(bundle, args.kind.map(Kind::expect)),
        Err(faults) => (None, faults),
    };
    let path = args.path.display().to_string();
    let report = Report {
        path: path.clone(),
        kind: checked.map(|checked| checked.kind),
        faults,
    };
    if scripted(cx.out.format) {
        cx.print(&report)?;
    } else if !report.faults.is_empty() {
        emit(&format!("{}\n", report.faults.to_string().trim_end()))?;
    }
    let errors = report.faults.errors().count();
    let warnings = report.faults.warnings().count();
    if report.kind.is_none() || errors > 0 {
        return Err(Failure::new(
            Exit::Failure,
            format!(
                "{path}: {}, {}",
                count(errors, "error"),
                count(warnings, "warning")
            ),
        ));
    }
    say(format!("{path}: no errors, {}", count(warnings, "warning")));
    Ok(())
}

struct Report {
    path: String,
    kind: Option<BundleKind>,
    faults: Faults,
}

impl Show for Report {
    const KIND: &'static str = "LintReport";
    const HEAD: &'static [&'static str] = &["PATH"];

    fn name(&self) -> String {
        self.path.clone()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![self.path.clone()]
    }
    fn fields(&self) -> Map<String, Value> {
        let kind = self.kind.map(|kind| match kind {
            BundleKind::Environment | BundleKind::EnvironmentCustomerManaged => "environment",
            BundleKind::Service { .. } => "service",
        });
        map(json!({
            "path": self.path,
            "ok": self.kind.is_some(),
            "templateKind": kind,
            "faults": serde_json::to_value(&self.faults).unwrap_or_default(),
        }))
    }
    fn card(&self, card: &mut Card) {
        card.title(&self.path);
    }
}

struct Rendered {
    path: String,
    rendered: hadron_templates::Rendered,
}

impl Show for Rendered {
    const KIND: &'static str = "RenderedTemplate";
    const HEAD: &'static [&'static str] = &["PATH"];

    fn name(&self) -> String {
        self.path.clone()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![self.path.clone()]
    }
    fn fields(&self) -> Map<String, Value> {
        let resources: Vec<Value> = self
            .rendered
            .resources
            .iter()
            .map(|(id, kind)| json!({ "logicalId": id, "type": kind }))
            .collect();
        map(json!({
            "digest": self.rendered.digest.to_string(),
            "template": self.rendered.text,
            "resources": resources,
            "outputs": self.rendered.outputs,
            "capabilities": self.rendered.capabilities.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
        }))
    }
    fn card(&self, card: &mut Card) {
        card.title(&self.path);
    }
}

pub(super) fn render(args: &Render, cx: &Context) -> Result<()> {
    let path = args.path.display().to_string();
    let bundle = Bundle::read(&args.path, &Limits::default());
    let bundle = bundle.map_err(|faults| refused(format!("the bundle {path} cannot be used"), &faults))?;
    let (checked, faults) = TemplateBundle::check(bundle, None);
    let Some(template) = checked else {
        return Err(refused(format!("the bundle {path} cannot be used"), &faults)
            .next(format!("hadron template lint {path}")));
    };
    let file = args.spec.display().to_string();
    let text = read_spec(&args.spec)?;
    let spec = |faults: Faults| refused(format!("the spec {file} cannot be used"), &faults);
    let rendered = match template.kind {
        BundleKind::Environment | BundleKind::EnvironmentCustomerManaged => {
            if args.pipeline || args.instance.is_some() {
                return Err(Failure::usage(
                    "an environment template has no instances and no pipeline",
                ));
            }
            let given = EnvironmentSpec::parse(&file, &text).map_err(spec)?;
            template.render_environment(&EnvironmentInputs {
                name: args.environment.clone(),
                account_id: Some(args.account_id),
                region: Some(args.region.clone()),
                inputs: inputs(&template, InputType::Environment, &given.inputs).map_err(spec)?,
            })
        }
        BundleKind::Service { .. } => {
            let given = ServiceSpec::parse(&file, &text).map_err(spec)?;
            let outputs = environment_outputs(&args.environment_outputs)?;
            let facts = |instance: &InstanceSpec| EnvironmentFacts {
                name: instance.environment.clone(),
                account_id: args.account_id,
                region: Some(args.region.clone()),
                outputs: outputs.clone(),
            };
            let service = ServiceFacts {
                name: args.service.clone(),
                branch_name: args.branch.clone(),
                repository_id: args.repository.clone(),
                repository_connection_arn: args.repository_connection.clone(),
            };
            if args.pipeline {
                let told = instance_outputs(&args.instance_output, &given)?;
                let mut service_instances = Vec::new();
                for (instance, outputs) in given.instances.iter().zip(told) {
                    service_instances.push(PipelineInstance {
                        name: instance.name.clone(),
                        inputs: inputs(&template, InputType::Service, &instance.inputs).map_err(spec)?,
                        outputs,
                        environment: facts(instance),
                    });
                }
                let none = SpecMap::default();
                let own = given.pipeline.as_ref().unwrap_or(&none);
                let inputs = inputs(&template, InputType::Pipeline, own).map_err(spec)?;
                template.render_pipeline(&PipelineInputs {
                    service,
                    service_instances,
                    inputs,
                })
            } else {
                let instance = chosen(args.instance.as_ref(), &given)?;
                let inputs = inputs(&template, InputType::Service, &instance.inputs).map_err(spec)?;
                template.render_instance(&InstanceInputs {
                    environment: facts(instance),
                    service,
                    instance: InstanceFacts {
                        name: instance.name.clone(),
                        inputs,
                        component: None,
                    },
                })
            }
        }
    };
    let rendered =
        rendered.map_err(|faults| refused(format!("{path} cannot be rendered with {file}"), &faults))?;
    for warning in &rendered.warnings {
        say(warning.to_string().trim_end());
    }
    if scripted(cx.out.format) {
        return cx.print(&Rendered { path, rendered });
    }
    let end = if rendered.text.ends_with('\n') { "" } else { "\n" };
    emit(&format!("{}{end}", rendered.text))
}

/// Given inputs compared with the schema, defaults filled in.
fn inputs(template: &TemplateBundle, which: InputType, given: &SpecMap) -> Result<Values, Faults> {
    let Some(schema) = template.schema.inputs(which) else {
        return Ok(Values::new());
    };
    let done = complete(schema, given)?;
    if !done.warnings.is_empty() {
        say(done.warnings.to_string().trim_end());
    }
    Ok(done.values)
}

fn chosen<'a>(wanted: Option<&InstanceName>, spec: &'a ServiceSpec) -> Result<&'a InstanceSpec> {
    let names = || {
        spec.instances
            .iter()
            .map(|one| one.name.as_str())
            .collect::<Vec<_>>()
    };
    match wanted {
        Some(name) => spec.instance(name).ok_or_else(|| {
            let failure = Failure::usage(format!("the spec has no instance '{name}'"))
                .why(format!("it has: {}", names().join(", ")));
            match crate::suggest::closest(name.as_str(), names()) {
                Some(close) => failure.next(format!("--instance {close}")),
                None => failure,
            }
        }),
        None => match spec.instances.as_slice() {
            [only] => Ok(only),
            _ => Err(
                Failure::usage("the spec has several instances; say which one is to be rendered")
                    .why(format!("give --instance, one of: {}", names().join(", "))),
            ),
        },
    }
}

fn environment_outputs(given: &[String]) -> Result<Outputs> {
    let mut outputs = Outputs::new();
    for one in given {
        if one.contains('=') {
            outputs.extend(pairs(std::slice::from_ref(one))?);
        } else {
            let wrong = |why: String| {
                Failure::usage(format!(
                    "'{one}' is neither KEY=VALUE nor a JSON file with outputs"
                ))
                .why(why)
            };
            let text = std::fs::read(one).map_err(|error| wrong(error.to_string()))?;
            let value: Value = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
            outputs
                .extend(outputs_of(&value).ok_or_else(|| wrong("it holds no object of outputs".to_owned()))?);
        }
    }
    Ok(outputs)
}

/// From `{"key": "value"}`, or from what `outputs -o json` prints.
fn outputs_of(value: &Value) -> Option<Vec<(String, String)>> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(items) = value.get("items").and_then(Value::as_array) {
        return items
            .iter()
            .map(|item| Some((item.get("key")?.as_str()?.to_owned(), plain(item.get("value")?))))
            .collect();
    }
    Some(
        value
            .as_object()?
            .iter()
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
    )
}

/// Outputs of each instance, in the order of the spec.
fn instance_outputs(given: &[String], spec: &ServiceSpec) -> Result<Vec<Outputs>> {
    let mut all = vec![Outputs::new(); spec.instances.len()];
    for (name, value) in pairs(given)? {
        let wrong = |why: &str| {
            Failure::usage(format!("'{name}' does not name an output of an instance"))
                .why(why)
                .next("--instance-output INSTANCE.KEY=VALUE")
        };
        let (instance, key) = name
            .split_once('.')
            .ok_or_else(|| wrong("there is no '.' between instance and key"))?;
        let at = spec
            .instances
            .iter()
            .position(|one| one.name.as_str() == instance);
        let at = at.ok_or_else(|| wrong("the spec has no such instance"))?;
        all[at].insert(key.to_owned(), value);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_come_as_pairs_or_as_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("outputs.json");
        std::fs::write(
            &file,
            r#"{"apiVersion": "hadron/v1", "items": [{"key": "A", "value": "1"}]}"#,
        )
        .unwrap();
        let outputs = environment_outputs(&[file.display().to_string(), "B=x=y".to_owned()]).unwrap();
        assert_eq!(outputs.get("A").map(String::as_str), Some("1"));
        assert_eq!(outputs.get("B").map(String::as_str), Some("x=y"));
        std::fs::write(&file, r#"{"A": "2", "N": 3}"#).unwrap();
        assert_eq!(
            environment_outputs(&[file.display().to_string()])
                .unwrap()
                .get("N")
                .map(String::as_str),
            Some("3")
        );
        assert_eq!(
            environment_outputs(&["nothing".to_owned()]).unwrap_err().exit,
            Exit::Usage
        );
    }
}
