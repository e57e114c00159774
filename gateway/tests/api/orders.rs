//! Orders: an owner's own references, and many slow sources at once.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use escrow_gateway::{
    api::auth::Scope,
    config::{Bearer, Config},
};
use reqwest::Method;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::harness::{SOL, User, World, config, databases, net, people, run, sqlite, terms, world, world_with};

/// A shop's own services, each at `/{name}/{reference}`.
#[derive(Clone)]
struct Shop {
    address: SocketAddr,
    is_broken: Arc<AtomicBool>,
    bearers: Arc<Mutex<HashSet<String>>>,
    /// Who was asked about what, in order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shop = Self {
            address,
            is_broken: Arc::new(AtomicBool::new(true)),
            bearers: Arc::default(),
            asked: Arc::default(),
        };
        let router = Router::new().route("/{name}/{reference}", get(answer)).with_state(shop.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        shop
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/{name}/{{reference}}", self.address)
    }
}

/// From 50 to 5,000 ms, by the source and the order; some fail.
async fn answer(
    State(shop): State<Shop>,
    Path((name, reference)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(bearer) = headers.get("authorization") {
        shop.bearers.lock().unwrap().insert(bearer.to_str().unwrap().to_owned());
    }
    shop.asked.lock().unwrap().push(format!("{name}/{reference}"));
    let number: u64 = reference.rsplit('-').next().unwrap().parse().unwrap_or_default();
    let wait = match name.as_str() {
        "payment" => 50,
        "shipping" => 50 + number * 49,
        "stock" => 5_000,
        _ => 0,
    };
    tokio::time::sleep(Duration::from_millis(wait)).await;
    match name.as_str() {
        "broken" if shop.is_broken.load(Ordering::SeqCst) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "unknown" => StatusCode::NOT_FOUND.into_response(),
        "text" => "paid".into_response(),
        "long" => json!("x".repeat(10_000)).to_string().into_response(),
        "payment" if number % 10 == 3 => StatusCode::BAD_GATEWAY.into_response(),
        _ => axum::Json(json!({"of": reference, "by": name})).into_response(),
    }
}

fn allowing(shop: &Shop, mut config: Config) -> Config {
    config.egress_allow = vec![shop.address];
    config
}

async fn source(user: &User, shop: &Shop, name: &str, more: Value) -> Value {
    let mut body = json!({"owner": "shop", "name": name, "url": shop.url(name)});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user.post("/v1/order-sources", &body).await.expect(201)["source"].clone()
}

async fn order(user: &User, reference: &str, escrow: &str) {
    user.post("/v1/orders", &json!({"reference": reference, "escrow": escrow})).await.expect(201);
}

fn anywhere() -> String {
    Keypair::new().pubkey().to_string()
}

#[test]
fn a_reference_is_one_escrows_and_an_escrow_has_one_reference() {
    run(async {
        for database in databases() {
            let world = world(&database).await;
            let user = &world.user;
            let (one, two) = (anywhere(), anywhere());
            order(user, "17", &one).await;
            // The same once more changes nothing.
            order(user, "17", &one).await;
            for (reference, escrow, pointer) in [("17", &two, "/reference"), ("18", &one, "/escrow")] {
                let answer = user.post("/v1/orders", &json!({"reference": reference, "escrow": escrow})).await;
                assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "exists"));
                assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
            }
            for reference in ["", ".", "..", "a/b", "a b", "ü", "overview", &"x".repeat(41)] {
                let answer = user.post("/v1/orders", &json!({"reference": reference, "escrow": two})).await;
                assert_eq!(
                    (answer.code().as_str(), &answer.json()["errors"][0]["pointer"]),
                    ("invalid", &json!("/reference"))
                );
            }
            // Another owner has names of its own, and does not see these.
            let other = User::new(&world.gateway, "other", &Scope::ALL).await;
            assert_eq!(other.get("/v1/orders/17").await.code(), "not_found");
            assert_eq!(other.send(Method::DELETE, "/v1/orders/17", &[], None).await.code(), "not_found");
            assert_eq!(other.get("/v1/orders/overview?references=17").await.code(), "not_found");
            order(&other, "17", &two).await;
            assert_eq!(user.get("/v1/orders/17").await.expect(200)["order"]["escrow"], one);
            // Pages, the newest first.
            for reference in ["a", "b", "c"] {
                order(user, reference, &anywhere()).await;
            }
            let (mut seen, mut next) = (Vec::new(), "/v1/orders?limit=3".to_owned());
            loop {
                let page = user.get(&next).await.expect(200);
                seen.extend(page["orders"].as_array().unwrap().iter().map(|order| order["reference"].clone()));
                let Some(more) = page["next"].as_str() else { break };
                next = more.to_owned();
            }
            assert_eq!((seen.len(), seen.last()), (4, Some(&json!("17"))), "{seen:?}");
            assert_eq!(user.send(Method::DELETE, "/v1/orders/17", &[], None).await.status.as_u16(), 204);
            order(user, "17", &two).await;
        }
    });
}

