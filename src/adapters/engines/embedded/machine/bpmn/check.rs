//! Links flows, boundary events and sub-processes, and checks what no single element can tell.

use std::collections::{HashMap, HashSet};

use super::super::model::{Element, Flow, Kind, StartEvent};
use super::problems::Problems;
use super::process::{Draft, DraftFlow};
use super::xml::{self, Xml};

/// How many conditions, mapped values, boundary events and events of an event-based gateway one element may have: a step cannot pause inside an element.
const MAX_EXPRESSIONS: usize = 250;

/// Resolves all references, and gives the flows.
pub(super) fn link(draft: &mut Draft<'_>, process: Xml<'_>, problems: &mut Problems<'_>) -> Vec<Flow> {
    let flows = link_flows(draft, problems);
    link_defaults(draft, &flows, problems);
    link_boundaries(draft, problems);
    link_starts(draft, process, problems);
    for index in 0..draft.elements.len() {
        check_element(draft, index, &flows, problems);
    }
    flows
}

fn link_flows(draft: &mut Draft<'_>, problems: &mut Problems<'_>) -> Vec<Flow> {
    let mut flows = Vec::with_capacity(draft.flows.len());
    for flow in std::mem::take(&mut draft.flows) {
        let source = end(draft, &flow, "sourceRef", problems);
        let target = end(draft, &flow, "targetRef", problems);
        let (Some(source), Some(target)) = (source, target) else { continue };
        let index = flows.len();
        if let Some(element) = draft.elements.get_mut(source) {
            element.outgoing.push(index);
        }
        if let Some(element) = draft.elements.get_mut(target) {
            element.incoming.push(index);
        }
        flows.push(Flow { id: flow.id, target, condition: flow.condition });
    }
    flows
}

/// The element at one end of a flow, which must be in the same process or sub-process as the flow.
fn end(draft: &Draft<'_>, flow: &DraftFlow<'_>, attribute: &str, problems: &mut Problems<'_>) -> Option<usize> {
    let Some(reference) = xml::attribute(flow.place, attribute) else {
        problems.at(flow.place, format!("{attribute} is missing"));
        return None;
    };
    let Some(index) = draft.find(reference) else {
        problems.at(flow.place, format!("{attribute} '{reference}' leads nowhere: the process has no such element"));
        return None;
    };
    if draft.elements.get(index).is_some_and(|element| element.parent != flow.parent) {
        problems.at(
            flow.place,
            format!("the flow crosses the border of a sub-process ({attribute} '{reference}'): flows stay on one side"),
        );
        return None;
    }
    Some(index)
}

fn link_defaults(draft: &mut Draft<'_>, flows: &[Flow], problems: &mut Problems<'_>) {
    for (element, place) in draft.elements.iter_mut().zip(&draft.places) {
        let Some(reference) = xml::attribute(*place, "default") else { continue };
        let flow = |index: &usize| flows.get(*index);
        element.default =
            element.outgoing.iter().copied().find(|index| flow(index).is_some_and(|flow| flow.id == reference));
        match element.default.and_then(|index| flows.get(index)) {
            None => problems.at(*place, format!("default '{reference}' is no flow that leaves this element")),
            Some(flow) if flow.condition.is_some() => {
                problems.at(*place, format!("the default flow '{reference}' has a condition: remove one of the two"));
            }
            Some(_) => {}
        }
    }
}

fn link_boundaries(draft: &mut Draft<'_>, problems: &mut Problems<'_>) {
    for index in 0..draft.elements.len() {
        let (Some(place), Some(event)) = (draft.places.get(index).copied(), draft.elements.get(index)) else {
            continue;
        };
        if xml::bpmn(place) != Some("boundaryEvent") {
            continue;
        }
        let parent = event.parent;
        let Some(reference) = xml::attribute(place, "attachedToRef") else {
            problems.at(place, "attachedToRef is missing: attach the boundary event to a task or sub-process");
            continue;
        };
        let attached = draft.find(reference).and_then(|found| draft.elements.get_mut(found));
        match attached {
            Some(element) if element.parent == parent && is_activity(&element.kind) => element.boundary.push(index),
            Some(element) if element.parent == parent => {
                problems.at(place, format!("attachedToRef '{reference}' is no task or sub-process"));
            }
            Some(_) => {
                problems.at(place, format!("attachedToRef '{reference}' is not in the same process or sub-process"));
            }
            None => problems
                .at(place, format!("attachedToRef '{reference}' leads nowhere: the process has no such element")),
        }
    }
}

/// What is refused stands in as an element that is passed through, and gets no second complaint here.
fn is_activity(kind: &Kind) -> bool {
    matches!(kind, Kind::PassThrough | Kind::Job(_) | Kind::UserTask(_) | Kind::Receive(_) | Kind::SubProcess { .. })
}

