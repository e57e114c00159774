//! `escrow case`

use std::{
    fmt::{self, Display, Formatter},
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use escrow_client::{
    EscrowInstruction, Situation,
    due::{self, Need, State, Wanted},
    escrow::state::Party,
    evidence::{Committed, MANIFEST, Purpose, committed},
    view::{self, Attention, Time, VERSION},
    words::{self, Tense, name, sentence::Known},
    work::case::{self, FolderError, Material},
};
use escrow_frame::terminal::HANG;
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::MilestoneArgs;
use crate::{
    context::Context,
    error::{CliError, Result},
    guards,
    layout::time,
    parse,
};

/// What to do with cases.
#[derive(Debug, Subcommand)]
pub enum CaseCommand {
    /// Make the folder of a case, whose hash is then committed to
    Build(BuildArgs),
    /// List the disputes that wait for an arbiter's ruling, the most urgent first
    List(ListArgs),
    /// Hold folders against what was committed to, and show a ruling's amounts before it is signed
    Show(ShowArgs),
}

/// Arguments of `case build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// What it is for: evidence of a delivery, the reason of a dispute, the rationale of a ruling
    #[arg(long = "for", value_enum, value_name = "PURPOSE")]
    purpose: PurposeArg,

    /// The new folder
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,

    /// What you have to say: a text file
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,

    /// A file, or a folder of files: photos, invoices, contracts (can be given several times)
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,

    /// What was written between the parties: a file, or a folder of files (can be given several times)
    #[arg(long = "message", value_name = "PATH")]
    messages: Vec<PathBuf>,
}

/// A purpose, as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PurposeArg {
    Evidence,
    Reason,
    Rationale,
}

impl From<PurposeArg> for Purpose {
    fn from(argument: PurposeArg) -> Self {
        match argument {
            PurposeArg::Evidence => Self::Evidence,
            PurposeArg::Reason => Self::Reason,
            PurposeArg::Rationale => Self::Rationale,
        }
    }
}

/// Arguments of `case list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Whose turn it is: the arbiter's address, instead of that of --keypair
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    party: Option<Pubkey>,
}

/// Arguments of `case show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    milestone: MilestoneArgs,

    /// The folder of a case that a party handed in (can be given several times)
    #[arg(long = "case", value_name = "FOLDER")]
    cases: Vec<PathBuf>,

    /// Show what ruling like this would pay to whom: the seller's share in percent. Nothing is signed
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent)]
    seller_share: Option<parse::Percent>,
}

/// What a command about cases tells.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Told {
    Built(Built),
    Waiting(Vec<Attention>),
    Shown(Box<Shown>),
}

/// A case that was made.
#[derive(Debug, Serialize)]
pub struct Built {
    version: u32,
    folder: PathBuf,
    /// Of its manifest, in hexadecimal: what is committed to.
    hash: String,
    files: usize,
    /// The command that commits to it.
    next: String,
}

/// What an arbiter sees of a milestone.
#[derive(Debug, Serialize)]
pub struct Shown {
    version: u32,
    escrow: String,
    milestone: u8,
    /// Until when it can be ruled on, or whatever else its present deadline is for.
    deadline: Time,
    /// What was committed to, in order.
    committed: Vec<Commitment>,
    cases: Vec<Folder>,
    /// The offers that are open.
    offers: Vec<String>,
    /// What a ruling would do.
    ruling: Option<String>,
}

/// A hash that somebody committed to.
#[derive(Debug, Serialize)]
struct Commitment {
    purpose: &'static str,
    hash: String,
    by: Option<String>,
    time: Option<Time>,
    signature: String,
    /// Whether the case with this hash is among the folders.
    handed_in: bool,
}

/// A folder that was checked.
#[derive(Debug, Serialize)]
struct Folder {
    folder: PathBuf,
    case: view::Case,
}

