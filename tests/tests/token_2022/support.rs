//! Mints with any extensions, made by Token-2022 or from raw bytes, and an escrow of such a token.

use escrow_client::{EscrowAccount, MilestoneStatus, Proposal, Recipient, Terms, address, instruction};
use escrow_tests::{DAY, Kind, Refusal, TOKEN_2022, World, keypair};
pub use escrow_tests::{Who, case};
use solana_account::Account;
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction_error::TransactionError;
use spl_token_2022_interface::{
    error::TokenError,
    extension::ExtensionType,
    instruction as token_instruction,
    state::{Account as TokenAccount, Mint},
};

/// The size of a token account, and of a mint's padding to it.
pub const TOKEN_ACCOUNT_SIZE: usize = 165;
/// The size of a mint without extensions.
pub const MINT_SIZE: usize = 82;
/// Where a token account's state is: 1 initialised, 2 frozen.
pub const STATE_OFFSET: usize = 108;

/// A refusal by the token program.
pub const fn token(error: TokenError) -> Refusal {
    Refusal(InstructionError::Custom(error as u32))
}

/// Where the mints of these tests are.
pub fn mint_keypair() -> Keypair {
    keypair(21)
}

pub fn mint() -> Pubkey {
    mint_keypair().pubkey()
}

/// Has every power over a token that an issuer may have, but to mint: [`World::mint_authority`] has that.
pub fn issuer() -> Keypair {
    keypair(20)
}

/// Unwraps a builder's result: these are always valid.
pub fn built(instruction: Result<Instruction, impl std::fmt::Debug>) -> Instruction {
    instruction.expect("valid arguments")
}

// Mints ---------------------------------------------------------------------------------------------------------------

/// How Token-2022 makes a mint with extensions.
#[derive(Clone, Default)]
pub struct Recipe {
    /// Extensions that need room when the account is made.
    pub kinds: Vec<ExtensionType>,
    /// Sent before the mint is initialised.
    pub before: Vec<Instruction>,
    /// Sent afterwards, signed by issuer and mint authority.
    pub after: Vec<Instruction>,
    /// Whether [`issuer`] can freeze accounts.
    pub freeze: bool,
}

impl Recipe {
    pub fn new(kind: ExtensionType, initialize: Instruction) -> Self {
        Self { kinds: vec![kind], before: vec![initialize], ..Self::default() }
    }

    pub fn freeze(self) -> Self {
        Self { freeze: true, ..self }
    }

    pub fn after(mut self, instructions: impl IntoIterator<Item = Instruction>) -> Self {
        self.after.extend(instructions);
        self
    }

    /// Both at once.
    pub fn and(mut self, other: Self) -> Self {
        self.kinds.extend(other.kinds);
        self.before.extend(other.before);
        self.after.extend(other.after);
        self.freeze |= other.freeze;
        self
    }

    /// Makes the mint at [`mint`].
    #[track_caller]
    pub fn make(&self, world: &mut World) {
        self.make_at(world, &mint_keypair(), TOKEN_2022);
    }

    #[track_caller]
    pub fn make_at(&self, world: &mut World, mint: &Keypair, program: Pubkey) {
        let space = if self.kinds.is_empty() {
            MINT_SIZE
        } else {
            ExtensionType::try_calculate_account_len::<Mint>(&self.kinds).expect("extensions of a fixed size")
        };
        let mut instructions = vec![solana_system_interface::instruction::create_account(
            &world.fee_payer.pubkey(),
            &mint.pubkey(),
            // What is added afterwards must be paid for too.
            world.svm.minimum_balance_for_rent_exemption(space + 1_000),
            space as u64,
            &program,
        )];
        instructions.extend_from_slice(&self.before);
        let (authority, issuer) = (world.mint_authority.insecure_clone(), issuer());
        let freeze_authority = self.freeze.then(|| issuer.pubkey());
        instructions.push(built(token_instruction::initialize_mint2(
            &program,
            &mint.pubkey(),
            &authority.pubkey(),
            freeze_authority.as_ref(),
            6,
        )));
        sent(world, &instructions, &[mint]);
        for instruction in &self.after {
            let named = |signer: &&Keypair| {
                instruction.accounts.iter().any(|meta| meta.is_signer && meta.pubkey == signer.pubkey())
            };
            let signers: Vec<&Keypair> = [&authority, &issuer].into_iter().filter(named).collect();
            sent(world, std::slice::from_ref(instruction), &signers);
        }
    }
}

