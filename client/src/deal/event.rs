//! The program's events, from a transaction's log. Anybody can log bytes that look like one, so a line counts only
//! inside an invocation of the program itself; and a node cuts long logs off, which is noticed.

use anchor_lang::Discriminator;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytemuck::Pod;
use escrow::{
    event::*,
    state::{Escrow, Milestone, Moved},
};
use solana_pubkey::Pubkey;

use super::{
    account::EscrowAccount,
    action::{Effects, EscrowInstruction},
};

/// Defines the enum of all events and how each is decoded.
macro_rules! events {
    ($($name:ident),* $(,)?) => {
        /// An event of the program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EscrowEvent {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name),
            )*
        }

        impl EscrowEvent {
            /// Decodes what the program logged: the discriminator and the event, and nothing else.
            pub fn decode(logged: &[u8]) -> Option<Self> {
                $(
                    if let Some(event) = decode_as::<$name>(logged) {
                        return Some(Self::$name(event));
                    }
                )*
                None
            }

            /// The escrow that it is about.
            pub const fn escrow(&self) -> &Pubkey {
                match self {
                    $( Self::$name(event) => &event.escrow, )*
                }
            }
        }
    };
}

events!(
    Created, Funded, Cancelled, Delivered, Claimed, Released, Refunded, Disputed, Ruled, Proposed, Accepted, Expired,
    Withdrawn, Closed,
);

impl EscrowEvent {
    /// What the instruction that logged it moved.
    pub fn effects(&self, instruction: &EscrowInstruction) -> Effects {
        let decided = |moved| Effects { decided: moved, ..Effects::default() };
        match (self, instruction) {
            (Self::Funded(event), _) => Effects { paid_in: event.principal, ..Effects::default() },
            (Self::Cancelled(event), _) => decided(Moved { buyer: event.refunded, ..Moved::default() }),
            (Self::Claimed(event), _) => decided(Moved { seller: event.to_seller, fee: event.fee, ..Moved::default() }),
            (Self::Released(event), _) => {
                decided(Moved { seller: event.to_seller, fee: event.fee, ..Moved::default() })
            }
            (Self::Refunded(event), _) => decided(Moved { buyer: event.to_buyer, ..Moved::default() }),
            (Self::Ruled(event), _) => decided(Moved { arbiter: event.to_arbiter, ..moved(&event.decided) }),
            (Self::Accepted(event), _) => decided(moved(&event.decided)),
            (Self::Expired(event), _) => decided(moved(&event.decided)),
            (Self::Withdrawn(event), EscrowInstruction::Withdraw { recipient }) => {
                Effects { paid_out: Some((*recipient, event.amount)), ..Effects::default() }
            }
            _ => Effects::default(),
        }
    }

    /// The time at which the program logged it on `before`, by the program's own clock, where that follows from a deadline that it
    /// set: a node's time of the block may be a second beside it.
    pub fn time(&self, before: &EscrowAccount) -> Option<i64> {
        let own = |milestone: u8, deadline: i64, window: fn(&Escrow, &Milestone) -> u32| {
            let milestone = before.milestones.get(usize::from(milestone))?;
            // With a hash-lock the later of two deadlines holds, and the other one says nothing about now.
            let is_own = !before.state.is_hashlocked() || deadline > milestone.deadline;
            deadline.checked_sub(window(&before.state, milestone).into()).filter(|_| is_own)
        };
        match self {
            Self::Funded(event) => event.cooling_off_end.checked_sub(before.state.cooling_off.into()),
            Self::Delivered(event) => own(event.milestone, event.deadline, |_, milestone| milestone.review_window),
            Self::Disputed(event) => own(event.milestone, event.deadline, |escrow, _| escrow.ruling_window),
            _ => None,
        }
    }

    /// The deadline that it gave to its milestone, in unix seconds, if it gave one.
    pub const fn deadline(&self) -> Option<i64> {
        match self {
            Self::Delivered(event) => Some(event.deadline),
            Self::Disputed(event) => Some(event.deadline),
            Self::Accepted(event) if event.deadline != 0 => Some(event.deadline),
            _ => None,
        }
    }
}

const fn moved(decided: &Decided) -> Moved {
    let Decided { to_seller, fee, to_buyer, .. } = *decided;
    Moved { seller: to_seller, fee, buyer: to_buyer, arbiter: 0 }
}

fn decode_as<E: Discriminator + Pod>(logged: &[u8]) -> Option<E> {
    let event = logged.strip_prefix(E::DISCRIMINATOR)?;
    bytemuck::try_pod_read_unaligned(event).ok()
}

/// The events in a transaction's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// In the order in which they were logged.
    pub events: Vec<EscrowEvent>,
    /// Whether the log may lack some: the node cut it off.
    pub truncated: bool,
}

