//! A node that lies. What it answers is compared with what follows from it: every lie has its name, and none panics.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    mem::offset_of,
    sync::{Arc, Mutex},
};

use escrow_client::{
    Error, EscrowAccount, Milestone, Recipient, Terms,
    account::AccountError,
    address::{escrow_address, vault_address},
    escrow::state::{Escrow, HEADER_SIZE, Ledger, MILESTONE_SIZE, ProposalSlot},
    instruction, terms,
};
use escrow_localnet::TokenProgram;
use solana_account::Account;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{system_program, sysvar};
use solana_signer::Signer;

use crate::{
    World,
    gateway::{Gateway, Reply, account_info},
};

/// Notes the largest allocation of each thread.
struct Measured;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is the system's allocator's; the note beside it allocates nothing.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measured = Measured;

const HEADER: usize = 8;
const COUNT: usize = HEADER + HEADER_SIZE;
const PADDING: usize = COUNT + 4;
const MILESTONES: usize = PADDING + 4;

/// A funded escrow with two milestones, an arbiter, a fee and a proposal, of which a part is released: every field that
/// can hold something does.
struct Truth {
    world: World,
    address: Pubkey,
    account: Account,
    terms: Terms,
}

impl Truth {
    async fn new() -> Self {
        let world = World::new().await;
        let money = world.token(TokenProgram::Token).await;
        let mut terms = world.terms(&money, 1_000).await;
        terms.milestones.push(terms::milestone(500, terms.milestones[0].deliver_by));
        (terms.arbiter, terms.arbiter_fee_bps) = (world.arbiter.pubkey(), 100);
        (terms.attester, terms.fee_recipient, terms.fee_bps) = (Pubkey::new_unique(), Pubkey::new_unique(), 250);
        (terms.document_hash, terms.cooling_off) = ([3; 32], 60);
        let address = world.funded(&terms).await;
        let release =
            instruction::release(address, world.buyer.pubkey(), 0, instruction::Part { amount: 100, of: 1_000 });
        let expires_at = world.now().await + 1_000;
        let split = escrow_client::Proposal::Split {
            milestone: 1,
            status: escrow_client::MilestoneStatus::Pending,
            remaining: 500,
            to_seller: 9,
            expires_at,
        };
        let propose = instruction::propose(address, world.buyer.pubkey(), split);
        world.send(&[release, propose], &[&world.buyer]).await.unwrap();
        let account = world.client.account(&address).await.unwrap().unwrap();
        assert_eq!(EscrowAccount::decode(address, &account).unwrap().terms(), terms);
        Self { world, address, account, terms }
    }

    /// The account with other bytes at `offset`.
    fn with<const N: usize>(&self, offset: usize, bytes: [u8; N]) -> Account {
        let mut account = self.account.clone();
        account.data[offset..offset + N].copy_from_slice(&bytes);
        account
    }

    /// The account with `change` added to the byte at `offset`.
    fn off_by(&self, offset: usize, change: u8) -> Account {
        self.with(offset, [self.account.data[offset].wrapping_add(change)])
    }

    /// The account with other data.
    fn sized(&self, size: usize) -> Account {
        let mut account = self.account.clone();
        account.data.resize(size, 0);
        account
    }

    /// Where these terms belong.
    fn belongs(&self, change: impl FnOnce(&mut Terms)) -> AccountError {
        let mut terms = self.terms.clone();
        change(&mut terms);
        AccountError::Address(escrow_address(&terms).unwrap())
    }
}

