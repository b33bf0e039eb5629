//! The bytes of a weights file: memory-mapped, in memory, or in the binary.

use std::borrow::Cow;
#[cfg(feature = "native")]
use std::{fs::File, path::Path};

#[cfg(feature = "native")]
use memmap2::Mmap;

#[cfg(feature = "native")]
use crate::error::{Error, Result};

/// The storage of a weights file's bytes.
pub(super) enum FileBytes {
    #[cfg(feature = "native")]
    Mapped(Mmap),
    Bytes(Cow<'static, [u8]>),
}

impl FileBytes {
    /// Maps a regular file.
    #[cfg(feature = "native")]
    pub(super) fn open(path: &Path) -> Result<Self> {
        // Checked before opening, because opening a pipe would wait for its writer.
        let there = std::fs::metadata(path).map_err(Error::io("read", path))?;
        if !there.is_file() {
            let what = if there.is_dir() { "a folder" } else { "not a regular file" };
            return Err(Error::input(format!("cannot read weights from {}: it is {what}", path.display())));
        }
        let file = File::open(path).map_err(Error::io("read", path))?;
        // SAFETY: the mapping is private and read-only, and is only ever read as plain bytes that are copied out, for
        // which any value is valid: headers and pickles' strings are copied before they are parsed, tensors are
        // converted element by element. Another process that writes to the file meanwhile can therefore change numbers,
        // and one that truncates it can end this process with a bus error; neither can be excluded for a mapped file,
        // and the doc comments say so.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("read", path))?;
        Ok(Self::Mapped(map))
    }

    pub(super) fn get(&self) -> &[u8] {
        match self {
            #[cfg(feature = "native")]
            Self::Mapped(map) => map,
            Self::Bytes(bytes) => bytes,
        }
    }
}
