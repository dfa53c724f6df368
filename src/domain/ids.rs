//! Ids that the gate makes: UUIDs of version 7, so that they sort by the time of their making.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// The text is not an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct InvalidId;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that the gate made.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the hyphenated form only (any case): one thing has one name.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }
    )+};
}

uuid_id! {
    /// Names a [`Workflow`](super::workflow::Workflow), and its event channel.
    WorkflowId,
    /// Names a [`Deployment`](super::deployment::Deployment).
    DeploymentId,
    /// Names an [`Execution`](super::execution::Execution).
    ExecutionId,
    /// Names an [`Event`](super::event::Event); publishers are idempotent by it.
    EventId,
    /// Names a [`Revocation`](super::revocation::Revocation).
    RevocationId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let text = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(text.parse::<WorkflowId>().map(|id| id.to_string()), Ok(text.to_owned()));
        assert_eq!("01890a5dac96774bbcceb302099a8057".parse::<WorkflowId>(), Err(InvalidId));
        assert_eq!("{01890a5d-ac96-774b-bcce-b302099a8057}".parse::<WorkflowId>(), Err(InvalidId));
        assert_eq!("".parse::<WorkflowId>(), Err(InvalidId));
    }
}
