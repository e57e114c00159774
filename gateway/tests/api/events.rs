//! The log of events over HTTP: pages and streams, from a log that is written here.

use std::time::Duration;

use escrow_gateway::{
    api::auth::Scope,
    now_ms,
    serve::Gateway,
    store::{EventFinality, NewEvent, Store},
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Database, User, config, databases, gateway, net, run};

const ESCROWS: [&str; 2] =
    ["So11111111111111111111111111111111111111112", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"];

/// Writes events with these numbers, as the index does.
async fn write(store: &Store, numbers: std::ops::RangeInclusive<i64>) {
    for number in numbers {
        let now = now_ms();
        let lease = store.lease("index", "test", now, now + 1_000).await.unwrap().unwrap();
        let mut change = store.change().await.unwrap();
        assert!(store.hold(&mut change, &lease, now + 1_000).await.unwrap());
        let event = NewEvent {
            id: format!("evt_{number}"),
            finality: EventFinality::Final,
            kind: if number % 10 == 0 { "close" } else { "fund" }.to_owned(),
            escrow: ESCROWS[usize::from(number % 3 == 0)].to_owned(),
            slot: 1_000 + number,
            body: json!({"id": format!("evt_{number}")}).to_string(),
        };
        assert_eq!(store.add_event(&mut change, &event, now).await.unwrap(), Some(number));
        change.commit().await.unwrap();
    }
}

async fn world(database: &Database) -> (Gateway, User) {
    let gateway = gateway(database, config(net().await.rpc_url())).await;
    let user = User::new(&gateway, "shop", &[Scope::Read]).await;
    (gateway, user)
}

fn numbers(page: &Value) -> Vec<i64> {
    page["events"].as_array().unwrap().iter().map(|one| one["number"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn pages_leave_nothing_out_and_repeat_nothing() {
    run(async {
        for database in databases() {
            let (gateway, user) = world(&database).await;
            let empty = user.get("/v1/events").await.expect(200);
            assert_eq!((numbers(&empty), &empty["more"]), (vec![], &json!(false)));
            // What comes later is behind the link of an empty page.
            write(&gateway.store, 1..=125).await;
            let (mut path, mut seen) = (empty["next"].as_str().unwrap().to_owned(), Vec::new());
            for pages in 1.. {
                let page = user.get(&path).await.expect(200);
                seen.extend(numbers(&page));
                path = page["next"].as_str().unwrap().to_owned();
                if page["more"] == false {
                    assert_eq!(pages, 3);
                    break;
                }
            }
            assert_eq!(seen, (1..=125).collect::<Vec<_>>());
            write(&gateway.store, 126..=126).await;
            let page = user.get(&path).await.expect(200);
            assert_eq!(numbers(&page), [126]);
            let first = &page["events"][0];
            assert_eq!(first["finality"], "final");
            assert_eq!((&first["slot"], &first["event"]["id"]), (&json!("1126"), &json!("evt_126")));

            let closed = user.get("/v1/events?types=close&limit=5").await.expect(200);
            assert_eq!((numbers(&closed), &closed["more"]), (vec![10, 20, 30, 40, 50], &json!(true)));
            let next = user.get(closed["next"].as_str().unwrap()).await.expect(200);
            assert_eq!(numbers(&next), [60, 70, 80, 90, 100]);
            let path = format!("/v1/events?escrow={}&types=fund,close&after=120", ESCROWS[1]);
            assert_eq!(numbers(&user.get(&path).await.expect(200)), [123, 126]);

            for (query, pointer) in [
                ("after=x", "after"),
                ("after=-1", "after"),
                ("after=+1", "after"),
                ("after=000000000000000000000", "after"),
                ("after=127", "after"),
                ("types=fund,steal", "types"),
                ("types=", "types"),
                ("escrow=x", "escrow"),
                ("limit=0", "limit"),
                ("limit=101", "limit"),
            ] {
                let answer = user.get(&format!("/v1/events?{query}")).await;
                assert_eq!(answer.code(), "invalid", "{query}");
                assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}");
            }
        }
    });
}

#[test]
fn what_is_too_old_is_a_problem_and_no_hole() {
    run(async {
        for database in databases() {
            let (gateway, user) = world(&database).await;
            write(&gateway.store, 1..=10).await;
            gateway.store.empty_events(now_ms() + 1_000, 4).await.unwrap();
            let answer = user.get("/v1/events?after=2").await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (410, "gone"));
            assert!(answer.json()["detail"].as_str().unwrap().contains("after=4"), "{answer:?}");
            assert_eq!(numbers(&user.get("/v1/events?after=4").await.expect(200)), [5, 6, 7, 8, 9, 10]);
            assert_eq!(numbers(&user.get("/v1/events").await.expect(200)), [5, 6, 7, 8, 9, 10]);
            assert_eq!(user.get("/v1/events/stream?after=3").await.code(), "gone");
            let resumed = open(&user, "", Some("3")).await;
            assert_eq!(resumed.status(), StatusCode::GONE);
        }
    });
}

async fn open(user: &User, query: &str, last_id: Option<&str>) -> Response {
    let mut request = user.client.get(format!("{}/v1/events/stream{query}", user.base));
    request = request.bearer_auth(user.key.as_ref().unwrap());
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    request.send().await.unwrap()
}

/// The ids of the next frames of a stream.
async fn ids(stream: &mut Response, count: usize) -> Vec<i64> {
    let (mut text, mut found) = (String::new(), Vec::new());
    while found.len() < count {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("{found:?}, and no more came")).unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
        let whole = text.rfind("\n\n").map_or(0, |end| end + 2);
        for frame in text[..whole].split("\n\n").filter(|frame| frame.contains("data:")) {
            let field = |name: &str| {
                let line = frame.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("{frame}")).trim().to_owned()
            };
            let data: Value = serde_json::from_str(&field("data:")).unwrap();
            assert_eq!(data["number"], field("id:"));
            assert!(["fund", "close"].contains(&field("event:").as_str()));
            found.push(field("id:").parse().unwrap());
        }
        text.drain(..whole);
    }
    found
}

