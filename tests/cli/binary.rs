//! Starting the binary and looking at what it leaves behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// The binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_protogpu");

/// The binary, in a folder of its own.
pub(crate) fn protogpu(folder: &Path) -> Command {
    let mut command = Command::new(BINARY);
    // As on a machine without a desktop, where drivers that look for one complain among the program's own messages.
    command.current_dir(folder).env_remove("XDG_RUNTIME_DIR");
    // Trials go by the clock: what a test compares must not.
    command.env("PROTOGPU_TUNE", "off");
    // Nothing goes to the user's own cache.
    command.env("PROTOGPU_PIPELINES", "off");
    command
}

/// Runs it and sees that it refuses as it should, see [`is_refusal`].
#[track_caller]
pub(crate) fn refuses(folder: &Path, args: &[&str], expected: &str) {
    is_refusal(folder, protogpu(folder).args(args), expected);
}

/// Exit 2, one error on stderr that says `expected`, nothing on stdout and nothing written or lost.
#[track_caller]
pub(crate) fn is_refusal(folder: &Path, command: &mut Command, expected: &str) {
    let before = listing(folder);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let told = format!("{command:?}: {:?}, stderr: {stderr}", output.status);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(stderr.contains(expected), "expected `{expected}`; {told}");
    assert_eq!(stderr.matches("error:").count(), 1, "{told}");
    assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{told}");
    assert!(output.stdout.is_empty(), "{told}");
    assert!(listing(folder) == before, "files changed; {told}");
}

/// Runs it to success and gives what it printed on stdout.
#[track_caller]
pub(crate) fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = protogpu(folder).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {:?}, stderr: {stderr}", output.status);
    assert!(!stderr.contains("error:"), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same, of what it prints with `--json`.
#[track_caller]
pub(crate) fn json(folder: &Path, args: &[&str]) -> Value {
    let text = succeeds(folder, &[args, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error} in {text}"))
}

/// Every path below a folder with its bytes.
pub(crate) fn listing(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            found.insert(path.strip_prefix(folder).unwrap().to_path_buf(), bytes);
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// What must be the same for the same run: every file's bytes, but for the timings at the end of the record.
pub(crate) fn results(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = listing(folder);
    for (path, bytes) in found.iter_mut().filter(|(path, _)| path.ends_with("run.json")) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (record, timings) = text.split_once("\n  \"timings\": {").unwrap_or_else(|| panic!("{path:?}: {text}"));
        // The last key: nothing else is cut off with it.
        assert_eq!(timings.matches('}').count(), 2, "{path:?}: {timings}");
        *bytes = record.as_bytes().to_vec();
    }
    found
}

/// Fails with the names of the files that differ, and not with their bytes.
#[track_caller]
pub(crate) fn assert_same_files(left: &BTreeMap<PathBuf, Vec<u8>>, right: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right));
    let differing: Vec<_> = left.iter().filter(|&(path, bytes)| right[path] != *bytes).map(|(path, _)| path).collect();
    assert!(differing.is_empty(), "these differ: {differing:?}");
}
