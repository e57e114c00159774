//! `promised.txt`: every field of every good answer, with its type, as clients rely on it. A line is added with a field and never
//! changed: what would change one is another version of the interface.

use std::collections::BTreeSet;

use escrow_gateway::now_ms;
use serde_json::Value;
use solana_signer::Signer;

use crate::{
    contract::committed,
    harness::{User, config, gateway, run, sqlite, world},
};

/// The lines of a document.
fn lines(document: &Value) -> BTreeSet<String> {
    let mut reader = Reader { document, above: Vec::new(), lines: BTreeSet::new() };
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                if !status.starts_with('2') {
                    continue;
                }
                let place = format!("{} {path} {status}", method.to_uppercase());
                reader.lines.insert(place.clone());
                for content in response["content"].as_object().into_iter().flat_map(|kinds| kinds.values()) {
                    reader.read(&content["schema"], &place, false);
                }
            }
        }
    }
    reader.lines
}

struct Reader<'d> {
    document: &'d Value,
    /// The names that are being read: what holds itself is told once.
    above: Vec<String>,
    lines: BTreeSet<String>,
}

impl Reader<'_> {
    fn read(&mut self, schema: &Value, place: &str, nullable: bool) {
        if let Some(reference) = schema["$ref"].as_str() {
            if self.above.iter().any(|name| name == reference) {
                return;
            }
            self.above.push(reference.to_owned());
            let named = self.document.pointer(reference.trim_start_matches('#')).expect("what is named").clone();
            self.read(&named, place, nullable);
            self.above.pop();
            return;
        }
        let is_null = |part: &Value| part["type"] == "null";
        for kind in ["allOf", "oneOf", "anyOf"] {
            let parts = schema[kind].as_array().map_or(&[][..], Vec::as_slice);
            let nullable = nullable || parts.iter().any(is_null);
            parts.iter().filter(|part| !is_null(part)).for_each(|part| self.read(part, place, nullable));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let nullable = if nullable || kinds.contains(&"null") { " or null" } else { "" };
        for kind in kinds.into_iter().filter(|kind| *kind != "null") {
            self.lines.insert(format!("{place}: {kind}{nullable}"));
        }
        for word in schema["enum"].as_array().into_iter().flatten() {
            self.lines.insert(format!("{place} = {word}"));
        }
        if schema["items"].is_object() {
            self.read(&schema["items"], &format!("{place}[]"), false);
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            self.read(field, &format!("{place} {name}"), false);
        }
    }
}

#[test]
fn what_was_promised_is_kept_and_what_is_new_is_promised() {
    let text = include_str!("../../promised.txt");
    let promised: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let served = lines(&committed());
    let broken: Vec<&String> = promised.difference(&served).collect();
    assert!(broken.is_empty(), "clients rely on these, and they are gone or changed: {broken:#?}");
    let new: Vec<&str> = served.difference(&promised).map(String::as_str).collect();
    assert!(new.is_empty(), "add to gateway/promised.txt, sorted:\n{}", new.join("\n"));
    assert!(text.lines().is_sorted(), "gateway/promised.txt is not sorted");
}

#[test]
fn a_cluster_whose_clock_is_behind_says_by_how_much() {
    run(async {
        let database = sqlite();
        let world = world(&database).await;
        let before = now_ms() / 1_000;
        let cluster = world.user.get("/v1/cluster").await.expect(200);
        let after = now_ms() / 1_000;
        let gateways = cluster["now"].as_i64().unwrap() + cluster["behind_seconds"].as_i64().unwrap();
        assert!((before..=after).contains(&gateways), "{before} {after} {cluster}");
    });
}

#[test]
fn the_program_that_is_deployed_can_be_compared_with_the_committed_one() {
    use escrow_localnet::{Config, Localnet, Program};
    run(async {
        let sum = include_str!("../../../programs/escrow/elf/escrow.so.sha256").split(' ').next().unwrap();
        let database = sqlite();
        let deployed = world(&database).await.user.get("/v1/cluster").await.expect(200)["deployed"].clone();
        assert_eq!((&deployed["sha256"], &deployed["is_released"]), (&sum.into(), &true.into()), "{deployed}");
        assert_eq!(deployed["upgrade_authority"], Value::Null);
        // Other bytes under somebody's authority, and no program.
        let authority = solana_keypair::Keypair::new().pubkey();
        let other = include_bytes!("../../../tests/programs/vault/elf/test_vault.so");
        let other = Program::new(escrow_client::escrow::ID, other.as_slice()).upgradeable_by(authority);
        for (programs, is_there) in [(vec![other], true), (vec![], false)] {
            let net = Localnet::start(Config { programs, ..Config::default() }).await.unwrap();
            let database = sqlite();
            let gateway = gateway(&database, config(net.rpc_url())).await;
            let deployed = User::with(&gateway, None).get("/v1/cluster").await.expect(200)["deployed"].clone();
            assert_eq!(deployed.is_object(), is_there, "{deployed}");
            if is_there {
                assert_eq!((&deployed["is_released"], &deployed["released_sha256"]), (&false.into(), &sum.into()));
                assert_eq!(deployed["upgrade_authority"], authority.to_string());
            }
        }
    });
}

#[test]
fn a_field_that_goes_or_changes_is_noticed() {
    let before = committed();
    let status = "/components/schemas/TransactionStatus/properties/status";
    let mut gone = before.clone();
    gone.pointer_mut("/components/schemas/TransactionStatus/properties")
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove("slot");
    let mut renamed = before.clone();
    *renamed.pointer_mut("/components/schemas/TransactionState/enum/0").unwrap() = "waiting".into();
    let mut retyped = before.clone();
    *retyped.pointer_mut("/components/schemas/ClusterAnswer/properties/slot/type").unwrap() = "integer".into();
    let mut loosened = before.clone();
    *loosened.pointer_mut(status).unwrap() =
        serde_json::json!({"oneOf": [{"$ref": "#/components/schemas/TransactionState"}, {"type": "null"}]});
    let promised = lines(&before);
    for (name, changed) in [("gone", gone), ("renamed", renamed), ("retyped", retyped), ("loosened", loosened)] {
        assert!(!promised.is_subset(&lines(&changed)), "{name}");
    }
}
