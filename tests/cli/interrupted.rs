//! Runs that are stopped, killed or out of room end, after `--resume`, in the same bytes as one that nothing disturbed.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::binary::{BINARY, assert_same_files, results, succeeds};
use crate::runs::{OPTIONS, undisturbed};

fn start(folder: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(BINARY);
    command.env("PROTOGPU_TUNE", "off").env("PROTOGPU_PIPELINES", "off");
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
    for step in [0, 3, 8, 13, 16] {
        let mut child = start(folder.path(), &["--resume"]);
        // Some way into the run, however fast the machine is, and then anywhere: in a step, a file, or between two.
        let snapshot = at.join(format!("snapshots/step_{step:06}.png"));
        while step > 0 && !snapshot.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        let moment = Duration::from_millis(u64::from(clock / 1000 % 150));
        std::thread::sleep(moment);
        let ended = child.try_wait().unwrap();
        if ended.is_none() {
            signal(&child, "KILL");
        }
        let (_, stderr) = end(child);
        moments.push((step, moment));
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

/// On a file system of its own with room for one prototype and a half, where the system lets a test make one.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_keeps_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=7M none small && echo mounted; cd small; \
        \"$0\" run --steps 2 --checkpoint-every 1 --class 0,1,2,3 --batch 4; echo \"exit $?\"; ls */*";
    std::fs::create_dir(folder.path().join("small")).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.env("PROTOGPU_TUNE", "off").env("PROTOGPU_PIPELINES", "off");
    unshare.current_dir(folder.path()).args(["--mount", "--map-root-user", "sh", "-c", script, BINARY]);
    let Ok(output) = unshare.output() else { return println!("skipped: there is no `unshare`") };
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    if !stdout.contains("mounted") {
        return println!("skipped: nothing can be mounted here: {stderr}");
    }
    assert!(stdout.contains("exit 1\n"), "{stdout}{stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
    assert!(stderr.contains("No space left on device") && stderr.contains("free some space and continue"), "{stderr}");
    // What was kept is whole, and what was half written is gone.
    assert!(stdout.contains("checkpoint.safetensors") && !stdout.contains(".tmp"), "{stdout}");
}
