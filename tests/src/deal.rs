//! A deal under test: a bank, terms, an escrow, and an act for each instruction.

use std::collections::BTreeMap;

use crate::{DAY, Kind, Refusal, SECRET, TOKEN, TOKEN_2022, Who, World, keypair};
use anchor_lang::bytemuck;
use escrow_client::{
    EscrowAccount, EscrowError, Milestone, MilestoneStatus, Proposal, Recipient, Terms, address,
    escrow::{
        self,
        state::{Escrow, HEADER_SIZE, Ledger, MAX_TIME_AHEAD, MILESTONE_SIZE, Party},
    },
    instruction,
};
use litesvm::types::TransactionMetadata;
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;

/// Anchor's numbers.
pub const NOT_WRITABLE: InstructionError = InstructionError::Custom(2000);
pub const NOT_EXECUTABLE: InstructionError = InstructionError::Custom(2007);
pub const MISSING_SIGNATURE: InstructionError = InstructionError::MissingRequiredSignature;
/// There is no account at the address, or no longer.
pub const NO_ACCOUNT: InstructionError = InstructionError::UninitializedAccount;
#[expect(deprecated, reason = "the runtime still gives it, not its successor")]
pub const TOO_FEW_ACCOUNTS: InstructionError = InstructionError::NotEnoughAccountKeys;
pub const DUPLICATE: InstructionError = InstructionError::Custom(2040);

/// The token programs' numbers.
pub const TOKEN_INSUFFICIENT_FUNDS: InstructionError = InstructionError::Custom(1);
pub const TOKEN_INVALID_MINT: InstructionError = InstructionError::Custom(2);
pub const TOKEN_OWNER_MISMATCH: InstructionError = InstructionError::Custom(4);
pub const TOKEN_FROZEN: InstructionError = InstructionError::Custom(17);

/// Every status that has a deadline.
pub const UNSETTLED: [MilestoneStatus; 3] =
    [MilestoneStatus::Pending, MilestoneStatus::Delivered, MilestoneStatus::Disputed];

/// Who proposes, who accepts, and whose slot it is.
pub const BOTH_WAYS: [(Who, Who, Party); 2] =
    [(Who::Buyer, Who::Seller, Party::Buyer), (Who::Seller, Who::Buyer, Party::Seller)];

/// How far ahead a deadline may lie, in seconds.
pub const TWO_YEARS: i64 = MAX_TIME_AHEAD as i64;

/// An instruction with its signers.
pub struct Act {
    pub instruction: Instruction,
    pub signers: Vec<Keypair>,
}

impl Clone for Act {
    fn clone(&self) -> Self {
        Self::new(self.instruction.clone(), &self.signers.iter().collect::<Vec<_>>())
    }
}

impl Act {
    pub fn new(instruction: Instruction, signers: &[&Keypair]) -> Self {
        Self { instruction, signers: signers.iter().map(|signer| signer.insecure_clone()).collect() }
    }

    /// With another account at `index`.
    pub fn account(mut self, index: usize, address: Pubkey) -> Self {
        self.instruction.accounts[index].pubkey = address;
        self
    }

    /// Without an optional account at `index`: the program's own address stands for none.
    pub fn without(self, index: usize) -> Self {
        let mut act = self.account(index, escrow_client::escrow::ID);
        act.instruction.accounts[index].is_writable = false;
        act.instruction.accounts[index].is_signer = false;
        act
    }

    /// With these accounts behind the others, each writable.
    pub fn behind(mut self, addresses: &[Pubkey]) -> Self {
        self.instruction.accounts.extend(addresses.iter().map(|address| AccountMeta::new(*address, false)));
        self
    }

    /// With its first `count` accounts only.
    pub fn first_accounts(mut self, count: usize) -> Self {
        self.instruction.accounts.truncate(count);
        self
    }

    pub fn read_only(mut self, index: usize) -> Self {
        self.instruction.accounts[index].is_writable = false;
        self
    }