#[test]
fn a_stream_tells_what_comes_and_resumes_where_it_broke_off() {
    run(async {
        for database in databases() {
            let (gateway, user) = world(&database).await;
            write(&gateway.store, 1..=3).await;
            let mut from_now = open(&user, "", None).await;
            assert_eq!(from_now.headers()["content-type"], "text/event-stream");
            let mut closed = open(&user, "?types=close&after=0", None).await;
            write(&gateway.store, 4..=10).await;
            assert_eq!(ids(&mut from_now, 7).await, (4..=10).collect::<Vec<_>>());
            assert_eq!(ids(&mut closed, 1).await, [10]);
            drop(from_now);
            write(&gateway.store, 11..=12).await;
            // The header counts for more than the query that the client has begun with.
            let mut resumed = open(&user, "?after=0", Some("7")).await;
            assert_eq!(ids(&mut resumed, 5).await, (8..=12).collect::<Vec<_>>());
            // Far more than a process holds.
            write(&gateway.store, 13..=1_250).await;
            let mut all = open(&user, "?after=0", None).await;
            assert_eq!(ids(&mut all, 1_250).await, (1..=1_250).collect::<Vec<_>>());
            assert_eq!(open(&user, "", Some("1251")).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
            // A gateway that is told to end ends its streams.
            gateway.end();
            let rest =
                tokio::time::timeout(Duration::from_secs(10), async { while let Ok(Some(_)) = all.chunk().await {} });
            rest.await.expect("the stream ends with the gateway");
            gateway.ended().await.unwrap();
        }
    });
}

#[test]
fn there_are_only_so_many_streams() {
    run(async {
        let database = crate::harness::sqlite();
        let mut config = config(net().await.rpc_url());
        config.limits.event_streams = 2;
        let gateway = gateway(&database, config).await;
        let user = User::new(&gateway, "shop", &[Scope::Read]).await;
        let (first, _second) = (open(&user, "", None).await, open(&user, "", None).await);
        let refused = user.get("/v1/events/stream").await;
        assert_eq!(refused.code(), "rate_limited");
        assert_eq!(refused.headers["retry-after"], "30");
        drop(first);
        for _ in 0..100 {
            if open(&user, "", None).await.status().is_success() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the place of a stream that is closed is free again");
    });
}
