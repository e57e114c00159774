//! `create`: which terms make an escrow, at which address, and what stands in it afterwards.

use escrow_client::{
    EscrowError::{self, *},
    Milestone, MilestoneTerms, Proposal, Terms, address,
    escrow::{
        self,
        state::{EscrowStatus, LAYOUT_VERSION, MAX_MILESTONES, MAX_TIME_AHEAD, MAX_WINDOW, ProposalSlot},
    },
    instruction, terms,
};
use escrow_tests::{DAY, INITIAL_LAMPORTS, KINDS, Kind, START, TOKEN, TOKEN_2022, Who, World, case, deal::*, keypair};
use solana_account::Account;
use solana_instruction::{Instruction, error::InstructionError};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

const TWO_YEARS: i64 = MAX_TIME_AHEAD as i64;

type Change = fn(&World, &mut Terms);

/// The instruction for terms that may be too many to hash: those go to an address of some others.
fn create_instruction(world: &World, terms: &Terms) -> Instruction {
    instruction::create(world.rent_payer.pubkey(), terms).unwrap_or_else(|_| {
        let mut fewer = terms.clone();
        fewer.milestones.truncate(MAX_MILESTONES);
        let built = instruction::create(world.rent_payer.pubkey(), &fewer).expect("terms that hash");
        Instruction { data: [&[0], borsh::to_vec(terms).expect("bytes").as_slice()].concat(), ..built }
    })
}

/// Terms of `kind` with this change are refused for this reason.
#[track_caller]
fn refuse(kind: Kind, change: impl FnOnce(&World, &mut Terms), reason: EscrowError) {
    let mut world = World::new();
    let mut terms = world.terms(kind, &[1_000]);
    change(&world, &mut terms);
    let rent_payer = world.rent_payer.insecure_clone();
    world.refused(create_instruction(&world, &terms), &[&rent_payer], reason);
}

#[track_caller]
fn refuse_all(cases: &[(&str, Change, EscrowError)]) {
    for kind in KINDS {
        for (name, change, reason) in cases {
            case(format_args!("{kind:?}, {name}"));
            refuse(kind, change, *reason);
        }
    }
}

/// Terms with this change make an escrow.
#[track_caller]
fn accept_all(cases: &[(&str, Change)]) {
    for kind in KINDS {
        for (name, change) in cases {
            case(format_args!("{kind:?}, {name}"));
            let deal = Deal::created(kind, &[1_000], change);
            assert_eq!(deal.account().terms(), deal.terms);
        }
    }
}

fn repeat(terms: &mut Terms, count: usize) {
    terms.milestones = vec![terms.milestones[0]; count];
}

// What is written -----------------------------------------------------------------------------------------------------

