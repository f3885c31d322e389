-- Keys that secret values are sealed with, each wrapped by a key that is not in the database. A sealed value names its data key.
CREATE TABLE data_key (
    id          TEXT NOT NULL PRIMARY KEY,
    scope       TEXT NOT NULL, -- an account, or hub
    current     INTEGER NOT NULL, -- 1: values of the scope are sealed with it
    kek_version INTEGER NOT NULL, -- of the key that wraps it
    wrapped     BLOB NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX data_key_current ON data_key (scope) WHERE current = 1;
