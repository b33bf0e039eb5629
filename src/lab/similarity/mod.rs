//! Path similarity: the selection of natural images, prototypes and controls, and kept results for natural images.

pub(crate) mod choice;
pub(crate) mod inputs;
pub(crate) mod measure;
pub(crate) mod natural;
pub(crate) mod stream;
