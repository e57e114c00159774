//! The model and the bytecode side by side: each move is made in both, and everything is compared after it.

use std::{collections::BTreeMap, sync::OnceLock};

use anyhow::{Context, Result, bail, ensure};
use escrow_client::{
    Action, Effects, EscrowAccount, EscrowError, EscrowInstruction, Preview, Terms, address,
    escrow::{accounts, instruction as arguments, state::Moved},
    event::{self, EscrowEvent},
    instruction,
};
use escrow_tests::{TOKEN, TOKEN_2022, World, keypair};
use solana_account::{AccountSharedData, ReadableAccount};
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;
use spl_token_2022_interface::instruction as token_instruction;

use super::{events, layout};
use crate::{
    bank::{believing, send},
    model::{Call, Escrow, Model, Movements, Phase, Reason, TokenAccount},
};

/// The number of the key of a person's second account.
fn second_key(person: usize, mint: usize) -> u8 {
    u8::try_from(30 + 10 * mint + person).unwrap_or(0)
}

/// Addresses that are looked at all the time: deriving one takes longer than executing an instruction.
struct Known {
    people: [Pubkey; 7],
    mints: [(Pubkey, Pubkey); 2],
    second: [[Pubkey; 7]; 2],
    associated: BTreeMap<(Pubkey, Pubkey), Pubkey>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let people: [Pubkey; 7] = std::array::from_fn(|number| keypair(u8::try_from(number).unwrap_or(0) + 2).pubkey());
        let mints = [(keypair(20).pubkey(), TOKEN), (keypair(21).pubkey(), TOKEN_2022)];
        let second =
            std::array::from_fn(|mint| std::array::from_fn(|person| keypair(second_key(person, mint)).pubkey()));
        let pairs = mints.into_iter().flat_map(|mint| people.map(|person| (person, mint)));
        let derive =
            |(person, (mint, program))| ((person, mint), address::associated_token_address(&person, &mint, &program));
        Known { people, mints, second, associated: pairs.map(derive).collect() }
    })
}

/// Everybody who can have a role: [`World`]'s people but the one who pays the transactions' fees.
pub fn people() -> [Pubkey; 7] {
    known().people
}

/// The tokens of the play, both with an issuer who can freeze: one of SPL Token and one of Token-2022.
pub fn mints() -> [(Pubkey, Pubkey); 2] {
    known().mints
}

/// A second token account of each person for each token, besides the associated one.
pub fn second_account(person: usize, mint: usize) -> Pubkey {
    known().second[mint][person]
}

/// The associated token account of `owner` for one of [`mints`].
pub fn associated(owner: &Pubkey, mint: &Pubkey) -> Pubkey {
    let derive = || address::associated_token_address(owner, mint, &Arena::program_of(mint));
    known().associated.get(&(*owner, *mint)).copied().unwrap_or_else(derive)
}

const ISSUER: u8 = 22;
/// The addresses in which escrows of a play live, one after the other.
pub const SLOTS: usize = 3;

/// An escrow of the play, also after it is closed.
#[derive(Clone)]
pub struct Slot {
    /// What was agreed.
    pub terms: Terms,
    /// Its address.
    pub escrow: Pubkey,
    /// The address of its vault, also where it has none.
    pub vault: Pubkey,
    /// Who paid its rent last.
    pub rent_payer: Pubkey,
    /// Each instruction that was accepted, as its transaction has it, with the time.
    pub history: Vec<(Vec<u8>, Call, i128)>,
    /// What its events say.
    pub told: events::Told,
}

/// What a move does.
#[derive(Debug, Clone)]
pub enum Move {
    /// Time passes, in seconds.
    Wait(i64),
    /// Somebody sends an instruction about the escrow in a slot.
    Call(usize, Call),
    /// Somebody creates an escrow in a slot, in the place of the one that was there.
    Create(usize, Box<Terms>, Pubkey),
    /// The issuer freezes a token account, or thaws it.
    Freeze(Pubkey, bool),
    /// The owner of a token account gives it to somebody else.
    GiveAway(Pubkey, Pubkey),
    /// The owner of an empty token account closes it.
    CloseAccount(Pubkey),
    /// Somebody creates the associated account of a person for a token.
    OpenAccount(usize, usize),
    /// Somebody sends lamports to the escrow in a slot or to its vault, uninvited.
    SendLamports(usize, bool, u64),
    /// The first owner of a token account sends from it to the vault of a slot, uninvited.
    SendTokens(usize, Pubkey, u64),
}

