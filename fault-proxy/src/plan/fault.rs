//! The faults there are.

use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::WEBSOCKET;
use crate::json_rpc::Call;

pub use crate::rpc_error::RpcError;

/// As deep as lists may be nested: deeper makes the answer longer, and nothing else.
const MAX_DEEP: usize = 1_000_000;

/// As large as an answer may be: a tebibyte.
const MAX_OVERSIZED: u64 = 1 << 40;

/// As often as a request may be repeated.
const MAX_REPEAT: u32 = 100;

/// What happens to a request, or to its answer.
///
/// `delivered` says whether the upstream gets the request first, and acts on it; if not, it never hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// It takes longer, by so many milliseconds: the request, or the answer.
    Delay {
        /// How long.
        ms: u64,
        /// The answer waits, and not the request.
        delivered: bool,
    },
    /// The client gets this in place of the upstream's answer.
    Answer {
        /// Whether the upstream gets the request.
        delivered: bool,
        /// What the client gets.
        with: Answer,
    },
    /// The client gets the upstream's answer with something in it that is not true.
    Lie(Lie),
    /// The client gets what a node that is behind would answer. Everything in it is true, and old: what the proxy saw this
    /// upstream answer then, or what follows from its present answer. What the proxy cannot know of the past is answered as
    /// by a node that is not behind.
    Behind(Lag),
    /// `sendTransaction`: the client gets the signature, and the transaction is never delivered.
    Drop,
    /// `sendTransaction`: the client gets the signature, and the transaction is delivered later.
    Hold(Until),
    /// The upstream gets the request so many times in all, one after the other; the client gets the last answer.
    Repeat {
        /// How many times.
        times: u32,
    },
    /// Which of the upstreams gets the request. Without any such rule the first one does. Of a batch, the first call says
    /// where all go.
    Balance(Balance),
    /// The node dies: every connection is reset and none is accepted, for so long, or until the next plan.
    Down {
        /// How long, in milliseconds; without it, for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ms: Option<u64>,
        /// Whether the upstream gets the request that the node dies of.
        delivered: bool,
    },
    /// The request waits until whoever started the proxy has seen it: see [`Proxy::next_hook`](crate::Proxy::next_hook).
    Hook {
        /// What it is called.
        name: String,
        /// After the upstream has answered and before the client hears of it, and not before the upstream gets it.
        delivered: bool,
    },
}

/// What the client gets in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Answer {
    /// The connection is reset.
    Reset,
    /// The connection is closed in an orderly way.
    Close,
    /// Nothing, for so long; then the connection is reset.
    Hang {
        /// How long, in milliseconds; without it, until the client gives up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ms: Option<u64>,
    },
    /// Another HTTP answer.
    Http(Http),
    /// A JSON-RPC error.
    Rpc(RpcError),
    /// So many bytes of the upstream's answer; then the connection is closed.
    Truncated {
        /// How many bytes of the body.
        bytes: usize,
    },
    /// The upstream's answer under a content-length that is wrong by so many bytes. The connection stays open.
    Length {
        /// By how much the content-length is more than what is sent.
        by: i64,
    },
    /// A JSON-RPC answer whose result is a string of so many bytes.
    Oversized {
        /// How many.
        bytes: u64,
        /// Without a content-length.
        chunked: bool,
    },
    /// The upstream's answer byte by byte.
    Slow {
        /// Milliseconds before each byte.
        ms: u64,
    },
    /// A body that makes no sense.
    Nonsense(Nonsense),
}

/// An HTTP answer. `{url}` in its texts stands for the URL that the client asked, with all keys and passwords in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
    /// The status, 200 to 599.
    pub status: u16,
    /// When to come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfter>,
    /// Where to go instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

/// What stands in the header `Retry-After`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum RetryAfter {
    /// So many seconds.
    Seconds(i64),
    /// The date in so many seconds.
    Date(i64),
    /// Anything else.
    Text(String),
}

