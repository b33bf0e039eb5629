//! Runs that are stopped or killed end, after `--resume`, in the same bytes as one that nothing disturbed.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::binary::{BINARY, assert_same_files, results, succeeds};
use crate::runs::{OPTIONS, undisturbed};

fn start(folder: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).args(OPTIONS).args(more).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Through the shell, which has `kill` built in.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

fn end(child: Child) -> (ExitStatus, String) {
    let output = child.wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn stopped_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("out/0_butterfly_seed0");
    let child = start(folder.path(), &[]);
    let begun = Instant::now();
    while !at.join("checkpoint.safetensors").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint appeared");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(&child, "INT");
    let (status, stderr) = end(child);
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("stopped after step ") && stderr.contains("--resume"), "{stderr}");
    assert!(!at.join("run.json").exists());
    let out = succeeds(folder.path(), &[&OPTIONS[..], &["--resume"]].concat());
    assert!(out.contains("seen as"), "{out}");
    assert_same_files(&results(&folder.path().join("out")), &undisturbed());
}

#[test]
fn killed_at_any_moment_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("out/0_butterfly_seed0");
    let mut moments = Vec::new();
    for _ in 0..4 {
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        // From before the first file to after the last, wherever the machine is by then.
        let moment = Duration::from_millis(200 + u64::from(clock / 1000 % 900));
        let mut child = start(folder.path(), &["--resume"]);
        std::thread::sleep(moment);
        let ended = child.try_wait().unwrap();
        signal(&child, "KILL");
        let (_, stderr) = end(child);
        moments.push(moment);
        assert!(ended.is_none_or(|status| status.success()), "{moments:?}: {stderr}");
        assert!(!stderr.contains("error:"), "{moments:?}: {stderr}");
        // A record promises that the rest is there.
        if at.join("run.json").exists() {
            assert!(at.join("prototype.png").exists() && at.join("checkpoint.safetensors").exists(), "{moments:?}");
        }
    }
    println!("killed after {moments:?}");
    succeeds(folder.path(), &[&OPTIONS[..], &["--resume"]].concat());
    assert_same_files(&results(&folder.path().join("out")), &undisturbed());
}
