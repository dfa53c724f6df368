//! The suite of the engine ports. It knows engines by `Arc<dyn Engine>` only, so that the next adapter joins by one line in
//! [`engines!`]. What an engine may lack hangs on its declared capabilities, both ways.

mod jobs;
mod model;
mod tasks;
mod world;

/// Runs cases on every engine: each on a fresh one.
macro_rules! engines {
    ($cases:tt) => {
        $crate::conformance::conformance!($cases on {
            embedded_on_memory => $crate::conformance::engine::world::embedded_on_memory(),
        });
    };
}
use engines;
