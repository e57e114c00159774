//! A receipt for each way a deal can end: every movement is in it, and all amounts add up to the chain's.

use std::collections::BTreeMap;

use escrow_client::{
    EscrowInstruction, Recipient,
    event::Events,
    history::{Completeness, Entry, History},
    receipt::{Direction, Ending, Receipt, ReceiptError, units},
    terms::Asset,
    view,
    words::{Denomination, receipt as words},
    work::paper,
};
use escrow_tests::lives::{Life, Random};
use solana_signature::Signature;

fn history(life: &Life) -> History {
    let entries = life.acts.iter().zip(1u8..).map(|(act, number)| Entry {
        signature: Signature::from([number; 64]),
        slot: u64::from(number) * 3,
        time: Some(act.time),
        action: act.action.clone(),
        events: Events { truncated: true, ..Events::default() },
    });
    History::replay(life.address, entries.collect(), life.end(), Vec::new())
}

fn denomination(receipt: &Receipt) -> Denomination {
    match receipt.asset {
        Asset::Sol => Denomination::SOL,
        token => Denomination::token(token, 6),
    }
}

/// What the chain has at the end: its ledger, and what was taken out of it by each.
fn check(life: &Life, receipt: &Receipt) {
    let mut paid = [0u64; 4];
    let mut paid_in = 0;
    let mut before = None;
    for act in &life.acts {
        let due = |escrow: &Option<escrow_client::EscrowAccount>| {
            Recipient::ALL.map(|recipient| escrow.as_ref().map_or(0, |escrow| escrow.state.ledger.due(recipient)))
        };
        if let EscrowInstruction::Withdraw { .. } = act.action.instruction {
            let (was, is) = (due(&before), due(&act.after));
            for (paid, (was, is)) in paid.iter_mut().zip(was.into_iter().zip(is)) {
                *paid += was - is;
            }
        }
        if act.action.instruction == EscrowInstruction::Fund {
            paid_in = act.after.as_ref().expect("funded").state.ledger.principal;
        }
        before.clone_from(&act.after);
    }
    assert_eq!(receipt.paid_in, paid_in);
    for (recipient, paid) in Recipient::ALL.into_iter().zip(paid) {
        assert_eq!(units(receipt.paid_out, recipient), paid, "{recipient:?}");
        let moved = receipt.movements.iter().filter(|one| one.direction == Direction::Out(recipient));
        assert_eq!(moved.map(|one| one.units).sum::<u64>(), paid, "{recipient:?}");
        let due = life.end().map_or(0, |escrow| escrow.state.ledger.due(recipient));
        assert_eq!(units(receipt.due(), recipient), due, "{recipient:?}");
        assert_eq!(units(receipt.decided, recipient), paid + due, "{recipient:?}");
    }
    let decided: u64 = Recipient::ALL.into_iter().map(|recipient| units(receipt.decided, recipient)).sum();
    assert_eq!(decided, paid_in);
}

#[test]
fn all_amounts_add_up_however_a_deal_ends() {
    let mut endings: BTreeMap<String, (Life, Receipt)> = BTreeMap::new();
    let mut count = 0;
    for seed in 0..1_500 {
        // Some are looked at before everything is paid out.
        let most = if seed % 2 == 0 { 30 } else { 4 + seed as usize % 9 };
        let life = Life::random(&mut Random::new(seed), most);
        let history = history(&life);
        assert_eq!(history.completeness, Completeness::Whole, "{seed}");
        let receipt = match Receipt::new(&history) {
            Ok(receipt) => receipt,
            Err(ReceiptError::Open) => {
                assert!(life.end().is_some_and(|escrow| !escrow.is_settled()), "{seed}");
                continue;
            }
            Err(error) => panic!("{seed}: {error}"),
        };
        assert!(life.end().is_none_or(|escrow| escrow.is_settled()), "{seed}");
        check(&life, &receipt);
        count += 1;
        for decision in &receipt.decisions {
            endings.entry(format!("{:?}", decision.reason)).or_insert_with(|| (life.clone(), receipt.clone()));
        }
        endings.entry(format!("{:?}", receipt.ending)).or_insert_with(|| (life.clone(), receipt.clone()));
    }
    println!("{count} receipts: {:?}", endings.keys());
    for ending in [
        "Released",
        "Claimed",
        "Refunded",
        "Ruled",
        "Agreed",
        "Undelivered",
        "Unanswered",
        "Unruled",
        "Cancelled",
        "GivenUp",
        "Paid",
        "Due",
    ] {
        let (_, receipt) = endings.get(ending).unwrap_or_else(|| panic!("no deal ended with {ending}"));
        show(ending, receipt);
    }
}

