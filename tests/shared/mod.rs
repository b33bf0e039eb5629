//! Files too large for the repository: ImageNet weights and pictures, where they are.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A file or folder below `PROTOGPU_SHARED`, or else below the folder `shared` beside the repository. Where it is missing,
/// that is printed, and the test that asked has nothing to do.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let found = std::env::var_os("PROTOGPU_SHARED").map_or_else(beside, PathBuf::from).join(path);
    if found.exists() {
        return Some(found);
    }
    // Not `println`: the test harness would keep it from view.
    let _ = writeln!(std::io::stderr(), "skipped: there is no {}", found.display());
    None
}
