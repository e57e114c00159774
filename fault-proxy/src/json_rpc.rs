//! Requests and answers as JSON-RPC has them.

use serde_json::{Value, json};

use crate::rpc_error::RpcError;

/// A batch of more calls is passed on unread: no client makes one, and each call costs memory.
const MAX_CALLS: usize = 1000;

/// The option by which a client says how new an answer must be.
pub(crate) const MIN_CONTEXT_SLOT: &str = "minContextSlot";

/// What a client asks.
pub(crate) struct Request {
    pub(crate) kind: Kind,
    /// One; of a batch, several.
    pub(crate) calls: Vec<Call>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Single,
    Batch,
    /// Not JSON-RPC: passed on as it is.
    Opaque,
}

impl Request {
    /// What this body asks. If that is not JSON-RPC, it is one call of the method `name`.
    pub(crate) fn parse(body: &[u8], name: &str) -> Self {
        let opaque = || Self { kind: Kind::Opaque, calls: vec![Call(json!({ "method": name }))] };
        match serde_json::from_slice(body) {
            Ok(Value::Array(calls)) if (1..=MAX_CALLS).contains(&calls.len()) => {
                Self { kind: Kind::Batch, calls: calls.into_iter().map(Call).collect() }
            }
            Ok(call) if call.get("method").is_some_and(Value::is_string) => {
                Self { kind: Kind::Single, calls: vec![Call(call)] }
            }
            _ => opaque(),
        }
    }
}

/// One call of a method.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call(pub(crate) Value);

impl Call {
    /// Its method; nothing if what was sent is no call.
    pub(crate) fn method(&self) -> &str {
        self.0.get("method").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn params(&self) -> &Value {
        self.0.get("params").unwrap_or(&Value::Null)
    }

    /// The parameter of this index.
    pub(crate) fn param(&self, index: usize) -> Option<&Value> {
        self.params().get(index)
    }

    /// A member of the last parameter, in which Solana's methods have their options.
    pub(crate) fn option(&self, name: &str) -> Option<&Value> {
        self.params().as_array()?.last()?.get(name)
    }

    pub(crate) fn commitment(&self) -> &str {
        self.option("commitment").and_then(Value::as_str).unwrap_or("finalized")
    }

    pub(crate) fn id(&self) -> &Value {
        self.0.get("id").unwrap_or(&Value::Null)
    }

    /// Whether an answer is expected.
    pub(crate) fn is_notification(&self) -> bool {
        self.0.is_object() && self.0.get("id").is_none()
    }

    /// Whether a string in its parameters contains this.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        fn contains(value: &Value, text: &str) -> bool {
            match value {
                Value::String(string) => string.contains(text),
                Value::Array(items) => items.iter().any(|item| contains(item, text)),
                Value::Object(members) => members.values().any(|member| contains(member, text)),
                _ => false,
            }
        }
        contains(self.params(), text)
    }

    /// An answer to it.
    pub(crate) fn result(&self, result: Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.id(), "result": result })
    }

    /// An error in answer to it.
    pub(crate) fn error(&self, error: &RpcError) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.id(), "error": error })
    }
}

/// The answer to each of these calls, in their order, from the body with which an upstream answered.
pub(crate) fn answers(kind: Kind, calls: &[&Call], body: Value) -> Vec<Option<Value>> {
    match (kind, body) {
        (Kind::Batch, Value::Array(answers)) => {
            let mut answers: Vec<Option<Value>> = answers.into_iter().map(Some).collect();
            let mut take = |call: &Call| {
                let answer = |answer: &&mut Option<Value>| {
                    answer.as_ref().is_some_and(|answer| answer.get("id").unwrap_or(&Value::Null) == call.id())
                };
                answers.iter_mut().find(answer).and_then(Option::take)
            };
            calls.iter().map(|call| if call.is_notification() { None } else { take(call) }).collect()
        }
        // A node that refuses a whole batch does so with one error.
        (Kind::Batch, _) | (Kind::Opaque, _) => vec![None; calls.len()],
        (Kind::Single, body) => vec![Some(body)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> (Kind, Vec<String>) {
        let request = Request::parse(body.as_bytes(), "POST /");
        (request.kind, request.calls.iter().map(|call| call.method().to_owned()).collect())
    }

    #[test]
    fn what_is_no_request_is_passed_on() {
        for body in ["", "{", "null", "[]", "7", "{\"method\":1}", "\u{0}", &"[".repeat(100_000)] {
            assert_eq!(parse(body), (Kind::Opaque, vec!["POST /".to_owned()]), "{body:.20}");
        }
        let many = format!("[{}0]", "0,".repeat(MAX_CALLS));
        assert_eq!(parse(&many).0, Kind::Opaque);
    }

    #[test]
    fn a_batch_may_contain_anything() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(parse(r#"{"method":"a"}"#), (Kind::Single, names(&["a"])));
        assert_eq!(parse(r#"[{"method":"a"},7,{"method":null},[]]"#), (Kind::Batch, names(&["a", "", "", ""])));
    }

    #[test]
    fn answers_find_their_calls_by_id() {
        let call = |id: i32| Call(json!({ "method": "a", "id": id }));
        let calls = [call(1), call(2), call(2), call(3), Call(json!({ "method": "a" }))];
        let answer = |id: i32, result: &str| json!({ "id": id, "result": result });
        let body = json!([answer(2, "b"), answer(1, "a"), answer(2, "c"), answer(9, "x"), 7]);
        let found = answers(Kind::Batch, &calls.iter().collect::<Vec<_>>(), body);
        assert_eq!(found, [Some(answer(1, "a")), Some(answer(2, "b")), Some(answer(2, "c")), None, None]);
    }
}
