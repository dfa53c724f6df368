//! What each kind of issuer needs, and what it does without.

use serde_json::{Value, json};
use url::Url;

use super::{
    super::key::nearest,
    Algorithm, Audience, IntrospectionConfig, IssuerKind, JwtConfig, KeyRules, OidcConfig, WorkosConfig,
    judge::{Judge, is_loopback},
    keys::Sort,
};
use crate::domain::service_token;

type Judged = (Vec<String>, Audience, IssuerKind);

/// Members of a JWK that only who signs needs (RFC 7518 section 6); of an `oct` key, `k` is all there is.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const WORKOS: &str = "https://api.workos.com";

pub(super) fn judge(judge: &mut Judge<'_>, sort: Sort) -> Option<Judged> {
    match sort {
        Sort::Workos => workos(judge),
        Sort::Oidc => oidc(judge),
        Sort::Jwt => Some(jwt(judge)),
        Sort::Introspection => introspection(judge),
    }
}

fn workos(judge: &mut Judge<'_>) -> Option<Judged> {
    let client_id = judge.required("client_id", "the application's, client_…");
    let algorithms = asymmetric(judge, &[Algorithm::Rs256]);
    let keys = fetching(judge);
    let (api_key, webhook_secret) = (judge.secret("api_key"), judge.secret("webhook_secret"));
    let given = judge.url("jwks_url");
    let audiences = judge.audiences();
    let issuers = judge.names("issuers");
    let client_id = client_id?;
    let Some(jwks_url) = given.or_else(|| Url::parse(&format!("{WORKOS}/sso/jwks/{client_id}")).ok()) else {
        judge.refuse("client_id", "no URL of keys can be made of it: set jwks_url");
        return None;
    };
    // Older environments say the first, newer ones the second, and some documents show the slash.
    let known = || vec![WORKOS.to_owned(), format!("{WORKOS}/"), format!("{WORKOS}/user_management/{client_id}")];
    let audiences = match audiences {
        None => Audience::IfPresent(vec![client_id.clone()]),
        Some(Audience::OneOf(some)) => Audience::IfPresent(some),
        Some(any) => any,
    };
    let issuers = issuers.unwrap_or_else(known);
    if api_key.is_some() {
        judge_api(judge, &jwks_url, &issuers);
    }
    let kind = WorkosConfig { client_id, algorithms, jwks_url, keys, api_key, webhook_secret };
    Some((issuers, audiences, IssuerKind::Workos(kind)))
}

/// The API is asked at the origin of the keys: at `WorkOS`'s, on this machine, or where the issuer itself is. To others its
/// key does not go, and nowhere by plain http.
fn judge_api(judge: &mut Judge<'_>, jwks_url: &Url, issuers: &[String]) {
    let origin = jwks_url.origin();
    let shown = origin.ascii_serialization();
    if shown == WORKOS || is_loopback(jwks_url) {
        return;
    }
    let is_issuer = || issuers.iter().any(|iss| Url::parse(iss).is_ok_and(|iss| iss.origin() == origin));
    if jwks_url.scheme() != "https" {
        judge.refuse("api_key", format!("would go to {shown} by plain http: it goes by https, or to loopback"));
    } else if is_issuer() {
        judge.warn("api_key", format!("goes to {shown}, where jwks_url is, and not to {WORKOS}"));
    } else {
        let reason = format!("would go to {shown}, where jwks_url is; if that is WorkOS, name it in issuers");
        judge.refuse("api_key", reason);
    }
}

fn oidc(judge: &mut Judge<'_>) -> Option<Judged> {
    let issuers = judge.names("issuers");
    let algorithms = asymmetric(judge, &[Algorithm::Rs256]);
    let keys = fetching(judge);
    let audiences = judge.audiences();
    if audiences.is_none() {
        judge.refuse("audiences", "must be set: whom the tokens are meant for, or [\"*\"] to say that all are meant");
    }
    let given = judge.url("discovery_url");
    let Some(issuers) = issuers else {
        judge.refuse("issuers", "must be set: the provider's issuer, as its discovery document says it");
        return None;
    };
    let discovery_url = match given {
        Some(url) => url,
        None => discovery(judge, issuers.first()?)?,
    };
    Some((issuers, audiences?, IssuerKind::Oidc(OidcConfig { discovery_url, algorithms, keys })))
}

