//! Actions as proposals of a Squads multisig. Its program is not on the embedded validator, so a proxy in front of that answers
//! with the accounts which the program would keep; `tests/tests/wallet/squads.rs` holds their layout against Squads' own package.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use escrow_client::{
    instruction,
    transaction::squads::{
        Member, Message, Multisig, Permissions, Proposer, SQUADS, multisig_address, proposal_address,
        transaction_address,
    },
};
use escrow_fault_proxy::{Fault, Lie, Plan, Proxy, Rule};
use escrow_gateway::api::auth::Scope;
use escrow_localnet::Localnet;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;

use crate::harness::{SOL, User, config, gateway, people, run, sqlite, terms};

const MULTISIG: [u8; 8] = [224, 116, 121, 186, 68, 161, 79, 236];
const TRANSACTION: [u8; 8] = [168, 250, 162, 100, 81, 14, 162, 207];
const PROPOSAL: [u8; 8] = [26, 94, 189, 187, 116, 136, 53, 33];

/// Two of three have to approve, and ten minutes pass. `stranger` votes and may not propose.
fn multisig(create_key: &Pubkey, member: &Pubkey, stranger: &Pubkey) -> Multisig {
    Multisig {
        address: multisig_address(create_key),
        config_authority: None,
        threshold: 2,
        time_lock: 600,
        transaction_index: 1,
        stale_transaction_index: 0,
        rent_collector: None,
        members: vec![
            Member { address: *member, permissions: Permissions(7) },
            Member { address: *stranger, permissions: Permissions(Permissions::VOTE) },
        ],
    }
}

/// The account of a multisig, as Squads writes it.
fn kept(multisig: &Multisig, create_key: &Pubkey) -> Vec<u8> {
    let mut data = MULTISIG.to_vec();
    data.extend_from_slice(create_key.as_array());
    data.extend([0; 32]);
    data.extend(multisig.threshold.to_le_bytes());
    data.extend(multisig.time_lock.to_le_bytes());
    data.extend(multisig.transaction_index.to_le_bytes());
    data.extend(multisig.stale_transaction_index.to_le_bytes());
    data.extend([0, 255]);
    data.extend((multisig.members.len() as u32).to_le_bytes());
    for member in &multisig.members {
        data.extend_from_slice(member.address.as_array());
        data.push(member.permissions.0);
    }
    data
}

/// The account of a transaction of the first vault, as Squads writes it.
fn kept_transaction(multisig: &Pubkey, creator: &Pubkey, index: u64, message: &Message) -> Vec<u8> {
    let mut data = TRANSACTION.to_vec();
    data.extend_from_slice(multisig.as_array());
    data.extend_from_slice(creator.as_array());
    data.extend(index.to_le_bytes());
    data.extend([255, 0, 255]);
    data.extend(0u32.to_le_bytes());
    data.extend([message.signers, message.writable_signers, message.writable_others]);
    let count = |data: &mut Vec<u8>, count: usize| data.extend((count as u32).to_le_bytes());
    count(&mut data, message.accounts.len());
    message.accounts.iter().for_each(|account| data.extend_from_slice(account.as_array()));
    count(&mut data, message.calls.len());
    for call in &message.calls {
        data.push(call.program);
        count(&mut data, call.accounts.len());
        data.extend_from_slice(&call.accounts);
        count(&mut data, call.data.len());
        data.extend_from_slice(&call.data);
    }
    count(&mut data, 0);
    data
}

/// The account of a vote that is open.
fn kept_vote(multisig: &Pubkey, index: u64) -> Vec<u8> {
    let mut data = PROPOSAL.to_vec();
    data.extend_from_slice(multisig.as_array());
    data.extend(index.to_le_bytes());
    data.push(1);
    data.extend(1_800_000_000i64.to_le_bytes());
    data.push(255);
    data.extend([0; 12]);
    data
}

