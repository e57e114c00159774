//! Whole escrows, from their creation to their end, with every balance.

use escrow_client::{
    EscrowInstruction, MilestoneStatus, Proposal, Recipient, address, history::Completeness, instruction, terms,
};
use escrow_localnet::TokenProgram;
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{Money, SOL, SOON, World, gain};

const PRICE: u64 = 300_000_007;

/// What the buyer and the seller have.
async fn parties(world: &World, money: &Money) -> [u64; 2] {
    [world.balance(money, &world.buyer.pubkey()).await, world.balance(money, &world.seller.pubkey()).await]
}

/// By how much the buyer's and the seller's balances have changed.
async fn gains(world: &World, money: &Money, before: [u64; 2]) -> [i128; 2] {
    let after = parties(world, money).await;
    [gain(before[0], after[0]), gain(before[1], after[1])]
}

/// Closes a settled and withdrawn escrow: its accounts are gone and all their lamports are the rent payer's again.
async fn close(world: &World, escrow: &solana_pubkey::Pubkey) {
    let account = world.read(escrow).await;
    let vault = world.net.balance(&address::vault_address(escrow)).await.unwrap();
    let before = world.net.balance(&world.operator.pubkey()).await.unwrap();
    let surplus = world.client.surplus(&account).await.unwrap() > 0;
    world.send(&[instruction::close(&account, surplus)], &[]).await.unwrap();
    let after = world.net.balance(&world.operator.pubkey()).await.unwrap();
    assert_eq!(after, before + account.lamports + vault - 5_000);
    assert_eq!(world.client.find(escrow).await.unwrap(), None);
    assert_eq!(world.client.account(&account.state.vault).await.unwrap().filter(|_| vault > 0), None);
}

async fn sale(world: &World, money: &Money) {
    let before = parties(world, money).await;
    let mut terms = world.terms(money, PRICE).await;
    terms.fund_by = world.now().await + SOON;
    let escrow = world.created(&terms).await;
    assert!(!world.read(&escrow).await.is_funded());
    assert_eq!(gains(world, money, before).await, [0, 0]);

    world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap();
    assert!(world.read(&escrow).await.is_funded());
    assert_eq!(gains(world, money, before).await, [-i128::from(PRICE), 0]);

    let seller = world.seller.pubkey();
    world.send(&[instruction::deliver(escrow, seller, 0, [7; 32])], &[&world.seller]).await.unwrap();
    assert_eq!(world.read(&escrow).await.milestone(0).unwrap().status(), Ok(MilestoneStatus::Delivered));

    let release = instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: PRICE, of: PRICE });
    world.send(&[release], &[&world.buyer]).await.unwrap();
    let account = world.read(&escrow).await;
    assert_eq!(account.milestone(0).unwrap().status(), Ok(MilestoneStatus::Settled));
    assert_eq!(account.due().collect::<Vec<_>>(), [(Recipient::Seller, PRICE)]);
    assert_eq!(gains(world, money, before).await, [-i128::from(PRICE), 0]);

    world.withdraw(&escrow, Recipient::Seller).await.unwrap();
    assert_eq!(world.read(&escrow).await.due().count(), 0);
    assert_eq!(gains(world, money, before).await, [-i128::from(PRICE), i128::from(PRICE)]);

    if world.reach(terms.fund_by).await {
        close(world, &escrow).await;
    }
    assert_eq!(gains(world, money, before).await, [-i128::from(PRICE), i128::from(PRICE)]);
}

#[tokio::test]
async fn a_sale_in_sol() {
    let world = World::new().await;
    sale(&world, &world.sol().await).await;
}

#[tokio::test]
async fn a_sale_in_a_token() {
    let world = World::new().await;
    sale(&world, &world.token(TokenProgram::Token).await).await;
}

#[tokio::test]
async fn a_sale_in_a_token_of_token_2022() {
    let world = World::new().await;
    sale(&world, &world.token(TokenProgram::Token2022).await).await;
}

#[tokio::test]
async fn a_seller_refunds_in_two_parts() {
    let world = World::new().await;
    for money in [world.sol().await, world.token(TokenProgram::Token).await] {
        let before = parties(&world, &money).await;
        let escrow = world.funded(&world.terms(&money, PRICE).await).await;
        let refund = |amount, remaining| {
            instruction::refund(escrow, world.seller.pubkey(), 0, instruction::Part { amount, of: remaining })
        };
        world.send(&[refund(1, PRICE)], &[&world.seller]).await.unwrap();
        assert_eq!(world.read(&escrow).await.milestone(0).unwrap().remaining, PRICE - 1);
        world.send(&[refund(PRICE - 1, PRICE - 1)], &[&world.seller]).await.unwrap();
        world.withdraw(&escrow, Recipient::Buyer).await.unwrap();
        assert_eq!(gains(&world, &money, before).await, [0, 0]);
    }
}

