//! Each way to fail has its type, and a message for people.

use std::net::TcpListener;

use escrow_client::{
    Error, EscrowClient, EscrowError, Recipient, Submitted, Unsigned, address,
    escrow::state::RISK_FREEZE,
    instruction,
    terms::{self, Asset},
    transaction::PrepareError,
};
use escrow_localnet::{Config, Localnet, MintConfig, TokenProgram};
use solana_client::rpc_config::RpcSendTransactionConfig;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use solana_transaction_error::TransactionError;

use crate::{Money, SOL, World};

/// What an error says has all of this in it.
fn assert_says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "\"{text}\" does not say \"{part}\"");
    }
}

/// Refused before it was sent, and not by the escrow program.
fn assert_refused(error: Error, parts: &[&str]) {
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert_eq!(error.escrow_error(), None, "{error:?}");
    assert_says(&error, parts);
}

#[tokio::test]
async fn nothing_is_not_found() {
    let world = World::new().await;
    let nowhere = Pubkey::new_unique();
    // A wallet too: somebody may have sent money there before the escrow was created.
    for address in [nowhere, world.buyer.pubkey()] {
        let error = world.client.escrow(&address).await.unwrap_err();
        assert!(matches!(&error, Error::NotFound { address: at, url } if *at == address && *url == world.client.url()));
        assert_says(&error, &[&address.to_string(), world.net.rpc_url()]);
        assert_eq!(world.client.find(&address).await.unwrap(), None);
    }
}

#[tokio::test]
async fn other_accounts_are_not_escrows() {
    let world = World::new().await;
    let mint = world.token(TokenProgram::Token).await.mint.unwrap();
    let token_account = mint.associated_account(&world.buyer.pubkey());
    for address in [mint.address, token_account, escrow_client::escrow::ID, solana_sdk_ids::sysvar::clock::ID] {
        let error = world.client.escrow(&address).await.unwrap_err();
        assert!(matches!(&error, Error::NotAnEscrow { address: at, .. } if *at == address), "{error:?}");
        assert_says(&error, &[&address.to_string(), "not an escrow", &escrow_client::escrow::ID.to_string()]);
        assert!(world.client.find(&address).await.is_err());
    }
    // The vault is the escrow's, and not the escrow.
    let money = world.token(TokenProgram::Token).await;
    let escrow = world.created(&world.terms(&money, 1).await).await;
    let error = world.client.escrow(&address::vault_address(&escrow)).await.unwrap_err();
    assert!(matches!(error, Error::NotAnEscrow { .. }), "{error:?}");
}

#[tokio::test]
async fn other_accounts_are_not_mints() {
    let world = World::new().await;
    let sol = world.sol().await;
    let escrow = world.created(&world.terms(&sol, 1).await).await;
    let mut addresses = vec![Pubkey::new_unique(), world.buyer.pubkey(), escrow, escrow_client::escrow::ID];
    for program in [TokenProgram::Token, TokenProgram::Token2022] {
        let mint = world.token(program).await.mint.unwrap();
        addresses.push(mint.associated_account(&world.buyer.pubkey()));
    }
    for address in addresses {
        let error = world.client.mint(&address).await.unwrap_err();
        assert!(matches!(&error, Error::NotAMint { address: at, .. } if *at == address), "{error:?}");
        assert_says(&error, &[&address.to_string(), "not a token's mint"]);
    }
}

#[tokio::test]
async fn a_broken_rule_is_the_programs_own_error() {
    let error = Error::from(EscrowError::ReviewWindowZero);
    assert!(matches!(error, Error::Rule(EscrowError::ReviewWindowZero)));
    assert_eq!(error.escrow_error(), Some(EscrowError::ReviewWindowZero));
    assert_eq!(error.to_string(), EscrowError::ReviewWindowZero.message());
}

