//! Evidence that an arbiter can judge by: a folder of files, and a manifest with the hash of each. The manifest's own hash is
//! what a delivery, a dispute or a ruling logs; so nothing in the folder can be changed afterwards without being noticed.
//!
//! The encoding of the manifest, `case.json`, is described in `docs/evidence.md`. Here is what needs no disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter, Write as _},
};

use serde_json::Value;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use thiserror::Error;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{action::EscrowInstruction, history::History};

/// The version of the manifest's encoding.
pub const VERSION: u64 = 1;
/// The manifest's name in its folder.
pub const MANIFEST: &str = "case.json";
/// The statement's name in its folder.
pub const STATEMENT: &str = "statement.txt";
/// The folder of files.
pub const FILES: &str = "files";
/// The folder of messages.
pub const MESSAGES: &str = "messages";

/// The most files in a bundle.
pub const MAX_FILES: usize = 1_000;
/// The most bytes of a file.
pub const MAX_FILE_SIZE: u64 = 1 << 30;
/// The most bytes of all files.
pub const MAX_TOTAL_SIZE: u64 = 4 << 30;
/// The most bytes of a manifest.
pub const MAX_MANIFEST_SIZE: usize = 1 << 20;
/// The most bytes of a path.
pub const MAX_PATH: usize = 400;
/// The most bytes of a name in it: what file systems take.
pub const MAX_NAME: usize = 240;

/// What a bundle is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Shows what was delivered.
    Evidence,
    /// Says why it is disputed.
    Reason,
    /// Says why it was ruled like this.
    Rationale,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Evidence, Self::Reason, Self::Rationale];

    /// Its name in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Reason => "reason",
            Self::Rationale => "rationale",
        }
    }
}

/// A file in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it is in the folder, with `/` between names.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Their hash.
    pub sha256: [u8; 32],
}

/// What a bundle consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    escrow: Pubkey,
    milestone: u8,
    purpose: Purpose,
    files: Vec<Listed>,
}

/// Why a path is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// It is empty, or a name in it is.
    #[error("a name in it is empty")]
    Empty,
    /// It leads out of the folder.
    #[error("it leads out of the folder")]
    Outside,
    /// It has a character that means something else elsewhere, or that cannot be seen.
    #[error("it has the character {}, which names cannot have", .0.escape_unicode())]
    Character(char),
    /// A name begins or ends with a space, or ends with a dot: some systems drop those.
    #[error("a name in it begins with a space, or ends with one or with a dot")]
    Edge,
    /// A name that some systems take for a device.
    #[error("a name in it stands for a device on some systems")]
    Device,
    /// It is too long.
    #[error("it is longer than {MAX_PATH} bytes, or a name in it than {MAX_NAME}")]
    TooLong,
    /// It is not in Unicode's composed form, so that it looks like another.
    #[error("it is not in Unicode's composed form (NFC)")]
    NotComposed,
}

/// Why something is not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A path cannot be in one.
    #[error("{path:?} cannot be in a case: {error}")]
    Path {
        /// The path.
        path: String,
        /// Why.
        error: PathError,
    },
    /// Two paths that are one file on some systems.
    #[error("{0:?} and {1:?} are the same file on some systems: rename one")]
    SameFile(String, String),
    /// There are no files.
    #[error("there is nothing in it: name a statement, a file or a message")]
    Nothing,
    /// There are too many.
    #[error("it has {0} files, and a case can have {MAX_FILES}")]
    TooMany(usize),
    /// One is too large.
    #[error("{path:?} has {size} bytes, and a file of a case can have {MAX_FILE_SIZE}")]
    TooLarge {
        /// The file.
        path: String,
        /// Its bytes.
        size: u64,
    },
    /// All together are too large.
    #[error("all files together have {0} bytes, and a case can have {MAX_TOTAL_SIZE}")]
    TooLargeTogether(u64),
    /// The manifest is not one.
    #[error("its {MANIFEST} is not a manifest: {0}")]
    Manifest(String),
}

/// What a manifest lets be seen, for a folder that is beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The bytes of the file.
    pub size: u64,
    /// Their hash; none where it is no file, or one that is too large.
    pub sha256: Option<[u8; 32]>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it was.
    Same,
    /// It is another.
    Changed,
    /// It is gone.
    Missing,
    /// It is a link, a folder or a device, which no case has.
    NotAFile,
    /// It is in the folder, and the manifest knows nothing of it.
    Added,
}

