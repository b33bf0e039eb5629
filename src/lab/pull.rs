//! Downloads published weights, verifies and converts them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::cache::{self, LICENCE, Published};
use super::disk::remove_leftovers;
use super::download::Download;
use super::observer::{Note, Observer};
use crate::digest::sha256_of;
use crate::networks::Inspection;
use crate::weights::{PytorchFile, Weights};
use crate::{Error, Result};

/// The weights to download.
pub(crate) struct Pull<'a> {
    pub(crate) published: &'static Published,
    /// Take the file from a mirror's URL, or from a local file.
    pub(crate) from: Option<&'a str>,
    /// The beginning of the file's SHA-256, if it is not the published file.
    pub(crate) sha256: Option<&'a str>,
    /// Whether to download the file again if it exists.
    pub(crate) force: bool,
}

/// Downloaded weights.
pub(crate) struct Pulled {
    pub(crate) path: PathBuf,
    pub(crate) weights: Weights,
    /// Whether this call downloaded them.
    pub(crate) fetched: bool,
}

/// Where a file comes from.
enum Source<'a> {
    Url(&'a str),
    File(&'a Path),
}

impl<'a> Pull<'a> {
    /// Downloads the file if it does not exist.
    pub(crate) fn run(&self, observer: &dyn Observer) -> Result<Pulled> {
        let (folder, path) = (cache::folder()?, self.published.path()?);
        if path.exists() && !self.force {
            let weights = Weights::open(&path)?;
            return Ok(Pulled { path, weights, fetched: false });
        }
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let _lock = lock(&folder)?;
        match self.source()? {
            Source::File(file) => {
                verify(file, self.expected()).map_err(Unverified::report)?;
                self.convert(file, &path)?;
            }
            Source::Url(url) => {
                observer.note(Note::Fetching(url));
                let download = Download::new(url, &folder, self.published.file_name(), observer);
                let part = download.fetch()?;
                if let Err(unverified) = verify(part, self.expected()) {
                    // The next attempt would take the wrong file for a complete one.
                    download.discard()?;
                    return Err(unverified.of(url));
                }
                self.convert(part, &path)?;
                download.discard()?;
            }
        }
        let weights = Weights::open(&path)?;
        Ok(Pulled { path, weights, fetched: true })
    }

    fn source(&self) -> Result<Source<'a>> {
        let Some(from) = self.from else { return Ok(Source::Url(self.published.url)) };
        match from.split_once("://") {
            Some(("http" | "https", _)) => Ok(Source::Url(from)),
            Some(("file", path)) => Ok(Source::File(Path::new(path))),
            Some((scheme, _)) => Err(Error::input(format!(
                "is {from}, but {scheme} is not supported: use an http or https URL, or a file"
            ))
            .field("from")),
            None => Ok(Source::File(Path::new(from))),
        }
    }

    fn expected(&self) -> &'a str {
        self.sha256.unwrap_or(self.published.sha256)
    }

    /// Writes the converted file.
    fn convert(&self, file: &Path, path: &Path) -> Result<()> {
        let weights = Weights::open(file)?;
        let inspection = Inspection::of(&weights);
        inspection.check(&weights)?;
        if inspection.architecture.to_string() != self.published.model {
            let (file, found, wanted) = (file.display(), inspection.architecture, self.published.model);
            return Err(Error::input(format!("{file} holds the tensors of {found}, not of {wanted}")));
        }
        let checkpoint = PytorchFile::open(file, None)?;
        let from = self.from.unwrap_or(self.published.url);
        checkpoint.write(path, &origin(self.published, &checkpoint.sha256(), from))
    }
}

/// The origin in the converted file's metadata. For the published file it does not depend on the mirror, so the converted file is the
/// same on every machine.
fn origin<'a>(published: &'a Published, sha256: &str, from: &'a str) -> [(&'a str, &'a str); 2] {
    if sha256 == published.sha256 {
        [("license", LICENCE), ("source", published.url)]
    } else {
        [("license", "unknown: this is not the file that torchvision publishes"), ("source", from)]
    }
}

/// Locks the download, so that two processes do not write into one part. Fails if it is locked.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    let cannot = |source| Error::io("write", &path)(source);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let folder = folder.display();
            return Err(Error::input(format!("another protogpu is downloading weights into {folder}: wait for it")));
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(cannot(source)),
    }
    // The lock keeps other processes out.
    remove_leftovers(folder)?;
    Ok(file)
}

/// The error for an unexpected file.
enum Unverified {
    Unread(PathBuf, io::Error),
    Other { path: PathBuf, found: String, expected: String },
}

/// Whether a file's SHA-256 begins with these digits.
fn verify(path: &Path, expected: &str) -> Result<(), Unverified> {
    let found =
        File::open(path).and_then(sha256_of).map_err(|source| Unverified::Unread(path.to_path_buf(), source))?;
    if found.starts_with(expected) {
        return Ok(());
    }
    Err(Unverified::Other { path: path.to_path_buf(), found, expected: expected.to_owned() })
}

impl Unverified {
    /// The error for a given file.
    fn report(self) -> Error {
        match self {
            Self::Unread(path, source) => Error::io("read", &path)(source),
            Self::Other { path, found, expected } => Error::input(format!(
                "{} is not the published file: its sha256 is {found}, not {expected}",
                path.display()
            ))
            .advised(". To use it anyway, pass its hash with {sha256}"),
        }
    }

    /// The error for a downloaded file.
    fn of(self, url: &str) -> Error {
        match self {
            Self::Other { found, expected, .. } => {
                Error::input(format!("{url} sent another file: its sha256 is {found}, not {expected}"))
                    .advised(". It was deleted; try again, or another source with {from} URL|FILE")
            }
            unread => unread.report(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_file_is_the_same_wherever_it_was_fetched() {
        let published = Published::of("resnet18").unwrap();
        let genuine = origin(published, published.sha256, "http://mirror/w.pth");
        assert_eq!(genuine, [("license", LICENCE), ("source", published.url)]);
        let [licence, source] = origin(published, "ab", "http://mirror/w.pth");
        assert!(licence.1.starts_with("unknown") && source == ("source", "http://mirror/w.pth"), "{licence:?}");
    }
}