/// As text, JSON and PDF, which lie in the target's folder to be looked at.
fn show(name: &str, receipt: &Receipt) {
    let denomination = denomination(receipt);
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("receipts");
    std::fs::create_dir_all(&folder).expect("a folder");
    let text = words::text(receipt, &denomination);
    assert!(text.contains(&receipt.escrow.to_string()) && text.contains(words::NO_INVOICE));
    let json = view::Receipt::new(receipt, &denomination, receipt.ended).expect("a view");
    assert_eq!((json.movements.len(), json.decisions.len()), (receipt.movements.len(), receipt.decisions.len()));
    for movement in &receipt.movements {
        assert!(text.contains(&movement.signature.to_string()), "each transaction is named");
        assert!(text.contains(&denomination.amount(movement.units).to_string()));
    }
    let read: view::Receipt =
        serde_json::from_str(&serde_json::to_string_pretty(&json).expect("JSON")).expect("the same");
    assert_eq!(read, json);
    let pdf = paper::pdf(receipt, &denomination, None).expect("a PDF");
    assert!(pdf.starts_with(b"%PDF-"));
    let pages = pdf.windows(11).filter(|window| window == b"/Type /Page" || window == b"/Type/Page/").count();
    assert!(pages <= 2, "one page, and their list");
    std::fs::write(folder.join(format!("{name}.txt")), text).expect("a file");
    std::fs::write(folder.join(format!("{name}.pdf")), pdf).expect("a file");
}

#[test]
fn there_is_no_receipt_from_half_a_history() {
    let (life, whole) = (0..)
        .map(|seed| Life::random(&mut Random::new(seed), 30))
        .find_map(|life| {
            Receipt::new(&history(&life)).ok().filter(|one| one.movements.len() > 1).map(|one| (life, one))
        })
        .expect("a life that ends");
    for missing in 0..life.acts.len() {
        let mut part = history(&life);
        let mut entries: Vec<Entry> = part.steps.drain(..).map(|step| step.entry).collect();
        entries.remove(missing);
        let part = History::replay(life.address, entries, life.end(), Vec::new());
        if let Ok(receipt) = Receipt::new(&part) {
            // What can be left out without being missed, moved nothing.
            assert_eq!((receipt.decided, receipt.paid_out), (whole.decided, whole.paid_out), "{missing}");
        }
    }
    let mut unreadable = history(&life);
    unreadable.unreadable.push(Signature::default());
    assert!(matches!(Receipt::new(&unreadable), Err(ReceiptError::Incomplete(_))));
}

#[test]
fn what_is_exported_is_what_moved() {
    let mut rows = 0;
    for seed in 0..50 {
        let life = Life::random(&mut Random::new(seed), 30);
        let Ok(receipt) = Receipt::new(&history(&life)) else { continue };
        let denomination = denomination(&receipt);
        let (terms, moved) = (&receipt.terms, &receipt.movements);
        let all = view::movements(&receipt.escrow, terms, moved, &denomination, receipt.ended);
        assert_eq!(all.len(), receipt.movements.len());
        let theirs = all.iter().filter(|one| !one.paid_in && one.address == terms.seller.to_string());
        let sum: u64 = theirs.map(|one| one.amount.units.parse::<u64>().expect("units")).sum();
        assert_eq!(sum, receipt.paid_out.seller);
        for row in all.iter().map(view::Movement::row) {
            assert_eq!(row.len(), view::Movement::COLUMNS.len());
            assert!(row.iter().all(|cell| !cell.contains([',', '"', '\n'])), "{row:?}");
            assert!(!row.iter().any(|cell| cell.starts_with(['=', '+', '-', '@'])), "no table takes it for a formula");
            rows += 1;
        }
    }
    assert!(rows > 20);
}

#[test]
fn letters_that_the_font_lacks_are_told_by_number_and_a_link_has_a_length() {
    let life = (0..)
        .map(|seed| Life::random(&mut Random::new(seed), 30))
        .find(|life| Receipt::new(&history(life)).is_ok_and(|one| one.ending == Ending::Paid))
        .expect("a life that ends");
    let receipt = Receipt::new(&history(&life)).expect("a receipt");
    let denomination = denomination(&receipt);
    let pdf = |link: &str| paper::pdf(&receipt, &denomination, Some(link));
    assert!(pdf("https://example.org/日本/ünï?a=b").is_ok());
    let long = "a".repeat(5_000);
    assert_eq!(pdf(&long), Err(paper::PaperError::Link(5_000)));
    assert_eq!(pdf("x"), pdf("x"), "the same receipt is the same file");
}

/// Hundreds of part payments: smaller letters first, then more pages.
#[test]
fn many_movements_are_all_in_it() {
    let life = (0..)
        .map(|seed| Life::random(&mut Random::new(seed), 30))
        .find(|life| Receipt::new(&history(life)).is_ok_and(|one| one.ending == Ending::Paid && one.paid_in > 0))
        .expect("a life that ends");
    let mut receipt = Receipt::new(&history(&life)).expect("a receipt");
    let movement = receipt.movements[0];
    for count in [20, 40, 400] {
        receipt.movements = vec![movement; count];
        let pdf = paper::pdf(&receipt, &denomination(&receipt), None).expect("a PDF");
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("receipts");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("many_{count}.pdf")), pdf).expect("a file");
    }
}
