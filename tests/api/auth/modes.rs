//! Modes and what counts as a credential (authentication.md section 2).

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use super::{
    mint::{SECRET, claims, secret},
    setup::{BOOTSTRAP, gate_with, log, refusal, run, start, whoami, with_config},
};
use crate::{
    api::gate::{DEADLINE, Gate, until},
    support::{postgres::TestDatabase, process::free_port},
};

fn issuer(mode: &str) -> String {
    format!(
        "[auth]\n{mode}\n[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n"
    )
}

#[tokio::test]
async fn an_issuer_is_a_credential_in_every_mode() {
    let good = secret(&claims("x", "ada", &json!({})));
    let bad = secret(&claims("x", "ada", &json!({"aud": "another"})));
    for (mode, anonymous) in [("", 401), ("mode = \"required\"", 401), ("mode = \"optional\"", 200)] {
        let gate = gate_with(&issuer(mode), &[]);
        let stranger = gate.anonymous().get("/api/whoami").await;
        assert_eq!(stranger.status, anonymous, "{mode}: {}", stranger.text);
        gate.anonymous().get("/api/workflows").await.problem(401, "auth.missing_token");
        assert_eq!(whoami(&gate.caller(&good)).await["issuer"], "a", "{mode}");
        assert_eq!(refusal(&gate.caller(&bad)).await, (401, "auth.invalid_audience".to_owned()), "{mode}");
        assert!(!gate.folder().join("data/first-token").exists(), "{mode}");
        if anonymous == 200 {
            assert_eq!(
                (&stranger["kind"], &stranger["scopes"]),
                (&json!("anonymous"), &json!([])),
                "{}",
                stranger.text
            );
        }
    }
}

#[tokio::test]
async fn disabled_looks_at_no_token_even_where_an_issuer_is() {
    let gate = gate_with(&issuer("mode = \"disabled\""), &[]);
    for token in [secret(&claims("x", "ada", &json!({}))), "nonsense".to_owned()] {
        let me = whoami(&gate.caller(token)).await;
        assert_eq!(
            (&me["kind"], &me["authenticated"], &me["all_workspaces"]),
            (&json!("anonymous"), &json!(false), &json!(true))
        );
        assert!(me["scopes"].as_array().unwrap().contains(&json!("admin:tokens:write")), "{}", me.text);
    }
    assert!(log(&gate).to_lowercase().contains("warn"), "it warns: {}", log(&gate));
}

#[tokio::test]
async fn a_gate_that_lets_anybody_in_listens_on_loopback_alone() {
    for (config, variables, key) in [
        ("[auth]\nmode = \"disabled\"", vec![], "auth.mode"),
        ("[auth]\nmode = \"disabled\"", vec![BOOTSTRAP], "auth.mode"),
        ("[auth]\nmode = \"optional\"", vec![], "auth.mode"),
    ] {
        let mut variables = variables;
        variables.push(("TIDEGATE_SERVER__BIND", "0.0.0.0:0"));
        let file = super::setup::file(config);
        variables.extend([("TIDEGATE_CONFIG", file.path().to_str().unwrap()), ("TIDEGATE_DATABASE__URL", "memory:")]);
        let ran = run(&["serve"], &variables).await;
        assert_eq!(ran.code, 2, "{config}: {}", ran.said());
        assert!(ran.stderr.contains(key), "{config}: {}", ran.stderr);
        // Whether anything is stored is for the database to say, which the check asks with --online only.
        let checked = run(&["config", "check"], &variables).await;
        assert_eq!(checked.code == 0, config.contains("optional"), "{config}: {}", checked.said());
        assert!(checked.said().contains("auth.mode"), "it is named: {}", checked.said());
        let checked = run(&["config", "check", "--online"], &variables).await;
        assert_eq!(checked.code, 2, "{config}: {}", checked.said());
        assert!(checked.stderr.contains("auth.mode") && checked.stderr.contains("loopback"), "{}", checked.stderr);
    }
    let ran = start("[auth]\nmode = \"sometimes\"", &[]).await;
    assert!(ran.code == 2 && ran.stderr.contains("auth.mode"), "{}", ran.said());
}

