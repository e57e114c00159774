//! `escrow withdraw`

use clap::{Args, ValueEnum};
use escrow_client::{Recipient, instruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::Done;
use crate::{
    context::Context,
    error::{CliError, Result},
    parse,
    view::recipient_name,
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

    /// Pay to this token account of the recipient's, who must sign, not to the associated one
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
    let escrow = context.client.escrow(&address).await?;
    let asset = context.asset_of(&escrow).await?;
    let wanted = recipient.map(Recipient::from);
    if to.is_some() && escrow.state.is_sol() {
        return Err(CliError::Usage("SOL goes to the recipient's own address: leave --to out".to_owned()));
    }
    let due: Vec<(Recipient, u64)> =
        escrow.due().filter(|(recipient, _)| wanted.is_none_or(|wanted| wanted == *recipient)).collect();
    if due.is_empty() {
        let whom = wanted.map_or("anybody".to_owned(), |recipient| format!("the {}", recipient_name(recipient)));
        return Err(CliError::Usage(format!("nothing is due to {whom} from escrow {address}")));
    }
    let keypair = match (to, wanted) {
        (Some(_), Some(recipient)) => {
            context.keypair_of(escrow.state.recipient(recipient), recipient_name(recipient))?
        }
        _ => context.keypair()?,
    };
    let mut instructions = Vec::new();
    let mut paid = Vec::new();
    for (recipient, amount) in due {
        let state = &escrow.state;
        if !state.is_sol() && to.is_none() {
            let (payer, owner) = (keypair.pubkey(), *state.recipient(recipient));
            instructions.push(instruction::create_associated_token_account(
                payer,
                owner,
                state.mint,
                state.token_program,
            ));
        }
        instructions.push(instruction::withdraw_to(&escrow, recipient, to));
        paid.push(format!("{} to the {}", asset.amount(amount), recipient_name(recipient)));
    }
    let confirmed = context.send(&instructions, &keypair).await?;
    Done::new(context, format!("paid {} from escrow {address}", paid.join(", ")), confirmed, &address).await
}
