//! A case that was checked.

use serde::{Deserialize, Serialize};

use crate::evidence;

/// A case, held against what was committed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Case {
    /// The version of this view.
    pub version: u32,
    /// The escrow's address.
    pub escrow: String,
    /// The milestone's number, counted from 1.
    pub milestone: u8,
    /// `evidence` of a delivery, `reason` of a dispute, `rationale` of a ruling.
    pub purpose: String,
    /// The hash of its manifest, in hexadecimal.
    pub hash: String,
    /// Whether that is what was committed to; none where it is not known what was.
    pub committed: Option<bool>,
    /// Whether it is what was committed to, and each file is as it was.
    pub genuine: bool,
    /// Its files, and what was added.
    pub files: Vec<CaseFile>,
}

/// A file of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CaseFile {
    /// Where it is in the folder.
    pub path: String,
    /// Whether it is as it was.
    pub same: bool,
    /// What became of it.
    pub verdict: FileVerdict,
    /// The same in words: `✓ files/photo.jpg`.
    pub text: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileVerdict {
    /// It is as it was.
    Same,
    /// It is another.
    Changed,
    /// It is gone.
    Missing,
    /// It is a link, a folder or a device.
    NotAFile,
    /// The manifest knows nothing of it.
    Added,
}

impl From<evidence::Verdict> for FileVerdict {
    fn from(verdict: evidence::Verdict) -> Self {
        match verdict {
            evidence::Verdict::Same => Self::Same,
            evidence::Verdict::Changed => Self::Changed,
            evidence::Verdict::Missing => Self::Missing,
            evidence::Verdict::NotAFile => Self::NotAFile,
            evidence::Verdict::Added => Self::Added,
        }
    }
}
