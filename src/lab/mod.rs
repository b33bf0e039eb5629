//! Files and time: runs, sweeps, similarity and studies as functions over what is asked for. It prints nothing and hears no
//! signal.

pub(crate) mod cache;
pub(crate) mod disk;
pub(crate) mod pace;
pub(crate) mod run;
pub(crate) mod similarity;
pub(crate) mod sweep;
pub(crate) mod top;
