//! What somebody at a terminal sees and is asked: the binary on a pseudo-terminal of 80 columns.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::FromRawFd,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Stage, command};

/// Both ends of a pseudo-terminal with so many columns.
fn pseudo_terminal(columns: u16) -> (File, File) {
    let (mut master, mut slave) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: both descriptors are written, nothing is read but the size, and each is owned once.
    unsafe {
        let opened = libc::openpty(&mut master, &mut slave, std::ptr::null_mut(), std::ptr::null(), &size);
        assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
        // Or the command would hold its own terminal's other end, and reading would never end.
        assert_eq!(libc::fcntl(master, libc::F_SETFD, libc::FD_CLOEXEC), 0);
        assert_eq!(libc::fcntl(slave, libc::F_SETFD, libc::FD_CLOEXEC), 0);
        (File::from_raw_fd(master), File::from_raw_fd(slave))
    }
}

/// What appears on the terminal, and how the command ended. `answers` are typed, each when the screen says what stands before it.
pub struct Seen {
    pub screen: String,
    pub code: Option<i32>,
}

pub fn at_a_terminal(command: &mut Command, answers: &[(&str, &str)]) -> Seen {
    let (master, slave) = pseudo_terminal(80);
    let stream = || Stdio::from(slave.try_clone().unwrap());
    let mut child = command.env("TERM", "xterm").stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    // So that reading ends when the command does.
    drop(slave);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (mut reader, mut writer) = (master.try_clone().unwrap(), master);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let (mut bytes, mut answers) = (Vec::new(), answers.iter());
    let mut next = answers.next();
    let (mut from, begun) = (0, Instant::now());
    loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "it waits: {}", String::from_utf8_lossy(&bytes));
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(more) => bytes.extend(more),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        }
        let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
        if let Some((question, answer)) = next
            && text.contains(question)
        {
            from = bytes.len();
            writeln!(writer, "{answer}").unwrap();
            next = answers.next();
        }
    }
    assert!(next.is_none(), "it never asked {next:?}: {}", String::from_utf8_lossy(&bytes));
    let code = child.wait().unwrap().code();
    Seen { screen: String::from_utf8(bytes).unwrap().replace("\r\n", "\n"), code }
}

