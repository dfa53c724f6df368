//! Of what an issuer signs, only that is accepted which says all that it must.
//!
//! Input: the header, a line's end, the claims.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tidegate_fuzz::{NOW, judge, signed};

fuzz_target!(|data: &[u8]| {
    let header_end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, claims) = data.split_at(header_end);
    let claims = claims.get(1..).unwrap_or_default();
    let token = signed(header, claims);
    let Ok(who) = judge(&token) else { return };
    let header: Value = serde_json::from_slice(header).unwrap();
    assert!(header["alg"] == "HS256" && header.get("crit").is_none() && token.len() <= 16 * 1024);
    assert_eq!(Some(who.subject.as_str()), who.claims["sub"].as_str());
    assert_eq!(who.claims["iss"], "idp");
    let end = who.expires_at.expect("an end").as_second();
    assert!((NOW - 30..=NOW + 24 * 60 * 60 + 30).contains(&end), "{end}");
});
