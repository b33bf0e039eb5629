//! Sweeps: settings in every combination, each scored by path similarity and by judges.

pub(crate) mod files;
pub(crate) mod grid;
pub(crate) mod judges;
pub(crate) mod make;
pub(crate) mod merge;
pub(crate) mod natural;
pub(crate) mod plan;
pub(crate) mod ranking;
pub(crate) mod request;
mod score;
pub(crate) mod table;
