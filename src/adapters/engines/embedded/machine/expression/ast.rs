//! The tree that both parsers build.

use super::functions::Function;
use super::number::Number;

/// A part of an expression. Operators of one level form one flat chain, so that a long sum is not a deep tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Name(String),
    Chain(Box<Node>, Vec<(Operator, Node)>),
    Negate(Box<Node>),
    /// JUEL's `!`; in FEEL `not` is a function.
    Not(Box<Node>),
    /// JUEL's `empty`.
    Empty(Box<Node>),
    Path(Box<Node>, Vec<Step>),
    If(Box<Branches>),
    List(Vec<Node>),
    Context(Vec<(String, Node)>),
    Range(Box<RangeNode>),
    In(Box<Node>, Vec<Test>),
    Between(Box<Bounds>),
    Loop(Box<Loop>),
    Call(Function, Vec<Node>),
    /// JUEL's text with `${}` in it.
    Composite(Vec<Node>),
}

/// `if` and `? :`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Branches {
    pub(super) condition: Node,
    pub(super) then: Node,
    pub(super) otherwise: Node,
}

/// `value between low and high`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bounds {
    pub(super) value: Node,
    pub(super) low: Node,
    pub(super) high: Node,
}

/// `[low..high)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RangeNode {
    pub(super) low: Node,
    pub(super) low_included: bool,
    pub(super) high: Node,
    pub(super) high_included: bool,
}

/// `for`, `some` and `every`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) variables: Vec<(String, Source)>,
    pub(super) body: Node,
}

/// What a loop makes of its body's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopKind {
    For,
    Some,
    Every,
}

/// What a loop variable runs over.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    Items(Node),
    Span(Node, Node),
}

/// What follows `in`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Compare(Operator, Node),
    Within(Node),
}

/// One link of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Member(String),
    /// An index or a filter.
    Bracket(Node),
    Method(Method, Option<Node>),
}

/// The methods of Spin that JUEL expressions may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Prop,
    NumberValue,
    StringValue,
    BoolValue,
    Value,
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Operator {
    /// The operator as FEEL and JUEL write it, for messages.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }

    /// How tightly the operator binds; operators of one level are read from left to right.
    pub(super) fn level(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
            Self::Power => 7,
        }
    }

    /// `left operator right`, where a chain of the same level grows instead of nesting.
    pub(super) fn join(self, left: Node, right: Node) -> Node {
        match left {
            Node::Chain(first, mut rest) if rest.last().is_some_and(|(last, _)| last.level() == self.level()) => {
                rest.push((self, right));
                Node::Chain(first, rest)
            }
            other => Node::Chain(Box::new(other), vec![(self, right)]),
        }
    }
}
