//! What issuers can do to a token, which mints an escrow takes, and what happens when accounts are frozen.

use escrow_client::{
    EscrowError::{self, *},
    Recipient, address,
    escrow::state::{
        RISK_DEFAULT_STATE, RISK_FREEZE, RISK_MINT_CLOSE, RISK_PAUSABLE, RISK_PERMANENT_DELEGATE, RISKS_KNOWN,
    },
    instruction,
};
use escrow_tests::{DAY, Kind, TOKEN, TOKEN_2022, Who, World, case, deal::*, keypair};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::{
    extension::{
        ExtensionType, confidential_transfer, default_account_state, group_member_pointer, group_pointer,
        interest_bearing_mint, metadata_pointer, pausable, permissioned_burn, scaled_ui_amount, transfer_fee,
        transfer_hook,
    },
    instruction as token_instruction,
    state::{AccountState, Mint},
};

// A freeze authority ----------------------------------------------------------------------------------------------------

fn issuer() -> Keypair {
    keypair(20)
}

fn freezable_world() -> World {
    let mut world = World::new();
    world.use_new_mint(1_000_000, Some(&issuer().pubkey()));
    world
}

fn freezable(amounts: &[u64]) -> Deal {
    let mut deal = Deal::agreed(freezable_world(), Kind::Token, amounts, |world, terms| {
        terms.accepted_risks = RISK_FREEZE;
        (terms.fee_recipient, terms.fee_bps) = (world.fee_recipient.pubkey(), 1_000);
    });
    deal.ok(deal.create());
    deal
}

/// Freezes or thaws a token account of the deal's mint.
fn set_frozen(deal: &mut Deal, account: &Pubkey, frozen: bool) {
    let (issuer, mint) = (issuer(), deal.world.mint);
    let build = if frozen { token_instruction::freeze_account } else { token_instruction::thaw_account };
    let instruction = build(&TOKEN, account, &mint, &issuer.pubkey(), &[]).expect("valid");
    deal.world.ok(instruction, &[&issuer]);
}

#[test]
fn a_freeze_authority_that_the_parties_did_not_accept_is_refused() {
    for accepted_risks in [0, RISKS_KNOWN & !RISK_FREEZE] {
        let mut deal = Deal::agreed(freezable_world(), Kind::Token, &[1_000], |_, terms| {
            terms.accepted_risks = accepted_risks;
        });
        deal.refused(deal.create(), RiskNotAccepted);
    }
    for accepted_risks in [RISK_FREEZE, RISKS_KNOWN] {
        let mut deal = Deal::agreed(freezable_world(), Kind::Token, &[1_000], |_, terms| {
            terms.accepted_risks = accepted_risks;
        });
        deal.ok(deal.create());
        deal.ok(deal.fund());
    }
}

#[test]
fn a_frozen_recipient_stops_nobody_but_itself() {
    let mut deal = freezable(&[1_000]);
    deal.ok(deal.fund());
    let people = [
        (Recipient::Buyer, Who::Buyer, 400),
        (Recipient::Seller, Who::Seller, 540),
        (Recipient::Fee, Who::FeeRecipient, 60),
    ];
    for (frozen, owner, amount) in people {
        case(format_args!("{frozen:?}"));
        let mut deal = deal.fork();
        let account = deal.world.token_account(&deal.key(owner));
        set_frozen(&mut deal, &account, true);
        // Decisions know nothing of token accounts.
        deal.ok(deal.release(0, 600));
        deal.ok(deal.refund(0, 400));
        deal.refused(deal.withdraw(frozen), TOKEN_FROZEN);
        for (other, who, amount) in people.into_iter().filter(|(other, ..)| *other != frozen) {
            let before = deal.balances();
            deal.ok(deal.withdraw(other));
            deal.assert_moved(&before, &[(who, amount)]);
        }
        deal.refused(deal.withdraw(frozen), TOKEN_FROZEN);
        // Either the recipient directs to another of its accounts,
        let mut directed = deal.fork();
        let (signer, mint) = (directed.keypair(owner), directed.world.mint);
        let other = directed.world.new_token_account(&keypair(73), &signer.pubkey(), &mint, &TOKEN);
        directed.refused(directed.withdraw(frozen).account(2, other), NotAssociatedAccount);
        let signed = instruction::withdraw_to(&directed.account(), frozen, Some(other));
        directed.ok(Act::new(signed, &[&signer]));
        assert_eq!(i128::from(directed.world.tokens_in(&other)), amount);
        directed.wait_and_close();
        // or it waits.
        set_frozen(&mut deal, &account, false);
        deal.ok(deal.withdraw(frozen));
        deal.wait_and_close();
    }
}

