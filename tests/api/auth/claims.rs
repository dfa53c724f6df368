//! From claims to rights (authentication.md section 3): ceiling, grant, kinds, and how refusals of rights are said.

use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, secret},
    setup::{gate, refusal, whoami},
};
use crate::api::{
    gate::{Answer, Caller, Gate, Shared},
    world::{World, unique},
};

/// One issuer for each way of configuring rights; its `iss` is `https://<name>.test`.
fn config() -> String {
    let issuer = |name: &str, keys: &str| {
        format!(
            "[[auth.issuers]]\nname = \"{name}\"\nkind = \"jwt\"\nissuers = [\"https://{name}.test\"]\n\
             audiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n{keys}\n"
        )
    };
    [
        issuer("plain", ""),
        issuer("open", "max_scopes = [\"*\"]"),
        issuer(
            "roles",
            "role_scopes = { dev = [\"workflows:*\"], clerk = [\"workflows:read\", \"vault:read\"], auditor = [\"admin:audit:read\"] }\n\
             default_scopes = [\"jobs:work\"]\nmax_scopes = [\"workflows:*\", \"jobs:work\", \"admin:audit:read\"]",
        ),
        issuer("capped", "max_scopes = [\"workflows:read\", \"jobs:work\"]\nallowed_workspaces = [\"team-*\", \"solo\"]"),
        issuer("placed", "default_workspaces = [\"lobby\"]"),
        issuer("everywhere", "default_workspaces = [\"*\"]\nmax_scopes = [\"*\"]"),
        issuer(
            "mapped",
            "role_scopes = { dev = [\"workflows:write\"] }\n\
             claims = { roles = [\"realm_access.roles\"], workspaces = \"tenant\" }",
        ),
        issuer("home", "provision = \"workspace\""),
        issuer("strict", "provision = \"none\""),
    ]
    .concat()
}

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| gate(&config()))
}

/// Somebody new of this issuer, whose token has these claims.
fn someone(gate: &Gate, issuer: &str, claims: &Value) -> Caller {
    gate.caller(secret(&mint::claims(&format!("https://{issuer}.test"), &unique("someone"), claims)))
}

async fn me(gate: &Gate, issuer: &str, claims: &Value) -> Answer {
    whoami(&someone(gate, issuer, claims)).await
}

fn sorted(value: &Value) -> Vec<&str> {
    let mut texts: Vec<&str> = value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    texts.sort_unstable();
    texts
}

/// The rights in one workspace.
fn rights<'a>(me: &'a Answer, workspace: &str) -> Vec<&'a str> {
    let found = me["workspaces"].as_array().unwrap().iter().find(|place| place["id"] == workspace);
    found.map_or(Vec::new(), |place| sorted(&place["scopes"]))
}

const WORKSPACE_SCOPES: [&str; 8] = [
    "chatkit:session",
    "jobs:work",
    "process:impersonate",
    "vault:read",
    "vault:write",
    "workflows:execute",
    "workflows:read",
    "workflows:write",
];

#[tokio::test]
async fn scopes_are_read_in_all_their_forms_and_united() {
    let gate = town();
    for claims in [
        json!({"scope": "workflows:read jobs:work"}),
        json!({"scope": "workflows:read,jobs:work"}),
        json!({"scope": "workflows:read, jobs:work"}),
        json!({"scope": "  workflows:read   jobs:work  "}),
        json!({"scope": ["workflows:read", "jobs:work"]}),
        json!({"scopes": ["workflows:read", "jobs:work"]}),
        json!({"scopes": "workflows:read jobs:work"}),
        json!({"scp": ["workflows:read", "jobs:work"]}),
        json!({"scp": "workflows:read jobs:work"}),
        json!({"permissions": ["workflows:read", "jobs:work"]}),
        json!({"tidegate": {"scopes": ["workflows:read", "jobs:work"]}}),
        json!({"tidegate": {"scope": "workflows:read jobs:work"}}),
        json!({"orcheo": {"permissions": ["workflows:read", "jobs:work"]}}),
        json!({"scope": "workflows:read", "scp": ["jobs:work"]}),
        json!({"scope": "workflows:read", "orcheo": {"scopes": "jobs:work"}}),
        json!({"scope": "workflows:read jobs:work workflows:fly read:everything"}),
        json!({"scope": "openid profile email address phone offline_access workflows:read jobs:work"}),
        json!({"scope": "workflows:read jobs:work workflows:read"}),
    ] {
        let mut claims = claims;
        claims["workspaces"] = json!(["w1"]);
        let me = me(&gate, "plain", &claims).await;
        assert_eq!(sorted(&me["scopes"]), ["jobs:work", "workflows:read"], "{claims}: {}", me.text);
        assert_eq!(rights(&me, "w1"), ["jobs:work", "workflows:read"], "{claims}: {}", me.text);
    }
}

