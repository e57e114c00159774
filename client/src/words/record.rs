//! A record in words.

use super::{Denomination, Time};
use crate::record::{Ended, Flag, Level, Record};

/// How a deal ended.
pub const fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Released => "released by the buyer",
        Ended::Unanswered => "paid by the buyer's silence",
        Ended::Agreed => "divided by agreement",
        Ended::RuledForSeller => "ruled for the seller",
        Ended::RuledForBuyer => "ruled for the buyer",
        Ended::Unruled => "disputed, and never ruled on",
        Ended::Refunded => "refunded by the seller",
        Ended::Undelivered => "expired undelivered",
        Ended::Cancelled => "cancelled in the cooling-off period",
        Ended::Unfunded => "never funded",
        Ended::Open => "open",
    }
}

/// A level, with the rule behind it.
pub const fn level(level: Level) -> &'static str {
    match level {
        Level::Unknown => "unknown: no deal of theirs has come to an end",
        Level::Thin => "thin: fewer than 5 deals have come to an end, or with fewer than 3 people",
        Level::Established => "established: at least 5 deals have come to an end, with at least 3 people",
        Level::KnownToYou => "known to you: at least one deal with you has come to an end",
    }
}

/// A flag.
pub fn flag(flag: Flag) -> String {
    match flag {
        Flag::OneRentPayer => {
            "one wallet paid the rent of all these deals, though they are with different people".to_owned()
        }
        Flag::OneFunder(funder) => format!(
            "{funder} paid for the first transaction of everybody they dealt with: one person with several wallets, or customers \
             of one exchange"
        ),
        Flag::SettledWithinMinutes(1) => "1 deal was settled within ten minutes".to_owned(),
        Flag::SettledWithinMinutes(count) => format!("{count} deals were settled within ten minutes"),
    }
}

/// A record, line by line. `now` in unix seconds.
pub fn lines(record: &Record, now: i64) -> Vec<String> {
    let mut lines = Vec::new();
    let finished = record.finished().count();
    for as_seller in [true, false] {
        let role = if as_seller { "as the seller" } else { "as the buyer" };
        let total = record.finished().filter(|deal| deal.as_seller == as_seller).count();
        for how in Ended::ALL {
            let count = record.count(how, as_seller);
            if count == 0 {
                continue;
            }
            // A ratio of a few says nothing.
            let of = if how.is_finished() && total >= 5 { format!("{count} of {total}") } else { count.to_string() };
            lines.push(format!("{role}: {of} {}", ended(how)));
        }
    }
    if finished > 0 {
        let people = record.people();
        lines.push(format!("with {people} different {}", if people == 1 { "person" } else { "people" }));
        let faked = Denomination::SOL.amount(record.cost_of_faking());
        lines.push(format!(
            "to fake this with wallets of one's own would have cost about {faked}, besides money that comes back"
        ));
    }
    if let Some(since) = record.since() {
        lines.push(format!("the oldest that was found: {}", Time::new(since, now)));
    }
    if record.cut {
        lines.push("there may be more: only the program's newest 1,000 transactions were searched".to_owned());
    }
    lines
}
