//! `protogpu weights pull`: published weights, fetched, verified, converted and kept.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::sha256_of;
use crate::networks::Inspection;
use crate::weights::{Checkpoint, Weights};
use crate::{Error, Result};
use serde_json::json;

use super::download::Download;
use super::terminal::{note, print, print_json};
use crate::lab::cache::{self, LICENCE, Published};
use crate::lab::disk::remove_leftovers;

/// Fetch published weights, verify and convert them, for --weights imagenet
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::PULL)]
pub(crate) struct PullArgs {
    /// resnet18 or googlenet
    model: String,
    /// Take the file from a mirror's URL, or from a local file
    #[arg(long, value_name = "URL|FILE")]
    from: Option<String>,
    /// SHA-256 of that file if it is not the published one; the first eight or more digits are enough
    #[arg(long, value_name = "HEX", requires = "from", value_parser = hash)]
    sha256: Option<String>,
    /// Fetch the file again even if it exists
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn hash(text: &str) -> Result<String, String> {
    let digits = text.to_ascii_lowercase();
    if (8..=64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digits)
    } else {
        Err("give at least the first 8 of the 64 hexadecimal digits of a SHA-256".into())
    }
}

/// Where a file comes from.
enum Source<'a> {
    Url(&'a str),
    File(&'a Path),
}

impl PullArgs {
    /// Fetches what is not there.
    pub(crate) fn run(&self) -> Result<()> {
        let published = Published::of(&self.model)?;
        let (folder, path) = (cache::folder()?, published.path()?);
        if path.exists() && !self.force {
            return self.report(published, &path, &Weights::open(&path)?, "there already");
        }
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let _lock = lock(&folder)?;
        match self.source(published)? {
            Source::File(file) => {
                verify(file, self.expected(published)).map_err(Unverified::report)?;
                self.convert(published, file, &path)?;
            }
            Source::Url(url) => {
                self.note(&format!("fetching {url}"));
                let download = Download::new(url, &folder, published.file_name(), self.quiet);
                let part = download.fetch()?;
                if let Err(unverified) = verify(part, self.expected(published)) {
                    // Asked again, it would be taken for whole.
                    download.discard()?;
                    return Err(unverified.of(url));
                }
                self.convert(published, part, &path)?;
                download.discard()?;
            }
        }
        self.report(published, &path, &Weights::open(&path)?, "verified and converted")
    }

    fn source<'a>(&'a self, published: &'a Published) -> Result<Source<'a>> {
        let Some(from) = &self.from else { return Ok(Source::Url(published.url)) };
        match from.split_once("://") {
            Some(("http" | "https", _)) => Ok(Source::Url(from)),
            Some(("file", path)) => Ok(Source::File(Path::new(path))),
            Some((scheme, _)) => Err(Error::input(format!(
                "--from is {from}, but {scheme} is not supported: use an http or https URL, or a file"
            ))),
            None => Ok(Source::File(Path::new(from))),
        }
    }

    fn expected<'a>(&'a self, published: &'a Published) -> &'a str {
        self.sha256.as_deref().unwrap_or(published.sha256)
    }

    /// Writes the converted file.
    fn convert(&self, published: &Published, file: &Path, path: &Path) -> Result<()> {
        let weights = Weights::open(file)?;
        let inspection = Inspection::of(&weights);
        inspection.check(&weights)?;
        if inspection.architecture.to_string() != published.model {
            let (file, found, wanted) = (file.display(), inspection.architecture, published.model);
            return Err(Error::input(format!("{file} holds the tensors of {found}, not of {wanted}")));
        }
        let checkpoint = Checkpoint::open(file, None)?;
        let from = self.from.as_deref().unwrap_or(published.url);
        checkpoint.write(path, &origin(published, &checkpoint.sha256(), from))
    }

    fn report(&self, published: &Published, path: &Path, weights: &Weights, how: &str) -> Result<()> {
        let known = |key: &str| weights.metadata().get(key).map_or("unknown", String::as_str);
        let [source, source_sha256, licence] = ["source", "source_sha256", "license"].map(known);
        if self.json {
            return print_json(
                &json!({"model": published.model, "path": path.display().to_string(), "bytes": weights.file_bytes(),
                "sha256": weights.sha256(), "source": source, "source_sha256": source_sha256, "licence": licence}),
            );
        }
        if self.quiet {
            return Ok(());
        }
        let (model, path) = (published.model, path.display());
        print(&format!(
            "{}\n  source   {source}\n           sha256 {source_sha256}\n  licence  {licence}\n  file     {path} ({how})\n  \
             use      protogpu run --model {model} --weights {} --class goldfish\n",
            published.about,
            cache::IMAGENET
        ))
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }
}

/// What the converted file says of its origin: of the published file the same wherever it was fetched, so that the
/// converted one is the same on every machine.
fn origin<'a>(published: &'a Published, sha256: &str, from: &'a str) -> [(&'a str, &'a str); 2] {
    if sha256 == published.sha256 {
        [("license", LICENCE), ("source", published.url)]
    } else {
        [("license", "unknown: this is not the file that torchvision publishes"), ("source", from)]
    }
}

/// Waits for nobody: two processes would write into one part.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    let cannot = |source| Error::io("write", &path)(source);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let folder = folder.display();
            return Err(Error::input(format!("another protogpu is fetching weights into {folder}: wait for it")));
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(cannot(source)),
    }
    // Nobody else writes here now.
    remove_leftovers(folder)?;
    Ok(file)
}

/// Why a file is not the expected one.
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
    /// Of a file that was given.
    fn report(self) -> Error {
        match self {
            Self::Unread(path, source) => Error::io("read", &path)(source),
            Self::Other { path, found, expected } => Error::input(format!(
                "{} is not the published file: its sha256 is {found}, not {expected}. To use it anyway, pass its hash with \
                     --sha256",
                path.display()
            )),
        }
    }

    /// Of what arrived from a server.
    fn of(self, url: &str) -> Error {
        match self {
            Self::Other { found, expected, .. } => Error::input(format!(
                "{url} sent another file: its sha256 is {found}, not {expected}. It was deleted; try again, or another \
                     source with --from URL|FILE"
            )),
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
