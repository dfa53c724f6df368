//! Walks the tree. Every node costs a step; recursion is as deep as the parsers let a tree become.

use std::rc::Rc;

use jiff::Timestamp;

use super::ast::{Branches, Node, Operator, RangeNode, Step, Test};
use super::fuel::{Failure, Fuel};
use super::functions;
use super::number::Number;
use super::pattern::Patterns;
use super::value::{List, Members, Range, Text, Value};
use super::{Dialect, Scope, feel_rules, juel_rules};

/// What evaluating a node gives.
pub(super) type Outcome<'s> = Result<Value<'s>, Failure>;

/// One evaluation of one expression.
pub(super) struct Evaluator<'s> {
    dialect: Dialect,
    scope: &'s dyn Scope,
    pub(super) now: Timestamp,
    pub(super) fuel: Fuel,
    pub(super) patterns: Patterns,
    pub(super) locals: Vec<Local<'s>>,
    note: Option<String>,
}

/// Names that the expression itself brings.
pub(super) enum Local<'s> {
    /// A loop's variable or an earlier member of the same context.
    Named(&'s str, Value<'s>),
    /// The item that a filter looks at: `item`, and its members by name.
    Item(Value<'s>),
}

impl<'s> Evaluator<'s> {
    pub(super) fn new(dialect: Dialect, scope: &'s dyn Scope, now: Timestamp, fuel: Fuel) -> Self {
        Self { dialect, scope, now, fuel, patterns: Patterns::default(), locals: Vec::new(), note: None }
    }

    /// Evaluates a whole expression.
    pub(super) fn run(&mut self, root: &'s Node) -> Outcome<'s> {
        self.eval(root)
    }

    /// Why the first FEEL `null` came about that was not asked for.
    pub(super) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// FEEL's `null` for what cannot be computed; the reason is kept for the message of a failing condition.
    pub(super) fn null(&mut self, reason: impl FnOnce() -> String) -> Value<'s> {
        if self.note.is_none() {
            self.note = Some(reason());
        }
        Value::Null
    }

