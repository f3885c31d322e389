-- Who plays which part where, beside what the configuration says.
CREATE TABLE binding (
    principal  TEXT    NOT NULL, -- pattern of an ARN, token:<name> or key:<name>
    role       TEXT    NOT NULL,
    scope      TEXT    NOT NULL, -- hub, account:<id>, environment:<name> or service:<name>
    pattern    INTEGER NOT NULL, -- 1: '*' in principal stands for anything
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal, role, scope)
) STRICT;
CREATE INDEX binding_pattern ON binding (pattern, principal);
