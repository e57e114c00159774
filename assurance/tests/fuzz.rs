//! What the check `fuzz` shows, with little effort: the corpus first, then new inputs.

#[test]
fn nothing_that_others_send_makes_it_panic() {
    escrow_assurance::fuzz::CHECK.test();
}
