//! `escrow withdraw`

use clap::{Args, ValueEnum};
use escrow_client::{EscrowInstruction, Recipe, Recipient, words::name};
use solana_pubkey::Pubkey;

use super::{Done, perform};
use crate::{
    consent::Expectations,
    context::Context,
    error::{CliError, Result},
    parse,
};

/// Arguments of `withdraw`.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,

    /// Who is paid [default: everybody to whom something is due]
    #[arg(long, value_enum)]
    recipient: Option<RecipientArg>,

    /// Pay into this token account of the recipient instead of the associated one; the recipient must sign
    #[arg(value_parser = parse::address, long, value_name = "TOKEN_ACCOUNT", requires = "recipient")]
    to: Option<Pubkey>,
}

/// A recipient, as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RecipientArg {
    Buyer,
    Seller,
    Fee,
    Arbiter,
}

impl From<RecipientArg> for Recipient {
    fn from(argument: RecipientArg) -> Self {
        match argument {
            RecipientArg::Buyer => Self::Buyer,
            RecipientArg::Seller => Self::Seller,
            RecipientArg::Fee => Self::Fee,
            RecipientArg::Arbiter => Self::Arbiter,
        }
    }
}

pub async fn run(context: &Context, args: WithdrawArgs) -> Result<Done> {
    let WithdrawArgs { escrow: address, recipient, to } = args;
    let situation = context.situation(&address).await?;
    let escrow = &situation.escrow;
    let wanted = recipient.map(Recipient::from);
    if to.is_some() && escrow.state.is_sol() {
        return Err(CliError::Usage("SOL goes to the recipient's own address: leave --to out".to_owned()));
    }
    let recipe = match (to, wanted) {
        (Some(_), Some(recipient)) => {
            let withdraw = situation.action(EscrowInstruction::Withdraw { recipient });
            Recipe::only(withdraw.by(*escrow.state.recipient(recipient)).with(to))
        }
        _ => Recipe::pay_out(escrow, wanted, &context.client.missing_token_accounts(escrow, false).await?),
    };
    if escrow.due().all(|(recipient, _)| wanted.is_some_and(|wanted| wanted != recipient)) {
        let whom =
            wanted.map_or("nobody".to_owned(), |recipient| format!("the {} nothing", name::recipient(recipient)));
        let anything = if wanted.is_none() { " anything" } else { "" };
        return Err(CliError::NotNow(format!("escrow {address} owes {whom}{anything} right now")));
    }
    perform(context, &situation, &recipe, &Expectations::NONE).await
}
