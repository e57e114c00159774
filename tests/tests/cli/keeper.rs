//! The keeper: what it settles, with another beside it and a kill on the way, and what it may spend.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use escrow_client::{
    EscrowClient, Terms, TermsBuilder, address,
    instruction::{self, Part},
    terms::{self, Asset},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{DAY, Ran, SOL, Stage, command};

/// In base units, different for each escrow.
const AMOUNT: u64 = 1_000_000;

/// Ways in which an escrow can be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Unfunded,
    Undelivered,
    Unanswered,
    Unruled,
    Unpaid,
    UnpaidTokens,
}

const WAYS: [Way; 6] = [Way::Unfunded, Way::Undelivered, Way::Unanswered, Way::Unruled, Way::Unpaid, Way::UnpaidTokens];

impl Stage {
    /// An escrow that will be due in this way. The validator's own payer pays for it, so that the parties' balances show nothing
    /// but what is paid out.
    async fn left_alone(&self, way: Way, number: u64) -> Pubkey {
        let (buyer, seller, now) =
            (self.address("buyer"), self.address("seller"), self.net.clock().await.unwrap().unix_timestamp);
        let asset = match way {
            Way::UnpaidTokens => Asset::Token { mint: self.mint.address, program: self.mint.token_program.id() },
            _ => Asset::Sol,
        };
        let terms = TermsBuilder { unruled_bps: Some(2_500), ..TermsBuilder::new(buyer, seller, asset) };
        let mut terms: Terms = TermsBuilder { arbiter: Some(self.address("arbiter")), ..terms }.assemble(now).unwrap();
        terms.milestones.push(terms::milestone(AMOUNT + number, now + 20 * i64::try_from(DAY).unwrap()));
        let escrow = address::escrow_address(&terms).unwrap();
        let payer = self.net.payer().await.unwrap().pubkey();
        let mut acts: Vec<Instruction> = vec![instruction::create(payer, &terms).unwrap()];
        if way != Way::Unfunded {
            acts.push(instruction::fund(&terms).unwrap());
        }
        if matches!(way, Way::Unanswered | Way::Unruled) {
            acts.push(instruction::deliver(escrow, seller, 0, [0; 32]));
        }
        if way == Way::Unruled {
            acts.push(instruction::dispute(escrow, buyer, 0, [0; 32]));
        }
        if matches!(way, Way::Unpaid | Way::UnpaidTokens) {
            let part = Part { amount: AMOUNT + number, of: AMOUNT + number };
            acts.push(instruction::release(escrow, buyer, 0, part));
        }
        let signs =
            |who: &Pubkey| acts.iter().flat_map(|act| &act.accounts).any(|meta| meta.is_signer && meta.pubkey == *who);
        let people = ["buyer", "seller"].map(|name| self.keypair(name));
        let signers: Vec<&Keypair> = people.into_iter().filter(|keypair| signs(&keypair.pubkey())).collect();
        self.net.send(&acts, &signers).await.unwrap();
        escrow
    }

    /// Somebody who keeps, with a wallet of their own. Returns the keypair's address.
    async fn keeper(&self, name: &str) -> Pubkey {
        let keypair = self.net.new_funded_keypair(SOL).await.unwrap();
        self.folder.write(&format!("{name}.json"), serde_json::to_vec(keypair.to_bytes().as_slice()).unwrap());
        keypair.pubkey()
    }

    fn begins(&self, who: &str, options: &str) -> Running {
        let mut command = command(&self.folder);
        command.args(["--url", self.net.rpc_url(), "--keypair", &format!("{who}.json"), "keeper"]);
        command.args(self.words(options)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Running { who: who.to_owned(), child, log }
    }

    async fn is_open(&self, escrow: &Pubkey) -> bool {
        self.net.account(escrow).await.unwrap().is_some()
    }

    /// What the budget's file says was spent today, in lamports and token accounts.
    fn spent(&self) -> (u64, u64) {
        let text = fs::read_to_string(self.folder.0.join(".local/state/escrow/keeper/budget")).unwrap();
        let numbers: Vec<u64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
        (numbers[1], numbers[2])
    }
}

/// A keeper that runs.
struct Running {
    who: String,
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    /// Reads its log up to a line with this in it.
    fn until(&mut self, wanted: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if line.contains(wanted) {
                return line;
            }
            line.clear();
        }
        panic!("{} ended without {wanted}", self.who);
    }

