//! The text output of a sweep.

use std::process::ExitCode;

use super::args::PrintArgs;
use super::terminal::{FAILURE, note, print, print_json, table};
use crate::Result;
use crate::lab::sweep::files::{Files, Plan};
use crate::lab::sweep::make::Outcomes;
use crate::lab::sweep::table::{Rank, ranked, write};
use crate::report::sweep::{Sweep, SweepPoint};
use clap::ValueEnum;
use clap::builder::PossibleValue;

/// The most rows that are printed.
const PRINTED: usize = 20;

impl ValueEnum for Rank {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Similarity, Self::Top1, Self::Probability, Self::Holds]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Similarity => "Mean path similarity",
            Self::Top1 => "Prototypes that are top 1, then similarity",
            Self::Probability => "Mean probability of the class, then similarity",
            Self::Holds => "Layers that hold, then similarity",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

/// How the table is ranked and printed.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ShowArgs {
    /// How points are ranked
    #[arg(long, value_name = "BY", value_enum, default_value_t)]
    rank: Rank,
    #[command(flatten)]
    pub(super) print: PrintArgs,
}

impl ShowArgs {
    /// Ranks the points, writes the table's files and prints a summary.
    pub(super) fn finish(&self, files: &Files, plan: Plan, outcomes: Outcomes) -> Result<ExitCode> {
        let sweep = ranked(plan, outcomes, self.rank);
        // First, because writing the table may fail.
        for failed in &sweep.failed {
            note(&format!("error: {}: {}", failed.name, failed.error));
        }
        write(files, &sweep)?;
        if self.print.json {
            print_json(&sweep)?;
        } else if !self.print.quiet {
            print(&shown(&sweep, files))?;
        }
        Ok(if sweep.failed.is_empty() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}

/// A point in one line.
pub(super) fn point_text(point: &SweepPoint) -> String {
    let SweepPoint { name, similarity, top1, probability, .. } = point;
    let similarity = similarity.mean.map_or("-".to_owned(), |value| format!("{value:.3}"));
    format!("{name}: similarity {similarity}, top 1 {}/{}, probability {probability:.3}", top1.count, top1.of)
}

/// The table as text.
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
