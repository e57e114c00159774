//! What holders can do to their own token accounts, so that these receive nothing or pay nothing; and what helps.

use escrow_client::{EscrowError::*, Recipient, escrow::state::RISK_FREEZE, instruction};
use escrow_tests::{Refusal, TOKEN, TOKEN_2022, World, keypair};
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::{
    error::TokenError,
    extension::{ExtensionType, cpi_guard, memo_transfer},
    instruction::{self as token_instruction, AuthorityType},
};

use crate::support::*;

const PROGRAMS: [Pubkey; 2] = [TOKEN, TOKEN_2022];

/// A created escrow of 1,000 of a freezable token, which are all that the buyer has.
fn created(program: Pubkey) -> Deal {
    let mut world = World::new();
    Recipe::default().freeze().make_at(&mut world, &mint_keypair(), program);
    Deal::agreed_for(world, mint(), program, RISK_FREEZE, &[1_000]).create_with(1_000)
}

/// Something is due to everybody: see [`DUE`].
fn ruled(program: Pubkey) -> Deal {
    let mut deal = created(program);
    deal.ok(deal.fund(), &[Who::Buyer]);
    deal.rule(0, 5_000);
    deal
}

// Accounts that receive nothing ---------------------------------------------------------------------------------------

/// What can be the matter with a recipient's associated account.
struct Obstacle {
    name: &'static str,
    programs: &'static [Pubkey],
    arise: fn(&mut Deal, Who),
    end: fn(&mut Deal, Who),
    reason: Refusal,
}

const OBSTACLES: [Obstacle; 6] = [
    Obstacle {
        name: "frozen",
        programs: &PROGRAMS,
        arise: |deal, who| deal.set_frozen(&deal.token_account(who), true),
        end: |deal, who| deal.set_frozen(&deal.token_account(who), false),
        reason: token(TokenError::AccountFrozen),
    },
    Obstacle { name: "missing", programs: &PROGRAMS, arise: close, end: open, reason: refusal(TokenAccountInvalid) },
    Obstacle {
        name: "missing, with lamports at its address",
        programs: &PROGRAMS,
        arise: |deal, who| {
            close(deal, who);
            let account = deal.token_account(who);
            deal.world.svm.airdrop(&account, 1_000_000_000).expect("an airdrop");
        },
        end: open,
        reason: refusal(TokenAccountInvalid),
    },
    // Only SPL Token: an associated account of Token-2022 cannot be given away.
    Obstacle {
        name: "given to somebody else",
        programs: &[TOKEN],
        arise: |deal, who| give(deal, &deal.keypair(who), &deal.world.stranger.insecure_clone(), who),
        end: |deal, who| give(deal, &deal.world.stranger.insecure_clone(), &deal.keypair(who), who),
        reason: refusal(TokenAccountOwner),
    },
    Obstacle {
        name: "asking for a memo",
        programs: &[TOKEN_2022],
        arise: require_memo,
        end: |deal, who| {
            let (owner, account) = (deal.key(who), deal.token_account(who));
            let disable =
                memo_transfer::instruction::disable_required_transfer_memos(&TOKEN_2022, &account, &owner, &[]);
            deal.ok(built(disable), &[who]);
        },
        reason: token(TokenError::NoMemo),
    },
    // The extension is put there by hand: to configure one takes zero-knowledge proofs.
    Obstacle {
        name: "closed to transfers that are not confidential",
        programs: &[TOKEN_2022],
        arise: |deal, who| set_confidential(deal, who, false),
        end: |deal, who| set_confidential(deal, who, true),
        reason: token(TokenError::NonConfidentialTransfersDisabled),
    },
];

const fn refusal(error: escrow_client::EscrowError) -> Refusal {
    Refusal(InstructionError::Custom(error.code()))
}

fn open(deal: &mut Deal, who: Who) {
    let owner = deal.key(who);
    deal.world.create_token_account(&owner, &deal.mint, &deal.program);
}

fn close(deal: &mut Deal, who: Who) {
    let (owner, account, to) = (deal.key(who), deal.token_account(who), deal.world.fee_payer.pubkey());
    deal.ok(built(token_instruction::close_account(&deal.program, &account, &to, &owner, &[])), &[who]);
    assert!(!deal.world.exists(&account));
}

