-- Hub processes that work on this database, for people and for the metrics; nothing is decided by it.
CREATE TABLE replica (
    id         TEXT   NOT NULL PRIMARY KEY, -- of the process: a hub that starts again is another one
    name       TEXT   NOT NULL, -- of its machine
    version    TEXT   NOT NULL,
    addresses  TEXT   NOT NULL, -- JSON object: what it listens on
    started_at INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL
) STRICT;

-- Until when a hub has taken it upon itself to do what a row of the outbox asks for; 0: nobody has.
ALTER TABLE outbox ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;

-- How often agents gave a job back without having done anything to it. No attempt, and no loss.
ALTER TABLE job ADD COLUMN handovers INTEGER NOT NULL DEFAULT 0;

-- For whoever enrols: what its account and Region have asked for, be it rejected.
CREATE INDEX connection_account ON connection (account, region, id) WHERE status <> 'DELETED';
