//! Nobody has to guess what a command or an option does.

use crate::{Folder, Ran, command};

fn run(folder: &Folder, words: &[&str]) -> Ran {
    Ran::new(words.join(" "), command(folder).args(words).output().unwrap())
}

/// The commands that the help lists, with what it says of them.
fn commands(folder: &Folder) -> Vec<(String, String)> {
    let help = run(folder, &["--help"]).succeeds().out;
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let (list, _) = rest.split_once("\n\n").unwrap();
    // What does not fit one line goes on in the next, further to the right.
    let lines = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines
        .map(|line| {
            let (name, about) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
            (name.to_owned(), about.trim().to_owned())
        })
        .collect()
}

#[test]
fn every_command_says_what_it_does() {
    let folder = Folder::new();
    let commands = commands(&folder);
    let names: Vec<&str> = commands.iter().map(|(name, _)| name.as_str()).collect();
    for wanted in [
        "create", "fund", "cancel", "deliver", "claim", "release", "refund", "dispute", "rule", "propose", "accept",
        "expire", "withdraw", "close", "show", "history", "list", "localnet", "demo",
    ] {
        assert!(names.contains(&wanted), "no {wanted} in {names:?}");
    }
    for (name, about) in &commands {
        assert!(about.len() > 10, "{name}: \"{about}\"");
    }
}

/// In the long help each option and argument stands on a line of its own, and its description on the next.
#[test]
fn every_option_of_every_command_is_described() {
    let folder = Folder::new();
    let mut options = 0;
    for (name, about) in commands(&folder).iter().filter(|(name, _)| name != "help") {
        let help = run(&folder, &[name, "--help"]).succeeds();
        assert_eq!(help.err, "", "{name}");
        assert!(help.out.starts_with(about.as_str()), "{name}: {}", help.out);
        assert!(help.out.contains(&format!("Usage: escrow {name}")), "{name}: {}", help.out);
        assert_eq!(run(&folder, &["help", name]).succeeds().out, help.out);
        let short = run(&folder, &[name, "-h"]).succeeds().out;

        let lines: Vec<&str> = help.out.lines().collect();
        for pair in lines.windows(2) {
            let (item, text) = (pair[0], pair[1]);
            let indent = item.len() - item.trim_start().len();
            let is_item = (2..=6).contains(&indent) && item.trim_start().starts_with(['-', '<']);
            if is_item {
                options += 1;
                let described = text.starts_with("          ") && text.trim().len() > 5;
                assert!(described, "{name}: {item} is not described: \"{text}\"");
                let flag = item.split([' ', '<']).rfind(|word| word.starts_with("--"));
                assert!(flag.is_none_or(|flag| short.contains(flag)), "{name} -h: no {item}");
            }
        }
    }
    // Five global ones for each command at the least, or the help no longer looks as this test reads it.
    assert!(options > 5 * 15, "{options}");
}

/// What every command takes can stand in the environment, and the help shows no value of it.
#[test]
fn every_global_option_has_a_variable_that_the_help_does_not_show() {
    let folder = Folder::new();
    let mut environment = command(&folder);
    environment.env("ESCROW_URL", "http://secret.example/key").env("ESCROW_KEYPAIR", "/secret/id.json");
    let help = environment.args(["release", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(!help.contains("secret"), "{help}");
    let (_, global) = help.split_once("Options of every command:").unwrap();
    let mut options: Vec<(&str, bool)> = Vec::new();
    for line in global.lines() {
        // Not further to the right than an option without a short name.
        if line.trim_start().starts_with('-') && line.len() - line.trim_start().len() <= 6 {
            options.push((line, false));
        }
        if let Some((_, has_variable)) = options.last_mut() {
            *has_variable |= line.trim_start().starts_with("[env: ESCROW_");
        }
    }
    let without: Vec<_> = options.iter().filter(|(_, has_variable)| !has_variable).collect();
    assert!(without.is_empty() && options.len() > 20, "{without:?} of {}", options.len());
}

/// A switch is switched on by its variable, and by nothing that means no.
#[test]
fn a_switch_of_the_environment_is_on_or_off() {
    let folder = Folder::new();
    for value in ["0", "false", "no", "", "1", "true", "yes"] {
        let mut command = command(&folder);
        for variable in ["ESCROW_AGAIN", "ESCROW_NO_WAIT", "ESCROW_VERBOSE", "ESCROW_YES", "ESCROW_DRY_RUN"] {
            command.env(variable, value);
        }
        let ran = Ran::new(value, command.args(["explain", "6060"]).output().unwrap());
        ran.succeeds().shows(&["RiskNotAccepted"]);
    }
}

#[test]
fn the_issuers_powers_are_named_in_the_help() {
    let help = run(&Folder::new(), &["create", "--help"]).succeeds().out;
    for (_, name) in escrow_client::escrow::state::RISKS {
        assert!(help.contains(name), "{name}");
    }
}

#[test]
fn without_a_command_it_says_how_to_go_on() {
    let folder = Folder::new();
    run(&folder, &[]).fails(2, &["Usage: escrow", "--help"]);
    run(&folder, &["frobnicate"]).fails(2, &["frobnicate", "--help"]);
    run(&folder, &["relase"]).fails(2, &["release"]);
}

#[test]
fn it_has_a_version() {
    let version = run(&Folder::new(), &["--version"]).succeeds();
    assert_eq!(version.out.trim(), format!("escrow {}", env!("CARGO_PKG_VERSION")));
}
