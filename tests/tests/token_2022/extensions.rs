//! Every extension of Token-2022: accepted, accepted with its risk bit, or refused (design, section 2.7).

use escrow_client::{
    EscrowError::{self, *},
    escrow::state::{
        MintInfo, RISK_DEFAULT_STATE, RISK_FREEZE, RISK_MINT_CLOSE, RISK_PAUSABLE, RISK_PERMANENT_DELEGATE, RISKS,
        RISKS_KNOWN,
    },
};
use escrow_tests::{TOKEN, TOKEN_2022, World};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use spl_token_2022_interface::{
    extension::{
        AccountType,
        ExtensionType::{self, *},
        confidential_mint_burn, confidential_transfer_fee, permissioned_burn, transfer_fee,
    },
    instruction::{self as token_instruction, AuthorityType},
    state::{AccountState, Mint},
};

use crate::{recipes::*, support::*};

/// What the design says of an extension on a mint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Whatever its value is.
    Accepted,
    /// Where it is inert for good: its zero value is.
    AcceptedInert,
    /// With this bit of `accepted_risks`.
    Risk(u16),
    Refused,
    /// Type 0 is no extension but the end of them.
    End,
}

/// Exhaustive: a new extension of the interface crate stops this from compiling until somebody decides.
fn policy(kind: ExtensionType) -> Policy {
    use Policy::*;
    match kind {
        Uninitialized => End,
        TransferFeeConfig | TransferHook => AcceptedInert,
        MintCloseAuthority => Risk(RISK_MINT_CLOSE),
        DefaultAccountState => Risk(RISK_DEFAULT_STATE),
        PermanentDelegate => Risk(RISK_PERMANENT_DELEGATE),
        Pausable => Risk(RISK_PAUSABLE),
        ConfidentialTransferMint
        | InterestBearingConfig
        | MetadataPointer
        | TokenMetadata
        | GroupPointer
        | TokenGroup
        | GroupMemberPointer
        | TokenGroupMember
        | ScaledUiAmount => Accepted,
        NonTransferable | ConfidentialTransferFeeConfig | ConfidentialMintBurn | PermissionedBurn => Refused,
        // Extensions of token accounts: on a mint they mean nothing that is known.
        TransferFeeAmount
        | ConfidentialTransferAccount
        | ImmutableOwner
        | MemoTransfer
        | CpiGuard
        | NonTransferableAccount
        | TransferHookAccount
        | ConfidentialTransferFeeAmount
        | PausableAccount => Refused,
    }
}

/// Every extension type that the interface crate knows, with its number.
fn every_kind() -> Vec<(u16, ExtensionType)> {
    (0..=u16::MAX).filter_map(|number| Some((number, ExtensionType::try_from(number).ok()?))).collect()
}

/// Zeros, as many as the extension has bytes; for metadata, empty texts.
fn zeros(kind: ExtensionType) -> Vec<u8> {
    let size = match kind {
        TokenMetadata => 32 + 32 + 4 * 4,
        _ => {
            let mint = ExtensionType::try_calculate_account_len::<Mint>(&[kind]).expect("a fixed size");
            mint - with_entries(&plain_mint(), &[(0, vec![])]).len()
        }
    };
    vec![0; size]
}

fn world_with_mint(data: Vec<u8>) -> World {
    let mut world = World::new();
    set_mint(&mut world, data);
    world
}

/// Creating an escrow of the mint in `world`, with `accepted_risks`, is refused for `reason`.
#[track_caller]
fn create_refused(world: &World, accepted_risks: u16, reason: EscrowError) {
    let mut deal = Deal::agreed(world.fork(), accepted_risks, &[1_000]);
    deal.refused(deal.create(), &[Who::RentPayer], reason);
}

#[track_caller]
fn create_accepted(world: &World, accepted_risks: u16) {
    let mut deal = Deal::agreed(world.fork(), accepted_risks, &[1_000]);
    deal.ok(deal.create(), &[Who::RentPayer]);
}

/// Exactly those bits are needed: with any of them missing it is refused, whatever else was accepted.
#[track_caller]
fn needs(world: &World, bits: u16) {
    for (bit, name) in RISKS.into_iter().filter(|(bit, _)| bits & bit != 0) {
        case(format_args!("without {name}"));
        create_refused(world, RISKS_KNOWN & !bit, RiskNotAccepted);
        create_refused(world, bits & !bit, RiskNotAccepted);
    }
    create_accepted(world, bits);
    create_accepted(world, RISKS_KNOWN);
}

