//! The milestones in the escrow account, which Anchor describes without them: its format has no word for a list behind
//! padding.
//!
//! The program keeps them in an Anchor `Slab`: behind the header their number (u32), zeros up to their alignment, and
//! then that many milestones. The number is less than 256, so its first byte tells it all, and an *enum* whose variant
//! `n` is the other three bytes, the padding and `n` milestones has exactly these bytes. So any client decodes the whole
//! account, and refuses a number of milestones that no escrow has.

use anchor_lang_idl_spec::{
    Idl, IdlArrayLen, IdlDefinedFields, IdlEnumVariant, IdlField, IdlRepr, IdlSerialization, IdlType, IdlTypeDef,
    IdlTypeDefTy,
};
use anyhow::{Context, Result, bail, ensure};

/// The discriminator of an account.
const DISCRIMINATOR: usize = 8;
/// The number of items.
const COUNT: usize = 4;
/// The names of the variants.
const NUMBERS: [&str; 9] = ["None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight"];

/// Adds the items to the type of the account: the field `field`, of a new type `list`.
pub fn add_items(idl: &mut Idl, account: &str, item: &str, field: &str, list: &str, most: usize) -> Result<()> {
    let item_type = defined(item);
    let header = layout(&defined(account), &idl.types)?;
    let alignment = layout(&item_type, &idl.types)?.alignment;
    let behind_count = DISCRIMINATOR + header.size + COUNT;
    let padding = behind_count.next_multiple_of(alignment) - behind_count;

    let names = NUMBERS.get(..=most).with_context(|| format!("no names for {most} variants"))?;
    let variants = names.iter().enumerate().map(|(number, name)| IdlEnumVariant {
        name: (*name).to_owned(),
        fields: Some(IdlDefinedFields::Named(vec![
            new_field("reserved", "Zero.", array(IdlType::U8, COUNT - 1 + padding)),
            new_field("items", "In their order.", array(item_type.clone(), number)),
        ])),
    });
    idl.types.push(IdlTypeDef {
        name: list.to_owned(),
        docs: vec![
            format!("The {field} of an account, from its byte {} on.", behind_count - COUNT),
            String::new(),
            format!("In bytes: their number (u32, little-endian), {padding} zero bytes, and that many `{item}`."),
            "Here this is an enum, whose variant is the number: an IDL has no list behind padding.".to_owned(),
        ],
        serialization: IdlSerialization::default(),
        repr: None,
        generics: Vec::new(),
        ty: IdlTypeDefTy::Enum { variants: variants.collect() },
    });
    let header = idl.types.iter_mut().find(|definition| definition.name == account);
    let Some(IdlTypeDef { ty: IdlTypeDefTy::Struct { fields: Some(IdlDefinedFields::Named(fields)) }, .. }) = header
    else {
        bail!("{account} has no named fields");
    };
    ensure!(fields.iter().all(|other| other.name != field), "{account} has a field {field} already");
    fields.push(new_field(field, "As many as were agreed.", defined(list)));
    Ok(())
}

/// The type with this name.
fn defined(name: &str) -> IdlType {
    IdlType::Defined { name: name.to_owned(), generics: Vec::new() }
}

fn array(item: IdlType, length: usize) -> IdlType {
    IdlType::Array(Box::new(item), IdlArrayLen::Value(length))
}

fn new_field(name: &str, docs: &str, ty: IdlType) -> IdlField {
    IdlField { name: name.to_owned(), docs: vec![docs.to_owned()], ty }
}

/// How a type lies in memory, in bytes.
#[derive(Clone, Copy)]
struct Layout {
    size: usize,
    alignment: usize,
}

fn layout(ty: &IdlType, types: &[IdlTypeDef]) -> Result<Layout> {
    let of = |size, alignment| Ok(Layout { size, alignment });
    match ty {
        IdlType::U8 | IdlType::I8 => of(1, 1),
        IdlType::U16 | IdlType::I16 => of(2, 2),
        IdlType::U32 | IdlType::I32 => of(4, 4),
        IdlType::U64 | IdlType::I64 => of(8, 8),
        IdlType::Pubkey => of(32, 1),
        IdlType::Array(item, IdlArrayLen::Value(length)) => {
            let item = layout(item, types)?;
            of(item.size * length, item.alignment)
        }
        IdlType::Defined { name, .. } => {
            let definition = types.iter().find(|definition| definition.name == *name);
            let definition = definition.with_context(|| format!("the program does not describe the type {name}"))?;
            let IdlTypeDefTy::Struct { fields: Some(IdlDefinedFields::Named(fields)) } = &definition.ty else {
                bail!("{name} has no named fields");
            };
            let is_plain = match &definition.repr {
                None => true,
                Some(IdlRepr::C(modifier)) => !modifier.packed && modifier.align.is_none(),
                Some(_) => false,
            };
            ensure!(is_plain, "{name} has a layout that is not foreseen here");
            let mut whole = Layout { size: 0, alignment: 1 };
            for field in fields {
                let field = layout(&field.ty, types)?;
                whole.size += field.size;
                whole.alignment = whole.alignment.max(field.alignment);
            }
            // What the bytes of an account are read as has no padding: `bytemuck::Pod` sees to that.
            ensure!(whole.size.is_multiple_of(whole.alignment), "{name} has padding");
            Ok(whole)
        }
        other => bail!("{other:?} has no fixed layout"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn idl() -> Idl {
        serde_json::from_value(json!({
            "address": "", "metadata": { "name": "", "version": "", "spec": "" }, "instructions": [],
            "types": [
                { "name": "Head", "type": { "kind": "struct", "fields": [{ "name": "total", "type": "u64" }] } },
                { "name": "Item", "type": { "kind": "struct", "fields": [{ "name": "part", "type": "u64" }] } },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn the_variant_of_the_enum_is_the_number_of_items() {
        let mut idl = idl();
        add_items(&mut idl, "Head", "Item", "parts", "Parts", 2).unwrap();
        let list = serde_json::to_value(&idl.types[2].ty).unwrap();
        assert_eq!(list["variants"][2]["name"], "Two");
        assert_eq!(list["variants"][2]["fields"][0]["type"], json!({ "array": ["u8", 7] }));
        assert_eq!(
            list["variants"][2]["fields"][1]["type"],
            json!({ "array": [{ "defined": { "name": "Item" } }, 2] })
        );
        let head = serde_json::to_value(&idl.types[0].ty).unwrap();
        assert_eq!(head["fields"][1]["type"], json!({ "defined": { "name": "Parts" } }));
    }
}
