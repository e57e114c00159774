//! The one place that prints.

use std::{
    fmt::Display,
    io::{self, Write},
};

use clap::ValueEnum;
use serde::Serialize;
use thiserror::Error;

use crate::{
    diagnostic::{Diagnostic, ErrorJson, Kind, Retry},
    terminal::{Fit, alarm},
};

/// How results, notes and errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Display,
    /// Indented JSON.
    Json,
    /// JSON on one line.
    JsonCompact,
    /// Not at all: for commands that a program plays and nobody types.
    #[value(skip)]
    Silent,
}

/// What a command returns: text for people, JSON for programs.
pub trait Report: Display {
    /// As JSON, indented or on one line.
    ///
    /// # Errors
    ///
    /// What the type's own serialisation says; a derived one fails for maps whose keys are no text.
    fn json(&self, indented: bool) -> serde_json::Result<String>;
}

impl<T: Serialize + Display> Report for T {
    fn json(&self, indented: bool) -> serde_json::Result<String> {
        if indented { serde_json::to_string_pretty(self) } else { serde_json::to_string(self) }
    }
}

/// Why a result was not printed.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Standard output does not take it. What the command was there for is done.
    #[error("{}: {source}{}", done(.signature), transaction(.signature))]
    Write {
        /// The transaction that the result is about.
        signature: Option<String>,
        /// What went wrong.
        source: io::Error,
    },
    /// It cannot be written as JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

fn done(signature: &Option<String>) -> &'static str {
    match signature {
        Some(_) => "done, but the result could not be printed",
        None => "cannot write the result",
    }
}

fn transaction(signature: &Option<String>) -> String {
    match signature {
        Some(signature) => format!(". Do not repeat the command: it sent transaction {signature}, which was executed"),
        None => String::new(),
    }
}

impl Diagnostic for OutputError {
    fn kind(&self) -> Kind {
        match self {
            Self::Write { .. } => Kind::Io,
            Self::Json(_) => Kind::Internal,
        }
    }

    fn retry(&self) -> Option<Retry> {
        match self {
            Self::Write { signature: None, .. } => Some(Retry::Safe),
            Self::Write { signature: Some(_), .. } => Some(Retry::No),
            Self::Json(_) => None,
        }
    }

    fn signature(&self) -> Option<String> {
        match self {
            Self::Write { signature, .. } => signature.clone(),
            Self::Json(_) => None,
        }
    }
}

/// Prints a command's result to standard output.
///
/// # Errors
///
/// Where standard output is closed or full. A reader that has seen enough, as `head` has, is none.
pub fn print(format: Format, report: &dyn Report) -> Result<(), OutputError> {
    let text = match format {
        Format::Display => Fit::stdout().text(&report.to_string()),
        Format::Json => report.json(true)?,
        Format::JsonCompact => report.json(false)?,
        Format::Silent => return Ok(()),
    };
    let mut stdout = io::stdout().lock();
    let written = open().and_then(|()| writeln!(stdout, "{}", text.trim_end())).and_then(|()| stdout.flush());
    unless_broken_pipe(written).map_err(|source| OutputError::Write { signature: signature_in(report), source })
}

/// Prints one of many results, each of which programs get as JSON on a line. Says whether anybody still reads.
///
/// # Errors
///
/// Where standard output is full, or the result cannot be written as JSON.
pub fn print_one(format: Format, report: &dyn Report) -> Result<bool, OutputError> {
    let text = match format {
        Format::Display => Fit::stdout().text(&report.to_string()),
        Format::Json | Format::JsonCompact => report.json(false)?,
        Format::Silent => return Ok(true),
    };
    let mut stdout = io::stdout().lock();
    match open().and_then(|()| writeln!(stdout, "{}", text.trim_end())).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(source) => Err(OutputError::Write { signature: None, source }),
    }
}

/// Success also where whoever reads has seen enough.
pub(crate) fn unless_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The transaction that a result is about: results with one have it in this field.
fn signature_in(report: &dyn Report) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&report.json(false).ok()?).ok()?;
    json.get("signature")?.as_str().map(str::to_owned)
}

/// Tells something that is not the result, on standard error: a line for people, an object on one line for programs.
pub fn note(format: Format, text: impl Display) {
    match format {
        Format::Display => to_stderr(Fit::stderr().text(&text.to_string())),
        Format::Json | Format::JsonCompact => {
            to_stderr(serde_json::json!({ "note": Fit::PLAIN.text(&text.to_string()) }));
        }
        Format::Silent => {}
    }
}

/// Writes a line of a log on standard error, as it is: an object on one line for programs.
pub fn log(format: Format, line: &dyn Report) {
    match format {
        Format::Display => to_stderr(Fit::PLAIN.text(&line.to_string())),
        Format::Json | Format::JsonCompact => to_stderr(line.json(false).unwrap_or_else(|_| line.to_string())),
        Format::Silent => {}
    }
}

/// Prints why a command failed, on standard error.
pub fn print_error(format: Format, error: &dyn Diagnostic) {
    match format {
        Format::Display => {
            let text = format!("{} \u{1f}{error}", alarm("error:"));
            to_stderr(Fit::stderr().text(&text));
        }
        Format::Json | Format::JsonCompact => {
            to_stderr(serde_json::to_string(&ErrorJson::new(error)).unwrap_or_else(|_| error.to_string()));
        }
        Format::Silent => {}
    }
}

fn to_stderr(text: impl Display) {
    // Nothing can be done about a standard error that does not take it.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error if standard output was closed when the process started.
pub(crate) fn open() -> io::Result<()> {
    match started::without_stdout() {
        true => Err(io::Error::new(io::ErrorKind::NotConnected, "standard output is closed")),
        false => Ok(()),
    }
}

/// Before `main` Rust puts /dev/null where a standard stream is closed, and a result would vanish in it without an error. So
/// it is looked at before that.
#[cfg(unix)]
mod started {
    use std::sync::atomic::{AtomicBool, Ordering};

    static WITHOUT_STDOUT: AtomicBool = AtomicBool::new(false);

    /// One system call, and nothing of the standard library that needs to be set up.
    #[ctor::ctor(unsafe)]
    fn look() {
        WITHOUT_STDOUT.store(rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err(), Ordering::Relaxed);
    }

    pub(super) fn without_stdout() -> bool {
        WITHOUT_STDOUT.load(Ordering::Relaxed)
    }
}

#[cfg(not(unix))]
mod started {
    pub(super) const fn without_stdout() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sent {
        signature: Option<&'static str>,
    }

    impl Display for Sent {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("sent")
        }
    }

    #[test]
    fn a_result_that_is_lost_does_not_hide_what_was_done() {
        let lost = |signature| {
            let signature = signature_in(&Sent { signature });
            OutputError::Write { signature, source: io::Error::other("disk full") }
        };
        let read = lost(None);
        assert_eq!(read.to_string(), "cannot write the result: disk full");
        assert_eq!((read.retry(), read.signature()), (Some(Retry::Safe), None));
        let sent = lost(Some("5sig"));
        assert!(sent.to_string().starts_with("done, but the result could not be printed: disk full. "), "{sent}");
        assert!(sent.to_string().contains("5sig"), "{sent}");
        assert_eq!((sent.retry(), sent.signature()), (Some(Retry::No), Some("5sig".to_owned())));
    }
}
