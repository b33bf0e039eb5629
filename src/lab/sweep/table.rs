//! The ranked table and its files.

use super::files::{Files, Plan, read_picture};
use super::make::Outcomes;
use super::ranking::Ranking;
use crate::Result;
use crate::lab::disk::{remove, write_files};
use crate::report::sweep::{Sweep, SweepJudge, SweepPoint, sweep_files};

/// The table's layout and version.
const FORMAT: &str = "protogpu sweep 1";

/// Ranks the points.
pub(crate) fn ranked(plan: Plan, outcomes: Outcomes, judges: Vec<SweepJudge>, ranking: &Ranking) -> Sweep {
    let Outcomes { records, failed } = outcomes;
    let mut adapters: Vec<String> = records.iter().map(|record| record.adapter.clone()).collect();
    adapters.sort();
    adapters.dedup();
    let points: Vec<SweepPoint> = records.into_iter().map(|record| record.score).collect();
    let (points, rank) = (ranking.sort(points), ranking.name());
    let Plan { about, base, grid, .. } = plan;
    Sweep { format: FORMAT.into(), about, base, grid, rank, judges, adapters, points, failed }
}

/// Writes the table's files.
pub(crate) fn write(files: &Files, sweep: &Sweep, ranking: &Ranking) -> Result<()> {
    let front = ranking.pair().map(|pair| (pair, ranking.is_plane()));
    let made = sweep_files(sweep, front, |path| read_picture(&files.picture(path)))?;
    for plot in ["plots/pareto.svg", "plots/pareto.png"].iter().filter(|_| front.is_none()) {
        // Of an earlier ranking.
        remove(&files.out.join(plot))?;
    }
    write_files(&files.out, &made)
}
