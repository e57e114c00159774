//! One description out of the printed pieces, complete and in an order that does not depend on anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anchor_lang_idl_spec::{
    Idl, IdlConst, IdlErrorCode, IdlEvent, IdlInstruction, IdlInstructionAccount, IdlInstructionAccountItem,
    IdlSerialization, IdlType, IdlTypeDef,
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;

use super::printed::Printed;
use super::slab;

/// An event, with its type and the types in it.
#[derive(Deserialize)]
struct PrintedEvent {
    event: IdlEvent,
    types: Vec<IdlTypeDef>,
}

/// An instruction in the program's table of its interface.
#[derive(Deserialize)]
struct PrintedInstruction {
    name: String,
    discriminator: u8,
    accounts: Vec<IdlInstructionAccount>,
}

pub fn complete(printed: Printed) -> Result<Idl> {
    let programs: Vec<Idl> = printed.json("program")?;
    let Ok([mut idl]) = <[Idl; 1]>::try_from(programs) else { bail!("the program does not describe itself") };
    idl.address = printed.text("address")?.to_owned();
    idl.metadata.version.clone_from(&printed.package.version);
    idl.metadata.description.clone_from(&printed.package.description);
    idl.metadata.repository.clone_from(&printed.package.repository);

    // Anchor collects the types that instructions reach; those of events, and of what lies behind a header, come apart.
    let events: Vec<PrintedEvent> = printed.json("event")?;
    let others: Vec<Vec<IdlTypeDef>> = printed.json("types")?;
    let mut types = std::mem::take(&mut idl.types);
    types.extend(others.into_iter().flatten());
    for PrintedEvent { event, types: of_event } in events {
        idl.events.push(event);
        types.extend(of_event);
    }
    idl.types = unique(types)?;
    idl.errors = printed.json::<Vec<IdlErrorCode>>("errors")?.into_iter().flatten().collect();
    idl.constants = printed.json("const")?;
    complete_constants(&mut idl.constants, &printed.package.source())?;

    let most = most_milestones(&idl)?;
    slab::add_items(&mut idl, "Escrow", "Milestone", "milestones", "Milestones", most)?;
    for definition in &mut idl.types {
        // The macros mark only some of the types that the program reads in place as such (not those within others), and
        // a client cannot use both kinds in one. A type without padding has the same bytes in Borsh: say that of all.
        definition.serialization = IdlSerialization::Borsh;
        definition.repr = None;
    }
    let [table]: [Vec<PrintedInstruction>; 1] =
        printed.json("interface")?.try_into().map_err(|_| anyhow!("the program prints its table not exactly once"))?;
    ensure!(table.len() == idl.instructions.len(), "the program's table has not its instructions");
    for instruction in table {
        let described = idl.instructions.iter_mut().find(|described| described.name == instruction.name);
        let described = described.with_context(|| format!("the program has no instruction {}", instruction.name))?;
        complete_accounts(described, instruction)?;
    }
    for docs in all_docs(&mut idl) {
        *docs = docs.replace("[`", "`").replace("`]", "`");
    }
    sort(&mut idl)?;
    Ok(idl)
}

/// The accounts of the program's table, with the words of Anchor's description where that has the account too. The two
/// must agree, but that the table may mark more as written, and go on where the accounts struct ends.
fn complete_accounts(described: &mut IdlInstruction, table: PrintedInstruction) -> Result<()> {
    let name = &table.name;
    ensure!(described.discriminator == [table.discriminator], "{name} has another number in the program's table");
    let mut by_anchor = std::mem::take(&mut described.accounts).into_iter();
    for mut account in table.accounts {
        if let Some(item) = by_anchor.next() {
            let IdlInstructionAccountItem::Single(known) = item else { bail!("nested accounts: not foreseen") };
            let same = known.name == account.name
                && (known.signer, known.optional) == (account.signer, account.optional)
                && known.writable <= account.writable;
            ensure!(same, "{name}: the account {} stands otherwise in the program's table", known.name);
            // A relation makes clients fill the account in by themselves. One that is optional is there for a reason.
            let relations = if known.optional { Vec::new() } else { known.relations };
            account = IdlInstructionAccount { writable: account.writable, relations, ..known };
        }
        described.accounts.push(IdlInstructionAccountItem::Single(account));
    }
    ensure!(by_anchor.next().is_none(), "{name} has accounts that the program's table does not know");
    Ok(())
}

/// Each type once. Two different ones with the same name would make one description of the other's bytes.
fn unique(types: Vec<IdlTypeDef>) -> Result<Vec<IdlTypeDef>> {
    let mut by_name: BTreeMap<String, IdlTypeDef> = BTreeMap::new();
    for definition in types {
        if let Some(other) = by_name.get(&definition.name) {
            ensure!(*other == definition, "two different types are called {}", definition.name);
        }
        by_name.insert(definition.name.clone(), definition);
    }
    Ok(by_name.into_values().collect())
}

