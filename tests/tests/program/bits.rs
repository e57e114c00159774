//! Addresses and hashes are compared to the last bit: one that differs in a single bit of its first, middle or last byte
//! is another.
//!
//! Nobody finds a key or a secret so near to another one. So what a signer's address is compared with is changed in the
//! escrow's account instead, as no instruction can.

use escrow_client::{
    EscrowError::{self, *},
    Recipient, Terms,
    escrow::{
        self,
        state::{Escrow, ProposalSlot, VERSION_OFFSET},
    },
    instruction,
};
use escrow_tests::{DAY, KINDS, Kind, Refusal, SECRET, START, TOKEN, TOKEN_2022, Who, World, case, deal::*, keypair};
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_instruction::{AccountMeta, error::InstructionError};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// One bit each of the first, a middle and the last byte of 32.
const BITS: [(usize, u8); 3] = [(0, 1), (16, 1 << 4), (31, 1 << 7)];

/// The system program's number.
const ACCOUNT_IN_USE: InstructionError = InstructionError::Custom(0);

fn flipped(bytes: [u8; 32]) -> [[u8; 32]; 3] {
    BITS.map(|(byte, bit)| {
        let mut bytes = bytes;
        bytes[byte] ^= bit;
        bytes
    })
}

fn near(address: Pubkey) -> [Pubkey; 3] {
    flipped(address.to_bytes()).map(Pubkey::new_from_array)
}

/// An address near the right one in its place is refused.
#[track_caller]
fn refuse_near(deal: &mut Deal, name: &str, act: &Act, index: usize, reason: EscrowError) {
    for other in near(act.instruction.accounts[index].pubkey) {
        case(format_args!("{:?}, {name}, account {index}, {other}", deal.kind));
        deal.refused(act.clone().account(index, other), reason);
    }
}

// The terms ------------------------------------------------------------------------------------------------------------

#[test]
fn an_escrow_is_created_at_its_own_address_and_nowhere_near() {
    for kind in KINDS {
        let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
        let create = deal.create();
        refuse_near(&mut deal, "create", &create, 1, AddressMismatch);
    }
}

/// Only the program's own account at that address is an escrow that exists; any other's is in the way all the same.
#[test]
fn an_account_of_a_program_near_this_one_is_no_escrow_that_exists() {
    for kind in KINDS {
        let mut deal = Deal::agreed(World::new(), kind, &[1_000], plain);
        for owner in near(escrow::ID) {
            case(format_args!("{kind:?}, {owner}"));
            let account = Account { lamports: 1_000_000_000, owner, ..Account::default() };
            deal.world.svm.set_account(deal.escrow, account).expect("an account");
            deal.refused(deal.create(), ACCOUNT_IN_USE);
        }
        let account = Account { lamports: 1_000_000_000, owner: escrow::ID, ..Account::default() };
        deal.world.svm.set_account(deal.escrow, account).expect("an account");
        deal.refused(deal.create(), AlreadyCreated);
    }
}

/// One bit names somebody.
#[test]
fn only_an_address_without_any_bit_stands_for_nobody() {
    type Name = fn(&mut Terms, Pubkey);
    let named: [(&str, Name); 5] = [
        ("the buyer", |terms, address| terms.buyer = address),
        ("the seller", |terms, address| terms.seller = address),
        ("an arbiter with a fee", |terms, address| (terms.arbiter, terms.arbiter_fee_bps) = (address, 1)),
        ("a fee recipient", |terms, address| (terms.fee_recipient, terms.fee_bps) = (address, 1)),
        ("an attester", |terms, address| (terms.attester, terms.milestones[0].review_window) = (address, 0)),
    ];
    for kind in KINDS {
        for address in near(Pubkey::default()) {
            for (name, set) in named {
                case(format_args!("{kind:?}, {name}, {address}"));
                Deal::created(kind, &[1_000], |_, terms| set(terms, address));
            }
        }
    }
    for address in near(Pubkey::default()) {
        let mut deal = Deal::agreed(World::new(), Kind::Sol, &[1_000], |_, terms| terms.mint = address);
        deal.refused(deal.create(), AssetIncomplete);
        let mut deal = Deal::agreed(World::new(), Kind::Sol, &[1_000], |_, terms| terms.token_program = address);
        deal.refused(deal.create(), AssetIncomplete);
    }
}

