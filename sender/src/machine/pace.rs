//! Every duration, in one place, so that a test need not wait real minutes.

/// How long things take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between a node's answer and the next question to it.
    pub poll: u64,
    /// How long an answer may take before the node is asked again.
    pub answer: u64,
    /// Between two sends of the same bytes: networks drop some.
    pub resend: u64,
    /// How long a node that differs from enough others has to agree with them before they outvote it.
    pub patience: u64,
    /// After which a transaction's outcome is given as unknown. Longer than a block hash lives and a block takes to be
    /// final, about 80 s on an ordinary day, and the patience.
    pub limit: u64,
    /// How long the same command counts as a repetition after it succeeded.
    pub recent: u64,
    /// How long a claim on an intention lasts after who made it has died: the next process waits for that.
    pub claim: u64,
}

impl Pace {
    /// For a chain of one's own whose blocks take so many milliseconds: a block hash lives for 150 of them.
    pub const fn of_blocks(block: u64) -> Self {
        Self {
            poll: block.saturating_mul(2),
            answer: block.saturating_mul(60),
            resend: block.saturating_mul(10),
            patience: block.saturating_mul(60),
            limit: block.saturating_mul(700),
            recent: 600_000,
            claim: block.saturating_mul(150),
        }
    }
}

impl Default for Pace {
    /// For Solana's public clusters.
    fn default() -> Self {
        Self {
            poll: 400,
            answer: 10_000,
            resend: 2_000,
            patience: 20_000,
            limit: 180_000,
            recent: 600_000,
            claim: 60_000,
        }
    }
}