#[test]
fn every_extension_type_has_its_policy() {
    let kinds = every_kind();
    let numbers: Vec<u16> = kinds.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..=28).collect::<Vec<u16>>(), "the extensions that the interface crate knows");
    for (number, kind) in kinds {
        case(format_args!("{number} {kind:?}: {:?}", policy(kind)));
        let world = world_with_mint(with_entries(&plain_mint(), &[(number, zeros(kind))]));
        match policy(kind) {
            Policy::Accepted | Policy::AcceptedInert | Policy::End => {
                create_accepted(&world, 0);
                create_accepted(&world, RISKS_KNOWN);
            }
            Policy::Risk(bit) => needs(&world, bit),
            Policy::Refused => {
                create_refused(&world, 0, ExtensionUnsupported);
                create_refused(&world, RISKS_KNOWN, ExtensionUnsupported);
            }
        }
    }
}

/// Also where it stands behind or before an extension that is accepted.
#[test]
fn a_refused_extension_is_refused_in_any_company() {
    let harmless = (u16::from(MetadataPointer), zeros(MetadataPointer));
    for (number, kind) in every_kind().into_iter().filter(|(_, kind)| policy(*kind) == Policy::Refused) {
        case(format_args!("{kind:?}"));
        let refused = (number, zeros(kind));
        for entries in [[harmless.clone(), refused.clone()], [refused, harmless.clone()]] {
            let world = world_with_mint(with_entries(&plain_mint(), &entries));
            create_refused(&world, RISKS_KNOWN, ExtensionUnsupported);
        }
    }
}

#[test]
fn an_unknown_extension_is_refused() {
    // What the tables of tomorrow may hold, the ends of the range, and numbers that a cast to a byte would take for
    // harmless ones.
    let numbers = (29..=64).chain([0xff, 0x100, 0x103, 0x104, 0x10a, 0x112, 0x119, 0x11a, 0x1200, 0x7fff, 0x8000]);
    for number in numbers.chain([0xfffd, 0xfffe, 0xffff]) {
        for length in [0, 1, 32] {
            case(format_args!("{number:#x} with {length} bytes"));
            let world = world_with_mint(with_entries(&plain_mint(), &[(number, vec![0; length])]));
            create_refused(&world, RISKS_KNOWN, ExtensionUnsupported);
        }
    }
    // The same function on the host, with every number that there is.
    for number in 29..=u16::MAX {
        let data = with_entries(&plain_mint(), &[(number, vec![])]);
        assert_eq!(MintInfo::read(&data), Err(ExtensionUnsupported), "{number}");
    }
}

#[test]
fn powers_add_up() {
    let entries: Vec<(u16, Vec<u8>)> = every_kind()
        .into_iter()
        .filter(|(_, kind)| matches!(policy(*kind), Policy::Risk(_)))
        .map(|(number, kind)| (number, zeros(kind)))
        .collect();
    assert_eq!(entries.len(), 4);
    let mut data = with_entries(&plain_mint(), &entries);
    data[46] = 1;
    needs(&world_with_mint(data), RISKS_KNOWN);
}

/// The bit for it is needed with either program, and with any extension beside it.
#[test]
fn a_freeze_authority_needs_its_bit() {
    for program in [TOKEN, TOKEN_2022] {
        for freezable in [false, true] {
            case(format_args!("{program}, freezable: {freezable}"));
            let mut world = World::new();
            Recipe { freeze: freezable, ..Recipe::default() }.make_at(&mut world, &mint_keypair(), program);
            let refused = (RISKS_KNOWN & !RISK_FREEZE, freezable);
            for (accepted_risks, refused) in [(0, freezable), refused, (RISK_FREEZE, false), (RISKS_KNOWN, false)] {
                let mut deal = Deal::agreed_for(world.fork(), mint(), program, accepted_risks, &[1_000]);
                if refused {
                    deal.refused(deal.create(), &[Who::RentPayer], RiskNotAccepted);
                } else {
                    deal.ok(deal.create(), &[Who::RentPayer]);
                }
            }
        }
    }
    // Whatever number marks the option as taken, and whatever key stands behind it.
    for tag in [1u32, 2, 0x100, 0x1_0000, 0x0100_0000, u32::MAX] {
        let mut data = plain_mint();
        data[46..50].copy_from_slice(&tag.to_le_bytes());
        assert_eq!(MintInfo::read(&data).map(|mint| mint.risks), Ok(RISK_FREEZE), "{tag:#x}");
        needs(&world_with_mint(data), RISK_FREEZE);
    }
}

