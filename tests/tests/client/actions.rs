//! An action is an instruction with its accounts, and the other way round; what it previews is what the rules do.

use escrow_client::{
    Action, EscrowAccount, EscrowError, EscrowInstruction, MilestoneStatus, Proposal, Recipient, Terms,
    escrow::{interface::INSTRUCTIONS, state::Moved},
    terms::{self, Asset, DAY},
};
use escrow_tests::SECRET;
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

const NOW: i64 = 1_800_000_000;
const TOKEN: Asset = Asset::Token { mint: Pubkey::new_from_array([9; 32]), program: escrow_tests::TOKEN };

fn key(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

/// An agreement in which every role is named.
fn agreed(asset: Asset) -> (Terms, EscrowAccount) {
    let mut terms = escrow_client::TermsBuilder::new(key(1), key(2), asset).assemble(NOW).expect("terms");
    (terms.arbiter, terms.arbiter_fee_bps) = (key(3), 100);
    (terms.fee_recipient, terms.fee_bps) = (key(4), 250);
    (terms.attester, terms.hashlock) = (key(5), Sha256::digest(SECRET).into());
    terms.milestones = vec![terms::milestone(1_000, NOW + 10 * i64::from(DAY))];
    let deal = EscrowAccount::agreed(&terms, key(6)).expect("terms that hash");
    (terms, deal)
}

fn split() -> Proposal {
    let status = MilestoneStatus::Pending;
    Proposal::Split { milestone: 0, status, remaining: 1_000, to_seller: 400, expires_at: NOW + 100 }
}

/// One of each, in the order of the interface.
fn every_instruction(terms: &Terms) -> Vec<EscrowInstruction> {
    use EscrowInstruction::*;
    vec![
        Create { terms: Box::new(terms.clone()) },
        Fund,
        Cancel,
        Deliver { milestone: 0, evidence_hash: [1; 32] },
        Claim { milestone: 0, secret: SECRET },
        Release { milestone: 0, amount: 10, expected_remaining: 1_000 },
        Refund { milestone: 0, amount: 20, expected_remaining: 1_000 },
        Dispute { milestone: 0, reason_hash: [2; 32] },
        Rule { milestone: 0, seller_bps: 4_000, rationale_hash: [3; 32] },
        Propose { proposal: split() },
        Accept { proposal: split() },
        Expire { milestone: 0 },
        Withdraw { recipient: Recipient::Seller },
        Close,
    ]
}

#[test]
fn each_instruction_has_its_row_in_the_programs_table() {
    let (terms, _) = agreed(Asset::Sol);
    let all = every_instruction(&terms);
    assert_eq!(all.len(), INSTRUCTIONS.len());
    for (instruction, row) in all.iter().zip(&INSTRUCTIONS) {
        assert_eq!(instruction.interface(), row);
        assert_eq!(instruction.name(), row.name);
    }
}

/// Also where somebody else acts, tokens go elsewhere, or a surplus is directed.
#[test]
fn an_action_is_read_back_from_its_instruction() {
    for asset in [Asset::Sol, TOKEN] {
        let (terms, deal) = agreed(asset);
        for instruction in every_instruction(&terms) {
            let usual = Action::new(&deal, instruction.clone());
            let mut actions = vec![usual.clone()];
            match instruction {
                EscrowInstruction::Cancel | EscrowInstruction::Propose { .. } | EscrowInstruction::Accept { .. } => {
                    actions = vec![usual.clone().by(key(1)), usual.by(key(2))];
                }
                EscrowInstruction::Withdraw { .. } if asset != Asset::Sol => {
                    actions.push(usual.by(key(2)).with(Some(key(77))));
                }
                EscrowInstruction::Close if asset != Asset::Sol => {
                    actions.push(usual.clone().with(Some(key(77))));
                    actions.push(usual.by(key(1)).with(Some(key(78))));
                }
                _ => {}
            }
            for action in actions {
                let built = action.instruction(&deal);
                assert_eq!(Action::decode(&built), Some(action.clone()), "{asset:?}");
                let row = action.instruction.interface();
                assert!(built.accounts.len() <= row.accounts.len());
                for (account, slot) in built.accounts.iter().zip(row.accounts) {
                    let is_absent = account.pubkey == escrow_client::escrow::ID;
                    let marks = (account.is_writable, account.is_signer || slot.name == "recipient");
                    let expected = (slot.writable, slot.signer || slot.name == "recipient");
                    assert!(is_absent && slot.optional || marks == expected, "{}: {}", row.name, slot.name);
                }
            }
        }
    }
}

#[test]
fn what_is_no_instruction_of_the_program_is_no_action() {
    let (terms, deal) = agreed(TOKEN);
    for instruction in every_instruction(&terms) {
        let action = Action::new(&deal, instruction).by(key(1));
        let built = action.instruction(&deal);
        let changed = |change: &dyn Fn(&mut solana_instruction::Instruction)| {
            let mut built = built.clone();
            change(&mut built);
            Action::decode(&built)
        };
        assert_eq!(changed(&|it| it.program_id = key(1)), None);
        assert_eq!(changed(&|it| it.data.push(0)), None);
        assert_eq!(changed(&|it| it.data.truncate(it.data.len() - 1)), None);
        assert_eq!(changed(&|it| it.accounts.clear()), None);
    }
}

/// A whole life, previewed without a node: each step on what the last one left.
#[test]
fn previews_follow_each_other() {
    use EscrowInstruction::*;
    let (terms, mut deal) = agreed(Asset::Sol);
    let mut does = |instruction: EscrowInstruction, by: Option<Pubkey>, now: i64| {
        let mut action = Action::new(&deal, instruction);
        action.actor = by.or(action.actor);
        let preview = action.preview(&deal, now);
        if let Ok(preview) = &preview {
            deal = preview.after.clone().unwrap_or_else(|| deal.clone());
        }
        preview
    };
    let created = does(Create { terms: Box::new(terms.clone()) }, None, NOW).expect("agreed");
    assert_eq!(created.after.map(|after| after.terms()), Some(terms));
    let fund = does(Fund, None, NOW).expect("in time");
    assert_eq!((fund.effects.paid_in, fund.effects.decided), (1_000, Moved::default()));
    let release = Release { milestone: 0, amount: 400, expected_remaining: 1_000 };
    let released = does(release.clone(), None, NOW).expect("any time").effects.decided;
    assert_eq!(released, Moved { seller: 390, fee: 10, ..Moved::default() });
    assert_eq!(does(release, None, NOW), Err(EscrowError::RemainingMismatch));
    assert_eq!(does(Fund, None, NOW), Err(EscrowError::AlreadyFunded));
    assert_eq!(does(Expire { milestone: 0 }, None, NOW), Err(EscrowError::DeadlineNotReached));
    does(Deliver { milestone: 0, evidence_hash: [0; 32] }, None, NOW).expect("the attester's turn");
    does(Dispute { milestone: 0, reason_hash: [0; 32] }, None, NOW).expect("the buyer's turn");
    let rule = Rule { milestone: 0, seller_bps: 5_000, rationale_hash: [0; 32] };
    let ruled = does(rule, None, NOW).expect("the arbiter's turn").effects.decided;
    assert_eq!(ruled, Moved { arbiter: 6, seller: 290, fee: 7, buyer: 297 });
    for (recipient, units) in
        [(Recipient::Buyer, 297), (Recipient::Seller, 680), (Recipient::Fee, 17), (Recipient::Arbiter, 6)]
    {
        assert_eq!(does(Close, None, NOW + 2 * i64::from(DAY)), Err(EscrowError::NotWithdrawn));
        let paid = does(Withdraw { recipient }, None, NOW).expect("something is due");
        assert_eq!(paid.effects.paid_out, Some((recipient, units)));
        assert_eq!(does(Withdraw { recipient }, None, NOW), Err(EscrowError::NothingDue));
    }
    assert_eq!(does(Close, None, NOW), Err(EscrowError::CloseTooEarly));
    assert_eq!(does(Close, None, NOW + 2 * i64::from(DAY)).map(|close| close.after), Ok(None));
}

#[test]
fn a_preview_refuses_who_may_not() {
    use EscrowInstruction::*;
    let (terms, deal) = agreed(Asset::Sol);
    let funded = Action::new(&deal, Fund).preview(&deal, NOW).expect("in time").after.expect("open");
    for (instruction, refusal) in [
        (Release { milestone: 0, amount: 1, expected_remaining: 1_000 }, EscrowError::NotBuyer),
        (Refund { milestone: 0, amount: 1, expected_remaining: 1_000 }, EscrowError::NotSeller),
        (Deliver { milestone: 0, evidence_hash: [0; 32] }, EscrowError::NotDeliverer),
        (Dispute { milestone: 0, reason_hash: [0; 32] }, EscrowError::NotBuyer),
        (Rule { milestone: 0, seller_bps: 0, rationale_hash: [0; 32] }, EscrowError::NotArbiter),
        (Propose { proposal: split() }, EscrowError::NotParty),
        (Accept { proposal: split() }, EscrowError::NotParty),
        (Cancel, EscrowError::NotBuyer),
    ] {
        let action = Action::new(&funded, instruction).by(key(66));
        assert_eq!(action.preview(&funded, NOW), Err(refusal));
    }
    assert_eq!(Action::new(&deal, Fund).by(key(2)).preview(&deal, NOW), Err(EscrowError::NotBuyer));
    assert_eq!(Action::new(&deal, Cancel).by(key(66)).preview(&deal, NOW), Err(EscrowError::NotCanceller));
    let other = Action { escrow: key(66), ..Action::new(&deal, Create { terms: Box::new(terms) }) };
    assert_eq!(other.preview(&deal, NOW), Err(EscrowError::AddressMismatch));
}
