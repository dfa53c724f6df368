use jiff::ToSpan;
use proptest::prelude::*;
use serde_json::json;

use super::super::state::Stage;
use super::super::{Change, Command, InstanceState, Map, Process, step};
use super::{at, map, process};

/// A block of a structured model.
#[derive(Clone, Debug)]
pub(in crate::adapters::engines::embedded) enum Block {
    Job,
    UserTask,
    Timer,
    Message,
    Pass,
    Sequence(Vec<Block>),
    Parallel(Vec<Block>),
    Choice(Vec<Block>),
    Sub(Box<Block>),
    /// With an interrupting and a non-interrupting boundary timer, and an error event.
    Guarded(Box<Block>),
    /// In a sub-process beside a terminate end event, which is reached at once or after a job.
    Halted(Box<Block>, bool),
}

pub(in crate::adapters::engines::embedded) fn blocks() -> impl Strategy<Value = Block> {
    let leaf = prop_oneof![
        3 => Just(Block::Job),
        1 => Just(Block::UserTask),
        1 => Just(Block::Timer),
        1 => Just(Block::Message),
        1 => Just(Block::Pass)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Block::Sequence),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Block::Parallel),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Block::Choice),
            inner.clone().prop_map(|block| Block::Sub(Box::new(block))),
            inner.clone().prop_map(|block| Block::Guarded(Box::new(block))),
            (inner, any::<bool>()).prop_map(|(block, at_once)| Block::Halted(Box::new(block), at_once)),
        ]
    })
}

/// Writes blocks as BPMN; every block has one way in and one way out.
#[derive(Default)]
struct Writer {
    xml: String,
    last: usize,
}

impl Writer {
    fn id(&mut self) -> String {
        self.last += 1;
        format!("e{}", self.last)
    }

    fn element(&mut self, text: &str) -> String {
        let id = self.id();
        self.xml += &text.replace("ID", &id);
        id
    }

    fn flow(&mut self, source: &str, target: &str, condition: &str) {
        for part in ["\n@", source, " -> ", target, condition, "\n"] {
            self.xml.push_str(part);
        }
    }

    fn block(&mut self, block: &Block) -> (String, String) {
        let one = |id: String| (id.clone(), id);
        match block {
            Block::Job => one(self.element("<job id=\"ID\"/>")),
            Block::UserTask => one(self.element("<:userTask id=\"ID\"/>")),
            Block::Pass => one(self.element("<:task id=\"ID\"/>")),
            Block::Timer => one(self.element("<:intermediateCatchEvent id=\"ID\"><:timerEventDefinition><:timeDuration>PT1M</:timeDuration></:timerEventDefinition></:intermediateCatchEvent>")),
            Block::Message => one(self.element("<:receiveTask id=\"ID\" messageRef=\"msg\"/>")),
            Block::Sequence(blocks) => {
                let ends: Vec<_> = blocks.iter().map(|block| self.block(block)).collect();
                for pair in ends.windows(2) {
                    self.flow(&pair[0].1, &pair[1].0, "");
                }
                (ends[0].0.clone(), ends[ends.len() - 1].1.clone())
            }
            Block::Parallel(blocks) => self.gateways("parallelGateway", blocks, |_| String::new()),
            Block::Choice(blocks) => self.gateways("exclusiveGateway", blocks, |index| match index {
                0 => String::new(),
                _ => format!(": ${{n > {index}}}"),
            }),
            Block::Sub(inner) => one(self.sub(inner)),
            Block::Guarded(inner) => {
                let sub = self.sub(inner);
                let merge = self.element("<:exclusiveGateway id=\"ID\"/>");
                self.flow(&sub, &merge, "");
                for (attributes, definition) in [
                    ("", "<:timerEventDefinition><:timeDuration>PT5M</:timeDuration></:timerEventDefinition>"),
                    ("", "<:errorEventDefinition/>"),
                ] {
                    let event = self.element(&format!("<:boundaryEvent id=\"ID\" attachedToRef=\"{sub}\" {attributes}>{definition}</:boundaryEvent>"));
                    self.flow(&event, &merge, "");
                }
                let beside = self.element(&format!("<:boundaryEvent id=\"ID\" attachedToRef=\"{sub}\" cancelActivity=\"false\"><:timerEventDefinition><:timeCycle>R2/PT1M</:timeCycle></:timerEventDefinition></:boundaryEvent>"));
                let job = self.element("<job id=\"ID\"/>");
                self.flow(&beside, &job, "");
                (sub, merge)
            }
            Block::Halted(inner, at_once) => {
                let sub = self.element("<:subProcess id=\"ID\">");
                let begin = self.element("<:startEvent id=\"ID\"/>");
                let mut before = self.element("<:parallelGateway id=\"ID\"/>");
                self.flow(&begin, &before, "");
                let fork = before.clone();
                if !at_once {
                    before = self.element("<job id=\"ID\"/>");
                    self.flow(&fork, &before, "");
                }
                let stop = self.element("<:endEvent id=\"ID\"><:terminateEventDefinition/></:endEvent>");
                self.flow(&before, &stop, "");
                let (first, _) = self.block(inner);
                self.flow(&fork, &first, "");
                self.xml += "</:subProcess>";
                one(sub)
            }
        }
    }

