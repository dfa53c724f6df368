//! The way of a request: its id, the operation table, who asks, what runs, and one line in the log.

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::FutureExt;
use poem::{
    Endpoint, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    Settings, audit,
    body::drain,
    call::{Call, Deadline},
    client_address::ClientAddress,
    codes,
    conditions::Accept,
    credentials,
    headers::{self, Cors, REQUEST_ID},
    matcher::{Match, Matcher, Parameters},
    operations::{Access, OPERATIONS, Operation, Verb},
    percent,
    problem::{self, Problem},
    protocol,
    server::Authenticated,
    socket::{self, Handshake},
};
use crate::{
    app::{
        App,
        access::missing_scope,
        audit::Place,
        authenticate::{Caller, Credential, Mode},
        context::{self, AuthContext},
    },
    domain::identity::{Identity, IdentityKind},
    ports::rng::RngExt,
};

/// The longest path and query that are read.
const MOST_URI_BYTES: usize = 8 * 1024;

/// Everything in front of the operations, and the operations.
pub(super) struct Gate {
    pub(super) app: Arc<App>,
    pub(super) settings: Settings,
    pub(super) cors: Cors,
    pub(super) addresses: ClientAddress,
    pub(super) matcher: Matcher,
    /// What runs, and which query parameters it knows: in the order of the table.
    pub(super) routes: Vec<Route>,
    pub(super) tasks: TaskTracker,
    /// Who asks before anybody has said who that is.
    pub(super) nobody: Arc<Identity>,
}

/// What an operation runs.
pub(super) struct Route {
    pub(super) endpoint: Option<BoxEndpoint<'static>>,
    pub(super) query: Vec<String>,
}

/// What the log says of a request: one line, when it is over, however that comes about.
struct Entry {
    begun: Instant,
    method: Method,
    /// The path, without tokens.
    path: String,
    id: Arc<str>,
    address: Option<IpAddr>,
    operation: Option<&'static str>,
    identity: Option<Arc<Identity>>,
    /// Absent where the client went away before its answer.
    status: Option<StatusCode>,
}

impl Entry {
    /// Where the request came from, as the audit keeps it.
    fn place(&self) -> Place<'_> {
        Place { address: self.address, request_id: &self.id }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        tracing::info!(
            target: "tidegate::access",
            {
                operation.id = self.operation,
                method = %self.method,
                path = self.path,
                status = self.status.map(|status| status.as_u16()),
                duration_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                client.address = self.address.map(tracing::field::display),
                identity.kind = self.identity.as_ref().map(|who| who.kind.as_str()),
                identity.subject = self.identity.as_ref().map(|who| who.subject.as_str()),
                request.id = %self.id,
            },
            "request"
        );
    }
}

impl Endpoint for Gate {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let mut entry = Entry {
            begun: Instant::now(),
            method: request.method().clone(),
            path: self.shown_path(request.uri()),
            id: self.request_id(request.headers()),
            address: self.addresses.of(request.remote_addr().as_socket_addr(), request.headers()),
            operation: None,
            identity: None,
            status: None,
        };
        let origin = request.headers().get(header::ORIGIN).cloned();
        let answered = caught(self.answer(&mut request, &mut entry)).await;
        // What nobody has read of a refused request is read on, so that its sender gets to see the answer.
        if !request.headers().contains_key(header::EXPECT) {
            drain(&self.tasks, request.take_body());
        }
        let mut response = match answered {
            Ok(response) => response,
            Err(problem) => {
                tracing::debug!(code = problem.code().name, request.id = %entry.id, "refused");
                self.audit_refusal(&problem, &entry);
                problem.respond(Some(&entry.path), Some(&entry.id))
            }
        };
        let headers = response.headers_mut();
        headers::protect(headers);
        self.cors.open(origin.as_ref(), headers);
        if let Ok(id) = HeaderValue::from_str(&entry.id) {
            headers.insert(&REQUEST_ID, id);
        }
        entry.status = Some(response.status());
        if entry.identity.as_ref().is_some_and(|who| who.authenticated()) {
            response.extensions_mut().insert(Authenticated);
        }
        Ok(response)
    }
}

/// What a handler answers; a panic in it is a problem of the gate's own, and the end of nothing else.
async fn caught(answer: impl Future<Output = Result<Response, Problem>>) -> Result<Response, Problem> {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(answer) => answer,
        Err(_panic) => {
            tracing::error!("a handler panicked");
            Err(Problem::plain(codes::INTERNAL))
        }
    }
}

impl Gate {
    /// The caller's own id for the request, or a fresh one.
    fn request_id(&self, headers: &HeaderMap) -> Arc<str> {
        let fits = |id: &&str| {
            (1..=128).contains(&id.len())
                && id.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
        };
        if let Some(id) = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(fits) {
            return id.into();
        }
        let commands = &self.app.core.commands;
        commands.rng().uuid_v7(commands.now()).hyphenated().to_string().into()
    }

    /// The path for the log and for problems: a token that somebody pasted into it does not get there.
    fn shown_path(&self, uri: &Uri) -> String {
        let shown = |segment| {
            let is_token = percent::decode(segment).is_none_or(|text| self.app.authenticator.is_token(&text));
            if is_token { "[redacted]" } else { segment }
        };
        uri.path().split('/').map(shown).collect::<Vec<_>>().join("/")
    }

