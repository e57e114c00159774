//! What could go against somebody, in a sentence.

use escrow::state::{RISK_DEFAULT_STATE, RISK_FREEZE, RISK_MINT_CLOSE, RISK_PAUSABLE, RISK_PERMANENT_DELEGATE};

use super::{
    name::{number, percent},
    time::duration,
};
use crate::warning::Warning;

/// The warning in a sentence or two, with what it means.
pub fn told(warning: &Warning) -> String {
    let seconds = |seconds: i64| duration(u64::try_from(seconds).unwrap_or(0));
    match *warning {
        Warning::UndeliveredPaysSeller { bps } => format!(
            "A seller who delivers nothing gets {} of the money: it is enough to wait for the deadline.",
            percent(bps)
        ),
        Warning::UnansweredPaysBuyer { bps } => {
            format!("A buyer who does not answer a delivery gets {} back.", percent(bps))
        }
        Warning::NoArbiter { seller_bps } => format!(
            "There is no arbiter: a buyer who disputes a delivery gets {} back unless both of you agree on something \
             else, however good it was.",
            percent(10_000u16.saturating_sub(seller_bps))
        ),
        Warning::ArbiterIsFeeRecipient => {
            "The arbiter is also paid the fee on what is released, and so gains by ruling for the seller.".to_owned()
        }
        Warning::ArbiterIsAttester => {
            "The arbiter also says whether it was delivered, and would judge its own word.".to_owned()
        }
        Warning::AttesterIsBuyer => {
            "The buyer says whether it was delivered: a buyer who says nothing gets the money back.".to_owned()
        }
        Warning::NoReview { milestone } => format!(
            "The buyer has no time to look at milestone {}: as soon as the attester says that it is delivered, anyone may \
             apply the default.",
            number(milestone)
        ),
        Warning::ShortReview { milestone, seconds } => format!(
            "The buyer has only {} to look at milestone {} and dispute it.",
            duration(u64::from(seconds)),
            number(milestone)
        ),
        Warning::ShortDelivery { milestone, seconds: left } => {
            format!("Milestone {} must be delivered within {}.", number(milestone), seconds(left))
        }
        Warning::ShortRuling { seconds } => {
            format!("A dispute is open for only {}: who rules on it may come too late.", duration(u64::from(seconds)))
        }
        Warning::ShortFunding { seconds: left } => format!("It must be funded within {}.", seconds(left)),
        Warning::Hashlock { strict: false } => {
            "Whoever shows the secret is paid at once: the code is acceptance, so inspect first. It can also end a dispute, \
             without the arbiter's fee."
                .to_owned()
        }
        Warning::Hashlock { strict: true } => {
            "Whoever shows the secret is paid at once: the code is acceptance, so inspect first. Without it the seller \
             gets nothing."
                .to_owned()
        }
        Warning::IssuerPower { risk } => format!("The token's issuer can {}.", issuer_can(risk)),
        Warning::PowersOverSol => "Nobody has a power over SOL: accepting one means nothing.".to_owned(),
    }
}

/// What the power behind a `RISK_*` bit lets the token's issuer do.
pub const fn issuer_can(risk: u16) -> &'static str {
    match risk {
        RISK_FREEZE => "freeze token accounts, yours and the escrow's",
        RISK_DEFAULT_STATE => "have new token accounts begin frozen",
        RISK_PAUSABLE => "pause all transfers of it",
        RISK_PERMANENT_DELEGATE => "take or burn tokens anywhere, the escrow's too",
        RISK_MINT_CLOSE => "close its mint once no tokens are left, and make it anew with other properties",
        _ => "do something that this client does not know",
    }
}
