//! Every key of the configuration, once. A key that is not here does not exist.

use hadron_proto::config::{Key, Kind};

const fn key(path: &'static str, kind: Kind, value: &'static str, help: &'static str) -> Key {
    Key {
        program: "HADRON_HUB",
        path,
        kind,
        value,
        help,
    }
}

/// All keys, in the order of the example file.
pub const KEYS: &[Key] = &[
    key(
        "data_dir",
        Kind::Text,
        "DIR",
        "Where the CA, the SQLite database and ready.json are kept [with --dev: .hadron-dev]",
    ),
    key(
        "management.account",
        Kind::Text,
        "ID",
        "The management account: the hub's own [with --dev: 111111111111]",
    ),
    key(
        "management.region",
        Kind::Text,
        "REGION",
        "The Region that the hub stands for [with --dev: us-east-1]",
    ),
    key(
        "management.agent_role_name",
        Kind::Text,
        "NAME",
        "The IAM role that agents run as, unless a connection says otherwise [default: hadron-agent]",
    ),
    key(
        "management.agent_role_arn",
        Kind::Text,
        "ARN",
        "The role of the management account's own agent, where its name is another one",
    ),
    key(
        "management.provisioning_role",
        Kind::Text,
        "ARN",
        "What CloudFormation provisions environments and instances of the management account with",
    ),
    key(
        "management.pipeline_role",
        Kind::Text,
        "ARN",
        "What CloudFormation provisions pipelines with",
    ),
    key(
        "listen.enrol",
        Kind::Text,
        "ADDR:PORT",
        "Where agents enrol [default: 127.0.0.1:8444]",
    ),
    key(
        "listen.jobs",
        Kind::Text,
        "ADDR:PORT",
        "Where agents with a certificate connect [default: 127.0.0.1:8445]",
    ),
    key(
        "listen.api",
        Kind::Text,
        "ADDR:PORT",
        "Where people and scripts connect [default: 127.0.0.1:8443]",
    ),
    key(
        "listen.admin",
        Kind::Text,
        "ADDR:PORT",
        "Health and metrics, plain HTTP, for machines [default: 127.0.0.1:9464]",
    ),
    key(
        "listen.names",
        Kind::List,
        "NAME,...",
        "DNS names and IP addresses that clients know the hub by, for its certificate [default: localhost and the addresses listened on]",
    ),
    key(
        "store.sqlite",
        Kind::Text,
        "FILE",
        "The SQLite database [default: hub.db in data_dir]",
    ),
    key(
        "store.postgres",
        Kind::Text,
        "URL",
        "A PostgreSQL database instead, for example postgres://hadron@db.internal/hadron",
    ),
    key(
        "store.postgres_ca",
        Kind::Text,
        "FILE",
        "The CA of the PostgreSQL server, as PEM [default: those of the operating system]",
    ),
    key(
        "store.postgres_connections",
        Kind::Count,
        "N",
        "Most connections to PostgreSQL for transactions, 4 to 500; one more listens [default: 16]",
    ),
    key(
        "store.commit_batch",
        Kind::Count,
        "N",
        "Most transactions that share one COMMIT of SQLite, 1 to 4096 [default: 256]",
    ),
    key(
        "store.commit_milliseconds",
        Kind::Count,
        "N",
        "After this time a COMMIT of SQLite takes no further transaction, 0 to 1000; none waits for company [default: 2]",
    ),
    key(
        "store.commit_queue",
        Kind::Count,
        "N",
        "How many transactions may wait for SQLite before callers have to wait for a place, 1 to 65536 [default: 1024]",
    ),
    key(
        "sts.endpoint",
        Kind::Text,
        "URL",
        "An emulator to ask instead of AWS; only with --dev",
    ),
    key(
        "access.administrators",
        Kind::List,
        "ARN,...",
        "IAM identities of the management account that may do everything; * stands for any characters [with --dev: all]",
    ),
    key(
        "access.developers",
        Kind::List,
        "ARN,...",
        "IAM identities of the management account that deploy services",
    ),
    key(
        "access.auditors",
        Kind::List,
        "ARN,...",
        "IAM identities of the management account that may read",
    ),
    key(
        "jobs.lease_seconds",
        Kind::Count,
        "N",
        "How long an agent may be silent before its jobs go to another [default: 30]",
    ),
    key(
        "jobs.heartbeat_seconds",
        Kind::Count,
        "N",
        "How often agents say that they are alive [default: 10]",
    ),
    key(
        "agents.certificate_seconds",
        Kind::Count,
        "N",
        "How long the certificates of agents live [default: 3600]",
    ),
    key(
        "agents.connections",
        Kind::Count,
        "N",
        "How many connections of agents this hub takes at the same time [default: 20000]",
    ),
    key(
        "agents.connections_per_address",
        Kind::Count,
        "N",
        "How many of them from one address: of a gateway, or of a load balancer in front of the hub [default: 12000]",
    ),
    key(
        "grants.check_seconds",
        Kind::Count,
        "N",
        "How often repository policies are compared with what is wanted [default: 900]",
    ),
    key(
        "limits.api_calls",
        Kind::Count,
        "N",
        "How many calls of people and scripts are worked on at once; agents are not counted [default: 128]",
    ),
    key(
        "limits.api_queue",
        Kind::Count,
        "N",
        "How many calls wait for their turn; the rest are told to come again [default: 256]",
    ),
    key(
        "limits.api_streams",
        Kind::Count,
        "N",
        "How many streams may be open that watch something [default: 1024]",
    ),
    key(
        "limits.linger_seconds",
        Kind::Count,
        "N",
        "How long calls are still accepted after SIGTERM, while /readyz says no [default: 5, with --dev: 0]",
    ),
    key(
        "templates.approve_capabilities",
        Kind::Text,
        "WHEN",
        "on-publish: publishing a template version approves the CAPABILITY_* that it needs, as scripts made for Proton expect; \
         explicit: an administrator has to, with `hadron template approve` [default: on-publish]",
    ),
    key(
        "templates.component_capabilities",
        Kind::List,
        "CAPABILITY,...",
        "What directly defined components may need, whose templates belong to no version [default: all three]",
    ),
    key(
        "templates.denied_resource_types",
        Kind::List,
        "TYPE,...",
        "Refuse template versions and stacks with these resource types; `AWS::Organizations::*` denies all that begin so \
         [default: none]",
    ),
    key(
        "templates.denied_transforms",
        Kind::List,
        "NAME,...",
        "Refuse template versions and stacks with these transforms and macros; `*` denies all [default: none]",
    ),
    key(
        "templates.nested_stack_buckets",
        Kind::List,
        "BUCKET,...",
        "Refuse stacks that take templates in, as nested stacks or by AWS::Include, from anywhere but these buckets; empty: from \
         anywhere at all [default: allow all]",
    ),
    key(
        "templates.dynamic_references",
        Kind::List,
        "SERVICE:NAME,...",
        "Refuse stacks with {{resolve:...}} of anything but this, such as ssm:/shop/* and secretsmanager:shop/*; empty: of \
         anything [default: allow all]",
    ),
    key(
        "render.workers",
        Kind::Count,
        "N",
        "How many processes read and render templates at once [default: one for each processor]",
    ),
    key(
        "render.queue",
        Kind::Count,
        "N",
        "How many renderings wait for one of them; the rest are told to come again [default: 256]",
    ),
    key(
        "render.memory_mib",
        Kind::Count,
        "N",
        "How much memory one rendering may take [default: 256]",
    ),
    key(
        "render.compute_milliseconds",
        Kind::Count,
        "N",
        "How long one rendering may compute [default: 1000]",
    ),
    key(
        "render.seconds",
        Kind::Count,
        "N",
        "How long one rendering may take or wait, however busy the machine is [default: 10]",
    ),
    key(
        "render.require_confinement",
        Kind::Switch,
        "BOOL",
        "Do not start where the kernel cannot keep files and network from those processes [default: false: say so and go on]",
    ),
    key(
        "quotas.templates",
        Kind::Count,
        "N",
        "How many templates there may be, for environments and services together [default: 1000]",
    ),
    key(
        "quotas.versions_per_template",
        Kind::Count,
        "N",
        "How many versions one template may have [default: 1000]",
    ),
    key(
        "quotas.environments",
        Kind::Count,
        "N",
        "How many environments there may be [default: 1000]",
    ),
    key(
        "quotas.services",
        Kind::Count,
        "N",
        "How many services there may be [default: 10000]",
    ),
    key(
        "quotas.instances_per_service",
        Kind::Count,
        "N",
        "How many instances one service may have; those whose deletion failed count [default: 100]",
    ),
    key(
        "quotas.components",
        Kind::Count,
        "N",
        "How many components there may be [default: 1000]",
    ),
    key(
        "quotas.connections_per_account",
        Kind::Count,
        "N",
        "How many connections one environment account may ask for [default: 100]",
    ),
    key(
        "events.webhook_url",
        Kind::Text,
        "URL",
        "Who is told about every change of status, by HTTPS",
    ),
    key(
        "events.webhook_secret_file",
        Kind::Text,
        "FILE",
        "The secret that signs what the webhook is told, at least 16 bytes",
    ),
    key(
        "events.put_events",
        Kind::Switch,
        "BOOL",
        "Have the management account's agent put events onto an EventBridge bus",
    ),
    key(
        "events.event_bus",
        Kind::Text,
        "NAME",
        "The name or ARN of that bus [default: default]",
    ),
    key(
        "events.source",
        Kind::Text,
        "TEXT",
        "What events on that bus call their source; not aws.proton, which EventBridge takes from AWS only [default: hadron]",
    ),
    key(
        "audit.checkpoint_seconds",
        Kind::Count,
        "N",
        "How often the end of the audit log is signed, if there is anything new [default: 60]",
    ),
    key(
        "audit.checkpoint_rows",
        Kind::Count,
        "N",
        "After how many rows it is signed although that time is not over [default: 1000]",
    ),
    key(
        "audit.checkpoint_file",
        Kind::Text,
        "FILE",
        "Where signed checkpoints of the audit log are appended, one a line; empty: nowhere [default: audit-checkpoints.jsonl in data_dir]",
    ),
    key(
        "audit.checkpoint_stdout",
        Kind::Switch,
        "BOOL",
        "Print checkpoints to standard output as well, for whatever collects it elsewhere [default: false]",
    ),
    key(
        "stacks.prefix",
        Kind::Text,
        "PREFIX",
        "What the names of stacks begin with [default: AWSProton-]",
    ),
    key(
        "dev",
        Kind::Switch,
        "BOOL",
        "Development: on loopback only, an emulator as AWS, ports may be 0 [default: false]",
    ),
];