/// Sends a transaction that must succeed.
#[track_caller]
pub fn sent(world: &mut World, instructions: &[Instruction], signers: &[&Keypair]) {
    if let Err(failed) = world.send(instructions, signers) {
        panic!("refused: {:?}\n{}", failed.err, failed.meta.pretty_logs());
    }
}

/// The bytes of a mint without extensions: 6 decimals, initialised, without a freeze authority.
pub fn plain_mint() -> Vec<u8> {
    let mut data = vec![0; MINT_SIZE];
    data[0] = 1;
    data[4..36].copy_from_slice(keypair(10).pubkey().as_array());
    (data[44], data[45]) = (6, 1);
    data
}

/// `plain`, the bytes of a mint, with room for extensions and these entries.
pub fn with_entries(plain: &[u8], entries: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut data = plain[..MINT_SIZE].to_vec();
    data.resize(TOKEN_ACCOUNT_SIZE, 0);
    data.push(1);
    for (kind, value) in entries {
        data.extend(kind.to_le_bytes());
        data.extend(u16::try_from(value.len()).expect("a short value").to_le_bytes());
        data.extend(value);
    }
    data
}

/// Puts these bytes at [`mint`], with Token-2022 as their owner.
pub fn set_mint(world: &mut World, data: Vec<u8>) {
    set_mint_of(world, TOKEN_2022, data);
}

pub fn set_mint_of(world: &mut World, owner: Pubkey, data: Vec<u8>) {
    let account = Account { lamports: 100_000_000, data, owner, executable: false, rent_epoch: u64::MAX };
    world.svm.set_account(mint(), account).expect("an account");
}

// Escrows -------------------------------------------------------------------------------------------------------------

/// What is due when a milestone of 1,000 is ruled half and half.
pub const DUE: [(Recipient, u64); 4] =
    [(Recipient::Buyer, 495), (Recipient::Seller, 483), (Recipient::Fee, 12), (Recipient::Arbiter, 10)];

/// One line of [`DUE`].
#[track_caller]
pub fn due(to: Recipient) -> u64 {
    DUE.into_iter().find_map(|(recipient, amount)| (recipient == to).then_some(amount)).expect("one of the four")
}

/// What the buyer of a [`Deal`] holds at first.
pub const TOKENS: u64 = 1_000_000;

/// An escrow of a token, in a bank of its own.
pub struct Deal {
    pub world: World,
    pub mint: Pubkey,
    pub program: Pubkey,
    pub terms: Terms,
    pub escrow: Pubkey,
}

impl Deal {
    /// Terms for the token at [`mint`], with a fee of 2.5 % and an arbiter's of 1 %. Nothing is created.
    pub fn agreed(world: World, accepted_risks: u16, amounts: &[u64]) -> Self {
        Self::agreed_for(world, mint(), TOKEN_2022, accepted_risks, amounts)
    }

    pub fn agreed_for(mut world: World, mint: Pubkey, program: Pubkey, accepted_risks: u16, amounts: &[u64]) -> Self {
        let terms = Terms {
            mint,
            token_program: program,
            accepted_risks,
            fee_recipient: world.fee_recipient.pubkey(),
            fee_bps: 250,
            arbiter_fee_bps: 100,
            ..world.terms(Kind::Token, amounts)
        };
        let escrow = address::escrow_address(&terms).expect("terms that hash");
        Self { world, mint, program, terms, escrow }
    }

