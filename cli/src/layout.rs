//! How things are laid out on a terminal. What they say comes from the client. Always in one order: where it stands; what
//! happens if nobody does anything; what can be done, with the command to type; the steps; the money; the people; the terms.

use std::fmt::{self, Display, Formatter};

use escrow_client::{
    view::{
        Cluster, Costs, Course, Decision, Ending, Escrow, Milestone, Next, Plan, Progress, Role, Shares, Status, Time,
        Transaction,
    },
    words::{self, name::percent, time::duration},
};
use escrow_frame::terminal::{HANG, alarm, bold, dim, warning, white_on_black};
use solana_pubkey::Pubkey;

use crate::contacts::name_of;

/// An escrow as a whole, for somebody.
pub struct EscrowLayout<'a> {
    pub escrow: &'a Escrow,
    /// Who looks at it; none where nobody is known to.
    pub viewer: Option<Pubkey>,
}

/// Its milestones, and what waits to be paid out.
pub struct MoneyLayout<'a>(pub &'a Escrow);

/// What is about to be signed.
pub struct PlanLayout<'a> {
    pub plan: &'a Plan,
    /// Who signs it; none where nobody is about to.
    pub signer: Option<&'a Pubkey>,
    /// What that is in the escrow.
    pub roles: &'a str,
}

/// A moment, with its distance from the chain's present time.
pub fn time(time: &Time) -> words::Time {
    words::Time { unix: time.unix, seconds_from_now: time.seconds_from_now }
}

/// The same, with the time on the clock of whoever reads it.
pub fn local(moment: &Time) -> String {
    let utc = time(moment);
    let zone = jiff::tz::TimeZone::system();
    let local = jiff::Timestamp::from_second(moment.unix).map(|time| time.to_zoned(zone)).ok();
    match local.filter(|local| !local.offset().is_zero()) {
        Some(local) => format!("{utc}, {} here", local.strftime("%a %d %b %H:%M")),
        None => utc.to_string(),
    }
}

/// The cluster, and that its money is worth nothing where that is so.
pub struct ClusterLayout<'a>(pub &'a Cluster);

impl Display for ClusterLayout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Cluster { name, real, url, commitment, .. } = self.0;
        write!(f, "{name} ({url}), {commitment}")?;
        match real {
            true => Ok(()),
            false => write!(f, ". {}", alarm("NOT mainnet: this money is worth nothing")),
        }
    }
}

/// A row: a name, and behind it what goes on in the same column.
fn row(f: &mut Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "  {name:<16}{HANG}{value}")
}

fn heading(f: &mut Formatter<'_>, title: &str) -> fmt::Result {
    writeln!(f, "\n{}", bold(title))
}

impl Display for EscrowLayout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let escrow = self.escrow;
        if let Some(cluster) = &escrow.cluster {
            writeln!(f, "{}", ClusterLayout(cluster))?;
        }
        writeln!(f, "{}", bold(&escrow.standing))?;
        writeln!(f, "escrow {}, {}", escrow.address, escrow.status)?;
        write_warnings(f, &escrow.warnings)?;
        if let Some(silence) = &escrow.silence {
            writeln!(f, "\n{} {silence}", bold("If nobody does anything:"))?;
        }
        self.possible(f)?;
        write_timeline(f, escrow)?;
        write_money(f, escrow)?;
        write_courses(f, &escrow.milestones)?;
        write_endings(f, &escrow.endings)?;
        self.people(f)?;
        write_terms(f, escrow)?;
        writeln!(f, "\n{}", dim(format_args!("What happened so far: escrow history {}", escrow.address)))
    }
}

