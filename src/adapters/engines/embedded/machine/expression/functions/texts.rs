//! Functions on text. Positions count characters from 1, or from -1 backwards.

use super::super::evaluate::Evaluator;
use super::super::fuel::{Failure, Fuel};
use super::super::number::Number;
use super::super::pattern::Pattern;
use super::super::value::{List, Value};
use super::Function;

type Maybe<'s> = Result<Option<Value<'s>>, Failure>;

pub(super) fn call<'s>(evaluator: &mut Evaluator<'s>, function: Function, arguments: &[Value<'s>]) -> Maybe<'s> {
    let texts: Vec<&str> = arguments.iter().map_while(as_text).collect();
    if texts.len() == arguments.len() {
        return of_texts(evaluator, function, &texts);
    }
    let fuel = &mut evaluator.fuel;
    match (function, arguments) {
        (Function::StringJoin, [list, options @ ..]) => string_join(list, options, fuel),
        (Function::Substring, [Value::Text(text), Value::Number(start)]) => substring(text.as_str(), start, None, fuel),
        (Function::Substring, [Value::Text(text), Value::Number(start), Value::Number(length)]) => {
            substring(text.as_str(), start, Some(length), fuel)
        }
        // A flags or separator argument of `null` is one that was left out.
        (Function::Matches | Function::Replace, [.., Value::Null]) => of_texts(evaluator, function, &texts),
        _ => Ok(None),
    }
}

fn as_text<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    if let Value::Text(text) = value { Some(text.as_str()) } else { None }
}

fn of_texts<'s>(evaluator: &mut Evaluator<'s>, function: Function, texts: &[&str]) -> Maybe<'s> {
    for text in texts {
        evaluator.fuel.read(text.len())?;
    }
    let fuel = &mut evaluator.fuel;
    match (function, texts) {
        (Function::Contains, [text, part]) => Ok(Some(Value::Bool(text.contains(part)))),
        (Function::StartsWith, [text, part]) => Ok(Some(Value::Bool(text.starts_with(part)))),
        (Function::EndsWith, [text, part]) => Ok(Some(Value::Bool(text.ends_with(part)))),
        (Function::StringLength, [text]) => Ok(Some(Value::number(text.chars().count()))),
        (Function::UpperCase, [text]) => Value::text(text.to_uppercase(), fuel).map(Some),
        (Function::LowerCase, [text]) => Value::text(text.to_lowercase(), fuel).map(Some),
        (Function::SubstringBefore, [text, part]) => {
            let before = text.split_once(part).map_or("", |(before, _)| before);
            Value::text(before.to_owned(), fuel).map(Some)
        }
        (Function::SubstringAfter, [text, part]) => {
            let after = text.split_once(part).map_or("", |(_, after)| after);
            Value::text(after.to_owned(), fuel).map(Some)
        }
        (Function::StringJoin, [only, ..]) => Value::text((*only).to_owned(), fuel).map(Some),
        _ => with_pattern(evaluator, function, texts),
    }
}

fn with_pattern<'s>(evaluator: &mut Evaluator<'s>, function: Function, texts: &[&str]) -> Maybe<'s> {
    let (text, source, replacement, flags) = match (function, texts) {
        (Function::Matches | Function::Split, [text, source]) => (text, source, "", ""),
        (Function::Matches, [text, source, flags]) => (text, source, "", *flags),
        (Function::Replace, [text, source, replacement]) => (text, source, *replacement, ""),
        (Function::Replace, [text, source, replacement, flags]) => (text, source, *replacement, *flags),
        _ => return Ok(None),
    };
    let fuel = &mut evaluator.fuel;
    let Some(pattern) = evaluator.patterns.get(source, flags, fuel)? else { return Ok(None) };
    match function {
        Function::Matches => {
            pattern.pay(text.len(), fuel)?;
            Ok(Some(Value::Bool(pattern.regex.is_match(text))))
        }
        Function::Split => split(text, &pattern, fuel).map(Some),
        _ => replace(text, &pattern, replacement, fuel).map(Some),
    }
}

/// Splits at each match; a match of nothing splits between characters, not before the first or after the last.
fn split<'s>(text: &str, pattern: &Pattern, fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    let (mut parts, mut start) = (Vec::new(), 0);
    pattern.pay(text.len(), fuel)?;
    for found in pattern.regex.find_iter(text) {
        // Each further search may run to the end of the text.
        pattern.pay(text.len().saturating_sub(found.end()), fuel)?;
        if found.is_empty() && (found.start() == 0 || found.start() == text.len()) {
            continue;
        }
        fuel.grow_list(parts.len(), 1)?;
        parts.push(Value::text(text.get(start..found.start()).unwrap_or_default().to_owned(), fuel)?);
        start = found.end();
    }
    parts.push(Value::text(text.get(start..).unwrap_or_default().to_owned(), fuel)?);
    Ok(Value::list(parts))
}