#[test]
fn an_escrow_holds_all_its_terms_and_nothing_else() {
    for kind in KINDS {
        for count in 1..=MAX_MILESTONES {
            case(format_args!("{kind:?}, {count} milestones"));
            let amounts: Vec<u64> = (1..=count as u64).collect();
            let deal = Deal::created(kind, &amounts, |world, terms| {
                terms.attester = world.attester.pubkey();
                terms.fee_recipient = world.fee_recipient.pubkey();
                (terms.fee_bps, terms.arbiter_fee_bps) = (11, 22);
                (terms.cooling_off, terms.ruling_window) = (33, 44);
                (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (55, 66, 77);
                terms.document_hash = [8; 32];
                terms.accepted_risks = 0b10101;
                for (index, milestone) in terms.milestones.iter_mut().enumerate() {
                    milestone.deliver_by += index as i64;
                    milestone.review_window = index as u32;
                }
            });
            let account = deal.account();
            assert_eq!(account.terms(), deal.terms);
            let state = account.state;
            assert_eq!(state.rent_payer, deal.key(Who::RentPayer));
            assert_eq!(state.vault, if kind == Kind::Sol { Pubkey::default() } else { deal.vault() });
            assert_eq!(state.terms_hash, deal.terms.hash().expect("a hash"));
            assert_eq!((state.status(), state.funded_at), (Ok(EscrowStatus::Created), 0));
            assert_eq!((state.version, state.reserved), (LAYOUT_VERSION, 0));
            assert_eq!(
                (state.buyer_proposal, state.seller_proposal),
                (ProposalSlot::default(), ProposalSlot::from(Proposal::Withdrawn))
            );
            deal.assert_ledger([0; 4], [0; 4]);
            let milestone = |terms: &MilestoneTerms| Milestone {
                amount: terms.amount,
                remaining: terms.amount,
                deliver_by: terms.deliver_by,
                deadline: terms.deliver_by,
                review_window: terms.review_window,
                status: 0,
                reserved: [0; 3],
            };
            assert_eq!(account.milestones, deal.terms.milestones.iter().map(milestone).collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_rent_payer_pays_the_rent_and_nothing_else() {
    for kind in KINDS {
        let deal = Deal::created(kind, &[1_000], plain);
        let mut rent = deal.rent();
        if kind == Kind::Token {
            rent += deal.world.svm.minimum_balance_for_rent_exemption(165);
            assert_eq!(deal.world.lamports(&deal.vault()), deal.world.svm.minimum_balance_for_rent_exemption(165));
        }
        assert_eq!(deal.world.lamports(&deal.escrow), deal.rent());
        assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS - rent);
        for who in Who::ALL.into_iter().filter(|who| *who != Who::RentPayer) {
            assert_eq!(deal.world.lamports(&deal.key(who)), INITIAL_LAMPORTS, "{who:?}");
        }
    }
}

#[test]
fn the_vault_is_an_empty_token_account_that_only_the_escrow_controls() {
    let deal = Deal::created(Kind::Token, &[1_000], plain);
    let vault = deal.world.raw(&deal.vault());
    assert_eq!(vault.owner, TOKEN);
    assert_eq!(vault.data.len(), 165);
    assert_eq!(vault.data[..32], deal.world.mint.to_bytes());
    assert_eq!(vault.data[32..64], deal.escrow.to_bytes());
    // No amount, delegate, native reserve, delegated amount or close authority; initialised.
    let mut rest = [0u8; 101];
    rest[44] = 1;
    assert_eq!(vault.data[64..], rest);
}

#[test]
fn anyone_may_pay_the_rent() {
    for kind in KINDS {
        for who in Who::ALL {
            case(format_args!("{kind:?}, {who:?}"));
            let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
            let payer = deal.keypair(who);
            deal.ok(deal.create().signed_by(0, &payer));
            assert_eq!(deal.account().state.rent_payer, payer.pubkey());
        }
    }
}

#[test]
fn optional_roles_may_coincide() {
    accept_all(&[
        ("the fee recipient is the seller", |_, terms| (terms.fee_recipient, terms.fee_bps) = (terms.seller, 100)),
        ("the fee recipient is the buyer", |_, terms| (terms.fee_recipient, terms.fee_bps) = (terms.buyer, 100)),
        ("the fee recipient is the arbiter", |_, terms| (terms.fee_recipient, terms.fee_bps) = (terms.arbiter, 100)),
        ("the attester is the buyer", |_, terms| terms.attester = terms.buyer),
        ("the attester is the seller", |_, terms| terms.attester = terms.seller),
        ("the attester is the arbiter", |_, terms| terms.attester = terms.arbiter),
        ("a fee recipient without a fee", |world, terms| terms.fee_recipient = world.fee_recipient.pubkey()),
        ("nobody but the parties", |_, terms| terms.arbiter = Pubkey::default()),
    ]);
}

// Which terms are refused ----------------------------------------------------------------------------------------------

#[test]
fn a_party_that_is_not_named_is_refused() {
    refuse_all(&[
        ("no buyer", |_, terms| terms.buyer = Pubkey::default(), RoleMissing),
        ("no seller", |_, terms| terms.seller = Pubkey::default(), RoleMissing),
        ("neither", |_, terms| (terms.buyer, terms.seller) = Default::default(), RoleMissing),
        ("nobody at all", |_, terms| (terms.buyer, terms.seller, terms.arbiter) = Default::default(), RoleMissing),
    ]);
}

#[test]
fn two_of_buyer_seller_and_arbiter_at_one_address_are_refused() {
    refuse_all(&[
        ("buyer and seller", |_, terms| terms.seller = terms.buyer, RolesNotDistinct),
        ("buyer and arbiter", |_, terms| terms.arbiter = terms.buyer, RolesNotDistinct),
        ("seller and arbiter", |_, terms| terms.arbiter = terms.seller, RolesNotDistinct),
        ("all three", |_, terms| (terms.seller, terms.arbiter) = (terms.buyer, terms.buyer), RolesNotDistinct),
    ]);
}

#[test]
fn the_program_in_any_role_is_refused() {
    refuse_all(&[
        ("buyer", |_, terms| terms.buyer = escrow::ID, RoleIsProgram),
        ("seller", |_, terms| terms.seller = escrow::ID, RoleIsProgram),
        ("arbiter", |_, terms| terms.arbiter = escrow::ID, RoleIsProgram),
        ("attester", |_, terms| terms.attester = escrow::ID, RoleIsProgram),
        ("fee recipient", |_, terms| terms.fee_recipient = escrow::ID, RoleIsProgram),
    ]);
}

#[test]
fn half_an_asset_is_refused() {
    refuse(Kind::Sol, |world, terms| terms.mint = world.mint, AssetIncomplete);
    refuse(Kind::Sol, |_, terms| terms.token_program = TOKEN, AssetIncomplete);
    refuse(Kind::Token, |_, terms| terms.mint = Pubkey::default(), AssetIncomplete);
    refuse(Kind::Token, |_, terms| terms.token_program = Pubkey::default(), AssetIncomplete);
}

#[test]
fn an_unknown_token_program_is_refused() {
    for program in [keypair(99).pubkey(), escrow::ID, keypair(98).pubkey()] {
        case(program);
        refuse(Kind::Token, |_, terms| terms.token_program = program, TokenProgramUnknown);
    }
}

#[test]
fn no_milestone_and_more_than_eight_are_refused() {
    refuse_all(&[
        ("0", |_, terms| repeat(terms, 0), MilestoneCount),
        ("9", |_, terms| repeat(terms, 9), MilestoneCount),
        ("20", |_, terms| repeat(terms, 20), MilestoneCount),
    ]);
    accept_all(&[("8", |_, terms| repeat(terms, 8))]);
}

#[test]
fn a_milestone_without_an_amount_is_refused() {
    refuse_all(&[
        ("the only one", |_, terms| terms.milestones[0].amount = 0, AmountZero),
        (
            "the last of eight",
            |_, terms| {
                repeat(terms, 8);
                terms.milestones[7].amount = 0;
            },
            AmountZero,
        ),
    ]);
    accept_all(&[("one unit", |_, terms| terms.milestones[0].amount = 1)]);
}

#[test]
fn amounts_that_overflow_together_are_refused() {
    refuse_all(&[
        (
            "the maximum and one",
            |_, terms| {
                repeat(terms, 2);
                (terms.milestones[0].amount, terms.milestones[1].amount) = (u64::MAX, 1);
            },
            PrincipalOverflow,
        ),
        (
            "eight times an eighth, rounded up",
            |_, terms| {
                repeat(terms, 8);
                terms.milestones.iter_mut().for_each(|milestone| milestone.amount = u64::MAX / 8 + 1);
            },
            PrincipalOverflow,
        ),
    ]);
    accept_all(&[
        ("the maximum", |_, terms| terms.milestones[0].amount = u64::MAX),
        ("the maximum in two", |_, terms| {
            repeat(terms, 2);
            (terms.milestones[0].amount, terms.milestones[1].amount) = (u64::MAX - 1, 1);
        }),
    ]);
}

#[test]
fn fees_over_ten_percent_are_refused() {
    fn fees(world: &World, terms: &mut Terms, fee_bps: u16, arbiter_fee_bps: u16) {
        terms.fee_recipient = world.fee_recipient.pubkey();
        (terms.fee_bps, terms.arbiter_fee_bps) = (fee_bps, arbiter_fee_bps);
    }
    refuse_all(&[
        ("the fee", |world, terms| fees(world, terms, 1_001, 0), FeeTooHigh),
        ("the arbiter's fee", |world, terms| fees(world, terms, 0, 1_001), FeeTooHigh),
        ("the largest number", |world, terms| fees(world, terms, u16::MAX, u16::MAX), FeeTooHigh),
    ]);
    accept_all(&[("both at 10 %", |world, terms| fees(world, terms, 1_000, 1_000))]);
}

#[test]
fn a_fee_for_nobody_is_refused() {
    refuse_all(&[
        ("no fee recipient", |_, terms| terms.fee_bps = 1, FeeWithoutRecipient),
        ("no arbiter", |_, terms| (terms.arbiter, terms.arbiter_fee_bps) = (Pubkey::default(), 1), FeeWithoutArbiter),
    ]);
}

#[test]
fn a_share_over_the_whole_is_refused() {
    refuse_all(&[
        ("undelivered", |_, terms| terms.undelivered_bps = 10_001, ShareTooHigh),
        ("unanswered", |_, terms| terms.unanswered_bps = 10_001, ShareTooHigh),
        ("unruled", |_, terms| terms.unruled_bps = u16::MAX, ShareTooHigh),
    ]);
    accept_all(&[
        ("all to the seller", |_, terms| {
            (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (10_000, 10_000, 10_000);
        }),
        ("nothing to the seller", |_, terms| {
            (terms.undelivered_bps, terms.unanswered_bps, terms.unruled_bps) = (0, 0, 0);
        }),
    ]);
}

#[test]
fn an_escrow_is_created_strictly_before_fund_by_and_at_most_two_years_ahead() {
    refuse_all(&[
        ("a second ago", |_, terms| terms.fund_by = START - 1, FundByPassed),
        ("now", |_, terms| terms.fund_by = START, FundByPassed),
        ("long ago", |_, terms| terms.fund_by = i64::MIN, FundByPassed),
        ("in two years and a second", |_, terms| terms.fund_by = START + TWO_YEARS + 1, FundByTooFar),
        ("never", |_, terms| terms.fund_by = i64::MAX, FundByTooFar),
    ]);
    accept_all(&[
        ("in a second", |_, terms| terms.fund_by = START + 1),
        ("in two years", |_, terms| terms.fund_by = START + TWO_YEARS),
    ]);
}

#[test]
fn every_deliver_by_lies_ahead_at_most_two_years() {
    fn last_of_three(terms: &mut Terms, deliver_by: i64) {
        repeat(terms, 3);
        terms.milestones[2].deliver_by = deliver_by;
    }
    refuse_all(&[
        ("a second ago", |_, terms| last_of_three(terms, START - 1), DeliverByPassed),
        ("now", |_, terms| last_of_three(terms, START), DeliverByPassed),
        ("long ago", |_, terms| last_of_three(terms, i64::MIN), DeliverByPassed),
        ("in two years and a second", |_, terms| last_of_three(terms, START + TWO_YEARS + 1), DeliverByTooFar),
        ("never", |_, terms| last_of_three(terms, i64::MAX), DeliverByTooFar),
    ]);
    accept_all(&[
        ("in a second", |_, terms| last_of_three(terms, START + 1)),
        ("in two years", |_, terms| last_of_three(terms, START + TWO_YEARS)),
    ]);
}

#[test]
fn a_window_longer_than_a_year_is_refused() {
    fn far(terms: &mut Terms) {
        terms.milestones[0].deliver_by = START + TWO_YEARS;
    }
    refuse_all(&[
        (
            "cooling-off",
            |_, terms| {
                far(terms);
                terms.cooling_off = MAX_WINDOW + 1;
            },
            WindowTooLong,
        ),
        ("ruling", |_, terms| terms.ruling_window = MAX_WINDOW + 1, WindowTooLong),
        ("review", |_, terms| terms.milestones[0].review_window = MAX_WINDOW + 1, WindowTooLong),
        ("the largest number", |_, terms| terms.ruling_window = u32::MAX, WindowTooLong),
    ]);
    accept_all(&[("all 365 days", |_, terms| {
        far(terms);
        (terms.cooling_off, terms.ruling_window) = (MAX_WINDOW, MAX_WINDOW);
        terms.milestones[0].review_window = MAX_WINDOW;
    })]);
    assert_eq!(i64::from(MAX_WINDOW), 365 * DAY);
    assert_eq!(TWO_YEARS, 2 * 365 * DAY);
}

#[test]
fn a_dispute_that_is_over_at_once_is_refused() {
    refuse_all(&[("a ruling window of 0", |_, terms| terms.ruling_window = 0, RulingWindowZero)]);
    accept_all(&[("a second", |_, terms| terms.ruling_window = 1)]);
}

#[test]
fn only_an_attester_other_than_the_seller_delivers_without_review() {
    refuse_all(&[
        ("no attester", |_, terms| terms.milestones[0].review_window = 0, ReviewWindowZero),
        (
            "the attester is the seller",
            |_, terms| {
                terms.attester = terms.seller;
                terms.milestones[0].review_window = 0;
            },
            ReviewWindowZero,
        ),
    ]);
    accept_all(&[
        ("an attester", |world, terms| {
            terms.attester = world.attester.pubkey();
            terms.milestones[0].review_window = 0;
        }),
        ("a second", |_, terms| terms.milestones[0].review_window = 1),
    ]);
}

#[test]
fn a_cooling_off_period_that_outlasts_a_deliver_by_is_refused() {
    fn cooling(terms: &mut Terms, first: i64, last: i64) {
        terms.milestones = vec![terms::milestone(5, START + first), terms::milestone(5, START + last)];
        terms.cooling_off = 100;
    }
    refuse_all(&[
        ("it ends with the last", |_, terms| cooling(terms, 1_000, 100), CoolingOffTooLong),
        ("it ends after the first", |_, terms| cooling(terms, 99, 1_000), CoolingOffTooLong),
    ]);
    accept_all(&[("it ends a second before", |_, terms| cooling(terms, 101, 101))]);
}

#[test]
fn a_hash_lock_on_more_than_one_milestone_is_refused() {
    refuse_all(&[(
        "two",
        |_, terms| {
            repeat(terms, 2);
            terms.hashlock = [1; 32];
        },
        HashlockMilestones,
    )]);
    accept_all(&[("one", |_, terms| terms.hashlock = [1; 32])]);
}

#[test]
fn an_unknown_risk_is_refused() {
    for bit in 5..16 {
        case(bit);
        for kind in KINDS {
            refuse(kind, |_, terms| terms.accepted_risks = 1 << bit, RiskUnknown);
        }
    }
    accept_all(&[("every known risk", |_, terms| terms.accepted_risks = 0b11111)]);
}

/// At a clock near the end of time the sums of the rules do not fit: an error, not a wrong number.
#[test]
fn times_that_do_not_fit_their_number_are_refused() {
    for kind in KINDS {
        let mut world = World::new();
        world.set_time(i64::MAX - 10 * DAY);
        let mut terms = world.terms(kind, &[1_000]);
        terms.fund_by = i64::MAX;
        let rent_payer = world.rent_payer.insecure_clone();
        world.refused(create_instruction(&world, &terms), &[&rent_payer], Overflow);
    }
}

// The address ----------------------------------------------------------------------------------------------------------

#[test]
fn an_escrow_at_an_address_of_other_terms_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
        let others = deal.world.terms(kind, &[1_000]);
        let other = address::escrow_address(&others).expect("an address");
        let addresses = [other, keypair(99).pubkey(), deal.vault(), deal.key(Who::Stranger)];
        for wrong in addresses {
            case(format_args!("{kind:?}, {wrong}"));
            // Token accounts of their own, so that no account is passed twice.
            let act = deal.create().account(1, wrong);
            let act = if kind == Kind::Token { act.account(3, keypair(98).pubkey()) } else { act };
            deal.refused(act, AddressMismatch);
        }
    }
}

/// Every address with a bump below the canonical one is off the curve as often, and must be refused all the same: else
/// the same terms would have several addresses.
#[test]
fn an_address_or_a_vault_with_another_bump_is_refused() {
    let below = |seeds: &[&[u8]]| -> Vec<Pubkey> {
        let (_, canonical) = Pubkey::find_program_address(seeds, &escrow::ID);
        let at = |bump: u8| Pubkey::create_program_address(&[seeds, &[&[bump]]].concat(), &escrow::ID).ok();
        (0..canonical).rev().filter_map(at).take(5).collect()
    };
    for kind in KINDS {
        let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
        for wrong in below(&[b"escrow", &deal.terms.hash().expect("a hash")]) {
            deal.refused(deal.create().account(1, wrong), AddressMismatch);
        }
        if kind == Kind::Token {
            for wrong in below(&[b"vault", deal.escrow.as_array()]) {
                deal.refused(deal.create().account(3, wrong), VaultMismatch);
            }
        }
    }
}

#[test]
fn a_second_escrow_on_the_same_terms_is_refused() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], plain);
        deal.refused(deal.create(), AlreadyCreated);
        let stranger = deal.keypair(Who::Stranger);
        deal.refused(deal.create().signed_by(0, &stranger), AlreadyCreated);
        deal.ok(deal.fund());
        deal.refused(deal.create(), AlreadyCreated);
        deal.ok(deal.release(0, 1_000));
        deal.withdraw_all();
        deal.refused(deal.create(), AlreadyCreated);
    }
}

