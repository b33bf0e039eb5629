//! Prototypes: which, where each goes, how they are made in batches, and what is written of them.

pub(crate) mod animation;
pub(crate) mod batch;
pub(crate) mod batch_size;
pub(crate) mod classes;
pub(crate) mod folder;
pub(crate) mod many;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod slot;
