//! Terms that are not typed as options: in a file, or in answers to questions. Both become the options that they stand for, so
//! that each has one name, one parser and one error, whichever way it comes.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use escrow_frame::terminal::{HANG, ask, bold};
use toml::{Table, Value};

use crate::{
    error::{CliError, Result},
    parse,
};

/// The option that names a file with terms.
const FROM: &str = "--from";

/// The file that `escrow template` writes. What is commented out stands for its default.
pub const TEMPLATE: &str = include_str!("draft/template.toml");

/// The arguments with what `create --from FILE` stands for in place of it; and with the answers to questions, where `create` is
/// typed on a terminal without saying with whom.
pub fn expand(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(create) = arguments.iter().position(|word| word == "create") else { return Ok(arguments) };
    if arguments.iter().take(create).any(|word| word == "help" || word == "explain") {
        return Ok(arguments);
    }
    let mut expanded: Vec<OsString> = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let equals = || word.to_str()?.strip_prefix("--from=");
        let file = match (word == FROM, equals()) {
            (true, _) => words.next().map(OsString::as_os_str),
            (false, file) => file.map(OsStr::new),
        };
        match file {
            Some(file) => expanded.extend(read(Path::new(file))?),
            None => expanded.push(word.clone()),
        }
    }
    let typed = arguments.get(create..).unwrap_or_default();
    let asks = |word: &&OsString| {
        let word = word.to_str().unwrap_or_default();
        ["--seller", "--help", "-h", FROM].iter().any(|known| word == *known || word.starts_with(&format!("{known}=")))
    };
    if !typed.iter().any(|word| asks(&word)) {
        expanded.extend(dialogue()?);
    }
    Ok(expanded)
}

/// The options in a file.
fn read(path: &Path) -> Result<Vec<OsString>> {
    let text =
        std::fs::read_to_string(path).map_err(|source| escrow_frame::Error::File { path: path.to_owned(), source })?;
    options(&text).map_err(|reason| {
        let path = path.display();
        CliError::Arguments(format!(
            "{path}: {reason}. `escrow template` writes a file with everything that can stand in it"
        ))
    })
}

fn options(text: &str) -> std::result::Result<Vec<OsString>, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string().trim().replace('\n', " "))?;
    let mut words = Vec::new();
    for (name, value) in &table {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let option = format!("--{}", name.replace('_', "-"));
            let text = match value {
                Value::Boolean(true) => {
                    words.push(option.into());
                    continue;
                }
                Value::Boolean(false) => continue,
                Value::String(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                Value::Datetime(time) => time.to_string(),
                Value::Float(_) => {
                    return Err(format!("{name}: write amounts and shares in quotes, so that no digit is lost"));
                }
                Value::Array(_) | Value::Table(_) => return Err(format!("{name} is a text, or a list of texts")),
            };
            // One word: what begins with a hyphen is no option either.
            words.push(format!("{option}={text}").into());
        }
    }
    Ok(words)
}

