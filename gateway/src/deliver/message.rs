//! What a receiver reads: `{type, timestamp, data}`, as the Standard Webhooks want it.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::store::Logged;

/// The most bytes of a body: receivers and what stands in front of them refuse longer ones.
const MOST_BYTES: usize = 20_000;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The header `webhook-id`.
    pub id: String,
    /// The body.
    pub body: String,
}

#[derive(Serialize)]
struct Body<'a, D> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: D,
}

/// An event, as it is told.
#[derive(Serialize)]
struct Event<'a> {
    /// The same for ever. What is provisional and what becomes of it have the same one, in two messages.
    id: &'a str,
    finality: &'a str,
    escrow: &'a str,
    /// In decimal digits, as every number that may be large.
    slot: String,
    /// Its place in the log.
    number: String,
    /// The event; null where it is too large for a message: then `link` leads to it.
    event: Option<Value>,
    link: Option<String>,
}

/// Under which id an event is told, to whomever and however often.
pub fn id_of(event: &str, finality: &str) -> String {
    let digest = Sha256::digest(format!("{event}\n{finality}").as_bytes());
    format!("evt_{}", hex::encode(digest.get(..16).unwrap_or_default()))
}

/// The message of an event. `public_url` begins its link.
///
/// # Errors
///
/// Where the log holds something that is not JSON.
pub fn of_event(logged: &Logged, public_url: &str) -> serde_json::Result<Message> {
    let (event, finality) = (&logged.event, logged.event.finality.name());
    let write = |whole: Option<Value>| {
        let path = format!("{public_url}/v1/escrows/{}/history", event.escrow);
        let link = whole.is_none().then_some(path);
        let data = Event {
            id: &event.id,
            finality,
            escrow: &event.escrow,
            slot: event.slot.to_string(),
            number: logged.number.to_string(),
            event: whole,
            link,
        };
        write(&format!("escrow.{}", event.kind), logged.learned_at, data)
    };
    let mut body = write(Some(serde_json::from_str(&event.body)?))?;
    if body.len() >= MOST_BYTES {
        body = write(None)?;
    }
    Ok(Message { id: id_of(&event.id, finality), body })
}

/// The message that tries an endpoint out.
///
/// # Errors
///
/// None: it can be written as JSON.
pub fn of_probe(id: String, endpoint: &str, now: i64) -> serde_json::Result<Message> {
    let data = serde_json::json!({"endpoint": endpoint});
    Ok(Message { id, body: write("probe", now, data)? })
}

fn write(kind: &str, at: i64, data: impl Serialize) -> serde_json::Result<String> {
    let timestamp = jiff::Timestamp::from_millisecond(at).unwrap_or_default().to_string();
    serde_json::to_string(&Body { kind, timestamp, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{EventFinality, NewEvent};

    fn logged(finality: EventFinality, body: &str) -> Logged {
        let event = NewEvent {
            id: "5:0:0".to_owned(),
            finality,
            kind: "fund".to_owned(),
            escrow: "E".to_owned(),
            slot: 7,
            body: body.to_owned(),
        };
        Logged { number: 3, event, learned_at: 1_700_000_000_123 }
    }

    #[test]
    fn a_message_is_thin_and_says_how_sure_it_is() {
        let message = of_event(&logged(EventFinality::Final, r#"{"text": "paid in"}"#), "https://g").unwrap();
        let body: Value = serde_json::from_str(&message.body).unwrap();
        let expected = serde_json::json!({"type": "escrow.fund", "timestamp": "2023-11-14T22:13:20.123Z", "data": {
            "id": "5:0:0", "finality": "final", "escrow": "E", "slot": "7", "number": "3", "event": {"text": "paid in"},
            "link": null}});
        assert_eq!(body, expected);
        // One id for each finality, and no full stop in it: the signature is over what stands between them.
        let provisional = of_event(&logged(EventFinality::Provisional, "{}"), "https://g").unwrap();
        assert!(message.id != provisional.id && !message.id.contains('.') && message.id.len() == 36, "{message:?}");
        let again = of_event(&logged(EventFinality::Final, r#"{"text": "paid in"}"#), "https://g").unwrap();
        assert_eq!(again, message);
    }

    #[test]
    fn what_is_too_large_is_a_link() {
        let body = |length: usize| format!("\"{}\"", "x".repeat(length));
        let large = of_event(&logged(EventFinality::Final, &body(MOST_BYTES)), "https://g").unwrap();
        assert!(large.body.len() < 1_000, "{}", large.body.len());
        assert!(large.body.contains(r#""event":null,"link":"https://g/v1/escrows/E/history""#), "{}", large.body);
        for length in MOST_BYTES - 300..MOST_BYTES {
            let message = of_event(&logged(EventFinality::Final, &body(length)), "https://g").unwrap();
            assert!(message.body.len() < MOST_BYTES, "{length}");
        }
        of_event(&logged(EventFinality::Final, "{"), "https://g").unwrap_err();
    }
}
