//! Reading escrows, mints and balances.

use escrow_client::{
    EscrowError, Recipient, address,
    escrow::state::{EscrowStatus, RISK_FREEZE},
    instruction,
    terms::{self, Asset},
};
use escrow_localnet::{MintConfig, TokenProgram};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{SOL, World};

#[tokio::test]
async fn an_escrow_reads_as_it_was_agreed() {
    let world = World::new().await;
    for money in [world.sol().await, world.token(TokenProgram::Token2022).await] {
        let mut terms = world.terms(&money, 1_000).await;
        terms.milestones.push(terms::milestone(500, terms.milestones[0].deliver_by + 1));
        let before = world.now().await;
        let address = world.created(&terms).await;
        let escrow = world.read(&address).await;
        assert_eq!(escrow.address, address);
        assert_eq!(terms::is_address_of(&escrow.terms(), &address), Ok(true));
        assert_eq!(escrow.terms(), terms);
        assert_eq!(escrow.asset(), money.asset);
        assert_eq!(escrow.state.status(), Ok(EscrowStatus::Created));
        assert_eq!(escrow.state.rent_payer, world.operator.pubkey());
        assert_eq!(escrow.lamports, world.net.balance(&address).await.unwrap());
        assert!(!escrow.is_funded());
        assert_eq!(escrow.due().count(), 0);
        assert_eq!(escrow.milestone(1).unwrap().amount, 500);
        assert_eq!(escrow.milestone(2), Err(EscrowError::MilestoneMissing));
        assert_eq!(escrow.milestone(255), Err(EscrowError::MilestoneMissing));

        world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap();
        let funded = world.read(&address).await;
        assert!(funded.is_funded());
        assert!((before..=world.now().await).contains(&funded.state.funded_at));
        assert_eq!(funded.terms(), terms);
        let held = match money.asset {
            Asset::Sol => funded.lamports - escrow.lamports,
            Asset::Token { .. } => {
                assert_eq!(funded.state.vault, address::vault_address(&address));
                world.client.token_balance(&funded.state.vault).await.unwrap().unwrap()
            }
        };
        assert_eq!(held, 1_500);
    }
}

/// Somebody may send lamports to the address before the escrow exists: that is no escrow, and does not prevent one.
#[tokio::test]
async fn money_sent_in_advance_is_no_escrow() {
    let world = World::new().await;
    let terms = world.terms(&world.sol().await, 1_000).await;
    let address = address::escrow_address(&terms).unwrap();
    world.net.fund(&address, SOL).await.unwrap();
    assert_eq!(world.client.find(&address).await.unwrap(), None);
    world.funded(&terms).await;
    assert_eq!(world.read(&address).await.state.ledger.principal, 1_000);
}

#[tokio::test]
async fn a_mint_tells_its_decimals_and_its_issuers_powers() {
    let world = World::new().await;
    for token_program in [TokenProgram::Token, TokenProgram::Token2022] {
        for (freeze_authority, risks) in [(None, 0), (Some(Pubkey::new_unique()), RISK_FREEZE)] {
            let config = MintConfig { decimals: 3, token_program, freeze_authority, mint_authority: None };
            let created = world.net.create_mint(config).await.unwrap();
            let mint = world.client.mint(&created.address).await.unwrap();
            assert_eq!(mint.address, created.address);
            assert_eq!((mint.program, mint.decimals, mint.risks), (token_program.id(), 3, risks));
        }
    }
}

#[tokio::test]
async fn a_missing_token_account_has_no_balance_and_an_empty_one_has_none() {
    let world = World::new().await;
    let mint = world.token(TokenProgram::Token).await.mint.unwrap();
    let account = mint.associated_account(&world.seller.pubkey());
    assert_eq!(world.client.token_balance(&account).await.unwrap(), None);
    world.net.mint_to(&mint, &world.seller.pubkey(), 0).await.unwrap();
    assert_eq!(world.client.token_balance(&account).await.unwrap(), Some(0));
    let buyers = mint.associated_account(&world.buyer.pubkey());
    assert_eq!(world.client.token_balance(&buyers).await.unwrap(), Some(SOL));
}

#[tokio::test]
async fn sol_has_no_surplus() {
    let world = World::new().await;
    let escrow = world.funded(&world.terms(&world.sol().await, 1_000).await).await;
    world.net.fund(&escrow, SOL).await.unwrap();
    let escrow = world.read(&escrow).await;
    assert_eq!(world.client.surplus(&escrow).await.unwrap(), 0);
    assert_eq!(escrow.state.ledger.principal, 1_000);
}

#[tokio::test]
async fn the_time_is_the_chains() {
    let world = World::new().await;
    let clock = world.net.clock().await.unwrap().unix_timestamp;
    assert!(world.now().await.abs_diff(clock) < 60);
    if world.net.is_embedded() {
        let later = world.net.advance_time(1_000_000).await.unwrap();
        assert_eq!(world.now().await, later);
    } else {
        eprintln!("skipped: moving the clock");
    }
}

#[tokio::test]
async fn a_client_reads_at_its_commitment() {
    let world = World::new().await;
    let escrow = world.funded(&world.terms(&world.sol().await, 1_000).await).await;
    for commitment in [CommitmentConfig::processed(), CommitmentConfig::confirmed()] {
        let client = escrow_client::EscrowClient::new(world.net.rpc_url(), commitment);
        assert_eq!(client.commitment(), commitment);
        assert_eq!(client.url(), world.net.rpc_url());
        assert_eq!(client.escrow(&escrow).await.unwrap().address, escrow);
        assert!(format!("{client:?}").contains(&client.url()));
    }
}

#[tokio::test]
async fn nothing_is_due_to_those_who_are_not_named() {
    let world = World::new().await;
    let terms = world.terms(&world.sol().await, 1_000).await;
    let escrow = world.funded(&terms).await;
    world
        .send(
            &[instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: 1_000, of: 1_000 })],
            &[&world.buyer],
        )
        .await
        .unwrap();
    let escrow = world.read(&escrow).await;
    assert_eq!(escrow.due().collect::<Vec<_>>(), [(Recipient::Seller, 1_000)]);
    assert_eq!(*escrow.state.recipient(Recipient::Fee), Pubkey::default());
}