fn give(deal: &mut Deal, from: &Keypair, to: &Keypair, who: Who) {
    let account = deal.token_account(who);
    let kind = AuthorityType::AccountOwner;
    let give = token_instruction::set_authority(&deal.program, &account, Some(&to.pubkey()), kind, &from.pubkey(), &[]);
    deal.world.ok(built(give), &[from]);
}

/// Makes room for an extension in the associated account.
fn reallocate(deal: &mut Deal, who: Who, kind: ExtensionType) {
    let (owner, account) = (deal.keypair(who), deal.token_account(who));
    let payer = deal.world.fee_payer.pubkey();
    let reallocate = token_instruction::reallocate(&TOKEN_2022, &account, &payer, &owner.pubkey(), &[], &[kind]);
    deal.world.ok(built(reallocate), &[&owner]);
}

fn require_memo(deal: &mut Deal, who: Who) {
    reallocate(deal, who, ExtensionType::MemoTransfer);
    let (owner, account) = (deal.key(who), deal.token_account(who));
    let enable = memo_transfer::instruction::enable_required_transfer_memos(&TOKEN_2022, &account, &owner, &[]);
    deal.ok(built(enable), &[who]);
}

fn set_confidential(deal: &mut Deal, who: Who, public_credits: bool) {
    // Number, length and value of the extension; the last flag but two counters says whether public credits are taken.
    const LENGTH: usize = 295;
    const PUBLIC_CREDITS: usize = LENGTH - 4 * 8 - 1;
    let address = deal.token_account(who);
    let mut account = deal.world.raw(&address);
    account.data.truncate(TOKEN_ACCOUNT_SIZE + 1);
    account.data.extend(u16::from(ExtensionType::ConfidentialTransferAccount).to_le_bytes());
    account.data.extend(u16::try_from(LENGTH).expect("short").to_le_bytes());
    let mut value = [0; LENGTH];
    value[PUBLIC_CREDITS] = u8::from(public_credits);
    account.data.extend(value);
    account.lamports = deal.world.svm.minimum_balance_for_rent_exemption(account.data.len());
    deal.world.svm.set_account(address, account).expect("an account");
}

#[test]
fn an_account_that_cannot_receive_holds_up_nobody_else() {
    for Obstacle { name, programs, arise, end, reason } in OBSTACLES {
        for program in programs {
            let ruled = ruled(*program);
            for (recipient, who) in Who::PAID {
                case(format_args!("{recipient:?} with an account {name}, {program}"));
                let mut deal = ruled.fork();
                arise(&mut deal, who);
                deal.refused(deal.withdraw(recipient), &[], reason.clone());
                for (other, amount) in DUE.into_iter().filter(|(other, _)| *other != recipient) {
                    deal.paid(other, amount);
                }
                deal.refused(deal.withdraw(recipient), &[], reason.clone());
                // Its signature alone does not make the account a better one.
                let account = deal.token_account(who);
                deal.refused(deal.withdraw_to(recipient, account), &[who], reason.clone());

                // It waits until the obstacle is gone,
                let mut directed = deal.fork();
                end(&mut deal, who);
                deal.paid(recipient, due(recipient));
                deal.wait_and_close();

                // or directs to another of its accounts by signing.
                let other = directed.other_account(70, who);
                let to_other = directed.withdraw_to(recipient, other);
                let mut unsigned = to_other.clone();
                unsigned.accounts.iter_mut().for_each(|meta| meta.is_signer = false);
                directed.refused(unsigned, &[], NotAssociatedAccount);
                directed.ok(to_other, &[who]);
                assert_eq!(directed.world.tokens_in(&other), due(recipient));
                directed.wait_and_close();
            }
        }
    }
}

