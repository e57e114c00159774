//! What the program's own tests print about its interface, each piece between two marker lines.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

/// What the tests printed, unchanged, and what cargo knows of the package.
pub struct Printed {
    pub package: Package,
    /// The text between the markers, with its kind, in the order of printing.
    pub sections: Vec<(String, String)>,
}

/// The package of the program, as `cargo metadata` has it.
#[derive(Deserialize)]
pub struct Package {
    name: String,
    pub version: String,
    pub description: Option<String>,
    pub repository: Option<String>,
    manifest_path: PathBuf,
}

impl Package {
    /// The folder of the source.
    pub fn source(&self) -> PathBuf {
        self.manifest_path.parent().unwrap_or(Path::new("")).join("src")
    }
}

impl Printed {
    /// The sections of one kind, which must be JSON.
    pub fn json<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        self.of(kind)
            .map(|text| {
                // Through a value: Anchor's entries are repaired before they are read strictly.
                let mut value: Value = serde_json::from_str(text)?;
                name_variants(&mut value);
                serde_json::from_value(value)
            })
            .collect::<serde_json::Result<_>>()
            .with_context(|| format!("the program describes its {kind} in a way that Anchor's format does not know"))
    }

    /// The only section of this kind.
    pub fn text(&self, kind: &str) -> Result<&str> {
        let mut all = self.of(kind);
        let only = all.next().filter(|_| all.next().is_none());
        only.map(str::trim).with_context(|| format!("the program does not print its {kind} exactly once"))
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.sections.iter().filter(move |(name, _)| name == kind).map(|(_, text)| text.as_str())
    }
}

/// anchor-lang 2.0.0-rc.1 calls the variants of an enum `fields`; the format, and every reader of it, `variants`.
fn name_variants(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("kind").is_some_and(|kind| kind == "enum")
                && let Some(variants) = object.remove("fields")
            {
                object.insert("variants".to_owned(), variants);
            }
            object.values_mut().for_each(name_variants);
        }
        Value::Array(array) => array.iter_mut().for_each(name_variants),
        _ => {}
    }
}

/// Compiles the program for this machine and runs the tests that print its interface.
pub fn print(workspace: &Workspace) -> Result<Printed> {
    let mut command = process::command("cargo");
    command.current_dir(&workspace.root);
    command.args(["metadata", "--no-deps", "--format-version=1"]);
    let metadata: Metadata = serde_json::from_str(&process::output(&mut command)?)?;
    let package = metadata
        .packages
        .into_iter()
        .find(|package| package.name == "escrow")
        .ok_or_else(|| anyhow!("the workspace has no package escrow"))?;

    let mut command = process::command("cargo");
    command.current_dir(&workspace.root).arg("test").arg("--target-dir").arg(&workspace.target);
    command.args(["--quiet", "--package=escrow", "--lib", "--features=idl-build"]);
    command.args(["--", "__anchor_private_print_idl", "--show-output"]);
    let sections = sections(&process::output(command.stderr(Stdio::inherit()))?)?;
    Ok(Printed { package, sections })
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

fn sections(text: &str) -> Result<Vec<(String, String)>> {
    let marker = |line: &str, edge| {
        let kind = line.strip_prefix("--- IDL ")?.strip_prefix(edge)?.strip_suffix(" ---")?;
        Some(kind.trim().to_owned())
    };
    let mut sections = Vec::new();
    let mut open: Option<(String, Vec<&str>)> = None;
    for line in text.lines() {
        if let Some(kind) = marker(line, "begin ") {
            ensure!(open.is_none(), "`{line}` inside of another section");
            open = Some((kind, Vec::new()));
        } else if let Some(kind) = marker(line, "end ") {
            let (opened, lines) = open.take().with_context(|| format!("`{line}` ends nothing"))?;
            ensure!(opened == kind, "`{line}` ends the section {opened}");
            sections.push((kind, lines.join("\n")));
        } else if let Some((_, lines)) = &mut open {
            lines.push(line);
        }
    }
    ensure!(open.is_none(), "the last section does not end");
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_stand_between_their_markers() {
        let text = "noise\n--- IDL begin address ---\nabc\n--- IDL end address ---\nnoise\n\
                    --- IDL begin const ---\n{\n}\n--- IDL end const ---\n";
        let expected = [("address", "abc"), ("const", "{\n}")].map(|(kind, text)| (kind.to_owned(), text.to_owned()));
        assert_eq!(sections(text).unwrap(), expected);
        assert!(sections("--- IDL begin const ---\n").is_err());
        assert!(sections("--- IDL end const ---\n").is_err());
        assert!(sections("--- IDL begin const ---\n--- IDL end event ---\n").is_err());
    }

    #[test]
    fn the_variants_of_an_enum_get_their_name() {
        let mut value = json!([{ "type": { "kind": "enum", "fields": [{ "name": "A", "fields": ["u8"] }] } }]);
        name_variants(&mut value);
        assert_eq!(value, json!([{ "type": { "kind": "enum", "variants": [{ "name": "A", "fields": ["u8"] }] } }]));
    }
}
