//! What stands in an instruction's data and in the escrow account, byte by byte. What is pinned here is the interface:
//! a test that fails says that it was changed.

use std::mem::{offset_of, size_of};

use anchor_lang::Discriminator;
use escrow_client::{
    EscrowError::{self, *},
    Milestone, MilestoneStatus, MilestoneTerms, Proposal, Recipient, Terms, address,
    escrow::{
        self,
        interface::INSTRUCTIONS,
        state::{Escrow, Ledger, MAX_MILESTONES, ProposalSlot},
    },
    instruction,
};
use escrow_tests::{KINDS, Kind, START, Who, World, case, deal::*};
use sha2::{Digest, Sha256};
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

// Instruction data -----------------------------------------------------------------------------------------------------

/// Every instruction with its number, a proposal of each kind included.
fn every_instruction(deal: &Deal) -> Vec<(u8, String, Act)> {
    let extension = deal.extension(0, START + 20 * 86_400);
    let mut acts = vec![("create", deal.create())];
    acts.extend(deal.every_act());
    acts.push(("propose", deal.propose(Who::Buyer, extension)));
    acts.push(("accept", deal.accept(Who::Seller, extension)));
    acts.push(("propose", deal.propose(Who::Buyer, Proposal::Withdrawn)));
    acts.push(("accept", deal.accept(Who::Seller, Proposal::Withdrawn)));
    let named = |(name, act): (&'static str, Act)| {
        let number = NUMBERS.iter().find(|(_, other, _)| *other == name).expect("listed").0;
        (number, format!("{name}, {} bytes", act.instruction.data.len()), act)
    };
    acts.into_iter().map(named).collect()
}

/// Number, name and length of the data, without the proposal or the milestones.
const NUMBERS: [(u8, &str, usize); 14] = [
    (0, "create", 1 + 336 + 20),
    (1, "fund", 1),
    (2, "cancel", 1),
    (3, "deliver", 34),
    (4, "claim", 34),
    (5, "release", 18),
    (6, "refund", 18),
    (7, "dispute", 34),
    (8, "rule", 36),
    (9, "propose", 2),
    (10, "accept", 2),
    (11, "expire", 2),
    (12, "withdraw", 2),
    (13, "close", 1),
];

#[test]
fn the_numbers_and_lengths_of_the_instructions_are_pinned() {
    let deal = Deal::funded(Kind::Sol, &[1_000], plain);
    for (number, name, act) in every_instruction(&deal) {
        let data = act.instruction.data;
        assert_eq!(data[0], number, "{name}");
        let expected = match (number, data.get(1)) {
            (9 | 10, Some(1 | 2)) => 28,
            _ => NUMBERS[usize::from(number)].2,
        };
        assert_eq!(data.len(), expected, "{name}");
    }
    assert_eq!(INSTRUCTIONS.len(), 14);
}

#[test]
fn data_that_is_too_short_or_too_long_is_refused_by_every_instruction() {
    let mut deal = Deal::funded(Kind::Token, &[1_000], plain);
    for (_, name, act) in every_instruction(&deal) {
        let full = act.instruction.data.len();
        for length in (1..full).chain([full + 1, full + 20, full + 100]) {
            case(format_args!("{name}, cut or filled up to {length}"));
            deal.refused(act.clone().data(|data| data.resize(length, 0)), InstructionLength);
        }
    }
}

#[test]
fn data_without_an_instruction_is_refused() {
    let mut deal = Deal::funded(Kind::Sol, &[1_000], plain);
    deal.refused(deal.fund().data(Vec::clear), InstructionError::InvalidInstructionData);
    let expire = deal.expire(0);
    for unknown in 14..=255 {
        for length in [1, 9, 34] {
            case(format_args!("{unknown} with {length} bytes"));
            deal.refused(
                expire.clone().data(|data| *data = vec![unknown; length]),
                InstructionError::InvalidInstructionData,
            );
        }
    }
    // What another program or an older Anchor would send: the first bytes of a hash.
    let old: [u8; 32] = Sha256::digest(b"global:fund").into();
    let act = deal.fund().data(|data| *data = old[..8].to_vec());
    assert!(old[0] > 13);
    deal.refused(act, InstructionError::InvalidInstructionData);
}