/// What was tried.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Instructions of the program that were accepted, by name.
    pub accepted: BTreeMap<String, u64>,
    /// Instructions of the program that were refused, by the reason that was given.
    pub refused: BTreeMap<String, u64>,
    /// Moves of the clock, of issuers and of strangers.
    pub others: u64,
}

impl Counts {
    /// All moves.
    pub fn steps(&self) -> u64 {
        self.accepted.values().sum::<u64>() + self.refused.values().sum::<u64>() + self.others
    }

    /// Adds those of another play.
    pub fn add(&mut self, other: Self) {
        for (name, count) in other.accepted {
            *self.accepted.entry(name).or_default() += count;
        }
        for (name, count) in other.refused {
            *self.refused.entry(name).or_default() += count;
        }
        self.others += other.others;
    }
}

/// The model and the bytecode.
pub struct Arena {
    /// The bytecode's bank.
    pub world: World,
    /// What must be in it.
    pub model: Model,
    /// The escrows.
    pub slots: [Option<Slot>; SLOTS],
    /// What was tried.
    pub counts: Counts,
}

impl Arena {
    /// The beginning: people with money, tokens, and no escrow.
    pub fn new() -> Self {
        static FIRST: OnceLock<Arena> = OnceLock::new();
        FIRST.get_or_init(Self::load).fork()
    }

    /// A copy, in which something can be tried that must not happen here.
    pub fn fork(&self) -> Self {
        Self {
            world: self.world.fork(),
            model: self.model.clone(),
            slots: self.slots.clone(),
            counts: Counts::default(),
        }
    }

    #[expect(clippy::expect_used, reason = "a bank that cannot be set up is no finding")]
    fn load() -> Self {
        let mut world = World::new();
        let issuer = keypair(ISSUER).pubkey();
        let mut tokens = BTreeMap::new();
        for (number, (mint, program)) in mints().into_iter().enumerate() {
            world.create_mint(&keypair(20 + u8::try_from(number).unwrap_or(0)), program, 6, Some(&issuer));
            let authority = world.mint_authority.insecure_clone();
            for (person, owner) in people().into_iter().enumerate() {
                let associated = world.create_token_account(&owner, &mint, &program);
                let second = keypair(second_key(person, number));
                let second = world.new_token_account(&second, &owner, &mint, &program);
                // Together a little less than all that can exist; the last person has nothing.
                let amount = if person == 6 { 0 } else { u64::MAX >> (person + 2) };
                let mint_to =
                    token_instruction::mint_to(&program, &mint, &associated, &authority.pubkey(), &[], amount);
                world.ok(mint_to.expect("an instruction"), &[&authority]);
                for (account, amount) in [(associated, amount), (second, 0)] {
                    tokens.insert(account, TokenAccount { mint, owner, amount: amount.into(), frozen: false });
                }
            }
        }
        let world = believing(world);
        let rent = |bytes: usize| i128::from(world.svm.minimum_balance_for_rent_exemption(bytes));
        let mut model = Model { now: world.now().into(), tokens, ..Model::default() };
        // The sizes of docs/protocol.md; a token account of Token-2022 for a mint without extensions has no more either.
        model.rents.escrow = (0..=8).map(|count| rent(624 + 40 * count)).collect();
        model.rents.vault = BTreeMap::from([(TOKEN, rent(165)), (TOKEN_2022, rent(165))]);
        model.rents.wallet = rent(0);
        model.lamports = people().iter().map(|person| (*person, world.lamports(person).into())).collect();
        model.risks = mints().iter().map(|(mint, _)| (*mint, 1)).collect();
        Self { world, model, slots: [const { None }; SLOTS], counts: Counts::default() }
    }

    /// The program of a mint of the play.
    fn program_of(mint: &Pubkey) -> Pubkey {
        mints().iter().find(|(known, _)| known == mint).map_or(TOKEN, |(_, program)| *program)
    }

