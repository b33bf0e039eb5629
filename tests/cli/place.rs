//! A cache of its own for each test of `weights pull`, and what is served in place of torchvision's file.

use std::sync::LazyLock;

use assert_cmd::Command;
use protogpu::weights::Weights;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::binary::{is_refusal, protogpu};
use crate::weights::{pytorch_file, small};

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is served in place of torchvision's file.
pub(crate) static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| pytorch_file(&small()));
pub(crate) static HASH: LazyLock<String> = LazyLock::new(|| sha256(&FILE));

pub(crate) const ETAG: &str = "\"one\"";
pub(crate) const CACHED: &str = "resnet18_imagenet.safetensors";

/// A folder to work in, and a cache beside it.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) cache: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() }
    }

    /// The binary with this cache and no proxy.
    pub(crate) fn protogpu(&self, args: &[&str]) -> Command {
        let mut command = protogpu(self.folder.path());
        for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("PROTOGPU_CACHE", self.cache.path()).args(args);
        command
    }

    /// `weights pull resnet18 --from FROM`, with the hash of what is served.
    pub(crate) fn pull(&self, from: &str) -> Command {
        self.protogpu(&["weights", "pull", "resnet18", "--from", from, "--sha256", &HASH])
    }

    /// What is in the cache, but for the lock.
    pub(crate) fn cached(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.cache.path()).unwrap();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".lock");
        names.sort();
        names
    }

    #[track_caller]
    pub(crate) fn has_weights(&self) {
        assert_eq!(self.cached(), [CACHED]);
        let weights = Weights::open(self.cache.path().join(CACHED)).unwrap();
        assert!(weights.tensor_f32("fc.weight").unwrap() == small().tensor_f32("fc.weight").unwrap());
    }

    /// Exit code 2, and nothing kept.
    #[track_caller]
    pub(crate) fn refuses(&self, command: &mut Command, expected: &str) {
        is_refusal(self.folder.path(), command, expected);
        assert!(self.cached().is_empty(), "{:?}", self.cached());
    }
}

/// Exit code and what was printed to stdout and stderr.
pub(crate) fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!stderr.contains("panicked") && !stderr.contains("internal error"), "{stderr}");
    (output.status.code(), stdout, stderr)
}

#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> (String, String) {
    let (code, stdout, stderr) = outcome(command);
    assert_eq!(code, Some(0), "{stderr}");
    (stdout, stderr)
}

/// A failure that is not the user's: exit code 1, one error.
#[track_caller]
pub(crate) fn fails(command: &mut Command, expected: &str) {
    let (code, stdout, stderr) = outcome(command);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains(expected) && stderr.matches("error:").count() == 1, "expected `{expected}`: {stderr}");
}
