//! How answers become JSON, and how they look in the document. They are written straight into the text: a tree of values
//! in between would cost more than all else that a small answer needs.

use std::{collections::BTreeMap, fmt::Write};

use jiff::Timestamp;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use serde_json::Value;

use super::fields::FromJson;
use crate::domain::json::JsonObject;

/// A type that answers are made of.
pub(super) trait IntoJson: Send {
    /// How it looks in the document.
    fn schema() -> MetaSchemaRef;
    /// Puts the schemas that it refers to into the document.
    fn register(_registry: &mut Registry) {}
    /// Writes it.
    fn write(self, text: &mut String);
}

/// The whole text of an answer.
pub(super) fn to_text(body: impl IntoJson) -> String {
    let mut text = String::with_capacity(512);
    body.write(&mut text);
    text
}

/// Writes a text of JSON: what has nothing to escape goes over as it is.
fn write_text(value: &str, text: &mut String) {
    if value.bytes().all(|c| c >= b' ' && c != b'"' && c != b'\\') {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&Value::from(value).to_string());
    }
}

/// Writes a comma where a member is not the first of its object.
pub(super) fn write_comma(text: &mut String) {
    if text.as_bytes().last() != Some(&b'{') {
        text.push(',');
    }
}

/// Writes the name of a member.
fn write_name(name: &str, text: &mut String) {
    write_comma(text);
    write_text(name, text);
    text.push(':');
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

macro_rules! written {
    ($($type:ty: $schema:expr, |$value:ident, $text:ident| $write:expr;)+) => {$(
        impl IntoJson for $type {
            fn schema() -> MetaSchemaRef {
                $schema
            }

            fn write(self, $text: &mut String) {
                let $value = self;
                $write;
            }
        }
    )+};
}

fn plain(kind: &'static str) -> MetaSchemaRef {
    inline(MetaSchema::new(kind))
}

fn formatted(kind: &'static str, format: &'static str) -> MetaSchemaRef {
    inline(MetaSchema::new_with_format(kind, format))
}

fn texts() -> MetaSchemaRef {
    inline(MetaSchema { additional_properties: Some(Box::new(plain("string"))), ..MetaSchema::new("object") })
}

// Writing to a text cannot fail.
written! {
    bool: plain("boolean"), |value, text| text.push_str(if value { "true" } else { "false" });
    &'static str: plain("string"), |value, text| write_text(value, text);
    String: plain("string"), |value, text| write_text(&value, text);
    i32: formatted("integer", "int32"), |value, text| write!(text, "{value}").unwrap_or_default();
    u32: formatted("integer", "int64"), |value, text| write!(text, "{value}").unwrap_or_default();
    u64: formatted("integer", "int64"), |value, text| write!(text, "{value}").unwrap_or_default();
    // RFC 3339, UTC, to the microsecond, which is what the stores keep.
    Timestamp: formatted("string", "date-time"), |value, text| write!(text, "\"{value:.6}\"").unwrap_or_default();
    JsonObject: <Self as FromJson>::schema(), |value, text| text.push_str(&Value::Object(value).to_string());
    BTreeMap<String, String>: texts(), |value, text| {
        text.push('{');
        for (name, value) in value {
            write_name(&name, text);
            write_text(&value, text);
        }
        text.push('}');
    };
}

impl<T: IntoJson> IntoJson for Vec<T> {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema { items: Some(Box::new(T::schema())), ..MetaSchema::new("array") })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn write(self, text: &mut String) {
        text.push('[');
        for (index, item) in self.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            item.write(text);
        }
        text.push(']');
    }
}