#[tokio::test]
async fn an_unfunded_escrow_is_cancelled_by_any_party_and_leaves_nothing() {
    let world = World::new().await;
    for money in [world.sol().await, world.token(TokenProgram::Token2022).await] {
        for canceller in [&world.buyer, &world.seller, &world.operator] {
            let escrow = world.created(&world.terms(&money, PRICE).await).await;
            let account = world.read(&escrow).await;
            let vault = world.net.balance(&address::vault_address(&escrow)).await.unwrap();
            let before = world.net.balance(&world.operator.pubkey()).await.unwrap();
            let mut signers = vec![canceller];
            signers.retain(|signer| signer.pubkey() != world.operator.pubkey());
            world.send(&[instruction::cancel(&account, canceller.pubkey(), false)], &signers).await.unwrap();
            assert_eq!(world.client.find(&escrow).await.unwrap(), None);
            let after = world.net.balance(&world.operator.pubkey()).await.unwrap();
            let fees = 5_000 * (1 + u64::try_from(signers.len()).unwrap());
            assert_eq!(after, before + account.lamports + vault - fees);
        }
    }
}

#[tokio::test]
async fn a_buyer_cancels_in_the_cooling_off_period() {
    let world = World::new().await;
    for money in [world.sol().await, world.token(TokenProgram::Token).await] {
        let before = parties(&world, &money).await;
        let mut terms = world.terms(&money, PRICE).await;
        terms.cooling_off = terms::DAY;
        let escrow = world.funded(&terms).await;
        let account = world.read(&escrow).await;
        let cancel = instruction::cancel(&account, world.buyer.pubkey(), false);
        world.send(&[cancel], &[&world.buyer]).await.unwrap();
        assert_eq!(world.read(&escrow).await.due().collect::<Vec<_>>(), [(Recipient::Buyer, PRICE)]);
        world.withdraw(&escrow, Recipient::Buyer).await.unwrap();
        assert_eq!(gains(&world, &money, before).await, [0, 0]);
    }
}

