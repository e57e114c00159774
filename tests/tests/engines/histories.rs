//! Replaying what happened to an escrow, with the times that nodes tell.

use escrow_client::{
    EscrowInstruction,
    escrow::event::{Delivered, Disputed, Funded},
    event::{EscrowEvent, Events},
    history::{Completeness, Entry, History},
};
use escrow_tests::lives::{Act, Life, Random};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// What the program logs of an act that sets a deadline, read off the account after it.
fn logged(escrow: Pubkey, act: &Act) -> Option<EscrowEvent> {
    let after = act.after.as_ref()?;
    let deadline = |milestone: u8| after.milestones[usize::from(milestone)].deadline;
    let reserved = [0; 7];
    Some(match act.action.instruction {
        EscrowInstruction::Fund => EscrowEvent::Funded(Funded {
            escrow,
            principal: after.state.ledger.principal,
            cooling_off_end: after.state.funded_at + i64::from(after.state.cooling_off),
        }),
        EscrowInstruction::Deliver { milestone, evidence_hash } => {
            let deadline = deadline(milestone);
            EscrowEvent::Delivered(Delivered { escrow, evidence_hash, deadline, milestone, reserved })
        }
        EscrowInstruction::Dispute { milestone, reason_hash } => {
            let deadline = deadline(milestone);
            EscrowEvent::Disputed(Disputed { escrow, reason_hash, deadline, milestone, reserved })
        }
        _ => return None,
    })
}

/// A node may say of a block that it was a second earlier or later than the program's clock showed in it. What the program
/// logged tells its own time, and the history is whole.
#[test]
fn a_block_time_that_is_a_second_beside_the_programs_clock_makes_no_gap() {
    let (mut set, mut whole) = (0, 0);
    for seed in 0..500 {
        let life = Life::random(&mut Random::new(seed), 12);
        for beside in [-1, 1] {
            let mut before = None;
            let entries = life.acts.iter().zip(1u8..).map(|(act, number)| {
                let event = logged(life.address, act);
                let time = event.zip(before.as_ref()).and_then(|(event, before)| event.time(before));
                before.clone_from(&act.after);
                if let Some(time) = time {
                    assert_eq!(time, act.time, "{:?}", act.action.instruction);
                    set += 1;
                }
                Entry {
                    signature: Signature::from([number; 64]),
                    slot: number.into(),
                    time: Some(if time.is_some() { act.time + beside } else { act.time }),
                    action: act.action.clone(),
                    events: Events { events: event.into_iter().collect(), truncated: false },
                }
            });
            let entries = entries.collect();
            let history = History::replay(life.address, entries, life.end(), Vec::new());
            assert_eq!(history.completeness, Completeness::Whole, "seed {seed}");
            whole += 1;
        }
    }
    assert!(set > 500 && whole == 1_000, "{set} acts that set a deadline");
}
