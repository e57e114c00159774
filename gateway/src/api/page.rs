//! Pages of a list: a cursor names the last row's place, so that what is inserted meanwhile moves nothing.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::problem::{Problem, Result};

/// The most rows of a page.
pub const MOST: u32 = 100;
/// As many rows where nobody says how many.
pub const USUAL: u32 = 50;

/// A place in a list: its order's value, then an id.
pub type Place = (i64, String);

/// How many rows are asked for.
///
/// # Errors
///
/// Where that is none, or too many.
pub fn limit(asked: Option<u32>) -> Result<usize> {
    let limit = asked.unwrap_or(USUAL);
    if limit == 0 || limit > MOST {
        return Err(Problem::invalid("limit", format!("is at least 1 and at most {MOST}")));
    }
    Ok(usize::try_from(limit).unwrap_or(0))
}

/// A cursor, as clients keep it.
pub fn write(place: &Place) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}:{}", place.0, place.1))
}

/// The place that a cursor names; the beginning where there is none.
///
/// # Errors
///
/// Where it is no cursor of this gateway.
pub fn read(cursor: Option<&str>) -> Result<Place> {
    let Some(cursor) = cursor else { return Ok((i64::MIN, String::new())) };
    let place = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| {
        let text = String::from_utf8(bytes).ok()?;
        let (order, id) = text.split_once(':')?;
        Some((order.parse().ok()?, id.to_owned()))
    });
    place.ok_or_else(|| Problem::invalid("cursor", "is none that this gateway gave: begin again without one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_anything_else_is_refused() {
        for place in [(0, "x".to_owned()), (i64::MIN, String::new()), (i64::MAX, "a:b".to_owned())] {
            assert_eq!(read(Some(&write(&place))).unwrap(), place);
        }
        for bad in ["", "!", "AAAA", "eDp5"] {
            read(Some(bad)).unwrap_err();
        }
        assert!(limit(Some(0)).is_err() && limit(Some(101)).is_err() && limit(None).unwrap() == 50);
    }
}
