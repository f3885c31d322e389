-- What Proton's API knows and the first schema did not.

ALTER TABLE template ADD COLUMN customer_managed INTEGER NOT NULL DEFAULT 0; -- environment templates that describe what others provision
ALTER TABLE template ADD COLUMN encryption_key TEXT NOT NULL DEFAULT '';

-- A version has no content while its bundle is being fetched. SQLite cannot take a NOT NULL away, so the table is made anew.
CREATE TABLE template_version_next (
    kind        TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    major       INTEGER NOT NULL,
    minor       INTEGER NOT NULL,
    description TEXT   NOT NULL,
    compatible  TEXT   NOT NULL, -- JSON list of NAME:MAJOR
    digest      TEXT, -- of the bundle's content
    archive     TEXT REFERENCES blob (digest),
    warnings    TEXT   NOT NULL, -- JSON list
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    schema      TEXT   NOT NULL DEFAULT '', -- the schema file
    components  INTEGER NOT NULL DEFAULT 0, -- 1: directly defined components may be attached to its instances
    source      TEXT   NOT NULL DEFAULT '', -- JSON: where the bundle is to be fetched; empty when it came with the request
    job         TEXT, -- that fetches the bundle, until it is registered or refused
    PRIMARY KEY (kind, name, major, minor)
) STRICT;
INSERT INTO template_version_next
    SELECT kind, name, major, minor, description, compatible, digest, archive, warnings, created_at, modified_at, '', 0, '', NULL
    FROM template_version;
DROP TABLE template_version;
ALTER TABLE template_version_next RENAME TO template_version;
CREATE INDEX template_version_job ON template_version (job);