#[test]
fn a_frozen_vault_waits_and_deadlines_go_on() {
    let mut deal = freezable(&[1_000, 500]);
    let vault = deal.vault();
    set_frozen(&mut deal, &vault, true);
    deal.refused(deal.fund(), TOKEN_FROZEN);
    set_frozen(&mut deal, &vault, false);
    deal.ok(deal.fund());
    set_frozen(&mut deal, &vault, true);
    deal.deliver_and_dispute(0);
    deal.ok(deal.rule(0, 5_000));
    deal.world.set_time(deal.milestone(1).deadline);
    deal.ok(deal.expire(1));
    for recipient in [Recipient::Buyer, Recipient::Seller, Recipient::Fee] {
        deal.refused(deal.withdraw(recipient), TOKEN_FROZEN);
    }
    deal.refused(deal.close(), NotWithdrawn);
    set_frozen(&mut deal, &vault, false);
    deal.withdraw_all();
    deal.assert_ledger([500, 1_000, 50, 0], [0; 4]);
    deal.wait_and_close();
}

#[test]
fn an_unfunded_escrow_with_a_frozen_vault_is_given_up_all_the_same() {
    let mut deal = freezable(&[1_000]);
    let vault = deal.vault();
    set_frozen(&mut deal, &vault, true);
    deal.ok(deal.cancel(Who::Buyer));
    assert!(!deal.world.exists(&vault));
}

/// The rent is the only thing that waits for somebody else's account. See the report: promise 1 of the design does not
/// except it, section 2.6 does.
#[test]
fn the_rent_waits_where_tokens_cannot_be_paid_out() {
    // Anyone can send one unit to the vault; where the buyer's account is frozen, it cannot be sent on.
    let mut deal = freezable(&[1_000]);
    let (vault, buyer_token) = (deal.vault(), deal.world.token_account(&deal.key(Who::Buyer)));
    deal.world.mint_to_account(&vault, 1);
    deal.uninvited = 1;
    set_frozen(&mut deal, &buyer_token, true);
    deal.refused(deal.cancel(Who::RentPayer), SurplusAccountMissing);
    let rent_payer = deal.keypair(Who::RentPayer);
    let cancel =
        |deal: &Deal| Act::new(instruction::cancel(&deal.account(), rent_payer.pubkey(), true), &[&rent_payer]);
    deal.refused(cancel(&deal), TOKEN_FROZEN);
    set_frozen(&mut deal, &buyer_token, false);
    deal.ok(cancel(&deal));

    // A fee recipient whose account is frozen.
    let mut deal = freezable(&[1_000]);
    deal.ok(deal.fund());
    deal.ok(deal.release(0, 1_000));
    deal.ok(deal.withdraw(Recipient::Seller));
    let fee_token = deal.world.token_account(&deal.key(Who::FeeRecipient));
    set_frozen(&mut deal, &fee_token, true);
    deal.world.set_time(deal.terms.fund_by);
    deal.refused(deal.withdraw(Recipient::Fee), TOKEN_FROZEN);
    deal.refused(deal.close(), NotWithdrawn);
    set_frozen(&mut deal, &fee_token, false);
    deal.ok(deal.withdraw(Recipient::Fee));
    deal.ok(deal.close());
}

#[test]
fn a_frozen_buyer_cannot_fund() {
    let mut deal = freezable(&[1_000]);
    let buyer_token = deal.world.token_account(&deal.key(Who::Buyer));
    set_frozen(&mut deal, &buyer_token, true);
    deal.refused(deal.fund(), TOKEN_FROZEN);
}

