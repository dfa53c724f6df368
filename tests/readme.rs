//! The README's commands, run as they stand: every block marked `sh run`, one after the other in one shell, in a scratch
//! folder, with this build of `tidegate` on the PATH and a free port in the place of 8080.

use std::{
    fmt::Write as _,
    os::unix::{fs::symlink, process::CommandExt as _},
    path::Path,
    process::Output,
};

use clap::{Parser as _, error::ErrorKind};
use tidegate::adapters::cli::Cli;

use crate::support::process::{free_port, quiet};

const README: &str = include_str!("../README.md");

#[test]
fn the_commands_of_the_readme_work() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    symlink(root.join("examples"), folder.path().join("examples")).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_tidegate")).parent().unwrap();
    let script = format!("PATH='{}':\"$PATH\"\n{}", programs.display(), script_of(README));
    let address = format!("127.0.0.1:{}", free_port());

    let output = run(&script.replace("127.0.0.1:8080", &address), &address, folder.path());

    let shown = String::from_utf8_lossy(&output.stdout);
    let log = std::fs::read_to_string(folder.path().join("gate.log")).unwrap_or_default();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{shown}\n{complaints}\nThe gate's log:\n{log}", output.status);
    // The watcher, then the two event streams, of which the second begins after 5, then the list of both executions.
    for promised in ["approve", "event: execution.completed", "\nid: 1\n", "\nid: 9\n", "completed"] {
        assert!(shown.contains(promised), "{promised:?} is not in:\n{shown}\n{complaints}");
    }
    assert_eq!(shown.matches("\nid: 5\n").count(), 1, "5 was seen already, and came again:\n{shown}");
    assert_eq!(shown.matches("\nid: 6\n").count(), 2, "6 comes after 5:\n{shown}");
}

#[test]
fn the_demo_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = quiet("python3")
        .args(["-B", "scripts/demo.py", env!("CARGO_BIN_EXE_tidegate")])
        .current_dir(root)
        .output()
        .expect("python3");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("completed: {\"amount\": 120"), "{shown}");
}

/// The other pages' commands: none that the command line does not know.
#[test]
fn the_commands_of_the_docs_are_ones_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.is_file()).chain([root.join("README.md"), root.join("CHANGELOG.md")]);
    let mut seen = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for block in text.split("\n```sh").skip(1) {
            let (block, _) = block.split_once("\n```").expect("the block's end");
            for command in block.replace("\\\n", " ").lines().filter_map(command_of) {
                seen += 1;
                if let Err(error) = Cli::try_parse_from(&command)
                    && !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
                {
                    panic!("{}: {command:?}: {error}", page.display());
                }
            }
        }
    }
    assert!(seen > 30, "{seen} commands were read");
}

/// The words of a line that calls `tidegate`, up to what a shell does with its output.
fn command_of(line: &str) -> Option<Vec<String>> {
    let from = line.find("tidegate ").filter(|at| line[..*at].ends_with([' ', '(', '/']) || *at == 0)?;
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line[from..].chars() {
        let word = words.last_mut().unwrap();
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '#' | '>' | '<' | '|' | '&' | ';' | ')') => break,
            (None, ' ') => words.push(String::new()),
            _ => word.push(character),
        }
    }
    // A shell hands the number over that stands before a >.
    words.retain(|word| !word.is_empty() && word != "2");
    Some(words)
}

/// The blocks marked `sh run`, each line shown before it runs.
fn script_of(markdown: &str) -> String {
    let mut script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n".to_owned();
    let mut blocks = 0;
    for block in markdown.split("\n```sh run\n").skip(1) {
        let (block, _) = block.split_once("\n```\n").expect("the block's end");
        writeln!(script, "echo '== block {blocks}' >&2\n{block}").unwrap();
        blocks += 1;
    }
    assert!(blocks > 5, "{blocks} blocks are marked");
    script
}

/// Runs a script with its whole process group ended after two minutes at most.
fn run(script: &str, address: &str, folder: &Path) -> Output {
    quiet("timeout")
        .args(["--kill-after=10", "120", "bash", "-c", script])
        .current_dir(folder)
        .env("HOME", folder)
        .env("TIDEGATE_SERVER__BIND", address)
        .env("TIDEGATE_URL", format!("http://{address}"))
        .env_remove("XDG_CONFIG_HOME")
        .process_group(0)
        .output()
        .expect("bash")
}