    async fn answer(&self, request: &mut Request, entry: &mut Entry) -> Result<Response, Problem> {
        protocol::check(request)?;
        if request.uri().path_and_query().is_some_and(|text| text.as_str().len() > MOST_URI_BYTES) {
            return Err(Problem::plain(codes::REQUEST_URI_TOO_LONG));
        }
        if let Some(response) = self.cors.preflight(request) {
            return Ok(response);
        }
        let mode = self.app.authenticator.mode();
        if mode == Mode::Disabled && !headers::is_own_host(request, self.settings.public_host.as_deref()) {
            return Err(Problem::plain(codes::REQUEST_MISDIRECTED));
        }
        let uri = request.uri().clone();
        let (index, parameters) = match self.matcher.find(request.method().as_str(), uri.path()) {
            Match::Found(index, parameters) => (index, parameters),
            Match::OtherMethods(verbs) => {
                self.known(request, entry).await?;
                return Err(Problem::plain(codes::REQUEST_METHOD_NOT_ALLOWED).allow(allow(&verbs)));
            }
            Match::Nothing => {
                self.known(request, entry).await?;
                return Err(Problem::plain(codes::REQUEST_NOT_FOUND));
            }
        };
        let (Some(operation), Some(route)) = (OPERATIONS.get(index), self.routes.get(index)) else {
            return Err(Problem::plain(codes::INTERNAL));
        };
        entry.operation = Some(operation.id);
        let handshake = if operation.socket { Handshake::take(request, self.settings.body_limit) } else { None };
        let handshake = Arc::new(Mutex::new(handshake));
        let answered = self.run(request, entry, operation, route, &parameters, &handshake).await;
        let left = handshake.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (answered, left) {
            // A browser tells its page nothing of a refused handshake, but the code of a close.
            (Err(problem), Some(handshake)) => {
                tracing::debug!(code = problem.code().name, request.id = %entry.id, "refused");
                self.audit_refusal(&problem, entry);
                Ok(handshake.refuse(&self.tasks, problem, &entry.path, &entry.id))
            }
            (answered, _) => answered,
        }
    }

    /// Who asks for what is not there: a stranger learns nothing of what is.
    async fn known(&self, request: &Request, entry: &mut Entry) -> Result<(), Problem> {
        let credential = credentials::of_headers(request.headers());
        self.authenticated(&credential, entry).await.map(drop)
    }

    async fn run(
        &self,
        request: &mut Request,
        entry: &mut Entry,
        operation: &'static Operation,
        route: &Route,
        parameters: &Parameters<'_>,
        handshake: &Arc<Mutex<Option<Handshake>>>,
    ) -> Result<Response, Problem> {
        let pairs = pairs(request.uri());
        let credential = match operation.access {
            Access::Open => None,
            _ => Some(self.credential(request, operation, pairs.as_deref())),
        };
        let caller = match &credential {
            None => None,
            Some(credential) => Some(self.admitted(credential, entry, operation).await?),
        };
        self.judge_page(request, caller.as_ref())?;
        let call = Call {
            app: Arc::clone(&self.app),
            parameters: parameters.decoded(),
            query: known_pairs(pairs, operation, &route.query)?,
            identity: caller.as_ref().map(|caller| Arc::clone(&caller.identity)),
            credential,
            handshake: Arc::clone(handshake),
            deadline: Deadline::within(self.settings.request_timeout),
            body_limit: self.settings.body_limit,
            tasks: self.tasks.clone(),
        };
        let call = Arc::new(call);
        request.extensions_mut().insert(Arc::clone(&call));
        let endpoint = route.endpoint.as_ref().ok_or_else(|| Problem::plain(codes::INTERNAL))?;
        let (traceparent, request_id) = (traceparent(request.headers()), Arc::clone(&entry.id));
        let address = entry.address;
        let running = endpoint.call(std::mem::take(request));
        let answered = async {
            let (identity, forwardable) = match caller {
                Some(caller) => (caller.identity, caller.forwardable),
                None => (Arc::clone(&self.nobody), None),
            };
            let context = AuthContext { identity, forwardable, request_id, address, traceparent };
            context::scope(context, running).await
        };
        tokio::select! {
            answered = answered => answered.map_err(problem::from_framework),
            () = call.deadline.over() => Err(Problem::plain(codes::REQUEST_TIMEOUT).retry_after(1)),
            problem = call.lost() => Err(problem),
        }
    }

    /// A gate that anybody may enter is safe where only this machine reaches it; but a page that somebody opens here reaches
    /// it, too: under a name of its own that leads here, or by what a browser sends without asking first.
    fn judge_page(&self, request: &Request, caller: Option<&Caller>) -> Result<(), Problem> {
        let anonymous = caller.is_some_and(|caller| caller.identity.kind == IdentityKind::Anonymous);
        if !anonymous || !self.app.authenticator.lets_anybody_in() {
            return Ok(());
        }
        if !headers::is_own_host(request, self.settings.public_host.as_deref()) {
            return Err(Problem::plain(codes::REQUEST_MISDIRECTED));
        }
        if !request.method().is_safe() && self.cors.is_foreign(request.headers()) {
            return Err(Problem::plain(codes::REQUEST_ORIGIN_FORBIDDEN));
        }
        Ok(())
    }

