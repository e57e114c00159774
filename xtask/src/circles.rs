//! `cargo xtask circles`: fails where files of a crate use each other in a circle.
//!
//! A file uses another where it names something that is defined there; names are followed through `use` and re-exports to
//! their definition. A module and those within it are one room: what they use of each other makes no circle. What is
//! compiled for tests alone is left out: a test may use everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use serde::Deserialize;
use syn::{Attribute, Item, ItemMod, UseTree, Visibility};

use crate::workspace::Workspace;

/// Fail where files of a crate use each other in a circle, and name them
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Workspaces of the project, by their manifests.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "linker/Cargo.toml"];

pub fn run(workspace: &Workspace, _: &Args) -> Result<()> {
    let mut circles = Vec::new();
    let mut files = 0;
    for root in MANIFESTS.iter().map(|manifest| roots(workspace, manifest)).collect::<Result<Vec<_>>>()?.concat() {
        let of_crate = Crate::read(&root)?;
        files += of_crate.files().len();
        for circle in of_crate.circles() {
            let names: Vec<String> = circle.iter().map(|file| workspace.relative(file).to_string()).collect();
            circles.push(names.join("\n    "));
        }
    }
    circles.sort();
    circles.dedup();
    ensure!(circles.is_empty(), "files that use each other in a circle:\n  {}", circles.join("\n  "));
    println!("{files} files, and none uses another in a circle");
    Ok(())
}

/// The file at which each crate of a workspace begins: libraries, binaries, tests, examples.
fn roots(workspace: &Workspace, manifest: &str) -> Result<Vec<PathBuf>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        src_path: PathBuf,
    }
    let mut cargo = workspace.cargo(&["metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest]);
    let metadata: Metadata = serde_json::from_str(&crate::process::output(&mut cargo)?)?;
    Ok(metadata.packages.into_iter().flat_map(|package| package.targets).map(|target| target.src_path).collect())
}

/// What a name means inside a module.
enum Meaning {
    Module(usize),
    /// Something that is defined here.
    Item,
    /// Whatever this path means, from here.
    Use(Vec<String>),
}

/// A module: the root, a file, or a part of one.
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    names: BTreeMap<String, Meaning>,
    /// The modules all of whose names are meant here too.
    globs: Vec<Vec<String>>,
    /// All paths that stand here, but for those that only hand a name on.
    paths: BTreeSet<Vec<String>>,
}

/// The modules of a crate, the root first.
struct Crate(Vec<Module>);

/// What a path leads to.
enum Target {
    Module(usize),
    /// Something that this module defines.
    In(usize),
}

/// Names that are being looked for, each in its module: a `use` may lead back to itself.
type Asked = BTreeSet<(usize, String)>;

impl Crate {
    fn read(root: &Path) -> Result<Self> {
        let mut modules = Self(Vec::new());
        modules.file(root, root.parent().unwrap_or(root), None)?;
        Ok(modules)
    }

