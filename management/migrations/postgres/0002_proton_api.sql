-- What Proton's API knows and the first schema did not.

ALTER TABLE template ADD COLUMN customer_managed BIGINT NOT NULL DEFAULT 0; -- environment templates that describe what others provision
ALTER TABLE template ADD COLUMN encryption_key TEXT COLLATE "C" NOT NULL DEFAULT '';

-- A version has no content while its bundle is being fetched.
ALTER TABLE template_version ALTER COLUMN digest DROP NOT NULL;
ALTER TABLE template_version ALTER COLUMN archive DROP NOT NULL;
ALTER TABLE template_version ADD COLUMN schema TEXT COLLATE "C" NOT NULL DEFAULT ''; -- the schema file
ALTER TABLE template_version ADD COLUMN components BIGINT NOT NULL DEFAULT 0; -- 1: directly defined components may be attached to its instances
ALTER TABLE template_version ADD COLUMN source TEXT COLLATE "C" NOT NULL DEFAULT ''; -- JSON: where the bundle is to be fetched; empty when it came with the request
ALTER TABLE template_version ADD COLUMN job TEXT COLLATE "C"; -- that fetches the bundle, until it is registered or refused
CREATE INDEX template_version_job ON template_version (job);

-- What an agent fetched for a job and nobody has checked yet.
CREATE TABLE upload (
    job        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest     TEXT COLLATE "C" NOT NULL,
    bytes      BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);

ALTER TABLE target ADD COLUMN provisioning TEXT COLLATE "C" NOT NULL DEFAULT 'stack'; -- stack, customer_managed
ALTER TABLE target ADD COLUMN roles TEXT COLLATE "C" NOT NULL DEFAULT '{}'; -- store::targets::EnvironmentRoles
ALTER TABLE target ADD COLUMN client_token TEXT COLLATE "C" NOT NULL DEFAULT ''; -- of the last request that carried one
CREATE INDEX target_template ON target (template_name, major, minor);
CREATE INDEX target_service ON target (service, kind, instance);
-- One for each order in which instances can be listed; target_instance is the one by service.
CREATE INDEX instance_name ON target (instance, service) WHERE kind = 'instance';
CREATE INDEX instance_status ON target (status, service, instance) WHERE kind = 'instance';
CREATE INDEX instance_template ON target (template_name, service, instance) WHERE kind = 'instance';
CREATE INDEX instance_environment ON target (environment, service, instance) WHERE kind = 'instance';
CREATE INDEX instance_attempted ON target ((COALESCE(attempted_at, created_at)), service, instance) WHERE kind = 'instance';
CREATE INDEX instance_created ON target (created_at, service, instance) WHERE kind = 'instance';
CREATE INDEX target_component ON target (instance) WHERE kind = 'component';
CREATE INDEX connection_management ON connection (id) WHERE kind = 'management';

ALTER TABLE deployment ADD COLUMN initial_state TEXT COLLATE "C" NOT NULL DEFAULT ''; -- store::deployments::State; empty when there was none
ALTER TABLE deployment ADD COLUMN target_state TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE deployment ADD COLUMN target_created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployment ADD COLUMN attempted_before TEXT COLLATE "C"; -- the target's last deployment when this one began
ALTER TABLE deployment ADD COLUMN succeeded_before TEXT COLLATE "C"; -- the target's last successful one when this one began
CREATE INDEX deployment_environment ON deployment (environment, id);
CREATE INDEX deployment_service ON deployment (service, id);
CREATE INDEX deployment_instance ON deployment (service, instance, id);
CREATE INDEX deployment_kind ON deployment (kind, instance, id);
CREATE INDEX deployment_active ON deployment (id) WHERE active = 1;

-- What only components have; their stacks are targets of kind component.
CREATE TABLE component (
    name          TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    service       TEXT COLLATE "C"   NOT NULL, -- empty while it is not attached
    instance      TEXT COLLATE "C"   NOT NULL,
    service_spec  TEXT COLLATE "C"   NOT NULL,
    manifest      TEXT COLLATE "C"   NOT NULL,
    template_file TEXT COLLATE "C"   NOT NULL,
    modified_at   BIGINT NOT NULL,
    generation    BIGINT NOT NULL
);
CREATE UNIQUE INDEX component_attached ON component (service, instance) WHERE service <> '';

-- Tags that people gave; managed ones follow from what the thing is.
CREATE TABLE tag (
    resource TEXT COLLATE "C"   NOT NULL, -- what its ARN ends with, such as environment/prd
    key      TEXT COLLATE "C"   NOT NULL,
    value    TEXT COLLATE "C"   NOT NULL,
    PRIMARY KEY (resource, key)
);

