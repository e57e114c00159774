//! The journal on disk: a folder of append-only files. The format stands in `docs/journal.md`.
//!
//! All processes append to the same file, the last one, each for as long as it holds the folder's lock. So there is one
//! order of everything that was written, whoever wrote it, and one wait for the disk covers any number of entries. When the
//! file has grown, another begins with what is still needed of it.
//!
//! Its methods wait for the disk in the thread that polls them, for milliseconds.

mod disk;
mod line;

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;

use self::{
    disk::{Disk, System},
    line::{Header, Line, Next, VERSION},
};
use crate::{Claim, Entry, Fence, Fingerprint, Intention, Judged, Seen, Signed, Stage, Store, StoreError, Time};

/// A file that is larger than this is followed by another.
const FULL: u64 = 8 << 20;

/// How long what is resolved is carried into the next file, in milliseconds: a day, more than any repetition is pointed
/// out.
const KEEP: u64 = 86_400_000;

/// How long the folder's lock is waited for. It is held for milliseconds: a process that holds it longer is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the journal can not be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The system refuses.
    #[error("the journal {path} can not be {what}: {source}; free some space or name another folder")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has held the lock for ten seconds.
    #[error("another process holds {path} and does not let go: is it stopped? End it, then run the same command again")]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// Something in it was changed.
    #[error(
        "the journal {path} is damaged at byte {at}: what follows can not be believed, so nothing is sent; restore the \
         file, or look up the signatures in it and begin with another folder when each has its outcome"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// A program that is newer than this one has written it.
    #[error("the journal {path} has version {version}, and this program knows {VERSION}: use a newer program")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A line can not be written as JSON.
    #[error("a journal entry can not be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A journal in a folder. Any number of processes may have it open.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    disk: Box<dyn Disk>,
    state: Mutex<State>,
}

/// What was read of the last file.
#[derive(Debug)]
struct State {
    file: Arc<File>,
    number: u64,
    /// Where the next line begins.
    end: u64,
    fence_floor: u64,
    intentions: BTreeMap<Fingerprint, Intention>,
}

impl Journal {
    /// Opens the journal in a folder, and makes both if they are not there: for their owner alone.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, JournalError> {
        Self::open_on(Box::new(System), folder.into())
    }

    /// Everything that it still holds, the last begun first: for people.
    pub fn all(&self) -> Result<Vec<Intention>, JournalError> {
        let mut all: Vec<Intention> = self.read()?.intentions.values().cloned().collect();
        all.retain(|intention| !intention.records().is_empty());
        all.sort_by_key(|intention| std::cmp::Reverse(intention.records().first().map(|record| record.signed.at)));
        Ok(all)
    }

    fn open_on(disk: Box<dyn Disk>, folder: PathBuf) -> Result<Self, JournalError> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        builder.recursive(true).create(&folder).map_err(failed(&folder, "created"))?;
        // A folder is on the disk when the one that it is in says so.
        for parent in missing.iter().filter_map(|folder| folder.parent()) {
            sync_folder(&*disk, parent)?;
        }
        let _lock = lock(&folder)?;
        let number = match last(&folder)? {
            Some(number) => number,
            None => {
                begin(&*disk, &folder, 1, &[Line::Journal(Header { version: VERSION, fence_floor: 0 })])?;
                1
            }
        };
        let mut state = State::open(&folder, number)?;
        state.read(&folder)?;
        Ok(Self { folder, disk, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state with everything in it that any process wrote.
    fn read(&self) -> Result<MutexGuard<'_, State>, JournalError> {
        let mut state = self.state();
        let _lock = lock(&self.folder)?;
        state.catch_up(&self.folder)?;
        Ok(state)
    }

    /// Decides by all that was written, and writes what was decided as one.
    fn write<T>(
        &self,
        now: Option<Time>,
        decide: impl FnOnce(&mut Draft<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Arc<File>), StoreError> {
        let mut state = self.state();
        let _lock = lock(&self.folder)?;
        state.catch_up(&self.folder)?;
        if let Some(now) = now
            && state.end > FULL
        {
            state.turn_over(&*self.disk, &self.folder, now)?;
        }
        let mut draft = Draft { state: &state, changed: BTreeMap::new(), text: String::new() };
        let decided = decide(&mut draft)?;
        let Draft { changed, text, .. } = draft;
        state.append(&*self.disk, &self.folder, text.as_bytes())?;
        state.intentions.extend(changed);
        Ok((decided, Arc::clone(&state.file)))
    }

    fn sync(&self, file: &File) -> Result<(), StoreError> {
        Ok(self.disk.sync(file).map_err(failed(&self.folder, "synced"))?)
    }
}

/// What is about to be written, and what the intentions are with it.
struct Draft<'a> {
    state: &'a State,
    changed: BTreeMap<Fingerprint, Intention>,
    text: String,
}