#[tokio::test]
async fn unknown_scopes_alone_are_a_ceiling_of_nothing() {
    let gate = town();
    for scope in
        [json!("workflows:fly"), json!(["everything"]), json!("WORKFLOWS:READ"), json!("workflows:*"), json!("*")]
    {
        let claims = json!({"scope": scope, "roles": ["dev"], "workspaces": ["w1"]});
        let plain = me(&gate, "plain", &claims).await;
        assert_eq!((sorted(&plain["scopes"]), rights(&plain, "w1")), (vec![], vec![]), "{scope}: {}", plain.text);
        // Where roles have scopes, they decide: Entra ID puts a scope claim into every user token.
        let by_role = me(&gate, "roles", &claims).await;
        let expected = me(&gate, "roles", &json!({"roles": ["dev"], "workspaces": ["w1"]})).await;
        assert!(!sorted(&expected["scopes"]).is_empty(), "{}", expected.text);
        assert_eq!(sorted(&by_role["scopes"]), sorted(&expected["scopes"]), "{scope}: {}", by_role.text);
        let guest = json!({"scope": scope, "roles": ["guest"], "workspaces": ["w1"]});
        let guest = me(&gate, "roles", &guest).await;
        assert_eq!(sorted(&guest["scopes"]), ["jobs:work"], "the default scopes: {scope}: {}", guest.text);
    }
}

#[tokio::test]
async fn a_user_without_scopes_or_with_those_of_openid_has_no_ceiling_but_the_issuers() {
    let gate = town();
    for claims in [json!({}), json!({"scope": "openid profile email address phone offline_access"})] {
        let mut claims = claims;
        claims["workspaces"] = json!(["w1"]);
        let me = me(&gate, "plain", &claims).await;
        assert_eq!(rights(&me, "w1"), WORKSPACE_SCOPES, "{}", me.text);
        assert_eq!(sorted(&me["scopes"]), WORKSPACE_SCOPES, "the union of the rights: {}", me.text);
        let capped = json!({"workspaces": ["solo"], "scope": claims["scope"]});
        let capped = if claims["scope"].is_null() { json!({"workspaces": ["solo"]}) } else { capped };
        let me = someone(&gate, "capped", &capped);
        let me = whoami(&me).await;
        assert_eq!(rights(&me, "solo"), ["jobs:work", "workflows:read"], "{}", me.text);
    }
}

#[tokio::test]
async fn a_service_without_scopes_gets_nothing() {
    let gate = town();
    for claims in [json!({}), json!({"scope": "openid"})] {
        let mut claims = claims;
        claims["token_use"] = json!("service");
        claims["workspaces"] = json!(["w1"]);
        let service = someone(&gate, "plain", &claims);
        let me = whoami(&service).await;
        assert_eq!((&me["kind"], sorted(&me["scopes"])), (&json!("service"), vec![]), "{}", me.text);
        service.get("/api/workflows").await.problem(403, "auth.missing_scope");
    }
    let stated = json!({"token_use": "service", "workspaces": ["w1"], "scope": "workflows:read"});
    assert_eq!(rights(&me(&gate, "plain", &stated).await, "w1"), ["workflows:read"]);
    let role = json!({"token_use": "service", "workspaces": ["w1"], "roles": ["dev"]});
    let me = me(&gate, "roles", &role).await;
    assert_eq!(
        rights(&me, "w1"),
        ["jobs:work", "workflows:execute", "workflows:read", "workflows:write"],
        "{}",
        me.text
    );
}