#[test]
fn terms_that_count_other_milestones_than_they_have_are_refused() {
    for kind in KINDS {
        let mut deal = Deal::agreed(World::new(), kind, &[1, 2], plain);
        for count in [0u32, 1, 3, 8, 9, 256, u32::MAX / 20, u32::MAX] {
            case(format_args!("{kind:?}, {count}"));
            let act = deal.create().data(|data| data[333..337].copy_from_slice(&count.to_le_bytes()));
            deal.refused(act, InstructionLength);
        }
    }
}

#[test]
fn a_recipient_or_a_proposal_that_does_not_exist_is_refused() {
    let mut deal = Deal::funded(Kind::Sol, &[1_000], plain);
    let withdraw = deal.withdraw(Recipient::Buyer);
    for recipient in 4..=255 {
        let act = withdraw.clone().data(|data| data[1] = recipient);
        deal.refused(act, InstructionError::InvalidInstructionData);
    }
    let split = deal.split(0, 10);
    let (propose, accept) = (deal.propose(Who::Buyer, split), deal.accept(Who::Seller, split));
    for tag in 3..=255 {
        deal.refused(propose.clone().data(|data| data[1] = tag), InstructionLength);
        deal.refused(accept.clone().data(|data| data[1] = tag), InstructionLength);
        // Nor is it read as one that has no more than its kind.
        deal.refused(propose.clone().data(|data| *data = vec![data[0], tag]), InstructionLength);
        deal.refused(accept.clone().data(|data| *data = vec![data[0], tag]), InstructionLength);
    }
}

/// Behind the number, the kind and the milestone. Every byte but those of the four statuses is none.
#[test]
fn a_proposal_for_a_status_that_does_not_exist_is_refused() {
    const STATUS: usize = 3;
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], plain);
        for proposal in [deal.split(0, 10), deal.extension(0, START + 20 * 86_400)] {
            let (propose, accept) = (deal.propose(Who::Buyer, proposal), deal.accept(Who::Seller, proposal));
            deal.ok(propose.clone());
            for status in 0..=255u8 {
                case(format_args!("{kind:?}, {proposal:?}, status {status}"));
                let [propose, accept] = [&propose, &accept].map(|act| act.clone().data(|data| data[STATUS] = status));
                match status {
                    0 => {
                        deal.fork().ok(propose);
                        deal.fork().ok(accept);
                    }
                    // Delivered, disputed and settled: the milestone is not.
                    1..=3 => {
                        deal.refused(propose, StatusMismatch);
                        deal.refused(accept, ProposalMismatch);
                    }
                    _ => {
                        deal.refused(propose, InstructionError::InvalidInstructionData);
                        deal.refused(accept, InstructionError::InvalidInstructionData);
                    }
                }
            }
        }
    }
}

// The account ----------------------------------------------------------------------------------------------------------

