//! An open socket: tells what happens, starts what it is told to, and ends when its token does, when its right is lost, when
//! nobody listens any more, and when the gate stops.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        audit::note_refusal,
        codes,
        judged::{Judged, every},
        problem::Problem,
    },
    frames::{self, Frame, RunWorkflow, RunWorkflowFrame, Unreadable, Wish},
    link::{Link, Turn, breach},
};
use crate::{
    app::{
        App,
        audit::Place,
        context::{self, AuthContext},
        error::AppError,
        events::Tail,
    },
    domain::{bearer::BearerToken, event::Event, ids::WorkflowId, text::Key},
};

/// How many commands of one socket may be under way.
const MOST_RUNS: usize = 16;
/// How long answers that are still to come may take when the gate stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How a socket ends.
enum End {
    /// The client has closed it, or is gone.
    Gone,
    /// The client may not go on.
    Refused(Problem),
    /// The client said what the gate does not read: a code and a reason.
    Unread(u16, &'static str),
    /// The client takes nothing, or gives no sign of life.
    Dead,
    /// The events cannot be read.
    Broken,
    /// The gate stops.
    Stopping,
}

/// What is known of a socket before it is open.
pub(super) struct Session {
    pub(super) app: Arc<App>,
    pub(super) workflow: WorkflowId,
    pub(super) judged: Judged,
    /// Whom commands are done for.
    pub(super) context: Option<AuthContext>,
    /// The path, for problems.
    pub(super) path: String,
    pub(super) request_timeout: Duration,
    pub(super) heartbeat: Duration,
    pub(super) stopping: CancellationToken,
}

/// A socket that is open.
struct Open {
    session: Session,
    link: Link,
    events: mpsc::Receiver<Result<Vec<Event>, AppError>>,
    runs: FuturesUnordered<JoinHandle<Frame>>,
}

impl Session {
    /// Speaks until an end.
    pub(super) async fn run(self, tail: Tail, mut link: Link) {
        link.push(Frame::Ready(tail.head()));
        let events = feed(&self, tail);
        let mut open = Open { session: self, link, events, runs: FuturesUnordered::new() };
        let end = open.until_end().await;
        if matches!(end, End::Stopping) {
            open.answer_the_rest().await;
        }
        let Open { link, session, .. } = open;
        let (path, id) = (session.path, session.context.map(|context| context.request_id));
        match end {
            End::Gone => link.part().await,
            End::Refused(problem) => {
                tracing::debug!(code = problem.code().name, "a socket ends");
                let body = problem.body(Some(&path), id.as_deref());
                link.close_with(&problem, body).await;
            }
            End::Unread(code, reason) => link.close_unread(code, reason).await,
            End::Dead => link.close(4408, "nobody listens".to_owned()).await,
            End::Broken => link.close(1013, "the events cannot be read now; come back".to_owned()).await,
            End::Stopping => link.close(1001, "the gate stops; come back".to_owned()).await,
        }
    }
}

/// Reads the channel, a batch ahead at most, in a task of its own: whatever else the socket does, no reading is broken off,
/// and none holds a connection to the database while the socket waits for something else.
fn feed(session: &Session, mut tail: Tail) -> mpsc::Receiver<Result<Vec<Event>, AppError>> {
    let (sender, events) = mpsc::channel(1);
    drop(context::spawn(session.app.core.commands.tasks(), async move {
        let feeding = async {
            loop {
                let read = tail.next().await;
                let broken = read.is_err();
                if sender.send(read).await.is_err() || broken {
                    break;
                }
            }
        };
        tokio::select! {
            () = feeding => {}
            () = sender.closed() => {}
        }
    }));
    events
}

impl Open {
    async fn until_end(&mut self) -> End {
        let mut heartbeat = every(self.session.heartbeat);
        let stopping = self.session.stopping.clone();
        loop {
            tokio::select! {
                () = stopping.cancelled() => return End::Stopping,
                () = self.session.judged.due() => {
                    if let Err(problem) = self.session.judged.judge().await {
                        return End::Refused(problem);
                    }
                }
                _ = heartbeat.tick() => {
                    if self.link.is_dead(self.session.heartbeat * 3) {
                        return End::Dead;
                    }
                    self.link.push(Frame::Ping);
                }
                Some(answered) = self.runs.next() => match answered {
                    Ok(frame) => self.link.push(frame),
                    Err(died) => {
                        let problem = Problem::internal(&died);
                        self.refuse(None, &problem);
                    }
                },
                turn = self.link.turn() => {
                    if let Err(end) = self.turned(turn).await {
                        return end;
                    }
                }
                events = self.events.recv(), if self.link.wants_events() => match events {
                    Some(Ok(events)) => self.link.push_events(events),
                    Some(Err(error @ AppError::PositionExpired { .. })) => return End::Refused(error.into()),
                    Some(Err(error)) => {
                        tracing::warn!(error = %error, "the events of a socket could not be read");
                        return End::Broken;
                    }
                    None => return End::Broken,
                },
            }
        }
    }

