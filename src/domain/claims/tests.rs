mod rights;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    issuer::{IssuerPolicy, Provision},
    user::IssuerName,
};

fn policy() -> IssuerPolicy {
    IssuerPolicy::new(IssuerName::parse("idp").unwrap(), Provision::User)
}

fn object(claims: Value) -> JsonObject {
    match claims {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// The caller of these claims and a subject.
fn of(policy: &IssuerPolicy, claims: Value) -> Result<Identity, InvalidClaims> {
    let mut claims = object(claims);
    claims.entry("sub").or_insert_with(|| json!("ada"));
    identity_of(policy, claims)
}

#[test]
fn a_caller_is_what_the_claims_say() {
    let claims = object(json!({
        "sub": "ada", "jti": "t1", "sid": "s1", "iat": 1_700_000_000, "exp": 1_700_003_600.5,
        "preferred_username": "ada.l", "username": "other", "email": "ada@example.com", "act": {"sub": "eve"},
    }));
    let who = identity_of(&policy(), claims.clone()).unwrap();
    assert_eq!((who.subject.as_str(), who.kind, who.credential), ("ada", IdentityKind::User, CredentialKind::External));
    assert_eq!(who.issuer.as_deref(), Some("idp"));
    assert_eq!((who.token_id.as_deref(), who.session_id.as_deref()), (Some("t1"), Some("s1")));
    assert_eq!(who.issued_at, Timestamp::new(1_700_000_000, 0).ok());
    assert_eq!(who.expires_at, Timestamp::new(1_700_003_600, 500_000_000).ok());
    assert_eq!((who.username.as_deref(), who.email.as_deref()), (Some("ada.l"), Some("ada@example.com")));
    assert_eq!(who.actor.as_deref(), Some("eve"));
    assert_eq!(*who.claims, claims);
}

#[test]
fn a_subject_is_a_text_that_a_user_can_have() {
    let long = "ä".repeat(255);
    assert_eq!(of(&policy(), json!({"sub": long})).unwrap().subject, long);
    for bad in [json!(""), json!(null), json!(7), json!(["ada"]), json!("a\0b"), json!("a".repeat(256))] {
        for kind in ["user", "service"] {
            let claims = json!({"sub": bad, "type": kind});
            assert_eq!(of(&policy(), claims), Err(InvalidClaims::Subject), "{bad}");
        }
    }
    assert_eq!(identity_of(&policy(), JsonObject::new()), Err(InvalidClaims::Subject));
}

#[test]
fn the_kind_is_what_any_of_three_claims_says() {
    for claim in ["token_use", "type", "typ"] {
        for (value, kind) in [
            (json!("client"), IdentityKind::Service),
            (json!("service"), IdentityKind::Service),
            (json!("Service"), IdentityKind::Service),
            (json!("access"), IdentityKind::User),
            (json!("Bearer"), IdentityKind::User),
            (json!(5), IdentityKind::User),
        ] {
            assert_eq!(of(&policy(), json!({claim: value})).map(|who| who.kind), Ok(kind), "{claim}: {value}");
        }
        for value in ["ID", "id", "Refresh", "OFFLINE", "Logout"] {
            let claims = json!({claim: value, "token_use": if claim == "token_use" { value } else { "service" }});
            assert_eq!(of(&policy(), claims), Err(InvalidClaims::Kind), "{claim}: {value}");
        }
    }
}

#[test]
fn an_address_that_is_not_verified_is_no_address() {
    let address = |verified: Value| of(&policy(), json!({"email": "a@b.c", "email_verified": verified})).unwrap().email;
    for yes in [json!(true), json!("true"), json!(null)] {
        assert_eq!(address(yes).as_deref(), Some("a@b.c"));
    }
    for no in [json!(false), json!("false"), json!("no"), json!(1), json!({})] {
        assert_eq!(address(no.clone()), None, "{no}");
    }
}

#[test]
fn what_merely_describes_is_left_out_when_it_cannot_be_read() {
    let who =
        of(&policy(), json!({"preferred_username": 5, "username": "ada", "email": ["a@b.c"], "act": "eve"})).unwrap();
    assert_eq!((who.username.as_deref(), who.email, who.actor), (Some("ada"), None, None));
    for bad in [json!(""), json!(" "), json!("a\nb"), json!("a\0b"), json!("a".repeat(256)), json!({})] {
        let who = of(&policy(), json!({"username": bad, "email": bad, "act": {"sub": bad}})).unwrap();
        assert_eq!((who.username, who.email, who.actor), (None, None, None), "{bad}");
    }
}

#[test]
fn what_revocations_go_by_is_never_overlooked() {
    for claim in ["jti", "sid"] {
        for bad in [json!(5), json!(["a"]), json!({}), json!(true), json!("a\0b")] {
            assert_eq!(of(&policy(), json!({claim: bad})), Err(InvalidClaims::Name), "{claim}: {bad}");
        }
        for none in [json!(null), json!("")] {
            let who = of(&policy(), json!({claim: none})).unwrap();
            assert_eq!((who.token_id, who.session_id), (None, None));
        }
    }
}

#[test]
fn times_that_are_none_are_refused() {
    for claim in ["iat", "exp"] {
        for bad in [json!("1700000000"), json!(-1), json!(true), json!(1e15), json!([])] {
            assert!(matches!(of(&policy(), json!({claim: bad})), Err(InvalidClaims::Time(_))), "{claim}: {bad}");
        }
    }
}

#[test]
fn mapped_claims_count_beside_the_usual_ones() {
    let mut policy = policy();
    policy.claims = ClaimPaths::parse([
        ("username", vec!["profile.name"]),
        ("email", vec!["https://example.com/email"]),
        ("workspaces", vec!["org_id"]),
        ("scopes", vec!["authorization.grants"]),
    ])
    .unwrap();
    let claims = json!({
        "profile": {"name": "Ada"}, "username": "al", "https://example.com/email": "ada@example.com", "org_id": "org_01ABC",
        "workspace": "demo", "authorization": {"grants": ["jobs:work"]}, "scope": "workflows:read",
    });
    let who = of(&policy, claims).unwrap();
    assert_eq!((who.username.as_deref(), who.email.as_deref()), (Some("Ada"), Some("ada@example.com")));
    assert_eq!(who.rights.reach(), rights::only(&["demo", "org_01abc"]));
    assert_eq!(*who.rights.ceiling().scopes(), rights::scopes(&["jobs:work", "workflows:read"]));
}

#[test]
fn an_error_holds_no_claim() {
    for claims in
        [json!({"sub": "\0hush"}), json!({"jti": ["hush"]}), json!({"workspace": "hush hush!"}), json!({"exp": "hush"})]
    {
        let error = of(&policy(), claims).unwrap_err();
        assert!(!error.to_string().contains("hush") && !format!("{error:?}").contains("hush"), "{error:?}");
    }
}
