//! From the claims of a verified token to who is calling and what they may do (authentication.md section 3). Pure: the same
//! for JWTs, introspection and whoever else has claims.
//!
//! # What cannot be read
//! Contracts say little about claims of a wrong type, so here is one rule. What decides rights is never overlooked: in
//! scopes, roles and workspaces, whatever is no text counts as a name that nobody knows. So an unreadable scope claim is an
//! empty ceiling, an unreadable workspace refuses the token, an unreadable role is a role without `role_scopes`. A claim
//! that names one thing (`workspace`, `workspace_id`, `role`, and each text that an issuer's claims are mapped to) is never
//! split: `"Acme Finance"` is a display name, not the workspaces `acme` and `finance`. What
//! revocations go by (`jti`, `sid`) refuses the token when it is no text. What merely describes (names, addresses, the
//! actor) is left out. `null` is as good as absent everywhere.

mod paths;

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

pub use paths::{ClaimPaths, Meaning};

use super::{
    identity::{CredentialKind, Identity, IdentityKind},
    issuer::IssuerPolicy,
    json::JsonObject,
    numeric_date::{InvalidNumericDate, numeric_date},
    rights::{Ceiling, Grant, Rights},
    scope::Scopes,
    user::UserId,
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// Claims that no caller can be made of. `Display` never holds a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    /// `sub` is absent, empty, no text, longer than 255 characters, or holds U+0000.
    #[error("the subject is none")]
    Subject,
    /// An ID, refresh, offline or logout token: nothing to call with.
    #[error("the token is of a kind that is not for calling with")]
    Kind,
    /// A workspace claim holds something that is no slug.
    #[error("a workspace claim is no workspace's id")]
    Workspace,
    /// `jti` or `sid` is no text, or holds U+0000.
    #[error("a claim that revocations go by is no text")]
    Name,
    /// They are not those of a widget's session, although the gate's own key signed them.
    #[error("the claims are no session's")]
    Session,
    /// `iat` or `exp` is no time.
    #[error("a time claim {0}")]
    Time(#[from] InvalidNumericDate),
}

const SCOPE_CLAIMS: &[&str] = &["scope", "scopes", "scp", "permissions"];
/// Providers put these into every token, also where they have nothing to say: an empty one counts as absent.
const SCOPE_CLAIMS_THAT_MAY_BE_EMPTY: &[&str] = &["scope", "permissions"];
const ROLE_CLAIM: &str = "role";
const ROLES_CLAIM: &str = "roles";
/// Lists, or texts with blanks or commas between the ids.
const WORKSPACE_LIST_CLAIMS: &[&str] = &["workspace_ids", "workspaces"];
/// Exactly one id.
const SINGLE_WORKSPACE_CLAIMS: &[&str] = &["workspace_id", "workspace"];
/// Objects in which scope and workspace claims may be nested.
const NAMESPACES: &[&str] = &["tidegate", "orcheo"];
const KIND_CLAIMS: &[&str] = &["token_use", "type", "typ"];
const SERVICE_KINDS: &[&str] = &["client", "service"];
const REFUSED_KINDS: &[&str] = &["id", "refresh", "offline", "logout"];
/// `OpenID` Connect's own scopes: what they ask for is the provider's to give.
const OIDC_SCOPES: &[&str] = &["openid", "profile", "email", "address", "phone", "offline_access"];
/// Names and addresses that are longer are left out, in characters.
const LONGEST_TEXT: usize = 255;

/// Makes the caller of claims that a validator vouches for: signature, issuer, audience and times have been judged.
///
/// Rights: the ceiling never exceeds the issuer's `max_scopes`. To take a scope out of a claim never adds a right, as long
/// as the claim stays one: what is left must not be empty (`scope`, `permissions`), nor only scopes of `OpenID` Connect's
/// own, nor, where the issuer has `role_scopes`, only scopes that nobody here knows. To take a workspace out of a claim
/// never adds one either; without any such claim the grant is [`Grant::none`], for the memberships to fill in.
///
/// # Errors
/// [`InvalidClaims`]: outside, an invalid token.
pub fn identity_of(policy: &IssuerPolicy, claims: impl Into<Arc<JsonObject>>) -> Result<Identity, InvalidClaims> {
    let claims = claims.into();
    let subject = subject(policy, &claims)?;
    let kind = kind(&claims)?;
    let rights = Rights::new(ceiling(policy, kind, &claims), grant(policy, &claims)?);
    Ok(Identity {
        issuer: Some(policy.name.as_str().to_owned()),
        token_id: name(&claims, "jti")?,
        session_id: name(&claims, "sid")?,
        issued_at: present(&claims, "iat").map(numeric_date).transpose()?,
        expires_at: present(&claims, "exp").map(numeric_date).transpose()?,
        username: username(policy, &claims),
        email: email(policy, &claims),
        actor: present(&claims, "act").and_then(|act| text(act.get("sub")?)),
        claims: Arc::clone(&claims),
        ..Identity::new(subject, kind, CredentialKind::External, rights)
    })
}

fn present<'a>(claims: &'a JsonObject, name: &str) -> Option<&'a Value> {
    claims.get(name).filter(|value| !value.is_null())
}

