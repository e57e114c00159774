//! The version of an account: those of another one are refused by name, those of the present one are what they were.
//! See `docs/upgrading.md`.

use std::collections::BTreeSet;

use escrow_client::{
    EscrowAccount,
    EscrowError::*,
    MilestoneStatus, Recipient,
    account::AccountError,
    address,
    escrow::{
        self,
        state::{LAYOUT_VERSION, VERSION_OFFSET},
    },
};
use escrow_tests::{
    INITIAL_LAMPORTS, KINDS, Kind, SECRET, TOKEN, Who, World, case,
    deal::*,
    fixtures::{self, Fixture},
    generated, keypair,
};
use solana_account::Account;
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::accounts::refuse_altered;

/// A bank with the accounts of a fixture in it, at the time when it was taken.
fn bank(fixture: &Fixture) -> World {
    let mut world = World::new();
    world.set_time(fixture.now);
    let mut put = |address: Pubkey, owner: Pubkey, data: &[u8], lamports: u64| {
        let account = Account { lamports, data: data.to_vec(), owner, executable: false, rent_epoch: u64::MAX };
        world.svm.set_account(address, account).expect("an account");
    };
    put(fixture.escrow, escrow::ID, &fixture.data, fixture.lamports);
    if let Some((vault, data, lamports)) = &fixture.vault {
        put(*vault, TOKEN, data, *lamports);
    }
    world
}

fn kind(fixture: &Fixture) -> Kind {
    if fixture.vault.is_some() { Kind::Token } else { Kind::Sol }
}

// Of another version ---------------------------------------------------------------------------------------------------

/// Every instruction with these accounts, by the people whom the fixtures name.
fn acts_on(escrow: Pubkey, vault: Pubkey, kind: Kind) -> Vec<(String, Act)> {
    let roles = |world: &World, terms: &mut escrow_client::Terms| {
        all_different(world, terms);
        terms.attester = world.attester.pubkey();
    };
    let created = Deal::created(kind, &[1_000, 500], roles);
    let mut funded = created.fork();
    funded.ok(funded.fund());
    let mut acts = Vec::new();
    for (stage, deal) in [("created", created), ("funded", funded)] {
        let all = deal.every_act();
        assert_eq!(all.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>().len(), 13);
        let by_seller = ("deliver, by the seller", deal.deliver_by(0, Who::Seller));
        for (name, mut act) in all.into_iter().chain([by_seller]) {
            let here = [(deal.escrow, escrow), (deal.vault(), vault)];
            for account in &mut act.instruction.accounts {
                if let Some((_, there)) = here.iter().find(|(from, _)| *from == account.pubkey) {
                    account.pubkey = *there;
                }
            }
            acts.push((format!("{name}, as if {stage}"), act));
        }
    }
    acts
}

#[test]
fn every_account_of_version_1_is_refused_by_name_by_every_instruction() {
    let all = fixtures::committed(1);
    assert_eq!(all.len(), 24);
    for fixture in all {
        let mut world = bank(&fixture);
        let vault = fixture.vault.as_ref().map_or(address::vault_address(&fixture.escrow), |(vault, ..)| *vault);
        let acts = acts_on(fixture.escrow, vault, kind(&fixture));
        // When it was taken, and when all its deadlines are past.
        for at in [fixture.now, fixture.now + 2 * TWO_YEARS] {
            world.set_time(at);
            for (name, act) in &acts {
                case(format_args!("{}, {name}, at {at}", fixture.name));
                let signers: Vec<&Keypair> = act.signers.iter().collect();
                world.refused(act.instruction.clone(), &signers, VersionUnsupported);
            }
        }
        let decoded = EscrowAccount::decode(fixture.escrow, &world.raw(&fixture.escrow));
        assert_eq!(decoded, Err(AccountError::Version(1)), "{}", fixture.name);
    }
}

/// The hash of the terms has another prefix, so that no terms of this version lead to an address of version 1.
#[test]
fn no_terms_lead_to_an_address_of_version_1() {
    for fixture in fixtures::committed(1) {
        let mut fresh = Deal::agreed(bank(&fixture), kind(&fixture), &[1_000], plain);
        fresh.world.set_time(escrow_tests::START);
        fresh.refused(fresh.create().account(1, fixture.escrow), AddressMismatch);
    }
}

fn other_versions() -> impl Iterator<Item = u8> {
    (0..=u8::MAX).filter(|version| *version != LAYOUT_VERSION)
}