/// The account of a recipient that does not exist yet: anyone can make it, and then pay into it.
#[test]
fn a_recipient_without_an_account_is_paid_as_soon_as_anyone_makes_one() {
    let fresh = keypair(74).pubkey();
    let mut deal = Deal::funded(Kind::Token, &[1_000], |_, terms| (terms.fee_recipient, terms.fee_bps) = (fresh, 500));
    deal.ok(deal.release(0, 1_000));
    deal.refused(deal.withdraw(Recipient::Fee), TokenAccountInvalid);
    deal.ok(deal.withdraw(Recipient::Seller));
    let mint = deal.world.mint;
    let account = deal.world.create_token_account(&fresh, &mint, &TOKEN);
    deal.ok(deal.withdraw(Recipient::Fee));
    assert_eq!(deal.world.tokens_in(&account), 50);
    deal.wait_and_close();
}

// Wrapped SOL -----------------------------------------------------------------------------------------------------------

/// A token account of wrapped SOL counts its lamports as tokens when somebody asks it to. Whatever is sent to the vault,
/// the parties get exactly the principal.
#[test]
fn wrapped_sol_that_nobody_asked_for_changes_nothing_for_the_parties() {
    let mint = Pubkey::from_str_const("So11111111111111111111111111111111111111112");
    let mut world = World::new();
    let mut account = world.raw(&world.mint);
    account.data[..46].fill(0);
    (account.data[44], account.data[45]) = (9, 1);
    world.svm.set_account(mint, account).expect("an account");
    world.mint = mint;
    for who in [Who::Buyer, Who::Seller] {
        let owner = who.key(&world);
        world.create_token_account(&owner, &mint, &TOKEN);
    }
    let sync = |deal: &mut Deal, account: &Pubkey| {
        deal.world.ok(token_instruction::sync_native(&TOKEN, account).expect("valid"), &[]);
    };
    let mut deal = Deal::agreed(world, Kind::Token, &[1_000_000], plain);
    let (vault, buyer_token) = (deal.vault(), deal.world.token_account(&deal.key(Who::Buyer)));
    deal.world.svm.airdrop(&buyer_token, 5_000_000).expect("an airdrop");
    sync(&mut deal, &buyer_token);
    // In advance: more than the rent of the vault.
    deal.world.svm.airdrop(&vault, 10_000_000).expect("an airdrop");
    let sent_in_advance = 10_000_000 - deal.world.svm.minimum_balance_for_rent_exemption(165);
    deal.uninvited = sent_in_advance;
    deal.ok(deal.create());
    let before = deal.balances();
    deal.ok(deal.fund());
    deal.assert_moved(&before, &[(Who::Buyer, -1_000_000)]);
    // Afterwards: counted, and not counted.
    deal.world.svm.airdrop(&vault, 300).expect("an airdrop");
    sync(&mut deal, &vault);
    deal.uninvited += 300;
    deal.ok(deal.release(0, 600_000));
    deal.ok(deal.refund(0, 400_000));
    let before = deal.balances();
    deal.withdraw_all();
    deal.assert_moved(&before, &[(Who::Buyer, 400_000), (Who::Seller, 600_000)]);
    deal.world.svm.airdrop(&vault, 7).expect("an airdrop");
    deal.world.set_time(deal.terms.fund_by);
    deal.refused(deal.close(), SurplusAccountMissing);
    let (before, rent_payer) = (deal.balances(), deal.world.lamports(&deal.key(Who::RentPayer)));
    let rent = deal.rent() + deal.world.svm.minimum_balance_for_rent_exemption(165);
    deal.ok(Act::new(instruction::close(&deal.account(), true), &[]));
    deal.assert_moved(&before, &[(Who::Buyer, i128::from(sent_in_advance) + 300)]);
    assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), rent_payer + rent + 7);
}

// Token-2022 ------------------------------------------------------------------------------------------------------------

/// A mint of Token-2022 with these extensions, at an address of its own.
fn new_mint(world: &mut World, extensions: &[ExtensionType], initialize: &[Instruction], freezable: bool) {
    let mint = keypair(21);
    let space = ExtensionType::try_calculate_account_len::<Mint>(extensions).expect("a length");
    let mut instructions = vec![solana_system_interface::instruction::create_account(
        &world.fee_payer.pubkey(),
        &mint.pubkey(),
        world.svm.minimum_balance_for_rent_exemption(space),
        space as u64,
        &TOKEN_2022,
    )];
    instructions.extend_from_slice(initialize);
    let (authority, issuer) = (world.mint_authority.pubkey(), issuer().pubkey());
    let freeze = freezable.then_some(&issuer);
    let last = token_instruction::initialize_mint2(&TOKEN_2022, &mint.pubkey(), &authority, freeze, 6);
    instructions.push(last.expect("valid"));
    world.send(&instructions, &[&mint]).unwrap_or_else(|failed| panic!("{:?}: {:#?}", failed.err, failed.meta.logs));
}

