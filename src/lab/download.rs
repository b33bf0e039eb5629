//! Downloads that resume after an interruption.
//!
//! `NAME.part` holds the bytes that have arrived, and `NAME.part.json` the URL and the version that they belong to. A request for
//! the rest has `Range` and `If-Range` (RFC 9110, sections 13.1.5 and 14), so the server sends the whole file if it has changed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::atomic::write_atomically;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::observer::{Counted, Event, Note, Observer};

/// The longest download, five times the longest published file.
const MAX_BYTES: u64 = 256 << 20;
/// The most attempts. An attempt in which nothing arrives is the last.
const ATTEMPTS: u32 = 5;
/// After this long without a byte, the transfer has broken off.
const SILENCE: Duration = Duration::from_secs(30);

/// A download and its files.
pub(crate) struct Download<'a> {
    url: &'a str,
    part: PathBuf,
    observer: &'a dyn Observer,
}

/// The file and version that a part belongs to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Version {
    url: String,
    /// The server's name for this version: a strong ETag, or the date of the last change.
    validator: Option<String>,
    /// The length of the whole file, if the server tells.
    bytes: Option<u64>,
}

/// How an attempt failed.
enum Failed {
    /// The transfer broke off; the received bytes are kept.
    BrokenOff(io::Error),
    /// Another attempt would fail too.
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl<'a> Download<'a> {
    /// A download of `url` to `NAME.part` in `folder`.
    pub(crate) fn new(url: &'a str, folder: &Path, name: &str, observer: &'a dyn Observer) -> Self {
        Self { url, part: folder.join(format!("{name}.part")), observer }
    }

    /// Downloads the file, or the rest of it, and returns its path. The caller verifies the content.
    pub(crate) fn fetch(&self) -> Result<&Path> {
        let agent = agent();
        let mut attempt = 1;
        loop {
            let before = self.arrived();
            match self.attempt(&agent) {
                Ok(()) => return Ok(&self.part),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::BrokenOff(reason)) if attempt == ATTEMPTS || self.arrived() <= before => {
                    return Err(self.broken_off(&reason));
                }
                Err(Failed::BrokenOff(reason)) => {
                    self.observer.note(Note::BrokeOff { url: self.url, bytes: self.arrived(), reason: &reason });
                    attempt += 1;
                }
            }
        }
    }

