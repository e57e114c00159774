//! `escrow check`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    EscrowAccount,
    alike::{Alike, alike},
    chain::recipient::{Activity, Found, Occupant},
    terms::Asset,
    view,
    warning::warnings_of,
    words::{
        self, Denomination, Time, stablecoin,
        warning::{issuer_can, told},
    },
};
use escrow_frame::terminal::{HANG, bold, warning};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    contacts,
    context::Context,
    error::{CliError, Result},
    layout::ClusterLayout,
    parse,
};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A wallet, or an escrow whose parties are looked at
    #[arg(value_parser = parse::address)]
    address: Pubkey,

    /// Fail where anything is named that could go against you, for scripts
    #[arg(long)]
    strict: bool,
}

/// What is known.
#[derive(Debug, Serialize)]
pub struct Checked {
    version: u32,
    cluster: view::Cluster,
    address: String,
    /// What is there, a line each.
    facts: Vec<String>,
    /// What could go against you, a sentence each.
    warnings: Vec<String>,
    /// Those whose deals were looked at.
    people: Vec<Person>,
}

#[derive(Debug, Serialize)]
struct Person {
    role: String,
    address: String,
    /// `unknown`, `thin`, `established` or `known to you`, with the rule.
    level: String,
    record: Vec<String>,
    /// How much a first deal in SOL should be at most.
    first_amount: Option<view::Amount>,
}

impl Display for Checked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n", ClusterLayout(&self.cluster), bold(&self.address))?;
        for fact in &self.facts {
            writeln!(f, "  {HANG}{fact}")?;
        }
        for Person { role, address, level, record, first_amount } in &self.people {
            writeln!(f, "\n{} {address}", bold(format_args!("{role}:")))?;
            writeln!(f, "  {HANG}{level}")?;
            for line in record {
                writeln!(f, "  {HANG}{line}")?;
            }
            match first_amount {
                // Nobody pays an arbiter first.
                _ if role == "arbiter" => {}
                Some(amount) => writeln!(f, "  {HANG}a first deal: at most {}", amount.text)?,
                None => writeln!(f, "  {HANG}a first deal: a small one, settled before you make the one you want")?,
            }
        }
        if !self.warnings.is_empty() {
            writeln!(f, "\n{}", bold("What could go against you"))?;
        }
        for told in &self.warnings {
            writeln!(f, "  {} {HANG}{told}", warning("!"))?;
        }
        Ok(())
    }
}

/// What is at an address, in a sentence.
pub fn occupant(found: &Found) -> String {
    match found.occupant {
        Occupant::Nothing if found.on_curve => {
            "no account yet: it never received anything, or gave everything away".to_owned()
        }
        Occupant::Nothing => {
            "no account, and no key can sign for it: it is derived by a program, as a multisig's vault is".to_owned()
        }
        Occupant::Wallet if found.on_curve => format!("a wallet, with {}", Denomination::SOL.amount(found.lamports)),
        Occupant::Wallet => "a program's own wallet, as a multisig's vault is".to_owned(),
        Occupant::Program => "a program".to_owned(),
        Occupant::Mint => "a token's mint".to_owned(),
        Occupant::TokenAccount => "a token account, and not the wallet that it belongs to".to_owned(),
        Occupant::Escrow => "an escrow".to_owned(),
        Occupant::Other(owner) => format!("an account of the program {owner}"),
    }
}

/// Addresses that one knows: one's own, those with a name, and those of one's open deals.
pub async fn known(context: &Context, me: &Pubkey) -> Result<Vec<(String, Pubkey)>> {
    let mut known = vec![("your own address".to_owned(), *me)];
    known.extend(contacts::read()?.into_iter().map(|(name, address)| (format!("@{name}"), address)));
    for escrow in context.client.list_of(me).await? {
        let state = &escrow.state;
        let people = [("the buyer", state.buyer), ("the seller", state.seller), ("the arbiter", state.arbiter)];
        known.extend(
            people.into_iter().map(|(role, address)| (format!("{role} of your deal {}", escrow.address), address)),
        );
    }
    Ok(known)
}

/// That an address looks like one that is known, in a sentence: and what has to be typed where that is hardly chance.
pub fn look_alike(known: &[(String, Pubkey)], address: &Pubkey) -> Option<(String, Option<String>)> {
    if known.iter().any(|(_, one)| one == address) {
        return None;
    }
    let similar = known.iter().filter_map(|(who, one)| match alike(one, address) {
        Alike::No => None,
        Alike::Warn => Some((format!("{address} begins and ends like {who}, {one}, and is another address"), None)),
        Alike::Stop { differing } => {
            Some((format!("{address} looks like {who}, {one}, and is another address"), Some(differing)))
        }
    });
    similar.max_by_key(|(_, stop)| stop.is_some())
}

