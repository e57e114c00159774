//! The commands for a cluster: which there are, and what runs each of them.

use clap::Subcommand;
use escrow_frame::Report;

use crate::{
    commands::{
        accept, cancel, case, check, claim, close, code, contacts, create, deliver, dispute, expire, export, fund,
        history, journal, keeper, list, listen, next, propose, receipt, refund, release, resume, rule, share, show,
        status, verify, wait, watch, withdraw,
    },
    context::Context,
    error::Result,
    parse,
};

/// What to do on a cluster.
#[derive(Debug, Subcommand)]
pub enum OnChain {
    /// Create an escrow (add --fund to pay into it at once)
    #[command(mut_args = parse::with_negative_times, args_override_self = true)]
    Create(Box<create::CreateArgs>),
    /// Pay the whole principal into an escrow (buyer)
    Fund(fund::FundArgs),
    /// Give up an unfunded escrow, or take the money back in the cooling-off period (buyer)
    Cancel(cancel::CancelArgs),
    /// Mark a milestone as delivered (seller, or the attester)
    Deliver(deliver::DeliverArgs),
    /// Claim a hash-locked milestone for the seller, with the secret (anyone)
    Claim(claim::ClaimArgs),
    /// Release part or all of a milestone to the seller (buyer)
    Release(release::ReleaseArgs),
    /// Refund part or all of a milestone to the buyer (seller)
    Refund(refund::RefundArgs),
    /// Dispute a delivered milestone (buyer)
    Dispute(dispute::DisputeArgs),
    /// Rule on a disputed milestone (arbiter)
    Rule(rule::RuleArgs),
    /// Propose a settlement or more time to the other party (buyer or seller)
    #[command(mut_args = parse::with_negative_times)]
    Propose(propose::ProposeArgs),
    /// Accept the other party's proposal (buyer or seller)
    Accept(accept::AcceptArgs),
    /// Apply the agreed default where a deadline has passed (anyone)
    Expire(expire::ExpireArgs),
    /// Pay out what is decided (anyone; the money goes to whom it is due)
    Withdraw(withdraw::WithdrawArgs),
    /// Close a settled escrow; the rent goes back to who paid it (anyone)
    Close(close::CloseArgs),
    /// Show an escrow: who, how much, until when, and what may happen next
    Show(show::ShowArgs),
    /// Show everything that happened to an escrow, also after it is closed
    History(history::HistoryArgs),
    /// Look at a recipient, or at an escrow, before money goes there
    Check(check::CheckArgs),
    /// Print a deal as a text, a link and a QR code that carry its terms
    Share(share::ShareArgs),
    /// Check a shared deal: is this address that deal, is the money there and final, what could go against you
    Verify(verify::VerifyArgs),
    /// Names for addresses, which @NAME stands for
    Contacts(contacts::ContactsArgs),
    /// Show the delivery code of an escrow that was created on this machine
    Code(code::CodeArgs),
    /// Show what waits for you, the most urgent first: one line for each escrow
    Next(next::NextArgs),
    /// List escrows, what needs you first
    List(list::ListArgs),
    /// Wait until an escrow is funded, final, settled, …
    Wait(wait::WaitArgs),
    /// Show what happens to escrows while it happens, and the next deadline
    Watch(watch::WatchArgs),
    /// Tell each change and each deadline that comes near, in order; goes on after a stop where it was
    Listen(listen::ListenArgs),
    /// Print the receipt of a settled escrow
    Receipt(receipt::ReceiptArgs),
    /// Evidence for an arbiter: make a case, list what waits for a ruling, hold cases against what was committed to
    #[command(subcommand)]
    Case(case::CaseCommand),
    /// List everything that was paid to or by somebody, for bookkeeping
    Export(export::ExportArgs),
    /// Apply defaults, pay out and close whatever is due, until it is stopped (anyone; it pays fees alone)
    Keeper(keeper::KeeperArgs),
    /// Show what became of a transaction
    Status(status::StatusArgs),
    /// Bring to its end what earlier commands have sent and not seen the end of
    Resume(resume::ResumeArgs),
    /// Show what was sent from this machine, and what is known of it
    Journal(journal::JournalArgs),
}

impl OnChain {
    /// The command without its arguments.
    pub fn name(&self) -> String {
        let shown = format!("{self:?}");
        shown.split(['(', '{', ' ']).next().unwrap_or_default().to_lowercase()
    }
}

/// Runs a command. An error after its transaction was executed says so. No result: one that went on has printed all it had.
pub async fn execute(context: &Context, command: OnChain) -> Result<Option<Box<dyn Report>>> {
    run(context, command).await.map_err(|error| context.after_sending(error))
}

async fn run(context: &Context, command: OnChain) -> Result<Option<Box<dyn Report>>> {
    Ok(Some(match command {
        OnChain::Watch(args) => return watch::run(context, args).await.map(|()| None),
        OnChain::Listen(args) => return listen::run(context, args).await.map(|()| None),
        OnChain::Case(command) => Box::new(case::run(context, command).await?),
        OnChain::Export(args) => Box::new(export::run(context, args).await?),
        OnChain::Keeper(args) => Box::new(keeper::run(context, args).await?),
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
        OnChain::Check(args) => Box::new(check::run(context, args).await?),
        OnChain::Share(args) => Box::new(share::run(context, args).await?),
        OnChain::Verify(args) => Box::new(verify::run(context, args).await?),
        OnChain::Contacts(args) => Box::new(contacts::run(context, args).await?),
        OnChain::Code(args) => Box::new(code::run(context, &args)?),
        OnChain::Next(args) => Box::new(next::run(context, args).await?),
        OnChain::Wait(args) => Box::new(wait::run(context, args).await?),
        OnChain::Receipt(args) => Box::new(receipt::run(context, args).await?),
        OnChain::List(args) => Box::new(list::run(context, args).await?),
        OnChain::Status(args) => Box::new(status::run(context, args).await?),
        OnChain::Resume(args) => Box::new(resume::run(context, args).await?),
        OnChain::Journal(args) => Box::new(journal::run(context, args)?),
    }))
}
