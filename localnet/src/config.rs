//! What to start: ports, blocks, programs.

use std::{borrow::Cow, time::Duration};

use solana_pubkey::Pubkey;

/// How to start an embedded validator. The default has free ports, blocks on demand and the escrow program.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens. Always on 127.0.0.1.
    pub ports: Ports,
    /// When it produces blocks, and so how its clock runs.
    pub blocks: Blocks,
    /// The programs that stand on it from the first block on, besides the native ones, Token, Token-2022, Associated
    /// Token Account and Memo, which are always there.
    pub programs: Vec<Program>,
}

impl Default for Config {
    fn default() -> Self {
        Self { programs: vec![Program::escrow()], ..Self::bare() }
    }
}

impl Config {
    /// As the default, without the escrow program.
    pub fn bare() -> Self {
        Self { ports: Ports::default(), blocks: Blocks::default(), programs: Vec::new() }
    }

    /// What `escrow localnet` serves: the escrow program on [`Ports::STANDARD`], with [`Blocks::REAL_TIME`].
    pub fn like_a_cluster() -> Self {
        Self { ports: Ports::STANDARD, blocks: Blocks::REAL_TIME, ..Self::default() }
    }

    /// The same with one more program.
    pub fn with_program(mut self, program: Program) -> Self {
        self.programs.push(program);
        self
    }

    /// The same on other ports.
    pub fn with_ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// The same with other blocks.
    pub fn with_blocks(mut self, blocks: Blocks) -> Self {
        self.blocks = blocks;
        self
    }
}

/// The two ports of a validator, on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ports {
    /// Any two free neighbours. Neighbours, because Solana's tools derive the WebSocket port as the JSON-RPC port + 1.
    #[default]
    Free,
    /// Exactly these.
    Fixed {
        /// For JSON-RPC over HTTP.
        rpc: u16,
        /// For subscriptions over WebSocket.
        ws: u16,
    },
}

impl Ports {
    /// 8899 and 8900, where every Solana tool looks for a local validator.
    pub const STANDARD: Ports = Ports::Fixed { rpc: 8899, ws: 8900 };
}

/// When an embedded validator produces blocks.
///
/// The Clock sysvar moves with blocks and with nothing else, so this also decides how its clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blocks {
    /// A block for each transaction, and more at 100 a second until it is finalized (31 blocks). Nothing happens while
    /// nobody sends anything.
    ///
    /// Each block moves the clock by one millisecond: it stands still for all practical purposes, and a test that has
    /// moved it to one second before a deadline has a thousand blocks left (ten seconds of uninterrupted traffic at
    /// the least).
    #[default]
    OnDemand,
    /// A block each time this much has passed, which also moves the clock by as much: it follows the time of day.
    /// A transaction is confirmed by the next block and finalized 31 blocks later, and a block hash lives for 150.
    /// At least a millisecond; less counts as one.
    Every(Duration),
}

impl Blocks {
    /// A cluster's rate: a block every 400 milliseconds.
    pub const REAL_TIME: Blocks = Blocks::Every(Duration::from_millis(400));

    /// By how many milliseconds a block moves the clock.
    pub(crate) fn slot_millis(self) -> u64 {
        match self {
            Blocks::OnDemand => 1,
            Blocks::Every(interval) => u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1),
        }
    }
}

/// A program to deploy, as an upgradeable one: a program account at `id` and the programdata account derived from it.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its address.
    pub id: Pubkey,
    /// The shared object, as the SBF linker wrote it.
    pub elf: Cow<'static, [u8]>,
    /// Who may upgrade it; `None` makes it immutable.
    pub upgrade_authority: Option<Pubkey>,
}

impl Program {
    /// The escrow program as it is committed to this repository, immutable.
    pub fn escrow() -> Self {
        Self::new(escrow::ID, include_bytes!("../../programs/escrow/elf/escrow.so").as_slice())
    }

    /// An immutable program.
    pub fn new(id: Pubkey, elf: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { id, elf: elf.into(), upgrade_authority: None }
    }

    /// The same, upgradeable by `authority`.
    pub fn upgradeable_by(mut self, authority: Pubkey) -> Self {
        self.upgrade_authority = Some(authority);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_never_leaves_the_clock_where_it_is() {
        assert_eq!(Blocks::OnDemand.slot_millis(), 1);
        assert_eq!(Blocks::REAL_TIME.slot_millis(), 400);
        assert_eq!(Blocks::Every(Duration::ZERO).slot_millis(), 1);
        assert_eq!(Blocks::Every(Duration::MAX).slot_millis(), u64::MAX);
    }
}
