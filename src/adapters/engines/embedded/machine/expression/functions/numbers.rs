//! Functions on numbers.

use bigdecimal::RoundingMode;

use super::super::number::Number;
use super::super::value::Value;
use super::Function;

pub(super) fn call<'s>(function: Function, arguments: &[Value<'s>]) -> Option<Value<'s>> {
    match (function, arguments) {
        (Function::Abs, [Value::Number(number)]) => Some(Value::Number(number.abs())),
        (Function::Abs, [Value::Temporal(duration)]) => duration.abs().map(Value::Temporal),
        (Function::Modulo, [Value::Number(left), Value::Number(right)]) => left.modulo(right).map(Value::Number),
        (function, [Value::Number(number)]) => rounded(function, number, 0),
        (function, [Value::Number(number), Value::Number(places)]) => rounded(function, number, places.to_i64()?),
        _ => None,
    }
}

fn rounded<'s>(function: Function, number: &Number, places: i64) -> Option<Value<'s>> {
    let mode = match function {
        Function::Ceiling => RoundingMode::Ceiling,
        Function::Floor => RoundingMode::Floor,
        Function::RoundUp => RoundingMode::Up,
        Function::RoundDown => RoundingMode::Down,
        Function::RoundHalfUp => RoundingMode::HalfUp,
        Function::RoundHalfDown => RoundingMode::HalfDown,
        Function::Decimal => RoundingMode::HalfEven,
        _ => return None,
    };
    number.round(places, mode).map(Value::Number)
}
