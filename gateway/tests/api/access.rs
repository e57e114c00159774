//! Every route × who asks, from the table that the routes themselves are guarded by.

use escrow_gateway::{
    api::{
        self,
        auth::{Access, Scope, Table},
    },
    now_ms,
};
use reqwest::Method;
use serde_json::json;

use crate::harness::{User, databases, make_key, net, people, run, terms, world};

/// Whoever adds a route that anybody may use adds it here too.
const PUBLIC: &[&str] = &[
    "GET /livez",
    "GET /readyz",
    "GET /openapi.json",
    "GET /v1/cluster",
    "POST /v1/terms",
    "POST /v1/auth/challenge",
    "POST /v1/auth/sessions",
    "GET /pay/{escrow}",
    "POST /pay/{escrow}",
    "GET /actions.json",
    "GET /actions/escrows/{escrow}",
    "POST /actions/escrows/{escrow}",
];

fn concrete(path: &str) -> String {
    let address = "So11111111111111111111111111111111111111112";
    path.replace("{address}", address)
        .replace("{escrow}", address)
        .replace("{id}", "0123456789abcdef")
        .replace("{delivery}", "evt_0")
        .replace("{reference}", "none")
}

#[test]
fn every_route_is_closed_to_whom_it_says() {
    run(async {
        for database in databases() {
            let world = world(&database).await;
            let (gateway, store) = (&world.gateway, &world.gateway.store);
            let table = Table::of(&api::openapi());
            let with = |key: &str| User::with(gateway, Some(key.to_owned()));
            let (expired, _) = make_key(store, "shop", &Scope::ALL, Some(now_ms() / 1_000 - 5)).await;
            let (revoked, id) = make_key(store, "shop", &Scope::ALL, None).await;
            assert!(store.revoke(&id, "key", now_ms()).await.unwrap());
            let (good, _) = make_key(store, "shop", &Scope::ALL, None).await;
            // The right id with another secret, a session's prefix, too short, and another scheme's words.
            let last = if good.ends_with('0') { '1' } else { '0' };
            let wrong = format!("{}{last}", &good[..good.len() - 1]);
            let (mut public, mut closed) = (Vec::new(), 0);
            for (method, path, access) in table.rows() {
                let method: Method = method.as_str().parse().unwrap();
                let place = concrete(path);
                let ask = |user: User| {
                    let (method, place) = (method.clone(), place.clone());
                    async move { user.json(method, &place, &[], &json!({})).await }
                };
                let Access::Scopes(needed) = access else {
                    public.push(format!("{method} {path}"));
                    continue;
                };
                closed += 1;
                assert!(!needed.is_empty(), "{method} {path} asks for a key and for no scope");
                for (key, code) in [
                    (None, "unauthorized"),
                    (Some(expired.as_str()), "expired"),
                    (Some(revoked.as_str()), "revoked"),
                    (Some(wrong.as_str()), "unauthorized"),
                    (Some(good.replace("esk_", "ess_").as_str()), "unauthorized"),
                    (Some("esk_"), "unauthorized"),
                    (Some(""), "unauthorized"),
                ] {
                    let user = key.map_or_else(|| User::with(gateway, None), with);
                    let answer = ask(user).await;
                    assert_eq!(
                        (answer.status.as_u16(), answer.code().as_str()),
                        (401, code),
                        "{method} {path} {key:?}"
                    );
                }
                for missing in needed {
                    let others: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| scope != missing).collect();
                    let answer = ask(User::new(gateway, "shop", &others).await).await;
                    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "scope"), "{method} {path}");
                }
                let answer = ask(User::new(gateway, "shop", needed).await).await;
                assert!(![401, 403].contains(&answer.status.as_u16()) || path.ends_with("/current"), "{method} {path}");
            }
            public.sort();
            let mut expected: Vec<String> = PUBLIC.iter().map(ToString::to_string).collect();
            expected.sort();
            assert_eq!(public, expected);
            assert!(closed >= 9, "{closed} routes are closed");
        }
    });
}

