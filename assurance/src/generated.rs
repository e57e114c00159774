//! Files that a check writes: committed, and compared with what the check finds now.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};

/// Set to anything, it makes the checks write their files instead of comparing them.
pub const UPDATE: &str = "UPDATE_GENERATED";

/// Compares the file at `path` (from the workspace's root) with `text`, or writes it where [`UPDATE`] is set.
pub fn compare(path: &str, text: &str) -> anyhow::Result<()> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os(UPDATE).is_some() {
        return fs::write(&file, text).with_context(|| format!("cannot write {path}"));
    }
    let committed = fs::read_to_string(&file).with_context(|| format!("cannot read {path}"))?;
    if committed == text {
        return Ok(());
    }
    let differs = committed.lines().zip(text.lines()).enumerate().find(|(_, (old, new))| old != new);
    match differs {
        Some((line, (old, new))) => {
            bail!("{path}, line {}, is\n  {old}\nand should be\n  {new}\n({UPDATE}=1 writes the file)", line + 1)
        }
        None => bail!(
            "{path} has {} lines and should have {} ({UPDATE}=1 writes the file)",
            committed.lines().count(),
            text.lines().count()
        ),
    }
}
