//! One suite a port, run against every adapter of it.

/// Makes one test per case per adapter, so that a failure reads `conformance::repository::sqlite::an_unknown_id_is_none`.
/// A case is an `async fn(subject)` of the calling module; what stands behind `=>` is an expression that gives a future of
/// a fresh subject. Adapters see the calling module's names.
macro_rules! conformance {
    ($cases:tt on { $($adapter:ident => $make:expr),+ $(,)? }) => {
        $(mod $adapter {
            use super::*;
            $crate::conformance::conformance!(@cases $cases $make);
        })+
    };
    (@cases { $($case:ident),+ $(,)? } $make:expr) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            super::$case($make.await).await;
        })+
    };
}
pub(crate) use conformance;

mod engine;
mod rate_limiter;
pub(crate) mod repository;
mod validator;
