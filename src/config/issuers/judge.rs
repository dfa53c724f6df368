//! One issuer's table as an [`IssuerConfig`], or why not.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::{
    super::{problem::Findings, quantity::show_duration, secret::Secret, telemetry::one_of},
    Audience, IssuerConfig, LIST,
    keys::{self, Sort},
    kinds, policy,
    table::Table,
};
use crate::domain::user::IssuerName;

pub(super) fn judge(table: &Table, findings: &mut Findings) -> Option<IssuerConfig> {
    let name = findings
        .take(LIST, IssuerName::parse(&table.name).map_err(|why| format!("the name {:?} {why}", table.name)))?;
    let mut judge = Judge { name, table, findings, refused: false };
    let sort = judge.sort()?;
    judge.foreign_keys(sort);
    let config = kinds::judge(&mut judge, sort);
    let policy = policy::judge(&mut judge, sort);
    let (issuers, audiences, kind) = config?;
    let allow_http = judge.get("allow_http").unwrap_or(false);
    (!judge.refused).then_some(IssuerConfig { policy, issuers, audiences, kind, allow_http })
}

/// One issuer's table, and where to say what is wrong with it.
pub(super) struct Judge<'a> {
    pub(super) name: IssuerName,
    table: &'a Table,
    findings: &'a mut Findings,
    refused: bool,
}

impl Judge<'_> {
    fn place(&self, key: &str) -> String {
        format!("{LIST}.{}.{key}", self.name)
    }

    /// Notes why a key cannot stand. The reason never shows the value of a secret.
    pub(super) fn refuse(&mut self, key: &str, reason: impl Into<String>) {
        self.refused = true;
        match self.table.origin(key) {
            Some(origin) => self.findings.refuse_at(self.place(key), origin.clone(), reason),
            None => self.findings.refuse(self.place(key), reason),
        }
    }

    pub(super) fn warn(&mut self, key: &str, message: impl Into<String>) {
        self.findings.warn(self.place(key), message);
    }

    pub(super) fn take<T>(&mut self, key: &str, judged: Result<T, String>) -> Option<T> {
        judged.map_err(|reason| self.refuse(key, reason)).ok()
    }

    pub(super) fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.table.get(key)
    }

    /// A list of texts, none of which is empty.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let texts: Vec<String> = self.get(key)?;
        if texts.iter().any(String::is_empty) {
            self.refuse(key, "must not hold an empty text");
            return None;
        }
        Some(texts)
    }

    /// Whose tokens, or whom they are meant for: said of somebody, or not said at all. A list that came out empty would let
    /// everybody in.
    pub(super) fn names(&mut self, key: &str) -> Option<Vec<String>> {
        let names = self.texts(key)?;
        if names.is_empty() {
            self.refuse(key, "must name somebody; leave it out to say nothing");
            return None;
        }
        Some(names)
    }

    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let text: String = self.get(key)?;
        if text.is_empty() {
            self.refuse(key, "must not be empty");
            return None;
        }
        Some(Secret::new(text))
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &str, what: &str) -> Option<String> {
        let text = self.get::<String>(key).filter(|text| !text.is_empty());
        if text.is_none() {
            self.refuse(key, format!("must be set: {what}"));
        }
        text
    }

    /// A URL that the gate will ask. It shows in logs, so it holds no credentials.
    pub(super) fn url(&mut self, key: &str) -> Option<Url> {
        let text: String = self.get(key)?;
        self.url_of(key, &text)
    }

    /// A URL that is made of what a key says.
    pub(super) fn url_of(&mut self, key: &str, text: &str) -> Option<Url> {
        let url = self.take(key, parse_url(text))?;
        self.plain_http(key, &url);
        Some(url)
    }

    /// Whether a key is set at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.has(key)
    }

    /// The time that a call may take: at least a tenth of a second.
    pub(super) fn timeout(&mut self, key: &str, default: Duration) -> Duration {
        let Some(time) = self.get::<SignedDuration>(key) else { return default };
        if time < SignedDuration::from_millis(100) {
            self.refuse(key, "must be at least 0.1 s: nobody answers faster");
            return default;
        }
        Duration::try_from(self.duration(key, 0, 60, time)).unwrap_or(default)
    }

    /// Plain http, by which whoever stands between may put keys of their own in: only to the same machine, or as said.
    fn plain_http(&mut self, key: &str, url: &Url) {
        if url.scheme() == "https" || is_loopback(url) {
            return;
        }
        if self.get("allow_http").unwrap_or(false) {
            self.warn(key, "is asked by plain http: whoever stands between can let anybody in");
        } else {
            self.refuse(key, "must be https: plain http goes to loopback only, or with allow_http = true");
        }
    }

    pub(super) fn duration(&mut self, key: &str, least: i64, most: i64, default: SignedDuration) -> SignedDuration {
        let Some(duration) = self.get::<SignedDuration>(key) else { return default };
        if (SignedDuration::from_secs(least)..=SignedDuration::from_secs(most)).contains(&duration) {
            return duration;
        }
        let [least, most] = [least, most].map(|seconds| show_duration(SignedDuration::from_secs(seconds)));
        self.refuse(key, format!("must lie between {least} and {most}, not {}", show_duration(duration)));
        default
    }

    /// Whom tokens must be meant for; `None` when nothing is said.
    pub(super) fn audiences(&mut self) -> Option<Audience> {
        let audiences = self.names("audiences")?;
        if !audiences.iter().any(|audience| audience == "*") {
            return Some(Audience::OneOf(audiences));
        }
        if audiences.len() > 1 {
            self.refuse("audiences", "\"*\" says that all are meant: it stands alone");
        }
        Some(Audience::NotJudged)
    }

    fn sort(&mut self) -> Option<Sort> {
        let kinds = Sort::ALL.map(Sort::as_str);
        let Some(kind) = self.get::<String>("kind") else {
            self.refuse("kind", format!("must be set: one of {}", kinds.join(", ")));
            return None;
        };
        let sort = Sort::ALL.into_iter().find(|sort| sort.as_str() == kind);
        if sort.is_none() {
            self.refuse("kind", one_of(&kind, &kinds));
        }
        sort
    }

    /// Refuses what another kind would have a use for: nobody shall believe in it here.
    fn foreign_keys(&mut self, sort: Sort) {
        let table = self.table;
        for key in table.keys().filter_map(keys::find).filter(|key| !key.of.contains(&sort)) {
            let of: Vec<_> = key.of.iter().map(|sort| sort.as_str()).collect();
            self.refuse(
                key.name,
                format!("belongs to kind {}, and this issuer is {}", of.join(" and "), sort.as_str()),
            );
        }
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none())
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .ok_or_else(|| "must be an http or https URL, without credentials in it".to_owned())
}

/// As whoever makes the call sees it.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