/// What a node says that has these accounts, each read by itself, until there is another block.
async fn plan(net: &Localnet, accounts: &[(Pubkey, Vec<u8>)]) -> Plan {
    let slot = async || net.rpc().get_slot_with_commitment(CommitmentConfig::confirmed()).await.expect("a slot");
    // Blocks end when all that was sent is final.
    let mut last = slot().await;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let next = slot().await;
        if next == last {
            break;
        }
        last = next;
    }
    let rules = accounts.iter().map(|(address, data)| {
        let account = json!({
            "lamports": 5_000_000, "owner": SQUADS.to_string(), "executable": false, "rentEpoch": 0, "space": data.len(),
            "data": [BASE64_STANDARD.encode(data), "base64"],
        });
        let answer = json!({"context": {"slot": last}, "value": account});
        Rule::on("getAccountInfo", Fault::Lie(Lie::Result(answer))).mentions(&address.to_string())
    });
    Plan::new(rules)
}

/// The instructions of a transaction: program, accounts, data.
fn instructions(transaction: &str) -> Vec<(Pubkey, Vec<Pubkey>, Vec<u8>)> {
    let bytes = BASE64_STANDARD.decode(transaction).expect("base 64");
    let transaction: VersionedTransaction = wincode::deserialize(&bytes).expect("a transaction");
    let keys = transaction.message.static_account_keys();
    let key = |index: u8| keys[usize::from(index)];
    let of = |one: &solana_message::compiled_instruction::CompiledInstruction| {
        let accounts = one.accounts.iter().map(|index| key(*index)).collect();
        (key(one.program_id_index), accounts, one.data.clone())
    };
    transaction.message.instructions().iter().map(of).collect()
}

