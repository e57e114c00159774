//! Transactions before they are sent: how large they are, how they are divided, who has signed, and how they are kept.

use escrow_client::{
    Action, EscrowAccount, EscrowInstruction, Recipe, Recipient, Signed, Terms, TermsBuilder, Unsigned,
    instruction::create_associated_token_account,
    sender::{Hash, Height, Slot},
    terms::{Asset, Fee, milestone},
    transaction::{
        DecodeError, Lifetime, Origin, PACKET_SIZE, PrepareError,
        pack::{MAX_SIZE, pack, size},
    },
};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

/// Where the ledger stood.
const ORIGIN: Origin = Origin { genesis: Hash([3; 32]), slot: Slot(7), height: Height(6), skipped: 1 };

const BLOCKHASH: Lifetime = Lifetime::Blockhash { hash: [9; 32], last_valid_block_height: 150, origin: ORIGIN };

fn nonce(authority: Pubkey) -> Lifetime {
    Lifetime::Nonce { account: key(31), authority, value: [9; 32], read_at: 7, origin: ORIGIN }
}

/// A compute limit and a price, as they stand in front of everything.
fn frame() -> Vec<Instruction> {
    let budget = |data: &[u8]| Instruction::new_with_bytes(solana_sdk_ids::compute_budget::ID, data, Vec::new());
    vec![budget(&[2, 0, 0, 0, 0]), budget(&[3, 0, 0, 0, 0, 0, 0, 0, 0])]
}

/// Everything that terms can have, in a token.
fn largest(milestones: usize) -> Terms {
    let asset = Asset::Token { mint: key(5), program: key(6) };
    let builder = TermsBuilder {
        arbiter: Some(key(3)),
        attester: Some(key(4)),
        fee: Some(Fee { recipient: key(7), bps: 250 }),
        milestones: vec![milestone(1_000, NOW + 30 * DAY); milestones],
        ..TermsBuilder::new(key(1), key(2), asset)
    };
    let program = spl_token_2022_interface::ID;
    TermsBuilder { asset: Asset::Token { mint: key(5), program }, ..builder }.build(NOW).unwrap()
}

fn framed(units: Vec<Vec<Instruction>>) -> Vec<Instruction> {
    frame().into_iter().chain(units.concat()).collect()
}

/// The counts of `CLIENT.md`, section 4, to the byte, and what follows from them.
#[test]
fn creations_have_these_sizes() {
    let terms = largest(8);
    let of = |rent_payer: Pubkey, payer: Pubkey, lifetime: Lifetime| {
        let agreed = EscrowAccount::agreed(&terms, rent_payer).unwrap();
        let units = Recipe::create(&terms, rent_payer, true).unwrap().preview(&agreed, NOW).unwrap().units(&payer);
        let transactions = pack(&units, &frame(), &payer, &lifetime).unwrap();
        (size(&framed(units), &payer, &lifetime).unwrap(), transactions.len())
    };
    // The buyer pays everything; a fee payer apart; a rent payer apart from both.
    assert_eq!(of(key(1), key(1), BLOCKHASH), (930, 1));
    assert_eq!(of(key(1), key(20), BLOCKHASH), (1_026, 1));
    assert_eq!(of(key(21), key(20), BLOCKHASH), (1_122, 2));
    // A nonce that the fee payer advances, and one of somebody else's: alone the creation is too large for a wallet's own
    // instructions then, and goes all the same.
    assert_eq!(of(key(1), key(20), nonce(key(20))), (1_100, 2));
    assert_eq!(of(key(1), key(20), nonce(key(32))), (1_196, 2));
}

#[test]
fn a_whole_ending_fits_into_one_transaction() {
    let terms = largest(8);
    let mut escrow = EscrowAccount::agreed(&terms, key(1)).unwrap();
    let fund = Action::new(&escrow, EscrowInstruction::Fund);
    escrow = fund.preview(&escrow, NOW + 1).unwrap().after.unwrap();
    // A dispute that nobody rules on, so that the seller and the buyer both get something, less the fee.
    let late = NOW + 40 * DAY;
    for milestone in [0, 1] {
        let deliver = Action::new(&escrow, EscrowInstruction::Deliver { milestone, evidence_hash: [0; 32] });
        escrow = deliver.preview(&escrow, NOW + 2).unwrap().after.unwrap();
    }
    let owners = [key(1), key(2), key(7)];
    let recipe = Recipe::finish(&escrow, false, &owners, late);
    let previewed = recipe.preview(&escrow, late).unwrap();
    let done: Vec<&str> = previewed.actions.iter().map(|done| done.action.instruction.name()).collect();
    let expected: Vec<&str> = ["expire"; 8].into_iter().chain(["withdraw"; 3]).chain(["close"]).collect();
    assert_eq!((done, previewed.opened, &previewed.after), (expected, 3, &None));
    let units = previewed.units(&key(20));
    let transactions = pack(&units, &frame(), &key(20), &BLOCKHASH).unwrap();
    assert_eq!(transactions.len(), 1);
    assert!(size(&transactions[0], &key(20), &BLOCKHASH).unwrap() <= 843);
}

