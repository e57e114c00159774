//! The client crate, against a real validator: the embedded one, or the one that `ESCROW_TEST_URL` names.
//!
//! On an external validator a test waits for deadlines that are seconds away, and leaves out, with a note, what it would
//! have to wait longer for: its clock cannot be moved.

mod actions;
mod blocking;
mod errors;
mod gateway;
mod instructions;
mod lies;
mod lifecycle;
mod lists;
mod pure;
mod reading;
mod sending;
mod shown;
mod strangers;
mod transactions;

use std::time::Duration;

use escrow_client::{
    Confirmed, EscrowAccount, EscrowClient, Recipient, Result, Terms, address, instruction,
    terms::{self, Asset},
};
use escrow_localnet::{Config, Localnet, MintConfig, TestMint, TokenProgram};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

const SOL: u64 = 1_000_000_000;

/// Seconds until the deadlines that a test waits for: enough for the transactions before, on any validator.
const SOON: i64 = 20;

/// How long a test waits for the clock of a validator that cannot be moved, in seconds.
const PATIENCE: i64 = 60;

/// What is left in a wallet that pays no fees here: enough for the wallet to exist.
const POCKET_MONEY: u64 = 10 * SOL;

/// A validator, a client of it, and people. The operator pays all fees and rents, so that the others' balances show
/// nothing but what the escrow moved.
struct World {
    net: Localnet,
    client: EscrowClient,
    operator: Keypair,
    buyer: Keypair,
    seller: Keypair,
    arbiter: Keypair,
}

/// SOL, or a token that the buyer has some of.
struct Money {
    asset: Asset,
    mint: Option<TestMint>,
}

impl World {
    async fn new() -> Self {
        let net = Localnet::from_env(Config::default()).await.unwrap();
        let client = EscrowClient::from_rpc(net.rpc());
        let mut people = Vec::new();
        for _ in 0..4 {
            people.push(net.new_funded_keypair(POCKET_MONEY).await.unwrap());
        }
        let [operator, buyer, seller, arbiter] = people.try_into().unwrap();
        Self { net, client, operator, buyer, seller, arbiter }
    }

    async fn sol(&self) -> Money {
        Money { asset: Asset::Sol, mint: None }
    }

    /// A new token, of which the buyer has a thousand million units.
    async fn token(&self, token_program: TokenProgram) -> Money {
        let mint = self.net.create_mint(MintConfig { token_program, ..MintConfig::default() }).await.unwrap();
        self.net.mint_to(&mint, &self.buyer.pubkey(), SOL).await.unwrap();
        Money { asset: Asset::Token { mint: mint.address, program: token_program.id() }, mint: Some(mint) }
    }

    async fn now(&self) -> i64 {
        self.client.now().await.unwrap()
    }

    /// Terms of these people with one milestone, whose times are all far away.
    async fn terms(&self, money: &Money, amount: u64) -> Terms {
        let now = self.now().await;
        let mut terms = escrow_client::TermsBuilder::new(self.buyer.pubkey(), self.seller.pubkey(), money.asset)
            .assemble(now)
            .expect("terms");
        terms.milestones.push(terms::milestone(amount, now + 30 * 24 * 60 * 60));
        terms
    }

    /// Sends, paid by the operator.
    async fn send(&self, instructions: &[Instruction], signers: &[&Keypair]) -> Result<Confirmed> {
        let mut all: Vec<&(dyn Signer + Sync)> = vec![&self.operator];
        all.extend(signers.iter().map(|signer| *signer as &(dyn Signer + Sync)));
        self.client.send(instructions, &all).await
    }

    async fn created(&self, terms: &Terms) -> Pubkey {
        self.send(&[instruction::create(self.operator.pubkey(), terms).unwrap()], &[]).await.unwrap();
        address::escrow_address(terms).unwrap()
    }

    async fn funded(&self, terms: &Terms) -> Pubkey {
        let create = instruction::create(self.operator.pubkey(), terms).unwrap();
        let fund = instruction::fund(terms).unwrap();
        self.send(&[create, fund], &[&self.buyer]).await.unwrap();
        address::escrow_address(terms).unwrap()
    }

    async fn read(&self, escrow: &Pubkey) -> EscrowAccount {
        self.client.escrow(escrow).await.unwrap()
    }

    /// Pays what is due to `recipient`, into an associated token account that is made for it.
    async fn withdraw(&self, escrow: &Pubkey, recipient: Recipient) -> Result<Confirmed> {
        let account = self.read(escrow).await;
        let mut instructions = Vec::new();
        if let Asset::Token { mint, program } = account.asset() {
            let (payer, owner) = (self.operator.pubkey(), *account.state.recipient(recipient));
            instructions.push(instruction::create_associated_token_account(payer, owner, mint, program));
        }
        instructions.push(instruction::withdraw(&account, recipient));
        self.send(&instructions, &[]).await
    }

    /// Waits until the chain's time is `time`, or moves its clock there. `false`, with a note, where that cannot be.
    async fn reach(&self, time: i64) -> bool {
        let now = self.now().await;
        if self.net.is_embedded() {
            self.net.set_time(time.max(now)).await.unwrap();
            return true;
        }
        if time - now > PATIENCE {
            eprintln!("skipped from here on: the clock of {} cannot be moved by {} s", self.net.rpc_url(), time - now);
            return false;
        }
        while self.now().await < time {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        true
    }

    /// What `owner` holds of this money.
    async fn balance(&self, money: &Money, owner: &Pubkey) -> u64 {
        match &money.mint {
            None => self.net.balance(owner).await.unwrap(),
            Some(mint) => self.net.token_balance(owner, mint).await.unwrap(),
        }
    }
}

/// By how much a balance has changed.
fn gain(before: u64, after: u64) -> i128 {
    i128::from(after) - i128::from(before)
}