/// An account of the recipient's choice is its own, of this token and of this program, or none.
#[test]
fn a_direction_to_somebody_elses_account_is_refused() {
    // Anchor's, for an account that stands behind the fixed ones too, of which one may be changed.
    let duplicate = || Refusal(InstructionError::Custom(2040));
    for program in PROGRAMS {
        let other_program = if program == TOKEN { TOKEN_2022 } else { TOKEN };
        let mut deal = ruled(program);
        let (seller, stranger) = (deal.key(Who::Seller), deal.world.stranger.pubkey());
        let given = deal.other_account(70, Who::Seller);
        let kind = AuthorityType::AccountOwner;
        let give = token_instruction::set_authority(&program, &given, Some(&stranger), kind, &seller, &[]);
        deal.ok(built(give), &[Who::Seller]);
        let [of_other_token, of_other_program] = [(71, program), (72, other_program)].map(|(number, program)| {
            Recipe::default().make_at(&mut deal.world, &keypair(number), program);
            deal.world.create_token_account(&seller, &keypair(number).pubkey(), &program)
        });
        let cases = [
            ("given away", given, TokenAccountOwner.into()),
            ("the buyer's", deal.token_account(Who::Buyer), TokenAccountOwner.into()),
            ("of another token", of_other_token, TokenAccountMint.into()),
            ("of the other program", of_other_program, TokenAccountInvalid.into()),
            ("another mint", keypair(71).pubkey(), TokenAccountInvalid.into()),
            ("somebody's wallet", stranger, TokenAccountInvalid.into()),
            ("the vault", deal.vault(), TokenAccountOwner.into()),
            ("the mint", mint(), TokenAccountInvalid.into()),
            ("its own wallet", seller, TokenAccountInvalid.into()),
            ("the escrow", deal.escrow, duplicate()),
        ];
        for (name, destination, reason) in cases {
            case(format_args!("{name}, {program}"));
            deal.refused(deal.withdraw_to(Recipient::Seller, destination), &[Who::Seller], reason);
        }
        deal.paid(Recipient::Seller, 483);
    }
}

// Memos ---------------------------------------------------------------------------------------------------------------

const MEMO: Pubkey = Pubkey::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

fn memo() -> Instruction {
    Instruction { program_id: MEMO, accounts: vec![], data: b"invoice 17".to_vec() }
}

/// Token-2022 looks for the memo among the instructions called before it at its own depth. The escrow calls nothing
/// else, so that no memo of the transaction's counts: the account receives nothing from any program that calls no memo.
#[test]
fn a_memo_in_the_transaction_does_not_reach_the_token_program() {
    let mut deal = ruled(TOKEN_2022);
    let seller = deal.keypair(Who::Seller);
    require_memo(&mut deal, Who::Seller);
    let withdraw = deal.withdraw(Recipient::Seller);
    for instructions in [
        vec![memo(), withdraw.clone()],
        vec![withdraw.clone(), memo()],
        vec![memo(), withdraw.clone(), memo()],
        vec![memo(), memo(), withdraw.clone()],
    ] {
        let index = instructions.iter().position(|instruction| *instruction == withdraw).expect("among them");
        let index = u8::try_from(index).expect("few");
        deal.world.refused_at(index, &instructions, &[], token(TokenError::NoMemo));
    }
    // It is the memo that a holder's own transfer needs, from which the account does receive.
    deal.paid(Recipient::Buyer, 495);
    let (from, to) = (deal.token_account(Who::Buyer), deal.token_account(Who::Seller));
    let buyer = deal.keypair(Who::Buyer);
    let transfer = token_instruction::transfer_checked(&TOKEN_2022, &from, &mint(), &to, &buyer.pubkey(), &[], 5, 6);
    let transfer = built(transfer);
    deal.refused(transfer.clone(), &[Who::Buyer], token(TokenError::NoMemo));
    sent(&mut deal.world, &[memo(), transfer], &[&buyer]);
    assert_eq!(deal.tokens(Who::Seller), 5);

    // What helps, besides another account: to do without for one transaction, which the recipient signs.
    let (owner, account) = (seller.pubkey(), deal.token_account(Who::Seller));
    let disable = memo_transfer::instruction::disable_required_transfer_memos(&TOKEN_2022, &account, &owner, &[]);
    let enable = memo_transfer::instruction::enable_required_transfer_memos(&TOKEN_2022, &account, &owner, &[]);
    sent(&mut deal.world, &[built(disable), withdraw, built(enable)], &[&seller]);
    assert_eq!(deal.tokens(Who::Seller), 5 + 483);
    let (from, to) = (deal.token_account(Who::Buyer), account);
    let again = token_instruction::transfer_checked(&TOKEN_2022, &from, &mint(), &to, &buyer.pubkey(), &[], 5, 6);
    deal.refused(built(again), &[Who::Buyer], token(TokenError::NoMemo));
}