    // Moves ------------------------------------------------------------------------------------------------------------

    /// Makes a move in both, and compares everything.
    pub fn play(&mut self, next: &Move) -> Result<()> {
        match next {
            Move::Call(slot, call) => return self.call(*slot, call).map(|_| ()),
            Move::Create(slot, terms, rent_payer) => return self.create(*slot, terms, *rent_payer),
            _ => {}
        }
        let before = self.world.snapshot();
        let world = &self.world;
        let (fee_payer, issuer) = (world.fee_payer.pubkey(), keypair(ISSUER).pubkey());
        match next {
            Move::Call(..) | Move::Create(..) => {}
            Move::Wait(seconds) => {
                self.model.now += i128::from(*seconds);
                self.world.advance(*seconds);
            }
            Move::Freeze(account, freeze) => {
                let Some(held) = self.model.tokens.get_mut(account) else { return Ok(()) };
                let program = Self::program_of(&held.mint);
                if held.frozen == *freeze {
                    return Ok(());
                }
                held.frozen = *freeze;
                let make = if *freeze { token_instruction::freeze_account } else { token_instruction::thaw_account };
                let instruction = make(&program, account, &held.mint, &issuer, &[])?;
                self.outside(instruction)?;
            }
            Move::GiveAway(account, to) => {
                let Some(held) = self.model.tokens.get_mut(account) else { return Ok(()) };
                let program = Self::program_of(&held.mint);
                // Token-2022 does not let an associated account go; the vault's owner has no key.
                let immutable = program == TOKEN_2022 && *account == associated(&held.owner, &held.mint);
                if held.frozen || immutable || !people().contains(&held.owner) {
                    return Ok(());
                }
                let kind = token_instruction::AuthorityType::AccountOwner;
                let instruction =
                    token_instruction::set_authority(&program, account, Some(to), kind, &held.owner, &[])?;
                held.owner = *to;
                self.outside(instruction)?;
            }
            Move::CloseAccount(account) => {
                let Some(held) = self.model.tokens.get(account) else { return Ok(()) };
                if held.amount != 0 || !people().contains(&held.owner) {
                    return Ok(());
                }
                let program = Self::program_of(&held.mint);
                let instruction = token_instruction::close_account(&program, account, &fee_payer, &held.owner, &[])?;
                self.model.tokens.remove(account);
                self.outside(instruction)?;
            }
            Move::OpenAccount(person, mint) => {
                let (owner, (mint, program)) = (people()[person % 7], mints()[mint % 2]);
                let account = associated(&owner, &mint);
                if self.model.tokens.contains_key(&account) {
                    return Ok(());
                }
                let held = TokenAccount { mint, owner, amount: 0, frozen: false };
                self.model.tokens.insert(account, held);
                self.outside(instruction::create_associated_token_account(fee_payer, owner, mint, program))?;
            }
            Move::SendLamports(slot, to_vault, lamports) => {
                let Some(Slot { escrow, vault, terms, .. }) = &self.slots[*slot] else { return Ok(()) };
                if *to_vault && terms.mint == Pubkey::default() {
                    return Ok(());
                }
                let to = if *to_vault { *vault } else { *escrow };
                *self.model.lamports.entry(to).or_default() += i128::from(*lamports);
                self.outside(solana_system_interface::instruction::transfer(&fee_payer, &to, *lamports))?;
            }
            Move::SendTokens(slot, from, amount) => {
                let Some(Slot { vault, .. }) = self.slots[*slot].clone() else { return Ok(()) };
                let (Some(held), Some(to)) = (self.model.tokens.get(from), self.model.tokens.get(&vault)) else {
                    return Ok(());
                };
                let amount = i128::from(*amount).min(held.amount);
                let known = people().contains(&held.owner);
                if held.mint != to.mint || held.frozen || to.frozen || !known {
                    return Ok(());
                }
                let (program, mint, owner) = (Self::program_of(&held.mint), held.mint, held.owner);
                let units = u64::try_from(amount)?;
                let instruction =
                    token_instruction::transfer_checked(&program, from, &mint, &vault, &owner, &[], units, 6)?;
                for (account, change) in [(from, -amount), (&vault, amount)] {
                    if let Some(account) = self.model.tokens.get_mut(account) {
                        account.amount += change;
                    }
                }
                self.outside(instruction)?;
            }
        }
        self.counts.others += 1;
        self.compare(&before)
    }

