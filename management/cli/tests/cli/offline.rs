//! `template lint` and `render`, help, completion and the reference: nothing of this asks a hub.

use std::path::Path;

use crate::hadron::{World, bare, finish};

const SCHEMA: &str = "schema:
  format:
    openapi: '3.0.0'
  environment_input_type: Inputs
  types:
    Inputs:
      type: object
      properties:
        cidr:
          type: string
          default: 10.0.0.0/16
";
const MANIFEST: &str = "infrastructure:
  templates:
    - file: stack.yaml
      rendering_engine: jinja
      template_language: cloudformation
";
const STACK: &str = "Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: '{{ environment.inputs.cidr }}'
Outputs:
  VpcId:
    Value: !Ref Vpc
";

const SERVICE_SCHEMA: &str = "schema:
  format:
    openapi: '3.0.0'
  service_input_type: Inputs
  types:
    Inputs:
      type: object
      properties:
        size:
          type: integer
          default: 1
";
const INSTANCE: &str = "Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: '{{ service.name }}-{{ service_instance.name }}-{{ environment.outputs.VpcId }}'
";

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a file in a directory")).expect("directories");
        std::fs::write(path, text).expect("a file");
    }
}

fn environment(root: &Path) {
    let files = [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/stack.yaml", STACK),
    ];
    write(&root.join("vpc"), &files);
    write(
        root,
        &[(
            "prd.yaml",
            "proton: EnvironmentSpec\nspec:\n  cidr: 10.7.0.0/16\n",
        )],
    );
}

