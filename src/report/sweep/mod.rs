//! A sweep: every combination of settings, scored by path similarity.

mod csv_tables;
mod figures;
mod files;
mod measures;
mod page;
mod table;

pub(crate) use files::sweep_files;
pub(crate) use measures::Measure;
pub(crate) use table::{
    FailedPoint, PointJudge, Share, Sweep, SweepAxis, SweepClass, SweepJudge, SweepPoint, SweepPrototype, shown,
};
