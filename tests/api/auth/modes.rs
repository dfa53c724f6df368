//! Modes and what counts as a credential (authentication.md section 2).

use serde_json::json;

use super::{
    mint::{SECRET, claims, secret},
    setup::{BOOTSTRAP, gate_with, log, refusal, start, whoami},
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
        let ran = super::setup::run(&["serve"], &variables).await;
        assert_eq!(ran.code, 2, "{config}: {}", ran.said());
        assert!(ran.stderr.contains(key), "{config}: {}", ran.stderr);
        // Whether anything is stored is for the database to say, which the check does not ask.
        let checked = super::setup::run(&["config", "check"], &variables).await;
        assert_eq!(checked.code == 0, config.contains("optional"), "{config}: {}", checked.said());
    }
    let ran = start("[auth]\nmode = \"sometimes\"", &[]).await;
    assert!(ran.code == 2 && ran.stderr.contains("auth.mode"), "{}", ran.said());
}

#[tokio::test]
async fn an_insecure_bind_is_for_who_says_so() {
    let gate = gate_with("[auth]\nmode = \"disabled\"\nallow_insecure_bind = true\n", &[]);
    whoami(&gate.anonymous()).await;
    let gate = gate_with("[auth]\nmode = \"optional\"\nanonymous_scopes = [\"workflows:read\"]\n", &[BOOTSTRAP]);
    whoami(&gate.anonymous()).await;
}
