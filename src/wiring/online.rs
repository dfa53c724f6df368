//! `tidegate config check --online`: asks every issuer what a gate would ask it, and says what came.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future;
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    command::told,
    issuers::{Look, look},
    serve::{ServeError, Store},
};
use crate::{
    adapters::{auth::jwt::Upkeep, clock::SystemClock, persistence::sea_orm::ConnectError},
    config::{AuthConfig, Config, IssuerConfig},
    ports::repository::RepositoryError,
};

/// All of them together take no longer: each has its own time for each call, and there may be two of those.
const WITHIN: Duration = Duration::from_secs(130);
/// The database has no more.
const DATABASE_WITHIN: Duration = Duration::from_secs(8);

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
pub(super) async fn ask(auth: &AuthConfig) -> Vec<Finding> {
    let upkeep = Upkeep { clock: Arc::new(SystemClock), tasks: TaskTracker::new(), stop: CancellationToken::new() };
    let asked = auth.issuers.iter().map(|issuer| {
        let upkeep = upkeep.clone();
        async move {
            let looked = tokio::time::timeout(WITHIN, look(issuer, auth.leeway, &upkeep)).await;
            match looked.unwrap_or(Ok(Look::too_late())) {
                Ok(look) => Finding::of(issuer, look),
                Err(error) => Finding { good: false, failure: Some(told(&error)), ..Finding::blank(issuer) },
            }
        }
    });
    let found = future::join_all(asked).await;
    upkeep.stop.cancel();
    found
}

/// Whether the database holds a credential, a revoked one counts; `None`: the next start brings its schema up to date, and
/// only then it can be told.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn ask_database(config: &Config) -> Result<Option<bool>, String> {
    let asked = async {
        let store = match Store::open_for_reading(config).await {
            Ok(store) => store,
            Err(ServeError::Database(ConnectError::Missing(_))) => return Ok(Some(false)),
            Err(ServeError::Database(ConnectError::Outdated)) => return Ok(None),
            Err(error) => return Err(told(&error)),
        };
        let any = async { store.repository().view().await?.tokens().any().await };
        let any = any.await.map_err(|error: RepositoryError| told(&error));
        store.close().await;
        any.map(Some)
    };
    tokio::time::timeout(DATABASE_WITHIN, asked).await.unwrap_or_else(|_| Err("it does not answer in time".to_owned()))
}

impl Finding {
    fn blank(issuer: &IssuerConfig) -> Self {
        Self {
            issuer: issuer.name().to_string(),
            kind: issuer.kind.as_str(),
            good: true,
            source: None,
            failure: None,
            usable: Vec::new(),
            skipped: Vec::new(),
        }
    }

    fn of(issuer: &IssuerConfig, look: Look) -> Self {
        let blank = Self::blank(issuer);
        match look {
            Look::Given => blank,
            Look::Asked { source, failure } => Self { good: failure.is_none(), source: Some(source), failure, ..blank },
            Look::Keys(report) => {
                let none_fits = (report.usable == 0).then(|| "no key fits the issuer's algorithms".to_owned());
                let failure = report.failure.or(none_fits);
                Self {
                    good: failure.is_none(),
                    source: Some(report.source),
                    failure,
                    usable: report.keys,
                    skipped: report.skipped,
                    ..blank
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
            None if self.good => f.write_str(", its keys stand in the config")?,
            None => {}
        }
        if let Some(failure) = &self.failure {
            write!(f, "\n  {failure}")?;
        }
        self.usable.iter().try_for_each(|key| write!(f, "\n  usable: {key}"))?;
        self.skipped.iter().try_for_each(|key| write!(f, "\n  not used: {key}"))
    }
}
