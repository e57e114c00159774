//! `escrow localnet`

use std::{
    fmt::{self, Display, Formatter},
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use escrow_frame::{Format, SignerSource, note, print};
use escrow_localnet::{Config, Localnet, MintConfig, Ports};
use serde::Serialize;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    error::{CliError, Result},
    stop,
};

/// What each of the three people gets, in lamports.
const LAMPORTS: u64 = 1_000_000_000_000;
/// What the buyer gets of the test token, in its base unit.
const TOKENS: u64 = 1_000_000;
/// The people who can try an escrow at once.
const PEOPLE: [&str; 3] = ["buyer", "seller", "arbiter"];

/// Arguments of `localnet`.
#[derive(Debug, Args)]
pub struct LocalnetArgs {
    /// Port for JSON-RPC; WebSocket is on the next one
    #[arg(long, default_value_t = 8899, value_parser = clap::value_parser!(u16).range(1..=65_534))]
    rpc_port: u16,

    /// Folder for the keypairs of a buyer, a seller and an arbiter with money to play with
    #[arg(long, value_name = "FOLDER", default_value = "localnet-keys")]
    keys: PathBuf,

    /// Decimals of the test token, of which the buyer gets a million
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(..=13))]
    decimals: u8,
}

/// A running validator.
#[derive(Debug, Serialize)]
struct Running {
    rpc_url: String,
    ws_url: String,
    program: String,
    token: String,
    keys: Vec<Key>,
}

/// A keypair with money to play with.
#[derive(Debug, Serialize)]
struct Key {
    name: &'static str,
    address: String,
    file: String,
}

impl Display for Running {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rpc_url, ws_url, program, token, keys } = self;
        writeln!(f, "JSON-RPC   {rpc_url}\nWebSocket  {ws_url}\nprogram    {program}\ntest token {token}\n")?;
        for Key { name, address, file } in keys {
            writeln!(f, "{name:<8} {address}  {file}")?;
        }
        let find = |wanted| keys.iter().find(|key| key.name == wanted);
        let (Some(buyer), Some(seller), Some(arbiter)) = (find("buyer"), find("seller"), find("arbiter")) else {
            return Ok(());
        };
        writeln!(f, "\nTry in another terminal:\n")?;
        writeln!(
            f,
            "  escrow create --url {rpc_url} --keypair {} --seller {} --arbiter {} --amount 1.5 --deliver-by 14d --fund",
            buyer.file, seller.address, arbiter.address
        )?;
        writeln!(f, "  escrow list --url {rpc_url} --all\n\nCtrl-C stops the validator and forgets everything on it.")
    }
}

/// Serves until it is interrupted.
pub async fn run(format: Format, args: LocalnetArgs) -> Result<()> {
    let LocalnetArgs { rpc_port, keys, decimals } = args;
    let ports = Ports::Fixed { rpc: rpc_port, ws: rpc_port.saturating_add(1) };
    let net = Localnet::start(Config { ports, ..Config::like_a_cluster() }).await?;
    let running = prepare(&net, format, &keys, decimals).await?;
    // Listened for before anybody is told that the validator runs, and so may already want to stop it.
    let interrupted = stop::asked().map_err(CliError::Signal)?;
    print(format, &running)?;
    interrupted.await.map_err(CliError::Signal)?;
    note(format, "stopping");
    net.shutdown().await?;
    Ok(())
}

/// Gives three people keypairs and money.
async fn prepare(net: &Localnet, format: Format, folder: &Path, decimals: u8) -> Result<Running> {
    let mut keys = Vec::new();
    // In full: the commands to try are typed in another terminal, perhaps in another folder.
    let folder = std::path::absolute(folder).map_err(|source| CliError::Keys { path: folder.to_owned(), source })?;
    let mint = net.create_mint(MintConfig { decimals, ..MintConfig::default() }).await?;
    for name in PEOPLE {
        let file = folder.join(format!("{name}.json"));
        let keypair = read_or_create(&file, format)?;
        net.fund(&keypair.pubkey(), LAMPORTS).await?;
        if name == "buyer" {
            // Fits: there are at most 13 decimals.
            let units = 10u64.saturating_pow(decimals.into()).saturating_mul(TOKENS);
            net.mint_to(&mint, &keypair.pubkey(), units).await?;
        }
        keys.push(Key { name, address: keypair.pubkey().to_string(), file: file.display().to_string() });
    }
    Ok(Running {
        rpc_url: net.rpc_url().to_owned(),
        ws_url: net.ws_url().to_owned(),
        program: escrow_client::escrow::ID.to_string(),
        token: mint.address.to_string(),
        keys,
    })
}

/// The keypair in a file, which only this user may read. Made if there is none, so that the next start has the same.
fn read_or_create(path: &Path, format: Format) -> Result<Keypair> {
    if path.exists() {
        return Ok(SignerSource::File(path.to_owned()).keypair("--keys", format)?);
    }
    let keypair = Keypair::new();
    write_secret(path, keypair.to_bytes().as_slice())
        .map_err(|source| CliError::Keys { path: path.to_owned(), source })?;
    Ok(keypair)
}

fn write_secret(path: &Path, secret: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    serde_json::to_writer(options.open(path)?, secret).map_err(io::Error::from)
}