#[test]
fn the_layout_of_the_account_is_pinned() {
    assert_eq!(Escrow::DISCRIMINATOR, ESCROW_DISCRIMINATOR);
    assert_eq!((size_of::<Escrow>(), size_of::<Ledger>()), (608, 72));
    assert_eq!((size_of::<ProposalSlot>(), size_of::<Milestone>()), (48, 40));
    let header = [
        ("buyer", offset_of!(Escrow, buyer), 0),
        ("seller", offset_of!(Escrow, seller), 32),
        ("arbiter", offset_of!(Escrow, arbiter), 64),
        ("attester", offset_of!(Escrow, attester), 96),
        ("fee_recipient", offset_of!(Escrow, fee_recipient), 128),
        ("mint", offset_of!(Escrow, mint), 160),
        ("token_program", offset_of!(Escrow, token_program), 192),
        ("rent_payer", offset_of!(Escrow, rent_payer), 224),
        ("vault", offset_of!(Escrow, vault), 256),
        ("terms_hash", offset_of!(Escrow, terms_hash), 288),
        ("hashlock", offset_of!(Escrow, hashlock), 320),
        ("document_hash", offset_of!(Escrow, document_hash), 352),
        ("salt", offset_of!(Escrow, salt), 384),
        ("ledger", offset_of!(Escrow, ledger), 400),
        ("buyer_proposal", offset_of!(Escrow, buyer_proposal), 472),
        ("seller_proposal", offset_of!(Escrow, seller_proposal), 520),
        ("fund_by", offset_of!(Escrow, fund_by), 592),
        ("funded_at", offset_of!(Escrow, funded_at), 600),
        ("cooling_off", offset_of!(Escrow, cooling_off), 568),
        ("ruling_window", offset_of!(Escrow, ruling_window), 572),
        ("accepted_risks", offset_of!(Escrow, accepted_risks), 576),
        ("fee_bps", offset_of!(Escrow, fee_bps), 578),
        ("arbiter_fee_bps", offset_of!(Escrow, arbiter_fee_bps), 580),
        ("undelivered_bps", offset_of!(Escrow, undelivered_bps), 582),
        ("unanswered_bps", offset_of!(Escrow, unanswered_bps), 584),
        ("unruled_bps", offset_of!(Escrow, unruled_bps), 586),
        ("status", offset_of!(Escrow, status), 588),
        ("version", offset_of!(Escrow, version), 589),
        ("bump", offset_of!(Escrow, bump), 590),
        ("reserved", offset_of!(Escrow, reserved), 591),
        ("ledger.principal", offset_of!(Ledger, principal), 0),
        ("ledger.released", offset_of!(Ledger, released), 8),
        ("ledger.refunded", offset_of!(Ledger, refunded), 16),
        ("ledger.fees", offset_of!(Ledger, fees), 24),
        ("ledger.arbiter_fees", offset_of!(Ledger, arbiter_fees), 32),
        ("ledger.due_buyer", offset_of!(Ledger, due_buyer), 40),
        ("ledger.due_seller", offset_of!(Ledger, due_seller), 48),
        ("ledger.due_fee", offset_of!(Ledger, due_fee), 56),
        ("ledger.due_arbiter", offset_of!(Ledger, due_arbiter), 64),
        ("proposal.remaining", offset_of!(ProposalSlot, remaining), 0),
        ("proposal.to_seller", offset_of!(ProposalSlot, to_seller), 8),
        ("proposal.replaces", offset_of!(ProposalSlot, replaces), 16),
        ("proposal.deadline", offset_of!(ProposalSlot, deadline), 24),
        ("proposal.expires_at", offset_of!(ProposalSlot, expires_at), 32),
        ("proposal.kind", offset_of!(ProposalSlot, kind), 40),
        ("proposal.milestone", offset_of!(ProposalSlot, milestone), 41),
        ("proposal.status", offset_of!(ProposalSlot, status), 42),
        ("proposal.reserved", offset_of!(ProposalSlot, reserved), 43),
        ("milestone.amount", offset_of!(Milestone, amount), 0),
        ("milestone.remaining", offset_of!(Milestone, remaining), 8),
        ("milestone.deliver_by", offset_of!(Milestone, deliver_by), 16),
        ("milestone.deadline", offset_of!(Milestone, deadline), 24),
        ("milestone.review_window", offset_of!(Milestone, review_window), 32),
        ("milestone.status", offset_of!(Milestone, status), 36),
    ];
    for (field, offset, pinned) in header {
        assert_eq!(offset, pinned, "{field}");
    }
}

const ESCROW_DISCRIMINATOR: [u8; 8] = [31, 213, 123, 187, 186, 22, 218, 155];

