//! The substitution matrix: every account of every instruction replaced by every wrong one, every signature left out or
//! given by somebody else, every flag turned round. The result is a file with a row per case,
//! `assurance/substitutions.tsv`. Each case is refused, and then changes nothing; or its acceptance is justified by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, bail, ensure};
use escrow_client::{
    address,
    escrow::interface::{Account as Slot, INSTRUCTIONS, Instruction as Interface},
};
use escrow_tests::{Who, World};
use solana_account::{Account, AccountSharedData};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use crate::{
    Check, Figure, Run,
    bank::{NONE, on_every_core, send},
    generated,
};
use answer::{Answer, refusal};
use candidates::{Candidate, alterations, candidates, nothing, token_owner};
use justifications::{Effect, JUSTIFICATIONS, Justification};
use scene::{Scene, scenes};

mod answer;
mod candidates;
mod justifications;
mod scene;

/// The check.
pub const CHECK: Check = Check {
    name: "substitution",
    shows: "no wrong account, signature or flag moves money that the right ones would not",
    promises: &[5, 6],
    run,
};

/// Where the rows are.
pub const FILE: &str = "assurance/substitutions.tsv";

/// One altered instruction, perhaps on an altered account.
struct Case {
    /// The slot that was changed, or `-` for the whole list.
    slot: String,
    what: String,
    instruction: Instruction,
    /// An account that is another than in the scene, at its address.
    altered: Option<(Pubkey, Account)>,
    /// Who stands in whose place, to compare what was paid.
    in_place_of: Vec<(Pubkey, Pubkey)>,
}

/// A line of the file.
struct Row {
    instruction: &'static str,
    asset: &'static str,
    variant: &'static str,
    slot: String,
    what: String,
    outcome: Answer,
}

/// Runs every case and compares the file.
fn run(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let scenes = scenes();
    let covered: BTreeSet<&str> = scenes.iter().map(|scene| scene.instruction).collect();
    for Interface { name, .. } in &INSTRUCTIONS {
        ensure!(covered.contains(name), "no scene for `{name}`");
    }
    let rows = run_all(scenes, run)?;

    let mut text = justifications::legend();
    text.push_str("instruction\tasset\tvariant\taccount\tcase\toutcome\tjustified by\n");
    let mut used = vec![0u64; JUSTIFICATIONS.len()];
    let mut unjustified = Vec::new();
    let (mut refused, mut accepted, mut accounts) = (0u64, 0u64, BTreeSet::new());
    for row in &rows {
        let Row { instruction, asset, variant, slot, what, outcome } = row;
        accounts.insert((instruction, slot));
        let reason = match outcome {
            Answer::Refused(_) => {
                refused += 1;
                ""
            }
            Answer::Accepted(effect) => {
                accepted += 1;
                match JUSTIFICATIONS.iter().position(|entry| justifies(entry, row, effect)) {
                    Some(index) => {
                        used[index] += 1;
                        JUSTIFICATIONS[index].reason.name
                    }
                    None => {
                        unjustified.push(format!("{instruction} | {asset} | {variant} | {slot} | {what} | {outcome}"));
                        "NOTHING"
                    }
                }
            }
        };
        text.push_str(&format!("{instruction}\t{asset}\t{variant}\t{slot}\t{what}\t{outcome}\t{reason}\n"));
    }
    let compared = generated::compare(FILE, &text);
    if !unjustified.is_empty() {
        bail!("{} cases are accepted and not justified:\n{}", unjustified.len(), unjustified.join("\n"));
    }
    if let Some(index) = used.iter().position(|count| *count == 0) {
        let Justification { reason, instruction, slot, case, .. } = &JUSTIFICATIONS[index];
        bail!("nothing is justified by {} ({instruction}, {slot}, {case})", reason.name);
    }
    compared?;
    let reasons: BTreeSet<&str> = JUSTIFICATIONS.iter().map(|entry| entry.reason.name).collect();
    Ok(vec![
        Figure::new("altered instructions", rows.len()),
        Figure::new("account slots of 14 instructions", accounts.iter().filter(|(_, slot)| *slot != "-").count()),
        Figure::new("refused, with nothing changed", refused),
        Figure::new("accepted and justified", accepted),
        Figure::new("named reasons for that", reasons.len()),
    ])
}