/// Tokens that somebody sent uninvited are the buyer's, so that a buyer's account which cannot receive them keeps the
/// escrow open, and the rent in it, until the buyer directs them elsewhere.
#[test]
fn what_is_left_over_goes_where_the_buyer_directs_it() {
    let mut deal = ruled(TOKEN_2022);
    for (recipient, amount) in DUE {
        deal.paid(recipient, amount);
    }
    let vault = deal.vault();
    deal.mint_to(&vault, 9);
    require_memo(&mut deal, Who::Buyer);
    deal.world.set_time(deal.terms.fund_by);
    deal.refused(deal.close(true), &[], token(TokenError::NoMemo));
    let other = deal.other_account(70, Who::Buyer);
    let mut close = deal.close(true);
    close.accounts[5].pubkey = other;
    deal.refused(close.clone(), &[], NotAssociatedAccount);
    close.accounts[6].pubkey = deal.key(Who::Buyer);
    close.accounts[6].is_signer = true;
    deal.ok(close, &[Who::Buyer]);
    assert_eq!(deal.world.tokens_in(&other), 9);
}

// Accounts that pay nothing -------------------------------------------------------------------------------------------

fn cpi_guard_instruction(deal: &Deal, who: Who, on: bool) -> Instruction {
    let build = if on { cpi_guard::instruction::enable_cpi_guard } else { cpi_guard::instruction::disable_cpi_guard };
    built(build(&TOKEN_2022, &deal.token_account(who), &deal.key(who), &[]))
}

fn guard(deal: &mut Deal, who: Who) {
    reallocate(deal, who, ExtensionType::CpiGuard);
    deal.ok(cpi_guard_instruction(deal, who, true), &[who]);
}

/// The owner lets `delegate` spend `amount`.
fn approve(
    deal: &Deal,
    from: &Pubkey,
    delegate: &Pubkey,
    owner: &Pubkey,
    signers: &[&Pubkey],
    amount: u64,
) -> Instruction {
    built(token_instruction::approve(&deal.program, from, delegate, owner, signers, amount))
}

/// A guarded account pays nothing to a program that calls in its owner's name, as the escrow does in `fund`.
#[test]
fn a_cpi_guard_stops_funding_from_the_account() {
    let mut guarded = created(TOKEN_2022);
    guard(&mut guarded, Who::Buyer);
    let (fund, buyer, account) = (guarded.fund(), guarded.keypair(Who::Buyer), guarded.token_account(Who::Buyer));
    let blocked = token(TokenError::CpiGuardTransferBlocked);
    guarded.refused(fund.clone(), &[Who::Buyer], blocked.clone());
    // Nor does it help that delegates may spend: an owner that is its own delegate is still the owner.
    let approve_itself = approve(&guarded, &account, &buyer.pubkey(), &buyer.pubkey(), &[], 1_000);
    guarded.world.refused_at(1, &[approve_itself, fund.clone()], &[&buyer], blocked);

    case("without the guard for one transaction, which the buyer signs anyway");
    let mut deal = guarded.fork();
    let off = cpi_guard_instruction(&deal, Who::Buyer, false);
    let on = cpi_guard_instruction(&deal, Who::Buyer, true);
    sent(&mut deal.world, &[off, fund, on], &[&buyer]);
    assert_eq!((deal.held(), deal.tokens(Who::Buyer)), (1_000, 0));
    case("from another account, in one transaction too");
    let mut deal = guarded.fork();
    let other = deal.other_account(70, Who::Buyer);
    let transfer =
        token_instruction::transfer_checked(&TOKEN_2022, &account, &mint(), &other, &buyer.pubkey(), &[], 1_000, 6);
    let fund_from = deal.fund_from(other);
    sent(&mut deal.world, &[built(transfer), fund_from], &[&buyer]);
    assert_eq!((deal.held(), deal.tokens(Who::Buyer)), (1_000, 0));
    case("from the guarded account of somebody else, who approved the buyer");
    let mut deal = guarded.fork();
    guard(&mut deal, Who::Seller);
    let (source, seller) = (deal.token_account(Who::Seller), deal.key(Who::Seller));
    deal.mint_to(&source, 1_000);
    deal.ok(approve(&deal, &source, &buyer.pubkey(), &seller, &[], 1_000), &[Who::Seller]);
    deal.ok(deal.fund_from(source), &[Who::Buyer]);
    assert_eq!((deal.held(), deal.tokens(Who::Buyer), deal.tokens(Who::Seller)), (1_000, 1_000, 0));
}

