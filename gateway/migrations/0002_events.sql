-- What happened to escrows, in the order in which it was learned. It is written in the change that learns it, so it is the outbox of
-- all who are told. Only the holder of the index's lease writes, in a change that touches that lease's row first: so a number never
-- becomes visible after a higher one.
CREATE TABLE events (
    number BIGINT PRIMARY KEY,
    -- The same for ever, and whoever tells it. Of a provisional event that becomes final there are two rows.
    id TEXT NOT NULL,
    -- provisional, final or reverted.
    finality TEXT NOT NULL,
    kind TEXT NOT NULL,
    escrow TEXT NOT NULL,
    slot BIGINT NOT NULL,
    -- As clients are told it: JSON.
    body TEXT NOT NULL,
    learned_at BIGINT NOT NULL,
    UNIQUE (id, finality)
);
CREATE INDEX events_of_an_escrow ON events (escrow, number);
CREATE INDEX events_by_age ON events (learned_at);
