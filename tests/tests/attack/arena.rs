//! A bank with one escrow under attack: whatever is sent is judged by the referee too, and afterwards every balance and
//! every byte of the escrow account must be what the referee says.

use std::{collections::BTreeMap, sync::OnceLock};

use escrow_tests::{DAY, START, TOKEN, World, keypair};
pub use escrow_tests::{KINDS, Kind};
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;
use spl_token_2022_interface::instruction as token_instruction;

use crate::{
    referee::{Deal, Life},
    wire::{Deed, Stone, Terms},
};

/// What the buyer agreed to hand over for.
pub const SECRET: [u8; 32] = *b"the code that only the buyer has";

/// The keypair of somebody who can sign.
pub fn key_of(address: &Pubkey) -> &'static Keypair {
    static KEYS: OnceLock<BTreeMap<Pubkey, Keypair>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| (1..=60).map(keypair).map(|key| (key.pubkey(), key)).collect());
    keys.get(address).expect("somebody who can sign")
}

/// The runtime's word for a list of accounts that ends too early.
#[expect(deprecated, reason = "it is what the program answers; the name that replaces it stands for another number")]
pub fn too_few() -> InstructionError {
    InstructionError::NotEnoughAccountKeys
}

/// Why a transaction was refused, and at which instruction.
pub type Refused = (u8, InstructionError);

/// A bank with one escrow.
pub struct Arena {
    pub world: World,
    pub deal: Deal,
    /// What everybody should hold.
    lamports: BTreeMap<Pubkey, u64>,
    tokens: BTreeMap<Pubkey, u64>,
}

/// Terms with every role and both fees, a milestone of 1,000,007 units, and windows that no test meets by accident.
pub fn terms(world: &World, asset: Kind) -> Terms {
    let (mint, token_program) = match asset {
        Kind::Sol => Default::default(),
        Kind::Token => (world.mint, TOKEN),
    };
    Terms {
        buyer: world.buyer.pubkey(),
        seller: world.seller.pubkey(),
        arbiter: world.arbiter.pubkey(),
        attester: Pubkey::default(),
        fee_recipient: world.fee_recipient.pubkey(),
        mint,
        token_program,
        accepted_risks: 0,
        fee_bps: 250,
        arbiter_fee_bps: 300,
        fund_by: START + DAY,
        cooling_off: 0,
        ruling_window: 5000,
        undelivered_bps: 1000,
        unanswered_bps: 9000,
        unruled_bps: 5000,
        hashlock: [0; 32],
        document_hash: [0; 32],
        salt: [7; 16],
        stones: vec![Stone { amount: 1_000_007, deliver_by: START + 10 * DAY, review_window: 3000 }],
    }
}

impl Arena {
    /// Nothing is created yet.
    pub fn empty(asset: Kind, change: impl FnOnce(&mut Terms)) -> Self {
        let world = World::new();
        let mut terms = terms(&world, asset);
        change(&mut terms);
        Self::with(world, terms)
    }

    /// Nothing is created yet, in a bank that was prepared.
    pub fn with(world: World, terms: Terms) -> Self {
        let deal = Deal::new(terms, world.rent_payer.pubkey());
        let mut arena = Self { world, deal, lamports: BTreeMap::new(), tokens: BTreeMap::new() };
        arena.look();
        arena
    }

    /// Created and funded at [`START`].
    #[track_caller]
    pub fn funded(asset: Kind, change: impl FnOnce(&mut Terms)) -> Self {
        let mut arena = Self::empty(asset, change);
        arena.create();
        arena.must(arena.buyer(), Deed::Fund);
        arena
    }

    #[track_caller]
    pub fn create(&mut self) {
        self.must(self.deal.rent_payer, Deed::Create);
    }

    /// A copy, in which to try what the other copies must not see.
    pub fn fork(&self) -> Self {
        Self {
            world: self.world.fork(),
            deal: self.deal.clone(),
            lamports: self.lamports.clone(),
            tokens: self.tokens.clone(),
        }
    }

