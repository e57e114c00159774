//! `cargo xtask generate`: writes everything that is committed and follows from something else. [`TABLE`] has it all.
//!
//! Each generator writes into a folder of its own under the target folder; from there its files are compared with the
//! committed ones, or take their place. So `--check` changes nothing, and no generator needs a way to compare.

mod diff;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::builder::PossibleValuesParser;

use crate::workspace::Workspace;
use crate::{build_program, idl, process};

/// Write everything generated again: the programs, the interface, tables, schemas, fixtures
///
/// docs/assurance.md is not among it: `cargo xtask assure` writes it, in an hour. Neither are fixtures of an earlier
/// layout of the accounts: the program of that layout wrote them, and nothing else may.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Change nothing: name each committed file that differs from what it is generated from, and fail
    #[arg(long)]
    check: bool,

    /// Only these, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = PossibleValuesParser::new(TABLE.map(|row| row.name)))]
    only: Vec<String>,

    /// Only what no test of the workspace compares: what CI, which runs the tests, still has to check
    #[arg(long)]
    untested: bool,

    /// Install what the programs' build lacks with apt-get (as root, on Debian)
    #[arg(long)]
    install: bool,
}

/// Something that is generated.
struct Row {
    name: &'static str,
    /// What it writes, from the project's root: files, and folders (with `/`) in which everything is generated.
    writes: &'static [&'static str],
    how: How,
    /// The test that compares it too: its file, its name.
    test: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy)]
enum How {
    /// With the compiler's record, without which its bytes cannot be compared.
    Programs,
    /// The text of its one file.
    Text(fn(&Workspace) -> Result<String>),
    /// `cargo run` with these arguments, which writes its files below the folder that `GENERATE_INTO` names.
    Run(&'static [&'static str]),
}

/// In the order in which one follows from another.
const TABLE: [Row; 9] = [
    Row {
        name: "program",
        writes: &["programs/escrow/elf/", "tests/programs/vault/elf/"],
        how: How::Programs,
        test: None,
    },
    Row { name: "idl", writes: &["idl/escrow.json"], how: How::Text(idl::document), test: None },
    Row {
        name: "compute-units",
        writes: &["docs/COMPUTE_UNITS.md"],
        how: How::Run(&["-p", "escrow-tests", "--bin", "generate", "--", "compute-units"]),
        test: Some(("tests/tests/documents/main.rs", "the_table_of_compute_units_is_what_the_committed_program_costs")),
    },
    Row {
        name: "protocol",
        writes: &["docs/protocol.md"],
        how: How::Run(&["-p", "escrow-tests", "--bin", "generate", "--", "protocol"]),
        test: Some(("tests/tests/documents/main.rs", "the_tables_of_the_protocol_are_what_the_code_says")),
    },
    Row {
        name: "schema",
        writes: &["docs/schema/"],
        how: How::Run(&["-p", "escrow-tests", "--bin", "generate", "--", "schema"]),
        test: Some(("tests/tests/documents/main.rs", "the_schemas_are_those_of_the_views")),
    },
    // Of the present layout alone.
    Row {
        name: "layout",
        writes: &["tests/fixtures/layout-2.json"],
        how: How::Run(&["-p", "escrow-tests", "--bin", "generate", "--", "layout"]),
        test: Some(("tests/tests/program/versions.rs", "the_program_still_writes_the_accounts_of_its_version")),
    },
    Row {
        name: "typescript",
        writes: &["idl/typescript/fixtures.json"],
        how: How::Run(&["-p", "escrow-tests", "--bin", "generate", "--", "typescript"]),
        test: Some((
            "tests/tests/documents/main.rs",
            "what_the_typescript_client_is_held_against_is_what_the_program_gives",
        )),
    },
    Row {
        name: "exits",
        writes: &["docs/exits.md"],
        how: How::Run(&["-p", "escrow-assurance", "--", "exits"]),
        test: Some(("assurance/tests/exits.rs", "who_can_do_what_and_when_is_what_the_design_says")),
    },
    Row {
        name: "substitution",
        writes: &["assurance/substitutions.tsv"],
        how: How::Run(&["-p", "escrow-assurance", "--", "substitution"]),
        test: Some(("assurance/tests/substitution.rs", "every_substitution_is_refused_or_justified_by_name")),
    },
];

