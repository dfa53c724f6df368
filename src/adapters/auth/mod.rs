//! Validators of bearer tokens.