#[tokio::test]
async fn the_program_refuses_by_name_and_nothing_changes() {
    let world = World::new().await;
    let terms = world.terms(&world.sol().await, 1_000).await;
    let escrow = world.funded(&terms).await;
    let account = world.read(&escrow).await;
    let (buyer, seller, arbiter) = (&world.buyer, &world.seller, &world.arbiter);
    let b = buyer.pubkey();
    let mut short = instruction::release(escrow, b, 0, instruction::Part { amount: 1, of: 1_000 });
    short.data.pop();

    let refusals: Vec<(Instruction, Vec<&Keypair>, EscrowError)> = vec![
        (instruction::create(world.operator.pubkey(), &terms).unwrap(), vec![], EscrowError::AlreadyCreated),
        (instruction::fund(&terms).unwrap(), vec![buyer], EscrowError::AlreadyFunded),
        (instruction::cancel(&account, b, false), vec![buyer], EscrowError::CoolingOffOver),
        (instruction::cancel(&account, seller.pubkey(), false), vec![seller], EscrowError::NotBuyer),
        (instruction::deliver(escrow, b, 0, [0; 32]), vec![buyer], EscrowError::NotDeliverer),
        (instruction::deliver(escrow, seller.pubkey(), 1, [0; 32]), vec![seller], EscrowError::MilestoneMissing),
        (instruction::claim(escrow, 0, [0; 32]), vec![], EscrowError::NoHashlock),
        (
            instruction::release(escrow, seller.pubkey(), 0, instruction::Part { amount: 1, of: 1_000 }),
            vec![seller],
            EscrowError::NotBuyer,
        ),
        (
            instruction::release(escrow, b, 0, instruction::Part { amount: 1, of: 999 }),
            vec![buyer],
            EscrowError::RemainingMismatch,
        ),
        (
            instruction::release(escrow, b, 0, instruction::Part { amount: 1_001, of: 1_000 }),
            vec![buyer],
            EscrowError::AmountTooHigh,
        ),
        (
            instruction::release(escrow, b, 0, instruction::Part { amount: 0, of: 1_000 }),
            vec![buyer],
            EscrowError::AmountZero,
        ),
        (
            instruction::refund(escrow, b, 0, instruction::Part { amount: 1, of: 1_000 }),
            vec![buyer],
            EscrowError::NotSeller,
        ),
        (instruction::dispute(escrow, b, 0, [0; 32]), vec![buyer], EscrowError::NotDelivered),
        (instruction::rule(escrow, arbiter.pubkey(), 0, 1, [0; 32]), vec![arbiter], EscrowError::NotArbiter),
        (instruction::expire(escrow, 0), vec![], EscrowError::DeadlineNotReached),
        (instruction::withdraw(&account, Recipient::Seller), vec![], EscrowError::NothingDue),
        (instruction::close(&account, false), vec![], EscrowError::NotSettled),
        (short, vec![buyer], EscrowError::InstructionLength),
    ];
    let balance = world.net.balance(&world.operator.pubkey()).await.unwrap();
    for (instruction, signers, reason) in refusals {
        let error = world.send(&[instruction], &signers).await.unwrap_err();
        let Error::Refused(failure) = &error else { panic!("{reason:?}: {error:?}") };
        assert_eq!(failure.escrow_error(), Some(reason));
        assert_eq!(error.escrow_error(), Some(reason));
        assert_eq!(failure.program, Some(escrow_client::escrow::ID), "{reason:?}");
        assert!(!failure.logs.is_empty(), "{reason:?}");
        assert_says(&error, &[reason.message(), reason.name(), &reason.code().to_string()]);
    }
    assert_eq!(world.read(&escrow).await, account);
    assert_eq!(world.net.balance(&world.operator.pubkey()).await.unwrap(), balance, "a refusal costs no fee");
}

#[tokio::test]
async fn there_is_no_escrow_to_act_on() {
    let world = World::new().await;
    let nowhere = Pubkey::new_unique();
    let deliver = instruction::deliver(nowhere, world.seller.pubkey(), 0, [0; 32]);
    let error = world.send(&[deliver], &[&world.seller]).await.unwrap_err();
    assert_refused(error, &["there is no escrow at this address"]);
}

#[tokio::test]
async fn a_buyer_without_enough_sol_is_told_so() {
    let world = World::new().await;
    let money = world.sol().await;
    let terms = world.terms(&money, 1_000_000 * SOL).await;
    world.created(&terms).await;
    let error = world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap_err();
    assert_refused(error, &["does not hold enough SOL"]);
}

/// All but a few lamports are paid in: what is left is too little for the account to exist.
#[tokio::test]
async fn a_buyer_left_with_too_little_to_exist_is_told_so() {
    let world = World::new().await;
    let balance = world.net.balance(&world.buyer.pubkey()).await.unwrap();
    let terms = world.terms(&world.sol().await, balance - 1).await;
    world.created(&terms).await;
    let error = world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused(failure)
            if matches!(failure.error, TransactionError::InsufficientFundsForRent { .. })),
        "{error:?}"
    );
    assert_refused(error, &["SOL"]);
}