#[tokio::test]
async fn every_lie_about_an_escrow_has_its_name() {
    let truth = Truth::new().await;
    let size = truth.account.data.len();
    assert_eq!(size, MILESTONES + 2 * MILESTONE_SIZE);
    let header = |offset| HEADER + offset;
    let milestone = |offset| MILESTONES + MILESTONE_SIZE + offset;
    let ledger = |offset| HEADER + offset_of!(Escrow, ledger) + offset;
    let stranger = Pubkey::new_unique();
    let other_terms = Terms { salt: [0; 16], ..truth.terms.clone() };

    let lies = [
        (
            "a stranger's program owns it",
            Account { owner: stranger, ..truth.account.clone() },
            AccountError::Owner(stranger),
        ),
        (
            "nobody's program owns it, and it holds something",
            Account { owner: system_program::ID, ..truth.account.clone() },
            AccountError::Owner(system_program::ID),
        ),
        ("it is empty", truth.sized(0), AccountError::Size(0)),
        ("it ends in the discriminator", truth.sized(7), AccountError::Size(7)),
        ("it ends in the header", truth.sized(HEADER + 100), AccountError::Size(HEADER + 100)),
        ("it ends in the count", truth.sized(COUNT + 3), AccountError::Size(COUNT + 3)),
        ("it ends in the padding", truth.sized(PADDING + 1), AccountError::Size(PADDING + 1)),
        ("it has no milestones", truth.sized(MILESTONES), AccountError::Size(MILESTONES)),
        ("it ends in a milestone", truth.sized(size - 1), AccountError::Size(size - 1)),
        ("it goes on behind them", truth.sized(size + 1), AccountError::Size(size + 1)),
        ("a milestone is missing", truth.sized(size - 40), AccountError::MilestoneCount { counted: 2, room: 1 }),
        ("there is one more", truth.sized(size + 40), AccountError::MilestoneCount { counted: 2, room: 3 }),
        ("there are nine", truth.sized(MILESTONES + 9 * 40), AccountError::Size(MILESTONES + 9 * 40)),
        ("it is as large as can be", truth.sized(10 << 20), AccountError::Size(10 << 20)),
        ("it counts none", truth.with(COUNT, [0; 4]), AccountError::MilestoneCount { counted: 0, room: 2 }),
        (
            "it counts four thousand millions",
            truth.with(COUNT, [0xff; 4]),
            AccountError::MilestoneCount { counted: u32::MAX, room: 2 },
        ),
        ("it is of another kind", truth.off_by(0, 1), AccountError::Discriminator),
        ("all of it is zero", truth.with(0, [0; HEADER + HEADER_SIZE]), AccountError::Discriminator),
        ("it is of another version", truth.with(header(offset_of!(Escrow, version)), [3]), AccountError::Version(3)),
        ("it has no status", truth.with(header(offset_of!(Escrow, status)), [0]), AccountError::Value("status")),
        ("it has no such status", truth.with(header(offset_of!(Escrow, status)), [3]), AccountError::Value("status")),
        (
            "it is not funded, and was",
            truth.with(header(offset_of!(Escrow, status)), [1]),
            AccountError::Value("funding time"),
        ),
        (
            "it is funded, and never was",
            truth.with(header(offset_of!(Escrow, funded_at)), [0; 8]),
            AccountError::Value("funding time"),
        ),
        (
            "a milestone has no such status",
            truth.with(milestone(offset_of!(Milestone, status)), [4]),
            AccountError::Value("milestone status"),
        ),
        (
            "a milestone has something where nothing is",
            truth.with(milestone(offset_of!(Milestone, reserved)), [1]),
            AccountError::Value("milestone padding"),
        ),
        ("the padding is not zero", truth.with(PADDING + 3, [1]), AccountError::Value("padding")),
        (
            "the buyer proposes what does not exist",
            truth.with(header(offset_of!(Escrow, buyer_proposal) + offset_of!(ProposalSlot, kind)), [3]),
            AccountError::Value("proposal"),
        ),
        (
            "the seller proposes what does not exist",
            truth.with(header(offset_of!(Escrow, seller_proposal) + offset_of!(ProposalSlot, kind)), [255]),
            AccountError::Value("proposal"),
        ),
        (
            "another buyer",
            truth.with(header(offset_of!(Escrow, buyer)), stranger.to_bytes()),
            truth.belongs(|terms| terms.buyer = stranger),
        ),
        (
            "another seller",
            truth.with(header(offset_of!(Escrow, seller)), stranger.to_bytes()),
            truth.belongs(|terms| terms.seller = stranger),
        ),
        (
            "another arbiter",
            truth.with(header(offset_of!(Escrow, arbiter)), stranger.to_bytes()),
            truth.belongs(|terms| terms.arbiter = stranger),
        ),
        (
            "another token",
            truth.with(header(offset_of!(Escrow, mint)), stranger.to_bytes()),
            truth.belongs(|terms| terms.mint = stranger),
        ),
        (
            "SOL and not a token",
            truth.with(header(offset_of!(Escrow, mint)), [0; 32]),
            truth.belongs(|terms| terms.mint = Pubkey::default()),
        ),
        (
            "a higher fee",
            truth.with(header(offset_of!(Escrow, fee_bps)), 999u16.to_le_bytes()),
            truth.belongs(|terms| terms.fee_bps = 999),
        ),
        (
            "a larger amount",
            truth.with(milestone(offset_of!(Milestone, amount)), 501u64.to_le_bytes()),
            truth.belongs(|terms| terms.milestones[1].amount = 501),
        ),
        (
            "more time to deliver",
            truth.with(milestone(offset_of!(Milestone, deliver_by)), i64::MAX.to_le_bytes()),
            truth.belongs(|terms| terms.milestones[1].deliver_by = i64::MAX),
        ),
        (
            "amounts whose sum does not fit",
            truth.with(milestone(offset_of!(Milestone, amount)), [0xff; 8]),
            truth.belongs(|terms| terms.milestones[1].amount = u64::MAX),
        ),
        (
            "another hash of the same terms",
            truth.off_by(header(offset_of!(Escrow, terms_hash)), 1),
            AccountError::Address(truth.address),
        ),
        ("another bump", truth.off_by(header(offset_of!(Escrow, bump)), 1), AccountError::Address(truth.address)),
        (
            "another vault",
            truth.with(header(offset_of!(Escrow, vault)), stranger.to_bytes()),
            AccountError::Vault(vault_address(&truth.address)),
        ),
        ("a larger principal", truth.off_by(ledger(offset_of!(Ledger, principal)), 1), AccountError::Ledger),
        ("more released", truth.off_by(ledger(offset_of!(Ledger, released)), 1), AccountError::Ledger),
        ("more refunded", truth.off_by(ledger(offset_of!(Ledger, refunded)), 1), AccountError::Ledger),
        (
            "more due to the seller than decided",
            truth.off_by(ledger(offset_of!(Ledger, due_seller)), 1),
            AccountError::Ledger,
        ),
        ("something due to the buyer", truth.off_by(ledger(offset_of!(Ledger, due_buyer)), 1), AccountError::Ledger),
        (
            "something due to the arbiter",
            truth.off_by(ledger(offset_of!(Ledger, due_arbiter)), 1),
            AccountError::Ledger,
        ),
        ("sums that do not fit", truth.with(ledger(offset_of!(Ledger, due_buyer)), [0xff; 8]), AccountError::Ledger),
        ("less remaining", truth.off_by(milestone(offset_of!(Milestone, remaining)), 255), AccountError::Ledger),
        (
            "settled, with something remaining",
            truth.with(milestone(offset_of!(Milestone, status)), [3]),
            AccountError::Ledger,
        ),
        ("another genuine escrow", other(&truth, &other_terms).await, truth.belongs(|terms| *terms = other_terms)),
    ];

    let told = Arc::new(Mutex::new(truth.account.clone()));
    let gateway = Gateway::before(&truth.world.net, {
        let told = Arc::clone(&told);
        move |method, _| match method {
            "getAccountInfo" => Reply::Result(account_info(&told.lock().unwrap())),
            _ => Reply::Forward,
        }
    })
    .await;
    let client = gateway.client();
    assert_eq!(client.escrow(&truth.address).await.unwrap(), truth.world.read(&truth.address).await);
    for (lie, account, reason) in lies {
        *told.lock().unwrap() = account;
        match client.escrow(&truth.address).await {
            Err(Error::NotAnEscrow { address, source }) => {
                assert_eq!((address, source), (truth.address, reason), "{lie}");
            }
            other => panic!("{lie}: {other:?}"),
        }
        assert!(client.find(&truth.address).await.is_err(), "{lie}: found nothing where something is");
    }
}

