//! The builders, apart from any node: who must sign what they build.

use escrow_client::{
    Proposal, Terms, instruction,
    terms::{self, Asset},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

fn signers(instruction: &Instruction) -> Vec<Pubkey> {
    instruction.accounts.iter().filter(|account| account.is_signer).map(|account| account.pubkey).collect()
}

fn some_terms() -> Terms {
    let mut terms = escrow_client::TermsBuilder::new(Pubkey::new_unique(), Pubkey::new_unique(), Asset::Sol)
        .assemble(0)
        .expect("terms");
    terms.milestones.push(terms::milestone(1, 1));
    terms
}

/// More signers than the design names would lock somebody out, fewer would let somebody in.
#[test]
fn exactly_those_sign_whom_the_design_names() {
    let (escrow, party, terms) = (Pubkey::new_unique(), Pubkey::new_unique(), some_terms());
    for (name, built, wanted) in [
        ("create", instruction::create(party, &terms).unwrap(), Some(party)),
        ("fund", instruction::fund(&terms).unwrap(), Some(terms.buyer)),
        ("deliver", instruction::deliver(escrow, party, 0, [0; 32]), Some(party)),
        ("claim", instruction::claim(escrow, 0, [0; 32]), None),
        ("release", instruction::release(escrow, party, 0, instruction::Part { amount: 1, of: 1 }), Some(party)),
        ("refund", instruction::refund(escrow, party, 0, instruction::Part { amount: 1, of: 1 }), Some(party)),
        ("dispute", instruction::dispute(escrow, party, 0, [0; 32]), Some(party)),
        ("rule", instruction::rule(escrow, party, 0, 1, [0; 32]), Some(party)),
        ("propose", instruction::propose(escrow, party, Proposal::Withdrawn), Some(party)),
        ("accept", instruction::accept(escrow, party, Proposal::Withdrawn), Some(party)),
        ("expire", instruction::expire(escrow, 0), None),
    ] {
        assert_eq!(signers(&built), Vec::from_iter(wanted), "{name}");
        assert_eq!(built.program_id, escrow_client::escrow::ID, "{name}");
    }
}
