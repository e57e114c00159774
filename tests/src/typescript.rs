//! What the TypeScript client is held against, `fixtures.json`: an escrow account that the program wrote, an event that
//! it logged, and instructions as the Rust client builds them, each with what is in it.

use escrow_client::{EscrowAccount, MilestoneStatus, Proposal, Recipient, Terms, address, instruction};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_signer::Signer;

use crate::{DAY, Kind, World};

/// What stands in `fixtures.json`.
pub fn document() -> String {
    format!("{:#}\n", fixtures())
}

fn fixtures() -> Value {
    let mut world = World::new();
    let (buyer, seller) = (world.buyer.insecure_clone(), world.seller.insecure_clone());
    let rent_payer = world.rent_payer.pubkey();

    // Two milestones of a token in different states, every optional role, and a proposal in one of the slots.
    let mut terms = world.terms(Kind::Token, &[3_000_001, 5_000_000_000]);
    terms.attester = world.attester.pubkey();
    terms.fee_recipient = world.fee_recipient.pubkey();
    (terms.fee_bps, terms.arbiter_fee_bps, terms.cooling_off) = (250, 100, 60);
    terms.document_hash = [0xd0; 32];
    let created = instruction::create(rent_payer, &terms).expect("terms that hash");
    let escrow = world.create_and_fund(&terms);
    let released = world.ok(
        instruction::release(escrow, buyer.pubkey(), 0, instruction::Part { amount: 1_000_001, of: 3_000_001 }),
        &[&buyer],
    );
    world.advance(DAY);
    let attester = world.attester.insecure_clone();
    world.ok(instruction::deliver(escrow, attester.pubkey(), 0, [0xe1; 32]), &[&attester]);
    let split = Proposal::Split {
        milestone: 1,
        status: MilestoneStatus::Pending,
        remaining: 5_000_000_000,
        to_seller: 1_234_567_890,
        expires_at: world.now() + DAY,
    };
    let proposed = instruction::propose(escrow, seller.pubkey(), split);
    world.ok(proposed.clone(), &[&seller]);
    let account = world.raw(&escrow);
    let decoded = world.escrow(&escrow);

    // The instructions that hold something of every kind: terms, an enum with fields, one without, no token accounts.
    let sol = world.terms(Kind::Sol, &[1]);
    json!({
        "account": {
            "address": escrow.to_string(),
            "programAddress": account.owner.to_string(),
            "data": hex(&account.data),
            "decoded": show_account(&decoded),
        },
        "event": {
            "data": event(&released.logs),
            "decoded": {
                "escrow": escrow.to_string(),
                "toSeller": "975001",
                "fee": "25000",
                "remaining": "2000000",
                "milestone": 0,
                "reserved": hex(&[0; 7]),
            },
        },
        "terms": show_terms(&terms),
        "solTerms": show_terms(&sol),
        "solEscrow": address::escrow_address(&sol).expect("terms that hash").to_string(),
        "instructions": {
            "create": show_instruction(&created),
            "fundToken": show_instruction(&instruction::fund(&terms).expect("terms that hash")),
            "fundSol": show_instruction(&instruction::fund(&sol).expect("terms that hash")),
            "propose": show_instruction(&proposed),
            "withdraw": show_instruction(&instruction::withdraw(&decoded, Recipient::Fee)),
        },
        "rentPayer": rent_payer.to_string(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The data of the event in a transaction's log, in Base64 as there.
fn event(logs: &[String]) -> &str {
    logs.iter().find_map(|line| line.strip_prefix("Program data: ")).expect("an event")
}

fn show_instruction(instruction: &Instruction) -> Value {
    let accounts: Vec<Value> = instruction
        .accounts
        .iter()
        .map(|meta| {
            json!({ "address": meta.pubkey.to_string(), "signer": meta.is_signer, "writable": meta.is_writable })
        })
        .collect();
    json!({
        "programAddress": instruction.program_id.to_string(),
        "accounts": accounts,
        "data": hex(&instruction.data),
    })
}

fn show_terms(terms: &Terms) -> Value {
    let milestones: Vec<Value> = terms
        .milestones
        .iter()
        .map(|milestone| {
            json!({
                "amount": milestone.amount.to_string(),
                "deliverBy": milestone.deliver_by.to_string(),
                "reviewWindow": milestone.review_window,
            })
        })
        .collect();
    json!({
        "buyer": terms.buyer.to_string(),
        "seller": terms.seller.to_string(),
        "arbiter": terms.arbiter.to_string(),
        "attester": terms.attester.to_string(),
        "feeRecipient": terms.fee_recipient.to_string(),
        "mint": terms.mint.to_string(),
        "tokenProgram": terms.token_program.to_string(),
        "acceptedRisks": terms.accepted_risks,
        "feeBps": terms.fee_bps,
        "arbiterFeeBps": terms.arbiter_fee_bps,
        "fundBy": terms.fund_by.to_string(),
        "coolingOff": terms.cooling_off,
        "rulingWindow": terms.ruling_window,
        "undeliveredBps": terms.undelivered_bps,
        "unansweredBps": terms.unanswered_bps,
        "unruledBps": terms.unruled_bps,
        "hashlock": hex(&terms.hashlock),
        "documentHash": hex(&terms.document_hash),
        "salt": hex(&terms.salt),
        "milestones": milestones,
    })
}

/// Every field of the account, as the Rust client reads it: numbers of 64 bits in decimal, bytes in hex.
fn show_account(account: &EscrowAccount) -> Value {
    let EscrowAccount { state, milestones, .. } = account;
    let ledger = &state.ledger;
    let slot = |slot: &escrow_client::escrow::state::ProposalSlot| {
        json!({
            "remaining": slot.remaining.to_string(),
            "toSeller": slot.to_seller.to_string(),
            "replaces": slot.replaces.to_string(),
            "deadline": slot.deadline.to_string(),
            "expiresAt": slot.expires_at.to_string(),
            "kind": slot.kind,
            "milestone": slot.milestone,
            "status": slot.status,
            "reserved": hex(&slot.reserved),
        })
    };
    let milestones: Vec<Value> = milestones
        .iter()
        .map(|milestone| {
            json!({
                "amount": milestone.amount.to_string(),
                "remaining": milestone.remaining.to_string(),
                "deliverBy": milestone.deliver_by.to_string(),
                "deadline": milestone.deadline.to_string(),
                "reviewWindow": milestone.review_window,
                "status": milestone.status,
                "reserved": hex(&milestone.reserved),
            })
        })
        .collect();
    json!({
        "buyer": state.buyer.to_string(),
        "seller": state.seller.to_string(),
        "arbiter": state.arbiter.to_string(),
        "attester": state.attester.to_string(),
        "feeRecipient": state.fee_recipient.to_string(),
        "mint": state.mint.to_string(),
        "tokenProgram": state.token_program.to_string(),
        "rentPayer": state.rent_payer.to_string(),
        "vault": state.vault.to_string(),
        "termsHash": hex(&state.terms_hash),
        "hashlock": hex(&state.hashlock),
        "documentHash": hex(&state.document_hash),
        "salt": hex(&state.salt),
        "ledger": {
            "principal": ledger.principal.to_string(),
            "released": ledger.released.to_string(),
            "refunded": ledger.refunded.to_string(),
            "fees": ledger.fees.to_string(),
            "arbiterFees": ledger.arbiter_fees.to_string(),
            "dueBuyer": ledger.due_buyer.to_string(),
            "dueSeller": ledger.due_seller.to_string(),
            "dueFee": ledger.due_fee.to_string(),
            "dueArbiter": ledger.due_arbiter.to_string(),
        },
        "buyerProposal": slot(&state.buyer_proposal),
        "sellerProposal": slot(&state.seller_proposal),
        "fundBy": state.fund_by.to_string(),
        "fundedAt": state.funded_at.to_string(),
        "coolingOff": state.cooling_off,
        "rulingWindow": state.ruling_window,
        "acceptedRisks": state.accepted_risks,
        "feeBps": state.fee_bps,
        "arbiterFeeBps": state.arbiter_fee_bps,
        "undeliveredBps": state.undelivered_bps,
        "unansweredBps": state.unanswered_bps,
        "unruledBps": state.unruled_bps,
        "status": state.status,
        "version": state.version,
        "bump": state.bump,
        "reserved": state.reserved,
        "milestones": milestones,
    })
}
