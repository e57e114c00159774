//! What each command does.

use std::path::Path;

use escrow_client::escrow;
use escrow_migrations::{Deploy, NewAuthority, SetAuthority, Upgrade, buffer};
use solana_signer::Signer;

use crate::{
    cli::{Cli, CloseBufferArgs, Command, DeployArgs, SetAuthorityArgs, ShowArgs, UpgradeArgs},
    context::{self, Context},
    error::{CliError, Result},
    view::{ClosedView, DoneView, ProgramView},
};

/// Runs a command and prints its result.
pub async fn run(cli: Cli) -> Result<()> {
    let Cli { options, command } = cli;
    let context = Context::new(options.resolve()?);
    match command {
        Command::Deploy(args) => context.print(&deploy(&context, args).await?),
        Command::Upgrade(args) => context.print(&upgrade(&context, args).await?),
        Command::Show(args) => context.print(&show(&context, args).await?),
        Command::Verify(args) => context.print(&verify(&context, args).await?),
        Command::SetAuthority(args) => context.print(&set_authority(&context, args).await?),
        Command::CloseBuffer(args) => context.print(&close_buffer(&context, args).await?),
    }
}

async fn deploy(context: &Context, args: DeployArgs) -> Result<DoneView> {
    let program = context.keypair_in(&args.program_keypair, "--program-keypair")?;
    let elf = context::elf(&args.elf)?;
    let (payer, authority) = (context.keypair()?, context.authority(&args.authority)?);
    let request = Deploy {
        elf: &elf,
        program: &program,
        declared: Some(escrow::ID),
        payer: &payer,
        authority: &authority,
        max_len: args.max_len,
    };
    let done = context.migrator(Some(args.send)).deploy(&request).await?;
    Ok(DoneView::new(&done, elf.hash()))
}

async fn upgrade(context: &Context, args: UpgradeArgs) -> Result<DoneView> {
    let elf = context::elf(&args.elf)?;
    let (payer, authority) = (context.keypair()?, context.authority(&args.authority)?);
    let request =
        Upgrade { elf: &elf, program: escrow::ID, declared: Some(escrow::ID), payer: &payer, authority: &authority };
    let done = context.migrator(Some(args.send)).upgrade(&request).await?;
    Ok(DoneView::new(&done, elf.hash()))
}

async fn show(context: &Context, args: ShowArgs) -> Result<ProgramView> {
    let expected = match args.named.sha256 {
        Some(hash) => Some(hash),
        None => context::committed_hash()?,
    };
    let program = context.migrator(None).program(&args.program.program).await?;
    Ok(ProgramView::new(&program, expected))
}

async fn verify(context: &Context, args: ShowArgs) -> Result<ProgramView> {
    let named = context::named(args.named)?;
    let program = context.migrator(None).verify(&args.program.program, &named).await?;
    Ok(ProgramView::new(&program, Some(named)))
}

async fn set_authority(context: &Context, args: SetAuthorityArgs) -> Result<ProgramView> {
    if args.make_final && !args.yes {
        return Err(CliError::Usage(format!(
            "with --final nobody can ever upgrade or close the program {} again, not to repair it either, and its rent \
             never comes back. If that is what you want, add --yes",
            args.program.program
        )));
    }
    let named = args.new.as_deref().unwrap_or_default();
    let signing = match args.make_final || args.skip_new_authority_check {
        true => None,
        false => Some(context.keypair_in(Path::new(named), "NEW")?),
    };
    let new = match &signing {
        Some(keypair) => NewAuthority::Signing(keypair),
        None if args.make_final => NewAuthority::Nobody,
        None => NewAuthority::Unchecked(
            named.parse().map_err(|_| CliError::Usage(format!("\"{named}\" is not an address")))?,
        ),
    };
    let (payer, authority) = (context.keypair()?, context.authority(&args.authority)?);
    let request = SetAuthority { program: args.program.program, payer: &payer, authority: &authority, new };
    let (program, signature) = context.migrator(None).set_authority(&request).await?;
    Ok(ProgramView::new(&program, context::committed_hash()?).changed_by(signature))
}

async fn close_buffer(context: &Context, args: CloseBufferArgs) -> Result<ClosedView> {
    let (payer, authority) = (context.keypair()?, context.authority(&args.authority)?);
    let address = match args.buffer {
        Some(address) => address,
        None => buffer::address(&authority.pubkey(), &args.program.program, &context::named(args.named)?)?,
    };
    Ok(context.migrator(None).close_buffer(&address, &payer, &authority).await?.into())
}
