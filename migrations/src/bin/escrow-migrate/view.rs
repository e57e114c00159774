//! What is printed.

use std::fmt::{self, Display, Formatter};

use escrow_migrations::{ClosedBuffer, Deployment, ElfHash, Program, cost::Sol};
use serde::Serialize;
use solana_signature::Signature;

/// A program as it stands on chain.
#[derive(Debug, Serialize)]
pub struct ProgramView {
    program: String,
    programdata: String,
    /// How long the file that was named is if that is deployed, else the bytes without the zeros at the end.
    bytes: usize,
    /// Bytes that there is room for.
    max_len: usize,
    /// The slot of the last deployment, upgrade or extension.
    slot: u64,
    upgrade_authority: Option<String>,
    immutable: bool,
    /// The sha256 of the file that was named if that is deployed, else of the bytes without the zeros at the end.
    sha256: String,
    /// The sha256 that was named, or the committed one.
    expected_sha256: Option<String>,
    /// Whether the deployed bytes are the ones with that sha256.
    is_expected: Option<bool>,
    /// The transaction that changed it just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl ProgramView {
    pub fn new(program: &Program, expected: Option<ElfHash>) -> Self {
        let len = expected.and_then(|hash| program.len_of(&hash));
        let hash = expected.filter(|_| len.is_some()).unwrap_or_else(|| program.hash());
        Self {
            program: program.address.to_string(),
            programdata: program.programdata.to_string(),
            bytes: len.unwrap_or_else(|| program.code().len()),
            max_len: program.max_len(),
            slot: program.slot,
            upgrade_authority: program.upgrade_authority.map(|authority| authority.to_string()),
            immutable: program.upgrade_authority.is_none(),
            sha256: hash.to_string(),
            expected_sha256: expected.map(|hash| hash.to_string()),
            is_expected: expected.map(|_| len.is_some()),
            signature: None,
        }
    }

    pub fn changed_by(mut self, signature: Option<Signature>) -> Self {
        self.signature = signature.map(|signature| signature.to_string());
        self
    }
}

impl Display for ProgramView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "program            {}", self.program)?;
        writeln!(f, "its bytes          {}", self.programdata)?;
        writeln!(f, "size               {} bytes, room for {}", self.bytes, self.max_len)?;
        writeln!(f, "deployed in slot   {}", self.slot)?;
        writeln!(f, "upgrade authority  {}", authority(&self.upgrade_authority))?;
        write!(f, "sha256             {}", self.sha256)?;
        match (&self.expected_sha256, self.is_expected) {
            (Some(_), Some(true)) => write!(f, ", as expected")?,
            (Some(expected), _) => write!(f, ", NOT the expected {expected}")?,
            (None, _) => write!(f, " (nothing to compare it with: name one with --sha256)")?,
        }
        match &self.signature {
            Some(signature) => write!(f, "\ntransaction        {signature}"),
            None => Ok(()),
        }
    }
}

/// What `deploy` and `upgrade` did.
#[derive(Debug, Serialize)]
pub struct DoneView {
    program: String,
    programdata: String,
    slot: u64,
    upgrade_authority: Option<String>,
    sha256: String,
    /// False if these bytes were deployed already.
    changed: bool,
    signature: Option<String>,
    /// Lamports. Text, because JavaScript's numbers end at 2^53.
    spent: String,
    /// A buffer that is not needed any more.
    buffer_left_behind: Option<String>,
    #[serde(skip)]
    lamports: u64,
}

impl DoneView {
    pub fn new(done: &Deployment, hash: &ElfHash) -> Self {
        Self {
            program: done.program.to_string(),
            programdata: done.programdata.to_string(),
            slot: done.slot,
            upgrade_authority: done.upgrade_authority.map(|authority| authority.to_string()),
            sha256: hash.to_string(),
            changed: done.signature.is_some(),
            signature: done.signature.map(|signature| signature.to_string()),
            spent: done.spent.to_string(),
            buffer_left_behind: done.left_behind.map(|(address, _)| address.to_string()),
            lamports: done.spent,
        }
    }
}

impl Display for DoneView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.changed {
            true => writeln!(f, "deployed {} in slot {}, for {}", self.program, self.slot, Sol(self.lamports))?,
            false => writeln!(f, "nothing to do: {} has these bytes, since slot {}", self.program, self.slot)?,
        }
        writeln!(f, "sha256             {}", self.sha256)?;
        writeln!(f, "upgrade authority  {}", authority(&self.upgrade_authority))?;
        if let Some(signature) = &self.signature {
            writeln!(f, "transaction        {signature}")?;
        }
        if let Some(buffer) = &self.buffer_left_behind {
            writeln!(f, "left behind        the buffer {buffer}: `close-buffer {buffer}` returns its rent")?;
        }
        Ok(())
    }
}

/// What `close-buffer` did.
#[derive(Debug, Serialize)]
pub struct ClosedView {
    buffer: String,
    recipient: String,
    /// Lamports.
    returned: String,
    signature: String,
    #[serde(skip)]
    lamports: u64,
}

impl From<ClosedBuffer> for ClosedView {
    fn from(closed: ClosedBuffer) -> Self {
        Self {
            buffer: closed.address.to_string(),
            recipient: closed.recipient.to_string(),
            returned: closed.lamports.to_string(),
            signature: closed.signature.to_string(),
            lamports: closed.lamports,
        }
    }
}

impl Display for ClosedView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "closed buffer {}: {} are back at {}", self.buffer, Sol(self.lamports), self.recipient)?;
        write!(f, "transaction {}", self.signature)
    }
}

fn authority(authority: &Option<String>) -> &str {
    authority.as_deref().unwrap_or("none: it is immutable")
}