// Mints that Token-2022 makes -----------------------------------------------------------------------------------------

/// A mint that Token-2022 made, and what it is called.
struct Made {
    name: &'static str,
    recipe: Recipe,
    /// Which extensions it must have, so that no row tests something else than it says.
    has: Vec<ExtensionType>,
}

fn made(name: &'static str, has: &[ExtensionType], recipe: Recipe) -> Made {
    Made { name, recipe, has: has.to_vec() }
}

impl Made {
    #[track_caller]
    fn world(&self) -> World {
        case(self.name);
        let mut world = World::new();
        if self.has.contains(&TokenGroupMember) {
            let at = group_mint();
            group(at.pubkey()).make_at(&mut world, &at, TOKEN_2022);
        }
        self.recipe.make(&mut world);
        assert_eq!(extensions_of(&world), self.has, "the mint's extensions");
        world
    }
}

/// The extensions of the mint as they stand in the account.
fn extensions_of(world: &World) -> Vec<ExtensionType> {
    let data = world.raw(&mint()).data;
    let mut entries = data.get(TOKEN_ACCOUNT_SIZE + 1..).unwrap_or_default();
    let mut found = Vec::new();
    while let [kind_low, kind_high, low, high, rest @ ..] = entries {
        let kind = u16::from_le_bytes([*kind_low, *kind_high]);
        if kind == 0 {
            break;
        }
        found.push(ExtensionType::try_from(kind).expect("a known type"));
        entries = &rest[usize::from(u16::from_le_bytes([*low, *high]))..];
    }
    found
}

/// Mints that are accepted without a risk, with what each needs in a token account.
fn harmless() -> Vec<(Made, Vec<ExtensionType>)> {
    let set_fee = |rate| {
        built(transfer_fee::instruction::set_transfer_fee(&TOKEN_2022, &mint(), &issuer().pubkey(), &[], rate, 0))
    };
    let issuer = issuer().pubkey();
    let plain = |row| (row, vec![]);
    let with_fee = |row| (row, vec![TransferFeeAmount]);
    vec![
        plain(made("no extension", &[], Recipe::default())),
        with_fee(made("a fee of zero without an authority", &[TransferFeeConfig], fee(None, 0, 0))),
        with_fee(made("the same, with a maximum that never applies", &[TransferFeeConfig], fee(None, 0, u64::MAX))),
        with_fee(made(
            "a fee of zero whose authority was given up",
            &[TransferFeeConfig],
            fee(Some(&issuer), 0, 5).after([set_fee(0), set_authority(AuthorityType::TransferFeeConfig, None)]),
        )),
        (
            made(
                "a hook without a program, whose authority was given up",
                &[TransferHook],
                hook(Some(issuer), None).after([set_authority(AuthorityType::TransferHookProgramId, None)]),
            ),
            vec![TransferHookAccount],
        ),
        plain(made("confidential transfers", &[ConfidentialTransferMint], confidential())),
        plain(made("interest bearing", &[InterestBearingConfig], interest())),
        plain(made("scaled amount", &[ScaledUiAmount], scaled())),
        plain(made("a pointer to metadata", &[MetadataPointer], metadata_pointer_only())),
        plain(made("metadata", &[MetadataPointer, TokenMetadata], metadata())),
        plain(made("a group", &[GroupPointer, TokenGroup], group(mint()))),
        plain(made("a group's member", &[GroupMemberPointer, TokenGroupMember], group_member())),
        (
            made(
                "all that go together",
                &[
                    ConfidentialTransferMint,
                    ScaledUiAmount,
                    GroupPointer,
                    TransferHook,
                    MetadataPointer,
                    TokenGroup,
                    TokenMetadata,
                ],
                confidential()
                    .and(scaled())
                    .and(group(mint()))
                    .and(hook(Some(issuer), None))
                    .and(metadata())
                    .after([set_authority(AuthorityType::TransferHookProgramId, None)]),
            ),
            vec![TransferHookAccount],
        ),
    ]
}

