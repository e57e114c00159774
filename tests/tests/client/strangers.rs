//! What strangers control, and what must not depend on it: mints, transactions that name an escrow, what a node remembers.

use std::sync::Arc;

use escrow_client::{
    Action, Error, EscrowAccount, EscrowInstruction, Recipe, Terms,
    escrow::state::RISK_MINT_CLOSE,
    history::Completeness,
    instruction,
    terms::{self, Asset},
    view,
    words::{Decimals, Denomination, history::missing},
};
use escrow_localnet::TokenProgram;
use serde_json::{Value, json};
use solana_account::Account;
use solana_instruction::AccountMeta;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::{create_account, transfer};
use spl_token_2022_interface::{
    extension::ExtensionType,
    instruction::{close_account, initialize_mint_close_authority, initialize_mint2},
    state::Mint,
};

use crate::{
    SOL, World,
    gateway::{Gateway, Reply, ui_account},
};

/// A Token-2022 mint that its issuer can close, and an escrow in it that names everybody against their will.
async fn worthless(world: &World, issuer: &Keypair) -> (Pubkey, Terms) {
    let (mint, program) = (Keypair::new(), TokenProgram::Token2022.id());
    let space = ExtensionType::try_calculate_account_len::<Mint>(&[ExtensionType::MintCloseAuthority]).unwrap();
    let rent = world.client.rpc().get_minimum_balance_for_rent_exemption(space).await.unwrap();
    let (payer, address) = (world.operator.pubkey(), mint.pubkey());
    let make = [
        create_account(&payer, &address, rent, space as u64, &program),
        initialize_mint_close_authority(&program, &address, Some(&issuer.pubkey())).unwrap(),
        initialize_mint2(&program, &address, &issuer.pubkey(), None, 6).unwrap(),
    ];
    world.send(&make, &[&mint]).await.unwrap();
    let now = world.now().await;
    let asset = Asset::Token { mint: address, program };
    let mut terms = escrow_client::TermsBuilder::new(world.buyer.pubkey(), world.seller.pubkey(), asset)
        .assemble(now)
        .expect("terms");
    terms.milestones.push(terms::milestone(7_000_000, now + 30 * 24 * 60 * 60));
    terms.accepted_risks = RISK_MINT_CLOSE;
    world.created(&terms).await;
    (address, terms)
}

/// FINDINGS B3: whoever closes a mint breaks nothing for anybody, and the escrow can still be cleared.
#[tokio::test]
async fn a_mint_that_is_gone_breaks_nothing() {
    let world = World::new().await;
    let good = world.created(&world.terms(&world.sol().await, 1_000).await).await;
    let issuer = Keypair::new();
    let (mint, terms) = worthless(&world, &issuer).await;
    let before = world.client.denomination(terms::asset_of(&terms)).await;
    assert_eq!(before.amount(7_000_000).to_string(), "7 tokens");
    let program = TokenProgram::Token2022.id();
    let close = close_account(&program, &mint, &issuer.pubkey(), &issuer.pubkey(), &[]).unwrap();
    world.send(&[close], &[&issuer]).await.unwrap();

    let found = world.client.list(&Default::default()).await.unwrap();
    let assets: Vec<Asset> = found.iter().map(EscrowAccount::asset).collect();
    let denominations = world.client.denominations(&assets).await;
    let now = world.now().await;
    let views: Vec<view::Escrow> =
        found.iter().map(|escrow| view::Escrow::new(escrow, &denominations[&escrow.asset()], now).unwrap()).collect();
    assert_eq!(views.len(), 2);
    let shown = views.iter().find(|view| view.mint.is_some()).unwrap();
    assert_eq!((shown.principal.text.as_str(), shown.principal.decimals), ("7000000 base units", None));
    assert!(shown.decimals_unknown.as_ref().unwrap().contains(&format!("{mint} does not exist")), "{shown:?}");
    assert!(views.iter().any(|view| view.address == good.to_string() && view.principal.text == "0.000001 SOL"));

    let escrow = escrow_client::address::escrow_address(&terms).unwrap();
    let history = world.client.history(&escrow).await.unwrap();
    assert_eq!(history.completeness, Completeness::Whole);
    let told = view::History::new(&history, &denominations[&terms::asset_of(&terms)], now);
    assert!(told.entries[0].text.contains("7000000 base units"), "{told:?}");

    // Who was named against their will can clear it.
    let account = world.read(&escrow).await;
    assert_eq!(world.client.surplus(&account).await.unwrap(), 0);
    let cancel = Recipe::cancel(&account, world.seller.pubkey(), false, &[]).preview(&account, now).unwrap();
    world.send(&cancel.units(&world.operator.pubkey()).concat(), &[&world.seller]).await.unwrap();
    assert_eq!(world.client.find(&escrow).await.unwrap(), None);
    let history = world.client.history(&escrow).await.unwrap();
    assert_eq!((history.steps.len(), history.completeness), (2, Completeness::Whole));
}

