//! What stands beside the processes: messages, signals and errors, and all ids.

use std::collections::HashMap;

use super::problems::Problems;
use super::xml::{self, Xml};

/// The top of a file.
pub(super) struct Definitions<'x> {
    /// The executable processes.
    pub(super) processes: Vec<Xml<'x>>,
    messages: HashMap<&'x str, Xml<'x>>,
    signals: HashMap<&'x str, Xml<'x>>,
    errors: HashMap<&'x str, Xml<'x>>,
}

impl<'x> Definitions<'x> {
    pub(super) fn read(root: Xml<'x>, problems: &mut Problems<'_>) -> Option<Self> {
        if xml::bpmn(root) != Some("definitions") {
            problems.at(root, "the file is no BPMN 2.0 model: its root must be bpmn:definitions");
            return None;
        }
        unique_ids(root, problems);
        let mut read =
            Self { processes: Vec::new(), messages: HashMap::new(), signals: HashMap::new(), errors: HashMap::new() };
        for (child, name) in xml::children(root) {
            let by_id = match name {
                "process" => {
                    if xml::flag(child, "isExecutable", false) {
                        read.processes.push(child);
                    }
                    continue;
                }
                "message" => &mut read.messages,
                "signal" => &mut read.signals,
                "error" => &mut read.errors,
                _ => continue,
            };
            if let Some(id) = xml::attribute(child, "id") {
                by_id.insert(id, child);
            }
        }
        if read.processes.is_empty() {
            problems.at(root, "no process is executable: set isExecutable=\"true\" on the one to run");
        }
        Some(read)
    }

    /// The message that an event or task refers to.
    pub(super) fn message(&self, at: Xml<'x>, problems: &mut Problems<'_>) -> Option<Xml<'x>> {
        resolve(&self.messages, at, "messageRef", "message", problems)
    }

    /// The signal that an event refers to.
    pub(super) fn signal(&self, at: Xml<'x>, problems: &mut Problems<'_>) -> Option<Xml<'x>> {
        resolve(&self.signals, at, "signalRef", "signal", problems)
    }

    /// The error that an event refers to.
    pub(super) fn error(&self, at: Xml<'x>, problems: &mut Problems<'_>) -> Option<Xml<'x>> {
        resolve(&self.errors, at, "errorRef", "error", problems)
    }
}

fn resolve<'x>(
    by_id: &HashMap<&'x str, Xml<'x>>,
    at: Xml<'x>,
    attribute: &str,
    what: &str,
    problems: &mut Problems<'_>,
) -> Option<Xml<'x>> {
    let Some(reference) = xml::attribute(at, attribute) else {
        problems.at(at, format!("{attribute} is missing: name the {what}"));
        return None;
    };
    let found = by_id.get(reference).or_else(|| by_id.get(xml::reference(reference))).copied();
    if found.is_none() {
        problems.at(at, format!("{attribute} '{reference}' leads nowhere: the file has no such {what}"));
    }
    found
}

/// Ids must be unique among the BPMN elements of a file; those of diagrams do not matter.
fn unique_ids(root: Xml<'_>, problems: &mut Problems<'_>) {
    let mut seen = HashMap::new();
    for element in root.descendants().filter(|element| xml::bpmn(*element).is_some()) {
        let Some(id) = xml::attribute(element, "id") else { continue };
        if id.chars().nth(super::super::step::MAX_TEXT).is_some() {
            problems.at(element, "the id is too long: 255 characters are the limit");
        }
        if let Some(first) = seen.insert(id, element) {
            let process = |element| xml::bpmn(element) == Some("process");
            let message = if process(first) && process(element) {
                format!("two processes have the id '{id}': give each its own")
            } else {
                format!("the id '{id}' is used more than once: give each element its own")
            };
            problems.at(element, message);
        }
    }
}
