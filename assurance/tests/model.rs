//! Random plays against the bytecode, and all orders of a small escrow's instructions.

use escrow_assurance::{Run, interleavings, play};

fn show(check: &escrow_assurance::Check) {
    println!("seed {}", Run::quick().seed);
    match (check.run)(&Run::quick()) {
        Ok(figures) => figures.iter().for_each(|figure| println!("{figure}")),
        Err(error) => panic!("{}: {error:#}", check.name),
    }
}

#[test]
fn the_bytecode_does_what_the_reference_model_says() {
    show(&play::CHECK);
}

#[test]
fn all_orders_of_decisions_lead_to_the_same_and_one_exit_is_open_in_each_state() {
    show(&interleavings::CHECK);
}