#[test]
fn roles_near_each_other_are_different_roles() {
    type Name = fn(&mut Terms, usize);
    let cases: [(&str, Name); 8] = [
        ("buyer and seller", |terms, bit| terms.seller = near(terms.buyer)[bit]),
        ("buyer and arbiter", |terms, bit| terms.arbiter = near(terms.buyer)[bit]),
        ("seller and arbiter", |terms, bit| terms.arbiter = near(terms.seller)[bit]),
        // Attests for somebody else, so the buyer needs no time to review.
        ("seller and attester", |terms, bit| {
            (terms.attester, terms.milestones[0].review_window) = (near(terms.seller)[bit], 0);
        }),
        ("program and buyer", |terms, bit| terms.buyer = near(escrow::ID)[bit]),
        ("program and seller", |terms, bit| terms.seller = near(escrow::ID)[bit]),
        ("program and arbiter", |terms, bit| terms.arbiter = near(escrow::ID)[bit]),
        ("program and fee recipient", |terms, bit| terms.fee_recipient = near(escrow::ID)[bit]),
    ];
    for kind in KINDS {
        for (name, set) in cases {
            for bit in 0..BITS.len() {
                case(format_args!("{kind:?}, {name}, bit {bit}"));
                Deal::created(kind, &[1_000], |_, terms| set(terms, bit));
            }
        }
    }
}

#[test]
fn a_program_near_a_token_program_is_none() {
    for program in [TOKEN, TOKEN_2022].into_iter().flat_map(near) {
        case(program);
        let mut deal = Deal::agreed(World::new(), Kind::Token, &[1_000], |_, terms| terms.token_program = program);
        deal.refused(deal.create(), TokenProgramUnknown);
    }
}

// The hash-lock --------------------------------------------------------------------------------------------------------

#[test]
fn only_the_secret_itself_opens_the_hash_lock() {
    let hash: [u8; 32] = Sha256::digest(SECRET).into();
    for kind in KINDS {
        let locked = |hash| Deal::funded(kind, &[1_000], |_, terms| terms.hashlock = hash);
        let mut deal = locked(hash);
        for secret in flipped(SECRET) {
            deal.refused(deal.claim(0, secret), SecretMismatch);
        }
        deal.ok(deal.claim(0, SECRET));
        for hash in flipped(hash) {
            let mut deal = locked(hash);
            deal.refused(deal.claim(0, SECRET), SecretMismatch);
        }
    }
}

#[test]
fn a_hash_lock_of_one_bit_is_one() {
    for kind in KINDS {
        for hash in flipped([0; 32]) {
            let mut deal = Deal::agreed(World::new(), kind, &[1, 2], |_, terms| terms.hashlock = hash);
            deal.refused(deal.create(), HashlockMilestones);
            let mut deal = Deal::funded(kind, &[1_000], |_, terms| terms.hashlock = hash);
            deal.refused(deal.claim(0, SECRET), SecretMismatch);
        }
    }
}

// Who signs ------------------------------------------------------------------------------------------------------------

fn created(kind: Kind) -> Deal {
    Deal::created(kind, &[1_000], plain)
}

fn funded(kind: Kind) -> Deal {
    Deal::funded(kind, &[1_000], plain)
}

fn finished(kind: Kind) -> Deal {
    let mut deal = funded(kind);
    deal.ok(deal.refund(0, 1_000));
    deal.withdraw_all();
    deal.world.set_time(deal.terms.fund_by);
    deal
}

