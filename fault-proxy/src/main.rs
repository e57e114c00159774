//! `escrow-fault-proxy`: the proxy on its own, in front of a node that runs on this machine.

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use escrow_fault_proxy::{Delivery, Error, Plan, Profile, Proxy, Told};

/// How often the log is looked at for what is to be printed.
const LOG_EVERY: Duration = Duration::from_millis(100);

/// Stand between a client and a Solana RPC node, and let things go wrong
#[derive(Debug, Parser)]
#[command(name = "escrow-fault-proxy", version, max_term_width = 100)]
struct Args {
    /// A node on this machine; several times for several nodes
    #[arg(long = "upstream", value_name = "URL", default_value = "http://127.0.0.1:8899")]
    upstreams: Vec<String>,

    /// Where to listen, on loopback. The next port is for the WebSocket, and port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// What the plan follows from, with --profile
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What kind of node to be; without it and without --plan, one that passes everything on
    #[arg(long, value_enum)]
    profile: Option<Profile>,

    /// How often the chain has a block: the times of a plan from --profile fit it
    #[arg(long, value_name = "MS", default_value_t = 400)]
    block_ms: u64,

    /// A file with the plan, as --print-plan writes it
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    plan: Option<PathBuf>,

    /// Print the plan as JSON, and do nothing else
    #[arg(long)]
    print_plan: bool,

    /// Print each request, what was done to it and what was really answered, one line of JSON each
    #[arg(long)]
    log: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Proxy(#[from] Error),
    #[error("cannot read the plan in {}: {source}", path.display())]
    PlanFile { path: PathBuf, source: std::io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(std::io::Error),
}

async fn run(args: Args) -> Result<(), Failure> {
    let plan = plan(&args)?;
    if args.print_plan {
        return print(&plan.to_json());
    }
    let proxy = Proxy::start_on(args.listen, &args.upstreams, plan).await?;
    print(&proxy.url())?;
    let printed = async { if args.log { print_log(&proxy).await } else { std::future::pending().await } };
    let hooks = async {
        while let Some(hook) = proxy.next_hook().await {
            let _ = writeln!(std::io::stderr(), "hook {}: {}", hook.name, hook.methods.join(", "));
        }
    };
    let result = tokio::select! {
        result = printed => result,
        () = hooks => Ok(()),
        () = told_to_stop() => Ok(()),
    };
    proxy.shutdown().await;
    result
}

fn plan(args: &Args) -> Result<Plan, Failure> {
    let Some(path) = &args.plan else {
        return Ok(match args.profile {
            Some(profile) => Plan::random(args.seed, profile).paced(args.block_ms),
            None => Plan::default(),
        });
    };
    let json = std::fs::read_to_string(path).map_err(|source| Failure::PlanFile { path: path.clone(), source })?;
    Ok(Plan::from_json(&json)?)
}

fn print(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout();
    writeln!(output, "{text}").and_then(|()| output.flush()).map_err(Failure::Output)
}

/// Prints what is in the log, each entry once nothing more happens to it.
async fn print_log(proxy: &Proxy) -> Result<(), Failure> {
    let mut next = 0;
    let mut waiting = Vec::new();
    loop {
        tokio::time::sleep(LOG_EVERY).await;
        let oldest = waiting.iter().copied().min().unwrap_or(next);
        let mut open = Vec::new();
        for entry in proxy.log().since(oldest) {
            if entry.number < next && !waiting.contains(&entry.number) {
                continue;
            }
            match (&entry.told, &entry.delivery) {
                (Told::Nothing, _) | (_, Delivery::Held) => open.push(entry.number),
                _ => print(&serde_json::to_string(&entry).unwrap_or_default())?,
            }
            next = next.max(entry.number.saturating_add(1));
        }
        waiting = open;
    }
}

/// Waits for Ctrl-C, or for the signal by which systems end programs.
async fn told_to_stop() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