/// A guard is about paying: guarded accounts receive.
#[test]
fn a_guarded_account_receives() {
    let mut deal = ruled(TOKEN_2022);
    for (_, who) in Who::PAID {
        guard(&mut deal, who);
    }
    for (recipient, amount) in DUE {
        deal.paid(recipient, amount);
    }
    deal.wait_and_close();
}

/// A multisig of the token program's own kind cannot sign through calls. It approves the buyer, who then funds.
#[test]
fn a_multisigs_account_funds_through_a_delegate() {
    for program in PROGRAMS {
        case(program);
        let mut deal = created(program);
        let (multisig, members) = (keypair(71), [72, 73, 74].map(keypair));
        let keys = members.each_ref().map(|member| member.pubkey());
        let create = solana_system_interface::instruction::create_account(
            &deal.world.fee_payer.pubkey(),
            &multisig.pubkey(),
            deal.world.svm.minimum_balance_for_rent_exemption(355),
            355,
            &program,
        );
        let initialize = token_instruction::initialize_multisig2(&program, &multisig.pubkey(), &keys.each_ref()[..], 2);
        sent(&mut deal.world, &[create, built(initialize)], &[&multisig]);
        let source = deal.world.new_token_account(&keypair(75), &multisig.pubkey(), &mint(), &program);
        deal.mint_to(&source, 1_500);

        let fund = deal.fund_from(source);
        deal.refused(fund.clone(), &[Who::Buyer], token(TokenError::OwnerMismatch));
        let buyer = deal.key(Who::Buyer);
        for (amount, refused) in [(999, Some(TokenError::InsufficientFunds)), (1_200, None)] {
            let approve = approve(&deal, &source, &buyer, &multisig.pubkey(), &[&keys[0], &keys[2]], amount);
            sent(&mut deal.world, &[approve], &[&members[0], &members[2]]);
            match refused {
                Some(reason) => deal.refused(fund.clone(), &[Who::Buyer], token(reason)),
                None => deal.ok(fund.clone(), &[Who::Buyer]),
            }
        }
        assert_eq!((deal.held(), deal.world.tokens_in(&source), deal.tokens(Who::Buyer)), (1_000, 500, 1_000));
        // The buyer is the party, whoever paid.
        deal.refund(0, 1_000);
        deal.paid(Recipient::Buyer, 1_000);
        deal.wait_and_close();
    }
}

/// The escrow does not ask who owns the account that pays; the token program does.
#[test]
fn an_account_of_somebody_else_pays_only_with_its_owners_approval() {
    for program in PROGRAMS {
        case(program);
        let mut deal = created(program);
        let (seller, buyer) = (deal.key(Who::Seller), deal.key(Who::Buyer));
        let source = deal.token_account(Who::Seller);
        deal.mint_to(&source, 1_000);
        let fund = deal.fund_from(source);
        deal.refused(fund.clone(), &[Who::Buyer], token(TokenError::OwnerMismatch));
        let approve = approve(&deal, &source, &buyer, &seller, &[], 1_000);
        deal.ok(approve, &[Who::Seller]);
        deal.ok(fund, &[Who::Buyer]);
        assert_eq!((deal.held(), deal.tokens(Who::Seller), deal.tokens(Who::Buyer)), (1_000, 0, 1_000));
    }
}

#[test]
fn a_frozen_or_closed_source_funds_nothing() {
    for program in PROGRAMS {
        let created = created(program);
        case(format_args!("frozen, {program}"));
        let mut deal = created.fork();
        deal.set_frozen(&deal.token_account(Who::Buyer), true);
        deal.refused(deal.fund(), &[Who::Buyer], token(TokenError::AccountFrozen));
        case(format_args!("closed, {program}"));
        let mut deal = created.fork();
        let other = deal.other_account(70, Who::Buyer);
        let (from, buyer) = (deal.token_account(Who::Buyer), deal.key(Who::Buyer));
        let transfer = token_instruction::transfer_checked(&program, &from, &mint(), &other, &buyer, &[], 1_000, 6);
        deal.ok(built(transfer), &[Who::Buyer]);
        close(&mut deal, Who::Buyer);
        deal.refused(deal.fund(), &[Who::Buyer], TokenAccountInvalid);
        deal.ok(deal.fund_from(other), &[Who::Buyer]);
        assert!(deal.account().is_funded());
        let late = instruction::fund(&deal.terms).expect("terms that hash");
        deal.refused(late, &[Who::Buyer], AlreadyFunded);
    }
}
