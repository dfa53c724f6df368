//! What an evaluation may cost.

/// Steps that one evaluation may take.
const STEPS: usize = 100_000;
/// The longest text an evaluation may make, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// The longest list an evaluation may make.
const MAX_LIST: usize = 100_000;
/// Bytes of text that one step may produce or look at.
const BYTES_PER_STEP: usize = 64;

/// Why an evaluation ended without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(pub(super) String);

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// The steps that are left. Everything whose cost grows with its input pays here before it works.
#[derive(Debug)]
pub(super) struct Fuel {
    left: usize,
}

impl Fuel {
    pub(super) fn new() -> Self {
        Self { left: STEPS }
    }

    /// Pays for `steps` steps.
    pub(super) fn burn(&mut self, steps: usize) -> Result<(), Failure> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Failure::new(format!("it takes more than {STEPS} steps"))),
        }
    }

    /// Pays for looking at `bytes` of text.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), Failure> {
        self.burn(bytes.checked_div(BYTES_PER_STEP).unwrap_or(0).saturating_add(1))
    }

    /// Pays for making a text of `bytes`.
    pub(super) fn make_text(&mut self, bytes: usize) -> Result<(), Failure> {
        self.check_text(bytes)?;
        self.read(bytes)
    }

    /// Refuses a text of too many bytes, and charges nothing: for text whose parts are paid already.
    #[expect(clippy::unused_self, reason = "bounds are asked of the one who keeps them")]
    pub(super) fn check_text(&self, bytes: usize) -> Result<(), Failure> {
        if bytes > MAX_TEXT {
            return Err(Failure::new(format!("it makes a text of more than {MAX_TEXT} bytes")));
        }
        Ok(())
    }

    /// Pays for `more` items in a list that has `len` already.
    pub(super) fn grow_list(&mut self, len: usize, more: usize) -> Result<(), Failure> {
        if len.saturating_add(more) > MAX_LIST {
            return Err(Failure::new(format!("it makes a list of more than {MAX_LIST} items")));
        }
        self.burn(more)
    }
}
