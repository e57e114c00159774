//! Where the keypair that signs comes from.

use std::{
    fmt::{self, Display, Formatter},
    fs::{File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
};

use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use thiserror::Error;

use crate::{
    config::from_home,
    output::{Format, note},
    seed,
};

/// The bytes of a keypair: its secret half and its public one.
const LENGTH: usize = 64;

/// Longer than any file with a keypair, also one with spaces and line ends.
const MOST: u64 = 16 * 1024;

/// Where a signature comes from, as Solana's tools name it.
#[derive(Debug)]
pub enum SignerSource {
    /// A file with a keypair, as `solana-keygen` writes it.
    File(PathBuf),
    /// Standard input, which holds what a file would.
    Stdin,
    /// A seed phrase that is asked for, as it was named.
    Prompt(String),
    /// A keypair that the program has already.
    Memory(Keypair),
    /// An address, whose signature is made elsewhere.
    Address(Pubkey),
    /// A hardware wallet, as it was named: this build has no driver for one.
    Hardware(String),
}

/// Why there is no keypair. Never says anything of a file's content.
#[derive(Debug, Error)]
pub enum KeypairError {
    /// There is no such file.
    #[error(
        "cannot read the keypair {path}: there is no such file. Choose a key file with {option}, or make one with \
         `solana-keygen new`"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// Which option names another.
        option: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read the keypair {path}: {source}. Choose a key file with {option}")]
    Read {
        /// Where it is.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
        /// Which option names another.
        option: &'static str,
    },
    /// What is in the file is not a keypair.
    #[error(
        "cannot read the keypair {path}: {reason}. A key file holds 64 numbers, as `solana-keygen` writes them: choose \
         one with {option}"
    )]
    NotAKeypair {
        /// Where it is.
        path: PathBuf,
        /// What it seems to be instead.
        reason: String,
        /// Which option names another.
        option: &'static str,
    },
    /// There is no keypair of what was typed.
    #[error("cannot use the seed phrase that {option} {named} asks for: {reason}")]
    SeedPhrase {
        /// As it was named.
        named: String,
        /// What is wrong, without a word of it.
        reason: String,
        /// Which option named it.
        option: &'static str,
    },
    /// Its key is not on this machine.
    #[error(
        "{option} \"{named}\" names {what}. Commands that only read need no key. To sign elsewhere: print the message with \
         --dump-transaction-message, --blockhash and {option} ADDRESS, have it signed, and run the command again with --signer \
         ADDRESS=SIGNATURE. To sign here, choose a key file with {option}"
    )]
    Elsewhere {
        /// As it was named.
        named: String,
        /// What that is.
        what: &'static str,
        /// Which option named it.
        option: &'static str,
    },
    /// A secret stands where the file that it is in belongs. It is not repeated.
    #[error("{0}")]
    SecretItself(String),
}

impl SignerSource {
    /// What `named` stands for, in the words of Solana's tools. Nothing is read yet.
    pub fn new(named: &Path) -> Self {
        let text = named.to_str().unwrap_or_default();
        match text.split_once(':').map_or(text, |(scheme, _)| scheme) {
            "usb" => Self::Hardware(text.to_owned()),
            "prompt" | "ASK" => Self::Prompt(text.to_owned()),
            "-" | "stdin" => Self::Stdin,
            _ if !named.exists() => text.parse().map_or_else(|_| Self::File(from_home(named)), Self::Address),
            _ => Self::File(from_home(named)),
        }
    }

    /// Whether somebody would have to type it.
    pub const fn asks(&self) -> bool {
        matches!(self, Self::Prompt(_))
    }

