//! Tag `service tokens`: long-lived credentials for programs.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{Created, NoContent, Ok200},
    body::{Body, OptionalBody},
    conditions::{Repeatable, Who},
    fields::{Distinct, Within, request},
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::{Path, Query},
    percent,
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{
        App,
        service_tokens::{NewRotation, NewServiceToken},
    },
    domain::{
        scope::Scope,
        service_token::{PlainToken, ServiceToken, ServiceTokenId},
        text::Remark,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
};

/// Tag `service tokens`.
pub(super) struct ServiceTokensApi {
    pub(super) app: Arc<App>,
}

/// A life in seconds.
type Life = Within<1, { i64::MAX }>;
/// An overlap in seconds.
type Overlap = Within<0, { i64::MAX }>;

request! {
    /// A token to make.
    pub(super) struct NewServiceTokenBody {
        /// Its name; made if absent.
        optional identifier ("identifier"): ServiceTokenId,
        /// What it may do; nothing if absent.
        optional scopes ("scopes"): Distinct<Scope, 32>,
        /// Where; absent, its maker's workspaces. A maker with all workspaces must give this or `all_workspaces`.
        optional workspace_ids ("workspace_ids"): Distinct<WorkspaceId, 1000>,
        /// Everywhere.
        optional all_workspaces ("all_workspaces"): bool,
        /// How long it lives; absent, without end, or as long as the service token that makes it.
        optional expires_in_seconds ("expires_in_seconds"): Life,
    }
}

request! {
    /// How a token rotates.
    pub(super) struct RotationBody {
        /// How long the old secret works on: 300 if absent, 0 ends every older secret now.
        optional overlap_seconds ("overlap_seconds"): Overlap,
        /// A new life, from now.
        optional expires_in_seconds ("expires_in_seconds"): Life,
        /// Scopes to add.
        optional add_scopes ("add_scopes"): Distinct<Scope, 32>,
    }
}

request! {
    /// Why a token is revoked.
    pub(super) struct RevocationBody {
        /// For people.
        optional reason ("reason"): Remark,
    }
}

response! {
    /// A service token.
    pub(super) struct ServiceTokenBody {
        /// Its name. It stays when the secret rotates.
        required identifier ("identifier"): String,
        /// The secret: shown where it is made, and never again.
        optional secret ("secret"): String,
        /// `active`, `rotating`, `expired` or `revoked`.
        required status ("status"): &'static str,
        /// What it may do.
        required scopes ("scopes"): Vec<&'static str>,
        /// Whether it reaches every workspace.
        required all_workspaces ("all_workspaces"): bool,
        /// The workspaces that it reaches.
        required workspace_ids ("workspace_ids"): Vec<String>,
        /// When it was made.
        required issued_at ("issued_at"): Timestamp,
        /// When it ends; null: never.
        nullable expires_at ("expires_at"): Timestamp,
        /// When it last rotated.
        nullable rotated_at ("rotated_at"): Timestamp,
        /// When the secret before ends.
        nullable previous_secret_ends_at ("previous_secret_ends_at"): Timestamp,
        /// When it was last used, as far as that is written down yet.
        nullable last_used_at ("last_used_at"): Timestamp,
        /// How often it was used, as far as that is written down yet.
        required use_count ("use_count"): u64,
        /// When it was revoked.
        nullable revoked_at ("revoked_at"): Timestamp,
        /// Why.
        nullable revocation_reason ("revocation_reason"): String,
        /// Who made it.
        required created_by ("created_by"): String,
    }
}

impl ServiceTokensApi {
    fn shown(&self, token: ServiceToken, secret: Option<&PlainToken>) -> ServiceTokenBody {
        let now = self.app.core.commands.now();
        let status = token.status(now);
        let (all_workspaces, workspaces) = match token.workspaces {
            WorkspaceAccess::All => (true, Vec::new()),
            WorkspaceAccess::Only(ids) => (false, ids.into_iter().map(|id| id.to_string()).collect()),
        };
        let (revoked_at, reason) = token.revoked.map(|revoked| (revoked.at, revoked.reason)).unzip();
        ServiceTokenBody {
            identifier: token.id.to_string(),
            secret: secret.map(|plain| plain.expose().to_owned()),
            status: status.as_str(),
            scopes: token.scopes.iter().map(|scope| scope.as_str()).collect(),
            all_workspaces,
            workspace_ids: workspaces,
            issued_at: token.issued_at,
            expires_at: token.expires_at,
            rotated_at: token.rotated_at,
            previous_secret_ends_at: token.previous.map(|previous| previous.ends_at).filter(|end| *end > now),
            last_used_at: token.last_used_at,
            use_count: token.use_count,
            revoked_at,
            revocation_reason: reason.flatten().map(Remark::into_string),
            created_by: token.created_by.subject,
        }
    }
}

