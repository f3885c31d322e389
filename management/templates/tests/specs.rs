//! Specs and schemas: what a developer may write, what it becomes, and what is told when it is wrong.

mod support;

use hadron_templates::{
    EnvironmentSpec, InputType, Schema, ServiceSpec, Spec, SpecMap, compatible, complete,
};
use serde_json::json;

fn schema(types: &str) -> Schema {
    let text = format!(
        "schema:\n  format: {{ openapi: \"3.0.0\" }}\n  environment_input_type: T\n  types:\n{types}"
    );
    Schema::parse("schema.yaml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

const KINDS: &str = r#"
    T:
      type: object
      required: [name]
      properties:
        name: { type: string, minLength: 2, maxLength: 5, pattern: "^[a-z]+$", description: "the short name" }
        port: { type: number, minimum: 1, maximum: 100, default: 80 }
        whole: { type: integer, multipleOf: 5 }
        truth: { type: boolean }
        list: { type: array, items: { type: string }, minItems: 1, maxItems: 2, uniqueItems: true }
        map: { type: object, additionalProperties: false, required: [inner], properties: { inner: { type: integer } } }
        mode: { type: string, enum: [open, closed] }
        maybe: { type: string, nullable: true }
        above: { type: number, minimum: 0, exclusiveMinimum: true }
        either: { anyOf: [ { type: number }, { type: string, pattern: "^a" } ] }
        account: { type: string }
        anything: {}
"#;

fn accept(text: &str) -> Result<serde_json::Value, String> {
    let text = format!("proton: EnvironmentSpec\nspec:\n{text}");
    let spec = EnvironmentSpec::parse("spec.yaml", &text).map_err(|faults| faults.to_string())?;
    let schema = schema(KINDS);
    complete(
        schema
            .inputs(InputType::Environment)
            .expect("a fixture that works"),
        &spec.inputs,
    )
    .map(|completed| serde_json::Value::Object(completed.values))
    .map_err(|faults| faults.to_string())
}

#[test]
fn values_become_what_the_schema_asks_for() {
    let given = "  name: abc\n  port: 8\n  whole: 10.0\n  truth: yes\n  list: [80, 0123]\n  map: { inner: 3 }\n  mode: open\n  maybe: ~\n  above: 0.5\n  either: abc\n  account: 012345678901\n";
    assert_eq!(
        accept(given).unwrap(),
        json!({
            "name": "abc", "port": 8, "whole": 10, "truth": true, "list": ["80", "0123"], "map": { "inner": 3 },
            "mode": "open", "maybe": null, "above": 0.5, "either": "abc", "account": "012345678901",
        })
    );
    assert_eq!(
        accept("  name: abc\n").unwrap(),
        json!({ "name": "abc", "port": 80 })
    );
    let free = accept("  name: abc\n  anything: { a: [1, 1.5, true, ~, 007, 2020-01-01, 0x1f, 1e3, \"5\", 99999999999999999999] }\n").unwrap();
    assert_eq!(
        free["anything"]["a"],
        json!([
            1,
            1.5,
            true,
            null,
            "007",
            "2020-01-01",
            "0x1f",
            "1e3",
            "5",
            "99999999999999999999"
        ])
    );
    // A number written without a point prints without one.
    assert_eq!(accept("  name: abc\n").unwrap()["port"].to_string(), "80");
}

#[test]
fn every_fault_of_a_spec_is_told() {
    let given = "  name: ABCDEFG\n  port: abc\n  whole: 7\n  truth: \"true\"\n  list: [a, a, b]\n  map: { innr: 3 }\n  mode: opne\n  above: 0\n  either: [b]\n  maybe: [x]\n  unknwon: 1\n  account:\n";
    support::snapshot("spec__faults", &accept(given).unwrap_err());
    support::snapshot("spec__missing", &accept("  port: 101\n").unwrap_err());
}

#[test]
fn shapes_of_specs() {
    let cases = [
        "proton: ServiceSpec\n",
        "proton: ServiceSpec\ninstances: {}\n",
        "proton: ServiceSpec\ninstances: []\n",
        "proton: ServiceSpec\ninstances:\n  - name: a b\n  - nme: x\n    environment: e\n  - text\n  - name: one\n    environment: e\n  - name: one\n    environment: e\n",
        "proton: ServiceSpec\ninstance: []\ninstances:\n  - { name: a, environment: e, spec: [x] }\n",
        "proton: EnvironmentSpec\nspec:\n  a: !Ref x\n  b: ${Proton::CURRENT_VAL}\n",
        "proton: Spec\n",
        "spec: {}\n",
        "just text\n",
        "",
        "a: &x [*x]\n",
        "a: 1\n---\nb: 2\n",
        "a: 'open\n",
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|text| format!("{text:?}\n{}", Spec::parse("spec.yaml", text).expect_err(text)))
        .collect();
    support::snapshot("spec__shapes", &told.join("\n"));
}

#[test]
fn yaml_bombs_are_refused() {
    let deep = format!(
        "proton: EnvironmentSpec\nspec: {{ a: {}{} }}\n",
        "[".repeat(100),
        "]".repeat(100)
    );
    let wide = format!(
        "proton: EnvironmentSpec\nspec: {{ a: [{}] }}\n",
        "1,".repeat(60_000)
    );
    let long = format!(
        "proton: EnvironmentSpec\nspec: {{ a: {} }}\n",
        "x".repeat(300_000)
    );
    let alias = "a: &a [x]\nb: &b [*a, *a]\n".to_owned();
    for (text, code) in [
        (deep, "yaml/too-deep"),
        (wide, "yaml/too-many-values"),
        (long, "yaml/too-large"),
        (alias, "yaml/alias"),
    ] {
        let faults = Spec::parse("spec.yaml", &text).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code]);
    }
    let very_deep = "[".repeat(200_000);
    assert!(Spec::parse("spec.yaml", &very_deep).is_err());
}

