//! The command line against a real gate: what a newcomer does, step by step.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Ran;
use crate::support::process::{PATIENCE, free_port, tidegate};

const ORDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/order.bpmn");

/// A gate in a folder of its own, as a newcomer starts it: no config, no token; killed when dropped.
struct Gate {
    folder: TempDir,
    url: String,
    child: Child,
}

impl Gate {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let log = File::create(folder.path().join("gate.log")).unwrap();
        let child =
            tidegate().args(["serve", "--bind", &address]).current_dir(folder.path()).stderr(log).spawn().unwrap();
        let gate = Self { folder, url: format!("http://{address}"), child };
        let deadline = Instant::now() + PATIENCE;
        while gate.run(&["whoami"]).code != 0 {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(gate.folder.path().join("gate.log")).unwrap());
        }
        gate
    }

    /// The command line in the gate's folder, with the first token once there is one.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tidegate();
        if let Ok(token) = fs::read_to_string(self.folder.path().join("data/first-token")) {
            // With its line end, as whoever reads a file carelessly has it.
            command.env("TIDEGATE_TOKEN", format!("{token}\r\n"));
        }
        command.args(arguments).current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env("TIDEGATE_URL", &self.url).env_remove("XDG_CONFIG_HOME");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    fn run_with(&self, token: &str, arguments: &[&str]) -> Ran {
        self.command(arguments).env("TIDEGATE_TOKEN", token).output().unwrap().into()
    }

    /// A command that must be done.
    fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        ran
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.done(&[arguments, &["--json"]].concat()).json()
    }

    /// Takes a job of a topic, waiting for it.
    fn job(&self, topic: &str) -> String {
        let taken = self.json(&["job", "activate", "--topic", topic, "--wait", "20"]);
        taken["jobs"][0]["id"].as_str().unwrap_or_else(|| panic!("no job of {topic}: {taken}")).to_owned()
    }

    fn with_order(self) -> Self {
        self.done(&["workspace", "create", "demo"]);
        self.done(&["workflow", "deploy", ORDER]);
        self
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_newcomer_does_the_main_job() {
    let gate = Gate::start();
    let made = gate.done(&["workspace", "create", "demo", "--name", "Demo"]);
    assert!(made.stdout.contains("demo") && made.stdout.contains("Demo"), "{}", made.stdout);
    assert_eq!(gate.json(&["workspace", "list"])[0]["id"], "demo");

    let deployed = gate.done(&["workflow", "deploy", ORDER, "--workspace", "demo"]);
    assert!(deployed.stdout.contains("order.bpmn") && deployed.stdout.contains("deployment"), "{}", deployed.stdout);
    assert_eq!(gate.json(&["workflow", "list"])[0]["latest_deployment"]["version"], 1);

    let mut watching = gate
        .command(&["workflow", "run", "order", "--input", r#"{"amount": 120}"#, "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gate.done(&["job", "complete", &gate.job("charge"), "--variables", r#"{"charged": true}"#]);
    let tasks = gate.json(&["task", "list", "--candidate-group", "sales"]);
    let task = &tasks[0];
    let instance = task["processInstanceId"].as_str().unwrap();
    let variables = gate.json(&["task", "variables", instance, "approve", "--only", "amount"]);
    assert_eq!(variables, json!({"amount": 120}));
    gate.done(&["task", "assign", task["id"].as_str().unwrap(), "ada"]);
    gate.done(&["task", "complete", task["id"].as_str().unwrap(), "--variables", r#"{"approved": true}"#]);
    assert_eq!(gate.json(&["task", "list"]), json!([]));
    gate.done(&["job", "complete", &gate.job("ship")]);

    let mut printed = String::new();
    watching.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(watching.wait().unwrap().success());
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (execution, events) = lines.split_last().unwrap();
    assert_eq!(execution["status"], "completed");
    assert_eq!(execution["result"]["approved"], true);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    for kind in ["execution.started", "job.created", "job.completed", "user_task.assigned", "user_task.completed"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert_eq!(kinds.last(), Some(&"execution.completed"));
    let of_execution = ["workflow", "events", "order", "--execution", execution["id"].as_str().unwrap()];
    assert_eq!(gate.json(&of_execution), Value::Array(events.to_vec()), "history and stream tell the same");
    assert_eq!(gate.json(&["execution", "list", "order", "--status", "completed"])[0]["id"], execution["id"]);
}

#[test]
fn an_execution_can_be_run_shown_and_cancelled() {
    let gate = Gate::start().with_order();
    let started = gate.json(&["workflow", "run", "order", "--business-key", "A-1", "--wait", "0"]);
    assert_eq!(started["status"], "running");
    let id = started["id"].as_str().unwrap();
    let watching =
        gate.command(&["execution", "watch", id]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(gate.json(&["execution", "cancel", id, "--reason", "a test"])["status"], "cancelled");
    let watched = Ran::from(watching.wait_with_output().unwrap());
    assert!(watched.stdout.contains("execution.cancelled"), "{}", watched.stdout);
    assert_eq!(watched.code, 1, "a script sees that it was cancelled: {}", watched.stderr);
    assert!(gate.done(&["execution", "show", id]).stdout.contains("cancelled"));
    assert_eq!(gate.json(&["workflow", "executions", "order", "--business-key", "A-1"])[0]["id"], *id);
    assert_eq!(gate.run(&["execution", "show", "01890a5d-ac96-774b-bcce-b302099a8057"]).code, 5);
}

#[test]
fn events_can_be_followed() {
    let gate = Gate::start().with_order();
    gate.done(&["workflow", "run", "order"]);
    let mut following = gate
        .command(&["workflow", "events", "order", "--follow", "--after", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines().map(Result::unwrap);
    let found = lines.take(20).find(|line| line.contains("job.created"));
    following.kill().unwrap();
    following.wait().unwrap();
    assert!(found.is_some_and(|line| line.contains("topic=charge")));
}

#[test]
fn tokens_live_and_end() {
    let gate = Gate::start();
    gate.done(&["workspace", "create", "demo"]);
    let made = gate.done(&["token", "create", "--id", "ci", "--workspace", "demo", "--scope", "workflows:read"]);
    let secret = made.stdout.lines().find_map(|line| line.strip_prefix("export TIDEGATE_TOKEN=")).unwrap();
    assert_eq!(gate.run_with(secret, &["whoami", "--json"]).json()["subject"], "ci");
    assert_eq!(gate.run_with(secret, &["token", "list"]).code, 4, "it may not");
    assert_eq!(gate.run(&["token", "create", "--id", "ci", "--workspace", "demo"]).code, 6, "the name is taken");

    let rotated = gate.done(&["token", "rotate", "ci", "--overlap", "0", "--add-scope", "jobs:work", "--secret-only"]);
    assert_eq!(gate.run_with(secret, &["whoami"]).code, 4, "the old secret ended");
    let secret = rotated.stdout.trim();
    assert_eq!(gate.run_with(secret, &["whoami", "--json"]).json()["scopes"], json!(["workflows:read", "jobs:work"]));
    for shown in [gate.done(&["token", "list"]), gate.done(&["token", "show", "ci"])] {
        assert!(shown.stdout.contains("ci") && shown.stdout.contains("demo") && !shown.stdout.contains("tgs_"));
    }

    gate.done(&["token", "revoke", "ci", "--reason", "leaked"]);
    gate.done(&["token", "revoke", "ci"]);
    let refused = gate.run_with(secret, &["whoami"]);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("auth.token_revoked") && !refused.stderr.contains(secret), "{}", refused.stderr);
    assert_eq!(gate.json(&["token", "show", "ci"])["revocation_reason"], "leaked");
    assert_eq!(gate.run(&["token", "show", "nobody"]).code, 5);
}

#[test]
fn what_cannot_be_deployed_is_told_with_its_line() {
    let gate = Gate::start();
    gate.done(&["workspace", "create", "demo"]);
    let broken = gate.folder.path().join("broken.bpmn");
    let process =
        "<process id=\"p\" isExecutable=\"true\">\n<startEvent id=\"s\"/><complexGateway id=\"odd\"/></process>";
    let xml = format!("<definitions xmlns=\"http://www.omg.org/spec/BPMN/20100524/MODEL\">\n{process}</definitions>");
    fs::write(&broken, xml).unwrap();
    let refused = gate.run(&["workflow", "deploy", broken.to_str().unwrap()]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("[deployment.rejected]"), "{}", refused.stderr);
    assert!(refused.stderr.contains("broken.bpmn:3"), "{}", refused.stderr);
    assert_eq!(gate.run(&["workflow", "deploy", "no-such.bpmn"]).code, 2);
    assert_eq!(gate.run(&["workflow", "run", "order"]).code, 5);
}

#[test]
fn jobs_fail_throw_and_are_kept() {
    let gate = Gate::start().with_order();
    gate.done(&["workflow", "run", "order"]);
    let job = gate.job("charge");
    gate.done(&["job", "extend", &job, "--lock", "120"]);
    assert_eq!(gate.run(&["job", "complete", &job, "--worker", "somebody-else"]).code, 6, "another has it");
    gate.done(&["job", "fail", &job, "--message", "no network", "--retries", "2"]);
    assert_eq!(gate.job("charge"), job, "it is there again");
    gate.done(&["job", "error", &job, "--code", "NO_STOCK"]);
    assert_eq!(gate.run(&["job", "complete", &job]).code, 6);
}

#[test]
fn messages_and_signals_are_sent() {
    let gate = Gate::start();
    gate.done(&["workspace", "create", "demo"]);
    gate.done(&["signal", "send", "nobody-listens", "--tenant", "demo"]);
    let lost = gate.run(&["message", "send", "nobody-waits", "--business-key", "A-1", "--workspace", "demo"]);
    assert_eq!(lost.code, 5, "{}", lost.stderr);
    assert!(lost.stderr.contains("message.not_correlated"), "{}", lost.stderr);
}

#[test]
fn a_gate_that_is_told_to_stop_ends_well() {
    let mut gate = Gate::start();
    let told = Command::new("kill").args(["-TERM", &gate.child.id().to_string()]).status().unwrap();
    assert!(told.success() && gate.child.wait().unwrap().success());
    assert_eq!(gate.run(&["whoami"]).code, 3);
}
