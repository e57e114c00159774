//! `escrow explain`, `escrow template`, `escrow completions` and `escrow man`: what needs neither a node nor a key.

use std::fmt::{self, Display, Formatter};

use clap::{Args, Command};
use clap_complete::Shell;
use escrow_client::EscrowError;
use escrow_frame::{Kind, terminal::HANG};
use serde::Serialize;

use crate::{
    draft::TEMPLATE,
    error::{CliError, Result},
};

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A number (6060, 0x17ac), a name (RiskNotAccepted) or a kind (not_found); exit-codes for what the command exits with
    error: String,
}

/// An error, explained.
#[derive(Debug, Serialize)]
pub struct Explained {
    version: u32,
    name: String,
    code: Option<u32>,
    text: String,
}

impl Display for Explained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, code, text, .. } = self;
        match code {
            Some(code) => writeln!(f, "{name}, {code}")?,
            None => writeln!(f, "{name}")?,
        }
        text.lines().try_for_each(|line| writeln!(f, "  {HANG}{line}"))
    }
}

/// What each exit code means.
pub const EXIT_CODES: &str = "\
0  done
1  failed: nothing was changed by it, unless a signature is told
2  wrong usage: the command line has to be changed, or --yes is missing where nobody is at a terminal
3  refused: by a rule, by what was expected, or by the program in a transaction that was executed and failed
4  not known whether a transaction landed: its signature is told, and how to find out
5  you said no
8  not yet";

pub fn explain(args: &ExplainArgs) -> Result<Explained> {
    let asked = args.error.as_str();
    let version = escrow_client::view::VERSION;
    if asked == "exit-codes" {
        let (name, text) = ("exit codes".to_owned(), EXIT_CODES.to_owned());
        return Ok(Explained { version, name, code: None, text });
    }
    let number = asked.strip_prefix("0x").map_or_else(|| asked.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
    let same = |name: &str| name.eq_ignore_ascii_case(&asked.replace(['-', '_', ' '], ""));
    let found = EscrowError::ALL.iter().find(|error| number == Some(error.code()) || same(error.name()));
    if let Some(error) = found {
        let (name, text) = (error.name().to_owned(), error.message().to_owned());
        return Ok(Explained { version, name, code: Some(error.code()), text });
    }
    let word = |kind: Kind| serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned));
    let kind = Kind::ALL.into_iter().find(|kind| word(*kind).is_some_and(|word| same(&word.replace('_', ""))));
    if let Some(kind) = kind {
        let text = kind_text(kind);
        return Ok(Explained { version, name: word(kind).unwrap_or_default(), code: None, text });
    }
    let like = EscrowError::ALL.iter().map(|error| error.name()).max_by_key(|name| alike(name, asked));
    Err(CliError::Arguments(format!(
        "no error is called {asked:?}. Did you mean {}? docs/protocol.md lists those of the program, docs/errors.md the others",
        like.unwrap_or("RiskNotAccepted")
    )))
}

/// How many letters two names have in common, in their order.
fn alike(one: &str, other: &str) -> usize {
    let mut rest = one.to_lowercase().chars().collect::<Vec<_>>().into_iter();
    other
        .to_lowercase()
        .chars()
        .filter(|letter| rest.clone().any(|known| known == *letter) && rest.any(|known| known == *letter))
        .count()
}

fn kind_text(kind: Kind) -> String {
    // The table in the documentation, whose rows a test holds to the kinds.
    let table = include_str!("../../../docs/errors.md");
    let word = serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    let row = table.lines().find_map(|line| line.strip_prefix(&format!("| `{word}` | ")));
    let text = row.and_then(|row| row.split(" | ").next()).unwrap_or_default();
    format!("{text}\nThe command exits with {}.", kind.exit_code())
}

/// A text that is the whole result.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Text(pub String);

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    shell: Shell,
}

pub fn template() -> Text {
    Text(TEMPLATE.to_owned())
}

pub fn completions(args: &CompletionsArgs, mut command: Command) -> Text {
    let mut written = Vec::new();
    clap_complete::generate(args.shell, &mut command, "escrow", &mut written);
    Text(String::from_utf8_lossy(&written).into_owned())
}

pub fn man(command: Command) -> Result<Text> {
    let mut written = Vec::new();
    let failed = |source| escrow_frame::Error::File { path: "escrow.1".into(), source };
    clap_mangen::Man::new(command).render(&mut written).map_err(failed)?;
    Ok(Text(String::from_utf8_lossy(&written).into_owned()))
}

/// `docs/cli.md`: every command with its help, as it is printed.
pub fn documentation(command: Command) -> Text {
    let mut root = command.term_width(100).disable_help_subcommand(true);
    root.build();
    let mut text = String::from(
        "# The command line\n\nEvery command with its help. Written by `escrow documentation`; a test compares it.\n\n",
    );
    text.push_str(&format!("```text\n{}\n```\n", trimmed(&root.clone().render_long_help().to_string())));
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        let help = command.clone().term_width(100).mut_args(hide_global).render_long_help().to_string();
        text.push_str(&format!("\n## escrow {name}\n\n```text\n{}\n```\n", trimmed(&help)));
    }
    text.push_str(&format!("\n## Exit codes\n\n```text\n{EXIT_CODES}\n```\n"));
    Text(text)
}

/// The options of every command are told once.
fn hide_global(argument: clap::Arg) -> clap::Arg {
    let hide = argument.is_global_set();
    argument.hide(hide)
}

/// Without the spaces that stand at ends of lines.
fn trimmed(help: &str) -> String {
    help.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn asked(error: &str) -> Result<Explained> {
        explain(&ExplainArgs { error: error.to_owned() })
    }

    #[test]
    fn errors_are_found_by_number_name_and_kind() {
        let error = EscrowError::RiskNotAccepted;
        for text in [
            error.code().to_string(),
            format!("{:#x}", error.code()),
            "RiskNotAccepted".into(),
            "risk-not-accepted".into(),
        ] {
            let explained = asked(&text).unwrap();
            assert_eq!((explained.name.as_str(), explained.code), (error.name(), Some(error.code())), "{text}");
            assert_eq!(explained.text, error.message());
        }
        assert!(asked("not_found").unwrap().text.contains("Nothing is at"));
        assert!(asked("exit-codes").unwrap().text.contains("5  you said no"));
        let unknown = asked("RiskNotAcepted").expect_err("a misspelt name").to_string();
        assert!(unknown.contains("Did you mean RiskNotAccepted?"), "{unknown}");
    }

    #[test]
    fn every_kind_has_a_text() {
        for kind in Kind::ALL {
            assert!(kind_text(kind).lines().next().is_some_and(|line| line.len() > 10), "{kind:?}");
        }
    }

    #[test]
    fn completions_and_the_man_page_name_every_command() {
        let (bash, man) =
            (completions(&CompletionsArgs { shell: Shell::Bash }, Cli::command()).0, man(Cli::command()).unwrap().0);
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            assert!(bash.contains(name) && man.contains(&name.replace('-', "\\-")), "{name}");
        }
    }
}
