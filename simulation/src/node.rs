//! What a node answers: the truth as far as it is, what goes wrong with it, and its lies.

use escrow_sender::{
    Address, Commitment, Effect, Hash, Height, MAX_AGE, Node, NonceOffer, Observation, Offer, Question, Reading,
    Signature, Slot, Status, Time,
};

use crate::{
    chain::{Bank, Chain, Life, TxId},
    schedule::{Backend, Lie, NodeFault, NodeFaultKind, NodePlan, OfferLie, StatusLie},
};

pub(crate) const GENESIS: Hash = Hash([1; 32]);
pub(crate) const NONCE_ACCOUNT: Address = Address([3; 32]);

/// The hash that stands for a life.
pub(crate) fn hash(life: Life) -> Hash {
    let mut bytes = [0; 32];
    match life {
        Life::Block { ledger, slot, fork } => {
            bytes[0] = 1;
            bytes[1] = ledger as u8;
            bytes[2] = fork.map_or(0, |fork| fork as u8 + 1);
            bytes[8..16].copy_from_slice(&slot.to_le_bytes());
        }
        Life::Nonce { value } => {
            bytes[0] = 2;
            bytes[8..12].copy_from_slice(&value.to_le_bytes());
        }
        Life::Foreign => bytes[0] = 9,
    }
    Hash(bytes)
}

/// The life that a hash stands for.
pub(crate) fn life(Hash(bytes): Hash) -> Life {
    let number = |from: usize| bytes[from..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    match bytes[0] {
        1 => {
            Life::Block { ledger: u32::from(bytes[1]), slot: number(8), fork: bytes[2].checked_sub(1).map(usize::from) }
        }
        2 => Life::Nonce { value: number(8) as u32 },
        _ => Life::Foreign,
    }
}

/// One answer of one node.
pub(crate) struct Answering<'a> {
    pub(crate) chain: &'a Chain<'a>,
    pub(crate) plan: &'a NodePlan,
    /// Which of the addresses it is.
    pub(crate) node: usize,
    /// Which of the nodes behind it answers.
    pub(crate) backend: usize,
    /// In which slot of the run.
    pub(crate) at: u64,
}

