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
    /// A setting has a value that makes no sense.
    #[error("{}", .0.naming(&|field| format!("`{field}`")))]
    Setting(SettingsError),
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
    /// Whoever asked for the work asked to stop it; nothing is wrong.
    #[error("stopped")]
    Cancelled,
    /// An error with what stands before and after it: where it was met, and what helps.
    #[error("{}", self.naming(&|field| format!("`{field}`")))]
    Framed {
        /// Where it was met, punctuation included: `run.json: `. In this and in `advice`, `{field}` is a field of what was asked
        /// for, and `{{` a brace.
        before: String,
        /// What went wrong.
        error: Box<Error>,
        /// What helps, punctuation included: `; give another {out}`.
        advice: String,
    },
}

/// A value that a setting cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The field of [`Settings`](crate::method::Settings), as it is written in files.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be; `{field}` names another field.
    pub expected: String,
}

impl SettingsError {
    fn naming(&self, field: &dyn Fn(&str) -> String) -> String {
        format!("{} is {}, but must be {}", field(self.field), self.value, with_fields(&self.expected, field))
    }
}

impl Error {
    /// An [`Error::Input`] from anything that prints.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// An [`Error::NotFinite`] of an optimisation, with advice.
    pub(crate) fn diverged(what: impl Into<String>) -> Self {
        Self::NotFinite(what.into()).advised(": try a smaller {lr} or other weights")
    }

    /// For `map_err`: an [`Error::Io`] of this action on this path.
    pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    fn framed(self, change: impl FnOnce(&mut String, &mut String)) -> Self {
        let (mut before, error, mut advice) = match self {
            Self::Framed { before, error, advice } => (before, error, advice),
            other => (String::new(), Box::new(other), String::new()),
        };
        change(&mut before, &mut advice);
        Self::Framed { before, error, advice }
    }

    /// The error with words before it, such as the name of a file; see [`Error::Framed`].
    #[must_use]
    pub fn within(self, place: impl AsRef<str>) -> Self {
        self.framed(|before, _| before.insert_str(0, &place.as_ref().replace('{', "{{")))
    }

    /// The error as one of a field of what was asked for, whose name comes first: `seed is 3, but ...`.
    #[must_use]
    pub fn field(self, field: &str) -> Self {
        self.framed(|before, _| before.insert_str(0, &format!("{{{field}}} ")))
    }

    /// The error with advice after it; see [`Error::Framed`].
    #[must_use]
    pub fn advised(self, advice: impl AsRef<str>) -> Self {
        self.framed(|_, after| after.push_str(advice.as_ref()))
    }

    /// The error without what was added to it.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Framed { error, .. } => error.cause(),
            other => other,
        }
    }

    /// The error with another cause and the same words around it.
    #[must_use]
    pub fn map_cause(self, change: impl FnOnce(Self) -> Self) -> Self {
        match self {
            Self::Framed { before, error, advice } => {
                Self::Framed { before, error: Box::new(error.map_cause(change)), advice }
            }
            other => change(other),
        }
    }

    /// The message with fields named as whoever shows it names them: as options, say.
    pub fn naming(&self, field: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::Framed { before, error, advice } => {
                format!("{}{}{}", with_fields(before, field), error.naming(field), with_fields(advice, field))
            }
            Self::Setting(error) => error.naming(field),
            other => other.to_string(),
        }
    }

    /// Whether the caller can mend it by giving something else (exit code 2), as opposed to a failure (exit code 1).
    pub fn is_input(&self) -> bool {
        match self {
            Self::Input(_) | Self::Setting(_) | Self::NoAdapter(_) => true,
            Self::Io { source, .. } => is_of_the_path(source.kind()),
            Self::Framed { error, .. } => error.is_input(),
            Self::Shader(_) | Self::Device(_) | Self::OutOfMemory(_) | Self::NotFinite(_) | Self::Cancelled => false,
        }
    }
}

/// A text with every `{name}` replaced, and `{{` by a brace.
fn with_fields(text: &str, field: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        rest = match (after.strip_prefix('{'), after.split_once('}')) {
            (None, Some((name, after))) => {
                out.push_str(&field(name));
                after
            }
            (after_brace, _) => {
                out.push('{');
                after_brace.unwrap_or(after)
            }
        };
    }
    out + rest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_fields_as_its_reader_does() {
        let error = Error::input("a{b} exists").field("out").advised("; replace {{it} with {force}");
        assert_eq!(error.to_string(), "`out` a{b} exists; replace {it} with `force`");
        assert_eq!(error.naming(&|field| format!("--{field}")), "--out a{b} exists; replace {it} with --force");
        let both = error.within("c.json: ").advised(" (step 3)").within("{out}: ");
        assert_eq!(both.cause().to_string(), "a{b} exists");
        assert!(both.is_input() && both.to_string().starts_with("{out}: c.json: `out` a{b}"), "{both}");
        let other = both.map_cause(|_| Error::Cancelled);
        assert!(!other.is_input() && other.to_string().starts_with("{out}: c.json: `out` stopped; replace"), "{other}");
    }
}