impl Draft<'_> {
    fn intention(&self, fingerprint: Fingerprint) -> Intention {
        let known = self.changed.get(&fingerprint).or_else(|| self.state.intentions.get(&fingerprint));
        known.cloned().unwrap_or_else(|| Intention::new(fingerprint))
    }

    fn add(&mut self, fingerprint: Fingerprint, entry: Entry) -> Result<Intention, StoreError> {
        let mut intention = self.intention(fingerprint);
        intention.apply(entry.clone())?;
        let line = Line::Intention { fingerprint, entry };
        self.text.push_str(&line.write().map_err(JournalError::from)?);
        self.changed.insert(fingerprint, intention.clone());
        Ok(intention)
    }

    fn add_fenced(&mut self, fence: Fence, entry: Entry) -> Result<(), StoreError> {
        self.intention(fence.fingerprint).holds(fence.number)?;
        self.add(fence.fingerprint, entry).map(|_| ())
    }
}

impl State {
    fn open(folder: &Path, number: u64) -> Result<Self, JournalError> {
        let path = file(folder, number);
        let opened = OpenOptions::new().read(true).append(true).open(&path).map_err(failed(&path, "opened"))?;
        let intentions = BTreeMap::new();
        Ok(Self { file: Arc::new(opened), number, end: 0, fence_floor: 0, intentions })
    }

    /// Takes in what other processes wrote, and goes on to the file that they began.
    fn catch_up(&mut self, folder: &Path) -> Result<(), JournalError> {
        match last(folder)? {
            Some(number) if number == self.number => {}
            // Where there is none, somebody removed the journal, and opening says so.
            other => *self = Self::open(folder, other.unwrap_or(self.number))?,
        }
        self.read(folder)
    }

    fn read(&mut self, folder: &Path) -> Result<(), JournalError> {
        let path = file(folder, self.number);
        let mut bytes = Vec::new();
        let mut from = &*self.file;
        from.seek(SeekFrom::Start(self.end)).map_err(failed(&path, "read"))?;
        from.read_to_end(&mut bytes).map_err(failed(&path, "read"))?;
        let mut rest = bytes.as_slice();
        loop {
            let damaged = || JournalError::Damaged { path: path.clone(), at: self.end };
            let (line, length) = match line::next(rest) {
                Next::Line(line, length) => (line, length),
                Next::End | Next::Torn => break,
                Next::Damaged => return Err(damaged()),
            };
            match *line {
                Line::Journal(Header { version, .. }) if version > VERSION => {
                    return Err(JournalError::Version { path, version });
                }
                Line::Journal(header) if self.end == 0 => self.fence_floor = header.fence_floor,
                Line::Intention { fingerprint, entry } if self.end > 0 => {
                    let intention = self.intentions.entry(fingerprint).or_insert_with(|| Intention::new(fingerprint));
                    intention.apply(entry).map_err(|_| damaged())?;
                }
                _ => return Err(damaged()),
            }
            rest = rest.get(length..).unwrap_or_default();
            self.end = self.end.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    fn append(&mut self, disk: &dyn Disk, folder: &Path, text: &[u8]) -> Result<(), JournalError> {
        if text.is_empty() {
            return Ok(());
        }
        let path = file(folder, self.number);
        // What is torn goes, so that what follows begins a line.
        self.file.set_len(self.end).map_err(failed(&path, "written"))?;
        if let Err(error) = disk.append(&self.file, text) {
            // If this fails too, the end is torn, and goes with the next writing.
            let _ = self.file.set_len(self.end);
            return Err(failed(&path, "written")(error));
        }
        self.end = self.end.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Begins the next file with what is still needed.
    fn turn_over(&mut self, disk: &dyn Disk, folder: &Path, now: Time) -> Result<(), JournalError> {
        let (kept, left): (Vec<&Intention>, Vec<&Intention>) =
            self.intentions.values().partition(|intention| intention.is_needed(now, KEEP));
        let fences = left.iter().filter_map(|intention| intention.lease()).map(|lease| lease.fence);
        let fence_floor = fences.fold(self.fence_floor, u64::max);
        let mut lines = vec![Line::Journal(Header { version: VERSION, fence_floor })];
        lines.extend(kept.into_iter().flat_map(|intention| {
            let fingerprint = intention.fingerprint();
            intention.entries().map(move |entry| Line::Intention { fingerprint, entry })
        }));
        let number = self.number.saturating_add(1);
        begin(disk, folder, number, &lines)?;
        *self = Self::open(folder, number)?;
        self.read(folder)
    }
}

/// Makes a file whole or not at all.
fn begin(disk: &dyn Disk, folder: &Path, number: u64, lines: &[Line]) -> Result<(), JournalError> {
    let (path, draft) = (file(folder, number), folder.join("next"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let text = lines.iter().map(Line::write).collect::<Result<String, _>>()?;
    let opened = options.open(&draft).map_err(failed(&draft, "created"))?;
    disk.append(&opened, text.as_bytes()).map_err(failed(&draft, "written"))?;
    disk.sync(&opened).map_err(failed(&draft, "synced"))?;
    fs::rename(&draft, &path).map_err(failed(&path, "created"))?;
    sync_folder(disk, folder)
}

fn sync_folder(disk: &dyn Disk, folder: &Path) -> Result<(), JournalError> {
    // The parent of a relative path of one name.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let opened = File::open(folder).map_err(failed(folder, "opened"))?;
    disk.sync(&opened).map_err(failed(folder, "synced"))
}

fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.log"))
}

/// The number of the last file.
fn last(folder: &Path) -> Result<Option<u64>, JournalError> {
    let mut last = None;
    for entry in fs::read_dir(folder).map_err(failed(folder, "read"))? {
        let name = entry.map_err(failed(folder, "read"))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        last = last.max(number);
    }
    Ok(last)
}

/// The folder's lock, until it is dropped: a process that dies has dropped it.
fn lock(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(failed(&path, "opened"))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked { path }),
            Err(TryLockError::Error(error)) => return Err(failed(&path, "locked")(error)),
        }
    }
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, what, source }
}