    async fn turned(&mut self, turn: Result<Turn, tokio_tungstenite::tungstenite::Error>) -> Result<(), End> {
        match turn {
            Ok(Turn::Text(text)) => self.told(&text).await.map_err(End::Refused),
            Ok(Turn::Binary) => Err(End::Unread(1003, "a message must be a text")),
            Ok(Turn::Nothing) => Ok(()),
            Ok(Turn::Gone) => Err(End::Gone),
            Err(error) => Err(breach(&error).map_or(End::Gone, |(code, reason)| End::Unread(code, reason))),
        }
    }

    async fn told(&mut self, text: &str) -> Result<(), Problem> {
        match frames::read(text) {
            Ok(Wish::Auth(token)) => self.renew(token).await,
            Ok(Wish::Run(run)) => self.start(run).await,
            Err(Unreadable { request_id, problem }) => {
                self.refuse(request_id, &problem);
                Ok(())
            }
        }
    }

    fn refuse(&mut self, request_id: Option<Key>, problem: &Problem) {
        let id = self.session.context.as_ref().map(|context| &*context.request_id);
        self.link.push(Frame::Problem(request_id, problem.body(Some(&self.session.path), id)));
    }

    async fn renew(&mut self, token: BearerToken) -> Result<(), Problem> {
        let renewed = timeout(self.session.request_timeout, self.session.judged.renew(token)).await;
        match renewed.unwrap_or(Ok(None))? {
            Some(caller) => {
                if let Some(context) = &mut self.session.context {
                    context.identity = caller.identity;
                    context.forwardable = caller.forwardable;
                }
            }
            None => self.refuse(None, &Problem::plain(codes::AUTH_UNAVAILABLE)),
        }
        Ok(())
    }

    /// Starts the workflow, as `POST …/executions` does. It is done for who the client is now.
    async fn start(&mut self, frame: RunWorkflowFrame) -> Result<(), Problem> {
        self.session.judged.judge().await?;
        let RunWorkflowFrame { kind: RunWorkflow, input, business_key, request_id } = frame;
        if self.runs.len() >= MOST_RUNS {
            self.refuse(request_id, &Problem::plain(codes::REQUEST_TOO_MANY));
            return Ok(());
        }
        let Some(mut context) = self.session.context.clone() else { return Err(Problem::plain(codes::INTERNAL)) };
        let (app, who) = (Arc::clone(&self.session.app), Arc::clone(self.session.judged.who()));
        context.identity = Arc::clone(&who);
        let (workflow, path, patience) =
            (self.session.workflow, self.session.path.clone(), self.session.request_timeout);
        let (id, address) = (Arc::clone(&context.request_id), context.address);
        let starting = context::scope(context, async move {
            let starting = app.executions.start(&who, workflow, input.unwrap_or_default(), business_key, None);
            let problem = match timeout(patience, starting).await {
                Ok(Ok(answer)) => return Frame::Execution(request_id, Box::new(answer.value)),
                Ok(Err(error)) => {
                    let (problem, place) = (Problem::from(error), Place { address, request_id: &id });
                    note_refusal(&app, &who, &problem, Some("start_execution"), place);
                    problem
                }
                // What has begun runs on.
                Err(_late) => Problem::plain(codes::REQUEST_TIMEOUT),
            };
            Frame::Problem(request_id, problem.body(Some(&path), Some(&id)))
        });
        self.runs.push(context::spawn(self.session.app.core.commands.tasks(), starting));
        Ok(())
    }

    /// Gives the answers of commands that are under way when the gate stops.
    async fn answer_the_rest(&mut self) {
        let answers = async {
            while let Some(answered) = self.runs.next().await {
                if let Ok(frame) = answered {
                    self.link.push(frame);
                }
            }
        };
        if timeout(LAST_ANSWERS, answers).await.is_err() {
            tracing::debug!("commands of a socket outlive it");
        }
        self.link.finish().await;
    }
}