/// A deal, an act of somebody in it, whose address stands where, and why it is refused once another stands there.
type Signed = (&'static str, fn(Kind) -> Deal, fn(&Deal) -> Act, fn(&mut Escrow) -> &mut Pubkey, EscrowError);

const SIGNED: [Signed; 17] = [
    ("fund", created, Deal::fund, |escrow| &mut escrow.buyer, NotBuyer),
    ("cancel, unfunded", created, |deal| deal.cancel(Who::Buyer), |escrow| &mut escrow.buyer, NotCanceller),
    ("cancel, unfunded", created, |deal| deal.cancel(Who::Seller), |escrow| &mut escrow.seller, NotCanceller),
    (
        "cancel",
        |kind| Deal::funded(kind, &[1_000], |_, terms| terms.cooling_off = 100),
        |deal| deal.cancel(Who::Buyer),
        |escrow| &mut escrow.buyer,
        NotBuyer,
    ),
    ("deliver", funded, |deal| deal.deliver(0), |escrow| &mut escrow.seller, NotDeliverer),
    (
        "deliver, attested",
        |kind| Deal::funded(kind, &[1_000], |world, terms| terms.attester = world.attester.pubkey()),
        |deal| deal.deliver(0),
        |escrow| &mut escrow.attester,
        NotDeliverer,
    ),
    ("release", funded, |deal| deal.release(0, 1), |escrow| &mut escrow.buyer, NotBuyer),
    ("refund", funded, |deal| deal.refund(0, 1), |escrow| &mut escrow.seller, NotSeller),
    (
        "dispute",
        |kind| {
            let mut deal = funded(kind);
            deal.ok(deal.deliver(0));
            deal
        },
        |deal| deal.dispute(0),
        |escrow| &mut escrow.buyer,
        NotBuyer,
    ),
    (
        "rule",
        |kind| {
            let mut deal = funded(kind);
            deal.deliver_and_dispute(0);
            deal
        },
        |deal| deal.rule(0, 5_000),
        |escrow| &mut escrow.arbiter,
        NotArbiter,
    ),
    ("propose", funded, |deal| deal.propose(Who::Buyer, deal.split(0, 1)), |escrow| &mut escrow.buyer, NotParty),
    ("propose", funded, |deal| deal.propose(Who::Seller, deal.split(0, 1)), |escrow| &mut escrow.seller, NotParty),
    (
        "accept",
        |kind| {
            let mut deal = funded(kind);
            deal.ok(deal.propose(Who::Seller, deal.split(0, 1)));
            deal
        },
        |deal| deal.accept(Who::Buyer, deal.split(0, 1)),
        |escrow| &mut escrow.buyer,
        NotParty,
    ),
    (
        "accept",
        |kind| {
            let mut deal = funded(kind);
            deal.ok(deal.propose(Who::Buyer, deal.split(0, 1)));
            deal
        },
        |deal| deal.accept(Who::Seller, deal.split(0, 1)),
        |escrow| &mut escrow.seller,
        NotParty,
    ),
    (
        "close",
        finished,
        |deal| {
            let buyer = deal.keypair(Who::Buyer);
            let mut act = Act::new(instruction::close(&deal.account(), true), &[&buyer]);
            act.instruction.accounts[6] = AccountMeta::new_readonly(buyer.pubkey(), true);
            act
        },
        |escrow| &mut escrow.buyer,
        NotBuyer,
    ),
    (
        "cancel for the rent",
        created,
        |deal| deal.cancel(Who::Buyer),
        |escrow| &mut escrow.rent_payer,
        RentPayerMismatch,
    ),
    ("close for the rent", finished, Deal::close, |escrow| &mut escrow.rent_payer, RentPayerMismatch),
];

#[test]
fn whoever_is_near_the_recorded_address_is_somebody_else() {
    for kind in KINDS {
        for (name, deal, act, recorded, reason) in SIGNED {
            let deal = deal(kind);
            for bit in 0..BITS.len() {
                case(format_args!("{kind:?}, {name}, bit {bit}"));
                let mut deal = deal.fork();
                let act = act(&deal);
                deal.alter(|escrow, _| *recorded(escrow) = near(*recorded(escrow))[bit]);
                deal.refused(act, reason);
            }
            let mut deal = deal.fork();
            deal.ok(act(&deal));
        }
    }
}

/// Here the rent goes to the address that is recorded; who cancels is near it.
#[test]
fn whoever_is_near_the_rent_payer_does_not_cancel() {
    for kind in KINDS {
        let deal = created(kind);
        for bit in 0..BITS.len() {
            let mut deal = deal.fork();
            deal.alter(|escrow, _| escrow.rent_payer = near(escrow.rent_payer)[bit]);
            deal.refused(deal.cancel(Who::RentPayer), NotCanceller);
        }
    }
}

/// Whoever cancels may send uninvited tokens where they like only if they are the buyer.
#[test]
fn whoever_is_near_the_buyer_directs_no_tokens() {
    let mut deal = created(Kind::Token);
    deal.world.mint_to_account(&deal.vault(), 77);
    let seller = deal.keypair(Who::Seller);
    let (mint, other) = (deal.world.mint, keypair(73));
    let other = deal.world.new_token_account(&other, &seller.pubkey(), &mint, &TOKEN);
    for buyer in near(seller.pubkey()) {
        case(buyer);
        let mut deal = deal.fork();
        let cancel = instruction::cancel(&deal.account(), seller.pubkey(), true);
        let cancel = Act::new(cancel, &[&seller]).account(6, other);
        deal.alter(|escrow, _| escrow.buyer = buyer);
        change(&mut deal, &other, |account| account.data[32..64].copy_from_slice(&buyer.to_bytes()));
        deal.refused(cancel, NotAssociatedAccount);
    }
}

#[test]
fn nobody_near_a_recipient_is_paid() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |world, terms| {
            (terms.fee_recipient, terms.fee_bps, terms.arbiter_fee_bps) = (world.fee_recipient.pubkey(), 1_000, 1_000);
        });
        deal.deliver_and_dispute(0);
        deal.ok(deal.rule(0, 5_000));
        for recipient in Recipient::ALL {
            let withdraw = deal.withdraw(recipient);
            refuse_near(&mut deal, &format!("{recipient:?}"), &withdraw, 1, RecipientMismatch);
        }
    }
}