#[test]
fn what_a_vault_is_to_do_is_proposed_and_told() {
    run(async {
        let net = &Localnet::start(escrow_localnet::Config::default()).await.expect("a validator");
        let [create_key, stranger] = [Keypair::new().pubkey(), Keypair::new().pubkey()];
        let [buyer, seller, arbiter] = people(net).await;
        // The buyer is a member, and its vault the party.
        let member = buyer.pubkey();
        let multisig = multisig(&create_key, &member, &stranger);
        let vault = multisig.vault(0);
        let mut terms = terms(net, &[buyer.insecure_clone(), seller, arbiter], &[SOL]).await;
        terms["buyer"] = vault.to_string().into();
        let kept = kept(&multisig, &create_key);
        let known = [(multisig.address, kept.clone())];
        let proxy = Proxy::start(vec![net.rpc_url()], plan(net, &known).await).await.expect("a proxy");
        let database = sqlite();
        let gateway = gateway(&database, config(&proxy.url())).await;
        let user = User::new(&gateway, "shop", &Scope::ALL).await;
        let told = user.post("/v1/terms", &json!({"terms": terms})).await.expect(200);
        let escrow: Pubkey = told["address"].as_str().unwrap().parse().unwrap();
        let order = |actions: Value, member: &Pubkey| {
            let wanted = json!({"address": multisig.address.to_string(), "member": member.to_string()});
            json!({"actions": actions, "fee_payer": buyer.pubkey().to_string(), "multisig": wanted})
        };

        // Created at once by who pays the fee, and funded when the members have agreed.
        let create = json!([{"type": "create", "terms": told["terms"], "fund": true}]);
        let prepared = user.post("/v1/transactions", &order(create, &member)).await.expect(201);
        let proposal = &prepared["proposal"];
        assert_eq!(proposal["vault"], vault.to_string());
        assert_eq!(proposal["number"], "2");
        assert_eq!(proposal["transaction"], transaction_address(&multisig.address, 2).to_string());
        assert_eq!(proposal["proposal"], proposal_address(&multisig.address, 2).to_string());
        assert_eq!((&proposal["approvals_missing"], &proposal["time_lock_seconds"]), (&json!(1), &json!(600)));
        let text = proposal["text"].as_str().unwrap();
        for part in
            [&*vault.to_string(), "one more member has to approve it, and 10m pass", "Nothing of it happens yet"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(prepared["expects"][0]["terms_hash"], told["terms_hash"]);
        assert_eq!(prepared["steps"][1]["by"], vault.to_string());
        assert_eq!(prepared["steps"][1]["paid_in"]["units"], SOL.to_string());
        assert_eq!(prepared["signers"], json!([member.to_string()]), "nobody signs for the vault");
        let built = instructions(prepared["transaction"].as_str().unwrap());
        let ours: Vec<_> =
            built.iter().filter(|(program, ..)| *program == SQUADS || *program == escrow_client::escrow::ID).collect();
        let [create, proposed @ ..] = ours.as_slice() else { panic!("{built:?}") };
        assert_eq!(create.0, escrow_client::escrow::ID);
        let fund = {
            let agreed = escrow_client::Action::decode(&solana_instruction::Instruction {
                program_id: create.0,
                accounts: create.1.iter().map(|key| solana_instruction::AccountMeta::new(*key, false)).collect(),
                data: create.2.clone(),
            });
            match agreed.expect("a creation").instruction {
                escrow_client::EscrowInstruction::Create { terms } => instruction::fund(&terms).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let expected = multisig.propose(std::slice::from_ref(&fund), &Proposer::new(member)).unwrap().instructions;
        assert_eq!(proposed.len(), expected.len());
        for (proposed, expected) in proposed.iter().zip(&expected) {
            let accounts: Vec<Pubkey> = expected.accounts.iter().map(|meta| meta.pubkey).collect();
            assert_eq!((&proposed.0, &proposed.1, &proposed.2), (&expected.program_id, &accounts, &expected.data));
        }

        // The escrow is there from here on.
        let terms = json!([{"type": "create", "terms": told["terms"]}]);
        let (_, status) = user.execute(terms, &[&buyer]).await;
        assert_eq!(status["status"], "finalized", "{status}");
        proxy.set_plan(plan(net, &known).await).expect("a plan");
        let fund_it = || json!([{"type": "fund", "escrow": escrow.to_string(), "terms_hash": told["terms_hash"]}]);
        let prepared = user.post("/v1/transactions", &order(fund_it(), &member)).await.expect(201);
        assert_eq!(prepared["steps"].as_array().unwrap().len(), 1);
        // Left to the others.
        let mut waits = order(fund_it(), &member);
        waits["multisig"]["approve"] = false.into();
        let waits = user.post("/v1/transactions", &waits).await.expect(201);
        assert_eq!(waits["proposal"]["approvals_missing"], 2);
        let count = |prepared: &Value| instructions(prepared["transaction"].as_str().unwrap()).len();
        assert_eq!(count(&waits) + 1, count(&prepared));

        let refused = |body: Value| {
            let user = user.clone();
            async move {
                let answer = user.post("/v1/transactions", &body).await;
                let pointer = answer.json()["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned();
                (answer.code(), pointer)
            }
        };
        let is = |code: &str, pointer: &str| (code.to_owned(), pointer.to_owned());
        assert_eq!(refused(order(fund_it(), &stranger)).await, is("invalid", "/multisig/member"));
        assert_eq!(refused(order(fund_it(), &create_key)).await, is("invalid", "/multisig/member"));
        let mut other = order(fund_it(), &member);
        other["multisig"]["vault"] = 1.into();
        assert_eq!(refused(other.clone()).await, is("refused", "/actions"));
        other["multisig"] = json!({"address": vault.to_string(), "member": member.to_string()});
        assert_eq!(refused(other.clone()).await, is("invalid", "/multisig/address"));
        other["multisig"] = json!({"address": vault.to_string()});
        assert_eq!(refused(other).await.0, "invalid");
        let anyones = json!([{"type": "cancel", "escrow": escrow.to_string(), "by": buyer.pubkey().to_string()}]);
        assert_eq!(refused(order(anyones, &member)).await, is("refused", "/actions"));

        // What is open already is not proposed again.
        let message = Message::compile(&vault, &[fund]).unwrap();
        let (vote, transaction) = (proposal_address(&multisig.address, 1), transaction_address(&multisig.address, 1));
        let open = [
            (multisig.address, kept),
            (vote, kept_vote(&multisig.address, 1)),
            (transaction, kept_transaction(&multisig.address, &stranger, 1, &message)),
        ];
        proxy.set_plan(plan(net, &open).await).expect("a plan");
        let answer = user.post("/v1/transactions", &order(fund_it(), &member)).await;
        assert_eq!(answer.code(), "stale", "{answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("number 1"), "{answer:?}");
    });
}
