//! Random plays against the bytecode, and all orders of a small escrow's instructions.

use escrow_assurance::{interleavings, play};

#[test]
fn the_bytecode_does_what_the_reference_model_says() {
    play::CHECK.test();
}

#[test]
fn all_orders_of_decisions_lead_to_the_same_and_one_exit_is_open_in_each_state() {
    interleavings::CHECK.test();
}