/// The bytes that the program writes, read without any of its types.
#[test]
fn the_bytes_of_a_live_escrow_stand_where_the_layout_says() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000, 2_000], |world, terms| {
            (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 500);
        });
        deal.world.advance(9);
        deal.ok(deal.release(1, 400));
        deal.ok(deal.deliver(1));
        let expires_at = START + 1_000;
        let status = MilestoneStatus::Delivered;
        let split = Proposal::Split { milestone: 1, status, remaining: 1_600, to_seller: 7, expires_at };
        deal.ok(deal.propose(Who::Seller, split));
        let data = deal.world.raw(&deal.escrow).data;
        let number = |offset: usize| u64::from_le_bytes(*data[offset..].first_chunk().expect("eight bytes"));
        assert_eq!(data.len(), 8 + 608 + 8 + 2 * 40);
        assert_eq!(data[..8], ESCROW_DISCRIMINATOR);
        assert_eq!(data[8..40], deal.terms.buyer.to_bytes());
        assert_eq!(data[40..72], deal.terms.seller.to_bytes());
        assert_eq!(data[8 + 288..8 + 320], deal.terms.hash().expect("a hash"));
        // principal, released, refunded, fees, arbiter fees, due to buyer, seller, fee recipient, arbiter
        let ledger: Vec<u64> = (0..9).map(|index| number(8 + 400 + index * 8)).collect();
        assert_eq!(ledger, [3_000, 400, 0, 20, 0, 0, 380, 20, 0]);
        assert_eq!(data[8 + 472..8 + 520], [0; 48]);
        let proposal: Vec<u64> = (0..5).map(|index| number(8 + 520 + index * 8)).collect();
        assert_eq!(proposal, [1_600, 7, 0, 0, expires_at as u64]);
        assert_eq!(data[8 + 560..8 + 568], [1, 1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(number(8 + 592), deal.terms.fund_by as u64);
        assert_eq!(number(8 + 600), START as u64);
        let (_, bump) = Pubkey::find_program_address(&[b"escrow", &data[8 + 288..8 + 320]], &escrow::ID);
        assert_eq!(data[8 + 588..8 + 592], [2, 2, bump, 0]);
        assert_eq!(data[616..624], [2, 0, 0, 0, 0, 0, 0, 0]);
        let deliver_by = deal.terms.milestones[0].deliver_by as u64;
        let milestones: Vec<u64> = (0..10).map(|index| number(624 + index * 8)).collect();
        let three_days = 3 * 86_400u64;
        assert_eq!(
            milestones,
            [
                1_000,
                1_000,
                deliver_by,
                deliver_by,
                three_days,
                2_000,
                1_600,
                deliver_by,
                START as u64 + 9 + three_days,
                three_days | 1 << 32
            ]
        );
    }
}

// Errors ---------------------------------------------------------------------------------------------------------------

