//! The journal against everything that a disk does.

use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::*;
use crate::{Position, conformance, testing};

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("escrow-journal-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> Journal {
        Journal::open(&self.0).unwrap()
    }

    fn file(&self, number: u64) -> PathBuf {
        file(&self.0, number)
    }

    /// Puts these bytes in the first file's place. A file that is truncated and written again would be flushed.
    fn replace(&self, bytes: &[u8]) {
        fs::remove_file(self.file(1)).unwrap();
        fs::write(self.file(1), bytes).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A disk that takes so many more bytes, keeps what it was asked to do, and is quick: it syncs nothing.
#[derive(Debug, Clone, Default)]
struct Small {
    room: Arc<AtomicUsize>,
    refuses_sync: bool,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Small {
    fn new(room: usize) -> Self {
        Self { room: Arc::new(AtomicUsize::new(room)), ..Self::default() }
    }
}

impl Disk for Small {
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        self.calls.lock().unwrap().push("append");
        let room = self.room.load(Ordering::Relaxed);
        let taken = bytes.len().min(room);
        self.room.store(room - taken, Ordering::Relaxed);
        System.append(file, &bytes[..taken])?;
        if taken < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.calls.lock().unwrap().push(if file.metadata()?.is_dir() { "sync folder" } else { "sync file" });
        if self.refuses_sync { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }
}

fn claim(journal: &Journal, name: u8) -> (Fence, Intention) {
    claim_at(journal, name, "a", 0)
}

fn claim_at(journal: &Journal, name: u8, owner: &str, now: u64) -> (Fence, Intention) {
    let claim = journal.claim(testing::fingerprint(name), owner, Time(now), Time(now + 1_000));
    match testing::run(claim).unwrap() {
        Claim::Held(fence, intention) => (fence, intention),
        Claim::Busy(lease) => panic!("{lease:?}"),
    }
}

fn record(journal: &Journal, fence: Fence, name: u8) -> Result<(), StoreError> {
    let batch = vec![(fence, testing::signed(name, Position::default()))];
    testing::run(journal.record(batch)).pop().unwrap()
}

fn names(journal: &Journal) -> Vec<u8> {
    testing::run(journal.unresolved()).unwrap().iter().map(|intention| intention.fingerprint().0[0]).collect()
}

#[test]
fn it_conforms() {
    let folder = Folder::new();
    let open = |name| std::future::ready(Journal::open(folder.0.join(name)).unwrap());
    let passed = testing::run(conformance::all(open)).unwrap();
    println!("{} conformance tests", passed.len());
}

#[test]
fn it_is_for_its_owner_alone() {
    let folder = Folder::new();
    folder.open();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&folder.file(1)), 0o600);
    assert_eq!(mode(&folder.0.join("lock")), 0o600);
}

#[test]
fn what_was_recorded_is_there_after_the_file_is_cut_anywhere_behind_it() {
    let folder = Folder::new();
    let journal = folder.open();
    let (first, second) = (claim(&journal, 1).0, claim(&journal, 2).0);
    record(&journal, first, 1).unwrap();
    let kept = fs::read(folder.file(1)).unwrap();
    record(&journal, second, 2).unwrap();
    let all = fs::read(folder.file(1)).unwrap();
    drop(journal);
    let open = || Journal::open_on(Box::new(Small::new(usize::MAX)), folder.0.clone()).unwrap();
    for end in kept.len()..=all.len() {
        for zeros in [0, 500] {
            let mut torn = all[..end].to_vec();
            torn.resize(end + zeros, 0);
            folder.replace(&torn);
            let journal = open();
            let expected: &[u8] = if end == all.len() { &[1, 2] } else { &[1] };
            assert_eq!(names(&journal), expected, "cut at {end}, {zeros} zeros");
            // What is written next stands where the torn line stood.
            let fence = claim(&journal, 3).0;
            record(&journal, fence, 3).unwrap();
            assert_eq!(names(&open()), [expected, &[3]].concat(), "cut at {end}, {zeros} zeros");
        }
    }
}