fn justifies(entry: &Justification, row: &Row, effect: &Effect) -> bool {
    let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    };
    fits(entry.instruction, row.instruction)
        && fits(entry.asset, row.asset)
        && fits(entry.variant, row.variant)
        && fits(entry.slot, &row.slot)
        && fits(entry.case, &row.what)
        && entry.reason.allows.contains(effect)
}

fn run_all(scenes: Vec<Scene>, run: &Run) -> anyhow::Result<Vec<Row>> {
    let count = scenes.len();
    let scenes: Vec<Mutex<Option<Scene>>> = scenes.into_iter().map(|scene| Mutex::new(Some(scene))).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<BTreeMap<usize, anyhow::Result<Vec<Row>>>> = Mutex::default();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scene) = scenes.get(index) else { return };
            let Some(scene) = scene.lock().expect("a lock").take() else { return };
            let rows = run_scene(scene);
            results.lock().expect("a lock").insert(index, rows);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            (run.progress)(done as u64, count as u64);
        }
    };
    on_every_core(work);
    let results = results.into_inner().expect("a lock");
    ensure!(results.len() == count, "a scene was not run");
    let rows: anyhow::Result<Vec<Vec<Row>>> = results.into_values().collect();
    Ok(rows?.into_iter().flatten().collect())
}

fn run_scene(mut scene: Scene) -> anyhow::Result<Vec<Row>> {
    let title = format!("{}, {}, {}", scene.instruction, scene.asset.name(), scene.variant);
    let slots = INSTRUCTIONS.iter().find(|it| it.name == scene.instruction).context("an instruction")?.accounts;
    // What is left out at the end, as token accounts are for SOL, is a slot too: another account may stand there.
    let absent = AccountMeta::new_readonly(NONE, false);
    scene.baseline.accounts.resize(slots.len(), absent);
    let candidates = candidates(&mut scene);
    let before = scene.world.snapshot();
    let expected = {
        let mut world = scene.world.fork();
        if let Err(failed) = send(&mut world, &scene.baseline) {
            bail!("{title}: the baseline is refused: {:?}\n{}", failed.err, failed.meta.pretty_logs());
        }
        Change::between(&before, &world.snapshot())
    };
    let mut rows = Vec::new();
    for case in cases(&scene, slots, &candidates) {
        let outcome = attempt(&scene, &before, &expected, &case)
            .with_context(|| format!("{title}, {}, {}", case.slot, case.what))?;
        rows.push(Row {
            instruction: scene.instruction,
            asset: scene.asset.name(),
            variant: scene.variant,
            slot: case.slot,
            what: case.what,
            outcome,
        });
    }
    Ok(rows)
}

// The cases --------------------------------------------------------------------------------------------------------------

fn cases(scene: &Scene, slots: &[Slot], candidates: &[Candidate]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, slot) in slots.iter().enumerate() {
        cases.extend(replacements(scene, slots, index, candidates));
        cases.extend(altered_accounts(scene, index, slot));
        cases.extend(flags(scene, index, slot));
    }
    cases.extend(lists(scene, slots));
    cases
}

