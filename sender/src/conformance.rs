//! The tests that every [`Store`] must pass: call [`all`] from a test of the store.
//!
//! What survives a loss of power can not be tried here: see [`Store`].

use std::future::Future;

use thiserror::Error;

use crate::{
    Attempt, Basis, Claim, Commitment, Entry, Fence, Fingerprint, Hash, Height, Intention, Judged, Lease, Lifetime,
    Origin, Position, Refusal, Seen, Signed, Slot, Status, Store, StoreError, Time, Until, Verdict,
};

/// What a store does not do.
#[derive(Debug, Error)]
#[error("{test}: {what}")]
pub struct Failure {
    /// The test.
    pub test: &'static str,
    /// What was found.
    pub what: String,
}

macro_rules! tests {
    ($($name:ident,)*) => {
        /// Runs all tests and returns their names. `open` opens a store by name: the same name twice is the same store, opened
        /// by two processes; a name that was not opened before is an empty one.
        pub async fn all<S: Store, F: Future<Output = S>>(open: impl Fn(&'static str) -> F) -> Result<Vec<&'static str>, Failure> {
            let mut passed = Vec::new();
            $(
                let test = stringify!($name);
                let stores = Two { a: open(test).await, b: open(test).await };
                $name(&stores).await.map_err(|what| Failure { test, what })?;
                passed.push(test);
            )*
            Ok(passed)
        }
    };
}

tests! {
    of_two_owners_one_holds_a_claim,
    a_claim_is_renewed_and_given_up_by_its_owner,
    a_claim_that_ran_out_goes_to_another_and_the_fence_grows,
    nothing_is_written_without_a_claim,
    what_a_former_owner_writes_is_refused,
    what_is_recorded_is_found_by_every_process,
    of_two_signings_at_one_place_the_second_is_refused,
    what_may_still_be_executed_is_not_signed_again,
    what_expired_is_signed_again,
    what_failed_is_signed_again,
    after_one_transaction_the_next_follows,
    after_all_succeeded_the_whole_is_meant_again,
    a_batch_has_a_result_for_each_and_one_refusal_leaves_the_others,
    a_final_verdict_is_not_replaced,
    what_is_seen_is_found,
    only_what_is_resolved_is_not_listed,
}

type Held = Result<(), String>;

/// One store, opened by two processes.
struct Two<S> {
    a: S,
    b: S,
}

fn check(holds: bool, what: &str) -> Held {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn text(error: StoreError) -> String {
    error.to_string()
}

const FINGERPRINT: Fingerprint = Fingerprint([7; 32]);
const FIRST: Position = Position { run: 0, step: 0, attempt: 0 };

/// Of `steps` transactions, another for each place.
fn signed(position: Position, steps: u32) -> Result<Signed, String> {
    let byte = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    let hash = Hash(
        [byte(position.attempt), byte(position.step), byte(position.run)]
            .repeat(11)
            .first_chunk()
            .copied()
            .unwrap_or([0; 32]),
    );
    let mut bytes = vec![1];
    bytes.extend([hash.0, hash.0].concat());
    bytes.extend([0x80, 1, 0, 0, 1]);
    bytes.extend([hash.0, hash.0].concat());
    bytes.extend([0, 0]);
    let lifetime = Lifetime::BlockHash { hash, last_valid: Height(1_150) };
    let origin = Origin { genesis: Hash([1; 32]), slot: Slot(1_100), height: Height(1_000), skipped: 100 };
    let attempt = Attempt::new(&bytes, lifetime, origin, true).map_err(|error| error.to_string())?;
    Ok(Signed { position, steps, attempt, nodes: vec!["node".to_owned()], at: Time(5) })
}

fn basis() -> Basis {
    Basis { nodes: vec!["node".to_owned()], account: true, others: Vec::new() }
}

fn expired() -> Verdict {
    Verdict::Expired { basis: basis() }
}

fn succeeded() -> Verdict {
    Verdict::Succeeded { slot: Slot(1_200), commitment: Commitment::Finalized, basis: basis() }
}

fn failed() -> Verdict {
    Verdict::Failed { slot: Slot(1_200), error: "custom 6012".to_owned(), basis: basis() }
}

fn unknown() -> Verdict {
    Verdict::Unknown { known: None, until: Until::Over, nodes: Vec::new() }
}

/// Claims for a second, from second 10 on.
async fn claim<S: Store>(store: &S, fingerprint: Fingerprint, owner: &str) -> Result<(Fence, Intention), String> {
    match store.claim(fingerprint, owner, Time(10_000), Time(11_000)).await.map_err(text)? {
        Claim::Held(fence, intention) => Ok((fence, intention)),
        Claim::Busy(lease) => Err(format!("{owner} does not get a free intention, held by {lease:?}")),
    }
}

async fn record<S: Store>(store: &S, fence: Fence, position: Position, steps: u32) -> Result<(), StoreError> {
    let signed = signed(position, steps).map_err(StoreError::Failed)?;
    let mut results = store.record(vec![(fence, signed)]).await;
    match results.pop() {
        Some(result) if results.is_empty() => result,
        _ => Err(StoreError::Failed("a batch of one has not one result".to_owned())),
    }
}

async fn judge<S: Store>(store: &S, fence: Fence, position: Position, verdict: Verdict) -> Result<(), StoreError> {
    store.verdict(fence, Judged { position, verdict, at: Time(20_000) }).await
}

/// What is found, by both, which must be the same.
async fn find<S: Store>(stores: &Two<S>) -> Result<Intention, String> {
    let (a, b) = (stores.a.find(FINGERPRINT).await.map_err(text)?, stores.b.find(FINGERPRINT).await.map_err(text)?);
    check(a == b, "two processes find different things")?;
    a.ok_or_else(|| "what was written is not found".to_owned())
}

fn is_not_next(result: Result<(), StoreError>, what: &str) -> Held {
    check(matches!(result, Err(StoreError::Refused(Refusal::NotNext { .. }))), what)
}

fn is_fenced(result: Result<(), StoreError>, what: &str) -> Held {
    check(matches!(result, Err(StoreError::Refused(Refusal::Fenced { .. }))), what)
}

async fn of_two_owners_one_holds_a_claim<S: Store>(stores: &Two<S>) -> Held {
    claim(&stores.a, FINGERPRINT, "a").await?;
    let second = stores.b.claim(FINGERPRINT, "b", Time(10_500), Time(12_000)).await.map_err(text)?;
    let first = Lease { owner: "a".to_owned(), fence: 1, until: Time(11_000) };
    check(
        matches!(&second, Claim::Busy(lease) if lease.owner == first.owner && lease.until == first.until),
        "b holds a's claim",
    )?;
    claim(&stores.b, Fingerprint([8; 32]), "b").await?;
    Ok(())
}

async fn a_claim_is_renewed_and_given_up_by_its_owner<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    let renewed = stores.a.claim(FINGERPRINT, "a", Time(10_900), Time(12_000)).await.map_err(text)?;
    check(matches!(renewed, Claim::Held(same, _) if same == fence), "a renewal changes the fence")?;
    let busy = stores.b.claim(FINGERPRINT, "b", Time(11_500), Time(13_000)).await.map_err(text)?;
    check(matches!(busy, Claim::Busy(_)), "a renewed claim runs out at its first end")?;
    stores.a.claim(FINGERPRINT, "a", Time(11_600), Time(11_600)).await.map_err(text)?;
    let free = stores.b.claim(FINGERPRINT, "b", Time(11_600), Time(13_000)).await.map_err(text)?;
    check(matches!(free, Claim::Held(..)), "what was given up is not free")
}

async fn a_claim_that_ran_out_goes_to_another_and_the_fence_grows<S: Store>(stores: &Two<S>) -> Held {
    let (first, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, first, FIRST, 1).await.map_err(text)?;
    match stores.b.claim(FINGERPRINT, "b", Time(11_000), Time(12_000)).await.map_err(text)? {
        Claim::Held(second, intention) => {
            check(second.number > first.number, "the fence does not grow")?;
            check(intention.records().len() == 1, "a claim does not return what the journal holds")
        }
        Claim::Busy(_) => Err("a claim does not run out".to_owned()),
    }
}

async fn nothing_is_written_without_a_claim<S: Store>(stores: &Two<S>) -> Held {
    let fence = Fence { fingerprint: FINGERPRINT, number: 1 };
    is_fenced(record(&stores.a, fence, FIRST, 1).await, "a signing is written without a claim")?;
    is_fenced(judge(&stores.a, fence, FIRST, expired()).await, "a verdict is written without a claim")
}

async fn what_a_former_owner_writes_is_refused<S: Store>(stores: &Two<S>) -> Held {
    let (old, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, old, FIRST, 1).await.map_err(text)?;
    stores.b.claim(FINGERPRINT, "b", Time(11_000), Time(12_000)).await.map_err(text)?;
    is_fenced(judge(&stores.a, old, FIRST, expired()).await, "a former owner writes a verdict")?;
    let status = Status { slot: Slot(1), commitment: Commitment::Confirmed, error: None };
    is_fenced(stores.a.observe(old, Seen { position: FIRST, status }).await, "a former owner writes what it saw")?;
    is_fenced(record(&stores.a, old, FIRST, 1).await, "a former owner writes a signing")?;
    check(find(stores).await?.records().iter().all(|record| record.judged.is_none()), "what was refused is found")
}

async fn what_is_recorded_is_found_by_every_process<S: Store>(stores: &Two<S>) -> Held {
    check(stores.b.find(FINGERPRINT).await.map_err(text)?.is_none(), "something is found in an empty store")?;
    let (fence, intention) = claim(&stores.a, FINGERPRINT, "a").await?;
    check(intention.records().is_empty(), "a claim returns what nobody wrote")?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    judge(&stores.a, fence, FIRST, unknown()).await.map_err(text)?;
    let found = find(stores).await?;
    let mut expected = Intention::new(FINGERPRINT);
    let lease = Lease { owner: "a".to_owned(), fence: fence.number, until: Time(11_000) };
    let judged = Judged { position: FIRST, verdict: unknown(), at: Time(20_000) };
    for entry in [Entry::Claimed(lease), Entry::Signed(signed(FIRST, 1)?), Entry::Judged(judged)] {
        expected.apply(entry).map_err(|error| error.to_string())?;
    }
    check(found == expected, &format!("found is {found:?}, written was {expected:?}"))
}

async fn of_two_signings_at_one_place_the_second_is_refused<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    is_not_next(record(&stores.b, fence, FIRST, 1).await, "two signings stand at one place")
}

async fn what_may_still_be_executed_is_not_signed_again<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    let again = Position { attempt: 1, ..FIRST };
    is_not_next(record(&stores.a, fence, again, 1).await, "it is signed again without a verdict")?;
    judge(&stores.a, fence, FIRST, unknown()).await.map_err(text)?;
    is_not_next(record(&stores.a, fence, again, 1).await, "it is signed again though its outcome is unknown")?;
    is_not_next(
        record(&stores.a, fence, Position { run: 1, ..FIRST }, 1).await,
        "another run begins before this one ends",
    )
}

