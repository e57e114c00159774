//! What the check `arithmetic` shows, with little effort; the proofs are complete, if the solver is there.

#[test]
fn shares_fees_counters_and_times_are_exact() {
    escrow_assurance::arithmetic::CHECK.test();
}
