//! How things are laid out on a terminal. What they say comes from the client.

use std::fmt::{self, Display, Formatter};

use escrow_client::{
    view::{Course, Decision, Escrow, Milestone, Next, Progress, Status, Time},
    words::{self, name::percent, time::duration},
};

/// An escrow as a whole.
pub struct EscrowLayout<'a>(pub &'a Escrow);

/// Its milestones, and what waits to be paid out.
pub struct MoneyLayout<'a>(pub &'a Escrow);

/// A moment, with its distance from the chain's present time.
pub fn time(time: &Time) -> words::Time {
    words::Time { unix: time.unix, seconds_from_now: time.seconds_from_now }
}

impl Display for EscrowLayout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let escrow = self.0;
        let mut row = |name: &str, value: &dyn Display| writeln!(f, "  {name:<16}{value}");
        row("escrow", &escrow.address)?;
        row("status", &escrow.status)?;
        row("buyer", &escrow.buyer)?;
        row("seller", &escrow.seller)?;
        row("arbiter", &escrow.arbiter.as_deref().unwrap_or("none: only both of you together can end a dispute"))?;
        for (name, address) in [("attester", &escrow.attester), ("fee recipient", &escrow.fee_recipient)] {
            if let Some(address) = address {
                row(name, address)?;
            }
        }
        row("rent payer", &escrow.rent_payer)?;
        if let Some(mint) = &escrow.mint {
            row("token's mint", mint)?;
        }
        if let Some(reason) = &escrow.decimals_unknown {
            row("", &format!("in base units: {reason}"))?;
        }
        if !escrow.accepted_risks.is_empty() {
            row("accepted risks", &escrow.accepted_risks.join(", "))?;
        }
        row("principal", &escrow.principal.text)?;
        if escrow.fee_bps > 0 {
            row("fee", &percent(escrow.fee_bps))?;
        }
        if escrow.arbiter_fee_bps > 0 {
            row("arbiter's fee", &percent(escrow.arbiter_fee_bps))?;
        }
        match &escrow.funded_at {
            Some(funded_at) => row("funded", &time(funded_at))?,
            None => row("fund by", &time(&escrow.fund_by))?,
        }
        match &escrow.cooling_off_end {
            Some(end) => row("cooling off", &format!("until {}", time(end)))?,
            None if escrow.cooling_off_seconds > 0 => {
                row("cooling off", &format!("{} after funding", duration(u64::from(escrow.cooling_off_seconds))))?;
            }
            None => {}
        }
        let ruling = duration(u64::from(escrow.ruling_window_seconds));
        row("ruling window", &format!("{ruling} after a dispute is opened"))?;
        if let Some(hash) = &escrow.document_hash {
            row("document", hash)?;
        }
        if let Some(hash) = &escrow.hashlock {
            row("hash-lock", hash)?;
        }
        row("terms hash", &escrow.terms_hash)?;
        writeln!(f, "\n  If somebody stays silent, the seller gets")?;
        writeln!(f, "    nothing delivered in time:       {}", percent(escrow.undelivered_bps))?;
        writeln!(f, "    buyer does not answer in time:   {}", percent(escrow.unanswered_bps))?;
        writeln!(f, "    nobody rules on a dispute:       {}", percent(escrow.unruled_bps))?;
        writeln!(f)?;
        write!(f, "{}", MoneyLayout(escrow))?;
        let (now, later): (Vec<_>, Vec<_>) = escrow.next.iter().partition(|next| next.from.is_none());
        for (title, nexts) in [("now", now), ("later, if nothing else happens", later)] {
            if !nexts.is_empty() {
                writeln!(f, "\n  {title}")?;
            }
            for next in nexts {
                write_next(f, next)?;
            }
        }
        Ok(())
    }
}

impl Display for MoneyLayout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for milestone in &self.0.milestones {
            write_milestone(f, milestone)?;
        }
        if self.0.status == Status::Settled {
            let (released, refunded) = (&self.0.released.text, &self.0.refunded.text);
            writeln!(f, "  decided: {released} released, {refunded} refunded")?;
        }
        if let Some(missing) = &self.0.history_missing {
            writeln!(f, "  {missing}")?;
        }
        for due in &self.0.due {
            writeln!(f, "  waiting to be paid out: {} for the {}", due.amount.text, due.recipient)?;
        }
        Ok(())
    }
}

fn write_milestone(f: &mut Formatter<'_>, milestone: &Milestone) -> fmt::Result {
    let Milestone { number, status, amount, remaining, deadline, .. } = milestone;
    write!(f, "  milestone {number}: {}, {}", amount.text, status)?;
    if *status != Progress::Settled && remaining != amount {
        write!(f, ", {} open", remaining.text)?;
    }
    if *status == Progress::Pending {
        write!(f, "; review {}", duration(u64::from(milestone.review_window_seconds)))?;
    }
    match (&milestone.silence, deadline) {
        (Some(silence), _) => writeln!(f, "\n    {silence}"),
        (None, Some(deadline)) => writeln!(f, "; to be delivered before {}", time(deadline)),
        (None, None) => writeln!(f),
    }?;
    milestone.course.as_ref().map_or(Ok(()), |course| write_course(f, course))
}

/// When it was delivered and disputed, and what decided it.
fn write_course(f: &mut Formatter<'_>, course: &Course) -> fmt::Result {
    let Course { delivered, evidence_hash, disputed, reason_hash, decisions } = course;
    for (what, when, name, hash) in
        [("delivered", delivered, "evidence", evidence_hash), ("disputed", disputed, "reason", reason_hash)]
    {
        if let Some(when) = when {
            let hash = hash.as_ref().map_or_else(String::new, |hash| format!("\n      {name} {hash}"));
            writeln!(f, "    {what} {}{hash}", time(when))?;
        }
    }
    for Decision { time: when, text, signature, .. } in decisions {
        let when = when.as_ref().map_or_else(|| "time unknown".to_owned(), |when| time(when).to_string());
        writeln!(f, "    {text}\n      {when}\n      transaction {signature}")?;
    }
    Ok(())
}

fn write_next(f: &mut Formatter<'_>, next: &Next) -> fmt::Result {
    let Next { action, milestone, from, until, text, .. } = next;
    writeln!(f, "    {text}")?;
    let milestone = milestone.map_or_else(String::new, |number| format!(" -m {number}"));
    let when = match (from, until) {
        (None, None) => String::new(),
        (None, Some(until)) => format!("until {}: ", time(until)),
        (Some(from), None) => format!("from {}: ", time(from)),
        (Some(from), Some(until)) => format!("from {}\n      until {}: ", time(from), time(until)),
    };
    writeln!(f, "      {when}escrow {action}{milestone}")
}
