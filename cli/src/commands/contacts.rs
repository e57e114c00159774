//! `escrow contacts`

use std::fmt::{self, Display, Formatter};

use clap::{Args, Subcommand};
use escrow_client::alike::{Alike, alike};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    contacts::{is_name, read, write},
    context::Context,
    error::{CliError, Result},
    parse,
};

/// Arguments of `contacts`. Without a command: lists them.
#[derive(Debug, Args)]
pub struct ContactsArgs {
    #[command(subcommand)]
    command: Option<ContactsCommand>,
}

#[derive(Debug, Subcommand)]
enum ContactsCommand {
    /// List names and addresses
    List,
    /// Give an address a name; afterwards @NAME stands for it wherever an address is asked for
    Add {
        /// Letters, digits, - and _
        name: String,
        /// Whose name it is
        #[arg(value_parser = parse::address)]
        address: Pubkey,
    },
    /// Forget a name
    Remove {
        /// The name
        name: String,
    },
    /// Name everybody with whom you have an open deal: buyer-1, seller-1 and so on
    Import,
}

/// Those who are known.
#[derive(Debug, Serialize)]
pub struct Known {
    version: u32,
    contacts: Vec<Contact>,
}

#[derive(Debug, Serialize)]
struct Contact {
    name: String,
    address: String,
}

impl Display for Known {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.contacts.is_empty() {
            return writeln!(f, "nobody is known yet: escrow contacts add NAME ADDRESS");
        }
        let width = self.contacts.iter().map(|contact| contact.name.len()).max().unwrap_or(0);
        self.contacts.iter().try_for_each(|Contact { name, address }| writeln!(f, "{name:<width$}  {address}"))
    }
}

pub async fn run(context: &Context, args: ContactsArgs) -> Result<Known> {
    let mut contacts = read()?;
    match args.command.unwrap_or(ContactsCommand::List) {
        ContactsCommand::List => {}
        ContactsCommand::Add { name, address } => {
            let name = name.strip_prefix('@').unwrap_or(&name).to_owned();
            if !is_name(&name) {
                return Err(CliError::Arguments(format!(
                    "{name:?} is not a name: use letters, digits, - and _, at most 32"
                )));
            }
            if let Some(other) = contacts.get(&name).filter(|other| **other != address) {
                return Err(CliError::NotNow(format!("{name} is {other} already: remove it first")));
            }
            if let Some((known, other)) =
                contacts.iter().find(|(_, other)| matches!(alike(other, &address), Alike::Stop { .. }))
            {
                return Err(CliError::NotNow(format!(
                    "{address} looks like {known}'s address, {other}, and is another: it was not added"
                )));
            }
            contacts.insert(name, address);
            write(&contacts)?;
        }
        ContactsCommand::Remove { name } => {
            if contacts.remove(name.strip_prefix('@').unwrap_or(&name)).is_none() {
                return Err(CliError::NotNow(format!("nobody is called {name}")));
            }
            write(&contacts)?;
        }
        ContactsCommand::Import => {
            let me = context.address()?;
            for escrow in context.client.list_of(&me).await? {
                for (role, address) in
                    [("buyer", escrow.state.buyer), ("seller", escrow.state.seller), ("arbiter", escrow.state.arbiter)]
                {
                    let known = contacts.values().any(|known| *known == address);
                    if address == me || address == Pubkey::default() || known {
                        continue;
                    }
                    let free =
                        (1u32..).map(|number| format!("{role}-{number}")).find(|name| !contacts.contains_key(name));
                    contacts.extend(free.map(|name| (name, address)));
                }
            }
            write(&contacts)?;
        }
    }
    let contacts = contacts.into_iter().map(|(name, address)| Contact { name, address: address.to_string() }).collect();
    Ok(Known { version: escrow_client::view::VERSION, contacts })
}