#[tokio::test]
async fn roles_and_default_scopes_make_the_ceiling_of_who_states_no_scopes() {
    let gate = town();
    let dev = ["jobs:work", "workflows:execute", "workflows:read", "workflows:write"];
    for claims in [
        json!({"role": "dev"}),
        json!({"roles": ["dev"]}),
        json!({"roles": "dev"}),
        json!({"roles": ["other", "dev"]}),
        json!({"role": "dev", "scope": "openid email"}),
    ] {
        let mut claims = claims;
        claims["workspaces"] = json!(["w1"]);
        let me = me(&gate, "roles", &claims).await;
        assert_eq!(sorted(&me["scopes"]), dev, "{claims}: {}", me.text);
        assert_eq!(rights(&me, "w1"), dev, "{claims}: {}", me.text);
    }
    // An unknown role leaves the default; what max_scopes lacks is cut; stated scopes leave roles unread.
    for (claims, expected) in [
        (json!({"role": "boss"}), vec!["jobs:work"]),
        (json!({"role": "clerk"}), vec!["jobs:work", "workflows:read"]),
        (json!({"roles": ["clerk", "dev"]}), dev.to_vec()),
        (json!({"role": "dev", "scope": "workflows:read"}), vec!["workflows:read"]),
        (json!({"role": "dev", "scope": "vault:write"}), vec![]),
    ] {
        let mut claims = claims;
        claims["workspaces"] = json!(["w1"]);
        let me = me(&gate, "roles", &claims).await;
        assert_eq!(rights(&me, "w1"), expected, "{claims}: {}", me.text);
    }
}

#[tokio::test]
async fn claims_are_found_where_the_config_maps_them() {
    let gate = town();
    let mapped = json!({"realm_access": {"roles": ["dev", "uma"]}, "tenant": "acme"});
    let me = me(&gate, "mapped", &mapped).await;
    assert_eq!((&me["workspace_ids"], rights(&me, "acme")), (&json!(["acme"]), vec!["workflows:write"]), "{}", me.text);
}

#[tokio::test]
async fn admin_scopes_must_be_stated_and_allowed() {
    let gate = town();
    let stated = json!({"scope": "admin:tokens:read admin:audit:read workflows:read", "workspaces": ["w1"]});
    let cut = me(&gate, "plain", &stated).await;
    assert_eq!((sorted(&cut["scopes"]), rights(&cut, "w1")), (vec!["workflows:read"], vec!["workflows:read"]));
    let whole = me(&gate, "open", &stated).await;
    assert_eq!(rights(&whole, "w1"), ["admin:audit:read", "admin:tokens:read", "workflows:read"], "{}", whole.text);
    let unstated = me(&gate, "open", &json!({"workspaces": ["w1"]})).await;
    assert_eq!(rights(&unstated, "w1"), WORKSPACE_SCOPES, "no admin scope unless stated: {}", unstated.text);
    let all = me(&gate, "everywhere", &json!({})).await;
    assert!(
        all["scopes"].as_array().unwrap().iter().all(|scope| !scope.as_str().unwrap().starts_with("admin:")),
        "{}",
        all.text
    );
}