/// Another account in the slot. It has the flags that the interface asks for, so it signs where somebody must.
fn replacements(scene: &Scene, slots: &[Slot], index: usize, candidates: &[Candidate]) -> Vec<Case> {
    let (slot, right) = (&slots[index], scene.baseline.accounts[index].clone());
    let mut seen = BTreeSet::from([right.pubkey]);
    let named = candidates.iter().map(|Candidate { name, address }| (name.clone(), *address));
    let others = slots.iter().zip(&scene.baseline.accounts);
    let others = others.map(|(slot, account)| (format!("the instruction's {}", slot.name), account.pubkey));
    let mut cases = Vec::new();
    for (what, address) in named.chain(others) {
        if !seen.insert(address) {
            continue;
        }
        let mut in_place_of = vec![(address, right.pubkey)];
        if slot.name == "escrow" {
            in_place_of.push((address::vault_address(&address), scene.deal.vault));
        }
        let owner = |address| scene.world.svm.get_account(address).as_ref().and_then(token_owner);
        if let (Some(owner), Some(right_owner)) = (owner(&address), owner(&right.pubkey)) {
            in_place_of.push((owner, right_owner));
        }
        let mut replace = |what: String, is_signer: bool| {
            let mut instruction = scene.baseline.clone();
            // What stands for no account has no flags, as clients send it.
            let absent = address == NONE;
            instruction.accounts[index] = AccountMeta {
                pubkey: address,
                is_signer: is_signer && !absent,
                is_writable: (slot.writable || right.is_writable) && !absent,
            };
            cases.push(Case {
                slot: slot.name.to_owned(),
                what,
                instruction,
                altered: None,
                in_place_of: in_place_of.clone(),
            });
        };
        let is_person = Who::ALL.iter().any(|who| who.key(&scene.world) == address);
        if slot.signer && is_person {
            replace(format!("{what}, not signing"), false);
        }
        replace(what, slot.signer || right.is_signer);
    }
    cases
}

/// The right address, where something else is.
fn altered_accounts(scene: &Scene, index: usize, slot: &Slot) -> Vec<Case> {
    let address = scene.baseline.accounts[index].pubkey;
    let Some(original) = scene.world.svm.get_account(&address).filter(|account| !account.executable) else {
        return Vec::new();
    };
    let case = |(what, account)| Case {
        slot: slot.name.to_owned(),
        what,
        instruction: scene.baseline.clone(),
        altered: Some((address, account)),
        in_place_of: Vec::new(),
    };
    alterations(&scene.world, &original).into_iter().map(case).collect()
}

fn flags(scene: &Scene, index: usize, slot: &Slot) -> Vec<Case> {
    let flip = |what: &str, change: &dyn Fn(&mut AccountMeta)| {
        let mut instruction = scene.baseline.clone();
        change(&mut instruction.accounts[index]);
        Case { slot: slot.name.to_owned(), what: what.to_owned(), instruction, altered: None, in_place_of: Vec::new() }
    };
    let right = &scene.baseline.accounts[index];
    let writable = if right.is_writable { "read-only" } else { "writable" };
    let signer = if right.is_signer { "not signing" } else { "signing" };
    vec![
        flip(writable, &|account| account.is_writable = !account.is_writable),
        flip(signer, &|account| account.is_signer = !account.is_signer),
    ]
}

/// Too few accounts, one too many, no optional ones.
fn lists(scene: &Scene, slots: &[Slot]) -> Vec<Case> {
    let change = |what: String, change: &dyn Fn(&mut Vec<AccountMeta>)| {
        let mut instruction = scene.baseline.clone();
        change(&mut instruction.accounts);
        Case { slot: "-".to_owned(), what, instruction, altered: None, in_place_of: Vec::new() }
    };
    let count = slots.len();
    let mut cases: Vec<Case> = (0..count)
        .map(|kept| change(format!("{kept} of {count} accounts"), &|accounts| accounts.truncate(kept)))
        .collect();
    for (what, address) in
        [("nothing", nothing()), ("another escrow", scene.other.escrow), ("the buyer, signing", scene.deal.terms.buyer)]
    {
        cases.push(change(format!("one account more: {what}"), &|accounts| {
            accounts.push(AccountMeta { pubkey: address, is_signer: what.ends_with("signing"), is_writable: true });
        }));
    }
    cases.push(change("no optional account".to_owned(), &|accounts| {
        for (account, slot) in accounts.iter_mut().zip(slots) {
            if slot.optional {
                *account = AccountMeta::new_readonly(NONE, false);
            }
        }
    }));
    cases.retain(|case| case.instruction != scene.baseline);
    cases
}