impl EscrowLayout<'_> {
    /// What can be done: by whoever looks, by others, and later.
    fn possible(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (now, later): (Vec<_>, Vec<_>) = self.escrow.next.iter().partition(|next| next.from.is_none());
        let (mine, others): (Vec<_>, Vec<_>) =
            now.into_iter().partition(|next| self.viewer.is_some_and(|viewer| self.may(&viewer, next.by)));
        for (title, nexts) in [("You can", mine), ("Others can", others), ("Later, if nothing else happens", later)] {
            if !nexts.is_empty() {
                let title = if self.viewer.is_none() && title == "Others can" { "What can be done" } else { title };
                heading(f, title)?;
            }
            for next in together(&nexts) {
                write_next(f, &next, &self.escrow.address)?;
            }
        }
        Ok(())
    }

    /// Whether `viewer` is one of those who may do it. What anyone may do, only where it is theirs to look after.
    fn may(&self, viewer: &Pubkey, by: Role) -> bool {
        let escrow = self.escrow;
        let viewer = viewer.to_string();
        let is = |address: &Option<String>| address.as_ref() == Some(&viewer);
        let party = escrow.buyer == viewer || escrow.seller == viewer;
        match by {
            Role::Buyer => escrow.buyer == viewer,
            Role::Seller => escrow.seller == viewer,
            Role::Arbiter => is(&escrow.arbiter),
            Role::Attester => is(&escrow.attester),
            Role::FeeRecipient => is(&escrow.fee_recipient),
            Role::RentPayer => escrow.rent_payer == viewer,
            Role::AnyParty => party || escrow.rent_payer == viewer,
            Role::Anyone => party || escrow.rent_payer == viewer || is(&escrow.fee_recipient) || is(&escrow.arbiter),
            Role::SecretHolder => escrow.seller == viewer,
        }
    }

    fn people(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let escrow = self.escrow;
        heading(f, "People")?;
        let viewer = self.viewer.map(|viewer| viewer.to_string());
        let you = |address: &str| match (&viewer, name_of(address)) {
            (Some(viewer), _) if viewer == address => format!("{address} (you)"),
            (_, Some(name)) => format!("{address} @{name}"),
            _ => address.to_owned(),
        };
        row(f, "buyer", you(&escrow.buyer))?;
        row(f, "seller", you(&escrow.seller))?;
        match &escrow.arbiter {
            Some(arbiter) => row(f, "arbiter", you(arbiter))?,
            None => row(f, "arbiter", "none: only both of you together can end a dispute")?,
        }
        for (name, address) in [("attester", &escrow.attester), ("fee recipient", &escrow.fee_recipient)] {
            if let Some(address) = address {
                row(f, name, you(address))?;
            }
        }
        row(f, "rent payer", you(&escrow.rent_payer))
    }
}

fn write_warnings(f: &mut Formatter<'_>, warnings: &[String]) -> fmt::Result {
    if warnings.is_empty() {
        return Ok(());
    }
    heading(f, "What could go against one of you")?;
    for told in warnings {
        writeln!(f, "  {} {HANG}{told}", warning("!"))?;
    }
    Ok(())
}

/// The same possibility for several milestones is told once.
fn together<'a>(nexts: &[&'a Next]) -> Vec<(&'a Next, Vec<u8>)> {
    let mut told: Vec<(&Next, Vec<u8>)> = Vec::new();
    for next in nexts {
        let same = |(other, _): &&mut (&Next, Vec<u8>)| {
            other.milestone.is_some()
                && next.milestone.is_some()
                && (&other.action, other.by, &other.from, &other.until)
                    == (&next.action, next.by, &next.from, &next.until)
                && other.action != "rule"
        };
        match told.iter_mut().find(same) {
            Some((_, milestones)) => milestones.extend(next.milestone),
            None => told.push((next, next.milestone.into_iter().collect())),
        }
    }
    told
}

