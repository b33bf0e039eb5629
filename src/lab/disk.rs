//! Checks that folders can be written before work begins, and removes the leftovers of killed processes.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::atomic::{ASIDE, is_aside, write_atomically};
use crate::error::is_full;
use crate::{Error, Result};

/// The free space that a run requires at its start: for a prototype's files, and for writing its checkpoint anew.
const ROOM_BYTES: usize = 6 << 20;

/// Checks that the folders can be created and written to. Leaves nothing behind.
pub(crate) fn check_writable<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let mut checked = HashSet::new();
    for out in folders {
        let nearest = out.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists());
        let nearest = nearest.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !nearest.is_dir() {
            let (out, nearest) = (out.display(), nearest.display());
            return Err(Error::input(format!("cannot write to {out}: {nearest} is not a folder"))
                .advised("; move it away, or choose another {out}"));
        }
        if checked.insert(nearest) {
            // The folders are on one disk, so one probe suffices.
            probe(nearest, if checked.len() == 1 { ROOM_BYTES } else { 0 })?;
        }
    }
    Ok(())
}

/// Writes a file of this size and removes it.
fn probe(folder: &Path, bytes: usize) -> Result<()> {
    let write = || {
        let mut file = tempfile::Builder::new().prefix(ASIDE[0]).suffix(ASIDE[1]).tempfile_in(folder)?;
        file.write_all(&vec![0; bytes])?;
        file.flush()
    };
    // Only the kind of the error, because its text names the probe.
    write().map_err(|source| match source.kind() {
        // Nothing has begun, so this is wrong input, cured by another folder. A disk that fills up later is a failure.
        kind if is_full(kind) => {
            let (folder, room) = (folder.display(), ROOM_BYTES >> 20);
            Error::input(format!("no space for {room} MiB in {folder} ({kind})"))
                .advised(": free some, or choose another folder with {out}")
        }
        kind => Error::io("write to", folder)(io::Error::from(kind)),
    })
}

/// Checks that a report of this name can be written to a folder. `force` replaces an earlier report.
pub(crate) fn check_report(out: &Path, report: &str, force: bool) -> Result<()> {
    if out.join(report).exists() && !force {
        let out = out.display();
        return Err(Error::input(format!("{out} already has a report"))
            .advised(": choose another {out}, or replace it with {force}"));
    }
    check_writable([out])
}

/// Writes files into a folder, in order, and creates the folders in their names. The caller has all bytes ready, so an error while
/// making them leaves no half of a report.
pub(crate) fn write_files(out: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    for (name, bytes) in files {
        let path = out.join(name);
        let folder = path.parent().unwrap_or(out);
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        write_atomically(&path, |file| file.write_all(bytes))?;
    }
    Ok(())
}

/// Removes temporary files that killed processes left in a folder. No other process may be writing there.
pub(crate) fn remove_leftovers(folder: &Path) -> Result<()> {
    files_in(folder, is_aside).iter().try_for_each(|file| remove(file))
}

/// Removes a file, if it exists.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::io("replace", path)(source)),
        _ => Ok(()),
    }
}

/// The files in a folder whose names are `wanted`.
pub(crate) fn files_in(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    // A folder that does not exist has no files.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(&wanted)).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_found_out_beforehand() {
        let out = tempfile::tempdir().unwrap();
        check_writable([out.path().join("a/b").as_path(), Path::new("here")]).unwrap();
        assert!(std::fs::read_dir(out.path()).unwrap().next().is_none());
        std::fs::write(out.path().join("file"), "").unwrap();
        let error = check_writable([out.path().join("file/b").as_path()]).unwrap_err();
        assert!(error.is_input() && error.to_string().contains("file is not a folder; move it away"), "{error}");
    }

    #[test]
    fn files_go_into_their_folders_and_replace_no_file_by_one() {
        let out = tempfile::tempdir().unwrap();
        let files = [("a.csv".to_owned(), b"1".to_vec()), ("plots/b.svg".to_owned(), b"2".to_vec())];
        write_files(&out.path().join("new"), &files).unwrap();
        assert_eq!(std::fs::read(out.path().join("new/plots/b.svg")).unwrap(), b"2");
        let file = out.path().join("new/a.csv");
        let error = write_files(&file, &files).unwrap_err();
        assert!(error.is_input() && error.to_string().starts_with("cannot create "), "{error}");
        assert_eq!(std::fs::read(file).unwrap(), b"1");
    }
}