    /// What the caller shows: in the headers; for streams also in the query, for a WebSocket in a subprotocol, too.
    fn credential(&self, request: &Request, operation: &Operation, pairs: Option<&[(String, String)]>) -> Credential {
        let credential = credentials::of_headers(request.headers());
        let credential = if operation.socket {
            credentials::with_more(credential, socket::offered_tokens(request.headers()))
        } else {
            credential
        };
        let stream = || operation.socket || Accept::of(request.headers()).prefers("text/event-stream");
        if !operation.query_token || !self.settings.query_tokens || !stream() {
            return credential;
        }
        let tokens = pairs.unwrap_or_default().iter().filter(|(name, _)| is_token_name(name));
        credentials::with_more(credential, tokens.map(|(_, token)| token.as_str()))
    }

    /// The caller. Bad credentials and uses of the bootstrap token come into the audit.
    async fn authenticated(&self, credential: &Credential, entry: &mut Entry) -> Result<Caller, Problem> {
        // What comes of letting somebody in, a workspace of their own say, came of this request.
        let context = AuthContext {
            identity: Arc::clone(&self.nobody),
            forwardable: None,
            request_id: Arc::clone(&entry.id),
            address: entry.address,
            traceparent: None,
        };
        let outcome = context::scope(context, self.app.authenticator.admit(credential, entry.address)).await;
        audit::note_entrance(&self.app, &outcome, entry.place());
        let caller = outcome.map_err(|rejection| rejection.error)?;
        entry.identity = Some(Arc::clone(&caller.identity));
        Ok(caller)
    }

    fn audit_refusal(&self, problem: &Problem, entry: &Entry) {
        if let Some(who) = &entry.identity {
            audit::note_refusal(&self.app, who, problem, entry.operation, entry.place());
        }
    }

    /// The caller, if they may do this somewhere at all.
    async fn admitted(
        &self,
        credential: &Credential,
        entry: &mut Entry,
        operation: &Operation,
    ) -> Result<Caller, Problem> {
        let caller = self.authenticated(credential, entry).await?;
        let spared = matches!(operation.access, Access::UserOr(_) | Access::RoleOr(_));
        if !(spared && caller.identity.kind == IdentityKind::User) {
            for scope in operation.scopes() {
                if !caller.identity.is_allowed(*scope) {
                    return Err(missing_scope(&caller.identity, *scope).into());
                }
            }
        }
        Ok(caller)
    }
}

fn is_token_name(name: &str) -> bool {
    matches!(name, "token" | "access_token")
}

/// The pairs of a query, decoded; `None` when its percent-encoding is broken.
fn pairs(uri: &Uri) -> Option<Vec<(String, String)>> {
    let query = uri.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((percent::decode_form(name)?, percent::decode_form(value)?))
    });
    pairs.collect()
}

/// The pairs that the operation knows; others, and a name that comes twice, are refused.
fn known_pairs(
    pairs: Option<Vec<(String, String)>>,
    operation: &Operation,
    known: &[String],
) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs = pairs.ok_or_else(|| Problem::unreadable("the query is not percent-encoded UTF-8"))?;
    if operation.query_token {
        pairs.retain(|(name, _)| !is_token_name(name));
    }
    for (index, (name, _)) in pairs.iter().enumerate() {
        let wrong = if !known.contains(name) {
            "is not known here"
        } else if pairs.iter().take(index).any(|(other, _)| other == name) {
            "comes more than once"
        } else {
            continue;
        };
        let name: String = name.chars().take(64).collect();
        let entry = serde_json::json!({ "parameter": name, "message": wrong });
        return Err(Problem::unreadable(format!("the query parameter {name:?} {wrong}")).with_errors(vec![entry]));
    }
    Ok(pairs)
}

/// The `Allow` header of a path.
fn allow(verbs: &[Verb]) -> String {
    let mut methods: Vec<_> = verbs.iter().map(|verb| verb.as_str()).collect();
    if verbs.contains(&Verb::Get) {
        methods.push("HEAD");
    }
    methods.join(", ")
}

/// The W3C trace context, if it has its form.
fn traceparent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let lengths = text.split('-').map(str::len);
    let hex = text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    (hex && lengths.eq([2, 32, 16, 2])).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_problem_and_the_end_of_nothing_else() {
        async fn broken() -> Result<Response, Problem> {
            panic!("on purpose")
        }
        let problem = caught(broken()).await.unwrap_err();
        assert_eq!((problem.http_status(), problem.code().name), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    }

    #[test]
    fn a_trace_context_is_taken_in_its_form_only() {
        let of = |text: &'static str| {
            traceparent(&HeaderMap::from_iter([("traceparent".parse().unwrap(), HeaderValue::from_static(text))]))
        };
        assert!(of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_some());
        for bad in ["", "00", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-x-y-01"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
