-- Access keys of the Proton API: minted ones have a name, temporary ones a session. Secrets are sealed.
CREATE TABLE access_key (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL, -- empty for temporary keys
    principal    TEXT   NOT NULL,
    account      TEXT,
    role         TEXT   NOT NULL,
    secret       BLOB NOT NULL,
    key_version  INTEGER NOT NULL, -- of the sealing key
    session      TEXT   NOT NULL, -- digest of the session token; empty for minted keys
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    disabled     INTEGER NOT NULL
) STRICT;

-- Signatures of changes that were asked for lately, so that none counts twice.
CREATE TABLE replay (
    signature  TEXT   NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX replay_expiry ON replay (expires_at);
