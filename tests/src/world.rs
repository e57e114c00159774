//! A bank in LiteSVM with the committed bytecode, people with money, two assets and a clock.

use std::{collections::BTreeMap, fmt::Display, path::PathBuf, sync::OnceLock};

use escrow_client::{
    EscrowAccount, EscrowError, Recipient, Terms, address,
    escrow::state::Milestone,
    instruction,
    terms::{self, Asset},
};
use litesvm::{
    LiteSVM,
    types::{FailedTransactionMetadata, TransactionMetadata},
};
use solana_account::{Account, AccountSharedData};
use solana_clock::Clock;
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;
use spl_token_2022_interface::instruction as token_instruction;

/// SPL Token.
pub const TOKEN: Pubkey = spl_token_2022_interface::inline_spl_token::ID;
/// Token-2022.
pub const TOKEN_2022: Pubkey = spl_token_2022_interface::ID;

/// When every test begins, in unix seconds.
pub const START: i64 = 1_800_000_000;
/// Seconds.
pub const HOUR: i64 = 60 * 60;
/// Seconds.
pub const DAY: i64 = 24 * HOUR;

/// What everybody holds when a test begins, in lamports.
pub const INITIAL_LAMPORTS: u64 = 1_000_000_000_000;
/// What the buyer holds of the token when a test begins, in base units.
pub const INITIAL_TOKENS: u64 = 1_000_000_000_000;

/// What the hash-lock of the tests opens with.
pub const SECRET: [u8; 32] = [7; 32];

/// Says which case of a table runs: the last one printed is the one that failed.
pub fn case(name: impl Display) {
    println!("case: {name}");
}

/// Where the bytecode under test is: `ESCROW_ELF`, or else what is committed.
pub fn elf_path() -> PathBuf {
    std::env::var_os("ESCROW_ELF")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../programs/escrow/elf/escrow.so"))
}

/// Which asset a test is about; most run with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SOL.
    Sol,
    /// A token of SPL Token with 6 decimals.
    Token,
}

/// Both assets.
pub const KINDS: [Kind; 2] = [Kind::Sol, Kind::Token];

/// Each term changed, one at a time: none of these may leave the address of an escrow as it is.
pub const OTHER_TERMS: [fn(&mut Terms); 22] = [
    |terms| terms.buyer = Pubkey::new_from_array([1; 32]),
    |terms| terms.seller = Pubkey::new_from_array([1; 32]),
    |terms| terms.arbiter = Pubkey::new_from_array([1; 32]),
    |terms| terms.attester = Pubkey::new_from_array([1; 32]),
    |terms| terms.fee_recipient = Pubkey::new_from_array([1; 32]),
    |terms| terms.mint = Pubkey::new_from_array([1; 32]),
    |terms| terms.token_program = Pubkey::new_from_array([1; 32]),
    |terms| terms.accepted_risks += 1,
    |terms| terms.fee_bps += 1,
    |terms| terms.arbiter_fee_bps += 1,
    |terms| terms.fund_by += 1,
    |terms| terms.cooling_off += 1,
    |terms| terms.ruling_window += 1,
    |terms| terms.undelivered_bps += 1,
    |terms| terms.unanswered_bps -= 1,
    |terms| terms.unruled_bps += 1,
    |terms| terms.hashlock[31] ^= 1,
    |terms| terms.document_hash[31] ^= 1,
    |terms| terms.salt[15] ^= 1,
    |terms| terms.milestones[0].amount += 1,
    |terms| terms.milestones[0].deliver_by += 1,
    |terms| terms.milestones[0].review_window += 1,
];

/// A bank with the program, and people with money.
pub struct World {
    /// The bank.
    pub svm: LiteSVM,
    /// Pays the fees of all transactions, so that nobody else's balance moves by them.
    pub fee_payer: Keypair,
    /// Creates the escrows.
    pub rent_payer: Keypair,
    /// Pays.
    pub buyer: Keypair,
    /// Is paid.
    pub seller: Keypair,
    /// Rules.
    pub arbiter: Keypair,
    /// Delivers in the seller's place, where the terms name it.
    pub attester: Keypair,
    /// Is paid the fee, where the terms name it.
    pub fee_recipient: Keypair,
    /// Has nothing to do with anything.
    pub stranger: Keypair,
    /// A token of SPL Token with 6 decimals, without a freeze authority.
    pub mint: Pubkey,
    /// May mint it.
    pub mint_authority: Keypair,
    salt: u128,
}

