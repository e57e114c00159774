//! Which test reaches which error. An error without a test, or a test that is gone, fails here.

use std::collections::BTreeSet;

use escrow_client::EscrowError::{self, *};

/// The sources of the tests.
const SOURCES: [(&str, &str); 20] = [
    ("accounts", include_str!("accounts.rs")),
    ("cancel", include_str!("cancel.rs")),
    ("claim", include_str!("claim.rs")),
    ("close", include_str!("close.rs")),
    ("create", include_str!("create.rs")),
    ("deliver", include_str!("deliver.rs")),
    ("dispute", include_str!("dispute.rs")),
    ("encoding", include_str!("encoding.rs")),
    ("expire", include_str!("expire.rs")),
    ("extend", include_str!("extend.rs")),
    ("fund", include_str!("fund.rs")),
    ("ledger", include_str!("ledger.rs")),
    ("propose", include_str!("propose.rs")),
    ("release", include_str!("release.rs")),
    ("roles", include_str!("roles.rs")),
    ("secret", include_str!("secret.rs")),
    ("time", include_str!("time.rs")),
    ("tokens", include_str!("tokens.rs")),
    ("versions", include_str!("versions.rs")),
    ("withdraw", include_str!("withdraw.rs")),
];

/// An error, and a test that gets exactly it from the program.
const REACHED: [(EscrowError, &str); 78] = [
    (RoleMissing, "create::a_party_that_is_not_named_is_refused"),
    (RolesNotDistinct, "create::two_of_buyer_seller_and_arbiter_at_one_address_are_refused"),
    (RoleIsProgram, "create::the_program_in_any_role_is_refused"),
    (AssetIncomplete, "create::half_an_asset_is_refused"),
    (TokenProgramUnknown, "create::an_unknown_token_program_is_refused"),
    (MilestoneCount, "create::no_milestone_and_more_than_eight_are_refused"),
    (AmountZero, "create::a_milestone_without_an_amount_is_refused"),
    (PrincipalOverflow, "create::amounts_that_overflow_together_are_refused"),
    (FeeTooHigh, "create::fees_over_ten_percent_are_refused"),
    (FeeWithoutRecipient, "create::a_fee_for_nobody_is_refused"),
    (FeeWithoutArbiter, "create::a_fee_for_nobody_is_refused"),
    (ShareTooHigh, "create::a_share_over_the_whole_is_refused"),
    (FundByPassed, "create::an_escrow_is_created_strictly_before_fund_by_and_at_most_two_years_ahead"),
    (FundByTooFar, "create::an_escrow_is_created_strictly_before_fund_by_and_at_most_two_years_ahead"),
    (DeliverByPassed, "create::every_deliver_by_lies_ahead_at_most_two_years"),
    (DeliverByTooFar, "create::every_deliver_by_lies_ahead_at_most_two_years"),
    (WindowTooLong, "create::a_window_longer_than_a_year_is_refused"),
    (RulingWindowZero, "create::a_dispute_that_is_over_at_once_is_refused"),
    (ReviewWindowZero, "create::only_an_attester_other_than_the_seller_delivers_without_review"),
    (CoolingOffTooLong, "create::a_cooling_off_period_that_outlasts_a_deliver_by_is_refused"),
    (HashlockMilestones, "create::a_hash_lock_on_more_than_one_milestone_is_refused"),
    (RiskUnknown, "create::an_unknown_risk_is_refused"),
    (AddressMismatch, "create::an_escrow_at_an_address_of_other_terms_is_refused"),
    (AlreadyCreated, "create::a_second_escrow_on_the_same_terms_is_refused"),
    (NotBuyer, "cancel::only_the_buyer_cancels_a_funded_escrow"),
    (NotSeller, "release::only_the_buyer_releases_and_only_the_seller_refunds"),
    (NotDeliverer, "deliver::only_the_seller_delivers_where_no_attester_is_named"),
    (NotArbiter, "dispute::only_the_arbiter_rules"),
    (NotParty, "propose::only_the_parties_propose"),
    (NotCanceller, "cancel::an_unfunded_escrow_is_cancelled_by_those_it_names_and_by_anyone_from_fund_by_on"),
    (RentPayerMismatch, "cancel::the_rent_of_a_cancelled_escrow_goes_to_its_payer_only"),
    (RecipientMismatch, "withdraw::nobody_is_paid_in_anothers_place"),
    (TokenAccountsMissing, "create::a_token_escrow_needs_all_its_token_accounts"),
    (TokenAccountsUnexpected, "create::a_sol_escrow_takes_no_token_accounts"),
    (VaultMismatch, "withdraw::a_wrong_token_program_mint_or_vault_is_refused"),
    (MintMismatch, "create::a_wrong_token_program_mint_or_vault_is_refused"),
    (TokenProgramMismatch, "create::a_wrong_token_program_mint_or_vault_is_refused"),
    (MintInvalid, "create::terms_that_name_something_else_than_a_mint_are_refused"),
    (TokenAccountInvalid, "tokens::a_token_account_of_the_other_program_is_refused"),
    (TokenAccountMint, "withdraw::a_destination_of_another_mint_is_refused_even_if_the_recipient_signs"),
    (TokenAccountOwner, "withdraw::a_destination_of_somebody_else_is_refused_even_if_the_recipient_signs"),
    (NotAssociatedAccount, "cancel::the_buyer_who_cancels_directs_such_tokens_to_any_of_its_accounts"),
    (ExtensionUnsupported, "tokens::extensions_that_an_escrow_cannot_hold_are_refused_whatever_was_accepted"),
    (RiskNotAccepted, "tokens::a_power_of_the_issuer_needs_its_own_bit"),
    (SurplusAccountMissing, "close::tokens_that_nobody_asked_for_go_to_the_buyer"),
    (InstructionLength, "encoding::data_that_is_too_short_or_too_long_is_refused_by_every_instruction"),
    (VersionUnsupported, "versions::every_account_of_version_1_is_refused_by_name_by_every_instruction"),
    (NotFunded, "deliver::an_unfunded_milestone_is_not_delivered"),
    (AlreadyFunded, "fund::a_second_funding_is_refused"),
    (MilestoneMissing, "expire::an_index_without_a_milestone_is_refused_by_every_decision"),
    (MilestoneSettled, "expire::a_milestone_expires_once"),
    (NotPending, "deliver::a_milestone_is_delivered_once_and_only_while_pending"),
    (NotDelivered, "dispute::only_a_delivered_milestone_is_disputed"),
    (NotDisputed, "dispute::only_a_disputed_milestone_is_ruled_on"),
    (CoolingOff, "deliver::delivering_and_claiming_start_when_the_cooling_off_period_ends"),
    (CoolingOffOver, "cancel::nobody_cancels_when_the_cooling_off_period_is_over"),
    (DeadlinePassed, "deliver::a_delivery_without_review_is_over_in_the_second_it_is_made"),
    (DeadlineNotReached, "extend::after_an_extension_everybody_has_until_the_new_deadline"),
    (RemainingMismatch, "release::a_request_that_was_sent_twice_pays_once"),
    (AmountTooHigh, "release::an_amount_of_zero_or_more_than_remains_is_refused"),
    (NoHashlock, "claim::without_a_hash_lock_there_is_nothing_to_claim"),
    (SecretMismatch, "claim::a_wrong_secret_is_refused"),
    (ProposalMissing, "propose::a_proposal_that_was_withdrawn_or_never_made_is_refused"),
    (ProposalMismatch, "propose::a_proposal_that_was_replaced_between_reading_and_accepting_is_refused"),
    (ProposalExpired, "propose::a_proposal_is_accepted_strictly_before_it_expires"),
    (ProposalExpiry, "propose::a_proposals_expiry_lies_ahead_at_most_two_years"),
    (ExtensionNotLater, "extend::an_extension_that_is_not_later_or_more_than_two_years_ahead_is_refused"),
    (NothingDue, "withdraw::each_recipient_is_paid_what_is_due_in_any_order_once"),
    (NotSettled, "close::an_unfunded_or_unsettled_escrow_is_not_closed"),
    (NotWithdrawn, "close::an_escrow_that_owes_anybody_anything_is_not_closed"),
    (CloseTooEarly, "close::an_escrow_closes_at_fund_by_at_the_earliest"),
    (SecretDelivers, "secret::a_secret_is_the_delivery_where_no_attester_is_named"),
    (StatusMismatch, "extend::an_extension_for_another_status_is_refused"),
    (DeadlineMismatch, "extend::an_extension_of_another_deadline_is_refused"),
    (NothingToCancel, "cancel::a_funded_escrow_in_which_nothing_remains_is_not_cancelled"),
    (Overflow, "create::times_that_do_not_fit_their_number_are_refused"),
    (Invariant, "accounts::a_ledger_that_does_not_add_up_pays_nobody"),
    (Corrupt, "accounts::an_unknown_status_is_an_error_and_not_a_default"),
];

