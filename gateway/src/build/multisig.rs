//! The same actions as a proposal of a Squads multisig, whose vault is the party: a member signs it, others approve, and somebody
//! executes it there.

use escrow_client::{
    transaction::{
        Lifetime,
        pack::{MAX_SIZE, size},
        squads::{Divided, Multisig, Proposed, Proposer, SquadsError, divide},
    },
    words::time,
};
use serde::{Deserialize, Serialize};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use utoipa::ToSchema;

use super::{Fitted, Order, Planned, frame};
use crate::{
    chain::{Chain, Finality},
    problem::{Code, Problem, Result},
};

/// Among how many of the last proposals an equal one is looked for: as many accounts as a node gives at once.
const LOOKED_AT: u64 = 100;

/// In which multisig it is proposed, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultisigOrder {
    /// The multisig; not its vault.
    pub address: Pubkey,
    /// The member who proposes it; the fee payer pays the rents.
    pub member: Pubkey,
    /// The number of the vault.
    pub vault: u8,
    /// The member approves at once.
    pub approve: bool,
}

/// A proposal of a multisig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MultisigProposal)]
pub struct ProposalTold {
    /// The multisig.
    pub multisig: String,
    /// Its vault: the party.
    pub vault: String,
    /// Who proposes it, and signs.
    pub member: String,
    /// Its number. Where somebody else proposes something first, this transaction fails: prepare it anew.
    pub number: String,
    /// Where what is proposed will be. Its rent and that of the vote are the fee payer's, and not in `cost`: a wallet's
    /// simulation shows them.
    pub transaction: String,
    /// Where the vote will be.
    pub proposal: String,
    /// How many more have to approve.
    pub approvals_missing: u16,
    /// How long after the last approval it can be executed, in seconds.
    pub time_lock_seconds: u32,
    /// The same in words.
    pub text: String,
}

/// One transaction that proposes all of a plan. What the vault need not sign is done in front, by this transaction itself.
///
/// # Errors
///
/// Where the member may not propose, others would have to sign, it does not fit, or the same is proposed already.
pub async fn propose(
    chain: &Chain,
    order: &Order,
    wanted: &MultisigOrder,
    planned: Vec<Planned>,
    lifetime: &Lifetime,
) -> Result<Fitted> {
    let client = chain.client(Finality::Confirmed);
    let multisig = client.multisig(&wanted.address).await?;
    let all = planned.iter().flat_map(|planned| planned.instructions.iter().cloned()).collect();
    let proposer = Proposer {
        rent_payer: order.fee_payer,
        vault_index: wanted.vault,
        approve: wanted.approve,
        ..Proposer::new(wanted.member)
    };
    let Divided { before, inside } = divide(&multisig.vault(wanted.vault), all);
    let proposed = multisig.propose(&inside, &proposer)?;
    if let Some(equal) = client.open_equal_proposal(&multisig, &inside, wanted.vault, LOOKED_AT).await? {
        let detail = format!(
            "the same is proposed already, as number {}, and can still be executed: approve that one, or cancel it first",
            equal.transaction.index
        );
        return Err(Problem::new(Code::Stale, detail).at("/multisig"));
    }
    let proposal = ProposalTold::new(&multisig, wanted, &proposed);
    let own: Vec<Instruction> = before.into_iter().chain(proposed.instructions).collect();
    let instructions = [frame(order.compute_unit_price, &own), own].concat();
    let size = size(&instructions, &order.fee_payer, lifetime)?;
    if size > MAX_SIZE {
        let detail = format!(
            "the proposal has {size} bytes, and at most {MAX_SIZE} are used, because wallets add some: propose fewer actions at \
             once, and let a member create the escrow before the vault funds it"
        );
        return Err(Problem::new(Code::TooLarge, detail).at("/actions"));
    }
    Ok(Fitted { instructions, planned, more: false, proposal: Some(proposal) })
}

impl ProposalTold {
    fn new(multisig: &Multisig, wanted: &MultisigOrder, proposed: &Proposed) -> Self {
        let vault = multisig.vault(wanted.vault);
        let Proposed { index, transaction, proposal, approvals_missing, time_lock, .. } = proposed;
        let votes = match approvals_missing {
            0 => "enough have approved it with this".to_owned(),
            1 => "one more member has to approve it".to_owned(),
            more => format!("{more} more members have to approve it"),
        };
        let wait = match time_lock {
            0 => String::new(),
            seconds => format!(", and {} pass", time::duration(u64::from(*seconds))),
        };
        let text = format!(
            "{} proposes to the multisig {}, as number {index}, what its vault {vault} is to do. Nothing of it happens yet: {votes}{wait}, \
             and then somebody executes it",
            wanted.member, wanted.address
        );
        Self {
            multisig: wanted.address.to_string(),
            vault: vault.to_string(),
            member: wanted.member.to_string(),
            number: index.to_string(),
            transaction: transaction.to_string(),
            proposal: proposal.to_string(),
            approvals_missing: *approvals_missing,
            time_lock_seconds: *time_lock,
            text,
        }
    }
}

impl From<SquadsError> for Problem {
    fn from(error: SquadsError) -> Self {
        let place = match &error {
            SquadsError::NotAMember { .. } | SquadsError::NotPermitted { .. } => "/multisig/member",
            SquadsError::Account { .. } | SquadsError::NotTheVault { .. } => "/multisig/address",
            _ => "/actions",
        };
        let text = error.to_string();
        match error {
            SquadsError::Transaction(error) => Self::from(error).at(place),
            SquadsError::TooLarge { .. } | SquadsError::TooMany => Self::new(Code::TooLarge, text).at(place),
            SquadsError::OtherSigner(_) | SquadsError::NothingToSign(_) | SquadsError::NotTheVault { .. } => {
                Self::new(Code::Refused, text).at(place)
            }
            SquadsError::Account { .. } | SquadsError::NotAMember { .. } | SquadsError::NotPermitted { .. } => {
                Self::invalid(place, text)
            }
            _ => Self::internal(text),
        }
    }
}