#[test]
fn what_is_somebody_elses_is_not_there() {
    run(async {
        for database in databases() {
            let world = world(&database).await;
            let net = net().await;
            let people = people(net).await;
            let terms = terms(net, &people, &[1_000_000_000]).await;
            let create = json!([{"type": "create", "terms": terms}]);
            let (prepared, status) = world.user.execute(create, &[&people[0]]).await;
            let (id, signature) = (prepared["id"].as_str().unwrap(), status["signature"].as_str().unwrap());
            assert_eq!(status["status"], "finalized", "{status}");
            let other = User::new(&world.gateway, "other", &Scope::ALL).await;
            let same = User::new(&world.gateway, "shop", &[Scope::Read]).await;
            same.get(&format!("/v1/transactions/{id}")).await.expect(200);
            assert_eq!(other.get(&format!("/v1/transactions/{id}")).await.code(), "not_found");
            // What the chain knows everybody may read, but not what was prepared.
            let public = other.get(&format!("/v1/transactions/{signature}")).await.expect(200);
            assert_eq!((&public["prepared"], &public["id"]), (&json!(null), &json!(null)));
            assert_eq!(public["status"], "finalized");
            let path = format!("/v1/transactions/{id}/signed");
            let body = json!({"transaction": prepared["transaction"]});
            assert_eq!(other.json(Method::PUT, &path, &[], &body).await.code(), "not_found");
        }
    });
}

#[test]
fn a_wallet_signs_in_once_for_each_challenge() {
    use solana_signer::Signer;
    run(async {
        for database in databases() {
            let world = world(&database).await;
            let nobody = User::with(&world.gateway, None);
            let wallet = solana_keypair::Keypair::new();
            let ask = json!({"address": wallet.pubkey().to_string()});
            let challenge = nobody.post("/v1/auth/challenge", &ask).await.expect(200);
            let message = challenge["message"].as_str().unwrap();
            assert!(
                message.starts_with("127.0.0.1:8080 wants you to sign in with your Solana account:\n"),
                "{message}"
            );
            let session = |signature: String| {
                let (nobody, nonce) = (nobody.clone(), challenge["nonce"].clone());
                async move { nobody.post("/v1/auth/sessions", &json!({"nonce": nonce, "signature": signature})).await }
            };
            let good = wallet.sign_message(message.as_bytes()).to_string();
            let made = session(good.clone()).await.expect(201);
            assert_eq!(session(good).await.code(), "challenge", "a challenge is used once");
            // A false signature uses it up too.
            let second = nobody.post("/v1/auth/challenge", &ask).await.expect(200);
            let nonce = &second["nonce"];
            let false_one = solana_keypair::Keypair::new().sign_message(second["message"].as_str().unwrap().as_bytes());
            let body = json!({"nonce": nonce, "signature": false_one.to_string()});
            assert_eq!(nobody.post("/v1/auth/sessions", &body).await.code(), "challenge");
            let late = wallet.sign_message(second["message"].as_str().unwrap().as_bytes());
            let body = json!({"nonce": nonce, "signature": late.to_string()});
            assert_eq!(nobody.post("/v1/auth/sessions", &body).await.code(), "challenge");
            // The session may read and build, manages no keys, and ends.
            let user = User::with(&world.gateway, made["token"].as_str().map(str::to_owned));
            user.get("/v1/escrows?limit=1").await.expect(200);
            assert_eq!(user.get("/v1/api-keys").await.code(), "scope");
            let out = user.send(Method::DELETE, "/v1/auth/sessions/current", &[], None).await;
            assert_eq!(out.status.as_u16(), 204);
            assert_eq!(user.get("/v1/escrows?limit=1").await.code(), "revoked");
        }
    });
}