    /// Something that is not about the program, and must work.
    fn outside(&mut self, instruction: Instruction) -> Result<()> {
        match send(&mut self.world, &instruction) {
            Ok(_) => Ok(()),
            Err(failed) => {
                bail!("a move outside the program failed: {:?}\n{}", failed.err, failed.meta.logs.join("\n"))
            }
        }
    }

    fn create(&mut self, slot: usize, terms: &Terms, rent_payer: Pubkey) -> Result<()> {
        let Ok(escrow) = address::escrow_address(terms) else { return Ok(()) };
        let action = EscrowInstruction::Create { terms: Box::new(terms.clone()) };
        let call = Call { escrow, action, signer: Some(rent_payer), token_account: None };
        let present = self.slots[slot].as_ref();
        if present.is_some_and(|slot| slot.escrow == escrow) {
            return self.call(slot, &call).map(|_| ());
        }
        // One slot for each address.
        if self.slots.iter().flatten().any(|slot| slot.escrow == escrow) {
            return Ok(());
        }
        // A slot is taken over only when nothing is in it any more.
        if present.is_some_and(|slot| self.model.escrows.contains_key(&slot.escrow)) {
            return Ok(());
        }
        let told = events::Told::default();
        let vault = address::vault_address(&escrow);
        self.slots[slot] = Some(Slot { terms: terms.clone(), escrow, vault, rent_payer, history: Vec::new(), told });
        self.call(slot, &call).map(|_| ())
    }

    /// Sends an instruction in both, and compares the answer and everything else. None where it was refused.
    pub fn call(&mut self, slot: usize, call: &Call) -> Result<Option<Movements>> {
        let Some(place) = self.slots[slot].clone() else { return Ok(None) };
        let instruction = build(&place, call)?;
        ensure!(
            EscrowInstruction::decode(&instruction.data).as_ref() == Some(&call.action),
            "the client decodes {call:?} as something else"
        );
        let previewed = self.preview(call, &instruction)?;
        let before = self.world.snapshot();
        let mut model = self.model.clone();
        let expected = model.apply(call);
        let answer = send(&mut self.world, &instruction);
        let answer = answer.map(|meta| meta.logs).map_err(|failed| (failed.err, failed.meta.logs));
        let name = call.action.name().to_owned();
        match (expected, answer) {
            (Ok(done), Ok(logs)) => {
                check_step(&self.model, &model, call)?;
                self.model = model;
                *self.counts.accepted.entry(name).or_default() += 1;
                let events = event::events(&logs);
                let wanted = events::expected(&self.model, call, &done);
                ensure!(!events.truncated, "the log is cut off");
                ensure!(events.events == [wanted], "{call:?} logged {:?}, not {wanted:?}", events.events);
                self.note(slot, &instruction, call, wanted);
                self.compare(&before)?;
                let expected = Ok(self.happened(call, &done));
                // In this bank everybody signs, also the default key, which stands for nobody.
                let nobody = call.signer == Some(Pubkey::default());
                ensure!(nobody || previewed == expected, "{call:?}\npreviewed as {previewed:?}, and did {expected:?}");
                Ok(Some(done))
            }
            (Err(reasons), Err((error, logs))) => {
                let reason = reasons.iter().find(|reason| means(**reason, &error));
                let Some(reason) = reason else {
                    bail!("{call:?}\nrefused with {error:?}, where the model has {reasons:?}\n{}", logs.join("\n"));
                };
                *self.counts.refused.entry(format!("{reason:?}")).or_default() += 1;
                if let Reason::Rule(_) = reason {
                    check_refusal(&previewed, &error).with_context(|| format!("{call:?}"))?;
                }
                let after = self.world.snapshot();
                let changed = changed(&before, &after).next();
                ensure!(changed.is_none(), "{call:?}\nwas refused ({error:?}) and changed {changed:?}");
                Ok(None)
            }
            (Ok(_), Err((error, logs))) => {
                bail!("{call:?}\nrefused with {error:?}, where the model accepts\n{}", logs.join("\n"))
            }
            (Err(reasons), Ok(_)) => bail!("{call:?}\naccepted, where the model refuses with {reasons:?}"),
        }
    }