/// A number is never reused or moved.
#[test]
fn the_numbers_of_the_errors_are_pinned() {
    let pinned = [
        ("RoleMissing", 6000),
        ("RolesNotDistinct", 6001),
        ("RoleIsProgram", 6002),
        ("AssetIncomplete", 6003),
        ("TokenProgramUnknown", 6004),
        ("MilestoneCount", 6005),
        ("AmountZero", 6006),
        ("PrincipalOverflow", 6007),
        ("FeeTooHigh", 6008),
        ("FeeWithoutRecipient", 6009),
        ("FeeWithoutArbiter", 6010),
        ("ShareTooHigh", 6011),
        ("FundByPassed", 6012),
        ("FundByTooFar", 6013),
        ("DeliverByPassed", 6014),
        ("DeliverByTooFar", 6015),
        ("WindowTooLong", 6016),
        ("RulingWindowZero", 6017),
        ("ReviewWindowZero", 6018),
        ("CoolingOffTooLong", 6019),
        ("HashlockMilestones", 6020),
        ("RiskUnknown", 6021),
        ("AddressMismatch", 6022),
        ("AlreadyCreated", 6023),
        ("NotBuyer", 6040),
        ("NotSeller", 6041),
        ("NotDeliverer", 6042),
        ("NotArbiter", 6043),
        ("NotParty", 6044),
        ("NotCanceller", 6045),
        ("RentPayerMismatch", 6046),
        ("RecipientMismatch", 6047),
        ("TokenAccountsMissing", 6048),
        ("TokenAccountsUnexpected", 6049),
        ("VaultMismatch", 6050),
        ("MintMismatch", 6051),
        ("TokenProgramMismatch", 6052),
        ("MintInvalid", 6053),
        ("TokenAccountInvalid", 6054),
        ("TokenAccountMint", 6055),
        ("TokenAccountOwner", 6056),
        ("NotAssociatedAccount", 6057),
        ("ExtensionUnsupported", 6059),
        ("RiskNotAccepted", 6060),
        ("FundingShort", 6061),
        ("SurplusAccountMissing", 6062),
        ("InstructionLength", 6063),
        ("VersionUnsupported", 6064),
        ("NotFunded", 6070),
        ("AlreadyFunded", 6071),
        ("MilestoneMissing", 6072),
        ("MilestoneSettled", 6073),
        ("NotPending", 6074),
        ("NotDelivered", 6075),
        ("NotDisputed", 6076),
        ("CoolingOff", 6077),
        ("CoolingOffOver", 6078),
        ("DeadlinePassed", 6079),
        ("DeadlineNotReached", 6080),
        ("RemainingMismatch", 6081),
        ("AmountTooHigh", 6082),
        ("NoHashlock", 6083),
        ("SecretMismatch", 6084),
        ("ProposalMissing", 6085),
        ("ProposalMismatch", 6086),
        ("ProposalExpired", 6087),
        ("ProposalExpiry", 6088),
        ("ExtensionNotLater", 6089),
        ("NothingDue", 6090),
        ("NotSettled", 6091),
        ("NotWithdrawn", 6092),
        ("CloseTooEarly", 6093),
        ("SecretDelivers", 6094),
        ("StatusMismatch", 6095),
        ("DeadlineMismatch", 6096),
        ("NothingToCancel", 6097),
        ("Overflow", 6110),
        ("Invariant", 6111),
        ("Corrupt", 6112),
    ];
    let actual: Vec<(&str, u32)> = EscrowError::ALL.iter().map(|error| (error.name(), error.code())).collect();
    assert_eq!(actual, pinned);
    for error in EscrowError::ALL {
        assert_eq!(EscrowError::from_code(error.code()), Some(*error));
        assert!(!error.message().is_empty());
    }
}

// The terms' hash ------------------------------------------------------------------------------------------------------

fn random_terms(numbers: &mut Numbers) -> Terms {
    let key = |numbers: &mut Numbers| Pubkey::new_from_array(numbers.bytes());
    Terms {
        buyer: key(numbers),
        seller: key(numbers),
        arbiter: key(numbers),
        attester: key(numbers),
        fee_recipient: key(numbers),
        mint: key(numbers),
        token_program: key(numbers),
        accepted_risks: u16::from_le_bytes(numbers.bytes()),
        fee_bps: u16::from_le_bytes(numbers.bytes()),
        arbiter_fee_bps: u16::from_le_bytes(numbers.bytes()),
        fund_by: i64::from_le_bytes(numbers.bytes()),
        cooling_off: u32::from_le_bytes(numbers.bytes()),
        ruling_window: u32::from_le_bytes(numbers.bytes()),
        undelivered_bps: u16::from_le_bytes(numbers.bytes()),
        unanswered_bps: u16::from_le_bytes(numbers.bytes()),
        unruled_bps: u16::from_le_bytes(numbers.bytes()),
        hashlock: numbers.bytes(),
        document_hash: numbers.bytes(),
        salt: numbers.bytes(),
        milestones: (0..numbers.below(MAX_MILESTONES as u64 + 1))
            .map(|_| MilestoneTerms {
                amount: numbers.next(),
                deliver_by: i64::from_le_bytes(numbers.bytes()),
                review_window: u32::from_le_bytes(numbers.bytes()),
            })
            .collect(),
    }
}

