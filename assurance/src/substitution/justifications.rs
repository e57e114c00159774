//! Why a case is accepted: each reason has a name, and says what it allows to happen.

use std::fmt;

/// What an accepted case did, compared with the instruction as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The same: every payment, and every byte of every escrow.
    Same,
    /// The same payments; an escrow's account differs.
    SamePayments,
    /// The same, with the account that was put in taking part in the place of the right one.
    InItsPlace,
    /// No payment, where there should have been one: only decisions.
    NothingPaid,
    /// Anything else.
    Other,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "the same",
            Self::SamePayments => "the same payments",
            Self::InItsPlace => "the same in its place",
            Self::NothingPaid => "nothing paid",
            Self::Other => "something else",
        })
    }
}

/// Why a case is accepted.
pub struct Reason {
    /// In the file.
    pub name: &'static str,
    /// In a sentence.
    pub because: &'static str,
    /// What may happen for this reason.
    pub allows: &'static [Effect],
}

/// Which cases are accepted for a reason. A pattern that ends with `*` fits whatever begins like it.
pub struct Justification {
    /// Why.
    pub reason: &'static Reason,
    /// The instruction.
    pub instruction: &'static str,
    /// Of the escrow.
    pub asset: &'static str,
    /// The variant of its baseline.
    pub variant: &'static str,
    /// The account that was changed.
    pub slot: &'static str,
    /// What it was changed to.
    pub case: &'static str,
}

use Effect::*;

macro_rules! reasons {
    ($( $name:ident: [$($allows:ident),*], $because:literal; )*) => {
        $( #[allow(non_upper_case_globals)] const $name: Reason = Reason {
            name: stringify!($name), because: $because, allows: &[$($allows),*]
        }; )*
    };
}

reasons! {
    RightsThatNobodyUses: [Same],
        "An account may come with a mark that the instruction does not ask for: nothing is done with it.";
    AccountsBehindTheLast: [Same],
        "Accounts behind those of the interface are never looked at.";
    NoTokenAccountsForSol: [Same],
        "For SOL the token accounts at the end are left out, or the program's own address stands for each.";
    AnyoneMayPayTheRent: [InItsPlace],
        "Whoever signs as rent payer pays the rent, and is recorded to get it back.";
    RentIsToppedUp: [Other],
        "Lamports that are there already count towards the rent, so without them the rent payer pays more.";
    AnotherEscrow: [Same, SamePayments, InItsPlace, NothingPaid],
        "The escrow that an instruction names is the one that it acts on, under its own terms: there the signer has the \
         same role, or nobody need sign, and everybody who is paid is who its terms name.";
    AnUnfundedEscrowCloses: [Other],
        "The buyer may cancel that escrow too; nobody funded it, so it is closed and its rent goes back.";
    OnlyTheProgramWritesEscrows: [Same, SamePayments, InItsPlace, Other],
        "Forged: nobody but this program writes an account that it owns, and it makes them at their derived addresses \
         alone, in their exact size.";
    OnlyTheTokenProgramWritesThese: [Same, Other],
        "Forged: nobody but the token program writes a mint, the vault or an associated account, and nobody but this \
         program signs for the vault.";
    NobodySignsAtThatBump: [Same],
        "Forged: the associated-token program signs at the canonical bump alone, so no token account is ever there; and \
         it would still be the recipient's.";
    AnAddressIsAll: [Same],
        "Of a person the address counts alone, not what is stored there: an empty wallet, a program's account and a \
         multisig's vault are paid and sign alike.";
    AnyOfThreeMayCancel: [Same],
        "Buyer, seller and rent payer may each give up an unfunded escrow; the rent goes to its payer whoever does.";
    AnyoneMayCancelLate: [Same],
        "From fund_by on anyone may close an unfunded escrow; the rent goes to its payer whoever does.";
    EitherPartyMayPropose: [Same, SamePayments],
        "Buyer and seller may both propose: each fills the slot of its own, and it binds nobody until the other accepts.";
    NotNeeded: [Same],
        "Where there is no token, no surplus or nothing to close, the accounts for it are not looked at.";
    AFrozenVaultClosesEmpty: [Same],
        "A vault without tokens closes even if it is frozen: the issuer cannot hold back the rent.";
    NothingIsLeftToPay: [Other],
        "A vault without surplus closes and pays none.";
    WhatThePayeeHasDoesNotMatter: [Same],
        "A token account is paid whatever it holds already.";
    TheBuyerPaysFromWhereItMay: [Same, InItsPlace],
        "The principal may come from any token account of the mint that the buyer may spend from, its own or one whose \
         owner approved it: the token program decides.";
    TheRecipientChoosesBySigning: [Same],
        "A recipient that signs may name any token account that is its own.";
    TheBuyerMayBeThere: [Same],
        "The buyer may sign, to name another account, and name the associated one.";
    TokensDoNotTouchTheRecipient: [Same],
        "Tokens are paid to a token account: the recipient's own address is not changed and need not be writable.";
}