#[tokio::test]
async fn each_silence_has_its_price() {
    let world = World::new().await;
    let money = world.sol().await;
    let now = world.now().await;
    let mut terms = world.terms(&money, PRICE).await;
    terms.fund_by = now + SOON;
    terms.ruling_window = 1;
    (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (1_000, 9_000, 5_000);
    terms.milestones = (0..3).map(|_| terms::milestone(PRICE, now + SOON)).collect();
    terms.milestones[1].review_window = 1;
    terms.milestones[2].review_window = 60 * 60;
    let before = parties(&world, &money).await;
    let escrow = world.funded(&terms).await;
    for milestone in [1, 2] {
        let deliver = instruction::deliver(escrow, world.seller.pubkey(), milestone, [0; 32]);
        world.send(&[deliver], &[&world.seller]).await.unwrap();
    }
    world.send(&[instruction::dispute(escrow, world.buyer.pubkey(), 2, [1; 32])], &[&world.buyer]).await.unwrap();

    if !world.reach(now + SOON).await {
        return;
    }
    for milestone in 0..3 {
        world.send(&[instruction::expire(escrow, milestone)], &[]).await.unwrap();
    }
    let to_seller: u64 = [1_000, 9_000, 5_000].iter().map(|bps| PRICE * bps / 10_000).sum();
    assert_eq!(
        world.read(&escrow).await.due().collect::<Vec<_>>(),
        [(Recipient::Buyer, 3 * PRICE - to_seller), (Recipient::Seller, to_seller)]
    );
    world.withdraw(&escrow, Recipient::Buyer).await.unwrap();
    world.withdraw(&escrow, Recipient::Seller).await.unwrap();
    assert_eq!(gains(&world, &money, before).await, [-i128::from(to_seller), i128::from(to_seller)]);
    close(&world, &escrow).await;
}

#[tokio::test]
async fn the_fee_of_many_releases_is_the_fee_of_one() {
    let world = World::new().await;
    let marketplace = Keypair::new();
    for money in [world.sol().await, world.token(TokenProgram::Token).await] {
        let before = parties(&world, &money).await;
        let before_fee = world.balance(&money, &marketplace.pubkey()).await;
        let mut terms = world.terms(&money, PRICE).await;
        (terms.fee_recipient, terms.fee_bps) = (marketplace.pubkey(), 333);
        let escrow = world.funded(&terms).await;
        let mut remaining = PRICE;
        for part in [1, 30, 99_999_999, PRICE - 100_000_030] {
            let release = instruction::release(
                escrow,
                world.buyer.pubkey(),
                0,
                instruction::Part { amount: part, of: remaining },
            );
            world.send(&[release], &[&world.buyer]).await.unwrap();
            remaining -= part;
        }
        assert_eq!(remaining, 0);
        let fee = PRICE * 333 / 10_000;
        for recipient in [Recipient::Fee, Recipient::Seller] {
            world.withdraw(&escrow, recipient).await.unwrap();
        }
        assert_eq!(gains(&world, &money, before).await, [-i128::from(PRICE), i128::from(PRICE - fee)]);
        assert_eq!(world.balance(&money, &marketplace.pubkey()).await, before_fee + fee);
    }
}

#[tokio::test]
async fn an_arbiter_rules_and_is_paid() {
    let world = World::new().await;
    let money = world.token(TokenProgram::Token).await;
    let before = parties(&world, &money).await;
    let mut terms = world.terms(&money, PRICE).await;
    (terms.arbiter, terms.arbiter_fee_bps) = (world.arbiter.pubkey(), 100);
    let escrow = world.funded(&terms).await;
    let (buyer, seller, arbiter) = (&world.buyer, &world.seller, &world.arbiter);
    world.send(&[instruction::deliver(escrow, seller.pubkey(), 0, [0; 32])], &[seller]).await.unwrap();
    world.send(&[instruction::dispute(escrow, buyer.pubkey(), 0, [1; 32])], &[buyer]).await.unwrap();
    world.send(&[instruction::rule(escrow, arbiter.pubkey(), 0, 2_500, [2; 32])], &[arbiter]).await.unwrap();
    let fee = PRICE / 100;
    let to_seller = (PRICE - fee) * 2_500 / 10_000;
    for recipient in [Recipient::Buyer, Recipient::Seller, Recipient::Arbiter] {
        world.withdraw(&escrow, recipient).await.unwrap();
    }
    assert_eq!(gains(&world, &money, before).await, [-i128::from(to_seller + fee), i128::from(to_seller)]);
    assert_eq!(world.balance(&money, &arbiter.pubkey()).await, fee);
}

#[tokio::test]
async fn the_parties_extend_and_then_split() {
    let world = World::new().await;
    let money = world.sol().await;
    let before = parties(&world, &money).await;
    let terms = world.terms(&money, PRICE).await;
    let escrow = world.funded(&terms).await;
    let (buyer, seller) = (&world.buyer, &world.seller);
    let expires_at = world.now().await + 60 * 60;

    let replaces = terms.milestones[0].deliver_by;
    let (status, deadline) = (MilestoneStatus::Pending, replaces + 1);
    let extension = Proposal::Extension { milestone: 0, status, replaces, deadline, expires_at };
    world.send(&[instruction::propose(escrow, seller.pubkey(), extension)], &[seller]).await.unwrap();
    assert_eq!(world.read(&escrow).await.state.seller_proposal.proposal(), Ok(extension));
    world.send(&[instruction::accept(escrow, buyer.pubkey(), extension)], &[buyer]).await.unwrap();
    let account = world.read(&escrow).await;
    assert_eq!(account.milestone(0).unwrap().deadline, deadline);
    assert_eq!(account.terms(), terms, "an extension does not change the terms");

    let split =
        Proposal::Split { milestone: 0, status: MilestoneStatus::Pending, remaining: PRICE, to_seller: 7, expires_at };
    world.send(&[instruction::propose(escrow, buyer.pubkey(), split)], &[buyer]).await.unwrap();
    world.send(&[instruction::accept(escrow, seller.pubkey(), split)], &[seller]).await.unwrap();
    world.withdraw(&escrow, Recipient::Buyer).await.unwrap();
    world.withdraw(&escrow, Recipient::Seller).await.unwrap();
    assert_eq!(gains(&world, &money, before).await, [-7, 7]);
}

#[tokio::test]
async fn who_knows_the_secret_claims_for_the_seller() {
    let world = World::new().await;
    let money = world.sol().await;
    let before = parties(&world, &money).await;
    let mut terms = world.terms(&money, PRICE).await;
    terms.hashlock = Sha256::digest([9; 32]).into();
    let escrow = world.funded(&terms).await;
    world.send(&[instruction::claim(escrow, 0, [9; 32])], &[]).await.unwrap();
    world.withdraw(&escrow, Recipient::Seller).await.unwrap();
    assert_eq!(gains(&world, &money, before).await, [-i128::from(PRICE), i128::from(PRICE)]);
}

/// Tokens that somebody sent to the vault uninvited are counted as nobody's, and go to the buyer at the end.
#[tokio::test]
async fn uninvited_tokens_go_to_the_buyer() {
    let world = World::new().await;
    let money = world.token(TokenProgram::Token).await;
    let mint = money.mint.as_ref().unwrap();
    let mut terms = world.terms(&money, PRICE).await;
    terms.fund_by = world.now().await + SOON;
    let before = parties(&world, &money).await;
    let escrow = world.funded(&terms).await;
    assert_eq!(world.client.surplus(&world.read(&escrow).await).await.unwrap(), 0);
    send_tokens_to_the_vault(&world, mint, &escrow, 11).await;
    let account = world.read(&escrow).await;
    assert_eq!(world.client.surplus(&account).await.unwrap(), 11);

    let refund = instruction::refund(escrow, world.seller.pubkey(), 0, instruction::Part { amount: PRICE, of: PRICE });
    world.send(&[refund], &[&world.seller]).await.unwrap();
    assert_eq!(world.client.surplus(&world.read(&escrow).await).await.unwrap(), 11);
    world.withdraw(&escrow, Recipient::Buyer).await.unwrap();
    if world.reach(terms.fund_by).await {
        close(&world, &escrow).await;
        assert_eq!(gains(&world, &money, before).await, [11, 0]);
    }
}

/// The same for an escrow that was never funded.
#[tokio::test]
async fn uninvited_tokens_go_to_the_buyer_of_a_cancelled_escrow() {
    let world = World::new().await;
    let money = world.token(TokenProgram::Token2022).await;
    let mint = money.mint.as_ref().unwrap();
    let before = parties(&world, &money).await;
    let escrow = world.created(&world.terms(&money, PRICE).await).await;
    send_tokens_to_the_vault(&world, mint, &escrow, 11).await;
    let account = world.read(&escrow).await;
    assert_eq!(world.client.surplus(&account).await.unwrap(), 11);
    let cancel = instruction::cancel(&account, world.seller.pubkey(), true);
    world.send(&[cancel], &[&world.seller]).await.unwrap();
    assert_eq!(world.client.find(&escrow).await.unwrap(), None);
    assert_eq!(gains(&world, &money, before).await, [11, 0]);
}

async fn send_tokens_to_the_vault(
    world: &World,
    mint: &escrow_localnet::TestMint,
    escrow: &solana_pubkey::Pubkey,
    amount: u64,
) {
    let stranger = Keypair::new();
    let source = world.net.mint_to(mint, &stranger.pubkey(), amount).await.unwrap();
    let vault = address::vault_address(escrow);
    let (program, decimals) = (mint.token_program.id(), mint.decimals);
    let transfer = spl_token_2022_interface::instruction::transfer_checked(
        &program,
        &source,
        &mint.address,
        &vault,
        &stranger.pubkey(),
        &[],
        amount,
        decimals,
    );
    world.net.send(&[transfer.unwrap()], &[&stranger]).await.unwrap();
}

/// Tokens come from and go to token accounts other than the associated ones, where they are named.
#[tokio::test]
async fn tokens_come_from_and_go_to_named_accounts() {
    let world = World::new().await;
    let money = world.token(TokenProgram::Token).await;
    let mint = money.mint.as_ref().unwrap();
    let [source, destination] =
        [new_token_account(&world, mint, &world.buyer).await, new_token_account(&world, mint, &world.seller).await];
    let associated = mint.associated_account(&world.buyer.pubkey());
    let transfer = spl_token_2022_interface::instruction::transfer_checked(
        &mint.token_program.id(),
        &associated,
        &mint.address,
        &source,
        &world.buyer.pubkey(),
        &[],
        PRICE,
        mint.decimals,
    );
    world.net.send(&[transfer.unwrap()], &[&world.buyer]).await.unwrap();

    let terms = world.terms(&money, PRICE).await;
    let escrow = world.created(&terms).await;
    world.send(&[instruction::fund_from(&terms, Some(source)).unwrap()], &[&world.buyer]).await.unwrap();
    assert_eq!(world.client.token_balance(&source).await.unwrap(), Some(0));
    assert_eq!(world.client.token_balance(&associated).await.unwrap(), Some(SOL - PRICE));

    let release = instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: PRICE, of: PRICE });
    world.send(&[release], &[&world.buyer]).await.unwrap();
    let account = world.read(&escrow).await;
    let withdraw = instruction::withdraw_to(&account, Recipient::Seller, Some(destination));
    world.send(&[withdraw], &[&world.seller]).await.unwrap();
    assert_eq!(world.client.token_balance(&destination).await.unwrap(), Some(PRICE));
}

