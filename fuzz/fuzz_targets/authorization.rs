//! Whatever the headers and the query of a request hold, they are one credential, none, or malformed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate::{adapters::http::fuzzing, app::authenticate::Credential};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let header_count = usize::from(lines.next().and_then(|line| line.first()).copied().unwrap_or(1) % 4);
    // What no server reads as a header's value at all is not there.
    let is_value = |value: &&[u8]| value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    let headers: Vec<_> = lines.by_ref().take(header_count).filter(is_value).collect();
    let tokens: Vec<_> = lines.filter_map(|line| std::str::from_utf8(line).ok()).collect();
    if let Credential::Bearer(token) = fuzzing::credential(&headers, &tokens) {
        let token = token.expose();
        assert!(!token.is_empty() && token.len() <= 16 * 1024 && token.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(headers.len() <= 1);
    }
});
