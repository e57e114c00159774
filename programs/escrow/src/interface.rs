//! The interface in one table: for each instruction its number, its name, the length of its data and its accounts. What
//! else has to know one of these takes it from here, and a test holds Anchor's own description against it.

#![deny(missing_docs)]

use crate::state::{MILESTONE_TERMS_SIZE, TERMS_BASE_SIZE};

/// An instruction of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// The first byte of its data, and its place in [`INSTRUCTIONS`].
    pub discriminator: u8,
    /// Its name.
    pub name: &'static str,
    /// How long its arguments are.
    pub arguments: Length,
    /// Its accounts, in their order.
    pub accounts: &'static [Account],
}

/// The length of an instruction's arguments, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Always the same.
    Fixed(usize),
    /// Encoded terms: depends on the number of milestones, which stands behind the other terms.
    Terms,
    /// An encoded proposal: depends on its kind, which comes first.
    Proposal,
}

/// An account of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: &'static str,
    /// What it is, where the accounts struct of the instruction has no field for it.
    pub doc: &'static str,
    /// Whether it is marked as written.
    pub writable: bool,
    /// Whether it has to sign.
    pub signer: bool,
    /// Whether it may be left out. The program's own address stands for one that is; the token accounts at the end of `fund`
    /// and `withdraw` may be missing altogether.
    pub optional: bool,
}

const fn account(name: &'static str) -> Account {
    Account { name, doc: "", writable: false, signer: false, optional: false }
}

impl Account {
    const fn writable(self) -> Self {
        Self { writable: true, ..self }
    }

    const fn signer(self) -> Self {
        Self { signer: true, ..self }
    }

    const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }
}

const ESCROW: Account = account("escrow").writable();
const SYSTEM_PROGRAM: Account = account("system_program");
const VAULT: Account = account("vault").writable().optional().doc("The vault, for a token.");
const MINT: Account = account("mint").optional().doc("The mint in the terms, for a token.");
const TOKEN_PROGRAM: Account = account("token_program").optional().doc("The token program in the terms, for a token.");
const BUYER_TOKEN: Account =
    account("buyer_token").writable().optional().doc("A token account that the buyer can spend from, for a token.");
const RECIPIENT_TOKEN: Account = account("recipient_token")
    .writable()
    .optional()
    .doc("The recipient's associated token account, or any of its accounts if it signs, for a token.");
const RENT_PAYER: Account = account("rent_payer").writable();

const HASH: usize = 32;
const AMOUNT: usize = 8;
const SHARE: usize = 2;
const INDEX: usize = 1;