fn without_colour(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// The columns of the longest line, without colours.
fn widest(screen: &str) -> (usize, String) {
    let lines = screen.lines().map(without_colour);
    lines.map(|line| (line.chars().count(), line)).max().unwrap()
}

impl Stage {
    fn at_a_terminal(&self, who: &str, line: &str, answers: &[(&str, &str)]) -> Seen {
        let mut command = command(&self.folder);
        command.args(["--url", self.net.rpc_url(), "--keypair", &format!("{who}.json")]).args(self.words(line));
        at_a_terminal(&mut command, answers)
    }
}

/// Everything is shown before it is signed, the worst first, and only a yes signs it.
#[tokio::test]
async fn fund_shows_what_somebody_else_wrote_and_asks() {
    let stage = Stage::new().await;
    let written =
        "create --buyer {buyer} --seller {stranger} --amount 5 --undelivered 100 --deliver-by 20m --unruled 0";
    let escrow = stage.asks("stranger", written)["address"].as_str().unwrap().to_owned();
    let before = stage.sol("buyer").await;
    let fund = format!("fund {escrow}");
    for answer in ["n", "", "no", "maybe"] {
        let seen = stage.at_a_terminal("buyer", &fund, &[("[y/N]", answer)]);
        assert_eq!(seen.code, Some(5), "{}", seen.screen);
        assert!(seen.screen.contains("you did not say yes"), "{}", seen.screen);
    }
    assert_eq!(stage.sol("buyer").await, before, "a no costs nothing");
    let seen = stage.at_a_terminal("buyer", &fund, &[("[y/N]", "y")]);
    assert_eq!(seen.code, Some(0), "{}", seen.screen);
    let places = [
        "NOT mainnet",
        "delivers nothing gets 100 %",
        "The buyer pays 5 SOL into the escrow",
        &stage.address("stranger").to_string(),
        "none: only both of you together",
        "How it can end",
        "If nobody does anything:",
        "What it costs you",
        "Sign and send this?",
        "Sending transaction",
    ]
    .map(|part| seen.screen.find(part).unwrap_or_else(|| panic!("no {part}: {}", seen.screen)));
    assert!(places.is_sorted(), "{places:?}: {}", seen.screen);
    let (columns, line) = widest(&seen.screen);
    // A signature is one word, with a comma behind it.
    assert!(columns <= 89, "{columns}: {line}");
    assert!(seen.screen.contains("\u{1b}["), "colours on a terminal");
}

#[tokio::test]
async fn show_fits_80_columns_and_is_plain_for_those_who_want_it() {
    let stage = Stage::new().await;
    let escrow = stage.create("--milestone 1,9d --milestone 2,10d --milestone 3,11d --arbiter {arbiter} --fund");
    stage.asks("seller", &format!("deliver {escrow} -m 1"));
    let seen = stage.at_a_terminal("buyer", &format!("show {escrow}"), &[]);
    let order = [
        "milestones are settled",
        "If nobody does anything:",
        "You can",
        "escrow dispute",
        "Others can",
        "Step 2 of 4",
        "Money",
        "principal",
        "People",
        "(you)",
        "Terms",
        "escrow history",
    ];
    let places = order.map(|part| seen.screen.find(part).unwrap_or_else(|| panic!("no {part}: {}", seen.screen)));
    assert!(places.is_sorted(), "{places:?}: {}", seen.screen);
    // Words are whole: only a word of its own is longer than a line, as a command with an address in it is not.
    let (columns, line) = widest(&seen.screen);
    assert!(columns <= 80, "{columns}: {line}");
    let mut plain = command(&stage.folder);
    plain.env("NO_COLOR", "1").args(["--url", stage.net.rpc_url(), "show", &escrow]);
    let seen = at_a_terminal(&mut plain, &[]);
    assert!(!seen.screen.contains('\u{1b}'), "{}", seen.screen);
}

/// Amounts and addresses as long as they come: no line is longer than the terminal, with and without colours.
#[tokio::test]
async fn list_and_show_fit_80_columns_whatever_is_in_them() {
    let stage = Stage::new().await;
    stage.create("--amount 1.5 --deliver-by 9d --arbiter {arbiter} --fund");
    let long = "--mint {mint} --milestone 100.123456,9d --milestone 123.654321,10d --arbiter {arbiter} --attester {stranger} \
                --fee 2.5 --fee-recipient {stranger} --arbiter-fee 1 --fund";
    let escrow = stage.create(long);
    for words in
        ["list".to_owned(), "list --all".to_owned(), format!("show {escrow}"), format!("show {escrow} --history")]
    {
        for no_colour in [false, true] {
            let mut command = command(&stage.folder);
            command.args(["--url", stage.net.rpc_url(), "--keypair", "buyer.json"]).args(words.split(' '));
            if no_colour {
                command.env("NO_COLOR", "1");
            }
            let seen = at_a_terminal(&mut command, &[]);
            assert_eq!(seen.code, Some(0), "{}", seen.screen);
            assert_eq!(seen.screen.contains('\u{1b}'), !no_colour, "{}", seen.screen);
            let long = seen.screen.lines().map(without_colour).find(|line| {
                // A signature is one word of 88 columns.
                let columns = line.chars().count();
                columns > 80 && !line.trim().split(' ').any(|word| word.len() > 80)
            });
            assert_eq!(long, None, "{words}: {}", seen.screen);
            assert!(
                !seen.screen.lines().any(|line| line.ends_with(' ')),
                "{words} ends a line with a space: {}",
                seen.screen
            );
        }
    }
}

/// The dialogue asks for what is missing, says what is wrong with an answer, and comes to the same as the options do.
#[tokio::test]
async fn create_asks_for_the_terms() {
    let stage = Stage::new().await;
    let (seller, arbiter) = (stage.address("seller").to_string(), stage.address("arbiter").to_string());
    let answers = [
        ("the seller? Paste", "nonsense"),
        ("Again:", seller.as_str()),
        ("The token's mint", ""),
        ("How much?", "1,5"),
        ("Again:", "1.5"),
        ("Until when", ""),
        ("How long do you need", "5d"),
        ("Enter for none", arbiter.as_str()),
        ("take it all back", ""),
        ("in writing", ""),
        ("at once?", ""),
        ("Sign and send this?", "yes"),
    ];
    let seen = stage.at_a_terminal("buyer", "create", &answers);
    assert_eq!(seen.code, Some(0), "{}", seen.screen);
    let found = stage.asks("buyer", "list");
    let escrow = &found[0];
    assert_eq!((&escrow["status"], &escrow["principal"]["text"]), (&"funded".into(), &"1.5 SOL".into()));
    assert_eq!(
        (escrow["seller"].as_str(), escrow["arbiter"].as_str()),
        (Some(seller.as_str()), Some(arbiter.as_str()))
    );
    assert_eq!(escrow["milestones"][0]["review_window_seconds"], 5 * 24 * 60 * 60);
}
