//! Every status and every relation of the clock: it is exhaustive, so there is no more to try.

#[test]
fn who_can_do_what_and_when_is_what_the_design_says() {
    escrow_assurance::exits::CHECK.test();
}
