//! How long a transaction may be executed, chosen before it is signed from what several nodes say.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MAX_AGE, Origin};
use crate::{Address, Hash, Height, Node, Reading, Rules, Slot};

/// What limits a transaction's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// A recent block hash.
    BlockHash {
        /// The hash, as it stands in the message.
        hash: Hash,
        /// No block above this height can hold the transaction.
        last_valid: Height,
    },
    /// A durable nonce: it lives until the nonce account holds another value.
    Nonce {
        /// The nonce account.
        account: Address,
        /// Its value, as it stands in the message in place of a block hash.
        value: Hash,
        /// A finalized slot at which the account held it.
        read_at: Slot,
    },
}

impl Lifetime {
    /// What stands in the message.
    pub fn hash(&self) -> Hash {
        match self {
            Self::BlockHash { hash, .. } => *hash,
            Self::Nonce { value, .. } => *value,
        }
    }
}

/// What one node says when a transaction is about to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The node.
    pub node: Node,
    /// A finalized block, read before the block hash.
    pub finalized: Reading,
    /// A recent block hash.
    pub hash: Hash,
    /// The slot of the bank that gave it: `context.slot`.
    pub fetched: Slot,
    /// Up to which height it is good, as the node says.
    pub last_valid: Height,
    /// The newest block of any commitment, read after the block hash.
    pub tip: Reading,
}

/// What one node says of a nonce account when a transaction is about to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceOffer {
    /// The node.
    pub node: Node,
    /// A finalized block, read before the account.
    pub finalized: Reading,
    /// The slot of the finalized bank in which the account was read.
    pub slot: Slot,
    /// What it holds; none if it is not a nonce account.
    pub value: Option<Hash>,
}

/// Why there is no lifetime to sign with. Nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PrepareError {
    /// Too few nodes answered, or they are too far apart to be on the same ledger.
    #[error(
        "{agree} of {nodes} nodes answered and are within {MAX_AGE} blocks of each other, and {needed} are needed: \
         nothing was signed; try again, or name other nodes"
    )]
    TooFew {
        /// How many nodes there are.
        nodes: usize,
        /// How many of them answered, not far from each other.
        agree: usize,
        /// How many must.
        needed: usize,
    },
    /// A node shows more blocks than there were slots for them: what it says of the time of the signing is worth nothing later.
    #[error(
        "node {node} shows block height {} at slot {}, and {} at slot {}, more than there were slots for: nothing was signed; \
         name another node", .before.height, .before.slot, .after.height, .after.slot,
        node = node.0
    )]
    Impossible {
        /// The node.
        node: Node,
        /// What it showed first; or the first block of any ledger.
        before: Reading,
        /// What it showed later.
        after: Reading,
    },
    /// A node gives its block hash more time than it can have.
    #[error(
        "node {node} says that its block hash is good up to height {last_valid}, but the newest block has {tip}, and \
         a block hash lives for {MAX_AGE} blocks: nothing was signed; name another node",
        node = node.0
    )]
    TooLong {
        /// The node.
        node: Node,
        /// What it says.
        last_valid: Height,
        /// The newest block that the nodes agree on.
        tip: Height,
    },
    /// The nodes differ about the nonce account, or it is none.
    #[error(
        "{account} holds no nonce that the nodes agree on: nothing was signed; wait until its last advance is \
         finalized, or name another account"
    )]
    NoNonce {
        /// The nonce account.
        account: Address,
    },
}

impl Lifetime {
    /// A block hash from one of so many nodes: from another one each `turn`, so that a node which gives a wrong one does not do
    /// so for ever.
    pub fn block_hash(
        genesis: Hash,
        nodes: usize,
        offers: &[Offer],
        turn: u32,
    ) -> Result<(Self, Origin), PrepareError> {
        Self::block_hash_under(Rules::ALL, genesis, nodes, offers, turn)
    }