#[test]
fn an_account_of_any_other_version_is_refused_by_name_by_every_instruction() {
    for kind in KINDS {
        let created = Deal::created(kind, &[1_000], plain);
        let mut funded = created.fork();
        funded.ok(funded.fund());
        let mut settled = funded.fork();
        settled.ok(settled.release(0, 1_000));
        for (stage, deal) in [("created", created), ("funded", funded), ("settled", settled)] {
            let acts = deal.every_act();
            // Every version where it is quick, elsewhere those at the ends and next to the present one.
            let every = (kind, stage) == (Kind::Sol, "funded");
            for version in other_versions().filter(|version| every || [0, 1, 3, 4, 255].contains(version)) {
                let mut deal = deal.fork();
                tamper(&mut deal, |data| data[VERSION_OFFSET] = version);
                let decoded = EscrowAccount::decode(deal.escrow, &deal.world.raw(&deal.escrow));
                assert_eq!(decoded, Err(AccountError::Version(version)));
                for (name, act) in &acts {
                    case(format_args!("{kind:?}, {stage}, version {version}, {name}"));
                    deal.refused(act.clone(), VersionUnsupported);
                }
            }
        }
    }
}

/// By another version nothing else stands where it does in this one, so nothing else is looked at.
#[test]
fn an_account_of_another_version_is_refused_by_name_whatever_stands_in_it() {
    type Change = fn(&mut Account);
    let cases: [(&str, Change); 6] = [
        ("cut off behind the version", |account| account.data.truncate(VERSION_OFFSET + 1)),
        ("without milestones", |account| account.data.truncate(624)),
        ("longer", |account| account.data.resize(10_240, 0)),
        ("of another count", |account| account.data[616..620].fill(255)),
        ("of an unknown status", |account| account.data[8 + 588] = 9),
        ("of ones", |account| {
            account.data[8..VERSION_OFFSET].fill(255);
            account.data[VERSION_OFFSET + 1..].fill(255);
        }),
    ];
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for (name, change) in cases {
            for version in [1, 3] {
                let what = format!("{kind:?}, version {version}, {name}");
                let alter = |account: &mut Account| {
                    account.data[VERSION_OFFSET] = version;
                    change(account);
                };
                refuse_altered(&mut deal, &what, alter, VersionUnsupported);
            }
        }
    }
}

/// What is no escrow account has no version.
#[test]
fn what_is_no_escrow_account_is_refused_as_that_and_not_by_its_version() {
    type Change = fn(&mut Account);
    let (owner, shape, short) =
        (InstructionError::IllegalOwner, InstructionError::InvalidAccountData, InstructionError::AccountDataTooSmall);
    let cases: [(&str, Change, InstructionError); 8] = [
        ("of another program", |account| account.owner = keypair(99).pubkey(), owner.clone()),
        ("of the token program", |account| account.owner = TOKEN, owner.clone()),
        ("of the system program", |account| account.owner = solana_sdk_ids::system_program::ID, owner),
        ("of another discriminator", |account| account.data[0] ^= 1, shape.clone()),
        ("without a discriminator", |account| account.data[..8].fill(0), shape),
        ("empty", |account| account.data.clear(), short.clone()),
        ("of a discriminator", |account| account.data.truncate(8), short.clone()),
        ("cut off before the version", |account| account.data.truncate(VERSION_OFFSET), short),
    ];
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for (name, change, reason) in cases.clone() {
            for version in [1, LAYOUT_VERSION] {
                let what = format!("{kind:?}, version {version}, {name}");
                let alter = |account: &mut Account| {
                    account.data[VERSION_OFFSET] = version;
                    change(account);
                };
                refuse_altered(&mut deal, &what, alter, reason.clone());
                let mut account = deal.world.raw(&deal.escrow);
                alter(&mut account);
                let decoded = EscrowAccount::decode(deal.escrow, &account).expect_err("no escrow");
                let is_named =
                    matches!(decoded, AccountError::Owner(_) | AccountError::Discriminator | AccountError::Size(_));
                assert!(is_named, "{what}: {decoded}");
            }
        }
    }
}

// Of the present version -----------------------------------------------------------------------------------------------

/// A change of these bytes is a change of the layout, and needs another version.
#[test]
fn the_program_still_writes_the_accounts_of_its_version() {
    assert_eq!(LAYOUT_VERSION, 2);
    generated::compare("layout");
    for fixture in fixtures::committed(LAYOUT_VERSION) {
        assert_eq!(fixture.data[VERSION_OFFSET], LAYOUT_VERSION, "{}", fixture.name);
    }
}

/// The fixtures of the present version, each as a deal in a fresh bank.
fn present() -> Vec<(String, Deal)> {
    let deal = |fixture: Fixture| {
        let world = bank(&fixture);
        let terms = world.escrow(&fixture.escrow).terms();
        let (kind, escrow) = (kind(&fixture), fixture.escrow);
        let deal = Deal { world, kind, terms, escrow, uninvited: 0 };
        deal.check();
        (fixture.name, deal)
    };
    fixtures::committed(LAYOUT_VERSION).into_iter().map(deal).collect()
}

