//! The text output of a sweep.

use std::process::ExitCode;

use super::args::PrintArgs;
use super::terminal::{FAILURE, note, print, print_json, table};
use crate::Result;
use crate::analysis::judge::{Recognition, Unmapped};
use crate::lab::sweep::files::{Files, Plan};
use crate::lab::sweep::make::Outcomes;
use crate::lab::sweep::ranking::Ranking;
use crate::lab::sweep::table::{ranked, write};
use crate::report::sweep::{PointJudge, Sweep, SweepJudge, SweepPoint};

/// The most rows that are printed.
const PRINTED: usize = 20;

/// How the table is ranked and printed.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ShowArgs {
    /// Rank the points by a measure of the table: similarity, normalised, holds, top1, probability, loss, or of a judge, such as
    /// NAME:probability. With several, by their Pareto fronts
    #[arg(
        long = "rank-by",
        alias = "rank",
        value_name = "MEASURE,..",
        value_delimiter = ',',
        default_value = "similarity"
    )]
    rank_by: Vec<String>,
    #[command(flatten)]
    pub(super) print: PrintArgs,
}

impl ShowArgs {
    /// The ranking in a table with these judges; `seeds`: whether there are several prototypes of a class.
    ///
    /// # Errors
    /// If a measure is unknown.
    pub(super) fn ranking(&self, judges: &[SweepJudge], seeds: bool) -> Result<Ranking> {
        let judges: Vec<String> = judges.iter().map(|judge| judge.name.clone()).collect();
        Ranking::new(&self.rank_by, &judges, seeds)
    }

    /// Ranks the points, writes the table's files and prints a summary.
    pub(super) fn finish(
        &self,
        files: &Files,
        plan: Plan,
        outcomes: Outcomes,
        judges: Vec<SweepJudge>,
    ) -> Result<ExitCode> {
        let ranking = self.ranking(&judges, plan.has_seeds())?;
        let sweep = ranked(plan, outcomes, judges, &ranking);
        // First, because writing the table may fail.
        for failed in &sweep.failed {
            note(&format!("error: {}: {}", failed.name, failed.error));
        }
        write(files, &sweep, &ranking)?;
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
    let has_fronts = sweep.points.iter().any(|point| point.front.is_some());
    let header =
        ["rank", "point", "similarity", "same", "different", "holds", "top 1", "probability"].map(str::to_owned);
    let fronts = has_fronts.then(|| "front".to_owned());
    let judges = sweep.judges.iter().flat_map(|judge| {
        let made = if judge.made { " (made them)" } else { "" };
        [format!("{}{made}: top 1", judge.name), "probability".to_owned(), "rank".to_owned()]
    });
    let mut rows = vec![header.into_iter().chain(fronts).chain(judges).collect()];
    for (at, point) in sweep.points.iter().take(PRINTED).enumerate() {
        let mut row = vec![
            (at + 1).to_string(),
            point.name.clone(),
            figure(point.similarity.mean),
            figure(point.same.mean),
            figure(point.different.mean),
            format!("{}/{}", point.holds.layers, point.holds.of),
            format!("{}/{}", point.top1.count, point.top1.of),
            format!("{:.3}", point.probability),
        ];
        row.extend(has_fronts.then(|| point.front.map_or_else(String::new, |front| front.to_string())));
        for judge in &sweep.judges {
            match point.judge(&judge.name).and_then(|said| said.prototypes) {
                Some(Recognition { top1, probability, rank, .. }) => {
                    row.extend([
                        format!("{:.1} %", top1.value * 100.0),
                        format!("{probability:.3}"),
                        format!("{rank:.1}"),
                    ]);
                }
                None => row.extend(["-", "-", "-"].map(str::to_owned)),
            }
        }
        rows.push(row);
    }
    let mut text = table(&rows);
    if sweep.points.len() > PRINTED {
        text += &format!("and {} more\n", sweep.points.len() - PRINTED);
    }
    text += &unmapped(sweep);
    text += &match sweep.best_of_top1() {
        Some(best) => format!("the most similar with every prototype top 1: {}\n", best.name),
        None => "no point has every prototype top 1\n".to_owned(),
    };
    text + &format!("{}\n", files.out.join("sweep.html").display())
}

/// A line for each class that a judge does not know. All points have the same classes.
fn unmapped(sweep: &Sweep) -> String {
    let Some(point) = sweep.points.first() else { return String::new() };
    let lines = |judge: &PointJudge| -> String {
        let line = |class: &Unmapped| format!("unmapped: {} ({}): {}\n", class.name, judge.judge, class.reason);
        judge.unmapped.iter().map(line).collect()
    };
    point.judges.iter().map(lines).collect()
}
