//! Text for people, fitted to where it goes: wrapped and coloured on a terminal, plain everywhere else. And asking.
//!
//! Whoever lays out text writes whole lines. Behind [`HANG`] a line goes on in the next at the same column; without it, at the
//! line's own indentation. Words are never broken, so that an address or a signature can be copied.

use std::io::{self, BufRead, IsTerminal, Write};

/// Where a line that is too long goes on in the next. It is not printed itself.
pub const HANG: char = '\u{1f}';

/// The least and the most columns that text is wrapped at.
const COLUMNS: std::ops::RangeInclusive<usize> = 40..=100;

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
/// Readable on light and on dark.
const YELLOW: &str = "\u{1b}[1;33m";
const RED: &str = "\u{1b}[1;31m";
const RESET: &str = "\u{1b}[0m";

/// What matters most.
pub fn bold(text: impl std::fmt::Display) -> String {
    format!("{BOLD}{text}{RESET}")
}

/// What matters least.
pub fn dim(text: impl std::fmt::Display) -> String {
    format!("{DIM}{text}{RESET}")
}

/// What could go against somebody.
pub fn warning(text: impl std::fmt::Display) -> String {
    format!("{YELLOW}{text}{RESET}")
}

/// What has to be so, as a QR code.
pub fn white_on_black(text: impl std::fmt::Display) -> String {
    format!("\u{1b}[97;40m{text}{RESET}")
}

/// What is wrong.
pub fn alarm(text: impl std::fmt::Display) -> String {
    format!("{RED}{text}{RESET}")
}

/// How text is fitted to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// At how many columns it is wrapped; none: not at all.
    pub columns: Option<usize>,
    /// Whether colours are kept.
    pub colour: bool,
}

impl Fit {
    /// For what is not a terminal: programs cut lines as they like.
    pub const PLAIN: Self = Self { columns: None, colour: false };

    /// For standard output.
    pub fn stdout() -> Self {
        Self::of(io::stdout().is_terminal())
    }

    /// For standard error.
    pub fn stderr() -> Self {
        Self::of(io::stderr().is_terminal())
    }

    fn of(terminal: bool) -> Self {
        if !terminal {
            return Self::PLAIN;
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        let columns = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        let columns = columns.clamp(*COLUMNS.start(), *COLUMNS.end());
        Self { columns: Some(columns), colour: set("NO_COLOR").is_none() && !dumb }
    }

    /// `text`, fitted.
    pub fn text(self, text: &str) -> String {
        let mut fitted = String::with_capacity(text.len());
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                fitted.push('\n');
            }
            self.line(line, &mut fitted);
        }
        fitted
    }

    fn line(self, line: &str, fitted: &mut String) {
        let line = if self.colour { line.to_owned() } else { without_colour(line) };
        let whole = line.replace(HANG, "");
        let Some(columns) = self.columns.filter(|columns| visible(&whole) > *columns) else {
            fitted.push_str(&whole);
            return;
        };
        let hang = match line.split_once(HANG) {
            Some((before, _)) => visible(before),
            None => line.len().saturating_sub(line.trim_start_matches(' ').len()),
        };
        let mut column = 0usize;
        let mut at_start = true;
        // Spaces belong to the word behind them: they go where a line ends.
        let mut spaces = String::new();
        for part in whole.split_inclusive(' ') {
            let word = part.trim_end_matches(' ');
            let length = visible(word);
            if !at_start && length > 0 && column.saturating_add(spaces.len()).saturating_add(length) > columns {
                // A word that is too long for what is left stands further to the left.
                let indent = hang.min(columns.saturating_sub(length));
                fitted.push('\n');
                fitted.push_str(&" ".repeat(indent));
                column = indent;
                spaces.clear();
            }
            if length > 0 || !word.is_empty() {
                fitted.push_str(&spaces);
                fitted.push_str(word);
                column = column.saturating_add(spaces.len()).saturating_add(length);
                spaces.clear();
                at_start = false;
            }
            if part.ends_with(' ') {
                spaces.push(' ');
            }
        }
    }
}

/// The columns that a text takes, without what colours it.
fn visible(text: &str) -> usize {
    without_colour(text).chars().filter(|letter| *letter != HANG).count()
}

/// A text without what colours it.
fn without_colour(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain
}

