//! The substitution matrix, in full: it is exhaustive, so there is no more to try.

#[test]
fn every_substitution_is_refused_or_justified_by_name() {
    escrow_assurance::substitution::CHECK.test();
}