async fn what_expired_is_signed_again<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    judge(&stores.a, fence, FIRST, expired()).await.map_err(text)?;
    record(&stores.a, fence, Position { attempt: 1, ..FIRST }, 1).await.map_err(text)
}

async fn what_failed_is_signed_again<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    judge(&stores.a, fence, FIRST, failed()).await.map_err(text)?;
    record(&stores.a, fence, Position { attempt: 1, ..FIRST }, 1).await.map_err(text)
}

async fn after_one_transaction_the_next_follows<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    let second = Position { step: 1, ..FIRST };
    is_not_next(record(&stores.a, fence, second, 2).await, "the second is written before the first")?;
    record(&stores.a, fence, FIRST, 2).await.map_err(text)?;
    is_not_next(record(&stores.a, fence, second, 2).await, "the second is written before the first has its outcome")?;
    judge(&stores.a, fence, FIRST, succeeded()).await.map_err(text)?;
    record(&stores.a, fence, second, 2).await.map_err(text)
}

async fn after_all_succeeded_the_whole_is_meant_again<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    judge(&stores.a, fence, FIRST, succeeded()).await.map_err(text)?;
    is_not_next(record(&stores.a, fence, Position { attempt: 1, ..FIRST }, 1).await, "what succeeded is signed again")?;
    record(&stores.a, fence, Position { run: 1, ..FIRST }, 1).await.map_err(text)
}

