//! Escrows to which something happened: replayed, held against their accounts, written.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map};

use escrow_client::{
    EscrowAccount, escrow,
    history::Entry,
    terms::Asset,
    words::Denomination,
    work::watch::{
        Answer, Ask, Cursor, Event, Heard, Listener, Position, Question, Settings, Subject, Trouble, Watch, What,
    },
};
use futures_util::{StreamExt, stream};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::{
    node::Node,
    pass::{Index, Stop},
    rows,
};

/// The most escrows of a change: as many as a node shows at one slot.
const AT_ONCE: usize = 99;
/// How many questions are asked at the same time.
const CONCURRENT: usize = 8;
/// After so many rounds without an explanation an escrow's whole life is replayed: its row may be what is wrong.
const ROUNDS_BEFORE_ANEW: u32 = 2;

/// What became of some escrows.
#[derive(Debug, Default)]
pub struct Applied {
    /// Those that were not explained, and why.
    pub troubles: Vec<(Pubkey, String)>,
    /// The slot of the first change that is new in each of the others; none where nothing was.
    pub first_changes: BTreeMap<Pubkey, u64>,
}

/// Some escrows and what is known already of what happened to them.
type Touched = BTreeMap<Pubkey, Vec<Entry>>;

impl<N: Node> Index<N> {
    /// Brings these escrows to the slot `least` at least.
    pub(super) async fn apply_all(&mut self, generation: i64, touched: Touched, least: u64) -> Result<Applied, Stop> {
        let mut applied = Applied::default();
        let mut touched = touched.into_iter().peekable();
        while touched.peek().is_some() {
            let some: Touched = touched.by_ref().take(AT_ONCE).collect();
            self.apply(generation, &some, least, &mut applied).await?;
        }
        Ok(applied)
    }

    async fn apply(
        &mut self,
        generation: i64,
        touched: &Touched,
        least: u64,
        applied: &mut Applied,
    ) -> Result<(), Stop> {
        let mut begun: BTreeMap<Pubkey, Cursor> = BTreeMap::new();
        // One that is about to be given up is looked at by itself.
        let (mut groups, mut together) = (Vec::new(), Vec::new());
        for escrow in touched.keys() {
            let tries = self.memory(generation).tries.get(escrow).copied().unwrap_or(0);
            let settings = self.settings_after(tries);
            let is_last_try = settings != self.settings();
            let is_anew = !is_last_try && tries >= ROUNDS_BEFORE_ANEW && tries.checked_rem(2) == Some(0);
            let cursor = if is_anew { Cursor::beginning(*escrow) } else { self.cursor(generation, escrow).await? };
            begun.insert(*escrow, cursor.clone());
            match is_last_try {
                true => groups.push((vec![cursor], settings)),
                false => together.push(cursor),
            }
        }
        if !together.is_empty() {
            groups.push((together, self.settings()));
        }
        for (escrows, settings) in groups {
            let position = Position { subject: Subject::Named, discovered: 0, escrows };
            let mut listener = Listener::new(position, settings);
            listener.at_least(least);
            self.listen(&mut listener, touched).await?;
            let mut events: Vec<Event> = Vec::new();
            while let Some(event) = listener.event().cloned() {
                events.push(event);
                listener.told();
            }
            let silent = listener.freshness().troubles.into_iter().find(|(about, _)| *about == escrow::ID);
            let mut explained: BTreeMap<Pubkey, Cursor> = BTreeMap::new();
            for watch in listener.watches() {
                let escrow = watch.cursor().escrow;
                match unexplained(watch, touched.get(&escrow), begun.get(&escrow), &events, least) {
                    None => {
                        explained.insert(escrow, watch.cursor().clone());
                    }
                    Some(trouble) => {
                        let trouble = trouble.or_else(|| silent.as_ref().map(|(_, trouble)| trouble.to_string()));
                        let trouble = trouble.unwrap_or_else(|| Trouble::Nonsense.to_string());
                        if !matches!(watch.trouble(), None | Some(Trouble::Silent(_) | Trouble::Behind { .. })) {
                            let tries = self.memory(generation).tries.entry(escrow).or_default();
                            *tries = tries.saturating_add(1);
                        }
                        applied.troubles.push((escrow, trouble));
                    }
                }
            }
            events.retain(|event| explained.contains_key(&event.escrow));
            self.write(generation, &events, &explained, applied).await?;
            let memory = self.memory(generation);
            explained.keys().for_each(|escrow| {
                memory.tries.remove(escrow);
            });
        }
        Ok(())
    }

    /// Where the engine has come to with an escrow.
    async fn cursor(&self, generation: i64, escrow: &Pubkey) -> Result<Cursor, Stop> {
        let Some(position) = self.store.position(generation, &escrow.to_string()).await? else {
            return Ok(Cursor::beginning(*escrow));
        };
        Ok(rows::cursor_of(&position).unwrap_or_else(|error| {
            tracing::error!(%escrow, %error, "a row of the index is damaged: the escrow's whole life is replayed");
            Cursor::beginning(*escrow)
        }))
    }