#[tokio::test]
async fn a_buyer_without_enough_tokens_is_told_so() {
    let world = World::new().await;
    for program in [TokenProgram::Token, TokenProgram::Token2022] {
        let money = world.token(program).await;
        let terms = world.terms(&money, SOL + 1).await;
        world.created(&terms).await;
        let error = world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap_err();
        assert_refused(error, &["does not hold enough tokens"]);
    }
}

/// A buyer who never had the token has no token account.
#[tokio::test]
async fn a_buyer_without_a_token_account_is_told_so() {
    let world = World::new().await;
    let mint = world.net.create_mint(MintConfig::default()).await.unwrap();
    let asset = Asset::Token { mint: mint.address, program: mint.token_program.id() };
    let terms = world.terms(&Money { asset, mint: Some(mint) }, 1).await;
    world.created(&terms).await;
    let error = world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert_says(&error, &["token account"]);
}

#[tokio::test]
async fn a_frozen_account_is_named() {
    let world = World::new().await;
    let issuer = Keypair::new();
    let config = MintConfig { freeze_authority: Some(issuer.pubkey()), ..MintConfig::default() };
    let mint = world.net.create_mint(config).await.unwrap();
    let account = world.net.mint_to(&mint, &world.buyer.pubkey(), SOL).await.unwrap();
    let program = mint.token_program.id();
    let money = Money { asset: Asset::Token { mint: mint.address, program }, mint: None };
    let mut terms = world.terms(&money, 1).await;
    let error = world.send(&[instruction::create(world.operator.pubkey(), &terms).unwrap()], &[]).await.unwrap_err();
    assert_eq!(error.escrow_error(), Some(EscrowError::RiskNotAccepted));
    terms.accepted_risks = RISK_FREEZE;
    world.created(&terms).await;
    let freeze =
        spl_token_2022_interface::instruction::freeze_account(&program, &account, &mint.address, &issuer.pubkey(), &[]);
    world.net.send(&[freeze.unwrap()], &[&issuer]).await.unwrap();
    let error = world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap_err();
    assert_refused(error, &["frozen"]);
}

/// Tokens go to a token account of the recipient, of the right mint.
#[tokio::test]
async fn a_wrong_token_account_is_refused_by_name() {
    let world = World::new().await;
    let money = world.token(TokenProgram::Token).await;
    let mint = money.mint.as_ref().unwrap();
    let escrow = world.funded(&world.terms(&money, 1_000).await).await;
    let release = instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: 1_000, of: 1_000 });
    world.send(&[release], &[&world.buyer]).await.unwrap();
    let account = world.read(&escrow).await;

    let buyers = mint.associated_account(&world.buyer.pubkey());
    let other = world.net.create_mint(MintConfig::default()).await.unwrap();
    let other_mints = world.net.mint_to(&other, &world.seller.pubkey(), 0).await.unwrap();
    for (destination, reason) in
        [(buyers, EscrowError::TokenAccountOwner), (other_mints, EscrowError::TokenAccountMint)]
    {
        let withdraw = instruction::withdraw_to(&account, Recipient::Seller, Some(destination));
        let error = world.send(&[withdraw], &[&world.seller]).await.unwrap_err();
        assert_eq!(error.escrow_error(), Some(reason), "{error:?}");
    }
    // Without an account of the seller's, and without making one.
    let error = world.send(&[instruction::withdraw(&account, Recipient::Seller)], &[]).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert_says(&error, &["token account"]);
    assert_eq!(world.read(&escrow).await, account);
}

#[tokio::test]
async fn who_cannot_pay_the_fee_is_told_so() {
    let world = World::new().await;
    let nobody = Keypair::new();
    let payment = transfer(&nobody.pubkey(), &world.buyer.pubkey(), 1);
    let error = world.client.send(&[payment], &[&nobody]).await.unwrap_err();
    assert_refused(error, &["pays the fee", "send it some SOL"]);

    // Exactly what an account needs to exist, and nothing for the fee.
    let poor = world.net.new_funded_keypair(890_880).await.unwrap();
    let payment = transfer(&poor.pubkey(), &world.buyer.pubkey(), 1);
    let error = world.client.send(&[payment], &[&poor]).await.unwrap_err();
    assert_refused(error, &["SOL"]);
}

