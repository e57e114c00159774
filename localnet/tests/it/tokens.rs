//! Mints and money.

use std::sync::Arc;

use escrow_localnet::{Error, MintConfig, TokenProgram};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{SOL, any};

#[tokio::test]
async fn funding_gives_exactly_what_was_asked_for() {
    let net = any().await;
    let address = Pubkey::new_unique();
    let mut expected = 0;
    // The same amount twice in a row, which within one block is one transaction to a faucet; amounts that a faucet does
    // not give; nothing at all.
    for lamports in [SOL, SOL, SOL, 1, 999_999, 1_000_000, 1_000_000, 0, 1_234 * SOL + 1] {
        net.fund(&address, lamports).await.unwrap();
        expected += lamports;
        assert_eq!(net.balance(&address).await.unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn funding_many_at_once() {
    let net = Arc::new(any().await);
    let address = Pubkey::new_unique();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let net = Arc::clone(&net);
        tasks.spawn(async move {
            net.fund(&address, SOL).await.unwrap();
            net.new_funded_keypair(SOL).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(net.balance(&address).await.unwrap(), 16 * SOL);
}

#[tokio::test]
async fn mints_of_both_programs_with_any_decimals() {
    let net = any().await;
    for token_program in [TokenProgram::Token, TokenProgram::Token2022] {
        for decimals in [0, 6, 9, 255] {
            let mint = net.create_mint(MintConfig { decimals, token_program, ..MintConfig::default() }).await.unwrap();
            let account = net.account(&mint.address).await.unwrap().unwrap();
            assert_eq!(account.owner, token_program.id());

            let owner = Pubkey::new_unique();
            assert_eq!(net.token_balance(&owner, &mint).await.unwrap(), 0);
            let address = net.mint_to(&mint, &owner, 0).await.unwrap();
            assert_eq!(address, mint.associated_account(&owner));
            assert!(net.account(&address).await.unwrap().is_some());
            for amount in [1, 2, u64::MAX - 3] {
                net.mint_to(&mint, &owner, amount).await.unwrap();
            }
            assert_eq!(net.token_balance(&owner, &mint).await.unwrap(), u64::MAX);
            // One more does not fit: the program's error comes through.
            assert!(matches!(
                net.mint_to(&mint, &owner, 1).await.unwrap_err(),
                Error::Rpc { source, .. } if source.get_transaction_error().is_some()
            ));
        }
    }
}

#[tokio::test]
async fn authorities_are_as_configured() {
    use spl_token_2022_interface::{extension::StateWithExtensions, state::Mint};

    let net = any().await;
    let freezer = Pubkey::new_unique();
    let minter = Arc::new(Keypair::new());
    let mint = net
        .create_mint(MintConfig {
            freeze_authority: Some(freezer),
            mint_authority: Some(Arc::clone(&minter)),
            ..MintConfig::default()
        })
        .await
        .unwrap();
    let account = net.account(&mint.address).await.unwrap().unwrap();
    let state = StateWithExtensions::<Mint>::unpack(&account.data).unwrap().base;
    assert_eq!(state.freeze_authority, Some(freezer).into());
    assert_eq!(state.mint_authority, Some(minter.pubkey()).into());
    assert_eq!(state.decimals, 6);
    assert_eq!(state.supply, 0);
}

#[tokio::test]
async fn an_account_that_holds_no_tokens_is_an_error() {
    let net = any().await;
    let mint = net.create_mint(MintConfig::default()).await.unwrap();
    for address in [mint.address, net.payer().await.unwrap().pubkey()] {
        let error = net.token_account_balance(&address).await.unwrap_err();
        assert!(matches!(error, Error::InvalidAccount { .. }), "{error:?}");
    }
    assert_eq!(net.token_account_balance(&Pubkey::new_unique()).await.unwrap(), 0);
}