    fn sub(&mut self, inner: &Block) -> String {
        let sub = self.element("<:subProcess id=\"ID\">");
        let begin = self.element("<:startEvent id=\"ID\"/>");
        let (first, last) = self.block(inner);
        self.flow(&begin, &first, "");
        let end = self.element("<:endEvent id=\"ID\"/>");
        self.flow(&last, &end, "");
        self.xml += "</:subProcess>";
        sub
    }

    fn gateways(&mut self, kind: &str, blocks: &[Block], condition: impl Fn(usize) -> String) -> (String, String) {
        let split = self.element(&format!("<:{kind} id=\"ID\"/>"));
        let ends: Vec<_> = blocks.iter().map(|block| self.block(block)).collect();
        let join = self.element(&format!("<:{kind} id=\"ID\"/>"));
        for (index, (first, last)) in ends.iter().enumerate() {
            self.flow(&split, first, &condition(index));
            self.flow(last, &join, "");
        }
        (split, join)
    }
}

/// A file with the process `p`, which is a block.
pub(in crate::adapters::engines::embedded) fn file_of(block: &Block) -> String {
    super::file(&body(block))
}

fn written(block: &Block) -> Process {
    process(&body(block))
}

fn body(block: &Block) -> String {
    let mut writer = Writer::default();
    let start = writer.element("<:startEvent id=\"ID\"/>");
    let (first, last) = writer.block(block);
    writer.flow(&start, &first, "");
    let end = writer.element("<:endEvent id=\"ID\"/>");
    writer.flow(&last, &end, "");
    writer.xml
}

/// All that could be told to an instance now.
fn possible(state: &InstanceState, errors: bool) -> Vec<Command> {
    let variables = || map(json!({"x": 1}));
    let mut commands = Vec::new();
    if state.needs_continue() {
        commands.push(Command::Continue);
    }
    for (key, active) in &state.active {
        match active.stage {
            Stage::Job => {
                commands.push(Command::CompleteJob { key: *key, variables: variables() });
                if errors {
                    let (code, message) = ("E".to_owned(), None);
                    commands.push(Command::ThrowError { key: *key, code, message, variables: variables() });
                }
            }
            Stage::UserTask => commands.push(Command::CompleteTask { key: *key, variables: variables() }),
            _ => {}
        }
        for wait in &active.waits {
            commands.push(match wait.event {
                super::super::state::WaitEvent::Timer(_) => Command::FireTimer { key: wait.key },
                super::super::state::WaitEvent::Message(_) => {
                    Command::DeliverMessage { key: wait.key, variables: variables() }
                }
                super::super::state::WaitEvent::Signal => {
                    Command::DeliverSignal { key: wait.key, variables: variables() }
                }
            });
        }
        commands.extend(active.incident.map(|key| Command::RetryIncident { key }));
    }
    commands
}

fn random_command() -> impl Strategy<Value = Command> {
    let key = 0_u64..40;
    prop_oneof![
        key.clone().prop_map(|key| Command::CompleteJob { key, variables: Map::new() }),
        key.clone().prop_map(|key| Command::CompleteTask { key, variables: map(json!({"n": 2})) }),
        (key.clone(), "[EX]").prop_map(|(key, code)| Command::ThrowError {
            key,
            code,
            message: None,
            variables: Map::new()
        }),
        key.clone().prop_map(|key| Command::FireTimer { key }),
        key.clone().prop_map(|key| Command::DeliverMessage { key, variables: map(json!({"m": 1})) }),
        key.clone().prop_map(|key| Command::DeliverSignal { key, variables: Map::new() }),
        key.prop_map(|key| Command::RetryIncident { key }),
        Just(Command::Continue),
        Just(Command::SetVariables { variables: map(json!({"n": 3})) }),
        Just(Command::Start { element_id: None, variables: map(json!({"n": 1})) }),
        Just(Command::Cancel),
    ]
}

/// Nothing is left over: every thing that was opened is told to be over exactly once.
#[derive(Default, Debug)]
struct Ledger {
    open: std::collections::BTreeMap<u64, &'static str>,
    ended: bool,
}

