//! Flow nodes by their kind: what runs, what is passed over, and what is refused with advice.

use super::super::model::{Element, Kind};
use super::definitions::Definitions;
use super::extensions::Mappings;
use super::problems::Problems;
use super::xml::{self, Xml};
use super::{events, extensions, tasks};

/// What a child of a process or sub-process turned out to be.
pub(super) enum Found {
    Element(Kind),
    /// It does not change what runs.
    Ignored,
}

/// Children of processes, sub-processes and flow nodes that do not change what runs.
const IGNORED: [&str; 21] = [
    "documentation",
    "extensionElements",
    "incoming",
    "outgoing",
    "laneSet",
    "dataObject",
    "dataObjectReference",
    "dataStoreReference",
    "dataInputAssociation",
    "dataOutputAssociation",
    "ioSpecification",
    "property",
    "textAnnotation",
    "association",
    "group",
    "auditing",
    "monitoring",
    "supportedInterfaceRef",
    "correlationSubscription",
    "multiInstanceLoopCharacteristics",
    "standardLoopCharacteristics",
];

/// Reads what an element does. One that is refused still counts as an element, so that flows to it find their end.
pub(super) fn read<'x>(xml: Xml<'x>, name: &str, definitions: &Definitions<'x>, problems: &mut Problems<'_>) -> Found {
    if IGNORED.contains(&name) {
        return Found::Ignored;
    }
    let kind = match name {
        "task" | "manualTask" => Some(Kind::PassThrough),
        "serviceTask" | "sendTask" | "scriptTask" | "businessRuleTask" => tasks::job(xml, name, problems),
        "userTask" => Some(tasks::user_task(xml, problems)),
        "receiveTask" => tasks::receive(xml, definitions, problems),
        "exclusiveGateway" => Some(Kind::ExclusiveGateway),
        "parallelGateway" => Some(Kind::ParallelGateway),
        "eventBasedGateway" => event_gateway(xml, problems),
        "subProcess" => sub_process(xml, problems),
        "startEvent" => events::start(xml, definitions, problems),
        "endEvent" => events::end(xml, definitions, problems),
        "intermediateThrowEvent" => events::throw(xml, problems),
        "intermediateCatchEvent" => events::catch(xml, definitions, problems),
        "boundaryEvent" => events::boundary(xml, definitions, problems),
        other => {
            problems.at(xml, unsupported(other));
            None
        }
    };
    Found::Element(kind.unwrap_or(Kind::PassThrough))
}

fn unsupported(name: &str) -> String {
    match name {
        "callActivity" => {
            "call activities are not supported: use an embedded sub-process, or start the other process from a job"
                .into()
        }
        "inclusiveGateway" => "inclusive gateways are not supported: use exclusive and parallel gateways".into(),
        "complexGateway" => "complex gateways are not supported: use exclusive and parallel gateways".into(),
        "transaction" => {
            "transactions are not supported: use an embedded sub-process with error boundary events".into()
        }
        "adHocSubProcess" => "ad-hoc sub-processes are not supported: use an embedded sub-process".into(),
        other => format!("{other} is not supported: remove it, or run this process on another engine"),
    }
}

fn event_gateway(xml: Xml<'_>, problems: &mut Problems<'_>) -> Option<Kind> {
    if xml::flag(xml, "instantiate", false) {
        problems.at(
            xml,
            "an event-based gateway that starts instances is not supported: use a start event for each message",
        );
        return None;
    }
    if xml::attribute(xml, "eventGatewayType") == Some("Parallel") {
        problems.at(xml, "a parallel event-based gateway is not supported: use a parallel gateway and catch events");
        return None;
    }
    Some(Kind::EventGateway)
}

/// The start is found when all elements are known.
fn sub_process(xml: Xml<'_>, problems: &mut Problems<'_>) -> Option<Kind> {
    if xml::flag(xml, "triggeredByEvent", false) {
        problems.at(xml, "event sub-processes are not supported: use boundary events on a sub-process");
        return None;
    }
    Some(Kind::SubProcess { start: usize::MAX })
}

/// Puts together what all flow nodes have.
pub(super) fn build(xml: Xml<'_>, kind: Kind, parent: Option<usize>, problems: &mut Problems<'_>) -> Element {
    reject_loops(xml, problems);
    extensions::reject(xml, problems);
    let id = if let Some(id) = xml::attribute(xml, "id") {
        id.to_owned()
    } else {
        problems.at(xml, "the element has no id");
        format!("element at byte {}", xml.range().start)
    };
    let mappings = extensions::mappings(xml, problems);
    reject_mappings(xml, &kind, &mappings, problems);
    Element {
        id,
        kind,
        parent,
        incoming: Vec::new(),
        outgoing: Vec::new(),
        default: None,
        boundary: Vec::new(),
        confined: mappings.zeebe && !mappings.outputs.is_empty(),
        inputs: mappings.inputs,
        outputs: mappings.outputs,
    }
}

/// Mappings that nothing would ever carry out.
fn reject_mappings(xml: Xml<'_>, kind: &Kind, mappings: &Mappings, problems: &mut Problems<'_>) {
    let (inputs, outputs) = (!mappings.inputs.is_empty(), !mappings.outputs.is_empty());
    let message = match kind {
        Kind::ExclusiveGateway | Kind::ParallelGateway | Kind::EventGateway if inputs || outputs => {
            "mappings at a gateway are not supported: move them to the task before or after it"
        }
        Kind::Start(_) | Kind::Boundary(_) if inputs => {
            "input mappings need a task: move them to the one after this event"
        }
        Kind::ErrorEnd { .. } | Kind::TerminateEnd if outputs => {
            "output mappings here would never be carried out: move them to the task before this event"
        }
        _ => return,
    };
    problems.at(xml, message);
}

fn reject_loops(xml: Xml<'_>, problems: &mut Problems<'_>) {
    for (child, name) in xml::children(xml) {
        match name {
            "multiInstanceLoopCharacteristics" => problems.at(
                child,
                "multi-instance is not supported: let one job handle the list, or loop with an exclusive gateway",
            ),
            "standardLoopCharacteristics" => {
                problems.at(child, "standard loops are not supported: loop with an exclusive gateway");
            }
            _ => {}
        }
    }
    if xml::flag(xml, "isForCompensation", false) {
        problems.at(xml, "compensation is not supported: model what undoes the work as a path of its own");
    }
}