-- What an agent fetched for a job and nobody has checked yet.
CREATE TABLE upload (
    job        TEXT   NOT NULL PRIMARY KEY,
    digest     TEXT   NOT NULL,
    bytes      BLOB   NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

ALTER TABLE target ADD COLUMN provisioning TEXT NOT NULL DEFAULT 'stack'; -- stack, customer_managed
ALTER TABLE target ADD COLUMN roles TEXT NOT NULL DEFAULT '{}'; -- store::targets::EnvironmentRoles
ALTER TABLE target ADD COLUMN client_token TEXT NOT NULL DEFAULT ''; -- of the last request that carried one
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

ALTER TABLE deployment ADD COLUMN initial_state TEXT NOT NULL DEFAULT ''; -- store::deployments::State; empty when there was none
ALTER TABLE deployment ADD COLUMN target_state TEXT NOT NULL DEFAULT '';
ALTER TABLE deployment ADD COLUMN target_created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deployment ADD COLUMN attempted_before TEXT; -- the target's last deployment when this one began
ALTER TABLE deployment ADD COLUMN succeeded_before TEXT; -- the target's last successful one when this one began
CREATE INDEX deployment_environment ON deployment (environment, id);
CREATE INDEX deployment_service ON deployment (service, id);
CREATE INDEX deployment_instance ON deployment (service, instance, id);
CREATE INDEX deployment_kind ON deployment (kind, instance, id);
CREATE INDEX deployment_active ON deployment (id) WHERE active = 1;

-- What only components have; their stacks are targets of kind component.
CREATE TABLE component (
    name          TEXT   NOT NULL PRIMARY KEY,
    service       TEXT   NOT NULL, -- empty while it is not attached
    instance      TEXT   NOT NULL,
    service_spec  TEXT   NOT NULL,
    manifest      TEXT   NOT NULL,
    template_file TEXT   NOT NULL,
    modified_at   INTEGER NOT NULL,
    generation    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX component_attached ON component (service, instance) WHERE service <> '';

-- Tags that people gave; managed ones follow from what the thing is.
CREATE TABLE tag (
    resource TEXT   NOT NULL, -- what its ARN ends with, such as environment/prd
    key      TEXT   NOT NULL,
    value    TEXT   NOT NULL,
    PRIMARY KEY (resource, key)
) STRICT;

-- Linked source repositories.
CREATE TABLE repository (
    provider       TEXT   NOT NULL, -- GITHUB, GITHUB_ENTERPRISE, BITBUCKET
    name           TEXT   NOT NULL, -- OWNER/NAME
    connection_arn TEXT   NOT NULL,
    encryption_key TEXT   NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (provider, name)
) STRICT;

-- Which branch templates and services follow.
CREATE TABLE sync_config (
    kind        TEXT   NOT NULL, -- environment_template, service_template, service
    name        TEXT   NOT NULL,
    provider    TEXT   NOT NULL,
    repository  TEXT   NOT NULL,
    branch      TEXT   NOT NULL,
    path        TEXT   NOT NULL, -- templates: subdirectory, may be empty; services: the ops file
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;
CREATE INDEX sync_config_repository ON sync_config (provider, repository);

-- What keeps a service or an instance from being synced.
CREATE TABLE sync_blocker (
    id              TEXT   NOT NULL PRIMARY KEY,
    service         TEXT   NOT NULL,
    instance        TEXT   NOT NULL, -- empty: the whole service
    status          TEXT   NOT NULL, -- ACTIVE, RESOLVED
    reason          TEXT   NOT NULL,
    contexts        TEXT   NOT NULL, -- JSON object
    created_at      INTEGER NOT NULL,
    resolved_at     INTEGER,
    resolved_reason TEXT   NOT NULL
) STRICT;
CREATE INDEX sync_blocker_service ON sync_blocker (service, instance);

-- What people decided for the whole account; one row each.
CREATE TABLE setting (
    name       TEXT   NOT NULL PRIMARY KEY,
    value      TEXT   NOT NULL, -- JSON
    changed_by TEXT   NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- Keys that requests to Proton's API are signed with. The secret is sealed: to check a signature it has to be known.
CREATE TABLE access_key (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL, -- empty for those that a login gave
    principal    TEXT   NOT NULL,
    account      TEXT,
    role         TEXT   NOT NULL,
    secret       BLOB   NOT NULL,
    key_version  INTEGER NOT NULL,
    session      TEXT   NOT NULL, -- sha256 of the session token; empty for minted ones
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    disabled     INTEGER NOT NULL
) STRICT;
CREATE INDEX access_key_expiry ON access_key (expires_at);

-- Signatures of requests that changed something: each counts once.
CREATE TABLE replay (
    signature  TEXT   NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX replay_expiry ON replay (expires_at);

-- Which request made a thing that its name identifies, so that the same request asked again is answered with it.
CREATE TABLE creation (
    kind TEXT   NOT NULL,
    name TEXT   NOT NULL,
    hash TEXT   NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;

-- Changes of status that others are told about, for as long as they may still be told.
CREATE TABLE event (
    sequence    INTEGER NOT NULL PRIMARY KEY, -- drawn from the sequence of changes
    id          TEXT   NOT NULL,
    at          INTEGER NOT NULL,
    resource    TEXT   NOT NULL, -- what its ARN ends with
    account     TEXT, -- of the ARN, where it is not the hub's
    region      TEXT,
    detail_type TEXT   NOT NULL,
    detail      TEXT   NOT NULL -- JSON
) STRICT;
CREATE INDEX event_at ON event (at);

-- Those who are told about them, and how far they have been told.
CREATE TABLE event_sink (
    name       TEXT   NOT NULL PRIMARY KEY, -- webhook, put_events
    told       INTEGER NOT NULL, -- every event up to this one, but for those in again
    again      TEXT   NOT NULL, -- JSON list of events that were refused and are offered once more
    attempts   INTEGER NOT NULL, -- in vain, since the last that was not
    due_at     INTEGER NOT NULL, -- not before; whoever tells claims it by moving this
    job        TEXT, -- the job that is telling
    last_error TEXT   NOT NULL
) STRICT;
