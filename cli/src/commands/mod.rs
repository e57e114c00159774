//! One file per command: its arguments, what it does, and what it returns.

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    EscrowAccount, Milestone, Recipe,
    escrow::state::is_named,
    recipe::{PreviewedAction, Step},
    view,
    words::{Denomination, Tense, refusal::roles, sentence::Known},
};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    cli::{Cli, Command, OnChain},
    context::{Context, Situation},
    error::{CliError, Result},
    layout::MoneyLayout,
    output::{Report, print},
    parse,
};

pub mod accept;
pub mod cancel;
pub mod claim;
pub mod close;
pub mod create;
pub mod deliver;
#[cfg(feature = "localnet")]
pub mod demo;
pub mod dispute;
pub mod expire;
pub mod fund;
pub mod history;
pub mod list;
#[cfg(feature = "localnet")]
pub mod localnet;
pub mod propose;
pub mod refund;
pub mod release;
pub mod rule;
pub mod show;
pub mod withdraw;

/// Runs a command and prints its result.
pub async fn run(cli: Cli) -> Result<()> {
    let Cli { global, command } = cli;
    let format = global.output;
    match command {
        #[cfg(feature = "localnet")]
        Command::Localnet(args) => localnet::run(format, args).await,
        #[cfg(feature = "localnet")]
        Command::Demo(args) => demo::run(format, args).await,
        Command::OnChain(command) => print(format, &*execute(&Context::new(global)?, command).await?),
    }
}

/// Runs a command on a cluster.
pub async fn execute(context: &Context, command: OnChain) -> Result<Box<dyn Report>> {
    Ok(match command {
        OnChain::Create(args) => Box::new(create::run(context, *args).await?),
        OnChain::Fund(args) => Box::new(fund::run(context, args).await?),
        OnChain::Cancel(args) => Box::new(cancel::run(context, args).await?),
        OnChain::Deliver(args) => Box::new(deliver::run(context, args).await?),
        OnChain::Release(args) => Box::new(release::run(context, args).await?),
        OnChain::Refund(args) => Box::new(refund::run(context, args).await?),
        OnChain::Claim(args) => Box::new(claim::run(context, args).await?),
        OnChain::Dispute(args) => Box::new(dispute::run(context, args).await?),
        OnChain::Rule(args) => Box::new(rule::run(context, args).await?),
        OnChain::Propose(args) => Box::new(propose::run(context, args).await?),
        OnChain::Accept(args) => Box::new(accept::run(context, args).await?),
        OnChain::Expire(args) => Box::new(expire::run(context, args).await?),
        OnChain::Withdraw(args) => Box::new(withdraw::run(context, args).await?),
        OnChain::Close(args) => Box::new(close::run(context, args).await?),
        OnChain::Show(args) => Box::new(show::run(context, args).await?),
        OnChain::History(args) => Box::new(history::run(context, args).await?),
        OnChain::List(args) => Box::new(list::run(context, args).await?),
    })
}

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

/// What a command that changed an escrow did, and how the escrow stands after it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Done(view::Done);

impl Done {
    /// The same, with a sentence more.
    fn and(mut self, sentence: &str) -> Self {
        self.0.done = format!("{} {sentence}", self.0.done);
        self
    }
}

/// Previews a recipe, signs and sends it, and tells what was done.
pub async fn perform(context: &Context, situation: &Situation, recipe: &Recipe) -> Result<Done> {
    let Situation { escrow, now, .. } = situation;
    let signer = context.keypair()?;
    let actors = recipe.steps.iter().filter_map(|step| match step {
        Step::Do(action) => action.actor.filter(is_named),
        Step::OpenTokenAccount { .. } => None,
    });
    for actor in actors {
        if actor != signer.pubkey() {
            return Err(CliError::WrongKeypair {
                address: actor,
                role: roles(escrow, &actor),
                keypair: signer.pubkey(),
                is: roles(escrow, &signer.pubkey()),
            });
        }
    }
    // What the program would refuse, before anything is sent.
    let previewed = recipe.preview(escrow, *now).map_err(|refused| situation.refused(&refused))?;
    let made = match previewed.opened {
        0 => None,
        token_accounts => {
            let rent = context.client.token_account_rent(&escrow.state.mint).await?;
            Some(view::Made { token_accounts, rent: Denomination::SOL.amount(rent).into() })
        }
    };
    let instructions = previewed.units(&signer.pubkey()).concat();
    let confirmed = context.send(&instructions, &signer).await?;
    let told = |PreviewedAction { action, before, preview }: &PreviewedAction| {
        situation.teller().action(action, Known::previewed(action, before, preview)).told(Tense::Past)
    };
    let escrow = match context.client.find(&escrow.address).await? {
        None => None,
        Some(after) => Some(situation.at(after, context.client.now().await?).view()?),
    };
    Ok(Done(view::Done {
        version: view::VERSION,
        done: previewed.actions.iter().map(told).collect::<Vec<_>>().join(" "),
        address: situation.escrow.address.to_string(),
        signature: confirmed.signature.to_string(),
        slot: confirmed.slot.to_string(),
        made,
        escrow,
    }))
}

impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let view::Done { done, address, signature, made, escrow, .. } = &self.0;
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
