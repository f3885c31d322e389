-- Access keys of the Proton API: minted ones have a name, temporary ones a session. Secrets are sealed.
CREATE TABLE access_key (
    id           TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    name         TEXT COLLATE "C"   NOT NULL, -- empty for temporary keys
    principal    TEXT COLLATE "C"   NOT NULL,
    account      TEXT COLLATE "C",
    role         TEXT COLLATE "C"   NOT NULL,
    secret       BYTEA NOT NULL,
    key_version  BIGINT NOT NULL, -- of the sealing key
    session      TEXT COLLATE "C"   NOT NULL, -- digest of the session token; empty for minted keys
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    disabled     BIGINT NOT NULL
);

-- Signatures of changes that were asked for lately, so that none counts twice.
CREATE TABLE replay (
    signature  TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replay_expiry ON replay (expires_at);
