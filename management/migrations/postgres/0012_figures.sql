-- What deployments came to: how many ended in which way, and after how long. Counted as they end, so that it neither falls when
-- records of deployments are removed nor has to read them all.
CREATE TABLE deployment_tally (
    kind          TEXT COLLATE "C" NOT NULL, -- of what was deployed
    template_name TEXT COLLATE "C" NOT NULL, -- empty for components
    outcome       TEXT COLLATE "C" NOT NULL, -- the last status
    within        BIGINT NOT NULL, -- seconds: the limit that they stayed below; 0: longer than all of them
    ended         BIGINT NOT NULL, -- how many
    took          BIGINT NOT NULL, -- microseconds, all together
    PRIMARY KEY (kind, template_name, outcome, within)
);

-- For the plots of the last thirty days. The tables that it is on can be large: on PostgreSQL writes wait while it is built.
CREATE INDEX deployment_ended ON deployment (ended_at) WHERE ended_at IS NOT NULL;

-- How the queue and the agents were, minute by minute, for thirty days.
CREATE TABLE sample (
    at           BIGINT NOT NULL PRIMARY KEY, -- a whole minute
    jobs_ready   BIGINT NOT NULL, -- that an agent could have taken
    jobs_leased  BIGINT NOT NULL, -- that agents had
    oldest_ready BIGINT NOT NULL, -- microseconds that the first of the ready ones had waited
    deployments  BIGINT NOT NULL, -- that had not ended
    agents       BIGINT NOT NULL, -- that were enrolled
    agents_live  BIGINT NOT NULL  -- that had a session
);

-- The trace of the call that something was begun by, as a W3C traceparent; empty: none.
ALTER TABLE deployment ADD COLUMN trace TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN trace TEXT COLLATE "C" NOT NULL DEFAULT '';