async fn a_batch_has_a_result_for_each_and_one_refusal_leaves_the_others<S: Store>(stores: &Two<S>) -> Held {
    let mut batch = Vec::new();
    for name in 1..=4 {
        let (fence, _) = claim(&stores.a, Fingerprint([name; 32]), "a").await?;
        let number = if name == 2 { fence.number.saturating_add(1) } else { fence.number };
        batch.push((Fence { number, ..fence }, signed(FIRST, 1)?));
    }
    let written: Vec<bool> = stores.a.record(batch).await.into_iter().map(|result| result.is_ok()).collect();
    check(written == [true, false, true, true], &format!("of four, the second wrong, these are written: {written:?}"))?;
    for (name, written) in (1..=4).zip(written) {
        let found = stores.b.find(Fingerprint([name; 32])).await.map_err(text)?;
        let count = found.map_or(0, |intention| intention.records().len());
        check(count == usize::from(written), &format!("of intention {name}, {count} signings are found"))?;
    }
    Ok(())
}

async fn a_final_verdict_is_not_replaced<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    check(judge(&stores.a, fence, FIRST, expired()).await.is_err(), "what was not signed has a verdict")?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    judge(&stores.a, fence, FIRST, unknown()).await.map_err(text)?;
    judge(&stores.a, fence, FIRST, succeeded()).await.map_err(text)?;
    judge(&stores.a, fence, FIRST, succeeded()).await.map_err(|error| format!("the same verdict twice: {error}"))?;
    for other in [expired(), failed(), unknown()] {
        check(judge(&stores.b, fence, FIRST, other).await.is_err(), "a final verdict is replaced")?;
    }
    let found = find(stores).await?;
    let verdicts: Vec<_> = found.records().iter().filter_map(|record| record.judged.clone()).collect();
    check(matches!(verdicts.as_slice(), [Judged { verdict, .. }] if *verdict == succeeded()), "a final verdict is lost")
}

