//! A copy of the project in which mutants are built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::SOURCE;
use super::mutate::Mutant;
use crate::build_program::Builder;
use crate::workspace::Workspace;

/// What cargo does not need of the project, or what would be large.
const LEFT_OUT: [&str; 4] = ["target", "node_modules", "docs", "idl"];

pub struct Tree {
    pub folder: PathBuf,
    workspace: Workspace,
    /// The program as it is.
    pub original: Vec<u8>,
    /// Tells this source and this compiler from others.
    key: [u8; 32],
}

/// What the compiler says of a mutant.
pub enum Build {
    Program(Vec<u8>),
    /// Its first error.
    Refused(String),
}

impl Tree {
    /// Copies the project to `folder` (what is there stays, so that cargo compiles nothing twice) and builds it.
    pub fn new(project: &Workspace, builder: &Builder, folder: &Path) -> Result<Self> {
        let workspace = Workspace { root: folder.join("tree"), target: folder.join("target") };
        let mut key = Sha256::new_with_prefix(&builder.record);
        for file in files(&project.root)? {
            let name = file.strip_prefix(&project.root).unwrap_or(&file);
            let (bytes, copy) = (read(&file)?, workspace.root.join(name));
            if name.starts_with("programs") || name.starts_with("Cargo.lock") || name.starts_with("Cargo.toml") {
                key.update(name.to_string_lossy().as_bytes());
                key.update(Sha256::digest(&bytes));
            }
            write_if_changed(&copy, &bytes)?;
        }
        // What is compiled for SBF already needs no second time.
        let (compiled, own) = (project.target.join("sbf"), workspace.target.join("sbf"));
        if compiled.is_dir() && !own.exists() {
            copy(&compiled, &own)?;
        }
        let original = builder.escrow(&workspace)?;
        Ok(Self { folder: folder.to_owned(), workspace, original, key: key.finalize().into() })
    }

    /// Builds the program with one change; or takes it from `built`, where every result is kept.
    pub fn build(&self, builder: &Builder, built: &Path, mutant: &Mutant) -> Result<Build> {
        let path = self.workspace.root.join(SOURCE).join(&mutant.file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mutated = mutant.apply(&text)?;

        let key = Sha256::new_with_prefix(self.key).chain_update(&mutant.file).chain_update(&mutated).finalize();
        let key: String = key.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let (elf, refused) = (built.join(&key).with_extension("so"), built.join(&key).with_extension("refused"));
        if let Ok(bytes) = fs::read(&elf) {
            return Ok(Build::Program(bytes));
        }
        if let Ok(reason) = fs::read_to_string(&refused) {
            return Ok(Build::Refused(reason));
        }
        write(&path, mutated.as_bytes())?;
        let result = builder.escrow(&self.workspace);
        write(&path, text.as_bytes())?;
        match result {
            Ok(bytes) => {
                write(&elf, &bytes)?;
                Ok(Build::Program(bytes))
            }
            Err(error) => {
                let said = format!("{error:#}");
                let reason = said.lines().find(|line| line.starts_with("error"));
                // Anything else is a failure of the tools, which says nothing about the mutant.
                let Some(reason) = reason.filter(|_| said.contains("could not compile `escrow`")) else {
                    return Err(error);
                };
                write(&refused, reason.as_bytes())?;
                Ok(Build::Refused(reason.to_owned()))
            }
        }
    }
}

/// All files in a folder and below, in a fixed order: what is in folders comes first.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| (entry.is_file(), entry.clone()));
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_ref()) {
            continue;
        }
        if entry.is_dir() { found.extend(files(&entry)?) } else { found.push(entry) }
    }
    Ok(found)
}

/// Copies a folder. Each file keeps its time, by which cargo knows what is up to date.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            let context = || format!("cannot copy {}", path.display());
            fs::copy(&path, &target).with_context(context)?;
            let modified = entry.metadata()?.modified()?;
            fs::File::options().write(true).open(&target)?.set_modified(modified).with_context(context)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// cargo compiles what was written since.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == bytes) { Ok(()) } else { write(path, bytes) }
}
