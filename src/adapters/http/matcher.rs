//! Finds the operation of a path: a tree of segments, built once.

use super::{
    operations::{Operation, Verb},
    percent,
};

/// The most segments that a template has; a longer path is nobody's.
const MOST_SEGMENTS: usize = 8;
/// The most parameters that a template has.
const MOST_PARAMETERS: usize = 2;

/// The tree.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: Vec<(&'static str, usize)>,
    parameter: Option<usize>,
    operations: Vec<(Verb, usize)>,
}

/// What a path is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match<'p> {
    /// An operation, by its place in the table, and the path's parameters as they came.
    Found(usize, Parameters<'p>),
    /// Some operation's path, with another method; those that it has.
    OtherMethods(Vec<Verb>),
    /// No operation's path.
    Nothing,
}

/// The parameters of a path, raw, in their order.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters<'p> {
    raw: [Option<&'p str>; MOST_PARAMETERS],
}

impl Parameters<'_> {
    /// Decoded: `None` for one whose percent-encoding is broken.
    pub(super) fn decoded(&self) -> [Option<String>; MOST_PARAMETERS] {
        self.raw.map(|raw| raw.and_then(percent::decode).map(std::borrow::Cow::into_owned))
    }
}

impl Matcher {
    /// Builds the tree of a table.
    pub(super) fn of(table: &'static [Operation]) -> Self {
        let mut matcher = Self { nodes: vec![Node::default()] };
        for (index, operation) in table.iter().enumerate() {
            let leaf = operation.path.split('/').skip(1).fold(0, |node, segment| matcher.step(node, segment));
            if let Some(node) = matcher.nodes.get_mut(leaf) {
                node.operations.push((operation.verb, index));
            }
        }
        matcher
    }

    fn step(&mut self, from: usize, segment: &'static str) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(from) else { return from };
        if segment.starts_with('{') {
            if let Some(known) = node.parameter {
                return known;
            }
            node.parameter = Some(next);
        } else {
            if let Some((_, known)) = node.literals.iter().find(|(literal, _)| *literal == segment) {
                return *known;
            }
            node.literals.push((segment, next));
        }
        self.nodes.push(Node::default());
        next
    }

    /// Finds what a request asks for. Literal segments go before parameters and are compared as they came; a parameter is
    /// never empty.
    pub(super) fn find<'p>(&self, method: &str, path: &'p str) -> Match<'p> {
        let Some((node, parameters)) = self.walk(path) else { return Match::Nothing };
        if node.operations.is_empty() {
            return Match::Nothing;
        }
        match node.operations.iter().find(|(verb, _)| verb.answers(method)) {
            Some((_, index)) => Match::Found(*index, parameters),
            None => Match::OtherMethods(node.operations.iter().map(|(verb, _)| *verb).collect()),
        }
    }

    fn walk<'p>(&self, path: &'p str) -> Option<(&Node, Parameters<'p>)> {
        let mut node = self.nodes.first()?;
        let mut parameters = Parameters::default();
        let mut slots = parameters.raw.iter_mut();
        for (depth, segment) in path.strip_prefix('/')?.split('/').enumerate() {
            if depth >= MOST_SEGMENTS {
                return None;
            }
            let literal = node.literals.iter().find(|(literal, _)| *literal == segment).map(|(_, next)| *next);
            let next = match literal {
                Some(next) => next,
                None if segment.is_empty() => return None,
                None => {
                    *slots.next()? = Some(segment);
                    node.parameter?
                }
            };
            node = self.nodes.get(next)?;
        }
        Some((node, parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::operations::OPERATIONS, *};

    #[test]
    fn every_operation_is_found_by_its_own_template() {
        let matcher = Matcher::of(OPERATIONS);
        for (index, operation) in OPERATIONS.iter().enumerate() {
            let Match::Found(found, _) = matcher.find(operation.verb.as_str(), operation.path) else {
                panic!("{} is not found", operation.path)
            };
            assert_eq!(found, index, "{}", operation.id);
            assert!(operation.path.split('/').count() <= MOST_SEGMENTS + 1);
            assert!(operation.path.matches('{').count() <= MOST_PARAMETERS);
        }
    }

    #[test]
    fn only_the_exact_path_is_found() {
        let matcher = Matcher::of(OPERATIONS);
        for path in ["", "/", "//api/whoami", "/api/whoami/", "/api//whoami", "/api/%77hoami", "/API/whoami", "*"] {
            assert_eq!(matcher.find("GET", path), Match::Nothing, "{path}");
        }
        assert!(matches!(matcher.find("HEAD", "/api/whoami"), Match::Found(..)));
        assert_eq!(matcher.find("PUT", "/api/workspaces"), Match::OtherMethods(vec![Verb::Get, Verb::Post]));
    }

    #[test]
    fn a_slash_that_is_encoded_stays_in_its_parameter() {
        let matcher = Matcher::of(OPERATIONS);
        let Match::Found(index, parameters) = matcher.find("GET", "/api/workflows/a%2Fexecutions") else {
            panic!("not found")
        };
        assert_eq!(OPERATIONS[index].id, "get_workflow");
        assert_eq!(parameters.decoded()[0].as_deref(), Some("a/executions"));
    }
}