    /// How patient it is with an escrow that was tried so often.
    fn settings_after(&self, tries: u32) -> Settings {
        let mut settings = self.settings();
        if tries >= self.patience.rounds_before_unread {
            settings.rounds_before_unread = Some(1);
        }
        if self.patience.rounds_before_gap.is_some_and(|most| tries >= most) {
            settings.rounds_before_gap = Some(1);
        }
        settings
    }

    /// Asks until there is nothing to be asked.
    async fn listen(&mut self, listener: &mut Listener, touched: &Touched) -> Result<(), Stop> {
        listener.round();
        loop {
            let asks = listener.asks();
            if asks.is_empty() {
                return Ok(());
            }
            self.renew().await?;
            let node = &self.node;
            let answers = stream::iter(asks).map(|ask| async move { (answer(node, &ask, touched).await, ask) });
            let answers: Vec<(Heard, Ask)> = answers.buffer_unordered(CONCURRENT).collect().await;
            for (heard, ask) in answers {
                listener.heard(&ask, heard);
            }
        }
    }

    /// Events, rows and names, all or nothing.
    async fn write(
        &mut self,
        generation: i64,
        events: &[Event],
        explained: &BTreeMap<Pubkey, Cursor>,
        applied: &mut Applied,
    ) -> Result<(), Stop> {
        if explained.is_empty() {
            return Ok(());
        }
        let mut denominations: HashMap<Asset, Denomination> = HashMap::new();
        let mut last: HashMap<Pubkey, &EscrowAccount> = HashMap::new();
        for event in events {
            let asset = rows::asset(event);
            if let hash_map::Entry::Vacant(unknown) = denominations.entry(asset) {
                unknown.insert(self.node.denomination(asset).await);
            }
            if let What::Change(step) = &event.what {
                applied.first_changes.entry(event.escrow).or_insert(step.entry.slot);
                if let Some(before) = &step.before {
                    last.insert(event.escrow, before);
                }
            }
        }
        self.renew().await?;
        let (mut change, now) = (self.change().await?, (self.clock)());
        let mut told: Vec<&'static str> = Vec::new();
        for event in events {
            let Some(denomination) = denominations.get(&rows::asset(event)) else { continue };
            let slot = explained.get(&event.escrow).map_or(0, |cursor| cursor.slot);
            if self.store.add_event(&mut change, &rows::event(event, denomination, slot), now).await?.is_some() {
                told.push(event.kind());
            }
        }
        for (escrow, cursor) in explained {
            let (row, names) = rows::row(cursor, last.get(escrow).copied());
            self.store.put_escrow(&mut change, generation, &row, &names).await?;
        }
        change.commit().await?;
        for kind in told {
            metrics::counter!("escrow_gateway_events_total", "kind" => kind).increment(1);
        }
        Ok(())
    }
}

/// What a node answers; what is known already it is not asked.
async fn answer<N: Node>(node: &N, ask: &Ask, touched: &Touched) -> Heard {
    let Ask::About(escrow, Question::Transactions(wanted)) = ask else { return node.answer(ask).await };
    let mut known: HashMap<Signature, Vec<Entry>> = HashMap::new();
    for entry in touched.get(escrow).into_iter().flatten() {
        known.entry(entry.signature).or_default().push(entry.clone());
    }
    let unknown: Vec<Signature> = wanted.iter().filter(|wanted| !known.contains_key(wanted)).copied().collect();
    let mut read: HashMap<Signature, Option<Vec<Entry>>> =
        known.into_iter().map(|(signature, entries)| (signature, Some(entries))).collect();
    if !unknown.is_empty() {
        match node.answer(&Ask::About(*escrow, Question::Transactions(unknown.clone()))).await {
            Heard::About(Answer::Transactions(answered)) if answered.len() == unknown.len() => {
                read.extend(unknown.into_iter().zip(answered));
            }
            heard => return heard,
        }
    }
    let all = wanted.iter().map(|wanted| read.get(wanted).cloned().flatten());
    Heard::About(Answer::Transactions(all.collect()))
}

/// Whether an escrow is not explained up to the slot `least`, and why, if that is known.
fn unexplained(
    watch: &Watch,
    touched: Option<&Vec<Entry>>,
    begun: Option<&Cursor>,
    events: &[Event],
    least: u64,
) -> Option<Option<String>> {
    let Some((slot, _)) = watch.explained().filter(|(slot, _)| *slot >= least) else {
        return Some(watch.trouble().map(ToString::to_string));
    };
    let (begin, escrow) = (begun.map_or(0, |begun| begun.slot), watch.cursor().escrow);
    let mut told: BTreeSet<Signature> = BTreeSet::new();
    for event in events.iter().filter(|event| event.escrow == escrow) {
        match &event.what {
            What::Change(step) => {
                told.insert(step.entry.signature);
            }
            // It says itself that something is missing.
            What::Gap { .. } => return None,
            What::Near { .. } => {}
        }
    }
    // Two lists tell of an escrow's transactions, its own and the program's: what one of them lacks was left out.
    let is_lacking = |entry: &&Entry| entry.slot > begin && entry.slot <= slot && !told.contains(&entry.signature);
    let lacking = touched.into_iter().flatten().find(is_lacking)?;
    Some(Some(format!("its list of transactions lacks {}, which the program's has", lacking.signature)))
}
