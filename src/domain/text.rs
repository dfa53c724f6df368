//! Bounded texts: names, descriptions, keys. Parsed at the edge, valid ever after.

use std::fmt;

/// A text outside its limits; the message says which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(String);

impl InvalidText {
    /// An error with the sentence that the caller will read.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

fn within(text: &str, least: usize, most: usize) -> Result<(), InvalidText> {
    if text.contains('\0') {
        return Err(InvalidText::new("must not contain U+0000"));
    }
    let length = text.chars().count();
    if (least..=most).contains(&length) {
        Ok(())
    } else if least == 0 {
        Err(InvalidText(format!("must have at most {most} characters, not {length}")))
    } else {
        Err(InvalidText(format!("must have {least} to {most} characters, not {length}")))
    }
}

macro_rules! bounded_text {
    ($($(#[$doc:meta])* $name:ident: $least:literal..=$most:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes a text within the limits.
            ///
            /// # Errors
            /// [`InvalidText`] when it is too short, too long, or holds U+0000.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidText> {
                let text = text.into();
                within(&text, $least, $most)?;
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, owned.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

bounded_text! {
    /// The name of a workspace or workflow: 1 to 200 characters.
    Name: 1..=200,
    /// A description or a reason: at most 2,000 characters.
    Remark: 0..=2_000,
    /// A business key, correlation key, message name, topic, worker or assignee: 1 to 255 characters.
    Key: 1..=255,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_not_bytes() {
        assert!(Name::parse("ä".repeat(200)).is_ok());
        assert!(Name::parse("a".repeat(201)).is_err());
        assert!(Name::parse("").is_err());
        assert!(Remark::parse("").is_ok());
        assert!(Key::parse("a\0b").is_err());
    }
}
