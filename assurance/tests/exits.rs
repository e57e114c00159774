//! Every status and every relation of the clock: it is exhaustive, so there is no more to try.

use escrow_assurance::{Run, exits};

#[test]
fn who_can_do_what_and_when_is_what_the_design_says() {
    let figures = exits::check(&Run::quick()).unwrap_or_else(|error| panic!("{error:#}"));
    for figure in figures {
        println!("{figure}");
    }
}
