//! `escrow accept`

use clap::Args;
use escrow_client::{Proposal, instruction};
use solana_signer::Signer;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::{CliError, Result},
};

/// Arguments of `accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// Accept only if this much is the seller's, in SOL or in the token's unit. Without it: whatever is proposed when
    /// this command reads the escrow, and nothing that replaces it later
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    seller_amount: Option<String>,
}

pub async fn run(context: &Context, args: AcceptArgs) -> Result<Done> {
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now } = &situation;
    let keypair = context.keypair()?;
    let party = escrow.state.party(&keypair.pubkey()).map_err(situation.refused(None))?;
    let proposal = escrow.state.slot(party.other()).proposal()?;
    let Some(index) = proposal.milestone() else {
        return Err(CliError::Usage(format!("the other party of escrow {address} has no open proposal")));
    };
    if args.milestone.milestone.is_some_and(|number| number != index.saturating_add(1)) {
        let about = index.saturating_add(1);
        return Err(CliError::Usage(format!("the open proposal is about milestone {about}")));
    }
    if let Some(wanted) = args.seller_amount {
        let wanted = asset.parse(&wanted)?;
        if !matches!(proposal, Proposal::Split { to_seller, .. } if to_seller == wanted) {
            let proposed = asset.proposal(&proposal, *now);
            return Err(CliError::Usage(format!("what is proposed is to {proposed}: not accepted")));
        }
    }
    // What the program would refuse, before anything is sent.
    let mut milestone = *escrow.milestone(index)?;
    ({ escrow.state }).accept(party, proposal, &mut milestone, *now).map_err(situation.refused(Some(index)))?;
    let confirmed = context.send(&[instruction::accept(address, keypair.pubkey(), proposal)], &keypair).await?;
    let done = format!("accepted on escrow {address}: to {}", asset.proposal(&proposal, *now));
    Done::new(context, done, confirmed, &address).await
}