/// Lets all deadlines pass, pays everybody and closes: each gets what was due, and the share of the rest that the terms
/// say for silence.
#[track_caller]
fn end_in_silence(deal: &mut Deal) {
    let account = deal.account();
    let mut ledger = account.state.ledger;
    for (index, milestone) in (0u8..).zip(&account.milestones) {
        let status = milestone.status().expect("a status");
        if status == MilestoneStatus::Settled {
            continue;
        }
        let released = floor_share(milestone.remaining, deal.default_bps(status));
        let fees = floor_share(ledger.released + released, deal.terms.fee_bps);
        ledger.due_buyer += milestone.remaining - released;
        ledger.due_seller += released - (fees - ledger.fees);
        ledger.due_fee += fees - ledger.fees;
        (ledger.released, ledger.fees) = (ledger.released + released, fees);
        deal.world.set_time(milestone.deadline.max(deal.world.now()));
        deal.ok(deal.expire(index));
    }
    let before = deal.balances();
    deal.withdraw_all();
    let due = |recipient| i128::from(ledger.due(recipient));
    deal.assert_moved(
        &before,
        &[
            (Who::Buyer, due(Recipient::Buyer)),
            (Who::Seller, due(Recipient::Seller)),
            (Who::FeeRecipient, due(Recipient::Fee)),
            (Who::Arbiter, due(Recipient::Arbiter)),
        ],
    );
    assert_eq!(deal.held(), 0);
    let (rent_payer, vault) = (deal.key(Who::RentPayer), deal.vault());
    let rent = deal.world.lamports(&deal.escrow) + deal.world.lamports(&vault);
    deal.wait_and_close();
    assert_eq!(deal.world.lamports(&rent_payer), INITIAL_LAMPORTS + rent);
}

#[test]
fn every_account_of_the_present_version_comes_to_its_end_in_silence() {
    for (name, mut deal) in present() {
        case(&name);
        if !deal.account().is_funded() {
            let mut cancelled = deal.fork();
            let (before, rent) =
                (deal.balances(), deal.world.lamports(&deal.escrow) + deal.world.lamports(&deal.vault()));
            cancelled.ok(cancelled.cancel(Who::Seller));
            assert!(!cancelled.world.exists(&cancelled.escrow) && !cancelled.world.exists(&cancelled.vault()));
            assert_eq!(cancelled.world.lamports(&cancelled.key(Who::RentPayer)), INITIAL_LAMPORTS + rent);
            let returned = if deal.kind == Kind::Sol { i128::from(rent) } else { 0 };
            cancelled.assert_moved(&before, &[(Who::RentPayer, returned)]);
            deal.ok(deal.fund());
        }
        end_in_silence(&mut deal);
    }
}

#[test]
fn every_account_of_the_present_version_takes_the_next_step_of_its_status() {
    type Step = fn(&Deal) -> Act;
    let steps: [(&str, &[Step]); 12] = [
        ("created", &[Deal::fund, |deal| deal.cancel(Who::Buyer)]),
        ("funded, cooling off", &[|deal| deal.cancel(Who::Buyer), |deal| deal.release(0, 1_000)]),
        ("pending", &[|deal| deal.deliver(0), |deal| deal.refund(1, 500)]),
        ("delivered", &[|deal| deal.dispute(0), |deal| deal.release(0, 1)]),
        ("disputed", &[|deal| deal.rule(0, 1), |deal| deal.refund(0, 1)]),
        (
            "disputed, with an offer of each party",
            &[
                |deal| deal.accept(Who::Seller, deal.account().state.buyer_proposal.proposal().expect("an offer")),
                |deal| deal.accept(Who::Buyer, deal.account().state.seller_proposal.proposal().expect("an offer")),
            ],
        ),
        (
            "one of two milestones settled by a ruling",
            &[|deal| deal.deliver(1), |deal| deal.withdraw(Recipient::Arbiter)],
        ),
        ("partly released", &[|deal| deal.deliver(1), |deal| deal.withdraw(Recipient::Fee)]),
        ("settled", &[|deal| deal.withdraw(Recipient::Buyer), |deal| deal.withdraw(Recipient::Seller)]),
        ("settled and withdrawn", &[]),
        ("hash-lock", &[|deal| deal.claim(0, SECRET), |deal| deal.deliver(0)]),
        ("eight milestones", &[|deal| deal.deliver(0), |deal| deal.deliver(7)]),
    ];
    let deals = present();
    assert_eq!(deals.len(), 2 * steps.len());
    for (name, deal) in deals {
        let (_, steps) = steps.iter().find(|(status, _)| name.ends_with(&format!(": {status}"))).expect("a step");
        for (index, step) in steps.iter().enumerate() {
            case(format_args!("{name}, step {index}"));
            let mut deal = deal.fork();
            deal.ok(step(&deal));
            if deal.world.exists(&deal.escrow) && deal.account().is_funded() {
                end_in_silence(&mut deal);
            }
        }
    }
}