    /// Reads a module in a file of its own; its submodules' files are in `folder`.
    fn file(&mut self, file: &Path, folder: &Path, parent: Option<usize>) -> Result<usize> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let syntax = syn::parse_file(&text).with_context(|| format!("{} is not Rust", file.display()))?;
        self.module(file, folder, parent, syntax.items)
    }

    fn module(&mut self, file: &Path, folder: &Path, parent: Option<usize>, items: Vec<Item>) -> Result<usize> {
        let this = self.0.len();
        self.0.push(Module {
            file: file.to_owned(),
            parent,
            names: BTreeMap::new(),
            globs: Vec::new(),
            paths: BTreeSet::new(),
        });
        for item in items {
            if let Item::Mod(inner) = item {
                if !for_tests(&inner.attrs) {
                    let name = inner.ident.to_string();
                    let inner = self.inner(file, folder, this, inner)?;
                    self.0[this].names.insert(name, Meaning::Module(inner));
                }
            } else {
                self.0[this].add(item);
            }
        }
        Ok(this)
    }

    fn inner(&mut self, file: &Path, folder: &Path, parent: usize, inner: ItemMod) -> Result<usize> {
        let name = inner.ident.to_string();
        if let Some((_, items)) = inner.content {
            return self.module(file, &folder.join(&name), Some(parent), items);
        }
        let named = inner.attrs.iter().find(|attribute| attribute.path().is_ident("path"));
        if let Some(attribute) = named {
            let value = attribute.to_token_stream().into_iter().last().map(|token| token.to_string());
            bail!("{}: #[path] is not read: {}", file.display(), value.unwrap_or_default());
        }
        let (flat, own) = (folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs"));
        self.file(if flat.is_file() { &flat } else { &own }, &folder.join(&name), Some(parent))
    }

    fn files(&self) -> BTreeSet<&Path> {
        self.0.iter().map(|module| module.file.as_path()).collect()
    }

    /// What a path that stands in a module leads to, if it is something of this crate.
    fn find(&self, from: usize, path: &[String], asked: &mut Asked) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.0[from].parent?),
            _ => self.name(from, first, asked)?,
        };
        match target {
            Target::Module(module) if rest.is_empty() => Some(Target::Module(module)),
            Target::Module(module) if rest[0] == "super" => self.find(module, rest, asked),
            // A macro may define what is not found.
            Target::Module(module) => Some(self.find(module, rest, asked).unwrap_or(Target::In(module))),
            Target::In(module) => Some(Target::In(module)),
        }
    }

    fn name(&self, module: usize, name: &str, asked: &mut Asked) -> Option<Target> {
        if !asked.insert((module, name.to_owned())) {
            return None;
        }
        match self.0[module].names.get(name) {
            Some(Meaning::Module(inner)) => Some(Target::Module(*inner)),
            Some(Meaning::Item) => Some(Target::In(module)),
            Some(Meaning::Use(path)) => self.find(module, path, asked),
            None => self.0[module].globs.iter().find_map(|path| match self.find(module, path, asked)? {
                Target::Module(other) if other != module => self.name(other, name, asked),
                _ => None,
            }),
        }
    }

    /// Whether one of two modules is within the other, or they are the same.
    fn one_in_the_other(&self, one: usize, other: usize) -> bool {
        let within = |inner: usize, outer: usize| {
            std::iter::successors(Some(inner), |module| self.0[*module].parent).any(|module| module == outer)
        };
        within(one, other) || within(other, one)
    }

    /// Which file uses which others.
    fn uses(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let mut uses: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for (number, module) in self.0.iter().enumerate() {
            let used = uses.entry(&module.file).or_default();
            for path in &module.paths {
                if let Some(Target::In(other)) = self.find(number, path, &mut Asked::new())
                    && !self.one_in_the_other(number, other)
                {
                    used.insert(self.0[other].file.as_path());
                }
            }
        }
        uses
    }

    /// The files that can be reached from each other.
    fn circles(&self) -> Vec<Vec<&Path>> {
        let uses = self.uses();
        let reached: BTreeMap<&Path, BTreeSet<&Path>> = uses.keys().map(|file| (*file, reach(&uses, file))).collect();
        let mut circles = BTreeSet::new();
        for (file, from_here) in &reached {
            if from_here.contains(file) {
                let others = from_here.iter().filter(|other| reached[*other].contains(file));
                circles.insert(others.copied().collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }
}

/// What a file uses, directly or through others.
fn reach<'a>(uses: &BTreeMap<&'a Path, BTreeSet<&'a Path>>, from: &Path) -> BTreeSet<&'a Path> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&Path> = uses[from].iter().copied().collect();
    while let Some(file) = next.pop() {
        if found.insert(file) {
            next.extend(&uses[file]);
        }
    }
    found
}

impl Module {
    fn add(&mut self, item: Item) {
        match &item {
            Item::Use(of) => {
                if for_tests(&of.attrs) {
                    return;
                }
                let hands_on = !matches!(of.vis, Visibility::Inherited);
                return self.imports(&of.tree, &mut Vec::new(), hands_on);
            }
            Item::Macro(of) => self.define(of.ident.as_ref()),
            Item::Const(of) => self.define(Some(&of.ident)),
            Item::Enum(of) => self.define(Some(&of.ident)),
            Item::Fn(of) => self.define(Some(&of.sig.ident)),
            Item::Static(of) => self.define(Some(&of.ident)),
            Item::Struct(of) => self.define(Some(&of.ident)),
            Item::Trait(of) => self.define(Some(&of.ident)),
            Item::Type(of) => self.define(Some(&of.ident)),
            Item::Union(of) => self.define(Some(&of.ident)),
            _ => {}
        }
        let attributes: &[Attribute] = match &item {
            Item::Fn(of) => &of.attrs,
            Item::Impl(of) => &of.attrs,
            _ => &[],
        };
        if !for_tests(attributes) {
            self.mention(item.to_token_stream());
        }
    }

    fn define(&mut self, name: Option<&syn::Ident>) {
        self.names.extend(name.map(|name| (name.to_string(), Meaning::Item)));
    }

    fn imports(&mut self, tree: &UseTree, path: &mut Vec<String>, hands_on: bool) {
        let mut bind = |name: &syn::Ident, bound: &syn::Ident, path: &[String]| {
            let mut path = path.to_owned();
            if name != "self" {
                path.push(name.to_string());
            }
            let bound = if bound == "self" { path.last().cloned().unwrap_or_default() } else { bound.to_string() };
            if !hands_on {
                self.paths.insert(path.clone());
            }
            self.names.entry(bound).or_insert(Meaning::Use(path));
        };
        match tree {
            UseTree::Path(of) => {
                path.push(of.ident.to_string());
                self.imports(&of.tree, path, hands_on);
                path.pop();
            }
            UseTree::Name(of) => bind(&of.ident, &of.ident, path),
            UseTree::Rename(of) => bind(&of.ident, &of.rename, path),
            UseTree::Glob(_) => self.globs.push(path.clone()),
            UseTree::Group(of) => of.items.iter().for_each(|tree| self.imports(tree, path, hands_on)),
        }
    }

    /// Takes in all paths among the tokens, also those in macros.
    fn mention(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.paths.insert(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.mention(group.stream()),
                _ => {}
            }
            self.paths.insert(std::mem::take(&mut path));
            colons = 0;
        }
        self.paths.insert(path);
    }
}

