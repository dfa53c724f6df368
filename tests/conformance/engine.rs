//! The suite of the engine ports. It knows engines by `Arc<dyn Engine>` only, so that the next adapter joins by one line in
//! [`engines!`]. What an engine may lack hangs on its declared capabilities, both ways.

mod deployments;
mod embedded;
mod gateways;
mod incidents;
mod jobs;
mod limits;
mod messages;
mod model;
mod races;
mod scopes;
mod signals;
mod starts;
mod tasks;
mod tenancy;
mod timers;
mod world;

/// Runs cases on every engine: each on a fresh `World`, which the calling module has imported.
macro_rules! engines {
    ($cases:tt) => {
        $crate::conformance::conformance!($cases on {
            embedded_on_memory => World::embedded_on_memory(),
            embedded_on_sqlite => World::embedded_on_sqlite(),
            embedded_on_postgres => World::embedded_on_postgres(),
        });
    };
}
use engines;