    pub fn buyer(&self) -> Pubkey {
        self.deal.terms.buyer
    }

    pub fn seller(&self) -> Pubkey {
        self.deal.terms.seller
    }

    pub fn arbiter(&self) -> Pubkey {
        self.deal.terms.arbiter
    }

    pub fn attester(&self) -> Pubkey {
        self.deal.terms.attester
    }

    pub fn stranger(&self) -> Pubkey {
        self.world.stranger.pubkey()
    }

    pub fn escrow(&self) -> Pubkey {
        self.deal.terms.escrow()
    }

    pub fn vault(&self) -> Pubkey {
        self.deal.terms.vault()
    }

    /// The clock.
    pub fn at(&mut self, now: i64) -> &mut Self {
        self.world.set_time(now);
        self
    }

    /// Everybody but who pays the network, whose balance says nothing.
    pub fn people() -> impl Iterator<Item = Pubkey> {
        (2..=8).map(|number| keypair(number).pubkey())
    }

    /// Takes what everybody holds now for right: after somebody sent something past the program.
    pub fn look(&mut self) {
        for address in Self::people().chain(self.deal.terms.recipients()).chain([self.escrow(), self.vault()]) {
            self.lamports.insert(address, self.world.lamports(&address));
            let account = self.deal.terms.account_of(&address);
            self.tokens.insert(account, self.world.tokens_in(&account));
        }
        let vault = self.vault();
        self.tokens.insert(vault, self.world.tokens_in(&vault));
    }

    /// The instruction that a client would build.
    pub fn instruction(&self, actor: Pubkey, deed: &Deed) -> Instruction {
        deed.instruction(&self.deal.terms, &self.deal.rent_payer, &actor, self.deal.life == Life::Funded)
    }

    /// Sends instructions signed by everybody whom they name as a signer, without asking the referee.
    pub fn send(&mut self, instructions: &[Instruction]) -> Result<(), Refused> {
        let metas = instructions.iter().flat_map(|instruction| &instruction.accounts);
        let mut signers: Vec<Pubkey> = metas.filter(|meta| meta.is_signer).map(|meta| meta.pubkey).collect();
        signers.sort();
        signers.dedup();
        let signers: Vec<&Keypair> = signers.iter().map(key_of).collect();
        match self.world.send(instructions, &signers) {
            Ok(_) => Ok(()),
            Err(failed) => match failed.err {
                TransactionError::InstructionError(index, error) => Err((index, error)),
                error => panic!("not refused by the program: {error:?}\n{}", failed.meta.pretty_logs()),
            },
        }
    }

    /// Sends something that must be refused for one of these reasons, and change nothing at all.
    #[track_caller]
    pub fn refused(&mut self, instruction: Instruction, reasons: &[InstructionError]) {
        let before = self.world.snapshot();
        match self.send(std::slice::from_ref(&instruction)) {
            Ok(()) => panic!("accepted, where {reasons:?} was expected"),
            Err((_, error)) => assert!(reasons.contains(&error), "{error:?}, where {reasons:?} was expected"),
        }
        assert!(before == self.world.snapshot(), "a refused instruction changed something");
    }

    /// [`Arena::refused`] for an error of the program's.
    #[track_caller]
    pub fn no(&mut self, instruction: Instruction, code: u32) {
        self.refused(instruction, &[InstructionError::Custom(code)]);
    }

