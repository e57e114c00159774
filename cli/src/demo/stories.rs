//! The stories. Each returns what everybody should have gained or lost at its end, without transaction fees.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
};

use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Assets, Stage};
use crate::error::{CliError, Result};

/// Who gained or lost how much, in the asset's smallest unit.
pub type Gains = Vec<(&'static str, i64)>;

/// A story on its stage.
pub type Play = for<'a> fn(&'a mut Stage<'_>) -> Pin<Box<dyn Future<Output = Result<Gains>> + 'a>>;

/// All stories, with their titles.
pub const ALL: [(&str, Assets, Play); 12] = [
    ("A sale that goes well", Assets::SolAndToken, |stage| Box::pin(sale(stage))),
    ("A seller who never delivers", Assets::SolAndToken, |stage| Box::pin(never_delivered(stage))),
    ("A buyer who never answers", Assets::SolAndToken, |stage| Box::pin(never_answered(stage))),
    ("A partial release, with a fee to the unit", Assets::SolAndToken, |stage| Box::pin(partial_release(stage))),
    ("A dispute, a ruling and its fee", Assets::SolAndToken, |stage| Box::pin(ruling(stage))),
    ("An arbiter's desk: two cases, and one that was forged", Assets::SolAndToken, |stage| Box::pin(desk(stage))),
    ("An arbiter who never answers", Assets::SolAndToken, |stage| Box::pin(never_ruled(stage))),
    ("A settlement between the parties", Assets::SolAndToken, |stage| Box::pin(settlement(stage))),
    ("A hash-lock between two escrows", Assets::SolAndToken, |stage| Box::pin(hash_lock(stage))),
    ("A delivery code at the door", Assets::SolAndToken, |stage| Box::pin(delivery_code(stage))),
    ("A delivery attested by a carrier", Assets::SolAndToken, |stage| Box::pin(attested(stage))),
    ("A frozen recipient", Assets::FreezableToken, |stage| Box::pin(frozen(stage))),
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
    stage.is_refused("buyer", &format!("expire {escrow}"), "deadline has not come yet").await?;
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
    stage.is_refused("seller", &format!("expire {escrow}"), "deadline has not come yet").await?;
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

/// The arbiter takes 3 % of what is in dispute and gives the seller 60 % of the rest.
async fn ruling(stage: &mut Stage<'_>) -> Result<Gains> {
    let arbiter = stage.address("arbiter");
    let terms = format!("--amount 2 --deliver-by 7d --arbiter {arbiter} --arbiter-fee 3 --fund");
    let escrow = create(stage, &terms).await?;
    stage.types("seller", &format!("deliver {escrow}")).await?;
    stage.types("buyer", &format!("dispute {escrow}")).await?;
    stage.is_refused("seller", &format!("rule {escrow} --seller-share 100"), "Only the arbiter").await?;
    stage.types("arbiter", &format!("show {escrow}")).await?;
    stage.types("arbiter", &format!("rule {escrow} --seller-share 60")).await?;
    stage.types("stranger", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 2).await?;
    let (seller, arbiter) = (stage.units("1.164")?, stage.units("0.06")?);
    Ok(vec![("buyer", -(seller.saturating_add(arbiter))), ("seller", seller), ("arbiter", arbiter)])
}

/// Both build a case and commit to it. Then the seller exchanges a photo: the arbiter sees which, and rules for the buyer.
async fn desk(stage: &mut Stage<'_>) -> Result<Gains> {
    let desk = Desk::new()?;
    let arbiter = stage.address("arbiter");
    let escrow = create(stage, &format!("--amount 2 --deliver-by 7d --arbiter {arbiter} --fund")).await?;
    let photo = desk.file("parcel.jpg", "a photo of a parcel that is open")?;
    let statement = desk.file("packed.txt", "I packed all of it, and the parcel was closed.\n")?;
    let (sellers, evidence) =
        case(stage, "seller", &desk, &escrow, &format!("evidence --statement {statement} --file {photo}")).await?;
    stage.types("seller", &format!("deliver {escrow} --evidence-hash {evidence}")).await?;
    let statement = desk.file("empty.txt", "It was open and empty when it came: see the seller's own photo.\n")?;
    let (buyers, reason) = case(stage, "buyer", &desk, &escrow, &format!("reason --statement {statement}")).await?;
    stage.types("buyer", &format!("dispute {escrow} --reason-hash {reason}")).await?;

    // The photo shows too much, so the seller hands in another.
    desk.file("seller-evidence/files/parcel.jpg", "a photo of a parcel that is closed")?;
    stage.happens("seller", "exchanges the photo in the folder");
    stage.types("arbiter", "case list").await?;
    let shown = format!("case show {escrow} --case {sellers} --case {buyers} --seller-share 10");
    let shown = stage.types("arbiter", &shown).await?;
    let is_genuine = |case: usize| shown.pointer(&format!("/cases/{case}/case/genuine")) == Some(&true.into());
    if is_genuine(0) || !is_genuine(1) {
        return Err(CliError::Demo("the arbiter does not see which case was forged".to_owned()));
    }
    let statement = desk.file("why.txt", "The seller's photo is not the one that was committed to.\n")?;
    let (_, rationale) = case(stage, "arbiter", &desk, &escrow, &format!("rationale --statement {statement}")).await?;
    stage.types("arbiter", &format!("rule {escrow} --seller-share 10 --rationale-hash {rationale}")).await?;
    stage.types("stranger", &format!("withdraw {escrow}")).await?;
    stage.types("buyer", &format!("receipt {escrow}")).await?;
    close(stage, &escrow, 2).await?;
    Ok(vec![("buyer", -stage.units("0.2")?), ("seller", stage.units("0.2")?)])
}

/// Somebody builds a case. Returns its folder, and the hash to commit to.
async fn case(
    stage: &mut Stage<'_>,
    who: &'static str,
    desk: &Desk,
    escrow: &str,
    purpose_and_files: &str,
) -> Result<(String, String)> {
    let purpose = purpose_and_files.split_whitespace().next().unwrap_or_default();
    let folder = desk.path(&format!("{who}-{purpose}"));
    let built = stage.types(who, &format!("case build {escrow} --to {folder} --for {purpose_and_files}")).await?;
    let hash = built.get("hash").and_then(|hash| hash.as_str()).map(str::to_owned);
    Ok((folder, hash.ok_or_else(|| CliError::Demo("case build returned no hash".to_owned()))?))
}

/// Half each, as the terms say.
async fn never_ruled(stage: &mut Stage<'_>) -> Result<Gains> {
    let arbiter = stage.address("arbiter");
    let escrow = create(stage, &format!("--amount 1 --deliver-by 7d --arbiter {arbiter} --fund")).await?;
    stage.types("seller", &format!("deliver {escrow}")).await?;
    stage.types("buyer", &format!("dispute {escrow}")).await?;
    stage.passes(7).await?;
    stage.is_refused("arbiter", &format!("rule {escrow} --seller-share 0"), "deadline has passed").await?;
    stage.types("stranger", &format!("expire {escrow}")).await?;
    stage.types("stranger", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 0).await?;
    Ok(vec![("buyer", -stage.units("0.5")?), ("seller", stage.units("0.5")?)])
}

/// In two transactions: one proposes, the other accepts exactly that.
async fn settlement(stage: &mut Stage<'_>) -> Result<Gains> {
    let escrow = create(stage, "--amount 1 --deliver-by 7d --fund").await?;
    stage.types("seller", &format!("deliver {escrow}")).await?;
    stage.types("buyer", &format!("dispute {escrow}")).await?;
    stage.types("buyer", &format!("propose {escrow} --seller-amount 0.4")).await?;
    stage.is_refused("seller", &format!("accept {escrow} --seller-amount 0.8"), "not accepted").await?;
    stage.types("seller", &format!("propose {escrow} --seller-amount 0.7")).await?;
    stage.types("buyer", &format!("show {escrow}")).await?;
    stage.types("buyer", &format!("accept {escrow} --seller-amount 0.7")).await?;
    stage.types("stranger", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 2).await?;
    Ok(vec![("buyer", -stage.units("0.7")?), ("seller", stage.units("0.7")?)])
}

/// Two escrows with the same lock, in opposite directions: claiming one shows the secret that claims the other.
async fn hash_lock(stage: &mut Stage<'_>) -> Result<Gains> {
    let secret = SecretFile::new()?;
    let lock = secret.lock();
    let (seller, buyer, mint) = (stage.address("seller"), stage.address("buyer"), stage.mint_option());
    // The buyer knows the secret, and so claims first; the seller's time is longer, to claim after that.
    let there =
        format!("create --seller {seller} {mint} --amount 1 --deliver-by 14d --unruled 50 --hashlock {lock} --fund");
    let there = address_in(&stage.types("buyer", &there).await?)?;
    let back =
        format!("create --seller {buyer} {mint} --amount 2.5 --deliver-by 7d --unruled 50 --hashlock {lock} --fund");
    let back = address_in(&stage.types("seller", &back).await?)?;
    stage.types("buyer", &format!("claim {back} --secret {}", secret.path())).await?;
    // The seller reads it there.
    let history = stage.types("seller", &format!("history {back}")).await?;
    if !history.to_string().contains(&secret.hex()) {
        return Err(CliError::Demo("the history does not show the secret".to_owned()));
    }
    stage.types("seller", &format!("claim {there} --secret {}", secret.path())).await?;
    for escrow in [&there, &back] {
        stage.types("stranger", &format!("withdraw {escrow}")).await?;
    }
    stage.passes(2).await?;
    for escrow in [&there, &back] {
        close(stage, escrow, 0).await?;
    }
    Ok(vec![("buyer", stage.units("1.5")?), ("seller", -stage.units("1.5")?)])
}

/// The seller may deliver in the ordinary way, and be paid when the review ends; or for the buyer's code, at once, also after
/// that. Meanwhile the two agree on more time to inspect.
async fn delivery_code(stage: &mut Stage<'_>) -> Result<Gains> {
    let code = SecretFile::new()?;
    let (lock, seller) = (code.lock(), stage.address("seller"));
    let terms = format!("--amount 1.2 --deliver-by 7d --review 2d --hashlock {lock} --attester {seller} --fund");
    let escrow = create(stage, &terms).await?;
    stage.types("seller", &format!("deliver {escrow}")).await?;
    stage.types("buyer", &format!("propose {escrow} --deadline 10d")).await?;
    stage.types("seller", &format!("accept {escrow}")).await?;
    stage.passes(8).await?;
    stage.is_refused("seller", &format!("expire {escrow}"), "deadline has not come yet").await?;
    // The buyer has looked at everything, and hands the code over.
    stage.types("seller", &format!("claim {escrow} --secret {}", code.path())).await?;
    stage.is_refused("buyer", &format!("dispute {escrow}"), "disputed or settled already").await?;
    stage.types("seller", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 0).await?;

    // Where no attester is named, the code is the delivery: without it nobody delivers, and the money comes back.
    let strict = create(stage, &format!("--amount 0.5 --deliver-by 7d --hashlock {lock} --fund")).await?;
    stage.is_refused("seller", &format!("deliver {strict}"), "The secret is the delivery").await?;
    stage.passes(7).await?;
    stage.is_refused("seller", &format!("claim {strict} --secret {}", code.path()), "deadline has passed").await?;
    stage.types("buyer", &format!("expire {strict}")).await?;
    stage.types("buyer", &format!("withdraw {strict}")).await?;
    close(stage, &strict, 0).await?;
    Ok(vec![("buyer", -stage.units("1.2")?), ("seller", stage.units("1.2")?)])
}

/// The carrier alone says that it is delivered; with no review window that settles it.
async fn attested(stage: &mut Stage<'_>) -> Result<Gains> {
    let carrier = stage.address("carrier");
    let escrow = create(stage, &format!("--amount 3 --deliver-by 7d --attester {carrier} --review 0s --fund")).await?;
    stage.is_refused("seller", &format!("deliver {escrow}"), "Only the attester").await?;
    stage.types("carrier", &format!("deliver {escrow}")).await?;
    stage.types("stranger", &format!("expire {escrow}")).await?;
    stage.types("seller", &format!("withdraw {escrow}")).await?;
    close(stage, &escrow, 2).await?;
    Ok(vec![("buyer", -stage.units("3")?), ("seller", stage.units("3")?)])
}

/// The marketplace's account is frozen: the seller and the buyer get their money all the same.
async fn frozen(stage: &mut Stage<'_>) -> Result<Gains> {
    let marketplace = stage.address("marketplace");
    let terms = format!("--amount 1 --deliver-by 7d --fee 5 --fee-recipient {marketplace}");
    let (seller, mint) = (stage.address("seller"), stage.mint_option());
    let refused = format!("create --seller {seller} {mint} {terms} --unruled 50");
    stage.is_refused("buyer", &refused, "the terms do not accept").await?;
    let escrow = create(stage, &format!("{terms} --accept-risk freeze --fund")).await?;
    stage.types("buyer", &format!("release {escrow} --amount 0.6")).await?;
    stage.types("stranger", &format!("withdraw {escrow} --recipient fee")).await?;
    stage.issuer_freezes("marketplace", true).await?;
    stage.types("buyer", &format!("release {escrow} --amount 0.2")).await?;
    stage.types("seller", &format!("refund {escrow}")).await?;
    stage.is_refused("marketplace", &format!("withdraw {escrow} --recipient fee"), "frozen").await?;
    stage.types("seller", &format!("withdraw {escrow} --recipient seller")).await?;
    stage.types("buyer", &format!("withdraw {escrow} --recipient buyer")).await?;
    stage.issuer_freezes("marketplace", false).await?;
    stage.types("marketplace", &format!("withdraw {escrow} --recipient fee")).await?;
    close(stage, &escrow, 2).await?;
    Ok(vec![("buyer", -stage.units("0.8")?), ("seller", stage.units("0.76")?), ("marketplace", stage.units("0.04")?)])
}

/// A new folder for files, gone with this value.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("escrow-desk-{}", Keypair::new().pubkey()));
        std::fs::create_dir(&path).map_err(|error| unwritten(&path, &error))?;
        Ok(Self(path))
    }

    /// Writes a file into it, or over one that is there.
    fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.0.join(name);
        std::fs::write(&path, text).map_err(|error| unwritten(&path, &error))?;
        Ok(path.display().to_string())
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Demo(format!("cannot write {}: {error}", path.display()))
}

