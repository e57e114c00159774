//! `escrow create`

use std::{
    fmt::{self, Display, Formatter},
    path::PathBuf,
};

use clap::{ArgGroup, Args};
use escrow_client::{
    MilestoneTerms, Terms, address, instruction,
    terms::{self, Asset as TermsAsset},
};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    context::Context,
    error::{CliError, Result},
    parse::{self, Moment},
    view::{Asset, EscrowView},
};

/// Arguments of `create`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escrow create --seller SELLER --amount 1.5 --deliver-by 14d --fund
  escrow create --seller SELLER --amount 250 --mint MINT --arbiter ARBITER --deliver-by 30d
  escrow create --seller SELLER --milestone 100,10d --milestone 400,30d,7d --arbiter ARBITER --fund")]
#[command(group(ArgGroup::new("what").required(true).args(["amount", "milestone"])))]
pub struct CreateArgs {
    /// Who delivers and is paid
    #[arg(value_parser = parse::address, long)]
    seller: Pubkey,

    /// Who pays [default: --keypair]
    #[arg(value_parser = parse::address, long)]
    buyer: Option<Pubkey>,

    /// Who may rule on disputes
    #[arg(value_parser = parse::address, long)]
    arbiter: Option<Pubkey>,

    /// Who delivers in the seller's place, as a carrier does
    #[arg(value_parser = parse::address, long)]
    attester: Option<Pubkey>,

    /// The amount, in SOL or in the token's unit, as a single milestone
    #[arg(long, allow_hyphen_values = true, requires = "deliver_by")]
    amount: Option<String>,

    /// When the single milestone must be delivered: a duration from now (14d) or a time (2026-12-24T18:00:00Z)
    #[arg(long, value_parser = parse::moment, conflicts_with = "milestone")]
    deliver_by: Option<Moment>,

    /// How long the buyer may review a delivery and dispute it
    #[arg(long, value_parser = parse::window, default_value = "3d")]
    review: u32,

    /// A milestone: amount, deliver-by and optionally its own review window. Repeat for up to 8
    #[arg(long, value_name = "AMOUNT,DELIVER_BY[,REVIEW]")]
    milestone: Vec<String>,

    /// The token's mint [default: SOL]
    #[arg(value_parser = parse::address, long)]
    mint: Option<Pubkey>,

    /// A power of the token's issuer that both parties accept: freeze, default-state, pausable, permanent-delegate,
    /// mint-close. Repeat for several
    #[arg(long, value_name = "RISK", value_parser = parse::risk)]
    accept_risk: Vec<u16>,

    /// Until when the escrow must be funded
    #[arg(long, value_parser = parse::moment, default_value = "1d")]
    fund_by: Moment,

    /// How long after funding the buyer may cancel; nothing can be delivered before it ends
    #[arg(long, value_parser = parse::window, default_value = "0s")]
    cooling_off: u32,

    /// How long a dispute may stay open
    #[arg(long, value_parser = parse::window, default_value = "7d")]
    ruling_window: u32,

    /// The seller's share if nothing is delivered in time, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, default_value = "0")]
    undelivered: u16,

    /// The seller's share if the buyer does not answer a delivery in time, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, default_value = "100")]
    unanswered: u16,

    /// The seller's share if nobody rules on a dispute in time, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, default_value = "50")]
    unruled: u16,

    /// A fee on what is released, in percent, at most 10
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, requires = "fee_recipient")]
    fee: Option<u16>,

    /// Who is paid the fee
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS", requires = "fee")]
    fee_recipient: Option<Pubkey>,

    /// The arbiter's fee on what a ruling decides, in percent, at most 10
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, requires = "arbiter")]
    arbiter_fee: Option<u16>,

    /// sha256 of a 32-byte secret: who knows it may claim the milestone for the seller
    #[arg(long, value_name = "HEX", value_parser = parse::hash)]
    hashlock: Option<[u8; 32]>,

    /// The written agreement: its sha256 becomes part of the terms
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,

    /// Pay the principal in at once (the keypair must be the buyer's)
    #[arg(long)]
    fund: bool,
}

/// A new escrow.
#[derive(Debug, Serialize)]
pub struct Created {
    /// The escrow's address.
    address: String,
    /// Whether it was funded, too.
    funded: bool,
    /// The transaction.
    signature: String,
    /// How it stands.
    escrow: EscrowView,
}

