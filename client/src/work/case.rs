//! A case as a folder: it is made, and held against what was committed to. See [`evidence`](crate::evidence).

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::evidence::{
    CaseError, FILES, Found, Listed, MANIFEST, MAX_FILE_SIZE, MAX_FILES, MAX_MANIFEST_SIZE, MESSAGES, Manifest,
    Purpose, STATEMENT, Verdict,
};
#[cfg(feature = "serde")]
use crate::{evidence, view, words::name};

/// How deep folders may lie in each other.
const DEPTH: usize = 16;

/// Why a case cannot be made or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// It would not be one.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Something on the disk cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Disk {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a link: where it leads can be changed afterwards.
    #[error("{} is a link: name what it leads to instead", .0.display())]
    Link(PathBuf),
    /// It is neither a file nor a folder.
    #[error("{} is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// A name is no text.
    #[error("{} has a name that is not Unicode: rename it", .0.display())]
    NotUnicode(PathBuf),
    /// The folder is there already.
    #[error("{} exists already: a case is made once. Name another folder", .0.display())]
    Exists(PathBuf),
    /// Folders lie too deep in each other.
    #[error("{} lies more than {DEPTH} folders deep", .0.display())]
    TooDeep(PathBuf),
}

/// What a case is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Material {
    /// What one has to say.
    pub statement: Option<String>,
    /// Files, and folders of files.
    pub files: Vec<PathBuf>,
    /// Messages between the parties, in files and folders of files.
    pub messages: Vec<PathBuf>,
}

/// A case that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its manifest.
    pub manifest: Manifest,
    /// The manifest's hash.
    pub hash: [u8; 32],
    /// Whether that is what was committed to; none where nobody said what was.
    pub is_committed: Option<bool>,
    /// Each file.
    pub files: Vec<(String, Verdict)>,
}

impl Checked {
    /// Whether nothing speaks against it.
    pub fn is_genuine(&self) -> bool {
        self.is_committed == Some(true) && self.files.iter().all(|(_, verdict)| *verdict == Verdict::Same)
    }
}

#[cfg(feature = "serde")]
impl Checked {
    /// How programs are told of it.
    pub fn view(&self) -> view::Case {
        let Self { manifest, hash, is_committed, files } = self;
        let file = |(path, verdict): &(String, Verdict)| view::CaseFile {
            path: path.clone(),
            same: *verdict == Verdict::Same,
            verdict: (*verdict).into(),
            text: evidence::line(path, *verdict),
        };
        view::Case {
            version: view::VERSION,
            escrow: manifest.escrow().to_string(),
            milestone: name::number(manifest.milestone()),
            purpose: manifest.purpose().name().to_owned(),
            hash: hex::encode(hash),
            committed: *is_committed,
            genuine: self.is_genuine(),
            files: files.iter().map(file).collect(),
        }
    }
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
    |source| FolderError::Disk { path: path.to_path_buf(), source }
}

/// Makes the folder `target` of a case about the milestone with this index. The hash of what it returns is to be committed to.
///
/// # Errors
///
/// Where the folder exists, something cannot be read or written, is a link, or cannot be in a case. Then no manifest is
/// written.
pub fn build(
    target: &Path,
    escrow: Pubkey,
    milestone: u8,
    purpose: Purpose,
    material: &Material,
) -> Result<Manifest, FolderError> {
    let mut sources: Vec<(String, PathBuf, u64)> = Vec::new();
    for (folder, paths) in [(FILES, &material.files), (MESSAGES, &material.messages)] {
        for path in paths {
            gather(path, folder, 0, &mut sources)?;
        }
    }
    // Before anything is copied: what cannot be a case costs nothing.
    let listed = |path: &str, size| Listed { path: path.to_owned(), size, sha256: [0; 32] };
    let mut planned: Vec<Listed> = sources.iter().map(|(path, _, size)| listed(path, *size)).collect();
    let statement = material.statement.as_deref().filter(|statement| !statement.is_empty());
    planned.extend(statement.map(|text| listed(STATEMENT, u64::try_from(text.len()).unwrap_or(u64::MAX))));
    Manifest::new(escrow, milestone, purpose, planned)?;

    match fs::create_dir(target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FolderError::Exists(target.to_path_buf()));
        }
        created => created.map_err(disk(target))?,
    }
    let mut files = Vec::new();
    if let Some(statement) = statement {
        let mut bytes = statement.as_bytes();
        files.push(write(target, STATEMENT, &mut bytes)?);
    }
    for (path, source, _) in &sources {
        let mut reader = File::open(source).map_err(disk(source))?;
        files.push(write(target, path, &mut reader)?);
    }
    let manifest = Manifest::new(escrow, milestone, purpose, files)?;
    let mut json = manifest.encode();
    write(target, MANIFEST, &mut json.as_bytes())?;
    json.clear();
    Ok(manifest)
}

