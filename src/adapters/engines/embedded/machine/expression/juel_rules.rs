//! JUEL's coercions, as the `de.odysseus.el` of Camunda 7 and Operaton does them.

use std::cmp::Ordering;

use super::ast::{Method, Operator};
use super::fuel::{Failure, Fuel};
use super::number::Number;
use super::output::{Notation, to_text};
use super::value::{Value, equal};

/// The value as a boolean.
pub(super) fn truth(value: &Value<'_>) -> Result<bool, Failure> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(truth) => Ok(*truth),
        Value::Text(text) => Ok(text.as_str().eq_ignore_ascii_case("true")),
        other => Err(Failure::new(format!("{} is not true or false", other.kind()))),
    }
}

/// The value as a number; nothing and empty text count as 0.
fn number(value: &Value<'_>) -> Result<Number, Failure> {
    match value {
        Value::Null => Ok(Number::from(0_i64)),
        Value::Number(number) => Ok(number.clone()),
        Value::Text(text) if text.as_str().is_empty() => Ok(Number::from(0_i64)),
        Value::Text(text) => {
            // Values stay out of messages: those end in logs.
            Number::parse(text.as_str()).ok_or_else(|| Failure::new("the text is not a number"))
        }
        other => Err(Failure::new(format!("{} is not a number", other.kind()))),
    }
}

/// The value as text; nothing is empty text.
pub(super) fn text(value: &Value<'_>, fuel: &mut Fuel) -> Result<String, Failure> {
    match value {
        Value::Null => Ok(String::new()),
        other => to_text(other, Notation::Json, fuel),
    }
}

pub(super) fn is_empty(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.as_str().is_empty(),
        Value::List(list) => list.len() == 0,
        Value::Context(context) => context.len() == 0,
        _ => false,
    }
}

pub(super) fn negate<'s>(value: &Value<'_>) -> Result<Value<'s>, Failure> {
    number(value).map(|number| Value::Number(number.negate()))
}

/// An operator other than `and` and `or`.
pub(super) fn binary<'s>(
    operator: Operator,
    left: &Value<'s>,
    right: &Value<'s>,
    fuel: &mut Fuel,
) -> Result<Value<'s>, Failure> {
    match operator {
        Operator::Equal => Ok(Value::Bool(same(left, right, fuel)?)),
        Operator::NotEqual => Ok(Value::Bool(!same(left, right, fuel)?)),
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            compare(operator, left, right, fuel).map(Value::Bool)
        }
        _ => arithmetic(operator, left, right),
    }
}

fn arithmetic<'s>(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'s>, Failure> {
    let (left, right) = (number(left)?, number(right)?);
    let result = match operator {
        Operator::Add => left.add(&right),
        Operator::Subtract => left.subtract(&right),
        Operator::Multiply => left.multiply(&right),
        Operator::Divide => left.divide(&right),
        _ => left.remainder(&right),
    };
    let by_zero = right.is_zero() && matches!(operator, Operator::Divide | Operator::Remainder);
    let message = if by_zero { "division by zero" } else { "a number grows too large" };
    result.map(Value::Number).ok_or_else(|| Failure::new(message))
}

/// `==`: the type of one side decides what the other is taken for, numbers before booleans before text.
fn same(left: &Value<'_>, right: &Value<'_>, fuel: &mut Fuel) -> Result<bool, Failure> {
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Null, _) | (_, Value::Null) => Ok(false),
        (Value::Number(_), _) | (_, Value::Number(_)) => Ok(number(left)? == number(right)?),
        (Value::Bool(_), _) | (_, Value::Bool(_)) => Ok(truth(left)? == truth(right)?),
        (Value::Text(_), Value::Text(_)) => Ok(equal(left, right, fuel)? == Some(true)),
        (Value::Text(_), _) | (_, Value::Text(_)) => Ok(text(left, fuel)? == text(right, fuel)?),
        _ => Ok(equal(left, right, fuel)? == Some(true)),
    }
}

fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>, fuel: &mut Fuel) -> Result<bool, Failure> {
    let order = match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) | (_, Value::Null) => return Ok(false),
        (Value::Number(_), _) | (_, Value::Number(_)) => {
            number(left)?.partial_cmp(&number(right)?).unwrap_or(Ordering::Equal)
        }
        (Value::Text(_), _) | (_, Value::Text(_)) => text(left, fuel)?.cmp(&text(right, fuel)?),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => return Err(Failure::new(format!("{} and {} cannot be compared", left.kind(), right.kind()))),
    };
    Ok(matches_order(operator, order))
}

/// Whether two values in this order fulfil the comparison.
pub(super) fn matches_order(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Less => order.is_lt(),
        Operator::LessEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterEqual => order.is_ge(),
        Operator::NotEqual => order.is_ne(),
        _ => order.is_eq(),
    }
}

/// `base.name`: nothing has no members but is no mistake, and a missing member is nothing.
pub(super) fn member<'s>(base: &Value<'s>, name: &str) -> Result<Value<'s>, Failure> {
    match base {
        Value::Null => Ok(Value::Null),
        Value::Context(context) => Ok(context.get(name).unwrap_or(Value::Null)),
        other => Err(Failure::new(format!("{} has no property `{name}`", other.kind()))),
    }
}

/// `base[index]`: a member by name or an item counted from 0; what is out of range is nothing.
pub(super) fn item<'s>(base: &Value<'s>, index: &Value<'s>, fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    match (base, index) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::List(list), index) => {
            let position = number(index)?.truncate().and_then(|position| usize::try_from(position).ok());
            Ok(position.and_then(|position| list.get(position)).unwrap_or(Value::Null))
        }
        (base, index) => member(base, &text(index, fuel)?),
    }
}

/// The methods of a Spin value. Spin raises an error where a property is missing or of another type, so do we.
pub(super) fn method<'s>(
    base: &Value<'s>,
    method: Method,
    argument: Option<&Value<'s>>,
    fuel: &mut Fuel,
) -> Result<Value<'s>, Failure> {
    match (method, base) {
        (Method::Prop, Value::Context(context)) => {
            let name = argument.map_or(Ok(String::new()), |name| text(name, fuel))?;
            context.get(&name).ok_or_else(|| Failure::new(format!("unknown property `{name}`")))
        }
        (Method::NumberValue, Value::Number(_))
        | (Method::StringValue, Value::Text(_))
        | (Method::BoolValue, Value::Bool(_))
        | (Method::Value, _) => Ok(base.clone()),
        (Method::Prop, other) => Err(Failure::new(format!("{} has no properties", other.kind()))),
        (Method::NumberValue, other) => Err(Failure::new(format!("{} is not a number", other.kind()))),
        (Method::StringValue, other) => Err(Failure::new(format!("{} is not a text", other.kind()))),
        (Method::BoolValue, other) => Err(Failure::new(format!("{} is not a boolean", other.kind()))),
    }
}
