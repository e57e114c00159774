//! What a program wants to know of an escrow, as plain data with serde: the command line's JSON and a gateway's answers
//! are these types, and `docs/schema/` describes them as JSON Schema (feature `schema`).
//!
//! Amounts are text in base units, because JavaScript's numbers end at 2^53, beside what people read; so are slots. Times
//! are unix seconds and RFC 3339. Addresses are whole. Every answer has a [`VERSION`]: a field may be added under the same
//! one; a field that goes or means something else makes another.

mod case;
mod common;
mod course;
mod done;
mod due;
mod escrow;
mod event;
mod history;
mod plan;
mod receipt;

#[cfg(feature = "schema")]
use serde::Serialize;

pub use {case::*, common::*, course::*, done::*, due::*, escrow::*, event::*, history::*, plan::*, receipt::*};

/// The version of the views.
pub const VERSION: u32 = 1;

/// The JSON Schema of each answer: its name, and the document.
#[cfg(feature = "schema")]
pub fn schemas() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("escrow", schema::<Escrow>("An escrow as it stands")),
        ("history", schema::<History>("Everything that happened to an escrow")),
        ("created", schema::<Created>("A new escrow")),
        ("attention", schema::<Attention>("An escrow in a list, and what it asks of somebody")),
        ("case", schema::<Case>("A case that was checked")),
        ("event", schema::<Event>("Something that happened to an escrow, or a deadline that comes near")),
        ("receipt", schema::<Receipt>("A receipt for a deal that is over")),
        ("done", schema::<Done>("A change to an escrow that was executed")),
        ("plan", schema::<Plan>("What is about to be signed")),
    ]
}

#[cfg(feature = "schema")]
fn schema<T: utoipa::ToSchema>(title: &str) -> serde_json::Value {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    let definitions: serde_json::Map<String, serde_json::Value> =
        parts.into_iter().map(|(name, part)| (name, plain(part))).collect();
    let mut document = serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{title}, version {VERSION}"),
    });
    if let (Some(document), serde_json::Value::Object(described)) = (document.as_object_mut(), plain(T::schema())) {
        document.extend(described);
        document.insert("$defs".to_owned(), definitions.into());
    }
    document
}

/// The same with references inside its own document, and not inside an OpenAPI one.
#[cfg(feature = "schema")]
fn plain(part: impl Serialize) -> serde_json::Value {
    fn inside(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(serde_json::Value::String(reference)) = fields.get_mut("$ref") {
                    *reference = reference.replace("#/components/schemas/", "#/$defs/");
                }
                fields.values_mut().for_each(inside);
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(inside),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(part).unwrap_or_default();
    inside(&mut value);
    value
}
