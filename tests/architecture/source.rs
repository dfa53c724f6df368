//! Rust source, read just far enough to know which paths it names.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

/// A file of the crate.
pub(crate) struct SourceFile {
    /// Below `src/`.
    pub(crate) name: String,
    /// What the file names outside of `#[cfg(test)]` modules.
    pub(crate) mentions: Vec<Mention>,
    /// Modules in files of their own that only tests compile.
    test_modules: Vec<Vec<String>>,
}

/// A path that a file names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    /// From the crate's root, if `ours`; else as it stands there: another crate's, or of a name in scope.
    pub(crate) path: Vec<String>,
    pub(crate) ours: bool,
}

/// Every file below `src`, but for modules that only tests compile.
pub(crate) fn read_all(src: &Path) -> Vec<SourceFile> {
    let mut folders = vec![src.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(src).unwrap().to_string_lossy().into_owned();
                files.push(SourceFile::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let tests: Vec<Vec<String>> = files.iter().flat_map(|file| file.test_modules.clone()).collect();
    files.retain(|file| !tests.iter().any(|test| module(&file.name).starts_with(test)));
    files
}

impl SourceFile {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let mut walk = Walk { tokens: tokens(text), ..Walk::default() };
        walk.block(&module(name), false);
        Self { name: name.to_owned(), mentions: walk.mentions, test_modules: walk.test_modules }
    }

    /// The room of the house that the file is in: its first module, of adapters the first two.
    pub(crate) fn room(&self) -> String {
        match &module(&self.name)[..] {
            [] => self.name.trim_end_matches(".rs").to_owned(),
            module => room(module),
        }
    }

    /// The file's own module, `domain::ids`; empty for `lib.rs` and `main.rs`.
    pub(crate) fn path(&self) -> String {
        module(&self.name).join("::")
    }
}

fn module(name: &str) -> Vec<String> {
    let mut path = PathBuf::from(name).with_extension("");
    if path.ends_with("mod") || path == Path::new("lib") || path == Path::new("main") {
        path.pop();
    }
    path.iter().map(|part| part.to_string_lossy().into_owned()).collect()
}

impl Mention {
    pub(crate) fn room(&self) -> String {
        room(&self.path)
    }
}

fn room(path: &[String]) -> String {
    let depth = if path[0] == "adapters" { 2 } else { 1 };
    path[..depth.min(path.len())].join("::")
}

#[derive(Default)]
struct Walk {
    tokens: Vec<(usize, String)>,
    at: usize,
    mentions: Vec<Mention>,
    test_modules: Vec<Vec<String>>,
}

impl Walk {
    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |(_, token)| token)
    }

    /// Reads up to the brace that closes the present one, or to the end.
    fn block(&mut self, module: &[String], test: bool) {
        let mut next_is_test = false;
        while self.at < self.tokens.len() {
            let next: Vec<&str> = (0..7).map(|ahead| self.peek(ahead)).collect();
            match next[..] {
                ["}", ..] => {
                    self.at += 1;
                    return;
                }
                ["{", ..] => {
                    self.at += 1;
                    self.block(module, test);
                }
                ["#", "[", "cfg", "(", "test", ")", "]"] => {
                    self.at += 7;
                    next_is_test = true;
                    continue;
                }
                ["mod", name, end @ ("{" | ";"), ..] => {
                    let inner = [module, &[name.to_owned()]].concat();
                    let opens = end == "{";
                    self.at += 3;
                    if opens {
                        self.block(&inner, test || next_is_test);
                    } else if next_is_test {
                        self.test_modules.push(inner);
                    }
                }
                ["use", ..] => {
                    self.at += 1;
                    self.tree(module, &[], test);
                }
                [first, "::", ..] if is_name(first) => self.path(module, test),
                _ => {
                    self.at += 1;
                    continue; // an attribute or a visibility may stand before what is a test's
                }
            }
            next_is_test = false;
        }
    }

    /// Reads a path in the midst of code.
    fn path(&mut self, module: &[String], test: bool) {
        let line = self.tokens[self.at].0;
        let mut path = Vec::new();
        while is_name(self.peek(0)) {
            path.push(self.peek(0).to_owned());
            self.at += 1;
            if self.peek(0) != "::" {
                break;
            }
            self.at += 1;
        }
        self.mention(line, module, path, test);
    }

    /// Reads what stands behind `use`: `a::{b, c::d as e}` names `a::b` and `a::c::d`.
    fn tree(&mut self, module: &[String], before: &[String], test: bool) {
        let mut path = before.to_vec();
        loop {
            let Some((line, token)) = self.tokens.get(self.at).cloned() else { return };
            match token.as_str() {
                "::" | "*" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.peek(0), "}" | "") {
                        self.tree(module, &path, test);
                        if self.peek(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => self.at += 2,
                name if is_name(name) => {
                    path.push(token);
                    self.at += 1;
                }
                _ => return self.mention(line, module, path, test),
            }
        }
    }

    fn mention(&mut self, line: usize, module: &[String], path: Vec<String>, test: bool) {
        if !test && let Some(mention) = resolve(line, module, path) {
            self.mentions.push(mention);
        }
    }
}

/// Resolves `crate`, `self` and `super`; `None` when nothing is left to tell.
fn resolve(line: usize, module: &[String], path: Vec<String>) -> Option<Mention> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let first = path.first()?;
    let ours = matches!(first.as_str(), "crate" | "self" | "super");
    let path = match first.as_str() {
        "crate" => path[1..].to_vec(),
        "self" => [module, &path[1..]].concat(),
        "super" => [&module[..module.len().saturating_sub(supers)], &path[supers..]].concat(),
        _ => path,
    };
    (!path.is_empty()).then_some(Mention { line, path, ours })
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::` and single marks with their lines; comments and literals are left out.
fn tokens(text: &str) -> Vec<(usize, String)> {
    // In this order: comments, raw text, text, characters (but not lifetimes), names, `::`, any other mark.
    const TOKEN: &str = r#"(?sx) //[^\n]* | /\*.*?\*/ | b?r"[^"]*" | b?r\#".*?"\# | b?r\#\#".*?"\#\# | b?"(?:\\.|[^"\\])*"
        | b?'(?:\\[^']+|\\'|[^'\\\n])' | (?<token> [\p{L}_][\p{L}\p{N}_]* | :: | \S )"#;
    static EXPRESSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(TOKEN).unwrap());
    let mut line = 1;
    let mut counted = 0;
    EXPRESSION
        .captures_iter(text)
        .filter_map(|found| {
            let token = found.name("token")?;
            line += text[counted..token.start()].matches('\n').count();
            counted = token.start();
            Some((line, token.as_str().to_owned()))
        })
        .collect()
}
