//! Every key of the configuration, once. A key that is not here does not exist.

use hadron_proto::config::{Key, Kind};

const fn key(path: &'static str, kind: Kind, value: &'static str, help: &'static str) -> Key {
    Key {
        program: "HADRON_AGENT",
        path,
        kind,
        value,
        help,
    }
}

/// All keys, in the order of the example file.
pub const KEYS: &[Key] = &[
    key(
        "hub.enrol",
        Kind::Text,
        "URL",
        "The hub's enrolment listener, where this agent proves its account and gets its certificate",
    ),
    key(
        "hub.jobs",
        Kind::Text,
        "URL",
        "The hub's job listener, which accepts only agents with a certificate",
    ),
    key(
        "hub.ca_pin",
        Kind::Text,
        "sha256:HEX",
        "SHA-256 of the SubjectPublicKeyInfo of the hub's CA; nothing else is trusted, no system root either",
    ),
    key(
        "hub.ca_file",
        Kind::Text,
        "FILE",
        "The hub's CA certificate as PEM, instead of a pin",
    ),
    key(
        "account",
        Kind::Text,
        "ID",
        "The account to act in. Asked of STS at start; when given here, both must agree",
    ),
    key(
        "region",
        Kind::Text,
        "REGION",
        "The Region to act in; one agent serves one account and Region",
    ),
    key(
        "connection",
        Kind::Text,
        "conn_ID",
        "The environment account connection to serve. Left out: the hub picks the connected one of this account and Region",
    ),
    key(
        "state_dir",
        Kind::Text,
        "DIR",
        "Where the key, the certificate and the journal of jobs are kept; only the agent may read it",
    ),
    key("capacity", Kind::Count, "N", "Jobs at once [default: 4]"),
    key(
        "write_registry_policy",
        Kind::Switch,
        "BOOL",
        "Grant pulls in the registry-wide ECR policy as well; pulls do not need it, and the agent's role needs more \
         (`hadron-agent role --management --registry-policy`) [default: false]",
    ),
    key(
        "drain_timeout",
        Kind::Span,
        "TIME",
        "How long running jobs may take to reach a place to stop after SIGTERM [default: 25s]",
    ),
    key(
        "roles.provisioning",
        Kind::List,
        "ARN,...",
        "Roles that environments and service instances may be deployed with; the first is used when the hub names none",
    ),
    key(
        "roles.pipeline",
        Kind::List,
        "ARN,...",
        "The same for pipelines; only in the management account",
    ),
    key(
        "roles.component",
        Kind::List,
        "ARN,...",
        "The same for directly defined components",
    ),
    key(
        "limits.stack_prefix",
        Kind::Text,
        "PREFIX",
        "Refuse stacks whose name does not begin with this [default: AWSProton-]",
    ),
    key(
        "limits.regions",
        Kind::List,
        "REGION,...",
        "Refuse jobs for other Regions [default: the agent's own]",
    ),
    key(
        "limits.denied_resource_types",
        Kind::List,
        "TYPE,...",
        "Refuse templates with these resource types; `AWS::Organizations::*` denies all that begin so [default: none]",
    ),
    key(
        "limits.denied_transforms",
        Kind::List,
        "NAME,...",
        "Refuse templates with these transforms and macros; `*` denies all [default: none]",
    ),
    key(
        "limits.nested_stack_buckets",
        Kind::List,
        "BUCKET,...",
        "Refuse templates that take others in, as nested stacks or by AWS::Include, from anywhere but these buckets; empty: from \
         anywhere at all [default: allow all]",
    ),
    key(
        "limits.dynamic_references",
        Kind::List,
        "SERVICE:NAME,...",
        "Refuse templates with {{resolve:...}} of anything but this, such as ssm:/shop/* and secretsmanager:shop/*; empty: of \
         anything [default: allow all]",
    ),
    key(
        "limits.capabilities",
        Kind::List,
        "CAPABILITY,...",
        "Refuse jobs that ask for others than these of CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND \
         [default: all three]",
    ),
    key(
        "limits.publishers",
        Kind::List,
        "KEY,...",
        "Refuse templates unless they were rendered from bundles that one of these keys has signed (`hadron template keygen`); the \
         agent renders them once more to see [default: none is asked for]",
    ),
    key(
        "limits.signed_only",
        Kind::Switch,
        "BOOL",
        "With limits.publishers: whether bundles without any signature are refused too; developers' components have none \
         [default: true]",
    ),
    key(
        "limits.max_template_bytes",
        Kind::Count,
        "N",
        "Refuse larger templates; CloudFormation takes at most 1048576 [default: 1048576]",
    ),
    key(
        "limits.bundle_buckets",
        Kind::List,
        "BUCKET,...",
        "Read template bundles from these S3 buckets only [default: from all that the role may read]",
    ),
    key(
        "limits.job_deadline",
        Kind::Span,
        "TIME",
        "Give up a job that takes longer than this [default: 2h]",
    ),
    key(
        "polling.first",
        Kind::Span,
        "TIME",
        "First wait before CloudFormation is asked again how a stack is doing [default: 250ms]",
    ),
    key(
        "polling.slowest",
        Kind::Span,
        "TIME",
        "Longest wait between two such questions [default: 5s]",
    ),
    key(
        "endpoint_url",
        Kind::Text,
        "URL",
        "Send all AWS calls to an emulator; refused without --dev",
    ),
    key(
        "dev",
        Kind::Switch,
        "BOOL",
        "Development: allow endpoint_url. Never where a real account is at stake [default: false]",
    ),
];
