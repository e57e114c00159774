//! `escrow propose`

use clap::{ArgGroup, Args};
use escrow_client::{EscrowInstruction, Proposal, Recipe};

use super::{Done, MilestoneArgs, perform};
use crate::{
    consent::Expectations,
    context::Context,
    error::{CliError, Result},
    parse::{self, Moment},
};

/// Arguments of `propose`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true)), after_help = "\
Examples:
  escrow propose ESCROW --seller-amount 70          the seller gets 70, the buyer the rest
  escrow propose ESCROW --deadline 2026-12-24T18:00:00Z
  escrow propose ESCROW --withdraw                  takes the open proposal back")]
pub struct ProposeArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// Settle the milestone: this much of what remains is the seller's (before the fee), the rest the buyer's
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true, group = "what")]
    seller_amount: Option<String>,

    /// Move the milestone's present deadline to this later time: the one for delivery, for review or for a ruling
    #[arg(long, value_name = "MOMENT", value_parser = parse::moment, group = "what")]
    deadline: Option<Moment>,

    /// Take the open proposal back
    #[arg(long, group = "what")]
    withdraw: bool,

    /// Until when the other party may accept
    #[arg(long, value_name = "MOMENT", value_parser = parse::moment, default_value = "3d")]
    expires: Moment,
}

pub async fn run(context: &Context, args: ProposeArgs) -> Result<Done> {
    let situation = context.situation(&args.milestone.escrow).await?;
    let (now, proposer) = (situation.now, context.address()?);
    let expires_at = args.expires.at(now);
    let proposal = if args.withdraw {
        Proposal::Withdrawn
    } else {
        let (milestone, present) = args.milestone.find(&situation.escrow)?;
        let (status, remaining, replaces) = (present.status()?, present.remaining, present.deadline);
        match (args.seller_amount, args.deadline) {
            (Some(amount), _) => {
                let to_seller = situation.denomination.parse(&amount)?;
                Proposal::Split { milestone, status, remaining, to_seller, expires_at }
            }
            (None, Some(deadline)) => {
                Proposal::Extension { milestone, status, replaces, deadline: deadline.at(now), expires_at }
            }
            (None, None) => return Err(CliError::Usage("nothing is proposed".to_owned())),
        }
    };
    let state = &situation.escrow.state;
    let open = state.party(&proposer).ok().and_then(|party| state.slot(party).proposal().ok());
    let replaced = open.filter(|open| *open != Proposal::Withdrawn && !args.withdraw);
    let propose = situation.action(EscrowInstruction::Propose { proposal }).by(proposer);
    let done = perform(context, &situation, &Recipe::only(propose), &Expectations::NONE).await?;
    Ok(match replaced {
        Some(replaced) => done.and(&format!("It replaces yours {}.", situation.teller().proposal(&replaced))),
        None => done,
    })
}
