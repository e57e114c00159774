//! `cargo run -p escrow-assurance -- <check>`: runs one check, or all, and prints what was tried.

use std::{process::ExitCode, time::Instant};

use clap::Parser;
use escrow_assurance::{CHECKS, Check, Figure, Run};
use indicatif::{ProgressBar, ProgressStyle};

/// Show that the program keeps its promises
#[derive(Debug, Parser)]
#[command(name = "escrow-assurance")]
struct Args {
    /// The checks to run; without any, all
    checks: Vec<String>,

    /// What everything random comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How much to try, in multiples of what the tests try
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    effort: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Checked<'a> {
    name: &'a str,
    shows: &'a str,
    promises: &'a [u8],
    figures: Vec<Figure>,
    failure: Option<String>,
    seconds: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let unknown = args.checks.iter().find(|name| CHECKS.iter().all(|check| check.name != **name));
    if let Some(name) = unknown {
        let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        eprintln!("error: there is no check `{name}`; there are: {}", known.join(", "));
        return ExitCode::from(2);
    }
    let chosen = CHECKS.iter().filter(|check| args.checks.is_empty() || args.checks.iter().any(|n| n == check.name));
    eprintln!("seed {}, effort {}", args.seed, args.effort);
    let outcomes: Vec<Checked> = chosen.map(|check| run(check, &args)).collect();
    if args.json {
        match serde_json::to_string_pretty(&outcomes) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("error: {error}"),
        }
    } else {
        for outcome in &outcomes {
            println!("{}: {}", outcome.name, outcome.shows);
            for figure in &outcome.figures {
                println!("  {figure}");
            }
            if let Some(failure) = &outcome.failure {
                println!("  FAILED: {failure}");
            }
        }
    }
    let failed = outcomes.iter().any(|outcome| outcome.failure.is_some());
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run<'a>(check: &'a Check, args: &Args) -> Checked<'a> {
    let style = ProgressStyle::with_template("{msg:14} {wide_bar} {human_pos}/{human_len} {eta}");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(check.name);
    let progress = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let start = Instant::now();
    let result = (check.run)(&Run { seed: args.seed, effort: args.effort, progress: &progress });
    bar.finish_and_clear();
    let (figures, failure) = match result {
        Ok(figures) => (figures, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    let Check { name, shows, promises, run: _ } = *check;
    Checked { name, shows, promises, figures, failure, seconds: start.elapsed().as_secs() }
}
