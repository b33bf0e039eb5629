//! Reports of measurements: JSON, CSV, plots, and one self-contained page.
//!
//! The same measurement gives the same bytes. A report is files with their bytes, to be written in order. The JSON file, which is the
//! measurement itself, comes last: if it exists, the report is complete.

mod compare;
mod compare_csv;
mod compare_page;
mod contact_sheet;
mod entangle;
mod entangle_csv;
mod entangle_figures;
mod entangle_page;
mod files;
mod gallery;
mod isolation;
mod isolation_csv;
mod isolation_figures;
mod isolation_page;
mod judge;
mod judge_csv;
mod judge_page;
mod page;
mod pictures;
pub(crate) mod plot;
mod similarity;
mod similarity_csv;
mod similarity_figures;
mod similarity_page;
mod study;
mod study_csv;
mod study_figures;
mod study_page;
pub(crate) mod sweep;

pub(crate) use compare::compare_files;
pub(crate) use contact_sheet::ContactSheet;
pub(crate) use entangle::entangle_files;
pub(crate) use gallery::{Gallery, NotShown, Shown, gallery_files};
pub(crate) use isolation::isolation_files;
pub(crate) use judge::judge_files;
pub(crate) use pictures::{ClassPictures, IsolatedPictures, PartPictures, Pictures, PrototypePicture};
pub(crate) use similarity::{SimilarityReport, similarity_files};
pub(crate) use study::{StudyReport, study_files};
