//! What is looked at before something is given away that cannot be taken back: work is delivered, and a secret shown, for money
//! that is there for good.

use std::time::Duration;

use escrow_client::{EscrowAccount, Milestone, Party, Proposal, Recipe, Situation};
use tokio::time::Instant;

use crate::{
    context::Context,
    error::{CliError, Result},
};

/// How long somebody else's deposit is waited for, and how long until it is looked at again: a block is final after 13 seconds on
/// mainnet.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// In the last so many seconds before a deadline no secret is shown: it could be known, and come too late to pay.
const TOO_LATE: i64 = 5 * 60;

/// Waits until the money was paid in for good: a deposit that is not final can vanish, and what was delivered for it cannot.
///
/// # Errors
///
/// Where it is not after a minute, or nobody wants to wait.
pub async fn is_final(context: &Context, situation: &Situation, recipe: &Recipe) -> Result<()> {
    // What the program refuses need not be waited for; without a network there is nothing to look at.
    let is_possible = recipe.preview(&situation.escrow, situation.now).is_ok();
    if !is_possible || context.is_offline() || context.is_dry_run() {
        return Ok(());
    }
    let address = situation.escrow.address;
    let began = Instant::now();
    let mut told = false;
    loop {
        let found = context.client.finalized_escrow(&address).await?;
        if found.as_ref().is_some_and(EscrowAccount::is_funded) {
            return Ok(());
        }
        if context.does_not_wait() || began.elapsed() >= PATIENCE {
            return Err(CliError::NotNow(format!(
                "nothing was signed: the money in {address} was paid in a moment ago, and that is not final yet. Run the same \
                 command again in a minute"
            )));
        }
        if !told {
            context.note("The money was paid in a moment ago: waiting until that is final");
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Refuses to show a secret that could become known without paying: in the last minutes before the deadline, unless that is meant,
/// and where the other party could accept an offer of the seller's instead.
///
/// # Errors
///
/// With what to do first.
pub fn may_show_secret(situation: &Situation, milestone: u8, present: &Milestone, late: bool) -> Result<()> {
    let Situation { escrow, now, .. } = situation;
    let left = present.deadline.saturating_sub(*now);
    // What is past, or settled, the preview refuses.
    if !late && (1..TOO_LATE).contains(&left) {
        return Err(CliError::NotNow(format!(
            "the secret was not shown: the deadline is {left} seconds away. If the transaction comes too late, the secret is known \
             and pays nothing. If you mean it all the same, add --late"
        )));
    }
    match open_offer(situation, Party::Seller, milestone) {
        Some(offer @ Proposal::Split { .. }) => Err(CliError::NotNow(format!(
            "the secret was not shown: the seller still offers {}, and the buyer could accept that as soon as the secret is \
             seen. Take the offer back first: escrow propose {} --withdraw",
            situation.teller().proposal(&offer),
            escrow.address
        ))),
        _ => Ok(()),
    }
}

/// Reminds whoever signs of an offer of their own that the other party can still accept.
pub fn tell_own_offer(context: &Context, situation: &Situation, milestone: u8) -> Result<()> {
    let Ok(party) = situation.escrow.state.party(&context.address()?) else { return Ok(()) };
    if let Some(offer) = open_offer(situation, party, milestone) {
        let withdraw = format!("escrow propose {} --withdraw", situation.escrow.address);
        let offer = situation.teller().proposal(&offer);
        context.note(format_args!("Your offer still stands: {offer}. To take it back: {withdraw}"));
    }
    Ok(())
}

/// What `party` offers on this milestone, as long as it can be accepted.
pub fn open_offer(situation: &Situation, party: Party, milestone: u8) -> Option<Proposal> {
    let offer = situation.escrow.state.slot(party).proposal().ok()?;
    let (Proposal::Split { expires_at, .. } | Proposal::Extension { expires_at, .. }) = offer else { return None };
    (offer.milestone() == Some(milestone) && situation.now < expires_at).then_some(offer)
}
