//! Gates with issuers, and the command line beside them.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};
use tokio::task::spawn_blocking;

use crate::api::gate::{Answer, Caller, DEADLINE, Gate, ROOT};

pub(super) const BOOTSTRAP: (&str, &str) = ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT);

/// A config file.
pub(super) fn file(config: &str) -> NamedTempFile {
    let mut file = NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(config.as_bytes()).unwrap();
    file
}

/// A gate with this config file, and a bootstrap token.
pub(super) fn gate(config: &str) -> Gate {
    gate_with(config, &[BOOTSTRAP])
}

/// A gate with this config file and these variables.
pub(super) fn gate_with(config: &str, variables: &[(&str, &str)]) -> Gate {
    let file = file(config);
    let mut settings = vec![("TIDEGATE_CONFIG", file.path().to_str().unwrap())];
    settings.extend(variables);
    Gate::with(&settings)
}

/// What the gate has written to its log until now.
pub(super) fn log(gate: &Gate) -> String {
    std::fs::read_to_string(gate.folder().join("log")).unwrap()
}

/// Who the gate takes somebody for; they must be somebody.
pub(super) async fn whoami(caller: &Caller) -> Answer {
    caller.get("/api/whoami").await.is(200)
}

/// The code with which somebody is refused.
pub(super) async fn refusal(caller: &Caller) -> (u16, String) {
    let answer = caller.get("/api/whoami").await;
    let code = answer.body["code"].as_str().unwrap_or("-").to_owned();
    (answer.status, code)
}

/// What a run of the command line gave.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(super) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Both outputs.
    pub(super) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs the program in an empty folder of its own with these variables alone; it should end by itself: after a while it is
/// killed, and its code is -1.
pub(super) async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    command.env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn_blocking(move || {
        let _folder = folder;
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + DEADLINE;
        // Few outputs are so long that the pipe is full.
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                child.kill().unwrap();
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    })
    .await
    .unwrap()
}

/// Runs a command against a gate as somebody.
pub(super) async fn call(caller: &Caller, arguments: &[&str]) -> Ran {
    let url = caller.gate.url("");
    let mut variables = vec![("TIDEGATE_URL", url.as_str())];
    if let Some(token) = &caller.token {
        variables.push(("TIDEGATE_TOKEN", token));
    }
    run(arguments, &variables).await
}

/// Starts a gate that must refuse to start; where it starts all the same, the code is -1.
pub(super) async fn start(config: &str, variables: &[(&str, &str)]) -> Ran {
    with_config(&["serve", "--bind", "127.0.0.1:0"], config, variables).await
}

/// `config check` of this file.
pub(super) async fn check(config: &str, variables: &[(&str, &str)]) -> Ran {
    with_config(&["config", "check"], config, variables).await
}

/// A command that reads this config file.
pub(super) async fn with_config(arguments: &[&str], config: &str, variables: &[(&str, &str)]) -> Ran {
    let file = file(config);
    let mut all = vec![("TIDEGATE_CONFIG", file.path().to_str().unwrap()), ("TIDEGATE_DATABASE__URL", "memory:")];
    all.extend(variables);
    run(arguments, &all).await
}