#[OpenApi(tag = "Tag::ServiceTokens")]
impl ServiceTokensApi {
    /// Make a service token
    ///
    /// Nobody makes one beyond themselves. The secret is in this answer and nowhere else.
    #[oai(path = "/api/admin/service-tokens", method = "post", operation_id = "create_service_token")]
    async fn create(
        &self,
        who: Who,
        /// Makes a repeat within 24 hours be refused instead of done twice: the secret is kept nowhere.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: Body<NewServiceTokenBody>,
    ) -> Result<Created<ServiceTokenBody>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let body = body.value;
        let new = NewServiceToken {
            id: body.identifier,
            scopes: body.scopes.map(|scopes| scopes.0).unwrap_or_default(),
            workspaces: body.workspace_ids.map(|ids| ids.0),
            all_workspaces: body.all_workspaces.unwrap_or_default(),
            expires_in: body.expires_in_seconds.map(Life::seconds),
        };
        let (token, plain) = self.app.tokens.mint(&who.0, new, idempotency).await?;
        let path = format!("/api/admin/service-tokens/{}", percent::encode_segment(token.id.as_str()));
        Ok(Created::new(self.shown(token, Some(&plain))).located(&path))
    }

    /// List service tokens
    ///
    /// Those whose workspaces the caller all has, newest first.
    #[oai(path = "/api/admin/service-tokens", method = "get", operation_id = "list_service_tokens")]
    async fn list(
        &self,
        who: Who,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<ServiceTokenBody>>, Problem> {
        let found = self.app.tokens.list(&who.0, &page(limit, cursor)).await?;
        Ok(Ok200::new(list(found, |token| self.shown(token, None))))
    }

    /// Show a service token
    #[oai(path = "/api/admin/service-tokens/:identifier", method = "get", operation_id = "get_service_token")]
    async fn get(
        &self,
        who: Who,
        /// The token.
        identifier: Path<ServiceTokenId>,
    ) -> Result<Ok200<ServiceTokenBody>, Problem> {
        let token = self.app.tokens.get(&who.0, &identifier.0).await?;
        Ok(Ok200::new(self.shown(token, None)))
    }

    /// Rotate a service token
    ///
    /// Gives it a new secret under its old name; the old secret works on for a while.
    #[oai(
        path = "/api/admin/service-tokens/:identifier/rotate",
        method = "post",
        operation_id = "rotate_service_token"
    )]
    async fn rotate(
        &self,
        who: Who,
        /// The token.
        identifier: Path<ServiceTokenId>,
        /// Makes a repeat within 24 hours be refused instead of done twice: the secret is kept nowhere.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: Body<RotationBody>,
    ) -> Result<Ok200<ServiceTokenBody>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let body = body.value;
        let new = NewRotation {
            overlap: body.overlap_seconds.map(Overlap::seconds),
            expires_in: body.expires_in_seconds.map(Life::seconds),
            add_scopes: body.add_scopes.map(|scopes| scopes.0).unwrap_or_default(),
        };
        let (token, plain) = self.app.tokens.rotate(&who.0, identifier.0, new, idempotency).await?;
        Ok(Ok200::new(self.shown(token, Some(&plain))))
    }

    /// Revoke a service token
    ///
    /// At once, for good. Idempotent.
    #[oai(path = "/api/admin/service-tokens/:identifier", method = "delete", operation_id = "revoke_service_token")]
    async fn revoke(
        &self,
        who: Who,
        /// The token.
        identifier: Path<ServiceTokenId>,
        /// Why, where there is no body.
        reason: Query<Remark>,
        /// Also what it made, and what that made.
        minted: Query<bool>,
        body: OptionalBody<RevocationBody>,
    ) -> Result<NoContent, Problem> {
        let reason = body.value.and_then(|body| body.reason).or(reason.0);
        self.app.tokens.revoke(&who.0, identifier.0, reason, minted.0.unwrap_or_default()).await?;
        Ok(NoContent)
    }
}