    /// What the client says that an instruction would do.
    fn preview(&self, call: &Call, instruction: &Instruction) -> Result<Result<Preview, EscrowError>> {
        let Some(action) = Action::decode(instruction) else { bail!("the client does not decode {call:?}") };
        let deal = match (&call.action, self.deal(&call.escrow)) {
            (EscrowInstruction::Create { terms }, _) => {
                match EscrowAccount::agreed(terms, call.signer.unwrap_or_default()) {
                    Ok(deal) => deal,
                    // There is nothing to preview it on.
                    Err(error) => {
                        let now = i64::try_from(self.model.now)?;
                        return Ok(Err(terms.validate(now).err().unwrap_or(error)));
                    }
                }
            }
            (_, Some(deal)) => deal,
            // There is nothing to preview it on.
            (_, None) => return Ok(Err(EscrowError::Corrupt)),
        };
        let again = action.instruction(&deal);
        let Instruction { accounts, data, .. } = instruction;
        let same = again.accounts.iter().map(|it| it.pubkey).eq(accounts.iter().map(|it| it.pubkey));
        // A play may leave accounts out by mistake, and pass some that a funded escrow's cancellation does not look at.
        let odd = call.token_account.is_none() || call.action == EscrowInstruction::Cancel && deal.is_funded();
        ensure!(again.data == *data && (same || odd), "{call:?} is built otherwise: {again:?}");
        Ok(action.preview(&deal, i64::try_from(self.model.now)?))
    }

    /// The escrow at this address, as a client reads it.
    fn deal(&self, escrow: &Pubkey) -> Option<EscrowAccount> {
        let account = self.world.svm.get_account(escrow)?;
        let decoded = EscrowAccount::decode(*escrow, &account).ok()?;
        // Lamports are not previewed.
        Some(EscrowAccount { lamports: 0, ..decoded })
    }

    /// What an accepted instruction did, in the client's words.
    fn happened(&self, call: &Call, done: &Movements) -> Preview {
        let units = |amount: i128| u64::try_from(amount).unwrap_or(u64::MAX);
        let [seller, fee, buyer, arbiter] = [done.seller, done.fee, done.buyer, done.arbiter].map(units);
        let after = self.deal(&call.escrow);
        let principal = after.as_ref().map_or(0, |after| after.state.ledger.principal);
        let effects = Effects {
            paid_in: if call.action == EscrowInstruction::Fund { principal } else { 0 },
            decided: Moved { seller, fee, buyer, arbiter },
            paid_out: match call.action {
                EscrowInstruction::Withdraw { recipient } => Some((recipient, units(done.paid))),
                _ => None,
            },
        };
        Preview { after, effects }
    }

    fn note(&mut self, slot: usize, instruction: &Instruction, call: &Call, event: EscrowEvent) {
        let now = self.model.now;
        let Some(place) = &mut self.slots[slot] else { return };
        if let EscrowInstruction::Create { .. } = call.action {
            place.rent_payer = call.signer.unwrap_or_default();
            place.history.clear();
            place.told = events::Told::default();
        }
        place.history.push((instruction.data.clone(), call.clone(), now));
        place.told.hear(&event);
    }

    // Comparing --------------------------------------------------------------------------------------------------------

