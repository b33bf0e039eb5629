//! Finds image files in folders.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::picture::{Content, FIRST_BYTES, Foreign};

/// Endings of image files. Files in folders with other endings are images if their content is one. A file that is named explicitly may
/// have any name.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"];

/// Endings of files that begin like TIFF but hold what a camera's sensor measured.
const RAW: [&str; 11] = ["3fr", "arw", "cr2", "dng", "nef", "nrw", "orf", "pef", "rw2", "sr2", "srw"];

/// The images in some files and folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) paths: Vec<PathBuf>,
    /// Images in formats that are not read: how many, and the first.
    foreign: BTreeMap<Foreign, (usize, PathBuf)>,
}

/// The given image files, and the image files in the given folders, sorted.
///
/// # Errors
/// If a folder cannot be read or contains no image.
pub(crate) fn find_pictures(given: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for path in given {
        if !path.is_dir() {
            found.paths.push(path.clone());
            continue;
        }
        let before = found.paths.len();
        found.add(path)?;
        if found.paths.len() == before {
            let (endings, left_out) = (ENDINGS.join(", "), found.left_out());
            let more = if left_out.is_empty() { String::new() } else { format!(": {}", left_out.join("; ")) };
            return Err(Error::input(format!("{} contains no images ({endings}){more}", path.display())));
        }
        found.paths[before..].sort();
    }
    Ok(found)
}

impl Found {
    /// Adds the images in a folder and its subfolders.
    pub(super) fn add(&mut self, folder: &Path) -> Result<()> {
        for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
            let entry = entry.map_err(Error::io("read", folder))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(Error::io("read", folder))?);
            // Links to folders are not followed, because they may form a cycle.
            if kind.is_dir() { self.add(&path)? } else { self.add_file(path) }
        }
        Ok(())
    }

    /// Adds a file if it is an image.
    pub(super) fn add_file(&mut self, path: PathBuf) {
        let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).unwrap_or_default();
        // A Mac puts `._a.jpg` beside `a.jpg`, which is no image.
        let is_beside = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"._"));
        if ENDINGS.contains(&ending.as_str()) && !is_beside {
            self.paths.push(path);
            return;
        }
        match content(&path) {
            Content::Picture(_) if !RAW.contains(&ending.as_str()) => self.paths.push(path),
            Content::Foreign(foreign) => {
                let (count, first) = self.foreign.entry(foreign).or_insert_with(|| (0, path.clone()));
                *count += 1;
                if path < *first {
                    *first = path;
                }
            }
            Content::Picture(_) | Content::Other => {}
        }
    }

    /// Adds the images that are left out in another folder.
    pub(super) fn leave_out(&mut self, other: Self) {
        for (foreign, (count, path)) in other.foreign {
            let (all, first) = self.foreign.entry(foreign).or_insert_with(|| (0, path.clone()));
            *all += count;
            if path < *first {
                *first = path;
            }
        }
    }

    /// A sentence for each format of images that are left out.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let line = |(foreign, (count, first)): (&Foreign, &(usize, PathBuf))| {
            let first = first.display();
            match count {
                1 => format!("{first} is {foreign}"),
                _ => {
                    let Foreign { name, cure } = foreign;
                    format!(
                        "{count} {name} pictures are not read, such as {first}; convert them to PNG, for example with `{cure}`"
                    )
                }
            }
        };
        self.foreign.iter().map(line).collect()
    }
}

/// What a file contains. A file that cannot be read is no image.
fn content(path: &Path) -> Content {
    let mut first = Vec::new();
    // Only files: a pipe would wait for somebody who writes to it.
    let is_file = std::fs::metadata(path).is_ok_and(|about| about.is_file());
    let read = || File::open(path)?.take(FIRST_BYTES as u64).read_to_end(&mut first);
    if is_file && { read }().is_ok() { Content::of(&first) } else { Content::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_where_the_ending_is_unknown() {
        let root = tempfile::tempdir().unwrap();
        let jpeg = b"\xff\xd8\xff\xe0";
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
        for (name, bytes) in [
            ("a.HEIC", &jpeg[..]),
            ("b.JPE", jpeg),
            ("c.jfif", jpeg),
            ("d", jpeg),
            ("deeper/e.heic", heic),
            ("f.heic", heic),
            ("g.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
            ("h.jpg", heic),
            ("._a.jpg", b"\0\x05\x16\x07"),
            (".DS_Store", b"\0\0\0\x01Bud1"),
            ("Thumbs.db", b"\xd0\xcf\x11\xe0"),
            ("notes.txt", b"BMW"),
            ("i.nef", b"MM\0*\0\0\0\x08"),
            ("j.TIFF", b"MM\0*\0\0\0\x08"),
        ] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let found = find_pictures(&[root.path().to_owned()]).unwrap();
        let names: Vec<&str> = found.paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.HEIC", "b.JPE", "c.jfif", "d", "h.jpg", "j.TIFF"]);
        let shown = root.path().display();
        let expected = [
            format!(
                "{shown}/g.avif is an AVIF picture, which is not read; convert it to PNG, for example with `heif-convert in.avif out.png`"
            ),
            format!(
                "2 HEIC pictures are not read, such as {shown}/deeper/e.heic; convert them to PNG, for example with `heif-convert in.heic out.png`"
            ),
        ];
        assert_eq!(found.left_out(), expected);
        let only = find_pictures(&[root.path().join("deeper")]).unwrap_err().to_string();
        let expected = "tif, tiff): ";
        assert!(only.contains(expected) && only.contains("e.heic is a HEIC picture, which is not read"), "{only}");
    }
}
