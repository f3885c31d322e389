-- Numbers that only grow: fencing tokens, the order of changes.
CREATE TABLE sequence (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

-- Facts about this installation, one row each.
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Environment account connections, and the one by which the management account's own agent is known.
CREATE TABLE connection (
    id             TEXT   NOT NULL PRIMARY KEY,
    kind           TEXT   NOT NULL, -- environment, management
    environment    TEXT   NOT NULL, -- empty for the management account's own
    account        TEXT   NOT NULL,
    region         TEXT   NOT NULL,
    status         TEXT   NOT NULL, -- PENDING, CONNECTED, REJECTED, DELETED
    epoch          INTEGER NOT NULL,
    state          TEXT   NOT NULL, -- hadron_domain::connection::Connection
    pinned_role_id TEXT,            -- AROA..., from the first enrolment after acceptance
    changed        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX connection_live ON connection (account, environment, region) WHERE status IN ('PENDING', 'CONNECTED');
CREATE UNIQUE INDEX connection_serves ON connection (environment) WHERE status = 'CONNECTED' AND kind = 'environment';

-- Challenges of enrolment and login: taken once, by deleting them.
CREATE TABLE challenge (
    id            TEXT   NOT NULL PRIMARY KEY,
    purpose       TEXT   NOT NULL, -- enrol, login
    connection_id TEXT,
    spki          BLOB,
    nonce         BLOB NOT NULL,
    source        TEXT   NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX challenge_expiry ON challenge (expires_at);

-- Agents that have enrolled, with the session that they hold now.
CREATE TABLE agent (
    id              TEXT   NOT NULL PRIMARY KEY,
    connection_id   TEXT   NOT NULL REFERENCES connection (id),
    account         TEXT   NOT NULL,
    region          TEXT   NOT NULL,
    principal       TEXT   NOT NULL,
    key_fingerprint TEXT   NOT NULL,
    serial          TEXT   NOT NULL,
    not_after       INTEGER NOT NULL,
    epoch           INTEGER NOT NULL, -- of the connection when it enrolled
    version         TEXT   NOT NULL,
    session_id      TEXT,            -- NULL while it is not connected
    enrolled_at     INTEGER NOT NULL,
    last_seen       INTEGER NOT NULL,
    changed         INTEGER NOT NULL
) STRICT;
CREATE INDEX agent_connection ON agent (connection_id);
CREATE INDEX agent_session ON agent (session_id);

-- Bearer tokens. Only their digests are kept.
CREATE TABLE token (
    digest     TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    principal  TEXT   NOT NULL,
    account    TEXT,
    role       TEXT   NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    disabled   INTEGER NOT NULL
) STRICT;

-- Content by digest: bundles and rendered templates.
CREATE TABLE blob (
    digest     TEXT    NOT NULL PRIMARY KEY,
    bytes      BLOB NOT NULL,
    created_at INTEGER  NOT NULL
) STRICT;

CREATE TABLE template (
    kind         TEXT   NOT NULL, -- environment, service
    name         TEXT   NOT NULL,
    display_name TEXT   NOT NULL,
    description  TEXT   NOT NULL,
    no_pipeline  INTEGER NOT NULL,
    versions     TEXT   NOT NULL, -- hadron_domain::template::Versions
    created_at   INTEGER NOT NULL,
    modified_at  INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    changed      INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;

CREATE TABLE template_version (
    kind        TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    major       INTEGER NOT NULL,
    minor       INTEGER NOT NULL,
    description TEXT   NOT NULL,
    compatible  TEXT   NOT NULL, -- JSON list of NAME:MAJOR
    digest      TEXT   NOT NULL, -- of the bundle's content
    archive     TEXT   NOT NULL REFERENCES blob (digest),
    warnings    TEXT   NOT NULL, -- JSON list
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name, major, minor)
) STRICT;

CREATE TABLE service (
    name          TEXT   NOT NULL PRIMARY KEY,
    template_name TEXT   NOT NULL,
    major         INTEGER NOT NULL,
    minor         INTEGER NOT NULL,
    description   TEXT   NOT NULL,
    spec          TEXT   NOT NULL,
    old_spec      TEXT   NOT NULL, -- of before the update that is under way
    status        TEXT   NOT NULL,
    message       TEXT   NOT NULL,
    doing         TEXT   NOT NULL, -- hadron_domain::service::Doing
    branch        TEXT   NOT NULL,
    repository    TEXT   NOT NULL,
    link          TEXT   NOT NULL, -- ARN of the CodeConnections connection
    created_at    INTEGER NOT NULL,
    modified_at   INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    changed       INTEGER NOT NULL
) STRICT;

-- Whatever owns a stack: environments, service instances and pipelines.
CREATE TABLE target (
    id                TEXT   NOT NULL PRIMARY KEY,
    kind              TEXT   NOT NULL, -- environment, instance, pipeline
    environment       TEXT   NOT NULL, -- its name, or the one it lives in; empty for pipelines
    service           TEXT   NOT NULL, -- empty for environments
    instance          TEXT   NOT NULL, -- empty for environments and pipelines
    account           TEXT   NOT NULL,
    region            TEXT   NOT NULL,
    connection_id     TEXT   NOT NULL REFERENCES connection (id),
    template_name     TEXT   NOT NULL,
    major             INTEGER NOT NULL,
    minor             INTEGER NOT NULL,
    spec              TEXT   NOT NULL,
    description       TEXT   NOT NULL,
    stack_name        TEXT   NOT NULL,
    stack_arn         TEXT,
    condemned         INTEGER NOT NULL, -- 1: the stack may be deleted at any moment, nothing may build on it
    ever_succeeded    INTEGER NOT NULL,
    part              TEXT   NOT NULL, -- hadron_domain::service::Part
    status            TEXT   NOT NULL,
    message           TEXT   NOT NULL,
    ways_out          TEXT   NOT NULL, -- JSON list
    warnings          TEXT   NOT NULL, -- JSON list
    outputs           TEXT   NOT NULL, -- JSON object
    resources         TEXT   NOT NULL, -- JSON list
    attempted_id      TEXT,
    attempted_at      INTEGER,
    succeeded_id      TEXT,
    succeeded_at      INTEGER,
    created_at        INTEGER NOT NULL,
    generation        INTEGER NOT NULL,
    changed           INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX target_name ON target (kind, service, instance, environment) WHERE kind <> 'instance';
CREATE UNIQUE INDEX target_instance ON target (service, instance) WHERE kind = 'instance';
CREATE INDEX target_environment ON target (environment);
CREATE INDEX target_connection ON target (connection_id);

CREATE TABLE deployment (
    id              TEXT   NOT NULL PRIMARY KEY,
    target_id       TEXT   NOT NULL,
    kind            TEXT   NOT NULL, -- of the target
    environment     TEXT   NOT NULL,
    service         TEXT   NOT NULL,
    instance        TEXT   NOT NULL,
    active          INTEGER NOT NULL, -- 1 until it has ended
    state           TEXT   NOT NULL, -- hadron_domain::deployment::Deployment
    status          TEXT   NOT NULL,
    message         TEXT   NOT NULL,
    ways_out        TEXT   NOT NULL,
    account         TEXT   NOT NULL,
    region          TEXT   NOT NULL,
    connection_id   TEXT   NOT NULL,
    template_name   TEXT   NOT NULL,
    major           INTEGER NOT NULL,
    minor           INTEGER NOT NULL,
    spec            TEXT   NOT NULL,
    stack_name      TEXT   NOT NULL,
    stack_arn       TEXT,
    never_succeeded INTEGER NOT NULL,
    rendered        TEXT,            -- digest of the rendered template
    rendered_bytes  INTEGER NOT NULL,
    capabilities    TEXT   NOT NULL, -- JSON list
    resource_types  TEXT   NOT NULL, -- JSON list
    retain          TEXT   NOT NULL, -- JSON list
    changes         TEXT   NOT NULL, -- JSON list
    outputs         TEXT   NOT NULL, -- JSON object
    attempt         INTEGER NOT NULL,
    requested_by    TEXT   NOT NULL,
    created_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    last_event      INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    changed         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_active ON deployment (target_id) WHERE active = 1;
CREATE INDEX deployment_target ON deployment (target_id, created_at);
CREATE INDEX deployment_connection ON deployment (connection_id) WHERE active = 1;

CREATE TABLE deployment_event (
    deployment_id TEXT   NOT NULL,
    sequence      INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    source        TEXT   NOT NULL, -- hub, agent, stack
    message       TEXT   NOT NULL,
    external_id   TEXT,            -- CloudFormation's event id: the same event reported twice is one
    event         TEXT,            -- JSON of the stack event
    PRIMARY KEY (deployment_id, sequence)
) STRICT;
CREATE UNIQUE INDEX deployment_event_once ON deployment_event (deployment_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE job (
    id            TEXT   NOT NULL PRIMARY KEY,
    account       TEXT   NOT NULL,
    region        TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    deployment_id TEXT,            -- NULL for work outside deployments
    kind          TEXT   NOT NULL, -- apply_stack, destroy_stack, revoke_stack, set_pull_policy
    label         TEXT   NOT NULL,
    payload       TEXT   NOT NULL, -- JSON
    status        TEXT   NOT NULL, -- READY, LEASED, FINISHED, VOID
    at            INTEGER NOT NULL, -- READY: not before; LEASED: expires; otherwise: when it ended
    holder        TEXT,            -- session, when LEASED
    started       INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    losses        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX job_ready ON job (account, region, at) WHERE status = 'READY';
CREATE INDEX job_leased ON job (at) WHERE status = 'LEASED';
CREATE INDEX job_deployment ON job (deployment_id);
CREATE INDEX job_held ON job (holder) WHERE status = 'LEASED';

-- One lane per ECR repository policy.
CREATE TABLE policy_lane (
    registry   TEXT   NOT NULL,
    region     TEXT   NOT NULL,
    repository TEXT   NOT NULL,
    state      TEXT   NOT NULL, -- hadron_domain::grant::PolicyLane
    reasons    TEXT   NOT NULL, -- JSON object: account to list of reasons
    job_id     TEXT,            -- the job that is writing
    checked_at INTEGER NOT NULL, -- when the policy was last written or found as wanted
    changed_at INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    PRIMARY KEY (registry, region, repository)
) STRICT;
CREATE INDEX policy_lane_job ON policy_lane (job_id);

-- What has to be done because of a change, written in the change's own transaction.
CREATE TABLE outbox (
    topic      TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    version    INTEGER NOT NULL, -- grows when it is asked for again while it is being done
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    last_error TEXT   NOT NULL,
    PRIMARY KEY (topic, key)
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at);

-- Answers to writes, so that the same request asked twice is done once.
CREATE TABLE idempotency (
    principal    TEXT    NOT NULL,
    request_id   TEXT    NOT NULL,
    operation    TEXT    NOT NULL,
    request_hash TEXT    NOT NULL,
    response     TEXT    NOT NULL, -- key of what was made
    created_at   INTEGER  NOT NULL,
    PRIMARY KEY (principal, request_id)
) STRICT;

CREATE TABLE audit (
    sequence  INTEGER NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    principal TEXT   NOT NULL,
    account   TEXT,
    action    TEXT   NOT NULL,
    object    TEXT   NOT NULL,
    outcome   TEXT   NOT NULL, -- done, denied
    detail    TEXT   NOT NULL
) STRICT;
