//! The back end of a shop that signs with a key of its own: taking a payment, watching it, releasing it on delivery, refunding
//! it, and what it does after it was killed at the worst moment. `docs/back-ends.md` explains the steps.
//!
//! ```text
//! cargo run -p escrow-client --example payments
//! ```

use std::{error::Error, path::Path, process::Command};

use escrow_client::{
    EscrowAccount, EscrowClient, EscrowInstruction, Executed, Order, Recipe, Recipient, Terms, TermsBuilder, address,
    send::Progress,
    sender::Journal,
    terms::{Asset, DAY},
    words::Denomination,
};
use escrow_localnet::{Config, Localnet};
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// The price, in lamports.
const PRICE: u64 = 250_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [url, folder, seller] = arguments.as_slice() {
        return dies_while_paying(url, Path::new(folder), &seller.parse()?).await;
    }
    let net = Localnet::start(Config::default()).await?;
    let folder = std::env::temp_dir().join(format!("escrow-payments-{}", std::process::id()));
    let (buyer, seller) = (net.new_funded_keypair(4 * PRICE).await?, net.new_funded_keypair(PRICE).await?);

    // The journal is opened once and shared. In a shop with several processes, or with a database, it is a table: implement
    // `Store` over it, and run the conformance tests of `escrow_client::sender` against it.
    let client = client(net.rpc_url(), &folder)?;

    // 1. Taking a payment. The order's number names the intention: however often this is asked for, by whichever process, one
    //    escrow is created and funded.
    let terms = deal(&client, &buyer.pubkey(), &seller.pubkey()).await?;
    let escrow = address::escrow_address(&terms)?;
    let paid = pay(&client, "order 1001", &terms, &buyer).await?;
    println!("order 1001 is paid into {escrow}: {}", told(&paid));
    match pay(&client, "order 1001", &terms, &buyer).await {
        Err(error) => println!("  asked again: {error}"),
        Ok(_) => return Err("it was paid twice".into()),
    }

    // 2. Watching it. What is confirmed is provisional; goods leave when the funding is final.
    let patient = EscrowClient::new(net.rpc_url(), CommitmentConfig::finalized());
    let account = loop {
        match patient.find(&escrow).await? {
            Some(account) if account.is_funded() => break account,
            _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    };
    println!("the funding is final: {}", Denomination::SOL.amount(account.held()?));

    // 3. Releasing on delivery: half now. `expected_remaining` is what was seen, so that a second release of the same half is
    //    refused by the program itself.
    let half = EscrowInstruction::Release { milestone: 0, amount: PRICE / 2, expected_remaining: PRICE };
    let released = act(&client, "order 1001, first half", &escrow, half, &buyer).await?;
    println!("half is released: {}", told(&released));

    // 4. Refunding the rest: the seller's to sign.
    let rest = EscrowInstruction::Refund { milestone: 0, amount: PRICE / 2, expected_remaining: PRICE / 2 };
    let refunded = act(&client, "order 1001, refund", &escrow, rest, &seller).await?;
    println!("the rest is refunded: {}", told(&refunded));
    let account = client.escrow(&escrow).await?;
    let due = |recipient| account.state.ledger.due(recipient);
    assert_eq!((due(Recipient::Seller), due(Recipient::Buyer)), (PRICE / 2, PRICE / 2));
    let recipe = Recipe::pay_out(&account, None, &[]);
    let paid_out = execute(&client, "order 1001, paid out", &account, &recipe, &buyer).await?;
    println!("both are paid: {}", told(&paid_out));

    // 5. Recovering. Another process pays order 1002 and dies between the disk and the network.
    let (path, keypair) = (folder.to_str().ok_or("a path that is no text")?, folder.join("buyer.key"));
    std::fs::write(&keypair, buyer.to_base58_string())?;
    let dying =
        Command::new(std::env::current_exe()?).args([net.rpc_url(), path, &seller.pubkey().to_string()]).status()?;
    assert!(!dying.success(), "it was to be killed");
    for begun in client.unresolved().await? {
        println!("{} was left without an end: taking it up", begun.fingerprint());
        println!("  {}", told(&client.resume(&begun).await?));
    }
    assert_eq!(client.unresolved().await?, Vec::new());
    assert_eq!(client.list_of(&buyer.pubkey()).await?.len(), 2, "two orders, two escrows");
    std::fs::remove_dir_all(&folder)?;
    net.shutdown().await?;
    Ok(())
}

fn client(url: &str, folder: &Path) -> Result<EscrowClient> {
    // Where money cannot be taken back: several nodes, `EscrowClient::of_nodes`, and `CommitmentConfig::finalized()`.
    Ok(EscrowClient::new(url, CommitmentConfig::confirmed()).keeping(Journal::open(folder)?))
}

/// One delivery within two weeks; everything else as the defaults say.
async fn deal(client: &EscrowClient, buyer: &Pubkey, seller: &Pubkey) -> Result<Terms> {
    let now = client.now().await?;
    let builder = TermsBuilder::new(*buyer, *seller, Asset::Sol);
    Ok(builder.milestone(PRICE, now + 14 * i64::from(DAY)).build(now)?)
}

/// Creates the escrow and funds it.
async fn pay(client: &EscrowClient, order: &str, terms: &Terms, buyer: &Keypair) -> Result<Executed> {
    let agreed = EscrowAccount::agreed(terms, buyer.pubkey())?;
    execute(client, order, &agreed, &Recipe::create(terms, buyer.pubkey(), true)?, buyer).await
}

/// One action on an escrow as it stands.
async fn act(
    client: &EscrowClient,
    order: &str,
    escrow: &Pubkey,
    instruction: EscrowInstruction,
    signer: &Keypair,
) -> Result<Executed> {
    let account = client.escrow(escrow).await?;
    let action = escrow_client::Action::new(&account, instruction);
    execute(client, order, &account, &Recipe::only(action), signer).await
}

/// Previews by the program's own rules, and executes exactly what was previewed.
async fn execute(
    client: &EscrowClient,
    order: &str,
    account: &EscrowAccount,
    recipe: &Recipe,
    signer: &Keypair,
) -> Result<Executed> {
    let previewed = recipe.preview(account, client.now().await?)?;
    let fingerprint = client.fingerprint(&signer.pubkey(), &[order.as_bytes()]).await?;
    let order = Order::new(fingerprint, previewed.steps(&signer.pubkey())?);
    Ok(client.execute(&order, &[signer]).await?)
}

fn told(executed: &Executed) -> String {
    let one = |one: &escrow_client::Confirmed| format!("slot {}, {}", one.slot, one.basis);
    executed.transactions.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The process that is killed: what it has signed is in the journal, and nothing has left.
async fn dies_while_paying(url: &str, folder: &Path, seller: &Pubkey) -> Result<()> {
    let buyer = Keypair::from_base58_string(&std::fs::read_to_string(folder.join("buyer.key"))?);
    let client = client(url, folder)?;
    let terms = deal(&client, &buyer.pubkey(), seller).await?;
    let client = client.telling(|progress| {
        // On the disk, and not sent.
        if let Progress::Sending(_) = progress {
            std::process::abort();
        }
    });
    pay(&client, "order 1002", &terms, &buyer).await?;
    Ok(())
}
