//! Dependencies point inwards only: domain ← ports ← app ← adapters, and only the composition root names concrete adapters.
//!
//! Reads the source: every `use` tree, and every path that begins with `crate`, `super` or the name of a framework.
//! Comments, text and `#[cfg(test)]` modules do not count (unit tests may stand on the memory adapters).

mod source;

use std::{fmt::Write as _, path::Path};

use source::{Mention, SourceFile};

/// Arrows that the rule forbids and the house needs, each with its reason. This list only shrinks.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Frameworks that one room keeps to itself. `domain`, `ports` and `app` know none of them.
const FRAMEWORKS: &[(&str, &[&str])] = &[
    ("clap", &["adapters::cli", "main"]),
    ("clap_complete", &["adapters::cli"]),
    ("comfy_table", &["adapters::cli"]),
    ("figment", &["config"]),
    ("poem", &["adapters::http", "wiring"]),
    ("poem_openapi", &["adapters::http"]),
    ("reqwest", &["adapters"]),
    ("roxmltree", &["adapters::engines"]),
    ("sea_orm", &["adapters::persistence"]),
    ("sea_orm_migration", &["adapters::persistence"]),
    ("sqlx", &["adapters::persistence"]),
    ("tracing_subscriber", &["wiring", "main"]),
];

/// Modules without async, I/O, clock or randomness.
const PURE: &[&str] = &["domain", "adapters::engines::embedded::machine"];

/// What those may not name.
const IMPURE: &[&str] = &["async_trait", "futures_util", "getrandom", "tokio", "tokio_util", "tracing"];

#[test]
fn dependencies_point_inwards() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = source::read_all(&src);
    assert!(files.iter().any(|file| file.room().starts_with("domain")), "no source was read from {}", src.display());

    let mut crossed = String::new();
    for file in &files {
        for mention in &file.mentions {
            if let Some(rule) = broken_rule(file, mention) {
                let Mention { line, path, .. } = mention;
                writeln!(crossed, "src/{}:{line}: {} → {}: {rule}", file.name, file.room(), path.join("::")).unwrap();
            }
        }
    }
    assert!(crossed.is_empty(), "arrows that point outwards:\n{crossed}");
}

/// The rule that a mention breaks, if it breaks one.
fn broken_rule(file: &SourceFile, mention: &Mention) -> Option<&'static str> {
    let from = file.room();
    let to = mention.room();
    if EXCEPTIONS.iter().any(|(a, b, _)| within(&from, a) && within(&to, b)) {
        return None;
    }
    if !mention.ours {
        let kept = |(name, rooms): &(&str, &[&str])| *name == to && !rooms.iter().any(|room| within(&from, room));
        return if FRAMEWORKS.iter().any(kept) {
            Some("another room keeps this framework to itself")
        } else if IMPURE.contains(&to.as_str()) && PURE.iter().any(|pure| within(&file.path(), pure)) {
            Some("here is no async, no I/O, no clock, no randomness")
        } else {
            None
        };
    }
    match (layer(&from)?, layer(&to)?) {
        (Layer::Root, _) | (_, Layer::Domain) => None,
        (_, Layer::Root) => Some("only the composition root and `main` know the composition root"),
        (Layer::Adapter, Layer::Adapter) if from == to => None,
        (Layer::Adapter, Layer::Adapter) => Some("adapters do not know each other"),
        (a, b) if a >= b => None,
        (_, Layer::Adapter) => Some("only the composition root names concrete adapters"),
        _ => Some("domain ← ports ← app ← adapters"),
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Domain,
    Ports,
    App,
    Adapter,
    /// `wiring`, `config`, `main` and the crate's front page.
    Root,
}

fn layer(room: &str) -> Option<Layer> {
    match room.split("::").next()? {
        "domain" => Some(Layer::Domain),
        "ports" => Some(Layer::Ports),
        "app" => Some(Layer::App),
        "adapters" => Some(Layer::Adapter),
        "wiring" | "config" | "main" | "lib" => Some(Layer::Root),
        _ => None,
    }
}

fn within(room: &str, outer: &str) -> bool {
    room == outer || room.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
}

#[test]
fn an_arrow_that_points_outwards_is_seen() {
    let broken = |name: &str, text: &str| {
        let file = SourceFile::new(name, text);
        file.mentions.iter().filter(|mention| broken_rule(&file, mention).is_some()).map(|m| m.line).collect::<Vec<_>>()
    };
    assert_eq!(
        broken("domain/ids.rs", "use std::fmt;\nuse crate::{domain::json, ports::{clock::Clock, rng}};\n"),
        [2, 2]
    );
    assert_eq!(broken("app/start.rs", "fn f() -> crate::adapters::clock::SystemClock { todo() }"), [1]);
    assert_eq!(
        broken("app/start.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use super::*; use crate::adapters::clock; }"),
        [0; 0]
    );
    assert_eq!(
        broken("adapters/http/mod.rs", "use super::persistence::memory;\n// use crate::wiring;\nuse self::body;"),
        [1]
    );
    assert_eq!(broken("adapters/http/body.rs", "use super::problem;\nconst A: &str = \"crate::wiring::x\";"), [0; 0]);
    assert_eq!(broken("ports/clock.rs", "pub(crate) fn f() { sea_orm::Database::connect(); }"), [1]);
    assert_eq!(broken("domain/event.rs", "/* async\n */ use tokio::sync::Mutex;"), [2]);
    assert_eq!(broken("adapters/engines/embedded/machine/step/mod.rs", "use tokio::time;"), [1]);
    assert_eq!(broken("adapters/engines/embedded/mod.rs", "use tokio::time;"), [0; 0]);
    assert_eq!(
        broken(
            "adapters/auth/mod.rs",
            "mod config;\nuse config::Auth;\nconst X: &str = r#\"a=\"b\" crate::wiring::x\"#;"
        ),
        [0; 0]
    );
    assert_eq!(broken("wiring.rs", "use crate::adapters::{http, persistence};"), [0; 0]);
}
