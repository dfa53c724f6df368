//! What the vendors add to an element: mappings, headers, definitions; and what of it is refused.

use std::collections::BTreeMap;

use super::super::model::{Mapping, Source};
use super::problems::Problems;
use super::xml::{self, Xml};

/// How deep the lists and maps of an input parameter may be nested, and how many parts the target of a mapping may have.
const MAX_NESTING: usize = 16;

/// The mappings of an element.
#[derive(Default)]
pub(super) struct Mappings {
    pub(super) inputs: Vec<Mapping>,
    pub(super) outputs: Vec<Mapping>,
    /// They are written in Zeebe's words.
    pub(super) zeebe: bool,
}

fn all(element: Xml<'_>) -> impl Iterator<Item = Xml<'_>> {
    xml::child(element, "extensionElements").into_iter().flat_map(|found| found.children()).filter(Xml::is_element)
}

/// The first extension of Zeebe's with a name.
pub(super) fn zeebe<'x>(element: Xml<'x>, name: &str) -> Option<Xml<'x>> {
    all(element).find(|found| xml::zeebe(*found) == Some(name))
}

fn camunda<'x>(element: Xml<'x>, name: &str) -> Option<Xml<'x>> {
    all(element).find(|found| xml::camunda(*found) == Some(name))
}

/// The subscription of a message.
pub(super) fn subscription(message: Xml<'_>) -> Option<Xml<'_>> {
    zeebe(message, "subscription")
}

/// Refuses extensions that would change what runs.
pub(super) fn reject(element: Xml<'_>, problems: &mut Problems<'_>) {
    for found in all(element) {
        let message = match (xml::camunda(found), xml::zeebe(found)) {
            (Some("executionListener" | "taskListener"), _) => {
                "listeners are not supported: do their work in a service task"
            }
            (_, Some("executionListeners" | "taskListeners")) if found.children().any(|child| child.is_element()) => {
                "listeners are not supported: do their work in a service task"
            }
            (Some("connector"), _) => "connectors are not supported: make the task a job, and let a worker do it",
            (Some("errorEventDefinition"), _) => {
                "camunda:errorEventDefinition is not supported: let the worker throw the BPMN error"
            }
            _ => continue,
        };
        problems.at(found, message);
    }
}

/// Fixed values for workers: `zeebe:taskHeaders`, `camunda:properties`.
pub(super) fn headers(task: Xml<'_>) -> BTreeMap<String, String> {
    let zeebe = zeebe(task, "taskHeaders").map(|headers| pairs(headers, "key"));
    let camunda = camunda(task, "properties").map(|properties| pairs(properties, "name"));
    camunda.into_iter().chain(zeebe).flatten().collect()
}

fn pairs(list: Xml<'_>, key: &str) -> Vec<(String, String)> {
    list.children()
        .filter(Xml::is_element)
        .filter_map(|entry| {
            Some((xml::attribute(entry, key)?.to_owned(), entry.attribute("value").unwrap_or_default().to_owned()))
        })
        .collect()
}

/// Reads the mappings of either vendor.
pub(super) fn mappings(element: Xml<'_>, problems: &mut Problems<'_>) -> Mappings {
    let (ours, theirs) = (camunda(element, "inputOutput"), zeebe(element, "ioMapping"));
    match (ours, theirs) {
        (Some(both), Some(_)) => {
            problems.at(both, "the element has both camunda:inputOutput and zeebe:ioMapping: keep one");
            Mappings::default()
        }
        (Some(list), None) => Mappings {
            inputs: camunda_mappings(list, "inputParameter", problems),
            outputs: camunda_mappings(list, "outputParameter", problems),
            zeebe: false,
        },
        (None, Some(list)) => Mappings {
            inputs: zeebe_mappings(list, "input", problems),
            outputs: zeebe_mappings(list, "output", problems),
            zeebe: true,
        },
        (None, None) => Mappings::default(),
    }
}

fn zeebe_mappings(list: Xml<'_>, name: &str, problems: &mut Problems<'_>) -> Vec<Mapping> {
    let mut mappings = Vec::new();
    for mapping in list.children().filter(|child| xml::zeebe(*child) == Some(name)) {
        let target = xml::attribute(mapping, "target").unwrap_or_default();
        let target: Vec<String> = target.split('.').map(|segment| segment.trim().to_owned()).collect();
        if target.iter().any(String::is_empty) || target.len() > MAX_NESTING {
            problems.at(
                mapping,
                format!("the mapping needs a target such as name or name.part, of at most {MAX_NESTING} parts"),
            );
            continue;
        }
        let source = match xml::attribute(mapping, "source") {
            None | Some("=") => Source::Null,
            Some(text) => match problems.expression(mapping, "the source of the mapping", text) {
                Some(expression) => Source::Expression(expression),
                None => continue,
            },
        };
        mappings.push(Mapping { target, source });
    }
    mappings
}

fn camunda_mappings(list: Xml<'_>, name: &str, problems: &mut Problems<'_>) -> Vec<Mapping> {
    let mut mappings = Vec::new();
    for parameter in list.children().filter(|child| xml::camunda(*child) == Some(name)) {
        let Some(target) = xml::attribute(parameter, "name") else {
            problems.at(parameter, "the parameter has no name");
            continue;
        };
        if let Some(source) = parameter_source(parameter, MAX_NESTING, problems) {
            mappings.push(Mapping { target: vec![target.to_owned()], source });
        }
    }
    mappings
}

/// A text, an expression, a list or a map.
fn parameter_source(parameter: Xml<'_>, depth: usize, problems: &mut Problems<'_>) -> Option<Source> {
    match parameter.children().find(Xml::is_element) {
        Some(nested) => nested_source(nested, depth, problems),
        None => text_source(parameter, problems),
    }
}

fn text_source(xml: Xml<'_>, problems: &mut Problems<'_>) -> Option<Source> {
    let text = xml::text(xml);
    if text.is_empty() {
        return Some(Source::Null);
    }
    problems.expression(xml, "the value", &text).map(Source::Expression)
}

fn nested_source(nested: Xml<'_>, depth: usize, problems: &mut Problems<'_>) -> Option<Source> {
    let Some(depth) = depth.checked_sub(1) else {
        problems.at(nested, format!("lists and maps are nested more than {MAX_NESTING} deep"));
        return None;
    };
    match xml::camunda(nested) {
        Some("value") => text_source(nested, problems),
        Some("list") => {
            let items = nested.children().filter(Xml::is_element);
            items.map(|item| nested_source(item, depth, problems)).collect::<Option<_>>().map(Source::List)
        }
        Some("map") => {
            let entries = nested.children().filter(|child| xml::camunda(*child) == Some("entry"));
            entries.map(|entry| map_entry(entry, depth, problems)).collect::<Option<_>>().map(Source::Map)
        }
        Some("script") => {
            problems.at(nested, "scripts are not supported: write an expression, or let a worker work out the value");
            None
        }
        _ => {
            problems.at(nested, "this form of value is not supported: write a text, an expression, a list or a map");
            None
        }
    }
}

fn map_entry(entry: Xml<'_>, depth: usize, problems: &mut Problems<'_>) -> Option<(String, Source)> {
    let Some(key) = xml::attribute(entry, "key") else {
        problems.at(entry, "the entry has no key");
        return None;
    };
    Some((key.to_owned(), parameter_source(entry, depth, problems)?))
}
