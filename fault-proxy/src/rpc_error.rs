//! The errors of Solana's JSON-RPC interface.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A JSON-RPC error. `{url}` in its message stands for the URL that the client asked, with all keys and passwords in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RpcError {
    /// Its number.
    pub code: i64,
    /// Its text.
    pub message: String,
    /// What some have besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    /// Every number that a Solana node answers with: of JSON-RPC itself, and of Solana.
    pub const CODES: [i64; 26] = [
        -32700, -32600, -32601, -32602, -32603, -32001, -32002, -32003, -32004, -32005, -32006, -32007, -32008, -32009,
        -32010, -32011, -32012, -32013, -32014, -32015, -32016, -32017, -32018, -32019, -32020, -32021,
    ];

    /// The error of this number as a node usually writes it: with a text of its kind, and with data where it has some.
    pub fn usual(code: i64) -> Self {
        let (message, data) = match code {
            -32700 => ("Parse error", None),
            -32600 => ("Invalid request", None),
            -32601 => ("Method not found", None),
            -32602 => ("Invalid params", None),
            -32603 => ("Internal error", None),
            -32001 => ("Block 1 cleaned up, does not exist on node. First available block: 1000", None),
            -32002 => {
                let simulation = json!({
                    "err": "BlockhashNotFound", "logs": [], "accounts": null, "unitsConsumed": 0, "returnData": null,
                    "innerInstructions": null, "replacementBlockhash": null, "loadedAccountsDataSize": 0,
                });
                ("Transaction simulation failed: Blockhash not found", Some(simulation))
            }
            -32003 => ("Transaction signature verification failure", None),
            -32004 => ("Block not available for slot 1", None),
            -32005 => ("Node is behind by 42 slots", Some(json!({ "numSlotsBehind": 42 }))),
            -32006 => ("Transaction precompile verification failure InvalidAccountIndex", None),
            -32007 => ("Slot 1 was skipped, or missing due to ledger jump to recent snapshot", None),
            -32008 => ("No snapshot", None),
            -32009 => ("Slot 1 was skipped, or missing in long-term storage", None),
            -32010 => ("The key is excluded from the account secondary indexes", None),
            -32011 => ("Transaction history is not available from this node", None),
            -32012 => ("The scan was aborted: too many accounts", None),
            -32013 => ("Transaction signature length mismatch", None),
            -32014 => ("Block status not yet available for slot 1", None),
            -32015 => ("Transaction version (0) is not supported by the requesting client", None),
            -32016 => ("Minimum context slot has not been reached", Some(json!({ "contextSlot": 1 }))),
            -32017 => {
                let period = json!({ "slot": 1, "currentBlockHeight": 1, "rewardsCompleteBlockHeight": 2 });
                ("Epoch rewards period still active at slot 1", Some(period))
            }
            -32018 => ("Rewards cannot be found: slot 1 is not the epoch boundary", Some(json!({ "slot": 1 }))),
            -32019 => ("Failed to query long-term storage; please try again", None),
            -32020 => ("The transaction to filter by was not found", None),
            -32021 => ("No slot history", None),
            _ => ("Server error", None),
        };
        Self { code, message: message.to_owned(), data }
    }

    /// The same without data, as some providers pass errors on.
    pub fn without_data(code: i64) -> Self {
        Self { data: None, ..Self::usual(code) }
    }

    /// What the simulation in front of sending says of a transaction with this error.
    pub fn preflight(err: Value) -> Self {
        let mut error = Self::usual(-32002);
        error.message = format!("Transaction simulation failed: {err}");
        if let Some(known) = error.data.as_mut().and_then(|data| data.get_mut("err")) {
            *known = err;
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_text_of_its_own() {
        let mut texts: Vec<String> = RpcError::CODES.map(|code| RpcError::usual(code).message).into();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), RpcError::CODES.len());
        assert!(!texts.contains(&RpcError::usual(1).message));
    }

    #[test]
    fn a_failed_preflight_says_why() {
        let error = RpcError::preflight(json!("AlreadyProcessed"));
        assert_eq!(error.data.unwrap()["err"], "AlreadyProcessed");
    }
}
