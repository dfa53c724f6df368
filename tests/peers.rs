//! The products that tests meet do what the tests rely on.

mod redis;
