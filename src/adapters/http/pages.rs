//! The pages at `/problems/{code}`: made of the table of codes, and of nothing else.

use std::fmt::Write;

use poem::http::StatusCode;
use serde_json::json;

use super::codes::Code;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}\
                     code{font-family:ui-monospace,monospace}h1 code{font-size:1.4rem}dt{font-weight:600}";

/// The page of a code.
pub(super) fn html(code: &Code) -> String {
    let statuses: Vec<_> = code.statuses.iter().map(ToString::to_string).collect();
    let entries = [
        ("What it means", code.meaning),
        ("Why it happens", code.why),
        ("What to do", code.remedy),
        ("Status", &statuses.join(", ")),
    ];
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}</title><style>{STYLE}</style></head>\
         <body><h1><code>{name}</code></h1><dl>",
        name = escape(code.name),
    );
    for (term, text) in entries {
        // Writing to a string cannot fail.
        write!(page, "<dt>{term}</dt><dd>{}</dd>", escape(text)).unwrap_or_default();
    }
    page.push_str("</dl></body></html>\n");
    page
}

/// The same as JSON.
pub(super) fn json(code: &Code) -> String {
    let statuses: Vec<_> = code.statuses.iter().map(StatusCode::as_u16).collect();
    json!({
        "code": code.name,
        "statuses": statuses,
        "meaning": code.meaning,
        "why": code.why,
        "remedy": code.remedy,
    })
    .to_string()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
