//! One file per instruction: its accounts, who may call it, and what it does around the rule in [`crate::state`].

use anchor_lang::{accounts::Slab, prelude::*};

use crate::{
    error::EscrowError,
    state::{Escrow, Milestone},
};

pub mod accept;
pub mod cancel;
pub mod claim;
pub mod close;
pub mod create;
pub mod deliver;
pub mod dispute;
pub mod expire;
pub mod fund;
pub mod propose;
pub mod refund;
pub mod release;
pub mod rule;
pub mod withdraw;

// Everything, because Anchor's `#[program]` looks here for modules that `#[derive(Accounts)]` generates.
pub use {
    accept::*, cancel::*, claim::*, close::*, create::*, deliver::*, dispute::*, expire::*, fund::*, propose::*,
    refund::*, release::*, rule::*, withdraw::*,
};

/// The escrow account: the header and its milestones. Loading it checks the owner, the discriminator and the size.
///
/// Not checked: the address. Only `create` makes accounts of this program, and only at their derived addresses.
pub type EscrowAccount = Slab<Escrow, Milestone>;

/// The present time, in unix seconds.
fn now() -> Result<i64> {
    use anchor_lang::solana_program::sysvar::Sysvar;
    Ok(Clock::get()?.unix_timestamp)
}

/// The header and the milestones, to be changed together.
fn split(escrow: &mut EscrowAccount) -> (&mut Escrow, &mut [Milestone]) {
    let milestones: *mut [Milestone] = escrow.as_mut_slice();
    // SAFETY: the milestones stand behind the header in the account data, so the two do not overlap, and both borrow
    // `escrow` exclusively.
    (&mut *escrow, unsafe { &mut *milestones })
}

/// Applies a rule to one milestone and the header together, and checks what must hold afterwards.
fn decide<R>(
    escrow: &mut EscrowAccount,
    milestone: u8,
    rule: impl FnOnce(&mut Escrow, &mut Milestone) -> core::result::Result<R, EscrowError>,
) -> core::result::Result<R, EscrowError> {
    let (header, milestones) = split(escrow);
    let changed = milestones.get_mut(usize::from(milestone)).ok_or(EscrowError::MilestoneMissing)?;
    let result = rule(header, changed)?;
    header.invariant(milestones)?;
    Ok(result)
}
