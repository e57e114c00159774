//! Lists of escrows: from the index, or from the chain.

use axum::{Json, extract::State};
use escrow_client::{
    EscrowAccount, Filter,
    view::{self, Amount, Role},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::VERSION;
use crate::{
    api::{Api, body::Query, page},
    chain::Finality,
    index::{self, Status, cursor_of},
    problem::{Problem, Result},
    standing::{attention, next_deadline, word},
    store::Listed,
    wire::{Address, Hash},
};

/// Which escrows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Those in which this address has a role.
    party: Option<Address>,
    /// Only where `party` has this role.
    role: Option<PartyRole>,
    /// Only those that stand like this.
    status: Option<view::Status>,
    /// Only those that wait for somebody in this role.
    attention: Option<Role>,
    /// Only those in this token.
    mint: Option<Address>,
    /// Only those with this document, in hexadecimal.
    document_hash: Option<Hash>,
    /// Only those of which a deadline lies before this time, in unix seconds.
    deadline_before: Option<i64>,
    /// Where the page before ended.
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// How many rows, 50 if it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A role in an escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum PartyRole {
    Buyer,
    Seller,
    Arbiter,
    Attester,
}

impl PartyRole {
    const fn word(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Seller => "seller",
            Self::Arbiter => "arbiter",
            Self::Attester => "attester",
        }
    }
}

/// A page of escrows.
#[derive(Debug, Serialize, ToSchema)]
pub struct EscrowPage {
    /// The version of this answer.
    pub version: u32,
    /// All that had happened up to this slot is in it.
    pub slot: String,
    /// How sure that is: `finalized` where it comes from the index.
    pub finality: Finality,
    /// The rows, by funding deadline. Where `next` is not none there may be fewer than were asked for.
    pub escrows: Vec<EscrowRow>,
    /// The next page, as a path; none where this is the last.
    pub next: Option<String>,
}

/// An escrow in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EscrowRow {
    /// Its address.
    pub address: String,
    /// How it stands as a whole.
    pub status: view::Status,
    /// Who pays in.
    pub buyer: String,
    /// Who delivers and is paid.
    pub seller: String,
    /// The token's mint; none for SOL.
    pub mint: Option<String>,
    /// The sum of the milestones.
    pub principal: Amount,
    /// Whose turn it is.
    pub attention: Vec<Role>,
    /// The next deadline, in unix seconds.
    pub next_deadline: Option<i64>,
}

/// Escrows, a page at a time, by funding deadline: from the index, as everything was that is final; from the chain at `confirmed`
/// where there is no index, or it is not fresh. The answer says which.
#[utoipa::path(get, path = "/escrows", tag = "escrows", operation_id = "listEscrows", security(("bearer" = ["read"])),
    params(Which), responses((status = 200, description = "A page", body = EscrowPage)))]
pub async fn list(State(api): State<Api>, Query(which): Query<Which>) -> Result<Json<EscrowPage>> {
    let limit = page::limit(which.limit)?;
    let after = page::read(which.cursor.as_deref())?;
    if which.role.is_some() && which.party.is_none() {
        return Err(Problem::invalid("role", "is of a party: name one"));
    }
    let status = Status::read(&api.store, crate::now_ms()).await?;
    let found = match status.filter(|status| status.is_fresh(api.config.index.fresh_seconds)) {
        Some(status) => indexed(&api, &which, &status, after, limit).await?,
        None => on_chain(&api, &which, &after, limit).await?,
    };
    let mut escrows = Vec::with_capacity(found.escrows.len());
    for escrow in &found.escrows {
        escrows.push(row(&api, escrow, found.now).await);
    }
    let next =
        found.next.map(|place| format!("/v1/escrows?{}cursor={}&limit={limit}", which.query(), page::write(&place)));
    let Found { slot, finality, .. } = found;
    Ok(Json(EscrowPage { version: VERSION, slot: slot.to_string(), finality, escrows, next }))
}

/// A page, and what it is true of.
struct Found {
    slot: u64,
    now: i64,
    finality: Finality,
    escrows: Vec<EscrowAccount>,
    /// Where the next page begins.
    next: Option<page::Place>,
}

fn place(escrow: &EscrowAccount) -> page::Place {
    (escrow.state.fund_by, escrow.address.to_string())
}

