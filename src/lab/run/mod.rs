//! Runs: which prototypes to make, their folders, their batches and their files.

pub(crate) mod animation;
pub(crate) mod batch;
pub(crate) mod batch_size;
pub(crate) mod classes;
pub(crate) mod folder;
pub(crate) mod many;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod slot;