fn service(root: &Path) {
    let files = [
        ("schema/schema.yaml", SERVICE_SCHEMA),
        ("instance_infrastructure/manifest.yaml", MANIFEST),
        ("instance_infrastructure/stack.yaml", INSTANCE),
    ];
    write(&root.join("http"), &files);
    let spec = "proton: ServiceSpec\ninstances:\n  - name: dev\n    environment: dev\n    spec: {}\n  - name: prd\n    environment: prd\n    spec:\n      size: 2\n";
    write(root, &[("web.yaml", spec)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_bundle_lints_and_renders() {
    let home = tempfile::tempdir().unwrap();
    environment(home.path());
    let lint = finish(bare("template lint vpc", home.path())).await;
    assert_eq!(lint.code, 0, "{}{}", lint.out, lint.err);
    let render = finish(bare("template render vpc --spec prd.yaml", home.path())).await;
    assert_eq!(render.code, 0, "{}", render.err);
    assert_eq!(
        render.out,
        STACK.replace("{{ environment.inputs.cidr }}", "10.7.0.0/16")
    );
    let json = finish(bare("template render vpc --spec prd.yaml -o json", home.path())).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["resources"][0]["type"], "AWS::EC2::VPC");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_rendered_with_the_outputs_of_its_environment() {
    let home = tempfile::tempdir().unwrap();
    service(home.path());
    let several = finish(bare("template render http --spec web.yaml", home.path())).await;
    assert!(
        several.code == 2 && several.err.contains("one of: dev, prd"),
        "{}",
        several.err
    );
    let line =
        "template render http --spec web.yaml --instance prd --service web --environment-outputs VpcId=vpc-9";
    let run = finish(bare(line, home.path())).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("web-prd-vpc-9"), "{}", run.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_shown_with_their_place() {
    let home = tempfile::tempdir().unwrap();
    environment(home.path());
    write(
        &home.path().join("vpc"),
        &[(
            "infrastructure/stack.yaml",
            &STACK.replace("inputs.cidr", "inputs.cird"),
        )],
    );
    let lint = finish(bare("template lint vpc", home.path())).await;
    assert_eq!(lint.code, 1, "{}", lint.err);
    assert!(
        lint.out.contains("stack.yaml:5:") && lint.out.contains("^"),
        "{}",
        lint.out
    );
    let json = finish(bare("template lint vpc -o json", home.path())).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json["kind"].as_str(), json["ok"].as_bool()),
        (Some("LintReport"), Some(false))
    );
    assert_eq!(json["faults"][0]["at"]["line"], 5);
    let missing = finish(bare("template lint nowhere", home.path())).await;
    assert_eq!(missing.code, 1, "{}", missing.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_registered_and_published_in_one_go() {
    let world = World::new().await;
    environment(world.home.path());
    let run = world
        .run("template create vpc vpc --publish --request-id r")
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("PUBLISHED"), "{}", run.out);
    let names: Vec<String> = world
        .hub
        .state()
        .log
        .iter()
        .map(|call| call.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "list_templates",
            "create_template",
            "create_template_version",
            "publish_template_version"
        ]
    );
    assert!(world.calls("create_template ")[0].contains("\"r-template\""));
    assert!(world.calls("create_template_version")[0].contains("request_id: \"r\""));
    // The second time the template is there, and a minor version is asked for.
    let again = world.run("template create vpc vpc --major 1").await;
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(
        again.err.contains("hadron template publish vpc 1.0"),
        "{}",
        again.err
    );
    assert_eq!(world.calls("create_template ").len(), 1);
    assert!(world.calls("create_template_version")[1].contains("major_version: 1"));
    service(world.home.path());
    let lonely = world.run("template create http http").await;
    assert!(
        lonely.code == 2 && lonely.err.contains("--compatible-with"),
        "{}",
        lonely.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn help_version_and_completion_need_nothing() {
    let home = tempfile::tempdir().unwrap();
    for line in [
        "--help",
        "help",
        "help exit-codes",
        "help environment",
        "help formats",
        "svc create --help",
        "--version",
    ] {
        let run = finish(bare(line, home.path())).await;
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{line}");
        assert!(!run.out.is_empty(), "{line}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = finish(bare(&format!("completion {shell}"), home.path())).await;
        assert!(run.code == 0 && run.out.contains("hadron"), "{shell}");
    }
    let version = finish(bare("version -o json", home.path())).await;
    insta::assert_snapshot!(version.out, @r#"
    {
      "apiVersion": "hadron/v1",
      "kind": "Version",
      "client": "0.1.0",
      "hub": null
    }
    "#);
    let nothing = finish(bare("", home.path())).await;
    assert_eq!(nothing.code, 2);
}

/// `HADRON_WRITE=1 cargo test -p hadron-cli` writes it anew.
#[test]
fn the_reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("REFERENCE.md");
    let wanted = hadron_cli::markdown();
    if std::env::var_os("HADRON_WRITE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "REFERENCE.md is out of date: HADRON_WRITE=1 cargo test -p hadron-cli"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_in_s3_is_named_and_waited_for() {
    let world = World::new().await;
    let unsaid = world.run("template create vpc s3://b/k").await;
    assert!(
        unsaid.code == 2 && unsaid.err.contains("--kind environment"),
        "{}",
        unsaid.err
    );
    let half = world.run("template create vpc s3://b --kind environment").await;
    assert!(
        half.code == 2 && half.err.contains("s3://BUCKET/KEY"),
        "{}",
        half.err
    );
    let run = world
        .run("template create vpc s3://b/k/1 --kind environment --customer-managed")
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("REGISTRATION_IN_PROGRESS"), "{}", run.out);
    assert!(
        run.err.contains("hadron template get vpc --version 1.0"),
        "{}",
        run.err
    );
    assert!(world.calls("create_template ")[0].contains("customer_managed: true"));
    let asked = &world.calls("create_template_version")[0];
    assert!(
        asked.contains("S3Object { bucket: \"b\", key: \"k/1\" }"),
        "{asked}"
    );
    let run = world
        .run("template create http s3://b/k --kind service --compatible-with vpc:1 --supports-components --wait")
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("DRAFT"), "{}", run.out);
    assert!(world.calls("create_template_version")[1].contains("DIRECTLY_DEFINED"));
    let run = world
        .run("template create missing s3://b/k --kind environment --wait")
        .await;
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(
        run.err.contains("there is no object 'k' in bucket 'b'"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("hadron template delete missing --version 1.0"),
        "{}",
        run.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_and_versions_are_described_anew() {
    let world = World::new().await;
    environment(world.home.path());
    world.run("template create vpc vpc").await;
    let run = world.run("template update vpc --display-name Network").await;
    assert_eq!(run.code, 0, "{}", run.err);
    let asked = &world.calls("update_template ")[0];
    assert!(
        asked.contains("Some(\"Network\")") && asked.contains("description: None"),
        "{asked}"
    );
    let run = world
        .run("template update vpc --version 1.0 --description= --supports-components false --publish")
        .await;
    assert_eq!(run.code, 0, "{}", run.err);
    let asked = &world.calls("update_template_version")[0];
    assert!(
        asked.contains("description: Some(\"\")") && asked.contains("PUBLISHED"),
        "{asked}"
    );
    assert!(asked.contains("ComponentSources { sources: [] }"), "{asked}");
    assert!(
        asked.contains("compatible_environment_templates: None"),
        "{asked}"
    );
    for nothing in ["template update vpc", "template update vpc --version 1.0"] {
        let run = world.run(nothing).await;
        assert!(
            run.code == 2 && run.err.contains("nothing is to be changed"),
            "{}",
            run.err
        );
    }
}
