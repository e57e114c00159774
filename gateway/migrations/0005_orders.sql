-- What an owner calls an escrow: its own reference for it. Both are unique for an owner.
CREATE TABLE orders (
    owner TEXT NOT NULL,
    reference TEXT NOT NULL,
    escrow TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, reference),
    UNIQUE (owner, escrow)
);
CREATE INDEX orders_in_order ON orders (owner, created_at, reference);

-- What is asked about an owner's orders: a URL with {reference} in it.
CREATE TABLE order_sources (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    timeout_ms BIGINT NOT NULL,
    fresh_ms BIGINT NOT NULL,
    -- The name of a token in the settings, never the token.
    bearer TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (owner, name)
);
