//! Cases are text files with sections: a line `=== path` begins a file of the bundle. What a case does not bring is
//! filled in, so that each shows only what it is about.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hadron_templates::{
    Bundle, ComponentFacts, EnvironmentFacts, Faults, InputType, InstanceFacts, InstanceInputs, Limits,
    Outputs, Rendered, ServiceFacts, SpecMap, TemplateBundle, complete,
};

/// The directory of the fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// All cases of a directory, by name.
pub(crate) fn cases(dir: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(fixtures().join(dir))
        .expect("the directory exists")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().expect("a file").to_string_lossy().into_owned();
    paths
        .iter()
        .map(|path| {
            (
                name(path),
                sections(&std::fs::read_to_string(path).expect("readable")),
            )
        })
        .collect()
}

fn sections(text: &str) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    let mut current = None;
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("=== ") {
            Some(path) => {
                out.insert(path.trim().to_owned(), String::new());
                current = Some(path.trim().to_owned());
            }
            None => {
                if let Some(text) = current.as_ref().and_then(|path| out.get_mut(path)) {
                    text.push_str(line);
                }
            }
        }
    }
    out
}

/// A manifest for CloudFormation.
pub(crate) const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"cloudformation.yaml\"\n      rendering_engine: jinja\n      template_language: cloudformation\n";

/// A schema for services with inputs of several kinds.
pub(crate) const SCHEMA: &str = r#"schema:
  format: { openapi: "3.0.0" }
  service_input_type: "Web"
  types:
    Web:
      type: object
      properties:
        port: { type: number, default: 80, minimum: 0, maximum: 65535 }
        text: { type: string, default: "plain" }
        image: { type: string }
        public: { type: boolean, default: true }
        names: { type: array, items: { type: string }, default: [one, two] }
        items: { type: string, default: "a name like a method" }
        mode: { type: string, enum: [open, closed], default: open }
"#;

/// The files of a bundle as a bundle.
pub(crate) fn bundle(files: &BTreeMap<String, String>) -> Result<Bundle, Faults> {
    Bundle::from_files(
        files.iter().map(|(path, text)| (path, text.clone().into_bytes())),
        &Limits::default(),
    )
}

/// A service bundle around an instance template.
pub(crate) fn service(template: &str, schema: Option<&str>) -> Bundle {
    let files = BTreeMap::from([
        (
            "schema/schema.yaml".to_owned(),
            schema.unwrap_or(SCHEMA).to_owned(),
        ),
        (
            "instance_infrastructure/manifest.yaml".to_owned(),
            MANIFEST.to_owned(),
        ),
        (
            "instance_infrastructure/cloudformation.yaml".to_owned(),
            template.to_owned(),
        ),
    ]);
    bundle(&files).expect("a well-formed bundle")
}

/// Environment, service and instance of the usual names.
pub(crate) fn instance(
    inputs: serde_json::Map<String, serde_json::Value>,
    component: Option<Outputs>,
) -> InstanceInputs {
    let outputs =
        [("Vpc", "vpc-1"), ("Cluster", "main")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    InstanceInputs {
        environment: EnvironmentFacts {
            name: "prd".parse().expect("a name"),
            account_id: "012345678901".parse().expect("an account"),
            region: Some("eu-west-1".parse().expect("a Region")),
            outputs: outputs.into_iter().collect(),
        },
        service: ServiceFacts::without_repository("shop".parse().expect("a name")),
        instance: InstanceFacts {
            name: "shop-prd".parse().expect("a name"),
            inputs,
            component: component.map(|outputs| ComponentFacts {
                name: "bucket".parse().expect("a name"),
                outputs,
            }),
        },
    }
}

/// Checks and renders an instance template with these inputs (JSON).
pub(crate) fn render(
    template: &str,
    schema: Option<&str>,
    inputs: &str,
    component: Option<&str>,
) -> Result<Rendered, Faults> {
    let (checked, faults) = TemplateBundle::check(service(template, schema), None);
    let Some(checked) = checked else {
        return Err(faults);
    };
    let given = SpecMap::from_json(&serde_json::from_str(inputs).expect("JSON"));
    let completed = complete(
        checked.schema.inputs(InputType::Service).expect("a service"),
        &given,
    )?;
    let component = component.map(|text| serde_json::from_str(text).expect("JSON"));
    checked.render_instance(&instance(completed.values, component))
}

/// Compares with the snapshot of this name.
pub(crate) fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, text));
}
