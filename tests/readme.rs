//! The README's commands, run as they stand: every block marked `sh run`, one after the other in one shell, in a scratch
//! folder, with this build of `tidegate` on the PATH and a free port in the place of 8080.

use std::{
    fmt::Write as _,
    os::unix::{fs::symlink, process::CommandExt as _},
    path::Path,
    process::Output,
};

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
