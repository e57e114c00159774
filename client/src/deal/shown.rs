//! Whether an escrow shows that an action was executed: asked of the account before a transaction is called expired, since an
//! account and a node's list of transactions do not go wrong together.

use escrow::state::{MilestoneStatus, Proposal};

use super::{
    account::EscrowAccount,
    action::{Action, EscrowInstruction},
};

impl Action {
    /// Whether `escrow`, as it stands some time after the action was built, shows that it was executed: none where it would
    /// look the same either way. `escrow` is none where there is no account.
    ///
    /// "No" is said only of what the action, once executed, makes impossible for ever.
    pub fn shown_in(&self, escrow: Option<&EscrowAccount>) -> Option<bool> {
        let escrow = escrow?;
        let milestone = |index: u8| escrow.milestones.get(usize::from(index));
        match &self.instruction {
            // Whoever created it: the same terms have one address.
            EscrowInstruction::Create { .. } => Some(true),
            EscrowInstruction::Fund => Some(escrow.is_funded()),
            EscrowInstruction::Cancel if escrow.is_settled() => None,
            EscrowInstruction::Cancel | EscrowInstruction::Close => Some(false),
            EscrowInstruction::Deliver { milestone: index, .. } => match milestone(*index)?.status().ok()? {
                MilestoneStatus::Pending => Some(false),
                MilestoneStatus::Delivered => Some(true),
                MilestoneStatus::Disputed | MilestoneStatus::Settled => None,
            },
            EscrowInstruction::Dispute { milestone: index, .. } => match milestone(*index)?.status().ok()? {
                MilestoneStatus::Pending | MilestoneStatus::Delivered => Some(false),
                MilestoneStatus::Disputed => Some(true),
                MilestoneStatus::Settled => None,
            },
            EscrowInstruction::Release { milestone: index, amount, expected_remaining }
            | EscrowInstruction::Refund { milestone: index, amount, expected_remaining } => {
                let left = expected_remaining.checked_sub(*amount)?;
                let remaining = milestone(*index)?.remaining;
                // Less: somebody decided more of it since.
                (remaining >= left).then_some(remaining == left)
            }
            EscrowInstruction::Claim { milestone: index, .. }
            | EscrowInstruction::Rule { milestone: index, .. }
            | EscrowInstruction::Expire { milestone: index } => milestone(*index)?.is_open().then_some(false),
            EscrowInstruction::Accept { proposal: Proposal::Split { milestone: index, .. } } => {
                milestone(*index)?.is_open().then_some(false)
            }
            EscrowInstruction::Accept { proposal: Proposal::Extension { milestone: index, replaces, .. } } => {
                (milestone(*index)?.deadline == *replaces).then_some(false)
            }
            // A proposal can be made twice, and what is paid out can be due again.
            EscrowInstruction::Accept { proposal: Proposal::Withdrawn }
            | EscrowInstruction::Propose { .. }
            | EscrowInstruction::Withdraw { .. } => None,
        }
    }
}