    /// The keypair. `option` is the one that names another.
    ///
    /// # Errors
    ///
    /// Where there is none that can be read. That others can change it is a note.
    pub fn keypair(&self, option: &'static str, format: Format) -> Result<Keypair, KeypairError> {
        match self {
            Self::File(path) => {
                if let Some(refusal) = secret_itself(option, path) {
                    return Err(KeypairError::SecretItself(refusal));
                }
                read(path, option, format)
            }
            Self::Stdin => {
                let path = || PathBuf::from("standard input");
                let mut content = Vec::new();
                let read = io::stdin().lock().take(MOST).read_to_end(&mut content);
                read.map_err(|source| KeypairError::Read { path: path(), source, option })?;
                parse(&content).map_err(|reason| KeypairError::NotAKeypair { path: path(), reason, option })
            }
            Self::Memory(keypair) => Ok(keypair.insecure_clone()),
            Self::Prompt(named) => {
                let failed = |reason| KeypairError::SeedPhrase { named: named.clone(), reason, option };
                seed::keypair(named, option).map_err(failed)
            }
            Self::Address(address) => {
                let what = "an address, whose key is elsewhere";
                Err(KeypairError::Elsewhere { named: address.to_string(), what, option })
            }
            Self::Hardware(named) => {
                let what = "a hardware wallet, and no driver for one is built in (the crate solana-remote-wallet)";
                Err(KeypairError::Elsewhere { named: named.clone(), what, option })
            }
        }
    }
}

/// As it was named, for whoever wants to know which it is.
impl Display for SignerSource {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) if secret_itself("", path).is_some() => f.write_str("not named by a file"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("on standard input"),
            Self::Memory(_) => f.write_str("in memory"),
            Self::Prompt(named) | Self::Hardware(named) => f.write_str(named),
            Self::Address(address) => write!(f, "{address}, elsewhere"),
        }
    }
}

/// Why `path` is refused, if it is a secret and not the file with it that `option` asks for. Does not repeat it.
pub fn secret_itself(option: &'static str, path: &Path) -> Option<String> {
    let text = path.to_str().unwrap_or_default();
    let hexadecimal = text.len() == LENGTH && text.chars().all(|digit| digit.is_ascii_hexdigit());
    // 32 bytes in hexadecimal, a keypair in base58 or as JSON.
    let alike = hexadecimal || text.starts_with('[') || (text.len() >= 80 && !text.contains(['/', '.']));
    (alike && !path.exists()).then(|| {
        format!(
            "{option} takes a file, not the secret itself: arguments are visible to every process. Treat this one as \
             exposed and replace it"
        )
    })
}

fn read(path: &Path, option: &'static str, format: Format) -> Result<Keypair, KeypairError> {
    let path_of = || path.to_owned();
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeypairError::Missing { path: path_of(), option },
        _ => KeypairError::Read { path: path_of(), source, option },
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mut content = Vec::new();
    file.take(MOST).read_to_end(&mut content).map_err(unreadable)?;
    let keypair = parse(&content).map_err(|reason| KeypairError::NotAKeypair { path: path_of(), reason, option })?;
    if let Some(mode) = writable_by_others(&metadata) {
        let path = path.display();
        note(
            format,
            format_args!("warning: other users can change the key file {path} (mode {mode:04o}): chmod 600 {path}"),
        );
    }
    Ok(keypair)
}

/// The keypair, or what the content seems to be instead. Repeats nothing of it.
fn parse(content: &[u8]) -> Result<Keypair, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not text".to_owned())?.trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.starts_with("-----BEGIN") {
        return Err("it is a PEM file".to_owned());
    }
    let bare = text.trim_matches('"');
    if (80..=90).contains(&bare.len()) && bare.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        return Err("it is a key in base58, as browser wallets export it".to_owned());
    }
    let numbers: Vec<serde_json::Number> = match serde_json::from_str(text) {
        Ok(numbers) => numbers,
        Err(_) if text.starts_with('{') => return Err("it is a JSON object, as encrypted keystores are".to_owned()),
        Err(_) => return Err("it is not a JSON array of numbers".to_owned()),
    };
    if numbers.len() != LENGTH {
        return Err(format!("it holds {} numbers", numbers.len()));
    }
    let byte = |number: &serde_json::Number| number.as_u64().and_then(|number| u8::try_from(number).ok());
    let bytes: Option<Vec<u8>> = numbers.iter().map(byte).collect();
    let bytes = bytes.ok_or("not all of its numbers are bytes, 0 to 255")?;
    Keypair::try_from(bytes.as_slice()).map_err(|_| "its public half does not belong to its secret half".to_owned())
}

/// The permissions, where they let anybody but the owner change the file. Pipes and terminals are nobody's for long.
#[cfg(unix)]
fn writable_by_others(metadata: &Metadata) -> Option<u32> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    (metadata.is_file() && mode & 0o022 != 0).then_some(mode & 0o7777)
}