#[test]
fn rent_goes_to_nobody_near_its_payer() {
    for kind in KINDS {
        let mut deal = created(kind);
        let cancel = deal.cancel(Who::Buyer);
        refuse_near(&mut deal, "cancel", &cancel, 2, RentPayerMismatch);
        let mut deal = finished(kind);
        let close = deal.close();
        refuse_near(&mut deal, "close", &close, 1, RentPayerMismatch);
    }
}

// Token accounts -------------------------------------------------------------------------------------------------------

/// Changes any account, as no instruction can.
fn change(deal: &mut Deal, address: &Pubkey, change: impl FnOnce(&mut Account)) {
    let mut account = deal.world.raw(address);
    change(&mut account);
    deal.world.svm.set_account(*address, account).expect("an account");
}

/// Every instruction that moves tokens, with the places of its vault, mint, token program and the party's token account.
fn moving_tokens() -> Vec<(&'static str, Deal, Act, [usize; 4])> {
    let mut unfunded = created(Kind::Token);
    let mut decided = funded(Kind::Token);
    decided.ok(decided.release(0, 400));
    let mut over = finished(Kind::Token);
    for deal in [&mut unfunded, &mut over] {
        deal.world.mint_to_account(&deal.vault(), 77);
        deal.uninvited = 77;
    }
    let (paying_in, seller) = (created(Kind::Token), unfunded.keypair(Who::Seller));
    let (fund, withdraw) = (paying_in.fund(), decided.withdraw(Recipient::Seller));
    let cancel = Act::new(instruction::cancel(&unfunded.account(), seller.pubkey(), true), &[&seller]);
    let close = Act::new(instruction::close(&over.account(), true), &[]);
    vec![
        ("fund", paying_in, fund, [4, 5, 6, 3]),
        ("cancel", unfunded, cancel, [3, 4, 5, 6]),
        ("withdraw", decided, withdraw, [3, 4, 5, 2]),
        ("close", over, close, [2, 3, 4, 5]),
    ]
}