/// Whatever a mint's account holds, amounts are shown: in base units where nothing better is known, with the reason.
#[tokio::test]
async fn a_mint_may_hold_anything() {
    let world = World::new().await;
    let (mint, program) = (Pubkey::new_unique(), TokenProgram::Token2022.id());
    let asset = Asset::Token { mint, program };
    let data = |decimals: u8, initialised: u8, length: usize| {
        let mut data = vec![0; length];
        data.iter_mut().skip(44).zip([decimals, initialised]).for_each(|(byte, value)| *byte = value);
        data
    };
    let account =
        |owner: Pubkey, data: Vec<u8>| Some(Account { lamports: 1, data, owner, executable: false, rent_epoch: 0 });
    let mut hostile = data(6, 1, 300);
    hostile[165..].fill(0xff);
    for (account, decimals, reason) in [
        (account(program, data(6, 1, 82)), Some(6), ""),
        (account(program, data(0, 1, 82)), Some(0), ""),
        (account(program, data(19, 1, 82)), Some(19), ""),
        // Extensions of which no sense can be made are no reason: the decimals stand before them.
        (account(program, hostile), Some(6), ""),
        (account(program, data(255, 1, 82)), None, "255 decimals"),
        (account(program, data(20, 1, 82)), None, "20 decimals"),
        (account(program, data(6, 0, 82)), None, "not a mint any more"),
        (account(program, data(6, 1, 45)), None, "not a mint any more"),
        (account(program, vec![]), None, "not a mint any more"),
        (account(TokenProgram::Token.id(), data(6, 1, 82)), None, "belongs to the program"),
        (account(solana_sdk_ids::system_program::ID, vec![]), None, "belongs to the program"),
        (None, None, "does not exist any more"),
    ] {
        let answer = json!({ "context": { "slot": 1 }, "value": account.as_ref().map(ui_account) });
        let gateway = Gateway::before(&world.net, move |method, _| match method {
            "getAccountInfo" => Reply::Result(answer.clone()),
            _ => Reply::Forward,
        });
        let told = gateway.await.client().denomination(asset).await;
        assert_eq!(told.known_decimals(), decimals, "{account:?}");
        match &told.decimals {
            Decimals::Known(_) => assert_eq!(told.parse("0"), Ok(0)),
            Decimals::Unknown(because) => assert!(because.contains(reason), "{because}"),
        }
        assert!(told.amount(u64::MAX).to_string().len() < 40);
    }
    // Nor does a node that does not answer for the mint hide the escrow.
    for reply in [Reply::HangUp, Reply::Result(json!({ "context": { "slot": 1 }, "value": [] }))] {
        let reply = Arc::new(std::sync::Mutex::new(Some(reply)));
        let gateway = Gateway::before(&world.net, move |method, _| match method {
            "getAccountInfo" => reply.lock().unwrap().take().unwrap_or(Reply::HangUp),
            _ => Reply::Forward,
        });
        let told = gateway.await.client().denomination(asset).await;
        let Decimals::Unknown(because) = told.decimals else { panic!("{told:?}") };
        assert!(because.contains("cannot be read"), "{because}");
    }
}