#[test]
fn an_address_that_had_a_deal_never_has_another() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        deal.ok(deal.release(0, 1_000));
        deal.withdraw_all();
        let mut before = deal.fork();
        before.world.set_time(before.terms.fund_by - 1);
        before.refused(before.close(), CloseTooEarly);
        deal.wait_and_close();
        deal.refused(deal.create(), FundByPassed);
    }
}

#[test]
fn an_unfunded_escrow_that_was_cancelled_may_be_created_again() {
    for kind in KINDS {
        let mut deal = Deal::created(kind, &[1_000], plain);
        deal.ok(deal.cancel(Who::Buyer));
        assert!(!deal.world.exists(&deal.escrow));
        deal.ok(deal.create());
        deal.ok(deal.fund());
        deal.assert_ledger([0; 4], [0; 4]);
    }
}

/// Lamports that somebody sent in advance to the escrow's or the vault's address must not keep an escrow from being
/// created; they go to the rent payer at the end.
#[test]
fn lamports_sent_in_advance_keep_no_escrow_from_being_created() {
    for kind in KINDS {
        for at_vault in [false, true] {
            if at_vault && kind == Kind::Sol {
                continue;
            }
            let created = Deal::created(kind, &[1_000], plain);
            let address = if at_vault { created.vault() } else { created.escrow };
            let rent = created.world.lamports(&address);
            for lamports in [1, rent - 1, rent, rent + 1, rent + 5_000_000] {
                case(format_args!("{kind:?}, vault: {at_vault}, {lamports} lamports"));
                let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
                let account = Account { lamports, ..Account::default() };
                deal.world.svm.set_account(address, account).expect("an account");
                let extra = lamports.saturating_sub(rent);
                if !at_vault && kind == Kind::Sol {
                    deal.uninvited = extra;
                }
                deal.ok(deal.create());
                assert_eq!(deal.world.lamports(&address), rent.max(lamports));
                deal.ok(deal.fund());
                deal.ok(deal.release(0, 400));
                deal.ok(deal.refund(0, 600));
                deal.withdraw_all();
                deal.wait_and_close();
                assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), INITIAL_LAMPORTS + lamports);
            }
        }
    }
}

