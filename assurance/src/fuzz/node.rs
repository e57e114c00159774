//! A node that lies: whatever it answers, the client returns a value or an error with a name.

use std::{future::Future, pin::Pin, sync::Arc};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use escrow_client::{EscrowClient, Filter};
use serde_json::{Map, Value, json};
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    nonblocking::rpc_client::RpcClient,
    rpc_client::RpcClientConfig,
    rpc_request::RpcRequest,
    rpc_sender::{RpcSender, RpcTransportStats},
};
use solana_pubkey::Pubkey;

use super::{Target, allocation, change, client};
use crate::random::Random;

pub const TARGETS: &[Target] = &[Target { name: "node", inputs: 2_000, examples, change: change_answers, take }];

/// Answers every request with what stands under its name.
struct Liar(Value);

impl RpcSender for Liar {
    fn send<'a, 'b>(
        &'a self,
        request: RpcRequest,
        _: Value,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Value, ClientError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let answer = self.0.get(request.to_string()).cloned();
        let answer = answer.ok_or_else(|| ClientErrorKind::Custom("the node does not answer".to_owned()).into());
        Box::pin(async move { answer })
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        "http://127.0.0.1:8899".to_owned()
    }
}

/// Answers to everything that is asked, for each escrow and for a mint.
fn examples() -> Vec<Vec<u8>> {
    let account = |owner: &Pubkey, data: &[u8]| {
        json!({
            "lamports": 1, "data": [BASE64_STANDARD.encode(data), "base64"], "owner": owner.to_string(),
            "executable": false, "rentEpoch": u64::MAX, "space": data.len(),
        })
    };
    let context = json!({"slot": 1, "apiVersion": "4.2.2"});
    let signature = "5".repeat(87);
    let mut all = Vec::new();
    for (address, data) in client::escrows() {
        let escrow = account(&escrow::ID, &data);
        all.push(json!({
            "escrow": address.to_string(),
            "getAccountInfo": {"context": context, "value": escrow},
            "getProgramAccounts": [{"pubkey": address.to_string(), "account": escrow}],
            "getSignaturesForAddress": [{
                "signature": signature, "slot": 1, "err": null, "memo": null, "blockTime": 1,
                "confirmationStatus": "finalized",
            }],
            "getTransaction": transaction(&address),
        }));
    }
    let mint = account(&escrow_tests::TOKEN, &client::mints().concat()[..82]);
    let mut clock = vec![0; 40];
    clock[32] = 1;
    for value in [mint, account(&solana_sdk_ids::sysvar::ID, &clock), Value::Null] {
        all.push(json!({
            "escrow": Pubkey::default().to_string(),
            "getAccountInfo": {"context": context, "value": value},
        }));
    }
    let bomb = json!({
        "lamports": 1, "data": [BASE64_STANDARD.encode(bomb()), "base64+zstd"], "owner": escrow::ID.to_string(),
        "executable": false, "rentEpoch": 0,
    });
    all.push(json!({
        "escrow": Pubkey::default().to_string(),
        "getAccountInfo": {"context": context, "value": bomb},
        "getProgramAccounts": [{"pubkey": Pubkey::default().to_string(), "account": bomb}],
    }));
    all.iter().map(|answers| answers.to_string().into_bytes()).collect()
}

/// 800 bytes that zstd makes into 26 MB: blocks of one byte, repeated 131,072 times.
fn bomb() -> Vec<u8> {
    const FRAME: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    const BLOCK: [u8; 4] = [0x02, 0x00, 0x10, 0x00];
    let mut last = BLOCK;
    last[0] |= 1;
    [FRAME.as_slice(), &BLOCK.repeat(199), &last].concat()
}

/// A transaction that releases, and in which a multisig does it too.
fn transaction(escrow: &Pubkey) -> Value {
    let keys = [Pubkey::new_from_array([1; 32]), *escrow, escrow::ID];
    let release =
        escrow_client::instruction::release(*escrow, keys[0], 0, escrow_client::instruction::Part { amount: 1, of: 2 })
            .data;
    // One signature, then the message: one signer, one read-only key, the keys, a blockhash, one instruction.
    let mut bytes = vec![1];
    bytes.extend([0; 64]);
    bytes.extend([1, 0, 1, 3]);
    keys.iter().for_each(|key| bytes.extend(key.to_bytes()));
    bytes.extend([0; 32]);
    bytes.extend([1, 2, 2, 1, 0, release.len() as u8]);
    bytes.extend(&release);
    let logs: Vec<String> = client::logs()
        .first()
        .map(|log| String::from_utf8_lossy(log).lines().map(str::to_owned).collect())
        .unwrap_or_default();
    json!({
        "slot": 1, "blockTime": 1, "version": 0,
        "transaction": [BASE64_STANDARD.encode(bytes), "base64"],
        "meta": {
            "err": null, "status": {"Ok": null}, "fee": 5000, "preBalances": [1], "postBalances": [1],
            "logMessages": logs, "preTokenBalances": [], "postTokenBalances": [], "rewards": [],
            "loadedAddresses": {"writable": [], "readonly": [escrow.to_string()]},
            "innerInstructions": [{"index": 0, "instructions": [
                {"programIdIndex": 2, "accounts": [1, 0], "data": "3Bxs4h24hBtQy9rw", "stackHeight": 2},
            ]}],
        },
    })
}

