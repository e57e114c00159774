//! One file per command: its arguments, what it does, and what it returns.

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    Action, EscrowAccount, Executed, Milestone, Recipe, Signed, Situation,
    escrow::state::is_named,
    recipe::{PreviewedAction, Step},
    sender::Intention,
    view,
    words::{Tense, refusal::roles, sentence::Known},
};
use escrow_frame::terminal::HANG;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    checks,
    consent::{self, Expectations},
    context::Context,
    error::{CliError, Result},
    layout::{ClusterLayout, MoneyLayout, PlanLayout},
    parse,
};

pub mod accept;
pub mod cancel;
pub mod case;
pub mod check;
pub mod claim;
pub mod close;
pub mod code;
pub mod contacts;
pub mod create;
pub mod deliver;
pub mod dispute;
pub mod expire;
pub mod explain;
pub mod export;
pub mod fund;
pub mod history;
pub mod journal;
pub mod keeper;
pub mod list;
pub mod listen;
#[cfg(feature = "localnet")]
pub mod localnet;
pub mod next;
pub mod propose;
pub mod receipt;
pub mod refund;
pub mod release;
pub mod resume;
pub mod rule;
pub mod share;
pub mod show;
pub mod status;
pub mod verify;
pub mod wait;
pub mod watch;
pub mod withdraw;

/// Which milestone of which escrow.
#[derive(Debug, Clone, Copy, Args)]
pub struct MilestoneArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    pub escrow: Pubkey,

    /// Number of the milestone, counted from 1; may be left out where there is only one
    #[arg(short, long, value_name = "NUMBER")]
    pub milestone: Option<u8>,
}

impl MilestoneArgs {
    /// The index of the milestone in the account, counted from 0, and the milestone.
    pub fn find<'a>(&self, escrow: &'a EscrowAccount) -> Result<(u8, &'a Milestone)> {
        let count = escrow.milestones.len();
        let index = match self.milestone {
            None if count == 1 => 0,
            None => return Err(CliError::MilestoneNeeded(count)),
            Some(given) => given.checked_sub(1).ok_or(CliError::NoMilestone { given, count })?,
        };
        let given = index.saturating_add(1);
        let milestone = escrow.milestones.get(usize::from(index)).ok_or(CliError::NoMilestone { given, count })?;
        Ok((index, milestone))
    }
}

/// What a command did that changes an escrow, or would do.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// It was executed; how the escrow stands after it.
    Executed(Box<view::Done>),
    /// Nothing was to be signed; this is what would have been.
    Planned(Box<view::Plan>),
}

impl Done {
    /// The same, with a sentence more.
    fn and(self, sentence: &str) -> Self {
        match self {
            Self::Executed(mut done) => {
                done.done = format!("{} {sentence}", done.done);
                Self::Executed(done)
            }
            planned @ Self::Planned(_) => planned,
        }
    }
}

