//! What the check `arithmetic` shows, with little effort; the proofs are complete, if the solver is there.

use escrow_assurance::{Run, arithmetic};

#[test]
fn shares_fees_counters_and_times_are_exact() {
    let figures = (arithmetic::CHECK.run)(&Run::quick()).unwrap_or_else(|error| panic!("{error:#}"));
    for figure in figures {
        eprintln!("{figure}");
    }
}
