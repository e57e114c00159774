//! `escrow verify`

use std::{
    fmt::{self, Display, Formatter},
    path::PathBuf,
};

use clap::Args;
use escrow_client::{
    EscrowAccount, Share, Situation, view,
    warning::{Against, warnings_of},
    words::{stablecoin, warning::told},
};
use escrow_frame::terminal::{HANG, alarm, bold};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    layout::ClusterLayout,
    parse,
};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// What was shared: the link, a file with the message in it, or the escrow's address alone
    shared: String,

    /// The written agreement, to be compared with the hash in the terms
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,

    /// Fail unless everything is as it should be, for scripts
    #[arg(long)]
    strict: bool,
}

/// The answers.
#[derive(Debug, Serialize)]
pub struct Verified {
    version: u32,
    cluster: view::Cluster,
    address: String,
    /// Whether the escrow at the address is that deal; null where nothing but the address was given.
    is_that_deal: Option<bool>,
    /// Whether the document is the one in the terms; null where none was given.
    is_that_document: Option<bool>,
    /// Whether the whole principal is paid in, and final: it cannot be taken back by a fork.
    money_is_there_and_final: bool,
    /// The same in words.
    answers: Vec<String>,
    /// What could go against you, or against the other where you are neither.
    against_you: Vec<String>,
    /// As it stands; null where it does not exist.
    escrow: Option<view::Escrow>,
}

impl Display for Verified {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\nescrow {}\n", ClusterLayout(&self.cluster), self.address)?;
        for (number, answer) in (1..).zip(&self.answers) {
            // "NO" and "NOT YET".
            let answer = if answer.starts_with("NO") { alarm(answer) } else { answer.clone() };
            writeln!(f, "{number}. {HANG}{answer}")?;
        }
        writeln!(f, "\n{}", bold("What could go against you"))?;
        if self.against_you.is_empty() {
            writeln!(f, "  nothing that this tool knows to look for")?;
        }
        for warning in &self.against_you {
            writeln!(f, "  ! {HANG}{warning}")?;
        }
        Ok(())
    }
}

/// What was given: an address, and the terms if they came with it.
fn read(shared: &str) -> Result<(Pubkey, Option<Share>)> {
    if let Ok(address) = shared.parse::<Pubkey>() {
        return Ok((address, None));
    }
    let path = std::path::Path::new(shared);
    let text = match shared.starts_with("escrow:") || !path.is_file() {
        true => shared.to_owned(),
        false => {
            let read = std::fs::read_to_string(path);
            read.map_err(|source| escrow_frame::Error::File { path: path.to_owned(), source })?
        }
    };
    let share: Share =
        text.parse().map_err(|error: escrow_client::share::ShareError| CliError::NotNow(error.to_string()))?;
    Ok((share.address, Some(share)))
}

pub async fn run(context: &Context, args: VerifyArgs) -> Result<Verified> {
    let (address, share) = read(&args.shared)?;
    let cluster = context.cluster().await?;
    let mut answers = Vec::new();
    if let Some(named) = share.as_ref().map(|share| share.cluster.as_str())
        && named != cluster.name
        && !named.is_empty()
    {
        let message =
            format!("it was shared as a deal on {named}, and this is {}: name the right node with --url", cluster.name);
        return Err(CliError::NotNow(message));
    }
    let at_any = context.client.find(&address).await?;
    let finalized = context.client.finalized_escrow(&address).await?;
    // What the address holds is proved by its terms' hash when it is decoded; what was shared, when it was read.
    let is_that_deal = share.as_ref().map(|share| at_any.as_ref().is_none_or(|found| found.terms() == share.terms));
    answers.push(match (&share, &at_any, is_that_deal) {
        (Some(_), Some(_), Some(true)) => "Yes, this address is that deal: its terms are the ones that were shared.".to_owned(),
        (Some(_), None, _) => {
            "The address belongs to these terms, but nothing is there yet, or not any more: nobody has created it on this cluster.".to_owned()
        }
        (Some(_), Some(_), _) => "NO: the escrow at this address has other terms.".to_owned(),
        (None, Some(_), _) => "Only an address was given, so there is nothing to compare its terms with: read them with `escrow show`.".to_owned(),
        (None, None, _) => return Err(escrow_client::Error::NotFound { address, url: context.client.url() }.into()),
    });
    let is_funded = |found: &Option<EscrowAccount>| found.as_ref().is_some_and(EscrowAccount::is_funded);
    let is_final = is_funded(&finalized);
    let denomination = match &at_any {
        Some(found) => context.client.denomination(found.asset()).await,
        None => escrow_client::words::Denomination::SOL,
    };
    let principal = at_any.as_ref().map(|found| denomination.amount(found.state.ledger.principal).to_string());
    let held =
        finalized.as_ref().and_then(|found| found.held().ok()).map(|units| denomination.amount(units).to_string());
    answers.push(match (is_final, is_funded(&at_any)) {
        (true, _) => format!(
            "Yes, the money was paid in and that is final: {} of {} is there.",
            held.unwrap_or_default(),
            principal.unwrap_or_default()
        ),
        (false, true) => {
            "NOT YET FINAL: it was paid in a moment ago. Ask again in a minute before you rely on it.".to_owned()
        }
        (false, false) => "NO: nothing is paid in.".to_owned(),
    });
    let is_that_document = match (&args.document, &at_any) {
        (Some(document), found) => {
            let hash = parse::file_hash(document)?;
            let expected =
                found.as_ref().map(EscrowAccount::terms).or_else(|| share.as_ref().map(|share| share.terms.clone()));
            let same = expected.is_some_and(|terms| terms.document_hash == hash);
            answers.push(match same {
                true => "Yes, the document is the one in the terms.".to_owned(),
                false => "NO: the document is not the one in the terms.".to_owned(),
            });
            Some(same)
        }
        (None, _) => None,
    };
    let now = context.client.now().await?;
    let terms_of = match (&at_any, &share) {
        (Some(found), _) => Some(found.clone()),
        (None, Some(share)) => Some(EscrowAccount::agreed(&share.terms, share.terms.buyer)?),
        (None, None) => None,
    };
    let viewer = context.viewer();
    let against_you = terms_of.iter().flat_map(|escrow| {
        let mine = viewer.map(|viewer| (viewer == escrow.state.buyer, viewer == escrow.state.seller));
        warnings_of(escrow, now).into_iter().filter(move |warning| {
            !matches!((mine, warning.against()), (Some((true, _)), Against::Seller) | (Some((_, true)), Against::Buyer))
        })
    });
    let mut against_you: Vec<String> = against_you.map(|warning| told(&warning)).collect();
    if let Some(mint) = terms_of.as_ref().and_then(|escrow| escrow.asset().mint()) {
        against_you.extend(stablecoin::mistaken(&mint, &context.client.identity(&mint).await?));
    }
    let escrow = match at_any {
        Some(escrow) => Some(context.view(&Situation { escrow, denomination, now }).await?),
        None => None,
    };
    let sound = is_that_deal != Some(false) && is_that_document != Some(false) && is_final;
    if args.strict && !(sound && against_you.is_empty()) {
        let mut reasons: Vec<String> = answers.clone();
        reasons.extend(against_you);
        return Err(CliError::NotNow(format!("--strict: {}", reasons.join(" "))));
    }
    Ok(Verified {
        version: view::VERSION,
        cluster,
        address: address.to_string(),
        is_that_deal,
        is_that_document,
        money_is_there_and_final: is_final,
        answers,
        against_you,
        escrow,
    })
}