/// The limits of users hold for services too: a revocation must be able to name them.
fn subject(policy: &IssuerPolicy, claims: &JsonObject) -> Result<String, InvalidClaims> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(InvalidClaims::Subject)?;
    let user = UserId::new(policy.name.clone(), subject).map_err(|_| InvalidClaims::Subject)?;
    Ok(user.subject().to_owned())
}

fn kind(claims: &JsonObject) -> Result<IdentityKind, InvalidClaims> {
    if states_kind(claims, REFUSED_KINDS) { Err(InvalidClaims::Kind) } else { Ok(stated_kind(claims)) }
}

/// What sort of caller the claims state, whether or not one can be made of them.
pub fn stated_kind(claims: &JsonObject) -> IdentityKind {
    if states_kind(claims, SERVICE_KINDS) { IdentityKind::Service } else { IdentityKind::User }
}

fn states_kind(claims: &JsonObject, kinds: &[&str]) -> bool {
    let mut stated = KIND_CLAIMS.iter().filter_map(|name| claims.get(*name)?.as_str());
    stated.any(|kind| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)))
}

/// A name that revocations go by. An empty one names nothing.
fn name(claims: &JsonObject, claim: &str) -> Result<Option<String>, InvalidClaims> {
    match present(claims, claim) {
        None => Ok(None),
        Some(Value::String(text)) if text.contains('\0') => Err(InvalidClaims::Name),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(InvalidClaims::Name),
    }
}