/// The files behind a path, and what they are called in a case.
fn gather(
    path: &Path,
    folder: &str,
    depth: usize,
    sources: &mut Vec<(String, PathBuf, u64)>,
) -> Result<(), FolderError> {
    let metadata = fs::symlink_metadata(path).map_err(disk(path))?;
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| FolderError::NotUnicode(path.to_path_buf()))?;
    let inside = format!("{folder}/{}", name.nfc().collect::<String>());
    if metadata.is_symlink() {
        return Err(FolderError::Link(path.to_path_buf()));
    }
    if metadata.is_file() {
        if sources.len() >= MAX_FILES {
            return Err(CaseError::TooMany(sources.len().saturating_add(1)).into());
        }
        sources.push((inside, path.to_path_buf(), metadata.len()));
        return Ok(());
    }
    if !metadata.is_dir() {
        return Err(FolderError::Special(path.to_path_buf()));
    }
    if depth >= DEPTH {
        return Err(FolderError::TooDeep(path.to_path_buf()));
    }
    for entry in fs::read_dir(path).map_err(disk(path))? {
        gather(&entry.map_err(disk(path))?.path(), &inside, depth.saturating_add(1), sources)?;
    }
    Ok(())
}

/// Copies into the folder, and hashes what was copied.
fn write(target: &Path, path: &str, from: &mut dyn Read) -> Result<Listed, FolderError> {
    let place = target.join(path);
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).map_err(disk(parent))?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&place).map_err(disk(&place))?;
    let (size, sha256) = copy(from, &mut file).map_err(disk(&place))?;
    file.sync_all().map_err(disk(&place))?;
    if size > MAX_FILE_SIZE {
        return Err(CaseError::TooLarge { path: path.to_owned(), size }.into());
    }
    Ok(Listed { path: path.to_owned(), size, sha256 })
}

/// At most one byte more than a file of a case has.
fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(u64, [u8; 32])> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0u64, vec![0; 1 << 16]);
    let mut from = from.take(MAX_FILE_SIZE.saturating_add(1));
    loop {
        let count = from.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
            return Ok((size, hash.finalize().into()));
        };
        hash.update(read);
        to.write_all(read)?;
        size = size.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

/// Holds the folder of a case against its manifest, and the manifest against the hash that was committed to.
///
/// # Errors
///
/// Where there is no manifest, or the folder cannot be read. A file that is not as it was is no error: it is told.
pub fn check(folder: &Path, committed: Option<[u8; 32]>) -> Result<Checked, FolderError> {
    let place = folder.join(MANIFEST);
    let metadata = fs::symlink_metadata(&place).map_err(disk(&place))?;
    if metadata.is_symlink() {
        return Err(FolderError::Link(place));
    }
    let mut json = Vec::new();
    let most = u64::try_from(MAX_MANIFEST_SIZE).unwrap_or(u64::MAX).saturating_add(1);
    let file = File::open(&place).map_err(disk(&place))?;
    file.take(most).read_to_end(&mut json).map_err(disk(&place))?;
    let manifest = Manifest::decode(&json)?;
    let hash = manifest.hash();
    let mut found = BTreeMap::new();
    let wanted = |path: &str| manifest.files().iter().any(|listed| listed.path == path);
    look(folder, String::new(), 0, &wanted, &mut found)?;
    found.remove(MANIFEST);
    let files = manifest.compare(&found);
    Ok(Checked { manifest, hash, is_committed: committed.map(|committed| committed == hash), files })
}

/// What is in a folder. Of what the manifest does not know only the name is looked at.
fn look(
    folder: &Path,
    inside: String,
    depth: usize,
    wanted: &dyn Fn(&str) -> bool,
    found: &mut BTreeMap<String, Found>,
) -> Result<(), FolderError> {
    for entry in fs::read_dir(folder).map_err(disk(folder))? {
        let place = entry.map_err(disk(folder))?.path();
        // What cannot be a name in a manifest is added, whatever it is.
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = format!("{inside}{name}");
        let metadata = fs::symlink_metadata(&place).map_err(disk(&place))?;
        if metadata.is_dir() && depth < DEPTH {
            look(&place, format!("{path}/"), depth.saturating_add(1), wanted, found)?;
            continue;
        }
        let size = metadata.len();
        let is_file = metadata.is_file() && size <= MAX_FILE_SIZE;
        let sha256 = match is_file && wanted(&path) {
            true => {
                let mut file = File::open(&place).map_err(disk(&place))?;
                let (_, sha256) = copy(&mut file, &mut io::sink()).map_err(disk(&place))?;
                Some(sha256)
            }
            false => None,
        };
        if found.len() > MAX_FILES.saturating_mul(2) {
            return Err(CaseError::TooMany(found.len()).into());
        }
        found.insert(path, Found { size, sha256 });
    }
    Ok(())
}
