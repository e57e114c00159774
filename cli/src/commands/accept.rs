//! `escrow accept`

use clap::Args;
use escrow_client::{EscrowError, EscrowInstruction, Party, Proposal, Recipe, recipe::RefusedAction, words::name};

use super::{Done, MilestoneArgs, perform};
use crate::{
    consent::Expectations,
    context::Context,
    error::{CliError, Result},
};

/// Arguments of `accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// Accept only if the proposal gives the seller exactly this much, in SOL or in the token's unit. Without it:
    /// whatever is proposed when this command reads the escrow, and nothing that replaces it later
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    seller_amount: Option<String>,

    #[command(flatten)]
    expected: Expectations,
}

pub async fn run(context: &Context, args: AcceptArgs) -> Result<Done> {
    let situation = context.situation(&args.milestone.escrow).await?;
    let state = &situation.escrow.state;
    let acceptor = context.address()?;
    // Somebody who is neither is told so by the rule.
    let other = state.party(&acceptor).map_or(Party::Seller, Party::other);
    let proposal = state.slot(other).proposal()?;
    if let (Some(number), Some(index)) = (args.milestone.milestone, proposal.milestone())
        && number != name::number(index)
    {
        return Err(CliError::Usage(format!("the open proposal is about milestone {}", name::number(index))));
    }
    let mut expected = args.expected;
    expected.amount_is_typed = args.seller_amount.is_some();
    if let (Some(wanted), Some(_)) = (args.seller_amount, proposal.milestone()) {
        let wanted = situation.denomination.parse(&wanted)?;
        if !matches!(proposal, Proposal::Split { to_seller, .. } if to_seller == wanted) {
            let proposed = situation.teller().proposal(&proposal);
            return Err(CliError::NotNow(format!("what is proposed is {proposed}: not accepted")));
        }
    }
    let accept = situation.action(EscrowInstruction::Accept { proposal }).by(acceptor);
    if proposal == Proposal::Withdrawn && state.party(&acceptor).is_ok() {
        let (before, error) = (situation.escrow.clone(), EscrowError::ProposalMissing);
        let refusal = situation.refused(&RefusedAction { action: accept, before, error });
        return Err(CliError::Refused(Box::new(refusal)));
    }
    perform(context, &situation, &Recipe::only(accept), &expected).await
}