fn write_next(f: &mut Formatter<'_>, (next, milestones): &(&Next, Vec<u8>), address: &str) -> fmt::Result {
    let Next { action, from, until, text, .. } = next;
    match milestones.as_slice() {
        [] | [_] => writeln!(f, "  {text}")?,
        [.., last] => writeln!(f, "  {text} The same for each up to milestone {last}.")?,
    }
    let when = match (from, until) {
        (None, None) => String::new(),
        (None, Some(until)) => format!("until {}", local(until)),
        (Some(from), None) => format!("from {}", local(from)),
        (Some(from), Some(until)) => format!("from {} until {}", local(from), local(until)),
    };
    if !when.is_empty() {
        writeln!(f, "    {when}")?;
    }
    let milestone = next.milestone.map_or_else(String::new, |number| format!(" -m {number}"));
    let more = match action.as_str() {
        "rule" => " --seller-share PERCENT",
        "claim" => " --secret FILE",
        _ => "",
    };
    writeln!(f, "    {}", bold(format_args!("escrow {action} {address}{milestone}{more}")))
}

fn write_timeline(f: &mut Formatter<'_>, escrow: &Escrow) -> fmt::Result {
    let done = escrow.timeline.iter().take_while(|step| step.done).count();
    let all = escrow.timeline.len();
    heading(f, &format!("Step {} of {all}", done.saturating_add(1).min(all)))?;
    for (index, step) in escrow.timeline.iter().enumerate() {
        let mark = match (step.done, index == done) {
            (true, _) => "✓",
            (false, true) => "▸",
            (false, false) => "·",
        };
        let name = match step.step.as_str() {
            "paid_out" => "paid out",
            name => name,
        };
        let count = step.milestones.filter(|_| escrow.milestones.len() > 1);
        let count = count.map_or_else(String::new, |count| format!("{count} of {} ", escrow.milestones.len()));
        let when = match (&step.time, step.done) {
            (Some(time), true) => local(time),
            (Some(time), false) => format!("until {}", local(time)),
            (None, _) => String::new(),
        };
        match (count, when) {
            (count, when) if count.is_empty() && when.is_empty() => writeln!(f, "  {mark} {name}")?,
            (count, when) => writeln!(f, "  {mark} {name:<14}{HANG}{}", format!("{count}{when}").trim_end())?,
        }
    }
    Ok(())
}

/// The principal, divided: it adds up.
fn write_money(f: &mut Formatter<'_>, escrow: &Escrow) -> fmt::Result {
    heading(f, "Money")?;
    let name = |of: Option<Role>| match (of, escrow.status) {
        (None, Status::Created) => "to be paid in".to_owned(),
        (None, _) => "undecided".to_owned(),
        (Some(role), _) => role.to_string(),
    };
    let width = escrow.money.iter().map(|share| share.amount.text.chars().count()).chain([escrow
        .principal
        .text
        .chars()
        .count()]);
    let width = width.max().unwrap_or(0);
    for share in &escrow.money {
        let waiting = match share.waiting.units.as_str() {
            "0" if share.of.is_none() => String::new(),
            "0" => "  paid out".to_owned(),
            _ => format!("  waiting to be paid out: {}", share.waiting.text),
        };
        row(f, &name(share.of), format_args!("{:>width$}{waiting}", share.amount.text))?;
    }
    row(f, "principal", format_args!("{:>width$}", escrow.principal.text))?;
    if let Some(mint) = &escrow.mint {
        row(f, "token's mint", mint)?;
    }
    if let Some(reason) = &escrow.decimals_unknown {
        row(f, "", format_args!("in base units: {reason}"))?;
    }
    if escrow.milestones.len() > 1 {
        for milestone in &escrow.milestones {
            let Milestone { number, status, amount, remaining, deadline, .. } = milestone;
            let open = if *status != Progress::Settled && remaining != amount {
                format!(", {} open", remaining.text)
            } else {
                String::new()
            };
            let deadline = deadline.as_ref().map_or_else(String::new, |deadline| format!("; {}", time(deadline)));
            row(f, &format!("milestone {number}"), format_args!("{:>width$}  {status}{open}{deadline}", amount.text))?;
        }
    }
    Ok(())
}

