//! Whatever a client sends: a problem with a code and a place, never a panic, never a 500.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{SOL, User, net, people, run, sqlite, terms, world};

/// What is sent, with which headers, and the code that comes back.
type Case = (&'static str, Vec<u8>, Vec<(&'static str, &'static str)>, &'static str);

const ADDRESS: &str = "So11111111111111111111111111111111111111112";

#[test]
fn bodies_that_are_no_requests() {
    run(async {
        let database = sqlite();
        let world = world(&database).await;
        let user = &world.user;
        let json_type = ("content-type", "application/json");
        let deep = "[".repeat(100_000);
        let cases: Vec<Case> = vec![
            ("nothing", vec![], vec![json_type], "malformed"),
            ("no type", b"{}".to_vec(), vec![], "media_type"),
            ("text", b"{}".to_vec(), vec![("content-type", "text/plain")], "media_type"),
            ("half", b"{\"actions\": [".to_vec(), vec![json_type], "malformed"),
            ("two", b"{} {}".to_vec(), vec![json_type], "invalid"),
            ("utf-8", b"{\"fee_payer\": \"\xff\xfe\"}".to_vec(), vec![json_type], "malformed"),
            ("surrogate", br#"{"fee_payer": "\ud800"}"#.to_vec(), vec![json_type], "malformed"),
            ("deep", deep.as_bytes()[..60_000].to_vec(), vec![json_type], "malformed"),
            ("10 MB", vec![b' '; 10_000_000], vec![json_type], "body_too_large"),
            ("list", b"[]".to_vec(), vec![json_type], "invalid"),
            ("number", b"1e400".to_vec(), vec![json_type], "malformed"),
            ("packed", b"{}".to_vec(), vec![json_type, ("content-encoding", "gzip")], "media_type"),
            ("null", b"null".to_vec(), vec![json_type], "invalid"),
        ];
        for (path, method) in [
            ("/v1/terms", Method::POST),
            ("/v1/transactions", Method::POST),
            ("/v1/transactions/x/signed", Method::PUT),
            ("/v1/auth/challenge", Method::POST),
            ("/v1/auth/sessions", Method::POST),
            ("/v1/api-keys", Method::POST),
        ] {
            for (name, body, headers, code) in &cases {
                let answer = user.send(method.clone(), path, headers, Some(body.clone())).await;
                let found = answer.code();
                // A struct may be read from a list, and then lacks its fields.
                assert!(found == *code || (found == "invalid" && *code == "malformed"), "{path} {name}: {answer:?}");
                assert!(answer.status.is_client_error(), "{path} {name}: {answer:?}");
            }
        }
    });
}

fn with(base: &Value, field: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[field] = value;
    changed
}

#[test]
fn values_at_their_ends() {
    run(async {
        let net = net().await;
        let database = sqlite();
        let world = world(&database).await;
        let user = &world.user;
        let people = people(net).await;
        let good = terms(net, &people, &[SOL]).await;
        let milestone = |amount: Value, deliver_by: Value| json!([{"amount": amount, "deliver_by": deliver_by}]);
        let soon = good["milestones"][0]["deliver_by"].clone();
        let many = |count: usize| Value::Array(vec![good["milestones"][0].clone(); count]);
        let cases = vec![
            ("u64 overflow", with(&good, "milestones", milestone(json!("18446744073709551616"), soon.clone()))),
            ("a number", with(&good, "milestones", milestone(json!(1), soon.clone()))),
            ("negative", with(&good, "milestones", milestone(json!("-1"), soon.clone()))),
            ("zero", with(&good, "milestones", milestone(json!("0"), soon.clone()))),
            ("the sum overflows", {
                let most = json!({"amount": "18446744073709551615", "deliver_by": soon});
                with(&good, "milestones", json!([most, most]))
            }),
            ("time at its end", with(&good, "milestones", milestone(json!("1"), json!(i64::MAX)))),
            ("time at its beginning", with(&good, "milestones", milestone(json!("1"), json!(i64::MIN)))),
            ("time beyond", with(&good, "milestones", milestone(json!("1"), json!(1e30)))),
            ("no milestone", with(&good, "milestones", json!([]))),
            ("nine milestones", with(&good, "milestones", many(9))),
            ("hundreds of milestones", with(&good, "milestones", many(700))),
            ("fund_by", with(&good, "fund_by", json!(i64::MIN))),
            ("fund_by far", with(&good, "fund_by", json!(i64::MAX))),
            ("u32", with(&good, "cooling_off_seconds", json!(u64::MAX))),
            ("u32 most", with(&good, "cooling_off_seconds", json!(u32::MAX))),
            ("share", with(&good, "unruled_bps", json!(10_001))),
            ("nobody", with(&good, "buyer", json!("11111111111111111111111111111111"))),
            ("the same person", with(&good, "buyer", good["seller"].clone())),
            ("short", with(&good, "buyer", json!("abc"))),
            ("unicode", with(&good, "buyer", json!("买家😀"))),
            ("unknown", with(&good, "discount", json!(1))),
            ("retention", with(&good, "retention", json!({"bps": 10_001, "seconds": 1}))),
            ("all retained", with(&good, "retention", json!({"bps": 10_000, "seconds": 1}))),
            ("a mint alone", with(&good, "mint", json!(ADDRESS))),
            ("hash", with(&good, "hashlock", json!("00"))),
        ];
        for (name, terms) in cases {
            for (path, body, prefix) in [
                ("/v1/terms", json!({"terms": terms}), "/terms"),
                (
                    "/v1/transactions",
                    json!({"actions": [{"type": "create", "terms": terms}], "fee_payer": ADDRESS}),
                    "/actions/0/terms",
                ),
            ] {
                let answer = user.post(path, &body).await;
                assert_eq!(answer.status.as_u16(), 422, "{path} {name}: {answer:?}");
                let problem = answer.json();
                assert!(["invalid", "refused"].contains(&answer.code().as_str()), "{name}: {problem}");
                let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
                assert!(pointer.starts_with(prefix), "{path} {name}: {pointer}");
            }
        }
        let order = json!({"actions": [{"type": "fund", "escrow": ADDRESS}], "fee_payer": ADDRESS});
        let cases = vec![
            ("no actions", with(&order, "actions", json!([])), "/actions"),
            ("17 actions", with(&order, "actions", Value::Array(vec![order["actions"][0].clone(); 17])), "/actions"),
            ("nonce without account", with(&order, "lifetime", json!({"kind": "nonce"})), "/lifetime/account"),
            (
                "an account without nonce",
                with(&order, "lifetime", json!({"kind": "blockhash", "account": ADDRESS})),
                "/lifetime/account",
            ),
            ("another lifetime", with(&order, "lifetime", json!({"kind": "for ever"})), "/lifetime/kind"),
            ("price", with(&order, "compute_unit_price", json!("18446744073709551616")), "/compute_unit_price"),
            ("fee payer", with(&order, "fee_payer", json!(7)), "/fee_payer"),
            (
                "milestone 0",
                with(&order, "actions", json!([{"type": "expire", "escrow": ADDRESS, "milestone": 0}])),
                "/actions/0/escrow",
            ),
        ];
        for (name, body, pointer) in cases {
            let answer = user.post("/v1/transactions", &body).await;
            assert!(answer.status.is_client_error(), "{name}: {answer:?}");
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{name}: {answer:?}");
        }
        // The largest price is taken; what it would cost does not wrap.
        let create = json!([{"type": "create", "terms": good}]);
        let most = json!({"actions": create, "fee_payer": good["buyer"], "compute_unit_price": u64::MAX.to_string()});
        let prepared = user.post("/v1/transactions", &most).await.expect(201);
        assert!(prepared["cost"]["fee"]["units"].as_str().unwrap().len() > 15, "{prepared}");
    });
}

#[test]
fn paths_queries_and_methods() {
    run(async {
        let database = sqlite();
        let world = world(&database).await;
        let user = &world.user;
        for (path, status, code) in [
            ("/v1/nothing", 404, "no_route"),
            ("/v1/escrows/", 404, "no_route"),
            ("/v1/escrows/x", 422, "invalid"),
            ("/v1/escrows/%ff", 400, "malformed"),
            ("/v1/escrows/%00", 422, "invalid"),
            (&format!("/v1/escrows/{}", "1".repeat(5_000)), 422, "invalid"),
            (&format!("/v1/escrows/{ADDRESS}?finality=processed"), 422, "invalid"),
            (&format!("/v1/escrows/{ADDRESS}"), 422, "not_an_escrow"),
            ("/v1/escrows/TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", 422, "not_an_escrow"),
            ("/v1/escrows?limit=0", 422, "invalid"),
            ("/v1/escrows?limit=101", 422, "invalid"),
            ("/v1/escrows?limit=-1", 422, "invalid"),
            ("/v1/escrows?limit=x", 422, "invalid"),
            ("/v1/escrows?limit=1&limit=2", 422, "invalid"),
            ("/v1/escrows?cursor=!", 422, "invalid"),
            ("/v1/escrows?role=buyer", 422, "invalid"),
            ("/v1/escrows?party=x", 422, "invalid"),
            ("/v1/escrows?status=broken", 422, "invalid"),
            ("/v1/escrows?colour=red", 422, "invalid"),
            ("/v1/escrows?deadline_before=99999999999999999999", 422, "invalid"),
            ("/v1/transactions/none", 404, "not_found"),
            (&format!("/v1/transactions/{}", "1".repeat(64)), 404, "not_found"),
        ] {
            let answer = user.get(path).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}: {answer:?}");
        }
        for (query, pointer) in [
            ("limit=0", "limit"),
            ("limit=x", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=1&limit=2", "query"),
            ("colour=red", "colour"),
            ("party=x", "party"),
            ("status=broken", "status"),
            ("deadline_before=9223372036854775808", "deadline_before"),
        ] {
            let answer = user.get(&format!("/v1/escrows?{query}")).await;
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}: {answer:?}");
        }
        for (method, path) in [
            (Method::DELETE, "/v1/cluster"),
            (Method::PATCH, "/v1/escrows"),
            (Method::PUT, "/v1/transactions"),
            (Method::TRACE, "/livez"),
            (Method::from_bytes(b"BREW").unwrap(), "/v1/terms"),
        ] {
            let answer = user.send(method.clone(), path, &[], None).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (405, "method"), "{method} {path}");
        }
        // A header that means one thing stands there once.
        let create = json!({"actions": [{"type": "fund", "escrow": ADDRESS}], "fee_payer": ADDRESS});
        let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
        let answer = user.json(Method::POST, "/v1/transactions", &two, &create).await;
        assert_eq!((answer.code().as_str(), answer.status.as_u16()), ("malformed", 400), "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "Idempotency-Key");
        let key = format!("Bearer {}", user.key.as_deref().unwrap());
        let nobody = User::with(&world.gateway, None);
        let two = [("authorization", key.as_str()), ("authorization", key.as_str())];
        assert_eq!(nobody.send(Method::GET, "/v1/api-keys", &two, None).await.code(), "malformed");
        // A scheme's letters are of either case.
        for scheme in ["bearer", "BEARER", "Bearer "] {
            let key = format!("{scheme} {}", user.key.as_deref().unwrap());
            nobody.send(Method::GET, "/v1/api-keys", &[("authorization", key.as_str())], None).await.expect(200);
        }
        // Headers that say nothing.
        let answer = nobody.send(Method::GET, "/livez", &[("authorization", "Basic eDp5")], None).await;
        assert_eq!(answer.code(), "unauthorized");
        let answer = nobody.send(Method::GET, "/v1/cluster", &[("x-forwarded-for", "not an address")], None).await;
        assert_eq!(answer.expect(200)["version"], 1);
        assert_eq!(answer.headers["x-request-id"].to_str().unwrap().len(), 24);
    });
}

