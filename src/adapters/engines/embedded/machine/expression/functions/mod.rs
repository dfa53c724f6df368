//! FEEL's built-in functions. Arguments of a wrong type make `null`, as FEEL has it.

mod convert;
mod lists;
mod numbers;
mod texts;

use super::ast::{Node, Step};
use super::evaluate::{Evaluator, Outcome, boolean};
use super::fuel::Failure;
use super::value::Value;

/// A built-in function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Append,
    /// The literal `@"…"`, which is read like a function.
    At,
    Ceiling,
    Concatenate,
    Contains,
    ContextMerge,
    ContextPut,
    Count,
    /// Zeebe's cycle of a timer.
    Cycle,
    Date,
    DateAndTime,
    Decimal,
    DistinctValues,
    Duration,
    EndsWith,
    Flatten,
    Floor,
    GetEntries,
    GetOrElse,
    GetValue,
    IndexOf,
    IsDefined,
    ListContains,
    LowerCase,
    Matches,
    Max,
    Mean,
    Min,
    Modulo,
    Not,
    Now,
    Number,
    Replace,
    Reverse,
    RoundDown,
    RoundHalfDown,
    RoundHalfUp,
    RoundUp,
    Split,
    StartsWith,
    String,
    StringJoin,
    StringLength,
    Substring,
    SubstringAfter,
    SubstringBefore,
    Sum,
    Time,
    Today,
    UpperCase,
}

const MANY: usize = usize::MAX;

/// Every function with its name and how many arguments it takes.
const TABLE: [(&str, Function, usize, usize); 50] = [
    ("abs", Function::Abs, 1, 1),
    ("append", Function::Append, 2, MANY),
    ("ceiling", Function::Ceiling, 1, 2),
    ("concatenate", Function::Concatenate, 1, MANY),
    ("contains", Function::Contains, 2, 2),
    ("context merge", Function::ContextMerge, 1, MANY),
    ("context put", Function::ContextPut, 3, 3),
    ("count", Function::Count, 1, MANY),
    ("cycle", Function::Cycle, 1, 2),
    ("date and time", Function::DateAndTime, 1, 2),
    ("date", Function::Date, 1, 3),
    ("decimal", Function::Decimal, 2, 2),
    ("distinct values", Function::DistinctValues, 1, 1),
    ("duration", Function::Duration, 1, 1),
    ("ends with", Function::EndsWith, 2, 2),
    ("flatten", Function::Flatten, 1, 1),
    ("floor", Function::Floor, 1, 2),
    ("get entries", Function::GetEntries, 1, 1),
    ("get or else", Function::GetOrElse, 2, 2),
    ("get value", Function::GetValue, 2, 2),
    ("index of", Function::IndexOf, 2, 2),
    ("is defined", Function::IsDefined, 1, 1),
    ("list contains", Function::ListContains, 2, 2),
    ("lower case", Function::LowerCase, 1, 1),
    ("matches", Function::Matches, 2, 3),
    ("max", Function::Max, 1, MANY),
    ("mean", Function::Mean, 1, MANY),
    ("min", Function::Min, 1, MANY),
    ("modulo", Function::Modulo, 2, 2),
    ("not", Function::Not, 1, 1),
    ("now", Function::Now, 0, 0),
    ("number", Function::Number, 1, 3),
    ("replace", Function::Replace, 3, 4),
    ("reverse", Function::Reverse, 1, 1),
    ("round down", Function::RoundDown, 1, 2),
    ("round half down", Function::RoundHalfDown, 1, 2),
    ("round half up", Function::RoundHalfUp, 1, 2),
    ("round up", Function::RoundUp, 1, 2),
    ("split", Function::Split, 2, 2),
    ("starts with", Function::StartsWith, 2, 2),
    ("string join", Function::StringJoin, 1, 4),
    ("string length", Function::StringLength, 1, 1),
    ("string", Function::String, 1, 1),
    ("substring after", Function::SubstringAfter, 2, 2),
    ("substring before", Function::SubstringBefore, 2, 2),
    ("substring", Function::Substring, 2, 3),
    ("sum", Function::Sum, 1, MANY),
    ("time", Function::Time, 1, 4),
    ("today", Function::Today, 0, 0),
    ("upper case", Function::UpperCase, 1, 1),
];