#[test]
fn two_creations_never_share_a_transaction_and_a_claim_is_alone() {
    let (terms, payer) = (largest(1), key(1));
    let agreed = EscrowAccount::agreed(&terms, payer).unwrap();
    let one = |instruction| vec![Action::new(&agreed, instruction).instruction(&agreed)];
    let create = || one(EscrowInstruction::Create { terms: Box::new(terms.clone()) });
    let expire = || one(EscrowInstruction::Expire { milestone: 0 });
    let claim = || one(EscrowInstruction::Claim { milestone: 0, secret: [1; 32] });
    let count = |units: Vec<Vec<Instruction>>| pack(&units, &[], &payer, &BLOCKHASH).unwrap().len();
    assert_eq!(count(vec![create(), create()]), 2);
    assert_eq!(count(vec![create(), expire(), create()]), 2);
    assert_eq!(count(vec![expire(), expire(), expire()]), 1);
    assert_eq!(count(vec![expire(), claim()]), 2);
    assert_eq!(count(vec![claim(), expire()]), 2);
    assert_eq!(count(vec![]), 0);
}

/// However many units there are: their order stays, none is lost or divided, and each transaction has its frame and room.
#[test]
fn packing_keeps_everything_in_order() {
    let payer = key(1);
    let unit = |number: u8| {
        let owner = Pubkey::new_from_array([number.wrapping_add(100); 32]);
        let open = create_associated_token_account(payer, owner, key(5), key(6));
        vec![open, Instruction::new_with_bytes(key(50), &[number; 40], vec![])]
    };
    for count in [1u8, 2, 7, 20, 60] {
        let units: Vec<_> = (0..count).map(unit).collect();
        let transactions = pack(&units, &frame(), &payer, &BLOCKHASH).unwrap();
        let mut all = Vec::new();
        for transaction in &transactions {
            assert!(size(transaction, &payer, &BLOCKHASH).unwrap() <= MAX_SIZE);
            assert_eq!(transaction[..2], frame());
            assert_eq!(transaction.len() % 2, 0, "a unit was divided");
            all.extend_from_slice(&transaction[2..]);
        }
        assert_eq!(all, units.concat());
        // Two neighbours never fit into one.
        for pair in transactions.windows(2) {
            let joined: Vec<Instruction> = pair[0].iter().chain(&pair[1][2..4]).cloned().collect();
            assert!(size(&joined, &payer, &BLOCKHASH).unwrap() > MAX_SIZE);
        }
    }
    let huge = vec![Instruction::new_with_bytes(key(50), &[0; 1_200], vec![])];
    let packed = pack(&[huge], &[], &payer, &BLOCKHASH);
    assert!(matches!(packed, Err(PrepareError::TooLarge { size }) if size > PACKET_SIZE));
}

fn payment(payer: &Keypair, other: &Keypair, lifetime: Lifetime) -> Unsigned {
    let accounts = vec![
        solana_instruction::AccountMeta::new(payer.pubkey(), true),
        solana_instruction::AccountMeta::new(other.pubkey(), true),
    ];
    let instruction = Instruction::new_with_bytes(key(50), &[1, 2, 3], accounts);
    Unsigned::new(&[instruction], &payer.pubkey(), lifetime).unwrap()
}

#[test]
fn signatures_come_from_anywhere_and_are_checked() {
    let (payer, other, stranger) = (Keypair::new(), Keypair::new(), Keypair::new());
    let unsigned = payment(&payer, &other, BLOCKHASH);
    assert_eq!(unsigned.signers(), [payer.pubkey(), other.pubkey()]);
    assert_eq!(unsigned.missing(), unsigned.signers());
    assert_eq!(unsigned.clone().complete().unwrap_err(), PrepareError::NotSigned(unsigned.missing()));

    let half = unsigned.clone().sign(&[&payer]).unwrap();
    assert_eq!(half.missing(), [other.pubkey()]);
    // A wallet that returns what it was given, signed; with or without the other's signature.
    for given in [&unsigned, &half] {
        let wallet = given.clone().sign(&[&other]).unwrap().to_base64();
        let signed = half.clone().take_back(&wallet).unwrap().complete().unwrap();
        assert_eq!(signed.signature(), payer.sign_message(&unsigned.message().serialize()));
    }
    // Signatures that are none of this transaction.
    let message = unsigned.message().serialize();
    let attach = |signer: Pubkey, signature| half.clone().attach(&signer, signature);
    assert_eq!(
        attach(other.pubkey(), stranger.sign_message(&message)),
        Err(PrepareError::BadSignature(other.pubkey()))
    );
    assert_eq!(attach(other.pubkey(), other.sign_message(b"another")), Err(PrepareError::BadSignature(other.pubkey())));
    assert_eq!(
        attach(stranger.pubkey(), stranger.sign_message(&message)),
        Err(PrepareError::NotASigner(stranger.pubkey()))
    );
    assert_eq!(half.clone().sign(&[&stranger]), Err(PrepareError::NotASigner(stranger.pubkey())));
    // A wallet that changes anything: another block hash, another payer.
    let renewed = Lifetime::Blockhash { hash: [8; 32], last_valid_block_height: 150, origin: ORIGIN };
    for changed in [payment(&payer, &other, renewed), payment(&other, &payer, BLOCKHASH)] {
        let changed = changed.sign(&[&other]).unwrap().to_base64();
        assert_eq!(half.clone().take_back(&changed), Err(PrepareError::Changed));
    }
    for text in ["", "?", "AAAA", &half.message_base64()] {
        let error = half.clone().take_back(text).unwrap_err();
        assert!(matches!(error, PrepareError::Malformed(_)), "{text}: {error:?}");
    }
}

