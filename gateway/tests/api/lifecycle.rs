//! Whole deals over HTTP alone, by wallets that only sign.

use reqwest::Method;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::harness::{SOL, databases, net, people, run, sign, terms, world};

#[test]
fn a_deal_from_terms_to_the_closed_escrow() {
    run(async {
        for database in databases() {
            let net = net().await;
            let world = world(&database).await;
            let user = &world.user;
            let people = people(net).await;
            let [buyer, seller, _] = &people;
            // The order becomes terms: the address is known before anything is on the chain.
            let asked = json!({"terms": terms(net, &people, &[SOL, 2 * SOL]).await});
            let told = user.post("/v1/terms", &asked).await.expect(200);
            let address = told["address"].as_str().unwrap();
            let again = user.post("/v1/terms", &json!({"terms": told["terms"]})).await.expect(200);
            assert_eq!((&again["address"], &again["terms"]), (&told["address"], &told["terms"]));
            assert!(told["if_nobody_acts"][1].as_str().unwrap().contains("2 SOL for the buyer"), "{told}");
            assert_eq!(user.get(&format!("/v1/escrows/{address}")).await.code(), "not_found");

            let create = json!([{"type": "create", "terms": told["terms"], "fund": true}]);
            let (prepared, status) = user.execute(create, &[buyer]).await;
            assert_eq!(status["status"], "finalized", "{status}");
            assert_eq!(prepared["expects"][0]["escrow"], address);
            assert_eq!(prepared["expects"][0]["terms_hash"], told["terms_hash"]);
            assert_eq!(
                prepared["cost"]["rent"]["units"], told["cost"]["rent"]["units"],
                "the usual rent is the cluster's"
            );
            assert_eq!(prepared["steps"][1]["paid_in"]["units"], (3 * SOL).to_string());

            let answer = user.get(&format!("/v1/escrows/{address}?finality=finalized")).await;
            let etag = answer.headers["etag"].to_str().unwrap().to_owned();
            let escrow = answer.expect(200);
            assert_eq!(escrow["escrow"]["status"], "funded");
            assert_eq!(escrow["terms"], told["terms"]);
            assert_eq!(escrow["if_nobody_acts"].as_array().unwrap().len(), 2);
            let path = format!("/v1/escrows/{address}?finality=finalized");
            let same = user.send(Method::GET, &path, &[("if-none-match", &etag)], None).await;
            assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));

            // Repeating a creation is a conflict, and a payment that is expected otherwise too.
            let create = json!([{"type": "create", "terms": told["terms"]}]);
            let order = json!({"actions": create, "fee_payer": buyer.pubkey().to_string()});
            assert_eq!(user.post("/v1/transactions", &order).await.code(), "stale");
            let release = json!([{"type": "release", "escrow": address, "milestone": 1, "expected_remaining": "5"}]);
            let order = json!({"actions": release, "fee_payer": buyer.pubkey().to_string()});
            let stale = user.post("/v1/transactions", &order).await;
            assert_eq!((stale.code().as_str(), stale.status.as_u16()), ("stale", 409));

            let deliver = json!([{"type": "deliver", "escrow": address, "milestone": 1}]);
            let (_, status) = user.execute(deliver, &[seller]).await;
            assert_eq!(status["status"], "finalized", "{status}");
            let changed = user.send(Method::GET, &path, &[("if-none-match", &etag)], None).await;
            assert_eq!(changed.expect(200)["escrow"]["milestones"][0]["status"], "delivered");
            let release = json!([{"type": "release", "escrow": address, "milestone": 1}]);
            let (prepared, status) = user.execute(release, &[buyer]).await;
            assert_eq!(status["status"], "finalized", "{status}");
            assert_eq!(prepared["steps"][0]["shares"]["seller"]["units"], SOL.to_string());
            // Two steps of one escrow: the second sees what the first leaves.
            let refund =
                json!([{"type": "refund", "escrow": address, "milestone": 2}, {"type": "pay_out", "escrow": address}]);
            let (prepared, status) = user.execute(refund, &[seller]).await;
            assert_eq!(status["status"], "finalized", "{status}");
            assert_eq!(prepared["steps"].as_array().unwrap().len(), 3, "{prepared}");

            let list = user.get(&format!("/v1/escrows?party={}&role=buyer", buyer.pubkey())).await.expect(200);
            assert_eq!(list["escrows"][0]["address"], address);
            assert_eq!(list["escrows"][0]["status"], "settled");
            // Before its funding deadline it stays, so that its address is never used again.
            let close = json!([{"type": "close", "escrow": address}]);
            let order = json!({"actions": close, "fee_payer": buyer.pubkey().to_string()});
            let refused = user.post("/v1/transactions", &order).await;
            assert_eq!(refused.code(), "refused");
            assert_eq!(refused.json()["program_error"]["name"], "CloseTooEarly");
            assert_eq!(refused.json()["errors"][0]["pointer"], "/actions/0");

            let history = user.get(&format!("/v1/escrows/{address}/history")).await.expect(200);
            let actions: Vec<&str> =
                history["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
            assert_eq!(actions, ["create", "fund", "deliver", "release", "refund", "withdraw", "withdraw"]);
            assert_eq!(history["complete"], true, "{history}");
        }
    });
}