impl Store for Journal {
    async fn claim(&self, fingerprint: Fingerprint, owner: &str, now: Time, until: Time) -> Result<Claim, StoreError> {
        let written = self.write(Some(now), |draft| {
            let intention = draft.intention(fingerprint);
            let mut lease = match intention.claim(owner, now, until) {
                Ok(lease) => lease,
                Err(lease) => return Ok(Claim::Busy(lease)),
            };
            lease.fence = lease.fence.max(match intention.lease() {
                None => draft.state.fence_floor.saturating_add(1),
                Some(_) => 0,
            });
            let fence = Fence { fingerprint, number: lease.fence };
            Ok(Claim::Held(fence, draft.add(fingerprint, Entry::Claimed(lease))?))
        });
        let (claim, file) = written?;
        if let Claim::Held(_, intention) = &claim
            && let Stage::Open(_) = intention.stage()
        {
            // Whoever wrote it may have died before it was on the disk, and it is about to be sent.
            self.sync(&file)?;
        }
        Ok(claim)
    }

    async fn record(&self, batch: Vec<(Fence, Signed)>) -> Vec<Result<(), StoreError>> {
        let count = batch.len();
        let written = self.write(None, |draft| {
            let add = |(fence, signed)| draft.add_fenced(fence, Entry::Signed(signed));
            Ok(batch.into_iter().map(add).collect::<Vec<_>>())
        });
        match written.and_then(|(results, file)| self.sync(&file).map(|()| results)) {
            Ok(results) => results,
            Err(error) => vec![Err(error); count],
        }
    }

    async fn observe(&self, fence: Fence, seen: Seen) -> Result<(), StoreError> {
        self.write(None, |draft| draft.add_fenced(fence, Entry::Seen(seen))).map(|_| ())
    }

    async fn verdict(&self, fence: Fence, judged: Judged) -> Result<(), StoreError> {
        let (_, file) = self.write(None, |draft| draft.add_fenced(fence, Entry::Judged(judged)))?;
        self.sync(&file)
    }

    async fn find(&self, fingerprint: Fingerprint) -> Result<Option<Intention>, StoreError> {
        Ok(self.read()?.intentions.get(&fingerprint).cloned())
    }

    async fn unresolved(&self) -> Result<Vec<Intention>, StoreError> {
        let state = self.read()?;
        Ok(state.intentions.values().filter(|intention| intention.is_unresolved()).cloned().collect())
    }
}

#[cfg(test)]
mod tests;