/// Where an issuer's document is (`OpenID` Connect Discovery 1.0 section 4).
fn discovery(judge: &mut Judge<'_>, issuer: &str) -> Option<Url> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    judge.url_of("issuers", &url)
}

fn jwt(judge: &mut Judge<'_>) -> Judged {
    let secret = judge.secret("secret");
    let jwks = jwks(judge);
    let jwks_url = judge.url("jwks_url");
    let keys = fetching(judge);
    let audiences = judge.audiences();
    let issuers = judge.names("issuers").unwrap_or_default();
    let (by_secret, by_keys) = (judge.has("secret"), judge.has("jwks") || judge.has("jwks_url"));
    if !by_secret && !by_keys {
        judge.refuse("secret", "nothing verifies its tokens: set secret, jwks or jwks_url");
    }
    let algorithms = jwt_algorithms(judge, by_secret, by_keys);
    if let Some(secret) = &secret {
        long_enough(judge, secret.expose().len(), &algorithms);
    }
    if audiences.is_none() {
        judge.warn(
            "audiences",
            "not set, so tokens that are meant for others are taken, too; [\"*\"] says that this is meant",
        );
    }
    let kind = JwtConfig { algorithms, secret, jwks, jwks_url, keys };
    (issuers, audiences.unwrap_or(Audience::NotJudged), IssuerKind::Jwt(kind))
}

/// Those that are named, or what the set keys suggest. One that nothing verifies is left out, with a warning.
fn jwt_algorithms(judge: &mut Judge<'_>, by_secret: bool, by_keys: bool) -> Vec<Algorithm> {
    let suggested = [by_secret.then_some(Algorithm::Hs256), by_keys.then_some(Algorithm::Rs256)];
    let Some(named) = algorithms(judge) else { return suggested.into_iter().flatten().collect() };
    let verifiable = |algorithm: &Algorithm| if algorithm.least_secret().is_some() { by_secret } else { by_keys };
    let (usable, idle): (Vec<_>, Vec<_>) = named.into_iter().partition(verifiable);
    for algorithm in idle {
        let needs = if algorithm.least_secret().is_some() { "secret" } else { "jwks or jwks_url" };
        judge.warn("algorithms", format!("{} has no effect without {needs}", algorithm.as_str()));
    }
    if usable.is_empty() && (by_secret || by_keys) {
        judge.refuse("algorithms", "none of them can be verified by what is set: HS256, HS384 and HS512 need secret, all others jwks or jwks_url");
    }
    let of_secret = usable.iter().any(|algorithm| algorithm.least_secret().is_some());
    if by_secret && !of_secret && !usable.is_empty() {
        judge.warn("secret", "has no effect: algorithms names none of HS256, HS384 and HS512");
    }
    if by_keys && usable.iter().all(|algorithm| algorithm.least_secret().is_some()) && !usable.is_empty() {
        let key = if judge.has("jwks") { "jwks" } else { "jwks_url" };
        judge.warn(key, "has no effect: algorithms names only HS256, HS384 or HS512, which take the secret");
    }
    usable
}

fn long_enough(judge: &mut Judge<'_>, length: usize, algorithms: &[Algorithm]) {
    let demanding = algorithms.iter().filter_map(|algorithm| Some((algorithm.least_secret()?, algorithm)));
    let Some((least, algorithm)) = demanding.max_by_key(|(least, _)| *least) else { return };
    if length < least {
        let reason = format!(
            "must have at least {least} bytes for {}, whose hash is as long; `openssl rand -base64 {least}` makes a good one",
            algorithm.as_str()
        );
        judge.refuse("secret", reason);
    }
}