// The accounts ---------------------------------------------------------------------------------------------------------

#[test]
fn a_token_escrow_needs_all_its_token_accounts() {
    let mut deal = Deal::agreed(World::new(), Kind::Token, &[1_000], plain);
    for without in [&[3][..], &[4], &[5], &[3, 4], &[3, 5], &[4, 5], &[3, 4, 5]] {
        case(format_args!("{without:?}"));
        let act = without.iter().fold(deal.create(), |act, index| act.without(*index));
        deal.refused(act, TokenAccountsMissing);
    }
}

#[test]
fn a_sol_escrow_takes_no_token_accounts() {
    let mut deal = Deal::agreed(World::new(), Kind::Sol, &[1_000], plain);
    let addresses = [(3, deal.vault()), (4, deal.world.mint), (5, TOKEN)];
    for with in [&[0][..], &[1], &[2], &[0, 1, 2]] {
        case(format_args!("{with:?}"));
        let act = with.iter().fold(deal.create(), |mut act, which| {
            let (index, address) = addresses[*which];
            act.instruction.accounts[index].is_writable = index == 3;
            act.account(index, address)
        });
        deal.refused(act, TokenAccountsUnexpected);
    }
}

#[test]
fn a_wrong_token_program_mint_or_vault_is_refused() {
    let mut deal = Deal::agreed(World::new(), Kind::Token, &[1_000], plain);
    let other_mint = keypair(70);
    deal.world.create_mint(&other_mint, TOKEN, 6, None);
    let seller = deal.key(Who::Seller);
    let seller_token = deal.world.token_account(&seller);
    let cases: [(&str, usize, Pubkey, EscrowError); 9] = [
        ("the other token program", 5, TOKEN_2022, TokenProgramMismatch),
        ("the system program as token program", 5, solana_sdk_ids::system_program::ID, TokenProgramMismatch),
        ("another mint", 4, other_mint.pubkey(), MintMismatch),
        ("a token account as mint", 4, seller_token, MintMismatch),
        ("nothing as mint", 4, keypair(99).pubkey(), MintMismatch),
        ("a token account as vault", 3, seller_token, VaultMismatch),
        ("the mint of others as vault", 3, other_mint.pubkey(), VaultMismatch),
        ("nothing as vault", 3, keypair(99).pubkey(), VaultMismatch),
        ("a person as vault", 3, seller, VaultMismatch),
    ];
    for (name, index, address, reason) in cases {
        case(name);
        deal.refused(deal.create().account(index, address), reason);
    }
}

