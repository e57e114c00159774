//! Events as they come, for the commands that go on until they are stopped.

use std::{
    collections::{HashMap, hash_map::Entry},
    pin::pin,
    time::Duration,
};

use clap::Args;
use escrow_client::{
    EscrowAccount,
    due::{self, Deadline},
    terms::Asset,
    view,
    words::{self, Denomination, time::duration},
    work::watch::{Event, Feed, Pace, Position, Settings, Subject, Trouble},
};
use indicatif::{ProgressBar, ProgressStyle};
use solana_pubkey::Pubkey;
use tokio::time::interval;

use crate::{
    context::Context,
    error::{CliError, Result},
    parse, stop,
};

/// Which escrows are followed. Without any: those of the keypair's owner.
#[derive(Debug, Args)]
pub struct FollowArgs {
    /// Addresses of escrows [default: all of --party, those to come too]
    #[arg(value_parser = parse::address, value_name = "ESCROW", conflicts_with = "party")]
    escrows: Vec<Pubkey>,

    /// All escrows of somebody, those to come too [default: the owner of --keypair]
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    party: Option<Pubkey>,
}

impl FollowArgs {
    /// Whose escrows.
    pub fn subject(&self, context: &Context) -> Result<Subject> {
        match (self.party, self.escrows.as_slice()) {
            (Some(party), _) => Ok(Subject::Party(party)),
            (None, []) => Ok(Subject::Party(context.address()?)),
            (None, _) => Ok(Subject::Named),
        }
    }

    /// Where to begin for what happens from now on.
    pub async fn position_now(&self, context: &Context) -> Result<Position> {
        let position = context.client.position_now(self.subject(context)?, &self.escrows).await?;
        for cursor in position.escrows.iter().filter(|cursor| cursor.state.is_none()) {
            // It may be on its way; or the address is wrong, or everything over.
            context.note(format_args!("There is no escrow at {} at present", cursor.escrow));
        }
        Ok(position)
    }

    /// Adds those of the named escrows that `position` does not have, from now on.
    pub async fn complete(&self, context: &Context, position: &mut Position) -> Result<()> {
        let known = |escrow: &&Pubkey| position.escrows.iter().any(|cursor| cursor.escrow == **escrow);
        let new: Vec<Pubkey> = self.escrows.iter().filter(|escrow| !known(escrow)).copied().collect();
        if !new.is_empty() {
            position.escrows.extend(context.client.position_now(Subject::Named, &new).await?.escrows);
        }
        Ok(())
    }
}

/// What becomes of an event.
pub trait Tell {
    /// Tells it, and returns when that is done; `false`: nobody wants to know any more. After a stop in the middle it is told
    /// again.
    async fn tell(&mut self, event: &view::Event) -> Result<bool>;

    /// Keeps where it has come to.
    fn keep(&mut self, position: &Position) -> Result<()>;
}

/// Tells what happens from `position` on, until it is stopped, nobody wants to know any more, or nothing can happen any more.
pub async fn follow(context: &Context, position: Position, tell: &mut impl Tell) -> Result<()> {
    let mut stop = pin!(stop::asked().map_err(CliError::Signal)?);
    let named = position.subject == Subject::Named;
    let mut feed = Feed::new(context.client.clone(), position, Settings::default(), Pace::default());
    let (mut writer, mut countdown) = (Writer::default(), Countdown::new(context));
    let mut troubles = Vec::new();
    loop {
        while let Some(event) = feed.event() {
            let view = writer.view(context, event).await?;
            countdown.bar.set_message("");
            countdown.bar.tick();
            tokio::select! {
                told = tell.tell(&view) => if !told? { return Ok(()) },
                stopped = &mut stop => return stopped.map_err(CliError::Signal),
            }
            feed.told();
            tell.keep(&feed.position())?;
        }
        let position = feed.position();
        if named && position.escrows.is_empty() {
            return Ok(());
        }
        note_new(context, feed.freshness().troubles, &mut troubles);
        countdown.to(&position);
        let mut turn = pin!(async {
            feed.round().await;
            if feed.event().is_none() {
                feed.pause().await;
            }
        });
        let mut second = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = &mut turn => break,
                _ = second.tick() => countdown.show(),
                stopped = &mut stop => return stopped.map_err(CliError::Signal),
            }
        }
    }
}

/// Notes what goes wrong, once as long as it stays the same.
fn note_new(context: &Context, troubles: Vec<(Pubkey, Trouble)>, noted: &mut Vec<(Pubkey, Trouble)>) {
    for (escrow, trouble) in troubles.iter().filter(|trouble| !noted.contains(trouble)) {
        context.note(format_args!("Not up to date with {escrow}: {trouble}"));
    }
    *noted = troubles;
}

/// Writes events down, with amounts as their tokens have them.
#[derive(Default)]
struct Writer(HashMap<Asset, Denomination>);

impl Writer {
    async fn view(&mut self, context: &Context, event: &Event) -> Result<view::Event> {
        let escrow = match event.escrow_after() {
            Some(escrow) => Some(escrow.asset()),
            // The last of an escrow: what it was about is in its terms.
            None => context.client.history(&event.escrow).await?.terms().map(escrow_client::terms::asset_of),
        };
        let asset = escrow.unwrap_or(Asset::Sol);
        let denomination = match self.0.entry(asset) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(context.client.denomination(asset).await),
        };
        Ok(event.view(denomination, context.client.now().await?))
    }
}

/// A line that counts down to the next deadline. Only where somebody sits at a terminal.
struct Countdown {
    bar: ProgressBar,
    next: Option<(Pubkey, Deadline)>,
    /// The chain's time beyond this machine's, in seconds.
    ahead: i64,
}

impl Countdown {
    fn new(context: &Context) -> Self {
        let bar = if context.is_for_people() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_style(
            ProgressStyle::default_spinner().template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self { bar, next: None, ahead: 0 }
    }

    fn to(&mut self, position: &Position) {
        let time = position.escrows.iter().map(|cursor| cursor.time).max().unwrap_or(0);
        self.ahead = time.saturating_sub(here());
        let next = |escrow: &EscrowAccount| Some((escrow.address, due::next_deadline(escrow, time)?));
        let all = position.escrows.iter().filter_map(|cursor| next(cursor.state.as_ref()?));
        self.next = all.min_by_key(|(_, deadline)| deadline.at);
    }

    fn show(&self) {
        let text = match &self.next {
            None => "No deadline comes. Ctrl-C ends it.".to_owned(),
            Some((escrow, deadline)) => {
                let left = deadline.at.saturating_sub(here().saturating_add(self.ahead));
                let left = duration(u64::try_from(left).unwrap_or(0));
                format!("{left} until the {} of {escrow}", words::due::deadline(deadline.kind))
            }
        };
        self.bar.set_message(text);
        self.bar.tick();
    }
}

/// This machine's time, in unix seconds.
fn here() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Drop for Countdown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
