//! Whatever the headers of a WebSocket's opening handshake hold, they are one credential, none, or malformed.
//!
//! Input: a header a line, its first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate::{adapters::http::fuzzing, app::authenticate::Credential};

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|byte| *byte == b'\n').filter_map(|line| line.split_first());
    let headers: Vec<_> = lines.map(|(which, value)| (usize::from(*which), value)).collect();
    if let Credential::Bearer(token) = fuzzing::handshake(&headers) {
        let token = token.expose();
        assert!(!token.is_empty() && token.len() <= 16 * 1024 && token.bytes().all(|byte| byte.is_ascii_graphic()));
    }
});