    /// Plays deeds in one transaction. Whether they succeed, which of them is refused and why, and who holds what
    /// afterwards must be as the referee says.
    #[track_caller]
    pub fn play(&mut self, deeds: &[(Pubkey, Deed)]) -> Result<(), Refused> {
        let now = self.world.now();
        let mut deal = self.deal.clone();
        let (mut lamports, mut tokens) = (self.lamports.clone(), self.tokens.clone());
        let mut instructions = Vec::new();
        let mut verdict = None;
        for (index, (actor, deed)) in deeds.iter().enumerate() {
            instructions.push(deed.instruction(&deal.terms, &deal.rent_payer, actor, deal.life == Life::Funded));
            if verdict.is_some() {
                continue;
            }
            let reasons = deal.reasons(deed, actor, now);
            if reasons.is_empty() {
                let before = deal.clone();
                deal.apply(deed, actor, now);
                self.pay(&before, &deal, deed, &mut lamports, &mut tokens);
            } else {
                verdict = Some((index as u8, reasons));
            }
        }
        let snapshot = self.world.snapshot();
        let result = self.send(&instructions);
        match (&result, verdict) {
            (Ok(()), None) => {
                self.deal = deal;
                self.lamports = lamports;
                self.tokens = tokens;
                self.check();
            }
            (Ok(()), Some(verdict)) => panic!("{deeds:?} at {now}: accepted, expected {verdict:?}\n{:#?}", self.deal),
            (Err(error), None) => panic!("{deeds:?} at {now}: refused with {error:?}, must succeed\n{:#?}", self.deal),
            (Err((at, error)), Some((index, reasons))) => {
                assert!(
                    *at == index && reasons.contains(error),
                    "{deeds:?} at {now}: {error:?} at {at}, expected one of {reasons:?} at {index}\n{:#?}",
                    self.deal
                );
                assert!(snapshot == self.world.snapshot(), "a refused transaction changed something");
            }
        }
        result
    }

    /// Plays one deed, which the referee must allow.
    #[track_caller]
    pub fn must(&mut self, actor: Pubkey, deed: Deed) {
        if let Err(error) = self.play(&[(actor, deed)]) {
            panic!("{deed:?} was refused: {error:?}");
        }
    }

    /// Plays one deed, which must be refused with this.
    #[track_caller]
    pub fn cannot(&mut self, actor: Pubkey, deed: Deed, code: u32) {
        assert_eq!(self.play(&[(actor, deed)]), Err((0, InstructionError::Custom(code))), "{deed:?}");
    }

    fn pay(
        &self,
        before: &Deal,
        after: &Deal,
        deed: &Deed,
        lamports: &mut BTreeMap<Pubkey, u64>,
        tokens: &mut BTreeMap<Pubkey, u64>,
    ) {
        let terms = &after.terms;
        let (escrow, vault) = (terms.escrow(), terms.vault());
        let shift = |map: &mut BTreeMap<Pubkey, u64>, from: Pubkey, to: Pubkey, amount: u64| {
            *map.get_mut(&from).expect("watched") -= amount;
            *map.get_mut(&to).expect("watched") += amount;
        };
        match *deed {
            Deed::Create => {
                // What lies there already is counted towards the rent.
                let mut rent = |address: Pubkey, size: usize| {
                    let rent = self.world.svm.minimum_balance_for_rent_exemption(size);
                    let missing = rent.saturating_sub(lamports[&address]);
                    shift(lamports, after.rent_payer, address, missing);
                };
                rent(escrow, after.image().len());
                if terms.in_tokens() {
                    rent(vault, 165);
                }
            }
            Deed::Fund if terms.in_tokens() => {
                shift(tokens, terms.account_of(&terms.buyer), vault, after.principal());
            }
            Deed::Fund => shift(lamports, terms.buyer, escrow, after.principal()),
            Deed::Withdraw(recipient) => {
                let index = usize::from(recipient);
                let (to, amount) = (terms.recipients()[index], before.due[index]);
                if terms.in_tokens() {
                    shift(tokens, vault, terms.account_of(&to), amount);
                } else {
                    shift(lamports, escrow, to, amount);
                }
            }
            _ => {}
        }
        if after.life == Life::Closed {
            for address in [escrow, vault] {
                let all = lamports[&address];
                // Without tokens there is no vault, and what somebody sent to its address stays.
                if address == escrow || terms.in_tokens() {
                    shift(lamports, address, after.rent_payer, all);
                }
            }
            let surplus = tokens[&vault];
            if surplus != 0 {
                shift(tokens, vault, terms.account_of(&terms.buyer), surplus);
            }
        }
    }

