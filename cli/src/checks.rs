//! What is looked at before money moves: who is at the addresses, what looks like somebody else, whether the money is there and
//! can ever be paid out.

use escrow_client::{
    EscrowAccount, EscrowError, EscrowInstruction, Situation,
    chain::recipient::Occupant,
    escrow::state::RISKS,
    recipe::PreviewedRecipe,
    terms::Asset,
    words::{Denomination, stablecoin, warning::issuer_can},
};
use escrow_frame::terminal::{HANG, ask, warning};
use solana_pubkey::Pubkey;

use crate::{
    commands::check::{known, look_alike, occupant},
    context::Context,
    error::{CliError, Result},
};

/// The least that a wallet must hold, in lamports: less cannot be paid into one that is empty.
const LEAST_IN_A_WALLET: u64 = 890_880;

/// Looks at a creation or a funding. Returns what whoever signs should read first, a sentence each.
///
/// # Errors
///
/// What makes it senseless, or is hardly ever meant: unless `any_seller` says that it is.
pub async fn before(
    context: &Context,
    situation: &Situation,
    recipe: &PreviewedRecipe,
    any_seller: bool,
) -> Result<Vec<String>> {
    let instructions = || recipe.actions.iter().map(|done| &done.action.instruction);
    let creates = instructions().any(|instruction| matches!(instruction, EscrowInstruction::Create { .. }));
    let funding = recipe.actions.iter().find(|done| matches!(done.action.instruction, EscrowInstruction::Fund));
    if !creates && funding.is_none() {
        return Ok(Vec::new());
    }
    let escrow = &situation.escrow;
    if creates {
        powers(context, escrow).await?;
    }
    if let Some(funding) = funding {
        is_there(context, situation, funding.action.token_account, funding.preview.effects.paid_in).await?;
    }
    let mut told = parties(context, situation, any_seller).await?;
    if let Some(mint) = escrow.asset().mint() {
        told.extend(stablecoin::mistaken(&mint, &context.client.identity(&mint).await?));
    }
    told.extend(alike(context, escrow, any_seller).await?);
    Ok(told)
}

