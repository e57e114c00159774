//! Parsing the command line, and how the process ends.

use std::{
    ffi::{OsStr, OsString},
    fmt::{self, Display, Formatter},
    process::ExitCode,
};

use clap::{Arg, Parser, ValueEnum, builder::Resettable, error::ErrorKind};

use crate::{
    diagnostic::{Diagnostic, Kind},
    output::{Format, OutputError, open, print_error, unless_broken_pipe},
};

/// Parses the process's command line.
///
/// # Errors
///
/// What to exit with after it was printed what is wrong with the command line, or the help or version that it asks for. A
/// mistake is JSON where that was asked for, as far as the command line can be understood.
pub fn parse<C: Parser>() -> Result<C, ExitCode> {
    parse_from(std::env::args_os())
}

/// The same for these arguments, the name of the program first.
///
/// # Errors
///
/// As for [`parse`].
pub fn parse_from<C: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<C, ExitCode> {
    let mut command = C::command().mut_args(without_empty_variable);
    let parsed = command.try_get_matches_from_mut(arguments);
    let parsed = parsed.and_then(|mut matches| C::from_arg_matches_mut(&mut matches));
    parsed.map_err(|error| end(&error.format(&mut command)))
}

/// Ends the process with a command's result, after printing why it failed if it did.
pub fn exit<E: Diagnostic>(format: Format, result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format, &error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// An environment variable that is set to nothing counts as one that is not set.
fn without_empty_variable(argument: Arg) -> Arg {
    let empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if empty { argument.env(Resettable::Reset) } else { argument }
}

/// A command line that clap does not accept.
#[derive(Debug)]
struct Usage(String);

impl Usage {
    /// What clap says, without what is for people at a terminal: how it starts, the usage, where the help is.
    fn new(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self("no command was named: --help lists them".to_owned());
        }
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let ends = ["\n\nUsage: ", "\n\nFor more information"].iter().filter_map(|end| text.find(end));
        Self(text.get(..ends.min().unwrap_or(text.len())).unwrap_or(text).trim_end().to_owned())
    }
}

impl Display for Usage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl Diagnostic for Usage {
    fn kind(&self) -> Kind {
        Kind::Usage
    }
}

/// Prints what clap says, and says what to exit with.
fn end(error: &clap::Error) -> ExitCode {
    let format = format();
    if error.use_stderr() {
        match format {
            // A standard error that does not take it cannot be helped.
            Format::Display | Format::Silent => drop(error.print()),
            Format::Json | Format::JsonCompact => print_error(format, &Usage::new(error)),
        }
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let printed = unless_broken_pipe(open().and_then(|()| error.print()));
    exit(format, printed.map_err(|source| OutputError::Write { signature: None, source }))
}

/// The format that the process's arguments ask for, or else its environment, though the rest of them may be wrong.
pub fn format() -> Format {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    asked_for(&arguments, std::env::var_os("ESCROW_OUTPUT").as_deref())
}

/// The format that the arguments ask for, or else the environment, though the rest of them may be wrong.
fn asked_for(arguments: &[OsString], variable: Option<&OsStr>) -> Format {
    let after = |argument: &OsString| argument.to_str()?.strip_prefix("--output=").map(str::to_owned);
    let pairs = arguments.windows(2).filter_map(|pair| match pair {
        [name, value] if name == "--output" => value.to_str().map(str::to_owned),
        _ => None,
    });
    let named = pairs.chain(arguments.iter().filter_map(after)).last();
    let named = named.or_else(|| variable?.to_str().map(str::to_owned));
    named.and_then(|named| Format::from_str(&named, false).ok()).unwrap_or(Format::Display)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::options::Options;

    /// Does something.
    #[derive(Debug, Parser)]
    #[command(name = "tool")]
    struct Cli {
        #[command(flatten)]
        options: Options,
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Command {
        /// Shows it
        Show,
    }

    fn mistake(words: &str) -> String {
        let parsed = Cli::try_parse_from(words.split(' '));
        Usage::new(&parsed.map(|cli| (cli.options.output, cli.command)).expect_err(words)).to_string()
    }

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistake_is_told_without_the_terminals_trimmings() {
        assert_eq!(mistake("tool show --zzz"), "unexpected argument '--zzz' found");
        assert_eq!(mistake("tool sow"), "unrecognized subcommand 'sow'\n\n  tip: a similar subcommand exists: 'show'");
        assert_eq!(mistake("tool"), "no command was named: --help lists them");
        let error = mistake("tool --commitment comfirmed show");
        assert!(error.starts_with("invalid value 'comfirmed' for '--commitment <LEVEL>'"), "{error}");
    }

    #[test]
    fn the_format_is_found_where_the_rest_is_wrong() {
        let format = |words: &str, variable: Option<&str>| {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            asked_for(&words, variable.map(OsStr::new))
        };
        assert_eq!(format("tool --output json --wrong", None), Format::Json);
        assert_eq!(format("tool --wrong --output=json-compact", None), Format::JsonCompact);
        assert_eq!(format("tool --wrong", None), Format::Display);
        assert_eq!(format("tool --output", None), Format::Display);
        assert_eq!(format("tool --output silent", None), Format::Display);
        assert_eq!(format("tool --wrong", Some("json")), Format::Json);
        assert_eq!(format("tool --output display --wrong", Some("json")), Format::Display);
        assert_eq!(format("tool --wrong", Some("")), Format::Display);
    }
}