/// Instructions stand in the order of their discriminators, errors of their codes, everything else of its name.
fn sort(idl: &mut Idl) -> Result<()> {
    idl.instructions.sort_by(|a, b| a.discriminator.cmp(&b.discriminator));
    idl.accounts.sort_by(|a, b| a.name.cmp(&b.name));
    idl.events.sort_by(|a, b| a.name.cmp(&b.name));
    idl.errors.sort_by_key(|error| error.code);
    idl.types.sort_by(|a, b| a.name.cmp(&b.name));
    idl.constants.sort_by(|a, b| a.name.cmp(&b.name));

    let discriminators = [
        idl.instructions.iter().map(|it| &it.discriminator).collect::<Vec<_>>(),
        idl.accounts.iter().map(|it| &it.discriminator).collect(),
        idl.events.iter().map(|it| &it.discriminator).collect(),
    ];
    for mut kind in discriminators {
        kind.sort();
        ensure!(kind.windows(2).all(|two| !two[1].starts_with(two[0])), "two discriminators begin alike");
    }
    ensure!(idl.errors.windows(2).all(|two| two[0].code != two[1].code), "two errors have the same code");
    Ok(())
}

fn all_docs(idl: &mut Idl) -> impl Iterator<Item = &mut String> {
    use anchor_lang_idl_spec::{IdlDefinedFields, IdlField, IdlTypeDefTy};

    fn of_fields(fields: &mut [IdlField]) -> impl Iterator<Item = &mut String> {
        fields.iter_mut().flat_map(|field| &mut field.docs)
    }
    fn of_type(ty: &mut IdlTypeDefTy) -> Vec<&mut String> {
        let fields = match ty {
            IdlTypeDefTy::Struct { fields: Some(IdlDefinedFields::Named(fields)) } => vec![fields],
            IdlTypeDefTy::Enum { variants } => variants
                .iter_mut()
                .filter_map(|variant| match &mut variant.fields {
                    Some(IdlDefinedFields::Named(fields)) => Some(fields),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        fields.into_iter().flat_map(|fields| of_fields(fields)).collect()
    }
    let instructions = idl.instructions.iter_mut().flat_map(|instruction| {
        let accounts = instruction.accounts.iter_mut().flat_map(|account| match account {
            IdlInstructionAccountItem::Single(account) => account.docs.as_mut_slice(),
            IdlInstructionAccountItem::Composite(_) => &mut [],
        });
        instruction.docs.iter_mut().chain(accounts).chain(of_fields(&mut instruction.args))
    });
    let types =
        idl.types.iter_mut().flat_map(|definition| definition.docs.iter_mut().chain(of_type(&mut definition.ty)));
    let constants = idl.constants.iter_mut().flat_map(|constant| &mut constant.docs);
    instructions.chain(types).chain(constants)
}

// Constants -----------------------------------------------------------------------------------------------------------

/// Anchor prints constants without their docs, and `usize` as if it were a type of the program.
fn complete_constants(constants: &mut [IdlConst], source: &Path) -> Result<()> {
    let files = rust_files(source)?;
    for constant in constants {
        if matches!(&constant.ty, IdlType::Defined { name, .. } if name == "usize") {
            constant.ty = IdlType::U64;
        }
        let found: Vec<_> = files.iter().filter_map(|text| docs_of_constant(text, &constant.name)).collect();
        let Ok([docs]) = <[_; 1]>::try_from(found) else {
            bail!("the constant {} is not defined exactly once", constant.name);
        };
        constant.docs = docs;
    }
    Ok(())
}

fn most_milestones(idl: &Idl) -> Result<usize> {
    let most = idl.constants.iter().find(|constant| constant.name == "MAX_MILESTONES");
    Ok(most.context("the program does not describe the constant MAX_MILESTONES")?.value.parse()?)
}

/// The doc comment of a constant that is marked `#[constant]`; none where the text has no such constant.
fn docs_of_constant(text: &str, name: &str) -> Option<Vec<String>> {
    let definition = format!("pub const {name}:");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.starts_with(&definition))?;
    let mut docs: Vec<String> = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with("///") || line.starts_with("#["))
        .filter_map(|line| line.strip_prefix("///"))
        .map(|line| line.trim().to_owned())
        .collect();
    docs.reverse();
    Some(docs)
}

fn rust_files(folder: &Path) -> Result<Vec<String>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                paths.push(path);
            }
        }
    }
    paths
        .iter()
        .map(|path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_of_a_constant_stand_above_it() {
        let text = "/// Of another.\npub const B: u8 = 2;\n\n/// One\n/// two.\n#[constant]\npub const A: u8 = 1;\n";
        assert_eq!(docs_of_constant(text, "A").unwrap(), ["One", "two."]);
        assert_eq!(docs_of_constant(text, "C"), None);
    }

    #[test]
    fn two_types_of_one_name_are_refused() {
        let define = |alias: &str| -> IdlTypeDef {
            serde_json::from_value(serde_json::json!({ "name": "A", "type": { "kind": "type", "alias": alias } }))
                .unwrap()
        };
        assert_eq!(unique(vec![define("u8"), define("u8")]).unwrap().len(), 1);
        assert!(unique(vec![define("u8"), define("u16")]).is_err());
    }
}
