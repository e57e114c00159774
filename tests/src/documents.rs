//! The documents that follow from the code: tables in `docs/protocol.md`, and `docs/schema/`.

use std::{fs, mem::offset_of, path::Path};

use escrow_client::{
    EscrowError,
    escrow::{
        interface::{INSTRUCTIONS, Instruction},
        state::{Escrow, HEADER_SIZE, Ledger, MILESTONE_SIZE, Milestone, ProposalSlot},
    },
};

/// What stands in `docs/protocol.md`: the committed text with its tables as the code gives them.
pub fn protocol() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let committed = fs::read_to_string(file).expect("docs/protocol.md");
    let written = replace(&committed, "instructions", &instructions(&committed));
    let written = replace(&written, "layout", &layout());
    replace(&written, "errors", &errors())
}

/// The JSON Schemas of the client's views: the path of each in the project, and its text.
pub fn schemas() -> Vec<(String, String)> {
    let text = |schema| format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
    let schemas = escrow_client::view::schemas().into_iter();
    schemas.map(|(name, schema)| (format!("docs/schema/{name}.json"), text(schema))).collect()
}

/// Puts `rows` between `<!-- name -->` and the next `<!-- end -->`.
fn replace(text: &str, name: &str, rows: &str) -> String {
    let begin = format!("<!-- {name} -->\n");
    let (head, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, tail) = rest.split_once("<!-- end -->").expect("no end");
    format!("{head}{begin}{rows}<!-- end -->{tail}")
}

/// The accounts by the program's table; what the document says of the arguments stays.
fn instructions(committed: &str) -> String {
    let row = |instruction: &Instruction| {
        let begin = format!("| {} | {} |", instruction.discriminator, instruction.name);
        let said = committed.lines().find_map(|line| line.strip_prefix(&begin)).and_then(|rest| rest.split('|').next());
        let accounts = instruction.accounts.iter().map(|account| {
            let marks = [(account.writable, 'w'), (account.signer, 's'), (account.optional, '?')];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
            if marks.is_empty() { account.name.to_owned() } else { format!("{} `{marks}`", account.name) }
        });
        format!("{begin}{}| {} |\n", said.unwrap_or(" ? "), accounts.collect::<Vec<_>>().join(", "))
    };
    INSTRUCTIONS.iter().map(row).collect()
}

fn errors() -> String {
    EscrowError::ALL
        .iter()
        .map(|error| format!("| {} | {} | {} |\n", error.code(), error.name(), error.message()))
        .collect()
}

/// A row for each field: where it stands in the account data.
macro_rules! rows {
    ($rows:ident, $base:expr, $prefix:expr, $type:ty { $($field:ident: $bytes:expr, $what:expr;)* }) => {
        $( $rows.push(($base + offset_of!($type, $field), $bytes, format!("{}{}", $prefix, stringify!($field)), $what)); )*
    };
}

fn layout() -> String {
    const DISCRIMINATOR: usize = 8;
    const MILESTONES: usize = DISCRIMINATOR + HEADER_SIZE + 8;
    let mut rows = vec![(0, 8, "discriminator".to_owned(), "first 8 bytes of sha256(\"account:Escrow\")")];
    rows!(rows, DISCRIMINATOR, "", Escrow {
        buyer: 32, "term"; seller: 32, "term"; arbiter: 32, "term"; attester: 32, "term"; fee_recipient: 32, "term";
        mint: 32, "term"; token_program: 32, "term"; rent_payer: 32, "gets the rent back";
        vault: 32, "the default key for SOL"; terms_hash: 32, "seed of the address"; hashlock: 32, "term";
        document_hash: 32, "term"; salt: 16, "term";
        cooling_off: 4, "term, u32"; ruling_window: 4, "term, u32";
        accepted_risks: 2, "term, u16"; fee_bps: 2, "term, u16"; arbiter_fee_bps: 2, "term, u16";
        undelivered_bps: 2, "term, u16"; unanswered_bps: 2, "term, u16"; unruled_bps: 2, "term, u16";
        status: 1, "1 created, 2 funded"; version: 1, "layout version: 2"; bump: 1, "of the address"; reserved: 1, "0";
        fund_by: 8, "term, i64"; funded_at: 8, "i64; 0 before";
    });
    rows!(rows, DISCRIMINATOR + offset_of!(Escrow, ledger), "ledger.", Ledger {
        principal: 8, "u64, as all amounts"; released: 8, "including the fee"; refunded: 8, ""; fees: 8, "part of released";
        arbiter_fees: 8, ""; due_buyer: 8, "decided, not withdrawn"; due_seller: 8, ""; due_fee: 8, ""; due_arbiter: 8, "";
    });
    for (offset, party) in
        [(offset_of!(Escrow, buyer_proposal), "buyer"), (offset_of!(Escrow, seller_proposal), "seller")]
    {
        rows!(rows, DISCRIMINATOR + offset, format!("{party}_proposal."), ProposalSlot {
            remaining: 8, "of a split"; to_seller: 8, "of a split"; replaces: 8, "of an extension: the deadline it replaces, i64";
            deadline: 8, "of an extension, i64"; expires_at: 8, "i64"; kind: 1, "0 empty, 1 split, 2 extension";
            milestone: 1, "index"; status: 1, "that the milestone must have"; reserved: 5, "0";
        });
    }
    rows.push((DISCRIMINATOR + HEADER_SIZE, 4, "milestones".to_owned(), "how many follow, u32"));
    rows.push((DISCRIMINATOR + HEADER_SIZE + 4, 4, "padding".to_owned(), "0"));
    rows!(rows, MILESTONES, "milestone[0].", Milestone {
        amount: 8, "term, u64"; remaining: 8, "undecided, u64"; deliver_by: 8, "term, i64";
        deadline: 8, "of the present status, i64; 0 once settled"; review_window: 4, "term, u32";
        status: 1, "0 pending, 1 delivered, 2 disputed, 3 settled"; reserved: 3, "0";
    });
    rows.sort();
    let mut next = 0;
    let mut text = String::new();
    for (offset, bytes, name, what) in rows {
        assert_eq!(offset, next, "{name} does not follow the field before it");
        next = offset + bytes;
        text.push_str(&format!("| {offset} | {bytes} | {name} | {what} |\n"));
    }
    text.push_str(&format!("| {next} | {MILESTONE_SIZE} each | milestone[1] to milestone[7] | |\n"));
    text
}