/// Every process has a start, every sub-process exactly one without a trigger.
fn link_starts(draft: &mut Draft<'_>, process: Xml<'_>, problems: &mut Problems<'_>) {
    let mut none_starts: HashMap<Option<usize>, usize> = HashMap::new();
    let mut messages = HashSet::new();
    let mut any_start = false;
    for (index, (element, place)) in draft.elements.iter().zip(&draft.places).enumerate() {
        let is_start = xml::bpmn(*place) == Some("startEvent");
        any_start |= is_start && element.parent.is_none();
        match &element.kind {
            Kind::Start(StartEvent::None) if none_starts.insert(element.parent, index).is_some() => {
                problems.at(*place, "there is more than one none start event: keep one");
            }
            Kind::Start(StartEvent::None) => {}
            Kind::Start(_) if element.parent.is_some_and(|parent| is_sub_process(draft, parent)) => {
                problems.at(*place, "the start event of a sub-process has no trigger: remove its event definition");
            }
            Kind::Start(StartEvent::Message(name)) if !messages.insert(name) => {
                problems.at(*place, format!("more than one start event waits for the message '{name}': keep one"));
            }
            _ => {}
        }
    }
    if !any_start {
        problems.at(process, "the process has no start event");
    }
    for index in 0..draft.elements.len() {
        let (Some(element), Some(place)) = (draft.elements.get_mut(index), draft.places.get(index)) else { continue };
        if let Kind::SubProcess { start } = &mut element.kind {
            match none_starts.get(&Some(index)) {
                Some(found) => *start = *found,
                None => problems.at(*place, "the sub-process has no none start event: give it one"),
            }
        }
    }
}

/// False for those that are refused as a whole.
fn is_sub_process(draft: &Draft<'_>, index: usize) -> bool {
    draft.elements.get(index).is_some_and(|element| matches!(element.kind, Kind::SubProcess { .. }))
}

fn check_element(draft: &mut Draft<'_>, index: usize, flows: &[Flow], problems: &mut Problems<'_>) {
    let (Some(element), Some(place)) = (draft.elements.get(index), draft.places.get(index).copied()) else { return };
    let name = xml::bpmn(place).unwrap_or_default();
    if !element.incoming.is_empty() && matches!(name, "startEvent" | "boundaryEvent") {
        problems.at(place, "no flow may lead to a start or boundary event");
    }
    if !element.outgoing.is_empty() && name == "endEvent" {
        problems.at(place, "no flow may leave an end event");
    }
    let conditions =
        element.outgoing.iter().filter_map(|flow| flows.get(*flow)).filter(|flow| flow.condition.is_some());
    let awaited = if matches!(element.kind, Kind::EventGateway) { element.outgoing.len() } else { 0 };
    let awaited = awaited.saturating_add(element.boundary.len());
    let expressions = conditions.count().saturating_add(element.mapped_values()).saturating_add(awaited);
    if expressions > MAX_EXPRESSIONS {
        let advice = "spread them over several elements";
        problems.at(place, format!("more than {MAX_EXPRESSIONS} conditions, mappings and events: {advice}"));
    }
    match &element.kind {
        Kind::ExclusiveGateway => check_exclusive(draft, index, place, flows, problems),
        Kind::EventGateway => {
            check_unconditional(element, place, flows, problems);
            check_event_gateway(draft, element, place, flows, problems);
        }
        Kind::ParallelGateway => check_unconditional(element, place, flows, problems),
        _ => {}
    }
}

/// One flow without a condition counts as the default, as in Camunda 7; more of them would be a guess.
fn check_exclusive(draft: &mut Draft<'_>, index: usize, place: Xml<'_>, flows: &[Flow], problems: &mut Problems<'_>) {
    let Some(gateway) = draft.elements.get_mut(index) else { return };
    let bare = |flow: &usize| flows.get(*flow).is_some_and(|flow| flow.condition.is_none());
    let mut without = gateway
        .outgoing
        .iter()
        .copied()
        .filter(|flow| bare(flow) && gateway.default != Some(*flow))
        .collect::<Vec<_>>();
    if gateway.default.is_none() && without.len() == 1 {
        gateway.default = without.pop();
    }
    for flow in without.iter().filter_map(|flow| flows.get(*flow)) {
        problems.at(place, format!("flow '{}' has no condition and is not the default: give it one", flow.id));
    }
}

fn check_unconditional(element: &Element, place: Xml<'_>, flows: &[Flow], problems: &mut Problems<'_>) {
    for flow in element.outgoing.iter().filter_map(|flow| flows.get(*flow)) {
        if flow.condition.is_some() {
            problems.at(
                place,
                format!("flow '{}' has a condition, which this gateway would not look at: remove it", flow.id),
            );
        }
    }
}

fn check_event_gateway(
    draft: &Draft<'_>,
    gateway: &Element,
    place: Xml<'_>,
    flows: &[Flow],
    problems: &mut Problems<'_>,
) {
    if gateway.outgoing.is_empty() {
        problems.at(place, "an event-based gateway needs flows to the events that it waits for");
    }
    for flow in gateway.outgoing.iter().filter_map(|flow| flows.get(*flow)) {
        let Some(target) = draft.elements.get(flow.target) else { continue };
        let refused = draft.places.get(flow.target).is_some_and(|place| {
            matches!(target.kind, Kind::PassThrough)
                && matches!(xml::bpmn(*place), Some("intermediateCatchEvent" | "receiveTask"))
        });
        let waits = matches!(target.kind, Kind::Catch(_) | Kind::Receive(_));
        if !waits && !refused {
            problems.at(place, format!("flow '{}' must lead to a catch event or a receive task", flow.id));
        } else if target.incoming.len() > 1 {
            problems.at(place, format!("'{}' after an event-based gateway may have no other incoming flow", target.id));
        } else if !target.boundary.is_empty() || !target.inputs.is_empty() {
            problems.at(
                place,
                format!(
                    "'{}' after an event-based gateway may have neither boundary events nor input mappings",
                    target.id
                ),
            );
        }
    }
}

impl Draft<'_> {
    fn find(&self, reference: &str) -> Option<usize> {
        self.by_id.get(reference).or_else(|| self.by_id.get(xml::reference(reference))).copied()
    }
}