/// The one way to a signature, of every command that changes an escrow: who signs is who has to; what the program would refuse is
/// refused; what is expected is compared; what is about to be signed is shown and agreed to; and only then it is signed and sent.
pub async fn perform(
    context: &Context,
    situation: &Situation,
    recipe: &Recipe,
    expectations: &Expectations,
) -> Result<Done> {
    let Situation { escrow, now, .. } = situation;
    let signer = context.address()?;
    let actors = recipe.steps.iter().filter_map(|step| match step {
        Step::Do(action) => action.actor.filter(is_named),
        Step::OpenTokenAccount { .. } => None,
    });
    for actor in actors {
        if actor != signer {
            return Err(CliError::WrongKeypair {
                address: actor,
                role: roles(escrow, &actor),
                keypair: signer,
                is: roles(escrow, &signer),
            });
        }
    }
    if !context.signs_only()
        && let Some(begun) = context.begun().await?
        && let Some(executed) = context.take_up(&begun).await?
    {
        return taken_up(context, situation, &begun, &executed).await;
    }
    // What the program would refuse, before anything is sent.
    let previewed =
        recipe.preview(escrow, *now).map_err(|refused| CliError::Refused(Box::new(situation.refused(&refused))))?;
    consent::expected(situation, expectations)?;
    let payer = context.payer()?;
    if context.signs_only() {
        let plan = view::Plan::new(situation, &previewed)?;
        let transactions = context.signed_only(&previewed.units(&payer))?;
        return Ok(Done::Planned(Box::new(view::Plan { transactions, ..plan })));
    }
    let found = checks::before(context, situation, &previewed, expectations.any_seller).await?;
    let steps = previewed.steps(&payer).map_err(escrow_client::Error::from)?;
    let signers = if payer == signer { 1 } else { 2 };
    let signatures = u64::try_from(steps.len()).unwrap_or(u64::MAX).saturating_mul(signers);
    let plan = consent::plan(context, situation, &previewed, signatures).await?;
    let plan = view::Plan { found, ..plan };
    if context.is_dry_run() {
        return Ok(Done::Planned(Box::new(plan)));
    }
    consent::obtain(context, situation, &previewed, &plan, expectations)?;
    let made = plan
        .cost
        .filter(|cost| cost.token_accounts > 0)
        .map(|cost| view::Made { token_accounts: cost.token_accounts, rent: cost.token_account_rent });
    context.note(format_args!("Escrow {}", escrow.address));
    let executed = match context.is_signed_elsewhere() {
        true => context.send_signed(&previewed.units(&payer)).await?,
        false => context.execute(steps).await?,
    };
    let told = |PreviewedAction { action, before, preview }: &PreviewedAction| {
        situation.teller().action(action, Known::previewed(action, before, preview)).told(Tense::Past)
    };
    done(context, situation, previewed.actions.iter().map(told).collect(), made, &executed).await
}

/// Tells what an earlier run of the command has done.
async fn taken_up(context: &Context, situation: &Situation, begun: &Intention, executed: &Executed) -> Result<Done> {
    let signed = begun.records().iter().filter_map(|record| Signed::of(&record.signed.attempt).ok());
    let of_run = signed.filter(|signed| executed.transactions.iter().any(|done| done.signature == signed.signature()));
    let actions: Vec<Action> = of_run.flat_map(|signed| signed.actions()).collect();
    let told = |action: &Action| situation.teller().action(action, Known::default()).told(Tense::Past);
    done(context, situation, actions.iter().map(told).collect(), None, executed).await
}

async fn done(
    context: &Context,
    situation: &Situation,
    sentences: Vec<String>,
    made: Option<view::Made>,
    executed: &Executed,
) -> Result<Done> {
    // What was executed was executed, whether or not it can be looked at.
    let escrow = match after(context, situation).await {
        Ok(escrow) => escrow,
        Err(error) => {
            context.note(format_args!("How the escrow stands after it could not be read: {error}"));
            None
        }
    };
    let last = executed.last();
    Ok(Done::Executed(Box::new(view::Done {
        version: view::VERSION,
        cluster: context.cluster().await.ok(),
        done: sentences.join(" "),
        address: situation.escrow.address.to_string(),
        signature: last.map(|last| last.signature.to_string()).unwrap_or_default(),
        slot: last.map(|last| last.slot.to_string()).unwrap_or_default(),
        made,
        escrow,
    })))
}

/// How the escrow stands; none where its account is closed.
async fn after(context: &Context, situation: &Situation) -> Result<Option<view::Escrow>> {
    match context.client.find(&situation.escrow.address).await? {
        None => Ok(None),
        Some(after) => Ok(Some(situation.at(after, context.client.now().await?).view()?)),
    }
}

impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let view::Done { cluster, done, address, signature, made, escrow, .. } = match self {
            Self::Executed(done) => &**done,
            Self::Planned(plan) => return PlanLayout { plan, signer: None, roles: "" }.fmt(f),
        };
        if let Some(cluster) = cluster {
            writeln!(f, "cluster     {HANG}{}", ClusterLayout(cluster))?;
        }
        writeln!(f, "{done}\nescrow      {address}\ntransaction {signature}")?;
        if let Some(view::Made { token_accounts, rent }) = made {
            let accounts = if *token_accounts == 1 { "token account was" } else { "token accounts were" };
            writeln!(
                f,
                "{token_accounts} {accounts} made, for {} each: its owner gets that back by closing it",
                rent.text
            )?;
        }
        match escrow {
            Some(escrow) => write!(f, "\n{}", MoneyLayout(escrow)),
            None => Ok(()),
        }
    }
}
