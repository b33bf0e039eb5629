//! The one error type of the library, and which errors are the caller's to mend.

use std::path::{Path, PathBuf};

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Each message names the file or value at fault and, where there is one, the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Invalid input: a value, the content of a file, a name. The binary exits with 2.
    #[error("{0}")]
    Input(String),
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The attempted action, as a verb: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// No suitable adapter; the message lists the adapters and drivers to install.
    #[error("{0}")]
    NoAdapter(String),
    /// A shader does not parse, import, validate or bind. The fault is in this crate or in a custom op.
    #[error("{0}")]
    Shader(String),
    /// The device was lost or refused work; the message names the operation.
    #[error("{0}")]
    Device(String),
    /// Out of device memory; a smaller request may succeed.
    #[error("{0}")]
    OutOfMemory(String),
    /// A loss became NaN or infinite.
    #[error("{0}")]
    NotFinite(String),
}

impl Error {
    /// An [`Error::Input`] from anything that prints.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// For `map_err`: an [`Error::Io`] of this action on this path.
    pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Whether the caller can mend it by giving something else (exit code 2), as opposed to a failure (exit code 1).
    pub fn is_input(&self) -> bool {
        match self {
            Self::Input(_) | Self::NoAdapter(_) => true,
            Self::Io { source, .. } => is_of_the_path(source.kind()),
            Self::Shader(_) | Self::Device(_) | Self::OutOfMemory(_) | Self::NotFinite(_) => false,
        }
    }
}

/// Whether a disk, a quota or a limit on a file's size leaves no room.
pub fn is_full(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

/// Whether a path does not exist, may not be touched or is of another kind, which the caller can mend. All else is a failure: a disk
/// that fills up or breaks, a server that goes away.
fn is_of_the_path(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::NotFound
            | Kind::PermissionDenied
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::AlreadyExists
            | Kind::ReadOnlyFilesystem
            | Kind::InvalidInput
            | Kind::InvalidFilename
            | Kind::InvalidData
            | Kind::UnexpectedEof
    )
}