#[test]
fn aliases_in_stacks_count_for_what_they_stand_for() {
    let mut text = "Resources:\n  A:\n    Type: T\n    P0: &p0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n".to_owned();
    for n in 1..9 {
        let aliases = vec![format!("*p{}", n - 1); 9].join(", ");
        text.push_str(&format!("    P{n}: &p{n} [{aliases}]\n"));
    }
    let faults = support::render(&text, None, "{}", None).unwrap_err();
    assert!(
        faults.errors().any(|fault| fault.code == "yaml/too-many-values"),
        "{faults}"
    );
}

#[test]
fn current_values_are_kept() {
    let stored = ServiceSpec::parse(
        "stored.yaml",
        "proton: ServiceSpec\npipeline: { cmd: make }\ninstances:\n  - { name: a, environment: e, spec: { port: 80, list: [1], deep: { x: y } } }\n",
    )
    .unwrap();
    let mut given = ServiceSpec::parse(
        "given.yaml",
        "proton: ServiceSpec\npipeline: { cmd: \"${Proton::CURRENT_VAL}\" }\ninstances:\n  - { name: a, environment: e, spec: { port: \"${Proton::CURRENT_VAL}\", list: \"${Proton::CURRENT_VAL}\", deep: { x: \"${Proton::CURRENT_VAL}\" } } }\n",
    )
    .unwrap();
    given.resolve_current(Some(&stored)).unwrap();
    assert_eq!(given, stored);

    let mut wrong = ServiceSpec::parse(
        "given.yaml",
        "proton: ServiceSpec\npipeline: { other: \"${Proton::CURRENT_VAL}\" }\ninstances:\n  - { name: b, environment: e, spec: { port: \"${Proton::CURRENT_VAL}\", list: [\"${Proton::CURRENT_VAL}\"] } }\n",
    )
    .unwrap();
    let mut alone = wrong.clone();
    support::snapshot(
        "spec__current",
        &wrong.resolve_current(Some(&stored)).unwrap_err().to_string(),
    );
    assert_eq!(alone.resolve_current(None).unwrap_err().len(), 3);
}

#[test]
fn specs_are_written_in_one_form() {
    let text = "proton: ServiceSpec\npipeline:\n  a: abc\n  \"b\": \"yes\"\ninstances:\n  - name: \"x\"\n    environment: e\n    spec:\n      n: 80\n      s: \"80\"\n      account: 012345678901\n      image: 'public.ecr.aws/nginx/nginx:1.21'\n      lines: |\n        one\n        two: 'x' # y\n      list: [1, {a: b}, [], {}, ~, '']\n      empty:\n";
    let spec = ServiceSpec::parse("spec.yaml", text).unwrap();
    let written = spec.to_text();
    support::snapshot("spec__written", &written);
    let again = ServiceSpec::parse("again.yaml", &written).unwrap();
    assert_eq!(again, spec);
    assert_eq!(again.to_text(), written);
    let other = ServiceSpec::parse("spec.yaml", &text.replace("n: 80", "n: '80'")).unwrap();
    assert_ne!(other, spec);
}

#[test]
fn values_of_forms_need_no_file() {
    let given = json!({ "name": "abc", "port": 8, "list": ["x"], "truth": false });
    let schema = schema(KINDS);
    let inputs = schema.inputs(InputType::Environment).unwrap();
    let completed = complete(inputs, &SpecMap::from_json(given.as_object().unwrap())).unwrap();
    assert_eq!(serde_json::Value::Object(completed.values), given);
    assert!(inputs.validate(&SpecMap::default()).is_error());
    let form = serde_json::to_value(&schema).unwrap();
    assert_eq!(
        form["inputs"]["environment"]["properties"]["port"]["maximum"],
        100
    );
}

#[test]
fn minor_versions_are_compared() {
    let old = schema(
        "    T: { type: object, required: [keep], properties: { keep: { type: string }, gone: { type: string }, kind: { type: number }, mode: { type: string, enum: [a, b] }, free: { type: string }, long: { type: string, maxLength: 9 }, opt: { type: string }, wide: { type: integer } } }\n",
    );
    let new = schema(
        "    T: { type: object, required: [keep, fresh, opt], properties: { keep: { type: string }, kind: { type: string }, mode: { type: string, enum: [a] }, free: { type: string, enum: [x] }, long: { type: string, maxLength: 5 }, opt: { type: string }, fresh: { type: string }, wide: { type: number }, fine: { type: string, default: x } } }\n",
    );
    support::snapshot("schema__compatible", &compatible(&old, &new).to_string());
    assert!(compatible(&old, &old).is_empty());
    assert!(!compatible(&old, &new).is_error());
}

#[test]
fn anchors_inside_anchors_are_paid_for() {
    let mut text = "Resources:\n  A: { Type: T }\nX: ".to_owned();
    for n in 0..40 {
        text.push_str(&format!("&a{n} ["));
    }
    text.push_str(&"1,".repeat(5_000));
    text.push_str(&"]".repeat(40));
    let faults = support::render(&text, None, "{}", None).unwrap_err();
    assert!(
        faults.errors().any(|fault| fault.code == "yaml/too-many-values"),
        "{faults}"
    );
}
