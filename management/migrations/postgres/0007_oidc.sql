-- Logins at an issuer of OpenID Connect that are under way. What is stored finishes none of them.
CREATE TABLE oidc_login (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- SHA-256 of the state
    issuer       TEXT COLLATE "C" NOT NULL,
    redirect_uri TEXT COLLATE "C" NOT NULL,
    challenge    TEXT COLLATE "C" NOT NULL, -- SHA-256 of what whoever began it holds
    nonce        TEXT COLLATE "C" NOT NULL,
    source       TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX oidc_login_expiry ON oidc_login (expires_at);

-- The groups of whoever logged in at an issuer, one on a line.
ALTER TABLE token ADD COLUMN member_of TEXT COLLATE "C" NOT NULL DEFAULT '';