#[test]
fn nothing_near_the_vault_the_mint_or_the_token_program_is_taken_for_it() {
    for (name, mut deal, act, [vault, mint, token_program, _]) in moving_tokens() {
        for (index, reason) in [(vault, VaultMismatch), (mint, MintMismatch), (token_program, TokenProgramMismatch)] {
            refuse_near(&mut deal, name, &act, index, reason);
        }
        deal.ok(act);
    }
    let mut deal = Deal::agreed(World::new(), Kind::Token, &[1_000], plain);
    let create = deal.create();
    for (index, reason) in [(3, VaultMismatch), (4, MintMismatch), (5, TokenProgramMismatch)] {
        refuse_near(&mut deal, "create", &create, index, reason);
    }
}

/// The fields of the token account itself: of what token it is, whose, and which program's.
#[test]
fn a_token_account_near_the_right_one_is_refused() {
    for (name, deal, act, [vault, _, _, account]) in moving_tokens() {
        let address = act.instruction.accounts[account].pubkey;
        // Who may spend from the source is for the token program to say.
        let owner: Refusal = if name == "fund" { TOKEN_OWNER_MISMATCH.into() } else { TokenAccountOwner.into() };
        for (byte, bit) in BITS {
            case(format_args!("{name}, byte {byte}"));
            let refused = |address: &Pubkey, alter: &dyn Fn(&mut Account), reason: Refusal| {
                let mut deal = deal.fork();
                change(&mut deal, address, alter);
                deal.refused(act.clone(), reason);
            };
            refused(&address, &|account| account.data[byte] ^= bit, TokenAccountMint.into());
            refused(&address, &|account| account.data[32 + byte] ^= bit, owner.clone());
            let of_another = |account: &mut Account| {
                let mut program = account.owner.to_bytes();
                program[byte] ^= bit;
                account.owner = Pubkey::new_from_array(program);
            };
            refused(&address, &of_another, TokenAccountInvalid.into());
            if name != "withdraw" {
                refused(&act.instruction.accounts[vault].pubkey, &of_another, TokenAccountInvalid.into());
            }
        }
    }
}

#[test]
fn a_mint_of_a_program_near_the_token_program_is_refused() {
    let agreed = Deal::agreed(World::new(), Kind::Token, &[1_000], plain);
    let created = created(Kind::Token);
    for (name, deal, act) in [("create", &agreed, agreed.create()), ("fund", &created, created.fund())] {
        for program in near(TOKEN) {
            case(format_args!("{name}, {program}"));
            let mut deal = deal.fork();
            let mint = deal.world.mint;
            change(&mut deal, &mint, |account| account.owner = program);
            deal.refused(act.clone(), MintInvalid);
        }
    }
}

/// Without the owner's signature, where another of the owner's accounts would do.
#[test]
fn a_token_account_near_the_associated_one_is_not_the_associated_one() {
    for (name, mut deal, act, [.., account]) in moving_tokens() {
        if name == "fund" {
            continue;
        }
        let associated = act.instruction.accounts[account].pubkey;
        let copy = deal.world.raw(&associated);
        for address in near(associated) {
            deal.world.svm.set_account(address, copy.clone()).expect("an account");
        }
        refuse_near(&mut deal, name, &act, account, NotAssociatedAccount);
        deal.ok(act);
    }
}

// The escrow's account -------------------------------------------------------------------------------------------------

