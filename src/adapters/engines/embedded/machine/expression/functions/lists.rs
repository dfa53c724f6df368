//! Functions on lists. A single value stands for a list of one.

use std::cmp::Ordering;

use super::super::evaluate::Evaluator;
use super::super::feel_rules::compare;
use super::super::fuel::{Failure, Fuel};
use super::super::number::Number;
use super::super::value::{List, MAX_NESTING, Value, equal, too_deep};
use super::Function;

pub(super) fn call<'s>(
    evaluator: &mut Evaluator<'s>,
    function: Function,
    arguments: &[Value<'s>],
) -> Result<Option<Value<'s>>, Failure> {
    let fuel = &mut evaluator.fuel;
    if matches!(function, Function::Sum | Function::Mean | Function::Min | Function::Max) {
        return aggregate(function, arguments, fuel);
    }
    let lists: Option<Vec<List<'s>>> = arguments.iter().take(1).map(|first| first.clone().singleton()).collect();
    let Some(list) = lists.and_then(|mut lists| lists.pop()) else { return Ok(None) };
    match (function, arguments) {
        (Function::Count, [_]) => Ok(Some(Value::number(list.len()))),
        (Function::Append, [_, more @ ..]) => joined(&[list, List::Owned(more.into())], fuel).map(Some),
        (Function::Concatenate, lists) => {
            let lists: Option<Vec<_>> = lists.iter().map(|list| list.clone().singleton()).collect();
            lists.map(|lists| joined(&lists, fuel)).transpose()
        }
        (Function::DistinctValues, [_]) => distinct(&list, fuel).map(Some),
        (Function::Flatten, [_]) => {
            let mut flat = Vec::new();
            flatten(&list, &mut flat, fuel, MAX_NESTING)?;
            Ok(Some(Value::list(flat)))
        }
        (Function::IndexOf, [_, wanted]) => positions(&list, wanted, fuel).map(Some),
        (Function::ListContains, [_, wanted]) => contains(&list, wanted, fuel).map(|found| Some(Value::Bool(found))),
        (Function::Reverse, [_]) => {
            fuel.grow_list(0, list.len())?;
            let mut items: Vec<_> = list.iter().collect();
            items.reverse();
            Ok(Some(Value::list(items)))
        }
        _ => Ok(None),
    }
}

/// `sum(list)` and `sum(1, 2)` alike.
fn aggregate<'s>(function: Function, arguments: &[Value<'s>], fuel: &mut Fuel) -> Result<Option<Value<'s>>, Failure> {
    let list = match arguments {
        [Value::List(list)] => list.clone(),
        several => List::Owned(several.into()),
    };
    fuel.burn(list.len())?;
    match function {
        Function::Sum => Ok(sum(&list).map(Value::Number)),
        Function::Mean => Ok(sum(&list).and_then(|sum| sum.divide(&Number::from(list.len()))).map(Value::Number)),
        Function::Min => extreme(&list, Ordering::Less, fuel),
        _ => extreme(&list, Ordering::Greater, fuel),
    }
}

fn sum(list: &List<'_>) -> Option<Number> {
    let mut numbers = list.iter().map(|item| if let Value::Number(number) = item { Some(number) } else { None });
    let first = numbers.next()??;
    numbers.try_fold(first, |sum, number| sum.add(&number?))
}

fn extreme<'s>(list: &List<'s>, wanted: Ordering, fuel: &mut Fuel) -> Result<Option<Value<'s>>, Failure> {
    let mut items = list.iter();
    let Some(mut best) = items.next() else { return Ok(None) };
    if compare(&best, &best, fuel)?.is_none() {
        return Ok(None);
    }
    for item in items {
        match compare(&item, &best, fuel)? {
            Some(order) if order == wanted => best = item,
            Some(_) => {}
            None => return Ok(None),
        }
    }
    Ok(Some(best))
}

fn joined<'s>(lists: &[List<'s>], fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    let mut items = Vec::new();
    for list in lists {
        fuel.grow_list(items.len(), list.len())?;
        items.extend(list.iter());
    }
    Ok(Value::list(items))
}

fn same(left: &Value<'_>, right: &Value<'_>, fuel: &mut Fuel) -> Result<bool, Failure> {
    Ok(equal(left, right, fuel)? == Some(true))
}

fn contains(list: &List<'_>, wanted: &Value<'_>, fuel: &mut Fuel) -> Result<bool, Failure> {
    for item in list.iter() {
        if same(&item, wanted, fuel)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn positions<'s>(list: &List<'_>, wanted: &Value<'_>, fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    let mut found = Vec::new();
    for (index, item) in list.iter().enumerate() {
        if same(&item, wanted, fuel)? {
            found.push(Value::number(index.saturating_add(1)));
        }
    }
    Ok(Value::list(found))
}

fn distinct<'s>(list: &List<'s>, fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    let mut kept: Vec<Value<'s>> = Vec::new();
    'items: for item in list.iter() {
        for known in &kept {
            if same(&item, known, fuel)? {
                continue 'items;
            }
        }
        kept.push(item);
    }
    Ok(Value::list(kept))
}

fn flatten<'s>(list: &List<'s>, into: &mut Vec<Value<'s>>, fuel: &mut Fuel, depth: usize) -> Result<(), Failure> {
    let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
    for item in list.iter() {
        fuel.grow_list(into.len(), 1)?;
        match item {
            Value::List(inner) => flatten(&inner, into, fuel, depth)?,
            item => into.push(item),
        }
    }
    Ok(())
}
