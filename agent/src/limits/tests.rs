use std::sync::Arc;

use hadron_templates::{
    Answer, Bundle, Desk, EnvironmentTask, Expect, Given, Made, Packed, Question, Reply, SignedKind,
    SignedSource, SigningKey, Statement,
};
use proptest::prelude::*;

use super::*;
use crate::job::{ApplyStack, DestroyStack, FetchBundle, RevokeStack, SetPullPolicy, Token};
use hadron_proto::vocab::{Digest, JobId, TypePattern};

const ROLE: &str = "arn:aws:iam::333333333333:role/hadron-provisioning";

fn policy() -> Policy {
    Policy {
        account: "333333333333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        limits: Limits {
            stack_prefix: StackPrefix::proton(),
            regions: vec!["us-east-1".parse().unwrap()],
            contents: ContentRules {
                denied_resource_types: vec![
                    "AWS::IAM::User".parse().unwrap(),
                    "AWS::Organizations::*".parse().unwrap(),
                ],
                denied_transforms: vec!["AWS::Include".parse().unwrap(), "Macro".parse().unwrap()],
                nested_stack_buckets: Some(vec!["templates".parse().unwrap()]),
                dynamic_references: Some(vec!["ssm:/shop/*".parse().unwrap()]),
            },
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
            publishers: Vec::new(),
            signed_only: true,
            max_template_bytes: 1000,
            bundle_buckets: Some(vec!["bundles".parse().unwrap()]),
        },
        roles: RoleLists {
            provisioning: vec![ROLE.parse().unwrap()],
            ..RoleLists::default()
        },
    }
}

fn apply() -> ApplyStack {
    ApplyStack {
        stack_name: "AWSProton-prd".to_owned(),
        stack_arn: None,
        template_digest: Digest::of(b""),
        template_bytes: 1000,
        role_kind: RoleKind::Provisioning,
        role: None,
        tags: Vec::new(),
        capabilities: Vec::new(),
        resource_types: vec!["AWS::SNS::Topic".to_owned()],
        never_succeeded: true,
        has_source: false,
    }
}

fn job(work: Work) -> Job {
    Job {
        token: Token {
            job: JobId::from_parts(1, [1; 10]),
            fence: 1,
        },
        attempt: 1,
        deployment: None,
        label: "environment prd".to_owned(),
        account: "333333333333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        work,
    }
}

fn fetch(bucket: &str) -> Work {
    Work::FetchBundle(FetchBundle {
        bucket: bucket.to_owned(),
        key: "vpc/v1.tar.gz".to_owned(),
        max_bytes: 1,
    })
}

fn refusal(job: Job) -> String {
    let failure = policy().admit(job).unwrap_err();
    assert_eq!(failure.kind, FailureKind::LocalPolicy);
    failure.message
}

#[test]
fn what_is_allowed_gets_the_first_role_of_the_list() {
    let admitted = policy().admit(job(Work::ApplyStack(apply()))).unwrap();
    let Work::ApplyStack(apply) = admitted.work else {
        panic!("another kind of work")
    };
    assert_eq!(apply.role, Some(ROLE.parse().unwrap()));
    let pulls = SetPullPolicy {
        repository: "web".parse().unwrap(),
        readers: Vec::new(),
    };
    assert!(policy().admit(job(Work::SetPullPolicy(pulls))).is_ok());
    assert!(policy().admit(job(fetch("bundles"))).is_ok());
    let mut open = policy();
    open.limits.bundle_buckets = None;
    assert!(open.admit(job(fetch("any-other"))).is_ok());
}