/// The address of [`new_mint`].
fn mint() -> Pubkey {
    keypair(21).pubkey()
}

fn agreed_2022(world: World, accepted_risks: u16) -> Deal {
    Deal::agreed(world, Kind::Token, &[1_000], |_, terms| {
        (terms.mint, terms.token_program, terms.accepted_risks) = (mint(), TOKEN_2022, accepted_risks);
    })
}

/// An account of Token-2022 for `who`, thawed where accounts begin frozen, with this many tokens.
fn account_2022(world: &mut World, who: Who, tokens: u64) -> Pubkey {
    let owner = who.key(world);
    let account = world.create_token_account(&owner, &mint(), &TOKEN_2022);
    if world.raw(&account).data[108] == 2 {
        thaw_2022(world, &account);
    }
    if tokens != 0 {
        let authority = world.mint_authority.insecure_clone();
        let to = token_instruction::mint_to(&TOKEN_2022, &mint(), &account, &authority.pubkey(), &[], tokens);
        world.ok(to.expect("valid"), &[&authority]);
    }
    account
}

fn thaw_2022(world: &mut World, account: &Pubkey) {
    let issuer = issuer();
    let thaw = token_instruction::thaw_account(&TOKEN_2022, account, &mint(), &issuer.pubkey(), &[]).expect("valid");
    world.ok(thaw, &[&issuer]);
}

/// A whole escrow of a Token-2022 mint, from creation to the closed account.
fn live_through(world: World, accepted_risks: u16) {
    let mut deal = agreed_2022(world, accepted_risks);
    let buyer = account_2022(&mut deal.world, Who::Buyer, 5_000);
    let seller = account_2022(&mut deal.world, Who::Seller, 0);
    deal.ok(deal.create());
    let vault = deal.vault();
    if deal.world.raw(&vault).data[108] == 2 {
        thaw_2022(&mut deal.world, &vault);
    }
    deal.ok(deal.fund());
    assert_eq!((deal.world.tokens_in(&buyer), deal.held()), (4_000, 1_000));
    deal.ok(deal.release(0, 600));
    deal.ok(deal.refund(0, 400));
    deal.withdraw_all();
    assert_eq!((deal.world.tokens_in(&buyer), deal.world.tokens_in(&seller), deal.held()), (4_400, 600, 0));
    deal.world.set_time(deal.terms.fund_by);
    // Tokens that nobody asked for.
    let authority = deal.world.mint_authority.insecure_clone();
    let to = token_instruction::mint_to(&TOKEN_2022, &mint(), &vault, &authority.pubkey(), &[], 7).expect("valid");
    deal.world.ok(to, &[&authority]);
    deal.uninvited = 7;
    deal.ok(Act::new(instruction::close(&deal.account(), true), &[]));
    assert_eq!(deal.world.tokens_in(&buyer), 4_407);
    assert!(!deal.world.exists(&vault) && !deal.world.exists(&deal.escrow));
    assert_eq!(deal.world.lamports(&deal.key(Who::RentPayer)), escrow_tests::INITIAL_LAMPORTS);
}

/// Token-2022 makes no such mint at once; the authority has to give itself up.
#[test]
fn a_transfer_hook_that_nobody_can_set_is_accepted() {
    let somebody = keypair(22);
    let mut world = World::new();
    let hook = transfer_hook::instruction::initialize(&TOKEN_2022, &mint(), Some(somebody.pubkey()), None);
    new_mint(&mut world, &[ExtensionType::TransferHook], &[hook.expect("valid")], false);
    let mut before = agreed_2022(world.fork(), RISKS_KNOWN);
    before.refused(before.create(), ExtensionUnsupported);
    let kind = token_instruction::AuthorityType::TransferHookProgramId;
    let give_up = token_instruction::set_authority(&TOKEN_2022, &mint(), None, kind, &somebody.pubkey(), &[]);
    world.ok(give_up.expect("valid"), &[&somebody]);
    live_through(world, 0);
}

