-- One-time links into the console, and the sessions that they open. Only digests of their texts are kept. What somebody may do is
-- not in here: that is asked of the token anew with each request.
CREATE TABLE console_session (
    digest     TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- of the text of the link or of the session
    kind       TEXT COLLATE "C" NOT NULL,             -- link or session
    token      TEXT COLLATE "C" NOT NULL,             -- digest of the bearer token that it stands for
    created_at BIGINT NOT NULL,
    idle_at    BIGINT NOT NULL,                       -- when it ends unless it is used
    ends_at    BIGINT NOT NULL                        -- when it ends at the latest
);
CREATE INDEX console_session_end ON console_session (ends_at);
