//! Reads one value by the kind of its key, whichever source it stands in.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::{key::Kind, quantity};

/// A value as a source gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// A text of the environment or the command line: it has no type of its own.
    Text(String),
    /// A typed value of the file, or of JSON in the environment.
    Typed(Typed),
}

/// A typed value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    Text(String),
    Integer(i64),
    Decimal(f64),
    Flag(bool),
    List(Vec<Typed>),
    Table(BTreeMap<String, Typed>),
}

/// Reads a value; the reason, where it cannot, never repeats the value of a secret.
pub(super) fn read(kind: Kind, given: Given) -> Result<Value, String> {
    match given {
        Given::Text(text) => read_text(kind, text),
        Given::Typed(typed) => read_typed(kind, typed),
    }
}

fn read_text(kind: Kind, text: String) -> Result<Value, String> {
    match kind {
        Kind::Text | Kind::Secret | Kind::Url => Ok(Value::from(text)),
        Kind::Texts if text.trim_start().starts_with('[') => read_typed(kind, from_json(&text)?),
        Kind::Texts => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::from(items.map(ToOwned::to_owned).collect::<Vec<_>>()))
        }
        Kind::Tables | Kind::TextsByName => read_typed(kind, from_json(&text)?),
        Kind::Json => {
            from_json(&text)?;
            Ok(Value::from(text))
        }
        Kind::Integer => {
            text.trim().parse::<i64>().map(Value::from).map_err(|_| format!("must be a whole number, not {text:?}"))
        }
        Kind::Flag => {
            text.trim().parse::<bool>().map(Value::from).map_err(|_| format!("must be true or false, not {text:?}"))
        }
        Kind::Duration => quantity::parse_duration(&text).map(|duration| Value::from(duration.to_string())),
        Kind::Size => quantity::parse_size(&text).map(Value::from),
        Kind::Moment => quantity::parse_moment(&text).map(|moment| Value::from(moment.to_string())),
    }
}

fn read_typed(kind: Kind, typed: Typed) -> Result<Value, String> {
    match (kind, typed) {
        (
            Kind::Text | Kind::Secret | Kind::Url | Kind::Duration | Kind::Size | Kind::Moment | Kind::Json,
            Typed::Text(text),
        ) => read_text(kind, text),
        (Kind::Json, typed @ (Typed::Table(_) | Typed::List(_))) => Ok(Value::from(typed.into_json().to_string())),
        (Kind::TextsByName, Typed::Table(table)) => {
            let lists = table.into_iter().map(|(name, value)| {
                let list = match value {
                    Typed::Text(text) => Typed::List(vec![Typed::Text(text)]),
                    other => other,
                };
                Ok((name, read_typed(Kind::Texts, list)?))
            });
            lists.collect::<Result<Dict, String>>().map(Value::from)
        }
        (Kind::Duration | Kind::Size | Kind::Moment, Typed::Integer(number)) => read_text(kind, number.to_string()),
        (Kind::Duration | Kind::Moment, Typed::Decimal(number)) => read_text(kind, number.to_string()),
        (Kind::Integer, Typed::Integer(number)) => Ok(Value::from(number)),
        (Kind::Flag, Typed::Flag(flag)) => Ok(Value::from(flag)),
        (Kind::Texts, Typed::List(items)) => {
            let texts = items.into_iter().map(|item| match item {
                Typed::Text(text) => Ok(text),
                other => Err(format!("must be a list of texts, and one of them is {}", other.describe())),
            });
            texts.collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        (Kind::Tables, Typed::List(items)) => {
            let tables = items.into_iter().map(|item| match item {
                Typed::Table(table) => table.into_iter().map(|(name, value)| Ok((name, plain(value)?))).collect(),
                other => Err(format!("must be a list of tables, and one of them is {}", other.describe())),
            });
            tables.collect::<Result<Vec<Dict>, _>>().map(Value::from)
        }
        (kind, typed) => Err(format!("must be {}, not {}", kind.describe(), typed.describe())),
    }
}

/// A value inside a table of a list: judged by whoever owns the list.
fn plain(typed: Typed) -> Result<Value, String> {
    Ok(match typed {
        Typed::Text(text) => Value::from(text),
        Typed::Integer(number) => Value::from(number),
        Typed::Decimal(number) => Value::from(number),
        Typed::Flag(flag) => Value::from(flag),
        Typed::List(items) => Value::from(items.into_iter().map(plain).collect::<Result<Vec<_>, _>>()?),
        Typed::Table(table) => {
            let dict = table.into_iter().map(|(name, value)| Ok((name, plain(value)?)));
            Value::from(dict.collect::<Result<Dict, String>>()?)
        }
    })
}

fn from_json(text: &str) -> Result<Typed, String> {
    let value = serde_json::from_str(text)
        .map_err(|error| format!("is not readable as JSON: line {}, column {}", error.line(), error.column()))?;
    Typed::from_json(value)
}

impl Typed {
    /// What a table of a list holds, to be read by its kind.
    pub(super) fn of(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(_, text) => Self::Text(text.clone()),
            Value::Char(_, one) => Self::Text(one.to_string()),
            Value::Bool(_, flag) => Self::Flag(*flag),
            Value::Num(_, number) => match (number.to_i128().map(i64::try_from), number.to_f64()) {
                (Some(Ok(integer)), _) => Self::Integer(integer),
                (None, Some(decimal)) => Self::Decimal(decimal),
                _ => return Err("holds a number out of range".to_owned()),
            },
            Value::Empty(..) => return Err("must not hold null".to_owned()),
            Value::Array(_, items) => Self::List(items.iter().map(Self::of).collect::<Result<_, _>>()?),
            Value::Dict(_, dict) => {
                let table = dict.iter().map(|(name, value)| Ok((name.clone(), Self::of(value)?)));
                Self::Table(table.collect::<Result<_, String>>()?)
            }
        })
    }

    fn into_json(self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Integer(number) => number.into(),
            Self::Decimal(number) => number.into(),
            Self::Flag(flag) => flag.into(),
            Self::List(items) => items.into_iter().map(Self::into_json).collect(),
            Self::Table(table) => table.into_iter().map(|(name, value)| (name, value.into_json())).collect(),
        }
    }

    fn from_json(value: serde_json::Value) -> Result<Self, String> {
        use serde_json::Value as Json;
        Ok(match value {
            Json::Null => return Err("must not hold null".to_owned()),
            Json::Bool(flag) => Self::Flag(flag),
            Json::String(text) => Self::Text(text),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(decimal)) => Self::Decimal(decimal),
                (None, None) => return Err("holds a number out of range".to_owned()),
            },
            Json::Array(items) => Self::List(items.into_iter().map(Self::from_json).collect::<Result<_, _>>()?),
            Json::Object(members) => {
                let table = members.into_iter().map(|(name, value)| Ok((name, Self::from_json(value)?)));
                Self::Table(table.collect::<Result<_, String>>()?)
            }
        })
    }

    const fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) | Self::Decimal(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Kind {
    const fn describe(self) -> &'static str {
        match self {
            Self::Text | Self::Secret | Self::Url => "a text (in quotes)",
            Self::Texts => "a list of texts",
            Self::Tables => "a list of tables",
            Self::TextsByName => "a table of lists of texts",
            Self::Json => "JSON in a text, or a table",
            Self::Integer => "a whole number",
            Self::Flag => "true or false",
            Self::Duration => "seconds or a text such as \"30s\"",
            Self::Size => "bytes or a text such as \"4 MiB\"",
            Self::Moment => "a time such as \"2027-01-31T00:00:00Z\" or seconds since 1970",
        }
    }
}