impl Display for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Built(Built { folder, hash, files, next, .. }) => {
                let (noun, folder) = (if *files == 1 { "file" } else { "files" }, folder.display());
                writeln!(f, "{files} {noun} in {folder}\nhash  {hash}\nnow   {HANG}{next}")
            }
            Self::Waiting(deals) if deals.is_empty() => writeln!(f, "nothing waits for a ruling"),
            Self::Waiting(deals) => deals.iter().try_for_each(|Attention { escrow, tasks, line, .. }| {
                let until = tasks.first().and_then(|task| task.until.as_ref());
                let until = until.map_or_else(String::new, |until| time(until).to_string());
                writeln!(f, "{until}\n  {HANG}{} {escrow}", line.as_deref().unwrap_or_default())
            }),
            Self::Shown(shown) => shown.fmt(f),
        }
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { escrow, milestone, deadline, committed, cases, offers, ruling, .. } = self;
        writeln!(f, "milestone {milestone} of escrow {escrow}\ndeadline  {}", time(deadline))?;
        if committed.is_empty() {
            writeln!(f, "\nnobody committed to a case")?;
        }
        for Commitment { purpose, hash, by, time: when, handed_in, .. } in committed {
            let by = by.as_deref().unwrap_or("somebody");
            writeln!(f, "\n{purpose} {hash}\n  by {by}")?;
            if let Some(when) = when {
                writeln!(f, "  {}", time(when))?;
            }
            if !handed_in {
                writeln!(f, "  no folder with this hash was named: ask for it, and name it with --case")?;
            }
        }
        for Folder { folder, case } in cases {
            let view::Case { purpose, committed, genuine, files, .. } = case;
            let verdict = match (committed, genuine) {
                (Some(true), true) => "genuine: as it was committed to",
                (Some(true), false) => "its list is what was committed to, but files were changed afterwards",
                _ => "nobody committed to this: it shows nothing",
            };
            writeln!(f, "\n{} ({purpose})\n  {HANG}{verdict}", folder.display())?;
            files.iter().try_for_each(|file| writeln!(f, "  {HANG}{}", file.text))?;
        }
        for offer in offers {
            writeln!(f, "\nopen offer: {HANG}{offer}")?;
        }
        match ruling {
            Some(ruling) => writeln!(f, "\nruling like this: {HANG}{ruling}"),
            None => Ok(()),
        }
    }
}

pub async fn run(context: &Context, command: CaseCommand) -> Result<Told> {
    match command {
        CaseCommand::Build(args) => build(context, args).await.map(Told::Built),
        CaseCommand::List(args) => list(context, args).await.map(Told::Waiting),
        CaseCommand::Show(args) => show(context, args).await.map(|shown| Told::Shown(Box::new(shown))),
    }
}

async fn build(context: &Context, args: BuildArgs) -> Result<Built> {
    let BuildArgs { milestone: which, purpose, to, statement, files, messages } = args;
    let (index, _) = which.find(&context.client.escrow(&which.escrow).await?)?;
    let statement = statement.map(|path| {
        fs::read_to_string(&path).map_err(|source| CliError::from(escrow_frame::Error::File { path, source }))
    });
    let material = Material { statement: statement.transpose()?, files, messages };
    let manifest = case::build(&to, which.escrow, index, purpose.into(), &material).map_err(refused)?;
    let hash = hex::encode(manifest.hash());
    let (command, option) = match purpose {
        PurposeArg::Evidence => ("deliver", "--evidence-hash"),
        PurposeArg::Reason => ("dispute", "--reason-hash"),
        PurposeArg::Rationale => ("rule", "--rationale-hash"),
    };
    let next = format!("escrow {command} {} --milestone {} {option} {hash}", which.escrow, name::number(index));
    Ok(Built { version: VERSION, folder: to, hash, files: manifest.files().len(), next })
}