fn write_endings(f: &mut Formatter<'_>, endings: &[Ending]) -> fmt::Result {
    if endings.is_empty() {
        return Ok(());
    }
    heading(f, "How it can end: what everybody gets of what is open")?;
    for Ending { text, shares, .. } in endings {
        writeln!(f, "  {text:<42}{HANG}{}", write_shares(shares))?;
    }
    Ok(())
}

fn write_shares(shares: &Shares) -> String {
    let Shares { seller, fee_recipient, buyer, arbiter } = shares;
    let parts = [(seller, "seller"), (buyer, "buyer"), (fee_recipient, "fee"), (arbiter, "arbiter")];
    let parts = parts.iter().filter(|(amount, _)| amount.units != "0");
    parts.map(|(amount, who)| format!("{who} {}", amount.text)).collect::<Vec<_>>().join(", ")
}

fn write_terms(f: &mut Formatter<'_>, escrow: &Escrow) -> fmt::Result {
    heading(f, "Terms")?;
    match &escrow.funded_at {
        Some(funded_at) => row(f, "funded", local(funded_at))?,
        None => row(f, "fund by", local(&escrow.fund_by))?,
    }
    match &escrow.cooling_off_end {
        Some(end) => row(f, "cooling off", format_args!("until {}", local(end)))?,
        None if escrow.cooling_off_seconds > 0 => {
            row(f, "cooling off", format_args!("{} after funding", duration(u64::from(escrow.cooling_off_seconds))))?;
        }
        None => row(f, "cooling off", "none: once it is funded, the buyer cannot cancel")?,
    }
    let mut windows: Vec<u32> = escrow.milestones.iter().map(|milestone| milestone.review_window_seconds).collect();
    windows.dedup();
    let windows: Vec<String> = windows.iter().map(|seconds| duration(u64::from(*seconds))).collect();
    if let ([milestone], true) = (escrow.milestones.as_slice(), escrow.status == Status::Created)
        && let Some(deadline) = &milestone.deadline
    {
        row(f, "deliver by", local(deadline))?;
    }
    row(f, "review", format_args!("{} after a delivery", windows.join(", ")))?;
    row(
        f,
        "ruling window",
        format_args!("{} after a dispute is opened", duration(u64::from(escrow.ruling_window_seconds))),
    )?;
    row(
        f,
        "undelivered",
        format_args!("{} for the seller, if nothing is delivered in time", percent(escrow.undelivered_bps)),
    )?;
    row(
        f,
        "unanswered",
        format_args!("{} for the seller, if the buyer does not answer", percent(escrow.unanswered_bps)),
    )?;
    let unruled =
        if escrow.arbiter.is_some() { "nobody rules on a dispute" } else { "the two do not agree in a dispute" };
    row(f, "unruled", format_args!("{} for the seller, if {unruled}", percent(escrow.unruled_bps)))?;
    if escrow.fee_bps > 0 {
        row(f, "fee", format_args!("{} of what is released", percent(escrow.fee_bps)))?;
    }
    if escrow.arbiter_fee_bps > 0 {
        row(f, "arbiter's fee", format_args!("{} of what a ruling decides", percent(escrow.arbiter_fee_bps)))?;
    }
    if !escrow.accepted_risks.is_empty() {
        row(f, "accepted risks", escrow.accepted_risks.join(", "))?;
    }
    if let Some(hash) = &escrow.document_hash {
        row(f, "document", hash)?;
    }
    if let Some(hash) = &escrow.hashlock {
        row(f, "hash-lock", hash)?;
    }
    row(f, "terms hash", &escrow.terms_hash)
}