#[test]
fn a_source_is_registered_by_an_admin_and_reaches_what_webhooks_reach() {
    run(async {
        let shop = Shop::start().await;
        let database = sqlite();
        let mut told = allowing(&shop, config(net().await.rpc_url()));
        let bearer = Bearer { token: "secret".to_owned(), url: format!("http://{}/payment/", shop.address) };
        told.bearers.insert("payment".to_owned(), bearer);
        let world = world_with(&database, told).await;
        let user = &world.user;
        let url = shop.url("payment");
        let made = source(user, &shop, "payment", json!({"bearer": "payment"})).await;
        for (body, pointer) in [
            (json!({"owner": "a b", "name": "x", "url": url}), "/owner"),
            (json!({"owner": "shop", "name": "X", "url": url}), "/name"),
            (json!({"owner": "shop", "name": "x", "url": "https://stock.example/"}), "/url"),
            (json!({"owner": "shop", "name": "x", "url": "https://{reference}.example/"}), "/url"),
            (json!({"owner": "shop", "name": "x", "url": "https://stock.example:{reference}/"}), "/url"),
            (json!({"owner": "shop", "name": "x", "url": "http://stock.example/{reference}"}), "/url"),
            (json!({"owner": "shop", "name": "x", "url": "https://10.0.0.1/{reference}"}), "/url"),
            (json!({"owner": "shop", "name": "x", "url": url, "timeout_ms": 0}), "/timeout_ms"),
            (json!({"owner": "shop", "name": "x", "url": url, "timeout_ms": 15_001}), "/timeout_ms"),
            (json!({"owner": "shop", "name": "x", "url": url, "fresh_ms": 3_600_001}), "/fresh_ms"),
            (json!({"owner": "shop", "name": "x", "url": url, "bearer": "none"}), "/bearer"),
            (json!({"owner": "shop", "name": "x", "url": shop.url("stock"), "bearer": "payment"}), "/bearer"),
        ] {
            let answer = user.post("/v1/order-sources", &body).await;
            assert_eq!(
                (answer.code().as_str(), &answer.json()["errors"][0]["pointer"]),
                ("invalid", &json!(pointer)),
                "{body}"
            );
        }
        let again = user.post("/v1/order-sources", &json!({"owner": "shop", "name": "payment", "url": url})).await;
        assert_eq!(again.code(), "exists");
        let listed = user.get("/v1/order-sources").await;
        assert!(!listed.text.contains("secret"), "{listed:?}");
        assert_eq!(listed.expect(200)["sources"], json!([made]));
        // The token goes where it is meant for.
        order(user, "o-1", &anywhere()).await;
        source(user, &shop, "other", json!({})).await;
        let overview = user.get("/v1/orders/overview").await.expect(200);
        assert_eq!(overview["orders"][0]["sources"][1]["value"], json!({"of": "o-1", "by": "payment"}), "{overview}");
        assert_eq!(*shop.bearers.lock().unwrap(), HashSet::from(["Bearer secret".to_owned()]));
        let path = format!("/v1/order-sources/{}", made["id"].as_str().unwrap());
        assert_eq!(user.send(Method::DELETE, &path, &[], None).await.status.as_u16(), 204);
        assert_eq!(user.send(Method::DELETE, &path, &[], None).await.code(), "not_found");
    });
}

/// The rows of an overview, and how long it took.
async fn overview(world: &World, deadline: u64, references: &[String]) -> (Vec<Value>, Duration) {
    let path = format!("/v1/orders/overview?deadline_ms={deadline}&references={}", references.join(","));
    let began = Instant::now();
    let answer = world.user.get(&path).await.expect(200);
    (answer["orders"].as_array().unwrap().clone(), began.elapsed())
}