    /// Evaluates one node.
    pub(super) fn eval(&mut self, node: &'s Node) -> Outcome<'s> {
        self.fuel.burn(1)?;
        match node {
            Node::Null => Ok(Value::Null),
            Node::Bool(truth) => Ok(Value::Bool(*truth)),
            Node::Number(number) => Ok(Value::Number(number.clone())),
            Node::Text(text) => Ok(Value::Text(Text::Borrowed(text))),
            Node::Name(name) => self.name(name),
            Node::Chain(first, rest) => self.chain(first, rest),
            Node::Path(base, steps) => self.path(base, steps),
            Node::If(branches) => self.choice(branches),
            Node::Negate(operand) => self.negate(operand),
            Node::Not(operand) => {
                let truth = juel_rules::truth(&self.eval(operand)?)?;
                Ok(Value::Bool(!truth))
            }
            Node::Empty(operand) => Ok(Value::Bool(juel_rules::is_empty(&self.eval(operand)?))),
            Node::Composite(parts) => self.composite(parts),
            _ => self.feel_only(node),
        }
    }

    fn feel_only(&mut self, node: &'s Node) -> Outcome<'s> {
        match node {
            Node::List(items) => self.list(items),
            Node::Context(members) => self.context(members),
            Node::Range(range) => self.range(range),
            Node::In(value, tests) => self.within(value, tests),
            Node::Between(bounds) => {
                let (value, low) = (self.eval(&bounds.value)?, self.eval(&bounds.low)?);
                let range = Range { low, low_included: true, high: self.eval(&bounds.high)?, high_included: true };
                let inside = feel_rules::in_range(&value, &range, &mut self.fuel)?;
                Ok(self.or_null(inside.map(Value::Bool), || format!("{} is not comparable", value.kind())))
            }
            Node::Loop(looped) => self.looped(looped),
            Node::Call(function, arguments) => functions::call(self, *function, arguments),
            _ => Ok(Value::Null),
        }
    }

    /// The value, or [`null`](Self::null).
    pub(super) fn or_null(&mut self, value: Option<Value<'s>>, reason: impl FnOnce() -> String) -> Value<'s> {
        match value {
            Some(value) => value,
            None => self.null(reason),
        }
    }

    /// Evaluates each node.
    pub(super) fn eval_all(&mut self, nodes: &'s [Node]) -> Result<Vec<Value<'s>>, Failure> {
        nodes.iter().map(|node| self.eval(node)).collect()
    }

    fn name(&mut self, name: &'s str) -> Outcome<'s> {
        if let Some(value) = self.lookup(name)? {
            return Ok(value);
        }
        match self.dialect {
            Dialect::Feel => Ok(self.null(|| format!("there is no variable `{name}`"))),
            Dialect::Juel | Dialect::Literal => Err(Failure::new(format!("unknown identifier `{name}`"))),
        }
    }

    /// The nearest thing of that name.
    pub(super) fn lookup(&mut self, name: &str) -> Result<Option<Value<'s>>, Failure> {
        self.fuel.burn(self.locals.len().div_ceil(8))?;
        let local = self.locals.iter().rev().find_map(|local| match local {
            Local::Named(known, value) if *known == name => Some(value.clone()),
            Local::Item(Value::Context(item)) if item.get(name).is_some() => item.get(name),
            Local::Item(item) if name == "item" => Some(item.clone()),
            _ => None,
        });
        Ok(local.or_else(|| self.scope.get(name).map(Value::from_json)))
    }

    fn chain(&mut self, first: &'s Node, rest: &'s [(Operator, Node)]) -> Outcome<'s> {
        let mut left = self.eval(first)?;
        for (operator, right) in rest {
            left = match operator {
                Operator::And => self.logic(false, &left, right)?,
                Operator::Or => self.logic(true, &left, right)?,
                _ => {
                    self.fuel.burn(1)?;
                    let right = self.eval(right)?;
                    self.binary(*operator, &left, &right)?
                }
            };
        }
        Ok(left)
    }

    /// `and` (which false decides) and `or` (which true decides); the right side only where it matters.
    fn logic(&mut self, decisive: bool, left: &Value<'s>, right: &'s Node) -> Outcome<'s> {
        if self.dialect == Dialect::Feel {
            if matches!(left, Value::Bool(truth) if *truth == decisive) {
                return Ok(Value::Bool(decisive));
            }
            let right = self.eval(right)?;
            let settled = feel_rules::settle(decisive, boolean(left), boolean(&right));
            return Ok(self.or_null(settled.map(Value::Bool), || {
                format!("{} and {} are not both true or false", left.kind(), right.kind())
            }));
        }
        if juel_rules::truth(left)? == decisive {
            return Ok(Value::Bool(decisive));
        }
        let right = self.eval(right)?;
        juel_rules::truth(&right).map(Value::Bool)
    }

    fn binary(&mut self, operator: Operator, left: &Value<'s>, right: &Value<'s>) -> Outcome<'s> {
        if self.dialect != Dialect::Feel {
            return juel_rules::binary(operator, left, right, &mut self.fuel);
        }
        let result = feel_rules::binary(operator, left, right, &mut self.fuel)?;
        Ok(self.or_null(result, || {
            format!("`{}` cannot be applied to {} and {}", operator.symbol(), left.kind(), right.kind())
        }))
    }

    fn negate(&mut self, operand: &'s Node) -> Outcome<'s> {
        let value = self.eval(operand)?;
        if self.dialect != Dialect::Feel {
            return juel_rules::negate(&value);
        }
        Ok(self.or_null(feel_rules::negate(&value), || format!("`-` cannot be applied to {}", value.kind())))
    }

    fn choice(&mut self, branches: &'s Branches) -> Outcome<'s> {
        let condition = self.eval(&branches.condition)?;
        let chosen = match self.dialect {
            Dialect::Feel => boolean(&condition) == Some(true),
            Dialect::Juel | Dialect::Literal => juel_rules::truth(&condition)?,
        };
        self.eval(if chosen { &branches.then } else { &branches.otherwise })
    }

    fn composite(&mut self, parts: &'s [Node]) -> Outcome<'s> {
        let mut text = String::new();
        for part in parts {
            let value = self.eval(part)?;
            text.push_str(&juel_rules::text(&value, &mut self.fuel)?);
            self.fuel.check_text(text.len())?;
        }
        Ok(Value::Text(Text::Owned(text.into())))
    }

    fn path(&mut self, base: &'s Node, steps: &'s [Step]) -> Outcome<'s> {
        let mut value = self.eval(base)?;
        for step in steps {
            self.fuel.burn(1)?;
            value = if self.dialect == Dialect::Feel {
                self.feel_step(value, step)?
            } else {
                self.juel_step(&value, step)?
            };
        }
        Ok(value)
    }

    fn juel_step(&mut self, base: &Value<'s>, step: &'s Step) -> Outcome<'s> {
        match step {
            Step::Member(name) => juel_rules::member(base, name),
            Step::Bracket(index) => {
                let index = self.eval(index)?;
                juel_rules::item(base, &index, &mut self.fuel)
            }
            Step::Method(method, argument) => {
                let argument = argument.as_ref().map(|argument| self.eval(argument)).transpose()?;
                juel_rules::method(base, *method, argument.as_ref(), &mut self.fuel)
            }
        }
    }

    fn feel_step(&mut self, base: Value<'s>, step: &'s Step) -> Outcome<'s> {
        match step {
            Step::Member(name) => match base {
                Value::List(list) => {
                    self.fuel.grow_list(0, list.len())?;
                    let members = list.iter().map(|item| item.member(name).unwrap_or(Value::Null));
                    Ok(Value::list(members.collect()))
                }
                base => {
                    let member = base.member(name);
                    Ok(self.or_null(member, || format!("{} has no member `{name}`", base.kind())))
                }
            },
            Step::Bracket(filter) => self.filter(base, filter),
            Step::Method(..) => Ok(Value::Null),
        }
    }

    /// `list[filter]`: a number picks an item, anything else is asked of each item. The first item decides which, so
    /// that the filter is evaluated once per item and nested filters do not double their cost.
    fn filter(&mut self, base: Value<'s>, filter: &'s Node) -> Outcome<'s> {
        let Some(list) = base.singleton() else { return Ok(Value::Null) };
        let mut kept = Vec::new();
        for position in 0..list.len().max(1) {
            let item = list.get(position);
            let verdict = self.ask(filter, item.clone().unwrap_or(Value::Null))?;
            match verdict {
                Value::Number(index) if position == 0 => return Ok(self.pick(&list, &index)),
                Value::Bool(true) => kept.extend(item),
                _ => {}
            }
        }
        Ok(Value::list(kept))
    }