#[tokio::test]
async fn workspaces_are_read_in_all_their_forms_and_united() {
    let gate = town();
    for claims in [
        json!({"workspace_ids": ["w1", "w2"]}),
        json!({"workspaces": ["w1", "w2"]}),
        json!({"workspaces": "w1 w2"}),
        json!({"workspaces": "w1,w2"}),
        json!({"workspace_id": "w1", "workspace": "w2"}),
        json!({"workspace_id": "w1", "workspaces": ["w2"]}),
        json!({"tidegate": {"workspace_ids": ["w1", "w2"]}}),
        json!({"tidegate": {"workspace": "w2"}, "orcheo": {"workspaces": ["w1"]}}),
        json!({"workspaces": ["w2", "w1", "w2"]}),
    ] {
        let me = me(&gate, "plain", &claims).await;
        assert_eq!(sorted(&me["workspace_ids"]), ["w1", "w2"], "{claims}: {}", me.text);
        assert_eq!(me["all_workspaces"], false);
        assert_eq!(rights(&me, "w1"), WORKSPACE_SCOPES, "they need not exist: {}", me.text);
    }
}

#[tokio::test]
async fn an_invalid_workspace_refuses_the_token() {
    let gate = town();
    for claims in [
        json!({"workspaces": ["w1", "no slug!"]}),
        json!({"workspace": "-x"}),
        json!({"workspace_id": "ä"}),
        json!({"workspaces": ["w".repeat(64)]}),
        json!({"workspaces": ["*"]}),
        json!({"tidegate": {"workspace": "a/b"}}),
    ] {
        let refused = refusal(&someone(&gate, "plain", &claims)).await;
        assert_eq!(refused, (401, "auth.invalid_token".to_owned()), "{claims}");
    }
}

#[tokio::test]
async fn a_workspace_claim_decides_alone_even_if_empty() {
    let gate = town();
    for claims in [json!({"workspaces": []}), json!({"workspace_ids": []}), json!({"tidegate": {"workspaces": []}})] {
        let (place, everywhere) = (me(&gate, "placed", &claims).await, me(&gate, "everywhere", &claims).await);
        for me in [place, everywhere] {
            assert_eq!(
                (&me["workspace_ids"], &me["all_workspaces"]),
                (&json!([]), &json!(false)),
                "{claims}: {}",
                me.text
            );
            assert_eq!(me["workspaces"], json!([]), "{claims}: {}", me.text);
        }
    }
    let named = me(&gate, "placed", &json!({"workspaces": ["w1"]})).await;
    assert_eq!(named["workspace_ids"], json!(["w1"]), "no default beside a claim: {}", named.text);
    let unnamed = me(&gate, "placed", &json!({})).await;
    assert_eq!(unnamed["workspace_ids"], json!(["lobby"]), "{}", unnamed.text);
    let all = me(&gate, "everywhere", &json!({})).await;
    assert_eq!(all["all_workspaces"], true, "{}", all.text);
    let nothing = me(&gate, "plain", &json!({})).await;
    assert_eq!((&nothing["workspace_ids"], &nothing["all_workspaces"]), (&json!([]), &json!(false)));
}

#[tokio::test]
async fn workspaces_beyond_the_issuers_are_cut() {
    let gate = town();
    let me =
        me(&gate, "capped", &json!({"workspaces": ["team-a", "team-b", "solo", "solo2", "other", "ateam-a"]})).await;
    assert_eq!(sorted(&me["workspace_ids"]), ["solo", "team-a", "team-b"], "{}", me.text);
    let none = someone(&gate, "capped", &json!({"workspaces": ["other"]}));
    assert_eq!(whoami(&none).await["workspace_ids"], json!([]));
}

