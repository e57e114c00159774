//! Solana's own configuration file, as far as it says anything: every field may be missing.

use std::{
    io,
    path::{Path, PathBuf},
};

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use solana_commitment_config::CommitmentLevel;
use thiserror::Error;

/// Where it is, under the home directory.
const USUAL: &str = "~/.config/solana/cli/config.yml";

/// What Solana's configuration says. An empty text counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SolanaConfig {
    /// Where it was read, if there is one.
    pub path: Option<PathBuf>,
    /// The node: a cluster's name or a URL.
    pub json_rpc_url: Option<String>,
    /// The keypair: a file, or another source that Solana's tools know.
    pub keypair_path: Option<String>,
    /// What to read at and wait for.
    pub commitment: Option<CommitmentLevel>,
}

/// Why Solana's configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It was named, and is not there.
    #[error("there is no configuration {path}: name another with --config, or leave it out")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read Solana's configuration {path}: {source}. Another can be named with --config")]
    Read {
        /// Where it is.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Its text is not what it should be.
    #[error(
        "{path} is not a valid Solana CLI configuration: line {line}: {reason}. Correct it with an editor or \
         `solana config set`, or name another with --config"
    )]
    Content {
        /// Where it is.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

impl SolanaConfig {
    /// Reads the file that was named, else the usual one, else nothing.
    ///
    /// # Errors
    ///
    /// If the named file is not there, or if the file is broken. That there is none is normal, unless it was named.
    pub fn load(named: Option<PathBuf>) -> Result<Self, ConfigError> {
        let path = from_home(named.as_deref().unwrap_or(Path::new(USUAL)));
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match named {
                Some(_) => Err(ConfigError::Missing { path }),
                None => Ok(Self::default()),
            },
            Err(source) => Err(ConfigError::Read { path, source }),
        }
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, ConfigError> {
        let wrong = |line: usize, reason: String| ConfigError::Content { path: path.clone(), line, reason };
        let documents = MarkedYaml::load_from_str(text)
            .map_err(|error| wrong(error.marker().line(), format!("not YAML ({})", error.info())))?;
        let entries = match documents.first().map(|document| (&document.data, document.span.start.line())) {
            Some((YamlData::Mapping(entries), _)) => entries,
            // An empty file sets nothing.
            None | Some((YamlData::Value(Scalar::Null), _)) => return Ok(Self { path: Some(path), ..Self::default() }),
            Some((_, line)) => return Err(wrong(line, "expected lines of the form `name: value`".to_owned())),
        };
        let field = |name: &str| {
            let named = |(key, _): &(&MarkedYaml<'_>, &MarkedYaml<'_>)| text_of(key) == Some(name);
            let Some((_, value)) = entries.iter().find(named) else { return Ok(None) };
            match (text_of(value), &value.data) {
                (Some(text), _) => Ok(Some((value.span.start.line(), text)).filter(|(_, text)| !text.is_empty())),
                (None, YamlData::Value(Scalar::Null)) => Ok(None),
                (None, _) => Err(wrong(value.span.start.line(), format!("{name} must be text"))),
            }
        };
        let commitment = match field("commitment")? {
            None => None,
            Some((line, level)) => Some(level.parse().map_err(|_| {
                wrong(line, format!("the commitment \"{level}\" is none of processed, confirmed and finalized"))
            })?),
        };
        let owned = |field: Option<(usize, &str)>| field.map(|(_, text)| text.to_owned());
        let (json_rpc_url, keypair_path) = (owned(field("json_rpc_url")?), owned(field("keypair_path")?));
        Ok(Self { json_rpc_url, keypair_path, commitment, path: Some(path) })
    }
}

fn text_of<'a>(node: &'a MarkedYaml<'_>) -> Option<&'a str> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text),
        _ => None,
    }
}

/// A path with `~` for the home directory, in full; other paths as they are.
pub fn from_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SolanaConfig, String> {
        SolanaConfig::parse(PathBuf::from("config.yml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_may_be_missing() {
        let empty = SolanaConfig { path: Some(PathBuf::from("config.yml")), ..SolanaConfig::default() };
        for text in ["", "---\n", "# nothing\n", "{}", "websocket_url: ''\n", "json_rpc_url: ''\nkeypair_path:\n"] {
            assert_eq!(parse(text), Ok(empty.clone()), "{text}");
        }
        let url = parse("json_rpc_url: http://127.0.0.1:8899\n").unwrap();
        assert_eq!(url, SolanaConfig { json_rpc_url: Some("http://127.0.0.1:8899".to_owned()), ..empty });
    }

    #[test]
    fn what_solana_writes_is_read() {
        let text = "---\njson_rpc_url: \"https://api.devnet.solana.com\"\nwebsocket_url: \"\"\n\
                    keypair_path: /home/me/.config/solana/id.json\naddress_labels:\n  \
                    \"11111111111111111111111111111111\": System Program\ncommitment: finalized\n";
        let config = parse(text).unwrap();
        assert_eq!(config.json_rpc_url.as_deref(), Some("https://api.devnet.solana.com"));
        assert_eq!(config.keypair_path.as_deref(), Some("/home/me/.config/solana/id.json"));
        assert_eq!(config.commitment, Some(CommitmentLevel::Finalized));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, line, reason) in [
            ("not a configuration", 1, "name: value"),
            ("- a\n- b\n", 1, "name: value"),
            ("\njson_rpc_url: {{{\n", 3, "not YAML"),
            ("websocket_url: x\njson_rpc_url: 5\n", 2, "json_rpc_url must be text"),
            ("keypair_path:\n  - a\n", 2, "keypair_path must be text"),
            ("\n\ncommitment: comfirmed\n", 3, "\"comfirmed\""),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with("config.yml ") && error.contains("--config"), "{error}");
            assert!(error.contains(&format!("line {line}: ")) && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_named_file_must_be_there() {
        let error = SolanaConfig::load(Some(PathBuf::from("/no/such/file.yml"))).expect_err("no file").to_string();
        assert!(error.contains("/no/such/file.yml") && error.contains("--config"), "{error}");
        let error = SolanaConfig::load(Some(PathBuf::from("/"))).expect_err("a folder").to_string();
        assert!(error.contains("cannot read"), "{error}");
    }

    #[test]
    fn the_tilde_is_the_home_directory() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(from_home(Path::new("~/id.json")), home.join("id.json"));
        for path in ["/id.json", "id.json", "~other/id.json", "./~/id.json"] {
            assert_eq!(from_home(Path::new(path)), PathBuf::from(path));
        }
    }
}