#[tokio::test]
async fn who_does_not_sign_is_noticed_before_anything_is_sent() {
    let world = World::new().await;
    let terms = world.terms(&world.sol().await, 1_000).await;
    world.created(&terms).await;
    let fund = instruction::fund(&terms).unwrap();
    let operator = world.operator.pubkey();
    for error in [
        world.client.send(&[], &[]).await.unwrap_err(),
        world.send(std::slice::from_ref(&fund), &[]).await.unwrap_err(),
        world.send(std::slice::from_ref(&fund), &[&world.seller]).await.unwrap_err(),
        world
            .client
            .prepare(&[fund], &operator)
            .await
            .unwrap()
            .sign(&[&world.buyer])
            .and_then(Unsigned::complete)
            .unwrap_err()
            .into(),
    ] {
        assert!(matches!(error, Error::Transaction(_)), "{error:?}");
        assert_says(&error, &["cannot sign"]);
    }
}

/// Another cluster, perhaps: the program is not there at all.
#[tokio::test]
async fn a_cluster_without_the_program_is_told_from_one_with_it() {
    let net = Localnet::start(Config::bare()).await.unwrap();
    let client = EscrowClient::from_rpc(net.rpc());
    let payer = net.new_funded_keypair(SOL).await.unwrap();
    let now = client.now().await.unwrap();
    let mut terms = escrow_client::TermsBuilder::new(payer.pubkey(), Pubkey::new_unique(), Asset::Sol)
        .assemble(now)
        .expect("terms");
    terms.milestones.push(terms::milestone(1_000, now + 1_000_000));
    let create = instruction::create(payer.pubkey(), &terms).unwrap();
    let error = client.send(&[create], &[&payer]).await.unwrap_err();
    assert_refused(error, &["not deployed", &escrow_client::escrow::ID.to_string()]);
}

/// A transaction that is too large is refused by the node, in words of its own.
#[tokio::test]
async fn a_transaction_that_is_too_large_is_not_sent() {
    let world = World::new().await;
    let payment = transfer(&world.operator.pubkey(), &world.buyer.pubkey(), 1);
    let balance = world.net.balance(&world.operator.pubkey()).await.unwrap();
    let error = world.send(&vec![payment; 100], &[]).await.unwrap_err();
    assert!(matches!(error, Error::Transaction(PrepareError::TooLarge { .. })), "{error:?}");
    assert_says(&error, &["1232", "divide it into several"]);
    assert_eq!(world.net.balance(&world.operator.pubkey()).await.unwrap(), balance);
}

/// Executed, and failed: the program's reason is known although there is no log.
#[tokio::test]
async fn a_transaction_that_failed_on_the_chain_says_why() {
    let world = World::new().await;
    let escrow = world.funded(&world.terms(&world.sol().await, 1_000).await).await;
    let release = instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: 1, of: 7 });
    let signers = [&world.operator, &world.buyer];
    let unsigned = world.client.prepare(&[release], &world.operator.pubkey()).await.unwrap();
    let signed = unsigned.sign(&signers).and_then(Unsigned::complete).unwrap();
    let unchecked = RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
    world.client.rpc().send_transaction_with_config(signed.transaction(), unchecked).await.unwrap();
    let failed = world.net.confirm(&signed.signature()).await.unwrap_err();
    assert!(matches!(failed, escrow_localnet::Error::TransactionFailed { .. }), "{failed:?}");

    let error = world.client.confirm(&Submitted::perhaps(signed.clone())).await.unwrap_err();
    let Error::Failed { signature, failure } = &error else { panic!("{error:?}") };
    assert_eq!(*signature, signed.signature());
    assert_eq!(failure.escrow_error(), Some(EscrowError::RemainingMismatch));
    assert_eq!(error.escrow_error(), Some(EscrowError::RemainingMismatch));
    assert_says(&error, &[&signature.to_string(), "RemainingMismatch", "6081"]);
}

/// Nobody listens there: the address is in the message, and what might be a secret is not.
#[tokio::test]
async fn a_node_that_is_not_there_is_named() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}");
    let client = EscrowClient::new(format!("{url}/path?api-key=secret"), CommitmentConfig::confirmed());
    let address = Pubkey::new_unique();
    let payer = Keypair::new();
    for error in [
        client.escrow(&address).await.unwrap_err(),
        client.now().await.unwrap_err(),
        client.mint(&address).await.unwrap_err(),
        client.list(&Default::default()).await.unwrap_err(),
        client.prepare(&[], &payer.pubkey()).await.unwrap_err(),
        client.send(&[], &[&payer]).await.unwrap_err(),
    ] {
        assert!(matches!(&error, Error::Rpc { url: named, .. } if *named == url), "{error:?}");
        assert_says(&error, &[&url]);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
