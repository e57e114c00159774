//! The command line: global options and the list of commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use solana_commitment_config::CommitmentLevel;

use crate::{commands::*, output::Format};

/// Escrows on Solana: money is held by a program and released only when agreed conditions are met.
#[derive(Debug, Parser)]
#[command(name = "escrow", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// RPC node: a URL, or localhost, devnet, testnet, mainnet-beta [default: Solana's configuration, or localhost]
    #[arg(short, long, global = true, value_name = "URL_OR_MONIKER", env = "ESCROW_URL")]
    pub url: Option<String>,

    /// Keypair file that signs and pays [default: Solana's configuration, or ~/.config/solana/id.json]
    #[arg(short, long, global = true, value_name = "PATH", env = "ESCROW_KEYPAIR")]
    pub keypair: Option<PathBuf>,

    /// What to read at and wait for: processed, confirmed or finalized [default: Solana's configuration, or confirmed]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub commitment: Option<CommitmentLevel>,

    /// Solana's configuration file [default: ~/.config/solana/cli/config.yml]
    #[arg(short = 'C', long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// How to print the result
    #[arg(long, global = true, value_enum, default_value_t = Format::Display)]
    pub output: Format,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    OnChain(OnChain),
    /// Run a validator on this machine, with the program deployed
    #[cfg(feature = "localnet")]
    Localnet(localnet::LocalnetArgs),
    /// Play whole stories on a validator that it starts itself, and check every balance
    #[cfg(feature = "localnet")]
    Demo(demo::DemoArgs),
}

/// What to do on a cluster.
#[derive(Debug, Subcommand)]
pub enum OnChain {
    /// Agree on terms: creates an escrow, and funds it with --fund
    Create(Box<create::CreateArgs>),
    /// Pay the whole principal into an escrow (buyer)
    Fund(fund::FundArgs),
    /// Give up an unfunded escrow, or take the money back in the cooling-off period (buyer)
    Cancel(cancel::CancelArgs),
    /// Say that a milestone is delivered (seller, or the attester)
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
    /// List escrows by their parties
    List(list::ListArgs),
}
