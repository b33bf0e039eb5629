//! Prototypes: which, where each goes, and what is written of it.

pub(crate) mod batch_size;
pub(crate) mod classes;
pub(crate) mod folder;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod slot;