#[test]
fn every_refusal_names_the_rule_and_the_way_out() {
    let other = Job {
        account: "444444444444".parse().unwrap(),
        ..job(Work::ApplyStack(apply()))
    };
    let elsewhere = Job {
        region: "eu-west-1".parse().unwrap(),
        ..job(Work::ApplyStack(apply()))
    };
    let named = ApplyStack {
        stack_name: "prod-database".to_owned(),
        ..apply()
    };
    let role = "arn:aws:iam::333333333333:role/Administrator".parse().unwrap();
    let powerful = ApplyStack {
        role: Some(role),
        ..apply()
    };
    let pipeline = ApplyStack {
        role_kind: RoleKind::Pipeline,
        ..apply()
    };
    let large = ApplyStack {
        template_bytes: 1001,
        ..apply()
    };
    let user = ApplyStack {
        resource_types: vec!["AWS::IAM::User".to_owned()],
        ..apply()
    };
    let account = ApplyStack {
        resource_types: vec!["AWS::Organizations::Account".to_owned()],
        ..apply()
    };
    let work = [named, powerful, pipeline, large, user, account].map(|apply| job(Work::ApplyStack(apply)));
    let payroll = job(fetch("payroll"));
    let messages: Vec<String> = [other, elsewhere, payroll]
        .into_iter()
        .chain(work)
        .map(refusal)
        .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn an_arn_is_looked_at_as_well_as_the_name() {
    let arn = |text: &str| Some(text.parse::<StackArn>().unwrap());
    let foreign = arn("arn:aws:cloudformation:us-east-1:444444444444:stack/AWSProton-prd/1");
    let unnamed = arn("arn:aws:cloudformation:us-east-1:333333333333:stack/database/1");
    let destroy = |stack_arn| DestroyStack {
        stack_name: "AWSProton-prd".to_owned(),
        stack_arn,
        role_kind: RoleKind::Provisioning,
        role: None,
        retain_resources: Vec::new(),
    };
    assert!(refusal(job(Work::DestroyStack(destroy(foreign.clone())))).contains("444444444444"));
    assert!(refusal(job(Work::DestroyStack(destroy(unnamed)))).contains("'database'"));
    let revoke = RevokeStack {
        stack_name: "AWSProton-prd".to_owned(),
        stack_arn: foreign,
        never_succeeded: false,
        role_kind: RoleKind::Provisioning,
        role: None,
    };
    assert!(refusal(job(Work::RevokeStack(revoke))).contains("444444444444"));
}

#[test]
fn a_hub_that_hides_a_type_is_caught_by_the_change_set() {
    let change = |action: &str| ResourceChange {
        action: action.to_owned(),
        logical_id: "Root".to_owned(),
        physical_id: String::new(),
        resource_type: "AWS::IAM::User".to_owned(),
        replacement: String::new(),
    };
    let act = |action| Act::Execute {
        stack: "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-prd/1"
            .parse()
            .unwrap(),
        change_set_arn: "arn".to_owned(),
        digest: Digest::of(b""),
        changes: vec![change(action)],
    };
    assert!(
        policy()
            .allow(&act("Add"))
            .unwrap_err()
            .message
            .contains("AWS::IAM::User")
    );
    assert!(policy().allow(&act("Remove")).is_ok());
    let stack = "arn:aws:cloudformation:us-east-1:333333333333:stack/database/1"
        .parse()
        .unwrap();
    assert!(policy().allow(&Act::Delete { stack }).is_err());
}

#[test]
fn patterns_end_in_a_star_or_have_none() {
    for wrong in ["", "AWS::*::User", "*User", "AWS::IAM::User ", "**"] {
        assert!(wrong.parse::<TypePattern>().is_err(), "{wrong}");
    }
    assert!("*".parse::<TypePattern>().unwrap().covers("Anything::At::All"));
}

proptest! {
    #[test]
    fn no_stack_without_the_prefix_gets_through(name in "[A-Za-z0-9-]{0,40}") {
        let admitted = policy().admit(job(Work::ApplyStack(ApplyStack { stack_name: name.clone(), ..apply() }))).is_ok();
        prop_assert_eq!(admitted, name.starts_with("AWSProton-"));
    }

    #[test]
    fn no_denied_type_gets_through_wherever_it_stands(
        mut types in proptest::collection::vec("AWS::(S3|SNS|ECS)::[A-Z][a-z]{1,8}", 0..8),
        at in 0usize..8,
        tail in "[A-Za-z:]{0,12}",
    ) {
        types.insert(at.min(types.len()), format!("AWS::Organizations::{tail}"));
        let apply = ApplyStack { resource_types: types, ..apply() };
        prop_assert!(policy().admit(job(Work::ApplyStack(apply))).is_err());
    }

    #[test]
    fn only_listed_roles_get_through(name in "[a-zA-Z0-9-]{1,30}", account in "[0-9]{12}") {
        let role: RoleArn = format!("arn:aws:iam::{account}:role/{name}").parse().unwrap();
        let listed = role.as_str() == ROLE;
        let apply = ApplyStack { role: Some(role), ..apply() };
        prop_assert_eq!(policy().admit(job(Work::ApplyStack(apply))).is_ok(), listed);
    }

    #[test]
    fn a_pattern_covers_what_begins_with_it(head in "[A-Z]{1,4}::[A-Z][a-z]{1,6}::", tail in "[A-Za-z]{0,8}") {
        let open: TypePattern = format!("{head}*").parse().unwrap();
        let exact: TypePattern = head.parse().unwrap();
        let given = format!("{head}{tail}");
        prop_assert!(open.covers(&given));
        prop_assert_eq!(exact.covers(&given), tail.is_empty());
    }
}

fn template(resources: &str, more: &str) -> String {
    format!("{more}\nResources:\n  Topic:\n    Type: AWS::SNS::Topic\n{resources}")
}

fn rule_of(text: &str) -> Option<String> {
    let failure = policy().template(text).err()?;
    assert_eq!(failure.kind, FailureKind::LocalPolicy);
    let (_, rule) = failure.message.split_once("(rule ")?;
    Some(rule.split_once(')')?.0.to_owned())
}

/// The job of a hub in hostile hands may say what it likes about a template: its text is read.
#[test]
fn what_a_template_says_itself_counts() {
    assert_eq!(policy().template(&template("", "")).err(), None);
    let include = concat!(
        "    Metadata:\n      Fn::Transform:\n        Name: AWS::Include\n",
        "        Parameters: { Location: s3://foreign/a.yaml }\n"
    );
    let nested = |url: &str| {
        format!(
            "  Nested:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: {url}\n"
        )
    };
    let secret = |reference: &str| {
        format!(
            "  Db:\n    Type: AWS::RDS::DBInstance\n    Properties:\n      MasterUserPassword: '{reference}'\n"
        )
    };
    for (what, text, rule) in [
        (
            "a user",
            template("  U:\n    Type: AWS::IAM::User\n", ""),
            "denied_resource_types",
        ),
        (
            "escaped",
            template("  U:\n    \"\\x54ype\": \"AWS::I\\u0041M::User\"\n", ""),
            "denied_resource_types",
        ),
        (
            "as JSON",
            r#"{"Resources":{"U":{"\u0054ype":"AWS::IAM::User"}}}"#.to_owned(),
            "denied_resource_types",
        ),
        (
            "in a loop",
            template(
                "  Fn::ForEach::Us:\n    - N\n    - [a, b]\n    - U${N}:\n        Type: AWS::IAM::User\n",
                "",
            ),
            "denied_resource_types",
        ),
        ("AWS::Include", template(include, ""), "denied_transforms"),
        (
            "in short form",
            template("  X: !Transform { Name: AWS::Include }\n    \n", "")
                .replace("  X:", "  X:\n    Type: AWS::SNS::Topic\n    Metadata:"),
            "denied_transforms",
        ),
        ("a macro", template("", "Transform: Macro"), "denied_transforms"),
        (
            "one of several",
            template("", "Transform: [AWS::Serverless-2016-10-31, Macro]"),
            "denied_transforms",
        ),
        (
            "foreign bucket",
            template(&nested("https://s3.amazonaws.com/foreign/a.yaml"), ""),
            "nested_stack_buckets",
        ),
        (
            "not written out",
            template(&nested("!Sub https://${B}.s3.amazonaws.com/a"), ""),
            "nested_stack_buckets",
        ),
        (
            "by reference",
            template(&nested("{ Ref: Url }"), ""),
            "nested_stack_buckets",
        ),
        (
            "other secret",
            template(&secret("{{resolve:secretsmanager:other:SecretString:x}}"), ""),
            "dynamic_references",
        ),
        (
            "ssm-secure",
            template(&secret("{{resolve:ssm-secure:/shop/db}}"), ""),
            "dynamic_references",
        ),
        (
            "in a key",
            template("", "Metadata: { '{{resolve:ssm:/other}}': 1 }"),
            "dynamic_references",
        ),
    ] {
        assert_eq!(rule_of(&text), Some(format!("limits.{rule}")), "{what}:\n{text}");
    }
    for fine in [
        template(&nested("https://s3.amazonaws.com/templates/a.yaml"), ""),
        template(&secret("{{resolve:ssm:/shop/db:3}}"), ""),
        template("", "Transform: AWS::Serverless-2016-10-31"),
    ] {
        assert_eq!(rule_of(&fine), None, "{fine}");
    }
    // What cannot be read is not let through.
    assert_eq!(rule_of("Resources: [").as_deref(), Some("limits"));
    let mut open = policy();
    open.limits.contents = ContentRules::default();
    assert_eq!(open.template("Resources: [").err(), None);
}

#[test]
fn a_job_gets_no_capability_that_the_account_does_not_give() {
    let asks = |capabilities: &[&str]| {
        let capabilities = capabilities.iter().map(|one| (*one).to_owned()).collect();
        job(Work::ApplyStack(ApplyStack {
            capabilities,
            ..apply()
        }))
    };
    policy().admit(asks(&["CAPABILITY_IAM"])).unwrap();
    for more in ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"] {
        let refused = refusal(asks(&["CAPABILITY_IAM", more]));
        assert!(
            refused.contains("(rule limits.capabilities)") && refused.contains(more),
            "{refused}"
        );
    }
}