    /// Compares all that the model knows with the bank, and asserts that nothing else in the bank changed.
    fn compare(&self, before: &BTreeMap<Pubkey, AccountSharedData>) -> Result<()> {
        let after = self.world.snapshot();
        let model = &self.model;
        for key in changed(before, &after) {
            let known = model.lamports.contains_key(key) || model.tokens.contains_key(key);
            ensure!(known || is_empty(after.get(key)), "{key} changed, and has nothing to do with it");
        }
        for (address, lamports) in &model.lamports {
            let found = after.get(address).map_or(0, |account| account.lamports());
            ensure!(i128::from(found) == *lamports, "{address} has {found} lamports, not {lamports}");
        }
        for (address, account) in &model.tokens {
            let Some(found) = after.get(address) else { bail!("the token account {address} is missing") };
            ensure!(is_token_account(found, account), "the token account {address} is not {account:?}");
        }
        for (address, escrow) in &model.escrows {
            let Some(found) = after.get(address) else { bail!("the escrow {address} is missing") };
            ensure!(*found.owner() == escrow_client::escrow::ID, "the escrow {address} has another owner");
            ensure!(found.data() == layout::bytes(address, escrow), "the escrow {address} is not {escrow:?}");
        }
        for place in self.slots.iter().flatten() {
            if !model.escrows.contains_key(&place.escrow) {
                let found = after.get(&place.escrow);
                let empty = found.is_none_or(|account| account.data().is_empty());
                ensure!(empty, "{} holds data and should be closed", place.escrow);
                let vault = after.get(&place.vault);
                let empty = vault.is_none_or(|account| account.data().is_empty());
                ensure!(empty, "the vault of {} holds data and should be closed", place.escrow);
            }
        }
        self.invariants()
    }

    /// What must hold at every moment, said again without the model's bookkeeping where that is possible.
    fn invariants(&self) -> Result<()> {
        let model = &self.model;
        for (address, escrow) in &model.escrows {
            let decided = escrow.released + escrow.refunded + escrow.arbiter_fees;
            ensure!(escrow.principal() == escrow.remaining() + decided, "{address}: the principal is not all there");
            let fees = crate::model::share(escrow.released, escrow.terms.fee_bps);
            ensure!(escrow.fees == fees, "{address}: the fee is not exact");
            // The vault holds at least what is owed.
            let held = if escrow.terms.mint == Pubkey::default() {
                let rent = model.rents.escrow[escrow.milestones.len()];
                i128::from(self.world.lamports(address)) - rent
            } else {
                self.slots
                    .iter()
                    .flatten()
                    .find(|place| place.escrow == *address)
                    .map_or(0, |place| i128::from(self.world.tokens_in(&place.vault)))
            };
            ensure!(held >= escrow.owes(), "{address} holds {held} and owes {}", escrow.owes());
        }
        // Nothing is made or lost.
        for (mint, _) in mints() {
            let supply: i128 = model.tokens.values().filter(|held| held.mint == mint).map(|held| held.amount).sum();
            let minted: u64 = (0..6).map(|person| u64::MAX >> (person + 2)).sum();
            ensure!(supply == i128::from(minted), "{supply} of {mint} exist");
        }
        Ok(())
    }

