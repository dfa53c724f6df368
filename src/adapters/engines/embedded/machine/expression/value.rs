//! Values while an expression is evaluated. What comes from variables is borrowed, so that `order.total > 5` does not
//! copy the order.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::fuel::{Failure, Fuel};
use super::number::Number;
use super::temporal::Temporal;

/// How deeply values may nest where they are compared, flattened or written.
pub(super) const MAX_NESTING: usize = 100;

#[derive(Debug, Clone)]
pub(super) enum Value<'s> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text<'s>),
    List(List<'s>),
    Context(Context<'s>),
    Temporal(Temporal),
    Range(Rc<Range<'s>>),
}

impl<'s> Value<'s> {
    pub(super) fn from_json(json: &'s Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => Number::parse(number.as_str()).map_or(Self::Null, Self::Number),
            Json::String(text) => Self::Text(Text::Borrowed(text)),
            Json::Array(items) => Self::List(List::Borrowed(items)),
            Json::Object(members) => Self::Context(Context::Borrowed(members)),
        }
    }

    /// A text that the evaluation made; it pays for it.
    pub(super) fn text(text: String, fuel: &mut Fuel) -> Result<Self, Failure> {
        fuel.make_text(text.len())?;
        Ok(Self::Text(Text::Owned(text.into())))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Owned(items.into()))
    }

    pub(super) fn number(number: impl Into<Number>) -> Self {
        Self::Number(number.into())
    }

    /// The value's type, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Context(_) => "an object",
            Self::Temporal(temporal) => temporal.kind(),
            Self::Range(_) => "a range",
        }
    }

    /// A member of a context or of a temporal value.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        match self {
            Self::Context(context) => context.get(name),
            Self::Temporal(temporal) => match name {
                "time offset" => temporal.time_offset().map(Self::Temporal),
                "timezone" => temporal.zone_name().map(|zone| Self::Text(Text::Owned(zone.into()))),
                _ => temporal.member(name).map(Self::number),
            },
            _ => None,
        }
    }

    /// The value as a list: FEEL takes anything but `null` for a list of one.
    pub(super) fn singleton(self) -> Option<List<'s>> {
        match self {
            Self::Null => None,
            Self::List(list) => Some(list),
            other => Some(List::Owned(vec![other].into())),
        }
    }
}

/// Text, borrowed or made.
#[derive(Debug, Clone)]
pub(super) enum Text<'s> {
    Borrowed(&'s str),
    Owned(Rc<str>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// A list, borrowed or made.
#[derive(Debug, Clone)]
pub(super) enum List<'s> {
    Borrowed(&'s [Json]),
    Owned(Rc<[Value<'s>]>),
}

impl<'s> List<'s> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Borrowed(items) => items.len(),
            Self::Owned(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'s>> {
        match self {
            Self::Borrowed(items) => items.get(index).map(Value::from_json),
            Self::Owned(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'s>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The item at a position that counts from 1, or from -1 backwards.
    pub(super) fn at_position(&self, position: i64) -> Option<Value<'s>> {
        let steps = usize::try_from(position.unsigned_abs()).ok()?;
        let index = if position < 0 { self.len().checked_sub(steps)? } else { steps.checked_sub(1)? };
        self.get(index)
    }
}

/// The members of an object by name.
pub(super) type Members<'s> = BTreeMap<Text<'s>, Value<'s>>;

/// A context (FEEL's word for an object), borrowed or made.
#[derive(Debug, Clone)]
pub(super) enum Context<'s> {
    Borrowed(&'s Map<String, Json>),
    Owned(Rc<Members<'s>>),
}

impl<'s> Context<'s> {
    pub(super) fn get(&self, name: &str) -> Option<Value<'s>> {
        match self {
            Self::Borrowed(members) => members.get(name).map(Value::from_json),
            Self::Owned(members) => members.get(name).cloned(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Borrowed(members) => members.len(),
            Self::Owned(members) => members.len(),
        }
    }

    /// The members as a list of names and values; the caller pays for [`len`](Self::len) of them.
    pub(super) fn entries(&self) -> Vec<(Text<'s>, Value<'s>)> {
        match self {
            Self::Borrowed(members) => {
                members.iter().map(|(name, value)| (Text::Borrowed(name), Value::from_json(value))).collect()
            }
            Self::Owned(members) => members.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }
}

/// FEEL's interval of numbers, texts or temporal values.
#[derive(Debug)]
pub(super) struct Range<'s> {
    pub(super) low: Value<'s>,
    pub(super) low_included: bool,
    pub(super) high: Value<'s>,
    pub(super) high_included: bool,
}

/// Whether two values are equal; `None` for values of different types, which FEEL does not compare. `null` equals
/// itself alone.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>, fuel: &mut Fuel) -> Result<Option<bool>, Failure> {
    equal_within(left, right, fuel, MAX_NESTING)
}

fn equal_within(left: &Value<'_>, right: &Value<'_>, fuel: &mut Fuel, depth: usize) -> Result<Option<bool>, Failure> {
    fuel.burn(1)?;
    let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => Some(true),
        (Value::Null, _) | (_, Value::Null) => Some(false),
        (Value::Bool(left), Value::Bool(right)) => Some(left == right),
        (Value::Number(left), Value::Number(right)) => Some(left == right),
        (Value::Text(left), Value::Text(right)) => {
            fuel.read(left.as_str().len().min(right.as_str().len()))?;
            Some(left == right)
        }
        (Value::Temporal(left), Value::Temporal(right)) => left.compare(right).map(std::cmp::Ordering::is_eq),
        (Value::List(left), Value::List(right)) => Some(equal_lists(left, right, fuel, depth)?),
        (Value::Context(left), Value::Context(right)) => Some(equal_contexts(left, right, fuel, depth)?),
        (Value::Range(left), Value::Range(right)) => Some(
            left.low_included == right.low_included
                && left.high_included == right.high_included
                && equal_within(&left.low, &right.low, fuel, depth)? == Some(true)
                && equal_within(&left.high, &right.high, fuel, depth)? == Some(true),
        ),
        _ => None,
    })
}

fn equal_lists(left: &List<'_>, right: &List<'_>, fuel: &mut Fuel, depth: usize) -> Result<bool, Failure> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right.iter()) {
        if equal_within(&left, &right, fuel, depth)? != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_contexts(left: &Context<'_>, right: &Context<'_>, fuel: &mut Fuel, depth: usize) -> Result<bool, Failure> {
    if left.len() != right.len() {
        return Ok(false);
    }
    fuel.burn(left.len())?;
    for (name, value) in left.entries() {
        let Some(other) = right.get(name.as_str()) else { return Ok(false) };
        if equal_within(&value, &other, fuel, depth)? != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn too_deep() -> Failure {
    Failure::new(format!("it nests values more than {MAX_NESTING} deep"))
}