#[test]
fn without_a_node_it_says_so_and_is_not_ready() {
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dead = format!("http://{}/?api-key=secret", listener.local_addr().unwrap());
        drop(listener);
        let database = sqlite();
        let gateway = crate::harness::gateway(&database, crate::harness::config(&dead)).await;
        let user = User::new(&gateway, "shop", &escrow_gateway::api::auth::Scope::ALL).await;
        let answer = user.get(&format!("/v1/escrows/{ADDRESS}")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "node"));
        assert!(answer.headers.contains_key("retry-after") && !answer.text.contains("secret"), "{answer:?}");
        let ready = user.get("/readyz").await;
        assert!(!ready.text.contains("secret"));
        let ready = ready.expect(503);
        assert_eq!((&ready["ready"], &ready["checks"][1]["ready"]), (&json!(false), &json!(false)));
        assert_eq!(user.get("/livez").await.status.as_u16(), 200);
        // What needs no node works.
        let now = escrow_gateway::now_ms() / 1_000;
        let seller = "4Nd1mYvjVtZ4f3cFqkpJqwJpu4L2QjSaFfBtBpBpBpBp";
        let terms =
            json!({"buyer": ADDRESS, "seller": seller, "milestones": [{"amount": "1", "deliver_by": now + 86_400}]});
        user.post("/v1/terms", &json!({"terms": terms})).await.expect(200);
    });
}