/// Another escrow that exists.
async fn other(truth: &Truth, terms: &Terms) -> Account {
    let address = truth.world.created(terms).await;
    truth.world.client.account(&address).await.unwrap().unwrap()
}

/// Whatever bit is turned: the terms are still those of the address, or it is an error.
#[tokio::test]
async fn no_bit_of_the_terms_turns_unnoticed() {
    let truth = Truth::new().await;
    let honest = EscrowAccount::decode(truth.address, &truth.account).unwrap();
    let mut refused = 0;
    for index in 0..truth.account.data.len() {
        for bit in 0..8 {
            let lie = truth.off_by(index, 1 << bit);
            if let Ok(escrow) = EscrowAccount::decode(truth.address, &lie) {
                assert_eq!(escrow.terms(), truth.terms, "byte {index}");
                assert_eq!(escrow.state.ledger.principal, 1_500, "byte {index}");
                assert_eq!(escrow.state.vault, honest.state.vault, "byte {index}");
            } else {
                refused += 1;
            }
        }
    }
    assert!(refused > 8 * 400, "{refused}");
}

#[tokio::test]
async fn a_lie_costs_no_memory() {
    let truth = Truth::new().await;
    for lie in [truth.with(COUNT, [0xff; 4]), truth.sized(10 << 20), truth.with(MILESTONES, [0xff; 40]), truth.sized(3)]
    {
        LARGEST.set(0);
        EscrowAccount::decode(truth.address, &lie).unwrap_err();
        let largest = LARGEST.get();
        assert!(largest < 4_096, "{largest} bytes at once for {} bytes of data", lie.data.len());
    }
}

