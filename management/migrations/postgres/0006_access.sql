-- Who plays which part where, beside what the configuration says.
CREATE TABLE binding (
    principal  TEXT COLLATE "C" NOT NULL, -- pattern of an ARN, token:<name> or key:<name>
    role       TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL, -- hub, account:<id>, environment:<name> or service:<name>
    pattern    BIGINT NOT NULL, -- 1: '*' in principal stands for anything
    created_by TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal, role, scope)
);
CREATE INDEX binding_pattern ON binding (pattern, principal);
