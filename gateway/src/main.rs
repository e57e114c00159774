//! `escrow-gateway`: see `docs/gateway.md`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use escrow_gateway::{
    api::{
        self,
        auth::Scope,
        v1::access::{KeyRequest, new_key},
    },
    config::{Config, LogFormat, Role},
    now_ms,
    serve::Gateway,
    store::Store,
};
use serde::Serialize;

/// Builds what wallets sign, and submits what they signed: an HTTP API for escrows on Solana
#[derive(Debug, Parser)]
#[command(name = "escrow-gateway", version)]
struct Cli {
    #[command(flatten)]
    settings: Settings,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args, Serialize)]
struct Settings {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE", env = "ESCROW_GATEWAY_CONFIG", global = true)]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// RPC node; repeat for several [default: http://127.0.0.1:8899]
    #[arg(
        long = "url",
        value_name = "URL",
        env = "ESCROW_URL",
        hide_env_values = true,
        value_delimiter = ',',
        global = true
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<String>,

    /// sqlite://FILE or postgres://… [default: a file in $XDG_STATE_HOME/escrow-gateway]
    #[arg(long, value_name = "URL", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,

    /// Where the API listens [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,

    /// Where the metrics are [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_listen: Option<SocketAddr>,

    /// What this process does: api, submit, index, deliver, keep, all; repeat for several [default: all]
    #[arg(long = "role", value_name = "ROLE", value_parser = role, global = true)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Role>,

    /// Start a validator of its own beside it, on this machine
    #[cfg(feature = "localnet")]
    #[arg(long)]
    #[serde(skip)]
    demo: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// API keys, without a gateway that runs: the first one is made here
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print the OpenAPI document
    Openapi,
    /// Bring the database up to date, and end
    Migrate,
    /// Have the index built anew beside the one that serves; the process with the role index does it
    Reindex,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, and print it once
    Create {
        /// Whose: what one key of an owner prepared, another may submit
        #[arg(long)]
        owner: String,
        /// What it is for
        #[arg(long, default_value = "")]
        name: String,
        /// read, build, submit, webhooks, admin; repeat for several
        #[arg(long = "scope", value_parser = scope, required = true)]
        scopes: Vec<Scope>,
    },
    /// Revoke a key
    Revoke {
        /// The 16 letters behind `esk_`
        id: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    serde_json::from_value(text.into()).map_err(|_| "write api, submit, index, deliver, keep or all".to_owned())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::of(text).ok_or_else(|| "write read, build, submit, webhooks or admin".to_owned())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn run(cli: Cli) -> Outcome {
    let Cli { settings, command } = cli;
    let config = Config::load(settings.config.as_ref(), &settings)?;
    log(config.log);
    match command {
        Some(Command::Openapi) => {
            println!("{}", api::openapi().to_pretty_json()?);
            Ok(())
        }
        Some(Command::Migrate) => {
            let store = Store::open(&config.database_url()?, config.database_connections).await?;
            store.close().await;
            println!("the database is up to date");
            Ok(())
        }
        Some(Command::Reindex) => {
            let store = Store::open(&config.database_url()?, config.database_connections).await?;
            let begun = store.begin_generation(config.index.first_slot).await?;
            store.close().await;
            match begun {
                Some(generation) => println!("generation {generation} is built, and serves when it has come as far"),
                None => println!("one is built already"),
            }
            Ok(())
        }
        Some(Command::Key { command }) => key(&config, command).await,
        None => serve(config, &settings).await,
    }
}

async fn key(config: &Config, command: KeyCommand) -> Outcome {
    let store = Store::open(&config.database_url()?, config.database_connections).await?;
    match command {
        KeyCommand::Create { owner, name, scopes } => {
            let request = KeyRequest { owner, name, scopes, expires_at: None };
            let (token, credential) = new_key(&request, now_ms()).map_err(|problem| problem.detail)?;
            let mut change = store.change().await?;
            store.add_credential(&mut change, &credential).await?;
            change.commit().await?;
            println!("{token}");
        }
        KeyCommand::Revoke { id } => {
            if !store.revoke(&id, "key", now_ms()).await? {
                return Err(format!("there is no key {id}").into());
            }
            println!("{id} is revoked");
        }
    }
    store.close().await;
    Ok(())
}

#[cfg(feature = "localnet")]
async fn serve(mut config: Config, settings: &Settings) -> Outcome {
    let mut net = None;
    if settings.demo {
        let started = escrow_localnet::Localnet::start(escrow_localnet::Config::default()).await?;
        config.nodes = vec![started.rpc_url().to_owned()];
        // It does not begin with slot 0.
        config.index.first_slot = started.rpc().get_first_available_block().await?;
        println!("a validator of its own: {}", started.rpc_url());
        net = Some(started);
    }
    listen(config).await?;
    if let Some(net) = net {
        net.shutdown().await?;
    }
    Ok(())
}

#[cfg(not(feature = "localnet"))]
async fn serve(config: Config, _: &Settings) -> Outcome {
    listen(config).await
}

async fn listen(config: Config) -> Outcome {
    let gateway = Gateway::start(config).await?;
    if let Some(address) = gateway.address {
        println!("the API: http://{address}, its documentation: http://{address}/docs/");
    }
    if let Some(address) = gateway.metrics {
        println!("metrics: http://{address}/metrics");
    }
    let ended = gateway.ender();
    tokio::spawn(async move {
        signal().await;
        ended.cancel();
    });
    Ok(gateway.ended().await?)
}

/// Waits until the process is told to end.
async fn signal() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

fn log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ESCROW_GATEWAY_LOG_FILTER")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("escrow_gateway=info,escrow_client=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
