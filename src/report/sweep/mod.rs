//! A sweep: every combination of settings, scored by path similarity.

mod csv_tables;
mod figures;
mod files;
mod page;
mod table;

pub(crate) use files::sweep_files;
pub(crate) use table::{FailedPoint, Share, Sweep, SweepAxis, SweepClass, SweepPoint, SweepPrototype, shown};