    /// Without the signature of the account at `index`.
    pub fn unsigned(mut self, index: usize) -> Self {
        let address = self.instruction.accounts[index].pubkey;
        for account in self.instruction.accounts.iter_mut().filter(|account| account.pubkey == address) {
            account.is_signer = false;
        }
        self.signers.retain(|signer| signer.pubkey() != address);
        self
    }

    /// Signed by `signer` in the place of the account at `index`.
    pub fn signed_by(mut self, index: usize, signer: &Keypair) -> Self {
        self = self.unsigned(index).account(index, signer.pubkey());
        self.instruction.accounts[index].is_signer = true;
        if self.signers.iter().all(|other| other.pubkey() != signer.pubkey()) {
            self.signers.push(signer.insecure_clone());
        }
        self
    }

    pub fn data(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self.instruction.data);
        self
    }
}

/// The instructions of `acts`, and who signs them together, each once.
fn one_transaction<'a>(acts: &[&'a Act]) -> (Vec<Instruction>, Vec<&'a Keypair>) {
    let signers = acts.iter().flat_map(|act| &act.signers).map(|signer| (signer.pubkey(), signer));
    let signers: BTreeMap<Pubkey, &Keypair> = signers.collect();
    (acts.iter().map(|act| act.instruction.clone()).collect(), signers.into_values().collect())
}

/// What everybody holds of the asset of a deal.
pub type Balances = BTreeMap<Who, u64>;

/// An escrow in a bank of its own.
pub struct Deal {
    pub world: World,
    pub kind: Kind,
    pub terms: Terms,
    pub escrow: Pubkey,
    /// What somebody sent to the escrow (SOL) or to the vault (token) without being asked.
    pub uninvited: u64,
}

/// The terms as [`World::terms`] makes them.
pub fn plain(_: &World, _: &mut Terms) {}

