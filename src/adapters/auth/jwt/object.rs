//! A JSON object that can be read in one way only: no name twice, nothing behind it, bounded depth.

use serde_json::{Map, Number, Value};
use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ReaderSettings, ValueType};

use crate::domain::json::JsonObject;

/// How deep arrays and objects may be nested.
const MOST_DEPTH: u32 = 64;

type Reader<'a> = JsonStreamReader<&'a [u8]>;

/// The text is no such object. Nothing more is said: it is a token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapters::auth) struct Unreadable;

impl From<ReaderError> for Unreadable {
    fn from(_: ReaderError) -> Self {
        Self
    }
}

/// Reads one object. Numbers are kept as they were written.
pub(in crate::adapters::auth) fn read(text: &[u8]) -> Result<JsonObject, Unreadable> {
    let settings = ReaderSettings {
        max_nesting_depth: Some(MOST_DEPTH),
        restrict_number_values: false,
        track_path: false,
        ..ReaderSettings::default()
    };
    let mut reader = Reader::new_custom(text, settings);
    let object = read_object(&mut reader)?;
    reader.consume_trailing_whitespace()?;
    Ok(object)
}

fn read_object(reader: &mut Reader<'_>) -> Result<JsonObject, Unreadable> {
    reader.begin_object()?;
    let mut members = Map::new();
    while reader.has_next()? {
        let name = reader.next_name_owned()?;
        let value = read_value(reader)?;
        if members.insert(name, value).is_some() {
            return Err(Unreadable);
        }
    }
    reader.end_object()?;
    Ok(members)
}

fn read_value(reader: &mut Reader<'_>) -> Result<Value, Unreadable> {
    Ok(match reader.peek()? {
        ValueType::Null => {
            reader.next_null()?;
            Value::Null
        }
        ValueType::Boolean => Value::Bool(reader.next_bool()?),
        ValueType::Number => Value::Number(reader.next_number_as_str()?.parse::<Number>().map_err(|_| Unreadable)?),
        ValueType::String => Value::String(reader.next_string()?),
        ValueType::Array => {
            reader.begin_array()?;
            let mut items = Vec::new();
            while reader.has_next()? {
                items.push(read_value(reader)?);
            }
            reader.end_array()?;
            Value::Array(items)
        }
        ValueType::Object => Value::Object(read_object(reader)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_in_two_ways_is_not_read() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            "{} {}",
            "{}x",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":01}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1,}"#,
            "{'a':1}",
            "\u{feff}{}",
        ] {
            assert_eq!(read(text.as_bytes()), Err(Unreadable), "{text}");
        }
        assert_eq!(read(b"{\"a\":\"\xff\"}"), Err(Unreadable));
        assert_eq!(read(format!("{{\"a\":{}", "[".repeat(1_000_000)).as_bytes()), Err(Unreadable));
    }

    #[test]
    fn numbers_are_kept_as_they_were_written() {
        let object = read(br#" {"a":1.50,"b":1e400,"c":{"d":[true,null,"x"]}} "#).unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"a":1.50,"b":1e+400,"c":{"d":[true,null,"x"]}}"#);
    }
}
