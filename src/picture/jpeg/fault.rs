//! Why a JPEG file is not decoded.

/// Why a JPEG file is not decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file is of a rare kind, which this decoder leaves to another.
    Rare,
    /// The image has more pixels than are read.
    TooLarge,
    /// The file breaks the rules of the format.
    Damaged(&'static str),
}

pub(super) type Result<T> = std::result::Result<T, Fault>;