/// Every instruction, by its discriminator.
pub const INSTRUCTIONS: [Instruction; 14] = [
    Instruction {
        discriminator: 0,
        name: "create",
        arguments: Length::Terms,
        accounts: &[RENT_PAYER.signer(), ESCROW, SYSTEM_PROGRAM, VAULT, MINT, TOKEN_PROGRAM],
    },
    Instruction {
        discriminator: 1,
        name: "fund",
        arguments: Length::Fixed(0),
        accounts: &[
            ESCROW,
            account("buyer").writable().signer(),
            SYSTEM_PROGRAM,
            BUYER_TOKEN,
            VAULT,
            MINT,
            TOKEN_PROGRAM,
        ],
    },
    Instruction {
        discriminator: 2,
        name: "cancel",
        arguments: Length::Fixed(0),
        accounts: &[ESCROW, account("canceller").signer(), RENT_PAYER, VAULT, MINT, TOKEN_PROGRAM, BUYER_TOKEN],
    },
    Instruction {
        discriminator: 3,
        name: "deliver",
        arguments: Length::Fixed(INDEX + HASH),
        accounts: &[ESCROW, account("deliverer").signer()],
    },
    Instruction { discriminator: 4, name: "claim", arguments: Length::Fixed(INDEX + HASH), accounts: &[ESCROW] },
    Instruction {
        discriminator: 5,
        name: "release",
        arguments: Length::Fixed(INDEX + AMOUNT + AMOUNT),
        accounts: &[ESCROW, account("buyer").signer()],
    },
    Instruction {
        discriminator: 6,
        name: "refund",
        arguments: Length::Fixed(INDEX + AMOUNT + AMOUNT),
        accounts: &[ESCROW, account("seller").signer()],
    },
    Instruction {
        discriminator: 7,
        name: "dispute",
        arguments: Length::Fixed(INDEX + HASH),
        accounts: &[ESCROW, account("buyer").signer()],
    },
    Instruction {
        discriminator: 8,
        name: "rule",
        arguments: Length::Fixed(INDEX + SHARE + HASH),
        accounts: &[ESCROW, account("arbiter").signer()],
    },
    Instruction {
        discriminator: 9,
        name: "propose",
        arguments: Length::Proposal,
        accounts: &[ESCROW, account("proposer").signer()],
    },
    Instruction {
        discriminator: 10,
        name: "accept",
        arguments: Length::Proposal,
        accounts: &[ESCROW, account("acceptor").signer()],
    },
    Instruction { discriminator: 11, name: "expire", arguments: Length::Fixed(INDEX), accounts: &[ESCROW] },
    Instruction {
        discriminator: 12,
        name: "withdraw",
        arguments: Length::Fixed(1),
        // The recipient is paid SOL there. Where it cannot be written to, the runtime takes the mark back, and tokens are
        // paid all the same.
        accounts: &[ESCROW, account("recipient").writable(), RECIPIENT_TOKEN, VAULT, MINT, TOKEN_PROGRAM],
    },
    Instruction {
        discriminator: 13,
        name: "close",
        arguments: Length::Fixed(0),
        accounts: &[ESCROW, RENT_PAYER, VAULT, MINT, TOKEN_PROGRAM, BUYER_TOKEN, account("buyer").signer().optional()],
    },
];

/// What the entrypoint needs of the table: only this much of it is in the program.
const ARGUMENTS: [Length; INSTRUCTIONS.len()] = {
    let mut lengths = [Length::Fixed(0); INSTRUCTIONS.len()];
    let mut index = 0;
    while index < INSTRUCTIONS.len() {
        #[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "checked by the compiler")]
        {
            assert!(INSTRUCTIONS[index].discriminator as usize == index);
            lengths[index] = INSTRUCTIONS[index].arguments;
        }
        index = match index.checked_add(1) {
            Some(next) => next,
            None => break,
        };
    }
    lengths
};

impl Instruction {
    /// The instruction whose data begins like this.
    pub fn of(data: &[u8]) -> Option<&'static Self> {
        const TABLE: &[Instruction] = &INSTRUCTIONS;
        TABLE.get(usize::from(*data.first()?))
    }

    /// Where in its accounts the one with this name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.accounts.iter().position(|account| account.name == name)
    }
}

/// Whether `data` has the length that it must have by its first byte; none where that names no instruction.
///
/// What is too short to tell has the wrong length.
pub fn has_its_length(data: &[u8]) -> Option<bool> {
    let (discriminator, arguments) = data.split_first()?;
    let length = ARGUMENTS.get(usize::from(*discriminator))?;
    Some(length_of(*length, arguments) == Some(arguments.len()))
}

/// The length that arguments beginning like these must have.
fn length_of(length: Length, arguments: &[u8]) -> Option<usize> {
    match length {
        Length::Fixed(length) => Some(length),
        Length::Terms => {
            let count = arguments.get(TERMS_BASE_SIZE.checked_sub(4)?..)?.first_chunk::<4>()?;
            let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
            count.checked_mul(MILESTONE_TERMS_SIZE)?.checked_add(TERMS_BASE_SIZE)
        }
        Length::Proposal => match arguments.first()? {
            // Nothing; a split: milestone, status, remaining, to the seller, expiry; an extension: milestone, status,
            // the deadline it replaces, the new one, expiry.
            0 => Some(1),
            1 | 2 => Some(1 + INDEX + 1 + AMOUNT + AMOUNT + 8),
            _ => None,
        },
    }
}