/// What somebody is called: the text without blanks around it, if it has 1 to 255 characters and no control among them.
pub fn described(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= LONGEST_TEXT && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn text(claim: &Value) -> Option<String> {
    described(claim.as_str()?)
}

fn username(policy: &IssuerPolicy, claims: &JsonObject) -> Option<String> {
    let usual = ["preferred_username", "username"].into_iter().filter_map(|name| claims.get(name));
    policy.claims.find(Meaning::Username, claims).chain(usual).find_map(text)
}

/// Whoever does not say whether an address is verified is believed; who says anything but yes is not.
fn email(policy: &IssuerPolicy, claims: &JsonObject) -> Option<String> {
    let verified = match present(claims, "email_verified") {
        None => true,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        Some(other) => *other == Value::Bool(true),
    };
    let usual = claims.get("email").into_iter();
    policy.claims.find(Meaning::Email, claims).chain(usual).find_map(text).filter(|_| verified)
}

/// The ceiling: what the token states; else what its roles and the issuer's defaults come to; else, for a person of an
/// issuer without `requires_scopes`, nothing but `max_scopes`. An entry of `role_scopes` that gives nothing still says what
/// the role is worth: nothing.
fn ceiling(policy: &IssuerPolicy, kind: IdentityKind, claims: &JsonObject) -> Ceiling {
    let ceiling = match stated_scopes(policy, claims) {
        Stated::Scopes(scopes) => Ceiling::stated(scopes),
        Stated::OnlyUnknown => Ceiling::derived(derived_scopes(policy, claims).unwrap_or_default()),
        Stated::Nothing => match derived_scopes(policy, claims) {
            Some(scopes) => Ceiling::derived(scopes),
            None if kind == IdentityKind::User && !policy.requires_scopes => Ceiling::open(),
            None => Ceiling::derived(Scopes::new()),
        },
    };
    ceiling.within(&policy.max_scopes)
}

/// What the scope claims of a token come to.
enum Stated {
    /// Those that are known here.
    Scopes(Scopes),
    /// None that is known here, at an issuer whose roles have scopes: the roles decide.
    OnlyUnknown,
    /// There is no claim that counts.
    Nothing,
}

fn stated_scopes(policy: &IssuerPolicy, claims: &JsonObject) -> Stated {
    let usual = usual_claims(claims, SCOPE_CLAIMS)
        .map(|(name, claim)| (SCOPE_CLAIMS_THAT_MAY_BE_EMPTY.contains(&name), split_names(claim)))
        .filter(|(may_be_empty, names)| !(*may_be_empty && names.is_empty()))
        .map(|(_, names)| names);
    let mapped = policy.claims.find(Meaning::Scopes, claims).map(split_names);
    let counting: Vec<_> = usual.chain(mapped).filter(|names| !is_only_oidc(names)).collect();
    if counting.is_empty() {
        return Stated::Nothing;
    }
    let names: Vec<_> = counting.into_iter().flatten().collect();
    let known: Scopes = names.iter().flatten().filter_map(|name| name.parse().ok()).collect();
    let only_unknown = known.is_empty() && !names.is_empty() && names.iter().all(Option::is_some);
    if only_unknown && !policy.role_scopes.is_empty() { Stated::OnlyUnknown } else { Stated::Scopes(known) }
}

fn is_only_oidc(names: &[Option<&str>]) -> bool {
    !names.is_empty() && names.iter().all(|name| name.is_some_and(|name| OIDC_SCOPES.contains(&name)))
}

/// The scopes of the roles and the issuer's default ones; `None` if neither says anything.
fn derived_scopes(policy: &IssuerPolicy, claims: &JsonObject) -> Option<Scopes> {
    let single = present(claims, ROLE_CLAIM).map(whole_names);
    let several = present(claims, ROLES_CLAIM).map(split_names);
    let mapped = policy.claims.find(Meaning::Roles, claims).map(whole_names);
    let roles = single.into_iter().chain(several).chain(mapped).flatten().flatten();
    let mut worth = roles.filter_map(|role| policy.role_scopes.get(role)).peekable();
    let says_nothing = worth.peek().is_none() && policy.default_scopes.is_empty();
    (!says_nothing).then(|| worth.flatten().chain(&policy.default_scopes).copied().collect())
}

/// The workspaces that the token names: present, they decide alone, even if there is none among them.
fn grant(policy: &IssuerPolicy, claims: &JsonObject) -> Result<Grant, InvalidClaims> {
    let lists = usual_claims(claims, WORKSPACE_LIST_CLAIMS).map(|(_, claim)| split_names(claim));
    let single = usual_claims(claims, SINGLE_WORKSPACE_CLAIMS).map(|(_, claim)| vec![claim.as_str()]);
    let mapped = policy.claims.find(Meaning::Workspaces, claims).map(whole_names);
    let mut named = lists.chain(single).chain(mapped).peekable();
    if named.peek().is_none() {
        return Ok(Grant::none());
    }
    let mut ids = BTreeSet::new();
    for name in named.flatten() {
        let id = WorkspaceId::parse(name.ok_or(InvalidClaims::Workspace)?).map_err(|_| InvalidClaims::Workspace)?;
        if policy.allowed_workspaces.allow(&id) {
            ids.insert(id);
        }
    }
    Ok(Grant::Named(WorkspaceAccess::Only(ids)))
}

/// The claims that are there by these names, at the top and in our namespaces.
fn usual_claims<'a>(claims: &'a JsonObject, names: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let nested = NAMESPACES.iter().filter_map(|name| claims.get(*name)?.as_object());
    let objects = std::iter::once(claims).chain(nested);
    objects.flat_map(move |object| names.iter().filter_map(move |name| Some((*name, present(object, name)?))))
}

/// The names in a claim: a text with blanks or commas between them, or a list. What is no text is `None`.
fn split_names(claim: &Value) -> Vec<Option<&str>> {
    match claim {
        Value::String(text) => {
            text.split(|c: char| c.is_whitespace() || c == ',').filter(|name| !name.is_empty()).map(Some).collect()
        }
        other => whole_names(other),
    }
}

/// The names in a claim of which a text is one name, and a list several. What is no text is `None`.
fn whole_names(claim: &Value) -> Vec<Option<&str>> {
    match claim {
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        other => vec![other.as_str()],
    }
}

#[cfg(test)]
mod tests;
