//! `tidegate authz why`: what the gate of this config and this database would say, without calling it.

use std::{io::Read as _, process::ExitCode, sync::Arc};

use serde_json::json;
use tokio::runtime;

use super::{
    Gate, Parts,
    command::{failed, print, with_options},
    serve::{self, ServeError, Store},
};
use crate::{
    adapters::{
        cli::{Why, exit},
        http::{Asked, Explanation, explain, explain_refusal},
    },
    app::{App, authenticate::Credential},
    config::{self, Config, Sources},
    domain::{
        bearer::BearerToken, claims::identity_of, identity::Identity, json::JsonObject, scope::Scope,
        text::InvalidText, user::UserId, workspace::WorkspaceId,
    },
    ports::{
        repository::RepositoryError,
        token_validator::{IdentityExtractor, Rejection, ValidatedToken},
    },
};

/// The longest token that is read from standard input, in bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// A question that has no answer.
#[derive(Debug, thiserror::Error)]
enum WhyError {
    /// It cannot be read.
    #[error("{0}")]
    Usage(String),
    /// The database cannot be asked.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Standard input cannot be read.
    #[error("cannot read standard input")]
    Input(#[from] std::io::Error),
}

impl From<RepositoryError> for WhyError {
    fn from(error: RepositoryError) -> Self {
        Self::Serve(error.into())
    }
}

impl WhyError {
    const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit::USAGE,
            Self::Serve(_) => exit::UNAVAILABLE,
            Self::Input(_) => exit::FAILED,
        }
    }
}

/// Who is asked about.
enum Caller {
    /// Whoever holds this.
    Holder(Credential),
    /// A person whom the command line describes.
    Described { user: UserId, claims: JsonObject },
}

/// Answers; gives the process's exit code.
pub(super) fn run(why: Why, token: Option<&str>, json: bool, sources: Sources) -> ExitCode {
    let question = || -> Result<_, WhyError> {
        let asked: Asked = why.operation.parse().map_err(usage("the operation"))?;
        let workspace = why.workspace.as_deref().map(|id| WorkspaceId::parse(id).map_err(usage("--workspace")));
        Ok((asked, workspace.transpose()?, caller(&why, token, &sources)?))
    };
    let (asked, workspace, caller) = match question() {
        Ok(question) => question,
        Err(error) => return failed(&error, error.code()),
    };
    let loaded = match config::load(&with_options(sources, why.config)) {
        Ok(loaded) => loaded,
        Err(error) => return failed(&error, exit::USAGE),
    };
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let answer = runtime
        .map_err(WhyError::Input)
        .and_then(|runtime| runtime.block_on(answer(&loaded.config, caller, &asked, workspace.as_ref())));
    match answer {
        Ok(answer) => answer.show(json),
        Err(error) => failed(&error, error.code()),
    }
}

fn usage(what: &str) -> impl FnOnce(InvalidText) -> WhyError {
    move |error| WhyError::Usage(format!("{what}: {error}"))
}

fn caller(why: &Why, token: Option<&str>, sources: &Sources) -> Result<Caller, WhyError> {
    if let Some(user) = &why.user {
        let user = UserId::parse(user).map_err(usage("--user"))?;
        return Ok(Caller::Described { claims: claims(why, &user)?, user });
    }
    let text = if why.stdin {
        let mut text = String::new();
        std::io::stdin().take(MOST_BYTES).read_to_string(&mut text)?;
        Some(text.trim_end().to_owned())
    } else {
        token.or_else(|| sources.variable("TIDEGATE_TOKEN")).map(str::to_owned)
    };
    let credential = text.map_or(Credential::Missing, |text| Credential::Bearer(BearerToken::new(text)));
    Ok(Caller::Holder(credential))
}

