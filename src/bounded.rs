//! Reads files of unknown origin, with a limit on their size.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Reads a file of at most `most` bytes. Messages call it `what`, such as `settings file`.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Input`] if it is longer, or not a regular file (whose length means nothing).
pub fn read_at_most(path: impl AsRef<Path>, most: u64, what: &str) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let cannot = || Error::io("read", path);
    // Checked before opening, because opening a pipe would wait for its writer.
    let there = std::fs::metadata(path).map_err(cannot())?;
    if !there.is_file() {
        let kind = if there.is_dir() { "a folder" } else { "not a regular file" };
        return Err(Error::input(format!("cannot read {}: it is {kind}", path.display())));
    }
    let check = |len: u64| match len <= most {
        true => Ok(()),
        false => Err(Error::input(format!("{} has {len} bytes, but a {what} has at most {most}", path.display()))),
    };
    check(there.len())?;
    let mut bytes = Vec::with_capacity(there.len() as usize);
    // One byte more reveals a file that has grown since.
    File::open(path).map_err(cannot())?.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(cannot())?;
    check(bytes.len() as u64)?;
    Ok(bytes)
}

/// The same for text.
///
/// # Errors
/// As [`read_at_most`], and [`Error::Input`] if it is not UTF-8.
pub fn read_text_at_most(path: impl AsRef<Path>, most: u64, what: &str) -> Result<String> {
    let path = path.as_ref();
    let bytes = read_at_most(path, most, what)?;
    String::from_utf8(bytes).map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))
}

/// Turns "not found" into `None`.
///
/// # Errors
/// Any other error of `read`.
pub fn if_there<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_there_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let error = read_at_most(&path, 4, "thing").unwrap_err();
        assert!(error.to_string().starts_with("cannot read ") && if_there(Err::<(), _>(error)).unwrap().is_none());
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(if_there(read_text_at_most(&path, 4, "thing")).unwrap().unwrap(), "1234");
        let error = read_at_most(&path, 3, "thing").unwrap_err().to_string();
        assert!(error.ends_with("a has 4 bytes, but a thing has at most 3"), "{error}");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read_text_at_most(&path, 4, "thing").unwrap_err().to_string().ends_with("is not UTF-8 text"));
        assert!(if_there(read_at_most(folder.path(), 4, "thing")).unwrap_err().to_string().ends_with("it is a folder"));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_has_no_length_and_is_not_read() {
        let error = read_at_most("/dev/zero", 4, "thing").unwrap_err().to_string();
        assert_eq!(error, "cannot read /dev/zero: it is not a regular file");
    }
}
