//! `tidegate config check --online`: asks every issuer what a gate would ask it, and says what came.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future;
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::issuers::{IssuerError, Look, look};
use crate::{
    adapters::{auth::jwt::Upkeep, clock::SystemClock},
    config::{AuthConfig, IssuerConfig, IssuerKind},
};

/// All of them together take no longer: each has its own time for each call, and there may be two of those.
const WITHIN: Duration = Duration::from_secs(130);

/// What came of one issuer.
#[derive(Debug)]
pub(super) struct Finding {
    issuer: String,
    kind: &'static str,
    /// Whether it can judge tokens.
    pub(super) good: bool,
    /// Who was asked; `None`: nobody, since its keys stand in the config.
    source: Option<String>,
    /// Why nothing came.
    failure: Option<String>,
    usable: Vec<String>,
    skipped: Vec<String>,
}

/// Asks all issuers at once.
///
/// # Errors
/// [`IssuerError`] for one that cannot even be asked.
pub(super) async fn ask(auth: &AuthConfig) -> Result<Vec<Finding>, IssuerError> {
    let upkeep = Upkeep { clock: Arc::new(SystemClock), tasks: TaskTracker::new(), stop: CancellationToken::new() };
    let asked = auth.issuers.iter().map(|issuer| {
        let upkeep = upkeep.clone();
        async move {
            let looked = tokio::time::timeout(WITHIN, look(issuer, auth.leeway, &upkeep)).await;
            Ok(Finding::of(issuer, looked.unwrap_or(Ok(Look::too_late()))?))
        }
    });
    let found = future::join_all(asked).await.into_iter().collect();
    upkeep.stop.cancel();
    found
}

impl Finding {
    fn of(issuer: &IssuerConfig, look: Look) -> Self {
        let kind = match issuer.kind {
            IssuerKind::Workos(_) => "workos",
            IssuerKind::Oidc(_) => "oidc",
            IssuerKind::Jwt(_) => "jwt",
            IssuerKind::Introspection(_) => "introspection",
        };
        let none = Self {
            issuer: issuer.name().to_string(),
            kind,
            good: true,
            source: None,
            failure: None,
            usable: Vec::new(),
            skipped: Vec::new(),
        };
        match look {
            Look::Given => none,
            Look::Asked { source, failure } => Self { good: failure.is_none(), source: Some(source), failure, ..none },
            Look::Keys(report) => {
                let none_fits = (report.usable == 0).then(|| "no key fits the issuer's algorithms".to_owned());
                let failure = report.failure.or(none_fits);
                Self {
                    good: failure.is_none(),
                    source: Some(report.source),
                    failure,
                    usable: report.keys,
                    skipped: report.skipped,
                    ..none
                }
            }
        }
    }

    /// For scripts.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "issuer": self.issuer, "kind": self.kind, "ok": self.good, "source": self.source,
            "failure": self.failure, "usable": self.usable, "skipped": self.skipped,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.good { "ok" } else { "FAILED" };
        write!(f, "{verdict}: issuer {} ({})", self.issuer, self.kind)?;
        match &self.source {
            Some(source) => write!(f, ", asked {source}")?,
            None => f.write_str(", its keys stand in the config")?,
        }
        if let Some(failure) = &self.failure {
            write!(f, "\n  {failure}")?;
        }
        self.usable.iter().try_for_each(|key| write!(f, "\n  usable: {key}"))?;
        self.skipped.iter().try_for_each(|key| write!(f, "\n  not used: {key}"))
    }
}