/// Lines of a difference that are shown.
const SHOWN: usize = 40;

pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let chosen: Vec<&Row> = TABLE
        .iter()
        .filter(|row| args.only.is_empty() || args.only.iter().any(|name| name == row.name))
        .filter(|row| !args.untested || row.test.is_none())
        .collect();
    ensure!(!chosen.is_empty(), "a test compares each of them already: leave --untested or --only out");
    let mut wrong = Vec::new();
    for row in chosen {
        eprintln!("== {}", row.name);
        let done = generate(workspace, row, args);
        match done {
            Ok(true) => {}
            Ok(false) => wrong.push(row.name),
            // What is wrong with the others is worth knowing too.
            Err(error) if args.check => {
                eprintln!("{error:#}");
                wrong.push(row.name);
            }
            // What comes after it follows from it.
            Err(error) => return Err(error.context(format!("{} cannot be generated", row.name))),
        }
    }
    if !wrong.is_empty() {
        let names = wrong.join(",");
        // Much of the rest follows from the program.
        let only = if wrong.contains(&"program") { String::new() } else { format!(" --only {names}") };
        bail!("not what it is generated from: {names}. Run `cargo xtask generate{only}`, and commit what it writes.");
    }
    Ok(())
}

/// Whether the committed files are right afterwards.
fn generate(workspace: &Workspace, row: &Row, args: &Args) -> Result<bool> {
    let files = match row.how {
        How::Programs => return build_program::generate(workspace, args.check, args.install).map(|()| true),
        How::Text(text) => {
            let [path] = row.writes else { bail!("a text is one file, and {:?} is not", row.writes) };
            BTreeMap::from([((*path).to_owned(), text(workspace)?.into_bytes())])
        }
        How::Run(arguments) => files_of(workspace, row, arguments)?,
    };
    let differences = compare(&workspace.root, row.writes, &files)?;
    for difference in &differences {
        if args.check {
            eprintln!("{}", difference.told());
        } else {
            difference.mend(&workspace.root)?;
        }
        println!("{}", difference.path);
    }
    Ok(!args.check || differences.is_empty())
}

/// Runs a generator, and gives what it wrote.
fn files_of(workspace: &Workspace, row: &Row, arguments: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let folder = workspace.target.join("generated").join(row.name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", folder.display()));
        }
        _ => fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?,
    }
    let mut command = workspace.cargo(&["run", "--quiet"]);
    command.args(arguments).env("GENERATE_INTO", &folder);
    // The committed program is what everything describes.
    process::run(command.env_remove("ESCROW_ELF"))?;
    let mut files = BTreeMap::new();
    for path in files_below(&folder)? {
        let bytes = fs::read(folder.join(&path)).with_context(|| format!("cannot read {path}, just generated"))?;
        files.insert(path, bytes);
    }
    Ok(files)
}

/// A committed file that is not as generated.
struct Difference {
    path: String,
    committed: Option<Vec<u8>>,
    generated: Option<Vec<u8>>,
}

impl Difference {
    /// For people.
    fn told(&self) -> String {
        match (&self.committed, &self.generated) {
            (Some(was), Some(is)) => {
                let lines = diff::lines(&String::from_utf8_lossy(was), &String::from_utf8_lossy(is));
                let shown: Vec<&str> = lines.lines().take(SHOWN).collect();
                format!("{} is not what the code gives (+):\n{}", self.path, shown.join("\n"))
            }
            (None, _) => format!("{} is missing", self.path),
            (_, None) => format!("{} is generated by nothing, in a folder of generated files", self.path),
        }
    }

    fn mend(&self, root: &Path) -> Result<()> {
        let file = root.join(&self.path);
        match &self.generated {
            Some(bytes) => {
                let folder = file.parent().unwrap_or(root);
                fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
                fs::write(&file, bytes).with_context(|| format!("cannot write {}", self.path))
            }
            None => fs::remove_file(&file).with_context(|| format!("cannot remove {}", self.path)),
        }
    }
}

