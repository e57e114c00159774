//! The one place that prints.

use std::{fmt::Display, io::Write, process::ExitCode};

use clap::ValueEnum;
use serde::Serialize;

use crate::error::{CliError, Result};

/// How results and errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Display,
    /// Indented JSON.
    Json,
    /// JSON on one line.
    JsonCompact,
}

/// What a command returns: text for people, JSON for programs.
pub trait Report: Display {
    /// As JSON, indented or on one line.
    fn json(&self, indented: bool) -> serde_json::Result<String>;
}

impl<T: Serialize + Display> Report for T {
    fn json(&self, indented: bool) -> serde_json::Result<String> {
        if indented { serde_json::to_string_pretty(self) } else { serde_json::to_string(self) }
    }
}

/// Prints a command's result to standard output.
pub fn print(format: Format, report: &dyn Report) -> Result<()> {
    let text = match format {
        Format::Display => report.to_string(),
        Format::Json => report.json(true)?,
        Format::JsonCompact => report.json(false)?,
    };
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Prints why a command failed to standard error, as JSON if that was asked for.
pub fn print_error(format: Format, error: &CliError) {
    let text = match format {
        Format::Display => format!("error: {error}"),
        Format::Json => serde_json::to_string_pretty(&error.json()).unwrap_or_default(),
        Format::JsonCompact => serde_json::to_string(&error.json()).unwrap_or_default(),
    };
    note(text);
}

/// Prints what is wrong with the command line, or the help or version that it asks for. As JSON where that was asked
/// for as far as the command line can be understood.
pub fn print_usage(error: &clap::Error) -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let asked = |format: &str| {
        let option = format!("--output={format}");
        arguments.contains(&option)
            || arguments.windows(2).any(|pair| matches!(pair, [name, value] if name == "--output" && value == format))
    };
    let text = error.to_string();
    let json = serde_json::json!({ "error": text.trim_end(), "name": null, "code": null, "signature": null });
    if !error.use_stderr() || !(asked("json") || asked("json-compact")) {
        // A standard error that does not take it cannot be helped.
        let _ = error.print();
    } else if asked("json") {
        note(serde_json::to_string_pretty(&json).unwrap_or(text));
    } else {
        note(json);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Tells a person something that is not the result.
pub fn note(text: impl Display) {
    // Nothing can be done about a standard error that does not take it.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
