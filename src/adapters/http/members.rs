//! Tag `workspaces`, the members: who belongs to a workspace, and as what.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{NoContent, Ok200},
    body::Body,
    conditions::Who,
    fields::request,
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::{Path, Query, Raw},
    problem::Problem,
    tags::Tag,
    workspaces::named,
};
use crate::{
    app::App,
    domain::user::{Role, UserId},
    ports::repository::Member,
};

/// The members of workspaces.
pub(super) struct MembersApi {
    pub(super) app: Arc<App>,
}

request! {
    /// What somebody is to be in a workspace.
    pub(super) struct MemberRole {
        /// `owner`, `admin`, `member` or `viewer`.
        required role ("role"): Role,
    }
}

response! {
    /// A member of a workspace.
    pub(super) struct MemberBody {
        /// Who: the configured name of their issuer, a colon, and what the issuer calls them.
        required user_id ("user_id"): String,
        /// What they are called, once the gate has seen them.
        nullable username ("username"): String,
        /// Their verified mail address, likewise.
        nullable email ("email"): String,
        /// `owner`, `admin`, `member` or `viewer`.
        required role ("role"): &'static str,
        /// Since when they have belonged to it.
        required since ("since"): Timestamp,
    }
}

impl From<Member> for MemberBody {
    fn from(member: Member) -> Self {
        let Member { membership, username, email } = member;
        Self {
            user_id: membership.user.to_string(),
            username,
            email,
            role: membership.role.as_str(),
            since: membership.since,
        }
    }
}

#[OpenApi(tag = "Tag::Workspaces")]
impl MembersApi {
    /// List the members of a workspace
    ///
    /// Newest first. For its owners and admins, and for who has the scope there.
    #[oai(path = "/api/workspaces/:id/members", method = "get", operation_id = "list_members")]
    async fn list(
        &self,
        who: Who,
        /// The workspace.
        id: Path<Raw>,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<MemberBody>>, Problem> {
        let id = named(&who.0, &id.0.0)?;
        let found = self.app.members.list(&who.0, &id, &page(limit, cursor)).await?;
        Ok(Ok200::new(list(found, MemberBody::from)))
    }

    /// Make somebody a member, or give a member another role
    ///
    /// They need not have been seen yet. Nobody grants or changes a role above their own, and the last owner stays one.
    #[oai(path = "/api/workspaces/:id/members/:user_id", method = "put", operation_id = "put_member")]
    async fn put(
        &self,
        who: Who,
        /// The workspace.
        id: Path<Raw>,
        /// Who: the configured name of their issuer, a colon, and what the issuer calls them.
        user_id: Path<UserId>,
        body: Body<MemberRole>,
    ) -> Result<Ok200<MemberBody>, Problem> {
        let id = named(&who.0, &id.0.0)?;
        let member = self.app.members.put(&who.0, id, user_id.0, body.value.role).await?;
        Ok(Ok200::new(member.into()))
    }

    /// Remove a member
    ///
    /// Every member may remove themselves. Nobody removes a role above their own, and the last owner stays.
    #[oai(path = "/api/workspaces/:id/members/:user_id", method = "delete", operation_id = "remove_member")]
    async fn remove(
        &self,
        who: Who,
        /// The workspace.
        id: Path<Raw>,
        /// Who.
        user_id: Path<UserId>,
    ) -> Result<NoContent, Problem> {
        let id = named(&who.0, &id.0.0)?;
        self.app.members.remove(&who.0, id, user_id.0).await?;
        Ok(NoContent)
    }
}
