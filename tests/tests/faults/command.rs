//! A run of the `escrow` command, as a person or a script types it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use serde_json::Value;
use solana_signature::Signature;

use crate::{
    deed::{SECRET, SECRET_FILE, Scene},
    judge::Told,
    library::{BOUND, Heard, PACE, Run},
    schedule::{Kill, Schedule},
};

fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| escrow_tests::binary::escrow(env!("CARGO_TARGET_TMPDIR"), "faults"))
}

/// Builds the binary, before anything is timed.
pub fn build() {
    binary();
}

/// What it says to a script that it will not be run without.
pub async fn run(run: Run, scene: Arc<Scene>, schedule: &Schedule, number: usize) -> Heard {
    let (json, is_full, finalized) = (schedule.json, schedule.is_full && number == 0, schedule.finalized);
    let ran = tokio::task::spawn_blocking(move || {
        let home = run.folder.parent().expect("a folder in the schedule's").to_owned();
        let keypair = home.join("keypair.json");
        fs::write(&keypair, serde_json::to_vec(scene.actor().to_bytes().as_slice()).expect("JSON")).expect("a file");
        fs::write(home.join(SECRET_FILE), SECRET).expect("a file");
        let (out, err) = (home.join(format!("out-{number}")), home.join(format!("err-{number}")));
        let file = |path: &Path| File::create(path).expect("a file");
        let stdout =
            if is_full { File::options().write(true).open("/dev/full").expect("/dev/full") } else { file(&out) };
        let pace = format!(
            "poll={},answer={},resend={},patience={},limit={},recent={},claim={}",
            PACE.poll, PACE.answer, PACE.resend, PACE.patience, PACE.limit, PACE.recent, PACE.claim
        );
        let mut command = Command::new(binary());
        command.env_clear().env("HOME", &home).env("ESCROW_PACE", pace).current_dir(&home);
        command.stdin(Stdio::null()).stdout(stdout).stderr(file(&err));
        command.args(["--url", &run.urls[0]]).arg("--keypair").arg(&keypair).arg("--journal").arg(&run.folder);
        command.args(["--output", if json { "json" } else { "display" }]);
        command.args(["--commitment", if finalized { "finalized" } else { "confirmed" }]);
        command.args(scene.words());
        let mut child = command.spawn().expect("the command starts");
        let began = Instant::now();
        let after = match run.kill {
            Some(Kill::After(ms)) => Duration::from_millis(ms),
            _ => BOUND,
        };
        let killed = loop {
            match child.try_wait().expect("a child") {
                Some(_) => break None,
                None if run.killed.is_cancelled() => break Some(Told::Killed),
                None if began.elapsed() >= BOUND => break Some(Told::Hung),
                None if began.elapsed() >= after => break Some(Told::Killed),
                None => std::thread::sleep(Duration::from_millis(3)),
            }
        };
        if killed.is_some() {
            child.kill().expect("it is killed");
        }
        let code = child.wait().expect("it ends").code();
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let (out, err) = (if is_full { String::new() } else { read(&out) }, read(&err));
        let text = format!("{out}\n{err}");
        match killed {
            Some(told) => (told, text),
            None => (told(code, &out, &err, json), text),
        }
    });
    ran.await.expect("it does not panic")
}

/// What it told, by its exit code and its output.
fn told(code: Option<i32>, out: &str, err: &str, json: bool) -> Told {
    match code {
        Some(0) => Told::Done(signature(out, json).into_iter().collect()),
        Some(1..=4) => {
            assert_eq!(out, "", "an error prints no result");
            if json { of_json(err) } else { of_text(err) }
        }
        code => panic!("it exits with {code:?}: {out} {err}"),
    }
}

fn signature(text: &str, json: bool) -> Option<Signature> {
    if json {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        return value["signature"].as_str()?.parse().ok();
    }
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric());
    words().filter(|word| word.len() > 80).find_map(|word| word.parse().ok())
}

fn of_json(err: &str) -> Told {
    let line = err.lines().last().unwrap_or_default();
    let error: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {err}"));
    let signature = error["signature"].as_str().and_then(|text| text.parse::<Signature>().ok());
    let (kind, retry) = (error["kind"].as_str().unwrap_or_default(), &error["retry"]);
    match (kind, signature) {
        ("repeated", Some(signature)) if retry == "no" => Told::Repeated(signature),
        ("failed", Some(signature)) if retry == "no" => Told::Failed(signature),
        ("expired", Some(signature)) if retry == "safe" => Told::Expired(signature),
        ("unknown", Some(_)) if retry == "after_check" => Told::Unknown,
        ("unknown", None) => Told::Busy,
        ("repeated" | "failed" | "expired" | "unknown" | "internal", _) => panic!("a verdict of another form: {err}"),
        // Executed, and then something else went wrong.
        (_, Some(signature)) if retry == "no" => Told::Done(vec![signature]),
        (_, Some(_)) => panic!("a transaction, and whether it was executed is not said: {err}"),
        (_, None) => Told::NotSent(line.to_owned()),
    }
}

fn of_text(err: &str) -> Told {
    // Behind the notes.
    let error = err.find("error: ").map_or(err, |at| &err[at..]);
    let has = |part: &str| error.to_lowercase().contains(part);
    match signature(error, false) {
        Some(signature) if has("expired: it was not executed") => Told::Expired(signature),
        Some(_) if has("may have been executed, or may still be") => Told::Unknown,
        Some(signature) if has("succeeded a short while ago") => Told::Repeated(signature),
        Some(signature) if has("do not repeat the command") => Told::Done(vec![signature]),
        Some(signature) if has("failed: ") => Told::Failed(signature),
        Some(_) => panic!("a transaction, and whether it was executed is not said: {err}"),
        None if has("works on the same") => Told::Busy,
        None => Told::NotSent(error.to_owned()),
    }
}
