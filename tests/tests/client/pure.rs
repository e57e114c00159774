//! What needs no node: addresses, terms, and the types themselves.

use escrow_client::{
    Confirmed, Error, EscrowAccount, EscrowClient, EscrowError, Filter, Mint, Signed, Submitted, Terms, Unsigned,
    account::AccountError,
    address::{associated_token_address, escrow_address, vault_address},
    amount::AmountError,
    error::Failure,
    terms::{self, Asset},
};
use escrow_tests::OTHER_TERMS;
use solana_pubkey::Pubkey;
use spl_associated_token_account_interface::address::get_associated_token_address_with_program_id;

/// A back end keeps all of these across threads and awaits.
const _: () = {
    const fn shared<T: Send + Sync + 'static>() {}
    shared::<EscrowClient>();
    shared::<EscrowAccount>();
    shared::<Filter>();
    shared::<Mint>();
    shared::<Unsigned>();
    shared::<Signed>();
    shared::<Submitted>();
    shared::<Confirmed>();
    shared::<Terms>();
    shared::<Asset>();
    shared::<Error>();
    shared::<EscrowError>();
    shared::<AccountError>();
    shared::<AmountError>();
    shared::<Failure>();
};

const NOW: i64 = 1_800_000_000;

fn some_terms() -> Terms {
    let mut terms = escrow_client::TermsBuilder::new(Pubkey::new_unique(), Pubkey::new_unique(), Asset::Sol)
        .assemble(NOW)
        .expect("terms");
    terms.milestones.push(terms::milestone(1, NOW + 1_000_000));
    terms
}

#[test]
fn an_address_is_that_of_exactly_these_terms() {
    let terms = some_terms();
    let address = escrow_address(&terms).unwrap();
    assert_eq!(terms::is_address_of(&terms, &address), Ok(true));
    assert_eq!(terms::is_address_of(&terms, &Pubkey::new_unique()), Ok(false));
    assert_eq!(terms::is_address_of(&terms, &vault_address(&address)), Ok(false));

    for (index, change) in OTHER_TERMS.into_iter().enumerate() {
        let mut changed = terms.clone();
        change(&mut changed);
        assert_eq!(terms::is_address_of(&changed, &address), Ok(false), "change {index}");
    }
    let mut twice = terms.clone();
    twice.milestones.push(terms.milestones[0]);
    assert_eq!(terms::is_address_of(&twice, &address), Ok(false));
}

#[test]
fn terms_that_no_escrow_can_have_have_no_address() {
    let mut terms = some_terms();
    terms.milestones = vec![terms.milestones[0]; 9];
    assert_eq!(escrow_address(&terms), Err(EscrowError::MilestoneCount));
    assert_eq!(terms::is_address_of(&terms, &Pubkey::new_unique()), Err(EscrowError::MilestoneCount));
}

#[test]
fn two_deals_with_the_same_terms_have_two_addresses() {
    let (buyer, seller) = (Pubkey::new_unique(), Pubkey::new_unique());
    let [first, second] = [(); 2].map(|()| {
        let mut terms = escrow_client::TermsBuilder::new(buyer, seller, Asset::Sol).assemble(NOW).expect("terms");
        terms.milestones.push(terms::milestone(1, NOW + 1_000_000));
        terms
    });
    assert_ne!(escrow_address(&first), escrow_address(&second));
    assert_eq!(Terms { salt: first.salt, ..second }, first);
}

#[test]
fn the_defaults_can_be_created() {
    assert_eq!(some_terms().validate(NOW), Ok(()));
    let (mint, program) = (Pubkey::new_unique(), spl_token_2022_interface::ID);
    let token = Asset::Token { mint, program };
    let mut terms = escrow_client::TermsBuilder::new(Pubkey::new_unique(), Pubkey::new_unique(), token)
        .assemble(NOW)
        .expect("terms");
    terms.milestones.push(terms::milestone(1, NOW + 1_000_000));
    assert_eq!(terms.validate(NOW), Ok(()));
    assert_eq!((terms.mint, terms.token_program), (mint, program));
}

#[test]
fn a_token_account_is_where_everybody_looks_for_it() {
    for program in [spl_token_2022_interface::ID, spl_token_2022_interface::inline_spl_token::ID] {
        let (owner, mint) = (Pubkey::new_unique(), Pubkey::new_unique());
        let theirs = get_associated_token_address_with_program_id(&owner, &mint, &program);
        assert_eq!(associated_token_address(&owner, &mint, &program), theirs);
    }
}
