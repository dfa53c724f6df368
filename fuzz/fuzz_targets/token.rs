//! No text that nobody signed is a token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate::ports::token_validator::AuthError;
use tidegate_fuzz::judge;

fuzz_target!(|text: &str| {
    match judge(text) {
        Err(AuthError::InvalidToken | AuthError::InvalidIssuer | AuthError::UnsupportedAlgorithm) => {}
        other => panic!("{other:?}"),
    }
});