/// Mints whose issuer has a power, with the bits for it and what each needs in a token account.
fn powerful() -> Vec<(Made, u16, Vec<ExtensionType>)> {
    let frozen = default_state(AccountState::Frozen);
    vec![
        (made("a freeze authority", &[], Recipe::default().freeze()), RISK_FREEZE, vec![]),
        (
            made("accounts that begin initialised", &[DefaultAccountState], default_state(AccountState::Initialized)),
            RISK_FREEZE | RISK_DEFAULT_STATE,
            vec![],
        ),
        (
            made("accounts that begin frozen", &[DefaultAccountState], frozen.clone()),
            RISK_FREEZE | RISK_DEFAULT_STATE,
            vec![],
        ),
        (made("pausable", &[Pausable], pausable_mint()), RISK_PAUSABLE, vec![PausableAccount]),
        (made("a permanent delegate", &[PermanentDelegate], permanent_delegate()), RISK_PERMANENT_DELEGATE, vec![]),
        // A power that was given up is asked for all the same: the extension is there, and nobody loses by asking.
        (
            made(
                "a permanent delegate that was given up",
                &[PermanentDelegate],
                permanent_delegate().after([set_authority(AuthorityType::PermanentDelegate, None)]),
            ),
            RISK_PERMANENT_DELEGATE,
            vec![],
        ),
        (made("a close authority", &[MintCloseAuthority], mint_close()), RISK_MINT_CLOSE, vec![]),
        (
            made(
                "all powers and a fee of zero",
                &[DefaultAccountState, Pausable, PermanentDelegate, MintCloseAuthority, TransferFeeConfig],
                frozen.and(pausable_mint()).and(permanent_delegate()).and(mint_close()).and(fee(None, 0, 0)),
            ),
            RISKS_KNOWN,
            vec![PausableAccount, TransferFeeAmount],
        ),
    ]
}

/// Mints that no escrow takes.
fn refused() -> Vec<Made> {
    let issuer = issuer().pubkey();
    let nobody = Pubkey::default();
    let set_fee = |rate, maximum| {
        built(transfer_fee::instruction::set_transfer_fee(&TOKEN_2022, &mint(), &issuer, &[], rate, maximum))
    };
    let give_up_fee = || set_authority(AuthorityType::TransferFeeConfig, None);
    let fee_row = |name, recipe| made(name, &[TransferFeeConfig], recipe);
    let hook_row = |name, recipe| made(name, &[TransferHook], recipe);
    let non_transferable = built(token_instruction::initialize_non_transferable_mint(&TOKEN_2022, &mint()));
    let confidential_fee = confidential_transfer_fee::instruction::initialize_confidential_transfer_fee_config(
        &TOKEN_2022,
        &mint(),
        None,
        &Default::default(),
    );
    let confidential_burn = confidential_mint_burn::instruction::initialize_mint(
        &TOKEN_2022,
        &mint(),
        &Default::default(),
        &Default::default(),
    );
    let permissioned = built(permissioned_burn::instruction::initialize(&TOKEN_2022, &mint(), &issuer));
    assert_ne!(issuer, nobody);
    vec![
        fee_row("a fee without an authority", fee(None, 100, 5_000)),
        fee_row("the least fee", fee(None, 1, u64::MAX)),
        fee_row("a fee that takes everything", fee(None, 10_000, u64::MAX)),
        // Nothing would be taken; the rate is what counts, and no such mint is worth a rule.
        fee_row("a fee whose maximum is zero", fee(None, 100, 0)),
        fee_row("a fee of zero with an authority", fee(Some(&issuer), 0, 0)),
        fee_row("a fee with an authority", fee(Some(&issuer), 100, 5_000)),
        fee_row(
            "a fee that is scheduled, its authority given up",
            fee(Some(&issuer), 0, 0).after([set_fee(100, 5_000), give_up_fee()]),
        ),
        fee_row(
            "a fee that is scheduled to end, its authority given up",
            fee(Some(&issuer), 100, 5_000).after([set_fee(0, 0), give_up_fee()]),
        ),
        hook_row("a hook with a program and an authority", hook(Some(issuer), Some(TOKEN))),
        hook_row("a hook with a program", hook(None, Some(TOKEN))),
        hook_row("a hook with an authority", hook(Some(issuer), None)),
        made("non-transferable", &[NonTransferable], Recipe::new(NonTransferable, non_transferable)),
        made("permissioned burn", &[PermissionedBurn], Recipe::new(PermissionedBurn, permissioned)),
        made(
            "a fee of zero on confidential transfers",
            &[TransferFeeConfig, ConfidentialTransferMint, ConfidentialTransferFeeConfig],
            fee(None, 0, 0)
                .and(confidential())
                .and(Recipe::new(ConfidentialTransferFeeConfig, built(confidential_fee))),
        ),
        made(
            "confidential mint and burn",
            &[ConfidentialTransferMint, ConfidentialMintBurn],
            confidential().and(Recipe::new(ConfidentialMintBurn, built(confidential_burn))),
        ),
    ]
}

