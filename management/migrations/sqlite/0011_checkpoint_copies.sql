-- How far copies of signed checkpoints have come that an agent keeps outside of the hub's reach.
CREATE TABLE checkpoint_copy (
    name       TEXT NOT NULL PRIMARY KEY, -- s3
    generation INTEGER NOT NULL,             -- of the last checkpoint that is there
    sequence   INTEGER NOT NULL,             -- its row
    attempts   INTEGER NOT NULL,             -- how often it was tried in vain since it last was not
    due_at     INTEGER NOT NULL,             -- nobody tries before
    job        TEXT                       -- the job that is at it
) STRICT;