/// Every action that the interface has, built at least once where the program allows it.
#[test]
fn disputes_proposals_and_claims() {
    run(async {
        let net = net().await;
        let database = crate::harness::sqlite();
        let world = world(&database).await;
        let user = &world.user;
        let people = people(net).await;
        let [buyer, seller, arbiter] = &people;
        let now = net.clock().await.unwrap().unix_timestamp;
        let fund = |terms: Value| {
            let (user, people) = (user.clone(), &people);
            async move {
                let told = user.post("/v1/terms", &json!({"terms": terms})).await.expect(200);
                let create = json!([{"type": "create", "terms": told["terms"], "fund": true}]);
                let (_, status) = user.execute(create, &[&people[0]]).await;
                assert_eq!(status["status"], "finalized", "{status}");
                told["address"].as_str().unwrap().to_owned()
            }
        };
        let address = fund(terms(net, &people, &[SOL, SOL, SOL]).await).await;
        let act = |what: Value, signer: &Keypair| {
            let (user, signer) = (user.clone(), signer.insecure_clone());
            async move {
                let (prepared, status) = user.execute(json!([what]), &[&signer]).await;
                assert_eq!(status["status"], "finalized", "{what}: {status}");
                prepared
            }
        };
        let of = |kind: &str, milestone: u8| json!({"type": kind, "escrow": address, "milestone": milestone});
        act(of("deliver", 1), seller).await;
        act(of("dispute", 1), buyer).await;
        let mut rule = of("rule", 1);
        rule["seller_bps"] = json!(2_500);
        let ruled = act(rule, arbiter).await;
        assert_eq!(ruled["steps"][0]["shares"]["buyer"]["units"], (SOL * 3 / 4).to_string());
        let by = |who: &Keypair| who.pubkey().to_string();
        act(json!({"type": "propose_split", "escrow": address, "by": by(seller), "milestone": 2, "to_seller": "600000000", "expires_at": now + 86_400}), seller).await;
        let wrong = json!({"actions": [{"type": "accept", "escrow": address, "by": by(buyer), "to_seller": "1"}], "fee_payer": by(buyer)});
        assert_eq!(user.post("/v1/transactions", &wrong).await.code(), "stale");
        act(json!({"type": "accept", "escrow": address, "by": by(buyer), "to_seller": "600000000"}), buyer).await;
        act(json!({"type": "propose_extension", "escrow": address, "by": by(buyer), "milestone": 3, "deadline": now + 20 * 86_400, "expires_at": now + 86_400}), buyer).await;
        act(json!({"type": "withdraw_proposal", "escrow": address, "by": by(buyer)}), buyer).await;
        let none =
            json!({"actions": [{"type": "accept", "escrow": address, "by": by(seller)}], "fee_payer": by(seller)});
        assert_eq!(user.post("/v1/transactions", &none).await.json()["program_error"]["name"], "ProposalMissing");
        act(json!({"type": "withdraw", "escrow": address, "recipient": "buyer"}), buyer).await;
        let finish = act(json!({"type": "finish", "escrow": address}), seller).await;
        assert_eq!(finish["steps"][0]["action"], "withdraw", "{finish}");

        // A secret claims, and retention is delivered with the last work.
        let secret = [7; 32];
        let mut hashlocked = terms(net, &people, &[SOL]).await;
        hashlocked["hashlock"] = json!(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(secret)));
        let locked = fund(hashlocked).await;
        act(json!({"type": "claim", "escrow": locked, "milestone": 1, "secret": hex::encode(secret)}), arbiter).await;
        let mut retained = terms(net, &people, &[SOL]).await;
        retained["retention"] = json!({"bps": 1_000, "seconds": 86_400});
        let retained = fund(retained).await;
        let delivered = act(json!({"type": "deliver_with_retention", "escrow": retained}), seller).await;
        assert_eq!(delivered["steps"].as_array().unwrap().len(), 2);
        let mut cooling = terms(net, &people, &[SOL]).await;
        cooling["cooling_off_seconds"] = json!(86_400);
        let cooling = fund(cooling).await;
        act(json!({"type": "cancel", "escrow": cooling, "by": by(buyer)}), buyer).await;
        let early = json!({"actions": [of("expire", 3)], "fee_payer": by(seller)});
        assert_eq!(user.post("/v1/transactions", &early).await.json()["program_error"]["name"], "DeadlineNotReached");
    });
}

