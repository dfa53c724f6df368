//! What an adapter owes its port, as code: the suites that our own adapters pass are here for yours.

pub mod validator;
