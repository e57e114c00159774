//! `escrow create`

use std::{
    fmt::{self, Display, Formatter},
    path::PathBuf,
};

use clap::{ArgGroup, Args, ValueEnum};
use escrow_client::{
    EscrowAccount, EscrowInstruction, Filter, MilestoneTerms, Recipe, Signed, Situation, Terms, TermsBuilder,
    code::DeliveryCode,
    sender::Intention,
    terms::{CodeKind, Fee, Retention, defaults, reference_salt},
    view,
    warning::warnings,
    words::{Denomination, warning::told},
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{Done, perform};
use crate::{
    consent::Expectations,
    context::Context,
    error::{CliError, Result},
    layout::{EscrowLayout, PlanLayout},
    parse::{self, Moment, Percent, Window},
};

/// Arguments of `create`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escrow create --seller SELLER --arbiter ARBITER --amount 1.5 --deliver-by 14d --fund
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

    /// Who confirms the delivery instead of the seller, such as a carrier
    #[arg(value_parser = parse::address, long)]
    attester: Option<Pubkey>,

    /// The amount, in SOL or in the token's unit, as a single milestone
    #[arg(long, allow_hyphen_values = true, requires = "deliver_by")]
    amount: Option<String>,

    /// When the single milestone must be delivered: a duration from now (14d) or a time (2026-12-24T18:00:00Z)
    #[arg(long, value_parser = parse::moment, conflicts_with = "milestone")]
    deliver_by: Option<Moment>,

    /// How long the buyer may review a delivery and dispute it
    #[arg(long, value_parser = parse::window, default_value_t = Window(defaults::REVIEW_WINDOW))]
    review: Window,

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

    /// Deadline for the buyer to pay in [default: 1d, or the first delivery deadline, if that is sooner]
    #[arg(long, value_parser = parse::moment)]
    fund_by: Option<Moment>,

    /// How long after funding the buyer may cancel; nothing can be delivered before it ends
    #[arg(long, value_parser = parse::window, default_value_t = Window(defaults::COOLING_OFF))]
    cooling_off: Window,

    /// How long a dispute may stay open
    #[arg(long, value_parser = parse::window, default_value_t = Window(defaults::RULING_WINDOW))]
    ruling_window: Window,

    /// The seller's share if nothing is delivered in time, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, default_value_t = Percent(defaults::UNDELIVERED_BPS))]
    undelivered: Percent,

    /// The seller's share if the buyer does not answer a delivery in time, in percent
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, default_value_t = Percent(defaults::UNANSWERED_BPS))]
    unanswered: Percent,

    /// The seller's share if nobody rules on a dispute in time, in percent [default: 50; without --arbiter it has to be said]
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent)]
    unruled: Option<Percent>,

    /// A fee on what is released, in percent, at most 10
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, requires = "fee_recipient")]
    fee: Option<Percent>,

    /// Who is paid the fee
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS", requires = "fee")]
    fee_recipient: Option<Pubkey>,

    /// The arbiter's fee on what a ruling decides, in percent, at most 10
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, requires = "arbiter")]
    arbiter_fee: Option<Percent>,

    /// sha256 of a 32-byte secret: anyone who knows the secret can claim the milestone for the seller
    #[arg(long, value_name = "HEX", value_parser = parse::hash)]
    hashlock: Option<[u8; 32]>,

    /// The written agreement: its sha256 becomes part of the terms
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,

    /// A part of every milestone that is paid later, in percent: when the last delivery is as old as --for says, in which time it
    /// can be disputed
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, requires = "retained_for")]
    retention: Option<Percent>,

    /// How long the retention is held back
    #[arg(id = "retained_for", long = "for", value_name = "DURATION", value_parser = parse::window, requires = "retention")]
    retained_for: Option<Window>,

    /// Make a code that you give away on delivery, and that pays the seller at once: who has it has your acceptance. soft: the
    /// seller may also deliver without it, and is paid after the review. strict: no code, no money
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "soft", conflicts_with_all = ["hashlock", "attester"])]
    delivery_code: Option<CodeArg>,

    /// Pay the principal in at once (the keypair must be the buyer's)
    #[arg(long)]
    fund: bool,

    /// Go on where the seller is no wallet, or looks like somebody else whom you know
    #[arg(long)]
    allow_any_seller: bool,

    /// Take options from a file that `escrow template` has written; those that are typed, too, count instead
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// Who can end a deal with its delivery code, as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CodeArg {
    Soft,
    Strict,
}

impl From<CodeArg> for CodeKind {
    fn from(argument: CodeArg) -> Self {
        match argument {
            CodeArg::Soft => Self::Soft,
            CodeArg::Strict => Self::Strict,
        }
    }
}

/// A new escrow, or what it would be.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Created {
    /// It was created.
    Executed(Box<view::Created>),
    /// Nothing was to be signed; this is what would have been.
    Planned(Box<view::Plan>),
}