    /// Everybody holds what they should, and the account has the bytes that it should.
    #[track_caller]
    pub fn check(&self) {
        for (address, expected) in &self.lamports {
            assert_eq!(self.world.lamports(address), *expected, "lamports of {address}\n{:#?}", self.deal);
        }
        for (account, expected) in &self.tokens {
            assert_eq!(self.world.tokens_in(account), *expected, "tokens in {account}\n{:#?}", self.deal);
        }
        let account = self.world.svm.get_account(&self.escrow()).filter(|account| account.lamports != 0);
        match self.deal.life {
            Life::Unborn => {}
            Life::Closed => {
                assert!(account.is_none(), "the escrow is closed");
                if self.deal.terms.in_tokens() {
                    assert!(!self.world.exists(&self.vault()), "the vault is closed");
                }
            }
            Life::Created | Life::Funded => {
                let account = account.expect("an escrow");
                let image = self.deal.image();
                let differs = (0..image.len()).find(|index| account.data.get(*index) != Some(&image[*index]));
                assert_eq!(differs, None, "the account differs from this byte on\n{:#?}", self.deal);
                assert_eq!(account.data.len(), image.len());
                let held = if self.deal.terms.in_tokens() {
                    self.world.tokens_in(&self.vault())
                } else {
                    account.lamports - self.world.svm.minimum_balance_for_rent_exemption(image.len())
                };
                assert!(held >= self.deal.held(), "the escrow holds less than it owes");
            }
        }
    }

    /// Nobody of the parties acts any more: a stranger brings the escrow to its end, and everybody must be paid.
    #[track_caller]
    pub fn finish(&mut self) {
        let stranger = self.stranger();
        if self.deal.life == Life::Created {
            let now = self.world.now().max(self.deal.terms.fund_by);
            self.at(now);
            self.must(stranger, Deed::Cancel);
        }
        if self.deal.life != Life::Funded {
            return;
        }
        for index in 0..self.deal.stones.len() {
            if self.deal.stones[index].remaining != 0 {
                let now = self.world.now().max(self.deal.stones[index].deadline);
                self.at(now);
                self.must(stranger, Deed::Expire(index as u8));
            }
        }
        for recipient in 0..4 {
            if self.deal.due[usize::from(recipient)] != 0 {
                self.must(stranger, Deed::Withdraw(recipient));
            }
        }
        let now = self.world.now().max(self.deal.terms.fund_by);
        self.at(now);
        self.must(stranger, Deed::Close);
        assert_eq!(self.deal.paid.iter().sum::<u64>(), self.deal.principal(), "paid in = paid out");
    }

    // Tokens ---------------------------------------------------------------------------------------------------------

    /// Sends an instruction of a token program, or of anything else, that must succeed.
    #[track_caller]
    pub fn outside(&mut self, instruction: Instruction) {
        if let Err(error) = self.send(&[instruction]) {
            panic!("{error:?}");
        }
        self.look();
    }

    /// Tokens that nobody asked for.
    #[track_caller]
    pub fn mint(&mut self, account: &Pubkey, amount: u64) {
        let authority = self.world.mint_authority.pubkey();
        let (mint, program) = (self.deal.terms.mint, self.deal.terms.token_program);
        self.outside(token_instruction::mint_to(&program, &mint, account, &authority, &[], amount).expect("it"));
    }

    /// Lamports that nobody asked for.
    #[track_caller]
    pub fn donate(&mut self, to: &Pubkey, lamports: u64) {
        let from = self.stranger();
        self.outside(solana_system_interface::instruction::transfer(&from, to, lamports));
    }
}
