//! What a marketplace's back end does, from an order to the closed escrow, and what it does after it was killed on the way.
//!
//! ```text
//! cargo run -p escrow-client --example backend                           # on a validator that it starts itself
//! cargo run -p escrow-client --example backend -- http://127.0.0.1:8899  # on one that runs, as with `escrow localnet`
//! ```
//!
//! The back end holds one keypair, which pays fees and rents. It never holds the buyer's or the seller's: their wallets get
//! what is to be signed as text, and return it signed.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use escrow_client::{
    Action, Confirmed, EscrowAccount, EscrowClient, EscrowInstruction, Recipe, Recipient, Signed, Submitted, Terms,
    TermsBuilder, Unsigned, address,
    terms::{self, Asset, DAY, Fee},
    transaction::Lifetime,
    words::{
        Denomination, Tense,
        sentence::{Known, Teller},
    },
};
use escrow_localnet::{Config, Localnet};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;

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
    let marketplace = net.new_funded_keypair(2 * PRICE).await?;
    let outbox = outbox();
    let backend = Backend { client, marketplace: marketplace.insecure_clone(), outbox: outbox.clone() };
    println!("connected to {} at {}", backend.client.url(), backend.client.commitment().commitment);

    // 1. The order becomes terms. Their hash is the escrow's address, so the address can be shown, and checked by
    //    everybody, before anything is on the chain.
    let (buyer, seller) = (net.new_funded_keypair(2 * PRICE).await?, net.new_funded_keypair(PRICE).await?);
    let (buyer, seller) = (Wallet(buyer), Wallet(seller));
    let terms = backend.terms(&buyer.address(), &seller.address()).await?;
    let escrow = address::escrow_address(&terms)?;
    println!("terms agreed: escrow {escrow}");

    // 2. The marketplace creates the escrow and pays its rent. Nobody is bound yet.
    let agreed = EscrowAccount::agreed(&terms, marketplace.pubkey())?;
    let create = Action::new(&agreed, EscrowInstruction::Create { terms: Box::new(terms.clone()) });
    backend.act(&agreed, create, None).await?;

    // 3. The buyer pays. The wallet gets the transaction without the buyer's signature. Its owner checks that the address is
    //    that of the terms that were agreed on: a back end that lies gets no money.
    assert!(terms::is_address_of(&terms, &escrow)?, "these are not the terms that I agreed to");
    backend.act(&agreed, Action::new(&agreed, EscrowInstruction::Fund), Some(&buyer)).await?;

    // 4. Others see the payment when it has reached their client's commitment. Only now the goods leave.
    let account = backend.watch_until(&escrow, EscrowAccount::is_funded).await?;
    println!("funded with {}", Denomination::SOL.amount(account.state.ledger.principal));

    // 5. The seller delivers, with the hash of a receipt: the buyer has three days to dispute, after which the seller is paid
    //    without the buyer. The back end is killed after it has kept the signed transaction, before it has sent it.
    let deliver = EscrowInstruction::Deliver { milestone: 0, evidence_hash: [7; 32] };
    let deliver = Action::new(&account, deliver);
    backend.sign_and_keep(&[deliver.instruction(&account)], Some(&seller)).await?;
    drop(backend);
    println!("killed");

    // 6. The next process finds what was kept. Whether it has left does not matter: the same bytes are executed once at most.
    let client = EscrowClient::from_rpc(net.rpc());
    let backend = Backend { client, marketplace, outbox };
    let resumed = backend.resume().await?.ok_or("nothing was kept")?;
    println!("resumed: {} in slot {}", resumed.signature, resumed.slot);
    assert_eq!(backend.resume().await?, None);

    // 7. The buyer is content. `expected_remaining` is what the buyer saw: should the amount have changed since, the
    //    program refuses, so a request that comes twice pays once.
    let account = backend.client.escrow(&escrow).await?;
    let remaining = account.milestone(0)?.remaining;
    let release = EscrowInstruction::Release { milestone: 0, amount: remaining, expected_remaining: remaining };
    backend.act(&account, Action::new(&account, release), Some(&buyer)).await?;

    // 8. Whatever is due is paid out. Anybody may do it; the money goes to whom it is due.
    let account = backend.client.escrow(&escrow).await?;
    let now = backend.client.now().await?;
    let fee = account.state.ledger.due(Recipient::Fee);
    let pay_out = Recipe::pay_out(&account, None, &[]).preview(&account, now)?;
    backend.send(&pay_out.units(&backend.marketplace.pubkey()).concat(), None).await?;
    println!("the marketplace was paid {}", Denomination::SOL.amount(fee));

    // 9. From `fund_by` on the account can be closed, and its rent comes back. A back end does it the next day.
    if net.is_embedded() {
        net.set_time(terms.fund_by).await?;
        let account = backend.client.escrow(&escrow).await?;
        backend.act(&account, Action::new(&account, EscrowInstruction::Close), None).await?;
        assert_eq!(backend.client.find(&escrow).await?, None);
    } else {
        println!("close: possible from {} on (unix seconds)", terms.fund_by);
    }
    net.shutdown().await?;
    Ok(())
}