#[test]
fn two_wallets_sign_one_after_the_other_and_a_wallet_may_add_a_fee() {
    run(async {
        for database in databases() {
            let net = net().await;
            let world = world(&database).await;
            let user = &world.user;
            let people = people(net).await;
            let [buyer, seller, arbiter] = &people;
            let terms = terms(net, &people, &[SOL]).await;
            // The arbiter pays the fee, the seller the rent, the buyer pays in.
            let create =
                json!({"type": "create", "terms": terms, "rent_payer": seller.pubkey().to_string(), "fund": true});
            let order = json!({"actions": [create], "fee_payer": arbiter.pubkey().to_string()});
            let prepared = user.post("/v1/transactions", &order).await.expect(201);
            assert_eq!(prepared["signers"].as_array().unwrap().len(), 3);
            let path = format!("/v1/transactions/{}/signed", prepared["id"].as_str().unwrap());
            let put = |transaction: String| {
                let path = &path;
                async move { user.json(Method::PUT, path, &[], &json!({"transaction": transaction})).await }
            };
            let bare = prepared["transaction"].as_str().unwrap();
            for (signer, missing) in [(arbiter, 2), (buyer, 1)] {
                let answer = put(sign(bare, &[signer])).await.expect(202);
                assert_eq!(answer["status"], "prepared");
                assert_eq!(answer["missing_signatures"].as_array().unwrap().len(), missing);
            }
            let answer = put(sign(bare, &[seller])).await.expect(202);
            assert!(answer["signature"].is_string() && answer["status"] != "prepared", "{answer}");
            // The same again, and a part of it, change nothing.
            put(sign(bare, &[seller])).await.expect(202);
            let id = prepared["id"].as_str().unwrap();
            let status =
                user.send(Method::GET, &format!("/v1/transactions/{id}"), &[("prefer", "wait=20")], None).await;
            assert_eq!(status.expect(200)["status"], "finalized");
        }
    });
}

