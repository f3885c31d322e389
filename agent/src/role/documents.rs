//! The policies that an account needs, as small as they can be.
//!
//! Two roles share the work so that neither can do it alone. The agent's own role can plan, execute and delete stacks
//! whose names have the prefix, and pass exactly one role to CloudFormation; it can make nothing itself. The
//! provisioning role can make what templates ask for, but only CloudFormation can use it, only for those stacks, and
//! only within the boundary, which also bounds every role that a template makes.

use hadron_proto::vocab::{AccountId, Region};
use serde_json::{Value, json};

use crate::args::{Role, RunsOn};

/// What the documents are about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// The account.
    pub(super) account: AccountId,
    /// Its Region, for the bucket and the partition.
    pub(super) region: Region,
    /// What stack names begin with.
    pub(super) prefix: String,
    /// The agent's role.
    pub(super) agent_role: String,
    /// The provisioning role.
    pub(super) provisioning_role: String,
    /// The role for components, when there shall be one.
    pub(super) component_role: Option<String>,
    /// The boundary.
    pub(super) boundary: String,
    /// Where the agent runs.
    pub(super) runs_on: Vec<RunsOn>,
    /// Is it the management account?
    pub(super) management: bool,
    /// Does the agent write the registry's policy as well?
    pub(super) registry_policy: bool,
    /// Does the agent put events onto a bus?
    pub(super) put_events: bool,
    /// The bucket with Object Lock into which the agent puts checkpoints of the hub's audit log.
    pub(super) audit_bucket: Option<String>,
    /// Where bundles are; empty: in any bucket of the account.
    pub(super) bundle_buckets: Vec<String>,
}

impl Subject {
    /// As asked for on the command line, in this account.
    #[must_use]
    pub(super) fn new(args: &Role, account: AccountId) -> Self {
        Self {
            account,
            region: args.region.clone(),
            prefix: args.stack_prefix.to_string(),
            agent_role: args.agent_role.clone(),
            provisioning_role: args.provisioning_role.clone(),
            component_role: args.component_role.clone(),
            boundary: args.boundary.clone(),
            runs_on: args.runs_on.clone(),
            management: args.management,
            registry_policy: args.registry_policy,
            put_events: args.put_events,
            audit_bucket: args.audit_bucket.as_ref().map(ToString::to_string),
            bundle_buckets: args.bundle_bucket.iter().map(ToString::to_string).collect(),
        }
    }

    fn arn(&self, service: &str, region: &str, resource: &str) -> String {
        format!(
            "arn:{}:{service}:{region}:{}:{resource}",
            self.region.partition().as_str(),
            self.account
        )
    }

    /// The ARN of a role of this account, without a path.
    #[must_use]
    pub(super) fn role_arn(&self, name: &str) -> String {
        self.arn("iam", "", &format!("role/{name}"))
    }

    /// The ARNs of the roles that CloudFormation gets: one, or one of several.
    fn passed(&self) -> Value {
        let provisioning = self.role_arn(&self.provisioning_role);
        match &self.component_role {
            None => json!(provisioning),
            Some(component) => json!([provisioning, self.role_arn(component)]),
        }
    }

    /// The ARN of the boundary.
    #[must_use]
    pub(super) fn boundary_arn(&self) -> String {
        self.arn("iam", "", &format!("policy/{}", self.boundary))
    }

    fn bucket_arn(&self) -> String {
        let (partition, account, region) = (self.region.partition().as_str(), self.account, &self.region);
        format!("arn:{partition}:s3:::hadron-templates-{account}-{region}")
    }

    fn stacks(&self) -> String {
        self.arn("cloudformation", "*", &format!("stack/{}*/*", self.prefix))
    }
}