/// Why a transaction was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub InstructionError);

impl From<EscrowError> for Refusal {
    fn from(error: EscrowError) -> Self {
        Self(InstructionError::Custom(error.code()))
    }
}

impl From<InstructionError> for Refusal {
    fn from(error: InstructionError) -> Self {
        Self(error)
    }
}

/// The keypair with this number: the same in every run, so that compute units are too.
pub fn keypair(number: u8) -> Keypair {
    Keypair::new_from_array([number; 32])
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A new bank at [`START`]. Loading the programs takes 150 ms, so all are copies of the first.
    pub fn new() -> Self {
        static FIRST: OnceLock<World> = OnceLock::new();
        FIRST.get_or_init(Self::load).fork()
    }

    /// A copy, in which a test can try what must not happen here: 40 µs.
    pub fn fork(&self) -> Self {
        Self {
            svm: self.svm.clone(),
            fee_payer: self.fee_payer.insecure_clone(),
            rent_payer: self.rent_payer.insecure_clone(),
            buyer: self.buyer.insecure_clone(),
            seller: self.seller.insecure_clone(),
            arbiter: self.arbiter.insecure_clone(),
            attester: self.attester.insecure_clone(),
            fee_recipient: self.fee_recipient.insecure_clone(),
            stranger: self.stranger.insecure_clone(),
            mint: self.mint,
            mint_authority: self.mint_authority.insecure_clone(),
            salt: self.salt,
        }
    }

    fn load() -> Self {
        let elf = elf_path();
        let program = std::fs::read(&elf).unwrap_or_else(|error| panic!("cannot read {}: {error}", elf.display()));
        let mut svm = LiteSVM::new().with_transaction_history(0);
        svm.add_program(escrow_client::escrow::ID, &program).expect("the bytecode loads");
        let mut world = Self {
            svm,
            fee_payer: keypair(1),
            rent_payer: keypair(2),
            buyer: keypair(3),
            seller: keypair(4),
            arbiter: keypair(5),
            attester: keypair(6),
            fee_recipient: keypair(7),
            stranger: keypair(8),
            mint: keypair(9).pubkey(),
            mint_authority: keypair(10),
            salt: 0,
        };
        for number in 1..=8 {
            world.svm.airdrop(&keypair(number).pubkey(), INITIAL_LAMPORTS).expect("an airdrop");
        }
        world.set_time(START);
        world.create_mint(&keypair(9), TOKEN, 6, None);
        for person in [3, 4, 5, 7] {
            world.create_token_account(&keypair(person).pubkey(), &keypair(9).pubkey(), &TOKEN);
        }
        world.mint_to(&keypair(3).pubkey(), INITIAL_TOKENS);
        world
    }

    // The clock ------------------------------------------------------------------------------------------------------

    /// The present time, in unix seconds.
    pub fn now(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// Moves the clock to `unix_seconds`, also back.
    pub fn set_time(&mut self, unix_seconds: i64) {
        let clock = Clock { unix_timestamp: unix_seconds, ..self.svm.get_sysvar::<Clock>() };
        self.svm.set_sysvar(&clock);
    }

    /// Moves the clock by `seconds`.
    pub fn advance(&mut self, seconds: i64) {
        self.set_time(self.now() + seconds);
    }

    // Sending --------------------------------------------------------------------------------------------------------

    /// Executes a transaction. A request may be repeated: each transaction is a new one.
    #[expect(clippy::result_large_err, reason = "litesvm's own result")]
    pub fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<TransactionMetadata, FailedTransactionMetadata> {
        self.svm.expire_blockhash();
        let mut all: Vec<&Keypair> = vec![&self.fee_payer];
        all.extend(signers.iter().filter(|signer| signer.pubkey() != self.fee_payer.pubkey()));
        let transaction = Transaction::new_signed_with_payer(
            instructions,
            Some(&self.fee_payer.pubkey()),
            &all,
            self.svm.latest_blockhash(),
        );
        self.svm.send_transaction(transaction)
    }

    /// Executes a transaction that must succeed.
    #[track_caller]
    pub fn ok(&mut self, instruction: Instruction, signers: &[&Keypair]) -> TransactionMetadata {
        match self.send(&[instruction], signers) {
            Ok(meta) => meta,
            Err(failed) => panic!("refused: {:?}\n{}", failed.err, failed.meta.pretty_logs()),
        }
    }

    /// Executes a transaction that must be refused for exactly this reason, and asserts that it changed no byte and no
    /// lamport of any account but the fee payer's.
    #[track_caller]
    pub fn refused(&mut self, instruction: Instruction, signers: &[&Keypair], reason: impl Into<Refusal>) {
        self.refused_at(0, &[instruction], signers, reason);
    }

    /// Like [`World::refused`], for a transaction of several instructions of which the one at `index` is refused: with it
    /// the whole transaction.
    #[track_caller]
    pub fn refused_at(
        &mut self,
        index: u8,
        instructions: &[Instruction],
        signers: &[&Keypair],
        reason: impl Into<Refusal>,
    ) {
        let Refusal(expected) = reason.into();
        let before = self.snapshot();
        match self.send(instructions, signers) {
            Ok(meta) => panic!("accepted, where {expected:?} was expected\n{}", meta.pretty_logs()),
            Err(failed) => assert_eq!(
                failed.err,
                TransactionError::InstructionError(index, expected),
                "\n{}",
                failed.meta.pretty_logs()
            ),
        }
        assert_eq!(before, self.snapshot(), "a refused instruction changed something");
    }

    /// Every account but the fee payer's and the sysvars.
    pub fn snapshot(&self) -> BTreeMap<Pubkey, AccountSharedData> {
        let fee_payer = self.fee_payer.pubkey();
        let accounts = self.svm.accounts_db().inner.iter();
        accounts
            .filter(|(address, account)| {
                **address != fee_payer && *account_owner(account) != solana_sdk_ids::sysvar::ID
            })
            .map(|(address, account)| (*address, account.clone()))
            .collect()
    }

    // Tokens ---------------------------------------------------------------------------------------------------------

    /// Creates a mint without extensions; [`World::mint_authority`] may mint.
    pub fn create_mint(&mut self, mint: &Keypair, program: Pubkey, decimals: u8, freeze_authority: Option<&Pubkey>) {
        let space = 82;
        let create = solana_system_interface::instruction::create_account(
            &self.fee_payer.pubkey(),
            &mint.pubkey(),
            self.svm.minimum_balance_for_rent_exemption(space),
            space as u64,
            &program,
        );
        let authority = self.mint_authority.pubkey();
        let initialize =
            token_instruction::initialize_mint2(&program, &mint.pubkey(), &authority, freeze_authority, decimals)
                .expect("an instruction");
        self.send(&[create, initialize], &[mint]).expect("a mint");
    }

    /// From now on [`World::mint`] is a new token of SPL Token; its whole `supply` belongs to the buyer, and those who
    /// are paid have accounts for it.
    pub fn use_new_mint(&mut self, supply: u64, freeze_authority: Option<&Pubkey>) {
        let mint = keypair(11);
        self.create_mint(&mint, TOKEN, 6, freeze_authority);
        self.mint = mint.pubkey();
        for person in [3, 4, 5, 7] {
            self.create_token_account(&keypair(person).pubkey(), &mint.pubkey(), &TOKEN);
        }
        self.mint_to(&keypair(3).pubkey(), supply);
    }

    /// Creates the associated token account of `owner`.
    pub fn create_token_account(&mut self, owner: &Pubkey, mint: &Pubkey, program: &Pubkey) -> Pubkey {
        let payer = self.fee_payer.pubkey();
        self.ok(instruction::create_associated_token_account(payer, *owner, *mint, *program), &[]);
        address::associated_token_address(owner, mint, program)
    }

    /// Creates a token account of `owner` that is not its associated one, at the address of `account`.
    pub fn new_token_account(&mut self, account: &Keypair, owner: &Pubkey, mint: &Pubkey, program: &Pubkey) -> Pubkey {
        let (address, space) = (account.pubkey(), 165);
        let create = solana_system_interface::instruction::create_account(
            &self.fee_payer.pubkey(),
            &address,
            self.svm.minimum_balance_for_rent_exemption(space),
            space as u64,
            program,
        );
        let initialize =
            token_instruction::initialize_account3(program, &address, mint, owner).expect("an instruction");
        self.send(&[create, initialize], &[account]).expect("a token account");
        address
    }

    /// The associated account of `owner` for [`World::mint`].
    pub fn token_account(&self, owner: &Pubkey) -> Pubkey {
        address::associated_token_address(owner, &self.mint, &TOKEN)
    }

    /// Mints to the associated account of `owner`.
    pub fn mint_to(&mut self, owner: &Pubkey, amount: u64) {
        self.mint_to_account(&self.token_account(owner), amount);
    }

    /// Mints to a token account of [`World::mint`].
    pub fn mint_to_account(&mut self, account: &Pubkey, amount: u64) {
        let authority = self.mint_authority.insecure_clone();
        let mint = token_instruction::mint_to(&TOKEN, &self.mint, account, &authority.pubkey(), &[], amount)
            .expect("an instruction");
        self.ok(mint, &[&authority]);
    }

    /// The tokens in a token account; 0 where there is none.
    pub fn tokens_in(&self, account: &Pubkey) -> u64 {
        let Some(account) = self.svm.get_account(account) else { return 0 };
        let amount = account.data.get(64..).and_then(|data| data.first_chunk::<8>());
        amount.map_or(0, |amount| u64::from_le_bytes(*amount))
    }

    /// The lamports of an account; 0 where there is none.
    pub fn lamports(&self, address: &Pubkey) -> u64 {
        self.svm.get_balance(address).unwrap_or(0)
    }

    /// What `owner` holds of the asset: lamports, or tokens in the associated account.
    pub fn holds(&self, kind: Kind, owner: &Pubkey) -> u64 {
        match kind {
            Kind::Sol => self.lamports(owner),
            Kind::Token => self.tokens_in(&self.token_account(owner)),
        }
    }

    // Escrows --------------------------------------------------------------------------------------------------------

    /// The asset of this kind.
    pub fn asset(&self, kind: Kind) -> Asset {
        match kind {
            Kind::Sol => Asset::Sol,
            Kind::Token => Asset::Token { mint: self.mint, program: TOKEN },
        }
    }

    /// Terms with an arbiter, without fees, with milestones of these amounts, each to be delivered within ten days and
    /// reviewed within three. Each call takes another salt.
    pub fn terms(&mut self, kind: Kind, amounts: &[u64]) -> Terms {
        let now = self.now();
        self.salt += 1;
        Terms {
            arbiter: self.arbiter.pubkey(),
            salt: self.salt.to_le_bytes(),
            milestones: amounts.iter().map(|amount| terms::milestone(*amount, now + 10 * DAY)).collect(),
            ..escrow_client::TermsBuilder::new(self.buyer.pubkey(), self.seller.pubkey(), self.asset(kind))
                .assemble(now)
                .expect("terms")
        }
    }

    /// The instruction that creates an escrow with these terms.
    pub fn create_instruction(&self, terms: &Terms) -> Instruction {
        instruction::create(self.rent_payer.pubkey(), terms).expect("terms that hash")
    }

    /// Creates an escrow.
    #[track_caller]
    pub fn create(&mut self, terms: &Terms) -> Pubkey {
        let rent_payer = self.rent_payer.insecure_clone();
        self.ok(self.create_instruction(terms), &[&rent_payer]);
        address::escrow_address(terms).expect("terms that hash")
    }

    /// Creates and funds an escrow.
    #[track_caller]
    pub fn create_and_fund(&mut self, terms: &Terms) -> Pubkey {
        let escrow = self.create(terms);
        let buyer = self.buyer.insecure_clone();
        self.ok(instruction::fund(terms).expect("terms that hash"), &[&buyer]);
        escrow
    }

    /// Reads and checks an escrow, as a client would.
    #[track_caller]
    pub fn escrow(&self, address: &Pubkey) -> EscrowAccount {
        let account = self.raw(address);
        EscrowAccount::decode(*address, &account).expect("an escrow")
    }

    /// The raw account, which must exist.
    #[track_caller]
    pub fn raw(&self, address: &Pubkey) -> Account {
        self.svm.get_account(address).expect("an account")
    }

    /// A milestone of an escrow.
    #[track_caller]
    pub fn milestone(&self, escrow: &Pubkey, index: usize) -> Milestone {
        self.escrow(escrow).milestones[index]
    }

    /// Whether there is an account with data at this address.
    pub fn exists(&self, address: &Pubkey) -> bool {
        self.svm.get_account(address).is_some_and(|account| account.lamports != 0)
    }

    /// Withdraws everything that is due to anybody.
    #[track_caller]
    pub fn withdraw_all(&mut self, escrow: &Pubkey) {
        let account = self.escrow(escrow);
        let due: Vec<(Recipient, u64)> = account.due().collect();
        for (recipient, _) in due {
            self.ok(instruction::withdraw(&account, recipient), &[]);
        }
    }
}

fn account_owner(account: &AccountSharedData) -> &Pubkey {
    use solana_account::ReadableAccount;
    account.owner()
}
