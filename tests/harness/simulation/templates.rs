//! The templates of a simulation, as JSON: the CloudFormation in memory reads no YAML.

use anyhow::{Result, anyhow};
use hadron_domain::authority::{Caller, Role};
use hadron_domain::principal::Principal;
use hadron_domain::template::TemplateKind;
use hadron_management::app::templates::{BundleSource, NewTemplate, NewVersion};
use hadron_management::app::{App, AppError, Request};
use hadron_proto::vocab::Digest;
use hadron_templates::{Bundle, Limits};

use super::world::MANAGEMENT;

const ENVIRONMENT: &str = r#"{
  "Resources": {
    "Topic": { "Type": "AWS::SNS::Topic", "Greeting": "{{ environment.inputs.greeting }}" },
    "Fixed": { "Type": "AWS::SNS::Topic" }
  },
  "Outputs": { "TopicArn": { "Value": "topic" } }
}
"#;
const INSTANCE: &str = r#"{
  "Resources": {
    "Settings": {
      "Type": "AWS::SSM::Parameter",
      "Image": "{{ service_instance.inputs.image | default('none') }}",
      "Count": "{{ service_instance.inputs.count }}",
      "Topic": "{{ environment.outputs.TopicArn }}"
    }
  },
  "Outputs": { "Endpoint": { "Value": "endpoint" } }
}
"#;
const ENVIRONMENT_SCHEMA: &str = "schema:
  format: { openapi: '3.0.0' }
  environment_input_type: Simulated
  types:
    Simulated:
      type: object
      properties:
        greeting: { type: string, default: 'none', pattern: '^[a-z0-9-]*$' }
";
const SERVICE_SCHEMA: &str = "schema:
  format: { openapi: '3.0.0' }
  service_input_type: Simulated
  types:
    Simulated:
      type: object
      properties:
        image: { type: string, pattern: '^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$' }
        count: { type: number, default: 1 }
";
const MANIFEST: &str = "infrastructure:
  templates:
    - { file: cloudformation.yaml, rendering_engine: jinja, template_language: cloudformation }
";

pub(super) fn caller(role: Role, account: Option<&str>) -> Caller {
    Caller::new(
        Principal::new(format!("token:{}", role.word())),
        account.and_then(|account| account.parse().ok()),
        role,
    )
}

fn asked(operation: &'static str) -> Request {
    Request {
        caller: caller(Role::Administrator, Some(MANAGEMENT)),
        id: None,
        operation,
        hash: Digest::of(operation.as_bytes()),
        repeatable: false,
        tags: Vec::new(),
    }
}

fn told(error: AppError) -> anyhow::Error {
    anyhow!("{}", error.story())
}

/// Registers and publishes them.
pub(super) async fn publish(app: &App) -> Result<()> {
    app.seed_management().await.map_err(told)?;
    let kinds = [
        (
            TemplateKind::Environment,
            "simulated-env",
            ENVIRONMENT_SCHEMA,
            "infrastructure",
            ENVIRONMENT,
        ),
        (
            TemplateKind::Service,
            "simulated-svc",
            SERVICE_SCHEMA,
            "instance_infrastructure",
            INSTANCE,
        ),
    ];
    for (kind, name, schema, folder, template) in kinds {
        let new = NewTemplate {
            no_pipeline: kind == TemplateKind::Service,
            ..NewTemplate::named(kind, name.parse()?)
        };
        app.create_template(asked("CreateTemplate"), new)
            .await
            .map_err(told)?;
        let files = [
            ("schema/schema.yaml".to_owned(), schema.as_bytes().to_vec()),
            (format!("{folder}/manifest.yaml"), MANIFEST.as_bytes().to_vec()),
            (
                format!("{folder}/cloudformation.yaml"),
                template.as_bytes().to_vec(),
            ),
        ];
        let bundle = Bundle::from_files(files, &Limits::default())
            .map_err(|error| anyhow!("the bundle of {name}: {error:?}"))?;
        let compatible = match kind {
            TemplateKind::Service => vec![
                "simulated-env:1"
                    .parse()
                    .map_err(|_| anyhow!("a template's major"))?,
            ],
            TemplateKind::Environment => Vec::new(),
        };
        let new = NewVersion {
            kind,
            name: name.parse()?,
            major: None,
            source: BundleSource::Archive(bundle.to_archive()),
            description: String::new(),
            compatible,
            components: false,
        };
        let made = app
            .create_version(asked("CreateTemplateVersion"), new)
            .await
            .map_err(told)?;
        app.publish_version(
            asked("PublishTemplateVersion"),
            kind,
            name.parse()?,
            made.row.version,
        )
        .await
        .map_err(told)?;
    }
    Ok(())
}