/// An error that no instruction can return, and why.
const UNREACHABLE: [(EscrowError, &str); 1] = [(
    FundingShort,
    "needs a token whose transfer delivers less than it takes: fees other than zero for good and hooks are refused \
     before the transfer, in the same instruction",
)];

/// The body of a test function.
fn body<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = source.split_once(&format!("#[test]\nfn {name}() {{\n"))?;
    rest.split_once("\n}\n").map(|(body, _)| body)
}

#[test]
fn every_error_has_a_test_that_reaches_it() {
    let listed: Vec<EscrowError> =
        REACHED.iter().map(|(error, _)| *error).chain(UNREACHABLE.iter().map(|(error, _)| *error)).collect();
    assert_eq!(listed.len(), listed.iter().collect::<BTreeSet<_>>().len(), "an error is listed twice");
    for error in EscrowError::ALL {
        assert!(listed.contains(error), "no test reaches {}", error.name());
    }
    for (error, test) in REACHED {
        let (file, name) = test.split_once("::").expect("file::test");
        let (_, source) = SOURCES.iter().find(|(of, _)| *of == file).unwrap_or_else(|| panic!("no file {file}"));
        let body = body(source, name).unwrap_or_else(|| panic!("there is no test {test}"));
        let words = || body.split(|letter: char| !letter.is_alphanumeric());
        assert!(words().any(|word| word == error.name()), "{test} does not mention {}", error.name());
    }
}