    /// Gives everybody who pays or is paid an associated account, the buyer [`TOKENS`] in it, and creates the escrow.
    #[track_caller]
    pub fn created(world: World, accepted_risks: u16, amounts: &[u64]) -> Self {
        Self::agreed(world, accepted_risks, amounts).create_with(TOKENS)
    }

    /// Gives everybody who pays or is paid an associated account, the buyer so many tokens, and creates the escrow.
    #[track_caller]
    pub fn create_with(mut self, tokens: u64) -> Self {
        self.open_accounts();
        self.mint_to(&self.token_account(Who::Buyer), tokens);
        self.ok(self.create(), &[Who::RentPayer]);
        self
    }

    #[track_caller]
    pub fn funded(world: World, accepted_risks: u16, amounts: &[u64]) -> Self {
        let mut deal = Self::created(world, accepted_risks, amounts);
        deal.thaw_if_frozen(&deal.vault());
        deal.ok(deal.fund(), &[Who::Buyer]);
        deal
    }

    pub fn fork(&self) -> Self {
        Self { world: self.world.fork(), terms: self.terms.clone(), ..*self }
    }

    // Looking ---------------------------------------------------------------------------------------------------------

    pub fn keypair(&self, who: Who) -> Keypair {
        who.keypair(&self.world).insecure_clone()
    }

    pub fn key(&self, who: Who) -> Pubkey {
        who.key(&self.world)
    }

    #[track_caller]
    pub fn account(&self) -> EscrowAccount {
        self.world.escrow(&self.escrow)
    }

    pub fn vault(&self) -> Pubkey {
        address::vault_address(&self.escrow)
    }

    /// The associated token account.
    pub fn token_account(&self, who: Who) -> Pubkey {
        address::associated_token_address(&self.key(who), &self.mint, &self.program)
    }

    pub fn tokens(&self, who: Who) -> u64 {
        self.world.tokens_in(&self.token_account(who))
    }

    pub fn held(&self) -> u64 {
        self.world.tokens_in(&self.vault())
    }

    // Doing -----------------------------------------------------------------------------------------------------------

    #[track_caller]
    pub fn ok(&mut self, instruction: Instruction, signers: &[Who]) {
        let keypairs: Vec<Keypair> = signers.iter().map(|who| self.keypair(*who)).collect();
        self.world.ok(instruction, &keypairs.iter().collect::<Vec<_>>());
    }

    #[track_caller]
    pub fn refused(&mut self, instruction: Instruction, signers: &[Who], reason: impl Into<Refusal>) {
        let keypairs: Vec<Keypair> = signers.iter().map(|who| self.keypair(*who)).collect();
        self.world.refused(instruction, &keypairs.iter().collect::<Vec<_>>(), reason);
    }

    /// What the answer would be, and by which program, without doing it.
    pub fn answer(&self, instruction: Instruction, signers: &[Who]) -> Result<(), (TransactionError, bool)> {
        let keypairs: Vec<Keypair> = signers.iter().map(|who| self.keypair(*who)).collect();
        let sent = self.world.fork().send(&[instruction], &keypairs.iter().collect::<Vec<_>>());
        let by_token = format!("Program {} failed", self.program);
        sent.map(|_| ()).map_err(|failed| {
            let by_token_program = failed.meta.logs.iter().any(|line| line.starts_with(&by_token));
            (failed.err, by_token_program)
        })
    }

    /// Opens the associated accounts, thawed where they begin frozen.
    #[track_caller]
    pub fn open_accounts(&mut self) {
        for (_, who) in Who::PAID {
            let (owner, mint, program) = (self.key(who), self.mint, self.program);
            let account = self.world.create_token_account(&owner, &mint, &program);
            self.thaw_if_frozen(&account);
        }
    }

    /// A token account of `who` that is not the associated one.
    pub fn other_account(&mut self, number: u8, who: Who) -> Pubkey {
        let (owner, mint, program) = (self.key(who), self.mint, self.program);
        let other = self.world.new_token_account(&keypair(number), &owner, &mint, &program);
        self.thaw_if_frozen(&other);
        other
    }