pub async fn run(context: &Context, args: CheckArgs) -> Result<Checked> {
    let address = args.address;
    let cluster = context.cluster().await?;
    let now = context.client.now().await?;
    let me = context.viewer();
    let found = context.client.occupants(&[address]).await?.first().copied();
    let mut facts: Vec<String> = found.iter().map(occupant).collect();
    let mut warnings = Vec::new();
    let escrow = match found.map(|found| found.occupant) {
        Some(Occupant::Escrow) => context.client.find(&address).await?,
        Some(occupant) if !occupant.can_be_paid() => {
            warnings.push("It is no wallet: nobody could deliver and be paid with it as a party.".to_owned());
            None
        }
        _ => None,
    };
    let token = match (&escrow, found.map(|found| found.occupant)) {
        (Some(escrow), _) => escrow.asset().mint(),
        (None, Some(Occupant::Mint)) => Some(address),
        _ => None,
    };
    if let Some(mint) = token {
        look_at_token(context, &mint, &mut facts, &mut warnings).await?;
    }
    let people: Vec<(&str, Pubkey)> = match &escrow {
        Some(EscrowAccount { state, .. }) => {
            [("buyer", state.buyer), ("seller", state.seller), ("arbiter", state.arbiter)]
                .into_iter()
                .filter(|(_, person)| *person != Pubkey::default() && Some(*person) != me)
                .collect()
        }
        None if found.is_none_or(|found| found.occupant.can_be_paid()) => vec![("this address", address)],
        // What is no party has no record.
        None => Vec::new(),
    };
    if escrow.is_none() {
        facts.push(told_activity(&context.client.activity(&address).await?, now));
    }
    let known = match &me {
        Some(me) => known(context, me).await?,
        None => contacts::read()?.into_iter().map(|(name, address)| (format!("@{name}"), address)).collect(),
    };
    let mut told_people = Vec::new();
    for (role, person) in &people {
        if let Some((alike, _)) = look_alike(&known, person) {
            warnings.push(format!("{alike}."));
        }
        let record = context.client.record(person).await?;
        warnings.extend(record.flags().into_iter().map(|flag| format!("{role}: {}.", words::record::flag(flag))));
        told_people.push(Person {
            role: (*role).to_owned(),
            address: person.to_string(),
            level: words::record::level(record.level(me.as_ref())).to_owned(),
            record: words::record::lines(&record, now),
            first_amount: record
                .first_amount(Asset::Sol, me.as_ref())
                .map(|units| Denomination::SOL.amount(units).into()),
        });
    }
    if let Some(escrow) = &escrow {
        warnings.extend(warnings_of(escrow, now).iter().map(told));
    }
    if args.strict && !warnings.is_empty() {
        return Err(CliError::NotNow(format!("--strict: {}", warnings.join(" "))));
    }
    let version = view::VERSION;
    Ok(Checked { version, cluster, address: address.to_string(), facts, warnings, people: told_people })
}

/// What is known of a token: its decimals, what its issuer can do, and whether it is the one that it seems to be.
async fn look_at_token(
    context: &Context,
    address: &Pubkey,
    facts: &mut Vec<String>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    match context.client.mint(address).await {
        Ok(mint) => {
            facts.push(format!("the token's mint {address} has {} decimals", mint.decimals));
            let powers = escrow_client::escrow::state::RISKS.iter().filter(|(bit, _)| mint.risks & bit != 0);
            facts.extend(powers.map(|(bit, _)| format!("the token's issuer can {}", issuer_can(*bit))));
        }
        Err(error) => warnings.push(format!("The token cannot be looked at: {error}.")),
    }
    let identity = context.client.identity(address).await?;
    facts.extend(stablecoin::known(&identity));
    warnings.extend(stablecoin::mistaken(address, &identity));
    Ok(())
}

fn told_activity(activity: &Activity, now: i64) -> String {
    let Activity { transactions, since, all } = activity;
    let at_least = if *all { "" } else { "at least " };
    let since = since.map_or_else(String::new, |since| {
        format!(", since {}{}", if *all { "" } else { "before " }, Time::new(since, now))
    });
    match transactions {
        0 => "the node knows of no transaction with it".to_owned(),
        1 => format!("1 transaction{since}"),
        count => format!("{at_least}{count} transactions{since}"),
    }
}