/// A token account of `owner` that is not the associated one.
async fn new_token_account(world: &World, mint: &escrow_localnet::TestMint, owner: &Keypair) -> solana_pubkey::Pubkey {
    let account = Keypair::new();
    let payer = world.net.payer().await.unwrap().pubkey();
    let program = mint.token_program.id();
    let rent = world.net.rpc().get_minimum_balance_for_rent_exemption(165).await.unwrap();
    let create = solana_system_interface::instruction::create_account(&payer, &account.pubkey(), rent, 165, &program);
    let initialize = spl_token_2022_interface::instruction::initialize_account3(
        &program,
        &account.pubkey(),
        &mint.address,
        &owner.pubkey(),
    );
    world.net.send(&[create, initialize.unwrap()], &[&account]).await.unwrap();
    account.pubkey()
}

/// The largest escrow that there is fits one transaction, with its funding, and each of its milestones is its own.
#[tokio::test]
async fn eight_milestones_with_everything_named_fit_one_transaction() {
    let world = World::new().await;
    let money = world.token(TokenProgram::Token2022).await;
    let mut terms = world.terms(&money, 1).await;
    terms.arbiter = world.arbiter.pubkey();
    (terms.attester, terms.fee_recipient) = (Keypair::new().pubkey(), Keypair::new().pubkey());
    (terms.fee_bps, terms.arbiter_fee_bps, terms.accepted_risks) = (1_000, 1_000, 31);
    terms.document_hash = [1; 32];
    let deliver_by = terms.milestones[0].deliver_by;
    terms.milestones = (1..=8).map(|amount| terms::milestone(amount * 1_000, deliver_by)).collect();
    let escrow = world.funded(&terms).await;
    let account = world.read(&escrow).await;
    assert_eq!(account.terms(), terms);
    let amounts: Vec<u64> = account.milestones.iter().map(|milestone| milestone.remaining).collect();
    assert_eq!(amounts, [1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000]);
    let release = instruction::release(escrow, world.buyer.pubkey(), 7, instruction::Part { amount: 8_000, of: 8_000 });
    world.send(&[release], &[&world.buyer]).await.unwrap();
    let account = world.read(&escrow).await;
    let settled: Vec<bool> = account.milestones.iter().map(|milestone| milestone.is_settled()).collect();
    assert_eq!(settled, [false, false, false, false, false, false, false, true]);
}