// What happens -----------------------------------------------------------------------------------------------------------

type Snapshot = BTreeMap<Pubkey, AccountSharedData>;

/// What an instruction changed.
#[derive(PartialEq, Eq)]
struct Change {
    /// Who gained what: lamports by address (none), tokens by the owner of their account and the mint.
    paid: BTreeMap<(Pubkey, Option<Pubkey>), i128>,
    /// The escrow accounts that it changed, as they are afterwards; none where it closed them.
    decided: BTreeMap<Pubkey, Option<Vec<u8>>>,
}

impl Change {
    fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let mut change = Self { paid: BTreeMap::new(), decided: BTreeMap::new() };
        let addresses: BTreeSet<&Pubkey> = before.keys().chain(after.keys()).collect();
        for address in addresses {
            let (old, new) = (before.get(address), after.get(address));
            if old == new {
                continue;
            }
            let account = |account: Option<&AccountSharedData>| account.cloned().map(Account::from).unwrap_or_default();
            let (old, new) = (account(old), account(new));
            *change.paid.entry((*address, None)).or_default() += i128::from(new.lamports) - i128::from(old.lamports);
            for (account, sign) in [(&old, -1), (&new, 1)] {
                if let (Some(owner), Some(mint), Some(amount)) =
                    (token_owner(account), account.data.first_chunk::<32>(), account.data.get(64..72))
                {
                    let amount = amount.iter().rev().fold(0i128, |sum, byte| sum * 256 + i128::from(*byte));
                    *change.paid.entry((owner, Some(Pubkey::new_from_array(*mint)))).or_default() += sign * amount;
                }
            }
            if [&old, &new].iter().any(|account| account.owner == NONE) && old.data != new.data {
                change.decided.insert(*address, (new.owner == NONE).then_some(new.data));
            }
        }
        change.paid.retain(|_, amount| *amount != 0);
        change
    }

    /// Who was paid what, if everybody stood in the place of another.
    fn paid_in_place(&self, in_place_of: &[(Pubkey, Pubkey)]) -> BTreeMap<(Pubkey, Option<Pubkey>), i128> {
        let mut paid = BTreeMap::new();
        for ((who, mint), amount) in &self.paid {
            let place = in_place_of.iter().find(|(address, _)| address == who).map_or(*who, |(_, place)| *place);
            *paid.entry((place, *mint)).or_default() += amount;
        }
        paid.retain(|_, amount| *amount != 0);
        paid
    }
}

fn attempt(scene: &Scene, before: &Snapshot, expected: &Change, case: &Case) -> anyhow::Result<Answer> {
    let mut world: World = scene.world.fork();
    let altered = match &case.altered {
        None => None,
        Some((address, account)) => {
            world.svm.set_account(*address, account.clone()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
            Some(world.snapshot())
        }
    };
    let before = altered.as_ref().unwrap_or(before);
    let result = send(&mut world, &case.instruction);
    let after = world.snapshot();
    match result {
        Err(failed) => {
            ensure!(*before == after, "refused, and something changed");
            Ok(Answer::Refused(refusal(&failed)?))
        }
        Ok(_) => {
            let change = Change::between(before, &after);
            Ok(Answer::Accepted(if change == *expected {
                Effect::Same
            } else if change.paid == expected.paid {
                Effect::SamePayments
            } else if change.paid_in_place(&case.in_place_of) == expected.paid_in_place(&case.in_place_of) {
                Effect::InItsPlace
            } else if change.paid.is_empty() {
                Effect::NothingPaid
            } else {
                Effect::Other
            }))
        }
    }
}