/// Every prefix of an account, and every account of another size, is refused.
#[tokio::test]
async fn no_part_of_an_escrow_is_an_escrow() {
    let truth = Truth::new().await;
    for size in (0..truth.account.data.len()).chain(truth.account.data.len() + 1..MILESTONES + 10 * MILESTONE_SIZE) {
        EscrowAccount::decode(truth.address, &truth.sized(size)).expect_err(&size.to_string());
    }
}

/// Answers that are no accounts at all.
#[tokio::test]
async fn an_answer_that_makes_no_sense_is_an_error_with_the_nodes_address() {
    let world = World::new().await;
    let address = Pubkey::new_unique();
    let answers: [fn() -> Reply; 8] = [
        || Reply::Http("200 OK", String::new()),
        || Reply::Http("200 OK", "<html>welcome</html>".to_owned()),
        || Reply::Http("200 OK", "[".repeat(100_000)),
        || Reply::Http("500 Internal Server Error", "{}".to_owned()),
        || Reply::Http("403 Forbidden", "no key".to_owned()),
        || Reply::Result(serde_json::json!({})),
        || Reply::Result(serde_json::json!({ "context": { "slot": 1 }, "value": { "lamports": -1 } })),
        || Reply::HangUp,
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        let gateway = Gateway::before(&world.net, move |_, _| answer()).await;
        let client = gateway.client();
        let error = client.escrow(&address).await.unwrap_err();
        assert!(matches!(&error, Error::Rpc { url, .. } if *url == gateway.url), "{index}: {error:?}");
        assert!(error.to_string().contains(&gateway.url), "{index}: {error}");
        for error in [client.now().await.unwrap_err(), client.list(&Default::default()).await.unwrap_err()] {
            assert!(matches!(error, Error::Rpc { .. }), "{index}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_node_without_a_clock_is_named() {
    let world = World::new().await;
    let clock = world.client.account(&sysvar::clock::ID).await.unwrap().unwrap();
    for data in [Vec::new(), clock.data[..39].to_vec()] {
        let lie = Account { data, ..clock.clone() };
        let gateway = Gateway::before(&world.net, move |_, _| Reply::Result(account_info(&lie))).await;
        let error = gateway.client().now().await.unwrap_err();
        assert!(matches!(&error, Error::Answer { url, .. } if *url == gateway.url), "{error:?}");
    }
}

#[tokio::test]
async fn a_broken_mint_is_not_a_mint() {
    let world = World::new().await;
    let mint = world.token(TokenProgram::Token2022).await.mint.unwrap();
    let honest = world.client.account(&mint.address).await.unwrap().unwrap();
    let mut lies: Vec<Account> =
        (0..honest.data.len()).map(|size| Account { data: honest.data[..size].to_vec(), ..honest.clone() }).collect();
    let mut not_initialised = honest.clone();
    not_initialised.data[45] = 0;
    lies.push(not_initialised);
    let mut token_account = honest.clone();
    token_account.data.resize(165, 0);
    lies.push(token_account.clone());
    token_account.data.extend([2, 0, 0, 0, 0]);
    lies.push(token_account);
    lies.push(Account { owner: Pubkey::new_unique(), ..honest.clone() });

    let told = Arc::new(Mutex::new(honest));
    let gateway = Gateway::before(&world.net, {
        let told = Arc::clone(&told);
        move |_, _| Reply::Result(account_info(&told.lock().unwrap()))
    })
    .await;
    let client = gateway.client();
    assert_eq!(client.mint(&mint.address).await.unwrap().decimals, mint.decimals);
    for lie in lies {
        let size = lie.data.len();
        *told.lock().unwrap() = lie;
        let error = client.mint(&mint.address).await.unwrap_err();
        assert!(matches!(error, Error::NotAMint { address, .. } if address == mint.address), "{size}: {error:?}");
    }
}

/// What is due is read from the account alone, so it is checked there.
#[tokio::test]
async fn what_is_due_was_decided() {
    let truth = Truth::new().await;
    let escrow = EscrowAccount::decode(truth.address, &truth.account).unwrap();
    assert_eq!(escrow.due().collect::<Vec<_>>(), [(Recipient::Seller, 98), (Recipient::Fee, 2)]);
}
