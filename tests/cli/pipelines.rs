//! What the driver compiled, kept in the cache folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::binary::{assert_same_files, protogpu, results};

/// A short run, with a cache of its own in the folder; what it said on stderr.
#[track_caller]
fn run(folder: &Path, out: &str, pipelines: &str) -> String {
    let mut command = protogpu(folder);
    command.env("PROTOGPU_PIPELINES", pipelines).env("PROTOGPU_CACHE", folder.join("cache"));
    let output = command.args(["run", "--steps", "2", "--class", "key", "--quiet", "--out", out]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr
}

/// The one file of the cache, if the adapter's driver hands out what it compiles.
fn kept(folder: &Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder.join("cache")).ok()?.map(|entry| entry.unwrap().path());
    let file = files.next();
    assert!(files.next().is_none());
    file
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn pipelines_are_kept_once_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(run(folder, "without", "off"), "");
    assert!(!folder.join("cache").exists());
    assert_eq!(run(folder, "first", "on"), "");
    let Some(file) = kept(folder) else { return println!("skipped: this adapter's driver keeps no pipelines") };
    let written = modified(&file);
    assert_eq!(run(folder, "second", "on"), "");
    assert_eq!(modified(&file), written, "there was nothing new to keep");

    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    for damaged in [&whole[..whole.len() / 2], &flipped, b"?"] {
        fs::write(&file, damaged).unwrap();
        let said = run(folder, "damaged", "on");
        assert_eq!(said.matches("warning: ").count(), 1, "{said}");
        assert!(
            said.contains("the kept pipelines are damaged") && said.contains("compiling the kernels again"),
            "{said}"
        );
        assert_same_files(&results(&folder.join("without")), &results(&folder.join("damaged")));
        fs::remove_dir_all(folder.join("damaged")).unwrap();
        assert_eq!(run(folder, "damaged", "on"), "", "it was replaced");
        fs::remove_dir_all(folder.join("damaged")).unwrap();
    }
    for out in ["first", "second"] {
        assert_same_files(&results(&folder.join("without")), &results(&folder.join(out)));
    }
}

/// Neither where a file is in the folder's place, nor where the folder cannot be made.
#[cfg(unix)]
#[test]
fn a_folder_of_no_use_costs_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, cache) = (folder.path(), folder.path().join("cache"));
    run(folder, "out", "on");
    if kept(folder).is_none() {
        return println!("skipped: this adapter's driver keeps no pipelines");
    }
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "a file").unwrap();
    let unread = run(folder, "unread", "on");
    fs::remove_file(&cache).unwrap();
    std::os::unix::fs::symlink("nowhere", &cache).unwrap();
    let unwritten = run(folder, "unwritten", "on");
    for (said, expected) in [(unread, "compiling the kernels again"), (unwritten, "will be compiled again next time")] {
        assert!(said.matches("warning: ").count() == 1 && said.contains(expected), "{said}");
    }
    for out in ["unread", "unwritten"] {
        assert_same_files(&results(&folder.join("out")), &results(&folder.join(out)));
    }
}