impl Function {
    pub(super) fn name(self) -> &'static str {
        TABLE.iter().find(|(_, function, ..)| *function == self).map_or("@", |(name, ..)| name)
    }

    pub(super) fn accepts(self, arguments: usize) -> bool {
        let entry = TABLE.iter().find(|(_, function, ..)| *function == self);
        entry.is_some_and(|(_, _, least, most)| (*least..=*most).contains(&arguments))
    }
}

/// The function whose name stands next, and its number of words. Longer names come first: `date and time` before
/// `date`.
pub(super) fn named(is_word: impl Fn(usize, &str) -> bool) -> Option<(Function, usize)> {
    TABLE
        .iter()
        .filter(|(name, ..)| name.split(' ').enumerate().all(|(ahead, word)| is_word(ahead, word)))
        .map(|(name, function, ..)| (*function, name.split(' ').count()))
        .max_by_key(|(_, words)| *words)
}

/// Calls a function.
pub(super) fn call<'s>(evaluator: &mut Evaluator<'s>, function: Function, nodes: &'s [Node]) -> Outcome<'s> {
    if function == Function::IsDefined {
        let defined = nodes.first().map_or(Ok(false), |node| is_defined(evaluator, node))?;
        return Ok(Value::Bool(defined));
    }
    let arguments = evaluator.eval_all(nodes)?;
    let result = match group(function) {
        Group::Numbers => numbers::call(function, &arguments),
        Group::Texts => texts::call(evaluator, function, &arguments)?,
        Group::Lists => lists::call(evaluator, function, &arguments)?,
        Group::Convert => convert::call(evaluator, function, &arguments)?,
    };
    Ok(evaluator.or_null(result, || {
        let kinds: Vec<_> = arguments.iter().take(4).map(Value::kind).collect();
        format!("`{}` has no result for {}", function.name(), kinds.join(", "))
    }))
}

enum Group {
    Numbers,
    Texts,
    Lists,
    Convert,
}

fn group(function: Function) -> Group {
    match function {
        Function::Abs
        | Function::Ceiling
        | Function::Decimal
        | Function::Floor
        | Function::Modulo
        | Function::RoundDown
        | Function::RoundHalfDown
        | Function::RoundHalfUp
        | Function::RoundUp => Group::Numbers,
        Function::Contains
        | Function::EndsWith
        | Function::LowerCase
        | Function::Matches
        | Function::Replace
        | Function::Split
        | Function::StartsWith
        | Function::StringJoin
        | Function::StringLength
        | Function::Substring
        | Function::SubstringAfter
        | Function::SubstringBefore
        | Function::UpperCase => Group::Texts,
        Function::Append
        | Function::Concatenate
        | Function::Count
        | Function::DistinctValues
        | Function::Flatten
        | Function::IndexOf
        | Function::ListContains
        | Function::Max
        | Function::Mean
        | Function::Min
        | Function::Reverse
        | Function::Sum => Group::Lists,
        _ => Group::Convert,
    }
}

/// Camunda's `is defined`: whether there is such a variable or member, be it `null`.
fn is_defined<'s>(evaluator: &mut Evaluator<'s>, node: &'s Node) -> Result<bool, Failure> {
    match node {
        Node::Name(name) => Ok(evaluator.lookup(name)?.is_some()),
        Node::Path(base, steps) => {
            let [Step::Member(_), ..] = steps.as_slice() else { return evaluated(evaluator, node) };
            let Node::Name(name) = base.as_ref() else { return evaluated(evaluator, node) };
            let mut value = evaluator.lookup(name)?;
            for step in steps {
                let Step::Member(member) = step else { return evaluated(evaluator, node) };
                value = value.and_then(|base| base.member(member));
            }
            Ok(value.is_some())
        }
        _ => Ok(true),
    }
}

fn evaluated<'s>(evaluator: &mut Evaluator<'s>, node: &'s Node) -> Result<bool, Failure> {
    let value = evaluator.eval_all(std::slice::from_ref(node))?.pop();
    Ok(!matches!(value, None | Some(Value::Null)))
}

/// FEEL's `not`.
fn not<'s>(value: &Value<'s>) -> Option<Value<'s>> {
    boolean(value).map(|truth| Value::Bool(!truth))
}
