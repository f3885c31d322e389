use proptest::prelude::*;

use super::*;
use crate::job::{ApplyStack, DestroyStack, FetchBundle, RevokeStack, SetPullPolicy, Token};
use hadron_proto::vocab::{Digest, JobId};

const ROLE: &str = "arn:aws:iam::333333333333:role/hadron-provisioning";

fn policy() -> Policy {
    Policy {
        account: "333333333333".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        limits: Limits {
            stack_prefix: StackPrefix::proton(),
            regions: vec!["us-east-1".parse().unwrap()],
            denied_resource_types: vec![
                "AWS::IAM::User".parse().unwrap(),
                "AWS::Organizations::*".parse().unwrap(),
            ],
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