/// A body that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Nonsense {
    /// Nothing.
    Empty,
    /// HTML, as a gateway answers.
    Html,
    /// JSON that is no JSON-RPC answer.
    OtherShape,
    /// `null`, which is JSON.
    Null,
    /// A result that is null.
    NullResult,
    /// The answer to another request.
    WrongId,
    /// The upstream's answer with all types changed: texts for numbers, objects for lists.
    WrongTypes,
    /// Neither a result nor an error.
    NoResult,
    /// Numbers that JSON does not have.
    NotANumber,
    /// Lists in lists, so many levels deep.
    Deep {
        /// How many.
        levels: usize,
    },
    /// Bytes that are no UTF-8.
    InvalidUtf8,
}

/// What is not true in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Lie {
    /// A number.
    Number {
        /// Which.
        of: Quantity,
        /// What it becomes.
        is: Number,
    },
    /// The latest block hash.
    Blockhash(BlockhashLie),
    /// The genesis hash, which becomes this.
    GenesisHash(String),
    /// What became of transactions.
    Status {
        /// Of this one; without it, of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// What is said of it.
        is: StatusLie,
    },
    /// What an account holds.
    Account {
        /// This one; without it, all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// What is said of it.
        is: AccountLie,
    },
    /// The time on chain, in the Clock sysvar and of blocks, which becomes later by so many seconds.
    Clock {
        /// How many; negative makes it earlier.
        seconds: i64,
    },
    /// How many decimals a mint has.
    Decimals {
        /// This mint; without it, all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// How many more; negative takes some away.
        by: i8,
    },
    /// The whole result, which becomes this.
    Result(Value),
}

/// A number that many answers contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Quantity {
    /// The block height.
    Height,
    /// The slot.
    Slot,
    /// The slot as of which an answer is said to be.
    ContextSlot,
    /// The height up to which a block hash is good.
    LastValidHeight,
    /// The first block that the node has.
    FirstAvailableBlock,
}

/// What a number becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Number {
    /// So much more; negative makes it less. It stays within what a `u64` can hold.
    Add(i64),
    /// This.
    Set(u64),
    /// What it was when this was first applied, for each commitment.
    Freeze,
}

/// What is wrong with a block hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum BlockhashLie {
    /// It is the one of so many slots ago, or the last one that the proxy saw before, with its own last valid height. If it
    /// saw none, nothing is changed.
    Stale {
        /// How many.
        slots: u64,
    },
    /// It is no block's.
    Foreign,
}

/// What is said of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum StatusLie {
    /// Nobody has heard of it.
    Unknown,
    /// It is there.
    Known {
        /// How final it is.
        level: Level,
        /// What it did.
        verdict: Verdict,
        /// Also if nobody has heard of it. Without this, only what is known is changed.
        invented: bool,
    },
}

/// How final a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Level {
    /// In a block.
    Processed,
    /// In a block that most have voted for.
    Confirmed,
    /// In a block that stays.
    Finalized,
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Verdict {
    /// What it really did; if it is invented, it succeeded.
    True,
    /// It succeeded.
    Succeeded,
    /// It failed with this error, as Solana writes it: `"AccountInUse"`, `{"InstructionError":[0,{"Custom":1}]}`.
    Failed(Value),
}

/// What is said of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum AccountLie {
    /// It does not exist.
    Missing,
    /// It holds other lamports. [`Number::Freeze`] changes nothing.
    Lamports(Number),
    /// It belongs to this program.
    Owner(String),
    /// One of its bytes is another.
    Byte {
        /// Which; counted around again behind the last one.
        at: usize,
        /// With which bits turned around.
        xor: u8,
    },
    /// It has so many bytes: cut off, or with zeros behind.
    Size(usize),
    /// It is what stands at this address.
    Other(String),
}