#[test]
fn a_byte_that_was_changed_is_never_passed_over() {
    let folder = Folder::new();
    let journal = folder.open();
    let fence = claim(&journal, 1).0;
    record(&journal, fence, 1).unwrap();
    drop(journal);
    let all = fs::read(folder.file(1)).unwrap();
    for at in 0..all.len() {
        let mut changed = all.clone();
        changed[at] ^= 4;
        folder.replace(&changed);
        match Journal::open(&folder.0) {
            Err(JournalError::Damaged { path, at: found }) => {
                assert_eq!(path, folder.file(1));
                assert!(found <= at as u64, "byte {at}, found at {found}");
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_what_was_written_before_stays() {
    let folder = Folder::new();
    let journal = folder.open();
    let fence = claim(&journal, 1).0;
    let before = fs::read(folder.file(1)).unwrap();
    record(&journal, fence, 1).unwrap();
    let line = fs::read(folder.file(1)).unwrap().len() - before.len();
    drop(journal);
    for room in 0..line {
        folder.replace(&before);
        let disk = Small::new(room);
        let journal = Journal::open_on(Box::new(disk.clone()), folder.0.clone()).unwrap();
        let error = record(&journal, fence, 1).unwrap_err().to_string();
        assert!(error.contains("can not be written") && error.contains("free some space"), "{error}");
        assert!(!disk.calls.lock().unwrap().contains(&"sync file"), "what was not written is synced");
        assert_eq!(fs::read(folder.file(1)).unwrap(), before, "{room}");
        assert_eq!(names(&journal), Vec::<u8>::new());
        // The same journal goes on when there is room again.
        disk.room.store(usize::MAX, Ordering::Relaxed);
        record(&journal, fence, 1).unwrap();
        assert_eq!(names(&journal), [1], "{room}");
    }
}

#[test]
fn a_new_journal_is_there_whole_or_not_at_all_on_a_full_disk() {
    for room in 0..90 {
        let folder = Folder::new();
        match Journal::open_on(Box::new(Small::new(room)), folder.0.clone()) {
            Ok(_) => assert!(room > 60, "{room}"),
            Err(error) => assert!(matches!(error, JournalError::Io { what: "written", .. }), "{error}"),
        }
        assert_eq!(names(&folder.open()), Vec::<u8>::new());
    }
}

#[test]
fn a_record_is_on_the_disk_when_it_returns_and_a_batch_waits_once() {
    let folder = Folder::new();
    let disk = Small::new(usize::MAX);
    let journal = Journal::open_on(Box::new(disk.clone()), folder.0.clone()).unwrap();
    let calls = || std::mem::take(&mut *disk.calls.lock().unwrap());
    assert_eq!(calls(), ["sync folder", "append", "sync file", "sync folder"]);
    let batch: Vec<_> =
        (1..=100).map(|name| (claim(&journal, name).0, testing::signed(name, Position::default()))).collect();
    assert_eq!(calls(), ["append"; 100]);
    assert!(testing::run(journal.record(batch)).iter().all(Result::is_ok));
    assert_eq!(calls(), ["append", "sync file"]);
}

#[test]
fn what_another_wrote_is_on_the_disk_before_it_is_taken_up() {
    let folder = Folder::new();
    let fence = claim(&folder.open(), 1).0;
    record(&folder.open(), fence, 1).unwrap();
    let disk = Small::new(usize::MAX);
    let journal = Journal::open_on(Box::new(disk.clone()), folder.0.clone()).unwrap();
    claim_at(&journal, 1, "b", 2_000);
    assert_eq!(*disk.calls.lock().unwrap(), ["append", "sync file"]);
    drop(journal);
    let journal = Journal::open_on(Box::new(Small { refuses_sync: true, ..disk }), folder.0.clone()).unwrap();
    let taken = testing::run(journal.claim(testing::fingerprint(1), "c", Time(9_000), Time(9_999)));
    assert!(taken.unwrap_err().to_string().contains("can not be synced"));
}

#[test]
fn a_record_that_is_not_synced_is_an_error() {
    let folder = Folder::new();
    let fence = claim(&folder.open(), 1).0;
    let disk = Small { refuses_sync: true, ..Small::new(usize::MAX) };
    let journal = Journal::open_on(Box::new(disk), folder.0.clone()).unwrap();
    assert!(record(&journal, fence, 1).is_err());
    // It may be on the disk all the same, and is taken up then.
    assert_eq!(names(&folder.open()), [1]);
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let folder = Folder::new();
    drop(folder.open());
    let line = Line::Journal(Header { version: 2, fence_floor: 0 }).write().unwrap();
    folder.replace(line.as_bytes());
    let error = Journal::open(&folder.0).unwrap_err().to_string();
    assert!(error.contains("has version 2, and this program knows 1"), "{error}");
}

#[test]
fn a_process_that_keeps_the_lock_is_named() {
    // The wait itself is not tried: only that a lock that is free again is had.
    let folder = Folder::new();
    let journal = folder.open();
    let held = lock(&folder.0).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| claim(&journal, 1));
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(held);
    });
    let path = folder.0.join("lock");
    assert!(JournalError::Locked { path }.to_string().contains("/lock and does not let go"));
}

#[test]
fn many_threads_and_handles_write_one_order() {
    let folder = Folder::new();
    folder.open();
    let won = AtomicUsize::new(0);
    thread::scope(|scope| {
        for owner in ["a", "b", "c", "d"] {
            let (folder, won) = (&folder, &won);
            scope.spawn(move || {
                let journal = folder.open();
                for name in 0..25 {
                    let claim = journal.claim(testing::fingerprint(name), owner, Time(0), Time(1_000));
                    let Claim::Held(fence, _) = testing::run(claim).unwrap() else { continue };
                    record(&journal, fence, name).unwrap();
                    won.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(won.load(Ordering::Relaxed), 25);
    assert_eq!(names(&folder.open()), (0..25).collect::<Vec<u8>>());
}

#[test]
fn the_next_file_begins_with_what_is_needed_and_no_fence_comes_again() {
    let folder = Folder::new();
    let (writer, other) = (folder.open(), folder.open());
    let (open, resolved) = (claim(&writer, 1).0, claim(&writer, 2).0);
    record(&writer, open, 1).unwrap();
    record(&writer, resolved, 2).unwrap();
    let basis = crate::Basis { nodes: Vec::new(), account: true, others: Vec::new() };
    let verdict = crate::Verdict::Expired { basis };
    let judged = Judged { position: Position::default(), verdict, at: Time(0) };
    testing::run(writer.verdict(resolved, judged)).unwrap();
    let before = testing::run(other.find(testing::fingerprint(1))).unwrap();

    let later = Time(KEEP + 5_000);
    writer.state().turn_over(&System, &folder.0, later).unwrap();

    for journal in [&writer, &other, &folder.open()] {
        assert_eq!(testing::run(journal.find(testing::fingerprint(1))).unwrap(), before);
        assert_eq!(testing::run(journal.find(testing::fingerprint(2))).unwrap(), None);
    }
    let stale = record(&other, resolved, 2).unwrap_err();
    assert!(stale.to_string().contains("another process has taken over"), "{stale}");
    let fence = claim_at(&other, 2, "b", later.0).0;
    assert!(fence.number > resolved.number, "{fence:?}");
    assert!(folder.file(1).exists() && folder.file(2).exists());
}

#[test]
fn a_file_that_is_full_is_followed_by_another() {
    let folder = Folder::new();
    let journal = folder.open();
    let line = fs::metadata(folder.file(1)).unwrap().len();
    assert!(line < FULL);
    journal.state().end = FULL + 1;
    // As if it were that long: reading from there on finds nothing.
    claim_at(&journal, 1, "a", KEEP);
    assert_eq!(journal.state().number, 2);
    assert_eq!(last(&folder.0).unwrap(), Some(2));
}

#[test]
fn files_before_the_last_may_go_and_a_journal_that_went_is_an_error() {
    let folder = Folder::new();
    let (journal, other) = (folder.open(), folder.open());
    claim(&journal, 1);
    for _ in 0..2 {
        other.read().unwrap().turn_over(&System, &folder.0, Time(0)).unwrap();
    }
    fs::remove_file(folder.file(1)).unwrap();
    fs::remove_file(folder.file(2)).unwrap();
    let fence = claim(&journal, 1).0;
    record(&journal, fence, 1).unwrap();
    assert_eq!(names(&other), [1]);
    fs::remove_file(folder.file(3)).unwrap();
    let gone = testing::run(journal.unresolved()).unwrap_err();
    assert!(gone.to_string().contains("00000003.log can not be opened"), "{gone}");
}

#[test]
fn a_new_folder_is_on_the_disk_with_those_above_it() {
    let (folder, disk) = (Folder::new(), Small::new(10_000));
    Journal::open_on(Box::new(disk.clone()), folder.0.join("a").join("b")).unwrap();
    let calls = disk.calls.lock().unwrap().join(", ");
    assert_eq!(calls, "sync folder, sync folder, sync folder, append, sync file, sync folder");
}
