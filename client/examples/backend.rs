//! What a marketplace's back end does, from an order to the closed escrow.
//!
//! ```text
//! cargo run -p escrow-client --example backend                           # on a validator that it starts itself
//! cargo run -p escrow-client --example backend -- http://127.0.0.1:8899  # on one that runs, as with `escrow localnet`
//! ```
//!
//! The back end holds one keypair, which pays fees and rents. It never holds the buyer's or the seller's: here their
//! wallets are two keypairs, in place of the browser's wallet that signs what it is given.

use std::{error::Error, path::PathBuf, time::Duration};

use escrow_client::{
    EscrowAccount, EscrowClient, Prepared, Recipient, Terms, address, instruction,
    terms::{self, Asset, DAY},
};
use escrow_localnet::{Config, Localnet};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// The price, in lamports.
const PRICE: u64 = 250_000_000;
/// The marketplace's fee on what the seller is paid, in basis points: 2.5 %.
const FEE_BPS: u16 = 250;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    // A validator, and people with money to play with. On a cluster there is only the line with `EscrowClient::new`:
    //     EscrowClient::new("https://…", CommitmentConfig::finalized())
    let net = match std::env::args().nth(1) {
        Some(url) => Localnet::connect(&url, &Config::default().programs).await?,
        None => Localnet::start(Config::default()).await?,
    };
    let client = EscrowClient::from_rpc(net.rpc());
    let (buyer, seller) = (net.new_funded_keypair(2 * PRICE).await?, net.new_funded_keypair(PRICE).await?);
    let backend = Backend { client, marketplace: net.new_funded_keypair(2 * PRICE).await?, outbox: outbox() };
    println!("connected to {} at {}", backend.client.url(), backend.client.commitment().commitment);

    // 1. The order becomes terms. Their hash is the escrow's address, so the address can be shown, and checked by
    //    everybody, before anything is on the chain.
    let terms = backend.terms(&buyer.pubkey(), &seller.pubkey()).await?;
    let escrow = address::escrow_address(&terms)?;
    println!("terms agreed: escrow {escrow}");

    // 2. The marketplace creates the escrow and pays its rent. Nobody is bound yet.
    backend.send("create", &[instruction::create(backend.marketplace.pubkey(), &terms)?], None).await?;

    // 3. The buyer pays. The buyer's wallet gets the transaction without a signature, and checks it against the terms
    //    that its owner agreed to: a back end that lies gets no money.
    assert!(terms::is_address_of(&terms, &escrow)?, "these are not the terms that I agreed to");
    backend.send("fund", &[instruction::fund(&terms)?], Some(&buyer)).await?;

    // 4. Others see the payment when it has reached their client's commitment. Only now the goods leave.
    let account = backend.watch_until(&escrow, EscrowAccount::is_funded).await?;
    println!("funded with {} lamports", account.state.ledger.principal);

    // 5. The seller delivers, with the hash of a receipt: the buyer now has three days to dispute, after which the seller
    //    is paid without the buyer.
    backend.send("deliver", &[instruction::deliver(escrow, seller.pubkey(), 0, [0; 32])], Some(&seller)).await?;

    // 6. The buyer is content. `expected_remaining` is what the buyer saw: should the amount have changed since, the
    //    program refuses, so a request that comes twice pays once.
    let remaining = backend.client.escrow(&escrow).await?.milestone(0)?.remaining;
    let release = instruction::release(escrow, buyer.pubkey(), 0, remaining, remaining);
    backend.send("release", &[release], Some(&buyer)).await?;

    // 7. Whatever is due is paid out. Anybody may do it; the money goes to whom it is due.
    let account = backend.client.escrow(&escrow).await?;
    for (recipient, amount) in account.due() {
        println!("due: {amount} lamports to {}", account.state.recipient(recipient));
    }
    let withdrawals: Vec<Instruction> =
        account.due().map(|(recipient, _)| instruction::withdraw(&account, recipient)).collect();
    backend.send("withdraw", &withdrawals, None).await?;

    // 8. From `fund_by` on the account can be closed, and its rent comes back. A back end does it the next day.
    if net.is_embedded() {
        net.set_time(terms.fund_by).await?;
        let account = backend.client.escrow(&escrow).await?;
        backend.send("close", &[instruction::close(&account, false)], None).await?;
        assert_eq!(backend.client.find(&escrow).await?, None);
    } else {
        println!("close: possible from {} on (unix seconds)", terms.fund_by);
    }
    println!("the fee recipient was paid {}", paid(&account, Recipient::Fee));
    net.shutdown().await?;
    Ok(())
}

