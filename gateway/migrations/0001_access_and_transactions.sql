-- One text for SQLite and Postgres: columns are BIGINT or TEXT alone; times are milliseconds since the Unix epoch.

-- API keys and wallets' sessions: who may do what.
CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX credentials_in_order ON credentials (kind, created_at, id);

-- What a wallet is asked to sign to sign in. A row is deleted when it is used.
CREATE TABLE challenges (
    nonce TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    message TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- What an idempotency key was answered. In flight while status is null and until lies ahead.
CREATE TABLE idempotency (
    principal TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    fence BIGINT NOT NULL,
    until BIGINT NOT NULL,
    status BIGINT,
    location TEXT,
    body TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal, route, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- What was prepared for wallets. The version grows with each change, and a change names the one that it was made of.
CREATE TABLE transactions (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    version BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    prepared TEXT NOT NULL,
    wire TEXT NOT NULL,
    lifetime TEXT NOT NULL,
    signature TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX transactions_by_signature ON transactions (signature);

-- The journal of what was signed: the entries of one intention, as JSON. See docs/journal.md.
CREATE TABLE intentions (
    fingerprint TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    entries TEXT NOT NULL,
    unresolved BIGINT NOT NULL
);
CREATE INDEX intentions_unresolved ON intentions (unresolved);

-- Who does what only one need do.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    fence BIGINT NOT NULL,
    until BIGINT NOT NULL
);