    /// The same under these rules.
    pub fn block_hash_under(
        rules: Rules,
        genesis: Hash,
        nodes: usize,
        offers: &[Offer],
        turn: u32,
    ) -> Result<(Self, Origin), PrepareError> {
        let numbers = |offer: &Offer| {
            let Offer { finalized, fetched, tip, .. } = offer;
            [finalized.slot.0, finalized.height.0, fetched.0, tip.height.0]
        };
        let said = |offer: &Offer| {
            let Offer { node, finalized, fetched, tip, .. } = *offer;
            (node, [finalized, Reading { slot: fetched, height: finalized.height }, tip])
        };
        let offers = possible(rules, nodes, offers, said)?;
        let offers = near(rules, nodes, &offers, numbers)?;
        let tip = offers.iter().map(|offer| offer.tip.height).max().unwrap_or_default();
        let count = u32::try_from(offers.len()).unwrap_or(u32::MAX);
        let first = usize::try_from(turn.checked_rem(count).unwrap_or(0)).unwrap_or(0);
        let mut refused = PrepareError::TooFew { nodes, agree: 0, needed: 1 };
        for offer in offers.iter().cycle().skip(first).take(offers.len()) {
            if offer.last_valid > tip.plus(MAX_AGE).plus(APART) {
                refused = PrepareError::TooLong { node: offer.node, last_valid: offer.last_valid, tip };
                continue;
            }
            let last_valid = rules.last_valid(offer.last_valid, tip);
            // Slots that were skipped are never taken back: of two words about them, the lesser.
            let skipped = |offer: &Offer| offer.finalized.skipped().min(offer.tip.skipped());
            let origin = origin(genesis, offers.iter().map(|offer| (offer.finalized, offer.fetched, skipped(offer))));
            return Ok((Self::BlockHash { hash: offer.hash, last_valid }, origin));
        }
        Err(refused)
    }

    /// The nonce that these of so many nodes agree on, at `finalized`: a transaction that advanced it must be final before the
    /// next is signed with it, else the next expires at once.
    pub fn nonce(
        genesis: Hash,
        account: Address,
        nodes: usize,
        offers: &[NonceOffer],
    ) -> Result<(Self, Origin), PrepareError> {
        let numbers = |offer: &NonceOffer| {
            let NonceOffer { finalized, slot, .. } = offer;
            [finalized.slot.0, finalized.height.0, slot.0, finalized.height.0]
        };
        let said = |offer: &NonceOffer| {
            let NonceOffer { node, finalized, slot, .. } = *offer;
            (node, [finalized, Reading { slot, height: finalized.height }])
        };
        let offers = possible(Rules::ALL, nodes, offers, said)?;
        let offers = near(Rules::ALL, nodes, &offers, numbers)?;
        let agreed = |value: Hash| offers.iter().filter(move |offer| offer.value == Some(value));
        let enough = Rules::ALL.agreement(nodes);
        let value = offers.iter().filter_map(|offer| offer.value).find(|value| agreed(*value).count() >= enough);
        let value = value.ok_or(PrepareError::NoNonce { account })?;
        // Not before an honest one of them read it.
        let read_at = agreed(value).map(|offer| offer.slot).max().unwrap_or_default();
        let said = offers.iter().map(|offer| (offer.finalized, offer.slot, offer.finalized.skipped()));
        let origin = origin(genesis, said);
        Ok((Self::Nonce { account, value, read_at }, origin))
    }
}

/// How far what one node says may be apart: of two behind one address, one can be behind the other.
const APART: u64 = 32;

/// The offers of nodes that show no more blocks than slots, neither in all nor from one answer to the next. Where too few are
/// left, what is wrong with one of the others.
fn possible<T: Copy, const N: usize>(
    rules: Rules,
    nodes: usize,
    offers: &[T],
    said: impl Fn(&T) -> (Node, [Reading; N]),
) -> Result<Vec<T>, PrepareError> {
    let wrong = |offer: &T| {
        let (node, readings) = said(offer);
        let grows_too_fast = |before: &Reading, after: &Reading| {
            after.height.since(before.height) > after.slot.plus(APART).since(before.slot)
        };
        // Since the first block of any ledger, and since the finalized one.
        let befores = [Some(Reading::default()), readings.first().copied()].into_iter().flatten();
        let (before, after) = befores
            .flat_map(|before| readings.into_iter().map(move |after| (before, after)))
            .find(|(before, after)| grows_too_fast(before, after))?;
        Some(PrepareError::Impossible { node, before, after })
    };
    let left: Vec<T> = offers.iter().filter(|offer| wrong(offer).is_none()).copied().collect();
    match offers.iter().find_map(wrong) {
        Some(error) if left.len() < rules.agreement(nodes) => Err(error),
        _ => Ok(left),
    }
}

/// The offers that are not far from what the node in the middle says: what one of them can do to the others is small then.
fn near<T>(
    rules: Rules,
    nodes: usize,
    offers: &[T],
    numbers: impl Fn(&T) -> [u64; 4],
) -> Result<Vec<&T>, PrepareError> {
    let middle: Vec<u64> =
        (0..4).map(|which| median(offers.iter().filter_map(|offer| numbers(offer).get(which).copied()))).collect();
    let is_near =
        |offer: &&T| numbers(offer).iter().zip(&middle).all(|(number, middle)| number.abs_diff(*middle) <= MAX_AGE);
    let near: Vec<&T> = offers.iter().filter(is_near).collect();
    let (agree, needed) = (near.len(), rules.agreement(nodes));
    if agree < needed { Err(PrepareError::TooFew { nodes, agree, needed }) } else { Ok(near) }
}

