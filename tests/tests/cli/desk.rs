//! The arbiter's desk: cases are made, one is forged, and the arbiter sees which.

use std::fs;

use crate::Stage;

#[tokio::test]
async fn an_arbiter_sees_which_file_was_forged_and_what_a_ruling_would_pay() {
    let stage = Stage::new().await;
    let escrow = stage.create("--arbiter {arbiter} --amount 1 --deliver-by 9d --fund");
    stage.folder.write("photo.jpg", "as it was delivered");
    stage.folder.write("reason.txt", "It is broken.");
    stage.types_only("arbiter", "case list").succeeds().shows(&["nothing waits for a ruling"]);

    let build = |who: &str, rest: &str| stage.asks(who, &format!("case build {escrow} {rest}"));
    let sellers = build("seller", "--for evidence --to sellers --file photo.jpg");
    let hash = |built: &serde_json::Value| built["hash"].as_str().unwrap().to_owned();
    assert!(sellers["next"].as_str().unwrap().contains(&format!("deliver {escrow} --milestone 1 --evidence-hash")));
    stage.types("seller", &format!("deliver {escrow} --evidence-hash {}", hash(&sellers))).succeeds();
    let buyers = build("buyer", "--for reason --to buyers --statement reason.txt");
    stage.types("buyer", &format!("dispute {escrow} --reason-hash {}", hash(&buyers))).succeeds();

    stage.types_only("arbiter", "case list").succeeds().shows(&[&escrow, "Rule on milestone 1"]);
    stage.types_only("seller", "case list").succeeds().shows(&["nothing waits for a ruling"]);
    let show = format!("case show {escrow} --case sellers --case buyers");
    stage.types_only("arbiter", &show).succeeds().shows(&[
        "✓ files/photo.jpg",
        "✓ statement.txt",
        "genuine: as it was committed to",
    ]);
    let alone = stage.types_only("arbiter", &format!("case show {escrow} --case sellers")).succeeds();
    alone.shows(&["no folder with this hash was named"]);

    // Another photo, and the list as it was: the file is named.
    fs::write(stage.folder.0.join("sellers/files/photo.jpg"), "as it never was").unwrap();
    let shown = stage.asks("arbiter", &show);
    let (forged, honest) = (&shown["cases"][0]["case"], &shown["cases"][1]["case"]);
    assert_eq!((&forged["genuine"], &forged["committed"]), (&false.into(), &true.into()));
    assert_eq!(forged["files"][0]["verdict"], "changed");
    assert_eq!(honest["genuine"], true);
    stage.types_only("arbiter", &show).succeeds().shows(&["✗ files/photo.jpg: changed", "changed afterwards"]);
    // Another photo with a list of its own agrees with itself, and with nothing that was committed to.
    stage.folder.write("photo.jpg", "as it never was");
    build("seller", "--for evidence --to forged --file photo.jpg");
    let shown = stage.types_only("arbiter", &format!("case show {escrow} --case forged")).succeeds();
    shown.shows(&["✓ files/photo.jpg", "nobody committed to this"]);

    // What the preview says is what the ruling pays.
    stage.types("seller", &format!("propose {escrow} --seller-amount 0.3")).succeeds();
    let preview = stage.types_only("arbiter", &format!("{show} --seller-share 60")).succeeds();
    preview.shows(&["0.6 SOL", "0.4 SOL", "open offer: the seller offers"]);
    stage.types("arbiter", &format!("rule {escrow} --seller-share 60")).succeeds();
    let receipt = stage.asks("stranger", &format!("receipt {escrow}"));
    assert_eq!(receipt["decided"]["seller"]["units"], "600000000");
    assert_eq!(receipt["decided"]["buyer"]["units"], "400000000");
}

#[tokio::test]
async fn a_case_is_made_once_and_is_about_one_milestone() {
    let stage = Stage::new().await;
    let create = || stage.create("--arbiter {arbiter} --amount 1 --deliver-by 9d --fund");
    let (escrow, other) = (create(), create());
    stage.folder.write("photo.jpg", "a photo");
    let build = format!("case build {escrow} --for evidence --to case --file photo.jpg");
    stage.types_only("seller", &build).succeeds().shows(&["1 file in case", "escrow deliver"]);
    stage.types_only("seller", &build).fails(2, &["case exists already"]);
    stage
        .types_only("seller", &format!("case build {escrow} --for evidence --to none --file missing.jpg"))
        .fails(2, &["missing.jpg"]);
    stage.types_only("arbiter", &format!("case show {other} --case case")).fails(2, &[&escrow, &other, "case.json"]);
    stage.types_only("arbiter", &format!("case show {escrow} --case nowhere")).fails(2, &["nowhere"]);
    stage.types_only("arbiter", &format!("case show {escrow} --seller-share 60")).fails(3, &["disputed"]);
}
