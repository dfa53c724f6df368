//! FEEL's loops: `for`, `some` and `every`.

use super::ast::{Loop, LoopKind, Source};
use super::evaluate::{Evaluator, Local, Outcome, boolean};
use super::fuel::Failure;
use super::value::{List, Value};

/// What runs under a loop variable.
enum Run<'s> {
    Items(List<'s>),
    /// Whole numbers from the one to the other, up or down.
    Span(i64, i64),
}

impl<'s> Evaluator<'s> {
    /// Runs a loop.
    pub(super) fn looped(&mut self, node: &'s Loop) -> Outcome<'s> {
        let mut results = Results { kind: node.kind, items: Vec::new(), unknown: false, decided: false };
        let outer = self.locals.len();
        let complete = self.iterate(node, &node.variables, &mut results);
        self.locals.truncate(outer);
        if !complete? {
            return Ok(self.null(|| "a loop needs a list".to_owned()));
        }
        Ok(match node.kind {
            LoopKind::For => Value::list(results.items),
            _ if results.decided => Value::Bool(node.kind == LoopKind::Some),
            _ if results.unknown => self.null(|| "a condition of the loop is not true or false".to_owned()),
            _ => Value::Bool(node.kind == LoopKind::Every),
        })
    }

    /// Runs the first of the variables over its items and the others within; false when one has nothing to run over.
    fn iterate(
        &mut self,
        node: &'s Loop,
        variables: &'s [(String, Source)],
        results: &mut Results<'s>,
    ) -> Result<bool, Failure> {
        let Some(((name, source), rest)) = variables.split_first() else {
            let value = self.eval(&node.body)?;
            self.fuel.grow_list(results.items.len(), 1)?;
            results.add(value);
            return Ok(true);
        };
        let Some(run) = self.source(source)? else { return Ok(false) };
        let mut position = 0;
        while let Some(value) = run.at(position) {
            self.fuel.burn(1)?;
            self.locals.push(Local::Named(name, value));
            let complete = self.iterate(node, rest, results)?;
            self.locals.pop();
            if !complete || results.decided {
                return Ok(complete);
            }
            position = position.saturating_add(1);
        }
        Ok(true)
    }

    fn source(&mut self, source: &'s Source) -> Result<Option<Run<'s>>, Failure> {
        let (low, high) = match source {
            Source::Span(low, high) => (self.eval(low)?, self.eval(high)?),
            Source::Items(node) => match self.eval(node)? {
                Value::List(list) => return Ok(Some(Run::Items(list))),
                Value::Range(range) if range.low_included && range.high_included => {
                    (range.low.clone(), range.high.clone())
                }
                _ => return Ok(None),
            },
        };
        match (low, high) {
            (Value::Number(low), Value::Number(high)) => {
                Ok(low.to_i64().zip(high.to_i64()).map(|(low, high)| Run::Span(low, high)))
            }
            _ => Ok(None),
        }
    }
}

impl<'s> Run<'s> {
    fn at(&self, position: usize) -> Option<Value<'s>> {
        match self {
            Self::Items(list) => list.get(position),
            Self::Span(low, high) => {
                let step = i64::try_from(position).ok()?;
                let (next, within) = if low <= high {
                    let next = low.checked_add(step)?;
                    (next, next <= *high)
                } else {
                    let next = low.checked_sub(step)?;
                    (next, next >= *high)
                };
                within.then(|| Value::number(next))
            }
        }
    }
}

/// What a loop has come to so far.
struct Results<'s> {
    kind: LoopKind,
    items: Vec<Value<'s>>,
    unknown: bool,
    decided: bool,
}

impl<'s> Results<'s> {
    fn add(&mut self, value: Value<'s>) {
        if self.kind == LoopKind::For {
            self.items.push(value);
            return;
        }
        match boolean(&value) {
            Some(truth) => self.decided = truth == (self.kind == LoopKind::Some),
            None => self.unknown = true,
        }
    }
}
