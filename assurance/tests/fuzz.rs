//! What the check `fuzz` shows, with little effort: the corpus first, then new inputs.

use escrow_assurance::{Run, fuzz};

#[test]
fn nothing_that_others_send_makes_it_panic() {
    let figures = (fuzz::CHECK.run)(&Run::quick()).unwrap_or_else(|error| panic!("{error:#}"));
    for figure in figures {
        eprintln!("{figure}");
    }
}