/// Refuses a token whose issuer has powers that the terms do not accept, and says which those are and what they mean.
async fn powers(context: &Context, escrow: &EscrowAccount) -> Result<()> {
    let Asset::Token { mint, .. } = escrow.asset() else { return Ok(()) };
    let missing = context.client.mint(&mint).await?.risks & !escrow.state.accepted_risks;
    let of = |(bit, name): &(u16, &'static str)| (missing & bit != 0).then_some((*bit, *name));
    let powers: Vec<_> = RISKS.iter().filter_map(of).collect();
    if powers.is_empty() {
        return Ok(());
    }
    let means: Vec<String> = powers.iter().map(|(bit, name)| format!("{} ({name})", issuer_can(*bit))).collect();
    let options: Vec<String> = powers.iter().map(|(_, name)| format!("--accept-risk {name}")).collect();
    let error = EscrowError::RiskNotAccepted;
    Err(CliError::NotAccepted {
        error,
        text: format!(
            "{} ({}). The issuer of {mint} can {}. If both of you accept that, add {}",
            error.message(),
            error.name(),
            means.join(", and "),
            options.join(" ")
        ),
    })
}

/// Refuses to pay in what is not there, with what is.
async fn is_there(context: &Context, situation: &Situation, source: Option<Pubkey>, needed: u64) -> Result<()> {
    let told = |units| situation.denomination.amount(units);
    let buyer = situation.escrow.state.buyer;
    match (situation.escrow.asset(), source) {
        (Asset::Token { mint, .. }, Some(source)) => match context.client.token_balance(&source).await? {
            None => Err(CliError::NotNow(format!(
                "there is no token account {source}: {buyer} holds none of the mint {mint}, and {} is needed",
                told(needed)
            ))),
            Some(held) if held < needed => Err(CliError::NotNow(format!(
                "the token account {source} does not hold enough tokens: it holds {}, and {} is needed",
                told(held),
                told(needed)
            ))),
            Some(_) => Ok(()),
        },
        _ => {
            let held = context.client.account(&buyer).await?.map_or(0, |account| account.lamports);
            match held < needed {
                true => Err(CliError::NotNow(format!(
                    "{buyer} does not hold enough SOL: it holds {}, and {} is needed. Send it some SOL first",
                    told(held),
                    told(needed)
                ))),
                false => Ok(()),
            }
        }
    }
}

/// Looks at what is at the parties' addresses.
async fn parties(context: &Context, situation: &Situation, any_seller: bool) -> Result<Vec<String>> {
    let Situation { escrow: EscrowAccount { state, milestones, .. }, denomination, .. } = situation;
    let people = [
        ("buyer", state.buyer),
        ("seller", state.seller),
        ("arbiter", state.arbiter),
        ("attester", state.attester),
        ("fee recipient", state.fee_recipient),
    ];
    let people: Vec<_> = people.into_iter().filter(|(_, address)| *address != Pubkey::default()).collect();
    let addresses: Vec<Pubkey> = people.iter().map(|(_, address)| *address).collect();
    let found = context.client.occupants(&addresses).await?;
    let mut told = Vec::new();
    let smallest = milestones.iter().map(|milestone| milestone.amount).min().unwrap_or(0);
    for ((role, address), found) in people.iter().zip(&found) {
        if !found.occupant.can_be_paid() {
            let what = format!("the {role} {address} is {}", occupant(found));
            if !any_seller {
                return Err(CliError::NotNow(format!(
                    "{what}: nobody could act for it. Copy the right address again, or add --allow-any-seller if it is meant"
                )));
            }
            told.push(format!("{what}."));
        }
        if *role == "seller" && found.occupant == Occupant::Nothing {
            told.push(format!("The seller's address {address} has {}.", occupant(found)));
        }
        // What a wallet that is empty cannot take stays where it is for ever.
        let is_paid = matches!(*role, "buyer" | "seller" | "fee recipient");
        if state.is_sol() && is_paid && found.lamports < LEAST_IN_A_WALLET && smallest < LEAST_IN_A_WALLET {
            told.push(format!(
                "The {role}'s wallet {address} is empty, and {} cannot be paid into an empty wallet: it must hold {} first.",
                denomination.amount(smallest),
                Denomination::SOL.amount(LEAST_IN_A_WALLET)
            ));
        }
    }
    Ok(told)
}

/// Looks for a seller or an arbiter who looks like somebody whom one knows.
async fn alike(context: &Context, escrow: &EscrowAccount, any_seller: bool) -> Result<Vec<String>> {
    let me = context.address()?;
    let known = known(context, &me).await?;
    // The deal itself, which may be there already, proves nothing of its own parties.
    let own = format!(" {}", escrow.address);
    let known: Vec<_> = known.into_iter().filter(|(who, _)| !who.ends_with(&own)).collect();
    let mut told = Vec::new();
    for (role, address) in [("seller", escrow.state.seller), ("arbiter", escrow.state.arbiter)] {
        if address == Pubkey::default() || address == me {
            continue;
        }
        match look_alike(&known, &address) {
            None => {}
            Some((text, Some(differing))) if !any_seller => {
                let refused = format!("the {role} {text}. Copy it again, or add --allow-any-seller if it is meant");
                let question = format!(
                    "{} {HANG}the {role} {text}.\nIf it is meant, type the characters in which it differs, {differing}: ",
                    warning("!")
                );
                let answer =
                    if context.agrees() || !context.is_for_people() { None } else { ask(&question).ok().flatten() };
                if answer.as_deref() != Some(differing.as_str()) {
                    return Err(CliError::NotNow(refused));
                }
            }
            Some((text, _)) => told.push(format!("The {role} {text}.")),
        }
    }
    Ok(told)
}