/// Where the ledger stands, by the finalized block of each node, the slot of its other answer and how many slots were skipped: so
/// chosen that one node
/// alone can make it neither so high that all others look as if they were behind, nor so old that all others look as if they
/// had forgotten.
fn origin(genesis: Hash, said: impl Iterator<Item = (Reading, Slot, u64)> + Clone) -> Origin {
    let mut heights: Vec<Height> = said.clone().map(|(finalized, ..)| finalized.height).collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    // The highest that two have reached.
    let height = heights.get(1).or(heights.first()).copied().unwrap_or_default();
    let skipped = median(said.clone().map(|(_, _, skipped)| skipped));
    // Of two slots that one node says, the earlier is the safer.
    let slot = Slot(median(said.map(|(finalized, other, _)| finalized.slot.min(other).0)));
    Origin { genesis, slot, height, skipped }
}

/// The number in the middle; of two there, the lower.
fn median(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: Hash = Hash([1; 32]);

    fn offer(node: usize, finalized: u64, last_valid: u64, tip: u64) -> Offer {
        let reading = |height| Reading { slot: Slot(height + 10), height: Height(height) };
        Offer {
            node: Node(node),
            finalized: reading(finalized),
            hash: Hash([u8::try_from(node).unwrap(); 32]),
            fetched: Slot(finalized + 40),
            last_valid: Height(last_valid),
            tip: reading(tip),
        }
    }

    fn last_valid(offers: &[Offer]) -> u64 {
        match Lifetime::block_hash(GENESIS, offers.len(), offers, 0).unwrap().0 {
            Lifetime::BlockHash { last_valid, .. } => last_valid.0,
            Lifetime::Nonce { .. } => unreachable!(),
        }
    }

    #[test]
    fn a_last_valid_height_that_is_too_low_is_raised_to_what_any_node_shows() {
        assert_eq!(last_valid(&[offer(0, 68, 250, 100)]), 250);
        assert_eq!(last_valid(&[offer(0, 68, 120, 100)]), 250);
        assert_eq!(last_valid(&[offer(0, 68, 120, 50), offer(1, 68, 250, 100)]), 250);
    }

    #[test]
    fn a_last_valid_height_that_is_far_too_high_is_refused_by_node_and_the_next_is_taken() {
        let offers = [offer(0, 68, 9_000, 100), offer(1, 68, 251, 100)];
        let (lifetime, _) = Lifetime::block_hash(GENESIS, 2, &offers, 0).unwrap();
        assert_eq!(lifetime, Lifetime::BlockHash { hash: Hash([1; 32]), last_valid: Height(251) });
        let error = Lifetime::block_hash(GENESIS, 1, &offers[..1], 0).unwrap_err();
        assert_eq!(error, PrepareError::TooLong { node: Node(0), last_valid: Height(9_000), tip: Height(100) });
    }

    #[test]
    fn one_node_far_above_the_others_does_not_make_the_wait_endless() {
        assert_eq!(last_valid(&[offer(0, 68, 250, 1_000_000), offer(1, 68, 251, 101), offer(2, 60, 245, 99)]), 251);
    }

    #[test]
    fn nodes_that_are_far_apart_are_not_signed_with() {
        let prepare = |nodes, offers: &[Offer]| Lifetime::block_hash(GENESIS, nodes, offers, 0).map(|_| ());
        let (near, far) = (offer(0, 1_068, 1_250, 1_100), offer(1, 900, 1_081, 931));
        assert_eq!(prepare(2, &[near, far]), Err(PrepareError::TooFew { nodes: 2, agree: 1, needed: 2 }));
        assert_eq!(prepare(3, &[near, far, near]), Ok(()));
        assert_eq!(prepare(3, &[near]), Err(PrepareError::TooFew { nodes: 3, agree: 1, needed: 2 }));
        assert_eq!(prepare(1, &[]), Err(PrepareError::TooFew { nodes: 1, agree: 0, needed: 1 }));
    }

    #[test]
    fn a_node_with_more_blocks_than_slots_is_not_signed_with() {
        let origin =
            |offers: &[Offer]| Lifetime::block_hash(GENESIS, offers.len(), offers, 0).map(|(_, origin)| origin.slot);
        let honest = offer(0, 68, 250, 100);
        let finalized = Reading { slot: Slot(0), ..honest.finalized };
        let tip = Reading { slot: Slot(67), ..honest.tip };
        let reading = |slot, height| Reading { slot: Slot(slot), height: Height(height) };
        let since = |before, after| Err(PrepareError::Impossible { node: Node(0), before, after });
        let impossible = |slot, height| since(Reading::default(), reading(slot, height));
        assert_eq!(origin(&[Offer { finalized, ..honest }]), impossible(0, 68));
        assert_eq!(origin(&[Offer { fetched: Slot(35), ..honest }]), impossible(35, 68));
        assert_eq!(origin(&[Offer { tip, ..honest }]), impossible(67, 100));
        assert_eq!(origin(&[Offer { fetched: Slot(36), ..honest }]), Ok(Slot(36)), "it is behind itself");
        let low = Offer { finalized: reading(78, 0), ..honest };
        assert_eq!(origin(&[low]), since(reading(78, 0), reading(110, 100)), "100 blocks in 32 slots");
        assert_eq!(origin(&[Offer { tip: reading(110, 0), last_valid: Height(182), ..low }]), Ok(Slot(78)));
        assert_eq!(origin(&[Offer { finalized, ..honest }, offer(1, 68, 250, 100)]), impossible(0, 68));
        let three = [Offer { finalized, ..honest }, offer(1, 68, 250, 100), offer(2, 68, 250, 100)];
        assert_eq!(origin(&three), Ok(Slot(78)), "the others are enough");
    }

    #[test]
    fn each_turn_takes_the_hash_of_another_node() {
        let offers = [offer(0, 68, 250, 100), offer(1, 68, 250, 100)];
        let hash = |turn| Lifetime::block_hash(GENESIS, 2, &offers, turn).unwrap().0.hash();
        assert_eq!([hash(0), hash(1), hash(2)], [Hash([0; 32]), Hash([1; 32]), Hash([0; 32])]);
    }

    #[test]
    fn the_origin_is_a_block_that_two_nodes_have_reached() {
        let origin = |offers: &[Offer]| Lifetime::block_hash(GENESIS, offers.len(), offers, 0).unwrap().1;
        let honest = [offer(0, 68, 250, 100), offer(1, 60, 250, 100)];
        let is = |slot, height| Origin { genesis: GENESIS, slot: Slot(slot), height: Height(height), skipped: 10 };
        assert_eq!(origin(&honest[..1]), is(78, 68));
        assert_eq!(origin(&honest), is(70, 60));
        for (height, slot) in [(9_999, 10_009), (0, 0), (64, 1_000_000), (64, 0)] {
            let finalized = Reading { slot: Slot(slot), height: Height(height) };
            let lie = Offer { finalized, fetched: Slot(slot), ..offer(2, 0, 250, 100) };
            let Origin { slot, height, skipped, .. } = origin(&[honest[0], lie, honest[1]]);
            assert!((60..=68).contains(&height.0) && (70..=78).contains(&slot.0) && skipped == 10, "{height} {slot}");
        }
        let jumped = Offer { finalized: Reading { slot: Slot(118), height: Height(108) }, ..honest[0] };
        assert_eq!(origin(&[jumped]).slot, Slot(108), "the history begins before the signing");
        let low = Offer { finalized: Reading { slot: Slot(78), height: Height(58) }, ..honest[0] };
        assert_eq!(origin(&[low]).skipped, 10, "as many as at the tip");
    }

    #[test]
    fn a_nonce_needs_two_nodes_that_agree_and_is_dated_by_the_later() {
        let account = Address([4; 32]);
        let offer = |node, slot, value: Option<u8>| NonceOffer {
            node: Node(node),
            finalized: Reading { slot: Slot(slot), height: Height(slot) },
            slot: Slot(slot),
            value: value.map(|byte| Hash([byte; 32])),
        };
        let choose = |offers: &[NonceOffer]| {
            Lifetime::nonce(GENESIS, account, offers.len(), offers).map(|(lifetime, _)| lifetime)
        };
        let value = Hash([7; 32]);
        assert_eq!(choose(&[offer(0, 5, Some(7))]), Ok(Lifetime::Nonce { account, value, read_at: Slot(5) }));
        let three = [offer(0, 5, Some(7)), offer(1, 9, Some(8)), offer(2, 6, Some(7))];
        assert_eq!(choose(&three), Ok(Lifetime::Nonce { account, value, read_at: Slot(6) }));
        let lie = [three[0], offer(1, 100, Some(7)), three[2]];
        assert_eq!(choose(&lie), Ok(Lifetime::Nonce { account, value, read_at: Slot(100) }));
        let far = [three[0], offer(1, 1_000_000, Some(7)), three[2]];
        assert_eq!(choose(&far), Ok(Lifetime::Nonce { account, value, read_at: Slot(6) }));
        assert_eq!(choose(&three[..2]), Err(PrepareError::NoNonce { account }));
        assert_eq!(choose(&[offer(0, 5, None)]), Err(PrepareError::NoNonce { account }));
    }
}