/// Reads the events of the escrow program out of the log of one transaction.
pub fn events(logs: &[String]) -> Events {
    let mut found = Events::default();
    // The programs that are being executed, the innermost last.
    let mut stack: Vec<Pubkey> = Vec::new();
    for line in logs {
        if line == "Log truncated" {
            found.truncated = true;
            continue;
        }
        if let Some(logged) = line.strip_prefix("Program data: ") {
            if stack.last() == Some(&escrow::ID) {
                let event = BASE64_STANDARD.decode(logged).ok();
                found.events.extend(event.and_then(|event| EscrowEvent::decode(&event)));
            }
            continue;
        }
        let Some((program, rest)) = line.strip_prefix("Program ").and_then(|line| line.split_once(' ')) else {
            continue;
        };
        let Ok(program) = program.parse::<Pubkey>() else { continue };
        if let Some(depth) = rest.strip_prefix("invoke [").and_then(|depth| depth.strip_suffix(']')) {
            // The runtime says how deep it is. If that is not one deeper, lines are missing.
            if depth.parse() != Ok(stack.len().saturating_add(1)) {
                found.truncated = true;
            }
            stack.push(program);
        } else if rest == "success" || rest.starts_with("failed: ") {
            stack.pop();
        }
    }
    found.truncated |= !stack.is_empty();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(milestone: u8) -> Released {
        Released {
            escrow: Pubkey::new_from_array([1; 32]),
            to_seller: 1,
            fee: 2,
            remaining: 3,
            milestone,
            reserved: [0; 7],
        }
    }

    fn data(event: &Released) -> String {
        let bytes = [Released::DISCRIMINATOR, bytemuck::bytes_of(event)].concat();
        format!("Program data: {}", BASE64_STANDARD.encode(bytes))
    }

    fn log(lines: &[&str]) -> Vec<String> {
        lines
            .iter()
            .map(|line| line.replace("ESCROW", &escrow::ID.to_string()).replace("OTHER", &OTHER.to_string()))
            .collect()
    }

    const OTHER: Pubkey = Pubkey::new_from_array([9; 32]);

    #[test]
    fn an_event_inside_the_programs_own_invocation_counts() {
        let event = released(0);
        let logs = log(&["Program ESCROW invoke [1]", &data(&event), "Program ESCROW success"]);
        assert_eq!(events(&logs), Events { events: vec![EscrowEvent::Released(event)], truncated: false });
    }

    #[test]
    fn a_look_alike_of_another_program_does_not_count() {
        let (ours, theirs) = (released(1), released(2));
        for logs in [
            log(&["Program OTHER invoke [1]", &data(&theirs), "Program OTHER success"]),
            // After the program has returned to its caller.
            log(&[
                "Program OTHER invoke [1]",
                "Program ESCROW invoke [2]",
                "Program ESCROW success",
                &data(&theirs),
                "Program OTHER success",
            ]),
            // Inside a program that ours calls.
            log(&[
                "Program ESCROW invoke [1]",
                "Program OTHER invoke [2]",
                &data(&theirs),
                "Program OTHER success",
                "Program ESCROW success",
            ]),
            // In what a program prints.
            log(&[
                "Program OTHER invoke [1]",
                "Program log: Program ESCROW invoke [2]",
                &data(&theirs),
                "Program OTHER success",
            ]),
        ] {
            assert_eq!(events(&logs), Events::default(), "{logs:?}");
        }
        let logs = log(&[
            "Program OTHER invoke [1]",
            &data(&theirs),
            "Program ESCROW invoke [2]",
            &data(&ours),
            "Program ESCROW success",
            &data(&theirs),
            "Program OTHER success",
        ]);
        assert_eq!(events(&logs).events, [EscrowEvent::Released(ours)]);
    }

    #[test]
    fn a_truncated_log_is_noticed() {
        let event = data(&released(0));
        for logs in [
            log(&["Program ESCROW invoke [1]", &event, "Log truncated"]),
            log(&["Program ESCROW invoke [1]", &event]),
            log(&["Program OTHER invoke [2]", "Program OTHER success"]),
        ] {
            assert!(events(&logs).truncated, "{logs:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_event_are_none() {
        let event = released(0);
        let bytes = [Released::DISCRIMINATOR, bytemuck::bytes_of(&event)].concat();
        assert_eq!(EscrowEvent::decode(&bytes), Some(EscrowEvent::Released(event)));
        for length in 0..bytes.len() {
            assert_eq!(EscrowEvent::decode(&bytes[..length]), None, "{length} bytes");
        }
        assert_eq!(EscrowEvent::decode(&[bytes.as_slice(), &[0]].concat()), None);
    }
}
