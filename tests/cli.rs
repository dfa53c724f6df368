//! The command line: the real binary, against a scripted gate for what a real one does not do on command.

mod auth;
mod real;
mod scripted;

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use scripted::{ScriptedGate, answer};

const TOKEN: &str = "tgs_a-token-that-no-message-shows";
const WORKFLOW: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// What a run of the binary said.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The binary in an empty folder, with an environment of its own.
fn tidegate(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).current_dir(folder.path()).env_clear().env("HOME", folder.path());
    command
}

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let folder = TempDir::new().unwrap();
    tidegate(&folder, arguments).envs(variables.iter().copied()).output().unwrap().into()
}

fn call(gate: &ScriptedGate, arguments: &[&str]) -> Ran {
    run(arguments, &[("TIDEGATE_URL", &gate.url), ("TIDEGATE_TOKEN", TOKEN)])
}

fn problem(status: u16, code: &str) -> String {
    answer(status, &json!({"code": code, "message": format!("No: {code}"), "request_id": "r-1"}).to_string())
}

#[test]
fn scripts_can_tell_by_the_exit_code_what_happened() {
    for (status, expected) in [(400, 2), (401, 4), (403, 4), (404, 5), (409, 6), (412, 6), (422, 2), (500, 1), (503, 3)]
    {
        let gate = ScriptedGate::start([problem(status, "some.code")]);
        let ran = call(&gate, &["whoami"]);
        assert_eq!(ran.code, expected, "{status}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("No: some.code [some.code]") && ran.stderr.contains("request id: r-1"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(run(&["whoami", "--nonsense"], &[]).code, 2);
    assert_eq!(run(&["execution", "show", ".."], &[]).code, 2);
    assert_eq!(run(&["workspace", "list"], &[("TIDEGATE_URL", "no url")]).code, 2);
}

#[test]
fn a_refusal_says_what_to_do_about_it() {
    let gate = ScriptedGate::start([problem(401, "auth.missing_token")]);
    let ran = call(&gate, &["workspace", "list"]);
    assert!(ran.stderr.contains("try: set TIDEGATE_TOKEN"), "{}", ran.stderr);
}

#[test]
fn where_nobody_listens_the_exit_code_is_3() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = run(&["whoami", "--url", &format!("http://127.0.0.1:{port}")], &[]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("cannot reach the gate") && ran.stderr.contains("tidegate serve"), "{}", ran.stderr);
}

#[test]
fn a_gate_that_does_not_answer_is_given_up() {
    let gate = ScriptedGate::start([ScriptedGate::silence()]);
    let ran = call(&gate, &["whoami", "--timeout", "1"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("did not answer in time"), "{}", ran.stderr);
}

#[test]
fn what_is_no_gate_is_told_apart() {
    let gate = ScriptedGate::start([answer(200, "<html>")]);
    let ran = call(&gate, &["whoami"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("no gate"), "{}", ran.stderr);
}

#[test]
fn a_token_follows_no_redirect_and_shows_in_no_message() {
    let elsewhere = ScriptedGate::start([answer(200, "{}")]);
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url);
    let gate = ScriptedGate::start([redirect]);
    let ran = call(&gate, &["whoami"]);
    assert_eq!(ran.code, 1);
    assert_eq!(gate.requests().len(), 1);
    assert!(gate.requests()[0].contains(&format!("Bearer {TOKEN}")));
    assert!(elsewhere.requests().is_empty());
    assert!(!ran.stderr.contains(TOKEN));
}

#[test]
fn what_cannot_be_read_of_a_command_line_does_not_repeat_its_token() {
    for arguments in [
        &["--token", TOKEN, "whoami", "--nonsense"][..],
        &["--token", TOKEN, "--url", "no url", "whoami"],
        &["--token", TOKEN, "--timeout", "soon", "whoami"],
        &["--token", TOKEN, "token", "create", "--expires-in", "soon"],
        &["whoami", "--tokn", TOKEN],
        &["--token", &format!("{TOKEN}\nx"), "whoami"],
    ] {
        let ran = run(arguments, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty() && !ran.stderr.contains(TOKEN), "{}", ran.stderr);
    }
}

#[test]
fn a_token_goes_over_plain_http_to_this_machine_only() {
    for url in ["http://192.0.2.1:1", "http://gate.example.org"] {
        let ran = run(&["--url", url, "--token", TOKEN, "whoami"], &[]);
        assert!(ran.code == 2 && ran.stderr.contains("--insecure") && !ran.stderr.contains(TOKEN), "{}", ran.stderr);
    }
    // It is tried where that is said, and where nobody listens nobody gets it.
    let ran = run(&["--url", "http://localhost.invalid:1", "--token", TOKEN, "--insecure", "whoami"], &[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

#[test]
fn what_a_server_says_cannot_steer_the_terminal() {
    let body = "{\"code\":\"a\u{9b}2J\u{202e}b\",\"message\":\"m\u{1b}[2J\"}";
    let gate = ScriptedGate::start([answer(403, body), answer(403, body)]);
    for arguments in [&["whoami"][..], &["whoami", "--json"]] {
        let ran = call(&gate, arguments);
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stderr.contains(steers) && !ran.stdout.contains(steers), "{:?}", ran.stderr);
    }
}

#[test]
fn a_list_is_one_array_over_all_pages() {
    let gate = ScriptedGate::start([
        answer(200, r#"{"items":[{"id":"a"},{"id":"b"}],"next_cursor":"x/y"}"#),
        answer(200, r#"{"items":[{"id":"c"}],"next_cursor":null}"#),
    ]);
    let ran = call(&gate, &["workspace", "list", "--json"]);
    assert_eq!(ran.json(), json!([{"id": "a"}, {"id": "b"}, {"id": "c"}]));
    assert!(gate.requests()[0].starts_with("GET /api/workspaces?limit=200 "), "{:?}", gate.requests());
    assert!(gate.requests()[1].starts_with("GET /api/workspaces?limit=200&cursor=x%2Fy "), "{:?}", gate.requests());
}

#[test]
fn what_others_wrote_cannot_move_the_cursor() {
    let gate = ScriptedGate::start([answer(200, r#"{"items":[{"id":"a","name":"\u001b[2Jgone"}]}"#)]);
    let ran = call(&gate, &["workspace", "list"]);
    assert!(ran.stdout.contains("[2Jgone") && !ran.stdout.contains('\u{1b}'), "{:?}", ran.stdout);
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let made = answer(201, r#"{"id":"demo","name":"demo","created_at":"2026-01-01T00:00:00Z"}"#);
    let gate = ScriptedGate::start([String::new(), made]);
    let ran = call(&gate, &["workspace", "create", "demo"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let keys: Vec<_> = gate.requests().iter().map(|request| scripted::header(request, "idempotency-key")).collect();
    assert!(keys.len() == 2 && keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
}

#[test]
fn watching_goes_on_where_a_broken_stream_ended() {
    let event = |sequence: u32, kind: &str| {
        let event = json!({"sequence": sequence, "type": kind, "time": "2026-01-01T01:02:03Z", "data": {"execution_id": "e-1"}});
        format!("id: {sequence}\nevent: {kind}\ndata: {event}\n\n")
    };
    let stream = |events: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: hello\n\n{events}")
    };
    let started = json!({"id": "e-1", "workflow_id": WORKFLOW, "status": "running", "events_after": 16});
    let ended =
        json!({"id": "e-1", "workflow_id": WORKFLOW, "status": "failed", "error": {"code": "X", "message": "broken"}});
    let gate = ScriptedGate::start([
        answer(201, &started.to_string()),
        stream(&(event(17, "execution.started") + &event(18, "job.created") + "id: 19\ndata: {\"half")),
        stream(&event(19, "execution.failed")),
        answer(200, &ended.to_string()),
    ]);
    let ran = call(&gate, &["workflow", "run", WORKFLOW, "--input", r#"{"amount":1.10}"#, "--watch", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sequences: Vec<_> = lines.iter().filter_map(|line| line.get("sequence").and_then(Value::as_u64)).collect();
    assert_eq!(sequences, [17, 18, 19]);
    assert_eq!(lines.last(), Some(&ended));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("the execution failed: broken [X]"), "{}", ran.stderr);

    let requests = gate.requests();
    assert!(requests[0].ends_with(r#"{"input":{"amount":1.10}}"#), "{}", requests[0]);
    assert!(
        requests[1].starts_with(&format!("GET /api/workflows/{WORKFLOW}/events?execution_id=e-1 ")),
        "{}",
        requests[1]
    );
    let positions: Vec<_> = requests[1..3].iter().map(|request| scripted::header(request, "last-event-id")).collect();
    assert_eq!(positions, [Some("16".to_owned()), Some("18".to_owned())]);
}

#[test]
fn a_profile_names_the_gate_and_its_token() {
    let gate = ScriptedGate::start([answer(200, r#"{"subject":"ci"}"#)]);
    let folder = TempDir::new().unwrap();
    let config = folder.path().join(".config/tidegate");
    fs::create_dir_all(&config).unwrap();
    let text = format!("[profiles.mine]\napi_url = \"{}\"\nservice_token = \"{TOKEN}\"\n", gate.url);
    fs::write(config.join("cli.toml"), text).unwrap();
    let ran: Ran = tidegate(&folder, &["--profile", "mine", "whoami", "--json"]).output().unwrap().into();
    assert_eq!(ran.json(), json!({"subject": "ci"}));
    assert!(gate.requests()[0].contains(&format!("Bearer {TOKEN}")));
    assert!(ran.stderr.contains("chmod 600"), "others can read it: {}", ran.stderr);
}

#[test]
fn config_check_shows_what_is_in_force_and_refuses_what_cannot_stand() {
    let secret = "a-secret-that-nobody-should-see-anywhere";
    let ran = run(
        &["config", "check", "--set", "telemetry.log_level=debug"],
        &[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", secret)],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("log_level = \"debug\"") && ran.stdout.contains("# --set telemetry.log_level"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("[redacted]") && !ran.stdout.contains(secret));

    let ran = run(&["config", "check"], &[("TIDEGATE_AUTH__MOED", secret)]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("did you mean auth.mode?") && !ran.stderr.contains(secret), "{}", ran.stderr);
    assert_eq!(run(&["config", "check", "--config", "missing.toml"], &[]).code, 2);
    assert_eq!(run(&["serve", "--bind", "nowhere"], &[]).code, 2);

    let ran = run(&["config", "check", "--json"], &[("ORCHEO_AUTH_MODE", "required")]);
    assert_eq!(ran.json()["config"]["auth"]["mode"], "required");
    assert_eq!(ran.json()["origins"]["auth.mode"], "$ORCHEO_AUTH_MODE (alias)");
}

#[test]
fn completions_are_printed() {
    assert!(run(&["completions", "bash"], &[]).stdout.contains("_tidegate"));
}