fn policy(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Who may assume the agent's role.
#[must_use]
pub(super) fn agent_trust(subject: &Subject) -> Value {
    let statement = |on: &RunsOn| match on {
        RunsOn::Ec2 => json!({
            "Sid": "Instances", "Effect": "Allow",
            "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole",
        }),
        RunsOn::Ecs => json!({
            "Sid": "Tasks", "Effect": "Allow",
            "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": { "aws:SourceAccount": subject.account },
                "ArnLike": { "aws:SourceArn": subject.arn("ecs", "*", "*") },
            },
        }),
        RunsOn::Eks => json!({
            "Sid": "Pods", "Effect": "Allow",
            "Principal": { "Service": "pods.eks.amazonaws.com" }, "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": { "StringEquals": { "aws:SourceAccount": subject.account } },
        }),
    };
    policy(&subject.runs_on.iter().map(statement).collect::<Vec<_>>())
}

/// What the agent may do.
#[must_use]
pub(super) fn agent_policy(subject: &Subject) -> Value {
    let passed = subject.passed();
    let mut statements = vec![
        json!({
            "Sid": "ChangeSets", "Effect": "Allow",
            "Action": "cloudformation:CreateChangeSet",
            "Resource": subject.stacks(),
            "Condition": { "StringEquals": { "cloudformation:RoleArn": passed } },
        }),
        json!({
            "Sid": "Operate", "Effect": "Allow",
            "Action": [
                "cloudformation:CancelUpdateStack",
                "cloudformation:ContinueUpdateRollback",
                "cloudformation:DeleteChangeSet",
                "cloudformation:DeleteStack",
                "cloudformation:DescribeChangeSet",
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStackResources",
                "cloudformation:DescribeStacks",
                "cloudformation:ExecuteChangeSet",
                "cloudformation:GetTemplate",
                "cloudformation:ListChangeSets",
                "cloudformation:ListStackResources",
                "cloudformation:RollbackStack",
                "cloudformation:TagResource",
                "cloudformation:UpdateTerminationProtection",
            ],
            "Resource": subject.stacks(),
        }),
        json!({
            "Sid": "Pass", "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": passed,
            "Condition": { "StringEquals": { "iam:PassedToService": "cloudformation.amazonaws.com" } },
        }),
        json!({
            "Sid": "LargeTemplates", "Effect": "Allow",
            "Action": [
                "s3:CreateBucket",
                "s3:GetBucketLocation",
                "s3:ListBucket",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketVersioning",
                "s3:PutObject",
            ],
            "Resource": [subject.bucket_arn(), format!("{}/*", subject.bucket_arn())],
        }),
        // CloudFormation reads the template with the agent's credentials; nobody else needs to.
        json!({
            "Sid": "ReadLargeTemplates", "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": format!("{}/*", subject.bucket_arn()),
            "Condition": { "ForAnyValue:StringEquals": { "aws:CalledVia": "cloudformation.amazonaws.com" } },
        }),
    ];
    if subject.management {
        let repositories = subject.arn("ecr", subject.region.as_str(), "repository/*");
        statements.push(json!({
            "Sid": "ReadPullPolicies", "Effect": "Allow",
            "Action": ["ecr:DescribeRepositories", "ecr:GetRepositoryPolicy"],
            "Resource": repositories,
        }));
        statements.push(json!({
            "Sid": "PullPolicies", "Effect": "Allow",
            "Action": ["ecr:DeleteRepositoryPolicy", "ecr:SetRepositoryPolicy"],
            "Resource": repositories,
            "Condition": { "StringEquals": { "aws:ResourceTag/hadron:managed": "true" } },
        }));
        statements.push(read_bundles(subject));
        if subject.registry_policy {
            // There is one registry per account and Region, and IAM knows no resource for it.
            statements.push(json!({
                "Sid": "RegistryPolicy", "Effect": "Allow",
                "Action": ["ecr:DeleteRegistryPolicy", "ecr:GetRegistryPolicy", "ecr:PutRegistryPolicy"],
                "Resource": "*",
            }));
        }
    }
    if subject.management && subject.put_events {
        statements.push(json!({
            "Sid": "PutEvents", "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": subject.arn("events", subject.region.as_str(), "event-bus/*"),
        }));
    }
    if let Some(bucket) = subject.audit_bucket.as_ref().filter(|_| subject.management) {
        // It may put objects there and lock them; none of what would read, unlock or delete one.
        statements.push(json!({
            "Sid": "AuditCheckpoints", "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:PutObjectRetention"],
            "Resource": format!("arn:{}:s3:::{bucket}/*", subject.region.partition().as_str()),
        }));
    }
    statements.push(json!({
        "Sid": "NoDirect", "Effect": "Deny",
        "Action": [
            "cloudformation:CreateStack",
            "cloudformation:SetStackPolicy",
            "cloudformation:UpdateStack",
            "iam:Attach*",
            "iam:Create*",
            "iam:Put*",
            "iam:Update*",
            "sts:AssumeRole",
        ],
        "Resource": "*",
    }));
    policy(&statements)
}

