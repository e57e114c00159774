//! `escrow demo`: whole stories, played through the same commands that people type, on a validator that is started for
//! them. Every balance is checked to the unit.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    io::IsTerminal,
    time::Duration,
};

use clap::{Args, Parser};
use escrow_client::{EscrowClient, transaction::budget::LAMPORTS_PER_SIGNATURE, view, words::Denomination};
use escrow_frame::{Format, Report, print, terminal::Fit};
use escrow_localnet::{Config, Localnet, MintConfig, TestMint};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    context::Context,
    error::{CliError, Result},
    on_chain::{OnChain, execute},
};

mod stories;

/// What each person starts a story with, in lamports.
const LAMPORTS: u64 = 100_000_000_000;
/// What buyer and seller start a story with, in base units of the token.
const TOKENS: u64 = 100_000_000_000;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Play only the stories whose titles have this in them
    #[arg(value_name = "STORY")]
    story: Option<String>,

    /// List the stories, and play none
    #[arg(long)]
    list: bool,
}

/// The stories that there are.
#[derive(Debug, Serialize)]
struct Titles {
    stories: Vec<&'static str>,
}

impl Display for Titles {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.stories.iter().try_for_each(|title| writeln!(f, "{title}"))
    }
}

/// What somebody types in a story.
#[derive(Debug, Parser)]
struct Typed {
    #[command(subcommand)]
    command: OnChain,
}

/// What happened in all stories.
#[derive(Debug, Serialize)]
struct Demo {
    stories: Vec<Story>,
}

impl Display for Demo {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let checked: usize = self.stories.iter().map(|story| story.balances.len()).sum();
        writeln!(f, "{} stories, {checked} balances checked to the unit: all as agreed.", self.stories.len())
    }
}

/// What happened in one story.
#[derive(Debug, Serialize)]
struct Story {
    title: &'static str,
    asset: &'static str,
    steps: Vec<Step>,
    balances: Vec<Balance>,
}

/// Something that somebody did.
#[derive(Debug, Serialize)]
struct Step {
    /// Who.
    who: String,
    /// What was typed, or what happened.
    what: String,
    /// What that person saw.
    saw: String,
}

/// What somebody had before and after.
#[derive(Debug, Serialize)]
struct Balance {
    who: &'static str,
    before: view::Amount,
    after: view::Amount,
    /// How much more or less of it, with its sign.
    change: String,
}

impl Display for Story {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let title = format!("{}, in {}", self.title, self.asset);
        writeln!(f, "{title}\n{}\n", "=".repeat(title.chars().count()))?;
        for Step { who, what, saw } in &self.steps {
            writeln!(f, "{who}: {what}")?;
            for line in saw.lines().filter(|line| !line.trim().is_empty()) {
                writeln!(f, "    {}", line.trim_end())?;
            }
            writeln!(f)?;
        }
        writeln!(f, "{:<14} {:>28} {:>28} {:>20}", "", "before", "after", "change")?;
        for Balance { who, before, after, change } in &self.balances {
            let (before, after) = (&before.text, &after.text);
            writeln!(f, "{who:<14} {before:>28} {after:>28} {change:>20}  as agreed")?;
        }
        writeln!(f)
    }
}

/// The people of all stories.
const PEOPLE: [&str; 6] = ["buyer", "seller", "arbiter", "carrier", "marketplace", "stranger"];

/// In which assets a story is played.
#[derive(Debug, Clone, Copy)]
enum Assets {
    SolAndToken,
    FreezableToken,
}

/// Where a story is played: new people on the validator of the demo.
struct Stage<'a> {
    net: &'a Localnet,
    denomination: Denomination,
    mint: Option<&'a TestMint>,
    /// May freeze accounts of a freezable token.
    issuer: &'a Keypair,
    people: BTreeMap<&'static str, Keypair>,
    /// Signatures that each paid for, outside of the commands' own money.
    signatures: BTreeMap<&'static str, u64>,
    steps: Vec<Step>,
}

