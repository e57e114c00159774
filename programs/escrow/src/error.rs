//! Why an instruction was refused. The numbers are part of the interface: a number is never reused or moved.

#![deny(missing_docs)]

use anchor_lang::prelude::*;

/// Defines the error enum once, for the program (numbers), the client (names) and people (messages).
macro_rules! errors {
    ($( $name:ident = $number:tt, $message:tt; )*) => {
        /// Why an instruction was refused, as `ProgramError::Custom(6000 + number)`.
        #[error_code]
        #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EscrowError {
            $( #[doc = $message] #[msg($message)] $name = $number, )*
        }

        impl EscrowError {
            /// Every error, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// The name, as in the interface description.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => stringify!($name), )* }
            }

            /// What was wrong, and what to do next.
            pub const fn message(self) -> &'static str {
                match self { $( Self::$name => $message, )* }
            }
        }
    };
}

errors! {
    // The terms: 0 to 39.
    RoleMissing = 0, "Name both a buyer and a seller: 11111111111111111111111111111111 is not a wallet.";
    RolesNotDistinct = 1, "Two of buyer, seller and arbiter have the same address: they must be different people.";
    RoleIsProgram = 2, "The escrow program cannot have a role in an escrow: name a wallet or a multisig vault.";
    AssetIncomplete = 3, "Name both the mint and the token program, or neither for SOL.";
    TokenProgramUnknown = 4, "The token program must be SPL Token or Token-2022.";
    MilestoneCount = 5, "An escrow has 1 to 8 milestones.";
    AmountZero = 6, "The amount must be greater than zero.";
    PrincipalOverflow = 7, "The amounts of the milestones add up to more than a 64-bit number holds.";
    FeeTooHigh = 8, "A fee is at most 1,000 basis points (10 %).";
    FeeWithoutRecipient = 9, "A fee needs a fee recipient: name one, or set the fee to 0.";
    FeeWithoutArbiter = 10, "An arbiter's fee needs an arbiter: name one, or set the arbiter's fee to 0.";
    ShareTooHigh = 11, "A share is at most 10,000 basis points (100 %).";
    FundByPassed = 12, "The funding deadline has passed: an escrow is created and funded before it.";
    FundByTooFar = 13, "The funding deadline is at most two years ahead.";
    DeliverByPassed = 14, "A delivery deadline must lie in the future.";
    DeliverByTooFar = 15, "A delivery deadline is at most two years ahead.";
    WindowTooLong = 16, "A cooling-off period, a review window and a ruling window are at most 365 days each.";
    RulingWindowZero = 17, "The ruling window must not be 0: a dispute would be over in the second it is opened.";
    ReviewWindowZero = 18, "The review window may be 0 only where an attester other than the seller delivers.";
    CoolingOffTooLong = 19, "The cooling-off period must end before every delivery deadline, or nobody could deliver in time.";
    HashlockMilestones = 20, "A hash-lock needs a single milestone: the secret is public once it is used.";
    RiskUnknown = 21, "The accepted risks have a bit that stands for no known risk.";
    AddressMismatch = 22, "The escrow's address is not the one derived from these terms.";
    AlreadyCreated = 23, "An escrow with these terms exists already: choose another salt for a second deal.";

    // Who and what: 40 to 69.
    NotBuyer = 40, "Only the buyer of this escrow may do this.";
    NotSeller = 41, "Only the seller of this escrow may do this.";
    NotDeliverer = 42, "Only the attester, where one is named, or else the seller may deliver.";
    NotArbiter = 43, "Only the arbiter of this escrow may rule.";
    NotParty = 44, "Only the buyer or the seller of this escrow may do this.";
    NotCanceller = 45, "Before the funding deadline only the buyer, the seller or the rent payer may cancel an unfunded escrow.";
    RentPayerMismatch = 46, "This is not the rent payer of the escrow.";
    RecipientMismatch = 47, "This is not the address that the escrow records for this recipient.";
    TokenAccountsMissing = 48, "This escrow holds tokens: pass the vault, the mint, the token program and the token account.";
    TokenAccountsUnexpected = 49, "This escrow holds SOL: pass no token accounts.";
    VaultMismatch = 50, "This is not the vault of the escrow.";
    MintMismatch = 51, "This is not the mint that the terms name.";
    TokenProgramMismatch = 52, "This is not the token program that the terms name.";
    MintInvalid = 53, "This account is not an initialised mint of the token program.";
    TokenAccountInvalid = 54, "This account is not an initialised token account of the token program.";
    TokenAccountMint = 55, "The token account is for another mint.";
    TokenAccountOwner = 56, "The token account does not belong to the party that is paid.";
    NotAssociatedAccount = 57, "Without the recipient's signature tokens go to its associated token account only.";
    ExtensionUnsupported = 59, "The mint has a Token-2022 extension that an escrow cannot hold safely.";
    RiskNotAccepted = 60, "The mint's issuer has a power over the tokens, such as freezing them, that the terms do not accept.";
    FundingShort = 61, "The vault received less than the principal.";
    SurplusAccountMissing = 62, "The vault holds tokens that nobody is owed: pass the buyer's token account to receive them.";
    InstructionLength = 63, "The instruction is shorter or longer than its arguments.";
    VersionUnsupported = 64, "The escrow account was written by another version of the program, under other rules.";

    // The state and the clock: 70 to 109.
    NotFunded = 70, "The escrow is not funded yet.";
    AlreadyFunded = 71, "The escrow is funded already.";
    MilestoneMissing = 72, "There is no milestone with this index.";
    MilestoneSettled = 73, "The milestone is settled: nothing remains to decide.";
    NotPending = 74, "The milestone is not pending: it was delivered, disputed or settled.";
    NotDelivered = 75, "The milestone is not delivered, or is disputed or settled already.";
    NotDisputed = 76, "The milestone is not disputed.";
    CoolingOff = 77, "The cooling-off period is not over: the buyer may still cancel.";
    CoolingOffOver = 78, "The cooling-off period is over: the buyer cannot cancel any more.";
    DeadlinePassed = 79, "The deadline has passed: anyone may now apply the agreed default. Until somebody does, the buyer may still release and the seller refund.";
    DeadlineNotReached = 80, "The deadline has not come yet: the agreed default applies from then on.";
    RemainingMismatch = 81, "The milestone's remaining amount is not the expected one: it changed since it was read.";
    AmountTooHigh = 82, "The amount is more than what remains of the milestone.";
    NoHashlock = 83, "The terms have no hash-lock: there is nothing to claim with a secret.";
    SecretMismatch = 84, "This is not the secret of the hash-lock.";
    ProposalMissing = 85, "The other party has no open proposal.";
    ProposalMismatch = 86, "The other party's proposal is not this one: it was replaced or withdrawn.";
    ProposalExpired = 87, "The proposal has expired.";
    ProposalExpiry = 88, "A proposal's expiry lies in the future, at most two years ahead.";
    ExtensionNotLater = 89, "The new deadline must be later than the present one, and at most two years ahead.";
    NothingDue = 90, "Nothing is due to this recipient.";
    NotSettled = 91, "A milestone is not settled yet: the escrow cannot be closed.";
    NotWithdrawn = 92, "An amount is decided but not withdrawn yet: the escrow cannot be closed.";
    CloseTooEarly = 93, "An escrow closes at its funding deadline at the earliest, so that its address is never used again.";
    SecretDelivers = 94, "The secret is the delivery here: the terms have a hash-lock and name no attester. Claim with the secret.";
    StatusMismatch = 95, "The milestone's status is not the one that the proposal names: it changed since it was read.";
    DeadlineMismatch = 96, "The milestone's deadline is not the one that the proposal replaces: it changed since it was read.";
    NothingToCancel = 97, "Nothing remains to cancel: every milestone is settled.";

    // What cannot happen: 110 and up. Seeing one is a reason to report a bug.
    Overflow = 110, "An amount or a time does not fit its number.";
    Invariant = 111, "The ledger does not add up.";
    Corrupt = 112, "The escrow account holds a value that the program never writes.";
}

impl EscrowError {
    /// The first error's number in `ProgramError::Custom`.
    pub const OFFSET: u32 = 6000;

    /// The number in `ProgramError::Custom`, and in an RPC node's answer.
    pub const fn code(self) -> u32 {
        #[expect(
            clippy::as_conversions,
            clippy::arithmetic_side_effects,
            reason = "the discriminants are small literals"
        )]
        {
            self as u32 + Self::OFFSET
        }
    }

    /// The error that `ProgramError::Custom(code)` stands for, if it is one of ours.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.code() == code)
    }
}

#[cfg(not(target_os = "solana"))]
impl core::fmt::Display for EscrowError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.message())
    }
}

#[cfg(not(target_os = "solana"))]
impl core::error::Error for EscrowError {}
