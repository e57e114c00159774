//! One file per instruction: its accounts, who may call it, and what it does around the rule in [`crate::state`].

use core::ops::{Deref, DerefMut};

use anchor_lang::{Discriminator, accounts::Slab, prelude::*};

use crate::{
    error::EscrowError,
    state::{Escrow, LAYOUT_VERSION, MILESTONE_SIZE, Milestone, VERSION_OFFSET},
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

/// The escrow account in memory: the header and its milestones.
pub type EscrowSlab = Slab<Escrow, Milestone>;

/// The escrow account: the header and its milestones. Loading it checks the owner, the discriminator, the version and the
/// size.
///
/// Not checked: the address. Only `create` makes accounts of this program, and only at their derived addresses.
pub struct LoadedEscrow(EscrowSlab);

/// Whether `view` is an escrow account that this version wrote.
fn is_escrow(view: &AccountView) -> bool {
    // SAFETY: nothing is written while these bytes are borrowed.
    let data = unsafe { view.borrow_unchecked() };
    let Some((head, milestones)) = data.split_first_chunk::<{ EscrowSlab::space_for(0) }>() else { return false };
    let Some(&[a, b, c, d, _, _, _, _]) = head.last_chunk::<8>() else { return false };
    let count = usize::try_from(u32::from_le_bytes([a, b, c, d]));
    view.owned_by(&crate::ID)
        && head.first_chunk::<8>() == Escrow::DISCRIMINATOR.first_chunk()
        && head.get(VERSION_OFFSET) == Some(&LAYOUT_VERSION)
        // No product of 32 bits and 40 wraps around.
        && count.is_ok_and(|count| count.wrapping_mul(MILESTONE_SIZE) == milestones.len())
}

/// Why an account is not loaded: one of another version is refused by name, whatever its bytes look like in this one.
#[cold]
#[inline(never)]
fn refusal(view: &AccountView) -> ProgramError {
    // SAFETY: nothing is written while these bytes are borrowed.
    let data = unsafe { view.borrow_unchecked() };
    let is_ours = view.owned_by(&crate::ID) && data.starts_with(Escrow::DISCRIMINATOR);
    if is_ours && data.get(VERSION_OFFSET).is_some_and(|version| *version != LAYOUT_VERSION) {
        return EscrowError::VersionUnsupported.into();
    }
    EscrowSlab::load(*view).err().unwrap_or(ProgramError::InvalidAccountData)
}

impl AnchorAccount for LoadedEscrow {
    type Data = EscrowSlab;

    const MIN_DATA_LEN: usize = <EscrowSlab as AnchorAccount>::MIN_DATA_LEN;
    const RELAX_READONLY_CPI_BORROW_FROM_MUT: bool = EscrowSlab::RELAX_READONLY_CPI_BORROW_FROM_MUT;

    #[inline(always)]
    fn load(view: AccountView) -> Result<Self> {
        if is_escrow(&view) { EscrowSlab::load(view).map(Self) } else { Err(refusal(&view)) }
    }

    #[inline(always)]
    unsafe fn load_mut(view: AccountView) -> Result<Self> {
        if !is_escrow(&view) {
            return Err(refusal(&view));
        }
        // SAFETY: the caller's promise, passed on. What is skipped here, as for an account that was just created, was
        // checked above, for 20 compute units less.
        unsafe { EscrowSlab::load_mut_after_init(view) }.map(Self)
    }

    #[inline(always)]
    fn account(&self) -> &AccountView {
        self.0.account()
    }
}

impl Deref for LoadedEscrow {
    type Target = EscrowSlab;

    #[inline(always)]
    fn deref(&self) -> &EscrowSlab {
        &self.0
    }
}

impl DerefMut for LoadedEscrow {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut EscrowSlab {
        &mut self.0
    }
}

#[cfg(feature = "idl-build")]
impl IdlAccountType for LoadedEscrow {
    const __IDL_ACCOUNT_ENTRY: Option<&'static str> = EscrowSlab::__IDL_ACCOUNT_ENTRY;
    const __IDL_TYPE_DEF: Option<&'static str> = EscrowSlab::__IDL_TYPE_DEF;

    fn __register_idl_deps(accounts: &mut alloc::vec::Vec<&'static str>, types: &mut alloc::vec::Vec<&'static str>) {
        EscrowSlab::__register_idl_deps(accounts, types);
    }
}

/// The present time, in unix seconds.
fn now() -> Result<i64> {
    use anchor_lang::solana_program::sysvar::Sysvar;
    Ok(Clock::get()?.unix_timestamp)
}

/// The header and the milestones, to be changed together.
///
/// [`Slab::as_mut_slice`] would check again what loading the account checked, for 13 compute units.
fn split(escrow: &mut EscrowSlab) -> (&mut Escrow, &mut [Milestone]) {
    let (count, mut account) = (escrow.len(), *escrow.account());
    // SAFETY: loading the account checked that it has room for `count` milestones, and nothing resizes it afterwards.
    // They stand behind the header, so the two do not overlap, and both borrow `escrow` exclusively.
    let milestones = unsafe {
        let first = account.data_mut_ptr().add(EscrowSlab::space_for(0));
        core::slice::from_raw_parts_mut(first.cast(), count)
    };
    (escrow, milestones)
}

/// Applies a rule to one milestone and the header together, and checks what must hold afterwards.
fn decide<R>(
    escrow: &mut LoadedEscrow,
    milestone: u8,
    rule: impl FnOnce(&mut Escrow, &mut Milestone) -> core::result::Result<R, EscrowError>,
) -> core::result::Result<R, EscrowError> {
    let (header, milestones) = split(escrow);
    let changed = milestones.get_mut(usize::from(milestone)).ok_or(EscrowError::MilestoneMissing)?;
    let result = rule(header, changed)?;
    header.invariant(milestones)?;
    Ok(result)
}
