//! The validator that all schedules share, asked directly.

use std::time::Duration;

use escrow_client::{EscrowClient, sender::Status};
use escrow_localnet::{Blocks, Config, Localnet};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;

/// How long a block takes, in milliseconds: a block hash lives for a second and a half.
pub const BLOCK: u64 = 10;

/// What everybody has at the beginning, in lamports.
pub const MONEY: u64 = 1_000_000_000;

/// After so many blocks nothing that was signed before can be executed.
const LIFE: u64 = 152;

/// The validator, and whoever pays for what a schedule begins with.
pub struct World {
    pub net: Localnet,
    pub chain: EscrowClient,
    operator: Keypair,
}

impl World {
    pub async fn new() -> Self {
        let net = Localnet::start(Config::default().with_blocks(Blocks::Every(Duration::from_millis(BLOCK)))).await;
        let net = net.expect("an embedded validator");
        let operator = net.new_funded_keypair(2_000 * MONEY).await.expect("an operator");
        let world = Self { chain: EscrowClient::from_rpc(net.rpc()), net, operator };
        // A ledger has a past: on one of thirty blocks a node can lie about all of them, and contradicts itself nowhere.
        world.outlive().await;
        world
    }

    /// New people with money.
    pub async fn people<const N: usize>(&self) -> [Keypair; N] {
        let people: [Keypair; N] = std::array::from_fn(|_| Keypair::new());
        let from = self.operator.pubkey();
        let gifts: Vec<Instruction> = people.iter().map(|person| transfer(&from, &person.pubkey(), MONEY)).collect();
        self.execute(&gifts, &[]).await;
        people
    }

    /// Executes what a schedule begins with. Only the end of the block hash's life, on a busy machine, is tried again.
    pub async fn execute(&self, instructions: &[Instruction], signers: &[&Keypair]) {
        let mut last = None;
        for _ in 0..5 {
            let mut all: Vec<&(dyn Signer + Sync)> = vec![&self.operator];
            all.extend(signers.iter().map(|signer| *signer as &(dyn Signer + Sync)));
            match self.chain.send(instructions, &all).await {
                Ok(_) => return,
                Err(error) => last = Some(error),
            }
        }
        panic!("what a schedule begins with is not executed: {last:?}");
    }

    /// What the chain itself says of a signature.
    pub async fn status(&self, signature: &Signature) -> Option<Status> {
        self.chain.status(signature).await.expect("the validator answers")
    }

    pub async fn height(&self) -> u64 {
        self.net.rpc().get_block_height().await.expect("the validator answers")
    }

    /// Waits until nothing that is signed at present can be executed any more.
    pub async fn outlive(&self) {
        let end = self.height().await + LIFE;
        while self.height().await <= end {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
