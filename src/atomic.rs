//! Files that are either complete or absent: written under a temporary name, synchronised, then renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file so that `path` has either its old content or all of the new content at every moment.
///
/// The content goes to a temporary file in the same folder (a rename does not cross file systems), is flushed and
/// synchronised with the disk, and is then renamed. On failure nothing is left behind. A link is followed: the file
/// it points to is replaced, not the link. The new file has the permissions a plain `File::create` would give it.
///
/// # Errors
/// [`Error::Io`] with the system's own [`io::ErrorKind`] (a full disk stays `StorageFull`), also for an error that
/// `write` returns; [`Error::Input`] if `path` is a folder, a device or a pipe.
///
/// ```
/// use std::io::Write;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("report.txt");
/// protogpu::atomic::write_atomically(&path, |out| writeln!(out, "whole or absent"))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "whole or absent\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let target = replaceable(path)?;
    // A bare file name has an empty parent.
    let folder = target.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write_all = || {
        let aside = aside_in(folder)?;
        let mut out = BufWriter::new(aside.as_file());
        write(&mut out)?;
        out.flush()?;
        drop(out);
        aside.as_file().sync_all()?;
        aside.persist(&target).map_err(|failed| failed.error)?;
        Ok(())
    };
    write_all().map_err(Error::io("write", path))
}

/// The file that a rename may replace: `path` itself, or the target of the link.
fn replaceable(path: &Path) -> Result<PathBuf> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => fs::canonicalize(path).map_err(Error::io("write", path)),
        // Renaming over `/dev/null` would replace the device for everyone.
        Ok(there) => {
            let what = if there.is_dir() { "a folder" } else { "not a regular file" };
            Err(Error::input(format!("cannot write {}: it is {what}", path.display())))
        }
        Err(_) => Ok(path.to_path_buf()),
    }
}

/// The beginning and the end of temporary names.
pub const ASIDE: [&str; 2] = [".protogpu-", ".tmp"];

/// Whether a name is temporary. If no process is writing, the file is left over from a killed one.
pub fn is_aside(name: &str) -> bool {
    name.starts_with(ASIDE[0]) && name.ends_with(ASIDE[1])
}

fn aside_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(ASIDE[0]).suffix(ASIDE[1]);
    #[cfg(unix)]
    {
        // Temporary files are private by default, but results are not (the umask still applies).
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_old_content_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["first, and longer", "second"] {
            write_atomically(&path, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names_in(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_failure_keeps_the_old_file_and_the_kind_of_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let error = write_atomically(&path, |out| {
            out.write_all(b"half of it")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull));
        assert!(!error.is_input());
        assert!(error.to_string().contains("a.txt"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names_in(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomically(folder.path().join("no/such/a.txt"), |_| Ok(())).unwrap_err();
        assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound));
        let error = write_atomically(folder.path(), |_| Ok(())).unwrap_err();
        assert!(error.to_string().ends_with("it is a folder"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_refused_links_followed_and_files_shared() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let error = write_atomically("/dev/null", |_| Ok(())).unwrap_err();
        assert!(error.to_string().ends_with("not a regular file"), "{error}");

        let folder = tempfile::tempdir().unwrap();
        let [file, link, plain] = ["file", "link", "plain"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::write(&plain, "").unwrap();
        symlink(&file, &link).unwrap();
        write_atomically(&link, |out| out.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), mode(&plain));
    }
}