/// Asks for the terms. Nothing where nobody is at a terminal: then the parser says what is missing.
fn dialogue() -> Result<Vec<OsString>> {
    let mut asked = Asked { words: Vec::new() };
    let intro = format!(
        "{}\nA few questions. Enter alone takes what stands in brackets; Ctrl-C ends it, and nothing is signed before you have \
         seen everything.\n\nWho is to be paid, the seller? Paste the whole address: ",
        bold("An escrow in which you are the buyer")
    );
    let address = |text: &str| parse::address(text).map(drop);
    if !asked.for_option("--seller", &intro, None, address)? {
        return Ok(asked.words);
    }
    let amount = |text: &str| match text.trim_matches(|letter: char| letter.is_ascii_digit() || letter == '.') {
        "" if !text.is_empty() => Ok(()),
        _ => Err("write digits with at most one decimal point, as in 1.5".to_owned()),
    };
    let mint = "In SOL, or in a token? The token's mint [SOL]: ";
    asked.for_option("--mint", mint, Some(""), address)?;
    asked.for_option("--amount", "How much? ", None, amount)?;
    let moment = |text: &str| parse::moment(text).map(drop);
    asked.for_option("--deliver-by", "Until when must it be delivered? [14d] ", Some("14d"), moment)?;
    let window = |text: &str| parse::window(text).map(drop);
    let review = "How long do you need to look at a delivery before the seller is paid anyway? [3d] ";
    asked.for_option("--review", review, Some("3d"), window)?;
    let arbiter = format!(
        "  {HANG}Who decides if you two disagree, the arbiter? Without one a dispute ends by a fixed division, however good the \
         delivery was.\nThe arbiter's address, or Enter for none: "
    );
    asked.for_option("--arbiter", &arbiter, Some(""), address)?;
    if !asked.words.iter().any(|word| word.to_str().is_some_and(|word| word.starts_with("--arbiter="))) {
        let percent = |text: &str| parse::percent(text).map(drop);
        let unruled = "How much of it does the seller get when you two disagree to the end, in percent? [50] ";
        asked.for_option("--unruled", unruled, Some("50"), percent)?;
    }
    let cooling = "How long after paying do you want to be able to take it all back? [0s] ";
    asked.for_option("--cooling-off", cooling, Some("0s"), window)?;
    let document = "A file with what you agreed on in writing, whose hash goes into the terms? [none] ";
    asked.for_option("--document", document, Some(""), |path| match Path::new(path).is_file() {
        true => Ok(()),
        false => Err("there is no such file".to_owned()),
    })?;
    asked.switch("--fund", "Pay it in at once? [Y/n] ")?;
    Ok(asked.words)
}

struct Asked {
    words: Vec<OsString>,
}

impl Asked {
    /// Asks until the answer is one, and says whether there is anybody to ask. An empty answer takes `usual`; where that is empty
    /// too, the option is left out.
    fn for_option(
        &mut self,
        option: &str,
        question: &str,
        usual: Option<&str>,
        check: impl Fn(&str) -> std::result::Result<(), String>,
    ) -> Result<bool> {
        let mut question = question.to_owned();
        loop {
            let Some(answer) = ask(&question).map_err(|_| CliError::Declined)? else { return Ok(false) };
            let answer = match (answer.as_str(), usual) {
                ("", Some("")) => return Ok(true),
                ("", Some(usual)) => usual.to_owned(),
                _ => answer,
            };
            match check(&answer) {
                Ok(()) => {
                    self.words.push(format!("{option}={answer}").into());
                    return Ok(true);
                }
                Err(reason) => question = format!("  {HANG}{reason}\nAgain: "),
            }
        }
    }

    fn switch(&mut self, option: &str, question: &str) -> Result<()> {
        let answer = ask(question).map_err(|_| CliError::Declined)?.unwrap_or_default();
        if matches!(answer.to_lowercase().as_str(), "" | "y" | "yes") {
            self.words.push(option.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Vec<String>, String> {
        options(text).map(|words| words.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn a_file_stands_for_options() {
        let text = "seller = \"abc\"\namount = \"1.5\"\nfund = true\nmilestone = [\"1,9d\", \"2,10d\"]\ncooling_off = \"1d\"\nfee = 2\n";
        let mut words = read(text).unwrap();
        words.sort();
        assert_eq!(
            words,
            [
                "--amount=1.5",
                "--cooling-off=1d",
                "--fee=2",
                "--fund",
                "--milestone=1,9d",
                "--milestone=2,10d",
                "--seller=abc"
            ]
        );
        assert!(read("amount = 1.5").expect_err("a float").contains("in quotes"));
        assert!(read("seller = {}").expect_err("a table").contains("seller is a text"));
        assert!(read("seller").expect_err("no TOML").contains("line 1"), "{:?}", read("seller"));
    }

    #[test]
    fn the_template_is_a_file_like_that() {
        let words = read(TEMPLATE).unwrap();
        assert!(words.iter().any(|word| word.starts_with("--seller=")), "{words:?}");
        // With everything in it that is commented out.
        let all: String = TEMPLATE
            .lines()
            .map(|line| {
                line.strip_prefix("#").filter(|line| line.contains(" = ") && !line.starts_with(' ')).unwrap_or(line)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(read(&all).unwrap().len() > words.len() + 10);
    }
}
