//! The files of a judgement.

use super::files::{Files, json};
use super::pictures::PrototypePicture;
use super::{judge_csv, judge_page};
use crate::analysis::judge::Judgement;
use crate::error::Result;

/// `judge.csv`, `report.html` and, last, `judge.json`, in this order. `left_out` prototypes have no picture.
///
/// # Errors
/// If a picture is neither PNG nor JPEG.
pub(crate) fn judge_files(judgement: &Judgement, pictures: &[PrototypePicture], left_out: usize) -> Result<Files> {
    Ok(vec![
        ("judge.csv".to_string(), judge_csv::judges(&judgement.judges)?),
        ("report.html".to_string(), judge_page::render(judgement, pictures, left_out)?.into_bytes()),
        ("judge.json".to_string(), json(judgement, "judgement")?),
    ])
}
