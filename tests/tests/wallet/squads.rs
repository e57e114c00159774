//! Proposals of a multisig, held against what Squads' own package makes of the same: `fixtures/squads`.

use std::{env, fs, path::PathBuf};

use escrow_client::{
    Action, EscrowAccount, EscrowInstruction, MilestoneStatus, Proposal as Offer, Recipe, Recipient, Terms,
    instruction,
    terms::Asset,
    transaction::{
        Lifetime, pack,
        squads::{
            Divided, Member, Message, Multisig, Permissions, Proposal, ProposalStatus, Proposer, SQUADS, SquadsError,
            VaultTransaction, divide, multisig_address, proposal_address, transaction_address, vault_address,
        },
    },
};
use serde_json::{Value, json};
use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use crate::{DAY, NOW, People, TOKEN, key};

const MEMBER: Pubkey = Pubkey::new_from_array([1; 32]);
const RENT_PAYER: Pubkey = Pubkey::new_from_array([2; 32]);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/squads")
}

fn fixture(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).expect("the file is there")).expect("JSON")
}

fn create_key() -> Pubkey {
    key(60)
}

fn multisig() -> Multisig {
    Multisig {
        address: multisig_address(&create_key()),
        config_authority: None,
        threshold: 2,
        time_lock: 600,
        transaction_index: 0,
        stale_transaction_index: 0,
        rent_collector: None,
        members: vec![
            Member { address: MEMBER, permissions: Permissions(7) },
            Member { address: key(3), permissions: Permissions(Permissions::VOTE) },
            Member { address: key(4), permissions: Permissions(Permissions::INITIATE) },
        ],
    }
}

/// A vault in each role.
fn people() -> People {
    let vault = |index| multisig().vault(index);
    People {
        buyer: vault(0),
        seller: vault(1),
        arbiter: vault(2),
        attester: vault(3),
        fee_recipient: vault(4),
        rent_payer: vault(5),
    }
}

/// The escrow after an action.
fn after(escrow: &EscrowAccount, action: &Action, now: i64) -> EscrowAccount {
    action.preview(escrow, now).expect("an action that is allowed").after.expect("an escrow that is open")
}

struct Case {
    name: String,
    vault_index: u8,
    instructions: Vec<Instruction>,
}

/// Everything that a vault signs, in every role.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (asset, kind) in [(Asset::Sol, "SOL"), (TOKEN, "token")] {
        let people = people();
        let agreed = people.agreed(asset, &[10_000, 20_000, 30_000]);
        let mut case = |name: &str, vault_index, instructions| {
            cases.push(Case { name: format!("{name}, {kind}"), vault_index, instructions });
        };
        let fund = Action::new(&agreed, EscrowInstruction::Fund);
        let funded = after(&agreed, &fund, NOW);
        let later = NOW + 2 * 3_600;
        let act = |escrow: &EscrowAccount, instruction| Action::new(escrow, instruction).instruction(escrow);
        let create = EscrowInstruction::Create { terms: Box::new(agreed.terms()) };
        let single = people.agreed(asset, &[10_000]);
        case("the rent payer creates", 5, vec![instruction::create(people.rent_payer, &single.terms()).unwrap()]);
        case("the buyer funds", 0, vec![fund.instruction(&agreed)]);
        case("the buyer cancels", 0, vec![act(&funded, EscrowInstruction::Cancel)]);
        case("the seller cancels what was never funded", 1, {
            vec![Action::new(&agreed, EscrowInstruction::Cancel).by(people.seller).instruction(&agreed)]
        });
        let deliver = Action::new(&funded, EscrowInstruction::Deliver { milestone: 0, evidence_hash: [1; 32] });
        case("the attester delivers", 3, vec![deliver.instruction(&funded)]);
        let retention = Recipe::deliver_with_retention(&funded, [2; 32]).unwrap().preview(&funded, later).unwrap();
        case("the attester delivers two", 3, retention.units(&MEMBER).concat());
        let delivered = after(&funded, &deliver, later);
        let dispute = Action::new(&delivered, EscrowInstruction::Dispute { milestone: 0, reason_hash: [3; 32] });
        case("the buyer disputes", 0, vec![dispute.instruction(&delivered)]);
        let disputed = after(&delivered, &dispute, later);
        let rule = EscrowInstruction::Rule { milestone: 0, seller_bps: 3_333, rationale_hash: [4; 32] };
        case("the arbiter rules", 2, vec![act(&disputed, rule)]);
        let release = EscrowInstruction::Release { milestone: 1, amount: 7_000, expected_remaining: 20_000 };
        let release = Action::new(&funded, release);
        case("the buyer releases", 0, vec![release.instruction(&funded)]);
        let refund = EscrowInstruction::Refund { milestone: 2, amount: 30_000, expected_remaining: 30_000 };
        let refund = Action::new(&funded, refund);
        case("the seller refunds", 1, vec![refund.instruction(&funded)]);
        let expires_at = NOW + 9 * DAY;
        let split = Offer::Split {
            milestone: 1,
            status: MilestoneStatus::Pending,
            remaining: 20_000,
            to_seller: 1,
            expires_at,
        };
        let propose = Action::new(&funded, EscrowInstruction::Propose { proposal: split }).by(people.seller);
        case("the seller proposes", 1, vec![propose.instruction(&funded)]);
        let proposed = after(&funded, &propose, later);
        let accept = Action::new(&proposed, EscrowInstruction::Accept { proposal: split }).by(people.buyer);
        case("the buyer accepts", 0, vec![accept.instruction(&proposed)]);
        let released = after(&funded, &release, later);
        let withdraw = instruction::withdraw_to(&released, Recipient::Seller, Some(key(70)));
        case("the seller is paid elsewhere", 1, vec![withdraw]);
        case("the fee recipient is paid", 4, vec![instruction::withdraw_to(&released, Recipient::Fee, Some(key(71)))]);
        case("the seller refunds, and the buyer is paid", 1, {
            let refunded = after(&funded, &refund, later);
            vec![refund.instruction(&funded), instruction::withdraw(&refunded, Recipient::Buyer)]
        });
        if kind == "SOL" {
            case("the buyer creates and funds", 0, {
                let own = Action::new(&single, create).by(people.buyer);
                let own = Action { instruction: EscrowInstruction::Create { terms: Box::new(single.terms()) }, ..own };
                vec![own.instruction(&single), act(&single, EscrowInstruction::Fund)]
            });
        }
    }
    cases
}

