-- The chain of the audit log: hash of the row before, length and canonical JSON of this row. NULL: written by a hub of a release
-- before this one. What they are is said by a row of the chain (action BeginAuditChain).
ALTER TABLE audit ADD COLUMN hash TEXT;
-- From where the call came.
ALTER TABLE audit ADD COLUMN request_id TEXT;
ALTER TABLE audit ADD COLUMN source TEXT;
ALTER TABLE audit ADD COLUMN user_agent TEXT;

-- For whoever looks for rows that are not pinned yet, and for the rows that pin them.
CREATE INDEX audit_bare ON audit (sequence) WHERE hash IS NULL;
CREATE INDEX audit_pin ON audit (sequence) WHERE action = 'BeginAuditChain';

-- Places of the chain, signed by a hub. Copies of them stand outside the database.
CREATE TABLE audit_checkpoint (
    sequence   INTEGER NOT NULL PRIMARY KEY,
    hub        TEXT NOT NULL,
    generation INTEGER NOT NULL, -- how often the database had been restored
    hash       TEXT NOT NULL,
    at         INTEGER NOT NULL,
    key_id     TEXT NOT NULL,
    signature  TEXT NOT NULL -- base64
) STRICT;