    #[track_caller]
    pub fn mint_to(&mut self, account: &Pubkey, amount: u64) {
        let authority = self.world.mint_authority.insecure_clone();
        let mint_to = token_instruction::mint_to(&self.program, &self.mint, account, &authority.pubkey(), &[], amount);
        self.world.ok(built(mint_to), &[&authority]);
    }

    #[track_caller]
    pub fn set_frozen(&mut self, account: &Pubkey, frozen: bool) {
        let build = if frozen { token_instruction::freeze_account } else { token_instruction::thaw_account };
        let instruction = build(&self.program, account, &self.mint, &issuer().pubkey(), &[]);
        self.world.ok(built(instruction), &[&issuer()]);
    }

    #[track_caller]
    pub fn thaw_if_frozen(&mut self, account: &Pubkey) {
        if self.world.raw(account).data[STATE_OFFSET] == 2 {
            self.set_frozen(account, false);
        }
    }

    /// Done by the issuer, who must be able to.
    #[track_caller]
    pub fn by_issuer(&mut self, instruction: Result<Instruction, impl std::fmt::Debug>) {
        self.world.ok(built(instruction), &[&issuer()]);
    }

    pub fn create(&self) -> Instruction {
        self.world.create_instruction(&self.terms)
    }

    pub fn fund(&self) -> Instruction {
        instruction::fund(&self.terms).expect("terms that hash")
    }

    pub fn fund_from(&self, source: Pubkey) -> Instruction {
        instruction::fund_from(&self.terms, Some(source)).expect("terms that hash")
    }

    pub fn withdraw(&self, recipient: Recipient) -> Instruction {
        instruction::withdraw(&self.account(), recipient)
    }

    pub fn withdraw_to(&self, recipient: Recipient, destination: Pubkey) -> Instruction {
        instruction::withdraw_to(&self.account(), recipient, Some(destination))
    }

    pub fn close(&self, surplus: bool) -> Instruction {
        instruction::close(&self.account(), surplus)
    }

    pub fn cancel(&self, who: Who, surplus: bool) -> Instruction {
        instruction::cancel(&self.account(), self.key(who), surplus)
    }

    /// All that remains of a milestone, to the seller.
    #[track_caller]
    pub fn release_all(&mut self, milestone: u8) {
        let remaining = self.world.milestone(&self.escrow, usize::from(milestone)).remaining;
        self.release(milestone, remaining);
    }

    #[track_caller]
    pub fn release(&mut self, milestone: u8, amount: u64) {
        let remaining = self.world.milestone(&self.escrow, usize::from(milestone)).remaining;
        let release = instruction::release(
            self.escrow,
            self.key(Who::Buyer),
            milestone,
            instruction::Part { amount, of: remaining },
        );
        self.ok(release, &[Who::Buyer]);
    }

    #[track_caller]
    pub fn refund(&mut self, milestone: u8, amount: u64) {
        let remaining = self.world.milestone(&self.escrow, usize::from(milestone)).remaining;
        let refund = instruction::refund(
            self.escrow,
            self.key(Who::Seller),
            milestone,
            instruction::Part { amount, of: remaining },
        );
        self.ok(refund, &[Who::Seller]);
    }

    /// Delivered, disputed and ruled.
    #[track_caller]
    pub fn rule(&mut self, milestone: u8, seller_bps: u16) {
        let (buyer, seller, arbiter) = (self.key(Who::Buyer), self.key(Who::Seller), self.key(Who::Arbiter));
        self.ok(instruction::deliver(self.escrow, seller, milestone, [1; 32]), &[Who::Seller]);
        self.ok(instruction::dispute(self.escrow, buyer, milestone, [2; 32]), &[Who::Buyer]);
        self.ok(instruction::rule(self.escrow, arbiter, milestone, seller_bps, [3; 32]), &[Who::Arbiter]);
    }

