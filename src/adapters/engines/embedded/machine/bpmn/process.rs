//! One process: its elements and flows, container by container, then linked.

use std::collections::{HashMap, VecDeque};

use super::super::expression::Expression;
use super::super::model::{Element, Process};
use super::check;
use super::definitions::Definitions;
use super::element::{self, Found};
use super::extensions;
use super::problems::Problems;
use super::xml::{self, Xml};

/// Reads every executable process.
pub(super) fn read_all(definitions: &Definitions<'_>, problems: &mut Problems<'_>) -> Vec<Process> {
    definitions.processes.iter().map(|xml| Draft::read(*xml, definitions, problems)).collect()
}

/// A process whose references are not resolved yet.
pub(super) struct Draft<'x> {
    pub(super) elements: Vec<Element>,
    /// Where each element is in the file.
    pub(super) places: Vec<Xml<'x>>,
    pub(super) flows: Vec<DraftFlow<'x>>,
    pub(super) by_id: HashMap<String, usize>,
}

/// A sequence flow whose ends are not resolved yet.
pub(super) struct DraftFlow<'x> {
    pub(super) id: String,
    pub(super) place: Xml<'x>,
    pub(super) parent: Option<usize>,
    pub(super) condition: Option<Expression>,
}

impl<'x> Draft<'x> {
    fn read(process: Xml<'x>, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Process {
        let mut draft = Self { elements: Vec::new(), places: Vec::new(), flows: Vec::new(), by_id: HashMap::new() };
        let key = xml::attribute(process, "id").unwrap_or_default();
        if key.is_empty() {
            problems.at(process, "the process has no id");
        }
        extensions::reject(process, problems);
        let mut containers = VecDeque::from([(process, None)]);
        while let Some((container, parent)) = containers.pop_front() {
            for (child, name) in xml::children(container) {
                if name == "sequenceFlow" {
                    draft.add_flow(child, parent, problems);
                    continue;
                }
                let kind = match element::read(child, name, definitions, problems) {
                    Found::Ignored => continue,
                    Found::Element(kind) => kind,
                };
                if matches!(name, "subProcess" | "transaction" | "adHocSubProcess") {
                    containers.push_back((child, Some(draft.elements.len())));
                }
                draft.add_element(child, element::build(child, kind, parent, problems));
            }
        }
        let flows = check::link(&mut draft, process, problems);
        Process {
            key: key.to_owned(),
            name: xml::attribute(process, "name").map(str::to_owned),
            elements: draft.elements,
            flows_by_id: flows.iter().enumerate().map(|(index, flow)| (flow.id.clone(), index)).collect(),
            flows,
            by_id: draft.by_id,
        }
    }

    fn add_element(&mut self, place: Xml<'x>, element: Element) {
        self.by_id.insert(element.id.clone(), self.elements.len());
        self.elements.push(element);
        self.places.push(place);
    }

    fn add_flow(&mut self, place: Xml<'x>, parent: Option<usize>, problems: &mut Problems<'_>) {
        extensions::reject(place, problems);
        let id = match xml::attribute(place, "id") {
            Some(id) => id.to_owned(),
            None => format!("flow {}", self.flows.len().saturating_add(1)),
        };
        // A condition that is refused is still one, so that nobody complains of its absence, too.
        let condition = xml::child(place, "conditionExpression")
            .and_then(|condition| read_condition(condition, problems).or_else(|| Expression::parse("true").ok()));
        self.flows.push(DraftFlow { id, place, parent, condition });
    }
}

fn read_condition(condition: Xml<'_>, problems: &mut Problems<'_>) -> Option<Expression> {
    if let Some(language) = xml::attribute(condition, "language") {
        let known = ["juel", "feel"].iter().any(|known| language.to_ascii_lowercase().contains(known));
        if !known {
            problems.at(
                condition,
                format!("conditions in '{language}' are not supported: write a JUEL or FEEL expression"),
            );
            return None;
        }
    }
    if xml::camunda_attribute(condition, "resource").is_some() {
        problems.at(condition, "a condition from a resource is not supported: write it into the model");
        return None;
    }
    let text = xml::text(condition);
    let expression = problems.expression(condition, "the condition", &text)?;
    if expression.is_literal() && !matches!(text.as_str(), "true" | "false") {
        problems.at(condition, format!("the condition '{text}' is no expression: write ${{…}} (JUEL) or =… (FEEL)"));
        return None;
    }
    Some(expression)
}
