//! The people of a [`World`] by their names, and a bank that believes every signature.

use escrow_client::escrow;
use escrow_tests::World;
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::{Transaction, versioned::VersionedTransaction};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Pays.
    Buyer,
    /// Is paid.
    Seller,
    /// Rules.
    Arbiter,
    /// Delivers in the seller's place, where named.
    Attester,
    /// Is paid the fee.
    FeeRecipient,
    /// Created the escrow.
    RentPayer,
    /// Has nothing to do with the escrow.
    Stranger,
}

impl Who {
    /// Everybody.
    pub const ALL: [Self; 7] =
        [Self::Buyer, Self::Seller, Self::Arbiter, Self::Attester, Self::FeeRecipient, Self::RentPayer, Self::Stranger];

    /// The address.
    pub fn key(self, world: &World) -> Pubkey {
        match self {
            Self::Buyer => &world.buyer,
            Self::Seller => &world.seller,
            Self::Arbiter => &world.arbiter,
            Self::Attester => &world.attester,
            Self::FeeRecipient => &world.fee_recipient,
            Self::RentPayer => &world.rent_payer,
            Self::Stranger => &world.stranger,
        }
        .pubkey()
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Seller => "seller",
            Self::Arbiter => "arbiter",
            Self::Attester => "attester",
            Self::FeeRecipient => "fee recipient",
            Self::RentPayer => "rent payer",
            Self::Stranger => "stranger",
        }
    }
}

/// The same world, whose bank believes every signature: whoever an instruction marks as a signer counts as one, also an
/// address without a key. So nothing is refused only because a signature could not be made, and an address that signs
/// by CPI, like a multisig's vault, is covered. It saves the cryptography too.
pub fn believing(mut world: World) -> World {
    world.svm = world.svm.clone().with_sigverify(false);
    world
}

/// Sends one instruction to a bank that believes every signature.
#[expect(clippy::result_large_err, reason = "litesvm's own result")]
pub fn send(world: &mut World, instruction: &Instruction) -> Result<TransactionMetadata, FailedTransactionMetadata> {
    let payer = world.fee_payer.pubkey();
    let mut transaction = Transaction::new_with_payer(std::slice::from_ref(instruction), Some(&payer));
    transaction.message.recent_blockhash = world.svm.latest_blockhash();
    world.svm.send_transaction(VersionedTransaction::from(transaction))
}

/// Sends one instruction that must succeed.
#[track_caller]
pub fn ok(world: &mut World, instruction: &Instruction) {
    if let Err(failed) = send(world, instruction) {
        panic!("refused: {:?}\n{}", failed.err, failed.meta.pretty_logs());
    }
}

/// The program's address, which stands for an optional account that is not passed.
pub const NONE: Pubkey = escrow::ID;

/// Runs `work` on as many threads as there are cores. It takes its share from something that they have in common.
pub fn on_every_core(work: impl Fn() + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(&work);
        }
    });
}