#[test]
fn a_harmless_mint_lives_through_a_whole_escrow() {
    for (row, vault_extensions) in harmless() {
        let world = row.world();
        create_accepted(&world, RISKS_KNOWN);
        live_through(world, 0, &vault_extensions);
    }
}

#[test]
fn a_mint_with_powers_lives_through_a_whole_escrow_if_they_are_accepted() {
    for (row, risks, vault_extensions) in powerful() {
        let world = row.world();
        needs(&world, risks);
        live_through(world, risks, &vault_extensions);
    }
}

#[test]
fn a_mint_that_cannot_be_held_safely_is_refused() {
    for row in refused() {
        let world = row.world();
        create_refused(&world, 0, ExtensionUnsupported);
        create_refused(&world, RISKS_KNOWN, ExtensionUnsupported);
    }
}

/// Every extension of mints is in a row above, made by the real program.
#[test]
fn every_extension_of_a_mint_was_made_by_the_real_program() {
    let harmless = harmless().into_iter().flat_map(|(row, _)| row.has);
    let powerful = powerful().into_iter().flat_map(|(row, ..)| row.has);
    let refused = refused().into_iter().flat_map(|row| row.has);
    let tested: Vec<ExtensionType> = harmless.chain(powerful).chain(refused).collect();
    for (number, kind) in every_kind() {
        let of_mint = kind.get_account_type() == AccountType::Mint;
        assert_eq!(tested.contains(&kind), of_mint, "{number} {kind:?}");
    }
}

/// A scheduled fee that has come into force, and one that has ended: neither changes the answer.
#[test]
fn a_fee_is_judged_by_both_of_its_entries() {
    let entry = |rate: u16| [[0; 16].as_slice(), &rate.to_le_bytes()].concat();
    for (older, newer, accepted) in [(0, 0, true), (0, 1, false), (1, 0, false), (256, 0, false), (0, 256, false)] {
        for epoch in [0, 1, 1_000] {
            case(format_args!("{older}, {newer}, epoch {epoch}"));
            let value = [vec![0; 72], entry(older), entry(newer)].concat();
            let mut world = world_with_mint(with_entries(&plain_mint(), &[(1, value)]));
            let clock = solana_clock::Clock { epoch, ..world.svm.get_sysvar() };
            world.svm.set_sysvar(&clock);
            if accepted {
                create_accepted(&world, 0);
            } else {
                create_refused(&world, RISKS_KNOWN, ExtensionUnsupported);
            }
        }
    }
}

/// One byte that is not zero in the part that must be, wherever it is.
#[test]
fn an_inert_extension_is_inert_in_every_byte() {
    let fee_bytes: Vec<usize> = (0..32).chain(88..90).chain(106..108).collect();
    for (kind, must_be_zero) in [(TransferFeeConfig, fee_bytes), (TransferHook, (0..64).collect())] {
        let size = zeros(kind).len();
        for byte in 0..size {
            let mut value = zeros(kind);
            value[byte] = 1;
            let data = with_entries(&plain_mint(), &[(u16::from(kind), value)]);
            let (read, world) = (MintInfo::read(&data), world_with_mint(data));
            let refused = must_be_zero.contains(&byte);
            assert_eq!(read.is_err(), refused, "{kind:?}, byte {byte}");
            assert!(!refused || read == Err(ExtensionUnsupported), "{kind:?}, byte {byte}");
            if refused {
                case(format_args!("{kind:?}, byte {byte}"));
                create_refused(&world, RISKS_KNOWN, ExtensionUnsupported);
            }
        }
        for length in (0..size).chain([size + 1, size * 2]) {
            let data = with_entries(&plain_mint(), &[(u16::from(kind), vec![0; length])]);
            assert_eq!(MintInfo::read(&data), Err(ExtensionUnsupported), "{kind:?} with {length} bytes");
        }
    }
}

// Again when the escrow is funded, never on the way out ---------------------------------------------------------------

