//! How everything looks, as snapshots: the JSON of each kind is a promise, tables and pages are there to be looked at.

use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;

use crate::output::{Format, Out, Show};

fn at(minute: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: 1_795_168_800 + minute * 60,
        nanos: 0,
    })
}

fn state(status: &str) -> Option<wire::DeploymentState> {
    Some(wire::DeploymentState {
        status: status.to_owned(),
        status_message: if status == "FAILED" {
            "Topic: access denied".to_owned()
        } else {
            String::new()
        },
        last_attempted_deployment_id: "dpl_2".to_owned(),
        last_succeeded_deployment_id: "dpl_1".to_owned(),
        last_attempted_at: at(20),
        last_succeeded_at: at(10),
        stack_name: "AWSProton-prd-cloudformation--ABCDEF".to_owned(),
        stack_arn: "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-prd/1".to_owned(),
        account_id: "333333333333".to_owned(),
        region: "us-east-1".to_owned(),
        outputs: vec![wire::Output {
            key: "VpcId".to_owned(),
            value: "vpc-1".to_owned(),
        }],
        resources: vec![wire::StackResource {
            logical_id: "Vpc".to_owned(),
            physical_id: "vpc-1".to_owned(),
            resource_type: "AWS::EC2::VPC".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
        }],
        ways_out: if status == "FAILED" {
            vec!["hadron environment update prd --redeploy".to_owned()]
        } else {
            Vec::new()
        },
    })
}

fn environment(status: &str) -> wire::Environment {
    wire::Environment {
        name: "prd".to_owned(),
        description: "Production".to_owned(),
        template_name: "vpc".to_owned(),
        template_version: "1.2".to_owned(),
        connection_id: "conn_1".to_owned(),
        spec: "proton: EnvironmentSpec\nspec:\n  cidr: 10.0.0.0/16\n".to_owned(),
        created_at: at(0),
        deployment: state(status),
        warnings: vec!["input 'old' is not used any more".to_owned()],
        ..Default::default()
    }
}

fn own_environment() -> wire::Environment {
    wire::Environment {
        connection_id: String::new(),
        service_role_arn: "arn:aws:iam::111111111111:role/proton".to_owned(),
        component_role_arn: "arn:aws:iam::111111111111:role/components".to_owned(),
        provisioning: "CUSTOMER_MANAGED".to_owned(),
        warnings: Vec::new(),
        deployment: None,
        ..environment("SUCCEEDED")
    }
}

fn settings() -> wire::AccountSettings {
    wire::AccountSettings {
        pipeline_role_arn: "arn:aws:iam::111111111111:role/pipelines".to_owned(),
        pipeline_codebuild_role_arn: String::new(),
        pipeline_repository: Some(wire::RepositoryBranch {
            provider: "GITHUB".to_owned(),
            name: "acme/pipelines".to_owned(),
            branch: "main".to_owned(),
        }),
    }
}

fn instance() -> wire::ServiceInstance {
    wire::ServiceInstance {
        service_name: "web".to_owned(),
        name: "prd".to_owned(),
        environment_name: "prd".to_owned(),
        template_name: "http".to_owned(),
        template_version: "2.0".to_owned(),
        spec: "size: 2\n".to_owned(),
        created_at: at(0),
        deployment: state("SUCCEEDED"),
        warnings: Vec::new(),
    }
}

fn pipeline() -> wire::Pipeline {
    wire::Pipeline {
        service_name: "web".to_owned(),
        template_name: "http".to_owned(),
        template_version: "2.0".to_owned(),
        spec: String::new(),
        created_at: at(5),
        deployment: state("FAILED"),
        warnings: Vec::new(),
    }
}

fn component() -> wire::Component {
    wire::Component {
        name: "bucket".to_owned(),
        description: "Uploads".to_owned(),
        environment_name: "prd".to_owned(),
        service_name: "web".to_owned(),
        instance_name: "prd".to_owned(),
        service_spec: "proton: ServiceSpec\n".to_owned(),
        manifest: "infrastructure:\n  templates: []\n".to_owned(),
        template_file: "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n".to_owned(),
        created_at: at(0),
        last_modified_at: at(20),
        deployment: state("SUCCEEDED"),
        warnings: Vec::new(),
    }
}

fn service() -> wire::Service {
    wire::Service {
        name: "web".to_owned(),
        description: String::new(),
        template_name: "http".to_owned(),
        status: "CREATE_FAILED".to_owned(),
        status_message: "the pipeline failed".to_owned(),
        spec: "proton: ServiceSpec\n".to_owned(),
        branch_name: "main".to_owned(),
        repository_id: "acme/web".to_owned(),
        repository_connection_arn: "arn:aws:codestar-connections:us-east-1:111111111111:connection/1"
            .to_owned(),
        created_at: at(0),
        last_modified_at: at(21),
        instances: vec![instance()],
        pipeline: Some(pipeline()),
        warnings: Vec::new(),
    }
}

fn connection() -> wire::Connection {
    wire::Connection {
        id: "conn_1".to_owned(),
        environment_name: "prd".to_owned(),
        environment_account_id: "333333333333".to_owned(),
        management_account_id: "111111111111".to_owned(),
        region: "us-east-1".to_owned(),
        role_arn: "arn:aws:iam::333333333333:role/proton".to_owned(),
        agent_role_name: "hadron-agent".to_owned(),
        status: "CONNECTED".to_owned(),
        requested_by: "arn:aws:sts::333333333333:assumed-role/admin/eve".to_owned(),
        requested_at: at(0),
        decided_by: "arn:aws:sts::111111111111:assumed-role/admin/ada".to_owned(),
        decided_at: at(3),
        agent_last_seen: at(29),
        agent_key_fingerprint: "sha256:12".to_owned(),
        ..Default::default()
    }
}

