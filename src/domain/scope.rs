//! What a caller may do: the scopes of authentication.md section 3.

use std::{collections::BTreeSet, fmt, str::FromStr};

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// A right to a kind of operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $($(#[$doc])* $variant),+
        }

        impl Scope {
            /// Every scope there is.
            pub const ALL: &'static [Scope] = &[$(Scope::$variant),+];

            /// Its name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Scope::$variant => $text),+
                }
            }
        }
    };
}

scopes! {
    /// Reading a workspace's things.
    WorkflowsRead = "workflows:read",
    /// Making and changing workflows, deployments, triggers, runtimes.
    WorkflowsWrite = "workflows:write",
    /// Starting, cancelling, messages, signals, user tasks, incident retries.
    WorkflowsExecute = "workflows:execute",
    /// Working jobs.
    JobsWork = "jobs:work",
    /// Acting in another's name inside a process.
    ProcessImpersonate = "process:impersonate",
    /// Making widget sessions.
    ChatkitSession = "chatkit:session",
    /// Reading the vault.
    VaultRead = "vault:read",
    /// Writing the vault.
    VaultWrite = "vault:write",
    /// Listing and showing service tokens and revocations.
    AdminTokensRead = "admin:tokens:read",
    /// Making, rotating and revoking service tokens.
    AdminTokensWrite = "admin:tokens:write",
    /// Reading the audit.
    AdminAuditRead = "admin:audit:read",
    /// Making workspaces by token.
    AdminWorkspacesWrite = "admin:workspaces:write",
    /// Reading metrics.
    AdminMetricsRead = "admin:metrics:read",
}

impl Scope {
    /// Whether it is an `admin:*` scope, which no grant gives unless the token itself states it.
    pub fn is_admin(self) -> bool {
        self.as_str().starts_with("admin:")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No scope has this name; the message lists those that exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {given:?}; the known ones are {}", known())]
pub struct UnknownScope {
    /// What was given.
    pub given: String,
}

fn known() -> String {
    Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope { given: text.chars().take(64).collect() })
    }
}

/// A set of scopes.
pub type Scopes = BTreeSet<Scope>;

/// Every scope.
pub fn all_scopes() -> Scopes {
    Scope::ALL.iter().copied().collect()
}
