//! `tidegate workspace …`

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use crate::adapters::cli::{CliError, Session, output::Field, request::Request};

/// What can be done with workspaces.
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Make a workspace
    Create {
        /// Its id: a slug of a-z, 0-9, _ and -
        id: String,
        /// What people call it [default: the id]
        #[arg(long)]
        name: Option<String>,
    },
    /// List the workspaces that you may use
    List,
    /// Show a workspace
    Show {
        /// Its id
        id: String,
    },
    /// Say who belongs to a workspace
    #[command(subcommand, visible_alias = "members")]
    Member(MemberCommand),
}

/// What can be done with the members of a workspace. A user is named by the issuer's configured name, a colon and the
/// subject: `workos:user_01…`
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// List the members
    List {
        /// The workspace's id
        workspace: String,
    },
    /// Let a user belong to it, or give them another role
    Put {
        /// The workspace's id
        workspace: String,
        /// The user, such as `workos:user_01…`; need not have been seen yet
        user: String,
        /// What they are there
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
    },
    /// Let a user no longer belong to it
    #[command(visible_alias = "rm")]
    Remove {
        /// The workspace's id
        workspace: String,
        /// The user, such as `workos:user_01…`
        user: String,
    },
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// May do everything, and make others owners
    Owner,
    /// May do everything
    Admin,
    /// May read, write and run workflows
    Member,
    /// May read
    Viewer,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }
}

const MEMBER_FIELDS: &[Field] =
    &[("USER", "/user_id"), ("ROLE", "/role"), ("NAME", "/username"), ("EMAIL", "/email"), ("SINCE", "/since")];

const FIELDS: &[Field] = &[("ID", "/id"), ("NAME", "/name"), ("ROLE", "/role"), ("CREATED", "/created_at")];

pub(in crate::adapters::cli) async fn run(command: WorkspaceCommand, session: &Session) -> Result<(), CliError> {
    let Session { client, output } = session;
    match command {
        WorkspaceCommand::Create { id, name } => {
            let body = json!({"id": id, "name": name.as_deref().unwrap_or(&id)});
            let answer = client.send(Request::post(&["api", "workspaces"], body).once(None)?).await?;
            output.record(&answer.body, FIELDS)
        }
        WorkspaceCommand::List => {
            let listed = client.list(Request::get(&["api", "workspaces"])).await?;
            output.list(listed.items, FIELDS, "no workspace yet: tidegate workspace create ID")
        }
        WorkspaceCommand::Show { id } => {
            let answer = client.send(Request::get(&["api", "workspaces", &id])).await?;
            output.record(&answer.body, FIELDS)
        }
        WorkspaceCommand::Member(command) => run_member(command, session).await,
    }
}

async fn run_member(command: MemberCommand, session: &Session) -> Result<(), CliError> {
    let Session { client, output } = session;
    match command {
        MemberCommand::List { workspace } => {
            let listed = client.list(Request::get(&["api", "workspaces", &workspace, "members"])).await?;
            output.list(listed.items, MEMBER_FIELDS, "no member yet: tidegate workspace member put")
        }
        MemberCommand::Put { workspace, user, role } => {
            let mut request = Request::new(Method::PUT, &["api", "workspaces", &workspace, "members", &user]);
            request.body = Some(json!({"role": role.as_str()}));
            output.record(&client.send(request).await?.body, MEMBER_FIELDS)
        }
        MemberCommand::Remove { workspace, user } => {
            client.send(Request::new(Method::DELETE, &["api", "workspaces", &workspace, "members", &user])).await?;
            output.done(&format!("{user} no longer belongs to {workspace}"))
        }
    }
}

/// The workspace that is meant: the one that is named, or the caller's only one.
pub(super) async fn chosen(named: Option<String>, session: &Session) -> Result<String, CliError> {
    if let Some(named) = named {
        return Ok(named);
    }
    let workspaces = session.client.list(Request::get(&["api", "workspaces"])).await?.items;
    let ids: Vec<_> = workspaces.iter().filter_map(|workspace| workspace.get("id")?.as_str()).collect();
    match ids.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(CliError::NotFound("there is no workspace yet: tidegate workspace create ID".to_owned())),
        several => Err(CliError::Usage(format!("say which workspace with --workspace: {}", several.join(", ")))),
    }
}
