//! The substitution matrix, in full: it is exhaustive, so there is no more to try.

use escrow_assurance::{Run, substitution};

#[test]
fn every_substitution_is_refused_or_justified_by_name() {
    let figures = substitution::check(&Run::quick()).unwrap_or_else(|error| panic!("{error:#}"));
    for figure in figures {
        println!("{figure}");
    }
}
