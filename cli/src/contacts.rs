//! Names for addresses, in a file on this machine: `~/.config/escrow/contacts.toml`, a line for each.

use std::{collections::BTreeMap, fs, io, path::PathBuf, sync::OnceLock};

use solana_pubkey::Pubkey;

use crate::error::{CliError, Result};

/// Names, and whose they are.
pub type Contacts = BTreeMap<String, Pubkey>;

/// Where they are.
pub fn path() -> PathBuf {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let config = config.or_else(|| Some(std::env::home_dir()?.join(".config")));
    config.unwrap_or_default().join("escrow/contacts.toml")
}

/// All of them. None where there is no file.
pub fn read() -> Result<Contacts> {
    let path = path();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Contacts::new()),
        Err(source) => return Err(escrow_frame::Error::File { path, source }.into()),
    };
    let broken = |reason: String| CliError::NotNow(format!("{}: {reason}. Correct it with an editor", path.display()));
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| broken(error.message().to_owned()))?;
    let contact = |(name, value): (String, toml::Value)| {
        let address = value.as_str().and_then(|address| address.parse().ok());
        Ok((name.clone(), address.ok_or_else(|| broken(format!("{name} is not an address")))?))
    };
    table.into_iter().map(contact).collect()
}

/// Writes all of them.
pub fn write(contacts: &Contacts) -> Result<()> {
    let path = path();
    let text: String = contacts.iter().map(|(name, address)| format!("{name} = \"{address}\"\n")).collect();
    let written = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Beside it and then in its place, so that a full disk leaves what there was.
        let fresh = path.with_extension("toml.new");
        fs::write(&fresh, text)?;
        fs::rename(&fresh, &path)
    };
    written().map_err(|source| escrow_frame::Error::File { path: path.clone(), source }.into())
}

/// Whether something can be a name: it is typed as `@name`.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
}

/// The name of an address, for what is shown: a file that cannot be read names nobody.
pub fn name_of(address: &str) -> Option<&'static str> {
    static KNOWN: OnceLock<Contacts> = OnceLock::new();
    let known = KNOWN.get_or_init(|| read().unwrap_or_default());
    known.iter().find(|(_, known)| known.to_string() == address).map(|(name, _)| name.as_str())
}

/// Reads an address, or `@name` for one that is known.
pub fn address(text: &str) -> std::result::Result<Pubkey, String> {
    let Some(name) = text.strip_prefix('@') else { return escrow_client::words::parse::address(text) };
    let contacts = read().map_err(|error| error.to_string())?;
    contacts.get(name).copied().ok_or_else(|| {
        let like = contacts
            .keys()
            .find(|known| known.to_lowercase().starts_with(&name.to_lowercase().chars().take(2).collect::<String>()));
        let hint = like.map_or_else(String::new, |known| format!(". Did you mean @{known}?"));
        format!("nobody is called {name}: `escrow contacts` lists those who are known{hint}")
    })
}