/// How far a node is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Lag {
    /// So many slots.
    Slots(u64),
    /// It stands at the slot at which this was first applied.
    Stopped,
}

/// When a transaction that is held back is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Until {
    /// After so many milliseconds.
    Ms(u64),
    /// When the upstream has so many more blocks.
    Blocks(u64),
    /// At the last moment: when the upstream's height is the last valid one less this. At once if the block hash is none
    /// that the proxy saw at this upstream.
    BeforeExpiry(u64),
}

/// Which upstream gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Balance {
    /// The one of this index.
    To(usize),
    /// For each request another, at random.
    PerRequest,
    /// For each connection another, at random.
    PerConnection,
}

impl Fault {
    /// Whether it can happen to this call.
    pub(crate) fn concerns(&self, call: &Call) -> bool {
        let websocket = call.method() == WEBSOCKET;
        match self {
            Fault::Delay { .. } | Fault::Balance(_) | Fault::Hook { .. } => true,
            Fault::Answer { with: Answer::Reset | Answer::Close | Answer::Hang { .. }, .. } => true,
            Fault::Answer { .. } | Fault::Behind(_) | Fault::Repeat { .. } | Fault::Down { .. } => !websocket,
            Fault::Lie(lie) => !websocket && lie.concerns(call),
            Fault::Drop | Fault::Hold(_) => call.method() == "sendTransaction",
        }
    }

    /// The times in it, in milliseconds.
    pub(super) fn times(&mut self) -> Option<&mut u64> {
        match self {
            Fault::Delay { ms, .. } | Fault::Hold(Until::Ms(ms)) => Some(ms),
            Fault::Down { ms, .. } | Fault::Answer { with: Answer::Hang { ms }, .. } => ms.as_mut(),
            _ => None,
        }
    }

    pub(super) fn check(&self, upstreams: usize) -> Result<(), String> {
        match self {
            Fault::Balance(Balance::To(upstream)) => in_range(*upstream, upstreams),
            Fault::Answer { with: Answer::Http(http), .. } => http.check(),
            Fault::Answer { with: Answer::Nonsense(Nonsense::Deep { levels }), .. } => {
                at_most("levels", *levels, MAX_DEEP)
            }
            Fault::Answer { with: Answer::Oversized { bytes, .. }, .. } => at_most("bytes", *bytes, MAX_OVERSIZED),
            Fault::Repeat { times } => at_most("times", *times, MAX_REPEAT),
            _ => Ok(()),
        }
    }
}

fn at_most<T: PartialOrd + std::fmt::Display>(name: &str, number: T, most: T) -> Result<(), String> {
    match number <= most {
        true => Ok(()),
        false => Err(format!("{name} is {number}, and must be at most {most}")),
    }
}

/// Whether there is an upstream of this index.
pub(super) fn in_range(upstream: usize, upstreams: usize) -> Result<(), String> {
    match upstream < upstreams {
        true => Ok(()),
        false => Err(format!("there is no upstream {upstream}; there are {upstreams}, counted from 0")),
    }
}

impl Http {
    /// This status, with a body that says so.
    pub fn status(status: u16) -> Self {
        Self { status, body: format!("HTTP {status}"), ..Self::default() }
    }

    fn check(&self) -> Result<(), String> {
        if !(200..600).contains(&self.status) {
            return Err(format!("HTTP status {} is none from 200 to 599", self.status));
        }
        let texts = [self.location.as_ref(), self.retry_after.as_ref().and_then(RetryAfter::text)];
        match texts.into_iter().flatten().find(|text| HeaderValue::from_str(text).is_err()) {
            Some(text) => Err(format!("{text:?} cannot stand in a header")),
            None => Ok(()),
        }
    }
}

impl RetryAfter {
    fn text(&self) -> Option<&String> {
        match self {
            RetryAfter::Text(text) => Some(text),
            RetryAfter::Seconds(_) | RetryAfter::Date(_) => None,
        }
    }
}
