-- How far copies of signed checkpoints have come that an agent keeps outside of the hub's reach.
CREATE TABLE checkpoint_copy (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- s3
    generation BIGINT NOT NULL,             -- of the last checkpoint that is there
    sequence   BIGINT NOT NULL,             -- its row
    attempts   BIGINT NOT NULL,             -- how often it was tried in vain since it last was not
    due_at     BIGINT NOT NULL,             -- nobody tries before
    job        TEXT COLLATE "C"                       -- the job that is at it
);