/// A file with a random secret, gone with this value.
struct SecretFile {
    secret: [u8; 32],
    path: PathBuf,
}

impl SecretFile {
    fn new() -> Result<Self> {
        // A new key is 32 random bytes, from the generator that keys come from.
        let secret = *Keypair::new().secret_bytes();
        // Named after the lock, which is public: a part of the secret would be a part of it less to guess.
        let lock: [u8; 32] = Sha256::digest(secret).into();
        let path = std::env::temp_dir().join(format!("escrow-demo-{}", hex::encode(&lock[..8])));
        let written = std::fs::write(&path, hex::encode(secret));
        written.map_err(|error| unwritten(&path, &error))?;
        Ok(Self { secret, path })
    }

    fn lock(&self) -> String {
        hex::encode(Sha256::digest(self.secret))
    }

    fn hex(&self) -> String {
        hex::encode(self.secret)
    }

    fn path(&self) -> String {
        self.path.display().to_string()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        // Left behind, it would be a file with a secret that everybody knows by then.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The buyer creates an escrow with the seller, in the asset of the stage, with an arbiter. Returns its address.
async fn create(stage: &mut Stage<'_>, terms: &str) -> Result<String> {
    let (seller, mint) = (stage.address("seller"), stage.mint_option());
    let arbiter = stage.address("arbiter");
    let terms = match terms.contains("--arbiter") {
        true => terms.to_owned(),
        false => format!("--arbiter {arbiter} {terms}"),
    };
    address_in(&stage.types("buyer", &format!("create --seller {seller} {mint} {terms}")).await?)
}

/// The address in what `create` returned.
fn address_in(created: &serde_json::Value) -> Result<String> {
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