fn replace<'s>(text: &str, pattern: &Pattern, replacement: &str, fuel: &mut Fuel) -> Result<Value<'s>, Failure> {
    let template = template(replacement, pattern.regex.captures_len());
    let (mut made, mut start) = (String::new(), 0);
    // Finding the groups looks at each match again, which is dearer than finding the match.
    let price = |from: usize| text.len().saturating_sub(from).saturating_mul(2);
    pattern.pay(price(0), fuel)?;
    for captures in pattern.regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        pattern.pay(price(whole.end()), fuel)?;
        made.push_str(text.get(start..whole.start()).unwrap_or_default());
        for part in &template {
            let piece = match part {
                Piece::Text(text) => text.as_str(),
                Piece::Group(group) => captures.get(*group).map_or("", |found| found.as_str()),
            };
            made.push_str(piece);
            fuel.read(piece.len())?;
            fuel.check_text(made.len())?;
        }
        start = whole.end();
    }
    made.push_str(text.get(start..).unwrap_or_default());
    Value::text(made, fuel)
}

/// A part of a replacement.
enum Piece {
    Text(String),
    Group(usize),
}

/// Reads the replacements of `XPath`: `$1` is a group, a backslash escapes. As many digits belong to a group as name
/// one.
fn template(replacement: &str, groups: usize) -> Vec<Piece> {
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut chars = replacement.chars().peekable();
    while let Some(next) = chars.next() {
        let digit = chars.peek().and_then(|next| next.to_digit(10)).and_then(|digit| usize::try_from(digit).ok());
        match (next, digit) {
            ('\\', _) => text.extend(chars.next()),
            ('$', Some(first)) => {
                chars.next();
                let mut group = first;
                while let Some(digit) = chars.peek().and_then(|next| next.to_digit(10)) {
                    let longer =
                        usize::try_from(digit).map_or(groups, |digit| group.saturating_mul(10).saturating_add(digit));
                    if longer >= groups {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Group(group));
            }
            _ => text.push(next),
        }
    }
    pieces.push(Piece::Text(text));
    pieces
}

fn substring<'s>(text: &str, start: &Number, length: Option<&Number>, fuel: &mut Fuel) -> Maybe<'s> {
    fuel.read(text.len())?;
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let Some(start) = start.truncate() else { return Ok(None) };
    let skipped = match start {
        0 => return Ok(None),
        forward if forward > 0 => forward.saturating_sub(1),
        backward => count.saturating_add(backward).max(0),
    };
    let Some(length) = length.map_or(Some(count), Number::truncate) else { return Ok(None) };
    let (Ok(skipped), Ok(length)) = (usize::try_from(skipped), usize::try_from(length)) else { return Ok(None) };
    Value::text(text.chars().skip(skipped).take(length).collect(), fuel).map(Some)
}

/// Joins texts; `null` among them is left out, anything else makes the whole `null`.
fn string_join<'s>(list: &Value<'s>, options: &[Value<'s>], fuel: &mut Fuel) -> Maybe<'s> {
    let Some(list) = list.clone().singleton() else { return Ok(None) };
    let option = |position: usize| match options.get(position) {
        None | Some(Value::Null) => Some(""),
        Some(value) => as_text(value),
    };
    let (Some(delimiter), Some(prefix), Some(suffix)) = (option(0), option(1), option(2)) else { return Ok(None) };
    let Some(joined) = join(&list, delimiter, fuel)? else { return Ok(None) };
    fuel.make_text(joined.len().saturating_add(prefix.len()).saturating_add(suffix.len()))?;
    Value::text([prefix, &joined, suffix].concat(), fuel).map(Some)
}

fn join(list: &List<'_>, delimiter: &str, fuel: &mut Fuel) -> Result<Option<String>, Failure> {
    let (mut joined, mut first) = (String::new(), true);
    for item in list.iter() {
        fuel.burn(1)?;
        let text = match &item {
            Value::Null => continue,
            Value::Text(text) => text.as_str(),
            _ => return Ok(None),
        };
        fuel.read(text.len().saturating_add(delimiter.len()))?;
        if !std::mem::take(&mut first) {
            joined.push_str(delimiter);
        }
        joined.push_str(text);
        fuel.check_text(joined.len())?;
    }
    Ok(Some(joined))
}