/// Whether a path may be in a bundle: the same file on every system, and inside the folder on each.
///
/// # Errors
///
/// Why not.
pub fn check_path(path: &str) -> Result<(), PathError> {
    if path.len() > MAX_PATH {
        return Err(PathError::TooLong);
    }
    if !is_nfc(path) {
        return Err(PathError::NotComposed);
    }
    path.split('/').try_for_each(check_name)
}

fn check_name(name: &str) -> Result<(), PathError> {
    match name {
        "" => return Err(PathError::Empty),
        "." | ".." => return Err(PathError::Outside),
        _ => {}
    }
    if let Some(found) = name.chars().find(|letter| is_forbidden(*letter)) {
        return Err(PathError::Character(found));
    }
    if name.len() > MAX_NAME {
        return Err(PathError::TooLong);
    }
    if name.starts_with(' ') || name.ends_with([' ', '.']) {
        return Err(PathError::Edge);
    }
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |begin: &str| {
        stem.strip_prefix(begin).is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT") {
        return Err(PathError::Device);
    }
    Ok(())
}

/// Separators and wildcards of any system, control characters, and what turns or hides text: a name is what one sees.
fn is_forbidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What two paths have in common if they are the same file on a system that knows no capitals.
fn folded(path: &str) -> String {
    path.nfkc().flat_map(char::to_lowercase).nfc().collect()
}

impl Manifest {
    /// The manifest of these files, about the milestone with this index.
    ///
    /// # Errors
    ///
    /// Where a path cannot be in one, two are the same file somewhere, or there are none, too many or too large ones.
    pub fn new(escrow: Pubkey, milestone: u8, purpose: Purpose, mut files: Vec<Listed>) -> Result<Self, CaseError> {
        if files.is_empty() {
            return Err(CaseError::Nothing);
        }
        if files.len() > MAX_FILES {
            return Err(CaseError::TooMany(files.len()));
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        let mut folders: BTreeSet<String> = BTreeSet::from([folded(MANIFEST)]);
        let mut total = 0u64;
        for Listed { path, size, .. } in &files {
            check_path(path).map_err(|error| CaseError::Path { path: path.clone(), error })?;
            if *size > MAX_FILE_SIZE {
                return Err(CaseError::TooLarge { path: path.clone(), size: *size });
            }
            total = total.saturating_add(*size);
            if let Some(other) = seen.insert(folded(path), path) {
                return Err(CaseError::SameFile(other.to_owned(), path.clone()));
            }
            let parents = path.match_indices('/').filter_map(|(place, _)| path.get(..place));
            folders.extend(parents.map(folded));
        }
        // A file where another's folder is, or the manifest.
        if let Some((folded, path)) = seen.iter().find(|(path, _)| folders.contains(*path)) {
            return Err(CaseError::SameFile(folded.clone(), (*path).to_owned()));
        }
        if total > MAX_TOTAL_SIZE {
            return Err(CaseError::TooLargeTogether(total));
        }
        Ok(Self { escrow, milestone, purpose, files })
    }

    /// The escrow that it is about.
    pub fn escrow(&self) -> &Pubkey {
        &self.escrow
    }

    /// The index of the milestone that it is about.
    pub fn milestone(&self) -> u8 {
        self.milestone
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Its files, in the order of their paths.
    pub fn files(&self) -> &[Listed] {
        &self.files
    }

    /// The bytes of `case.json`: one way to write it, and no other.
    pub fn encode(&self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let mut json = String::new();
        let milestone = self.milestone.saturating_add(1);
        let (escrow, purpose) = (self.escrow, self.purpose.name());
        let _ = write!(
            json,
            "{{\n  \"version\": {VERSION},\n  \"escrow\": \"{escrow}\",\n  \"milestone\": {milestone},\n  \"purpose\": \
             \"{purpose}\",\n  \"files\": ["
        );
        for (index, Listed { path, size, sha256 }) in self.files.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (path, sha256) = (text(path), hex::encode(sha256));
            let _ = write!(json, "{comma}\n    {{\"path\": {path}, \"size\": {size}, \"sha256\": \"{sha256}\"}}");
        }
        json.push_str("\n  ]\n}\n");
        json
    }

    /// The hash that a delivery, a dispute or a ruling logs: sha256 of `case.json`, as any tool computes it.
    pub fn hash(&self) -> [u8; 32] {
        anchor_lang::sha256(self.encode().as_bytes())
    }

    /// Reads `case.json`. What is written in another way than [`encode`](Self::encode) writes it is refused: no two texts
    /// mean the same case.
    ///
    /// # Errors
    ///
    /// Where it is not a manifest, or one of files that none can have.
    pub fn decode(json: &[u8]) -> Result<Self, CaseError> {
        let manifest = |reason: &str| CaseError::Manifest(reason.to_owned());
        if json.len() > MAX_MANIFEST_SIZE {
            return Err(manifest("it is too large"));
        }
        let value: Value = serde_json::from_slice(json).map_err(|error| CaseError::Manifest(error.to_string()))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                return Err(CaseError::Manifest(format!("its version is {other}, and this software knows {VERSION}")));
            }
            None => return Err(manifest("it has no version")),
        }
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let escrow = text(&value, "escrow").and_then(|escrow| escrow.parse().ok());
        let number = value.get("milestone").and_then(Value::as_u64).and_then(|number| u8::try_from(number).ok());
        let milestone = number.and_then(|number| number.checked_sub(1));
        let purpose = text(&value, "purpose");
        let purpose = Purpose::ALL.into_iter().find(|known| Some(known.name()) == purpose.as_deref());
        let listed = |file: &Value| {
            let mut sha256 = [0; 32];
            hex::decode_to_slice(text(file, "sha256")?, &mut sha256).ok()?;
            Some(Listed { path: text(file, "path")?, size: file.get("size")?.as_u64()?, sha256 })
        };
        let files = value.get("files").and_then(Value::as_array);
        let files = files.and_then(|files| files.iter().map(listed).collect::<Option<Vec<_>>>());
        let (Some(escrow), Some(milestone), Some(purpose), Some(files)) = (escrow, milestone, purpose, files) else {
            return Err(manifest("something in it is missing or has another type"));
        };
        let decoded = Self::new(escrow, milestone, purpose, files)?;
        if decoded.encode().as_bytes() != json {
            return Err(manifest("it is not written as a manifest is: somebody has changed it by hand"));
        }
        Ok(decoded)
    }

    /// Holds what was found in a folder against the manifest: its files in their order, then what was added.
    pub fn compare(&self, found: &BTreeMap<String, Found>) -> Vec<(String, Verdict)> {
        let verdict = |listed: &Listed| match found.get(&listed.path) {
            None => Verdict::Missing,
            Some(Found { size, sha256: None }) if *size == listed.size => Verdict::NotAFile,
            Some(Found { size, sha256 }) if (*size, *sha256) == (listed.size, Some(listed.sha256)) => Verdict::Same,
            Some(_) => Verdict::Changed,
        };
        let mut verdicts: Vec<_> = self.files.iter().map(|listed| (listed.path.clone(), verdict(listed))).collect();
        let is_known = |path: &str| self.files.iter().any(|listed| listed.path == path);
        let added = found.keys().filter(|path| !is_known(path));
        verdicts.extend(added.map(|path| (path.clone(), Verdict::Added)));
        verdicts
    }
}