/// Who names an escrow in transactions of their own neither hides its history nor gets into it.
#[tokio::test]
async fn a_history_behind_a_thousand_foreign_transactions() {
    let world = Arc::new(World::new().await);
    let escrow = world.funded(&world.terms(&world.sol().await, 1_000).await).await;
    let mut tasks = Vec::new();
    for batch in 0..21u64 {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            for number in 0..50 {
                let mut named = transfer(&world.operator.pubkey(), &world.operator.pubkey(), batch * 50 + number);
                named.accounts.push(AccountMeta::new_readonly(escrow, false));
                world.send(&[named], &[]).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    world
        .send(
            &[instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: 400, of: 1_000 })],
            &[&world.buyer],
        )
        .await
        .unwrap();
    let history = world.client.history(&escrow).await.unwrap();
    assert_eq!(history.completeness, Completeness::Whole);
    assert!(history.unreadable.is_empty());
    let done: Vec<&str> = history.steps.iter().map(|step| step.entry.action.instruction.name()).collect();
    assert_eq!(done, ["create", "fund", "release"]);
}

/// What a node answers for a method.
async fn asked(world: &World, method: &'static str, params: Value) -> Value {
    let request = solana_client::rpc_request::RpcRequest::Custom { method };
    world.client.rpc().send(request, params).await.unwrap()
}

/// A node that has forgotten something says what it has, and from when on; one that tells more than happened is found out.
#[tokio::test]
async fn a_node_that_forgets_says_so() {
    let world = World::new().await;
    let terms = world.terms(&world.sol().await, 1_000).await;
    // The operator creates and the buyer funds, each in a transaction of its own.
    let escrow = world.created(&terms).await;
    world.send(&[instruction::fund(&terms).unwrap()], &[&world.buyer]).await.unwrap();
    for (amount, remaining) in [(100, 1_000), (200, 900), (300, 700)] {
        let release =
            instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount, of: remaining });
        world.send(&[release], &[&world.buyer]).await.unwrap();
    }
    let all =
        asked(&world, "getSignaturesForAddress", json!([escrow.to_string(), { "commitment": "confirmed" }])).await;
    let all: Vec<Value> = all.as_array().unwrap().clone();
    assert_eq!(all.len(), 5);
    let now = world.now().await;

    // The newest first: release 3, 2, 1, fund, create.
    for (kept, completeness, says) in [
        (vec![0, 1, 2, 3, 4], Completeness::Whole, ""),
        (vec![0, 1, 2, 3], Completeness::BeginningMissing, "has forgotten what happened before"),
        (vec![0, 1], Completeness::BeginningMissing, "has forgotten what happened before"),
        (vec![0, 1, 3, 4], Completeness::GapBefore(2), "does not follow"),
        (vec![0, 1, 2, 4], Completeness::GapBefore(1), "does not follow"),
        (vec![2, 3, 4], Completeness::EndMissing, "has changed by more"),
        (vec![], Completeness::Nothing, "remembers nothing"),
        // The same release twice would be more than was decided.
        (vec![0, 0, 1, 2, 3, 4], Completeness::Contradiction, "Do not rely on this"),
    ] {
        let answer = Value::Array(kept.iter().map(|index: &usize| all[*index].clone()).collect());
        let gateway = Gateway::before(&world.net, move |method, _| match method {
            "getSignaturesForAddress" => Reply::Result(answer.clone()),
            _ => Reply::Forward,
        })
        .await;
        let history = gateway.client().history(&escrow).await;
        if kept.windows(2).any(|pair| pair[0] == pair[1]) {
            // Told in one page, a signature is told once.
            let told = history.map(|history| history.completeness);
            assert!(matches!(told, Err(Error::Answer { .. }) | Ok(Completeness::Contradiction)), "{told:?}");
            continue;
        }
        let history = history.unwrap();
        assert_eq!((history.steps.len(), &history.completeness), (kept.len(), &completeness), "{kept:?}");
        let says_so = missing(&history, now).unwrap_or_default();
        assert!(says_so.contains(says) && says_so.is_empty() == says.is_empty(), "{says_so}");
        // What is told is told with its amounts, whether or not it could be replayed.
        let view = view::History::new(&history, &Denomination::SOL, now);
        assert_eq!(view.complete, says.is_empty());
        for (entry, step) in view.entries.iter().zip(&history.steps) {
            if let EscrowInstruction::Release { amount, .. } = step.entry.action.instruction {
                assert_eq!(entry.shares.as_ref().unwrap().seller.units, amount.to_string(), "{kept:?}");
            }
        }
    }

    // A transaction that is known by its signature alone.
    let forgotten = all[2]["signature"].clone();
    for reply in ["null", "error"] {
        let forgotten = forgotten.clone();
        let gateway = Gateway::before(&world.net, move |method, params| match method {
            "getTransaction" if params[0] == forgotten && reply == "null" => Reply::Result(Value::Null),
            "getTransaction" if params[0] == forgotten => {
                Reply::Error(json!({ "code": -32015, "message": "Transaction version (9) is not supported" }))
            }
            _ => Reply::Forward,
        })
        .await;
        let history = gateway.client().history(&escrow).await.unwrap();
        assert_eq!((history.steps.len(), &history.completeness), (4, &Completeness::GapBefore(2)));
        let says = missing(&history, now).unwrap();
        assert!(says.contains(forgotten_text(&all[2])) && says.contains("could not be read"), "{says}");
    }
}