/// Asks whoever sits at the terminal, and waits for a line. None where nobody does: standard input or standard error is not a
/// terminal.
///
/// # Errors
///
/// Where the terminal fails, or was closed.
pub fn ask(question: &str) -> io::Result<Option<String>> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(None);
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "{}", Fit::stderr().text(question))?;
    stderr.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        writeln!(stderr)?;
        return Err(ended());
    }
    Ok(Some(line.trim().to_owned()))
}

/// The same, where what is typed does not appear. None also where this system has no terminals of Unix.
///
/// # Errors
///
/// Where the terminal fails or was closed, or Ctrl-C was pressed.
pub fn ask_unseen(question: &str) -> io::Result<Option<String>> {
    let Some(_unseen) = Unseen::begin()? else { return Ok(None) };
    let mut stderr = io::stderr().lock();
    write!(stderr, "{}", Fit::stderr().text(question))?;
    stderr.flush()?;
    let line = read_unseen(&mut io::stdin().lock());
    writeln!(stderr)?;
    line.map(Some)
}

/// What Ctrl-C types.
const CTRL_C: u8 = 3;

/// A line of bytes that nobody sees, up to its end or Ctrl-C, which is no signal meanwhile.
fn read_unseen(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        let read = input.fill_buf()?;
        let end = read.iter().position(|byte| matches!(*byte, b'\n' | CTRL_C));
        let (taken, used) = match end {
            Some(end) => (read.get(..end), end.saturating_add(1)),
            None => (Some(read), read.len()),
        };
        let last = end.and_then(|end| read.get(end)).copied();
        line.extend_from_slice(taken.unwrap_or_default());
        let is_over = read.is_empty();
        input.consume(used);
        match last {
            Some(CTRL_C) => return Err(io::Error::new(io::ErrorKind::Interrupted, "Ctrl-C was pressed")),
            Some(_) => {
                let line = String::from_utf8(line).map_err(|_| io::Error::other("what was typed is not text"))?;
                return Ok(line.trim().to_owned());
            }
            None if is_over => return Err(ended()),
            None => {}
        }
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the input ended")
}

/// A terminal that shows nothing of what is typed, until this goes.
#[cfg(unix)]
struct Unseen(rustix::termios::Termios);

#[cfg(unix)]
impl Unseen {
    /// None where nobody is at a terminal.
    fn begin() -> io::Result<Option<Self>> {
        use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        // A process that a signal ends leaves its terminal as it is: so Ctrl-C ends the line here, and not the process.
        unseen.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)?;
        Ok(Some(Self(before)))
    }
}

#[cfg(unix)]
impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone need not be put back.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

#[cfg(not(unix))]
struct Unseen;

#[cfg(not(unix))]
impl Unseen {
    const fn begin() -> io::Result<Option<Self>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_where_they_hang_and_words_stay_whole() {
        let fit = Fit { columns: Some(20), colour: false };
        assert_eq!(fit.text("  a name    \u{1f}one two three"), "  a name    one two\n            three");
        assert_eq!(fit.text("  one two three four five"), "  one two three four\n  five");
        let address = "EsciU43x1AtsEzNfxzZprrTYtrUA7ikpy1x8Q8BEXeAH";
        assert_eq!(fit.text(&format!("  to {address} now")), format!("  to\n{address}\n  now"));
        assert_eq!(fit.text("short\n\n  lines"), "short\n\n  lines");
        assert_eq!(Fit::PLAIN.text("  name \u{1f}one two three four five"), "  name one two three four five");
    }

    #[test]
    fn what_nobody_sees_ends_with_the_line_or_ctrl_c() {
        let read =
            |typed: &[u8]| read_unseen(&mut io::BufReader::with_capacity(3, typed)).map_err(|error| error.kind());
        assert_eq!(read(b" one two\nthree").as_deref(), Ok("one two"));
        assert_eq!(read(b"\n").as_deref(), Ok(""));
        assert_eq!(read(b"one tw\x03"), Err(io::ErrorKind::Interrupted));
        assert_eq!(read(b"one tw"), Err(io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn colours_take_no_room_and_go_where_nobody_sees_them() {
        let text = format!("{} and {}", bold("one"), warning("two"));
        assert_eq!(Fit::PLAIN.text(&text), "one and two");
        let fit = Fit { columns: Some(11), colour: true };
        assert_eq!(fit.text(&text), text);
        let narrow = Fit { columns: Some(8), colour: false };
        assert_eq!(narrow.text(&text), "one and\ntwo");
    }
}
