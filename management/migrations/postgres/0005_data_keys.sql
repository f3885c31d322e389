-- Keys that secret values are sealed with, each wrapped by a key that is not in the database. A sealed value names its data key.
CREATE TABLE data_key (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    scope       TEXT COLLATE "C" NOT NULL, -- an account, or hub
    current     BIGINT NOT NULL, -- 1: values of the scope are sealed with it
    kek_version BIGINT NOT NULL, -- of the key that wraps it
    wrapped     BYTEA NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX data_key_current ON data_key (scope) WHERE current = 1;