/// Changes one value somewhere in the answers.
fn change_answers(input: &mut Vec<u8>, random: &mut Random) {
    let Ok(mut answers) = serde_json::from_slice::<Value>(input) else { return };
    change_value(&mut answers, random, 0);
    *input = answers.to_string().into_bytes();
}

fn change_value(value: &mut Value, random: &mut Random, depth: u32) {
    // Further in, most of the time.
    if depth < 12 && !random.once_in(8) {
        match value {
            Value::Array(values) if !values.is_empty() => {
                let at = random.below(values.len());
                match random.below(10) {
                    0 => drop(values.remove(at)),
                    1 => values.push(values[at].clone()),
                    _ => change_value(&mut values[at], random, depth + 1),
                }
                return;
            }
            Value::Object(fields) if !fields.is_empty() => {
                let at = random.below(fields.len());
                let Some(name) = fields.keys().nth(at).cloned() else { return };
                match fields.get_mut(&name) {
                    Some(_) if random.once_in(12) => drop(fields.remove(&name)),
                    Some(field) => change_value(field, random, depth + 1),
                    None => {}
                }
                return;
            }
            _ => {}
        }
    }
    *value = match value {
        // What is inside of encoded bytes, or the text itself.
        Value::String(text) if !random.once_in(4) => match BASE64_STANDARD.decode(text.as_bytes()) {
            Ok(mut bytes) if bytes.len() > 40 => {
                change::bytes(&mut bytes, random);
                Value::String(BASE64_STANDARD.encode(bytes))
            }
            _ => {
                let mut bytes = text.as_bytes().to_vec();
                change::text(&["base58", "base64+zstd", "jsonParsed", "1", "=", "Program "], &mut bytes, random);
                Value::String(String::from_utf8_lossy(&bytes).into_owned())
            }
        },
        Value::Number(_) if !random.once_in(4) => match random.below(3) {
            0 => json!(random.number()),
            1 => json!(random.number() as i64),
            _ => json!(random.below(300)),
        },
        _ => match random.below(7) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(random.number()),
            3 => json!(-1.5e300),
            4 => json!(""),
            5 => json!([]),
            _ => Value::Object(Map::new()),
        },
    };
}

fn take(input: &[u8]) -> Result<String> {
    // What is not JSON ends before it reaches the client's own code.
    let Ok(answers) = serde_json::from_slice::<Value>(input) else { return Ok("no JSON".to_owned()) };
    let named = answers.get("escrow").and_then(Value::as_str).and_then(|address| address.parse().ok());
    let address: Pubkey = named.unwrap_or_default();
    let rpc = RpcClient::new_sender(Liar(answers), RpcClientConfig::default());
    let client = EscrowClient::from_rpc(Arc::new(rpc));
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("a runtime")?;
    let ask = async {
        let escrow = client.escrow(&address).await;
        let surplus = match &escrow {
            Ok(escrow) => outcome(&client.surplus(escrow).await),
            Err(_) => "unasked".to_owned(),
        };
        let history = client.history(&address).await;
        let actions = history.as_ref().map_or(0, |history| history.steps.len().min(3));
        [
            outcome(&escrow),
            surplus,
            outcome(&client.mint(&address).await),
            outcome(&client.now().await),
            outcome(&client.token_balance(&address).await),
            outcome(&client.list(&Filter::default()).await),
            outcome(&history),
            actions.to_string(),
        ]
    };
    let (outcomes, peak) = allocation::measure(|| runtime.block_on(ask));
    // JSON's values, which the client's library keeps in trees, are many times their text.
    allocation::in_proportion(peak, input.len(), 64, 131_072)?;
    Ok(outcomes.join(" "))
}

fn outcome<T>(result: &escrow_client::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            // It must be possible to say what is wrong.
            let _ = error.to_string();
            client::variant(error)
        }
    }
}