/// The mint as it is, with this entry besides, or with a freeze authority.
fn grown(world: &World, kind: Option<ExtensionType>) -> Vec<u8> {
    let mut data = world.raw(&mint()).data;
    match kind {
        Some(kind) => with_entries(&data, &[(u16::from(kind), zeros(kind))]),
        None => {
            data[46] = 1;
            data
        }
    }
}

/// What an issuer can gain between two instructions: each extension, and the freeze authority.
fn growths() -> Vec<(Option<ExtensionType>, Option<EscrowError>)> {
    let mut growths = vec![(None, Some(RiskNotAccepted))];
    growths.extend(every_kind().into_iter().map(|(_, kind)| {
        let reason = match policy(kind) {
            Policy::Accepted | Policy::AcceptedInert | Policy::End => None,
            Policy::Risk(_) => Some(RiskNotAccepted),
            Policy::Refused => Some(ExtensionUnsupported),
        };
        (Some(kind), reason)
    }));
    growths
}

#[test]
fn powers_that_grew_before_funding_are_refused() {
    let mut world = World::new();
    Recipe::default().make(&mut world);
    let created = Deal::created(world, 0, &[1_000]);
    for (kind, reason) in growths() {
        case(format_args!("{kind:?}: {reason:?}"));
        let mut deal = created.fork();
        let (before, after) = (deal.world.raw(&mint()).data, grown(&deal.world, kind));
        set_mint(&mut deal.world, after);
        if let Some(reason) = reason {
            deal.refused(deal.fund(), &[Who::Buyer], reason);
            assert_eq!((deal.tokens(Who::Buyer), deal.held()), (TOKENS, 0));
            // Whoever created it can give it up: the way out does not ask.
            let mut given_up = deal.fork();
            given_up.ok(given_up.cancel(Who::Buyer, false), &[Who::Buyer]);
            set_mint(&mut deal.world, before);
        }
        deal.ok(deal.fund(), &[Who::Buyer]);
        assert_eq!((deal.tokens(Who::Buyer), deal.held()), (TOKENS - 1_000, 1_000));
    }
}

#[test]
fn powers_that_grew_before_funding_are_read_on_spl_token_too() {
    let mut world = World::new();
    let mint = world.mint;
    let terms = world.terms(escrow_tests::Kind::Token, &[1_000]);
    let escrow = world.create(&terms);
    let mut account = world.raw(&mint);
    account.data[46] = 1;
    world.svm.set_account(mint, account).expect("an account");
    let buyer = world.buyer.insecure_clone();
    let fund = escrow_client::instruction::fund(&terms).expect("terms that hash");
    world.refused(fund, &[&buyer], RiskNotAccepted);
    assert!(!world.escrow(&escrow).is_funded());
}

/// Whatever became of the mint, a withdrawal is answered by the token program, and as it answers the holder of any
/// other account.
#[test]
fn nobody_looks_at_the_mint_on_the_way_out() {
    let mut world = World::new();
    Recipe::default().make(&mut world);
    let mut funded = Deal::funded(world, 0, &[1_000]);
    funded.release_all(0);
    let unknown = [29, 0x7fff, 0xffff].map(|number| (number, vec![0; 4]));
    let mut cases: Vec<(String, Vec<u8>)> =
        growths().into_iter().map(|(kind, _)| (format!("{kind:?}"), grown(&funded.world, kind))).collect();
    cases.extend(
        unknown.map(|entry| (format!("unknown: {entry:?}"), with_entries(&funded.world.raw(&mint()).data, &[entry]))),
    );
    let mut paid = 0;
    for (name, data) in cases {
        case(&name);
        let mut deal = funded.fork();
        set_mint(&mut deal.world, data);
        let (from, to) = (deal.token_account(Who::Buyer), deal.token_account(Who::Seller));
        let transfer =
            token_instruction::transfer_checked(&TOKEN_2022, &from, &mint(), &to, &deal.key(Who::Buyer), &[], 1, 6);
        let plain = deal.answer(built(transfer), &[Who::Buyer]);
        let withdrawal = deal.answer(deal.withdraw(escrow_client::Recipient::Seller), &[]);
        assert_eq!(withdrawal, plain, "{name}");
        if let Err((_, by_token_program)) = withdrawal {
            assert!(by_token_program, "{name}: the token program refuses, not the escrow");
        } else {
            paid += 1;
        }
    }
    assert!(paid > 10, "only {paid} were paid");
}