type Extension = (&'static str, ExtensionType, Instruction);

fn extension(name: &'static str, kind: ExtensionType, built: Result<Instruction, impl std::fmt::Debug>) -> Extension {
    (name, kind, built.expect("valid"))
}

#[test]
fn harmless_extensions_are_accepted() {
    use ExtensionType as E;
    let (mint, somebody) = (mint(), keypair(22).pubkey());
    let extensions = [
        extension(
            "metadata pointer",
            E::MetadataPointer,
            metadata_pointer::instruction::initialize(&TOKEN_2022, &mint, Some(somebody), Some(mint)),
        ),
        extension(
            "group pointer",
            E::GroupPointer,
            group_pointer::instruction::initialize(&TOKEN_2022, &mint, Some(somebody), Some(mint)),
        ),
        extension(
            "group member pointer",
            E::GroupMemberPointer,
            group_member_pointer::instruction::initialize(&TOKEN_2022, &mint, Some(somebody), Some(mint)),
        ),
        extension(
            "interest bearing",
            E::InterestBearingConfig,
            interest_bearing_mint::instruction::initialize(&TOKEN_2022, &mint, Some(somebody), 500),
        ),
        extension(
            "scaled amount",
            E::ScaledUiAmount,
            scaled_ui_amount::instruction::initialize(&TOKEN_2022, &mint, Some(somebody), 2.5),
        ),
        extension(
            "confidential transfer",
            E::ConfidentialTransferMint,
            confidential_transfer::instruction::initialize_mint(&TOKEN_2022, &mint, Some(somebody), true, None),
        ),
        extension(
            "transfer fee of zero for good",
            E::TransferFeeConfig,
            transfer_fee::instruction::initialize_transfer_fee_config(&TOKEN_2022, &mint, None, Some(&somebody), 0, 9),
        ),
    ];
    case("none");
    let mut plain = World::new();
    new_mint(&mut plain, &[], &[], false);
    live_through(plain, 0);
    for (name, kind, initialize) in &extensions {
        case(name);
        let mut world = World::new();
        new_mint(&mut world, &[*kind], std::slice::from_ref(initialize), false);
        live_through(world, 0);
    }
    case("all together that Token-2022 takes together");
    let mut world = World::new();
    let alone = [E::TransferFeeConfig, E::InterestBearingConfig];
    let together = extensions.iter().filter(|(_, kind, _)| !alone.contains(kind));
    let (kinds, initialize): (Vec<E>, Vec<Instruction>) =
        together.map(|(_, kind, initialize)| (*kind, initialize.clone())).unzip();
    new_mint(&mut world, &kinds, &initialize, false);
    live_through(world, 0);
}

#[test]
fn a_power_of_the_issuer_needs_its_own_bit() {
    use ExtensionType as E;
    let (mint, issuer) = (mint(), issuer().pubkey());
    let powers: [(&str, u16, Option<Extension>); 5] = [
        ("freeze", RISK_FREEZE, None),
        (
            "default state",
            RISK_DEFAULT_STATE | RISK_FREEZE,
            Some(extension(
                "",
                E::DefaultAccountState,
                default_account_state::instruction::initialize_default_account_state(
                    &TOKEN_2022,
                    &mint,
                    &AccountState::Frozen,
                ),
            )),
        ),
        (
            "pausable",
            RISK_PAUSABLE,
            Some(extension("", E::Pausable, pausable::instruction::initialize(&TOKEN_2022, &mint, &issuer))),
        ),
        (
            "permanent delegate",
            RISK_PERMANENT_DELEGATE,
            Some(extension(
                "",
                E::PermanentDelegate,
                token_instruction::initialize_permanent_delegate(&TOKEN_2022, &mint, &issuer),
            )),
        ),
        (
            "mint close authority",
            RISK_MINT_CLOSE,
            Some(extension(
                "",
                E::MintCloseAuthority,
                token_instruction::initialize_mint_close_authority(&TOKEN_2022, &mint, Some(&issuer)),
            )),
        ),
    ];
    for (name, risks, extension) in powers {
        let mut world = World::new();
        let kinds: Vec<E> = extension.iter().map(|(_, kind, _)| *kind).collect();
        let initialize: Vec<Instruction> = extension.into_iter().map(|(.., initialize)| initialize).collect();
        new_mint(&mut world, &kinds, &initialize, risks & RISK_FREEZE != 0);
        for bit in (0..5).map(|bit| 1u16 << bit).filter(|bit| risks & bit != 0) {
            case(format_args!("{name}, without {bit:#b}"));
            let mut deal = agreed_2022(world.fork(), RISKS_KNOWN & !bit);
            deal.refused(deal.create(), RiskNotAccepted);
        }
        case(format_args!("{name}, accepted"));
        live_through(world.fork(), risks);
        live_through(world, RISKS_KNOWN);
    }
}

#[test]
fn extensions_that_an_escrow_cannot_hold_are_refused_whatever_was_accepted() {
    use ExtensionType as E;
    let (mint, somebody) = (mint(), keypair(22).pubkey());
    let fee = |authority: Option<&Pubkey>, bps, maximum| {
        transfer_fee::instruction::initialize_transfer_fee_config(&TOKEN_2022, &mint, authority, None, bps, maximum)
    };
    let hook = |authority, program| transfer_hook::instruction::initialize(&TOKEN_2022, &mint, authority, program);
    let extensions = [
        extension("a transfer fee", E::TransferFeeConfig, fee(None, 1, 5)),
        extension("a transfer fee of at most 0", E::TransferFeeConfig, fee(None, 100, 0)),
        extension("a transfer fee that can be raised", E::TransferFeeConfig, fee(Some(&somebody), 0, 0)),
        extension("a transfer hook", E::TransferHook, hook(None, Some(somebody))),
        extension("a transfer hook that can be set", E::TransferHook, hook(Some(somebody), None)),
        extension(
            "not transferable",
            E::NonTransferable,
            token_instruction::initialize_non_transferable_mint(&TOKEN_2022, &mint),
        ),
        extension(
            "permissioned burn",
            E::PermissionedBurn,
            permissioned_burn::instruction::initialize(&TOKEN_2022, &mint, &somebody),
        ),
    ];
    for (name, kind, initialize) in extensions {
        case(name);
        let mut world = World::new();
        new_mint(&mut world, &[kind], &[initialize], false);
        let mut deal = agreed_2022(world, RISKS_KNOWN);
        deal.refused(deal.create(), ExtensionUnsupported);
    }
}

/// A mint of Token-2022 with these raw entries behind its fields.
fn raw_mint(world: &mut World, entries: &[u8]) {
    let mut data = world.raw(&world.mint).data;
    data.resize(165, 0);
    data.push(1);
    data.extend_from_slice(entries);
    let lamports = world.svm.minimum_balance_for_rent_exemption(data.len());
    let account = Account { lamports, data, owner: TOKEN_2022, ..Account::default() };
    world.svm.set_account(mint(), account).expect("an account");
}

fn entry(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value");
    [&kind.to_le_bytes(), &length.to_le_bytes(), value].concat()
}

#[test]
fn an_extension_that_is_not_on_the_list_is_refused() {
    let on_the_list = [3, 4, 6, 10, 12, 18, 19, 20, 21, 22, 23, 25, 26];
    let numbers = (1..=40).chain([255, 256, 0x0300, 0x1900, 65_535]).filter(|kind| !on_the_list.contains(kind));
    for kind in numbers {
        // A fee and a hook are looked into; not one of these bytes is a harmless value.
        for value in [&[][..], &[1; 8], &[1; 64], &[1; 108], &[0; 63], &[0; 107], &[0; 109]] {
            case(format_args!("extension {kind} with {} bytes", value.len()));
            let mut world = World::new();
            raw_mint(&mut world, &entry(kind, value));
            let mut deal = agreed_2022(world, RISKS_KNOWN);
            deal.refused(deal.create(), ExtensionUnsupported);
        }
        case(format_args!("extension {kind} behind harmless ones"));
        let mut world = World::new();
        raw_mint(&mut world, &[entry(18, &[0; 64]), entry(25, &[0; 56]), entry(kind, &[1; 8])].concat());
        let mut deal = agreed_2022(world, RISKS_KNOWN);
        deal.refused(deal.create(), ExtensionUnsupported);
    }
}

#[test]
fn extensions_that_are_cut_off_are_refused() {
    for entries in [&[18, 0][..], &[18, 0, 64], &[18, 0, 64, 0], &[18, 0, 1, 0], &[18, 0, 255, 255, 0]] {
        case(format_args!("{entries:?}"));
        let mut world = World::new();
        raw_mint(&mut world, entries);
        let mut deal = agreed_2022(world, RISKS_KNOWN);
        deal.refused(deal.create(), MintInvalid);
    }
}

/// Powers that the issuer took after the escrow was created are found when it is funded.
#[test]
fn an_extension_that_appeared_since_the_creation_is_refused() {
    let changes: [(&str, Vec<u8>, EscrowError); 2] = [
        ("a risk", entry(26, &[0; 33]), RiskNotAccepted),
        ("an extension that is not on the list", entry(9, &[]), ExtensionUnsupported),
    ];
    for (name, entries, reason) in changes {
        case(name);
        let mut world = World::new();
        new_mint(&mut world, &[], &[], false);
        let mut deal = agreed_2022(world, 0);
        account_2022(&mut deal.world, Who::Buyer, 5_000);
        deal.ok(deal.create());
        let mut fork = deal.fork();
        raw_mint(&mut fork.world, &entries);
        fork.refused(fork.fund(), reason);
        deal.ok(deal.fund());
        // On the way out nobody asks.
        deal.ok(deal.refund(0, 1_000));
        let mut data = deal.world.raw(&mint());
        data.data[46] = 1;
        deal.world.svm.set_account(mint(), data).expect("an account");
        deal.withdraw_all();
        assert_eq!(deal.held(), 0);
    }
}

#[test]
fn a_paused_mint_waits_and_deadlines_go_on() {
    let issuer = issuer();
    let mut world = World::new();
    let pausable = pausable::instruction::initialize(&TOKEN_2022, &mint(), &issuer.pubkey()).expect("valid");
    new_mint(&mut world, &[ExtensionType::Pausable], &[pausable], false);
    let mut deal = agreed_2022(world, RISK_PAUSABLE);
    let buyer = account_2022(&mut deal.world, Who::Buyer, 1_000);
    deal.ok(deal.create());
    deal.ok(deal.fund());
    let pause = pausable::instruction::pause(&TOKEN_2022, &mint(), &issuer.pubkey(), &[]).expect("valid");
    deal.world.ok(pause, &[&issuer]);
    deal.world.set_time(deal.milestone(0).deadline);
    deal.ok(deal.expire(0));
    // Token-2022's MintPaused.
    deal.refused(deal.withdraw(Recipient::Buyer), solana_instruction::error::InstructionError::Custom(67));
    let resume = pausable::instruction::resume(&TOKEN_2022, &mint(), &issuer.pubkey(), &[]).expect("valid");
    deal.world.ok(resume, &[&issuer]);
    deal.ok(deal.withdraw(Recipient::Buyer));
    assert_eq!(deal.world.tokens_in(&buyer), 1_000);
    deal.wait_and_close();
}

#[test]
fn a_token_account_of_the_other_program_is_refused() {
    let mut world = World::new();
    new_mint(&mut world, &[], &[], false);
    let mut deal = agreed_2022(world, 0);
    account_2022(&mut deal.world, Who::Buyer, 5_000);
    account_2022(&mut deal.world, Who::Seller, 0);
    deal.ok(deal.create());
    let of_spl_token = deal.world.token_account(&deal.key(Who::Buyer));
    deal.refused(deal.fund().account(3, of_spl_token), TokenAccountInvalid);
    deal.ok(deal.fund());
    deal.ok(deal.release(0, 1_000));
    let of_spl_token = deal.world.token_account(&deal.key(Who::Seller));
    deal.refused(deal.withdraw(Recipient::Seller).account(2, of_spl_token), TokenAccountInvalid);
    // The address where SPL Token's associated account for this mint would be.
    let elsewhere = address::associated_token_address(&deal.key(Who::Seller), &mint(), &TOKEN);
    deal.refused(deal.withdraw(Recipient::Seller).account(2, elsewhere), TokenAccountInvalid);
    deal.world.advance(DAY);
    deal.ok(deal.withdraw(Recipient::Seller));
}