#[tokio::test]
async fn memberships_decide_where_no_claim_does() {
    let gate = town();
    let root = gate.root();
    let [a, b, c, d] = ["owned", "administered", "joined", "viewed"].map(unique);
    for (issuer, default) in [("plain", None), ("placed", Some("lobby"))] {
        let subject = unique("member");
        let caller = gate.caller(secret(&mint::claims(&format!("https://{issuer}.test"), &subject, &json!({}))));
        let before = whoami(&caller).await;
        assert_eq!(before["workspace_ids"], json!(default.map_or(vec![], |id| vec![id])), "{}", before.text);
        for (id, role) in [(&a, "owner"), (&b, "admin"), (&c, "member"), (&d, "viewer")] {
            if issuer == "plain" {
                root.post("/api/workspaces", json!({"id": id})).await.is(201);
            }
            let path = format!("/api/workspaces/{id}/members/{issuer}:{subject}");
            root.ask(reqwest::Method::PUT, &path).json(&json!({"role": role})).await.is(200);
        }
        let me = whoami(&caller).await;
        let mut expected = [a.clone(), b.clone(), c.clone(), d.clone()];
        expected.sort_unstable();
        assert_eq!(sorted(&me["workspace_ids"]), expected, "the default is of who has none: {}", me.text);
        assert_eq!(rights(&me, &a), WORKSPACE_SCOPES, "max_scopes holds admin:* back: {}", me.text);
        assert_eq!(rights(&me, &b), WORKSPACE_SCOPES);
        let member =
            ["chatkit:session", "jobs:work", "vault:read", "workflows:execute", "workflows:read", "workflows:write"];
        assert_eq!(rights(&me, &c), member);
        assert_eq!(rights(&me, &d), ["workflows:read"]);
        let place = me["workspaces"].as_array().unwrap().iter().find(|place| place["id"] == *c).unwrap();
        assert_eq!(place["role"], "member");
        // What is read is what is done.
        caller.post("/api/workflows", json!({"workspace_id": c, "name": unique("w")})).await.is(201);
        let refused = caller.post("/api/workflows", json!({"workspace_id": d, "name": "w"})).await;
        refused.problem(403, "auth.missing_scope");
        assert_eq!(refused["message"], "Missing required scopes: workflows:write");
        // A stated scope is a ceiling over all of it; a claim leaves memberships out.
        let with = |more: Value| gate.caller(secret(&mint::claims(&format!("https://{issuer}.test"), &subject, &more)));
        let read = whoami(&with(json!({"scope": "workflows:read jobs:work"}))).await;
        assert_eq!(
            (rights(&read, &a), rights(&read, &d)),
            (vec!["jobs:work", "workflows:read"], vec!["workflows:read"])
        );
        assert_eq!(sorted(&read["scopes"]), ["jobs:work", "workflows:read"]);
        let claimed = whoami(&with(json!({"workspaces": [d]}))).await;
        assert_eq!(
            (sorted(&claimed["workspace_ids"]), rights(&claimed, &d).len()),
            (vec![d.as_str()], 8),
            "{}",
            claimed.text
        );
    }
}

#[tokio::test]
async fn whose_last_membership_is_taken_away_has_nothing_left() {
    let gate = town();
    let (root, id) = (gate.root(), unique("w"));
    root.post("/api/workspaces", json!({"id": id})).await.is(201);
    for issuer in ["placed", "everywhere"] {
        for seen_before in [true, false] {
            let subject = unique("former");
            let caller = gate.caller(secret(&mint::claims(&format!("https://{issuer}.test"), &subject, &json!({}))));
            if seen_before {
                assert_ne!(whoami(&caller).await["workspace_ids"], json!([id]));
            }
            let path = format!("/api/workspaces/{id}/members/{issuer}:{subject}");
            root.ask(reqwest::Method::PUT, &path).json(&json!({"role": "viewer"})).await.is(200);
            root.delete(&path).await.is(204);
            let me = whoami(&caller).await;
            assert_eq!((&me["workspace_ids"], &me["all_workspaces"]), (&json!([]), &json!(false)), "{}", me.text);
            caller.get("/api/workflows?workspace_id=lobby").await.problem(403, "auth.workspace_forbidden");
            assert_eq!(caller.get("/api/workflows").await.is(200).items().len(), 0);
        }
    }
}

