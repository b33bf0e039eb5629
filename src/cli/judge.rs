//! `protogpu judge`: how often networks that did not make prototypes recognise them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{AdapterArgs, NetworkArgs, PrintArgs, TakenArgs};
use super::judges::{named, open, share, stranger, unmapped, varieties};
use super::observer::Terminal;
use super::terminal::{table, words};
use super::work::{NOTHING_WRITTEN, print_report, work};
use crate::analysis::judge::{ClassRow, ControlRow, Judgement, Recognition, kinds};
use crate::analysis::kid::Kid;
use crate::analysis::study::Interval;
use crate::gpu::Context;
use crate::lab::judge::{Inputs, JudgeRequest, Photographs};
use crate::networks::Network;
use crate::{Error, Result};
use serde_json::{Value, json};

/// Measure how often other networks recognise prototypes
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::JUDGE)]
pub(crate) struct JudgeArgs {
    /// Folders of prototypes made by `protogpu run`, or folders of such folders; each has its own rows
    #[arg(long = "prototype", value_name = "FOLDER", required = true, num_args = 1..)]
    prototypes: Vec<PathBuf>,
    /// Judges: weights files, names of built-in networks, or imagenet:NAME for the weights that `protogpu weights pull NAME`
    /// downloaded
    #[arg(long = "with", value_name = "FILE|NAME|imagenet:NAME", required = true, num_args = 1..)]
    judges: Vec<PathBuf>,
    /// Photographs to judge beside the prototypes, one folder per class, named by the class's index, WordNet id or name
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Photographs per class
    #[arg(long, value_name = "N", default_value_t = 100, requires = "images", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    images_per_class: u32,
    /// Seed that selects the photographs and draws the noise of the controls
    #[arg(long, value_name = "S", default_value_t = 0, requires = "images")]
    seed: u64,
    /// The folder for the report
    #[arg(long, value_name = "DIR", default_value = "judge")]
    out: PathBuf,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Replace an earlier report
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    print: PrintArgs,
    /// Names of the judge's classes, if there is one judge: one per line, or index, WordNet id and name separated by tabs [default:
    /// those of the prototypes that it made, else the file's]
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    taken: TakenArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl JudgeArgs {
    /// Judges, writes the report and prints a summary.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        self.refuse_options_of_one_judge()?;
        let per_class = self.images_per_class as usize;
        let photographs = self.images.as_deref().map(|images| Photographs { images, per_class, seed: self.seed });
        let inputs = Inputs::find(&self.prototypes, photographs)?;
        let about = |images: &PathBuf| json!({"images": images.display().to_string(), "per_class": per_class, "seed": self.seed});
        let request = JudgeRequest {
            inputs: &inputs,
            judges: &self.judges,
            open: &|judge| self.open(judge, &inputs),
            words,
            photographs: self.images.as_ref().map_or(Value::Null, about),
            batch: self.batch.into(),
            out: &self.out,
            force: self.force,
        };
        request.check()?;
        let terminal = Terminal::new(self.print.quiet);
        let judge = |context: &Context| request.run(context, &terminal);
        work(&self.adapter, NOTHING_WRITTEN, judge, |judgement| {
            print_report(
                &self.print,
                &terminal,
                &judgement,
                [&judgement.skipped, &judgement.notes],
                || shown(&judgement),
                &self.out,
            )
        })
    }

    /// Refuses the options that describe a judge if there are several.
    fn refuse_options_of_one_judge(&self) -> Result<()> {
        let TakenArgs { architecture, key, input_size, input_range, input_mean, input_std, transform_input } =
            &self.taken;
        let given = [
            ("labels", self.labels.is_some()),
            ("architecture", architecture.is_some()),
            ("key", key.is_some()),
            ("input-size", input_size.is_some()),
            ("input-range", input_range.is_some()),
            ("input-mean", input_mean.is_some()),
            ("input-std", input_std.is_some()),
            ("transform-input", transform_input.is_some()),
        ];
        match (self.judges.len(), given.iter().find(|(_, is_given)| *is_given)) {
            (2.., Some((option, _))) => Err(Error::input(format!(
                "--{option} describes one judge, but there are {}: ask them one after the other, each with its own --out",
                self.judges.len()
            ))),
            _ => Ok(()),
        }
    }

    /// Opens a judge as the options say, and otherwise as the records of the prototypes that it made.
    fn open(&self, judge: &Path, inputs: &Inputs) -> Result<Network> {
        let args = NetworkArgs { labels: self.labels.clone(), taken: self.taken.clone(), ..named(judge) };
        open(args, |sha256| Ok(inputs.maker(sha256)?.cloned()))
    }
}

/// The summary as text: a table for each judge and folder.
fn shown(judgement: &Judgement) -> String {
    let mut text = String::new();
    for judge in &judgement.judges {
        for group in &judge.groups {
            text += &format!("{} on {}{}\n", judge.weights, group.folder, stranger(group));
            let header = ["", "", "images", "top 1", "top 5", "probability", "rank", "ratio"];
            let mut rows = vec![header.map(str::to_owned).to_vec()];
            for ClassRow { index, name, prototypes, photographs, controls, ratio, variety: _ } in &group.classes {
                rows.extend(of_class(&format!("{index} {name}"), *prototypes, *photographs, controls, *ratio));
            }
            rows.extend(of_class("all", group.prototypes, group.photographs, &group.controls, group.ratio));
            text += &table(&rows);
            text += &varieties(group);
            text += &unmapped(group);
            text += &group.kid.as_ref().map(kid).unwrap_or_default();
            text += "\n";
        }
    }
    text
}

/// KID with its yardsticks.
fn kid(kid: &Kid) -> String {
    let Kid { prototypes, photographs, kid, instead, halves, notes } = kid;
    let shown = |name: &str, interval: &Option<Interval>| {
        let Interval { value, low, high } = interval.as_ref()?;
        Some(vec![name.to_owned(), format!("{value:.4} [{low:.4}, {high:.4}]")])
    };
    let name = format!("KID: prototypes ({prototypes}) to photographs ({photographs})");
    let rows = [
        shown(&name, kid),
        shown("KID: as many photographs to the others", instead),
        shown("KID: halves of the photographs", halves),
    ];
    let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
    table(&rows.into_iter().flatten().collect::<Vec<_>>()) + &notes
}

/// The rows of a class, of which the first has its name and the ratio.
fn of_class(
    name: &str,
    prototypes: Option<Recognition>,
    photographs: Option<Recognition>,
    controls: &[ControlRow],
    ratio: Option<f64>,
) -> Vec<Vec<String>> {
    let row = |(at, (kind, recognition)): (usize, (&str, Recognition))| {
        let Recognition { images, top1, top5, probability, rank } = recognition;
        let name = if at == 0 { name } else { "" };
        let mut row = vec![name.to_owned(), kind.to_owned(), images.to_string(), share(top1), share(top5)];
        row.extend([format!("{probability:.3}"), format!("{rank:.1}")]);
        row.push(ratio.filter(|_| kind == "prototypes").map_or_else(String::new, |ratio| format!("{ratio:.2}")));
        row
    };
    kinds(prototypes, photographs, controls).enumerate().map(row).collect()
}