/// A file in a line: `✓ files/photo.jpg`, `✗ files/photo.jpg: changed`. What a name cannot have is escaped: the line is one.
pub fn line(path: &str, verdict: Verdict) -> String {
    let escaped = path.chars().flat_map(|letter| -> Box<dyn Iterator<Item = char>> {
        if is_forbidden(letter) { Box::new(letter.escape_unicode()) } else { Box::new(std::iter::once(letter)) }
    });
    let path: String = escaped.collect();
    match verdict {
        Verdict::Same => format!("✓ {path}"),
        other => format!("✗ {path}: {other}"),
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "as it was",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::NotAFile => "not a file",
            Self::Added => "added afterwards",
        })
    }
}

/// A hash that somebody committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The index of the milestone.
    pub milestone: u8,
    /// What for.
    pub purpose: Purpose,
    /// The hash.
    pub hash: [u8; 32],
    /// Who.
    pub by: Option<Pubkey>,
    /// When, in unix seconds, if the node knows.
    pub time: Option<i64>,
    /// In which transaction.
    pub signature: Signature,
}

/// The hashes that were committed to in a history, in order; none where all zero stood for no bundle.
pub fn committed(history: &History) -> Vec<Committed> {
    let of_step = |step: &super::history::Step| {
        let (purpose, hash) = match &step.entry.action.instruction {
            EscrowInstruction::Deliver { evidence_hash, .. } => (Purpose::Evidence, *evidence_hash),
            EscrowInstruction::Dispute { reason_hash, .. } => (Purpose::Reason, *reason_hash),
            EscrowInstruction::Rule { rationale_hash, .. } => (Purpose::Rationale, *rationale_hash),
            _ => return None,
        };
        let milestone = step.entry.action.instruction.milestone()?;
        let (by, time, signature) = (step.entry.action.actor, step.entry.time, step.entry.signature);
        (hash != [0; 32]).then_some(Committed { milestone, purpose, hash, by, time, signature })
    };
    history.steps.iter().filter_map(of_step).collect()
}
