//! What somebody paid and received, for bookkeeping.

use std::collections::BTreeMap;

use crate::{DAY, Stage};

/// The lines of a table, each by its headings.
fn rows(csv: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let headings = lines.next().unwrap();
    lines
        .map(|line| {
            assert_eq!(line.len(), headings.len(), "{line:?}");
            headings.iter().copied().zip(line).collect()
        })
        .collect()
}

#[tokio::test]
async fn an_export_has_every_movement_also_of_what_is_open_or_closed() {
    let stage = Stage::new().await;
    stage.types_only("buyer", "export").succeeds().shows(&["nothing was paid to or by"]);
    let closed = stage.create("--arbiter {arbiter} --amount 1.5 --deliver-by 9d --fund");
    stage.types("seller", &format!("refund {closed} --amount 0.5")).succeeds();
    stage.types("buyer", &format!("release {closed}")).succeeds();
    for who in ["seller", "buyer"] {
        stage.types(who, &format!("withdraw {closed} --recipient {who}")).succeeds();
    }
    stage.net.advance_time(DAY).await.unwrap();
    stage.types("buyer", &format!("close {closed}")).succeeds();
    let open = stage.create("--mint {mint} --amount 2.5 --deliver-by 9d --fund");
    // One that moved nothing, and one that is nobody's of these.
    stage.create("--amount 3 --deliver-by 9d");

    let csv = |who: &str| stage.types_only(who, "export --csv").succeeds().out;
    let (buyers, sellers) = (csv("buyer"), csv("seller"));
    let (buyers, sellers) = (rows(&buyers), rows(&sellers));
    let told: Vec<_> =
        buyers.iter().map(|row| (row["escrow"], row["direction"], row["base_units"], row["amount"])).collect();
    let mint = stage.mint.address.to_string();
    assert_eq!(
        told,
        [
            (closed.as_str(), "paid", "1500000000", "1.5"),
            (closed.as_str(), "received", "500000000", "0.5"),
            (open.as_str(), "paid", "2500000", "2.5"),
        ]
    );
    assert_eq!(buyers.iter().map(|row| row["asset"]).collect::<Vec<_>>(), ["SOL", "SOL", mint.as_str()]);
    let (buyer, seller) = (stage.address("buyer").to_string(), stage.address("seller").to_string());
    assert!(buyers.iter().all(|row| row["counterparty"] == seller && row["role"] == "buyer"));
    assert_eq!(sellers.len(), 1);
    assert_eq!((sellers[0]["amount"], sellers[0]["direction"]), ("1", "received"));
    assert_eq!(sellers[0]["counterparty"], buyer);
    // Times are UTC, and signatures those of the chain.
    for row in buyers.iter().chain(&sellers) {
        assert!(row["time"].ends_with('Z') && row["time"].contains('T'), "{row:?}");
        stage.types_only("stranger", &format!("status {}", row["signature"])).succeeds();
    }
    let json = stage.asks("stranger", &format!("export --party {buyer}"));
    assert_eq!(json["movements"].as_array().unwrap().len(), 3);
    assert_eq!(json["movements"][2]["amount"]["units"], "2500000");
    assert_eq!(rows(&csv("stranger")).len(), 0);
}