#[test]
fn what_a_wallet_may_not_change_is_refused_and_nothing_is_sent() {
    run(async {
        let net = net().await;
        let database = crate::harness::sqlite();
        let world = world(&database).await;
        let user = &world.user;
        let people = people(net).await;
        let [buyer, seller, _] = &people;
        let terms = terms(net, &people, &[SOL]).await;
        let order = json!({"actions": [{"type": "create", "terms": terms}], "fee_payer": buyer.pubkey().to_string()});
        let prepared = user.post("/v1/transactions", &order).await.expect(201);
        let other = user.post("/v1/transactions", &order).await.expect(201);
        let path = format!("/v1/transactions/{}/signed", prepared["id"].as_str().unwrap());
        let put = |transaction: Value| {
            let path = &path;
            async move { user.json(Method::PUT, path, &[], &json!({"transaction": transaction})).await }
        };
        // Another transaction, one that somebody else signed, and no transaction.
        let swapped = sign(other["transaction"].as_str().unwrap(), &[buyer]);
        assert_eq!(put(json!(swapped)).await.code(), "wallet");
        let mut bytes =
            base64::Engine::decode(&base64::prelude::BASE64_STANDARD, prepared["transaction"].as_str().unwrap())
                .unwrap();
        let forged = seller.sign_message(&bytes[65..]);
        bytes[1..65].copy_from_slice(forged.as_ref());
        let forged = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &bytes);
        for wrong in [json!(forged), json!(""), json!("AAAA"), json!("!"), json!("A".repeat(10_000))] {
            let answer = put(wrong.clone()).await;
            assert_eq!((answer.code().as_str(), answer.status.as_u16()), ("wallet", 422), "{wrong}");
        }
        let id = prepared["id"].as_str().unwrap();
        assert_eq!(user.get(&format!("/v1/transactions/{id}")).await.expect(200)["status"], "prepared");
        // What would fail is told before it costs a fee: the same is created by another transaction first.
        let terms = prepared["steps"][0]["escrow"].clone();
        assert!(terms.is_string());
        let created = user.post("/v1/terms", &json!({"terms": order["actions"][0]["terms"]})).await.expect(200);
        let order = json!({"actions": [{"type": "create", "terms": created["terms"]}], "fee_payer": buyer.pubkey().to_string()});
        let first = user.post("/v1/transactions", &order).await.expect(201);
        let (_, status) = user.execute(order["actions"].clone(), &[buyer]).await;
        assert_eq!(status["status"], "finalized");
        let late = sign(first["transaction"].as_str().unwrap(), &[buyer]);
        let path = format!("/v1/transactions/{}/signed", first["id"].as_str().unwrap());
        let answer = user.json(Method::PUT, &path, &[], &json!({"transaction": late})).await;
        assert_eq!((answer.code().as_str(), answer.status.as_u16()), ("refused", 422), "{answer:?}");
    });
}

#[test]
fn pages_lose_and_repeat_nothing() {
    run(async {
        let net = net().await;
        let database = crate::harness::sqlite();
        let world = world(&database).await;
        let user = &world.user;
        let people = people(net).await;
        let mut made = Vec::new();
        for _ in 0..5 {
            let create = json!([{"type": "create", "terms": terms(net, &people, &[SOL / 100]).await}]);
            let (prepared, _) = user.execute(create, &[&people[0]]).await;
            made.push(prepared["steps"][0]["escrow"].as_str().unwrap().to_owned());
        }
        let buyer = people[0].pubkey();
        let (mut path, mut seen) = (format!("/v1/escrows?party={buyer}&status=created&limit=2"), Vec::new());
        loop {
            let page = user.get(&path).await.expect(200);
            seen.extend(
                page["escrows"].as_array().unwrap().iter().map(|row| row["address"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            path = next.to_owned();
        }
        seen.sort();
        made.sort();
        assert_eq!(seen, made);
        for (query, count) in
            [("attention=buyer", 5), ("attention=seller", 0), ("status=funded", 0), ("deadline_before=1", 0)]
        {
            let page = user.get(&format!("/v1/escrows?party={buyer}&{query}")).await.expect(200);
            assert_eq!(page["escrows"].as_array().unwrap().len(), count, "{query}");
        }
    });
}