impl Answering<'_> {
    /// What goes wrong with it at present.
    fn faults(&self) -> impl Iterator<Item = NodeFaultKind> + '_ {
        let is_active = |fault: &&NodeFault| {
            (u64::from(fault.from)..u64::from(fault.from) + u64::from(fault.slots)).contains(&self.at)
        };
        self.plan.faults.iter().filter(is_active).map(|fault| fault.kind)
    }

    /// Whether this goes wrong with it at present.
    pub(crate) fn has(&self, kind: NodeFaultKind) -> bool {
        self.faults().any(|active| active == kind)
    }

    /// How much longer its messages take.
    pub(crate) fn slower(&self) -> u32 {
        self.faults()
            .find_map(|kind| if let NodeFaultKind::Slow(slots) = kind { Some(slots) } else { None })
            .unwrap_or(0)
    }

    fn behind(&self) -> Backend {
        self.plan.backends[self.backend]
    }

    fn newest(&self) -> u64 {
        self.chain.slot(self.at).saturating_sub(u64::from(self.behind().lag))
    }

    fn bank(&self, commitment: Commitment) -> Bank {
        self.chain.bank(commitment, self.newest(), self.node * 2 + self.backend)
    }

    fn lie(&self) -> Lie {
        const HONEST: Lie = Lie {
            status: StatusLie::Honest,
            blocks: 0,
            heights: 0,
            first_block: None,
            effect: None,
            offer: OfferLie::Honest,
            sends: crate::schedule::SendLie::Forwards,
        };
        self.plan.lie.unwrap_or(HONEST)
    }

    /// What it says that a block is.
    fn said(&self, Reading { slot, height }: Reading) -> Reading {
        let lie = self.lie();
        let (mut slot, mut height) = (
            slot.0.saturating_add_signed(lie.blocks.into()),
            height.0.saturating_add_signed((lie.blocks + lie.heights).into()),
        );
        for kind in self.faults() {
            match kind {
                NodeFaultKind::HeightJump(by) => height += u64::from(by),
                NodeFaultKind::BlockJump(by) => (slot, height) = (slot + u64::from(by), height + u64::from(by)),
                NodeFaultKind::BlockBack(by) => {
                    (slot, height) = (slot.saturating_sub(by.into()), height.saturating_sub(by.into()));
                }
                _ => {}
            }
        }
        Reading { slot: Slot(slot), height: Height(height) }
    }

    /// The slot of a bank, as it says.
    fn said_slot(&self, slot: Slot) -> Slot {
        let ahead = if self.lie().status == StatusLie::NotFound { 10_000 } else { self.lie().blocks.into() };
        Slot(slot.0.saturating_add_signed(ahead))
    }

    fn status(&self, tx: TxId) -> Option<Status> {
        let finalized = self.bank(Commitment::Finalized).reading.slot;
        match self.lie().status {
            StatusLie::Honest => {}
            StatusLie::Succeeded(commitment) => return Some(Status { slot: finalized, commitment, error: None }),
            StatusLie::Failed => {
                let error = Some("custom 1".to_owned());
                return Some(Status { slot: finalized, commitment: Commitment::Finalized, error });
            }
            StatusLie::NotFound => return None,
        }
        let known =
            [Commitment::Finalized, Commitment::Confirmed, Commitment::Processed].into_iter().find_map(|commitment| {
                let (slot, succeeded) = self.chain.on_bank(tx, self.bank(commitment))?;
                let error = (!succeeded).then(|| "custom 1".to_owned());
                Some(Status { slot: Slot(slot), commitment, error })
            });
        let remembered = known.filter(|status| status.slot >= self.first_block());
        if remembered.is_some() && self.has(NodeFaultKind::LateStatus) {
            return None;
        }
        if self.has(NodeFaultKind::StaleStatus) {
            return remembered.map(|status| Status { commitment: Commitment::Processed, ..status });
        }
        let processed = self.bank(Commitment::Processed).reading.slot;
        let made_up = || Status { slot: processed, commitment: Commitment::Processed, error: None };
        remembered.or_else(|| self.has(NodeFaultKind::FalseStatus).then(made_up))
    }

    fn first_block(&self) -> Slot {
        Slot(self.behind().keeps.map_or(0, |keeps| self.newest().saturating_sub(u64::from(keeps))))
    }

    /// What it answers to a question about this transaction, of this step.
    pub(crate) fn answer(&self, question: Question, (tx, step): (TxId, u32), asked: Time) -> Observation {
        let node = Node(self.node);
        match question {
            Question::Height(commitment) => {
                let reading = self.said(self.bank(commitment).reading);
                Observation::Height { node, commitment, reading, asked }
            }
            Question::Status(signature) => {
                let bank = self.said_slot(self.bank(Commitment::Processed).reading.slot);
                Observation::Status { node, signature, bank, status: self.status(tx) }
            }
            Question::FirstBlock => {
                let slot = self.lie().first_block.map_or_else(|| self.first_block(), |slot| Slot(slot.into()));
                Observation::FirstBlock { node, slot }
            }
            Question::Nonce(account) => {
                let bank = self.bank(Commitment::Finalized);
                let value = match self.lie().status {
                    StatusLie::NotFound => None,
                    _ => Some(hash(Life::Nonce { value: self.chain.nonce(bank) })),
                };
                Observation::Nonce { node, account, bank: self.said_slot(bank.reading.slot), value }
            }
            Question::Effect(signature) => {
                let bank = self.bank(Commitment::Finalized);
                let present = self.lie().effect.unwrap_or_else(|| self.chain.has_effect(step, bank));
                let effect = if present { Effect::Present } else { Effect::Absent };
                Observation::Effect { node, signature, bank: self.said_slot(bank.reading.slot), effect }
            }
        }
    }

    /// What its poller also knows: a block that is not final.
    pub(crate) fn newest_block(&self, asked: Time) -> Observation {
        let reading = self.said(self.bank(Commitment::Processed).reading);
        Observation::Height { node: Node(self.node), commitment: Commitment::Processed, reading, asked }
    }

    /// What it says when a transaction is about to be signed.
    pub(crate) fn offer(&self) -> Offer {
        let bank = self.bank(Commitment::Confirmed);
        let life = Life::Block { ledger: self.chain.ledger, slot: bank.reading.slot.0, fork: bank.fork };
        let last_valid = bank.reading.height.plus(MAX_AGE);
        let (hash, last_valid) = match self.lie().offer {
            OfferLie::Honest => (hash(life), last_valid),
            OfferLie::ForeignHash => (hash(Life::Foreign), last_valid),
            OfferLie::EndsEarly(by) => (hash(life), Height(last_valid.0.saturating_sub(by.into()))),
            OfferLie::EndsLate(by) => (hash(life), last_valid.plus(by.into())),
        };
        Offer {
            node: Node(self.node),
            finalized: self.said(self.bank(Commitment::Finalized).reading),
            hash,
            fetched: self.said_slot(bank.reading.slot),
            last_valid,
            tip: self.said(self.bank(Commitment::Processed).reading),
        }
    }

    /// What it says of the nonce when a transaction is about to be signed.
    pub(crate) fn nonce_offer(&self) -> NonceOffer {
        let bank = self.bank(Commitment::Finalized);
        let foreign = self.lie().offer == OfferLie::ForeignHash;
        let life = if foreign { Life::Foreign } else { Life::Nonce { value: self.chain.nonce(bank) } };
        let finalized = self.said(bank.reading);
        NonceOffer {
            node: Node(self.node),
            finalized,
            slot: self.said_slot(bank.reading.slot),
            value: Some(hash(life)),
        }
    }
}

/// The bytes of transaction number `tx`.
pub(crate) fn transaction(tx: TxId, hash: Hash) -> Vec<u8> {
    let mut bytes = vec![0; 1 + 64 + 4 + 1 + 32 + 32 + 1];
    bytes[0] = 1;
    bytes[1..9].copy_from_slice(&(tx as u64).to_le_bytes());
    bytes[65] = 0x80;
    bytes[66] = 1;
    bytes[69] = 1;
    bytes[102..134].copy_from_slice(&hash.0);
    bytes
}

/// The number of the transaction with this signature.
pub(crate) fn number(Signature(bytes): Signature) -> TxId {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes) as TxId)
}