#[test]
fn a_hundred_orders_of_three_slow_sources_are_answered_within_the_deadline() {
    run(async {
        let shop = Shop::start().await;
        let database = sqlite();
        let net = net().await;
        let world = world_with(&database, allowing(&shop, config(net.rpc_url()))).await;
        for name in ["payment", "shipping", "stock"] {
            source(&world.user, &shop, name, json!({"timeout_ms": 15_000})).await;
        }
        let people = people(net).await;
        let create = json!([{"type": "create", "terms": terms(net, &people, &[SOL]).await}]);
        let (prepared, _) = world.user.execute(create, &[&people[0]]).await;
        let escrow = prepared["expects"][0]["escrow"].as_str().unwrap();
        let references: Vec<String> = (0..100).map(|number| format!("o-{number}")).collect();
        for (number, reference) in references.iter().enumerate() {
            let address = if number == 0 { escrow.to_owned() } else { anywhere() };
            order(&world.user, reference, &address).await;
        }
        let (rows, took) = overview(&world, 2_000, &references).await;
        println!("100 orders of 3 sources, asked for the first time: {took:?} of 2 s");
        assert!(took < Duration::from_millis(4_000), "{took:?}");
        let mut reasons = [0; 3];
        for (number, (row, reference)) in rows.iter().zip(&references).enumerate() {
            assert_eq!(row["reference"], *reference);
            assert_eq!((&row["state"]["reason"], row["state"]["age_ms"].is_u64()), (&Value::Null, true), "{row}");
            assert_eq!(row["state"]["value"]["address"].as_str(), (number == 0).then_some(escrow));
            for (place, name) in ["payment", "shipping", "stock"].iter().enumerate() {
                let said = &row["sources"][place];
                assert_eq!(said["source"], *name);
                // Either it answered, or it says why not.
                assert_eq!(said["reason"].is_null(), said["value"] == json!({"of": reference, "by": name}), "{row}");
                reasons[place] += usize::from(said["reason"].is_string());
            }
        }
        assert_eq!(rows.len(), 100);
        // The quick one fails for ten orders, the middle one is late for the later ones, the slow one for all: none holds up
        // another.
        assert!(reasons[0] >= 10 && reasons[1] >= 50 && reasons[2] == 100, "{reasons:?}");
        // What did not answer in time is waited for behind the scenes: it comes with its age, and why it is not from now.
        tokio::time::sleep(Duration::from_secs(14)).await;
        let (rows, took) = overview(&world, 500, &references).await;
        println!("the same, when all have answered once: {took:?} of 0.5 s");
        assert!(took < Duration::from_millis(2_500), "{took:?}");
        for (row, reference) in rows.iter().zip(&references) {
            let said = &row["sources"][2];
            assert_eq!(said["value"], json!({"of": reference, "by": "stock"}));
            assert!(said["age_ms"].as_u64().unwrap() >= 1_000, "{said}");
            assert!(said["reason"].as_str().unwrap().contains("before the deadline"), "{said}");
        }
    });
}

#[test]
fn what_two_want_to_know_at_once_is_asked_once() {
    run(async {
        let shop = Shop::start().await;
        let database = sqlite();
        let world = world_with(&database, allowing(&shop, config(net().await.rpc_url()))).await;
        source(&world.user, &shop, "stock", json!({"timeout_ms": 15_000})).await;
        order(&world.user, "o-1", &anywhere()).await;
        let one = ["o-1".to_owned()];
        let (first, second) = tokio::join!(overview(&world, 300, &one), overview(&world, 20_000, &one));
        // The one that waits longer hears what the other has asked for.
        assert!(first.0[0]["sources"][0]["value"].is_null(), "{first:?}");
        assert_eq!(second.0[0]["sources"][0]["value"], json!({"of": "o-1", "by": "stock"}));
        assert_eq!(*shop.asked.lock().unwrap(), ["stock/o-1"]);
    });
}

#[test]
fn a_source_that_fails_is_left_alone_for_a_while_and_says_why() {
    run(async {
        let shop = Shop::start().await;
        let database = sqlite();
        let world = world_with(&database, allowing(&shop, config(net().await.rpc_url()))).await;
        for name in ["broken", "long", "text", "unknown"] {
            source(&world.user, &shop, name, json!({})).await;
        }
        source(&world.user, &shop, "kept", json!({"fresh_ms": 60_000})).await;
        order(&world.user, "o-1", &anywhere()).await;
        let one = ["o-1".to_owned()];
        let said = |rows: &[Value], name: &str| {
            let sources = rows[0]["sources"].as_array().unwrap().clone();
            sources.into_iter().find(|said| said["source"] == name).unwrap()
        };
        let (rows, _) = overview(&world, 5_000, &one).await;
        for (name, reason) in [("broken", "it answered 500"), ("long", "longer than"), ("text", "is not JSON")] {
            assert!(said(&rows, name)["reason"].as_str().unwrap().contains(reason), "{rows:?}");
        }
        assert_eq!((&said(&rows, "unknown")["value"], &said(&rows, "unknown")["reason"]), (&Value::Null, &Value::Null));
        // A fresh answer is not asked for again.
        let first = said(&rows, "kept")["age_ms"].as_u64().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (rows, _) = overview(&world, 5_000, &one).await;
        assert!(
            said(&rows, "kept")["age_ms"].as_u64().unwrap() >= first + 50 && said(&rows, "kept")["reason"].is_null()
        );
        for _ in 0..3 {
            overview(&world, 5_000, &one).await;
        }
        // From the sixth time on it is not asked, although it is well by now.
        shop.is_broken.store(false, Ordering::SeqCst);
        let (rows, _) = overview(&world, 5_000, &one).await;
        let reason = said(&rows, "broken")["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("failed again and again: it is asked again in"), "{reason}");
        for (query, pointer) in [
            ("deadline_ms=49", "deadline_ms"),
            ("deadline_ms=20001", "deadline_ms"),
            ("deadline_ms=x", "deadline_ms"),
            ("unknown=1", "unknown"),
        ] {
            let answer = world.user.get(&format!("/v1/orders/overview?{query}")).await;
            assert_eq!(
                (answer.code().as_str(), &answer.json()["errors"][0]["pointer"]),
                ("invalid", &json!(pointer)),
                "{query}"
            );
        }
        let many = vec!["o-1"; 101].join(",");
        assert_eq!(world.user.get(&format!("/v1/orders/overview?references={many}")).await.code(), "invalid");
        assert_eq!(world.user.get("/v1/orders/overview?references=o-1,none").await.code(), "not_found");
    });
}
