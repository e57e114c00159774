//! What accounts hold.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{CLOCK, Scene, set};
use crate::{
    json_rpc::Call,
    plan::{AccountLie, Number},
};

/// The owners of mints: the program Token, and Token-2022.
const TOKEN_PROGRAMS: [&str; 2] =
    ["TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"];

/// Where the time stands in the Clock sysvar.
const CLOCK_TIME: usize = 32;

/// The size of a mint, and where its decimals stand.
const MINT_SIZE: usize = 82;
const MINT_DECIMALS: usize = 44;

/// In accounts of Token-2022 with extensions, where it stands what they are, and what says that it is a mint.
const KIND: usize = 165;
const KIND_MINT: u8 = 1;

/// An account larger than the chain allows is no use to anybody.
const MAX_SIZE: usize = 10 * 1024 * 1024;

/// Whether an answer to this call contains the account, or may.
pub(super) fn concerns(call: &Call, address: Option<&str>) -> bool {
    match call.method() {
        "getBalance" => address.is_none_or(|address| call.mentions(address)),
        "getProgramAccounts" | "getTokenAccountsByOwner" | "getTokenAccountsByDelegate" => true,
        _ => concerns_one(call, address),
    }
}

/// The same for calls that name the accounts.
pub(super) fn concerns_one(call: &Call, address: Option<&str>) -> bool {
    matches!(call.method(), "getAccountInfo" | "getMultipleAccounts")
        && address.is_none_or(|address| call.mentions(address))
}

pub(super) fn prepare(call: &mut Call, address: Option<&str>, lie: &AccountLie) -> bool {
    match lie {
        AccountLie::Byte { .. } | AccountLie::Size(_) => ask_for_plain_data(call),
        AccountLie::Other(other) => {
            let Some(asked) = call.0.get_mut("params").and_then(|params| params.get_mut(0)) else { return false };
            let asked = match asked {
                Value::Array(several) => several.iter_mut().collect(),
                one => vec![one],
            };
            let meant = |one: &Value| address.is_none_or(|address| one == address);
            let mut changed = false;
            for one in asked.into_iter().filter(|one| meant(one)) {
                changed |= set(one, json!(other));
            }
            changed
        }
        AccountLie::Missing | AccountLie::Lamports(_) | AccountLie::Owner(_) => false,
    }
}

/// Asks for data that is not compressed. A client takes it as the answer says that it is written.
pub(super) fn ask_for_plain_data(call: &mut Call) -> bool {
    let options = call.0.get_mut("params").and_then(Value::as_array_mut).and_then(|params| params.last_mut());
    let encoding = options.and_then(|options| options.get_mut("encoding"));
    encoding.filter(|encoding| *encoding == "base64+zstd").is_some_and(|encoding| set(encoding, json!("base64")))
}

pub(super) fn tell(scene: &Scene, address: Option<&str>, lie: &AccountLie, result: &mut Value) -> bool {
    if scene.call.method() == "getBalance" {
        let Some(balance) = result.get_mut("value") else { return false };
        return match (lie, balance.as_u64()) {
            (AccountLie::Missing, _) => set(balance, json!(0)),
            (AccountLie::Lamports(is), Some(lamports)) => set(balance, json!(is.of(lamports))),
            _ => false,
        };
    }
    let mut changed = false;
    each(scene.call, result, |one, account| {
        if address.is_none_or(|address| one == Some(address)) {
            changed |= tell_account(lie, account);
        }
    });
    changed
}

fn tell_account(lie: &AccountLie, account: &mut Value) -> bool {
    match lie {
        AccountLie::Missing => set(account, Value::Null),
        // What stands at the other address was asked for.
        AccountLie::Other(_) => false,
        AccountLie::Lamports(is) => change_lamports(account, *is),
        AccountLie::Owner(owner) => account.get_mut("owner").is_some_and(|known| set(known, json!(owner))),
        AccountLie::Byte { at, xor } => edit_data(account, |data| {
            if let Some(byte) = at.checked_rem(data.len()).and_then(|at| data.get_mut(at)) {
                *byte ^= xor;
            }
        }),
        AccountLie::Size(size) => edit_data(account, |data| data.resize((*size).min(MAX_SIZE), 0)),
    }
}

fn change_lamports(account: &mut Value, is: Number) -> bool {
    let Some(value) = account.get_mut("lamports") else { return false };
    value.as_u64().is_some_and(|lamports| set(value, json!(is.of(lamports))))
}

