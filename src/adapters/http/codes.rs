//! Every code that a problem can have: one table, from which the answers and the pages at `/problems/{code}` are made.

use poem::http::StatusCode;

/// What a code means.
#[derive(Debug)]
pub(super) struct Code {
    /// The code, as clients match it.
    pub(super) name: &'static str,
    /// With which statuses it comes; the first is the usual one.
    pub(super) statuses: &'static [StatusCode],
    /// What happened, in a few words.
    pub(super) meaning: &'static str,
    /// Why it happens.
    pub(super) why: &'static str,
    /// What to do.
    pub(super) remedy: &'static str,
}

impl Code {
    /// The status that the code usually comes with.
    pub(super) fn status(&self) -> StatusCode {
        self.statuses.first().copied().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The code of that name.
pub(super) fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.name == name)
}

macro_rules! codes {
    ($($ident:ident = $name:literal [$($status:ident),+] $meaning:literal, $why:literal, $remedy:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $meaning, ".")]
            pub(super) const $ident: &Code = &Code {
                name: $name,
                statuses: &[$(StatusCode::$status),+],
                meaning: $meaning,
                why: $why,
                remedy: $remedy,
            };
        )+

        /// Every code, in the order of the table.
        pub(super) const ALL: &[&Code] = &[$($ident),+];
    };
}

