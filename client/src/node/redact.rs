//! What a node says, as people may see it. Providers put keys into URLs, and quote them in their errors; and what a
//! stranger's server writes is not for a terminal to obey.

/// The longest text of a node that is shown.
const LONGEST: usize = 400;

/// Shorter parts of a URL are words, like `v1`, that stand in many texts.
const SHORTEST: usize = 6;

/// What of a node's URL might be a secret.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// The user, the password, the path and the query of a URL, and their parts.
    pub(crate) fn of(url: &str) -> Self {
        let Some((_, rest)) = url.split_once("://") else { return Self::default() };
        let (authority, rest) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        let parts =
            |text: &str| -> Vec<String> { text.split(['/', '?', '#', '&', '=', ':']).map(str::to_owned).collect() };
        let mut secrets: Vec<String> = [parts(user), parts(rest)].concat();
        secrets.push(user.to_owned());
        secrets.retain(|secret| secret.len() >= SHORTEST);
        // The longest first: a shorter one may stand in it.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// A text without them, without control characters, of one line, and not too long.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut shown: String = text.chars().map(|c| if is_shown(c) { c } else { ' ' }).collect();
        shown = shown.split(' ').map(without_path).collect::<Vec<_>>().join(" ");
        for secret in &self.0 {
            shown = shown.replace(secret.as_str(), "…");
        }
        if shown.chars().count() > LONGEST {
            shown = shown.chars().take(LONGEST).chain("…".chars()).collect();
        }
        shown
    }
}

/// Whether a terminal only shows it: no control character, and none that turns the writing around.
fn is_shown(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A word; where it holds a URL, that one's scheme, host and port.
fn without_path(word: &str) -> String {
    let Some((before, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.split(['/', '?', '#', '"', '\'', ')', '>', ',']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let shortened = if rest.len() > authority.len() { "/…" } else { "" };
    format!("{before}://{host}{shortened}")
}

/// Scheme, host and port of a URL.
pub(crate) fn public_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "RPC node".to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://user:password@node.example:443/v1/0123456789abcdef?api-key=secret-key#x";

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("http://127.0.0.1:8899", "http://127.0.0.1:8899"),
            (URL, "https://node.example:443"),
            ("https://node.example/?api-key=secret@x", "https://node.example"),
            ("secret", "RPC node"),
        ] {
            assert_eq!(public_url(url), shown);
        }
    }

    #[test]
    fn an_error_that_quotes_the_url_or_a_part_of_it_tells_no_secret() {
        let secrets = Secrets::of(URL);
        for (told, shown) in [
            (format!("bad key in {URL}"), "bad key in https://node.example:443/…".to_owned()),
            (format!("<a href=\"{URL}\">"), "<a href=\"https://node.example:443/…".to_owned()),
            ("the key 0123456789abcdef has ended".to_owned(), "the key … has ended".to_owned()),
            ("key secret-key, user user:password".to_owned(), "key …, user …".to_owned()),
            ("password".to_owned(), "…".to_owned()),
            ("red \u{1b}[31m\r\ntext v1".to_owned(), "red  [31m  text v1".to_owned()),
        ] {
            assert_eq!(secrets.redact(&told), shown);
        }
        assert_eq!(secrets.redact(&"x".repeat(100_000)).chars().count(), LONGEST + 1);
    }
}