impl Display for Created {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let what = if self.funded { "created and funded" } else { "created, not funded yet" };
        writeln!(f, "escrow {} {what}", self.address)?;
        writeln!(f, "transaction {}\n", self.signature)?;
        write!(f, "{}", self.escrow)
    }
}

pub async fn run(context: &Context, args: CreateArgs) -> Result<Created> {
    let keypair = context.keypair()?;
    let fund = args.fund;
    let terms = build_terms(context, keypair.pubkey(), args).await?;
    // What the program would refuse, before anything is sent.
    let now = context.client.now().await?;
    terms.validate(now)?;
    let address = address::escrow_address(&terms)?;
    let mut instructions = vec![instruction::create(keypair.pubkey(), &terms)?];
    if fund {
        if terms.buyer != keypair.pubkey() {
            return Err(CliError::WrongKeypair { address: terms.buyer, role: "the buyer", keypair: keypair.pubkey() });
        }
        instructions.push(instruction::fund(&terms)?);
    }
    let confirmed = context.send(&instructions, &keypair).await?;
    let escrow = context.client.escrow(&address).await?;
    let asset = context.asset_of(&escrow).await?;
    if !fund {
        context.note(format_args!("next, the buyer: escrow fund {address}"));
    }
    Ok(Created {
        address: address.to_string(),
        funded: fund,
        signature: confirmed.signature.to_string(),
        escrow: EscrowView::new(&escrow, &asset, now)?,
    })
}

async fn build_terms(context: &Context, payer: Pubkey, args: CreateArgs) -> Result<Terms> {
    let now = context.client.now().await?;
    let asset = context.asset(args.mint.as_ref()).await?;
    let held = match asset.mint {
        None => TermsAsset::Sol,
        Some(mint) => TermsAsset::Token { mint: mint.address, program: mint.program },
    };
    let milestones = match (args.amount, args.deliver_by) {
        (Some(amount), Some(deliver_by)) => vec![MilestoneTerms {
            amount: asset.parse(&amount)?,
            deliver_by: deliver_by.at(now),
            review_window: args.review,
        }],
        _ => args.milestone.iter().map(|text| milestone(text, &asset, now, args.review)).collect::<Result<_>>()?,
    };
    let document_hash = args.document.as_deref().map(parse::file_hash).transpose()?;
    Ok(Terms {
        arbiter: args.arbiter.unwrap_or_default(),
        attester: args.attester.unwrap_or_default(),
        fee_recipient: args.fee_recipient.unwrap_or_default(),
        accepted_risks: args.accept_risk.iter().fold(0, |bits, bit| bits | bit),
        fee_bps: args.fee.unwrap_or(0),
        arbiter_fee_bps: args.arbiter_fee.unwrap_or(0),
        fund_by: args.fund_by.at(now),
        cooling_off: args.cooling_off,
        ruling_window: args.ruling_window,
        undelivered_bps: args.undelivered,
        unanswered_bps: args.unanswered,
        unruled_bps: args.unruled,
        hashlock: args.hashlock.unwrap_or_default(),
        document_hash: document_hash.unwrap_or_default(),
        milestones,
        ..terms::new(args.buyer.unwrap_or(payer), args.seller, held, now)
    })
}

/// Reads `AMOUNT,DELIVER_BY[,REVIEW]`.
fn milestone(text: &str, asset: &Asset, now: i64, review: u32) -> Result<MilestoneTerms> {
    let wrong = |reason: String| {
        CliError::Arguments(format!(
            "--milestone {text}: {reason}. Write AMOUNT,DELIVER_BY or AMOUNT,DELIVER_BY,REVIEW, as in 100,10d,3d"
        ))
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (amount, deliver_by, window) = match parts.as_slice() {
        [amount, deliver_by] => (amount, deliver_by, review),
        [amount, deliver_by, window] => (amount, deliver_by, parse::window(window).map_err(wrong)?),
        _ => return Err(wrong("this has not two or three parts".to_owned())),
    };
    Ok(MilestoneTerms {
        amount: asset.parse(amount)?,
        deliver_by: parse::moment(deliver_by).map_err(wrong)?.at(now),
        review_window: window,
    })
}
