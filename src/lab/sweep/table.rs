//! The ranked table and its files.

use super::files::{Files, Plan, read_picture};
use super::make::Outcomes;
use crate::Result;
use crate::lab::disk::write_files;
use crate::report::sweep::{Sweep, SweepPoint, sweep_files};

/// The table's layout and version.
const FORMAT: &str = "protogpu sweep 1";

/// How points are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Mean path similarity.
    #[default]
    Similarity,
    /// Prototypes that are top 1, then similarity.
    Top1,
    /// Mean probability of the class, then similarity.
    Probability,
    /// Layers that hold, then similarity.
    Holds,
}

impl Rank {
    /// The name in tables and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Similarity => "similarity",
            Self::Top1 => "top1",
            Self::Probability => "probability",
            Self::Holds => "holds",
        }
    }

    /// The ranking key; greater is better.
    fn of(self, point: &SweepPoint) -> [f64; 2] {
        let similarity = point.order();
        match self {
            Self::Similarity => [similarity, point.top1.count as f64],
            Self::Top1 => [point.top1.count as f64, similarity],
            Self::Probability => [point.probability, similarity],
            Self::Holds => [point.holds.layers as f64, similarity],
        }
    }
}

/// Ranks the points. Points of equal rank stay in the order of the grid.
pub(crate) fn ranked(plan: Plan, outcomes: Outcomes, rank: Rank) -> Sweep {
    let Outcomes { records, failed } = outcomes;
    let mut adapters: Vec<String> = records.iter().map(|record| record.adapter.clone()).collect();
    adapters.sort();
    adapters.dedup();
    let mut points: Vec<SweepPoint> = records.into_iter().map(|record| record.score).collect();
    points.sort_by(|a, b| {
        let (a, b) = (rank.of(a), rank.of(b));
        b[0].total_cmp(&a[0]).then(b[1].total_cmp(&a[1]))
    });
    let Plan { about, base, grid, .. } = plan;
    Sweep { format: FORMAT.into(), about, base, grid, rank: rank.name().into(), adapters, points, failed }
}

/// Writes the table's files.
pub(crate) fn write(files: &Files, sweep: &Sweep) -> Result<()> {
    write_files(&files.out, &sweep_files(sweep, |path| read_picture(&files.picture(path)))?)
}
