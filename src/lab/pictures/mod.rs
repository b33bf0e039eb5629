//! Image files: what is in folders, and a stream that decodes images while the adapter works.

mod find;
mod folder;
mod numbers;
mod shown;
mod stream;
mod tally;

pub(crate) use find::{Found, find_pictures};
pub(crate) use folder::{ImageFolder, relative};
pub(crate) use shown::{blurred, shown_png};
pub(crate) use stream::{Passed, Streamed, classify, stream_pictures, together};
pub(crate) use tally::Tally;