/// Declares a body of an answer. Members are `required`, `nullable` (`None` is null) or `optional` (`None` is left out).
macro_rules! response {
    ($(#[doc = $doc:literal])+ $vis:vis struct $name:ident {
        $($(#[doc = $field_doc:literal])+ $presence:ident $field:ident ($wire:literal): $type:ty),* $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        $vis struct $name {
            $($(#[doc = $field_doc])+ $vis $field: $crate::adapters::http::fields::request!(@type $presence $type)),*
        }

        impl $crate::adapters::http::json::IntoJson for $name {
            fn schema() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Reference(stringify!($name).to_owned())
            }

            fn register(registry: &mut poem_openapi::registry::Registry) {
                use $crate::adapters::http::{
                    fields::{described, object_schema, request},
                    json::{self, IntoJson},
                };
                $(<$type as IntoJson>::register(registry);)*
                let properties = vec![$((
                    $wire,
                    described(
                        <$type as IntoJson>::schema(),
                        concat!($($field_doc),+),
                        json::response!(@nullable $presence),
                    ),
                )),*];
                let required = [$(request!(@required $presence $wire)),*];
                registry.schemas.insert(
                    stringify!($name).to_owned(),
                    object_schema(concat!($($doc),+), properties, required.into_iter().flatten().collect()),
                );
            }

            fn write(self, text: &mut String) {
                text.push('{');
                $($crate::adapters::http::json::response!(@write $presence text $wire self.$field);)*
                text.push('}');
            }
        }
    };
    (@nullable nullable) => { true };
    (@nullable $presence:ident) => { false };
    (@write required $text:ident $wire:literal $value:expr) => {
        $crate::adapters::http::json::write_comma($text);
        $text.push_str(concat!("\"", $wire, "\":"));
        $crate::adapters::http::json::IntoJson::write($value, $text);
    };
    (@write nullable $text:ident $wire:literal $value:expr) => {
        $crate::adapters::http::json::write_comma($text);
        $text.push_str(concat!("\"", $wire, "\":"));
        match $value {
            Some(value) => $crate::adapters::http::json::IntoJson::write(value, $text),
            None => $text.push_str("null"),
        }
    };
    (@write optional $text:ident $wire:literal $value:expr) => {
        if let Some(value) = $value {
            $crate::adapters::http::json::write_comma($text);
            $text.push_str(concat!("\"", $wire, "\":"));
            $crate::adapters::http::json::IntoJson::write(value, $text);
        }
    };
}
pub(super) use response;

fn list_schema<T: IntoJson>(cursor: &'static str) -> MetaSchemaRef {
    let mut next = MetaSchema::new("string");
    next.nullable = true;
    next.description = Some("The `cursor` of the next part; null at the end.");
    inline(MetaSchema {
        properties: vec![("items", Vec::<T>::schema()), (cursor, inline(next))],
        required: vec!["items", cursor],
        ..MetaSchema::new("object")
    })
}

fn write_list<T: IntoJson>(items: Vec<T>, cursor: &str, next: Option<String>, text: &mut String) {
    text.push('{');
    write_name("items", text);
    items.write(text);
    write_name(cursor, text);
    match next {
        Some(next) => write_text(&next, text),
        None => text.push_str("null"),
    }
    text.push('}');
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

impl<T: IntoJson> IntoJson for List<T> {
    fn schema() -> MetaSchemaRef {
        list_schema::<T>("next_cursor")
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn write(self, text: &mut String) {
        write_list(self.items, "next_cursor", self.next_cursor, text);
    }
}

/// A part of a list in the engines' vocabulary.
#[derive(Debug)]
pub(super) struct CamelList<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

impl<T: IntoJson> IntoJson for CamelList<T> {
    fn schema() -> MetaSchemaRef {
        list_schema::<T>("nextCursor")
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn write(self, text: &mut String) {
        write_list(self.items, "nextCursor", self.next_cursor, text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    response! {
        /// A thing.
        struct Thing {
            /// A text.
            required text ("text"): String,
            /// Perhaps a number.
            nullable number ("number"): u64,
            /// Perhaps nothing.
            optional nothing ("nothing"): bool,
            /// Some words.
            required words ("words"): Vec<&'static str>,
            /// Some texts.
            required texts ("texts"): BTreeMap<String, String>,
        }
    }

    #[test]
    fn what_is_written_is_json() {
        let hard = "a\"b\\c\n\u{1}ä\u{2028}{";
        let texts = BTreeMap::from([("{".to_owned(), hard.to_owned()), ("b".to_owned(), String::new())]);
        let thing = Thing { text: hard.to_owned(), number: None, nothing: None, words: vec!["x", "{"], texts };
        let written = to_text(List { items: vec![thing], next_cursor: Some("c".to_owned()) });
        let expected = json!({
            "items": [{"text": hard, "number": null, "words": ["x", "{"], "texts": {"{": hard, "b": ""}}],
            "next_cursor": "c",
        });
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), expected, "{written}");
        let some =
            Thing { text: String::new(), number: Some(7), nothing: Some(true), words: vec![], texts: BTreeMap::new() };
        assert_eq!(to_text(some), r#"{"text":"","number":7,"nothing":true,"words":[],"texts":{}}"#);
    }
}