#[test]
fn keys_are_made_listed_and_revoked() {
    run(async {
        for database in databases() {
            let world = world(&database).await;
            let user = &world.user;
            let body = json!({"owner": "till", "name": "the till", "scopes": ["read", "read", "build"]});
            let answer = user.json(Method::POST, "/v1/api-keys", &[("idempotency-key", "k1")], &body).await;
            assert_eq!(
                answer.headers["location"],
                format!("/v1/api-keys/{}", answer.json()["key"]["id"].as_str().unwrap())
            );
            let made = answer.expect(201);
            assert_eq!(made["key"]["scopes"], json!(["read", "build"]));
            let again = user.json(Method::POST, "/v1/api-keys", &[("idempotency-key", "k1")], &body).await;
            assert_eq!(again.headers["idempotent-replayed"], "true");
            // The secret was written nowhere, so it cannot be told again.
            assert_eq!((again.expect(201)["token"].clone(), &again.json()["key"]), (json!(null), &made["key"]));
            let till = User::with(&world.gateway, made["token"].as_str().map(str::to_owned));
            till.get("/v1/escrows?limit=1").await.expect(200);
            let mut seen = Vec::new();
            let mut path = "/v1/api-keys?limit=1".to_owned();
            loop {
                let page = user.get(&path).await.expect(200);
                seen.extend(page["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()));
                assert!(!page.to_string().contains("secret"), "{page}");
                let Some(next) = page["next"].as_str() else { break };
                path = next.to_owned();
            }
            assert_eq!(seen.len(), 2, "{seen:?}");
            let path = format!("/v1/api-keys/{}", made["key"]["id"].as_str().unwrap());
            for _ in 0..2 {
                assert_eq!(user.send(Method::DELETE, &path, &[], None).await.status.as_u16(), 204);
            }
            assert_eq!(till.get("/v1/escrows?limit=1").await.code(), "revoked");
            assert_eq!(user.send(Method::DELETE, "/v1/api-keys/none", &[], None).await.code(), "not_found");
            for (body, pointer) in [
                (json!({"owner": "", "scopes": ["read"]}), "/owner"),
                (json!({"owner": "a b", "scopes": ["read"]}), "/owner"),
                (json!({"owner": "a", "scopes": []}), "/scopes"),
                (json!({"owner": "a", "scopes": ["all"]}), "/scopes/0"),
                (json!({"owner": "a", "scopes": ["read"], "expires_at": 1}), "/expires_at"),
                (json!({"owner": "a", "scopes": ["read"], "expires_at": i64::MAX}), "/expires_at"),
                (json!({"owner": "a", "scopes": ["read"], "name": "\u{7}"}), "/name"),
            ] {
                let answer = user.post("/v1/api-keys", &body).await;
                assert_eq!(answer.code(), "invalid", "{body}");
                assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
            }
        }
    });
}

#[test]
fn too_many_requests_are_told_when_to_come_again() {
    run(async {
        let mut config = crate::harness::config(net().await.rpc_url());
        config.limits.anonymous_per_minute = 3;
        config.limits.owner_per_minute = 5;
        let database = crate::harness::sqlite();
        let gateway = crate::harness::gateway(&database, config).await;
        let nobody = User::with(&gateway, None);
        for left in (0..3).rev() {
            let answer = nobody.get("/livez").await;
            assert_eq!(answer.headers["ratelimit"], format!("\"anonymous\";r={left};t=60"));
        }
        let answer = nobody.get("/livez").await;
        assert_eq!(answer.code(), "rate_limited");
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
        // Who guesses keys is slowed down too.
        let guess = format!("esk_{}_{}", "0".repeat(16), "0".repeat(64));
        assert_eq!(User::with(&gateway, Some(guess)).get("/livez").await.code(), "rate_limited");
        // Two keys of one owner share what they have.
        let (first, second) =
            (User::new(&gateway, "a", &[Scope::Read]).await, User::new(&gateway, "a", &[Scope::Read]).await);
        for user in [&first, &second, &first, &second, &first] {
            assert!(user.get("/livez").await.status.is_success());
        }
        assert_eq!(second.get("/livez").await.code(), "rate_limited");
        assert!(User::new(&gateway, "b", &[Scope::Read]).await.get("/livez").await.status.is_success());
    });
}
