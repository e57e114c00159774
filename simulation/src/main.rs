//! `cargo run -p escrow-simulation -- --schedules 100000 --seed 1`, or with `--without RULE` to see what breaks then.

use std::{process::ExitCode, time::Instant};

use escrow_sender::Rule;
use escrow_simulation::{Counts, Without, search};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut schedules, mut seed, mut without) = (1_000u64, 1u64, Without::Nothing);
    while let Some(arg) = args.next() {
        let value = args.next().unwrap_or_default();
        let number = value.replace('_', "").parse();
        let rule = Rule::ALL.iter().find(|rule| format!("{rule:?}") == value);
        match (arg.as_str(), number, rule) {
            ("--schedules", Ok(number), _) => schedules = number,
            ("--seed", Ok(number), _) => seed = number,
            ("--without", _, Some(rule)) => without = Without::Rule(*rule),
            _ => {
                eprintln!(
                    "error: {arg} {value}: write --schedules NUMBER, --seed NUMBER or --without RULE, of {:?}",
                    Rule::ALL
                );
                return ExitCode::from(2);
            }
        }
    }
    eprintln!("{schedules} schedules from seed {seed}");
    let began = Instant::now();
    let mut counts = Counts::default();
    let broken = search(seed..seed.saturating_add(schedules), without, |of_one| counts.merge(of_one));
    for (what, count) in counts.iter() {
        println!("{count:>14} {what}");
    }
    eprintln!("{:.1} s", began.elapsed().as_secs_f64());
    match broken {
        None => ExitCode::SUCCESS,
        Some(broken) => {
            println!("{broken}");
            ExitCode::FAILURE
        }
    }
}