/// Template bundles are read from the buckets that were named, whosever they are, or else from any of the account's own.
fn read_bundles(subject: &Subject) -> Value {
    let partition = subject.region.partition().as_str();
    let objects = |bucket: &str| format!("arn:{partition}:s3:::{bucket}/*");
    let mut statement = json!({ "Sid": "ReadBundles", "Effect": "Allow", "Action": "s3:GetObject" });
    if subject.bundle_buckets.is_empty() {
        statement["Resource"] = objects("*").into();
        statement["Condition"] = json!({ "StringEquals": { "aws:ResourceAccount": subject.account } });
    } else {
        let named: Vec<String> = subject.bundle_buckets.iter().map(|name| objects(name)).collect();
        statement["Resource"] = named.into();
    }
    statement
}

/// Who may assume the provisioning role: CloudFormation, for stacks with the prefix in this account.
#[must_use]
pub(super) fn provisioning_trust(subject: &Subject) -> Value {
    policy(&[cloudformation_trust(subject)])
}

/// The one statement of it.
#[must_use]
pub(super) fn cloudformation_trust(subject: &Subject) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": { "Service": "cloudformation.amazonaws.com" },
        "Action": "sts:AssumeRole",
        "Condition": trust_conditions(subject),
    })
}

/// The conditions that keep other accounts' stacks, and stacks of others, from using a role.
#[must_use]
pub(super) fn trust_conditions(subject: &Subject) -> Value {
    json!({
        "StringEquals": { "aws:SourceAccount": subject.account },
        "ArnLike": { "aws:SourceArn": subject.arn("cloudformation", "*", &format!("stack/{}*", subject.prefix)) },
    })
}

/// What templates may make: anything but users and what is above the account; roles only within the boundary.
#[must_use]
pub(super) fn provisioning_policy(subject: &Subject) -> Value {
    policy(&[
        json!({
            "Sid": "Provision", "Effect": "Allow",
            "NotAction": [
                "account:*",
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
                "organizations:*",
            ],
            "Resource": "*",
        }),
        json!({
            "Sid": "RolesWithinBoundary", "Effect": "Allow",
            "Action": [
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
            ],
            "Resource": subject.role_arn("*"),
            "Condition": { "StringEquals": { "iam:PermissionsBoundary": subject.boundary_arn() } },
        }),
    ])
}

/// What components may make: anything but identities. Their templates come from developers, and a policy that one of them
/// makes counts only where a platform team's template attaches it to a role within the boundary.
#[must_use]
pub(super) fn component_policy() -> Value {
    policy(&[json!({
        "Sid": "ProvisionComponents", "Effect": "Allow",
        "NotAction": [
            "account:*",
            "iam:*AccessKey*",
            "iam:*Group*",
            "iam:*InstanceProfile*",
            "iam:*LoginProfile*",
            "iam:*Provider*",
            "iam:*Role*",
            "iam:*User*",
            "organizations:*",
            "sts:*",
        ],
        "Resource": "*",
    })])
}

