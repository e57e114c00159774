//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use escrow_client::escrow;
use escrow_frame::Options;
use escrow_migrations::ElfHash;
use solana_pubkey::Pubkey;

/// Deploys, upgrades and verifies the escrow program, on any cluster.
#[derive(Debug, Parser)]
#[command(name = "escrow-migrate", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Deploy the program for the first time
    Deploy(DeployArgs),
    /// Replace the deployed program by other bytes, extending it first if they are longer
    Upgrade(UpgradeArgs),
    /// Show what is deployed
    Show(ShowArgs),
    /// Fail unless the deployed bytes are the ones with this sha256
    Verify(ShowArgs),
    /// Hand the power to upgrade over, or give it up for ever
    SetAuthority(SetAuthorityArgs),
    /// Give up a buffer that was left behind; its rent goes to --keypair
    CloseBuffer(CloseBufferArgs),
}

/// Which bytes.
#[derive(Debug, Args)]
pub struct ElfArgs {
    /// The program's file [default: programs/escrow/elf/escrow.so of the checkout around the working directory]
    #[arg(long, value_name = "PATH")]
    pub elf: Option<PathBuf>,

    #[command(flatten)]
    pub named: NamedArgs,
}

/// By which sha256 the bytes are known.
#[derive(Debug, Clone, Copy, Args)]
pub struct NamedArgs {
    /// The sha256 of the program's file [default: the committed one, in programs/escrow/elf/escrow.so.sha256]
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<ElfHash>,
}

/// Who may upgrade.
#[derive(Debug, Args)]
pub struct AuthorityArgs {
    /// Keypair file of the upgrade authority [default: --keypair]
    #[arg(long, value_name = "PATH")]
    pub upgrade_authority: Option<PathBuf>,
}

/// How to send.
#[derive(Debug, Clone, Copy, Args)]
pub struct SendArgs {
    /// How many pieces to write at the same time; public nodes bear few
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: u16,

    /// Millionths of a lamport to pay per compute unit, so that a busy cluster prefers these transactions
    #[arg(long, value_name = "MICRO_LAMPORTS", default_value_t = 0)]
    pub compute_unit_price: u64,
}

/// Which program.
#[derive(Debug, Clone, Copy, Args)]
pub struct ProgramArgs {
    /// The program's address
    #[arg(long, value_name = "ADDRESS", default_value_t = escrow::ID)]
    pub program: Pubkey,
}

/// Arguments of `deploy`.
#[derive(Debug, Args)]
#[command(after_help = "\
The program runs only at the address that its source declares (declare_id!), so --program-keypair must be the keypair \
of that address. An interrupted deployment goes on when the same command is given again.")]
pub struct DeployArgs {
    /// Keypair file of the program's address
    #[arg(long, value_name = "PATH")]
    pub program_keypair: PathBuf,

    #[command(flatten)]
    pub elf: ElfArgs,

    /// Longest file that an upgrade may bring without extending the program, in bytes [default: the length of this one]
    #[arg(long, value_name = "BYTES")]
    pub max_len: Option<usize>,

    #[command(flatten)]
    pub authority: AuthorityArgs,

    #[command(flatten)]
    pub send: SendArgs,
}

/// Arguments of `upgrade`.
#[derive(Debug, Args)]
#[command(after_help = "An interrupted upgrade goes on when the same command is given again.")]
pub struct UpgradeArgs {
    #[command(flatten)]
    pub elf: ElfArgs,

    #[command(flatten)]
    pub authority: AuthorityArgs,

    #[command(flatten)]
    pub send: SendArgs,
}

/// Arguments of `show` and `verify`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    pub program: ProgramArgs,

    #[command(flatten)]
    pub named: NamedArgs,
}

/// Arguments of `set-authority`.
#[derive(Debug, Args)]
pub struct SetAuthorityArgs {
    /// Keypair file of the new upgrade authority, which signs too; with --skip-new-authority-check, its address
    #[arg(value_name = "NEW", required_unless_present = "make_final", conflicts_with = "make_final")]
    pub new: Option<String>,

    /// Take NEW as an address that does not sign: needed for a multisig, and final if it is mistyped
    #[arg(long, conflicts_with = "make_final")]
    pub skip_new_authority_check: bool,

    /// Make the program immutable: nobody can ever upgrade or close it again
    #[arg(long = "final")]
    pub make_final: bool,

    /// Yes, for ever
    #[arg(long, requires = "make_final", conflicts_with = "new")]
    pub yes: bool,

    #[command(flatten)]
    pub program: ProgramArgs,

    #[command(flatten)]
    pub authority: AuthorityArgs,
}

/// Arguments of `close-buffer`.
#[derive(Debug, Args)]
pub struct CloseBufferArgs {
    /// The buffer [default: the one that `deploy` or `upgrade` writes for this program, sha256 and authority]
    #[arg(value_name = "BUFFER")]
    pub buffer: Option<Pubkey>,

    #[command(flatten)]
    pub program: ProgramArgs,

    #[command(flatten)]
    pub named: NamedArgs,

    #[command(flatten)]
    pub authority: AuthorityArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn who_becomes_the_authority_is_said_in_one_way() {
        let parse = |arguments: &[&str]| {
            Cli::try_parse_from([&["escrow-migrate", "set-authority"], arguments].concat()).map(|_| ())
        };
        for good in [&["new.json"][..], &["address", "--skip-new-authority-check"], &["--final", "--yes"], &["--final"]]
        {
            assert!(parse(good).is_ok(), "{good:?}");
        }
        for bad in [&[][..], &["new.json", "--final"], &["new.json", "--yes"], &["--yes"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
