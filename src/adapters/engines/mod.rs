//! Workflow engines.