#[cfg(not(unix))]
const fn writable_by_others(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use solana_keypair::Signer;

    use super::*;

    fn refused(named: &str) -> String {
        let source = SignerSource::new(Path::new(named));
        source.keypair("--keypair", Format::Silent).expect_err(named).to_string()
    }

    #[test]
    fn who_signs_elsewhere_is_not_sent_to_a_key_file_on_disk() {
        for (named, what) in [
            ("usb://ledger", "a hardware wallet"),
            ("usb://ledger?key=0/0", "a hardware wallet"),
            ("prompt:", "nobody is at a terminal"),
            ("prompt://?key=0/0", "nobody is at a terminal"),
            ("prompt://?key=0/0/0", "too deep"),
            ("ASK", "nobody is at a terminal"),
            ("11111111111111111111111111111111", "an address"),
        ] {
            let error = refused(named);
            assert!(error.contains(named) && error.contains(what) && error.contains("--keypair"), "{error}");
            assert!(!error.contains("solana-keygen") && !error.contains("no such file"), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_called_one() {
        let error = refused("/no/such/id.json");
        assert!(error.contains("/no/such/id.json: there is no such file") && error.contains("solana-keygen new"));
        assert!(refused("/").contains("cannot read the keypair /: "));
    }

    #[test]
    fn what_is_no_keypair_is_named_and_not_repeated() {
        let keypair = Keypair::new();
        let (base58, bytes) = (keypair.to_base58_string(), keypair.to_bytes());
        let json = serde_json::to_string(bytes.as_slice()).unwrap();
        assert_eq!(parse(json.as_bytes()).unwrap().pubkey(), keypair.pubkey());
        assert_eq!(parse(format!("\n{json} \n").as_bytes()).unwrap().pubkey(), keypair.pubkey());
        let mut other = bytes;
        other[63] ^= 1;
        for (content, reason) in [
            (String::new(), "empty"),
            (" \n".to_owned(), "empty"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb".to_owned(), "PEM"),
            (base58.clone(), "base58"),
            (format!("\"{base58}\"\n"), "base58"),
            (format!("{{\"secret\":{json}}}"), "JSON object"),
            (json[..json.len() - 9].to_owned(), "not a JSON array"),
            ("secret words".to_owned(), "not a JSON array"),
            (format!("[\"{base58}\"]"), "not a JSON array"),
            ("[1,2,3]".to_owned(), "3 numbers"),
            (format!("[{}]", "7,".repeat(63) + "300"), "bytes"),
            (format!("[{}]", "7,".repeat(63) + "-1"), "bytes"),
            (format!("[{}]", "7,".repeat(63) + "0.5"), "bytes"),
            (serde_json::to_string(other.as_slice()).unwrap(), "public half"),
        ] {
            let said = parse(content.as_bytes()).expect_err(&content);
            assert!(said.contains(reason), "{content}: {said}");
            assert!(!said.contains(&base58[..8]) && !said.contains("300") && !said.contains("words"), "{said}");
        }
        assert!(parse(&[0xff; 32]).expect_err("raw").contains("not text"));
    }

    #[test]
    fn a_secret_in_place_of_its_file_is_refused_and_not_repeated() {
        let keypair = Keypair::new();
        let json = serde_json::to_string(keypair.to_bytes().as_slice()).unwrap();
        for secret in ["c5".repeat(32), keypair.to_base58_string(), json] {
            let error = refused(&secret);
            assert!(error.starts_with("--keypair takes a file") && !error.contains(&secret[..8]), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_for_all_to_write_is_told_from_one_of_ones_own() {
        use std::os::unix::fs::PermissionsExt;

        let path = std::env::temp_dir().join(format!("escrow-frame-{}", Keypair::new().pubkey()));
        std::fs::write(&path, "").unwrap();
        for (mode, open) in [
            (0o600, None),
            (0o400, None),
            (0o644, None),
            (0o660, Some(0o660)),
            (0o666, Some(0o666)),
            (0o602, Some(0o602)),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(writable_by_others(&path.metadata().unwrap()), open);
        }
        std::fs::remove_file(&path).unwrap();
    }
}
