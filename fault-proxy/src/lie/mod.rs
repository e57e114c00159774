//! Answers in which something is not true.

mod account;
mod blockhash;
mod number;
pub(crate) mod status;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    json_rpc::Call,
    plan::{Lie, Number, Quantity},
    proxy::upstream::Upstream,
    random::Random,
};

/// The address of the Clock sysvar.
pub(crate) const CLOCK: &str = "SysvarC1ock11111111111111111111111111111111";

/// Whom a lie is told to, and on whose behalf.
pub(crate) struct Scene<'a> {
    pub(crate) call: &'a Call,
    pub(crate) upstream: &'a Upstream,
    /// What the rule has frozen.
    pub(crate) frozen: &'a Frozen,
    /// The rule's index in the plan.
    pub(crate) rule: usize,
    /// What is random about this request.
    pub(crate) dice: Random,
}

/// Numbers that stand still: by rule, what they are, and the commitment at which they were asked for.
#[derive(Default)]
pub(crate) struct Frozen(Mutex<HashMap<(usize, Quantity, String), u64>>);

impl Frozen {
    /// What the number was when this was first called for it.
    pub(crate) fn first(&self, rule: usize, of: Quantity, commitment: &str, number: u64) -> u64 {
        // There is a handful of commitments, and whatever else clients call one.
        const MAX: usize = 10_000;
        let mut frozen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if frozen.len() >= MAX {
            return number;
        }
        *frozen.entry((rule, of, commitment.to_owned())).or_insert(number)
    }
}

impl Lie {
    /// Whether it can be told in answer to this call.
    pub(crate) fn concerns(&self, call: &Call) -> bool {
        let method = call.method();
        match self {
            Lie::Number { of, .. } => number::places(*of, method).next().is_some(),
            Lie::Blockhash(_) => method == "getLatestBlockhash",
            Lie::GenesisHash(_) => method == "getGenesisHash",
            Lie::Status { signature, .. } => status::concerns(call, signature.as_deref()),
            Lie::Account { address, .. } => account::concerns(call, address.as_deref()),
            Lie::Clock { .. } => method == "getBlockTime" || account::concerns_one(call, Some(CLOCK)),
            Lie::Decimals { mint, .. } => {
                matches!(method, "getTokenSupply" | "getTokenAccountBalance")
                    || account::concerns_one(call, mint.as_deref())
            }
            Lie::Result(_) => true,
        }
    }

    /// Changes the call so that its answer can be changed, before the upstream gets it. Whether it did.
    pub(crate) fn prepare(&self, call: &mut Call) -> bool {
        match self {
            Lie::Account { address, is } => account::prepare(call, address.as_deref(), is),
            Lie::Clock { .. } | Lie::Decimals { .. } => account::ask_for_plain_data(call),
            _ => false,
        }
    }

    /// Changes a JSON-RPC answer. Whether it did.
    pub(crate) fn tell(&self, mut scene: Scene<'_>, answer: &mut Value) -> bool {
        if let Lie::Result(result) = self {
            let lie = scene.call.result(result.clone());
            return std::mem::replace(answer, lie.clone()) != lie;
        }
        let Some(result) = answer.get_mut("result") else { return false };
        match self {
            Lie::Number { of, is } => number::tell(&scene, *of, *is, result),
            Lie::Blockhash(lie) => blockhash::tell(&mut scene, *lie, result),
            Lie::GenesisHash(hash) => set(result, json!(hash)),
            Lie::Status { signature, is } => status::tell(&scene, signature.as_deref(), is, result),
            Lie::Account { address, is } => account::tell(&scene, address.as_deref(), is, result),
            Lie::Clock { seconds } => account::tell_clock(&scene, *seconds, result),
            Lie::Decimals { mint, by } => account::tell_decimals(&scene, mint.as_deref(), *by, result),
            // Told above.
            Lie::Result(_) => false,
        }
    }
}

impl Number {
    /// What becomes of a number that cannot be frozen.
    fn of(self, number: u64) -> u64 {
        match self {
            Number::Add(by) => number.saturating_add_signed(by),
            Number::Set(number) => number,
            Number::Freeze => number,
        }
    }
}

/// Puts something in place of a value. Whether that changed it.
fn set(value: &mut Value, becomes: Value) -> bool {
    let changes = *value != becomes;
    *value = becomes;
    changes
}
