//! Functions that make values of one type from another, and those on contexts.

use std::rc::Rc;

use jiff::civil;
use jiff::tz::Offset;

use super::super::evaluate::Evaluator;
use super::super::fuel::{Failure, Fuel};
use super::super::number::Number;
use super::super::output::{Notation, to_text};
use super::super::temporal::Temporal;
use super::super::value::{Context, List, Members, Text, Value};
use super::{Function, not};

type Maybe<'s> = Result<Option<Value<'s>>, Failure>;

pub(super) fn call<'s>(evaluator: &mut Evaluator<'s>, function: Function, arguments: &[Value<'s>]) -> Maybe<'s> {
    let now = evaluator.now;
    let fuel = &mut evaluator.fuel;
    match (function, arguments) {
        (Function::Not, [value]) => Ok(not(value)),
        (Function::GetOrElse, [value, default]) => {
            Ok(Some(if matches!(value, Value::Null) { default } else { value }.clone()))
        }
        (Function::String, [Value::Null]) => Ok(None),
        (Function::String, [value @ Value::Text(_)]) | (Function::Number, [value @ Value::Number(_)]) => {
            Ok(Some(value.clone()))
        }
        (Function::String, [value]) => {
            let text = to_text(value, Notation::Feel, fuel)?;
            Value::text(text, fuel).map(Some)
        }
        (Function::Number, [Value::Text(text), separators @ ..]) => number(text.as_str(), separators, fuel),
        (Function::GetValue, [Value::Context(context), key]) => Ok(get_value(context, key)),
        (Function::GetEntries, [Value::Context(context)]) => get_entries(context, fuel).map(Some),
        (Function::ContextPut, [Value::Context(context), Value::Text(name), value]) => {
            let added = [(name.clone(), value.clone())];
            merge(&mut [context.entries().into_iter(), Vec::from(added).into_iter()], fuel).map(Some)
        }
        (Function::ContextMerge, contexts) => context_merge(contexts, fuel),
        (Function::Cycle, [Value::Temporal(interval)] | [Value::Null, Value::Temporal(interval)]) => {
            cycle(None, interval, fuel)
        }
        (Function::Cycle, [Value::Number(times), Value::Temporal(interval)]) => cycle(Some(times), interval, fuel),
        (Function::Now, _) => Ok(Some(Value::Temporal(Temporal::now(now)))),
        (Function::Today, _) => Ok(Temporal::now(now).date_part().map(Value::Temporal)),
        _ => Ok(temporal(function, arguments).map(Value::Temporal)),
    }
}

/// `cycle(3, duration("PT1H"))` is `R3/PT1H`; without a number, or with `null` for it, there is no end.
fn cycle<'s>(times: Option<&Number>, interval: &Temporal, fuel: &mut Fuel) -> Maybe<'s> {
    if !matches!(interval, Temporal::Duration(_) | Temporal::Months(_)) {
        return Ok(None);
    }
    let Some(times) = times else { return Value::text(format!("R/{interval}"), fuel).map(Some) };
    match times.to_i64() {
        Some(count) if count >= 0 => Value::text(format!("R{count}/{interval}"), fuel).map(Some),
        _ => Ok(None),
    }
}

fn temporal(function: Function, arguments: &[Value<'_>]) -> Option<Temporal> {
    match (function, arguments) {
        (Function::Date, [Value::Text(text)]) => Temporal::date(text.as_str()),
        (Function::Date, [Value::Temporal(value)]) => value.date_part(),
        (Function::Date, [Value::Number(year), Value::Number(month), Value::Number(day)]) => {
            civil::Date::new(small(year)?, small(month)?, small(day)?).ok().map(Temporal::Date)
        }
        (Function::Time, [Value::Text(text)]) => Temporal::time(text.as_str()),
        (Function::Time, [Value::Temporal(value)]) => value.time_of_day(),
        (Function::Time, [Value::Number(hour), Value::Number(minute), Value::Number(second), offset @ ..]) => {
            time(hour, minute, second, offset)
        }
        (Function::DateAndTime, [Value::Text(text)]) => Temporal::date_and_time(text.as_str()),
        (Function::DateAndTime, [Value::Temporal(value)]) => value.at_time(&value.time_of_day()?),
        (Function::DateAndTime, [Value::Temporal(date), Value::Temporal(time)]) => date.at_time(time),
        (Function::Duration, [Value::Text(text)]) => Temporal::duration(text.as_str()),
        (Function::Duration, [Value::Temporal(value @ (Temporal::Duration(_) | Temporal::Months(_)))]) => {
            Some(value.clone())
        }
        (Function::At, [Value::Text(text)]) => Temporal::any(text.as_str()),
        _ => None,
    }
}

/// A whole number of a small type.
fn small<T: TryFrom<i64>>(number: &Number) -> Option<T> {
    number.to_i64().and_then(|number| T::try_from(number).ok())
}

fn time(hour: &Number, minute: &Number, second: &Number, offset: &[Value<'_>]) -> Option<Temporal> {
    let whole = second.truncate()?;
    let fraction = second.subtract(&Number::from(whole))?.multiply(&Number::from(1_000_000_000_i64))?;
    let time = civil::Time::new(
        small(hour)?,
        small(minute)?,
        i8::try_from(whole).ok()?,
        i32::try_from(fraction.truncate()?).ok()?,
    );
    let offset = match offset {
        [] | [Value::Null] => None,
        [Value::Temporal(Temporal::Duration(offset))] => {
            Some(Offset::from_seconds(i32::try_from(offset.as_secs()).ok()?).ok()?)
        }
        _ => return None,
    };
    time.ok().map(|time| Temporal::Time(time, offset))
}

/// `number("1.000,5", ".", ",")`: the separator of groups and the one of the fraction may be named.
fn number<'s>(text: &str, separators: &[Value<'s>], fuel: &mut Fuel) -> Maybe<'s> {
    fuel.read(text.len())?;
    let separator = |position: usize| match separators.get(position) {
        None | Some(Value::Null) => Some(""),
        Some(Value::Text(text)) => Some(text.as_str()),
        Some(_) => None,
    };
    let (Some(group), Some(point)) = (separator(0), separator(1)) else { return Ok(None) };
    if !matches!(group, "" | " " | "," | ".")
        || !matches!(point, "" | "." | ",")
        || (group == point && !group.is_empty())
    {
        return Ok(None);
    }
    let plain = if group.is_empty() { text.to_owned() } else { text.replace(group, "") };
    let plain = if point == "," { plain.replace(',', ".") } else { plain };
    Ok(Number::parse(plain.trim()).map(Value::Number))
}