-- Linked source repositories.
CREATE TABLE repository (
    provider       TEXT COLLATE "C"   NOT NULL, -- GITHUB, GITHUB_ENTERPRISE, BITBUCKET
    name           TEXT COLLATE "C"   NOT NULL, -- OWNER/NAME
    connection_arn TEXT COLLATE "C"   NOT NULL,
    encryption_key TEXT COLLATE "C"   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (provider, name)
);

-- Which branch templates and services follow.
CREATE TABLE sync_config (
    kind        TEXT COLLATE "C"   NOT NULL, -- environment_template, service_template, service
    name        TEXT COLLATE "C"   NOT NULL,
    provider    TEXT COLLATE "C"   NOT NULL,
    repository  TEXT COLLATE "C"   NOT NULL,
    branch      TEXT COLLATE "C"   NOT NULL,
    path        TEXT COLLATE "C"   NOT NULL, -- templates: subdirectory, may be empty; services: the ops file
    created_at  BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX sync_config_repository ON sync_config (provider, repository);

-- What keeps a service or an instance from being synced.
CREATE TABLE sync_blocker (
    id              TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    service         TEXT COLLATE "C"   NOT NULL,
    instance        TEXT COLLATE "C"   NOT NULL, -- empty: the whole service
    status          TEXT COLLATE "C"   NOT NULL, -- ACTIVE, RESOLVED
    reason          TEXT COLLATE "C"   NOT NULL,
    contexts        TEXT COLLATE "C"   NOT NULL, -- JSON object
    created_at      BIGINT NOT NULL,
    resolved_at     BIGINT,
    resolved_reason TEXT COLLATE "C"   NOT NULL
);
CREATE INDEX sync_blocker_service ON sync_blocker (service, instance);

-- What people decided for the whole account; one row each.
CREATE TABLE setting (
    name       TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    value      TEXT COLLATE "C"   NOT NULL, -- JSON
    changed_by TEXT COLLATE "C"   NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Keys that requests to Proton's API are signed with. The secret is sealed: to check a signature it has to be known.
CREATE TABLE access_key (
    id           TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    name         TEXT COLLATE "C"   NOT NULL, -- empty for those that a login gave
    principal    TEXT COLLATE "C"   NOT NULL,
    account      TEXT COLLATE "C",
    role         TEXT COLLATE "C"   NOT NULL,
    secret       BYTEA   NOT NULL,
    key_version  BIGINT NOT NULL,
    session      TEXT COLLATE "C"   NOT NULL, -- sha256 of the session token; empty for minted ones
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    disabled     BIGINT NOT NULL
);
CREATE INDEX access_key_expiry ON access_key (expires_at);

-- Signatures of requests that changed something: each counts once.
CREATE TABLE replay (
    signature  TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replay_expiry ON replay (expires_at);

-- Which request made a thing that its name identifies, so that the same request asked again is answered with it.
CREATE TABLE creation (
    kind TEXT COLLATE "C"   NOT NULL,
    name TEXT COLLATE "C"   NOT NULL,
    hash TEXT COLLATE "C"   NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Changes of status that others are told about, for as long as they may still be told.
CREATE TABLE event (
    sequence    BIGINT NOT NULL PRIMARY KEY, -- drawn from the sequence of changes
    id          TEXT COLLATE "C"   NOT NULL,
    at          BIGINT NOT NULL,
    resource    TEXT COLLATE "C"   NOT NULL, -- what its ARN ends with
    account     TEXT COLLATE "C", -- of the ARN, where it is not the hub's
    region      TEXT COLLATE "C",
    detail_type TEXT COLLATE "C"   NOT NULL,
    detail      TEXT COLLATE "C"   NOT NULL -- JSON
);
CREATE INDEX event_at ON event (at);

-- Those who are told about them, and how far they have been told.
CREATE TABLE event_sink (
    name       TEXT COLLATE "C"   NOT NULL PRIMARY KEY, -- webhook, put_events
    told       BIGINT NOT NULL, -- every event up to this one, but for those in again
    again      TEXT COLLATE "C"   NOT NULL, -- JSON list of events that were refused and are offered once more
    attempts   BIGINT NOT NULL, -- in vain, since the last that was not
    due_at     BIGINT NOT NULL, -- not before; whoever tells claims it by moving this
    job        TEXT COLLATE "C", -- the job that is telling
    last_error TEXT COLLATE "C"   NOT NULL
);
