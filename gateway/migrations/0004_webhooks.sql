-- Who is told of events: an owner's endpoint, and where in the log it stands.
CREATE TABLE webhook_endpoints (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Words with a space between them; none: all.
    kinds TEXT NOT NULL,
    escrows TEXT NOT NULL,
    -- 1: also what may yet be taken back.
    provisional BIGINT NOT NULL,
    -- Why nothing is sent: owner, or gone (it answered 410). Null: it is sent.
    off_because TEXT,
    -- The number of the last event for which it was decided whether it is delivered.
    position BIGINT NOT NULL,
    -- The receiver asked for a rest until then.
    rest_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_endpoints_in_order ON webhook_endpoints (owner, created_at, id);

-- With what it is signed. Readable, because it has to sign: whoever reads this table can pretend to be this gateway.
CREATE TABLE webhook_secrets (
    id TEXT PRIMARY KEY,
    endpoint TEXT NOT NULL REFERENCES webhook_endpoints (id),
    -- whsec_…
    shared TEXT NOT NULL,
    -- whsk_…
    private TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Null: the present one.
    expires_at BIGINT
);
CREATE INDEX webhook_secrets_of_an_endpoint ON webhook_secrets (endpoint, created_at);

-- What an endpoint is told of one escrow goes in order: one queue, which one worker at a time holds by its lease.
CREATE TABLE webhook_queues (
    endpoint TEXT NOT NULL REFERENCES webhook_endpoints (id),
    escrow TEXT NOT NULL,
    -- When the first that waits is attempted. Null: nothing waits, or it is parked.
    due_at BIGINT,
    -- How often the first that waits has failed.
    failures BIGINT NOT NULL,
    -- Since when nothing is attempted, because it failed too often.
    parked_at BIGINT,
    -- The lease: the fence grows with each holder.
    fence BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (endpoint, escrow)
);
CREATE INDEX webhook_queues_by_time ON webhook_queues (endpoint, due_at);

-- What is told to an endpoint. An event of the log cannot be deleted while a row here names it.
CREATE TABLE webhook_deliveries (
    endpoint TEXT NOT NULL REFERENCES webhook_endpoints (id),
    -- The header webhook-id: the same at every attempt, and for whoever is told of the event.
    id TEXT NOT NULL,
    escrow TEXT NOT NULL,
    number BIGINT NOT NULL REFERENCES events (number),
    kind TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    attempted_at BIGINT,
    -- Of the last attempt: what came back, or why nothing did.
    status BIGINT,
    error TEXT,
    -- Null: it waits.
    delivered_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (endpoint, id)
);
CREATE INDEX webhook_deliveries_that_wait ON webhook_deliveries (endpoint, escrow, number) WHERE delivered_at IS NULL;
CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries (endpoint, number);
CREATE INDEX webhook_deliveries_of_an_event ON webhook_deliveries (number);
