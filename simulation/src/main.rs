//! `cargo run -p escrow-simulation -- --schedules 100000 --seed 1`

use std::{process::ExitCode, time::Instant};

use escrow_simulation::{Counts, Without, search};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut schedules, mut seed) = (1_000u64, 1u64);
    while let Some(arg) = args.next() {
        let value = args.next().and_then(|value| value.replace('_', "").parse().ok());
        match (arg.as_str(), value) {
            ("--schedules", Some(value)) => schedules = value,
            ("--seed", Some(value)) => seed = value,
            _ => {
                eprintln!("error: {arg}: write --schedules NUMBER and --seed NUMBER");
                return ExitCode::from(2);
            }
        }
    }
    eprintln!("{schedules} schedules from seed {seed}");
    let began = Instant::now();
    let mut counts = Counts::default();
    let broken = search(seed..seed + schedules, Without::Nothing, |of_one| counts.merge(of_one));
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