    fn ask(&mut self, filter: &'s Node, item: Value<'s>) -> Outcome<'s> {
        self.locals.push(Local::Item(item));
        let verdict = self.eval(filter);
        self.locals.pop();
        verdict
    }

    fn pick(&mut self, list: &List<'s>, index: &Number) -> Value<'s> {
        let item = index.to_i64().and_then(|position| list.at_position(position));
        self.or_null(item, || format!("the list has no item {index}"))
    }

    fn list(&mut self, nodes: &'s [Node]) -> Outcome<'s> {
        self.eval_all(nodes).map(Value::list)
    }

    /// Members see the ones before them.
    fn context(&mut self, nodes: &'s [(String, Node)]) -> Outcome<'s> {
        let mut members = Members::new();
        let outer = self.locals.len();
        for (name, node) in nodes {
            let value = match self.eval(node) {
                Ok(value) => value,
                Err(failure) => {
                    self.locals.truncate(outer);
                    return Err(failure);
                }
            };
            members.insert(Text::Borrowed(name), value.clone());
            self.locals.push(Local::Named(name, value));
        }
        self.locals.truncate(outer);
        Ok(Value::Context(super::value::Context::Owned(Rc::new(members))))
    }

    fn range(&mut self, node: &'s RangeNode) -> Outcome<'s> {
        let (low, high) = (self.eval(&node.low)?, self.eval(&node.high)?);
        let (low_included, high_included) = (node.low_included, node.high_included);
        Ok(Value::Range(Rc::new(Range { low, low_included, high, high_included })))
    }

    /// `in`: one fulfilled test is enough; without one, a test that could not be made leaves the answer open.
    fn within(&mut self, value: &'s Node, tests: &'s [Test]) -> Outcome<'s> {
        let value = self.eval(value)?;
        let mut found = Some(false);
        for test in tests {
            let fits = match test {
                Test::Compare(operator, bound) => {
                    let bound = self.eval(bound)?;
                    boolean(&self.binary(*operator, &value, &bound)?)
                }
                Test::Within(other) => {
                    let other = self.eval(other)?;
                    feel_rules::within(&value, &other, &mut self.fuel)?
                }
            };
            found = match fits {
                Some(true) => return Ok(Value::Bool(true)),
                Some(false) => found,
                None => None,
            };
        }
        Ok(self.or_null(found.map(Value::Bool), || format!("{} cannot be tested with `in`", value.kind())))
    }
}

/// The value if it is a boolean.
pub(super) fn boolean(value: &Value<'_>) -> Option<bool> {
    if let Value::Bool(truth) = value { Some(*truth) } else { None }
}
