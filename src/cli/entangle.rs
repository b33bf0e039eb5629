//! `protogpu entangle`: which classes share what prototypes show.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{EngineArgs, PrintArgs};
use super::observer::Terminal;
use super::terminal::table;
use super::work::{NOTHING_WRITTEN, print_report, work};
use crate::Result;
use crate::analysis::entangle::{Check, EntangledClass, Entanglement};
use crate::analysis::study::Interval;
use crate::gpu::Context;
use crate::lab::entangle::{EntangleRequest, Inputs};
use crate::lab::pictures::ImageFolder;
use crate::lab::similarity::choice::Choice;

/// The candidates of a class in the summary.
const LISTED: usize = 3;

/// Find the classes that share what prototypes show
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::ENTANGLE)]
pub(crate) struct EntangleArgs {
    /// Folders of prototypes made by `protogpu run`, or folders of such folders
    #[arg(long = "prototype", value_name = "FOLDER", required = true, num_args = 1..)]
    prototypes: Vec<PathBuf>,
    /// Photographs on which the network's confusions are counted, one folder per class, named by the class's index, WordNet id or name
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Photographs per class
    #[arg(long, value_name = "N", default_value_t = 100, requires = "images", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    images_per_class: u32,
    /// Seed that selects the photographs
    #[arg(long, value_name = "S", default_value_t = 0, requires = "images")]
    seed: u64,
    /// Candidates per class; each takes a forward and a backward pass per prototype
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(3..=1000))]
    candidates: u16,
    /// Skip the alignment of gradients, which takes most of the time, and order candidates by probability
    #[arg(long)]
    no_gradients: bool,
    /// The folder for the report
    #[arg(long, value_name = "DIR", default_value = "entangle")]
    out: PathBuf,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    /// Replace an earlier report
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl EntangleArgs {
    /// Measures, writes the report and prints a summary.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let inputs = Inputs::find(&self.prototypes)?;
        let network = self.engine.network.or_recorded(Some(inputs.maker()?)).open()?;
        let folder = self.images.as_ref().map(|images| ImageFolder::open(images, network.labels())).transpose()?;
        let choice = |folder| Choice {
            folder,
            per_class: self.images_per_class as usize,
            different: None,
            seed: self.seed,
            leave_one_out: false,
        };
        let request = EntangleRequest {
            network: &network,
            inputs: &inputs,
            photographs: folder.as_ref().map(choice),
            candidates: self.candidates.into(),
            gradients: !self.no_gradients,
            batch: self.batch.into(),
            out: &self.out,
            force: self.force,
        };
        request.check()?;
        let terminal = Terminal::new(self.print.quiet);
        let run = |context: &Context| request.run(context, &terminal);
        work(&self.engine.adapter, NOTHING_WRITTEN, run, |entanglement| {
            print_report(
                &self.print,
                &terminal,
                &entanglement,
                [&entanglement.skipped, &entanglement.notes],
                || shown(&entanglement),
                &self.out,
            )
        })
    }
}

/// The summary as text.
fn shown(entanglement: &Entanglement) -> String {
    let mut rows = vec![["class", "prototypes", "candidates (ln p, alignment)"].map(str::to_owned).to_vec()];
    if entanglement.check.is_some() {
        rows[0].push("most frequent confusion".to_owned());
    }
    for class in &entanglement.classes {
        let candidates = class.candidates.iter().take(LISTED).map(|one| match one.alignment {
            Some(alignment) => format!("{} ({:.1}, {alignment:.2})", one.name, one.log_probability),
            None => format!("{} ({:.1})", one.name, one.log_probability),
        });
        let mut row = vec![format!("{} {}", class.index, class.name), class.prototypes.to_string()];
        row.push(candidates.collect::<Vec<_>>().join(", "));
        row.extend(confusion(class));
        rows.push(row);
    }
    let mut text = table(&rows);
    if entanglement.without_class > 0 {
        text += &format!("left out, because their objective is not a class: {}\n", entanglement.without_class);
    }
    if let Some(check) = &entanglement.check {
        text += &checked(check);
    }
    text
}

/// `castle 3 of 40, candidate 2`
fn confusion(class: &EntangledClass) -> Option<String> {
    let found = class.confusions.as_ref()?;
    let Some(most) = found.most() else { return Some(format!("none of {}", found.photographs)) };
    let place = class.candidates.iter().position(|candidate| candidate.index == most.index);
    let place = place.map_or("no candidate".to_owned(), |at| format!("candidate {}", at + 1));
    Some(format!("{} {} of {}, {place}", most.name, most.count, found.photographs))
}

/// How often the most frequent confusions are among the first candidates.
fn checked(check: &Check) -> String {
    let mut text = format!(
        "the most frequent confusion is among the first {} (of {} classes with one):\n",
        check.top, check.classes
    );
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for measure in &check.measures {
        let Interval { value, low, high } = measure.share;
        let interval = format!("[{:.1}, {:.1}]", low * 100.0, high * 100.0);
        rows.push(vec![format!("  {}", measure.name), measure.hits.to_string(), percent(value), interval]);
    }
    if let Some(share) = check.another_class {
        rows.push(vec!["  the first order, another class's list".to_owned(), String::new(), percent(share)]);
    }
    rows.push(vec!["  chance".to_owned(), String::new(), percent(check.chance)]);
    text += &table(&rows);
    let without = [(check.without_confusion, "without confusion"), (check.without_photographs, "without photographs")];
    for (count, what) in without.into_iter().filter(|&(count, _)| count > 0) {
        text += &format!("classes {what}: {count}\n");
    }
    text
}
