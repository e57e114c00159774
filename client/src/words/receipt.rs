//! A receipt in words: lines for a terminal, a mail or a page of paper.

use escrow::state::{Moved, Recipient};

use super::{Denomination, Time, name};
use crate::receipt::{Direction, Ending, Movement, Reason, Receipt, units};

/// What a receipt is not.
pub const NO_INVOICE: &str = "This is no tax invoice: it shows what a program on Solana did, and not what was sold.";

/// A part of a receipt: a heading, and lines of what and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub heading: &'static str,
    /// What, and how much or who.
    pub lines: Vec<(String, String)>,
}

/// How it ended, in a sentence.
pub fn ending(receipt: &Receipt, denomination: &Denomination) -> String {
    let shares = shares(receipt.decided, denomination);
    match receipt.ending {
        Ending::GivenUp => "The escrow was given up before anything was paid in. No money moved.".to_owned(),
        Ending::Paid => format!("Everything is decided and paid out: {shares}."),
        Ending::Due => format!(
            "Everything is decided: {shares}. Of it is still to be paid out: {}.",
            self::shares(receipt.due(), denomination)
        ),
    }
}

fn shares(moved: Moved, denomination: &Denomination) -> String {
    let share = |recipient: Recipient| {
        let units = units(moved, recipient);
        (units > 0).then(|| format!("{} for the {}", denomination.amount(units), name::recipient(recipient)))
    };
    let all: Vec<String> = Recipient::ALL.into_iter().filter_map(share).collect();
    if all.is_empty() { "nothing".to_owned() } else { name::list(&all) }
}

/// Why something was decided.
pub const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Released => "released by the buyer",
        Reason::Claimed => "claimed with the delivery code",
        Reason::Refunded => "refunded by the seller",
        Reason::Ruled => "ruled by the arbiter",
        Reason::Agreed => "agreed by both",
        Reason::Undelivered => "default: not delivered in time",
        Reason::Unanswered => "default: delivery not answered in time",
        Reason::Unruled => "default: not ruled on in time",
        Reason::Cancelled => "cancelled by the buyer in the cooling-off period",
    }
}

/// What moved.
pub fn movement(movement: &Movement) -> String {
    match movement.direction {
        Direction::In => "paid in by the buyer".to_owned(),
        Direction::Out(recipient) => format!("paid out to the {}", name::recipient(recipient)),
    }
}

/// All of it, for whoever lays it out: times are the chain's.
pub fn sections(receipt: &Receipt, denomination: &Denomination) -> Vec<Section> {
    let amount = |units| denomination.amount(units).to_string();
    let at = |unix| Time::new(unix, unix).rfc3339();
    let terms = &receipt.terms;
    let mut deal = vec![
        ("Escrow".to_owned(), receipt.escrow.to_string()),
        ("Buyer".to_owned(), terms.buyer.to_string()),
        ("Seller".to_owned(), terms.seller.to_string()),
    ];
    for (role, address) in [("Arbiter", terms.arbiter), ("Fee recipient", terms.fee_recipient)] {
        if address != solana_pubkey::Pubkey::default() {
            deal.push((role.to_owned(), address.to_string()));
        }
    }
    if !terms.is_sol() {
        deal.push(("Token".to_owned(), terms.mint.to_string()));
    }
    if terms.document_hash != [0; 32] {
        deal.push(("Agreement".to_owned(), format!("sha256 {}", hex::encode(terms.document_hash))));
    }
    deal.push(("Agreed on".to_owned(), amount(terms.principal().unwrap_or(0))));
    deal.push(("Created".to_owned(), at(receipt.created)));
    deal.push(("Ended".to_owned(), at(receipt.ended)));
    let mut sections = vec![Section { heading: "The deal", lines: deal }];

    let decision = |decision: &crate::receipt::Decision| {
        let what = match decision.milestone {
            Some(milestone) => format!("Milestone {}: {}", name::number(milestone), reason(decision.reason)),
            None => format!("Everything: {}", reason(decision.reason)),
        };
        (format!("{}  {what}", at(decision.time)), shares(decision.moved, denomination))
    };
    let movement_line =
        |one: &Movement| (format!("{}  {}\n{}", at(one.time), movement(one), one.signature), amount(one.units));
    if !receipt.decisions.is_empty() {
        sections.push(Section { heading: "What was decided", lines: receipt.decisions.iter().map(decision).collect() });
    }
    if !receipt.movements.is_empty() {
        sections.push(Section { heading: "What moved", lines: receipt.movements.iter().map(movement_line).collect() });
        let mut sums = vec![("Paid in".to_owned(), amount(receipt.paid_in))];
        for recipient in Recipient::ALL {
            let (decided, due) = (units(receipt.decided, recipient), units(receipt.due(), recipient));
            if decided > 0 {
                let due = if due > 0 { format!(", of which {} is to be paid out", amount(due)) } else { String::new() };
                sums.push((format!("For the {}", name::recipient(recipient)), format!("{}{due}", amount(decided))));
            }
        }
        sections.push(Section { heading: "In sum", lines: sums });
    }
    sections
}

/// The receipt as text, in lines that fit a terminal.
pub fn text(receipt: &Receipt, denomination: &Denomination) -> String {
    let mut text = format!("RECEIPT\n{}\n", ending(receipt, denomination));
    for Section { heading, lines } in sections(receipt, denomination) {
        text.push_str(&format!("\n{heading}\n"));
        let width = lines.iter().map(|(what, _)| what.lines().next().unwrap_or_default().chars().count()).max();
        let width = width.unwrap_or(0);
        for (what, how_much) in lines {
            let (first, rest) = what.split_once('\n').unwrap_or((what.as_str(), ""));
            text.push_str(&format!("  {first:<width$}  {how_much}\n"));
            if !rest.is_empty() {
                text.push_str(&format!("    {rest}\n"));
            }
        }
    }
    text.push_str(&format!("\n{NO_INVOICE}\n"));
    text
}
