//! The document is what is served.

use serde_json::Value;

use crate::harness::{run, sqlite, world};

/// `openapi.json`, as it is committed.
pub fn committed() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("openapi.json")).expect("JSON")
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    run(async {
        let database = sqlite();
        let world = world(&database).await;
        let served = world.user.get("/openapi.json").await.expect(200);
        let hint = "write it anew: cargo run -p escrow-gateway -- openapi > gateway/openapi.json";
        assert!(served == committed(), "gateway/openapi.json is not what the code serves: {hint}");
    });
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &Value)| {
        let operations = item.as_object().expect("operations").clone();
        operations.into_iter().map(|(method, operation)| (method, path.clone(), operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn every_operation_says_who_may_use_it_and_how_it_fails() {
    let document = committed();
    assert_eq!(document["openapi"], "3.1.0");
    for (method, path, operation) in operations(&document) {
        assert!(operation["security"].is_array(), "{method} {path} does not say who may use it");
        assert!(operation["operationId"].is_string(), "{method} {path} has no name");
        assert!(operation["responses"].get("4XX").is_some(), "{method} {path}");
    }
}

#[test]
fn no_amount_and_no_slot_is_a_number() {
    let document = committed();
    fn look(value: &Value, place: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let wide = ["uint64", "int64"].contains(&fields.get("format").and_then(Value::as_str).unwrap_or(""));
                if wide && fields.get("type").is_some() {
                    found.push(place.to_owned());
                }
                fields.iter().for_each(|(name, value)| look(value, &format!("{place}/{name}"), found));
            }
            Value::Array(items) => items.iter().for_each(|item| look(item, place, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    look(&document, "", &mut found);
    // Times are small enough for every language.
    let times = ["unix", "seconds_from_now", "fund_by", "deliver_by", "deadline", "expires_at", "now", "created_at"];
    let times = [times.as_slice(), &["revoked_at", "next_deadline", "deadline_before", "behind_seconds"]].concat();
    let times = [times.as_slice(), &["learned_at", "complete_seconds_ago"]].concat();
    let of_webhooks = ["attempted_at", "delivered_at", "next_at", "rests_until", "since"];
    let times = [times.as_slice(), &of_webhooks].concat();
    let times = [times.as_slice(), &["seen_at", "until"]].concat();
    for place in found {
        let is_time = place.split('/').any(|part| times.contains(&part)) || place.starts_with("/paths/");
        assert!(is_time, "{place} is a number that JavaScript may not hold");
    }
}

#[test]
fn everything_that_is_named_is_there() {
    let document = committed();
    fn look(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a reference inside the document");
                    assert!(document.pointer(pointer).is_some(), "{reference} is not there");
                }
                fields.values().for_each(|value| look(value, document));
            }
            Value::Array(items) => items.iter().for_each(|item| look(item, document)),
            _ => {}
        }
    }
    look(&document, &document);
}