/// What happened can be read from the transactions, also after the account is gone.
#[tokio::test]
async fn a_closed_escrow_has_a_history() {
    let world = World::new().await;
    let mut terms = world.terms(&world.sol().await, PRICE).await;
    terms.fund_by = world.now().await + SOON;
    let escrow = world.funded(&terms).await;
    let release = instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: PRICE, of: PRICE });
    world.send(&[release], &[&world.buyer]).await.unwrap();
    world.withdraw(&escrow, Recipient::Seller).await.unwrap();
    let mut wanted = vec![
        (EscrowInstruction::Create { terms: Box::new(terms.clone()) }, Some(world.operator.pubkey())),
        (EscrowInstruction::Fund, Some(world.buyer.pubkey())),
        (
            EscrowInstruction::Release { milestone: 0, amount: PRICE, expected_remaining: PRICE },
            Some(world.buyer.pubkey()),
        ),
        (EscrowInstruction::Withdraw { recipient: Recipient::Seller }, None),
    ];
    if world.reach(terms.fund_by).await {
        close(&world, &escrow).await;
        wanted.push((EscrowInstruction::Close, None));
    }
    let history = world.client.history(&escrow).await.unwrap();
    assert_eq!(history.completeness, Completeness::Whole);
    let entries = history.steps.into_iter().map(|step| step.entry.action);
    let history: Vec<_> = entries.map(|action| (action.instruction, action.actor)).collect();
    assert_eq!(history, wanted);
    let other = world.client.history(&Keypair::new().pubkey()).await.unwrap();
    assert_eq!((other.steps.len(), other.completeness), (0, Completeness::Nothing));
}
