//! What templates render to. Each case is a file under `fixtures/render`: a template, and what it is rendered with.

mod support;

use hadron_templates::{Capability, Rendered};

fn told(rendered: &Rendered) -> String {
    let mut out = rendered.text.clone();
    out.push_str("\n--------\n");
    out.push_str(&format!(
        "capabilities: {:?}\nresources: {:?}\n",
        rendered.capabilities, rendered.resources
    ));
    for warning in &rendered.warnings {
        out.push_str(&warning.to_string());
    }
    out
}

#[test]
fn cases() {
    for (name, sections) in support::cases("render") {
        let get = |section: &str| sections.get(section).map(String::as_str);
        let template = get("template").expect("a case has a template").to_owned();
        // A fragment becomes the properties of some resource.
        let template = if template.contains("Resources:") {
            template
        } else {
            format!("Resources:\n  R:\n    Type: X::Y::Z\n    Properties:\n{template}")
        };
        let outcome = support::render(
            &template,
            get("schema"),
            get("inputs").unwrap_or("{}"),
            get("component"),
        );
        let text = match outcome {
            Ok(rendered) => told(&rendered),
            Err(faults) => faults.to_string(),
        };
        support::snapshot(&format!("render__{name}"), &text);
    }
}

#[test]
fn values_stay_one_value() {
    let plain =
        "Resources:\n  A:\n    Type: T\n    Properties:\n      P: {{ service_instance.inputs.text }}\n"
            .to_owned();
    let single = plain.replace(
        "{{ service_instance.inputs.text }}",
        "'{{ service_instance.inputs.text }}'",
    );
    let double = plain.replace(
        "{{ service_instance.inputs.text }}",
        "\"{{ service_instance.inputs.text }}\"",
    );
    let flow = plain.replace(
        "{{ service_instance.inputs.text }}",
        "!Join [x, [{{ service_instance.inputs.text }}]]",
    );
    let shouted = plain.replace("inputs.text", "inputs.text | upper | replace('Q', 'R')");
    let caught = plain
        .replace(
            "P: {{",
            "{% set x %}{{ service_instance.inputs.text }}{% endset %}P: {{ x ~ \"\" }}{# ",
        )
        .replace(" }}\n", " #}\n");
    let block = plain.replace(
        "{{ service_instance.inputs.text }}",
        "|\n        text: {{ service_instance.inputs.text }}\n        end",
    );
    let attacks = [
        (&plain, "x\n      Q: evil"),
        (&plain, "a: b"),
        (&plain, "[a, b]"),
        (&plain, "{a: b}"),
        (&plain, "!Ref Secret"),
        (&plain, "- a"),
        (&single, "x'\n      Q: 'evil"),
        (&single, "x'\r      Q: 'evil"),
        (&double, "x\"\n      Q: \"evil"),
        (&double, "\\"),
        (&flow, "a, b"),
        (&flow, "a]], Q: [["),
        (&shouted, "x\n      Q: evil"),
        (&caught, "x\n      Q: evil"),
        (&block, "x\n  B:\n    Type: AWS::IAM::User"),
    ];
    for (template, value) in attacks {
        let inputs = serde_json::json!({ "text": value }).to_string();
        let faults = support::render(template, None, &inputs, None).expect_err(value);
        assert!(
            faults.errors().any(|fault| fault.code == "input/structure"),
            "{value:?}: {faults}"
        );
        assert!(
            faults.to_string().contains("service_instance.inputs.text"),
            "{faults}"
        );
    }
    let harmless = [
        (&plain, "a b c"),
        (&plain, "public.ecr.aws/nginx/nginx:1.21"),
        (&single, "key: value, [x] {y} # not a comment"),
        (&double, "it's - fine: 'really'"),
        (&flow, "plain"),
        (&block, "a: b # c \"quoted\""),
    ];
    for (template, value) in harmless {
        let inputs = serde_json::json!({ "text": value }).to_string();
        let rendered = support::render(template, None, &inputs, None)
            .unwrap_or_else(|faults| panic!("{value}: {faults}"));
        assert!(rendered.text.contains(value), "{}", rendered.text);
    }
}