fn deployment() -> wire::Deployment {
    let change = |action: &str, id: &str, replacement: &str| wire::ResourceChange {
        action: action.to_owned(),
        logical_id: id.to_owned(),
        resource_type: "AWS::SNS::Topic".to_owned(),
        replacement: replacement.to_owned(),
        ..Default::default()
    };
    wire::Deployment {
        id: "dpl_2".to_owned(),
        target_kind: "instance".to_owned(),
        target: "web/prd".to_owned(),
        intent: "APPLY".to_owned(),
        status: "FAILED".to_owned(),
        status_message: "Topic: access denied".to_owned(),
        template_name: "http".to_owned(),
        template_version: "2.0".to_owned(),
        environment_name: "prd".to_owned(),
        service_name: "web".to_owned(),
        account_id: "333333333333".to_owned(),
        region: "us-east-1".to_owned(),
        stack_name: "AWSProton-web-prd".to_owned(),
        created_at: at(20),
        completed_at: at(22),
        requested_by: "arn:aws:iam::111111111111:user/ada".to_owned(),
        attempt: 2,
        changes: vec![
            change("Add", "Topic", ""),
            change("Modify", "Queue", "True"),
            change("Modify", "Table", "False"),
            change("Modify", "Bucket", "Conditional"),
            change("Remove", "Old", ""),
        ],
        ways_out: vec!["hadron instance update web/prd --redeploy".to_owned()],
        ..Default::default()
    }
}

fn event() -> wire::DeploymentEvent {
    wire::DeploymentEvent {
        sequence: 7,
        at: at(21),
        source: "stack".to_owned(),
        message: String::new(),
        stack_event: Some(wire::StackEvent {
            event_id: "e7".to_owned(),
            at: at(21),
            logical_id: "Topic".to_owned(),
            resource_type: "AWS::SNS::Topic".to_owned(),
            status: "CREATE_FAILED".to_owned(),
            reason: "access denied".to_owned(),
            ..Default::default()
        }),
    }
}

fn template() -> wire::Template {
    wire::Template {
        kind: wire::TemplateKind::Service.into(),
        name: "http".to_owned(),
        display_name: "HTTP service".to_owned(),
        recommended_version: "2.0".to_owned(),
        pipeline_provisioning: "CUSTOMER_MANAGED".to_owned(),
        created_at: at(0),
        last_modified_at: at(0),
        ..Default::default()
    }
}

fn version() -> wire::TemplateVersion {
    wire::TemplateVersion {
        kind: wire::TemplateKind::Service.into(),
        template_name: "http".to_owned(),
        version: "2.0".to_owned(),
        status: "PUBLISHED".to_owned(),
        compatible_environment_templates: vec!["vpc:1".to_owned()],
        bundle_digest: "sha256:ab".to_owned(),
        created_at: at(0),
        last_modified_at: at(1),
        schema: "schema:\n  types: {}\n".to_owned(),
        ..Default::default()
    }
}

fn grant() -> wire::Grant {
    wire::Grant {
        registry_id: "111111111111".to_owned(),
        region: "us-east-1".to_owned(),
        repository: "web".to_owned(),
        account_id: "333333333333".to_owned(),
        state: "APPLIED".to_owned(),
        reasons: vec!["instance web/prd deploys from the pipeline's repository".to_owned()],
        message: String::new(),
        changed_at: at(12),
    }
}

fn agent() -> wire::Agent {
    wire::Agent {
        id: "agt_1".to_owned(),
        account_id: "333333333333".to_owned(),
        region: "us-east-1".to_owned(),
        connection_id: "conn_1".to_owned(),
        principal: "arn:aws:sts::333333333333:assumed-role/hadron-agent/i-1".to_owned(),
        version: "0.1.0".to_owned(),
        online: true,
        last_seen: at(29),
        certificate_expires_at: at(60),
        key_fingerprint: "sha256:12".to_owned(),
        jobs_held: 1,
        management: false,
    }
}

fn looks<T: Show>(name: &str, thing: &T) {
    let now = Timestamp::from_micros((1_795_168_800 + 30 * 60) * 1_000_000);
    let out = |format| Out {
        format,
        headers: true,
        width: None,
        color: false,
        now,
    };
    let one = std::slice::from_ref(thing);
    insta::assert_snapshot!(
        format!("{name}_people"),
        format!(
            "{}\n{}\n{}\n{}",
            out(Format::Table).one(thing),
            out(Format::Table).many(one),
            out(Format::Wide).many(one),
            out(Format::Name).many(one)
        )
    );
    insta::assert_snapshot!(format!("{name}_json"), out(Format::Json).one(thing));
    // A row has a cell for every column.
    assert_eq!(thing.row(now).len(), T::HEAD.len() + T::WIDE.len(), "{name}");
}

#[test]
fn every_kind() {
    looks("connection", &connection());
    looks("environment", &environment("FAILED"));
    looks("environment_own", &own_environment());
    looks("settings", &settings());
    looks("service", &service());
    looks("instance", &instance());
    looks("pipeline", &pipeline());
    looks("component", &component());
    looks("deployment", &deployment());
    looks("event", &event());
    looks("template", &template());
    looks("template_version", &version());
    looks("grant", &grant());
    looks("agent", &agent());
}

#[test]
fn what_is_not_set_is_null_and_not_missing() {
    let full = environment("SUCCEEDED").fields();
    let empty = wire::Environment::default().fields();
    assert_eq!(full.keys().collect::<Vec<_>>(), empty.keys().collect::<Vec<_>>());
    assert!(empty["connectionId"].is_null() && empty["deployment"].is_null());
}
