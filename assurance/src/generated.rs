//! Files that a check writes: committed, and compared with what the check finds now.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Names a folder below which the checks write their files, instead of comparing them: `cargo xtask generate` sets it.
const INTO: &str = "GENERATE_INTO";

/// Compares the file at `path` (from the project's root) with `text`, or writes it where [`INTO`] is set.
pub fn compare(path: &str, text: &str) -> anyhow::Result<()> {
    if let Some(root) = env::var_os(INTO) {
        let file = PathBuf::from(root).join(path);
        fs::create_dir_all(file.parent().unwrap_or(Path::new("")))
            .with_context(|| format!("cannot create the folder of {path}"))?;
        return fs::write(&file, text).with_context(|| format!("cannot write {path}"));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let committed = fs::read_to_string(&file).with_context(|| format!("cannot read {path}"))?;
    if committed == text {
        return Ok(());
    }
    const MEND: &str = "(`cargo xtask generate` writes the file)";
    let differs = committed.lines().zip(text.lines()).enumerate().find(|(_, (old, new))| old != new);
    match differs {
        Some((line, (old, new))) => {
            bail!("{path}, line {}, is\n  {old}\nand should be\n  {new}\n{MEND}", line + 1)
        }
        None => bail!("{path} has {} lines and should have {} {MEND}", committed.lines().count(), text.lines().count()),
    }
}
