//! Where else than by their usual names an issuer's claims are found: `roles = ["realm_access.roles"]`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::{json::JsonObject, text::InvalidText};

/// What an issuer's claims may be mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// What the token may do.
    Scopes,
    /// What its subject is: the keys of `role_scopes`.
    Roles,
    /// Where.
    Workspaces,
    /// What its subject is called.
    Username,
    /// The mail address.
    Email,
}

impl Meaning {
    /// Every meaning.
    pub const ALL: [Self; 5] = [Self::Scopes, Self::Roles, Self::Workspaces, Self::Username, Self::Email];

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Roles => "roles",
            Self::Workspaces => "workspaces",
            Self::Username => "username",
            Self::Email => "email",
        }
    }

    /// The meaning of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meaning| meaning.as_str() == text)
    }
}

/// Further places of claims, by what is found there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimPaths(BTreeMap<Meaning, Vec<String>>);

impl ClaimPaths {
    /// Reads the table `claims` of an issuer: our name, and the paths of the issuer's claims, with dots between the names
    /// of nested objects. A claim whose name itself has dots (`https://example.com/roles`) is found by that name.
    ///
    /// # Errors
    /// [`InvalidText`] naming a name that is none of [`Meaning::ALL`], or a path that is empty.
    pub fn parse<N: AsRef<str>, P: Into<String>>(
        table: impl IntoIterator<Item = (N, Vec<P>)>,
    ) -> Result<Self, InvalidText> {
        let mut paths = BTreeMap::new();
        for (name, places) in table {
            let name = name.as_ref();
            let meaning = Meaning::parse(name).ok_or_else(|| unknown(name))?;
            let places: Vec<String> = places.into_iter().map(Into::into).collect();
            if places.iter().any(|place| place.split('.').any(str::is_empty)) {
                return Err(InvalidText::new(format!("{name}: a path must be names with single dots between them")));
            }
            paths.insert(meaning, places);
        }
        Ok(Self(paths))
    }

    /// The table, as it is written.
    pub fn table(&self) -> BTreeMap<&'static str, &[String]> {
        self.0.iter().map(|(meaning, places)| (meaning.as_str(), places.as_slice())).collect()
    }

    /// What the claims hold at the places of a meaning, in their order; `null` is as good as absent.
    pub fn find<'a>(&'a self, meaning: Meaning, claims: &'a JsonObject) -> impl Iterator<Item = &'a Value> {
        self.0.get(&meaning).into_iter().flatten().filter_map(|path| at(claims, path))
    }
}

fn unknown(name: &str) -> InvalidText {
    let known: Vec<_> = Meaning::ALL.into_iter().map(Meaning::as_str).collect();
    InvalidText::new(format!("{name:?} is none of {}", known.join(", ")))
}

/// A claim by its whole name, else through nested objects; shorter names of objects are tried first.
fn at<'a>(claims: &'a JsonObject, path: &str) -> Option<&'a Value> {
    claims.get(path).filter(|value| !value.is_null()).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| {
            let (outer, inner) = (path.get(..dot)?, path.get(dot + 1..)?);
            at(claims.get(outer)?.as_object()?, inner)
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str, claims: &Value) -> Option<Value> {
        let paths = ClaimPaths::parse([("roles", vec![path])]).unwrap();
        paths.find(Meaning::Roles, claims.as_object().unwrap()).next().cloned()
    }

    #[test]
    fn a_path_leads_through_objects_and_through_names_with_dots() {
        let claims = json!({
            "realm_access": {"roles": ["a"]}, "https://example.com/roles": ["b"], "resource_access": {"my.app": {"roles": ["c"]}},
        });
        assert_eq!(found("realm_access.roles", &claims), Some(json!(["a"])));
        assert_eq!(found("https://example.com/roles", &claims), Some(json!(["b"])));
        assert_eq!(found("resource_access.my.app.roles", &claims), Some(json!(["c"])));
        for absent in ["realm_access.role", "realm_access.roles.a", "roles", "a.b.c.d.e.f"] {
            assert_eq!(found(absent, &claims), None, "{absent}");
        }
        assert_eq!(found("a.b", &json!({"a.b": null})), None);
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        let error = ClaimPaths::parse([("role", vec!["x"])]).unwrap_err();
        assert_eq!(error.to_string(), "\"role\" is none of scopes, roles, workspaces, username, email");
        for path in ["", ".", "a.", ".a", "a..b"] {
            assert!(ClaimPaths::parse([("roles", vec![path])]).is_err(), "{path:?}");
        }
    }
}
