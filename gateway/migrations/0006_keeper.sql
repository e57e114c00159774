-- The keeper: its own transactions in the journal, what it may spend, and what its processes tell.

-- Whose it is: wallets' that were submitted, or the keeper's own. Each has its own worker.
ALTER TABLE intentions ADD COLUMN kind TEXT NOT NULL DEFAULT 'wallet';
CREATE INDEX intentions_of_a_kind ON intentions (kind, unresolved);

-- What was spent in a day, by who pays: processes that share a keypair share a budget. The text is the client's.
CREATE TABLE keeper_budgets (
    payer TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    spent TEXT NOT NULL
);

-- What each process told last, as JSON.
CREATE TABLE keeper_processes (
    process TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    report TEXT NOT NULL
);