/// Whether a gate starts on an address that is this machine's alone, and that it does not take for loopback's.
async fn listens_elsewhere(auth: &str, variables: &[(&str, &str)]) -> bool {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let config = super::setup::file(&format!("[auth]\n{auth}\n"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["serve", "--bind", &format!("[::ffff:127.0.0.1]:{port}"), "--config"]).arg(config.path());
    command.env_clear().env("PATH", "/usr/bin:/bin").envs(variables.iter().copied()).current_dir(folder.path());
    let child = std::sync::Mutex::new(command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
    let listens = until("its start, or its end", || async {
        let ended = child.lock().unwrap().try_wait().unwrap();
        let answered = client.get(format!("http://127.0.0.1:{port}/health/live")).send().await.is_ok();
        if answered { Some(true) } else { ended.map(|_| false) }
    })
    .await;
    let mut child = child.into_inner().unwrap();
    let _ = child.kill();
    child.wait().unwrap();
    listens
}

#[tokio::test]
async fn a_gate_listens_where_its_mode_lets_it() {
    for (auth, variables, listens) in [
        ("", &[][..], true),
        ("mode = \"required\"", &[], true),
        ("mode = \"optional\"", &[BOOTSTRAP], true),
        ("mode = \"optional\"", &[], false),
        ("mode = \"optional\"\nallow_insecure_bind = true", &[], true),
        ("mode = \"disabled\"", &[], false),
        ("mode = \"disabled\"", &[BOOTSTRAP], false),
        ("mode = \"disabled\"\nallow_insecure_bind = true", &[], true),
    ] {
        assert_eq!(listens_elsewhere(auth, variables).await, listens, "{auth} {variables:?}");
    }
}

/// Another gate on the database of one that has gone.
fn again(gone: &Gate, variables: &[(&str, &str)]) -> Gate {
    gone.stop();
    gone.ended();
    let url = database(gone);
    Gate::with(&[&[("TIDEGATE_DATABASE__URL", url.as_str())], variables].concat())
}

fn database(gate: &Gate) -> String {
    format!("sqlite://{}", gate.folder().join("data/tidegate.db").display())
}

#[tokio::test]
async fn a_service_token_that_was_ever_stored_keeps_the_gate_shut() {
    let gate = Gate::with(&[BOOTSTRAP]);
    let order = json!({"identifier": "short", "scopes": [], "all_workspaces": true, "expires_in_seconds": 1});
    let short = gate.caller(gate.root().post("/api/admin/service-tokens", order).await.is(201).str("secret"));
    until("its end", || async { (short.get("/api/whoami").await.status == 401).then_some(()) }).await;
    // Unset, and nothing configured any more: the expired token is a credential, and no other is made.
    let unset = again(&gate, &[]);
    unset.anonymous().get("/api/workspaces").await.problem(401, "auth.missing_token");
    assert!(!gate.folder().join("data/first-token").exists() && !unset.folder().join("data/first-token").exists());
    let short = unset.caller(short.token.clone().unwrap());
    short.get("/api/whoami").await.problem(401, "auth.token_expired");
    // Optional: the anonymous have what the config says, and that is nothing.
    unset.stop();
    unset.ended();
    let url = database(&gate);
    let shared = ("TIDEGATE_DATABASE__URL", url.as_str());
    let optional = Gate::with(&[shared, ("TIDEGATE_AUTH__MODE", "optional")]);
    assert_eq!(whoami(&optional.anonymous()).await["scopes"], json!([]));
    optional.anonymous().get("/api/workflows").await.problem(401, "auth.missing_token");
    assert!(!log(&optional).contains("without any credential"), "{}", log(&optional));
    // Beside it the check sees the token, too: this gate may listen anywhere.
    let config = "[auth]\nmode = \"optional\"\n[server]\nbind = \"0.0.0.0:8080\"\n";
    let told = with_config(&["config", "check", "--online", "--json"], config, &[shared]).await.ok().json();
    assert_eq!(told["database"], json!({"ok": true, "credential_stored": true, "failure": null}));
    let named: Vec<_> = told["warnings"].as_array().unwrap().iter().map(|warning| &warning["key"]).collect();
    assert_eq!(named, ["audit.key"], "and nothing of the mode: {told}");
}

#[tokio::test]
async fn without_any_credential_the_anonymous_find_a_workspace_to_work_in() {
    for variable in [("TIDEGATE_AUTH__MODE", "optional"), ("ORCHEO_AUTH_MODE", "optional")] {
        let gate = Gate::with(&[variable]);
        let stranger = gate.anonymous();
        let workspaces = stranger.get("/api/workspaces").await.is(200);
        assert_eq!(workspaces.items().len(), 1, "{}", workspaces.text);
        assert_eq!(workspaces.items()[0]["id"], "default");
        stranger.post("/api/workflows", json!({"workspace_id": "default", "name": "one"})).await.is(201);
        let next = again(&gate, &[variable]);
        assert_eq!(next.anonymous().get("/api/workspaces").await.is(200).items().len(), 1);
    }
}

#[tokio::test]
async fn a_revoked_first_token_is_not_made_anew() {
    let gate = Gate::with(&[]);
    // It listens before, and answers after.
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    let path = gate.folder().join("data/first-token");
    let secret = fs::read_to_string(&path).unwrap();
    gate.caller(secret.trim()).delete("/api/admin/service-tokens/first").await.is(204);
    let next = again(&gate, &[]);
    next.anonymous().get("/api/workspaces").await.problem(401, "auth.missing_token");
    next.caller(secret.trim()).get("/api/whoami").await.problem(401, "auth.token_revoked");
    assert_eq!(fs::read_to_string(&path).unwrap(), secret);
    assert!(!gate.folder().join("data/first-token.1").exists() && !next.folder().join("data/first-token").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_gates_that_start_at_once_on_one_database_one_makes_the_first_token() {
    let database = TestDatabase::fresh().await;
    let starting = (0..4).map(|_| {
        let url = database.url();
        let trace = ("TIDEGATE_TELEMETRY__LOG_LEVEL", "trace");
        tokio::task::spawn_blocking(move || Gate::with(&[("TIDEGATE_DATABASE__URL", &url), trace]))
    });
    let gates: Vec<_> =
        futures_util::future::join_all(starting.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect();
    for gate in &gates {
        gate.anonymous().get("/api/workspaces").await.problem(401, "auth.missing_token");
    }
    let made = gates.iter().map(|gate| gate.folder().join("data/first-token")).filter(|path| path.exists());
    let made: Vec<_> = made.collect();
    assert_eq!(made.len(), 1, "{made:?}");
    let secret = fs::read_to_string(&made[0]).unwrap();
    for gate in &gates {
        let first = gate.caller(secret.trim());
        assert_eq!(whoami(&first).await["token_id"], "first");
        let listed = first.all("/api/admin/service-tokens").await;
        let listed: BTreeSet<_> = listed.iter().map(|token| token["identifier"].as_str().unwrap()).collect();
        assert_eq!(listed, BTreeSet::from(["first"]));
        let password = url::Url::parse(&database.url()).unwrap().password().map(str::to_owned);
        let hidden = [Some(secret.trim().to_owned()), password];
        assert!(hidden.iter().flatten().all(|secret| !log(gate).contains(secret)), "at trace level either");
        let folder = gate.folder().join("data");
        let left = fs::read_dir(&folder).map_or(0, |files| files.flatten().count());
        assert_eq!(left, usize::from(folder.join("first-token").exists()), "no draft is left in {folder:?}");
    }
}

#[tokio::test]
async fn a_gate_that_anybody_may_enter_says_so_and_takes_no_orders_of_foreign_pages() {
    for (mode, path) in [("disabled", "/api/workspaces"), ("optional", "/api/workflows")] {
        let gate = Gate::with(&[
            ("TIDEGATE_AUTH__MODE", mode),
            ("TIDEGATE_SERVER__CORS_ALLOW_ORIGINS", "https://app.example"),
            ("TIDEGATE_DATABASE__URL", "memory:"),
        ]);
        let anyone = gate.anonymous();
        whoami(&anyone).await;
        assert!(log(&gate).contains("whoever reaches the gate"), "{}", log(&gate));
        let make = |id: &str, origin: &str| {
            let body = json!({"id": id, "workspace_id": id, "name": id});
            // A page sends this without asking first: no header but its origin.
            anyone.ask(reqwest::Method::POST, path).bytes(body.to_string()).header("Origin", origin)
        };
        for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "https://app.example.evil"] {
            make("stolen", origin).await.problem(403, "request.origin_forbidden");
            anyone.get("/api/whoami").header("Origin", origin).await.is(200);
        }
        for host in ["rebound.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
            anyone.get("/api/whoami").header("Host", host).await.problem(421, "request.misdirected");
        }
        anyone.get("/api/whoami").header("Host", "localhost").await.is(200);
        for origin in [format!("http://127.0.0.1:{}", gate.port()), "https://app.example".to_owned()] {
            // The body is read: it names one thing too many.
            make("own", &origin).await.problem(400, "request.invalid");
        }
    }
    // Where there is a credential the anonymous have no more than the config says, and may come from anywhere; so may tokens.
    let gate = Gate::with(&[BOOTSTRAP, ("TIDEGATE_AUTH__MODE", "optional")]);
    gate.anonymous().get("/api/whoami").header("Host", "gate.example").await.is(200);
    let made = gate.root().post("/api/workspaces", json!({"id": "demo"})).header("Origin", "https://app.example").await;
    made.is(201);
}

#[tokio::test]
async fn what_is_open_is_named_before_the_start() {
    let optional = "[auth]\nmode = \"optional\"\nanonymous_scopes = [\"admin:tokens:read\"]\n";
    let told = with_config(&["config", "check", "--json"], optional, &[]).await.ok().json();
    let keys: Vec<_> = told["warnings"].as_array().unwrap().iter().map(|warning| &warning["key"]).collect();
    assert_eq!(keys, ["auth.anonymous_scopes", "auth.mode"], "{told}");
    let told = with_config(&["config", "check", "--online"], optional, &[]).await.ok();
    assert!(told.stdout.contains("without any credential") && told.stdout.contains("holds no credential"), "{told:?}");
    let disabled =
        "[auth]\nmode = \"disabled\"\n[server]\ncors_allow_origins = [\"*\"]\npublic_url = \"https://gate.example\"\n";
    let told = with_config(&["config", "check"], disabled, &[]).await.ok();
    assert!(told.stdout.contains("server.cors_allow_origins: in mode disabled"), "{told:?}");
    assert!(told.stdout.contains("server.public_url: in mode disabled"), "{told:?}");
    // A database that cannot be asked is a failure of its own.
    let away = [("TIDEGATE_DATABASE__URL", "postgres://ada:s3cret@127.0.0.1:1/gate")];
    let told = with_config(&["config", "check", "--online"], optional, &away).await;
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stdout.contains("FAILED: the database") && !told.said().contains("s3cret"), "{told:?}");
}

#[tokio::test]
async fn on_a_terminal_the_first_token_is_shown_and_lies_in_no_file() {
    let folder = TempDir::new().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let terminal = "import pty, sys; pty.spawn(sys.argv[1:])";
    let mut command = Command::new("python3");
    command.args(["-c", terminal, env!("CARGO_BIN_EXE_tidegate"), "serve", "--bind", &address]);
    command.env_clear().env("HOME", folder.path()).env("PATH", "/usr/bin:/bin").current_dir(folder.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let shown = BufReader::new(child.stdout.take().unwrap()).lines();
    let (found, secret) = tokio::sync::oneshot::channel();
    // To its end, since the terminal goes with whoever reads it.
    let reading = tokio::task::spawn_blocking(move || {
        let mut found = Some(found);
        for line in shown.map_while(Result::ok) {
            if let Some(secret) = line.trim().strip_prefix("export TIDEGATE_TOKEN=") {
                found.take().expect("it is shown once").send(secret.to_owned()).unwrap();
            }
        }
    });
    let secret = tokio::time::timeout(DEADLINE, secret).await.expect("it is shown").unwrap();
    let url = format!("http://{address}");
    let variables = [("TIDEGATE_URL", url.as_str()), ("TIDEGATE_TOKEN", secret.as_str())];
    let told = until("the gate", || async {
        let ran = run(&["whoami", "--json"], &variables).await;
        (ran.code == 0).then(|| ran.json())
    })
    .await;
    // With its terminal the gate goes, too.
    child.kill().unwrap();
    child.wait().unwrap();
    reading.await.unwrap();
    assert_eq!((&told["token_id"], &told["all_workspaces"]), (&json!("first"), &json!(true)));
    let files = fs::read_dir(folder.path().join("data")).unwrap().map(|file| file.unwrap().file_name());
    assert!(files.into_iter().all(|name| !name.to_string_lossy().contains("first-token")));
}
