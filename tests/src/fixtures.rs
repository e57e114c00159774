//! Accounts as the committed program writes them, in every status, kept for the versions that come after it: see
//! `docs/upgrading.md`. `cargo xtask generate` writes those of the present version; those of an earlier one are never
//! written again.

use std::{fs, path::PathBuf};

use escrow_client::{MilestoneStatus, Proposal, Terms, address, instruction};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{DAY, HOUR, KINDS, Kind, SECRET, World};

/// Where the fixtures of a layout version are.
pub fn path(version: u8) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/layout-{version}.json"))
}

/// One escrow in one status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixture {
    /// What it shows.
    pub name: String,
    /// The clock when it was taken, in unix seconds.
    pub now: i64,
    /// The escrow's address.
    pub escrow: Pubkey,
    /// The escrow account's data.
    pub data: Vec<u8>,
    /// Its lamports.
    pub lamports: u64,
    /// The vault of a token: address, data and lamports.
    pub vault: Option<(Pubkey, Vec<u8>, u64)>,
}

/// The fixtures of a layout version, as committed.
pub fn committed(version: u8) -> Vec<Fixture> {
    let text = fs::read_to_string(path(version)).expect("committed fixtures");
    let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    all.iter().map(Fixture::from_json).collect()
}

/// What stands in the file of the present layout version.
pub fn document() -> String {
    let all: Vec<Value> = take().iter().map(Fixture::to_json).collect();
    serde_json::to_string_pretty(&all).expect("JSON") + "\n"
}

impl Fixture {
    fn to_json(&self) -> Value {
        let vault = self.vault.as_ref().map(|(address, data, lamports)| {
            json!({ "address": address.to_string(), "data": hex(data), "lamports": lamports.to_string() })
        });
        json!({
            "name": self.name,
            "now": self.now,
            "escrow": { "address": self.escrow.to_string(), "data": hex(&self.data), "lamports": self.lamports.to_string() },
            "vault": vault,
        })
    }

    fn from_json(value: &Value) -> Self {
        let account = |value: &Value| {
            let text = |name: &str| value[name].as_str().expect("text").to_owned();
            let address: Pubkey = text("address").parse().expect("an address");
            (address, unhex(&text("data")), text("lamports").parse::<u64>().expect("lamports"))
        };
        let (escrow, data, lamports) = account(&value["escrow"]);
        Self {
            name: value["name"].as_str().expect("a name").to_owned(),
            now: value["now"].as_i64().expect("a time"),
            escrow,
            data,
            lamports,
            vault: (!value["vault"].is_null()).then(|| account(&value["vault"])),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().map(|digit| (digit as char).to_digit(16).expect("a digit") as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Plays deals on the bytecode and takes each status on the way.
fn take() -> Vec<Fixture> {
    let mut taken = Vec::new();
    for kind in KINDS {
        let mut world = World::new();
        let name = |status: &str| format!("{}: {status}", if kind == Kind::Sol { "SOL" } else { "token" });
        let mut keep = |world: &World, escrow: Pubkey, status: &str| {
            let raw = world.raw(&escrow);
            let vault = (kind == Kind::Token).then(|| {
                let address = address::vault_address(&escrow);
                let raw = world.raw(&address);
                (address, raw.data, raw.lamports)
            });
            taken.push(Fixture {
                name: name(status),
                now: world.now(),
                escrow,
                data: raw.data,
                lamports: raw.lamports,
                vault,
            });
        };
        let (buyer, seller) = (world.buyer.insecure_clone(), world.seller.insecure_clone());
        let arbiter = world.arbiter.insecure_clone();

        // One deal after the other, each with every term that may be absent.
        let terms = full(&mut world, kind);
        let escrow = world.create(&terms);
        keep(&world, escrow, "created");
        world.ok(instruction::fund(&terms).expect("an address"), &[&buyer]);
        keep(&world, escrow, "funded, cooling off");
        world.advance(HOUR);
        keep(&world, escrow, "pending");
        let attester = world.attester.insecure_clone();
        world.ok(instruction::deliver(escrow, attester.pubkey(), 0, [1; 32]), &[&attester]);
        keep(&world, escrow, "delivered");
        world.ok(instruction::dispute(escrow, buyer.pubkey(), 0, [2; 32]), &[&buyer]);
        keep(&world, escrow, "disputed");
        propose(&mut world, escrow);
        keep(&world, escrow, "disputed, with an offer of each party");
        world.ok(instruction::rule(escrow, arbiter.pubkey(), 0, 3_333, [3; 32]), &[&arbiter]);
        keep(&world, escrow, "one of two milestones settled by a ruling");
        world
            .ok(instruction::release(escrow, buyer.pubkey(), 1, instruction::Part { amount: 100, of: 500 }), &[&buyer]);
        keep(&world, escrow, "partly released");
        world.ok(
            instruction::refund(escrow, seller.pubkey(), 1, instruction::Part { amount: 400, of: 400 }),
            &[&seller],
        );
        keep(&world, escrow, "settled");
        world.withdraw_all(&escrow);
        keep(&world, escrow, "settled and withdrawn");

        let mut terms = full(&mut world, kind);
        terms.milestones.truncate(1);
        terms.hashlock = anchor_lang::sha256(&SECRET);
        let escrow = world.create_and_fund(&terms);
        world.advance(HOUR);
        keep(&world, escrow, "hash-lock");

        let terms = world.terms(kind, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let escrow = world.create_and_fund(&terms);
        keep(&world, escrow, "eight milestones");
    }
    taken
}

/// Terms in which every role, fee and window is set.
fn full(world: &mut World, kind: Kind) -> Terms {
    let mut terms = world.terms(kind, &[1_000, 500]);
    terms.attester = world.attester.pubkey();
    terms.fee_recipient = world.fee_recipient.pubkey();
    (terms.fee_bps, terms.arbiter_fee_bps) = (250, 300);
    terms.cooling_off = 3_600;
    terms.document_hash = [9; 32];
    terms
}

/// An offer of each party.
fn propose(world: &mut World, escrow: Pubkey) {
    let (buyer, seller) = (world.buyer.insecure_clone(), world.seller.insecure_clone());
    let expires_at = world.now() + DAY;
    let status = MilestoneStatus::Disputed;
    let split = Proposal::Split { milestone: 0, status, remaining: 1_000, to_seller: 600, expires_at };
    let replaces = world.milestone(&escrow, 1).deadline;
    let (status, deadline) = (MilestoneStatus::Pending, replaces + DAY);
    let extension = Proposal::Extension { milestone: 1, status, replaces, deadline, expires_at };
    world.ok(instruction::propose(escrow, buyer.pubkey(), split), &[&buyer]);
    world.ok(instruction::propose(escrow, seller.pubkey(), extension), &[&seller]);
}
