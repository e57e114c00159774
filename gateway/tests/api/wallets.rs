//! Solana Pay and Actions.

use reqwest::Method;
use serde_json::json;
use solana_signer::Signer;

use crate::harness::{SOL, User, net, people, run, sign, sqlite, terms, world};

#[test]
fn a_wallet_pays_by_a_link_and_acts_by_buttons() {
    run(async {
        let net = net().await;
        let database = sqlite();
        let world = world(&database).await;
        let people = people(net).await;
        let [buyer, seller, _] = &people;
        let create = json!([{"type": "create", "terms": terms(net, &people, &[SOL]).await}]);
        let (prepared, status) = world.user.execute(create, &[seller]).await;
        assert_eq!(status["status"], "finalized");
        let escrow = prepared["steps"][0]["escrow"].as_str().unwrap();
        let wallet = User::with(&world.gateway, None);
        let label = wallet.get(&format!("/pay/{escrow}")).await;
        assert_eq!(label.headers["access-control-allow-origin"], "*");
        assert!(label.expect(200)["icon"].as_str().unwrap().starts_with("http"));
        let ask = |who: &solana_keypair::Keypair| json!({"account": who.pubkey().to_string()});
        let wrong = wallet.post(&format!("/pay/{escrow}"), &ask(seller)).await;
        assert!(wrong.expect(422)["message"].as_str().unwrap().contains("buyer"), "{wrong:?}");
        let pay = wallet.post(&format!("/pay/{escrow}"), &ask(buyer)).await.expect(200);
        assert!(pay["message"].as_str().unwrap().contains("1 SOL"), "{pay}");
        // The wallet sends it itself.
        let send = |transaction: String| async move {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": [transaction, {"encoding": "base64", "preflightCommitment": "confirmed"}]});
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let answer: serde_json::Value =
                client.post(net.rpc_url()).json(&body).send().await.unwrap().json().await.unwrap();
            let signature = answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap();
            net.confirm(&signature).await.unwrap();
        };
        send(sign(pay["transaction"].as_str().unwrap(), &[buyer])).await;
        let funded = world.user.get(&format!("/v1/escrows/{escrow}")).await.expect(200);
        assert_eq!(funded["escrow"]["status"], "funded");
        let rules = wallet.get("/actions.json").await.expect(200);
        assert_eq!(rules["rules"][0]["apiPath"], "/actions/**");
        let card = wallet.get(&format!("/actions/escrows/{escrow}")).await;
        assert_eq!(card.headers["x-action-version"], "2.4");
        let card = card.expect(200);
        let deliver =
            card["links"]["actions"].as_array().unwrap().iter().find(|link| link["label"] == "Deliver milestone 1");
        let href = deliver.unwrap_or_else(|| panic!("{card}"))["href"].as_str().unwrap();
        let built = wallet.post(href, &ask(seller)).await.expect(200);
        assert_eq!(built["type"], "transaction");
        send(sign(built["transaction"].as_str().unwrap(), &[seller])).await;
        let delivered = world.user.get(&format!("/v1/escrows/{escrow}")).await.expect(200);
        assert_eq!(delivered["escrow"]["milestones"][0]["status"], "delivered");
        // What is wrong is a message, never a problem of the API's kind.
        for (method, path, body) in [
            (Method::GET, "/pay/x", None),
            (Method::POST, "/pay/x", Some("{}")),
            (Method::GET, "/actions/escrows/x", None),
            (Method::POST, &format!("/actions/escrows/{escrow}"), Some("{}")),
            (Method::POST, &format!("/actions/escrows/{escrow}?what=steal"), Some(&*ask(buyer).to_string())),
        ] {
            let headers = [("content-type", "application/json")];
            let answer = wallet.send(method, path, &headers, body.map(|body| body.as_bytes().to_vec())).await;
            assert!(answer.status.is_client_error(), "{path}: {answer:?}");
            assert!(!answer.json()["message"].as_str().unwrap().is_empty(), "{path}: {answer:?}");
        }
        // Pages from anywhere may use these, and nothing else.
        let origin = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
        let preflight = wallet.send(Method::OPTIONS, &format!("/pay/{escrow}"), &origin, None).await;
        assert_eq!(preflight.headers["access-control-allow-origin"], "*");
        let preflight = wallet.send(Method::OPTIONS, "/v1/transactions", &origin, None).await;
        assert!(!preflight.headers.contains_key("access-control-allow-origin"), "{preflight:?}");
    });
}