#[test]
fn terms_that_name_something_else_than_a_mint_are_refused() {
    let world = World::new();
    let seller_token = world.token_account(&world.seller.pubkey());
    let raw = world.raw(&world.mint);
    let rent = |length: usize| world.svm.minimum_balance_for_rent_exemption(length);
    let altered = |change: &dyn Fn(&mut Account)| {
        let mut account = raw.clone();
        change(&mut account);
        account.lamports = rent(account.data.len());
        account
    };
    let cases: Vec<(&str, Account)> = vec![
        ("a token account", world.raw(&seller_token)),
        ("a person", world.raw(&world.seller.pubkey())),
        ("nothing", Account::default()),
        ("a mint of another program", altered(&|mint| mint.owner = TOKEN_2022)),
        ("a mint of nobody", altered(&|mint| mint.owner = solana_sdk_ids::system_program::ID)),
        ("a mint that is not initialised", altered(&|mint| mint.data[45] = 0)),
        ("a mint with a strange mark", altered(&|mint| mint.data[45] = 2)),
        ("a mint that is cut off", altered(&|mint| mint.data.truncate(81))),
        ("a mint that is cut off in the middle", altered(&|mint| mint.data.truncate(44))),
        ("a mint with a byte too much", altered(&|mint| mint.data.push(0))),
        ("an account of the program without data", altered(&|mint| mint.data.clear())),
        (
            "a token account with a mint's mark",
            altered(&|mint| {
                mint.data.resize(166, 0);
                mint.data[165] = 2;
            }),
        ),
    ];
    for (name, account) in cases {
        case(name);
        let mut world = World::new();
        let address = keypair(71).pubkey();
        world.svm.set_account(address, account).expect("an account");
        let mut deal = Deal::agreed(world, Kind::Token, &[1_000], |_, terms| terms.mint = address);
        deal.refused(deal.create(), MintInvalid);
    }
}