impl Display for PlanLayout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Plan { cluster, found, actions, paid_in, cost, escrow, transactions, .. } = self.plan;
        if let Some(cluster) = cluster {
            writeln!(f, "{}", ClusterLayout(cluster))?;
        }
        write_warnings(f, &[found.as_slice(), escrow.warnings.as_slice()].concat())?;
        heading(f, "What you are about to sign")?;
        for action in actions {
            writeln!(f, "  {}", bold(action))?;
        }
        writeln!(f)?;
        row(f, "escrow", &escrow.address)?;
        if let Some(signer) = self.signer {
            row(f, "you sign as", format_args!("{}: {signer}", self.roles))?;
        }
        row(f, "buyer", &escrow.buyer)?;
        row(f, "seller", &escrow.seller)?;
        row(f, "arbiter", escrow.arbiter.as_deref().unwrap_or("none: only both of you together can end a dispute"))?;
        row(f, "amount", &escrow.principal.text)?;
        if let Some(mint) = &escrow.mint {
            row(f, "token's mint", mint)?;
        }
        write_endings(f, &escrow.endings)?;
        if let Some(silence) = &escrow.silence {
            writeln!(f, "\n{} {silence}", bold("If nobody does anything:"))?;
        }
        write_terms(f, escrow)?;
        if let Some(cost) = cost {
            write_costs(f, cost, paid_in.as_ref().map(|amount| amount.text.as_str()))?;
        }
        for transaction in transactions {
            write_transaction(f, transaction)?;
        }
        Ok(())
    }
}

fn write_transaction(f: &mut Formatter<'_>, transaction: &Transaction) -> fmt::Result {
    heading(f, "Transaction")?;
    row(f, "blockhash", &transaction.blockhash)?;
    row(f, "message", &transaction.message)?;
    row(f, "transaction", &transaction.transaction)?;
    for signature in &transaction.signatures {
        row(f, "signed", format_args!("--signer {signature}"))?;
    }
    transaction.missing.iter().try_for_each(|signer| row(f, "not signed", signer))
}

fn write_costs(f: &mut Formatter<'_>, cost: &Costs, paid_in: Option<&str>) -> fmt::Result {
    heading(f, "What it costs you")?;
    if let Some(paid_in) = paid_in {
        row(f, "paid in", format_args!("{paid_in}, locked until it is decided"))?;
    }
    row(f, "network fee", &cost.fee.text)?;
    if cost.escrow_rent.units != "0" {
        row(f, "rent", format_args!("{}, which comes back when the escrow is closed", cost.escrow_rent.text))?;
    }
    if cost.token_accounts > 0 {
        let accounts = if cost.token_accounts == 1 { "token account" } else { "token accounts" };
        row(
            f,
            "made for others",
            format_args!(
                "{} {accounts}, {} each: its owner gets that by closing it, and not you",
                cost.token_accounts, cost.token_account_rent.text
            ),
        )?;
    }
    row(
        f,
        "together",
        format_args!("{}{}", cost.total.text, if paid_in.is_some() { ", besides what is paid in" } else { "" }),
    )
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

/// How each milestone went, where that was asked for.
fn write_courses(f: &mut Formatter<'_>, milestones: &[Milestone]) -> fmt::Result {
    let courses: Vec<_> = milestones.iter().filter_map(|one| Some((one.number, one.course.as_ref()?))).collect();
    if !courses.is_empty() {
        heading(f, "How the milestones went")?;
    }
    courses.into_iter().try_for_each(|(number, course)| {
        writeln!(f, "  milestone {number}")?;
        write_course(f, course)
    })
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

/// A QR code of half blocks, dark on light whatever the terminal's colours are; nothing where it would be wider than 80 columns.
pub struct QrLayout<'a>(pub &'a str);

impl Display for QrLayout<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Ok(code) = qrcode::QrCode::with_error_correction_level(self.0, qrcode::EcLevel::L) else { return Ok(()) };
        // The quiet zone is 4 on each side.
        if code.width().saturating_add(8) > 80 {
            return writeln!(f, "(too much for a QR code that fits 80 columns)");
        }
        let mut renderer = code.render::<qrcode::render::unicode::Dense1x2>();
        let renderer = renderer.dark_color(qrcode::render::unicode::Dense1x2::Light);
        let drawn = renderer.light_color(qrcode::render::unicode::Dense1x2::Dark).build();
        // White on black, on light terminals too.
        drawn.lines().try_for_each(|line| writeln!(f, "{}", white_on_black(line)))
    }
}