/// What somebody is paid in all.
fn paid(account: &EscrowAccount, recipient: Recipient) -> u64 {
    account.due().find(|(to, _)| *to == recipient).map_or(0, |(_, amount)| amount)
}

struct Backend {
    client: EscrowClient,
    marketplace: Keypair,
    /// Where transactions are kept that were signed and are not known to have ended: a table, in a real back end.
    outbox: PathBuf,
}

impl Backend {
    /// One delivery within two weeks, with the marketplace's fee. Everything else is as [`terms::new`] says.
    async fn terms(&self, buyer: &Pubkey, seller: &Pubkey) -> Result<Terms> {
        // The chain's time: it is what the program compares with.
        let now = self.client.now().await?;
        let mut terms = terms::new(*buyer, *seller, Asset::Sol, now);
        terms.milestones.push(terms::milestone(PRICE, now + 14 * i64::from(DAY)));
        terms.fee_recipient = self.marketplace.pubkey();
        terms.fee_bps = FEE_BPS;
        // What the program would refuse is found here.
        terms.validate(now)?;
        Ok(terms)
    }

    /// Has a transaction signed, keeps it, and submits it until its outcome is known.
    async fn send(&self, step: &str, instructions: &[Instruction], party: Option<&Keypair>) -> Result<()> {
        let payer = self.marketplace.pubkey();
        let signers: Vec<&Keypair> = std::iter::once(&self.marketplace).chain(party).collect();
        let prepared = self.client.prepare(instructions, &payer, &signers).await?;

        // Kept before it is submitted. If this process dies from here on, the next one submits the same transaction, and
        // it is executed once at most. Without this nobody would know whether to pay again.
        self.keep(&prepared)?;
        use escrow_client::Error::{Expired, Failed, Refused, Unknown};
        let outcome = loop {
            match self.client.submit(&prepared).await {
                // Not known yet: the same transaction again, never a new one.
                Err(Unknown { source, .. }) => {
                    eprintln!("{step}: {source}; asking again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                outcome => break outcome,
            }
        };
        // These are final. After anything else it stays in the outbox, to be submitted again.
        if matches!(outcome, Ok(_) | Err(Refused(_) | Failed { .. } | Expired { .. })) {
            self.forget()?;
        }
        let confirmed = outcome?;
        println!("{step}: {} in slot {}", confirmed.signature, confirmed.slot);
        Ok(())
    }

    /// Reads the escrow until something is so. A back end with many of them asks [`EscrowClient::list`] for all of its own
    /// at once.
    async fn watch_until(&self, escrow: &Pubkey, so: impl Fn(&EscrowAccount) -> bool) -> Result<EscrowAccount> {
        loop {
            let account = self.client.escrow(escrow).await?;
            if so(&account) {
                return Ok(account);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// A real back end writes the bytes of the transaction and `last_valid_block_height` into its database, in the same
    /// database transaction that marks the order. Text for people serves here.
    fn keep(&self, prepared: &Prepared) -> Result<()> {
        let Prepared { transaction, last_valid_block_height } = prepared;
        std::fs::write(&self.outbox, format!("{last_valid_block_height} {transaction:?}"))?;
        Ok(())
    }

    fn forget(&self) -> Result<()> {
        Ok(std::fs::remove_file(&self.outbox)?)
    }
}

fn outbox() -> PathBuf {
    std::env::temp_dir().join(format!("escrow-backend-outbox-{}", std::process::id()))
}