fn proposer(number: usize, vault_index: u8) -> Proposer {
    let own = number.is_multiple_of(2);
    Proposer {
        rent_payer: if own { MEMBER } else { RENT_PAYER },
        vault_index,
        memo: number.is_multiple_of(3).then(|| "Größe 7".to_owned()),
        ..Proposer::new(MEMBER)
    }
}

fn at(index: usize) -> Multisig {
    // Numbers of one byte, and of more.
    Multisig { transaction_index: u64::try_from(index * 97).unwrap(), ..multisig() }
}

fn show(instruction: &Instruction) -> Value {
    let accounts = instruction.accounts.iter().map(
        |meta| json!({ "address": meta.pubkey.to_string(), "signer": meta.is_signer, "writable": meta.is_writable }),
    );
    json!({
        "programAddress": instruction.program_id.to_string(),
        "accounts": accounts.collect::<Vec<_>>(),
        "data": hex(&instruction.data),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("hex").as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn address(value: &Value) -> Pubkey {
    value.as_str().and_then(|text| text.parse().ok()).expect("an address")
}

fn account(value: &Value) -> Account {
    Account { lamports: 1, data: bytes(&value["data"]), owner: SQUADS, ..Account::default() }
}

#[test]
fn squads_actions_are_what_the_client_builds() {
    let cases: Vec<Value> = cases()
        .iter()
        .enumerate()
        .map(|(number, case)| {
            let by = proposer(number, case.vault_index);
            json!({
                "name": case.name,
                "vaultIndex": case.vault_index,
                "transactionIndex": at(number).transaction_index + 1,
                "member": by.member.to_string(),
                "rentPayer": by.rent_payer.to_string(),
                "memo": by.memo,
                "instructions": case.instructions.iter().map(show).collect::<Vec<_>>(),
            })
        })
        .collect();
    let is = json!({ "createKey": create_key().to_string(), "cases": cases });
    let file = folder().join("actions.json");
    if env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&file, format!("{is:#}\n")).expect("the file can be written");
    }
    assert!(fixture("actions.json") == is, "actions.json is out of date: its README says how it is written");
}

#[test]
fn proposals_have_the_bytes_that_squads_itself_makes() {
    let sdk = fixture("sdk.json");
    assert_eq!(address(&sdk["program"]), SQUADS);
    assert_eq!(address(&sdk["multisig"]), multisig().address);
    let made = sdk["cases"].as_array().unwrap();
    let cases = cases();
    assert_eq!(made.len(), cases.len());
    for (number, (case, made)) in cases.iter().zip(made).enumerate() {
        println!("case: {}", case.name);
        assert_eq!(made["name"], case.name);
        let (multisig, by) = (at(number), proposer(number, case.vault_index));
        let index = multisig.transaction_index + 1;
        assert_eq!(multisig.vault(case.vault_index), address(&made["vault"]));
        assert_eq!(transaction_address(&multisig.address, index), address(&made["transaction"]));
        assert_eq!(proposal_address(&multisig.address, index), address(&made["proposal"]));
        let message = Message::compile(&address(&made["vault"]), &case.instructions).unwrap();
        assert_eq!(message.encode().unwrap(), bytes(&made["message"]));
        assert_eq!(Message::decode(&bytes(&made["message"])), Ok(message.clone()));
        let expected = made["instructions"].as_array().unwrap();
        match multisig.propose(&case.instructions, &by) {
            Ok(proposed) => {
                let built: Vec<Value> = proposed.instructions.iter().map(show).collect();
                assert_eq!(&built, expected);
                assert_eq!((proposed.index, proposed.approvals_missing, proposed.time_lock), (index, 1, 600));
                assert_eq!(proposed.message, message);
            }
            Err(error) => panic!("{}: {error}", case.name),
        }
        // Without an approval it is the same without the last.
        let later = Proposer { approve: false, ..by };
        if let Ok(proposed) = multisig.propose(&case.instructions, &later) {
            let built: Vec<Value> = proposed.instructions.iter().map(show).collect();
            assert_eq!(built, expected[..2]);
            assert_eq!(proposed.approvals_missing, 2);
        }
        assert_eq!(show(&multisig.approve(index, &MEMBER).unwrap()), expected[2]);

        // And the program keeps it like this.
        let kept = Account { data: bytes(&made["account"]), owner: SQUADS, ..Account::default() };
        let kept = VaultTransaction::decode(address(&made["transaction"]), &kept).unwrap();
        assert_eq!((kept.message.clone(), kept.vault_index, kept.index), (message, case.vault_index, index));
        let does = kept.instructions().unwrap();
        let actions = |all: &[Instruction]| all.iter().map(Action::decode).collect::<Vec<_>>();
        if case.instructions.len() == 1 {
            // The vault is always one that may be changed.
            assert_eq!(actions(&does), actions(&case.instructions));
        }
        assert!(actions(&does).iter().all(Option::is_some));
    }
}

#[test]
fn accounts_are_read_as_squads_itself_writes_them() {
    let sdk = fixture("sdk.json");
    for fixture in sdk["multisigs"].as_array().unwrap() {
        let is = &fixture["decoded"];
        let mut kept = account(fixture);
        // There is room for more members, with whatever stood there.
        kept.data.extend([0xee; 66]);
        let read = Multisig::decode(address(&fixture["address"]), &kept).unwrap();
        let number = |name: &str| is[name].as_u64().unwrap();
        assert_eq!(u64::from(read.threshold), number("threshold"));
        assert_eq!(u64::from(read.time_lock), number("timeLock"));
        assert_eq!(read.transaction_index, number("transactionIndex"));
        assert_eq!(read.stale_transaction_index, number("staleTransactionIndex"));
        assert_eq!(read.config_authority.unwrap_or_default(), address(&is["configAuthority"]));
        assert_eq!(read.rent_collector, is["rentCollector"].as_str().map(|text| text.parse().unwrap()));
        let members: Vec<Value> = read
            .members
            .iter()
            .map(|member| json!({ "key": member.address.to_string(), "permissions": { "mask": member.permissions.0 } }))
            .collect();
        assert_eq!(json!(members), is["members"]);
    }
    let multisig = Multisig::decode(address(&sdk["multisigs"][1]["address"]), &account(&sdk["multisigs"][1])).unwrap();
    let mut open = Vec::new();
    for fixture in sdk["proposals"].as_array().unwrap() {
        let is = &fixture["decoded"];
        let mut kept = account(fixture);
        kept.data.extend([0; 96]);
        let read = Proposal::decode(address(&fixture["address"]), &kept).unwrap();
        let (kind, timestamp) = match read.status {
            ProposalStatus::Draft { timestamp } => ("Draft", Some(timestamp)),
            ProposalStatus::Active { timestamp } => ("Active", Some(timestamp)),
            ProposalStatus::Rejected { timestamp } => ("Rejected", Some(timestamp)),
            ProposalStatus::Approved { timestamp } => ("Approved", Some(timestamp)),
            ProposalStatus::Executing => ("Executing", None),
            ProposalStatus::Executed { timestamp } => ("Executed", Some(timestamp)),
            ProposalStatus::Cancelled { timestamp } => ("Cancelled", Some(timestamp)),
        };
        assert_eq!((kind, timestamp), (is["status"]["__kind"].as_str().unwrap(), is["status"]["timestamp"].as_i64()));
        assert_eq!(Some(read.transaction_index), is["transactionIndex"].as_u64());
        let texts = |all: &[Pubkey]| json!(all.iter().map(Pubkey::to_string).collect::<Vec<_>>());
        assert_eq!(texts(&read.approved), is["approved"]);
        assert_eq!(texts(&read.rejected), is["rejected"]);
        assert_eq!(texts(&read.cancelled), is["cancelled"]);
        if read.is_open(&multisig) {
            open.push(kind);
        }
        // Members that change make stale what was not approved.
        let stale = Multisig { stale_transaction_index: 1_000, ..multisig.clone() };
        assert_eq!(read.is_open(&stale), ["Approved", "Executing"].contains(&kind));
    }
    // Those numbered 16 and 17 are stale already.
    assert_eq!(open, ["Approved", "Executing"]);
    let lookup = VaultTransaction::decode(address(&sdk["lookup"]["address"]), &account(&sdk["lookup"])).unwrap();
    assert_eq!((lookup.vault_index, lookup.ephemeral_signers), (3, 2));
    assert_eq!(lookup.instructions(), Err(SquadsError::LookupTable(address(&sdk["lookup"]["table"]))));
}

#[test]
fn accounts_that_are_something_else_are_refused() {
    let sdk = fixture("sdk.json");
    let (multisigs, proposals, lookup) = (&sdk["multisigs"], &sdk["proposals"], &sdk["lookup"]);
    let reads = |place: Pubkey, account: &Account| {
        [
            Multisig::decode(place, account).is_ok(),
            Proposal::decode(place, account).is_ok(),
            VaultTransaction::decode(place, account).is_ok(),
        ]
    };
    let kinds =
        [(&multisigs[0], [true, false, false]), (&proposals[0], [false, true, false]), (lookup, [false, false, true])];
    for (fixture, is) in kinds {
        let (place, whole) = (address(&fixture["address"]), account(fixture));
        assert_eq!(reads(place, &whole), is);
        assert_eq!(reads(key(99), &whole), [false; 3], "another address");
        assert_eq!(reads(place, &Account { owner: key(99), ..whole.clone() }), [false; 3], "another owner");
        for length in 0..whole.data.len() {
            let torn = Account { data: whole.data[..length].to_vec(), ..whole.clone() };
            assert_eq!(reads(place, &torn), [false; 3], "{length} bytes");
        }
        // Lengths that cannot be: no panic, and no memory for them.
        for index in 0..whole.data.len() {
            let mut changed = whole.clone();
            changed.data[index] = 0xff;
            reads(place, &changed);
        }
    }
}

#[test]
fn a_message_that_is_torn_or_changed_is_no_other_without_notice() {
    for case in cases() {
        let vault = multisig().vault(case.vault_index);
        let message = Message::compile(&vault, &case.instructions).unwrap();
        let encoded = message.encode().unwrap();
        for length in 0..encoded.len() {
            assert!(Message::decode(&encoded[..length]).is_err(), "{length} bytes");
        }
        assert!(Message::decode(&[encoded.as_slice(), &[0]].concat()).is_err());
        for index in 0..encoded.len() {
            let mut changed = encoded.clone();
            changed[index] ^= 1;
            if let Ok(other) = Message::decode(&changed) {
                assert_ne!(other, message);
                assert_eq!(other.encode().unwrap(), changed);
                // It may name accounts that it has not.
                let _ = other.instructions();
            }
        }
    }
}

#[test]
fn who_may_not_propose_is_told_why() {
    let people = people();
    let agreed = people.agreed(Asset::Sol, &[10_000]);
    let fund = vec![instruction::fund(&agreed.terms()).unwrap()];
    let multisig = multisig();
    let error = |inside: &[Instruction], by: &Proposer| multisig.propose(inside, by).unwrap_err();
    let by = Proposer::new;
    assert_eq!(error(&fund, &by(key(9))), SquadsError::NotAMember { member: key(9), multisig: multisig.address });
    let refused = |member, what| SquadsError::NotPermitted { member, multisig: multisig.address, what };
    assert_eq!(error(&fund, &by(key(3))), refused(key(3), "propose"));
    assert_eq!(error(&fund, &by(key(4))), refused(key(4), "approve"));
    assert!(multisig.propose(&fund, &Proposer { approve: false, ..by(key(4)) }).is_ok());
    assert_eq!(multisig.approve(1, &key(4)), Err(refused(key(4), "approve")));
    // Another vault's, nobody's, somebody's, and the multisig's own address in a role.
    let second = Proposer { vault_index: 1, ..by(MEMBER) };
    assert_eq!(error(&fund, &second), SquadsError::OtherSigner(people.buyer));
    let nobody = vec![instruction::expire(agreed.address, 0)];
    assert_eq!(error(&nobody, &by(MEMBER)), SquadsError::NothingToSign(people.buyer));
    let create = instruction::create(key(20), &agreed.terms()).unwrap();
    assert_eq!(error(&[create, fund[0].clone()], &by(MEMBER)), SquadsError::OtherSigner(key(20)));
    let terms = Terms { buyer: multisig.address, ..agreed.terms() };
    let own = vec![instruction::fund(&terms).unwrap()];
    let vault = people.buyer;
    let not_the_vault = SquadsError::NotTheVault { multisig: multisig.address, index: 0, vault };
    assert_eq!(error(&own, &by(MEMBER)), not_the_vault);
    let many: Vec<AccountMeta> = (0..300u16)
        .map(|number| {
            let mut address = [0; 32];
            address[..2].copy_from_slice(&number.to_le_bytes());
            AccountMeta::new(Pubkey::new_from_array(address), false)
        })
        .chain([AccountMeta::new(vault, true)])
        .collect();
    let many = Instruction { program_id: key(50), accounts: many, data: vec![] };
    assert_eq!(error(&[many], &by(MEMBER)), SquadsError::TooMany);
    for error in [error(&own, &by(MEMBER)), error(&nobody, &by(MEMBER)), error(&fund, &by(key(3)))] {
        assert!(error.to_string().contains(": "), "{error}: says what to do next");
    }
}

/// A creation and its funding have no room, or hardly any, inside a proposal: a member creates, and the vault funds.
#[test]
fn a_member_creates_and_the_vault_funds() {
    for asset in [Asset::Sol, TOKEN] {
        let people = People { rent_payer: MEMBER, ..people() };
        let terms = people.terms(asset, &[1_000; 8]);
        let agreed = EscrowAccount::agreed(&terms, MEMBER).unwrap();
        let previewed = Recipe::create(&terms, MEMBER, true).unwrap().preview(&agreed, NOW).unwrap();
        let multisig = multisig();
        let steps = multisig.steps(&previewed, &Proposer::new(MEMBER)).unwrap();
        let [create, fund] = steps.as_slice() else { panic!("{} steps", steps.len()) };
        assert_eq!(create.instructions, vec![instruction::create(MEMBER, &terms).unwrap()]);
        let expected = create.expected.clone().unwrap();
        assert_eq!((expected.address, expected.escrow), (agreed.address, None));
        let inside = [instruction::fund(&terms).unwrap()];
        assert_eq!(fund.instructions, multisig.propose(&inside, &Proposer::new(MEMBER)).unwrap().instructions);
        assert_eq!(fund.expected.as_ref().unwrap().escrow.as_ref(), Some(&agreed));
        // The vault as the rent payer: both inside, which is too much.
        let whole = Recipe::create(&terms, people.buyer, true).unwrap();
        let whole = whole.preview(&EscrowAccount::agreed(&terms, people.buyer).unwrap(), NOW).unwrap();
        // The limit is 1,232 bytes, and 200 of them are for wallets: in SOL it has room, in a token none, and with a rent payer of
        // its own it cannot be sent.
        let size = |by: &Proposer| match multisig.steps(&whole, by) {
            Ok(steps) => pack::size(&steps[0].instructions, &by.rent_payer, &Lifetime::default()).unwrap(),
            Err(SquadsError::TooLarge { size }) => size,
            Err(error) => panic!("{error}"),
        };
        let (own, other) = (Proposer::new(MEMBER), Proposer { rent_payer: RENT_PAYER, ..Proposer::new(MEMBER) });
        assert_eq!([size(&own), size(&other)], if asset == Asset::Sol { [1_009, 1_105] } else { [1_141, 1_237] });
        assert_eq!(multisig.steps(&whole, &other).is_ok(), asset == Asset::Sol);
        // Nothing for the vault.
        let alone = Recipe::create(&terms, MEMBER, false).unwrap().preview(&agreed, NOW).unwrap();
        let error = multisig.steps(&alone, &Proposer::new(MEMBER)).unwrap_err();
        assert_eq!(error, SquadsError::NothingToSign(people.buyer));
    }
}

#[test]
fn an_account_that_is_made_is_made_by_the_member() {
    let people = people();
    let agreed = people.agreed(TOKEN, &[1_000]);
    let cancel = Recipe::cancel(&agreed, people.buyer, true, &[people.buyer]).preview(&agreed, NOW).unwrap();
    let multisig = multisig();
    let by = Proposer { rent_payer: RENT_PAYER, ..Proposer::new(MEMBER) };
    let steps = multisig.steps(&cancel, &by).unwrap();
    let all = cancel.units(&RENT_PAYER).concat();
    let Divided { before, inside } = divide(&people.buyer, all.clone());
    assert_eq!((before.as_slice(), inside.as_slice()), (&all[..1], &all[1..]));
    assert_eq!(steps[0].instructions, before);
    assert_eq!(steps[1].instructions, multisig.propose(&inside, &by).unwrap().instructions);
    assert_eq!(steps.len(), 2);
}

/// Who asks again finds what is open.
#[test]
fn an_equal_proposal_that_is_open_is_found_and_no_other() {
    let people = people();
    let agreed = people.agreed(Asset::Sol, &[10_000]);
    let inside = vec![instruction::fund(&agreed.terms()).unwrap()];
    let multisig = Multisig { transaction_index: 5, stale_transaction_index: 2, ..multisig() };
    let vote = |index, status| Proposal {
        multisig: multisig.address,
        transaction_index: index,
        status,
        bump: 1,
        approved: vec![MEMBER],
        rejected: vec![],
        cancelled: vec![],
    };
    let active = ProposalStatus::Active { timestamp: NOW };
    let transaction = VaultTransaction {
        multisig: multisig.address,
        creator: MEMBER,
        index: 4,
        vault_index: 0,
        ephemeral_signers: 0,
        message: Message::compile(&people.buyer, &inside).unwrap(),
    };
    let is = |transaction: &VaultTransaction, vote: &Proposal, inside: &[Instruction]| {
        multisig.is_open_and_equal(transaction, vote, inside, 0)
    };
    assert!(is(&transaction, &vote(4, active), &inside));
    // Numbered in another order, as another program may.
    let mut other = transaction.clone();
    let last = other.message.accounts.len() - 1;
    other.message.accounts.swap(last, last - 1);
    for call in &mut other.message.calls {
        for number in call.accounts.iter_mut().chain([&mut call.program]) {
            *number = match usize::from(*number) {
                place if place == last => u8::try_from(last - 1).unwrap(),
                place if place == last - 1 => u8::try_from(last).unwrap(),
                _ => *number,
            };
        }
    }
    assert_ne!(other, transaction);
    assert!(is(&other, &vote(4, active), &inside));

    assert!(!is(&transaction, &vote(5, active), &inside), "the vote on another");
    let executed = ProposalStatus::Executed { timestamp: NOW };
    assert!(!is(&transaction, &vote(4, executed), &inside), "it is done");
    let mut more = inside.clone();
    more.push(instruction::expire(agreed.address, 0));
    assert!(!is(&transaction, &vote(4, active), &more), "it would do less");
    assert!(!is(&VaultTransaction { vault_index: 1, ..transaction.clone() }, &vote(4, active), &inside));
    assert!(!is(&VaultTransaction { multisig: key(9), ..transaction.clone() }, &vote(4, active), &inside));
    assert!(!is(&VaultTransaction { ephemeral_signers: 1, ..transaction.clone() }, &vote(4, active), &inside));
    assert!(!multisig.is_open_and_equal(&transaction, &vote(4, active), &inside, 1));
    let mut amount = transaction.clone();
    amount.message.calls[0].data[0] ^= 1;
    assert!(!is(&amount, &vote(4, active), &inside));

    assert_eq!(multisig.recent(3).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(multisig.recent(1_000).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    assert_eq!(vault_address(&multisig.address, 0), people.buyer);
}