/// A signed environment template, and what the hub keeps of rendering it.
fn signed(key: &SigningKey) -> (Vec<u8>, String) {
    let manifest = "infrastructure:\n  templates:\n    - file: cloudformation.yaml\n      rendering_engine: jinja\n      \
                    template_language: cloudformation\n";
    let schema = "schema:\n  format: { openapi: \"3.0.0\" }\n  environment_input_type: In\n  types:\n    In:\n      type: object\n      \
                  properties:\n        note: { type: string, default: hello }\n";
    let text = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: {{ environment.inputs.note }}\n";
    let files = [
        ("infrastructure/manifest.yaml", manifest),
        ("infrastructure/cloudformation.yaml", text),
        ("schema/schema.yaml", schema),
    ];
    let files = files.map(|(path, text)| (path, text.as_bytes().to_vec()));
    let bundle = Bundle::from_files(files, &hadron_templates::Limits::default()).unwrap();
    let signature = key.sign(Statement {
        kind: SignedKind::Environment,
        template: "vpc".parse().unwrap(),
        major: 1,
        digest: bundle.digest(),
    });
    let archive = bundle.signed(&signature).to_archive();
    let digest = Digest::of(&archive);
    let question = Question::Environment(EnvironmentTask {
        bundle: Packed {
            archive: digest,
            expect: Expect::Environment,
        },
        name: "prd".parse().unwrap(),
        account: "333333333333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        spec: "proton: EnvironmentSpec\nspec: { note: Good morning }\n".to_owned(),
    });
    let given = Given::from([(digest, Arc::new(archive))]);
    let source = SignedSource::new(question, &given);
    let Reply::Answer(Answer::Made(Made::Stack(draft))) = Desk::new(1, 1 << 20).reply(
        serde_json::from_slice::<Kept>(&source.to_bytes())
            .unwrap()
            .question,
        &given,
    ) else {
        panic!("it does not render")
    };
    (source.to_bytes(), draft.rendered.text)
}