#[test]
fn the_hash_of_terms_is_that_of_their_encoding() {
    let mut numbers = Numbers(1);
    for _ in 0..2_000 {
        let terms = random_terms(&mut numbers);
        let encoded = borsh::to_vec(&terms).expect("bytes");
        assert_eq!(encoded.len(), 336 + 20 * terms.milestones.len());
        let expected: [u8; 32] =
            Sha256::new().chain_update(b"escrow:terms:v2").chain_update(&encoded).finalize().into();
        assert_eq!(terms.hash(), Ok(expected), "{terms:?}");
        let created = instruction::create(Pubkey::default(), &terms).expect("an instruction");
        assert_eq!(created.data[1..], encoded);
        let at = Pubkey::find_program_address(&[b"escrow", &expected], &escrow::ID).0;
        assert_eq!(address::escrow_address(&terms), Ok(at));
    }
}

#[test]
fn a_change_of_any_byte_of_the_terms_changes_the_address() {
    let mut numbers = Numbers(2);
    for _ in 0..20 {
        let mut terms = random_terms(&mut numbers);
        if terms.milestones.is_empty() {
            terms.milestones.push(MilestoneTerms { amount: 1, deliver_by: 2, review_window: 3 });
        }
        let encoded = borsh::to_vec(&terms).expect("bytes");
        let hash = terms.hash().expect("a hash");
        // All but the number of milestones, which would need others.
        for index in (0..encoded.len()).filter(|index| !(332..336).contains(index)) {
            let mut other = encoded.clone();
            other[index] ^= 1 << numbers.below(8);
            let other: Terms = borsh::from_slice(&other).expect("terms");
            assert_ne!(other, terms);
            assert_ne!(other.hash().expect("a hash"), hash, "byte {index}");
        }
        let mut fewer = terms.clone();
        fewer.milestones.pop();
        assert_ne!(fewer.hash().expect("a hash"), hash);
    }
}

#[test]
fn every_field_of_the_terms_is_hashed() {
    type Change = (&'static str, fn(&mut Terms));
    const OTHER: Pubkey = Pubkey::new_from_array([77; 32]);
    let changes: [Change; 22] = [
        ("buyer", |terms| terms.buyer = OTHER),
        ("seller", |terms| terms.seller = OTHER),
        ("arbiter", |terms| terms.arbiter = OTHER),
        ("attester", |terms| terms.attester = OTHER),
        ("fee_recipient", |terms| terms.fee_recipient = OTHER),
        ("mint", |terms| terms.mint = OTHER),
        ("token_program", |terms| terms.token_program = OTHER),
        ("accepted_risks", |terms| terms.accepted_risks ^= 1),
        ("fee_bps", |terms| terms.fee_bps ^= 1),
        ("arbiter_fee_bps", |terms| terms.arbiter_fee_bps ^= 1),
        ("fund_by", |terms| terms.fund_by ^= 1),
        ("cooling_off", |terms| terms.cooling_off ^= 1),
        ("ruling_window", |terms| terms.ruling_window ^= 1),
        ("undelivered_bps", |terms| terms.undelivered_bps ^= 1),
        ("unanswered_bps", |terms| terms.unanswered_bps ^= 1),
        ("unruled_bps", |terms| terms.unruled_bps ^= 1),
        ("hashlock", |terms| terms.hashlock[31] ^= 1),
        ("document_hash", |terms| terms.document_hash[0] ^= 1),
        ("salt", |terms| terms.salt[15] ^= 1),
        ("amount", |terms| terms.milestones[0].amount ^= 1),
        ("deliver_by", |terms| terms.milestones[0].deliver_by ^= 1),
        ("review_window", |terms| terms.milestones[0].review_window ^= 1),
    ];
    let terms = World::new().terms(Kind::Token, &[1_000]);
    let mut addresses = vec![address::escrow_address(&terms).expect("an address")];
    for (field, change) in changes {
        let mut changed = terms.clone();
        change(&mut changed);
        let at = address::escrow_address(&changed).expect("an address");
        assert!(!addresses.contains(&at), "{field}");
        addresses.push(at);
    }
}