pub async fn run(format: Format, args: DemoArgs) -> Result<()> {
    let titles = || stories::ALL.iter().map(|(title, _, _)| *title);
    if args.list {
        return Ok(print(format, &Titles { stories: titles().collect() })?);
    }
    let asked = args.story.unwrap_or_default().to_lowercase();
    let wanted = |title: &str| title.to_lowercase().contains(&asked);
    if !titles().any(wanted) {
        let all: Vec<&str> = titles().collect();
        return Err(CliError::Arguments(format!("no story has {asked:?} in its title. There are: {}", all.join("; "))));
    }
    let progress = progress();
    progress.set_message("starting a validator");
    let net = Localnet::start(Config::default()).await?;
    let issuer = net.new_funded_keypair(LAMPORTS).await?;
    let plain = net.create_mint(MintConfig::default()).await?;
    let freezable = MintConfig { freeze_authority: Some(issuer.pubkey()), ..MintConfig::default() };
    let freezable = net.create_mint(freezable).await?;

    let mut stories = Vec::new();
    for (title, assets, story) in stories::ALL.into_iter().filter(|(title, _, _)| wanted(title)) {
        let assets: &[(&str, Option<&TestMint>)] = match assets {
            Assets::SolAndToken => &[("SOL", None), ("a token with 6 decimals", Some(&plain))],
            Assets::FreezableToken => &[("a token that its issuer can freeze", Some(&freezable))],
        };
        for (name, mint) in assets {
            progress.set_message(format!("{title}, in {name}"));
            let stage = Stage::new(&net, *mint, &issuer).await?;
            let played = stage.play(title, name, story).await?;
            if format == Format::Display {
                progress.suspend(|| print(format, &played))?;
            }
            stories.push(played);
        }
    }
    progress.finish_and_clear();
    net.shutdown().await?;
    Ok(print(format, &Demo { stories })?)
}

/// Shows what is going on, on standard error, where somebody watches.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

impl<'a> Stage<'a> {
    async fn new(net: &'a Localnet, mint: Option<&'a TestMint>, issuer: &'a Keypair) -> Result<Self> {
        let client = EscrowClient::from_rpc(net.rpc());
        let denomination = match mint {
            None => Denomination::SOL,
            Some(mint) => client.mint(&mint.address).await?.denomination(),
        };
        let mut people = BTreeMap::new();
        for name in PEOPLE {
            people.insert(name, net.new_funded_keypair(LAMPORTS).await?);
        }
        let stage = Self { net, denomination, mint, issuer, people, signatures: BTreeMap::new(), steps: Vec::new() };
        if let Some(mint) = mint {
            for name in ["buyer", "seller"] {
                net.mint_to(mint, &stage.address(name), TOKENS).await?;
            }
        }
        Ok(stage)
    }

    /// Plays one story and compares what everybody has with what the story says they should.
    async fn play(mut self, title: &'static str, asset: &'static str, story: stories::Play) -> Result<Story> {
        let mut before = BTreeMap::new();
        for name in PEOPLE {
            before.insert(name, self.holds(name).await?);
        }
        let expected = story(&mut self).await?;
        let mut balances = Vec::new();
        for name in PEOPLE {
            let before = before.get(name).copied().unwrap_or(0);
            let after = self.holds(name).await?;
            let change = i128::from(after).saturating_sub(i128::from(before));
            let fees = if self.mint.is_none() { self.fees_of(name) } else { 0 };
            let gained = expected.iter().find(|(who, _)| *who == name).map_or(0, |(_, gain)| *gain);
            let should_be = i128::from(gained).saturating_sub(i128::from(fees));
            if change != should_be {
                return Err(CliError::Demo(format!(
                    "in \"{title}\", in {asset}, the balance of the {name} changed by {change} units and not by {should_be}"
                )));
            }
            if change != 0 || gained != 0 {
                let (before, after) = (self.denomination.amount(before).into(), self.denomination.amount(after).into());
                balances.push(Balance { who: name, before, after, change: self.signed(change) });
            }
        }
        Ok(Story { title, asset, steps: self.steps, balances })
    }