/// A key set, or an array of keys, without what only who signs needs.
fn jwks(judge: &mut Judge<'_>) -> Option<Value> {
    let text: String = judge.get("jwks")?;
    let keys = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Array(keys)) => Some(keys),
        Ok(Value::Object(mut set)) => match set.remove("keys") {
            Some(Value::Array(keys)) => Some(keys),
            _ => None,
        },
        _ => None,
    };
    let Some(mut keys) = keys.filter(|keys| keys.iter().all(Value::is_object)) else {
        judge.refuse("jwks", "must be a key set ({\"keys\": […]}) or an array of keys");
        return None;
    };
    if keys.is_empty() {
        judge.refuse("jwks", "must hold at least one key");
    }
    if keys.iter().any(|key| PRIVATE.iter().any(|member| key.get(member).is_some())) {
        judge.warn("jwks", "holds private keys, which nobody needs here: they are left out; keep them with who signs");
    }
    keys.retain(|key| key.get("kty").and_then(Value::as_str) != Some("oct"));
    for key in keys.iter_mut().filter_map(Value::as_object_mut) {
        key.retain(|member, _| !PRIVATE.contains(&member.as_str()));
    }
    if keys.is_empty() && !text.is_empty() {
        judge.refuse("jwks", "holds no public key: keys of kty \"oct\" do not count, set secret");
    }
    Some(json!({ "keys": keys }))
}

fn introspection(judge: &mut Judge<'_>) -> Option<Judged> {
    let prefix = judge.required("prefix", "what its tokens begin with, such as \"opaque_\"");
    let prefix = prefix.and_then(|prefix| judge.take("prefix", parse_prefix(prefix)));
    if !judge.has("introspection_url") {
        judge.refuse("introspection_url", "must be set: who is asked about its tokens (RFC 7662)");
    }
    let introspection_url = judge.url("introspection_url");
    let client_id = judge.required("client_id", "who asks");
    if !judge.has("client_secret") {
        judge.refuse("client_secret", "must be set: what shows who asks");
    }
    let client_secret = judge.secret("client_secret");
    let audiences = judge.audiences();
    if audiences.is_none() {
        judge.warn(
            "audiences",
            "not set, so tokens that are meant for others are taken, too; [\"*\"] says that this is meant",
        );
    }
    let issuers = judge.names("issuers").unwrap_or_default();
    let kind = IntrospectionConfig {
        prefix: prefix?,
        introspection_url: introspection_url?,
        client_id: client_id?,
        client_secret: client_secret?,
    };
    Some((issuers, audiences.unwrap_or(Audience::NotJudged), IssuerKind::Introspection(kind)))
}

/// Service tokens are judged before: a shorter prefix than theirs leaves them alone, a longer one would never be asked.
fn parse_prefix(prefix: String) -> Result<String, String> {
    if prefix.starts_with(service_token::PREFIX) {
        return Err("must not begin with tgs_: what does is judged as a service token".to_owned());
    }
    if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be visible ASCII without blanks: nothing else fits into a header".to_owned());
    }
    Ok(prefix)
}

fn fetching(judge: &mut Judge<'_>) -> KeyRules {
    let default = KeyRules::default();
    KeyRules {
        cache_ttl: judge.duration("jwks_cache_ttl", 0, 86_400, default.cache_ttl),
        timeout: judge.timeout("jwks_timeout", default.timeout),
        allow_http: judge.get("allow_http").unwrap_or(false),
        max_stale: judge.duration("jwks_max_stale", 0, 30 * 86_400, default.max_stale),
    }
}

/// Algorithms of key sets: a provider's secret is not for gates.
fn asymmetric(judge: &mut Judge<'_>, default: &[Algorithm]) -> Vec<Algorithm> {
    let Some(named) = algorithms(judge) else { return default.to_vec() };
    if named.iter().any(|algorithm| algorithm.least_secret().is_some()) {
        judge
            .refuse("algorithms", "must not name HS256, HS384 or HS512: they take a secret, which belongs to kind jwt");
    }
    named
}

fn algorithms(judge: &mut Judge<'_>) -> Option<Vec<Algorithm>> {
    let names = judge.texts("algorithms")?;
    if names.is_empty() {
        judge.refuse("algorithms", "must name at least one; leave it out for the default");
        return None;
    }
    let mut algorithms = Vec::new();
    for name in names {
        match Algorithm::parse(&name) {
            Some(algorithm) if algorithms.contains(&algorithm) => {}
            Some(algorithm) => algorithms.push(algorithm),
            None => judge.refuse("algorithms", unknown_algorithm(&name)),
        }
    }
    Some(algorithms)
}

fn unknown_algorithm(name: &str) -> String {
    let known = Algorithm::ALL.map(Algorithm::as_str);
    let hint = nearest(name, known.into_iter()).map(|near| format!("; did you mean {near}?"));
    format!("{name:?} is none of {}{}", known.join(", "), hint.unwrap_or_default())
}