async fn list(context: &Context, args: ListArgs) -> Result<Vec<Attention>> {
    let who = args.party.map_or_else(|| context.address(), Ok)?;
    let escrows = context.client.list_of(&who).await?;
    let assets: Vec<_> = escrows.iter().map(escrow_client::EscrowAccount::asset).collect();
    let denominations = context.client.denominations(&assets).await;
    let now = context.client.now().await?;
    let wanted = Wanted { state: Some(State::Disputed), ..Wanted::default() };
    let mut deals = due::list(escrows, &who, &wanted, now);
    for deal in &mut deals {
        deal.tasks.retain(|task| task.need == Need::Rule);
    }
    let waiting = deals.iter().filter(|deal| !deal.tasks.is_empty());
    Ok(waiting
        .filter_map(|deal| Some(Attention::new(deal, &who, denominations.get(&deal.escrow.asset())?, now)))
        .collect())
}

async fn show(context: &Context, args: ShowArgs) -> Result<Shown> {
    let situation = context.client.situation(&args.milestone.escrow).await?;
    let Situation { escrow, now, .. } = &situation;
    let (index, milestone) = args.milestone.find(escrow)?;
    let history = context.client.history(&escrow.address).await?;
    let all: Vec<Committed> = committed(&history).into_iter().filter(|one| one.milestone == index).collect();
    let mut cases = Vec::new();
    for folder in &args.cases {
        cases.push(check(folder, &escrow.address, index, &all)?);
    }
    let commitment = |one: &Committed| Commitment {
        purpose: one.purpose.name(),
        hash: hex::encode(one.hash),
        by: one.by.map(|by| by.to_string()),
        time: one.time.map(|time| Time::from(words::Time::new(time, *now))),
        signature: one.signature.to_string(),
        handed_in: cases.iter().any(|folder| folder.case.hash == hex::encode(one.hash)),
    };
    let committed = all.iter().map(commitment).collect();
    let ruling = args.seller_share.map(|share| ruling(&situation, index, share.0)).transpose()?;
    Ok(Shown {
        version: VERSION,
        escrow: escrow.address.to_string(),
        milestone: name::number(index),
        deadline: words::Time::new(milestone.deadline, *now).into(),
        committed,
        cases,
        offers: offers(&situation, index),
        ruling,
    })
}

/// Holds a folder against what was committed to.
fn check(folder: &Path, escrow: &Pubkey, milestone: u8, all: &[Committed]) -> Result<Folder> {
    let told = case::check(folder, None).map_err(refused)?;
    let (of, about) = (told.manifest.escrow(), told.manifest.milestone());
    if (of, about) != (escrow, milestone) {
        return Err(CliError::Usage(format!(
            "{} is a case about milestone {} of escrow {of}, and not about milestone {} of {escrow}",
            folder.join(MANIFEST).display(),
            name::number(about),
            name::number(milestone)
        )));
    }
    let of_purpose: Vec<&Committed> = all.iter().filter(|one| one.purpose == told.manifest.purpose()).collect();
    let is_committed = of_purpose.iter().any(|one| one.hash == told.hash);
    let checked = case::Checked { is_committed: Some(is_committed), ..told };
    Ok(Folder { folder: folder.to_owned(), case: checked.view() })
}

/// The offers on a milestone that are open, in words.
fn offers(situation: &Situation, milestone: u8) -> Vec<String> {
    let offer = |(who, party)| {
        let offer = guards::open_offer(situation, party, milestone)?;
        Some(format!("the {who} offers {}", situation.teller().proposal(&offer)))
    };
    [("buyer", Party::Buyer), ("seller", Party::Seller)].into_iter().filter_map(offer).collect()
}

/// What a ruling would do, to the unit, by the program's own rule.
fn ruling(situation: &Situation, milestone: u8, seller_bps: u16) -> Result<String> {
    let rule = situation.action(EscrowInstruction::Rule { milestone, seller_bps, rationale_hash: [0; 32] });
    let preview = rule.preview(&situation.escrow, situation.now)?;
    let known = Known::previewed(&rule, &situation.escrow, &preview);
    Ok(situation.teller().action(&rule, known).told(Tense::Present))
}

fn refused(error: FolderError) -> CliError {
    CliError::Usage(error.to_string())
}
