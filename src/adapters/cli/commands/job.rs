//! `tidegate job …`

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::task::warn_of_engines;
use crate::adapters::cli::{
    CliError, Session, input,
    output::{Field, print_json},
    progress::while_waiting,
    request::Request,
};

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Take jobs to work on them; they are yours until their lock runs out
    Activate(Activate),
    /// Complete a job
    Complete {
        /// Which job, and who has it.
        #[command(flatten)]
        job: Held,
        /// What came out: a JSON object, @file, or - for standard input
        #[arg(long, value_name = "JSON")]
        variables: Option<String>,
    },
    /// Say that a job could not be done this time; with 0 retries it becomes an incident
    Fail {
        /// Which job, and who has it.
        #[command(flatten)]
        job: Held,
        /// What went wrong
        #[arg(long)]
        message: String,
        /// More of it, such as a stack trace
        #[arg(long)]
        details: Option<String>,
        /// How many more tries it has
        #[arg(long)]
        retries: u32,
        /// Seconds until the next try
        #[arg(long, value_name = "SECONDS")]
        retry_in: Option<u32>,
    },
    /// Throw a BPMN error, which the process may catch
    Error {
        /// Which job, and who has it.
        #[command(flatten)]
        job: Held,
        /// The error's code
        #[arg(long)]
        code: String,
        /// What went wrong
        #[arg(long)]
        message: Option<String>,
        /// What goes with it: a JSON object, @file, or - for standard input
        #[arg(long, value_name = "JSON")]
        variables: Option<String>,
    },
    /// Keep a job for longer
    Extend {
        /// Which job, and who has it.
        #[command(flatten)]
        job: Held,
        /// Seconds from now
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        lock: u32,
    },
}

/// What jobs are wanted.
#[derive(Debug, Args)]
pub struct Activate {
    /// A topic; may be repeated
    #[arg(long = "topic", required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Who works on them
    #[arg(long, default_value = "tidegate-cli")]
    worker: String,
    /// At most so many
    #[arg(long, default_value_t = 1)]
    max: u32,
    /// For so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    lock: u32,
    /// Wait so many seconds for one
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: u64,
    /// Only these variables
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Of this workspace only
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
}

/// A job that a worker holds.
#[derive(Debug, Args)]
pub struct Held {
    /// Its id
    id: String,
    /// Who works on it
    #[arg(long, default_value = "tidegate-cli")]
    worker: String,
    /// The token of its lock, which then must match
    #[arg(long, value_name = "TOKEN")]
    lock_token: Option<String>,
}

const COLUMNS: &[Field] = &[
    ("ID", "/id"),
    ("TOPIC", "/topic"),
    ("WORKSPACE", "/workspaceId"),
    ("BUSINESS KEY", "/businessKey"),
    ("RETRIES", "/retries"),
    ("LOCKED UNTIL", "/lockedUntil"),
    ("VARIABLES", "/variables"),
];

pub(in crate::adapters::cli) async fn run(command: JobCommand, session: &Session) -> Result<(), CliError> {
    match command {
        JobCommand::Activate(wish) => activate(wish, session).await,
        JobCommand::Complete { job, variables } => {
            let variables = variables.map(|text| input::object("--variables", &text)).transpose()?;
            job.send("complete", "completed", [("variables", variables)], session).await
        }
        JobCommand::Fail { job, message, details, retries, retry_in } => {
            let members = [
                ("message", Some(json!(message))),
                ("details", details.map(Value::from)),
                ("retries", Some(json!(retries))),
                ("retryInSec", retry_in.map(Value::from)),
            ];
            job.send("fail", "failed", members, session).await
        }
        JobCommand::Error { job, code, message, variables } => {
            let variables = variables.map(|text| input::object("--variables", &text)).transpose()?;
            let members =
                [("code", Some(json!(code))), ("message", message.map(Value::from)), ("variables", variables)];
            job.send("error", "threw the error of", members, session).await
        }
        JobCommand::Extend { job, lock } => {
            job.send("extend", "extended", [("lockInSec", Some(json!(lock)))], session).await
        }
    }
}

async fn activate(wish: Activate, session: &Session) -> Result<(), CliError> {
    let mut body = json!({
        "topics": wish.topics,
        "worker": wish.worker,
        "maxJobs": wish.max,
        "lockInSec": wish.lock,
        "timeoutInSec": wish.wait,
    });
    if let Some(members) = body.as_object_mut() {
        if !wish.only.is_empty() {
            members.insert("variables".to_owned(), json!(wish.only));
        }
        if let Some(workspace) = wish.workspace {
            members.insert("workspaceId".to_owned(), json!(workspace));
        }
    }
    let request = Request::post(&["api", "jobs", "activate"], body).wait(wish.wait);
    let answer = while_waiting("waiting for jobs", session.client.send(request)).await?.body;
    let array = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    if session.output.json {
        return print_json(&answer);
    }
    warn_of_engines(&array("failedEngines"));
    session.output.list(array("jobs"), COLUMNS, "no job")
}

impl Held {
    async fn send<const N: usize>(
        self,
        action: &str,
        done: &str,
        members: [(&str, Option<Value>); N],
        session: &Session,
    ) -> Result<(), CliError> {
        let mut body = Map::new();
        body.insert("worker".to_owned(), json!(self.worker));
        let lock_token = [("lockToken", self.lock_token.map(Value::from))];
        let given = lock_token.into_iter().chain(members);
        body.extend(given.filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let request = Request::post(&["api", "jobs", &self.id, action], Value::Object(body));
        session.client.send(request).await?;
        session.output.done(&format!("{done} {}", self.id))
    }
}
