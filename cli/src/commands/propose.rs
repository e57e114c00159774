//! `escrow propose`

use clap::Args;
use escrow_client::{Proposal, instruction};
use solana_signer::Signer;

use super::{Done, MilestoneArgs};
use crate::{
    context::{Context, Situation},
    error::{CliError, Result},
    parse::{self, Moment},
    view::Time,
};

/// Arguments of `propose`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escrow propose ESCROW --seller-amount 70          the seller gets 70, the buyer the rest
  escrow propose ESCROW --deadline 2026-12-24T18:00:00Z
  escrow propose ESCROW --withdraw                  takes the open proposal back")]
pub struct ProposeArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// Settle the milestone: this much of what remains is the seller's (before the fee), the rest the buyer's
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true, group = "what", required_unless_present_any = ["deadline", "withdraw"])]
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
    let address = args.milestone.escrow;
    let situation = context.situation(&address).await?;
    let Situation { escrow, asset, now } = &situation;
    let keypair = context.keypair()?;
    let party = escrow.state.party(&keypair.pubkey()).map_err(situation.refused(None))?;
    let expires_at = args.expires.at(*now);
    let (proposal, milestone) = if args.withdraw {
        (Proposal::Withdrawn, None)
    } else {
        let (index, milestone) = args.milestone.find(escrow)?;
        let status = milestone.status()?;
        let proposal = match (args.seller_amount, args.deadline) {
            (Some(amount), _) => Proposal::Split {
                milestone: index,
                status,
                remaining: milestone.remaining,
                to_seller: asset.parse(&amount)?,
                expires_at,
            },
            (None, Some(deadline)) => Proposal::Extension {
                milestone: index,
                status,
                replaces: milestone.deadline,
                deadline: deadline.at(*now),
                expires_at,
            },
            (None, None) => return Err(CliError::Usage("nothing is proposed".to_owned())),
        };
        (proposal, Some(milestone))
    };
    // What the program would refuse, before anything is sent.
    ({ escrow.state }).propose(party, proposal, milestone, *now).map_err(situation.refused(proposal.milestone()))?;
    let confirmed = context.send(&[instruction::propose(address, keypair.pubkey(), proposal)], &keypair).await?;
    let done = match proposal {
        Proposal::Withdrawn => format!("took back the proposal on escrow {address}"),
        _ => format!(
            "proposed to {}; the other party may accept until {}",
            asset.proposal(&proposal, *now),
            Time::new(expires_at, *now)
        ),
    };
    Done::new(context, done, confirmed, &address).await
}
