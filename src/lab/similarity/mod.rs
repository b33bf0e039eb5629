//! Path similarity: which pictures, of what it is measured, and the natural side kept in files.

pub(crate) mod choice;
pub(crate) mod inputs;
pub(crate) mod measure;
pub(crate) mod natural;
