//! The stories. Each returns what everybody should have gained or lost at its end, without transaction fees.

use std::{future::Future, pin::Pin};

use super::Stage;
use crate::error::{CliError, Result};

/// Who gained or lost how much, in the asset's smallest unit.
pub type Gains = Vec<(&'static str, i64)>;

/// A story on its stage.
pub type Play = for<'a> fn(&'a mut Stage<'_>) -> Pin<Box<dyn Future<Output = Result<Gains>> + 'a>>;

/// All stories, with their titles.
pub const ALL: [(&str, Play); 4] = [
    ("A sale that goes well", |stage| Box::pin(sale(stage))),
    ("A seller who never delivers", |stage| Box::pin(never_delivered(stage))),
    ("A buyer who never answers", |stage| Box::pin(never_answered(stage))),
    ("A partial release, with a fee to the unit", |stage| Box::pin(partial_release(stage))),
];

/// Delivered, released, withdrawn, closed.
async fn sale(stage: &mut Stage<'_>) -> Result<Gains> {
    let escrow = create(stage, "--amount 1.5 --deliver-by 14d --fund").await?;
    stage.types("seller", &format!("show {escrow}")).await?;
    stage.types("seller", &format!("deliver {escrow}")).await?;
    stage.types("buyer", &format!("release {escrow}")).await?;
    stage.types("seller", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 2).await?;
    Ok(vec![("buyer", -stage.units("1.5")?), ("seller", stage.units("1.5")?)])
}

/// The buyer gets everything back, by anybody's hand.
async fn never_delivered(stage: &mut Stage<'_>) -> Result<Gains> {
    let escrow = create(stage, "--amount 2 --deliver-by 7d --fund").await?;
    stage.is_refused("buyer", &format!("expire {escrow}"), "deadline is not reached").await?;
    stage.passes(7).await?;
    stage.is_refused("seller", &format!("deliver {escrow}"), "deadline has passed").await?;
    stage.types("stranger", &format!("expire {escrow}")).await?;
    stage.types("buyer", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 0).await?;
    Ok(vec![("buyer", 0)])
}

/// The seller is paid without the buyer's doing anything.
async fn never_answered(stage: &mut Stage<'_>) -> Result<Gains> {
    let escrow = create(stage, "--amount 0.75 --deliver-by 7d --review 3d --fund").await?;
    stage.types("seller", &format!("deliver {escrow}")).await?;
    stage.is_refused("seller", &format!("expire {escrow}"), "deadline is not reached").await?;
    stage.passes(3).await?;
    stage.types("seller", &format!("expire {escrow}")).await?;
    stage.types("seller", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 0).await?;
    Ok(vec![("buyer", -stage.units("0.75")?), ("seller", stage.units("0.75")?)])
}

/// 2.5 % of what is released, rounded down over the total and not over each release.
async fn partial_release(stage: &mut Stage<'_>) -> Result<Gains> {
    let marketplace = stage.address("marketplace");
    let terms = format!("--amount 1.000001 --deliver-by 14d --fee 2.5 --fee-recipient {marketplace} --fund");
    let escrow = create(stage, &terms).await?;
    stage.types("buyer", &format!("release {escrow} --amount 0.333333")).await?;
    stage.types("seller", &format!("withdraw {escrow} --recipient seller")).await?;
    stage.types("buyer", &format!("release {escrow} --amount 0.333334")).await?;
    stage.types("seller", &format!("refund {escrow}")).await?;
    stage.types("stranger", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 2).await?;
    let released = stage.units("0.666667")?;
    // 25 thousandths: no product of these numbers comes near 2^63.
    let fee = released.saturating_mul(250).checked_div(10_000).unwrap_or(0);
    Ok(vec![("buyer", -released), ("seller", released.saturating_sub(fee)), ("marketplace", fee)])
}

/// The buyer creates an escrow with the seller, in the asset of the stage. Returns its address.
async fn create(stage: &mut Stage<'_>, terms: &str) -> Result<String> {
    let (seller, mint) = (stage.address("seller"), stage.mint_option());
    let created = stage.types("buyer", &format!("create --seller {seller} {mint} {terms}")).await?;
    let address = created.get("address").and_then(|address| address.as_str());
    address.map(str::to_owned).ok_or_else(|| CliError::Demo("create returned no address".to_owned()))
}

/// Anybody closes it, once fund_by has come; the rent goes back to the buyer, who paid it.
async fn close(stage: &mut Stage<'_>, escrow: &str, days: u64) -> Result<()> {
    if days > 0 {
        stage.passes(days).await?;
    }
    stage.types("stranger", &format!("close {escrow}")).await?;
    Ok(())
}