/// The first that fits a case is its justification. Each must fit one.
pub const JUSTIFICATIONS: &[Justification] = &[
    any(&RightsThatNobodyUses, "*", "writable"),
    any(&RightsThatNobodyUses, "*", "signing"),
    any(&AccountsBehindTheLast, "-", "one account more: *"),
    on("fund", sol(any(&NoTokenAccountsForSol, "-", "*"))),
    on("withdraw", sol(any(&NoTokenAccountsForSol, "-", "*"))),
    // escrow
    any(&AnotherEscrow, "escrow", "another escrow of the same parties"),
    any(&AnotherEscrow, "escrow", "a created escrow of the same parties"),
    any(&AnotherEscrow, "escrow", "a pending escrow of the same parties"),
    on("claim", any(&AnotherEscrow, "escrow", "an escrow of other parties")),
    on("deliver", variant("by the attester", any(&AnotherEscrow, "escrow", "an escrow of other parties"))),
    on("expire", any(&AnotherEscrow, "escrow", "an escrow of other parties")),
    on("cancel", variant("funded", any(&AnUnfundedEscrowCloses, "escrow", "a created escrow of the same parties"))),
    any(&OnlyTheProgramWritesEscrows, "escrow", "a copy of the escrow [forged]"),
    on("create", any(&RentIsToppedUp, "escrow", "itself, closed")),
    // people
    on("create", any(&AnyoneMayPayTheRent, "rent_payer", "*")),
    on("cancel", variant("unfunded, late*", any(&AnyoneMayCancelLate, "canceller", "*"))),
    on("cancel", any(&AnyOfThreeMayCancel, "canceller", "the buyer")),
    on("cancel", any(&AnyOfThreeMayCancel, "canceller", "the seller")),
    on("cancel", any(&AnyOfThreeMayCancel, "canceller", "the rent payer")),
    on("propose", any(&EitherPartyMayPropose, "proposer", "the buyer")),
    on("propose", any(&EitherPartyMayPropose, "proposer", "the seller")),
    on("close", any(&TheBuyerMayBeThere, "buyer", "the buyer")),
    on("withdraw", token(any(&TokensDoNotTouchTheRecipient, "recipient", "read-only"))),
    on("withdraw", token_2022(any(&TokensDoNotTouchTheRecipient, "recipient", "read-only"))),
    person("buyer"),
    person("seller"),
    person("arbiter"),
    person("deliverer"),
    person("proposer"),
    person("acceptor"),
    person("canceller"),
    person("rent_payer"),
    person("recipient"),
    // what is not needed
    on("cancel", sol(any(&NotNeeded, "vault", "*"))),
    on("cancel", sol(any(&NotNeeded, "token_program", "*"))),
    on("cancel", sol(any(&NotNeeded, "mint", "*"))),
    on("cancel", sol(any(&NotNeeded, "buyer_token", "*"))),
    on("cancel", variant("funded", any(&NotNeeded, "vault", "*"))),
    on("cancel", variant("funded", any(&NotNeeded, "token_program", "*"))),
    on("cancel", variant("funded", any(&NotNeeded, "mint", "*"))),
    on("cancel", variant("funded", any(&NotNeeded, "buyer_token", "*"))),
    on("cancel", variant("unfunded, by *", any(&NotNeeded, "mint", "*"))),
    on("cancel", variant("unfunded, by *", any(&NotNeeded, "buyer_token", "*"))),
    on("cancel", variant("unfunded, late*", any(&NotNeeded, "mint", "*"))),
    on("cancel", variant("unfunded, late*", any(&NotNeeded, "buyer_token", "*"))),
    on("close", sol(any(&NotNeeded, "vault", "*"))),
    on("close", sol(any(&NotNeeded, "token_program", "*"))),
    on("close", variant("", any(&NotNeeded, "mint", "*"))),
    on("close", variant("", any(&NotNeeded, "buyer_token", "*"))),
    // tokens
    on("cancel", variant("unfunded, by *", any(&AFrozenVaultClosesEmpty, "vault", "itself, frozen"))),
    on("cancel", variant("unfunded, late*", any(&AFrozenVaultClosesEmpty, "vault", "itself, frozen"))),
    on("close", variant("", any(&AFrozenVaultClosesEmpty, "vault", "itself, frozen"))),
    on("cancel", variant("unfunded, surplus*", any(&NothingIsLeftToPay, "vault", "itself, empty"))),
    on("close", variant("surplus*", any(&NothingIsLeftToPay, "vault", "itself, empty"))),
    any(&WhatThePayeeHasDoesNotMatter, "buyer_token", "itself, empty"),
    any(&WhatThePayeeHasDoesNotMatter, "recipient_token", "itself, empty"),
    on("fund", any(&TheBuyerPaysFromWhereItMay, "buyer_token", "the buyer's associated account")),
    on("fund", any(&TheBuyerPaysFromWhereItMay, "buyer_token", "another account of the buyer")),
    on(
        "fund",
        any(&TheBuyerPaysFromWhereItMay, "buyer_token", "an account of the stranger that the buyer may spend *"),
    ),
    on("fund", any(&TheBuyerPaysFromWhereItMay, "buyer_token", "another's associated account, given to the buyer*")),
    signed("cancel", "unfunded, surplus, by the buyer", "buyer_token", "another account of the buyer"),
    signed(
        "cancel",
        "unfunded, surplus, by the buyer",
        "buyer_token",
        "another's associated account, given to the buyer",
    ),
    signed("close", "surplus, the buyer signs*", "buyer_token", "the buyer's associated account"),
    signed("close", "surplus, the buyer signs*", "buyer_token", "another's associated account, given to the buyer*"),
    signed("withdraw", "the seller signs*", "recipient_token", "the seller's associated account"),
    signed("withdraw", "the seller signs*", "recipient_token", "another's associated account, given to the seller*"),
    any(&NobodySignsAtThatBump, "buyer_token", "the buyer's associated account at another bump [forged]"),
    any(&NobodySignsAtThatBump, "recipient_token", "the buyer's associated account at another bump [forged]"),
    any(&NobodySignsAtThatBump, "recipient_token", "the seller's associated account at another bump [forged]"),
    any(&NobodySignsAtThatBump, "recipient_token", "the arbiter's associated account at another bump [forged]"),
    on("fund", any(&OnlyTheTokenProgramWritesThese, "vault", "itself, given to a stranger by its owner [forged]")),
    token(any(&OnlyTheTokenProgramWritesThese, "mint", "itself, under *")),
    token_2022(any(&OnlyTheTokenProgramWritesThese, "buyer_token", "itself, a byte *")),
    token_2022(any(&OnlyTheTokenProgramWritesThese, "recipient_token", "itself, a byte *")),
];