#[tokio::test]
async fn owners_and_admins_see_to_tokens_where_the_issuer_lets_them() {
    let gate = town();
    let root = gate.root();
    let (id, subject) = (unique("w"), unique("boss"));
    root.post("/api/workspaces", json!({"id": id})).await.is(201);
    let path = format!("/api/workspaces/{id}/members/open:{subject}");
    root.ask(reqwest::Method::PUT, &path).json(&json!({"role": "admin"})).await.is(200);
    let boss = gate.caller(secret(&mint::claims("https://open.test", &subject, &json!({}))));
    let me = whoami(&boss).await;
    let mut expected = WORKSPACE_SCOPES.to_vec();
    expected.extend(["admin:tokens:read", "admin:tokens:write"]);
    expected.sort_unstable();
    assert_eq!(rights(&me, &id), expected, "{}", me.text);
    assert_eq!(me["all_workspaces"], false, "never by a membership");
    boss.get("/api/admin/service-tokens").await.is(200);
    boss.get("/api/admin/audit-events").await.problem(403, "auth.missing_scope");
}

#[tokio::test]
async fn the_kind_is_what_the_token_says() {
    let gate = town();
    let stated = |more: Value| {
        let mut claims = json!({"scope": "workflows:read"});
        mint::merge(&mut claims, &more);
        claims
    };
    for (claims, kind) in [
        (json!({}), "user"),
        (json!({"token_use": "access"}), "user"),
        (json!({"token_use": "service"}), "service"),
        (json!({"token_use": "client"}), "service"),
        (json!({"type": "service"}), "service"),
        (json!({"type": "client"}), "service"),
        (json!({"typ": "service"}), "service"),
        (json!({"typ": "client"}), "service"),
        (json!({"typ": "Bearer"}), "user"),
    ] {
        let me = me(&gate, "plain", &stated(claims.clone())).await;
        assert_eq!(me["kind"], kind, "{claims}: {}", me.text);
    }
    for word in ["ID", "id", "Refresh", "REFRESH", "Offline", "Logout", "logout"] {
        for claim in ["token_use", "type", "typ"] {
            let refused = refusal(&someone(&gate, "plain", &stated(json!({claim: word})))).await;
            assert_eq!(refused, (401, "auth.invalid_token".to_owned()), "{claim}: {word}");
        }
    }
}

#[tokio::test]
async fn whoami_tells_what_the_token_says_of_its_bearer() {
    let gate = town();
    let now = mint::now();
    let subject = unique("ada");
    let claims = json!({"preferred_username": "ada", "username": "other", "email": "ada@example.com", "email_verified": true,
        "act": {"sub": "support-1"}, "jti": "token-7", "scope": "workflows:read", "workspaces": ["w1"]});
    let caller = gate.caller(secret(&mint::claims("https://plain.test", &subject, &claims)));
    let me = whoami(&caller).await;
    let at = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap();
    let time = |name: &str| me.str(name).parse::<jiff::Timestamp>().unwrap();
    assert!(
        (time("issued_at") - at(now)).get_seconds().abs() < 10
            && (time("expires_at") - at(now + 300)).get_seconds().abs() < 10,
        "{}",
        me.text
    );
    let mut rest = me.body.clone();
    mint::merge(&mut rest, &json!({"issued_at": null, "expires_at": null, "explain": null}));
    assert_eq!(
        rest,
        json!({"authenticated": true, "subject": subject, "kind": "user", "scopes": ["workflows:read"], "all_workspaces": false,
            "workspace_ids": ["w1"], "workspaces": [{"id": "w1", "role": null, "scopes": ["workflows:read"]}], "token_id": "token-7",
            "issuer": "plain", "username": "ada", "email": "ada@example.com", "actor": "support-1"})
    );
    let of = async |more: Value| me_of(&gate, &more).await;
    assert_eq!(of(json!({"username": "eve"})).await["username"], "eve");
    assert_eq!(of(json!({"email": "eve@example.com"})).await["email"], "eve@example.com");
    assert_eq!(of(json!({"email": "eve@example.com", "email_verified": false})).await["email"], Value::Null);
    let bare = of(json!({})).await;
    for name in ["username", "email", "actor", "token_id"] {
        assert_eq!(bare[name], Value::Null, "{name}: {}", bare.text);
    }
}

