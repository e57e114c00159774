//! From what the engine knows to what is written.

use escrow_client::{
    EscrowAccount,
    due::{Role, next_for_anyone},
    terms::Asset,
    view,
    words::Denomination,
    work::watch::{Cursor, Event, Position, PositionError, Subject, What},
};
use solana_pubkey::Pubkey;

use crate::{
    standing::{attention, changes_at, next_deadline, word},
    store::{EventFinality, Indexed, Name, NewEvent},
};

/// A slot, as it is written.
pub fn written(slot: u64) -> i64 {
    i64::try_from(slot).unwrap_or(i64::MAX)
}

/// A slot, as it was written.
pub fn read(slot: i64) -> u64 {
    u64::try_from(slot).unwrap_or(0)
}

/// Where the engine has come to with an escrow, as its row has it.
///
/// # Errors
///
/// Where the text is damaged, or of another version.
pub fn cursor_of(position: &str) -> Result<Cursor, PositionError> {
    let Position { mut escrows, .. } = position.parse()?;
    match (escrows.pop(), escrows.is_empty()) {
        (Some(cursor), true) => Ok(cursor),
        _ => Err(PositionError::Damaged),
    }
}

/// The row of an escrow, and by what it is found. Of one that is closed `last` is how it stood before.
pub fn row(cursor: &Cursor, last: Option<&EscrowAccount>) -> (Indexed, Vec<Name>) {
    let Cursor { escrow, slot, time, state, .. } = cursor;
    let known = state.as_ref().or(last);
    let position = Position { subject: Subject::Named, discovered: 0, escrows: vec![cursor.clone()] };
    let open = state.as_ref();
    let row = Indexed {
        address: escrow.to_string(),
        slot: written(*slot),
        position: position.to_string(),
        status: open.map_or_else(|| "closed".to_owned(), |open| word(view::Status::from(open))),
        mint: known.map(|known| known.state.mint.to_string()).unwrap_or_default(),
        document_hash: known.map(|known| hex::encode(known.state.document_hash)).unwrap_or_default(),
        fund_by: known.map_or(0, |known| known.state.fund_by),
        next_deadline: open.and_then(next_deadline),
        attention: open.map(|open| words(attention(open, *time).into_iter().map(word))).unwrap_or_default(),
        look_at: open.and_then(|open| changes_at(open, *time)),
        due_at: open.and_then(|open| next_for_anyone(open, *time)),
    };
    (row, known.map(names).unwrap_or_default())
}

/// Words with a bar around each.
fn words(words: impl Iterator<Item = String>) -> String {
    words.fold("|".to_owned(), |all, word| format!("{all}{word}|"))
}

fn names(escrow: &EscrowAccount) -> Vec<Name> {
    let roles =
        [(Role::Buyer, "buyer"), (Role::Seller, "seller"), (Role::Arbiter, "arbiter"), (Role::Attester, "attester")];
    let mut parties: Vec<(Pubkey, Vec<String>)> = Vec::new();
    for (role, word) in roles {
        let Some(address) = role.address(escrow) else { continue };
        match parties.iter_mut().find(|(known, _)| *known == address) {
            Some((_, words)) => words.push(word.to_owned()),
            None => parties.push((address, vec![word.to_owned()])),
        }
    }
    let of_party =
        |(address, roles): (Pubkey, Vec<String>)| Name { name: party(&address), roles: words(roles.into_iter()) };
    let mut names: Vec<Name> = parties.into_iter().map(of_party).collect();
    names.push(Name { name: mint(&escrow.state.mint), roles: String::new() });
    names.push(Name { name: document(&hex::encode(escrow.state.document_hash)), roles: String::new() });
    names
}

/// By which a party's escrows are found.
pub fn party(address: &Pubkey) -> String {
    format!("party:{address}")
}

/// By which the escrows of a token are found.
pub fn mint(address: &Pubkey) -> String {
    format!("mint:{address}")
}

/// By which the escrows with a document are found, its hash in hexadecimal.
pub fn document(hash: &str) -> String {
    format!("document:{hash}")
}

/// What an event's amounts are in.
pub fn asset(event: &Event) -> Asset {
    let before = match &event.what {
        What::Change(step) => step.before.as_ref(),
        _ => None,
    };
    event.escrow_after().or(before).map_or(Asset::Sol, EscrowAccount::asset)
}

/// An event, as it is written. Its words are those of the moment at which it happened, so that they are the same whenever they are
/// written. `slot` is where it was learned.
pub fn event(event: &Event, denomination: &Denomination, slot: u64) -> NewEvent {
    let slot = match &event.what {
        What::Change(step) => step.entry.slot,
        _ => slot,
    };
    NewEvent {
        id: event.id.to_string(),
        finality: EventFinality::Final,
        kind: event.kind().to_owned(),
        escrow: event.escrow.to_string(),
        slot: written(slot),
        body: serde_json::to_string(&event.view(denomination, event.time)).unwrap_or_default(),
    }
}
