//! A bank that believes every signature.

use escrow_client::escrow;
use escrow_tests::World;
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::{Transaction, versioned::VersionedTransaction};

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
