//! A process as the machine runs it: elements and flows in document order, every expression already parsed.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Map;
use super::expression::{Budget, EvaluationError, Expression};
use super::timer::{Schedule, TimerDefinition};

/// An executable process of a BPMN file.
#[derive(Clone, Debug)]
pub struct Process {
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) elements: Vec<Element>,
    pub(super) flows: Vec<Flow>,
    /// The elements by id, for states that come back from storage.
    pub(super) by_id: HashMap<String, usize>,
    /// The flows by id.
    pub(super) flows_by_id: HashMap<String, usize>,
}

/// A message start event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageStart {
    /// The start event.
    pub element_id: String,
    /// The message that starts an instance.
    pub message_name: String,
}

/// A signal start event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalStart {
    /// The start event.
    pub element_id: String,
    /// The signal that starts an instance.
    pub signal_name: String,
}

/// A timer start event.
#[derive(Clone, Debug, PartialEq)]
pub struct TimerStart {
    /// The start event.
    pub element_id: String,
    /// When it fires.
    pub schedule: Schedule,
}

impl Process {
    /// The process id, by which instances are started.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name given in the model.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the process can be started without a message, signal or timer.
    pub fn none_start(&self) -> bool {
        self.none_start_of(None).is_some()
    }

    /// The messages that start an instance.
    pub fn message_starts(&self) -> Vec<MessageStart> {
        self.starts()
            .filter_map(|(element, event)| match event {
                StartEvent::Message(name) => {
                    Some(MessageStart { element_id: element.id.clone(), message_name: name.clone() })
                }
                _ => None,
            })
            .collect()
    }

    /// The signals that start an instance.
    pub fn signal_starts(&self) -> Vec<SignalStart> {
        self.starts()
            .filter_map(|(element, event)| match event {
                StartEvent::Signal(name) => {
                    Some(SignalStart { element_id: element.id.clone(), signal_name: name.clone() })
                }
                _ => None,
            })
            .collect()
    }

    /// The timers that start an instance, as of `now`.
    ///
    /// # Errors
    /// When the expression of a timer fails or gives no timer.
    pub fn timer_starts(&self, now: Timestamp) -> Result<Vec<TimerStart>, EvaluationError> {
        let (nothing, budget) = (Map::new(), Budget::default());
        self.starts()
            .filter_map(|(element, event)| match event {
                StartEvent::Timer(timer) => Some((element, timer)),
                _ => None,
            })
            .map(|(element, timer)| {
                let schedule = timer.schedule(&nothing, now, &budget)?;
                Ok(TimerStart { element_id: element.id.clone(), schedule })
            })
            .collect()
    }

    /// The none start event of a sub-process, or of the process itself.
    pub(super) fn none_start_of(&self, parent: Option<usize>) -> Option<usize> {
        self.elements
            .iter()
            .position(|element| element.parent == parent && matches!(element.kind, Kind::Start(StartEvent::None)))
    }

    /// The start event of the process with an id.
    pub(super) fn start(&self, id: &str) -> Option<usize> {
        let index = self.index(id)?;
        let element = self.elements.get(index)?;
        (element.parent.is_none() && matches!(element.kind, Kind::Start(_))).then_some(index)
    }

    pub(super) fn flow(&self, id: &str) -> Option<usize> {
        self.flows_by_id.get(id).copied()
    }

    pub(super) fn index(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn element(&self, id: &str) -> Option<&Element> {
        self.elements.get(self.index(id)?)
    }

    fn starts(&self) -> impl Iterator<Item = (&Element, &StartEvent)> {
        self.elements.iter().filter(|element| element.parent.is_none()).filter_map(|element| match &element.kind {
            Kind::Start(event) => Some((element, event)),
            _ => None,
        })
    }
}

/// A flow node.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The sub-process around it; none in the process itself.
    pub(super) parent: Option<usize>,
    /// Indexes of flows, in document order.
    pub(super) incoming: Vec<usize>,
    /// Indexes of flows, in document order.
    pub(super) outgoing: Vec<usize>,
    pub(super) default: Option<usize>,
    /// Indexes of the boundary events attached to it, in document order.
    pub(super) boundary: Vec<usize>,
    pub(super) inputs: Vec<Mapping>,
    pub(super) outputs: Vec<Mapping>,
    /// Zeebe: with output mappings only their targets leave the element.
    pub(super) confined: bool,
}