/// The claims that the person's token would have.
fn claims(why: &Why, user: &UserId) -> Result<JsonObject, WhyError> {
    let mut claims = JsonObject::new();
    claims.insert("sub".to_owned(), json!(user.subject()));
    for scope in &why.scope {
        scope.parse::<Scope>().map_err(|error| WhyError::Usage(format!("--scope: {error}")))?;
    }
    if !why.scope.is_empty() {
        claims.insert("scope".to_owned(), json!(why.scope));
    }
    for workspace in &why.token_workspace {
        WorkspaceId::parse(workspace).map_err(usage("--token-workspace"))?;
    }
    if !why.token_workspace.is_empty() {
        claims.insert("workspaces".to_owned(), json!(why.token_workspace));
    }
    Ok(claims)
}

/// What the gate would say.
struct Answer {
    who: Option<Arc<Identity>>,
    said: Explanation,
}

async fn answer(
    config: &Config,
    caller: Caller,
    asked: &Asked,
    workspace: Option<&WorkspaceId>,
) -> Result<Answer, WhyError> {
    let store = Store::open_for_reading(config).await?;
    let parts = serve::parts(config, store.repository(), serve::engine(config)?).map_err(ServeError::from)?;
    let gate = Gate::new(Parts { only_looks: true, ..parts });
    let named = match caller {
        Caller::Holder(credential) => {
            gate.app.authenticator.judge_again(&credential).await.map(|caller| caller.identity)
        }
        Caller::Described { user, claims } => described(&gate.app, &user, claims).await?,
    };
    let answer = match named {
        Ok(who) => Answer { said: explain(&gate.app.people, &who, asked, workspace), who: Some(who) },
        Err(error) => Answer { said: explain_refusal(error), who: None },
    };
    drop(gate);
    store.close().await;
    Ok(answer)
}

/// The person, as a token of these claims would name them now.
async fn described(app: &App, user: &UserId, claims: JsonObject) -> Result<Result<Arc<Identity>, Rejection>, WhyError> {
    let issuer = user.issuer().as_str();
    let Some(policy) = app.people.policy(issuer) else {
        let known: Vec<_> = app.people.issuers().collect();
        let known = if known.is_empty() { "none is".to_owned() } else { format!("these are: {}", known.join(", ")) };
        return Err(WhyError::Usage(format!("--user: no issuer is configured as {issuer:?}; {known}")));
    };
    let who = match identity_of(policy, claims) {
        Ok(who) => who,
        Err(invalid) => return Ok(Err(invalid.into())),
    };
    let who = Identity { issued_at: Some(app.core.commands.now()), ..who };
    let named = app.people.identify(&ValidatedToken::external(who)).await;
    let standing = &app.core.commands.signals().standing;
    Ok(named.and_then(|who| standing.judge(&who).map(|()| who)).map_err(Rejection::from))
}

impl Answer {
    fn show(&self, json: bool) -> ExitCode {
        let Explanation { allowed, code, because } = &self.said;
        if json {
            let who = self
                .who
                .as_ref()
                .map(|who| json!({ "subject": who.subject, "kind": who.kind.as_str(), "issuer": who.issuer }));
            let answer = json!({ "identity": who, "allowed": allowed, "code": code, "because": because });
            print(&format!("{answer:#}\n"));
        } else {
            let verdict = code.as_ref().map_or_else(|| "allowed".to_owned(), |code| format!("refused: {code}"));
            let who = self.who.as_ref().map_or_else(String::new, |who| {
                let issuer = who.issuer.as_ref().map_or_else(String::new, |issuer| format!("{issuer}:"));
                format!("  {}: {issuer}{}\n", who.kind.as_str(), who.subject)
            });
            let because: String = because.iter().flat_map(|line| ["  ", line.as_str(), "\n"]).collect();
            print(&format!("{verdict}\n{who}{because}"));
        }
        match code.as_deref() {
            None => ExitCode::SUCCESS,
            Some("auth.unavailable" | "auth.key_unavailable") => ExitCode::from(exit::UNAVAILABLE),
            Some(_) => ExitCode::from(exit::DENIED),
        }
    }
}