codes! {
    REQUEST_INVALID = "request.invalid" [BAD_REQUEST, UNPROCESSABLE_ENTITY]
        "The request cannot be read, or a value is outside its range",
        "400: the body is no I-JSON (RFC 7493), a type is wrong, a field or query parameter is unknown or missing. 422: all of it can be read, but a value breaks a limit.",
        "Read `errors`: each entry names the place and what is wrong there. The request is described in /docs.";
    REQUEST_NOT_FOUND = "request.not_found" [NOT_FOUND]
        "There is no such address",
        "The path belongs to no operation of the API.",
        "Compare the path with /docs. Paths are case-sensitive and have no slash at their end.";
    REQUEST_METHOD_NOT_ALLOWED = "request.method_not_allowed" [METHOD_NOT_ALLOWED]
        "The address does not take this method",
        "The path exists, but with other methods.",
        "Use one of the methods in the `Allow` header.";
    REQUEST_UNSUPPORTED_MEDIA_TYPE = "request.unsupported_media_type" [UNSUPPORTED_MEDIA_TYPE]
        "The body is not of a type that is read here",
        "Bodies are JSON: `Content-Type` is `application/json`, or absent.",
        "Send JSON, and say so.";
    REQUEST_BODY_TOO_LARGE = "request.body_too_large" [PAYLOAD_TOO_LARGE]
        "The body is too large",
        "It is over `server.body_limit` (4 MiB unless configured otherwise).",
        "Send less, or ask the operator to raise the limit.";
    REQUEST_URI_TOO_LONG = "request.uri_too_long" [URI_TOO_LONG]
        "The address is too long",
        "Path and query together may have 8 KiB.",
        "Send long values in the body.";
    REQUEST_HEADERS_TOO_LARGE = "request.headers_too_large" [REQUEST_HEADER_FIELDS_TOO_LARGE]
        "The headers are too large or too many",
        "At most 100 headers are read.",
        "Send fewer headers.";
    REQUEST_TIMEOUT = "request.timeout" [SERVICE_UNAVAILABLE]
        "The answer took too long",
        "The request was not done within `server.request_timeout` (30 s), not counting a wait that it asked for. A command that had begun runs on.",
        "Look whether it happened, or repeat it with the same `Idempotency-Key`.";
    REQUEST_PRECONDITION_FAILED = "request.precondition_failed" [PRECONDITION_FAILED]
        "The thing has changed since it was read",
        "`If-Match` names another version than the present one.",
        "Read it again, decide again, and send the new `ETag`.";
    REQUEST_MISDIRECTED = "request.misdirected" [MISDIRECTED_REQUEST]
        "The request was sent to another host",
        "With `auth.mode = \"disabled\"`, and with `optional` while there is no credential, only requests to this machine's own addresses, `localhost` and the host of `server.public_url` are answered, so that a web page cannot reach the gate through a name of its own.",
        "Use one of those names, or set up authentication.";
    REQUEST_UPGRADE_REQUIRED = "request.upgrade_required" [UPGRADE_REQUIRED]
        "The address speaks WebSocket",
        "The request is no opening handshake of a WebSocket (RFC 6455, version 13, over HTTP/1.1). All else is well: the caller may open it.",
        "Open it with a WebSocket client; over plain HTTP `GET /api/workflows/{id}/events` tells the same.";
    REQUEST_ORIGIN_FORBIDDEN = "request.origin_forbidden" [FORBIDDEN]
        "A page of another origin asked without a token",
        "Browsers let any page open a WebSocket to any address, and send it simple requests. Whoever shows a token may do so from anywhere. Without one, a page that opens a WebSocket, or changes something on a gate that anybody may enter, must be of the gate's own origin or of one in `server.cors_allow_origins`.",
        "Send a token, or name the page's origin in `server.cors_allow_origins`.";
    REQUEST_TOO_MANY = "request.too_many" [TOO_MANY_REQUESTS]
        "Too many commands are under way on one WebSocket",
        "At most 16 are answered at a time.",
        "Wait for an answer before you send the next command.";
    REQUEST_TOO_MANY_WAITS = "request.too_many_waits" [TOO_MANY_REQUESTS]
        "Too many requests of this identity wait",
        "At most 256 requests of one identity wait at a time for jobs, for a task or for the end of an execution, on each replica.",
        "Wait with fewer requests, and ask for more topics and jobs with each; or come back after `Retry-After` seconds.";
    REQUEST_TOO_MANY_CONNECTIONS = "request.too_many_connections" [SERVICE_UNAVAILABLE]
        "Too many connections are open",
        "`server.max_connections` are open, and none of them is idle.",
        "Come back after `Retry-After` seconds, and use one connection for many requests. /health is answered all the same.";
    INTERNAL = "internal" [INTERNAL_SERVER_ERROR]
        "The gate made a mistake",
        "A bug. The log has an entry under the `request_id` of this answer.",
        "Report it with the `request_id`.";
    DATABASE_UNAVAILABLE = "database.unavailable" [SERVICE_UNAVAILABLE]
        "The database does not answer",
        "It is down, locked or full. Nothing was done.",
        "Repeat the request after `Retry-After` seconds; operators look at /health/ready.";
    AUTH_MISSING_TOKEN = "auth.missing_token" [UNAUTHORIZED]
        "A bearer token is needed",
        "No `Authorization: Bearer …` came with the request, and what it asks for is not open to everybody.",
        "Send a token. `tidegate token create` makes one.";
    AUTH_INVALID_TOKEN = "auth.invalid_token" [UNAUTHORIZED]
        "The bearer token is not valid",
        "The header is malformed, the token is nobody's, or more than one credential came.",
        "Send exactly one token, as `Authorization: Bearer <token>`.";
    AUTH_UNSUPPORTED_ALGORITHM = "auth.unsupported_algorithm" [UNAUTHORIZED]
        "The bearer token is signed with an algorithm that its issuer does not use",
        "Each issuer is bound to its own algorithms (`auth.issuers`, `algorithms`); the header of the token names another one.",
        "Get a token from the issuer itself; operators compare `algorithms` with what the issuer signs with.";
    AUTH_INVALID_AUDIENCE = "auth.invalid_audience" [UNAUTHORIZED]
        "The bearer token is meant for others",
        "Its `aud` names none of the audiences that its issuer is configured with, or it has none.",
        "Ask the issuer for a token for this API; operators look at `audiences`.";
    AUTH_INVALID_ISSUER = "auth.invalid_issuer" [UNAUTHORIZED]
        "Nobody whom the gate trusts made the bearer token",
        "No configured issuer has the token's `iss`, exactly as it is written.",
        "Use a token of a configured issuer; operators compare `issuers` with the token's `iss`.";
    AUTH_TOKEN_EXPIRED = "auth.token_expired" [UNAUTHORIZED]
        "The bearer token has expired",
        "It was good once; its end, or the end of its overlap after a rotation, is past.",
        "Get a new one.";
    AUTH_TOKEN_REVOKED = "auth.token_revoked" [UNAUTHORIZED]
        "The service token has been revoked",
        "Somebody ended it before its time.",
        "Ask who administers tokens for a new one.";
    AUTH_NOT_PROVISIONED = "auth.not_provisioned" [FORBIDDEN]
        "The user is not known here",
        "The token is good, but its issuer's people are not made at first sight (`provision = \"none\"`).",
        "Ask who administers a workspace to make you a member.";
    AUTH_KEY_UNAVAILABLE = "auth.key_unavailable" [SERVICE_UNAVAILABLE]
        "The keys that verify the bearer token cannot be had now",
        "The issuer's key set could not be fetched, or none ever was. The token may be good.",
        "Repeat the request after `Retry-After` seconds; operators look whether the gate reaches the issuer.";
    AUTH_RATE_LIMITED_IP = "auth.rate_limited.ip" [TOO_MANY_REQUESTS]
        "Too many bad tokens came from this address",
        "`auth.rate_limit.ip` failures within the interval are judged; what comes after is not even looked at.",
        "Mend the token, and wait for `Retry-After` seconds.";
    AUTH_RATE_LIMITED_IDENTITY = "auth.rate_limited.identity" [TOO_MANY_REQUESTS]
        "Too many bad tokens of this identity came",
        "`auth.rate_limit.identity` failures within the interval are told why; a good token still passes.",
        "Get a good token, and wait for `Retry-After` seconds.";
    AUTH_UNAVAILABLE = "auth.unavailable" [SERVICE_UNAVAILABLE]
        "The bearer token cannot be judged now",
        "What the judgement needs does not answer. The token may be good.",
        "Repeat the request after `Retry-After` seconds.";
    AUTH_MISSING_SCOPE = "auth.missing_scope" [FORBIDDEN]
        "The token lacks a scope",
        "The operation needs scopes that the token does not have, or a token was to be made with more than its maker has.",
        "Use a token with the scopes that the message names.";
    AUTH_WORKSPACE_FORBIDDEN = "auth.workspace_forbidden" [FORBIDDEN]
        "The workspace is not the caller's",
        "The request names a workspace that the token does not reach, whether or not it exists.",
        "Name one of the workspaces that `GET /api/whoami` tells, or use another token.";
    AUTH_LIFE_EXCEEDED = "auth.life_exceeded" [FORBIDDEN]
        "The new token would outlive its maker",
        "A service token makes no token that lives longer than itself.",
        "Ask for a shorter life.";
    IDEMPOTENCY_KEY_REUSED = "idempotency.key_reused" [UNPROCESSABLE_ENTITY]
        "The idempotency key belongs to another request",
        "The same key came with another query or body within 24 hours.",
        "Use a new key for a new request; repeat a request byte for byte.";
    IDEMPOTENCY_IN_FLIGHT = "idempotency.in_flight" [CONFLICT]
        "The first request with this key is still under way",
        "Two requests came with one `Idempotency-Key` at once.",
        "Repeat it in a moment: the answer of the first is then given.";
    IDEMPOTENCY_NOT_REPLAYABLE = "idempotency.not_replayable" [CONFLICT]
        "The answer held a secret and is not given twice",
        "The request was done before, under this key. Its answer had a secret, which is kept nowhere.",
        "`errors` names what was made. If its secret is lost, rotate it.";
    WORKSPACE_NOT_FOUND = "workspace.not_found" [NOT_FOUND]
        "There is no such workspace",
        "No workspace has this id.",
        "`GET /api/workspaces` lists those that there are.";
    WORKSPACE_ID_TAKEN = "workspace.id_taken" [CONFLICT]
        "The workspace id is taken",
        "Ids are unique, without regard to case.",
        "Choose another.";
    MEMBERSHIP_NOT_FOUND = "membership.not_found" [NOT_FOUND]
        "There is no such member",
        "Nobody of this id belongs to the workspace. A member's id is the configured name of their issuer, a colon, and what the issuer calls them.",
        "`GET /api/workspaces/{id}/members` lists those that there are.";
    MEMBERSHIP_LAST_OWNER = "membership.last_owner" [CONFLICT]
        "The workspace would be left without an owner",
        "Its last owner neither leaves nor becomes something else.",
        "Make somebody else an owner first.";
    WORKFLOW_NOT_FOUND = "workflow.not_found" [NOT_FOUND]
        "There is no such workflow",
        "It does not exist, was deleted, or is in a workspace that the caller does not reach.",
        "`GET /api/workflows` lists those that there are.";
    WORKFLOW_NAME_TAKEN = "workflow.name_taken" [CONFLICT]
        "The workflow name is taken",
        "Names are unique within a workspace.",
        "Choose another, or use the workflow that has it.";
    WORKFLOW_PROCESS_TAKEN = "workflow.process_taken" [CONFLICT]
        "Another workflow runs this process",
        "On one engine a process definition key belongs to one workflow of the workspace.",
        "Use that workflow, or give the process another id.";
    WORKFLOW_BUSY = "workflow.busy" [CONFLICT]
        "Executions of the workflow are running",
        "A workflow is deleted only when nothing of it runs.",
        "Wait for them or cancel them.";
    DEPLOYMENT_NOT_FOUND = "deployment.not_found" [NOT_FOUND]
        "There is no such deployment",
        "It does not exist, or is in a workspace that the caller does not reach.",
        "`GET /api/deployments` lists those that there are.";
    DEPLOYMENT_REJECTED = "deployment.rejected" [UNPROCESSABLE_ENTITY]
        "The resources cannot run on this engine",
        "A file is broken, or has something that the engine does not run.",
        "`errors` names file, line and element, and says what to change.";
    EXECUTION_NOT_FOUND = "execution.not_found" [NOT_FOUND]
        "There is no such execution",
        "It does not exist, was forgotten after `engines.history_ttl`, or is in a workspace that the caller does not reach.",
        "`GET /api/workflows/{id}/executions` lists those that there are.";
    EXECUTION_ENDED = "execution.ended" [CONFLICT]
        "The execution has ended",
        "What has ended cannot be cancelled.",
        "Nothing is left to do.";
    EVENTS_POSITION_UNKNOWN = "events.position_unknown" [BAD_REQUEST]
        "The channel has no such position",
        "`Last-Event-ID` or `after` lies beyond the newest event, as when it comes from another workflow or another database.",
        "Begin again with `after=0`, or without a position.";
    EVENTS_POSITION_EXPIRED = "events.position_expired" [GONE]
        "Events after this position are no longer kept",
        "`Last-Event-ID` or `after` lies before events that were deleted `engines.history_ttl` after their execution ended.",
        "Load the present state by REST, then go on with `after` one less than `oldest`. A history without `after` begins at the oldest event.";
    PROCESS_NOT_FOUND = "process.not_found" [NOT_FOUND]
        "There is no such process, or no such process instance",
        "It is not deployed, was forgotten after `engines.history_ttl`, or is in a workspace that the caller does not reach.",
        "Check key or id, and the token's workspaces.";
    PROCESS_AMBIGUOUS = "process.ambiguous" [CONFLICT]
        "Several workspaces have a process of this key",
        "Without `workspaceId` all of the caller's workspaces are looked at.",
        "Name the `workspaceId`.";
    PROCESS_ENDED = "process.ended" [CONFLICT]
        "The process instance has ended",
        "It takes no more commands.",
        "Nothing is left to do.";
    INCIDENT_NOT_FOUND = "incident.not_found" [NOT_FOUND]
        "There is no such open incident",
        "It does not exist, or was resolved.",
        "`GET /api/process/{id}/incidents` lists the open ones.";
    USER_TASK_NOT_FOUND = "user_task.not_found" [NOT_FOUND]
        "There is no such user task",
        "It does not exist, was forgotten, or is in a workspace that the caller does not reach. From the look-up by element: it did not come in time.",
        "`GET /api/userTask` lists the open ones.";
    USER_TASK_ALREADY_COMPLETED = "user_task.already_completed" [CONFLICT]
        "The user task is done already",
        "Somebody completed it before.",
        "Nothing is left to do.";
    MESSAGE_NOT_CORRELATED = "message.not_correlated" [NOT_FOUND]
        "Nobody waits for the message",
        "No instance within the caller's workspaces waits for a message of this name and key, and no process starts by it.",
        "Check name and key; with `timeToLiveInSec` the message waits for its receiver.";
    MESSAGE_AMBIGUOUS = "message.ambiguous" [CONFLICT]
        "More than one waits for the message",
        "A message goes to exactly one receiver.",
        "Name a `correlationKey`, `businessKey`, `processInstanceId` or `workspaceId`.";
    JOB_NOT_FOUND = "job.not_found" [NOT_FOUND]
        "There is no such job",
        "It does not exist, was forgotten, or is in a workspace that the caller does not reach.",
        "Jobs are had by `POST /api/jobs/activate`.";
    JOB_NOT_LOCKED = "job.not_locked" [CONFLICT]
        "The job is not locked by this worker",
        "The lock ran out, or belongs to another worker or an older activation.",
        "Drop the result: whoever has the job now does the work. Lock for longer, or extend the lock in time.";
    JOB_ALREADY_COMPLETED = "job.already_completed" [CONFLICT]
        "The job is done already",
        "It was completed before.",
        "Nothing is left to do.";
    ENGINE_NOT_FOUND = "engine.not_found" [NOT_FOUND]
        "There is no such engine",
        "No engine of this name is configured.",
        "`GET /api/engines` lists those that there are.";
    ENGINE_REJECTED = "engine.rejected" [UNPROCESSABLE_ENTITY]
        "The engine refuses the command",
        "Values that the gate lets through are not fit for this engine.",
        "The message says why.";
    SESSION_NOT_CONFIGURED = "session.not_configured" [NOT_IMPLEMENTED]
        "Widget sessions are not configured",
        "`sessions.key` is not set, and the gate may have replicas: they must sign with one key.",
        "Operators set `sessions.key`; `openssl rand -base64 32` makes one for HS256.";
    ENGINE_UNSUPPORTED = "engine.unsupported" [NOT_IMPLEMENTED]
        "The engine cannot do this",
        "Not every engine has every capability.",
        "`GET /api/engines` tells what each can do.";
    ENGINE_UNAVAILABLE = "engine.unavailable" [SERVICE_UNAVAILABLE]
        "The engine does not answer",
        "Nothing was done.",
        "Repeat the request after `Retry-After` seconds.";
    ENGINE_OUTCOME_UNKNOWN = "engine.outcome_unknown" [BAD_GATEWAY]
        "Whether the engine did it is unknown",
        "The engine's answer was lost. The command may have happened.",
        "Look before you repeat it; a start with an `Idempotency-Key` may be repeated.";
    ENGINE_FAILED = "engine.failed" [BAD_GATEWAY]
        "The engine broke down over the command",
        "It answered with an error of its own.",
        "The gate's log has the cause under the `request_id`.";
    SERVICE_TOKEN_NOT_FOUND = "service_token.not_found" [NOT_FOUND]
        "There is no such service token",
        "It does not exist, or reaches workspaces that the caller does not.",
        "`GET /api/admin/service-tokens` lists those that there are.";
    REVOCATION_NOT_FOUND = "revocation.not_found" [NOT_FOUND]
        "There is no such revocation",
        "It does not exist, was lifted, or is over: no token can be left that it would refuse.",
        "`GET /api/admin/revocations` lists those that hold.";
    WEBHOOK_SIGNATURE_INVALID = "webhook.signature_invalid" [UNAUTHORIZED]
        "The event is not signed as it must be",
        "`WorkOS-Signature` is missing, belongs to another secret or another body, or is more than 180 s old or ahead.",
        "Compare the endpoint's secret at WorkOS with `webhook_secret` of the issuer, and the clocks.";
    SERVICE_TOKEN_IDENTIFIER_TAKEN = "service_token.identifier_taken" [CONFLICT]
        "The identifier is taken",
        "Another token has it; a revoked or expired one keeps its own.",
        "Choose another, or rotate the token that has it.";
    SERVICE_TOKEN_ALREADY_ROTATING = "service_token.already_rotating" [CONFLICT]
        "An older secret still works",
        "A token has at most two secrets at a time.",
        "Wait for the end of the overlap, or rotate with `overlap_seconds` 0, which ends every older secret.";
    SERVICE_TOKEN_EXPIRED = "service_token.expired" [CONFLICT]
        "The service token has expired",
        "What is over cannot be rotated.",
        "Make a new token.";
    SERVICE_TOKEN_REVOKED = "service_token.revoked" [CONFLICT]
        "The service token has been revoked",
        "What was revoked cannot be rotated.",
        "Make a new token.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once_and_says_what_to_do() {
        let names: BTreeSet<_> = ALL.iter().map(|code| code.name).collect();
        assert_eq!(names.len(), ALL.len());
        for code in ALL {
            assert!(!code.why.is_empty() && !code.remedy.is_empty() && !code.meaning.is_empty(), "{}", code.name);
            assert!(code.status().as_u16() >= 400, "{}", code.name);
        }
    }
}