/// Terms in which every share and every fee is another number, so that none can stand for another.
pub fn all_different(world: &World, terms: &mut Terms) {
    (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 777);
    terms.arbiter_fee_bps = 333;
    (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (1_111, 8_888, 4_444);
}

/// The terms with a hash-lock that [`SECRET`] opens.
pub fn lock(terms: &mut Terms) {
    terms.hashlock = Sha256::digest(SECRET).into();
}

/// The second before `moment`, `moment` and the second after it, each with whether it is before it.
pub fn around(moment: i64) -> [(i64, bool); 3] {
    [(moment - 1, true), (moment, false), (moment + 1, false)]
}

impl Deal {
    /// Terms that `change` changed, nothing created.
    pub fn agreed(mut world: World, kind: Kind, amounts: &[u64], change: impl FnOnce(&World, &mut Terms)) -> Self {
        let mut terms = world.terms(kind, amounts);
        change(&world, &mut terms);
        let escrow = address::escrow_address(&terms).expect("terms that hash");
        Self { world, kind, terms, escrow, uninvited: 0 }
    }

    /// An escrow that is created and not funded.
    #[track_caller]
    pub fn created(kind: Kind, amounts: &[u64], change: impl FnOnce(&World, &mut Terms)) -> Self {
        let mut deal = Self::agreed(World::new(), kind, amounts, change);
        deal.ok(deal.create());
        deal
    }

    /// An escrow that is created and funded.
    #[track_caller]
    pub fn funded(kind: Kind, amounts: &[u64], change: impl FnOnce(&World, &mut Terms)) -> Self {
        let mut deal = Self::created(kind, amounts, change);
        deal.ok(deal.fund());
        deal
    }

    /// A copy in a copy of the bank.
    pub fn fork(&self) -> Self {
        let Self { world, kind, terms, escrow, uninvited } = self;
        Self { world: world.fork(), kind: *kind, terms: terms.clone(), escrow: *escrow, uninvited: *uninvited }
    }

    // Looking ----------------------------------------------------------------------------------------------------------

    pub fn key(&self, who: Who) -> Pubkey {
        who.key(&self.world)
    }

    pub fn keypair(&self, who: Who) -> Keypair {
        who.keypair(&self.world).insecure_clone()
    }

    /// Who of the people has this address.
    pub fn who(&self, address: &Pubkey) -> Who {
        Who::ALL.into_iter().find(|who| self.key(*who) == *address).expect("one of the people")
    }

    #[track_caller]
    pub fn account(&self) -> EscrowAccount {
        self.world.escrow(&self.escrow)
    }

    #[track_caller]
    pub fn ledger(&self) -> Ledger {
        self.account().state.ledger
    }

    #[track_caller]
    pub fn milestone(&self, index: u8) -> Milestone {
        self.account().milestones[usize::from(index)]
    }

    /// Status and remaining amount of each milestone.
    #[track_caller]
    pub fn milestones(&self) -> Vec<(MilestoneStatus, u64)> {
        let status = |milestone: &Milestone| (milestone.status().expect("a status"), milestone.remaining);
        self.account().milestones.iter().map(status).collect()
    }

    pub fn vault(&self) -> Pubkey {
        address::vault_address(&self.escrow)
    }

    /// The rent of the escrow account.
    pub fn rent(&self) -> u64 {
        self.world.svm.minimum_balance_for_rent_exemption(self.world.raw(&self.escrow).data.len())
    }

    /// What the escrow holds of its asset, without the rent.
    pub fn held(&self) -> u64 {
        match self.kind {
            Kind::Sol => self.world.lamports(&self.escrow) - self.rent(),
            Kind::Token => self.world.tokens_in(&self.vault()),
        }
    }

    pub fn balances(&self) -> Balances {
        Who::ALL.into_iter().map(|who| (who, self.world.holds(self.kind, &self.key(who)))).collect()
    }

    /// Asserts that exactly these balances changed since `before`, by exactly this much.
    #[track_caller]
    pub fn assert_moved(&self, before: &Balances, expected: &[(Who, i128)]) {
        let change = |(who, after): (Who, u64)| (who, i128::from(after) - i128::from(before[&who]));
        let moved: BTreeMap<Who, i128> =
            self.balances().into_iter().map(change).filter(|(_, change)| *change != 0).collect();
        let expected: BTreeMap<Who, i128> = expected.iter().copied().filter(|(_, change)| *change != 0).collect();
        assert_eq!(moved, expected);
    }

    /// Asserts the whole ledger: totals (released, refunded, fees, arbiter_fees) and due (buyer, seller, fee, arbiter).
    #[track_caller]
    pub fn assert_ledger(&self, totals: [u64; 4], due: [u64; 4]) {
        let [released, refunded, fees, arbiter_fees] = totals;
        let [due_buyer, due_seller, due_fee, due_arbiter] = due;
        let principal = self.terms.principal().expect("a principal");
        assert_eq!(
            self.ledger(),
            Ledger { principal, released, refunded, fees, arbiter_fees, due_buyer, due_seller, due_fee, due_arbiter }
        );
    }

    /// Asserts the whole ledger, where `decided` was divided without an arbiter, `released` of it to the seller, and
    /// nothing was withdrawn.
    #[track_caller]
    pub fn assert_divided(&self, decided: u64, released: u64) {
        let (refunded, fee) = (decided - released, floor_share(released, self.terms.fee_bps));
        self.assert_ledger([released, refunded, fee, 0], [refunded, released - fee, fee, 0]);
    }

    /// The seller's share in the terms when the deadline of `status` passes.
    pub fn default_bps(&self, status: MilestoneStatus) -> u16 {
        match status {
            MilestoneStatus::Pending => self.terms.undelivered_bps,
            MilestoneStatus::Delivered => self.terms.unanswered_bps,
            MilestoneStatus::Disputed => self.terms.unruled_bps,
            MilestoneStatus::Settled => panic!("a settled milestone has no default"),
        }
    }

    // Doing ------------------------------------------------------------------------------------------------------------

    /// Sends `act`, which must succeed, and checks that the escrow holds exactly what the ledger says.
    #[track_caller]
    pub fn ok(&mut self, act: Act) -> TransactionMetadata {
        let meta = self.world.ok(act.instruction, &act.signers.iter().collect::<Vec<_>>());
        self.check();
        meta
    }

    /// Sends `act`, which must be refused for this reason and change nothing.
    #[track_caller]
    pub fn refused(&mut self, act: Act, reason: impl Into<Refusal>) {
        self.world.refused(act.instruction, &act.signers.iter().collect::<Vec<_>>(), reason);
    }

    /// Sends `acts` in one transaction, which must succeed.
    #[track_caller]
    pub fn ok_together(&mut self, acts: &[&Act]) {
        let (instructions, signers) = one_transaction(acts);
        if let Err(failed) = self.world.send(&instructions, &signers) {
            panic!("refused: {:?}\n{}", failed.err, failed.meta.pretty_logs());
        }
        self.check();
    }

    /// Sends `acts` in one transaction, which must be refused as a whole because the one at `index` is, for this reason.
    #[track_caller]
    pub fn refused_together(&mut self, acts: &[&Act], index: usize, reason: impl Into<Refusal>) {
        let (instructions, signers) = one_transaction(acts);
        self.world.refused_at(u8::try_from(index).expect("few acts"), &instructions, &signers, reason);
    }

    /// Changes what stands in the escrow's account, as no instruction can.
    pub fn alter(&mut self, change: impl FnOnce(&mut Escrow, &mut [Milestone])) {
        const DISCRIMINATOR: usize = 8;
        let mut account = self.world.raw(&self.escrow);
        let (_, bytes) = account.data.split_at_mut(DISCRIMINATOR);
        let (header, rest) = bytes.split_at_mut(HEADER_SIZE);
        // Behind the count of milestones and its padding.
        let (_, milestones) = rest.split_at_mut(8);
        let mut state: Escrow = bytemuck::pod_read_unaligned(header);
        let mut all: Vec<Milestone> =
            milestones.chunks_exact(MILESTONE_SIZE).map(bytemuck::pod_read_unaligned).collect();
        change(&mut state, &mut all);
        header.copy_from_slice(bytemuck::bytes_of(&state));
        milestones.copy_from_slice(bytemuck::cast_slice(&all));
        self.world.svm.set_account(self.escrow, account).expect("an account");
    }

    /// What `act` would be answered, without doing it.
    pub fn answer(&self, act: Act) -> Result<(), InstructionError> {
        match self.world.fork().send(&[act.instruction], &act.signers.iter().collect::<Vec<_>>()) {
            Ok(_) => Ok(()),
            Err(failed) => match failed.err {
                TransactionError::InstructionError(0, error) => Err(error),
                other => panic!("not an instruction's error: {other:?}"),
            },
        }
    }

    /// What an escrow must hold at every moment, told from outside the program.
    #[track_caller]
    pub fn check(&self) {
        if !self.world.exists(&self.escrow) {
            return;
        }
        let account = self.account();
        let ledger = account.state.ledger;
        let remaining: u64 = account.milestones.iter().map(|milestone| milestone.remaining).sum();
        let due: u64 = account.due().map(|(_, due)| due).sum();
        let owed = if account.is_funded() { remaining + due } else { 0 };
        assert_eq!(self.held(), owed + self.uninvited, "the escrow does not hold what it owes");
        let decided = ledger.released + ledger.refunded + ledger.arbiter_fees;
        assert_eq!(ledger.principal, remaining + decided, "the principal is not all there");
        assert_eq!(ledger.fees, floor_share(ledger.released, self.terms.fee_bps), "the fee is not exact");
    }

    // One act per instruction -------------------------------------------------------------------------------------------

    pub fn create(&self) -> Act {
        Act::new(self.world.create_instruction(&self.terms), &[&self.world.rent_payer])
    }

    pub fn fund(&self) -> Act {
        Act::new(instruction::fund(&self.terms).expect("terms that hash"), &[&self.world.buyer])
    }

    pub fn cancel(&self, who: Who) -> Act {
        let canceller = who.keypair(&self.world);
        Act::new(instruction::cancel(&self.account(), canceller.pubkey(), false), &[canceller])
    }

    /// By whom the terms name.
    pub fn deliver(&self, milestone: u8) -> Act {
        let named = self.terms.attester != Pubkey::default();
        let deliverer = if named { self.terms.attester } else { self.terms.seller };
        self.deliver_by(milestone, self.who(&deliverer))
    }

    pub fn deliver_by(&self, milestone: u8, who: Who) -> Act {
        let deliverer = who.keypair(&self.world);
        Act::new(instruction::deliver(self.escrow, deliverer.pubkey(), milestone, [1; 32]), &[deliverer])
    }

    pub fn claim(&self, milestone: u8, secret: [u8; 32]) -> Act {
        Act::new(instruction::claim(self.escrow, milestone, secret), &[])
    }

    /// Expecting what remains now.
    pub fn release(&self, milestone: u8, amount: u64) -> Act {
        self.release_expecting(milestone, amount, self.milestone(milestone).remaining)
    }

    pub fn release_expecting(&self, milestone: u8, amount: u64, expected: u64) -> Act {
        let buyer = &self.world.buyer;
        Act::new(
            instruction::release(self.escrow, buyer.pubkey(), milestone, instruction::Part { amount, of: expected }),
            &[buyer],
        )
    }

    /// Expecting what remains now.
    pub fn refund(&self, milestone: u8, amount: u64) -> Act {
        self.refund_expecting(milestone, amount, self.milestone(milestone).remaining)
    }

    pub fn refund_expecting(&self, milestone: u8, amount: u64, expected: u64) -> Act {
        let seller = &self.world.seller;
        Act::new(
            instruction::refund(self.escrow, seller.pubkey(), milestone, instruction::Part { amount, of: expected }),
            &[seller],
        )
    }

    pub fn dispute(&self, milestone: u8) -> Act {
        let buyer = &self.world.buyer;
        Act::new(instruction::dispute(self.escrow, buyer.pubkey(), milestone, [2; 32]), &[buyer])
    }

    pub fn rule(&self, milestone: u8, seller_bps: u16) -> Act {
        let arbiter = &self.world.arbiter;
        Act::new(instruction::rule(self.escrow, arbiter.pubkey(), milestone, seller_bps, [3; 32]), &[arbiter])
    }

    pub fn propose(&self, who: Who, proposal: Proposal) -> Act {
        let proposer = who.keypair(&self.world);
        Act::new(instruction::propose(self.escrow, proposer.pubkey(), proposal), &[proposer])
    }

    pub fn accept(&self, who: Who, proposal: Proposal) -> Act {
        let acceptor = who.keypair(&self.world);
        Act::new(instruction::accept(self.escrow, acceptor.pubkey(), proposal), &[acceptor])
    }

    pub fn expire(&self, milestone: u8) -> Act {
        Act::new(instruction::expire(self.escrow, milestone), &[])
    }

    pub fn withdraw(&self, recipient: Recipient) -> Act {
        Act::new(instruction::withdraw(&self.account(), recipient), &[])
    }

    pub fn close(&self) -> Act {
        Act::new(instruction::close(&self.account(), false), &[])
    }

    /// Every instruction on an escrow that exists, with its index in the account lists 0.
    pub fn every_act(&self) -> Vec<(&'static str, Act)> {
        let split = self.split(0, 0);
        vec![
            ("fund", self.fund()),
            ("cancel", self.cancel(Who::Buyer)),
            ("deliver", self.deliver(0)),
            ("claim", self.claim(0, SECRET)),
            ("release", self.release_expecting(0, 1, 1)),
            ("refund", self.refund_expecting(0, 1, 1)),
            ("dispute", self.dispute(0)),
            ("rule", self.rule(0, 0)),
            ("propose", self.propose(Who::Buyer, split)),
            ("accept", self.accept(Who::Seller, split)),
            ("expire", self.expire(0)),
            ("withdraw", self.withdraw(Recipient::Buyer)),
            ("close", self.close()),
        ]
    }

    // Shortcuts --------------------------------------------------------------------------------------------------------

    /// A split of all that remains of `milestone` in its present status, open for a day.
    pub fn split(&self, milestone: u8, to_seller: u64) -> Proposal {
        let (status, remaining, _) = self.present(milestone);
        Proposal::Split { milestone, status, remaining, to_seller, expires_at: self.world.now() + DAY }
    }

    /// An extension of the present deadline of `milestone`, open for a day.
    pub fn extension(&self, milestone: u8, deadline: i64) -> Proposal {
        let (status, _, replaces) = self.present(milestone);
        Proposal::Extension { milestone, status, replaces, deadline, expires_at: self.world.now() + DAY }
    }

    /// Status, remaining amount and deadline of a milestone; something else where there is none.
    fn present(&self, milestone: u8) -> (MilestoneStatus, u64, i64) {
        match self.account().milestone(milestone) {
            Ok(found) => (found.status().expect("a status"), found.remaining, found.deadline),
            Err(_) => (MilestoneStatus::Pending, 0, 0),
        }
    }

    #[track_caller]
    pub fn deliver_and_dispute(&mut self, milestone: u8) {
        self.bring_to(milestone, MilestoneStatus::Disputed);
    }

    /// Delivers and disputes a pending milestone, as far as `status`.
    #[track_caller]
    pub fn bring_to(&mut self, milestone: u8, status: MilestoneStatus) {
        if status != MilestoneStatus::Pending {
            self.ok(self.deliver(milestone));
        }
        if status == MilestoneStatus::Disputed {
            self.ok(self.dispute(milestone));
        }
    }

    /// What the party whose turn it is in the milestone's present status may do before the deadline.
    pub fn turn(&self, milestone: u8) -> Act {
        match self.milestones()[usize::from(milestone)].0 {
            MilestoneStatus::Pending => self.deliver(milestone),
            MilestoneStatus::Delivered => self.dispute(milestone),
            MilestoneStatus::Disputed => self.rule(milestone, 5_000),
            MilestoneStatus::Settled => panic!("it is nobody's turn"),
        }
    }

    /// Moves the present deadline of `milestone`, as the seller proposes and the buyer accepts.
    #[track_caller]
    pub fn extend(&mut self, milestone: u8, deadline: i64) {
        let extension = self.extension(milestone, deadline);
        self.ok(self.propose(Who::Seller, extension));
        self.ok(self.accept(Who::Buyer, extension));
    }

    #[track_caller]
    pub fn withdraw_all(&mut self) {
        let due: Vec<(Recipient, u64)> = self.account().due().collect();
        for (recipient, _) in due {
            self.ok(self.withdraw(recipient));
        }
    }

    /// Moves the clock to `fund_by` if it is earlier, and closes.
    #[track_caller]
    pub fn wait_and_close(&mut self) {
        let fund_by = self.terms.fund_by;
        if self.world.now() < fund_by {
            self.world.set_time(fund_by);
        }
        self.ok(self.close());
        assert!(!self.world.exists(&self.escrow), "the escrow is still there");
        assert!(!self.world.exists(&self.vault()), "the vault is still there");
    }
}

/// Every choice of one or more of the numbers from `first` to `first + 3`: which token accounts an instruction is sent
/// without.
pub fn some_of_four(first: usize) -> impl Iterator<Item = Vec<usize>> {
    (1..16usize).map(move |chosen| (0..4).filter(|bit| chosen >> bit & 1 == 1).map(|bit| first + bit).collect())
}

/// Changes the escrow's own account, as no instruction can.
pub fn tamper(deal: &mut Deal, change: impl FnOnce(&mut [u8])) {
    let mut account = deal.world.raw(&deal.escrow);
    change(&mut account.data);
    deal.world.svm.set_account(deal.escrow, account).expect("an account");
}

/// Accounts that are no token account of the deal's mint, each with the reason for which it is refused wherever one is
/// read.
pub fn wrong_token_accounts(deal: &mut Deal) -> Vec<(&'static str, Pubkey, EscrowError)> {
    let world = &mut deal.world;
    let (buyer, stranger, mint) = (world.buyer.pubkey(), world.stranger.pubkey(), world.mint);
    let other_mint = keypair(80);
    world.create_mint(&other_mint, TOKEN, 6, None);
    let of_other_mint = world.create_token_account(&buyer, &other_mint.pubkey(), &TOKEN);
    let mint_2022 = keypair(81);
    world.create_mint(&mint_2022, TOKEN_2022, 6, None);
    let of_2022 = world.create_token_account(&buyer, &mint_2022.pubkey(), &TOKEN_2022);
    let good = world.raw(&world.token_account(&buyer));
    let altered = |number: u8, change: &dyn Fn(&mut Account)| {
        let mut account = good.clone();
        account.lamports = 100_000_000;
        change(&mut account);
        (keypair(number).pubkey(), account)
    };
    let forged = [
        altered(82, &|account| account.data.fill(0)),
        altered(83, &|account| account.data[108] = 0),
        altered(84, &|account| account.data[108] = 3),
        altered(85, &|account| account.data.truncate(164)),
        altered(86, &|account| account.data.push(0)),
        // A multisig's size, with the mark of a longer token account where one has it.
        altered(87, &|account| {
            account.data.resize(355, 0);
            account.data[165] = 2;
        }),
        altered(88, &|account| account.owner = escrow::ID),
        altered(89, &|account| account.owner = solana_sdk_ids::system_program::ID),
        altered(90, &|account| account.data.clear()),
        // A mint with extensions.
        altered(91, &|account| account.data.push(1)),
    ];
    for (address, account) in &forged {
        world.svm.set_account(*address, account.clone()).expect("an account");
    }
    let names = [
        "an account that is not initialised",
        "one whose state is uninitialised",
        "one whose state is unknown",
        "one that is cut off",
        "one with a byte too much",
        "one of a multisig's size",
        "a copy that this program owns",
        "a copy that the system program owns",
        "one without data",
        "one with a mint's mark",
    ];
    let mut cases = vec![
        ("one of another mint", of_other_mint, EscrowError::TokenAccountMint),
        ("one of Token-2022", of_2022, EscrowError::TokenAccountInvalid),
        ("a mint", other_mint.pubkey(), EscrowError::TokenAccountInvalid),
        ("a person", stranger, EscrowError::TokenAccountInvalid),
        ("nothing", keypair(99).pubkey(), EscrowError::TokenAccountInvalid),
    ];
    assert_ne!(mint, other_mint.pubkey());
    let forged = names.into_iter().zip(forged);
    cases.extend(forged.map(|(name, (address, _))| (name, address, EscrowError::TokenAccountInvalid)));
    cases
}

/// `floor(amount · bps / 10,000)`, in a wider number.
pub fn floor_share(amount: u64, bps: u16) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(bps) / 10_000).expect("at most the amount")
}

/// Numbers that are the same in every run (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    #[expect(clippy::should_implement_trait, reason = "these numbers never end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}

/// A funded escrow of u64::MAX units of a token: all that exist.
pub fn largest_token_deal(fee_bps: u16, arbiter_fee_bps: u16) -> Deal {
    let mut world = World::new();
    world.use_new_mint(u64::MAX, None);
    let mut deal = Deal::agreed(world, Kind::Token, &[u64::MAX], |world, terms| {
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), fee_bps);
        terms.arbiter_fee_bps = arbiter_fee_bps;
    });
    deal.ok(deal.create());
    deal.ok(deal.fund());
    assert_eq!(deal.held(), u64::MAX);
    deal
}
