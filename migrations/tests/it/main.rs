//! Deploying and upgrading, for real, on the embedded validator: everything goes through its JSON-RPC listener.

mod authority;
mod binary;
mod deploy;
mod resume;
mod upgrade;
mod wire;

use std::sync::Arc;

use escrow_localnet::{Config, Localnet};
use escrow_migrations::{Deploy, Deployment, Elf, ElfHash, Program, Result, Upgrade};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::wire::Wire;

const SOL: u64 = 1_000_000_000;

/// Lamports of a signature, on every cluster.
const FEE: u64 = 5_000;

/// How many bytes of a program fit into a transaction with one signature, and with two.
const PIECE: usize = 1_010;
const PIECE_OF_TWO_SIGNERS: usize = 914;

/// The loader's headers: of a buffer, of a program, and of what holds a program's bytes.
const BUFFER_HEADER: usize = 37;
const PROGRAM_HEADER: usize = 36;
const PROGRAMDATA_HEADER: usize = 45;

/// The memo program, which every validator has: a program that is small and runs anywhere.
const MEMO: Pubkey = Pubkey::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

/// Its older version, of an older loader.
const OLD_MEMO: Pubkey = Pubkey::from_str_const("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo");

/// A validator, and somebody with money.
struct Rig {
    net: Localnet,
    payer: Keypair,
}

impl Rig {
    async fn new() -> Self {
        Self::with(Config::bare()).await
    }

    async fn with(config: Config) -> Self {
        let net = Localnet::start(config).await.unwrap();
        let payer = net.new_funded_keypair(100 * SOL).await.unwrap();
        Self { net, payer }
    }

    fn wire(&self) -> Arc<Wire> {
        Wire::new(self.net.rpc())
    }

    async fn balance(&self) -> u64 {
        self.net.balance(&self.payer.pubkey()).await.unwrap()
    }

    async fn rent(&self, len: usize) -> u64 {
        self.net.rpc().get_minimum_balance_for_rent_exemption(len).await.unwrap()
    }

    async fn exists(&self, address: &Pubkey) -> bool {
        self.net.account(address).await.unwrap().is_some()
    }

    /// The rent of a program with room for so many bytes, both of its accounts.
    async fn program_rent(&self, max_len: usize) -> u64 {
        self.rent(PROGRAM_HEADER).await + self.rent(PROGRAMDATA_HEADER + max_len).await
    }

    fn deploy<'a>(&'a self, elf: &'a Elf, program: &'a Keypair) -> Deploy<'a> {
        Deploy { elf, program, declared: None, payer: &self.payer, authority: &self.payer, max_len: None }
    }

    fn upgrade<'a>(&'a self, elf: &'a Elf, program: &Keypair) -> Upgrade<'a> {
        Upgrade { elf, program: program.pubkey(), declared: None, payer: &self.payer, authority: &self.payer }
    }

    /// A program that is deployed, by the payer.
    async fn deployed(&self, elf: &Elf) -> Keypair {
        let program = Keypair::new();
        self.wire().migrator().deploy(&self.deploy(elf, &program)).await.unwrap();
        program
    }

    async fn program(&self, address: &Pubkey) -> Program {
        self.wire().migrator().program(address).await.unwrap()
    }

    /// The memo program's bytes, as the validator keeps them.
    async fn memo(&self) -> Elf {
        let account = self.net.account(&MEMO).await.unwrap().unwrap();
        if account.owner != solana_sdk_ids::bpf_loader_upgradeable::ID {
            return elf(account.data);
        }
        elf(self.program(&MEMO).await.code().to_vec())
    }

    fn buffer(&self, program: &Keypair, elf: &Elf) -> Pubkey {
        escrow_migrations::buffer::address(&self.payer.pubkey(), &program.pubkey(), elf.hash()).unwrap()
    }
}

/// Bytes that are named by their own sha256.
fn elf(bytes: Vec<u8>) -> Elf {
    let hash = ElfHash::of(&bytes);
    Elf::new(bytes, &hash).unwrap()
}

/// The committed program.
fn committed() -> Elf {
    elf(include_bytes!("../../../programs/escrow/elf/escrow.so").to_vec())
}

/// The committed program with another number in a field of its header that no loader reads: the size of a section
/// header, where there are no sections.
fn variant(number: u8) -> Elf {
    let mut bytes = committed().bytes().to_vec();
    bytes[58] = number;
    elf(bytes)
}

/// The committed program with `more` bytes behind it, which no loader reads either.
fn longer(more: usize) -> Elf {
    let mut bytes = committed().bytes().to_vec();
    bytes.resize(bytes.len() + more, 0xab);
    elf(bytes)
}

/// In how many transactions a program is written to an empty buffer.
fn writes(elf: &Elf, piece: usize) -> usize {
    elf.bytes().chunks(piece).filter(|piece| piece.iter().any(|byte| *byte != 0)).count()
}

fn address(result: &Result<Deployment>) -> Option<Pubkey> {
    result.as_ref().ok().map(|done| done.program)
}
