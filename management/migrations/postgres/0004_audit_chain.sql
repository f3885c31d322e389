-- The chain of the audit log: hash of the row before, length and canonical JSON of this row. NULL: written by a hub of a release
-- before this one. What they are is said by a row of the chain (action BeginAuditChain).
ALTER TABLE audit ADD COLUMN hash TEXT COLLATE "C";
-- From where the call came.
ALTER TABLE audit ADD COLUMN request_id TEXT COLLATE "C";
ALTER TABLE audit ADD COLUMN source TEXT COLLATE "C";
ALTER TABLE audit ADD COLUMN user_agent TEXT COLLATE "C";

-- For whoever looks for rows that are not pinned yet, and for the rows that pin them.
CREATE INDEX audit_bare ON audit (sequence) WHERE hash IS NULL;
CREATE INDEX audit_pin ON audit (sequence) WHERE action = 'BeginAuditChain';

-- Places of the chain, signed by a hub. Copies of them stand outside the database.
CREATE TABLE audit_checkpoint (
    sequence   BIGINT NOT NULL PRIMARY KEY,
    hub        TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL, -- how often the database had been restored
    hash       TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    key_id     TEXT COLLATE "C" NOT NULL,
    signature  TEXT COLLATE "C" NOT NULL -- base64
);