    /// Removes the received bytes.
    pub(crate) fn discard(&self) -> Result<()> {
        for path in [self.version_path(), self.part.clone()] {
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path)(source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn version_path(&self) -> PathBuf {
        self.part.with_added_extension("json")
    }

    fn arrived(&self) -> u64 {
        std::fs::metadata(&self.part).map_or(0, |found| found.len())
    }

    fn broken_off(&self, reason: &io::Error) -> Error {
        let (text, advice) = match self.arrived() {
            0 => (
                reason.to_string(),
                "; download the file on another machine, copy it across, and pass it with {from} FILE",
            ),
            arrived => (format!("{reason} after {arrived} bytes, which are kept"), "; the same command resumes"),
        };
        Error::io("download", Path::new(self.url))(io::Error::new(io::ErrorKind::ConnectionAborted, text))
            .advised(advice)
    }

    /// The version of the received bytes, if the server can send the rest.
    fn begun(&self) -> Option<(Version, u64)> {
        let version: Version = serde_json::from_slice(&std::fs::read(self.version_path()).ok()?).ok()?;
        let arrived = self.arrived();
        (arrived > 0 && version.url == self.url && version.validator.is_some()).then_some((version, arrived))
    }

    fn attempt(&self, agent: &Agent) -> Result<(), Failed> {
        let begun = self.begun();
        if let Some((version, arrived)) = &begun
            && version.bytes == Some(*arrived)
        {
            return Ok(());
        }
        let mut request = agent.get(self.url);
        if let Some((Version { validator: Some(validator), .. }, arrived)) = &begun {
            request = request.header(header::RANGE, format!("bytes={arrived}-")).header(header::IF_RANGE, validator);
        }
        let response = request.call().map_err(|error| self.unanswered(error))?;
        match (response.status(), begun) {
            (StatusCode::OK, _) => self.receive(response, 0),
            (StatusCode::PARTIAL_CONTENT, Some((_, arrived))) if range_begin(response.headers()) == Some(arrived) => {
                self.receive(response, arrived)
            }
            // The server refuses to continue after these bytes.
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => {
                self.discard()?;
                self.attempt(agent)
            }
            (status, _) => Err(self.refused(status).into()),
        }
    }

    /// Writes the bytes after the first `arrived` ones.
    fn receive(&self, response: Response<Body>, arrived: u64) -> Result<(), Failed> {
        let rest = response.body().content_length();
        let bytes = rest.map(|rest| rest.saturating_add(arrived));
        let too_long =
            |bytes: u64| Error::input(format!("{} has {bytes} bytes; at most {MAX_BYTES} are downloaded", self.url));
        if let Some(bytes) = bytes.filter(|&bytes| bytes > MAX_BYTES) {
            return Err(too_long(bytes).into());
        }
        let file = self.open(&response, arrived, bytes)?;
        self.observer.tell(Event::Counting { what: Counted::Bytes(self.url), done: arrived, total: bytes });
        let written = self.write(file, response, arrived, &too_long);
        self.observer.tell(Event::CountingEnded);
        match (bytes, written?) {
            (Some(bytes), now) if now < bytes => {
                Err(Failed::BrokenOff(io::Error::other(format!("the server closed the connection before {bytes}"))))
            }
            _ => Ok(()),
        }
    }

    /// Writes a body after the first `arrived` bytes, and returns the new number of bytes.
    fn write(
        &self,
        mut file: File,
        response: Response<Body>,
        arrived: u64,
        too_long: &dyn Fn(u64) -> Error,
    ) -> Result<u64, Failed> {
        let mut body = response.into_body().into_reader();
        let (mut buffer, mut now) = (vec![0; 1 << 16], arrived);
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(reason) => return Err(Failed::BrokenOff(reason)),
            };
            now += n as u64;
            if now > MAX_BYTES {
                self.discard()?;
                return Err(too_long(now).into());
            }
            file.write_all(&buffer[..n]).map_err(Error::io("write", &self.part))?;
            self.observer.tell(Event::Counted(n as u64));
        }
        file.sync_all().map_err(Error::io("write", &self.part))?;
        Ok(now)
    }

    /// Opens the part, empty or to be continued.
    fn open(&self, response: &Response<Body>, arrived: u64, bytes: Option<u64>) -> Result<File> {
        let cannot = Error::io("write", &self.part);
        if arrived > 0 {
            return OpenOptions::new().append(true).open(&self.part).map_err(cannot);
        }
        self.discard()?;
        let version = Version { url: self.url.to_owned(), validator: validator(response.headers()), bytes };
        let text = serde_json::to_vec(&version).expect("plain data");
        write_atomically(self.version_path(), |out| out.write_all(&text))?;
        File::create(&self.part).map_err(cannot)
    }

    /// The error for a server, or a proxy, that did not answer.
    fn unanswered(&self, error: ureq::Error) -> Failed {
        match error {
            error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_)) => {
                Failed::Final(Error::input(format!("{} is not a URL ({error})", self.url)))
            }
            ureq::Error::TooManyRedirects | ureq::Error::RedirectFailed => {
                Failed::Final(Error::input(format!("{} redirects too often", self.url)))
            }
            ureq::Error::Io(reason) => Failed::BrokenOff(reason),
            other => Failed::BrokenOff(io::Error::other(other.to_string())),
        }
    }

    fn refused(&self, status: StatusCode) -> Error {
        let url = self.url;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let answer = io::Error::new(io::ErrorKind::ConnectionRefused, format!("the server answers {status}"));
            return Error::io("download", Path::new(url))(answer)
                .advised(": try later, or another source with {from} URL|FILE");
        }
        Error::input(format!("cannot download {url}: the server answers {status}"))
            .advised("; use another source with {from} URL|FILE")
    }
}

/// Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("protogpu/", env!("CARGO_PKG_VERSION")))
        // No compression, because ranges count compressed bytes.
        .accept_encoding("identity")
        // The system's certificates: behind a proxy that inspects TLS, Mozilla's list is not enough.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .max_redirects(5)
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .new_agent()
}

/// The validator of the file's version: a strong ETag, or else the date of the last change.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let etag = text(header::ETAG).filter(|etag| etag.starts_with('"'));
    etag.or_else(|| text(header::LAST_MODIFIED)).map(str::to_owned)
}

/// The first byte of a `Content-Range`: 500 in `bytes 500-999/1000`.
fn range_begin(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