/// A multisig of a token program whose signers spell a mint with an extension mark passes the reader of mints. The
/// token program itself does not take it.
#[test]
fn a_multisig_that_spells_a_mint_is_refused() {
    for program in [TOKEN, TOKEN_2022] {
        case(program);
        let mut world = World::new();
        let mut data = vec![0; 355];
        data[0..3].copy_from_slice(&[1, 11, 1]);
        (data[44], data[45], data[165]) = (6, 1, 1);
        let lamports = world.svm.minimum_balance_for_rent_exemption(data.len());
        let address = keypair(71).pubkey();
        let account = Account { lamports, data, owner: program, ..Account::default() };
        world.svm.set_account(address, account).expect("an account");
        let mut deal = Deal::agreed(world, Kind::Token, &[1_000], |_, terms| {
            (terms.mint, terms.token_program) = (address, program);
        });
        deal.refused(deal.create(), TOKEN_INVALID_MINT);
    }
}

#[test]
fn the_system_program_cannot_be_replaced() {
    for kind in KINDS {
        let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
        deal.refused(deal.create().account(2, TOKEN), InstructionError::IncorrectProgramId);
        deal.refused(deal.create().account(2, escrow::ID), InstructionError::IncorrectProgramId);
        deal.refused(deal.create().account(2, deal.key(Who::Stranger)), NOT_EXECUTABLE);
    }
}

#[test]
fn a_rent_payer_who_cannot_pay_creates_nothing() {
    for kind in KINDS {
        let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
        let poor = keypair(72);
        deal.world.svm.airdrop(&poor.pubkey(), 1_000_000).expect("an airdrop");
        // The system program's answer: not enough lamports.
        deal.refused(deal.create().signed_by(0, &poor), InstructionError::Custom(1));
    }
}
