//! The driver's compiled pipelines, kept in the cache folder for the next start.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::cache;
use super::observer::Note;
use crate::atomic::write_atomically;
use crate::digest::sha256_hex;
use crate::gpu::Context;
use crate::{Error, Result};

/// The longest file that is read or written; a hundred kernels take a few MiB.
const MAX_BYTES: u64 = 64 << 20;

/// An adapter that keeps its pipelines when dropped.
pub(crate) struct Adapter {
    context: Context,
    file: Option<PathBuf>,
    tell: fn(Note<'_>),
}

impl Adapter {
    /// Passes kept pipelines to the driver. `keep` says whether to read and write them at all; `tell` receives notes of problems, also on
    /// drop.
    pub(crate) fn new(context: Context, keep: bool, tell: fn(Note<'_>)) -> Self {
        // Without a cache folder, nothing is kept. This is no error here.
        let file =
            context.pipelines_key().filter(|_| keep).and_then(|key| Some(cache::folder().ok()?.join(name(&key))));
        if let Some(path) = &file
            && let Err(error) = begin(&context, path)
        {
            tell(Note::PipelinesUnusable { path, error: &error });
        }
        Self { context, file, tell }
    }
}

impl Deref for Adapter {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        if let Some(path) = &self.file
            && let Some(kept) = self.context.pipelines().filter(|kept| kept.len() as u64 <= MAX_BYTES)
            && let Err(error) = write(path, &kept)
        {
            (self.tell)(Note::PipelinesNotKept(&error));
        }
    }
}

/// One file for each adapter, driver and version.
fn name(key: &str) -> String {
    let digest = &sha256_hex(key)[..16];
    format!("pipelines-{digest}.bin")
}

/// Passes the file's bytes to the driver, if there is a file.
fn begin(context: &Context, path: &Path) -> Result<()> {
    let kept = match read(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::input(error.to_string())),
        kept => kept.unwrap_or_default(),
    };
    // SAFETY: the file lies in the user's own cache folder, or in the one that the user named.
    unsafe { context.keep_pipelines(&kept) }
}

/// Reads at most the bound. A longer file is cut off, and its checksum reveals that.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, kept: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    write_atomically(path, |out| out.write_all(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join(name("an adapter"));
        assert_ne!(name("an adapter"), name("another"));
        assert_eq!(read(&path).unwrap_err().kind(), ErrorKind::NotFound);
        write(&path, b"kept").unwrap();
        assert_eq!(read(&path).unwrap(), b"kept");
        // A hole: it takes no room on the disk.
        File::options().write(true).open(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, MAX_BYTES);
        assert!(read(folder.path()).is_err());
    }
}