fn forgotten_text(row: &Value) -> &str {
    row["signature"].as_str().unwrap()
}

/// Lamports at the address of a token account that does not exist make no token account of it.
#[tokio::test]
async fn a_token_account_is_missing_until_it_is_one() {
    let world = World::new().await;
    let money = world.token(TokenProgram::Token2022).await;
    let terms = world.terms(&money, 1_000).await;
    let escrow = world.funded(&terms).await;
    world
        .send(
            &[instruction::release(escrow, world.buyer.pubkey(), 0, instruction::Part { amount: 1_000, of: 1_000 })],
            &[&world.buyer],
        )
        .await
        .unwrap();
    let account = world.read(&escrow).await;
    let seller = world.seller.pubkey();
    assert_eq!(world.client.missing_token_accounts(&account, false).await.unwrap(), [seller]);
    let associated = money.mint.as_ref().unwrap().associated_account(&seller);
    world.net.fund(&associated, SOL).await.unwrap();
    assert_eq!(world.client.missing_token_accounts(&account, false).await.unwrap(), [seller]);

    // Made with the withdrawal, at the cost that was said: here nothing, because the lamports are there.
    let now = world.now().await;
    let pay_out = Recipe::pay_out(&account, None, &[seller]).preview(&account, now).unwrap();
    assert_eq!(pay_out.opened, 1);
    world.send(&pay_out.units(&world.operator.pubkey()).concat(), &[]).await.unwrap();
    assert_eq!(world.balance(&money, &seller).await, 1_000);
    let account = world.read(&escrow).await;
    assert_eq!(world.client.missing_token_accounts(&account, true).await.unwrap(), [] as [Pubkey; 0]);
}

/// What making a token account costs is known before it is made, whatever the mint's extensions.
#[tokio::test]
async fn a_token_account_costs_what_was_said() {
    let world = World::new().await;
    for program in [TokenProgram::Token, TokenProgram::Token2022] {
        let money = world.token(program).await;
        let mint = money.mint.as_ref().unwrap();
        let said = world.client.token_account_rent(&mint.address).await.unwrap();
        let open = instruction::create_associated_token_account(
            world.operator.pubkey(),
            world.arbiter.pubkey(),
            mint.address,
            program.id(),
        );
        world.send(&[open], &[]).await.unwrap();
        let made = world.net.account(&mint.associated_account(&world.arbiter.pubkey())).await.unwrap().unwrap();
        assert_eq!(made.lamports, said, "{program:?}");
    }
}

/// An action on an escrow says the same whether it is planned or read back.
#[tokio::test]
async fn what_is_planned_is_what_is_read_back() {
    let world = World::new().await;
    let terms = world.terms(&world.sol().await, 1_000).await;
    let escrow = world.funded(&terms).await;
    let account = world.read(&escrow).await;
    let deliver = Action::new(&account, EscrowInstruction::Deliver { milestone: 0, evidence_hash: [5; 32] });
    world.send(&[deliver.instruction(&account)], &[&world.seller]).await.unwrap();
    let history = world.client.history(&escrow).await.unwrap();
    assert_eq!(history.steps.last().unwrap().entry.action, deliver);
    assert_eq!(history.completeness, Completeness::Whole);
}