impl Display for Created {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let view::Created { address, funded, signature, escrow, .. } = match self {
            Self::Executed(created) => &**created,
            Self::Planned(plan) => return PlanLayout { plan, signer: None, roles: "" }.fmt(f),
        };
        let what = if *funded { "created and funded" } else { "created, not funded yet" };
        writeln!(f, "escrow {address} {what}\ntransaction {signature}\n")?;
        EscrowLayout { escrow, viewer: None }.fmt(f)
    }
}

pub async fn run(context: &Context, args: CreateArgs) -> Result<Created> {
    let creator = context.address()?;
    let (fund, any_seller) = (args.fund, args.allow_any_seller);
    let now = context.now().await?;
    let denomination = match &args.mint {
        None => Denomination::SOL,
        Some(mint) => context.client.mint(mint).await?.denomination(),
    };
    let code = args.delivery_code.map(|_| DeliveryCode::generate());
    // Terms that were signed are these, whatever the same words come to at present.
    let begun = match context.signs_only() {
        true => None,
        false => context.begun().await?.as_ref().and_then(created),
    };
    let (terms, code) = match begun {
        Some(terms) => (terms, None),
        None => {
            let salt = match context.reference() {
                Some(reference) => Some(first_under(context, reference, &args, creator).await?),
                None if context.is_signed_elsewhere() => Some(same_twice(context, &args)?),
                None => None,
            };
            (agree(args, salt, creator, code.as_ref(), &denomination, now)?, code)
        }
    };
    let situation = Situation { escrow: EscrowAccount::agreed(&terms, creator)?, denomination, now };
    // Before anything leaves this machine: without the code the money would wait for its deadline.
    let kept = code.as_ref().map(|code| context.codes().keep(&situation.escrow.address, code)).transpose()?;
    let recipe = Recipe::create(&terms, creator, fund)?;
    let done = perform(context, &situation, &recipe, &Expectations::of_ones_own(any_seller)).await;
    if let (Some(kept), Err(CliError::Declined | CliError::Unconfirmed(_)) | Ok(Done::Planned(_))) = (&kept, &done) {
        // Nothing was signed that it would open.
        let _ = std::fs::remove_file(kept);
    }
    let done = done?;
    let done = match done {
        Done::Executed(done) => done,
        Done::Planned(plan) => return Ok(Created::Planned(plan)),
    };
    if let Some(kept) = kept {
        context.note(format_args!(
            "The delivery code is in {}, and `escrow code {}` shows it. Whoever has it is paid: give it away when you have looked \
             at the delivery, and not before",
            kept.display(),
            situation.escrow.address
        ));
    }
    if !fund {
        context.note(format_args!("Next, the buyer runs: escrow fund {}", situation.escrow.address));
    }
    let escrow = match created_at(context, &situation).await {
        Ok(escrow) => escrow,
        // It was created, whether or not it can be looked at: as it was previewed.
        Err(error) => {
            context.note(format_args!("How the escrow stands after it could not be read: {error}"));
            let after = recipe.preview(&situation.escrow, now).ok().and_then(|previewed| previewed.after);
            situation.at(after.unwrap_or(situation.escrow.clone()), now).view()?
        }
    };
    Ok(Created::Executed(Box::new(view::Created {
        version: view::VERSION,
        address: escrow.address.clone(),
        funded: fund,
        signature: done.signature,
        warnings: warnings(&terms, now).iter().map(told).collect(),
        escrow,
    })))
}

async fn created_at(context: &Context, situation: &Situation) -> Result<view::Escrow> {
    context.view(&context.situation(&situation.escrow.address).await?).await
}

/// The terms of the escrow that an earlier run of this command creates.
fn created(begun: &Intention) -> Option<Terms> {
    let signed = begun.records().iter().rev().filter_map(|record| Signed::of(&record.signed.attempt).ok());
    let mut actions = signed.flat_map(|signed| signed.actions());
    actions.find_map(|action| match action.instruction {
        EscrowInstruction::Create { terms } => Some(*terms),
        _ => None,
    })
}

/// The salt where signatures are made elsewhere: the transaction is built once to be signed and once to be sent, and must be the
/// same. It follows from the block hash or nonce that both are built on.
fn same_twice(context: &Context, args: &CreateArgs) -> Result<[u8; 16]> {
    has_times(args, "where signatures are made elsewhere")?;
    let missing = |text: &str| CliError::Arguments(text.to_owned());
    if args.delivery_code.is_some() {
        return Err(missing(
            "where signatures are made elsewhere, the delivery code would be another one each time: make one, and name its hash \
             with --hashlock",
        ));
    }
    if args.fund_by.is_none() {
        return Err(missing(
            "where signatures are made elsewhere, name --fund-by: its default is another time each time that the command is typed",
        ));
    }
    let hash = context.named_hash()?.ok_or_else(|| {
        missing("to create an escrow with signatures that are made elsewhere, name the block hash or the nonce's value with --blockhash, each time the same")
    })?;
    Ok(reference_salt(&hex::encode(hash)))
}