/// `get value(context, "name")`, or a list of names that lead inwards.
fn get_value<'s>(context: &Context<'s>, key: &Value<'s>) -> Option<Value<'s>> {
    match key {
        Value::Text(name) => context.get(name.as_str()),
        Value::List(names) => get_nested(context, names),
        _ => None,
    }
}

fn get_nested<'s>(context: &Context<'s>, names: &List<'s>) -> Option<Value<'s>> {
    let mut value = Value::Context(context.clone());
    for name in names.iter() {
        let (Value::Context(context), Value::Text(name)) = (&value, &name) else { return None };
        value = context.get(name.as_str())?;
    }
    Some(value)
}

fn get_entries<'s>(context: &Context<'s>, fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    fuel.grow_list(0, context.len().saturating_mul(3))?;
    let entry = |(name, value)| {
        let members = [(Text::Borrowed("key"), Value::Text(name)), (Text::Borrowed("value"), value)];
        Value::Context(Context::Owned(Rc::new(Members::from(members))))
    };
    Ok(Value::list(context.entries().into_iter().map(entry).collect()))
}

fn context_merge<'s>(arguments: &[Value<'s>], fuel: &mut Fuel) -> Maybe<'s> {
    let list = match arguments {
        [Value::List(list)] => list.clone(),
        several => List::Owned(several.into()),
    };
    let mut parts = Vec::new();
    for item in list.iter() {
        let Value::Context(context) = item else { return Ok(None) };
        fuel.burn(context.len().saturating_add(1))?;
        parts.push(context.entries().into_iter());
    }
    merge(&mut parts, fuel).map(Some)
}

/// One context of several; later members replace earlier ones.
fn merge<'s>(parts: &mut [std::vec::IntoIter<(Text<'s>, Value<'s>)>], fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    let mut members = Members::new();
    for part in parts {
        fuel.grow_list(members.len(), part.len())?;
        members.extend(part);
    }
    Ok(Value::Context(Context::Owned(Rc::new(members))))
}
