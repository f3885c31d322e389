//! Checking bundles: all faults at once, each with its place. Each case is a file under `fixtures/bad` or
//! `fixtures/lint`; its faults are a snapshot.

mod support;

use std::collections::BTreeMap;

use hadron_templates::{Bundle, BundleKind, Engine, Expect, Limits, TemplateBundle};

#[test]
fn bad_bundles() {
    for (name, mut files) in support::cases("bad") {
        let expect = match files.remove("expect").as_deref().map(str::trim) {
            Some("environment") => Some(Expect::Environment),
            Some("customer-managed") => Some(Expect::CustomerManaged),
            Some("service") => Some(Expect::Service),
            _ => None,
        };
        let bundle = support::bundle(&files).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        let (checked, faults) = TemplateBundle::check(bundle, expect);
        assert_eq!(checked.is_none(), faults.is_error(), "{name}");
        assert!(
            faults.iter().all(|fault| fault.help.is_some()),
            "{name}: every fault says what to do next\n{faults}"
        );
        support::snapshot(&format!("bad__{name}"), &faults.to_string());
    }
}

#[test]
fn lint() {
    for (name, sections) in support::cases("lint") {
        let mut files: BTreeMap<String, String> = sections.clone();
        let template = files.remove("template").expect("a case has a template");
        let pipeline = files.remove("pipeline");
        files
            .entry("schema/schema.yaml".to_owned())
            .or_insert_with(|| support::SCHEMA.to_owned());
        files.insert(
            "instance_infrastructure/manifest.yaml".to_owned(),
            support::MANIFEST.to_owned(),
        );
        files.insert("instance_infrastructure/cloudformation.yaml".to_owned(), template);
        if let Some(text) = pipeline {
            files.insert(
                "pipeline_infrastructure/manifest.yaml".to_owned(),
                support::MANIFEST.to_owned(),
            );
            files.insert("pipeline_infrastructure/cloudformation.yaml".to_owned(), text);
        }
        let (_, faults) = TemplateBundle::check(support::bundle(&files).expect("well-formed"), None);
        let text = if faults.is_empty() {
            "no faults\n".to_owned()
        } else {
            faults.to_string()
        };
        support::snapshot(&format!("lint__{name}"), &text);
    }
}

#[test]
fn good_bundles() {
    let check = |name: &str| {
        let bundle = Bundle::read(&support::fixtures().join("good").join(name), &Limits::default()).unwrap();
        let (checked, faults) = TemplateBundle::check(bundle, None);
        let told = faults.to_string();
        (checked.unwrap_or_else(|| panic!("{name}: {told}")), told)
    };
    let (network, told) = check("network");
    assert_eq!((network.kind, told.as_str()), (BundleKind::Environment, ""));
    assert!(network.readme().unwrap().starts_with("# Network"));
    assert_eq!(network.engine(), Some(Engine::CloudFormation));
    let (web, told) = check("web");
    assert_eq!(
        (web.kind, told.as_str()),
        (BundleKind::Service { pipeline: true }, "")
    );
    assert_eq!(web.needed_environment_outputs(), ["Subnet", "Vpc"].into());
    let (terraform, told) = check("terraform");
    assert_eq!((terraform.engine(), told.as_str()), (Some(Engine::Terraform), ""));
    let (codebuild, told) = check("codebuild");
    assert_eq!((codebuild.engine(), told.as_str()), (Some(Engine::CodeBuild), ""));
    let manifest = codebuild.manifests().next().unwrap().1;
    assert_eq!(
        manifest.settings.as_ref().unwrap().provision,
        ["npm ci", "npx cdk deploy"]
    );
    let (managed, told) = check("managed");
    assert_eq!(
        (managed.kind, managed.engine()),
        (BundleKind::EnvironmentCustomerManaged, None)
    );
    assert!(told.contains("bundle/customer-managed"), "{told}");
}

#[test]
fn other_engines_say_that_they_are_not_there_yet() {
    let bundle = Bundle::read(&support::fixtures().join("good/terraform"), &Limits::default()).unwrap();
    let terraform = TemplateBundle::check(bundle, Some(Expect::Service)).0.unwrap();
    let faults = terraform
        .render_instance(&support::instance(serde_json::Map::new(), None))
        .unwrap_err();
    assert!(
        faults
            .to_string()
            .contains("Terraform provisioning is not available yet"),
        "{faults}"
    );
}

#[test]
fn limits_of_files_hold() {
    let big = |path: &str, size: usize| {
        let mut files = BTreeMap::from([
            ("schema/schema.yaml".to_owned(), support::SCHEMA.to_owned()),
            (
                "instance_infrastructure/manifest.yaml".to_owned(),
                support::MANIFEST.to_owned(),
            ),
            (
                "instance_infrastructure/cloudformation.yaml".to_owned(),
                "Resources:\n  A: { Type: T }\n".to_owned(),
            ),
        ]);
        let text = files.entry(path.to_owned()).or_default();
        text.push_str(&format!("# {}\n", "x".repeat(size)));
        TemplateBundle::check(support::bundle(&files).unwrap(), None)
            .1
            .iter()
            .map(|fault| fault.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(big("schema/schema.yaml", 50 * 1024), ["schema/too-large"]);
    assert_eq!(
        big("instance_infrastructure/manifest.yaml", 50 * 1024),
        ["manifest/too-large"]
    );
    assert_eq!(
        big("instance_infrastructure/cloudformation.yaml", 200 * 1024),
        ["template/too-large"]
    );
    assert!(big("instance_infrastructure/cloudformation.yaml", 100 * 1024).is_empty());
    assert!(big("notes.txt", 300 * 1024).is_empty());

    let mut files: BTreeMap<String, String> = (0..11)
        .map(|n| (format!("infrastructure/f{n}.tf"), String::new()))
        .collect();
    files.insert("infrastructure/manifest.yaml".to_owned(), "infrastructure: { templates: [ { file: '*', rendering_engine: hcl, template_language: terraform } ] }\n".to_owned());
    files.insert("schema/schema.yaml".to_owned(), "schema: { format: { openapi: '3.0.0' }, environment_input_type: T, types: { T: { type: object, properties: { a: { type: string } } } } }\n".to_owned());
    let faults = TemplateBundle::check(support::bundle(&files).unwrap(), None).1;
    assert!(
        faults.errors().any(|fault| fault.code == "bundle/too-many-files"),
        "{faults}"
    );
}
