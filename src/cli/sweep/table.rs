//! The ranked table: what is printed of it, and its files.

use std::process::ExitCode;

use crate::Result;
use crate::report::sweep::{FailedPoint, Sweep, SweepPoint, write_sweep};
use clap::ValueEnum;

use crate::cli::terminal::{FAILURE, note, print, print_json, table};
use crate::lab::sweep::files::{Files, Plan, Record, read_picture};

/// The table's layout and version.
const FORMAT: &str = "protogpu sweep 1";
/// Rows that are printed.
const PRINTED: usize = 20;

/// How points are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Rank {
    /// Mean path similarity
    #[default]
    Similarity,
    /// Prototypes that are top 1, then similarity
    Top1,
    /// Mean probability of the class, then similarity
    Probability,
    /// Layers that hold, then similarity
    Holds,
}

impl Rank {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What is compared, the greater the better.
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

/// How a table is shown.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ShowArgs {
    /// How points are ranked
    #[arg(long, value_name = "BY", value_enum, default_value_t)]
    rank: Rank,
    /// Print nothing but errors
    #[arg(long)]
    pub(super) quiet: bool,
    /// Print sweep.json
    #[arg(long)]
    json: bool,
}

impl ShowArgs {
    /// Ranks the points, which come in the grid's order, writes the table's files and prints what matters.
    pub(super) fn finish(
        &self,
        files: &Files,
        plan: Plan,
        records: Vec<Record>,
        failed: Vec<FailedPoint>,
    ) -> Result<ExitCode> {
        let mut adapters: Vec<String> = records.iter().map(|record| record.adapter.clone()).collect();
        adapters.sort();
        adapters.dedup();
        let mut points: Vec<SweepPoint> = records.into_iter().map(|record| record.score).collect();
        // A stable sort: equals stay in the grid's order.
        points.sort_by(|a, b| {
            let (a, b) = (self.rank.of(a), self.rank.of(b));
            b[0].total_cmp(&a[0]).then(b[1].total_cmp(&a[1]))
        });
        let Plan { about, base, grid, .. } = plan;
        let sweep =
            Sweep { format: FORMAT.into(), about, base, grid, rank: self.rank.name(), adapters, points, failed };
        // Before anything of the table can fail.
        for failed in &sweep.failed {
            note(&format!("error: {}: {}", failed.name, failed.error));
        }
        write_sweep(&files.out, &sweep, |path| read_picture(&files.picture(path)))?;
        if self.json {
            print_json(&sweep)?;
        } else if !self.quiet {
            print(&shown(&sweep, files))?;
        }
        Ok(if sweep.failed.is_empty() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}

/// A point in a line.
pub(super) fn brief(point: &SweepPoint) -> String {
    let SweepPoint { name, similarity, top1, probability, .. } = point;
    let similarity = similarity.mean.map_or("-".to_owned(), |value| format!("{value:.3}"));
    format!("{name}: similarity {similarity}, top 1 {}/{}, probability {probability:.3}", top1.count, top1.of)
}

/// The rows that people read.
fn shown(sweep: &Sweep, files: &Files) -> String {
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let header = ["rank", "point", "similarity", "same", "different", "holds", "top 1", "probability"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (at, point) in sweep.points.iter().take(PRINTED).enumerate() {
        rows.push(vec![
            (at + 1).to_string(),
            point.name.clone(),
            figure(point.similarity.mean),
            figure(point.same.mean),
            figure(point.different.mean),
            format!("{}/{}", point.holds.layers, point.holds.of),
            format!("{}/{}", point.top1.count, point.top1.of),
            format!("{:.3}", point.probability),
        ]);
    }
    let mut text = table(&rows);
    if sweep.points.len() > PRINTED {
        text += &format!("and {} more\n", sweep.points.len() - PRINTED);
    }
    text += &match sweep.best_of_top1() {
        Some(best) => format!("the most similar with every prototype top 1: {}\n", best.name),
        None => "no point has every prototype top 1\n".to_owned(),
    };
    text + &format!("{}\n", files.out.join("sweep.html").display())
}
