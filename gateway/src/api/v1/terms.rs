//! Terms, before anything is on the chain.

use axum::Json;
use escrow_client::{
    EscrowAccount, EscrowInstruction,
    address::vault_address,
    terms::{Asset, asset_of},
    view::{self, Amount},
    warning::warnings,
    words::{Denomination, sentence::Teller, warning},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::VERSION;
use crate::{
    api::body::JsonBody,
    build::account_size,
    problem::{Problem, Result},
    wire::{Address, terms::Terms},
};

/// Terms to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsRequest {
    /// The terms.
    pub terms: Terms,
    /// Digits behind the decimal point of the token, for the words; base units are shown where it is left out.
    #[serde(default)]
    #[schema(maximum = 19)]
    pub decimals: Option<u8>,
    /// Who would pay the rent; the buyer if it is left out. It does not change the address.
    #[serde(default)]
    pub rent_payer: Option<Address>,
}

/// What terms mean.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsTold {
    /// The version of this answer.
    pub version: u32,
    /// The complete terms: send these, and everything stays as it is here.
    pub terms: Terms,
    /// Their hash, in hexadecimal.
    pub terms_hash: String,
    /// The escrow's address: it follows from the hash.
    pub address: String,
    /// The account that would hold the tokens; none for SOL.
    pub vault: Option<String>,
    /// What could go against somebody, the worst first.
    pub warnings: Vec<String>,
    /// What happens in each milestone if nobody does anything after the funding.
    pub if_nobody_acts: Vec<String>,
    /// The escrow as it would be just after its creation.
    pub escrow: view::Escrow,
    /// What it costs.
    pub cost: TermsCost,
}

/// What an escrow costs beside what it moves.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsCost {
    /// The rent of its account, and of the vault: its rent payer gets it back when it is closed. By Solana's usual price; a
    /// transaction that is prepared says what the cluster asks.
    pub rent: Amount,
    /// What a transaction with one signature costs, without a priority fee.
    pub fee: Amount,
}

/// What terms mean: their hash and the escrow's address, in words, and what could go against somebody. Asks no node and changes
/// nothing; the present time is this machine's.
#[utoipa::path(post, path = "/terms", tag = "escrows", operation_id = "checkTerms", security(()), request_body = TermsRequest,
    responses((status = 200, description = "What they mean", body = TermsTold)))]
pub async fn check(JsonBody { value, .. }: JsonBody<TermsRequest>) -> Result<Json<TermsTold>> {
    told(&value, crate::now_ms().div_euclid(1_000)).map(Json)
}

/// What terms mean at `now`, in unix seconds.
///
/// # Errors
///
/// Where the program would refuse them.
pub fn told(request: &TermsRequest, now: i64) -> Result<TermsTold> {
    let terms = request.terms.build(now, "/terms")?;
    let rule = |error| Problem::from(escrow_client::Error::Rule(error)).at("/terms");
    let agreed =
        EscrowAccount::agreed(&terms, request.rent_payer.map_or(terms.buyer, |payer| payer.0)).map_err(rule)?;
    let asset = asset_of(&terms);
    let denomination = match (asset, request.decimals) {
        (Asset::Sol, _) => Denomination::SOL,
        (token, Some(decimals)) => Denomination::token(token, decimals),
        (token, None) => Denomination::unknown(token, "the request names no decimals"),
    };
    let fund = escrow_client::Action::new(&agreed, EscrowInstruction::Fund);
    let funded = fund.preview(&agreed, now).map_err(rule)?.after;
    let teller = Teller { denomination: &denomination, now };
    let silence = (0u8..).take(terms.milestones.len()).filter_map(|index| teller.silence(funded.as_ref()?, index));
    // A vault has the size of a token account; some tokens want more.
    const VAULT_SIZE: usize = 165;
    let vault_rent = if terms.is_sol() { 0 } else { usual_rent(VAULT_SIZE) };
    let rent = usual_rent(account_size(terms.milestones.len())).saturating_add(vault_rent);
    let sol = |lamports| Amount::from(Denomination::SOL.amount(lamports));
    Ok(TermsTold {
        version: VERSION,
        terms: Terms::from(&terms),
        terms_hash: hex::encode(agreed.state.terms_hash),
        address: agreed.address.to_string(),
        vault: (!terms.is_sol()).then(|| vault_address(&agreed.address).to_string()),
        warnings: warnings(&terms, now).iter().map(warning::told).collect(),
        if_nobody_acts: silence.collect(),
        escrow: view::Escrow::new(&agreed, &denomination, now).map_err(rule)?,
        cost: TermsCost { rent: sol(rent), fee: sol(escrow_client::transaction::budget::cost(1, 0, 0)) },
    })
}

/// Solana's usual price for an account: two years of 3,480 lamports for each byte, and for 128 bytes more.
fn usual_rent(size: usize) -> u64 {
    let bytes = u64::try_from(size).unwrap_or(u64::MAX).saturating_add(128);
    bytes.saturating_mul(3_480).saturating_mul(2)
}
