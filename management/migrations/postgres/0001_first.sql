-- Numbers that only grow: fencing tokens, the order of changes.
CREATE TABLE sequence (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Facts about this installation, one row each.
CREATE TABLE meta (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

-- Environment account connections, and the one by which the management account's own agent is known.
CREATE TABLE connection (
    id             TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    kind           TEXT COLLATE "C"   NOT NULL, -- environment, management
    environment    TEXT COLLATE "C"   NOT NULL, -- empty for the management account's own
    account        TEXT COLLATE "C"   NOT NULL,
    region         TEXT COLLATE "C"   NOT NULL,
    status         TEXT COLLATE "C"   NOT NULL, -- PENDING, CONNECTED, REJECTED, DELETED
    epoch          BIGINT NOT NULL,
    state          TEXT COLLATE "C"   NOT NULL, -- hadron_domain::connection::Connection
    pinned_role_id TEXT COLLATE "C",            -- AROA..., from the first enrolment after acceptance
    changed        BIGINT NOT NULL
);
CREATE UNIQUE INDEX connection_live ON connection (account, environment, region) WHERE status IN ('PENDING', 'CONNECTED');
CREATE UNIQUE INDEX connection_serves ON connection (environment) WHERE status = 'CONNECTED' AND kind = 'environment';

-- Challenges of enrolment and login: taken once, by deleting them.
CREATE TABLE challenge (
    id            TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    purpose       TEXT COLLATE "C"   NOT NULL, -- enrol, login
    connection_id TEXT COLLATE "C",
    spki          BYTEA,
    nonce         BYTEA NOT NULL,
    source        TEXT COLLATE "C"   NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX challenge_expiry ON challenge (expires_at);

-- Agents that have enrolled, with the session that they hold now.
CREATE TABLE agent (
    id              TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    connection_id   TEXT COLLATE "C"   NOT NULL REFERENCES connection (id),
    account         TEXT COLLATE "C"   NOT NULL,
    region          TEXT COLLATE "C"   NOT NULL,
    principal       TEXT COLLATE "C"   NOT NULL,
    key_fingerprint TEXT COLLATE "C"   NOT NULL,
    serial          TEXT COLLATE "C"   NOT NULL,
    not_after       BIGINT NOT NULL,
    epoch           BIGINT NOT NULL, -- of the connection when it enrolled
    version         TEXT COLLATE "C"   NOT NULL,
    session_id      TEXT COLLATE "C",            -- NULL while it is not connected
    enrolled_at     BIGINT NOT NULL,
    last_seen       BIGINT NOT NULL,
    changed         BIGINT NOT NULL
);
CREATE INDEX agent_connection ON agent (connection_id);
CREATE INDEX agent_session ON agent (session_id);

-- Bearer tokens. Only their digests are kept.
CREATE TABLE token (
    digest     TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C"   NOT NULL,
    principal  TEXT COLLATE "C"   NOT NULL,
    account    TEXT COLLATE "C",
    role       TEXT COLLATE "C"   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    disabled   BIGINT NOT NULL
);

-- Content by digest: bundles and rendered templates.
CREATE TABLE blob (
    digest     TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    bytes      BYTEA NOT NULL,
    created_at BIGINT  NOT NULL
);

CREATE TABLE template (
    kind         TEXT COLLATE "C"   NOT NULL, -- environment, service
    name         TEXT COLLATE "C"   NOT NULL,
    display_name TEXT COLLATE "C"   NOT NULL,
    description  TEXT COLLATE "C"   NOT NULL,
    no_pipeline  BIGINT NOT NULL,
    versions     TEXT COLLATE "C"   NOT NULL, -- hadron_domain::template::Versions
    created_at   BIGINT NOT NULL,
    modified_at  BIGINT NOT NULL,
    generation   BIGINT NOT NULL,
    changed      BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE template_version (
    kind        TEXT COLLATE "C"   NOT NULL,
    name        TEXT COLLATE "C"   NOT NULL,
    major       BIGINT NOT NULL,
    minor       BIGINT NOT NULL,
    description TEXT COLLATE "C"   NOT NULL,
    compatible  TEXT COLLATE "C"   NOT NULL, -- JSON list of NAME:MAJOR
    digest      TEXT COLLATE "C"   NOT NULL, -- of the bundle's content
    archive     TEXT COLLATE "C"   NOT NULL REFERENCES blob (digest),
    warnings    TEXT COLLATE "C"   NOT NULL, -- JSON list
    created_at  BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name, major, minor)
);

CREATE TABLE service (
    name          TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    template_name TEXT COLLATE "C"   NOT NULL,
    major         BIGINT NOT NULL,
    minor         BIGINT NOT NULL,
    description   TEXT COLLATE "C"   NOT NULL,
    spec          TEXT COLLATE "C"   NOT NULL,
    old_spec      TEXT COLLATE "C"   NOT NULL, -- of before the update that is under way
    status        TEXT COLLATE "C"   NOT NULL,
    message       TEXT COLLATE "C"   NOT NULL,
    doing         TEXT COLLATE "C"   NOT NULL, -- hadron_domain::service::Doing
    branch        TEXT COLLATE "C"   NOT NULL,
    repository    TEXT COLLATE "C"   NOT NULL,
    link          TEXT COLLATE "C"   NOT NULL, -- ARN of the CodeConnections connection
    created_at    BIGINT NOT NULL,
    modified_at   BIGINT NOT NULL,
    generation    BIGINT NOT NULL,
    changed       BIGINT NOT NULL
);

-- Whatever owns a stack: environments, service instances and pipelines.
CREATE TABLE target (
    id                TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    kind              TEXT COLLATE "C"   NOT NULL, -- environment, instance, pipeline
    environment       TEXT COLLATE "C"   NOT NULL, -- its name, or the one it lives in; empty for pipelines
    service           TEXT COLLATE "C"   NOT NULL, -- empty for environments
    instance          TEXT COLLATE "C"   NOT NULL, -- empty for environments and pipelines
    account           TEXT COLLATE "C"   NOT NULL,
    region            TEXT COLLATE "C"   NOT NULL,
    connection_id     TEXT COLLATE "C"   NOT NULL REFERENCES connection (id),
    template_name     TEXT COLLATE "C"   NOT NULL,
    major             BIGINT NOT NULL,
    minor             BIGINT NOT NULL,
    spec              TEXT COLLATE "C"   NOT NULL,
    description       TEXT COLLATE "C"   NOT NULL,
    stack_name        TEXT COLLATE "C"   NOT NULL,
    stack_arn         TEXT COLLATE "C",
    condemned         BIGINT NOT NULL, -- 1: the stack may be deleted at any moment, nothing may build on it
    ever_succeeded    BIGINT NOT NULL,
    part              TEXT COLLATE "C"   NOT NULL, -- hadron_domain::service::Part
    status            TEXT COLLATE "C"   NOT NULL,
    message           TEXT COLLATE "C"   NOT NULL,
    ways_out          TEXT COLLATE "C"   NOT NULL, -- JSON list
    warnings          TEXT COLLATE "C"   NOT NULL, -- JSON list
    outputs           TEXT COLLATE "C"   NOT NULL, -- JSON object
    resources         TEXT COLLATE "C"   NOT NULL, -- JSON list
    attempted_id      TEXT COLLATE "C",
    attempted_at      BIGINT,
    succeeded_id      TEXT COLLATE "C",
    succeeded_at      BIGINT,
    created_at        BIGINT NOT NULL,
    generation        BIGINT NOT NULL,
    changed           BIGINT NOT NULL
);
CREATE UNIQUE INDEX target_name ON target (kind, service, instance, environment) WHERE kind <> 'instance';
CREATE UNIQUE INDEX target_instance ON target (service, instance) WHERE kind = 'instance';
CREATE INDEX target_environment ON target (environment);
CREATE INDEX target_connection ON target (connection_id);

CREATE TABLE deployment (
    id              TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    target_id       TEXT COLLATE "C"   NOT NULL,
    kind            TEXT COLLATE "C"   NOT NULL, -- of the target
    environment     TEXT COLLATE "C"   NOT NULL,
    service         TEXT COLLATE "C"   NOT NULL,
    instance        TEXT COLLATE "C"   NOT NULL,
    active          BIGINT NOT NULL, -- 1 until it has ended
    state           TEXT COLLATE "C"   NOT NULL, -- hadron_domain::deployment::Deployment
    status          TEXT COLLATE "C"   NOT NULL,
    message         TEXT COLLATE "C"   NOT NULL,
    ways_out        TEXT COLLATE "C"   NOT NULL,
    account         TEXT COLLATE "C"   NOT NULL,
    region          TEXT COLLATE "C"   NOT NULL,
    connection_id   TEXT COLLATE "C"   NOT NULL,
    template_name   TEXT COLLATE "C"   NOT NULL,
    major           BIGINT NOT NULL,
    minor           BIGINT NOT NULL,
    spec            TEXT COLLATE "C"   NOT NULL,
    stack_name      TEXT COLLATE "C"   NOT NULL,
    stack_arn       TEXT COLLATE "C",
    never_succeeded BIGINT NOT NULL,
    rendered        TEXT COLLATE "C",            -- digest of the rendered template
    rendered_bytes  BIGINT NOT NULL,
    capabilities    TEXT COLLATE "C"   NOT NULL, -- JSON list
    resource_types  TEXT COLLATE "C"   NOT NULL, -- JSON list
    retain          TEXT COLLATE "C"   NOT NULL, -- JSON list
    changes         TEXT COLLATE "C"   NOT NULL, -- JSON list
    outputs         TEXT COLLATE "C"   NOT NULL, -- JSON object
    attempt         BIGINT NOT NULL,
    requested_by    TEXT COLLATE "C"   NOT NULL,
    created_at      BIGINT NOT NULL,
    ended_at        BIGINT,
    last_event      BIGINT NOT NULL,
    generation      BIGINT NOT NULL,
    changed         BIGINT NOT NULL
);
CREATE UNIQUE INDEX one_active ON deployment (target_id) WHERE active = 1;
CREATE INDEX deployment_target ON deployment (target_id, created_at);
CREATE INDEX deployment_connection ON deployment (connection_id) WHERE active = 1;

CREATE TABLE deployment_event (
    deployment_id TEXT COLLATE "C"   NOT NULL,
    sequence      BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    source        TEXT COLLATE "C"   NOT NULL, -- hub, agent, stack
    message       TEXT COLLATE "C"   NOT NULL,
    external_id   TEXT COLLATE "C",            -- CloudFormation's event id: the same event reported twice is one
    event         TEXT COLLATE "C",            -- JSON of the stack event
    PRIMARY KEY (deployment_id, sequence)
);
CREATE UNIQUE INDEX deployment_event_once ON deployment_event (deployment_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE job (
    id            TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    account       TEXT COLLATE "C"   NOT NULL,
    region        TEXT COLLATE "C"   NOT NULL,
    connection_id TEXT COLLATE "C"   NOT NULL,
    deployment_id TEXT COLLATE "C",            -- NULL for work outside deployments
    kind          TEXT COLLATE "C"   NOT NULL, -- apply_stack, destroy_stack, revoke_stack, set_pull_policy
    label         TEXT COLLATE "C"   NOT NULL,
    payload       TEXT COLLATE "C"   NOT NULL, -- JSON
    status        TEXT COLLATE "C"   NOT NULL, -- READY, LEASED, FINISHED, VOID
    at            BIGINT NOT NULL, -- READY: not before; LEASED: expires; otherwise: when it ended
    holder        TEXT COLLATE "C",            -- session, when LEASED
    started       BIGINT NOT NULL,
    fence         BIGINT NOT NULL,
    attempts      BIGINT NOT NULL,
    losses        BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX job_ready ON job (account, region, at) WHERE status = 'READY';
CREATE INDEX job_leased ON job (at) WHERE status = 'LEASED';
CREATE INDEX job_deployment ON job (deployment_id);
CREATE INDEX job_held ON job (holder) WHERE status = 'LEASED';

-- One lane per ECR repository policy.
CREATE TABLE policy_lane (
    registry   TEXT COLLATE "C"   NOT NULL,
    region     TEXT COLLATE "C"   NOT NULL,
    repository TEXT COLLATE "C"   NOT NULL,
    state      TEXT COLLATE "C"   NOT NULL, -- hadron_domain::grant::PolicyLane
    reasons    TEXT COLLATE "C"   NOT NULL, -- JSON object: account to list of reasons
    job_id     TEXT COLLATE "C",            -- the job that is writing
    checked_at BIGINT NOT NULL, -- when the policy was last written or found as wanted
    changed_at BIGINT NOT NULL,
    changed    BIGINT NOT NULL,
    PRIMARY KEY (registry, region, repository)
);
CREATE INDEX policy_lane_job ON policy_lane (job_id);

-- What has to be done because of a change, written in the change's own transaction.
CREATE TABLE outbox (
    topic      TEXT COLLATE "C"   NOT NULL,
    key        TEXT COLLATE "C"   NOT NULL,
    version    BIGINT NOT NULL, -- grows when it is asked for again while it is being done
    due_at     BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    last_error TEXT COLLATE "C"   NOT NULL,
    PRIMARY KEY (topic, key)
);
CREATE INDEX outbox_due ON outbox (due_at);

-- Answers to writes, so that the same request asked twice is done once.
CREATE TABLE idempotency (
    principal    TEXT COLLATE "C"    NOT NULL,
    request_id   TEXT COLLATE "C"    NOT NULL,
    operation    TEXT COLLATE "C"    NOT NULL,
    request_hash TEXT COLLATE "C"    NOT NULL,
    response     TEXT COLLATE "C"    NOT NULL, -- key of what was made
    created_at   BIGINT  NOT NULL,
    PRIMARY KEY (principal, request_id)
);

CREATE TABLE audit (
    sequence  BIGINT NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    principal TEXT COLLATE "C"   NOT NULL,
    account   TEXT COLLATE "C",
    action    TEXT COLLATE "C"   NOT NULL,
    object    TEXT COLLATE "C"   NOT NULL,
    outcome   TEXT COLLATE "C"   NOT NULL, -- done, denied
    detail    TEXT COLLATE "C"   NOT NULL
);
