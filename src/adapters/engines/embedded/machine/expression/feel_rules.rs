//! FEEL's operators: what does not fit is `None`, which the evaluator turns into `null`.

use std::cmp::Ordering;

use super::ast::Operator;
use super::fuel::{Failure, Fuel};
use super::juel_rules::matches_order;
use super::number::Number;
use super::temporal::Temporal;
use super::value::{Range, Value, equal};

/// What a power costs: some forty multiplications.
const POWER_STEPS: usize = 150;

/// An operator other than `and` and `or`.
pub(super) fn binary<'s>(
    operator: Operator,
    left: &Value<'s>,
    right: &Value<'s>,
    fuel: &mut Fuel,
) -> Result<Option<Value<'s>>, Failure> {
    match operator {
        Operator::Equal => Ok(equal(left, right, fuel)?.map(Value::Bool)),
        Operator::NotEqual => Ok(equal(left, right, fuel)?.map(|same| Value::Bool(!same))),
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            Ok(compare(left, right, fuel)?.map(|order| Value::Bool(matches_order(operator, order))))
        }
        _ => arithmetic(operator, left, right, fuel),
    }
}

/// The order of two numbers, texts or temporal values of one kind.
pub(super) fn compare(left: &Value<'_>, right: &Value<'_>, fuel: &mut Fuel) -> Result<Option<Ordering>, Failure> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => {
            fuel.read(left.as_str().len().min(right.as_str().len()))?;
            Some(left.cmp(right))
        }
        (Value::Temporal(left), Value::Temporal(right)) => left.compare(right),
        _ => None,
    })
}

fn arithmetic<'s>(
    operator: Operator,
    left: &Value<'s>,
    right: &Value<'s>,
    fuel: &mut Fuel,
) -> Result<Option<Value<'s>>, Failure> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            fuel.burn(if operator == Operator::Power { POWER_STEPS } else { 0 })?;
            numbers(operator, left, right).map(Value::Number)
        }
        (Value::Text(left), Value::Text(right)) if operator == Operator::Add => {
            let joined = [left.as_str(), right.as_str()];
            fuel.make_text(joined.iter().map(|part| part.len()).sum())?;
            Some(Value::text(joined.concat(), fuel)?)
        }
        (Value::Temporal(left), Value::Temporal(right)) => match operator {
            Operator::Add => left.add(right).map(Value::Temporal),
            Operator::Subtract => left.subtract(right).map(Value::Temporal),
            Operator::Divide => left.ratio(right).map(Value::Number),
            _ => None,
        },
        (Value::Temporal(duration), Value::Number(factor)) => scaled(operator, duration, factor),
        (Value::Number(factor), Value::Temporal(duration)) if operator == Operator::Multiply => {
            scaled(operator, duration, factor)
        }
        _ => None,
    })
}

fn numbers(operator: Operator, left: &Number, right: &Number) -> Option<Number> {
    match operator {
        Operator::Add => left.add(right),
        Operator::Subtract => left.subtract(right),
        Operator::Multiply => left.multiply(right),
        Operator::Divide => left.divide(right),
        Operator::Remainder => left.remainder(right),
        Operator::Power => left.power(right),
        _ => None,
    }
}

fn scaled<'s>(operator: Operator, duration: &Temporal, factor: &Number) -> Option<Value<'s>> {
    match operator {
        Operator::Multiply => duration.scale(|amount| amount.multiply(factor)).map(Value::Temporal),
        Operator::Divide => duration.scale(|amount| amount.divide(factor)).map(Value::Temporal),
        _ => None,
    }
}

pub(super) fn negate<'s>(value: &Value<'s>) -> Option<Value<'s>> {
    match value {
        Value::Number(number) => Some(Value::Number(number.negate())),
        Value::Temporal(temporal) => temporal.negate().map(Value::Temporal),
        _ => None,
    }
}

/// Whether the value lies in the range.
pub(super) fn in_range(value: &Value<'_>, range: &Range<'_>, fuel: &mut Fuel) -> Result<Option<bool>, Failure> {
    let above = compare(value, &range.low, fuel)?;
    let below = compare(value, &range.high, fuel)?;
    let (Some(above), Some(below)) = (above, below) else { return Ok(None) };
    let low = above.is_gt() || (above.is_eq() && range.low_included);
    let high = below.is_lt() || (below.is_eq() && range.high_included);
    Ok(Some(low && high))
}

/// `value in other`: within a range, one of a list (or of its ranges), or the same.
pub(super) fn within(value: &Value<'_>, other: &Value<'_>, fuel: &mut Fuel) -> Result<Option<bool>, Failure> {
    let Value::List(list) = other else { return one_of(value, other, fuel) };
    if matches!(value, Value::List(_)) && equal(value, other, fuel)? == Some(true) {
        return Ok(Some(true));
    }
    for item in list.iter() {
        if one_of(value, &item, fuel)? == Some(true) {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

fn one_of(value: &Value<'_>, item: &Value<'_>, fuel: &mut Fuel) -> Result<Option<bool>, Failure> {
    match item {
        Value::Range(range) => in_range(value, range, fuel),
        item => equal(value, item, fuel),
    }
}

/// Three-valued `and` (`decisive` is false) and `or` (`decisive` is true): one decisive side settles the matter, else
/// anything that is no boolean makes the whole unknown.
pub(super) fn settle(decisive: bool, left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(left), Some(right)) if left != decisive && right != decisive => Some(!decisive),
        _ if left == Some(decisive) || right == Some(decisive) => Some(decisive),
        _ => None,
    }
}