#[test]
fn logic_that_looks_at_punctuation_is_checked_more_strictly() {
    let split = "Resources:\n  A:\n    Type: T\n    Properties:\n{% for part in service_instance.inputs.text.split(',') %}      P{{ loop.index }}: '{{ part }}'\n{% endfor %}";
    let rendered = support::render(split, None, r#"{"text": "a,b: c"}"#, None).unwrap();
    assert!(rendered.text.contains("P2: 'b: c'"), "{}", rendered.text);
    let faults = support::render(split, None, r#"{"text": "a,b'\n      Q: 'x"}"#, None).unwrap_err();
    assert!(
        faults.errors().any(|fault| fault.code == "input/structure"),
        "{faults}"
    );

    let equal = "Resources:\n  A:\n    Type: T\n    Properties:\n      P: {% if service_instance.inputs.text == 'npm: test' %}one{% else %}'{{ service_instance.inputs.text }}'{% endif %}\n";
    assert!(
        support::render(equal, None, r#"{"text": "npm: test"}"#, None)
            .unwrap()
            .text
            .contains("P: one")
    );
}

#[test]
fn tojson_makes_any_text_one_value() {
    let template = "Resources:\n  A:\n    Type: T\n    Properties:\n      P: {{ service_instance.inputs.text | tojson }}\n";
    for value in [
        "x\n  Q: y",
        "'",
        "\"",
        "\\",
        "a: b",
        "[",
        "é ☃ 𝄞",
        "</script>",
        "# x",
        "- ",
    ] {
        let inputs = serde_json::json!({ "text": value }).to_string();
        let rendered = support::render(template, None, &inputs, None)
            .unwrap_or_else(|faults| panic!("{value:?}: {faults}"));
        assert!(rendered.warnings.is_empty(), "{:?}", rendered.warnings);
        let json = rendered.text.split_once("P: ").unwrap().1.trim();
        assert_eq!(serde_json::from_str::<String>(json).unwrap(), value);
        assert!(json.is_ascii() || value.contains('𝄞'));
    }
}

#[test]
fn odd_characters_are_refused() {
    let template = "Resources:\n  A: { Type: T, P: \"{{ service_instance.inputs.text }}\" }\n";
    for odd in [
        '\0',
        '\u{1b}',
        '\u{85}',
        '\u{2028}',
        '\u{feff}',
        '\u{fdd0}',
        '\u{fdd3}',
        '\u{f000a}',
        '\u{ffff}',
    ] {
        let inputs = serde_json::json!({ "text": format!("a{odd}b") }).to_string();
        let faults = support::render(template, None, &inputs, None).unwrap_err();
        assert!(
            faults.errors().any(|fault| fault.code == "input/character"),
            "{odd:?} {faults}"
        );
    }
    let inputs = serde_json::json!({ "text": "x".repeat(70_000) }).to_string();
    let faults = support::render(template, None, &inputs, None).unwrap_err();
    assert!(
        faults.errors().any(|fault| fault.code == "input/too-long"),
        "{faults}"
    );
}

#[test]
fn bombs_stop() {
    let wrap = |body: &str| format!("Resources:\n  A: {{ Type: T }}\n{body}");
    let loops = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{{ '' }}{% endfor %}{% endfor %}{% endfor %}";
    let bombs = [
        (loops.to_owned(), "render/too-long"),
        (
            format!(
                "{{% for a in range(10000) %}}# {}\n{{% endfor %}}",
                "x".repeat(500)
            ),
            "render/too-large",
        ),
        (
            format!(
                "{{% set x = '{}' %}}{{% for a in range(9000) %}}# {{{{ x }}}}\n{{% endfor %}}",
                "x".repeat(2_000)
            ),
            "render/too-large",
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
            "render/failed",
        ),
        ("{{ '%2000000000s' | format('x') }}".to_owned(), "render/failed"),
        ("{{ '{:2000000000}'.format('x') }}".to_owned(), "render/failed"),
        ("{{ 'x\\ny' | indent(1000000) }}".to_owned(), "render/failed"),
        ("{{ range(100000000) | list }}".to_owned(), "render/failed"),
        ("{{ debug() }}".to_owned(), "template/undefined"),
        ("{% include 'other' %}".to_owned(), "template/no-include"),
        ("{% extends 'other' %}".to_owned(), "template/no-include"),
        (
            format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000)),
            "template/too-deep",
        ),
    ];
    for (body, code) in bombs {
        let faults = support::render(&wrap(&body), None, "{}", None).expect_err(&body[..body.len().min(60)]);
        assert!(
            faults.errors().any(|fault| fault.code == code),
            "{code} for {}: {faults}",
            &body[..body.len().min(60)]
        );
    }
}

#[test]
fn capabilities_follow_from_resources() {
    let of = |text: &str| support::render(text, None, "{}", None).unwrap().capabilities;
    assert!(of("Resources:\n  A: { Type: AWS::S3::Bucket }\n").is_empty());
    assert_eq!(
        of("Resources:\n  A: { Type: AWS::IAM::Policy }\n"),
        [Capability::Iam].into()
    );
    let named = "Resources:\n  A:\n    Type: AWS::IAM::Role\n    Properties: { RoleName: x }\n";
    assert_eq!(of(named), [Capability::Iam, Capability::NamedIam].into());
    let transform = "Transform: [AWS::LanguageExtensions]\nResources:\n  A: { Type: AWS::S3::Bucket }\n";
    assert_eq!(of(transform), [Capability::AutoExpand].into());
    let inner = "Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Properties:\n      Fn::Transform: { Name: Macro }\n";
    assert_eq!(of(inner), [Capability::AutoExpand].into());
    let reference =
        "Resources:\n  A:\n    Type: T\n    Properties: { P: '{% raw %}{{resolve:ssm:name}}{% endraw %}' }\n";
    let rendered = support::render(reference, None, "{}", None).unwrap();
    assert_eq!(
        rendered.dynamic_references,
        ["{{resolve:ssm:name}}".to_owned()].into()
    );
}

#[test]
fn many_values_do_not_weaken_the_proof() {
    // Three hundred values with punctuation, one that the template takes apart, one that attacks.
    let names: Vec<String> = (0..300).map(|n| format!("name: {n}")).collect();
    let template = "Resources:\n  A:\n    Type: T\n    Properties:\n{% for name in service_instance.inputs.names %}      P{{ loop.index }}: '{{ name }}'\n{% endfor %}{% for part in service_instance.inputs.text.split(',') %}      Q{{ loop.index }}: '{{ part }}'\n{% endfor %}      I: '{{ service_instance.inputs.image }}'\n";
    let render = |image: &str| {
        let inputs = serde_json::json!({ "names": names, "text": "a,b", "image": image }).to_string();
        support::render(template, None, &inputs, None)
    };
    let rendered = render("x:1").unwrap_or_else(|faults| panic!("{faults}"));
    assert!(rendered.text.contains("P300: 'name: 299'") && rendered.text.contains("Q2: 'b'"));
    let faults = render("x'\n      Z: 'y").unwrap_err().to_string();
    assert!(
        faults.contains("one value: service_instance.inputs.image\n"),
        "{faults}"
    );
}

#[test]
fn long_chains_do_not_exhaust_the_stack() {
    let n = 90_000;
    let bodies = [
        format!("{{{{ service{} }}}}", ".a".repeat(n)),
        format!("{{{{ service.name{} }}}}", "|e".repeat(n)),
        format!("{{{{ 1{} }}}}", "~1".repeat(n)),
        format!("{{{{ 1{} }}}}", "+1".repeat(n)),
        format!("{{{{ {}1 }}}}", "-".repeat(n)),
        format!("{{{{ {}1 }}}}", "not ".repeat(n / 3)),
        format!("{{{{ service{} }}}}", "[0]".repeat(n / 2)),
        format!("{{{{ service{} }}}}", "()".repeat(n)),
        format!("{{{{ 1{} }}}}", " and 1".repeat(n / 5)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(n / 10)),
        format!("{{{{ 1{} }}}}", " is odd".repeat(n / 6)),
        format!("{{{{ {}{} }}}}", "[".repeat(n), "]".repeat(n)),
        "{% if 1 %}".repeat(n / 8),
        "{% if 1 %}{% elif 1 %}".repeat(2) + &"{% elif 1 %}".repeat(n / 10) + "{% endif %}{% endif %}",
    ];
    let allowed = 290;
    let bodies = bodies.into_iter().chain([
        format!("{{{{ service{} }}}}", ".a".repeat(allowed)),
        format!("{{{{ service.name{} }}}}", "|e".repeat(allowed)),
        format!("{{{{ 1{} }}}}", "~1".repeat(allowed)),
        format!("{{{{ {}1 }}}}", "not ".repeat(140)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(140)),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(allowed)),
        "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == [ns.x] }}{{ ns.x }}".to_owned(),
        format!("{{% set x = [] %}}{}", "{% set x = [x] %}".repeat(11_000)),
    ]);
    for body in bodies {
        let template = format!("Resources:\n  A: {{ Type: T }}\n{body}");
        // Refused or not, it must come back.
        let _ = support::render(&template, None, "{}", None);
    }
}