/// The reasons and their sentences, as the file begins.
pub fn legend() -> String {
    let mut text = String::from(
        "# Written by the check `substitution`: each line is an instruction in which one thing was changed, and what became\n\
         # of it. Refused: by which error, and nothing changed. Accepted: what it did, and why it may. `[forged]` marks\n\
         # accounts that cannot exist. The reasons:\n",
    );
    let mut seen = std::collections::BTreeSet::new();
    for Justification { reason, .. } in JUSTIFICATIONS {
        if seen.insert(reason.name) {
            text.push_str(&format!("# {}: {}\n", reason.name, reason.because));
        }
    }
    text
}

const fn any(reason: &'static Reason, slot: &'static str, case: &'static str) -> Justification {
    Justification { reason, instruction: "*", asset: "*", variant: "*", slot, case }
}

const fn on(instruction: &'static str, entry: Justification) -> Justification {
    Justification { instruction, ..entry }
}

const fn variant(variant: &'static str, entry: Justification) -> Justification {
    Justification { variant, ..entry }
}

const fn sol(entry: Justification) -> Justification {
    Justification { asset: "SOL", ..entry }
}

const fn token(entry: Justification) -> Justification {
    Justification { asset: "SPL Token", ..entry }
}

const fn token_2022(entry: Justification) -> Justification {
    Justification { asset: "Token-2022", ..entry }
}

/// Something else stored at the right address of a person.
const fn person(slot: &'static str) -> Justification {
    any(&AnAddressIsAll, slot, "itself, *")
}

const fn signed(
    instruction: &'static str,
    variant: &'static str,
    slot: &'static str,
    case: &'static str,
) -> Justification {
    Justification { instruction, variant, ..any(&TheRecipientChoosesBySigning, slot, case) }
}