#[test]
fn what_is_kept_is_read_back_and_nothing_else_is() {
    let (payer, other) = (Keypair::new(), Keypair::new());
    for lifetime in [BLOCKHASH, nonce(key(32))] {
        let unsigned = match lifetime {
            Lifetime::Blockhash { .. } => payment(&payer, &other, lifetime),
            Lifetime::Nonce { .. } => payment(&payer, &other, nonce(payer.pubkey())),
        };
        let signed = unsigned.sign(&[&payer, &other]).and_then(Unsigned::complete).unwrap();
        let kept = signed.encode();
        assert_eq!(Signed::decode(&kept).unwrap(), signed);
        // Torn off anywhere, or with a byte more.
        for length in 0..kept.len() {
            assert!(Signed::decode(&kept[..length]).is_err(), "{length} bytes");
        }
        assert!(Signed::decode(&[kept.as_slice(), b"}"].concat()).is_err());
        // No bit can change but in what is not signed: until when it can be executed, and where the ledger stood.
        let mut changeable = 0;
        for bit in 0..kept.len() * 8 {
            let mut changed = kept.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            match Signed::decode(&changed) {
                Err(DecodeError::Version(version)) => assert_ne!(version, 2),
                Err(_) => {}
                Ok(decoded) => {
                    assert_eq!(decoded.transaction(), signed.transaction());
                    changeable += 1;
                }
            }
        }
        assert!((1..kept.len()).contains(&changeable), "{changeable}");
    }
}

/// The encoding of version 2: what was kept by it must be readable for ever.
#[test]
fn version_2_stays_readable() {
    let payer = Keypair::new_from_array([1; 32]);
    let instruction = Instruction::new_with_bytes(key(50), &[1, 2, 3], vec![]);
    let unsigned = Unsigned::new(&[instruction], &payer.pubkey(), BLOCKHASH).unwrap();
    let unsigned = unsigned.sign(&[&payer]).unwrap();
    let bytes = unsigned.to_base64();
    let signed = unsigned.complete().unwrap();
    let hash = |byte| Hash([byte; 32]).to_string();
    let written = json!({
        "version": 2,
        "attempt": {
            "signature": signed.signature().to_string(),
            "bytes": bytes,
            "lifetime": {"block_hash": {"hash": hash(9), "last_valid": 150}},
            "origin": {"genesis": hash(3), "slot": 7, "height": 6, "skipped": 1},
            "shows": false,
        },
    });
    assert_eq!(serde_json::from_slice::<Value>(&signed.encode()).unwrap(), written);
    assert_eq!(Signed::decode(written.to_string().as_bytes()).unwrap(), signed);
}

/// Who pays for a token account is the one who sends, and nobody is paid twice into being.
#[test]
fn an_account_is_made_once_and_before_it_is_needed() {
    let terms = TermsBuilder {
        // The buyer is also paid the fee: one owner, two withdrawals.
        fee: Some(Fee { recipient: key(1), bps: 1_000 }),
        ..TermsBuilder::new(key(1), key(2), Asset::Token { mint: key(5), program: spl_token_2022_interface::ID })
    };
    let terms = terms.milestone(1_000, NOW + DAY).build(NOW).unwrap();
    let mut escrow = EscrowAccount::agreed(&terms, key(1)).unwrap();
    let steps = [
        EscrowInstruction::Fund,
        EscrowInstruction::Release { milestone: 0, amount: 500, expected_remaining: 1_000 },
        EscrowInstruction::Refund { milestone: 0, amount: 500, expected_remaining: 500 },
    ];
    for step in steps {
        escrow = Action::new(&escrow, step).preview(&escrow, NOW + 1).unwrap().after.unwrap();
    }
    let recipe = Recipe::pay_out(&escrow, None, &[key(1), key(2)]);
    let previewed = recipe.preview(&escrow, NOW + 1).unwrap();
    assert_eq!((previewed.opened, previewed.actions.len()), (2, 3));
    let units = previewed.units(&key(20));
    let counts: Vec<usize> = units.iter().map(Vec::len).collect();
    assert_eq!(counts, [2, 2, 1]);
    assert!(units.iter().all(|unit| unit.len() == 1 || unit[0].accounts[0].pubkey == key(20)));
    let only = Recipe::pay_out(&escrow, Some(Recipient::Seller), &[]);
    assert_eq!(only.steps.len(), 1);
    assert_eq!(Recipe::pay_out(&escrow, Some(Recipient::Arbiter), &[]).steps.len(), 0);
}
