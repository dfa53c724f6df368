//! Writes values as JSON and as text.

use serde_json::{Map, Number as JsonNumber, Value as Json};

use super::fuel::{Failure, Fuel};
use super::value::{Context, List, MAX_NESTING, Value, too_deep};

/// The largest result, in bytes of text plus a handful for each value. A few copies of one large variable would
/// otherwise fill the memory, for they cost hardly any step.
const MAX_RESULT: usize = 8 << 20;
/// What a value costs beside its text.
const VALUE_COST: usize = 48;

/// The value as plain JSON.
pub(super) fn to_json(value: &Value<'_>) -> Result<Json, Failure> {
    let mut budget = Budget { left: MAX_RESULT };
    budget.convert(value, MAX_NESTING)
}

struct Budget {
    left: usize,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), Failure> {
        let left = self.left.checked_sub(bytes.saturating_add(VALUE_COST));
        self.left = left.ok_or_else(|| Failure::new(format!("its result is larger than {MAX_RESULT} bytes")))?;
        Ok(())
    }

    fn convert(&mut self, value: &Value<'_>, depth: usize) -> Result<Json, Failure> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        match value {
            Value::Text(text) => {
                self.spend(text.as_str().len())?;
                Ok(Json::String(text.as_str().to_owned()))
            }
            Value::List(List::Owned(items)) => {
                self.spend(0)?;
                let items: Result<_, _> = items.iter().map(|item| self.convert(item, depth)).collect();
                items.map(Json::Array)
            }
            Value::List(List::Borrowed(items)) => self.copy_items(items, depth),
            Value::Context(Context::Borrowed(members)) => self.copy_members(members, depth),
            Value::Context(Context::Owned(owned)) => {
                self.spend(0)?;
                let mut members = Map::new();
                for (name, value) in owned.iter() {
                    self.spend(name.as_str().len())?;
                    members.insert(name.as_str().to_owned(), self.convert(value, depth)?);
                }
                Ok(Json::Object(members))
            }
            scalar => {
                self.spend(0)?;
                Ok(scalar_to_json(scalar))
            }
        }
    }

    /// Copies a variable's value, its numbers to the letter.
    fn copy(&mut self, json: &Json, depth: usize) -> Result<Json, Failure> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        match json {
            Json::Array(items) => return self.copy_items(items, depth),
            Json::Object(members) => return self.copy_members(members, depth),
            Json::String(text) => self.spend(text.len())?,
            Json::Number(number) => self.spend(number.as_str().len())?,
            Json::Null | Json::Bool(_) => self.spend(0)?,
        }
        Ok(json.clone())
    }

    fn copy_items(&mut self, items: &[Json], depth: usize) -> Result<Json, Failure> {
        self.spend(0)?;
        let items: Result<_, _> = items.iter().map(|item| self.copy(item, depth)).collect();
        items.map(Json::Array)
    }

    fn copy_members(&mut self, from: &Map<String, Json>, depth: usize) -> Result<Json, Failure> {
        self.spend(0)?;
        let mut members = Map::new();
        for (name, value) in from {
            self.spend(name.len())?;
            members.insert(name.clone(), self.copy(value, depth)?);
        }
        Ok(Json::Object(members))
    }
}

fn scalar_to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) => number.to_string().parse::<JsonNumber>().map_or(Json::Null, Json::Number),
        Value::Temporal(temporal) => Json::String(temporal.to_string()),
        Value::Range(range) => {
            let (low, high) = (bound(&range.low), bound(&range.high));
            let open = if range.low_included { '[' } else { '(' };
            let close = if range.high_included { ']' } else { ')' };
            Json::String(format!("{open}{low}..{high}{close}"))
        }
        _ => Json::Null,
    }
}

fn bound(value: &Value<'_>) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Temporal(temporal) => temporal.to_string(),
        Value::Text(text) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

/// How nested text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// `{a: "x"}`, as FEEL's `string()` does it.
    Feel,
    /// `{"a":"x"}`.
    Json,
}

/// The value as text: text as it is, lists and contexts in the given notation.
pub(super) fn to_text(value: &Value<'_>, notation: Notation, fuel: &mut Fuel) -> Result<String, Failure> {
    if let Value::Text(text) = value {
        fuel.make_text(text.as_str().len())?;
        return Ok(text.as_str().to_owned());
    }
    let mut writer = Writer { text: String::new(), notation, fuel };
    writer.write(value, MAX_NESTING)?;
    Ok(writer.text)
}

struct Writer<'f> {
    text: String,
    notation: Notation,
    fuel: &'f mut Fuel,
}

impl Writer<'_> {
    fn write(&mut self, value: &Value<'_>, depth: usize) -> Result<(), Failure> {
        self.fuel.burn(1)?;
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        match value {
            Value::Text(text) => self.quoted(text.as_str()),
            Value::List(list) => self.list(list, depth),
            Value::Context(context) => self.context(context, depth),
            scalar => match scalar_to_json(scalar) {
                Json::String(text) if self.notation == Notation::Json && depth < MAX_NESTING.saturating_sub(1) => {
                    self.quoted(&text)
                }
                Json::String(text) => self.push(&text),
                other => self.push(&other.to_string()),
            },
        }
    }

    fn push(&mut self, more: &str) -> Result<(), Failure> {
        self.fuel.read(more.len())?;
        self.text.push_str(more);
        self.fuel.check_text(self.text.len())
    }

    fn quoted(&mut self, text: &str) -> Result<(), Failure> {
        self.fuel.make_text(text.len())?;
        self.push(&Json::String(text.to_owned()).to_string())
    }

    fn list(&mut self, list: &List<'_>, depth: usize) -> Result<(), Failure> {
        self.push("[")?;
        for (position, item) in list.iter().enumerate() {
            self.separator(position)?;
            self.write(&item, depth)?;
        }
        self.push("]")
    }

    fn context(&mut self, context: &Context<'_>, depth: usize) -> Result<(), Failure> {
        self.fuel.burn(context.len())?;
        self.push("{")?;
        for (position, (name, value)) in context.entries().into_iter().enumerate() {
            self.separator(position)?;
            match self.notation {
                Notation::Feel => self.push(name.as_str())?,
                Notation::Json => self.quoted(name.as_str())?,
            }
            self.push(if self.notation == Notation::Feel { ": " } else { ":" })?;
            self.write(&value, depth)?;
        }
        self.push("}")
    }

    fn separator(&mut self, position: usize) -> Result<(), Failure> {
        match (position, self.notation) {
            (0, _) => Ok(()),
            (_, Notation::Feel) => self.push(", "),
            (_, Notation::Json) => self.push(","),
        }
    }
}