    /// Somebody types a command.
    async fn types(&mut self, who: &'static str, command: &str) -> Result<serde_json::Value> {
        let words = std::iter::once("escrow").chain(command.split_whitespace());
        let typed = Typed::try_parse_from(words).map_err(|error| CliError::Demo(format!("{command}: {error}")))?;
        let context = Context::in_memory(self.client(), self.keypair(who)?);
        let report = execute(&context, typed.command).await?;
        let report: Box<dyn Report> =
            report.ok_or_else(|| CliError::Demo(format!("{command}: it has no result of its own")))?;
        let json: serde_json::Value = serde_json::from_str(&report.json(false)?)?;
        if json.get("signature").is_some() {
            let count = self.signatures.entry(who).or_default();
            *count = count.saturating_add(1);
        }
        self.steps.push(Step {
            who: who.to_owned(),
            what: format!("escrow {command}"),
            saw: Fit::PLAIN.text(&report.to_string()),
        });
        Ok(json)
    }

    /// Somebody types a command that must be refused, for a reason that contains this text.
    async fn is_refused(&mut self, who: &'static str, command: &str, reason: &str) -> Result<()> {
        match self.types(who, command).await {
            Err(error) if error.to_string().contains(reason) => {
                let (what, saw) = (format!("escrow {command}"), format!("error: {error}"));
                self.steps.push(Step { who: who.to_owned(), what, saw });
                Ok(())
            }
            Err(error) => {
                Err(CliError::Demo(format!("{command}: refused for another reason than \"{reason}\": {error}")))
            }
            Ok(_) => Err(CliError::Demo(format!("{command}: accepted, and should have been refused: {reason}"))),
        }
    }

    /// The issuer freezes somebody's token account, or thaws it.
    async fn issuer_freezes(&mut self, who: &'static str, frozen: bool) -> Result<()> {
        if let Some(mint) = self.mint {
            self.net.set_frozen(mint, &self.address(who), self.issuer, frozen).await?;
        }
        let verb = if frozen { "freezes" } else { "thaws" };
        self.happens("the token's issuer", &format!("{verb} the token account of the {who}"));
        Ok(())
    }

    /// Something that nobody types.
    fn happens(&mut self, who: &str, what: &str) {
        self.steps.push(Step { who: who.to_owned(), what: what.to_owned(), saw: String::new() });
    }

    /// Time passes on the validator.
    async fn passes(&mut self, days: u64) -> Result<()> {
        self.net.advance_time(days.saturating_mul(24 * 60 * 60)).await?;
        self.happens("meanwhile", &format!("{days} days pass"));
        Ok(())
    }

    fn client(&self) -> EscrowClient {
        EscrowClient::from_rpc(self.net.rpc())
    }

    fn keypair(&self, who: &str) -> Result<Keypair> {
        let keypair = self.people.get(who).map(Keypair::insecure_clone);
        keypair.ok_or_else(|| CliError::Demo(format!("nobody is called {who}")))
    }

    fn address(&self, who: &str) -> Pubkey {
        self.people.get(who).map(Keypair::pubkey).unwrap_or_default()
    }

    /// The option that makes `create` use this stage's asset.
    fn mint_option(&self) -> String {
        self.mint.map_or_else(String::new, |mint| format!("--mint {}", mint.address))
    }

    /// What somebody holds of the asset, in its smallest unit.
    async fn holds(&self, who: &str) -> Result<u64> {
        Ok(match self.mint {
            None => self.net.balance(&self.address(who)).await?,
            Some(mint) => self.client().token_balance(&mint.associated_account(&self.address(who))).await?.unwrap_or(0),
        })
    }

    fn fees_of(&self, who: &str) -> u64 {
        self.signatures.get(who).copied().unwrap_or(0).saturating_mul(LAMPORTS_PER_SIGNATURE)
    }

    fn signed(&self, change: i128) -> String {
        let units = u64::try_from(change.unsigned_abs()).unwrap_or(u64::MAX);
        let sign = if change < 0 { "−" } else { "+" };
        format!("{sign}{}", self.denomination.amount(units).digits())
    }

    /// Units of the asset, from text in its unit.
    fn units(&self, text: &str) -> Result<i64> {
        let units = self.denomination.parse(text)?;
        i64::try_from(units).map_err(|_| CliError::Demo(format!("{text} is too much for a story")))
    }
}