    /// Settles a milestone between the parties.
    #[track_caller]
    pub fn settle(&mut self, milestone: u8, to_seller: u64) {
        let remaining = self.world.milestone(&self.escrow, usize::from(milestone)).remaining;
        let (status, expires_at) = (MilestoneStatus::Pending, self.world.now() + DAY);
        let proposal = Proposal::Split { milestone, status, remaining, to_seller, expires_at };
        self.ok(instruction::propose(self.escrow, self.key(Who::Seller), proposal), &[Who::Seller]);
        self.ok(instruction::accept(self.escrow, self.key(Who::Buyer), proposal), &[Who::Buyer]);
    }

    /// Pays `recipient`, who must get exactly `amount` on its associated account.
    #[track_caller]
    pub fn paid(&mut self, recipient: Recipient, amount: u64) {
        let (_, who) = Who::PAID.into_iter().find(|(paid, _)| *paid == recipient).expect("one of the four");
        let (before, held) = (self.tokens(who), self.held());
        self.ok(self.withdraw(recipient), &[]);
        assert_eq!((self.tokens(who) - before, held - self.held()), (amount, amount), "{recipient:?}");
    }

    /// Moves the clock to `fund_by` if it is earlier, and closes; all rent must be back.
    #[track_caller]
    pub fn wait_and_close(&mut self) {
        let fund_by = self.terms.fund_by.max(self.world.now());
        self.world.set_time(fund_by);
        self.ok(self.close(self.held() != 0), &[]);
        assert!(!self.world.exists(&self.escrow), "the escrow is still there");
        assert!(!self.world.exists(&self.vault()), "the vault is still there");
        assert_eq!(self.world.lamports(&self.key(Who::RentPayer)), escrow_tests::INITIAL_LAMPORTS, "rent");
    }
}

/// A whole escrow of the token at [`mint`], which the parties accept with these risks: every way to decide, every
/// recipient, exact amounts, the right room in the vault, the rent back.
#[track_caller]
pub fn live_through(world: World, accepted_risks: u16, vault_extensions: &[ExtensionType]) {
    live_through_token(Deal::created(world, accepted_risks, &[10_001, 20_003, 500]), vault_extensions);
}

/// The same with an escrow that is created, with the milestones 10,001, 20,003 and 500.
#[track_caller]
pub fn live_through_token(mut deal: Deal, vault_extensions: &[ExtensionType]) {
    let vault = deal.world.raw(&deal.vault());
    let size = if vault_extensions.is_empty() {
        TOKEN_ACCOUNT_SIZE
    } else {
        ExtensionType::try_calculate_account_len::<TokenAccount>(vault_extensions).expect("fixed sizes")
    };
    assert_eq!((vault.data.len(), vault.owner), (size, deal.program), "the vault's size");
    assert_eq!(vault.lamports, deal.world.svm.minimum_balance_for_rent_exemption(size), "the vault's rent");
    assert_eq!(vault.data[..32], *deal.mint.as_array());
    assert_eq!(vault.data[32..64], *deal.escrow.as_array());

    deal.thaw_if_frozen(&deal.vault());
    let first = deal.tokens(Who::Buyer);
    deal.ok(deal.fund(), &[Who::Buyer]);
    assert_eq!((first - deal.tokens(Who::Buyer), deal.held()), (30_504, 30_504), "the principal");

    deal.rule(0, 3_333);
    deal.release(1, 7);
    deal.refund(1, 19_996);
    deal.settle(2, 123);
    // By hand: of 10,001 the arbiter takes 100 and rules that 3,300 of 9,901 go to the seller; 7 and 123 are released
    // besides. The fee is 250/10,000 of those 3,430.
    deal.paid(Recipient::Fee, 85);
    deal.paid(Recipient::Arbiter, 100);
    deal.paid(Recipient::Seller, 3_345);
    deal.paid(Recipient::Buyer, 6_601 + 19_996 + 377);
    assert_eq!(deal.held(), 0);
    deal.wait_and_close();
}
