//! The policies that `hadron-agent role` makes, under enforcement: real calls with the agent's own credentials where the
//! emulator judges them, and each statement with its conditions by the evaluator in `tests/harness/policy.rs`.

use std::collections::BTreeSet;
use std::process::Command;

use aws_sdk_cloudformation::types::ChangeSetType;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use hadron_tests::policy::{Asked, Verdict, covers, judge, judge_within};
use hadron_tests::{MANAGEMENT, PROD, REGION, World, aws, paths};
use serde_json::Value;

/// The documents of an account, as the program prints them.
fn documents(more: &[&str]) -> Value {
    let output = Command::new(paths::binary("hadron-agent").unwrap())
        .args([
            "role",
            "--account",
            PROD,
            "--region",
            REGION,
            "--format",
            "json",
            "--component-role",
            "hadron-components",
        ])
        .args(more)
        .env_clear()
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

const STACK: &str =
    "arn:aws:cloudformation:us-east-1:333333333333:stack/AWSProton-env/0a1b2c3d-0000-4000-8000-000000000001";
const FOREIGN: &str =
    "arn:aws:cloudformation:us-east-1:333333333333:stack/database/0a1b2c3d-0000-4000-8000-000000000001";
const ELSEWHERE: &str =
    "arn:aws:cloudformation:us-east-1:222222222222:stack/AWSProton-env/0a1b2c3d-0000-4000-8000-000000000001";
const PROVISIONING: &str = "arn:aws:iam::333333333333:role/hadron-provisioning";
const COMPONENTS: &str = "arn:aws:iam::333333333333:role/hadron-components";
const AGENT: &str = "arn:aws:iam::333333333333:role/hadron-agent";
const ADMIN: &str = "arn:aws:iam::333333333333:role/admin";
const BOUNDARY: &str = "arn:aws:iam::333333333333:policy/hadron-boundary";
const BUCKET: &str = "arn:aws:s3:::hadron-templates-333333333333-us-east-1";
const OBJECT: &str = "arn:aws:s3:::hadron-templates-333333333333-us-east-1/x";
const REPOSITORY: &str = "arn:aws:ecr:us-east-1:333333333333:repository/app";
const ROLE_ARN: &str = "cloudformation:RoleArn";
const PASSED: &str = "iam:PassedToService";
const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";
const BY: &str = "aws:CalledVia";
const TAG: &str = "aws:ResourceTag/hadron:managed";
const BOUND: &str = "iam:PermissionsBoundary";

/// All actions of a document's statements with this effect.
fn actions(document: &Value, effect: &str) -> BTreeSet<String> {
    let statements = document["Statement"].as_array().unwrap();
    let mut all = BTreeSet::new();
    for statement in statements
        .iter()
        .filter(|statement| statement["Effect"] == effect)
    {
        match &statement["Action"] {
            Value::String(one) => drop(all.insert(one.clone())),
            Value::Array(many) => all.extend(many.iter().map(|one| one.as_str().unwrap().to_owned())),
            _ => {}
        }
    }
    all
}

/// Rows of a table are judged as they say; every action that the document names is in one of them.
fn table(
    name: &str,
    document: &Value,
    judged: impl Fn(&Asked<'_>) -> Verdict,
    allowed: &[Asked<'_>],
    refused: &[Asked<'_>],
) {
    let mut amiss = Vec::new();
    for asked in allowed {
        if judged(asked) != Verdict::Allowed {
            amiss.push(format!("{asked:?} must be allowed"));
        }
    }
    for asked in refused {
        if judged(asked) == Verdict::Allowed {
            amiss.push(format!("{asked:?} must not be allowed"));
        }
    }
    let tried = |action: &String, rows: &[Asked<'_>]| {
        let action = action.to_ascii_lowercase();
        rows.iter()
            .any(|asked| covers(&action, &asked.action.to_ascii_lowercase()))
    };
    for action in actions(document, "Allow")
        .iter()
        .filter(|action| !tried(action, allowed))
    {
        amiss.push(format!("no row tries {action}, which is allowed"));
    }
    for action in actions(document, "Deny")
        .iter()
        .filter(|action| !tried(action, refused))
    {
        amiss.push(format!("no row tries {action}, which is denied"));
    }
    assert!(amiss.is_empty(), "{name}:\n{}", amiss.join("\n"));
}

#[test]
fn the_agents_role_may_do_its_work_and_nothing_else() {
    let document = documents(&[
        "--management",
        "--registry-policy",
        "--put-events",
        "--audit-bucket",
        "example-audit",
    ])["agentRole"]["policy"]
        .clone();
    let judged = |asked: &Asked<'_>| judge(&document, asked).unwrap();
    let mut allowed = vec![
        Asked::new("cloudformation:CreateChangeSet", STACK).with(ROLE_ARN, PROVISIONING),
        Asked::new("cloudformation:CreateChangeSet", STACK).with(ROLE_ARN, COMPONENTS),
        Asked::new("iam:PassRole", PROVISIONING).with(PASSED, CLOUDFORMATION),
        Asked::new("iam:PassRole", COMPONENTS).with(PASSED, CLOUDFORMATION),
        Asked::new("s3:GetObject", OBJECT).with(BY, CLOUDFORMATION),
        Asked::new("s3:GetObjectVersion", OBJECT).with(BY, CLOUDFORMATION),
        Asked::new("s3:GetObject", "arn:aws:s3:::bundles/x").with("aws:ResourceAccount", PROD),
        Asked::new("ecr:DescribeRepositories", REPOSITORY),
        Asked::new("ecr:GetRepositoryPolicy", REPOSITORY),
        Asked::new("ecr:SetRepositoryPolicy", REPOSITORY).with(TAG, "true"),
        Asked::new("ecr:DeleteRepositoryPolicy", REPOSITORY).with(TAG, "true"),
        Asked::new("ecr:GetRegistryPolicy", "*"),
        Asked::new("ecr:PutRegistryPolicy", "*"),
        Asked::new("ecr:DeleteRegistryPolicy", "*"),
        Asked::new(
            "events:PutEvents",
            "arn:aws:events:us-east-1:333333333333:event-bus/default",
        ),
    ];
    let checkpoint = "arn:aws:s3:::example-audit/hadron/hub/1.jsonl";
    let lock = ["s3:PutObject", "s3:PutObjectRetention"];
    allowed.extend(lock.map(|action| Asked::new(action, checkpoint)));
    let operate = [
        "CancelUpdateStack",
        "ContinueUpdateRollback",
        "DeleteChangeSet",
        "DeleteStack",
        "DescribeChangeSet",
        "DescribeStackEvents",
        "DescribeStackResources",
        "DescribeStacks",
        "ExecuteChangeSet",
        "GetTemplate",
        "ListChangeSets",
        "ListStackResources",
        "RollbackStack",
        "TagResource",
        "UpdateTerminationProtection",
    ]
    .map(|action| format!("cloudformation:{action}"));
    allowed.extend(operate.iter().map(|action| Asked::new(action, STACK)));
    let large = [
        "CreateBucket",
        "GetBucketLocation",
        "ListBucket",
        "PutBucketPublicAccessBlock",
        "PutBucketVersioning",
    ]
    .map(|action| format!("s3:{action}"));
    allowed.extend(large.iter().map(|action| Asked::new(action, BUCKET)));
    allowed.push(Asked::new("s3:PutObject", OBJECT));

    let mut refused = vec![
        // Not without a role, not with another, not for another stack.
        Asked::new("cloudformation:CreateChangeSet", STACK),
        Asked::new("cloudformation:CreateChangeSet", STACK).with(ROLE_ARN, ADMIN),
        Asked::new("cloudformation:CreateChangeSet", STACK).with(ROLE_ARN, AGENT),
        Asked::new("cloudformation:CreateChangeSet", FOREIGN).with(ROLE_ARN, PROVISIONING),
        Asked::new("cloudformation:CreateChangeSet", ELSEWHERE).with(ROLE_ARN, PROVISIONING),
        Asked::new("cloudformation:CreateStack", STACK).with(ROLE_ARN, PROVISIONING),
        Asked::new("cloudformation:UpdateStack", STACK).with(ROLE_ARN, PROVISIONING),
        Asked::new("cloudformation:SetStackPolicy", STACK),
        Asked::new("cloudformation:CreateStackSet", "*"),
        Asked::new("cloudformation:DeleteStackSet", "*"),
        Asked::new("cloudformation:ListStacks", "*"),
        Asked::new("cloudformation:ImportStacksToStackSet", "*"),
        // Not to others, not others.
        Asked::new("iam:PassRole", PROVISIONING),
        Asked::new("iam:PassRole", PROVISIONING).with(PASSED, "ec2.amazonaws.com"),
        Asked::new("iam:PassRole", PROVISIONING).with(PASSED, "lambda.amazonaws.com"),
        Asked::new("iam:PassRole", ADMIN).with(PASSED, CLOUDFORMATION),
        Asked::new("iam:PassRole", AGENT).with(PASSED, CLOUDFORMATION),
        // Nothing by itself.
        Asked::new("sts:AssumeRole", PROVISIONING),
        Asked::new(
            "sts:AssumeRole",
            "arn:aws:iam::222222222222:role/hadron-provisioning",
        ),
        Asked::new("iam:CreateUser", "*"),
        Asked::new("iam:CreateRole", ADMIN),
        Asked::new("iam:CreatePolicyVersion", BOUNDARY),
        Asked::new("iam:PutRolePolicy", AGENT),
        Asked::new("iam:AttachRolePolicy", AGENT),
        Asked::new("iam:UpdateAssumeRolePolicy", PROVISIONING),
        Asked::new("iam:DeleteRolePermissionsBoundary", PROVISIONING),
        Asked::new("iam:DeleteRole", PROVISIONING),
        Asked::new("ec2:RunInstances", "*"),
        Asked::new("lambda:InvokeFunction", "*"),
        Asked::new("secretsmanager:GetSecretValue", "*"),
        Asked::new("ssm:GetParameter", "*"),
        Asked::new("kms:Decrypt", "*"),
        Asked::new("s3:ListAllMyBuckets", "*"),
        Asked::new("dynamodb:Scan", "*"),
        // Objects: not its own templates by itself, not those of others.
        Asked::new("s3:GetObject", OBJECT),
        Asked::new("s3:GetObjectVersion", OBJECT),
        Asked::new("s3:GetObject", "arn:aws:s3:::bundles/x").with("aws:ResourceAccount", "222222222222"),
        Asked::new("s3:GetObject", "arn:aws:s3:::bundles/x"),
        Asked::new("s3:PutObject", "arn:aws:s3:::bundles/x").with("aws:ResourceAccount", PROD),
        Asked::new("s3:DeleteObject", OBJECT),
        Asked::new("s3:DeleteBucket", BUCKET),
        Asked::new("s3:PutBucketPolicy", BUCKET),
        Asked::new(
            "s3:CreateBucket",
            "arn:aws:s3:::hadron-templates-222222222222-us-east-1",
        ),
        // Repositories: only those that are handed to Hadron, and nothing of what is in them.
        Asked::new("ecr:SetRepositoryPolicy", REPOSITORY),
        Asked::new("ecr:SetRepositoryPolicy", REPOSITORY).with(TAG, "false"),
        Asked::new("ecr:DeleteRepositoryPolicy", REPOSITORY),
        Asked::new(
            "ecr:SetRepositoryPolicy",
            "arn:aws:ecr:us-east-1:222222222222:repository/app",
        )
        .with(TAG, "true"),
        Asked::new("ecr:PutImage", REPOSITORY).with(TAG, "true"),
        Asked::new("ecr:DeleteRepository", REPOSITORY).with(TAG, "true"),
        Asked::new("ecr:BatchDeleteImage", REPOSITORY).with(TAG, "true"),
        Asked::new("ecr:TagResource", REPOSITORY),
        Asked::new("events:PutRule", "*"),
        Asked::new(
            "events:PutEvents",
            "arn:aws:events:us-east-1:222222222222:event-bus/default",
        ),
    ];
    // What was put away is neither read, nor unlocked, nor removed, and other buckets are others'.
    refused.extend(
        [
            "s3:BypassGovernanceRetention",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:GetObject",
            "s3:PutObjectAcl",
            "s3:PutObjectLegalHold",
        ]
        .map(|action| Asked::new(action, checkpoint)),
    );
    refused.extend(
        [
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketPolicy",
            "s3:PutLifecycleConfiguration",
        ]
        .map(|action| Asked::new(action, "arn:aws:s3:::example-audit")),
    );
    refused.extend(lock.map(|action| Asked::new(action, "arn:aws:s3:::example-audit-2/hadron/hub/1.jsonl")));
    for place in [FOREIGN, ELSEWHERE] {
        refused.extend(operate.iter().map(|action| Asked::new(action, place)));
    }
    table("agent", &document, judged, &allowed, &refused);

    // In an environment account there is nothing about repositories, bundles and events.
    let plain = documents(&[])["agentRole"]["policy"].clone();
    for asked in &allowed {
        let verdict = judge(&plain, asked).unwrap();
        let more = ["ecr:", "events:"]
            .iter()
            .any(|service| asked.action.starts_with(service))
            || asked.resource.contains("bundles")
            || asked.resource.contains("example-audit");
        assert_eq!(verdict == Verdict::Allowed, !more, "{asked:?}");
    }
}

#[test]
fn the_provisioning_role_makes_anything_but_a_way_out() {
    let all = documents(&[]);
    let (policy, boundary) = (&all["provisioningRole"]["policy"], &all["boundary"]["policy"]);
    assert_eq!(all["provisioningRole"]["permissionsBoundary"], BOUNDARY);
    let judged = |asked: &Asked<'_>| judge_within(policy, boundary, asked).unwrap();
    let new = "arn:aws:iam::333333333333:role/AWSProton-env-Role-1";
    let allowed = [
        Asked::new("ec2:CreateVpc", "*"),
        Asked::new("s3:CreateBucket", "*"),
        Asked::new("iam:CreateRole", new).with(BOUND, BOUNDARY),
        Asked::new("iam:AttachRolePolicy", new).with(BOUND, BOUNDARY),
        Asked::new("iam:PutRolePolicy", new).with(BOUND, BOUNDARY),
        Asked::new("iam:PutRolePermissionsBoundary", new).with(BOUND, BOUNDARY),
        Asked::new("iam:PassRole", new).with(PASSED, "ec2.amazonaws.com"),
        Asked::new("iam:PassRole", PROVISIONING).with(PASSED, CLOUDFORMATION),
        Asked::new("iam:DeleteRole", new),
    ];
    let mut refused = vec![
        Asked::new("iam:CreateRole", new),
        Asked::new("iam:CreateRole", new).with(BOUND, "arn:aws:iam::aws:policy/AdministratorAccess"),
        Asked::new("iam:PutRolePolicy", new),
        Asked::new("iam:AttachRolePolicy", new),
        Asked::new("iam:PutRolePermissionsBoundary", new)
            .with(BOUND, "arn:aws:iam::aws:policy/AdministratorAccess"),
        Asked::new("iam:PassRole", PROVISIONING).with(PASSED, "ec2.amazonaws.com"),
        Asked::new("iam:PassRole", AGENT).with(PASSED, "lambda.amazonaws.com"),
        Asked::new("sts:AssumeRole", "arn:aws:iam::222222222222:role/admin"),
    ];
    for action in [
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:SetDefaultPolicyVersion",
    ] {
        refused.push(Asked::new(action, BOUNDARY));
    }
    for role in [AGENT, PROVISIONING] {
        for action in [
            "iam:AttachRolePolicy",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
            "sts:AssumeRole",
        ] {
            refused.push(Asked::new(action, role).with(BOUND, BOUNDARY));
        }
    }
    for action in [
        "account:CloseAccount",
        "cloudtrail:DeleteTrail",
        "cloudtrail:PutEventSelectors",
        "cloudtrail:StopLogging",
        "cloudtrail:UpdateTrail",
        "iam:AddUserToGroup",
        "iam:AttachUserPolicy",
        "iam:CreateAccessKey",
        "iam:CreateLoginProfile",
        "iam:CreateUser",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteUserPermissionsBoundary",
        "iam:PutUserPolicy",
        "iam:UpdateLoginProfile",
        "organizations:LeaveOrganization",
        "organizations:CreateAccount",
    ] {
        refused.push(Asked::new(action, "*"));
    }
    table("provisioning", policy, judged, &allowed, &refused);
    table(
        "boundary",
        &serde_json::json!({"Statement": boundary["Statement"].as_array().unwrap().iter().filter(|one| one["Effect"] == "Deny").collect::<Vec<_>>()}),
        judged,
        &allowed,
        &refused,
    );

    // Components make no identities at all.
    let component = &all["componentRole"]["policy"];
    for action in [
        "iam:CreateRole",
        "iam:CreateUser",
        "iam:CreateAccessKey",
        "iam:PassRole",
        "iam:CreateInstanceProfile",
        "iam:CreateOpenIDConnectProvider",
        "sts:AssumeRole",
        "organizations:CreateAccount",
        "account:CloseAccount",
    ] {
        let asked = Asked::new(action, new).with(BOUND, BOUNDARY);
        assert_ne!(
            judge_within(component, boundary, &asked).unwrap(),
            Verdict::Allowed,
            "{action}"
        );
    }
    assert_eq!(
        judge_within(component, boundary, &Asked::new("sqs:CreateQueue", "*")).unwrap(),
        Verdict::Allowed
    );
}

/// The error code of a call; nothing when it was allowed, whatever came of it then.
fn denied<T, E: ProvideErrorMetadata + std::fmt::Debug>(answer: &Result<T, E>) -> bool {
    match answer {
        Ok(_) => false,
        Err(error) => {
            let code = error.code().unwrap_or_default();
            code.contains("AccessDenied")
                || code.contains("UnauthorizedOperation")
                || code.contains("Forbidden")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_calls_of_the_agents_role_are_allowed_and_denied_as_its_policy_says() {
    let world = World::new().await.unwrap();
    let url = world.emulator.url().to_owned();
    let template = "Resources:\n  Notices:\n    Type: AWS::SNS::Topic\n";
    let mut amiss = Vec::new();
    let mut expect = |what: &str, found: bool, wanted: bool| {
        if found != wanted {
            amiss.push(format!("{what} is {}", if found { "denied" } else { "allowed" }));
        }
    };
    let production = hadron_tests::agent::roles(&url, PROD).await.unwrap();
    let config = aws::with_variables(&url, &production).await;
    let cfn = aws_sdk_cloudformation::Client::new(&config);
    let change_set = |stack: &str, role: Option<&str>| {
        cfn.create_change_set()
            .stack_name(stack)
            .change_set_name("attempt")
            .change_set_type(ChangeSetType::Create)
            .template_body(template)
            .set_role_arn(role.map(str::to_owned))
            .send()
    };
    for (what, stack, role, wanted) in [
        (
            "a change set as Hadron makes it",
            "AWSProton-iam",
            Some(PROVISIONING),
            false,
        ),
        ("without a role", "AWSProton-iam2", None, true),
        ("with the agent's own role", "AWSProton-iam3", Some(AGENT), true),
        (
            "with an administrator's role",
            "AWSProton-iam4",
            Some(ADMIN),
            true,
        ),
        ("for another stack", "database", Some(PROVISIONING), true),
    ] {
        expect(
            &format!("CreateChangeSet {what}"),
            denied(&change_set(stack, role).await),
            wanted,
        );
    }
    expect(
        "DescribeChangeSet",
        denied(
            &cfn.describe_change_set()
                .stack_name("AWSProton-iam")
                .change_set_name("attempt")
                .send()
                .await,
        ),
        false,
    );
    expect(
        "ListChangeSets",
        denied(&cfn.list_change_sets().stack_name("AWSProton-iam").send().await),
        false,
    );
    expect(
        "ExecuteChangeSet",
        denied(
            &cfn.execute_change_set()
                .stack_name("AWSProton-iam")
                .change_set_name("attempt")
                .send()
                .await,
        ),
        false,
    );
    expect(
        "DescribeStacks",
        denied(&cfn.describe_stacks().stack_name("AWSProton-iam").send().await),
        false,
    );
    expect(
        "DescribeStackEvents",
        denied(
            &cfn.describe_stack_events()
                .stack_name("AWSProton-iam")
                .send()
                .await,
        ),
        false,
    );
    expect(
        "ListStackResources",
        denied(
            &cfn.list_stack_resources()
                .stack_name("AWSProton-iam")
                .send()
                .await,
        ),
        false,
    );
    expect(
        "GetTemplate",
        denied(&cfn.get_template().stack_name("AWSProton-iam").send().await),
        false,
    );
    expect(
        "GetTemplate of others",
        denied(&cfn.get_template().stack_name("database").send().await),
        true,
    );
    expect(
        "DescribeStacks of others",
        denied(&cfn.describe_stacks().stack_name("database").send().await),
        true,
    );
    expect(
        "DeleteStack of others",
        denied(&cfn.delete_stack().stack_name("database").send().await),
        true,
    );
    expect(
        "CreateStack",
        denied(
            &cfn.create_stack()
                .stack_name("AWSProton-x")
                .template_body(template)
                .role_arn(PROVISIONING)
                .send()
                .await,
        ),
        true,
    );
    expect(
        "UpdateStack",
        denied(
            &cfn.update_stack()
                .stack_name("AWSProton-iam")
                .template_body(template)
                .send()
                .await,
        ),
        true,
    );
    expect(
        "SetStackPolicy",
        denied(
            &cfn.set_stack_policy()
                .stack_name("AWSProton-iam")
                .stack_policy_body("{}")
                .send()
                .await,
        ),
        true,
    );
    expect(
        "DeleteStack",
        denied(&cfn.delete_stack().stack_name("AWSProton-iam").send().await),
        false,
    );

    let iam = aws_sdk_iam::Client::new(&config);
    expect(
        "CreateUser",
        denied(&iam.create_user().user_name("evil").send().await),
        true,
    );
    expect(
        "CreateRole",
        denied(
            &iam.create_role()
                .role_name("evil")
                .assume_role_policy_document("{}")
                .send()
                .await,
        ),
        true,
    );
    expect(
        "PutRolePolicy",
        denied(
            &iam.put_role_policy()
                .role_name("hadron-agent")
                .policy_name("x")
                .policy_document("{}")
                .send()
                .await,
        ),
        true,
    );
    expect(
        "AttachRolePolicy",
        denied(
            &iam.attach_role_policy()
                .role_name("hadron-agent")
                .policy_arn("arn:aws:iam::aws:policy/AdministratorAccess")
                .send()
                .await,
        ),
        true,
    );
    expect(
        "UpdateAssumeRolePolicy",
        denied(
            &iam.update_assume_role_policy()
                .role_name("hadron-provisioning")
                .policy_document("{}")
                .send()
                .await,
        ),
        true,
    );
    expect(
        "DeleteRolePermissionsBoundary",
        denied(
            &iam.delete_role_permissions_boundary()
                .role_name("hadron-provisioning")
                .send()
                .await,
        ),
        true,
    );
    let sts = aws_sdk_sts::Client::new(&config);
    expect(
        "AssumeRole of the provisioning role",
        denied(
            &sts.assume_role()
                .role_arn(PROVISIONING)
                .role_session_name("x")
                .send()
                .await,
        ),
        true,
    );
    expect(
        "GetCallerIdentity",
        denied(&sts.get_caller_identity().send().await),
        false,
    );
    let ecr = aws_sdk_ecr::Client::new(&config);
    expect(
        "DescribeRepositories in an environment account",
        denied(&ecr.describe_repositories().send().await),
        true,
    );

    // The management account's agent: repositories that are handed to Hadron, and no others.
    world.repository("handed/over").await.unwrap();
    world
        .registry()
        .await
        .create_repository()
        .repository_name("not/ours")
        .send()
        .await
        .unwrap();
    let management = hadron_tests::agent::roles(&url, MANAGEMENT).await.unwrap();
    let ecr = aws_sdk_ecr::Client::new(&aws::with_variables(&url, &management).await);
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::333333333333:root"},"Action":"ecr:BatchGetImage"}]}"#;
    for (repository, wanted) in [("handed/over", false), ("not/ours", true)] {
        expect(
            &format!("SetRepositoryPolicy of {repository}"),
            denied(
                &ecr.set_repository_policy()
                    .repository_name(repository)
                    .policy_text(text)
                    .send()
                    .await,
            ),
            wanted,
        );
        expect(
            &format!("GetRepositoryPolicy of {repository}"),
            denied(
                &ecr.get_repository_policy()
                    .repository_name(repository)
                    .send()
                    .await,
            ),
            false,
        );
        expect(
            &format!("DeleteRepositoryPolicy of {repository}"),
            denied(
                &ecr.delete_repository_policy()
                    .repository_name(repository)
                    .send()
                    .await,
            ),
            wanted,
        );
        expect(
            &format!("DeleteRepository {repository}"),
            denied(
                &ecr.delete_repository()
                    .repository_name(repository)
                    .force(true)
                    .send()
                    .await,
            ),
            true,
        );
    }
    expect(
        "PutRegistryPolicy without leave",
        denied(&ecr.put_registry_policy().policy_text(text).send().await),
        true,
    );
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}
