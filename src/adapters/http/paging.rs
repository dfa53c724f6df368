//! Parts of lists: `limit`, and a `cursor` that is only ours to read.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem_openapi::registry::MetaSchema;

use super::{
    fields::{FromText, TextError, Within},
    json::{CamelList, List},
    params::Query,
};
use crate::domain::page::{DEFAULT_LIMIT, Page, PageRequest, Position};

/// How many items are wanted.
pub(super) type Limit = Within<1, 200>;

/// Where the part before ended.
#[derive(Debug)]
pub(super) struct Cursor(Position);

impl FromText for Cursor {
    fn text_schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn read_text(text: &str) -> Result<Self, TextError> {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded {
            Some(position) if !position.is_empty() && !position.contains('\0') => Ok(Self(Position(position))),
            _ => Err(TextError::Form("is no cursor that a list gave".to_owned())),
        }
    }
}

/// The part that a request asks for.
#[expect(clippy::needless_pass_by_value, reason = "handlers have them by value and need them no more")]
pub(super) fn page(limit: Query<Limit>, cursor: Query<Cursor>) -> PageRequest {
    PageRequest {
        limit: limit.0.map_or(DEFAULT_LIMIT, Limit::as_u32),
        after: cursor.0.map(|Cursor(position)| position),
    }
}

fn next<T>(page: &Page<T>) -> Option<String> {
    page.next.as_ref().map(|Position(position)| URL_SAFE_NO_PAD.encode(position))
}

/// The answer of a list.
pub(super) fn list<T, U>(page: Page<T>, item: impl FnMut(T) -> U) -> List<U> {
    List { next_cursor: next(&page), items: page.items.into_iter().map(item).collect() }
}

/// The answer of a list of the engines' vocabulary.
pub(super) fn camel_list<T, U>(page: Page<T>, item: impl FnMut(T) -> U) -> CamelList<U> {
    CamelList { next_cursor: next(&page), items: page.items.into_iter().map(item).collect() }
}