    /// Ends it so that it can do nothing more.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop, as Ctrl-C does.
    fn stop(mut self) -> Ran {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut err = String::new();
        self.log.read_to_string(&mut err).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ran { err, ..Ran::new(self.who, output) }
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn two_keepers_settle_everything_once_though_one_is_killed() {
    const EACH: u64 = 10;
    const BUDGET: u64 = 3_000_000;
    let stage = Stage::new().await;
    // The seller has a token account already.
    stage.net.mint_to(&stage.mint, &stage.address("seller"), 1).await.unwrap();
    let (first, second) = (stage.keeper("first").await, stage.keeper("second").await);
    let mut escrows = Vec::new();
    let (mut paid_in, mut to_seller, mut tokens) = (0, 0, 0);
    let before = (stage.sol("buyer").await, stage.sol("seller").await, stage.tokens("seller").await);
    for number in 0..EACH * 6 {
        let (way, amount) = (WAYS[usize::try_from(number).unwrap() % WAYS.len()], AMOUNT + number);
        escrows.push(stage.left_alone(way, number).await);
        match way {
            Way::Unfunded => {}
            Way::Undelivered => paid_in += amount,
            Way::Unanswered | Way::Unpaid => (paid_in, to_seller) = (paid_in + amount, to_seller + amount),
            Way::Unruled => (paid_in, to_seller) = (paid_in + amount, to_seller + amount / 4),
            Way::UnpaidTokens => tokens += amount,
        }
    }
    assert_eq!(before.0 - stage.sol("buyer").await, paid_in, "all of it is paid in");
    stage.net.advance_time(100 * DAY).await.unwrap();

    let options = "--every 1s --budget 0.003";
    let (mut one, two) = (stage.begins("first", options), stage.begins("second", options));
    // Each escrow has a time of its own at each keeper.
    stage.net.advance_time(40).await.unwrap();
    one.until("event=sent");
    one.kill();
    let mut one = stage.begins("first", &format!("{options} --listen 127.0.0.1:0"));
    let listening = one.until("event=listening");
    let address = listening.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let began = Instant::now();
    let mut left = escrows.clone();
    while !left.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(240), "{} are left: {left:?}", left.len());
        tokio::time::sleep(Duration::from_millis(500)).await;
        stage.net.advance_time(10).await.unwrap();
        let mut open = Vec::new();
        for escrow in left {
            if stage.is_open(&escrow).await {
                open.push(escrow);
            }
        }
        left = open;
    }
    println!("{} settled in {:.1} s", escrows.len(), began.elapsed().as_secs_f64());
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"), "{address}");
    let metrics = get(&address, "/metrics");
    assert!(metrics.contains("\nescrow_keeper_budget_lamports 3000000\n"), "{metrics}");
    one.stop().succeeds().shows(&["transactions: ", "fees "]);
    two.stop().succeeds().shows(&["transactions: "]);

    // Each got what was theirs, to the lamport.
    assert_eq!(stage.sol("seller").await - before.1, to_seller);
    assert_eq!(stage.tokens("seller").await - before.2, tokens);
    assert_eq!(before.0 - stage.sol("buyer").await, to_seller, "the rest came back");
    // What keepers paid is within the budget that they share, and what they wrote down is no less.
    let paid = 2 * SOL - stage.net.balance(&first).await.unwrap() - stage.net.balance(&second).await.unwrap();
    let (written, token_accounts) = stage.spent();
    println!("{paid} lamports paid, {written} written down");
    assert!(paid > 0 && paid <= written && written <= BUDGET, "{paid}, {written}");
    assert_eq!(token_accounts, 0);
    // What the chain has of each replays without a gap, and ends with its closing.
    let client = EscrowClient::from_rpc(stage.net.rpc());
    for escrow in &escrows {
        let history = client.history(escrow).await.unwrap();
        let last = history.steps.last().unwrap().entry.action.instruction.name();
        assert!(["close", "cancel"].contains(&last), "{escrow}: {last}");
    }
}

#[tokio::test]
async fn it_spends_no_more_than_it_may_and_makes_token_accounts_only_where_told() {
    let stage = Stage::new().await;
    stage.keeper("first").await;
    let mut escrows = Vec::new();
    for number in 0..8 {
        escrows.push(stage.left_alone(Way::Unpaid, number).await);
    }
    let tokens = stage.left_alone(Way::UnpaidTokens, 8).await;
    let of_stranger = format!("keeper --once --party {}", stage.address("stranger"));
    stage.types_only("first", &of_stranger).succeeds().shows(&["0 transactions"]);
    stage.net.advance_time(100 * DAY).await.unwrap();

    let ran = stage.types_only("first", "keeper --once --budget 0.000001");
    ran.fails(8, &["today's budget allows", "--budget", "0 transactions"]);
    assert!(stage.is_open(&escrows[0]).await);
    // The tokens stay, because the seller has no account for them.
    let ran = stage.types_only("first", "keeper --once --party {seller}").succeeds();
    ran.shows(&["8 payments", "8 closed"]);
    for escrow in &escrows {
        assert!(!stage.is_open(escrow).await, "{escrow}");
    }
    assert!(stage.is_open(&tokens).await);
    assert_eq!(stage.spent().1, 0);
    let ran = stage.types_only("first", "keeper --once --token-accounts 1").succeeds();
    ran.shows(&["1 payments, 1 closed", "token accounts made: 1"]);
    assert_eq!((stage.tokens("seller").await, stage.spent().1), (AMOUNT + 8, 1));
    stage.types_only("first", "keeper --once").succeeds().shows(&["0 transactions"]);

    // A file that does not say what was spent allows nothing.
    stage.folder.write(".local/state/escrow/keeper/budget", "nothing");
    stage.left_alone(Way::Unpaid, 9).await;
    stage.types_only("first", "keeper --once").fails(1, &["budget", "\"nothing\"", "removed"]);
}

#[tokio::test]
async fn what_it_cannot_do_it_says_before_it_begins() {
    let stage = Stage::new().await;
    for (options, said) in [
        ("--listen 0.0.0.0:9100", "127.0.0.1"),
        ("--listen here", "127.0.0.1:9100"),
        ("--budget much", "much"),
        ("--every soon", "soon"),
        ("--once --dry-run", "leave --dry-run out"),
    ] {
        stage.types_only("buyer", &format!("keeper {options}")).fails(2, &[said]);
    }
}