    /// What the events and the instructions of each escrow say of it, against what it is.
    pub fn retell(&self) -> Result<()> {
        for place in self.slots.iter().flatten() {
            let escrow = self.model.escrows.get(&place.escrow);
            place.told.check(escrow)?;
            events::replay(&place.history, escrow)?;
        }
        Ok(())
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

/// What holds of every step, whatever it is: said of the model, with which the bytecode is compared.
fn check_step(before: &Model, after: &Model, call: &Call) -> Result<()> {
    // Nobody's money falls without their signature. An escrow's and a vault's owner is the program.
    for person in people() {
        let lamports = |model: &Model| model.lamports.get(&person).copied().unwrap_or(0);
        let less = lamports(after) < lamports(before);
        ensure!(!less || call.signer == Some(person), "{call:?} takes lamports from {person}, who did not sign");
    }
    for (address, held) in &before.tokens {
        let now = after.tokens.get(address).map_or(0, |held| held.amount);
        let theirs = people().contains(&held.owner);
        let signed = !theirs || call.signer == Some(held.owner);
        ensure!(now >= held.amount || signed, "{call:?} takes tokens from {}, who did not sign", held.owner);
    }
    for (address, then) in &before.escrows {
        let Some(now) = after.escrows.get(address) else {
            ensure!(
                *address == call.escrow && then.owes() == 0,
                "{call:?} closes {address}, which owes {}",
                then.owes()
            );
            continue;
        };
        // One escrow at a time; terms for good; totals only grow; milestones only go on.
        ensure!(*address == call.escrow || now == then, "{call:?} changes another escrow, {address}");
        ensure!(now.terms == then.terms && now.rent_payer == then.rent_payer, "{call:?} changes what was agreed");
        let totals = |escrow: &Escrow| [escrow.released, escrow.refunded, escrow.fees, escrow.arbiter_fees];
        let grows = totals(then).iter().zip(totals(now)).all(|(then, now)| *then <= now);
        ensure!(grows, "{call:?} takes a decision back: {then:?}, {now:?}");
        for (then, now) in then.milestones.iter().zip(&now.milestones) {
            let legal = match (then.phase, now.phase) {
                (Phase::Pending(then), Phase::Pending(now))
                | (Phase::Delivered(then), Phase::Delivered(now))
                | (Phase::Disputed(then), Phase::Disputed(now)) => then <= now,
                (Phase::Pending(_), Phase::Delivered(_)) | (Phase::Delivered(_), Phase::Disputed(_)) => true,
                (_, Phase::Settled) => now.remaining == 0,
                (then, now) => then == now,
            };
            ensure!(legal && now.remaining <= then.remaining, "{call:?} leads from {then:?} to {now:?}");
        }
    }
    Ok(())
}

/// The accounts that are not as they were.
fn changed<'a>(
    before: &'a BTreeMap<Pubkey, AccountSharedData>,
    after: &'a BTreeMap<Pubkey, AccountSharedData>,
) -> impl Iterator<Item = &'a Pubkey> {
    let other =
        |(key, account): &(&'a Pubkey, &AccountSharedData)| after.get(key).is_none_or(|after| !is_same(account, after));
    let new = after.keys().filter(|key| !before.contains_key(key));
    before.iter().filter(other).map(|(key, _)| key).chain(new)
}

/// Equality that does not compare the megabytes of programs which both share.
fn is_same(one: &AccountSharedData, other: &AccountSharedData) -> bool {
    let shared = std::ptr::eq(one.data(), other.data());
    let same = one.lamports() == other.lamports() && one.owner() == other.owner();
    same && one.executable() == other.executable() && (shared || one.data() == other.data())
}

fn is_empty(account: Option<&AccountSharedData>) -> bool {
    account.is_none_or(|account| account.lamports() == 0 && account.data().is_empty())
}

fn is_token_account(found: &AccountSharedData, expected: &TokenAccount) -> bool {
    let data = found.data();
    let amount = data.get(64..72).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let state = if expected.frozen { 2 } else { 1 };
    *found.owner() == Arena::program_of(&expected.mint)
        && data.get(..32) == Some(expected.mint.as_ref())
        && data.get(32..64) == Some(expected.owner.as_ref())
        && amount.map(i128::from) == Some(expected.amount)
        && data.get(108) == Some(&state)
}

/// A preview refuses for the reason of the program, unless that is about accounts that a preview does not see.
fn check_refusal(previewed: &Result<Preview, EscrowError>, error: &TransactionError) -> Result<()> {
    let TransactionError::InstructionError(0, InstructionError::Custom(code)) = error else { return Ok(()) };
    let Some(refused) = EscrowError::from_code(*code) else { return Ok(()) };
    let unseen = EscrowError::TokenAccountsMissing..=EscrowError::SurplusAccountMissing;
    let agrees = match previewed {
        Ok(_) => unseen.contains(&refused) || refused == EscrowError::AlreadyCreated,
        Err(error) => *error == refused,
    };
    ensure!(agrees, "previewed as {previewed:?}, and refused for {refused:?}");
    Ok(())
}

/// Whether the runtime's error is this reason.
fn means(reason: Reason, error: &TransactionError) -> bool {
    let TransactionError::InstructionError(0, error) = error else {
        return reason == Reason::InsufficientFunds
            && matches!(error, TransactionError::InsufficientFundsForRent { .. });
    };
    match reason {
        Reason::Rule(rule) => *error == InstructionError::Custom(rule.code()),
        Reason::NoEscrow => match error {
            InstructionError::AccountDataTooSmall => true,
            // Anchor's: 3007 is an account of another program, 3012 one that is not initialized.
            InstructionError::Custom(number) => [3007, 3012].contains(number),
            InstructionError::InvalidAccountOwner | InstructionError::IllegalOwner => true,
            InstructionError::UninitializedAccount => true,
            _ => false,
        },
        // Of the system program as of the token programs.
        Reason::InsufficientFunds => *error == InstructionError::Custom(1),
        Reason::NotTheirs => *error == InstructionError::Custom(4),
        Reason::Frozen => *error == InstructionError::Custom(17),
    }
}

/// What stands behind the other accounts where a token moves.
fn behind(place: &Slot, account: Option<Pubkey>) -> Vec<AccountMeta> {
    let Slot { terms, vault, .. } = place;
    account.map_or_else(Vec::new, |account| {
        let written = [account, *vault].map(|account| AccountMeta::new(account, false));
        let read = [terms.mint, terms.token_program].map(|account| AccountMeta::new_readonly(account, false));
        [written, read].concat()
    })
}

/// The instruction, as a client sends it.
fn build(place: &Slot, call: &Call) -> Result<Instruction> {
    let Slot { terms, rent_payer, .. } = place;
    let escrow = call.escrow;
    let signer = call.signer.unwrap_or_default();
    let sol = terms.mint == Pubkey::default();
    let of_token = |address: Pubkey| (!sol).then_some(address);
    let vault = of_token(place.vault);
    let (mint, token_program) = (of_token(terms.mint), of_token(terms.token_program));
    let token_account = call.token_account.filter(|_| !sol);
    Ok(match &call.action {
        EscrowInstruction::Create { terms } => instruction::create(signer, terms)?,
        EscrowInstruction::Fund => {
            let system_program = solana_sdk_ids::system_program::ID;
            let mut built = arguments::Fund {}.to_instruction(accounts::Fund { escrow, buyer: signer, system_program });
            built.accounts.extend(behind(place, token_account.or(of_token(signer))));
            built
        }
        EscrowInstruction::Cancel => arguments::Cancel {}.to_instruction(accounts::Cancel {
            escrow,
            canceller: signer,
            rent_payer: *rent_payer,
            vault,
            mint,
            token_program,
            buyer_token: token_account,
        }),
        EscrowInstruction::Deliver { milestone, evidence_hash } => {
            instruction::deliver(escrow, signer, *milestone, *evidence_hash)
        }
        EscrowInstruction::Claim { milestone, secret } => instruction::claim(escrow, *milestone, *secret),
        EscrowInstruction::Release { milestone, amount, expected_remaining } => instruction::release(
            escrow,
            signer,
            *milestone,
            instruction::Part { amount: *amount, of: *expected_remaining },
        ),
        EscrowInstruction::Refund { milestone, amount, expected_remaining } => instruction::refund(
            escrow,
            signer,
            *milestone,
            instruction::Part { amount: *amount, of: *expected_remaining },
        ),
        EscrowInstruction::Dispute { milestone, reason_hash } => {
            instruction::dispute(escrow, signer, *milestone, *reason_hash)
        }
        EscrowInstruction::Rule { milestone, seller_bps, rationale_hash } => {
            instruction::rule(escrow, signer, *milestone, *seller_bps, *rationale_hash)
        }
        EscrowInstruction::Propose { proposal } => instruction::propose(escrow, signer, *proposal),
        EscrowInstruction::Accept { proposal } => instruction::accept(escrow, signer, *proposal),
        EscrowInstruction::Expire { milestone } => instruction::expire(escrow, *milestone),
        EscrowInstruction::Withdraw { recipient } => {
            let roles = [terms.buyer, terms.seller, terms.fee_recipient, terms.arbiter];
            let address = roles[usize::from(borsh::to_vec(recipient)?[0])];
            let mut built = arguments::Withdraw { recipient: *recipient }
                .to_instruction(accounts::Withdraw { escrow, recipient: address });
            built.accounts[1].is_writable = sol;
            built.accounts[1].is_signer = call.signer == Some(address);
            built.accounts.extend(behind(place, token_account.or(of_token(escrow))));
            built
        }
        EscrowInstruction::Close => arguments::Close {}.to_instruction(accounts::Close {
            escrow,
            rent_payer: *rent_payer,
            vault,
            mint,
            token_program,
            buyer_token: token_account,
            buyer: call.signer.filter(|signer| *signer == terms.buyer),
        }),
    })
}