async fn me_of(gate: &Gate, claims: &Value) -> Answer {
    me(gate, "plain", claims).await
}

#[tokio::test]
async fn reserved_names_come_from_no_issuer() {
    let gate = town();
    for subject in ["bootstrap", "anonymous", "system"] {
        let caller = gate.caller(secret(&mint::claims("https://open.test", subject, &json!({"workspaces": ["w1"]}))));
        let answer = caller.get("/api/whoami").await;
        assert!(answer.status == 401 || answer["kind"] == "user", "{}", answer.text);
        assert_eq!(caller.post("/api/admin/service-tokens", json!({"all_workspaces": true})).await.status / 100, 4);
        caller.get("/api/admin/revocations").await.complete_problem();
    }
}

#[tokio::test]
async fn a_named_workspace_is_forbidden_and_a_hidden_thing_not_found() {
    let gate = town();
    let world = World::on(gate.clone()).await;
    let made = world.post("/api/workflows", json!({"workspace_id": world.id, "name": "w"})).await.is(201);
    let hidden = format!("/api/workflows/{}", made.id());
    let stranger =
        someone(&gate, "plain", &json!({"workspaces": ["elsewhere"], "scope": "workflows:read workflows:write"}));
    stranger.get(&hidden).await.problem(404, "workflow.not_found");
    stranger.patch(&hidden, json!({"name": "x"})).await.problem(404, "workflow.not_found");
    for id in [world.id.as_str(), "never-made"] {
        stranger.get(&format!("/api/workflows?workspace_id={id}")).await.problem(403, "auth.workspace_forbidden");
        stranger.get(&format!("/api/workspaces/{id}")).await.problem(403, "auth.workspace_forbidden");
        let order = json!({"workspace_id": id, "name": "x"});
        stranger.post("/api/workflows", order).await.problem(403, "auth.workspace_forbidden");
    }
    let anonymous = gate.anonymous();
    for path in [hidden.clone(), format!("/api/workspaces/{}", world.id), "/api/nosuch".to_owned()] {
        anonymous.get(&path).await.problem(401, "auth.missing_token");
    }
    // Who is named a workspace that nobody has made may not use what is not there.
    let nowhere = stranger.get("/api/workflows?workspace_id=elsewhere").await;
    assert!([200, 404].contains(&nowhere.status), "{}", nowhere.text);
    let all = someone(&gate, "everywhere", &json!({}));
    all.get("/api/workspaces/never-made").await.problem(404, "workspace.not_found");
    all.get(&hidden).await.is(200);
    let scopeless = someone(&gate, "plain", &json!({"workspaces": [world.id], "scope": "jobs:work"}));
    let refused = scopeless.get(&hidden).await;
    assert!([403, 404].contains(&refused.status), "{}", refused.text);
    scopeless.get(&format!("/api/workspaces/{}", world.id)).await.is(200);
}

#[tokio::test]
async fn a_user_may_always_make_a_workspace_and_owns_it() {
    let gate = town();
    let user = someone(&gate, "plain", &json!({}));
    let id = unique("mine");
    let made = user.post("/api/workspaces", json!({"id": id, "name": "Mine"})).await.is(201);
    assert_eq!(made["role"], "owner", "{}", made.text);
    let me = whoami(&user).await;
    assert_eq!((&me["workspace_ids"], &me["workspaces"][0]["role"]), (&json!([id]), &json!("owner")), "{}", me.text);
    user.get(&format!("/api/workspaces/{id}")).await.is(200);
    let service =
        someone(&gate, "plain", &json!({"token_use": "service", "scope": "workflows:write", "workspaces": ["w1"]}));
    service.post("/api/workspaces", json!({"id": unique("not")})).await.problem(403, "auth.missing_scope");
}