#[derive(serde::Deserialize)]
struct Kept {
    question: Question,
}

/// A hub that sends something else than what a publisher has signed gets nowhere, whatever it changes.
#[test]
fn only_what_a_publisher_has_signed_is_deployed() {
    let (key, _) = SigningKey::generate().unwrap();
    let (source, text) = signed(&key);
    assert!(text.contains("Good morning"), "{text}");
    let mut policy = policy();
    assert_eq!(
        policy.wants_source(false),
        Ok(false),
        "nobody asks for signatures"
    );
    policy.limits.publishers = vec![key.public()];
    assert_eq!(policy.wants_source(true), Ok(true));
    let missing = policy.wants_source(false).unwrap_err();
    assert_eq!(missing.kind, FailureKind::LocalPolicy);
    assert!(missing.message.contains("not signed"), "{}", missing.message);
    policy.limits.signed_only = false;
    assert_eq!(policy.wants_source(false), Ok(false));

    assert_eq!(policy.signed(&source, &text), Ok(()));
    let why = |policy: &Policy, source: &[u8], text: &str| {
        let failure = policy.signed(source, text).unwrap_err();
        assert_eq!(failure.kind, FailureKind::LocalPolicy);
        assert!(
            failure.message.contains("(rule limits.publishers)"),
            "{}",
            failure.message
        );
        failure.message
    };
    // Another text.
    let told = why(
        &policy,
        &source,
        &text.replace("AWS::SNS::Topic", "AWS::IAM::User"),
    );
    assert!(told.contains("not what the signed bundle renders to"), "{told}");
    // Another publisher's bundle.
    let (other, _) = SigningKey::generate().unwrap();
    let (foreign, foreign_text) = signed(&other);
    assert!(why(&policy, &foreign, &foreign_text).contains("not among the publishers"));
    // Another spec than the text was rendered with.
    let told = why(
        &policy,
        &String::from_utf8(source.clone())
            .unwrap()
            .replace("Good morning", "Good night")
            .into_bytes(),
        &text,
    );
    assert!(told.contains("not what the signed bundle renders to"), "{told}");
    // Anything about the bundle.
    let archives = source
        .windows(10)
        .position(|part| part == b"\"archives\"")
        .unwrap();
    for at in (archives..source.len()).step_by(3) {
        let mut changed = source.clone();
        changed[at] ^= 1;
        assert!(policy.signed(&changed, &text).is_err(), "byte {at}");
    }
    assert!(why(&policy, b"{}", &text).contains("cannot be read"));
}
