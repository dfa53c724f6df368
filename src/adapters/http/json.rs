//! How answers become JSON, and how they look in the document.

use std::collections::BTreeMap;

use jiff::Timestamp;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use serde_json::{Map, Value};

use super::fields::FromJson;
use crate::domain::json::JsonObject;

/// A type that answers are made of.
pub(super) trait IntoJson: Send {
    /// How it looks in the document.
    fn schema() -> MetaSchemaRef;
    /// Puts the schemas that it refers to into the document.
    fn register(_registry: &mut Registry) {}
    /// The value.
    fn into_json(self) -> Value;
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

macro_rules! plain {
    ($($type:ty: $schema:expr;)+) => {$(
        impl IntoJson for $type {
            fn schema() -> MetaSchemaRef {
                inline($schema)
            }

            fn into_json(self) -> Value {
                Value::from(self)
            }
        }
    )+};
}

plain! {
    bool: MetaSchema::new("boolean");
    &'static str: MetaSchema::new("string");
    String: MetaSchema::new("string");
    i32: MetaSchema::new_with_format("integer", "int32");
    u32: MetaSchema::new_with_format("integer", "int64");
    u64: MetaSchema::new_with_format("integer", "int64");
}

impl IntoJson for JsonObject {
    fn schema() -> MetaSchemaRef {
        <Self as FromJson>::schema()
    }

    fn into_json(self) -> Value {
        Value::Object(self)
    }
}

impl IntoJson for Timestamp {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema::new_with_format("string", "date-time"))
    }

    /// RFC 3339, UTC, to the microsecond, which is what the stores keep.
    fn into_json(self) -> Value {
        Value::String(format!("{self:.6}"))
    }
}

impl IntoJson for BTreeMap<String, String> {
    fn schema() -> MetaSchemaRef {
        let text = Some(Box::new(String::schema()));
        inline(MetaSchema { additional_properties: text, ..MetaSchema::new("object") })
    }

    fn into_json(self) -> Value {
        self.into_iter().map(|(name, text)| (name, Value::String(text))).collect::<Map<_, _>>().into()
    }
}

impl<T: IntoJson> IntoJson for Vec<T> {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema { items: Some(Box::new(T::schema())), ..MetaSchema::new("array") })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn into_json(self) -> Value {
        self.into_iter().map(T::into_json).collect()
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
                    json::{IntoJson, response},
                };
                $(<$type as IntoJson>::register(registry);)*
                let properties = vec![$((
                    $wire,
                    described(
                        <$type as IntoJson>::schema(),
                        concat!($($field_doc),+),
                        response!(@nullable $presence),
                    ),
                )),*];
                let required = [$(request!(@required $presence $wire)),*];
                registry.schemas.insert(
                    stringify!($name).to_owned(),
                    object_schema(concat!($($doc),+), properties, required.into_iter().flatten().collect()),
                );
            }

            fn into_json(self) -> serde_json::Value {
                let mut members = serde_json::Map::new();
                $($crate::adapters::http::json::response!(@insert $presence members $wire self.$field);)*
                serde_json::Value::Object(members)
            }
        }
    };
    (@nullable nullable) => { true };
    (@nullable $presence:ident) => { false };
    (@insert required $members:ident $wire:literal $value:expr) => {
        $members.insert($wire.to_owned(), $crate::adapters::http::json::IntoJson::into_json($value));
    };
    (@insert nullable $members:ident $wire:literal $value:expr) => {
        let value = $value.map($crate::adapters::http::json::IntoJson::into_json);
        $members.insert($wire.to_owned(), value.unwrap_or(serde_json::Value::Null));
    };
    (@insert optional $members:ident $wire:literal $value:expr) => {
        if let Some(value) = $value {
            $members.insert($wire.to_owned(), $crate::adapters::http::json::IntoJson::into_json(value));
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

fn list_json<T: IntoJson>(items: Vec<T>, cursor: &str, next: Option<String>) -> Value {
    let mut members = Map::new();
    members.insert("items".to_owned(), items.into_json());
    members.insert(cursor.to_owned(), next.map_or(Value::Null, Value::String));
    Value::Object(members)
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

    fn into_json(self) -> Value {
        list_json(self.items, "next_cursor", self.next_cursor)
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

    fn into_json(self) -> Value {
        list_json(self.items, "nextCursor", self.next_cursor)
    }
}
