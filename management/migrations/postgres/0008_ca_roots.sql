-- The roots of the hub's CA. At most one is active, at most one is its successor, at most one its predecessor; those that are
-- trusted no more stay, so that none comes back from an old copy of ca.pem.
CREATE TABLE ca_root (
    pin        TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- sha256:<hex> of its public key
    stage      TEXT COLLATE "C" NOT NULL, -- next, active, old, retired
    record     TEXT COLLATE "C" NOT NULL, -- certificate, key, stage and the rest, sealed: whoever writes the database makes no root of the hub's
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX ca_root_stage ON ca_root (stage) WHERE stage <> 'retired';
