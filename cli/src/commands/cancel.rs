//! `escrow cancel`

use clap::Args;
use escrow_client::Recipe;
use solana_pubkey::Pubkey;

use super::{Done, perform};
use crate::{consent::Expectations, context::Context, error::Result, parse};

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,

    #[command(flatten)]
    expected: Expectations,
}

pub async fn run(context: &Context, args: CancelArgs) -> Result<Done> {
    let situation = context.situation(&args.escrow).await?;
    let escrow = &situation.escrow;
    let surplus = !escrow.is_funded() && context.client.surplus(escrow).await? > 0;
    let missing = context.client.missing_token_accounts(escrow, surplus).await?;
    let recipe = Recipe::cancel(escrow, context.address()?, surplus, &missing);
    perform(context, &situation, &recipe, &args.expected).await
}
