//! `auth status` and `workspace member`: what they ask, and what they tell of the answers.

use serde_json::json;

use super::{TOKEN, answer, call, problem, run, scripted::ScriptedGate};

fn whoami(authenticated: bool) -> String {
    let (subject, kind) = if authenticated { ("ci", "service") } else { ("anonymous", "anonymous") };
    answer(200, &json!({"authenticated": authenticated, "subject": subject, "kind": kind, "scopes": []}).to_string())
}

#[test]
fn auth_status_tells_who_said_which_gate_and_which_token() {
    let gate = ScriptedGate::start([whoami(true), problem(401, "auth.missing_token")]);
    let ran = call(&gate, &["auth", "status", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = ran.json();
    assert_eq!(told["url_from"], "$TIDEGATE_URL");
    assert_eq!(told["token_from"], "$TIDEGATE_TOKEN");
    assert_eq!(told["whoami"]["subject"], "ci");
    assert_eq!(told["without_token"], "not let in");
    assert!(!ran.stdout.contains(TOKEN));
    let requests = gate.requests();
    assert!(requests[0].contains(TOKEN) && !requests[1].contains(TOKEN), "the second asks as a stranger");
}

#[test]
fn auth_status_tells_what_a_gate_is_that_does_not_look_at_tokens() {
    let gate = ScriptedGate::start([whoami(false), whoami(false)]);
    assert!(call(&gate, &["auth", "status"]).stdout.contains("tokens are not looked at"));
    let gate = ScriptedGate::start([whoami(true), whoami(false)]);
    assert!(call(&gate, &["auth", "status"]).stdout.contains("let in as anonymous"));
}

#[test]
fn auth_status_of_a_bad_token_still_tells_where_it_came_from() {
    let gate = ScriptedGate::start([problem(401, "auth.token_expired"), problem(401, "auth.missing_token")]);
    let ran = call(&gate, &["auth", "status"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stdout.contains("$TIDEGATE_TOKEN"), "{}", ran.stdout);
    assert!(ran.stderr.contains("auth.token_expired"), "{}", ran.stderr);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(run(&["auth", "status", "--url", &format!("http://127.0.0.1:{port}")], &[]).code, 3);
}

#[test]
fn auth_status_of_a_gate_that_cannot_tell_now_says_nothing_of_strangers() {
    for (stranger, told) in
        [(503, "not known"), (429, "not known"), (500, "not known"), (401, "not let in"), (200, "let in as anonymous")]
    {
        let answered = if stranger == 200 { whoami(false) } else { problem(stranger, "auth.unavailable") };
        let gate = ScriptedGate::start([whoami(true), answered]);
        let ran = call(&gate, &["auth", "status", "--json"]);
        assert_eq!(ran.json()["without_token"], told, "{stranger}");
    }
}

#[test]
fn a_limit_is_told_with_what_to_do() {
    let gate = ScriptedGate::start([problem(429, "auth.rate_limited.ip")]);
    let ran = call(&gate, &["whoami"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("try: ") && ran.stderr.contains("wait a minute"), "{}", ran.stderr);
}

#[test]
fn a_profile_that_is_wrong_is_told_with_its_file_and_nothing_is_called() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join(".config/tidegate");
    std::fs::create_dir_all(&config).unwrap();
    let text = format!("[profiles.bad]\napi_url = \"http://127.0.0.1:1\"\nservice_tokn = \"{TOKEN}\"\n");
    std::fs::write(config.join("cli.toml"), text).unwrap();
    for (name, reason) in [("nosuch", "no profile \"nosuch\""), ("bad", "unknown key service_tokn")] {
        let ran = super::Ran::from(super::tidegate(&folder, &["--profile", name, "whoami"]).output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(reason) && ran.stderr.contains("cli.toml"), "{}", ran.stderr);
        assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
    }
}

#[test]
fn members_are_named_by_issuer_and_subject() {
    let member = json!({"user_id": "workos:user_01", "role": "viewer", "since": "2026-11-22T03:26:41.220762Z"});
    let listed = json!({"items": [member], "next_cursor": null});
    let gate =
        ScriptedGate::start([answer(200, &listed.to_string()), answer(200, &member.to_string()), answer(204, "")]);
    let ran = call(&gate, &["workspace", "member", "list", "demo"]);
    assert!(ran.stdout.contains("workos:user_01") && ran.stdout.contains("2026-11-22 03:26:41Z"), "{}", ran.stdout);
    assert_eq!(call(&gate, &["workspace", "member", "put", "demo", "workos:user_01", "--role", "viewer"]).code, 0);
    let ran = call(&gate, &["workspace", "member", "remove", "demo", "corp:a/b c"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let requests = gate.requests();
    assert!(requests[0].starts_with("GET /api/workspaces/demo/members?"), "{}", requests[0]);
    assert!(requests[1].starts_with("PUT /api/workspaces/demo/members/workos:user_01 "), "{}", requests[1]);
    assert!(requests[1].ends_with(r#"{"role":"viewer"}"#), "{}", requests[1]);
    assert!(requests[2].starts_with("DELETE /api/workspaces/demo/members/corp:a%2Fb%20c "), "{}", requests[2]);
    assert_eq!(run(&["workspace", "member", "put", "demo", "workos:u", "--role", "king"], &[]).code, 2);
}
