//! One file per command: its arguments, what it does, and what it returns.

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{Confirmed, EscrowAccount, Milestone};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    parse,
    view::EscrowView,
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
pub mod history;
pub mod list;
#[cfg(feature = "localnet")]
pub mod localnet;
pub mod propose;
pub mod refund;
pub mod release;
pub mod rule;
pub mod show;
pub mod withdraw;

/// Which milestone of which escrow.
#[derive(Debug, Clone, Copy, Args)]
pub struct MilestoneArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    pub escrow: Pubkey,

    /// Number of the milestone, counted from 1; may be left out where there is only one
    #[arg(short, long, value_name = "NUMBER")]
    pub milestone: Option<u8>,
}

impl MilestoneArgs {
    /// The index of the milestone in the account, counted from 0, and the milestone.
    pub fn find<'a>(&self, escrow: &'a EscrowAccount) -> Result<(u8, &'a Milestone)> {
        let count = escrow.milestones.len();
        let index = match self.milestone {
            None if count == 1 => 0,
            None => return Err(CliError::MilestoneNeeded(count)),
            Some(given) => given.checked_sub(1).ok_or(CliError::NoMilestone { given, count })?,
        };
        let given = index.saturating_add(1);
        let milestone = escrow.milestones.get(usize::from(index)).ok_or(CliError::NoMilestone { given, count })?;
        Ok((index, milestone))
    }
}

/// What a command that changed an escrow did, and how the escrow stands after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// What was done.
    pub done: String,
    /// The transaction.
    pub signature: String,
    /// Where the transaction was executed.
    pub slot: u64,
    /// The escrow afterwards; none where it is closed.
    pub escrow: Option<EscrowView>,
}

impl Done {
    /// Reads the escrow again and describes it.
    pub async fn new(context: &Context, done: String, confirmed: Confirmed, address: &Pubkey) -> Result<Self> {
        let escrow = match context.client.find(address).await? {
            None => None,
            Some(escrow) => {
                let asset = context.asset_of(&escrow).await?;
                Some(EscrowView::new(&escrow, &asset, context.client.now().await?)?)
            }
        };
        Ok(Self { done, signature: confirmed.signature.to_string(), slot: confirmed.slot, escrow })
    }
}

impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.done)?;
        writeln!(f, "transaction {}", self.signature)?;
        let Some(escrow) = &self.escrow else { return Ok(()) };
        writeln!(f)?;
        for milestone in &escrow.milestones {
            writeln!(f, "{milestone}")?;
        }
        for due in &escrow.due {
            writeln!(f, "  to withdraw: {} for the {}", due.amount, due.recipient)?;
        }
        Ok(())
    }
}