#[test]
fn whole_bundles_render() {
    use hadron_templates::{
        Bundle, EnvironmentInputs, EnvironmentSpec, InputType, Limits, PipelineInputs, PipelineInstance,
        ServiceSpec, TemplateBundle, complete,
    };
    let open = |name: &str| {
        let bundle = Bundle::read(&support::fixtures().join("good").join(name), &Limits::default()).unwrap();
        TemplateBundle::check(bundle, None).0.unwrap()
    };
    let network = open("network");
    let spec =
        EnvironmentSpec::parse("env.yaml", "proton: EnvironmentSpec\nspec: { flow_logs: true }\n").unwrap();
    let inputs = EnvironmentInputs {
        name: "prd".parse().unwrap(),
        account_id: None,
        region: None,
        inputs: complete(
            network.schema.inputs(InputType::Environment).unwrap(),
            &spec.inputs,
        )
        .unwrap()
        .values,
    };
    support::snapshot(
        "bundle__network",
        &told(&network.render_environment(&inputs).unwrap()),
    );
    assert!(
        network
            .render_instance(&support::instance(serde_json::Map::new(), None))
            .is_err()
    );

    let web = open("web");
    let spec = ServiceSpec::parse(
        "svc.yaml",
        "proton: ServiceSpec\npipeline: {}\ninstances:\n  - { name: one, environment: prd }\n  - { name: two, environment: prd, spec: { size: large, image: 'registry/web:2' } }\n",
    )
    .unwrap();
    let schema = web.schema.inputs(InputType::Service).unwrap();
    let mut list = Vec::new();
    for instance in &spec.instances {
        let values = complete(schema, &instance.inputs).unwrap().values;
        let mut inputs = support::instance(values.clone(), None);
        inputs.instance.name = instance.name.clone();
        inputs
            .environment
            .outputs
            .insert("Subnet".to_owned(), "subnet-1".to_owned());
        support::snapshot(
            &format!("bundle__web-{}", instance.name),
            &told(&web.render_instance(&inputs).unwrap()),
        );
        list.push(PipelineInstance {
            name: instance.name.clone(),
            inputs: values,
            outputs: [("Runtime".to_owned(), "container".to_owned())]
                .into_iter()
                .collect(),
            environment: inputs.environment,
        });
    }
    let given = complete(
        web.schema.inputs(InputType::Pipeline).unwrap(),
        spec.pipeline.as_ref().unwrap(),
    )
    .unwrap();
    let inputs = PipelineInputs {
        service: support::instance(serde_json::Map::new(), None).service,
        service_instances: list,
        inputs: given.values,
    };
    support::snapshot(
        "bundle__web-pipeline",
        &told(&web.render_pipeline(&inputs).unwrap()),
    );
}
