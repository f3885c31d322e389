//! Components: what their manifest and template render to, and what is said about those that cannot be rendered. Each
//! case is a file under `fixtures/component`; one with a section `inputs` is attached to an instance with these inputs.

mod support;

use hadron_templates::{
    Attached, Bundle, ComponentInputs, ComponentTemplate, Faults, InputType, Rendered, SpecMap,
    TemplateBundle, complete,
};

fn service() -> TemplateBundle {
    let bundle: Bundle = support::service("Resources:\n  A: { Type: T }\n", None);
    TemplateBundle::check(bundle, None).0.expect("a sound bundle")
}

fn render(manifest: &str, template: &str, inputs: Option<&str>) -> Result<Rendered, Faults> {
    let service = service();
    let component = ComponentTemplate::read(manifest, template)?;
    let surroundings = support::instance(serde_json::Map::new(), None);
    let attached = match inputs {
        None => None,
        Some(inputs) => {
            let given = SpecMap::from_json(&serde_json::from_str(inputs).expect("JSON"));
            let schema = service.schema.inputs(InputType::Service).expect("a service");
            Some(Attached {
                service: surroundings.service,
                instance: surroundings.instance.name,
                inputs: complete(schema, &given)?.values,
            })
        }
    };
    let schema = attached.is_some().then_some(&service.schema);
    let inputs = ComponentInputs {
        name: "bucket".parse().expect("a name"),
        environment: surroundings.environment,
        attached,
    };
    component.render(&inputs, schema)
}

#[test]
fn cases() {
    for (name, sections) in support::cases("component") {
        let get = |section: &str| sections.get(section).map(String::as_str);
        let template = get("template").expect("a case has a template");
        let outcome = render(
            get("manifest").unwrap_or(support::MANIFEST),
            template,
            get("inputs"),
        );
        let text = match outcome {
            Ok(rendered) => {
                let warnings: Faults = rendered.warnings.iter().cloned().collect();
                format!(
                    "{}\n--------\ncapabilities: {:?}\nresources: {:?}\n{warnings}",
                    rendered.text, rendered.capabilities, rendered.resources
                )
            }
            Err(faults) => {
                assert!(
                    faults.iter().all(|fault| fault.help.is_some()),
                    "{name}: {faults}"
                );
                faults.to_string()
            }
        };
        support::snapshot(&format!("component__{name}"), &text);
    }
}

#[test]
fn texts_have_the_lengths_that_proton_allows() {
    let template = |length: usize| {
        let text = "Resources:\n  Topic: { Type: AWS::SNS::Topic }\n# ";
        format!("{text}{}", "é".repeat(length - text.chars().count()))
    };
    let manifest = |length: usize| {
        format!(
            "{}# {}",
            support::MANIFEST,
            "é".repeat(length - support::MANIFEST.chars().count() - 2)
        )
    };
    assert!(render(&manifest(1_024), &template(51_200), None).is_ok());
    for (manifest, template) in [
        (manifest(1_025), template(100)),
        (manifest(1_000), template(51_201)),
    ] {
        let faults = render(&manifest, &template, None).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults}");
        assert!(
            faults.errors().any(|fault| fault.code == "component/too-large"),
            "{faults}"
        );
    }
}