async fn on_chain(api: &Api, which: &Which, after: &page::Place, limit: usize) -> Result<Found> {
    let snapshot = api.chain.snapshot(&[], Finality::Confirmed).await?;
    let party = which.party.map(|party| party.0);
    let of = |role| party.filter(|_| which.role == Some(role));
    let filter = Filter {
        buyer: of(PartyRole::Buyer),
        seller: of(PartyRole::Seller),
        arbiter: of(PartyRole::Arbiter),
        attester: of(PartyRole::Attester),
        ..Filter::default()
    };
    let any_role = party.filter(|_| which.role.is_none());
    let mut escrows = api.chain.list(&filter, any_role.as_ref()).await?;
    escrows.retain(|escrow| matches(which, escrow, snapshot.now) && place(escrow) > *after);
    escrows.sort_by_cached_key(place);
    let more = escrows.len() > limit;
    escrows.truncate(limit);
    let next = escrows.last().filter(|_| more).map(place);
    Ok(Found { slot: snapshot.slot, now: snapshot.now, finality: Finality::Confirmed, escrows, next })
}

/// How often rows are read for one page. Most that are read are of it; where few are, it is short, and the next one goes on.
const MOST_READS: usize = 10;

async fn indexed(api: &Api, which: &Which, status: &Status, after: page::Place, limit: usize) -> Result<Found> {
    let listed = which.listed(status.time);
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let (mut escrows, mut next) = (Vec::new(), Some(after));
    for _ in 0..MOST_READS {
        let Some(after) = &next else { break };
        let rows = api.store.list_escrows(status.generation, &listed, after, most).await?;
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < most;
        next = rows.last().filter(|_| !is_last).map(|(fund_by, address, _)| (*fund_by, address.clone()));
        for (fund_by, address, position) in rows {
            if escrows.len() == limit {
                break;
            }
            let cursor = cursor_of(&position).map_err(|error| Problem::internal(format!("{address}: {error}")))?;
            let Some(escrow) = cursor.state.filter(|escrow| matches(which, escrow, status.time)) else { continue };
            escrows.push(escrow);
            if escrows.len() == limit {
                next = Some((fund_by, address));
            }
        }
        if escrows.len() == limit {
            // Whether there is one behind, its row says.
            let behind = match &next {
                Some(after) => api.store.list_escrows(status.generation, &listed, after, 1).await?,
                None => Vec::new(),
            };
            next = next.filter(|_| !behind.is_empty());
            break;
        }
    }
    Ok(Found { slot: status.slot, now: status.time, finality: Finality::Finalized, escrows, next })
}

impl Which {
    /// The filters, for the index: what is found by most exactly goes first.
    fn listed(&self, now: i64) -> Listed {
        let hash = self.document_hash.map(|hash| hash.to_string()).unwrap_or_default();
        let name = match (self.party, self.document_hash, self.mint) {
            (Some(party), _, _) => index::party(&party.0),
            (None, Some(_), _) => index::document(&hash),
            (None, None, Some(mint)) => index::mint(&mint.0),
            (None, None, None) => String::new(),
        };
        Listed {
            name,
            role: self.role.map(PartyRole::word).unwrap_or_default().to_owned(),
            status: self.status.map(word).unwrap_or_default(),
            mint: self.mint.map(|mint| mint.to_string()).unwrap_or_default(),
            document_hash: hash,
            attention: self.attention.map(word).unwrap_or_default(),
            now,
            deadline_before: self.deadline_before,
        }
    }

    /// The filters, to be asked for again.
    fn query(&self) -> String {
        let parts = [
            ("party", self.party.map(|party| party.to_string())),
            ("role", self.role.map(|role| role.word().to_owned())),
            ("status", self.status.map(word)),
            ("attention", self.attention.map(word)),
            ("mint", self.mint.map(|mint| mint.to_string())),
            ("document_hash", self.document_hash.map(|hash| hash.to_string())),
            ("deadline_before", self.deadline_before.map(|time| time.to_string())),
        ];
        parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}&", value?))).collect()
    }
}

fn matches(which: &Which, escrow: &EscrowAccount, now: i64) -> bool {
    let state = &escrow.state;
    which.status.is_none_or(|status| status == view::Status::from(escrow))
        && which.mint.is_none_or(|mint| mint.0 == state.mint)
        && which.document_hash.is_none_or(|hash| hash.0 == state.document_hash)
        && which.deadline_before.is_none_or(|before| next_deadline(escrow).is_some_and(|deadline| deadline < before))
        && which.attention.is_none_or(|role| attention(escrow, now).contains(&role))
}

pub(super) async fn row(api: &Api, escrow: &EscrowAccount, now: i64) -> EscrowRow {
    let state = &escrow.state;
    let denomination = api.chain.denomination(escrow.asset()).await;
    EscrowRow {
        address: escrow.address.to_string(),
        status: view::Status::from(escrow),
        buyer: state.buyer.to_string(),
        seller: state.seller.to_string(),
        mint: (!state.is_sol()).then(|| state.mint.to_string()),
        principal: denomination.amount(state.ledger.principal).into(),
        attention: attention(escrow, now),
        next_deadline: next_deadline(escrow),
    }
}
