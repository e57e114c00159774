-- The index: all escrows of the program, as finalized transactions made them. A generation is the whole of it; another one is built
-- beside the one that serves. Slots are numbers below 2^63, times unix seconds, and what the gateway's own clock says milliseconds.
CREATE TABLE index_generations (
    generation BIGINT PRIMARY KEY,
    -- building, serving or retired.
    stage TEXT NOT NULL,
    -- Everything up to this slot is in it, and the chain's time then.
    floor BIGINT NOT NULL,
    floor_time BIGINT NOT NULL,
    -- When it last had everything up to the newest finalized slot; 0: never.
    complete_at BIGINT NOT NULL,
    -- Why it does not come further; empty where it does.
    trouble TEXT NOT NULL,
    -- When all rows were last held against the accounts.
    reconciled_at BIGINT NOT NULL
);

CREATE TABLE escrows (
    generation BIGINT NOT NULL,
    address TEXT NOT NULL,
    -- Everything up to this slot is in it.
    slot BIGINT NOT NULL,
    -- Where the engine has come to with it, and the account as it stands: what a listener keeps.
    position TEXT NOT NULL,
    -- created, funded, settled or closed.
    status TEXT NOT NULL,
    mint TEXT NOT NULL,
    document_hash TEXT NOT NULL,
    fund_by BIGINT NOT NULL,
    next_deadline BIGINT,
    -- Whose turn it is, as words with a bar around each, until the moment look_at.
    attention TEXT NOT NULL,
    -- When time alone changes something of it, or a deadline comes near; none: never.
    look_at BIGINT,
    -- When there is first something that anyone may do; none: never.
    due_at BIGINT,
    PRIMARY KEY (generation, address)
);
CREATE INDEX escrows_in_order ON escrows (generation, fund_by, address);
CREATE INDEX escrows_to_look_at ON escrows (generation, look_at);
CREATE INDEX escrows_due ON escrows (generation, due_at);

-- By what escrows are found, in the order of lists: `party:ADDRESS` with its roles, `mint:ADDRESS`, `document:HASH`.
CREATE TABLE escrow_names (
    generation BIGINT NOT NULL,
    name TEXT NOT NULL,
    fund_by BIGINT NOT NULL,
    address TEXT NOT NULL,
    roles TEXT NOT NULL,
    PRIMARY KEY (generation, name, fund_by, address)
);

-- Transactions that name the program and cannot be read. They are tried again; until then nobody knows what they did.
CREATE TABLE dead_letters (
    generation BIGINT NOT NULL,
    signature TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    tried_at BIGINT NOT NULL,
    PRIMARY KEY (generation, signature)
);

-- An event that is older than what is kept has no body any more. Its name stays, so that it is never told again.
CREATE INDEX events_kept ON events (number) WHERE body <> '';