pub(super) fn tell_clock(scene: &Scene, seconds: i64, result: &mut Value) -> bool {
    let later = |time: &mut Value| {
        let moved = time.as_i64().map(|time| json!(time.saturating_add(seconds)));
        moved.is_some_and(|moved| set(time, moved))
    };
    if scene.call.method() == "getBlockTime" {
        return later(result);
    }
    let mut changed = false;
    each(scene.call, result, |one, account| {
        if one != Some(CLOCK) {
            return;
        }
        if let Some(time) = account.pointer_mut("/data/parsed/info/unixTimestamp") {
            changed |= later(time);
            return;
        }
        changed |= edit_data(account, |data| {
            if let Some(time) = data.get_mut(CLOCK_TIME..).and_then(|rest| rest.first_chunk_mut()) {
                *time = i64::from_le_bytes(*time).saturating_add(seconds).to_le_bytes();
            }
        });
    });
    changed
}

pub(super) fn tell_decimals(scene: &Scene, mint: Option<&str>, by: i8, result: &mut Value) -> bool {
    let more = |decimals: &mut Value| {
        let known = decimals.as_u64().and_then(|decimals| u8::try_from(decimals).ok());
        known.is_some_and(|known| set(decimals, json!(known.saturating_add_signed(by))))
    };
    match scene.call.method() {
        // It names the mint; the other one names an account that holds tokens, and does not say which.
        "getTokenSupply" if mint.is_some_and(|mint| !scene.call.mentions(mint)) => false,
        "getTokenSupply" | "getTokenAccountBalance" => result.pointer_mut("/value/decimals").is_some_and(more),
        _ => {
            let mut changed = false;
            each(scene.call, result, |one, account| {
                let owner = account.get("owner").and_then(Value::as_str).unwrap_or_default();
                if mint.is_some_and(|mint| one != Some(mint)) || !TOKEN_PROGRAMS.contains(&owner) {
                    return;
                }
                if account.pointer("/data/parsed/type").is_some_and(|kind| kind == "mint") {
                    changed |= account.pointer_mut("/data/parsed/info/decimals").is_some_and(more);
                    return;
                }
                changed |= edit_data(account, |data| {
                    let is_mint = data.len() == MINT_SIZE || data.get(KIND) == Some(&KIND_MINT);
                    if let Some(decimals) = data.get_mut(MINT_DECIMALS).filter(|_| is_mint) {
                        *decimals = decimals.saturating_add_signed(by);
                    }
                });
            });
            changed
        }
    }
}

/// Calls `change` with each account in a result and its address, if that is known.
fn each(call: &Call, result: &mut Value, mut change: impl FnMut(Option<&str>, &mut Value)) {
    match call.method() {
        "getAccountInfo" => {
            if let Some(account) = result.get_mut("value").filter(|account| !account.is_null()) {
                change(call.param(0).and_then(Value::as_str), account);
            }
        }
        "getMultipleAccounts" => {
            let accounts = result.get_mut("value").and_then(Value::as_array_mut).into_iter().flatten();
            for (index, account) in accounts.enumerate().filter(|(_, account)| !account.is_null()) {
                change(call.param(0).and_then(|asked| asked.get(index)?.as_str()), account);
            }
        }
        _ => {
            let list = if result.is_array() { Some(result) } else { result.get_mut("value") };
            let Some(list) = list.and_then(Value::as_array_mut) else { return };
            for item in list.iter_mut() {
                let address = item.get("pubkey").and_then(Value::as_str).map(str::to_owned);
                if let Some(account) = item.get_mut("account") {
                    change(address.as_deref(), account);
                }
            }
            // One that does not exist is in no list.
            list.retain(|item| item.get("account").is_none_or(|account| !account.is_null()));
        }
    }
}

/// Changes an account's bytes, in the encoding in which they are written. Whether that changed them.
fn edit_data(account: &mut Value, edit: impl FnOnce(&mut Vec<u8>)) -> bool {
    let (written, encoding) = match account.get_mut("data") {
        Some(Value::Array(data)) => match data.as_mut_slice() {
            [Value::String(text), Value::String(encoding)] => (text, encoding.as_str()),
            _ => return false,
        },
        Some(Value::String(text)) => (text, "base58"),
        _ => return false,
    };
    let decoded = match encoding {
        "base64" => STANDARD.decode(&written).ok(),
        // Decoding takes time by the square of the length; a node writes up to 128 bytes in it.
        "base58" if written.len() <= 1024 => bs58::decode(&written).into_vec().ok(),
        _ => None,
    };
    let Some(mut bytes) = decoded else { return false };
    let before = bytes.clone();
    edit(&mut bytes);
    *written = match encoding {
        "base64" => STANDARD.encode(&bytes),
        _ => bs58::encode(&bytes).into_string(),
    };
    if let Some(space) = account.get_mut("space") {
        *space = json!(bytes.len());
    }
    bytes != before
}
