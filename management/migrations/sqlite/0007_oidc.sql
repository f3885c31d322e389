-- Logins at an issuer of OpenID Connect that are under way. What is stored finishes none of them.
CREATE TABLE oidc_login (
    id           TEXT    NOT NULL PRIMARY KEY, -- SHA-256 of the state
    issuer       TEXT    NOT NULL,
    redirect_uri TEXT    NOT NULL,
    challenge    TEXT    NOT NULL, -- SHA-256 of what whoever began it holds
    nonce        TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX oidc_login_expiry ON oidc_login (expires_at);

-- The groups of whoever logged in at an issuer, one on a line.
ALTER TABLE token ADD COLUMN member_of TEXT NOT NULL DEFAULT '';