/// Whether something is compiled for tests alone.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string().replace(' ', "");
        text.starts_with("#[test") || text.starts_with("#[cfg(test") || text.starts_with("#[cfg(all(test")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate of these files, by their names.
    fn circles(name: &str, files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = std::env::temp_dir().join(format!("escrow-xtask-{}-{name}", std::process::id()));
        for (path, text) in files {
            let file = folder.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let of_crate = Crate::read(&folder.join("lib.rs")).unwrap();
        let name = |file: &&Path| file.strip_prefix(&folder).unwrap().display().to_string();
        let found = of_crate.circles().iter().map(|circle| circle.iter().map(name).collect()).collect();
        fs::remove_dir_all(&folder).unwrap();
        found
    }

    #[test]
    fn two_files_that_name_each_other_are_a_circle() {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B; pub struct A(B);")];
        let with = |b| circles("two", &[files[0], files[1], ("b.rs", b)]);
        let circle = [["a.rs", "b.rs"]];
        assert_eq!(with("pub struct B(Box<super::a::A>);"), circle);
        assert_eq!(with("use super::a; pub struct B; fn f(of: &a::A) {}"), circle);
        assert_eq!(with("pub struct B; fn f() { println!(\"{}\", crate::a::A::new()); }"), circle);
        assert_eq!(with("pub struct B;"), [[""; 0]; 0]);
        assert_eq!(with("pub struct B; #[cfg(test)] mod tests { use crate::a::A; fn f() { A::new() } }"), [[""; 0]; 0]);
    }

    #[test]
    fn names_are_followed_to_where_they_are_defined() {
        let root = "mod a; mod b; mod c; pub use a::A; pub use c::*;";
        let with = |b| {
            circles(
                "through",
                &[("lib.rs", root), ("a.rs", "pub struct A(crate::B);"), ("b.rs", b), ("c.rs", "pub use crate::b::B;")],
            )
        };
        assert_eq!(with("pub struct B(crate::A);"), [["a.rs", "b.rs"]]);
        assert_eq!(with("use crate::*; pub struct B(A);"), [["a.rs", "b.rs"]]);
        assert_eq!(with("pub struct B(crate::C);"), [[""; 0]; 0]);
    }

    #[test]
    fn a_folder_is_one_room_but_what_is_in_it_is_not() {
        let root = ("lib.rs", "mod room; mod other; pub struct Root;");
        let room = ("room/mod.rs", "mod a; mod b; pub struct Shared; fn f() { a::f(crate::other::f()) }");
        let other = ("other.rs", "pub fn f() -> crate::Root {}");
        let with = |a, b| circles("room", &[root, room, other, ("room/a.rs", a), ("room/b.rs", b)]);
        assert_eq!(with("pub fn f(s: super::Shared) { super::b::f() }", "pub fn f() {}"), [[""; 0]; 0]);
        let circle = [["room/a.rs", "room/b.rs"]];
        assert_eq!(with("pub fn f() { super::b::f() }", "pub fn f() { crate::room::a::f() }"), circle);
    }
}
