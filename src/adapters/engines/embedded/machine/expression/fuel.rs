//! What an evaluation may cost.

use std::cell::Cell;

/// Steps that one evaluation may take.
const STEPS: usize = 100_000;
/// Steps that an evaluation costs in any case.
const LEAST: usize = 200;
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

/// Steps that several evaluations may take together, so that many expressions cannot do what one may not.
#[derive(Debug)]
pub struct Budget(Cell<usize>);

impl Budget {
    /// So many steps.
    pub const fn new(steps: usize) -> Self {
        Self(Cell::new(steps))
    }

    /// How many are left.
    pub const fn left(&self) -> usize {
        self.0.get()
    }

    /// What one evaluation may take of it.
    pub(super) fn fuel(&self) -> Fuel {
        Fuel { left: self.left().min(STEPS) }
    }

    /// Takes off what an evaluation took that began with [`fuel`](Self::fuel).
    pub(super) fn charge(&self, fuel: &Fuel) {
        let taken = self.left().min(STEPS).saturating_sub(fuel.left).max(LEAST);
        self.0.set(self.left().saturating_sub(taken));
    }
}

impl Default for Budget {
    /// What one evaluation may take by itself.
    fn default() -> Self {
        Self::new(STEPS)
    }
}

/// The steps that are left. Everything whose cost grows with its input pays here before it works.
#[derive(Debug)]
pub(super) struct Fuel {
    left: usize,
}

impl Fuel {
    /// Pays for `steps` steps.
    pub(super) fn burn(&mut self, steps: usize) -> Result<(), Failure> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Failure::new("it takes too many steps")),
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