/// A party's wallet: all that it is given is text.
struct Wallet(Keypair);

impl Wallet {
    fn address(&self) -> Pubkey {
        self.0.pubkey()
    }

    /// Signs a transaction in base 64, as a browser's wallet does, and returns it in base 64.
    fn sign(&self, transaction: &str) -> Result<String> {
        let mut transaction: VersionedTransaction = wincode::deserialize(&BASE64_STANDARD.decode(transaction)?)?;
        let me = transaction.message.static_account_keys().iter().position(|key| *key == self.address());
        let slot = me.and_then(|me| transaction.signatures.get_mut(me)).ok_or("there is nothing for me to sign")?;
        *slot = self.0.sign_message(&transaction.message.serialize());
        Ok(BASE64_STANDARD.encode(wincode::serialize(&transaction)?))
    }
}

struct Backend {
    client: EscrowClient,
    marketplace: Keypair,
    /// Where transactions are kept that were signed and are not known to have ended: a table, in a real back end.
    outbox: PathBuf,
}

impl Backend {
    /// One delivery within two weeks, with the marketplace's fee. Everything else is as [`terms::defaults`] say.
    async fn terms(&self, buyer: &Pubkey, seller: &Pubkey) -> Result<Terms> {
        // The chain's time: it is what the program compares with.
        let now = self.client.now().await?;
        let fee = Some(Fee { recipient: self.marketplace.pubkey(), bps: FEE_BPS });
        let builder = TermsBuilder { fee, ..TermsBuilder::new(*buyer, *seller, Asset::Sol) };
        // What the program would refuse is found here.
        Ok(builder.milestone(PRICE, now + 14 * i64::from(DAY)).build(now)?)
    }

    /// Shows what an action would do, has it signed and does it.
    async fn act(&self, account: &EscrowAccount, action: Action, party: Option<&Wallet>) -> Result<()> {
        let now = self.client.now().await?;
        let preview = action.preview(account, now)?;
        let teller = Teller { denomination: &Denomination::SOL, now };
        println!("{}", teller.action(&action, Known::previewed(&action, account, &preview)).told(Tense::Present));
        let confirmed = self.send(&[action.instruction(account)], party).await?;
        println!("    {} in slot {}", confirmed.signature, confirmed.slot);
        Ok(())
    }

    async fn send(&self, instructions: &[Instruction], party: Option<&Wallet>) -> Result<Confirmed> {
        self.sign_and_keep(instructions, party).await?;
        Ok(self.resume().await?.ok_or("nothing was kept")?)
    }

    /// Has a transaction signed by everybody and keeps it, before anything is sent. If this process dies from here on, the
    /// next one submits the same bytes. Without this nobody would know whether to pay again.
    async fn sign_and_keep(&self, instructions: &[Instruction], party: Option<&Wallet>) -> Result<()> {
        let unsigned = self.client.prepare(instructions, &self.marketplace.pubkey()).await?;
        let mut unsigned: Unsigned = unsigned.sign(&[&self.marketplace])?;
        if let Some(wallet) = party {
            unsigned = unsigned.clone().take_back(&wallet.sign(&unsigned.to_base64())?)?;
        }
        let signed = unsigned.complete()?;
        if let Lifetime::Blockhash { last_valid_block_height, .. } = signed.lifetime() {
            println!("    kept; it can be executed up to block {last_valid_block_height}");
        }
        // A real back end writes these bytes into its database, in the same database transaction that marks the order.
        write(&self.outbox, &signed.encode())
    }

    /// Submits what was kept until its outcome is known; none where nothing was kept.
    async fn resume(&self) -> Result<Option<Confirmed>> {
        let Some(kept) = fs::read(&self.outbox).ok() else { return Ok(None) };
        let signed = Signed::decode(&kept)?;
        use escrow_client::Error::{Expired, Failed, Unknown};
        let submitted = Submitted::perhaps(signed);
        let outcome = loop {
            match self.client.confirm(&submitted).await {
                // Not known yet: the same transaction again, never a new one.
                Err(Unknown { verdict, .. }) => eprintln!("{verdict}; asking again"),
                outcome => break outcome,
            }
        };
        // These are final. After anything else it stays in the outbox, to be submitted again.
        if matches!(outcome, Ok(_) | Err(Failed { .. } | Expired { .. })) {
            fs::remove_file(&self.outbox)?;
        }
        Ok(Some(outcome?))
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
}

/// Whole and on the disk, or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    fs::File::open(&beside)?.sync_all()?;
    Ok(fs::rename(&beside, path)?)
}

fn outbox() -> PathBuf {
    std::env::temp_dir().join(format!("escrow-backend-outbox-{}", std::process::id()))
}