async fn what_is_seen_is_found<S: Store>(stores: &Two<S>) -> Held {
    let (fence, _) = claim(&stores.a, FINGERPRINT, "a").await?;
    record(&stores.a, fence, FIRST, 1).await.map_err(text)?;
    let status = Status { slot: Slot(1_111), commitment: Commitment::Confirmed, error: None };
    stores.a.observe(fence, Seen { position: FIRST, status: status.clone() }).await.map_err(text)?;
    let found = find(stores).await?;
    let seen = found.records().iter().map(|record| record.seen.clone()).collect::<Vec<_>>();
    check(seen == [Some(status)], &format!("found is {seen:?}"))
}

async fn only_what_is_resolved_is_not_listed<S: Store>(stores: &Two<S>) -> Held {
    let cases = [
        (1, 1, None, true),
        (2, 1, Some(unknown()), true),
        (3, 1, Some(succeeded()), false),
        (4, 1, Some(failed()), false),
        (5, 1, Some(expired()), false),
        (6, 2, Some(succeeded()), true),
    ];
    let mut expected = Vec::new();
    for (name, steps, verdict, listed) in cases {
        let fingerprint = Fingerprint([name; 32]);
        let (fence, _) = claim(&stores.a, fingerprint, "a").await?;
        record(&stores.a, fence, FIRST, steps).await.map_err(text)?;
        if let Some(verdict) = verdict {
            judge(&stores.a, fence, FIRST, verdict).await.map_err(text)?;
        }
        expected.extend(listed.then_some(fingerprint));
    }
    claim(&stores.a, Fingerprint([9; 32]), "a").await?;
    let listed = stores.b.unresolved().await.map_err(text)?;
    let mut listed: Vec<_> = listed.iter().map(Intention::fingerprint).collect();
    listed.sort_unstable();
    check(listed == expected, &format!("listed are {listed:?} instead of {expected:?}"))
}