/// A sequence flow.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) id: String,
    pub(super) target: usize,
    pub(super) condition: Option<Expression>,
}

/// What an element does.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Start(StartEvent),
    /// A none throw event, a manual task, a task of no kind: done as soon as reached.
    PassThrough,
    Job(Box<JobDefinition>),
    UserTask(Box<UserTaskDefinition>),
    Receive(Trigger),
    Catch(Trigger),
    Boundary(Box<Boundary>),
    ExclusiveGateway,
    ParallelGateway,
    EventGateway,
    /// The index is that of its none start event.
    SubProcess {
        start: usize,
    },
    NoneEnd,
    ErrorEnd {
        code: Expression,
        message: Option<String>,
    },
    TerminateEnd,
}

/// How a start event is started.
#[derive(Clone, Debug)]
pub(super) enum StartEvent {
    None,
    Message(String),
    Signal(String),
    Timer(TimerDefinition),
}

/// What an element waits for.
#[derive(Clone, Debug)]
pub(super) enum Trigger {
    Timer(TimerDefinition),
    /// With a correlation key in Zeebe's dialect; without one the business key decides.
    Message {
        name: Expression,
        correlation_key: Option<Expression>,
    },
    Signal {
        name: Expression,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Boundary {
    pub(super) interrupting: bool,
    pub(super) event: BoundaryEvent,
}

#[derive(Clone, Debug)]
pub(super) enum BoundaryEvent {
    Trigger(Trigger),
    Error(ErrorCatch),
}

/// The errors that a boundary event catches.
#[derive(Clone, Debug)]
pub(super) struct ErrorCatch {
    /// None catches every code.
    pub(super) code: Option<String>,
    pub(super) code_variable: Option<String>,
    pub(super) message_variable: Option<String>,
}

/// A task for workers.
#[derive(Clone, Debug)]
pub(super) struct JobDefinition {
    pub(super) topic: Expression,
    pub(super) retries: Option<Expression>,
    pub(super) headers: std::collections::BTreeMap<String, String>,
}

/// A task for people.
#[derive(Clone, Debug)]
pub(super) struct UserTaskDefinition {
    pub(super) name: Option<Expression>,
    pub(super) assignee: Option<Expression>,
    pub(super) candidate_users: Option<Expression>,
    pub(super) candidate_groups: Option<Expression>,
    pub(super) due: Option<Expression>,
    pub(super) follow_up: Option<Expression>,
    pub(super) priority: Option<Expression>,
    pub(super) form_key: Option<Expression>,
}

/// One input or output mapping: a value, and the path of the variable it goes to (`a.b` has two segments).
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) target: Vec<String>,
    pub(super) source: Source,
}

/// Where the value of a mapping comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Expression(Expression),
    /// `camunda:list`
    List(Vec<Source>),
    /// `camunda:map`
    Map(Vec<(String, Source)>),
    /// An empty parameter.
    Null,
}

impl Element {
    /// How many values its mappings compute.
    pub(super) fn mapped_values(&self) -> usize {
        self.inputs.iter().chain(&self.outputs).map(|mapping| mapping.source.values()).sum()
    }
}

impl Source {
    fn values(&self) -> usize {
        match self {
            Self::Expression(_) | Self::Null => 1,
            Self::List(items) => items.iter().map(Self::values).sum(),
            Self::Map(entries) => entries.iter().map(|(_, value)| value.values()).sum(),
        }
    }
}