#[test]
fn an_account_of_a_program_near_this_one_is_no_escrow() {
    for kind in KINDS {
        let mut deal = funded(kind);
        let acts = deal.every_act();
        for owner in near(escrow::ID) {
            let escrow = deal.escrow;
            change(&mut deal, &escrow, |account| account.owner = owner);
            // Also not one of another version.
            let mut other_version = deal.fork();
            change(&mut other_version, &escrow, |account| account.data[VERSION_OFFSET] ^= 1);
            for (name, act) in &acts {
                case(format_args!("{kind:?}, {name}, {owner}"));
                deal.refused(act.clone(), InstructionError::IllegalOwner);
                other_version.refused(act.clone(), InstructionError::IllegalOwner);
            }
        }
    }
}

#[test]
fn a_discriminator_that_is_wrong_in_one_bit_is_no_escrows() {
    for kind in KINDS {
        let deal = funded(kind);
        let (acts, escrow) = (deal.every_act(), deal.escrow);
        for (byte, bit) in [(0, 1), (4, 1 << 4), (7, 1 << 7)] {
            let mut deal = deal.fork();
            change(&mut deal, &escrow, |account| account.data[byte] ^= bit);
            for (name, act) in &acts {
                case(format_args!("{kind:?}, {name}, byte {byte}"));
                deal.refused(act.clone(), InstructionError::InvalidAccountData);
            }
        }
    }
}

// Proposals ------------------------------------------------------------------------------------------------------------

/// Each number in the slot, each in its lowest, a middle and its highest bit.
#[test]
fn a_proposal_near_the_open_one_is_not_accepted() {
    type Flip = fn(&mut ProposalSlot, u32);
    let fields: [(&str, Flip); 9] = [
        ("remaining", |slot, bit| slot.remaining ^= 1 << bit),
        ("to the seller", |slot, bit| slot.to_seller ^= 1 << bit),
        ("replaced deadline", |slot, bit| slot.replaces ^= 1 << bit),
        ("new deadline", |slot, bit| slot.deadline ^= 1 << bit),
        ("expiry", |slot, bit| slot.expires_at ^= 1 << bit),
        ("kind", |slot, bit| slot.kind ^= 1 << (bit / 8)),
        ("milestone", |slot, bit| slot.milestone ^= 1 << (bit / 8)),
        ("status", |slot, bit| slot.status ^= 1 << (bit / 8)),
        ("reserved", |slot, bit| slot.reserved[(bit / 15) as usize] ^= 1 << (bit / 8)),
    ];
    for kind in KINDS {
        let deal = Deal::funded(kind, &[1_000; 8], plain);
        for proposal in [deal.split(2, 400), deal.extension(2, START + 20 * DAY)] {
            let mut deal = deal.fork();
            deal.ok(deal.propose(Who::Buyer, proposal));
            let accept = deal.accept(Who::Seller, proposal);
            for (field, flip) in fields {
                for bit in [0, 32, 63] {
                    case(format_args!("{kind:?}, {proposal:?}, {field}, bit {bit}"));
                    let (mut deal, mut empty) = (deal.fork(), false);
                    deal.alter(|escrow, _| {
                        flip(&mut escrow.buyer_proposal, bit);
                        empty = escrow.buyer_proposal.kind == 0;
                    });
                    deal.refused(accept.clone(), if empty { ProposalMissing } else { ProposalMismatch });
                }
            }
            deal.ok(accept);
        }
    }
}

/// What stands for an account that is left out is the program's own address and no other.
#[test]
fn a_placeholder_is_the_program_itself_and_nothing_near() {
    let mut deal = Deal::created(Kind::Sol, &[1_000], plain);
    let mut decided = Deal::funded(Kind::Sol, &[1_000], plain);
    decided.ok(decided.release(0, 1_000));
    let withdraw = decided.withdraw(Recipient::Seller);
    for other in near(escrow::ID) {
        for index in 0..4 {
            let mut placeholders = [escrow::ID; 4];
            placeholders[index] = other;
            deal.refused(deal.fund().behind(&placeholders), TokenAccountsUnexpected);
            decided.refused(withdraw.clone().behind(&placeholders), TokenAccountsUnexpected);
        }
    }
}
