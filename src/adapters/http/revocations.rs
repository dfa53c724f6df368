//! Tag `revocations`: what ends the tokens of identity providers before their time.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{Created, NoContent, Ok200},
    body::Body,
    conditions::Who,
    fields::request,
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::{Path, Query},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{
        App,
        revocations::{NewRevocation, Target},
    },
    domain::{
        ids::RevocationId,
        revocation::Revocation,
        text::{Key, Remark},
    },
};

/// Tag `revocations`.
pub(super) struct RevocationsApi {
    pub(super) app: Arc<App>,
}

request! {
    /// Tokens to revoke.
    pub(super) struct NewRevocationBody {
        /// `user`: a person's, issued up to now; `session`: those of a session; `token`: one.
        required kind ("kind"): Target,
        /// The configured name of the issuer.
        required issuer ("issuer"): Key,
        /// The claim: `sub` of a person, `sid` of a session, `jti` of a token.
        required value ("value"): Key,
        /// For people.
        optional reason ("reason"): Remark,
        /// For a person: tokens to come are refused, too, until the revocation is lifted.
        optional ban ("ban"): bool,
    }
}

response! {
    /// A revocation.
    pub(super) struct RevocationBody {
        /// Its id.
        required id ("id"): String,
        /// `user`, `session` or `token`.
        required kind ("kind"): &'static str,
        /// The configured name of the issuer.
        required issuer ("issuer"): String,
        /// The claim.
        required value ("value"): String,
        /// For people.
        nullable reason ("reason"): String,
        /// Whether tokens to come are refused, too.
        required ban ("ban"): bool,
        /// Of a person, tokens issued up to this moment are refused.
        required revoked_at ("revoked_at"): Timestamp,
        /// From then on no token can be left that it would refuse; null: it holds until it is lifted.
        nullable ends_at ("ends_at"): Timestamp,
        /// Who entered it; `issuer` where the issuer itself told of it.
        required created_by ("created_by"): String,
    }
}

impl From<Revocation> for RevocationBody {
    fn from(entry: Revocation) -> Self {
        Self {
            id: entry.id.to_string(),
            kind: entry.revoked.kind(),
            issuer: entry.revoked.issuer().to_string(),
            value: entry.revoked.value().to_owned(),
            reason: entry.reason.map(Remark::into_string),
            ban: entry.ban,
            revoked_at: entry.at,
            ends_at: entry.ends_at,
            created_by: entry.created_by.subject,
        }
    }
}

#[OpenApi(tag = "Tag::Revocations")]
impl RevocationsApi {
    /// List revocations
    ///
    /// Those that hold, newest first. (Service tokens are revoked by their own route, and tell it themselves.)
    #[oai(path = "/api/admin/revocations", method = "get", operation_id = "list_revocations")]
    async fn list(
        &self,
        who: Who,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<RevocationBody>>, Problem> {
        let found = self.app.revocations.list(&who.0, &page(limit, cursor)).await?;
        Ok(Ok200::new(list(found, RevocationBody::from)))
    }

    /// Revoke tokens of an issuer
    ///
    /// They are refused, and streams end, at once here and within a second on all replicas. To do it twice does no harm.
    #[oai(path = "/api/admin/revocations", method = "post", operation_id = "create_revocation")]
    async fn create(&self, who: Who, body: Body<NewRevocationBody>) -> Result<Created<RevocationBody>, Problem> {
        let NewRevocationBody { kind, issuer, value, reason, ban } = body.value;
        let new = NewRevocation {
            target: kind,
            issuer: issuer.into_string(),
            value: value.into_string(),
            reason,
            ban: ban.unwrap_or_default(),
        };
        let entry = self.app.revocations.add(&who.0, new).await?;
        let path = format!("/api/admin/revocations/{}", entry.id);
        Ok(Created::new(entry.into()).located(&path))
    }

    /// Lift a revocation
    ///
    /// Tokens that nothing else stands against count again.
    #[oai(path = "/api/admin/revocations/:id", method = "delete", operation_id = "lift_revocation")]
    async fn lift(
        &self,
        who: Who,
        /// The revocation.
        id: Path<RevocationId>,
    ) -> Result<NoContent, Problem> {
        self.app.revocations.lift(&who.0, id.0).await?;
        Ok(NoContent)
    }
}
