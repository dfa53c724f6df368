use std::time::{Duration, Instant};

use super::super::{ModelError, read};
use super::file;

/// A release takes less than 100 ms for each of these; builds without optimization on busy machines take their time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads in a thread with a small stack, and soon.
fn read_in_thread(name: &str, xml: String) -> Result<usize, Vec<ModelError>> {
    let began = Instant::now();
    let reader = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let result = reader.spawn(move || read(&xml).map(|processes| processes.len())).unwrap().join().unwrap();
    assert!(began.elapsed() < PATIENCE, "{name} took {:?}", began.elapsed());
    result
}

fn repeated(times: usize, text: impl Fn(usize) -> String) -> String {
    (0..times).map(text).collect::<Vec<_>>().concat()
}

fn refused(name: &str, xml: String) -> String {
    let errors = read_in_thread(name, xml).expect_err(name);
    errors.first().unwrap().to_string()
}

#[test]
fn document_types_are_refused() {
    let plain = file("<:startEvent id=\"s1\"/>");
    for doctype in [
        "<!DOCTYPE x>",
        "<!DOCTYPE x []>",
        r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>"#,
        r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>"#,
        r#"<!DOCTYPE x SYSTEM "http://example.com/x.dtd">"#,
        "<!doctype x>",
    ] {
        let message = refused(doctype, plain.replace("?>", &format!("?>{doctype}")));
        assert!(message.contains("document type definition"), "{message}");
    }
    let message = refused("entity", file("<:startEvent id=\"s1\"/><:documentation>&evil;</:documentation>"));
    assert!(message.contains("well-formed"), "{message}");
    let message = refused("entity in attribute", file("<:startEvent id=\"&evil;\"/>"));
    assert!(message.contains("well-formed"), "{message}");
}

#[test]
fn size_and_depth_are_bounded() {
    let body = |inside: &str| file(&format!("<:startEvent id=\"s1\"/>{inside}"));
    let message = refused("attribute", body(&format!("<:task id=\"t\" name=\"{}\"/>", "x".repeat(1_000_000))));
    assert!(message.contains("longer than 262144 bytes"), "{message}");
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    let message = refused("depth", body(&deep));
    assert!(message.contains("nested more than 200"), "{message}");
    let message = refused("depth without end", "<a>".repeat(200_000));
    assert!(message.contains("nested more than 200"), "{message}");
    let message = refused("elements", body(&"<:task id=\"t\"/>".repeat(100_000)));
    assert!(message.contains("more than 50000 elements"), "{message}");
    let attributes = repeated(50_000, |i| format!(" a{i}=\"\""));
    let message = refused("attributes", body(&format!("<:task id=\"t\"{attributes}/>")));
    assert!(message.contains("more than 100 attributes"), "{message}");
    let namespaces = repeated(1_000, |i| format!("<a xmlns:n{i}=\"urn:{i}\"/>"));
    let message = refused("namespaces", body(&namespaces));
    assert!(message.contains("more than 250 namespaces"), "{message}");
    for markup in ["<!---->", "<?a?>", "<![CDATA[a]]>"] {
        let message = refused(markup, body(&markup.repeat(250_000)));
        assert!(message.contains("more than 20000 comments"), "{message}");
    }
    let message = refused("size", body(&" ".repeat(5_000_000)));
    assert!(message.contains("larger than"), "{message}");
}

#[test]
fn as_much_as_is_allowed_is_handled() {
    let tasks = repeated(12_000, |i| format!("<:task id=\"t{i}\"/>\n@t{i} -> t{}\n", i + 1));
    let body = format!("<:startEvent id=\"s1\"/>{tasks}<:task id=\"t12000\"/>\n@s1 -> t0");
    assert_eq!(read_in_thread("many", file(&body)), Ok(1));
    let same = repeated(12_000, |i| format!("<:task id=\"t{i}\"/>\n@s1 -> t{i}\n"));
    assert_eq!(read_in_thread("wide", file(&format!("<:startEvent id=\"s1\"/>{same}"))), Ok(1));
    let subs = repeated(190, |i| format!("<:subProcess id=\"p{i}\"><:startEvent id=\"b{i}\"/>\n"));
    let nested = format!("<:startEvent id=\"s1\"/>{subs}{}\n@s1 -> p0", "</:subProcess>".repeat(190));
    assert_eq!(read_in_thread("nested", file(&nested)), Ok(1));
    let bad = "<:callActivity id=\"x\"/>\n".repeat(40_000);
    let errors = read_in_thread("errors", file(&bad)).unwrap_err();
    assert_eq!(errors.len(), 501);
}

#[test]
fn what_is_no_xml_is_refused_with_a_place() {
    for (name, xml) in [
        ("empty", String::new()),
        ("text", "hello".into()),
        ("json", "{\"a\":1}".into()),
        ("cut", file("<:startEvent id=\"s1\"/>").replace("</bpmn:definitions>", "")),
        ("cut in a tag", "<a b=\"".into()),
        ("cut in a comment", "<a><!-- ".into()),
        ("cut in data", "<a><![CDATA[ ".into()),
        ("cut in an instruction", "<?xml ".into()),
        ("two roots", "<a/><b/>".into()),
        ("no bpmn", "<definitions/>".into()),
        ("control characters", "<a>\u{1}</a>".into()),
        ("unknown prefix", "<x:a/>".into()),
        ("wrong end", "<a></b>".into()),
        ("not closed", "<a>\u{e9}<".into()),
    ] {
        let message = refused(name, xml);
        assert!(message.starts_with("line "), "{name}: {message}");
    }
}