/// The most that the provisioning role, and every role that a template makes, can ever do.
#[must_use]
pub(super) fn boundary(subject: &Subject) -> Value {
    let names = [&subject.agent_role, &subject.provisioning_role];
    let own: Vec<String> = names
        .into_iter()
        .chain(&subject.component_role)
        .map(|name| subject.role_arn(name))
        .collect();
    policy(&[
        json!({ "Sid": "Ceiling", "Effect": "Allow", "Action": "*", "Resource": "*" }),
        json!({
            "Sid": "KeepBoundary", "Effect": "Deny",
            "Action": [
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:SetDefaultPolicyVersion",
            ],
            "Resource": subject.boundary_arn(),
        }),
        json!({
            "Sid": "KeepRoles", "Effect": "Deny",
            "Action": [
                "iam:AttachRolePolicy",
                "iam:DeleteRole*",
                "iam:DetachRolePolicy",
                "iam:PutRole*",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole*",
                "sts:AssumeRole",
            ],
            "Resource": own,
        }),
        // Nested stacks get the role of the stack around them; nothing else does.
        json!({
            "Sid": "KeepRolesFromOthers", "Effect": "Deny",
            "Action": "iam:PassRole",
            "Resource": own,
            "Condition": { "StringNotEquals": { "iam:PassedToService": "cloudformation.amazonaws.com" } },
        }),
        json!({
            "Sid": "OnlyWithinBoundary", "Effect": "Deny",
            "Action": [
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
            ],
            "Resource": "*",
            "Condition": { "StringNotEquals": { "iam:PermissionsBoundary": subject.boundary_arn() } },
        }),
        json!({
            "Sid": "NoWayAround", "Effect": "Deny",
            "Action": [
                "account:*",
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
                "organizations:*",
            ],
            "Resource": "*",
        }),
        json!({
            "Sid": "StayInAccount", "Effect": "Deny",
            "Action": "sts:AssumeRole",
            "NotResource": subject.role_arn("*"),
        }),
    ])
}

/// Every document under its name, in the order in which they depend on one another.
#[must_use]
pub(super) fn all(subject: &Subject) -> Value {
    let mut all = json!({
        "boundary": { "policyName": subject.boundary, "policy": boundary(subject) },
        "provisioningRole": {
            "roleName": subject.provisioning_role,
            "trustPolicy": provisioning_trust(subject),
            "permissionsBoundary": subject.boundary_arn(),
            "policy": provisioning_policy(subject),
        },
        "agentRole": {
            "roleName": subject.agent_role,
            "trustPolicy": agent_trust(subject),
            "policy": agent_policy(subject),
        },
    });
    if let Some(name) = &subject.component_role {
        all["componentRole"] = json!({
            "roleName": name,
            "trustPolicy": provisioning_trust(subject),
            "permissionsBoundary": subject.boundary_arn(),
            "policy": component_policy(),
        });
    }
    all
}

/// The same as a template that the account's owner deploys (it needs `CAPABILITY_NAMED_IAM`).
#[must_use]
pub(super) fn template(subject: &Subject) -> Value {
    let inline = |document: Value| json!([{ "PolicyName": "hadron", "PolicyDocument": document }]);
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("IAM roles of the Hadron agent in account {}", subject.account),
        "Resources": {
            "Boundary": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": { "ManagedPolicyName": subject.boundary, "PolicyDocument": boundary(subject) },
            },
            "ProvisioningRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": subject.provisioning_role,
                    "AssumeRolePolicyDocument": provisioning_trust(subject),
                    "PermissionsBoundary": { "Ref": "Boundary" },
                    "Policies": inline(provisioning_policy(subject)),
                },
            },
            "AgentRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": subject.agent_role,
                    "AssumeRolePolicyDocument": agent_trust(subject),
                    "Policies": inline(agent_policy(subject)),
                },
            },
        },
        "Outputs": {
            "AgentRoleArn": { "Value": { "Fn::GetAtt": ["AgentRole", "Arn"] } },
            "ProvisioningRoleArn": {
                "Description": "For roles.provisioning in the agent's configuration",
                "Value": { "Fn::GetAtt": ["ProvisioningRole", "Arn"] },
            },
        },
    });
    if let Some(name) = &subject.component_role {
        template["Resources"]["ComponentRole"] = json!({
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": name,
                "AssumeRolePolicyDocument": provisioning_trust(subject),
                "PermissionsBoundary": { "Ref": "Boundary" },
                "Policies": inline(component_policy()),
            },
        });
        template["Outputs"]["ComponentRoleArn"] = json!({
            "Description": "For roles.component in the agent's configuration",
            "Value": { "Fn::GetAtt": ["ComponentRole", "Arn"] },
        });
    }
    template
}