/// Refuses durations: each time that one is typed, it is another deadline.
fn has_times(args: &CreateArgs, when: &str) -> Result<()> {
    let milestones = args.milestone.iter().filter_map(|text| parse::moment(text.split(',').nth(1)?.trim()).ok());
    let mut moments = args.deliver_by.iter().chain(&args.fund_by).copied().chain(milestones);
    if moments.any(|moment| matches!(moment, Moment::FromNow(_))) {
        return Err(CliError::Arguments(format!(
            "{when} every deadline is a time, such as 2027-01-31T18:00:00Z: a duration is another deadline each time that it is \
             typed"
        )));
    }
    Ok(())
}

/// The salt for a reference, if no escrow was created under it, by this machine or another.
async fn first_under(context: &Context, reference: &str, args: &CreateArgs, creator: Pubkey) -> Result<[u8; 16]> {
    has_times(args, "with --reference")?;
    let salt = reference_salt(reference);
    let filter = Filter { buyer: Some(args.buyer.unwrap_or(creator)), salt: Some(salt), ..Filter::default() };
    match context.client.list(&filter).await?.first() {
        None => Ok(salt),
        Some(first) if first.is_funded() => Err(CliError::ReferenceTaken(format!(
            "the escrow {} was created and funded under this reference already: nothing was sent. Look at it with: escrow \
             show {}",
            first.address, first.address
        ))),
        Some(first) => Err(CliError::ReferenceTaken(format!(
            "the escrow {} was created under this reference already, and is not funded: nothing was sent. Look at it, and if \
             these are your terms: escrow fund {}",
            first.address, first.address
        ))),
    }
}
/// What is asked of whoever names no arbiter.
const NO_ARBITER: &str = "without --arbiter nobody can rule on a dispute. Then a buyer who disputes a delivery, however good it \
     was, gets back what --unruled leaves, and a seller who delivered badly keeps the rest, unless the two agree. Name an arbiter \
     with --arbiter, or say with --unruled how much of it is the seller's: --unruled 50 for half each, --unruled 100 for a buyer \
     who has nothing to win by a dispute";

/// The terms that the arguments name, with `creator` as the buyer where none is named.
fn agree(
    args: CreateArgs,
    salt: Option<[u8; 16]>,
    creator: Pubkey,
    code: Option<&DeliveryCode>,
    denomination: &Denomination,
    now: i64,
) -> Result<Terms> {
    if args.arbiter.is_none() && args.unruled.is_none() {
        return Err(CliError::Arguments(NO_ARBITER.to_owned()));
    }
    let milestones = match (args.amount, args.deliver_by) {
        (Some(amount), Some(deliver_by)) => vec![MilestoneTerms {
            amount: denomination.parse(&amount)?,
            deliver_by: deliver_by.at(now),
            review_window: args.review.0,
        }],
        _ => {
            args.milestone.iter().map(|text| milestone(text, denomination, now, args.review)).collect::<Result<_>>()?
        }
    };
    let fee = args.fee.zip(args.fee_recipient).map(|(Percent(bps), recipient)| Fee { recipient, bps });
    let builder = TermsBuilder {
        arbiter: args.arbiter,
        attester: args.attester,
        fee,
        arbiter_fee_bps: args.arbiter_fee.map(|fee| fee.0),
        accepted_risks: args.accept_risk.iter().fold(0, |bits, bit| bits | bit),
        fund_by: args.fund_by.map(|moment| moment.at(now)),
        cooling_off: Some(args.cooling_off.0),
        ruling_window: Some(args.ruling_window.0),
        undelivered_bps: Some(args.undelivered.0),
        unanswered_bps: Some(args.unanswered.0),
        unruled_bps: args.unruled.map(|share| share.0),
        hashlock: args.hashlock,
        document_hash: args.document.as_deref().map(parse::file_hash).transpose()?,
        milestones,
        salt,
        retention: args
            .retention
            .zip(args.retained_for)
            .map(|(Percent(bps), Window(seconds))| Retention { bps, seconds }),
        ..TermsBuilder::new(args.buyer.unwrap_or(creator), args.seller, denomination.asset)
    };
    let builder = match (code, args.delivery_code) {
        (Some(code), Some(kind)) => builder.delivery_code(code, kind.into())?,
        _ => builder,
    };
    Ok(builder.build(now)?)
}

/// Reads `AMOUNT,DELIVER_BY[,REVIEW]`.
fn milestone(text: &str, denomination: &Denomination, now: i64, review: Window) -> Result<MilestoneTerms> {
    let wrong = |reason: String| {
        CliError::Arguments(format!(
            "--milestone {text}: {reason}. Write AMOUNT,DELIVER_BY or AMOUNT,DELIVER_BY,REVIEW, as in 100,10d,3d"
        ))
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (amount, deliver_by, window) = match parts.as_slice() {
        [amount, deliver_by] => (amount, deliver_by, review),
        [amount, deliver_by, window] => (amount, deliver_by, parse::window(window).map_err(wrong)?),
        parts => return Err(wrong(format!("{} parts between commas, where there must be two or three", parts.len()))),
    };
    Ok(MilestoneTerms {
        amount: denomination.parse(amount)?,
        deliver_by: parse::moment(deliver_by).map_err(wrong)?.at(now),
        review_window: window.0,
    })
}
