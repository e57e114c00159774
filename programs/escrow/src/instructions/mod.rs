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

/// The account itself, where it was passed. A copy of its pointer: references into the accounts struct would keep all of
/// that in memory, for 40 compute units.
fn view(account: &Option<UncheckedAccount>) -> Option<AccountView> {
    account.as_ref().map(|account| *account.account())
}

/// The header and the milestones, to be changed together.
///
/// [`Slab::as_mut_slice`] would check again what loading the account checked, for 13 compute units.
fn split(escrow: &mut EscrowAccount) -> (&mut Escrow, &mut [Milestone]) {
    let (count, mut account) = (escrow.len(), *escrow.account());
    // SAFETY: loading the account checked that it has room for `count` milestones, and nothing resizes it afterwards.
    // They stand behind the header, so the two do not overlap, and both borrow `escrow` exclusively.
    let milestones = unsafe {
        let first = account.data_mut_ptr().add(EscrowAccount::space_for(0));
        core::slice::from_raw_parts_mut(first.cast(), count)
    };
    (escrow, milestones)
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