impl Ledger {
    fn note(&mut self, changes: &[Change]) {
        for change in changes {
            assert!(!self.ended, "a change after the end: {change:?}");
            match change {
                Change::JobCreated { key, .. } => self.begin(*key, "job"),
                Change::TaskCreated(task) => self.begin(task.key, "task"),
                Change::TimerScheduled { key, .. } => self.begin(*key, "timer"),
                Change::SubscriptionOpened { key, .. } => self.begin(*key, "subscription"),
                Change::IncidentRaised { key, .. } => self.begin(*key, "incident"),
                Change::JobCompleted { key, .. }
                | Change::JobErrorThrown { key, .. }
                | Change::JobCancelled { key, .. } => {
                    self.end(*key, "job");
                }
                Change::TaskCompleted { key, .. } | Change::TaskCancelled { key, .. } => self.end(*key, "task"),
                Change::TimerFired { key, next: None, .. } | Change::TimerCancelled { key } => self.end(*key, "timer"),
                Change::SubscriptionClosed { key } => self.end(*key, "subscription"),
                Change::IncidentResolved { key, .. } => self.end(*key, "incident"),
                Change::TimerFired { .. } | Change::MessageCorrelated { .. } | Change::Continue => {}
                Change::Completed { .. } | Change::Failed { .. } | Change::Cancelled => {
                    self.ended = true;
                    assert!(self.open.is_empty(), "left over at the end: {:?}", self.open);
                }
            }
        }
    }

    fn begin(&mut self, key: u64, what: &'static str) {
        assert_eq!(self.open.insert(key, what), None, "{what} {key} opened twice");
    }

    fn end(&mut self, key: u64, what: &'static str) {
        assert_eq!(self.open.remove(&key), Some(what), "{what} {key} was not open");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_model_runs_to_its_end_whatever_the_order(block in blocks(), n in 0_i64..4, choices in prop::collection::vec(any::<prop::sample::Index>(), 120), errors in any::<bool>()) {
        let process = written(&block);
        let (mut state, mut stored) = (InstanceState::new(None), InstanceState::new(None));
        let (mut now, mut ledger) = (at(super::NOW), Ledger::default());
        let start = Command::Start { element_id: None, variables: map(json!({"n": n})) };
        let mut next = Some(start);
        let mut choices = choices.into_iter();
        while let Some(command) = next {
            let changes = step(&process, &mut state, command.clone(), now).unwrap();
            // The same commands over a state that is stored in between give the same.
            prop_assert_eq!(step(&process, &mut stored, command, now).unwrap(), changes.clone());
            stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
            prop_assert_eq!(&stored, &state);
            prop_assert_eq!(state.size, state.measured());
            ledger.note(&changes);
            now = now.checked_add(1.minute()).unwrap();
            let possible = possible(&state, errors);
            // After the random part: always the first, so that cycles come to an end.
            next = match choices.next() {
                _ if possible.is_empty() => None,
                Some(choice) => Some(choice.get(&possible).clone()),
                None => possible.into_iter().find(|command| !matches!(command, Command::ThrowError { .. } | Command::RetryIncident { .. })),
            };
        }
        prop_assert!(state.ended() || state.active.values().any(|active| active.incident.is_some()), "{:?}", state);
        prop_assert_eq!(state.ended(), ledger.ended);
    }

    #[test]
    fn no_command_panics_and_a_refusal_changes_nothing(block in blocks(), commands in prop::collection::vec(random_command(), 1..60)) {
        let process = written(&block);
        let mut state = InstanceState::new(None);
        let mut ledger = Ledger::default();
        for command in commands {
            let before = state.clone();
            if let Ok(changes) = step(&process, &mut state, command, at(super::NOW)) {
                ledger.note(&changes);
            } else {
                prop_assert_eq!(&before, &state);
            }
            prop_assert_eq!(state.size, state.measured());
        }
    }

    #[test]
    fn a_state_of_another_process_is_no_panic(one in blocks(), other in blocks(), commands in prop::collection::vec(random_command(), 1..30)) {
        let (one, other) = (written(&one), written(&other));
        let mut state = InstanceState::new(None);
        for (index, command) in commands.into_iter().enumerate() {
            let process = if index % 2 == 0 { &one } else { &other };
            let _ = step(process, &mut state, command, at(super::NOW));
        }
    }

    #[test]
    fn no_text_panics_the_reader(text in "(<[a-z:/!?]{0,6}[ a-z=\"'&;]{0,8}/?>?|[<>&\"']|<!--|-->|<!\\[CDATA\\[|\\PC){0,40}") {
        let _ = super::super::read(&text);
    }

    #[test]
    fn no_cut_or_changed_file_panics_the_reader(block in blocks(), at in any::<prop::sample::Index>(), with in "[<>\"'a&/]{0,2}", cut in 0_usize..40) {
        let mut writer = Writer::default();
        writer.block(&block);
        let mut xml: Vec<char> = super::file(&writer.xml).chars().collect();
        let from = at.index(xml.len());
        let to = (from + cut).min(xml.len());
        xml.splice(from..to, with.chars());
        let _ = super::super::read(&xml.into_iter().collect::<String>());
    }
}