/// What differs between the committed files and the generated ones of a row that `writes` these.
fn compare(root: &Path, writes: &[&str], files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Difference>> {
    let covers = |write: &str, path: &str| if write.ends_with('/') { path.starts_with(write) } else { path == write };
    for path in files.keys() {
        ensure!(writes.iter().any(|write| covers(write, path)), "it wrote {path}, which its row does not name");
    }
    let mut paths: Vec<String> = files.keys().cloned().collect();
    for write in writes {
        ensure!(files.keys().any(|path| covers(write, path)), "it did not write {write}, which its row names");
        if write.ends_with('/') && root.join(write).is_dir() {
            paths.extend(files_below(&root.join(write))?.into_iter().map(|path| format!("{write}{path}")));
        }
    }
    paths.sort();
    paths.dedup();
    let mut differences = Vec::new();
    for path in paths {
        let committed = match fs::read(root.join(&path)) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        };
        let generated = files.get(&path).cloned();
        if committed != generated {
            differences.push(Difference { path, committed, generated });
        }
    }
    Ok(differences)
}

/// The paths of all files below, from the folder, with `/`.
fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let entries = fs::read_dir(folder.join(&below));
        for entry in entries.with_context(|| format!("cannot read the folder {}", folder.display()))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                let names = path.iter().map(|name| name.to_string_lossy());
                files.push(names.collect::<Vec<_>>().join("/"));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn fixtures_of_an_earlier_layout_are_never_written_again() {
        for row in &TABLE {
            for write in row.writes {
                let path = write.trim_end_matches('/');
                assert!(!"tests/fixtures/layout-1.json".starts_with(path), "{}", row.name);
            }
        }
    }

    #[test]
    fn what_a_row_names_is_committed() {
        for row in &TABLE {
            for write in row.writes {
                let path = root().join(write);
                assert!(if write.ends_with('/') { path.is_dir() } else { path.is_file() }, "{write}");
            }
        }
    }

    #[test]
    fn the_test_that_a_row_names_is_there() {
        for row in &TABLE {
            let Some((file, test)) = row.test else { continue };
            let source = fs::read_to_string(root().join(file)).expect(file);
            assert!(source.contains(&format!("#[test]\nfn {test}()")), "{}: no test {test} in {file}", row.name);
        }
    }

    /// A folder of this test, with these files.
    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("escrow-xtask-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for (path, text) in files {
            let file = folder.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        folder
    }

    fn generated(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_owned())).collect()
    }

    #[test]
    fn each_file_that_differs_is_told_and_mended() {
        let root = folder("mend", &[("a.md", "1\n2\n"), ("same.md", "x\n"), ("all/old.json", "{}"), ("other.md", "")]);
        let files = generated(&[("a.md", "1\n3\n"), ("same.md", "x\n"), ("all/new.json", "{}")]);
        let writes = ["a.md", "same.md", "all/"];
        let differences = compare(&root, &writes, &files).unwrap();
        let told: Vec<String> = differences.iter().map(Difference::told).collect();
        assert_eq!(
            told,
            [
                "a.md is not what the code gives (+):\n@@ line 2\n-2\n+3",
                "all/new.json is missing",
                "all/old.json is generated by nothing, in a folder of generated files",
            ]
        );
        differences.iter().for_each(|difference| difference.mend(&root).unwrap());
        assert!(compare(&root, &writes, &files).unwrap().is_empty());
        assert!(root.join("other.md").is_file());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_generator_writes_what_its_row_names_and_nothing_else() {
        let root = folder("names", &[("a.md", ""), ("tests/fixtures/layout-1.json", "")]);
        let compare = |files: &[(&str, &str)]| compare(&root, &["a.md"], &generated(files)).map(|_| ());
        assert!(compare(&[("a.md", "")]).is_ok());
        let error = compare(&[("a.md", ""), ("tests/fixtures/layout-1.json", "x")]).unwrap_err().to_string();
        assert!(error.contains("layout-1.json"), "{error}");
        let error = compare(&[]).unwrap_err().to_string();
        assert!(error.contains("a.md"), "{error}");
        fs::remove_dir_all(root).unwrap();
    }
}
